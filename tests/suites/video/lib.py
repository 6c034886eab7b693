# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of displays share: drivers, and what a VNC viewer sees."""

import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vm"))
# pylint: disable=wrong-import-position
from guest import Guest                 # noqa: E402
from kernels import BUILD               # noqa: E402
from screen import read_ppm             # noqa: E402
from steps import swap_disk, wait_for   # noqa: E402

VIDEO = "da0a7802-e377-4aac-8e77-0558eb1073f8"
DEVICE = f"$(dirname $(grep -li {VIDEO} /sys/bus/vmbus/devices/*/class_id))"


class Driver:
    """A display driver, and the channel that it is for."""

    def __init__(self, bus, ours):
        self.bus = bus
        self.ours = ours
        self.module = "synth_video" if ours else "hyperv_drm"

    def load(self, g, options=""):
        """Loads it; the channel is there. options: of the module."""
        if self.ours:
            # not every kernel has each
            g.sh("for x in drm_kms_helper drm_shmem_helper drm_client_lib; do"
                 " modprobe $x; done")
            g.run(f"insmod /synthio/build/{g.kernel.release}/{self.bus}/"
                  f"drivers/video/synth_video.ko {options}")
        else:
            g.run("modprobe hyperv_drm")


OWN = Driver("own", True)
STOCK = Driver("stock", True)
HYPERV_DRM = Driver("stock", False)


class VideoGuest(Guest):
    """A guest with a display; driver: one of the above; swap: with a disk to
    hibernate to."""

    def __init__(self, name, driver, video="video", swap=False, **kw):
        devices = ["--mouse", "--keyboard", "--video", video, "--vnc", "0"]
        super().__init__(name, host=(lambda g: devices + swap_disk(g)) if swap
                         else devices, **kw)
        self.driver = driver
        self.tool = None
        self.notes = {}


def _debugfs(g, name):
    return g.run(f"cat $(ls -d /sys/kernel/debug/dri/*/{name} | head -n 1)").out


def vram(g):
    """What our driver says of its VRAM: whether a buffer is resident, how often one
    moved in or was evicted, pixels that were copied, updates that were deferred,
    rectangles that are deferred now."""
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", _debugfs(g, "vram"))}


def state(g):
    """The state of our driver, what the host has missed, and whether a message is
    due."""
    said = _debugfs(g, "host_state")
    return (re.search(r"state: (\w+)", said)[1],
            re.search(r"missed: *(.*)", said)[1].split(), "due=1" in said)


def settle(g, timeout=20):
    """Waits until the host has got all that was drawn."""
    deadline = time.monotonic() + timeout * g.scale
    while g.driver.ours and (vram(g)["deferred"] or state(g)[2]):
        assert time.monotonic() < deadline, \
            f"not all was sent: {vram(g)} {state(g)}"
        time.sleep(0.02)


def moves_in(g):
    """The buffer that is shown moves into the VRAM: two updates show it."""
    for _ in range(2):
        g.tool.do("dirty", 0)
        settle(g)
    assert vram(g)["resident"], vram(g)


def hears_events(g, job):
    """Waits until a job in the guest listens to the kernel's events."""
    # NETLINK_KOBJECT_UEVENT is 15
    wait_for(g, f"awk '$2 == 15 && $3 == {job.pid()} {{ n = 1 }}"
             " END { exit !n }' /proc/net/netlink", "nobody listens")


def offset(g):
    """Where in the VRAM the screen begins, as the host was told."""
    return int(re.search(r"shows .* offset (\d+)", g.ctl("status"))[1])


def changed(g):
    """After "video fill 90": what is not that any more, as (pixels,
    (x1, y1, x2, y2))."""
    said = g.ctl("video", "differs", "90")
    m = re.match(r"(\d+) pixels(?: in (\d+),(\d+)-(\d+),(\d+))?", said)
    return int(m[1]), tuple(int(x) for x in m.groups()[1:] if x)


def vnc_port(g):
    """Where the host's VNC server listens."""
    return re.findall(r"VNC server listens on 127.0.0.1:(\d+)",
                      g.host_text())[-1]


def vnc_picture(g):
    """What a VNC viewer sees."""
    path = os.path.join(g.scratch, "viewer.ppm")
    subprocess.run([os.path.join(BUILD, "guest/vnccapture"), vnc_port(g), path],
                   check=True, timeout=60 * g.scale, stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT)
    return read_ppm(path)
