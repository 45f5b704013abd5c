#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The C sources look as .clang-format says. Versions of clang-format differ in taste, so one version decides."""
import pathlib
import re
import shutil
import subprocess

from common import first_of, run, skip

VERSION = 14
STYLE = pathlib.Path(__file__).resolve().parents[2] / ".clang-format"
LINE = re.compile(r"^(.*?:\d+):\d+: (?:error|warning): (.*)$")


def formatter():
    program = first_of(f"clang-format-{VERSION}", "clang-format")
    if program:
        version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        if re.search(rf"version {VERSION}\.", version):
            return program
    skip(f"clang-format {VERSION} is not installed")


def check(tree):
    program, files = formatter(), list(tree.files(".c", ".h"))
    done = subprocess.run([program, "--dry-run", "--Werror", "--style=file", *files], cwd=tree.root, capture_output=True,
                          text=True)
    places = sorted({match.group(1) for match in map(LINE.match, done.stderr.splitlines()) if match})
    return [f"{place}: not as {program} writes it (clang-format -i)" for place in places]


def plant(tree):
    shutil.copy(STYLE, tree.root / ".clang-format")
    tree.write("lib/a.c", "int  main( void ){return 0;}\n")


if __name__ == "__main__":
    run(check, plant)
