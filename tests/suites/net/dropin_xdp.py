#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""XDP of xdp.py on the drop-in hv_vmbus: with the distribution's hv_netvsc, as far as
it has it, and with LONG=1 with our driver built for the kernel's VMBus.
"""

from lib import LONG, NETVSC, NetGuest, Nic, run_tests, STOCK
from xdp import redirected, TESTS


def main():
    """Runs the tests."""
    def guest(name, driver):
        return NetGuest(name, driver, [Nic("n0"), Nic("n1", "b")], limit=600)

    run_tests(
        ("hv_netvsc", guest("net-xdp-netvsc", NETVSC), *TESTS[:5],
         ("REDIRECT", redirected), *TESTS[-3:]),
        *([("drop-in", guest("net-xdp-stock", STOCK), *TESTS)] if LONG
          else []))


if __name__ == "__main__":
    main()
