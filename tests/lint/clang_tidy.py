#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The product's C files pass clang-tidy with the few checks of .clang-tidy."""
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess

from common import first_of, run, skip
from layers import ROOMS

CONFIG = pathlib.Path(__file__).resolve().parents[2] / ".clang-tidy"


def sources(tree):
    """The product's files that the build compiles: (build folder, path)."""
    if tree.build is None:
        return [path for path in tree.files(".c")]
    commands = json.loads((tree.build / "compile_commands.json").read_text())
    compiled = {os.path.relpath((pathlib.Path(entry["directory"]) / entry["file"]).resolve(), tree.root)
                for entry in commands}
    folders = [folder for folder, _, _ in ROOMS.values()]
    return [path for path in tree.files(".c", under=folders) if path in compiled]


def tidy(tree, program, path):
    place = ["-p", str(tree.build)] if tree.build else []
    after = [] if tree.build else ["--", "-std=gnu11"]
    done = subprocess.run([program, "--quiet", *place, "--extra-arg=-Wno-unknown-warning-option", path, *after],
                          cwd=tree.root, capture_output=True, text=True)
    findings = [line.replace(f"{tree.root}/", "") for line in done.stdout.splitlines()
                if " error: " in line or " warning: " in line]
    if done.returncode != 0 and not findings:
        findings = [f"{path}: clang-tidy failed: {done.stderr.strip()[-300:]}"]
    return findings


def check(tree):
    program = first_of("clang-tidy", "clang-tidy-14")
    if not program:
        skip("clang-tidy is not installed")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda path: tidy(tree, program, path), sources(tree))
        return sorted({finding for findings in found for finding in findings})


def plant(tree):
    shutil.copy(CONFIG, tree.root / ".clang-tidy")
    tree.write("lib/a.c", "int first(const int *p);\nint first(const int *p)\n{\n    if (!p)\n        return *p;\n    return 0;\n}\n")


if __name__ == "__main__":
    run(check, plant)
