#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The display of display.py on the drop-in hv_vmbus: with our driver built for the
kernel's VMBus, then with the distribution's hyperv_drm, unmodified.
"""

from display import begin, BOTH, cursor, damage, pauses, their_pauses, unloads, \
    unplug
from lib import HYPERV_DRM, STOCK, VideoGuest
from steps import LONG, takes_over
from tap import Tap


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest("drop-in", VideoGuest("video-stock", STOCK),
                  *(BOTH if LONG else BOTH[:1] + BOTH[2:3]),
                  ("damage", damage), ("the pointer", cursor),
                  *((("pauses of the host", pauses),) if LONG else ()),
                  ("it goes while in use", unplug),
                  ("hyperv_drm takes over", takes_over(HYPERV_DRM, unloads, begin)),
                  *BOTH[1:],
                  *((("pauses of its host", their_pauses),) if LONG else ()),
                  ("all unloads", unloads))


if __name__ == "__main__":
    main()
