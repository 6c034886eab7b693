# SPDX-License-Identifier: GPL-2.0-only
"""Each device goes from the distribution's driver to ours and back while the
guest runs, by unbinding and by unloading, with others under load.

Both kinds of drivers are on one bus, which has the kernel's names."""

import re

import cards
import disks
import screens
from lib import CLASSES, devices, disk, driver_of, insmod, rmmod
from openvmm import DISK, MEMORY
from steps import wait_for

TURNS = 10


def works(g, kind):
    """A device of this class does what it is for, with whichever driver."""
    if kind == "disk":
        dev = disk(g, MEMORY, 60)
        g.run(f"dd if=/dev/urandom of=/run/data bs=256k count=4 2>/dev/null;"
              f" dd if=/run/data of=/dev/{dev} bs=256k oflag=direct 2>/dev/null;"
              f" dd if=/dev/{dev} bs=256k count=4 iflag=direct 2>/dev/null | "
              "cmp - /run/data", 60)
    elif kind == "net":
        g.notes.pop("tap", None)
        cards.up(g)
        cards.ping(g, 1400)
    elif kind == "video":
        wait_for(g, "ls /dev/dri/card? && ls /dev/fb?", "no card")
    elif kind == "mouse":
        screens.node(g, "0621")
    else:
        wait_for(g, f"ls -d {g.setup.sysfs}/devices/*/serio*/input/input*/event*",
                 "no keyboard")


def to(g, kind, ours):
    """Gives all devices of a class to a driver, one after the other."""
    theirs_name, ours_name, _ = CLASSES[kind]
    there, here = (theirs_name, ours_name) if ours else (ours_name, theirs_name)
    for d in devices(g, kind):
        g.run(f"cd {g.setup.sysfs} && echo {here} >devices/{d}/driver_override "
              f"&& {{ ! test -e drivers/{there}/{d} || "
              f"echo {d} >drivers/{there}/unbind; }} && "
              f"echo {d} >drivers_probe", 90)
        used = driver_of(g, d)
        assert used == here, f"{d} is {used}'s, not {here}'s"


def released(g, kind):
    """Gives up what a class's devices are used by."""
    if kind == "net":
        for d in devices(g, "net"):
            g.sh(f"for x in $(ls {g.setup.sysfs}/devices/{d}/net); do "
                 "/prog/ip link set $x down; done")


class Others:
    """Load on what is not handed over: the large disk, where it is not a disk that
    is, and a card, where it is no card."""

    def __init__(self, g, kind):
        self.g = g
        self.jobs = []
        if kind != "disk":
            dev = disk(g, DISK)
            self.jobs.append(g.spawn(
                f"exec fio --name=load --filename=/dev/{dev} --rw=randwrite "
                "--bs=8k --verify=crc32c --verify_backlog=16 --do_verify=1 "
                "--direct=1 --ioengine=libaio --iodepth=4 --time_based "
                "--runtime=3000 --size=8m --allow_file_create=0", 3600))
        if kind != "net":
            cards.up(g)
            self.jobs.append(g.spawn(f"exec /prog/ping -n -q -i 0.2 {cards.FAR}",
                                     3600))

    def end(self):
        """It went on, and nothing was wrong with it."""
        for job in self.jobs:
            assert not job.done(), job.output()
            self.g.run(f"kill -INT {job.pid()}")
            out = job.wait().out
            if "packets transmitted" in out:
                sent, got = re.search(r"(\d+) packets transmitted, (\d+) rec",
                                      out).groups()
                assert int(got) > int(sent) * 0.9, out
            else:
                assert "err= 0" in out and "verify:" not in out, out


def by_unbind(kind):
    """A test: a class's devices to and fro by unbind and probe."""
    def run(g):
        load = Others(g, kind)
        for _ in range(TURNS):
            for ours in (True, False):
                released(g, kind)
                to(g, kind, ours)
                works(g, kind)
        load.end()
        for d in devices(g, kind):
            g.run(f"echo >{g.setup.sysfs}/devices/{d}/driver_override")
        return f"{TURNS} times"
    return run


def by_rmmod(kind):
    """A test: the same by unloading one driver and loading the other."""
    def run(g):
        load = Others(g, kind)
        theirs, ours, _ = CLASSES[kind]
        module = theirs.replace("hid_", "hid-").replace("hyperv_k", "hyperv-k")
        for _ in range(TURNS):
            for old, new in ((module, ours), (ours, module)):
                released(g, kind)
                if old.replace("-", "_") in g.run("cut -d' ' -f1 /proc/modules"
                                                  ).out.split():
                    rmmod(g, old)
                g.notes["modules"].discard(new)
                insmod(g, new, "mixed=1" if new == "synth_blk" else "")
                works(g, kind)
        load.end()
        return f"{TURNS} times"
    return run


def begin(g):
    """All is with the distribution's drivers; ours are loaded, without devices."""
    for name in g.notes["needs"]:
        insmod(g, name)
    for kind, (_, ours, _) in CLASSES.items():
        insmod(g, ours, "mixed=1" if ours == "synth_blk" else "")
        works(g, kind)
    for kind in CLASSES:
        used = {driver_of(g, d) for d in devices(g, kind)}
        assert used == {CLASSES[kind][0]}, used


def unload_ours(g):
    """Ours go, for what follows."""
    for _, ours, _ in CLASSES.values():
        rmmod(g, ours)
    disks.appear(g)


TESTS = (
    ("hand-over: begins", begin),
    *((f"hand-over: {kind} by unbind", by_unbind(kind)) for kind in CLASSES),
    ("hand-over: ours go", unload_ours),
    *((f"hand-over: {kind} by rmmod", by_rmmod(kind)) for kind in CLASSES),
)
