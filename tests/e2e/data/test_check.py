#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`spoor check` on what real servers leave behind: sound, killed, damaged, in use. What it finds in which place is the subject
of tests/contract/test_check.c; here it is what it prints, and its exit codes (0 no damage, 1 damage, 2 not checked)."""
import json
import pathlib
import secrets
import subprocess
import tempfile

import spoor
import tap


def check(binary, *args):
    """(exit code, stdout, stderr)."""
    result = subprocess.run([binary, "check", *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return result.returncode, result.stdout, result.stderr


def send(server, count):
    trace_ids = [secrets.token_bytes(16) for _ in range(count)]
    for trace_id in trace_ids:
        spans = [spoor.span_message(trace_id, secrets.token_bytes(8)) for _ in range(3)]
        assert server.export(spoor.request_message(spans))[0] == 200
    return trace_ids


def fill(binary, directory):
    """A segment of 60 spans (of a stop) and a journal of 30 (of a kill)."""
    with spoor.Spoor(binary, data_dir=directory) as server:
        send(server, 20)
        server.stop()
    with spoor.Spoor(binary, data_dir=directory) as server:
        send(server, 10)
        server.kill()


def test_directories_of_stopped_and_killed_servers_are_sound(binary):
    with tempfile.TemporaryDirectory() as directory:
        fill(binary, directory)
        code, out, err = check(binary, directory)
        assert (code, err) == (0, ""), (out, err)
        assert "1 segments with 1 blocks" in out and "and 60 spans; 10 journal records with 30 spans" in out, out
        assert out.endswith("\nno damage\n"), out
        code, out, _ = check(binary, "--json", directory)
        lines = [json.loads(line) for line in out.splitlines()]
        assert code == 0 and len(lines) == 1, out
        assert lines[0]["clean"] is True and lines[0]["spans"] == "60" and lines[0]["journalSpans"] == "30"
        with spoor.Spoor(binary, data_dir=directory) as server:
            assert server.get_json("/v1/status")["spanCount"] == "90"


def test_directory_in_use_is_refused(binary):
    with spoor.Spoor(binary) as server:
        send(server, 1)
        code, out, err = check(binary, server.data_dir)
        assert (code, out) == (2, ""), (out, err)
        assert "in use by another process" in err and str(server.process.pid) in err, err


def test_wrong_command_lines_and_missing_directories_are_not_checked(binary):
    with tempfile.TemporaryDirectory() as directory:
        for args in ((), (directory,), (directory + "/nothing",), (directory, "more"), ("--jsonn", directory)):
            code, out, err = check(binary, *args)
            assert code == 2 and out == "" and err.startswith("spoor check: "), (args, code, out, err)


def test_damage_is_said_with_the_spans_that_it_concerns(binary):
    with tempfile.TemporaryDirectory() as directory:
        fill(binary, directory)
        tables = sorted((pathlib.Path(directory) / "db").glob("*.sst"), key=lambda path: path.stat().st_size)
        damaged = bytearray(tables[-1].read_bytes())
        damaged[100] ^= 1
        tables[-1].write_bytes(damaged)
        code, out, err = check(binary, directory)
        assert (code, err) == (1, ""), (out, err)
        assert tables[-1].name in out and "checksum: segment 1, block 0, " in out, out
        assert "  concerns 60 spans\n" in out and "  of traces " in out and "  that start from 20" in out, out
        assert " times damage: " in out.splitlines()[-1], out
        code, out, _ = check(binary, "--json", directory)
        *findings, summary = [json.loads(line) for line in out.splitlines()]
        assert code == 1 and summary["clean"] is False
        of_block = [finding for finding in findings if finding.get("block") == 0]
        assert of_block and all(finding["segment"] == "1" and finding["damage"] for finding in of_block)
        assert all(len(finding["firstTraceId"]) == 32 for finding in of_block)
        assert summary["findings"]["checksum"] == str(sum(finding["kind"] == "checksum" for finding in findings))


if __name__ == "__main__":
    tap.main(globals())
