#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What firmware shows when the display's driver comes.

On Hyper-V its framebuffer lies where the VRAM belongs, and the driver that draws
on it (efifb, simplefb, simpledrm) has to go first. No emulated machine's firmware
draws in our aperture: a module puts a framebuffer there, and tells the kernel of it
as firmware does. Another guest has a VGA, and a console on its framebuffer: that is
not ours, and stays.
"""

import re

from lib import OWN, STOCK, VideoGuest
from guest import usual_kernel
from screen import lit, pattern_rows, same_picture, screenshot, shows, Tool
from steps import wait_for
from tap import Skip, Tap


def window(g):
    """Where the display has its VRAM: (first, last byte)."""
    device = g.run("cd /sys/bus/vmbus/drivers/synth_video && ls -d *-*-*-*-*"
                   ).out.strip()
    m = re.search(rf"([0-9a-f]+)-([0-9a-f]+) : {device}",
                  g.run("cat /proc/iomem").out)
    assert m, g.run("cat /proc/iomem").out
    return int(m[1], 16), int(m[2], 16)


def card(g):
    """Loads the driver, waits for its console."""
    g.driver.load(g)
    wait_for(g, "grep -q ' synth_video' /proc/fb", "no framebuffer of ours")


def firmware(g, base):
    """A framebuffer of 640x480 is there, the console is on it."""
    modules = f"/synthio/build/{g.kernel.release}/{g.driver.bus}"
    g.run(f"insmod {modules}/tests/selftests/modules/synth_firmfb.ko"
          f" base={base:#x}")
    if g.sh("grep -q simple /proc/fb").rc:
        g.run("rmmod synth_firmfb")
        raise Skip("this kernel has no simplefb")
    assert g.run("cat /proc/fb").out.strip() == "0 simple"
    assert "simplefb" in g.run("cat /proc/iomem").out
    g.run("echo before >/dev/tty1")


def taken_over(g):
    """Nothing of the firmware's is left, the console is on our screen."""
    assert re.fullmatch(r"0 synth_video\S*", g.run("cat /proc/fb").out.strip()), \
        g.run("cat /proc/fb").out
    iomem = g.run("cat /proc/iomem").out
    assert "simple" not in iomem, iomem
    assert g.sh("ls /sys/bus/platform/devices | grep simple-framebuffer").rc
    assert shows(g) == (1024, 768)
    g.run("printf '\\033[2J\\033[H\\033[?25l' >/dev/tty1; sleep 1")
    dark = lit(screenshot(g))
    g.run("echo 'a line for the screen to show' >/dev/tty1; sleep 1")
    assert lit(screenshot(g)) > dark + 100


def picture(g, seed):
    """A program draws."""
    tool = Tool(g)
    tool.do("mode", 800, 600, seed)
    same_picture(screenshot(g), pattern_rows(800, 600, seed), "drawn")
    tool.end()


def overlap(where):
    """Makes a test of a framebuffer that lies so many bytes into the VRAM."""
    def test(g):
        if not g.sh("lsmod | grep -q synth_video").rc:
            g.run("rmmod synth_video")
        base, _ = g.notes["window"]
        firmware(g, base + where)
        card(g)
        taken_over(g)
        assert window(g) == g.notes["window"], "the VRAM has moved"
        picture(g, 3)
        g.run("rmmod synth_firmfb")
    return test


def begin(g):
    """Loads channel and driver, to see where the VRAM goes."""
    g.load(g.driver.bus)
    card(g)
    g.notes["window"] = window(g)
    g.run("rmmod synth_video")


def vga(g):
    """The kernel's console is on the VGA."""
    said = g.run("cat /proc/fb").out
    if g.kernel.name == "debug":
        raise Skip("this kernel draws on no VGA")
    assert re.search("VESA VGA", said), said


def beside(g):
    """Ours comes beside it; that goes on to have the console."""
    vga(g)
    g.load(g.driver.bus)
    card(g)
    said = g.run("cat /proc/fb").out.splitlines()
    assert len(said) == 2 and said[0] == "0 VESA VGA", said
    assert re.match("1 synth_video", said[1]), said
    picture(g, 4)
    g.run("rmmod synth_video")
    assert g.run("cat /proc/fb").out.strip() == "0 VESA VGA"


def main():
    """Runs the tests."""
    with Tap() as tap:
        for name, driver in (("own", OWN), ("drop-in", STOCK)):
            tap.guest(name, VideoGuest(f"video-firmware-{driver.bus}", driver),
                      ("VRAM", begin),
                      ("takes over from simplefb", overlap(0)),
                      ("takes over from simplefb in the middle of the VRAM",
                       overlap(0x400000)))
        if usual_kernel().arch != "amd64":
            tap.skip("VGA", "only a PC has one that the kernel finds set up")
            return
        tap.guest("VGA", VideoGuest("video-vga", OWN, bios=True, machine="pc",
                                    cmdline="vga=0x314", qemu=["-device", "VGA"]),
                  ("the firmware's framebuffer is another device's", beside))


if __name__ == "__main__":
    main()
