#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""docs/lifecycle.md, row by row: each side begins again, ends, or dies."""

import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vm"))
# pylint: disable=wrong-import-position
from guest import Guest     # noqa: E402
from steps import LONG, PAUSES, disk, disk_sum, io_flows, nothing_leaked, \
    random_image, stopped   # noqa: E402
from tap import Tap         # noqa: E402

LOADS = 100 if LONG else 20
RESETS = 5 if LONG else 2
FIO = ("fio --name=r --filename=/dev/{} --rw=randread --bs=64k --direct=1"
       " --ioengine=libaio --iodepth=32 --time_based --runtime=300"
       " --allow_file_create=0")

# kexec_file_load() by its number and the reboot that goes there. Not the
# kexec-tools: that package takes part in the machine's own shutdown
KEXEC_FILE_LOAD = {"amd64": 320, "arm64": 294}
KEXEC_LOAD = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
with open("/proc/cmdline", "rb") as f:
    line = f.read().strip() + bytes(1)
fds = [ctypes.c_long(os.open("/scratch/" + name, os.O_RDONLY))
       for name in ("vmlinuz", "initramfs")]
if libc.syscall(ctypes.c_long(%d), *fds, ctypes.c_long(len(line)), line,
                ctypes.c_long(0)):
    sys.exit(os.strerror(ctypes.get_errno()))
"""
KEXEC_GO = "import ctypes; ctypes.CDLL(None).reboot(0x45584543)"


def devices(g):
    """A disk of random data, and all else that synthhost has."""
    path, g.sum = random_image(g, "disk.img", 64)
    return ["--scsi", "c0", "--disk", f"c0,lun=0,file={path}", "--keyboard",
            "--test-device"]


def host_log_since(g, start):
    """What synthhost has said after its log was start characters long."""
    return g.host_text()[start:]


def wait_host(g, pattern, start, timeout=20):
    """Waits until synthhost says something."""
    deadline = time.monotonic() + timeout * g.scale
    while not re.search(pattern, host_log_since(g, start)):
        assert time.monotonic() < deadline, \
            f"synthhost never said {pattern!r}:\n{host_log_since(g, start)}"
        time.sleep(0.1)


def disk_up(g):
    """Loads the drop-in and the distribution's disk driver."""
    g.load("stock")
    g.run("modprobe hv_storvsc; modprobe sd_mod")
    return disk(g, 0)


def disk_is_good(g):
    """Loads what is needed; all of the disk reads as it was written."""
    out = disk_sum(g, disk_up(g))
    assert out == g.sum, out


def start_io(g, dev):
    """Starts reads and waits until they flow."""
    job = g.spawn(FIO.format(dev), 400)
    io_flows(g, dev, 200)
    return job


def after_reset(g, start):
    """The host let go while the machine stood still, and serves again."""
    g.wait_boot()
    log = host_log_since(g, start)
    order = [log.find(s) for s in ("the machine was reset",
                                   "the machine stands still",
                                   "the machine runs")]
    assert -1 not in order and order == sorted(order), log
    # nothing but the end of the old connection lies between reset and run
    assert "guest error" not in log, log
    idle = g.ctl("stats")
    assert not re.search(r"packets [1-9]", idle), idle
    disk_is_good(g)


def reset_sysrq(g):
    """sysrq-b: the guest says nothing to anybody."""
    dev = disk_up(g)
    start_io(g, dev)
    start = len(g.host_text())
    g.post("echo b >/proc/sysrq-trigger")
    after_reset(g, start)


def reset_qmp(g):
    """system_reset, several times in a row, each during I/O."""
    for _ in range(RESETS):
        dev = disk(g, 0)
        start_io(g, dev)
        start = len(g.host_text())
        g.qmp("system_reset")
        after_reset(g, start)


def reboot(g):
    """An orderly reboot unloads before the machine is reset."""
    start_io(g, disk(g, 0))
    start = len(g.host_text())
    g.post("/run/vm/busybox reboot -f || reboot -f")
    g.wait_boot()
    log = host_log_since(g, start)
    unload, reset = log.find("the guest unloads"), log.find("was reset")
    assert -1 < unload < reset, log
    assert "guest detached" in log[:reset] or "detach" in log[:reset], log
    disk_is_good(g)


def panic(g):
    """A panic unloads with interrupts off, and the machine goes on."""
    bad = g.problems()
    # what sysrq-c prints, here only: elsewhere it is a failure
    wanted = [r"Kernel panic - not syncing: sysrq triggered crash$",
              r"\] Call Trace:$"]
    g.allow += wanted
    start_io(g, disk(g, 0))
    start, said = len(g.host_text()), len(g.console_text())
    g.post("echo c >/proc/sysrq-trigger")
    g.wait_console(r"the host has unloaded", 60, said)
    g.wait_boot(120)
    log = host_log_since(g, start)
    assert -1 < log.find("the guest unloads") < log.find("was reset"), log
    # it would be there again for a crash kernel, where slots are an overlay
    assert "leaves a message" not in log, log
    bad += g.problems()
    g.allow = g.allow[:-len(wanted)]
    assert not bad, "\n".join(bad)
    disk_is_good(g)


def kexec(g):
    """kexec unloads as a reboot does; then comes no reset but a new kernel."""
    for path, name in ((g.kernel.image, "vmlinuz"),
                       (os.path.join(g.dir, "initramfs"), "initramfs")):
        shutil.copyfile(path, os.path.join(g.scratch, name))
    load = KEXEC_LOAD % KEXEC_FILE_LOAD[g.kernel.arch]
    g.run(f"python3 - <<'END'\n{load}END", 120)
    start_io(g, disk(g, 0))
    start = len(g.host_text())
    g.post(f"python3 -c '{KEXEC_GO}'")
    g.wait_boot(300)
    log = host_log_since(g, start)
    assert -1 < log.find("the guest unloads") < log.find("detach"), log
    assert "was reset" not in log and "guest error" not in log, log
    disk_is_good(g)


def qemu_death(g):
    """QEMU is killed: synthhost drains and serves the next one."""
    start_io(g, disk(g, 0))
    start = len(g.host_text())
    g.kill_qemu()
    wait_host(g, "QEMU has gone", start)
    assert g.host_running()
    g.start_qemu()
    g.wait_boot()
    disk_is_good(g)


def unbind(g):
    """The transport's device is taken from its driver during I/O."""
    dev = disk(g, 0)
    job = start_io(g, dev)
    g.run("cd /sys/bus/pci/drivers/synth_ivshmem && d=$(basename $(ls -d 0*))"
          " && echo $d >unbind && echo $d >/run/pci", 120)
    # its I/O is over, with errors, or it would not end now; by itself fio may
    # take 300 s for that, looking for a file that it still has
    g.sh("pkill -KILL fio")
    job.wait()
    left = g.run("ls /sys/bus/vmbus/devices").out.strip()
    assert not left, left
    g.run("cat /run/pci >/sys/bus/pci/drivers/synth_ivshmem/bind", 60)
    out = disk_sum(g, disk(g, 0))
    assert out == g.sum, out
    nothing_leaked(g)


def rmmod_busy(g):
    """A channel in use can't be unloaded; unused it can, under host load."""
    start_io(g, disk(g, 0))
    done = g.sh("rmmod hv_vmbus")
    assert done.rc and "in use" in done.out, done.out
    g.sh("pkill fio; sleep 1")
    g.run("! grep -q ^sd_mod /proc/modules || rmmod sd_mod;"
          "rmmod hv_storvsc && rmmod hv_vmbus", 120)
    disk_is_good(g)


def memory(g):
    """What a leak would show in: slab, vmalloc, per-CPU and free pages."""
    g.run("sync; echo 3 >/proc/sys/vm/drop_caches; sleep 1")
    out = g.run("grep -E '^(SUnreclaim|Percpu|KernelStack|PageTables):'"
                " /proc/meminfo; echo vmallocs: $(wc -l </proc/vmallocinfo)"
                " lines; awk '$1 ~ /^kmalloc-/ { n += $2 * $4 } END"
                " { print \"kmalloc:\", int(n / 1024) }' /proc/slabinfo").out
    return {k: int(v) for k, v in re.findall(r"^(\w+):\s+(\d+)", out, re.M)}


def loads(g):
    """Loads and unloads with devices there; memory comes back."""
    g.run(f"cp /synthio/build/{g.kernel.release}/own/channel/synth_vmbus.ko"
          " /run")
    script = ("for i in $(seq {}); do insmod /run/synth_vmbus.ko && "
              "test $(ls /sys/bus/vmbus/devices | wc -l) = 3 && "
              "rmmod synth_vmbus || exit 1; done")
    g.run(script.format(LOADS // 4), 120)   # caches and pools fill
    before = memory(g)
    g.run(script.format(LOADS), 400)
    after = memory(g)
    grown = {k: after[k] - before[k] for k in before}
    # KASAN keeps what is freed for a while; kmemleak finds what is lost
    noise = 4096 if g.kernel.name == "debug" else 0 if LONG else 150
    # what is lost at each load adds up; that the rest of the kernel takes more
    # or less meanwhile does not
    assert grown["vmallocs"] < 10, (before, after)
    assert grown["SUnreclaim"] < LOADS * 4 + noise, (before, after)
    assert grown["kmalloc"] < LOADS * 2 + noise, (before, after)
    assert grown["Percpu"] < LOADS + noise, (before, after)
    lost = g.lost()
    assert not lost, "\n".join(lost)
    lines = [x for x in g.console_text().splitlines()
             if re.search(r"vmbus|ivshmem", x)
             and not re.search(r"VMBus version|taints kernel|signature", x)]
    assert not lines, "\n".join(lines)
    return f"kB grown after {LOADS} loads: {grown}"


def pause_rmmod(g):
    """synthhost stands still while the bus is removed: that waits for it."""
    g.load("own")
    for seconds in PAUSES:
        said = len(g.console_text())
        with stopped(g):
            job = g.spawn("rmmod synth_vmbus", 400)
            time.sleep(seconds)
        done = job.wait()
        assert done.rc == 0, done.out
        text = g.console_text()[said:]
        assert not re.search(r"leaked|lost|did not confirm", text), text
        g.load("own")
        out = g.run("cat /sys/kernel/debug/synth_vmbus/connection").out
        assert re.search(r"^host state +responds$", out, re.M), out
    g.run("rmmod synth_vmbus", 60)


def host_death(g):
    """synthhost is killed: the shell lives, the log tells, rmmod ends."""
    g.load("own")
    said = len(g.console_text())
    g.allow.append(r"pages (are lost|leaked)")
    g.kill_host()
    g.wait_console(r"host does not respond, no heartbeat for 5 s", 30, said)
    assert g.run("echo alive").out.strip() == "alive"
    g.wait_console(r"it counts as lost", 30, said)
    out = g.run("cat /sys/kernel/debug/synth_vmbus/connection").out
    assert re.search(r"^host state +lost$", out, re.M), out
    g.run("rmmod synth_vmbus", 60)
    g.wait_console(r"pages are lost", 10, said)


def host_death_io(g):
    """... also in the middle of I/O, which then stands still."""
    start_io(g, disk(g, 0))
    said = len(g.console_text())
    g.kill_host()
    g.wait_console(r"host does not respond", 30, said)
    assert g.run("echo alive").out.strip() == "alive"
    assert "open" in g.run("cat /sys/kernel/debug/synth_vmbus/channels").out


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest("load", Guest("load", host=devices),
                  (f"{LOADS} loads leave nothing behind", loads),
                  ("synthhost stands still, and the bus is removed",
                   pause_rmmod),
                  ("synthhost dies", host_death))
        tap.guest("reset", Guest("reset", reboot=True, host=devices),
                  ("sysrq-b during I/O", reset_sysrq),
                  ("system_reset during I/O", reset_qmp),
                  ("a panic during I/O", panic),
                  ("reboot", reboot),
                  ("kexec", kexec),
                  ("QEMU dies", qemu_death),
                  ("the device is unbound during I/O", unbind),
                  ("rmmod", rmmod_busy),
                  ("synthhost dies during I/O", host_death_io))


if __name__ == "__main__":
    main()
