# SPDX-License-Identifier: GPL-2.0-only
"""The network cases: one peer's card after the other's, and a far end for each.

What one unit of work is depends on the row, never on the peer: a full segment of
TCP as its sender counts it, however large the frames are that it travels in; a
datagram; a frame; a request with its answer.
"""

import os
import shlex

import farend
from case import Case
from core import Row
from farend import GUEST, HERE, MAC
from guest import GuestError
from kernels import BUILD
from measure import GuestWindow, costs, traffic_rate
from peer import GuestPeer, OnDropIn, Ours

OURS = "synth_net"
TOOLS = "/synthio/build/bench"          # in the guest
PORT = 5201
# payload of a full segment: an MTU of 1500, and timestamps
MSS = 1448

ALL = [
    # name, what it is, load, direction seen from the guest, how much
    ("tcp-tx-1", "TCP, the guest sends, 1 stream", "tcp", "tx", 1),
    ("tcp-tx-4", "TCP, the guest sends, 4 streams", "tcp", "tx", 4),
    ("tcp-rx-1", "TCP, the guest receives, 1 stream", "tcp", "rx", 1),
    ("tcp-rx-4", "TCP, the guest receives, 4 streams", "tcp", "rx", 4),
    ("udp-tx-64", "UDP, the guest sends, 64 bytes", "udp", "tx", 64),
    ("udp-rx-64", "UDP, the guest receives, 64 bytes", "udp", "rx", 64),
    ("udp-tx-1400", "UDP, the guest sends, 1400 bytes", "udp", "tx", 1400),
    ("udp-rx-1400", "UDP, the guest receives, 1400 bytes", "udp", "rx", 1400),
    ("rr", "TCP, a byte there, a byte back", "rr", "", 1),
    ("xdp-drop", "XDP drops 64 bytes of UDP", "xdp", "drop", 64),
    ("xdp-tx", "XDP sends 64 bytes of UDP back", "xdp", "tx", 64),
]
SHORT = ("tcp-tx-1", "tcp-rx-1", "udp-tx-64", "rr")


class NetPeer(GuestPeer):
    """A card, and its driver.

    driver: as sysfs names it
    """

    driver = None
    far = None
    dev = None
    lro = False             # it receives large frames

    def missing(self):
        return farend.missing()

    # -- life ------------------------------------------------------------------

    def queues(self, setup):
        """How many the card has."""
        return setup.smp

    def _boot(self, setup):
        # its tap is where whoever serves the card finds it, until attach()
        self.far = farend.FarEnd(self.queues(setup))
        super()._boot(setup)

    def abandon(self):
        super().abandon()
        far, self.far = self.far, None
        if far:
            far.close()

    def attach(self, setup):
        self.load()
        self.dev = self.g.run(
            "for i in $(seq 300); do cd /sys/class/net; for d in *; do "
            f"[ \"$(basename $(readlink $d/device/driver) 2>/dev/null)\" = "
            f"{self.driver} ] && echo $d && exit; done; sleep .1; done; exit 1",
            60).out.split()[0]
        self.far.connect(self.g.run(
            f"cat /sys/class/net/{self.dev}/address").out.strip())
        # nobody asks for addresses, or tells of them
        self.g.run("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6;"
                   f"ip link set {self.dev} up && "
                   f"ip address add {GUEST}/24 dev {self.dev} && "
                   f"ip neigh replace {HERE} lladdr {MAC} dev {self.dev} "
                   "nud permanent && for i in $(seq 100); do "
                   f"[ \"$(cat /sys/class/net/{self.dev}/carrier)\" != 1 ] || "
                   "exit 0; sleep .1; done; exit 1", 60)
        self.lro = "\nlarge-receive-offload: on\n" in self.g.run(
            f"ethtool -k {self.dev}", 60).out
        # so that the first measurement does not load them over 9p
        self.g.run(f"iperf3 --version; {TOOLS}/rr; {TOOLS}/udp; {TOOLS}/xdp;"
                   "cat /synthio/tests/bench/window.sh", 120)

    def _set_lro(self, on):
        """What receives large frames takes no XDP program."""
        if self.lro:
            self.g.run(f"ethtool -K {self.dev} lro {on}", 60)

    def cannot(self, setup, row):
        if row.options["load"] != "xdp":
            return None
        self._set_lro("off")
        done = self.g.sh(f"{TOOLS}/xdp {self.dev} try")
        self._set_lro("on")
        return f"no XDP in its driver: {done.out.strip()}" if done.rc else None

    # -- what is counted ---------------------------------------------------------

    def traffic(self):
        return self.far.counters()

    def load_pids(self):
        return self.far.pids()

    def measure(self, setup, row, seconds):
        """Loads it, returns {metric: number}."""
        try:
            return getattr(self, "_" + row.options["load"])(
                row.options["way"], row.options["amount"], seconds)
        finally:
            for proc in [p for p in self.far.programs
                         if p is not self.far.holder]:
                self.far.stop(proc)

    def _watch(self, count, status, program, seconds, begin=None):
        """Runs a program in the guest and window.sh with it, returns
        GuestWindow and HostSamples."""
        ramp = int(min(1.0, seconds / 3) * 1000)
        text, before, after = self.window(
            f"{count} {status} {ramp} {int(seconds * 1000)} /scratch "
            + " ".join(shlex.quote(str(x)) for x in program),
            seconds * 2 + 90, begin)
        return GuestWindow(text, self.irq), before, after

    def _tcp(self, way, streams, seconds):
        self.far.listen("tcp", PORT, "iperf3", "-s", "-1", "-p", str(PORT),
                        "-B", HERE)
        # what TCP counts as one where it sends is one on the wire
        window, before, after = self._watch(
            f"snmp:Tcp:{'OutSegs' if way == 'tx' else 'InSegs'}", 1,
            ["iperf3", "-c", HERE, "-p", PORT, "-t", 3600, "-i", 0,
             "-P", streams, *(["-R"] if way == "rx" else [])], seconds)
        rate = (window.ios / window.seconds if way == "tx"
                else traffic_rate(before, after, "sent_segments"))
        return {"Gbit/s": rate * MSS * 8 / 1e9, "pps": rate,
                **costs(window, before, after, rate)}

    def _udp(self, way, size, seconds):
        if way == "tx":
            self.far.listen("udp", PORT, *self._tool("udp", "hole", HERE, PORT))
            window, before, after = self._watch(
                "snmp:Udp:OutDatagrams", 143,
                [f"{TOOLS}/udp", "send", HERE, PORT, size], seconds)
            # those that have arrived
            rate = traffic_rate(before, after, "from_guest")
        else:
            window, before, after = self._watch(
                "snmp:Udp:InDatagrams", 143,
                [f"{TOOLS}/udp", "sink", GUEST, PORT], seconds,
                lambda: self._blast(size))
            rate = window.ios / window.seconds
        return {"pps": rate, "Gbit/s": rate * size * 8 / 1e9,
                **costs(window, before, after, rate)}

    def _xdp(self, way, size, seconds):
        self._set_lro("off")
        window, before, after = self._watch(
            "asked", 143, [f"{TOOLS}/xdp", self.dev, way], seconds,
            lambda: self._blast(size))
        self._set_lro("on")
        # those that have come back
        rate = (traffic_rate(before, after, "from_guest") if way == "tx"
                else window.ios / window.seconds)
        return {"pps": rate, **costs(window, before, after, rate)}

    def _rr(self, _way, _amount, seconds):
        self.far.listen("tcp", PORT, *self._tool("rr", "serve", HERE, PORT))
        # a segment for each request: the answer's acknowledgement goes with it
        window, before, after = self._watch(
            "snmp:Tcp:OutSegs", 0,
            [f"{TOOLS}/rr", "ask", HERE, PORT,
             int(min(1.0, seconds / 3) * 1000)], seconds)
        with open(os.path.join(self.g.scratch, "program.out"),
                  encoding="ascii") as f:
            count, p50, p99, _ = (int(x) for x in f.read().split())
        if not count:
            raise GuestError("not one answer has come")
        return {"p50": p50 / 1000, "p99": p99 / 1000,
                "rate": window.ios / window.seconds,
                **costs(window, before, after)}

    @staticmethod
    def _tool(name, *argv):
        return [os.path.join(BUILD, "bench", name), *(str(x) for x in argv)]

    def _blast(self, size):
        self.far.start(*self._tool("udp", "send", GUEST, PORT, size,
                                   self.far.dropped))


class QemuPeer(NetPeer):
    """A card of QEMU's. device: its name, and options."""

    device = None
    multi_queue = False

    def queues(self, setup):
        return setup.smp if self.multi_queue else 1

    def describe(self, setup):
        n = self.queues(setup)
        return {"qemu": [
            "-netdev", f"tap,id=net,ifname={self.far.name},script=no,"
            "downscript=no,vnet_hdr=on,vhost=off"
            + (f",queues={n}" if n > 1 else ""),
            "-device", f"{self.device},netdev=net,romfile="
            + (f",mq=on,vectors={2 * n + 2}" if n > 1 else "")]}


class VirtioNet(QemuPeer):
    """QEMU's own, served by its main loop: vhost is off, since it is the
    kernel's, and not all kernels have it."""

    irq = r"virtio\d+-(input|output)"
    driver = "virtio_net"
    modules = ("virtio_net",)
    device = "virtio-net-pci"
    multi_queue = True


class Vmxnet3(QemuPeer):
    """VMware's."""

    irq = r"\beth\d"
    driver = "vmxnet3"
    modules = ("vmxnet3",)
    device = "vmxnet3"


class E1000(QemuPeer):
    """Intel's, emulated register by register."""

    irq = r"\beth\d"
    driver = "e1000"
    modules = ("e1000",)
    device = "e1000"


class SynthhostPeer(NetPeer):
    """A card of synthhost's, on our channel."""

    irq = r"synth_ivshmem"

    def describe(self, setup):
        return {"host": ["--net", f"n0,tap={self.far.name},"
                         f"queues={self.queues(setup)}"]}

    def counters(self):
        return self.doorbells("n0")


class SynthNet(Ours, SynthhostPeer):
    """Ours."""

    driver = "synth_net"
    path = "drivers/net/synth_net.ko"


class Netvsc(OnDropIn, SynthhostPeer):
    """The distribution's driver on the drop-in."""

    driver = "hv_netvsc"
    modules = ("hv_netvsc",)


PEERS = [
    SynthNet(OURS, "synth_net on synth_vmbus, synthhost"),
    Netvsc("hv_netvsc", "the distribution's hv_netvsc on the drop-in "
           "hv_vmbus, synthhost"),
    VirtioNet("virtio-net", "QEMU, in its main loop, without vhost"),
    Vmxnet3("vmxnet3", "QEMU, the distribution's vmxnet3"),
    E1000("e1000", "QEMU, the distribution's e1000"),
]


class NetCase(Case):
    """Network cards."""

    name = "net"
    title = "Network"
    work = "packet"
    ours = OURS
    # of throughput, in what the row's unit is
    targets = {"virtio-net": 1.25, "hv_netvsc": 1.3, "vmxnet3": 1.5,
               "e1000": 2.0}
    all_peers = PEERS
    short = SHORT

    @staticmethod
    def all_rows():
        """All rows, as core.Row."""
        units = {"tcp": "Gbit/s", "udp": "pps", "xdp": "pps", "rr": "p50"}
        return [Row(name, title, units[load], load != "rr",
                    {"load": load, "way": way, "amount": amount},
                    load == "rr")
                for name, title, load, way, amount in ALL]

    def settings(self):
        """(name, text) of what holds for all of them."""
        return [
            ("far end", "a tap with vnet_hdr, in a network namespace of its "
             "own for each peer; MTU 1500, addresses known to both sides"),
            ("vhost", "off" if not os.path.exists("/dev/vhost-net") else
             "off (this machine has it)"),
            ("packet", f"TCP: a segment of {MSS} bytes as its sender counts "
             "it; UDP: a datagram; rr: a request with its answer"),
            ("offloads", "what driver and device agree on by themselves"),
        ]

    @staticmethod
    def brief(row, metrics):
        """A measurement in a few words."""
        if row.unit == "p50":
            return (f"p50 {metrics['p50']:.0f} us, p99 {metrics['p99']:.0f} us,"
                    f" {metrics['rate']:.0f}/s")
        if row.unit == "pps":
            return f"{metrics['pps']:.0f} packets/s"
        return f"{metrics['Gbit/s']:.2f} Gbit/s"

