# SPDX-License-Identifier: GPL-2.0-only
"""The core of the benchmark: setups, rounds, progress. It knows no device.

A case (disk.py is one) has peers, rows and setups. A setup is a kind of guest;
each peer boots one. In a timed setup all guests are booted first, and
all but the one that is measured stand still, so what disturbs the machine for
a minute disturbs all peers, in one round of several. In the others one guest
after the other is booted, measured and ended: for what is counted, not timed.
"""

import collections
import sys
import time

from guest import GuestError

Setup = collections.namedtuple(
    "Setup", "name title timed rounds warm_up seconds smp counted")
Setup.__doc__ = """A kind of guest, and how it is measured.

name, title: short, and for the report; timed: interleaved, see above
rounds: that count; warm_up: True: one before them that does not
seconds: of a measurement, without what leads to it; smp: vCPUs
counted: True: a plugin of QEMU's counts what the guest does
"""

Row = collections.namedtuple("Row", "name title unit target options lower",
                             defaults=(False,))
Row.__doc__ = """What is measured of each peer.

unit: "IOPS", say, or "p50": the metric that ratios are made of
target: True if the case's targets hold for it; options: the case's
lower: True: less of it is better
"""

# What a peer's guest, or what serves it, may come to
TROUBLE = (GuestError, RuntimeError, ValueError, OSError)

# What a step takes, in seconds, until some have been seen
GUESS = {"boot": 6.0, "measure": 1.3, "end": 0.5}


class Progress:
    """One line for each step, with the time at which all will be over."""

    def __init__(self, steps, out=sys.stdout):
        self.left = dict(steps)         # kind: how many are to come
        self.total = sum(self.left.values())
        self.number = 0
        self.took = {}                  # kind: [seconds]
        self.out = out

    def _eta(self, extra):
        left = 0.0
        for kind, n in self.left.items():
            seen = self.took.get(kind)
            each = (sum(seen) / len(seen) if seen
                    else GUESS[kind[0]] + (kind[1] or 0))
            left += max(0, n) * each
        return time.strftime("%H:%M:%S",
                             time.localtime(time.time() + left + extra))

    def expected(self):
        """When it ends, before anything was done."""
        return self._eta(0)

    def step(self, kind, seconds, text):
        """A step is done."""
        self.number += 1
        self.left[kind] = self.left.get(kind, 0) - 1
        self.took.setdefault(kind, []).append(seconds)
        width = len(str(self.total))
        print(f"[{self.number:{width}}/{self.total}, ends {self._eta(0)}] "
              f"{text}", file=self.out, flush=True)

    def skip(self, kind, count):
        """Steps that will not come."""
        self.left[kind] = self.left.get(kind, 0) - count
        self.total -= count


def _seconds(setup, number):
    """How long a measurement takes: the warm-up's are not looked at."""
    return setup.seconds if number else setup.seconds / 2


class Bench:
    """Runs a case.

    absent: {peer: why it is not there}; failed: [(setup, peer, why)]
    cannot: {(setup, row, peer): why a row is n/a}
    idle: {setup: CPUs that all guests use while they stand still}
    """

    def __init__(self, case, results, out=sys.stdout):
        self.case = case
        self.results = results
        self.out = out
        self.absent = {}
        self.failed = []
        self.cannot = {}
        self.idle = {}
        self.peers = []
        self.progress = None

    def say(self, text):
        """Prints a line."""
        print(text, file=self.out, flush=True)

    # -- one peer --------------------------------------------------------------

    def _fail(self, setup, peer, why):
        why = str(why).strip() or type(why).__name__
        self.failed.append((setup.name, peer.name, why))
        self.say(f"{peer.name}: FAILED in {setup.name}: {why}")

    def _start(self, setup, peer):
        """Boots a peer's guest and leaves it standing still."""
        start = time.monotonic()
        peer.start(setup)
        for row in self.case.rows:
            why = peer.cannot(setup, row)
            if why:
                self.cannot[setup.name, row.name, peer.name] = why
        peer.pause()
        self.progress.step(("boot", None), time.monotonic() - start,
                           f"{setup.name}: {peer.name} has booted")

    def _stop(self, setup, peer):
        start = time.monotonic()
        try:
            peer.stop()
        except GuestError as e:
            self._fail(setup, peer, e)
        self.progress.step(("end", None), time.monotonic() - start,
                           f"{setup.name}: {peer.name} has ended")

    def _measure(self, setup, peer, row, number):
        """One measurement; a guest that fails is booted again, once."""
        start = time.monotonic()
        seconds = _seconds(setup, number)
        for attempt in range(2):
            try:
                peer.resume()
                metrics = peer.measure(setup, row, seconds)
                peer.pause()
                break
            except TROUBLE as e:
                if attempt:
                    raise
                self.say(f"{peer.name}: {row.name} failed, once more in a "
                         f"new guest: {e}")
                peer.abandon()
                peer.start(setup)
        self.results.add(self.case.name, setup.name, number, peer.name,
                         row.name, metrics)
        what = f"round {number}/{setup.rounds}" if number else "warm-up"
        self.progress.step(("measure", seconds), time.monotonic() - start,
                           f"{setup.name}: {what}: {row.name} {peer.name}: "
                           + self.case.brief(row, metrics))

    def _rows(self, setup, peer):
        return [r for r in self.case.rows_of(setup)
                if (setup.name, r.name, peer.name) not in self.cannot]

    # -- all of them -------------------------------------------------------------

    @staticmethod
    def _numbers(setup):
        return range(0 if setup.warm_up else 1, setup.rounds + 1)

    def _plan(self):
        steps = collections.Counter()
        n = len(self.peers)
        for setup in self.case.setups:
            steps["boot", None] += n
            steps["end", None] += n
            for number in self._numbers(setup):
                steps["measure", _seconds(setup, number)] += (
                    n * len(self.case.rows_of(setup)))
        self.progress = Progress(steps, self.out)

    def _drop_rows(self, setup, peer):
        """Corrects the plan for rows that a peer cannot run."""
        rows = len(self.case.rows_of(setup)) - len(self._rows(setup, peer))
        for number in self._numbers(setup):
            self.progress.skip(("measure", _seconds(setup, number)), rows)

    def _lose(self, setup, peer, why):
        """A peer is out of a setup for good."""
        self._fail(setup, peer, why)
        peer.abandon()
        self.progress.skip(("end", None), 1)

    def _look_at_idle(self, setup, live):
        """What stands still must not take CPU from what is measured."""
        start = [time.monotonic(), sum(p.cpu() for p in live)]
        time.sleep(1)
        self.idle[setup.name] = ((sum(p.cpu() for p in live) - start[1])
                                 / (time.monotonic() - start[0]))

    def _interleaved(self, setup):
        live = []
        try:
            for peer in self.peers:
                try:
                    live.append(peer)
                    self._start(setup, peer)
                    self._drop_rows(setup, peer)
                except TROUBLE as e:
                    self._lose(setup, peer, e)
                    live.remove(peer)
            self._look_at_idle(setup, live)
            todo = [(n, row, peer) for n in self._numbers(setup)
                    for row in self.case.rows_of(setup) for peer in self.peers]
            for number, row, peer in todo:
                what = ("measure", _seconds(setup, number))
                if peer not in live:
                    self.progress.skip(what, 1)
                elif row in self._rows(setup, peer):
                    try:
                        self._measure(setup, peer, row, number)
                    except TROUBLE as e:
                        self._lose(setup, peer, e)
                        self.progress.skip(what, 1)
                        live.remove(peer)
            while live:
                self._stop(setup, live.pop(0))
        finally:
            for peer in live:
                peer.abandon()

    def _one_by_one(self, setup):
        for peer in self.peers:
            try:
                self._start(setup, peer)
                self._drop_rows(setup, peer)
                for number in self._numbers(setup):
                    for row in self._rows(setup, peer):
                        self._measure(setup, peer, row, number)
                self._stop(setup, peer)
            except TROUBLE as e:
                self._lose(setup, peer, e)
            finally:
                peer.abandon()

    def run(self):
        """Measures; True if all that could be measured was."""
        for peer in self.case.peers:
            why = peer.missing()
            if why:
                self.absent[peer.name] = why
                self.say(f"{peer.name} is left out: {why}")
            else:
                self.peers.append(peer)
        if not self.peers:
            raise RuntimeError("none of the peers is there")
        self._plan()
        self.say(f"{self.case.name}: {len(self.peers)} peers, "
                 f"{len(self.case.rows)} rows, {self.progress.total} steps; "
                 f"ends at about {self.progress.expected()}")
        self.case.prepare()
        try:
            for setup in self.case.setups:
                self.say(f"-- {setup.name}: {setup.title}")
                if setup.timed:
                    self._interleaved(setup)
                else:
                    self._one_by_one(setup)
        finally:
            self.case.tidy()
        return not self.failed
