# SPDX-License-Identifier: GPL-2.0-only
"""Outer guests for tests in guests in guests.

What runs there depends on virtualisation that QEMU emulates, and two faults of
that end guests by no fault of theirs (nested.py). A test that fails where one
of them has left its mark is not reported: all of its guest's tests are run once
more in another outer guest, and that is said. What fails without such a mark is
a failure, and is not tried again; nor is anything with QEMU=, which names a
program that is free of both.
"""

import os

from guest import GuestError
from nested import Outer

FAILURES = 3    # of outer guests, before we give up


class Broken(BaseException):
    """QEMU has failed, and with it what goes on in the outer guest. No test takes
    this for its own."""


def in_outer(outer, function):
    """function(g), and a look at what the inner guest's kernel has said; raises
    Broken where it fails with a mark of QEMU's faults."""
    def wrapped(g):
        start = len(outer.console_text())
        try:
            said = function(g)
            bad = g.problems()
            if bad:
                raise AssertionError("\n".join(bad))
            return said
        except Exception as e:
            why = not os.environ.get("QEMU") and (
                outer.faulted(start) or g.faulted())
            if why:
                raise Broken(why) from e
            raise
    return wrapped


def run_inner(tap, outer, name, g, tests):
    """Boots an inner guest, runs its tests, (name, function), and ends it."""
    if not tap.test(f"{name}: boots", in_outer(outer, type(g).__enter__), g):
        for what, _ in tests:
            tap.ok(False, f"{name}: {what}", "no guest")
        return
    for what, function in (*tests, ("ends without complaint", type(g).close)):
        tap.test(f"{name}: {what}", in_outer(outer, function), g)


class Outers:
    """The outer guest: one for all inner guests, or another where it fails.

    tap: what tests are reported to; name, options: of the outer guest
    """

    def __init__(self, tap, name, **options):
        self.tap = tap
        self.name = name
        self.options = options
        self.outer = None
        self.failures = 0

    def get(self):
        """One that is well."""
        if self.outer is None:
            self.outer = Outer(self.name, **self.options)
            self.outer.__enter__()
        return self.outer

    def end(self):
        """Ends it; there may be none."""
        if self.outer is not None:
            self.outer.end()
            self.outer = None

    def run(self, name, function):
        """function(tap, outer, name) runs an inner guest's tests, each of them
        through in_outer(); with another outer guest once more if that one failed,
        a few times in all."""
        while True:
            try:
                function(self.tap, self.get(), name)
                return
            except Broken as e:
                self.end()
                self.failures += 1
                if self.failures > FAILURES:
                    raise GuestError(f"QEMU fails again and again: {e}") from e
                self.tap.say(f"{name}: QEMU has failed, as "
                             "docs/found/qemu-svm.md has it: once more\n"
                             f"{e}")
