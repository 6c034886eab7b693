# SPDX-License-Identifier: GPL-2.0-only
"""Disks of OpenVMM: data, flushes, discard, read-only, a DVD drive beside a disk,
hot plug. What was written is read on the host's side, too."""

import re

from lib import CLASSES, devices, disk, driver_of, gone
from openvmm import DISK, DVD, LOCKED, MB, MEMORY, image
from steps import wait_for

ADDED = 24 * MB


def far_sum(g, size, skip=0, count=None):
    """Checksum of a part of a disk's file in the outer guest, in MiB."""
    return g.outer.run(f"dd if={image(size)} bs=1M skip={skip} "
                       f"{'' if count is None else f'count={count}'} 2>/dev/null"
                       " | sha256sum").out.split()[0]


def near_sum(g, dev, skip=0, count=None):
    """The same, as the guest reads it past its cache."""
    return g.run(f"dd if=/dev/{dev} bs=1M skip={skip} iflag=direct "
                 f"{'' if count is None else f'count={count}'} 2>/run/dd | "
                 "sha256sum || cat /run/dd", 90).out.split()[0]


def appear(g):
    """Each disk is there, with its size, on the driver that it should be."""
    found = {disk(g, size): size for size in (DISK, LOCKED, MEMORY)}
    wanted = CLASSES["disk"][1 if g.setup.ours else 0]
    used = {driver_of(g, d) for d in devices(g, "disk")}
    assert used == {wanted}, used
    assert all(n.startswith("synd" if g.setup.ours else "sd")
               for n in found), found
    return " ".join(f"{name}: {size // MB} MiB" for name, size in found.items())


def verify(g):
    """fio writes at random and reads back, on two controllers at once."""
    for size in (DISK, MEMORY):
        dev = disk(g, size)
        out = g.run("fio --name=v --filename=/dev/" + dev +
                    " --rw=randwrite --bsrange=512-64k --size=16m --io_size=8m "
                    "--direct=1 --ioengine=libaio --iodepth=16 --verify=crc32c "
                    "--do_verify=1 --randseed=3 --allow_file_create=0", 240).out
        assert "err= 0" in out and "verify:" not in out, out


def filesystem(g):
    """ext4: what was synced is there after it was mounted anew, and fsck is
    content."""
    dev = disk(g, DISK)
    g.run(f"mkfs.ext4 -q -F /dev/{dev} 128M && mkdir -p /mnt && "
          f"mount -t ext4 /dev/{dev} /mnt && "
          "dd if=/dev/urandom of=/mnt/a bs=64k count=64 conv=fsync 2>/dev/null "
          "&& sha256sum /mnt/a >/run/sum && umount /mnt && "
          "echo 3 >/proc/sys/vm/drop_caches && "
          f"mount -t ext4 /dev/{dev} /mnt && sha256sum -c /run/sum && rm /mnt/a "
          f"&& umount /mnt && fsck.ext4 -f -n /dev/{dev}", 240)


def flushes(g):
    """What was flushed lies in the host's file; a write to the device that is
    not direct, too."""
    dev = disk(g, DISK)
    g.run(f"dd if=/dev/urandom of=/dev/{dev} bs=1M seek=200 count=4 conv=fsync "
          "2>/dev/null")
    assert near_sum(g, dev, 200, 4) == far_sum(g, DISK, 200, 4)


def blocks(g, size):
    """How much of a disk's file is no hole, bytes."""
    return 512 * int(g.outer.run(f"stat -c %b {image(size)}").out)


def discard(g):
    """What is discarded becomes a hole on the host, and only that."""
    dev = disk(g, DISK)
    limit = int(g.run(f"cat /sys/block/{dev}/queue/discard_max_bytes").out)
    assert limit, "it discards nothing"
    g.run(f"dd if=/dev/urandom of=/dev/{dev} bs=1M seek=300 count=32 "
          "oflag=direct 2>/dev/null", 90)
    rest = far_sum(g, DISK, 316, 16)
    before = blocks(g, DISK)
    g.run(f"/prog/blkdiscard -o {300 * MB} -l {16 * MB} /dev/{dev}", 90)
    after = blocks(g, DISK)
    assert before - after == 16 * MB, (before, after)
    assert far_sum(g, DISK, 316, 16) == rest
    assert near_sum(g, dev, 316, 16) == rest


def zeroes(g):
    """blkdiscard -z: zeroes on both sides."""
    dev = disk(g, DISK)
    g.run(f"dd if=/dev/urandom of=/dev/{dev} bs=1M seek=350 count=4 "
          f"oflag=direct 2>/dev/null; /prog/blkdiscard -z -o {350 * MB} -l {4 * MB} "
          f"/dev/{dev}", 90)
    zero = g.run(f"head -c {4 * MB} /dev/zero | sha256sum").out.split()[0]
    assert near_sum(g, dev, 350, 4) == zero == far_sum(g, DISK, 350, 4)


def read_only(g):
    """Nothing can be written to it, and it reads as the host has it."""
    dev = disk(g, LOCKED)
    assert g.run(f"cat /sys/block/{dev}/ro").out.strip() == "1"
    wanted = far_sum(g, LOCKED)
    assert near_sum(g, dev) == wanted
    assert g.sh(f"dd if=/dev/zero of=/dev/{dev} bs=4k count=1 oflag=direct").rc
    assert far_sum(g, LOCKED) == wanted


def dvd(g):
    """The distribution's driver reads the DVD; ours takes the disk beside it, and
    says what it has left."""
    if g.setup.ours:
        disk(g, MEMORY)
        said = re.search(r"synth_blk.* LUN 1 is of type 5[^\n]*",
                         g.run("dmesg").out)
        assert said, "the log does not say that there is a DVD drive"
        return said[0]
    wait_for(g, "test -b /dev/sr0", "no DVD drive")
    assert near_sum(g, "sr0") == far_sum(g, DVD)
    return None


def hot_plug(g):
    """A disk that is added and taken away while OpenVMM runs, thrice."""
    for lun in (0, 5, 0):
        g.command(f"add-disk --lun {lun} --ram {ADDED}")
        dev = disk(g, ADDED, 60)
        g.run(f"dd if=/dev/urandom of=/run/data bs=1M count=2 2>/dev/null; "
              f"dd if=/run/data of=/dev/{dev} bs=1M oflag=direct 2>/dev/null; "
              f"dd if=/dev/{dev} bs=1M count=2 iflag=direct 2>/dev/null | "
              "cmp - /run/data", 60)
        g.command(f"rm-disk --target 0 --path 0 --lun {lun}")
        gone(g, ADDED, 60)


TESTS = (
    ("disks appear", appear),
    ("disks: fio verifies", verify),
    ("disks: ext4", filesystem),
    ("disks: what was flushed is on the host", flushes),
    ("disks: discard", discard),
    ("disks: zeroes", zeroes),
    ("disks: read-only", read_only),
    ("disks: a DVD drive beside one", dvd),
    ("disks: hot plug", hot_plug),
)
