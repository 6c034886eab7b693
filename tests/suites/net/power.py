#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Suspend to idle and hibernation, with TCP connections that live on.

9p, which brings the guest its user space, lives through neither, so a busybox
and what else is needed lie in memory before the first one. The guest serves
connections that the far ends keep open all the time, and what they send while
nobody is at home arrives in the end.
"""

import difflib
import os
import re
import socket
import time

from lib import (answered, BUSYBOX, carrier, dev, NetGuest, Nic,
                 nothing_leaked, OWN, run_tests, up, wait_for)
from steps import forget_files, image, own_user_space, power_button, \
    sleep_idle, sleep_on_disk, sleep_to

PORT = 4444
SWAP = 400


class Conversation:
    """A connection to the guest, which gives back what it is told."""

    def __init__(self, g, host):
        with g.space().inside():
            deadline = time.monotonic() + 30 * g.scale
            while True:
                try:
                    self.socket = socket.create_connection((host, PORT), 5)
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.count = 0
        self.owed = b""

    def say(self):
        """Tells the guest something new, and does not wait."""
        self.count += 1
        text = b"line %d " % self.count + os.urandom(40).hex().encode() + b"\n"
        self.socket.sendall(text)
        self.owed += text

    def hear(self, seconds):
        """What is owed comes back, as it was."""
        self.socket.settimeout(seconds)
        while self.owed:
            try:
                data = self.socket.recv(1 << 16)
            except socket.timeout:
                raise AssertionError("the guest does not answer on its "
                                     "connection") from None
            assert data and self.owed.startswith(data), (data, self.owed)
            self.owed = self.owed[len(data):]


def begin(g):
    """Loads all; from then on nothing is asked of 9p."""
    g.load("own")
    g.run(f"insmod /synthio/build/{g.kernel.release}/own/drivers/block/"
          "synth_blk.ko")
    g.driver.load(g)
    g.notes["modules"] = g.run("cat /proc/modules").out
    g.sh("modprobe button")
    g.run("cp /synthio/build/guest/echo /run/echo")
    own_user_space(g, ["/usr/sbin/ip", "/usr/sbin/ethtool"])
    forget_files(g)
    # busybox's shell knows no other ip by that name
    g.ip = "/usr/sbin/ip"
    for nic in g.nics:
        up(g, nic)
    g.run(f"/run/echo {PORT}")
    g.notes["talk"] = [Conversation(g, host) for host in (g.nic().near4,
                                                          g.nic().near6)]
    name = dev(g)
    g.run(f"{g.ip} link set {name} mtu 1400 && {g.ip} maddr add 01:00:5e:11:22:33 dev"
          f" {name} && ethtool -X {name} weight 3 1")
    wait_for(g, f"! {g.ip} addr | grep tentative", "addresses are not settled")
    g.notes["is"] = says(g)
    goes_on(g)


def says(g):
    """What has to outlive all of this; groups come in any order."""
    out = "".join(g.run(f"{g.ip} addr show {n}; {g.ip} maddr show {n} | sort;"
                        f"ethtool -x {n}; ethtool -g {n}; ethtool -l {n};"
                        f"ethtool -k {n}").out
                  for n in (dev(g, x.name) for x in g.nics))
    # who joined it is told, and how long an address is still valid
    return re.sub(r"valid_lft.*", "", out)


def goes_on(g):
    """Connections, addresses and settings are what they were."""
    for nic in g.nics:
        carrier(g, nic.name, True)
    for x in g.notes["talk"]:
        x.say()
        x.hear(60 * g.scale)
    answered(g.space("n1").run("ping", "-n", "-q", "-c", "3", "-w", "30",
                               g.nic("n1").near4), 3)
    found = says(g)
    assert found == g.notes["is"], "\n".join(difflib.unified_diff(
        g.notes["is"].splitlines(), found.splitlines(), "it was", "it is",
        lineterm="", n=2))
    nothing_leaked(g)


def frozen(level):
    """Makes a test of a hibernation that goes so far; it is spoken to meanwhile."""
    def test(g):
        def speak():
            for x in g.notes["talk"]:
                x.say()
        sleep_to(g, level, speak)
        goes_on(g)
    return test


def unplugged(g):
    """The cable is pulled while the guest is frozen: it knows afterwards.

    An interface that is down stays down, and can be brought up.
    """
    name = dev(g, "n1")
    g.run(f"{g.ip} link set {name} down")
    sleep_to(g, "devices", lambda: g.ctl("net-link", "n0", "down"))
    carrier(g, "n0", False)
    assert "state DOWN" in g.run(f"{g.ip} link show {name}").out
    up(g, g.nic("n1"))
    g.ctl("net-link", "n0", "up")
    carrier(g, "n0", True)
    goes_on(g)


def s2idle(g):
    """A packet or the power button wakes it; channels stay open."""
    host = len(g.host_text())
    sleep_idle(g, power_button(g))
    assert not re.search(r"closed|detached", g.host_text()[host:]), \
        g.host_text()[host:]
    goes_on(g)


def real_image(g):
    """The guest goes to a disk, and another QEMU wakes it there."""
    find = "ls /sys/block | grep -m 1 synd"

    def load():
        g.load("own")
        g.run(f"insmod /synthio/build/{g.kernel.release}/own/drivers/block/"
              "synth_blk.ko")
        # in the new boot the card is another driver's instance, and is in use
        g.driver.load(g)
        return wait_for(g, find, "no disk").strip()

    for x in g.notes["talk"]:
        x.say()
        x.hear(60)
    swap = wait_for(g, find, "no disk").strip()
    sleep_on_disk(g, swap, load)
    g.run(f"{BUSYBOX} swapoff /dev/{swap}")
    goes_on(g)


def ends(g):
    """All of it was right, and all unloads."""
    for x in g.notes["talk"]:
        x.socket.close()
    g.run("rmmod synth_net && rmmod synth_blk && rmmod synth_vmbus")


class PowerGuest(NetGuest):
    """One with a disk to sleep on, made before the host looks for it."""

    def start_host(self):
        os.makedirs(self.scratch, exist_ok=True)
        image(self, "swap.img", SWAP)
        super().start_host()


def main():
    """Runs the tests."""
    # an image takes as much as the guest has in use; all checks take much
    mem = "1G" if os.environ.get("DEBUG_KERNEL") == "1" else "512M"
    run_tests(
        ("power", PowerGuest(
            "net-power", OWN, [Nic("n0", opts="queues=2"), Nic("n1", "b")],
            ["--scsi", "c1", "--disk", "c1,lun=7,file={}/swap.img"],
            mem=mem, limit=900, cmdline="no_console_suspend"),
         ("connections that go on", begin), ("suspend to idle", s2idle),
         ("hibernation, devices", frozen("devices")),
         ("hibernation, all but the image", frozen("core")),
         ("a cable pulled while the guest is frozen, and an interface down",
          unplugged),
         ("hibernation to a disk, resume in another QEMU", real_image),
         ("all unloads", ends)))


if __name__ == "__main__":
    main()
