#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A module of dracut for guests whose root file system lies behind synth_blk: as the
# hook for initramfs-tools. udev in the image loads the modules by their aliases.
# dracut reads this file, and calls the functions below in its own shell.

# 255: the module is in images where it is asked for, which 90-synthio.conf does
check()
{
	return 255
}

depends()
{
	echo udev-rules
}

# Instmods without "=" looks for names; what a kernel lacks is left out, with a warning
# for those that a root disk needs
installkernel()
{
	local module

	for module in synth_vmbus synth_blk; do
		hostonly='' instmods "$module" ||
			dwarn "synthio: this kernel has no $module: a root disk" \
				"behind it will not be found"
	done
	# so that a passphrase can be typed and seen
	hostonly='' instmods -o -s synth_keyboard atkbd synth_video synth_mouse || :
	if [[ -e ${dracutsysrootdir-}/etc/udev/rules.d/61-synthio-devices.rules ]]; then
		hostonly='' instmods -o -s synth_blk_hv hv_storvsc || :
	fi
}

install()
{
	local file

	inst_rules 60-synth-blk.rules 61-synthio-devices.rules
	# the rules call it for a disk's WWN
	inst_multiple sed
	file=/usr/lib/synthio/hand-over
	if [[ -x ${dracutsysrootdir-}$file ]]; then
		inst_multiple readlink grep modprobe
		inst_script "$file"
	fi
}
