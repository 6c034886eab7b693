#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""synthio-ctl and hand-over on a made-up sysfs: no guest, no root.

FakeKernel is a tree of files that behaves as the kernel's VMBus does where the tools
write: an unbind takes the driver's link away, a probe gives the device to the driver
of its driver_override, or to the first registered one that matches.
"""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../../.."))
TOOLS = os.path.join(TOP, "packaging/tools")
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
from tap import Skip, Tap       # noqa: E402

SCSI = "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"
NIC = "f8615163-df3e-46c5-913f-f2d2f965ed0e"
BALLOON = "525074dc-8985-46e2-8057-a307dc18a502"
DISK0 = "f8b3781a-1e82-4818-a1c3-63d806ec15bb"
DISK1 = "f8b3781b-1e82-4818-a1c3-63d806ec15bb"
CARD = "2f5f7cc1-0000-4000-8000-00155d012345"
OTHER = "4487b255-b88c-403f-bb51-d1f69cf17f87"


def load_tool():
    """synthio-ctl as a module, though its name has no .py."""
    loader = importlib.machinery.SourceFileLoader(
        "synthio_ctl", os.path.join(TOOLS, "synthio-ctl"))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


ctl = load_tool()


class FakeKernel(ctl.System):
    """A tree in which writes and modprobe have their effects."""

    CLASSES = {"hv_storvsc": SCSI, "synth_blk": SCSI, "hv_netvsc": NIC,
               "synth_net": NIC}

    def __init__(self, root):
        super().__init__(root)
        self.registered = []        # drivers, in order
        self.modules = ["hv_storvsc", "hv_netvsc", "synth_blk_hv"]
        self.refuses = []           # drivers whose probe fails
        self.commands = []
        for d in ("sys/bus/vmbus/devices", "sys/bus/vmbus/drivers", "proc/self",
                  "etc", "sys/module/hv_vmbus"):
            os.makedirs(self.path(d))
        self.put("sys/bus/vmbus/drivers_probe", "")
        self.put("proc/swaps", "Filename Type Size Used Priority\n")
        self.put("proc/self/mountinfo", "20 1 8:33 / / rw - ext4 /dev/sdc1 rw\n")
        self.put("proc/cmdline", "root=UUID=1234 ro\n")

    def put(self, path, text):
        """A file, and its directories."""
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="utf-8") as f:
            f.write(text)

    def offer(self, guid, class_id, bus="vmbus"):
        """A device; the bus has a link to it, as in the kernel's tree."""
        real = f"sys/devices/host/{guid}"
        self.put(f"{real}/class_id", f"{{{class_id}}}\n")
        self.put(f"{real}/driver_override", "(null)\n")
        os.makedirs(self.path("sys/bus", bus, "devices"), exist_ok=True)
        os.symlink(self.path(real), self.path("sys/bus", bus, "devices", guid))

    def disk(self, guid, name, number):
        """A disk of a controller, with one partition."""
        at = f"sys/devices/host/{guid}/host0/target0:0:0/0:0:0:0/block/{name}"
        self.put(f"{at}/dev", f"{number}:0\n")
        self.put(f"{at}/{name}1/dev", f"{number}:1\n")
        os.makedirs(self.path(at, "holders"))
        os.makedirs(self.path(at, f"{name}1/holders"))

    def driver_of(self, guid):
        """Who drives it, by the link."""
        return self.link("sys/bus/vmbus/devices", guid, "driver")

    def register(self, driver):
        """A driver registers: it gets what it matches."""
        os.makedirs(self.path("sys/bus/vmbus/drivers", driver))
        self.put(f"sys/bus/vmbus/drivers/{driver}/unbind", "")
        self.registered.append(driver)
        for guid in self.entries("sys/bus/vmbus/devices"):
            self.probe(guid)

    def probe(self, guid):
        """The driver core looks for a driver."""
        if self.driver_of(guid):
            return
        override = self.read("sys/bus/vmbus/devices", guid, "driver_override")
        override = override if override and override != "(null)" else None
        class_id = self.read("sys/bus/vmbus/devices", guid, "class_id").strip("{}")
        for driver in self.registered:
            if override not in (None, driver) or driver in self.refuses \
                    or self.CLASSES[driver] != class_id:
                continue
            os.symlink(self.path("sys/bus/vmbus/drivers", driver),
                       self.path("sys/bus/vmbus/devices", guid, "driver"))
            return

    def write(self, text, *parts):
        super().write(text, *parts)
        name = self.path(*parts)
        if name.endswith("/unbind"):
            driver = os.path.basename(os.path.dirname(name))
            assert self.driver_of(text.strip()) == driver, "unbound from another"
            os.unlink(self.path("sys/bus/vmbus/devices", text.strip(), "driver"))
        elif name.endswith("/drivers_probe"):
            self.probe(text.strip())

    def run(self, *argv, timeout=600):
        self.commands.append(argv)
        if argv[0] == "modprobe":
            if argv[1] not in self.modules:
                return 1, f"modprobe: FATAL: Module {argv[1]} not found.\n"
            driver = argv[1].removesuffix("_hv")
            if driver not in self.registered:
                self.register(driver)
        if argv[0] in ("dracut", "mkinitcpio"):
            return 127, ""
        return 0, f"output of {argv[0]}\n"


class Trial:
    """One tree with two controllers, a card and a balloon."""

    def __init__(self, where):
        self.k = k = FakeKernel(where)
        for guid, class_id in ((DISK0, SCSI), (DISK1, SCSI), (CARD, NIC),
                               (OTHER, BALLOON)):
            k.offer(guid, class_id)
        k.register("hv_storvsc")
        k.register("hv_netvsc")
        k.disk(DISK0, "sda", 8)
        k.disk(DISK1, "sdb", 9)
        k.put(f"sys/devices/host/{CARD}/net/eth0/flags", "0x1002\n")

    def run(self, *args, fails=None):
        """A command; fails: a pattern of what it says when it does."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = ctl.main(args, self.k)
        if fails is None:
            assert status == 0, err.getvalue()
        else:
            assert status == 1 and re.search(fails, err.getvalue()), \
                f"status {status}: {err.getvalue()}"
        return out.getvalue()


def lists(t):
    """The list has each device, its driver, what it is called and what uses it."""
    t.k.put("proc/self/mountinfo", "20 1 8:1 / /srv rw - ext4 /dev/sda1 rw\n")
    out = {d["guid"]: d for d in json.loads(t.run("list", "--json"))}
    assert set(out) == {DISK0, DISK1, CARD, OTHER}
    assert out[DISK0]["driver"] == "hv_storvsc" and out[DISK0]["disks"] == ["sda"]
    assert out[DISK0]["uses"] == ["sda1 is mounted on /srv"], out[DISK0]
    assert out[DISK1]["uses"] == [] and "registered first" in out[DISK1]["why"]
    assert out[CARD]["interfaces"] == ["eth0"]
    assert out[OTHER]["driver"] is None and not out[OTHER]["our_driver"]
    text = t.run("list")
    assert f"synthio-ctl take {DISK0[:8]}" in text and OTHER[:8] in text, text


def takes(t):
    """take and give-back move one device, and no other."""
    t.run("take", "sda")
    assert t.k.driver_of(DISK0) == "synth_blk"
    assert t.k.driver_of(DISK1) == "hv_storvsc"
    assert "driver_override says so" in t.run("list")
    assert not os.path.exists(t.k.path(ctl.RULES)), "kept without --keep"
    t.run("give-back", DISK0[:8])
    assert t.k.driver_of(DISK0) == "hv_storvsc"
    # the first of its kind is loaded, though nothing else has asked for it
    t.run("give-back", DISK0)
    t.run("take", CARD, fails="synth_net_hv is not to be had")
    assert t.k.driver_of(CARD) == "hv_netvsc"


def refuses(t):
    """What is in use stays, and the reason is said."""
    for path, text, why in (
            ("proc/self/mountinfo", "20 1 8:1 / /srv rw - ext4 /dev/sda1 rw\n",
             "sda1 is mounted on /srv"),
            ("proc/self/mountinfo",
             "20 1 0:45 / /data rw - btrfs /dev/sda1 rw,subvol=/\n",
             "sda1 is mounted on /data"),
            ("proc/swaps", "Filename\n/dev/sda1 partition 1 0 -2\n",
             "sda1 is swap space"),
            (f"sys/devices/host/{DISK0}/host0/target0:0:0/0:0:0:0/block/sda/sda1/"
             "holders/dm-0", "", "sda1 is part of dm-0")):
        before = t.k.read(path)
        t.k.put(path, text)
        t.run("take", "sda", fails=why)
        assert t.k.driver_of(DISK0) == "hv_storvsc"
        if before is None:
            os.unlink(t.k.path(path))
        else:
            t.k.put(path, before)
    t.k.put(f"sys/devices/host/{CARD}/net/eth0/flags", "0x1003\n")
    t.run("take", "eth0", fails="eth0 is up")
    t.run("take", OTHER, fails="no driver for it")
    t.run("take", "f8b3781", fails="more than one")
    t.run("take", "sdz", fails="no such device")
    t.k.put("etc/fstab", "/dev/sdb1 /data ext4 defaults 0 2\n")
    t.run("take", "sdb", fails=r"etc/fstab: /dev/sdb1 /data")
    assert t.k.driver_of(DISK1) == "hv_storvsc"
    os.makedirs(t.k.path("sys/module/synth_blk"))
    t.run("take", "sda", fails="own bus is loaded")


def goes_back(t):
    """A device that our driver does not take is back with its own."""
    t.k.refuses.append("synth_blk")
    t.run("take", "sda", fails="back with hv_storvsc")
    assert t.k.driver_of(DISK0) == "hv_storvsc"
    assert t.k.read("sys/bus/vmbus/devices", DISK0, "driver_override") == ""


def keeps(t):
    """--keep and --at-boot write the file, udev's rules and the initramfs."""
    t.k.put(ctl.CONF, f"# mine\n{CARD.upper()} hv_netvsc # so\n")
    t.run("take", "sda", "--keep")
    assert t.k.driver_of(DISK0) == "synth_blk"
    conf = t.k.read(ctl.CONF)
    assert conf == f"# mine\n{CARD.upper()} hv_netvsc # so\n{DISK0} synth_blk", conf
    rules = t.k.read(ctl.RULES)
    assert f'KERNEL=="{DISK0}", RUN+="{ctl.HAND_OVER} {DISK0} synth_blk"' in rules
    assert f"{CARD} hv_netvsc" in rules
    assert ("update-initramfs", "-u") in t.k.commands
    assert "/etc/synthio.conf says so" in t.run("list")
    # in use is no objection for the next boot
    t.k.put("proc/self/mountinfo", "20 1 9:1 / / rw - ext4 /dev/sdb1 rw\n")
    t.run("take", "sdb", "--at-boot")
    assert t.k.driver_of(DISK1) == "hv_storvsc"
    assert f"{DISK1} synth_blk" in t.k.read(ctl.CONF)
    t.run("give-back", DISK0, "--keep")
    t.run("give-back", DISK1, "--at-boot")
    t.k.put(ctl.CONF, "")
    t.run("apply")
    assert not os.path.exists(t.k.path(ctl.RULES))
    t.k.put(ctl.CONF, 'x synth_blk"\n')
    t.run("apply", fails=r"synthio\.conf:1: not a GUID")
    # what could end the rule's string or name a program is no driver
    t.k.put(ctl.CONF, f'{DISK0} a",RUN+="/bin/sh\n')
    t.run("apply", fails=r"synthio\.conf:1: not a GUID")


def own_bus(t):
    """Devices of synthio's own bus are listed, and cannot be handed over."""
    t.k.offer(DISK0.replace("781a", "781c"), SCSI, "synth_vmbus")
    out = json.loads(t.run("list", "--json"))
    assert [d["bus"] for d in out if d["own"]] == ["synth_vmbus"]
    t.run("give-back", "f8b3781c", fails="synthio's own bus")


def reports(t):
    """A report has the devices, the log and the reasons of skipped kernels."""
    t.k.put(f"{ctl.NOT_BUILT}/6.99.0", "they do not build for it\nmake: error\n")
    out = os.path.join(t.k.root, "r.tar.gz")
    t.run("report", "-o", out)
    assert os.stat(out).st_mode & 0o777 == 0o600
    with tarfile.open(out) as tar:
        names = {n.removeprefix("synthio-report/") for n in tar.getnames()}
        text = tar.extractfile("synthio-report/dmesg").read()
        devices = json.load(tar.extractfile("synthio-report/devices.json"))
    assert text == b"output of dmesg\n"
    assert len(devices) == 4
    assert {"proc/cmdline", f"{ctl.NOT_BUILT}/6.99.0", "modinfo",
            f"sys/bus/vmbus/devices/{DISK0}/class_id"} <= names, names
    assert "kernel 6.99.0 has no modules" in t.run("list")


class Boot:
    """hand-over as udev runs it, in a tree whose kernel does not answer."""

    def __init__(self, t):
        self.k = t.k
        self.bin = os.path.join(t.k.root, "bin")
        os.mkdir(self.bin)

    def modprobe(self, status):
        """What stands for modprobe."""
        path = os.path.join(self.bin, "modprobe")
        with open(path, "w", encoding="ascii") as f:
            f.write(f'#!/bin/sh\necho "$@" >>{self.bin}/asked\nexit {status}\n')
        os.chmod(path, 0o755)

    def run(self, guid, driver):
        """Its messages; it never fails, since udev and the boot go on."""
        done = subprocess.run(
            [os.path.join(TOOLS, "hand-over"), guid, driver], text=True,
            env={"PATH": f"{self.bin}:/usr/bin:/bin", "SYNTHIO_SYS":
                 self.k.path("sys"), "SYNTHIO_PROC": self.k.path("proc")},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
        return done.stdout

    def override(self, guid):
        """What was written there."""
        return self.k.read("sys/bus/vmbus/devices", guid, "driver_override")


def boots_without(t):
    """No module at boot: nothing is taken from the kernel's driver."""
    boot = Boot(t)
    boot.modprobe(1)
    said = boot.run(DISK0, "synth_blk")
    assert "synth_blk_hv is not to be had" in said and "hv_storvsc" in said, said
    assert boot.override(DISK0) == "(null)"
    assert t.k.read("sys/bus/vmbus/drivers/hv_storvsc/unbind") == ""
    # it loads, but registers nothing
    boot.modprobe(0)
    assert "not to be had" in boot.run(DISK0, "synth_blk")
    assert boot.override(DISK0) == "(null)"


def boots_in_use(t):
    """A disk that is mounted, or a card that is up, stays at boot, too."""
    boot = Boot(t)
    boot.modprobe(0)
    os.makedirs(t.k.path("sys/bus/vmbus/drivers/synth_blk"))
    os.makedirs(t.k.path("sys/bus/vmbus/drivers/synth_net"))
    t.k.put("proc/self/mountinfo", "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    assert "sda1 is mounted: it stays" in boot.run(DISK0, "synth_blk")
    t.k.put(f"sys/devices/host/{CARD}/net/eth0/flags", "0x1003\n")
    assert "eth0 is up: it stays" in boot.run(CARD, "synth_net")
    assert boot.override(DISK0) == boot.override(CARD) == "(null)"


def boots_refused(t):
    """A probe that fails clears the override, so that the old driver takes it."""
    boot = Boot(t)
    boot.modprobe(0)
    t.k.put("sys/bus/vmbus/drivers/synth_blk/unbind", "")
    # the tree does not answer, so the device never changes its driver
    said = boot.run(DISK0, "synth_blk")
    assert "does not take it: it is back with hv_storvsc" in said, said
    assert boot.override(DISK0) == ""
    assert t.k.read("sys/bus/vmbus/drivers/hv_storvsc/unbind") == DISK0
    assert t.k.read("sys/bus/vmbus/drivers_probe") == DISK0
    # a device that has its driver, or is gone, costs nothing
    asked = os.path.getsize(os.path.join(boot.bin, "asked"))
    assert not boot.run(DISK0, "hv_storvsc") and not boot.run("none", "synth_blk")
    assert os.path.getsize(os.path.join(boot.bin, "asked")) == asked


def grub(t):
    """The default kernel is held back only where a root disk needs that."""
    k = t.k
    tools = os.path.join(k.root, "bin")
    os.makedirs(tools)
    for name, script in (("findmnt", 'case $* in *UUID*) echo 1-2;; '
                          '*) echo /dev/mapper/root;; esac'),
                         ("lsblk", f"cat {tools}/below")):
        path = os.path.join(tools, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\n{script}\n")
        os.chmod(path, 0o755)
    k.put("bin/below", "root\nsynda2\nsynda\n")
    for release in ("6.1.0-9-amd64", "6.1.0-10-amd64"):
        k.put(f"boot/vmlinuz-{release}", "")
        os.makedirs(k.path("lib/modules", release))
    k.put("lib/modules/6.1.0-9-amd64/updates/dkms/synth_blk.ko.xz", "")

    def default(*args):
        return subprocess.run(
            [os.path.join(TOP, "packaging/grub-default.sh"), *args], text=True,
            env={"PATH": f"{tools}:/usr/bin:/bin", "MODULES_DIR":
                 k.path("lib/modules"), "BOOT_DIR": k.path("boot"),
                 "SYS_DIR": k.path("sys")},
            stdout=subprocess.PIPE, check=True).stdout.strip()
    assert not default(), "the root disk is not on our bus"
    os.makedirs(k.path("sys/module/synth_blk"))
    want = "gnulinux-advanced-1-2>gnulinux-6.1.0-9-amd64-advanced-1-2"
    assert default() == f"GRUB_DEFAULT='{want}'", default()
    assert "6.1.0-9-amd64 stays the default" in default("--explain")
    k.put("bin/below", "root\nsda2\nsda\n")
    assert not default()
    k.put("bin/below", "root\nsynda2\n")
    k.put("lib/modules/6.1.0-10-amd64/updates/dkms/synth_blk.ko", "")
    assert not default() and not default("--explain")


def installer(t):
    """A kernel for which nothing builds is skipped, said and written down."""
    if os.geteuid():
        raise Skip("needs root")
    k = t.k
    tools = k.path("bin")
    k.put("src/dkms.conf", 'PACKAGE_NAME="synthio"\nPACKAGE_VERSION="1"\n')
    for name in ("dkms-kernel.sh", "grub-default.sh"):
        with open(os.path.join(TOP, "packaging", name), encoding="utf-8") as f:
            # the machine's own directories are left alone
            text = f.read().replace("/var/lib", k.path("var/lib")) \
                .replace("/lib/modules", k.path("lib/modules"))
        k.put(f"src/packaging/{name}", text)
        os.chmod(k.path("src/packaging", name), 0o755)
    os.makedirs(k.path("lib/modules/6.99/build/include"))
    os.makedirs(k.path("lib/modules/6.98"))
    k.put("bin/dkms", '#!/bin/sh\ncase "$*" in status*-k*) ;; status*) echo added;; '
          'install*) echo "$@" >>%s; exit 10;; esac\n' % k.path("bin/asked"))
    k.put("bin/logger", "#!/bin/sh\n")
    for name in ("dkms", "logger"):
        os.chmod(k.path("bin", name), 0o755)
    done = subprocess.run(
        [k.path("src/packaging/dkms-kernel.sh"), "6.99", "6.98", "6.97"], text=True,
        env={"PATH": f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    assert "kernel 6.99 has no synthio modules: they do not build" in done.stdout, \
        done.stdout
    assert "kernel 6.98 has no synthio modules: its headers" in done.stdout
    assert k.entries("var/lib/synthio/not-built") == ["6.98", "6.99"]
    assert k.read("bin/asked") == "install --force synthio/1 -k 6.99"
    # and a build that succeeds later takes the note away
    k.put("bin/dkms", '#!/bin/sh\ncase "$*" in status*-k*) ;; status*) echo added;; '
          'esac\n')
    subprocess.run([k.path("src/packaging/dkms-kernel.sh"), "6.99"], check=True,
                   env={"PATH": f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin"},
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert k.entries("var/lib/synthio/not-built") == ["6.98"]


def main():
    """Runs each trial on a tree of its own."""
    with Tap() as tap:
        for trial in (lists, takes, refuses, goes_back, keeps, own_bus, reports,
                      boots_without, boots_in_use, boots_refused, grub, installer):
            with tempfile.TemporaryDirectory(prefix="synthio-tools.") as where:
                tap.test(trial.__doc__.rstrip("."), trial, Trial(where))


if __name__ == "__main__":
    main()
