#!/run/vm/sh
# SPDX-License-Identifier: GPL-2.0-only
# The guest's first process. The initramfs stays the root file system; this
# mounts what /etc/fstab says over it: the machine's /usr through 9p and an
# overlay, the project's build/ and tests/. Then the agent takes commands.
# Each program started costs an emulated CPU 30 ms: there are few here.
export PATH=/run/vm

die()
{
	echo "init: $*" >/dev/console
	echo o >/proc/sysrq-trigger
	while :; do sleep 1; done
}

mount -t devtmpfs dev /dev || die "no devtmpfs"
mount -t proc proc /proc || die "no proc"
mkdir /dev/pts /dev/shm
read -r modules </etc/vm-modules
# shellcheck disable=SC2086 # a list of names
modprobe -a $modules || die "no drivers for 9p ($modules)"
mount -a
[ -e /synthio/tests/vm/init.sh ] || die "9p does not work"
echo guest >/proc/sys/kernel/hostname
ifconfig lo up

# From here on all that the kernel says goes to the console, which is scanned.
# Emulation on a busy machine is slow: what detects hangs gets more patience.
echo 7 >/proc/sys/kernel/printk
for x in hung_task_timeout_secs=90 watchdog_thresh=30; do
	[ ! -e "/proc/sys/kernel/${x%=*}" ] ||
		echo "${x#*=}" >"/proc/sys/kernel/${x%=*}"
done
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8
exec /run/vm/sh /run/vm/agent init
