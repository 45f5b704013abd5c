#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`spoor backup` and /v1/backups: copies of servers at work hold what was acknowledged before, each span once, and are sound; and what
happens when a copy cannot be made."""
import contextlib
import json
import os
import pathlib
import resource
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading

import spoor
import tap

JSON = {"content-type": "application/json"}


def run(binary, *args, **options):
    """(exit code, stdout, stderr)."""
    result = subprocess.run([binary, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, **options)
    return result.returncode, result.stdout, result.stderr


def backup(server, target, *args, **options):
    url = "http://{}:{}".format(*server.address("http"))
    return run(server.binary, "backup", "--server", url, *args, str(target), **options)


def listed(server):
    return server.get_json("/v1/backups")["backups"]


class Senders:
    """Threads that send traces of three spans until they are stopped, and know what was acknowledged."""

    def __init__(self, server, count=3):
        self.server, self.stop, self.lock, self.acked = server, threading.Event(), threading.Lock(), {}
        self.threads = [threading.Thread(target=self.send) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def send(self):
        while not self.stop.is_set():
            trace_id = secrets.token_bytes(16)
            ids = [secrets.token_bytes(8) for _ in range(3)]
            body = spoor.request_message([spoor.span_message(trace_id, span_id) for span_id in ids])
            if self.server.export(body)[0] == 200:
                with self.lock:
                    self.acked[trace_id.hex()] = {span_id.hex() for span_id in ids}

    def acked_now(self):
        with self.lock:
            return dict(self.acked)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def stored(server, trace_id):
    return sorted(span["spanId"] for span in server.trace(trace_id))


def assert_holds(binary, directory, acked):
    """The copy is sound, opens, and has each of these spans once."""
    code, out, err = run(binary, "check", str(directory))
    assert (code, err) == (0, ""), (out, err)
    with spoor.Spoor(binary, data_dir=str(directory)) as server:
        for trace_id, ids in acked.items():
            assert stored(server, trace_id) == sorted(ids), trace_id


def test_copies_of_a_server_under_load_hold_what_was_acked_before(binary):
    with tempfile.TemporaryDirectory() as place, spoor.Spoor(binary) as server:
        copies = []
        with Senders(server) as senders:
            for number in range(4):
                while len(senders.acked_now()) < 150 * (number + 1):
                    senders.stop.wait(0.02)
                acked = senders.acked_now()
                target = pathlib.Path(place) / f"copy-{number}"
                code, out, err = backup(server, target, *(["--link"] if number % 2 else []))
                assert (code, err) == (0, ""), (out, err)
                assert f"{target}: " in out and "files" in out
                copies.append((target, acked))
        assert listed(server) == []
        for target, acked in copies:
            assert_holds(binary, target, acked)
        # And the server has them all, whatever its copies did to the tables that are linked.
        assert server.get_json("/v1/status")["spanCount"] == str(3 * len(senders.acked))


def test_copy_of_a_stopped_server_is_made_without_one(binary):
    with tempfile.TemporaryDirectory() as place:
        directory, target = place + "/data", place + "/copy"
        with spoor.Spoor(binary, data_dir=directory) as server:
            with Senders(server) as senders:
                while len(senders.acked_now()) < 50:
                    senders.stop.wait(0.02)
            code, _, err = run(binary, "backup", "--data-dir", directory, target)
            assert code == 3 and "in use by another process" in err and "without --data-dir" in err, err
            assert not os.path.exists(target)
            server.kill()
        code, out, err = run(binary, "backup", "--data-dir", directory, target)
        assert (code, err) == (0, ""), (out, err)
        assert_holds(binary, target, senders.acked)
        code, out, err = run(binary, "backup", "--json", "--data-dir", directory, place + "/again")
        told = json.loads(out)
        assert (code, err) == (0, "") and told["path"] == place + "/again" and int(told["files"]) > 0 and int(told["bytes"]) > 0, out
        code, _, err = run(binary, "backup", "--data-dir", place, place + "/other")
        assert code == 3 and "is not a data directory" in err, err


def test_targets_that_are_no_new_directory_are_refused_and_left_alone(binary):
    with tempfile.TemporaryDirectory() as place, spoor.Spoor(binary) as server:
        full = pathlib.Path(place) / "full"
        full.mkdir()
        (full / "mine").write_text("precious", encoding="utf-8")
        code, out, err = backup(server, full)
        assert (code, out) == (2, "") and "is not empty" in err, err
        assert [path.name for path in full.iterdir()] == ["mine"]
        code, _, err = backup(server, full / "mine")
        assert code == 3 and "mine" in err, err
        code, _, err = backup(server, pathlib.Path(place) / "no" / "such")
        assert code == 3 and "No such file" in err, err
        empty = pathlib.Path(place) / "empty"
        empty.mkdir()
        assert backup(server, empty)[0] == 0
        assert listed(server) == []


@contextlib.contextmanager
def small_disk(place, size):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True, check=False).returncode:
        raise tap.SkipTest("cannot mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def test_full_disk_is_said_and_gets_its_room_back(binary):
    with tempfile.TemporaryDirectory() as place, small_disk(place, "64k"), spoor.Spoor(binary) as server:
        with Senders(server) as senders:
            while len(senders.acked_now()) < 300:
                senders.stop.wait(0.02)
        target = pathlib.Path(place) / "copy"
        code, out, err = backup(server, target)
        assert (code, out) == (3, "") and "No space left on device" in err, (code, out, err)
        assert not target.exists() and listed(server) == []
        assert os.statvfs(place).f_bfree == os.statvfs(place).f_blocks


def test_writes_that_fail_leave_nothing_behind(binary):
    """A limit on the size of files stands for it: writes fail half-way, as on a full disk."""
    with tempfile.TemporaryDirectory() as place, spoor.Spoor(binary) as server:
        with Senders(server) as senders:
            while len(senders.acked_now()) < 100:
                senders.stop.wait(0.02)

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        target = pathlib.Path(place) / "copy"
        code, out, err = backup(server, target, preexec_fn=limit)
        assert (code, out) == (3, "") and "cannot write" in err, (code, out, err)
        assert not target.exists()
        assert listed(server) == []
        assert backup(server, target)[0] == 0
        assert_holds(binary, target, senders.acked)


def test_unwritable_places_are_said(binary):
    if os.geteuid() != 0:
        raise tap.SkipTest("needs root to become another user")
    with tempfile.TemporaryDirectory() as place, spoor.Spoor(binary) as server:
        os.chmod(place, 0o755)
        os.chmod(server.data_dir, 0o755)
        copy = pathlib.Path(place) / "spoor"
        shutil.copy(binary, copy)
        url = "http://{}:{}".format(*server.address("http"))
        code, _, err = run(str(copy), "backup", "--server", url, place + "/copy", user=65534)
        assert code == 3 and "ermission denied" in err, err
        assert listed(server) == []


def test_two_backups_at_once_are_both_whole(binary):
    with tempfile.TemporaryDirectory() as place, spoor.Spoor(binary) as server:
        results = []
        with Senders(server) as senders:
            while len(senders.acked_now()) < 100:
                senders.stop.wait(0.02)
            acked = senders.acked_now()
            threads = [threading.Thread(target=lambda n=n: results.append(backup(server, f"{place}/copy-{n}"))) for n in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert [code for code, _, _ in results] == [0, 0, 0], results
        for number in range(3):
            assert_holds(binary, f"{place}/copy-{number}", acked)
        assert listed(server) == []


def test_backups_by_hand_are_made_listed_and_removed(binary):
    with spoor.Spoor(binary) as server:
        assert listed(server) == []
        status, headers, body = server.request("http", "POST", "/v1/backups", b"{}", JSON)
        made = json.loads(body)
        assert (status, headers["content-type"]) == (201, "application/json") and made["complete"], body
        assert made["path"] == os.path.realpath(f"{server.data_dir}/backups/{made['name']}")
        assert sorted(os.listdir(made["path"])) == ["FORMAT", "db"]
        assert listed(server) == [made]
        status, _, body = server.request("http", "DELETE", f"/v1/backups/{made['name']}")
        assert (status, body) == (204, b"")
        assert listed(server) == [] and not os.path.exists(made["path"])
        assert server.request("http", "DELETE", f"/v1/backups/{made['name']}")[0] == 404


def test_leftovers_of_crashes_are_listed_removable_and_no_data(binary):
    with tempfile.TemporaryDirectory() as directory:
        with spoor.Spoor(binary, data_dir=directory) as server:
            made = json.loads(server.request("http", "POST", "/v1/backups", b"", JSON)[2])
            server.kill()
        backups = pathlib.Path(directory) / "backups"
        (backups / "20200101-000000" / "db.tmp").mkdir(parents=True)
        (backups / "20200101-000000" / "db.tmp" / "000001.sst").write_bytes(b"half")
        (backups / "not a name").mkdir()
        (backups / "file").write_bytes(b"")
        with spoor.Spoor(binary, data_dir=directory) as server:
            assert server.get_json("/v1/status")["spanCount"] == "0"
            assert [(row["name"], row["complete"]) for row in listed(server)] == [("20200101-000000", False), (made["name"], True)]
            for row in listed(server):
                assert server.request("http", "DELETE", f"/v1/backups/{row['name']}")[0] == 204
            assert listed(server) == []
            server.stop()
        assert sorted(path.name for path in backups.iterdir()) == ["file", "not a name"]
        assert run(binary, "check", directory)[0] == 0


def test_bad_names_and_requests_are_refused(binary):
    with spoor.Spoor(binary) as server:
        os.mkdir(server.data_dir + "/backups")
        outside = pathlib.Path(server.data_dir) / "outside"
        (outside / "db").mkdir(parents=True)
        (outside / "db" / "precious").write_bytes(b"1")
        os.symlink(outside, server.data_dir + "/backups/link")
        for name in ("..", ".", "%2e%2e", "..%2foutside", "a.b", "a b", "a%00b", "x" * 65, "%2fetc"):
            status, headers, body = server.request("http", "DELETE", f"/v1/backups/{name.replace(' ', '%20')}")
            assert status == 400 and headers["content-type"] == "application/problem+json", (name, status, body)
        for name in ("link", "nothing"):
            assert server.request("http", "DELETE", f"/v1/backups/{name}")[0] == 404, name
        assert (outside / "db" / "precious").exists()
        # A page of another origin can send these without asking: none makes a backup.
        for headers in ({}, {"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"},
                        {"content-type": "multipart/form-data; boundary=x"}):
            status, _, body = server.request("http", "POST", "/v1/backups", b"{}", headers)
            assert status == 415, (headers, status, body)
        for body in (b"{", b"[]", b'{"name":"mine"}', b"{}{}", b"null"):
            assert server.request("http", "POST", "/v1/backups", body, JSON)[0] == 400, body
        assert server.request("http", "POST", "/v1/backups", b" " * 140000, JSON)[0] == 413
        for method, path, allow in (("PUT", "/v1/backups", "GET, HEAD, POST"), ("DELETE", "/v1/backups", "GET, HEAD, POST"),
                                    ("GET", "/v1/backups/x", "DELETE"), ("POST", "/v1/status", "GET, HEAD"),
                                    ("DELETE", "/", "GET, HEAD")):
            status, headers, _ = server.request("http", method, path, headers=JSON)
            assert (status, headers["allow"]) == (405, allow), (method, path, status, headers)
        assert listed(server) == []


def test_backups_have_a_limit(binary):
    with spoor.Spoor(binary) as server:
        made = [server.request("http", "POST", "/v1/backups", b"{}", JSON)[0] for _ in range(17)]
        assert made == [201] * 16 + [503], made
        assert len(listed(server)) == 16
        with tempfile.TemporaryDirectory() as place:
            code, _, err = backup(server, place + "/copy")
            assert code == 3 and "16 backups stand in" in err, err


if __name__ == "__main__":
    tap.main(globals())
