#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The display of display.py on the drop-in hv_vmbus: with our driver built for the
kernel's VMBus, then with the distribution's hyperv_drm, unmodified.
"""

from display import begin, BOTH, cursor, damage, unloads, unplug
from lib import HYPERV_DRM, STOCK, VideoGuest
from steps import LONG
from tap import Tap


def takes_over(driver):
    """Makes a step to another driver, on a channel that is loaded anew."""
    def test(g):
        unloads(g)
        g.driver, g.tool = driver, None
        begin(g)
    return test


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest("drop-in", VideoGuest("video-stock", STOCK),
                  *(BOTH if LONG else BOTH[:1] + BOTH[2:3]),
                  ("damage", damage), ("the pointer", cursor),
                  ("it goes while in use", unplug),
                  ("hyperv_drm takes over", takes_over(HYPERV_DRM)),
                  *BOTH[1:], ("all unloads", unloads))


if __name__ == "__main__":
    main()
