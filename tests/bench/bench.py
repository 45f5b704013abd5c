# SPDX-License-Identifier: Apache-2.0
"""tests/bench/bench.py: what the whole server costs, measured from outside: `./dev bench`.

Starts a real `spoor serve`, lets `spoor load` send spans (the shop recording with new ids and times each round, and
generated ones), and prints one table. CPU is the server process's own (user and system), so that the generator beside it
does not count; every run checks that the store holds exactly what was acked."""

import argparse
import http.client
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import spoor  # noqa: E402

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "otel-js-shop"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def disk_bytes(directory):
    return sum(os.stat(os.path.join(base, name)).st_blocks * 512 for base, _, names in os.walk(directory) for name in names)


def wait_idle(server):
    """Until the server has used no CPU to speak of for two seconds."""
    last, quiet = cpu_seconds(server.process.pid), 0
    while quiet < 4:
        time.sleep(0.5)
        now = cpu_seconds(server.process.pid)
        quiet = quiet + 1 if now - last < 0.03 else 0
        last = now


def load(binary, server, args):
    """The result of `spoor load`, with the CPU seconds it took itself."""
    host, port = server.address("otlp-grpc")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([binary, "load", "--json", "--target", f"{host}:{port}", *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"spoor load failed: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    own_cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return dict(json.loads(done.stdout), ownCpuSeconds=own_cpu)


def rank(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def lookups(server, trace_ids):
    connection = http.client.HTTPConnection(*server.address("http"), timeout=60)
    seconds = []
    for trace_id in trace_ids:
        began = time.perf_counter()
        connection.request("GET", f"/v1/traces/{trace_id}", headers={"accept": "application/x-protobuf"})
        reply = connection.getresponse()
        body = reply.read()
        seconds.append(time.perf_counter() - began)
        if reply.status != 200:
            raise SystemExit(f"trace {trace_id}: {reply.status} {body[:200]!r}")
    return seconds


def visible_seconds(server, times):
    """From the ack to the first read that shows the span, polling without pause."""
    out = []
    for i in range(times):
        trace_id = os.urandom(16)
        body = spoor.request_message([spoor.span_message(trace_id, os.urandom(8))])
        status, _, _ = server.export(body)
        began = time.perf_counter()
        assert status == 200
        while not server.trace(trace_id.hex()):
            pass
        out.append(time.perf_counter() - began)
    return out


def stored_spans(server):
    return int(server.get_json("/v1/status")["spanCount"])


def measure(binary, name, spans, source, extra):
    with spoor.Spoor(binary) as server:
        began_cpu = cpu_seconds(server.process.pid)
        result = load(binary, server, ["--spans", str(spans), *extra, *source])
        load_cpu = cpu_seconds(server.process.pid) - began_cpu
        wait_idle(server)
        total_cpu = cpu_seconds(server.process.pid) - began_cpu
        acked = result["spansAcked"]
        if stored_spans(server) != acked:
            raise SystemExit(f"{name}: {acked} spans were acked, {stored_spans(server)} are stored")
        rows = {
            "spans": acked,
            "bytes a span on the wire": result["bodyBytes"] / acked,
            "spans a second": acked / result["seconds"],
            "CPU-seconds a million spans, until the last ack": load_cpu / acked * 1e6,
            "CPU-seconds a million spans, all sealed": 0.0,
            "the generator's CPU-seconds a million spans": result["ownCpuSeconds"] / acked * 1e6,
            "ack p50, ms": result["ackNanos"]["p50"] / 1e6,
            "ack p99, ms": result["ackNanos"]["p99"] / 1e6,
            "retries asked for": result["retries"],
            "bytes on disk a span, all sealed": 0.0,
            "peak memory, MiB": peak_bytes(server.process.pid) / 2**20,
        }
        visible = visible_seconds(server, 50)
        found = lookups(server, result["sampleTraceIds"][:500])
        rows["ack to visible p99, ms"] = rank(visible, 0.99) * 1e3
        rows["trace by id p50, ms"] = statistics.median(found) * 1e3
        rows["trace by id p99, ms"] = rank(found, 0.99) * 1e3
        before_stop, children = cpu_seconds(server.process.pid), resource.getrusage(resource.RUSAGE_CHILDREN)
        server.stop()  # seals what is in the head
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        stop_cpu = ended.ru_utime + ended.ru_stime - children.ru_utime - children.ru_stime - before_stop
        rows["CPU-seconds a million spans, all sealed"] = (total_cpu + stop_cpu) / acked * 1e6
        rows["bytes on disk a span, all sealed"] = disk_bytes(server.data_dir) / acked
    return rows


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--spans", type=int, default=1000000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        with tarfile.open(DATA / "pb.tar.gz") as tar:
            tar.extractall(directory)
        shop = os.path.dirname(str(next(pathlib.Path(directory).rglob("index.jsonl"))))
        runs = {
            "shop": ([shop], []),
            "shop, gzip": ([shop], ["--compression", "gzip"]),
            "generated": ([], []),
        }
        table = {name: measure(options.binary, name, options.spans, *run) for name, run in runs.items()}
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {cpu_model()}, Linux {platform.release()}\n")
    print("| | " + " | ".join(table) + " |\n|---|" + "---|" * len(table))
    for row in next(iter(table.values())):
        print(f"| {row} | " + " | ".join(f"{run[row]:,.0f}" if run[row] >= 1000 else f"{run[row]:.2f}" for run in table.values()) + " |")


if __name__ == "__main__":
    main()
