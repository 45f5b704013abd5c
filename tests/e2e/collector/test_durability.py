# SPDX-License-Identifier: Apache-2.0
"""Every span of the recordings comes back equal: live, after SIGTERM, and after kill -9 right behind the last ack.

The recorded JSON requests are the expectation: their spans, put into one normal form, must be what GET /v1/traces/{id}
gives. The protobuf recording is compared as bytes of every span through the same door (protobuf in, JSON out, JSON in)."""

import json
import os
import pathlib
import secrets
import tarfile
import tempfile
import threading

import spoor
import tap

DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "otel-js-shop"


def recorded(kind):
    """Bodies of the recorded trace requests, in order."""
    with tarfile.open(DATA / f"{kind}.tar.gz") as tar:
        files = {os.path.basename(m.name): tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}
    index = [json.loads(line) for line in files["index.jsonl"].decode().splitlines() if line.strip()]
    return [files[entry["file"]] for entry in index if entry["signal"] == "traces"]


def is_default(value):
    return value in ("", 0, "0", [], None, {}) or value is False


def normal(value):
    """OTLP JSON in one form: ids lower case, 64-bit integers as strings, proto3 defaults left out."""
    if isinstance(value, list):
        return [normal(v) for v in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for key, child in value.items():
        if key in ("traceId", "spanId", "parentSpanId"):
            child = child.lower()
        elif key in ("startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "intValue"):
            child = str(child)
        elif key == "doubleValue":
            child = float(child)
        else:
            child = normal(child)
        # Values of a oneof are present even when they are the default; plain fields are not.
        if key.endswith("Value") or key == "value" or not is_default(child):
            out[key] = child
    return out


def spans_of(document):
    """{(traceId, spanId): [normal form of span, resource, scope, schema URLs, ...]} as sorted JSON texts."""
    out = {}
    for group in document.get("resourceSpans", []):
        for scope_group in group.get("scopeSpans", []):
            for span in scope_group.get("spans", []):
                whole = normal({"span": span, "resource": group.get("resource", {}), "scope": scope_group.get("scope", {}),
                                "resourceSchemaUrl": group.get("schemaUrl", ""), "scopeSchemaUrl": scope_group.get("schemaUrl", "")})
                key = (span["traceId"].lower(), span["spanId"].lower())
                out.setdefault(key, []).append(json.dumps(whole, sort_keys=True))
    for copies in out.values():
        copies.sort()
    return out


def merge(documents):
    out = {}
    for document in documents:
        for key, copies in spans_of(document).items():
            out.setdefault(key, []).extend(copies)
    for copies in out.values():
        copies.sort()
    return out


def stored(server, trace_ids):
    return merge(server.get_json(f"/v1/traces/{trace_id}") for trace_id in sorted(trace_ids))


def assert_all_there(server, expected):
    got = stored(server, {trace_id for trace_id, _ in expected})
    assert got.keys() == expected.keys(), f"{len(got)} spans instead of {len(expected)}"
    different = [key for key in expected if got[key] != expected[key]]
    assert not different, f"{len(different)} spans differ, first:\n{expected[different[0]]}\n{got[different[0]]}"


def send_json(server, bodies):
    for body in bodies:
        status, _, reply = server.request("otlp-http", "POST", "/v1/traces", body, {"content-type": "application/json"})
        assert status == 200 and json.loads(reply) == {}, (status, reply)


def test_recorded_json_comes_back_live_after_sigterm_and_after_kill(binary):
    bodies = recorded("json")
    expected = merge(json.loads(body) for body in bodies)
    with spoor.Spoor(binary) as server:
        send_json(server, bodies)
        assert_all_there(server, expected)
        server.stop()
        server.start()
        assert_all_there(server, expected)
        server.kill()
        server.start()
        assert_all_there(server, expected)


def test_kill_right_behind_the_last_ack_loses_nothing(binary):
    bodies = recorded("json")
    expected = merge(json.loads(body) for body in bodies)
    with spoor.Spoor(binary) as server:
        send_json(server, bodies)
        server.kill()
        server.start()
        assert_all_there(server, expected)


def test_recorded_protobuf_comes_back_and_gives_the_same_again(binary):
    bodies = recorded("pb")
    with spoor.Spoor(binary) as first, spoor.Spoor(binary) as second:
        for body in bodies:
            status, _, reply = first.export(body)
            assert (status, reply) == (200, b""), (status, reply)
        trace_ids, cursor = set(), ""
        while cursor is not None:
            page = first.get_json("/v1/search?limit=1000" + (f"&cursor={cursor}" if cursor else ""))
            trace_ids |= {trace["traceId"] for trace in page["traces"]}
            cursor = page["cursor"]
        assert len(trace_ids) == 734, len(trace_ids)
        documents = [first.get_json(f"/v1/traces/{trace_id}") for trace_id in sorted(trace_ids)]
        assert sum(len(copies) for copies in merge(documents).values()) == 13114
        send_json(second, [json.dumps(document) for document in documents])
        assert_all_there(second, merge(documents))
        for trace_id in sorted(trace_ids)[:50]:
            _, _, left = first.request("http", "GET", f"/v1/traces/{trace_id}", headers={"accept": "application/x-protobuf"})
            status, _, reply = second.export(left)
            assert status == 200 and reply == b"", (status, reply)


def test_kill_under_load_keeps_every_acked_span_and_no_half_request(binary):
    """Several senders, the process killed at a random moment, several times on one directory."""
    spans_a_request = 5
    acked, tried = {}, {}
    lock = threading.Lock()
    with tempfile.TemporaryDirectory() as directory:
        for round_number in range(5):
            server = spoor.Spoor(binary, data_dir=directory).start()
            stop = threading.Event()

            def sender(process=server, done=stop):
                while not done.is_set():
                    trace_id = secrets.token_bytes(16)
                    ids = [secrets.token_bytes(8) for _ in range(spans_a_request)]
                    body = spoor.request_message([spoor.span_message(trace_id, span_id) for span_id in ids])
                    with lock:
                        tried[trace_id.hex()] = ids
                    try:
                        status, _, _ = process.export(body)
                    except OSError:
                        return
                    except Exception:  # a reply that was cut off by the kill
                        return
                    if status == 200:
                        with lock:
                            acked[trace_id.hex()] = ids

            senders = [threading.Thread(target=sender) for _ in range(4)]
            for thread in senders:
                thread.start()
            threading.Event().wait(0.3 + 0.2 * round_number)
            server.kill()
            stop.set()
            for thread in senders:
                thread.join()
        with spoor.Spoor(binary, data_dir=directory) as server:
            assert acked
            for trace_id, ids in tried.items():
                got = sorted(span["spanId"] for span in server.trace(trace_id))
                want = sorted(span_id.hex() for span_id in ids)
                assert got == want or (got == [] and trace_id not in acked), (trace_id, trace_id in acked, got, want)
            server.stop()


if __name__ == "__main__":
    tap.main(globals())
