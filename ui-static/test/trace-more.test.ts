// SPDX-License-Identifier: Apache-2.0
// What a trace becomes besides a waterfall: the server's golden columns, files of other tools read and written, flame graphs, groups,
// graphs, matches, values for reading.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { ColumnsAnswer } from "../src/api/types";
import { assemble } from "../src/model/assemble";
import { chromeOf, csvLine, csvOf, nestingLanes, speedscopeOf } from "../src/model/exports";
import { allOf, asQuery, maskOfBitmap } from "../src/model/find";
import { leftHeavy, neighbours, sandwich, timeFlame } from "../src/model/flame";
import { jaegerOf } from "../src/model/jaeger";
import { otlpOf, readSpans, type Stored } from "../src/model/otlp";
import { foldedDepth, foldFrom, type Folding, groupOfItem, isPeer, isRun, newFolding, nextShown, positionOf, reveal, rowOfItem, shownDepth, visibleItems } from "../src/model/rows";
import { bulkOf, decodeSkeleton, errorsBefore, eventsOf, peerOf, rowOfSpan, type Skeleton, spanIdAt } from "../src/model/skeleton";
import { subtreeOf } from "../src/model/subtree";
import { attributeKey, type GroupKey, groupsOf, intrinsicKey, sortGroups } from "../src/model/stats";
import { graphOfTrace } from "../src/model/tracegraph";
import { FOLDED_CHARS, foldedText, prefixOf, viewOf } from "../src/model/valueview";

const golden = (): ColumnsAnswer => JSON.parse(readFileSync(join(process.env.UI_SOURCE as string, "../tests/golden/columns/trace.json"), "utf8")) as ColumnsAnswer;

/** Spans from [id, parent, start, end, service, name] in milliseconds. */
type Made = [id: number, parent: number, start: number, end: number, service?: string, name?: string, code?: number];
const T0 = 1795350535000000000n;
const hex = (n: number) => n.toString(16).padStart(16, "0");
function stored(spans: Made[]): Stored[] {
  return spans.map(([id, parent, start, end, service = "web", name = `op ${id}`, code = 0]) => ({
    span: { traceId: "1".repeat(32), spanId: hex(id), parentSpanId: parent ? hex(parent) : "", name, kind: 1, startTimeUnixNano: String(T0 + BigInt(Math.round(start * 1e6))), endTimeUnixNano: String(T0 + BigInt(Math.round(end * 1e6))), status: { code } },
    resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] },
    resourceSchemaUrl: "",
    scope: {},
    scopeSchemaUrl: "",
  }));
}
const rowOf = (s: Skeleton, id: string) => rowOfSpan(s, hex(Number(id)));
const traceOf = (spans: Made[]): Skeleton => decodeSkeleton(assemble(stored(spans)).columns);

test("the server's golden columns are a skeleton with events and peers", () => {
  const s = decodeSkeleton(golden());
  assert.equal(s.count, 6);
  assert.deepEqual(eventsOf(s.events, 2), [0, 2]);
  assert.deepEqual(eventsOf(s.events, 3), [2, 2]);
  assert.equal(s.events.names[s.events.name[0]], "exception");
  assert.equal(s.events.time[1], 15e6);
  assert.deepEqual(s.peers.get(3), { name: "redis", type: "database" });
  assert.equal(s.skew?.skewedClockCount, 0);
  assert.deepEqual([...errorsBefore(s)], [0, 0, 0, 1, 1, 1, 1]);
  for (const change of [(a: ColumnsAnswer) => a.events.time.pop(), (a: ColumnsAnswer) => a.events.row.reverse().push(0), (a: ColumnsAnswer) => a.events.name.fill(9)]) {
    const bad = golden();
    change(bad);
    assert.throws(() => decodeSkeleton(bad));
  }
});

test("work in the background is not what the end of the root waited for", () => {
  const path = (kind: number, service: string, until: number) => {
    const spans = stored([[1, 0, 0, 100], [2, 1, 10, until, service], [3, 1, 20, 90]]);
    spans[1].span.kind = kind;
    return assemble(spans).columns.criticalPath.map((p) => [p.row, p.start / 1e6, p.end / 1e6]);
  };
  const without = [[0, 0, 20], [2, 20, 90], [0, 90, 100]];
  const cut = [[0, 0, 10], [1, 10, 100]];
  for (const kind of [0, 1, 3, 4, 5]) assert.deepEqual(path(kind, "web", 300), without);
  assert.deepEqual(path(5, "other", 300), without);
  assert.deepEqual(path(1, "other", 300), cut);
  assert.deepEqual(path(2, "web", 300), cut);
  assert.deepEqual(path(1, "web", 100.9), cut);
});

test("spans of a file become the columns that the server makes of them", () => {
  const wanted = golden();
  const made: Made[] = [
    [4, 3, 22, 27, "cart", "HGET"],
    [6, 99, 30, 35, "cart", "lost"],
    [1, 0, 0, 100, "web", "GET /"],
    [3, 2, 20, 50, "cart", "add", 2],
    [5, 3, 28, 34, "cart", "HGET"],
    [2, 1, 10, 60, "web", "call cart"],
  ];
  const { columns } = assemble(stored(made));
  for (const name of ["start", "duration", "self", "depth", "subtreeSize", "parent", "service", "operation", "status"] as const) assert.deepEqual(columns.columns[name], wanted.columns[name], name);
  for (const name of ["spanIds", "operations", "missingParents", "durationNano", "orphanCount", "rootCount", "depthMax", "errorCount", "criticalPathNote"] as const) assert.deepEqual(columns[name], wanted[name], name);
  assert.deepEqual(columns.criticalPath, wanted.criticalPath);
});

test("broken trees of a file are cut, and said", () => {
  const s = decodeSkeleton(assemble(stored([[1, 0, 0, 9], [2, 3, 1, 2], [3, 2, 2, 3], [1, 0, 4, 5], [4, 1, 8, 7]])).columns);
  assert.deepEqual([s.count, s.cycleCount, s.duplicateCount], [5, 1, 1]);
  assert.equal(s.length[1], 0);
  const deep = traceOf(Array.from({ length: 20000 }, (_, i): Made => [i + 1, i, i / 1000, 30]));
  assert.equal(deep.depthMax, 19999);
});

test("the halves of a call that share an id are joined as the server joins them, and cycles cut where it cuts them", () => {
  const spans = stored([[1, 0, 0, 100], [3, 2, 25, 30, "cart"], [2, 1, 20, 50, "cart"], [2, 1, 21, 50, "cart"], [2, 1, 10, 60]]);
  [3, 1, 2, 2, 3].forEach((kind, i) => (spans[i].span.kind = kind));
  const { columns } = assemble(spans);
  assert.deepEqual(columns.columns.kind, [3, 3, 2, 1, 2]);
  assert.deepEqual(columns.columns.parent, [-1, 0, 1, 2, 0]);
  assert.deepEqual(columns.columns.self.map((ns) => ns / 1e6), [50, 20, 25, 5, 29]);
  assert.deepEqual([columns.duplicateCount, columns.depthMax], [1, 3]);
  // 5 hangs from a cycle and begins before it: what is cut is the cycle.
  const cycle = assemble(stored([[1, 0, 0, 9], [5, 6, 1, 9], [7, 6, 2, 9], [6, 7, 3, 9], [8, 8, 4, 9]])).columns;
  assert.deepEqual(cycle.columns.parent, [-1, -1, 1, 2, -1]);
  assert.deepEqual([cycle.spanIds.slice(16), cycle.cycleCount, cycle.orphanCount], [[7, 6, 5, 8].map(hex).join(""), 2, 0]);
});

test("a trace without its root has the path of its topmost span, and one in parts has none", () => {
  const path = (spans: Made[]) => {
    const { criticalPath, criticalPathNote } = assemble(stored(spans)).columns;
    return [criticalPath.map((p) => [p.row, p.start / 1e6, p.end / 1e6]), criticalPathNote];
  };
  assert.deepEqual(path([[2, 99, 0, 10], [3, 2, 4, 8]]), [[[0, 0, 4], [1, 4, 8], [0, 8, 10]], "the root span is missing: the path is that of the topmost span"]);
  assert.deepEqual(path([[2, 99, 0, 10], [3, 98, 4, 8]]), [[], "the root span is missing and its parts are not connected"]);
  assert.deepEqual(path([[2, 0, 0, 10], [3, 0, 4, 8]]), [[], "the trace has more than one root span"]);
  assert.deepEqual(path([[2, 0, 4, 4], [3, 2, 4, 8]]), [[], "the root span has no duration"]);
  // What is before its parent's part of the path is not on it.
  assert.deepEqual(path([[1, 0, 10, 40], [2, 1, 0, 30, "b"], [3, 2, 2, 20, "c"]])[0], [[2, 10, 20], [1, 20, 30], [0, 30, 40]]);
});

test("OTLP, Jaeger and Zipkin files are read, and other texts are refused with a reason", () => {
  const spans = stored([[1, 0, 0, 10], [2, 1, 2, 4, "cart", "add", 2]]);
  const otlp = JSON.stringify(otlpOf(spans));
  assert.equal(readSpans(otlp).length, 2);
  assert.equal(readSpans(`${otlp}\n${otlp}\n`).length, 4);
  const jaeger = readSpans(JSON.stringify(jaegerOf(spans)));
  assert.deepEqual(jaeger.map((s) => [s.span.spanId, s.span.parentSpanId, s.span.startTimeUnixNano, s.span.endTimeUnixNano, s.span.status?.code]), spans.map((s) => [s.span.spanId, s.span.parentSpanId, s.span.startTimeUnixNano, s.span.endTimeUnixNano, s.span.status?.code]));
  assert.equal(jaeger[1].resource.attributes?.[0].value?.stringValue, "cart");
  const zipkin = readSpans(JSON.stringify([{ traceId: "abc", id: "1", name: "get", kind: "CLIENT", timestamp: 1700000000000000, duration: 5, localEndpoint: { serviceName: "a" }, tags: { error: "x" }, annotations: [{ timestamp: 1700000000000001, value: "ws" }] }]));
  assert.deepEqual([zipkin[0].span.traceId, zipkin[0].span.kind, zipkin[0].span.endTimeUnixNano, zipkin[0].span.status?.code], ["abc".padStart(32, "0"), 3, "1700000000000005000", 2]);
  assert.throws(() => readSpans("hello"), /no JSON/);
  assert.throws(() => readSpans('{"a":1}\nnope'), /line 2/);
  assert.throws(() => readSpans("{}"), /expected OTLP JSON/);
  assert.throws(() => readSpans('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"?","spanId":"1"}]}]}]}'), /no id/);
});

const textOf = (pieces: Iterable<string>) => [...pieces].join("");

test("exports nest where the format needs it, and hold every span", () => {
  const s = traceOf([[1, 0, 0, 10, "web"], [2, 1, 1, 6, "web", '=cmd, "x"'], [3, 1, 4, 9, "web"], [4, 3, 5, 8, "web"]]);
  const lanes = nestingLanes(s);
  for (let a = 0; a < s.count; a++) {
    for (let b = a + 1; b < s.count; b++) {
      if (lanes[a] !== lanes[b]) continue;
      const [endA, endB] = [s.start[a] + s.length[a], s.start[b] + s.length[b]];
      assert.ok(endA <= s.start[b] || endB <= s.start[a] || (s.start[a] <= s.start[b] && endB <= endA) || (s.start[b] <= s.start[a] && endA <= endB));
    }
  }
  const chrome = JSON.parse(textOf(chromeOf(s))) as { traceEvents: { ph: string; dur: number; name: string }[] };
  assert.equal(chrome.traceEvents.filter((e) => e.ph === "X").length, 4);
  assert.equal(chrome.traceEvents.find((e) => e.name === "op 1")?.dur, 10000);
  const speed = JSON.parse(textOf(speedscopeOf(s))) as { profiles: { events: { type: string; frame: number; at: number }[] }[] };
  for (const { events } of speed.profiles) {
    const stack: number[] = [];
    let at = 0;
    for (const e of events) {
      assert.ok(e.at >= at);
      at = e.at;
      if (e.type === "O") stack.push(e.frame);
      else assert.equal(stack.pop(), e.frame);
    }
    assert.equal(stack.length, 0);
  }
  const csv = textOf(csvOf(s)).split("\r\n");
  assert.equal(csv.length, 6);
  assert.ok(csv[2].includes(`"'=cmd, ""x"""`), csv[2]);
  assert.equal(csvLine(["+1", 2, "a"]), "'+1,2,a\r\n");
});

test("files have names whole, and may be longer than a text can be", () => {
  const long = "x".repeat(2000);
  const s = traceOf([[1, 0, 0, 10, `s${long}`, `a${long}`], [2, 1, 1, 6, "web", `b${long}`]]);
  assert.match(s.operations[0], /2,001 characters$/);
  const [, first, second] = textOf(csvOf(s)).split("\r\n").map((line) => line.split(","));
  assert.deepEqual([first[2], first[3], second[3]], [`s${long}`, `a${long}`, `b${long}`]);
  const chrome = JSON.parse(textOf(chromeOf(s))) as { traceEvents: { ph: string; name: string; cat: string; args: { name: string } }[] };
  assert.deepEqual(chrome.traceEvents.filter((e) => e.ph === "X").map((e) => [e.cat, e.name]), [[`s${long}`, `a${long}`], ["web", `b${long}`]]);
  assert.ok(chrome.traceEvents.some((e) => e.ph === "M" && e.args.name === `s${long}`));
  const speed = JSON.parse(textOf(speedscopeOf(s))) as { shared: { frames: { name: string }[] } };
  assert.deepEqual(speed.shared.frames.map((f) => f.name), [`s${long} a${long}`, `web b${long}`]);
  assert.deepEqual(groupsOf(s, [intrinsicKey(s, "operation") as GroupKey]).map((g) => g.values[0]).sort(), [`a${long}`, `b${long}`]);
  // 600 lines of a megabyte: the longest text has 512.
  const huge = { ...s, whole: { ...s.whole, operations: ["x".repeat(1 << 20), ""] } };
  let letters = 0;
  for (const line of csvOf(huge, new Uint32Array(600))) letters += line.length;
  assert.ok(letters > 600 << 20);
});

test("flame graphs: nothing of a lane overlaps in time; sums are as wide as the work in them", () => {
  const s = traceOf([[1, 0, 0, 10], [2, 1, 1, 6, "cart", "get"], [3, 1, 4, 9, "cart", "get"], [4, 3, 5, 8, "redis", "HGET"], [5, 2, 2, 3, "redis", "HGET"]]);
  const flame = timeFlame(s);
  for (let lane = 0; lane < flame.lanes; lane++) {
    const own = flame.boxes.filter((b) => b.lane === lane).sort((a, b) => a.from - b.from);
    own.forEach((b, i) => assert.ok(i === 0 || own[i - 1].to <= b.from));
  }
  assert.equal(flame.crowded, 0);
  const heavy = leftHeavy(s);
  assert.deepEqual(heavy.boxes.map((b) => [b.lane, b.count]), [[0, 1], [1, 2], [2, 2]]);
  assert.equal(heavy.width, s.self.reduce((a, b) => a + b, 0));
  const crowd = timeFlame(traceOf([[1, 0, 0, 500], ...Array.from({ length: 450 }, (_, i): Made => [i + 2, 1, 1 + i / 1000, 400])]));
  assert.ok(crowd.crowded > 0 && crowd.lanes <= 400);
});

test("the sandwich counts an operation inside itself once, and knows both sides", () => {
  const s = traceOf([[1, 0, 0, 10, "web", "a"], [2, 1, 1, 9, "web", "a"], [3, 2, 2, 5, "web", "b"], [4, 0, 20, 21, "web", "b"]]);
  const lines = new Map(sandwich(s).map((l) => [l.name, l]));
  assert.equal(lines.get("web a")?.total, 10e6);
  assert.equal(lines.get("web b")?.total, 4e6);
  assert.equal(lines.get("web a")?.self, 7e6);
  const { callers, callees } = neighbours(s, s.service[2], s.operation[2]);
  assert.deepEqual(callers.map((n) => [n.name, n.count]), [["web a", 1], ["(nothing: a root)", 1]]);
  assert.equal(callees.length, 0);
});

test("groups by two keys count every span once", () => {
  const s = traceOf([[1, 0, 0, 10], [2, 1, 1, 3, "cart", "get", 2], [3, 1, 4, 9, "cart", "get"]]);
  const service = intrinsicKey(s, "service");
  assert.ok(service);
  const groups = groupsOf(s, [service, attributeKey({ spanCount: 3, values: ["x"], column: [-1, 0, 0] })]);
  assert.deepEqual(sortGroups(groups, "-count").map((g) => [g.values, g.count, g.errors, g.sum]), [[["cart", "x"], 2, 1, 7e6], [["web", null], 1, 0, 10e6]]);
  assert.deepEqual(sortGroups(groups, "value").map((g) => g.values[0]), ["cart", "web"]);
  assert.equal(intrinsicKey(s, "colour"), null);
});

test("a subtree is a trace of its own, with the times of the whole", () => {
  const s = traceOf([[1, 0, 0, 10], [2, 1, 2, 9, "cart", "get"], [3, 2, 3, 5, "redis", "HGET"], [4, 1, 4, 6, "mail", "send"]]);
  const part = subtreeOf(s, 1);
  assert.deepEqual([part.count, [...part.parent], [...part.start]], [2, [-1, 0], [2e6, 3e6]]);
  const [, first] = [...csvOf(part)];
  assert.ok(first.startsWith(`${hex(2)},${hex(1)},cart,get,`), "a file names the parent that is not among the rows");
  const flame = timeFlame(part);
  assert.deepEqual(flame.boxes.map((b) => [b.lane, b.from, b.to]), [[0, 0, 7e6], [1, 1e6, 3e6]]);
  assert.equal(flame.width, 7e6);
  assert.deepEqual(sandwich(part).map((l) => [l.name, l.total]), [["cart get", 7e6], ["redis HGET", 2e6]]);
  const keep = Uint8Array.from([1, 0]);
  const service = intrinsicKey(part, "service") as GroupKey;
  assert.deepEqual(groupsOf(part, [service], keep).map((g) => [g.values[0], g.share]), [["cart", 1]]);
  assert.deepEqual(graphOfTrace(part, "service", keep).nodes.map((n) => n.service), ["cart"]);
  const g = decodeSkeleton(golden());
  const [at] = [...g.peers.keys()];
  assert.deepEqual([...subtreeOf(g, at).peers], [[0, g.peers.get(at)]]);
  assert.deepEqual([subtreeOf(g, 2).events.count, [...subtreeOf(g, 2).events.row]], [2, [0, 0]]);
});

test("the graph of a trace has calls between services, and peers", () => {
  const g = graphOfTrace(decodeSkeleton(golden()), "service");
  assert.deepEqual(g.edges.map((e) => [e.client, e.server, e.calls, e.errors]), [["web", "cart", "1", "1"], ["cart", "redis", "2", "0"]]);
  assert.equal(graphOfTrace(decodeSkeleton(golden()), "operation").nodes.length, 6);
  // A peer that is a service of the trace has the spans it sent, and no more.
  const named = golden();
  named.peers.names[named.peers.name[0]] = "web";
  const peer = graphOfTrace(decodeSkeleton(named), "service");
  assert.deepEqual(peer.nodes.map((n) => [n.service, n.type, n.calls]), [["web", "service", "2"], ["cart", "service", "4"]]);
  assert.deepEqual(peer.edges.map((e) => [e.client, e.server, e.calls]), [["web", "cart", "1"], ["cart", "web", "2"]]);
});

test("peers are rows of their own below the calls to them", () => {
  const s = decodeSkeleton(golden());
  const f = newFolding(s);
  assert.equal(visibleItems(s, f).length, 7);
  f.peers = true;
  const items = visibleItems(s, f);
  assert.deepEqual([...items].map((i) => rowOfItem(f, i)), [0, 1, 2, 3, 3, 4, 4, 5, 5]);
  assert.ok(isPeer(f, items[4]) && !isRun(f, items[4]) && !isPeer(f, items[3]));
  assert.equal(positionOf(f, items, 5), 8);
  f.closed[2] = 1;
  assert.equal(visibleItems(s, f).length, 5);
  assert.deepEqual(peerOf(s, 3), { name: "redis", type: "database", none: "no spans" });
  // One that sent other spans is no stranger.
  s.peers.set(3, { name: "web", type: "external" });
  assert.deepEqual(peerOf(s, 3), { name: "web", type: "service", none: "no span of this call" });
});

/** Three orphans of 70, two of 80, in turns; and a cycle of two. */
const ORPHANED: Made[] = [[1, 0, 0, 90], [2, 1, 5, 9], [10, 70, 10, 20], [11, 10, 11, 12, "web", "x", 2], [20, 80, 12, 30], [12, 70, 14, 50], [21, 80, 15, 16], [22, 21, 15, 17], [13, 70, 60, 61], [30, 31, 40, 41], [31, 30, 42, 43]];
const ids = (s: Skeleton, f: Folding) => [...visibleItems(s, f)].map((i) => (groupOfItem(f, i) >= 0 ? `(${f.orphans?.groups[groupOfItem(f, i)].parent.slice(-2)})` : String(Number.parseInt(spanIdAt(s, rowOfItem(f, i)), 16))));

test("spans of one missing parent stand together below it, behind all that has a root", () => {
  const s = traceOf(ORPHANED);
  const f = newFolding(s);
  const all = ["1", "2", "30", "31", "(46)", "10", "11", "12", "13", "(50)", "20", "21", "22"];
  assert.deepEqual(ids(s, f), all);
  const [seventy, eighty] = f.orphans?.groups ?? [];
  assert.deepEqual({ ...seventy, tops: seventy.tops.length }, { parent: hex(70), tops: 3, spans: 4, errors: 1, start: 10e6, end: 61e6 });
  assert.deepEqual([eighty.spans, eighty.start, eighty.end], [3, 12e6, 30e6]);
  const items = visibleItems(s, f);
  for (let row = 0; row < s.count; row++) assert.equal(rowOfItem(f, items[positionOf(f, items, row)]), row);
  assert.deepEqual(["1", "10", "11", "31"].map((id) => shownDepth(s, f, rowOf(s, id))), [0, 1, 2, 1]);
  // The walk of errors and matches goes as rows are shown.
  const walked: number[] = [];
  for (let row = nextShown(s, f, -1, 1, () => true), n = 0; n < s.count; row = nextShown(s, f, row, 1, () => true), n++) walked.push(row);
  assert.deepEqual(walked.map((row) => String(Number.parseInt(spanIdAt(s, row), 16))), all.filter((id) => !id.startsWith("(")));
});

test("a missing parent is folded, opened again by what is looked for, and kept above matches only", () => {
  const s = traceOf(ORPHANED);
  const f = newFolding(s);
  f.closedGroups.add(0);
  assert.deepEqual(ids(s, f), ["1", "2", "30", "31", "(46)", "(50)", "20", "21", "22"]);
  const items = visibleItems(s, f);
  assert.equal(positionOf(f, items, rowOf(s, "13")), 4);
  assert.equal(foldedDepth(s, f), 0);
  reveal(s, f, rowOf(s, "12"));
  assert.equal(f.closedGroups.size, 0);
  foldFrom(s, f, 0);
  assert.deepEqual(ids(s, f), ["1", "30", "(46)", "(50)"]);
  foldFrom(s, f, 1);
  assert.deepEqual(ids(s, f), ["1", "2", "30", "31", "(46)", "10", "12", "13", "(50)", "20", "21"]);
  f.only = new Uint8Array(s.count);
  f.only[rowOf(s, "22")] = 1;
  assert.deepEqual(ids(s, f), ["(50)", "21", "22"]);
  f.only = null;
  f.isolated = rowOf(s, "21");
  assert.deepEqual(ids(s, f), ["21"]);
  assert.equal(shownDepth(s, f, f.isolated), 0);
});

test("repeats below a missing parent are one row", () => {
  const s = traceOf([[1, 0, 0, 90], ...Array.from({ length: 6 }, (_, i): Made => [10 + i, 70, 10 + i, 11 + i, "web", "GET"]), [20, 80, 20, 21, "web", "GET"]]);
  const f = newFolding(s);
  assert.deepEqual(f.runs, [{ first: 1, count: 6 }]);
  assert.deepEqual(ids(s, f), ["1", "(46)", "10", "(50)", "20"]);
  f.openRuns.add(0);
  assert.deepEqual(ids(s, f), ["1", "(46)", "10", "10", "11", "12", "13", "14", "15", "(50)", "20"]);
});

test("a find is words, a condition, or a mask of the server", () => {
  for (const text of ["checkout", "GET /a", '"a = b"', "{"] as const) assert.equal(asQuery(text), text === "{" ? "{" : null, text);
  assert.equal(asQuery("status=error"), "{ status=error }");
  assert.equal(asQuery(' .a = "x" '), '{ .a = "x" }');
  assert.equal(asQuery("{ a } > { b }"), "{ a } > { b }");
  assert.deepEqual([...maskOfBitmap("GA==", 6)], [0, 0, 0, 1, 1, 0]);
  assert.throws(() => maskOfBitmap("GA==", 9));
  assert.equal(allOf([null, null], 3), null);
  assert.deepEqual([...(allOf([Uint8Array.of(1, 1, 0), null, Uint8Array.of(0, 1, 1)], 3)?.mask ?? [])], [0, 1, 0]);
});

test("values are taken apart for reading, and long ones folded", () => {
  assert.deepEqual(viewOf("db.query.text", "SELECT a FROM b WHERE c = 1 AND d = 2")?.text.split("\n"), ["SELECT a", "FROM b", "WHERE c = 1", "  AND d = 2"]);
  assert.deepEqual(viewOf("url.full", "http://h/p?a=1&b=%20x")?.text.split("\n"), ["http://h/p", "  ? a=1", "  & b= x"]);
  assert.equal(viewOf("exception.stacktrace", "E\n at f")?.kind, "stack");
  assert.equal(viewOf("x", "[".repeat(300000)), null);
  assert.equal(foldedText("a\nb\nc\nd"), "a\nb\nc");
  assert.equal(foldedText("x".repeat(5000)).length, FOLDED_CHARS);
  assert.equal(foldedText("short"), "short");
  assert.equal(prefixOf("http.request.method"), "http");
  assert.equal(prefixOf("plain"), "");
});

test("span ids of files stay on the rows they belong to", () => {
  const { spans, columns } = assemble(stored([[7, 0, 5, 6], [3, 7, 5, 6], [9, 7, 5.1, 6]]));
  const s = decodeSkeleton(columns);
  spans.forEach((x, row) => assert.equal(spanIdAt(s, row), x.span.spanId));
});

test("spans far from all others are told from them", () => {
  const near = Array.from({ length: 5 }, (_, i): Made => [i + 1, 0, 1e9 + i, 1e9 + i + 2]);
  assert.equal(bulkOf(traceOf(near)), null);
  const bulk = bulkOf(traceOf([...near, [9, 0, 0, 1]]));
  assert.deepEqual(bulk, { from: 1e15, to: 1e15 + 6e6, others: 1 });
});
