# SPDX-License-Identifier: GPL-2.0-only
"""Display, pointer and keyboard of OpenVMM, as a VNC viewer sees and moves
them."""

import base64
import re
import struct
import time

from lib import CLASSES, devices, driver_of
from screen import Tool, lit, pattern_rows, read_ppm, same_picture
from steps import wait_for
from tap import Skip

WIDTH, HEIGHT = 1024, 768
ABS, KEY = 3, 1
RANGE = 32768        # of a pointer's coordinates
TOO_LARGE = "packet is too large"


def picture(g):
    """What a viewer sees now."""
    return read_ppm(g.picture())


def shows(g, rows, what):
    """Waits until a viewer sees these rows."""
    deadline = time.monotonic() + 5 * g.scale
    while True:
        found = picture(g)
        if found.rows == rows:
            return
        if time.monotonic() > deadline:
            same_picture(found, rows, what)


def begin(g):
    """The driver has the device, and the console is on the screen."""
    wanted = CLASSES["video"][1 if g.setup.ours else 0]
    used = [driver_of(g, d) for d in devices(g, "video")]
    assert used == [wanted], used
    wait_for(g, "test -e /dev/dri/card0 && test -e /dev/fb0", "no card")
    found = picture(g)
    return f"{found.width}x{found.height}"


def console(g):
    """Text that goes to the console can be seen."""
    g.run("echo 0 >/sys/class/graphics/fbcon/cursor_blink;"
          "printf '\\033[2J\\033[H\\033[?25l' >/dev/tty1; sleep 1")
    before = lit(picture(g))
    g.run("echo 'the quick brown fox jumps over the lazy dog' >/dev/tty1")
    deadline = time.monotonic() + 5 * g.scale
    while lit(picture(g)) <= before + 200:
        assert time.monotonic() < deadline, "the text can't be seen"


def tool(g):
    """drmtool in the guest."""
    if "tool" not in g.notes:
        g.notes["tool"] = Tool(g, "/prog/drmtool")
    return g.notes["tool"]


def end_tool(g):
    """Ends it, so that the card is free."""
    if "tool" in g.notes:
        g.notes.pop("tool").end()


def modes(g):
    """Modes, each with a picture that the viewer sees to the pixel."""
    said = tool(g).do("modes")
    sizes = {(int(w), int(h)) for w, h in re.findall(r"(\d+)x(\d+)", said)}
    assert (WIDTH, HEIGHT) in sizes, said
    wanted = ((640, 480), (WIDTH, HEIGHT), (800, 600), (WIDTH, HEIGHT))
    for seed, (w, h) in enumerate(wanted):
        if (w, h) in sizes:
            tool(g).do("mode", w, h, seed)
            shows(g, pattern_rows(w, h, seed), f"{w}x{h}")
    return said


def flips(g):
    """Page flips, and a part that was drawn anew."""
    tool(g).do("mode", WIDTH, HEIGHT, 1)
    tool(g).do("flip", 5, 500)
    shows(g, pattern_rows(WIDTH, HEIGHT, 504), "the last flip")


def cursor(g):
    """Cursors of all sizes: the host goes on reading, and the next mode's picture
    is right. One of 64 by 64 pixels fills a packet."""
    if not g.setup.ours:
        raise Skip("the distribution's driver has no cursor")
    start = len(g.log())
    for size in (1, 16, 32, 64, 96):
        tool(g).do("cursor", size, size, "0xffff0000")
        tool(g).do("move", 100 + size, 120)
    tool(g).do("moves", 50)
    tool(g).do("nocursor")
    tool(g).do("mode", 800, 600, 5)
    shows(g, pattern_rows(800, 600, 5), "the mode after the cursor")
    tool(g).do("mode", WIDTH, HEIGHT, 6)
    shows(g, pattern_rows(WIDTH, HEIGHT, 6), "and the next one")
    assert TOO_LARGE not in g.log()[start:], g.log()[start:]


def node(g, vendor):
    """The evdev node of a device whose id begins so."""
    out = wait_for(g, f"grep -il '^{vendor}' /sys/class/input/event*/device/"
                   "id/product", f"no input device {vendor}", 30)
    return out.split()[0].split("/")[4]


def events(g, event, act, enough):
    """Events of a device while act() is done: [(type, code, value)], when
    enough(them) or time is up."""
    path = f"/run/events.{time.monotonic_ns()}"
    job = g.spawn(f"exec cat /dev/input/{event} >{path}", 120)
    wait_for(g, f"ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q input/{event}",
             "nobody reads the events")
    act()
    deadline = time.monotonic() + 5 * g.scale
    while True:
        data = base64.b64decode(g.run(f"base64 {path}").out)
        found = [(kind, code, value) for _, _, kind, code, value
                 in struct.iter_unpack("<QQHHi", data[:len(data) // 24 * 24])]
        if enough(found) or time.monotonic() > deadline:
            job.kill()
            return found
        time.sleep(0.2)


def pointer(g):
    """A viewer's pointer arrives where it was, within a pixel, and its buttons."""
    event = node(g, "0621")
    where = [(100, 200), (1000, 700), (512, 384)]
    g.viewer().point(5, 5)

    def act():
        for x, y in where:
            g.viewer().point(x, y)
            time.sleep(1)
        g.viewer().point(*where[-1], 1)
        time.sleep(1)
        g.viewer().point(*where[-1], 0)

    found = events(g, event, act, lambda e: (KEY, 0x110, 0) in e)
    for axis, most in ((0, WIDTH), (1, HEIGHT)):
        got = [v * most / RANGE for k, c, v in found if (k, c) == (ABS, axis)]
        wanted = [w[axis] for w in where]
        assert len(got) == len(wanted) and all(
            abs(x - w) <= 1.5 for x, w in zip(got, wanted)), found
    assert (KEY, 0x110, 1) in found and (KEY, 0x110, 0) in found, found


def keyboard(g):
    """A viewer's keys arrive, each once down and up."""
    out = wait_for(g, f"cd {g.setup.sysfs}/devices/*/serio*/input/input*/ && "
                   "ls -d event*", "no keyboard")

    def act():
        for letter in "ab1":
            g.viewer().press(ord(letter))

    found = events(g, out.split()[0], act, lambda e: (KEY, 2, 0) in e)
    keys = [(c, v) for k, c, v in found if k == KEY]
    assert keys == [(30, 1), (30, 0), (48, 1), (48, 0), (2, 1), (2, 0)], found


def freed(g):
    """Nobody has the card any more."""
    end_tool(g)


TESTS = (
    ("display: begins", begin),
    ("display: console", console),
    ("display: modes", modes),
    ("display: flips", flips),
    ("display: cursor", cursor),
    ("pointer", pointer),
    ("keyboard", keyboard),
    ("display: the card is free", freed),
)
