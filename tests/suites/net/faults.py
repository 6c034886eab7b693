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

from lib import (alive, carrier, dev, digest_down, ethtool_stats, features,
                 forget, goes_again, guid, GuestError, Load, NetGuest, Nic,
                 nothing_leaked, OWN, ping, run_tests, up, wait_for)

# what becomes of a card: it carries traffic; the same under the address that it
# was told, which is not its own; it can't be had
WORKS, STRANGE, FAILS = "works", "under another address", "fails"

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
    ("receive-buffer sections=2", FAILS),
    ("receive-buffer sections=0xffffffff", FAILS),
    ("receive-buffer size=0", FAILS),
    ("receive-buffer size=1", WORKS),
    ("receive-buffer size=0xffffffff", FAILS),
    ("receive-buffer slots=0", FAILS),
    ("receive-buffer slots=0xffffffff", FAILS),
    ("receive-buffer offset=0xfffffff0", FAILS),
    ("receive-buffer end=1", WORKS),
    ("receive-buffer length=8", FAILS),
    ("receive-buffer lost", FAILS),
    ("send-buffer status=2", FAILS),
    ("send-buffer size=0", FAILS),
    ("send-buffer size=1", FAILS),
    ("send-buffer size=0xffffffff", FAILS),
    ("send-buffer length=4", FAILS),
    ("send-buffer twice", WORKS),
    ("send-buffer lost", FAILS),
    ("answer message=initialize status=0xc0000001", FAILS),
    ("answer message=initialize len=8", FAILS),
    ("answer message=initialize len=0xffffffff", FAILS),
    ("answer message=initialize request=0x77777777", FAILS),
    ("answer message=initialize type=0x77", FAILS),
    ("answer message=initialize max-packets=0", WORKS),
    ("answer message=initialize max-packets=0xffffffff", WORKS),
    ("answer message=initialize max-transfer=0", WORKS),
    ("answer message=initialize alignment=63", FAILS),
    ("answer message=initialize alignment=0xffffffff", FAILS),
    ("answer message=initialize lost", FAILS),
    ("answer message=initialize twice", WORKS),
    ("answer message=query status=0xc00000bb count=40", FAILS),
    ("answer message=query info-len=0xffffffff count=40", FAILS),
    ("answer message=query info-offset=0xfffffff8 count=40", FAILS),
    ("answer message=query info-len=0 count=40", FAILS),
    ("answer message=query info-offset=0 count=40", FAILS),
    ("answer message=query len=12 count=40", FAILS),
    ("answer message=query value=0xffffffff count=40", FAILS),
    ("answer message=query oid=0x01010101 value2=0xffff", WORKS),
    ("answer message=query oid=0x01010102 value2=0xffff", STRANGE),
    ("answer message=query oid=0x01010101 lost", FAILS),
    ("answer message=query oid=0x01010102 info-len=3", WORKS),
    ("answer message=query oid=0x00010203 lost", WORKS),
    ("answer message=query oid=0x00010203 value=0", WORKS),
    ("answer message=query oid=0xfc01020d value=0", WORKS),
    ("answer message=set status=0xc0000001 count=40", FAILS),
    ("answer message=set request=1 count=3", FAILS),
    ("answer message=set lost", FAILS),
    ("subchannel status=2", WORKS),
    ("subchannel channels=0", WORKS),
    ("subchannel channels=0xffffffff", WORKS),
    ("subchannel channels=1000", WORKS),
    ("subchannel type=1", WORKS),
    ("subchannel lost", WORKS),
    ("table entries=0", WORKS),
    ("table entries=0xffffffff", WORKS),
    ("table offset=0xfffffff0", WORKS),
    ("table offset=0", WORKS),
    ("table entry=0xffffffff", WORKS),
)

# What the host can say of frames while they come; the card goes on. These are of
# no use to it, and are counted so
BAD_FRAMES = (
    "pages set=0", "pages set=0xffff", "pages ranges=0xffffffff",
    "pages ranges=2", "pages ranges=562", "pages range-bytes=0",
    "pages range-bytes=1", "pages range-bytes=44",
    "pages range-bytes=0xffffffff", "pages range-offset=0xffffffff",
    "pages range-offset=0x7ffffff0", "pages range-offset=1",
    "pages last-bytes=0xfffffff0", "pages last-offset=0xfffffff0",
    "pages type=1", "pages type=108", "pages type=0xffffffff",
    "pages packet-type=6", "pages packet-type=11", "pages packet-type=9",
    "pages length=0", "frame type=0", "frame type=4", "frame type=0xffffffff",
    "frame len=0", "frame len=8", "frame len=43", "frame len=0xffffffff",
    "frame data-offset=0", "frame data-offset=0xfffffff8",
    "frame data-offset=0x7fffffff", "frame data-len=0", "frame data-len=1",
    "frame data-len=13", "frame data-len=0xffffffff", "frame data-len=0x10000",
    "frame info-offset=0xfffffff0", "frame info-offset=8",
    "frame info-len=0xffffffff", "frame info-len=3", "frame info-size=0",
    "frame info-size=1", "frame info-size=11", "frame info-size=0xffffffff",
    "frame info-at=0", "frame info-at=0xfffffff0", "frame info-at=4",
    "frame flags=1", "frame flags=3", "frame flags=5", "frame flags=3 count=30",
    "frame flags=1 count=30",
)

# These are odd, or nobody looks at what is wrong with them, or nothing comes
ODD_FRAMES = (
    "pages ranges=0", "pages channel-type=1", "pages channel-type=7",
    "pages length=4", "pages repeat=3", "pages repeat=600", "pages twice",
    "pages id-xor=1", "pages lost",
    "frame oob-offset=0xffffffff oob-len=0xffffffff oob-count=0xffffffff",
    "frame info-type=0x7fffffff", "frame info-type=6", "frame info-type=9",
    "frame info-type=0x80000001", "frame info-value=0xffffffff",
    "frame flags=2", "frame flags=4", "frame flags=7", "frame flags=255",
)

# What it can say of what was sent: a failure, or what is of no use
FAILED_SENDS = (
    "tx status=2", "tx status=5", "tx status=0", "tx status=0xffffffff",
    "tx type=1", "tx type=0xffffffff", "tx length=0", "tx length=4",
)
BAD_SENDS = (
    "tx twice", "tx times=5", "tx id-xor=1", "tx id-xor=0xff",
    "tx id-xor=0x10000", "tx id-xor=0x100000000000000",
    "tx id-xor=0xffffffffffffffff", "tx packet-type=6", "tx packet-type=7",
    "tx packet-type=9",
)

# What it can say without having been asked: send, rndis, indicate, table. All of
# it is of no use
UNASKED = (
    "send hex=-", "send hex=00", "send hex=ffffffff", "send hex=02000000",
    "send hex=66000000" + "ff" * 24, "send hex=6c000000", "send hex=86000000",
    "send hex=86000000" + "10000000" + "00000000",
    "send hex=86000000" + "10000000" + "ffffffff",
    "send hex=86000000" + "ffffffff" + "0c000000" + "00000000" * 16,
    "send hex=85000000" + "01000000" + "ffffffff",
    "send packet-type=11 id=0 hex=-",
    "send packet-type=11 id=0xffffffffffffffff hex=6c00000001000000",
    "send packet-type=11 id=0x0200000000000001 hex=02000000",
    "send packet-type=11 id=0x0300000000000001 hex=6c00000001000000",
    "send packet-type=7 id=1 hex=6b00000000000000ffffffff00000000",
    "send packet-type=9 id=1 hex=" + "00" * 64,
    "send packet-type=0xffff hex=" + "00" * 64, "rndis hex=0700000008000000",
    "rndis hex=07000000ffffffff",
    "rndis hex=0700000014000000" + "13000140" + "ffffffff" + "ffffffff",
    "rndis hex=0700000014000000" + "06000240" + "00010000" + "f0ffffff",
    "rndis hex=0600000010000000" + "00000000" * 2,
    "rndis hex=0300000010000000" + "01000000" * 2,
    "rndis hex=0100000010000000" + "00000000" * 2,
    "rndis hex=0200008034000000" + "00000000" * 11,
    "rndis hex=0400008018000000" + "ffffffff" * 4,
    "rndis hex=0500008010000000" + "01000000" * 2,
    "rndis hex=ffffffff10000000" + "00000000" * 2,
    "rndis hex=07000000" + "00040000" + "ff" * 1000,
    "indicate indicate-len=0xffffffff", "indicate indicate-offset=0xfffffff0",
    "indicate indicate-len=0", "indicate len=0xffffffff", "indicate len=8",
    "indicate type=0x77", "table entries=0xffffffff", "table entries=17",
    "table offset=4096",
)

# This is taken, or passed over; what is shorter than its message has what the slot
# held before behind it
HARMLESS = (
    "send hex=80000000" + "01000000" * 2, "send hex=80000000" + "ffffffff" * 2,
    "send hex=86000000" + "10000000" + "0c000000" + "ffffffff" * 16,
    "rndis hex=-", "rndis hex=07000000", "rndis hex=0700000014000000" + "0b000140",
    "rndis hex=0700000014000000" + "ffffffff" + "00000000" * 2,
    "rndis hex=080000000c000000" + "78563412", "rndis hex=0800000008000000",
    "indicate indicate-status=0xffffffff", "table entry=64",
    "table entry-last=0xffffffff",
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


def hits(g):
    """How often the fault was met."""
    return int(re.search(r"hits=(\d+)", g.ctl("net-fault", "n0", "list"))[1])


def grows(g, key, before, by=1, timeout=30):
    """Waits until a statistic has grown by so much; returns by how much."""
    deadline = time.monotonic() + timeout * g.scale
    while True:
        now = ethtool_stats(g)[key] - before[key]
        if now >= by:
            return now
        assert time.monotonic() < deadline, \
            f"{key} has grown by {now}, not {by}\n{g.tail()}"
        time.sleep(0.1)


def has_interface(g, mac):
    """Whether an interface of this address appears."""
    return g.sh(f"for i in $(seq 20); do grep -qix {mac}"
                " /sys/class/net/*/address && exit; sleep .1; done; exit 1",
                30).rc == 0


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
        met = hits(g)
        clear(g)
        forget(g)
        assert met, "the host has not done it"
        assert bound == (wanted != FAILS), f"bound: {bound}"
        if wanted == WORKS:
            up(g, g.nic())
            ping(g, g.nic().far4, 2)
        elif wanted == STRANGE:
            assert has_interface(g, g.nic().mac[:-5] + "ff:ff")
    said = each(g, SETUP, one)
    rebind(g)
    alive(g)
    return said


def wait_for_hits(g, count=1, timeout=60):
    """The fault has been met so often."""
    deadline = time.monotonic() + timeout * g.scale
    while hits(g) < count:
        assert time.monotonic() < deadline, \
            f"{g.ctl('net-fault', 'n0', 'list')}\n{g.tail()}"
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

    def one(text):
        before = ethtool_stats(g)
        meet(g, text)
        ping(g, g.nic().far4, 2)
        if text in ODD_FRAMES:
            assert ethtool_stats(g)["rx_bad"] == before["rx_bad"]
            return
        bad = grows(g, "rx_bad", before)
        assert "count=" in text or bad == 1, f"counted as {bad}"
    said = each(g, BAD_FRAMES + ODD_FRAMES, one)
    digest_down(g, g.nic().far4, 1 << 20)
    return said


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
        before = ethtool_stats(g)
        meet(g, text)
        grows(g, "tx_errors" if text in FAILED_SENDS else "rx_bad", before,
              4 if "times=5" in text else 1)
        goes_again(g, 40)
        ping(g, g.nic().far4, 2)
    return each(g, FAILED_SENDS + BAD_SENDS, one)


def unasked(g):
    """What nobody asked for."""
    def one(text):
        before = ethtool_stats(g)
        fault(g, text)
        if text not in HARMLESS:
            bad = grows(g, "rx_bad", before)
            assert bad == 1, f"counted as {bad}"
        elif text.startswith(("rndis", "indicate")):
            grows(g, "rx_completions", before)
        else:
            grows(g, "rx_interrupts", before)
        goes_again(g, 40)
        carrier(g, "n0", True)
        if text in HARMLESS[:3] + HARMLESS[6:]:
            assert ethtool_stats(g)["rx_bad"] == before["rx_bad"]
    return each(g, UNASKED + HARMLESS, one)


def flood(g):
    """Thousands of messages of no use: the log stays readable.

    The host takes it amiss if more than 64 control messages wait.
    """
    at = len(g.console_text())
    for text in ("send hex=ffffffff count=3000", *["rndis hex=ffffffff08000000"
                 " count=40"] * 5, "send packet-type=11 id=77 hex=- count=3000"):
        before = ethtool_stats(g)
        fault(g, text)
        count = int(re.search(r"count=(\d+)", text)[1])
        assert grows(g, "rx_bad", before, count) == count
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


SET_ADDRESS = "oid=0x0001021b"
SET_FILTER = "oid=0x0001010e"
SET_OFFLOADS = "oid=0xfc01020c"
SET_GROUPS = "oid=0x01010103"
ASK_CONNECTED = "message=query oid=0x00010114"
ALL_GROUPS, PROMISCUOUS = 0x04, 0x20


def address(g):
    """The MAC address: of the interface, and as the host has it."""
    return (g.run(f"cat /sys/class/net/{dev(g)}/address").out.strip(),
            re.search(r"^address (\S+)", g.ctl("net-stat", "n0"), re.M)[1])


def host_filter(g):
    """The packet filter, as the host has it."""
    return int(re.search(r"^filter (\w+)", g.ctl("net-stat", "n0"), re.M)[1],
               0)


def filter_becomes(g, bit, wanted=True, timeout=30):
    """Waits until the host has been told."""
    deadline = time.monotonic() + timeout * g.scale
    while bool(host_filter(g) & bit) != wanted:
        assert time.monotonic() < deadline, f"{host_filter(g):#x}\n{g.tail()}"
        time.sleep(0.1)


def refused(g):
    """A request that the host refuses, or does not answer, and then the same.

    The first one fails, and nothing has changed; the second one works.
    """
    name, was, other = dev(g), g.nic().mac, "02:18:00:00:bb:02"
    resets = ethtool_stats(g)["resets"]
    for text in (f"set {SET_ADDRESS} status=0xc0000001",
                 f"set {SET_ADDRESS} status=0xc00000bb",
                 f"set {SET_ADDRESS} status=0xffffffff"):
        for to in (other, was):
            now = address(g)
            fault(g, text)
            done = g.sh(f"ip link set {name} address {to}", 60)
            assert done.rc and hits(g) == 1, (text, done.rc, done.out)
            assert address(g) == now, (text, address(g))
            clear(g)
            g.run(f"ip link set {name} address {to}", 60)
            assert address(g) == (to, to), (text, address(g))
    for text in (f"answer message=set {SET_ADDRESS} lost",
                 f"answer message=set {SET_ADDRESS} request=77",
                 f"answer message=set {SET_ADDRESS} type=0x77",
                 f"answer message=set {SET_ADDRESS} len=4",
                 # the host says so after it was done
                 f"answer message=set {SET_ADDRESS} status=0xc0000001"):
        fault(g, text)
        done = g.sh(f"ip link set {name} address {other}", 60)
        assert done.rc and hits(g) == 1, (text, done.rc, done.out)
        # whatever it has done, it is told again what the address is
        assert address(g) == (was, was), (text, address(g))
        clear(g)
        for to in (other, was):
            g.run(f"ip link set {name} address {to}", 60)
            assert address(g) == (to, to), (text, address(g))
    g.space().ip("neigh", "flush", "dev", "n0")
    # what the stack asks for goes on being what it wants
    for text in (f"set {SET_OFFLOADS} status=0xc0000001",
                 f"answer message=set {SET_OFFLOADS} lost"):
        before = g.host_net()
        fault(g, text)
        done = g.sh(f"ethtool -K {name} lro off", 60)
        assert done.rc and hits(g) == 1, (text, done.rc, done.out)
        assert features(g)["large-receive-offload"][0], text
        clear(g)
        # the kernel still wants it, and does not ask for that twice
        g.run(f"ethtool -K {name} lro on; ethtool -K {name} lro off", 60)
        assert not features(g)["large-receive-offload"][0], text
        assert g.host_net()["rx_offload_tso4"] == 0
        g.run(f"ethtool -K {name} lro on", 60)
        assert g.host_net()["rx_offload_tso4"] == before["rx_offload_tso4"]
    # what nobody waits for: not answered, it is asked again; refused, it is not
    # done without a word, it is not taken for what it was
    fault(g, f"answer message=set {SET_FILTER} lost count=2")
    g.run(f"ip link set {name} promisc on")
    wait_for_hits(g, 2)
    filter_becomes(g, PROMISCUOUS)
    clear(g)
    g.run(f"ip link set {name} promisc off")
    filter_becomes(g, PROMISCUOUS, False)
    g.run(f"ip link set {name} promisc on")
    filter_becomes(g, PROMISCUOUS)
    # each time: the stack may come again by itself, for a group that is joined
    fault(g, f"set {SET_FILTER} status=0xc0000001 count=forever")
    g.run(f"ip link set {name} promisc off")
    wait_for_hits(g)
    assert host_filter(g) & PROMISCUOUS
    clear(g)
    g.run(f"ip link set {name} promisc on; ip link set {name} promisc off")
    filter_becomes(g, PROMISCUOUS, False)
    goes_again(g)
    alive(g)
    assert ethtool_stats(g)["resets"] == resets


def link_asked(g):
    """Whether the card is connected is asked when a session begins, until it is
    answered; later the host says so by itself, and is not asked."""
    name = dev(g)
    fault(g, f"answer {ASK_CONNECTED} lost")
    g.run(f"ethtool --reset {name} all", 60)
    wait_for_hits(g)
    carrier(g, "n0", True)
    clear(g)
    fault(g, f"answer {ASK_CONNECTED} lost count=forever")
    for up_again in (False, True, False, True):
        g.ctl("net-link", "n0", "up" if up_again else "down")
        carrier(g, "n0", up_again)
    assert not hits(g), "it was asked"
    clear(g)
    # what says that it is connected may be wrong; the indication is not
    g.ctl("net-link", "n0", "down")
    carrier(g, "n0", False)
    g.run(f"ethtool --reset {name} all", 60)
    time.sleep(2 * g.scale)
    carrier(g, "n0", False)
    g.ctl("net-link", "n0", "up")
    carrier(g, "n0", True)
    goes_again(g)
    alive(g)


def asked_once(g):
    """What the host does not know is not asked for a second time in a session."""
    name = dev(g)
    groups = [f"01:00:5e:00:03:{i:02x}" for i in range(3)]
    g.run(f"ethtool --reset {name} all", 60)
    fault(g, f"set {SET_GROUPS} status=0xc00000bb count=forever")
    for group in groups:
        g.run(f"ip maddr add {group} dev {name}")
        filter_becomes(g, ALL_GROUPS)
        # this is told behind it
        g.run(f"ip link set {name} promisc on")
        filter_becomes(g, PROMISCUOUS)
        g.run(f"ip link set {name} promisc off")
        filter_becomes(g, PROMISCUOUS, False)
    assert hits(g) == 1, f"asked {hits(g)} times"
    clear(g)
    g.run(f"ethtool --reset {name} all", 60)
    filter_becomes(g, ALL_GROUPS, False)
    for group in groups:
        g.run(f"ip maddr del {group} dev {name}")
    goes_again(g)


def unread(g):
    """A request whose page the host does not give back: a new session does that.

    Nothing is asked meanwhile; then the same works.
    """
    name, was, other = dev(g), g.nic().mac, "02:18:00:00:bb:03"
    before = ethtool_stats(g)
    g.run(f"ip link set {name} down", 60)       # of all packets only requests
    fault(g, "tx lost")
    done = g.sh(f"ip link set {name} address {other}", 60)
    assert done.rc and hits(g) == 1, done.out
    assert address(g)[0] == was, address(g)
    clear(g)
    grows(g, "resets", before)
    wait_for(g, f"ip link set {name} address {other}", "it takes no address")
    assert address(g) == (other, other), address(g)
    g.run(f"ip link set {name} address {was}")
    up(g, g.nic())
    alive(g)
    assert ethtool_stats(g)["quarantined_pages"] == before["quarantined_pages"]


def silent(g):
    """The host answers no request: what asks ends with an error."""
    name = dev(g)
    table = g.run(f"ethtool -x {name}").out
    fault(g, "answer message=set lost count=forever")
    fault(g, "answer message=query lost count=forever")
    # exit codes: what waits for the host fails, what does not, does not
    for what, works in ((f"ip link set {name} address 02:18:00:00:bb:01", False),
                        (f"ip link set {name} promisc on", True),
                        (f"ip link set {name} promisc off", True),
                        (f"ethtool -X {name} weight 1 2", False),
                        (f"ethtool -K {name} rx off", False),
                        (f"ethtool -x {name}", True),
                        (f"ethtool -S {name}", True),
                        (f"ethtool {name}", True)):
        done = g.sh(what, 60)
        assert (done.rc == 0) == works, (what, done.rc, done.out)
    assert g.run(f"ethtool -x {name}").out == table
    assert g.run(f"cat /sys/class/net/{name}/address").out.strip() == \
        g.nic().mac
    assert features(g)["rx-checksumming"][0]
    assert hits(g) > 3
    clear(g)
    g.run(f"ip link set {name} address {g.nic().mac}", 60)
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
    assert g.notes["cases"] == len(SETUP + BAD_FRAMES + ODD_FRAMES +
                                   FAILED_SENDS + BAD_SENDS + UNASKED +
                                   HARMLESS) >= 40, g.notes["cases"]
    return f"{g.notes['cases']} cases in all"


def host_dies(g):
    """synthhost is killed under load: the module still unloads."""
    load = Load(g)
    at = len(g.console_text())
    g.allow.append(r"pages (are lost|leaked)|pages are never freed")
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
         ("requests that are refused, and asked again", refused),
         ("the link is asked for once", link_asked),
         ("what is not known is asked for once", asked_once),
         ("a request that is not given back", unread),
         ("requests that are not answered", silent),
         ("unload", unload), ("synthhost dies", host_dies)))


if __name__ == "__main__":
    main()
