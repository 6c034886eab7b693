#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Our channel over SynIC, on OpenVMM.

synic.py [GUEST]... runs only those; without one, all.

    own      names of our own, our drivers
    dropin   the kernel's names, our drivers
    theirs   the kernel's names, the distribution's drivers
    hand     each device to and fro between them, on our channel
"""

import cards
import disks
import handover
import host
import screens
from lib import DROPIN, OWN, begin, run_tests, setup

ALL = (("loads", begin), *disks.TESTS, *screens.TESTS, *cards.TESTS,
       *host.TESTS)

run_tests({
    "own": (ALL, {"setup": setup(OWN, True)}),
    "theirs": (ALL, {"setup": setup(DROPIN, False)}),
    "dropin": (ALL, {"setup": setup(DROPIN, True)}),
    "hand": ((("loads", begin), *handover.TESTS),
             {"setup": setup(DROPIN, False)}),
})
