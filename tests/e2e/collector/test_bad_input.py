# SPDX-License-Identifier: Apache-2.0
"""What bad input gets: a precise answer that names the problem and its place, and a server that goes on. Each test sends
something wrong to a real process and then shows that a good span is still taken and everything acked is still there."""

import gzip
import json
import resource
import secrets
import socket
import struct
import subprocess
import tempfile
import time
import zlib

import spoor
import tap
from spoor import field_bytes, field_fixed64, field_varint, grpc, request_message, span_message, varint

MIB = 1024 * 1024
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def new_ids():
    return secrets.token_bytes(16), secrets.token_bytes(8)


def good_request():
    trace_id, span_id = new_ids()
    return trace_id, request_message([span_message(trace_id, span_id)])


def assert_goes_on(server):
    trace_id, body = good_request()
    status, _, reply = server.export(body)
    assert status == 200, (status, reply)
    assert spoor.partial_success(reply) is None, reply
    assert len(server.trace(trace_id.hex())) == 1


def assert_refused(server, body, code, words, headers=None):
    """A permanent refusal in protobuf with these words; then the server goes on."""
    status, reply_headers, reply = server.export(body, headers)
    assert status == code, (status, reply[:300])
    assert reply_headers["content-type"] == "application/x-protobuf", reply_headers
    assert "retry-after" not in reply_headers
    _, message = spoor.rpc_status(reply)
    for word in words:
        assert word in message, f"{word!r} not in {message!r}"
    assert_goes_on(server)


def assert_rejected(server, spans, rejected, words):
    """Spans refused one by one: success with partial_success."""
    status, _, reply = server.export(request_message(spans))
    assert status == 200, (status, reply)
    count, message = spoor.partial_success(reply)
    assert count == rejected, (count, message)
    for word in words:
        assert word in message, f"{word!r} not in {message!r}"
    assert_goes_on(server)


# ---- the body ----

def test_truncated_protobuf_is_refused_whole(server):
    trace_id, body = good_request()
    for cut in (1, len(body) // 2, len(body) - 1):
        assert_refused(server, body[:cut], 400, ["byte"])
    assert server.trace(trace_id.hex()) == []


def test_garbage_is_refused(server):
    for seed in range(20):
        body = bytes((seed * 7919 + i * i * 31 + 0xFF) & 0xFF for i in range(200)) + b"\xff" * 12
        status, _, reply = server.export(body)
        assert status == 400, (status, reply)
        assert spoor.rpc_status(reply)[0] == 3
    assert_goes_on(server)


def test_garbage_json_names_the_offset(server):
    for body, words in ((b'{"resourceSpans": [', ["resourceSpans[0]", "byte 19"]), (b"not json", ["byte 0"]),
                        (b'{"resourceSpans": 7}', ["array", "byte 18"])):
        status, headers, reply = server.request("otlp-http", "POST", "/v1/traces", body, {"content-type": "application/json"})
        assert status == 400, (status, reply)
        assert headers["content-type"] == "application/json"
        message = json.loads(reply)["message"]
        assert json.loads(reply)["code"] == 3
        for word in words:
            assert word in message, message
    assert_goes_on(server)


def test_nothing_unacked_is_half_there(server):
    first, second = new_ids(), new_ids()
    good = span_message(*first)
    broken = span_message(*second)[:-4]
    body = request_message([good]) + field_bytes(1, field_bytes(2, varint(2 << 3 | 2) + varint(len(broken) + 4) + broken))
    assert_refused(server, body, 400, ["resource_spans[1]"])
    assert server.trace(first[0].hex()) == []


def test_ids_of_wrong_length_and_zero_ids_are_rejected_one_by_one(server):
    trace_id, span_id = new_ids()
    bad = [span_message(trace_id[:15], span_id), span_message(trace_id + b"x", span_id), span_message(b"", span_id),
           span_message(bytes(16), span_id), span_message(trace_id, span_id[:7]), span_message(trace_id, bytes(8)),
           span_message(trace_id, span_id, parent=b"abc")]
    assert_rejected(server, bad + [span_message(trace_id, span_id)], len(bad), ["spans[0]", "trace"])
    assert len(server.trace(trace_id.hex())) == 1


def test_rejected_spans_are_counted_by_reason(server):
    def counted():
        counters = server.get_json("/v1/system")["counters"]
        reasons = {c["labels"]: int(c["value"]) for c in counters if c["name"] == "spoor_rejected_spans_by_reason"}
        assert all(c["advice"] for c in counters if c["labels"] in reasons), counters
        [whole] = [int(c["value"]) for c in counters if c["name"] == "spoor_rejected_spans"]
        assert sum(reasons.values()) == whole, (reasons, whole)
        return reasons

    def json_span(trace_id, span_id):
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": trace_id, "spanId": span_id}]}]}]}
        status, _, _ = server.request("otlp-http", "POST", "/v1/traces", json.dumps(body), {"content-type": "application/json"})
        assert status == 200

    before = counted()
    trace_id, span_id = new_ids()
    server.export(request_message([span_message(trace_id[:15], span_id), span_message(bytes(16), span_id),
                                   span_message(trace_id, span_id, name=b"caf\xe9")]))
    json_span("1234", span_id.hex())
    after = counted()
    more = {reason: after[reason] - before[reason] for reason in after if after[reason] != before[reason]}
    assert more == {'reason="TRACE_ID_INVALID"': 2, 'reason="TRACE_ID_MISSING"': 1, 'reason="SPAN_NOT_UTF8"': 1}, more
    metrics = server.request("http", "GET", "/metrics")[2].decode().splitlines()
    for labels, value in after.items():
        assert f"spoor_rejected_spans_by_reason_total{{{labels}}} {value}" in metrics, labels


def test_a_request_whose_spans_are_all_rejected_is_still_a_success(server):
    assert_rejected(server, [span_message(bytes(16), b"12345678")], 1, ["spans[0]"])


def test_invalid_utf8_is_rejected_span_by_span(server):
    trace_id, span_id = new_ids()
    bad = span_message(trace_id, span_id, name=b"caf\xe9")
    assert_rejected(server, [bad, span_message(trace_id, secrets.token_bytes(8))], 1, ["UTF-8", "spans[0]"])
    assert len(server.trace(trace_id.hex())) == 1


def test_deep_nesting_is_refused(server):
    value = field_bytes(1, "leaf")
    for _ in range(10000):
        value = field_bytes(5, field_bytes(1, value))
        if len(value) > 8 * MIB:
            break
    attribute = field_bytes(9, field_bytes(1, "deep") + field_bytes(2, value))
    trace_id, span_id = new_ids()
    assert_refused(server, request_message([span_message(trace_id, span_id, extra=attribute)]), 413, ["64"])


def test_deeply_nested_json_is_refused(server):
    body = b'{"resourceSpans":' + b"[" * 10000
    status, _, reply = server.request("otlp-http", "POST", "/v1/traces", body, {"content-type": "application/json"})
    assert status in (400, 413), (status, reply)
    assert json.loads(reply)["message"]
    assert_goes_on(server)


def test_a_million_attributes_are_kept(server):
    trace_id, span_id = new_ids()
    one = field_bytes(9, field_bytes(1, "k") + field_bytes(2, field_varint(3, 7)))
    body = request_message([span_message(trace_id, span_id, extra=one * 1000000)])
    status, _, reply = server.export(body)
    assert status == 200, (status, reply[:200])
    assert len(server.trace(trace_id.hex())[0]["attributes"]) == 1000000
    assert_goes_on(server)


def test_end_before_start_and_times_in_1970_and_2200_are_kept_as_sent(server):
    for start, end in ((5, 3), (0, 0), (1, 2), (7258118400 * 10**9, 7258118400 * 10**9 + 1), (2**64 - 1, 2**64 - 1)):
        trace_id, span_id = new_ids()
        status, _, reply = server.export(request_message([span_message(trace_id, span_id, start=start, end=end)]))
        assert status == 200 and spoor.partial_success(reply) is None, (status, reply)
        span = server.trace(trace_id.hex())[0]
        assert span.get("startTimeUnixNano", "0") == str(start), span
        assert span.get("endTimeUnixNano", "0") == str(end), span
        server.get_json(f"/v1/traces/{trace_id.hex()}?view=columns")
    assert_goes_on(server)


def test_an_empty_request_is_a_success(server):
    status, _, reply = server.export(b"")
    assert (status, reply) == (200, b"")
    status, _, reply = server.request("otlp-http", "POST", "/v1/traces", b"{}", {"content-type": "application/json"})
    assert status == 200 and json.loads(reply) == {}, reply


# ---- compression ----

def test_gzip_and_zstd_and_identity_are_taken(server):
    for encoding in ("gzip", "identity", "GZIP"):
        trace_id, body = good_request()
        packed = gzip.compress(body) if encoding.lower() == "gzip" else body
        status, _, reply = server.export(packed, {"content-encoding": encoding})
        assert status == 200, (encoding, status, reply)
        assert len(server.trace(trace_id.hex())) == 1


def test_a_gzip_bomb_is_refused(server):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(MIB)
    bomb = b"".join(packer.compress(zeros) for _ in range(256)) + packer.flush()
    assert len(bomb) < MIB
    assert_refused(server, bomb, 413, ["67108864"], {"content-encoding": "gzip"})


def test_a_body_that_is_not_what_its_encoding_says_is_refused(server):
    _, body = good_request()
    assert_refused(server, body, 400, ["gzip"], {"content-encoding": "gzip"})
    assert_refused(server, body, 400, ["zstd"], {"content-encoding": "zstd"})
    assert_refused(server, gzip.compress(body)[:-3], 400, ["gzip"], {"content-encoding": "gzip"})


def test_unknown_content_encoding_is_named(server):
    assert_refused(server, good_request()[1], 415, ["br", "gzip"], {"content-encoding": "br"})


def test_a_request_that_never_fits_into_the_memory_is_not_asked_to_try_again(server):
    trace_id, span_id = new_ids()
    body = request_message([span_message(trace_id, span_id, extra=field_bytes(9, b"") * 700000)])
    with spoor.Spoor(server.binary, args=["--memory", "16MiB"]) as other:
        assert_refused(other, body, 413, ["16777216"])


def test_a_request_that_fits_when_others_are_done_is_asked_to_try_again(server):
    """Small as it came, large when decoded: it is charged while it is decoded, not when all is in memory."""
    trace_id, span_id = new_ids()
    body = request_message([span_message(trace_id, span_id, extra=field_bytes(9, b"") * 120000)])
    with spoor.Spoor(server.binary, args=["--memory", "32MiB"]) as other:
        with socket.create_connection(other.address("otlp-http"), timeout=30) as slow:
            slow.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                         b"Content-Length: 30000000\r\n\r\n" + bytes(29 * 1000 * 1000))
            deadline = time.monotonic() + 120
            while True:
                status, headers, reply = other.export(body)
                if status != 200 or time.monotonic() > deadline:
                    break
            assert status == 503 and headers.get("retry-after"), (status, headers, reply)
            assert "33554432" in spoor.rpc_status(reply)[1], reply
        deadline = time.monotonic() + 120  # sanitizers take their time
        while other.export(body)[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert_goes_on(other)


# ---- the head ----

def test_wrong_content_type_is_named(server):
    status, _, reply = server.request("otlp-http", "POST", "/v1/traces", good_request()[1], {"content-type": "text/plain"})
    assert status == 415, (status, reply)
    assert "text/plain" in json.loads(reply)["message"]
    status, _, reply = server.request("otlp-http", "POST", "/v1/traces", good_request()[1])
    assert status == 415 and "Content-Type" in json.loads(reply)["message"]
    assert_goes_on(server)


def test_a_body_over_the_limit_is_refused_before_it_is_read(server):
    with socket.create_connection(server.address("otlp-http"), timeout=30) as s:
        s.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                  b"Expect: 100-continue\r\nContent-Length: 104857600\r\n\r\n")
        reply = s.recv(65536)
    assert b" 413 " in reply.split(b"\r\n")[0] and b"104857600" in reply, reply
    assert_goes_on(server)


def test_a_body_larger_than_all_memory_for_bodies_is_not_asked_to_try_again(server):
    with spoor.Spoor(server.binary, args=["--memory", "16MiB"]) as other:
        status, headers, reply = other.export(bytes(20 * MIB))
        assert status == 413 and "retry-after" not in headers, (status, headers)
        assert "16777216" in spoor.rpc_status(reply)[1], reply
        assert_goes_on(other)


def test_100_megabytes_in_chunks_are_refused(server):
    with socket.create_connection(server.address("otlp-http"), timeout=60) as s:
        s.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + bytes(MIB) + b"\r\n"
        try:
            for _ in range(100):
                s.sendall(chunk)
            s.sendall(b"0\r\n\r\n")
        except OSError:
            pass  # the server has stopped reading; its answer is still in the socket
        s.settimeout(20)
        reply = s.recv(65536)
    assert b" 413 " in reply.split(b"\r\n")[0], reply[:200]
    assert b"application/x-protobuf" in reply and b"67108864" in reply, reply
    assert_goes_on(server)


def test_unknown_paths_and_other_signals_get_404_with_a_sentence(server):
    for path, words in (("/v1/logs", ["traces only"]), ("/v1/metrics", ["traces only"]), ("/", ["/v1/traces"]),
                        ("/v1/traces/", ["/v1/traces"])):
        status, _, reply = server.request("otlp-http", "POST", path, b"x", {"content-type": "application/x-protobuf"})
        assert status == 404, (path, status)
        for word in words:
            assert word in spoor.rpc_status(reply)[1], reply


def test_other_methods_get_405_with_allow(server):
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        status, headers, _ = server.request("otlp-http", method, "/v1/traces")
        assert status == 405 and headers["allow"] == "POST", (method, status, headers)


def test_cors_is_off_unless_configured(server):
    headers = {"origin": "https://shop.example", "content-type": "application/x-protobuf"}
    _, reply_headers, _ = server.request("otlp-http", "POST", "/v1/traces", good_request()[1], headers)
    assert "access-control-allow-origin" not in reply_headers
    with spoor.Spoor(server.binary, args=["--cors-origins", "https://shop.example,https://admin.example"]) as other:
        status, reply_headers, _ = other.request("otlp-http", "OPTIONS", "/v1/traces", headers={
            "origin": "https://shop.example", "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,x-token"})
        assert status == 204 and reply_headers["access-control-allow-origin"] == "https://shop.example", reply_headers
        assert reply_headers["access-control-allow-headers"] == "content-type,x-token"
        status, reply_headers, _ = other.request("otlp-http", "POST", "/v1/traces", good_request()[1], headers)
        assert status == 200 and reply_headers["access-control-allow-origin"] == "https://shop.example"
        headers["origin"] = "https://evil.example"
        status, reply_headers, _ = other.request("otlp-http", "POST", "/v1/traces", good_request()[1], headers)
        assert "access-control-allow-origin" not in reply_headers


# ---- slow and broken peers ----

def test_slow_senders_and_open_connections_do_not_stop_others(server):
    sockets = []
    try:
        for i in range(20):
            s = socket.create_connection(server.address("otlp-http"), timeout=10)
            s.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100\r\n\r\n"
                      if i % 2 else b"POST /v1/tra")
            sockets.append(s)
            g = socket.create_connection(server.address("otlp-grpc"), timeout=10)
            g.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack(">I", 0)[1:] + b"\x04\x00\x00\x00\x00\x00")
            sockets.append(g)
        assert_goes_on(server)
    finally:
        for s in sockets:
            s.close()
    assert_goes_on(server)


def counted(server, name):
    """The values of a counter or gauge of /v1/system, by its labels."""
    return {row["labels"]: int(row["value"]) for row in server.get_json("/v1/system")["counters"] if row["name"] == name}


def until_counted(server, name, labels, wanted):
    end = time.monotonic() + 60
    while (value := counted(server, name)[labels]) != wanted:
        assert time.monotonic() < end, (name, labels, value)
        time.sleep(0.02)


def test_connections_above_the_limit_are_closed_and_counted(server):
    grpc_listener = 'listener="otlp-grpc"'
    [most] = [int(row["value"]) for row in server.get_json("/v1/system")["limits"] if row["from"] == "connections_max"]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    sockets = []
    try:
        # As in a shell: fewer descriptors than connections, until the server asks for more.
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        with spoor.Spoor(server.binary) as other:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * most + 100), hard))
            dial = lambda: socket.create_connection(other.address("otlp-grpc"), timeout=20)
            assert counted(other, "spoor_refused_connections") == {grpc_listener: 0}
            sockets = [dial() for _ in range(most)]
            until_counted(other, "spoor_open_connections", grpc_listener, most)
            for refused in (1, 2, 3):
                with dial() as s:
                    assert s.recv(1) == b""
                until_counted(other, "spoor_refused_connections", grpc_listener, refused)
            assert counted(other, "spoor_open_connections")[grpc_listener] == most
            metrics = other.request("http", "GET", "/metrics")[2].decode().splitlines()
            assert f"spoor_refused_connections_total{{{grpc_listener}}} 3" in metrics and f"spoor_open_connections{{{grpc_listener}}} {most}" in metrics
            assert [row["advice"] for row in other.get_json("/v1/system")["counters"] if row["name"] == "spoor_refused_connections"]
            host, port = other.address("http")
            told = subprocess.run([other.binary, "status", "--server", f"http://{host}:{port}"], capture_output=True, text=True, check=True).stdout
            assert "Refused  3 connections: too many were open" in told.splitlines(), told
            assert_goes_on(other)  # by OTLP/HTTP
            sockets.pop().close()
            until_counted(other, "spoor_open_connections", grpc_listener, most - 1)
            _, fields, _ = grpc(other, EXPORT, good_request()[1])
            assert fields["grpc-status"] == "0", fields
            assert counted(other, "spoor_refused_connections") == {grpc_listener: 3}
    finally:
        for s in sockets:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# ---- gRPC, with curl as the client ----

def test_grpc_export_is_acked(server):
    trace_id, body = good_request()
    status, fields, reply = grpc(server, EXPORT, body)
    assert status == 200 and fields["grpc-status"] == "0", fields
    assert reply == b"\0\0\0\0\0", reply
    assert len(server.trace(trace_id.hex())) == 1


def test_grpc_gzip_is_taken(server):
    trace_id, body = good_request()
    _, fields, _ = grpc(server, EXPORT, gzip.compress(body), ["grpc-encoding: gzip"], flag=1)
    assert fields["grpc-status"] == "0", fields
    assert len(server.trace(trace_id.hex())) == 1


def test_grpc_partial_success_has_count_and_reason(server):
    trace_id, span_id = new_ids()
    body = request_message([span_message(bytes(16), span_id), span_message(trace_id, span_id)])
    _, fields, reply = grpc(server, EXPORT, body)
    assert fields["grpc-status"] == "0", fields
    count, message = spoor.partial_success(reply[5:])
    assert count == 1 and "spans[0]" in message, (count, message)


def test_grpc_errors_name_the_problem(server):
    _, body = good_request()
    other = "/opentelemetry.proto.collector.%s.v1.%sService/Export"
    cases = [
        ((EXPORT, body[:-1]), "3", "byte"),
        ((EXPORT, body, ["grpc-encoding: gzip"], 1), "3", "gzip"),
        ((EXPORT, body, ["grpc-encoding: snappy"], 1), "12", "snappy"),
        ((EXPORT, body, [], 1), "13", "grpc-encoding"),
        ((other % ("logs", "Logs"), b""), "12", "traces only"),
        ((other % ("metrics", "Metrics"), b""), "12", "traces only"),
        (("/some.Service/Method", b""), "12", "some.Service"),
        (("/grpc.health.v1.Health/Check", field_bytes(1, "no.such.Service")), "5", "no.such.Service"),
        (("/grpc.health.v1.Health/Watch", b""), "12", "Check"),
    ]
    for arguments, code, word in cases:
        _, fields, _ = grpc(server, *arguments)
        assert fields.get("grpc-status") == code, (arguments[0], fields)
        assert word in fields.get("grpc-message", "").replace("%20", " "), (arguments[0], fields)
    assert_goes_on(server)


def test_grpc_health_says_serving(server):
    for service in ("", "opentelemetry.proto.collector.trace.v1.TraceService"):
        _, fields, reply = grpc(server, "/grpc.health.v1.Health/Check", field_bytes(1, service) if service else b"")
        assert fields["grpc-status"] == "0" and reply[5:] == b"\x08\x01", (fields, reply)


def test_grpc_bomb_is_resource_exhausted_without_retry_info(server):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(MIB)
    bomb = b"".join(packer.compress(zeros) for _ in range(256)) + packer.flush()
    _, fields, _ = grpc(server, EXPORT, bomb, ["grpc-encoding: gzip"], flag=1)
    assert fields["grpc-status"] == "8", fields
    assert "RetryInfo" not in str(fields)
    assert_goes_on(server)


def test_grpc_message_of_100_megabytes_is_resource_exhausted(server):
    host, port = server.address("otlp-grpc")
    # Not curl: 7.88 loses a reply that comes before the whole body was sent.
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\0" + struct.pack(">I", 100 * MIB) + bytes(5 * MIB))
        file.flush()
        done = subprocess.run(["nghttp", "-nv", "-H", "content-type: application/grpc", "-H", "te: trailers", "-d",
                               file.name, f"http://{host}:{port}{EXPORT}"], capture_output=True, text=True, timeout=60)
    assert "grpc-status: 8" in done.stdout and "104857600" in done.stdout, done.stdout[-2000:]
    assert_goes_on(server)


if __name__ == "__main__":
    tap.main(globals(), spoor.Spoor)
