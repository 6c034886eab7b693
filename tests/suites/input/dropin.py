#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Mouse and keyboard of mouse.py on the drop-in hv_vmbus: with our drivers built for
the kernel's VMBus, then with the distribution's, unmodified. What passes with both
shows that the host is right.
"""

from mouse import begin, Driver, MouseGuest, pauses, SAME, unloads
import keys
from steps import LONG, takes_over
from tap import Tap

STOCK = Driver("stock", True)
HID_HYPERV = Driver("stock", False)


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest("drop-in", MouseGuest("input-stock", STOCK),
                  *(SAME if LONG else SAME[:2] + SAME[5:6]),
                  *keys.SAME[:2], ("hyperv-keyboard and ours take turns",
                                   keys.hand_over),
                  *((("pauses of the host", pauses),
                     ("pauses of the keyboard's host", keys.pauses),
                     ("pauses of hyperv-keyboard's host", keys.their_pauses))
                    if LONG else ()),
                  ("hid-hyperv takes over", takes_over(HID_HYPERV, unloads, begin)),
                  *SAME[1:],
                  *((("pauses of its host", pauses),) if LONG else ()),
                  ("all unloads", unloads))


if __name__ == "__main__":
    main()
