# SPDX-License-Identifier: GPL-2.0-only
"""What in a guest's console, or in synthhost's log, fails a run."""

import re

PROBLEM = re.compile("|".join((
    r"\bBUG: ", r"\bOops\b", r"WARNING:", r"Call Trace", r"Kernel panic",
    r"KASAN:", r"UBSAN:", r"KCSAN:", r"KFENCE: ",
    r"possible (circular|recursive|irq lock|deadlock)",
    r"inconsistent lock state", r"suspicious RCU", r"held lock freed",
    r"bad unlock balance", r"DEBUG_LOCKS_WARN_ON", r"lock held when returning",
    r"sleeping function called", r"scheduling while atomic",
    r"Invalid wait context",
    r"kmemleak: \d+ new suspected", r"unreferenced object",
    r"blocked for more than", r"soft lockup", r"hard LOCKUP",
    r"rcu: INFO:", r"self-detected stall", r"rcu_\w+ kthread starved",
    r"general protection fault", r"[Uu]nable to handle", r"refcount_t:",
    r"list_(add|del) corruption", r"Bad page\b", r"bad page state",
    r"Objects remaining", r"Object already free", r"Redzone",
    r"ODEBUG:", r"stack-protector", r"invalid opcode", r"double fault",
    r"irq \d+: nobody cared", r"Out of memory:", r"segfault at",
    r"disagrees about version of symbol", r"Unknown symbol",
    r"^init: ", r"sysfs: cannot create duplicate",
    # ours: memory that the host has not given back
    r"\bpages (are lost|leaked)\b",
)))

# Out-of-tree modules are neither built with nor signed for the kernel; an
# emulated TSC is no steady clock when this machine is busy.
NOISE = re.compile("|".join((
    r"loading out-of-tree module taints kernel",
    r"module verification failed: signature and/or required key missing",
    r"clocksource: timekeeping watchdog on CPU", r"Marking TSC unstable",
)))

SANITIZER = re.compile(r"ERROR: (Address|Leak|Thread|UndefinedBehavior)"
                       r"Sanitizer|runtime error:|SUMMARY: \w+Sanitizer|"
                       r"Assertion .* failed|stack smashing detected")

# What synthhost says of a guest that breaks the protocol, or costs it time
GUEST_FAULT = re.compile(r"guest error: |the guest signals needlessly")


def kernel_problems(text, allow=()):
    """Lines of a kernel's console that fail a run.

    allow: regular expressions of what the test provokes on purpose.
    """
    return [line for line in text.splitlines()
            if PROBLEM.search(line) and not NOISE.search(line)
            and not any(re.search(a, line) for a in allow)]


def host_problems(text, allow=()):
    """Lines of synthhost's log that fail a run.

    allow: as above; what a sanitizer says is never wanted.
    """
    return [line for line in text.splitlines()
            if SANITIZER.search(line) or GUEST_FAULT.search(line)
            and not any(re.search(a, line) for a in allow)]
