# SPDX-License-Identifier: GPL-2.0-only
"""A guest's display: a program that draws in the guest, pictures, and what
synthhost shows and counts."""

import os
import re
import struct
import time
import zlib

from guest import GuestError
from steps import wait_for


class Tool:
    """tests/guest/drmtool in the guest; it stays open from command to
    command. program: where it lies."""

    def __init__(self, g, program="/synthio/build/guest/drmtool"):
        self.g = g
        self.count = 0
        self.path = f"/run/tool.{time.monotonic_ns()}"
        g.run(f"touch {self.path} {self.path}.out")
        self.job = g.spawn(f"/usr/bin/tail -n +1 -s 0.1 -f {self.path} |"
                           f" {program} /dev/dri/card0"
                           f" >{self.path}.out 2>&1", 600)
        self.answer()

    def _answer(self, timeout=60):
        self.count += 1
        n = self.count
        return wait_for(self.g, f"test $(wc -l <{self.path}.out) -ge {n} &&"
                        f" sed -n {n}p {self.path}.out",
                        "the tool does not answer", timeout).strip()

    def give(self, *words):
        """Gives a command that is answered later."""
        self.g.run(f"echo '{' '.join(str(w) for w in words)}' >>{self.path}")

    def try_(self, *words, timeout=60):
        """Gives a command, returns its answer."""
        self.give(*words)
        return self._answer(timeout)

    def answer(self, what="", timeout=60):
        """Waits for an answer, which has to be good. Returns what follows
        "ok"."""
        said = self._answer(timeout)
        assert said.startswith("ok"), f"{what}: {said}"
        return said[2:].strip()

    def do(self, *words, timeout=60):
        """Gives a command that has to succeed. Returns what follows "ok"."""
        self.give(*words)
        return self.answer(words, timeout)

    def end(self):
        """Closes the device."""
        self.job.kill()
        wait_for(self.g, "! pidof drmtool", "the tool goes on")


# -- pictures -------------------------------------------------------------------

class Picture:
    """width, height, and rows of bytes, three for a pixel."""

    def __init__(self, width, height, rows):
        self.width = width
        self.height = height
        self.rows = rows

    def pixel(self, x, y):
        """As 0xrrggbb."""
        return int.from_bytes(self.rows[y][3 * x:3 * x + 3], "big")


def read_png(path):
    """Reads what synthhost writes: 8 bits, RGB, no filter, not interlaced."""
    with open(path, "rb") as f:
        data = f.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    at, packed, size = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(
            ">I", data[at + 8 + length:at + 12 + length])[0], kind
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
            assert body[8:] == bytes([8, 2, 0, 0, 0]), body
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    raw = zlib.decompress(packed)
    width, height = size
    rows = []
    for at in range(0, height * (3 * width + 1), 3 * width + 1):
        assert not raw[at], f"filter {raw[at]}"
        rows.append(raw[at + 1:at + 1 + 3 * width])
    return Picture(width, height, rows)


def read_ppm(path):
    """Reads what vnccapture writes."""
    with open(path, "rb") as f:
        data = f.read()
    m = re.match(rb"P6\n(\d+) (\d+)\n255\n", data)
    width, height = int(m[1]), int(m[2])
    data = data[m.end():]
    return Picture(width, height, [data[3 * width * y:3 * width * (y + 1)]
                                   for y in range(height)])


def screenshot(g, pointer=False):
    """What the host shows."""
    path = os.path.join(g.scratch, "screen.png")
    g.ctl("screenshot", path, *(["pointer"] if pointer else []))
    return read_png(path)


def pattern_rows(width, height, seed):
    """What drmtool draws."""
    seed = seed * 0x9e3779 & 0xffffffff
    xs = [x * 0x010307 for x in range(width)]
    rows = []
    for y in range(height):
        k = y * 0x050b01 ^ seed
        rows.append(b"".join([(x ^ k & 0xffffff).to_bytes(4, "big")[1:]
                              if x < 0x1000000 else
                              ((x ^ k) & 0xffffff).to_bytes(3, "big")
                              for x in xs]))
    return rows


def same_picture(found, rows, what):
    """Pixel by pixel."""
    assert (found.height, found.width) == (len(rows), len(rows[0]) // 3), \
        f"{what}: {found.width}x{found.height}"
    for y, row in enumerate(rows):
        if found.rows[y] != row:
            x = next(i for i in range(len(row))
                     if found.rows[y][i] != row[i]) // 3
            raise AssertionError(
                f"{what}: pixel {x},{y} is {found.pixel(x, y):06x}, not "
                f"{row[3 * x:3 * x + 3].hex()}")


def lit(picture):
    """How many pixels are not black."""
    return sum(1 for row in picture.rows for i in range(0, len(row), 3)
               if row[i:i + 3] != b"\0\0\0")


# -- what synthhost tells ---------------------------------------------------------

def stats(g):
    """The host's counters: {name: number}."""
    return {k: int(v) for k, v in
            re.findall(r"(\w+)=(\d+)", g.ctl("video", "stats"))}


def shows(g, timeout=30):
    """Waits until the host shows something, returns its size."""
    deadline = time.monotonic() + timeout * g.scale
    while True:
        m = re.search(r"shows (\d+)x(\d+)", g.ctl("status"))
        if m:
            return int(m[1]), int(m[2])
        if time.monotonic() > deadline:
            raise GuestError("nothing is shown:\n" + g.ctl("status")
                             + g.tail())
        time.sleep(0.1)
