#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A start that finds a full journal: the process answers at once and says how far it is, senders that try again succeed, nothing is lost or
twice, and a start that is ended half-way leaves everything as it was.

What makes the start long enough to be looked at is its work: it may keep so little in memory that it has to seal on the way."""
import json
import re
import secrets
import subprocess
import tempfile
import time

import spoor
import tap

SPANS = 400_000
# Of the second start. The head of the first is larger by far.
LITTLE_MEMORY = ["--backlog", "8MiB"]
PROGRESS = re.compile(r"of (\d+) requests in the journal (\d+) are read, (\d+) spans, (\d+) of (\d+) bytes")
LOOK_SECONDS = 0.02
LOOKS_MAX = 10_000


def load(server, spans):
    """Generated spans over gRPC of the program's own sender, which tries again when it is asked to, but not for ever: (spans that were acked,
    how often it tried again, did it succeed)"""
    host, port = server.address("otlp-grpc")
    done = subprocess.run([server.binary, "load", "--target", f"{host}:{port}", "--spans", str(spans), "--compression", "zstd", "--json"],
                          stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    return int(result["spansAcked"]), int(result["retries"]), done.returncode == 0


def mark(trace_id):
    return spoor.request_message([spoor.span_message(trace_id, secrets.token_bytes(8), "mark")], "marked")


def leave_full_journal(binary, directory):
    """A server is killed before it has sealed what it acked; returns spans and the ids of some traces, of one span each."""
    trace_ids = [secrets.token_bytes(16) for _ in range(8)]
    with spoor.Spoor(binary, data_dir=directory) as server:
        spans = 0
        for i in range(4):
            acked, _, succeeded = load(server, SPANS // 4)
            assert succeeded
            spans += acked
            for trace_id in trace_ids[2 * i:2 * i + 2]:
                assert server.export(mark(trace_id))[0] == 200
        server.kill()
    return spans + len(trace_ids), [trace_id.hex() for trace_id in trace_ids]


def start_behind(binary, directory, args=()):
    """A server that listens, and may not have opened its store yet."""
    server = spoor.Spoor(binary, data_dir=directory, args=[*LITTLE_MEMORY, *args]).start(wait=False)
    for _ in range(LOOKS_MAX):
        if len(server.addresses) == 3 or server.ready.is_set():
            break
        time.sleep(LOOK_SECONDS)
    assert len(server.addresses) == 3, server.log
    return server


def progress_of(server):
    """What /readyz says: numbers while the journal is read, None when it is ready; waits while the database is opened before that."""
    for _ in range(LOOKS_MAX):
        status, headers, body = server.request("http", "GET", "/readyz")
        if status == 200:
            return None
        assert status == 503 and headers["retry-after"] == "1", (status, headers)
        detail = json.loads(body)["detail"]
        found = PROGRESS.search(detail)
        if found:
            return [int(number) for number in found.groups()]
        assert "the store is being opened" in detail, detail
        time.sleep(LOOK_SECONDS)
    raise AssertionError("it does not become ready")


def try_until_taken(server, body):
    """As an SDK does, with less patience between two tries."""
    for _ in range(LOOKS_MAX):
        status, headers, answer = server.export(body)
        if status == 200:
            return
        assert status == 503 or status == 429, (status, answer)
        assert headers["retry-after"], headers
        time.sleep(LOOK_SECONDS)
    raise AssertionError("it is never taken")


def assert_refuses(server):
    """What needs the store is refused while it is being opened; what does not is answered. False: it is open by now."""
    assert server.request("http", "GET", "/healthz")[0] == 200
    for path in ("/v1/services", "/v1/search?q=%7B%7D", "/v1/graph", "/v1/status", "/v1/traces/" + 32 * "1"):
        status, headers, body = server.request("http", "GET", path)
        if status != 503:
            return False
        assert headers["content-type"] == "application/problem+json" and headers["retry-after"] == "1", headers
        assert "the store is being opened" in json.loads(body)["detail"], body
    status, _, body = server.request("http", "GET", "/metrics")
    return status == 200 and b"\nspoor_store_opening 1\n" in body and b"spoor_store_replayed_requests" in body


def grpc_health(server):
    """1 is SERVING, 2 NOT_SERVING."""
    _, fields, reply = spoor.grpc(server, "/grpc.health.v1.Health/Check", b"")
    assert fields["grpc-status"] == "0" and reply[5:6] == b"\x08", (fields, reply)
    return reply[6]


def assert_sound(binary, directory):
    done = subprocess.run([binary, "check", directory], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_all_there(server, spans, trace_ids):
    assert server.get_json("/v1/status")["spanCount"] == str(spans)
    services = server.get_json("/v1/services")["services"]
    assert sum(int(service["spanCount"]) for service in services) == spans
    for trace_id in trace_ids:
        assert len(server.trace(trace_id)) == 1, trace_id


def test_start_with_a_full_journal_answers_and_says_how_far_it_is(binary):
    with tempfile.TemporaryDirectory() as directory:
        spans, trace_ids = leave_full_journal(binary, directory)
        server = start_behind(binary, directory)
        try:
            seen = progress_of(server)
            assert seen is not None, "the journal was read before anybody could look"
            assert assert_refuses(server)
            assert grpc_health(server) == 2
            late = secrets.token_bytes(16)
            status, headers, answer = server.export(mark(late))
            assert status == 503 and headers["retry-after"] and b"the store is being opened" in answer, (status, answer)
            acked, retries, succeeded = load(server, 1000)
            assert retries > 0
            spans += acked
            try_until_taken(server, mark(late))
            assert progress_of(server) is None
            assert grpc_health(server) == 1
            all_requests, read_requests, read_spans, read_bytes, all_bytes = seen
            assert read_requests <= all_requests and read_spans <= spans and read_bytes <= all_bytes
            metrics = server.request("http", "GET", "/metrics")[2].decode()
            assert f"\nspoor_store_replayed_requests {all_requests}\n" in metrics
            assert f"\nspoor_store_replayed_bytes {all_bytes}\n" in metrics
            assert "\nspoor_store_opening 0\n" in metrics
            if not succeeded:
                acked, _, succeeded = load(server, 1000)
                assert succeeded
                spans += acked
            assert_all_there(server, spans + 1, trace_ids + [late.hex()])
            server.stop()
            assert any("event=journal_replayed" in line for line in server.log)
        finally:
            server.close()
        assert_sound(binary, directory)


def test_start_that_is_ended_while_it_reads_the_journal_changes_nothing(binary):
    with tempfile.TemporaryDirectory() as directory:
        spans, trace_ids = leave_full_journal(binary, directory)
        for _ in range(2):
            server = start_behind(binary, directory)
            try:
                assert progress_of(server) is not None, "the journal was read before anybody could end it"
                server.stop()
                assert not any("event=ready" in line for line in server.log), server.log
            finally:
                server.close()
            assert_sound(binary, directory)
        with spoor.Spoor(binary, data_dir=directory) as server:
            assert_all_there(server, spans, trace_ids)
            server.stop()
        assert_sound(binary, directory)


def test_start_that_is_killed_while_it_reads_the_journal_loses_nothing(binary):
    with tempfile.TemporaryDirectory() as directory:
        spans, trace_ids = leave_full_journal(binary, directory)
        server = start_behind(binary, directory)
        assert progress_of(server) is not None, "the journal was read before anybody could kill it"
        server.kill()
        assert_sound(binary, directory)
        with spoor.Spoor(binary, data_dir=directory) as server:
            assert_all_there(server, spans, trace_ids)
            server.stop()
        assert_sound(binary, directory)


if __name__ == "__main__":
    tap.main(globals())
