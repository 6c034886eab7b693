# SPDX-License-Identifier: GPL-2.0-only
"""Run in a guest: what netlink's family "netdev" says of an interface's queues.

    qstats.py INTERFACE

Prints a line of JSON: rx and tx, packets of each queue; napi, ids in the order in
which they are listed; null for what the kernel can't tell.
"""

import json
import socket
import struct
import sys

GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 0x10, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
REQUEST, DUMP = 1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NAPI_GET, QSTATS_GET = 11, 12
IFINDEX = 1             # of either
NAPI_ID = 2
QUEUE_TYPE, QUEUE_ID, SCOPE, PACKETS = 2, 3, 4, {0: 8, 1: 10}
SCOPE_QUEUE = 1


def attribute(kind, data):
    """An attribute, padded."""
    size = 4 + len(data)
    return struct.pack("HH", size, kind) + data + bytes(-size % 4)


def attributes(data):
    """{type: bytes}."""
    found = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("HH", data)
        found[kind & 0x3fff] = data[4:size]
        data = data[(size + 3) & ~3:]
    return found


def number(data):
    """Netlink has numbers of 32 and of 64 bits."""
    return int.from_bytes(data, sys.byteorder)


def ask(s, family, command, data, flags=0):
    """Sends a request; [attributes] of the answers, None if it is refused."""
    s.send(struct.pack("IHHIIBBH", 20 + len(data), family, REQUEST | flags, 1,
                       0, command, 1, 0) + data)
    found = []
    while True:
        got = s.recv(1 << 16)
        while got:
            size, kind = struct.unpack_from("IH", got)
            if kind == NLMSG_ERROR:
                return None
            if kind == NLMSG_DONE:
                return found
            found.append(attributes(got[20:size]))
            got = got[(size + 3) & ~3:]
        if not flags:
            return found


def main():
    """Asks, and prints."""
    index = socket.if_nametoindex(sys.argv[1])
    said = {"rx": None, "tx": None, "napi": None}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as s:
        s.bind((0, 0))
        family = ask(s, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, attribute(
            CTRL_ATTR_FAMILY_NAME, b"netdev\0"))
        if family:
            family = number(family[0][CTRL_ATTR_FAMILY_ID])
            this = attribute(IFINDEX, struct.pack("I", index))
            napis = ask(s, family, NAPI_GET, this, DUMP)
            if napis is not None:
                said["napi"] = [number(x[NAPI_ID]) for x in napis]
            queues = ask(s, family, QSTATS_GET, this + attribute(
                SCOPE, struct.pack("I", SCOPE_QUEUE)), DUMP)
            for kind, key in enumerate(("rx", "tx")) if queues else ():
                found = {number(x[QUEUE_ID]): number(x[PACKETS[kind]])
                         for x in queues if number(x[QUEUE_TYPE]) == kind}
                said[key] = [found[i] for i in sorted(found)]
    print(json.dumps(said))


if __name__ == "__main__":
    main()
