#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The documents name what there is.

docs/code.md is a map of the sources: each path on it exists, each file of the
directories that it lists is on it, and each function, variable or constant in it
occurs in the code. In all documents links lead somewhere, and each `make TARGET` is
a target of the Makefile. Nothing is built or booted.
"""

import glob
import os
import re
import sys

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                   "../../.."))
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
from tap import Tap         # noqa: E402

MAP = "docs/code.md"
# what may hold a name that the map has; build/ is no source
SOURCES = ("channel", "compat", "drivers", "host", "include", "packaging", "tests")
CODE = (".c", ".h")
BUILD = ("Kbuild", "Makefile", ".mk", ".py", ".sh")
# written in capitals on the map for a name to be filled in
PLACEHOLDERS = {"NAME", "SUITE", "FORM", "TARGET"}
# names on the map that are the kernel's, and that no code of ours spells out
OTHER = {"mmap_lock", "kblockd"}
IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?:(?:\.|->)[a-z_]\w*)*(?:\(\))?\Z")


def documents():
    """Paths of all documents, relative to the top."""
    found = glob.glob(os.path.join(TOP, "*.md")) \
        + glob.glob(os.path.join(TOP, "host/*.md")) \
        + glob.glob(os.path.join(TOP, "docs/**/*.md"), recursive=True)
    return sorted(os.path.relpath(p, TOP) for p in found)


def read(path):
    """A file's text."""
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def sources(kinds):
    """Paths of the sources whose names end in one of kinds."""
    for top in SOURCES:
        for where, _, names in os.walk(os.path.join(TOP, top)):
            for name in names:
                if name.endswith(kinds):
                    yield os.path.relpath(os.path.join(where, name), TOP)


def without_comments(text):
    """C without its comments and strings, which may speak of what is gone."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", text,
                  flags=re.S)


def words_of_code():
    """All identifiers in C, and all words of what builds it."""
    words = set()
    for path in sources(CODE):
        words.update(re.findall(r"[A-Za-z_]\w*", without_comments(read(path))))
    for path in list(sources(BUILD)) + ["Makefile", "Kbuild"]:
        words.update(re.findall(r"[A-Za-z_]\w*", read(path)))
    return words


def quoted(text):
    """What stands between backticks, outside of blocks of code."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    return re.findall(r"`([^`\n]+)`", text)


def blocks(text):
    """Blocks of code."""
    return re.findall(r"^```\w*\n(.*?)^```$", text, flags=re.S | re.M)


def listed(text):
    """Files that the map's tables have, by the directory of their heading."""
    where, found = None, {}
    for line in text.splitlines():
        heading = re.match(r"#+ (?:`([\w/]+/)`)?", line)
        if heading:
            where = heading[1]
        elif where and line.startswith("| `"):
            for name in re.findall(r"`([^`]+)`", line.split("|")[1]):
                path = name if "/" in name else where + name
                found.setdefault(where, []).append(path)
    return found


def paths_exist():
    """Each path on the map is in the tree."""
    text = read(MAP)
    paths = [p for files in listed(text).values() for p in files]
    paths += [q for q in quoted(text)
              if re.match(r"(?:%s|docs)/[\w./-]*\Z" % "|".join(SOURCES), q)]
    missing = sorted({p for p in paths
                      if not os.path.exists(os.path.join(TOP, p))
                      and not PLACEHOLDERS & set(re.findall(r"[A-Z]+", p))})
    assert not missing, f"{MAP} has what is not there: {', '.join(missing)}"
    assert len(paths) > 100, f"only {len(paths)} paths found in {MAP}"
    return f"{len(set(paths))} paths"


def files_are_listed():
    """Each source of the directories that the map lists is on it."""
    missing = []
    for where, files in listed(read(MAP)).items():
        if where in ("tests/", "compat/"):
            continue        # directories of these have one line together
        missing += [where + name for name in os.listdir(os.path.join(TOP, where))
                    if name.endswith(CODE + ("Kbuild",))
                    and not name.endswith((".mod.c", "config.h"))
                    and where + name not in files]
    assert not missing, f"{MAP} lacks {', '.join(sorted(missing))}"


def names_exist():
    """Each name on the map occurs in the code."""
    text = read(MAP)
    words = words_of_code()
    names = set()
    for q in quoted(text):
        if IDENTIFIER.match(q) and not q.endswith(CODE):
            names.add(q)
        elif re.match(r"(?:struct|enum) \w+\Z", q):
            names.add(q.split()[1])
    for block in blocks(text):
        names.update(re.findall(r"\b[a-z_]\w*\(\)|\b[A-Z]+_[A-Z_]+\b", block))
    # a prefix stands for the names that begin with it
    known = words | PLACEHOLDERS | OTHER
    known.update(w[:n + 1] for w in words for n in range(len(w)) if w[n] == "_")
    known.update(n for n in names if PLACEHOLDERS & set(n.split("_")))
    missing = sorted(n for n in names if set(re.findall(r"\w+", n)) - known)
    assert not missing, f"no code has {', '.join(missing)}"
    assert len(names) > 200, f"only {len(names)} names found in {MAP}"
    return f"{len(names)} names"


def anchors(path):
    """What a link may lead to in a document, as forges make it of headings."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", read(path), flags=re.M):
        heading = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(heading.replace(" ", "-"))
    return found


def links_lead_somewhere():
    """Links between documents, and to files, are right."""
    bad, count = [], 0
    for doc in documents():
        text = re.sub(r"^```.*?^```$", "", read(doc), flags=re.S | re.M)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", link):
                continue
            count += 1
            path, _, anchor = link.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(doc), path)) \
                if path else doc
            if not os.path.exists(os.path.join(TOP, path)):
                bad.append(f"{doc}: {link}")
            elif anchor and anchor not in anchors(path):
                bad.append(f"{doc}: {link}: no such heading")
    assert not bad, "; ".join(bad)
    assert count > 20, f"only {count} links found"
    return f"{count} links"


def targets():
    """Targets of the Makefile and of what it includes."""
    found = set()
    for path in ("Makefile", "host/host.mk", "tests/guest/guest.mk"):
        for line in read(path).splitlines():
            m = re.match(r"\.PHONY: (.*)|([a-z][\w /.-]*):(?!=)", line)
            if m:
                found.update((m[1] or m[2]).split())
    return found


def commands_exist():
    """Each make command of a document is there."""
    known, bad, count = targets(), [], 0
    for doc in documents():
        text = read(doc)
        for code in quoted(text) + blocks(text):
            for m in re.finditer(r"(?:^|sudo )make((?: +[\w=./*\"-]+)*)", code,
                                 flags=re.M):
                count += 1
                bad += [f"{doc}: make {word}" for word in m[1].split()
                        if re.match(r"[a-z][a-z-]*\Z", word)
                        and word not in known]
    assert not bad, "; ".join(bad)
    assert count > 20, f"only {count} commands found"
    return f"{count} commands"


def main():
    """All of it."""
    with Tap() as tap:
        tap.test(f"each path in {MAP} exists", paths_exist)
        tap.test(f"each file of its directories is in {MAP}", files_are_listed)
        tap.test(f"each name in {MAP} is in the code", names_exist)
        tap.test("links between documents lead somewhere", links_lead_somewhere)
        tap.test("each make command in a document exists", commands_exist)


main()
