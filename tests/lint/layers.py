#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Includes follow the arrows of docs/architecture.md; a room is entered by its one public header; a library by one file."""
import re

from common import run

# room: (folder, public header, rooms that it may use)
ROOMS = {
    "base": ("lib/base", "lib/base/base.h", ()),
    "model": ("lib/model", "lib/model/model.h", ("base",)),
    "wire": ("lib/wire", "lib/wire/wire.h", ("base", "model")),
    "traceql": ("lib/traceql", "lib/traceql/traceql.h", ("base", "model")),
    "analysis": ("lib/analysis", "lib/analysis/analysis.h", ("base", "model")),
    "net": ("lib/net", "lib/net/net.h", ("base",)),
    "storage": ("storage", "storage/storage.h", ("base", "model", "analysis")),
    "collector": ("collector", "collector/collector.h", ("base", "model", "wire", "net", "storage")),
    "query": ("query", "query/query.h", ("base", "model", "wire", "traceql", "analysis", "net", "storage", "ui-static")),
    "ui-static": ("ui-static", "ui-static/ui.h", ("base",)),
    "cmd": ("cmd", None, ("base", "model", "wire", "traceql", "analysis", "net", "storage", "collector", "query",
                          "ui-static")),
}

# The C library and the kernel. Whatever is included with <> and is not here is a third-party library.
SYSTEM = set("""
assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h iso646.h limits.h locale.h math.h setjmp.h signal.h stdalign.h
stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h strings.h tgmath.h threads.h time.h
uchar.h wchar.h wctype.h aio.h argp.h byteswap.h dirent.h dlfcn.h endian.h err.h fcntl.h fnmatch.h getopt.h glob.h grp.h
ifaddrs.h langinfo.h libgen.h malloc.h netdb.h poll.h pthread.h pwd.h regex.h sched.h semaphore.h spawn.h syslog.h termios.h
unistd.h utime.h execinfo.h immintrin.h arm_neon.h
""".split())
SYSTEM_FOLDERS = ("sys/", "linux/", "arpa/", "net/", "netinet/", "asm/")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(path):
    for room, (folder, _, _) in ROOMS.items():
        if path.startswith(folder + "/"):
            return room
    return None


def includes(tree):
    """Yields (path, line, bracket, included) of the product: tests may look behind every door."""
    for path in tree.files(".c", ".h", under=[folder for folder, _, _ in ROOMS.values()]):
        for number, line in tree.lines(path):
            match = INCLUDE.match(line)
            if match:
                yield path, number, match.group(1), match.group(2)


def check_arrow(path, number, included):
    room, target = room_of(path), room_of(included)
    if included.startswith("tests/"):
        return f"{path}:{number}: the product includes a test header: {included}"
    if target is None or target == room:
        return None
    if target not in ROOMS[room][2]:
        return f"{path}:{number}: {room} may not use {target} (it may use: {', '.join(ROOMS[room][2]) or 'nothing'})"
    if included != ROOMS[target][1]:
        return f"{path}:{number}: {target} is entered by {ROOMS[target][1]}, not by {included}"
    return None


def check(tree):
    findings = []
    users = {}  # third-party library -> {path: first line}
    generated = {}  # generated message header -> {room}
    for path, number, bracket, included in includes(tree):
        if included.endswith(".pb-c.h"):
            generated.setdefault(included, {}).setdefault(room_of(path), f"{path}:{number}")
        elif bracket == '"':
            if "/" not in included and (tree.root / path).with_name(included).exists():
                findings.append(f"{path}:{number}: includes are relative to the root: {included}")
            finding = check_arrow(path, number, included)
            if finding:
                findings.append(finding)
        elif included not in SYSTEM and not included.startswith(SYSTEM_FOLDERS):
            users.setdefault(included.split("/")[0], {}).setdefault(path, number)
    for library, places in sorted(users.items()):
        if len(places) > 1:
            listed = ", ".join(f"{path}:{number}" for path, number in sorted(places.items()))
            findings.append(f"{listed}: {library} belongs to one .c file")
        for path, number in places.items():
            if path.endswith(".h"):
                findings.append(f"{path}:{number}: {library} in a header leaks it into every file that includes it")
    for header, rooms in sorted(generated.items()):
        if len(rooms) > 1:
            findings.append(f"{', '.join(rooms.values())}: {header} belongs to one room")
    return findings


def plant(tree):
    tree.write("collector/receiver.c", '#include "query/query.h"\n#include "storage/engine.h"\n')


if __name__ == "__main__":
    run(check, plant)
