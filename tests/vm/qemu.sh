#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A QEMU with vmbus-bridge and hv-balloon (8.2 or newer), for guests in guests,
# and the kexec program. Nothing is installed on the machine: what it lacks is
# unpacked under build/nested.
#
#   qemu.sh get
#	Fetch it if that was not done before, and print the directory: it has
#	usr/bin, usr/lib, usr/share as packages do, and kexec in sbin. Programs
#	there want usr/lib/x86_64-linux-gnu of it in LD_LIBRARY_PATH.
#   qemu.sh remove
#	Forget it.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
# shellcheck source-path=SCRIPTDIR source=apt.sh
. "$here/apt.sh"

dir=$build/nested
oldest=8.2

# The suite whose QEMU is new enough: the machine's own, or its backports.
suite()
{
	local codename version

	codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	[ -n "$codename" ] || die "this is not a Debian release"
	version=$(apt-cache policy qemu-system-x86 2>/dev/null |
		  sed -n 's/^ *Candidate: \([0-9]*:\)\{0,1\}//p')
	if [ -n "$version" ] &&
	   dpkg --compare-versions "$version" ge "$oldest"; then
		echo "$codename"
	else
		echo "$codename-backports $codename"
	fi
}

# "PKG=VERSION" of QEMU, kexec, and what this machine lacks for them to run.
packages()
{
	local target=$1

	LC_ALL=C apt-get -s -qq "${apt[@]}" -t "$target" \
		--no-install-recommends install qemu-system-x86 kexec-tools |
		sed -n 's/^Inst \([^ ]*\) \(\[[^ ]*\] \)\{0,1\}(\([^ ]*\) .*/\1=\3/p'
}

get()
{
	local suites wanted deb

	[ ! -f "$dir/done" ] || return 0
	lock nested
	[ ! -f "$dir/done" ] || return 0
	read -ra suites <<<"$(suite)"
	suite_apt "${suites[@]}"
	mapfile -t wanted < <(packages "${suites[0]}")
	# it is there, and new enough: the same files once more
	[[ " ${wanted[*]}" == *" qemu-system-x86="* ]] ||
		wanted+=("qemu-system-x86=$(field qemu-system-x86 Version)"
			 "qemu-system-data=$(field qemu-system-data Version)"
			 "seabios=$(field seabios Version)")
	[[ " ${wanted[*]}" == *" kexec-tools="* ]] ||
		wanted+=("kexec-tools=$(field kexec-tools Version)")
	fetch "${wanted[@]}" || die "cannot download QEMU's packages"
	say "unpacking ${#debs[@]} packages"
	rm -rf "$dir" "$dir.new"
	mkdir -p "$dir.new"
	for deb in "${debs[@]}"; do
		dpkg-deb -x "$deb" "$dir.new"
	done
	[ -x "$dir.new/usr/bin/qemu-system-x86_64" ] ||
		die "the packages have no qemu-system-x86_64"
	printf '%s\n' "${wanted[@]}" >"$dir.new/done"
	mv "$dir.new" "$dir"
}

case ${1-} in
get)
	get
	exec 9>&-
	echo "$dir" ;;
remove)
	lock nested
	rm -rf "${dir:?}" ;;
*)
	sed -n '/^#   qemu/,/^#	Forget/s/^# \{0,3\}//p' "$here/qemu.sh" >&2
	exit 2 ;;
esac
