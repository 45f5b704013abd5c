#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Queries that run and queries that wait for them: what /v1/system tells of both, and how they end. One thread, which a query keeps
until the test lets go of it."""
import contextlib
import http.client
import json
import pathlib
import threading
import time
import urllib.parse

import schema
import spoor
import tap

ROOT = pathlib.Path(__file__).resolve().parents[3]
START = 1767225600000000000
MS = 1000000
# Minutes: each name is different, and each is asked all of this.
SLOW = "/v1/search?" + urllib.parse.urlencode({"q": "{ " + " || ".join(f'name =~ ".*x.*x.*y{i}"' for i in range(150)) + " }"})
NEXT = "/v1/search?" + urllib.parse.urlencode({"q": '{ name = "next" }'})


class Context:
    def __init__(self, server):
        self.server = server
        document = schema.Document(ROOT / "docs" / "openapi.json")
        self.errors = lambda system: list(document.errors(system, document.operation("/v1/system")["responses"]["200"]["content"]["application/json"]["schema"]))

    def queries(self):
        """As /v1/system tells of them, which the document knows."""
        system = self.server.get_json("/v1/system")
        assert not self.errors(system), self.errors(system)
        return system["queries"]

    def until(self, wanted):
        """Looks at the queries until they are as wanted."""
        end = time.monotonic() + 60
        while True:
            queries = self.queries()
            if wanted(queries):
                return queries
            assert time.monotonic() < end, queries
            time.sleep(0.02)

    def listed(self, *paths):
        """Until these are listed, in this order and no others: their rows."""
        return self.until(lambda q: [row["url"] for row in q["running"]] == [shown(path) for path in paths])["running"]

    def end(self, query):
        return self.server.request("http", "DELETE", f"/v1/queries/{query['id']}")

    def counted(self, name):
        metrics = self.server.request("http", "GET", "/metrics")[2].decode().splitlines()
        return int(next(line.split()[1] for line in metrics if line.startswith(name + " ")))


def shown(path):
    return path[:1024]


class Asking:
    """A query that is asked on a connection of its own, and its answer when it comes."""

    def __init__(self, context, path):
        self.connection = http.client.HTTPConnection(*context.server.address("http"), timeout=120)
        self.connection.request("GET", path)
        self.client = "{}:{}".format(*self.connection.sock.getsockname())
        self.status = self.body = None
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        with contextlib.suppress(OSError, http.client.HTTPException, AttributeError, ValueError):
            reply = self.connection.getresponse()
            self.body, self.status = reply.read(), reply.status

    def answer(self):
        """(status, the document)."""
        self.thread.join(60)
        assert not self.thread.is_alive(), "no answer"
        return self.status, json.loads(self.body)

    def leave(self):
        self.connection.sock.shutdown(2)
        self.thread.join(60)
        self.connection.close()


@contextlib.contextmanager
def make_context(binary):
    with spoor.Spoor(binary, args=["--allow-cancel", "--query-threads", "1", "--query-timeout", "10m"]) as server:
        for trace in range(1, 401):  # short ones: between two traces a query looks whether it was ended
            ids = [(trace * 1000 + i).to_bytes(8, "big") for i in range(50)]
            spans = [spoor.span_message(trace.to_bytes(16, "big"), ids[i], f"{trace}-{i}" + "x" * 100, START, START + MS) for i in range(50)]
            assert server.export(spoor.request_message(spans))[0] == 200
        yield Context(server)


@contextlib.contextmanager
def busy(context):
    """While the one thread has a query; its row. Then that has ended, too."""
    slow = Asking(context, SLOW)
    try:
        [row] = context.until(lambda q: q["running"] and q["running"][0]["state"] == "running")["running"]
        yield row
    finally:
        for query in context.queries()["running"]:
            context.end(query)
        assert slow.answer()[0] == 503
        context.listed()


def test_a_query_that_waits_is_listed_and_ended_while_the_other_runs(context):
    with busy(context) as slow:
        waits = Asking(context, NEXT)
        running, waiting = context.listed(SLOW, NEXT)
        assert (running["id"], running["state"], running["cancelled"]) == (slow["id"], "running", False), running
        assert (waiting["state"], waiting["client"], waiting["cut"]) == ("waiting", waits.client, False), waiting
        assert waiting["waitedNano"] == waiting["tookNano"] and waiting["tracesRead"] == "0", waiting
        assert int(running["cameUnixNano"]) <= int(waiting["cameUnixNano"]), (running, waiting)
        queries = context.queries()
        assert (queries["runningCount"], queries["waitingCount"]) == (1, 1), queries
        assert context.end(waiting)[0] == 200
        status, problem = waits.answer()
        assert status == 503 and problem["detail"] == "the query was ended by DELETE /v1/queries", problem
        [still] = context.listed(SLOW)
        assert (still["id"], still["cancelled"]) == (slow["id"], False), still
        assert (context.counted("spoor_queries_running"), context.counted("spoor_queries_waiting")) == (1, 0)
        assert context.end(waiting)[0] == 404


def test_a_query_whose_client_goes_while_it_waits_leaves_the_list(context):
    with busy(context):
        goes, stays = Asking(context, NEXT), Asking(context, NEXT + "&limit=1")
        context.until(lambda q: q["waitingCount"] == 2)
        goes.leave()
        context.listed(SLOW, NEXT + "&limit=1")
        assert context.counted("spoor_queries_waiting") == 1
        goes = Asking(context, NEXT)
        context.until(lambda q: q["waitingCount"] == 2)
        goes.leave()
        end = time.monotonic() + 60
        while context.counted("spoor_queries_waiting") != 1:  # nor does who only looks at numbers see it
            assert time.monotonic() < end
            time.sleep(0.02)
    assert stays.answer()[0] == 503


def test_places_of_those_who_went_are_given_to_others(context):
    most = next(int(row["value"]) for row in context.server.get_json("/v1/system")["limits"] if row["name"] == "queries that wait")
    with busy(context):
        waiting = [Asking(context, f"{NEXT}&limit={i + 1}") for i in range(most)]
        context.until(lambda q: q["waitingCount"] == most)
        assert Asking(context, NEXT).answer()[0] == 503
        for one in waiting:
            one.leave()
        end = time.monotonic() + 60
        while True:  # nobody looks at the list meanwhile
            late = Asking(context, NEXT)
            late.thread.join(0.2)
            if late.thread.is_alive():
                break
            assert late.answer()[0] == 503 and time.monotonic() < end
        context.listed(SLOW, NEXT)
    assert late.answer()[0] == 503


def test_time_that_a_query_waited_is_not_time_that_it_ran(context):
    with busy(context) as slow:
        waits = Asking(context, NEXT + "&limit=2")
        context.listed(SLOW, NEXT + "&limit=2")
        time.sleep(0.3)
        assert context.end(slow)[0] == 200
        assert waits.answer()[0] == 200
    slowest = context.queries()["slowest"]
    ran = [int(row["tookNano"]) - int(row["waitedNano"]) for row in slowest]
    assert ran == sorted(ran, reverse=True) and all(n >= 0 for n in ran), slowest
    waited = next(row for row in slowest if row["url"] == NEXT + "&limit=2")
    assert int(waited["waitedNano"]) >= 300 * MS and waited["client"] == waits.client and waited["status"] == 200, waited
    # What never ran is not among them.
    assert NEXT not in [row["url"] for row in slowest], slowest


if __name__ == "__main__":
    tap.main(globals(), make_context)
