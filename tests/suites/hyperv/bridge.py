#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The Hyper-V transport, against KVM's SynIC and QEMU's VMBus bridge.

    outer guest (KVM on emulated CPUs), QEMU 8.2 or newer in it:
      stock    2 CPUs   the kernel's own hv_vmbus: the baseline, which shows
                        that the harness is right; our drivers on it
      one      1 CPU    our channel: own names, then the drop-in with hv_balloon;
      two      2 CPUs   loads, turns with the kernel's own, CPUs that go and come
      four     4 CPUs   back, balloon, reboot, kexec, panic
      rt       2 CPUs   the same as two, with PREEMPT_RT
      builtin  2 CPUs   a kernel with VMBus built in; our drivers on it

bridge.py [GUEST]... runs only those inner guests; without one, all.

One at a time: four CPUs on two emulated ones are what a loaded machine can bear.
What dies of QEMU's emulated virtualisation is run again in another outer guest,
and said (tests/vm/outers.py).

The bridge speaks versions up to 4.0, and offers one device, the balloon. QEMU
sends no request to it in the first 50 s after its channel was opened.
"""

import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
VM = os.path.join(HERE, "../../vm")
sys.path.insert(0, VM)
# pylint: disable=wrong-import-position
from machine import G       # noqa: E402
from kernels import build_modules, TOP  # noqa: E402
from nested import Inner, needs     # noqa: E402
from outers import Outers, run_inner    # noqa: E402
from tap import Skip, Tap   # noqa: E402

VERSION = "4.0"         # the bridge's newest
BALLOON = "{525074dc-8985-46e2-8057-a307dc18a502}"
MEM = G // 2
SMALL = MEM - (128 << 20)   # what a balloon is asked to leave
LOADS = 5
DRIVERS = ("synth_blk", "synth_keyboard", "synth_mouse", "synth_net",
           "synth_video")
# Hyper-V's registers of a CPU, by number, and what is in them
SYNIC = {"scontrol": 0x40000080, "siefp": 0x40000082, "simp": 0x40000083,
         "sint": 0x40000092}
MASKED = 1 << 16
VECTOR = 0xf3           # HYPERVISOR_CALLBACK_VECTOR
INNER_PYTHON = "python3 -S -E"
UNLOAD = r"vmbus_recv_message type 16 "
# what a boot's log has, with the kernel's own VMBus and with ours
STOCK_LOG = [f"hv_vmbus: Vmbus version:{VERSION}",
             "hv_vmbus: registering driver hv_balloon",
             "hv_balloon: Using Dynamic Memory protocol version 2.0"]
OUR_LOG = [f"hv_vmbus: VMBus version {VERSION} over hyperv",
           "hv_vmbus: new driver hv_balloon",
           "hv_balloon: Using Dynamic Memory protocol version 2.0"]


class Mark:
    """Where a guest's console and its QEMU's trace are now."""

    def __init__(self, g):
        self.console = len(g.console_text())
        self.trace = len(g.trace_text())


def said_since(g, mark):
    """What the kernel, and all that has to do with VMBus, has said of it,
    without timestamps."""
    out = g.run(f"dmesg | tail -n +{mark + 1}").out
    return [re.sub(r"^\[ *[\d.]+\] ", "", x) for x in out.splitlines()
            if re.search(r"vmbus|hyper-?v|hv_|synth", x, re.I)
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
    return said_since(g, start)


def dropin(g):
    """hv_vmbus.ko, ours, connects; the distribution's hv_balloon opens."""
    g.said = load_ours(g, "stock") + balloon_opens(g)


def stock(g):
    """The kernel's own does the same."""
    g.said = load(g, "/modules/hv_vmbus.ko") + balloon_opens(g)


def log(g):
    """Ours says what the kernel's own says, and no more."""
    wanted = [OUR_LOG, STOCK_LOG][g.name.startswith("hyperv-stock")]
    assert g.said == wanted, g.said
    return "\n".join(g.said)


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


def ask_balloon(g, size):
    """A request through QMP, while the guest stands still and its ring is read:
    QEMU's hv-balloon reads the ring here too, and then insists on having been
    called for that (gpadl_iter_seek: Assertion `iter->active' failed)."""
    g.qmp("stop")
    g.qmp("query-status")   # QEMU has been through its main loop after this
    g.qmp("balloon", value=size)
    g.qmp("cont")


def balloon_moves(g):
    """A request through QMP takes memory from the guest, and gives it back."""
    before = free(g)
    ask_balloon(g, SMALL)
    taken = MEM - SMALL
    small = wait_balloon(g, f"the guest keeps {before}", lambda f, a:
                         a == SMALL and f < before - taken // 2)
    ask_balloon(g, MEM)
    big = wait_balloon(g, "the guest gets nothing back", lambda f, a:
                       a == MEM and f > before - taken // 2)
    return "MiB free: " + ", ".join(str(x >> 20)
                                    for x in (before, small[0], big[0]))


def lsvmbus(g):
    """The kernel's lsvmbus finds the device."""
    out = g.run(f"{INNER_PYTHON} /bin/lsvmbus -vv 2>/dev/null").out
    assert re.search(r"^VMBUS ID +1: Class_ID = \S+ - \[Dynamic Memory\]$",
                     out, re.M), out
    assert re.search(r"Rel_ID=1, target_cpu=0$", out, re.M), out
    return out


def synic(g):
    """What each online CPU's SynIC is set to: {cpu: {register: value}}."""
    g.run("test -e /sys/module/msr || insmod /modules/msr.ko")
    one = 'os.pread(os.open("/dev/cpu/%s/msr" % n, 0), 8, m)'
    out = g.run(f"{INNER_PYTHON} -c 'import os; [print(n, *["
                f'int.from_bytes({one}, "little") for m in '
                f'{list(SYNIC.values())}]) for n in os.listdir("/dev/cpu") '
                'if os.path.exists("/dev/cpu/%s/msr" % n)]\' 2>/dev/null').out
    return {int(line.split()[0]): dict(zip(SYNIC, map(int, line.split()[1:])))
            for line in out.splitlines()}


def is_on(cpus_synic, count):
    """Each of so many CPUs is heard, and has pages of its own."""
    assert len(cpus_synic) == count, cpus_synic
    for regs in cpus_synic.values():
        assert regs["scontrol"] & regs["simp"] & regs["siefp"] & 1, cpus_synic
        assert not regs["sint"] & MASKED, cpus_synic
        assert regs["sint"] & 0xff == VECTOR, cpus_synic
    pages = [regs[x] >> 12 for regs in cpus_synic.values()
             for x in ("simp", "siefp")]
    assert all(pages) and len(set(pages)) == 2 * count, cpus_synic


def is_off(cpus_synic, count):
    """None of so many CPUs shows the host a page."""
    assert len(cpus_synic) == count, cpus_synic
    for regs in cpus_synic.values():
        assert not (regs["scontrol"] | regs["simp"] | regs["siefp"]) & 1, \
            cpus_synic
        assert regs["sint"] & MASKED, cpus_synic


def switch_cpu(g, n, on):
    """Takes a CPU offline, or online."""
    g.run(f"cd /sys/devices/system/cpu/cpu{n} && echo {on} >online && "
          f"test $(cat online) = {on}")


def all_cpus(g):
    """Each CPU's SynIC is on with the channel, and off without; so is that of one
    that was offline when the channel went."""
    load_ours(g, "own")
    is_on(synic(g), g.smp)
    if g.smp > 1:
        switch_cpu(g, 1, 0)
        is_on(synic(g), g.smp - 1)
    unload(g, "synth_vmbus")
    if g.smp > 1:
        switch_cpu(g, 1, 1)
    is_off(synic(g), g.smp)


def cpus(g):
    """CPUs go offline and come back, and are heard again."""
    for n in range(1, g.smp):
        switch_cpu(g, n, 0)
        switch_cpu(g, n, 1)
    is_on(synic(g), g.smp)
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


def unbound(g):
    """The kernel's own keeps the host when it has let go of the device."""
    start, mark = lines(g), Mark(g)
    g.run("cd /sys/bus/platform/drivers/vmbus && d=$(basename $(ls -d *:00)) && "
          "echo $d >unbind && ! test -e $d && insmod /own/synth_vmbus.ko")
    said = said_since(g, start)
    assert any("left to the kernel's own VMBus" in x for x in said), said
    assert not g.sh("ls /sys/bus/synth_vmbus/devices/*").rc == 0
    g.run("rmmod synth_vmbus")
    assert len(g.trace_text()) == mark.trace, g.trace_text()[mark.trace:]
    return "\n".join(said)


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


def drivers(g, bus="stock", sysfs="vmbus"):
    """Our drivers go in unforced, register, and go again."""
    # what they depend on is the kernel's; one of 7.3's may be loaded already
    for name in needs(g.kernel):
        g.run(f"test -e /sys/module/{name} || insmod /modules/{name}.ko")
    for name in DRIVERS:
        g.run(f"insmod /{bus}/{name}.ko")
        # out of tree, unsigned; F would be forced, for lack of a version
        taint = g.run(f"cat /sys/module/{name}/taint").out.strip()
        assert set(taint) <= set("OE"), f"{name}: {taint}"
    there = g.run(f"ls /sys/bus/{sysfs}/drivers").out.split()
    assert set(DRIVERS) <= set(there), there
    g.run(f"rmmod {' '.join(DRIVERS)}")
    left = g.run(f"ls /sys/bus/{sysfs}/drivers").out.split()
    assert set(left) == set(there) - set(DRIVERS), left
    return " ".join(there)


def own_drivers(g):
    """... and with own names on our channel."""
    load_ours(g, "own")
    said = drivers(g, "own", "synth_vmbus")
    unload(g, "synth_vmbus")
    return said


def builtin(g):
    """The kernel's VMBus is there from the start."""
    assert g.run("cat /sys/bus/vmbus/devices/*/class_id").out.split() \
        == [BALLOON]
    return "\n".join(x for x in g.run("uname -r; dmesg").out.splitlines()
                     if re.search(r"^\d|vmbus", x, re.I))


def no_chroot():
    """Why this machine can make no chroot, or None."""
    done = subprocess.run([os.path.join(VM, "chroot.sh"), "possible"],
                          stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.strip() if done.returncode else None


def build_new():
    """Builds the modules for the newest kernel; that needs a chroot."""
    why = no_chroot()
    if why:
        raise Skip(f"modules for it are built in a chroot: {why}")
    for bus in ("own", "stock"):
        done = subprocess.run(["make", "-s", "modules", "KERNEL=newest",
                               f"BUS={bus}"], cwd=TOP, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout[-3000:]


# noxsave: that kernel finds the emulated CPUs' XSAVE areas inconsistent
CMDLINE = {"builtin": "noxsave"}

# hv_balloon can't be unloaded: what wants to load a channel from scratch comes
# before it, or after a reboot
CONNECT = (
    ("own names connect", own),
    ("each CPU's SynIC", all_cpus),
    ("our drivers load with own names", own_drivers),
    ("the kernel's own VMBus makes way", excluded),
    ("stock and drop-in take turns", switch),
    (f"{LOADS} loads", loads),
    ("the drop-in connects, hv_balloon opens on it", dropin),
    ("the log is as the kernel's own", log),
    ("lsvmbus", lsvmbus),
    ("CPUs go and come back", cpus),
)
STOCK = (
    ("hv_vmbus connects, hv_balloon opens", stock),
    ("the log of the kernel's own", log),
    ("own names leave the host alone", excludes),
    ("our drivers load", drivers),
    ("lsvmbus", lsvmbus),
)
BUILTIN = (
    ("VMBus is there", builtin),
    ("own names leave the host alone", excludes),
    ("our drivers load", drivers),
    ("and when nobody has the device", unbound),
)
MOVES = (("a request moves the balloon", balloon_moves),)
LEAVE = (("reboot", reboot), ("kexec", kexec), ("panic", panic))
OURS = (*CONNECT, *MOVES, *LEAVE)
RT = "6.1-rt"
# name: CPUs, kernel, tests
GUESTS = {
    "stock": (2, "distro", (*STOCK, *MOVES)),
    "one": (1, "distro", [x for x in OURS if x[1] is not cpus]),
    "two": (2, "distro", OURS),
    "four": (4, "distro", OURS),
    "rt": (2, RT, OURS),
    "builtin": (2, "newest", BUILTIN),
}


def run(tap, outer, name):
    """Boots an inner guest and runs its tests."""
    smp, kernel, tests = GUESTS[name]
    g = Inner(outer, name, smp=smp, kernel=kernel, kexec=kexec in dict(
        tests).values(), cmdline=CMDLINE.get(name, ""))
    run_inner(tap, outer, name, g, tests)


def main():
    """Runs the tests."""
    with Tap() as tap:
        if os.environ.get("DEBUG_KERNEL") == "1":
            raise Skip("guests in guests run the distribution's kernels")
        names = [x for x in GUESTS if x in (sys.argv[1:] or GUESTS)]
        if "builtin" in names and not (tap.test("7.x: modules", build_new)
                                       and no_chroot() is None):
            names.remove("builtin")
        if "rt" in names and not build_modules(tap, RT, "own", "stock"):
            names.remove("rt")
        outers = Outers(tap, "hyperv")
        if not tap.test("outer guest: boots", outers.get):
            return
        try:
            for name in names:
                outers.run(name, run)
        finally:
            outers.end()


if __name__ == "__main__":
    main()
