# SPDX-License-Identifier: Apache-2.0
"""What `spoor serve` says when it cannot start: a wrong command line or file, a data directory in use, unwritable, of a
newer version, or damaged. Nothing stored is changed by a refused start."""

import glob
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import tempfile
import time

import spoor
import tap


def serve(binary, *args, env=None):
    """Runs serve to its end: (exit code, stderr)."""
    done = subprocess.run([binary, "serve", "--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--http", "127.0.0.1:0",
                           *args], capture_output=True, text=True, timeout=60, env=dict(os.environ, **(env or {})))
    return done.returncode, done.stderr


def assert_refused(binary, args, code, words, env=None):
    got, stderr = serve(binary, *args, env=env)
    assert got == code, (got, stderr)
    for word in words:
        assert word in stderr, f"{word!r} not in {stderr!r}"


def filled_directory(binary, directory):
    trace_id = secrets.token_bytes(16)
    with spoor.Spoor(binary, data_dir=directory) as server:
        assert server.export(spoor.request_message([spoor.span_message(trace_id, b"12345678")]))[0] == 200
        server.stop()
    return trace_id.hex()


def test_wrong_command_lines_are_usage_errors(binary):
    for args, words in ((["--otlp-gprc", "127.0.0.1:1"], ["otlp-gprc", "otlp-grpc"]), (["--data-dir"], ["data-dir"]),
                        (["--max-body", "lots"], ["max-body"]), (["--durability", "never"], ["durability", "sync"]),
                        (["--otlp-http", "nowhere"], ["otlp-http"]), (["surplus"], ["surplus"]),
                        (["--query-threads", "0"], ["query-threads"])):
        assert_refused(binary, args, 2, words)


def test_wrong_environment_is_a_usage_error(binary):
    assert_refused(binary, [], 2, ["SPOOR_MAX_BODY"], env={"SPOOR_MAX_BODY": "-3"})


def test_unknown_configuration_keys_name_file_and_line(binary):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "spoor.yaml")
        for text, words in (("data-dir: /tmp\nretenton: 7d\n", ["spoor.yaml:2", "retenton"]), ("data-dir: [\n", ["spoor.yaml"]),
                            ("otlp-grpc: {a: 1}\n", ["spoor.yaml:1"])):
            pathlib.Path(path).write_text(text, encoding="utf-8")
            assert_refused(binary, ["--config", path], 2, words)
        assert_refused(binary, ["--config", path + ".missing"], 2, ["missing"])


def test_a_taken_port_is_named(binary):
    with spoor.Spoor(binary) as server, tempfile.TemporaryDirectory() as directory:
        host, port = server.address("otlp-http")
        assert_refused(binary, ["--data-dir", directory, "--otlp-http", f"{host}:{port}"], 3, [f"{host}:{port}"])


def test_a_directory_in_use_is_refused(binary):
    with spoor.Spoor(binary) as server:
        assert_refused(binary, ["--data-dir", server.data_dir], 3, ["BUSY", "in use"])
        server.stop()


def test_an_unwritable_directory_is_refused(binary):
    with tempfile.TemporaryDirectory() as directory:
        blocked = os.path.join(directory, "blocked")
        os.mkdir(blocked, 0o500)
        if os.geteuid() != 0:
            assert_refused(binary, ["--data-dir", os.path.join(blocked, "data")], 3, ["PERMISSION"])
            return
        # root may write anywhere: run as nobody, from a place that nobody can read
        shutil.copy(binary, os.path.join(directory, "spoor"))
        os.chmod(directory, 0o755)
        done = subprocess.run([os.path.join(directory, "spoor"), "serve", "--data-dir", os.path.join(blocked, "data")],
                              capture_output=True, text=True, timeout=60, user=65534, group=65534, extra_groups=[])
        assert done.returncode == 3 and "PERMISSION" in done.stderr, (done.returncode, done.stderr)


def test_a_file_in_the_place_of_the_directory_is_refused(binary):
    with tempfile.NamedTemporaryFile() as file:
        assert_refused(binary, ["--data-dir", file.name], 3, [file.name])


def test_a_directory_of_a_newer_version_is_refused_and_untouched(binary):
    with tempfile.TemporaryDirectory() as directory:
        trace_id = filled_directory(binary, directory)
        version = pathlib.Path(directory) / "FORMAT"
        text = version.read_text(encoding="utf-8")
        version.write_text(re.sub("[0-9]+", "999", text), encoding="utf-8")
        before = {path: os.stat(path).st_mtime_ns for path in glob.glob(directory + "/*")}
        assert_refused(binary, ["--data-dir", directory], 3, ["VERSION", "999"])
        assert {path: os.stat(path).st_mtime_ns for path in glob.glob(directory + "/*")} == before
        version.write_text(text, encoding="utf-8")
        with spoor.Spoor(binary, data_dir=directory) as server:
            assert len(server.trace(trace_id)) == 1


def test_a_damaged_directory_is_refused_and_named(binary):
    with tempfile.TemporaryDirectory() as directory:
        filled_directory(binary, directory)
        manifests = glob.glob(directory + "/**/MANIFEST-*", recursive=True)
        assert manifests
        for path in manifests:
            data = bytearray(pathlib.Path(path).read_bytes())
            for i in range(16, min(len(data), 400), 7):
                data[i] ^= 0xFF
            pathlib.Path(path).write_bytes(data)
        assert_refused(binary, ["--data-dir", directory], 3, ["CORRUPT"])


def test_a_data_directory_that_could_keep_nothing_is_refused(binary):
    with tempfile.TemporaryDirectory() as directory:
        assert_refused(binary, ["--data-dir", directory, "--retention-size", "100MiB"], 3, ["retention-size", "256MiB"])


def test_old_spans_are_removed_and_counted(binary):
    with tempfile.TemporaryDirectory() as directory:
        ids = [secrets.token_bytes(16), secrets.token_bytes(16)]
        hour_ns = 3600 * 10**9
        for trace_id, age_ns in zip(ids, (3 * hour_ns, 0)):  # each becomes a segment when its server stops
            with spoor.Spoor(binary, data_dir=directory) as server:
                body = spoor.request_message([spoor.span_message(trace_id, b"12345678", start=time.time_ns() - age_ns)])
                assert server.export(body)[0] == 200
                server.stop()
        with spoor.Spoor(binary, data_dir=directory, args=["--retention", "2h"]) as server:
            removed = 'spoor_store_removed_spans_total{reason="age"} 1\n'
            while removed not in server.request("http", "GET", "/metrics")[2].decode():
                time.sleep(0.01)
            assert not server.trace(ids[0].hex())
            assert len(server.trace(ids[1].hex())) == 1
            server.stop()
            assert any("retention" in line and "reason=age" in line for line in server.log), server.log


def test_help_and_version_answer_on_stdout(binary):
    for args in (["--help"], ["serve", "--help"], ["load", "--help"], ["trace", "--help"], ["search", "--help"],
                 ["graph", "--help"], ["--version"]):
        done = subprocess.run([binary, *args], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and done.stdout and not done.stderr, (args, done)
    done = subprocess.run([binary, "serv"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "serv" in done.stderr


if __name__ == "__main__":
    tap.main(globals())
