# SPDX-License-Identifier: GPL-2.0-only
"""A guest whose root file system lies behind synth_blk.

The kernel is the one of a Debian system, the initramfs what its mkinitramfs has
made with our hook, and nobody tells it to load anything: the name of the disk on
the kernel's command line is all. /sbin/init there says what it sees, and ends.
"""

import glob
import os
import re
import shutil
import subprocess
import tempfile

from guest import Guest
from kernels import TOP, Kernel
from userland import HERE_ARCH, Userland

SERIAL = "root0001"
ROOT = f"/dev/disk/by-id/synthio-{SERIAL}"
LABEL = "synthroot"

INIT = """#!/bin/busybox sh
say() { /bin/busybox echo "rootdisk: $*"; }
while read -r what where type rest; do
	[ "$where" != / ] || say "root is $what, $type"
done </proc/mounts
for name in /dev/disk/*/*; do
	say "$name is $(/bin/busybox readlink -f "$name")"
done
say end
/bin/busybox poweroff -f
"""


class Installed(Kernel):
    """The kernel of a Debian system; only good for booting."""

    def __init__(self, system):     # pylint: disable=super-init-not-called
        self.name = "package"
        self.arch = "amd64"
        [self.image] = glob.glob(os.path.join(system, "boot/vmlinuz-*"))
        self.release = os.path.basename(self.image)[len("vmlinuz-"):]


def make_root(where):
    """A root file system with little but /sbin/init, returns its path."""
    tree = os.path.join(where, "root")
    for x in "bin sbin dev proc sys run tmp etc".split():
        os.makedirs(os.path.join(tree, x))
    shutil.copy(Userland(HERE_ARCH).busybox(), os.path.join(tree, "bin/busybox"))
    init = os.path.join(tree, "sbin/init")
    with open(init, "w", encoding="ascii") as f:
        f.write(INIT)
    os.chmod(init, 0o755)
    # without it systemd, which dracut's images have, takes the tree for no system
    with open(os.path.join(tree, "etc/os-release"), "w", encoding="ascii") as f:
        f.write("ID=rootdisk\n")
    disk = os.path.join(where, "root.img")
    with open(disk, "wb") as f:
        f.truncate(64 << 20)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-L", LABEL,
                    "-d", tree, disk], check=True)
    return disk


def boot(where, system, initrd):
    """Boots it once, returns what /sbin/init has said."""
    disk = make_root(where)
    with Guest("package", kernel=Installed(system), mem="1G",
               host=["--scsi", "c0", "--disk",
                     f"c0,lun=0,file={disk},serial={SERIAL}"],
               host_build="host", initrd=initrd,
               cmdline=f"root={ROOT} ro") as g:
        # there is no console to type on for what initramfs-tools falls back to
        m = g.wait_console(r"rootdisk: end|ALERT!|Kernel panic|\(initramfs\)|"
                           r"emergency shell|emergency mode",
                           600)
        assert m[0] == "rootdisk: end", g.tail(60)
        return [line.removeprefix("rootdisk: ")
                for line in g.console_text().splitlines()
                if line.startswith("rootdisk: ")]


def test(tap, system, initrd, prefix=""):
    """Reports whether a guest with that initramfs finds its root disk.

    system: directory of the Debian system whose kernel boots
    prefix: of the names of the tests
    """
    what = f"{prefix}a guest boots from a disk of synth_blk"
    lacks = subprocess.run([os.path.join(TOP, "tests/vm/deps.sh"), "-m", "vm",
                            "fresh"], stdout=subprocess.PIPE, text=True,
                           check=False).stdout.strip()
    if lacks:
        tap.skip(what, f"not installed: {lacks}")
        return
    if not os.path.exists(initrd):
        tap.ok(False, what, "there is no initramfs")
        return
    built = subprocess.run(["make", "-s", "-C", TOP, "host"],
                           stdout=subprocess.DEVNULL, check=False)
    if not tap.ok(built.returncode == 0, f"{prefix}synthhost is built"):
        return

    said = []

    def find_root():
        with tempfile.TemporaryDirectory(prefix="synthio-root.") as where:
            said.extend(boot(where, system, initrd))

    def named(pattern):
        want = re.compile(f"/dev/disk/{pattern} is /dev/synda")
        assert any(want.fullmatch(x) for x in said), "\n".join(said)

    def mounted():
        assert f"root is {ROOT}, ext4" in said, "\n".join(said)

    tap.test(what + ", which is named by its serial number", find_root)
    if said:
        tap.test(f"{prefix}it is what is mounted", mounted)
        tap.test(f"{prefix}by a name of the disk", named, f"by-id/synthio-{SERIAL}")
        tap.test(f"{prefix}its label is one too", named, f"by-label/{LABEL}")
        tap.test(f"{prefix}so is the WWN, for which udev calls sed", named,
                 "by-id/wwn-0x[0-9a-f]+")
