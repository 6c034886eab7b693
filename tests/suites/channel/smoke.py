# SPDX-License-Identifier: GPL-2.0-only
"""All devices at once in one guest, each for as long as it takes to see that it
works: for kernels in which the suites of the devices do not run every time.
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for where in ("vm", "suites/input", "suites/net"):
    sys.path.insert(0, os.path.join(HERE, "../..", where))
# pylint: disable=wrong-import-position
from selftests import HOST, program                     # noqa: E402
from lib import alive, digest_down, digest_up, iperf, NetGuest, Nic, OWN, \
    ping, STOCK                                         # noqa: E402
import mouse                                            # noqa: E402
from mouse import ABS, Events                           # noqa: E402
from screen import pattern_rows, same_picture, screenshot, Tool     # noqa: E402
from steps import file_sum, disk_sum, image, MB, nothing_leaked, type_keys, \
    wait_for                                            # noqa: E402

DISK, DISK_MB = "synda", 32
MODULES = {"own": "synth_vmbus", "stock": "hv_vmbus"}
OFFLOADS = ("rx-checksumming", "tx-checksumming", "tcp-segmentation-offload")
# "Hello, 42", with two shifts' worth of one
KEYS = [42, 35, 18, 38, 38, 24, 51, 57, 5, 3]


class SmokeGuest(NetGuest):
    """A guest with a disk, a card, a display, a mouse, a keyboard, and the test
    device; bus: own or stock."""

    def __init__(self, name, bus, more=(), **kw):
        super().__init__(name, {"own": OWN, "stock": STOCK}[bus], [
            Nic("n0", opts="queues=2")], [
            "--mouse", "--keyboard", "--video", "video", "--vnc", "0",
            "--scsi", "c0", "--disk", "c0,lun=0,file={}/disk.img",
            *HOST, *more], limit=900, **kw)
        self.bus = bus

    def start_host(self):
        os.makedirs(self.scratch, exist_ok=True)
        image(self, "disk.img", DISK_MB)
        super().start_host()

    def counts(self):
        """What the host has done for the disk: {name: number}."""
        m = re.search(r"writes (\d+) \(.*?\), flushes (\d+), discards (\d+)",
                      self.ctl("status"))
        return dict(zip(("writes", "flushes", "discards"), map(int, m.groups())))


def begin(g):
    """Channel and drivers load; all devices are there."""
    # Each ping that begins or ends has the kernel patch its receive path for time
    # stamps (netstamp_needed_key). Under traffic QEMU 7.2's emulation may run the
    # breakpoint that stood there meanwhile once more, which 7.3 takes for a fault:
    # "Oops: int3" in __netif_receive_skb_core(). One that goes on keeps it patched.
    g.run("setsid ping -q -i 300 127.0.0.1 >/dev/null 2>&1 </dev/null & sleep 1")
    g.driver.load_all(g)
    where = f"/synthio/build/{g.kernel.release}/{g.bus}/drivers"
    g.sh("for x in drm_kms_helper drm_shmem_helper drm_client_lib; do"
         " modprobe $x; done")
    g.run("modprobe -a hid evdev;"
          f" insmod {where}/block/synth_blk.ko &&"
          f" insmod {where}/input/synth_mouse.ko &&"
          f" insmod {where}/video/synth_video.ko")
    wait_for(g, f"test -b /dev/{DISK} && test -e /dev/dri/card0",
             "no disk, or no screen")
    mouse.event(g)
    if g.bus == "own":
        m = g.wait_console(r"VMBus version (\d+\.\d+) over ivshmem", 5)
        return f"version {m[1]}; " + g.run("uname -rvm").out.strip()
    return g.run("uname -rvm").out.strip()


def disk(g):
    """fio reads back what it wrote, at depth 16; the host's file is the same."""
    out = g.run(f"fio --name=smoke --filename=/dev/{DISK} --rw=randwrite"
                " --bsrange=4k-128k --size=8M --verify=crc32c --do_verify=1"
                " --direct=1 --ioengine=libaio --iodepth=16 --randseed=5"
                " --allow_file_create=0", 240).out
    assert "err= 0" in out and not re.search(r"verify:|err= [1-9]", out), out
    assert disk_sum(g, DISK) == file_sum(g, "disk.img"), "the file differs"


def flush(g):
    """A write that waits for the disk is a flush at the host."""
    before = g.counts()
    g.run(f"dd if=/dev/zero of=/dev/{DISK} bs=4k count=8 oflag=direct"
          " conv=fsync")
    after = g.counts()
    assert after["writes"] - before["writes"] == 8, (before, after)
    assert after["flushes"] - before["flushes"] == 1, (before, after)


def discard(g):
    """What is discarded is zeros in the host's file, and nothing else is."""
    path = os.path.join(g.scratch, "disk.img")
    data = bytearray(os.urandom(DISK_MB * MB))
    with open(path, "r+b") as f:
        f.write(data)
    g.run(f"blockdev --flushbufs /dev/{DISK} &&"
          f" blkdiscard -o {3 * MB} -l {5 * MB} /dev/{DISK} &&"
          f" blkdiscard -z -o {9 * MB} -l 12288 /dev/{DISK}")
    data[3 * MB:8 * MB] = bytes(5 * MB)
    data[9 * MB:9 * MB + 12288] = bytes(12288)
    with open(path, "rb") as f:
        assert f.read() == data, "the file is not what it should be"
    assert g.counts()["discards"], g.ctl("status")
    assert disk_sum(g, DISK) == file_sum(g, "disk.img"), "it reads otherwise"


def card(g):
    """Pings, and bytes that arrive as they were, with checksums and
    segmentation left to the host and then not."""
    nic = g.nic()
    for to in (nic.far4, nic.far6):
        ping(g, to, 2, 56)
        ping(g, to, 2, 9000)
    for state in ("on", "off"):
        name = g.run(f"grep -l {nic.mac} /sys/class/net/*/address |"
                     " cut -d/ -f5").out.strip()
        g.run(f"ethtool -K {name} rx {state} tx {state} tso {state}")
        said = g.run(f"ethtool -k {name}").out
        for x in OFFLOADS:
            assert re.search(rf"^{x}: {state}\b", said, re.M), said
        digest_up(g, nic.far4, MB)
        digest_down(g, nic.far6, MB)
    g.run(f"ethtool -K {name} rx on tx on tso on")
    alive(g)


def throughput(g):
    """iperf3, each way."""
    said = []
    for opts in ("", "-R"):
        done = iperf(g, g.nic().far4, "-t 2", opts)
        assert done.received > 1 << 20, done.all
        said.append(f"{opts or 'send'}: {done.rate}")
    return ", ".join(said)


def display(g):
    """What is drawn is on the screen, pixel by pixel."""
    tool = Tool(g)
    try:
        for seed, (w, h) in enumerate(((640, 480), (1024, 768))):
            tool.do("mode", w, h, seed)
            same_picture(screenshot(g), pattern_rows(w, h, seed), f"{w}x{h}")
        tool.do("flip", 5, 100)
        same_picture(screenshot(g), pattern_rows(w, h, 104), "flips")
    finally:
        tool.end()


def moves(g, count=20):
    """Each report of the mouse arrives, in order."""
    g.ctl("move", "1", "1")
    events = Events(g)
    wanted = []
    for i in range(count):
        g.ctl("move", str(100 + i), str(200 + i))
        wanted += [((ABS, 0), 100 + i), ((ABS, 1), 200 + i)]
    events.until(wanted, "moves")
    events.end()


def keyboard(g):
    """The distribution's driver finds the keyboard, and what is typed."""
    g.run("modprobe hyperv-keyboard")
    type_keys(g, "Hello, 42", KEYS)


def our_keyboard(g):
    """Ours does."""
    g.sh("modprobe atkbd")
    g.run(f"insmod /synthio/build/{g.kernel.release}/{g.bus}/drivers/input/"
          "synth_keyboard.ko")
    type_keys(g, "Hello, 42", KEYS)


def unloads(g):
    """All goes, and nothing is left."""
    if g.bus == "own":
        nothing_leaked(g)
    g.run("for x in /sys/class/vtconsole/vtcon[1-9]/bind; do"
          " [ ! -e $x ] || echo 0 >$x; done;"
          "for x in hyperv_keyboard synth_keyboard; do"
          " ! grep -q ^$x /proc/modules || rmmod $x; done;"
          "rmmod synth_chantest synth_blk synth_net synth_mouse synth_video"
          f" {MODULES[g.bus]}", 120)
    assert not g.run("ls -A /sys/bus/vmbus 2>/dev/null; true").out.strip()


STEPS = (
    ("channel and drivers load, all devices come", begin),
    ("fio verifies", disk), ("flush", flush), ("discard and zeroes", discard),
    ("pings, checksums, bytes arrive", card), ("iperf3", throughput),
    ("a picture, pixel by pixel", display), ("the mouse moves", moves),
)


def smoke(tap, kernel, bus, more=(), **kw):
    """Boots a guest and tries all of its devices.

    more: further tests, ahead of the one that unloads all; kw: of the Guest
    """
    keys = keyboard if bus == "stock" else our_keyboard
    name = f"{kernel}, {'own names' if bus == 'own' else 'drop-in'}"
    tap.guest(name, SmokeGuest(f"smoke-{kernel}-{bus}", bus, kernel=kernel, **kw),
              *STEPS, ("the keyboard", keys), ("packets.sh of the selftests",
                              program(bus, "packets.sh")),
              *more, ("all unloads", unloads))
