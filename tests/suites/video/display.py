#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The display: modes, pictures pixel by pixel, what is sent to the host and what
is not, the pointer, wrong messages, hot plug.

With synth_video on synth_vmbus; dropin.py has the same for its other build and the
distribution's hyperv_drm.
"""

import re
import struct
import time

from lib import changed, DEVICE, hears_events, moves_in, offset, OWN, settle, \
    state, VIDEO, VideoGuest, vnc_picture, vram
from screen import Tool, lit, pattern_rows, same_picture, screenshot, shows, \
    stats
from steps import host_state, LONG, nothing_leaked, paused, wait_for
from tap import Tap


def begin(g, options=""):
    """Loads channel and driver; the console is on the screen."""
    g.load(g.driver.bus)
    g.driver.load(g, options)
    used = g.run(f"basename $(readlink {DEVICE}/driver)").out.strip()
    assert used == g.driver.module, used
    wait_for(g, "test -e /dev/dri/card0 && test -e /dev/fb0 && test -e /dev/tty1",
             "no card, or no framebuffer")
    return "{}x{}".format(*shows(g))


def console(g):
    """Text that goes to the console can be seen, and scrolls."""
    g.run("echo 0 >/sys/class/graphics/fbcon/cursor_blink 2>/dev/null;"
          "printf '\\033[2J\\033[H\\033[?25l' >/dev/tty1; sleep 1")
    before = lit(screenshot(g))
    g.run("echo 'the quick brown fox jumps over the lazy dog' >/dev/tty1;"
          "sleep 1")
    text = screenshot(g)
    assert lit(text) > before + 200, f"{lit(text)} pixels, {before} before"
    g.ctl("video", "reset")
    g.run("seq 1 300 >/dev/tty1; sleep 1")
    after = stats(g)
    assert after["dirts"] and after["pixels"], after
    assert screenshot(g).rows != text.rows


def modes(g):
    """Each mode of the host is there, its best one first; each shows what was
    drawn, to the pixel."""
    g.tool = Tool(g)
    said = g.tool.do("modes")
    found = re.findall(r"(\d+)x(\d+)(\*?)", said)
    best = [m[:2] for m in found if m[2]]
    assert best == [("1024", "768")] if g.driver.ours else best, said
    sizes = {(int(w), int(h)) for w, h, _ in found}
    wanted = {(640, 480), (800, 600), (1024, 768), (1280, 1024), (1600, 1200),
              (1920, 1080)}
    if g.driver.ours:
        assert wanted <= sizes, said
    for seed, (w, h) in enumerate(sorted(sizes & wanted)):
        g.tool.do("mode", w, h, seed)
        same_picture(screenshot(g), pattern_rows(w, h, seed), f"{w}x{h}")
    return f"{len(sizes)} modes"


def viewer(g):
    """A VNC viewer sees the same."""
    g.tool.do("mode", 800, 600, 77)
    same_picture(vnc_picture(g), pattern_rows(800, 600, 77), "the viewer")


def flips(g):
    """Page flips show the last picture, and none comes before its beat."""
    g.tool.do("mode", 640, 480, 1)
    took = float(g.tool.do("flip", 20, 500))
    same_picture(screenshot(g), pattern_rows(640, 480, 519), "the last flip")
    if g.driver.ours:
        # 20 flips, the first of which comes at once if the beat is due
        assert took > 18 / 60, f"20 flips took {took} s"


def take_turns(g):
    """Buffers that take turns are copied rather than moved each time. One that is
    drawn into again and again moves in."""
    w, h = 1600, 1200
    g.tool.do("mode", w, h, 40)
    assert vram(g)["resident"], vram(g)
    for seed in (41, 42, 43):
        g.tool.do("flip", 1, seed)
    before = vram(g)
    assert not before["resident"], before
    g.tool.do("flip", 2, 44)
    after = vram(g)
    assert (after["moves_in"], after["evictions"]) == \
        (before["moves_in"], before["evictions"]), (before, after)
    assert after["copied"] == before["copied"] + 2 * w * h, (before, after)
    same_picture(screenshot(g), pattern_rows(w, h, 45), "flips")
    g.tool.do("dirties", 40, 64, 64)
    settle(g)
    assert vram(g)["resident"], vram(g)
    same_picture(screenshot(g), pattern_rows(w, h, 45), "it has moved in")
    # the VRAM is full of it, and another size is wanted
    for seed, (w, h) in enumerate(((1920, 1080), (640, 480), (1920, 1080))):
        g.tool.do("mode", w, h, seed)
        same_picture(screenshot(g), pattern_rows(w, h, seed), "another size")


def come_and_go(g):
    """Buffers are made, shown and freed, also the one that is resident."""
    g.tool.do("mode", 640, 480, 46)
    g.tool.do("churn", 100)
    for w, h in ((800, 600), (1024, 768), (640, 480)):
        g.tool.do("mode", w, h, 46)
        assert vram(g)["resident"], vram(g)
    same_picture(screenshot(g), pattern_rows(640, 480, 46), "after that")


def shared(g):
    """A buffer that others get is pinned in guest memory; one of theirs is shown,
    too."""
    g.tool.do("mode", 640, 480, 47)
    moves_in(g)
    g.tool.do("export", 48)
    after = vram(g)
    assert not after["resident"], after
    g.tool.do("dirty", 0)
    same_picture(screenshot(g), pattern_rows(640, 480, 48), "drawn by others")
    g.tool.do("draw", 0, 0, 640, 480, 49)
    g.tool.do("dirties", 40, 64, 64)
    g.tool.do("dirty", 0)
    assert vram(g)["moves_in"] == after["moves_in"], (after, vram(g))
    same_picture(screenshot(g), pattern_rows(640, 480, 49), "drawn here")
    g.tool.do("mode", 640, 480, 50)
    if g.sh("modprobe vgem && ls /dev/dri/card1").rc:
        return "no vgem in this kernel: nothing was imported"
    g.tool.do("import", 640, 480, 51)
    same_picture(screenshot(g), pattern_rows(640, 480, 51), "vgem's")
    g.tool.do("draw", 0, 0, 640, 480, 52)
    g.tool.do("dirty", 0)
    same_picture(screenshot(g), pattern_rows(640, 480, 52), "vgem's, anew")
    g.tool.do("mode", 640, 480, 53)
    same_picture(screenshot(g), pattern_rows(640, 480, 53), "ours again")
    g.run("rmmod vgem")
    return None


def storm(g):
    """Two threads tell of both buffers, which take turns, go and come back."""
    for w, h in ((640, 480), (1600, 1200)):
        g.tool.do("mode", w, h, 54)
        g.tool.do("storm", 64, 55, timeout=120)
        same_picture(screenshot(g), pattern_rows(w, h, 55), f"{w}x{h}")


def test_only(g):
    """A commit that is only tried is not seen by the host."""
    g.tool.do("mode", 640, 480, 2)
    g.ctl("video", "reset")
    g.tool.do("test", 1024, 768)
    assert g.tool.try_("test", 1111, 777).startswith("error")
    after = stats(g)
    assert not after["situations"] and not after["dirts"], after
    assert shows(g) == (640, 480)


def sent(g, *command):
    """Gives a command, returns counters and changed pixels."""
    settle(g)
    g.ctl("video", "fill", "90")
    g.ctl("video", "reset")
    g.tool.do(*command)
    settle(g)
    return stats(g), changed(g)


def damage(g):
    """Just what was damaged is copied and told: rectangles, apart where that is
    cheaper."""
    g.tool.do("mode", 1024, 768, 3)
    # where the host looks into the program's buffer nothing is written
    before = vram(g)
    copied = not before["resident"]
    assert copied == g.notes.get("copied", False), vram(g)

    def only(where, most, found):
        assert found[0] <= most, found
        assert found == (0, ()) if not copied else found[1] == where, found

    counts, found = sent(g, "dirty", 1, 100, 50, 164, 90)
    assert (counts["dirts"], counts["rects"], counts["pixels"]) == \
        (1, 1, 64 * 40), counts
    assert not counts["situations"], counts
    only((100, 50, 164, 90), 64 * 40, found)
    # of a copy within the screen both parts are told; what is outside is not
    counts, found = sent(g, "annotated", 0, 0, 64, 64, 900, 700, 1064, 868)
    assert (counts["rects"], counts["pixels"], counts["clipped"]) == \
        (2, 64 * 64 + 124 * 68, 0), counts
    only((0, 0, 1024, 768), 64 * 64 + 124 * 68, found)
    # and nothing of a buffer that is not shown
    for command in (("dirtyback",), ("dirty", 1, 1024, 0, 1100, 768)):
        counts, found = sent(g, *command)
        assert not counts["dirts"] and not found[0], (command, counts, found)
    one = [10, 10, 74, 74]
    far = [900, 700, 1000, 760]
    near = [74, 10, 90, 74]
    for command in ("dirty", "clips"):
        counts, found = sent(g, command, 2, *one, *far)
        assert (counts["rects"], counts["pixels"]) == \
            (2, 64 * 64 + 100 * 60), (command, counts)
        only((10, 10, 1000, 760), 64 * 64 + 100 * 60, found)
        counts, found = sent(g, command, 2, *one, *near)
        assert (counts["rects"], counts["pixels"]) == (1, 80 * 64), \
            (command, counts)
        only((10, 10, 90, 74), 80 * 64, found)
    counts, (pixels, _) = sent(g, "dirty", 0)
    assert counts["pixels"] == 1024 * 768, counts
    assert pixels > 1024 * 760 if copied else not pixels, pixels
    assert not counts["clipped"], counts
    assert (vram(g)["copied"] > before["copied"]) == copied
    # and the screen is what was drawn
    g.tool.do("draw", 0, 0, 1024, 768, 3)
    g.tool.do("dirty", 0)
    g.tool.do("draw", 200, 300, 50, 60, 9)
    g.tool.do("dirty", 1, 200, 300, 250, 360)
    settle(g)
    rows = pattern_rows(1024, 768, 3)
    other = pattern_rows(1024, 768, 9)
    for y in range(300, 360):
        rows[y] = rows[y][:600] + other[y][600:750] + rows[y][750:]
    same_picture(screenshot(g), rows, "a part drawn anew")


def often(g):
    """What is told of more often than anybody looks is told together, up to the
    last of it, and before or with whatever comes next."""
    w, h = 1024, 768
    g.tool.do("mode", w, h, 20)
    settle(g)
    before = vram(g)
    g.ctl("video", "reset")
    start = time.monotonic()
    g.tool.do("burst", 2000, 21)
    settle(g)
    most = 63 * (time.monotonic() - start) + 2
    after = stats(g)
    assert vram(g)["deferrals"] - before["deferrals"] > 1000, \
        (before, vram(g))
    assert 1 < after["dirts"] < min(most, 1000), (after, most)
    # and of nothing else
    assert after["rects"] <= 32 * after["dirts"], after
    assert after["pixels"] == 256 * after["rects"], after
    rows, other = pattern_rows(w, h, 20), pattern_rows(w, h, 21)
    for y in (y for y in range(h) if y % (h // 4) < 16):
        for x in range(0, w * 3, w // 8 * 3):
            rows[y] = rows[y][:x] + other[y][x:x + 48] + rows[y][x + 48:]
    same_picture(screenshot(g), rows, "after a burst")
    same_picture(vnc_picture(g), rows, "after a burst, for the viewer")
    g.ctl("video", "reset")
    for seed, command in enumerate((("flip", 1, 22), ("mode", 640, 480, 23),
                                    ("dpms", 1), ("dpms", 0),
                                    ("mode", 800, 600, 24))):
        if command[0] != "dpms":
            g.tool.do("burst", 100, seed)
        g.tool.do(*command)
    settle(g)
    assert not stats(g)["clipped"], stats(g)
    same_picture(screenshot(g), pattern_rows(800, 600, 24), "after all that")


def pan(g):
    """A buffer larger than the screen is shown from anywhere, or beside it."""
    w, h = 800, 600
    g.tool.do("mode", w, h, 25)
    g.tool.do("pan", 2 * w, h, w << 16, 0, 0, 27)
    rows = [r[3 * w:] for r in pattern_rows(2 * w, h, 27)]
    same_picture(screenshot(g), rows, "the right half")
    g.tool.do("pan", 2 * w, h, 0, 0, w, 28)
    same_picture(screenshot(g), [bytes(3 * w)] * h, "beside the screen")
    # fractions of a pixel are no pixels
    g.tool.do("pan", w + 1, h + 1, 0, 0, 0, 29)
    settle(g)
    before = vram(g)["copied"]
    g.ctl("video", "reset")
    g.tool.do("pan", w + 1, h + 1, 0x8000, 0x8000, 0, 30)
    counts = stats(g)
    assert not counts["clipped"] and counts["pixels"] == w * h, counts
    assert vram(g)["copied"] - before in (0, w * h), (before, vram(g))
    rows = [r[:3 * w] for r in pattern_rows(w + 1, h + 1, 30)[:h]]
    same_picture(screenshot(g), rows, "from the middle of a pixel")


def beats(g):
    """No program makes the beat spin: not by a fence, nor by a mode."""
    g.tool.do("mode", 640, 480, 31)
    took = float(g.tool.do("fences", 20))
    assert took > 18 / 60, f"20 commits took {took} s"
    assert g.tool.do("clock", 30000) == ""
    assert g.tool.try_("clock", 2000000000).startswith("error")


def cursor(g):
    """The pointer is the host's to draw: moves touch no pixel."""
    g.tool.do("mode", 640, 480, 4)
    # not as long as nobody has one
    said = g.ctl("status")
    assert re.search(r"pointer 1x1 at \S+ hidden", said), said
    g.tool.do("move", 100, 120)
    g.tool.do("cursor", 64, 64, "0xffff0000")
    said = g.ctl("status")
    assert re.search(r"pointer 64x64 at 100,120 visible", said), said
    shot = screenshot(g, pointer=True)
    rows = pattern_rows(640, 480, 4)
    assert shot.pixel(100, 120) == shot.pixel(163, 183) == 0xff0000
    assert shot.rows[119] == rows[119] and shot.rows[184] == rows[184]
    same_picture(screenshot(g), rows, "the picture below")
    settle(g)
    g.ctl("video", "fill", "90")
    g.ctl("video", "reset")
    copied = vram(g)["copied"]
    g.tool.do("moves", 300)
    after = stats(g)
    assert after["positions"] == 300, after
    assert not (after["dirts"] or after["shapes"] or after["situations"]
                or after["pixels"]), after
    assert changed(g)[0] == 0 and vram(g)["copied"] == copied, changed(g)
    assert after["bytes"] <= 300 * 40, after
    # of a picture with nothing around it the host gets what is seen
    g.ctl("video", "reset")
    g.tool.do("box", 64, 64, 20, 10, 30, 40, "0xff0000ff")
    g.tool.do("move", 300, 200)
    said = g.ctl("status")
    assert re.search(r"pointer 10x30 at 320,210 visible", said), said
    assert stats(g)["shape_bytes"] == 10 * 30 * 4, stats(g)
    shot, below = screenshot(g, pointer=True), screenshot(g)
    assert shot.pixel(320, 210) == shot.pixel(329, 239) == 0x0000ff
    assert [y for y in range(480) if shot.rows[y] != below.rows[y]] == \
        list(range(210, 240))
    g.ctl("video", "reset")
    g.tool.do("box", 96, 96, 0, 0, 0, 0, 0)
    assert re.search("pointer 1x1 at .* hidden", g.ctl("status"))
    # half red: what DRM has multiplied by its alpha the host gets as it was, and
    # what is too large for a message in several
    g.ctl("video", "reset")
    g.tool.do("cursor", 96, 96, "0x80800000")
    g.tool.do("move", 200, 200)
    counts = stats(g)
    assert (counts["shapes"], counts["shape_bytes"]) == (1, 96 * 96 * 4) and \
        counts["shape_parts"] > 4, counts
    g.tool.do("mode", 640, 480, 0)
    shot, below = screenshot(g, pointer=True), pattern_rows(640, 480, 0)
    red = below[250][750]
    assert abs((shot.pixel(250, 250) >> 16) - (255 + red) / 2) < 3, \
        (hex(shot.pixel(250, 250)), red)
    # the same buffer, drawn anew or not
    if int(g.tool.do("hotspot")):
        redraws = ((0xff0000ff, 0, 1), (0xff0000ff, 0, 0), (0xffff00ff, 0, 1),
                   (0xff00ff00, 1, 1))
    else:
        # where a commit can't say what points, it draws the pointer itself
        assert g.tool.try_("redraw", 0xff0000ff, 0).startswith("error")
        redraws = ((0xff0000ff, 2, 1), (0xff0000ff, 2, 0), (0xff00ff00, 2, 1))
    for color, how, shapes in redraws:
        g.ctl("video", "reset")
        g.tool.do("redraw", color, how)
        assert stats(g)["shapes"] == shapes, (hex(color), stats(g))
    assert screenshot(g, pointer=True).pixel(250, 250) == 0x00ff00
    assert g.tool.try_("cursor", 128, 128, 0).startswith("error")
    g.tool.do("nocursor")
    assert re.search("pointer 1x1 at .* hidden", g.ctl("status"))
    same_picture(screenshot(g), below, "no pointer")
    return f"{after['bytes'] / 300:.0f} bytes each move"


def resize(g):
    """The host asks for another size; the guest takes it, or one of its own."""
    for w, h in ((1000, 700), (1366, 768), (1024, 768)):
        mark = f"/run/uevents.{w}"
        job = g.spawn(f"exec udevadm monitor -k -s drm -p >{mark}", 60)
        hears_events(g, job)
        g.ctl("video", "resize", f"{w}x{h}")
        wait_for(g, f"grep -q HOTPLUG=1 {mark}", "no hotplug event")
        job.kill()
        said = g.tool.do("modes")
        assert f"{w}x{h}*" in said and said.count("*") == 1, said
        g.tool.do("mode", w, h, w)
        assert shows(g) == (w, h)
        same_picture(screenshot(g), pattern_rows(w, h, w), "resized")


def dpms(g):
    """Off is dark, and on again is the same picture."""
    g.tool.do("mode", 800, 600, 5)
    g.tool.do("dpms", 1)
    assert "shows nothing" in g.ctl("status")
    g.tool.do("dpms", 0)
    assert shows(g) == (800, 600)
    same_picture(screenshot(g), pattern_rows(800, 600, 5), "on again")


def mode_loop(g):
    """Modes in quick succession."""
    for i in range(8):
        w, h = ((640, 480), (1024, 768), (800, 600))[i % 3]
        g.tool.do("mode", w, h, i)
        assert shows(g) == (w, h)
    same_picture(screenshot(g), pattern_rows(w, h, 7), "the last one")


def features(g):
    """The host says what it wants to be told."""
    g.tool.do("mode", 640, 480, 6)
    g.tool.do("cursor", 32, 32, "0xff00ff00")
    g.ctl("video", "features", "0", "0", "0", "0")
    wait_for(g, "true", "")
    time.sleep(0.5)
    g.ctl("video", "reset")
    g.tool.do("dirty", 1, 0, 0, 64, 64)
    g.tool.do("moves", 10)
    settle(g)
    after = stats(g)
    assert not after["dirts"] and not after["positions"], after
    g.ctl("video", "features", "1", "1", "1", "1")
    deadline = time.monotonic() + 20 * g.scale
    while time.monotonic() < deadline and not stats(g)["dirts"]:
        time.sleep(0.1)
    after = stats(g)
    assert after["dirts"] == after["rects"] == after["shapes"] == \
        after["positions"] == after["situations"] == 1, after
    assert after["pixels"] == 640 * 480, after
    g.tool.do("nocursor")


def busy(g, i):
    """A program draws, sets modes, flips, moves and changes the pointer. Returns what
    is to be seen in the end: size, seed, and the pointer's place."""
    sizes = ((640, 480), (800, 600), (1024, 768))
    for w, h in sizes[i % 3:] + sizes[:i % 3]:
        g.tool.do("mode", w, h, i)
        g.tool.do("flip", 2, i + 1)
        g.tool.do("burst", 50, i)
        # shapes fill the ring, and so do moves
        for k in range(4):
            g.tool.do("cursor", 96, 96, 0xff000000 + 8 * i + k)
        g.tool.do("moves", 3000)
        g.tool.do("dpms", 1)
        g.tool.do("dpms", 0)
    g.tool.do("draw", 0, 0, w, h, i + 3)
    g.tool.do("dirty", 0)
    g.tool.do("move", 20 + i, 30)
    return w, h, i + 3, (20 + i, 30)


def up_to_date(g, w, h, seed, pointer, timeout=60):
    """Waits until the host has got all, and looks at the screen and the pointer."""
    settle(g, timeout)
    assert shows(g) == (w, h), g.ctl("status")
    same_picture(screenshot(g), pattern_rows(w, h, seed), "after the pause")
    x, y = pointer
    assert f"pointer 96x96 at {x},{y} visible" in g.ctl("status"), g.ctl("status")


PAUSES = (1, 4, 6, 8, 12, 16, 40, 90) if LONG else (4, 8)


def pauses(g):
    """A host that is paused gets afterwards what it has missed."""
    for i, seconds in enumerate(PAUSES):
        def work(i=i, seconds=seconds):
            found = busy(g, i)
            if seconds > 3 and g.driver.ours:
                wait_for(g, "grep -q 'state: stalled'"
                         " /sys/kernel/debug/dri/*/host_state", "not stalled", 20)
                found = busy(g, i + 1)
                assert "situation" in state(g)[1], state(g)
            return found

        up_to_date(g, *paused(g, seconds, work))
        if g.driver.ours:
            assert state(g) == ("live", [], False), state(g)
            # and it is asked for nothing twice
            g.ctl("video", "reset")
            g.tool.do("moves", 10)
            settle(g)
            counts = stats(g)
            assert (counts["positions"], counts["situations"]) == (10, 0), counts
    g.tool.do("nocursor")
    settle(g)
    return f"of {', '.join(map(str, PAUSES))} s"


def their_pauses(g):
    """The distribution's driver goes on after a pause, and the host shows what is drawn
    then. Messages that find no room in the ring are lost."""
    for i, seconds in enumerate(PAUSES):
        def work(i=i):
            g.tool.do("mode", 800, 600, i)
            g.tool.do("dirties", 40, 64, 64)

        paused(g, seconds, work)
        g.tool.do("mode", 640, 480, i + 1)
        g.tool.do("draw", 0, 0, 640, 480, i + 2)
        g.tool.do("dirty", 0)
        wait_for(g, "true", "")
        assert shows(g) == (640, 480)
        same_picture(screenshot(g), pattern_rows(640, 480, i + 2), f"{seconds} s")


def idle_pause(g):
    """A pause while nothing is drawn is not noticed."""
    g.tool.do("mode", 640, 480, 32)
    settle(g)
    g.ctl("video", "reset")
    paused(g, 3, lambda: None)
    g.tool.do("draw", 0, 0, 640, 480, 33)
    g.tool.do("dirty", 0)
    settle(g)
    same_picture(screenshot(g), pattern_rows(640, 480, 33), "after a pause")
    assert stats(g)["situations"] == 0, stats(g)


def silent_start(g):
    """A display whose host does not answer at first is connected when it does."""
    drivers = f"/sys/bus/vmbus/drivers/{g.driver.module}"
    g.tool.end()
    device = g.run(f"basename {DEVICE}").out.strip()
    g.run(f"echo {device} >{drivers}/unbind", 60)

    def work():
        host_state(g, "stalled", 60)
        g.run(f"echo {device} >{drivers}/bind", 60)
        assert g.sh("test -e /dev/dri/card0").rc, "there is a card already"

    paused(g, 0, work)
    wait_for(g, "test -e /dev/dri/card0", "no card", 120)
    g.tool = Tool(g)
    g.tool.do("mode", 640, 480, 34)
    same_picture(screenshot(g), pattern_rows(640, 480, 34), "after that")


def gone(g, timeout=60):
    """The device is not on the bus."""
    wait_for(g, f"! grep -qi {VIDEO} /sys/bus/vmbus/devices/*/class_id",
             "the display is still there", timeout)


def works(g, seed):
    """A new tool shows a picture."""
    wait_for(g, "test -e /dev/dri/card0", "no card", 60)
    tool = Tool(g)
    tool.do("mode", 640, 480, seed)
    same_picture(screenshot(g), pattern_rows(640, 480, seed), "it works")
    tool.end()


def unplug(g):
    """Who has the device open while it goes finds it gone; the module stays
    until that was closed. A program that is drawing goes on to draw."""
    g.tool.do("mode", 640, 480, 8)
    assert g.sh(f"rmmod {g.driver.module}").rc, "rmmod of what is in use"
    g.tool.do("map")
    g.tool.do("draw", 600, 400, 40, 80, 9)
    row = pattern_rows(640, 480, 9)[470]
    g.tool.give("scribble", 400, 320, 240)
    g.ctl("rescind", "video")
    gone(g)
    g.tool.answer("scribble", 120)
    # all that was drawn is there, before and after
    assert g.tool.do("pixel", 639, 470) == row[-3:].hex()
    row = pattern_rows(320, 240, 400)[239]
    assert g.tool.do("pixel", 319, 239) == row[-3:].hex()
    for command in (("dirty", 1, 0, 0, 64, 64), ("map",)):
        said = g.tool.try_(*command)
        assert said.startswith("error"), (command, said)
    g.tool.try_("mode", 800, 600, 1)
    g.tool.try_("move", 5, 5)
    g.tool.end()
    g.ctl("offer", "video")
    works(g, 9)


def unbind(g):
    """The same by hand, of a buffer that is copied and one that is not."""
    for w, h in ((640, 480), (1600, 1200)):
        g.tool = Tool(g)
        g.tool.do("mode", w, h, 14)
        if (w, h) == (1600, 1200):
            g.tool.do("flip", 4, 14)
            assert not vram(g)["resident"], vram(g)
        g.run(f"d=$(basename {DEVICE});"
              f" echo $d >/sys/bus/vmbus/drivers/{g.driver.module}/unbind", 60)
        g.tool.do("scribble", 2, 64, 64)
        assert g.tool.do("pixel", 63, 63) == \
            pattern_rows(64, 64, 2)[63][-3:].hex()
        g.tool.end()
        g.run(f"d=$(basename {DEVICE});"
              f" echo $d >/sys/bus/vmbus/drivers/{g.driver.module}/bind", 60)
    works(g, 15)


def bind(g):
    """Unbound and bound by hand, with the console on it."""
    g.run(f"d=$(basename {DEVICE});"
          f" cd /sys/bus/vmbus/drivers/{g.driver.module} && for i in 1 2 3; do"
          " echo $d >unbind && echo $d >bind || exit; done", 60)
    shows(g)
    works(g, 10)


def says_little(g):
    """A host that neither acknowledges its VRAM nor says what it wants to be told
    is told all."""
    g.allow.append("the host does not acknowledge where the VRAM is")
    g.ctl("rescind", "video")
    gone(g)
    g.ctl("like", "openvmm")
    g.ctl("spoil", "video", "vram", "lost")
    g.ctl("video", "reset")
    g.ctl("offer", "video")
    works(g, 16)
    counts = stats(g)
    assert counts["dirts"] and counts["positions"] and counts["shapes"], counts
    assert "hits=1" in g.ctl("spoil", "video", "list")
    g.ctl("spoil", "video", "clear")
    g.ctl("like", "hyperv")
    g.ctl("rescind", "video")
    gone(g)
    g.ctl("offer", "video")
    works(g, 17)


def hostile(g):
    """Each wrong answer costs the display that had it, and nothing else."""
    cases = [f"version cut len={n} fix=1" for n in (0, 8, 12, 16, 20)]
    cases += ["version packet-type value=7", "version packet-type value=11",
              "version lost", "resolutions lost", "vram lost"]
    cases += [f"resolutions cut len={n} fix=1" for n in (8, 16, 100, 144, 146,
                                                         147, 150, 160)]
    # count, and which one is preferred
    cases += [f"resolutions patch at=144 hex={x}" for x in (
        "00", "41", "ff", "40", "0100", "0101", "40ff", "ffff")]
    # sizes of nothing, and beyond reason
    cases += [f"resolutions patch at=147 hex={x}" for x in (
        "0" * 80, "f" * 80, "ffff0000" * 10, "0000ffff" * 10, "01000100" * 10,
        "07000f00" * 10, "40004000" * 10)]
    # an EDID that is none, or lies
    cases += ["resolutions patch at=16 hex=ff", "resolutions patch at=143 hex=00",
              "resolutions patch at=70 hex=" + "f" * 36,
              "resolutions patch at=70 hex=" + "0" * 36,
              "resolutions garbage seed=7", "resolutions garbage len=9000"]
    cases += [f"vram cut len={n} fix=1" for n in (8, 16, 20, 23)]
    cases += ["vram patch at=16 hex=ff", "vram garbage"]
    cases += [f"features cut len={n} fix=1" for n in (8, 16, 18)]
    cases += ["features twice times=100", "features garbage", "any twice times=5",
              "situation cut len=16 fix=1", "any patch at=4 hex=ffffffff",
              "any patch at=0 hex=02", "any patch at=12 hex=ffffffff"]
    for case in cases:
        g.ctl("rescind", "video", "now")
        g.ctl("spoil", "video", *case.split(), "count=forever")
        at = len(g.host_text())
        g.ctl("offer", "video")
        deadline = time.monotonic() + 20 * g.scale
        while (not re.search("video video: version", g.host_text()[at:])
               and time.monotonic() < deadline):
            time.sleep(0.02)
        time.sleep(0.1)
        g.ctl("spoil", "video", "clear")
    # without sizes that make sense there are the usual ones
    g.ctl("rescind", "video", "now")
    gone(g)
    g.ctl("spoil", "video", "resolutions", "patch", "at=144", "hex=00",
          "count=forever")
    g.ctl("offer", "video")
    works(g, 10)
    assert shows(g) == (1024, 768), g.ctl("status")
    g.ctl("spoil", "video", "clear")
    g.ctl("rescind", "video", "now")
    gone(g)
    g.ctl("offer", "video")
    works(g, 11)
    for kind in range(0, 18):
        for size in (0, 4, 131, 300):
            g.ctl("spoil", "video", "send", "hex=" + (struct.pack(
                "<4I", 1, 8 + size, kind, 8 + size) + b"\xff" * size).hex())
    works(g, 12)
    if g.driver.bus == "own":
        nothing_leaked(g)
    return f"{len(cases) + 72} cases"


def reload(g):
    """The driver comes and goes."""
    for _ in range(4):
        g.run(f"rmmod {g.driver.module}", 60)
        g.driver.load(g)
    works(g, 13)


def loaded(options, like="hyperv"):
    """Makes a step that loads the driver anew, with these options, on a host of
    this kind."""
    def test(g):
        if g.tool:
            g.tool.end()
        g.run(f"rmmod {g.driver.module}", 60)
        g.ctl("like", like)
        g.driver.load(g, options)
        wait_for(g, "test -e /dev/dri/card0", "no card", 60)
        g.notes["copied"] = options == "vram=0"
        g.tool = Tool(g)
    return test


def at_start(g):
    """A buffer moves to the beginning of the VRAM, or is copied there: hosts accept
    no other place."""
    g.tool.do("mode", 640, 480, 60)
    moves_in(g)
    assert not offset(g), vram(g)
    before = vram(g)["copied"]
    g.tool.do("draw", 0, 0, 640, 480, 61)
    same_picture(screenshot(g), pattern_rows(640, 480, 61), "not told of")
    for seed in range(62, 66):
        g.tool.do("flip", 1, seed)
        assert not offset(g), g.ctl("status")
        same_picture(screenshot(g), pattern_rows(640, 480, seed), "a flip")
    assert vram(g)["copied"] > before
    g.tool.do("storm", 32, 66, timeout=120)
    assert not offset(g), g.ctl("status")
    same_picture(screenshot(g), pattern_rows(640, 480, 66), "a storm")


def unloads(g):
    """All goes."""
    if g.tool:
        g.sh("pkill drmtool")
    g.run(f"rmmod {g.driver.module} && rmmod "
          + {"own": "synth_vmbus", "stock": "hv_vmbus"}[g.driver.bus])


BOTH = (("the console is on the screen", begin), ("text, and its scrolling",
                                                  console),
        ("modes, pixel by pixel", modes), ("a VNC viewer", viewer),
        ("page flips", flips))


VRAM = (("moving in, by default", loaded("")),
        ("buffers that take turns", take_turns),
        ("buffers come and go", come_and_go),
        ("buffers that others have", shared),
        ("all at once", storm))


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest("synth_video", VideoGuest("video-own", OWN), *BOTH,
                  ("a commit that is only tried", test_only),
                  ("damage", damage), ("more often than anybody looks", often),
                  ("a part of a buffer", pan),
                  ("no beat faster than others", beats),
                  ("the pointer", cursor),
                  ("beginning of the VRAM", at_start),
                  ("the host asks for another size", resize),
                  ("dark and light", dpms), ("a loop of modes", mode_loop),
                  ("what the host wants to be told", features),
                  ("pauses of the host", pauses),
                  ("a pause while nothing is drawn", idle_pause),
                  ("a host that does not answer at first", silent_start),
                  ("it goes while in use", unplug),
                  ("unbound while in use", unbind),
                  ("bind and unbind", bind),
                  ("a host that says little", says_little),
                  ("wrong messages", hostile),
                  ("driver loop", reload),
                  ("all copied", loaded("vram=0")), ("damage, copied", damage),
                  ("more often than anybody looks, copied", often),
                  ("a part of a buffer, copied", pan),
                  ("page flips, copied", flips),
                  *VRAM, ("all unloads", unloads))


if __name__ == "__main__":
    main()
