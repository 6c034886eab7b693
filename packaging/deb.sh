#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# deb.sh [OUT]: build the Debian packages synthio-dkms, synthio-tools and synthio-host
# in OUT (build/deb), from a copy of the sources. "make deb" calls this. It needs
# debhelper and dh-dkms, and what synthhost is built with: packaging/debian/control.
#
# debian/changelog is made from the file VERSION, so that there is one place for the
# version; CHANGELOG.md has the changes.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$top/build/deb}
version=$(cat "$top/VERSION")
tree=$out/synthio-$version

command -v dpkg-buildpackage >/dev/null || {
	echo "deb.sh: dpkg-buildpackage is missing: apt-get install build-essential" \
		"debhelper dh-dkms" >&2
	exit 1
}
rm -rf "$tree"
mkdir -p "$tree"
"$top/packaging/sources.sh" | tar -C "$tree" -xf -
cp -r "$top/packaging/debian" "$tree/debian"
sed -i "s/#VERSION#/$version/" "$tree/debian/synthio-dkms.postinst"

# the date of the last change, if that is known: the same sources, the same packages
date=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct 2>/dev/null ||
	stat -c %Y "$top/CHANGELOG.md")}
{
	echo "synthio ($version) unstable; urgency=medium"
	echo
	echo "  * CHANGELOG.md has the changes."
	echo
	echo " -- $(sed -n 's/^Maintainer: //p' "$tree/debian/control")" \
		" $(LC_ALL=C date -u -R -d "@$date")"
} >"$tree/debian/changelog"

(cd "$tree" && dpkg-buildpackage "${DEB_BUILD_FLAGS:--b}" -us -uc)
rm -rf "$tree"
echo "packages:"
ls "$out"/*"_${version}_"*.deb
