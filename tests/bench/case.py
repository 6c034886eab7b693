# SPDX-License-Identifier: GPL-2.0-only
"""What the cases have in common: which peers, rows and setups are asked for."""

import fnmatch

from core import Setup


class Case:
    """What core.Bench runs.

    A case says: name, title; ours: the name of our peer; targets: {peer:
    ratio}, of rows that have one; work: what the costs are of, "I/O", say;
    all_peers; short: names of the rows of a quick run; columns: more costs that
    a row's table shows, as report.COSTS has them

    quick: a few rows; rounds: how many, or None; peers, setups, wanted: lists
    of names, and of globs of rows. Names that it does not know are left to
    another case, unless it knows none of them: then it raises ValueError.
    """

    name = title = ours = work = None
    targets = {}
    all_peers = ()
    short = ()
    columns = ()

    def __init__(self, quick=False, rounds=None, peers=(), wanted=(),
                 setups=()):
        self.peers = [p for p in self.all_peers
                      if not peers or p.name in peers]
        if not self.peers:
            raise ValueError(f"no such peer; {self.name} has: "
                             + " ".join(p.name for p in self.all_peers))
        every = self.all_rows()
        if wanted:
            self.rows = [r for r in every
                         if any(fnmatch.fnmatch(r.name, w) for w in wanted)]
        else:
            self.rows = [r for r in every if not quick or r.name in self.short]
        if not self.rows:
            raise ValueError(f"no such row; {self.name} has: "
                             + " ".join(r.name for r in every))
        usual = [
            Setup("1cpu", "one vCPU of two possible", True,
                  rounds or (3 if quick else 5), True, 1.0 if quick else 3.0,
                  1, False),
            Setup("counted", "one vCPU, with a plugin that counts what it "
                  "does: costs only", False, rounds or 2, False, 1.5, 1, True),
            Setup("2cpu", "two vCPUs, with the plugin: costs only", False,
                  rounds or 2, False, 1.5, 2, True)]
        names = [s.name for s in usual]
        for s in setups:
            if s not in names:
                raise ValueError(f"no setup {s}; there are: {' '.join(names)}")
        self.setups = [s for s in usual if s.name in setups] if setups else (
            usual[:1] if quick else usual)

    @staticmethod
    def all_rows():
        """All rows that there are."""
        raise NotImplementedError

    def rows_of(self, _setup):
        """The rows that make sense in a setup."""
        return self.rows

    def settings(self):
        """(name, text) of what holds for all peers."""
        raise NotImplementedError

    @staticmethod
    def brief(row, metrics):
        """A measurement in a few words."""
        raise NotImplementedError

    def prepare(self):
        """Makes what its guests need."""

    def tidy(self):
        """Removes it."""
