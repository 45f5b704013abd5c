#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What every file of the repository owes: a licence line, no place or host of one machine, no unfinished mark, living links."""
import re

from common import run

SOURCES = (".c", ".h", ".py", ".sh", ".mjs", ".cjs", ".js", ".ts", ".tsx", ".css", ".proto", "meson.build", "meson_options.txt")
BINARY = (".gz", ".png", ".pb", ".zst", ".ico", ".woff2", ".bin")
LINES_MAX = 700  # style: near 500; beyond this a file holds more than one subject

# Patterns are written so that this file does not match itself.
EVERYWHERE = [
    (re.compile(r"(?<![\w.$}~/-])/(?:work|tmp/wt|home/[a-z]|Users/[A-Za-z])/"), "a path of one machine"),
    (re.compile(r"registry\.npm" r"js\.org|artifact-" r"registry|pypi\." r"org/simple|deb\." r"debian\.org"),
     "a package registry's host"),
    (re.compile(r'"resolved"\s*:\s*"(?:https?|git)'), "a download address in a lockfile"),
    (re.compile(r"^(?:<{7} |={7}$|>{7} )"), "a merge mark"),
]
IN_SOURCES = [(re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b"), "an unfinished mark")]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
EXTERNAL = re.compile(r"^(?:[a-z]+:|#|/)")


def check_links(tree, path):
    folder = (tree.root / path).parent
    fenced = False
    for number, line in tree.lines(path):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        for target in [] if fenced else LINK.findall(re.sub(r"`[^`]*`", "", line)):
            target = target.partition("#")[0]
            if target and not EXTERNAL.match(target) and not (folder / target).exists():
                yield f"{path}:{number}: the link {target} leads nowhere"


def check_lines(tree, path):
    patterns = EVERYWHERE + (IN_SOURCES if path.endswith(SOURCES) else [])
    for number, line in tree.lines(path):
        for pattern, what in patterns:
            if pattern.search(line):
                yield f"{path}:{number}: {what}: {line.strip()[:80]}"


def check(tree):
    findings = []
    for path in tree.files():
        if path.endswith(BINARY) or b"\0" in (tree.root / path).read_bytes()[:4096]:
            continue
        findings.extend(check_lines(tree, path))
        if path.endswith(".md"):
            findings.extend(check_links(tree, path))
        if path.endswith(SOURCES):
            head = tree.text(path)[:400]
            if "SPDX-License-Identifier: Apache-2.0" not in head:
                findings.append(f"{path}:1: no SPDX-License-Identifier line at the beginning")
        if path.endswith((".c", ".h", ".ts", ".tsx", ".mjs", ".py")):
            count = len(tree.text(path).splitlines())
            if count > LINES_MAX:
                findings.append(f"{path}:{count}: more than {LINES_MAX} lines: does it hold one subject?")
    return findings


def plant(tree):
    tree.write("docs/x.md", "[gone](nowhere.md)\n")
    tree.write("lib/a.c", "/* TO" "DO: " "/wo" "rk/main/x */\n")
    tree.write("package-lock.json", '{"resolved": "htt' 'ps://host/x.tgz"}\n')


if __name__ == "__main__":
    run(check, plant)
