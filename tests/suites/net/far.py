# SPDX-License-Identifier: GPL-2.0-only
"""The far ends of the guests' cards, on this machine.

    guest                      namespace syn-PID-N-a    syn-PID-N-b
    +----------------------+   +------------------+     +------------------+
    | n0   198.18.0.2      |   | tap n0           |     | tap n1           |
    |      fd00:18:0::2    |===| 198.18.0.1       |     | 198.18.1.1       |
    | n1   198.18.1.2      |   | fd00:18:0::1     |     | fd00:18:1::1     |
    |      fd00:18:1::2    |===|==================|=====|                  |
    +----------------------+   | synthhost        |     +------------------+
                               +------------------+

synthhost runs in the first namespace and makes all taps there; a card that is
to have its far end in the second one has its tap moved. Nothing leaves these
namespaces: neither has another interface. Whatever is made here is gone after
close(), or close() says what is not. Servers are threads of this process whose
sockets were made in a namespace.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import itertools
import json
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import threading
import time

import packets

NETNS = "/run/netns"
CLONE_NEWNET = 0x40000000
SOL_PACKET = 263
PACKET_STATISTICS, PACKET_AUXDATA, PACKET_VNET_HDR = 6, 8, 15
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI = 2, 0x1000
ETH_P_ALL = 3
TP_STATUS_VLAN_VALID = 0x10

# what serves where in each namespace
ECHO, DIGEST, SOURCE = 7, 9, 19
IPERF = itertools.count(5201)   # each server of iperf3 has its own


class FarError(Exception):
    """The far end could not be set up, or was not all taken down."""


def why_not():
    """Why namespaces and taps can't be had here, or None."""
    if os.geteuid():
        return "network namespaces and taps need root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    if not shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        return "there is no ip (iproute2)"
    return None


def _ip(*words, check=True):
    done = subprocess.run(["ip", *words], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False)
    if check and done.returncode:
        raise FarError(f"ip {' '.join(words)}: {done.stdout.strip()}")
    return done.stdout


def _names():
    """Namespaces that there are."""
    try:
        return os.listdir(NETNS)
    except FileNotFoundError:
        return []


def sweep():
    """Removes namespaces of runs whose process is gone."""
    for x in _names():
        m = re.fullmatch(r"syn-(\d+)-\d+-[ab]", x)
        if m and not os.path.exists(f"/proc/{m[1]}"):
            _ip("netns", "del", x, check=False)
            shutil.rmtree(f"/etc/netns/{x}", ignore_errors=True)


class Space:
    """A network namespace."""

    def __init__(self, name):
        self.name = name
        self.servers = []
        self.programs = []
        _ip("netns", "add", name)
        _ip("-n", name, "link", "set", "lo", "up")
        with self.inside():
            for path, value in (
                    ("ipv6/conf/default/accept_dad", 0),
                    ("ipv6/conf/default/router_solicitations", 0),
                    ("ipv4/icmp_ratelimit", 0)):
                with contextlib.suppress(OSError):
                    # of the namespace of who opens it
                    with open(f"/proc/sys/net/{path}", "w",
                              encoding="ascii") as f:
                        f.write(str(value))

    @contextlib.contextmanager
    def inside(self):
        """Sockets that this thread makes meanwhile are the namespace's."""
        libc = ctypes.CDLL(None, use_errno=True)
        back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"{NETNS}/{self.name}", os.O_RDONLY)
        try:
            if libc.setns(there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                if libc.setns(back, CLONE_NEWNET):
                    os._exit(70)    # nothing here may go on elsewhere
        finally:
            os.close(there)
            os.close(back)

    def ip(self, *words, check=True):
        """Runs ip there."""
        return _ip("-n", self.name, *words, check=check)

    def prefix(self):
        """What runs a program there."""
        return ["ip", "netns", "exec", self.name]

    def run(self, *argv, timeout=60):
        """Runs a program there, returns what it said; it has to succeed."""
        done = subprocess.run(self.prefix() + list(argv), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, check=False,
                              timeout=timeout)
        if done.returncode:
            raise FarError(f"{' '.join(argv)}: {done.stdout}")
        return done.stdout

    def start(self, *argv):
        """Starts a program there that ends with the namespace."""
        proc = subprocess.Popen(self.prefix() + list(argv), text=True,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL)
        self.programs.append(proc)
        return proc

    def serve(self):
        """Starts what a far end serves."""
        self.servers += [Udp(self), *(Tcp(self, port, serve) for port, serve in (
            (ECHO, tcp_echo), (DIGEST, tcp_digest), (SOURCE, tcp_source)))]

    @contextlib.contextmanager
    def iperf(self):
        """Serves iperf3 meanwhile; the port.

        For one test: a server does not always notice that one has ended, above
        all with many streams, and then does not answer the next.
        """
        port = next(IPERF)
        server = self.start("iperf3", "-s", "--forceflush", "-p", str(port))
        try:
            if not any("listening" in line for line in server.stdout):
                raise FarError("iperf3 does not listen")
            yield port
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)

    def packet(self, interface, proto=ETH_P_ALL):
        """A packet socket on an interface there."""
        with self.inside():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 192 << 20)
            s.bind((interface, proto))
            return s

    def close(self):
        """Ends all that runs there, and the namespace."""
        for x in self.servers:
            x.close()
        for proc in self.programs:
            if proc.poll() is None:
                proc.terminate()
                try:
                    proc.wait(5)
                except subprocess.TimeoutExpired:
                    proc.kill()
                    proc.wait()
            proc.stdout.close()
        left = _ip("netns", "pids", self.name, check=False).split()
        shutil.rmtree(f"/etc/netns/{self.name}", ignore_errors=True)
        _ip("netns", "del", self.name, check=False)
        return left


class Far:
    """Namespaces for the cards of one guest."""

    count = 0

    def __init__(self, spaces="a"):
        Far.count += 1
        sweep()
        self.base = f"syn-{os.getpid()}-{Far.count}"
        self.spaces = {}
        try:
            for x in spaces:
                self.spaces[x] = Space(f"{self.base}-{x}")
        except BaseException:
            self.close()
            raise

    def __getitem__(self, name):
        return self.spaces[name]

    def close(self):
        """Takes all down, raises FarError if something stays."""
        left = []
        for s in self.spaces.values():
            left += [f"process {x}" for x in s.close()]
        self.spaces = {}
        left += [x for x in _names() if x.startswith(self.base)]
        left += [x for x in _ip("-br", "link").split()
                 if x.startswith(self.base)]
        if os.path.isdir("/etc/netns"):
            left += [f"/etc/netns/{x}" for x in os.listdir("/etc/netns")
                     if x.startswith(self.base)]
            with contextlib.suppress(OSError):
                os.rmdir("/etc/netns")      # unless it is somebody's
        if left:
            raise FarError("left behind: " + ", ".join(left))


# -- servers ------------------------------------------------------------------

def tcp_echo(conn):
    """Gives back what comes."""
    while data := conn.recv(1 << 16):
        conn.sendall(data)


def tcp_digest(conn):
    """Takes all, and answers with its SHA-256."""
    digest = hashlib.sha256()
    while data := conn.recv(1 << 18):
        digest.update(data)
    conn.sendall(digest.hexdigest().encode() + b"\n")


def source_data(seed, count):
    """What tcp_source() sends."""
    block = hashlib.sha256(seed).digest() * 2048
    return (block * (count // len(block) + 1))[:count]


def tcp_source(conn):
    """Sends as much as a line says: SEED BYTES."""
    with conn.makefile("rb") as f:
        seed, count = f.readline().split()
    conn.sendall(source_data(seed, int(count)))


class Tcp:
    """A server: one thread for each connection."""

    def __init__(self, space, port, serve):
        with space.inside():
            self.socket = socket.create_server(
                ("::", port), family=socket.AF_INET6, dualstack_ipv6=True,
                backlog=64)
        self.serve_one = serve
        self.closing = False
        self.conns = set()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        """Takes connections until it is closed."""
        while True:
            try:
                conn = self.socket.accept()[0]
            except OSError:
                return
            self.conns.add(conn)
            threading.Thread(target=self.one, args=(conn,),
                             daemon=True).start()

    def one(self, conn):
        """Serves one; what goes wrong is its own matter."""
        with conn, contextlib.suppress(OSError, ValueError):
            self.serve_one(conn)
        self.conns.discard(conn)

    def close(self):
        """Ends it, and its connections."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for conn in list(self.conns):
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)


class Udp:
    """Gives each datagram back to who sent it."""

    def __init__(self, space, port=ECHO):
        with space.inside():
            self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
            self.socket.bind(("::", port))
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        """Answers until it is closed."""
        while not self.stop.is_set():
            if not select.select([self.socket], [], [], 0.2)[0]:
                continue
            with contextlib.suppress(OSError):
                data, peer = self.socket.recvfrom(1 << 16)
                self.socket.sendto(data, peer)

    def close(self):
        """Ends it."""
        self.stop.set()
        self.thread.join(5)
        self.socket.close()


class Dns:
    """Answers each question for an A record with one address, on loopback."""

    def __init__(self, space, address):
        self.address = socket.inet_aton(address)
        self.asked = []
        with space.inside():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("127.0.0.1", 53))
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        """Answers until it is closed."""
        while not self.stop.is_set():
            if not select.select([self.socket], [], [], 0.2)[0]:
                continue
            data, peer = self.socket.recvfrom(512)
            end = data.index(b"\0", 12) + 5
            kind = data[end - 4:end - 2]
            self.asked.append(data[12:end - 5])
            found = kind == b"\0\1"
            reply = data[:2] + struct.pack("!HHHHH", 0x8180, 1, int(found),
                                           0, 0) + data[12:end]
            if found:
                reply += struct.pack("!HHHIH", 0xc00c, 1, 1, 60, 4) \
                    + self.address
            self.socket.sendto(reply, peer)

    def close(self):
        """Ends it."""
        self.stop.set()
        self.thread.join(5)
        self.socket.close()


class Lines:
    """Datagrams that come to a port, as one text."""

    def __init__(self, space, port):
        with space.inside():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("0.0.0.0", port))
        # all that the kernel has said since it booted comes at once
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.text = ""

    def wait(self, wanted, seconds):
        """Waits for this text."""
        deadline = time.monotonic() + seconds
        while wanted not in self.text:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self.socket], [], [], left)[0]:
                raise AssertionError(f"{wanted!r} did not come, but "
                                     f"{self.text[-500:]!r}")
            self.text += self.socket.recv(1 << 16).decode(errors="replace")

    def close(self):
        """Ends it."""
        self.socket.close()


# -- frames -------------------------------------------------------------------

class Capture:
    """Looks at all that comes out of a tap, from the guest, and checks it.

        with Capture(space, "n0") as c: ...
        c.checker.counts

    Leaving the block raises AssertionError if a frame was wrong, or one was
    lost on the way to us. keep: frames themselves are kept, in c.frames as
    (frame, vnet), with their VLAN tag in its place.
    """

    def __init__(self, space, interface, mtu=1500, keep=False):
        self.socket = space.packet(interface, 0)
        for what in (PACKET_VNET_HDR, PACKET_AUXDATA):
            self.socket.setsockopt(SOL_PACKET, what, 1)
        # bind() itself turns it into network order
        self.where = (interface, ETH_P_ALL)
        self.checker = packets.Checker(mtu)
        self.frames = [] if keep else None
        self.raw = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.socket.bind(self.where)
        self.thread.start()
        return self

    def run(self):
        """Takes frames; they are looked at in the end, to keep up."""
        while True:
            if not select.select([self.socket], [], [], 0.05)[0]:
                if self.stop.is_set():
                    return
                continue
            data, control, _, where = self.socket.recvmsg(70000, 256)
            if where[2] != PACKET_OUTGOING:
                self.raw.append((data, control))

    @staticmethod
    def whole(data, control):
        """(frame, vnet) of what a packet socket gives."""
        vnet = packets.VNET.unpack_from(data)
        frame = data[packets.VNET.size:]
        for level, kind, value in control:
            if (level, kind) != (SOL_PACKET, PACKET_AUXDATA):
                continue
            status, _, _, _, _, tci, tpid = struct.unpack("<IIIHHHH",
                                                          value[:20])
            if status & TP_STATUS_VLAN_VALID:
                frame = (frame[:12] + struct.pack("!HH", tpid or
                                                  packets.ETH_VLAN, tci)
                         + frame[12:])
                if vnet[0] & packets.NEEDS_CSUM:
                    vnet = (*vnet[:4], vnet[4] + 4, vnet[5])
                if vnet[1] and vnet[2]:
                    vnet = (*vnet[:2], vnet[2] + 4, *vnet[3:])
        return frame, vnet

    def finish(self):
        """Ends it, returns its Checker."""
        self.stop.set()
        self.thread.join()
        lost = struct.unpack("II", self.socket.getsockopt(
            SOL_PACKET, PACKET_STATISTICS, 8))[1]
        self.socket.close()
        for data, control in self.raw:
            frame, vnet = self.whole(data, control)
            if self.frames is not None:
                self.frames.append((frame, vnet))
            self.checker.frame(frame, vnet)
        self.raw = []
        if lost:
            self.checker.problems.append(f"{lost} frames were not seen")
        return self.checker

    def __exit__(self, kind, value, trace):
        self.finish()
        if kind is None:
            assert not self.checker.problems, \
                "\n".join(self.checker.problems)

    def seen(self, *names):
        """How many frames of these kinds there were; there has to be one."""
        n = [self.checker.counts.get(x, 0) for x in names]
        assert all(n), f"no {names}: {self.checker.counts}"
        return sum(n)

    def said(self):
        """What was seen, to be printed."""
        return ", ".join(f"{n} {x}" for x, n in
                         sorted(self.checker.counts.items()))


class Vlan:
    """A VLAN of a tap in a namespace, where the kernel may have none.

    A tap of its own has the frames without the tag: they are carried to and
    from the other one by a thread.
    """

    def __init__(self, space, interface, number, address):
        self.outer = space.packet(interface, 0)
        for what in (PACKET_VNET_HDR, PACKET_AUXDATA):
            self.outer.setsockopt(SOL_PACKET, what, 1)
        self.number = number
        self.name = f"v{number}"
        self.tags = []
        with space.inside():
            self.inner = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self.inner, TUNSETIFF, struct.pack(
                "16sH", self.name.encode(), IFF_TAP | IFF_NO_PI).ljust(40,
                                                                       b"\0"))
        space.ip("addr", "add", address, "dev", self.name)
        space.ip("link", "set", self.name, "up")
        self.outer.bind((interface, ETH_P_ALL))
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        """Carries frames until it is closed."""
        while not self.stop.is_set():
            for fd in select.select([self.outer, self.inner], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    if fd is self.outer:
                        self.inwards()
                    else:
                        self.outwards()

    def inwards(self):
        """One frame from the guest, if it is of this VLAN."""
        data, control, _, where = self.outer.recvmsg(70000, 256)
        if where[2] == PACKET_OUTGOING:
            return
        frame, vnet = Capture.whole(data, control)
        at = packets.Layers(frame)
        if at.vlan is None or at.vlan & 0xfff != self.number:
            return
        self.tags.append(at.vlan)
        frame = bytearray(frame[:12] + frame[16:])
        if vnet[0] & packets.NEEDS_CSUM:
            start = vnet[4] - 4
            check = packets.checksum(frame[start:]) or 0xffff
            struct.pack_into("!H", frame, start + vnet[5], check)
        os.write(self.inner, frame)

    def outwards(self):
        """One frame to the guest."""
        frame = os.read(self.inner, 70000)
        self.outer.send(bytes(packets.VNET.size) + frame[:12] + struct.pack(
            "!HH", packets.ETH_VLAN, self.number) + frame[12:])

    def close(self):
        """Ends it."""
        self.stop.set()
        self.thread.join(5)
        self.outer.close()
        os.close(self.inner)


class Iperf:
    """What iperf3 -J has said, of either side."""

    def __init__(self, text):
        start = text.index("{")
        self.all = json.JSONDecoder().raw_decode(text[start:])[0]
        assert "error" not in self.all, self.all["error"]
        self.end = self.all["end"]

    @property
    def received(self):
        """Bytes that arrived."""
        return self.end["sum_received"]["bytes"]

    @property
    def rate(self):
        """Mbit/s, rounded: to be told, never to be tested."""
        return f"{self.end['sum_received']['bits_per_second'] / 1e6:.0f} Mbit/s"
