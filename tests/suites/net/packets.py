# SPDX-License-Identifier: GPL-2.0-only
"""Ethernet frames: made, and looked at for whether every checksum is right.

A frame may come with the header that taps and packet sockets put before it
(struct virtio_net_hdr): it says what is still to be done to the frame before
it is on a wire. Then the frame must be just as whoever does it expects it.
"""

import ipaddress
import struct

ETH_IP, ETH_IP6, ETH_ARP, ETH_VLAN = 0x0800, 0x86dd, 0x0806, 0x8100
ETH_TEST = 0x88b5       # IEEE 802: local experiments
ICMP, TCP, UDP, ICMP6, FRAGMENT6 = 1, 6, 17, 58, 44
# where in its header a protocol has its checksum
FIELD = {TCP: 16, UDP: 6, ICMP: 2, ICMP6: 2}

VNET = struct.Struct("<BBHHHH")
NEEDS_CSUM = 1
GSO_TCP4, GSO_UDP, GSO_TCP6, GSO_UDP_L4, GSO_ECN = 1, 3, 4, 5, 0x80


def total(data):
    """The ones' complement sum of 16 bit words, not inverted."""
    if len(data) % 2:
        data = bytes(data) + b"\0"
    # 65536 is 1 modulo 65535; of the two zeroes it finds the other one
    return int.from_bytes(data, "big") % 0xffff


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    return 0xffff - total(data)


def right(data):
    """True if data, its checksum included, sums up to nothing."""
    return total(data) == 0


def mac(text):
    """The six bytes of a MAC address."""
    return bytes.fromhex(text.replace(":", ""))


def pseudo(src, dst, proto, length):
    """The pseudo header of TCP and UDP; addresses as bytes."""
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, proto, length)
    return src + dst + struct.pack("!IHBB", length, 0, 0, proto)


# -- making -------------------------------------------------------------------

def ether(dst, src, kind, payload, vlan=None):
    """A frame, padded to 60 bytes."""
    tag = b"" if vlan is None else struct.pack("!HH", ETH_VLAN, vlan)
    return (mac(dst) + mac(src) + tag + struct.pack("!H", kind)
            + payload).ljust(60, b"\0")


def ip(src, dst, proto, payload, wrong=False):
    """An IPv4 or IPv6 packet; wrong: its header's checksum (IPv4) is."""
    a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    if len(a) == 16:
        return struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + a + b \
            + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64,
                       proto, 0) + a + b
    check = checksum(head) ^ (0x55 if wrong else 0)
    return head[:10] + struct.pack("!H", check) + head[12:] + payload


def transport(src, dst, proto, head, payload, wrong=False):
    """A TCP or UDP packet: head with an empty checksum."""
    a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    data = head + payload
    check = checksum(pseudo(a, b, proto, len(data)) + data) or 0xffff
    if wrong:
        check ^= 0x0101
    at = FIELD[proto]
    return data[:at] + struct.pack("!H", check) + data[at + 2:]


def udp(src, dst, sport, dport, payload, wrong=False, wrong_ip=False):
    """A UDP datagram in an IP packet."""
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    return ip(src, dst, UDP, transport(src, dst, UDP, head, payload, wrong),
              wrong_ip)


def syn(src, dst, sport, dport, wrong=False):
    """A TCP segment that asks for a connection."""
    head = struct.pack("!HHIIBBHHH", sport, dport, 1000, 0, 5 << 4, 2, 8192,
                       0, 0)
    return ip(src, dst, TCP, transport(src, dst, TCP, head, b"", wrong))


# -- looking ------------------------------------------------------------------

class Layers:
    """Where the parts of a frame are, and what it is called."""

    def __init__(self, frame):
        self.problem = None
        self.vlan = None
        self.kind = struct.unpack_from("!H", frame, 12)[0]
        self.l3 = 14
        if self.kind == ETH_VLAN:
            self.vlan, self.kind = struct.unpack_from("!HH", frame, 14)
            self.l3 = 18
        self.l4 = self.proto = self.end = self.fragment = None
        self.src = self.dst = b""
        try:
            if self.kind == ETH_IP:
                self._ip4(frame)
            elif self.kind == ETH_IP6:
                self._ip6(frame)
        except struct.error:
            self.problem = "cut off in a header"

    def _ip4(self, frame):
        first, _, length, ident, frag, _, self.proto = struct.unpack_from(
            "!BBHHHBB", frame, self.l3)
        size = (first & 15) * 4
        self.l4 = self.l3 + size
        self.end = self.l3 + length
        self.src = frame[self.l3 + 12:self.l3 + 16]
        self.dst = frame[self.l3 + 16:self.l3 + 20]
        if first >> 4 != 4 or size < 20:
            self.problem = f"IPv4 header begins with {first:#x}"
        elif not right(frame[self.l3:self.l4]):
            self.problem = "wrong IPv4 header checksum"
        if frag & 0x3fff:
            self.fragment = (ident, (frag & 0x1fff) * 8, bool(frag & 0x2000))

    def _ip6(self, frame):
        word, length, self.proto = struct.unpack_from("!IHB", frame, self.l3)
        self.l4 = self.l3 + 40
        self.end = self.l4 + length
        self.src = frame[self.l3 + 8:self.l3 + 24]
        self.dst = frame[self.l3 + 24:self.l3 + 40]
        if word >> 28 != 6:
            self.problem = f"IPv6 header begins with {word:#x}"
        while self.proto in (0, 43, 60, FRAGMENT6):
            here = self.proto
            self.proto, size, frag, ident = struct.unpack_from(
                "!BBHI", frame, self.l4)
            if here == FRAGMENT6:
                self.fragment = (ident, frag & 0xfff8, bool(frag & 1))
                size = 0
            self.l4 += 8 + size * 8

    @property
    def name(self):
        """Such as tcp4, or udp6 in fragments, or arp."""
        if self.proto is None:
            return {ETH_ARP: "arp"}.get(self.kind, f"{self.kind:#06x}")
        version = "4" if self.kind == ETH_IP else "6"
        return {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp"}.get(
            self.proto, f"ip-{self.proto}-") + version


class Checker:
    """Checks frames; keeps fragments until they are complete.

    mtu: no frame, and no piece of one that is still to be cut, has more behind
    its Ethernet header
    """

    def __init__(self, mtu=1500):
        self.mtu = mtu
        self.pieces = {}
        self.problems = []
        self.counts = {}

    def _count(self, name):
        self.counts[name] = self.counts.get(name, 0) + 1

    def frame(self, frame, vnet=None):
        """Looks at a frame as it came; vnet: its struct virtio_net_hdr."""
        try:
            problem = self._look(bytes(frame), vnet)
        except (struct.error, IndexError) as e:
            problem = f"cut off: {e}"
        if problem:
            self._count("wrong")
            if len(self.problems) < 20:
                self.problems.append(f"{problem}: {bytes(frame)[:80].hex()}"
                                     f" ({len(frame)} bytes, {vnet})")

    def _look(self, frame, vnet):
        flags, gso, hdr_len, gso_size, start, field = vnet or (0,) * 6
        at = Layers(frame)
        name = at.name + ("" if at.vlan is None else " vlan")
        if gso & ~GSO_ECN:
            name += " gso"
        elif at.fragment:
            name += " fragment"
        if flags & NEEDS_CSUM:
            name += " partial"
        self._count(name)
        if at.problem:
            return at.problem
        if at.l4 is None:
            return f"offloads of {name}" if flags & NEEDS_CSUM or gso else None
        # what is shorter than 60 bytes is padded
        if at.end > len(frame) or (at.end < len(frame) and len(frame) > 60):
            return f"{name}: IP length ends at {at.end}"
        if not gso and len(frame) - at.l3 > self.mtu:
            return f"{name}: longer than the MTU"
        if gso:
            problem = self._gso(frame, at, vnet)
            if problem:
                return f"{name}: {problem}"
        if at.fragment:
            if flags & NEEDS_CSUM:
                return f"{name}: no checksum of a fragment is partial"
            return self._fragment(frame, at)
        if at.proto not in FIELD:
            return None
        return self._transport(frame[at.l4:at.end], at, flags and
                               (start - at.l4, field), name)

    def _gso(self, frame, at, vnet):
        flags, gso, hdr_len, gso_size, _, _ = vnet
        want = {(TCP, 4): GSO_TCP4, (TCP, 16): GSO_TCP6,
                (UDP, 4): GSO_UDP_L4, (UDP, 16): GSO_UDP_L4}
        if gso & ~GSO_ECN != want.get((at.proto, len(at.src))):
            return f"GSO type {gso}"
        if not flags & NEEDS_CSUM:
            return "GSO of a complete checksum"
        head = at.l4 - at.l3 + (8 if at.proto == UDP else
                                (frame[at.l4 + 12] >> 4) * 4)
        if not 0 < gso_size <= self.mtu - head:
            return f"pieces of {gso_size} bytes behind {head}"
        if hdr_len and not at.l3 + head <= hdr_len <= len(frame):
            return f"header of {hdr_len} bytes, not {at.l3 + head}"
        return None

    def _fragment(self, frame, at):
        ident, offset, more = at.fragment
        key = (at.src, at.dst, ident, at.proto)
        parts = self.pieces.setdefault(key, {})
        parts[offset] = (frame[at.l4:at.end], more)
        data, last = b"", False
        while len(data) in parts:
            piece, more = parts[len(data)]
            data += piece
            if not more:
                last = True
                break
        if not last:
            return None
        del self.pieces[key]
        if at.proto not in FIELD:
            return None
        return self._transport(data, at, None, at.name + " in fragments")

    def _transport(self, data, at, partial, name):
        field = FIELD[at.proto]
        if at.proto == UDP and struct.unpack_from("!H", data, 4)[0] not in (
                len(data), 0):
            return f"{name}: UDP length differs from IP's"
        head = (b"" if at.proto == ICMP else
                pseudo(at.src, at.dst, at.proto, len(data)))
        value = struct.unpack_from("!H", data, field)[0]
        if partial:
            if partial != (0, field):
                return f"{name}: checksum of {partial}"
            if value % 0xffff != total(head):
                return (f"{name}: pseudo header's sum is {value:#06x}, not "
                        f"{total(head):#06x}")
            return None
        if at.proto == UDP and value == 0:
            self._count(f"{name} without checksum")
            return f"{name}: without checksum" if len(at.src) == 16 else None
        if not right(head + data):
            return f"{name}: wrong checksum {value:#06x}"
        return None


def self_test():
    """The checker takes what is right, and finds what is not."""
    a, b = "02:00:00:00:00:01", "02:00:00:00:00:02"
    four, six = ("198.18.0.2", "198.18.0.1"), ("fd00:18::2", "fd00:18::1")
    body = bytes(range(100, 200))
    good, bad = [], []
    for src, dst in (four, six):
        kind = ETH_IP if src == four[0] else ETH_IP6
        proto_gso = GSO_TCP4 if src == four[0] else GSO_TCP6
        l4 = 34 if src == four[0] else 54
        for wrong, to in ((False, good), (True, bad)):
            to.append((ether(a, b, kind, udp(src, dst, 5, 6, body, wrong)),
                       None))
            to.append((ether(a, b, kind, syn(src, dst, 5, 6, wrong), vlan=7),
                       None))
        frame = ether(a, b, kind, udp(src, dst, 5, 6, body))
        packed = [ipaddress.ip_address(x).packed for x in (src, dst)]
        seed = total(pseudo(*packed, UDP, 8 + len(body)))
        part = frame[:l4 + 6] + struct.pack("!H", seed) + frame[l4 + 8:]
        good.append((part, (NEEDS_CSUM, 0, 0, 0, l4, 6)))
        bad.append((part, (NEEDS_CSUM, 0, 0, 0, l4 + 2, 6)))
        bad.append((part, (NEEDS_CSUM, 0, 0, 0, l4, 16)))
        bad.append((part, None))
        bad.append((frame, (NEEDS_CSUM, 0, 0, 0, l4, 6)))
        bad.append((frame + b"tail", None))
        bad.append((frame[:-4], None))
        head = struct.pack("!HHIIBBHHH", 1, 2, 3, 4, 5 << 4, 16, 9, 0, 0)
        data = bytes(5000)
        seed = total(pseudo(*packed, TCP, 20 + len(data)))
        head = head[:16] + struct.pack("!H", seed) + head[18:]
        big = ether(a, b, kind, ip(src, dst, TCP, head + data))
        good.append((big, (NEEDS_CSUM, proto_gso, l4 + 20, 1400, l4, 16)))
        bad.append((big, (NEEDS_CSUM, proto_gso, l4 + 20, 1490, l4, 16)))
        bad.append((big, (NEEDS_CSUM, proto_gso ^ 5, l4 + 20, 1400, l4, 16)))
        bad.append((big, (NEEDS_CSUM, proto_gso, l4, 1400, l4, 16)))
        bad.append((big, (0, proto_gso, l4 + 20, 1400, 0, 0)))
        bad.append((big, (NEEDS_CSUM, 0, 0, 0, l4, 16)))
    bad.append((ether(a, b, ETH_IP, udp(*four, 5, 6, body, wrong_ip=True)),
                None))
    for frames, wanted in ((good, 0), (bad, 1)):
        for frame, vnet in frames:
            checker = Checker()
            checker.frame(frame, vnet)
            assert len(checker.problems) == wanted, (frame.hex(), vnet,
                                                     checker.problems)
    return len(good), len(bad)
