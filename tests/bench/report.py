# SPDX-License-Identifier: GPL-2.0-only
"""What is printed at the end, and report.html: tables, plots, verdicts."""

import html
import os
import re
import subprocess
import tempfile

from stats import Comparison, judge_floor, judge_target

# metric, heading of its column, decimals, what it is; {}: what the costs are of
COSTS = [
    ("irqs", "irq/{}", 2, "interrupts of the device's vectors, in the guest"),
    ("doorbells", "bell/{}", 2, "times that the guest rang the host"),
    ("guest_us", "guest us", 1, "CPU time of the guest's vCPUs for each {}, by "
     "its kernel"),
    ("host_us", "host us", 1, "CPU time on this machine for each {}: QEMU, and "
     "what else serves the device"),
]
# ... where a plugin counts, which costs time: those two are not shown then
COUNTS = [
    ("exits", "exit/{}", 2, "accesses to device registers, which leave a "
     "guest; without the local APIC's (setup \"counted\")"),
    ("insns", "insn/{}", 0, "instructions of the guest (setup \"counted\")"),
]
# what a row's unit is headed by, where that is not its name
UNITS = {"p50": "p50 us", "pps": "packets/s"}
LATENCIES = ("p50", "p99")
# more than this much of a CPU for somebody else, and the figures are doubtful
BUSY = 0.15


def number(value, decimals=0):
    """A number, or n/a."""
    return "n/a" if value is None else f"{value:.{decimals}f}"


def unit(row):
    """The unit of a row, as people read it."""
    return UNITS.get(row.unit, row.unit)


class Table:
    """Headings and lines of text; names: how many columns on the left are
    no figures, as the last one is none."""

    def __init__(self, title, head, names=1):
        self.title = title
        self.names = names
        self.head = head
        self.lines = []
        self.notes = []

    def text(self):
        """As text."""
        rows = [self.head] + self.lines
        width = [max(len(r[i]) for r in rows) for i in range(len(self.head))]
        out = [self.title]
        for r in rows:
            out.append("  " + "  ".join(
                x.ljust(w) if i < self.names or i == len(r) - 1
                else x.rjust(w)
                for i, (x, w) in enumerate(zip(r, width))).rstrip())
        return "\n".join(out + ["  " + n for n in self.notes])

    def html(self):
        """As HTML."""
        e = html.escape
        out = [f"<h3>{e(self.title)}</h3>", "<table><tr>"]
        out += [f"<th>{e(x)}</th>" for x in self.head]
        out.append("</tr>")
        for r in self.lines:
            out.append("<tr>" + "".join(f"<td>{e(x)}</td>" for x in r)
                       + "</tr>")
        out.append("</table>")
        out += [f"<p>{e(n)}</p>" for n in self.notes]
        return "\n".join(out)


class Report:
    """What a Bench that has run comes to."""

    def __init__(self, bench):
        self.bench = bench
        self.case = bench.case
        self.results = bench.results
        self.main = self._first(lambda s: s.timed)
        self.counted = self._first(lambda s: s.counted)
        self.present = [p.name for p in bench.peers]

    def _first(self, wanted):
        return next((s for s in self.case.setups if wanted(s)), None)

    def summary(self, setup, row, peer, metric):
        """A Summary, or None."""
        return self.results.get(self.case.name, setup.name, row.name, peer,
                                metric)

    def compare(self, setup, row, peer, metric=None, lower=None):
        """Ours against a peer, or None where one of them has no figures.

        Of what the row's ratios are made of, or another metric; lower: True if
        less of that is better
        """
        if metric is None:
            metric, lower = row.unit, row.lower
        ours, theirs = (self.summary(setup, row, p, metric)
                        for p in (self.case.ours, peer))
        return Comparison(ours, theirs, not lower) if ours and theirs else None

    def _heads(self, columns):
        return [c[1].format(self.case.work) for c in columns]

    def _cells(self, setup, row, peer, columns):
        cells = []
        for metric, _, decimals, _ in columns:
            s = setup and self.summary(setup, row, peer, metric)
            cells.append(number(s and s.median, decimals))
        return cells

    def _count_columns(self):
        return COUNTS if self.counted else []

    def _ratio_cell(self, row, peer):
        if peer == self.case.ours:
            return ""
        c = self.compare(self.main, row, peer)
        if not c or c.ratio is None:
            return "n/a"
        worse = "ABOVE" if row.lower else "BELOW"
        return f"{c.ratio:.2f} x " + {"same": "within the spread",
                                      "better": "beyond the spread",
                                      "worse": worse + ", beyond the spread"}[
                                          c.word]

    def _latencies(self, row):
        """Those that were measured in a row, and are not what it is about."""
        return [m for m in LATENCIES if m != row.unit
                and any(self.summary(self.main, row, p, m)
                        for p in self.present)]

    def row_table(self, row):
        """All peers in one row, timed."""
        ours = self.case.ours
        latencies = self._latencies(row)
        columns = COSTS + [c for c in self.case.columns if any(
            self.summary(self.main, row, p, c[0]) for p in self.present)]
        head = ["", unit(row), "spread", *[f"{m} us" for m in latencies],
                *self._heads(columns + self._count_columns()),
                f"{ours} is" if ours in self.present else ""]
        t = Table(f"{row.name}: {row.title}", head)
        for peer in self.present:
            s = self.summary(self.main, row, peer, row.unit)
            if not s:
                why = self.bench.cannot.get((self.main.name, row.name, peer),
                                            "not measured")
                t.lines.append([peer] + ["n/a"] * (len(head) - 2)
                               + [f"({why})"])
                continue
            digits = 0 if s.median >= 100 else 1 if s.median >= 10 else 2
            t.lines.append([
                peer, number(s.median, digits),
                f"{number(s.q1, digits)}..{number(s.q3, digits)}",
                *[number(x and x.median) for x in (
                    self.summary(self.main, row, peer, m)
                    for m in latencies)],
                *self._cells(self.main, row, peer, columns),
                *self._cells(self.counted, row, peer, self._count_columns()),
                self._ratio_cell(row, peer) if ours in self.present else ""])
        return t

    def cost_table(self, setup):
        """Costs in another setup."""
        columns = COSTS[:2] + COUNTS
        t = Table(f"{setup.name}: {setup.title}",
                  ["", "", *self._heads(columns), "instructions: ours"
                   if self.case.ours in self.present else ""], names=2)
        for row in self.case.rows_of(setup):
            name = row.name
            for peer in self.present:
                if (setup.name, row.name, peer) in self.bench.cannot:
                    continue
                c = None if peer == self.case.ours else self.compare(
                    setup, row, peer, "insns", True)
                t.lines.append([
                    name, peer, *self._cells(setup, row, peer, columns),
                    f"{c.ratio:.2f} x" if c and c.ratio else ""])
                name = ""
        return t

    def verdicts(self):
        """[(Verdict, row name, peer, "target" or "floor")]."""
        out = []
        for row in self.case.rows:
            for peer in self.present:
                c = None if peer == self.case.ours else self.compare(
                    self.main, row, peer)
                if not c:
                    continue
                target = self.case.targets.get(peer)
                if target and row.target:
                    out.append((judge_target(c, target), row.name, peer,
                                "target"))
                out.append((judge_floor(c, row.lower), row.name, peer,
                            "floor"))
        return out

    def verdict_lines(self):
        """The targets, each with its verdict; of the floor what breaks it."""
        ours = self.case.ours
        if not self.main:
            return ["nothing was timed"]
        if ours not in self.present:
            why = self.bench.absent.get(ours, "it is not among the peers")
            return [f"no ratios and no targets without {ours}: {why}"]
        lines, floor, below = [], 0, 0
        for v, row, peer, kind in self.verdicts():
            if kind == "target":
                lines.append(f"{row} against {peer}: {v.text}")
            else:
                floor += 1
                if not v.good:
                    below += 1
                    lines.append(f"{row} against {peer}: {v.text}")
        lines.append(f"worse than a peer beyond the spread: {below} of {floor} "
                     "comparisons")
        return lines

    def notes(self):
        """What to know before believing it."""
        out = [f"absent: {p}: {why}" for p, why in self.bench.absent.items()]
        out += [f"FAILED: {p} in {s}: {' / '.join(why.splitlines()[:3])}"
                for s, p, why in self.bench.failed]
        out += [f"{s}: guests that stood still used {cpus:.3f} CPUs in all"
                for s, cpus in self.bench.idle.items()]
        others = self.results.all("others")
        if others:
            busy = sum(x > BUSY for x in others)
            out.append(
                f"this machine did other things in {busy} of {len(others)} "
                f"measurements (more than {BUSY} CPUs; "
                f"{max(others):.2f} at most)")
            if busy * 10 > len(others):
                out.append("THE MACHINE WAS BUSY: timings and spreads are "
                           f"not to be trusted, counts per {self.case.work} are")
        return out

    def legend(self):
        """What the columns are."""
        work = self.case.work
        return [f"{head.format(work)}: {what.format(work)}"
                for _, head, _, what in COSTS + list(self.case.columns)
                + self._count_columns()] + [
            "medians of the rounds; spread: the middle half of the rounds",
            f"ratios are of medians, {self.case.ours} by peer; beyond the "
            "spread: the two spreads do not touch"]

    def tables(self):
        """All tables."""
        out = [self.row_table(r) for r in self.case.rows] if self.main else []
        return out + [self.cost_table(s) for s in self.case.setups
                      if not s.timed]

    def text(self):
        """As text."""
        out = [f"== {self.case.title}", ""]
        out += [f"  {n}: {v}" for n, v in
                self.results.facts + self.case.settings()]
        out += ["", *(t.text() + "\n" for t in self.tables())]
        out += ["Targets", *("  " + x for x in self.verdict_lines()), ""]
        out += ["Columns", *("  " + x for x in self.legend()), ""]
        out += ["Notes", *("  " + x for x in self.notes())]
        return "\n".join(out)

    # -- plots -------------------------------------------------------------------

    def _bars(self, setup, metric, rows, title, unit):
        """gnuplot's commands and data for one plot of bars."""
        data, series = [], []
        for i, peer in enumerate(self.present):
            lines = []
            for r in rows:
                s = self.summary(setup, r, peer, metric)
                lines.append(f"{r.name} {s.median:.6g} {s.q1:.6g} {s.q3:.6g}"
                             if s else f"{r.name} NaN NaN NaN")
            data.append(f"$p{i} << END\n" + "\n".join(lines) + "\nEND\n")
            series.append(f"$p{i} using 2:3:4:xtic(1) title '{peer}'")
        return (
            "".join(data)
            + f"set title '{title}'\nset ylabel '{unit}'\n"
            + f"plot {', '.join(series)}\n")

    def svg(self, setup, metric, rows, title, unit):
        """One plot, as an <svg> element; None without figures. Rows that have
        none are left out."""
        rows = [r for r in rows if setup and any(
            self.summary(setup, r, p, metric) for p in self.present)]
        if not rows:
            return None
        width = min(1600, 260 + 110 * len(rows))
        script = (
            f"set terminal svg noenhanced size {width},420 font 'sans-serif,12' "
            "background rgb 'white'\n"
            "set style data histograms\n"
            "set style histogram errorbars gap 1.5 lw 1\n"
            "set style fill solid 0.8 border -1\nset boxwidth 0.9\n"
            "set yrange [0:*]\nset grid ytics\nset key outside right top\n"
            "set xtics rotate by -30\n"
            + self._bars(setup, metric, rows, title, unit))
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "plot")
            with open(path, "w", encoding="utf-8") as f:
                f.write(script)
            try:
                done = subprocess.run(["gnuplot", path], text=True, timeout=60,
                                      stdout=subprocess.PIPE, check=False,
                                      stderr=subprocess.PIPE)
            except (OSError, subprocess.TimeoutExpired) as e:
                return f"<p>no plot: {html.escape(str(e))}</p>"
        found = re.search(r"<svg.*</svg>", done.stdout, re.S)
        if not found:
            return f"<p>no plot: {html.escape(done.stderr[:300])}</p>"
        # several in one page: what they define needs names of its own
        tag = re.sub(r"\W", "_", title)
        return re.sub(r"(id=['\"]|url\(['\"]?#|href=['\"]#)", rf"\g<1>{tag}_",
                      found[0])

    def plots(self):
        """All plots."""
        rows, work = self.case.rows, self.case.work
        units = sorted({r.unit for r in rows} - set(LATENCIES))
        t, c = self.main, self.counted
        groups = [(t, u, [r for r in rows if r.unit == u], UNITS.get(u, u),
                   UNITS.get(u, u)) for u in units]
        groups += [(t, "p50", rows, "Latency, median", "us"),
                   (t, "p99", rows, "Latency, 99th percentile", "us"),
                   (t, "irqs", rows, f"Interrupts per {work}", ""),
                   (t, "host_us", rows, f"Host CPU time per {work}", "us"),
                   (c, "exits", rows, f"Device accesses per {work}", ""),
                   (c, "insns", rows, f"Guest instructions per {work}", "")]
        return [x for x in (self.svg(*g) for g in groups) if x]

    def html(self):
        """As a part of a page."""
        e = html.escape
        facts = "".join(f"<tr><td>{e(n)}</td><td>{e(v)}</td></tr>" for n, v in
                        self.results.facts + self.case.settings())

        def items(lines):
            return "<ul>" + "".join(f"<li>{e(x)}</li>" for x in lines) + "</ul>"

        return "\n".join([
            f"<h2>{e(self.case.title)}</h2>", f"<table>{facts}</table>",
            "<h3>Notes</h3>", items(self.notes()),
            "<h3>Targets</h3>", items(self.verdict_lines()),
            *self.plots(), *(t.html() for t in self.tables()),
            "<h3>Columns</h3>", items(self.legend())])


PAGE = """<!DOCTYPE html>
<!-- made by make bench -->
<html lang="en"><head><meta charset="utf-8"><title>synthio: make bench</title>
<style>
body {{ font-family: sans-serif; margin: 2em; max-width: 110em }}
table {{ border-collapse: collapse; font-size: 90% }}
td, th {{ border: 1px solid #ccc; padding: .2em .6em; text-align: right }}
td:first-child, td:last-child {{ text-align: left }}
svg {{ display: block; margin: 1em 0; max-width: 100%; height: auto }}
</style></head><body>
<h1>make bench</h1>
{body}
</body></html>
"""


def page(reports):
    """report.html."""
    return PAGE.format(body="\n".join(r.html() for r in reports))
