# SPDX-License-Identifier: GPL-2.0-only
"""Run in a guest: direct I/O from and to memory of odd alignment.

    odd.py DISK SECTOR

What is written from one alignment is read to another and compared: pieces of
one buffer, many buffers with gaps between them, up to 1 MiB.
"""

import mmap
import os
import random
import sys

PAGE = 4096
OFFSETS = (0, 4, 8, 100, 508, 512, 2048, 4092, 4092 - 512, 1020)


def pieces(rng, memory, sector, total):
    """Buffers of whole sectors, at odd addresses, with gaps between them."""
    out, at = [], 0
    while total:
        size = min(total, sector * rng.choice((1, 1, 2, 3, 8, 17)))
        at += rng.choice((4, 8, 12, 512, PAGE, PAGE + 4))
        out.append(memory[at:at + size])
        at += size
        total -= size
    return out


def joined(buffers):
    """Their contents."""
    return b"".join(bytes(b) for b in buffers)


def main():
    """Runs all, fails by an exception."""
    path, sector = sys.argv[1], int(sys.argv[2])
    fd = os.open(path, os.O_RDWR | os.O_DIRECT)
    rng = random.Random(5)
    a = memoryview(mmap.mmap(-1, 4 << 20))
    b = memoryview(mmap.mmap(-1, 4 << 20))
    count = 0
    for size in (sector, 3 * sector, 16384 + sector, 128 << 10, 1 << 20):
        data = rng.randbytes(size)
        for i, offset in enumerate(OFFSETS):
            other = OFFSETS[(i + 3) % len(OFFSETS)]
            source, target = a[offset:offset + size], b[other:other + size]
            source[:] = data
            where = rng.randrange(64) * sector
            assert os.pwrite(fd, source, where) == size
            target[:] = bytes(size)
            assert os.preadv(fd, [target], where) == size
            assert target == source, (size, offset, other)
            count += 1

    for total in (8 * sector, 32 * sector, 64 * sector):
        for _ in range(4):
            source = pieces(rng, a, sector, total)
            for piece in source:
                piece[:] = rng.randbytes(len(piece))
            target = pieces(rng, b, sector, total)
            where = rng.randrange(64) * sector
            assert os.pwritev(fd, source, where) == total
            assert os.preadv(fd, target, where) == total
            assert joined(source) == joined(target), total
            count += 1
    print(count, "transfers")


if __name__ == "__main__":
    main()
