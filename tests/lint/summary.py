#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts what meson ran and closes with one line: N passed, N failed, N skipped.

Reads meson's testlog.json (one JSON object a line, one object a test). Fails when a test failed and when none passed: a run
that executed nothing must not look green.
"""
import json
import re
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}


def count(lines):
    """Returns the names by outcome and the number of single TAP results inside the tests."""
    names = {"passed": [], "failed": [], "skipped": []}
    checks = 0
    for line in lines:
        test = json.loads(line)
        result = test["result"]
        outcome = "passed" if result in PASSED else "skipped" if result in SKIPPED else "failed"
        names[outcome].append(test["name"])
        checks += len(re.findall(r"^ok\b", test.get("stdout") or "", re.M))
    return names, checks


def main():
    try:
        with open(sys.argv[1], encoding="utf-8") as log:
            names, checks = count(log)
    except OSError as error:
        print(f"no test ran: {error}")
        names, checks = count([])
    for outcome in ("skipped", "failed"):
        for name in names[outcome]:
            print(f"{outcome}: {name}")
    print(f"{checks} single checks passed inside the tests below")
    print(", ".join(f"{len(names[outcome])} {outcome}" for outcome in ("passed", "failed", "skipped")))
    return 0 if names["passed"] and not names["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
