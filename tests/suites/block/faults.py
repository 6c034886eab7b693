#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Disks and hosts that fail: what a guest gets to see of it.

    c0  c0-0, which meets the faults; c0-1, which must not notice
    c1  c1-0 and c1-1: a controller that is set up again and again

Nothing here may hang, oops or hit another disk; each test ends with a look at
those. docs/faults.md says what the host can do wrong.
"""

import os
import re

from lib import (attribute, BlockGuest, channels, console_says, contents,
                 controller, DEBUGFS, disk, disk_goes, fill, GuestError,
                 host_counts, Load, LONG, Lun, nothing_leaked, OWN, pattern, queue,
                 same_data, stopped, wait_for)
from tap import Tap

IO = "Input/output error"
MEDIUM = "No data available"
TARGET = "Remote I/O error"
SPACE = "No space left on device"
RESERVED = "Invalid exchange"
PROTECTION = "Invalid or incomplete multibyte or wide character"
GONE = "No such device"

# of a disk, at a block of 4 KiB
READ = "dd if=/dev/{} of=/dev/null bs=4k count=1 skip={} iflag=direct"
WRITE = "dd if=/dev/zero of=/dev/{} bs=4k count=1 seek={} oflag=direct"
FLUSH = WRITE + " conv=fsync"
COMMAND = {"read": READ, "write": WRITE, "flush": FLUSH}

# fault, what it meets, errno's text or None, whether it is tried again, and
# whether that is so for any driver
ERRORS = (
    ("sense key=1 asc=1701", "read", None, False, True),
    ("sense key=1 asc=1701", "write", None, False, True),
    ("sense key=f asc=0000 data=yes", "read", None, False, False),
    ("sense key=2 asc=0401 count=3", "read", None, True, False),
    ("sense key=2 asc=3a00", "read", IO, False, False),
    ("sense key=3 asc=1100", "read", MEDIUM, False, True),
    ("sense key=3 asc=0c00 count=6", "write", MEDIUM, True, False),
    ("sense key=3 asc=0c00 count=2", "write", None, True, True),
    ("sense key=3 asc=0000 count=2", "read", None, True, True),
    ("sense key=3 asc=0000 count=6", "write", IO, True, False),
    ("sense key=3 asc=1300", "read", MEDIUM, False, False),
    ("sense key=3 asc=1401", "read", MEDIUM, False, False),
    ("sense key=3 asc=1100 format=descriptor", "read", MEDIUM, False, True),
    ("sense key=3 asc=1100 info=4", "read", MEDIUM, False, False),
    ("sense key=3 asc=0c00 count=6", "flush", MEDIUM, True, False),
    ("sense key=3 asc=0000 count=3", "flush", None, True, False),
    ("sense key=5 asc=2000 count=6", "flush", TARGET, True, False),
    ("sense key=5 asc=2400 count=6", "flush", TARGET, True, False),
    ("sense key=5 asc=2000 count=2", "flush", None, True, False),
    ("sense key=4 asc=4400", "flush", TARGET, False, False),
    ("sense key=7 asc=2700", "flush", TARGET, False, False),
    ("srb status=06 count=6", "flush", TARGET, True, False),
    ("srb status=12", "flush", IO, False, False),
    ("srb status=30 count=2", "flush", None, True, False),
    ("sense key=4 asc=4400", "read", TARGET, False, True),
    ("sense key=4 asc=4400 deferred=yes", "read", None, True, True),
    ("sense key=3 asc=0c00 deferred=yes format=descriptor", "write", None,
     True, True),
    ("sense key=5 asc=2100", "read", TARGET, False, True),
    ("sense key=5 asc=2000", "write", TARGET, False, False),
    ("sense key=6 asc=2900 count=2", "read", None, True, True),
    ("sense key=6 asc=2900 count=2", "write", None, True, True),
    ("sense key=6 asc=2a01", "read", None, True, False),
    ("sense key=6 asc=3f02", "write", None, True, False),
    ("sense key=6 asc=3f0e", "read", None, True, False),
    ("sense key=6 asc=2900 count=2", "flush", None, True, False),
    ("sense key=7 asc=2700", "write", TARGET, False, False),
    ("sense key=7 asc=2707", "write", SPACE, False, True),
    ("sense key=8 asc=0000", "read", IO, False, False),
    ("sense key=9 asc=8000", "read", IO, False, False),
    ("sense key=a asc=0000", "read", IO, False, False),
    ("sense key=b asc=0000 count=2", "read", None, True, True),
    ("sense key=b asc=1001", "read", PROTECTION, False, False),
    ("sense key=d asc=0000", "write", IO, False, False),
    ("sense key=e asc=1d00", "read", IO, False, False),
    ("sense key=3 asc=1100 length=255", "read", MEDIUM, False, False),
    ("sense key=3 asc=1100 length=1 count=6", "read", IO, True, False),
    ("sense key=3 asc=1100 length=1", "read", None, True, False),
    ("status scsi=08 count=3", "read", None, True, True),
    ("status scsi=28 count=3", "write", None, True, True),
    ("status scsi=18", "write", RESERVED, False, True),
    ("status scsi=40", "read", None, True, False),
    ("status scsi=30", "read", None, True, False),
    ("srb status=02", "read", None, True, False),
    ("srb status=04 count=2", "read", None, True, True),
    ("srb status=0a count=2", "write", None, True, False),
    ("srb status=30 count=2", "write", None, True, False),
    ("srb status=04 count=6", "read", IO, True, False),
    ("srb status=05 count=3", "write", None, True, False),
    ("srb status=06", "read", TARGET, False, False),
    ("srb status=09", "read", None, True, False),
    ("srb status=0b", "write", None, True, False),
    ("srb status=0e", "write", None, True, False),
    ("srb status=12", "read", IO, False, False),
    ("srb status=16", "read", None, True, False),
    ("srb status=20", "read", GONE, False, False),
    ("srb status=08", "read", GONE, False, False),
    ("srb status=3f", "read", IO, False, False),
)

# What a completion can be instead of right: fault, errno's text or None, how
# many packets are no good, and what the log says of them
BAD = (
    ("duplicate", None, 1, "a completion without a request"),
    ("duplicate times=5", None, 4, "a completion without a request"),
    ("wrong-id then=right", None, 1, "a completion without a request"),
    ("wrong-id xor=0x100000000 then=right", None, 1, "a completion without a request"),
    ("wrong-id xor=0x10000000000 then=right", None, 1,
     "a completion without a request"),
    ("wrong-id xor=0xffff0000 then=right", None, 1,
     "an answer without a command"),
    ("unknown-id", None, 1, "a completion without a request"),
    ("unknown-id id=0", None, 1, "a completion without a request"),
    ("unknown-id id=0xffff0001", None, 1, "an answer without a command"),
    ("short len=0", IO, 1, "a malformed completion"),
    ("short len=8", IO, 1, "a malformed completion"),
    ("short len=24", IO, 1, "a malformed completion"),
    ("oversize len=128", None, 0, None),
    ("garbage seed=1", IO, 1, "a malformed completion"),
    ("garbage seed=2 len=8", IO, 1, "a malformed completion"),
    ("operation value=2", IO, 1, "a malformed completion"),
    ("operation value=0xffffffff", IO, 1, "a malformed completion"),
    ("moved bytes=0", IO, 1, "a completion of the wrong length"),
    ("moved bytes=512", IO, 1, "a completion of the wrong length"),
    ("moved bytes=0xffffffff", IO, 1, "a completion of the wrong length"),
    ("sense-length n=255", None, 0, None),
)


def make_guest(name, driver=OWN, **kw):
    """A guest with the disks named above."""
    return BlockGuest(name, driver, [
        Lun("c0", 0, 16), Lun("c0", 1, 4), Lun("c1", 0, 4), Lun("c1", 1, 4),
    ], **kw)


def begin(g):
    """Loads all; each wait for the host is short."""
    g.load("own")
    g.driver.load(g, "host_timeout=3")
    for serial in ("c0-0", "c0-1", "c1-0", "c1-1"):
        disk(g, serial)
        fill(g, g.lun(serial))


def healthy(g, *serials):
    """These disks, else all, read as the host has them; faults are gone."""
    for ctrl in {x.ctrl for x in g.luns}:
        g.ctl("fault", ctrl, "clear")
    for serial in serials or [x.serial for x in g.luns]:
        same_data(g, serial)


def fault(g, ctrl, text, **more):
    """Sets a fault."""
    g.ctl("fault", ctrl, *text.split(), *(f"{k}={v}" for k, v in more.items()))


def all_met(g, ctrl):
    """Each fault was met as often as it was to be."""
    out = g.ctl("fault", ctrl, "list")
    left = [x for x in out.splitlines() if re.search(r"left=[1-9]", x)]
    assert not left, "\n".join(left)


def outcomes(g, dev, commands):
    """Runs (command, block): [(errno's text or None, retries, errors)] of each.

    One script, for a guest takes its time to begin one.
    """
    counters = ("retries", "io_errors") if g.driver.synthetic else ()
    look = "".join(f"read -r x </sys/block/{dev}/{x}; echo $x\n"
                   for x in counters)
    out = g.run("export LC_ALL=C\n" + "".join(
        f"echo =\n{look}{COMMAND[c].format(dev, n)} 2>&1\n{look}"
        for c, n in commands) + "true", 60 + 2 * len(commands)).out
    found, n = [], len(counters)
    for part in out.split("=\n")[1:]:
        lines = part.splitlines()
        said = [re.search(r"(?:dd: .*: )(.*)$", x) for x in lines]
        said = [m[1] for m in said if m]
        found.append((said[0] if said else None,
                      *(int(b) - int(a) for a, b in zip(
                          lines[:n], lines[len(lines) - n:]))))
    assert len(found) == len(commands), out
    return found


def outcome(g, dev, op):
    """The same of one command."""
    return outcomes(g, dev, [(op, 0)])[0]


def meet(g, serial, rows):
    """Each (fault, command) in turn: [outcome], in the order of rows.

    Each command has a block of its own, at which its fault waits.
    """
    lun, dev, found = g.lun(serial), disk(g, serial), {}
    sector = int(queue(g, dev, "logical_block_size")[0])
    for i, (text, op) in enumerate(rows):
        if op == "flush":           # which has no place
            fault(g, lun.ctrl, text, op=op, lun=lun.lun)
            found[i] = outcome(g, dev, op)
        else:
            where = i * 4096 // sector
            fault(g, lun.ctrl, text, op=op, lun=lun.lun,
                  lba=f"{where}-{where + 4095 // sector}")
    mine = [i for i in range(len(rows)) if i not in found]
    found.update(zip(mine, outcomes(g, dev, [(rows[i][1], i) for i in mine])))
    all_met(g, lun.ctrl)
    g.ctl("fault", lun.ctrl, "clear")
    return [found[i] for i in range(len(rows))]


# -- errors of a disk ---------------------------------------------------------

def errors(serial, portable=False):
    """Makes a test: each way to fail becomes its errno, or is tried again."""
    def test(g):
        rows = [r for r in ERRORS if r[4] or not portable]
        wrong = []
        for row, found in zip(rows, meet(
                g, serial, [r[:2] for r in rows])):
            wanted = (row[2], row[3], bool(row[2]))
            if g.driver.synthetic:
                found = (found[0], found[1] > 0, found[2] > 0)
            if found != wanted[:len(found)]:
                wrong.append(f"{row[0]}, {row[1]}: {found}, not {wanted}")
        assert not wrong, "\n".join(wrong)
        same_data(g, serial)
    return test


def endless(g):
    """Attention without end becomes an error after a few tries."""
    dev = disk(g, "c0-0")
    fault(g, "c0", "sense key=6 asc=2900 op=read lun=0 count=forever")
    found = outcome(g, dev, "read")
    assert found == (IO, 5, 1), found
    assert outcome(g, disk(g, "c0-1"), "read") == (None, 0, 0)
    healthy(g, "c0-0", "c0-1")


def flush_refused(g):
    """A flush that is refused fails, and the next one is sent all the same."""
    dev, at = disk(g, "c0-0"), len(g.console_text())
    for text in ("sense key=5 asc=2000", "sense key=5 asc=2400",
                 "srb status=06", "srb status=04"):
        fault(g, "c0", text + " op=flush lun=0 count=forever")
        for _ in range(2):
            found = outcome(g, dev, "flush")
            assert found[0] in (TARGET, IO) and found[1:] == (5, 1), \
                f"{text}: {found}"
        g.ctl("fault", "c0", "clear")
    console_says(g, at, r"FLUSH failed after 5 retries")
    before = host_counts(g, "c0-0")["flushes"]
    assert outcome(g, dev, "flush")[0] is None
    assert host_counts(g, "c0-0")["flushes"] == before + 1, "flushes ended"
    assert queue(g, dev, "write_cache") == ["write back"]
    healthy(g, "c0-0")


def refused(g):
    """A disk that refuses UNMAP or WRITE SAME is not asked again."""
    dev = disk(g, "c0-0")
    fault(g, "c0", "sense key=5 asc=2400 op=write-same lun=0")
    # the kernel falls back to writing zeroes
    g.run(f"blkdiscard -z -l 64k /dev/{dev}")
    wait_for(g, f"test $(cat /sys/block/{dev}/queue/write_zeroes_max_bytes)"
             " = 0", "it is asked again")
    g.run(f"blkdiscard -z -o 64k -l 64k /dev/{dev}")
    assert contents(g, g.lun("c0-0"))[:128 << 10] == bytes(128 << 10)
    fault(g, "c0", "sense key=5 asc=2000 op=unmap lun=0")
    # nobody is owed a discard: the kernel takes it for done, this once
    g.run(f"blkdiscard -l 64k /dev/{dev}")
    wait_for(g, f"test $(cat /sys/block/{dev}/queue/discard_max_bytes) = 0",
             "it is asked again")
    done = g.sh(f"LC_ALL=C blkdiscard -l 64k /dev/{dev}")
    assert done.rc and "not supported" in done.out, done.out
    all_met(g, "c0")
    other = disk(g, "c0-1")
    assert "0" not in queue(g, other, "discard_max_bytes",
                            "write_zeroes_max_bytes")
    healthy(g, "c0-0", "c0-1")


def capacity(g):
    """A unit attention alone makes a new capacity known."""
    dev = disk(g, "c0-0")
    bigger = (20 << 20) // 512 - 1
    answer = f"{bigger:016x}{512:08x}" + "00" * 20
    fault(g, "c0", f"answer op=0x9e lun=0 count=forever hex={answer}")
    fault(g, "c0", "sense key=6 asc=2a09 op=read lun=0")
    assert outcome(g, dev, "read")[0] is None
    wait_for(g, f"test $(blockdev --getsize64 /dev/{dev}) = {20 << 20}",
             "the capacity has not changed")
    g.ctl("fault", "c0", "clear")
    fault(g, "c0", "sense key=6 asc=2a09 op=read lun=0")
    assert outcome(g, dev, "read")[0] is None
    wait_for(g, f"test $(blockdev --getsize64 /dev/{dev}) = {16 << 20}",
             "the capacity has not changed back")
    healthy(g, "c0-0")


def limits_change(g):
    """Unit attentions make all limits follow, between requests."""
    dev = disk(g, "c0-0")
    names = ("max_hw_sectors_kb", "discard_max_hw_bytes",
             "discard_granularity", "write_zeroes_max_bytes", "rotational",
             "write_cache", "physical_block_size")
    right = queue(g, dev, *names)
    # as after a migration: less in a transfer, no zeroes, other granules
    limits = ("00b0003c" "0000" "0008" "00000200" "00000000" "00000000"
              "00000800" "00000001" "00000010" "80000000" + "00" * 28)
    answers = (f"op=0x12 page=b0 hex={limits}",
               "op=0x12 page=b1 hex=00b1003c1c20" + "00" * 58,
               "op=0x1a page=08 hex=17001000081200" + "00" * 17,
               f"op=0x9e hex={(16 << 20) // 512 - 1:016x}{512:08x}"
               + "0000c000" + "00" * 16)
    wanted = ["256", str(2048 * 512), "8192", "0", "1", "write through",
              "512"]
    for asc in ("3f02", "2a01", "2a09"):
        for text in answers:
            fault(g, "c0", f"answer {text} lun=0 count=forever")
        load = Load(g, dev, verify=True, opts="--size=8m")
        fault(g, "c0", f"sense key=6 asc={asc} op=write lun=0")
        path = f"/sys/block/{dev}/queue"
        wait_for(g, f"test $(cat {path}/max_hw_sectors_kb) = 256",
                 f"{asc}: the limits have not changed")
        load.flows(50)
        found = queue(g, dev, *names)
        assert found == wanted, f"{asc}: {found}, not {wanted}"
        g.ctl("fault", "c0", "clear")
        fault(g, "c0", f"sense key=6 asc={asc} op=write lun=0")
        wait_for(g, f"test $(cat {path}/max_hw_sectors_kb) = {right[0]}",
                 f"{asc}: the limits have not changed back")
        load.flows(50)
        load.ends_well()
        found = queue(g, dev, *names)
        assert found == right, f"{asc}: {found}, not {right}"
        g.ctl("fault", "c0", "clear")
    healthy(g, "c0-0")


# -- hosts that break the protocol --------------------------------------------

def bad_completions(g):
    """Completions that lie are caught by id, length and content, and told."""
    dev, at = disk(g, "c0-0"), len(g.console_text())
    before = sum(c["bad"] for c in channels(g, dev))
    events = "/sys/kernel/tracing/events/synth_blk/synd_bad/enable"
    g.run(f"echo >/sys/kernel/tracing/trace; echo 1 >{events}")
    rows = [(r[0], ("read", "write")[i % 2]) for i, r in enumerate(BAD)]
    wrong = [f"{row}: {found}, not {r[1]}" for row, r, found in zip(
        rows, BAD, meet(g, "c0-0", rows)) if found[0] != r[1]]
    assert not wrong, "\n".join(wrong)
    trace = g.run(f"echo 0 >{events}; cat /sys/kernel/tracing/trace").out
    bad = sum(c["bad"] for c in channels(g, dev)) - before
    assert bad == sum(r[2] for r in BAD), bad
    for said in {r[3] for r in BAD if r[3]}:
        times = sum(r[2] for r in BAD if r[3] == said)
        assert trace.count(said) == times, f"{said}, {times} times:\n{trace}"
    # not each of them: the log's rate is limited
    console_says(g, at, r"channel 0: a completion without a request from the host")
    healthy(g)


def unsolicited(g):
    """What nobody asked for is looked at, or ignored."""
    dev = disk(g, "c0-0")
    bad = sum(c["bad"] for c in channels(g, dev))
    for text in ("operation=11 count=100", "operation=2 count=10",
                 "operation=12 count=10", "operation=77 count=3",
                 "operation=1 count=3", "operation=11 len=0 count=3"):
        fault(g, "c0", "unsolicited " + text)
    wait_for(g, "true", "")
    assert outcome(g, dev, "read") == (None, 0, 0)
    grown = sum(c["bad"] for c in channels(g, dev)) - bad
    assert grown == 9, f"{grown} bad packets"
    disk(g, "c0-0")
    healthy(g)


def lost_and_found(g):
    """A completion that is lost is waited for; it comes after all."""
    dev = disk(g, "c0-0")
    for text in ("lost", "lost done=yes", "wrong-id"):
        fault(g, "c0", text, op="write", lun=0)
        job = g.spawn(WRITE.format(dev, 0), 60)
        wait_for(g, f"test $(awk '{{ print $9 }}' /sys/block/{dev}/stat) = 1",
                 "no write is on its way")
        assert outcome(g, disk(g, "c0-1"), "read") == (None, 0, 0)
        assert not job.done()
        g.ctl("fault", "c0", "release")
        assert job.wait().rc == 0
    healthy(g)


def never_answered(g):
    """An answer under another type is none: a reset sends it again."""
    dev = disk(g, "c0-0")
    for value in (6, 7, 9):
        fault(g, "c0", f"packet-type value={value}", op="read", lun=0)
        job = g.spawn(READ.format(dev, 0), 60)
        wait_for(g, f"test $(awk '{{ print $9 }}' /sys/block/{dev}/stat) = 1",
                 "no read is on its way")
        all_met(g, "c0")
        reset(g, dev)
        assert job.wait().rc == 0
    healthy(g)


def reset(g, dev):
    """Resets the controller of a disk."""
    g.run(f"echo 1 >{controller(g, dev)}/synth_blk/reset")


def late_write(g):
    """A write that is late is reported once, and done once; a newer one wins."""
    dev, lun = disk(g, "c0-0"), g.lun("c0-0")
    at = len(g.console_text())
    before = host_counts(g, "c0-0")["writes"]
    g.run(f"echo 1000 >/sys/block/{dev}/queue/io_timeout")
    fault(g, "c0", "late ms=4500 op=write lun=0 lba=64-71")
    job = g.spawn("tr '\\0' A </dev/zero | dd iflag=fullblock bs=4k count=1"
                  f" seek=8 oflag=direct of=/dev/{dev}", 60)
    console_says(g, at, r"the host has not answered WRITE of 4096 bytes at "
                 r"sector 64", 30)
    assert job.wait().rc == 0
    assert attribute(g, dev, "timeouts") >= 1
    assert contents(g, lun)[32768:36864] == b"A" * 4096
    assert pattern(g, f"/dev/{dev}", 1, ord("B"), seek=8).rc == 0
    assert contents(g, lun)[32768:36864] == b"B" * 4096
    assert host_counts(g, "c0-0")["writes"] == before + 2
    said = re.findall(r"the host has not answered", g.console_text()[at:])
    assert len(said) == 1, said
    healthy(g)


def late_reset(kind):
    """Makes a test: with reset_after=1 such a write is sent again, once; what
    was held of the first one does not come through after a newer write."""
    def test(g):
        dev, lun = disk(g, "c0-0"), g.lun("c0-0")
        at = len(g.console_text())
        param = "/sys/module/synth_blk/parameters/reset_after"
        g.run(f"echo 1000 >/sys/block/{dev}/queue/io_timeout;"
              f"echo 1 >{param}")
        fault(g, "c0", f"{kind} op=write lun=0 lba=64-71")
        g.run("tr '\\0' C </dev/zero | dd iflag=fullblock bs=4k count=1 seek=8"
              f" oflag=direct of=/dev/{dev}", 60)
        console_says(g, at, r"the host has confirmed the close; 1 requests are sent "
                     r"again")
        assert contents(g, lun)[32768:36864] == b"C" * 4096
        assert pattern(g, f"/dev/{dev}", 1, ord("D"), seek=8).rc == 0
        g.ctl("fault", "c0", "release")
        if kind != "lost":
            g.run("sleep 3")    # as long as what is late would take
        assert contents(g, lun)[32768:36864] == b"D" * 4096
        g.run(f"echo 0 >{param}; echo 30000 >/sys/block/{dev}/queue/io_timeout")
        all_met(g, "c0")
        healthy(g)
    return test


def resets(g, dev):
    """How often the controller of a disk was reset; no page was lost by it."""
    name = controller(g, dev).rsplit("/", 1)[1]
    out = g.run(f"cat {DEBUGFS}/{name}/channels").out
    m = re.search(r"state live, .*, (\d+) resets, 0 pages quarantined", out)
    assert m, out
    return int(m[1])


def reset_busy(g):
    """Resets under load: all is sent again, nothing is lost."""
    dev = disk(g, "c0-0")
    before = resets(g, dev)
    load = Load(g, dev, verify=True, opts="--size=8m")
    for _ in range(5):
        reset(g, dev)
        load.flows(50)
    fault(g, "c0", "lost op=write lun=0 count=8")
    wait_for(g, f"test $(awk '{{ print $9 }}' /sys/block/{dev}/stat) -ge 8",
             "nothing is lost")
    reset(g, dev)
    load.flows(100)
    load.ends_well()
    assert resets(g, dev) == before + 6
    nothing_leaked(g)
    healthy(g)


# -- resets that fail ---------------------------------------------------------

def reset_fails(faults, state, said, requests_fail):
    """Makes a test: a reset meets faults, and is tried again until it works.

    state: of the controller meanwhile
    said: what the log says
    """
    def test(g):
        dev = disk(g, "c0-0")
        path, at = controller(g, dev), len(g.console_text())
        load = None if requests_fail else Load(g, dev, verify=True,
                                               opts="--size=8m")
        for text in faults:
            fault(g, "c0", text)
        assert g.sh(f"echo 1 >{path}/synth_blk/reset", 60).rc
        g.run(f"grep -qxE '{state}|resetting' {path}/synth_blk/controller_state")
        console_says(g, at, said)
        if requests_fail:
            assert outcome(g, dev, "read")[0] == IO
        g.ctl("fault", "c0", "clear")
        wait_for(g, f"grep -qx live {path}/synth_blk/controller_state",
                 "it is not tried again", 60)
        if load:
            load.flows(100)
            load.ends_well()
        nothing_leaked(g)
        healthy(g)
    return test


def revived(g):
    """A controller that has failed: a write to reset revives it at once."""
    dev = disk(g, "c0-0")
    path = controller(g, dev)
    fault(g, "c0", "handshake step=begin fault=fail count=forever")
    for _ in range(3):
        assert g.sh(f"echo 1 >{path}/synth_blk/reset", 60).rc
    g.ctl("fault", "c0", "clear")
    g.run(f"echo 1 >{path}/synth_blk/reset", 60)
    assert g.run(f"cat {path}/synth_blk/controller_state").out == "live\n"
    healthy(g)


def in_state(g, dev, lun, state):
    """Waits until a disk of a controller is in a state."""
    name = controller(g, dev).rsplit("/", 1)[1]
    wait_for(g, f"grep -q 'LUN {lun}, {state},' {DEBUGFS}/{name}/disks",
             f"LUN {lun} is not {state}")


def unproved(g):
    """After a reset nothing is written to a unit that does not tell its serial
    number; its neighbour is not kept waiting."""
    dev, other, at = disk(g, "c0-0"), disk(g, "c0-1"), len(g.console_text())
    fault(g, "c0", "lost op=0x12 page=80 lun=0 count=forever")
    before = host_counts(g, "c0-0")["writes"]
    reset(g, dev)
    job = g.spawn(WRITE.format(dev, 0), 120)
    in_state(g, other, 1, "live")
    assert outcome(g, other, "read") == (None, 0, 0)
    console_says(g, at, r"nothing is written to it before it does")
    in_state(g, dev, 0, "checking")
    assert not job.done() and host_counts(g, "c0-0")["writes"] == before
    g.ctl("fault", "c0", "clear")
    in_state(g, dev, 0, "live")
    assert job.wait().rc == 0
    assert host_counts(g, "c0-0")["writes"] == before + 1
    g.ctl("fault", "c0", "release")
    healthy(g)


def replaced(g):
    """After a reset another unit is in the place of one: no write reaches it."""
    dev, at = disk(g, "c0-0"), len(g.console_text())
    before = host_counts(g, "c0-0")["writes"]
    fault(g, "c0", "lost op=write lun=0")
    job = g.spawn("export LC_ALL=C; " + WRITE.format(dev, 0), 120)
    wait_for(g, f"test $(awk '{{ print $9 }}' /sys/block/{dev}/stat) = 1",
             "no write is on its way")
    fault(g, "c0", "answer op=0x12 page=80 lun=0 count=forever"
          " hex=0080000561424344" "45")
    reset(g, dev)
    console_says(g, at, r"after a reset another unit is in the unit's place")
    done = job.wait()
    assert done.rc and (GONE in done.out or IO in done.out), done.out
    disk(g, "aBCDE")
    assert host_counts(g, "c0-0")["writes"] == before
    g.ctl("fault", "c0", "clear")
    g.ctl("fault", "c0", "release")
    g.run(f"echo 1 >{controller(g, disk(g, 'c0-1'))}/synth_blk/rescan")
    disk(g, "c0-0")
    healthy(g)


def scan_unanswered(g):
    """A scan without answers is repeated until there are some; however many of them
    were lost, that does not end hot-plug."""
    path = controller(g, disk(g, "c1-0"))
    said = f"{DEBUGFS}/{os.path.basename(path)}/channels"
    g.ctl("remove", "c1", "1")
    disk_goes(g, "c1-1")
    # each command of the scan that a unit gets
    for op in ("0xa0", "0x12"):
        fault(g, "c1", f"lost op={op} count=forever")
    g.ctl("add", g.option(g.lun("c1-1")))
    g.run(f"echo 1 >{path}/synth_blk/rescan")
    # with 64 or more the driver takes its time for each one that is added
    wait_for(g, f"grep -qE '{'6[4-9]' if LONG else '[3-9]'} commands"
             f" unanswered' {said}", "nothing is lost", 200)
    g.ctl("fault", "c1", "clear")
    disk(g, "c1-1", 120)
    g.ctl("fault", "c1", "release")
    wait_for(g, f"grep -q ' 0 commands unanswered' {said} ||"
             f" {{ echo 1 >{path}/synth_blk/rescan; false; }}",
             "buffers are not given back", 60)
    healthy(g)


# -- a controller that can't be set up ----------------------------------------

def binder(g, serial="c1-0"):
    """(path of the driver, name on the bus of the controller of a disk)"""
    name = controller(g, disk(g, serial)).rsplit("/", 1)[1]
    return g.run("readlink -f /sys/bus/*vmbus/drivers/synth_blk"
                 ).out.strip(), name


def bind_with(g, path, name, faults, keep=False):
    """Takes c1 from the driver, sets faults, gives it back: (rc, log).

    keep: the faults stay afterwards
    """
    g.run(f"test ! -e {path}/{name} || echo {name} >{path}/unbind")
    for text in faults:
        fault(g, "c1", text)
    at = len(g.console_text())
    done = g.sh(f"echo {name} >{path}/bind", 60)
    if not keep:
        g.ctl("fault", "c1", "clear")
    return done.rc, at


# step, fault, whether the controller comes up, what the log says
HANDSHAKE = (
    ("begin", "fail", False, None),
    ("begin", "lost", False, r"\(begin\): no answer from the host"),
    ("begin", "garbage", False, r"\(begin\): the host's answer is nonsense"),
    ("begin", "short len=8", False, r"\(begin\): the host's answer is nonsense"),
    ("begin", "duplicate", True, None),
    ("begin", "wrong-id then=right", True, None),
    ("version", "fail count=forever", False, r"has no version of storvsp"),
    ("version", "fail", True, r"storvsp 6\.0"),
    ("version", "lost", False, r"\(version\): no answer from the host"),
    ("version", "operation value=3", False, r"\(version\): .* nonsense"),
    ("properties", "fail", False, None),
    ("properties", "lost", False, r"\(properties\): no answer"),
    ("properties", "garbage", False, r"\(properties\): .* nonsense"),
    ("properties", "short len=16", False, r"\(properties\): .* too short"),
    ("properties", "unknown-id", True, None),
    ("end", "fail", False, None),
    ("end", "lost", False, r"\(end\): no answer from the host"),
    ("end", "garbage seed=9", False, r"\(end\): the host's answer is nonsense"),
    ("end", "oversize len=200", True, None),
)


def handshakes(g):
    """Each step of the initialisation fails in each way, none hangs."""
    path, name = binder(g)
    wrong = []
    for step, kind, works, said in HANDSHAKE:
        what = f"handshake step={step} fault={kind}"
        rc, at = bind_with(g, path, name, [what])
        log = g.console_text()[at:]
        if (rc == 0) != works:
            wrong.append(f"{what}: bind said {rc}\n{log}")
        elif said:
            try:
                console_says(g, at, said, 10)
            except GuestError:
                wrong.append(f"{what}: not said: {said}\n{log}")
    bind_with(g, path, name, [])
    assert not wrong, "\n".join(wrong)
    disk(g, "c1-0")
    nothing_leaked(g)
    healthy(g)


# what is promised, whether the controller comes up, what the log says
PROMISES = (
    ("report report-max-transfer=0", False, r"takes 0 bytes in a transfer"),
    ("report report-max-transfer=4095", False, r"takes 4095 bytes"),
    ("report report-max-transfer=4096", True, None),
    ("report report-max-transfer=4294967295", True, None),
    ("report max-version=2.0", False, r"has no version of storvsp"),
    ("report max-version=4.2", True, r"storvsp 4\.2"),
    ("report max-version=5.1", True, r"storvsp 5\.1"),
    ("report report-channels=8 offer-subchannels=0", True,
     r"the host gave 0 of 1 sub-channels"),
    ("report report-channels=65535 offer-subchannels=0", True,
     r"the host gave 0 of 1 sub-channels"),
)


def promises(g):
    """Properties that can't be, and such that are not kept."""
    path, name = binder(g)
    for what, works, said in PROMISES:
        rc, at = bind_with(g, path, name, [what])
        assert (rc == 0) == works, f"{what}: bind said {rc}\n{g.tail()}"
        if said:
            console_says(g, at, said, 10)
        if not works:
            continue
        dev = disk(g, "c1-0")
        if what.endswith("=4096"):
            assert queue(g, dev, "max_hw_sectors_kb") == ["4"]
        if not what.endswith("4294967295"):
            same_data(g, "c1-0")
    bind_with(g, path, name, [])
    healthy(g)


# What LUN 0 says of itself: fault, whether it becomes a disk
LIES = (
    ("answer op=0x9e hex=00000000000010000000000000", False),
    ("answer op=0x9e hex=00000000000010000000020800000000", False),
    ("answer op=0x9e hex=00000000000010000000200000000000", False),
    ("answer op=0x9e hex=ffffffffffffffff0000020000000000", False),
    ("answer op=0x9e hex=0000000000001000", False),
    ("answer op=0x9e hex=-", False),
    ("answer op=0x12 hex=0000", False),
    ("answer op=0x12 hex=7f00000000", False),
    ("sense op=0x12 key=3 asc=1100", False),
    ("status op=0x12 scsi=08 count=2", True),
    ("sense op=0x9e key=6 asc=2900 count=2", True),
    ("answer op=0x12 page=00 hex=0000ffff80838384b0b1b2", True),
    ("answer op=0x12 page=80 hex=00800005", True),
    ("answer op=0x12 page=83 hex=0083ffff0103", True),
    ("answer op=0x12 page=83 hex=008300080103ff0000000000", True),
    ("answer op=0x12 page=b0 hex=00b00000", True),
    ("answer op=0x12 page=b0 hex=00b0003c" + "ff" * 60, True),
    ("answer op=0x12 page=b0 hex=00b0003c" + "00" * 60, True),
    ("answer op=0x12 page=b2 hex=00b20004", True),
    ("answer op=0x1a hex=ff", True),
    ("answer op=0x1a hex=ff0000ff0810ff", True),
    ("srb op=0x1a status=04", True),
    ("srb op=0x1a status=06", True),
    ("srb op=0x12 page=00 status=04", True),
    ("srb op=0x12 page=83 status=30", True),
    ("srb op=0x12 page=b0 status=06", True),
    ("srb op=0x9e status=04", True),
    ("lost op=0x12 page=b1", True),
    ("answer op=0xa0 hex=ffffffff00000000" + "0000000000000000", True),
    ("answer op=0xa0 hex=00000018000000000000000000000000"
     "00ff0000000000004100000000000000", True),
    ("answer op=0xa0 hex=-", True),
    ("garbage op=0x9e seed=4", False),
    ("moved op=0x9e bytes=0xffffffff", True),
    ("lost op=0x12", True),
    ("lost op=0x12 count=forever", False),
    ("lost op=0xa0", True),
    ("srb op=0xa0 status=04", True),
)


def units(g, name):
    """A script that lists the addresses of a controller's disks."""
    path = g.run(f"readlink -f /sys/bus/*vmbus/devices/{name}").out.strip()
    return f"cat {path}/block/*/address 2>/dev/null"


def has_unit(g, name, lun):
    """Waits until a controller has this LUN as a disk."""
    wait_for(g, f"{units(g, name)} | grep -qx 0:{lun}", f"no LUN {lun}", 20)


def lies(g):
    """INQUIRY, VPD pages, READ CAPACITY, MODE SENSE, REPORT LUNS that lie.

    A unit that talks nonsense is left out and said so; its neighbour is not.
    """
    path, name = binder(g)
    # of the capacity the 10 byte command is asked next: it is no better
    wrong = []
    for text, works in LIES:
        what = [text + ("" if "0xa0" in text else " lun=0")
                + ("" if "count=" in text or "lost" in text else
                   " count=forever")]
        if "=0x9e" in text and not works:
            what.append("answer op=0x25 lun=0 count=forever"
                        " hex=0000100000000000")
        rc, _ = bind_with(g, path, name, what, keep=True)
        try:
            assert rc == 0, f"bind said {rc}"
            if works:
                has_unit(g, name, 0)
            if "answer op=0xa0" not in text:
                has_unit(g, name, 1)
            if not works:
                assert g.sh(f"{units(g, name)} | grep -qx 0:0"
                            ).rc, "it has become a disk"
        except (AssertionError, GuestError) as e:
            wrong.append(f"{text}: {str(e)[:600]}")
        g.ctl("fault", "c1", "clear")
    bind_with(g, path, name, [])
    assert not wrong, "\n".join(wrong)
    nothing_leaked(g)
    healthy(g)


def silent_unit(g):
    """A unit that answers nothing, or no reads, keeps its neighbour from nothing;
    it becomes a disk when it answers."""
    path, name = binder(g)
    bind_with(g, path, name, ["lost op=0x12 lun=0 count=forever"], keep=True)
    has_unit(g, name, 1)
    g.ctl("fault", "c1", "clear")
    g.ctl("fault", "c1", "release")
    has_unit(g, name, 0)
    # what is read first is the partition table
    bind_with(g, path, name, ["lost op=read lun=0 count=forever"], keep=True)
    has_unit(g, name, 0)
    has_unit(g, name, 1)
    assert outcome(g, disk(g, "c1-1"), "read") == (None, 0, 0)
    g.ctl("fault", "c1", "clear")
    g.ctl("fault", "c1", "release")
    healthy(g)


def planned_and_gone(g):
    """A unit that goes while the next one is asked was never a disk."""
    path, name = binder(g)
    at = len(g.console_text())
    g.run(f"echo {name} >{path}/unbind")
    fault(g, "c1", "late op=0x12 lun=1 ms=2000")
    job = g.spawn(f"echo {name} >{path}/bind", 60)
    for _ in range(600):
        if " left=0 " in g.ctl("fault", "c1", "list"):
            break
    g.ctl("remove", "c1", "0")
    assert job.wait().rc == 0
    has_unit(g, name, 1)
    console_says(g, at, r"target 0 LUN 0 was removed by the host")
    g.ctl("fault", "c1", "clear")
    g.ctl("add", g.option(g.lun("c1-0")))
    healthy(g)


# -- the end ------------------------------------------------------------------

def remove_unanswered(g):
    """A removal that a lost request holds up has an end; memory comes back."""
    path, name = binder(g)
    dev = disk(g, "c1-0")
    fault(g, "c1", "lost op=write lun=0 count=forever")
    job = g.spawn("export LC_ALL=C; " + WRITE.format(dev, 0), 60)
    wait_for(g, f"test $(awk '{{ print $9 }}' /sys/block/{dev}/stat) = 1",
             "no write is on its way")
    at = len(g.console_text())
    g.run(f"echo {name} >{path}/unbind", 60)
    console_says(g, at, r"the host has not answered for 3 s: requests fail")
    done = job.wait()
    assert done.rc and (IO in done.out or GONE in done.out), done.out
    assert "quarantined" not in g.console_text()[at:]
    g.ctl("fault", "c1", "clear")
    g.run(f"echo {name} >{path}/bind")
    nothing_leaked(g)
    healthy(g)


def unload(g):
    """The module unloads after all of that, as if nothing had been."""
    g.run("rmmod synth_blk", 60)
    nothing_leaked(g)
    g.driver.load(g, "host_timeout=3")
    healthy(g)


def quarantine(g):
    """A removal during a pause that the bus does not wait out: pages are kept, until
    the host has closed the device after all."""
    path, name = binder(g, "c0-0")
    dev = disk(g, "c0-0")
    limit = "/sys/module/synth_vmbus/parameters/stall_timeout"
    # the close is posted while the bus still waits, and not answered in that time
    before = g.run(f"cat {limit}; echo 60 >{limit}").out.split()[0]
    g.allow.append(r"pages (are lost|leaked)")
    with stopped(g):
        job = g.spawn(f"dd if=/dev/{dev} of=/dev/null bs=64k count=1"
                      " iflag=direct", 300)
        wait_for(g, f"test $(awk '{{ print $9 }}' /sys/block/{dev}/stat) = 1",
                 "no read is on its way")
        at = len(g.console_text())
        g.run(f"echo {name} >{path}/unbind", 200)
        console_says(g, at, r"16 pages are quarantined")
        assert job.wait().rc
    g.run(f"echo {before} >{limit}; until echo {name} >{path}/bind; do"
          " sleep 1; done", 60)
    console_says(g, at, r"16 pages are given back")
    kept = f"{controller(g, disk(g, 'c0-0'))}/synth_blk/quarantined_pages"
    assert g.run(f"cat {kept}").out == "0\n"
    healthy(g)


def host_dies(g):
    """synthhost is killed with I/O in flight: removal ends, pages are kept."""
    path, name = binder(g, "c0-0")
    dev = disk(g, "c0-0")
    fault(g, "c0", "lost op=read lun=0 count=forever")
    job = g.spawn(f"dd if=/dev/{dev} of=/dev/null bs=64k count=1 iflag=direct",
                  300)
    wait_for(g, f"test $(awk '{{ print $9 }}' /sys/block/{dev}/stat) = 1",
             "no read is on its way")
    at = len(g.console_text())
    g.allow.append(r"pages (are lost|leaked)")
    g.kill_host()
    console_says(g, at, r"host does not respond", 30)
    g.run(f"echo {name} >{path}/unbind", 120)
    console_says(g, at, r"16 pages are quarantined")
    assert job.wait().rc
    g.run("rmmod synth_blk", 120)
    assert g.run("echo alive").out.strip() == "alive"


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest(
            "faults", make_guest("block-faults", limit=1500),
            ("disks appear", begin),
            ("each error has its errno, or is tried again", errors("c0-0")),
            ("attention without end", endless),
            ("flushes refused", flush_refused),
            ("capacity has changed", capacity),
            ("all limits have changed", limits_change),
            ("UNMAP and WRITE SAME refused", refused),
            ("completions that lie", bad_completions),
            ("packets that nobody asked for", unsolicited),
            ("lost, and found", lost_and_found),
            ("never answered, and reset", never_answered),
            ("a late write, and a newer one", late_write),
            ("a late write is sent again", late_reset("late ms=3000")),
            ("a lost write is sent again", late_reset("lost")),
            ("resets under load", reset_busy),
            ("a reset without an answer", reset_fails(
                ["handshake step=begin fault=lost"], "recovering",
                r"requests wait, and it is tried again", False)),
            ("a reset that is refused", reset_fails(
                ["handshake step=begin fault=fail count=2"], "failed",
                r"requests fail; it is tried again", True)),
            ("a reset revives", revived),
            ("an identity that is not proved", unproved),
            ("another unit after a reset", replaced),
            ("a scan without an answer", scan_unanswered),
            ("steps of the initialisation", handshakes),
            ("properties", promises), ("what units say of themselves", lies),
            ("a silent unit", silent_unit),
            ("planned, and gone", planned_and_gone),
            ("removal without answers", remove_unanswered),
            ("unload", unload), ("a removal during a pause", quarantine),
            ("synthhost dies", host_dies))


if __name__ == "__main__":
    main()
