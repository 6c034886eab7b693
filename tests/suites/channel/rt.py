#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""PREEMPT_RT: all devices at work, and what it costs those who wait for a timer.

rt.py [KERNEL]...

The kernels are 6.1-rt and 6.12-rt, if none is named. In each, our drivers on
either bus: what they do wrong in a hard interrupt ends in "scheduling while
atomic", or in a guest that stands still. cyclictest's latencies are printed, no
more: these CPUs are emulated.
"""

import os
import re
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for where in ("vm", "suites/input", "suites/net"):
    sys.path.insert(0, os.path.join(HERE, "../..", where))
# pylint: disable=wrong-import-position
from selftests import HOST, programs    # noqa: E402
from guest import Guest     # noqa: E402
from kernels import build_modules   # noqa: E402
import far                  # noqa: E402
import lib                  # noqa: E402
from lib import iperf, NetGuest, Nic    # noqa: E402
import mouse                # noqa: E402
from screen import pattern_rows, same_picture, screenshot, Tool  # noqa: E402
import smoke                # noqa: E402
from steps import image, io_flows, LONG, nothing_leaked, wait_for   # noqa: E402
from tap import Skip, Tap   # noqa: E402

KERNELS = ("6.1-rt", "6.12-rt")
SECONDS = 60 if LONG else 6
# SCHED_FIFO in /proc/PID/stat; threaded interrupt handlers have this priority
FIFO, PRIORITY = "1", "50"


class RtGuest(NetGuest):
    """A guest with a disk of several channels, a card, a display, a mouse and a
    keyboard. It has fewer vectors than CPUs, so that some have to be woken by
    others."""

    def __init__(self, name, driver, **kw):
        super().__init__(name, driver, [Nic("n0", opts="queues=2")], [
            "--mouse", "--keyboard", "--video", "video", "--vnc", "0",
            "--scsi", "c0,subchannels=3", "--disk", "c0,lun=0,file={}/disk.img"],
            smp=4, vectors=2, mem="768M", limit=1200, **kw)

    @property
    def module(self):
        """The channel's module."""
        return "synth_vmbus" if self.driver.bus == "own" else "hv_vmbus"

    def start_host(self):
        os.makedirs(self.scratch, exist_ok=True)
        image(self, "disk.img", 32)
        super().start_host()


def begin(g):
    """This is such a kernel; all drivers find their devices."""
    out = g.run("uname -v").out
    assert "PREEMPT_RT" in out, out
    g.driver.load_all(g)
    where = f"/synthio/build/{g.kernel.release}/{g.driver.bus}/drivers"
    g.sh("for x in drm_kms_helper drm_shmem_helper drm_client_lib; do"
         " modprobe $x; done")
    g.run(f"modprobe hid; modprobe evdev; insmod {where}/block/synth_blk.ko &&"
          f"insmod {where}/input/synth_mouse.ko &&"
          f"insmod {where}/video/synth_video.ko")
    wait_for(g, "test -b /dev/synda && test -e /dev/dri/card0",
             "no disk, or no card")
    mouse.event(g)


def threads(g):
    """What stands for the interrupt of each CPU: {cpu: (pid, policy, priority,
    CPUs where it may run)}."""
    out = g.run("for p in /proc/[0-9]*; do read -r n <$p/comm;"
                " case $n in synth_vmbus/*|hv_vmbus/*) echo $n ${p#/proc/}"
                " $(sed 's/.*) //' $p/stat | cut -d' ' -f38,39)"
                " $(sed -n 's/^Cpus_allowed_list:\\t//p' $p/status);; esac;"
                " done 2>/dev/null").out
    return {int(m[1]): tuple(m[2].split()) for m in
            re.finditer(r"^\S+/(\d+) (.*)$", out, re.M)}


def has_threads(g):
    """One for each CPU, that stays there, with an interrupt's priority."""
    found = threads(g)
    assert sorted(found) == list(range(g.smp)), found
    for cpu, (_, priority, policy, cpus) in found.items():
        assert (policy, priority, cpus) == (FIFO, PRIORITY, str(cpu)), found


def same_disk(g):
    """What the guest reads, past its cache, is what the host's file has."""
    g.run("dd if=/dev/synda bs=1M iflag=direct 2>/run/dd |"
          " cmp - /scratch/disk.img || { cat /run/dd; exit 1; }", 120)


def fio(g, mode, *opts, timeout=90):
    """Runs it at depth 64 on all CPUs, returns what it says."""
    out = g.run(f"fio --name=rt --filename=/dev/synda {mode} --direct=1"
                " --ioengine=libaio --iodepth=64 --allow_file_create=0"
                f" --time_based --runtime={SECONDS} --randseed=7"
                f" {' '.join(opts)}", timeout + 4 * SECONDS).out
    assert "err= 0" in out and not re.search(r"verify:|err= [1-9]", out), out
    return ", ".join(re.findall(r"(?:read|write): IOPS=\S+", out)[:2])


def disk(g):
    """Random reads and writes at depth 64; then writes that are read back."""
    said = fio(g, "--rw=randrw --bs=4k", "--numjobs=4 --group_reporting")
    said += "; verified: " + fio(
        g, "--rw=randwrite --bsrange=4k-64k", "--verify=crc32c"
        " --verify_backlog=256 --do_verify=1 --norandommap=0")
    same_disk(g)
    return said


def card(g):
    """iperf3, each way and both at once."""
    said = []
    for opts in ("-P 4", "-P 4 -R", "--bidir"):
        done = iperf(g, g.nic().far4, f"-t {SECONDS // 2}", opts,
                     timeout=60 + 4 * SECONDS)
        assert done.received > 1 << 20, done.all
        said.append(f"{opts}: {done.rate}")
    return ", ".join(said)


def moves(g, count=100):
    """Each report of the mouse arrives, in order."""
    smoke.moves(g, count)


def display(g):
    """What is drawn is on the screen, with page flips and a beat."""
    tool = Tool(g)
    try:
        for seed, (w, h) in enumerate(((640, 480), (1024, 768))):
            tool.do("mode", w, h, seed)
            same_picture(screenshot(g), pattern_rows(w, h, seed), f"{w}x{h}")
            tool.do("flip", 10, 100)
            same_picture(screenshot(g), pattern_rows(w, h, 109), "flips")
    finally:
        tool.end()


class All:
    """Disk and card at work in the guest until it ends: fio at depth 64 that
    checks what it reads back, and iperf3 both ways."""

    def __init__(self, g):
        self.g = g
        self.net = None
        self.fio = g.spawn(
            "fio --name=load --filename=/dev/synda --rw=randwrite --bs=8k"
            " --verify=crc32c --verify_backlog=64 --do_verify=1 --randseed=3"
            " --direct=1 --ioengine=libaio --iodepth=64 --time_based"
            " --runtime=900 --allow_file_create=0", 900)

    def __enter__(self):
        self.net = lib.Load(self.g)
        self.flows()
        return self

    def flows(self):
        """Both go on."""
        io_flows(self.g, "synda", 200)
        self.net.flows()

    def __exit__(self, kind, value, trace):
        if kind:
            self.net.kill()
            self.fio.kill()
            return
        self.net.stop()
        assert not self.fio.done(), self.fio.output()
        self.g.run("kill -INT $(pidof fio)")
        done = self.fio.wait()
        assert "err= 0" in done.out and "verify:" not in done.out, done.out


def at_once(g):
    """All devices together."""
    with All(g) as load:
        moves(g)
        display(g)
        load.flows()
    same_disk(g)


def hotplug(g):
    """A CPU goes and comes back under load, and its thread with it."""
    with All(g) as load:
        for cpu in (1, 3) if LONG else (1,):
            where = f"/sys/devices/system/cpu/cpu{cpu}/online"
            for _ in range(5 if LONG else 2):
                g.run(f"echo 0 >{where}", 90)
                load.flows()
                g.run(f"echo 1 >{where}", 90)
                load.flows()
            # channels are elsewhere now: have one interrupt it again
            g.run("cd /sys/bus/vmbus/devices/*/block/synda/../../channels;"
                  f"for x in *; do echo {cpu} >$x/cpu; done")
            load.flows()
            wait_for(g, f"grep -qx 'Cpus_allowed_list:\t{cpu}'"
                     f" /proc/{threads(g)[cpu][0]}/status",
                     "its thread is elsewhere")
    same_disk(g)


def latency(g):
    """cyclictest alone, under fio, and under fio and iperf3."""
    if not shutil.which("cyclictest"):
        raise Skip("cyclictest is not here: apt-get install rt-tests")

    def measure():
        out = g.run(f"cyclictest --mlockall --smp --priority=90 --quiet"
                    f" --interval=1000 --duration={SECONDS}", 60 + 4 * SECONDS
                    ).out
        found = re.findall(r"Min: +(\d+) .*Avg: +(\d+) Max: +(\d+)", out)
        assert len(found) == g.smp, out
        return (f"min {min(int(x[0]) for x in found)}, average "
                f"{sum(int(x[1]) for x in found) // len(found)}, max "
                f"{max(int(x[2]) for x in found)} us")

    said = [f"idle: {measure()}"]
    with All(g):
        said.append(f"fio and iperf3: {measure()}")
    return "\n".join(said)


def comes_again(g):
    """Card and mouse are rescinded, and offered again."""
    for name in ("n0", "mouse"):
        g.ctl("rescind", name, "now")
        time.sleep(0.2)
        g.ctl("offer", name)
    mouse.event(g)
    lib.forget(g)
    lib.up(g, g.nic())
    lib.goes_again(g)
    moves(g, 10)


def unloads(g):
    """All goes, and the threads too."""
    nothing_leaked(g)
    g.run("echo 0 >/sys/class/vtconsole/vtcon1/bind 2>/dev/null;"
          "! grep -q ^hyperv_keyboard /proc/modules || rmmod hyperv_keyboard;"
          f"rmmod synth_blk synth_net synth_mouse synth_video {g.module}", 120)
    assert not threads(g), threads(g)


def test(tap, kernel):
    """All that there is for one kernel."""
    if not build_modules(tap, kernel, "own", "stock"):
        return
    common = (("all devices come", begin),
              ("a thread for each CPU", has_threads),
              ("fio at depth 64", disk), ("iperf3", card),
              ("all at once", at_once))
    tap.guest(f"{kernel}, own names",
              RtGuest(f"rt-{kernel}", lib.OWN, kernel=kernel), *common,
              ("the mouse", moves), ("the display", display),
              ("a CPU goes and comes", hotplug),
              ("devices go and come", comes_again),
              ("cyclictest", latency), ("all unloads", unloads))
    # the drivers ask for other call modes there
    tap.guest(f"{kernel}, drop-in",
              RtGuest(f"rt-stock-{kernel}", lib.STOCK, kernel=kernel), *common,
              ("the keyboard", smoke.keyboard), ("all unloads", unloads))
    tap.guest(f"{kernel}, selftests",
              Guest(f"rt-selftests-{kernel}", kernel=kernel, limit=1200,
                    host=HOST), *programs("own"))


def main():
    """Runs the tests."""
    with Tap() as tap:
        reason = far.why_not()
        if reason:
            tap.skip("PREEMPT_RT", reason)
            return
        for kernel in sys.argv[1:] or KERNELS:
            test(tap, kernel)


if __name__ == "__main__":
    main()
