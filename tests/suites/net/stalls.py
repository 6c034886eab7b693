#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A host that is paused, and one that reports what is not true.

It is paused for less and for more than any timeout, under load and while an operation
needs it; it reads nothing, and completes sends that it was never given; its media is
disconnected for a moment; it leaves checksums unfinished in packets that it has
verified.
"""

import contextlib
import os
import random
import re
import time

from lib import (alive, BUILD, Capture, carrier, counter_passes, dev, digest_down,
                 digest_up, ethtool_stats, features, forget, goes_again, guid, Load,
                 LONG, NetGuest, NETVSC, Nic, nothing_leaked, OWN, ping, run_tests,
                 set_feature, Skip, STOCK, stopped, up, wait_for)
from guest import GuestError

FLOOD = """
import socket, sys, time
size, until = int(sys.argv[2]), time.monotonic() + float(sys.argv[3])
socks = []
for i in range(20):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setblocking(False)
    s.connect((sys.argv[1], 4000 + i))
    socks.append(s)
while time.monotonic() < until:
    for s in socks:
        try:
            s.send(bytes(size))
        except OSError:
            pass
    time.sleep(0.0005)
"""


def begin(g):
    """Loads all; waits for the host are short, and rings small.

    Sections are small, too, so that copies fill a ring before they run out; of
    datagrams, small ones are copied and large ones are not.
    """
    g.driver.load_all(g, "host_timeout=2 ring_size=32 queues=1"
                      " copybreak=512")
    g.run(f"cat >/run/flood.py <<'END'\n{FLOOD}END")


def adapter_state(g):
    """The state of the adapter, as sysfs shows it."""
    return g.run(f"cat /sys/class/net/{dev(g)}/device/synth_net/"
                 "adapter_state").out.strip()


def becomes(g, state, timeout=60):
    """Waits until the adapter is in a state."""
    wait_for(g, f"grep -qx {state} /sys/class/net/{dev(g)}/device/synth_net/"
             "adapter_state", f"the adapter is not {state}", timeout)


def unharmed(g, before):
    """Traffic passes, and nothing was given up since these statistics."""
    becomes(g, "running")
    carrier(g, "n0", True, 60)
    goes_again(g)
    alive(g)
    after = ethtool_stats(g)
    assert after["quarantined_pages"] == before["quarantined_pages"], after
    if g.driver.bus == "own":
        nothing_leaked(g)
    bad = g.problems()
    assert not bad, "\n".join(bad)
    return after


def stands_still(g):
    """A pause longer than all timeouts: the adapter keeps its session.

    Nothing is begun meanwhile that needs the host, and all of it can be done later.
    """
    name = dev(g)
    before = ethtool_stats(g)
    at = len(g.console_text())
    flood = g.spawn(f"python3 /run/flood.py {g.nic().far4} 1400 20", 120)
    with stopped(g):
        g.wait_console("the host does not respond; the adapter keeps its session",
                       60, at)
        carrier(g, "n0", False)
        assert adapter_state(g) == "stalled"
        for what in (f"ethtool -G {name} tx 1024",
                     f"ip link set {name} mtu 1400",
                     f"ethtool --reset {name} all",
                     "echo devices >/sys/power/pm_test &&"
                     " echo disk >/sys/power/state"):
            done = g.sh(what, 60)
            assert done.rc, f"{what} was done: {done.out}"
        g.run("echo none >/sys/power/pm_test")
        # this needs no answer: the host is told when it responds
        g.run(f"ip link set {name} down; ip link set {name} up", 60)
        out = g.run("cat /sys/kernel/debug/synth_net/*/adapter", 20).out
        assert "stalled" in out, out
        time.sleep(15 if LONG else 3)
    flood.wait()
    becomes(g, "running")
    up(g, g.nic())
    after = unharmed(g, before)
    assert after["resets"] == before["resets"], after
    assert after["stalls"] > before["stalls"], after
    for to in (g.nic().far4, g.nic().far6):
        digest_up(g, to, 1 << 20)
        digest_down(g, to, 1 << 20)
    g.run(f"ethtool -G {name} tx 1024")
    alive(g)
    assert ethtool_stats(g)["resets"] == after["resets"] + 1


PAUSES = (1, 4, 6, 8, 12, 16, 40, 90) if LONG else (1, 6, 12)


def begin_default(g):
    """The driver is loaded again, with default parameters."""
    g.driver.unload(g)
    g.driver.load(g)
    forget(g)
    up(g, g.nic())
    alive(g)


def pauses(g):
    """Pauses of all lengths under a load: it goes on after each."""
    before = ethtool_stats(g)
    load = Load(g)
    for seconds in PAUSES:
        with stopped(g):
            time.sleep(seconds)
        carrier(g, "n0", True, 60)
        load.flows()
    load.stop()
    after = unharmed(g, before)
    assert after["resets"] == before["resets"], after
    return (f"{', '.join(map(str, PAUSES))} s:"
            f" {after['stalls'] - before['stalls']} stalls, no reset")


def load_netvsc(g):
    """Loads the distribution's driver on the drop-in."""
    g.driver.load_all(g)
    alive(g)


def netvsc_pauses(g):
    """The distribution's driver, which has no notion of a pause."""
    load = Load(g)
    for seconds in PAUSES:
        with stopped(g):
            time.sleep(seconds)
        load.flows()
    load.stop()
    alive(g)


# What is begun before a pause: a command, and what has the interface as it was
OPERATIONS = {
    "reset": ("ethtool --reset {0} all", "ethtool --reset {0} all"),
    "down and up": ("ip link set {0} down; ip link set {0} up",
                    "ip link set {0} up"),
    "queues": ("ethtool -L {0} combined 1 || ethtool -L {0} combined 2",
               "ethtool -l {0} | grep -q 'Combined:.*2' ||"
               " ethtool -L {0} combined 2"),
    "MTU": ("ip link set {0} mtu 1400; ip link set {0} mtu 1500",
            "ip link set {0} mtu 1500"),
    "CPU": ("echo 0 >/sys/devices/system/cpu/cpu1/online;"
            " echo 1 >/sys/devices/system/cpu/cpu1/online",
            "grep -q 1 /sys/devices/system/cpu/cpu1/online ||"
            " echo 1 >/sys/devices/system/cpu/cpu1/online"),
}


def moments(g):
    """Pauses at random moments of what needs the host, which may fail; afterwards
    the same works."""
    name, seed = dev(g), random.randrange(1 << 32)
    rng = random.Random(seed)
    before = ethtool_stats(g)
    for turn in range(8 if LONG else 1):
        for what, (command, again) in OPERATIONS.items():
            seconds = rng.choice((1, 4, 8, 16, 40)) if LONG else 7
            moment = rng.uniform(0, 0.3) * g.scale
            print(f"# seed {seed}, turn {turn}: {what} paused for {seconds} s"
                  f" after {moment:.2f} s", flush=True)
            job = g.spawn(command.format(name), 300)
            time.sleep(moment)
            with stopped(g):
                time.sleep(seconds)
            with contextlib.suppress(AssertionError, GuestError):
                job.wait()
            becomes(g, "running", 120)
            wait_for(g, again.format(name), f"{what} does not work any more",
                     60)
            up(g, g.nic())
            unharmed(g, before)
    return f"seed {seed}"


def fill_rings(g, size):
    """From here on the stack sends until a ring is full.

    Its limit counts from the next completion on.
    """
    g.run(f"echo 1000000 >/sys/class/net/{dev(g)}/queues/tx-0/"
          "byte_queue_limits/limit_min;"
          f"timeout 20 python3 /run/flood.py {g.nic().far4} {size} 1")


def guessed(g):
    """It reads nothing, and completes the ids that come next.

    A copy waits in its section, a large packet in the queue; neither is given
    back before it was sent. The host is caught at it.
    """
    said = []
    for size in (64, 1400):
        fill_rings(g, size)
        before = ethtool_stats(g)
        g.ctl("net-fault", "n0", "hold")
        # until it is ended: a guest that is short of CPUs needs its time
        job = g.spawn(f"exec python3 /run/flood.py {g.nic().far4} {size} 90",
                      120)
        counter_passes(g, "tx_ring_full", before["tx_ring_full"],
                       "the ring is never full")
        for first in range(1, 9):
            g.ctl("net-fault", "n0", "guess", f"from={first}", f"to={first}",
                  "slots=1600")
        g.ctl("net-fault", "n0", "resume")
        job.kill()
        goes_again(g)
        alive(g)
        after = ethtool_stats(g)
        assert after["rx_bad"] > before["rx_bad"], after
        said.append(f"{size} bytes: {after['rx_bad'] - before['rx_bad']} refused,"
                    f" {after['resets'] - before['resets']} resets")
    return ", ".join(said)


def met(g):
    """It guesses an id that is armed: a send that finds no room, and has not
    taken its id back yet.

    That lasts for some instructions; synth_latesend makes it last. Whoever comes
    second, the completion that takes the slot away, or the sender, must see it: the
    packet is given back once, and the session, with a host like that, is over.
    """
    said = []
    module = (f"/synthio/build/{g.kernel.release}/{g.driver.bus}/tests/selftests/"
              "modules/synth_latesend.ko")
    if not os.path.exists(module.replace("/synthio/build", BUILD, 1)):
        raise Skip("this kernel has no kretprobes")
    # not where NAPI runs, nor where the guest hears from us
    at = int(re.search(r"queue 0: cpu (\d+)", g.run(
        f"cat /sys/kernel/debug/synth_net/{guid(g)}/queues").out)[1])
    cpu = next(x for x in range(1, g.smp) if x != at)
    prefix = "synth_" if g.driver.bus == "own" else ""
    for size, function, argument in (
            (64, "vmbus_sendpacket", 3),
            (1400, "vmbus_sendpacket_mpb_desc", 5)):
        # where the bus of this kernel has it, pages are sent by another function
        if size > 64 and not prefix and not g.sh(
                "grep -qw vmbus_sendpacket_pagebuffer /proc/kallsyms").rc:
            function = "vmbus_sendpacket_pagebuffer"
        fill_rings(g, size)
        before, since = ethtool_stats(g), len(g.console_text())
        g.run(f"insmod {module} function={prefix}{function}"
              f" argument={argument}")
        g.ctl("net-fault", "n0", "hold")
        job = g.spawn(f"exec taskset -c {cpu} python3 /run/flood.py"
                      f" {g.nic().far4} {size} 90", 120)
        armed = g.wait_console(r"synth_latesend: keeps id (0x\w+) on cpu"
                               rf" {cpu}\b", 30, since)[1]
        # the second one is refused, so the first was taken
        for _ in range(2):
            g.ctl("net-fault", "n0", "send", "packet-type=11", f"id={armed}",
                  "hex=6c00000001000000")
        counter_passes(g, "rx_bad", before["rx_bad"],
                       "no completion was refused")
        assert ethtool_stats(g)["rx_bad"] == before["rx_bad"] + 1
        g.run("echo 1 >/sys/module/synth_latesend/parameters/go")
        g.wait_console("lets it go, as it was told", 10, since)
        # -EPROTO
        g.wait_console(r"queue 0: the channel accepts no packets any more \(-71\)", 10, since)
        g.ctl("net-fault", "n0", "resume")
        job.kill()
        counter_passes(g, "resets", before["resets"], "the session goes on")
        goes_again(g)
        alive(g)
        g.run("rmmod synth_latesend")
        after = ethtool_stats(g)
        assert after["quarantined_pages"] == before["quarantined_pages"], after
        if g.driver.bus == "own":
            nothing_leaked(g)
        said.append(f"{size} bytes: {armed}")
    return ", ".join(said)


def blinks(g):
    """A link that is gone for a moment: the guest sees it, and says hello."""
    name = dev(g)
    g.run(f"echo 1 >/proc/sys/net/ipv4/conf/{name}/arp_notify")
    changes = int(g.run(f"cat /sys/class/net/{name}/carrier_changes").out)
    with Capture(g.space(), "n0", keep=True) as c:
        g.ctl("net-link", "n0", "down")
        g.ctl("net-link", "n0", "up")
        wait_for(g, f"test $(cat /sys/class/net/{name}/carrier_changes) -ge"
                 f" {changes + 2}", "the carrier has not changed")
        carrier(g, "n0", True)
        time.sleep(0.5 * g.scale)
    assert any(f[12:14] == b"\x08\x06" and f[28:32] == f[38:42]
               for f, _ in c.frames), c.said()
    alive(g)


def unfinished(g):
    """Checksums are in the host's word alone: taken, and put right."""
    was = features(g)["large-receive-offload"]
    for lro in (True, False):
        if not was[1]:
            set_feature(g, "n0", lro=lro)
        g.ctl("net-rx-csum", "n0", "stale")
        before = ethtool_stats(g)
        for to in (g.nic().far4, g.nic().far6):
            digest_down(g, to, 2 << 20)
        after = ethtool_stats(g)
        assert after["rx_csum_ok"] > before["rx_csum_ok"], after
        if lro:
            assert after["rx_rsc_packets"] > before["rx_rsc_packets"], after
        assert not int(re.search(r"^Ip: \d+ \d+ \d+ (\d+)", g.run(
            "cat /proc/net/snmp").out, re.M)[1])
    g.ctl("net-rx-csum", "n0", "failed")
    before = ethtool_stats(g)["rx_csum_bad"]
    for to in (g.nic().far4, g.nic().far6):
        digest_down(g, to, 1 << 20)
    assert ethtool_stats(g)["rx_csum_bad"] > before
    g.ctl("net-rx-csum", "n0", "filled")
    if not was[1]:
        set_feature(g, "n0", lro=was[0])
    # without a look at checksums there is none for what was joined
    set_feature(g, "n0", rx=False)
    assert not features(g)["large-receive-offload"][0]
    digest_down(g, g.nic().far4, 1 << 20)
    set_feature(g, "n0", rx=True)
    ping(g)


def ends(g):
    """All unloads."""
    alive(g)
    g.driver.unload(g)


def guest(name, driver):
    """A guest with a CPU to spare."""
    return NetGuest(name, driver, [Nic("n0", opts="section=1728,queues=2")],
                    smp=3, limit=3600 if LONG else 900)


def main():
    """Runs the tests."""
    tests = (("loads", begin),
             ("stands still", stands_still), ("guesses ids", guessed),
             ("guesses one that is armed", met),
             ("its link blinks", blinks),
             ("leaves checksums unfinished", unfinished),
             ("loads with default parameters", begin_default),
             ("pauses under a load", pauses),
             ("pauses at random moments", moments),
             ("all unloads", ends))
    run_tests(("own", guest("net-stalls", OWN), *tests),
              *([("drop-in", guest("net-stalls-stock", STOCK), *tests),
                 ("hv_netvsc", guest("net-stalls-netvsc", NETVSC),
                  ("loads", load_netvsc), ("pauses under a load", netvsc_pauses),
                  ("all unloads", ends))]
                if LONG else []))


if __name__ == "__main__":
    main()
