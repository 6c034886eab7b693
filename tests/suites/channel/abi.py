#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The drop-in's symbols and CRCs are those of the kernel's hv_vmbus, and those
that our drivers need."""

import glob
import os
import re
import subprocess
import sys

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
from kernels import build_modules, Kernel  # noqa: E402
from tap import Tap         # noqa: E402


def check(name):
    """Runs abi-check on what was built."""
    kernel = Kernel(name)
    stock = os.path.join(TOP, "build", kernel.release, "stock")
    drivers = glob.glob(os.path.join(stock, "drivers/*/*.ko"))
    done = subprocess.run(
        [os.path.join(TOP, "tests/abi-check"),
         os.path.join(kernel.kbuild, "Module.symvers"),
         os.path.join(stock, "Module.symvers"), *drivers],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    last = done.stdout.splitlines()[-1]
    assert done.returncode == 0, done.stdout
    m = re.fullmatch(r"abi: (\d+) of (\d+) symbols match", last)
    assert m and int(m[1]) >= 36 and int(m[2]) - int(m[1]) <= 1, done.stdout
    for name in (os.path.basename(x)[:-3] for x in drivers):
        assert re.search(rf"^{name}: \d+ symbols of hv_vmbus, all match$",
                         done.stdout, re.MULTILINE), done.stdout
    assert drivers, "no driver was built"
    return "\n".join([last] + [x for x in done.stdout.splitlines()
                               if x.startswith("missing")])


def main():
    """Runs the tests."""
    with Tap() as tap:
        # whichever kernel the other tests run in
        for name in ("distro", "6.12"):
            if build_modules(tap, name, "stock"):
                tap.test(f"symbols and CRCs of the drop-in for {name}", check, name)


if __name__ == "__main__":
    main()
