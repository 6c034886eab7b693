#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Our drivers on the kernel's own VMBus, on OpenVMM.

stock.py [GUEST]... runs only those; without one, all.

    ours    every device, and what OpenVMM does to a guest under load
    hand    each device to and fro between the distribution's drivers and ours
"""

import cards
import disks
import handover
import host
import screens
from lib import KERNEL, begin, run_tests, setup

run_tests({
    "ours": ((("loads", begin), *disks.TESTS, *screens.TESTS, *cards.TESTS,
              *host.TESTS),
             {"setup": setup(KERNEL, True)}),
    "hand": ((("loads", begin), *handover.TESTS),
             {"setup": setup(KERNEL, False)}),
})
