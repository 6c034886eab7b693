#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Each barrier pair of docs/memory-model.md, as a litmus test.

tests/model/litmus/ has the tests, tests/model/axioms.py explores them. What each
test is about must be impossible in the kernel's memory model and on x86, and must
be possible as soon as one barrier is taken away (tests/model/litmus.py says how).
The explorer is tested first, by tests whose results are known.

With herd7 in PATH and LKMM=/path/to/linux/tools/memory-model, all of it is also
given to herd7, which has to find the same. Debian has no package of herd7.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                   "../../.."))
sys.path[:0] = [os.path.join(TOP, "tests/vm"), os.path.join(TOP, "tests/model")]
# pylint: disable=wrong-import-position
import axioms               # noqa: E402
import litmus               # noqa: E402
from tap import Skip, Tap   # noqa: E402

DOCUMENT = "docs/memory-model.md"
MODELS = ("lkmm", "tso")


def read(path):
    """A file's text."""
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def known():
    """The tests whose results are known."""
    parts = re.split(r"^(?=C )", read("tests/model/known.litmus"), flags=re.M)
    return [litmus.Test(part.strip() + "\n") for part in parts[1:]]


def barriers():
    """The tests of our barriers."""
    tests = []
    for path in sorted(glob.glob(os.path.join(TOP, "tests/model/litmus/*"))):
        test = litmus.Test(read(path))
        assert os.path.basename(path) == test.name + ".litmus", path
        tests.append(test)
    return tests


def results_are_known(tests):
    """The explorer finds what literature says."""
    bad = []
    for test in tests:
        found = axioms.reachable(test)
        text = ", ".join(f"{m} {'Sometimes' if found[m] else 'Never'}"
                         for m in MODELS)
        if [text] != test.fields["Known"]:
            bad.append(f"{test.name}: found {text}")
    assert not bad, "; ".join(bad)
    assert len(tests) > 40, f"only {len(tests)} tests"
    return f"{len(tests)} tests"


def forbids(test):
    """The outcome is impossible, and possible without any one barrier."""
    found = axioms.reachable(test)
    assert not any(found.values()), f"the outcome can be: {found}"
    caught = redundant = 0
    for mutant in litmus.mutants(test):
        found = axioms.reachable(litmus.Test(mutant.text))
        for m in MODELS:
            assert found[m] == getattr(mutant, m), \
                f"{mutant.what}: in {m} the outcome can " \
                f"{'' if found[m] else 'not '}be, against what the line says"
        caught += mutant.lkmm
        redundant += not mutant.lkmm
    assert caught, "it has no mutant that is caught"
    return f"{caught} mutants caught" + \
        (f", {redundant} make no difference" if redundant else "")


def document_names_them(tests):
    """The document and the tests name each other."""
    text = read(DOCUMENT)
    named = set(re.findall(r"`([a-z-]+)\.litmus`", text))
    names = {t.name for t in tests}
    assert names == named, f"only one has {', '.join(sorted(names ^ named))}"
    letters = {row[5:] for t in tests for row in t.fields["Row"]
               if row.startswith("ring ")}
    rows = set(re.findall(r"^\| ([A-Z]) \|", text, flags=re.M))
    assert letters == rows, f"barriers of the ring: {letters}, {rows}"
    return f"{len(names)} tests"


def herd(model, texts):
    """What herd7 says of litmus tests: a list of True, False."""
    with tempfile.TemporaryDirectory() as where:
        paths = []
        for i, text in enumerate(texts):
            paths.append(os.path.join(where, f"{i:04}.litmus"))
            with open(paths[-1], "w", encoding="utf-8") as f:
                f.write(re.sub(r"^C \S+", f"C t{i:04}", text))
        done = subprocess.run(["herd7", "-conf", "linux-kernel.cfg", *paths],
                              cwd=model, text=True, check=True,
                              stdout=subprocess.PIPE)
    found = dict(re.findall(r"^Observation t(\d+) (\w+)", done.stdout, re.M))
    assert len(found) == len(texts), f"herd7 read {len(found)} of {len(texts)}"
    return [found[f"{i:04}"] != "Never" for i in range(len(texts))]


def herd_agrees(tests):
    """herd7 finds the same, for tests and mutants."""
    if not shutil.which("herd7"):
        raise Skip("herd7 is not in PATH; Debian has no package of it")
    model = os.environ.get("LKMM", "")
    if not os.path.exists(os.path.join(model, "linux-kernel.cfg")):
        raise Skip("LKMM= does not name tools/memory-model of a kernel")
    texts = [t.text for t in tests]
    texts += [m.text for t in tests for m in litmus.mutants(t)]
    ours = [axioms.reachable(litmus.Test(t))["lkmm"] for t in texts]
    bad = [t for t, a, b in zip(texts, ours, herd(model, texts)) if a != b]
    assert not bad, f"herd7 finds the opposite for {len(bad)}: {bad[0]}"
    return f"{len(texts)} tests"


def main():
    """All of it."""
    with Tap() as tap:
        first, tests = known(), barriers()
        tap.test("the explorer finds known results", results_are_known, first)
        for test in tests:
            tap.test(f"{test.fields['Row'][0]}: {test.name}", forbids, test)
        tap.test(f"{DOCUMENT} names the tests", document_names_them, tests)
        tap.test("herd7 finds the same", herd_agrees, first + tests)


main()
