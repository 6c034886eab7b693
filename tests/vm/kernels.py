# SPDX-License-Identifier: GPL-2.0-only
"""The kernels that guests boot: where kernel.sh put them, and their modules."""

import gzip
import lzma
import os
import re
import shlex
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, "build")
NEWEST = "newest"


class KernelError(Exception):
    """A kernel could not be had."""


class Kernel:
    """One unpacked kernel.

    name: distro, 6.12, debug..., as kernel.sh takes it; release: what uname -r
    says in it; arch: amd64 or arm64, in Debian's words;
    image: what the bootloader would start; modules: the directory
    lib/modules/<release>; kbuild: what make -C takes; source: a directory with
    parts of the source of the distribution's kernel, or "".
    """

    def __init__(self, name):
        script = os.path.join(HERE, "kernel.sh")
        done = subprocess.run([script, "get", name], stdout=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode:
            raise KernelError(f"kernel.sh get {name} failed "
                              f"(exit {done.returncode})")
        var = dict(w.split("=", 1) for w in shlex.split(done.stdout)
                   if "=" in w)
        self.name = name
        self.release = var["KREL"]
        self.arch = var["KARCH"]
        self.image = var["KIMAGE"]
        self.modules = os.path.join(var["KMODULES"], "lib/modules",
                                    self.release)
        self.kbuild = var["KBUILD_DIR"]
        self.source = var.get("KSRC", "")
        self._paths = None
        self._builtin = None

    def boot_image(self):
        """The image that QEMU starts.

        Unpacking a compressed kernel takes an emulated CPU seconds and this
        machine a fraction of one, so the ELF image inside is booted (by its
        PVH entry) if it can be had; else the bzImage as it is.
        """
        name = self.name if self.name == "debug" else self.release
        out = os.path.join(BUILD, "cache", f"vmlinux-{name}")
        stamp = os.stat(self.image).st_mtime
        if os.path.exists(out) and os.stat(out).st_mtime == stamp:
            return out
        elf = unpack_bzimage(self.image)
        if elf is None:
            return self.image
        os.makedirs(os.path.dirname(out), exist_ok=True)
        tmp = f"{out}.{os.getpid()}"
        with open(tmp, "wb") as f:
            f.write(elf)
        os.utime(tmp, (stamp, stamp))
        os.rename(tmp, out)
        return out

    def has(self, what):
        """Whether compat/configure found a form, such as RING_SYSFS_YES.

        The modules for it have to be built.
        """
        path = os.path.join(BUILD, self.release, "compat/config.h")
        with open(path, encoding="ascii") as f:
            return f"#define HAVE_{what} 1\n" in f.read()

    def module_path(self, name):
        """Path of a module's file, None if it is built in, else KernelError."""
        if self._paths is None:
            self._paths = {}
            for top, _, files in os.walk(os.path.join(self.modules, "kernel")):
                for f in files:
                    m = re.match(r"(.+)\.ko(\.xz|\.gz)?$", f)
                    if m:
                        key = m.group(1).replace("-", "_")
                        self._paths[key] = os.path.join(top, f)
            with open(os.path.join(self.modules, "modules.builtin"),
                      encoding="ascii") as f:
                self._builtin = {os.path.basename(x.strip())[:-3]
                                 .replace("-", "_") for x in f}
        name = name.replace("-", "_")
        if name in self._paths:
            return self._paths[name]
        if name in self._builtin:
            return None
        raise KernelError(f"kernel {self.release} has no module {name}")

    def module_files(self, names):
        """Modules and what they depend on, as (name, bytes) in load order."""
        done = {}

        def add(name):
            name = name.replace("-", "_")
            if name in done:
                return
            path = self.module_path(name)
            if path is None:
                return
            data = read_module(path)
            for dep in depends(data):
                add(dep)
            done[name] = data

        for n in names:
            add(n)
        return list(done.items())


def read_module(path):
    """The contents of a module's file, decompressed."""
    opener = {".xz": lzma.open, ".gz": gzip.open}.get(
        os.path.splitext(path)[1], open)
    with opener(path, "rb") as f:
        return f.read()


def depends(data):
    """Names of the modules that a module wants before it, as modinfo has them."""
    m = re.search(rb"\0depends=([^\0]*)\0", data)
    return [x for x in m.group(1).decode().split(",") if x] if m else []


def unpack_bzimage(path):
    """The ELF image in a bzImage with a PVH entry, or None.

    Format: the kernel's Documentation/arch/x86/boot.rst, "payload_offset".
    """
    with open(path, "rb") as f:
        img = f.read()
    if img[0x202:0x206] != b"HdrS":
        return None
    setup = ((img[0x1f1] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", img, 0x248)
    data = img[setup + offset:setup + offset + length]
    try:
        if data[:6] == b"\xfd7zXZ\0":
            elf = lzma.LZMADecompressor().decompress(data)
        elif data[:2] == b"\x1f\x8b":
            elf = gzip.zlib.decompressobj(31).decompress(data)
        else:
            return None
    except (lzma.LZMAError, gzip.zlib.error):
        return None
    # an ELF note of type 18 (XEN_ELFNOTE_PHYS32_ENTRY) by the name of Xen
    if elf[:4] != b"\x7fELF" or \
       not re.search(rb"\x04\0\0\0.\0\0\0\x12\0\0\0Xen\0", elf, re.S):
        return None
    return elf


def build_modules(tap, name, *buses):
    """Builds the modules for a kernel, as a test for each bus (own, stock or hv).

    Where the compiler is another release's, that needs a chroot and so root.
    Returns whether all of them are there.
    """
    def build(bus):
        done = subprocess.run(["make", "-s", "modules", f"KERNEL={name}",
                               f"BUS={bus}"], cwd=TOP, stdout=subprocess.PIPE,
                              text=True, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout[-3000:]

    for bus in buses:
        title = f"modules for {name}, BUS={bus}"
        if os.environ.get("DEBUG_KERNEL") == "1":
            tap.skip(title, "that is about a kernel of its own")
        elif os.geteuid() and name != "distro":
            tap.skip(title, "they are built in a chroot, which needs root")
        elif tap.test(title, lambda b=bus: build(b)):
            continue
        return False
    return True


def newest_modules(tap):
    """build_modules() by their own names for the newest kernel."""
    return build_modules(tap, NEWEST, "own")
