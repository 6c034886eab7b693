# SPDX-License-Identifier: GPL-2.0-only
"""Run in a guest: data of many sizes to a server that gives it back.

    inside.py HOST... PORT

Each size goes as a UDP datagram and as a piece of a TCP stream. A datagram may
be lost once in a while, and is sent again; what comes back has to be the same.
"""

import random
import socket
import sys

LIMIT = 65507
EDGES = (64, 128, 256, 512, 1024, 1452, 1472, 1480, 1500, 2048, 2960, 4096,
         8192, 8972, 9000, 16384, 32768, 61440, 65000, 65500)


def sizes():
    """From 1 byte to the most that a datagram holds."""
    found = set(range(1, 65)) | {LIMIT, LIMIT - 1, LIMIT - 7}
    for x in EDGES:
        found |= {x - 1, x, x + 1}
    return sorted(x for x in found if 0 < x <= LIMIT)


def datagrams(host, port, data):
    """UDP; returns how many were sent again."""
    info = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    s = socket.socket(*info[:3])
    s.settimeout(3)
    s.connect(info[4])
    again = 0
    for n in sizes():
        for turn in range(4):
            s.send(data[n % 251:n % 251 + n])
            try:
                back = s.recv(1 << 16)
                while len(back) != n:       # of an earlier turn
                    back = s.recv(1 << 16)
            except socket.timeout:
                again += 1
                continue
            assert back == data[n % 251:n % 251 + n], f"{n} bytes differ"
            break
        else:
            raise AssertionError(f"a datagram of {n} bytes never came back")
    return again


def stream(host, port, data):
    """TCP."""
    s = socket.create_connection((host, port), 30)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for n in sizes():
        piece = data[n % 241:n % 241 + n]
        s.sendall(piece)
        back = b""
        while len(back) < n:
            more = s.recv(n - len(back))
            assert more, f"closed in {n} bytes"
            back += more
        assert back == piece, f"{n} bytes differ"
    s.close()


def main():
    """Runs all, fails by an exception."""
    port = int(sys.argv[-1])
    data = random.Random(4).randbytes(1 << 17)
    for host in sys.argv[1:-1]:
        again = datagrams(host, port, data)
        assert again <= 3, f"{again} datagrams were lost"
        stream(host, port, data)
        print(host, len(sizes()), "sizes,", again, "sent again")


if __name__ == "__main__":
    main()
