#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The card of offload.py on the drop-in hv_vmbus: our driver's queues there, with
LONG=1 all of it; then all of it that the distribution's hv_netvsc has.
"""

from lib import LONG, NETVSC, run_tests, STOCK, switch
from offload import begin, guest, OURS, PACKETS, QUEUES, quiet_again, says


def main():
    """Runs the tests."""
    run_tests(
        ("drop-in", guest("net-offload-stock", STOCK), ("loads", begin),
         *(PACKETS + QUEUES + OURS if LONG else QUEUES),
         ("hv_netvsc takes over", switch(NETVSC)), *PACKETS,
         *QUEUES, ("what it says of itself", says),
         ("all unloads", quiet_again)))


if __name__ == "__main__":
    main()
