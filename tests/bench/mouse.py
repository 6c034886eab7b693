# SPDX-License-Identifier: GPL-2.0-only
"""The pointer cases: how long it takes from a viewer's move to the program that
reads it from evdev.

The viewer is the same for all: a VNC client moves the pointer, synthhost's or
QEMU's VNC server takes that. In the guest a program reads evdev and counts in a page
of its memory, which this side looks at: no clock has to be compared, and the way
back takes no time.
"""

import mmap
import os
import random
import re
import statistics
import struct
import threading
import time

from case import Case
from core import Row
from guest import GuestError
from measure import GuestWindow, costs
from peer import GuestPeer, MACHINE, OnDropIn, Ours
from rfb import Viewer

OURS = "synth_mouse"
TOOLS = "/synthio/build/bench"          # in the guest
# between two moves, seconds: the guest is idle again, and no clock's beat fits
PAUSE = (0.001, 0.004)
LOST = 2.0
SETTLE = 0.2


def percentile(values, percent):
    """Of a list that is not empty: the least that so many do not exceed."""
    values = sorted(values)
    return values[max(0, -(-len(values) * percent // 100) - 1)]


class Page:
    """A page of a guest's memory, a counter in it."""

    def __init__(self, g, address):
        offset = next((at + address - gpa for at, gpa, length
                       in g.arch.ram_ranges(g.machine, g.ram)
                       if gpa <= address < gpa + length), None)
        if offset is None or offset % mmap.PAGESIZE:
            raise ValueError(f"no page of RAM is at {address:#x}")
        with open(g.ram_file, "rb") as f:
            self.map = mmap.mmap(f.fileno(), mmap.PAGESIZE, mmap.MAP_SHARED,
                                 mmap.PROT_READ, offset=offset)

    def count(self):
        """As it is now."""
        return struct.unpack_from("=Q", self.map)[0]

    def close(self):
        """Unmaps it."""
        self.map.close()


class Mover(threading.Thread):
    """Moves the pointer, waits until the guest has seen it, again and again.

    seen: [(when it moved, seconds until it was seen)]; trouble: when and why it
    has ended, if not because it should
    """

    def __init__(self, viewer, page):
        super().__init__(daemon=True)
        self.viewer = viewer
        self.page = page
        self.seen = []
        self.trouble = None
        self.ends = threading.Event()

    def _point(self, number):
        # where it was not before, and not far: what is relative moves as well
        self.viewer.point(100 + number % 2 * 8, 100 + number // 2 % 2 * 8)

    def _move(self, number):
        before = self.page.count()
        start = time.monotonic()
        self._point(number)
        while self.page.count() == before:
            if time.monotonic() > start + LOST:
                raise GuestError(f"move {number} is lost")
        self.seen.append((start, time.monotonic() - start))

    def run(self):
        number, start = 0, time.monotonic()
        try:
            # a server may take the first one for where a relative one begins
            self._point(number)
            time.sleep(SETTLE)
            while not self.ends.is_set():
                number += 1
                start = time.monotonic()
                self._move(number)
                time.sleep(random.uniform(*PAUSE))
        except (OSError, GuestError) as e:
            self.trouble = start, e

    def end(self, begin, until):
        """Ends it; returns the latencies of moves between these times."""
        self.ends.set()
        self.join()
        # what reads it ends before this does
        if self.trouble and self.trouble[0] < until:
            raise GuestError(f"the pointer: {self.trouble[1]}")
        return [took for when, took in self.seen if begin <= when < until]


class MousePeer(GuestPeer):
    """A pointing device, and its driver.

    device: as its name in sysfs begins
    """

    device = None
    event = None

    def attach(self, setup):
        self.g.run("modprobe -a hid evdev")
        self.load()
        self.event = self.g.run(
            "for i in $(seq 300); do cd /sys/class/input; for d in event*; do "
            f"grep -q '^{self.device}' $d/device/name && grep -q . "
            f"$d/device/capabilities/{self.axes()} && echo $d && exit; done; "
            "sleep .1; done 2>/dev/null; exit 1", 60).out.split()[0]
        self.g.run(f"{TOOLS}/pointer; cat /synthio/tests/bench/window.sh "
                   ">/dev/null", 120)

    @staticmethod
    def axes():
        """The kind of axes that it has."""
        return "abs"

    def port(self):
        """Of its VNC server."""
        raise NotImplementedError

    def load_pids(self):
        return [os.getpid()]

    def measure(self, setup, row, seconds):
        """Moves it, returns {metric: number}."""
        ramp = int(min(1.0, seconds / 3) * 1000)
        parts = []

        def begin():
            with open(os.path.join(self.g.scratch, "page"),
                      encoding="ascii") as f:
                parts.append(Page(self.g, int(f.read())))
            parts.append(Viewer(self.port()))
            mover = Mover(parts[1], parts[0])
            parts.append(mover)
            mover.start()

        try:
            text, before, after = self.window(
                f"asked 143 {ramp} {int(seconds * 1000)} /scratch "
                f"{TOOLS}/pointer /dev/input/{self.event} /scratch/page",
                seconds * 2 + 90, begin)
            took = parts[2].end(before.time, after.time)
        finally:
            if len(parts) > 2:
                parts[2].ends.set()
                parts[2].join()
            for part in parts[:2]:
                part.close()
        if len(took) < 10:
            raise GuestError(f"only {len(took)} moves were seen")
        window = GuestWindow(text, self.irq)
        return {"p50": statistics.median(took) * 1e6,
                "p99": percentile(took, 99) * 1e6,
                "rate": window.ios / window.seconds,
                **costs(window, before, after)}


class SynthhostPeer(MousePeer):
    """A mouse of synthhost's, on our channel."""

    irq = r"synth_ivshmem"

    def describe(self, setup):
        return {"host": ["--mouse", "--vnc", "0"]}

    def port(self):
        return int(re.findall(r"VNC server listens on 127.0.0.1:(\d+)",
                              self.g.host_text())[-1])

    def counters(self):
        return self.doorbells("mouse")


class SynthMouse(Ours, SynthhostPeer):
    """Ours."""

    device = "Synthetic mouse"
    path = "drivers/input/synth_mouse.ko"


class HidHyperv(OnDropIn, SynthhostPeer):
    """The distribution's driver on the drop-in."""

    device = "Microsoft Vmbus HID-compliant Mouse"
    modules = ("hid-hyperv",)


class QemuPeer(MousePeer):
    """A pointing device of QEMU's. devices: as QEMU's arguments"""

    devices = ()

    def describe(self, setup):
        more = [x for d in self.devices for x in ("-device", d)]
        return {"qemu": [*more, "-vnc", "127.0.0.1:0,to=99"]}

    def port(self):
        return int(self.g.qmp("query-vnc")["service"])


class VirtioTablet(QemuPeer):
    """QEMU's own."""

    irq = r"virtio\d+-(virtqueues|events|status)"
    device = "QEMU Virtio Tablet"
    devices = ("virtio-tablet-pci",)
    modules = ("virtio_input",)


class UsbTablet(QemuPeer):
    """On the USB controller that waits least for it."""

    irq = r"xhci_hcd"
    device = "QEMU QEMU USB Tablet"
    devices = ("qemu-xhci", "usb-tablet")
    modules = ("xhci_pci", "usbhid", "hid_generic")


class Ps2(QemuPeer):
    """The mouse that pc machines are born with."""

    irq = r"i8042"
    device = "ImExPS/2 Generic Explorer Mouse"
    modules = ("psmouse",)

    @staticmethod
    def axes():
        return "rel"


PEERS = [
    SynthMouse(OURS, "synth_mouse on synth_vmbus, synthhost"),
    HidHyperv("hid-hyperv", "the distribution's hid-hyperv on the drop-in "
              "hv_vmbus, synthhost"),
    VirtioTablet("virtio-tablet", "QEMU, the distribution's virtio_input"),
    UsbTablet("usb-tablet", "QEMU, at an xHCI controller, the distribution's "
              "usbhid"),
    Ps2("ps2-mouse", "QEMU, the distribution's psmouse"),
]


class MouseCase(Case):
    """Pointing devices."""

    name = "mouse"
    title = "Pointer"
    work = "move"
    ours = OURS
    all_peers = PEERS
    short = ("latency",)

    @staticmethod
    def all_rows():
        """All rows, as core.Row."""
        return [Row("latency", "from a viewer's move to the program in the "
                    "guest", "p50", False, {}, True)]

    def settings(self):
        """(name, text) of what holds for all of them."""
        return [
            ("guest", f"machine type {MACHINE}, idle but for what reads the "
             "pointer"),
            ("moves", "a VNC client's, one after the other, {:.0f} to {:.0f} ms "
             "after the one before was seen".format(*(x * 1e3 for x in PAUSE))),
        ]

    @staticmethod
    def brief(row, metrics):
        """A measurement in a few words."""
        return (f"p50 {metrics['p50']:.0f} us, p99 {metrics['p99']:.0f} us, "
                f"{metrics['rate']:.0f}/s")
