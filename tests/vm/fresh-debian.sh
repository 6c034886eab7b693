#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tries README's commands where nothing is installed: a minimal Debian 12
# (debootstrap, under build/), make and git put into it, a clone of what is
# committed here, `make demo`, `make test SUITE=unit`. Needs root, the network
# and about 4 GB of disk; takes half an hour. Other commands as arguments:
#	tests/vm/fresh-debian.sh ["make test" ...]
# The demo's log stays in build/logs/fresh-debian/; with KEEP=1 the system, too.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
. "$here/lib.sh"

why=$("$here/chroot.sh" possible) || die "$why"
[ $# != 0 ] || set -- "make demo" "make test SUITE=unit"
dir=$build/chroot-fresh
logs=$build/logs/fresh-debian
"$here/chroot.sh" remove "$dir" 2>/dev/null || true
"$here/chroot.sh" make bookworm "$dir"
rm -rf "$logs"
mkdir -p "$logs"

cat >"$dir/trial" <<'END'
#!/bin/bash
set -euo pipefail
cd /root
apt-get -qq update
apt-get install -y make git >/dev/null 2>&1
git clone -q "$1" synthio
cd synthio
echo "== $(git log -1 --format='%h %s'), $(dpkg-query -f . -W | wc -c) packages"
shift
for command; do
	echo "== $command"
	start=$SECONDS
	status=0
	$command || status=$?
	echo "== $command: exit $status, $((SECONDS - start)) s"
	[ $status = 0 ] || exit $status
done
END
chmod +x "$dir/trial"
status=0
"$here/chroot.sh" run --bind-ro "$top/.git" "$dir" \
	/trial "$top/.git" "$@" 2>&1 | tee "$logs/log" || status=$?
cp -r "$dir/root/synthio/build/logs" "$dir/root/synthio/build/demo/"*.log \
	"$logs" 2>/dev/null || true
[ "${KEEP-}" = 1 ] || "$here/chroot.sh" remove "$dir"
exit $status
