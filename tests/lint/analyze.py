#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The product's C files pass clang's path-sensitive analyzer: division by zero, values never set, wrong sizes and deallocators.

Not among the checks: null and freed pointers. The analyzer sees one file at a time, so it takes "an error was set" and "no error" as both
possible behind every call of another room, and called 15 places wrong that are right (docs/decisions/0008).
"""
import clang_tidy
from common import run

CHECKS = ("clang-analyzer-core.DivideZero", "clang-analyzer-core.VLASize", "clang-analyzer-core.uninitialized.*",
          "clang-analyzer-deadcode.DeadStores", "clang-analyzer-unix.API", "clang-analyzer-unix.MallocSizeof",
          "clang-analyzer-unix.MismatchedDeallocator", "clang-analyzer-unix.cstring.*", "clang-analyzer-valist.*",
          "clang-analyzer-security.FloatLoopCounter", "clang-analyzer-security.insecureAPI.strcpy",
          "clang-analyzer-security.insecureAPI.mktemp", "clang-analyzer-security.insecureAPI.vfork")

# States explored in one function. The default is 225,000, which costs seconds a file and found nothing more here.
NODES_MAX = 40000


def check(tree):
    nodes = [f"--extra-arg={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang", f"max-nodes={NODES_MAX}")]
    return clang_tidy.check(tree, ["--checks=-*," + ",".join(CHECKS), "--warnings-as-errors=*", *nodes])


def plant(tree):
    tree.write("lib/a.c", "int share(int n);\nint share(int n)\n{\n    if (n == 0)\n        return 1 / n;\n    return n;\n}\n")


if __name__ == "__main__":
    run(check, plant)
