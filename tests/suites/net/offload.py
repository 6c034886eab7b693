#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Offloads, and all else that ethtool sets: each followed by traffic.

What leaves the guest is looked at behind the host's tap, frame by frame: every
checksum is right, or is left to who has been told where it is. What comes in
with a wrong one is not taken.
"""

import json
import re
import socket
import struct
import time

import far
import packets
from lib import (alive, BUSYBOX, Capture, carrier, channels, dev, digest_down,
                 digest_up, ethtool_stats, features, INSIDE, iperf, Load, LONG,
                 NetGuest, Nic, OWN, ping, queue_packets, run_tests,
                 set_feature, Skip, stat, up, wait_for)

TX = ("tx", "tso", "sg", "gso")
NAMES = {"tx": ("tx-checksum-ipv4", "tx-checksum-ipv6",
                "tx-checksum-ip-generic"),
         "tso": ("tx-tcp-segmentation", "tx-tcp6-segmentation")}


def begin(g):
    """Loads all; each wait for the host is short."""
    packets.self_test()
    g.driver.load_all(g, "host_timeout=2" if g.driver.synthetic else "")


def traffic(g, count=1 << 20):
    """Some of every kind, both ways."""
    for to in (g.nic().far4, g.nic().far6):
        digest_up(g, to, count)
        digest_down(g, to, count)
        g.run(f"head -c 60000 /run/data >/run/part; for n in 1 700 1472 9000; do"
              f" head -c $n /run/part | timeout 5 {BUSYBOX} nc -u -w 1 {to}"
              f" {far.ECHO} >/run/back & done; wait; true", 60)


def kinds(checker):
    """What was seen of TCP: (in large pieces, with checksums left out)."""
    return (any("gso" in k for k in checker.counts),
            any("partial" in k for k in checker.counts))


def copies(g):
    """How TCP copies what is sent: ours has it done by words on emulated CPUs,
    as these are; and both ways work."""
    name = "tx-nocache-copy"
    was = g.driver.synthetic
    assert features(g)[name] == (was, False), features(g)
    for on in (not was, was):
        set_feature(g, "n0", tx_nocache_copy=on)
        assert features(g)[name] == (on, False), features(g)
        digest_up(g, g.nic().far4, 1 << 20)


def offloads(g):
    """Each combination that can be set; no wrong checksum in any of them."""
    said = []
    settings = [dict(zip(("tx", "tso", "sg"), on))
                for on in ((True, True, True), (True, False, True),
                           (False, False, False), (False, False, True),
                           (True, False, False))]
    settings = settings[:None if LONG else 3]
    settings += [{"tx": True, "sg": True, "tso": True, "gso": False}]
    for wanted in settings:
        set_feature(g, "n0", **wanted)
        with Capture(g.space(), "n0") as c:
            traffic(g)
        large, partial = kinds(c.checker)
        now = features(g)
        if not now["tx-checksumming"][0]:
            assert not partial, (wanted, c.checker.counts)
        if not now["tcp-segmentation-offload"][0]:
            assert not large, (wanted, c.checker.counts)
        else:
            assert large, (wanted, c.checker.counts)
        said.append(f"{wanted}: {c.said()}")
    set_feature(g, "n0", gso=True)
    return "\n".join(said)


def one_by_one(g):
    """Each single feature of sending, off and on again."""
    done = []
    for name, (on, fixed) in features(g).items():
        if not re.match(r"tx-(checksum|tcp|udp|scatter|vlan)", name) or fixed \
           or name == "tx-checksumming":
            continue
        with Capture(g.space(), "n0") as c:
            for state in (not on, on):
                g.run(f"ethtool -K {dev(g)} {name}"
                      f" {'on' if state else 'off'}")
                for to in (g.nic().far4, g.nic().far6):
                    digest_up(g, to, 300000)
        assert c.checker.counts, name
        done.append(name)
    assert len(done) >= 3, features(g)
    return ", ".join(done)


def segments(g):
    """Segments are as long as they may be, for any MTU."""
    for mtu in (1500, 1400, 4000) if LONG else (1500, 4000):
        g.space().ip("link", "set", "n0", "mtu", str(mtu))
        g.run(f"ip link set {dev(g)} mtu {mtu}")
        carrier(g, "n0", True)
        up(g, g.nic())
        with Capture(g.space(), "n0", mtu=mtu, keep=True) as c:
            for to in (g.nic().far4, g.nic().far6):
                digest_up(g, to, 1 << 20)
        sizes = {v[3] for _, v in c.frames if v[1] & ~packets.GSO_ECN}
        # TCP's time stamps take 12 bytes
        for head in (52, 72):
            assert any(s == mtu - head for s in sizes), (mtu, sizes)
    g.space().ip("link", "set", "n0", "mtu", "1500")
    g.run(f"ip link set {dev(g)} mtu 1500")
    up(g, g.nic())


def snmp(g, key):
    """A counter of UDP or TCP, such as Udp InCsumErrors, both versions."""
    proto, name = key
    out = g.run("cat /proc/net/snmp /proc/net/snmp6").out
    heads = re.findall(rf"^{proto}: (.*)$", out, re.M)
    found = dict(zip(heads[0].split(), heads[1].split()))
    m = re.search(rf"^{proto}6{name}\s+(\d+)", out, re.M)
    return int(found[name]) + int(m[1] if m else 0)


def received(g):
    """Wrong checksums are refused, right ones taken, offload on or off.

    The far end's frames carry them complete, so the host says nothing of them,
    or has looked.
    """
    nic = g.nic()
    g.run("ip addr show >/dev/null")
    for state in (True, False):
        set_feature(g, "n0", rx=state)
        wrong = snmp(g, ("Udp", "InCsumErrors"))
        tcp = snmp(g, ("Tcp", "InCsumErrors"))
        reset = snmp(g, ("Tcp", "OutRsts"))
        heads = int(re.search(r"^Ip: \d+ \d+ \d+ (\d+)", g.run(
            "cat /proc/net/snmp").out, re.M)[1])
        with g.space().packet("n0", 0) as s:
            s.bind(("n0", packets.ETH_TEST))
            for src, dst in ((nic.far4, nic.near4), (nic.far6, nic.near6)):
                kind = packets.ETH_IP if "." in src else packets.ETH_IP6
                for i in range(20):
                    for bad in (True, False):
                        s.send(packets.ether(
                            nic.mac, "02:00:00:00:00:09", kind, packets.udp(
                                src, dst, 100 + i, 4321, b"x" * 40, bad)))
                        s.send(packets.ether(
                            nic.mac, "02:00:00:00:00:09", kind, packets.syn(
                                src, dst, 2000 + i, 4321, bad)))
            for i in range(20):
                s.send(packets.ether(
                    nic.mac, "02:00:00:00:00:09", packets.ETH_IP, packets.udp(
                        nic.far4, nic.near4, 1, 4321, b"x", wrong_ip=True)))
        alive(g, "n0")
        after = int(re.search(r"^Ip: \d+ \d+ \d+ (\d+)", g.run(
            "cat /proc/net/snmp").out, re.M)[1])
        assert after - heads == 20, (state, after - heads)
        # a closed port of UDP looks at the checksum before it says so
        assert snmp(g, ("Udp", "InCsumErrors")) - wrong == 40, state
        assert snmp(g, ("Tcp", "InCsumErrors")) - tcp == 40, state
        # one that is right is answered
        assert snmp(g, ("Tcp", "OutRsts")) - reset == 40, state
    set_feature(g, "n0", rx=True)


def large_receive(g):
    """GRO, and what the host has put together, on and off: bytes are right.

    A packet that the host has joined is seen where it may join, and nowhere else.
    """
    now = features(g)
    for name in ("generic-receive-offload", "large-receive-offload",
                 "rx-gro-hw"):
        if name not in now or now[name][1]:
            continue
        for state in (not now[name][0], now[name][0]):
            g.run(f"ethtool -K {dev(g)} {name} {'on' if state else 'off'}")
            host = g.host_net()["rx_large"]
            joined = ethtool_stats(g).get("rx_rsc_packets", 0)
            for to in (g.nic().far4, g.nic().far6):
                digest_down(g, to, 2 << 20)
            iperf(g, g.nic().far4, "-t 1 -R")
            host = g.host_net()["rx_large"] - host
            may = features(g)["large-receive-offload"][0]
            assert bool(host) == may, (name, state, host)
            if g.driver.synthetic:
                joined = ethtool_stats(g)["rx_rsc_packets"] - joined
                assert bool(joined) == may, (name, state, joined)


# -- queues -------------------------------------------------------------------

def change_channels(g):
    """ethtool -L, while iperf3 runs."""
    name, (most, now) = dev(g), channels(g)
    assert most >= 2, (most, now)
    load = Load(g, opts="--bidir -P 2")
    for n in (1, most, 1, 2, most) if LONG else (1, most):
        g.run(f"ethtool -L {name} combined {n}")
        assert channels(g) == (most, n), (channels(g), n)
        carrier(g, "n0", True)
        load.flows()
    load.stop()
    assert g.sh(f"ethtool -L {name} combined {most + 1}").rc
    assert g.sh(f"ethtool -L {name} combined 0").rc
    if g.driver.synthetic:
        assert any(rss(g)[1])
    else:
        # with one channel hv_netvsc has no key, and later sets none but zeros,
        # by which the host finds the first queue for all
        g.run(f"ethtool -X {name} hkey {key_of(7)}")
    alive(g)


def all_queues(g):
    """Many connections: each queue carries some, each way.

    Their ports are up to chance: of 40, one time in 25000 a queue of four has
    none; of 8, it is two times in five.
    """
    before = queue_packets(g), queue_packets(g, way="tx")
    for opts in ("-P 40", "-P 40 -R"):
        iperf(g, g.nic().far4, "-t 1", opts)
    after = queue_packets(g), queue_packets(g, way="tx")
    grown = [[y - x for x, y in zip(b, a)] for b, a in zip(before, after)]
    assert len(grown[0]) == channels(g)[1], grown
    assert all(n > 20 for n in grown[0] + grown[1]), grown
    return f"received {grown[0]}, sent {grown[1]}"


def rings(g):
    """ethtool -G: each size carries traffic; nonsense is refused."""
    name = dev(g)
    out = g.run(f"ethtool -g {name}").out
    rx, tx = ([int(x) for x in re.findall(rf"^{k}:\s*(\d+)", out, re.M)]
              for k in ("RX", "TX"))
    load = Load(g)
    for r, t in ((rx[1] // 2, tx[1] // 2), (rx[0], tx[0]), (rx[1], tx[1])):
        g.run(f"ethtool -G {name} rx {r} tx {t}")
        now = g.run(f"ethtool -g {name}").out
        got = [int(re.findall(rf"^{k}:\s*(\d+)", now, re.M)[1])
               for k in ("RX", "TX")]
        # the host has the last word on slots and sections
        assert abs(got[0] - r) <= r // 4 and abs(got[1] - t) <= t // 4, \
            (r, t, got)
        carrier(g, "n0", True)
        load.flows()
    load.stop()
    assert g.sh(f"ethtool -G {name} rx {rx[0] * 4}").rc
    if g.driver.synthetic:
        for few in ("rx 0", "tx 0", "rx 255", "tx 63"):
            assert g.sh(f"ethtool -G {name} {few}").rc, few
        assert g.run(f"ethtool -g {name}").out == now
    alive(g)
    return out


def toeplitz(key, data):
    """The hash that RSS is made of: data and key as bytes."""
    window = int.from_bytes(key, "big")
    bits, out = len(key) * 8, 0
    for i, byte in enumerate(data):
        for b in range(8):
            if byte & 0x80 >> b:
                out ^= window >> (bits - 32 - (i * 8 + b)) & 0xffffffff
    return out


def key_of(n):
    """A key for ethtool -X: another for each number."""
    return ":".join(f"{(i * 37 + n) % 256:02x}" for i in range(40))


def rss(g):
    """ethtool -x: (table, key)."""
    out = g.run(f"ethtool -x {dev(g)}").out
    table = [int(x) for line in re.findall(r"^\s*\d+:\s+(.*)$", out, re.M)
             for x in line.split()]
    key = bytes.fromhex(re.search(
        r"^((?:[0-9a-f]{2}:){39}[0-9a-f]{2})$", out, re.M)[1].replace(":", ""))
    return table, key


def spread(g, sources):
    """Sends a SYN from each (address, port); packets of each queue by it."""
    nic = g.nic()
    before = queue_packets(g)
    with g.space().packet("n0", 0) as s:
        s.bind(("n0", packets.ETH_TEST))
        for src, dst, port in sources:
            kind = packets.ETH_IP if "." in src else packets.ETH_IP6
            s.send(packets.ether(nic.mac, "02:00:00:00:00:09", kind,
                                 packets.syn(src, dst, port, 4321)))
    time.sleep(0.5 * g.scale)
    return [y - x for x, y in zip(before, queue_packets(g))]


def flows(g):
    """What spread() takes: 96 of IPv4 and as many of IPv6."""
    nic = g.nic()
    return [(a, b, port) for a, b in ((nic.far4, nic.near4),
                                      (nic.far6, nic.near6))
            for port in range(3000, 3096)]


def predicted(g, ports4=True):
    """How many of flows() each queue gets, by table and key.

    ports4: those of IPv4 count, too
    """
    table, key = rss(g)
    wanted = [0] * channels(g)[1]
    for src, dst, port in flows(g):
        data = b"".join(packets.ipaddress.ip_address(x).packed
                        for x in (src, dst))
        if ports4 or ":" in src:
            data += struct.pack("!HH", port, 4321)
        wanted[table[toeplitz(key, data) % len(table)]] += 1
    return wanted


def steering(g):
    """Table and key of ethtool -X are what decides over an arriving packet."""
    name = dev(g)
    assert toeplitz(bytes.fromhex(
        "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c"
        "6a42b73bbeac01fa"), bytes([66, 9, 149, 187, 161, 142, 100, 80])
        + struct.pack("!HH", 2794, 1766)) == 0x51ccc178
    count = channels(g)[1]
    key = key_of(11)
    said = []
    for what in ("equal 2", "weight 0 1", "weight 3 1", f"hkey {key}",
                 "weight 1 0", f"equal {count}"):
        g.run(f"ethtool -X {name} {what}")
        if "hkey" in what:
            assert rss(g)[1].hex(":") == key
        wanted, got = predicted(g), spread(g, flows(g))
        # ARP and such may come beside them
        assert all(0 <= y - x <= 6 for x, y in zip(wanted, got)), \
            (what, wanted, got)
        said.append(f"{what[:12]}: {got}")
    # a queue that there is not
    assert g.sh(f"ethtool -X {name} weight {'0 ' * count}1").rc
    alive(g)
    return ", ".join(said)


def kept(g):
    """Table and key outlive what has the channels opened anew."""
    name = dev(g)
    key = key_of(91)
    g.run(f"ethtool -X {name} weight 3 1 hkey {key} &&"
          f" ethtool -N {name} rx-flow-hash tcp4 sd")
    hashed = g.run(f"ethtool -n {name} rx-flow-hash tcp4").out
    before = rss(g)
    for what in (f"ip link set {name} down && ip link set {name} up",
                 f"ip link set {name} mtu 1400 && ip link set {name} mtu 1500",
                 f"ethtool -G {name} rx $(ethtool -g {name} |"
                 " awk '/^RX:/ { n = $2 } END { print int(n / 2) }')"):
        g.run(what)
        up(g, g.nic())
        assert rss(g) == before, what
        assert hashed == g.run(f"ethtool -n {name} rx-flow-hash tcp4").out, what
        wanted, got = predicted(g, False), spread(g, flows(g))
        assert all(0 <= y - x <= 6 for x, y in zip(wanted, got)), \
            (what, wanted, got)
    g.run(f"ethtool -X {name} default && ethtool -N {name} rx-flow-hash tcp4"
          " sdfn")
    alive(g)


def late_channels(g):
    """Sub-channels that come after the card has gone on without them."""
    name, most = dev(g), channels(g)[1]
    assert most == 4, most
    # longer than it waits for them
    g.ctl("net-late", "n0", "600000")
    try:
        g.run(f"ethtool --reset {name} all", 60)
        assert channels(g)[1] == 1, channels(g)
        up(g, g.nic())
        alive(g)
        g.ctl("net-late", "n0", "0")
        wait_for(g, f"test $(ls -d /sys/class/net/{name}/queues/rx-* | wc -l)"
                 f" = {most}", "they are not used")
    finally:
        g.ctl("net-late", "n0", "100")
    assert channels(g)[1] == most, channels(g)
    wanted, got = predicted(g), spread(g, flows(g))
    assert all(0 <= y - x <= 6 for x, y in zip(wanted, got)), (wanted, got)
    assert all(x > 10 for x in got), got
    alive(g)
    # and from the start in the session after it
    g.run(f"ethtool --reset {name} all", 60)
    assert channels(g)[1] == most, channels(g)
    up(g, g.nic())
    alive(g)
    return f"{got}"


def even(n, entries=128):
    """The table that nobody has set."""
    return [i % n for i in range(entries)]


def default_table(g):
    """ethtool -X default: the table spreads over however many queues there are.

    One that was set stays as it is, and is in the way of fewer queues.
    """
    name, (most, now) = dev(g), channels(g)
    assert now == most >= 4, (most, now)
    if g.driver.synthetic:
        g.run(f"ethtool -X {name} weight 3 1")
        table = rss(g)[0]
        assert set(table) == {0, 1}, table
        for n in (2, most):
            g.run(f"ethtool -L {name} combined {n}")
            up(g, g.nic())
            assert rss(g)[0] == table, n
        assert g.sh(f"ethtool -L {name} combined 1").rc
        assert channels(g)[1] == most
    g.run(f"ethtool -X {name} weight 0 0 1")
    g.run(f"ethtool -X {name} default")
    key = rss(g)[1]
    for n in (most, 2, 3, 1, most):
        g.run(f"ethtool -L {name} combined {n}")
        assert channels(g)[1] == n
        up(g, g.nic())
        # hv_netvsc has no key with one channel, and none but zeros afterwards
        if not g.driver.synthetic:
            g.run(f"ethtool -X {name} hkey {key.hex(':')}")
        table = rss(g)
        assert table[0] == even(n, len(table[0])), (n, table)
        assert table[1] == key, n
        wanted, got = predicted(g), spread(g, flows(g))
        assert all(0 <= y - x <= 6 for x, y in zip(wanted, got)), \
            (n, wanted, got)
        assert n == 1 or all(x > 10 for x in wanted), (n, wanted)
    alive(g)


RSS_SET = "oid=0x00010204"
FAILURE = "status=0xc0000001"


def not_taken(g, what, before):
    """Table, key and what goes into the hash are what they were, on both sides."""
    assert rss(g) == before, what
    wanted, got = predicted(g), spread(g, flows(g))
    assert all(0 <= y - x <= 6 for x, y in zip(wanted, got)), \
        (what, wanted, got)
    assert sum(x > 10 for x in wanted) > 1, (what, wanted)


def refused_table(g):
    """A table or a key that the host refuses: said, and all stays as it was.

    Our driver switches the hash off, and on again with what is new; the host may
    refuse either, do it and say that it has not, or say nothing.
    """
    name = dev(g)
    g.run(f"ethtool -X {name} weight 1 2 3 4 hkey {key_of(5)}")
    before, on = rss(g), g.host_net()["rss"]
    assert on == 1 and before[1] == bytes.fromhex(key_of(5).replace(":", ""))
    table, new = "weight 0 0 1 1", f"hkey {key_of(6)}"
    for text, what in (
            (f"set {RSS_SET} {FAILURE}", table),
            (f"set {RSS_SET} {FAILURE} skip=1", f"{table} {new}"),
            (f"set {RSS_SET} {FAILURE} count=forever", new),
            (f"set {RSS_SET} status=0xc00000bb", f"{table} {new}"),
            (f"answer message=set {RSS_SET} {FAILURE}", new),
            (f"answer message=set {RSS_SET} {FAILURE} skip=1", table),
            (f"answer message=set {RSS_SET} lost", table),
            (f"answer message=set {RSS_SET} lost skip=1", new)):
        g.ctl("net-fault", "n0", *text.split())
        done = g.sh(f"ethtool -X {name} {what}")
        assert done.rc, (text, what, done.out)
        met = re.search(r"hits=(\d+)", g.ctl("net-fault", "n0", "list"))
        assert int(met[1]), (text, what)
        g.ctl("net-fault", "n0", "clear")
        not_taken(g, (text, what), before)
        assert g.host_net()["rss"] == 1, (text, what)
    # ports in the hash: ethtool exits with 0 all the same
    hashed = g.run(f"ethtool -n {name} rx-flow-hash tcp4").out
    for text in (f"set {RSS_SET} {FAILURE}", f"set {RSS_SET} {FAILURE} skip=1"):
        g.ctl("net-fault", "n0", *text.split())
        g.run(f"ethtool -N {name} rx-flow-hash tcp4 sd 2>&1 | grep -q Cannot")
        g.ctl("net-fault", "n0", "clear")
        assert hashed == g.run(f"ethtool -n {name} rx-flow-hash tcp4").out
        not_taken(g, text, before)
    # the same again is taken
    for what in (f"{table} {new}", "default"):
        g.run(f"ethtool -X {name} {what}")
        wanted, got = predicted(g), spread(g, flows(g))
        assert all(0 <= y - x <= 6 for x, y in zip(wanted, got)), \
            (what, wanted, got)
    assert rss(g) == (even(4), bytes.fromhex(key_of(6).replace(":", "")))
    alive(g)


def flow_hash(g):
    """ethtool -N rx-flow-hash: ports decide where they are asked to.

    Those of TCP are at first, those of UDP are not.
    """
    name, nic = dev(g), g.nic()
    if not g.driver.synthetic:
        raise Skip("hv_netvsc heeds it for what it sends, and never asks the"
                   " host for a hash of UDP's ports")

    def said(kind):
        return "L4 bytes 0 & 1" in g.run(
            f"ethtool -n {name} rx-flow-hash {kind}").out

    def used(kind, make):
        src, dst = ((nic.far4, nic.near4) if kind.endswith("4") else
                    (nic.far6, nic.near6))
        before = queue_packets(g)
        with g.space().packet("n0", 0) as s:
            s.bind(("n0", packets.ETH_TEST))
            for port in range(5000, 5096):
                s.send(packets.ether(
                    nic.mac, "02:00:00:00:00:09", packets.ETH_IP
                    if kind.endswith("4") else packets.ETH_IP6,
                    make(src, dst, port)))
        time.sleep(0.5 * g.scale)
        return sum(y - x > 15 for x, y in zip(before, queue_packets(g)))

    def udp(src, dst, port):
        return packets.udp(src, dst, port, 4321, b"hello")

    def syn(src, dst, port):
        return packets.syn(src, dst, port, 4321)

    for kind, make, first in (("udp4", udp, False), ("udp6", udp, False),
                              ("tcp4", syn, True), ("tcp6", syn, True)):
        assert said(kind) == first, kind
        for ports in (not first, first):
            g.run(f"ethtool -N {name} rx-flow-hash {kind}"
                  f" {'sdfn' if ports else 'sd'}")
            assert said(kind) == ports, (kind, ports)
            found = used(kind, make)
            assert found > 1 if ports else found == 1, (kind, ports, found)
    # half of the ports, or none of the addresses, is nothing that a host does
    for kind, what in (("udp4", "sdf"), ("udp4", "fn"), ("sctp4", "sd"),
                       ("tcp6", "v")):
        # it exits with 0 all the same
        g.run(f"ethtool -N {name} rx-flow-hash {kind} {what} 2>&1 |"
              " grep -q Cannot")


HEAR = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 46, int(sys.argv[1]))   # SO_BUSY_POLL
# what settimeout() does instead is no read that waits, and polls nothing
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 9, 0))
s.bind(("", 4555))
print("ready", flush=True)
n = 0
while s.recv(99) != b"end":
    n += 1
print("heard", n)
"""


def heard(g, count=300, spin=0):
    """How the counters grow with so many datagrams, one at a time.

    spin: microseconds for which their socket polls the card
    """
    g.run(f"cat >/run/hear.py <<'END'\n{HEAR}END")
    job = g.spawn(f"python3 /run/hear.py {spin}", 60)
    wait_for(g, f"grep -q ready {job.path}.out", "nobody listens")
    before = ethtool_stats(g)
    with g.space().inside():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        for word in [b"word"] * count + [b"end"] * 3:
            s.sendto(word, (g.nic().near4, 4555))
            time.sleep(0.002)
    done = job.wait()
    after = ethtool_stats(g)
    assert int(re.search(r"heard (\d+)", done.out)[1]) == count, done.out
    return {k: v - before[k] for k, v in after.items()}


def coalescing(g):
    """ethtool -C: what was set is there and has its effect, and traffic goes on.

    After each poll that found something the host's interrupts stay masked, and a
    timer polls again; without that each poll has an interrupt before it.
    """
    name, said = dev(g), []

    def shown():
        out = g.run(f"ethtool -c {name}").out
        return (re.search(r"^rx-usecs:\s+(\d+)$", out, re.M)[1],
                re.search(r"^Adaptive RX: (on|off)\b", out, re.M)[1])

    assert shown() == ("0", "off"), shown()
    for usecs in (0, 200, 1000, 0):
        # what is so already ethtool takes for an error, where it has no netlink
        if shown()[0] != str(usecs):
            g.run(f"ethtool -C {name} adaptive-rx off rx-usecs {usecs}")
        assert shown() == (str(usecs), "off"), shown()
        n = heard(g)
        if usecs:
            assert n["rx_polls"] > 1.7 * n["rx_interrupts"], (usecs, n)
        else:
            assert n["rx_polls"] < 1.4 * n["rx_interrupts"], n
        said.append(f"{usecs} us: {n['rx_interrupts']} interrupts,"
                    f" {n['rx_polls']} polls")
    # what is too long, or none of ours, changes nothing
    g.run(f"ethtool -C {name} rx-usecs 7")
    for words in ("rx-usecs 1001", "tx-usecs 5", "rx-frames 5"):
        assert g.sh(f"ethtool -C {name} {words}").rc, words
        assert shown() == ("7", "off"), shown()
    # it is all the queues', and outlives a new session
    g.run(f"ethtool -C {name} rx-usecs 500 && ip link set {name} mtu 1400 &&"
          f" ip link set {name} mtu 1500")
    up(g, g.nic())
    assert shown() == ("500", "off"), shown()
    n = heard(g)
    assert n["rx_polls"] > 1.7 * n["rx_interrupts"], n
    # what is shown is the first queue's
    g.run(f"ethtool -C {name} adaptive-rx on rx-usecs 0 &&"
          f" ethtool -X {name} weight 1")
    assert shown()[1] == "on", shown()
    load = Load(g)
    deadline = time.monotonic() + 60 * g.scale
    # one of net DIM's
    while shown()[0] not in ("1", "8", "64", "128", "256"):
        assert time.monotonic() < deadline, shown()
        load.flows()
    said.append(f"adaptive: {shown()[0]} us")
    g.run(f"ethtool -C {name} adaptive-rx off rx-usecs 0")
    assert shown() == ("0", "off"), shown()
    load.flows()
    load.stop()
    g.run(f"ethtool -X {name} default")
    alive(g)
    return "; ".join(said)


def busy_poll(g):
    """Sockets that poll get their data, and need no interrupt for it."""
    said, found = [], []
    for spin in (0, 100000, 0):
        n = heard(g, spin=spin)
        found.append(n["rx_interrupts"])
        said.append(f"{spin} us: {n['rx_interrupts']} interrupts,"
                    f" {n['rx_polls']} polls")
        assert (n["rx_polls"] > 3 * 300) == bool(spin), said
    assert found[1] < min(found[0], found[2]) / 2, said
    # the same for all sockets
    g.run("echo 50 >/proc/sys/net/core/busy_read;"
          "echo 50 >/proc/sys/net/core/busy_poll")
    ping(g, count=5)
    digest_down(g, g.nic().far4, 1 << 20)
    g.run("echo 0 >/proc/sys/net/core/busy_read;"
          "echo 0 >/proc/sys/net/core/busy_poll")
    return "; ".join(said)


def says(g):
    """ethtool -S, -i, -l, -g, -x, -k: all there, and in agreement."""
    name = dev(g)
    found = ethtool_stats(g)
    digest_up(g, g.nic().far4, 1 << 20)
    more = ethtool_stats(g)
    assert sum(more.values()) > sum(found.values()), more
    for way in ("rx", "tx"):
        total = sum(queue_packets(g, way=way))
        seen = stat(g, "n0", f"{way}_packets")[0]
        assert 0.9 * seen <= total <= seen + 200, (way, total, seen)
    out = g.run(f"ls -d /sys/class/net/{name}/queues/[rt]x-* | wc -l").out
    assert int(out) >= 2 * channels(g)[1], out
    told = json.loads(g.run(f"python3 {INSIDE}/qstats.py {name}").out)
    if g.driver.synthetic and told["rx"]:
        for way in ("rx", "tx"):
            assert len(told[way]) == channels(g)[1], told
            # others come and go meanwhile
            assert all(0 <= y - x <= 20 for x, y in
                       zip(told[way], queue_packets(g, way=way))), told
    if g.driver.synthetic and told["napi"]:
        assert len(told["napi"]) >= channels(g)[1], told
        assert told["napi"] == sorted(told["napi"], reverse=True), told
    # BQL counts what is on its way
    out = g.run(f"grep -H . /sys/class/net/{name}/queues/tx-*/byte_queue_limits"
                "/limit").out
    if g.driver.synthetic:
        assert re.search(r"limit:[1-9]", out), out
    return f"{len(found)} counters, netlink: {told}"


def quiet_again(g):
    """Nothing is wrong after all of that, for the host either; all unloads."""
    alive(g)
    found = g.host_net()
    assert not found["tx_refused"], found
    g.driver.unload(g)
    g.driver.load(g)
    g.notes.clear()
    up(g, g.nic())
    alive(g)
    g.driver.unload(g)


QUEUES = (
    ("channels change under load", change_channels),
    ("each queue is used", all_queues), ("rings", rings),
    ("table and key decide", steering),
    ("a table that nobody has set", default_table),
    ("what goes into the hash", flow_hash),
)
PACKETS = (
    ("checksums with each set of offloads", offloads),
    ("each feature off and on", one_by_one),
    ("segments of each MTU", segments), ("how TCP copies", copies),
    ("wrong checksums are refused", received),
    ("large receives", large_receive),
)


# what hv_netvsc has not, or not so
OURS = (
    ("table and key are kept", kept),
    ("a table that the host refuses", refused_table),
    ("sub-channels that come late", late_channels),
    ("coalescing", coalescing), ("busy polling", busy_poll),
    ("what it says of itself", says),
)


def guest(name, driver):
    """A guest with a card of four queues."""
    return NetGuest(name, driver, [Nic("n0", opts="queues=4")], smp=4,
                    limit=900)


def main():
    """Runs the tests."""
    run_tests(
        ("own", guest("net-offload", OWN), ("loads", begin), *PACKETS, *QUEUES,
         *OURS,
         ("all unloads", quiet_again)))


if __name__ == "__main__":
    main()
