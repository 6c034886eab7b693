#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Installs the Debian packages that are missing for what is to be done:
#	tests/vm/deps.sh [-m|-n] build|vm|demo|test|model|bench|lint|cross|arm64|fresh...
# It says which, and how much they take, before it does; nothing is asked and
# nothing is done if all are there. -n: only says; -m: only prints the missing
# ones' names. Kernels are not installed but unpacked under build/, by
# kernel.sh. Without root or a sudo that asks no password it prints what to
# run, and exits 1.
set -eu

# build: modules and the reference host; vm: boots guests; cross: modules for arm64;
# arm64: guests of it, and programs for them; fresh: chroots
build="gcc gcc-12 libc6-dev make liburing-dev libslirp-dev libvncserver-dev
	libpng-dev rsync pahole"
vm="$build qemu-system-x86 busybox-static python3 kmod xz-utils cpio
	ca-certificates debian-archive-keyring"
demo="$vm e2fsprogs util-linux fio iproute2 ethtool iperf3 iputils-ping
	libdrm-dev"
tests="$demo perl procps fdisk xfsprogs udev clang lld llvm libbpf-dev
	rt-tests socat"
model="gcc libc6-dev python3 spin"
# qemu-system-common: qemu-storage-daemon
bench="$vm qemu-system-common fio gnuplot-nox util-linux iperf3 iproute2
	ethtool procps libdrm-dev"
lint="$build libdrm-dev libbpf-dev sparse shellcheck perl xz-utils"
cross="gcc-12-aarch64-linux-gnu"
arm64="$cross gcc-aarch64-linux-gnu qemu-system-arm qemu-user-static"
fresh="debootstrap git e2fsprogs"
debug="flex bison bc libelf-dev libssl-dev"

dry=false
names=false
packages=
for x in "$@"; do
	case $x in
	-n) dry=true ;;
	-m) names=true ;;
	build) packages="$packages $build" ;;
	vm) packages="$packages $vm" ;;
	demo) packages="$packages $demo" ;;
	test) packages="$packages $tests" ;;
	model) packages="$packages $model" ;;
	bench) packages="$packages $bench" ;;
	lint) packages="$packages $lint" ;;
	cross) packages="$packages $cross" ;;
	arm64) packages="$packages $arm64" ;;
	fresh) packages="$packages $fresh" ;;
	*) echo "deps.sh: what is $x?" >&2; exit 2 ;;
	esac
done
[ "${DEBUG_KERNEL-}" != 1 ] || packages="$packages $debug"

if ! command -v dpkg-query >/dev/null; then
	! $names || exit 0
	echo "deps.sh: this is not a Debian: have these yourself:" >&2
	echo "$packages" | tr -s ' \t\n' '\n' | sort -u | tr '\n' ' ' >&2
	echo >&2
	exit 0
fi

missing=
for p in $(echo "$packages" | tr -s ' \t\n' '\n' | sort -u); do
	case $(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null) in
	?i*) ;;
	*) missing="$missing $p" ;;
	esac
done
[ -n "$missing" ] || exit 0
! $names || { echo "${missing# }"; exit 0; }

sudo=
if [ "$(id -u)" != 0 ]; then
	if sudo -n true 2>/dev/null; then
		sudo="sudo -n"
	else
		echo "deps.sh: these packages are missing:$missing" >&2
		echo "deps.sh: run: sudo apt-get install -y" \
			"--no-install-recommends$missing" >&2
		exit 1
	fi
fi

opts="-y --no-install-recommends"
simulate()
{
	# shellcheck disable=SC2086
	LC_ALL=C $sudo apt-get $opts --print-uris -q install $missing 2>&1
}

if ! plan=$(simulate); then
	$dry && { echo "deps.sh: missing:$missing (lists are old)"; exit 0; }
	echo "deps.sh: fetching the lists of packages (about 10 MB)" >&2
	$sudo apt-get -qq update
	plan=$(simulate) || { echo "$plan" >&2; exit 1; }
fi
count=$(echo "$plan" | sed -n 's/.* \([0-9]*\) newly installed.*/\1/p')
echo "deps.sh: installing$missing" >&2
echo "deps.sh: $count packages with what they need;" \
	"$(echo "$plan" | grep -E '^Need to get|^After this' |
	   tr '\n' ' ')" >&2
! $dry || exit 0
install()
{
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive $sudo apt-get -qq $opts install $missing \
		>/dev/null
}
# lists of an older day name packages that are gone
install || { $sudo apt-get -qq update && install; }
