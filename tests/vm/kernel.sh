#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernels that guests boot, under build/kernels. Nothing is installed on
# the machine.
#
#   kernel.sh get NAME
#	Fetch or build the kernel if that was not done before, and print shell
#	assignments: KNAME, KREL (what uname -r says in it), KIMAGE, KMODULES
#	(has lib/modules/$KREL), KBUILD_DIR (for make -C), KSRC (parts of the
#	source: see "kept" below; empty if there is none).
#   kernel.sh make NAME M=DIR [VAR=VALUE]... [TARGET]...
#	Build modules for it with the compiler of its release.
#   kernel.sh remove NAME
#	Forget it, so that the next get takes the newest one there is.
#
# NAME is one of
#   distro   what linux-image-amd64 depends on in the machine's own apt
#   7.3      the same of trixie-backports; modules are built in a chroot of
#            that release, which needs root
#   debug    the source of distro, small and with every check on (debug.config)
#
# What is downloaded, and how much, is said on stderr first. A run that was
# interrupted leaves nothing that a later one would trust: everything is made
# under another name and renamed. Concurrent runs wait for each other.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
# shellcheck source-path=SCRIPTDIR source=apt.sh
. "$here/apt.sh"

# Parts of the kernel's source that the tests use.
kept=(
	tools/hv/lsvmbus
	tools/testing/selftests/kselftest
	tools/testing/selftests/kselftest.h
	tools/testing/selftests/kselftest_harness.h
	tools/testing/selftests/kselftest_install.sh
	tools/testing/selftests/run_kselftest.sh
	tools/testing/selftests/lib.mk
	tools/testing/selftests/lib
	scripts/checkpatch.pl
	scripts/spelling.txt
	scripts/const_structs.checkpatch
	drivers/hv
)
backports=trixie-backports
chroot=$build/chroot-trixie
chroot_packages=(make gcc-14 libelf1t64 libssl3t64 zlib1g pahole)

usage()
{
	sed -n '/^#   kernel.sh/,/^#   debug/s/^# \{0,3\}//p' "$here/kernel.sh" >&2
	exit 2
}

# ---- apt ---------------------------------------------------------------------

# The release of the image that the metapackage linux-image-amd64 depends on.
newest_release()
{
	field linux-image-amd64 Depends |
		sed -n 's/.*linux-image-\([0-9][^ ,]*\).*/\1/p'
}

# Lists that know the machine's kernels: its own, or private ones of its
# sources if it has none (or "fresh" is asked for).
machine_apt()
{
	apt=(-o APT::Sandbox::User=)
	if [ "${1-}" = fresh ] || [ -z "$(newest_release)" ]; then
		private_apt machine
		update "this machine's sources" 10
	fi
	[ -n "$(newest_release)" ] ||
		die "this machine's apt knows no linux-image-amd64"
}

# ---- unpacked packages ---------------------------------------------------------

# Take the packages of "debs" apart in the directory $1, for the release $2, so
# that it works from there: no path leads to the machine's /usr/src.
unpack()
{
	local root=$1 rel=$2 deb link

	mkdir -p "$root"
	for deb in "${debs[@]}"; do
		dpkg-deb -x "$deb" "$root"
	done
	[ -e "$root/lib" ] || ln -s usr/lib "$root/lib"
	for link in build source; do
		rm -f "$root/lib/modules/$rel/$link"
	done
	# shellcheck disable=SC2016 # these are make's
	sed -i -e 's|/usr/src/|$(unpacked)|' -e '1i\
unpacked := $(dir $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST))))))' \
		"$root/usr/src/linux-headers-$rel/Makefile"
	depmod -b "$root" "$rel"
}

# Leave in the directory $2 the source in the package $1; tar's arguments that
# choose from it follow.
unpack_source()
{
	local deb=$1 to=$2

	shift 2
	mkdir -p "$to"
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xO --wildcards './usr/src/linux-source-*.tar.xz' |
		tar -xJ -C "$to" --strip-components=1 "$@"
}

# The packages of a release's headers, with versions; $1: release.
header_packages()
{
	local name

	echo "linux-headers-$1"
	# headers-common and kbuild: named by the headers' own dependencies
	field "linux-headers-$1" Depends | tr ',' '\n' |
		sed -n 's/^ *\(linux-headers-[^ ]*\|linux-kbuild-[^ ]*\).*/\1/p'
}

# Print "PKG=VERSION" for each package on stdin: $1 is the version.
versioned()
{
	sed "s/\$/=$1/"
}

get_distro()
{
	local dir=$kernels/distro rel ver series

	[ ! -f "$dir/done" ] || return 0
	lock distro
	[ ! -f "$dir/done" ] || return 0
	machine_apt
	if ! fetch_distro; then
		# lists of an older day name packages that are gone
		machine_apt fresh
		fetch_distro || die "cannot download the kernel's packages"
	fi
	say "unpacking $rel"
	rm -rf "$dir" "$dir.new"
	unpack "$dir.new" "$rel"
	fetch_source "$series" "$ver" || die "cannot download linux-source-$series"
	unpack_source "${debs[0]}" "$dir.new/source" \
		"${kept[@]/#/linux-source-$series/}"
	printf 'rel=%q ver=%q series=%q\n' "$rel" "$ver" "$series" >"$dir.new/done"
	mv "$dir.new" "$dir"
}

# Sets rel, ver, series of the caller.
fetch_distro()
{
	local packages

	rel=$(newest_release)
	series=$(cut -d. -f1,2 <<<"$rel")
	ver=$(field "linux-image-$rel" Version)
	mapfile -t packages < <({ echo "linux-image-$rel"
				  header_packages "$rel"; } | versioned "$ver")
	fetch "${packages[@]}"
}

fetch_source()
{
	fetch "linux-source-$1=$2"
}

get_7.3()
{
	local dir=$kernels/7.3 rel ver packages

	[ ! -f "$dir/done" ] || return 0
	lock 7.3
	[ ! -f "$dir/done" ] || return 0
	suite_apt $backports
	rel=$(newest_release)
	[ -n "$rel" ] || die "$backports has no linux-image-amd64"
	ver=$(field "linux-headers-$rel" Version)
	# linux-image is a metapackage there; linux-base has modules.builtin
	mapfile -t packages < <({ printf 'linux-%s\n' "base-$rel" \
					"binary-$rel" "modules-$rel"
				  header_packages "$rel"; } | versioned "$ver")
	fetch "${packages[@]}" || die "cannot download the kernel's packages"
	say "unpacking $rel"
	rm -rf "$dir" "$dir.new"
	unpack "$dir.new" "$rel"
	printf 'rel=%q ver=%q\n' "$rel" "$ver" >"$dir.new/done"
	mv "$dir.new" "$dir"
}

# ---- the debug kernel ----------------------------------------------------------

# What the debug kernel is made of: it is built again when this changes.
debug_recipe()
{
	echo "linux $1"
	gcc-12 --version | head -n 1
	cat "$here/debug.config"
}

get_debug()
{
	local dir=$kernels/debug tree=$kernels/debug/linux rel ver series tool
	local start args name

	get_distro
	# shellcheck disable=SC1091
	. "$kernels/distro/done"
	if [ -f "$dir/done" ] && [ -f "$dir/recipe" ] &&
	   [ "$(cat "$dir/recipe")" = "$(debug_recipe "$ver")" ]; then
		return
	fi
	lock debug
	if [ -f "$dir/done" ] && [ -f "$dir/recipe" ] &&
	   [ "$(cat "$dir/recipe")" = "$(debug_recipe "$ver")" ]; then
		return
	fi
	for tool in gcc-12 make flex bison bc; do
		command -v $tool >/dev/null ||
			die "the debug kernel needs $tool: apt-get install" \
			    "gcc-12 make flex bison bc libelf-dev"
	done
	[ -e /usr/include/libelf.h ] ||
		die "the debug kernel needs libelf: apt-get install libelf-dev"
	rm -f "$dir/done" "$dir/recipe"
	if [ "$(cat "$dir/source" 2>/dev/null)" != "$ver" ]; then
		machine_apt
		fetch_source "$series" "$ver" || {
			machine_apt fresh
			fetch_source "$series" "$ver"
		} || die "cannot download linux-source-$series $ver"
		say "unpacking the source of $ver"
		rm -rf "$dir"
		# files that no configuration for this machine reads; each
		# Kconfig is read, whatever it is for
		name=linux-source-$series
		args=(--wildcards --exclude="$name/Documentation/*/*"
		      --exclude="$name/arch/[!x]*/*.[chS]"
		      --exclude="$name/arch/[!x]*/*.dts*"
		      --exclude="$name/sound/*.[ch]")
		for tool in amd i915 nouveau radeon msm; do
			args+=(--exclude="$name/drivers/gpu/drm/$tool/*.[ch]")
		done
		unpack_source "${debs[0]}" "$tree" "${args[@]}"
		echo "$ver" >"$dir/source"
	fi
	configure_debug "$tree"
	say "building it: about 15 minutes on two cores, log in ${dir#"$top/"}/log"
	start=$SECONDS
	debug_make bzImage modules >"$dir/log" 2>&1 || {
		grep -E '(error|Error|\*\*\*)' "$dir/log" | head -n 20 >&2
		die "the build failed: see $dir/log"
	}
	rm -rf "$dir/root"
	debug_make INSTALL_MOD_PATH="$dir/root" INSTALL_MOD_STRIP= \
		modules_install >>"$dir/log" 2>&1 || die "see $dir/log"
	rel=$(cat "$tree/include/config/kernel.release")
	rm -f "$dir/root/lib/modules/$rel/build" \
		"$dir/root/lib/modules/$rel/source"
	say "built $rel in $((SECONDS - start)) s"
	printf 'rel=%q\n' "$rel" >"$dir/done"
	debug_recipe "$ver" >"$dir/recipe.new"
	mv "$dir/recipe.new" "$dir/recipe"
}

debug_make()
{
	nice -n 10 make -C "$kernels/debug/linux" -j"${JOBS:-$(nproc)}" \
		ARCH=x86_64 CC=gcc-12 HOSTCC=gcc-12 LOCALVERSION= \
		KBUILD_BUILD_USER=synthio KBUILD_BUILD_HOST=build "$@" 9>&-
}

# Lay debug.config over "everything off", and insist on each of its lines: the
# configuration tool drops silently what lacks a dependency.
configure_debug()
{
	local line lost=()

	debug_make -s KCONFIG_ALLCONFIG="$here/debug.config" allnoconfig >&2
	while read -r line; do
		case $line in
		CONFIG_* | "# CONFIG_"*) ;;
		*) continue ;;
		esac
		grep -qxF -e "$line" "$1/.config" || lost+=("$line")
	done <"$here/debug.config"
	[ "${#lost[@]}" = 0 ] || die "debug.config: not possible: ${lost[*]}"
}

# ---- commands ------------------------------------------------------------------

# Set the variables of a kernel that is there. Paths are found now, not kept:
# the tree may have moved.
# shellcheck disable=SC2034 # cmd_get prints them by name
describe()
{
	local rel dir=$kernels/$1 f

	# shellcheck disable=SC1091
	. "$dir/done"
	KNAME=$1
	KREL=$rel
	if [ "$1" = debug ]; then
		KIMAGE=$dir/linux/arch/x86/boot/bzImage
		KMODULES=$dir/root
		KBUILD_DIR=$dir/linux
		KSRC=$dir/linux
		return
	fi
	for f in "$dir/boot/vmlinuz-$rel" "$dir/lib/modules/$rel/vmlinuz"; do
		[ ! -f "$f" ] || KIMAGE=$f
	done
	KMODULES=$dir
	KBUILD_DIR=$dir/usr/src/linux-headers-$rel
	KSRC=""
	[ ! -d "$dir/source" ] || KSRC=$dir/source
}

get()
{
	case $1 in
	distro | debug | 7.3) "get_$1" ;;
	*) usage ;;
	esac
	describe "$1"
	exec 9>&-
}

cmd_get()
{
	local v

	get "$1"
	for v in KNAME KREL KIMAGE KMODULES KBUILD_DIR KSRC; do
		[ "$v" = KSRC ] || [ -n "${!v-}" ] || die "$1 has no $v"
		# quoted for any shell
		printf "%s='%s'\n" "$v" "${!v//\'/\'\\\'\'}"
	done
}

cmd_make()
{
	local name=$1 dir="" arg args=() why

	shift
	for arg; do
		case $arg in
		M=*)
			dir=$(readlink -f "${arg#M=}")
			arg=M=$dir ;;
		esac
		args+=("$arg")
	done
	[ -n "$dir" ] || usage
	if [ "$name" = 7.3 ]; then
		why=$("$here/chroot.sh" possible) ||
			die "modules for 7.3 are built in a chroot of trixie: $why"
	fi
	get "$name"
	case $name in
	7.3)
		"$here/chroot.sh" make trixie "$chroot" "${chroot_packages[@]}"
		exec "$here/chroot.sh" run --bind "$top" --bind "$dir" \
			"$chroot" make -C "$KBUILD_DIR" "${args[@]}" ;;
	debug)
		exec make -C "$KBUILD_DIR" ARCH=x86_64 CC=gcc-12 \
			UBSAN_SANITIZE=y "${args[@]}" ;;
	distro)
		exec make -C "$KBUILD_DIR" "${args[@]}" ;;
	esac
}

case ${1-} in
get)
	[ $# = 2 ] || usage
	cmd_get "$2" ;;
make)
	[ $# -ge 3 ] || usage
	shift
	cmd_make "$@" ;;
remove)
	case ${2-} in
	distro | debug | 7.3) ;;
	*) usage ;;
	esac
	lock "$2"
	rm -rf "${kernels:?}/$2" ;;
*)
	usage ;;
esac
