#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A host that lies, stalls, repeats itself or says nothing.

    n0  meets the faults
    n1  must not notice

Whatever the host says, the kernel has nothing to complain of, the card works
again or is failed in a way that its owner can see and undo, and the module
unloads. docs/faults.md says what the host can do wrong.
"""

import re
import time

from lib import (alive, carrier, dev, digest_down, ethtool_stats,
                 forget, goes_again, guid, GuestError, Load, NetGuest, Nic,
                 nothing_leaked, OWN, ping, run_tests, up)

WORKS, FAILS, EITHER = "works", "fails", "either"

# What the host can say while a card is set up: faults, and what becomes of it.
# None refuses a version: the host has taken it, and bears no second INIT. Cards
# of other versions are traffic.py's.
# "lost" is answered by nobody: the driver waits for host_timeout.
SETUP = (
    ("init type=99 count=9", FAILS),
    ("init length=4 count=9", FAILS),
    ("init packet-type=6 count=9", FAILS),
    ("init id-xor=0x100000000000000", FAILS),
    ("init twice", WORKS),
    ("init lost", FAILS),
    ("receive-buffer status=2", FAILS),
    ("receive-buffer type=99", FAILS),
    ("receive-buffer sections=0", FAILS),
    ("receive-buffer sections=2", EITHER),
    ("receive-buffer sections=0xffffffff", EITHER),
    ("receive-buffer size=0", FAILS),
    ("receive-buffer size=1", EITHER),
    ("receive-buffer size=0xffffffff", FAILS),
    ("receive-buffer slots=0", FAILS),
    ("receive-buffer slots=0xffffffff", FAILS),
    ("receive-buffer offset=0xfffffff0", EITHER),
    ("receive-buffer end=1", EITHER),
    ("receive-buffer length=8", FAILS),
    ("receive-buffer lost", FAILS),
    ("send-buffer status=2", FAILS),
    ("send-buffer size=0", FAILS),
    ("send-buffer size=1", EITHER),
    ("send-buffer size=0xffffffff", EITHER),
    ("send-buffer length=4", FAILS),
    ("send-buffer twice", WORKS),
    ("send-buffer lost", FAILS),
    ("answer message=initialize status=0xc0000001", FAILS),
    ("answer message=initialize len=8", EITHER),
    ("answer message=initialize len=0xffffffff", EITHER),
    ("answer message=initialize request=0x77777777", FAILS),
    ("answer message=initialize type=0x77", FAILS),
    ("answer message=initialize max-packets=0", EITHER),
    ("answer message=initialize max-packets=0xffffffff", WORKS),
    ("answer message=initialize max-transfer=0", EITHER),
    ("answer message=initialize alignment=63", EITHER),
    ("answer message=initialize alignment=0xffffffff", EITHER),
    ("answer message=initialize lost", FAILS),
    ("answer message=initialize twice", WORKS),
    ("answer message=query status=0xc00000bb count=40", EITHER),
    ("answer message=query info-len=0xffffffff count=40", EITHER),
    ("answer message=query info-offset=0xfffffff8 count=40", EITHER),
    ("answer message=query info-len=0 count=40", EITHER),
    ("answer message=query info-offset=0 count=40", EITHER),
    ("answer message=query len=12 count=40", EITHER),
    ("answer message=query value=0xffffffff count=40", EITHER),
    ("answer message=query value2=0xffffffff count=40", EITHER),
    ("answer message=query oid=0x01010101 lost", EITHER),
    ("answer message=query oid=0x01010102 info-len=3", EITHER),
    ("answer message=query oid=0x00010203 lost", EITHER),
    ("answer message=query oid=0x00010203 value=0", EITHER),
    ("answer message=query oid=0xfc01020d value=0", EITHER),
    ("answer message=set status=0xc0000001 count=40", EITHER),
    ("answer message=set request=1 count=3", EITHER),
    ("answer message=set lost", EITHER),
    ("subchannel status=2", WORKS),
    ("subchannel channels=0", WORKS),
    ("subchannel channels=0xffffffff", WORKS),
    ("subchannel channels=1000", WORKS),
    ("subchannel type=1", EITHER),
    ("subchannel lost", WORKS),
    ("table entries=0", WORKS),
    ("table entries=0xffffffff", WORKS),
    ("table offset=0xfffffff0", WORKS),
    ("table offset=0", EITHER),
    ("table entry=0xffffffff", WORKS),
)

# What the host can say of frames while they come; the card goes on
FRAMES = (
    "pages set=0", "pages set=0xffff", "pages ranges=0",
    "pages ranges=0xffffffff", "pages ranges=2", "pages ranges=562",
    "pages range-bytes=0", "pages range-bytes=1", "pages range-bytes=44",
    "pages range-bytes=0xffffffff", "pages range-offset=0xffffffff",
    "pages range-offset=0x7ffffff0", "pages range-offset=1",
    "pages last-bytes=0xfffffff0", "pages last-offset=0xfffffff0",
    "pages type=1", "pages type=108", "pages type=0xffffffff",
    "pages channel-type=1", "pages channel-type=7", "pages packet-type=6",
    "pages packet-type=11", "pages packet-type=9", "pages length=0",
    "pages length=4", "pages repeat=3", "pages repeat=600", "pages twice",
    "pages id-xor=1", "pages lost",
    "frame type=0", "frame type=4", "frame type=0xffffffff", "frame len=0",
    "frame len=8", "frame len=43", "frame len=0xffffffff",
    "frame data-offset=0", "frame data-offset=0xfffffff8",
    "frame data-offset=0x7fffffff", "frame data-len=0", "frame data-len=1",
    "frame data-len=13", "frame data-len=0xffffffff", "frame data-len=0x10000",
    "frame oob-offset=0xffffffff oob-len=0xffffffff oob-count=0xffffffff",
    "frame info-offset=0xfffffff0", "frame info-offset=8",
    "frame info-len=0xffffffff", "frame info-len=3", "frame info-size=0",
    "frame info-size=1", "frame info-size=11", "frame info-size=0xffffffff",
    "frame info-type=0x7fffffff", "frame info-type=6", "frame info-type=9",
    "frame info-type=0x80000001", "frame info-at=0", "frame info-at=0xfffffff0",
    "frame info-at=4", "frame info-value=0xffffffff",
    "frame flags=1", "frame flags=2", "frame flags=3", "frame flags=4",
    "frame flags=5", "frame flags=7", "frame flags=255",
    "frame flags=3 count=30", "frame flags=1 count=30",
)

# What it can say of what was sent
SENDS = (
    "tx status=2", "tx status=5", "tx status=0", "tx status=0xffffffff",
    "tx type=1", "tx type=0xffffffff", "tx length=0", "tx length=4", "tx twice",
    "tx times=5", "tx id-xor=1", "tx id-xor=0xff",
    "tx id-xor=0x10000", "tx id-xor=0x100000000000000",
    "tx id-xor=0xffffffffffffffff", "tx packet-type=6", "tx packet-type=7",
    "tx packet-type=9",
)

# What it can say without having been asked: send, rndis, indicate, table
UNASKED = (
    "send hex=-", "send hex=00", "send hex=ffffffff",
    "send hex=02000000", "send hex=66000000" + "ff" * 24,
    "send hex=6c000000", "send hex=80000000" + "01000000" * 2,
    "send hex=80000000" + "ffffffff" * 2, "send hex=86000000",
    "send hex=86000000" + "10000000" + "00000000",
    "send hex=86000000" + "10000000" + "ffffffff",
    "send hex=86000000" + "ffffffff" + "0c000000" + "00000000" * 16,
    "send hex=86000000" + "10000000" + "0c000000" + "ffffffff" * 16,
    "send hex=85000000" + "01000000" + "ffffffff",
    "send packet-type=11 id=0 hex=-",
    "send packet-type=11 id=0xffffffffffffffff hex=6c00000001000000",
    "send packet-type=11 id=0x0200000000000001 hex=02000000",
    "send packet-type=11 id=0x0300000000000001 hex=6c00000001000000",
    "send packet-type=7 id=1 hex=6b00000000000000ffffffff00000000",
    "send packet-type=9 id=1 hex=" + "00" * 64,
    "send packet-type=0xffff hex=" + "00" * 64,
    "rndis hex=-", "rndis hex=07000000", "rndis hex=0700000008000000",
    "rndis hex=07000000ffffffff", "rndis hex=0700000014000000" + "0b000140",
    "rndis hex=0700000014000000" + "13000140" + "ffffffff" + "ffffffff",
    "rndis hex=0700000014000000" + "06000240" + "00010000" + "f0ffffff",
    "rndis hex=0700000014000000" + "ffffffff" + "00000000" * 2,
    "rndis hex=0600000010000000" + "00000000" * 2,
    "rndis hex=080000000c000000" + "78563412",
    "rndis hex=0800000008000000",
    "rndis hex=0300000010000000" + "01000000" * 2,
    "rndis hex=0100000010000000" + "00000000" * 2,
    "rndis hex=0200008034000000" + "00000000" * 11,
    "rndis hex=0400008018000000" + "ffffffff" * 4,
    "rndis hex=0500008010000000" + "01000000" * 2,
    "rndis hex=ffffffff10000000" + "00000000" * 2,
    "rndis hex=07000000" + "00040000" + "ff" * 1000,
    "indicate indicate-len=0xffffffff", "indicate indicate-offset=0xfffffff0",
    "indicate indicate-len=0", "indicate len=0xffffffff", "indicate len=8",
    "indicate indicate-status=0xffffffff", "indicate type=0x77",
    "table entries=0xffffffff", "table entries=17", "table offset=4096",
    "table entry=64", "table entry-last=0xffffffff",
)


def begin(g):
    """Loads all; each wait for the host is short."""
    g.driver.load_all(g, "host_timeout=2")
    g.notes["cases"] = 0


def fault(g, text, name="n0"):
    """Sets a fault, or has the host say something at once."""
    g.ctl("net-fault", name, *text.split())


def clear(g, name="n0"):
    """No fault is left."""
    g.ctl("net-fault", name, "clear")


def complaints(g):
    """What the kernel has to say against a case; it says nothing."""
    bad = g.problems()
    assert not bad, "\n".join(bad)


def each(g, cases, one):
    """Runs one(text) for each case; fails with all that went wrong."""
    wrong = []
    for case in cases:
        try:
            one(case)
            complaints(g)
        except (AssertionError, GuestError) as e:
            wrong.append(f"{case}: {str(e)[:500]}")
            try:
                clear(g)
                rebind(g)
            except (AssertionError, GuestError) as dead:
                wrong.append(f"and then: {str(dead)[:500]}\n{g.tail(8)}\n"
                             + "\n".join(g.host_text().splitlines()[-4:]))
                break
            if len(wrong) > 12:
                break
        g.notes["cases"] += 1
    assert not wrong, "\n".join(wrong)
    alive(g)
    nothing_leaked(g)
    return f"{len(cases)} cases"


def bind(g, where, name, what):
    """Binds or unbinds; True if it was done."""
    return g.sh(f"echo {name} >{where}/{what}", 90).rc == 0


def rebind(g):
    """Has n0 begin again, without a fault; it works."""
    where, name = g.notes["bus"]
    bind(g, where, name, "unbind")
    assert bind(g, where, name, "bind"), "it can't be bound any more"
    forget(g)
    up(g, g.nic())
    alive(g, "n0")


def setup(g):
    """Each answer of the initialisation, spoilt."""
    name = guid(g)
    where = f"/sys/bus/vmbus/drivers/{g.driver.module}"
    if g.sh(f"test -d {where}").rc:
        where = where.replace("vmbus", "synth_vmbus", 1)
    g.notes["bus"] = where, name

    def one(case):
        text, wanted = case
        bind(g, where, name, "unbind")
        fault(g, text)
        bound = bind(g, where, name, "bind")
        clear(g)
        forget(g)
        if bound:
            # it has an interface, and that carries traffic or says that it
            # does not: nothing hangs
            usable = g.sh(f"for i in $(seq 20); do grep -qi {g.nic().mac}"
                          " /sys/class/net/*/address && exit; sleep .1; done;"
                          "exit 1", 30).rc == 0
            if usable and wanted == WORKS:
                up(g, g.nic())
                ping(g, g.nic().far4, 2)
        if wanted == WORKS:
            assert bound, "it does not work"
        if wanted == FAILS:
            assert not bound, "it works"
    said = each(g, SETUP, one)
    rebind(g)
    alive(g)
    return said


def wait_for_hits(g, count=1, timeout=60):
    """The fault has been met so often."""
    deadline = time.monotonic() + timeout * g.scale
    while True:
        out = g.ctl("net-fault", "n0", "list")
        if int(re.search(r"hits=(\d+)", out)[1]) >= count:
            return
        assert time.monotonic() < deadline, f"{out}\n{g.tail()}"
        time.sleep(0.1)


def meet(g, text):
    """Has traffic meet a fault, and clears it; nobody waits for what is lost."""
    fault(g, text)
    g.sh(f"ping -q -n -c 2 -i 0.05 -W 0.2 {g.nic().far4}", 20)
    wait_for_hits(g)
    clear(g)


def frames(g):
    """Each part of what brings a frame, spoilt; what follows arrives."""
    up(g, g.nic())
    before = ethtool_stats(g)["rx_bad"]

    def one(text):
        meet(g, text)
        ping(g, g.nic().far4, 2)
    said = each(g, FRAMES, one)
    digest_down(g, g.nic().far4, 1 << 20)
    bad = ethtool_stats(g)["rx_bad"] - before
    assert bad > 20, f"{bad} bad packets were counted"
    return f"{said}, {bad} counted as bad"


def under_load(g):
    """The same in the midst of a load, many in a row.

    Not one behind the other: TCP would wait twice as long after each.
    """
    load = Load(g)
    for text in ("frame data-len=0xffffffff", "frame info-size=0",
                 "frame flags=1", "frame flags=3", "pages ranges=0xffffffff",
                 "pages range-offset=0xfffffff0", "tx status=2",
                 "frame type=7"):
        fault(g, f"{text} every=20 count=20")
        wait_for_hits(g, 20)
        clear(g)
        complaints(g)
    load.flows()
    load.stop()
    alive(g)


def sends(g):
    """Each part of a completion, spoilt; the card goes on or begins again."""
    def one(text):
        meet(g, text)
        goes_again(g, 40)
        ping(g, g.nic().far4, 2)
    return each(g, SENDS, one)


def unasked(g):
    """What nobody asked for."""
    def one(text):
        fault(g, text)
        goes_again(g, 40)
        carrier(g, "n0", True)
    return each(g, UNASKED, one)


def flood(g):
    """Thousands of messages of no use: the log stays readable.

    The host takes it amiss if more than 64 control messages wait.
    """
    at = len(g.console_text())
    for text in ("send hex=ffffffff count=3000", *["rndis hex=ffffffff08000000"
                 " count=40"] * 5, "send packet-type=11 id=77 hex=- count=3000"):
        fault(g, text)
        ping(g, g.nic().far4, 2)
    lines = g.console_text()[at:].count("\n")
    assert lines < 200, f"{lines} lines in the log"
    alive(g)


def lost_sends(g):
    """Sends that are never completed: said, and the card begins again."""
    at = len(g.console_text())
    before = ethtool_stats(g)
    load = Load(g)
    fault(g, "tx lost count=forever")
    g.wait_console(r"queue \d+: the host has \d+ sends, the oldest for \d+ ms",
                   60, at)
    clear(g)
    load.kill()
    goes_again(g)
    alive(g)
    after = ethtool_stats(g)
    assert after["tx_timeouts"] > before["tx_timeouts"], after
    assert after["resets"] > before["resets"], after
    # whoever begins anew has confirmed that nothing is used any more
    assert after["quarantined_pages"] == before["quarantined_pages"], after
    # the kernel's own complaint is what was wanted
    g.allow.append(r"NETDEV WATCHDOG|sch_generic|Call Trace|WARNING: CPU")
    return re.search(r"queue \d+: the host has.*", g.console_text()[at:])[0]


def silent(g):
    """The host answers no request: what asks ends with an error, in time."""
    name = dev(g)
    fault(g, "answer message=set lost count=forever")
    fault(g, "answer message=query lost count=forever")
    start = time.monotonic()
    g.sh(f"ip link set {name} address 02:18:00:00:bb:01", 60)
    g.sh(f"ip link set {name} promisc on; ip link set {name} promisc off", 60)
    g.sh(f"ethtool -X {name} weight 1 2", 60)
    assert time.monotonic() - start < 120 * g.scale
    clear(g)
    g.sh(f"ip link set {name} address {g.nic().mac}", 60)
    g.run(f"ip link set {name} down", 60)
    up(g, g.nic())
    goes_again(g)
    rebind(g)
    alive(g)


def unload(g):
    """The module unloads after all of that, also with a fault in its way."""
    g.driver.unload(g, 120)
    nothing_leaked(g)
    g.driver.load(g, "host_timeout=2")
    forget(g)
    for nic in g.nics:
        up(g, nic)
    alive(g)
    fault(g, "tx lost count=forever")
    g.sh(f"ping -q -n -c 2 -i 0.05 -W 1 {g.nic().far4}", 20)
    g.driver.unload(g, 120)
    clear(g)
    g.driver.load(g, "host_timeout=2")
    forget(g)
    for nic in g.nics:
        up(g, nic)
    alive(g)
    return f"{g.notes['cases']} cases in all"


def host_dies(g):
    """synthhost is killed under load: the module still unloads."""
    load = Load(g)
    at = len(g.console_text())
    g.allow.append(r"pages (are lost|leaked)|kept for ever")
    g.kill_host()
    g.wait_console(r"host does not respond", 30, at)
    load.kill()
    g.run(f"ip link set {dev(g)} down", 120)
    g.run("rmmod synth_net", 180)
    assert g.run("echo alive").out.strip() == "alive"


def main():
    """Runs the tests."""
    run_tests(
        ("faults", NetGuest("net-faults", OWN, [
            Nic("n0", opts="queues=2"), Nic("n1", "b")], limit=1500),
         ("loads", begin), ("steps of the initialisation", setup),
         ("frames and their transfers", frames),
         ("the same under load", under_load),
         ("completions of sends", sends),
         ("what nobody asked for", unasked), ("and much of it", flood),
         ("sends that are never completed", lost_sends),
         ("requests that are not answered", silent),
         ("unload", unload), ("synthhost dies", host_dies)))


if __name__ == "__main__":
    main()
