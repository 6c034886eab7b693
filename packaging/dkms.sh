#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# dkms.sh install: hand the sources to DKMS, build and install the modules for
# the running kernel or KVER (with KDIR, if its headers lie elsewhere), and let
# the modules follow kernel updates from then on. What DKMS knows nothing of goes to
# /etc: the rules that name disks, the hook that puts their driver into an initramfs,
# and the hooks that have the modules built for a new kernel (dkms-kernel.sh).
# dkms.sh uninstall: take all of that back, every version of it.
# dkms.sh sources DIR: copy what DKMS builds from to DIR, which takes no root.
#
# "make dkms-install" and "make dkms-uninstall" call this, and the packages.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
conf=$top/dkms.conf
name=$(sed -n 's/^PACKAGE_NAME="\(.*\)"/\1/p' "$conf")
version=$(cat "$top/VERSION")
kver=${KVER:-$(uname -r)}
log=/var/lib/dkms/$name/$version/build/make.log
rules=/etc/udev/rules.d/60-synth-blk.rules
hook=/etc/initramfs-tools/hooks/synthio
kernel_hooks="/etc/kernel/postinst.d/dkms-synthio
	/etc/kernel/header_postinst.d/dkms-synthio"
grub=/etc/default/grub.d/synthio.cfg

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
	# shellcheck disable=SC2086 # a list
	rm -f "$rules" "$hook" "$grub" $kernel_hooks
	rm -rf /var/lib/synthio/not-built
	rmdir --ignore-fail-on-non-empty /var/lib/synthio /etc/default/grub.d \
		/etc/kernel/header_postinst.d /etc/kernel/postinst.d 2>/dev/null || true
	# what DKMS makes and leaves empty
	for dir in /lib/modules/*/updates/dkms; do
		rmdir -p --ignore-fail-on-non-empty "$dir" 2>/dev/null || true
	done
}

# The sources, for tar: a tree that was built in has more.
pack_sources()
{
	(cd "$top" &&
	 find LICENSE VERSION Kbuild channel compat include drivers \
		packaging/dkms.mk packaging/dkms-kernel.sh packaging/grub-default.sh \
		packaging/initramfs/refresh.sh -type f \
		\( -name '*.[ch]' -o -name Kbuild -o -name Makefile \
		   -o -name flavour.mk -o -name configure -o -name kmake \
		   -o -name dkms.mk -o -name '*.sh' -o -name LICENSE \
		   -o -name VERSION \) \
		! -name '*.mod.c' -print0 2>/dev/null |
	 tar --null -T - --owner=0 --group=0 --mode=u+rwX,go=rX -cf -)
}

# Copy the sources to the directory $1.
copy_sources()
{
	mkdir -p "$1" && pack_sources | tar -C "$1" -xf - &&
	sed "s/#MODULE_VERSION#/$version/" "$conf" >"$1/dkms.conf"
}

announce()
{
	cat <<-END
		installing the sources of $name $version, $(($(pack_sources |
			wc -c) / 1024)) KiB, to /usr/src/$name-$version;
		DKMS builds them in /var/lib/dkms/$name, for $kver now and for
		each kernel that is installed later, and puts the modules, less
		than 2 MiB, into /lib/modules/RELEASE/updates/dkms;
		the names of their disks come from $rules;
		$hook
		puts both into an initramfs when it is next made;
		hooks in /etc/kernel have the modules built for later kernels;
		and $grub keeps a kernel that lacks
		the root disk's driver from becoming the default
	END
}

add_and_install()
{
	uninstall &&
	copy_sources "/usr/src/$name-$version" &&
	dkms add "$name/$version" &&
	dkms build "$name/$version" -k "$kver" "$@" &&
	dkms install "$name/$version" -k "$kver" "$@" &&
	install -D -m 644 "$top/packaging/udev/${rules##*/}" "$rules" &&
	install -D -m 644 "$top/packaging/grub/${grub##*/}" "$grub" &&
	for kernel_hook in $kernel_hooks; do
		install -D -m 755 "$top/packaging/kernel/dkms-synthio" \
			"$kernel_hook" || return
	done &&
	install -D -m 755 "$top/packaging/initramfs/${hook##*/}" "$hook"
}

[ -n "$name" ] || die "$conf has no PACKAGE_NAME"
[ -n "$version" ] || die "there is no version in $top/VERSION"
if [ "${1-}" = sources ] && [ $# = 2 ]; then
	copy_sources "$2"
	exit
fi
[ "$(id -u)" = 0 ] || die "DKMS needs root"
command -v dkms >/dev/null || die "dkms is not installed: apt-get install dkms"

case ${1-} in
install)
	announce
	if ! add_and_install ${KDIR:+--kernelsourcedir "$KDIR"}; then
		tail -n 30 "$log" >&2 2>/dev/null || true
		uninstall >/dev/null 2>&1 || true
		die "not installed; what had been done is undone"
	fi ;;
uninstall)
	uninstall ;;
*)
	die "usage: dkms.sh install|uninstall|sources DIR" ;;
esac
