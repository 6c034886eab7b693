# SPDX-License-Identifier: GPL-2.0-only
"""Litmus tests: reads them, and makes mutants of them.

A file is a litmus test in herd's C dialect, with the names of the kernel's
barriers, so that herd7 reads it, too. This is the part of that dialect that is
understood here:

    READ_ONCE WRITE_ONCE smp_load_acquire smp_store_release
    smp_mb smp_rmb smp_wmb smp_mb__before_atomic smp_mb__after_atomic
    xchg cmpxchg, each also with _relaxed, _acquire, _release
    atomic_inc spin_lock spin_unlock
    if (REGISTER == NUMBER) { } else { }, also with != or without a comparison
    registers (int r0;), expressions of numbers, registers and +
    exists (P:r0=1 /\\ x=0 ...), with ~, /\\, \\/ and parentheses

Between the name and the initial state stand comments, and in them fields:

    Row: which row of docs/memory-model.md it proves
    Code: path: function...         the code that it stands for (refs.py)
    Known: lkmm Never, tso Always   what literature says of it (known/ only)

A mutant is the test with one barrier taken away. A comment behind a barrier says
what comes of it; without one, the mutant's outcome is reachable in the kernel's
memory model, and is not on x86, where the barrier stops only the compiler:

    // x86          the barrier is needed on x86, too
    // both: WHY    another line orders the same: no mutant is caught
    // order: WHY   only that the operation is one is needed, not its order
    // atomic: WHY  only its order is needed

A lock that is not taken by one thread has to be caught on both.
"""

import re

# what a statement becomes without its order
FENCES = ("smp_mb", "smp_rmb", "smp_wmb", "smp_mb__before_atomic",
          "smp_mb__after_atomic")
RMW = re.compile(r"(cmpxchg|xchg)(_relaxed|_acquire|_release)?\Z")
TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_]\w*)|(==|!=|[-+(){};,*=&]))")


class Bad(Exception):
    """The file is no litmus test that is understood here."""


class Statement:
    """One statement of a thread.

    kind: "read", "write", "fence", "rmw", "if"; the other attributes are as the
    kind needs them. line: its number in the file, from 0
    """

    def __init__(self, kind, line, **rest):
        self.kind = kind
        self.line = line
        self.__dict__.update(rest)


class Test:
    """A litmus test.

    threads: lists of statements; condition: a tuple as condition() makes them;
    fields: {name: values}
    """

    def __init__(self, text):
        self.text = text
        lines = text.split("\n")
        m = re.match(r"C\s+(\S+)\s*\Z", lines[0])
        if not m:
            raise Bad("the first line is not 'C NAME'")
        self.name = m[1]
        start = next((i for i, line in enumerate(lines)
                      if line.startswith("{")), None)
        if start is None:
            raise Bad("no initial state")
        self.fields = fields(lines[1:start])
        self.init, self.threads = {}, []
        body = "\n".join(lines[start:])
        m = re.match(r"\{([^}]*)\}", body)
        for name, value in re.findall(r"(\w+)\s*=\s*(\d+)", m[1]):
            self.init[name] = int(value)
        m = re.search(r"^(exists|~exists)\s*(.*)\Z", body, re.M | re.S)
        if not m:
            raise Bad("no exists clause")
        self.condition = Condition(m[2]).parse()
        for thread in re.finditer(r"^P(\d+)\([^)]*\)\s*\{(.*?)^\}", body,
                                  re.M | re.S):
            if int(thread[1]) != len(self.threads):
                raise Bad(f"thread {thread[1]} is not in order")
            line = start + body[:thread.start(2)].count("\n")
            self.threads.append(Parser(thread[2], line).block())
        if not self.threads:
            raise Bad("no threads")


def fields(lines):
    """{name: values} of the comments above the test."""
    found, name = {}, None
    for line in lines:
        line = re.sub(r"^\(\* ?|^ \* ?|\*\)", "", line).rstrip()
        m = re.match(r"(Row|Code|Known):\s+(.*)", line)
        if m:
            name = m[1]
            found.setdefault(name, []).append(m[2].strip())
        elif name and re.match(r"\s+\S", line):
            found[name][-1] += " " + line.strip()
        else:
            name = None
    return found


class Tokens:
    """Words of a text, each with the number of its line."""

    def __init__(self, text, line):
        self.words = []
        text = re.sub(r"//[^\n]*|/\*.*?\*/",
                      lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
        at = 0
        while text[at:].strip():
            m = TOKEN.match(text, at)
            if not m:
                raise Bad(f"what is {text[at:at + 20]!r}?")
            where = line + text[:m.end()].count("\n")
            self.words.append((m[0].strip(), where))
            at = m.end()
        self.at = 0

    def peek(self, ahead=0):
        """The next word, or an empty one."""
        i = self.at + ahead
        return self.words[i][0] if i < len(self.words) else ""

    def line(self):
        """Where the next word stands."""
        return self.words[min(self.at, len(self.words) - 1)][1]

    def take(self, *words):
        """The next word, which has to be one of these, if any are given."""
        word = self.peek()
        if not word or (words and word not in words):
            raise Bad(f"line {self.line() + 1}: {word!r}, not {words}")
        self.at += 1
        return word


class Parser(Tokens):
    """Reads the statements of a thread."""

    def block(self):
        """Statements up to a closing brace, or the end."""
        out = []
        while self.peek() and self.peek() != "}":
            if self.peek() == "int":
                while self.take() != ";":
                    pass
                continue
            out.append(self.statement())
        return out

    def braces(self):
        """One statement, or several in braces."""
        if self.peek() != "{":
            return [self.statement()]
        self.take("{")
        out = self.block()
        self.take("}")
        return out

    def statement(self):
        """One statement."""
        line = self.line()
        if self.peek() == "if":
            return self.branch(line)
        to = None
        if self.peek(1) == "=":
            to = self.take()
            self.take("=")
        out = self.call(to, line)
        self.take(";")
        return out

    def branch(self, line):
        """if (register == number)"""
        self.take("if")
        self.take("(")
        reg, equal, value = self.take(), False, 0
        if self.peek() in ("==", "!="):
            equal = self.take() == "=="
            value = int(self.take())
        self.take(")")
        then, other = self.braces(), []
        if self.peek() == "else":
            self.take("else")
            other = self.braces()
        return Statement("if", line, reg=reg, equal=equal, value=value,
                         then=then, other=other)

    def call(self, to, line):
        """A macro, or an assignment of an expression."""
        name = self.peek()
        if self.peek(1) != "(" or not re.match(r"[a-z_A-Z]", name):
            return Statement("set", line, to=to, value=self.expression())
        self.take()
        self.take("(")
        args = []
        while self.peek() != ")":
            if args:
                self.take(",")
            args.append(self.argument())
        self.take(")")
        return macro(name, to, args, line)

    def argument(self):
        """A location ("*x" or "x"), or an expression: both as terms."""
        while self.peek() in ("*", "&"):
            self.take()
        return self.expression()

    def expression(self):
        """A sum of numbers and names, as a list."""
        out = [self.take()]
        while self.peek() == "+":
            self.take("+")
            out.append(self.take())
        return out


def location(terms):
    """The name of a location."""
    if len(terms) != 1 or terms[0].isdigit():
        raise Bad(f"{terms} is no location")
    return terms[0]


def macro(name, to, args, line):
    """The statement that a call of one of the kernel's macros is."""
    rmw = RMW.match(name)
    if name in FENCES and not args:
        return Statement("fence", line, fence=name[4:])
    if name in ("READ_ONCE", "smp_load_acquire"):
        return Statement("read", line, loc=location(args[0]), to=to,
                         order="acquire" if name[0] == "s" else "once")
    if name in ("WRITE_ONCE", "smp_store_release"):
        return Statement("write", line, loc=location(args[0]), value=args[1],
                         order="release" if name[0] == "s" else "once")
    if rmw:
        return Statement("rmw", line, loc=location(args[0]), to=to,
                         expect=args[1] if rmw[1] == "cmpxchg" else None,
                         value=args[-1], add=None, order=(rmw[2] or "_full")[1:])
    if name == "atomic_inc":
        return Statement("rmw", line, loc=location(args[0]), to=None,
                         expect=None, value=None, add=1, order="noreturn")
    if name == "spin_lock":
        return Statement("rmw", line, loc=location(args[0]), to=None,
                         expect=["0"], value=["1"], add=None, order="lock")
    if name == "spin_unlock":
        return Statement("write", line, loc=location(args[0]), value=["0"],
                         order="release")
    raise Bad(f"line {line + 1}: {name}() is not understood")


class Condition:
    """Reads an exists clause: tuples ("and", a, b), ("or", a, b), ("not", a),
    ("reg", thread, name, value), ("mem", name, value)."""

    def __init__(self, text):
        self.words = re.findall(r"/\\|\\/|[~()=:]|\w+", text)
        if "".join(self.words) != re.sub(r"\s", "", text):
            raise Bad("the exists clause is not understood")

    def parse(self):
        """All of it."""
        out = self.disjunction()
        if self.words:
            raise Bad(f"the exists clause goes on with {self.words[0]!r}")
        return out

    def disjunction(self):
        """a \\/ b"""
        out = self.conjunction()
        while self.words and self.words[0] == "\\/":
            self.words.pop(0)
            out = ("or", out, self.conjunction())
        return out

    def conjunction(self):
        """a /\\ b"""
        out = self.atom()
        while self.words and self.words[0] == "/\\":
            self.words.pop(0)
            out = ("and", out, self.atom())
        return out

    def atom(self):
        """~a, (a), thread:register=value, location=value"""
        word = self.words.pop(0)
        if word == "~":
            return ("not", self.atom())
        if word == "(":
            out = self.disjunction()
            self.expect(")")
            return out
        if self.words and self.words[0] == ":":
            self.words.pop(0)
            reg = self.words.pop(0)
            self.expect("=")
            return ("reg", int(word), reg, int(self.words.pop(0)))
        self.expect("=")
        return ("mem", word, int(self.words.pop(0)))

    def expect(self, word):
        """The next word is this one."""
        if not self.words or self.words.pop(0) != word:
            raise Bad(f"the exists clause lacks {word!r}")


class Mutant:
    """A test without one barrier.

    what: for people; lkmm, tso: whether the outcome has to be reachable
    """

    def __init__(self, test, what, edits, lkmm, tso):
        lines = test.text.split("\n")
        for number, line in edits.items():
            lines[number] = line
        self.text = "\n".join(lines)
        self.what = what
        self.lkmm = lkmm
        self.tso = tso


def weaker(code):
    """(what, line) for each form of a line of code that has less order, and
    whether it lacks its atomicity."""
    m = re.match(r"(\s*)(%s)\(\);" % "|".join(FENCES), code)
    if m:
        yield f"no {m[2]}", "", False
    m = re.search(r"smp_store_release\(([^,]*), (.*)\);", code)
    if m:
        yield ("release without order", code[:m.start()]
               + f"WRITE_ONCE(*{m[1]}, {m[2]});", False)
    m = re.search(r"smp_load_acquire\(([^)]*)\);", code)
    if m:
        yield ("acquire without order", code[:m.start()]
               + f"READ_ONCE(*{m[1]});", False)
    m = re.search(r"\b(xchg|cmpxchg)(_acquire|_release)?\(", code)
    if m:
        yield (f"{m[1]}{m[2] or ''} without order",
               code[:m.start()] + f"{m[1]}_relaxed(" + code[m.end():], False)
    m = re.match(r"(\s*)(\w+) = xchg\w*\((\w+), (\w+)\);", code)
    if m:
        yield ("xchg as a read and a write",
               f"{m[1]}smp_mb(); {m[2]} = READ_ONCE(*{m[3]}); "
               f"WRITE_ONCE(*{m[3]}, {m[4]}); smp_mb();", True)
    m = re.match(r"(\s*)(\w+) = cmpxchg\w*\((\w+), (\w+), (\w+)\);", code)
    if m:
        yield ("cmpxchg as a read and a write",
               f"{m[1]}smp_mb(); {m[2]} = READ_ONCE(*{m[3]}); "
               f"if ({m[2]} == {m[4]}) {{ WRITE_ONCE(*{m[3]}, {m[5]}); }} "
               "smp_mb();", True)


def mutants(test):
    """Each mutant of a test."""
    for i, line in enumerate(test.text.split("\n")):
        code, _, tag = line.partition("//")
        tag = tag.strip()
        if tag and tag != "x86" and not re.match(r"(both|order|atomic): \S", tag):
            raise Bad(f"line {i + 1}: what is // {tag}?")
        for what, instead, split in weaker(code):
            caught = not (tag.startswith("both") or
                          tag.startswith("atomic" if split else "order"))
            yield Mutant(test, f"line {i + 1}: {what}", {i: instead}, caught,
                         caught and (split or tag == "x86"))
    yield from without_locks(test)


def without_locks(test):
    """A mutant for each thread that takes a lock."""
    held = None
    for i, line in enumerate(test.text.split("\n")):
        m = re.match(r"\tspin_(un)?lock\(", line)
        if m and m[1]:
            yield Mutant(test, f"line {held + 1}: no lock", {held: "", i: ""},
                         True, True)
        elif m:
            held = i
