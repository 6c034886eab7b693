# SPDX-License-Identifier: GPL-2.0-only
"""Medians, spreads and verdicts: arithmetic only, so that it can be tested."""

import statistics


class Summary:
    """What a list of values, one for each round, comes to.

    median; q1, q3: quartiles; low, high: the extremes; n: how many. The
    spread is from q1 to q3: one round in which the machine was busy with
    something else does not widen it.
    """

    def __init__(self, values):
        if not values:
            raise ValueError("a summary of nothing")
        self.n = len(values)
        self.low, self.high = min(values), max(values)
        self.median = statistics.median(values)
        if self.n == 1:
            self.q1 = self.q3 = self.median
        else:
            self.q1, _, self.q3 = statistics.quantiles(values, n=4,
                                                       method="inclusive")

    def apart(self, other):
        """True if the spreads do not touch: the difference is beyond them."""
        return self.q1 > other.q3 or self.q3 < other.q1


class Comparison:
    """Ours against a peer's, in one row.

    ratio: of the medians, ours by theirs; None if theirs is 0
    word: "better", "worse", or "same" where the spreads touch
    """

    def __init__(self, ours, theirs, higher_is_better=True):
        self.ratio = ours.median / theirs.median if theirs.median else None
        if not ours.apart(theirs):
            self.word = "same"
        elif (ours.median > theirs.median) == higher_is_better:
            self.word = "better"
        else:
            self.word = "worse"


class Verdict:
    """What a target, or the floor, comes to in one row.

    good: True, False; text: for the report
    """

    def __init__(self, good, text):
        self.good = good
        self.text = text


def judge_target(comparison, target):
    """A ratio against the least that is aimed at."""
    if comparison.ratio is None:
        return Verdict(False, "no ratio: the peer has 0")
    good = comparison.ratio >= target
    return Verdict(good, f"{comparison.ratio:.2f}, target {target:.2f}: "
                   + ("reached" if good else "NOT reached"))


def judge_floor(comparison, lower=False):
    """Nowhere worse than a peer beyond the spread: below it, or above it where
    less is better."""
    side = "above" if lower else "below"
    if comparison.word == "worse":
        return Verdict(False, f"{comparison.ratio:.2f}: {side.upper()} it, "
                       "beyond the spread")
    return Verdict(True, f"not {side} it" + (
        " (within the spread)" if comparison.word == "same" else ""))
