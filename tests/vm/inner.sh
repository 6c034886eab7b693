#!/run/vm/sh
# SPDX-License-Identifier: GPL-2.0-only
# The first process of a guest in a guest (nested.py). All that it needs is in
# its initramfs: 9p through two emulations is too slow. The agent takes
# commands from the virtio console, or what the kernel's command line names.
export PATH=/prog:/bin
export HOME=/root LANG=C.UTF-8 VM_AGENT="${VM_AGENT:-/dev/hvc0}"

mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t debugfs debugfs /sys/kernel/debug
read -r modules </etc/vm-modules
for m in $modules; do
	insmod "/modules/$m.ko" || echo "init: no $m" >/dev/console
done
# nothing is said here that takes long on an emulated UART; from now on all is
echo 7 >/proc/sys/kernel/printk
for x in hung_task_timeout_secs=120 watchdog_thresh=60; do
	[ ! -e "/proc/sys/kernel/${x%=*}" ] ||
		echo "${x#*=}" >"/proc/sys/kernel/${x%=*}"
done
exec /run/vm/sh /run/vm/agent init
