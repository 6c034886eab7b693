# SPDX-License-Identifier: GPL-2.0-only
"""The disk cases: fio in the guest, on one peer's disk after the other's."""

import json
import os
import random
import shlex
import shutil

from case import Case
from core import Row
from guest import GuestError
from kernels import BUILD
from measure import GuestWindow, costs
from peer import GuestPeer, OnDropIn, Ours

DIR = os.path.join(BUILD, "bench")
SIZE = 256 << 20
ENGINE = "io_uring"
OURS = "synth_blk"
SERIAL = "BENCH"

# One for each vCPU; in a guest that polls, which has one vCPU, the second one is
# for that
QUEUES = 2

ALL = [
    # name, what it is, rw, bs, depth, jobs, more
    ("randread-1", "4k random read, depth 1", "randread", "4k", 1, 1, ""),
    ("randread-8", "4k random read, depth 8", "randread", "4k", 8, 1, ""),
    ("randread-32", "4k random read, depth 32", "randread", "4k", 32, 1, ""),
    ("randwrite-1", "4k random write, depth 1", "randwrite", "4k", 1, 1, ""),
    ("randwrite-8", "4k random write, depth 8", "randwrite", "4k", 8, 1, ""),
    ("randwrite-32", "4k random write, depth 32", "randwrite", "4k", 32, 1,
     ""),
    ("randread-32x2", "4k random read, depth 32, 2 jobs", "randread", "4k",
     32, 2, ""),
    ("randwrite-32x2", "4k random write, depth 32, 2 jobs", "randwrite", "4k",
     32, 2, ""),
    ("randread-32b", "4k random read, depth 32, submitted 8 at a time",
     "randread", "4k", 32, 1, "batch"),
    ("randwrite-32b", "4k random write, depth 32, submitted 8 at a time",
     "randwrite", "4k", 32, 1, "batch"),
    ("read-8", "128k sequential read, depth 8", "read", "128k", 8, 1, ""),
    ("write-8", "128k sequential write, depth 8", "write", "128k", 8, 1, ""),
    ("hipri-1", "4k random read, polled, depth 1", "randread", "4k", 1, 1,
     "hipri"),
    ("hipri-32", "4k random read, polled, depth 32", "randread", "4k", 32, 1,
     "hipri"),
]
SHORT = ("randread-1", "randread-32", "randwrite-32", "read-8")

MORE = {"": "", "hipri": "--hipri",
        "batch": "--iodepth_batch_submit=8 --iodepth_batch_complete_min=1 "
                 "--iodepth_batch_complete_max=32"}


class DiskPeer(GuestPeer):
    """A disk, and its driver.

    disks: glob of its name under /sys/block
    """

    disks = "sd*"
    disk = None

    @property
    def image(self):
        """Its file: each has one of its own, for hosts that lock them."""
        return os.path.join(DIR, f"{self.name}.img")

    def blockdev(self):
        """QEMU's block layer above the file."""
        return ["-blockdev", f"driver=file,node-name=file,filename={self.image}"
                ",cache.direct=on,aio=io_uring",
                "-blockdev", "driver=raw,node-name=disk,file=file"
                ",cache.direct=on"]

    def attach(self, setup):
        self.load()
        self.disk = self.g.run(
            f"for i in $(seq 300); do cd /sys/block; for d in {self.disks}; do "
            "[ -b /dev/$d ] && echo $d && exit; done; sleep .1; done; exit 1",
            60).out.split()[0]
        # alike for all: no scheduler, no seeks to sort for, no entropy
        self.g.run(f"cd /sys/block/{self.disk}/queue && echo none >scheduler "
                   "&& echo 0 >rotational && echo 0 >add_random")
        size = int(self.g.run(f"cat /sys/block/{self.disk}/size").out) * 512
        if size != SIZE:
            raise GuestError(f"{self.disk} has {size} bytes, not {SIZE}")
        # so that the first measurement does not load it over 9p
        self.g.run("fio --version; cat /synthio/tests/bench/window.sh",
                   120)

    def cannot(self, setup, row):
        if row.options["hipri"] and self.g.run(
                f"cat /sys/block/{self.disk}/queue/io_poll").out.strip() != "1":
            return "has no poll queue"
        return None

    def measure(self, setup, row, seconds):
        """Runs fio; returns {metric: number}."""
        ramp = int(min(1.0, seconds / 3) * 1000)
        window = int(seconds * 1000)
        # window.sh ends it: its exit status is 128 then
        fio = ("fio --output-format=json --name=bench --thread "
               "--group_reporting --direct=1 "
               f"--filename=/dev/{self.disk} --ioengine={ENGINE} "
               "--time_based --norandommap --clat_percentiles=0 "
               "--lat_percentiles=1 --percentile_list=50:99 "
               f"--ramp_time={ramp}ms --runtime=600 "
               + row.options["fio"])
        text, before, after = self.window(
            f"disk:{shlex.quote(self.disk)} 128 {ramp} {window} /scratch {fio}",
            seconds * 2 + 90)
        with open(os.path.join(self.g.scratch, "program.out"),
                  encoding="utf-8") as f:
            raw = f.read()
        job = json.loads(raw[raw.index("{"):])["jobs"][0]
        side = job["write" if row.options["write"] else "read"]
        if job["error"] or side["runtime"] < window / 2:
            raise GuestError(f"fio: error {job['error']}, it measured for "
                             f"{side['runtime']} of {window} ms")
        out = {"IOPS": side["iops"],
               "MB/s": side["bw_bytes"] / 1e6,
               "p50": side["lat_ns"]["percentile"]["50.000000"] / 1000,
               "p99": side["lat_ns"]["percentile"]["99.000000"] / 1000}
        out.update(costs(GuestWindow(text, self.irq), before, after))
        return out


class SynthhostPeer(DiskPeer):
    """A disk of synthhost's, on our channel."""

    irq = r"synth_ivshmem"

    def describe(self, setup):
        return {"host": ["--scsi", f"c0,subchannels={QUEUES - 1}", "--disk",
                         f"c0,lun=0,file={self.image},serial={SERIAL}"]}

    def counters(self):
        return self.doorbells("c0")


class SynthBlk(Ours, SynthhostPeer):
    """Ours."""

    disks = "synd*"
    path = "drivers/block/synth_blk.ko"

    def attach(self, setup):
        self.parameters = "poll_queues=1" if setup.smp == 1 else ""
        super().attach(setup)


class Storvsc(OnDropIn, SynthhostPeer):
    """The distribution's driver on the drop-in."""

    modules = ("hv_storvsc", "sd_mod")


class VirtioBlk(DiskPeer):
    """QEMU's own, in a thread of its own."""

    irq = r"virtio\d+-req"
    disks = "vd*"

    def describe(self, setup):
        return {"qemu": ["-object", "iothread,id=io", *self.blockdev(),
                         "-device", "virtio-blk-pci,drive=disk,iothread=io,"
                         f"num-queues={QUEUES}"]}

    def load(self):
        self.g.run("modprobe virtio_blk " + self.parameters)

    def attach(self, setup):
        self.parameters = "poll_queues=1" if setup.smp == 1 else ""
        super().attach(setup)


class VhostUserBlk(DiskPeer):
    """The same device, served by another process.

    It has no poll queue: at the first I/O in a queue without an interrupt
    qemu-storage-daemon 7.2 gives up ("vu_panic: Error writing eventfd").
    """

    irq = VirtioBlk.irq
    disks = VirtioBlk.disks
    modules = ("virtio_blk",)

    def missing(self):
        if not shutil.which("qemu-storage-daemon"):
            return "there is no qemu-storage-daemon"
        return None

    def describe(self, setup):
        daemon = ["qemu-storage-daemon", "--object", "iothread,id=io"]
        daemon += ["-" + x if x.startswith("-") else x
                   for x in self.blockdev()]
        daemon += ["--export", "type=vhost-user-blk,id=export,node-name=disk,"
                   "addr.type=unix,addr.path=vhost-user,writable=on,"
                   f"iothread=io,num-queues={QUEUES}"]
        return {"programs": [("storage-daemon", daemon, "vhost-user")],
                "qemu": ["-chardev", "socket,id=vhost-user,path=vhost-user",
                         "-device", "vhost-user-blk-pci,chardev=vhost-user,"
                         f"num-queues={QUEUES}"]}


class Pvscsi(DiskPeer):
    """VMware's controller, QEMU's device."""

    irq = r"vmw_pvscsi"
    modules = ("vmw_pvscsi", "sd_mod")

    def describe(self, setup):
        return {"qemu": [*self.blockdev(), "-device", "pvscsi,id=scsi",
                         "-device", "scsi-hd,bus=scsi.0,drive=disk"]}


class Ide(DiskPeer):
    """The controller that pc machines are born with."""

    irq = r"ata_piix"
    modules = ("ata_piix", "sd_mod")

    def describe(self, setup):
        return {"qemu": [*self.blockdev(), "-device",
                         "ide-hd,bus=ide.0,drive=disk"]}


PEERS = [
    SynthBlk(OURS, "synth_blk on synth_vmbus, synthhost"),
    Storvsc("hv_storvsc", "the distribution's hv_storvsc on the drop-in "
            "hv_vmbus, synthhost"),
    VirtioBlk("virtio-blk", "QEMU, iothread"),
    VhostUserBlk("vhost-user-blk", "qemu-storage-daemon, iothread"),
    Pvscsi("pvscsi", "QEMU, the distribution's vmw_pvscsi"),
    Ide("ide", "QEMU's piix3 IDE, the distribution's ata_piix"),
]


class DiskCase(Case):
    """Disks."""

    name = "disk"
    title = "Disk"
    work = "IO"
    ours = OURS
    # at depth 32, in what the row's unit is
    targets = {"virtio-blk": 1.25, "hv_storvsc": 1.3, "ide": 2.0}
    all_peers = PEERS
    short = SHORT

    @staticmethod
    def all_rows():
        """All rows, as core.Row."""
        out = []
        for name, title, rw, bs, depth, jobs, more in ALL:
            args = (f"--rw={rw} --bs={bs} --iodepth={depth} --numjobs={jobs} "
                    + MORE[more]).strip()
            unit = "MB/s" if bs == "128k" else "IOPS"
            out.append(Row(name, title, unit, "-32" in name, {
                "fio": args, "write": "write" in rw, "hipri": more == "hipri"}))
        return out

    def rows_of(self, setup):
        """Nothing polls in two vCPUs: a queue would be missing then."""
        return [r for r in self.rows
                if setup.smp == 1 or not r.options["hipri"]]

    def settings(self):
        """(name, text) of what holds for all of them."""
        return [
            ("disk", f"{SIZE >> 20} MiB, one file for each peer, all written "
             "with random data, in build/"),
            ("cache", "O_DIRECT on the host and in the guest; write cache on"),
            ("fio", f"ioengine={ENGINE} direct=1 thread norandommap, one file "
             "descriptor for each job; depths and sizes are in the rows"),
            ("guest", "queue/scheduler none, rotational 0, add_random 0; "
             "clock: TSC"),
        ]

    @staticmethod
    def brief(row, metrics):
        """A measurement in a few words."""
        return (f"{metrics[row.unit]:.0f} {row.unit}, "
                f"p50 {metrics['p50']:.0f} us")

    def prepare(self):
        """Writes the files: no holes, nothing that compresses."""
        os.makedirs(DIR, exist_ok=True)
        block = random.Random(1).randbytes(1 << 20)
        for peer in self.peers:
            if peer.missing():
                continue
            with open(peer.image, "wb") as f:
                os.posix_fallocate(f.fileno(), 0, SIZE)
                for _ in range(SIZE >> 20):
                    f.write(block)
                f.flush()
                os.fsync(f.fileno())

    def tidy(self):
        """Removes them."""
        for peer in self.peers:
            if os.path.exists(peer.image):
                os.unlink(peer.image)
