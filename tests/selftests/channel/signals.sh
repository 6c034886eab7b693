#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# One signal for each time that a ring stops being empty, and no more; signals
# without reason do no harm.
# shellcheck disable=SC2317 # "check" runs the functions
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

plan 9

count()
{
	ct open "$1" && ct signals 50 && ct close
}
for mode in batched direct isr; do
	check "50 packets, one signal, $mode" count "$mode"
done

spurious()
{
	ct open "$1" && ct spurious 1000 && ct echo 100 10 && ct close
}
for mode in batched direct isr; do
	check "1000 signals for nothing, $mode" spurious "$mode"
done

# Neither side may lose the last signal: one packet at a time, host and guest
# asleep in between as often as not
pingpong()
{
	ct open "$1" && ct echo 8 1000 && ct close
}
for mode in batched direct isr; do
	check "1000 packets in turn, $mode" pingpong "$mode"
done
finish
