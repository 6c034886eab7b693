#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# dkms-kernel.sh RELEASE...: have DKMS build and install the modules for kernels, each
# of which has just been installed or got its headers. The hooks in /etc/kernel call
# this in the sources that DKMS has, in /usr/src/synthio-VERSION.
#
# It always ends well. Its caller is a step in the installation of a kernel, and dpkg
# would leave that kernel half configured, and refuse all further installations,
# because of a module that most kernels boot without. A kernel that is skipped is named
# on stderr and in the system log, and /var/lib/synthio/not-built/RELEASE has the
# reason; the end of the compiler's output follows there.
set -u

top=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd) || exit 0
name=$(sed -n 's/^PACKAGE_NAME="\(.*\)"/\1/p' "$top/dkms.conf")
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$top/dkms.conf")
not_built=/var/lib/synthio/not-built
grub_default=$top/packaging/grub-default.sh

# GRUB's menu is made after a kernel was installed. If its default depends on which
# kernels have our modules, and that has changed since, the menu is made again.
refresh_grub()
{
	[ "$("$grub_default")" != "$1" ] || return 0
	! command -v update-grub >/dev/null || update-grub
}

# skip RELEASE REASON
skip()
{
	mkdir -p "$not_built"
	{
		echo "$2"
		tail -n 100 "$log" 2>/dev/null
	} >"$not_built/$1"
	cat >&2 <<-END

		*** synthio: kernel $1 has no synthio modules: $2.
		*** The kernel itself is installed. Disks, network cards and screens that
		*** need these modules are missing when it is booted.
		*** Details: $not_built/$1
		$("$grub_default" --explain | sed 's/^/*** /')

	END
	! command -v logger >/dev/null ||
		logger -t synthio -p user.err \
			"kernel $1 has no synthio modules: $2" || :
}

# build RELEASE
build()
{
	log=/var/lib/dkms/$name/$version/build/make.log
	case $(dkms status "$name/$version" -k "$1") in
	*installed*)
		rm -f "$not_built/$1"
		return ;;
	esac
	if [ ! -e "/lib/modules/$1/build/include" ]; then
		log=/dev/null
		skip "$1" "its headers are not installed (linux-headers-$1 or kernel-devel)"
		return
	fi
	before=$("$grub_default")
	rm -f "$log"
	echo "synthio: building modules for kernel $1"
	if dkms install --force "$name/$version" -k "$1"; then
		rm -f "$not_built/$1"
		refresh_grub "$before"
	else
		skip "$1" "they do not build for it"
	fi
}

command -v dkms >/dev/null || exit 0
case $version in
'' | '#'*) exit 0 ;;
esac
dkms status "$name/$version" | grep -q . || dkms add "$name/$version" || exit 0
for release; do
	[ ! -d "/lib/modules/$release" ] || build "$release"
done
exit 0
