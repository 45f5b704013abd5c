# SPDX-License-Identifier: Apache-2.0
"""Acked is durable, unacked is whole or absent: processes that are killed while several senders are at work. What recordings
look like after a restart is the subject of tests/e2e/replay.py."""

import secrets
import tempfile
import threading

import spoor
import tap


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
