#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""All devices in guests of kernels of each age and kind, for x86-64.

releases.py [KERNEL[=BUS]]...

By default one boot of each of USUAL; with LONG=1 both buses, and more kernels.
BUS is own or stock. `make test KERNEL=6.12` runs the other suites in one, rt.py
loads those with PREEMPT_RT, and arm64.py is the same for arm64.
"""

import sys

# pylint: disable=wrong-import-position
import smoke                # noqa: E402
from selftests import LONG  # noqa: E402
import far                  # noqa: E402
from kernels import build_modules, Kernel   # noqa: E402
from tap import Skip, Tap   # noqa: E402

# the distribution's own kernel has the suites
USUAL = ("6.1-rt=own", "6.12=stock", "6.12-rt=own", "newest=own")
MORE = ("6.1=own", "6.1=stock", "6.1-rt=stock", "6.12=own", "6.12-rt=stock",
        "7.2=own", "newest-rt=own")


def ring_file(g):
    """A program maps a channel's rings through sysfs, while that is wanted."""
    command = "echo '%s' >/sys/kernel/debug/synth_chantest/command"
    g.run(command % "open ring=16384")
    find = "ls /sys/bus/vmbus/devices/*/channels/*/ring 2>/dev/null"
    assert g.sh(find).rc, "a ring that nobody has shown"
    g.run(command % "ringfile 1")
    path = g.run(find).out.split()
    assert len(path) == 1, path
    # two rings with their control pages, which say that they have feature bit 0
    out = g.run("python3 - %s <<'END'\n"
                "import mmap, os, struct, sys\n"
                "f = open(sys.argv[1], 'r+b')\n"
                "size = os.stat(sys.argv[1]).st_size\n"
                "m = mmap.mmap(f.fileno(), size)\n"
                "print(size, *(struct.unpack_from('<I', m, at + 64)[0] & 1\n"
                "              for at in (0, size // 2)))\n"
                "END\n" % path[0]).out.split()
    assert int(out[0]) > 2 * 16384 and out[1:] == ["1", "1"], out
    g.run(command % "ringfile 0")
    assert g.sh(find).rc, "it is still there"
    g.run(command % "close")


def boot(tap, name, bus):
    """One guest."""
    if not build_modules(tap, name, bus):
        return
    kernel = Kernel(name)
    more = []
    if bus == "stock" and kernel.has("RING_SYSFS_YES"):
        more.append(("rings in sysfs", ring_file))
    smoke.smoke(tap, name, bus, more)


def main():
    """Runs the tests."""
    with Tap() as tap:
        reason = far.why_not()
        if reason:
            raise Skip(reason)
        for word in sys.argv[1:] or USUAL + LONG * MORE:
            name, _, bus = word.partition("=")
            boot(tap, name, bus or "own")


if __name__ == "__main__":
    main()
