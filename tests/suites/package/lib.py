# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of packages share: Debian systems in chroots, and what runs there."""

import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../../.."))
CHROOT = os.path.join(TOP, "tests/vm/chroot.sh")


def possible(tap, what):
    """Whether there can be chroots; reports what is skipped if not."""
    why = subprocess.run([CHROOT, "possible"], stdout=subprocess.PIPE, text=True,
                         check=False)
    if why.returncode:
        tap.skip(what, why.stdout.strip())
    return not why.returncode


def make_system(tap, release, system, packages, what):
    """Makes a Debian system, once; reports whether that succeeds."""
    made = subprocess.run([CHROOT, "make", release, system] + packages,
                          stdout=subprocess.DEVNULL, check=False)
    return tap.ok(made.returncode == 0, what)


def run_inside(tap, args, log, prefix=""):
    """Runs a program by "chroot.sh run" and these arguments; reports each "ok NAME"
    and "not ok NAME" that it prints, with a prefix, and that it runs to its end. What
    it says beside that is kept in a log."""
    see = f"see {os.path.relpath(log, TOP)}"
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "w", encoding="utf-8") as err, subprocess.Popen(
            [CHROOT, "run", "--bind-ro", TOP, "--bind-ro", "/sys", *args],
            stdout=subprocess.PIPE, stderr=err, text=True) as proc:
        for line in proc.stdout:
            m = re.match(r"(not )?ok (.*)", line)
            if m:
                err.write(line)
                err.flush()
                tap.ok(not m[1], prefix + m[2], see)
    tap.ok(proc.returncode == 0, prefix + "and runs to its end",
           f"status {proc.returncode}: {see}")
