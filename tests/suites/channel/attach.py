#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The default build attaches to synthhost, and shows what is offered."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vm"))
# pylint: disable=wrong-import-position
from guest import Guest, usual_kernel       # noqa: E402
from machine import MACHINES                # noqa: E402
from steps import nothing_leaked, wait_for  # noqa: E402
from tap import Tap                         # noqa: E402


def loads(g):
    """synth_vmbus.ko goes in."""
    g.load("own")
    out = g.run("grep -w ^synth_vmbus /proc/modules").out
    assert "Live" in out, out


def connects(g):
    """The kernel log names the transport and a version."""
    m = g.wait_console(r"synth_vmbus\S*:? .*[Vv]ersion[: ]*(\d+\.\d+)", 20)
    return f"version {m[1]}"


def offers(g):
    """sysfs has the devices that synthhost was told to offer."""
    for name, guid in (("SCSI", "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"),
                       ("keyboard", "f912ad6d-2b17-48ea-bd65-f927a61c7684")):
        wait_for(g, f"grep -qi {guid} /sys/bus/*vmbus/devices/*/class_id",
                 f"no {name}")


def host_sees(g):
    """synthhost knows about the guest too."""
    out = g.ctl("status")
    m = re.search(r"^guest: attached, (\d+) VPs on (\d+) vectors$", out, re.M)
    assert m, out
    # one VP for each CPU that there can be, and no vector without one
    assert int(m[1]) == g.possible, f"{g.possible} CPUs possible:\n{out}"
    assert int(m[2]) == min(g.possible, g.vectors), out
    assert re.search(r"^vmbus: version 5\.3, ", out, re.M), out
    return out


def explains(g):
    """debugfs tells how the transport is, and a heartbeat that goes on."""
    page = "/sys/kernel/debug/synth_vmbus/connection"
    out = nothing_leaked(g)
    assert re.search(r"^transport +ivshmem$", out, re.M), out
    assert re.search(r"^host +peer \d+, vectors \d+, worker 1, attached$", out,
                     re.M), out
    vps = re.findall(r"^vp (\d+) +cpu (\d+), vector (\d+)", out, re.M)
    n = g.possible
    assert vps == [(str(i), str(i), str(i % min(n, g.vectors)))
                   for i in range(n)], out
    beat = re.search(r"^heartbeat +(\d+), missed \d+$", out, re.M)[1]
    wait_for(g, f"grep ^heartbeat {page} | grep -qvw {beat},",
             "the heart stands still")


def unloads(g):
    """The module goes away again, and its devices with it."""
    g.run("rmmod synth_vmbus")
    out = g.sh("ls /sys/bus/*vmbus/devices/ 2>/dev/null").out
    assert not out.strip(), out


def isolated(g):
    """Where the host can't read the guest's memory, channel and drivers refuse to be
    loaded, each with one line that says why."""
    for bus, channel in (("own", "synth_vmbus"), ("stock", "hv_vmbus")):
        d = f"/synthio/build/{g.kernel.release}/{bus}"
        g.load(bus)
        drivers = g.run(f"ls {d}/drivers/*/*.ko").out.split()
        g.run(f"for m in $(modinfo -F depends {' '.join(drivers)} | tr , ' ');"
              f" do [ $m = {channel} ] || modprobe $m || exit; done", 120)
        g.run(f"insmod {d}/tests/selftests/modules/synth_isolated.ko")
        for path in drivers:
            refused(g, path)
        g.run(f"rmmod {channel}")
        refused(g, f"{d}/channel/{channel}.ko")
        g.run("rmmod synth_isolated")


def refused(g, path):
    """Fails to load a module."""
    at, name = len(g.console_text()), os.path.basename(path)[:-3]
    done = g.sh(f"insmod {path}")
    assert done.rc, f"{name} is loaded"
    g.wait_console(rf"{name}: isolated guests .* are not supported", 10, at)


def main():
    """Runs the tests."""
    tests = [("the channel loads", loads), ("it connects", connects),
             ("the host's devices are on the bus", offers),
             ("the host says what is attached", host_sees),
             ("debugfs explains the connection", explains),
             ("it unloads", unloads),
             ("an isolated guest is left alone", isolated)]
    with Tap() as tap:
        kernel = usual_kernel()
        usual = MACHINES[kernel.arch].default
        other = next((x for x in MACHINES[kernel.arch].options if x != usual),
                     usual)
        # other suites boot two CPUs, the usual machine, less than 1 GiB all the
        # time
        for name, args in (
                (f"one CPU, {usual}, 4 GiB", {"smp": 1, "mem": "4G"}),
                (f"four CPUs, two vectors, {other}, 4 GiB", {
                    "smp": 4, "vectors": 2, "machine": other, "mem": "4G"})):
            tap.guest(name, Guest("attach", kernel=kernel, limit=300, host=[
                "--scsi", "c0", "--keyboard"], **args), *tests)


if __name__ == "__main__":
    main()
