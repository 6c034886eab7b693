#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The display in the newest kernel, where DRM has changed most: the same tests,
and the message of a panic, which 6.1 has not.
"""

import time

import display
from lib import OWN, settle, VideoGuest
from kernels import NEWEST, newest_modules
from screen import lit, pattern_rows, same_picture, screenshot, stats, Tool
from tap import Tap


def panics(g):
    """The message is drawn where the host looks, and the host is told of it before the
    channel is closed."""
    display.begin(g)
    g.tool = Tool(g)
    g.tool.do("mode", 640, 480, 1)
    g.tool.do("flip", 1, 2)
    settle(g)
    same_picture(screenshot(g), pattern_rows(640, 480, 2), "before")
    g.ctl("video", "reset")
    # the guest says what it has to, and then nothing
    g.allow.append(".*")
    at = len(g.console_text())
    g.post("echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger")
    g.wait_console("end Kernel panic", 60, at)
    deadline = time.monotonic() + 20 * g.scale
    # white letters on black
    while not 500 < lit(screenshot(g)) < 640 * 480 // 8:
        assert time.monotonic() < deadline, f"{lit(screenshot(g))} pixels"
        time.sleep(0.5)
    counts = stats(g)
    assert counts["dirts"] and counts["pixels"] >= 640 * 480, counts


def main():
    """Runs the tests."""
    with Tap() as tap:
        if not newest_modules(tap):
            return
        tap.guest(NEWEST, VideoGuest("video-newer", OWN, kernel=NEWEST),
                  ("the console is on the screen", display.begin),
                  ("text, and its scrolling", display.console),
                  ("modes, pixel by pixel", display.modes),
                  ("page flips", display.flips),
                  ("a commit that is only tried", display.test_only),
                  ("damage", display.damage),
                  ("more often than anybody looks", display.often),
                  ("a part of a buffer", display.pan),
                  ("no beat faster than others", display.beats),
                  ("the pointer", display.cursor),
                  ("beginning of the VRAM", display.at_start),
                  ("the host asks for another size", display.resize),
                  ("dark and light", display.dpms),
                  ("what the host wants to be told", display.features),
                  ("pauses of the host", display.pauses),
                  ("it goes while in use", display.unplug),
                  ("unbound while in use", display.unbind),
                  ("driver loop", display.reload),
                  *display.VRAM, ("all unloads", display.unloads))
        tap.guest("panic", VideoGuest("video-panic", OWN, kernel=NEWEST,
                                      cmdline="panic=0"),
                  ("its message", panics))


if __name__ == "__main__":
    main()
