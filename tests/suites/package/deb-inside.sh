#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# deb-inside.sh DEBS OUT: runs in a Debian system that has a kernel with its headers,
# and nothing of ours or of DKMS, and of which nothing is kept. Installs the packages in
# DEBS, upgrades them to those in DEBS/next, adds kernels in each order, removes and
# purges. Prints "ok NAME" or "not ok NAME" for each check; what commands say goes to
# stderr. OUT/initrd.img and OUT/dracut.img are images made while the packages were
# installed. deb.py runs this.
set -u

debs=$1
out=$2
tmp=$(mktemp -d)
kver=$(cd /lib/modules && echo *)
flavour=cloud-amd64
export DEBIAN_FRONTEND=noninteractive
# not having the compiler make debug information saves a third of each build
export KCFLAGS=-g0

# shellcheck source=checks.sh
. "${0%/*}/checks.sh"

apt()
{
	apt-get -qy --no-install-recommends -o Dpkg::Options::=--force-confold "$@"
}

# What a removal could leave. DKMS's signing key and what packages of the distribution
# leave are not ours.
inventory()
{
	find /etc /usr/src /usr/lib/synthio /usr/lib/udev /usr/share/initramfs-tools \
		/lib/modules /var/lib/synthio /var/lib/synthhost 2>/dev/null |
		grep -i synth | sort
}

# nothing is half installed, and apt is content
is_whole()
{
	dpkg --audit >"$tmp/audit"
	cat "$tmp/audit"
	[ ! -s "$tmp/audit" ] && apt-get -qq check
}

installed()
{
	for package; do
		[ "$(dpkg-query -W -f '${Status}' "$package")" = \
			"install ok installed" ] || return 1
	done
}

# built RELEASE VERSION: DKMS has it, and nothing older
built()
{
	dkms status
	[ "$(dkms status synthio -k "$1" | grep -c .)" = 1 ] &&
	dkms status synthio -k "$1" | grep "synthio/$2, $1, .*: installed" &&
	[ "$(modinfo -k "$1" -F version synth_blk)" = "$2" ]
}

# loads_alone RELEASE: what the distribution's driver for disks needs is not ours
storvsc()
{
	modprobe -S "$1" -D hv_storvsc
}

# no module of the distribution depends on one of ours, and none of our drivers for its
# VMBus has an alias by which udev would load it
untied()
{
	! grep -v '^updates/' "/lib/modules/$1/modules.dep" | grep 'updates/' &&
	! grep 'synth_[a-z]*_hv' "/lib/modules/$1/modules.alias" &&
	grep 'softdep synth_blk_hv pre: hv_storvsc' "/lib/modules/$1/modules.softdep" &&
	modprobe -S "$1" -D synth_blk_hv | sed -n '1,$p' >"$tmp/deps" &&
	! grep 'synth_vmbus' "$tmp/deps" && grep hv_vmbus.ko "$tmp/deps"
}

# has_disk_driver IMAGE
has_disk_driver()
{
	lsinitramfs "$1" | grep '/updates/dkms/synth_blk.ko'
}

# new_kernel WHAT...: packages of another kernel, of the same archive
add()
{
	apt install "$@" >"$tmp/added" 2>&1
	ret=$?
	cat "$tmp/added"
	return "$ret"
}

storvsc "$kver" >"$tmp/storvsc.before"
check "the packages are installed in a system that has nothing of ours" \
	apt install "$debs"/synthio-dkms_*.deb "$debs"/synthio-tools_*.deb \
	"$debs"/synthio-host_*.deb
check "and they are configured" \
	installed synthio-dkms synthio-tools synthio-host
version=$(dpkg-query -W -f '${Version}' synthio-dkms)
check "DKMS has built the modules, which say the package's version" \
	built "$kver" "$version"
check "no module of the distribution depends on one of ours" untied "$kver"
storvsc "$kver" >"$tmp/storvsc.after"
check "modprobe loads for hv_storvsc what it did" \
	diff "$tmp/storvsc.before" "$tmp/storvsc.after"
check "the initramfs is made with the disk driver" \
	has_disk_driver "/boot/initrd.img-$kver"
cp "/boot/initrd.img-$kver" "$out/initrd.img"
check "synthio-ctl runs" synthio-ctl list
check "so does synthhost" synthhost --help
check "the unit of synthhost is one for systemd" \
	test -f /usr/lib/systemd/system/synthhost@.service
check "its user is there" id synthhost

check "an upgrade succeeds" apt install "$debs"/next/synthio-dkms_*.deb \
	"$debs"/next/synthio-tools_*.deb
next=$(dpkg-query -W -f '${Version}' synthio-dkms)
check "it is one" [ "$version" != "$next" ]
check "and leaves the new modules alone" built "$kver" "$next"
check "of which nothing is half installed" is_whole

# another kernel: the image first, as apt may order it, then the headers
meta=linux-image-$flavour
add_kver=$(apt-cache depends "$meta" | sed -n 's/.*Depends: linux-image-//p' |
	sed -n 1p)
check "a kernel is installed ahead of its headers" add "linux-image-$add_kver"
check "that is said" grep "kernel $add_kver has no synthio modules: its headers" \
	"$tmp/added"
check "and is a note" test -s "/var/lib/synthio/not-built/$add_kver"
check "then its headers are" add "linux-headers-$add_kver"
check "and the modules are built for it" built "$add_kver" "$next"
check "its initramfs is made again, with the disk driver" \
	has_disk_driver "/boot/initrd.img-$add_kver"
check "the note is gone" test ! -e "/var/lib/synthio/not-built/$add_kver"
check "the kernel is removed, and its modules" apt purge \
	"linux-image-$add_kver" "linux-headers-$add_kver"
check "of which DKMS keeps nothing" \
	[ -z "$(dkms status synthio -k "$add_kver")" ]

# sources that do not build for it
cp "/usr/src/synthio-$next/channel/main.c" "$tmp/main.c"
echo '#error "this does not build"' >>"/usr/src/synthio-$next/channel/main.c"
check "a kernel for which the modules do not build is installed with its headers" \
	add "linux-image-$add_kver" "linux-headers-$add_kver"
check "that is said, too" \
	grep "kernel $add_kver has no synthio modules: they do not build" "$tmp/added"
check "with the compiler's words" \
	grep "this does not build" "/var/lib/synthio/not-built/$add_kver"
check "no package is half installed" is_whole
check "it has an initramfs" test -s "/boot/initrd.img-$add_kver"
# shellcheck disable=SC2016 # for the inner shell
check "synthio-ctl names it" \
	sh -c 'synthio-ctl list | grep "$1 has no modules"' sh "$add_kver"
check "apt goes on to install other packages" apt install hello
cp "$tmp/main.c" "/usr/src/synthio-$next/channel/main.c"

# its images have the programs of an init, which a system that boots has
check "dracut takes the place of initramfs-tools" apt install dracut systemd-sysv
check "and makes an image for any machine" dracut --no-hostonly --force \
	"$out/dracut.img" "$kver"
lsinitrd "$out/dracut.img" >"$tmp/dracut.list"
check "with the disk driver" grep 'updates/dkms/synth_blk.ko' "$tmp/dracut.list"
check "and the rules" grep '60-synth-blk.rules' "$tmp/dracut.list"

check "systemd, which came with it, takes the unit of synthhost" \
	systemd-analyze verify --man=no synthhost@guest.service

check "the packages are removed" apt remove synthio-dkms synthio-tools synthio-host
check "and the modules with them" \
	sh -c '! find /lib/modules -name "synth_*" | grep .'
storvsc "$kver" >"$tmp/storvsc.after"
check "modprobe still loads for hv_storvsc what it did" \
	diff "$tmp/storvsc.before" "$tmp/storvsc.after"
check "the hooks that are left run" \
	/etc/kernel/postinst.d/dkms-synthio "$kver"
check "the packages are purged" apt purge synthio-dkms synthio-tools synthio-host
inventory >"$tmp/left"
# shellcheck disable=SC2016 # for the inner shell
check "and leave nothing" sh -c 'cat "$1"; test ! -s "$1"' sh "$tmp/left"
check "all packages are whole" is_whole
