#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs tests/selftests inside a guest with the kernel's own kselftest runner.
#
#   KSELFTEST_DIR=/usr/src/linux/tools/testing/selftests \
#   SYNTHIO_MODULES=build/<release>/<bus> tests/selftests/run.sh [COLLECTION...]
#
# KSELFTEST_DIR    has kselftest/runner.sh and run_kselftest.sh
# SYNTHIO_MODULES  where channel/*.ko and tests/selftests/modules/*.ko are;
#                  without it they are looked up with modprobe
#
# Prints the runner's TAP, one plan for each collection. Exit status: 0 some
# passed and none failed, 1 some failed, 2 all were skipped or none could be run.
set -u
here=$(dirname "$(readlink -f "$0")")

die()
{
	echo "run.sh: $*" >&2
	exit 2
}

list()
{
	sed -n "s/^$1 += //p" "$2/Makefile"
}

[ -n "${KSELFTEST_DIR:-}" ] || die "KSELFTEST_DIR says where the runner is"
[ -r "$KSELFTEST_DIR/kselftest/runner.sh" ] ||
	die "no kselftest/runner.sh in $KSELFTEST_DIR"
[ "$(id -u)" = 0 ] || die "needs root"
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug ||
	die "no debugfs"

# The runner wants everything below one directory that it may write to
base=$(mktemp -d) || die "no temporary directory"
trap 'rm -rf "$base"' EXIT
cp -r "$KSELFTEST_DIR/kselftest" "$KSELFTEST_DIR/run_kselftest.sh" "$base" ||
	die "can't copy the runner"
[ $# -gt 0 ] || {
	# shellcheck disable=SC2046 # names without spaces
	set -- $(list TARGETS "$here")
}
for collection; do
	[ -r "$here/$collection/Makefile" ] || die "no collection $collection"
	cp -r "$here/$collection" "$base" || die "can't copy $collection"
	list TEST_PROGS "$here/$collection" | sed "s/^/$collection:/"
done >"$base/kselftest-list.txt"
[ -s "$base/kselftest-list.txt" ] || die "no tests"

[ -z "${SYNTHIO_MODULES:-}" ] || {
	SYNTHIO_MODULES=$(readlink -f "$SYNTHIO_MODULES")
	export SYNTHIO_MODULES
}
# The runner's exit status says nothing: its TAP does
"$base/run_kselftest.sh" | tee "$base/tap"
! grep -q '^not ok ' "$base/tap" || exit 1
grep -q '^ok ' "$base/tap" || die "no results"
grep '^ok ' "$base/tap" | grep -qv '# SKIP' || die "all were skipped"
