#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Opening and closing, in each way to be called back and to read.
# shellcheck disable=SC2317 # "check" runs the functions
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

modes="batched direct isr"
plan 17

try()
{
	# shellcheck disable=SC2086 # words
	ct open $1 && ct echo 1000 20 && ct flood 200 300 && ct close
}

for mode in $modes; do
	check "$mode, read in place" try "$mode"
	check "$mode, copied out" try "$mode copy"
	check "$mode, 25 times over" ct loop 25 "$mode"
done

check "no requestor" try "rqstor=0"
check "a requestor of one" try "rqstor=1"
check "a requestor of 1000" try "rqstor=1000"
check "the smallest ring" try "ring=16384 rqstor=8"
check "a ring of a megabyte" try "ring=1048576"

twice()
{
	ct open && ct_fails open && ct echo 10 && ct close && ct close
}
check "opened twice is refused, closed twice harmless" twice

not_open()
{
	ct_fails echo 10
}
check "a closed channel takes nothing" not_open

modes_in_turn()
{
	for i in 1 2 3 4 5; do
		for mode in $modes; do
			ct open "$mode" && ct echo "$((i * 100))" && ct close ||
				return 1
		done
	done
}
check "modes in turn" modes_in_turn
finish
