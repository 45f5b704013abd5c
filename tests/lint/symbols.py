#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every symbol that a static library of the product exports begins with sp_. Generated protobuf-c code keeps its package's names."""
import json
import re
import subprocess

from common import Tree, first_of, run, skip

GENERATED = re.compile(r"\.pb-c\.c\.o$")


def archives(tree):
    """The static libraries that the product builds: all but those of the tests."""
    if tree.build is None:
        return sorted(str(path) for path in tree.root.rglob("*.a"))
    listed = json.loads((tree.build / "meson-info" / "intro-targets.json").read_text())
    tests = str(tree.root / "tests")
    return sorted(name for target in listed if target["type"] == "static library"
                  and not target["defined_in"].startswith(tests) for name in target["filename"])


def exported(archive):
    """Yields (object file, symbol)."""
    listed = subprocess.run(["nm", "--extern-only", "--defined-only", "--print-file-name", archive], capture_output=True,
                            text=True, check=True)
    for line in listed.stdout.splitlines():
        place, _, rest = line.rpartition(":")
        fields = rest.split()
        if len(fields) == 3:
            yield place.rsplit(":", 1)[-1], fields[2]


def check(tree):
    if not first_of("nm"):
        skip("nm is not installed")
    found = archives(tree)
    if not found:
        return ["no static library found: nothing was checked"]
    return [f"{archive}: {member}: {symbol} is exported and does not begin with sp_"
            for archive in found for member, symbol in exported(archive)
            if not symbol.startswith("sp_") and not GENERATED.search(member)]


def plant(tree: Tree):
    tree.write("room.c", "int helper(void);\nint helper(void) { return 0; }\n")
    subprocess.run(["cc", "-c", "room.c", "-o", "room.o"], cwd=tree.root, check=True)
    subprocess.run(["ar", "rcs", "libroom.a", "room.o"], cwd=tree.root, check=True)


if __name__ == "__main__":
    run(check, plant)
