# SPDX-License-Identifier: Apache-2.0
"""tests/support/spoor.py: a real spoor process for scenario tests, and just enough OTLP protobuf to write requests by hand.

Standard library only. Everything stays on loopback, ports are the system's choice, and the process is ended by its id."""

import http.client
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time

START_SECONDS = 60
STOP_SECONDS = 60


class Spoor:
    """`spoor serve` on ephemeral ports with a data directory of its own."""

    def __init__(self, binary, data_dir=None, args=(), env=None):
        self.binary = binary
        self.data_dir = data_dir or tempfile.mkdtemp(prefix="spoor-test-")
        self.own_dir = data_dir is None
        self.args = list(args)
        self.env = dict(os.environ, **(env or {}))
        self.process = None
        self.log = []
        self.addresses = {}

    def start(self, wait=True):
        command = [self.binary, "serve", "--data-dir", self.data_dir, "--otlp-grpc", "127.0.0.1:0",
                   "--otlp-http", "127.0.0.1:0", "--http", "127.0.0.1:0", *self.args]
        self.log, self.addresses = [], {}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env=self.env, text=True, errors="replace")
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        if wait and not self.ready.wait(START_SECONDS):
            self.kill()
            raise AssertionError("spoor did not become ready:\n" + "".join(self.log))
        if wait and self.process.poll() is not None:
            raise AssertionError("spoor ended at its start:\n" + "".join(self.log))
        return self

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line)
            match = re.search(r"event=listening .*interface=(\S+) address=(\S+)", line)
            if match:
                self.addresses[match[1]] = match[2]
            if "event=ready" in line:
                self.ready.set()
        self.ready.set()

    def address(self, interface):
        host, port = self.addresses[interface].rsplit(":", 1)
        return host, int(port)

    def stop(self):
        """SIGTERM: drains and must exit with 0."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        self.reader.join(STOP_SECONDS)
        assert code == 0, f"exit code {code} after SIGTERM:\n" + "".join(self.log)

    def kill(self):
        """kill -9."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_SECONDS)
            self.reader.join(STOP_SECONDS)

    def wait_exit(self):
        code = self.process.wait(STOP_SECONDS)
        self.reader.join(STOP_SECONDS)
        return code

    def close(self):
        self.kill()
        if self.own_dir:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def request(self, interface, method, path, body=None, headers=None, timeout=60):
        """(status, headers with lower-case names, body bytes)."""
        connection = http.client.HTTPConnection(*self.address(interface), timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
        finally:
            connection.close()

    def get_json(self, path):
        status, _, body = self.request("http", "GET", path)
        assert status == 200, f"GET {path}: {status} {body[:400]!r}"
        return json.loads(body)

    def export(self, body, headers=None):
        """POST /v1/traces with protobuf."""
        return self.request("otlp-http", "POST", "/v1/traces", body,
                            {"content-type": "application/x-protobuf", **(headers or {})})

    def trace(self, trace_id):
        """The spans of a trace as OTLP JSON objects, or [] when it is not stored."""
        status, _, body = self.request("http", "GET", f"/v1/traces/{trace_id}")
        if status == 404:
            return []
        assert status == 200, f"trace {trace_id}: {status} {body[:400]!r}"
        return [span for group in json.loads(body).get("resourceSpans", []) for scope in group.get("scopeSpans", [])
                for span in scope.get("spans", [])]


def grpc(server, path, message, headers=(), flag=0):
    """A unary gRPC call with curl: (HTTP status, trailers and headers as one dictionary, body)."""
    host, port = server.address("otlp-grpc")
    frame = bytes([flag]) + struct.pack(">I", len(message)) + message
    with tempfile.TemporaryDirectory() as directory:
        body_file, head_file, out_file = (os.path.join(directory, n) for n in ("body", "head", "out"))
        with open(body_file, "wb") as f:
            f.write(frame)
        command = ["curl", "-sS", "--http2-prior-knowledge", "-o", out_file, "-D", head_file, "--max-time", "60",
                   "-H", "content-type: application/grpc", "-H", "te: trailers", "--data-binary", "@" + body_file]
        for header in headers:
            command += ["-H", header]
        done = subprocess.run(command + [f"http://{host}:{port}{path}"], capture_output=True, text=True)
        assert done.returncode == 0, (path, headers, flag, done.stderr)
        with open(head_file, encoding="utf-8", errors="replace") as f:
            lines = f.read().splitlines()
        with open(out_file, "rb") as f:
            body = f.read()
    fields = dict(line.split(": ", 1) for line in lines if ": " in line)
    return int(lines[0].split()[1]), fields, body


# ---- OTLP protobuf by hand ----

def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field_bytes(number, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def field_fixed64(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def field_varint(number, value):
    return varint(number << 3) + varint(value)


def string_attribute(key, value):
    return field_bytes(1, key) + field_bytes(2, field_bytes(1, value))


def span_message(trace_id, span_id, name="op", start=None, end=None, parent=b"", kind=2, attributes=(), extra=b""):
    """One Span; ids are bytes of any length, so that tests can send wrong ones."""
    start = time.time_ns() if start is None else start
    end = start + 1000000 if end is None else end
    out = field_bytes(1, trace_id) + field_bytes(2, span_id)
    if parent:
        out += field_bytes(4, parent)
    out += field_bytes(5, name) + field_varint(6, kind) + field_fixed64(7, start) + field_fixed64(8, end)
    for key, value in attributes:
        out += field_bytes(9, string_attribute(key, value))
    return out + extra


def request_message(spans, service="test"):
    """One ExportTraceServiceRequest with one resource and one scope."""
    resource = field_bytes(1, field_bytes(1, string_attribute("service.name", service)))
    scope_spans = b"".join(field_bytes(2, span) for span in spans)
    return field_bytes(1, resource + field_bytes(2, scope_spans))


def read_fields(message):
    """[(field number, value)] of one message: ints for varints and fixed, bytes otherwise."""
    out, pos = [], 0

    def read_varint():
        nonlocal pos
        value = shift = 0
        while True:
            byte = message[pos]
            pos += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while pos < len(message):
        tag = read_varint()
        if tag & 7 == 0:
            out.append((tag >> 3, read_varint()))
        elif tag & 7 == 2:
            size = read_varint()
            out.append((tag >> 3, message[pos:pos + size]))
            pos += size
        else:
            size = 8 if tag & 7 == 1 else 4
            out.append((tag >> 3, int.from_bytes(message[pos:pos + size], "little")))
            pos += size
    return out


def rpc_status(body):
    """(code, message) of a google.rpc.Status."""
    fields = dict(read_fields(body))
    return fields.get(1, 0), fields.get(2, b"").decode()


def partial_success(body):
    """(rejected spans, message) of an ExportTraceServiceResponse, or None when it is unset."""
    fields = dict(read_fields(body))
    if 1 not in fields:
        return None
    inner = dict(read_fields(fields[1]))
    return inner.get(1, 0), inner.get(2, b"").decode()
