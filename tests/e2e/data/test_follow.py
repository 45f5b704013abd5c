#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two processes on one data directory: a collector, and `--only query` beside it. What the collector has acked is in the answers of the
other after a bounded number of looks, also when the collector is killed, stopped and started again. Which states it may show in
between is the subject of tests/contract/test_follow.c."""
import os
import secrets
import subprocess
import tempfile
import time

import spoor
import tap

LOOKS_MAX = 600
LOOK_SECONDS = 0.05
NOON = 1767268800 * 10**9
QUESTIONS = ("/v1/services", "/v1/operations", "/v1/graph", "/v1/latency", "/v1/attributes", "/v1/search?limit=1000&q=%7B%7D",
             "/v1/search?q=%7B%20name%20%3D%20%22pay%22%20%7D")
RANGE = f"from={NOON - 3600 * 10**9}&to={NOON + 3600 * 10**9}"


def query(binary, directory):
    return spoor.Spoor(binary, data_dir=directory, args=["--only", "query"])


def send(server, count):
    """Traces of a call from shop to bank."""
    trace_ids = []
    for i in range(count):
        trace_id, root, call = secrets.token_bytes(16), secrets.token_bytes(8), secrets.token_bytes(8)
        start = NOON + i * 10**6
        shop = [spoor.span_message(trace_id, root, "buy", start=start), spoor.span_message(trace_id, call, "pay", start=start, parent=root, kind=3)]
        bank = [spoor.span_message(trace_id, secrets.token_bytes(8), "charge", start=start, parent=call, attributes=[("n", str(i))])]
        assert server.export(spoor.request_message(shop, "shop"))[0] == 200
        assert server.export(spoor.request_message(bank, "bank"))[0] == 200
        trace_ids.append(trace_id.hex())
    return trace_ids


def answers(server, trace_ids):
    """All but what depends on where spans stand."""
    found = [server.get_json(path + ("&" if "?" in path else "?") + RANGE) for path in QUESTIONS]
    for answer in found:
        for key in ("scanned", "cursor", "tookMs"):
            answer.pop(key, None)
    return found + [server.trace(trace_id) for trace_id in trace_ids]


def assert_same(got, want):
    for mine, other in zip(got, want, strict=True):
        assert mine == other, f"{mine}\n{other}"


def wait_for(condition, what):
    for _ in range(LOOKS_MAX):
        if condition():
            return
        time.sleep(LOOK_SECONDS)
    raise AssertionError(what)


def wait_for_spans(reader, count):
    wait_for(lambda: reader.get_json("/v1/status")["spanCount"] == str(count),
             f"{reader.get_json('/v1/status')['spanCount']} spans, not {count}")


def test_query_process_answers_as_the_collector(binary):
    with tempfile.TemporaryDirectory() as directory, spoor.Spoor(binary, data_dir=directory) as writer:
        trace_ids = send(writer, 3)
        with query(binary, directory) as reader:
            assert set(reader.addresses) == {"http"}, reader.addresses
            wait_for_spans(reader, 9)
            assert_same(answers(reader, trace_ids), answers(writer, trace_ids))
            for i in range(4):
                trace_ids += send(writer, 2)
                wait_for_spans(reader, 15 + 6 * i)
                assert_same(answers(reader, trace_ids), answers(writer, trace_ids))
            reader.stop()
        writer.stop()


def test_query_process_goes_on_when_the_collector_is_killed_stopped_and_started(binary):
    with tempfile.TemporaryDirectory() as directory:
        writer = spoor.Spoor(binary, data_dir=directory, args=["--only", "collector"]).start()
        trace_ids = send(writer, 2)
        with query(binary, directory) as reader:
            wait_for_spans(reader, 6)
            for round_number, end in enumerate((writer.kill, writer.stop, writer.kill, writer.stop)):
                trace_ids += send(writer, 2)
                end()
                count = 3 * len(trace_ids)
                wait_for_spans(reader, count)
                assert all(len(reader.trace(trace_id)) == 3 for trace_id in trace_ids), round_number
                writer.start()
                wait_for_spans(reader, count)
                assert all(len(reader.trace(trace_id)) == 3 for trace_id in trace_ids), round_number
            writer.stop()
            assert reader.request("http", "GET", "/readyz")[0] == 200
            last = answers(reader, trace_ids)
            reader.stop()
        with query(binary, directory) as reader:  # nobody writes
            wait_for_spans(reader, 3 * len(trace_ids))
            assert_same(answers(reader, trace_ids), last)
            reader.stop()
        writer.close()


def test_query_process_that_is_killed_leaves_the_collector_alone(binary):
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as temporary:
        with spoor.Spoor(binary, data_dir=directory) as writer:
            trace_ids = send(writer, 2)
            before = sorted(os.listdir(directory))
            reader = spoor.Spoor(binary, data_dir=directory, args=["--only", "query"], env={"TMPDIR": temporary}).start()
            wait_for_spans(reader, 6)
            assert sorted(os.listdir(directory)) == before and os.listdir(temporary) == []
            reader.kill()
            trace_ids += send(writer, 2)
            assert writer.get_json("/v1/status")["spanCount"] == "12"
            assert all(len(writer.trace(trace_id)) == 3 for trace_id in trace_ids)
            writer.stop()
        assert subprocess.run([binary, "check", directory], capture_output=True, check=False).returncode == 0


def test_query_process_says_its_role_and_how_old_its_answers_are(binary):
    with spoor.Spoor(binary) as writer:
        send(writer, 1)
        with query(binary, writer.data_dir) as reader:
            status = reader.get_json("/v1/status")
            assert status["role"] == "query" and int(status["catchUpAgeNano"]) >= 0, status
            assert reader.request("http", "GET", "/readyz")[2] == b"ok, query\n"
            metrics = reader.request("http", "GET", "/metrics")[2].decode()
            assert "\nspoor_store_follows 1\n" in metrics and "\nspoor_store_catch_up_age_seconds " in metrics
            assert "spoor_received_requests" not in metrics
        status = writer.get_json("/v1/status")
        assert status["role"] == "store" and "catchUpAgeNano" not in status, status
        assert "\nspoor_store_follows 0\n" in writer.request("http", "GET", "/metrics")[2].decode()


def test_directories_that_cannot_be_read_are_refused(binary):
    with tempfile.TemporaryDirectory() as directory:
        reader = query(binary, directory + "/nothing").start(wait=False)
        assert reader.wait_exit() != 0 and "is not a data directory" in "".join(reader.log), reader.log
        assert os.listdir(directory) == []
        with open(directory + "/FORMAT", "w", encoding="ascii") as file:
            file.write("spoor data, format 999\n")
        os.mkdir(directory + "/db")
        reader = query(binary, directory).start(wait=False)
        assert reader.wait_exit() != 0 and "says format 999" in "".join(reader.log), reader.log


if __name__ == "__main__":
    tap.main(globals())
