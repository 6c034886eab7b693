# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of disks share: drivers, guests with disks, steps.

A test takes a BlockGuest, whose driver is one of

    OWN       synth_blk by its own names, on synth_vmbus
    STOCK     synth_blk built for the kernel's VMBus, on the drop-in hv_vmbus
    STORVSC   the distribution's hv_storvsc and sd, on the drop-in: what passes
              there too shows that the host is right

Disks are found by their serial number, which names controller and LUN.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vm"))
# pylint: disable=wrong-import-position
from guest import Guest, GuestError     # noqa: E402
from steps import LONG, MB, stopped, wait_for   # noqa: E402,F401

DEBUGFS = "/sys/kernel/debug/synth_blk"


class Driver:
    """A disk driver: how it is loaded, and what its disks are called."""

    def __init__(self, bus, disk):
        self.bus = bus
        self.disk = disk

    @property
    def synthetic(self):
        """True for ours."""
        return self.disk == "synd"

    def load(self, g, params=""):
        """Loads it; the channel is there."""
        if self.synthetic:
            g.run(f"insmod /synthio/build/{g.kernel.release}/{self.bus}/"
                  f"drivers/block/synth_blk.ko {params}")
        else:
            g.run("modprobe hv_storvsc && modprobe sd_mod")

    def unload(self, g, timeout=60):
        """Unloads it; sd may be built in."""
        g.run("rmmod synth_blk" if self.synthetic else
              "! grep -q ^sd_mod /proc/modules || rmmod sd_mod;"
              "rmmod hv_storvsc", timeout)

    def find(self, serial):
        """A script that prints the name of the disk with this serial."""
        if self.synthetic:
            return f"grep -lx {serial} /sys/block/synd*/serial | cut -d/ -f4"
        return (f"grep -laE '{serial}$' /sys/block/sd*/device/vpd_pg80"
                " 2>/dev/null | cut -d/ -f4")


OWN = Driver("own", "synd")
STOCK = Driver("stock", "synd")
STORVSC = Driver("stock", "sd")


class Lun:
    """A disk of the host: controller, LUN, size, more options."""

    def __init__(self, ctrl, lun, megabytes, opts=""):
        self.ctrl = ctrl
        self.lun = lun
        self.bytes = megabytes * MB
        self.opts = opts

    @property
    def serial(self):
        """As the host makes it where nothing else was said."""
        m = re.search(r"serial=([^,]+)", self.opts)
        return m[1] if m else f"{self.ctrl}-{self.lun}"

    @property
    def file(self):
        """Name of the image in the scratch directory."""
        return f"{self.ctrl}-{self.lun}.img"


class BlockGuest(Guest):
    """A guest with disks.

    driver: OWN, STOCK or STORVSC; may be changed between tests
    luns: of SCSI controllers, which come into being with them
    controllers: {name: options}, of those that have any
    more: further arguments of synthhost, with {} for the scratch directory
    """

    def __init__(self, name, driver, luns, controllers=None, more=(), **kw):
        super().__init__(name, host=[], **kw)
        self.driver = driver
        self.luns = luns
        self.controllers = controllers or {}
        self.more = more
        self.notes = {}         # what one test leaves for another

    def start_host(self):
        os.makedirs(self.scratch, exist_ok=True)
        self.host_args = []
        seen = set()
        for lun in self.luns:
            if lun.ctrl not in seen:
                opts = self.controllers.get(lun.ctrl)
                self.host_args += ["--scsi", lun.ctrl + (
                    f",{opts}" if opts else "")]
                seen.add(lun.ctrl)
            self.host_args += ["--disk", self.option(lun)]
        self.host_args += [x.replace("{}", self.scratch) for x in self.more]
        super().start_host()

    def option(self, lun):
        """--disk's argument, also that of the command add; makes the file."""
        path = self.path(lun)
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.truncate(lun.bytes)
        return (f"{lun.ctrl},lun={lun.lun},file={path}"
                + (f",{lun.opts}" if lun.opts else ""))

    def path(self, lun):
        """The image of a disk, on this side."""
        return os.path.join(self.scratch, lun.file)

    def lun(self, serial):
        """The Lun with this serial."""
        return next(x for x in self.luns if x.serial == serial)


# -- finding ------------------------------------------------------------------

def disk(g, serial, timeout=30):
    """Waits for the disk with this serial, returns its name."""
    return wait_for(g, f"d=$({g.driver.find(serial)}) && test -b /dev/$d &&"
                    " echo $d", f"no disk {serial}", timeout).strip()


def disk_goes(g, serial, timeout=30):
    """Waits until no disk has this serial."""
    wait_for(g, f"test -z \"$({g.driver.find(serial)} 2>/dev/null)\"",
             f"disk {serial} is still there", timeout)


def queue(g, dev, *names):
    """Values of /sys/block/DEV/queue/NAME."""
    where = f"/sys/block/{dev}/queue"
    out = g.run(f"cd {where} && for f in {' '.join(names)}; do"
                " read -r x <$f && echo $x; done").out.split("\n")
    return out[:len(names)]


def attribute(g, dev, name):
    """Value of /sys/block/DEV/NAME as a number."""
    return int(g.run(f"cat /sys/block/{dev}/{name}").out)


def controller(g, dev):
    """The directory of a disk's controller on the bus."""
    return g.run(f"d=$(readlink -f /sys/block/{dev}); echo ${{d%%/block/*}}"
                 ).out.strip()


def channels(g, dev):
    """What debugfs tells of the channels of a disk's controller."""
    ctrl = os.path.basename(controller(g, dev))
    text = g.run(f"cat {DEBUGFS}/{ctrl}/channels").out
    found = []
    for m in re.finditer(r"^channel (\d+)( \(polled\))?: cpu (\d+), sent (\d+)"
                         r", signals (\d+), no room (\d+), interrupts (\d+), "
                         r"completions (\d+) \(polled (\d+)\), looks (\d+), "
                         r"most in one (\d+), bad packets (\d+)", text, re.M):
        keys = ("cpu", "sent", "signals", "full", "interrupts",
                "completions", "polled", "looks", "largest", "bad")
        one = dict(zip(keys, (int(m[i]) for i in range(3, 13))))
        one["is_polled"] = bool(m[2])
        found.append(one)
    assert found, text
    return found


def host_counts(g, serial):
    """The host's counters of a disk: {name: number}."""
    text = g.ctl("status")
    m = re.search(rf", serial {serial}\n *reads (\d+) \((\d+) bytes\), writes "
                  r"(\d+) \((\d+) bytes, (\d+) with FUA\), flushes (\d+), "
                  r"discards (\d+), "
                  r"errors (\d+), in flight (\d+)", text)
    assert m, text
    return dict(zip(("reads", "read_bytes", "writes", "written_bytes",
                     "fua", "flushes", "discards", "errors", "in_flight"),
                    (int(x) for x in m.groups())))


# -- data ---------------------------------------------------------------------

def fill(g, lun):
    """Writes random data to the image of a disk, on this side."""
    with open(g.path(lun), "r+b") as f:
        data = os.urandom(lun.bytes)
        f.write(data)
    return data


def contents(g, lun):
    """The image of a disk, as it is on this side."""
    with open(g.path(lun), "rb") as f:
        return f.read()


def same_data(g, serial):
    """What the guest reads, past its cache, is what the host's file has."""
    g.run(f"dd if=/dev/{disk(g, serial)} bs=1M iflag=direct 2>/run/dd |"
          f" cmp - /scratch/{g.lun(serial).file} || {{ cat /run/dd; exit 1; }}",
          120)


def first_difference(a, b):
    """Offset of the first byte that differs, or None."""
    if a == b:
        return None
    low, high = 0, min(len(a), len(b))
    while low < high:
        mid = (low + high + 1) // 2
        if a[:mid] == b[:mid]:
            low = mid
        else:
            high = mid - 1
    return low


def same_bytes(found, wanted, what):
    """Two contents are equal."""
    at = first_difference(found, wanted)
    if at is not None:
        raise AssertionError(
            f"{what}: byte {at:#x} is {found[at:at + 8].hex()}, "
            f"not {wanted[at:at + 8].hex()}")


def pattern(g, where, count, byte, seek=0, block=4096, direct=True):
    """Writes count blocks of one byte from the guest."""
    flag = " oflag=direct" if direct else ""
    return g.sh(f"tr '\\0' '\\{byte:03o}' </dev/zero 2>/dev/null |"
                f" dd of={where} bs={block} count={count} seek={seek}"
                f" iflag=fullblock conv=notrunc{flag} 2>&1")


# -- load ---------------------------------------------------------------------

class Load:
    """fio that goes on until it is ended.

    verify: what it reads back is checked, while it runs and at the end
    """

    def __init__(self, g, dev, verify=False, depth=16, opts=""):
        self.g = g
        self.dev = dev
        mode = ("--rw=randwrite --bs=8k --verify=crc32c --verify_backlog=64"
                " --do_verify=1 --randseed=3" if verify else
                "--rw=randrw --bs=16k")
        self.job = g.spawn(
            f"fio --name=load --filename=/dev/{dev} {mode} --direct=1"
            f" --ioengine=libaio --iodepth={depth} --time_based --runtime=900"
            f" --size=16m --allow_file_create=0 {opts}", 900)
        # requests alone may be of others, such as udev, when the disk is new
        wait_for(g, "for p in $(pidof fio); do ls -l /proc/$p/fd; done"
                 f" 2>/dev/null | grep -q /dev/{dev}$",
                 "fio does not open the disk", 60)
        self.flows(100)

    def flows(self, more=100):
        """Waits until so many more requests have ended."""
        done = f"$(awk '{{ print $1 + $5 }}' /sys/block/{self.dev}/stat)"
        goal = int(self.g.run(f"echo {done}").out) + more
        wait_for(self.g, f"test {done} -ge {goal}",
                 f"I/O of {self.dev} has stopped", 60)

    def fails(self):
        """fio has noticed that its disk went, and ended."""
        done = self.job.wait()
        assert done.rc and "err=" in done.out, done.out
        return done.out

    def ends_well(self):
        """All that it has read back was right; ends it."""
        assert not self.job.done(), self.job.output()
        self.g.run("kill -INT $(pidof fio)")
        done = self.job.wait()
        assert "err= 0" in done.out and "verify:" not in done.out, done.out


def fio_verify(g, serials, seconds, bsrange, depth=16, engine="libaio",
               opts=""):
    """Random writes that fio reads back; then the host's files agree."""
    jobs = "".join(f" --name={s} --filename=/dev/{disk(g, s)}"
                   for s in serials)
    out = g.run("fio --rw=randwrite --direct=1 --norandommap=0"
                f" --bsrange={bsrange} --ioengine={engine} --iodepth={depth}"
                " --verify=crc32c --verify_backlog=256 --do_verify=1"
                f" --time_based --runtime={seconds} --size=32m --randseed=7"
                f" --allow_file_create=0 {opts}{jobs}", seconds * 3 + 90).out
    assert out.count("err= 0") == len(serials), out
    assert not re.search(r"verify:|bad magic|err= [1-9]", out), out
    for s in serials:
        same_data(g, s)
    return ", ".join(re.findall(r"write: (IOPS=\S+)", out))


def nothing_leaked(g):
    """No page is lost to the host."""
    out = g.run("cat /sys/kernel/debug/synth_vmbus/connection").out
    assert re.search(r"leaked pages +0$", out, re.M), out


def console_says(g, start, pattern_, timeout=30):
    """Waits until the kernel says something after byte start."""
    return g.wait_console(pattern_, timeout, start)


def memory(g):
    """What a leak would show in: slab, vmalloc, per-CPU and free pages."""
    out = g.run("sync; echo 3 >/proc/sys/vm/drop_caches; sleep 1;"
                "grep -E '^(SUnreclaim|Percpu|KernelStack|PageTables):'"
                " /proc/meminfo; echo vmallocs: $(wc -l </proc/vmallocinfo)"
                " lines; awk '$1 ~ /^kmalloc-/ { n += $2 * $4 } END"
                " { print \"kmalloc:\", int(n / 1024) }' /proc/slabinfo").out
    return {k: int(v) for k, v in re.findall(r"^(\w+):\s+(\d+)", out, re.M)}
