#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# refresh.sh RELEASE: DKMS runs this after it has installed the modules for a
# kernel. In a kernel update the package with the kernel may make its initramfs
# before the one with the headers is there, and so before DKMS could build: that
# image lacks the driver of the root disk, and is made again.
#
# Only where our hook is: dkms-install brings it last, so that the first image
# with our modules is made when the owner says so. It ends well in any case:
# the modules are installed.

[ -n "${1-}" ] || exit 0
[ -x /etc/initramfs-tools/hooks/synthio ] ||
	[ -x /usr/share/initramfs-tools/hooks/synthio ] || exit 0
command -v update-initramfs >/dev/null || exit 0
[ -e "/boot/initrd.img-$1" ] || exit 0

# the hook asks modprobe, and DKMS does this only later
depmod "$1"
update-initramfs -u -k "$1" ||
	echo "synthio: the initramfs of $1 is not up to date" >&2
exit 0
