#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Mouse and keyboard: exact events, wrong messages, hot plug, sleep, SysRq.

With synth_mouse and synth_keyboard on synth_vmbus; dropin.py has the same for its other build and
the distribution's hid-hyperv and hyperv-keyboard.
"""

import base64
import os
import re
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../vm"))
# pylint: disable=wrong-import-position
import keys                 # noqa: E402
from guest import Guest     # noqa: E402
from steps import forget_files, host_state, load_swap, nothing_leaked, \
    own_user_space, paused, sleep_idle, sleep_on_disk, sleep_to, swap_disk, wait_for    # noqa: E402
from tap import Tap         # noqa: E402

SYN, KEY, REL, ABS, MSC = 0, 1, 2, 3, 4
X, Y = (ABS, 0), (ABS, 1)
HWHEEL, WHEEL, WHEEL_HI, HWHEEL_HI = (REL, 6), (REL, 8), (REL, 11), (REL, 12)
BUTTONS = {1: 0x110, 2: 0x111, 3: 0x112, 4: 0x113, 5: 0x114}
MOUSE = "cfa8b69e-5b4a-4cc0-b98b-8ba1a1f3f95a"
DEVICE = f"$(dirname $(grep -li {MOUSE} /sys/bus/vmbus/devices/*/class_id))"


class Driver:
    """A mouse driver, and the channel that it is for."""

    def __init__(self, bus, ours):
        self.bus = bus
        self.ours = ours
        self.module = "synth_mouse" if ours else "hid_hyperv"

    def load(self, g):
        """Loads it; the channel is there."""
        g.run("modprobe hid; modprobe evdev")
        if self.ours:
            g.run(f"insmod /synthio/build/{g.kernel.release}/{self.bus}/"
                  "drivers/input/synth_mouse.ko")
        else:
            g.run("modprobe hid-hyperv")


OWN = Driver("own", True)


class MouseGuest(Guest):
    """A guest with a mouse; driver: one of the above."""

    def __init__(self, name, driver, swap=False, **kw):
        devices = ["--mouse", "--keyboard"]
        super().__init__(name, host=(lambda g: devices + swap_disk(g)) if swap
                         else devices, **kw)
        self.driver = driver
        self.notes = {}


def event(g, timeout=30):
    """Waits for the mouse's evdev node, returns its name. hid-hyperv's has no
    parent."""
    return wait_for(g, "basename $(dirname $(dirname $(dirname $(grep -l 0621"
                    " /sys/class/input/event*/device/id/product))))",
                    "no mouse", timeout).strip()


def begin_in_memory(g):
    """The same as begin(); from then on nothing is asked of 9p."""
    begin(g)
    keys.comes(g)
    g.notes["swap"] = load_swap(g)
    g.sh("modprobe button")
    own_user_space(g)
    forget_files(g)
    works(g, 500)


class Events:
    """What a mouse says from now on."""

    def __init__(self, g):
        self.g = g
        self.path = f"/run/events.{time.monotonic_ns()}"
        node = event(g)
        self.job = g.spawn(f"exec cat /dev/input/{node} >{self.path}", 120)
        wait_for(g, f"ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q input/{node}",
                 "nobody reads the events")

    def read(self):
        """All events so far, without those that end a report."""
        data = base64.b64decode(self.g.run(f"base64 {self.path}").out)
        data = data[:len(data) // 24 * 24]
        return [((kind, code), value) for _, _, kind, code, value
                in struct.iter_unpack("<QQHHi", data)
                if kind not in (SYN, MSC)]

    def until(self, wanted, what, timeout=20):
        """Waits until these are all; the list has to be exact."""
        deadline = time.monotonic() + timeout * self.g.scale
        while len(self.read()) < len(wanted) and time.monotonic() < deadline:
            time.sleep(0.1)
        got = self.read()
        assert got == wanted, f"{what}: {got}, not {wanted}"

    def end(self):
        """Stops to listen."""
        self.job.kill()


def begin(g):
    """Loads channel and driver; a mouse comes."""
    g.load(g.driver.bus)
    g.driver.load(g)
    node = event(g)
    out = g.run("cat /proc/bus/input/devices").out
    m = re.search(rf"Vendor=045e Product=0621[^\n]*\n(?:.+\n)*?.*{node}[^\n]*\n"
                  r"(?:.+\n)*?B: KEY=(\w+)[^\n]*\nB: REL=(\w+)\nB: ABS=(\w+)",
                  out)
    assert m, out
    # five buttons from BTN_LEFT on, both wheels with their finer twins, X and Y
    assert (m[1], m[2], m[3]) == ("1f0000", "1940", "3"), m[0]
    used = g.run(f"basename $(readlink {DEVICE}/driver)").out.strip()
    assert used == g.driver.module, used


def coordinates(g):
    """Every corner, and some between, arrives as it was sent."""
    g.ctl("move", "1", "1")
    events = Events(g)
    wanted = []
    for x, y in ((0, 0), (32767, 32767), (0x1234, 0x5678), (255, 256),
                 (16384, 16383), (1, 32766)):
        g.ctl("move", str(x), str(y))
        wanted += [(X, x), (Y, y)]
    g.ctl("move", "1", "5")
    events.until(wanted + [(Y, 5)], "moves")
    events.end()


def buttons(g):
    """Five buttons go down and up."""
    events = Events(g)
    wanted = []
    for n, code in BUTTONS.items():
        g.ctl("button", str(n), "down")
        g.ctl("button", str(n), "up")
        wanted += [((KEY, code), 1), ((KEY, code), 0)]
    events.until(wanted, "buttons")
    events.end()


def wheels(g):
    """Both wheels, both ways, with the finer events that the kernel adds."""
    events = Events(g)
    wanted = []
    for n, pan in ((1, 0), (-1, 0), (0, 1), (0, -1), (127, -127)):
        g.ctl("wheel", str(n), str(pan))
        if n:
            wanted += [(WHEEL, n), (WHEEL_HI, 120 * n)]
        if pan:
            wanted += [(HWHEEL, pan), (HWHEEL_HI, 120 * pan)]
    events.until(wanted, "wheels")
    events.end()


def drag(g):
    """A button that is held down stays so while the pointer moves."""
    g.ctl("move", "100", "100")
    events = Events(g)
    g.ctl("button", "1", "down")
    for i in range(1, 101):
        g.ctl("move", str(100 + i), str(100 + 2 * i))
    g.ctl("button", "1", "up")
    wanted = [((KEY, 0x110), 1)]
    for i in range(1, 101):
        wanted += [(X, 100 + i), (Y, 100 + 2 * i)]
    events.until(wanted + [((KEY, 0x110), 0)], "drag")
    events.end()


def works(g, x):
    """The next report arrives, and only that."""
    g.ctl("spoil", "mouse", "clear")
    events = Events(g)
    g.ctl("move", str(x), "7")
    g.ctl("move", str(x + 1), "7")
    deadline = time.monotonic() + 20 * g.scale
    while time.monotonic() < deadline and (X, x + 1) not in events.read():
        time.sleep(0.1)
    got = events.read()
    assert (X, x + 1) in got, got
    events.end()
    return got


def hostile_reports(g):
    """Reports of every length, and with every field wrong: none does harm."""
    cases = [f"cut len={n} fix={fix}" for n in range(0, 24)
             for fix in (0, 1)]
    cases += [f"grow len={n} fix=1" for n in (24, 25, 32, 64, 4096, 8000,
                                              8192, 8193, 12000)]
    cases += [f"patch at={at} hex={value}" for at in (0, 4, 8, 12)
              for value in ("00000000", "ffffffff", "00000080", "01000000",
                            "10000000", "00100000")]
    cases += [f"garbage seed={n}" for n in range(20)]
    cases += [f"garbage len={n}" for n in (9, 17, 100, 4000, 9000)]
    cases += ["packet-type value=7", "packet-type value=9",
              "packet-type value=11", "packet-type value=0",
              "packet-type value=65535", "twice times=200", "lost"]
    for case in cases:
        g.ctl("spoil", "mouse", "report", *case.split())
        g.ctl("move", "3", "4")
    for kind in range(0, 12):
        for size in (0, 1, 8, 64):
            g.ctl("spoil", "mouse", "send", "hex=" + (
                struct.pack("<4I", 1, 8 + size, kind, size) +
                bytes(size)).hex())
    works(g, 4000)
    return f"{len(cases) + 48} cases"


def jumps(g):
    """A report that was cut short moves nothing."""
    g.ctl("move", "1000", "2000")
    events = Events(g)
    for n in range(16, 23):
        g.ctl("spoil", "mouse", "report", "cut", f"len={n}", "fix=1")
        g.ctl("move", "3000", "4000")
    g.ctl("move", "1000", "2001")
    events.until([(Y, 2001)], "after reports that were cut")
    events.end()


def hostile_handshake(g):
    """Each wrong answer costs that device, and nothing else."""
    cases = [f"response cut len={n} fix=1" for n in (0, 8, 12, 16, 20)]
    cases += ["response patch at=20 hex=00", "response garbage"]
    cases += [f"info cut len={n} fix=1" for n in (8, 16, 24, 47, 56, 57, 64,
                                                  100, 120)]
    # the lengths of both descriptors
    cases += [f"info patch at=48 hex={x}" for x in ("00", "08", "0a", "ff")]
    cases += [f"info patch at=55 hex={x}" for x in (
        "0000", "0100", "0010", "0110", "ffff")]
    # the report descriptor: a collection without end, counts beyond reason
    cases += ["info patch at=57 hex=c0c0c0c0", "info patch at=57 hex=ffffffff",
              "info patch at=77 hex=ff", "info patch at=79 hex=ff",
              "info patch at=71 hex=97ffffff7f", "info garbage seed=5"]
    tried = 0
    for case in cases:
        g.ctl("rescind", "mouse", "now")
        g.ctl("spoil", "mouse", *case.split(), "count=forever")
        at = len(g.host_text())
        g.ctl("offer", "mouse")
        deadline = time.monotonic() + 20 * g.scale
        # it has got as far as it can: it is bound, or nothing is asked
        while (not re.search("mouse mouse: version", g.host_text()[at:])
               and time.monotonic() < deadline):
            time.sleep(0.02)
        time.sleep(0.1)
        g.ctl("spoil", "mouse", "clear")
        tried += 1
    g.ctl("rescind", "mouse", "now")
    wait_for(g, f"! grep -qi {MOUSE} /sys/bus/vmbus/devices/*/class_id",
             "the mouse is still there", 60)
    g.ctl("offer", "mouse")
    works(g, 5000)
    return f"{tried} cases"


def repeated(g):
    """What the host says three times is taken once; what comes late is taken."""
    for i, spoil in enumerate((("info", "twice", "times=3"),
                               ("info", "late", "ms=500"),
                               ("response", "twice", "times=2"))):
        g.ctl("rescind", "mouse", "now")
        wait_for(g, f"! grep -qi {MOUSE} /sys/bus/vmbus/devices/*/class_id",
                 "the mouse is still there")
        g.ctl("spoil", "mouse", *spoil)
        g.ctl("offer", "mouse")
        event(g)
        works(g, 6000 + 10 * i)


def plug(g):
    """It goes and comes while somebody listens; nothing stays behind."""
    for i in range(3):
        events = Events(g)
        g.ctl("move", str(100 + i), "3")
        g.ctl("rescind", "mouse")
        wait_for(g, f"! grep -qi {MOUSE} /sys/bus/vmbus/devices/*/class_id",
                 "the mouse is still there")
        assert not events.job.wait().rc in (None, 137), "cat goes on"
        g.ctl("offer", "mouse")
    works(g, 7000)
    if g.driver.bus == "own":
        nothing_leaked(g)


def wakes(g):
    """Suspend to idle lasts until the mouse moves."""
    sleep_idle(g, lambda: g.ctl("move", "9", "9"))
    works(g, 8000)


def hibernates(g):
    """All of hibernation but the image: the mouse is as before."""
    node = event(g)
    sleep_to(g, "core")
    assert event(g) == node
    works(g, 9000)


def real_image(g):
    """The guest goes to a disk, and another QEMU wakes it there. Who had the
    mouse open has it still, and a button that was up goes down."""
    node, events = event(g), Events(g)

    def load():
        g.load("own")
        # in the new boot the mouse is another driver's instance
        g.driver.load(g)
        event(g)
        g.ctl("move", "77", "88")
        return load_swap(g)

    g.ctl("move", "30", "40")
    events.until([(X, 30), (Y, 40)], "before")
    sleep_on_disk(g, g.notes["swap"], load)
    assert event(g) == node
    for x in (31, 32):
        g.ctl("move", str(x), "40")
    g.ctl("button", "3", "down")
    g.ctl("button", "3", "up")
    events.until([(X, 30), (Y, 40), (X, 31), (X, 32), ((KEY, BUTTONS[3]), 1),
                  ((KEY, BUTTONS[3]), 0)], "after")
    events.end()


def another(g):
    """After hibernation the host has another mouse."""
    g.ctl("spoil", "mouse", "info", "patch", "at=20", "hex=3412")
    sleep_to(g, "devices")
    wait_for(g, f"grep -q 1234 {DEVICE}/*/input/input*/id/vendor",
             "it has the old vendor")
    works(g, 10000)


def reload(g):
    """The driver comes and goes, some of the time with the mouse in use."""
    for i in range(4):
        g.ctl("move", str(i), "5")
        g.run(f"rmmod {g.driver.module}", 60)
        g.driver.load(g)
        if i % 2 == 0:
            event(g)
    works(g, 11000)


def hidraw(g):
    """Who has the raw device open when the mouse goes reads no more."""
    node = wait_for(g, f"ls {DEVICE}/*/hidraw", "no hidraw").strip()
    job = g.spawn(f"exec cat /dev/{node} >/run/raw", 60)
    wait_for(g, f"ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q {node}",
             "nobody reads")
    g.ctl("move", "258", "515")
    wait_for(g, "test $(stat -c %s /run/raw) -ge 7", "no raw report")
    raw = base64.b64decode(g.run("base64 /run/raw").out)
    assert raw[:7] == bytes([0, 2, 1, 3, 2, 0, 0]), raw.hex()
    g.ctl("rescind", "mouse")
    job.wait()
    g.ctl("offer", "mouse")
    works(g, 12000)


def pauses(g):
    """The host is paused: afterwards reports come, and none is lost or repeated."""
    for i, seconds in enumerate(keys.PAUSES):
        g.ctl("move", "1", "1")
        events = Events(g)
        g.ctl("move", "50", "60")
        paused(g, seconds, lambda: None)
        g.ctl("move", str(100 + i), "60")
        events.until([(X, 50), (Y, 60), (X, 100 + i)], f"pause of {seconds} s")
        events.end()
    return f"of {', '.join(map(str, keys.PAUSES))} s"


def silent_start(g):
    """A mouse whose host does not answer at first is connected when it does."""
    keys.silent_start(g, DEVICE, g.driver.module, lambda g: works(g, 13000))


def stalled_sleep(g):
    """No hibernation begins while the host is paused; the next one succeeds."""
    def work():
        host_state(g, "stalled", 60)
        g.run("echo devices >/sys/power/pm_test; ! echo disk >/sys/power/state", 90)

    paused(g, 0, work)
    works(g, 14000)
    keys.works(g)
    sleep_to(g, "devices")
    works(g, 15000)


def unloads(g):
    """Driver and channel go."""
    g.run("! grep -q ^synth_keyboard /proc/modules || rmmod synth_keyboard;"
          f" rmmod {g.driver.module} && rmmod "
          + {"own": "synth_vmbus", "stock": "hv_vmbus"}[g.driver.bus])


def comes_again(g):
    """Loads all once more."""
    begin(g)
    keys.comes(g)


SAME = (("a mouse comes, with what its descriptor says", begin),
        ("exact coordinates", coordinates), ("buttons", buttons),
        ("wheels", wheels), ("dragging", drag), ("hot plug", plug),
        ("driver loop", reload))


def main():
    """Runs the tests."""
    with Tap() as tap:
        tap.guest("synth_mouse", MouseGuest("input-own", OWN,
                                            cmdline="panic=0"), *SAME,
                  ("raw reports", hidraw),
                  ("cut reports move nothing", jumps),
                  ("wrong reports", hostile_reports),
                  ("wrong answers at the start", hostile_handshake),
                  ("repeated and late messages", repeated),
                  *keys.SAME, ("wrong messages of the keyboard", keys.hostile),
                  ("keyboard driver loop", keys.reload),
                  ("pauses of the host", pauses),
                  ("a host that does not answer at first", silent_start),
                  ("pauses of the keyboard's host", keys.pauses),
                  ("a keyboard's host that does not answer", keys.silent_keyboard),
                  ("all unloads", unloads),
                  ("both come again", comes_again),
                  ("SysRq, and a panic by it", keys.panics))
        tap.guest("synth_mouse asleep", MouseGuest(
            "input-power", OWN, swap=True, cmdline="no_console_suspend"),
                  ("a mouse", begin_in_memory),
                  ("the mouse wakes suspend to idle", wakes),
                  ("the keyboard does", keys.wakes),
                  ("hibernation", hibernates),
                  ("the keyboard after hibernation", keys.hibernates),
                  ("hibernation to a disk, resume in another QEMU", real_image),
                  ("no hibernation while the host is paused", stalled_sleep),
                  ("another mouse after hibernation", another))


if __name__ == "__main__":
    main()
