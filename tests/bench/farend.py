# SPDX-License-Identifier: GPL-2.0-only
"""The far end of a network card: a tap in a network namespace of its own, and
programs that talk to the guest from there.

    guest  <- card ->  QEMU or synthhost  <- tap ->  namespace
    10.77.0.2                                        10.77.0.1

Whoever serves the card opens the tap by its name, in this program's namespace;
then it moves to its own, where nothing else lives.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import time

HERE = "10.77.0.1"
GUEST = "10.77.0.2"
MAC = "02:77:00:00:00:01"
NAMESPACES = "/run/netns"


class FarEndError(RuntimeError):
    """It cannot be made, or a program in it does not work."""


def ip(*words):
    """Runs ip(8)."""
    done = subprocess.run(["ip", *words], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise FarEndError(f"ip {' '.join(words)}: {done.stdout.strip()}")


def missing():
    """Why this machine cannot have one, or None."""
    if os.geteuid():
        return "taps and network namespaces need root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    if not shutil.which("ip"):
        return "iproute2 is not installed"
    return None


def sweep():
    """Removes what runs have left that were killed."""
    names = os.listdir(NAMESPACES) if os.path.isdir(NAMESPACES) else []
    for kind, name in ([("netns", n) for n in names]
                       + [("link", n) for n in os.listdir("/sys/class/net")]):
        m = re.fullmatch(r"sb(\d+)-\d+", name)
        if m and not os.path.exists(f"/proc/{m[1]}"):
            ip(kind, "del", name)


def _die_with_parent():
    # PR_SET_PDEATHSIG
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class FarEnd:
    """One of them. queues: of the tap."""

    count = 0

    def __init__(self, queues=1):
        FarEnd.count += 1
        # short enough for an interface's name
        self.name = f"sb{os.getpid()}-{FarEnd.count}"
        self.programs = []
        self.holder = None
        sweep()
        ip("netns", "add", self.name)
        ip("tuntap", "add", "dev", self.name, "mode", "tap", "vnet_hdr",
           *(["multi_queue"] if queues > 1 else []))

    def connect(self, mac):
        """The card is served: the tap moves. mac: of the guest's card."""
        name = self.name
        ip("link", "set", name, "netns", name)
        # what its counters are read through; "ip" becomes it when it is there
        self.holder = self.start("sleep", "infinity")
        deadline = time.monotonic() + 20
        while not self._entered():
            if time.monotonic() > deadline:
                raise FarEndError(f"{name} is not entered")
            time.sleep(0.01)
        # nobody is to be asked for addresses, or told of them
        self.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        ip("-n", name, "link", "set", name, "address", MAC)
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", name, "up")
        ip("-n", name, "address", "add", f"{HERE}/24", "dev", name)
        ip("-n", name, "neigh", "replace", GUEST, "lladdr", mac, "dev", name,
           "nud", "permanent")

    # -- programs --------------------------------------------------------------

    def run(self, *argv):
        """Runs a program there, to its end."""
        ip("netns", "exec", self.name, *argv)

    def start(self, *argv):
        """Starts a program there, returns its Popen."""
        proc = subprocess.Popen(
            ["ip", "netns", "exec", self.name, *argv],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, preexec_fn=_die_with_parent)
        self.programs.append(proc)
        return proc

    def stop(self, proc):
        """Ends one."""
        self.programs.remove(proc)
        proc.kill()
        proc.communicate()

    def listen(self, protocol, port, *argv):
        """Starts a program that listens, and waits until it does."""
        proc = self.start(*argv)
        deadline = time.monotonic() + 20
        entry = re.compile(rf"^ *\d+: [0-9A-F]{{8,32}}:{port:04X} ", re.M)
        while not entry.search(self._read(protocol)):
            if proc.poll() is not None or time.monotonic() > deadline:
                raise FarEndError(f"{' '.join(argv)} does not listen: "
                                  + (proc.stderr.read() if proc.poll()
                                     is not None else "after 20 s"))
            time.sleep(0.01)
        return proc

    def pids(self):
        """Processes that load the guest from there."""
        return [p.pid for p in self.programs
                if p is not self.holder and p.poll() is None]

    # -- counters --------------------------------------------------------------

    def _entered(self):
        """True when the holder is in the namespace."""
        here, there = (os.stat(f"/proc/{pid}/ns/net") for pid in
                       ("self", self.holder.pid))
        return here.st_ino != there.st_ino

    def _read(self, what):
        with open(f"/proc/{self.holder.pid}/net/{what}", encoding="ascii") as f:
            return f.read()

    def counters(self):
        """{name: number}: frames from and to the guest, and what TCP has
        sent from there."""
        m = re.search(rf"^ *{self.name}:(.*)$", self._read("dev"), re.M)
        if not m:
            raise FarEndError(f"{self.name} has gone")
        dev = [int(x) for x in m[1].split()]
        names, values = re.findall(r"^Tcp: (.*)$", self._read("snmp"), re.M)
        tcp = dict(zip(names.split(), values.split()))
        return {"from_guest": dev[0 + 1], "to_guest": dev[8 + 1],
                "sent_segments": int(tcp["OutSegs"])}

    @property
    def dropped(self):
        """The file that counts frames that the guest's card had no room for,
        as a program there sees it."""
        return f"/sys/class/net/{self.name}/statistics/tx_dropped"

    def close(self):
        """Ends it all; the tap goes with its namespace."""
        for proc in list(self.programs):
            self.stop(proc)
        for kind, where in (("netns", NAMESPACES), ("link", "/sys/class/net")):
            if os.path.exists(os.path.join(where, self.name)):
                ip(kind, "del", self.name)
