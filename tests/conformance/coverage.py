#!/usr/bin/env python3
"""Checks coverage.md: every name stands for a case, every trap, section and case has its row. Builds nothing."""
import fnmatch
import pathlib
import re
import sys

import run

TRAPS = {str(n) for n in range(1, 57)}
SECTIONS = {"%d.%d" % (chapter, n) for chapter, last in ((2, 11), (3, 4), (4, 4), (5, 12), (6, 13), (7, 6), (8, 3), (9, 4)) for n in range(1, last + 1)} | {"10", "12"}


def main():
    text = (pathlib.Path(__file__).parent / "coverage.md").read_text()
    cases, expected = run.load_cases(), run.load_expected()
    sections, _, traps = text.partition("## Traps")
    errors, reached = [], set()
    for name, table, wanted in (("section", sections, SECTIONS), ("trap", traps, TRAPS)):
        rows = {}
        for row in re.findall(r"^\| (\S+) \|(.*)\|$", table, re.M):
            rows.setdefault(row[0], []).extend(re.findall(r"`([a-z]+/[^`]+)`", row[1]))
        errors += ["%s %s has no row" % (name, each) for each in sorted(wanted - {k for k, v in rows.items() if v})]
        for key, patterns in rows.items():
            for pattern in patterns:
                # A plain prefix match: names of cases hold brackets and the like.
                found = [c for c in cases if (c.startswith(pattern[:-1]) if pattern.endswith("*") and pattern.count("*") == 1 else fnmatch.fnmatch(c, pattern))]
                reached.update(found)
                errors += [] if found else ["%s %s: no case is called %s" % (name, key, pattern)]
    errors += ["no row leads to " + c for c in sorted(set(cases) - reached)]
    errors += ["no expectation is recorded for " + c for c in sorted(set(cases) - set(expected))]
    errors += ["an expectation without a case: " + c for c in sorted(set(expected) - set(cases))]
    print("\n".join(errors) if errors else "%d cases, %d sections, %d traps" % (len(cases), len(SECTIONS), len(TRAPS)))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
