# SPDX-License-Identifier: GPL-2.0-only
"""What OpenVMM does to a guest under load: stands still, saves and restores its
state, shuts it down. Its time and KVP devices are rescinded and offered anew each
time that it restores."""

import time

import cards
from lib import OWN, begin as load_all, devices, disk, driver_of, CLASSES
from openvmm import DISK, OURS
from steps import wait_for
from tap import Skip

RESTORED = "pulse save/restore complete"


class Load:
    """fio with verification on a disk, and pings, that go on until they end."""

    def __init__(self, g):
        self.g = g
        self.dev = disk(g, DISK)
        cards.up(g)
        self.fio = g.spawn(
            f"exec fio --name=load --filename=/dev/{self.dev} --rw=randwrite "
            "--bs=8k --verify=crc32c --verify_backlog=16 --do_verify=1 "
            "--direct=1 --ioengine=libaio --iodepth=8 --time_based "
            "--runtime=3000 --size=8m --allow_file_create=0", 3600)
        self.ping = g.spawn(f"exec /prog/ping -n -q -i 0.1 {cards.FAR}", 3600)
        self.flows()

    def flows(self, more=50):
        """So many more requests end, and one more ping is answered."""
        done = f"$(awk '{{ print $1 + $5 }}' /sys/block/{self.dev}/stat)"
        goal = int(self.g.run(f"echo {done}", 120).out) + more
        wait_for(self.g, f"test {done} -ge {goal}", "I/O has stopped", 60)
        cards.ping(self.g, 1000, 1)

    def end(self):
        """All that was read back was right."""
        for job in (self.fio, self.ping):
            assert not job.done(), job.output()
            self.g.run(f"kill -INT {job.pid()}")
        out = self.fio.wait().out
        assert "err= 0" in out and "verify:" not in out, out
        self.ping.wait()


def pauses(g):
    """It stands still for some seconds, thrice."""
    load = Load(g)
    for seconds in (1, 8, 2):
        g.command("pause", "pause complete", 60)
        time.sleep(seconds)
        g.command("resume", "resumed? complete", 60)
        load.flows()
    load.end()


def restores(g):
    """Its state is saved and restored, five times: devices are the same, and what
    is rescinded and offered anew has its driver again."""
    load = Load(g)
    before = {kind: devices(g, kind) for kind in CLASSES}
    for _ in range(5):
        g.command("psr", RESTORED, 120)
        load.flows()
    load.end()
    assert {kind: devices(g, kind) for kind in CLASSES} == before
    for kind, names in before.items():
        used = {driver_of(g, d) for d in names}
        assert used == {CLASSES[kind][1 if g.setup.ours else 0]}, used


def storm(g):
    """The same every second, many times: each time devices go and come."""
    load = Load(g)
    events = "$(cat /sys/kernel/uevent_seqnum)"
    goal = int(g.run(f"echo {events}").out) + 20
    g.command("spsr 1")
    wait_for(g, f"test {events} -ge {goal}", "no device comes and goes", 120)
    g.command("spsr 0")
    load.flows()
    load.end()


def channel_count(g):
    """How many devices the host offers now."""
    return int(g.run(f"ls {g.setup.sysfs}/devices | wc -l").out)


def same_offers(g):
    """As many devices as before, all with what drivers they had."""
    load_now = channel_count(g)
    g.command("psr", RESTORED, 120)
    wait_for(g, f"test $(ls {g.setup.sysfs}/devices | wc -l) = {load_now}",
             "devices that were offered anew are missing", 60)


def reloads(g):
    """Drivers and bus are unloaded and loaded again, under which the host's state
    is saved and restored."""
    if g.setup.bus != OWN:
        raise Skip("done where the bus is ours alone")
    for _ in range(3):
        g.run(f"rmmod {' '.join(OURS)}", 120)
        g.run("rmmod synth_vmbus", 120)
        g.command("psr", RESTORED, 120)
        g.notes.clear()
        load_all(g)
    cards.up(g)
    cards.ping(g)


TESTS = (
    ("OpenVMM pauses under load", pauses),
    ("OpenVMM saves and restores under load", restores),
    ("... again and again", storm),
    ("... and all devices are there", same_offers),
    ("bus and drivers are loaded anew", reloads),
)
