#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The product's C files pass clang-tidy with the few checks of .clang-tidy."""
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


def compile_commands(tree):
    """The product's files that the build compiles: path -> command."""
    if tree.build is None:
        return {path: "" for path in tree.files(".c")}
    entries = json.loads((tree.build / "compile_commands.json").read_text())
    commands = {os.path.relpath((pathlib.Path(entry["directory"]) / entry["file"]).resolve(), tree.root): entry["command"]
                for entry in entries}
    folders = [folder for folder, _, _ in ROOMS.values()]
    return {path: commands[path] for path in tree.files(".c", under=folders) if path in commands}


def fingerprint(tree, path, command, program, options):
    """Changes when the file, a header of ours that it reaches, its flags, the checks or the program change."""
    seen, waiting = set(), [path]
    digest = hashlib.sha256(repr((path, command, program, options)).encode())
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


def examine(tree, program, options, path, command):
    """The findings of one file; clean results are remembered in the build folder, so that a second run is quick."""
    remembered = None
    if tree.build is not None:
        remembered = tree.build / "lint-clean" / fingerprint(tree, path, command, program, options)
        if remembered.exists():
            return []
    place = ["-p", str(tree.build)] if tree.build else []
    after = [] if tree.build else ["--", "-std=gnu11"]
    done = subprocess.run([program, "--quiet", *options, *place, "--extra-arg=-Wno-unknown-warning-option", path, *after],
                          cwd=tree.root, capture_output=True, text=True)
    findings = [line.replace(f"{tree.root}/", "") for line in done.stdout.splitlines()
                if " error: " in line or " warning: " in line]
    if done.returncode != 0 and not findings:
        findings = [f"{path}: clang-tidy failed: {done.stderr.strip()[-300:]}"]
    if remembered is not None and not findings:
        remembered.parent.mkdir(exist_ok=True)
        remembered.touch()
    return findings


def check(tree, options=()):
    program = first_of("clang-tidy", "clang-tidy-14")
    if not program:
        skip("clang-tidy is not installed")
    commands = compile_commands(tree)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda path: examine(tree, program, tuple(options), path, commands[path]), commands)
        return sorted({finding for findings in found for finding in findings})


def plant(tree):
    shutil.copy(CONFIG, tree.root / ".clang-tidy")
    tree.write("lib/a.c", "int first(const char *p);\nint first(const char *p)\n{\n    return (int)sizeof(sizeof(p));\n}\n")


if __name__ == "__main__":
    run(check, plant)
