#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Prints nothing if this system boots with any of its kernels. If its root disk is one
# of synth_blk on synth_vmbus, and the newest kernel has no such module, prints a line
# for /etc/default/grub that makes the newest kernel that has it the default.
# grub-default.sh --explain: the same in a sentence.
#
# A root disk on the kernel's VMBus needs nothing of this: hv_storvsc drives it where
# our modules are missing.
set -u

modules=${MODULES_DIR:-/lib/modules}
boot=${BOOT_DIR:-/boot}

# Whether a disk of ours is below the root file system, whatever lies between
root_is_ours()
{
	[ -d "${SYS_DIR:-/sys}/module/synth_blk" ] || return 1
	source=$(findmnt -n -v -o SOURCE /) || return 1
	lsblk -n -s -r -o NAME "$source" 2>/dev/null | grep -q '^synd'
}

has_module()
{
	find "$modules/$1" -name 'synth_blk.ko*' 2>/dev/null | grep -q .
}

root_is_ours || exit 0
newest=
good=
# Debian's file names, and others'
for release in $(find "$boot" -maxdepth 1 -name 'vmlinuz-*' 2>/dev/null |
		 sed 's|.*/vmlinuz-||' | sort -rV); do
	newest=${newest:-$release}
	if has_module "$release"; then
		good=$release
		break
	fi
done
[ "$newest" != "$good" ] || exit 0

if [ "${1-}" = --explain ]; then
	if [ -n "$good" ]; then
		echo "The root disk needs synth_blk: $good stays the default of GRUB."
	else
		echo "The root disk needs synth_blk, and no kernel has it."
		echo "Do not reboot before one has."
	fi
	exit 0
fi
uuid=$(findmnt -n -o UUID /)
[ -z "$good" ] || [ -z "$uuid" ] ||
	echo "GRUB_DEFAULT='gnulinux-advanced-$uuid>gnulinux-$good-advanced-$uuid'"
