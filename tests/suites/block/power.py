#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Hibernation and suspend to idle, with I/O on its way.

9p, which brings the guest its user space, lives through neither. So a busybox
and a fio in memory take the place of /usr before the first one. fio writes
with libaio: what it has sent is still on its way when it is frozen.
"""

import hashlib
import os
import re

from lib import (BlockGuest, contents, DEBUGFS, disk, Load, Lun, MB,
                 nothing_leaked, OWN, wait_for)
from steps import forget_files, own_user_space, power_button, sleep_idle, \
    sleep_on_disk, sleep_to
from tap import Tap


def begin(g):
    """Loads all; from then on nothing is asked of 9p."""
    g.load("own")
    g.driver.load(g)
    disk(g, "c1-7")
    # what wakes it; built in where there is no such module
    g.sh("modprobe button")
    own_user_space(g, ["/usr/bin/fio"])
    forget_files(g)
    g.notes["load"] = Load(g, disk(g, "c0-0"), verify=True)


def goes_on(g):
    """The load has noticed nothing, and all of it is right."""
    g.notes["load"].flows(200)
    assert not g.notes["load"].job.done(), g.notes["load"].job.output()
    nothing_leaked(g)
    out = g.run(f"cat {DEBUGFS}/*/channels").out
    assert "0 pages quarantined" in out and "state live" in out, out


def frozen(level):
    """Makes a test of a hibernation that goes so far."""
    def test(g):
        sleep_to(g, level)
        goes_on(g)
    return test


def grown_meanwhile(g):
    """A disk that has another size afterwards is seen to have."""
    lun = g.lun("c0-0")
    dev = disk(g, "c0-0")

    def grow():
        os.truncate(g.path(lun), 20 * MB)
        g.ctl("resize", "c0", "0")
    sleep_to(g, "devices", grow)
    wait_for(g, f"test $(cat /sys/block/{dev}/size) = {20 * MB // 512}",
             "the disk has not grown")
    goes_on(g)


def s2idle(g):
    """The power button ends suspend to idle; channels stay open meanwhile."""
    host = len(g.host_text())
    sleep_idle(g, power_button(g), 3)
    assert not re.search(r"closed|detached", g.host_text()[host:]), \
        g.host_text()[host:]
    goes_on(g)


def real_image(g):
    """The guest goes to one of our disks, and another QEMU wakes it there."""
    swap = disk(g, "c1-7")

    def load():
        g.load("own")
        g.driver.load(g)
        return disk(g, "c1-7")

    sleep_on_disk(g, swap, load)
    goes_on(g)
    g.run(f"swapoff /dev/{swap}")


def ends(g):
    """fio has read back all that it wrote; driver and channel unload."""
    g.notes["load"].ends_well()
    dev = disk(g, "c0-0")
    inside = g.run(f"dd if=/dev/{dev} bs=1M iflag=direct 2>/run/dd |"
                   " sha256sum", 90).out.split()[0]
    outside = hashlib.sha256(contents(g, g.lun("c0-0"))).hexdigest()
    assert inside == outside, f"{inside} in the guest, {outside} on the host"
    g.run("rmmod synth_blk && rmmod synth_vmbus")


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest(
            "power", BlockGuest(
                "block-power", OWN, [Lun("c0", 0, 16), Lun("c1", 7, 500)],
                {"c0": "subchannels=1"}, mem="768M", limit=900,
                cmdline="no_console_suspend"),
            ("I/O that goes on", begin), ("suspend to idle", s2idle),
            ("hibernation, devices", frozen("devices")),
            ("hibernation, all but the image", frozen("core")),
            ("a disk that grows while the guest is frozen", grown_meanwhile),
            ("hibernation to our disk, resume in another QEMU", real_image),
            ("the I/O was right, and all unloads", ends))


if __name__ == "__main__":
    main()
