#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""synthhost's two processes, without a guest.

The worker is killed, replaced, and dies at once; the connection, the BAR and the
sockets that QEMU and others have stay. The steps of a takeover are
tests/unit/test_host_death.c's, and a guest is tests/suites/channel/death.py's.
"""

import mmap
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                   "../../.."))
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
from tap import Tap         # noqa: E402

PROGRAM = os.path.join(TOP, "build/host-asan/synthhost")
PATIENCE = 120
GENERATION = 0x1c


class Host:
    """A synthhost, and what QEMU would have of it."""

    def __init__(self, *options):
        # pylint: disable=consider-using-with
        self.temp = tempfile.TemporaryDirectory(prefix="synthhost-")
        self.dir = self.temp.name
        for name, size in (("ram", 16 << 20), ("disk", 1 << 20),
                           ("more", 1 << 20)):
            with open(self.path(name), "wb") as f:
                f.truncate(size)
        self.log = open(self.path("log"), "wb")
        self.proc = subprocess.Popen(
            [PROGRAM, "--socket", "s", "--control", "c", "--ram",
             "file=ram,offset=0,gpa=0,size=16M", "--bar-size", "64K",
             "--vectors", "2", "--scsi", "c0", "--disk",
             "c0,lun=0,file=disk", "--mouse", "--keyboard", "--video",
             "--vnc", "0", *options], cwd=self.dir, stderr=self.log)
        self.fds = []
        self.conn = None
        self.bar = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        self.log.close()
        if self.bar:
            self.bar.close()
        if self.conn:
            self.conn.close()
        for fd in self.fds:
            os.close(fd)
        self.temp.cleanup()

    def path(self, name):
        """A file of its directory."""
        return os.path.join(self.dir, name)

    def text(self):
        """What it has said."""
        with open(self.path("log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait(self, condition, what):
        """Waits until something is true."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{what}\n{self.text()}"
            time.sleep(0.02)

    def said(self, pattern):
        """Waits until it has said something."""
        self.wait(lambda: re.search(pattern, self.text()), pattern)

    def workers(self):
        """Process ids of its children."""
        pid = self.proc.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(x) for x in f.read().split()]

    def ctl(self, *words):
        """A command; its exit status and reply."""
        done = subprocess.run([PROGRAM, "ctl", "c", *words], cwd=self.dir,
                              stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def connect(self):
        """Takes BAR and eventfds, as QEMU does."""
        self.said("listens on s")
        self.conn = socket.socket(socket.AF_UNIX)
        self.conn.connect(self.path("s"))
        values = []
        for _ in range(6):
            data, fds, _, _ = socket.recv_fds(self.conn, 8, 1)
            values.append(struct.unpack("<q", data)[0])
            self.fds += fds
        assert values == [0, 1, -1, 0, 1, 1], values
        self.bar = mmap.mmap(self.fds[0], 65536)

    def generation(self):
        """Which worker it is, as the guest sees it."""
        return struct.unpack_from("<I", self.bar, GENERATION)[0]

    def connected(self):
        """QEMU's connection is there."""
        self.conn.setblocking(False)
        try:
            return bool(self.conn.recv(1))
        except BlockingIOError:
            return True


def killed():
    """The worker is killed: another one has the same connection and BAR."""
    with Host() as h:
        h.connect()
        for count in 2, 3, 4:
            os.kill(h.workers()[0], signal.SIGKILL)
            h.said(f"worker {count} serves")
            assert h.generation() == count, h.generation()
            assert h.connected()
            rc, out = h.ctl("status")
            assert rc == 0 and "QEMU connected" in out, out
        vnc = re.findall(r"VNC server listens on [\d.]+:(\d+)", h.text())
        assert len(vnc) == 1, vnc
        socket.create_connection(("127.0.0.1", int(vnc[0]))).close()
        h.proc.send_signal(signal.SIGTERM)
        assert h.proc.wait(PATIENCE) == 0, h.text()
        assert not h.connected() and not os.path.exists(h.path("s"))


def replaced():
    """restart, of the same program, of one that can't, and disks of commands."""
    with Host() as h:
        h.connect()
        assert h.ctl("add", "c0,lun=5,file=more")[0] == 0
        assert h.ctl("remove", "c0", "0")[0] == 0
        assert h.ctl("restart")[0] == 0
        h.said("worker 2 serves")
        out = h.ctl("status")[1]
        assert "LUN 5" in out and "LUN 0" not in out, out
        assert h.ctl("restart", "/nowhere/synthhost")[0] == 1
        assert h.ctl("restart", "/bin/false")[0] == 0
        h.said("does not take over")
        h.said("worker 3 serves")
        assert h.connected() and h.generation() == 3
        assert h.ctl("quit")[0] == 0
        assert h.proc.wait(PATIENCE) == 0, h.text()


def parent_dies():
    """The parent is killed: its worker ends with it."""
    with Host() as h:
        h.connect()
        worker = h.workers()[0]
        h.proc.kill()
        h.proc.wait()
        h.wait(lambda: not os.path.exists(f"/proc/{worker}"), "worker lives")
        assert not h.connected()


def dies_at_a_point():
    """--die-at kills the first worker only."""
    with Host("--die-at", "committed:1") as h:
        h.connect()
        h.said("killed by signal 9")
        h.said("worker 2 serves")
        assert h.connected()
    with Host("--die-at", "nowhere") as h:
        assert h.proc.wait(PATIENCE) == 1
        assert "is no point" in h.text()


def bad_start():
    """What cannot start says so once, and is not tried again."""
    with Host("--disk", "c0,lun=1,file=nothing") as h:
        assert h.proc.wait(PATIENCE) == 1, h.text()
        assert h.text().count("nothing") == 1, h.text()


def single():
    """--single is one process, and cannot restart."""
    with Host("--single") as h:
        h.connect()
        assert not h.workers()
        rc, out = h.ctl("restart")
        assert rc == 1 and "--single" in out, out
        h.proc.send_signal(signal.SIGTERM)
        assert h.proc.wait(PATIENCE) == 0, h.text()


def build():
    """The program, with sanitizers."""
    subprocess.run(["make", "-s", "-f", "host/host.mk", "host-asan"], cwd=TOP,
                   stdout=subprocess.DEVNULL, check=True)


def main():
    """All of it."""
    with Tap() as tap:
        tap.test("synthhost is built", build)
        tap.test("a worker is killed", killed)
        tap.test("a worker is replaced", replaced)
        tap.test("the parent dies", parent_dies)
        tap.test("a worker dies at a point", dies_at_a_point)
        tap.test("a bad start", bad_start)
        tap.test("--single", single)


main()
