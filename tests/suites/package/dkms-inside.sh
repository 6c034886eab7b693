#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# dkms-inside.sh TOP OUT [long]: runs in a Debian system that has dkms, and a kernel
# with its headers, of which nothing is kept. Installs and removes the modules
# with DKMS and prints "ok NAME" or "not ok NAME" for each check; what commands
# say goes to stderr. OUT/initrd.img is an initramfs made while they were
# installed. dkms.py runs this.
set -u

top=$1
out=$2
long=${3-}
tmp=$(mktemp -d)
kver=$(cd /lib/modules && echo *)
rules=/etc/udev/rules.d/60-synth-blk.rules
hook=/etc/initramfs-tools/hooks/synthio
export KVER="$kver"
# DKMS strips debug information; not having the compiler make it saves a third of
# the time of each build
export KCFLAGS=-g0

# shellcheck source=checks.sh
. "${0%/*}/checks.sh"

# fails NAME COMMAND...: report whether the command fails.
fails()
{
	name=$1
	shift
	if "$@" >&2; then
		report 1 "$name"
	else
		report 0 "$name"
	fi
}

# Each file and directory that an installation could leave something in. DKMS
# makes its signing key at its first use, and keeps it.
inventory()
{
	find /usr /lib/modules /etc /var/lib/dkms /boot \
		! -path '/var/lib/dkms/mok.*' ! -path "$top" \
		! -path "$top/*" ! -path "$out" ! -path "$out/*" | sort
}

# What loading the distribution's disk driver would load.
storvsc()
{
	modprobe -S "$kver" -D hv_storvsc
}

# dkms_make TREE TARGET
dkms_make()
{
	make -C "$1" --no-print-directory "$2"
}

# DKMS goes on where its own "make clean" fails, and says so.
installs_quietly()
{
	dkms_make "$top" dkms-install >"$tmp/said" 2>&1 || {
		cat "$tmp/said"
		return 1
	}
	cat "$tmp/said"
	! grep -qiE 'bad (exit|return)' "$tmp/said"
}

# Our package and version, as dkms status prints it: synthio/VERSION
package()
{
	dkms status synthio | sed -n '1s/[,:].*//p'
}

is_installed()
{
	dkms status synthio
	dkms status synthio | grep -q "$kver.*: installed"
}

# names_are_ours FILE: each line of it
names_are_ours()
{
	! grep -v '^synth_.*\.ko$' "$1"
}

# for_this_kernel FILE
for_this_kernel()
{
	modinfo -F vermagic "$1" | grep -w -- "$kver"
}

# is_found MODULE: what modprobe would load is the one in updates/dkms
is_found()
{
	modprobe -S "$kver" -D "$1" | grep "/updates/dkms/$1.ko"
}

# exports_own FILE: something, and no name of the kernel's VMBus
exports_own()
{
	modprobe --dump-modversions "$1" >/dev/null &&
	nm "$1" | grep '__ksymtab_synth' >/dev/null &&
	! nm "$1" | grep -E '__ksymtab_(vmbus|hv)_'
}

# loads_first MODULE OTHER: modprobe loads the other one ahead of it
loads_first()
{
	modprobe -S "$kver" -D "$1" | sed -n '1p' |
		grep "/updates/dkms/$2.ko" &&
	modprobe -S "$kver" -D "$1" | tail -n 1 | grep "/updates/dkms/$1.ko"
}

# rules_are_taken: udev reads them, and has nothing to say against them
rules_are_taken()
{
	# of any device: all rules are read
	udevadm test /sys/devices/virtual/mem/null >"$tmp/udev" 2>&1 &&
	grep "$rules" "$tmp/udev" &&
	! grep "$rules:[0-9]" "$tmp/udev" &&
	# newer ones look closer
	if udevadm verify --help >/dev/null 2>&1; then
		udevadm verify --no-style "$rules"
	fi
}

# bad_rules_are_seen: that the check above could fail
bad_rules_are_seen()
{
	echo 'KERNEL=="null", ENV{X}=+"1"' >>"$rules" && ! rules_are_taken &&
	sed -i '$d' "$rules"
}

# is_hook FILE: it is ours, and mkinitramfs will run it
is_hook()
{
	cmp "$top/packaging/initramfs/synthio" "$1" && [ -x "$1" ]
}

# image RELEASE NAME: make an initramfs; what is said and what is in it go to
# files, paths without the links that a system with a merged /usr has
image()
{
	mkinitramfs -o "$out/$2" "$1" >"$tmp/$2.said" 2>&1
	ret=$?
	cat "$tmp/$2.said" >&2
	[ "$ret" = 0 ] &&
	lsinitramfs "$out/$2" >"$tmp/$2.list.usr" &&
	sed 's|^usr/||' "$tmp/$2.list.usr" >"$tmp/$2.list"
}

# says NAME TEXT: mkinitramfs has, of that image
says()
{
	grep "^W: synthio: .*$2" "$tmp/$1.said"
}

# is_quiet NAME: the hook has found all that it looks for
is_quiet()
{
	[ -e "$tmp/$1.said" ] && ! grep "synthio: " "$tmp/$1.said"
}

# bare_kernel RELEASE: one that the modules were not built for, with enough of
# the kernel's own
bare_kernel()
{
	mkdir -p "/lib/modules/$1/kernel" &&
	(cd "/lib/modules/$kver" &&
	 cp -a kernel/fs kernel/lib kernel/crypto "/lib/modules/$1/kernel/" &&
	 cp -a modules.builtin* modules.order "/lib/modules/$1/") &&
	cp "/boot/config-$kver" "/boot/config-$1" &&
	depmod "$1"
}

# lacks FILE TEXT: something is there, but not that
lacks()
{
	[ -s "$1" ] && ! grep "$2" "$1"
}

# run_hook RELEASE: by itself, for an image that has nothing yet
run_hook()
{
	mkdir -p "$tmp/empty" &&
	DESTDIR=$tmp/empty version=$1 verbose=n "$hook" >"$tmp/empty.said" 2>&1
	ret=$?
	cat "$tmp/empty.said" >&2
	return "$ret"
}

# What DKMS itself does for a new kernel leaves ours out, and so cannot fail with it;
# the hook of ours installs the modules.
autoinstall()
{
	dkms uninstall "$(package)" -k "$kver" && ! is_installed &&
	dkms autoinstall -k "$kver" && ! is_installed &&
	/etc/kernel/postinst.d/dkms-synthio "$kver" && is_installed
}

# untied: no module of the distribution depends on one of ours, and no driver for its
# VMBus has an alias by which udev would load it
untied()
{
	! grep -v '^updates/' "/lib/modules/$kver/modules.dep" | grep 'updates/' &&
	! grep 'synth_[a-z]*_hv' "/lib/modules/$kver/modules.alias"
}

# loads_kernels_first MODULE OTHER: the kernel's VMBus and driver are loaded ahead of
# our driver for it, and our channel is not
loads_kernels_first()
{
	modprobe -S "$kver" -D "$1" >"$tmp/order" &&
	cat "$tmp/order" &&
	grep "/hv_vmbus.ko" "$tmp/order" &&
	! grep synth_vmbus "$tmp/order" &&
	sed "/updates/,\$d" "$tmp/order" | grep "/$2.ko"
}

# copy_tree TO: what is needed to build the modules
copy_tree()
{
	mkdir "$1" &&
	(cd "$top" && find Kbuild Makefile LICENSE VERSION dkms.conf packaging \
		channel compat include drivers -type f 2>/dev/null |
	 tar -T - -cf -) | tar -C "$1" -xf -
}

# stage TREE TARGET DEST [VAR=VALUE]...: make install into a directory, or for
# this system if that is ""
stage()
{
	tree=$1
	target=$2
	dest=$3
	shift 3
	make -C "$tree" --no-print-directory "$target" KVER="$kver" \
		DESTDIR="$dest" "$@"
}

storvsc >"$tmp/storvsc.before"
check "modprobe knows hv_storvsc to begin with" \
	grep -q hv_storvsc.ko "$tmp/storvsc.before"
inventory >"$tmp/before"

check "dkms-install succeeds, and no step of it fails" installs_quietly
check "DKMS says that it is installed" is_installed

# these modules and nothing else are installed; the first are what make installs
printf 'synth_%s.ko\n' blk keyboard mouse net video vmbus >"$tmp/wanted.own"
{
	cat "$tmp/wanted.own"
	printf 'synth_%s_hv.ko\n' blk keyboard mouse net video
} | sort >"$tmp/wanted"
(cd "/lib/modules/$kver/updates" && find . -type f -printf '%P\n') |
	sed 's|^dkms/||' | sort >"$tmp/got"
check "updates/dkms has all modules, nothing else" \
	diff "$tmp/wanted" "$tmp/got"
check "each module's name is one of ours" names_are_ours "$tmp/wanted"
while read -r ko; do
	file=/lib/modules/$kver/updates/dkms/$ko
	check "$ko is for the kernel that was named" for_this_kernel "$file"
	check "modprobe finds it" is_found "${ko%.ko}"
done <"$tmp/wanted"
check "synth_vmbus.ko exports its own names, none of the kernel's" \
	exports_own "/lib/modules/$kver/updates/dkms/synth_vmbus.ko"
check "synth_blk is one of them" grep -qx synth_blk.ko "$tmp/got"
check "modprobe loads synth_vmbus ahead of synth_blk" \
	loads_first synth_blk synth_vmbus
check "modprobe loads the kernel's VMBus and hv_storvsc ahead of synth_blk_hv" \
	loads_kernels_first synth_blk_hv hv_storvsc
check "depmod ties nothing of the distribution's to them" untied
check "the rules for udev are where it looks" \
	cmp "$top/packaging/udev/60-synth-blk.rules" "$rules"
if [ -d /sys/devices/virtual/mem/null ]; then
	check "udev takes them" rules_are_taken
	check "(bad ones would be seen)" bad_rules_are_seen
fi
storvsc >"$tmp/storvsc.after"
check "modprobe -D hv_storvsc prints what it printed before" \
	diff "$tmp/storvsc.before" "$tmp/storvsc.after"

check "the hook for an initramfs is where mkinitramfs looks" is_hook "$hook"
check "mkinitramfs makes an image" image "$kver" initrd.img
for ko in synth_vmbus.ko synth_blk.ko synth_keyboard.ko synth_video.ko; do
	check "$ko is in it" grep -x "lib/modules/$kver/updates/dkms/$ko" \
		"$tmp/initrd.img.list"
done
check "the rules are in it" \
	grep -x "lib/udev/rules.d/${rules##*/}" "$tmp/initrd.img.list"
check "and the program that they call" grep -x bin/sed "$tmp/initrd.img.list"
check "the hook has nothing to say" is_quiet initrd.img

# what a kernel update leaves if the modules do not build for the new kernel;
# and the rules lie where a package has them, which only the hook looks for
bare=$kver-bare
check "there is a kernel that has no modules of ours" bare_kernel "$bare"
mv "$rules" /usr/lib/udev/rules.d/
check "mkinitramfs makes an image for it all the same" image "$bare" bare.img
check "which has the kernel's modules" \
	grep "lib/modules/$bare/.*/ext4.ko" "$tmp/bare.img.list"
check "and none of ours" lacks "$tmp/bare.img.list" synth_
check "but a package's rules" \
	grep -x "lib/udev/rules.d/${rules##*/}" "$tmp/bare.img.list"
# those that a root disk needs; it puts no others into images
for ko in synth_vmbus synth_blk; do
	check "the hook says that $ko is missing" \
		says bare.img "$bare has no $ko:"
done
rm "/usr/lib/udev/rules.d/${rules##*/}"
check "without rules it ends well too" run_hook "$bare"
check "and says so" says empty "no ${rules##*/}:"
rm -r "/lib/modules/$bare" "/boot/config-$bare" "$out/bare.img"

if [ -n "$long" ]; then
	check "dkms-install over an installation succeeds" \
		dkms_make "$top" dkms-install
fi
lsinitramfs "/boot/initrd.img-$kver" >"$tmp/old.list"
check "dkms-install leaves the system's own initramfs alone" \
	lacks "$tmp/old.list" synth_
check "the hook for kernel updates installs it, dkms autoinstall does not" \
	autoinstall
lsinitramfs "/boot/initrd.img-$kver" >"$tmp/new.list"
check "and puts the disk driver into the initramfs that the update has made" \
	grep "/updates/dkms/synth_blk.ko" "$tmp/new.list"

check "dkms-uninstall succeeds" dkms_make "$top" dkms-uninstall
inventory >"$tmp/after"
check "it leaves nothing" diff "$tmp/before" "$tmp/after"
storvsc >"$tmp/storvsc.after"
check "modprobe -D hv_storvsc is as before" \
	diff "$tmp/storvsc.before" "$tmp/storvsc.after"
check "dkms-uninstall with nothing installed succeeds" \
	dkms_make "$top" dkms-uninstall

# a build that fails
copy_tree "$tmp/broken"
for c in "$tmp"/broken/channel/*.c; do
	echo '#error "this does not build"' >>"$c"
done
fails "dkms-install fails if the modules do not build" \
	dkms_make "$tmp/broken" dkms-install
inventory >"$tmp/after"
check "that leaves nothing either" diff "$tmp/before" "$tmp/after"

# without DKMS, into a directory
copy_tree "$tmp/tree"
check "make install DESTDIR= succeeds" stage "$tmp/tree" install "$tmp/dest"
(cd "$tmp/dest" && find . -type f -printf '%P\n') | sort >"$tmp/got"
{
	sed "s|^|lib/modules/$kver/updates/synthio/|" "$tmp/wanted.own"
	echo "usr/lib/udev/rules.d/60-synth-blk.rules"
	echo "usr/share/initramfs-tools/hooks/synthio"
} | sort >"$tmp/staged"
check "it has the same modules under updates/synthio, rules, hook, nothing else" \
	diff "$tmp/staged" "$tmp/got"
check "the hook can be run" \
	is_hook "$tmp/dest/usr/share/initramfs-tools/hooks/synthio"
inventory >"$tmp/after"
check "and nothing outside of DESTDIR" diff "$tmp/before" "$tmp/after"
check "make uninstall DESTDIR= succeeds" \
	stage "$tmp/tree" uninstall "$tmp/dest"
find "$tmp/dest" -type f >"$tmp/got"
check "and leaves no file there" test ! -s "$tmp/got"
check "make install succeeds" stage "$tmp/tree" install ""
check "its rules are in /etc" \
	cmp "$top/packaging/udev/60-synth-blk.rules" "$rules"
check "and its hook" is_hook "$hook"
check "make uninstall succeeds" stage "$tmp/tree" uninstall ""
inventory >"$tmp/after"
check "and leaves nothing" diff "$tmp/before" "$tmp/after"
fails "make install BUS=stock is refused" \
	stage "$tmp/tree" install "$tmp/dest2" BUS=stock
check "and installs nothing" test ! -e "$tmp/dest2"
