#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Hibernation, suspend to idle, CPUs that come and go, older versions.

9p, which brings the guest its user space, lives through neither kind of sleep.
So before the first one a busybox in memory takes the place of /usr; what is
needed of the machine (fio, modules) is used before that.
"""

import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vm"))
# pylint: disable=wrong-import-position
from guest import Guest     # noqa: E402
from steps import PAUSES, disk, disk_sum, file_sum, forget_files, host_state, \
    image, io_flows, nothing_leaked, random_image, sleep_idle, sleep_on_disk, \
    sleep_to, stopped, type_keys, wait_for     # noqa: E402
from tap import Tap         # noqa: E402

VERSIONS = ("6.0", "5.3", "5.2", "5.1", "5.0", "4.1", "4.0", "3.0", "2.4")
CT = "/sys/kernel/debug/synth_chantest"
OWN_USER_SPACE = """
mkdir -p /run/own/bin && cp /run/vm/busybox /run/own/bin &&
/run/own/bin/busybox --install -s /run/own/bin &&
ln -sf /usr/bin/busybox /run/own/bin/sh &&
ln -s bin /run/own/sbin && mount --bind /run/own /usr
"""
# name, driver, CPU of each channel, and which channels sysfs shows
DEVICES = """
for d in /sys/bus/*vmbus/devices/*; do
	drv=none
	[ ! -e $d/driver ] || drv=$(basename $(readlink $d/driver))
	echo $(basename $d) $drv $(cat $d/channel_vp_mapping) / $(ls $d/channels)
done
"""
INTERRUPTS = "grep synth_ivshmem /proc/interrupts"


def pm_guest(name, more=(), **kw):
    """A guest with a disk of random data and one to swap to."""
    def devices_of(g):
        data, g.sum = random_image(g, "data.img", 16)
        swap = image(g, "swap.img", 400)
        return ["--scsi", "c0,subchannels=2", "--disk", f"c0,lun=0,file={data}",
                "--scsi", "c1", "--disk", f"c1,lun=7,file={swap}", "--keyboard",
                *more]
    return Guest(name, host=devices_of, limit=900, **kw)


# -- what both builds share --------------------------------------------------

def own_user_space(g):
    """From here on the guest asks nothing of 9p."""
    g.run(OWN_USER_SPACE)
    g.run("ls -l /bin/sh | grep -q busybox")
    forget_files(g)


def devices(g):
    """{device: (driver, CPU of each channel)}; sysfs agrees about relids."""
    found = {}
    for line in g.run(DEVICES).out.splitlines():
        left, right = line.split("/")
        name, driver, *mapping = left.split()
        relids = [m.split(":")[0] for m in mapping]
        assert sorted(relids) == sorted(right.split()), \
            f"channels of {name} are {relids}, sysfs shows {right}"
        found[name] = (driver, [m.split(":")[1] for m in mapping])
    return found


def wait_devices(g, wanted):
    """Waits until all devices are as they were: sub-channels come later."""
    deadline = time.monotonic() + 20 * g.scale
    while True:
        try:
            now = devices(g)
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            now = None
        if now == wanted:
            return
        assert time.monotonic() < deadline, f"{now}\nnot as before:\n{wanted}"
        time.sleep(0.3)


# -- the distribution's drivers ----------------------------------------------

def stock_up(g):
    """Loads the drop-in and the distribution's drivers; data is right."""
    g.load("stock")
    g.run("for x in hv_storvsc sd_mod hyperv-keyboard evdev; do"
          " modprobe $x; done")
    disk(g, 7)
    data_is_right(g)
    wait_for(g, "ls /sys/bus/vmbus/devices/*/serio*/input/input*/event*",
             "no keyboard")


def data_is_right(g):
    """All of the disk reads as the host wrote it."""
    out = disk_sum(g, disk(g, 0))
    assert out == g.sum, out


def new_data(g):
    """Writes all of the disk anew, from the guest."""
    g.run(f"dd if=/dev/urandom of=/dev/{disk(g, 0)} bs=1M count=16"
          " oflag=direct", 60)
    g.sum = file_sum(g, "data.img")
    data_is_right(g)


def all_works(g, before):
    """Devices are those that there were, and serve."""
    wait_devices(g, before)
    data_is_right(g)
    new_data(g)
    type_keys(g, "wake up", [17, 30, 37, 18, 57, 22, 25])
    nothing_leaked(g)


def moving_io(g):
    """Starts writes that fio verifies, on the disk with three channels."""
    dev = disk(g, 0)
    job = g.spawn(f"fio --name=m --filename=/dev/{dev} --rw=randwrite --bs=8k"
                  " --direct=1 --ioengine=libaio --iodepth=8 --rate_iops=400"
                  " --verify=crc32c --verify_backlog=64 --do_verify=1"
                  " --time_based --runtime=600 --size=16m --randseed=3", 600)
    flows(g, 200)
    return job


def flows(g, more=50):
    """I/O goes on."""
    io_flows(g, disk(g, 0), more)


def placement(g):
    """{relid: CPU} of all channels."""
    out = g.run("cat /sys/bus/vmbus/devices/*/channel_vp_mapping").out
    return dict(m.split(":") for m in out.split())


def hotplug(g):
    """CPUs go and come while their channels carry I/O."""
    before = placement(g)
    used = set(before.values())
    assert len(used) > 2, f"channels are not spread: {before}"
    job = moving_io(g)
    for cpu in "123":
        g.run(f"echo 0 >/sys/devices/system/cpu/cpu{cpu}/online")
        now = placement(g)
        assert now.keys() == before.keys(), (before, now)
        assert cpu not in now.values(), f"CPU {cpu} is offline: {now}"
        flows(g)
    assert set(placement(g).values()) == {"0"}
    for cpu in "312":
        g.run(f"echo 1 >/sys/devices/system/cpu/cpu{cpu}/online")
        flows(g)
    g.job = job


def place(g):
    """An administrator moves channels; nonsense is refused."""
    g.run("for f in /sys/bus/vmbus/devices/*/channels/*/cpu; do"
          " echo 3 >$f && test $(cat $f) = 3 || exit 1; done")
    assert set(placement(g).values()) == {"3"}
    flows(g, 200)

    # the host has taken notice: interrupts come where the channels are now
    def per_cpu():
        rows = [r.split()[1:5] for r in g.run(INTERRUPTS).out.splitlines()]
        return [sum(int(r[c]) for r in rows) for c in range(4)]
    first = per_cpu()
    flows(g, 300)
    grown = [b - a for a, b in zip(first, per_cpu())]
    assert grown[3] > 10 * (grown[1] + grown[2] + 1), grown

    g.run("echo 0 >/sys/devices/system/cpu/cpu2/online")
    for wrong in ("2", "4", "4095", "-1", "4294967296", "x", "''"):
        done = g.sh("for f in /sys/bus/vmbus/devices/*/channels/*/cpu; do"
                    f" ! echo {wrong} >$f || exit 1; done 2>/dev/null")
        assert not done.rc, f"CPU {wrong} was not refused"
    g.run("echo 1 >/sys/devices/system/cpu/cpu2/online")
    assert set(placement(g).values()) == {"3"}
    # spread them again, for what comes
    g.run("n=0; for f in /sys/bus/vmbus/devices/*/channels/*/cpu; do"
          " echo $((n % 4)) >$f || exit 1; n=$((n + 1)); done")
    flows(g)


def io_was_right(g):
    """fio has read back all that it wrote."""
    assert not g.job.done(), g.job.output()
    g.run("killall -INT fio")
    done = g.job.wait()
    assert "err= 0" in done.out and "verify" not in done.out.lower(), done.out
    g.sum = file_sum(g, "data.img")
    own_user_space(g)
    data_is_right(g)


def s2idle(g):
    """A key press ends suspend to idle; channels stay as they are."""
    before = devices(g)
    relids, host = placement(g), len(g.host_text())
    sleep_idle(g, lambda: g.ctl("key", "x"), 1, 30)
    assert placement(g) == relids
    assert not re.search(r"closed|detached", g.host_text()[host:]), \
        g.host_text()[host:]
    all_works(g, before)


def hibernation(g):
    """All but the image: one CPU, interrupts off, then everything again."""
    before, relids = devices(g), placement(g)
    said = sleep_to(g, "core")
    assert re.search(r"VMBus version 5\.3 over", said), said
    assert "CPU 3 is now offline" in said.replace("CPU3", "CPU 3"), said
    all_works(g, before)
    assert placement(g).keys() != relids.keys(), "the host has not renumbered"


def keyboard_guid(g):
    """The name of the keyboard's device."""
    return [d for d, (driver, _) in devices(g).items()
            if driver == "hyperv_keyboard"][0]


def goes_and_returns(g, level, pattern):
    """The host removes the keyboard while the guest is frozen."""
    before, kbd = devices(g), keyboard_guid(g)
    said = sleep_to(g, level, lambda: g.ctl("rescind", "kbd", "now"))
    wait_for(g, f"! test -e /sys/bus/vmbus/devices/{kbd}",
             "the keyboard is still there")
    assert re.search(pattern, said + g.console_text()), said
    g.ctl("offer", "kbd")
    wait_for(g, f"test -e /sys/bus/vmbus/devices/{kbd}/driver",
             "no keyboard after its new offer")
    all_works(g, before)


def rescind_frozen(g):
    """While channels are closed and the connection is up."""
    goes_and_returns(g, "devices", "the host has removed the device")


def rescind_away(g):
    """While the guest is not connected: the device does not come back."""
    goes_and_returns(g, "platform", "did not come back")


def real_image(g):
    """The guest goes to our disk, and another QEMU wakes it from there."""
    before = devices(g)
    swap = disk(g, 7)

    def load():
        g.load("stock")
        g.run("modprobe hv_storvsc && modprobe sd_mod")
        return disk(g, 7)

    sleep_on_disk(g, swap, load)
    all_works(g, before)
    g.run(f"swapoff /dev/{swap}")


def unloads(g):
    """Drivers and channel go, and leave nothing."""
    before = len(g.console_text())
    g.run("for x in hyperv_keyboard sd_mod hv_storvsc hv_vmbus; do"
          " ! grep -q ^$x /proc/modules || rmmod $x || exit; done;"
          "test ! -e /sys/bus/vmbus")
    said = g.console_text()[before:]
    assert not re.search(r"leaked|did not confirm", said), said


# -- versions ----------------------------------------------------------------

def connects_as(version):
    """Makes a test: the drop-in speaks that version, its disk serves."""
    def test(g):
        stock_up(g)
        m = g.wait_console(r"hv_vmbus: VMBus version (\S+) over", 5)
        assert m[1] == version, m[1]
        assert f"version        {version}" in nothing_leaked(g)
        new_data(g)
    return test


def pinned(g):
    """Before 4.1 a channel can't move: its CPU stays as long as it is open."""
    relids = [r for r, cpu in placement(g).items() if cpu == "1"]
    assert relids, placement(g)
    done = g.sh("echo 0 >/sys/devices/system/cpu/cpu1/online")
    assert done.rc, "CPU 1 went offline under an open channel"
    m = g.wait_console(r"CPU 1 stays online: channel (\d+) can't be moved", 5)
    assert m[1] in relids, (m[1], relids)
    assert g.sh("for f in /sys/bus/vmbus/devices/*/channels/*/cpu; do"
                " ! echo $((1 - $(cat $f))) >$f || exit 1; done").rc == 0
    data_is_right(g)
    g.run("rmmod hv_storvsc;"
          "echo 0 >/sys/devices/system/cpu/cpu1/online")
    assert set(placement(g).values()) == {"0"}, placement(g)
    g.run("echo 1 >/sys/devices/system/cpu/cpu1/online;"
          "modprobe hv_storvsc")
    data_is_right(g)


def ct(*commands):
    """A script of commands to the test device's driver."""
    return "".join(f"printf '%s' '{c}' >{CT}/command || {{ cat {CT}/result;"
                   " exit 1; }\n" for c in commands)


def own_modules(g):
    """Directory of the default build, in the guest."""
    return f"/synthio/build/{g.kernel.release}/own"


def each_version(g):
    """The default build, told to use each version in turn."""
    d = own_modules(g)
    for version in VERSIONS:
        at = len(g.console_text())
        g.run(f"insmod {d}/channel/synth_vmbus.ko max_version={version} &&"
              f"insmod {d}/tests/selftests/modules/synth_chantest.ko\n"
              + ct("wait 1 10000", "open", "echo 50 1000", "close")
              + "rmmod synth_chantest && rmmod synth_vmbus")
        said = g.console_text()[at:]
        m = re.search(r"VMBus version (\S+) over ivshmem", said)
        assert m and m[1] == version, said
        assert not re.search(r"leaked|did not confirm", said), said


def modify_pending(g):
    """Waits until the host has a modify-channel to answer."""
    deadline = time.monotonic() + 20 * g.scale
    while "from now on" not in g.ctl("status"):
        assert time.monotonic() < deadline, g.ctl("status")
        time.sleep(0.1)


def slow_modify(g):
    """A host that takes its time moves a channel while it is closed, and while it is
    rescinded behind an offer: nobody waits for an answer that does not come."""
    d = own_modules(g)
    at = len(g.console_text())
    g.run(f"insmod {d}/channel/synth_vmbus.ko &&"
          f"insmod {d}/tests/selftests/modules/synth_chantest.ko\n"
          + ct("wait 1 10000", "open", "echo 50 100"))
    cpu = g.run(f"ls /sys/bus/*vmbus/devices/$(sed -n 's/: .*//p' {CT}/state |"
                " head -n 1)/channels/*/cpu").out.strip()

    job = g.spawn(f"echo 1 >{cpu}", 60)
    modify_pending(g)
    g.run(ct("close", "open", "echo 50 100"), 60)
    done = job.wait()
    assert not done.rc, done.out
    g.run(f"test $(cat {cpu}) = 1 || echo 1 >{cpu}", 60)

    g.ctl("rescind", "kbd", "now")
    wait_for(g, "! grep -qi f912ad6d-2b17-48ea-bd65-f927a61c7684"
             " /sys/bus/*vmbus/devices/*/class_id", "the keyboard is still there")
    job = g.spawn("echo 0 >/sys/devices/system/cpu/cpu1/online", 60)
    modify_pending(g)
    g.ctl("offer", "kbd")
    g.ctl("rescind", "test", "now")
    done = job.wait()
    assert not done.rc, done.out
    g.run("echo 1 >/sys/devices/system/cpu/cpu1/online")
    g.ctl("offer", "test")
    g.run(ct("wait 2 10000", "open", "echo 50 100", "close")
          + "rmmod synth_chantest && rmmod synth_vmbus", 60)
    said = g.console_text()[at:]
    assert not re.search(r"did not answer|leaked|did not confirm", said), said


GIVEN_UP = r"leaked|(is|are|as) lost|did not answer|did not confirm"
STALLED = r"host does not respond, no heartbeat"


def through_pause(g, seconds, *scripts):
    """Scripts are begun while the host is stopped, and end well when it goes on."""
    at = len(g.console_text())
    with stopped(g):
        jobs = [g.spawn(s, 400) for s in scripts]
        time.sleep(seconds)
    for job in jobs:
        done = job.wait()
        assert not done.rc, done.out + g.tail()
    said = g.console_text()[at:]
    assert not re.search(GIVEN_UP, said), said


def paused(g):
    """The host is stopped during attach, open, GPADLs, close, and a rescind."""
    d = own_modules(g)
    for seconds in PAUSES:
        through_pause(g, seconds, f"insmod {d}/channel/synth_vmbus.ko")
        host_state(g, "responds")
        # a host that was stopped for longer than ATTACH is waited for
        wait_for(g, "test $(ls /sys/bus/*vmbus/devices | wc -l) = 4",
                 "not all devices are there")
        g.run(f"insmod {d}/tests/selftests/modules/synth_chantest.ko"
              " timeout_ms=300000\n" + ct("wait 1 10000"))
        through_pause(g, seconds, ct("open"))
        through_pause(g, seconds, ct("gpadl 4194304"))
        through_pause(g, seconds, ct("close"))
        g.run(ct("open", "echo 50 100"))
        g.ctl("rescind", "test", "now")
        with stopped(g):
            time.sleep(seconds)
        wait_for(g, f"grep -q '^no device' {CT}/state", "it is still there")
        g.ctl("offer", "test")
        g.run(ct("wait 2 10000", "open", "echo 50 100", "close"))
        g.run("rmmod synth_chantest && rmmod synth_vmbus", 60)


def paused_cpu(g):
    """A CPU whose channel can't be moved stays online; the request is no danger."""
    d = own_modules(g)
    g.run(f"insmod {d}/channel/synth_vmbus.ko &&"
          f"insmod {d}/tests/selftests/modules/synth_chantest.ko\n"
          + ct("wait 1 10000", "open", "echo 50 100"))
    cpu = g.run(f"ls /sys/bus/*vmbus/devices/$(sed -n 's/: .*//p' {CT}/state |"
                " head -n 1)/channels/*/cpu").out.strip()
    g.run(f"echo 1 >{cpu}", 60)
    at = len(g.console_text())
    with stopped(g):
        # one that is begun before the pause is noticed, and one after that
        done = g.sh("echo 0 >/sys/devices/system/cpu/cpu1/online", 120)
        assert done.rc, "CPU 1 went offline"
        g.wait_console(STALLED, 30, at)
        done = g.sh("echo 0 >/sys/devices/system/cpu/cpu1/online", 120)
        assert done.rc, "CPU 1 went offline"
        g.wait_console(r"CPU 1 stays online: channel \d+ can't be moved to"
                       r" another CPU \(-11\)", 10, at)
        assert g.sh(f"echo 0 >{cpu}", 120).rc
    host_state(g, "responds")
    g.run(ct("echo 50 100"))
    g.run("echo 0 >/sys/devices/system/cpu/cpu1/online", 120)
    g.run(ct("echo 50 100"))
    g.run("echo 1 >/sys/devices/system/cpu/cpu1/online")
    g.run(ct("echo 50 100", "close")
          + "rmmod synth_chantest && rmmod synth_vmbus", 60)


def paused_hibernation(g):
    """The host is stopped while the guest is away, and before it goes."""
    before = devices(g)
    for seconds in PAUSES:
        pid = g.host_pid()
        at = len(g.console_text())
        try:
            sleep_to(g, "core", lambda: os.kill(pid, signal.SIGSTOP))
            g.wait_console(r"does not answer after hibernation", 30, at)
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)
        host_state(g, "responds")
        wait_devices(g, before)
        # devices are resumed after the host has answered
        wait_for(g, ct("echo 50 100"), "the channel is not open again")
        g.run(ct("close", "open", "echo 50 100"))

    at = len(g.console_text())
    with stopped(g):
        g.wait_console(STALLED, 60, at)
        done = g.sh("echo core >/sys/power/pm_test;"
                    "echo disk >/sys/power/state", 60)
        assert done.rc, "the guest hibernates"
        assert re.search("hibernation is refused", g.console_text()[at:])
    host_state(g, "responds")
    wait_devices(g, before)
    g.run(ct("echo 50 100"))
    sleep_to(g, "core")
    wait_devices(g, before)
    g.run(ct("echo 50 100"))
    nothing_leaked(g)


def own_hibernation(g):
    """The default build: what was open is open again, the rest stays."""
    d = own_modules(g)
    g.run(f"insmod {d}/channel/synth_vmbus.ko max_version=5.2 &&"
          f"insmod {d}/tests/selftests/modules/synth_chantest.ko\n"
          + ct("wait 1 10000", "open", "echo 50 1000"))
    # a channel that is closed has no CPU to choose: the disks' are, here
    assert not g.sh("for d in /sys/bus/*vmbus/devices/*; do"
                    " [ -e $d/driver ] || ! echo 1 >$(ls $d/channels/*/cpu) ||"
                    " exit 1; done 2>/dev/null").rc
    own_user_space(g)
    before = devices(g)
    said = sleep_to(g, "core")
    assert re.search(r"VMBus version 5\.2 over", said), said
    wait_devices(g, before)
    g.run(ct("echo 200 1000", "close", "open", "echo 50 100"))
    nothing_leaked(g)


def own_unloads(g):
    """It unloads as if it had never slept."""
    at = len(g.console_text())
    g.run("rmmod synth_chantest && rmmod synth_vmbus")
    said = g.console_text()[at:]
    assert not re.search(r"leaked|did not confirm", said), said


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest(
            "own names", pm_guest("pm-own", [
                "--test-device", "--max-version", "6.0", "--modify-ms", "8000"],
                                  cmdline="no_console_suspend"),
            ("each version opens a channel, and unloads", each_version),
            ("a close and a rescind while a channel is being moved", slow_modify),
            ("the host is stopped: attach, open, close, rescind", paused),
            ("the host is stopped: CPUs", paused_cpu),
            ("hibernation with an open channel", own_hibernation),
            ("the host is stopped: hibernation", paused_hibernation),
            ("unloads", own_unloads))
        for version, more in (("4.0", [("open channels keep their CPU",
                                        pinned)]),
                              ("2.4", [])):
            tap.guest(f"host of version {version}",
                      pm_guest(f"pm-{version}", ["--max-version", version]),
                      ("the distribution's disk driver serves",
                       connects_as(version)),
                      *more, ("unloads", unloads))
        tap.guest(
            "stock", pm_guest("pm", smp=4, cmdline="no_console_suspend"),
            ("the distribution's drivers serve", stock_up),
            ("CPUs go offline and come back under I/O", hotplug),
            ("channels are placed through sysfs, nonsense is refused", place),
            ("the I/O meanwhile was right", io_was_right),
            ("suspend to idle, woken by a key", s2idle),
            ("hibernation, all but the image", hibernation),
            ("a device that goes while the guest is frozen", rescind_frozen),
            ("a device that goes while the guest is away", rescind_away),
            ("hibernation to our disk, resume in another QEMU", real_image),
            ("unloads", unloads))


if __name__ == "__main__":
    main()
