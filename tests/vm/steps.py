# SPDX-License-Identifier: GPL-2.0-only
"""Steps that tests of several suites take in a guest.

Each takes a guest.Guest first, and raises AssertionError or GuestError where
what it is about does not happen.
"""

import base64
import contextlib
import hashlib
import os
import re
import signal
import struct
import time

from tap import Skip

MB = 1 << 20
BUSYBOX = "/run/vm/busybox"     # in each guest
# make test LONG=1: each test as long as it deserves; else as short as makes sense
LONG = os.environ.get("LONG") == "1"
# seconds for which a host is stopped; the guest's bus notices that after 5
PAUSES = (6, 12, 40, 90) if LONG else (12,)


@contextlib.contextmanager
def stopped(g):
    """synthhost is stopped meanwhile, as when a host is paused."""
    pid = g.host_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def image(g, name, megabytes):
    """Makes a disk image of zeros in the scratch directory, returns its path."""
    path = os.path.join(g.scratch, name)
    with open(path, "wb") as f:
        f.truncate(megabytes * MB)
    return path


def random_image(g, name, megabytes):
    """Makes a disk image of random data, returns its path and checksum."""
    path = os.path.join(g.scratch, name)
    data = os.urandom(megabytes * MB)
    with open(path, "wb") as f:
        f.write(data)
    return path, hashlib.sha256(data).hexdigest()


def file_sum(g, name):
    """Checksum of a file in the scratch directory, as it is on this side."""
    with open(os.path.join(g.scratch, name), "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def disk_sum(g, dev):
    """Checksum of all that a disk of the guest reads, past its cache."""
    return g.run(f"dd if=/dev/{dev} bs=1M iflag=direct 2>/run/dd |"
                 " sha256sum || cat /run/dd", 60).out.split()[0]


def wait_for(g, script, what, timeout=30):
    """Waits until a script succeeds in the guest, returns its output.

    what: the complaint if it never does
    """
    deadline = time.monotonic() + timeout * g.scale
    while True:
        done = g.sh(script)
        if done.rc == 0:
            return done.out
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}\n{done.out}\n{g.tail()}")
        time.sleep(0.2)


def wait_until(g, condition, complain, timeout=20, step=0.1):
    """Waits until a condition of this side holds, returns its value.

    complain: returns the complaint if it never does
    step: seconds from one look to the next
    """
    deadline = time.monotonic() + timeout * g.scale
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, complain()
        time.sleep(step)


def host_state(g, state, timeout=30):
    """Waits until our bus takes the host to be in that state."""
    wait_for(g, f"grep -qx 'host state     {state}'"
             " /sys/kernel/debug/synth_vmbus/connection",
             f"the host's state is not {state}", timeout)


def disk(g, lun):
    """Waits for a LUN's disk, returns its name: sd probes in any order."""
    where = f"/sys/class/scsi_device/*:0:0:{lun}/device/block/sd*"
    name = wait_for(g, f"basename $(ls -d {where}) && test -b /dev/$(basename "
                    f"{where})", f"no disk of LUN {lun}")
    return name.split()[0]


def takes_over(driver, unloads, begin):
    """Makes a step that puts another driver in the place of g.driver, on a channel that
    is loaded anew; nothing of the steps before is kept."""
    def test(g):
        unloads(g)
        g.driver = driver
        g.tool = None
        g.notes.clear()
        return begin(g)
    return test


def paused(g, seconds, work):
    """The host does not run for so many seconds, and at least while work() does, which
    therefore waits for nothing of the host. Returns what work() returns."""
    start = time.monotonic()
    with stopped(g):
        found = work()
        time.sleep(max(0, start + seconds - time.monotonic()))
    return found


def forget_files(g):
    """The guest remembers no file of 9p any more, before it goes to sleep.

    When it is short of memory it gives back what it knows of them, and has to
    tell the server, which never answers if it was slept through.
    """
    g.run("sync; for x in 1 2 3; do echo 3 >/proc/sys/vm/drop_caches; done",
          120)


def own_user_space(g, programs=(), others=()):
    """A busybox and these programs, in memory, take the place of /usr.

    Then nothing is asked of 9p any more, which outlives no sleep.
    others: programs of this side that lie in memory elsewhere: what they need is
        there, too
    """
    files = sorted({*programs, *g.userland.libraries(
        [*map(g.userland.path, programs), *others])})
    g.run("mkdir -p /run/own/bin /run/own/lib64 &&"
          f" cp {BUSYBOX} /run/own/bin && {BUSYBOX} --install -s /run/own/bin"
          " && ln -sf /usr/bin/busybox /run/own/bin/sh &&"
          " ln -s bin /run/own/sbin || exit\n"
          f"for f in {' '.join(files)}; do to=/run/own/${{f#/usr}};"
          # a program takes the place of busybox's
          " mkdir -p ${to%/*} && rm -f $to && cp -L $f $to || exit; done\n"
          "mount --bind /run/own /usr && ls -l /bin/sh | grep -q busybox", 180)


def sleep_to(g, level, meanwhile=None):
    """The guest hibernates as far as /sys/power/pm_test says, and comes back;
    returns what its console has said.

    meanwhile: called while the guest is frozen. It stands still for that, so
    that it can't wake before; where it had, it sleeps once more.
    """
    for _ in range(5):
        at = len(g.console_text())
        g.post(f"echo {level} >/sys/power/pm_test; echo disk >/sys/power/state;"
               f"echo {level} said $? >/dev/kmsg")
        met = not meanwhile
        if meanwhile:
            g.wait_console(rf"debug: Waiting for 5 seconds|{level} said", 60, at)
            g.qmp("stop")
            try:
                said = g.console_text()[at:]
                met = not re.search(r"debug: Waiting for [^\n]*\n.|"
                                    rf"{level} said", said)
                if met:
                    meanwhile()
            finally:
                g.qmp("cont")
        said = g.wait_console(rf"{level} said (\d+)", 90, at)
        assert said[1] == "0", g.tail(60)
        g.run("echo none >/sys/power/pm_test")
        if met:
            return g.console_text()[at:]
    raise AssertionError("it always woke too early\n" + g.tail())


def sleep_idle(g, wake, seconds=2, limit=60):
    """The guest suspends to idle; wake() ends that, within a time limit."""
    at = len(g.console_text())
    g.post("echo freeze >/sys/power/state; echo idle said $? >/dev/kmsg")
    g.wait_console(r"PM: suspend entry \(s2idle\)", 30, at)
    time.sleep(seconds)
    assert not re.search(r"idle said", g.console_text()[at:]), \
        "it did not sleep:\n" + g.tail()
    wake()
    said = g.wait_console(r"idle said (\d+)", limit, at)
    assert said[1] == "0", g.tail()
    g.run("true")


def power_button(g):
    """What presses it, for sleep_idle(); raises Skip where that wakes nobody."""
    if not g.arch.wakes:
        raise Skip("this machine's power button wakes nobody")
    return lambda: g.qmp("system_powerdown")


def swap_disk(g, megabytes=400):
    """Makes a disk to hibernate to, returns synthhost's arguments for it."""
    return ["--scsi", "swap",
            "--disk", f"swap,lun=7,file={image(g, 'swap.img', megabytes)}"]


def load_swap(g):
    """Loads our disk driver, the channel is there; returns the name of
    swap_disk()'s disk, which is the only one."""
    g.run(f"insmod /synthio/build/{g.kernel.release}/own/drivers/block/"
          "synth_blk.ko")
    return wait_for(g, "ls /sys/block | grep -m 1 synd", "no disk").strip()


def sleep_on_disk(g, swap, load):
    """The guest hibernates to a disk, and another QEMU wakes it from there.

    swap: the disk's name
    load: function that loads what the disk needs in the new boot, and returns
        its name there
    """
    mark = os.urandom(8).hex()
    g.run(f"mkswap /dev/{swap} >/dev/null && swapon /dev/{swap} &&"
          f"echo {mark} >/run/mark && echo none >/sys/power/pm_test &&"
          "echo shutdown >/sys/power/disk")
    g.post("echo disk >/sys/power/state; echo image said $? >/dev/kmsg")
    deadline = time.monotonic() + 120 * g.scale
    while g.running():
        assert time.monotonic() < deadline, "it does not end:\n" + g.tail()
        time.sleep(0.2)

    # nothing of the guest is left but what is on its disk
    with open(g.ram_file, "r+b") as f:
        f.truncate(0)
        f.truncate(g.ram)
    g.start_qemu()
    g.first_boot()
    number = g.run(f"cat /sys/block/{load()}/dev").out.strip()
    assert g.sh("cat /run/mark").rc, "this is no new boot"
    at = len(g.console_text())
    g.post(f"echo {number} >/sys/power/resume; echo no image: $? >/dev/kmsg")
    m = g.wait_console(r"image said (\d+)|no image", 120, at)
    assert m[1] == "0", g.tail()
    g.run("true")
    assert g.run("cat /run/mark").out.strip() == mark


def io_flows(g, dev, more=50):
    """Waits until so many more requests of a disk have ended."""
    done = f"$(awk '{{ print $1 + $5 }}' /sys/block/{dev}/stat)"
    goal = int(g.run(f"echo {done}").out) + more
    wait_for(g, f"test {done} -ge {goal}", "I/O has stopped")


def type_keys(g, text, codes):
    """Types text on the host; in the guest just these keys are pressed.

    codes: of the keys in their order, a shift's (42) too
    """
    dev = wait_for(g, "cd /sys/bus/vmbus/devices/*/serio*/input/input*/ &&"
                   "ls -d event*", "no keyboard").strip()
    job = g.spawn(f"rm -f /run/keys; cat /dev/input/{dev} >/run/keys", 60)
    wait_for(g, f"ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q input/{dev}",
             "nobody reads the events")
    g.ctl("key", text)
    # struct input_event: 16 bytes of time, then type, code, value; each key
    # goes down and up, in three events
    wait_for(g, f"test $(stat -c %s /run/keys) -ge {len(codes) * 2 * 3 * 24}",
             "not all of the events came")
    job.kill()
    data = base64.b64decode(g.run("base64 /run/keys").out)
    keys = [code for _, _, kind, code, value
            in struct.iter_unpack("<QQHHi", data) if kind == 1 and value == 1]
    assert keys == codes, f"{text!r} came as {keys}"


def nothing_leaked(g):
    """No page is lost to the host; returns what debugfs tells."""
    out = g.run("cat /sys/kernel/debug/synth_vmbus/connection").out
    assert re.search(r"leaked pages +0$", out, re.M), out
    return out
