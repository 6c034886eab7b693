# SPDX-License-Identifier: GPL-2.0-only
"""Which outcomes a memory model allows: an explorer of small litmus tests.

All executions of a test are made up: each path of each thread with each value
that a read might return, each write that the read may have it from, each order
of the writes to a location. An execution counts if it satisfies a model's axioms.
Two models:

    lkmm    the kernel's memory model, tools/memory-model/ in the kernel's
            sources, as explanation.txt there describes it: coherence, atomicity,
            happens-before and propagation, without RCU and plain accesses
    tso     x86: only a load may be executed before an earlier store

A relation between n events is a list of n numbers: bit j of number i stands for
the pair (i, j).
"""

import itertools


class Event:
    """A memory access or a fence.

    kind: "R", "W" or "F"; mode: order of an access, or name of a fence; ctrl,
    data: numbers of the reads in this thread that it depends on
    """

    # pylint: disable=too-many-arguments,too-few-public-methods
    def __init__(self, kind, loc, value, mode, ctrl=(), data=()):
        self.kind = kind
        self.loc = loc
        self.value = value
        self.mode = mode
        self.ctrl = frozenset(ctrl)
        self.data = frozenset(data)


class Trace:
    """One path of a thread: events, pairs of a read and its write that are one
    operation, final registers."""

    def __init__(self):
        self.events = []
        self.rmw = []
        self.regs = {}      # name: (value, reads that it depends on)
        self.ctrl = frozenset()

    def copy(self):
        """The same so far."""
        other = Trace()
        other.events = list(self.events)
        other.rmw = list(self.rmw)
        other.regs = dict(self.regs)
        other.ctrl = self.ctrl
        return other

    def add(self, *args, data=()):
        """Appends an event; returns its number."""
        self.events.append(Event(*args, self.ctrl, data))
        return len(self.events) - 1

    def evaluate(self, terms):
        """(value, reads) of a sum."""
        value, deps = 0, frozenset()
        for term in terms:
            if term.isdigit():
                value += int(term)
            else:
                v, d = self.regs.get(term, (0, frozenset()))
                value += v
                deps |= d
        return value, deps


def paths(statements, trace, values):
    """Each trace of statements. values: {location: what a read may return}"""
    if not statements:
        yield trace
        return
    first, rest = statements[0], statements[1:]
    if first.kind == "if":
        value, deps = trace.regs.get(first.reg, (0, frozenset()))
        taken = (value == first.value) == first.equal
        trace.ctrl |= deps
        yield from paths((first.then if taken else first.other) + rest, trace,
                         values)
        return
    for after in step(first, trace, values):
        yield from paths(rest, after, values)


def step(s, trace, values):
    """Each trace that one statement leads to."""
    if s.kind == "set":
        trace.regs[s.to] = trace.evaluate(s.value)
        yield trace
    elif s.kind == "fence":
        trace.add("F", None, None, s.fence)
        yield trace
    elif s.kind == "write":
        value, deps = trace.evaluate(s.value)
        trace.add("W", s.loc, value, s.order, data=deps)
        yield trace
    elif s.kind == "read":
        for value in values[s.loc]:
            after = trace.copy()
            i = after.add("R", s.loc, value, s.order)
            after.regs[s.to] = (value, frozenset([i]))
            yield after
    else:
        for value in values[s.loc]:
            yield from step_rmw(s, trace.copy(), value)


def step_rmw(s, trace, value):
    """The same for a read-modify-write that reads value."""
    expected = s.expect is None or trace.evaluate(s.expect)[0] == value
    if s.order == "lock" and not expected:
        return          # waits until the lock is free
    full = s.order == "full" and expected
    if full:
        trace.add("F", None, None, "mb")
    mode = "acquire" if s.order in ("acquire", "lock") and expected else \
        "noreturn" if s.order == "noreturn" else "once"
    i = trace.add("R", s.loc, value, mode)
    if s.to:
        trace.regs[s.to] = (value, frozenset([i]))
    if expected:
        new, deps = (value + s.add, frozenset([i])) if s.add else \
            trace.evaluate(s.value)
        j = trace.add("W", s.loc, new,
                      "release" if s.order == "release" else "once", data=deps)
        trace.rmw.append((i, j))
    if full:
        trace.add("F", None, None, "mb")
    yield trace


def locations(statements):
    """Names of all locations that statements access."""
    for s in statements:
        if s.kind == "if":
            yield from locations(s.then)
            yield from locations(s.other)
        elif s.kind in ("read", "write", "rmw"):
            yield s.loc


def possible_values(test, most=8):
    """{location: values} that may ever be in it."""
    values = {loc: {test.init.get(loc, 0)} for thread in test.threads
              for loc in locations(thread)}
    for _ in range(most):
        before = {loc: set(v) for loc, v in values.items()}
        for thread in test.threads:
            for trace in paths(thread, Trace(), before):
                for e in trace.events:
                    if e.kind == "W":
                        values[e.loc].add(e.value)
        if values == before:
            return values
    # a counter counts as often as there are threads that count
    return values


# ---- relations ---------------------------------------------------------------

def union(*relations):
    """What is in any of them."""
    return [sum_or(rows) for rows in zip(*relations)]


def sum_or(rows):
    """Bitwise or of numbers."""
    out = 0
    for row in rows:
        out |= row
    return out


def bits(row):
    """Numbers of the bits that are set."""
    while row:
        low = row & -row
        yield low.bit_length() - 1
        row ^= low


def compose(a, b):
    """a ; b"""
    return [sum_or(b[j] for j in bits(row)) for row in a]


def identity(n):
    """Each event with itself."""
    return [1 << i for i in range(n)]


def optional(a):
    """a or nothing"""
    return union(a, identity(len(a)))


def closure(a):
    """a any number of times, once at least"""
    out = list(a)
    for k in range(len(a)):
        for i, row in enumerate(out):
            if row >> k & 1:
                out[i] = row | out[k]
    return out


def acyclic(a):
    """No event leads to itself."""
    return not any(row >> i & 1 for i, row in enumerate(closure(a)))


def restrict(a, allowed):
    """Pairs for which allowed(i, j)."""
    return [sum_or(1 << j for j in bits(row) if allowed(i, j))
            for i, row in enumerate(a)]


# ---- executions --------------------------------------------------------------

class Execution:
    """Events of all threads and of the initial state, with what does not depend
    on who reads from whom."""

    def __init__(self, test, traces):
        self.events, self.thread = [], []
        self.rmw, deps = [], []
        for loc in sorted({e.loc for t in traces for e in t.events if e.loc}):
            self.events.append(Event("W", loc, test.init.get(loc, 0), "once"))
            self.thread.append(-1)
        for number, trace in enumerate(traces):
            base = len(self.events)
            for e in trace.events:
                self.events.append(e)
                self.thread.append(number)
                deps.append((len(self.events) - 1, base, e))
            self.rmw += [(base + i, base + j) for i, j in trace.rmw]
        n = self.n = len(self.events)
        self.po = [0] * n
        for i, j in itertools.combinations(range(n), 2):
            if self.thread[i] == self.thread[j] >= 0:
                self.po[i] |= 1 << j
        self.ctrl, self.data = [0] * n, [0] * n
        for i, base, e in deps:
            for k in e.ctrl:
                self.ctrl[base + k] |= 1 << i
            for k in e.data:
                self.data[base + k] |= 1 << i
        self.rmw_rel = [0] * n
        for i, j in self.rmw:
            self.rmw_rel[i] |= 1 << j
        self.po_loc = self.only(self.po, lambda a, b: a.loc and a.loc == b.loc)
        self.static = {}

    def only(self, relation, allowed):
        """Pairs of events for which allowed(a, b)."""
        return restrict(relation, lambda i, j: allowed(self.events[i],
                                                       self.events[j]))

    def between(self, fence, before="RW", after="RW"):
        """Accesses with such a fence between them."""
        out = [0] * self.n
        for k, e in enumerate(self.events):
            if e.kind != "F" or e.mode != fence:
                continue
            later = sum_or(1 << j for j in bits(self.po[k])
                           if self.events[j].kind in after)
            for i in range(self.n):
                if self.po[i] >> k & 1 and self.events[i].kind in before:
                    out[i] |= later
        return out

    def around_atomic(self):
        """smp_mb__before_atomic() and smp_mb__after_atomic()."""
        out = [0] * self.n
        halves = {i for pair in self.rmw for i in pair}
        for k, e in enumerate(self.events):
            if e.kind != "F" or e.mode not in ("mb__before_atomic",
                                               "mb__after_atomic"):
                continue
            before = [i for i in range(self.n) if self.po[i] >> k & 1
                      and self.events[i].kind != "F"]
            after = [j for j in bits(self.po[k]) if self.events[j].kind != "F"]
            if e.mode == "mb__before_atomic":
                firsts = [j for j in after if j in halves]
                after = [j for j in after if firsts and j >= firsts[0]]
            else:
                lasts = [i for i in before if i in halves]
                before = [i for i in before if lasts and i <= lasts[-1]]
            for i in before:
                out[i] |= sum_or(1 << j for j in after)
        return out

    def external(self, relation):
        """Pairs of different threads."""
        return restrict(relation,
                        lambda i, j: self.thread[i] != self.thread[j])

    def internal(self, relation):
        """Pairs of one thread."""
        return restrict(relation,
                        lambda i, j: self.thread[i] == self.thread[j])


class Witness:
    """An execution with its communication: rf, co and fr."""

    def __init__(self, ex, source, order):
        n = ex.n
        self.ex = ex
        self.rf, self.co, self.fr = [0] * n, [0] * n, [0] * n
        for writes in order:
            for i, j in itertools.combinations(writes, 2):
                self.co[i] |= 1 << j
        for read, write in source.items():
            self.rf[write] |= 1 << read
            self.fr[read] |= self.co[write]
        self.fre, self.coe = ex.external(self.fr), ex.external(self.co)
        self.rfe = ex.external(self.rf)

    def common(self):
        """Coherence and atomicity, which both models have."""
        if not acyclic(union(self.ex.po_loc, self.rf, self.co, self.fr)):
            return False
        between = compose(self.fre, self.coe)
        return not any(between[i] >> j & 1 for i, j in self.ex.rmw)


def tso(w):
    """x86's: stores are seen in order; all but a load after a store is in order."""
    ex = w.ex
    if "tso" not in ex.static:
        halves = {i for pair in ex.rmw for i in pair}
        ppo = restrict(ex.po, lambda i, j: ex.events[i].kind != "F" and
                       ex.events[j].kind != "F" and
                       (i in halves or j in halves or
                        (ex.events[i].kind, ex.events[j].kind) != ("W", "R")))
        # around a failed cmpxchg(), which is locked all the same, nothing
        # depends on it in any test
        ex.static["tso"] = union(ppo, ex.between("mb"))
    return acyclic(union(ex.static["tso"], w.rfe, w.co, w.fr))


def lkmm_static(ex):
    """What program order alone gives."""
    po_access = ex.only(ex.po, lambda a, b: a.kind != "F" and b.kind != "F")
    acq_po = ex.only(po_access, lambda a, b: a.mode == "acquire")
    po_rel = ex.only(po_access, lambda a, b: b.mode == "release")
    strong = union(ex.between("mb"), ex.around_atomic())
    rmb = ex.only(ex.between("rmb", "R", "R"),
                  lambda a, b: "noreturn" not in (a.mode, b.mode))
    wmb = ex.between("wmb", "W", "W")
    to_w = ex.only(union(ex.ctrl, ex.data), lambda a, b: b.kind == "W")
    return strong, po_rel, wmb, union(acq_po, po_rel, strong, rmb, wmb, to_w)


def lkmm(w):
    """The kernel's: happens-before and propagation."""
    ex = w.ex
    if "lkmm" not in ex.static:
        ex.static["lkmm"] = lkmm_static(ex)
    strong, po_rel, wmb, ppo = ex.static["lkmm"]
    overwrite = union(w.co, w.fr)
    rfi = ex.internal(w.rf)
    ppo = union(ppo, ex.internal(overwrite), compose(ex.data, rfi))
    # what was written before such a fence is seen before what comes after it
    cumul = union(compose(optional(w.rfe), union(strong, po_rel)), wmb)
    sequence = optional(closure(compose(w.rf, ex.rmw_rel)))
    cumul = compose(cumul, sequence)
    prop = compose(compose(optional(ex.external(overwrite)),
                           optional(closure(cumul))), optional(w.rfe))
    inner = restrict(ex.internal(prop), lambda i, j: i != j)
    hb = union(ppo, w.rfe, inner)
    if not acyclic(hb):
        return False
    return acyclic(compose(compose(prop, strong), optional(closure(hb))))


MODELS = {"lkmm": lkmm, "tso": tso}


def holds(condition, traces, memory):
    """Whether a condition is true, or may be while memory is None."""
    kind = condition[0]
    if kind == "reg":
        _, thread, name, value = condition
        return traces[thread].regs.get(name, (0,))[0] == value
    if kind == "mem":
        return memory is None or memory.get(condition[1], 0) == condition[2]
    if kind == "not":
        return memory is None or not holds(condition[1], traces, memory)
    parts = [holds(c, traces, memory) for c in condition[1:]]
    return all(parts) if kind == "and" else any(parts)


def coherence_orders(ex):
    """Each order of the writes to each location, the initial one first."""
    by_loc = {}
    for i, e in enumerate(ex.events):
        if e.kind == "W":
            by_loc.setdefault(e.loc, []).append(i)
    def orders(writes):
        for rest in itertools.permutations(writes[1:]):
            at = {w: k for k, w in enumerate(rest)}
            # a thread's own writes stay in order
            if all(at[i] < at[j] for i in rest for j in rest
                   if ex.po[i] >> j & 1):
                yield [writes[0], *rest]
    return itertools.product(*(list(orders(w)) for w in by_loc.values()))


def sources(ex):
    """Each way in which reads have their values from writes."""
    choices = []
    for i, e in enumerate(ex.events):
        if e.kind != "R":
            continue
        found = [j for j, w in enumerate(ex.events) if w.kind == "W" and
                 w.loc == e.loc and w.value == e.value and not ex.po[i] >> j & 1]
        if not found:
            return
        choices.append([(i, j) for j in found])
    for pairs in itertools.product(*choices):
        yield dict(pairs)


def reachable(test, models=("lkmm", "tso")):
    """{model: whether the test's outcome can be}."""
    values = possible_values(test)
    traces = [list(paths(t, Trace(), values)) for t in test.threads]
    found = {m: False for m in models}
    for combination in itertools.product(*traces):
        if not holds(test.condition, combination, None):
            continue
        ex = Execution(test, combination)
        for source in sources(ex):
            for order in coherence_orders(ex):
                memory = {ex.events[w[-1]].loc: ex.events[w[-1]].value
                          for w in order}
                if not holds(test.condition, combination, memory):
                    continue
                witness = Witness(ex, source, order)
                if not witness.common():
                    continue
                for m in models:
                    found[m] = found[m] or MODELS[m](witness)
                if all(found.values()):
                    return found
    return found
