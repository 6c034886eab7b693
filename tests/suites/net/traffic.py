#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a card is for: traffic of all kinds, and the card's coming and going.

Two cards, whose far ends are two namespaces (far.py). The host of the second one
knows an older protocol. This is our driver by its own names; dropin.py has the
same for its other build and the distribution's hv_netvsc.
"""

import re
import time

import far
import packets
import tagged
from lib import (alive, answered, BUSYBOX, Capture, carrier, copybreak, dev,
                 digest_down, digest_up, ethtool_stats, forget, guid, HOST_LIKE,
                 INSIDE,
                 iperf, Load, LONG, NetGuest, Nic, nothing_leaked, OWN, ping,
                 run_tests, stat, up, wait_for)

MANY = 100      # frames: more than a quiet interface sees of others
AMOUNT = (5 if LONG else 2) << 20   # bytes of TCP


def begin(g):
    """Loads all; both cards are what the host says they are."""
    g.driver.load_all(g)
    for nic in g.nics:
        name = dev(g, nic.name)
        out = g.run(f"ethtool -i {name}; ethtool {name}; ip -d link show"
                    f" {name}").out
        assert re.search(rf"^driver: {g.driver.module}$", out, re.M), out
        assert "Link detected: yes" in out, out
        assert re.search(r"Speed: [1-9]\d*Mb/s", out), out
        assert re.search(r"mtu 1500 ", out), out


def pings(g):
    """Small and large, in fragments, over IPv4 and IPv6."""
    with Capture(g.space(), "n0") as c:
        for to in (g.nic().far4, g.nic().far6):
            for size in (0, 18, 56, 1400, 4000, 32000, 65000):
                ping(g, to, 2, size)
    c.seen("icmp4", "icmp6", "icmp4 fragment", "icmp6 fragment")
    return c.said()


def by_pages(g):
    """Nothing is copied: the pages of the smallest packet are named to the host."""
    def sent():
        now = ethtool_stats(g)
        return now["tx_copied"], now["tx_ring_packets"]

    with copybreak(g, 0) as limit:
        assert int(limit) >= 1514, "a frame of Ethernet is not copied"
        copies, packets_before = sent()
        out = sizes(g)
        assert sent()[0] == copies, f"{sent()[0] - copies} copies"
        many = sent()[1] - packets_before
    copies = sent()[0]
    sizes(g)
    # large sends are none
    assert sent()[0] - copies > many // 2, (sent()[0] - copies, many)
    return out


def older(g):
    """The card whose host knows an older protocol."""
    nic = g.nic("n1")
    version = re.search(r"max-version=(\d)", nic.opts)[1]
    if g.driver.synthetic:
        said = g.run(f"cat /sys/bus/vmbus/devices/{guid(g, 'n1')}/synth_net/"
                     "protocol").out.strip()
        assert said == f"{version}.0", said
    with Capture(g.space("n1"), "n1") as c:
        out = g.run(f"python3 {INSIDE}/inside.py {nic.far4} {nic.far6}"
                    f" {far.ECHO}", 180).out
        for to in (nic.far4, nic.far6):
            digest_up(g, to, AMOUNT)
            digest_down(g, to, AMOUNT)
    c.seen("udp4 fragment", "udp6 fragment")
    return f"NVSP {version}: {out}{c.said()}"


def flood(g):
    """As fast as they come back."""
    n = 1500 if LONG else 500
    for to in (g.nic().far4, g.nic().far6):
        answered(g.run(f"ping -n -q -f -w 60 -c {n} {to}", 90).out, n)


def sizes(g):
    """From 1 byte to 64 KiB, UDP and TCP, IPv4 and IPv6, come back equal."""
    with Capture(g.space(), "n0") as c:
        out = g.run(f"python3 {INSIDE}/inside.py {g.nic().far4}"
                    f" {g.nic().far6} {far.ECHO}", 180).out
    c.seen("udp4 fragment", "udp6 fragment")
    return out + c.said()


def bytes_arrive(g):
    """TCP each way; what arrives is what was sent."""
    with Capture(g.space(), "n0") as c:
        for to in (g.nic().far4, g.nic().far6):
            digest_up(g, to, AMOUNT)
            digest_down(g, to, AMOUNT)
    return c.said()


def throughput(g):
    """iperf3: one and four streams, each way, and UDP."""
    said = []
    streams = ((g.nic().far4, "-P 4"), (g.nic().far6, "-P 4 -R"),
               (g.nic().far4, ""), (g.nic().far4, "-R"),
               (g.nic().far6, "--bidir"))
    for to, opts in streams if LONG else streams[:2]:
        done = iperf(g, to, "-t 1", opts)
        assert done.received > 1 << 20, done.all
        said.append(f"{opts or 'TCP'}: {done.rate}")
    for opts in ("-u -b 20M -l 1400", "-u -b 20M -l 1400 -R",
                 "-u -b 4M -l 64"):
        out = iperf(g, g.nic().far4, "-t 1", opts).end["sum"]
        # what is lost is up to whoever is too slow for it
        assert out["packets"] - out["lost_packets"] > 100, out
        said.append(f"{opts}: {out['lost_percent']:.0f} % lost")
    return ", ".join(said)


def set_mtu(g, name, mtu):
    """Both sides."""
    g.space(name).ip("link", "set", name, "mtu", str(mtu))
    g.run(f"ip link set {dev(g, name)} mtu {mtu}")
    carrier(g, name, True)


def jumbo(g):
    """The MTU follows on a link that is in use; too much of it is refused."""
    name = dev(g)
    load = Load(g)
    try:
        for mtu in (9000, 1280, 4000, 1500, 9000) if LONG else (1280, 9000):
            set_mtu(g, "n0", mtu)
            load.flows(200000)
            ping(g, size=mtu - 28, opts="-M do")
            assert g.sh(f"ping -c 1 -W 1 -M do -s {mtu - 27}"
                        f" {g.nic().far4}").rc
        load.stop()
    finally:
        load.kill()
    with Capture(g.space(), "n0", mtu=9000) as c:
        for to in (g.nic().far4, g.nic().far6):
            digest_up(g, to, AMOUNT)
            digest_down(g, to, AMOUNT)
    most = int(re.search(r"maxmtu (\d+)", g.run(
        f"ip -d link show {name}").out)[1])
    assert g.sh(f"ip link set {name} mtu {most + 1}").rc
    assert g.sh(f"ip link set {name} mtu 60").rc
    set_mtu(g, "n0", 1500)
    up(g, g.nic())      # an MTU below 1280 costs an interface its IPv6
    alive(g)
    return f"up to {most}"


def tags_inside(g, there):
    """Frames of a packet socket with tags in them: the outer one is taken out, and
    what has another one is sent without offloads, which hosts drop or not."""
    before = g.host_net()
    mac = re.search(r"link/ether (\S+)", g.space().ip("link", "show", "n0"))[1]
    there.tags.clear()
    with Capture(g.space(), "n0") as c:
        g.run(f"python3 {INSIDE}/tagged.py {dev(g)} {mac} {g.nic().mac}"
              " 198.19.7.1 198.19.7.2 77")
        ping(g, "198.19.7.1", 2)
    for sort in tagged.SORTS:
        came = there.tags.count(77 | sort << 13)
        assert came == (tagged.COUNT if sort not in tagged.INSIDE else 0) or \
            HOST_LIKE != "hyperv", (sort, came)
    now = g.host_net()
    assert now["tx_refused"] == before["tx_refused"], now
    if HOST_LIKE == "hyperv":
        assert now["tx_tagged"] - before["tx_tagged"] == \
            len(tagged.INSIDE) * tagged.COUNT, now
    c.seen("udp4 vlan")


def vlan(g):
    """Tagged traffic, to a far end that takes no other."""
    name = dev(g)
    there = far.Vlan(g.space(), "n0", 77, "198.19.7.1/24")
    try:
        g.run(f"modprobe 8021q; ip link add link {name} name v77 type vlan id"
              " 77 egress-qos-map 0:5 && ip addr add 198.19.7.2/24 dev v77 &&"
              " ip link set v77 up")
        with Capture(g.space(), "n0") as c:
            ping(g, "198.19.7.1", 3)
            ping(g, "198.19.7.1", 2, 4000)
            digest_up(g, "198.19.7.1", 1 << 20)
            digest_down(g, "198.19.7.1", 1 << 19)
        # ARP and such have a priority of their own
        assert {t & 0xfff for t in there.tags} == {77}, set(there.tags)
        assert 77 | 5 << 13 in there.tags, set(there.tags)
        assert [k for k in c.checker.counts if "tcp4" in k and "vlan" in k], \
            c.checker.counts
        tags_inside(g, there)
        g.run("ip link del v77")
    finally:
        there.close()
    alive(g, "n0")
    return c.said()


def frames(g, target, count=MANY, name="n0"):
    """Sends frames to a MAC address; how many more the card has received."""
    s = g.space(name).packet(name, 0)
    before = stat(g, name, "rx_packets")[0]
    frame = packets.ether(target, "02:00:00:00:00:09", packets.ETH_TEST,
                          bytes(50))
    with s:
        s.bind((name, packets.ETH_TEST))
        for i in range(count):
            s.send(frame)
            if i % 50 == 49:
                time.sleep(0.02)
    time.sleep(0.3)
    ping(g, g.nic(name).far4, 1)        # behind them
    return stat(g, name, "rx_packets")[0] - before - 1


def arrives(g, target, wanted, what):
    """Frames to an address do arrive, or do not.

    The driver tells the host of it when it comes to it.
    """
    deadline = time.monotonic() + 10 * g.scale
    while True:
        n = frames(g, target)
        if n >= MANY if wanted else n < MANY // 4:
            return
        assert time.monotonic() < deadline, \
            f"{what}: {n} of {MANY} frames arrived"


GROUP = "01:00:5e:00:02:{:02x}"


def many(g, what):
    """Joins (ADD) or leaves (DEL) ninety groups: GROUP.format(10) and so on.

    One program does all: "ip -batch" ends after its first "maddr".
    """
    number = {"ADD": 0x8931, "DEL": 0x8932}[what]       # SIOCADDMULTI
    g.run("python3 -c '\nimport fcntl, socket, struct\n"
          "with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
          "    for i in range(10, 100):\n"
          f"        fcntl.ioctl(s, {number}, struct.pack(\"16sH14s\","
          f" b\"{dev(g)}\", 0,\n"
          "                    bytes([1, 0, 0x5e, 0, 2, i])))\n'")


def filters(g):
    """Only what was asked for arrives."""
    name = dev(g)
    group, other = "01:00:5e:11:22:33", "01:00:5e:44:55:66"
    arrives(g, g.nic().mac, True, "our address")
    arrives(g, "ff:ff:ff:ff:ff:ff", True, "broadcast")
    arrives(g, "02:77:77:77:77:77", False, "another address")
    g.run(f"ip maddr add {group} dev {name}")
    arrives(g, group, True, "a group that was joined")
    if g.driver.synthetic:      # hv_netvsc asks for all groups
        arrives(g, other, False, "another group")
    g.run(f"ip link set {name} allmulticast on")
    arrives(g, other, True, "all groups")
    g.run(f"ip link set {name} allmulticast off; ip maddr del {group} dev"
          f" {name}")
    if g.driver.synthetic:
        arrives(g, group, False, "a group that was left")
        # more groups than the host's list has room for
        many(g, "ADD")
        arrives(g, GROUP.format(99), True, "one of ninety groups")
        arrives(g, GROUP.format(9), True, "the host's list is too short")
        many(g, "DEL")
        arrives(g, GROUP.format(99), False, "ninety groups left")
    g.run(f"ip link set {name} promisc on")
    arrives(g, "02:77:77:77:77:77", True, "promiscuous")
    g.run(f"ip link set {name} promisc off")
    arrives(g, "02:77:77:77:77:77", False, "no longer promiscuous")


def multicast(g):
    """A group of IPv4 that a program joins, and one of IPv6."""
    job = g.spawn(
        "python3 -c '\nimport socket, struct\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.bind((\"\", 4000))\n"
        "s.setsockopt(0, 35, socket.inet_aton(\"239.1.2.3\") +"
        f" socket.inet_aton(\"{g.nic().near4}\"))\n"
        "print(\"joined\", flush=True)\nprint(s.recv(99))\n'", 60)
    wait_for(g, f"grep -q joined {job.path}.out", "not joined")
    frame = packets.ether("01:00:5e:01:02:03", "02:00:00:00:00:09",
                          packets.ETH_IP, packets.udp(
                              g.nic().far4, "239.1.2.3", 5, 4000, b"group!"))
    with g.space().packet("n0", 0) as s:
        s.bind(("n0", packets.ETH_TEST))
        s.send(frame)
    assert "group!" in job.wait().out, job.output()


def set_mac(g, name, mac):
    """Sets it; hv_netvsc takes none while it is up."""
    if g.driver.synthetic:
        g.run(f"ip link set {name} address {mac}")
    else:
        g.run(f"ip link set {name} down && ip link set {name} address {mac}")
    up(g, g.nic())
    g.space().ip("neigh", "flush", "dev", "n0")


def new_mac(g):
    """Another MAC address, while the link is in use."""
    name, mac = dev(g), "02:18:00:00:aa:01"
    set_mac(g, name, mac)
    alive(g, "n0")
    assert mac in g.space().ip("neigh", "show", "dev", "n0")
    arrives(g, mac, True, "the new address")
    arrives(g, g.nic().mac, False, "the old address")
    set_mac(g, name, g.nic().mac)
    alive(g, "n0")
    assert g.sh(f"ip link set {name} address 01:00:00:00:00:01").rc


def flaps(g):
    """The carrier follows the host; the interface works each time it is up."""
    load = Load(g)
    for _ in range(3 if LONG else 1):
        g.ctl("net-link", "n0", "down")
        carrier(g, "n0", False)
        assert g.sh(f"ping -c 1 -W 1 {g.nic().far4}").rc
        g.ctl("net-link", "n0", "up")
        carrier(g, "n0", True)
    load.flows()
    # hv_netvsc takes two seconds for each
    for _ in range((20 if LONG else 5) if g.driver.synthetic else 2):
        g.ctl("net-link", "n0", "down")
        g.ctl("net-link", "n0", "up")
    carrier(g, "n0", True)
    load.flows()
    load.stop()
    # down while the interface is: seen when it comes up
    name = dev(g)
    g.run(f"ip link set {name} down")
    g.ctl("net-link", "n0", "down")
    g.run(f"ip link set {name} up")
    carrier(g, "n0", False)
    g.ctl("net-link", "n0", "up")
    up(g, g.nic())
    alive(g)


def routed(g):
    """From one namespace through the guest to the other one, and back."""
    a, b = g.nic("n0"), g.nic("n1")
    g.run("for f in ipv4/ip_forward ipv6/conf/all/forwarding; do"
          " echo 1 >/proc/sys/net/$f; done")
    g.far["a"].ip("route", "add", f"{b.far4}/32", "via", a.near4)
    g.far["b"].ip("route", "add", f"{a.far4}/32", "via", b.near4)
    with Capture(g.far["b"], "n1") as c, Capture(g.far["a"], "n0") as d:
        # who is asked first has to ask for addresses himself
        g.far["a"].run("ping", "-n", "-q", "-c", "3", "-w", "20", b.far4)
        answered(g.far["a"].run("ping", "-n", "-q", "-c", "20", "-i", "0.02",
                                "-w", "30", "-s", "4000", b.far4), 20)
        for opts in ((), ("-R",)):
            with g.far["b"].iperf() as port:
                g.far["a"].run("iperf3", "-c", b.far4, "-p", str(port), "-n",
                               "8M", *opts, timeout=90)
    g.run("for f in ipv4/ip_forward ipv6/conf/all/forwarding; do"
          " echo 0 >/proc/sys/net/$f; done")
    g.far["a"].ip("route", "del", f"{b.far4}/32")
    g.far["b"].ip("route", "del", f"{a.far4}/32")
    for nic in g.nics:
        up(g, nic)
    return f"to b: {c.said()}; to a: {d.said()}"


def both(g):
    """Both cards at once."""
    loads = [Load(g, "n0"), Load(g, "n1")]
    for _ in range(2):
        for x in loads:
            x.flows()
    for x in loads:
        x.stop()


def quiet(g):
    """Waits until nothing is on its way."""
    wait_for(g, f"cd /sys/class/net/{dev(g)}/statistics; a=$(cat rx_packets"
             " tx_packets); sleep .3; test \"$a\" = \"$(cat rx_packets"
             " tx_packets)\"", "it does not become quiet")


def statistics(g):
    """Guest and host count the same."""
    # with those, what is a packet to whom is a matter of taste
    g.run(f"ethtool -K {dev(g)} tso off gso off; ethtool -K {dev(g)} lro off;"
          "true")
    keys = ("tx_packets", "rx_packets", "tx_bytes", "rx_bytes")
    counts = []
    for _ in range(2):
        quiet(g)
        guest, host = stat(g, "n0", *keys), g.host_net()
        # the guest looks for routers whenever it likes to
        while guest != stat(g, "n0", *keys):
            guest, host = stat(g, "n0", *keys), g.host_net()
        counts.append(([host[k] for k in keys], guest))
        digest_up(g, g.nic().far4, 1 << 20)
        digest_down(g, g.nic().far4, 1 << 20)
        ping(g, count=10)
    host, guest = ([y - x for x, y in zip(a, b)] for a, b in zip(*counts))
    g.run(f"ethtool -K {dev(g)} tso on gso on")
    assert host[:2] == guest[:2], (host, guest)
    # a frame has a header whichever way it is counted
    for a, b, n in zip(host[2:], guest[2:], host):
        assert abs(a - b) <= 14 * n, (host, guest)
    return f"{dict(zip(keys, guest))}"


def no_errors(g):
    """No error was counted in all of this."""
    # a large receive that does not say what it is made of
    assert not g.driver.synthetic or "suspect GRO" not in g.console_text()
    for nic in g.nics:
        keys = ("rx_errors", "tx_errors", "rx_crc_errors", "rx_length_errors",
                "tx_carrier_errors")
        found = dict(zip(keys, stat(g, nic.name, *keys)))
        assert not any(found.values()), (found, ethtool_stats(g, nic.name))
        # the host has found nothing wrong with what it was asked to do, either
        found = g.host_net(nic.name)
        assert not found["tx_refused"], found


def hot_remove(g):
    """A card is taken away under load, and comes back."""
    before = g.run("ls /sys/bus/vmbus/devices").out
    for _ in range(3 if LONG else 1):
        load = Load(g, "n1")
        mac = g.nic("n1").mac
        g.ctl("rescind", "n1")
        wait_for(g, f"! grep -qi {mac} /sys/class/net/*/address",
                 "the interface is still there")
        load.kill()
        alive(g, "n0")
        g.ctl("offer", "n1")
        forget(g)
        g.wire(g.nic("n1"))
        up(g, g.nic("n1"))
        alive(g)
    assert g.run("ls /sys/bus/vmbus/devices").out == before
    for _ in range(10 if LONG else 3):
        g.ctl("rescind", "n1", "now")
        g.ctl("offer", "n1")
    forget(g)
    g.wire(g.nic("n1"))
    up(g, g.nic("n1"))
    alive(g)


def up_and_down(g):
    """The interface goes down and up, with traffic each time."""
    name, to = dev(g), g.nic().far4
    n = 200 if LONG else 2
    g.run(f"for i in 1 2 3 4 5; do echo link set {name} down; echo link set"
          f" {name} up; done >/run/flap; for i in $(seq {n}); do ip -batch"
          f" /run/flap && ping -q -c 1 -W 10 {to} >/dev/null || exit 1; done",
          60 + 20 * n)
    load = Load(g, "n1")
    g.run(f"for i in $(seq 5); do sed s/{name}/{dev(g, 'n1')}/ /run/flap |"
          " ip -batch - || exit 1; done")
    up(g, g.nic("n1"))
    load.flows()
    load.stop()
    up(g, g.nic())
    alive(g)


def netconsole(g):
    """What the kernel says reaches a far end, from any context."""
    name = dev(g)
    lines = far.Lines(g.space(), 6666)
    try:
        mac = re.search(r"link/ether (\S+)", g.space().ip(
            "link", "show", "n0"))[1]
        g.run(f"modprobe netconsole netconsole=+5555@{g.nic().near4}/{name},"
              f"6666@{g.nic().far4}/{mac}")
        g.run("for i in $(seq 40); do echo said-$i >/dev/kmsg; done;"
              "echo h >/proc/sysrq-trigger")
        lines.wait("said-40", 20 * g.scale)
        lines.wait("sysrq", 20 * g.scale)
        g.run("rmmod netconsole")
    finally:
        lines.close()
    alive(g, "n0")


def unload_busy(g):
    """The module goes while both cards are in use, and comes back."""
    loads = [Load(g, "n0"), Load(g, "n1")]
    g.driver.unload(g)
    for x in loads:
        x.kill()
    for _ in range(30 if LONG else 1):
        g.driver.load(g)
        g.driver.unload(g)
    g.driver.load(g)
    forget(g)
    for nic in g.nics:
        up(g, nic)
    alive(g)


def unbind(g):
    """One card is unbound and bound again; the other one does not notice."""
    load = Load(g, "n0")
    where, name = f"/sys/bus/vmbus/drivers/{g.driver.module}", guid(g, "n1")
    for _ in range(5 if LONG else 2):
        g.run(f"echo {name} >{where}/unbind && echo {name} >{where}/bind")
    forget(g)
    up(g, g.nic("n1"))
    load.flows()
    load.stop()
    alive(g)


def ends(g):
    """Driver and channel go, and leave nothing."""
    if g.driver.bus == "own":
        nothing_leaked(g)
    g.driver.unload(g)
    g.run("rmmod " + {"own": "synth_vmbus", "stock": "hv_vmbus"}[g.driver.bus])
    assert not g.run(f"{BUSYBOX} ls -A /sys/bus/vmbus 2>/dev/null; true"
                     ).out.strip()


BASIC = (
    ("loads, and says what it is", begin), ("pings", pings),
    ("sizes from 1 byte to 64 KiB", sizes),
    ("bytes arrive as they were", bytes_arrive),
    ("a card of an older protocol", older), ("iperf3", throughput),
)
MORE = (
    ("ping -f", flood), ("MTU of a link in use, jumbo frames", jumbo),
    ("VLAN", vlan), ("filters", filters), ("a multicast group", multicast),
    ("MAC address", new_mac), ("link flaps", flaps),
    ("two cards at once", both), ("routed through the guest", routed),
    ("statistics of both sides", statistics),
)
PAGES = ("what is small is copied, or by its pages", by_pages)
REMOVAL = ("hot removal under load, and a new offer", hot_remove)
COMING = (
    REMOVAL, ("interface down and up", up_and_down), ("netconsole", netconsole),
    ("unbind beside a busy card", unbind),
    ("rmmod under load, insmod and rmmod", unload_busy),
)


def guest(name, driver, version):
    """A guest with two cards; version: the newest that the second one knows."""
    return NetGuest(name, driver, [Nic("n0"), Nic("n1", "b",
                                                  f"max-version={version}")],
                    limit=900)


def main():
    """Runs the tests."""
    run_tests(
        ("own", guest("net-own", OWN, 4), *BASIC, PAGES, *MORE, *COMING,
         ("no error was counted", no_errors), ("all unloads", ends)))


if __name__ == "__main__":
    main()
