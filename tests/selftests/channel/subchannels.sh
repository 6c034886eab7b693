#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Sub-channels come when asked for, work on their own, and go with the primary.
# shellcheck disable=SC2317 # "check" runs the functions
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

plan 6

some()
{
	ct open "$2" && ct subchannels "$1" && ct subecho 500 20 &&
		ct echo 100 5 && ct close
}
check "one" some 1 batched
check "four" some 4 batched
check "eight, isr" some 8 isr

in_steps()
{
	ct open && ct subchannels 2 && ct subchannels 5 && ct subecho 100 &&
		ct close
}
check "two, then five" in_steps

again()
{
	for i in 1 2 3 4 5; do
		some "$i" direct || return
	done
	ct open && ct echo 10 && ct close
}
check "again and again" again

# The host offers the next ones before it takes those of the last opening back
late()
{
	ct open && ct late 1 && ct subchannels 3 && ct close || return
	ct open && ct subchannels 3 && ct subecho 100 5 && ct close || return
	ct open && ct subchannels 4 && ct late 0 && ct subecho 100 5 &&
		ct close
}
check "offered anew before their rescind" late
finish
