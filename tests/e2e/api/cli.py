#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sub-commands that are clients of the read API: what they print, and their exit codes (0 found, 1 nothing there, 2 usage,
3 the server's fault)."""
import contextlib
import http.server
import json
import os
import pty
import subprocess
import threading
import time
import unicodedata
import urllib.parse

import spoor
import tap

TRACE = bytes(range(1, 17))
START = 1767225600000000000
MS = 1000000
# Would clear a terminal and set its title, if it got there.
STEERING = "\x1b[2J\x1b]0;title\x07name\r\n\u202e\u2066\u2028"


def error_status():
    return spoor.field_bytes(15, spoor.field_varint(3, 2))


def requests():
    """A trace of two services: the second span fails, the third one's parent is not stored."""
    yield "web", [spoor.span_message(TRACE, b"\x00" * 7 + b"\x01", "GET /", START, START + 100 * MS),
                  spoor.span_message(TRACE, b"\x00" * 7 + b"\x02", "call cart", START + 10 * MS, START + 60 * MS,
                                     parent=b"\x00" * 7 + b"\x01", kind=3)]
    yield "cart", [spoor.span_message(TRACE, b"\x00" * 7 + b"\x03", "add", START + 20 * MS, START + 50 * MS,
                                      parent=b"\x00" * 7 + b"\x02", extra=error_status()),
                   spoor.span_message(TRACE, b"\x00" * 7 + b"\x04", STEERING, START + 90 * MS, START + 95 * MS,
                                      parent=b"\x00" * 7 + b"\x63")]


class Context:
    def __init__(self, server):
        self.server = server
        self.url = "http://{}:{}".format(*server.address("http"))

    def run(self, *args, columns=100, url=None):
        """(exit code, stdout, stderr)."""
        result = subprocess.run([self.server.binary, *args, "--server", url or self.url], capture_output=True, text=True,
                                env={**os.environ, "COLUMNS": str(columns)}, stdin=subprocess.DEVNULL, check=False)
        return result.returncode, result.stdout, result.stderr


@contextlib.contextmanager
def make_context(binary):
    with spoor.Spoor(binary) as server:
        for service, spans in requests():
            assert server.export(spoor.request_message(spans, service))[0] == 200
        yield Context(server)


def test_trace_draws_tree_bars_errors_and_orphans(context):
    code, out, err = context.run("trace", TRACE.hex())
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"Trace {TRACE.hex()}"
    assert lines[1].startswith("2026-01-01T00:00:00") and "100ms, 4 spans, 2 services, 1 error" in lines[1]
    assert lines[2] == "? 1 of them name a parent that is not stored"
    root, call, add, orphan = lines[-4:]
    assert root.startswith("*  GET /") and "web" in root and "100ms" in root and root.endswith("█" * 30)
    assert call.startswith("*  └ call cart") and "50ms" in call
    assert add.startswith("*!   └ add") and "cart" in add
    assert orphan.startswith(" ? ") and orphan.rstrip().endswith(("▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"))
    assert all(len(line) <= 100 for line in lines)


def test_trace_fits_into_narrow_and_wide_terminals(context):
    for columns in (1, 40, 80, 300):
        _, out, _ = context.run("trace", TRACE.hex(), columns=columns)
        assert max(len(line) for line in out.splitlines()[4:]) <= max(columns, 40)


def test_trace_ranks_spans_among_their_kind(context):
    code, out, err = context.run("trace", TRACE.hex(), "--ranks")
    assert (code, err) == (0, ""), err
    for line in out.splitlines()[-4:]:
        assert " p100 " in line, out  # each is alone among its kind
    for columns in (1, 40, 300):
        assert max(len(line) for line in context.run("trace", TRACE.hex(), "--ranks", columns=columns)[1].splitlines()[4:]) <= max(columns, 40)


def test_names_cannot_steer_the_terminal(context):
    for args in (("trace", TRACE.hex()), ("search",), ("search", "{ duration < 6ms }")):
        _, out, _ = context.run(*args)
        assert not any((ord(c) < 32 and c != "\n") or c in "\u202e\u2066\u2028" for c in out), out


def test_trace_as_json_is_otlp(context):
    code, out, _ = context.run("trace", TRACE.hex().upper(), "--json")
    assert code == 0 and len(json.loads(out)["resourceSpans"]) == 2


def test_search_prints_a_table(context):
    code, out, err = context.run("search", "{ status = error }", "--from", "2025-12-31T00:00:00Z", "--limit=5", "--order=-duration")
    assert (code, err) == (0, "")
    head, row = out.splitlines()
    assert head.split() == ["START", "DURATION", "SPANS", "ERRORS", "TRACE", "ID", "ROOT"]
    assert row.split() == ["2026-01-01T00:00:00.000Z", "100ms", "4", "1", TRACE.hex(), "web:", "GET", "/"]


def test_search_prints_sets_of_spans_and_explanations(context):
    code, out, err = context.run("search", "{ } | by(service) | count() > 0 | avg(duration) >= 0", "--from", "2025-12-31T00:00:00Z", "--limit=1",
                                 "--order=-count()")
    assert code == 0, err
    lines = out.splitlines()
    assert all("spans:" in line or "span:" in line for line in lines[2:]) and len(lines) > 2, out
    assert "by(service) = " in lines[2] and "count() = " in lines[2] and "avg(duration) = " in lines[2], out
    code, out, err = context.run("search", "{ service = \"nobody\" && kind = server }", "--explain")
    assert code == 1 and "No trace matches" in err, (code, err)
    assert [line.split(None, 2)[2] for line in out.splitlines()] == ["CLAUSE ALONE", "service = \"nobody\"", "kind = server",
                                                                     "service = \"nobody\" && kind = server"], out
    assert out.splitlines()[1].split()[:2] == ["0", "0"], out


def test_search_prints_what_select_asks_for(context):
    code, out, err = context.run("search", '{ name = "add" } | select(duration, kind, span.none)', "--from", "2025-12-31T00:00:00Z")
    assert (code, err) == (0, "") and len(out.splitlines()) == 3, (out, err)
    assert out.splitlines()[2].strip().startswith("cart: add  duration = 30ms  kind = "), out


def test_search_fits_a_narrow_terminal(context):
    for columns in (80, 96):
        code, out, err = context.run("search", "{ status = error }", columns=columns)
        assert (code, err) == (0, "") and max(map(len, out.splitlines())) <= columns, out
        head, root_head, row, root = out.splitlines()
        assert head.split()[-2:] == ["TRACE", "ID"] and root_head == "  ROOT" and row.endswith(TRACE.hex()) and root == "  web: GET /", out
    code, out, err = context.run("search", "{ status = error }", columns="")  # into a file: one line for each trace
    assert (code, err) == (0, "") and len(out.splitlines()) == 2 and out.splitlines()[1].endswith(TRACE.hex() + " web: GET /"), out


def test_errors_are_pointed_at_below_wide_characters_and_in_long_queries(context):
    def pointed(query, columns=80):
        code, out, err = context.run("search", query, columns=columns)
        assert (code, out) == (2, ""), (code, out)
        return err.splitlines()[-2:]

    assert pointed('{ span.名前 = "値" && name = }') == ['  { span.名前 = "値" && name = }', " " * 31 + "^"]  # 2 + 26 bytes' characters, 3 of them twice as wide
    assert pointed("{ name = \"a\" &&\n  kind = }\n") == ["    kind = }", "           ^"]
    line, mark = pointed("{ " + " && ".join(f"span.a{i} = {i}" for i in range(50)) + " && name = }")
    assert line.startswith(" …") and line.endswith("&& name = }") and len(line) <= 80 and mark.index("^") == len(line) - 1, (line, mark)
    line, mark = pointed("{ name = } " + "|| { name = 1 } " * 50)
    assert line.startswith("  { name = } ||") and line.endswith("…") and len(line) <= 80 and mark == "           ^", (line, mark)
    line, _ = pointed("{ \x1b[2J\u202e = }")
    assert "\x1b" not in line and "\u202e" not in line, line


def test_search_as_json_is_the_answer(context):
    code, out, _ = context.run("search", "--json")
    assert code == 0 and json.loads(out)["traces"][0]["traceId"] == TRACE.hex()


def test_search_points_at_what_is_wrong(context):
    code, out, err = context.run("search", "{ näme = }")
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[-2] == "  { näme = }" and lines[-1].strip() == "^"


def test_search_line_by_line(context):
    code, out, _ = context.run("search", "{ name = \"GET /\" }", "--lines")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and lines[0]["trace"]["traceId"] == TRACE.hex() and lines[-1]["done"]["complete"]
    assert context.run("search", "{ name = \"none\" }", "--lines")[0] == 1
    code, out, err = context.run("search", "{ name = ", "--lines")
    assert (code, out) == (2, "") and "^" in err


@contextlib.contextmanager
def speaking(lines, whole=True):
    """The address of a server that answers each question with these lines. whole: and says that they are all."""
    class Speaker(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):  # the library's name for it
            assert self.headers["accept"] == "application/x-ndjson"
            self.send_response(200)
            self.send_header("content-type", "application/x-ndjson")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for line in lines:
                text = json.dumps(line).replace(": ", ":").encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                self.wfile.flush()
            if whole:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Speaker) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def run_on_terminal(context, *args):
    """stderr is a terminal: (exit code, stdout, what the terminal was sent)."""
    terminal, side = pty.openpty()
    seen = bytearray()

    def read():
        with contextlib.suppress(OSError):  # the last holder of the other side has closed it
            while part := os.read(terminal, 4096):
                seen.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    done = subprocess.run([context.server.binary, *args], stdout=subprocess.PIPE, stderr=side, stdin=subprocess.DEVNULL, check=False)
    os.close(side)
    reader.join()
    os.close(terminal)
    return done.returncode, done.stdout.decode(), seen.decode()


PROGRESS = {"scanned": {"segments": 1, "rows": "500", "bytes": "9", "traces": "5"}, "passedRows": "500", "totalRows": "2000",
            "totalSegments": 2, "knownTraces": "9", "matchedTraces": 4, "elapsedMs": 1800}


def test_search_shows_its_progress_on_a_terminal_only(context):
    answer = json.loads(context.run("search", "{}", "--json")[1])
    table = context.run("search", "{}")[1]
    traces = answer.pop("traces")
    lines = [{"progress": PROGRESS}, *({"trace": trace} for trace in traces), {"progress": {**PROGRESS, "passedRows": "2000"}}, {"done": answer}]
    with speaking(lines) as url:
        code, out, err = run_on_terminal(context, "search", "{}", "--server", url)
        assert code == 0 and out == table, (code, out, err)
        assert "Scanned 500 of 2000 spans, 4 traces match, 1.8 s" in err or "Scanned 2000 of 2000 spans" in err, err
        assert err.endswith("\r\x1b[K"), err
    code, out, err = run_on_terminal(context, "search", "{}", "--server", context.url)
    assert (code, out) == (0, table)


def test_search_that_fails_behind_its_first_line_says_so(context):
    problem = {"type": "about:blank", "title": "a limit was reached", "status": 413, "detail": "the results are too large"}
    with speaking([{"progress": PROGRESS}, {"problem": problem}]) as url:
        code, out, err = run_on_terminal(context, "search", "{}", "--server", url)
        assert (code, out) == (3, "") and "spoor search: a limit was reached: the results are too large" in err, (code, out, err)
        assert context.run("search", "{}", "--lines", url=url)[0] == 3
    for lines, whole in (([{"progress": PROGRESS}], True), ([{"progress": PROGRESS}], False), ([], True)):
        with speaking(lines, whole) as url:
            code, out, err = run_on_terminal(context, "search", "{}", "--server", url)
            assert (code, out) == (3, "") and "spoor search: " in err, (code, out, err)


def test_metrics_draws_a_line_for_each_series(context):
    code, out, err = context.run("metrics", "{} | count_over_time() by (service)", "--from", "2026-01-01T00:00:00Z",
                                 "--to", "2026-01-01T00:00:01Z", "--step", "10ms")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("2026-01-01T00:00:00") and "a point each 10ms" in lines[0]
    assert lines[1].split() == ["service", "LEAST", "GREATEST", "LAST"]
    assert [line.split()[0] for line in lines[2:]] == ["cart", "web"] and all("█" in line for line in lines[2:])
    assert lines[3].split()[1:4] == ["0", "1", "0"] and all(len(line) <= 100 for line in lines)
    code, out, err = context.run("metrics", '{ name != "GET /" } | max_over_time(duration) by (name)')
    assert code == 0 and "\x1b" not in out


def test_what_counts_spans_explains_itself(context):
    for args in (("metrics", '{ name != "GET /" && service = "web" } | count_over_time()'), ("facets", '{ name != "GET /" && service = "web" }', "--keys", "service"),
                 ("heatmap", '{ name != "GET /" && service = "web" }')):
        code, out, err = context.run(*args, "--explain", columns=200)
        lines = out.splitlines()
        head = next(i for i, line in enumerate(lines) if line.startswith("PASS OVER"))
        assert code == 0 and lines[head].split() == "PASS OVER READS SKIPS BY SEGMENTS SPANS READ BYTES TIME".split(), (args, out, err)
        assert 'name != GET / && service = web' in lines[head + 1], out
        clauses = lines.index(next(line for line in lines if line.endswith("CLAUSE ALONE")))
        assert lines[clauses + 1].split()[2:] == ["name", "!=", '"GET', '/"'] and lines[clauses + 1].split()[0].isdigit(), out
        assert "PASS OVER" not in context.run(*args)[1], args
        code, out, _ = context.run(*args, "--explain", "--json")
        assert code == 0 and json.loads(out)["explain"]["passes"], args
    code, out, err = context.run("heatmap", '{ name = "none" }', "--explain")
    assert code == 1 and "No span matches." in err and out.startswith("PASS OVER"), (code, out, err)


def test_metrics_as_json_and_without_spans(context):
    code, out, err = context.run("metrics", "{} | quantile_over_time(duration, 1)", "--exact", "--json", "--step", "1h")
    answer = json.loads(out)
    assert (code, err) == (0, "") and answer["exact"] and answer["series"][0]["points"][0][1] == 0.1
    code, out, err = context.run("metrics", '{ name = "none" } | rate() by (name)')
    assert (code, out, err) == (1, "", "No span matches.\n")
    code, out, err = context.run("metrics", "{}")
    assert code == 2 and "metric at the end of the query" in err


def test_metrics_compare_tells_what_failed_spans_have(context):
    compare = "{} | compare({ status = error })"
    code, out, err = context.run("metrics", compare, "--to", "2026-02-01T00:00:00Z", columns=140)
    lines = [line.split()[0:2] for line in out.splitlines()[2:]]
    assert (code, err) == (0, "") and ["__meta_type=selection,", "service=cart"] in lines, out
    assert ["__meta_type=baseline,", "service=web"] in lines and ["__meta_type=selection,", "service=web"] not in lines, out
    code, out, _ = context.run("metrics", compare, "--json", "--to", "2026-02-01T00:00:00Z")
    totals = [series for series in json.loads(out)["series"] if series["labels"][0]["value"].endswith("_total")]
    assert code == 0 and sum(point[1] for series in totals for point in series["points"] if series["labels"][1]["key"] == "name") == 4
    code, out, err = context.run("metrics", compare + " | topk(3)")
    assert (code, out) == (2, "") and "^" in err, err


def test_attributes_lists_keys_and_values(context):
    code, out, err = context.run("attributes", "--scope", "resource", "--to", "2026-02-01T00:00:00Z")
    assert (code, err) == (0, "") and [line.split() for line in out.splitlines()][:2] == [
        ["SCOPE", "KEY", "TYPE", "SPANS"], ["resource", "service.name", "string", "4"]], out
    code, out, err = context.run("attributes", "service.name", "--query", "{ status = error }")
    assert (code, err) == (0, "") and [line.split() for line in out.splitlines()] == [["VALUE", "TYPE", "SPANS"], ["cart", "string", "1"]], out
    code, out, err = context.run("attributes", "status", "--scope", "intrinsic", "--to", "2026-02-01T00:00:00Z")
    assert code == 0 and ["unset", "status", "3"] in [line.split() for line in out.splitlines()], out
    code, out, err = context.run("attributes", "name", "--scope", "intrinsic", "--limit", "1")
    assert code == 0 and len(out.splitlines()) == 2 and "There are more" in err, (out, err)
    code, out, err = context.run("attributes", "absent")
    assert (code, out, err) == (1, "", "No such attribute is stored in this range.\n")
    assert context.run("attributes", "absent", "--json")[0] == 1
    code, out, err = context.run("attributes", "service.name", "--query", "{ name = }")
    assert (code, out) == (2, "") and err.splitlines()[-2:] == ["  { name = }", "           ^"], err


def test_facets_count_values_and_compare_a_selection(context):
    code, out, err = context.run("facets", "{ }", "--keys", "service,span.absent", "--to", "2026-02-01T00:00:00Z")
    lines = [line.split() for line in out.splitlines()]
    assert code == 0 and lines[0] == ["FIELD", "VALUE", "SPANS", "SHARE"] and ["span.absent", "(none)", "4", "100.0%"] in lines, out
    assert ["service", "cart", "2", "50.0%"] in lines and err == "4 spans.\n", (out, err)
    code, out, err = context.run("facets", "--selection", "{ status = error }", "--keys", "service", "--to", "2026-02-01T00:00:00Z")
    lines = [line.split() for line in out.splitlines()]
    assert code == 0 and ["service", "cart", "2", "100.0%", "33.3%"] in lines and err == "4 spans, 1 of them selected.\n", (out, err)
    code, out, err = context.run("facets", "--selection", "{ status = }")
    assert (code, out) == (2, "") and err.splitlines()[-2:] == ["  { status = }", "             ^"], err
    assert context.run("facets", '{ name = "none" }')[0] == 1 and context.run("facets", '{ name = "none" }', "--json")[0] == 1


def test_heatmap_draws_every_span(context):
    code, out, err = context.run("heatmap", "{ }", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T00:00:01Z", columns=60)
    lines = out.splitlines()
    assert code == 0 and lines[0].startswith("2026-01-01T00:00:00") and "a column each" in lines[0]
    assert 2 <= len(lines) <= 17 and all(len(line) <= 60 for line in lines[1:]) and "4 spans, 1 errors" in err, (out, err)
    assert sum(any(shade in line for shade in "░▒▓█") for line in lines[1:]) == 4, out  # four durations, four rows
    code, out, _ = context.run("heatmap", "{ }", "--steps", "3", "--rows", "4", "--json")
    answer = json.loads(out)
    assert code == 0 and len(answer["steps"]) == 3 and len(answer["bounds"]) <= 5
    assert context.run("heatmap", '{ name = "none" }') == (1, "", "No span matches.\n")
    assert context.run("heatmap", "--rows", "1")[0] == 2


def test_graph_passes_every_format_through(context):
    for name in ("dot", "graphml", "json", "csv", "mermaid"):
        code, out, err = context.run("graph", "--format", name)
        status, _, body = context.server.request("http", "GET", f"/v1/graph?format={name}")
        assert (code, err, status) == (0, "", 200)
        assert out.encode().replace(b"\r\n", b"\n").rstrip(b"\n") == body.replace(b"\r\n", b"\n").rstrip(b"\n")
    code, out, err = context.run("graph", "--service", "cart", "--hops", "0")
    assert (code, out.count("->"), err) == (1, 0, "No call is stored in this range.\n")
    for name in ("dot", "graphml", "json", "csv", "mermaid", "table"):
        assert context.run("graph", "--format", name, "--service", "nobody")[0] == 1, name
    code, out, _ = context.run("graph", "--format", "csv", "--nodes")
    assert code == 0 and out.splitlines()[0].startswith("service,type,calls") and any(line.startswith('"cart"') for line in out.splitlines())


def test_graph_asks_once_for_a_document(context):
    def asked():
        _, _, body = context.server.request("http", "GET", "/metrics")
        lines = [line for line in body.decode().splitlines() if 'endpoint="/v1/graph"' in line and line.startswith("spoor_http_requests_total")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines), lines

    before, lines = asked()
    assert lines, "no such metric"
    assert context.run("graph", "--format", "dot")[0] == 0
    assert context.run("graph", "--format", "csv", "--service", "nobody")[0] == 1
    assert asked()[0] == before + 2


def test_graph_is_exact_when_asked(context):
    code, out, err = context.run("graph", "--json", "--exact")
    answer = json.loads(out)
    assert (code, err, answer["relativeError"]) == (0, "", 0), (out, err)
    edge = next(edge for edge in answer["edges"] if (edge["client"], edge["server"]) == ("web", "cart"))
    assert edge["clientLatency"]["p50"] == str(50 * MS), edge
    code, out, err = context.run("graph", "--format", "table", "--exact")
    assert code == 0 and out.splitlines()[0].split() == ["CALLER", "CALLED", "TYPE", "CALLS", "ERRORS", "P95"], (out, err)
    assert context.run("graph", "--format", "dot", "--exact")[0] == 2
    code, out, err = context.run("heatmap", "--caller", "web", "--called", "cart")
    assert code == 0 and err.startswith("1 spans, "), (out, err)
    assert context.run("heatmap", "--caller", "web")[0] == 2
    assert context.run("heatmap", "--caller", "web", "--called", "nobody")[0] == 1


def test_graph_tells_of_links_across_traces(context):
    for name in ("dot", "graphml", "csv", "mermaid"):
        code, out, err = context.run("graph", "--format", name, "--links")
        assert (code, err) == (0, "") and "links_seen" in out, (name, out, err)
    code, out, err = context.run("graph", "--format", "table", "--links")
    assert code == 0 and err.startswith("Links of consumers: 0, of which 0 are calls across traces;"), err
    code, out, _ = context.run("graph", "--json", "--links")
    assert code == 0 and json.loads(out)["links"]["complete"]


def test_graph_ignores_no_option(context):
    before = ("--compare-from", "2026-01-01T00:00:00Z", "--compare-to", "2026-01-02T00:00:00Z")
    for wrong in (("--format", "csv", *before), ("--format", "dot", "--step", "1m", "--from", "now-1h"), ("--format", "csv", "--json"), ("--nodes",),
                  ("--nodes", "--format", "dot")):
        code, out, err = context.run("graph", *wrong)
        assert (code, out) == (2, "") and err.startswith("spoor graph: --"), (wrong, out, err)
    code, out, _ = context.run("graph", "--format", "json", *before)
    assert code == 0 and json.loads(out)["compareTo"]


def test_tables_of_every_command(context):
    other = bytes(range(2, 18))
    assert context.server.export(spoor.request_message([spoor.span_message(other, b"\x00" * 7 + b"\x01", "GET /", START, START + 40 * MS)],
                                                       "web"))[0] == 200
    for args, head, row in (
            (("services",), "SERVICE SPANS ERRORS", ["cart", "2", "1", "50.0%"]),
            (("operations", "web"), "SERVICE OPERATION KIND SPANS ERRORS", ["web", "GET", "/", "server", "2", "0"]),
            (("latency", "web", "--quantiles", "1"), "SERVICE OPERATION KIND CALLS ERRORS Q1",
             ["web", "call", "cart", "client", "1", "0", "50ms"]),
            (("latency", "web", "--quantiles", "1", "--order", "-calls", "--limit", "1"), "SERVICE OPERATION KIND CALLS ERRORS Q1",
             ["web", "GET", "/", "server", "2", "0", "100ms"]),
            (("latency", "web", "--quantiles", "1", "--contains", "CALL"), "SERVICE OPERATION KIND CALLS ERRORS Q1",
             ["web", "call", "cart", "client", "1", "0", "50ms"]),
            (("latency", "web", "--quantiles", "1", "--order", "-calls", "--limit", "1", "--offset", "1"), "SERVICE OPERATION KIND CALLS ERRORS Q1",
             ["web", "call", "cart", "client", "1", "0", "50ms"]),
            (("latency", "web", "--quantiles", "1", "--by", "name,span.absent", "--exact"), "name span.absent CALLS ERRORS Q1",
             ["call", "cart", "nil", "1", "0", "50ms"]),
            (("critical-path", "--by", "service"), "PATHS OF COUNT SHORTEST MEAN LONGEST", ["all", "2", "40ms", "70ms", "100ms"]),
            (("critical-path", "--by", "service"), "PATHS OF COUNT SHORTEST MEAN LONGEST", ["21.4%", "30.0%", "30.0%", "web", "→", "cart"]),
            (("compare", TRACE.hex(), other.hex()), f"a {TRACE.hex()} 100ms, 4 spans, 1 errors",
             ["web:", "GET", "/", "1", "1", "100ms", "40ms", "-60ms", "-10ms"]),
            (("compare", "{ status = error }", "{ rootName = \"GET /\" }"), "a: 1 traces, p50 100ms, p99 100ms", None)):
        code, out, err = context.run(*args)
        lines = [line.split() for line in out.splitlines()]
        assert code == 0 and lines[0] == head.split(), (args, code, out, err)
        assert row is None or row in lines, (args, lines)
        for columns in (1, 60, 300):
            assert max(len(line) for line in context.run(*args, columns=columns)[1].splitlines()) <= max(columns, 110), args
        code, out, err = context.run(*args, "--json")
        assert (code, err) == (0, "") and isinstance(json.loads(out), dict), args


def test_nothing_found_is_one_with_and_without_json(context):
    for args in (("services", "--to", "2020-01-01T00:00:00Z"), ("operations", "absent"), ("latency", "absent"),
                 ("critical-path", "{ name = \"absent\" }"), ("compare", "{ name = \"absent\" }", "{}")):
        code, out, err = context.run(*args)
        assert (code, out) == (1, "") and err.strip(), (args, code, out)
        code, out, err = context.run(*args, "--json")
        assert (code, err) == (1, "") and isinstance(json.loads(out), dict), args
    for args in (("latency", "--quantiles", "2"), ("critical-path", "{"), ("compare", "{}"), ("compare", "{}", "{"),
                 ("trace", TRACE.hex(), "--skew", "maybe"), ("operations", "a", "b")):
        code, out, err = context.run(*args)
        assert (code, out) == (2, "") and err.strip(), (args, code, out)
    assert context.run("compare", TRACE.hex(), "ab" * 16)[0] == 1


def test_trace_takes_the_skew_of_clocks_out(context):
    skewed = bytes(range(3, 19))
    parts = (("web", [spoor.span_message(skewed, b"\x00" * 7 + b"\x01", "call", START, START + 100 * MS, kind=3)]),
             ("cart", [spoor.span_message(skewed, b"\x00" * 7 + b"\x02", "add", START - 50 * MS, START + 10 * MS,
                                          parent=b"\x00" * 7 + b"\x01")]))
    for service, spans in parts:
        assert context.server.export(spoor.request_message(spans, service))[0] == 200
    code, out, _ = context.run("trace", skewed.hex())
    assert code == 0 and "Clocks differ by up to 70ms in 1 span; --skew adjust takes it out" in out and ", 150ms," in out
    code, out, _ = context.run("trace", skewed.hex(), "--skew", "adjust")
    assert code == 0 and "times are adjusted" in out and ", 100ms," in out
    assert context.run("trace", skewed.hex(), "--json", "--skew", "adjust")[0] == 2


def test_graph_as_a_table_and_against_another_time(context):
    code, out, err = context.run("graph", "--format", "table", "--to", "2026-01-02T00:00:00Z")
    lines = [line.split() for line in out.splitlines()]
    assert (code, err) == (0, "") and lines[0] == ["CALLER", "CALLED", "TYPE", "CALLS", "ERRORS", "P95"]
    assert any(line[:2] == ["web", "cart"] for line in lines), out
    range_before = ("--compare-from", "2025-01-01T00:00:00Z", "--compare-to", "2025-01-02T00:00:00Z")
    code, out, _ = context.run("graph", *range_before)
    assert code == 0 and out.splitlines()[1].split()[0] == "new", out
    code, out, _ = context.run("graph", *range_before, "--json")
    assert code == 0 and {edge["change"] for edge in json.loads(out)["edges"]} == {"new"}
    code, out, _ = context.run("graph", "--json")
    assert code == 0 and "nodes" in json.loads(out)
    assert context.run("graph", "--compare-from", "now-1h")[0] == 2
    assert context.run("graph", "--format", "table", "--to", "2020-01-01T00:00:00Z")[0] == 1


def test_graph_and_latency_over_time(context):
    steps = ("--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T00:05:00Z", "--step", "1m")
    code, out, err = context.run("graph", *steps, "--service", "web", columns=140)
    lines = [line.split() for line in out.splitlines()]
    assert (code, err) == (0, "") and lines[0][:5] == ["CALLER", "CALLED", "TYPE", "CALLS", "ERRORS"], out
    edge = next(line for line in lines if line[:2] == ["web", "cart"])
    assert edge[-2:] == ["█▁▁▁▁", "█"], out  # the first of five minutes; no p95 in the others
    code, out, _ = context.run("graph", *steps, "--json")
    assert code == 0 and json.loads(out)["edges"][0]["calls"]
    code, out, err = context.run("latency", "web", *steps, "--quantiles", "1", columns=140)
    lines = [line.split() for line in out.splitlines()]
    assert code == 0 and lines[0] == ["SERVICE", "OPERATION", "KIND", "CALLS", "ERRORS", "Q1"] and ["web", "call", "cart", "client", "1", "0", "█"] in lines, out
    assert context.run("graph", "--step", "1m")[0] == 2 and context.run("latency", "--step", "5s", "--from", "now-1h")[0] == 2


def test_status_tells_what_is_kept_and_asked(context):
    stored = json.loads(context.run("status", "--json")[1])["store"]
    code, out, err = context.run("status")
    lines = out.splitlines()
    assert (code, err) == (0, "") and lines[0].startswith("Spoor ") and ", up for " in lines[0], out
    assert lines[1].startswith(f"Stored   {stored['spanCount']} spans of {stored['traceCount']} traces in "), out
    assert lines[2].startswith("From     20") and " to 2026-01-01T00:00:00" in lines[2] and any(line.split()[:2] == ["SLOWEST", "RAN"] for line in lines), out
    assert any("/v1/traces/" + TRACE.hex() in line for line in context.run("status", columns=200)[1].splitlines()) or len(lines) > 20, out
    assert context.run("status", url="http://127.0.0.1:1")[0] == 3


def test_status_says_what_was_refused_and_why(context):
    assert "Refused" not in context.run("status")[1]
    assert context.server.export(spoor.request_message([spoor.span_message(b"short", b"12345678"), spoor.span_message(TRACE, bytes(8))], "web"))[0] == 200
    assert context.server.export(b"x")[0] == 400
    lines = context.run("status")[1].splitlines()
    at = lines.index("Refused  1 requests, and 2 spans of others")
    assert [line.split(":")[0].strip() for line in lines[at + 1:at + 3]] == ["1", "1"] and "base64" in lines[at + 1] and "missing or zero" in lines[at + 2], lines


def test_status_shows_how_good_the_data_is(context):
    answer = json.loads(context.run("status", "--quality", "--json")[1])
    assert answer["missingParents"] == answer["tracesMissingParents"] == "1", answer
    code, out, err = context.run("status", "--quality", "--to", "2126-02-01T00:00:00Z")
    lines = out.splitlines()
    assert (code, err) == (0, "") and lines[0].startswith(f"Looked at {answer['spans']} spans of all {answer['matchedTraces']} traces,"), out
    assert lines[1].startswith("20") and lines[3].split() == ["SPANS", "TRACES", "FINDING"] and "1 1 parent is not stored".split() in [line.split() for line in lines], out
    assert any(line.split() == ["0", "sent", "twice"] for line in lines), out
    newest = context.run("status", "--quality", "--traces", "1")[1]
    assert newest.startswith("Looked at ") and " of the newest 1 traces,\n" in newest, newest
    assert context.run("status", "--quality", "--to", "1980-01-01T00:00:00Z")[:2] == (1, "")
    for wrong in (("--quality", "--traces", "0"), ("--from", "now-1h"), ("--traces", "5"), ("--quality", "--cancel", "1"), ("--quality", "--from", "x")):
        code, out, err = context.run("status", *wrong)
        assert (code, out) == (2, "") and err, wrong


def test_status_ends_a_query_that_runs(context):
    code, out, err = context.run("status", "--cancel", "1")
    assert (code, out) == (3, "") and "--allow-cancel" in err, err
    with spoor.Spoor(context.server.binary, args=["--allow-cancel"]) as server:
        own = Context(server)
        for trace in range(1, 41):
            ids = [(trace * 1000 + i).to_bytes(8, "big") for i in range(500)]
            spans = [spoor.span_message(trace.to_bytes(16, "big"), ids[i], f"{trace}-{i}" + "x" * 100, START, START + MS) for i in range(500)]
            assert server.export(spoor.request_message(spans))[0] == 200
        code, out, err = own.run("status", "--cancel", "1")
        assert (code, out) == (1, "") and "no query with this id runs" in err, err
        slow = "{ " + " || ".join(f'name =~ ".*x.*y{i}"' for i in range(30)) + " }"  # seconds: each name is different
        path = "/v1/search?" + urllib.parse.urlencode({"q": slow})
        ended, over = [], threading.Event()

        def ask():
            while not over.is_set():
                ended.append(server.request("http", "GET", path)[0])
                if ended[-1] != 200:
                    return

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            until = time.monotonic() + 60
            while asking.is_alive():  # one may have ended before it is named
                assert time.monotonic() < until, ended
                for query in json.loads(own.run("status", "--json")[1])["queries"]["running"]:
                    code, out, err = own.run("status", "--cancel", query["id"])
                    assert (code, out, err) == (0, f"Query {query['id']} was asked to end\n", "") or code == 1, (out, err)
        finally:
            over.set()
            asking.join()
        assert ended[-1] == 503, ended


def width(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def test_everything_fits_80_columns_with_wide_names(context):
    name, service = "結帳 e\u0301 " * 12, "カート" * 9
    with spoor.Spoor(context.server.binary) as server:
        own = Context(server)
        traces = [bytes([i]) * 16 for i in (1, 2)]
        for i, trace in enumerate(traces):
            spans = [spoor.span_message(trace, bytes(7) + bytes([n + 1]), name, START + n * MS, START + (n + 5 + i) * MS + 1, parent=bytes(7) + bytes([n]) if n else b"",
                                        kind=2 + n % 2, extra=error_status() if n == 2 else b"") for n in range(12)]
            assert server.export(spoor.request_message(spans[::2], service))[0] == 200
            assert server.export(spoor.request_message(spans[1::2], "web"))[0] == 200
        over_time = ("--step", "1m", "--from", "2025-12-31T23:50:00Z", "--to", "2026-01-01T00:10:00Z")
        for args in (("trace", traces[0].hex()), ("trace", traces[0].hex(), "--ranks"), ("search", "{ status = error }"), ("search", "{} | by(name)", "--explain"),
                     ("metrics", "{} | rate() by (name, service)", *over_time), ("metrics", "{} | quantile_over_time(duration, .5) by (name)", "--explain"),
                     ("metrics", "{} | compare({ status = error })"), ("heatmap",), ("heatmap", "{ status = error }", "--explain"), ("facets", "--selection", "{ status = error }"),
                     ("attributes",), ("attributes", "name", "--scope", "intrinsic"), ("services",), ("operations",), ("latency",), ("latency", "--by", "name,service"),
                     ("latency", *over_time), ("graph", "--format", "table"), ("graph", *over_time), ("graph", "--compare-from", "2025-12-31T23:50:00Z", "--compare-to",
                     "2025-12-31T23:55:00Z", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T00:10:00Z"), ("critical-path",), ("compare", *(t.hex() for t in traces)),
                     ("compare", "{ status = error }", "{ }"), ("status",), ("status", "--quality")):
            code, out, err = own.run(*args, columns=80)
            assert code in (0, 1) and out, (args, code, err)
            wide = [(width(line), line) for line in out.splitlines() if width(line) > 80]
            assert not wide, (args, wide)


def test_exit_codes(context):
    absent, nowhere = "ab" * 16, "http://127.0.0.1:1"
    for expected, args, url in ((1, ("trace", absent), None), (1, ("trace", absent, "--json"), None),
                                (1, ("search", "{ name = \"absent\" }"), None), (1, ("search", "{ name = \"absent\" }", "--json"), None),
                                (2, ("trace", absent, "--json", "--ranks"), None), (2, ("compare", absent, absent, "--traces", "5"), None),
                                (2, ("trace", "xyz"), None), (2, ("trace",), None), (2, ("trace", absent, absent), None),
                                (2, ("search", "--limit", "0"), None), (2, ("search", "--order", "name"), None),
                                (2, ("search", "{} | rate()"), None), (2, ("search", "--from", "then"), None),
                                (2, ("search", "--cursor", "abc"), None), (2, ("graph", "--format", "svg"), None),
                                (2, ("graph", "--hops", "65"), None), (3, ("trace", absent), nowhere), (3, ("search",), nowhere),
                                (3, ("graph",), nowhere)):
        code, _, err = context.run(*args, url=url)
        assert code == expected, (args, code, err)
        assert err.strip() or args[-1] == "--json", args
    for command in ("trace", "search", "graph", "services", "operations", "latency", "critical-path", "compare",
                    "metrics", "attributes", "facets", "heatmap"):
        code, out, err = context.run(command, "--help")
        assert (code, err) == (0, "") and out.startswith(f"Usage: spoor {command}")


def test_search_follows_what_comes_in(context):
    with subprocess.Popen([context.server.binary, "search", '{ name = "fresh" }', "--follow", "--server", context.url],
                          stdout=subprocess.PIPE, text=True) as following:
        trace = bytes(range(5, 21))
        now = time.time_ns()
        assert context.server.export(spoor.request_message([spoor.span_message(trace, b"\x00" * 7 + b"\x01", "fresh", now, now + MS)], "web"))[0] == 200
        head, row = following.stdout.readline().split(), following.stdout.readline().split()
        following.terminate()
    assert head[0] == "START" and row[4:7] == [trace.hex(), "web:", "fresh"], row
    done = [{"trace": json.loads(context.run("search", "--json")[1])["traces"][0]}, {"live": {"atUnixNano": "1", "complete": True}},
            {"done": {"reason": "draining"}}]
    with speaking(done) as url:
        code, out, err = context.run("search", "--follow", url=url)
        assert (code, err) == (0, "") and len(out.splitlines()) >= 2, (code, out, err)
        code, out, err = context.run("search", "--follow", "--json", url=url)
        assert (code, err) == (0, "") and [json.loads(line) for line in out.splitlines()] == done
    with speaking([{"live": {"atUnixNano": "1", "complete": False, "waiting": 250, "skipped": 1234, "unseenRequests": 56}}, done[-1]]) as url:
        code, out, err = context.run("search", "--follow", url=url)
        assert (code, out) == (0, "") and err.splitlines() == ["spoor search: 1234 more traces came in than are shown",
                                                               "spoor search: traces of 56 requests were not looked at"], (code, out, err)
    with speaking([{"problem": {"title": "a limit was reached", "status": 413, "detail": "too large"}}]) as url:
        code, out, err = context.run("search", "--follow", url=url)
        assert (code, out) == (3, "") and "too large" in err, (code, err)
    code, out, err = context.run("search", "--follow", "{ name = ")
    assert (code, out) == (2, "") and "^" in err, err
    assert context.run("search", "--follow", "--order", "duration")[0] == 2


if __name__ == "__main__":
    tap.main(globals(), make_context)
