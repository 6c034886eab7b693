#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The distribution's own drivers, unmodified and unforced, on our channel.

They were written against other hosts and another channel, so what passes here
is not a mistake that both of our sides make.
"""

import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vm"))
# pylint: disable=wrong-import-position
from guest import Guest     # noqa: E402
from steps import LONG, MB, disk, disk_sum, file_sum, image, io_flows, \
    nothing_leaked, type_keys, wait_for     # noqa: E402
from tap import Tap         # noqa: E402

SCSI = "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"
SECONDS = int(os.environ.get("FIO_SECONDS") or (60 if LONG else 8))
DRIVERS = ("hv_storvsc", "hv_netvsc", "hyperv_drm", "hid-hyperv",
           "hyperv-keyboard", "hv_utils", "hv_sock")


def channel_loads(g):
    """The drop-in connects at the newest version that the host speaks."""
    g.load("stock")
    m = g.wait_console(r"hv_vmbus: VMBus version (\S+) over ivshmem", 20)
    assert m[1] == "5.3", m[1]


def drivers_load(g):
    """Names, CRCs and vmbus_proto_version are what each driver expects."""
    for driver in DRIVERS:
        g.run(f"modprobe {driver}")
        used = g.run("lsmod | awk '$1 == \"hv_vmbus\" { print $4 }'").out
        assert driver.replace("-", "_") in used, f"{driver}: {used}"
    out = g.run("cat /proc/modules").out
    taint = re.search(r"^hv_vmbus .*\((\w+)\)", out, re.M)
    assert taint and "F" not in taint[1], out
    for other in ("hv_netvsc", "hyperv_drm", "hid-hyperv", "hv_utils",
                  "hv_sock"):
        g.run(f"modprobe -r {other}")


def lsvmbus(g):
    """The kernel's own tool, unmodified, lists what the host offers."""
    out = g.run("python3 /synthio/source/tools/hv/lsvmbus"
                " -vv").out
    for line in ("Synthetic SCSI Controller", "Synthetic keyboard"):
        assert line in out, out
    assert re.search(r"Rel_ID=\d+, target_cpu=\d+", out), out


def disk_appears(g):
    """storvsc finds both LUNs, and sd what they are."""
    g.run("modprobe sd_mod")
    a, b = disk(g, 0), disk(g, 1)
    out = g.run(f"blockdev --getsize64 /dev/{a}; blockdev --getro /dev/{b};"
                f"cat /sys/block/{a}/queue/logical_block_size").out.split()
    assert out == [str(256 * MB), "1", "512"], out


def filesystem(g):
    """ext4 is made and mounted; what is copied to it can be read back."""
    dev = "/dev/" + disk(g, 0)
    out = g.run(f"mkfs.ext4 -q {dev} && mount {dev} /mnt &&"
                "dd if=/dev/urandom of=/tmp/src bs=1M count=48 status=none &&"
                "cp /tmp/src /mnt/copy && umount /mnt &&"
                f"mount -o ro {dev} /mnt && sha256sum /tmp/src /mnt/copy;"
                "umount /mnt; rm /tmp/src", 120).out
    sums = re.findall(r"^[0-9a-f]{64}", out, re.M)
    assert len(sums) == 2 and sums[0] == sums[1], out


def read_only(g):
    """A read-only LUN takes no write."""
    done = g.sh(f"dd if=/dev/zero of=/dev/{disk(g, 1)} bs=4k count=1"
                " oflag=direct")
    assert done.rc, done.out


def fio_verify(g):
    """Random writes, each verified; then the host's file."""
    dev = "/dev/" + disk(g, 0)
    job = (f"fio --name=v --filename={dev} --rw=randwrite --bsrange=512-128k"
           f" --bs_unaligned=0 --direct=1 --ioengine=libaio --iodepth=16"
           f" --verify=crc32c --verify_backlog=256 --do_verify=1"
           f" --time_based --runtime={SECONDS} --size=256m --randseed=7"
           f" --norandommap=0 --group_reporting")
    out = g.run(job, SECONDS * 3 + 60).out
    assert "err= 0" in out, out
    inside, outside = disk_sum(g, disk(g, 0)), file_sum(g, "a.img")
    assert inside == outside, f"{inside} in the guest, {outside} on the host"
    return re.search(r"write: .*", out)[0]


def hot_add(g):
    """A LUN that is added while the guest runs is found without a rescan."""
    path = image(g, "c.img", 32)
    g.ctl("add", f"c0,lun=5,file={path}")
    g.run(f"dd if=/dev/urandom of=/dev/{disk(g, 5)} bs=1M count=8 oflag=direct")


def resize(g):
    """A disk that grows is seen to have grown."""
    os.truncate(os.path.join(g.scratch, "c.img"), 64 * MB)
    g.ctl("resize", "c0", "5")
    dev = disk(g, 5)
    # hv_storvsc lets the unit attention pass: somebody has to ask
    wait_for(g, f"dd if=/dev/{dev} of=/dev/null bs=4k count=1 iflag=direct;"
             f"echo 1 >/sys/class/block/{dev}/device/rescan;"
             f"test $(blockdev --getsize64 /dev/{dev}) = {64 * MB}",
             "the disk has not grown")
    g.run(f"dd if=/dev/zero of=/dev/{dev} bs=1M seek=40 count=4 oflag=direct")


def hot_remove(g):
    """A LUN that is taken away goes."""
    g.ctl("remove", "c0", "5")
    wait_for(g, "! ls -d /sys/class/scsi_device/*:5 2>/dev/null",
             "LUN 5 is still there")


def rescind(g):
    """The controller goes during I/O, with its I/O completed, and returns."""
    before = g.run("ls /sys/bus/vmbus/devices | wc -l").out
    dev = disk(g, 0)
    job = g.spawn(f"fio --name=r --filename=/dev/{dev} --rw=randrw --bs=16k"
                  " --direct=1 --ioengine=libaio --iodepth=32 --time_based"
                  " --runtime=60 --size=200m --allow_file_create=0", 90)
    io_flows(g, dev, 500)
    g.ctl("rescind", "c0")
    wait_for(g, f"test $(grep -li {SCSI} /sys/bus/vmbus/devices/*/class_id |"
             " wc -l) = 1", "the controller is still there")
    done = job.wait()
    assert done.rc, "fio has not noticed that its disk went"
    wait_for(g, "! ls /sys/class/scsi_device/*:0:0:0 2>/dev/null",
             "the disk is still there")
    g.ctl("offer", "c0")
    dev = disk(g, 0)
    after = g.run("ls /sys/bus/vmbus/devices | wc -l").out
    assert before == after, f"{before} devices before, {after} after"
    g.run(f"dd if=/dev/{dev} of=/dev/null bs=1M count=16 iflag=direct")


def rescind_often(g):
    """Rescinds and offers in quick succession, some in the middle of open.

    Of the keyboard: hv_storvsc's probe waits without end for what a host that
    has gone does not answer.
    """
    for i in range(20):
        g.ctl("rescind", "kbd", "now")
        g.ctl("offer", "kbd")
        time.sleep(0.05 * (i % 4))
    wait_for(g, "grep -q 'AT Translated' /sys/bus/vmbus/devices/*/serio*/"
             "input/input*/name", "no keyboard in the end", 60)
    nothing_leaked(g)


def keyboard(g):
    """What is typed on the host arrives in the guest as key events."""
    g.run("modprobe evdev")
    type_keys(g, "Hello, 42", [42, 35, 18, 38, 38, 24, 51, 57, 5, 3])


def stats(g):
    """Not one signal was sent that the protocol does not ask for.

    The host counts anew when it offers a channel again.
    """
    out = g.ctl("stats", "json")
    found = json.loads(out)
    assert {"c0", "c1", "kbd"} <= {c["device"] for c in found}, out
    assert not any(c["signals_needless"] for c in found), out
    return found


def busy_stats(g):
    """... and not one in all that fio has done, which was something."""
    disks = [c for c in stats(g) if c["device"] == "c0"]
    for way in ("packets_in", "packets_out"):
        assert sum(c[way] for c in disks) > 1000, disks
    return ", ".join(f"{sum(c[k] for c in disks)} {k}" for k in (
        "packets_in", "signals_in", "signals_out"))


def unloads(g):
    """Drivers and channel go, and leave nothing."""
    g.run("rmmod hyperv_keyboard; ! grep -q ^sd_mod /proc/modules ||"
          "rmmod sd_mod && rmmod hv_storvsc &&"
          "rmmod hv_vmbus")
    g.run("test -z \"$(ls -A /sys/bus/vmbus 2>/dev/null)\"")


def devices(g):
    """Two controllers, two LUNs on one, and a keyboard."""
    return ["--scsi", "c0", "--disk",
            f"c0,lun=0,file={image(g, 'a.img', 256)},serial=first",
            "--disk", f"c0,lun=1,file={image(g, 'b.img', 16)},readonly",
            "--scsi", "c1", "--keyboard"]


def main():
    """Runs the tests."""
    g = Guest("stock", limit=900 + 3 * SECONDS, host=devices)
    with Tap() as tap:
        tap.guest(
            "stock", g,
            ("the drop-in connects", channel_loads),
            ("seven of the distribution's drivers load unforced",
             drivers_load),
            ("lsvmbus lists the devices", lsvmbus),
            ("storvsc and sd find the disks", disk_appears),
            ("ext4 holds what was copied", filesystem),
            ("a read-only disk refuses writes", read_only),
            ("fio verifies random writes, the host's file agrees", fio_verify),
            ("statistics of that", busy_stats),
            ("hot add", hot_add), ("resize", resize),
            ("hot remove", hot_remove),
            ("a rescind during I/O, and a new offer", rescind),
            ("rescinds in quick succession", rescind_often),
            ("typing", keyboard), ("statistics", stats),
            ("everything unloads", unloads))


if __name__ == "__main__":
    main()
