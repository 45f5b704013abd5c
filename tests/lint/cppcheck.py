#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The product's C files pass cppcheck: warnings and portability, no taste."""
import os
import subprocess

from common import first_of, run, skip
from layers import ROOMS

# One configuration (defines given), so that cppcheck does not try every combination of #ifdef.
# sp_log_event is a macro with __VA_OPT__, which cppcheck 2.10 does not know: left undefined it reads as a call.
# uninitvar: it does not see that a function fills a member array; the compilers, the analyzer and valgrind look for those.
# missingReturn: the compilers know which functions do not return (SP_NORETURN), cppcheck does not.
# missingInclude*: headers of libraries are not its business.
# checkLevelNormal and the like only tell about cppcheck itself.
OPTIONS = ["--std=c11", "--language=c", "--library=posix,gnu", "--enable=warning,portability", "--inline-suppr", "--quiet",
           "-D_GNU_SOURCE", "-D__GNUC__=12", "-Usp_log_event", '-DSPOOR_VERSION="0"', "--suppress=missingInclude", "--suppress=missingIncludeSystem",
           "--suppress=unknownMacro", "--suppress=missingReturn", "--suppress=uninitvar", "--suppress=normalCheckLevelMaxBranches", "--suppress=checkersReport",
           "--template={file}:{line}: {severity} {id}: {message}"]


def check(tree):
    if not first_of("cppcheck"):
        skip("cppcheck is not installed")
    files = list(tree.files(".c", under=[folder for folder, _, _ in ROOMS.values()]))
    done = subprocess.run(["cppcheck", *OPTIONS, "-j", str(os.cpu_count()), "-I", ".", *files], cwd=tree.root,
                          capture_output=True, text=True)
    return sorted(set(line for line in done.stderr.splitlines() if line.strip()))


def plant(tree):
    tree.write("lib/base/a.c", "#include <stdlib.h>\nint leak(void)\n{\n    char *p = malloc(1);\n    p[1] = 0;\n    return 0;\n}\n")


if __name__ == "__main__":
    run(check, plant)
