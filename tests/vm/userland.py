# SPDX-License-Identifier: GPL-2.0-only
"""The programs that a guest runs: the machine's own, or those of another
architecture that userland.sh has unpacked."""

import os
import platform
import re
import shutil
import subprocess

from kernels import HERE

# Debian's names of architectures, by uname's
HERE_ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(
    platform.machine(), platform.machine())
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
PATH = "/usr/bin:/usr/sbin:/bin:/sbin"


class UserlandError(Exception):
    """There are no programs for a guest."""


class Userland:
    """The programs of one architecture.

    root: the directory that has usr/ and etc/ for guests: / for the machine's
    """

    def __init__(self, arch):
        self.arch = arch
        self.native = arch == HERE_ARCH
        self.root = "/"
        if not self.native:
            done = subprocess.run(
                [os.path.join(HERE, "userland.sh"), "get", arch],
                stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                raise UserlandError(f"userland.sh get {arch} failed "
                                    f"(exit {done.returncode})")
            self.root = done.stdout.strip()

    def path(self, name):
        """Where a file of the guest's /usr or /etc lies on this side."""
        return os.path.join(self.root, name.lstrip("/"))

    def which(self, name):
        """Path in a guest of a program, or None."""
        found = shutil.which(name, path=":".join(
            self.path(x) for x in PATH.split(":")))
        return found and self.inside(found)

    def inside(self, path):
        """What a guest calls a file of this side."""
        return os.path.join("/", os.path.relpath(path, self.root))

    def busybox(self):
        """Path on this side of a static busybox."""
        found = self.which("busybox")
        if not found:
            raise FileNotFoundError("busybox-static is not installed "
                                    "(tests/vm/deps.sh vm)")
        return self.path(found)

    def libraries(self, programs):
        """Paths in a guest of what programs load, found by their paths on this
        side: libraries, and the interpreter."""
        if not programs:
            return []
        if self.native:
            text = subprocess.run(["ldd", *programs], text=True, check=False,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL).stdout
            return sorted(set(re.findall(r"(/\S+) \(0x", text)))
        found, todo = set(), list(programs)
        while todo:
            names, where = self._needed(todo.pop())
            for name in names:
                lib = name if name.startswith("/") else self._library(name,
                                                                      where)
                if lib not in found:
                    found.add(lib)
                    todo.append(self.path(lib))
        return sorted(found)

    @staticmethod
    def _needed(path):
        """What an ELF file names: libraries and the interpreter, and the
        directories that it has libraries of its own in."""
        text = subprocess.run(["readelf", "-ldW", path], text=True, check=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
        where = re.search(r"\(R(?:UN)?PATH\).*\[(.*)\]", text)
        origin = os.path.dirname(path)
        return (re.findall(r"\(NEEDED\).*\[(.*)\]", text)
                + re.findall(r"program interpreter: (\S+)\]", text),
                where[1].replace("$ORIGIN", origin).split(":") if where else [])

    def _library(self, name, where):
        for d in (*where, f"/usr/lib/{TRIPLETS[self.arch]}", "/usr/lib"):
            d = self.inside(d) if d.startswith(self.root) else d
            if os.path.exists(self.path(f"{d}/{name}")):
                return f"{d}/{name}"
        raise UserlandError(f"no {name} for {self.arch}")
