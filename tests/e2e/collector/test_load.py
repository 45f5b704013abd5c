# SPDX-License-Identifier: Apache-2.0
"""`spoor load`: what it says it sent is what is stored, rounds are new traces, and wrong input is named."""

import json
import pathlib
import subprocess
import tarfile
import tempfile
import time

import spoor
import tap

RECORDING = pathlib.Path(__file__).resolve().parents[2] / "data" / "otel-js-shop" / "pb.tar.gz"
SPANS, TRACES = 13114, 734


def run(server, *args, interface="otlp-grpc"):
    host, port = server.address(interface)
    done = subprocess.run([server.binary, "load", "--json", "--target", f"{host}:{port}", *args], capture_output=True, text=True,
                          timeout=240)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def recording(directory):
    with tarfile.open(RECORDING) as tar:
        tar.extractall(directory)
    return str(pathlib.Path(directory) / "pb")


def counts(server):
    status = server.get_json("/v1/status")
    return int(status["spanCount"]), int(status["traceCount"])


def test_as_recorded_keeps_ids_and_times(binary):
    with spoor.Spoor(binary) as server, tempfile.TemporaryDirectory() as directory:
        code, result, stderr = run(server, "--as-recorded", recording(directory))
        assert code == 0 and result["spansAcked"] == SPANS, (result, stderr)
        assert counts(server) == (SPANS, TRACES)
        oldest = int(server.get_json("/v1/status")["oldestUnixNano"])
        assert oldest < 1795400000 * 10**9, oldest
        server.stop()


def test_each_round_is_new_traces_that_end_now(binary):
    with spoor.Spoor(binary) as server, tempfile.TemporaryDirectory() as directory:
        for seed, (extra, interface) in enumerate(((["--compression", "gzip"], "otlp-grpc"), (["--protocol", "http"], "otlp-http"))):
            code, result, stderr = run(server, "--spans", str(2 * SPANS), "--seed", str(seed), *extra, recording(directory),
                                       interface=interface)
            assert code == 0 and result["spansAcked"] == 2 * SPANS and result["spansRejected"] == 0, (result, stderr)
        assert counts(server) == (4 * SPANS, 4 * TRACES)
        for trace_id in result["sampleTraceIds"][:20]:
            assert server.trace(trace_id)
        server.stop()


def test_generated_spans_make_whole_traces(binary):
    with spoor.Spoor(binary) as server:
        code, result, stderr = run(server, "--spans", "5000")
        assert code == 0, stderr
        assert counts(server) == (result["spansAcked"], result["spansAcked"] // 12)
        graph = server.get_json("/v1/graph")
        calls = {(edge["client"], edge["server"]): int(edge["calls"]) for edge in graph["edges"]}
        traces = result["spansAcked"] // 12
        for edge in (("frontend", "checkout"), ("checkout", "cart"), ("checkout", "payment"), ("payment", "currency"),
                     ("checkout", "shipping")):
            assert calls[edge] == traces, (edge, calls)
        server.stop()


def test_wrong_recordings_are_named(binary):
    with spoor.Spoor(binary) as server, tempfile.TemporaryDirectory() as directory:
        broken = pathlib.Path(directory) / "broken.pb"
        broken.write_bytes(b"\x0a\xff\xff")
        empty = pathlib.Path(directory) / "empty"
        empty.mkdir()
        for path in (str(broken), str(empty), str(broken) + ".missing"):
            code, _, stderr = run(server, path)
            assert code == 3 and path in stderr, (path, code, stderr)


def test_a_server_that_is_not_there_is_a_failure(binary):
    done = subprocess.run([binary, "load", "--target", "127.0.0.1:1", "--spans", "1000000"], capture_output=True, text=True, timeout=240)
    assert done.returncode == 3 and "127.0.0.1" in done.stderr, (done.returncode, done.stderr)


def test_only_collector_has_no_read_api(binary):
    with spoor.Spoor(binary, args=["--only", "collector"]) as server:
        assert set(server.addresses) == {"otlp-grpc", "otlp-http"}, server.addresses
        code, result, stderr = run(server, "--spans", "1000")
        assert code == 0 and result["spansAcked"] >= 1000, stderr
        server.stop()


def memory_kib(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return {name: int(value.split()[0]) for name, value in (line.split(":", 1) for line in status.splitlines()) if name.startswith("Vm")}


def test_memory_of_a_load_goes_back_to_the_system(binary):
    if any(runtime in pathlib.Path(binary).read_bytes() for runtime in (b"__asan_init", b"__tsan_init")):
        raise tap.SkipTest("sanitizers have an allocator of their own")
    with spoor.Spoor(binary) as server:
        code, _, stderr = run(server, "--spans", "400000")
        assert code == 0, stderr
        deadline = time.monotonic() + 120
        while (memory := memory_kib(server))["VmRSS"] > memory["VmHWM"] * 0.7:
            assert time.monotonic() < deadline, memory
            time.sleep(1)
        server.stop()


if __name__ == "__main__":
    tap.main(globals())
