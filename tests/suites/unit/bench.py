#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark's own arithmetic: statistics, costs, plan, report. No guest."""

import io
import os
import re
import socket
import struct
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../vm"), os.path.join(HERE, "../../bench")]
# pylint: disable=wrong-import-position
import disk                                         # noqa: E402
import farend                                       # noqa: E402
import mouse                                        # noqa: E402
import net                                          # noqa: E402
from core import Bench, Progress, Row, Setup        # noqa: E402
from guest import GuestError                        # noqa: E402
from machine import Amd64                             # noqa: E402
from measure import (Counters, GuestWindow, costs, cpu_seconds,     # noqa: E402
                     plugin_counts, traffic_rate)
from report import Report, page                     # noqa: E402
from results import Results                         # noqa: E402
from rfb import Viewer                              # noqa: E402
from stats import Comparison, Summary, judge_floor, judge_target    # noqa: E402
from tap import Skip, Tap                           # noqa: E402
import video                                        # noqa: E402


def equal(got, want):
    """Fails unless they are the same."""
    if got != want:
        raise AssertionError(f"got {got!r}, wanted {want!r}")


def near(got, want):
    """Fails unless they are the same but for rounding."""
    if abs(got - want) > 1e-9 * max(1, abs(want)):
        raise AssertionError(f"got {got!r}, wanted {want!r}")


def raises(kind, function, *args):
    """Fails unless it raises that."""
    try:
        function(*args)
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


# -- statistics ----------------------------------------------------------------

def summaries():
    """Median, quartiles and extremes, in any order, of few and of many."""
    s = Summary([5, 1, 3, 2, 4])
    equal((s.median, s.q1, s.q3, s.low, s.high, s.n), (3, 2, 4, 1, 5, 5))
    s = Summary([10, 20])
    equal((s.median, s.q1, s.q3), (15, 12.5, 17.5))
    s = Summary([7])
    equal((s.median, s.q1, s.q3, s.low, s.high), (7, 7, 7, 7, 7))
    raises(ValueError, Summary, [])


def outliers():
    """One round that was disturbed moves neither median nor spread much."""
    s = Summary([100, 101, 102, 103, 5])
    equal((s.median, s.q1, s.q3, s.low), (101, 100, 102, 5))


def comparisons():
    """Better and worse are beyond the spread; that depends on the unit."""
    fast, slow = Summary([130, 131, 132]), Summary([100, 101, 102])
    c = Comparison(fast, slow)
    equal(c.word, "better")
    near(c.ratio, 131 / 101)
    equal(Comparison(slow, fast).word, "worse")
    equal(Comparison(slow, fast, higher_is_better=False).word, "better")
    wide = Summary([80, 101, 140])
    equal(Comparison(fast, wide).word, "better")
    equal(Comparison(Summary([110, 115, 120]), wide).word, "same")
    # they touch: not beyond
    equal(Comparison(Summary([1, 2]), Summary([1.75, 1.75])).word, "same")
    equal(Comparison(fast, Summary([0])).ratio, None)


def verdicts():
    """A target is a ratio; the floor forgives what the spread hides."""
    ours = Summary([125, 125, 125])
    v = judge_target(Comparison(ours, Summary([100] * 3)), 1.25)
    equal((v.good, v.text), (True, "1.25, target 1.25: reached"))
    v = judge_target(Comparison(ours, Summary([101] * 3)), 1.25)
    equal((v.good, v.text), (False, "1.24, target 1.25: NOT reached"))
    equal(judge_target(Comparison(ours, Summary([0])), 1).good, False)
    equal(judge_floor(Comparison(ours, Summary([126, 130, 134]))).good, False)
    v = judge_floor(Comparison(ours, Summary([120, 130, 140])))
    equal((v.good, v.text), (True, "not below it (within the spread)"))
    equal(judge_floor(Comparison(ours, Summary([1] * 3))).good, True)
    # latency: less is better
    late = Comparison(ours, Summary([100] * 3), higher_is_better=False)
    v = judge_floor(late, True)
    equal((v.good, v.text), (False, "1.25: ABOVE it, beyond the spread"))
    v = judge_floor(Comparison(ours, Summary([126] * 3), False), True)
    equal((v.good, v.text), (True, "not above it"))


# -- what is counted -------------------------------------------------------------

WINDOW = """time 100.500000 102.500000
ios 1000 5000
cpus 2
cpu_a 10 0 10 100 50 0 0 0 0 0
cpu_b 90 0 90 200 150 5 15 0 0 0
irq_a            CPU0       CPU1
irq_a  24:         10          5   PCI-MSI 1-edge      virtio4-config
irq_a  25:        100         50   PCI-MSI 2-edge      virtio4-req.0
irq_a  26:          0          7   PCI-MSI 3-edge      virtio4-req.1
irq_a LOC:        622        600   Local timer interrupts
irq_a ERR:          0
irq_b            CPU0       CPU1
irq_b  24:         10          5   PCI-MSI 1-edge      virtio4-config
irq_b  25:        500        250   PCI-MSI 2-edge      virtio4-req.0
irq_b  26:          0        407   PCI-MSI 3-edge      virtio4-req.1
irq_b LOC:        922        900   Local timer interrupts
irq_b ERR:          0
"""


class Sample:
    """A HostSample that was not taken."""

    def __init__(self, when, cpu, busy, counters, load=0.0, traffic=None):
        self.time, self.cpu, self.busy = when, cpu, busy
        self.load, self.traffic = load, traffic or {}
        self.counters = Counters(lambda: counters)
        # asked for a quarter longer than the window is
        self.counters.time = when * 1.25


def window():
    """I/Os, busy vCPUs and the device's interrupts, on all CPUs."""
    w = GuestWindow(WINDOW, r"virtio\d+-req")
    near(w.seconds, 2)
    equal((w.ios, w.irqs), (4000, 1000))
    near(w.cpu, 2 * 2 - 200 / os.sysconf("SC_CLK_TCK"))
    raises(ValueError, GuestWindow, WINDOW.replace("5000", "1000"), "x")
    # marks that came together, late: what lies between them is no window
    raises(ValueError, costs, w, Sample(50, 7, 20, {}), Sample(50.3, 7, 20, {}))


def per_io():
    """The host's window is shorter, so fewer I/Os fall into it."""
    w = GuestWindow(WINDOW, r"virtio\d+-req")
    c = costs(w, Sample(50, 7.0, 20.0, {"doorbells": 10}),
              Sample(51.5, 9.25, 23.0, {"doorbells": 947.5}))
    near(c["irqs"], 1000 / 4000)
    near(c["host_us"], 1.5 / 2000 * 1e6)
    near(c["doorbells"], 500 / 2000)
    near(c["others"], 0.5)


def per_packet():
    """Where the host counts what has passed, costs are of that; what loads
    the guest from this side is no cost, and nobody else's doing."""
    w = GuestWindow(WINDOW, r"virtio\d+-req")
    a = Sample(50, 7.0, 20.0, {"doorbells": 0}, 1.0, {"to_guest": 7})
    b = Sample(51.5, 8.5, 23.75, {"doorbells": 150}, 2.5, {"to_guest": 15007})
    rate = traffic_rate(a, b, "to_guest")
    near(rate, 10000)
    c = costs(w, a, b, rate)
    near(c["irqs"], 1000 / 20000)
    near(c["host_us"], 100)
    near(c["load_us"], 100)
    near(c["doorbells"], 50 / 6250)
    near(c["others"], 0.5)


def cpu_clock():
    """The CPU time of a process is read, and one that is gone is not 0."""
    start = cpu_seconds([os.getpid()])
    while cpu_seconds([os.getpid()]) < start + 0.01:
        pass
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    raises(RuntimeError, cpu_seconds, [pid])


LISTENER = """
import socket, sys, time
s = socket.socket()
s.bind(("10.77.0.1", int(sys.argv[1])))
s.listen()
time.sleep(600)
"""


def far_end():
    """A namespace with a tap is made, counts, and leaves nothing; so does one
    of a run that was killed."""
    why = farend.missing()
    if why:
        raise Skip(why)
    try:
        far = farend.FarEnd()
    except farend.FarEndError as e:
        raise Skip(f"this root may not make namespaces: {e}") from e
    try:
        assert os.path.exists(f"/sys/class/net/{far.name}")
        far.connect("02:77:00:00:00:02")
        assert not os.path.exists(f"/sys/class/net/{far.name}")
        far.listen("tcp", 5201, sys.executable, "-c", LISTENER, "5201")
        equal(len(far.pids()), 1)
        equal(far.counters(), {"from_guest": 0, "to_guest": 0,
                               "sent_segments": 0})
        far.run("test", "-r", far.dropped)
        raises(farend.FarEndError, far.listen, "tcp", 5202, "false")
    finally:
        far.close()
    assert not os.path.exists(f"{farend.NAMESPACES}/{far.name}")
    equal(far.pids(), [])

    pid = os.fork()
    if not pid:
        farend.FarEnd.count = 0
        farend.FarEnd()
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.path.exists(f"{farend.NAMESPACES}/sb{pid}-1")
    farend.sweep()
    for where in (farend.NAMESPACES, "/sys/class/net"):
        assert not os.path.exists(f"{where}/sb{pid}-1"), where


# -- results, plan, report -------------------------------------------------------

def results():
    """Every value is written; those of the warm-up are not summed up."""
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "results.tsv")
        r = Results(path, [("qemu", "7.2")])
        for n, value in enumerate((50, 100, 102, 101)):
            r.add("disk", "1cpu", n, "ide", "read-8",
                  {"IOPS": value, "doorbells": None})
        r.close()
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
    equal(lines[:2], ["# qemu: 7.2",
                      "case\tsetup\tround\tpeer\trow\tmetric\tvalue"])
    equal(lines[2], "disk\t1cpu\t0\tide\tread-8\tIOPS\t50")
    equal(lines[3], "disk\t1cpu\t0\tide\tread-8\tdoorbells\tn/a")
    equal(len(lines), 2 + 8)
    equal(r.get("disk", "1cpu", "read-8", "ide", "IOPS").median, 101)
    equal(r.get("disk", "1cpu", "read-8", "ide", "doorbells"), None)


def filters():
    """Rows and peers are chosen by name; a name that is none is an error."""
    for module, case in ((disk, disk.DiskCase), (net, net.NetCase),
                         (video, video.VideoCase)):
        equal([r.name for r in case(True).rows], list(module.SHORT))
        equal([r.name for r in case().rows], [r[0] for r in module.ALL])
        raises(ValueError, case, False, None, ["floppy"])
        raises(ValueError, case, False, None, [], ["nothing"])
        raises(ValueError, case, False, None, [], [], ["9cpu"])
    equal([r.name for r in disk.DiskCase(wanted=["hipri-*", "read-8"]).rows],
          ["read-8", "hipri-1", "hipri-32"])
    # names of another case's are none of its business
    equal([p.name for p in disk.DiskCase(
        peers=["ide", "virtio-blk", "e1000"]).peers], ["virtio-blk", "ide"])
    raises(ValueError, net.NetCase, False, None, ["ide"])
    equal({r.name for r in net.NetCase().rows if r.lower}, {"rr"})
    equal([(r.name, r.lower) for r in mouse.MouseCase(True).rows],
          [("latency", True)])


# -- pointer and display ---------------------------------------------------------

def percentiles():
    """The least of the values that so many percent do not exceed."""
    equal(mouse.percentile(range(1, 101), 99), 99)
    equal(mouse.percentile([3, 1, 2], 99), 3)
    equal(mouse.percentile([3, 1, 2], 50), 2)
    equal(mouse.percentile([7], 1), 7)


class Server:
    """A VNC server that takes one viewer, and what it sends after that."""

    def __init__(self, version=b"RFB 003.008\n", security=b"\1\1"):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.version, self.security = version, security
        self.got = b""
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        conn = self.listener.accept()[0]
        with conn:
            conn.sendall(self.version)
            if conn.recv(12) != b"RFB 003.008\n":
                return
            conn.sendall(self.security)
            if conn.recv(1) != b"\1":
                return
            conn.sendall(bytes(4))
            conn.recv(1)
            # in two pieces: a viewer waits for all of it
            conn.sendall(struct.pack(">HH", 1920, 1080))
            time.sleep(0.05)
            conn.sendall(bytes(16) + struct.pack(">I", 3) + b"abc")
            while data := conn.recv(100):
                self.got += data

    def end(self):
        """When the viewer has gone: what it has sent."""
        self.thread.join(20)
        self.listener.close()
        return self.got


def viewer():
    """The handshake, and what a move is on the wire; servers that want more
    are left."""
    server = Server()
    v = Viewer(server.port)
    equal((v.width, v.height), (1920, 1080))
    v.point(0x102, 3)
    v.close()
    equal(server.end(), bytes([2, 0, 0, 1, 0, 0, 0, 0, 5, 0, 1, 2, 0, 3]))
    for bad in (Server(b"RFB 003.003\n"), Server(security=b"\1\2")):
        raises(OSError, Viewer, bad.port)
        equal(bad.end(), b"")


class Counter:
    """A page that counts each move of the viewer that it is, or none."""

    def __init__(self, works=True):
        self.works = works
        self.seen = []

    def count(self):
        """How many it has seen."""
        return len(self.seen) if self.works else 0

    def point(self, x, y):
        """Is moved."""
        self.seen.append((x, y))


def mover():
    """No move repeats the one before; only those inside the window count; a
    move that is lost is an error."""
    c = Counter()
    m = mouse.Mover(c, c)
    m.start()
    while len(c.seen) < 9:
        time.sleep(0.001)
    m.ends.set()
    m.join()
    assert all(a != b for a, b in zip(c.seen, c.seen[1:])), c.seen
    equal(len(m.seen), len(c.seen) - 1)
    equal(len(m.end(m.seen[2][0], m.seen[6][0])), 4)
    m.trouble = m.seen[6][0], "what read it has ended"
    equal(len(m.end(m.seen[2][0], m.seen[6][0])), 4)
    lost, mouse.LOST = mouse.LOST, 0.01
    try:
        c = Counter(False)
        m = mouse.Mover(c, c)
        m.start()
        m.join()
    finally:
        mouse.LOST = lost
    raises(GuestError, m.end, 0, time.monotonic())


class Memory:
    """A guest's, of 4 GiB in a file with holes: a page of it is written."""

    arch, machine, ram = Amd64, "pc", 4 << 30

    def __init__(self, path, offset, value):
        self.ram_file = path
        with open(path, "wb") as f:
            f.truncate(self.ram)
            f.seek(offset)
            f.write(struct.pack("=Q", value))


def page_of():
    """A guest-physical address is found in its file, above 4 GiB too; what is
    no RAM is not."""
    with tempfile.TemporaryDirectory() as d:
        g = Memory(os.path.join(d, "ram"), (3 << 30) + 0x5000, 2026)
        p = mouse.Page(g, (4 << 30) + 0x5000)
        equal(p.count(), 2026)
        p.close()
        raises(ValueError, mouse.Page, g, (3 << 30) + 0x5000)
        raises(ValueError, mouse.Page, g, 0x5008)


class FakeDisplay(video.VideoPeer):
    """Whose host has taken some updates."""

    def __init__(self, taken, done=0):
        super().__init__("fake", "fake")
        self.counts = [0] + taken
        self.done = done

    def once(self, load, count):
        """Does nothing."""
        class Result:
            """Of the program."""
            rc, out = self.done, "no mode"
        return Result

    def taken(self):
        return self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]


def queues():
    """A host that takes several updates for one, or none, is found."""
    FakeDisplay([10, video.TRIES]).look_at_queues()
    raises(GuestError, FakeDisplay([video.TRIES], 1).look_at_queues)
    sleep, video.time.sleep = video.time.sleep, lambda _: None
    try:
        raises(GuestError, FakeDisplay([video.TRIES // 2]).look_at_queues)
    finally:
        video.time.sleep = sleep


class FakePeer:
    """Measures what it is told to: {row: [value of each round]}."""

    def __init__(self, name, values, log, absent=None, breaks=0):
        self.name, self.title, self.values = name, name, values
        self.log, self.absent, self.breaks = log, absent, breaks
        self.runs = self.up = False
        self.counts = [1000, 2000] * 2

    def missing(self):
        """Why it is not there."""
        return self.absent

    def start(self, _):
        """Boots."""
        self.up = self.runs = True

    def cannot(self, _, row):
        """Rows that it has no values for."""
        return None if row.name in self.values else "cannot"

    @staticmethod
    def cpu():
        """Takes none."""
        return 0.0

    def pause(self):
        """Stands still."""
        assert self.up
        self.runs = False

    def resume(self):
        """Goes on."""
        self.runs = True

    def measure(self, setup, row, _seconds):
        """Gives the next value."""
        assert self.up and self.runs
        if self.breaks:
            self.breaks -= 1
            raise GuestError("broken")
        self.log.append(self)
        if setup.counted:
            insns = self.counts.pop(0)
            return {"IOPS": 1, "exits": insns / 1000, "insns": insns}
        return {"IOPS": self.values[row.name].pop(0), "p50": 1, "p99": 2,
                "irqs": 0.5, "guest_us": 1, "host_us": 2, "others": 0}

    def stop(self):
        """Ends."""
        assert self.up
        self.up = False

    def abandon(self):
        """Is ended."""
        self.up = False


class FakeCase:
    """A case of FakePeers."""

    name, title, ours, work = "fake", "Fake", "mine", "IO"
    targets = {"rival": 1.25}
    columns = [("bytes", "bytes/{}", 0, "of messages")]

    def __init__(self, peers, rounds=3, counted=False, rows=None):
        self.peers = peers
        self.rows = rows or [Row("a-32", "row a", "IOPS", True, {}),
                     Row("b", "row b", "IOPS", False, {})]
        self.setups = [Setup("1cpu", "one", True, rounds, True, 1, 1, False)]
        if counted:
            self.setups.append(Setup("counted", "one, counted", False, 2,
                                     False, 1, 1, True))

    def rows_of(self, _):
        """All."""
        return self.rows

    def prepare(self):
        """Nothing."""

    def tidy(self):
        """Nothing."""

    @staticmethod
    def brief(_, metrics):
        """In a few words."""
        return f"{metrics['IOPS']}"

    @staticmethod
    def settings():
        """Of what holds for all."""
        return [("disk", "<none>")]


def bench(peers, brief=None, **more):
    """Runs a FakeCase, returns the Bench, its good, and what it printed."""
    out = io.StringIO()
    case = FakeCase(peers, **more)
    case.brief = brief or case.brief
    b = Bench(case, Results(), out)
    return b, b.run(), out.getvalue()


def interleaved():
    """A B A B, row by row; only the measured one runs; steps add up."""
    log = []
    mine = FakePeer("mine", {"a-32": [1] * 4, "b": [1] * 4}, log)
    rival = FakePeer("rival", {"a-32": [1] * 4}, log)
    for peer in (mine, rival):
        other = rival if peer is mine else mine
        def resume(peer=peer, other=other):
            assert not other.runs, "both run"
            peer.runs = True
        peer.resume = resume
    b, good, out = bench([mine, rival])
    equal(good, True)
    equal([p.name for p in log], ["mine", "rival", "mine"] * 4)
    equal(b.cannot, {("1cpu", "b", "rival"): "cannot"})
    m = re.findall(r"^\[ *(\d+)/(\d+), ends [\d:]+\]", out, re.M)
    equal(m[-1], ("16", "16"))
    equal((mine.up, rival.up), (False, False))


def trouble():
    """A guest that breaks once is booted again; twice, and the others go on
    without it."""
    log = []
    rival = FakePeer("rival", {"a-32": [1] * 4, "b": [1] * 4}, log, breaks=1)
    mine = FakePeer("mine", {"a-32": [1] * 4, "b": [1] * 4}, log)
    b, good, out = bench([mine, rival])
    equal((good, b.failed, len(log)), (True, [], 16))
    assert "once more" in out, out
    log.clear()
    rival = FakePeer("rival", {"a-32": [1] * 4, "b": [1] * 4}, log, breaks=2)
    mine = FakePeer("mine", {"a-32": [1] * 4, "b": [1] * 4}, log)
    b, good, out = bench([mine, rival])
    equal((good, b.failed), (False, [("1cpu", "rival", "broken")]))
    equal({p.name for p in log}, {"mine"})
    equal(len(log), 8)
    m = re.findall(r"^\[ *(\d+)/(\d+), ends", out, re.M)
    equal(m[-1][0], m[-1][1])
    assert "FAILED: rival" in Report(b).text()


def tables():
    """Figures, ratios and verdicts are where they belong."""
    log = []
    b, good, _ = bench([
        FakePeer("mine", {"a-32": [9, 130, 131, 132], "b": [9, 50, 51, 52]},
                 log),
        FakePeer("rival", {"a-32": [9, 100, 101, 102], "b": [9, 60, 61, 62]},
                 log),
        FakePeer("gone", {}, log, absent="not built")])
    equal(good, True)
    r = Report(b)
    text = r.text()
    for want in (
            # spreads are quartiles: 130.5 and so on, rounded to even
            r"a-32: row a\n.*spread.*mine is\n  mine +131 +130\.\.132 +1 +2 "
            r"+0\.50 +n/a +1\.0 +2\.0\n  rival +101 .* 1\.30 x beyond the",
            r"rival +61\.0 .* 0\.84 x BELOW, beyond the spread",
            r"a-32 against rival: 1\.30, target 1\.25: reached",
            r"\n  b against rival: 0\.84: BELOW it, beyond the spread",
            r"worse than a peer beyond the spread: 1 of 2 comparisons",
            r"absent: gone: not built"):
        assert re.search(want, text), f"no {want} in\n{text}"
    assert "b against rival: 0.84, target" not in text, text
    html = page([r])
    assert "&lt;none&gt;" in html and "<none>" not in html


def lower_is_better():
    """A row of latencies: which column, which word, no second column."""
    log = []
    mine, rival = (FakePeer(n, {"rr": v}, log) for n, v in (
        ("mine", [9, 130, 131, 132]), ("rival", [9, 100, 101, 102])))
    for peer in (mine, rival):
        def measure(setup, row, seconds, peer=peer):
            out = FakePeer.measure(peer, setup, row, seconds)
            return out | {"p50": out.pop("IOPS")}
        peer.measure = measure
    b, good, _ = bench([mine, rival], rows=[
        Row("rr", "latency", "p50", False, {}, True)],
        brief=lambda _, metrics: f"{metrics['p50']}")
    equal(good, True)
    text = Report(b).text()
    for want in (r"rr: latency\n +p50 us +spread +p99 us +irq/IO",
                 r"rival +101 .* 1\.30 x ABOVE, beyond the spread",
                 r"rr against rival: 1\.30: ABOVE it, beyond the spread",
                 r"worse than a peer beyond the spread: 1 of 1 comparisons"):
        assert re.search(want, text), f"no {want} in\n{text}"


def more_columns():
    """A case's own costs are shown where they were measured."""
    log = []
    mine, rival = (FakePeer(n, {"a-32": [1] * 4, "b": [1] * 4}, log)
                   for n in ("mine", "rival"))
    def measure(setup, row, seconds):
        return FakePeer.measure(mine, setup, row, seconds) | (
            {"bytes": 32} if row.name == "b" else {})
    mine.measure = measure
    b, _, _ = bench([mine, rival])
    text = Report(b).text()
    for want in (r"a-32: row a\n.* host us +mine is\n",
                 r"b: row b\n.* host us +bytes/IO +mine is\n  mine .* 32\n"
                 r"  rival .* n/a +1\.00 x", r"bytes/IO: of messages"):
        assert re.search(want, text), f"no {want} in\n{text}"


def counted():
    """What a plugin counts is taken one guest after the other, and shown with
    what was timed."""
    log = []
    mine = FakePeer("mine", {"a-32": [9, 3], "b": [9, 3]}, log)
    rival = FakePeer("rival", {"a-32": [9, 2], "b": [9, 2]}, log)
    rival.counts = [3000] * 4
    b, good, _ = bench([mine, rival], rounds=1, counted=True)
    equal(good, True)
    equal([p.name for p in log[8:]], ["mine"] * 4 + ["rival"] * 4)
    text = Report(b).text()
    # the one of a: of 1000 and 1000; b's: 2000 and 2000
    for want in (r"a-32: row a\n.* exit/IO +insn/IO +mine is\n  mine .* 1\.00 +"
                 r"1000\n  rival .* 3\.00 +3000 +1\.50 x",
                 r"counted: one, counted\n.*\n  a-32 +mine .* 1000\n +rival .* "
                 r"3000 +0\.33 x\n  b +mine .* 2000\n"):
        assert re.search(want, text), f"no {want} in\n{text}"


def plugin():
    """The counters of all vCPUs are added up."""
    with tempfile.NamedTemporaryFile() as f:
        f.write(struct.pack("=8Q", 100, 1, 2, 3, 0, 0, 0, 0)
                + struct.pack("=8Q", 50, 10, 20, 30, 0, 0, 0, 0)
                + bytes(6 * 64))
        f.flush()
        equal(plugin_counts(f.name), {"insns": 150, "exits": 33, "apic": 33})


def without_ours():
    """Without ours there are figures, and no ratios."""
    log = []
    b, good, _ = bench([
        FakePeer("mine", {}, log, absent="not built yet"),
        FakePeer("rival", {"a-32": [9, 1, 2, 3], "b": [9, 4, 5, 6]}, log)])
    equal(good, True)
    text = Report(b).text()
    assert "no ratios and no targets without mine: not built yet" in text, text
    assert " x " not in text, text
    raises(RuntimeError, bench, [FakePeer("mine", {}, log, absent="gone")])


def progress():
    """What is left shrinks the forecast."""
    out = io.StringIO()
    p = Progress({("boot", None): 1, ("measure", 1): 2}, out)
    p.step(("boot", None), 5, "booted")
    p.skip(("measure", 1), 1)
    p.step(("measure", 1), 2, "measured")
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("[1/3, ends "), lines
    assert lines[1].startswith("[2/2, ends "), lines
    equal(sum(p.left.values()), 0)


with Tap() as tap:
    for test in (summaries, outliers, comparisons, verdicts, window, per_io,
                 per_packet, cpu_clock, far_end, results, filters,
                 percentiles, viewer, mover, page_of, queues, interleaved,
                 trouble, tables, lower_is_better, more_columns, counted, plugin, without_ours, progress):
        tap.test(f"bench: {test.__name__}", test)
