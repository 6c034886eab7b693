# SPDX-License-Identifier: GPL-2.0-only
"""Writes the guest's initramfs: busybox, a few modules, /init."""

import os
import stat

APPLETS = ("sh mount mkdir modprobe ifconfig sleep stty timeout setsid "
           "cttyhack").split()

# what reaches the machine's files: 9p, made writable
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"]

# What nearly every command needs lies in the overlay's upper layer from the
# start: an emulated guest waits 5 ms for each 9p request.
HOT = ("dash bash cat ls grep sed sleep dd mkdir rm cp mv mount umount dmesg "
       "kmod stat sync wc head tail true").split()

# nothing personal: programs need these of /etc, the rest is made by init
ETC = ["ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives",
       "mke2fs.conf", "services", "protocols", "udev", "modprobe.d",
       "inputrc"]

FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n"
                  "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ntty:x:5:\ndisk:x:6:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost guest\n::1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "etc/hostname": "guest\n",
}

LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib",
         "lib64": "usr/lib64", "var/run": "../run",
         "etc/mtab": "../proc/self/mounts"}

FSTAB = """sys /sys sysfs defaults 0 0
debugfs /sys/kernel/debug debugfs defaults 0 0
tracefs /sys/kernel/tracing tracefs defaults 0 0
devpts /dev/pts devpts gid=5,mode=620 0 0
shm /dev/shm tmpfs defaults 0 0
"""


class Cpio:
    """A cpio archive of the "newc" format (Documentation/driver-api/
    early-userspace/buffer-format.rst)."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.ino = 0
        self.seen = set()

    def _entry(self, name, mode, data=b"", nlink=1, rdev=(0, 0)):
        self.ino += 1
        raw = name.encode() + b"\0"
        fields = [self.ino, mode, 0, 0, nlink, 0, len(data), 0, 0,
                  rdev[0], rdev[1], len(raw), 0]
        out = b"070701" + b"".join(b"%08x" % x for x in fields) + raw
        out += b"\0" * (-len(out) % 4) + data
        self.file.write(out + b"\0" * (-len(data) % 4))

    def directory(self, name):
        """Adds a directory and those above it, each once."""
        if name and name not in self.seen:
            self.directory(os.path.dirname(name))
            self.seen.add(name)
            self._entry(name, stat.S_IFDIR | 0o755, nlink=2)

    def regular(self, name, data, mode=0o644):
        """Adds a file with these contents."""
        self.directory(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, data)

    def symlink(self, name, target):
        """Adds a symbolic link."""
        self.directory(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name, major, minor):
        """Adds a character device."""
        self.directory(os.path.dirname(name))
        self._entry(name, stat.S_IFCHR | 0o600, rdev=(major, minor))

    def tree(self, name, path):
        """Copies a file, link or directory of this side, if readable."""
        if os.path.islink(path):
            self.symlink(name, os.readlink(path))
        elif os.path.isdir(path):
            self.directory(name)
            for x in sorted(os.listdir(path)):
                self.tree(f"{name}/{x}", f"{path}/{x}")
        elif os.path.isfile(path) and os.access(path, os.R_OK):
            with open(path, "rb") as f:
                self.regular(name, f.read(), os.stat(path).st_mode & 0o777)

    def close(self):
        """Ends the archive."""
        self._entry("TRAILER!!!", 0)
        self.file.close()


def hot_files(userland):
    """The programs in HOT, and the libraries that they load, as
    {path in the guest: path on this side}."""
    found = {}
    paths = [userland.path(p) for p in map(userland.which, HOT) if p]
    paths = [os.path.realpath(p) for p in paths]
    paths += [userland.path(p) for p in userland.libraries(paths)]
    for p in paths:
        # by the name that it is looked for, and by the one that it has; a
        # machine that keeps a /lib of its own is left to 9p
        real = os.path.realpath(p)
        for name in {os.path.join(os.path.realpath(os.path.dirname(p)),
                                  os.path.basename(p)), real}:
            name = userland.inside(name)
            if name.startswith("/usr/"):
                found[name] = real
    return found


def fstab(mounts):
    """Lines of /etc/fstab for shares: (tag, path, mount point, mode).

    Modes: ro and rw are 9p mounts, overlay is a 9p mount with a writable
    layer above it, under is the same above a directory of an earlier mount,
    bind shows a directory of an earlier mount in another place
    """
    out = FSTAB
    for tag, path, where, mode in mounts:
        opts = "trans=virtio,version=9p2000.L,msize=262144"
        if mode != "rw":        # written by nobody while the guest runs
            opts += ",ro,cache=loose"
        lower = path if mode == "under" else f"/9p/{tag}"
        if mode == "overlay":
            out += f"{tag} {lower} 9p {opts} 0 0\n"
        if mode == "bind":
            out += f"{path} {where} none bind 0 0\n"
        elif mode in ("overlay", "under"):
            out += (f"{tag} {where} overlay lowerdir={lower},"
                    f"upperdir=/upper/{tag},workdir=/upper/{tag}.work 0 0\n")
        else:
            out += f"{tag} {where} 9p {opts} 0 0\n"
    return out


def write(path, kernel, mounts, here, userland):
    """Writes an initramfs for a guest.

    kernel: kernels.Kernel; mounts: as fstab() takes them;
    here: directory with init.sh and agent.sh; userland: userland.Userland
    """
    c = Cpio(path)
    for d in ("dev proc sys run mnt opt root tmp usr var/tmp var/log").split():
        c.directory(d)
    c.device("dev/console", 5, 1)
    for name, target in LINKS.items():
        c.symlink(name, target)
    for name, text in FILES.items():
        c.regular(name, text.encode())
    for x in ETC:
        c.tree(f"etc/{x}", userland.path(f"/etc/{x}"))

    with open(userland.busybox(), "rb") as f:
        c.regular("run/vm/busybox", f.read(), 0o755)
    for a in APPLETS:
        c.symlink(f"run/vm/{a}", "busybox")
    for src, dst in (("init.sh", "init"), ("agent.sh", "run/vm/agent")):
        with open(os.path.join(here, src), "rb") as f:
            c.regular(dst, f.read(), 0o755)

    moddir = f"usr/lib/modules/{kernel.release}"
    names = []
    deps = ""
    for name, data in kernel.module_files(MODULES):
        # in load order, so each may just as well need all before it
        deps += f"{name}.ko: {' '.join(n + '.ko' for n in reversed(names))}\n"
        names.append(name)
        c.regular(f"{moddir}/{name}.ko", data)
    c.regular(f"{moddir}/modules.dep", deps.encode())
    c.regular("etc/vm-modules", (" ".join(names) + "\n").encode())

    c.regular("etc/fstab", fstab(mounts).encode())
    for tag, _, where, mode in mounts:
        if mode in ("overlay", "under"):
            c.directory(f"upper/{tag}")
            c.directory(f"upper/{tag}.work")
            c.directory(f"9p/{tag}")
        above = "upper/" if where.startswith("/usr/") else ""
        if mode != "bind":      # where it goes is in an earlier mount
            c.directory(above + where.lstrip("/"))
    for name, real in hot_files(userland).items():
        with open(real, "rb") as f:
            c.regular("upper" + name, f.read(), 0o755)
    c.close()
