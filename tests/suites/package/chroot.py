#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Commands in chroots leave no mount and no process, however they end."""

import os
import signal
import subprocess
import sys
import tempfile
import time

from lib import CHROOT, make_system, possible, TOP

sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
from tap import Tap         # noqa: E402

BUILD = os.path.join(TOP, "build")
# the same system as dkms.py's, so that it is made once
from dkms import PACKAGES, SYSTEM       # noqa: E402


def mounts(*below):
    """The mounts that this process sees below some directories: elsewhere
    others may mount what they like meanwhile."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return sorted(x for x in f if (x.split()[4] + "/").startswith(
            tuple(b.rstrip("/") + "/" for b in below)))


def processes(mark):
    """Processes whose command line has the mark."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if mark.encode() in f.read() and int(pid) != os.getpid():
                    found.append(int(pid))
        except OSError:
            pass
    return found


class Trial:
    """Runs commands with a bound directory, and compares what is left."""

    def __init__(self, directory):
        self.dir = directory
        self.mark = os.path.basename(directory)
        self.mounts = mounts(directory, BUILD)

    def start(self, command):
        """Starts a shell command inside; the mark is on its command line."""
        # stdout and stderr would be held open by whatever is left behind
        return subprocess.Popen(
            [CHROOT, "run", "--bind", self.dir, "--scratch", SYSTEM, "sh",
             "-c", command, self.mark], stdin=subprocess.DEVNULL)

    def nothing_left(self):
        """Fails if a mount or a process is left."""
        end = time.monotonic() + 5
        while processes(self.mark) and time.monotonic() < end:
            time.sleep(0.1)
        assert not processes(self.mark), processes(self.mark)
        now = mounts(self.dir, BUILD)
        assert now == self.mounts, "\n".join(
            sorted(set(now) ^ set(self.mounts)))

    def status(self):
        """The command's exit status comes through; bound paths are written."""
        with self.start(f"test -e /proc/1/stat -a -c /dev/null || exit 1; "
                        f"touch {self.dir}/seen /only-inside; exit 7") as p:
            assert p.wait(60) == 7, p.returncode
        assert os.path.exists(f"{self.dir}/seen")
        assert not os.path.exists(f"{SYSTEM}/only-inside"), "not scratch"
        self.nothing_left()

    def killed(self, number):
        """A signal to chroot.sh ends all of it."""
        path = f"{self.dir}/running"
        with self.start(f"sleep 300 & touch {path}; wait") as p:
            end = time.monotonic() + 60
            while not os.path.exists(path) and time.monotonic() < end:
                time.sleep(0.1)
            assert os.path.exists(path), "did not start"
            assert len(processes(self.mark)) > 1, "nothing to kill"
            p.send_signal(number)
            assert p.wait(10) != 0
        os.unlink(path)
        self.nothing_left()


def main():
    """Runs the trials."""
    with Tap() as tap:
        if not possible(tap, "commands in chroots") or not make_system(
                tap, "bookworm", SYSTEM, PACKAGES, "a Debian system is made"):
            return
        with tempfile.TemporaryDirectory(prefix="synthio-chroot.") as d:
            trial = Trial(d)
            tap.test("a command that fails leaves nothing", trial.status)
            for s in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
                tap.test(f"{s.name} leaves nothing", trial.killed, s)


if __name__ == "__main__":
    main()
