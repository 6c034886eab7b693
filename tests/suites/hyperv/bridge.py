#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The Hyper-V transport, against KVM's SynIC and QEMU's VMBus bridge.

    outer guest (KVM on emulated CPUs), QEMU 8.2 or newer in it:
      stock    2 CPUs   the kernel's own hv_vmbus: the baseline, which shows
                        that the harness is right; our drivers on it
      one      1 CPU    own names, then the drop-in with hv_balloon
      two      2 CPUs   all there is: switching, loads, reboot, kexec, panic
      four     4 CPUs   as one, and CPUs that go and come back
      builtin  2 CPUs   a kernel with VMBus built in

The bridge speaks versions up to 4.0, and offers one device, the balloon. QEMU
sends no request to it in the first 50 s after its channel was opened; so all
guests run at the same time, and balloons move at the end.
"""

import os
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../vm"))
# pylint: disable=wrong-import-position
from guest import G         # noqa: E402
from kernels import TOP  # noqa: E402
from nested import Inner, Outer, ours   # noqa: E402
from tap import Skip, Tap   # noqa: E402

VERSION = "4.0"         # the bridge's newest
BALLOON = "{525074dc-8985-46e2-8057-a307dc18a502}"
MEM = G // 2
SMALL = MEM - (128 << 20)   # what a balloon is asked to leave
LOADS = 5
UNLOAD = r"vmbus_recv_message type 16 "


class Mark:
    """Where a guest's console and its QEMU's trace are now."""

    def __init__(self, g):
        self.console = len(g.console_text())
        self.trace = len(g.trace_text())


def said_since(g, mark):
    """What the kernel has said of VMBus, without timestamps."""
    out = g.run(f"dmesg | tail -n +{mark + 1}").out
    return [re.sub(r"^\[ *[\d.]+\] ", "", x) for x in out.splitlines()
            if re.search(r"vmbus|hyperv", x, re.I)
            and not re.search(r"taint|signature", x)]


def lines(g):
    """How long the kernel's log is."""
    return int(g.run("dmesg | wc -l").out)


def load(g, module, bus="vmbus"):
    """Loads a channel, returns what it said; the bridge's offer is there."""
    start = lines(g)
    g.run(f"insmod {module}")
    found = g.run(f"cat /sys/bus/{bus}/devices/*/class_id").out.split()
    assert found == [BALLOON], found
    return said_since(g, start)


def load_ours(g, bus):
    """Loads ours; it connects, and says it in one line."""
    name, sysfs = {"own": ("synth_vmbus", "synth_vmbus"),
                   "stock": ("hv_vmbus", "vmbus")}[bus]
    said = load(g, f"/{bus}/{name}.ko", sysfs)
    assert said == [f"{name}: VMBus version {VERSION} over hyperv"], said
    return said


def unload(g, name):
    """Unloads a channel; the host is told, and nothing more is said."""
    start, mark = lines(g), Mark(g)
    g.run(f"rmmod {name}")
    g.wait_trace(UNLOAD, mark.trace)
    said = said_since(g, start)
    assert not said, said


def own(g):
    """synth_vmbus.ko connects and goes."""
    said = load_ours(g, "own")
    page = g.run("cat /sys/kernel/debug/synth_vmbus/connection").out
    assert re.search(r"^transport +hyperv$", page, re.M), page
    cpus = re.findall(r"^cpu (\d+) +vp (\d+)", page, re.M)
    assert cpus == [(str(i), str(i)) for i in range(g.smp)], page
    unload(g, "synth_vmbus")
    return said[0]


def balloon_opens(g):
    """hv_balloon.ko is the distribution's, and goes in as it is."""
    start = lines(g)
    g.run("insmod /modules/hv_balloon.ko")
    # neither unsigned (E) nor forced (F)
    taint = g.run("cat /sys/module/hv_balloon/taint").out.strip()
    assert not taint, taint
    g.wait_console(r"hv_balloon: Using Dynamic Memory protocol", 30)
    g.wait_trace(r"vmbus_channel_open channel #1 status 0")
    return "\n".join(said_since(g, start))


def dropin(g):
    """hv_vmbus.ko, ours, connects; the distribution's hv_balloon opens."""
    load_ours(g, "stock")
    return balloon_opens(g)


def stock(g):
    """The kernel's own does the same."""
    said = load(g, "/modules/hv_vmbus.ko")
    assert said == [f"hv_vmbus: Vmbus version:{VERSION}"], said
    return balloon_opens(g)


def free(g):
    """Free memory in the guest, bytes."""
    return int(g.run("grep MemFree /proc/meminfo").out.split()[1]) << 10


def wait_balloon(g, what, condition):
    """Waits until (free memory, what QEMU believes) is as it should be."""
    deadline = time.monotonic() + 30 * g.scale
    while True:
        now = free(g), g.qmp("query-balloon")["actual"]
        if condition(*now):
            return now
        assert time.monotonic() < deadline, f"{what}: {now}"
        time.sleep(1)


def balloon_moves(g):
    """A request through QMP takes memory from the guest, and gives it back."""
    before = free(g)
    g.qmp("balloon", value=SMALL)
    taken = MEM - SMALL
    small = wait_balloon(g, f"the guest keeps {before}", lambda f, a:
                         a == SMALL and f < before - taken // 2)
    g.qmp("balloon", value=MEM)
    big = wait_balloon(g, "the guest gets nothing back", lambda f, a:
                       a == MEM and f > before - taken // 2)
    return "MiB free: " + ", ".join(str(x >> 20)
                                    for x in (before, small[0], big[0]))


def lsvmbus(g):
    """The kernel's lsvmbus finds the device."""
    out = g.run("python3 -S -E /bin/lsvmbus -vv 2>/dev/null").out
    assert re.search(r"^VMBUS ID +1: Class_ID = \S+ - \[Dynamic Memory\]$",
                     out, re.M), out
    assert re.search(r"Rel_ID=1, target_cpu=0$", out, re.M), out
    return out


def cpus(g):
    """CPUs go offline and come back."""
    for n in range(1, g.smp):
        g.run(f"cd /sys/devices/system/cpu/cpu{n} && echo 0 >online && "
              "test $(cat online) = 0 && echo 1 >online")
    page = g.run("cat /sys/kernel/debug/synth_vmbus/connection").out
    assert len(re.findall(r"^cpu \d+ ", page, re.M)) == g.smp, page


def excluded(g):
    """Where ours has the host, the kernel's own finds no device."""
    load_ours(g, "own")
    done = g.sh("insmod /modules/hv_vmbus.ko")
    assert done.rc and "No such device" in done.out, done.out
    assert g.run("cat /sys/bus/synth_vmbus/devices/*/class_id").out.split() \
        == [BALLOON]
    unload(g, "synth_vmbus")


def excludes(g):
    """Where the kernel's own has the host, ours leaves it alone, and says it."""
    start, mark = lines(g), Mark(g)
    g.run("insmod /own/synth_vmbus.ko")
    said = said_since(g, start)
    assert len(said) == 1 and "left to the kernel's own VMBus" in said[0], said
    assert not g.sh("ls /sys/bus/synth_vmbus/devices/*").rc == 0
    g.run("rmmod synth_vmbus")
    assert len(g.trace_text()) == mark.trace, g.trace_text()[mark.trace:]
    return said[0]


def switch(g):
    """The kernel's own, ours, the kernel's own, ours."""
    for _ in range(2):
        said = load(g, "/modules/hv_vmbus.ko")
        assert said == [f"hv_vmbus: Vmbus version:{VERSION}"], said
        unload(g, "hv_vmbus")
        load_ours(g, "stock")
        unload(g, "hv_vmbus")


def loads(g):
    """Loads and unloads leave the host as it was."""
    mark = Mark(g)
    g.run(f"for i in $(seq {LOADS}); do insmod /stock/hv_vmbus.ko && "
          "test $(ls /sys/bus/vmbus/devices | wc -l) = 1 && rmmod hv_vmbus "
          "|| exit 1; done", 120)
    trace = g.trace_text()[mark.trace:]
    assert len(re.findall(UNLOAD, trace)) == LOADS, trace
    assert len(re.findall(r"vmbus_initiate_contact version 4\.0", trace)) \
        == LOADS, trace


def reboot(g):
    """An orderly reboot unloads first; the next kernel connects."""
    mark = Mark(g)
    g.post("reboot -f")
    g.wait_trace(UNLOAD, mark.trace, 60)
    g.wait_boot()
    load_ours(g, "stock")


def kexec(g):
    """kexec unloads too; its kernel finds a host that listens."""
    g.run("kexec -s -l /vmlinuz --initrd=/initrd --reuse-cmdline", 120)
    mark = Mark(g)
    g.post("kexec -e")
    g.wait_trace(UNLOAD, mark.trace, 60)
    g.wait_boot(120)
    load_ours(g, "own")


def panic(g):
    """A panic unloads with interrupts off, and QEMU sees it."""
    bad = g.problems()
    wanted = [r"Kernel panic - not syncing: sysrq triggered crash$",
              r"\] Call Trace:$"]
    g.allow += wanted
    mark = Mark(g)
    g.post("echo c >/proc/sysrq-trigger")
    g.wait_trace(UNLOAD, mark.trace, 60)
    g.wait_trace(r"vmbus_post_msg type 17 ", mark.trace, 60)
    g.wait_console("the host has unloaded", 60, mark.console)
    bad += g.problems()
    assert not bad, "\n".join(bad)


def drivers(g):
    """Our drivers, built BUS=stock, go in unforced and register."""
    found = sorted(os.path.basename(x)[:-3] for x in ours(g.kernel.release)
                   if x.startswith("stock/") and not x.endswith("/hv_vmbus.ko"))
    assert found, "none is built"
    for name in found:
        start = lines(g)
        g.run(f"insmod /stock/{name}.ko")
        # out of tree, unsigned; F would be forced
        taint = g.run(f"cat /sys/module/{name}/taint").out.strip()
        assert set(taint) <= set("OE"), f"{name}: {taint}"
        assert g.sh(f"ls -d /sys/bus/vmbus/drivers/{name}").rc == 0, name
        said = g.run(f"dmesg | tail -n +{start + 1}").out
        assert "disagrees" not in said and "no symbol version" not in said, said
        g.run(f"rmmod {name}")
    return " ".join(found)


def builtin(g):
    """The kernel's VMBus is there from the start."""
    assert g.run("cat /sys/bus/vmbus/devices/*/class_id").out.split() \
        == [BALLOON]
    return "\n".join(x for x in g.run("uname -r; dmesg").out.splitlines()
                     if re.search(r"^\d|vmbus", x, re.I))


def build_new():
    """Builds the modules for the newest kernel; that needs a chroot."""
    if os.geteuid():
        raise Skip("modules for it are built in a chroot, which needs root")
    for bus in ("own", "stock"):
        done = subprocess.run(["make", "-s", "modules", "KERNEL=7.3",
                               f"BUS={bus}"], cwd=TOP, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout[-3000:]


def boot(guests):
    """Starts all guests, two at a time; returns {name: what went wrong}."""
    failed = {}
    room = threading.Semaphore(2)       # the outer guest has two CPUs

    def one(name, g):
        with room:
            try:
                g.start()
            except Exception as e:      # pylint: disable=broad-except
                failed[name] = e
    threads = [threading.Thread(target=one, args=x, daemon=True)
               for x in guests.items()]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return failed


# noxsave: that kernel finds the emulated CPUs' XSAVE areas inconsistent
CMDLINE = {"builtin": "noxsave"}

# in this order: hv_balloon can't be unloaded, so that what wants to load a
# channel from scratch comes before it or after a reboot; and what takes the
# first 50 s of the balloons comes in the middle
TESTS = (
    ("stock", "hv_vmbus connects, hv_balloon opens", stock),
    ("one", "own names connect", own),
    ("one", "the drop-in connects, hv_balloon opens on it", dropin),
    ("four", "own names connect", own),
    ("four", "the drop-in connects, hv_balloon opens on it", dropin),
    ("two", "own names connect", own),
    ("two", "the kernel's own VMBus makes way", excluded),
    ("two", "stock and drop-in take turns", switch),
    ("two", f"{LOADS} loads", loads),
    ("two", "the drop-in connects, hv_balloon opens on it", dropin),
    ("two", "lsvmbus", lsvmbus),
    ("two", "CPUs go and come back", cpus),
    ("four", "CPUs go and come back", cpus),
    ("stock", "own names leave the host alone", excludes),
    ("stock", "our drivers load", drivers),
    ("stock", "lsvmbus", lsvmbus),
    ("builtin", "VMBus is there", builtin),
    ("builtin", "own names leave the host alone", excludes),
    ("builtin", "our drivers load", drivers),
    ("stock", "a request moves the balloon", balloon_moves),
    ("one", "a request moves the balloon", balloon_moves),
    ("four", "a request moves the balloon", balloon_moves),
    ("two", "a request moves the balloon", balloon_moves),
    ("two", "reboot", reboot),
    ("two", "kexec", kexec),
    ("two", "panic", panic),
)


def run(tap, outer, names):
    """Boots the inner guests and runs their tests."""
    guests = {}
    for name in names:
        guests[name] = Inner(
            outer, name, smp={"one": 1, "four": 4}.get(name, 2),
            kernel="7.3" if name == "builtin" else "distro",
            kexec=name == "two",
            cmdline=CMDLINE.get(name, ""))
    failed = boot(guests)
    for name in names:
        if not tap.ok(name not in failed, f"{name}: boots"):
            tap.say(failed[name])
            tap.say(guests[name].tail())
    for name, what, function in TESTS:
        if name in failed:
            tap.ok(False, f"{name}: {what}", "no guest")
        elif name in names:
            tap.checked(f"{name}: {what}", guests[name], function)
    for name in names:
        if name not in failed:
            tap.test(f"{name}: ends without complaint", guests[name].close)


def main():
    """Runs the tests."""
    with Tap() as tap:
        names = ["stock", "one", "two", "four"]
        before = tap.failed
        if tap.test("7.x: modules", build_new) and tap.failed == before \
                and not os.geteuid():
            names.append("builtin")
        outer = Outer("hyperv", slots=len(names))
        if not tap.test("outer guest: boots", outer.__enter__):
            return
        try:
            run(tap, outer, names)
        finally:
            tap.test("outer guest: ends without complaint", outer.close)


if __name__ == "__main__":
    main()
