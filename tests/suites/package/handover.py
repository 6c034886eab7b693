#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Disks move between the distribution's driver and ours, in a guest.

The bus is the drop-in hv_vmbus.ko, for which modules that were built for the kernel's
own fit as they are: synth_blk_hv.ko links to its symbols, with the kernel's CRCs.
synthio-ctl moves a disk as an administrator does, hand-over as udev does at boot. With
LONG=1 only; without a guest tools.py tests the same programs.
"""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../../.."))
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
from guest import Guest         # noqa: E402
from kernels import build_modules   # noqa: E402
from steps import LONG          # noqa: E402
from tap import Tap             # noqa: E402

DISKS = ("first0001", "other0002")


def host(g):
    """Two controllers with a disk each."""
    args = []
    for n, serial in enumerate(DISKS):
        path = os.path.join(g.scratch, f"{serial}.img")
        with open(path, "wb") as f:
            f.truncate(32 << 20)
        args += ["--scsi", f"c{n}", "--disk",
                 f"c{n},lun=0,file={path},serial={serial}"]
    return args


def tool(g, command):
    """What synthio-ctl says; it has to succeed."""
    return g.run(f"python3 /scratch/synthio-ctl {command}", 120).out


def devices(g):
    """The SCSI controllers, by the disk that each has."""
    return {d["disks"][0]: d for d in json.loads(tool(g, "list --json"))
            if d["kind"] == "SCSI controller" and d["disks"]}


def prepare(g):
    """The programs and modules are there, and the distribution's driver has all."""
    for name in ("synthio-ctl", "hand-over"):
        shutil.copy(os.path.join(TOP, "packaging/tools", name), g.scratch)
    g.load("stock")
    rel = g.kernel.release
    # Few modules, with ours beside them, where modprobe looks: depmod reads each one,
    # and to read all of the kernel's takes an emulated guest minutes
    g.run(f"""mkdir -p /m/updates && cd /usr/lib/modules/{rel} &&
        cp modules.builtin* modules.order /m/ &&
        modprobe -D -a sd_mod hv_storvsc ext4 | sed -n 's/^insmod //p' | sort -u |
            while read -r ko; do cp "$ko" /m/; done &&
        cp /synthio/build/{rel}/hv/drivers/*/*.ko /m/updates/ &&
        cd / && mount --bind /m /usr/lib/modules/{rel} &&
        depmod {rel} && modprobe -a sd_mod hv_storvsc ext4""", 300)
    g.run("for i in $(seq 300); do [ -e /dev/sdb ] && exit; sleep 0.1; done; exit 1", 120)
    found = devices(g)
    assert set(found) == {"sda", "sdb"}, found
    assert {d["driver"] for d in found.values()} == {"hv_storvsc"}
    g.run("mke2fs -q -F -t ext4 /dev/sda && mkdir -p /mnt && mount /dev/sda /mnt && "
          "head -c 1000000 /dev/urandom >/mnt/data && sha256sum </mnt/data >/sum && sync")


def refuses(g):
    """A mounted disk is refused, and nothing has happened to it."""
    done = g.sh("python3 /scratch/synthio-ctl take sda", 60)
    assert done.rc == 1 and "sda is mounted on /mnt" in done.out, done.out
    assert devices(g)["sda"]["driver"] == "hv_storvsc"
    g.run("sha256sum </mnt/data | cmp - /sum && umount /mnt")


def same_data(g, disk):
    """The file on a disk is as it was written."""
    g.run(f"mount -o ro /dev/{disk} /mnt && sha256sum </mnt/data | cmp - /sum; "
          "ret=$?; umount /mnt; exit $ret")


def takes(g):
    """The disk goes to synth_blk with its data, and the other one does not."""
    other = devices(g)["sdb"]["guid"]
    tool(g, "take sda")
    found = devices(g)
    assert found["synda"]["driver"] == "synth_blk", found
    assert found["sdb"]["driver"] == "hv_storvsc", found
    assert found["sdb"]["guid"] == other
    assert "driver_override" in found["synda"]["why"]
    same_data(g, "synda")
    assert g.run("cat /sys/module/synth_blk_hv/version").out.strip()


def gives_back(g):
    """And back, with its data."""
    tool(g, "give-back synda")
    found = devices(g)
    assert {d["driver"] for d in found.values()} == {"hv_storvsc"}, found
    [name] = [n for n in found if n != "sdb"]
    same_data(g, name)


def boots(g):
    """hand-over moves it as at boot, once; udev may call it again and again."""
    [guid] = [d["guid"] for n, d in devices(g).items() if n != "sdb"]
    g.run("rmmod synth_blk_hv")
    for _ in range(2):
        g.run(f"sh /scratch/hand-over {guid} synth_blk", 120)
        assert devices(g)["synda"]["driver"] == "synth_blk"
    same_data(g, "synda")
    tool(g, "give-back synda")


def boots_without(g):
    """Where the module is missing, the kernel's driver keeps the disk."""
    guid = devices(g)["sdb"]["guid"]
    rel = g.kernel.release
    g.run(f"rmmod synth_blk_hv && rm /usr/lib/modules/{rel}/updates/synth_blk_hv.ko && "
          f"depmod {rel}", 120)
    out = g.run(f"sh /scratch/hand-over {guid} synth_blk", 120).out
    assert "is not to be had" in out, out
    assert devices(g)["sdb"]["driver"] == "hv_storvsc"
    g.run("dd if=/dev/sdb of=/dev/null bs=64k count=16 2>/dev/null")


def reports(g):
    """A report can be made, and has the kernel's log."""
    tool(g, "report -o /scratch/report.tar.gz")
    path = os.path.join(g.scratch, "report.tar.gz")
    names = subprocess.run(["tar", "-tzf", path], text=True, check=True,
                           stdout=subprocess.PIPE).stdout
    assert "synthio-report/dmesg\n" in names, names
    assert "synthio-report/sys/module/hv_vmbus/version\n" in names, names


def main():
    """Builds the modules, runs the steps in one guest."""
    with Tap() as tap:
        if not LONG:
            tap.skip("hand-over in a guest", "LONG=1 runs it")
            return
        if not build_modules(tap, "distro", "stock", "hv"):
            return
        tap.guest("hand-over", Guest("package-handover", host=host),
                  *((f.__doc__.split("\n", maxsplit=1)[0].rstrip("."), f) for f in
                    (prepare, refuses, takes, gives_back, boots, boots_without,
                     reports)))


if __name__ == "__main__":
    main()
