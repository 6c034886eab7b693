#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The display sleeps: after hibernation the picture is as before, pixel by pixel.

9p, which brings the guest its user space, lives through no hibernation, so a busybox
and what else is needed lie in memory before the first one.
"""

import os

from lib import hears_events, moves_in, OWN, settle, state, VideoGuest, vram
from screen import lit, pattern_rows, same_picture, screenshot, shows, Tool
from steps import BUSYBOX, forget_files, host_state, load_swap, own_user_space, \
    paused, sleep_on_disk, sleep_to, wait_for
from tap import Tap

DRMTOOL = "/run/drmtool"


def load(g):
    """Loads channel and driver; the console is on the screen."""
    g.load("own")
    g.driver.load(g)
    wait_for(g, "test -e /dev/dri/card0 && test -e /dev/fb0 && test -e /dev/tty1",
             "no card, or no framebuffer")
    return shows(g)


def in_memory(g):
    """From now on nothing is asked of 9p."""
    g.sh("modprobe button")
    g.run(f"cp /synthio/build/guest/drmtool {DRMTOOL}")
    own_user_space(g, ["/usr/bin/tail"], [g.built("guest/drmtool")])
    forget_files(g)


def begin(g):
    """Loads all, with a disk to sleep on; a program shows a picture."""
    load(g)
    g.notes["swap"] = load_swap(g)
    in_memory(g)
    g.tool = Tool(g, DRMTOOL)
    g.tool.do("mode", 800, 600, 21)
    g.tool.do("move", 300, 200)
    g.tool.do("cursor", 64, 64, "0xff00ff00")
    as_drawn(g, 21)
    in_vram(g)


def as_drawn(g, seed):
    """The picture, and the pointer over it, are what the program has drawn."""
    assert shows(g) == (800, 600)
    same_picture(screenshot(g), pattern_rows(800, 600, seed), "the picture")
    said = g.ctl("status")
    assert "pointer 64x64 at 300,200 visible" in said, said
    shot = screenshot(g, pointer=True)
    assert shot.pixel(300, 200) == shot.pixel(363, 263) == 0x00ff00, \
        hex(shot.pixel(300, 200))


def in_vram(g):
    """The program draws in the VRAM, which hosts forget."""
    moves_in(g)
    g.notes["evictions"] = vram(g)["evictions"]


def goes_on(g, seed):
    """The program that had the card open draws another picture, and flips."""
    assert vram(g)["evictions"] > g.notes["evictions"], vram(g)
    assert vram(g)["resident"] and state(g)[0] == "live", (vram(g), state(g))
    g.tool.do("draw", 0, 0, 800, 600, seed)
    same_picture(screenshot(g), pattern_rows(800, 600, seed), "not told of")
    g.tool.do("dirty", 0)
    as_drawn(g, seed)
    g.tool.do("flip", 5, seed + 100)
    same_picture(screenshot(g), pattern_rows(800, 600, seed + 104), "flips")


def frozen(level):
    """Makes a test of a hibernation that goes so far."""
    def test(g):
        sleep_to(g, level)
        as_drawn(g, 21)
        goes_on(g, 20)
        g.tool.do("mode", 800, 600, 21)
        in_vram(g)
    return test


def real_image(g):
    """The guest goes to a disk, and another QEMU wakes it there. Meanwhile its
    display has shown something else, in another size."""
    def load_new():
        assert load(g) == (1024, 768)
        g.ctl("video", "fill", "90")
        return load_swap(g)

    sleep_on_disk(g, g.notes["swap"], load_new)
    as_drawn(g, 21)
    goes_on(g, 22)


def stalled_sleep(g):
    """No hibernation begins while the host is paused; the next one succeeds."""
    def work():
        host_state(g, "stalled", 60)
        g.tool.do("draw", 0, 0, 800, 600, 25)
        g.tool.do("dirty", 0)
        g.run("echo devices >/sys/power/pm_test; ! echo disk >/sys/power/state", 90)

    paused(g, 0, work)
    settle(g)
    as_drawn(g, 25)
    sleep_to(g, "devices")
    as_drawn(g, 25)


def dark(g):
    """A screen that is off stays so; switched on it is as it was."""
    g.tool.do("mode", 800, 600, 23)
    g.tool.do("dpms", 1)
    sleep_to(g, "devices")
    assert "shows nothing" in g.ctl("status")
    g.tool.do("dpms", 0)
    as_drawn(g, 23)


def resized(g):
    """The host would like another size afterwards: desktops hear of it."""
    g.tool.do("mode", 800, 600, 24)
    # a program that is called with each event in its environment
    g.run("printf '#!/bin/sh\nenv >>/run/uevents\n' >/run/event &&"
          " chmod +x /run/event")
    job = g.spawn(f"exec {BUSYBOX} uevent /run/event", 120)
    hears_events(g, job)
    sleep_to(g, "devices", lambda: g.ctl("video", "resize", "1000x700"))
    wait_for(g, "grep -q HOTPLUG=1 /run/uevents", "no hotplug event")
    job.kill()
    assert "1000x700*" in g.tool.do("modes")
    as_drawn(g, 24)


def ends(g):
    """All unloads."""
    g.tool.end()
    g.run(f"{BUSYBOX} swapoff /dev/{g.notes['swap']}")
    g.run("rmmod synth_video && rmmod synth_blk && rmmod synth_vmbus")


def old_host(g):
    """A host of version 3.2, which names no modes and never says what it wants;
    hibernation but for the image, twice: the console is as before."""
    assert load(g) == (1024, 768)
    in_memory(g)
    g.run("printf '\\033[2J\\033[H\\033[?25lsome text to be restored'"
          " >/dev/tty1; sleep 1")
    before = screenshot(g)
    assert lit(before) > 100
    for level in ("devices", "core"):
        sleep_to(g, level)
        assert shows(g) == (1024, 768)
        same_picture(screenshot(g), before.rows, level)
    assert "version 3.2" in g.ctl("status")


def main():
    """Runs the tests."""
    # an image takes as much as the guest has in use; all checks take much
    mem = "1G" if os.environ.get("DEBUG_KERNEL") == "1" else "512M"
    with Tap() as tap:
        tap.guest("power", VideoGuest("video-power", OWN, "video,forgets",
                                      swap=True, bar="32M", mem=mem,
                                      cmdline="no_console_suspend loglevel=3"),
                  ("a picture", begin),
                  ("hibernation, devices", frozen("devices")),
                  ("hibernation, all but the image", frozen("core")),
                  ("hibernation to a disk, resume in another QEMU", real_image),
                  ("no hibernation while the host is paused", stalled_sleep),
                  ("hibernation of a screen that is off", dark),
                  ("another size after hibernation", resized),
                  ("all unloads", ends))
        tap.guest("old host", VideoGuest(
            "video-power-old", OWN, "video,version=3.2,quiet,size=800x600,forgets",
            cmdline="no_console_suspend loglevel=3"),
                  ("hibernation", old_host))


if __name__ == "__main__":
    main()
