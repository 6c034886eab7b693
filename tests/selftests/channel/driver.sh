#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The driver comes and goes while the channel is open.
# shellcheck disable=SC2317 # "check" runs the functions
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

plan 5

device=$(sed -n 's/: .*//p' "$CT"/state | head -n 1)
# shellcheck disable=SC2012 # no odd names
drv=$(ls -d /sys/bus/*vmbus/drivers/synth_chantest 2>/dev/null | head -n 1)

rebind()
{
	for _ in 1 2 3 4 5; do
		p=$(probes)
		ct open && ct echo 100 || return
		echo "$device" >"$drv/unbind" || return
		ct_fails echo 100 || return
		echo "$device" >"$drv/bind" || return
		ct wait $((p + 1)) && ct open && ct echo 100 && ct close ||
			return
	done
}
check "unbound and bound while open" rebind

reload()
{
	for _ in 1 2 3 4 5; do
		ct open "$1" && ct echo 100 || return
		rmmod synth_chantest || return
		load synth_chantest tests/selftests/modules || return
		ct wait 1 && ct open && ct echo 100 && ct close || return
	done
}
check "unloaded and loaded while open" reload batched

with_subs()
{
	ct open && ct subchannels 3 && ct subecho 100 || return
	rmmod synth_chantest || return
	load synth_chantest tests/selftests/modules || return
	ct wait 1 && ct open && ct echo 100 && ct close
}
check "unloaded with sub-channels" with_subs

# What a driver has set in the channel does not meet the next one
litter()
{
	p=$(probes)
	ct litter || return
	echo "$device" >"$drv/unbind" && echo "$device" >"$drv/bind" || return
	ct wait $((p + 1)) && ct new && ct open && ct echo 100 && ct close
}
check "nothing is left after unbind" litter

litter_reload()
{
	ct litter && rmmod synth_chantest || return
	load synth_chantest tests/selftests/modules || return
	ct wait 1 && ct new && ct open && ct echo 100 && ct close
}
check "nothing is left after rmmod" litter_reload
finish
