#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The channel in the newest kernel, whose VMBus is built in: all modules are built
for it, and selftests tell whether a device channel works.
"""

from selftests import HOST, programs
from guest import Guest
from kernels import NEWEST, newest_modules
from tap import Tap


def connected(g):
    """The channel comes up beside the kernel's own."""
    g.load("own")
    g.wait_console(r"synth_vmbus: VMBus version 5.3 over ivshmem", 30)
    out = g.run("zcat /proc/config.gz 2>/dev/null | grep HYPERV_VMBUS;"
                "uname -r; rmmod synth_vmbus").out
    return out.strip()


def main():
    """Runs the tests."""
    with Tap() as tap:
        if not newest_modules(tap):
            return
        tap.guest(NEWEST, Guest("selftests-7", kernel=NEWEST, limit=1200,
                                host=HOST),
                  ("connects", connected), *programs("own"))


if __name__ == "__main__":
    main()
