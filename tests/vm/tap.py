# SPDX-License-Identifier: GPL-2.0-only
"""Prints test results as TAP version 13.

    with Tap() as tap:
        tap.test("the channel attaches", attach, guest)
        tap.skip("four CPUs", "this machine has two")
    # exits non-zero if a test failed, or none ran

A test is a function; it fails by raising an exception, and skips by raising
Skip. What it returns is printed behind the name as a comment, if it is a
string.
"""

import sys
import traceback


class Skip(Exception):
    """Raised in a test: it can't be run here; the argument says why."""


class Tap:
    """One TAP stream on stdout."""

    def __init__(self):
        self.count = 0
        self.failed = 0
        self.planned = False
        print("TAP version 13", flush=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and issubclass(kind, Exception):
            if kind is Skip:
                self.skip("the rest", str(value))
            else:
                self._result(False, "the rest")
                self.say("".join(traceback.format_exception(
                    kind, value, trace)))
        if kind is None or issubclass(kind, Exception):
            self.end()

    def _result(self, good, name, comment=""):
        self.count += 1
        self.failed += not good
        name = name.replace("#", "no.")
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}{comment}",
              flush=True)

    @staticmethod
    def say(text):
        """Prints lines of diagnosis."""
        for line in str(text).rstrip().splitlines():
            print(f"# {line}", flush=True)

    def ok(self, good, name, why=""):
        """Reports a result; why: shown if it is a failure."""
        self._result(bool(good), name)
        if not good and why:
            self.say(why)
        return bool(good)

    def skip(self, name, reason):
        """Reports that a test could not be run."""
        self._result(True, name, f" # SKIP {reason}")

    def test(self, name, function, *args):
        """Runs a test; True unless it failed."""
        try:
            said = function(*args)
        except Skip as e:
            self.skip(name, str(e))
            return True
        except Exception as e:      # pylint: disable=broad-except
            self._result(False, name)
            where = traceback.extract_tb(e.__traceback__)[-1]
            self.say(f"{type(e).__name__} at {where.filename}:{where.lineno}")
            self.say(e)
            return False
        self._result(True, name)
        if isinstance(said, str):
            self.say(said)
        return True

    def checked(self, name, guest, function):
        """Runs function(guest) as a test that a complaint fails, too."""
        def wrapped():
            said = function(guest)
            bad = guest.problems()
            if bad:
                raise AssertionError("\n".join(bad))
            return said
        return self.test(name, wrapped)

    def guest(self, name, guest, *functions):
        """Boots a guest, runs function(guest) for each, checks its logs.

        name: of the boot and the closing check; functions: (name, function).
        The kernel's complaints count after each test, so that one is named.
        A guest that has ended fails what comes after it.
        """
        if not self.test(f"{name}: boots", guest.__enter__):
            for what, _ in functions:
                self._result(False, f"{name}: {what}")
                self.say("no guest")
            return

        for what, function in functions:
            self.checked(f"{name}: {what}", guest, function)
        self.test(f"{name}: ends without complaint of kernel or host",
                  guest.close)

    def end(self):
        """Prints the plan, and exits."""
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed or not self.count else 0)
