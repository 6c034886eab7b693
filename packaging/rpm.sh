#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# rpm.sh [OUT [RPMBUILD-OPTION]...]: build the RPM packages in OUT (build/rpm), from a
# copy of the sources. "make rpm" calls this.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$top/build/rpm}
[ $# = 0 ] || shift
version=$(cat "$top/VERSION")
tree=$out/tree/synthio-$version

command -v rpmbuild >/dev/null || {
	echo "rpm.sh: rpmbuild is missing: install rpm-build" >&2
	exit 1
}
rm -rf "$out/tree"
mkdir -p "$tree" "$out/SOURCES"
"$top/packaging/sources.sh" | tar -C "$tree" -xf -
tar -C "$out/tree" -czf "$out/SOURCES/synthio-$version.tar.gz" "synthio-$version"
rm -rf "$out/tree"
rpmbuild -bb --define "_topdir $out" --define "synthio_version $version" "$@" \
	"$top/packaging/rpm/synthio.spec"
echo "packages:"
find "$out/RPMS" -name '*.rpm'
