# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the keyboard, which mouse.py and dropin.py run in their guests."""

import base64
import re
import struct
import time

from steps import host_state, LONG, paused, sleep_idle, sleep_to, type_keys, \
    wait_for, wait_until

KEYBOARD = "f912ad6d-2b17-48ea-bd65-f927a61c7684"
DEVICE = f"$(dirname $(grep -li {KEYBOARD} /sys/bus/vmbus/devices/*/class_id))"
HELLO = ("Hello, 42", [42, 35, 18, 38, 38, 24, 51, 57, 5, 3])
OURS, THEIRS = "synth_keyboard", "hyperv_keyboard"


def works(g, driver=OURS):
    """It is this driver's, and what is typed arrives."""
    type_keys(g, *HELLO)
    used = g.run(f"basename $(readlink {DEVICE}/driver)").out.strip()
    assert used == driver, used


def load(g):
    """Loads our driver; the channel is there."""
    g.run("modprobe evdev; modprobe atkbd;"
          f" insmod /synthio/build/{g.kernel.release}/{g.driver.bus}/"
          f"drivers/input/{OURS}.ko")


def comes(g):
    """Loads the driver: what is typed arrives."""
    load(g)
    works(g)


def node(g):
    """The keyboard's evdev node."""
    return wait_for(g, "basename /sys/bus/vmbus/devices/*/serio*/input/input*/"
                    "event*", "no keyboard").strip()


def read_keys(g, give):
    """Gives something to the keyboard, and a space at last. Returns events of keys
    up to there, as (code, value)."""
    path, name = f"/run/keys.{time.monotonic_ns()}", node(g)
    job = g.spawn(f"exec cat /dev/input/{name} >{path}", 60)
    wait_for(g, f"ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q input/{name}",
             "nobody reads the events")
    give()
    g.ctl("key", " ")
    deadline = time.monotonic() + 20 * g.scale
    while True:
        data = base64.b64decode(g.run(f"base64 {path}").out)
        found = [(code, value) for _, _, kind, code, value in
                 struct.iter_unpack("<QQHHi", data[:len(data) // 24 * 24])
                 if kind == 1]
        if found and found[-1] == (57, 0):
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    job.kill()
    return found[:-2]


def prefixes(g):
    """Keys with prefixes, and one with a sequence of its own."""
    def give():
        g.ctl("scancode", *"e0 48 e0 c8 e0 1d e0 9d".split())
        g.ctl("scancode", *"e1 1d 45 e1 9d c5".split())
        g.ctl("scancode", "1e")
        # atkbd takes what comes again at once for a key that bounces
        time.sleep(1)
        g.ctl("scancode", "1e", "9e")

    # up, right control, pause, and an A that repeats
    got = read_keys(g, give)
    assert got == [(103, 1), (103, 0), (97, 1), (97, 0), (119, 1), (119, 0),
                   (30, 1), (30, 2), (30, 0)], got


def characters(g):
    """Characters that the host types for somebody, and those that no key has."""
    def give():
        g.ctl("unicode", *(str(ord(c)) for c in "Aa\u20ac1\0\n"))

    got = read_keys(g, give)
    assert got == [(42, 1), (30, 1), (30, 0), (42, 0), (30, 1), (30, 0),
                   (2, 1), (2, 0), (28, 1), (28, 0)], got


def leds(g):
    """A program lights the LEDs: the host knows."""
    for values, what in (((0, 0, 0), "none"), ((1, 0, 0), "num"),
                         ((0, 1, 1), "caps scroll"),
                         ((1, 1, 1), "num caps scroll")):
        light(g, *values)
        lit(g, what)
    # and a host that has forgotten them
    g.run(f"d=$(basename {DEVICE}); cd /sys/bus/vmbus/drivers/{OURS} &&"
          " echo $d >unbind && echo $d >bind")
    lit(g, "none")
    works(g)


def hostile(g):
    """Messages of every length and type do no harm."""
    for kind in range(0, 8):
        for words in range(1, 6):
            for fill in ("0", "0xffffffff", "0x10000", "0x80"):
                g.ctl("key-message", str(kind), *[fill] * (words - 1))
    assert not read_keys(g, lambda: g.ctl("key-message", "3", "0x9e", "2"))
    works(g)


def gone(g):
    """The device is not on the bus."""
    wait_for(g, f"! grep -qi {KEYBOARD} /sys/bus/vmbus/devices/*/class_id",
             "the keyboard is still there", 60)


def plug(g):
    """It goes while a key is down, and comes: the key is up."""
    for _ in range(3):
        path, name = f"/run/keys.{time.monotonic_ns()}", node(g)
        job = g.spawn(f"exec cat /dev/input/{name} >{path}", 60)
        wait_for(g, f"ls -l /proc/[0-9]*/fd 2>/dev/null |"
                 f" grep -q input/{name}", "nobody reads the events")
        g.ctl("scancode", "2a", "1e")
        wait_for(g, f"test $(stat -c %s {path}) -ge 144", "no events")
        g.ctl("rescind", "kbd")
        gone(g)
        job.wait()
        data = base64.b64decode(g.run(f"base64 {path}").out)
        values = [value for _, _, kind, code, value in
                  struct.iter_unpack("<QQHHi", data) if (kind, code) == (1, 30)]
        assert values == [1, 0], values
        g.ctl("offer", "kbd")
        works(g)


def reload(g):
    """The driver comes and goes."""
    for _ in range(4):
        g.run(f"rmmod {OURS}", 60)
        load(g)
    works(g)


def hand_over(g):
    """The distribution's driver and ours take turns while the guest runs."""
    g.run(f"modprobe {THEIRS}")
    drivers = "/sys/bus/vmbus/drivers"
    for i in range(10):
        old, new = (OURS, THEIRS) if i % 2 == 0 else (THEIRS, OURS)
        g.run(f"d=$(basename {DEVICE}); echo $d >{drivers}/{old}/unbind &&"
              f" echo $d >{drivers}/{new}/bind", 60)
        if i in (0, 1, 8, 9):
            works(g, new)
    # and by unloading
    g.run(f"rmmod {OURS}; rmmod {THEIRS}; modprobe {THEIRS}", 60)
    works(g, THEIRS)
    g.run(f"rmmod {THEIRS}", 60)
    load(g)
    works(g)


def wakes(g):
    """Suspend to idle lasts until a key is pressed."""
    sleep_idle(g, lambda: g.ctl("key", "x"))
    works(g)


def hibernates(g):
    """All of hibernation but the image: the keyboard is as before."""
    before = node(g)
    sleep_to(g, "core")
    assert node(g) == before
    works(g)


def sysrq(g):
    """The kernel does what Alt and SysRq say."""
    g.run("echo 1 >/proc/sys/kernel/sysrq")
    at = len(g.console_text())
    g.ctl("scancode", *"38 54 23 a3 d4 b8".split())
    g.wait_console("sysrq: HELP", 20, at)


def panics(g):
    """It panics when it is told to, in the middle of the keyboard's message."""
    sysrq(g)
    g.allow.append(".*")
    at = len(g.console_text())
    g.ctl("scancode", *"38 54 2e".split())
    g.wait_console("end Kernel panic", 60, at)
    said = g.console_text()[at:]
    assert not re.search("soft lockup|hard LOCKUP|recursive locking", said), said


def light(g, *values):
    """A program sets the LEDs: num, caps, scroll."""
    events = b"".join(struct.pack("<QQHHi", 0, 0, 17, code, value)
                      for code, value in enumerate(values))
    events += struct.pack("<QQHHi", 0, 0, 0, 0, 0)
    g.run(f"echo {base64.b64encode(events).decode()} | base64 -d"
          f" >/dev/input/{node(g)}")


def lit(g, what):
    """Waits until the host knows which LEDs are on."""
    wait_until(g, lambda: f"LEDs: {what}\n" in g.ctl("status") + "\n",
               lambda: g.ctl("status"))


PAUSES = (1, 4, 6, 8, 12, 16, 40, 90) if LONG else (8,)


def pauses(g):
    """The host is paused: afterwards keys come, and the host gets the LEDs."""
    for i, seconds in enumerate(PAUSES):
        def work(i=i):
            # more than the ring has room for, unless only the last ones are kept
            for _ in range(3):
                light(g, 0, 0, 0)
                light(g, 1, 1, 1)
            light(g, i % 2, 1, 0)

        paused(g, seconds, work)
        lit(g, "num caps" if i % 2 else "caps")
        works(g)
    light(g, 0, 0, 0)
    lit(g, "none")
    return f"of {', '.join(map(str, PAUSES))} s"


def their_pauses(g):
    """The distribution's driver goes on after a pause. Ours has the keyboard before and
    afterwards."""
    drivers = "/sys/bus/vmbus/drivers"
    g.run(f"modprobe {THEIRS}; d=$(basename {DEVICE}); echo $d >{drivers}/{OURS}/unbind"
          f" && echo $d >{drivers}/{THEIRS}/bind", 60)
    for seconds in PAUSES:
        paused(g, seconds, lambda: None)
        works(g, THEIRS)
    g.run(f"d=$(basename {DEVICE}); echo $d >{drivers}/{THEIRS}/unbind"
          f" && echo $d >{drivers}/{OURS}/bind && rmmod {THEIRS}", 60)
    works(g)


def silent_start(g, device, module, back):
    """A device whose host does not answer at its probe is connected when it does."""
    drivers = f"/sys/bus/vmbus/drivers/{module}"
    name = g.run(f"basename {device}").out.strip()
    g.run(f"echo {name} >{drivers}/unbind", 60)

    def work():
        host_state(g, "stalled", 60)
        g.run(f"echo {name} >{drivers}/bind", 60)
        state = g.run(f"cat /sys/kernel/debug/{module}/{name}").out
        assert "state: closed" in state, state

    paused(g, 0, work)
    wait_for(g, f"grep -q 'state: live' /sys/kernel/debug/{module}/{name}",
             "not connected", 60)
    back(g)


def silent_keyboard(g):
    """The same of the keyboard."""
    silent_start(g, DEVICE, OURS, works)


SAME = (("a keyboard comes, and what is typed", comes),
        ("keys with prefixes", prefixes), ("characters", characters),
        ("LEDs", leds), ("the keyboard comes and goes", plug))
