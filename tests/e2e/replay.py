#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recordings go in through the real binary, and every span comes back field for field: live, after kill -9, after SIGTERM.

What was sent is read by a decoder of OTLP that shares nothing with Spoor (otlp.py); what comes back is read as JSON and as protobuf."""
import json
import os
import pathlib
import shutil
import subprocess
import tarfile

import otlp
import spoor
import tap

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORDINGS = ("pb", "json")


def recorded_requests(name):
    """Yields (index entry, body) of a recording of the shop, in the order in which they came."""
    with tarfile.open(ROOT / "tests" / "data" / "otel-js-shop" / f"{name}.tar.gz") as archive:
        for line in archive.extractfile(f"{name}/index.jsonl").read().splitlines():
            entry = json.loads(line)
            yield entry, archive.extractfile(f"{name}/{entry['file']}").read()


def send(server, body, content_type, expected):
    """Posts one trace request and demands a full success."""
    status, headers, answer = server.request("otlp-http", "POST", "/v1/traces", body, {"Content-Type": content_type})
    if status != 200 or headers.get("content-type", "").partition(";")[0] != content_type:
        raise AssertionError(f"POST /v1/traces ({content_type}): {status} {headers.get('content-type')} {answer[:300]}")
    if "json" in content_type:
        full = not json.loads(answer).get("partialSuccess")
    else:
        full = answer == b""
    if not full:
        raise AssertionError(f"a full success is an empty message, not {answer[:300]}")
    expected.add(otlp.decode(body, content_type))


def send_shop(server):
    expected = otlp.Expected()
    for name in RECORDINGS:
        for entry, body in recorded_requests(name):
            if entry["signal"] == "traces":
                send(server, body, entry["contentType"], expected)
    return expected


def check_traces(server, expected, media_types=("application/json",), only=None):
    """Traces equal what was sent, in the forms that the API hands out."""
    for trace_id in only or expected.traces:
        spans = expected.traces[trace_id]
        for media_type in media_types:
            status, headers, body = server.request("http", "GET", f"/v1/traces/{trace_id}", headers={"Accept": media_type})
            if status != 200:
                raise AssertionError(f"GET /v1/traces/{trace_id}: {status} {body[:300]}")
            found = otlp.difference(spans, otlp.decode(body, headers["content-type"]))
            if found:
                raise AssertionError(f"trace {trace_id} as {media_type}: {found}")


def check_services(server, expected):
    found = {service["name"]: (int(service["spanCount"]), int(service["errorCount"]))
             for service in server.get_json("/v1/services")["services"]}
    sent = {name: (count, expected.errors[name]) for name, count in expected.services.items()}
    if found != sent:
        raise AssertionError(f"/v1/services says {found}, sent was {sent}")


def check_search(server, expected):
    """The pages of a search for everything hold every trace once."""
    found, cursor = [], ""
    while cursor is not None:
        page = server.get_json("/v1/search?q=%7B%7D&limit=200" + (f"&cursor={cursor}" if cursor else ""))
        found += [trace["traceId"] for trace in page["traces"]]
        cursor = page["cursor"]
    if sorted(found) != sorted(expected.traces):
        raise AssertionError(f"a search for everything found {len(found)} traces, {len(set(found))} different; "
                             f"{len(expected.traces)} were sent")


def check_all(server, expected, media_types=("application/json",)):
    check_traces(server, expected, media_types)
    check_services(server, expected)
    check_search(server, expected)


def test_recordings_come_back_equal_after_kill_9_and_after_sigterm(binary):
    with spoor.Spoor(binary) as server:
        expected = send_shop(server)
        server.kill()  # right behind the last ack
        server.start()
        check_all(server, expected, ("application/json", "application/x-protobuf"))
        server.stop()
        server.start()
        check_all(server, expected)


def test_recordings_come_back_equal_while_others_are_sent(binary):
    with spoor.Spoor(binary) as server:
        expected = otlp.Expected()
        for entry, body in recorded_requests("pb"):
            if entry["signal"] == "traces":
                latest = otlp.decode(body, entry["contentType"])
                send(server, body, entry["contentType"], expected)
                # What was acknowledged a moment ago is there, with all that came before.
                trace_id = next(trace_id for trace_id, _ in otlp.spans(latest))
                check_traces(server, expected, only=[trace_id])
        check_all(server, expected)


def unpacked(path):
    return subprocess.run(["zstd", "-dc", str(path)], check=True, capture_output=True).stdout


def grpc_frames(data):
    """Yields the messages of a stream of gRPC frames: a byte for compression, four of length, the message."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at + 1:at + 5], "big")
        yield data[at + 5:at + 5 + length]
        at += 5 + length


def shared_data():
    """Recordings by other people, which are not in the repository."""
    folder = pathlib.Path(os.environ.get("SPOOR_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        raise tap.SkipTest("no recordings of others on this machine (SPOOR_SHARED_DATA)")
    if not shutil.which("zstd"):
        raise tap.SkipTest("zstd is not installed")
    return folder


def test_recordings_of_others_come_back_equal(binary):
    data = shared_data()
    with spoor.Spoor(binary) as server:
        expected = otlp.Expected()
        # The largest of them has thousands of requests: benchmarks replay it, this test takes the others.
        for path in sorted((data / "replay-otlp").glob("*.grpcframes.zst")):
            if not path.name.startswith("trainticket"):
                for body in grpc_frames(unpacked(path)):
                    send(server, body, "application/x-protobuf", expected)
        for line in unpacked(data / "otel-demo" / "otel-demo-capture.jsonl.zst").splitlines():
            if b'"resourceSpans"' in line:
                send(server, line, "application/json", expected)
        check_all(server, expected)


if __name__ == "__main__":
    tap.main(globals())
