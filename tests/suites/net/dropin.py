#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The cards of traffic.py on the drop-in hv_vmbus: with our driver built for the
kernel's VMBus, then with the distribution's hv_netvsc.

What passes with both shows that the host is right. A program of its own, so that
it can run beside traffic.py.
"""

from lib import LONG, NETVSC, run_tests, STOCK, switch
from traffic import (BASIC, COMING, ends, guest, MORE, no_errors, PAGES, REMOVAL,
                     unload_busy)


def main():
    """Runs the tests."""
    basic = BASIC if LONG else BASIC[:1] + BASIC[2:5]
    # two seconds for each change of hv_netvsc's link: LONG has all of them
    more = MORE if LONG else MORE[1:4] + MORE[7:]
    coming = COMING if LONG else COMING[:1]
    run_tests(
        ("drop-in", guest("net-stock", STOCK, 5), *basic, PAGES,
         *(MORE + COMING[:-1] if LONG else [REMOVAL]),
         ("rmmod under load, insmod and rmmod", unload_busy),
         ("hv_netvsc takes over", switch(NETVSC)),
         *basic[1:], *more, *coming,
         ("no error was counted", no_errors), ("all unloads", ends)))


if __name__ == "__main__":
    main()
