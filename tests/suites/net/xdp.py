#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""XDP in the driver: each action, counted on both sides, and AF_XDP.

The far ends send frames that the programs of bpf/actions.bpf.c act upon, and
look at what comes back; other traffic goes on beside them.
"""

import re
import select
import time

import packets
from lib import (alive, build_tools, Capture, channels, dev, digest_down, digest_up,
                 ethtool_stats, Load, NETVSC, NetGuest, Nic, OWN,
                 run_tests, stat, TOOLS_INSIDE, up, wait_for)

FRAMES = 300
THEIRS = "02:00:00:00:00:09"


def begin(g):
    """Loads all, with the programs compiled from their source."""
    build_tools()
    g.driver.load_all(g)


class Program:
    """A BPF program at work on a card."""

    def __init__(self, g, name, program, target="0"):
        self.g = g
        self.name = name
        if not g.driver.synthetic:      # which wants to be asked
            g.run(f"ethtool -K {dev(g, name)} lro off")
        self.job = g.spawn(f"exec {TOOLS_INSIDE}/load {TOOLS_INSIDE}/"
                           f"actions.bpf.o {dev(g, name)} {program} {target}",
                           300)
        wait_for(g, f"grep -q attached {self.job.path}.out ||"
                 f" {{ cat {self.job.path}.out; exit 1; }}",
                 f"{program} is not attached", 20)

    def end(self):
        """Takes it away, returns what it has counted: {action: number}."""
        # spawn()'s shell has become it
        self.g.run(f"kill -INT {self.job.pid()}")
        done = self.job.wait()
        assert done.rc == 0, done.out
        self.said = done.out
        return {k: int(v) for k, v in
                re.findall(r"^(\w+) (\d+)$", done.out, re.M)}


class Wire:
    """Frames to a guest's card, and those of them that come back."""

    def __init__(self, g, name="n0"):
        self.nic = g.nic(name)
        self.name = name
        self.socket = g.space(name).packet(name, 0)
        self.socket.bind((name, packets.ETH_TEST))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, count=FRAMES, sizes=(60, 61, 200, 1000, 1514)):
        """Sends frames that differ; returns them."""
        sent = []
        for i in range(count):
            size = sizes[i % len(sizes)]
            body = b"%08d" % i + bytes((i + j) % 256 for j in range(size - 22))
            frame = packets.ether(self.nic.mac, THEIRS, packets.ETH_TEST, body)
            self.socket.send(frame)
            sent.append(frame)
            if i % 64 == 63:
                time.sleep(0.02)
        return sent

    def come(self, count, seconds=10):
        """Waits for so many frames from the guest, and for no more."""
        found = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            left = 0.3 if len(found) >= count else 2
            if not select.select([self.socket], [], [], left)[0]:
                break
            frame, where = self.socket.recvfrom(1 << 16)
            if where[2] != 4:       # PACKET_OUTGOING
                found.append(frame)
        return found


def swapped(frame):
    """As it comes back."""
    return frame[6:12] + frame[:6] + frame[12:]


def xdp_stats(g, name="n0"):
    """Our counters of XDP, added up over queues: {action: number}."""
    found = {}
    for key, value in ethtool_stats(g, name).items():
        m = re.search(r"xdp_(\w+)$", key)
        if m:
            found[m[1]] = found.get(m[1], 0) + value
    return found


def grown(g, before):
    """What xdp_stats() counts more than before; only what did."""
    now = xdp_stats(g)
    return {k: v - before.get(k, 0) for k, v in now.items()
            if v != before.get(k, 0)}


def count_of(stats, *words):
    """The counter whose name has one of these words."""
    return sum(v for k, v in stats.items() if any(w in k for w in words))


def dropped(g):
    """DROP: nothing reaches the stack; others do."""
    before, rx = xdp_stats(g), None
    p = Program(g, "n0", "drop")
    with Wire(g) as w:
        rx = stat(g, "n0", "rx_dropped")
        w.send()
        assert not w.come(0, 1)
    alive(g, "n0")
    assert p.end()["drop"] == FRAMES, p.said
    assert rx is not None
    if g.driver.synthetic:
        assert count_of(grown(g, before), "drop") >= FRAMES, grown(g, before)


def passed(g):
    """PASS: all reaches the stack, and a load goes on."""
    p = Program(g, "n0", "pass")
    with Wire(g) as w:
        before = stat(g, "n0", "rx_packets")[0]
        w.send()
        wait_for(g, f"test $(cat /sys/class/net/{dev(g)}/statistics/rx_packets)"
                 f" -ge {before + FRAMES}", "frames are missing")
    for to in (g.nic().far4, g.nic().far6):
        digest_up(g, to, 2 << 20)
        digest_down(g, to, 2 << 20)
    load = Load(g)
    load.flows()
    load.stop()
    assert p.end()["pass"] == FRAMES, p.said


def aborted(g):
    """ABORTED, and an action that nobody knows: dropped, and counted."""
    before = xdp_stats(g)
    p = Program(g, "n0", "aborted")
    with Wire(g) as w:
        w.send(50)
        assert not w.come(0, 1)
    assert p.end()["aborted"] == 50, p.said
    p = Program(g, "n0", "unknown")
    with Wire(g) as w:
        w.send(50)
        assert not w.come(0, 1)
    p.end()
    alive(g, "n0")
    if g.driver.synthetic:
        assert count_of(grown(g, before), "abort", "drop", "err", "invalid") \
            >= 100, grown(g, before)


def sent_back(g):
    """TX: each frame comes back as it was, addresses exchanged."""
    before = xdp_stats(g)
    p = Program(g, "n0", "tx")
    with Wire(g) as w:
        sent = w.send()
        found = w.come(len(sent))
    assert p.end()["tx"] == FRAMES, p.said
    assert sorted(found) == sorted(swapped(f) for f in sent), \
        f"{len(found)} of {len(sent)} came back as they should"
    alive(g, "n0")
    if g.driver.synthetic:
        assert count_of(grown(g, before), "tx") >= FRAMES, grown(g, before)


def tagged(g):
    """TX: a VLAN's tag stays with its frame."""
    p = Program(g, "n0", "tx")
    with Wire(g) as w, Capture(g.space(), "n0", keep=True) as c:
        sent = [packets.ether(w.nic.mac, THEIRS, packets.ETH_TEST,
                              b"%08d" % i + bytes(size), vlan=0xa04d)
                for i, size in enumerate((60, 200, 1000, 1480) * 10)]
        for frame in sent:
            w.socket.send(frame)
        assert len(w.come(len(sent))) == len(sent)
    assert p.end()["tx"] == len(sent), p.said
    found = [f for f, _ in c.frames if f[6:12] == packets.mac(w.nic.mac)
             and b"\x81\x00\xa0\x4d" == f[12:16]]
    assert sorted(found) == sorted(swapped(f) for f in sent), \
        (len(found), found[:1])
    alive(g, "n0")


def resized(g):
    """Programs may move where a frame begins and ends."""
    p = Program(g, "n0", "grow")
    with Wire(g) as w:
        sent = w.send(100, (100, 600, 1400))
        found = w.come(len(sent))
    assert p.end()["tx"] == 100, p.said
    wanted = [swapped(f)[:14] + b"\x47" * 64 + f[14:-2] for f in sent]
    assert sorted(found) == sorted(wanted), (len(found), found[:1])
    p = Program(g, "n0", "shrink")
    before = stat(g, "n0", "rx_packets", "rx_bytes")
    with Wire(g) as w:
        w.send(100, (200,))
    wait_for(g, f"test $(cat /sys/class/net/{dev(g)}/statistics/rx_packets)"
             f" -ge {before[0] + 100}", "frames are missing")
    assert p.end()["pass"] == 100, p.said
    alive(g, "n0")


def redirected(g):
    """REDIRECT, one way and the other: out of the other card, unchanged."""
    for here, there in (("n0", "n1"), ("n1", "n0")):
        p = Program(g, here, "redirect", dev(g, there))
        # who is redirected to is ready for it
        q = Program(g, there, "pass")
        with Wire(g, here) as w, Wire(g, there) as other:
            sent = w.send()
            found = other.come(len(sent))
            assert not w.come(0, 0.5)
        counted = p.end()
        q.end()
        assert counted["redirect"] == FRAMES, p.said
        assert sorted(found) == sorted(sent), \
            f"{here} to {there}: {len(found)} of {len(sent)}"
    alive(g)


def replaced(g):
    """Programs come and go under load; rings and queues change beneath one."""
    load = Load(g)
    for program in ("pass", "drop", "tx"):
        p = Program(g, "n0", program)
        load.flows()
        p.end()
        load.flows()
    p = Program(g, "n0", "tx")
    most, now = channels(g)
    for n in (1, most, now):
        g.run(f"ethtool -L {dev(g)} combined {n}")
        load.flows()
    with Wire(g) as w:
        sent = w.send(100)
        found = w.come(len(sent))
    assert sorted(found) == sorted(swapped(f) for f in sent), len(found)
    p.end()
    load.stop()
    alive(g)


def removed(g):
    """Down, up, and the module's end with a program in place."""
    p = Program(g, "n0", "tx")
    g.run(f"ip link set {dev(g)} down && ip link set {dev(g)} up")
    up(g, g.nic())
    with Wire(g) as w:
        sent = w.send(100)
        found = w.come(len(sent))
    assert sorted(found) == sorted(swapped(f) for f in sent), len(found)
    g.driver.unload(g)
    p.job.kill()
    g.driver.load(g)
    g.notes.clear()
    for nic in g.nics:
        up(g, nic)
    alive(g)
    assert "prog/xdp" not in g.run("ip link show").out


def too_large(g):
    """No program and jumbo frames at once, unless the driver can."""
    name = dev(g)
    g.run(f"ip link set {name} mtu 9000")
    done = g.sh(f"{TOOLS_INSIDE}/load {TOOLS_INSIDE}/actions.bpf.o {name} pass"
                " & pid=$!; sleep 1; kill -INT $pid; wait $pid")
    g.run(f"ip link set {name} mtu 1500")
    up(g, g.nic())
    alive(g, "n0")
    return "taken" if "attached" in done.out else "refused"


def socket(g):
    """AF_XDP in copy mode: frames go to user space, and back from there."""
    g.run(f"ethtool -L {dev(g)} combined 1")
    up(g, g.nic())
    p = Program(g, "n0", "to_socket", "0")
    with Wire(g) as w:
        sent = w.send()
        found = w.come(len(sent), 20)
    alive(g, "n0")
    counted = p.end()
    m = re.search(r"socket (\d+) seen, (\d+) sent", p.said)
    assert m and int(m[1]) == int(m[2]) == FRAMES, p.said
    assert counted["redirect"] == FRAMES, p.said
    assert sorted(found) == sorted(swapped(f) for f in sent), len(found)
    alive(g)


def ends(g):
    """All unloads."""
    g.driver.unload(g)


def main():
    """Runs the tests."""
    tests = (
        ("loads", begin), ("DROP", dropped), ("PASS", passed),
        ("ABORTED and unknown", aborted), ("TX", sent_back),
        ("TX of a VLAN", tagged),
        ("head and tail move", resized), ("REDIRECT", redirected),
        ("programs and queues change under load", replaced),
        ("down and up, rmmod", removed), ("MTU", too_large),
        ("AF_XDP", socket), ("all unloads", ends))
    run_tests(
        ("own", NetGuest("net-xdp", OWN, [Nic("n0"), Nic("n1", "b")],
                         limit=600), *tests),
        ("hv_netvsc", NetGuest("net-xdp-netvsc", NETVSC,
                               [Nic("n0"), Nic("n1", "b")], limit=600),
         *tests[:5], tests[7], tests[-2], tests[-1]))


if __name__ == "__main__":
    main()
