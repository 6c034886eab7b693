#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A host that is paused while disks are written to, reset, scanned, and CPUs go.

synthhost is stopped for a while, at any moment, and goes on. Nothing may be lost by
that, nor take longer than the pause. Parameters have their defaults. queues.py has the
short form in one of its guests; this program has all lengths, and with LONG=1 longer
ones and the distribution's hv_storvsc.
"""

import os
import random
import time

from lib import (attribute, BlockGuest, console_says, controller, DEBUGFS,
                 disk, Load, LONG, Lun, nothing_leaked, OWN, same_data, STOCK,
                 STORVSC, stopped, wait_for)
from tap import Tap

LENGTHS = (1, 4, 6, 8, 12, 16) + ((40, 90) if LONG else ())


def is_live(g, path):
    """Waits until a controller and all of its disks are in use again."""
    name = os.path.basename(path)
    wait_for(g, f"grep -qx live {path}/synth_blk/controller_state &&"
             f" ! grep -qv ', live,' {DEBUGFS}/{name}/disks",
             "the controller does not come back", 120)
    found = g.run(f"cat {path}/synth_blk/quarantined_pages").out.split()
    assert found == ["0"], found


def refusals(g):
    """While the host is stalled nothing is begun that needs it, and nobody waits."""
    dev = disk(g, "c0-0")
    path = controller(g, dev)
    load = Load(g, dev, verify=True)
    cpu = g.smp - 1
    with stopped(g):
        # what is at the host is seen, and readers of this do not wait for the host
        wait_for(g, f"grep -qx stalled {path}/synth_blk/host_state",
                 "the pause is not noticed", 60)
        name = os.path.basename(path)
        out = g.run(f"cat {DEBUGFS}/{name}/channels {DEBUGFS}/{name}/disks;"
                    f" grep -c . {DEBUGFS}/{name}/in_flight;"
                    f" cat {path}/synth_blk/controller_state").out
        assert "host stalled" in out and out.split()[-1] == "live", out
        assert int(out.split()[-2]) > 0, out
        at = len(g.console_text())
        assert g.sh(f"echo 1 >{path}/synth_blk/reset").rc
        console_says(g, at, r"a reset is not begun; try again later")
        g.run(f"echo 1 >{path}/synth_blk/rescan")
        # either way it ends, though requests of that CPU are at the host
        g.sh(f"echo 0 >/sys/devices/system/cpu/cpu{cpu}/online", 60)
        assert not load.job.done(), load.job.output()
    load.flows(100)
    g.run(f"echo 1 >/sys/devices/system/cpu/cpu{cpu}/online")
    is_live(g, path)
    # now it is possible
    g.run(f"echo 1 >{path}/synth_blk/reset", 60)
    load.flows(100)
    load.ends_well()
    assert attribute(g, dev, "io_errors") == 0
    nothing_leaked(g)
    same_data(g, "c0-0")


def moments(lengths, seed, actions=None):
    """Makes a test: the host stops at random moments of what a guest does."""
    def test(g):
        dev = disk(g, "c0-0")
        path = controller(g, dev)
        cpu = f"/sys/devices/system/cpu/cpu{g.smp - 1}/online"
        todo = actions or (
            f"echo 1 >{path}/synth_blk/reset",
            f"echo 1 >{path}/synth_blk/rescan",
            f"echo 0 >{cpu}; echo 1 >{cpu}")
        chance = random.Random(seed)
        load = Load(g, dev, verify=True)
        for seconds in lengths:
            for action in todo:
                wait = chance.random() * 0.3
                job = g.spawn(f"sleep {chance.random() * 0.3:.3f}; {action}",
                              400)
                time.sleep(wait)
                with stopped(g):
                    time.sleep(seconds)
                job.wait()
                if g.driver.synthetic:
                    is_live(g, path)
                load.flows(50)
                assert not load.job.done(), load.job.output()
        load.ends_well()
        g.run(f"grep -qx 1 {cpu} || echo 1 >{cpu}")
        if g.driver.synthetic:
            assert attribute(g, dev, "io_errors") == 0
        if g.driver.bus == "own":
            nothing_leaked(g)
        same_data(g, "c0-0")
        return f"{len(lengths)} pauses each of {len(todo)} kinds, seed {seed}"
    return test


def loads(g):
    """Loads all, parameters are the defaults."""
    g.load(g.driver.bus)
    g.driver.load(g)
    disk(g, "c0-0")


def make_guest(name, driver):
    """A guest with a disk of several channels."""
    return BlockGuest(name, driver, [Lun("c0", 0, 32)],
                      {"c0": "subchannels=3"}, smp=3,
                      limit=900 + 8 * sum(LENGTHS))


def main():
    """Runs the tests."""
    seed = int(os.environ.get("SEED") or 0) or random.randrange(1, 10000)
    tests = (("loads", loads), ("nothing is begun meanwhile", refusals),
             ("at any moment", moments(LENGTHS, seed)))
    storvsc = ("for h in /sys/class/scsi_host/*/scan; do echo '- - -' >$h; done",
               "echo 0 >/sys/devices/system/cpu/cpu2/online;"
               "echo 1 >/sys/devices/system/cpu/cpu2/online", "true")
    with Tap() as tap:
        tap.guest("own", make_guest("block-pauses", OWN), *tests)
        if LONG:
            tap.guest("drop-in", make_guest("block-pauses-stock", STOCK),
                      tests[0], tests[2])
            tap.guest("hv_storvsc",
                      make_guest("block-pauses-storvsc", STORVSC), tests[0],
                      ("at any moment", moments(LENGTHS, seed, storvsc)))


if __name__ == "__main__":
    main()
