# SPDX-License-Identifier: GPL-2.0-only
"""The display cases: one peer's display after the other's, nobody looks at them.

An update counts when its pixels lie where the host has the screen from. Who copies
to there is asked whether the host has taken each: the host counts what hyperv_drm
sends, which drops what finds no room; virtio-gpu's queue is short, and full before
the window begins, so that what goes in comes out, and attach() looks whether all
does. bochs-drm and ours have the program draw there. bochs tells nobody of it: QEMU
looks which pages were written, as often as a viewer wants pictures. Ours tells, at
most 60 times a second, of all that is new by then; measure() looks whether it does.
"""

import os
import re
import time

from case import Case
from core import Row
from guest import GuestError
from measure import GuestWindow, costs
from peer import GuestPeer, OnDropIn, Ours
from screen import stats

OURS = "synth_video"
TOOLS = "/synthio/build/bench"          # in the guest
CARD = "/dev/dri/card0"
WIDTH, HEIGHT = 1920, 1080
TRIES = 64

ALL = [
    # name, what it is, unit, what screen.c does, what the host counts
    ("full", "updates of the whole screen", "updates/s", "full", "dirts"),
    ("part", "updates of 200x200 pixels", "updates/s", "part", "dirts"),
    ("scroll", "lines that scroll over the console", "lines/s", "scroll", None),
    ("cursor", "moves of the pointer", "moves/s", "move", "positions"),
]
SHORT = tuple(x[0] for x in ALL)


class VideoPeer(GuestPeer):
    """A display, and its driver. one_by_one: the host hears of each update."""

    one_by_one = True

    def once(self, load, count):
        """Runs screen.c so many times; returns a Result."""
        where = "/dev/tty1" if load == "scroll" else CARD
        return self.g.sh(f"{TOOLS}/screen {load} {where} {WIDTH} {HEIGHT} "
                         f"{count} </dev/null", 120)

    def attach(self, setup):
        self.load()
        size = self.g.run(
            f"for i in $(seq 300); do [ -e {CARD} ] && "
            "[ -e /sys/class/graphics/fb0/virtual_size ] && "
            "cat /sys/class/graphics/fb0/virtual_size && exit; sleep .1; done;"
            "exit 1", 60).out.strip()
        if size != f"{WIDTH},{HEIGHT}":
            raise GuestError(f"the console has {size} pixels")
        # no cursor blinks, and no screen goes dark
        self.g.run("echo 0 >/sys/class/graphics/fbcon/cursor_blink;"
                   "printf '\\033[2J\\033[?25l\\033[9;0]' >/dev/tty1;"
                   "cat /synthio/tests/bench/window.sh >/dev/null", 120)
        # where not, each measurement looks whether the host is told
        if self.one_by_one:
            self.look_at_queues()

    def look_at_queues(self):
        """Whether the host takes each update, and not one for several."""
        before = self.taken()
        done = self.once("full", TRIES)
        if done.rc:
            raise GuestError(done.out.strip())
        if before is None:
            return
        for _ in range(100):
            count = self.taken() - before
            if count >= TRIES:
                return
            time.sleep(0.05)
        raise GuestError(f"the host has taken {count} of {TRIES} updates")

    def taken(self):
        """Updates that the host has taken so far; None: when an update is done
        it has been."""

    def cannot(self, setup, row):
        done = self.once(row.options["load"], 1)
        return done.out.strip() if done.rc else None

    def measure(self, setup, row, seconds):
        """Loads it, returns {metric: number}."""
        ramp = int(min(1.0, seconds / 3) * 1000)
        load = row.options["load"]
        where = "/dev/tty1" if load == "scroll" else CARD
        text, before, after = self.window(
            f"asked 143 {ramp} {int(seconds * 1000)} /scratch {TOOLS}/screen "
            f"{load} {where} {WIDTH} {HEIGHT} 0", seconds * 2 + 90)
        window = GuestWindow(text, self.irq or "$^")
        rate = window.ios / window.seconds
        out = costs(window, before, after)
        # what the host has counted, where each is counted
        counted = out.get(row.options["taken"]) if self.one_by_one else None
        out[row.unit] = rate if counted is None else rate * counted
        told = rate * out.get("dirts", 0)
        if not self.one_by_one and row.options["taken"] == "dirts" and \
                told < min(rate, 20):
            raise GuestError(f"the host was told of something new {told:.1f} "
                             "times a second only")
        return out


class SynthhostPeer(VideoPeer):
    """A display of synthhost's, on our channel."""

    irq = r"synth_ivshmem"

    def describe(self, setup):
        return {"host": ["--video", f"video,size={WIDTH}x{HEIGHT}"]}

    def counters(self):
        s = stats(self.g)
        return {**self.doorbells("video"), "dirts": s["dirts"],
                "positions": s["positions"], "bytes": s["bytes"],
                "fb_bytes": s["pixels"] * 4}

    def taken(self):
        return stats(self.g)["dirts"]


class SynthVideo(Ours, SynthhostPeer):
    """Ours."""

    path = "drivers/video/synth_video.ko"
    modules = ("drm_kms_helper", "drm_shmem_helper")
    one_by_one = False


class HypervDrm(OnDropIn, SynthhostPeer):
    """The distribution's driver on the drop-in."""

    modules = ("hyperv_drm",)


class QemuPeer(VideoPeer):
    """A display of QEMU's. device: its name, and options."""

    device = None

    def describe(self, setup):
        return {"qemu": ["-device", self.device]}


class VirtioGpu(QemuPeer):
    """QEMU's own, 2D."""

    irq = r"virtio\d+-(virtqueues|control|cursor)"
    modules = ("virtio_gpu",)
    device = f"virtio-gpu-pci,xres={WIDTH},yres={HEIGHT}"
    flush = "virtio_gpu_cmd_res_flush"

    def taken(self):
        """By a trace point of QEMU's: it is on before and after, never while
        something is timed."""
        with open(os.path.join(self.g.dir, "trace"), encoding="utf-8") as f:
            return len(re.findall(self.flush, f.read()))

    def look_at_queues(self):
        self.trace("on")
        super().look_at_queues()
        self.trace("off")

    def trace(self, state):
        """Turns the trace point on or off."""
        self.g.qmp("human-monitor-command", **{
            "command-line": f"trace-event {self.flush} {state}"})

    def describe(self, setup):
        what = super().describe(setup)
        return {"qemu": [*what["qemu"], "-D", "trace"]}


class Bochs(QemuPeer):
    """A frame buffer, and nothing else: programs draw in the device's memory."""

    modules = ("bochs",)
    device = f"bochs-display,xres={WIDTH},yres={HEIGHT}"


PEERS = [
    SynthVideo(OURS, "synth_video on synth_vmbus, synthhost"),
    HypervDrm("hyperv_drm", "the distribution's hyperv_drm on the drop-in "
              "hv_vmbus, synthhost"),
    VirtioGpu("virtio-gpu", "QEMU, 2D, the distribution's virtio-gpu"),
    Bochs("bochs-drm", "QEMU's bochs-display, the distribution's bochs"),
]


class VideoCase(Case):
    """Displays."""

    name = "video"
    title = "Display"
    work = "update"
    ours = OURS
    # ahead of these; not below the others
    targets = {"hyperv_drm": 1.0, "virtio-gpu": 1.0}
    all_peers = PEERS
    short = SHORT
    columns = [
        ("bytes", "bytes/{}", 0, "of messages to the host, where it counts "
         "them"),
        ("fb_bytes", "pixel bytes/{}", 0, "of the screen that the host was told "
         "are new, where it counts them"),
    ]

    @staticmethod
    def all_rows():
        """All rows, as core.Row."""
        return [Row(name, title, unit, True, {"load": load, "taken": taken})
                for name, title, unit, load, taken in ALL]

    def settings(self):
        """(name, text) of what holds for all of them."""
        return [
            ("screen", f"{WIDTH}x{HEIGHT}, 32 bits a pixel; nobody looks"),
            ("update", "the program draws a rectangle and tells of it (DIRTYFB), "
             "one at a time; it counts when its pixels are where the host has the "
             "screen from. Ours tells of all that is new 60 times a second, "
             "bochs never: QEMU looks"),
            ("scroll", "lines of 100 characters to /dev/tty1, as fbcon draws "
             "them; a line is an update in what costs are of"),
        ]

    @staticmethod
    def brief(row, metrics):
        """A measurement in a few words."""
        return f"{metrics[row.unit]:.0f} {row.unit}" + (
            f", {metrics['bytes']:.0f} bytes each" if "bytes" in metrics
            else "")
