#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the read API refuses: each with the problem document that docs/openapi.json has for its path, which names what is wrong."""
import json
import urllib.parse

import spoor
import tap
from context import Context, make_context


def test_bad_requests_are_named(context):
    trace = context.search(limit=1)["traces"][0]["traceId"]
    cursor = context.search(limit=1)["cursor"]
    for path, status, members in (
            ("/v1/services?form=now", 400, {"parameter": "form", "detail": "from, to"}),
            ("/v1/services?from=yesterday", 400, {"parameter": "from"}),
            ("/v1/services?from=now&from=now", 400, {"parameter": "from", "detail": "more than once"}),
            ("/v1/services?from=now&to=now-1h", 400, {"parameter": "to"}),
            ("/v1/services?from=%zz", 400, {}),
            ("/v1/services?from=%ff", 400, {}),
            ("/v1/status?verbose=1", 400, {"parameter": "verbose"}),
            ("/v1/attributes?scope=spam", 400, {"parameter": "scope", "detail": "instrumentation"}),
            ("/v1/attributes?scope=intrinsic&key=colour", 400, {"parameter": "key"}),
            ("/v1/attributes?limit=0", 400, {"parameter": "limit"}),
            ("/v1/attributes?limit=many", 400, {"parameter": "limit"}),
            ("/v1/search?limit=1001", 400, {"parameter": "limit", "detail": "between 1 and 1000"}),
            ("/v1/search?limit=-1", 400, {"parameter": "limit"}),
            ("/v1/search?order=random", 400, {"parameter": "order", "detail": "-duration"}),
            ("/v1/search?cursor=AAAA", 400, {"parameter": "cursor"}),
            (f"/v1/search?cursor={cursor}&order=start", 400, {"parameter": "cursor", "detail": "another"}),
            (f"/v1/search?cursor={cursor}&q=%7Bname%3D%22a%22%7D", 400, {"parameter": "cursor"}),
            (f"/v1/search?cursor={cursor[:-2]}xx", 400, {"parameter": "cursor"}),
            ("/v1/traces/xyz", 400, {"parameter": "id"}),
            ("/v1/traces/" + "0" * 32, 400, {"parameter": "id"}),
            ("/v1/traces/" + "a" * 33, 400, {"parameter": "id"}),
            ("/v1/traces/" + "a" * 32, 404, {}),
            ("/v1/traces/" + "a" * 32 + "?view=columns", 404, {}),
            ("/v1/traces/" + "a" * 32 + "/spans?rows=0", 404, {}),
            (f"/v1/traces/{trace}?view=tree", 400, {"parameter": "view"}),
            (f"/v1/traces/{trace}?to=2001-01-01T00:00:00Z", 404, {}),
            (f"/v1/traces/{trace}/spans", 400, {"parameter": "rows"}),
            (f"/v1/traces/{trace}/spans?rows=0-200", 400, {"parameter": "rows"}),
            (f"/v1/traces/{trace}/spans?rows=9999999", 400, {"parameter": "rows"}),
            (f"/v1/traces/{trace}/span", 404, {}),
            ("/v1/graph?format=svg", 400, {"parameter": "format", "detail": "mermaid"}),
            ("/v1/graph?hops=65", 400, {"parameter": "hops"}),
            ("/v1/graph/calls", 400, {"parameter": "server"}),
            ("/v1/latency?q=2", 400, {"parameter": "q"}),
            ("/v1/latency?kind=sever", 400, {"parameter": "kind"}),
            ("/v1", 404, {}), ("/v2/services", 404, {}), ("/v1/services/", 404, {}), ("/v1/traces", 404, {}),
            ("/../etc/passwd", 404, {}), ("/trace/nonsense", 404, {}), ("/api/traces", 404, {})):
        context.problem(path, status, **members)


def bad_values(parameter):
    """What a parameter must refuse, by what the document says of it."""
    kind, description = parameter["schema"], parameter.get("description", "")
    if "enum" in kind:
        return ["no-such"]
    if kind["type"] == "integer":
        bounds = [str(kind[name] + by) for name, by in (("minimum", -1), ("maximum", 1)) if name in kind]
        return ["x", "1.5", *bounds, "9" * 30]
    if "RFC 3339" in description:
        return ["then", "2026-13-01T00:00:00Z", "-1"]
    if "TraceQL" in description:
        return ["{", "{ name = 1 }", "\x01"]
    return {"cursor": ["x", "A" * 200], "order": ["random", "count("], "step": ["0s", "x", "-1m"], "q": ["2", "x"], "quantiles": ["2", "x"],
            "rows": ["x", "1-0", "99999999999"], "keys": ["name,,", "1"], "by": ["1", ","]}.get(parameter["name"], [])


def test_every_parameter_refuses_what_the_document_excludes(context):
    trace = context.search(limit=1)["traces"][0]["traceId"]
    refused = set()
    for path, method in context.document.operations():
        if method != "get" or path in ("/v1/backups", "/v1/pins", "/v1/links"):
            continue
        operation = context.document.operation(path)
        asked = path.replace("{id}", trace)
        context.problem(f"{asked}?nonsense=1", 400, parameter="nonsense")
        for parameter in operation["parameters"]:
            if parameter["in"] != "query":
                continue
            name = parameter["name"]
            context.problem(f"{asked}?{name}=1&{name}=1", 400, parameter=name)
            for value in bad_values(parameter):
                context.problem(f"{asked}?" + urllib.parse.urlencode({name: value}), 400, parameter=name)
                refused.add((path, name))
    for wanted in (("/v1/search", "q"), ("/v1/live", "q"), ("/v1/facets", "selection"), ("/v1/compare", "nodes"), ("/v1/heatmap", "rows"),
                   ("/v1/system/history", "since"), ("/v1/attributes", "q"), ("/v1/latency", "by"), ("/v1/quality", "traces"), ("/v1/graph", "compareFrom")):
        assert wanted in refused, wanted


def test_every_switch_takes_the_same_words(context):
    trace = context.search(limit=1)["traces"][0]["traceId"]
    seen = 0
    for path, method in context.document.operations():
        for parameter in context.document.operation(path)["parameters"] if method == "get" else ():
            if "true" not in parameter["schema"].get("enum", ()):
                continue
            seen += 1
            assert parameter["schema"]["enum"] == ["false", "true", "0", "1"], (path, parameter)
            for value in parameter["schema"]["enum"]:
                status, _, body = context.get(f"{path.replace('{id}', trace)}?" + urllib.parse.urlencode({"q": "", parameter["name"]: value}))
                assert status == 200 or json.loads(body)["parameter"] != parameter["name"], (path, value, body)
            for value in ("True", "yes", "2", "truefalse"):
                context.problem(f"{path.replace('{id}', trace)}?{parameter['name']}={value}", 400, parameter=parameter["name"], detail="true or false")
    assert seen >= 13, seen


def test_cancelling_is_what_the_document_says(context):
    with spoor.Spoor(context.server.binary, args=["--allow-cancel"]) as server:
        own = Context(server)
        for query_id, status in (("1", 404), ("x", 404)):
            code, headers, body = server.request("http", "DELETE", f"/v1/queries/{query_id}")
            said = context.document.operation("/v1/queries/{id}", "delete")["responses"][str(status)]["content"]
            assert code == status and headers["content-type"] in said, (query_id, code, body)
            for error in context.document.errors(json.loads(body), said[headers["content-type"]]["schema"]):
                raise AssertionError(error)
        assert own.check("/v1/system")["queries"]["mayCancel"]


def test_bad_queries_are_pointed_at(context):
    for query, offset in (("{ name = }", 9), ("{ name == 1 }", None), ("{ nmae = 1 }", 2), ("{", 1), ("}", 0), ("{ name = \"a }", None),
                          ("{ name =~ \"(\" }", None), ("{ name > 5 }", None), ("{ duration > 5parsecs }", None), ("name = 1", 0),
                          ("{ " + "(" * 10000 + " }", None), ("{ .a = 1 } trailing", None)):
        problem = context.problem("/v1/search?" + urllib.parse.urlencode({"q": query}), 413 if len(query) > 5000 else 400)
        assert 0 <= problem["offset"] <= len(query), (query, problem)
        assert offset is None or problem["offset"] == offset, (query, problem)
        assert problem["parameter"] == "q", (query, problem)


def test_what_makes_series_is_no_search(context):
    for query, offset in (("{} | rate()", 5), ("{} | rate() with (sample = true)", 5), ("{ status = error } | by(name) | quantile_over_time(duration, .9)", 32)):
        problem = context.problem("/v1/search?" + urllib.parse.urlencode({"q": query}), 400, title="Not a search", parameter="q")
        assert problem["offset"] == offset, (query, problem)


def test_metrics_refuse_hints_that_would_change_the_answer(context):
    for query, offset in (("{} | rate() with (extrapolate = true)", 18), ("{} | rate() with (exact = true, extrapolate = true)", 32),
                          ("{} | rate() with (job_size = 5)", 18)):
        problem = context.problem("/v1/metrics/query?" + urllib.parse.urlencode({"q": query}), 400, parameter="q")
        assert problem["offset"] == offset, (query, problem)
    context.check("/v1/metrics/query?" + urllib.parse.urlencode({"q": "{} | rate() with (sample = 0.1, extrapolate = false)"}))


def test_long_questions_are_refused_and_the_server_goes_on(context):
    status, _, _ = context.get("/v1/search?q=" + "a" * 200000)
    assert status in (400, 413, 414, 431), status
    context.check("/v1/status")


def test_only_get_and_head_are_answered(context):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        status, headers, body = context.get("/v1/services", method=method)
        assert status == 405 and headers["allow"] == "GET, HEAD", (method, status, headers)
        assert json.loads(body)["status"] == 405


def test_head_is_get_without_a_body(context):
    for path in ("/v1/services", "/v1/search", "/healthz", "/v1/graph?format=dot", "/v1/nothing"):
        get_status, get_headers, get_body = context.get(path)
        status, headers, body = context.get(path, method="HEAD")
        assert (status, body) == (get_status, b"")
        assert headers["content-type"] == get_headers["content-type"]
        if path == "/v1/services":
            assert int(headers["content-length"]) == len(get_body)


if __name__ == "__main__":
    tap.main(globals(), make_context)
