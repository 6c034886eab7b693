# SPDX-License-Identifier: GPL-2.0-only
"""Guests in a guest: Hyper-V's interface without Hyper-V.

KVM gives a guest a SynIC, and QEMU a VMBus behind it, but only KVM. There is
none on a machine that has no /dev/kvm for us; the emulated CPUs of a guest,
however, have AMD's virtualisation. So:

    machine: QEMU, emulated CPUs
      Outer: Debian's kernel with kvm_amd; one for many inner guests
        QEMU 8.2 or newer (qemu.sh): SynIC by KVM, vmbus-bridge, hv-balloon
          Inner: the kernel under test

    with Outer("outer", slots=2) as outer:
        with Inner(outer, "stock", smp=4) as g:
            g.run("insmod /stock/hv_vmbus.ko")
            g.qmp("balloon", value=400 << 20)

An inner guest takes commands as others do. Its agent, its QMP and its console
are ports of the outer one's virtio-serial device, which QEMU there opens as
pipes and here are sockets and a file: not a byte is copied on the way. All that
is in it lies in its initramfs: /modules the kernel's own modules, those that
our drivers depend on among them, /own and /stock ours, Python as far as lsvmbus
needs it, and kexec.

Two faults of QEMU's emulated virtualisation kill outer and inner guests
(docs/found/qemu-svm.md). One wants a nested guest on the first CPU: so these
are kept off it, and the outer guest has one CPU more than they could use. The
other only a QEMU without it avoids: QEMU=, in the environment, names the program
that runs the outer guest. faulted() tells whether either was seen.
"""

import os
import re
import shlex
import subprocess
import tempfile
import time

import initramfs
from guest import Guest, GuestError, GuestTimeout, Qmp, _connect
from kernels import BUILD, HERE, depends, read_module
from userland import Userland

# how much slower than a guest an inner guest is
SLOW = 6

# what the inner kernel's modules are loaded from by init, in this order
INIT_MODULES = ("virtio_pci", "virtio_console")
# what tests load
MODULES = ("hv_vmbus", "hv_balloon", "msr")

# Hyper-V's interface, as far as KVM has it, but for its timers: their messages come
# through VMBus' interrupt here, and the kernel's own hv_vmbus calls a handler that
# is gone if one comes while it is unloaded
CPU = ("host,kvm=off,hv-relaxed,hv-vapic,hv-vpindex,hv-runtime,hv-time,"
       "hv-synic,hv-crash,hv-reset")

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
PYTHON = "/usr/bin/python3"     # Debian's

# What an oops of x86 says of GS: in the kernel it is the kernel's, an address in
# the upper half. An interrupt that came twice leaves the user's there.
GS = re.compile(r"\bGS:([0-9a-f]{16})\(")
# what a kernel says that runs with another's page tables or GS
LOST = re.compile(r"BUG: unable to handle|double fault|Oops: |"
                  r"general protection fault|stack guard page was hit")

# of an inner guest, in the order of their numbers
PORTS = ("agent", "qmp", "console")


def nested():
    """The directory that qemu.sh has made."""
    done = subprocess.run([os.path.join(HERE, "qemu.sh"), "get"], text=True,
                          stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise GuestError("qemu.sh get failed")
    return done.stdout.strip()


class Outer(Guest):
    """The guest that has KVM. Only the distribution's kernel has it.

    slots: so many inner guests can run at a time
    """

    def __init__(self, name, slots=1, **kw):
        devices = ["-device",
                   f"virtio-serial-pci,id=inner,max_ports={3 * slots + 1}"]
        for slot in range(slots):
            for nr, port in enumerate(PORTS, 3 * slot + 1):
                what = f"{port}{slot}"
                devices += ["-chardev",
                            f"file,id={what},path={what},append=on"
                            if port == "console" else
                            f"socket,id={what},path={what},server=on,wait=off",
                            "-device", f"virtserialport,bus=inner.0,nr={nr},"
                            f"chardev={what},name={what}"]
        kw.setdefault("mem", f"{768 + 640 * slots}M")
        kw.setdefault("limit", 3600)
        super().__init__(name, kernel="distro", smp=3, qemu=devices, **kw)
        self.program = os.environ.get("QEMU") or self.program
        # runs something on all CPUs but the first
        self.pinned = ["taskset", "-c", f"1-{self.smp - 1}"]
        self.nested = nested()
        self.slots = list(range(slots))     # which are free
        self.ports = {}

    def start(self):
        """Boots, loads KVM, connects to the inner guests' ports."""
        super().start()
        # a device's number is what those of 9p leave; ports come when QEMU has
        # said that they are there
        n = len(self.slots) * len(PORTS)
        # inner guests have none themselves, so the emulator need not help
        self.run("modprobe kvm_amd nested=0 vgif=0 vls=0 && "
                 "modprobe virtio_console && until "
                 f"[ -e /dev/kvm ] && ls /dev/vport*p{n}; do sleep .1; done; "
                 f"mkdir /run/inner; for i in $(seq {n}); do "
                 "ln -s /dev/vport*p$i /run/inner/$i; done", 60)
        deadline = time.monotonic() + 20 * self.scale
        for slot in self.slots:
            for port in ("agent", "qmp"):
                self.ports[f"{port}{slot}"] = _connect(
                    self.dir, f"{port}{slot}", deadline, self.running)

    def faulted(self, start=0):
        """What its console has after character start of the fault in which it
        loses its page tables, or None. Nothing of ours runs in it."""
        bad = [x for x in self.console_text()[start:].splitlines()
               if LOST.search(x)]
        if bad:
            return "the outer kernel: " + bad[0]
        if not self.running():
            return "the outer kernel was reset\n" + self.tail(8)
        return None

    def port(self, name):
        """A port, without what an earlier inner guest has left in it."""
        sock = self.ports[name]
        sock.settimeout(0)
        try:
            while sock.recv(65536):
                pass
        except BlockingIOError:
            pass
        return sock

    def end(self):
        for sock in self.ports.values():
            sock.close()
        super().end()


def stripped(path):
    """A module's contents, without debug information."""
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run(["strip", "--strip-debug", "-o", f.name, path],
                       check=True)
        with open(f.name, "rb") as again:
            return again.read()


def ours(release):
    """Our modules for a kernel: {path in the guest: path here}."""
    found = {}
    for bus in ("own", "stock"):
        base = os.path.join(BUILD, release, bus)
        for top, _, files in os.walk(base):
            for f in files:
                if f.endswith(".ko") and "/tests" not in top[len(base):]:
                    found[f"{bus}/{f}"] = os.path.join(top, f)
    return found


def needs(kernel):
    """Names of the kernel's modules that our device drivers want to have before
    them, in load order. The channel is not among them."""
    wanted = set()
    for path in ours(kernel.release).values():
        wanted |= set(depends(read_module(path)))
    ours_too = {os.path.basename(x)[:-3] for x in ours(kernel.release)}
    return [n for n, _ in kernel.module_files(sorted(wanted - ours_too))]


def add_program(c, path, name=None, root=""):
    """Adds a program and its libraries, of this machine or below root."""
    name = (name or path).lstrip("/")
    with open(path, "rb") as f:
        c.regular(name, f.read(), 0o755)
    env = dict(os.environ, LD_LIBRARY_PATH=root + LIBRARIES)
    text = subprocess.run(["ldd", path], stdout=subprocess.PIPE, text=True,
                          check=True, env=env).stdout
    if "not found" in text:
        raise GuestError(f"{path} lacks libraries:\n{text}")
    for lib in re.findall(r"(/\S+) \(0x", text):
        there = lib[len(root):] if root and lib.startswith(root) else lib
        if there not in c.seen:
            c.seen.add(there)
            with open(lib, "rb") as f:
                c.regular(there.lstrip("/"), f.read(), 0o755)


def add_python(c, script):
    """Adds Python, and the modules that a script imports."""
    with open(script, encoding="utf-8") as f:
        imports = [x for x in f.read().splitlines()
                   if re.match(r"(import|from) ", x)]
    code = "\n".join(imports) + (
        "\nimport sys\nfor m in list(sys.modules.values()):\n"
        "    f = getattr(m, '__file__', None)\n"
        "    print(f) if f else None\n")
    text = subprocess.run([PYTHON, "-S", "-c", code], text=True,
                          stdout=subprocess.PIPE, check=True).stdout
    python = os.path.realpath(PYTHON)
    add_program(c, python)
    c.symlink("bin/python3", python)
    for path in sorted(set(text.split())):
        with open(path, "rb") as f:
            c.regular(path.lstrip("/"), f.read())
    with open(script, "rb") as f:
        c.regular("bin/lsvmbus", f.read(), 0o755)


def begin_initramfs(path, kernel, init, modules):
    """Begins an inner guest's initramfs, returns it: busybox, init and agent,
    the kernel's modules, ours. Whoever called closes it.

    init: modules that init loads; modules: what tests load, without what our
        drivers depend on, which is there anyway
    """
    busybox = Userland(kernel.arch).busybox()
    c = initramfs.Cpio(path)
    for d in ("dev proc sys run mnt root tmp var/log etc".split()):
        c.directory(d)
    c.device("dev/console", 5, 1)
    with open(busybox, "rb") as f:
        c.regular("run/vm/busybox", f.read(), 0o755)
    for a in initramfs.APPLETS:
        c.symlink(f"run/vm/{a}", "busybox")
    applets = subprocess.run([busybox, "--list"], text=True,
                             stdout=subprocess.PIPE, check=True).stdout
    for a in applets.split():
        c.symlink(f"bin/{a}", "/run/vm/busybox")
    for src, dst in (("inner.sh", "init"), ("agent.sh", "run/vm/agent")):
        with open(os.path.join(HERE, src), "rb") as f:
            c.regular(dst, f.read(), 0o755)

    names = [n for n, _ in kernel.module_files(init)]
    c.regular("etc/vm-modules", (" ".join(names) + "\n").encode())
    for name, data in kernel.module_files([*init, *modules, *needs(kernel)]):
        c.regular(f"modules/{name}.ko", data)
    for name, file in ours(kernel.release).items():
        c.regular(name, stripped(file))
    return c


def add_kexec(c, kernel, directory, second):
    """Adds the program for kexec, the kernel as /vmlinuz, and the initramfs that
    lies in the file "second" as /initrd."""
    add_program(c, os.path.join(directory, "sbin/kexec"), "bin/kexec",
                directory)
    with open(kernel.image, "rb") as f:
        c.regular("vmlinuz", f.read())
    with open(second, "rb") as f:
        c.regular("initrd", f.read())


def write_initramfs(path, kernel, directory, kexec):
    """Writes an initramfs for a guest of QEMU; kexec: with a kernel and an
    initramfs in it, /vmlinuz and /initrd."""
    if kexec:
        second = path + ".second"
        write_initramfs(second, kernel, directory, False)
    c = begin_initramfs(path, kernel, INIT_MODULES, MODULES)
    if kernel.source:
        add_python(c, os.path.join(kernel.source, "tools/hv/lsvmbus"))
    if kexec:
        add_kexec(c, kernel, directory, second)
        os.unlink(second)
    c.close()


class Inner(Guest):
    """A guest in an Outer that is running.

    kexec: it has the program for it, its kernel in /vmlinuz, and an initramfs in
    /initrd. Others as Guest takes them.
    """

    def __init__(self, outer, name, smp=2, kernel=None, mem="512M", cmdline="",
                 allow=(), kexec=False):
        super().__init__(f"{outer.name.rsplit('.', 1)[0]}-{name}",
                         kernel=kernel, smp=smp, mem=mem, allow=allow,
                         cmdline=cmdline)
        self.outer = outer
        self.kexec = kexec
        self.scale *= SLOW
        self.dir = os.path.join(outer.scratch, name)
        self.there = f"/scratch/{name}"
        self.trace = os.path.join(self.dir, "trace.log")
        self.slot = outer.slots.pop(0)
        self.started = False    # QEMU was, if not how far it came
        self.console = os.path.join(outer.dir, f"console{self.slot}")
        self._base = 0          # where our part of the console begins

    def start(self):
        os.makedirs(self.dir)
        write_initramfs(os.path.join(self.dir, "initramfs"), self.kernel,
                        self.outer.nested, self.kexec)
        self.start_qemu()
        self.wait_boot(100)

    def start_qemu(self):
        """Starts QEMU in the outer guest."""
        n = self.outer.nested.replace(BUILD, "/synthio/build", 1)
        image = self.kernel.boot_image().replace(BUILD, "/synthio/build", 1)
        cmdline = ("console=ttyS0 quiet panic=-1 oops=panic mitigations=off "
                   "no_timer_check tsc=nowatchdog random.trust_cpu=on "
                   "cryptomgr.notests rcupdate.rcu_cpu_stall_timeout=120 "
                   "pci=noearly " + self.cmdline)
        ports = {port: f"path=/run/inner/{3 * self.slot + nr}"
                 for nr, port in enumerate(PORTS, 1)}
        argv = [f"{n}/usr/bin/qemu-system-x86_64", "-L", f"{n}/usr/share/qemu",
                "-L", f"{n}/usr/share/seabios", "-nodefaults",
                "-no-user-config", "-display", "none", "-machine",
                "q35,hpet=off",
                "-accel", "kvm", "-cpu", CPU, "-smp", str(self.smp),
                "-m", f"{self.ram >> 20},slots=1,maxmem={self.ram >> 19}M",
                # a guest that tells of its panic has more to do
                "-action", "panic=none",
                # hv_balloon refuses where the guest could hibernate
                "-global", "ICH9-LPC.disable_s4=1",
                "-device", "vmbus-bridge",
                "-device", "hv-balloon,id=balloon,status-report=on",
                "-kernel", image, "-initrd", "initramfs",
                "-append", cmdline.strip(),
                "-device", "virtio-serial-pci",
                "-chardev", f"pipe,id=agent,{ports['agent']}",
                "-device", "virtconsole,chardev=agent",
                "-chardev", f"pipe,id=qmp,{ports['qmp']}",
                "-mon", "chardev=qmp,mode=control",
                "-chardev", f"pipe,id=console,{ports['console']}",
                "-serial", "chardev:console",
                # and what a guest was about that resets itself
                "-D", "trace.log", "-trace", "vmbus_*", "-d", "cpu_reset"]
        self._base = len(self._text(self.console))
        self._seen = 0
        self._buf = b""
        self._agent = self.outer.port(f"agent{self.slot}")
        sock = self.outer.port(f"qmp{self.slot}")
        self.started = True
        self.outer.run(
            f"cd {self.there} && "
            f"(LD_LIBRARY_PATH={n}{LIBRARIES} "
            f"setsid {shlex.join([*self.outer.pinned, *argv])} "
            ">qemu.log 2>&1 </dev/null & "
            "echo $! >pid)")
        sock.settimeout(30 * self.scale)
        try:
            self._qmp = Qmp(sock)
        except OSError as e:
            raise GuestError(f"no QMP of the inner QEMU ({e}): "
                             + self._qemu_text()) from e

    def console_text(self):
        return super().console_text()[self._base:]

    def faulted(self):
        """What its console has of an interrupt that was delivered twice, or
        None: an oops in kernel mode, on the user's GS."""
        text = self.console_text()
        for m in GS.finditer(text):
            if not m[1].startswith("ffff") and \
               "RIP: 0010:" in text[max(0, m.start() - 2000):m.start()]:
                line = text[text.rfind("\n", 0, m.start()) + 1:]
                return "the inner kernel: " + line[:line.find("\n")]
        return None

    def trace_text(self):
        """What the inner QEMU has traced."""
        return self._text(self.trace)

    def wait_trace(self, pattern, start=0, timeout=30):
        """Waits until the trace matches a pattern after character start."""
        deadline = time.monotonic() + timeout * self.scale
        while True:
            m = re.search(pattern, self.trace_text()[start:])
            if m:
                return m
            if time.monotonic() > deadline:
                raise GuestTimeout(f"QEMU never traced {pattern!r}; it ends "
                                   f"with:\n{self.trace_text()[-1500:]}")
            time.sleep(0.2)

    def running(self):
        return (self.outer.running() and self.outer.sh(
            f"kill -0 $(cat {self.there}/pid)").rc == 0)

    def _quit(self):
        if not self.running():
            return
        try:
            self.qmp("quit")
        except (GuestError, OSError):
            pass
        self.end()

    def end(self):
        if self.slot is None:
            return
        self._qmp = None
        try:
            if self.started and self.outer.running():
                self.outer.sh(f"p=$(cat {self.there}/pid); "
                              "for i in $(seq 50); do kill -0 $p || exit 0; "
                              "sleep .1; done; kill -9 $p", 30)
        finally:
            self._return_slot()

    def _return_slot(self):
        self.keep_logs({"console.log": self.console, "trace.log": self.trace,
                        "qemu.log": os.path.join(self.dir, "qemu.log")})
        self.outer.slots.append(self.slot)
        self.slot = None
