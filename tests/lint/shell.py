#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shell scripts pass shellcheck."""
import subprocess

from common import first_of, run, skip


def scripts(tree):
    for path in tree.files():
        with open(tree.root / path, "rb") as file:
            head = file.read(64).split(b"\n", 1)[0]
        if path.endswith(".sh") or (head.startswith(b"#!") and head.endswith((b"/bash", b"/sh", b" bash", b" sh"))):
            yield path


def check(tree):
    if not first_of("shellcheck"):
        skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", "--format=gcc", *scripts(tree)], cwd=tree.root, capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines()


def plant(tree):
    tree.write("run.sh", "#!/bin/sh\ncd $1\nrm $2\n")


if __name__ == "__main__":
    run(check, plant)
