# SPDX-License-Identifier: Apache-2.0
"""What the lints share: which files there are, and the proof that a lint can fail.

A lint is a module with check(tree) -> list of findings ("path:line: sentence") and plant(tree), which writes a violation into an empty
tree and may return what must be among the findings. run() first plants and demands a finding, then checks the real tree: a lint that sees nothing is a failing test.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

SKIP = 77  # what meson reads as "skipped"
NOT_OURS = {"node_modules", "__pycache__", ".git"}


class Tree:
    """The files of a folder: what git tracks or would track, or everything when it is no checkout."""

    def __init__(self, root, build=None):
        self.root = pathlib.Path(root).resolve()
        self.build = pathlib.Path(build).resolve() if build else None

    def files(self, *suffixes, under=()):
        for path in sorted(self._all()):
            if suffixes and not path.endswith(suffixes):
                continue
            if under and not path.startswith(tuple(folder + "/" for folder in under)):
                continue
            yield path

    def text(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    def lines(self, path):
        return enumerate(self.text(path).splitlines(), start=1)

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def _all(self):
        if (self.root / ".git").exists():
            listed = subprocess.run(
                ["git", "-c", f"safe.directory={self.root}", "-C", str(self.root), "ls-files", "-z", "--cached",
                 "--others", "--exclude-standard"], capture_output=True, text=True)
            if listed.returncode == 0:
                return {path for path in listed.stdout.split("\0") if path and (self.root / path).is_file()}
        found = set()
        for folder, names, files in os.walk(self.root):
            names[:] = [name for name in names if name not in NOT_OURS and not name.startswith("build")]
            found.update(os.path.relpath(os.path.join(folder, name), self.root) for name in files)
        return found


def first_of(*programs):
    """The first of these programs that is installed, or None."""
    for program in programs:
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            if os.access(os.path.join(folder, program), os.X_OK):
                return program
    return None


def skip(reason):
    print(reason)
    sys.exit(SKIP)


def run(check, plant):
    """The main function of a lint: ROOT [BUILD] on the command line."""
    with tempfile.TemporaryDirectory() as folder:
        planted = Tree(folder)
        expected = plant(planted) or [""]
        found = check(planted)
        if not all(any(part in finding for finding in found) for part in expected):
            print(f"this lint does not see the violation that it plants itself: {' '.join(expected)}")
            sys.exit(1)
        print(f"it can fail: {found[0]}")
    findings = check(Tree(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings")
    sys.exit(1 if findings else 0)
