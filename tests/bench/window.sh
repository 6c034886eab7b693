#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in the guest: starts a program that loads a device, and takes what the
# kernel counts twice while it runs: at the begin of the window, and at its end.
#	window.sh COUNT STATUS RAMP_MS WINDOW_MS DIRECTORY PROGRAM [ARGUMENT]...
# COUNT says what is counted:
#	disk:NAME		I/Os of a disk that have completed
#	snmp:PROTOCOL:FIELD	a field of /proc/net/snmp
#	asked			the program tells, once for each line that it reads
# STATUS is the program's exit status when SIGTERM has ended it.
# Leaves window.txt in the directory, and what the program has printed in
# program.out. Prints a mark, S, when the program has been started, and A and B
# where the window begins and ends: the host does its own part then. No process is started inside the window, and nothing
# else is written that has to leave the guest.
set -u

IFS=: read -r kind name field <<<"$1"
want=$2
ramp=$3
window=$4
out=$5
shift 5

# a pipe that nothing comes from: "read -t" on it sleeps without a process
rm -f /run/never /run/ask /run/answer
mkfifo /run/never /run/ask /run/answer || exit 1
exec {never}<>/run/never {ask}<>/run/ask {answer}<>/run/answer
nap()
{
	local ms

	printf -v ms '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
	read -r -t "$ms" -u "$never"
}

# as they were asked for: merged ones count
count_disk()
{
	local f

	read -ra f <"/sys/block/$name/stat"
	count=$((f[0] + f[1] + f[4] + f[5]))
}

# two lines of a protocol: names, and values in their order. All of it at once:
# what "read" leaves it would find elsewhere, since the numbers have grown
count_snmp()
{
	local all line i names=() values=()

	mapfile -t all </proc/net/snmp
	for line in "${all[@]}"; do
		[ "${line%% *}" = "$name:" ] || continue
		# shellcheck disable=SC2206 # words and numbers
		[ ${#names[@]} = 0 ] || { values=($line); break; }
		# shellcheck disable=SC2206
		names=($line)
	done
	for i in "${!names[@]}"; do
		[ "${names[i]}" != "$field" ] || count=${values[i]}
	done
}

count_asked()
{
	echo >&"$ask"
	read -r -t 20 -u "$answer" count || die "the program does not answer"
}

# a line of output reaches the host's program when more has come after it
mark()
{
	printf '%s%048d\n' "$1" 0
}

die()
{
	echo "window.sh: $1" >&2
	cat "$out/program.log" >&2
	kill "$program" 2>/dev/null
	exit 1
}

# how much has to come before it counts as running
enough=200
first=0
case $kind in
disk)
	enough=4
	count_disk
	first=$count ;;
snmp)
	count_snmp
	first=$count ;;
esac
rm -f "$out/program.out" "$out/window.txt"
if [ "$kind" = asked ]; then
	"$@" <&"$ask" >&"$answer" 2>"$out/program.log" &
else
	"$@" </dev/null >"$out/program.out" 2>"$out/program.log" &
fi
program=$!
if [ "$kind" = asked ]; then
	count_asked
	first=$count
fi
mark S

# the emulated CPU loads a program in half a second, or in ten
count=$first
for ((i = 0; count < first + enough; i++)); do
	[ "$i" -lt 1500 ] || die "nothing happens in 30 s"
	[ -e "/proc/$program" ] || die "the program has ended"
	nap 20
	"count_$kind"
done
nap "$ramp"

mapfile -t irq_a </proc/interrupts
read -ra cpu_a </proc/stat
"count_$kind"
count_a=$count
time_a=$EPOCHREALTIME
mark A
nap "$window"
mark B
time_b=$EPOCHREALTIME
"count_$kind"
count_b=$count
read -ra cpu_b </proc/stat
mapfile -t irq_b </proc/interrupts
# the host still asks for its counters: what they count has to go on
[ "$kind" != asked ] || nap 500

# it would go on for longer than anybody waits
kill -TERM "$program" || die "the program ended inside the window"
wait "$program"
status=$?
[ $status = "$want" ] || die "the program: exit status $status"
{
	echo "time $time_a $time_b"
	echo "ios $count_a $count_b"
	echo "cpus $(nproc)"
	echo "cpu_a ${cpu_a[*]:1}"
	echo "cpu_b ${cpu_b[*]:1}"
	printf 'irq_a %s\n' "${irq_a[@]}"
	printf 'irq_b %s\n' "${irq_b[@]}"
} >"$out/window.txt"
