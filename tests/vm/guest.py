# SPDX-License-Identifier: GPL-2.0-only
"""Boots guests for tests and runs commands in them.

    with Guest("disk", host=["--scsi", "c0"]) as g:
        g.load("own")                     # insmod synth_vmbus.ko
        print(g.run("dmesg | tail").out)  # raises if it exits non-zero
        g.ctl("status")                   # synthhost's control socket
        g.qmp("system_reset")             # QEMU's

A guest is QEMU (emulated CPUs, never /dev/kvm) with an unpacked distribution
kernel, a small initramfs, a /usr under an overlay (this machine's, or an unpacked
one where the kernel is for another architecture), build/ and tests/ of the
project in /synthio, and a scratch directory for both sides
(g.scratch here, /scratch there). Leaving the "with" block ends everything and
raises GuestProblem if the kernel or synthhost complained.
"""

import ctypes
import json
import mmap
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

import console
import initramfs
from kernels import BUILD, HERE, TOP, Kernel
from machine import MACHINES
from userland import Userland, UserlandError

SHM = "/dev/shm"
# directories in build/ of programs that run in guests
TOOLS = ("guest", "net")


class GuestError(Exception):
    """A guest could not be started, or talked to."""


class GuestTimeout(GuestError):
    """Something in a guest did not end in time."""


class GuestProblem(GuestError):
    """The kernel or synthhost complained; the lines are the argument."""


class Result:
    """What a command left: rc, and out (stdout and stderr as they came)."""

    def __init__(self, rc, out):
        self.rc = rc
        self.out = out


def size(text):
    """Bytes of a size such as 512M."""
    m = re.fullmatch(r"(\d+)([KMGT]?)", str(text).upper())
    if not m:
        raise ValueError(f"{text} is not a size")
    return int(m.group(1)) << 10 * " KMGT".index(m.group(2) or " ")


def time_scale():
    """How much longer than usual things may take: VM_SCALE, or by kernel."""
    default = 6 if os.environ.get("DEBUG_KERNEL") == "1" else 1
    return float(os.environ.get("VM_SCALE") or default)


def usual_kernel():
    """The Kernel of guests that ask for none."""
    return Kernel(os.environ.get("VM_KERNEL") or (
        "debug" if os.environ.get("DEBUG_KERNEL") == "1" else "distro"))


def _die_with_parent():
    # PR_SET_PDEATHSIG: "timeout" hands the SIGTERM on to what it runs
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _spawn(argv, limit, cwd, log, env=None, **kw):
    """Starts a program that ends after limit seconds or with this process."""
    return subprocess.Popen(
        ["timeout", "--foreground", "-k", "5", str(int(limit))] + argv,
        cwd=cwd, stdout=log, stderr=subprocess.STDOUT,
        preexec_fn=_die_with_parent, env=env, **kw)


def _children(pid):
    """Process ids of a process's children, those of all its threads."""
    found = []
    try:
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/children",
                      encoding="ascii") as f:
                found += [int(x) for x in f.read().split()]
    except OSError:
        pass
    return found


def _child(proc):
    """Process id of what "timeout" runs."""
    return (_children(proc.pid) or [None])[0]


def _connect(directory, name, deadline, alive):
    """Connects to a UNIX socket in a directory however long its path is."""
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        while True:
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                s.connect(f"/proc/self/fd/{fd}/{name}")
                return s
            except OSError as e:
                s.close()
                if time.monotonic() > deadline or not alive():
                    raise GuestError(f"no connection to {name}: {e}") from e
                time.sleep(0.02)
    finally:
        os.close(fd)


def _sweep():
    """Removes RAM files of runs whose process is gone."""
    for x in os.listdir(SHM):
        m = re.fullmatch(r"synthio-.*\.(\d+)", x)
        if m and not os.path.exists(f"/proc/{m.group(1)}"):
            try:
                os.unlink(os.path.join(SHM, x))
            except OSError:
                pass


class Qmp:
    """A QMP connection."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")
        self.events = []
        self._receive()
        self.command("qmp_capabilities")

    def _receive(self):
        line = self.file.readline()
        if not line:
            raise GuestError("QEMU closed its QMP connection")
        return json.loads(line)

    def command(self, name, **args):
        """Runs a command, returns what it returned."""
        msg = {"execute": name}
        if args:
            msg["arguments"] = args
        try:
            self.sock.sendall(json.dumps(msg).encode() + b"\n")
            while True:
                reply = self._receive()
                if "event" in reply:
                    self.events.append(reply)
                elif "error" in reply:
                    raise GuestError(f"QMP {name}: {reply['error']['desc']}")
                else:
                    return reply["return"]
        except OSError as e:
            raise GuestError(f"QMP {name}: {e}") from e


class Guest:
    """A guest and, if asked for, the synthhost that it talks to.

    name: for file names
    kernel: a name that kernel.sh takes, such as distro, 6.12 or debug, or a
        Kernel; default VM_KERNEL, or by DEBUG_KERNEL=1
    machine: pc or q35, or virt with a kernel for arm64; default the one that
        fits the kernel; smp, maxcpus: vCPUs now and at most (at least 2: with
        one possible vCPU the emulator drops atomics and fences)
    mem: RAM; cmdline: more kernel parameters
    host: synthhost's devices, as arguments; None: no ivshmem device; or a
        function that takes the guest, makes files in its scratch directory
        and returns the arguments
    host_build: host-asan or host; default VM_HOST
    vectors: of the ivshmem device; bar: its BAR's size
    allow: regular expressions of console lines that are wanted
    host_allow: the same for synthhost's log: what the guest does wrong there
    reboot: False: QEMU ends where the guest would reset itself
    shares: more directories as (tag, path here, path there, ro|rw|overlay)
    limit: seconds after which QEMU is ended
    programs: more programs that QEMU needs, as (name, arguments, socket that
        is there when it is ready); they run in the guest's directory
    initrd: an initramfs to boot instead of ours. Nothing is shared with it, and
        nobody in it takes commands: its console tells how it goes
    bios: True: the kernel is started by the machine's firmware, slowly, and
        finds what that has set up (vga=0x... on its command line: a mode)
    qemu: more QEMU arguments; serial: None or "stdio" for a shell there
    """

    def __init__(self, name, kernel=None, machine=None, smp=2, maxcpus=None,
                 mem="512M", cmdline="", host=None, host_build=None, vectors=8,
                 bar="16M", allow=(), host_allow=(), reboot=False, shares=(), limit=900,
                 programs=(), initrd=None, bios=False, qemu=(), serial=None):
        self.name = f"{name}.{os.getpid()}"
        self.kernel = usual_kernel() if kernel is None else \
            kernel if isinstance(kernel, Kernel) else Kernel(kernel)
        self.arch = MACHINES[self.kernel.arch]
        self.machine = machine or self.arch.default
        if self.machine not in self.arch.options:
            raise ValueError(f"a kernel for {self.kernel.arch} does not run on "
                             f"{self.machine}")
        self.smp = smp
        self.maxcpus = maxcpus or max(2, smp)
        if self.maxcpus < 2:
            raise ValueError("maxcpus has to be 2 or more")
        self.possible = self.maxcpus if self.arch.plugs else smp    # CPUs
        self.program = self.arch.program    # QEMU's
        self.ram = size(mem)
        self.cmdline = cmdline
        self.host_args = host
        self.host_build = host_build or os.environ.get("VM_HOST", "host-asan")
        self.vectors = vectors
        self.bar = bar
        self.allow = list(allow)
        self.host_allow = list(host_allow)
        self.host_prefix = []   # what runs synthhost elsewhere
        self.reboot = reboot
        self.shares = list(shares)
        self.scale = time_scale()
        self.limit = limit * self.scale
        self.programs = list(programs)
        self.initrd = initrd
        self.bios = bios
        self.qemu_args = list(qemu)
        self.serial = serial

        self.dir = os.path.join(BUILD, "run", self.name)
        self.scratch = os.path.join(self.dir, "scratch")
        self.console = os.path.join(self.dir, "console.log")
        self.host_log = os.path.join(self.dir, "synthhost.log")
        self.ram_file = None
        self.qemu = None
        self.host = None
        self._userland = None
        self._running = []      # of self.programs
        self._qmp = None
        self._agent = None
        self._buf = b""
        self._seen = 0          # characters of the console that were checked
        self._host_seen = 0
        self._host_signal = None    # what kill_host() has sent
        self._logs = []
        self.host_status = None  # synthhost's exit status when it has ended

    # -- life ---------------------------------------------------------------

    def __enter__(self):
        try:
            self.start()
        except BaseException as e:
            if isinstance(e, Exception) and "ends with:" not in str(e):
                self._tell()
            self.end()
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.close()
        else:
            if issubclass(kind, Exception) and "ends with:" not in str(value):
                self._tell()
            self.end()

    def start(self):
        """Starts synthhost and QEMU, returns when the guest takes commands
        (with an initramfs of another's making: at once)."""
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.scratch)
        self._make_ram()
        if callable(self.host_args):
            self.host_args = self.host_args(self)
        if self.host_args is not None:
            self.start_host()
        self._start_programs()
        self.start_qemu()
        if self.serial is None and self.initrd is None:
            self.first_boot()

    def first_boot(self):
        """Waits until it has booted. A kernel with PROVE_RCU tests RCU before
        it brings up its second CPU; on emulated CPUs of an idle machine that
        test may never end. None of our modules is there yet: it begins anew."""
        for _ in range(6 if self.kernel.name == "debug" else 0):
            try:
                self.wait_boot(8)
                return
            except GuestTimeout:
                if self._has_second_cpu():
                    break
            print(f"# {self.name}: the kernel's own test of RCU does not end: "
                  "boots again", flush=True)
            self.kill_qemu()
            self.start_qemu()
        self.wait_boot()

    def _has_second_cpu(self):
        """True if its memory tells that it got as far as its second CPU."""
        with open(self.ram_file, "rb") as f, \
                mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as ram:
            return ram.find(b"Brought up 1 node") >= 0

    def _make_ram(self):
        _sweep()
        st = os.statvfs(SHM)
        roomy = st.f_bavail * st.f_frsize > self.ram + (64 << 20)
        self.ram_file = (os.path.join(SHM, f"synthio-{self.name}") if roomy
                         else os.path.join(self.dir, "ram"))
        with open(self.ram_file, "wb") as f:
            f.truncate(self.ram)

    def start_host(self):
        """Starts synthhost and waits until its socket is there."""
        binary = os.path.join(BUILD, self.host_build, "synthhost")
        argv = [binary, "--socket", "ivshmem", "--qmp", "qmp-host",
                "--control", "control", "--vectors", str(self.vectors),
                "--bar-size", self.bar]
        for offset, gpa, length in self.arch.ram_ranges(
                self.machine, self.ram):
            argv += ["--ram", f"file={self.ram_file},offset={offset:#x},"
                     f"gpa={gpa:#x},size={length:#x}"]
        if "HOST_LIKE" in os.environ:
            argv += ["--like", os.environ["HOST_LIKE"]]
        argv += self.host_args
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        self.host_status = None
        self._host_signal = None
        with open(self.host_log, "ab") as log:
            self.host = _spawn(self.host_prefix + argv, self.limit + 30,
                               self.dir, log, env)
        deadline = time.monotonic() + 15 * self.scale
        path = os.path.join(self.dir, "control")
        while not (os.path.exists(path)
                   and os.path.exists(os.path.join(self.dir, "ivshmem"))):
            if self.host.poll() is not None or time.monotonic() > deadline:
                raise GuestError("synthhost did not start: "
                                 + self.host_text()[-2000:])
            time.sleep(0.02)

    def _start_programs(self):
        for name, argv, ready in self.programs:
            path = os.path.join(self.dir, f"{name}.log")
            with open(path, "ab") as log:
                proc = _spawn(argv, self.limit + 30, self.dir, log,
                              stdin=subprocess.DEVNULL)
            self._running.append(proc)
            deadline = time.monotonic() + 15 * self.scale
            while not os.path.exists(os.path.join(self.dir, ready)):
                if proc.poll() is not None or time.monotonic() > deadline:
                    raise GuestError(f"{name} did not start: "
                                     + self._text(path)[-2000:])
                time.sleep(0.02)

    @property
    def userland(self):
        """The programs that it runs, a Userland."""
        if self._userland is None:
            try:
                self._userland = Userland(self.kernel.arch)
            except UserlandError as e:
                raise GuestError(str(e)) from e
        return self._userland

    def built(self, name):
        """Where a program of the tests lies on this side that the guest finds
        as /synthio/build/<name>; the name begins with one of TOOLS."""
        return os.path.join(BUILD, "" if self.userland.native
                            else self.kernel.arch, name)

    def mounts(self):
        """What is shared: (tag, path here, path there, mode)."""
        def inside(path):
            return path.replace(BUILD, "/synthio/build", 1)

        k = self.kernel
        out = [("usr", self.userland.path("/usr"), "/usr", "overlay"),
               ("build", BUILD, "/synthio/build", "ro"),
               ("tests", os.path.join(TOP, "tests"), "/synthio/tests", "ro"),
               ("scratch", self.scratch, "/scratch", "rw")]
        for x in () if self.userland.native else TOOLS:
            # by the names that the machine's own have; a test may build some
            # of them later
            os.makedirs(self.built(x), exist_ok=True)
            os.makedirs(os.path.join(BUILD, x), exist_ok=True)
            out.append((x, inside(self.built(x)), f"/synthio/build/{x}",
                        "bind"))
        for tag, path, there in (
                ("modules", k.modules, f"/usr/lib/modules/{k.release}"),
                ("source", k.source, "/synthio/source")):
            if path.startswith(BUILD + "/"):
                out.append((tag, inside(path), there, "under"))
            elif path:
                out.append((tag, path, there, "overlay"))
        return out + self.shares

    def start_qemu(self):
        """Starts QEMU; the guest takes commands after wait_boot()."""
        img, mounts = self.initrd, []
        if img is None:
            img = os.path.join(self.dir, "initramfs")
            mounts = self.mounts()
            initramfs.write(img, self.kernel, mounts, HERE, self.userland)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        cwd = os.open(".", os.O_RDONLY)
        path = os.path.join(self.dir, "agent")
        if os.path.exists(path):
            os.unlink(path)
        os.chdir(self.dir)      # a socket's path is short
        try:
            listener.bind("agent")
        finally:
            os.fchdir(cwd)
            os.close(cwd)
        listener.listen(1)

        arch = self.arch
        cmdline = " ".join((
            f"console={arch.console} loglevel=5 panic=-1 oops=panic "
            "sysrq_always_enabled mitigations=off random.trust_cpu=on "
            "cryptomgr.notests rcupdate.rcu_cpu_stall_timeout=60 "
            "systemd.show_status=0 "
            f"VM_AGENT=/dev/{arch.agent}", arch.cmdline, self.cmdline))
        serial = ["-chardev", arch.chardev, "-serial", "chardev:console"]
        kw = {"stdin": subprocess.DEVNULL}
        if self.serial == "stdio":
            cmdline += f" VM_SHELL={arch.console}"
            serial = ["-chardev", "stdio,id=console,mux=on,signal=off,"
                      "logfile=console.log,logappend=on",
                      "-serial", "chardev:console",
                      "-mon", "chardev=console"]
            kw = {}
        options = [self.machine, arch.options[self.machine],
                   "memory-backend=ram"]
        argv = [self.program, "-nodefaults", "-no-user-config",
                "-display", "none", "-accel", "tcg", "-cpu", arch.cpu,
                "-machine", ",".join(x for x in options if x),
                "-smp", f"{self.smp},maxcpus={self.maxcpus}",
                "-m", f"{self.ram >> 20}M",
                "-object", f"memory-backend-file,id=ram,size={self.ram},"
                f"mem-path={self.ram_file},share=on",
                "-kernel", self.kernel.image if self.bios
                else self.kernel.boot_image(), "-initrd", img,
                "-append", cmdline.strip(),
                *serial,
                "-chardev", "socket,id=agent,path=agent", *arch.agent_args,
                "-qmp", "unix:qmp,server=on,wait=off",
                "-qmp", "unix:qmp-host,server=on,wait=off"]
        if not self.reboot:
            argv.append("-no-reboot")
        for tag, here, _, mode in mounts:
            if mode in ("under", "bind"):
                continue
            ro = "off" if mode == "rw" else "on"
            argv += ["-fsdev", f"local,id={tag},path={here},readonly={ro},"
                     "security_model=none,multidevs=remap",
                     "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        if self.host_args is not None:
            argv += ["-chardev", "socket,id=ivshmem,path=ivshmem",
                     "-device", "ivshmem-doorbell,chardev=ivshmem,"
                     f"vectors={self.vectors}"]
        argv += self.qemu_args
        with open(os.path.join(self.dir, "qemu.log"), "ab") as log:
            out = None if self.serial == "stdio" else log
            self.qemu = _spawn(argv, self.limit, self.dir, out, **kw)
        self._buf = b""
        if self._agent:
            self._agent.close()
            self._agent = None
        self._qmp = None
        deadline = time.monotonic() + 20 * self.scale
        listener.settimeout(0.2)
        try:
            while self._agent is None:
                try:
                    self._agent = listener.accept()[0]
                except socket.timeout:
                    if not self.running() or time.monotonic() > deadline:
                        raise GuestError("QEMU did not start: "
                                         + self._qemu_text()) from None
        finally:
            listener.close()
        self._qmp = Qmp(_connect(self.dir, "qmp", deadline, self.running))

    def wait_boot(self, timeout=180):
        """Waits until the guest, just started or reset, takes commands."""
        try:
            self._until(b"\x01READY\n", time.monotonic() + timeout * self.scale)
        except GuestTimeout:
            raise GuestTimeout("the guest did not boot in time; its console "
                               "ends with:\n" + self.tail()) from None
        done = self.sh("echo alive", timeout=30)
        if done.rc or done.out.strip() != "alive":
            raise GuestError(f"the guest answers nonsense: {done.out!r}")

    def running(self):
        """True while QEMU runs."""
        return self.qemu is not None and self.qemu.poll() is None

    def host_running(self):
        """True while synthhost runs."""
        return self.host is not None and self.host.poll() is None

    def kill_qemu(self, sig=signal.SIGKILL):
        """Kills QEMU as a crash would, and waits for its end."""
        self._kill(self.qemu, sig)

    def kill_host(self, sig=signal.SIGKILL):
        """Kills synthhost, all of it.

        The bus waits for a host that may only be paused; here it soon gives it up.
        """
        if self.host_running():
            self.sh("for p in /sys/module/*_vmbus/parameters/stall_timeout; do"
                    " [ ! -e $p ] || echo 1 >$p; done")
            self._host_signal = sig
        self._kill(self.host, sig)

    @staticmethod
    def _kill(proc, sig=signal.SIGKILL):
        if proc is None or proc.poll() is not None:
            return
        pid = _child(proc)
        try:
            os.kill(pid or proc.pid, sig)
            proc.wait(10)
        except ProcessLookupError:
            proc.wait(10)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait()

    def parent_pid(self):
        """Process id of synthhost's parent process."""
        return _child(self.host)

    def host_pid(self):
        """Process id of synthhost's worker: what stops with it is all that the
        guest has of its host. None while there is none."""
        return next(iter(_children(self.parent_pid())), None)

    def kill_worker(self):
        """Kills the worker; the parent starts another one."""
        pid = self.host_pid()
        if pid:
            os.kill(pid, signal.SIGKILL)

    def qemu_pid(self):
        """Process id of QEMU."""
        return _child(self.qemu)

    def pids(self):
        """Process ids of all that serves this guest: QEMU, synthhost, and
        the programs that were asked for, with their children."""
        found = [_child(p) for p in (self.qemu, self.host, *self._running)
                 if p is not None]
        found = [p for p in found if p]
        for pid in found:       # grows as it is read
            found += _children(pid)
        return found

    def close(self):
        """Ends the guest and synthhost, raises GuestProblem if there were
        complaints, if memory was lost, or if synthhost did not end well."""
        found = self.lost()
        self._quit()
        found += self.problems(ended=True)
        if self.host_status not in (0, None) and not self._host_killed():
            found.append(f"synthhost ended with status {self.host_status}")
        self.end()
        if found:
            raise GuestProblem("\n".join(found))

    def lost(self):
        """What kmemleak takes for lost, where the kernel has it.

        None in a guest that does not answer: its end is what was tested.
        """
        if self.kernel.name != "debug" or not self.running():
            return []
        try:
            self.run("true", 10)
        except GuestError:
            return []
        try:
            # an object counts as lost when it is 5 s old
            return self.run("cd /sys/kernel/debug && for i in 1 2; do sleep 6;"
                            " echo scan >kmemleak; done; cat kmemleak",
                            60).out.splitlines()
        except GuestError as e:
            return [str(e)]

    def _host_killed(self):
        """True if it ended as kill_host() made it end."""
        sig = self._host_signal
        return sig is not None and self.host_status in (-sig, 128 + sig)

    def _quit(self):
        if self.running():
            try:
                self.qmp("quit")
                self.qemu.wait(20)
            except (GuestError, subprocess.TimeoutExpired):
                self._kill(self.qemu)
        if self.host is not None:
            if self.host_running():
                try:
                    self.ctl("quit")
                except GuestError:
                    pass
                try:
                    self.host.wait(20 * self.scale)
                except subprocess.TimeoutExpired:
                    self._kill(self.host, signal.SIGABRT)
            self.host_status = self.host.returncode

    def end(self):
        """Ends everything at once and tidies up; the logs stay."""
        self._kill(self.qemu)
        self._kill(self.host)
        for proc in self._running:
            self._kill(proc)
        if self._agent:
            self._agent.close()
        keep = os.environ.get("KEEP") == "1"
        if self.ram_file and not keep and os.path.exists(self.ram_file):
            os.unlink(self.ram_file)
        self.keep_logs({os.path.basename(path): path for path in (
            self.console, self.host_log, os.path.join(self.dir, "qemu.log"))})
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def keep_logs(self, paths):
        """Copies {name: path} to build/logs, those that are not empty."""
        logs = os.path.join(BUILD, "logs")
        os.makedirs(logs, exist_ok=True)
        base = self.name.rsplit(".", 1)[0]
        for name, path in paths.items():
            if os.path.exists(path) and os.path.getsize(path):
                shutil.copyfile(path, os.path.join(logs, f"{base}.{name}"))

    def _tell(self):
        """Shows why, where something failed."""
        print(f"# console of {self.name} ends with:", file=sys.stderr)
        for line in self.tail().splitlines():
            print(f"#   {line}", file=sys.stderr)
        for what, text in (("QEMU", self._qemu_text()),
                           ("synthhost", self.host_text())):
            for line in text.splitlines()[-8:]:
                print(f"# {what}: {line}", file=sys.stderr)

    # -- commands in the guest ----------------------------------------------

    def _read(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise GuestTimeout("time is up")
        self._agent.settimeout(min(left, 1))
        try:
            data = self._agent.recv(65536)
        except socket.timeout:
            if not self.running():
                raise GuestError("QEMU has ended; the console ends with:\n"
                                 + self.tail()) from None
            return
        except OSError as e:
            raise GuestError(f"the guest is gone: {e}") from e
        if not data:
            raise GuestError("QEMU has ended; the console ends with:\n"
                             + self.tail())
        self._buf += data

    def _until(self, mark, deadline, sink=None):
        """Reads up to a mark, returns what came before it."""
        out = []
        while mark not in self._buf:
            if b"\x01READY\n" in self._buf and b"READY" not in mark:
                raise GuestError("the guest was reset; the console ends with:\n"
                                 + self.tail())
            keep = len(mark) + 8
            if len(self._buf) > keep:
                out.append(self._buf[:-keep])
                self._buf = self._buf[-keep:]
                if sink:
                    sink(out[-1])
            try:
                self._read(deadline)
            except GuestError:
                if sink:
                    sink(self._buf)
                raise
        before, self._buf = self._buf.split(mark, 1)
        if sink:
            sink(before)
        return b"".join(out) + before

    def _send(self, script, limit):
        tag = secrets.token_hex(8)
        code = "".join(c if c.isalnum() and c.isascii() else "".join(
            f"\\0{b:03o}" for b in c.encode()) for c in script)
        try:
            self._agent.sendall(f"{tag} {int(limit)} {code}\n".encode())
        except OSError as e:
            raise GuestError(f"the guest is gone: {e}") from e
        return tag

    def sh(self, script, timeout=60, sink=None):
        """Runs a shell script in the guest.

        timeout: seconds; then it is killed (status 137), and if that does not
            help, GuestTimeout is raised after the kernel has listed its
            blocked tasks on the console
        sink: function that gets the output as it comes, as bytes
        Returns a Result.
        """
        limit = timeout * self.scale
        deadline = time.monotonic() + limit + 10 * self.scale
        tag = self._send(script, limit)
        try:
            out = self._until(f"\x01{tag} ".encode(), deadline, sink)
            rc = int(self._until(b"\n", deadline))
        except GuestTimeout:
            self.sysrq("w")
            raise GuestTimeout(f"no answer in {limit:.0f} s to: {script}\n"
                               + self.tail()) from None
        return Result(rc, out.decode(errors="replace"))

    def run(self, script, timeout=60):
        """sh() that raises GuestError unless the exit status is 0."""
        done = self.sh(script, timeout)
        if done.rc:
            raise GuestError(f"exit {done.rc} of: {script}\n{done.out}")
        return done

    def post(self, script):
        """Sends a script and does not wait: what ends the guest, such as
        echo b >/proc/sysrq-trigger."""
        self._send(script, 600)

    def spawn(self, script, timeout=300):
        """Starts a script in the background, returns its Job."""
        return Job(self, script, timeout)

    def load(self, bus="own"):
        """Loads the channel: own is synth_vmbus.ko, stock hv_vmbus.ko."""
        name = {"own": "synth_vmbus", "stock": "hv_vmbus"}[bus]
        path = f"{self.kernel.release}/{bus}/channel/{name}.ko"
        if not os.path.exists(os.path.join(BUILD, path)):
            raise GuestError(f"build/{path} is not built")
        return self.run(f"insmod /synthio/build/{path}")

    def sysrq(self, key):
        """Asks the kernel for what Alt-SysRq-key does, from outside."""
        try:
            self.arch.sysrq(self, key)
            time.sleep(2)
        except GuestError:
            pass

    def type_console(self, text):
        """Types on the console, where that takes input (Arm64's)."""
        with _connect(self.dir, "console", time.monotonic() + 5,
                      self.running) as s:
            s.sendall(text.encode())

    # -- both sides ---------------------------------------------------------

    def qmp(self, command, **args):
        """Runs a QMP command."""
        if self._qmp is None:
            raise GuestError("QEMU does not run")
        return self._qmp.command(command, **args)

    def ctl(self, *words, timeout=30):
        """Runs a synthhost control command, returns its reply's lines
        without the closing "ok"; raises GuestError on "error"."""
        binary = os.path.join(BUILD, self.host_build, "synthhost")
        try:
            done = subprocess.run(
                [binary, "ctl", "control", *words], cwd=self.dir, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                stdin=subprocess.DEVNULL, timeout=timeout * self.scale)
        except (OSError, subprocess.TimeoutExpired) as e:
            raise GuestError(f"synthhost ctl: {e}") from e
        if done.returncode:
            raise GuestError(f"synthhost ctl {' '.join(words)}: "
                             f"{done.stdout.strip()}")
        lines = done.stdout.splitlines()
        return "\n".join(lines[:-1] if lines[-1:] == ["ok"] else lines)

    # -- logs ---------------------------------------------------------------

    @staticmethod
    def _text(path):
        try:
            with open(path, "rb") as f:
                return f.read().decode(errors="replace").replace("\r", "")
        except OSError:
            return ""

    def console_text(self):
        """All that the kernel has said on the console."""
        return self._text(self.console)

    def host_text(self):
        """All that synthhost has said."""
        return self._text(self.host_log)

    def _qemu_text(self):
        return self._text(os.path.join(self.dir, "qemu.log"))

    def tail(self, lines=25):
        """The console's last lines."""
        return "\n".join(self.console_text().splitlines()[-lines:])

    def wait_console(self, pattern, timeout=30, start=0):
        """Waits until the console matches a pattern after byte start."""
        deadline = time.monotonic() + timeout * self.scale
        while True:
            m = re.search(pattern, self.console_text()[start:])
            if m:
                return m
            if time.monotonic() > deadline:
                raise GuestTimeout(f"console never said {pattern!r}; it ends "
                                   "with:\n" + self.tail())
            time.sleep(0.1)

    def problems(self, ended=False):
        """Complaints of kernel and synthhost since the last call.

        A line that is being written waits for the next call, unless both have
        ended.
        """
        text, host = ((t if ended else t[:t.rfind("\n") + 1])
                      for t in (self.console_text(), self.host_text()))
        found = console.kernel_problems(text[self._seen:], self.allow)
        found += console.host_problems(host[self._host_seen:],
                                       self.host_allow)
        self._seen, self._host_seen = len(text), len(host)
        return found


class Job:
    """A script that runs in the background of a guest."""

    count = 0

    def __init__(self, guest, script, timeout):
        Job.count += 1
        self.guest = guest
        self.limit = timeout * guest.scale
        self.started = time.monotonic()
        self.path = f"/run/vm/job{Job.count}"
        p, end = self.path, f"END-{secrets.token_hex(8)}"
        guest.run(f"cat >{p}.sh <<'{end}'\necho $$ >{p}.pid\n{script}\n"
                  f"{end}\n"
                  f"(setsid timeout -s KILL {int(self.limit)} sh {p}.sh "
                  f">{p}.out 2>&1 </dev/null; echo $? >{p}.tmp; "
                  f"mv {p}.tmp {p}.rc) >/dev/null 2>&1 </dev/null &")

    def done(self):
        """True when it has ended."""
        return self.guest.sh(f"test -e {self.path}.rc").rc == 0

    def output(self):
        """What it has printed so far."""
        return self.guest.run(f"cat {self.path}.out").out

    def pid(self):
        """Process id of its shell, once that runs."""
        return int(self.guest.run(
            f"until [ -s {self.path}.pid ]; do sleep .1; done; "
            f"cat {self.path}.pid", 30).out)

    def kill(self):
        """Ends it, and what it has started."""
        self.guest.sh("kill -s KILL -- -$(cut -d' ' -f5 "
                      f"/proc/{self.pid()}/stat)")

    def wait(self):
        """Waits for its end, returns its Result."""
        while not self.done():
            if time.monotonic() > self.started + self.limit + 15:
                self.guest.sysrq("w")
                raise GuestTimeout(f"job did not end: {self.output()}")
            time.sleep(0.3)
        rc = int(self.guest.run(f"cat {self.path}.rc").out)
        return Result(rc, self.output())
