#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in the guest: starts fio on a disk, and takes what the kernel counts
# twice while it runs: at the begin of the window, and at its end.
#	window.sh DISK RAMP_MS WINDOW_MS DIRECTORY FIO_ARGUMENT...
# Leaves fio.json and window.txt in the directory. Prints a mark, A and B, where
# the window begins and ends: the host takes its own numbers then. No process is
# started inside the window, and nothing else is written that has to leave the
# guest.
set -u

disk=$1
ramp=$2
window=$3
out=$4
shift 4

# a pipe that nothing comes from: "read -t" on it sleeps without a process
rm -f /run/never
mkfifo /run/never || exit 1
exec {never}<>/run/never
nap()
{
	local ms

	printf -v ms '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
	read -r -t "$ms" -u "$never"
}

# I/Os that have completed, as they were asked for: merged ones count
ios()
{
	local f

	read -ra f <"/sys/block/$disk/stat"
	count=$((f[0] + f[1] + f[4] + f[5]))
}

# a line of output reaches the host's program when more has come after it
mark()
{
	printf '%s%048d\n' "$1" 0
}

die()
{
	echo "window.sh: $1" >&2
	cat "$out/fio.log" >&2
	kill "$fio" 2>/dev/null
	exit 1
}

rm -f "$out/fio.json" "$out/window.txt"
ios
first=$count
fio --output-format=json --output="$out/fio.json" "$@" >"$out/fio.log" 2>&1 &
fio=$!

# the emulated CPU loads fio in half a second, or in ten
for ((i = 0; count < first + 4; i++)); do
	[ "$i" -lt 1500 ] || die "no I/O in 30 s"
	[ -e "/proc/$fio" ] || die "fio has ended"
	nap 20
	ios
done
nap "$ramp"

mapfile -t irq_a </proc/interrupts
read -ra cpu_a </proc/stat
ios
count_a=$count
time_a=$EPOCHREALTIME
mark A
nap "$window"
mark B
time_b=$EPOCHREALTIME
ios
count_b=$count
read -ra cpu_b </proc/stat
mapfile -t irq_b </proc/interrupts

# it would go on for longer than anybody waits; 128: it was asked to end
kill -TERM "$fio" || die "fio ended inside the window"
wait "$fio"
status=$?
[ $status = 128 ] || die "fio: exit status $status"
{
	echo "time $time_a $time_b"
	echo "ios $count_a $count_b"
	echo "cpus $(nproc)"
	echo "cpu_a ${cpu_a[*]:1}"
	echo "cpu_b ${cpu_b[*]:1}"
	printf 'irq_a %s\n' "${irq_a[@]}"
	printf 'irq_b %s\n' "${irq_b[@]}"
} >"$out/window.txt"
