#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The product's C files pass clang-tidy with the few checks of .clang-tidy, and clang's path-sensitive analyzer: division by zero, values
never set, wrong sizes and deallocators. Both in one run: each file is read once.

Not among the analyzer's checks: null and freed pointers. It sees one file at a time, so it takes "an error was set" and "no error" as both
possible behind every call of another room, and called 15 places wrong that are right (docs/decisions/0008).
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

from common import first_of, run, skip
from layers import INCLUDE, ROOMS

CONFIG = pathlib.Path(__file__).resolve().parents[2] / ".clang-tidy"
ANALYZER = ("clang-analyzer-core.DivideZero", "clang-analyzer-core.VLASize", "clang-analyzer-core.uninitialized.*",
            "clang-analyzer-deadcode.DeadStores", "clang-analyzer-unix.API", "clang-analyzer-unix.MallocSizeof",
            "clang-analyzer-unix.MismatchedDeallocator", "clang-analyzer-unix.cstring.*", "clang-analyzer-valist.*",
            "clang-analyzer-security.FloatLoopCounter", "clang-analyzer-security.insecureAPI.strcpy",
            "clang-analyzer-security.insecureAPI.mktemp", "clang-analyzer-security.insecureAPI.vfork")
# States that the analyzer explores in one function. The default is 225,000, which costs seconds a file and found nothing more here.
NODES_MAX = 40000
# The first is added to the checks of CONFIG.
OPTIONS = ("--checks=" + ",".join(ANALYZER), *(f"--extra-arg={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang", f"max-nodes={NODES_MAX}")))


def compile_commands(tree):
    """The product's files that the build compiles: path -> command."""
    if tree.build is None:
        return {path: "" for path in tree.files(".c")}
    entries = json.loads((tree.build / "compile_commands.json").read_text())
    commands = {os.path.relpath((pathlib.Path(entry["directory"]) / entry["file"]).resolve(), tree.root): entry["command"]
                for entry in entries}
    folders = [folder for folder, _, _ in ROOMS.values()]
    return {path: commands[path] for path in tree.files(".c", under=folders) if path in commands}


def fingerprint(tree, path, command, program):
    """Changes when the file, a header of ours that it reaches, its flags, the checks or the program change."""
    seen, waiting = set(), [path]
    digest = hashlib.sha256(repr((path, command, program, OPTIONS)).encode())
    while waiting:
        name = waiting.pop()
        if name in seen or not (tree.root / name).is_file():
            continue
        seen.add(name)
        text = tree.text(name)
        digest.update(text.encode())
        waiting.extend(sorted(match.group(2) for match in map(INCLUDE.match, text.splitlines()) if match))
    digest.update(CONFIG.read_bytes())
    return digest.hexdigest()


def examine(tree, program, path, command):
    """The findings of one file; clean results are remembered in the build folder, so that a second run is quick."""
    remembered = None
    if tree.build is not None:
        remembered = tree.build / "lint-clean" / fingerprint(tree, path, command, program)
        if remembered.exists():
            return []
    place = ["-p", str(tree.build)] if tree.build else []
    after = [] if tree.build else ["--", "-std=gnu11"]
    done = subprocess.run([program, "--quiet", *OPTIONS, *place, "--extra-arg=-Wno-unknown-warning-option", path, *after],
                          cwd=tree.root, capture_output=True, text=True)
    findings = [line.replace(f"{tree.root}/", "") for line in done.stdout.splitlines()
                if " error: " in line or " warning: " in line]
    if done.returncode != 0 and not findings:
        findings = [f"{path}: clang-tidy failed: {done.stderr.strip()[-300:]}"]
    if remembered is not None and not findings:
        remembered.parent.mkdir(exist_ok=True)
        remembered.touch()
    return findings


def check(tree):
    program = first_of("clang-tidy", "clang-tidy-14")
    if not program:
        skip("clang-tidy is not installed")
    commands = compile_commands(tree)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda path: examine(tree, program, path, commands[path]), commands)
        return sorted({finding for findings in found for finding in findings})


def plant(tree):
    shutil.copy(CONFIG, tree.root / ".clang-tidy")
    tree.write("lib/a.c", "int first(const char *p);\nint first(const char *p)\n{\n    return (int)sizeof(sizeof(p));\n}\n")
    tree.write("lib/b.c", "int share(int n);\nint share(int n)\n{\n    if (n == 0)\n        return 1 / n;\n    return n;\n}\n")
    return ["bugprone-sizeof-expression", "clang-analyzer-core.DivideZero"]


if __name__ == "__main__":
    run(check, plant)
