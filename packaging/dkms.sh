#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# dkms.sh install: hand the sources to DKMS, build and install the modules for
# the running kernel or KVER (with KDIR, if its headers lie elsewhere), and let
# DKMS follow kernel updates from then on.
# dkms.sh uninstall: take all of that back, every version of it.
#
# "make dkms-install" and "make dkms-uninstall" call this.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
conf=$top/dkms.conf
name=$(sed -n 's/^PACKAGE_NAME="\(.*\)"/\1/p' "$conf")
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$conf")
kver=${KVER:-$(uname -r)}
log=/var/lib/dkms/$name/$version/build/make.log

die()
{
	echo "dkms.sh: error: $*" >&2
	exit 1
}

# Versions of ours that DKMS knows, one a line.
known_versions()
{
	find "/var/lib/dkms/$name" -mindepth 1 -maxdepth 1 -type d \
		-printf '%f\n' 2>/dev/null || true
}

uninstall()
{
	for v in $(known_versions); do
		dkms remove "$name/$v" --all || return
	done
	for dir in "/usr/src/$name"-[0-9]*; do
		[ ! -f "$dir/dkms.conf" ] || rm -r "$dir"
	done
	# what DKMS makes and leaves empty
	for dir in /lib/modules/*/updates/dkms; do
		rmdir -p --ignore-fail-on-non-empty "$dir" 2>/dev/null || true
	done
}

# Copy the sources to the directory $1: a tree that was built in has more.
copy_sources()
{
	mkdir -p "$1" &&
	(cd "$top" &&
	 find dkms.conf LICENSE Kbuild channel include drivers -type f \
		\( -name '*.[ch]' -o -name Kbuild -o -name Makefile \
		   -o -name dkms.conf -o -name LICENSE \) \
		! -name '*.mod.c' -print0 2>/dev/null |
	 tar --null -T - --owner=0 --group=0 --mode=u+rwX,go=rX -cf -) |
	tar -C "$1" -xf -
}

add_and_install()
{
	uninstall &&
	copy_sources "/usr/src/$name-$version" &&
	dkms add "$name/$version" &&
	dkms build "$name/$version" -k "$kver" "$@" &&
	dkms install "$name/$version" -k "$kver" "$@"
}

[ "$(id -u)" = 0 ] || die "DKMS needs root"
command -v dkms >/dev/null || die "dkms is not installed: apt-get install dkms"
[ -n "$name" ] || die "$conf has no PACKAGE_NAME"
[ -n "$version" ] || die "$conf has no PACKAGE_VERSION"

case ${1-} in
install)
	if ! add_and_install ${KDIR:+--kernelsourcedir "$KDIR"}; then
		tail -n 30 "$log" >&2 2>/dev/null || true
		uninstall >/dev/null 2>&1 || true
		die "not installed; what had been done is undone"
	fi ;;
uninstall)
	uninstall ;;
*)
	die "usage: dkms.sh install|uninstall" ;;
esac
