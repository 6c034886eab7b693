#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Packets of every size, there and back, with completions and request ids.
# shellcheck disable=SC2317 # "check" runs the functions
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

plan 7

sizes()
{
	ct open "$1" && ct sizes "$2" && ct close
}
check "0 to 16384 bytes, batched" sizes batched 509
check "0 to 16384 bytes, copied out" sizes "batched copy" 1021
check "0 to 16384 bytes, direct" sizes direct 1021
check "0 to 16384 bytes, isr" sizes isr 1021

flood()
{
	ct open "$1" && ct flood 2000 "$2" && ct flood 300 4000 && ct close
}
check "2000 at once, more than the requestor holds" flood "rqstor=16" 64
check "2000 at once, as many as the ring takes" flood "rqstor=4096 ring=32768" 200
check "2000 at once without requestor" flood "rqstor=0 isr" 64
finish
