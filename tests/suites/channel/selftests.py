#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""tests/selftests in guests, with the kernel's own kselftest runner.

All of them on the default build; on the drop-in those that tell whether a device
channel works. newer.py has these in the newest kernel.
"""

import os
import re
import sys

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
from guest import Guest     # noqa: E402
from steps import LONG      # noqa: E402
from tap import Skip, Tap   # noqa: E402

ALL = re.findall(r"^TEST_PROGS \+= (\S+)$", open(
    os.path.join(TOP, "tests/selftests/channel/Makefile"),
    encoding="utf-8").read(), re.M)
BASIC = ["open.sh", "packets.sh", "signals.sh"]
HOST = ["--test-device"]


def environment(g, bus):
    """What a test needs to find the modules."""
    return (f"export SYNTHIO_MODULES=/synthio/build/{g.kernel.release}/{bus}"
            f" LONG={int(LONG)};"
            "cd /synthio/tests/selftests/channel;")


def no_skip(out):
    """Nothing may be skipped but for what the kernel's configuration lacks:
    module and device are there."""
    for reason in re.findall(r"# SKIP\b *(.*)", out):
        assert re.search(r"\bCONFIG_\w+", reason), out


def program(bus, name):
    """A function that runs one test program, as the runner would."""
    def run(g):
        done = g.sh(environment(g, bus) + f"./{name}", 300)
        no_skip(done.out)
        if done.rc == 4:
            raise Skip(done.out.strip().splitlines()[-1])
        assert done.rc == 0, done.out
        count = len(re.findall(r"^ok \d+", done.out, re.M))
        assert count and not re.search(r"^not ok", done.out, re.M), done.out
        return f"{count} cases"
    return run


def programs(bus):
    """Those that a build has to pass beside the default one's, as tests."""
    return [(name, program(bus, name)) for name in (ALL if LONG else BASIC)]


def runner(g):
    """The kernel's runner runs a program too, and says so in its way."""
    out = g.run(environment(g, "own") +
                "export KSELFTEST_DIR=/synthio/source/tools/testing/selftests;"
                "/synthio/tests/selftests/run.sh channel", 900).out
    ended = re.findall(r"^ok \d+ selftests: channel: (\S+)(.*)", out, re.M)
    assert sorted(name for name, _ in ended) == sorted(ALL), out
    # module and device are there: a program that is skipped has not tested
    assert not [name for name, rest in ended if "SKIP" in rest], out
    return f"{len(ended)} programs through run_kselftest.sh"


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest("own names", Guest("selftests", smp=4, limit=2400, host=HOST),
                  ("kselftest runner", runner))
        tap.guest("drop-in", Guest("selftests-stock", limit=1200, host=HOST),
                  *programs("stock"))


if __name__ == "__main__":
    main()
