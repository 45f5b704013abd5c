# SPDX-License-Identifier: Apache-2.0
"""lib/net and clients that are not ours: curl, nghttp and h2load against the echo server. Each is skipped where it is missing."""

import contextlib
import os
import re
import shutil
import struct
import subprocess
import tempfile

import tap

GRPC = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
MANY = 20000


class EchoServer:
    def __init__(self, binary, *settings):
        self.child = subprocess.Popen([binary, *settings], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        word, self.port = self.child.stdout.readline().split()
        assert word == "ready", word
        self.url = f"http://127.0.0.1:{self.port}"

    def ask(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def stats(self):
        return {key: int(value) for key, value in (pair.split("=") for pair in self.ask("stats").split()[1:])}

    def stop(self):
        """Drains; all memory must have come back."""
        said, _ = self.child.communicate(timeout=60)
        assert self.child.returncode == 0, self.child.returncode
        assert said.strip().endswith("budget 0"), said


@contextlib.contextmanager
def serving(binary, *settings):
    server = EchoServer(binary, *settings)
    try:
        yield server
        server.stop()
    finally:
        if server.child.poll() is None:
            server.child.kill()
            server.child.wait()


@contextlib.contextmanager
def file_of(content):
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name


def message(body):
    return b"\0" + struct.pack(">I", len(body)) + body


def tool(name):
    path = shutil.which(name)
    if not path:
        raise tap.SkipTest(f"{name} is not installed")
    return path


def run(*command):
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 0, (command, done.returncode, done.stderr[-500:])
    return done.stdout


def test_curl_speaks_http1(binary):
    curl = tool("curl")
    with serving(binary, "h1") as server, file_of(os.urandom(3 << 20)) as path:
        content = open(path, "rb").read()
        for extra in ([], ["-H", "Expect:"], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"]):
            assert run(curl, "-sS", f"{server.url}/Later", "--data-binary", f"@{path}", *extra) == content
        head = run(curl, "-sSI", f"{server.url}/Big", "-H", "x-bytes: 1000000").decode().lower()
        assert "content-length: 1000000" in head, head
        twice = run(curl, "-sSv", f"{server.url}/Echo", f"{server.url}/Echo", "-d", "x", "--stderr", "-").decode()
        assert "Re-using existing connection" in twice, twice
        assert server.stats()["protocol_errors"] == 0


def test_curl_reads_refusals_on_http1(binary):
    curl = tool("curl")
    with serving(binary, "h1", "body_bytes_max=1000") as server, file_of(bytes(5 << 20)) as path:
        for extra in ([], ["-H", "Expect:"], ["-H", "Transfer-Encoding: chunked"]):
            said = run(curl, "-sSi", f"{server.url}/Echo", "--data-binary", f"@{path}", *extra).decode()
            assert " 413 " in said and "larger than 1000 bytes" in said, said


def test_curl_speaks_grpc_with_prior_knowledge(binary):
    curl = tool("curl")
    with serving(binary, "h2") as server, file_of(message(os.urandom(9 << 20))) as path:
        content = open(path, "rb").read()
        got = run(curl, "-sS", "--http2-prior-knowledge", f"{server.url}/t.T/Later", "--data-binary", f"@{path}", *GRPC)
        assert got == content
        # Without a body: curl 7.88 loses a whole reply that comes before it has sent its body, and waits for ever.
        said = run(curl, "-sSi", "--http2-prior-knowledge", f"{server.url}/t.T/Head", "-X", "POST", *GRPC).decode()
        assert "HTTP/2 200" in said and "grpc-status: 12" in said and "no such method: 100%25 %C3%A4" in said, said
        said = run(curl, "-sSi", "--http2-prior-knowledge", f"{server.url}/").decode()
        assert "HTTP/2 415" in said and "application/grpc" in said, said
        assert server.stats()["protocol_errors"] == 0


def test_curl_on_the_wrong_port_reads_a_sentence(binary):
    curl = tool("curl")
    with serving(binary, "h2") as server:
        for extra in ([], ["--http2"], ["--http1.0"]):
            said = run(curl, "-sSi", f"{server.url}/", *extra).decode()
            assert " 505 " in said and "gRPC on HTTP/2" in said, said


def test_nghttp_sees_orderly_frames(binary):
    nghttp = tool("nghttp")
    with serving(binary, "h2") as server, file_of(message(b"hello")) as path:
        said = run(nghttp, "-v", "-d", path, "-H", "content-type: application/grpc",
                   f"{server.url}/t.T/Echo", f"{server.url}/t.T/Later").decode(errors="replace")
        assert said.count("grpc-status: 0") == 2, said
        assert "GOAWAY frame <length=8" not in said.split("send GOAWAY")[0], said
        assert "RST_STREAM" not in said, said
        assert server.stats()["protocol_errors"] == 0


def check_h2load(binary, path_of_call, connections, streams, body, *settings):
    h2load = tool("h2load")
    with serving(binary, "h2", *settings) as server, file_of(message(body)) as path:
        count = MANY if len(body) < 1000 else 200
        said = run(h2load, "-n", str(count), "-c", str(connections), "-m", str(streams), "-d", path, "-H",
                   "content-type: application/grpc", f"{server.url}/t.T/{path_of_call}").decode()
        assert re.search(rf"{count} succeeded, 0 failed, 0 errored, 0 timeout", said), said
        stats = server.stats()
        assert stats["requests"] == count and stats["requests_open"] == 0, stats
        assert stats["body_bytes"] == count * (len(body) + 5), stats
        assert stats["protocol_errors"] == 0 and stats["budget_refusals"] == 0, stats


def test_h2load_many_small_calls(binary):
    check_h2load(binary, "Echo", 8, 100, b"hello")


def test_h2load_large_messages_through_small_windows(binary):
    check_h2load(binary, "Echo", 4, 8, os.urandom(1 << 20), "stream_window_bytes=65536",
                 "connection_window_bytes=131072", "frame_bytes_max=16384")


def test_h2load_more_streams_than_one_connection_may_have(binary):
    check_h2load(binary, "Null", 2, 500, b"x", "streams_max=100")


def test_overload_is_answered_and_memory_stays_within_the_budget(binary):
    h2load = tool("h2load")
    with serving(binary, "h2", f"budget={8 << 20}", "budget_wait_ms=50") as server, file_of(message(bytes(1 << 20))) as path:
        said = run(h2load, "-n", "300", "-c", "10", "-m", "10", "-d", path, "-H", "content-type: application/grpc",
                   f"{server.url}/t.T/Echo").decode()
        assert "300 succeeded, 0 failed" in said, said  # each call has an answer: OK or UNAVAILABLE
        stats = server.stats()
        assert stats["budget_refusals"] > 0, stats
        assert stats["protocol_errors"] == 0, stats


def test_drain_lets_calls_under_way_finish(binary):
    curl = tool("curl")
    for kind, extra in (("h1", []), ("h2", ["--http2-prior-knowledge", *GRPC])):
        with serving(binary, kind) as server, file_of(message(b"hello") if kind == "h2" else b"hello") as path:
            held = subprocess.Popen([curl, "-sSi", f"{server.url}/t.T/Hold", "--data-binary", f"@{path}", *extra],
                                    stdout=subprocess.PIPE)
            while server.stats()["requests"] == 0:
                pass
            assert server.ask("drain") == "drained 1"
            said = held.communicate(timeout=60)[0].decode()
            assert held.returncode == 0 and " 200" in said and "hello" in said, said
            assert subprocess.run([curl, "-sS", "--max-time", "1", server.url], capture_output=True).returncode != 0


if __name__ == "__main__":
    tap.main(globals())
