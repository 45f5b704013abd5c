# SPDX-License-Identifier: Apache-2.0
"""tests/bench/questions.py: what is asked of many stored spans: one client after the other, warm, and by ten clients at once beside
ingestion. Used by bench.py; knows how to ask, not how to load."""

import http.client
import json
import math
import threading
import time
import urllib.parse

HOUR_SPANS = 3600 * 1000  # an hour of a thousand spans a second
CLIENTS = 10
# Everything is a candidate, a regular expression runs over a long text of each span, and the order allows no early end.
TERRIBLE = '{ span.db.query.text =~ ".*(a|b)*(from|where).*(id|name).*" } !>> { name != "" }'


def rank(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


class Client:
    """One connection that is kept."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection(*server.address("http"), timeout=120)

    def ask(self, path, **parameters):
        """Status, body and seconds."""
        url = path + ("?" + urllib.parse.urlencode(parameters) if parameters else "")
        began = time.perf_counter()
        self.connection.request("GET", url)
        reply = self.connection.getresponse()
        body = reply.read()
        return reply.status, body, time.perf_counter() - began

    def answer(self, path, **parameters):
        status, body, seconds = self.ask(path, **parameters)
        if status != 200:
            raise SystemExit(f"{path} {parameters}: {status} {body[:300]!r}")
        return json.loads(body), seconds


def p95(client, times, path, **parameters):
    """In ms, and the last answer."""
    client.answer(path, **parameters)
    seconds = []
    for _ in range(times):
        answer, took = client.answer(path, **parameters)
        seconds.append(took)
    return rank(seconds, 0.95) * 1e3, answer


def newest(client, spans):
    """from and to of a range with so many of the newest spans, within one in a hundred."""
    status, _ = client.answer("/v1/status")
    low, high = int(status["oldestUnixNano"]), int(status["newestUnixNano"]) + 1
    end = high
    while high - low > 1:
        middle = (low + high) // 2
        found, _ = client.answer("/v1/heatmap", **{"from": middle, "to": end})
        count = sum(cell[2] for cell in found["cells"])
        if math.isclose(count, spans, rel_tol=0.01):
            return {"from": middle, "to": end}
        low, high = (middle, high) if count > spans else (low, middle)
    raise SystemExit(f"there is no range with {spans} spans")


def structural(hour):
    """Name, query and parameters of each; the sides let most traces through."""
    queries = {
        "client spans below a server's, >>": "{ kind = server } >> { kind = client }",
        "client spans of a server's, >": "{ kind = server } > { kind = client }",
        "client spans below no error, !>>": "{ status = error } !>> { kind = client }",
        "client spans beside others, ~": "{ kind = client } ~ { kind = client }",
    }
    for order, words in (("-start", "newest first"), ("-duration", "slowest first")):
        for name, query in queries.items():
            yield f"{name}, an hour, {words}", query, dict(hour, order=order)


def measure_searches(server, rows):
    client = Client(server)
    services, _ = client.answer("/v1/services")
    service = max(services["services"], key=lambda row: int(row["errorCount"]))["name"]
    together = f'{{ duration > 1ms && status = error && resource.service.name = "{service}" }}'
    rows["duration, status and service, top 20, p95, ms"], answer = p95(client, 20, "/v1/search", q=together, limit=20)
    if len(answer["traces"]) != 20:
        raise SystemExit(f"{together}: 20 traces were asked for, {len(answer['traces'])} came")
    hour = newest(client, min(HOUR_SPANS, rows["spans"] // 4))
    for name, query, parameters in structural(hour):
        rows[f"{name}, p95, ms"], answer = p95(client, 10, "/v1/search", q=query, limit=20, **parameters)
        if len(answer["traces"]) != 20:
            raise SystemExit(f"{query}: 20 traces were asked for, {len(answer['traces'])} came")
    rows["everything, slowest first, p95, ms"], answer = p95(client, 3, "/v1/search", q="{ }", limit=20, order="-duration")
    if answer["incompleteReason"] == "timeBudget":
        raise SystemExit("{} by -duration: the time was up")
    query = {"q": '{ span.db.system.name = "redis" }', "limit": 20}
    first, _ = client.answer("/v1/search", **query)
    rows["a second page by cursor, p95, ms"], answer = p95(client, 10, "/v1/search", cursor=first["cursor"], **query)
    if {trace["traceId"] for trace in first["traces"]} & {trace["traceId"] for trace in answer["traces"]}:
        raise SystemExit("a trace is on two pages")
    rows["graph panel, p95, ms"], _ = p95(client, 20, "/v1/graph")
    rows["latency panel of a service, p95, ms"], _ = p95(client, 20, "/v1/latency", service=service)


# ---- beside ingestion ----


def mixed_questions():
    """What people and dashboards ask, one after the other."""
    return [
        ("/v1/search", {"q": '{ span.db.system.name = "redis" }', "limit": 20}),
        ("/v1/search", {"q": "{ status = error && duration > 1ms }", "limit": 20}),
        ("/v1/search", {"q": "{ kind = server } >> { status = error }", "limit": 20, "from": "now-15m"}),
        ("/v1/metrics/query_range", {"q": "{} | rate() by (resource.service.name)", "from": "now-15m"}),
        ("/v1/graph", {"from": "now-15m"}),
        ("/v1/latency", {"from": "now-15m"}),
        ("/v1/services", {}),
        ("/v1/attributes", {"scope": "span", "key": "http.route"}),
    ]


class Crowd:
    """Ten clients that ask without pause, and one that asks the terrible query again and again."""

    def __init__(self, server):
        self.server, self.stopping, self.lock = server, threading.Event(), threading.Lock()
        self.seconds, self.refused, self.terrible = [], 0, []
        self.threads = [threading.Thread(target=self.ask_mixed, args=(i,)) for i in range(CLIENTS)]
        self.threads.append(threading.Thread(target=self.ask_terrible))

    def ask_mixed(self, first):
        client, questions, at = Client(self.server), mixed_questions(), first
        while not self.stopping.is_set():
            path, parameters = questions[at % len(questions)]
            status, body, seconds = client.ask(path, **parameters)
            at += 1
            with self.lock:
                if status == 200:
                    self.seconds.append(seconds)
                elif status == 503:
                    self.refused += 1
                else:
                    raise SystemExit(f"{path} {parameters}: {status} {body[:300]!r}")

    def ask_terrible(self):
        client = Client(self.server)
        while not self.stopping.is_set():
            status, body, seconds = client.ask("/v1/search", q=TERRIBLE, order="-duration", limit=20)
            if status not in (200, 413, 503, 504):
                raise SystemExit(f"{TERRIBLE}: {status} {body[:300]!r}")
            self.terrible.append(seconds)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def measure_beside(server, load_at_rate):
    """load_at_rate sends for some time and returns the ack quantiles in ns."""
    alone = load_at_rate()
    with Crowd(server) as crowd:
        crowded = load_at_rate()
    return {
        "ack p50, alone, ms": alone["p50"] / 1e6,
        "ack p99, alone, ms": alone["p99"] / 1e6,
        "ack p50, ten clients and a terrible query, ms": crowded["p50"] / 1e6,
        "ack p99, ten clients and a terrible query, ms": crowded["p99"] / 1e6,
        "ratio of the p99": crowded["p99"] / alone["p99"],
        "answers meanwhile": len(crowd.seconds),
        "asked to try again": crowd.refused,
        "answers p50 meanwhile, ms": rank(crowd.seconds, 0.5) * 1e3,
        "answers p95 meanwhile, ms": rank(crowd.seconds, 0.95) * 1e3,
        "the terrible query, the longest, s": max(crowd.terrible),
    }
