#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Disks as people use them: what they are, data, file systems, changes.

    c0  two channels: c0-0 data, c0-1 sectors of 4096, c0-2 read-only,
        c0-3 without UNMAP
    c1  c1-0 data, c1-1 rotational without a write cache, c1-2 with limits of
        its own for discard, c1-3 partitions
    c2  a DVD drive and a disk
    i0  an IDE controller with one disk

Ours has all of it; dropin.py has as much as makes sense with our driver and the
distribution's on the drop-in hv_vmbus.
"""

import json
import os
import random
import re
import shutil

from lib import (BlockGuest, console_says, contents, controller, disk, disk_goes, fill,
                 fio_verify, host_counts, Load, LONG, Lun, MB, memory,
                 nothing_leaked, OWN, pattern, queue, same_bytes, same_data,
                 wait_for)
from kernels import TOP
from tap import Skip, Tap

SECONDS = int(os.environ.get("FIO_SECONDS") or (60 if LONG else 8))
LOADS = 100 if LONG else 10

GETGEO = ("import fcntl, struct, sys; print(*struct.unpack(\"BBHL\", "
          "fcntl.ioctl(open(sys.argv[1]), 0x301, bytes(16)))[:3])")

# name: size, sector, read-only, write cache, FUA, rotational
EXPECT = {
    "c0-0": (48, 512, 0, 1, 1, 0), "c0-1": (32, 4096, 0, 1, 1, 0),
    "c0-2": (16, 512, 1, 1, 1, 0), "c0-3": (32, 512, 0, 1, 1, 0),
    "first": (64, 512, 0, 1, 1, 0), "c1-1": (32, 512, 0, 0, 0, 1),
    "c1-2": (32, 512, 0, 1, 1, 0), "c1-3": (32, 512, 0, 1, 1, 0),
    "i0-0": (16, 512, 0, 1, 1, 0),
}


class DiskGuest(BlockGuest):
    """A guest with the disks named above."""

    def __init__(self, name, driver, **kw):
        super().__init__(name, driver, [
            Lun("c0", 0, 48), Lun("c0", 1, 32, "sector=4096"),
            Lun("c0", 2, 16, "readonly"), Lun("c0", 3, 32, "unmap=off"),
            Lun("c1", 0, 64, "serial=first,naa=5000c500a1b2c3d4"),
            Lun("c1", 1, 32, "rotational,write-cache=off"),
            Lun("c1", 2, 32, "discard-granularity=64K,discard-alignment=16K,"
                "discard-max=1M"),
            Lun("c1", 3, 32), Lun("c2", 1, 16),
        ], {"c0": "subchannels=1"}, [
            "--disk", "c2,lun=0,file={}/c2-0.img,type=dvd",
            "--ide", "i0,target=1,file={}/i0-0.img"], **kw)
        self.ide = Lun("i0", 0, 16)

    def start_host(self):
        os.makedirs(self.scratch, exist_ok=True)
        for lun in (Lun("c2", 0, 4), self.ide):
            self.option(lun)        # makes its file
        super().start_host()

    def lun(self, serial):
        return self.ide if serial == "i0-0" else super().lun(serial)


def start(g):
    """Loads channel and driver; the disks come."""
    if g.driver.bus == "stock":
        g.run("test -e /sys/module/hv_vmbus || insmod /synthio/build/"
              f"{g.kernel.release}/stock/channel/hv_vmbus.ko")
    else:
        g.load("own")
    g.driver.load(g)
    for serial in EXPECT:
        disk(g, serial)


# -- what they are ------------------------------------------------------------

def appear(g):
    """Size, sector, read-only, cache, FUA, rotational are as the host says."""
    start(g)
    for serial, (mb, sector, ro, cache, fua, rot) in EXPECT.items():
        dev = disk(g, serial)
        size, readonly = g.run(f"blockdev --getsize64 --getro /dev/{dev}"
                               ).out.split()
        found = (int(size), int(readonly), *queue(
            g, dev, "logical_block_size", "write_cache", "fua", "rotational",
            "physical_block_size"))
        wanted = (mb * MB, ro, str(sector),
                  "write back" if cache else "write through", str(fua),
                  str(rot), "4096")
        assert found == wanted, f"{serial}: {found}, not {wanted}"


def names(g):
    """model, serial, wwid, address; names are letters, each used once."""
    out = g.run("cd /sys/block; for d in synd*; do echo $d $(cat $d/serial)"
                " $(cat $d/wwid) $(cat $d/address) $(cat $d/vendor),"
                "$(cat $d/model),$(cat $d/firmware_rev); done").out
    rows = [x.split(None, 4) for x in out.splitlines()]
    assert sorted(r[0] for r in rows) == [
        "synd" + c for c in "abcdefghi"], out
    by = {r[1]: r for r in rows}
    assert by["first"][2] == "naa.5000c500a1b2c3d4", out
    assert by["first"][3] == "0:0" and by["c1-3"][3] == "0:3", out
    assert by["i0-0"][3] == "1:0", out
    wwids = [r[2] for r in rows]
    assert len(set(wwids)) == len(wwids), out
    assert all(re.match(r"(naa|eui|t10)\.\S+$", w) for w in wwids), out
    models = {r[4] for r in rows}
    assert len(models) == 1 and re.match(r"[^,]+,[^,]+,[^,]+$", rows[0][4]), out


def limits(g):
    """Transfer and discard limits are the host's, and 0 where it has none."""
    got = queue(g, disk(g, "c0-0"), "max_hw_sectors_kb",
                "discard_max_hw_bytes", "discard_granularity",
                "write_zeroes_max_bytes", "dma_alignment", "max_segments")
    assert got[0] == "1024" and int(got[1]) >= 1 << 30, got
    assert got[2] == "4096" and int(got[3]) >= 1 << 30, got
    assert got[4] == "3", got
    # pages of 1 MiB, of which the first and the last may be parts
    assert got[5] == "257", got
    geometry = g.run(f"python3 -c '{GETGEO}' /dev/{disk(g, 'first')}").out
    assert geometry.split() == ["255", "63", str(64 * MB // 512 // 255 // 63)
                                ], geometry
    for serial, kind in (("c0-0", "write back"), ("c1-1", "write through")):
        assert g.run(f"cat /sys/block/{disk(g, serial)}/cache_type"
                     ).out.strip() == kind, serial
    got = queue(g, disk(g, "c0-3"), "discard_max_hw_bytes",
                "write_zeroes_max_bytes")
    assert got[0] == "0" and int(got[1]) > 0, got
    dev = disk(g, "c1-2")
    got = queue(g, dev, "discard_max_hw_bytes", "discard_granularity")
    assert got == [str(MB), "65536"], got


def lsblk(g):
    """lsblk tells what they are."""
    rows = json.loads(g.run("lsblk -J -b -o NAME,SIZE,RO,TYPE,LOG-SEC,PHY-SEC,"
                            "ROTA,DISC-GRAN").out)["blockdevices"]
    by = {r["name"]: r for r in rows}
    for serial, (mb, sector, ro, _, _, rot) in EXPECT.items():
        r = by[disk(g, serial)]
        found = (int(r["size"]), r["type"], bool(r["ro"]), r["log-sec"],
                 bool(r["rota"]))
        assert found == (mb * MB, "disk", bool(ro), sector, bool(rot)), r


def partitions(g):
    """What sfdisk writes becomes partition nodes; they can be changed."""
    dev = disk(g, "c1-3")
    g.run(f"printf ',8M\\n,,\\n' | sfdisk -q --label gpt /dev/{dev}")
    wait_for(g, f"test -b /dev/{dev}1 && test -b /dev/{dev}2",
             "no partitions")
    sizes = g.run(f"cat /sys/block/{dev}/{dev}[12]/size").out.split()
    assert sizes[0] == str(8 * MB // 512) and int(sizes[1]) > 40000, sizes
    done = pattern(g, f"/dev/{dev}1", 16, 0x5a)
    assert done.rc == 0, done.out
    first = int(g.run(f"cat /sys/block/{dev}/{dev}1/start").out) * 512
    data = contents(g, g.lun("c1-3"))
    assert data[first:first + 65536] == b"\x5a" * 65536
    kind = g.run(f"lsblk -nro NAME,TYPE /dev/{dev}").out.split()
    assert kind == [dev, "disk", f"{dev}1", "part", f"{dev}2", "part"], kind
    g.run(f"sfdisk -q --delete /dev/{dev} 1")
    wait_for(g, f"! test -b /dev/{dev}1 && test -b /dev/{dev}2",
             "the partition is still there")


def udev_links(g):
    """udev's rule names disks, partitions and file systems."""
    rule = os.path.join(TOP, "packaging/udev/60-synth-blk.rules")
    if not os.path.exists(rule):
        raise Skip("there is no udev rule")
    shutil.copy(rule, g.scratch)
    part = disk(g, "c1-3") + "2"
    uuid = "01234567-89ab-4cde-8123-456789abcdef"
    g.run(f"mkfs.ext4 -q -U {uuid} -L home /dev/{part} &&"
          " mkdir -p /run/udev/rules.d && cp /scratch/60-synth-blk.rules"
          " /run/udev/rules.d && /usr/lib/systemd/systemd-udevd --daemon &&"
          " udevadm trigger --subsystem-match=block && udevadm settle", 120)
    out = g.run("cd /dev/disk && for l in */*; do"
                " echo $l $(basename $(readlink $l)); done").out
    links = dict(x.split() for x in out.splitlines())
    g.run("udevadm control --exit")
    wanted = {f"by-id/synthio-{s}": disk(g, s) for s in EXPECT}
    wanted["by-id/synthio-c1-3-part2"] = part
    wanted["by-id/wwn-0x5000c500a1b2c3d4"] = disk(g, "first")
    # what hv_storvsc and udev's own rules call them
    wanted["by-id/scsi-35000c500a1b2c3d4"] = disk(g, "first")
    naa = g.run(f"cat /sys/block/{disk(g, 'c1-3')}/wwid").out.strip()
    assert re.fullmatch(r"naa\.6002248[0-9a-f]{25}", naa), naa
    wanted[f"by-id/scsi-3{naa[4:]}"] = disk(g, "c1-3")
    wanted[f"by-id/scsi-3{naa[4:]}-part2"] = part
    wanted[f"by-uuid/{uuid}"] = wanted["by-label/home"] = part
    for link, dev in wanted.items():
        assert links.get(link) == dev, f"{link} is not {dev}:\n{out}"
    assert sum(x.startswith("by-path/") for x in links) >= len(EXPECT), out


def mixed_refused(g):
    """A controller with a DVD drive is left alone, and the log says why."""
    assert re.search(r"target 0 LUN 0 is of type 5, not a disk: the controller is"
                     r" left to hv_storvsc", g.console_text()), g.tail()
    assert not g.run(g.driver.find("c2-1") + "; true").out.strip()


def mixed_taken(g):
    """... and used with ignore_non_disks=1, or its old name, but for the drive."""
    g.driver.unload(g)
    at = len(g.console_text())
    g.driver.load(g, "mixed=1")
    disk(g, "c2-1")
    console_says(g, at, r"the parameter mixed is now ignore_non_disks")
    g.driver.unload(g)
    g.driver.load(g, "ignore_non_disks=1")
    dev = disk(g, "c2-1")
    g.run(f"dd if=/dev/{dev} of=/dev/null bs=1M iflag=direct")
    ctrl = controller(g, dev)
    assert g.run(f"ls -d {ctrl}/block/* | wc -l").out.strip() == "1"
    g.driver.unload(g)
    g.driver.load(g)
    for serial in EXPECT:
        disk(g, serial)


# -- data ---------------------------------------------------------------------

def verify_raw(g):
    """fio on two controllers at once, any block size, 16 at a time."""
    return fio_verify(g, ["c0-0", "first"], SECONDS, "512-128k")


def verify_4k(g):
    """The same with sectors of 4096, and on an IDE controller."""
    return fio_verify(g, ["c0-1"], max(3, SECONDS // 3), "4k-128k",
                      opts="--size=15m") + fio_verify(
        g, ["i0-0"], max(3, SECONDS // 3), "512-64k", opts="--size=15m")


def odd_alignment(g):
    """Direct I/O of memory at any multiple of 4 bytes."""
    if not g.driver.synthetic and g.kernel.name == "debug":
        # the DMA API's check: two buffers may lie in one cache line here
        raise Skip("hv_storvsc maps memory for DMA, a cache line only once")
    out = ""
    for serial, sector in (("c0-0", 512), ("c0-1", 4096)):
        out = g.run(f"python3 /synthio/tests/suites/block/odd.py /dev/"
                    f"{disk(g, serial)} {sector}", 120).out
        same_data(g, serial)
    return out


def large(g):
    """Transfers of 1 MiB go to the host as one."""
    dev = disk(g, "c0-0")
    g.run(f"echo 1024 >/sys/block/{dev}/queue/max_sectors_kb")
    before = host_counts(g, "c0-0")
    g.run(f"dd if=/dev/{dev} of=/dev/null bs=1M count=16 iflag=direct &&"
          f"dd if=/dev/zero of=/dev/{dev} bs=1M count=16 oflag=direct")
    after = host_counts(g, "c0-0")
    reads = after["reads"] - before["reads"]
    writes = after["writes"] - before["writes"]
    # memory that is not contiguous in the guest is no reason to split
    assert reads <= 20 and writes <= 20, (before, after)


def filesystem(kind):
    """Makes a test of a file system."""
    serial = {"ext4": "c0-0", "xfs": "first"}[kind]
    # xfs will have no log smaller than 64 MB but for its own tests
    options = {"ext4": "-q -F", "xfs": "-q -f -K --unsupported"}[kind]

    def test(g):
        dev, lun = "/dev/" + disk(g, serial), g.lun(serial)
        fill(g, lun)
        g.run(f"modprobe {kind} && mkfs.{kind} {options} {dev} &&"
              f" mount {dev} /mnt", 90)
        g.run("dd if=/dev/urandom of=/run/src bs=1M count=12 status=none &&"
              "cp /run/src /mnt/a && cp /run/src /mnt/b && mkdir /mnt/d &&"
              "for i in $(seq 40); do echo $i >/mnt/d/$i; done;"
              "sync; rm /mnt/b; sync", 90)
        before = os.stat(g.path(lun)).st_blocks
        trimmed = g.run("fstrim -v /mnt", 60).out
        after = os.stat(g.path(lun)).st_blocks
        amount = int(re.search(r"\((\d+) bytes\)", trimmed)[1])
        assert amount > 16 * MB and before - after > 12 * MB // 512, \
            f"{trimmed} {before} {after}"
        g.run(f"umount /mnt && mount -o ro {dev} /mnt && cmp /run/src /mnt/a &&"
              "test $(cat /mnt/d/* | sort -n | tail -1) = 40;"
              "x=$?; umount /mnt; rm /run/src; exit $x", 90)
        check = {"ext4": "e2fsck -fn", "xfs": "xfs_repair -n"}[kind]
        g.run(f"{check} {dev} 2>&1", 90)
        same_data(g, serial)
    return test


def discard(serial, granule, shift=0, unmaps=True):
    """Makes a test of discard and zeroes, byte by byte on the host's file.

    granule, shift: of the disk's discards, bytes
    """
    def ranges(sector):
        rng = random.Random(11)
        fixed = [(0, granule), (granule * 3 + sector, granule * 4),
                 (granule * 11, granule * 2 + sector), (sector * 7, sector),
                 (shift + granule * 20, 9 * granule)]
        return fixed + [
            (2 * MB + i * MB // 4 + rng.randrange(64) * sector,
             rng.randrange(1, MB // 8 // sector) * sector) for i in range(5)]

    def test(g):
        lun = g.lun(serial)
        dev = "/dev/" + disk(g, serial)
        sector = int(queue(g, dev[5:], "logical_block_size")[0])
        model = bytearray(fill(g, lun))
        g.run(f"blockdev --flushbufs {dev}")

        def zero(offset, length):
            model[offset:offset + length] = bytes(length)

        def issue(tool, base):
            return g.sh("".join(
                tool.format(base + o, n) + f" {dev} || exit\n"
                for o, n in ranges(sector)), 90)

        done = issue("blkdiscard -o {} -l {}", 0)
        found = contents(g, lun)
        if unmaps:
            assert done.rc == 0, done.out
            for offset, length in ranges(sector):
                # whole granules go; what is less may go, nothing else does
                low = -(-(offset - shift) // granule) * granule + shift
                high = (offset + length - shift) // granule * granule + shift
                zero(low, max(0, high - low))
                for at in range(offset, offset + length, sector):
                    if not any(found[at:at + sector]):
                        zero(at, sector)
        else:
            assert done.rc, "a disk without UNMAP took a discard"
        same_bytes(found, model, "after discard")

        blocks = os.stat(g.path(lun)).st_blocks
        for base, tool in ((8 * MB, "blkdiscard -z -o {} -l {}"),
                           (16 * MB, "fallocate -z -n -o {} -l {}"),
                           (24 * MB, "fallocate -p -o {} -l {}")):
            done = issue(tool, base)
            # hv_storvsc may know no way for this one: it asks for it by the
            # version of whichever controller came last
            if g.driver.synthetic or base != 24 * MB or not done.rc:
                assert done.rc == 0, done.out
                for offset, length in ranges(sector):
                    zero(base + offset, length)
            same_bytes(contents(g, lun), model, tool)
        if unmaps and g.driver.synthetic:
            assert os.stat(g.path(lun)).st_blocks < blocks, \
                "fallocate -p has punched no holes"
        same_data(g, serial)
    return test


def flushes(g):
    """What waits for the disk is a flush, or FUA; without a cache neither."""
    dev = disk(g, "c0-0")
    before = host_counts(g, "c0-0")
    g.run(f"dd if=/dev/zero of=/dev/{dev} bs=4k count=8 oflag=direct"
          " conv=fsync")
    after = host_counts(g, "c0-0")
    assert after["writes"] - before["writes"] == 8, (before, after)
    assert after["flushes"] - before["flushes"] == 1, (before, after)
    before = after
    g.run(f"dd if=/dev/zero of=/dev/{dev} bs=4k count=8 oflag=direct,dsync")
    after = host_counts(g, "c0-0")
    assert after["writes"] - before["writes"] == 8, (before, after)
    assert after["flushes"] - before["flushes"] == 8, (before, after)
    # sd has such a disk do without
    fua = 8 if g.driver.synthetic else 0
    assert after["fua"] - before["fua"] >= fua, (before, after)
    before = host_counts(g, "c1-1")
    g.run(f"dd if=/dev/zero of=/dev/{disk(g, 'c1-1')} bs=4k count=8"
          " oflag=direct conv=fsync")
    after = host_counts(g, "c1-1")
    assert after["writes"] - before["writes"] == 8, (before, after)
    assert after["flushes"] == before["flushes"], (before, after)
    assert after["fua"] == before["fua"], (before, after)


def read_only(g):
    """A read-only disk takes no write, by any way."""
    dev = "/dev/" + disk(g, "c0-2")
    before = contents(g, g.lun("c0-2"))
    for script in (f"dd if=/dev/zero of={dev} bs=4k count=1 oflag=direct",
                   f"blkdiscard -o 0 -l 1M {dev}", f"blkdiscard -z {dev}"):
        assert g.sh(script).rc, script
    # whoever makes it writable in the guest meets the host's refusal
    g.run(f"blockdev --setrw {dev}")
    done = g.sh(f"dd if=/dev/zero of={dev} bs=4k count=1 oflag=direct")
    assert done.rc, done.out
    g.run(f"blockdev --setro {dev}")
    same_bytes(contents(g, g.lun("c0-2")), before, "a read-only disk")


# -- what changes -------------------------------------------------------------

def resize(g):
    """A disk grows and shrinks under load, which nobody has to look for."""
    dev = disk(g, "first")
    lun = g.lun("first")
    load = Load(g, dev, verify=True)
    for mb in (80, 48, 64):
        os.truncate(g.path(lun), mb * MB)
        g.ctl("resize", "c1", "0")
        wait_for(g, f"test $(blockdev --getsize64 /dev/{dev}) = {mb * MB}",
                 f"not {mb} MB")
        load.flows()
    load.ends_well()
    g.run(f"dd if=/dev/zero of=/dev/{dev} bs=1M seek=63 count=1 oflag=direct")
    assert g.sh(f"dd if=/dev/{dev} of=/dev/null bs=1M skip=64 count=1"
                " iflag=direct 2>&1 | grep -q '^1+0 records in'").rc


def hot_add(g):
    """A disk that is added is there, by itself."""
    lun = Lun("c1", 9, 32)
    g.ctl("add", g.option(lun))
    g.luns.append(lun)
    dev = disk(g, "c1-9")
    g.run(f"dd if=/dev/urandom of=/dev/{dev} bs=1M count=8 oflag=direct")
    same_data(g, "c1-9")


def hot_remove(g):
    """A disk is taken away under load, and given again."""
    lun = g.lun("c1-9")
    for _ in range(3 if LONG else 2):
        load = Load(g, disk(g, "c1-9"))
        g.ctl("remove", "c1", "9")
        load.fails()
        disk_goes(g, "c1-9")
        g.ctl("add", g.option(lun))
        disk(g, "c1-9")
    g.ctl("remove", "c1", "9")
    disk_goes(g, "c1-9")
    g.luns.remove(lun)


def rescind(g):
    """A controller goes under load, its I/O completed, and returns."""
    before = g.run("ls /sys/bus/*vmbus/devices | wc -l").out
    load = Load(g, disk(g, "c0-0"))
    start_ = len(g.console_text())
    g.ctl("rescind", "c0", timeout=60)
    load.fails()
    for serial in ("c0-0", "c0-1", "c0-2", "c0-3"):
        disk_goes(g, serial)
    # the disks go first, the controller when nobody asks for them any more
    wait_for(g, "test $(ls /sys/bus/*vmbus/devices | wc -l) ="
             f" {int(before) - 1}", "the controller is still there")
    g.ctl("offer", "c0")
    for serial in ("c0-0", "c0-1", "c0-2", "c0-3"):
        disk(g, serial)
    same_data(g, "c0-0")
    after = g.run("ls /sys/bus/*vmbus/devices | wc -l").out
    assert before == after, f"{before} devices before, {after} after"
    nothing_leaked(g)
    assert "quarantined" not in g.console_text()[start_:]


def rescind_now(g):
    """The same without asking; also in the middle of probe."""
    load = Load(g, disk(g, "first"), depth=32)
    g.ctl("rescind", "c1", "now")
    load.fails()
    disk_goes(g, "first")
    for i in range(12 if LONG else 6):
        g.ctl("offer", "c1")
        g.run(f"sleep 0.0{i}")
        g.ctl("rescind", "c1", "now")
    g.ctl("offer", "c1")
    for serial in ("first", "c1-1", "c1-2", "c1-3"):
        disk(g, serial, 60)
    same_data(g, "first")
    nothing_leaked(g)


def unbind(g):
    """The driver is taken from a controller under load, and given back."""
    for _ in range(3 if LONG else 1):
        dev = disk(g, "c0-0")
        load = Load(g, dev)
        name = os.path.basename(controller(g, dev))
        path = g.run("readlink -f /sys/bus/*vmbus/drivers/synth_blk"
                     ).out.strip()
        g.run(f"echo {name} >{path}/unbind", 90)
        load.fails()
        disk_goes(g, "c0-0")
        g.run(f"echo {name} >{path}/bind")
        same_data(g, "c0-0")
    nothing_leaked(g)


def slow_disk(g):
    """A disk that does not answer keeps no other of its controller waiting."""
    slow, fast = disk(g, "c1-2"), disk(g, "first")
    before = host_counts(g, "c1-2")["writes"]
    g.ctl("fault", "c1", "lost", "lun=2", "op=write", "count=forever")
    job = g.spawn(f"fio --name=slow --filename=/dev/{slow} --rw=randwrite"
                  " --bs=4k --direct=1 --ioengine=libaio --iodepth=256"
                  " --number_ios=256 --size=8m --allow_file_create=0"
                  " --numjobs=2", 120)
    wait_for(g, f"test $(awk '{{ print $9 }}' /sys/block/{slow}/stat) -ge 120",
             "the slow disk has nothing to do")
    g.run(f"dd if=/dev/{fast} of=/dev/null bs=4k count=200 iflag=direct")
    assert host_counts(g, "c1-2")["writes"] == before
    assert not job.done(), job.output()
    g.ctl("fault", "c1", "clear")
    g.ctl("fault", "c1", "release")
    done = job.wait()
    assert done.rc == 0 and "err= 0" in done.out, done.out
    assert host_counts(g, "c1-2")["writes"] > before + 400    # some were merged


# -- the end ------------------------------------------------------------------

def loads(g):
    """Loads and unloads with disks there; memory comes back."""
    ko = f"/synthio/build/{g.kernel.release}/own/drivers/block/synth_blk.ko"
    # whoever looks for partitions has a disk open
    script = (f"for i in $(seq {{}}); do insmod {ko} || exit; n=0;"
              " until [ -e /sys/block/syndi ] && rmmod synth_blk 2>/dev/null;"
              " do [ $n -lt 400 ] || exit 1; sleep .05; n=$((n + 1)); done;"
              " done")
    g.driver.unload(g)
    g.run(script.format(4), 120)        # caches and pools fill
    before = memory(g)
    g.run(script.format(LOADS), 60 + 5 * LOADS)
    after = memory(g)
    grown = {k: after[k] - before[k] for k in before}
    # pages, objects: one lost for each disk would be nine at each load
    assert grown["vmallocs"] < 10, (before, after)
    assert grown["SUnreclaim"] < 400 + LOADS * 4, (before, after)
    assert grown["kmalloc"] < 200 + LOADS * 4, (before, after)
    assert grown["Percpu"] < 100 + LOADS, (before, after)
    if g.sh("test -e /sys/kernel/debug/kmemleak").rc == 0:
        # an object counts as lost when it is 5 s old
        g.run("sleep 6; echo scan >/sys/kernel/debug/kmemleak; sleep 6;"
              "echo scan >/sys/kernel/debug/kmemleak", 60)
        out = g.run("cat /sys/kernel/debug/kmemleak").out
        assert not out.strip(), out
    nothing_leaked(g)
    g.driver.load(g)
    disk(g, "c0-0")
    return f"kB grown after {LOADS} loads: {grown}"


def unload_busy(g):
    """A disk in use keeps the module; then driver and channel go."""
    dev = disk(g, "c0-0")
    job = g.spawn(f"sleep 600 </dev/{dev}", 600)
    job.pid()
    done = g.sh("rmmod synth_blk")
    assert done.rc and "in use" in done.out, done.out
    job.kill()
    wait_for(g, "rmmod synth_blk", "it does not unload")
    nothing_leaked(g)
    g.run(f"rmmod {'synth_vmbus' if g.driver.bus == 'own' else 'hv_vmbus'}")


DATA = [
    ("fio verifies two controllers at once", verify_raw),
    ("fio verifies sectors of 4096, and IDE", verify_4k),
    ("memory of odd alignment", odd_alignment),
    ("ext4", filesystem("ext4")),
    ("discard and zeroes", discard("c0-0", 4096)),
    ("zeroes of a disk without unmap", discard("c0-3", 4096, unmaps=False)),
    ("a read-only disk", read_only), ("flushes", flushes),
]
MORE_DATA = [
    ("xfs", filesystem("xfs")), ("large transfers", large),
    ("discard of sectors of 4096", discard("c0-1", 4096)),
    ("discard with limits of the disk", discard("c1-2", 65536, 16384)),
]
CHANGES = [
    ("hot add", hot_add), ("hot remove under load", hot_remove),
    ("rescind under load, and a new offer", rescind),
]


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest(
            "own", DiskGuest("block-own", OWN, limit=900 + 10 * SECONDS),
            ("disks of four controllers appear", appear),
            ("names and identifiers", names), ("limits", limits),
            ("lsblk", lsblk), ("partitions", partitions),
            ("udev's links", udev_links),
            ("a controller with a DVD drive is refused", mixed_refused),
            *DATA, *MORE_DATA,
            ("resize under load", resize), *CHANGES,
            ("rescinds without warning", rescind_now),
            ("unbind under load", unbind), ("a slow disk", slow_disk),
            ("ignore_non_disks=1 uses it", mixed_taken),
            (f"{LOADS} loads leave nothing behind", loads),
            ("unload", unload_busy))


if __name__ == "__main__":
    main()
