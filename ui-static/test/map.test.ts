// SPDX-License-Identifier: Apache-2.0
// The map: orders, rings, steps, differences and files, each against what is worked out here by hand or by brute force.
import assert from "node:assert/strict";
import test from "node:test";
import type { GraphCalls } from "../src/api/types";
import { changeText, comparedRange, heldOf } from "../src/model/change";
import { distancesFrom, edgeLine, estimateText, graphAt, layoutEstimate, measureBefore, measureOf, measureText, readGraph, shownOf, walk, WHOLE, withDifference, withNumbers } from "../src/model/graph";
import { callsToShow } from "../src/model/graph-calls";
import { FORMATS, pngWithText, writeGraph } from "../src/model/graph-export";
import { callOrder, matrixOf, nextCell } from "../src/model/graph-order";
import { layoutRadial } from "../src/model/radial";

const latency = (ms: number) => ({ p50: String(ms * 1e6), p90: String(2 * ms * 1e6), p95: String(3 * ms * 1e6), p99: String(4 * ms * 1e6) });
type Call = [string, string, number, number?, string?];

function graphOf(calls: Call[], alone: string[] = []) {
  const names = [...new Set([...calls.flatMap(([a, b]) => [a, b]), ...alone])].sort();
  return readGraph({
    nodes: names.map((service) => ({ service, type: "service" as const, slot: 0, calls: String(calls.filter((c) => c[1] === service).reduce((n, c) => n + c[2], 0)), errors: "0" })),
    edges: calls.map(([client, server, n, errors = 0, connectionType = ""]) => ({ client, server, connectionType, calls: String(n), errors: String(errors), clientLatency: latency(n), serverLatency: null, exemplarTraceId: null })),
    from: null, to: null, relativeError: 0.011,
  });
}

/** Small numbers that look random, the same each time. */
function random(seed: number) {
  return () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
}

test("callers come before those whom they call, whatever the graph; cycles stay together", () => {
  const next = random(3);
  for (let round = 0; round < 60; round++) {
    const count = 2 + Math.floor(next() * 12);
    const name = (i: number) => `s${String(i).padStart(2, "0")}`;
    const edges = Array.from({ length: Math.floor(next() * 30) }, () => ({ client: name(Math.floor(next() * count)), server: name(Math.floor(next() * count)), callCount: 1 + Math.floor(next() * 9) }));
    const names = Array.from({ length: count }, (_, i) => name(i));
    const order = callOrder(names, edges);
    assert.deepEqual([...order].sort(), names);
    const reach = new Map(names.map((n) => [n, distancesFrom(edges, n, "down")]));
    for (const e of edges) {
      const cycle = reach.get(e.server)?.has(e.client);
      if (!cycle) assert.ok(order.indexOf(e.client) < order.indexOf(e.server), `${e.client} before ${e.server}: ${order}`);
    }
    // Between two of one cycle there is nobody else.
    for (const a of names) {
      const own = names.filter((b) => reach.get(a)?.has(b) && reach.get(b)?.has(a)).map((n) => order.indexOf(n));
      assert.equal(Math.max(...own) - Math.min(...own), own.length - 1);
    }
    assert.deepEqual(callOrder([...names].reverse(), [...edges].reverse()), order);
  }
  const long = Array.from({ length: 50000 }, (_, i) => ({ client: `n${i}`, server: `n${i + 1}`, callCount: 1 }));
  assert.equal(callOrder(long.map((e) => e.client), long)[0], "n0"); // no recursion
});

test("groups stand together, in the order of their first service", () => {
  const groups = new Map([["a", "x"], ["b", "y"], ["c", "x"], ["d", "y"]]);
  const chain = [["a", "b"], ["b", "c"], ["c", "d"]].map(([client, server]) => ({ client, server, callCount: 1 }));
  assert.deepEqual(callOrder(["d", "c", "b", "a"], chain, groups), ["a", "c", "b", "d"]);
});

test("a matrix has callers down, callees across, and a cursor that finds the next call", () => {
  const graph = graphOf([["web", "cart", 5], ["web", "pay", 2], ["pay", "bank", 1], ["web", "cart", 3, 0, "messaging_system"]]);
  const m = matrixOf(graph.edges);
  assert.deepEqual([m.rows, m.columns], [["web", "pay"], ["cart", "pay", "bank"]]);
  assert.deepEqual([...m.cells].map(([key, edges]) => [key, edges.length]).sort(), [["0 0", 2], ["0 1", 1], ["1 2", 1]]);
  assert.deepEqual(nextCell(m, { row: 0, column: 0 }, { row: 0, column: 1 }), { row: 0, column: 1 });
  assert.equal(nextCell(m, { row: 0, column: 1 }, { row: 0, column: 1 }), null);
  assert.deepEqual(nextCell(m, { row: 0, column: 2 }, { row: 1, column: 0 }), { row: 1, column: 2 });
});

test("in rings no card lies on another, each ring is one call further, and the same graph is drawn the same", () => {
  const next = random(11);
  for (const count of [1, 2, 7, 40, 120]) {
    const nodes = Array.from({ length: count }, (_, i) => ({ id: `s${i}`, width: 190, height: 40 }));
    const edges = Array.from({ length: 2 * count }, () => ({ from: `s${Math.floor(next() * count)}`, to: `s${Math.floor(next() * count)}`, weight: Math.floor(next() * 9) }));
    const drawn = layoutRadial(nodes, edges, "s0");
    assert.equal(drawn.nodes.length, count);
    const far = distancesFrom(edges.filter((e) => e.from !== e.to).map((e) => ({ client: e.from, server: e.to })), "s0", "both");
    const most = Math.max(...far.values());
    for (const [i, a] of drawn.nodes.entries()) {
      assert.ok(a.x >= 95 && a.y >= 20 && a.x <= drawn.width - 95 && a.y <= drawn.height - 20);
      for (const b of drawn.nodes.slice(0, i)) assert.ok(Math.abs(a.x - b.x) >= 190 || Math.abs(a.y - b.y) >= 40, `${a.id} on ${b.id} of ${count}`);
      const hops = far.get(a.id) ?? most + 1;
      const ring = drawn.rings.find((r) => r.hops === hops || (r.hops < 0 && hops > most));
      const away = ring ? Math.hypot((a.x - drawn.centre.x) / ring.rx, (a.y - drawn.centre.y) / ring.ry) : 0;
      if (hops > 0) assert.ok(Math.abs(away - 1) < 1e-6, `${a.id} is ${away} of its ring`);
      else assert.deepEqual([a.x, a.y], [drawn.centre.x, drawn.centre.y]);
    }
    assert.deepEqual(layoutRadial(nodes, edges, "s0"), drawn);
  }
  // Nobody chose: the one with most calls; callees on the right, callers on the left.
  const star = layoutRadial(["a", "hub", "z"].map((id) => ({ id, width: 190, height: 40 })), [{ from: "a", to: "hub", weight: 5 }, { from: "hub", to: "z", weight: 5 }], "");
  const x = new Map(star.nodes.map((n) => [n.id, n.x]));
  assert.ok((x.get("a") ?? 0) < (x.get("hub") ?? 0) && (x.get("hub") ?? 0) < (x.get("z") ?? 0));
});

test("arrows walk along edges first, and to the nearest service where none leads", () => {
  const places = new Map([["a", { x: 0, y: 0 }], ["near", { x: 50, y: 0 }], ["linked", { x: 200, y: 30 }], ["up", { x: 0, y: -100 }]]);
  const edges = [{ client: "a", server: "linked" }];
  assert.equal(walk("a", places, edges, "right"), "linked");
  assert.equal(walk("a", places, [], "right"), "near");
  assert.equal(walk("a", places, edges, "up"), "up");
  assert.equal(walk("a", places, edges, "left"), null);
});

test("a step has the calls of its time, on the same services and edges", () => {
  const graph = graphOf([["web", "cart", 30, 3], ["cart", "db", 12]]);
  const quantiles = { p50: ["1", null], p90: ["2", null], p95: ["3", null], p99: ["4", null] };
  const none = { p50: [null, null], p90: [null, null], p95: [null, null], p99: [null, null] };
  const series = {
    edges: [{ client: "web", server: "cart", connectionType: "", calls: ["10", "0"], errors: ["3", "0"], clientLatency: quantiles, serverLatency: none }],
    steps: ["0", "60"], stepNano: "60", from: null, to: null,
  };
  const [first, second] = [graphAt(graph, series, 0), graphAt(graph, series, 1)];
  assert.deepEqual(first.edges.map((e) => [e.server, e.callCount, e.errorCount, e.clientLatency?.p95 ?? null]), [["cart", 10, 3, "3"], ["db", 0, 0, null]]);
  assert.deepEqual([first.nodes.get("cart")?.callCount, first.nodes.get("cart")?.errorCount, first.calls, second.calls], [10, 3, 10, 0]);
  const shown = withNumbers(shownOf(graph, WHOLE), second);
  assert.deepEqual([shown.nodes.length, shown.edges.map((e) => e.callCount), shown.calls], [3, [0, 0], 0]);
  assert.equal(edgeLine(shown.edges[0], 60), "no calls");
});

test("beside another range each edge has what it was, and calls that are gone are there", () => {
  const graph = withDifference(graphOf([["web", "cart", 30, 3], ["web", "new", 5]]), {
    edges: [
      { client: "web", server: "cart", connectionType: "", change: "slower", before: { calls: "20", errors: "0", clientLatency: latency(7), serverLatency: null } },
      { client: "web", server: "new", connectionType: "", change: "new", before: null },
      { client: "web", server: "old", connectionType: "database", change: "gone", before: { calls: "9", errors: "9" } },
    ],
  }, [300, 300]);
  const at = (server: string) => graph.edges.find((e) => e.server === server);
  assert.deepEqual(graph.edges.map((e) => [e.server, e.callCount, e.change, e.before?.callCount ?? null]), [["cart", 30, "slower", 20], ["new", 5, "new", null], ["old", 0, "gone", 9]]);
  assert.equal(graph.nodes.get("old")?.type, "database");
  const cart = at("cart");
  assert.ok(cart);
  assert.deepEqual((["rate", "err", "p95"] as const).map((m) => [measureOf(cart, m), measureBefore(cart, m)]), [[30, 20], [0.1, 0], [90e6, 21e6]]);
  assert.deepEqual(comparedRange("prev", { from: 600n, to: 900n }, 60n, 0n), { from: 300n, to: 600n });
});

test("calls of two ranges that are not as long are compared by the second, also those of one step", () => {
  const before = { calls: "30", errors: "3" };
  const other = { edges: [{ client: "web", server: "cart", connectionType: "", change: "same" as const, before }] };
  const compared = (now: number, then: number) => withDifference(graphOf([["web", "cart", 60]]), other, [now, then]);
  const change = (graph: ReturnType<typeof compared>) => changeText(measureOf(graph.edges[0], "rate") ?? 0, measureBefore(graph.edges[0], "rate") ?? 0);
  assert.deepEqual([change(compared(600, 600)), change(compared(600, 300)), change(compared(300, 600)), change(compared(0, 0))], ["×2.0", "", "×4.0", "×2.0"]);
  // What was counted is told as it was, and shares have no length.
  const [edge] = compared(600, 300).edges;
  assert.deepEqual([edge.before?.callCount, edge.before?.perSecond, edge.before?.inSameTime, measureBefore(edge, "err")], [30, 0.1, 60, 0.1]);
  const none = { p50: [null], p90: [null], p95: [null], p99: [null] };
  const steps = { edges: [{ client: "web", server: "cart", connectionType: "", calls: ["6"], errors: ["0"], clientLatency: none, serverLatency: none }], steps: ["0"], stepNano: "60000000000", from: null, to: null };
  assert.equal(change(graphAt(compared(600, 300), steps, 0)), "");
});

test("of a range that begins before the first span, what is held of it counts", () => {
  const range = { from: 600n, to: 900n };
  assert.deepEqual([heldOf(range, 700n), heldOf(range, 100n), heldOf(range, null)], [{ from: 700n, to: 900n }, range, range]);
  // Nothing of it: its length stays that of the question.
  assert.deepEqual(heldOf(range, 900n), range);
});

test("p95 of what sends no spans is only told when one caller saw it", () => {
  const answer = (callers: string[]) => readGraph({
    nodes: [...callers, "redis"].map((service) => ({ service, type: service === "redis" ? ("database" as const) : ("service" as const), slot: 0, calls: "1", errors: "0" })),
    edges: callers.map((client) => ({ client, server: "redis", connectionType: "database", calls: "1", errors: "0", clientLatency: latency(1), serverLatency: null, exemplarTraceId: null })),
    from: null, to: null, relativeError: 0,
  }, new Map([["a", { p95: 5, answered: 1 }]]));
  assert.deepEqual([answer(["a"]).nodes.get("redis")?.p95, answer(["a", "b"]).nodes.get("redis")?.p95, answer(["a"]).nodes.get("a")?.p95], [3e6, null, 5]);
});

test("an estimate has one digit, grows with the graph, and learns from what was measured", () => {
  assert.deepEqual([estimateText(120), estimateText(1310), estimateText(90000)], ["0.1 s", "1 s", "2 min"]);
  assert.ok(layoutEstimate(200, 600) > 1000 && layoutEstimate(200, 600) < 1700);
  assert.ok(layoutEstimate(200, 600, { nodes: 50, edges: 120, ms: 262 }) > 1.9 * layoutEstimate(200, 600));
  assert.equal(measureText(null, "p95", 0), "–");
});

const EVIL = ['a"b\\', "<c>&'", "=1+1,x\r\n# no", "%%{init}`#", "‮\u0000\ud800x"];

test("every format has every service and edge, says what it is of, and is the same in any order", () => {
  const calls: Call[] = [["web", "cart", 30, 3], ...EVIL.map((n, i): Call => ["web", n, i + 1])];
  const about = { page: "http://h/map/?q=<&\n>", query: "http://h/v1/graph", from: "2026-01-01T00:00:00Z", to: "", generatedAt: "2026-01-02T00:00:00Z", version: "Spoor 9", thresholds: { scope: "visible", top: "200" } };
  const of = (list: Call[]) => {
    const { nodes, edges } = graphOf(list);
    return { nodes: [...nodes.values()], edges, seconds: 60, about, groups: new Map([["web", "front\"end"]]) };
  };
  for (const [format] of FORMATS) {
    const text = writeGraph(format, of(calls));
    assert.equal(writeGraph(format, of([...calls].reverse())), text, format);
    for (const part of ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "Spoor 9", "200", "v1/graph", "cart"]) assert.ok(text.includes(part), `${format}: ${part}`);
  }
  const json = JSON.parse(writeGraph("json", of(calls)));
  assert.deepEqual([json.edges.length, json.nodes.length, json.about.thresholds.top], [6, 7, "200"]);
  assert.ok(EVIL.every((n) => json.nodes.some((x: { service: string }) => x.service === n)));
  // Nothing of a name may begin a line or leave its quotes.
  const dot = writeGraph("dot", of(calls)).split("\n");
  assert.ok(dot.includes('      n1 [label="web", shape=box, style=rounded];') || dot.some((l) => /label="web"/.test(l)));
  assert.ok(dot.every((l) => /^(\/\/|digraph|\}|\s+(n\d+|subgraph|label|rankdir|\}))/.test(l) || l === ""));
  const mermaid = writeGraph("mermaid", of(calls)).split("\n");
  assert.ok(mermaid.every((l) => /^(%%|flowchart LR$| {2}n\d+\("[^"<>]*"\)$| {2}n\d+ -->\|"[^"<>]*"\| n\d+$|$)/.test(l)), mermaid.join("\n"));
  const graphml = writeGraph("graphml", of(calls));
  assert.ok(!/<c>|\u0000|[\ud800-\udfff]/.test(graphml));
  assert.equal(graphml.match(/<edge /g)?.length, 6);
  const csv = writeGraph("edges.csv", of(calls));
  assert.ok(csv.includes('"\'=1+1,x\r\n# no"'));
});

test("a PNG keeps its bytes and says what it is of", () => {
  const bytes = (hex: string) => new Uint8Array(hex.match(/../g)?.map((b) => Number.parseInt(b, 16)) ?? []);
  const png = bytes("89504e470d0a1a0a0000000d4948445200000001000000010806000000" + "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082");
  const out = pngWithText(png, "Description", "Spoor é");
  const view = new DataView(out.buffer);
  assert.equal(view.getUint32(33), 11 + 5 + new TextEncoder().encode("Spoor é").length);
  assert.equal(new TextDecoder().decode(out.subarray(37, 41)), "iTXt");
  assert.deepEqual([out.length, out.subarray(out.length - 12)], [png.length + 12 + view.getUint32(33), png.subarray(png.length - 12)]);
  const crc = view.getUint32(37 + 4 + view.getUint32(33));
  assert.equal(crcByBits(out.subarray(37, 41 + view.getUint32(33))), crc);
});

/** CRC-32, bit by bit. */
function crcByBits(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const b of data) {
    crc ^= b;
    for (let k = 0; k < 8; k++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

test("ten calls at most are listed, each once: errors first, with room for slow and new ones", () => {
  const call = (n: number, error = false) => ({ traceId: String(n), spanId: "1", timeUnixNano: "0", durationNano: "0", error });
  const of = (from: number, count: number, error = false) => Array.from({ length: count }, (_, i) => call(from + i, error));
  const listed = (answer: Partial<GraphCalls>) => callsToShow({ failed: [], slowest: [], newest: [], complete: true, ...answer }).map(({ call: { traceId }, why }) => `${why} ${traceId}`);
  assert.deepEqual(listed({ failed: of(0, 9, true), slowest: of(2, 9), newest: of(50, 9) }), ["failed 0", "failed 1", "failed 2", "failed 3", "slowest 4", "slowest 5", "slowest 6", "newest 50", "newest 51", "newest 52"]);
  assert.deepEqual(listed({ slowest: of(0, 2), newest: of(0, 2) }), ["slowest 0", "slowest 1"]);
  assert.deepEqual(listed({ newest: of(0, 12) }), Array.from({ length: 10 }, (_, i) => `newest ${i}`));
});
