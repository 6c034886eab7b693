#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""DKMS builds, installs and removes the modules in a Debian 12 of its own.

The system is a chroot under build/, made once; what a run writes into it is
thrown away. dkms-inside.sh is what runs in it; the initramfs that it makes then
boots a guest (rootdisk.py).
"""

import os
import sys
import tempfile

from lib import HERE, make_system, possible, run_inside, TOP

sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
import rootdisk             # noqa: E402
from steps import LONG      # noqa: E402
from tap import Tap         # noqa: E402

SYSTEM = os.path.join(TOP, "build/chroot-package")
PACKAGES = ["make", "gcc-12", "dkms", "linux-image-amd64",
            "linux-headers-amd64", "udev", "initramfs-tools"]


def main():
    """Makes the system, and runs what is to be tried in it."""
    with Tap() as tap:
        if not possible(tap, "DKMS in a Debian system") or not make_system(
                tap, "bookworm", SYSTEM, PACKAGES, "a Debian system is made"):
            return
        # outside of TOP, which is bound read-only
        with tempfile.TemporaryDirectory(prefix="synthio-package.") as out:
            run_inside(tap, [
                "--bind", out, "--scratch", SYSTEM,
                os.path.join(HERE, "dkms-inside.sh"), TOP, out,
                *(["long"] if LONG else [])],
                       os.path.join(TOP, "build/logs/package.dkms.log"))
            rootdisk.test(tap, SYSTEM, os.path.join(out, "initrd.img"))


if __name__ == "__main__":
    main()
