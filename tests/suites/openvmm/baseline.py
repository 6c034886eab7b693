#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The distribution's bus and drivers on OpenVMM: nothing of ours. What fails here
is OpenVMM's, KVM's or the harness's."""

import cards
import disks
import host
import screens
from lib import KERNEL, begin, run_tests, setup

run_tests({
    "baseline": ((("loads", begin), *disks.TESTS, *screens.TESTS,
                  *cards.TESTS, *host.TESTS),
                 {"setup": setup(KERNEL, False)}),
})
