# SPDX-License-Identifier: GPL-2.0-only
"""What the tests on OpenVMM share: how bus and drivers are loaded, and how a
guest's tests are run.

Tests get an openvmm.OpenVmm, whose setup says which bus it has and whose
drivers.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vm"))
# pylint: disable=wrong-import-position
from kernels import build_modules           # noqa: E402
from openvmm import BUS, OURS, OpenOuters, OpenVmm, OTHERS, Setup, \
    THEIRS, program, version                # noqa: E402
from outers import run_inner                # noqa: E402
from steps import wait_for                  # noqa: E402
from tap import Skip, Tap                   # noqa: E402

KERNEL, DROPIN, OWN = "kernel", "dropin", "own"
# class of device: the distribution's driver, ours, and the class's id
CLASSES = {
    "disk": ("hv_storvsc", "synth_blk", "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"),
    "net": ("hv_netvsc", "synth_net", "f8615163-df3e-46c5-913f-f2d2f965ed0e"),
    "video": ("hyperv_drm", "synth_video",
              "da0a7802-e377-4aac-8e77-0558eb1073f8"),
    "mouse": ("hid_hyperv", "synth_mouse",
              "cfa8b69e-5b4a-4cc0-b98b-8ba1a1f3f95a"),
    "keyboard": ("hyperv_keyboard", "synth_keyboard",
                 "f912ad6d-2b17-48ea-bd65-f927a61c7684"),
}


def insmod(g, name, params=""):
    """Loads a module, unless it is there or built in, with what it needs."""
    have = g.notes.setdefault("modules", set())
    if name in have:
        return
    have.add(name)
    if name.startswith("synth_"):
        path = g.setup.module(name)
    else:
        names = [n for n, _ in g.kernel.module_files([name])]
        for other in names[:-1]:
            if other != BUS:
                insmod(g, other)
        if not names or names[-1] != name.replace("-", "_"):
            return              # built in
        path = g.setup.module(name)
    g.run(f"test -e /sys/module/{name.replace('-', '_')} || "
          f"insmod {path} {params}", 60)


def rmmod(g, name):
    """Unloads a module."""
    g.notes["modules"].discard(name)
    g.run(f"rmmod {name.replace('-', '_')}", 60)


def load_bus(g):
    """Loads the bus, and what drivers of either kind need; returns its line in
    the log."""
    for name in OTHERS:
        insmod(g, name)
    path = g.setup.channel
    if g.setup.bus != KERNEL or g.kernel.module_path(BUS):
        g.run(f"insmod {path}")
    wait_for(g, f"test $(ls {g.setup.sysfs}/devices | wc -l) -ge 8",
             "the host offers too few devices")
    return "\n".join(x for x in g.run("dmesg").out.splitlines()
                     if re.search(r"vmbus: .*version", x, re.I))


def load_drivers(g):
    """Loads the drivers."""
    if g.setup.ours:
        for need in g.notes.get("needs", ()):
            insmod(g, need)
        for name in OURS:
            # its disks are taken beside a DVD drive
            insmod(g, name, "mixed=1" if name == "synth_blk" else "")
        if g.setup.bus != OWN:
            insmod(g, "hv_utils")
    else:
        for name in THEIRS:
            insmod(g, name)


def begin(g):
    """Loads all."""
    from nested import needs        # pylint: disable=import-outside-toplevel
    said = load_bus(g)
    g.notes["needs"] = needs(g.kernel)
    load_drivers(g)
    return said


def devices(g, kind):
    """Names on the bus of the devices of a class."""
    out = g.run(f"grep -li {CLASSES[kind][2]} {g.setup.sysfs}/devices/*/class_id"
                " | cut -d/ -f6").out
    return out.split()


def driver_of(g, device):
    """The driver that has a device, or None."""
    done = g.sh(f"basename $(readlink {g.setup.sysfs}/devices/{device}/driver)")
    return done.out.strip() if done.rc == 0 else None


def disk(g, size, timeout=30):
    """Waits for the disk of this size, returns its name."""
    where = "/sys/block/s[dy]*"
    out = wait_for(g, f"grep -lx {size // 512} {where}/size | cut -d/ -f4 | "
                   "grep .", f"no disk of {size >> 20} MiB", timeout)
    return out.split()[0]


def gone(g, size, timeout=30):
    """Waits until no disk has this size."""
    wait_for(g, f"! grep -qx {size // 512} /sys/block/s[dy]*/size",
             f"the disk of {size >> 20} MiB stays", timeout)


def modules_for(tap, kernel):
    """Builds the modules for a kernel of the distribution."""
    return kernel == "distro" or build_modules(tap, kernel, "own", "stock")


def guest(tap, outer, name, tests, **options):
    """Boots a guest of OpenVMM and runs its tests: (name, function)."""
    g = OpenVmm(outer, name, **options)
    run_inner(tap, outer, name, g, tests)


def run_tests(guests):
    """Runs the tests of those guests that the command line names, or of all.

    guests: {name: (tests, options of OpenVmm)}
    """
    with Tap() as tap:
        if not program():
            raise Skip("OPENVMM= names no openvmm (docs/hyperv.md)")
        if not os.access(program(), os.X_OK):
            raise Skip(f"OPENVMM={program()} is no program")
        if os.environ.get("DEBUG_KERNEL") == "1":
            raise Skip("guests in guests run the distribution's kernels")
        tap.say(version())
        outers = OpenOuters(tap)

        def one(tap_, outer, name):
            tests, options = guests[name]
            guest(tap_, outer, name, tests, **options)

        try:
            for name in [x for x in guests if x in (sys.argv[1:] or guests)]:
                if modules_for(tap, guests[name][1].get("kernel", "distro")):
                    outers.run(name, one)
        finally:
            outers.end()


def setup(bus, ours):
    """A Setup."""
    return Setup(bus, ours)
