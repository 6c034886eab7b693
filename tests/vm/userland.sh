#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The programs of guests whose architecture is not the machine's: Debian's
# packages of the machine's own release, unpacked under build/userland. Nothing
# is installed, and nothing of the packages is run here.
#
#   userland.sh get ARCH
#	Fetch it if that was not done before, and print the directory: it is the
#	root of a file system, with headers and libraries to link against.
#   userland.sh remove ARCH
#	Forget it.
#
# ARCH is a name of Debian's: arm64.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
# shellcheck source-path=SCRIPTDIR source=apt.sh
. "$here/apt.sh"

# What the tests run in a guest, and what their own programs are linked with.
wanted=(
	bash busybox-static coreutils dash diffutils e2fsprogs ethtool fdisk fio
	findutils gawk grep hostname iperf3 iproute2 iputils-ping kmod libc6-dev
	libbpf-dev libdrm-dev login mount ncurses-base netbase netcat-openbsd
	procps python3 sed sysvinit-utils tar udev util-linux xfsprogs
)

# Links that the packages' own scripts would have made, as "NAME TARGET".
links="usr/bin/awk gawk
usr/bin/nc nc.openbsd"

usage()
{
	sed -n '/^#   userland/,/^# ARCH/s/^# \{0,3\}//p' "$here/userland.sh" >&2
	exit 2
}

# "PKG:ARCH=VERSION" of what is wanted and of all that it needs; $1: ARCH.
packages()
{
	LC_ALL=C apt-get -s -qq "${apt[@]}" --no-install-recommends install \
		"${wanted[@]}" |
		sed -n "s/^Inst \([^ ]*\) (\([^ ]*\) .*\[\(.*\)\].*/\1:\3=\2/p" |
		sed 's/^\([^:]*\):[^:=]*:/\1:/'
}

# Take the package $1 apart in the directory $2, in which bin, sbin and lib are
# links to usr's.
unpack()
{
	dpkg-deb --fsys-tarfile "$1" |
		tar -x -C "$2" --keep-directory-symlink --no-same-owner \
			--exclude='./usr/share/doc/*' \
			--exclude='./usr/share/man/*' \
			--exclude='./usr/share/locale/*' \
			--exclude='./usr/share/info/*'
}

# Whether it is there, with all that is wanted now.
there()
{
	[ "$(cat "$1/done" 2>/dev/null)" = "${wanted[*]}" ]
}

get()
{
	local arch=$1 dir=$build/userland/$1 codename list deb name target

	! there "$dir" || return 0
	lock "userland-$arch"
	! there "$dir" || return 0
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	[ -n "$codename" ] || die "this is not a Debian release"
	foreign_apt "$arch" "$codename"
	mapfile -t list < <(packages)
	[ "${#list[@]}" -gt "${#wanted[@]}" ] ||
		die "apt does not find the packages of $arch"
	fetch "${list[@]}" || die "cannot download the packages of $arch"
	say "unpacking ${#debs[@]} packages"
	rm -rf "$dir.new"
	mkdir -p "$dir.new"/usr/{bin,sbin,lib}
	for name in bin sbin lib; do
		ln -s "usr/$name" "$dir.new/$name"
	done
	for deb in "${debs[@]}"; do
		unpack "$deb" "$dir.new"
	done
	while read -r name target; do
		[ -e "$dir.new/${name%/*}/$target" ] ||
			die "the packages have no $target"
		ln -sf "$target" "$dir.new/$name"
	done <<<"$links"
	printf '%s\n' "${list[@]}" >"$dir.new/packages"
	echo "${wanted[*]}" >"$dir.new/done"
	rm -rf "$dir"
	mv "$dir.new" "$dir"
}

[ $# = 2 ] || usage
[ "$2" = arm64 ] || usage
case $1 in
get)
	get "$2"
	exec 9>&-
	echo "$build/userland/$2" ;;
remove)
	lock "userland-$2"
	rm -rf "${build:?}/userland/$2" ;;
*)
	usage ;;
esac
