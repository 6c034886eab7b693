#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernels that modules are built for and that guests boot, under
# build/kernels. Nothing is installed on the machine.
#
#   kernel.sh get NAME
#	Fetch or build the kernel if that was not done before, and print shell
#	assignments: KNAME, KREL (what uname -r says in it), KARCH (amd64 or
#	arm64), KIMAGE, KMODULES (has lib/modules/$KREL), KBUILD_DIR (for
#	make -C), KSRC (parts of the source: see "kept" below; empty if there
#	is none).
#   kernel.sh headers NAME
#	The same for what modules are built with only: KIMAGE and KMODULES are
#	empty unless "get" was run before.
#   kernel.sh make NAME M=DIR [VAR=VALUE]... [TARGET]...
#	Build modules for it with the compiler of its release.
#   kernel.sh run NAME DIR COMMAND...
#	Run a command where "make" builds: in the chroot that has the compiler,
#	if it is not on this machine. DIR can be written there, as can build/.
#	KBUILD_DIR and KMAKE (make's arguments) are in its environment.
#   kernel.sh list
#	Print the release of each headers package in the archive, oldest first.
#   kernel.sh remove NAME
#	Forget it, so that the next get takes the newest one there is.
#
# NAME is one of
#   6.1, 6.12...           the newest release of that series in Debian
#   6.12-rt, 6.12-cloud    the same of a flavour: rt, cloud, and for arm64 16k
#   6.12-arm64, 6.12-rt-arm64   the same for arm64, built by a cross compiler
#   newest                 the newest release in any suite; also newest-rt...
#   distro                 the newest release in the suite of this machine
#   6.12.118+deb13-amd64   this release, as "list" prints it
#   debug                  the source of distro, small and with every check on
#                          (debug.config)
#
# Modules are built with the compiler that the headers package names. A
# compiler that is not this machine's is run in a chroot of its suite, which
# needs root.
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

usage()
{
	sed -n '/^#   kernel.sh/,/(debug.config)/s/^# \{0,3\}//p' \
		"$here/kernel.sh" >&2
	exit 2
}

# ---- names ---------------------------------------------------------------------

# The release that the name $1 stands for. It is kept once it was looked up, so
# that all parts of a build/ mean the same one.
release_of()
{
	local known=$kernels/names/$1 rel

	# what it stood for was never fetched, and may be gone from the archive
	if [ -s "$known" ] && [ ! -f "$kernels/$(cat "$known")/headers" ]; then
		rm -f "$known"
	fi
	if [ ! -s "$known" ]; then
		lock "name-$1"
		if [ ! -s "$known" ]; then
			rel=$(look_up "$1") || exit
			mkdir -p "$kernels/names"
			echo "$rel" >"$known.$$"
			mv "$known.$$" "$known"
		fi
		exec 9>&-
	fi
	cat "$known"
}

look_up()
{
	local name=$1 arch=amd64 flavour="" series found

	if [[ $name =~ ^[0-9]+\.[0-9]+\.[0-9].*-(amd64|arm64|arm64-16k)$ ]]; then
		echo "$name"
		return
	fi
	archive_apt
	if [ "$name" = distro ]; then
		distro_release
		return
	fi
	[ "${name%-arm64}" = "$name" ] || { arch=arm64; name=${name%-arm64}; }
	case $name in
	*-16k) flavour=16k ;;
	*-rt) flavour=rt ;;
	*-cloud) flavour=cloud ;;
	esac
	series=${name%"${flavour:+-$flavour}"}
	case $flavour in
	16k) arch=$arch-16k ;;
	?*) arch=$flavour-$arch ;;
	esac
	[[ $series =~ ^([0-9]+\.[0-9]+|newest)$ ]] ||
		die "'$1' names no kernel: see $0 without arguments"
	series=${series//./\\.}
	# 6.1.0-57-amd64, 6.12.118+deb13-amd64
	found=$(releases | grep -E \
		"^${series/newest/[0-9]+\\.[0-9]+}\\.[0-9]+(-[0-9]+|\\+[^-]*)?-$arch\$" |
		tail -n 1)
	[ -n "$found" ] || die "the archive has no kernel '$1': it has the series" \
		"$(releases | cut -d. -f1,2 | uniq | tr '\n' ' ')"
	echo "$found"
}

# Each release that has a headers package, oldest first.
releases()
{
	apt-cache "${apt[@]}" search --names-only \
		'^linux-headers-[0-9]+\.[0-9]+\.[0-9].*-(amd64|arm64|arm64-16k)$' |
		sed -n 's/^linux-headers-\([^ :]*\).*/\1/p' | sort -uV
}

# The release that linux-image-amd64 depends on in this machine's suite.
distro_release()
{
	local codename ver

	codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	ver=$(apt-cache "${apt[@]}" madison linux-image-amd64 |
	      awk -v c="$codename" -F ' *[|] *' '
		$3 ~ " " c "(-security|-updates)?/" { print $2 }' |
	      sort -V | tail -n 1)
	[ -n "$ver" ] || die "'$codename' has no linux-image-amd64"
	apt-cache "${apt[@]}" show "linux-image-amd64=$ver" |
		sed -n 's/^Depends:.*linux-image-\([0-9][^ ,]*\).*/\1/p'
}

arch_of()
{
	case $1 in
	*-arm64 | *-arm64-16k) echo arm64 ;;
	*) echo amd64 ;;
	esac
}

# ---- unpacked packages ---------------------------------------------------------

# Take the packages of "debs" apart in the directory $1.
unpack()
{
	local deb

	mkdir -p "$1"
	for deb in "${debs[@]}"; do
		dpkg-deb -x "$deb" "$1"
	done
}

# Let the headers in the directory $1, of the release $2, work from there: no
# path leads to the machine's /usr/src.
relocate()
{
	local headers=$1/usr/src/linux-headers-$2

	# shellcheck disable=SC2016 # these are make's
	sed -i -e 's|/usr/src/|$(unpacked)|' -e '1i\
unpacked := $(dir $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST))))))' \
		"$headers/Makefile"
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

# Print "PKG=VERSION" for the package $1: version $2 if there is that one, else
# the newest (an old release is built with the scripts of a newer one).
versioned()
{
	# its exit status is 0 in any case
	if apt-cache "${apt[@]}" show "$1=$2" 2>/dev/null | grep -q .; then
		echo "$1=$2"
	else
		echo "$1=$(field "$1" Version)"
	fi
}

# Fetch with lists that may be old; $1 says what it is for. Lists of an older
# day name packages that are gone.
fetch_for()
{
	local what=$1

	shift
	archive_apt
	fetch "$@" && return
	archive_apt fresh
	fetch "$@" || die "cannot download the packages of $what"
}

# Leave the headers of the release $1 in its directory.
get_headers()
{
	local rel=$1 dir=$kernels/$1 arch deps ver gcc p want=()

	[ ! -f "$dir/headers" ] || return 0
	lock "$rel"
	[ ! -f "$dir/headers" ] || return 0
	arch=$(arch_of "$rel")
	archive_apt
	p=linux-headers-$rel:$arch
	deps=$(field "$p" Depends)
	ver=$(field "$p" Version)
	[ -n "$ver" ] || die "the archive has no $p"
	gcc=$(grep -oE 'gcc-[0-9]+' <<<"$deps" | head -n 1)
	[ -n "$gcc" ] || die "$p does not say which compiler it wants"
	want=("$p=$ver")
	# headers-common and kbuild, by the headers' own dependencies; the
	# latter has programs that run here, whatever they build for
	while read -r p; do
		want+=("$(versioned "$p" "$ver")")
	done < <(tr ',' '\n' <<<"$deps" | sed -n \
		's/^ *\(linux-headers-[^ ]*\|linux-kbuild-[^ ]*\).*/\1/p')
	fetch_for "$rel" "${want[@]}"
	say "unpacking the headers of $rel"
	rm -rf "$dir" "$dir.new"
	unpack "$dir.new"
	relocate "$dir.new" "$rel"
	printf 'rel=%q ver=%q gcc=%q\n' "$rel" "$ver" "$gcc" >"$dir.new/headers"
	mv "$dir.new" "$dir"
	exec 9>&-
}

# Leave the image and the modules of the release $1 beside its headers.
get_image()
{
	local rel=$1 dir=$kernels/$1 ver gcc image p want=() link

	get_headers "$rel"
	[ ! -f "$dir/done" ] || return 0
	lock "$rel"
	[ ! -f "$dir/done" ] || return 0
	# shellcheck disable=SC1091
	. "$dir/headers"
	archive_apt
	image=linux-image-$rel:$(arch_of "$rel")
	want=("$image=$ver")
	# since 6.16 linux-image only names the packages that it is made of;
	# linux-base has modules.builtin
	while read -r p; do
		want+=("$p:$(arch_of "$rel")=$ver")
	done < <(apt-cache "${apt[@]}" show "$image=$ver" | grep ^Depends: |
		 tr ',' '\n' | sed -n 's/^.*\(linux-\(base\|binary\|modules\)-'"$rel"'\).*/\1/p')
	fetch_for "$rel" "${want[@]}"
	say "unpacking $rel"
	unpack "$dir"
	[ -e "$dir/lib" ] || ln -s usr/lib "$dir/lib"
	for link in build source; do
		rm -f "$dir/lib/modules/$rel/$link"
	done
	depmod -b "$dir" "$rel"
	: >"$dir/done"
	exec 9>&-
}

# Leave parts of the source of distro in its directory: no other kernel's are
# wanted, since what the tests use of it depends little on the release.
get_source()
{
	local dir ver gcc rel series

	rel=$(release_of distro)
	dir=$kernels/$rel
	get_headers "$rel"
	[ ! -d "$dir/source" ] || return 0
	lock source
	[ ! -d "$dir/source" ] || return 0
	# shellcheck disable=SC1091
	. "$dir/headers"
	series=$(cut -d. -f1,2 <<<"$rel")
	fetch_for "$rel" "linux-source-$series=$ver"
	rm -rf "$dir/source.new"
	unpack_source "${debs[0]}" "$dir/source.new" \
		"${kept[@]/#/linux-source-$series/}"
	mv "$dir/source.new" "$dir/source"
	exec 9>&-
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
	local dir=$kernels/debug tree=$kernels/debug/linux rel ver gcc series tool
	local start args name

	rel=$(release_of distro)
	get_headers "$rel"
	# shellcheck disable=SC1090,SC1091
	. "$kernels/$rel/headers"
	series=$(cut -d. -f1,2 <<<"$rel")
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
		fetch_for debug "linux-source-$series=$ver"
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

# ---- compilers -----------------------------------------------------------------

# The suite whose compiler $1 is.
suite_of_gcc()
{
	case $1 in
	gcc-12) echo bookworm ;;
	gcc-14) echo trixie ;;
	*) echo sid ;;
	esac
}

# Set "chroot" to where $1, a compiler, and the programs of a kernel built by it
# run: nothing if that is this machine.
find_chroot()
{
	local suite why libs

	suite=$(suite_of_gcc "$1")
	chroot=""
	# shellcheck disable=SC1091
	[ "$(. /etc/os-release && echo "${VERSION_CODENAME-}")" != "$suite" ] ||
		return 0
	why=$("$here/chroot.sh" possible) ||
		die "$1 is run in a chroot of $suite: $why"
	chroot=$build/chroot-$suite
	# what the kernel's build programs are linked to; W=1 runs kernel-doc
	libs="libelf1t64 libssl3t64"
	[ "$suite" != bookworm ] || libs="libelf1 libssl3"
	# shellcheck disable=SC2086 # two words
	"$here/chroot.sh" make "$suite" "$chroot" make "$1" \
		"$1-aarch64-linux-gnu" $libs zlib1g pahole perl python3
}

# Set KMAKE to make's arguments for the kernel that is described, and "chroot".
# shellcheck disable=SC2034 # KMAKE is for the command that is run
find_compiler()
{
	local rel ver gcc cc set=build

	chroot=""
	if [ "$KNAME" = debug ]; then
		KMAKE="ARCH=x86_64 CC=gcc-12 UBSAN_SANITIZE=y"
		return
	fi
	# shellcheck disable=SC1090,SC1091
	. "$kernels/$KREL/headers"
	find_chroot "$gcc"
	cc=$gcc
	KMAKE="ARCH=x86_64"
	if [ "$KARCH" = arm64 ]; then
		cc=aarch64-linux-gnu-$gcc
		set=cross
		KMAKE="ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-"
	fi
	KMAKE+=" CC=$cc HOSTCC=$gcc"
	[ -n "$chroot" ] || command -v "$cc" >/dev/null ||
		die "$cc is missing: run tests/vm/deps.sh $set"
}

# ---- commands ------------------------------------------------------------------

# Set the variables of a kernel that is there. Paths are found now, not kept:
# the tree may have moved.
# shellcheck disable=SC2034 # print_kernel prints them by name
describe()
{
	local dir=$kernels/$1 rel f

	KNAME=$1
	KIMAGE="" KMODULES="" KSRC=""
	if [ "$1" = debug ]; then
		# shellcheck disable=SC1091
		. "$dir/done"
		KREL=$rel
		KARCH=amd64
		KIMAGE=$dir/linux/arch/x86/boot/bzImage
		KMODULES=$dir/root
		KBUILD_DIR=$dir/linux
		KSRC=$dir/linux
		return
	fi
	KREL=$(release_of "$1")
	KARCH=$(arch_of "$KREL")
	dir=$kernels/$KREL
	KBUILD_DIR=$dir/usr/src/linux-headers-$KREL
	rel=$(release_of distro)
	[ ! -d "$kernels/$rel/source" ] || KSRC=$kernels/$rel/source
	[ -f "$dir/done" ] || return 0
	KMODULES=$dir
	for f in "$dir/boot/vmlinuz-$KREL" "$dir/lib/modules/$KREL/vmlinuz"; do
		[ ! -f "$f" ] || KIMAGE=$f
	done
}

headers()
{
	local rel

	if [ "$1" = debug ]; then
		get_debug
		exec 9>&-
	else
		rel=$(release_of "$1")
		get_headers "$rel"
	fi
	describe "$1"
}

get()
{
	headers "$1"
	[ "$1" != debug ] || return 0
	get_image "$KREL"
	get_source
	describe "$1"
}

print_kernel()
{
	local v

	for v in KNAME KREL KARCH KIMAGE KMODULES KBUILD_DIR KSRC; do
		case $v in
		KIMAGE | KMODULES | KSRC) ;;
		*) [ -n "${!v-}" ] || die "$KNAME has no $v" ;;
		esac
		# quoted for any shell
		printf "%s='%s'\n" "$v" "${!v//\'/\'\\\'\'}"
	done
}

cmd_get()
{
	get "$1"
	[ -n "$KIMAGE" ] || die "$1 has no image"
	print_kernel
}

cmd_headers()
{
	headers "$1"
	print_kernel
}

cmd_run()
{
	local name=$1 dir

	dir=$(readlink -f "$2")
	shift 2
	headers "$name"
	find_compiler
	export KBUILD_DIR KMAKE
	[ -n "$chroot" ] || exec "$@"
	exec "$here/chroot.sh" run --bind "$top" --bind "$dir" "$chroot" \
		env "KBUILD_DIR=$KBUILD_DIR" "KMAKE=$KMAKE" \
		sh -c "cd '$PWD' 2>/dev/null; exec \"\$@\"" sh "$@"
}

cmd_make()
{
	local name=$1 dir="" arg args=() kmake

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
	headers "$name"
	find_compiler
	read -ra kmake <<<"$KMAKE"
	set -- make -C "$KBUILD_DIR" "${kmake[@]}" "${args[@]}"
	[ -n "$chroot" ] || exec "$@"
	exec "$here/chroot.sh" run --bind "$top" --bind "$dir" "$chroot" "$@"
}

case ${1-} in
get | headers)
	[ $# = 2 ] || usage
	"cmd_$1" "$2" ;;
make)
	[ $# -ge 3 ] || usage
	shift
	cmd_make "$@" ;;
run)
	[ $# -ge 4 ] || usage
	shift
	cmd_run "$@" ;;
list)
	archive_apt
	releases ;;
remove)
	[ $# = 2 ] || usage
	name=$2
	[[ $name =~ ^[a-z0-9.+-]+$ ]] || usage
	if [ "$name" != debug ] && [ -s "$kernels/names/$name" ]; then
		rel=$(cat "$kernels/names/$name")
		rm -f "$kernels/names/$name"
		name=$rel
	fi
	lock "$name"
	rm -rf "${kernels:?}/$name" ;;
*)
	usage ;;
esac
