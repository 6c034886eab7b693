#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Flow control: the writer says how much room it wants, and the reader signals
# when there is. synth_chantest takes a missing signal for an error.
# shellcheck disable=SC2317 # "check" runs the functions
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

plan 9

# The guest does not read for a second: the host has to wait, and is woken
source_stalled()
{
	ct open "$1" || return
	out=$(ct source 500 1000 1000) || { echo "$out"; return 1; }
	ct close
	echo "$out"
	! echo "$out" | grep -q "told of room 0 times"
}

# The same the other way round: the host is busy sending, and reads nothing
# before the ring is full
sink_blocked()
{
	ct open "$1" || return
	out=$(ct sink 500 1000 blocked) || { echo "$out"; return 1; }
	ct close
	echo "$out"
	! echo "$out" | grep -q "ring full 0 times"
}

for mode in batched direct isr; do
	check "host waits for room, $mode" source_stalled "$mode"
	check "guest waits for room, $mode" sink_blocked "$mode"
done

large()
{
	ct open "ring=32768 $1" && ct source 300 16384 300 &&
		ct sink 300 16384 blocked && ct close
}
check "packets of half a ring, batched" large batched
check "packets of half a ring, copied out" large "direct copy"
late()
{
	ct open && ct stall 300 && ct stall 5 && ct echo 100 && ct close
}
check "a host that answers late" late
finish
