#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""XDP in the driver: each action, counted on both sides, and AF_XDP.

The far ends send frames that the programs of bpf/actions.bpf.c act upon, and
look at what comes back; other traffic goes on beside them. dropin_xdp.py has it
on the drop-in.
"""

import re
import select
import time

import packets
from lib import (alive, build_tools, Capture, channels, copybreak, dev,
                 digest_down, digest_up, ethtool_stats, Load, NetGuest, Nic,
                 OWN, run_tests, stat, TOOLS_INSIDE, up, wait_for)

FRAMES = 300
THEIRS = "02:00:00:00:00:09"


def parameters(g):
    """Frames of some sizes are copied, others are kept until they are sent."""
    return "copybreak=512" if g.driver.synthetic else ""


def begin(g):
    """Loads all, with the programs compiled from their source."""
    build_tools(g.kernel.arch)
    g.driver.load_all(g, parameters(g))


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


# by what is counted for each action: our statistics of the card, and those of a
# queue; hv_netvsc has the latter only
OURS = ("rx_xdp_drop", "rx_xdp_tx", "rx_xdp_redirect", "rx_xdp_aborted",
        "rx_xdp_errors", "tx_xdp_tx", "tx_xdp_tx_dropped", "tx_xdp_xmit",
        "tx_xdp_xmit_dropped")
OF_A_QUEUE = (r"queue_\d+_(rx_xdp_(?:drop|tx|redirect))",
              r"(rx)_queue_\d+_(xdp_(?:drop|tx|redirect))",
              r"(tx)_queue_\d+_(xdp_xmit)")


class Counted:
    """How far the statistics of XDP grow from here on.

    PASS is not among them, since others' frames pass, too: passed() looks at it.
    """

    def __init__(self, g, *names):
        self.g = g
        self.before = {n: self.read(n) for n in names or ("n0",)}

    def read(self, name):
        """(those of the card, those of its queues added up)."""
        stats, queues = ethtool_stats(self.g, name), {}
        for key, value in stats.items():
            for pattern in OF_A_QUEUE:
                m = re.fullmatch(pattern, key)
                if m:
                    kind = "_".join(m.groups())
                    queues[kind] = queues.get(kind, 0) + value
        assert queues, stats
        card = {k: stats[k] for k in OURS} if self.g.driver.synthetic else {}
        return card, queues

    def are(self, name="n0", **wanted):
        """Just these have grown, by just so much, on the card and its queues."""
        for now, before in zip(self.read(name), self.before[name]):
            grown = {k: v - before[k] for k, v in now.items() if v != before[k]}
            here = {k: v for k, v in wanted.items() if k in now}
            assert grown == here, f"{name}: {grown}, not {here}"


def dropped(g):
    """DROP: nothing reaches the stack; others do."""
    counted = Counted(g)
    p = Program(g, "n0", "drop")
    with Wire(g) as w:
        w.send()
        assert not w.come(0, 1)
    alive(g, "n0")
    assert p.end()["drop"] == FRAMES, p.said
    counted.are(rx_xdp_drop=FRAMES)


def verdicts(g, before):
    """Each packet that came since has met one action, on each queue."""
    now = ethtool_stats(g)
    grown = {k: v - before[k] for k, v in now.items()}
    assert grown["rx_xdp_pass"] == sum(
        v for k, v in grown.items()
        if re.fullmatch(r"queue_\d+_rx_packets", k)), grown
    return grown


def passed(g):
    """PASS: all reaches the stack, and a load goes on."""
    counted = Counted(g)
    p = Program(g, "n0", "pass")
    stats = ethtool_stats(g)
    with Wire(g) as w:
        before = stat(g, "n0", "rx_packets")[0]
        w.send()
        wait_for(g, f"test $(cat /sys/class/net/{dev(g)}/statistics/rx_packets)"
                 f" -ge {before + FRAMES}", "frames are missing")
    if g.driver.synthetic:
        grown = verdicts(g, stats)
        # ARP and such may come beside them
        assert FRAMES <= grown["rx_xdp_pass"] < FRAMES + 20, grown
    for to in (g.nic().far4, g.nic().far6):
        digest_up(g, to, 2 << 20)
        digest_down(g, to, 2 << 20)
    load = Load(g)
    load.flows()
    load.stop()
    assert p.end()["pass"] == FRAMES, p.said
    counted.are()


def aborted(g):
    """ABORTED, and an action that nobody knows: dropped, and counted."""
    for program, count in (("aborted", 50), ("unknown", 40)):
        counted = Counted(g)
        p = Program(g, "n0", program)
        with Wire(g) as w:
            w.send(count)
            assert not w.come(0, 1)
        alive(g, "n0")
        # the program that returns what nobody knows has nothing to count it as
        assert p.end()["aborted"] == (50 if program == "aborted" else 0), p.said
        if g.driver.synthetic:
            counted.are(rx_xdp_aborted=count)
        else:
            counted.are(rx_xdp_drop=count)


def sent_back(g):
    """TX: each frame comes back as it was, addresses exchanged."""
    counted = Counted(g)
    p = Program(g, "n0", "tx")
    with Wire(g) as w:
        sent = w.send()
        found = w.come(len(sent))
    assert p.end()["tx"] == FRAMES, p.said
    assert sorted(found) == sorted(swapped(f) for f in sent), \
        f"{len(found)} of {len(sent)} came back as they should"
    alive(g, "n0")
    counted.are(rx_xdp_tx=FRAMES, tx_xdp_tx=FRAMES)


def tagged(g):
    """TX: a VLAN's tag stays with its frame."""
    counted = Counted(g)
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
    counted.are(rx_xdp_tx=len(sent), tx_xdp_tx=len(sent))


def resized(g):
    """Programs may move where a frame begins and ends."""
    counted = Counted(g)
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
    counted.are(rx_xdp_tx=100, tx_xdp_tx=100)


def redirected(g):
    """REDIRECT, one way and the other: out of the other card, unchanged."""
    for here, there in (("n0", "n1"), ("n1", "n0")):
        stats = Counted(g, "n0", "n1")
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
        stats.are(here, rx_xdp_redirect=FRAMES)
        stats.are(there, tx_xdp_xmit=FRAMES)
    alive(g)


def copied(g):
    """TX and REDIRECT, with frames that are copied or kept, whatever their size."""
    for limit in (1536, 0):
        with copybreak(g, limit):
            sent_back(g)
            redirected(g)


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
    g.driver.load(g, parameters(g))
    g.notes.clear()
    for nic in g.nics:
        up(g, nic)
    alive(g)
    assert "prog/xdp" not in g.run("ip link show").out


def too_large(g):
    """No program and jumbo frames at once."""
    name = dev(g)
    g.run(f"ip link set {name} mtu 9000")
    up(g, g.nic())
    done = g.sh(f"{TOOLS_INSIDE}/load {TOOLS_INSIDE}/actions.bpf.o {name} pass")
    assert done.rc == 1 and "Operation not supported" in done.out, done.out
    assert "prog/xdp" not in g.run(f"ip link show {name}").out
    g.run(f"ip link set {name} mtu 1500")
    up(g, g.nic())
    p = Program(g, "n0", "pass")
    assert g.sh(f"ip link set {name} mtu 9000").rc
    assert "mtu 1500 " in g.run(f"ip link show {name}").out
    with Wire(g) as w:
        w.send()
    alive(g, "n0")
    assert p.end()["pass"] == FRAMES, p.said


def socket(g):
    """AF_XDP in copy mode: frames go to user space, and back from there."""
    g.run(f"ethtool -L {dev(g)} combined 1")
    up(g, g.nic())
    stats = Counted(g)
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
    stats.are(rx_xdp_redirect=FRAMES)


def ends(g):
    """All unloads."""
    g.driver.unload(g)


TESTS = (
    ("loads", begin), ("DROP", dropped), ("PASS", passed),
    ("ABORTED and unknown", aborted), ("TX", sent_back),
    ("TX of a VLAN", tagged),
    ("head and tail move", resized), ("REDIRECT", redirected),
    ("frames are copied, or kept", copied),
    ("programs and queues change under load", replaced),
    ("down and up, rmmod", removed), ("MTU", too_large),
    ("AF_XDP", socket), ("all unloads", ends))


def main():
    """Runs the tests."""
    run_tests(("own", NetGuest("net-xdp", OWN, [Nic("n0", opts="queues=2"),
                                                Nic("n1", "b")], limit=600),
               *TESTS))


if __name__ == "__main__":
    main()
