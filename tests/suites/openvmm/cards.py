# SPDX-License-Identifier: GPL-2.0-only
"""Network cards of OpenVMM: one on a tap, whose far end is the outer guest, and
one on OpenVMM's own network with its DHCP server."""

import json
import re

from lib import CLASSES, devices, driver_of
from openvmm import FAR, NEAR, TAP
from steps import wait_for

AMOUNT = 2 << 20
DIGEST = 7070       # ports of the far end
SOURCE = 7071
IPERF = 5201


def names(g):
    """Interfaces of cards, as {name on the bus: name}."""
    found = {}
    for d in devices(g, "net"):
        out = wait_for(g, f"ls {g.setup.sysfs}/devices/{d}/net | grep .",
                       f"no interface of {d}", 60)
        found[d] = out.split()[0]
    return found


def address(g, name):
    """An interface gets one by DHCP, within a few tries."""
    g.run(f"/prog/ip link set {name} up")
    done = g.sh(f"udhcpc -i {name} -n -q -f -t 4 -T 3 -s /etc/udhcpc", 90)
    m = re.search(r"lease of ([\d.]+) obtained", done.out)
    return m and m[1]


def up(g):
    """Brings both up; returns the name of the one on the tap. The other one is
    where a DHCP server answers."""
    if "tap" in g.notes:
        return g.notes["tap"]
    found = names(g)
    assert len(found) == 2, found
    for name in found.values():
        g.run(f"/prog/ip link set {name} up")
    for name in found.values():
        g.run(f"/prog/ip addr replace {NEAR}/24 dev {name}")
        if g.sh(f"/prog/ping -n -q -c 1 -w 10 {FAR}", 30).rc == 0:
            g.notes["tap"] = name
            g.notes["own"] = next(x for x in found.values() if x != name)
            return name
        g.run(f"/prog/ip addr del {NEAR}/24 dev {name}")
    raise AssertionError(f"no card reaches {FAR}:\n" + g.run("/prog/ip addr").out)


def appear(g):
    """Both are there, on the driver that it should be, and one reaches the tap."""
    name = up(g)
    used = {driver_of(g, d) for d in names(g)}
    assert used == {CLASSES["net"][1 if g.setup.ours else 0]}, used
    return f"{name} is on the tap"


def dhcp(g):
    """The card on OpenVMM's network gets an address from its DHCP server."""
    up(g)
    got = address(g, g.notes["own"])
    assert got, "no answer from the DHCP server"
    gateway = got.rsplit(".", 1)[0] + ".1"
    g.run(f"/prog/ping -n -q -c 2 -w 20 {gateway}", 40)
    g.run(f"/prog/ip addr flush dev {g.notes['own']}")
    return got


def ping(g, size=56, count=3, opts=""):
    """So many pings of a size are answered."""
    return g.run(f"/prog/ping -n -q -i 0.2 -c {count} -w {int(4 * g.scale)} "
                 f"-s {size} {opts} {FAR}", 60).out


def pings(g):
    """Pings of all sizes, in fragments too."""
    up(g)
    for size in (0, 1, 17, 18, 56, 1000, 1471, 1472, 1473, 4000, 20000, 65507):
        ping(g, size, 2)


def listener(g, port, left, right):
    """A far end that talks to the first one who comes, in the background: what
    comes from "left" goes to "right", one of which is {tcp}."""
    tcp = f"TCP-LISTEN:{port},reuseaddr,bind={FAR}"
    g.outer.run(f"(setsid socat -u {left.format(tcp=tcp)} "
                f"{right.format(tcp=tcp)} >/dev/null 2>&1 </dev/null &) && "
                f"until ss -Hltn sport = :{port} | grep -q .; do sleep .1; done",
                30)


def bytes_arrive(g):
    """TCP each way: what arrives is what was sent, by checksums of both ends."""
    up(g)
    listener(g, DIGEST, "{tcp}", "CREATE:/run/far")
    out = g.run(f"head -c {AMOUNT} /dev/urandom >/run/near; nc {FAR} {DIGEST} "
                "</run/near; sha256sum /run/near", 180).out
    far = g.outer.run("for i in $(seq 100); do "
                      f"test $(stat -c %s /run/far) = {AMOUNT} && break; "
                      "sleep .2; done; sha256sum /run/far", 60).out
    assert out.split()[0] == far.split()[0], (out, far)
    g.outer.run(f"head -c {AMOUNT} /dev/urandom >/run/far")
    listener(g, SOURCE, "OPEN:/run/far,rdonly", "{tcp}")
    out = g.run(f"nc {FAR} {SOURCE} </dev/null | sha256sum", 180).out
    far = g.outer.run("sha256sum /run/far").out
    assert out.split()[0] == far.split()[0], (out, far)


def iperf(g, *opts):
    """iperf3 in the guest against the outer guest; bytes that arrived."""
    g.outer.run(f"pidof iperf3 >/dev/null || iperf3 -s -D -p {IPERF}; until "
                f"ss -Hltn sport = :{IPERF} | grep -q .; do sleep .1; done", 60)
    out = g.run(f"iperf3 -J -t 3 -c {FAR} -p {IPERF} {' '.join(opts)}", 90).out
    end = json.loads(out[out.index("{"):])["end"]
    return end.get("sum_received", end.get("sum"))


def throughput(g):
    """iperf3, one and four streams, each way, and UDP."""
    up(g)
    said = []
    for opts in ("", "-R", "-P 4", "-P 4 -R"):
        end = iperf(g, opts)
        # how much is a matter of the emulated CPUs' speed
        assert end["bytes"] > 1 << 16, (opts, end)
        said.append(f"{opts or 'TCP'}: {end['bits_per_second'] / 1e6:.0f} "
                    "Mbit/s")
    end = iperf(g, "-u -b 2M -l 1400")
    assert end["packets"] - end["lost_packets"] > 50, end
    return ", ".join(said)


def checksums(g):
    """What was sent with checksums left to the host arrives with right ones: the
    far end's kernel counts none that is wrong, and neither does the guest's."""
    up(g)
    wrong = "awk '/^(Tcp|Udp|Icmp):/ { print }' /proc/net/snmp"

    def bad(where):
        lines = [x.split() for x in where.run(wrong).out.splitlines()]
        return sum(int(values[i]) for heads, values in zip(lines[::2], lines[1::2])
                   for i, head in enumerate(heads) if head == "InCsumErrors")

    before = bad(g), bad(g.outer)
    iperf(g, "-P 2")
    iperf(g, "-u -b 2M -l 3000")
    iperf(g, "-R")
    assert (bad(g), bad(g.outer)) == before, (bad(g), bad(g.outer), before)


def jumbo(g):
    """An MTU of 9000: the largest packet passes unfragmented, one more byte does
    not; then 1500 again."""
    name = up(g)
    # the far end sends no larger packet than the guest has room for
    g.run(f"/prog/ip link set {name} mtu 9000", 60)
    g.outer.run(f"ip link set {TAP} mtu 9000")
    try:
        ping(g, 9000 - 28, 3, "-M do")
        assert g.sh(f"/prog/ping -c 1 -w 5 -M do -s {9000 - 27} {FAR}").rc
        bytes_arrive(g)
    finally:
        g.outer.run(f"ip link set {TAP} mtu 1500")
        g.run(f"/prog/ip link set {name} mtu 1500", 60)
    ping(g)


def down_and_up(g):
    """The link goes down and comes up, five times; traffic goes on after it."""
    name = up(g)
    for _ in range(5):
        g.run(f"/prog/ip link set {name} down && /prog/ip link set {name} up")
        wait_for(g, f"grep -q 1 /sys/class/net/{name}/carrier", "no carrier")
        ping(g, 1000, 2)


def refused_once(g):
    """What the host does not know it is asked for once, not each time that a
    multicast address is added."""
    if not g.setup.ours:
        return "the distribution's driver asks each time"
    name = up(g)
    text = "set of unknown OID oid=OID_802_3_MULTICAST_LIST"
    before = len(re.findall(text, g.log()))
    for i in range(5):
        g.run(f"/prog/ip maddr add 33:33:00:00:00:0{i} dev {name}")
    ping(g)
    asked = len(re.findall(text, g.log())) - before
    assert asked <= 1, f"asked {asked} times more:\n{g.log()[-1000:]}"
    return f"asked {len(re.findall(text, g.log()))} times"


def unload_busy(g):
    """The driver is unloaded in the middle of traffic, and comes back."""
    name = up(g)
    g.notes["down"] = name
    module = CLASSES["net"][1 if g.setup.ours else 0]
    job = g.spawn(f"/prog/ping -n -q -f -w 60 {FAR}", 120)
    g.run(f"until grep -q . /sys/class/net/{name}/statistics/rx_packets; do "
          "sleep .1; done; sleep 1")
    g.run(f"rmmod {module} && insmod {g.setup.module(module)}", 120)
    job.kill()
    back(g)


def back(g):
    """The cards come back with their addresses."""
    del g.notes["tap"]
    up(g)
    ping(g)


def far_end_down(g):
    """The tap goes down: nothing of the guest fails; up: traffic goes on. (The
    host does not tell the guest: docs/hyperv.md.)"""
    up(g)
    g.outer.run(f"ip link set {TAP} down; sleep 1; ip link set {TAP} up")
    ping(g)


TESTS = (
    ("cards: both come up, a tap's far end answers", appear),
    ("cards: DHCP", dhcp),
    ("cards: pings of all sizes", pings),
    ("cards: what arrives is what was sent", bytes_arrive),
    ("cards: iperf3", throughput),
    ("cards: checksums", checksums),
    ("cards: jumbo packets", jumbo),
    ("cards: down and up", down_and_up),
    ("cards: the far end goes down", far_end_down),
    ("cards: a refused request is not repeated", refused_once),
    ("cards: unloaded in traffic", unload_busy),
)
