#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""DKMS builds, installs and removes the modules in a Debian 12 of its own.

The system is a chroot under build/, made once; what a run writes into it is
thrown away. dkms-inside.sh is what runs in it; the initramfs that it makes then
boots a guest (rootdisk.py).
"""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../../.."))
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
import rootdisk             # noqa: E402
from tap import Tap         # noqa: E402

CHROOT = os.path.join(TOP, "tests/vm/chroot.sh")
SYSTEM = os.path.join(TOP, "build/chroot-package")
PACKAGES = ["make", "gcc-12", "dkms", "linux-image-amd64",
            "linux-headers-amd64", "udev", "initramfs-tools"]


def inside(tap, out):
    """Reports each line of dkms-inside.sh, which leaves an image in out."""
    log = os.path.join(TOP, "build/logs/package.dkms.log")
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "w", encoding="utf-8") as err, subprocess.Popen(
            [CHROOT, "run", "--bind-ro", TOP, "--bind-ro", "/sys",
             "--bind", out, "--scratch", SYSTEM,
             os.path.join(HERE, "dkms-inside.sh"), TOP, out,
             *(["long"] if os.environ.get("LONG") == "1" else [])],
            stdout=subprocess.PIPE, stderr=err, text=True) as proc:
        for line in proc.stdout:
            m = re.match(r"(not )?ok (.*)", line)
            if m:
                err.write(line)
                err.flush()
                tap.ok(not m[1], m[2], f"see {os.path.relpath(log, TOP)}")
    tap.ok(proc.returncode == 0, "and runs to its end",
           f"status {proc.returncode}: see {os.path.relpath(log, TOP)}")


def main():
    """Makes the system, and runs what is to be tried in it."""
    with Tap() as tap:
        why = subprocess.run([CHROOT, "possible"], stdout=subprocess.PIPE,
                             text=True, check=False)
        if why.returncode:
            tap.skip("DKMS in a Debian system", why.stdout.strip())
            return
        made = subprocess.run([CHROOT, "make", "bookworm", SYSTEM] + PACKAGES,
                              stdout=subprocess.DEVNULL, check=False)
        if not tap.ok(made.returncode == 0, "a Debian system is made"):
            return
        # outside of TOP, which is bound read-only
        with tempfile.TemporaryDirectory(prefix="synthio-package.") as out:
            inside(tap, out)
            rootdisk.test(tap, SYSTEM, os.path.join(out, "initrd.img"))


if __name__ == "__main__":
    main()
