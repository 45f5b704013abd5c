# SPDX-License-Identifier: Apache-2.0
"""Hard use, as a hostile or clumsy client would: each test is something that once went wrong in a running server."""

import csv
import io
import json
import secrets
import socket
import time
import urllib.parse

import spoor
import tap
from spoor import field_bytes, request_message, span_message, string_attribute


def send(server, body):
    status, _, reply = server.export(body)
    assert status == 200 and spoor.partial_success(reply) is None, (status, reply[:200])


def get(server, path):
    return server.request("http", "GET", path)


def resource_spans(service, span):
    resource = field_bytes(1, field_bytes(1, string_attribute("service.name", service)))
    return field_bytes(1, resource + field_bytes(2, field_bytes(2, span)))


def call_all(server, names, trace_id=None):
    """One trace in which "front" calls a service of each name."""
    trace_id = trace_id or secrets.token_bytes(16)
    start = time.time_ns()
    root = (1).to_bytes(8, "big")
    spans = [resource_spans("front", span_message(trace_id, root, kind=3, start=start, end=start + 10**9))]
    spans += [resource_spans(name, span_message(trace_id, (i + 2).to_bytes(8, "big"), parent=root, start=start + 1, end=start + 2))
              for i, name in enumerate(names)]
    send(server, b"".join(spans))
    return trace_id


# ---- queries ----

def test_a_query_string_may_be_as_long_as_its_own_limit(server):
    query = urllib.parse.quote('{ name = "%s" }' % ("x" * 60000))
    status, _, body = get(server, "/v1/search?q=" + query)
    assert status == 200, (status, body[:300])
    status, _, body = get(server, "/v1/search?q=" + "x" * 66000)
    assert status == 413 and "65536" in json.loads(body)["detail"], (status, body[:300])


def test_deep_and_long_queries_get_an_answer(server):
    texts = ["{" * 60000, "(" * 60000, "{ " + "(" * 30000 + "true" + ")" * 30000 + " }", "{" + "!" * 60000 + "true}",
             "{" + "-" * 60000 + "1=1}", "{ " + "1+" * 20000 + "1 = 1 }", "{ " + ".a=1&&" * 5000 + "true }",
             "{}" + "|{}" * 15000, "{}" + ">{}" * 15000, "{ ." + "a." * 30000 + "b = 1 }"]
    for text in texts:
        status, _, body = get(server, "/v1/search?q=" + urllib.parse.quote(text, safe="(){}=!|.>"))
        assert status in (200, 400, 413), (text[:20], status, body[:300])
        assert status == 200 or json.loads(body)["detail"], body[:300]


def test_thousands_of_parameters_get_an_answer(server):
    for part in ("&", "a&", "a=b&"):
        for number in (64, 3000, 5000, 9000):
            status, _, body = get(server, "/v1/services?" + part * number)
            assert status == 200 if part == "&" else status in (400, 413) and json.loads(body)["detail"], (part, number, status, body[:300])


# ---- names ----

def test_no_cell_of_the_csv_graph_begins_a_formula(server):
    starts = ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
    names = [start + "1+1" for start in starts]
    call_all(server, names)
    _, _, body = get(server, "/v1/graph?format=csv")
    cells = {row[1] for row in csv.reader(io.StringIO(body.decode(), newline=""))}
    for name in names:
        assert "'" + name in cells and name not in cells, name


def test_a_call_graph_of_many_services_is_answered(server):
    trace_id = call_all(server, [f"service-{i * 7919 % 50000}" for i in range(50000)])
    status, _, body = get(server, "/v1/graph")
    assert status == 200, (status, body[:300])
    assert len(json.loads(body)["edges"]) >= 50000
    for path in ("/v1/graph?format=csv", "/v1/graph?service=front&hops=64", f"/v1/traces/{trace_id.hex()}?view=columns"):
        status, _, body = get(server, path)
        assert status == 200, (path, status, body[:300])


# ---- clients ----

def large_trace(server, parts=4):
    """Path of a trace of so many times 10,000 spans."""
    trace_id = secrets.token_bytes(16)
    for part in range(parts):
        send(server, request_message([span_message(trace_id, (part * 10000 + i + 1).to_bytes(8, "big")) for i in range(10000)]))
    return "/v1/traces/" + trace_id.hex()


def metric(server, name):
    _, _, body = get(server, "/metrics")
    return int(next(line for line in body.decode().splitlines() if line.startswith(name + " ")).split()[1])


def wait_until(what, condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(what)


def test_slow_readers_of_large_answers_do_not_stop_others(server):
    limit = 32 << 20
    with spoor.Spoor(server.binary, args=["--reply-memory", "32MiB"]) as other:
        path = large_trace(other)
        status, _, body = get(other, path)
        # No more than four fit, and none into the buffers of its socket.
        assert status == 200 and limit / 5 < len(body) <= limit, (status, len(body))
        readers = []
        for _ in range(8):
            reader = socket.socket()
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(other.address("http"))
            reader.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            readers.append(reader)
        answers = [reader.recv(12) for reader in readers]
        assert answers.count(b"HTTP/1.1 200") == limit // len(body), answers
        assert answers.count(b"HTTP/1.1 503") == len(readers) - limit // len(body), answers
        assert len(body) < metric(other, "spoor_waiting_reply_bytes") <= limit
        status, headers, problem = get(other, path)
        assert status == 503 and headers["retry-after"] and "read slowly" in json.loads(problem)["detail"], (status, problem[:300])
        assert metric(other, "spoor_refused_replies_total") == len(readers) - limit // len(body) + 1
        # Spans are still acked, and what is small is answered.
        send(other, request_message([span_message(secrets.token_bytes(16), (1).to_bytes(8, "big"))]))
        assert get(other, "/v1/services")[0] == 200
        for reader in readers:
            reader.close()
        wait_until("the memory comes back", lambda: metric(other, "spoor_waiting_reply_bytes") == 0)
        assert get(other, path)[0] == 200


def test_what_vanished_clients_asked_for_is_not_worked_on(server):
    with spoor.Spoor(server.binary, args=["--query-threads", "1"]) as other:
        # Large: the server looks for clients that are gone a few times a second, and half of the answers must not fit between.
        path = large_trace(other, parts=16) + "?view=columns"
        for _ in range(40):
            with socket.create_connection(other.address("http"), timeout=10) as s:
                s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

        def answered(code):
            return metric(other, 'spoor_http_requests_total{endpoint="/v1/traces/{id}",code="%s"}' % code)
        wait_until("all are dealt with", lambda: answered("2xx") + answered("5xx") == 40)
        # The first ones run before anybody can know.
        assert answered("5xx") > 20, answered("2xx")
        assert get(other, path)[0] == 200


if __name__ == "__main__":
    tap.main(globals(), spoor.Spoor)
