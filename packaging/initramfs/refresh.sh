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

release=${1-}
[ -n "$release" ] || exit 0

# any FILE...: one of them is there
any()
{
	for file; do
		[ ! -e "$file" ] || return 0
	done
	return 1
}

failed()
{
	echo "synthio: the initramfs of $release is not up to date" >&2
}

if any /etc/initramfs-tools/hooks/synthio /usr/share/initramfs-tools/hooks/synthio &&
   command -v mkinitramfs >/dev/null && any "/boot/initrd.img-$release"; then
	# the hook asks modprobe, and DKMS does this only later
	depmod "$release"
	update-initramfs -u -k "$release" || failed
elif any /etc/dracut.conf.d/90-synthio.conf /usr/lib/dracut/dracut.conf.d/90-synthio.conf &&
     command -v dracut >/dev/null; then
	for image in "/boot/initrd.img-$release" "/boot/initramfs-$release.img"; do
		[ -e "$image" ] || continue
		depmod "$release"
		dracut --force --quiet "$image" "$release" || failed
	done
fi
exit 0
