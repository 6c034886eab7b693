#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""User networking, which needs no root: DHCP, DNS, TCP and UDP through it.

    guest ==== synthhost (libslirp) ---- loopback of a namespace

The namespace is there to keep the test to itself: its DNS server and its other
servers are those of far.py, on 127.0.0.1, which the guest knows as 10.0.2.2.
libslirp believes no checksum, so what passes it has right ones.
"""

import os
import re

import far
from lib import (BUSYBOX, carrier, dev, digest_down, digest_up, iperf, NETVSC,
                 NetGuest, Nic, OWN, ping, run_tests, up)

HOST = "10.0.2.2"

# what udhcpc runs with what it was given
SCRIPT = """#!/bin/sh
case $1 in
deconfig) ip addr flush dev $interface ;;
bound|renew)
	ip addr replace $ip/$mask dev $interface
	ip route replace default via $router
	echo "nameserver $dns" >/etc/resolv.conf
	echo "$1 $ip/$mask via $router, dns $dns, mtu $mtu" ;;
esac
"""


class UserGuest(NetGuest):
    """A guest whose host looks for its DNS server in the namespace."""

    def start_host(self):
        space = self.far["a"]
        where = f"/etc/netns/{space.name}"
        os.makedirs(where, exist_ok=True)
        # what "ip netns exec" shows as /etc/resolv.conf
        with open(f"{where}/resolv.conf", "w", encoding="ascii") as f:
            f.write("nameserver 127.0.0.1\n")
        self.notes["dns"] = far.Dns(space, "198.18.0.77")
        space.servers.append(self.notes["dns"])
        space.serve()
        super().start_host()


def begin(g):
    """Loads all."""
    g.driver.load_all(g)


def dhcp(g):
    """An address by DHCP."""
    name = dev(g)
    g.run(f"cat >/run/dhcp <<'END'\n{SCRIPT}END\nchmod +x /run/dhcp")
    out = g.run(f"{BUSYBOX} udhcpc -i {name} -n -q -f -t 10 -s /run/dhcp").out
    assert re.search(r"bound 10\.0\.2\.15/24 via 10\.0\.2\.2", out), out
    assert "10.0.2.15/24" in g.run(f"ip addr show {name}").out
    ping(g, HOST)


def dns(g):
    """Names are looked up, and the answer is the server's."""
    out = g.run("python3 -c 'import socket;"
                "print(socket.gethostbyname(\"far.synthio.test\"))'").out
    assert out.strip() == "198.18.0.77", out
    assert any(b"synthio" in x for x in g.notes["dns"].asked)


def tcp(g):
    """What is sent arrives as it was, each way."""
    digest_up(g, HOST, 4 << 20)
    digest_down(g, HOST, 4 << 20)
    said = [f"{opts or 'up'}: {iperf(g, HOST, '-t 1', opts).rate}"
            for opts in ("", "-R")]
    return ", ".join(said)


def udp(g):
    """Datagrams come back as they were."""
    out = g.run("python3 -c '\nimport os, socket\n"
                "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                f"s.connect((\"{HOST}\", {far.ECHO}))\ns.settimeout(5)\n"
                "for n in (1, 2, 33, 64, 500, 1000, 1400, 1472):\n"
                "    data = os.urandom(n)\n    s.send(data)\n"
                "    assert s.recv(2000) == data, n\n'").out
    assert not out, out


def offloads(g):
    """With each set of offloads; on this side the host can do none by itself."""
    fixed = "rx-checksumming: off [fixed]" in g.run(
        f"ethtool -k {dev(g)}").out
    # what a driver says it has not, it need not be able to set
    assert not fixed or g.driver.synthetic
    for tx in ("off",) if fixed else ("off", "on"):
        g.run(f"ethtool -K {dev(g)} tx {tx} rx {tx}")
        digest_up(g, HOST, 1 << 20)
        digest_down(g, HOST, 1 << 20)


def flap(g):
    """The cable is pulled; afterwards there is an address again."""
    g.ctl("net-link", "n0", "down")
    carrier(g, "n0", False)
    g.ctl("net-link", "n0", "up")
    carrier(g, "n0", True)
    dhcp(g)
    digest_up(g, HOST, 1 << 20)


def again(g):
    """A guest that loads the driver anew begins anew."""
    g.driver.unload(g)
    g.driver.load(g)
    g.notes.pop("dev n0")
    up(g, g.nic())
    dhcp(g)
    digest_down(g, HOST, 1 << 20)
    g.driver.unload(g)


TESTS = (("loads", begin), ("DHCP", dhcp), ("DNS", dns), ("TCP", tcp),
         ("UDP", udp), ("offloads", offloads), ("link", flap),
         ("loads again", again))


def main():
    """Runs the tests."""
    run_tests(
        ("own", UserGuest("net-user", OWN, [Nic("n0", None)], limit=300),
         *TESTS),
        ("hv_netvsc", UserGuest("net-user-netvsc", NETVSC, [Nic("n0", None)],
                                limit=300), *TESTS))


if __name__ == "__main__":
    main()
