# SPDX-License-Identifier: GPL-2.0-only
"""Run in a guest: frames of a packet socket that have their VLAN's tag inside.

    tagged.py INTERFACE DESTINATION SOURCE FAR NEAR VLAN

Of each sort COUNT frames, with a UDP datagram from NEAR to FAR. The tag's
priority tells what sort it is: see SORTS.
"""

import socket
import struct
import sys

import packets

COUNT = 8
SOL_PACKET, PACKET_VNET_HDR = 263, 15
ETH_8021AD = 0x88a8
# priority: tags in front of the datagram, checksum left to others
SORTS = {1: ((packets.ETH_VLAN,), False), 2: ((packets.ETH_VLAN,), True),
         3: ((packets.ETH_VLAN, packets.ETH_VLAN), True),
         4: ((ETH_8021AD,), True)}
# of these a tag stays inside when the outer one of 802.1Q was taken out
INSIDE = (3, 4)


def left_open(datagram, src, dst):
    """An IPv4 datagram whose checksum is that of the pseudo header, not inverted."""
    data = bytearray(datagram)
    a, b = socket.inet_aton(src), socket.inet_aton(dst)
    struct.pack_into("!H", data, 26, packets.total(
        packets.pseudo(a, b, packets.UDP, len(data) - 20)))
    return bytes(data)


def frame(sort, dst, src, far, near, vlan):
    """One of a sort, behind the header that a packet socket wants."""
    kinds, is_open = SORTS[sort]
    datagram = packets.udp(near, far, 7000 + sort, 7, b"tagged" * 20)
    tags = b"".join(struct.pack("!HH", k, vlan | sort << 13) for k in kinds)
    vnet = packets.VNET.pack(0, 0, 0, 0, 0, 0)
    if is_open:
        datagram = left_open(datagram, near, far)
        start = 14 + len(tags) + 20
        vnet = packets.VNET.pack(packets.NEEDS_CSUM, 0, start + 8, 0, start, 6)
    return vnet + packets.mac(dst) + packets.mac(src) + tags + struct.pack(
        "!H", packets.ETH_IP) + datagram


def main():
    """Sends them."""
    interface, dst, src, far, near, vlan = sys.argv[1:]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as s:
        s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        s.bind((interface, 0))
        for sort in SORTS:
            for _ in range(COUNT):
                s.send(frame(sort, dst, src, far, near, int(vlan)))


if __name__ == "__main__":
    main()
