# SPDX-License-Identifier: GPL-2.0-only
"""A peer that lives in a guest of its own: for all cases."""

import os
import re
import subprocess
import tempfile

from guest import Guest, GuestError
from kernels import BUILD, Kernel
from measure import Counters, HostSample, cpu_seconds, plugin_counts

# Time is read from the TSC: the HPET, which the kernel would choose on an
# emulated CPU, costs an exit for each look at the clock.
# A guest whose calibration was disturbed takes the HPET all the same.
CMDLINE = "tsc=reliable clocksource=tsc"
BOOTS = 3
# The one machine type in which all peers' devices exist
MACHINE = "pc"
MEMORY = "512M"
# count.c, built; and its counters, in the guest's directory
PLUGIN = os.path.join(BUILD, "bench/count.so")
COUNTS = "counts"


def plugin_missing():
    """Why this machine's QEMU cannot count, or None."""
    with tempfile.TemporaryDirectory() as d:
        try:
            done = subprocess.run(
                ["qemu-system-x86_64", "-machine", "none", "-nodefaults",
                 "-display", "none", "-accel", "tcg", "-monitor", "stdio",
                 "-plugin", f"{PLUGIN},out={d}/counts"], input="quit\n",
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired) as e:
            return str(e)
    if done.returncode:
        return ("QEMU does not take the plugin: "
                + " ".join(done.stdout.split()[-12:]))
    return None


def module(path):
    """The file of one of our modules, under build/."""
    return f"{Kernel('distro').release}/own/{path}"


class GuestPeer:
    """One way to reach the host, in its guest.

    name, title: short, and for the report
    irq: pattern of what /proc/interrupts calls its device; modules: to load;
    parameters: of its driver, as modprobe takes them
    host: synthhost's arguments or None; qemu: QEMU's, programs: Guest's
    """

    irq = None
    modules = ()
    parameters = ""

    def __init__(self, name, title):
        self.name = name
        self.title = title
        self.g = None
        self.counted = False

    # -- what a case says of it --------------------------------------------------

    def missing(self):
        """Why it cannot be had on this machine, or None."""

    def describe(self, setup):
        """Arguments of Guest(): host, qemu, programs."""
        raise NotImplementedError

    def load(self):
        """Loads its driver."""
        for m in self.modules:
            self.g.run(f"modprobe {m}")

    def attach(self, setup):
        """Loads its driver, waits for the device."""
        raise NotImplementedError

    def cannot(self, setup, row):
        """Why it has no such row, or None. The guest runs."""

    def counters(self):
        """What the host counts for it, as {metric: number}."""
        return {}

    def traffic(self):
        """What has passed, where the host counts that, as {name: number}."""
        return {}

    def load_pids(self):
        """Processes that load it from this side."""
        return []

    # -- life ------------------------------------------------------------------

    def start(self, setup):
        """Boots its guest, which then runs."""
        for attempt in range(BOOTS):
            self._boot(setup)
            clock = self._clock()
            if clock == "tsc":
                break
            self.abandon()
            if attempt == BOOTS - 1:
                raise GuestError(f"its clock is {clock}, not the TSC: is this "
                                 "machine too busy to calibrate it?")
        self.attach(setup)

    def _clock(self):
        """What the guest's kernel reads time from, when it has settled."""
        name = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        return self.g.run(f"for i in $(seq 100); do read -r c <{name}; "
                          "[ $c != tsc ] || break; sleep .1; done; echo $c",
                          60).out.strip()

    def _boot(self, setup):
        what = self.describe(setup)
        self.counted = setup.counted
        if setup.counted:
            what["qemu"] = [*what.get("qemu", ()), "-plugin",
                            f"{PLUGIN},out={COUNTS}"]
        self.g = Guest(f"bench-{self.name}", kernel="distro", machine=MACHINE,
                       smp=setup.smp, maxcpus=2, mem=MEMORY, cmdline=CMDLINE,
                       host_build="host", limit=4 * 3600, **what)
        self.g.start()

    def doorbells(self, device):
        """What rang synthhost for a device of its: it counts by channels."""
        text = self.g.ctl("stats")
        return {"doorbells": sum(int(x) for x in re.findall(
            rf"^{device}/.* (\d+) signals \(.*; out", text, re.M))}

    def pause(self):
        """The guest stands still, its clock too: it costs nothing."""
        self.g.qmp("stop")

    def resume(self):
        """It goes on."""
        self.g.qmp("cont")

    def stop(self):
        """Ends it; raises GuestProblem if kernel or host complained."""
        try:
            self.resume()
            self.g.close()
        finally:
            self.abandon()

    def abandon(self):
        """Ends it at once, whatever state it is in."""
        g, self.g = self.g, None
        if g:
            g.end()

    def cpu(self):
        """CPU seconds that QEMU and what else serves it have used."""
        return cpu_seconds(self.g.pids())

    def _all_counters(self):
        out = self.counters()
        if self.counted:
            out.update(plugin_counts(os.path.join(self.g.dir, COUNTS)))
        return out

    def window(self, argv, limit, begin=None):
        """Runs window.sh in the guest; returns its text, and a HostSample of
        begin and end.

        begin: what to do on this side when the program in the guest has been
        started
        """
        samples, seen = {}, b""
        pids = self.g.pids()

        def sample():
            # first what is cheap: asking for counters takes its time where the
            # machine is busy
            out = HostSample(pids, self.load_pids(), self.traffic)
            out.counters = Counters(self._all_counters)
            return out

        def mark(data):
            nonlocal seen, begin
            seen += data
            if b"S000" in seen and begin:
                begin()
                begin = None
            for name in "AB":
                if f"{name}000".encode() in seen and name not in samples:
                    samples[name] = sample()

        done = self.g.sh("exec /synthio/tests/bench/window.sh " + argv, limit,
                         mark)
        if done.rc or sorted(samples) != ["A", "B"]:
            raise GuestError(f"window.sh: exit {done.rc}: {done.out.strip()}")
        with open(os.path.join(self.g.scratch, "window.txt"),
                  encoding="ascii") as f:
            return f.read(), samples["A"], samples["B"]


class Ours:
    """Before a class of peers: one of our drivers, on our channel.

    path: of its module, in a build
    """

    path = None

    def missing(self):
        """As GuestPeer.missing()."""
        if os.path.exists(os.path.join(BUILD, module(self.path))):
            return super().missing()
        return f"there is no {self.path} yet"

    def load(self):
        """Loads channel, modules that the driver needs, and driver."""
        self.g.load("own")
        super().load()
        self.g.run(f"insmod /synthio/build/{module(self.path)} "
                   + self.parameters)


class OnDropIn:
    """Before a class of peers: the distribution's driver, on the drop-in."""

    def load(self):
        """Loads channel and driver."""
        self.g.load("stock")
        super().load()
