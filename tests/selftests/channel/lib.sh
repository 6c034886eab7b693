# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# For the tests beside it: KTAP, and the test device's client. A test says
# "plan N", then N times "check NAME COMMAND...", then "finish".

CT=/sys/kernel/debug/synth_chantest
ksft_skip=4
number=0
failed=0
keep_open=""	# set by a test whose channel stays open

skip_all()
{
	echo "TAP version 13"
	echo "1..0 # SKIP $*"
	exit $ksft_skip
}

plan()
{
	echo "TAP version 13"
	echo "1..$1"
	planned=$1
}

# One command of the test client. What it says goes to standard output
ct()
{
	printf '%s' "$*" 2>/dev/null >"$CT"/command
	status=$?
	cat "$CT"/result
	return "$status"
}

# A command that must fail, but must not hang
ct_fails()
{
	! ct "$@"
}

diagnose()
{
	sed 's/^/# /'
}

# check NAME COMMAND...: one result. Where it fails, the next one begins with a
# closed channel, as the first did, if this test opens it itself
check()
{
	name=$1
	shift
	number=$((number + 1))
	if out=$("$@" 2>&1); then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		failed=$((failed + 1))
		printf '%s\n' "$out" | diagnose
		[ -n "$keep_open" ] || ct close >/dev/null
	fi
}

skip()
{
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

finish()
{
	ct close >/dev/null
	[ "$number" = "$planned" ] || {
		echo "# $number results, $planned planned"
		exit 1
	}
	echo "# $((number - failed)) passed, $failed failed"
	[ $failed = 0 ]
	exit
}

load()
{
	grep -q "^$1 " /proc/modules && return
	if [ -n "${SYNTHIO_MODULES:-}" ]; then
		[ -e "$SYNTHIO_MODULES/$2/$1.ko" ] &&
			insmod "$SYNTHIO_MODULES/$2/$1.ko"
	else
		modprobe -q "$1"
	fi
}

probes()
{
	sed -n 's/^probes //p' "$CT"/state
}

[ "$(id -u)" = 0 ] || skip_all "needs root"
grep -qE '^(synth_vmbus|hv_vmbus) ' /proc/modules ||
	load synth_vmbus channel || load hv_vmbus channel ||
	skip_all "no channel module"
load synth_chantest tests/selftests/modules ||
	skip_all "no synth_chantest.ko"
# loading waits for the connection, but not for the offers
ct "wait 1 10000" >/dev/null || skip_all "the host offers no test device"
ct close >/dev/null
