#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The read API over HTTP: every reply is checked against docs/openapi.json, every path and parameter of the document is used,
and what it answers agrees with what it answers elsewhere. What it refuses: refusals.py."""
import collections
import csv
import gzip
import http.client
import io
import json
import math
import shutil
import subprocess
import threading
import time
import urllib.parse
import xml.etree.ElementTree

import spoor
import tap
from context import Context, make_context

ORDERS = ("-start", "start", "-duration", "duration", "-spans", "spans", "-errors", "errors")
HOSTILE = "=a\"b\\n<c>&'|]#;{}--> \u202e"


def otlp_spans(data):
    return [span for group in data["resourceSpans"] for scope in group["scopeSpans"] for span in scope["spans"]]


def until_read(context, at):
    """The history once the server has read its counters after that moment."""
    end = time.monotonic() + 60
    while not (history := context.check(f"/v1/system/history?since={at}"))["atUnixNano"]:
        assert time.monotonic() < end, history
        time.sleep(0.1)
    return history


# ---- every path ----

def test_the_check_against_the_document_can_fail(context):
    service = {"name": "a", "spanCount": "1", "errorCount": "0", "slot": 0}
    reply = {"$ref": "#/components/schemas/Services"}
    assert not list(context.document.errors({"services": [service]}, reply))
    for change in ({"spanCount": 1}, {"spanCount": "-1"}, {"slot": 30}, {"slot": True}, {"more": 1}, {"name": None}):
        assert len(list(context.document.errors({"services": [{**service, **change}]}, reply))) == 1, change
    assert list(context.document.errors({}, reply)) == ["$: services is missing"]


def test_every_reply_is_what_the_document_says(context):
    status = context.check("/v1/status")
    services = context.check("/v1/services")["services"]
    assert sum(int(service["spanCount"]) for service in services) == int(status["spanCount"]) > 10000
    assert len({service["slot"] for service in services}) == len(services)
    whole = f"from={status['oldestUnixNano']}&to=now%2B1h"
    assert context.check(f"/v1/services?{whole}")["services"] == services
    name = services[0]["name"]
    operations = context.check(f"/v1/operations?service={name}&{whole}")["operations"]
    assert operations and {operation["service"] for operation in operations} == {name}
    for scope in ("any", "span", "resource", "event", "link", "instrumentation", "intrinsic"):
        context.check(f"/v1/attributes?scope={scope}&limit=10000&{whole}")
    keys = context.check("/v1/attributes?scope=span&prefix=http.&limit=3")
    assert len(keys["attributes"]) == 3 and keys["complete"] is False
    values = context.check("/v1/attributes?key=service.name&scope=resource")["values"]
    assert {value["value"]: value["count"] for value in values} == {s["name"]: s["spanCount"] for s in services}
    for row in context.check("/v1/attributes?scope=intrinsic")["attributes"]:
        context.check(f"/v1/attributes?scope=intrinsic&key={row['key']}")
    of_status = {v["value"]: int(v["count"]) for v in context.check("/v1/attributes?scope=intrinsic&key=span:status")["values"]}
    assert sum(of_status.values()) == sum(int(s["spanCount"]) for s in services), of_status
    context.check(f"/v1/latency?service={name}&operation={urllib.parse.quote(operations[0]['name'])}&kind=any&q=0.5,1&{whole}")
    for file_format in ("json", "dot", "graphml", "csv", "mermaid"):
        context.check(f"/v1/graph?format={file_format}&service={name}&hops=2&{whole}")
    hours = f"from={int(status['oldestUnixNano']) - 60 * 10**9}&to={int(status['newestUnixNano']) + 60 * 10**9}"
    graph = {(e["client"], e["server"], e["connectionType"]): e for e in context.check("/v1/graph")["edges"]}
    steps = context.check(f"/v1/graph?step=1m&{hours}")
    assert len(steps["edges"]) == len(graph) and len(steps["steps"]) > 1
    for edge in steps["edges"]:
        whole_edge = graph[edge["client"], edge["server"], edge["connectionType"]]
        assert sum(map(int, edge["calls"])) == int(whole_edge["calls"]) and sum(map(int, edge["errors"])) == int(whole_edge["errors"])
    assert context.check("/v1/graph?format=csv&rows=nodes").startswith(b"service,type,calls")
    assert context.check("/v1/graph?links=true")["links"]["complete"]
    exact = context.check("/v1/graph?exact=true&" + whole)
    assert exact["relativeError"] == 0 and len(exact["edges"]) == len(graph)
    for edge in exact["edges"]:
        kept = graph[edge["client"], edge["server"], edge["connectionType"]]
        assert (edge["calls"], edge["errors"]) == (kept["calls"], kept["errors"]), (edge, kept)
        for side in ("client", "server"):
            latency = edge[side + "Latency"]
            assert all(math.isclose(int(latency[p]), int(kept[side + "Latency"][p]), rel_tol=0.012, abs_tol=1) for p in latency or {}), (edge, kept)
            asked = {"client": edge["client"], "server": edge["server"], "connectionType": edge["connectionType"] or "direct", "side": side}
            cells = context.check("/v1/heatmap?steps=5&" + urllib.parse.urlencode(asked) + "&" + whole)["cells"]
            assert bool(cells) == bool(latency) and sum(cell[2] for cell in cells) <= int(edge["calls"]), edge
        asked = {"client": edge["client"], "server": edge["server"], "connectionType": edge["connectionType"] or "direct", "limit": 3}
        calls = context.check("/v1/graph/calls?traces=100000&" + urllib.parse.urlencode(asked) + "&" + whole)
        assert calls["complete"] and calls["slowest"][0]["traceId"] == edge["exemplarTraceId"], (edge, calls)
        assert bool(calls["failed"]) == (edge["errors"] != "0") and 0 < len(calls["newest"]) <= 3, (edge, calls)
    for edge in context.check("/v1/graph?q=0.5,0.999,1&" + whole)["edges"]:
        for side in ("client", "server"):
            four, asked = edge[side + "Latency"], edge[side + "Quantiles"]
            assert (four is None) == (asked is None)
            assert asked is None or asked["0.5"] == four["p50"] and int(four["p99"]) <= int(asked["0.999"]) <= int(asked["1"])
    assert "clientQuantiles" not in context.check("/v1/graph")["edges"][0]
    for wrong in ("q=2", "q=0.5,0.5", "format=dot&q=0.5", f"step=1m&q=0.5&{hours}"):
        assert context.server.request("http", "GET", f"/v1/graph?{wrong}")[0] == 400, wrong
    same = context.check(f"/v1/graph?compareFrom=2020-01-01T00:00:00Z&compareTo=now%2B1h&{hours}")
    assert {edge["change"] for edge in same["edges"]} == {"same"} and len(same["edges"]) == len(graph)
    rows = context.check("/v1/latency?q=0.5")["series"]
    steps = context.check(f"/v1/latency?q=0.5&step=1m&by=operation&{hours}")["series"]
    assert [(row["operation"], int(row["calls"])) for row in rows] == [(row["operation"], sum(map(int, row["calls"]))) for row in steps]
    page = context.check(f"/v1/latency?q=0.5&order=-calls&limit=5&offset=2&buckets=true&compareFrom=2020-01-01T00:00:00Z&compareTo=now%2B1h&{hours}")
    calls = sorted((int(row["calls"]) for row in rows), reverse=True)
    assert page["rowCount"] == len(rows) and [int(row["calls"]) for row in page["series"]] == calls[2:7]
    for row in page["series"]:
        assert row["change"] == "same" and row["before"]["calls"] == row["calls"] == str(sum(int(n) for _, _, n in row["buckets"]))
    assert context.check(f"/v1/latency?step=1m&order=-calls&limit=5&{hours}")["rowCount"] == len(rows)
    assert context.check("/v1/latency?contains=no+such+operation")["rowCount"] == 0
    by_service = context.check("/v1/latency?by=service")["series"]
    by_fields = context.check("/v1/latency?q=0.5&by=service,kind,resource.service.name&exact=1")
    assert by_fields["relativeError"] == 0 and by_fields["series"]
    assert sum(int(row["calls"]) for row in by_fields["series"]) == sum(int(row["calls"]) for row in rows)
    context.check(f"/v1/latency?q=0.5&by=service,kind&step=1m&{hours}")
    context.check(f"/v1/latency?exact=true&step=1m&{hours}")
    assert sum(int(row["calls"]) for row in by_service) == sum(int(row["calls"]) for row in rows)
    failed, passed = "%7Bstatus%3Derror%7D", "%7Bstatus%21%3Derror%7D"
    sides = "&".join(f"{name}={status['oldestUnixNano'] if name.endswith('From') else 'now%2B1h'}" for name in ("aFrom", "aTo", "bFrom", "bTo"))
    differences = context.check(f"/v1/compare?a={passed}&b={failed}&traces=100000&limit=1000&nodes=500&{sides}&{whole}")
    assert len(differences["tree"]["nodes"]) + differences["tree"]["leftOutNodes"] == differences["calls"]["paths"]
    system = context.check("/v1/system")
    assert system["store"]["spanCount"] == status["spanCount"] and system["queries"]["slowest"] and not system["queries"]["mayCancel"]
    assert {"name": "http", "value": "127.0.0.1:0", "origin": "flag", "masked": False} in system["settings"]
    context.change("DELETE", "/v1/queries/1", 403)
    # Nothing comes in meanwhile: what is remembered from now on is what is counted now.
    counters = {(row["name"], row["labels"]): row for row in context.check("/v1/system")["counters"]}
    history = until_read(context, system["nowUnixNano"])
    assert history["startedAtUnixNano"] == system["startedAtUnixNano"] and len(history["series"]) > 8
    for row in history["series"]:
        counter = counters[row["name"], row["labels"]]
        assert row["counts"] == counter["counts"] and row["values"] == [counter["value"]] * len(history["atUnixNano"]), row
    past = context.check("/v1/system/history")
    assert past["atUnixNano"] == sorted(past["atUnixNano"], key=int) and int(past["nowUnixNano"]) > int(past["atUnixNano"][-1])
    assert int(past["startedAtUnixNano"]) < int(past["atUnixNano"][0]) and all(row["values"][0] == "0" for row in past["series"])
    quality = context.check(f"/v1/quality?traces=100000&{whole}")
    assert quality["complete"] and int(quality["spans"]) >= int(status["spanCount"])
    assert differences["attributes"]["tested"] > 10 and differences["calls"]["selfTime"]["tested"] > 5
    for row in differences["attributes"]["rows"]:
        assert abs(row["bShare"] - row["aShare"] - row["difference"]) < 1e-12 and row["pValue"] <= row["qValue"] + 1e-12
    ids = [trace["traceId"] for trace in context.search(order="-spans", limit=2)["traces"]]
    pair = context.check(f"/v1/compare/traces?a={ids[0]}&b={ids[1]}")
    for side in ("a", "b"):
        assert sum(node[side]["calls"] for node in pair["nodes"] if node[side]) + pair["duplicates"] >= pair[side]["spanCount"]
    sums = context.check(f"/v1/critical-path?q={{}}&by=service&scope=trace&quantiles=0.5,0.99&traces=100000&limit=1000&{whole}")
    assert sums["complete"] and sums["paths"] + sum(row["count"] for row in sums["leftOut"]) == sums["matchedTraces"]
    for band in range(3):
        assert abs(sum(node["shares"][band]["selfShare"] for node in sums["nodes"]) - 1) < 1e-9
    by_service = urllib.parse.quote("{} | count_over_time() by (resource.service.name)")
    counted = context.check(f"/v1/metrics/query?q={by_service}&exact=true&exemplars=true&{whole}")
    assert counted["exact"] and {series["labels"][0]["value"]: str(series["points"][0][1]) for series in counted["series"]} == {
        service["name"]: service["spanCount"] for service in services}
    compared = context.check("/v1/metrics/query?q=" + urllib.parse.quote("{} | compare({ status = error }, 1000)") + f"&{whole}")["series"]
    total = {series["labels"][0]["value"]: series["points"][0][1] for series in compared if series["labels"][1]["key"] == "kind"
             and series["labels"][0]["value"].endswith("_total")}
    assert total["selection_total"] == sum(int(service["errorCount"]) for service in services)
    assert total["selection_total"] + total["baseline_total"] == int(status["spanCount"])
    trace_id = context.search("{ status = error }", limit=1)["traces"][0]["traceId"]
    ranks = context.check(f"/v1/traces/{trace_id}/percentiles?{whole}")["rows"]
    columns = context.check(f"/v1/traces/{trace_id}?view=columns")
    assert len(ranks) == columns["spanCount"] and all(0 <= rank["shorter"] < rank["notLonger"] <= 1 for rank in ranks)
    assert context.check(f"/v1/traces/{trace_id}/percentiles?rows=0&skew=raw&{whole}")["rows"] == ranks[:1]
    assert context.check(f"/v1/traces/{trace_id}?view=summary")["spanCount"] == columns["spanCount"]
    assert context.check(f"/v1/traces/{trace_id}/match")["matchCount"] == columns["spanCount"]
    assert context.check(f"/v1/traces/{trace_id}/match?q=%7Bstatus%3Derror%7D&skew=adjust&{whole}")["matchCount"] == columns["errorCount"]
    assert context.check(f"/v1/traces/{trace_id}/attributes?skew=adjust&{whole}")["complete"] is True
    keys = context.check(f"/v1/traces/{trace_id}/attributes")["attributes"]
    for key in keys:
        column = context.check(f"/v1/traces/{trace_id}/attributes?" + urllib.parse.urlencode({"key": key["key"], "scope": key["scope"]}))["column"]
        assert len(column) == columns["spanCount"] and sum(code >= 0 for code in column) == key["spanCount"]
    heatmap = context.check(f"/v1/heatmap?q=%7B%7D&steps=10&rows=20&{whole}")
    assert sum(cell[2] for cell in heatmap["cells"]) == int(status["spanCount"])
    assert sum(cell[3] for cell in heatmap["cells"]) == sum(int(service["errorCount"]) for service in services)
    assert len(heatmap["bounds"]) <= 21 and len(heatmap["steps"]) <= 10
    hinted = context.check("/v1/heatmap?" + urllib.parse.urlencode({"q": "{ } with (most_recent = true)", "steps": 10, "rows": 20}) + f"&{whole}")
    assert hinted["cells"] == heatmap["cells"]
    facets = context.check(f"/v1/facets?q=%7B%7D&keys=service,span.http.route&limit=1000&{whole}")["facets"]
    by_key = {facet["key"]: {value["value"]: value["count"] for value in facet["values"]} for facet in facets}
    assert by_key["service"] == {service["name"]: service["spanCount"] for service in services}
    differs = context.check("/v1/facets?selection=%7Bstatus=error%7D&selectionFrom=2020-01-01T00:00:00Z&selectionTo=now%2B1h")
    assert int(differs["selected"]) == sum(int(service["errorCount"]) for service in services) and differs["facets"][0]["score"] > 0.5
    quantiles = urllib.parse.quote("{} | quantile_over_time(duration, .5, .99) by (name, span.no.such)")
    steps = context.check(f"/v1/metrics/query_range?q={quantiles}&step=10m&exact=false&exemplars=true&{whole}")
    assert steps["series"] and not steps["exact"] and steps["relativeError"] < 0.02 and all(s["exemplars"] for s in steps["series"])
    for path in ("/healthz", "/readyz"):
        assert context.check(path).strip() == b"ok"
    assert context.check("/metrics").endswith(b"# EOF\n")


def test_searches_are_what_the_document_says(context):
    page = context.search("{ status = error }", limit=5, order="-duration", **{"from": "2020-01-01T00:00:00Z", "to": "now+1h"})
    assert page["cursor"] and len(page["traces"]) == 5 and page["complete"] is True
    context.search("{ status = error }", limit=5, order="-duration", cursor=page["cursor"],
                   **{"from": "2020-01-01T00:00:00Z", "to": "now+1h"})
    counted = context.check("/v1/search?" + urllib.parse.urlencode({"q": "{ status = error }", "limit": 1, "count": "all"}))
    assert counted["complete"] is True and counted["matchedTraces"] >= len(page["traces"])
    for trace in page["traces"]:
        assert trace["errorCount"] > 0 and trace["matchedSpanCount"] > 0
        assert all(span["status"] == "error" for span in trace["matchedSpans"])


def test_searches_line_by_line_say_what_whole_answers_say(context):
    for query in ("{}", "{ status = error }", "{} >> { kind = client }", "{ name = \"no such\" }"):
        for order in ORDERS:
            for limit in (3, 1000):
                path = "/v1/search?" + urllib.parse.urlencode({"q": query, "order": order, "limit": limit, "explain": "true"})
                for _ in range(3):  # a seal or a merge between the two changes what has to be read
                    whole, lines = context.check(path), context.lines(path)
                    done = lines[-1]["done"]
                    if done["scanned"] == whole["scanned"]:
                        break
                assert [line["trace"] for line in lines if "trace" in line] == whole["traces"], path
                for answer in (whole, done):
                    del answer["tookMs"], answer["explain"]["countMs"]
                assert {"traces": whole["traces"], **done} == whole, path


class Listener:
    """A connection to /v1/live; lines() yields what comes, each checked against the document."""

    def __init__(self, context, query="{}"):
        self.context = context
        self.connection = http.client.HTTPConnection(*context.server.address("http"), timeout=60)
        self.connection.request("GET", "/v1/live?" + urllib.parse.urlencode({"q": query, "spss": 1}))
        self.reply = self.connection.getresponse()

    def lines(self):
        said = self.context.document.operation("/v1/live")["responses"]["200"]["content"]["application/x-ndjson"]["schema"]
        while text := self.reply.readline():
            line = json.loads(text)
            for error in self.context.document.errors(line, said):
                raise AssertionError(f"{error}: {text[:500]!r}")
            yield line

    def close(self):
        self.reply.close()
        self.connection.close()


def test_live_sends_traces_as_they_come_in_and_ends_with_the_server(context):
    context.used |= {("/v1/live", "get", name) for name in (None, "q", "spss")}
    with spoor.Spoor(context.server.binary) as server:
        own = Context(server)
        listener = Listener(own, '{ name = "wanted" }')
        assert listener.reply.status == 200 and listener.reply.getheader("content-type") == "application/x-ndjson"
        lines = listener.lines()
        assert "live" in next(lines)  # nothing is stored, and it says that it is there
        now = time.time_ns()
        for trace, name, start in ((b"other", "other", now), (b"wanted", "wanted", now), (b"late", "wanted", now - 3600 * 10**9)):
            span = spoor.span_message(trace.ljust(16), b"12345678", name, start, start + 10**6)
            assert server.export(spoor.request_message([span]))[0] == 200
            if name == "wanted":  # whenever it started
                found = next(line for line in lines if "trace" in line)["trace"]
                assert (found["traceId"], found["rootTraceName"], found["matchedSpanCount"]) == (trace.ljust(16).hex(), "wanted", 1)
        said = next(line for line in lines if "live" in line)["live"]
        assert (said["complete"], said["waiting"], said["skipped"], said["unseenRequests"]) == (True, 0, 0, 0), said
        others = [Listener(own) for _ in range(15)]
        assert all(other.reply.status == 200 for other in others)
        refused = Listener(own)
        assert refused.reply.status == 503 and refused.reply.getheader("retry-after") == "1"
        refused.close()
        others.pop().close()
        for _ in range(600):  # the line that is sent next shows that it has gone
            again = Listener(own)
            if again.reply.status == 200:
                break
            again.close()
            time.sleep(0.1)
        assert again.reply.status == 200
        server.stop()
        assert list(lines)[-1] == {"done": {"reason": "draining"}}
        for one in (listener, again, *others):
            one.close()


def test_traces_are_what_the_document_says(context):
    status = context.check("/v1/status")
    for trace in context.search(order="-spans", limit=20)["traces"]:
        path = f"/v1/traces/{trace['traceId']}"
        assert len(otlp_spans(context.check(path))) == trace["spanCount"]
        columns = context.check(f"{path}?view=columns&from={status['oldestUnixNano']}&to=now%2B1h")
        assert columns["spanCount"] == trace["spanCount"]
        context.check(f"{path}/spans?rows=0&skew=adjust&from={status['oldestUnixNano']}&to=now%2B1h")
        assert context.check(f"{path}?view=columns&skew=adjust")["clockSkew"]["adjusted"] is True
        for media_type in ("application/x-protobuf", "application/protobuf"):
            assert context.check(path, {"accept": media_type})
        assert context.check(path.upper().replace("/V1/TRACES", "/v1/traces"))


def test_backups_are_what_the_document_says(context):
    assert context.check("/v1/backups")["backups"] == []
    made = context.change("POST", "/v1/backups", 201, b"{}")
    assert context.check("/v1/backups")["backups"] == [made]
    context.change("DELETE", f"/v1/backups/{made['name']}", 204)
    assert context.check("/v1/backups")["backups"] == []


def test_pins_are_what_the_document_says(context):
    trace = context.search(limit=1)["traces"][0]["traceId"]
    assert context.check("/v1/pins") == {"pins": [], "pinsMax": "100", "segments": "0", "segmentBytes": "0"}
    for _ in range(2):
        context.change("PUT", f"/v1/pins/{trace}", 204)
    pinned = context.check("/v1/pins")["pins"]
    assert [p["traceId"] for p in pinned] == [trace]
    for method, path, status in (("PUT", "/v1/pins/" + "ab" * 16, 404), ("DELETE", "/v1/pins/" + "ab" * 16, 404), ("PUT", "/v1/pins/x", 400), ("DELETE", "/v1/pins/x", 400)):
        context.change(method, path, status)
    context.change("PUT", f"/v1/pins/{trace}", 400, b"{}")
    context.change("DELETE", f"/v1/pins/{trace}", 204)
    assert context.check("/v1/pins")["pins"] == []


def test_links_are_what_the_document_says(context):
    assert context.check("/v1/links") == {"links": [], "bytes": "0", "linksMax": "4096", "bytesMax": str(16 << 20)}
    state = "q=%7B%20name%20%3D%20%22a%22%20%7D&from=now-1h" + "&x=" + "y" * 20000
    body = json.dumps({"state": state}).encode()
    made = context.change("POST", "/v1/links", 201, body)
    assert context.change("POST", "/v1/links", 201, body) == made
    assert context.check(f"/v1/links/{made['id']}") == context.check(f"/v1/links/{made['id'].upper()}") == {"state": state}
    [kept] = context.check("/v1/links")["links"]
    assert (kept["id"], kept["bytes"]) == (made["id"], str(len(state)))
    for refused, status in ((b"", 400), (b"{}", 400), (b'{"state": 1}', 400), (b'{"state": ""}', 400), (b'{"state": "a b"}', 400), (b'{"state": "<b>"}', 400), (b'{"state": "a", "b": 1}', 400),
                            (b'{"state": "a"} x', 400), (b'{"state": "\\u0000"}', 400), ('{"state": "\u00e4"}'.encode(), 400), (json.dumps({"state": "a" * 65537}).encode(), 413), (b" " * 140000, 413)):
        context.change("POST", "/v1/links", status, refused)
    for method, path, status in (("DELETE", "/v1/links/x", 400), ("DELETE", "/v1/links/" + "ab" * 8, 404), ("DELETE", f"/v1/links/{made['id']}", 204)):
        context.change(method, path, status)
    context.problem(f"/v1/links/{made['id']}", 404)
    context.problem("/v1/links/x", 400, parameter="id")
    assert context.check("/v1/links")["links"] == []


def test_sets_of_spans_are_shown(context):
    for query in ("{} && {}", "{} >> {}", "{ kind = server } &>> { kind = client }", "{} | count() > 2", "{} | by(name)", "{} !< {}",
                  "{} | by(service) | avg(duration) > 0 | select(span.http.route, resource.service.name, kind, duration, event:name)",
                  "({ status = error } | count()) >= 0", "{} with (most_recent = true)"):
        answer = context.check("/v1/search?" + urllib.parse.urlencode({"q": query, "spss": 5, "limit": 5}))
        assert answer["traces"], query
        for trace in answer["traces"]:
            assert trace["spanSets"] and trace["spanSetCount"] >= len(trace["spanSets"]), query
            assert sum(s["matched"] for s in trace["spanSets"]) <= trace["matchedSpanCount"], query
            assert all(len(s["spans"]) == min(5, s["matched"]) for s in trace["spanSets"]), query


def test_searches_explain_themselves(context):
    for query in ("{ service = \"nobody\" && status = error } >> { kind = client }", "{ rootName = \"x\" }", "", "{ .a =~ \"b\" } without {} within 1s"):
        answer = context.check("/v1/search?" + urllib.parse.urlencode({"q": query, "explain": "true"}))
        assert answer["explain"]["clauses"] or not query, answer["explain"]
    for path, query in (("metrics/query", '{ kind = server && rootName != nil } | rate() by (name)'), ("metrics/query_range", "({ status = error } | rate()) / ({ } | rate())"),
                        ("metrics/query", "{ } | compare({ status = error })"), ("heatmap", "{ status = error } >> { duration > 1ms }"), ("facets", "{ duration > 1ms }")):
        answer = context.check(f"/v1/{path}?" + urllib.parse.urlencode({"q": query, "explain": "true"}))
        rows = sum(int(p["scanned"]["rows"]) for p in answer["explain"]["passes"])
        assert answer["explain"]["clauses"] and rows == int(answer["scanned"]["rows"]), answer["explain"]
    for order in ("-count()", "max(duration)"):
        answer = context.check("/v1/search?" + urllib.parse.urlencode({"order": order, "limit": 5}))
        assert all(t["orderValue"] for t in answer["traces"]), order


def test_completion_of_a_query_agrees_with_metrics(context):
    for query in ("{ status = error }", '{ service = "gateway" && kind = server }', "{ status = error } >> { }"):
        for scope, key, field in (("span", "http.route", "span.http.route"), ("resource", "service.name", "resource.service.name"),
                                  ("intrinsic", "name", "name"), ("intrinsic", "statusMessage", "statusMessage"),
                                  ("intrinsic", "rootName", "rootName"), ("span", "http.response.status_code", "span.http.response.status_code")):
            found = context.check("/v1/attributes?" + urllib.parse.urlencode({"scope": scope, "key": key, "q": query, "limit": 10000}))
            counted = context.check("/v1/metrics/query?" + urllib.parse.urlencode({"q": f"{query} | count_over_time() by ({field})"}))
            expected = {series["labels"][0]["value"]: str(series["points"][0][1]) for series in counted["series"]
                        if series["labels"][0]["value"] and series["points"][0][1]}
            values = {value["value"]: value["count"] for value in found["values"]}
            if found["complete"]:
                assert values == expected, (query, key)
            else:  # a busy machine: there was no time for all
                assert all(int(values[value]) <= int(expected[value]) for value in values), (query, key)
        every = context.check("/v1/attributes?" + urllib.parse.urlencode({"q": query, "limit": 10000}))
        stored = {(a["scope"], a["key"], a["type"]): int(a["spanCount"]) for a in context.check("/v1/attributes?limit=10000")["attributes"]}
        assert all(int(a["spanCount"]) <= stored[a["scope"], a["key"], a["type"]] for a in every["attributes"]), query


def test_every_path_and_parameter_of_the_document_was_used(context):
    for path, method in context.document.operations():
        wanted = {None} | {p["name"] for p in context.document.operation(path, method)["parameters"] if p["in"] == "query"}
        missing = {name for name in wanted if (path, method, name) not in context.used}
        assert not missing, f"{method} {path}: {missing} were never asked for"


def test_redirects_lead_to_the_pages(context):
    has_pages = context.get("/")[0] == 200  # a build with -Dui=none has none; links of others still say where they lead
    pages = (("/map", "/map/"), ("/trace", "/trace/")) if has_pages else ()
    for path, target in (("/trace/" + "0" * 28 + "ABCD", "/trace/?id=" + "0" * 28 + "abcd"), *pages):
        status, headers, _ = context.get(path)
        assert (status, headers["location"]) == (302, target)
    assert has_pages or context.get("/map")[0] == 404


def test_large_answers_are_packed_when_asked_for(context):
    plain = context.get("/v1/search?limit=100")
    packed = context.get("/v1/search?limit=100", {"accept-encoding": "gzip"})
    assert "content-encoding" not in plain[1] and packed[1]["content-encoding"] == "gzip"
    # What a client unpacks is as long as the header says: progress can be shown of it.
    assert packed[1]["spoor-body-bytes"] == str(len(gzip.decompress(packed[2]))) and "spoor-body-bytes" not in plain[1]
    assert "accept-encoding" in plain[1]["vary"] and len(packed[2]) < len(plain[2]) / 2
    assert json.loads(gzip.decompress(packed[2]))["traces"] == json.loads(plain[2])["traces"]


# ---- answers agree with one another ----

def test_pages_of_every_order_hold_every_trace_once_and_sorted(context):
    count = int(context.check("/v1/status")["traceCount"])
    keys = {"start": lambda t: int(t["startTimeUnixNano"]), "duration": lambda t: int(t["durationNano"]),
            "spans": lambda t: t["spanCount"], "errors": lambda t: t["errorCount"]}
    for order in ORDERS:
        traces = context.search_all(order=order, limit=97)
        assert len({trace["traceId"] for trace in traces}) == len(traces) == count, order
        sign = -1 if order.startswith("-") else 1
        places = [(sign * keys[order.lstrip("-")](trace), trace["traceId"]) for trace in traces]
        assert places == sorted(places), order


def attributes_of(group):
    return {a["key"]: a["value"] for a in group.get("attributes", [])}


def test_searches_find_what_a_pass_over_all_traces_finds(context):
    found = {name: set() for name in ("cart errors", "slow", "500", "get")}
    for trace in context.search_all(limit=500):
        data = context.check(f"/v1/traces/{trace['traceId']}")
        for group in data["resourceSpans"]:
            service = attributes_of(group["resource"]).get("service.name", {}).get("stringValue")
            for span in (span for scope in group["scopeSpans"] for span in scope["spans"]):
                attributes = attributes_of(span)
                duration = int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])
                status = attributes.get("http.response.status_code", attributes.get("http.status_code", {})).get("intValue")
                if span.get("status", {}).get("code") == 2 and service != "gateway":
                    found["cart errors"].add(trace["traceId"])
                if duration > 250000000 and span.get("kind") == 2:
                    found["slow"].add(trace["traceId"])
                if status is not None and int(status) >= 500:
                    found["500"].add(trace["traceId"])
                if span["name"].startswith("GET"):
                    found["get"].add(trace["traceId"])
    for name, query in (("cart errors", '{ status = error && service != "gateway" }'), ("slow", "{ duration > 250ms && kind = server }"),
                        ("500", "{ .http.response.status_code >= 500 || .http.status_code >= 500 }"), ("get", '{ name =~ "GET.*" }')):
        traces = {trace["traceId"] for trace in context.search_all(query, limit=100)}
        assert traces == found[name], f"{query}: {len(traces)} traces, expected {len(found[name])}"
    assert found["get"] and found["slow"]


def test_columns_agree_with_the_spans(context):
    for trace in context.search(order="-spans", limit=15)["traces"] + context.search("{ nestedSetParent = 0 }", limit=15)["traces"]:
        path = f"/v1/traces/{trace['traceId']}"
        spans = otlp_spans(context.check(path))
        c = context.check(path + "?view=columns")
        columns, count = c["columns"], c["spanCount"]
        assert all(len(column) == count for column in columns.values()) and len(c["spanIds"]) == 16 * count
        ids = [c["spanIds"][16 * i:16 * i + 16] for i in range(count)]
        assert sorted(ids) == sorted(span["spanId"] for span in spans)
        by_id = {span["spanId"]: span for span in spans}
        orphans = {entry["row"]: entry["parentSpanId"] for entry in c["missingParents"]}
        assert len(orphans) == c["orphanCount"]
        for row in range(count):
            span, parent = by_id[ids[row]], columns["parent"][row]
            assert columns["start"][row] + int(c["startTimeUnixNano"]) == int(span["startTimeUnixNano"])
            assert columns["duration"][row] == max(0, int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]))
            assert c["operations"][columns["operation"][row]] == span["name"]
            assert 0 <= columns["self"][row] <= columns["duration"][row]
            assert bool(columns["flags"][row] & 1) == (span.get("status", {}).get("code") == 2)
            if parent >= 0:
                assert parent < row < parent + columns["subtreeSize"][parent] and columns["depth"][row] == columns["depth"][parent] + 1
                assert span["parentSpanId"] == ids[parent]
            else:
                assert columns["depth"][row] == 0 and bool(columns["flags"][row] & 16) == (row in orphans)
                assert span.get("parentSpanId", "") == orphans.get(row, "")
        ends = [0] + [segment["end"] for segment in c["criticalPath"]]
        assert all(s["start"] >= end and s["end"] > s["start"] for s, end in zip(c["criticalPath"], ends))
        rows = context.check(f"{path}/spans?rows={count - 1},0-{min(count, 100) - 1}")["spans"]
        assert [entry["row"] for entry in rows] == [count - 1, *range(min(count, 100))]
        assert all(entry["span"] == by_id[ids[entry["row"]]] for entry in rows)


def graph_texts(context, more=""):
    texts = {name: context.check(f"/v1/graph?format={name}{more}") for name in ("json", "dot", "graphml", "csv", "mermaid")}
    return texts | {"nodes": context.check(f"/v1/graph?format=csv&rows=nodes{more}")}


def check_formats_agree(texts):
    graph = texts["json"]
    edges = {(e["client"], e["server"], e["connectionType"]): (int(e["calls"]), int(e["errors"])) for e in graph["edges"]}
    assert len(edges) == len(graph["edges"])
    rows = list(csv.DictReader(io.StringIO(texts["csv"].decode(), newline="")))
    plain = lambda cell: cell[1:] if cell[:1] == "'" else cell  # noqa: E731 - the apostrophe in front of formulas
    assert {(plain(r["client"]), plain(r["server"]), r["connection_type"]): (int(r["calls"]), int(r["errors"])) for r in rows} == edges
    nodes = list(csv.DictReader(io.StringIO(texts["nodes"].decode(), newline="")))
    assert [(plain(r["service"]), r["type"], int(r["calls"]), int(r["errors"])) for r in nodes] == \
        [(n["service"], n["type"], int(n["calls"]), int(n["errors"])) for n in graph["nodes"]]
    root = xml.etree.ElementTree.fromstring(texts["graphml"])
    space = "{http://graphml.graphdrawing.org/xmlns}"
    data = lambda node: {d.get("key"): d.text or "" for d in node.findall(space + "data")}  # noqa: E731
    names = {node.get("id"): data(node)["service"] for node in root.iter(space + "node")}
    assert sorted(names.values()) == sorted(node["service"] for node in graph["nodes"])
    assert {(names[e.get("source")], names[e.get("target")], data(e)["connectionType"]): (int(data(e)["calls"]), int(data(e)["errors"]))
            for e in root.iter(space + "edge")} == edges
    mermaid = texts["mermaid"].decode().splitlines()
    assert mermaid[0] == "flowchart LR" and sum("-->" in line or "-.->" in line for line in mermaid) == len(edges)
    assert texts["dot"].startswith(b"digraph") and texts["dot"].count(b" -> ") == len(edges)
    if shutil.which("dot"):
        parsed = json.loads(subprocess.run(["dot", "-Tdot_json"], input=texts["dot"], capture_output=True, check=True).stdout)
        assert len(parsed.get("objects", [])) == len(graph["nodes"]) and len(parsed.get("edges", [])) == len(edges)


def test_graph_formats_hold_the_same_graph(context):
    texts = graph_texts(context)
    assert texts["json"]["edges"]
    check_formats_agree(texts)
    assert graph_texts(context) == texts, "the same question gives the same bytes"
    name = texts["json"]["edges"][0]["client"]
    check_formats_agree(graph_texts(context, f"&service={urllib.parse.quote(name)}&hops=1"))
    check_formats_agree(graph_texts(context, "&service=nobody"))


def test_graph_documents_tell_their_range_and_their_focus(context):
    """An end that nobody asked for is that of the spans which are there."""
    minute = 60 * 10**9
    starts = [int(trace["startTimeUnixNano"]) for trace in context.search_all(limit=500)]
    name = context.check("/v1/graph")["edges"][0]["client"]
    for more, service, hops in (("", None, None), (f"&service={urllib.parse.quote(name)}&hops=2", name, 2)):
        texts = graph_texts(context, more)
        graph = texts["json"]
        first, last = int(graph["from"]), int(graph["to"])
        assert first == min(starts) // minute * minute and last % minute == 0 and last - minute >= max(starts) // minute * minute
        assert (graph["service"], graph["hops"]) == (service, hops)
        shown = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(first // 10**9)).encode()
        assert all(shown in texts[name] for name in ("dot", "graphml", "csv", "nodes", "mermaid")), (shown, texts)
    asked = context.check("/v1/graph?from=2026-01-01T00:00:00Z")
    assert asked["from"] == str(1767225600 * 10**9) and int(asked["to"]) >= last
    assert context.server.request("http", "GET", "/v1/graph?format=dot&rows=nodes")[0] == 400


def test_latency_lies_between_the_fastest_and_the_slowest(context):
    for series in context.check("/v1/latency?q=0,0.5,0.99,1")["series"]:
        values = [int(series["quantiles"][q]) for q in ("0", "0.5", "0.99", "1")]
        assert values == sorted(values) and int(series["calls"]) > 0


# ---- what changes what is stored comes last ----

def test_hostile_names_break_no_format(context):
    spans = [spoor.span_message(b"\x01" * 16, b"\x02" * 8, name=HOSTILE, kind=3),
             spoor.span_message(b"\x01" * 16, b"\x03" * 8, name=HOSTILE, kind=2, parent=b"\x02" * 8)]
    for span, service in zip(spans, (HOSTILE, "-" + HOSTILE)):
        assert context.server.export(spoor.request_message([span], service))[0] == 200
    texts = graph_texts(context)
    assert any(node["service"] == HOSTILE for node in texts["json"]["nodes"])
    check_formats_agree(texts)
    found = context.search("{ service = " + json.dumps(HOSTILE, ensure_ascii=False) + " }")
    assert [trace["traceId"] for trace in found["traces"]] == ["01" * 16]


def test_links_across_traces_are_edges_when_asked_for(context):
    """Two messages of two traces, taken at once by a consumer of a third; and links that are none of that."""
    start, count = time.time_ns(), int(context.check("/v1/graph?links=true")["links"]["seen"])
    trace, span = (lambda n: bytes([0xA1] * 15 + [n])), (lambda n: bytes([0xA1] * 7 + [n]))
    for n in (1, 2):
        producer = spoor.span_message(trace(n), span(n), kind=4, start=start + n, end=start + n + 5_000_000)
        assert context.server.export(spoor.request_message([producer], "sender"))[0] == 200
    links = [(trace(1), span(1)), (trace(2), span(2)), (trace(2), span(2)), (trace(3), span(3)), (trace(9), span(9))]
    extra = b"".join(spoor.field_bytes(13, spoor.field_bytes(1, t) + spoor.field_bytes(2, s)) for t, s in links)
    consumer = spoor.span_message(trace(3), span(3), kind=5, start=start + 10**7, end=start + 2 * 10**7, extra=extra)
    assert context.server.export(spoor.request_message([consumer], "taker"))[0] == 200
    texts = graph_texts(context, "&links=true")
    check_formats_agree(texts)
    graph = texts["json"]
    edge, = [e for e in graph["edges"] if e["connectionType"] == "messaging_link" and e["client"] == "sender"]
    assert (edge["server"], edge["calls"], edge["errors"], edge["exemplarTraceId"]) == ("taker", "2", "0", trace(3).hex())
    assert int(graph["links"]["seen"]) == count + 4 and graph["links"]["complete"], graph["links"]
    calls = context.check("/v1/graph/calls?client=sender&server=taker&connectionType=messaging_link")
    assert [(call["traceId"], call["spanId"]) for call in calls["slowest"]] == [(trace(3).hex(), span(3).hex())], calls
    assert all(b"links_seen" in texts[name] for name in ("dot", "graphml", "csv", "nodes", "mermaid"))
    assert context.lines("/v1/graph?links=true")[-1]["graph"]["edges"] == graph["edges"]
    plain = context.check("/v1/graph")
    assert "links" not in plain and plain["edges"] == [e for e in graph["edges"] if e["connectionType"] != "messaging_link"]
    series = context.check("/v1/graph?links=1&step=1m&from=now-10m&to=now%2B2m")
    calls, = [e["calls"] for e in series["edges"] if e["connectionType"] == "messaging_link" and e["client"] == "sender"]
    assert sum(map(int, calls)) == 2 and series["links"]["complete"]
    change = context.check("/v1/graph?links=1&from=now-10m&to=now%2B2m&compareFrom=2020-01-01T00:00:00Z&compareTo=2020-01-02T00:00:00Z")
    assert "new" in [e["change"] for e in change["edges"] if e["connectionType"] == "messaging_link"]
    assert change["compareLinks"]["seen"] == "0"
    context.problem("/v1/graph?links=yes", 400, parameter="links")


def test_cursors_stay_valid_while_data_comes_in(context):
    before = [trace["traceId"] for trace in context.search_all(limit=500)]
    first = context.search(limit=10)
    start = time.time_ns()
    for i in range(20):
        span = spoor.span_message(bytes([7] * 15 + [i + 1]), b"\x01" * 8, start=start + i)
        assert context.server.export(spoor.request_message([span]))[0] == 200
    rest, cursor = [], first["cursor"]
    while cursor:
        page = context.search(limit=100, cursor=cursor)
        rest += [trace["traceId"] for trace in page["traces"]]
        cursor = page["cursor"]
    assert [trace["traceId"] for trace in first["traces"]] + rest == before
    assert len(context.search_all(limit=500)) == len(before) + 20


def test_too_many_queries_are_sent_away_and_the_others_answered(context):
    spans = [spoor.span_message(b"\x09" * 16, (i + 1).to_bytes(8, "big"), parent=(i + 1).to_bytes(8, "big") if i else b"")
             for i in range(12000)]
    assert context.server.export(spoor.request_message(spans))[0] == 200
    path, replies = "/v1/traces/" + "09" * 16 + "?view=columns", []
    threads = [threading.Thread(target=lambda: replies.append(context.get(path))) for _ in range(200)]
    for thread in threads:
        thread.start()
    context.check("/v1/status")  # needs no query thread
    context.check("/metrics")
    for thread in threads:
        thread.join()
    statuses = collections.Counter(status for status, _, _ in replies)
    assert set(statuses) == {200, 503} and statuses[200] >= 64, statuses  # as many may wait
    for status, headers, body in replies:
        if status == 503:
            assert headers["retry-after"] == "1" and json.loads(body)["status"] == 503, (headers, body)
        else:
            assert b'"spanCount":%d,' % len(spans) in body[:500]
    context.check(path)


if __name__ == "__main__":
    tap.main(globals(), make_context)
