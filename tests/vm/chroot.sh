#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Small Debian systems under build/, for compilers of another release and for
# trials of the package. Needs root; says so if it is not.
#
#   chroot.sh possible
#	Exit 0 if this machine can do it; else print one line that says why not.
#   chroot.sh make SUITE DIR [PACKAGE]...
#	Leave in DIR a minimal system of SUITE with the packages installed.
#	Nothing is done if DIR is one already. The bare system is kept in
#	build/cache, so that a second one of the same suite costs no download.
#   chroot.sh run [--bind PATH]... [--bind-ro PATH]... [--scratch] DIR COMMAND...
#	Run a command inside, as root, in /. PATH appears inside at the same
#	place. With --scratch nothing that the command writes outside of the
#	bound paths stays.
#   chroot.sh remove DIR
#
# Everything is mounted in a mount namespace of the command's own, and its
# processes live in a PID namespace: with the command's end, however it comes,
# the kernel takes both down. Nothing is left to unmount or to kill.
#
# DEBIAN_MIRROR overrides the archive, which is else the one that the machine's
# own apt uses.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
self=$here/${0##*/}
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"

usage()
{
	sed -n '/^#   chroot/,/^#   chroot.sh remove/s/^# \{0,3\}//p' "$self" >&2
	exit 2
}

# Why this cannot be done here: nothing if it can.
why_not()
{
	if [ "$(id -u)" != 0 ]; then
		echo "a chroot needs root"
	elif ! command -v debootstrap >/dev/null; then
		echo "debootstrap is missing: apt-get install debootstrap"
	elif ! unshare --mount --propagation private --pid --fork true \
	     2>/dev/null; then
		echo "this root may not make namespaces (a container?)"
	fi
}

need_root()
{
	local why

	why=$(why_not)
	[ -z "$why" ] || die "$why"
}

# Leave in $1 a bare system of suite $2.
bootstrap()
{
	local dir=$1 suite=$2 tarball=$cache/debootstrap-$2.tar mirror proxy

	if [ ! -s "$tarball" ]; then
		mirror=$(apt_mirror)
		proxy=$(apt-config shell p Acquire::http::Proxy)
		[ -z "$proxy" ] || eval "export http_${proxy/p=/proxy=}"
		say "debootstrap of $suite: downloads about 50 MB"
		mkdir -p "$dir"
		# it mounts things of its own inside
		if ! confined debootstrap --variant=minbase "$suite" \
		     "$dir" "$mirror" >"$dir.log" 2>&1; then
			tail -n 5 "$dir.log" >&2
			die "debootstrap failed: see $dir.log"
		fi
		rm -f "$dir.log" "$dir"/var/cache/apt/archives/*.deb
		configure_apt "$dir" "$suite" "$mirror"
		tar -C "$dir" --numeric-owner -cf "$tarball.$$" .
		mv "$tarball.$$" "$tarball"
	else
		mkdir -p "$dir"
		tar -C "$dir" --numeric-owner -xpf "$tarball"
	fi
}

# The suites that a fresh installation names too, and how the machine reaches
# its archive (a proxy, a mirror without fresh dates).
configure_apt()
{
	local dir=$1 suite=$2 mirror=$3 security

	{
		echo "deb $mirror $suite main"
		security=$(apt_uri "$suite-security")
		[ -z "$security" ] || echo "deb $security $suite-security main"
		[ -z "$(apt_uri "$suite-updates")" ] ||
			echo "deb $mirror $suite-updates main"
	} >"$dir/etc/apt/sources.list"
	apt-config dump | grep -E '^Acquire::(http|https|ftp|Check-)' \
		>"$dir/etc/apt/apt.conf.d/90machine" || true
	# packages must not start services here
	printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
	chmod +x "$dir/usr/sbin/policy-rc.d"
}

cmd_make()
{
	local suite=$1 dir=$2 want

	shift 2
	need_root
	want="$suite $*"
	mkdir -p "$cache" "$(dirname "$dir")"
	lock "chroot-$suite"
	if [ "$(cat "$dir/etc/synthio-chroot" 2>/dev/null)" = "$want" ]; then
		return
	fi
	remove "$dir"
	remove "$dir.new"
	bootstrap "$dir.new" "$suite"
	if [ $# != 0 ]; then
		say "$suite: installing into ${dir#"$top/"}: $*"
		inside "$dir.new" sh -c '
			set -e
			apt-get -q update
			apt-get -qs install --no-install-recommends "$@" |
				grep "newly installed" >&2
			apt-get -qy install --no-install-recommends "$@"
			apt-get clean' sh "$@" >"$dir.log" || {
			tail -n 15 "$dir.log" >&2
			die "installation failed: see $dir.log"
		}
		rm -f "$dir.log"
	fi
	echo "$want" >"$dir.new/etc/synthio-chroot"
	mv "$dir.new" "$dir"
}

# Run a command in namespaces of its own, which end with it or with this shell,
# whichever is first and however that comes.
confined()
{
	local pid

	setpriv --pdeathsig KILL unshare --mount --propagation private \
		--pid --fork --kill-child "$@" <&0 &
	pid=$!
	# shellcheck disable=SC2064 # the pid is to be expanded now
	trap "kill -KILL $pid; exit 130" INT TERM HUP
	wait "$pid"
}

# Run a command in the system $1.
inside()
{
	resolver "$1"
	confined "$self" mounted "" "" "" "$@"
}

# Give the system $1 the machine's name servers of today.
resolver()
{
	local new=$1/etc/resolv.conf.$$

	# a command that runs there sees the old one or the new one
	if cp -L /etc/resolv.conf "$new" 2>/dev/null; then
		mv -fT "$new" "$1/etc/resolv.conf"
	else
		rm -f "$new"
	fi
}

# The inner half of "run", in its namespaces: paths to bind, paths to bind
# read-only (each in lines), "scratch" or nothing, the system, the command.
cmd_mounted()
{
	local rw=$1 ro=$2 scratch=$3 dir=$4 path node tmp

	shift 4
	if [ -n "$scratch" ]; then
		# a tmpfs of this namespace holds what is written
		tmp=$cache/scratch
		mkdir -p "$tmp"
		mount -t tmpfs -o mode=755 scratch "$tmp"
		mkdir "$tmp/upper" "$tmp/work" "$tmp/root"
		mount -t overlay -o \
			"lowerdir=$dir,upperdir=$tmp/upper,workdir=$tmp/work" \
			overlay "$tmp/root" ||
			die "this machine cannot mount an overlay"
		dir=$tmp/root
	fi
	mount -t proc proc "$dir/proc"
	mount -t tmpfs -o mode=755 dev "$dir/dev"
	for node in null zero full random urandom tty; do
		: >"$dir/dev/$node"
		mount --bind "/dev/$node" "$dir/dev/$node"
	done
	ln -s /proc/self/fd "$dir/dev/fd"
	ln -s /proc/self/fd/0 "$dir/dev/stdin"
	ln -s /proc/self/fd/1 "$dir/dev/stdout"
	ln -s /proc/self/fd/2 "$dir/dev/stderr"
	mkdir "$dir/dev/pts" "$dir/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666 devpts "$dir/dev/pts"
	ln -s pts/ptmx "$dir/dev/ptmx"
	mount -t tmpfs shm "$dir/dev/shm"
	while read -r path; do
		[ -n "$path" ] || continue
		mkdir -p "$dir$path"
		mount --bind "$path" "$dir$path"
	done <<<"$rw"
	while read -r path; do
		[ -n "$path" ] || continue
		mkdir -p "$dir$path"
		mount --bind "$path" "$dir$path"
		mount -o remount,bind,ro "$dir$path"
	done <<<"$ro"
	exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root LC_ALL=C.UTF-8 TERM="${TERM:-dumb}" \
		DEBIAN_FRONTEND=noninteractive chroot "$dir" "$@"
}

cmd_run()
{
	local rw="" ro="" scratch=""

	while :; do
		case ${1-} in
		--bind)
			rw+=$(readlink -f "$2")$'\n'
			shift 2 ;;
		--bind-ro)
			ro+=$(readlink -f "$2")$'\n'
			shift 2 ;;
		--scratch)
			scratch=scratch
			shift ;;
		*)
			break ;;
		esac
	done
	[ $# -ge 2 ] || usage
	need_root
	[ -f "$1/etc/synthio-chroot" ] || die "$1 is not a system made by this"
	resolver "$1"
	confined "$self" mounted "$rw" "$ro" "$scratch" "$@"
}

# Delete a system, and nothing that is mounted in it by someone else.
remove()
{
	[ -d "$1" ] || return 0
	rm -rf --one-file-system "$1"
}

case ${1-} in
possible)
	why=$(why_not)
	[ -z "$why" ] || { echo "$why"; exit 1; } ;;
make)
	[ $# -ge 3 ] || usage
	shift
	cmd_make "$@" ;;
run)
	shift
	cmd_run "$@" ;;
mounted)
	shift
	cmd_mounted "$@" ;;
remove)
	[ $# = 2 ] || usage
	[ -f "$2/etc/synthio-chroot" ] || die "$2 is not a system made by this"
	remove "$2" ;;
*)
	usage ;;
esac
