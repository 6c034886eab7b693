# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
#
# What kernel.sh and chroot.sh have in common. The sourcing script sets
# "here", this directory.

: "${here:?}"
top=$(cd "$here/../.." && pwd)
build=$top/build
cache=$build/cache
kernels=$build/kernels

# Progress goes to stderr: stdout is for answers.
say()
{
	echo "${0##*/}: $*" >&2
}

die()
{
	say "error: $*"
	exit 1
}

# Hold the lock $1 until the shell ends; a second caller waits here. The
# descriptor is not for children that outlive this (9>&- for those).
lock()
{
	mkdir -p "$build/lock"
	exec 9>"$build/lock/$1"
	if ! flock -n 9; then
		say "waiting for another run that makes ${1#chroot-}"
		flock 9
	fi
}

# Where the machine's apt finds suite $1 (bookworm, bookworm-security): a URI,
# or nothing.
apt_uri()
{
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null |
		awk -v s="$1" '$1 == s && $2 == "main" { print $3; exit }'
}

# The Debian archive that this machine uses.
apt_mirror()
{
	local suite uri

	if [ -n "${DEBIAN_MIRROR-}" ]; then
		echo "$DEBIAN_MIRROR"
		return
	fi
	suite=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	uri=$(apt_uri "$suite")
	[ -n "$uri" ] || die "apt on this machine names no archive for" \
		"'$suite': set DEBIAN_MIRROR to the URL of one"
	echo "$uri"
}
