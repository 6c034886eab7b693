#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The code that the models stand for is what they were made from.

tests/model/check compares; first it is tried itself, on a tree of its own.
"""

import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                   "../../.."))
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
from tap import Tap         # noqa: E402

CODE = """\
static int other(int a)
{
	return a;
}

/* What it does */
int ring_send(struct ring *r,
	      int len)
{
	r->index = len;
	virt_mb();
	return other(r->mask);
}
"""
MODEL = """\
C ring
(* SPDX-License-Identifier: GPL-2.0-only *)
(*
 * Code: ring.c: ring_send
 *)
"""


class Tree:
    """A tree with one model and the code that it stands for."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="synthio-models.")
        os.makedirs(os.path.join(self.dir, "tests/model/litmus"))
        shutil.copy(os.path.join(TOP, "tests/model/check"),
                    os.path.join(self.dir, "tests/model/check"))
        self.write("tests/model/litmus/ring.litmus", MODEL)
        self.write("ring.c", CODE)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def write(self, path, text):
        """Writes a file of it."""
        with open(os.path.join(self.dir, path), "w", encoding="utf-8") as f:
            f.write(text)

    def run(self, *args):
        """(status, output) of the check."""
        done = subprocess.run(
            [os.path.join(self.dir, "tests/model/check"), *args], text=True,
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    def fails(self, *texts):
        """The check fails and says these."""
        status, out = self.run()
        assert status == 1, f"status {status}: {out}"
        for text in texts:
            assert text in out, out


def finds_changes():
    """A change of the code fails until it was reviewed; one of a comment, of
    white space or of another function does not."""
    with Tree() as tree:
        tree.fails("ring_send() is new in tests/model/litmus/ring.litmus")
        assert tree.run("--update") == (0, "1 functions\n")
        assert not tree.run()[0]
        tree.write("ring.c", CODE.replace("What", "Not what").replace(
            "return a;", "return -a;").replace(
                "\tvirt_mb();", "\n\t/* C */\n\tvirt_mb ();"))
        assert not tree.run()[0], tree.run()[1]
        tree.write("ring.c", CODE.replace("\tvirt_mb();\n", ""))
        tree.fails("ring_send() has changed, of tests/model/litmus/ring.litmus")
        assert not tree.run("--update")[0]
        assert not tree.run()[0]


def finds_renames():
    """A function that is gone, and one that no model names any more."""
    with Tree() as tree:
        tree.run("--update")
        tree.write("ring.c", CODE.replace("ring_send", "ring_put"))
        tree.fails("no function ring_send()")
        assert tree.run("--update")[0] == 1
        tree.write("tests/model/litmus/ring.litmus",
                   MODEL.replace("ring_send", "ring_put"))
        tree.fails("ring_put() is new", "no model names ring_send()")
        tree.write("tests/model/litmus/ring.litmus",
                   MODEL.replace("Code", "Kode"))
        status, out = tree.run()
        assert status and "names no code" in out, out


def shows_change():
    """What changed is shown, where git has the code that was modelled."""
    with Tree() as tree:
        def git(*args):
            subprocess.run(["git", "-C", tree.dir, "-c", "user.name=t", "-c",
                            "user.email=t@localhost", *args], check=True,
                           stdout=subprocess.DEVNULL)
        tree.run("--update")
        git("init", "-q")
        git("add", "-A")
        git("commit", "-q", "-m", "Begin")
        tree.write("ring.c", CODE.replace("virt_mb", "virt_rmb"))
        tree.fails("-\tvirt_mb();", "+\tvirt_rmb();")


def is_reviewed():
    """The models of this tree are of its code."""
    done = subprocess.run([os.path.join(TOP, "tests/model/check")], text=True,
                          check=False, stdout=subprocess.PIPE)
    assert not done.returncode, done.stdout
    return done.stdout.strip()


def main():
    """All of it."""
    with Tap() as tap:
        tap.test("a change of modelled code is found", finds_changes)
        tap.test("a function that is gone is found", finds_renames)
        if shutil.which("git"):
            tap.test("the change is shown", shows_change)
        else:
            tap.skip("the change is shown", "no git")
        tap.test("the models are of this code", is_reviewed)


main()
