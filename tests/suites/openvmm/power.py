#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Ends of a guest on OpenVMM, and what comes after them: reboot, kexec, reset by
the host, hibernation as far as the image, a shutdown that the host asks for, a
panic.

power.py [GUEST]... runs only those; without one, all.
"""

import time

import cards
from lib import CLASSES, KERNEL, OWN, begin, devices, disk, driver_of, \
    run_tests, setup
from openvmm import MEMORY
from steps import sleep_to


def works(g):
    """A disk and a card do what they are for."""
    dev = disk(g, MEMORY, 60)
    g.run(f"dd if=/dev/urandom of=/run/data bs=256k count=4 2>/dev/null;"
          f" dd if=/run/data of=/dev/{dev} bs=256k oflag=direct 2>/dev/null;"
          f" dd if=/dev/{dev} bs=256k count=4 iflag=direct 2>/dev/null |"
          " cmp - /run/data", 60)
    g.notes.pop("tap", None)
    cards.up(g)
    cards.ping(g)
    for kind in CLASSES:
        used = {driver_of(g, d) for d in devices(g, kind)}
        assert used == {CLASSES[kind][1 if g.setup.ours else 0]}, used


def again(g):
    """Another kernel has started: all is loaded as at first, and works."""
    g.wait_boot(150)
    g.notes.clear()
    said = begin(g)
    works(g)
    return said


def reboot(g):
    """An orderly reboot; the next kernel finds every device."""
    g.post("reboot -f")
    return again(g)


def kexec(g):
    """A kernel that was started by kexec finds every device."""
    g.run("kexec -s -l /vmlinuz --initrd=/initrd --reuse-cmdline", 120)
    g.post("kexec -e")
    return again(g)


def reset(g):
    """OpenVMM resets the guest in the middle of I/O, unasked and untold."""
    dev = disk(g, MEMORY)
    g.post(f"while :; do dd if=/dev/zero of=/dev/{dev} bs=64k count=16 "
           "oflag=direct 2>/dev/null; done")
    time.sleep(2)
    g.command("reset", "reset complete", 60)
    return again(g)


def hibernation(level):
    """A test: hibernation up to a level of /sys/power/pm_test, and back; every
    device goes on."""
    def run(g):
        sleep_to(g, level)
        works(g)
    return run


def shutdown(g):
    """OpenVMM asks the guest to go through its shutdown device; hv_utils calls
    what the test has put in the place of systemd."""
    g.run("mkdir -p /sbin && printf '#!/bin/sh\\necho asked $0 $@ "
          ">/dev/kmsg; echo o >/proc/sysrq-trigger\\n' >/sbin/poweroff && "
          "chmod 755 /sbin/poweroff")
    start = len(g.log())
    g.type("shutdown")
    g.wait_log("shutdown initiated", start, 60)
    g.wait_console("asked|Power down", 60)


def panic(g):
    """A panic tells the host to unload, and OpenVMM resets the guest then."""
    g.allow += [r"Kernel panic - not syncing: sysrq triggered crash",
                r"Call Trace"]
    g.post("echo c >/proc/sysrq-trigger")
    return again(g)


COMMON = (
    ("loads", begin),
    ("all works", works),
    ("hibernation: devices", hibernation("devices")),
    ("hibernation: core", hibernation("core")),
    ("reboot", reboot),
    ("kexec", kexec),
    ("reset by OpenVMM", reset),
)

run_tests({
    "ours": (COMMON, {"setup": setup(KERNEL, True), "kexec": True,
                      "reset": "reset"}),
    "own": ((*COMMON, ("panic", panic)), {"setup": setup(OWN, True), "kexec": True,
                                          "reset": "reset"}),
    "asked": ((("loads", begin), ("shutdown", shutdown)),
              {"setup": setup(KERNEL, True)}),
})
