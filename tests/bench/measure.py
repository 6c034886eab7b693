# SPDX-License-Identifier: GPL-2.0-only
"""What the host and the guest count in a window of time."""

import os
import re
import struct
import time

CPUCLOCK_SCHED = 2      # of clockid_t: linux/posix-timers.h
TICK = os.sysconf("SC_CLK_TCK")
COUNTED = 64            # of count.c: bytes for each vCPU, four words are used


def cpu_seconds(pids):
    """CPU time that processes have used, to the nanosecond, threads that have
    ended and io_uring's workers included."""
    total = 0.0
    for pid in pids:
        try:
            total += time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)
        except OSError as e:
            raise RuntimeError(f"process {pid} has gone") from e
    return total


def machine_busy():
    """Seconds that this machine's CPUs have been busy since it started."""
    with open("/proc/stat", encoding="ascii") as f:
        n = [int(x) for x in f.readline().split()[1:9]]
    return (sum(n) - n[3] - n[4]) / TICK


def plugin_counts(path):
    """What count.c has counted, on all vCPUs."""
    with open(path, "rb") as f:
        data = f.read()
    lines = [struct.unpack_from("=4Q", data, at)
             for at in range(0, len(data), COUNTED)]
    insns, port, mmio, apic = (sum(x) for x in zip(*lines))
    return {"insns": insns, "exits": port + mmio, "apic": apic}


class Counters:
    """What a function counts, as {name: number}, and when that was: it may have
    to ask another process, which takes its time on a busy machine."""

    def __init__(self, function):
        before = time.monotonic()
        self.values = function()
        self.time = (before + time.monotonic()) / 2


class HostSample:
    """What the host sees at one moment.

    pids: of what serves the guest; load: of what loads it from this side
    traffic: function that returns what has passed, as {name: number}
    counters: a Counters, which comes later
    """

    counters = None

    def __init__(self, pids, load=(), traffic=dict):
        self.time = time.monotonic()
        self.traffic = traffic()
        self.cpu = cpu_seconds(pids)
        self.load = cpu_seconds(load)
        self.busy = machine_busy()


def _irqs(lines, pattern):
    """Sum of the interrupts of lines of /proc/interrupts that match."""
    total, cpus = 0, len(lines[0].split())
    for line in lines[1:]:
        words = line.split()
        name = " ".join(words[cpus + 1:])
        if re.search(pattern, name):
            total += sum(int(x) for x in words[1:cpus + 1])
    return total


class GuestWindow:
    """What window.sh has left.

    seconds; ios; cpu: CPU seconds that were not idle; irqs: of the device
    """

    def __init__(self, text, irq_pattern):
        f = {}
        for line in text.splitlines():
            key, _, rest = line.partition(" ")
            f.setdefault(key, []).append(rest)
        a, b = (float(x) for x in f["time"][0].split())
        self.seconds = b - a
        a, b = (int(x) for x in f["ios"][0].split())
        self.ios = b - a
        if self.ios <= 0 or self.seconds <= 0:
            raise ValueError("no I/O in the window")
        idle = 0
        for key, sign in (("cpu_a", -1), ("cpu_b", 1)):
            n = [int(x) for x in f[key][0].split()]
            idle += sign * (n[3] + n[4])
        cpus = int(f["cpus"][0])
        self.cpu = max(0.0, self.seconds * cpus - idle / TICK)
        self.irqs = (_irqs(f["irq_b"], irq_pattern)
                     - _irqs(f["irq_a"], irq_pattern))


def traffic_rate(before, after, name):
    """How much of what a HostSample calls traffic has passed in a second."""
    return ((after.traffic[name] - before.traffic[name])
            / (after.time - before.time))


def costs(window, before, after, rate=None):
    """Costs of one I/O, as {metric: number}.

    The host's windows, of what it counts and of what it asks others for, are
    not quite the guest's: what is counted in one is divided by the I/Os that
    fall into it. Raises ValueError if they are not the same at all.
    rate: I/Os in a second, where the guest does not count them
    """
    rate = rate or window.ios / window.seconds
    length = after.time - before.time
    if not 0.5 < length / window.seconds < 2:
        raise ValueError(f"the guest's window is {window.seconds:.2f} s, the "
                         f"host's {length:.2f} s: this machine is too busy")
    inside, ios = rate * window.seconds, rate * length
    cpu = after.cpu - before.cpu
    load = after.load - before.load
    out = {
        "irqs": window.irqs / inside,
        "guest_us": window.cpu / inside * 1e6,
        "host_us": cpu / ios * 1e6,
        "load_us": load / ios * 1e6,
        # CPU that something else on this machine has used, in CPUs
        "others": max(0.0, (after.busy - before.busy - cpu - load) / length),
    }
    a, b = before.counters, after.counters
    for name, value in b.values.items():
        out[name] = (value - a.values[name]) / ((b.time - a.time) * rate)
    return out
