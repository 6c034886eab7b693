#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The host's worker is killed again and again; the guest notices nothing.

Meanwhile fio verifies what it writes to one disk; blocks of another one are
rewritten with sequence numbers, also by writes that overlap in flight; iperf3
goes both ways; and the pointer moves. LONG=1 kills 1000 times under our drivers,
and 100 times under each of the distribution's.
"""

import os
import random
import re
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../net"))
# pylint: disable=wrong-import-position
from lib import Load, LONG, NetGuest, NETVSC, OWN, nothing_leaked, \
    run_tests, up, wait_for     # noqa: E402
from steps import wait_until    # noqa: E402

KILLS = 1000 if LONG else 10
KILLS_STOCK = 100
MB = 1 << 20

# Each thread has blocks of its own. It rewrites them with the next sequence
# number, and reads back what must be the last one. Pairs of writes to one block
# are in flight together: whichever of them is read first stays
SEQUENCE = """
import mmap, os, random, struct, sys, threading
disk, threads, blocks = sys.argv[1], 4, 16
stop = threading.Event()
failures, counts = [], [0] * (3 * threads)
def page():
    return mmap.mmap(-1, 4096)
def fill(buf, seq):
    buf[:] = struct.pack("<Q", seq) * 512
def check(buf, wanted, what):
    words = set(struct.unpack("<512Q", buf[:]))
    if not words <= wanted or len(words) != 1:
        failures.append(f"{what}: {sorted(words)}, not {sorted(wanted)}")
        stop.set()
    return words
def work(n):
    fd = os.open(disk, os.O_RDWR | os.O_DIRECT)
    bufs = [page() for i in range(3)]
    last = {}
    seq = n << 48
    rnd = random.Random(n)
    while not stop.is_set():
        b = n * blocks + rnd.randrange(blocks)
        seq += 1
        fill(bufs[0], seq)
        if rnd.randrange(4):
            if os.pwritev(fd, [bufs[0]], b * 4096) != 4096:
                failures.append(f"short write to {b}")
            last[b] = {seq}
            counts[3 * n] += 1
        else:
            fill(bufs[1], seq + 1)
            other = threading.Thread(target=os.pwritev,
                                     args=(fd, [bufs[1]], b * 4096))
            other.start()
            os.pwritev(fd, [bufs[0]], b * 4096)
            other.join()
            last[b] = {seq, seq + 1}
            seq += 1
            counts[3 * n + 1] += 1
        b = rnd.choice(list(last))
        os.preadv(fd, [bufs[2]], b * 4096)
        last[b] = check(bufs[2], last[b], f"block {b}")
        counts[3 * n + 2] += 1
    for b, wanted in last.items():
        os.preadv(fd, [bufs[2]], b * 4096)
        check(bufs[2], wanted, f"block {b}, at the end")
def guarded(n):
    try:
        work(n)
    except Exception as e:
        failures.append(repr(e))
        stop.set()
all = [threading.Thread(target=guarded, args=(n,)) for n in range(threads)]
for t in all:
    t.start()
while not stop.wait(0.2):
    if os.path.exists("/run/stop"):
        stop.set()
for t in all:
    t.join()
print(sum(counts[0::3]), "writes,", sum(counts[1::3]), "overlapping pairs,",
      sum(counts[2::3]), "reads compared")
print("failures:", failures)
sys.exit(bool(failures))
"""


class Drivers:
    """Which drivers a guest has."""

    def __init__(self, net, ours):
        self.net = net
        self.ours = ours

    def load(self, g):
        """Loads channel and drivers, brings the card up."""
        self.net.load_all(g)
        g.run("modprobe -a hid evdev")
        if self.ours:
            where = f"/synthio/build/{g.kernel.release}/{self.net.bus}/drivers"
            g.run(f"insmod {where}/block/synth_blk.ko;"
                  f"insmod {where}/input/synth_mouse.ko")
        else:
            g.run("modprobe -a sd_mod hv_storvsc hid-hyperv hyperv-keyboard"
                  " hyperv_drm")

    def disk(self, g, lun):
        """Waits for a disk of the guest, returns its name."""
        if self.ours:
            find = f"grep -lx c0-{lun} /sys/block/synd*/serial | cut -d/ -f4"
        else:
            find = (f"grep -laE 'c0-{lun}$' /sys/block/sd*/device/vpd_pg80"
                    " | cut -d/ -f4")
        return wait_for(g, f"d=$({find}) && test -b /dev/$d && echo $d",
                        f"no disk {lun}").strip()


class DeathGuest(NetGuest):
    """A guest with all devices."""

    def __init__(self, name, drivers, kills, **kw):
        super().__init__(name, drivers.net, more=(
            "--scsi", "c0,subchannels=2", "--disk", "c0,lun=0,file={}/0.img",
            "--disk", "c0,lun=1,file={}/1.img", "--mouse", "--keyboard",
            "--video"), **kw)
        self.drivers = drivers
        self.kills = kills

    def start_host(self):
        os.makedirs(self.scratch, exist_ok=True)
        for lun in 0, 1:
            with open(os.path.join(self.scratch, f"{lun}.img"), "wb") as f:
                f.truncate(64 * MB)
        super().start_host()


class Pointer:
    """Moves the pointer to and fro until it is stopped."""

    def __init__(self, g):
        self.g = g
        self.moves = 0
        self.last = None
        self.enough = threading.Event()
        self.thread = threading.Thread(target=self._move, daemon=True)
        self.thread.start()

    def _move(self):
        while not self.enough.wait(0.1):
            place = random.randrange(32768), random.randrange(32768)
            try:
                self.g.ctl("move", *map(str, place))
            except Exception:   # pylint: disable=broad-except
                continue        # its worker has died meanwhile
            self.last = place
            self.moves += 1

    def stop(self):
        """Ends it; how often it moved."""
        self.enough.set()
        self.thread.join()
        return self.moves


def begin(g):
    """Loads all drivers; everything works."""
    g.drivers.load(g)
    up(g, g.nic())


def descriptors(g):
    """How many descriptors the parent process has."""
    return len(os.listdir(f"/proc/{g.parent_pid()}/fd"))


def serves(g, said):
    """Waits until a worker serves; said: characters of the log before that."""
    def look():
        assert g.host_running(), f"synthhost has ended: {g.host_text()[-2000:]}"
        return re.search(r"worker \d+ serves", g.host_text()[said:])

    wait_until(g, look, lambda: g.host_text()[-2000:], 60, 0.01)


def kill_once(g):
    """Kills the worker, waits for the next; seconds until that serves."""
    pid, said = g.host_pid(), len(g.host_text())
    start = time.monotonic()
    g.kill_worker()
    serves(g, said)
    took = time.monotonic() - start
    assert g.host_pid() != pid
    return took


def pointer_place(g):
    """Where the guest's pointer is: ABS_X, ABS_Y of its evdev node."""
    out = g.run("""python3 - <<'END'
import fcntl, glob, os, struct
for path in glob.glob("/sys/class/input/event*/device/id/product"):
    if open(path).read().strip() != "0621":
        continue
    fd = os.open("/dev/input/" + path.split("/")[4], os.O_RDONLY)
    for axis in 0, 1:
        buf = bytearray(24)
        fcntl.ioctl(fd, 0x80184540 + axis, buf)
        print(struct.unpack("<6i", buf)[0])
END""").out
    return tuple(int(x) for x in out.split())


def deaths(g):
    """The worker dies under load; nothing is lost, doubled or leaked."""
    g.run(f"cat >/run/sequence.py <<'END'\n{SEQUENCE}END")
    names = [g.drivers.disk(g, lun) for lun in (0, 1)]
    fio = g.spawn(
        f"fio --name=v --filename=/dev/{names[0]} --rw=randrw --bs=16k"
        " --direct=1 --ioengine=libaio --iodepth=8 --verify=crc32c"
        " --verify_backlog=64 --verify_fatal=1 --size=48m --norandommap"
        " --loops=100000 --allow_file_create=0 --serialize_overlap=1 2>&1",
        36000)
    sequence = g.spawn(f"python3 /run/sequence.py /dev/{names[1]} 2>&1", 36000)
    net, pointer = Load(g), Pointer(g)
    before = descriptors(g)
    worst = 0.0
    for i in range(g.kills):
        time.sleep(random.uniform(0.05, 1.0))
        worst = max(worst, kill_once(g))
        if i % 10 == 9:
            net.flows()
        for job in fio, sequence:
            assert not job.done(), job.output()
    net.flows()
    net.stop()
    moves = pointer.stop()
    g.run("touch /run/stop")
    sequence.wait()
    out = sequence.output()
    assert "failures: []" in out, out
    assert not fio.done(), fio.output()
    fio.kill()
    bad = re.search(r"verify: |bad magic|err= *[1-9]", fio.output())
    assert not bad, fio.output()
    g.ctl("move", "12345", "23456")
    wait_place(g, (12345, 23456))
    after = descriptors(g)
    assert after <= before, f"the parent has {after} descriptors, had {before}"
    wait_idle(g)
    if g.drivers.ours:
        nothing_leaked(g)
    return (f"{g.kills} workers killed, at most {worst:.2f} s until the next "
            f"served; {out.splitlines()[0]}; {moves} moves of the pointer;"
            f" fio verified; {before} descriptors, then {after}")


def wait_idle(g):
    """Waits until the host has no request in flight."""
    def idle():
        counts = re.findall(r"\b(\d+) in flight", g.ctl("status"))
        return counts and not any(map(int, counts))

    wait_until(g, idle, lambda: g.ctl("status"))


def wait_place(g, wanted):
    """Waits until the pointer is there."""
    wait_until(g, lambda: pointer_place(g) == wanted, lambda: pointer_place(g))


def update(g):
    """`restart` lets a worker of the same program take over, too."""
    said = len(g.host_text())
    g.ctl("restart")
    serves(g, said)
    g.ctl("move", "111", "222")
    wait_place(g, (111, 222))
    # a program that cannot take over does no harm
    said = len(g.host_text())
    g.ctl("restart", "/bin/false")
    wait_until(g, lambda: "does not take over" in g.host_text()[said:],
               lambda: g.host_text()[-2000:], 60)
    serves(g, said)
    g.ctl("move", "333", "444")
    wait_place(g, (333, 444))


def main():
    """Runs the tests."""
    tests = (("drivers", begin), ("workers die under load", deaths),
             ("restart", update))
    guests = [("own", DeathGuest("own", Drivers(OWN, True), KILLS), *tests)]
    if LONG:
        guests.append(("stock", DeathGuest(
            "stock", Drivers(NETVSC, False), KILLS_STOCK), *tests))
    run_tests(*guests)


if __name__ == "__main__":
    main()
