#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each header compiles alone, under gcc and under clang, without a warning."""
import concurrent.futures
import subprocess

from common import first_of, run, skip
from layers import ROOMS

FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wstrict-prototypes", "-Wundef", "-Werror", "-fsyntax-only"]


def compile_alone(tree, compiler, path):
    # Included twice: the guard is part of what a header promises.
    source = f'#include "{path}"\n#include "{path}"\n'
    places = ["-I", str(tree.root)] + (["-I", str(tree.build)] if tree.build else [])
    done = subprocess.run([compiler, *FLAGS, *places, "-x", "c", "-"], input=source, capture_output=True, text=True,
                          cwd=tree.root)
    if done.returncode == 0:
        return []
    errors = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
    return [f"{path}: does not compile alone with {compiler}: {errors[0]}"]


def check(tree):
    compilers = [name for name in ("gcc", "clang") if first_of(name)]
    if not compilers:
        skip("neither gcc nor clang is installed")
    folders = [folder for folder, _, _ in ROOMS.values()] + ["tests"]
    jobs = [(tree, compiler, path) for path in tree.files(".h", under=folders) for compiler in compilers]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return [finding for found in pool.map(lambda job: compile_alone(*job), jobs) for finding in found]


def plant(tree):
    tree.write("lib/base/slice.h", "#pragma once\nstruct sp_slice { size_t len; };\n")


if __name__ == "__main__":
    run(check, plant)
