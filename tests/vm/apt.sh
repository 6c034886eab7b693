# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Debian packages that are fetched to be unpacked, not installed. The sourcing
# script has sourced lib.sh. The array "apt" has apt's options, "debs" the
# packages' files.

# Options of apt for package lists of our own in build/apt/$1; the sources are
# those of the file $2, or the machine's.
private_apt()
{
	local dir=$build/apt/$1

	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	apt=(-o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir"
	     -o APT::Sandbox::User= -o APT::Get::List-Cleanup=0
	     # a container's configuration may have switched these off, which
	     # costs seconds for each question
	     -o Dir::Cache::pkgcache=pkgcache.bin
	     -o Dir::Cache::srcpkgcache=srcpkgcache.bin)
	[ $# = 1 ] || apt+=(-o "Dir::Etc::sourcelist=$2"
			    -o Dir::Etc::sourceparts=-)
}

update()
{
	say "updating private package lists of $1: downloads about $2 MB"
	apt-get -qq "${apt[@]}" update >&2 || die "apt-get update failed"
}

# Field $2 of package $1, of the version that would be installed.
field()
{
	apt-cache "${apt[@]}" show --no-all-versions "$1" 2>/dev/null |
		sed -n "s/^$2: //p;/^$/q"
}

# The suites whose kernels are built for.
archive_suites=(bookworm bookworm-security bookworm-backports
	trixie trixie-security trixie-backports sid)

# Lists of all of these, for amd64 and arm64. They are kept for half a day, or
# until "fresh" ones are asked for. The security suites are where this machine
# has its own, if it has one.
archive_apt()
{
	local dir=$build/apt/archive list=$build/apt/archive.list suite uri mirror
	local key=/usr/share/keyrings/debian-archive-keyring.gpg

	[ -s "$key" ] || die "$key is missing: install debian-archive-keyring"
	private_apt archive "$list"
	apt+=(-o APT::Architecture=amd64 -o APT::Architectures::=amd64
	      -o APT::Architectures::=arm64)
	if [ "${1-}" != fresh ] && [ -e "$dir/updated" ] &&
	   [ -n "$(find "$dir/updated" -mmin -720)" ]; then
		return
	fi
	# inside another lock: on a descriptor of its own
	exec 8>"$build/lock/apt-archive"
	flock 8
	if [ "${1-}" != fresh ] && [ -e "$dir/updated" ] &&
	   [ -n "$(find "$dir/updated" -mmin -720)" ]; then
		exec 8>&-
		return
	fi
	mirror=$(apt_mirror)
	for suite in "${archive_suites[@]}"; do
		uri=$mirror
		case $suite in
		*-security)
			uri=$(apt_uri "$(. /etc/os-release &&
					 echo "${VERSION_CODENAME-}")-security")
			[ -n "$uri" ] || continue ;;
		esac
		echo "deb [arch=amd64,arm64 signed-by=$key] $uri $suite main"
	done >"$list"
	update "Debian's suites, for amd64 and arm64" 80
	: >"$dir/updated"
	exec 8>&-
}

# Lists that know suite $1, and each further one, of this machine's archive;
# $1 names them. Trixie's key is asked for by name: the keyring of a bookworm
# that is not up to date lacks it.
suite_apt()
{
	local list=$build/apt/$1.list suite mirror mb=1
	local key=/usr/share/keyrings/debian-archive-keyring.gpg

	[ -s "$key" ] || die "$key is missing: install debian-archive-keyring"
	[ -s "${key%keyring.gpg}trixie-automatic.gpg" ] ||
		die "$key is too old to know trixie's key: run" \
		"apt-get install --only-upgrade debian-archive-keyring"
	mirror=$(apt_mirror)
	mkdir -p "$build/apt"
	for suite; do
		echo "deb [signed-by=$key] $mirror $suite main"
	done >"$list"
	[ $# = 1 ] || mb=10
	private_apt "$1" "$list"
	update "$*" $mb
}

# Lists that know suite $2 for the architecture $1, in which nothing is
# installed: what a package needs is all that its dependencies name.
foreign_apt()
{
	local dir=$build/apt/$1-$2 list=$build/apt/$1-$2.list
	local key=/usr/share/keyrings/debian-archive-keyring.gpg

	[ -s "$key" ] || die "$key is missing: install debian-archive-keyring"
	mkdir -p "$dir"
	echo "deb [arch=$1 signed-by=$key] $(apt_mirror) $2 main" >"$list"
	: >"$dir/status"
	private_apt "$1-$2" "$list"
	apt+=(-o "APT::Architecture=$1" -o "APT::Architectures::=$1"
	      -o "Dir::State::status=$dir/status")
	update "$2 ($1)" 10
}

# Leave the packages "PKG=VERSION"... in build/cache/debs, and their paths in
# the array debs.
fetch()
{
	local uri uris name size want=() bytes=0 i=0 list tmp

	mkdir -p "$cache/debs"
	# what a run that was killed left
	for tmp in "$cache"/debs/new.*; do
		kill -0 "${tmp##*.}" 2>/dev/null || rm -rf "$tmp"
	done
	debs=()
	list=$(apt-get -qq "${apt[@]}" --print-uris download "$@") || return
	while read -r _ name size _; do
		i=$((i + 1))
		debs+=("$cache/debs/$name")
		[ ! -s "$cache/debs/$name" ] || continue
		want+=("$name")
		bytes=$((bytes + size))
	done <<<"$list"
	[ "$i" = $# ] || return 1
	[ "${#want[@]}" != 0 ] || return 0
	say "downloading $(((bytes + 999999) / 1000000)) MB: ${want[*]%%_*}"
	tmp=$cache/debs/new.$$
	mkdir "$tmp"
	# the order of the answer is apt's, so ask by what it named. A few at
	# once: what was downloaded stays if a later one fails, and starting apt
	# takes as long as a small package
	(cd "$tmp" &&
	 for ((i = 0; i < ${#want[@]}; i += 20)); do
		uris=()
		for name in "${want[@]:i:20}"; do
			# NAME_VERSION_ARCH.deb
			uri=${name%_*}
			uri=${uri%%_*}:${name##*_}=${uri#*_}
			uri=${uri/.deb=/=}
			uri=${uri/:all=/=}
			uris+=("${uri//%3a/:}")
		done
		apt-get -qq "${apt[@]}" download "${uris[@]}" >&2 || exit
		mv "${want[@]:i:20}" ..
	 done) || { rm -rf "$tmp"; return 1; }
	rmdir "$tmp"
}
