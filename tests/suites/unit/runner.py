#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""tests/run itself, with small suites of its own: what it counts and shows."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../../.."))
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
from tap import Tap         # noqa: E402

# what the environment of this very run may have set
FORGET = ("JOBS_TEST", "LONG", "DEBUG_KERNEL", "VM_SCALE", "TEST_LIMIT",
          "SLOWEST")
# none of block's packages is there
DEPS = 'case $2 in test) [ ! -e "${0%/*}/lacks" ] || echo fio xfsprogs; esac'
GOOD = "echo 1..2; echo ok 1 - a; echo ok 2 - b"
# waits until another program has made a file; in vain, it fails
MEET = """
touch {0}
n=0
until [ -e {1} ] || [ $n = 600 ]; do sleep .05; n=$((n + 1)); done
"""


class Tree:
    """A project with suites of shell scripts: {"unit/name": script}."""

    def __init__(self, **scripts):
        self.scripts = scripts
        self.dir = None

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="synthio-runner.")
        shutil.copy(os.path.join(TOP, "tests/run"), self.mkdir("tests"))
        self.script("tests/vm/deps.sh", DEPS)
        for name, text in self.scripts.items():
            suite, _, program = name.partition("_")
            self.script(f"tests/suites/{suite}/{program}.py", text)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def mkdir(self, name):
        """Makes a directory, returns its path."""
        path = os.path.join(self.dir, name)
        os.makedirs(path, exist_ok=True)
        return path

    def script(self, name, text):
        """Makes a program."""
        path = os.path.join(self.mkdir(os.path.dirname(name)),
                            os.path.basename(name))
        with open(path, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)

    def start(self, *suites, **env):
        """Starts tests/run."""
        return subprocess.Popen(
            [os.path.join(self.dir, "tests/run"), *suites], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.dir,
            env={k: v for k, v in os.environ.items() if k not in FORGET} | env)

    def run(self, *suites, **env):
        """Runs tests/run, returns its status and what it prints."""
        with self.start(*suites, **env) as proc:
            out = proc.communicate(timeout=120)[0]
        return proc.returncode, out

    def read(self, name):
        """The contents of a file."""
        with open(os.path.join(self.dir, name), encoding="utf-8") as f:
            return f.read()


def last(out):
    """The closing line."""
    return out.splitlines()[-1]


def has(text, *wanted):
    """Fails unless each of the lines is there."""
    lines = text.splitlines()
    for x in wanted:
        assert x in lines, f"no {x!r} in\n{text}"


BAD = {
    "unit_good": GOOD,
    "unit_fails": "echo ok 1 - a; echo not ok 2 - b; echo 1..2; exit 1",
    "unit_noplan": "echo ok 1 - a",
    "unit_short": "echo 1..3; echo ok 1 - a",
    "unit_none": "echo 1..0",
    "unit_dies": "echo 1..1; echo ok 1 - a; exit 7",
    "unit_bails": "echo 1..1; echo ok 1 - a; echo 'Bail out! no disk'",
    "unit_slow": "echo ok 1 - a; sleep 600",
    "unit_skips": "echo 1..2; echo 'ok 1 - a # SKIP no root'; echo ok 2 - b",
    "unit_nothing": "echo '1..0 # SKIP no module'; exit 4",
    "block_lacks": GOOD,
    "block_lacks2": GOOD,
}


def counts(jobs):
    """Makes a test: all that may become of a program is counted."""
    def test():
        with Tree(**BAD) as t:
            t.mkdir("tests/vm/lacks")
            status, out = t.run(JOBS_TEST=jobs, TEST_LIMIT="2")
            assert status == 1, out
            has(out, "FAILED: unit/fails.py: b",
                "FAILED: unit/noplan.py: no plan (ended early, status 0)",
                "FAILED: unit/short.py: planned 3 tests, ran 1",
                "FAILED: unit/none.py: has no tests",
                "FAILED: unit/dies.py: exit status 7",
                "FAILED: unit/bails.py: bailed out",
                "FAILED: unit/slow.py: no plan (not at its end after 2 s)",
                "skipped: unit/skips.py: a: no root",
                "skipped: unit/nothing.py: no module",
                "skipped: block/lacks.py: not installed: fio xfsprogs",
                "skipped: block/lacks2.py: not installed: fio xfsprogs")
            assert last(out) == "9 passed, 7 failed, 4 skipped", out
            assert re.search(r"^unit: 9 passed, 7 failed, 2 skipped \(\d+ s\)$",
                             out, re.M), out
            assert re.search(r"^block: 0 passed, 0 failed, 2 skipped \(0 s\)$",
                             out, re.M), out
    return test


def all_well():
    """Nothing fails, or nothing is there: the exit status tells."""
    with Tree(unit_a=GOOD, channel_b=GOOD) as t:
        status, out = t.run(JOBS_TEST="2")
        assert (status, last(out)) == (0, "4 passed, 0 failed"), out
        status, out = t.run("channel", JOBS_TEST="2")
        assert (status, last(out)) == (0, "2 passed, 0 failed"), out
        status, out = t.run("net", JOBS_TEST="2")
        assert (status, last(out)) == (1, "0 passed, 1 failed"), out
        status, out = t.run("floppy")
        assert status == 2 and "no suite floppy" in out, out
        for nonsense in ("0", "two", "-1"):
            status, out = t.run(JOBS_TEST=nonsense)
            assert status == 2 and "JOBS_TEST is 1 or more" in out, out


def side_by_side():
    """Two programs of two suites run at once, and each is shown in one piece,
    with what it says on standard error."""
    one = two = ""
    for i in range(4):
        one += f"echo '# u {i}'; echo '# u {i}' >&2" + MEET.format(
            f"u{i}", f"b{i}")
        two += f"echo '# b {i}'; echo '# b {i}' >&2" + MEET.format(
            f"b{i}", f"u{i}")
    one += "[ -e b3 ] || exit 1\n" + GOOD
    two += "[ -e u3 ] || exit 1\nprintf '1..1\\nok 1 - no newline'"
    with Tree(unit_one=one, block_two=two) as t:
        status, out = t.run(JOBS_TEST="2")
        assert (status, last(out)) == (0, "3 passed, 0 failed"), out
        whole = "\n".join(f"# {{0}} {i}\n# {{0}} {i}" for i in range(4))
        for piece in (f"# unit: one.py\n{whole.format('u')}\n1..2\nok 1 - a\n"
                      "ok 2 - b\n",
                      f"# block: two.py\n{whole.format('b')}\n1..1\n"
                      "ok 1 - no newline\n"):
            assert piece in out, out
        assert "2 programs at once: " in out, out
        assert whole.format("u") in t.read("build/logs/unit.one.tap")


def one_by_one():
    """With one job nothing overlaps, suites keep their order, and lines come
    as they are printed."""
    alone = "mkdir busy || exit 1; sleep .2; rmdir busy; " + GOOD
    with Tree(unit_a=alone, unit_b=alone, block_c=alone, channel_d=alone) as t:
        for env in ({"JOBS_TEST": "1"}, {"LONG": "1"}, {"DEBUG_KERNEL": "1"}):
            status, out = t.run(**env)
            assert (status, last(out)) == (0, "8 passed, 0 failed"), out
            assert re.findall(r"^# (.*\.py)$", out, re.M) == [
                "unit: a.py", "unit: b.py", "channel: d.py", "block: c.py"], out
            assert "at once" not in out, out
    with Tree(unit_a="echo '# first'" + MEET.format("here", "seen")
              + "[ -e seen ] || exit 1; " + GOOD) as t:
        with t.start(JOBS_TEST="1") as proc:
            for line in proc.stdout:
                if line == "# first\n":
                    t.mkdir("seen")
        assert proc.returncode == 0


def longest_first():
    """What took longest the last time begins first."""
    with Tree(unit_a=GOOD, unit_b=GOOD, block_c=GOOD, block_d="exit 1") as t:
        t.mkdir("build/logs")
        with open(os.path.join(t.dir, "build/logs/durations"), "w",
                  encoding="ascii") as f:
            f.write("1.0\tunit/a.py\n300.5\tunit/b.py\n200\tblock/c.py\n"
                    "nonsense\n100\tblock/d.py\n")
        _, out = t.run(JOBS_TEST="2")
        assert re.findall(r"^# (.*\.py) begins$", out, re.M) == [
            "unit: b.py", "block: c.py", "block: d.py", "unit: a.py"], out
        kept = dict(reversed(x.split("\t")) for x in
                    t.read("build/logs/durations").splitlines())
        # one that has broken off keeps what it had
        assert kept["block/d.py"] == "100.0" and float(kept["unit/b.py"]) < 100
        assert sorted(kept) == ["block/c.py", "block/d.py", "unit/a.py",
                                "unit/b.py"], kept


def aside():
    """Long programs run where their suite is named, or with LONG=1."""
    with Tree(unit_a=GOOD, net_dropin=GOOD) as t:
        for suites, env, ran in (((), {}, False), (("net",), {}, True),
                                 ((), {"LONG": "1"}, True)):
            out = t.run(*suites, **env)[1]
            assert ("# net: dropin.py" in out) == ran, out
            assert ("left out, being long: net/dropin.py" in out) != ran, out


def slowest():
    """The results that took longest are shown, the longest first."""
    with Tree(unit_a="echo 1..3; echo ok 1 - a; sleep .6; echo ok 2 - b;"
                     "sleep .3; echo ok 3 - c", block_d=GOOD) as t:
        _, out = t.run(SLOWEST="2")
        assert re.findall(r"^ *[\d.]+ s  (.*)$", out, re.M) == [
            "unit/a.py: b", "unit/a.py: c"], out
        assert re.findall(r"^ *[\d.]+ s, +[\d.]+ s of CPU time  (.*)$", out,
                          re.M) == ["unit/a.py", "block/d.py"], out
        assert " s  unit" not in t.run()[1]
        assert t.run(SLOWEST="none")[0] == 2


def patience():
    """Guests get more time where they share the CPUs, unless told otherwise."""
    with Tree(unit_a='echo "# scale ${VM_SCALE-none}"; ' + GOOD) as t:
        for env, scale in (({"JOBS_TEST": "2"}, "2"), ({"JOBS_TEST": "1"}, "none"),
                           ({"JOBS_TEST": "2", "VM_SCALE": "5"}, "5"),
                           ({"JOBS_TEST": "2", "DEBUG_KERNEL": "1"}, "12")):
            has(t.run(**env)[1], f"# scale {scale}")


def ended(number):
    """Makes a test: a signal ends the programs, too."""
    def test():
        script = "echo $$ >{0}.new; mv {0}.new {0}; sleep 600"
        with Tree(unit_a=script.format("a"), unit_b=script.format("b"),
                  unit_c="touch c") as t:
            with t.start(JOBS_TEST="2") as proc:
                paths = [os.path.join(t.dir, x) for x in "ab"]
                while not all(os.path.exists(p) for p in paths):
                    time.sleep(0.05)
                proc.send_signal(number)
                out = proc.communicate(timeout=60)[0]
            assert proc.returncode == 128 + number, out
            for p in "ab":
                pid = int(t.read(p))
                assert not os.path.exists(f"/proc/{pid}"), f"{p} goes on"
            assert not os.path.exists(os.path.join(t.dir, "c")), out
    return test


with Tap() as tap:
    for what, test_ in (
            ("counts, two at once", counts("2")),
            ("counts, one by one", counts("1")),
            ("nothing fails", all_well), ("side by side", side_by_side),
            ("one by one", one_by_one), ("longest first", longest_first),
            ("left aside", aside),
            ("slowest", slowest), ("patience", patience),
            ("SIGTERM", ended(signal.SIGTERM)),
            ("SIGINT", ended(signal.SIGINT))):
        tap.test(f"tests/run: {what}", test_)
