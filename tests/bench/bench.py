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
import random
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import questions  # noqa: E402
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
    return load_to(binary, *server.address("otlp-grpc"), args)


def load_to(binary, host, port, args):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([binary, "load", "--json", "--target", f"{host}:{port}", *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"spoor load failed: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    own_cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return dict(json.loads(done.stdout), ownCpuSeconds=own_cpu)


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


def check_stored(server, name, acked):
    if stored_spans(server) != acked:
        raise SystemExit(f"{name}: {acked} spans were acked, {stored_spans(server)} are stored")


def measure(binary, name, spans, source, extra):
    """As fast as the server acks, until it has sealed and merged all of it."""
    with spoor.Spoor(binary) as server:
        began_cpu = cpu_seconds(server.process.pid)
        result = load(binary, server, ["--spans", str(spans), *extra, *source])
        load_cpu = cpu_seconds(server.process.pid) - began_cpu
        wait_idle(server)
        total_cpu = cpu_seconds(server.process.pid) - began_cpu
        acked = result["spansAcked"]
        check_stored(server, name, acked)
        rows = {
            "spans": acked,
            "bytes a span on the wire": result["bodyBytes"] / acked,
            "spans a second": acked / result["seconds"],
            "CPU-seconds a million spans, until the last ack": load_cpu / acked * 1e6,
            "CPU-seconds a million spans, sealed and merged": 0.0,
            "the generator's CPU-seconds a million spans": result["ownCpuSeconds"] / acked * 1e6,
            "ack p50, ms": result["ackNanos"]["p50"] / 1e6,
            "ack p99, ms": result["ackNanos"]["p99"] / 1e6,
            "retries asked for": result["retries"],
            "bytes on disk a span": 0.0,
            "peak memory, MiB": peak_bytes(server.process.pid) / 2**20,
        }
        visible = visible_seconds(server, 50)
        rows["ack to visible p99, ms"] = questions.rank(visible, 0.99) * 1e3
        before_stop, children = cpu_seconds(server.process.pid), resource.getrusage(resource.RUSAGE_CHILDREN)
        server.stop()  # seals what is in the head
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        stop_cpu = ended.ru_utime + ended.ru_stime - children.ru_utime - children.ru_stime - before_stop
        rows["CPU-seconds a million spans, sealed and merged"] = (total_cpu + stop_cpu) / acked * 1e6
        rows["bytes on disk a span"] = disk_bytes(server.data_dir) / acked
    return rows


def measure_generator(binary, sink, spans, source, extra):
    """What the generator could send to a receiver that acks and does nothing else."""
    with subprocess.Popen([sink], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as receiver:
        host, port = receiver.stdout.readline().strip().rsplit(":", 1)
        began_cpu = cpu_seconds(receiver.pid)
        result = load_to(binary, host, port, ["--spans", str(spans), *extra, *source])
        acked, receiver_cpu = result["spansAcked"], cpu_seconds(receiver.pid) - began_cpu
        receiver.stdin.close()
    return {
        "to a receiver that only acks, spans a second": acked / result["seconds"],
        "that receiver's CPU-seconds a million spans": receiver_cpu / acked * 1e6,
    }


def measure_at_rate(binary, rate, seconds, source):
    """At a rate that leaves room: what senders wait for, and what memory it takes."""
    with spoor.Spoor(binary) as server:
        result = load(binary, server, ["--spans", str(rate * seconds), "--rate", str(rate), *source])
        check_stored(server, f"{rate} spans a second", result["spansAcked"])
        return {
            "spans a second": result["spansAcked"] / result["seconds"],
            "ack p50, ms": result["ackNanos"]["p50"] / 1e6,
            "ack p99, ms": result["ackNanos"]["p99"] / 1e6,
            "peak memory, MiB": peak_bytes(server.process.pid) / 2**20,
        }


# ---- queries over much ----

NEEDLE = "SELECT needle"


def export_needle(server):
    """A span with a value that no other has, under a key that many have."""
    trace_id = os.urandom(16)
    span = spoor.span_message(trace_id, os.urandom(8), attributes=[("db.query.text", NEEDLE)])
    status, _, _ = server.export(spoor.request_message([span]))
    assert status == 200
    return trace_id.hex()


def searches(server, query, times):
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        answer = server.get_json("/v1/search?" + urllib.parse.urlencode({"q": query, "limit": 20}))
        seconds.append(time.perf_counter() - began)
    return seconds, answer


def timed(server, path, times, **parameters):
    """Seconds of so many requests, warm."""
    url = path + ("?" + urllib.parse.urlencode(parameters) if parameters else "")
    server.get_json(url)
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        answer = server.get_json(url)
        seconds.append(time.perf_counter() - began)
    return questions.rank(seconds, 0.95) * 1e3, answer


def measure_all_spans(server, rows):
    """Questions on every stored span; p95 of each, warm."""
    spans = stored_spans(server)
    series = {
        "rate() by service": "{} | rate() by (resource.service.name)",
        "rate() by an attribute": "{} | rate() by (span.http.request.method)",
        "quantile_over_time(duration) by service": "{} | quantile_over_time(duration, 0.5, 0.99) by (resource.service.name)",
        "rate() of errors by operation": "{ status = error } | rate() by (name)",
    }
    for name, query in series.items():
        rows[f"{name}, p95, ms"], answer = timed(server, "/v1/metrics/query_range", 20, q=query)
        if not answer["series"]:
            raise SystemExit(f"{query}: nothing was found")
    rows["heatmap of everything, p95, ms"], answer = timed(server, "/v1/heatmap", 20)
    if sum(cell[2] for cell in answer["cells"]) != spans:
        raise SystemExit(f"the heatmap has {sum(cell[2] for cell in answer['cells'])} of {spans} spans")
    rows["facets of three keys, p95, ms"], _ = timed(server, "/v1/facets", 10, keys="service,name,span.http.route")
    rows["values of an attribute, p95, ms"], _ = timed(server, "/v1/attributes", 20, scope="span", key="http.route")
    rows["keys of attributes, p95, ms"], _ = timed(server, "/v1/attributes", 20)
    rows["latency of all operations, p95, ms"], _ = timed(server, "/v1/latency", 20)
    questions.measure_searches(server, rows)


def measure_queries(binary, spans, source):
    """Traces by id and searches, over many spans; the first touch right after a start."""
    needles, samples = [], []
    with tempfile.TemporaryDirectory() as data_dir:
        with spoor.Spoor(binary, data_dir=data_dir) as server:
            for part in range(4):
                result = load(binary, server, ["--spans", str(spans // 4), "--seed", str(part + 1), *source])
                samples += result["sampleTraceIds"]
                needles.append(export_needle(server))
            wait_idle(server)
        random.Random(1).shuffle(samples)
        with spoor.Spoor(binary, data_dir=data_dir) as server:
            rows = {"spans": stored_spans(server)}
            first = lookups(server, samples[:300])
            for _ in range(2):
                warm = lookups(server, samples[:300])
            rows["trace by id, first touch p50, ms"] = statistics.median(first) * 1e3
            rows["trace by id, first touch p99, ms"] = questions.rank(first, 0.99) * 1e3
            rows["trace by id, warm p50, ms"] = statistics.median(warm) * 1e3
            rows["trace by id, warm p99, ms"] = questions.rank(warm, 0.99) * 1e3
            selective, answer = searches(server, f'{{ span.db.query.text = "{NEEDLE}" }}', 20)
            found = {trace["traceId"] for trace in answer["traces"]}
            if found != set(needles) or not answer["complete"]:
                raise SystemExit(f"the needles are {needles}, found were {answer}")
            rows["selective equality, median, ms"] = statistics.median(selective) * 1e3
            rows["selective equality, first, ms"] = selective[0] * 1e3
            unselective, answer = searches(server, '{ span.db.system.name = "redis" }', 20)
            if len(answer["traces"]) != 20:
                raise SystemExit(f"20 traces were asked for, {len(answer['traces'])} came")
            rows["unselective equality, top 20, median, ms"] = statistics.median(unselective) * 1e3
            measure_all_spans(server, rows)
            rows["peak memory, MiB"] = peak_bytes(server.process.pid) / 2**20
            beside = measure_beside(server, source)
    return rows, beside


BESIDE_RATE, BESIDE_SECONDS = 100000, 20


def measure_beside(server, source):
    """Senders' waiting, without and with people who ask, over what is stored already."""
    seeds = iter(range(101, 200))  # of new trace ids, each time

    def load_at_rate():
        spans = BESIDE_RATE * BESIDE_SECONDS
        arguments = ["--spans", str(spans), "--rate", str(BESIDE_RATE), "--seed", str(next(seeds)), *source]
        return load(server.binary, server, arguments)["ackNanos"]

    rows = questions.measure_beside(server, load_at_rate)
    rows["peak memory, MiB"] = peak_bytes(server.process.pid) / 2**20
    return rows


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def print_table(table):
    print("| | " + " | ".join(table) + " |\n|---|" + "---|" * len(table))
    for row in next(iter(table.values())):
        print(f"| {row} | " + " | ".join(f"{run[row]:,.0f}" if run[row] >= 1000 else f"{run[row]:.2f}" for run in table.values()) + " |")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--sink", required=True, help="tests/bench/sink.c")
    parser.add_argument("--spans", type=int, default=1000000, help="of each load at full rate")
    parser.add_argument("--stored", type=int, default=20000000, help="spans that the queries are asked of")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        with tarfile.open(DATA / "pb.tar.gz") as tar:
            tar.extractall(directory)
        shop = os.path.dirname(str(next(pathlib.Path(directory).rglob("index.jsonl"))))
        print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {cpu_model()}, Linux {platform.release()}\n")
        table = {}
        for name, source, extra in [
            ("shop", [shop], []),
            ("shop, gzip", [shop], ["--compression", "gzip"]),
            ("synthetic", [], []),
        ]:
            table[name] = measure(options.binary, name, options.spans, source, extra)
            table[name] |= measure_generator(options.binary, options.sink, options.spans, source, extra)
        print_table(table)
        half = int(table["shop"]["spans a second"] / 2)
        print_table({
            "shop, half of that rate": measure_at_rate(options.binary, half, 20, [shop]),
            "shop, 100,000 spans a second": measure_at_rate(options.binary, 100000, 20, [shop]),
        })
        queries, beside = measure_queries(options.binary, options.stored, [shop])
        print_table({"shop": queries})
        print_table({f"shop, {BESIDE_RATE:,} spans a second beside queries": beside})


if __name__ == "__main__":
    main()
