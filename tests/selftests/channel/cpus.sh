#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A channel's interrupts go to the CPU that it is told to use.
# shellcheck disable=SC2317 # "check" runs the functions
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

cpus=$(cd /sys/devices/system/cpu && ls -d cpu[0-9]*)
online=""
n=0
for c in $cpus; do
	f=/sys/devices/system/cpu/$c/online
	if [ ! -e "$f" ] || [ "$(cat "$f")" = 1 ]; then
		online="$online ${c#cpu}"
		n=$((n + 1))
	fi
done
plan $((2 * n + 2))

device=$(sed -n 's/: .*//p' "$CT"/state | head -n 1)
# shellcheck disable=SC2012 # no odd names
attr=$(ls /sys/bus/*vmbus/devices/"$device"/channels/*/cpu 2>/dev/null |
	head -n 1)

moved()
{
	ct open direct || return
	ct modify "$1" "$1"
	status=$?
	ct close
	return "$status"
}

by_sysfs()
{
	ct open direct || return
	echo "$1" >"$attr" && sleep 0.1 && ct echo 10 && ct where >/dev/null
	status=$?
	at=$(cat "$CT"/result)
	ct close
	echo "called back on CPU $at"
	[ "$status" = 0 ] && [ "$at" = "$1" ]
}

for c in $online; do
	check "modify-channel to CPU $c" moved "$c"
	if [ -n "$attr" ]; then
		check "sysfs moves it to CPU $c" by_sysfs "$c"
	else
		skip "sysfs moves it to CPU $c" "no such attribute"
	fi
done

last=${online##* }
hotplug=/sys/devices/system/cpu/cpu$last/online

# Either the bus lets the CPU go, or it says no; the channel works on
offline()
{
	ct open && ct echo 10 || return
	if echo 0 >"$hotplug"; then
		ct echo 10 50
		status=$?
		echo 1 >"$hotplug" || return
		[ "$status" = 0 ] || return 1
	fi 2>/dev/null
	ct echo 10 50 && ct close
}

there_and_back()
{
	ct open && for _ in 1 2 3 4 5; do
		for c in $online; do
			echo "$c" >"$attr" && ct echo 100 10 || return
		done
	done
	ct close
}

if [ -e "$hotplug" ] && [ $n -gt 1 ]; then
	check "CPU $last goes offline and comes back" offline
else
	skip "a CPU goes offline and comes back" "only one, or none can"
fi
if [ -n "$attr" ]; then
	check "moved about while open" there_and_back
else
	skip "moved about while open" "no such attribute"
fi
finish
