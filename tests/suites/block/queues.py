#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Hardware queues: one for each CPU, polled ones, and how much each I/O costs.

Costs are counted, never timed: interrupts, and signals to the host, for each
request.
"""

import re
import threading
import time

from lib import (BlockGuest, channels, console_says, controller, disk,
                 fio_verify, LONG, Lun, nothing_leaked, OWN, same_data,
                 stopped, wait_for)
from pauses import moments, refusals
from tap import Tap

SECONDS = 20 if LONG else 3
READS = ("fio --name=r --filename=/dev/{} --rw=randread --bs=4k --direct=1"
         " --ioengine=libaio --size=16m --allow_file_create=0"
         " --iodepth={} --number_ios={} --norandommap=1 {}")


def make_guest(name, subchannels, **kw):
    """A guest with a disk of that many channels and one, and another."""
    return BlockGuest(name, OWN, [Lun("c0", 0, 32), Lun("c1", 0, 32)],
                      {"c0": f"subchannels={subchannels}"}, **kw)


def loads(params):
    """Makes a test that loads the driver."""
    def test(g):
        g.load("own")
        g.driver.load(g, params)
        for serial in ("c0-0", "c1-0"):
            disk(g, serial)
    return test


def grown(before, after, key):
    """How much a counter of each channel has grown."""
    return [b[key] - a[key] for a, b in zip(before, after)]


def queues_are(irq, polled):
    """Makes a test: c0 has so many queues; each CPU has one."""
    def test(g):
        dev = disk(g, "c0-0")
        found = g.run(f"cat {controller(g, dev)}/synth_blk/queues").out.split()
        assert found == [str(irq), str(polled)], found
        maps = g.run(f"cd /sys/block/{dev}/mq && for q in *; do"
                     " echo $q: $(cat $q/cpu_list); done").out.splitlines()
        assert len(maps) == irq + polled, maps
        own = [c["cpu"] for c in channels(g, dev) if not c["is_polled"]]
        assert sorted(own) == list(range(irq)), own
    return test


def queues_again(irq, polled, params):
    """Makes a test: that is so whichever sub-channel is the first to open."""
    def test(g):
        # whoever opens them is not alone on its CPU
        g.run("for i in 1 2; do sh -c 'while :; do :; done' >/dev/null 2>&1 &"
              " done; jobs -p >/tmp/busy")
        try:
            for _ in range(20 if LONG else 5):
                g.driver.unload(g)
                g.driver.load(g, params)
                queues_are(irq, polled)(g)
        finally:
            g.run("kill $(cat /tmp/busy)")
    return test


def each_carries(g):
    """What a CPU submits goes over the channel that interrupts it."""
    dev = disk(g, "c0-0")
    for cpu in range(g.smp):
        before = channels(g, dev)
        g.run(f"taskset -c {cpu} dd if=/dev/{dev} of=/dev/null bs=4k count=50"
              " iflag=direct")
        after = channels(g, dev)
        done = {c["cpu"]: n for c, n in zip(
            after, grown(before, after, "completions")) if not c["is_polled"]}
        assert done[cpu] >= 50 and sum(done.values()) < 60, (cpu, done)


def batches(g):
    """At depth 32 interrupts and signals are far fewer than requests."""
    dev = disk(g, "c0-0")
    before = channels(g, dev)
    out = g.run(READS.format(dev, 32, 4000, "--iodepth_batch_submit=8"
                             " --iodepth_batch_complete_min=8"), 120).out
    assert "err= 0" in out, out
    after = channels(g, dev)
    n = sum(grown(before, after, "completions"))
    interrupts = sum(grown(before, after, "interrupts"))
    signals = sum(grown(before, after, "signals"))
    assert n > 3000, (before, after)     # some were merged
    assert interrupts < 0.7 * n and signals < 0.7 * n, \
        f"{n} requests, {interrupts} interrupts, {signals} signals"
    assert max(c["largest"] for c in after) > 1, after
    return f"{n} requests, {interrupts} interrupts, {signals} signals"


def alone(g):
    """The same, told nothing about batches: io_uring and libaio as they are."""
    dev = disk(g, "c0-0")
    before = channels(g, dev)
    g.run(READS.format(dev, 32, 3000, ""), 120)
    after = channels(g, dev)
    n, interrupts, signals = (sum(grown(before, after, k)) for k in (
        "completions", "interrupts", "signals"))
    assert interrupts < 0.7 * n and signals < 0.7 * n, \
        f"{n} requests, {interrupts} interrupts, {signals} signals"
    return f"{n} requests, {interrupts} interrupts, {signals} signals"


def polls(g):
    """io_uring with hipri: verified, and without one interrupt."""
    dev = disk(g, "c0-0")
    before = channels(g, dev)
    polled = [i for i, c in enumerate(before) if c["is_polled"]]
    assert len(polled) == 1, before
    q = polled[0]       # which one depends on the order in which they opened
    fio_verify(g, ["c0-0"], SECONDS, "4k-64k", depth=8, engine="io_uring",
               opts="--hipri=1")
    after = channels(g, dev)
    found = grown(before, after, "polled")[q]
    assert found > 50 and after[q]["polled"] == after[q]["completions"], after
    assert after[q]["interrupts"] == before[q]["interrupts"], after
    return f"{found} completions polled"


def nobody_polls(g):
    """What nobody polls for any more is found when its time is up."""
    dev = disk(g, "c0-0")
    g.run(f"echo 1000 >/sys/block/{dev}/queue/io_timeout")
    at = len(g.console_text())
    g.ctl("fault", "c0", "late", "ms=300", "op=read", "count=8")
    # killed while its reads are with the host: io_uring stops to poll
    g.run("fio --name=p --filename=/dev/" + dev + " --rw=randread --bs=4k"
          " --direct=1 --ioengine=io_uring --hipri=1 --iodepth=8 --size=16m"
          " --allow_file_create=0 --time_based --runtime=60 &\n"
          f"until [ $(awk '{{ print $9 }}' /sys/block/{dev}/stat) -ge 4 ]; do"
          " sleep .1; done; kill -9 $!; wait; true")
    wait_for(g, f"test $(awk '{{ print $9 }}' /sys/block/{dev}/stat) = 0",
             "requests are stuck", 60)
    g.run(f"echo 30000 >/sys/block/{dev}/queue/io_timeout")
    g.ctl("fault", "c0", "clear")
    assert "has not answered" not in g.console_text()[at:]
    same_data(g, "c0-0")


def verify(g):
    """fio verifies on both disks."""
    return fio_verify(g, ["c0-0", "c1-0"], SECONDS, "4k-64k", depth=32)


def verify_jobs(g):
    """Four jobs at depth 32, each on its part, on all channels at once."""
    dev = disk(g, "c0-0")
    before = channels(g, dev)
    out = g.run(f"fio --name=j --filename=/dev/{dev} --rw=randwrite --bs=4k-32k"
                " --direct=1 --ioengine=libaio --iodepth=32 --numjobs=4"
                " --size=8m --offset_increment=8m --verify=crc32c"
                f" --verify_backlog=128 --time_based --runtime={SECONDS}"
                " --allow_file_create=0 --cpus_allowed=0-3"
                " --cpus_allowed_policy=split", 150).out
    assert out.count("err= 0") == 4 and "verify:" not in out, out
    after = channels(g, dev)
    done = [n for c, n in zip(after, grown(before, after, "completions"))
            if not c["is_polled"]]
    assert all(n > 20 for n in done), done
    same_data(g, "c0-0")


def stand_still(g, enough):
    """Stops synthhost for moments, until an event is set."""
    while not enough.wait(0.4):
        with stopped(g):
            time.sleep(0.3)


def small_ring(g):
    """Rings of 16 KiB, 512 requests: no room is a pause, never a loss."""
    g.driver.unload(g)
    g.driver.load(g, "ring_size=16 queue_depth=512")
    dev = disk(g, "c0-0")
    # a host that is fast enough never lets it fill: now and then it stands still
    enough = threading.Event()
    lazy = threading.Thread(target=stand_still, args=(g, enough))
    lazy.start()
    try:
        out = fio_verify(g, ["c0-0"], SECONDS, "4k-64k", depth=512)
    finally:
        enough.set()
        lazy.join()
    assert any(c["full"] for c in channels(g, dev)), channels(g, dev)
    return out


def wrong_parameters(g):
    """Parameters out of range are refused, with a word."""
    g.driver.unload(g)
    ko = f"/synthio/build/{g.kernel.release}/own/drivers/block/synth_blk.ko"
    for p in ("queue_depth=0", "queue_depth=5000", "ring_size=8", "timeout=0",
              "host_timeout=0"):
        at = len(g.console_text())
        assert g.sh(f"insmod {ko} {p}").rc, p
        console_says(g, at, r"synth_blk: a parameter is out of range")
    out = g.run(f"modinfo -p {ko}").out
    names = set(re.findall(r"^(\w+):", out, re.M))
    assert {"queues", "poll_queues", "queue_depth", "ring_size", "mixed",
            "ignore_non_disks", "timeout", "host_timeout", "reset_after"} == names, out
    g.driver.load(g, "queues=1 queue_depth=1")
    disk(g, "c0-0")
    verify(g)
    nothing_leaked(g)
    g.driver.unload(g)


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest(
            "four CPUs", make_guest("block-queues", 7, smp=4, limit=600),
            ("loads", loads("poll_queues=1")),
            ("four queues, one more is polled", queues_are(4, 1)),
            ("in whichever order they open",
             queues_again(4, 1, "poll_queues=1")),
            ("each CPU has its channel", each_carries),
            ("all channels at once", verify_jobs),
            ("io_uring polls", polls),
            ("nobody polls any more", nobody_polls),
            ("a paused host: nothing is begun", refusals),
            ("a host that pauses at any moment", moments((1, 6), 1)))
        tap.guest(
            "one CPU", make_guest("block-one", 3, smp=1, limit=600),
            ("loads", loads("")), ("one queue", queues_are(1, 0)),
            ("fio verifies", verify),
            ("32 requests share interrupts and signals", batches),
            ("so they do by themselves", alone),
            ("a small ring", small_ring),
            ("parameters", wrong_parameters))


if __name__ == "__main__":
    main()
