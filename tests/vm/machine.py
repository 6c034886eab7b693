# SPDX-License-Identifier: GPL-2.0-only
"""The machines that QEMU emulates for guests, one class per architecture."""

G = 1 << 30


class Amd64:
    """A PC.

    default: machine of a guest that asks for none; options: more of -machine;
    program, cpu: QEMU's; console, agent: the guest's names of its serial ports;
    cmdline: what its kernel is told besides; chardev, agent_args: QEMU's ends of
    the console and of the second port; plugs: whether CPUs can be added to it,
    so that maxcpus are possible; wakes: whether its power button ends a sleep
    """

    default = "q35"
    options = {"pc": "", "q35": "sata=off"}
    program = "qemu-system-x86_64"
    cpu = "max,la57=off"
    console, agent = "ttyS0", "ttyS1"
    plugs = True
    wakes = True
    cmdline = "no_timer_check tsc=nowatchdog"
    chardev = "file,id=console,path=console.log,append=on"
    agent_args = ("-serial", "chardev:agent")

    @staticmethod
    def ram_ranges(machine, ram):
        """Where QEMU puts RAM: [(offset in the file, guest address, bytes)].

        pc (hw/i386/pc_piix.c): all below 4 GiB if less than 3.5 GiB, else
        3 GiB; q35 (hw/i386/pc_q35.c): all if less than 2.75 GiB, else 2 GiB.
        """
        limit, low = {"pc": (0xe0000000, 3 * G),
                      "q35": (0xb0000000, 2 * G)}[machine]
        if ram < limit:
            return [(0, 0, ram)]
        return [(0, 0, low), (low, 4 * G, ram - low)]

    @staticmethod
    def sysrq(guest, key):
        """Presses Alt-SysRq-key on the emulated keyboard."""
        guest.qmp("send-key", keys=[{"type": "qcode", "data": k}
                                    for k in ("alt", "sysrq", key)])


class Arm64:
    """QEMU's "virt" board: GICv3, PCI Express, one serial port of its own (the
    agent's is a PCI function), started without firmware from a device tree.

    The CPU is one that QEMU emulates with little effort: "max" signs pointers.
    """

    default = "virt"
    options = {"virt": "gic-version=3"}
    program = "qemu-system-aarch64"
    cpu = "cortex-a76"
    console, agent = "ttyAMA0", "ttyS0"
    plugs = False
    wakes = False       # the device tree does not say that it may
    cmdline = ""
    # also an input, for sysrq(): what is written is logged whether or not
    # somebody is connected
    chardev = ("socket,id=console,path=console,server=on,wait=off,"
               "logfile=console.log,logappend=on")
    agent_args = ("-device", "pci-serial,chardev=agent")

    @staticmethod
    def ram_ranges(_machine, ram):
        """One range, from 1 GiB on (hw/arm/virt.c)."""
        return [(0, G, ram)]

    @staticmethod
    def sysrq(guest, key):
        """Sends a break and a letter to the console's serial port."""
        guest.qmp("chardev-send-break", id="console")
        guest.type_console(key)


MACHINES = {"amd64": Amd64, "arm64": Arm64}
