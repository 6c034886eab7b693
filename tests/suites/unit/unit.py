#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The unit tests and the fuzzers in user space, as one program each.

fuzz.py is a link to this file; the fuzzers run for 10 seconds each, for 10
minutes with LONG=1. Both makefiles print TAP.
"""

import os
import sys

NAME = os.path.basename(sys.argv[0])[:-3]
SECONDS = "600" if os.environ.get("LONG") == "1" else "10"

os.chdir(os.path.join(os.path.dirname(os.path.realpath(__file__)),
                      "../../.."))
os.execvp("make", ["make", "-s", "--no-print-directory",
                   "-f", f"tests/{NAME}/{NAME}.mk",
                   f"FUZZ_SECONDS={SECONDS}", f"{NAME}-test"])
