# SPDX-License-Identifier: Apache-2.0
"""tests/bench/soak.py: ten minutes at a steady rate with queries beside it: does anything grow?

    python3 tests/bench/soak.py --binary build/spoor --rate 150000 --seconds 600 --plot docs/images/soak.svg
    ... --keep 2GiB      what a server with a limit for its disk does: the oldest spans go meanwhile

Every few seconds it notes the server's memory, what a small request waits for its ack, a trace by id and a search; at the end it
prints the medians of each fifth and, if asked, draws all of it, up to where it failed if it did. Not part of `./dev bench`: it takes as long
as it says."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.parse

import bench

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import spoor  # noqa: E402

QUERY = '{ span.db.system.name = "redis" && duration > 1ms }'
WIDTH, PANEL, MARGIN = 900, 150, 70
TRIES_MAX = 100
KNOWN_MAX = 600  # small requests of the last three minutes or so: no limit for the disk has removed them yet


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


def timed(call):
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def export_until_acked(server, body):
    """How often the server asked to come again: its memory for what is not sealed was full."""
    for refused in range(TRIES_MAX):
        status, _, answer = server.export(body)
        if status == 200:
            return refused
        assert status in (429, 503), (status, answer)
        time.sleep(0.1)
    raise SystemExit(f"not acked after {TRIES_MAX} tries")


def sample(server, known):
    """One round: ten acks, ten traces by id, one search; times in ms, that of an ack with all its tries."""
    acks, traces, refused = [], [], 0
    for _ in range(10):
        trace_id = os.urandom(16)
        body = spoor.request_message([spoor.span_message(trace_id, os.urandom(8))])
        seconds, tries = timed(lambda: export_until_acked(server, body))
        refused += tries
        acks.append(seconds * 1e3)
        known.append(trace_id.hex())
    del known[:-KNOWN_MAX]
    for i in range(10):
        seconds, found = timed(lambda: server.trace(known[i * len(known) // 10]))
        if not found:
            raise SystemExit("a trace of the last three minutes is gone: choose a larger --keep, or a lower --rate")
        traces.append(seconds * 1e3)
    query = urllib.parse.urlencode({"q": QUERY, "limit": 20, "from": "now-1m", "to": "now"})
    seconds, _ = timed(lambda: server.get_json(f"/v1/search?{query}"))
    return {
        "ack, slowest of ten, ms": max(acks),
        "trace by id, slowest of ten, ms": max(traces),
        "search of the last minute, ms": seconds * 1e3,
        "asked to come again": refused,
    }


def removed_spans(server):
    metric = re.compile(r'^spoor_store_removed_spans_total\{[^}]*\} (\d+)', re.MULTILINE)
    return sum(int(value) for value in metric.findall(server.request("http", "GET", "/metrics")[2].decode()))


def soak(binary, rate, seconds, source, samples, keep):
    """Appends (seconds since the start, round) to samples, which are there as well when it fails."""
    known, sent = [], 0
    with spoor.Spoor(binary, args=["--retention-size", keep] if keep else []) as server:
        host, port = server.address("otlp-grpc")
        load = subprocess.Popen(
            [binary, "load", "--json", "--target", f"{host}:{port}", "--rate", str(rate), "--spans", str(rate * seconds), source],
            stdout=subprocess.PIPE,
            text=True,
        )
        out = []
        reader = threading.Thread(target=lambda: out.append(load.stdout.read()))
        reader.start()
        began = time.monotonic()
        while load.poll() is None:
            row = sample(server, known)
            sent += 10
            row["memory, MiB"] = resident_bytes(server.process.pid) / 2**20
            samples.append((time.monotonic() - began, row))
            time.sleep(2)
        reader.join()
        if load.returncode != 0:
            raise SystemExit(f"the load failed ({load.returncode}): {out[0]}")
        result = json.loads(out[0])
        bench.wait_idle(server)
        removed = removed_spans(server)
        bench.check_stored(server, "soak", result["spansAcked"] + sent - removed)
    return result, removed


def median(values):
    return sorted(values)[len(values) // 2]


def draw(samples, path):
    names = list(samples[0][1])
    end = samples[-1][0]
    height = PANEL * len(names) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">']
    out.append(f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>')
    for number, name in enumerate(names):
        top, bottom = PANEL * number + 28, PANEL * (number + 1) - 8
        largest = max(1, *(row[name] for _, row in samples))
        points = " ".join(
            f"{MARGIN + at / end * (WIDTH - MARGIN - 20):.1f},{bottom - row[name] / largest * (bottom - top):.1f}" for at, row in samples
        )
        out.append(f'<text x="{MARGIN}" y="{top - 8}" fill="#222">{name}</text>')
        out.append(f'<path d="M{MARGIN} {top}V{bottom}H{WIDTH - 20}" fill="none" stroke="#999"/>')
        out.append(f'<text x="{MARGIN - 6}" y="{top + 8}" text-anchor="end" fill="#555">{largest:,.0f}</text>')
        out.append(f'<text x="{MARGIN - 6}" y="{bottom}" text-anchor="end" fill="#555">0</text>')
        out.append(f'<polyline points="{points}" fill="none" stroke="#2563a8" stroke-width="1.2"/>')
    out.append(f'<text x="{WIDTH - 20}" y="{height - 8}" text-anchor="end" fill="#555">{end:,.0f} s</text></svg>')
    pathlib.Path(path).write_text("\n".join(out) + "\n")


def report(samples):
    print(f"{len(samples)} samples, the last after {samples[-1][0]:,.0f} s\n")
    print("| median of each fifth | 1st | 2nd | 3rd | 4th | 5th | largest |\n|---|---|---|---|---|---|---|")
    for name in samples[0][1]:
        values = [row[name] for _, row in samples]
        ends = [len(values) * fifth // 5 for fifth in range(6)]
        medians = [f"{median(values[i:max(j, i + 1)]):,.1f}" for i, j in zip(ends, ends[1:])]
        print(f"| {name} | {' | '.join(medians)} | {max(values):,.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--rate", type=int, default=150000, help="spans a second")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--keep", help="a limit for the disk, like 2GiB")
    parser.add_argument("--plot", help="an SVG file to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        with tarfile.open(bench.DATA / "pb.tar.gz") as tar:
            tar.extractall(directory)
        shop = os.path.dirname(str(next(pathlib.Path(directory).rglob("index.jsonl"))))
        samples = []
        try:
            result, removed = soak(options.binary, options.rate, options.seconds, shop, samples, options.keep)
            print(f"{result['spansAcked']:,} spans, {result['spansAcked'] / result['seconds']:,.0f} a second, {removed:,} removed")
        finally:
            if samples:
                report(samples)
                if options.plot:
                    draw(samples, options.plot)


if __name__ == "__main__":
    main()
