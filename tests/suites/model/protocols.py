#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Models of the protocols, searched in full by spin.

tests/model/spin/*.pml: each says at its top what it is of and what holds. Then
each "Mutant: NAME: WHAT" of it is searched, by -DMUTANT_NAME a model with one
barrier or one check less: spin has to find what goes wrong. With LONG=1 a model
is also searched with "Long: NAME=NUMBER", which takes minutes.

tests/suites/model/protocols.py [MODEL [MUTANT]] searches only that, and shows the
steps that lead to the fault.
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
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
from tap import Tap         # noqa: E402

MODELS = os.path.join(TOP, "tests/model/spin")
# steps of a run, far more than any has; a search that gets there is not complete
DEPTH = 1000000


class Model:
    """A model and its mutants.

    name: of the file; mutants: {name: what it lacks}; long: a definition or None
    """

    def __init__(self, path):
        self.name = os.path.basename(path)
        with open(path, encoding="utf-8") as f:
            head = f.read().split("*/")[1]
        self.mutants = dict(re.findall(r"^ \* Mutant: (\w+): ([^\n]*)", head,
                                       re.M))
        m = re.search(r"^ \* Long: (\w+=\d+)$", head, re.M)
        self.long = m[1] if m else None

    def search(self, where, define=None):
        """What the search of all of it prints."""
        for path in glob.glob(os.path.join(MODELS, "*")):
            shutil.copy(path, where)
        option = [f"-D{define}"] if define else []
        run(where, "spin", "-a", *option, self.name)
        run(where, "gcc", "-O1", "-w", "-DSAFETY", "-DMEMLIM=8000",
            "-o", "pan", "pan.c")
        out = run(where, "./pan", f"-m{DEPTH}", "-w22")
        assert "max search depth too small" not in out, out
        assert re.search(r"errors: \d", out), out
        return out

    def steps(self, where, define):
        """The steps that lead to the fault that search() found."""
        option = [f"-D{define}"] if define else []
        return run(where, "spin", "-t", "-p", "-g", *option, self.name)


def run(where, *command):
    """What a command prints; spin and pan say in words what they found."""
    done = subprocess.run(command, cwd=where, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert not done.returncode or command[0] != "gcc", done.stdout
    assert "Error:" not in done.stdout, done.stdout
    return done.stdout


def count(out):
    """How many states there are."""
    return int(re.search(r"(\d+) states, stored", out)[1])


def holds(model, define=None):
    """No step of no run breaks what the model says."""
    with tempfile.TemporaryDirectory() as where:
        out = model.search(where, define)
        assert re.search(r"errors: 0\b", out), \
            out + model.steps(where, define)[-20000:]
    assert "Search not completed" not in out, out
    assert count(out) > 1000, f"only {count(out)} states: it does nothing"
    return f"{count(out)} states"


def caught(model, mutant):
    """Without this, something goes wrong."""
    with tempfile.TemporaryDirectory() as where:
        out = model.search(where, f"MUTANT_{mutant}")
    assert not re.search(r"errors: 0\b", out), "no fault is found"
    m = re.search(r"pan:1: ([^\n(]*[^\n]*) \(at depth", out)
    assert m, out
    return m[1]


def show(model, mutant):
    """Searches one, and prints the steps to what goes wrong."""
    define = f"MUTANT_{mutant}" if mutant else None
    with tempfile.TemporaryDirectory() as where:
        out = model.search(where, define)
        print(out)
        if not re.search(r"errors: 0\b", out):
            print(model.steps(where, define))


def main():
    """All of it, or what was asked for."""
    models = [Model(p) for p in sorted(glob.glob(os.path.join(MODELS, "*.pml")))]
    asked = sys.argv[1:]
    if asked:
        for model in models:
            if model.name in (asked[0], asked[0] + ".pml"):
                show(model, asked[1] if asked[1:] else None)
        return
    with Tap() as tap:
        for model in models:
            tap.test(f"{model.name} holds", holds, model)
            if model.long and os.environ.get("LONG") == "1":
                tap.test(f"{model.name} holds with {model.long}", holds, model,
                         model.long)
            for mutant, what in model.mutants.items():
                tap.test(f"{model.name}, mutant: {what}", caught, model, mutant)


main()
