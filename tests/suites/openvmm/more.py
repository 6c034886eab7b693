#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Other kernels and other numbers of CPUs on OpenVMM: our drivers on the kernel's
own VMBus, and on our channel where the kernel leaves it the host.

more.py [GUEST]... runs only those; without one, all.
"""

import cards
import disks
import handover
import host
import screens
from lib import KERNEL, OWN, begin, run_tests, setup

ALL = (("loads", begin), *disks.TESTS, *screens.TESTS, *cards.TESTS)
HAND = (("loads", begin), *handover.TESTS)
# that kernel finds the emulated CPUs' XSAVE areas inconsistent
NEWEST = {"kernel": "newest", "cmdline": "noxsave"}

run_tests({
    "newest": (ALL, {"setup": setup(KERNEL, True), **NEWEST}),
    "newest-hand": (HAND, {"setup": setup(KERNEL, False), **NEWEST}),
    "6.12": (ALL, {"setup": setup(KERNEL, True), "kernel": "6.12"}),
    "6.12-own": (ALL, {"setup": setup(OWN, True), "kernel": "6.12"}),
    "one": ((*ALL, *host.TESTS), {"setup": setup(KERNEL, True), "smp": 1}),
    "one-own": ((*ALL, *host.TESTS), {"setup": setup(OWN, True), "smp": 1}),
    "four": ((*ALL, *host.TESTS), {"setup": setup(KERNEL, True), "smp": 4}),
    "four-own": ((*ALL, *host.TESTS), {"setup": setup(OWN, True), "smp": 4}),
})
