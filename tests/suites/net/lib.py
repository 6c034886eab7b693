# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of network cards share: drivers, guests with cards, steps.

A test takes a NetGuest, whose driver is one of

    OWN       synth_net by its own names, on synth_vmbus
    STOCK     synth_net built for the kernel's VMBus, on the drop-in hv_vmbus
    NETVSC    the distribution's hv_netvsc, on the drop-in: what passes there
              too shows that the host is right

Cards are found by their MAC address. far.py draws where their far ends are.
"""

import contextlib
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vm"))
# pylint: disable=wrong-import-position
import far                                          # noqa: E402
from far import Capture, Far                        # noqa: E402,F401
from guest import BUILD, Guest, GuestError          # noqa: E402,F401
from steps import (BUSYBOX, LONG, nothing_leaked, stopped,  # noqa: E402,F401
                   wait_for)
from tap import Skip, Tap                           # noqa: E402,F401

HERE = os.path.dirname(os.path.abspath(__file__))
INSIDE = "/synthio/tests/suites/net"
# the kind of host, if a test does not choose one (guest.py)
HOST_LIKE = os.environ.get("HOST_LIKE", "hyperv")
# where net.mk puts what is compiled, on either side
TOOLS = os.path.join(BUILD, "net")
TOOLS_INSIDE = "/synthio/build/net"


class Driver:
    """A driver: how it is loaded."""

    def __init__(self, bus, module):
        self.bus = bus
        self.module = module

    @property
    def synthetic(self):
        """True for ours."""
        return self.module == "synth_net"

    def load(self, g, params=""):
        """Loads it; the channel is there."""
        if self.synthetic:
            # what it uses of the kernel's modules, if they are any
            g.sh("modprobe -qa failover dimlib")
            g.run(f"insmod /synthio/build/{g.kernel.release}/{self.bus}/"
                  f"drivers/net/synth_net.ko {params}")
        else:
            g.run(f"modprobe hv_netvsc {params}")

    def unload(self, g, timeout=60):
        """Unloads it."""
        g.run(f"rmmod {self.module}", timeout)

    def load_all(self, g, params=""):
        """Loads the channel and it, and brings all cards up."""
        g.load(self.bus)
        self.load(g, params)
        for nic in g.nics:
            up(g, nic)


OWN = Driver("own", "synth_net")
STOCK = Driver("stock", "synth_net")
NETVSC = Driver("stock", "hv_netvsc")


class Nic:
    """A card of the host.

    name: n0, n1, ...; space: where its far end is: a, b, or None for slirp
    opts: more options of --net
    """

    def __init__(self, name, space="a", opts=""):
        self.name = name
        self.number = int(name[1:])
        self.space = space
        self.opts = opts
        self.mac = f"02:18:00:00:00:{self.number + 16:02x}"

    @property
    def far4(self):
        """Address of the far end."""
        return f"198.18.{self.number}.1"

    @property
    def far6(self):
        """The same of IPv6."""
        return f"fd00:18:{self.number}::1"

    @property
    def near4(self):
        """Address of the guest."""
        return f"198.18.{self.number}.2"

    @property
    def near6(self):
        """The same of IPv6."""
        return f"fd00:18:{self.number}::2"

    def option(self):
        """--net's argument."""
        back = "user" if self.space is None else f"tap={self.name}"
        return (f"{self.name},{back},mac={self.mac}"
                + (f",{self.opts}" if self.opts else ""))


class NetGuest(Guest):
    """A guest with cards.

    driver: OWN, STOCK or NETVSC
    nics: its cards
    more: further arguments of synthhost, with {} for the scratch directory
    """

    def __init__(self, name, driver, nics=(Nic("n0"),), more=(), **kw):
        super().__init__(name, host=[], **kw)
        self.driver = driver
        self.nics = list(nics)
        self.more = more
        self.far = None
        self.ip = "ip"          # how that is called in the guest
        self.notes = {}         # what one test leaves for another

    def nic(self, name="n0"):
        """The card of this name."""
        return next(x for x in self.nics if x.name == name)

    def space(self, name="n0"):
        """The namespace of a card's far end."""
        return self.far[self.nic(name).space or "a"]

    def start(self):
        if self.far is None:
            reason = far.why_not()
            if reason:
                raise GuestError(reason)
            self.far = Far("ab" if any(n.space == "b" for n in self.nics)
                           else "a")
        super().start()

    def start_host(self):
        os.makedirs(self.scratch, exist_ok=True)
        self.host_args = []
        for nic in self.nics:
            self.host_args += ["--net", nic.option()]
        self.host_args += [x.replace("{}", self.scratch) for x in self.more]
        self.host_prefix = self.far["a"].prefix()
        super().start_host()
        for nic in self.nics:
            if nic.space:
                self.wire(nic)
        for space in self.far.spaces.values():
            if not space.servers:
                space.serve()

    def wire(self, nic):
        """Gives the far end of a card its addresses."""
        here = self.far["a"]
        space = self.far[nic.space]
        # where the card was there before, its tap has stayed where it was
        if space is not here and f" {nic.name}: " in here.ip("-o", "link"):
            here.ip("link", "set", nic.name, "netns", space.name)
        space.ip("addr", "replace", f"{nic.far4}/24", "dev", nic.name)
        space.ip("link", "set", nic.name, "up")
        space.ip("addr", "replace", f"{nic.far6}/64", "dev", nic.name, "nodad")

    def end(self):
        super().end()
        if self.far is not None:
            gone, self.far = self.far, None
            gone.close()

    def host_net(self, name="n0"):
        """What the host counts of a card: {name: number}."""
        return {k: int(v) for k, v in
                re.findall(r"^(\w+) (\d+)$", self.ctl("net-stat", name), re.M)}


def run_tests(*guests):
    """Runs (name, guest, tests...) each as Tap.guest() does, or skips all."""
    with Tap() as tap:
        reason = far.why_not()
        if reason:
            tap.skip("network cards", reason)
            return
        for name, guest, *tests in guests:
            tap.guest(name, guest, *tests)


# -- in the guest -------------------------------------------------------------

def dev(g, name="n0", timeout=30):
    """Waits for a card's interface, returns its name."""
    known = g.notes.get(f"dev {name}")
    if known:
        return known
    mac = g.nic(name).mac
    found = wait_for(g, f"d=$(grep -lix {mac} /sys/class/net/*/address |"
                     " head -n 1 | cut -d/ -f5) && test -n \"$d\" && echo $d",
                     f"no interface of {name}", timeout).strip()
    g.notes[f"dev {name}"] = found
    return found


def forget(g):
    """Interfaces may have other names from here on."""
    for key in [k for k in g.notes if k.startswith("dev ")]:
        del g.notes[key]


def switch(driver):
    """Makes a step to another driver of the same channel."""
    def test(g):
        g.driver.unload(g)
        g.driver = driver
        driver.load(g)
        forget(g)
        for nic in g.nics:
            up(g, nic)
    return test


def up(g, nic):
    """Brings a card up, with its addresses; returns its interface."""
    name = dev(g, nic.name)
    addresses = "" if nic.space is None else (
        f"addr replace {nic.near4}/24 dev {name}\n"
        f"addr replace {nic.near6}/64 dev {name} nodad\n")
    g.run(f"{g.ip} -batch - <<'END'\nlink set {name} up\n{addresses}END")
    carrier(g, nic.name, True)
    return name


def carrier(g, name, wanted, timeout=30):
    """Waits until a card's carrier is as it should be."""
    wait_for(g, f"test \"$(cat /sys/class/net/{dev(g, name)}/carrier)\" ="
             f" {int(wanted)}", f"carrier of {name} is not {wanted}", timeout)


def ping(g, to=None, count=3, size=56, opts="", timeout=60):
    """Pings a far end until so many were answered; returns what was said.

    -w: without it ping does not wait for answers that come late.
    """
    to = to or g.nics[0].far4
    out = g.run(f"ping -n -q -i 0.05 -w {int(20 * g.scale)} -c {count}"
                f" -s {size} {opts} {to}", timeout).out
    answered(out, count)
    return out


def answered(out, count):
    """So many pings were, and not many more had to be sent for it."""
    m = re.search(r"(\d+) packets transmitted, (\d+) received", out)
    # some more may be on their way by then
    assert m and int(m[2]) >= count and int(m[1]) <= 2 * int(m[2]) + 20, out


def alive(g, *names):
    """Each of these cards, else all, carries a ping and some TCP."""
    for name in names or [n.name for n in g.nics]:
        nic = g.nic(name)
        ping(g, nic.far4, 2)
        digest_up(g, nic.far4, 300000)


def digest_up(g, to, count):
    """Sends random bytes to a far end over TCP; they arrive as they were."""
    out = g.run(f"head -c {count} /dev/urandom >/run/data; sha256sum /run/data;"
                f"{BUSYBOX} nc {to} {far.DIGEST} </run/data", 120).out
    sums = re.findall(r"\b[0-9a-f]{64}\b", out)
    assert len(sums) == 2 and sums[0] == sums[1], out


def digest_down(g, to, count, seed="s"):
    """Takes bytes from a far end over TCP; they are what was sent."""
    wanted = far.hashlib.sha256(
        far.source_data(seed.encode(), count)).hexdigest()
    out = g.run(f"echo {seed} {count} | {BUSYBOX} nc {to} {far.SOURCE} |"
                " sha256sum", 120).out
    assert wanted in out, f"{out} is not {wanted}"


def iperf(g, to, *opts, timeout=90):
    """Runs iperf3 in the guest against a far end, returns what it said."""
    with g.space().iperf() as port:
        out = g.run(f"iperf3 -J -c {to} -p {port} {' '.join(opts)}",
                    timeout).out
    return far.Iperf(out)


class Load:
    """iperf3 that goes on until it is ended, in both directions."""

    def __init__(self, g, name="n0", opts="--bidir"):
        self.g = g
        self.name = name
        self.server = contextlib.ExitStack()
        port = self.server.enter_context(g.space(name).iperf())
        self.job = g.spawn(
            f"iperf3 -c {g.nic(name).far4} -p {port} -t 900 {opts}"
            " >/run/iperf 2>&1; tail -n 3 /run/iperf", 900)
        self.flows()

    def count(self):
        """Bytes that the guest has received and sent."""
        out = self.g.run(f"cd /sys/class/net/{dev(self.g, self.name)}/"
                         "statistics && cat rx_bytes tx_bytes").out
        return [int(x) for x in out.split()]

    def flows(self, more=1 << 18, timeout=120):
        """Waits until so much more has gone each way."""
        goal = [x + more for x in self.count()]
        deadline = time.monotonic() + timeout * self.g.scale
        while any(x < y for x, y in zip(self.count(), goal)):
            assert time.monotonic() < deadline, \
                f"the load has stopped: {self.count()}\n{self.g.tail()}"
            assert not self.job.done(), self.job.output()
            time.sleep(0.2)

    def stop(self, going=True):
        """Ends it; it had to be going on."""
        if going:
            assert not self.job.done(), self.job.output()
        self.kill()

    def kill(self):
        """Ends it, however it does."""
        with contextlib.suppress(GuestError):
            self.job.kill()
        self.server.close()


def goes_again(g, timeout=60):
    """Waits until the first card's far end is reached."""
    wait_for(g, f"ping -q -n -c 1 -W 1 {g.nic().far4} >/dev/null",
             "nothing goes any more", timeout)


# -- what it says of itself ---------------------------------------------------

def stat(g, name, *keys):
    """Values of /sys/class/net/DEV/statistics/KEY."""
    out = g.run(f"cd /sys/class/net/{dev(g, name)}/statistics && cat "
                + " ".join(keys)).out.split()
    return [int(x) for x in out]


def ethtool_stats(g, name="n0"):
    """ethtool -S: {name: number}."""
    out = g.run(f"ethtool -S {dev(g, name)}").out
    return {k: int(v) for k, v in
            re.findall(r"^ +([\w.-]+(?: \w+)*): (\d+)$", out, re.M)}


@contextlib.contextmanager
def copybreak(g, limit):
    """Our driver copies packets up to so many bytes; then as before, which is
    what it yields."""
    name = "/sys/module/synth_net/parameters/copybreak"

    def put(limit):
        g.run(f"echo {limit} >{name}")
        for nic in g.nics:
            g.run(f"ethtool --reset {dev(g, nic.name)} all")
            up(g, nic)

    before = g.run(f"cat {name}").out.strip()
    put(limit)
    try:
        yield before
    finally:
        put(before)


def counter_passes(g, key, value, what, name="n0"):
    """Waits until a counter of ethtool -S is above a value.

    what: the complaint if it never is
    """
    deadline = time.monotonic() + 30 * g.scale
    while ethtool_stats(g, name)[key] <= value:
        assert time.monotonic() < deadline, f"{what}\n{g.tail()}"
        time.sleep(0.2)


def queue_packets(g, name="n0", way="rx"):
    """Packets of each queue: [number]."""
    found = {}
    for key, value in ethtool_stats(g, name).items():
        m = re.fullmatch(rf"{way}_queue_(\d+)_packets|"
                         rf"queue_(\d+)_{way}_packets", key)
        if m:
            found[int(m[1] or m[2])] = value
    assert found, ethtool_stats(g, name)
    return [found[i] for i in sorted(found)]


def features(g, name="n0"):
    """ethtool -k: {name: (on, fixed)}."""
    out = g.run(f"ethtool -k {dev(g, name)}").out
    return {k: (v == "on", bool(f)) for k, v, f in
            re.findall(r"^\s*([\w-]+): (on|off)( \[fixed\])?", out, re.M)}


def set_feature(g, name, **wanted):
    """ethtool -K; each has to become what was asked for."""
    words = " ".join(f"{k.replace('_', '-')} {'on' if v else 'off'}"
                     for k, v in wanted.items())
    g.run(f"ethtool -K {dev(g, name)} {words}")


def channels(g, name="n0"):
    """ethtool -l: (most, now)."""
    out = g.run(f"ethtool -l {dev(g, name)}").out
    found = [int(x) for x in re.findall(r"^Combined:\s*(\d+)", out, re.M)]
    assert len(found) == 2, out
    return tuple(found)


def guid(g, name="n0"):
    """The card's name on the bus."""
    return g.run(f"basename $(readlink -f /sys/class/net/{dev(g, name)}/"
                 "device)").out.strip()


# -- what is compiled ---------------------------------------------------------

def build_tools(arch):
    """Compiles the BPF programs and their loader, for guests of that architecture;
    raises Skip if it can't."""
    done = subprocess.run(["make", "-s", "-f", os.path.join(HERE, "net.mk"),
                           f"GUEST_ARCH={arch}"],
                          cwd=os.path.join(HERE, "../../.."), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    assert not done.returncode, done.stdout
