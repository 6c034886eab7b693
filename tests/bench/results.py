# SPDX-License-Identifier: GPL-2.0-only
"""What was measured: kept, written to results.tsv as it comes, summed up."""

from stats import Summary

FIELDS = ("case", "setup", "round", "peer", "row", "metric", "value")


class Results:
    """Values by setup, row, peer and metric.

    A setup is a kind of guest in which all of a case's peers are measured.
    Round 0 is the warm-up: it is written down, and not summed up.
    """

    def __init__(self, path=None, facts=()):
        self.values = {}
        self.facts = list(facts)        # (name, text): machine, versions
        self.file = open(path, "w", encoding="utf-8") if path else None
        if self.file:
            for name, text in self.facts:
                self.file.write(f"# {name}: {text}\n")
            self.file.write("\t".join(FIELDS) + "\n")
            self.file.flush()

    def add(self, case, setup, number, peer, row, metrics):
        """Takes a measurement: metrics is a dict of numbers; None: n/a."""
        for metric, value in metrics.items():
            text = "n/a" if value is None else f"{value:.6g}"
            if self.file:
                self.file.write("\t".join(
                    (case, setup, str(number), peer, row, metric, text))
                    + "\n")
            if number and value is not None:
                self.values.setdefault((case, setup, row, peer, metric),
                                       []).append(value)
        if self.file:
            self.file.flush()

    def get(self, case, setup, row, peer, metric):
        """A Summary, or None where there is nothing."""
        values = self.values.get((case, setup, row, peer, metric))
        return Summary(values) if values else None

    def all(self, metric):
        """All values of a metric, whatever they belong to."""
        return [v for k, vs in self.values.items() if k[4] == metric
                for v in vs]

    def close(self):
        """Ends the file."""
        if self.file:
            self.file.close()
            self.file = None
