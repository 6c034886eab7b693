#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""All devices in guests of arm64, with our drivers.

arm64.py [KERNEL]...

The kernel is 6.12-arm64; with LONG=1 also the oldest, the newest, and one
with pages of 16 KiB, on either bus. VM_KERNEL=6.12-arm64 runs the other suites in one.
"""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../../.."))
# pylint: disable=wrong-import-position
import smoke                # noqa: E402
from selftests import LONG, program     # noqa: E402
import far                  # noqa: E402
from kernels import Kernel  # noqa: E402
from tap import Skip, Tap   # noqa: E402

RING = "guest/stress_ring"
KERNELS = ["6.12-arm64"]
MORE = ["6.1-arm64", "newest-arm64", "6.12-16k-arm64"]


def make(*words):
    """Runs make, as a test."""
    done = subprocess.run(["make", "-s", *words], cwd=TOP, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def symbols():
    """Drivers for the kernel's own VMBus fit it: it does not load without
    Hyper-V, so they are compared with what it exports."""
    make("abi-check", f"KERNEL={KERNELS[0]}")


def missing():
    """The packages that are not there: a cross compiler, an emulator."""
    return subprocess.run([os.path.join(TOP, "tests/vm/deps.sh"), "-m", "arm64"],
                          stdout=subprocess.PIPE, text=True, check=False
                          ).stdout.strip()


def ring():
    """tests/unit/stress_ring.c in two processes of arm64, which QEMU translates:
    its barriers are needed on this machine, too."""
    done = subprocess.run(
        ["qemu-aarch64-static", os.path.join(TOP, "build/arm64", RING)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
        check=False, env={**os.environ, "STRESS_SECONDS": "10"})
    return races(done.returncode, done.stdout)


def ring_inside(g):
    """The same on the CPUs of a guest."""
    done = g.sh(f"STRESS_SECONDS=6 /synthio/build/{RING}", 240)
    return races(done.rc, done.out)


def races(status, out):
    """All of them went well."""
    assert status == 0 and out.count("\nok ") == 9, out
    return "races: " + "; ".join(re.findall(r"^# (\d+ packets, .*)", out, re.M))


def main():
    """Runs the tests."""
    with Tap() as tap:
        if os.environ.get("DEBUG_KERNEL") == "1":
            raise Skip("that is about a kernel of its own")
        lacks = missing()
        if lacks:
            raise Skip(f"not installed: {lacks}")
        reason = far.why_not()
        if reason:
            raise Skip(reason)
        if not tap.test("programs for the guests", make, "-f",
                        "tests/guest/guest.mk", "guest-tools",
                        "GUEST_ARCH=arm64"):
            return
        tap.test("the ring between two processes", ring)
        if LONG:
            tap.test("symbols and CRCs of the drop-in, and of what our drivers need",
                     symbols)
        for kernel in sys.argv[1:] or KERNELS + LONG * MORE:
            # where the kernel's VMBus is built in, there is no drop-in
            drop_in = Kernel(kernel).module_path("hv_vmbus")
            for bus in ("own", "stock") if drop_in and LONG else ("own",):
                if tap.test(f"{kernel}: modules, BUS={bus}", make, "modules",
                            f"KERNEL={kernel}", f"BUS={bus}"):
                    smoke.smoke(tap, kernel, bus, [
                        ("memory.sh of the selftests",
                         program(bus, "memory.sh")),
                        ("the ring between two processes", ring_inside)])


if __name__ == "__main__":
    main()
