#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# sources.sh: write to stdout an archive (tar) of what packages are built from. A tree
# that was built in has more.
set -eu

cd "$(dirname "$0")/.."
find CHANGELOG.md LICENSE README.md VERSION Kbuild Makefile dkms.conf channel compat \
	docs drivers host include packaging -type f ! -path 'packaging/debian/*' \
	! -name '*.o' ! -name '*.ko' ! -name '*.mod.c' ! -name '.*' -print0 |
	tar --null -T - -cf -
