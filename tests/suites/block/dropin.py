#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The disks of disks.py on the drop-in hv_vmbus: with our driver built for the
kernel's VMBus, then with the distribution's hv_storvsc.

What passes with both shows that the host is right. A program of its own, so that
it can run beside disks.py.
"""

from disks import CHANGES, DATA, DiskGuest, SECONDS, appear, start
from faults import errors
from lib import LONG, STOCK, STORVSC
from tap import Tap


def switch(driver):
    """Makes a step to another driver of the same channel."""
    def test(g):
        g.driver.unload(g)
        g.driver = driver
        start(g)
    return test


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest(
            "drop-in", DiskGuest("block-stock", STOCK,
                                 limit=900 + 10 * SECONDS),
            ("disks of four controllers appear", appear),
            *(DATA if LONG else DATA[:1] + DATA[3:5]), *CHANGES,
            ("hv_storvsc takes over", switch(STORVSC)),
            *(DATA if LONG else DATA[:1] + DATA[2:]),
            ("errors have their errno there, too", errors("c0-0", True)))


if __name__ == "__main__":
    main()
