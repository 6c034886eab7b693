#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The demo: what `make demo` runs when all is built.

Boots the distribution's kernel in plain QEMU, puts our channel below the
distribution's own disk and keyboard drivers, and uses both. What is printed
also goes to build/demo/demo.log. Exits 0 only if every step was true.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time

from guest import Guest, GuestError
from kernels import BUILD, KernelError

DIR = os.path.join(BUILD, "demo")
DISK = os.path.join(DIR, "disk.img")
PAYLOAD = os.path.join(DIR, "payload")
FILES, MIB = 4, 64
LINE = "hello from the host 2026"


class Demo:
    """The steps, what they found, and the log."""

    def __init__(self):
        shutil.rmtree(DIR, ignore_errors=True)
        os.makedirs(PAYLOAD)
        self.log = open(os.path.join(DIR, "demo.log"), "w", encoding="utf-8")
        self.rows = []
        self.sums = {}
        self.g = None

    def say(self, text=""):
        """Prints, and logs."""
        print(text, flush=True)
        print(text, file=self.log, flush=True)

    def show(self, command, timeout=120, say=None):
        """Runs a command in the guest, shows it as on a terminal."""
        self.say(f"    guest# {say or command}")
        out = self.g.run(command, timeout).out.rstrip()
        for line in out.splitlines():
            self.say(f"    {line}")
        return out

    def step(self, title, function):
        """Runs one step; its docstring is the narration."""
        self.say(f"\n== {title}")
        for line in (function.__doc__ or "").strip().splitlines():
            self.say(f"   {line.strip()}")
        start = time.monotonic()
        try:
            said = function()
        except Exception as e:
            self.rows.append((title, f"FAILED: {str(e).splitlines()[0]}"
                              if str(e) else f"FAILED: {type(e).__name__}",
                              time.monotonic() - start))
            self.say(f"   FAILED: {e}")
            raise
        self.rows.append((title, said, time.monotonic() - start))

    # -- the steps ----------------------------------------------------------

    def prepare(self):
        """An empty 1 GiB file will be the disk. Random data to copy to it is
        made here, and its checksums are kept on this side."""
        with open(DISK, "wb") as f:
            f.truncate(1 << 30)
        for i in range(FILES):
            data = os.urandom(MIB << 20)
            name = f"data{i}"
            with open(os.path.join(PAYLOAD, name), "wb") as f:
                f.write(data)
            self.sums[name] = hashlib.sha256(data).hexdigest()
        return f"{FILES} files of {MIB} MiB"

    def boot(self):
        """Plain QEMU, emulated CPUs: there is no Hyper-V anywhere. Beside it
        runs synthhost, the reference host; the two share the guest's memory
        and an ivshmem-doorbell device."""
        self.g = Guest("demo", kernel="distro", mem="1G", limit=900,
                       host_build="host", host=[
                           "--scsi", "c0", "--disk",
                           f"c0,lun=0,file={DISK},serial=DEMO", "--keyboard"])
        self.g.start()
        self.show("uname -srv")
        out = self.show("dmesg | grep -i 'hypervisor detected' || "
                        "echo none that Linux knows",
                        say="dmesg | grep 'hypervisor detected'")
        if "microsoft" in out.lower():
            raise GuestError("this guest sees Hyper-V")
        return f"Linux {self.g.kernel.release}"

    def channel(self):
        """Our channel goes in as hv_vmbus.ko, in the place of the kernel's.
        The drivers on top are the distribution's files as they are: loaded
        without force, so each symbol's version was checked."""
        g = self.g
        g.load("stock")
        self.say("    guest# insmod hv_vmbus.ko            (ours)")
        self.show("modprobe -v hv_storvsc | sed s,.*/modules/,,")
        self.show("modprobe -v hyperv-keyboard | sed s,.*/modules/,,")
        g.run("modprobe sd_mod; modprobe ext4; modprobe evdev")
        for mod in ("hv_storvsc", "hyperv_keyboard"):
            taint = g.run(f"cat /sys/module/{mod}/taint").out.strip()
            if taint:
                raise GuestError(f"{mod} is tainted: {taint}")
            who = g.run(f"modinfo -F signer {mod}").out.strip()
            self.say(f"    {mod}: signed by '{who}', not forced, no taint")
        self.show("dmesg | grep -iE 'vmbus|hv_' | tail -n 6")
        return "hv_storvsc, hyperv-keyboard: unmodified, unforced"

    def lsvmbus(self):
        """The kernel's own lsvmbus lists what the host offers."""
        out = self.show("python3 /synthio/source/tools/hv/lsvmbus",
                        say="lsvmbus")
        for want in ("SCSI", "keyboard"):
            if want.lower() not in out.lower():
                raise GuestError(f"lsvmbus shows no {want}")
        return f"{len(out.splitlines())} devices"

    def disk(self):
        """A file system on the disk, files on it, unmounted; then mounted
        again with cold caches and read back."""
        g = self.g
        g.run("for i in $(seq 100); do [ -b /dev/sda ] && exit; sleep .1; "
              "done; exit 1")
        self.show("cat /proc/scsi/scsi 2>/dev/null | sed -n 2,4p; "
                  "lsblk -o NAME,SIZE,VENDOR,MODEL,SERIAL /dev/sda",
                  say="lsblk /dev/sda")
        self.show("mkfs.ext4 -q /dev/sda && mount /dev/sda /mnt && df -h /mnt",
                  300)
        start = time.monotonic()
        self.show("cp /synthio/build/demo/payload/* /mnt && sync -f /mnt && "
                  "ls -l /mnt | grep data", 600)
        rate = FILES * MIB / (time.monotonic() - start)
        self.show("umount /mnt && echo 3 >/proc/sys/vm/drop_caches && "
                  "mount /dev/sda /mnt")
        out = self.show("cd /mnt && sha256sum data*", 600)
        got = {n: s for s, n in (x.split() for x in out.splitlines())}
        if got != self.sums:
            raise GuestError("a checksum differs from the host's")
        self.say("   The checksums are those of the files on the host.")
        self.show("umount /mnt")
        return (f"{FILES * MIB} MiB copied ({rate:.0f} MiB/s), "
                "checksums equal")

    def host_side(self):
        """The host's file holds the same: read from it without the guest."""
        out = os.path.join(DIR, "from-disk")
        for name, want in self.sums.items():
            subprocess.run(["/sbin/debugfs", "-R", f"dump /{name} {out}", DISK],
                           stdout=subprocess.DEVNULL, check=True,
                           stderr=subprocess.DEVNULL)
            with open(out, "rb") as f:
                got = hashlib.file_digest(f, "sha256").hexdigest()
            if got != want:
                raise GuestError(f"{name} differs in the host's file")
            self.say(f"    host$ debugfs {os.path.basename(DISK)} {name}: "
                     f"{got[:16]}... equal")
        os.unlink(out)
        return "host's file equals what was written"

    def keyboard(self):
        """A line is typed on the host. In the guest it passes hyperv-keyboard
        and the kernel's keyboard layer, and a program reads it from its
        console."""
        g = self.g
        name = g.run("grep -l '' /sys/bus/vmbus/drivers/hyperv_keyboard/"
                     "*-*-*/serio*/input/input*/name | head -n 1").out.strip()
        dev = os.path.dirname(name)
        event = g.run(f"basename {dev}/event*").out.strip()
        self.say(f"    {name}: {g.run(f'cat {name}').out.strip()}")
        reader = g.spawn("read -r line </dev/tty1; echo \"$line\"", 60)
        events = g.spawn(f"exec cat /dev/input/{event}", 60)
        g.run(f"until ls -l /proc/{events.pid()}/fd | grep -q {event}; "
              "do sleep .2; done", 30)
        # word by word: evdev keeps 64 events, and drops them all if a reader
        # on an emulated CPU lets more come together
        for i, word in enumerate(LINE.split()):
            if i:
                g.ctl("scancode", "39", "b9")       # space
            self.say(f"    host$ synthhost ctl control key {word}")
            g.ctl("key", word)
            time.sleep(0.5 * g.scale)
        g.ctl("scancode", "1c", "9c")       # Enter, pressed and let go
        done = reader.wait()
        self.say("    guest# read -r line </dev/tty1")
        self.say(f"    {done.out.strip()}")
        for _ in range(20):
            count = int(g.run(f"wc -c <{events.path}.out").out) // 24
            if count >= 2 * len(LINE):
                break
            time.sleep(0.5)
        self.say(f"    (/dev/input/{event} saw {count} events)")
        if done.out.strip() != LINE or count < 2 * len(LINE):
            raise GuestError(f"typed {LINE!r}, arrived {done.out.strip()!r}")
        events.kill()
        return f"\"{LINE}\" arrived"

    def statistics(self):
        """What went through the rings, as the host counted it."""
        for line in self.g.ctl("stats").splitlines()[:20]:
            self.say(f"    {line}")
        return "see above"

    def leave(self):
        """All modules go out again; kernel log and host log are searched for
        complaints."""
        self.show("rmmod hyperv_keyboard hv_storvsc hv_vmbus && "
                  "ls /sys/bus | grep -c vmbus || true")
        self.g.close()
        return "no warning, no error"

    def run(self):
        """Runs it all; True if all was true."""
        start = time.monotonic()
        steps = [("prepare data", self.prepare), ("boot a guest", self.boot),
                 ("load the channel", self.channel),
                 ("list the devices", self.lsvmbus), ("use the disk", self.disk),
                 ("look at the host's file", self.host_side),
                 ("type a line", self.keyboard),
                 ("count packets", self.statistics), ("leave", self.leave)]
        good = True
        try:
            for title, function in steps:
                self.step(title, function)
        except (GuestError, KernelError, OSError, AssertionError, ValueError,
                subprocess.SubprocessError):
            good = False
            if self.g:
                self.say("   the guest's console ends with:")
                self.say(self.g.tail())
                self.say("   synthhost's log ends with:")
                self.say("\n".join(self.g.host_text().splitlines()[-15:]))
        finally:
            if self.g:
                for path in (self.g.console, self.g.host_log):
                    if os.path.exists(path):
                        shutil.copy(path, DIR)
                self.g.end()
                logs = os.path.join(BUILD, "logs")
                for x in ("console.log", "synthhost.log"):
                    if os.path.exists(f"{logs}/demo.{x}"):
                        shutil.copy(f"{logs}/demo.{x}", f"{DIR}/{x}")
        shutil.rmtree(PAYLOAD, ignore_errors=True)
        self.say("\n== summary")
        for title, said, took in self.rows:
            self.say(f"   {title:<24} {took:6.1f} s  {said}")
        self.say(f"   {'all':<24} {time.monotonic() - start:6.1f} s  "
                 + ("everything worked" if good else "FAILED"))
        self.say(f"   log: {os.path.relpath(DIR)}/demo.log, console.log, "
                 "synthhost.log; the disk: disk.img")
        return good


if __name__ == "__main__":
    sys.exit(0 if Demo().run() else 1)
