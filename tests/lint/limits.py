#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/limits.md and the code name the same limits: a name or a test on the page exists, a ceiling in the code is on the page."""
import re

from common import run
from layers import ROOMS

PAGE = "docs/limits.md"
DEFINED = re.compile(r"^\s*#\s*define\s+(SP_\w+)")
CEILING = re.compile(r"^SP_(?:LIMIT_\w+|\w+_MAX)$")
NAME = re.compile(r"`(SP_[A-Z0-9_]+|--[a-z-]+|[a-z][a-z0-9]*(?:_[a-z0-9]+)+)`")


def check(tree):
    words, ceilings = set(), {}
    for path in tree.files(".c", ".h", under=[folder for folder, _, _ in ROOMS.values()]):
        text = tree.text(path)
        words.update(re.findall(r"\w+", text))
        words.update("--" + name for name in re.findall(r'"([a-z][a-z-]*)"', text))
        for number, line in tree.lines(path):
            match = DEFINED.match(line)
            if match and CEILING.match(match.group(1)):
                ceilings[match.group(1)] = f"{path}:{number}"
    for path in tree.files(".c", ".py", under=["tests"]):
        words.update(re.findall(r"\w+", path + " " + tree.text(path)))
    page = tree.text(PAGE)
    findings = [f"{PAGE}: {name} is not in the code" for name in sorted(set(NAME.findall(page)) - words)]
    findings += [f"{place}: {name} has no row in {PAGE}" for name, place in sorted(ceilings.items())
                 if not re.search(rf"\b{name}\b", page)]
    return findings


def plant(tree):
    tree.write(PAGE, "| `SP_GONE_MAX` | 1 |\n")
    tree.write("lib/wire/wire.h", "#define SP_NEW_MAX 3\n")


if __name__ == "__main__":
    run(check, plant)
