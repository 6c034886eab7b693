#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The card of offload.py on the drop-in hv_vmbus: our driver's queues there, then
all of it with the distribution's hv_netvsc.
"""

from lib import NETVSC, run_tests, STOCK, switch
from offload import begin, guest, PACKETS, QUEUES, quiet_again


def main():
    """Runs the tests."""
    run_tests(
        ("drop-in", guest("net-offload-stock", STOCK), ("loads", begin),
         *QUEUES, ("hv_netvsc takes over", switch(NETVSC)), *PACKETS,
         *QUEUES, ("all unloads", quiet_again)))


if __name__ == "__main__":
    main()
