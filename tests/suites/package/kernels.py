#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Modules are built for kernels of different ages, and what a kernel that nobody
knows gets to read.

tests/kernels builds them, by default for MATRIX and with LONG=1 for each kernel in
Debian's archive, as `make kernels` does.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../../.."))
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
from kernels import Kernel      # noqa: E402
from tap import Skip, Tap       # noqa: E402

# what no guest boots; those that one boots are built for it
MATRIX = ["6.1-cloud"]
# options that clang 14, which this distribution has, can't be asked for
GCC_ONLY = ["CC_IS_GCC", "GCC_VERSION", "LD_IS_BFD", "RETHUNK",
            "CC_HAS_RETURN_THUNK", "FTRACE_MCOUNT_USE_CC", "INIT_STACK_ALL_ZERO",
            "CPU_UNRET_ENTRY", "CPU_SRSO", "SLS"]
LONG = os.environ.get("LONG") == "1"
NEW = """/*
 * PROBE new: what only later kernels have
 * FORM ONE: the first form
 * FORM TWO: the second
 */
#error neither of them
"""


def variables(name):
    """What kernel.sh says of a kernel's headers."""
    out = subprocess.run([os.path.join(TOP, "tests/vm/kernel.sh"), "headers",
                          name], text=True, check=True,
                         stdout=subprocess.PIPE).stdout
    return dict(re.findall(r"^(\w+)='(.*)'$", out, re.M))


class Configure:
    """compat/configure with a few probes, in a directory of its own."""

    def __init__(self, where, *probes):
        self.out = os.path.join(where, "out")
        self.top = os.path.join(where, "compat")
        self.kbuild = variables("distro")["KBUILD_DIR"]
        shutil.copytree(os.path.join(TOP, "compat"), self.top,
                        ignore=lambda d, names: [
                            n for n in names if n.endswith(".c")
                            and n[:-2] not in probes])

    def add(self, name, text):
        """One more probe."""
        with open(os.path.join(self.top, "probes", name + ".c"), "w",
                  encoding="utf-8") as f:
            f.write("/* SPDX-License-Identifier: GPL-2.0-only */\n" + text)

    def run(self, kbuild=None, command=None):
        """Runs it for the distribution's kernel, or for another directory."""
        return subprocess.run(
            [os.path.join(self.top, "configure"), self.out,
             kbuild or self.kbuild, *(command or [
                 os.path.join(TOP, "tests/vm/kernel.sh"), "make", "distro"])],
            text=True, check=False, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)

    def config(self):
        """What it wrote, if it did."""
        try:
            with open(os.path.join(self.out, "config.h"), encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return None


def finds(where):
    """A probe has the form that the headers have; asked again, it is not run."""
    c = Configure(where, "sanity", "hrtimer")
    done = c.run()
    assert done.returncode == 0, done.stdout
    # 6.1 and 6.12 have hrtimer_init(), and what comes later hrtimer_setup()
    path = os.path.join(c.kbuild, "Makefile")
    with open(path, encoding="utf-8") as f:
        common = re.search(r"include \$\(unpacked\)(\S+)/Makefile", f.read())[1]
    path = os.path.join(os.path.dirname(c.kbuild), common,
                        "include/linux/hrtimer.h")
    with open(path, encoding="utf-8") as f:
        setup = "hrtimer_setup(" in f.read()
    wanted = "HAVE_HRTIMER_SETUP" if setup else "HAVE_HRTIMER_INIT"
    assert f"#define {wanted} 1" in c.config(), c.config()
    assert c.config().count("#define HAVE_") == 2, c.config()
    done = c.run(command=["false"])
    assert done.returncode, "other commands, and it kept its answers"
    done = c.run()
    assert done.returncode == 0, done.stdout
    before = os.stat(os.path.join(c.out, "config.h")).st_ino
    assert c.run().returncode == 0
    assert os.stat(os.path.join(c.out, "config.h")).st_ino == before
    report = subprocess.run([os.path.join(c.top, "configure"), "report", c.out],
                            text=True, stdout=subprocess.PIPE, check=True).stdout
    assert re.search(r"^probe hrtimer +\S+ +hrtimer_\w+\(\)", report, re.M), report


def names_the_unknown(where):
    """No form compiles: the error says which probe, and what it is about."""
    c = Configure(where, "sanity", "hrtimer")
    c.add("new", NEW)
    done = c.run()
    assert done.returncode and c.config() is None, done.stdout
    assert re.search(r"error: probe new \(what only later kernels have\): none of"
                     r" the known forms compiles.*: ONE TWO", done.stdout), \
        done.stdout


def names_what_is_broken(where):
    """Headers without a compiler: that is said, and no probe is blamed."""
    c = Configure(where, "sanity", "hrtimer")
    done = c.run(command=["false"])
    assert done.returncode and c.config() is None, done.stdout
    assert "an empty module does not compile" in done.stdout, done.stdout
    assert "probe hrtimer" not in done.stdout, done.stdout


def change(path, edit):
    """Rewrites a file by a function of its text."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(edit(text))


def without(pattern, text):
    """The lines that do not begin like that."""
    return "".join(x for x in text.splitlines(True) if not re.match(pattern, x))


def clang_headers(kernel, tree, options):
    """The kernel's headers as they were if clang had compiled it."""
    shutil.copytree(kernel.kbuild, tree, symlinks=True)
    # links to the kernel's build programs, relative to where the headers were
    for name in os.listdir(tree):
        path = os.path.join(tree, name)
        if os.path.islink(path):
            os.unlink(path)
            os.symlink(os.path.realpath(os.path.join(kernel.kbuild, name)), path)
    change(os.path.join(tree, "Makefile"), lambda t: re.sub(
        r"unpacked := .*", f"unpacked := {os.path.dirname(kernel.kbuild)}/", t))
    # Debian's own choice of a compiler, which is gcc
    change(os.path.join(tree, ".kernelvariables"),
           lambda t: without("CC *=|CCACHE", t))
    gone = "|".join(GCC_ONLY + list(options))
    change(os.path.join(tree, "include/config/auto.conf"),
           lambda t: without(f"CONFIG_({gone})=", t)
           + "".join(f"CONFIG_{k}={v}\n" for k, v in options.items()))
    change(os.path.join(tree, "include/generated/autoconf.h"),
           lambda t: without(rf"#define CONFIG_({gone})\b", t) + "".join(
               f"#define CONFIG_{k} {'1' if v == 'y' else v}\n"
               for k, v in options.items()))


def clang(where):
    """Headers of a kernel that clang has compiled: "make" uses it, too."""
    version = subprocess.run(["clang", "-dumpversion"], text=True,
                             stdout=subprocess.PIPE, check=False).stdout.strip()
    if not version or not shutil.which("ld.lld"):
        raise Skip("clang or lld is missing")
    major, minor, patch = (version.split(".") + ["0", "0"])[:3]
    kernel = Kernel("distro")
    tree = os.path.join(where, "headers")
    clang_headers(kernel, tree, {
        "CC_IS_CLANG": "y", "LD_IS_LLD": "y", "CLANG_VERSION":
        f"{int(major)}{int(minor):02}{int(patch):02}",
        "CC_IMPLICIT_FALLTHROUGH": '"-Wimplicit-fallthrough"'})
    done = subprocess.run([os.path.join(TOP, "compat/kmake"), tree], text=True,
                          stdout=subprocess.PIPE, check=True)
    assert done.stdout.strip() in ("LLVM=1", f"LLVM=-{major}"), done.stdout
    # a build directory of its own: this release has one made by gcc
    copy = os.path.join(where, "synthio")
    shutil.copytree(TOP, copy, symlinks=True,
                    ignore=shutil.ignore_patterns("build", ".git", "tests"))
    # what a make that runs this has on its command line is not for the copy
    env = {k: v for k, v in os.environ.items()
           if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "KERNEL", "W")}
    done = subprocess.run(["make", "-C", copy, "modules", f"KDIR={tree}"],
                          text=True, stdout=subprocess.PIPE, check=False,
                          stderr=subprocess.STDOUT, env=env)
    assert done.returncode == 0, done.stdout[-3000:]
    # headers of this kernel have warnings of their own with this compiler
    said = [x for x in done.stdout.splitlines()
            if re.match(re.escape(copy) + r"\S*\.[ch]:\d+.*warning:", x)]
    assert not said, "\n".join(said)
    ko = os.path.join(copy, "build", kernel.release,
                      "own/drivers/block/synth_blk.ko")
    said = subprocess.run(["readelf", "-p", ".comment", ko], text=True,
                          stdout=subprocess.PIPE, check=True).stdout
    assert "clang" in said and "GCC" not in said, said


def matrix(tap):
    """Modules for each of MATRIX."""
    if os.geteuid():
        tap.skip("modules for other kernels", "compilers of other releases run in "
                 "a chroot, which needs root")
        return
    done = subprocess.run([os.path.join(TOP, "tests/kernels"),
                           *([] if LONG else MATRIX)], text=True, cwd=TOP,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    rows = re.findall(r"^\| (\d\S+) \| .* \| (.*) \|$", done.stdout, re.M)
    for release, result in rows:
        tap.ok(result == "ok", f"modules for {release}", result)
    tap.ok(rows and "passed" in done.stdout, "the matrix is built",
           done.stdout[-3000:])


def main():
    """Runs the tests."""
    with Tap() as tap:
        for name, test in (("a kernel's forms are found", finds),
                           ("a probe without a form is named", names_the_unknown),
                           ("headers without a compiler", names_what_is_broken),
                           ("a kernel compiled by clang", clang)):
            with tempfile.TemporaryDirectory(prefix="synthio-kernels.") as where:
                tap.test(name, test, where)
        matrix(tap)


if __name__ == "__main__":
    main()
