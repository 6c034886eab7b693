#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The host takes the device back at the worst of times, and offers it again.
# shellcheck disable=SC2317 # "check" runs the functions
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

plan 8
moments="1 10 40 120"
rounds="1 2 3 4"
[ "${LONG:-}" != 1 ] || {
	moments="1 5 10 20 40 80 120 160"
	rounds="1 2 3 4 5 6 7 8 9 10"
}

# Wait for the next incarnation, and see that it works
back()
{
	ct wait $(($1 + 1)) 15000 || { echo "device does not come back"; return 1; }
	ct open && ct echo 1000 10 && ct close
}

closed()
{
	p=$(probes)
	# long enough that the close is there first, on a slow machine too
	ct open && ct rescind 3000 200 && ct close && back "$p"
}
check "while it is closed" closed

idle()
{
	p=$(probes)
	ct open && ct rescind 0 300 && back "$p"
}
check "while it is open" idle

busy()
{
	p=$(probes)
	ct open "$1" && ct rescind 100 300 flood 1000000 100 && back "$p"
}
check "in the middle of traffic, batched" busy batched
check "in the middle of traffic, isr" busy isr

blocked()
{
	p=$(probes)
	ct open ring=16384 && ct rescind 400 300 sink 1000000 4000 blocked &&
		back "$p"
}
check "while the guest waits for room" blocked

opening()
{
	for ms in $moments; do
		p=$(probes)
		ct open && ct rescind "$ms" 100 loop 1000000 && back "$p" ||
			return
	done
}
check "in the middle of open and close" opening

subs()
{
	p=$(probes)
	ct open && ct subchannels 4 && ct rescind 50 300 subecho 100 1000000 &&
		back "$p"
}
check "with sub-channels" subs

often()
{
	for _ in $rounds; do
		p=$(probes)
		ct open && ct rescind 0 0 && back "$p" || return
	done
}
check "again and again, offered again at once" often
finish
