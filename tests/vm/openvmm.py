# SPDX-License-Identifier: GPL-2.0-only
"""Guests of OpenVMM, a VMBus host of others' making, in a guest that has KVM.

    machine: QEMU, emulated CPUs
      Outer: Debian's kernel with kvm_amd (nested.py)
        OpenVMM: SynIC by KVM, VMBus and all its devices of its own
          OpenVmm: the kernel under test

    with OpenVmm(outer, "stock", Setup("kernel", True)) as g:
        g.command("psr", "pulse save/restore complete")

OpenVMM is a program that is named by OPENVMM= in the environment; nothing of it
is part of the project. It wants a terminal, which script(1) gives it: that is
where its console is, command() types there, and log() is what it says there. Its
second serial port is a UNIX socket, relayed to the agent's port of the outer
guest; the first one writes the console to a file. Its VNC server is reached
through the port that an inner guest of QEMU has for QMP.
"""

import os
import re
import shlex
import subprocess
import sys
import time

from guest import GuestError, GuestTimeout
from kernels import BUILD, TOP
from nested import Inner, add_kexec, add_program, begin_initramfs
from outers import Outers

sys.path.insert(0, os.path.join(TOP, "tests/bench"))
from rfb import Viewer      # noqa: E402  pylint: disable=wrong-import-position

# The distribution's modules that tests load: bus, drivers, what these need, what
# shows their devices.
BUS = "hv_vmbus"
THEIRS = ("hv_storvsc", "hv_netvsc", "hyperv_drm", "hid-hyperv",
          "hyperv-keyboard", "hv_utils")
OTHERS = ("sd_mod", "sr_mod", "ext4", "crc32c_generic", "evdev", "hid-generic",
          "atkbd", "af_packet", "8021q")
OURS = ("synth_blk", "synth_net", "synth_video", "synth_mouse",
        "synth_keyboard")
# programs beside busybox's, in /prog. Its shell prefers what it has itself: those
# of which it has one, too, are called by their paths
PROGRAMS = ("fio", "iperf3", "mkfs.ext4", "fsck.ext4", "ethtool", "ip", "ping",
            "blkdiscard")

# The far end of its first card, in the outer guest. The second card is on
# OpenVMM's own network, which has its addresses from DHCP.
TAP, FAR, NEAR = "tap0", "192.168.77.1", "192.168.77.2"
# host kernels of an outer guest that this needs
OUTER = {"mem": "3G", "limit": 7200}

# Disks, by their sizes in bytes: two on a controller of disks alone, one beside a
# DVD drive. OpenVMM has a third controller, for what is added while it runs.
MB = 1 << 20
DISK, LOCKED, MEMORY, DVD = 512 * MB, 32 * MB, 64 * MB, 16 * MB


def program():
    """The program that OPENVMM= names, or None."""
    return os.environ.get("OPENVMM")


def image(size):
    """Where a disk's data lies in the outer guest. /run/images can have holes."""
    return f"/run/images/{size // MB}"


def prepare(outer):
    """What OpenVMM wants of the outer guest: a network, images, a resolver."""
    outer.run("ip link set lo up; modprobe tun && "
              f"ip tuntap add {TAP} mode tap && ip addr add {FAR}/24 dev {TAP} "
              f"&& ip link set {TAP} up && "
              "mkdir -p /run/images && mount -t tmpfs images /run/images && "
              f"truncate -s {DISK} {image(DISK)} && "
              f"head -c {LOCKED} /dev/urandom >{image(LOCKED)} && "
              f"head -c {DVD} /dev/urandom >{image(DVD)} && "
              "echo nameserver 127.0.0.1 >/etc/resolv.conf", 120)


class OpenOuters(Outers):
    """Outer guests that have what OpenVMM wants."""

    def __init__(self, tap):
        where = os.path.dirname(os.path.abspath(program()))
        super().__init__(tap, "openvmm", shares=[
            ("openvmm", where, "/openvmm", "ro")], **OUTER)

    def get(self):
        new = self.outer is None
        outer = super().get()
        if new:
            prepare(outer)
        return outer


class Setup:
    """Which bus and whose drivers.

    bus: kernel, dropin (both have the kernel's names) or own; ours: whose drivers
    """

    def __init__(self, bus, ours):
        self.bus = bus
        self.ours = ours
        self.sysfs = "/sys/bus/" + ("synth_vmbus" if bus == "own" else "vmbus")

    def module(self, name):
        """Where a module lies in the guest."""
        if not name.startswith("synth_"):
            return f"/modules/{name.replace('-', '_')}.ko"
        return f"/{'own' if self.bus == 'own' else 'stock'}/{name}.ko"

    @property
    def channel(self):
        """The path of the bus's module."""
        return {"kernel": f"/modules/{BUS}.ko", "dropin": f"/stock/{BUS}.ko",
                "own": "/own/synth_vmbus.ko"}[self.bus]


class OpenVmm(Inner):
    """A guest of OpenVMM in an outer guest that is running.

    setup: a Setup; devices: more of OpenVMM's arguments; reset: what OpenVMM does
    when the guest resets itself or has reported a crash, "reset" or "exit". Others
    as Inner takes them.
    """

    def __init__(self, outer, name, setup, devices=(), reset="exit",
                 mem="768M", **kw):
        super().__init__(outer, name, mem=mem, **kw)
        self.setup = setup
        self.devices = list(devices)
        self.reset = reset
        self.console = os.path.join(self.dir, "com1.log")
        self.order = []         # modules that need no bus of ours, in load order
        self._log_seen = 0
        self._viewer = None
        self.notes = {}         # what one test leaves for another

    def start(self):
        os.makedirs(self.dir)
        self.write_initramfs()
        self.start_qemu()
        self.wait_boot(100)

    def _initramfs(self, path):
        """Begins an initramfs with what the tests call, returns it: all but kexec."""
        c = begin_initramfs(path, self.kernel, (), [BUS, *THEIRS, *OTHERS])
        for name in PROGRAMS:
            # not busybox's, which is a link
            where = self.userland.path(self.userland.which(name))
            c.seen.discard(f"bin/{name}")
            add_program(c, os.path.realpath(where), f"prog/{name}")
        add_program(c, os.path.join(BUILD, "guest/drmtool"), "prog/drmtool")
        add_program(c, "/usr/bin/tail")     # where screen.Tool has it
        c.tree("etc/mke2fs.conf", self.userland.path("/etc/mke2fs.conf"))
        c.regular("etc/udhcpc", b"#!/bin/sh\n[ \"$1\" != bound ] || "
                  b"ifconfig $interface $ip netmask $subnet\n", 0o755)
        return c

    def write_initramfs(self):
        """Writes the initramfs; for kexec another one is in it, with the same
        programs, because the next kernel's devices are tested with them."""
        path = os.path.join(self.dir, "initramfs")
        if self.kexec:
            self._initramfs(path + ".second").close()
        c = self._initramfs(path)
        if self.kexec:
            add_kexec(c, self.kernel, self.outer.nested, path + ".second")
        c.close()

    def start_qemu(self):
        """Starts OpenVMM in the outer guest."""
        where = self.kernel.boot_image().replace(BUILD, "/synthio/build", 1)
        cmdline = ("console=ttyS0 quiet panic=-1 oops=panic mitigations=off "
                   "no_timer_check tsc=nowatchdog random.trust_cpu=on "
                   "cryptomgr.notests rcupdate.rcu_cpu_stall_timeout=120 "
                   "VM_AGENT=/dev/ttyS1 " + self.cmdline)
        base = os.path.basename(os.path.abspath(program()))
        argv = [*self.outer.pinned, f"/openvmm/{base}",
                "--hypervisor", "kvm", "--hv",
                "-p", str(self.smp), "-m", f"{self.ram >> 20}MB",
                "-k", where, "-r", "initramfs", "-c", cmdline.strip(),
                "--com1", "file=com1.log", "--com2", "listen=/run/com2",
                "--guest-reset-action", self.reset,
                "--guest-shutdown-action", "exit",
                "--guest-crash-action", self.reset,
                "--vmbus-scsi", "id=s0,sub_channels=1",
                "--disk", f"file:{image(DISK)},on=s0,lun=0",
                "--disk", f"file:{image(LOCKED)},ro,on=s0,lun=1",
                "--vmbus-scsi", "id=s1",
                "--disk", f"mem:{MEMORY // MB}M,on=s1,lun=0",
                "--disk", f"file:{image(DVD)},dvd,on=s1,lun=1",
                "--net", f"tap:{TAP}", "--net", "consomme", "--gfx",
                *self.devices]
        self._base = self._seen = self._log_seen = 0
        self._buf = b""
        self._agent = self.outer.port(f"agent{self.slot}")
        self.started = True
        self.outer.run(
            # each save and restore leaves it some files that stay open
            f"ulimit -n 65536 && cd {self.there} && rm -f /run/repl /run/com2 && mkfifo /run/repl "
            # the console stays open as long as somebody may write to it
            "&& (setsid sleep 100000 >/run/repl & echo $! >/run/repl.pid) && "
            f"(setsid script -qfc {shlex.quote(shlex.join(argv))} /dev/null "
            ">qemu.log 2>&1 </run/repl & echo $! >pid); "
            "for i in $(seq 600); do [ -S /run/com2 ] && break; sleep .1; done;"
            " (setsid socat UNIX-CONNECT:/run/com2 "
            f"/run/inner/{self._port('agent')} >/dev/null 2>&1 </dev/null &)",
            90)

    def _port(self, name):
        return 3 * self.slot + {"agent": 1, "qmp": 2}[name]

    def console_text(self):
        return self._text(self.console)

    # -- OpenVMM's console, and what it logs ---------------------------------

    def log(self):
        """What OpenVMM has said, without colours."""
        text = self._text(os.path.join(self.dir, "qemu.log"))
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)

    def type(self, line):
        """Types a line on OpenVMM's console."""
        self.outer.run(f"echo {shlex.quote(line)} >/run/repl")

    def command(self, line, said=None, timeout=30):
        """A command of OpenVMM's console; waits until its log says something that
        matches "said". Returns where the log was before."""
        start = len(self.log())
        self.type(line)
        if said:
            self.wait_log(said, start, timeout)
        return start

    def wait_log(self, pattern, start=0, timeout=30):
        """Waits until OpenVMM's log matches after character start."""
        deadline = time.monotonic() + timeout * self.scale
        while True:
            m = re.search(pattern, self.log()[start:])
            if m:
                return m
            if time.monotonic() > deadline or not self.running():
                raise GuestTimeout(f"OpenVMM never said {pattern!r}; it ends "
                                   f"with:\n{self.log()[-2000:]}")
            time.sleep(0.3)

    # -- its screen ----------------------------------------------------------

    def viewer(self):
        """A viewer of its VNC server that moves the pointer and presses keys."""
        if self._viewer is None:
            sock = self.outer.port(f"qmp{self.slot}")
            sock.settimeout(20 * self.scale)
            self.outer.run("(setsid socat TCP:127.0.0.1:5900,nodelay "
                           f"/run/inner/{self._port('qmp')} >/dev/null 2>&1 "
                           "</dev/null & echo $! >/run/vnc.pid)")
            self._viewer = Viewer(0, sock=sock)
        return self._viewer

    def picture(self):
        """Path of a file with what a viewer sees, a PPM."""
        self.outer.run("/synthio/build/guest/vnccapture 5900 "
                       f"{self.there}/screen.ppm", 120)
        return os.path.join(self.dir, "screen.ppm")

    # -- its end -------------------------------------------------------------

    def _quit(self):
        self.end()

    def end(self):
        if self.slot is None:
            return
        self._viewer = None
        try:
            if self.started and self.outer.running():
                self.outer.sh(
                    f"kill -9 -$(cat {self.there}/pid); "
                    "kill -9 $(cat /run/repl.pid /run/vnc.pid 2>/dev/null); "
                    "pkill -9 -x openvmm; pkill -9 -x socat; "
                    "rm -f /run/vnc.pid /run/com2")
        except GuestError:
            pass        # the outer guest is about to end, too
        finally:
            self._return_slot()


def version():
    """Which OpenVMM this is, for reports."""
    done = subprocess.run([program(), "--version"], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.strip()
