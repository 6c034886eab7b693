# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# For what runs inside a Debian system: prints "ok NAME" or "not ok NAME" for each check.
# What commands say goes to stderr.

report()
{
	if [ "$1" = 0 ]; then
		echo "ok $2"
	else
		echo "not ok $2"
	fi
}

# check NAME COMMAND...: report whether the command succeeds.
check()
{
	name=$1
	shift
	"$@" >&2
	report $? "$name"
}
