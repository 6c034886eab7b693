#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The files of channel/ form floors: none calls a function of a higher one.

docs/code.md has the floors, in a block of text that begins with FLOORS: its
name and its files, the highest first. A file may call functions of its own
floor and of lower ones. Functions that go up, such as what is called when an offer
becomes a device, are given down as callbacks. Nothing is built or booted.
"""

import glob
import os
import re
import sys

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                   "../../.."))
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
from tap import Tap         # noqa: E402

MAP = "docs/code.md"
# these only put names of the others in a place
APART = re.compile(r"exports_\w+\.c|.*\.mod\.c|wire\.c|trace\.c")
# a definition: at the start of a line, not static, with a body
DEFINITION = re.compile(r"^(?!static|\s|#|struct \w+ \{|typedef)"
                        r"[A-Za-z_][\w \t\n*]*?\b(\w+)\s*\([^;{}]*\)\s*\n\{",
                        re.M)


def code(name):
    """A file of channel/ without comments and strings."""
    with open(os.path.join(TOP, "channel", name), encoding="utf-8") as f:
        text = f.read()
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", text,
                  flags=re.S)


def floors():
    """{file: floor}; the lowest floor is 0."""
    with open(os.path.join(TOP, MAP), encoding="utf-8") as f:
        block = re.search(r"^```\nFLOORS\n(.*?)^```", f.read(), re.M | re.S)
    assert block, f"{MAP} has no block that begins with FLOORS"
    # a line without a name goes on with the floor of the line before
    lines = re.sub(r"\n {4,}", " ", block[1]).splitlines()
    lines = [re.findall(r"\b\w+\.c\b", x) for x in reversed(lines)]
    return {name: level for level, names in enumerate(lines) for name in names}


def sources():
    """The files that have a floor."""
    names = (os.path.basename(p)
             for p in glob.glob(os.path.join(TOP, "channel", "*.c")))
    return sorted(n for n in names if not APART.fullmatch(n))


def all_have_one():
    """Each file has exactly one floor."""
    level = floors()
    missing = set(sources()) - set(level)
    assert not missing, f"{MAP} has no floor for {', '.join(sorted(missing))}"
    gone = set(level) - set(sources())
    assert not gone, f"{MAP} has floors for {', '.join(sorted(gone))}"
    return f"{len(level)} files on {max(level.values()) + 1} floors"


def no_call_goes_up():
    """No file names a function of a higher floor."""
    level = floors()
    where = {}
    for name in sources():
        for function in DEFINITION.findall(code(name)):
            where[function] = name
    assert len(where) > 100, f"only {len(where)} functions found"
    bad, count = [], 0
    for name in sources():
        for word in set(re.findall(r"\b[A-Za-z_]\w*\b(?=\s*[(,);])", code(name))):
            other = where.get(word, name)
            count += other != name
            if level.get(other, 0) > level.get(name, 0):
                bad.append(f"{name} (floor {level[name]}) calls {word}() of"
                           f" {other} (floor {level[other]})")
    assert not bad, "; ".join(sorted(bad))
    assert count > 100, f"only {count} calls between files found"
    return f"{count} calls between files"


def main():
    """All of it."""
    with Tap() as tap:
        tap.test("each file of channel/ has a floor", all_have_one)
        tap.test("no file of channel/ calls a function of a higher floor",
                 no_call_goes_up)


main()
