// SPDX-License-Identifier: Apache-2.0
// The skeleton and what is computed from it, on made up traces of every shape.
import assert from "node:assert/strict";
import test from "node:test";
import type { ColumnsAnswer } from "../src/api/types";
import { ticks } from "../src/model/axis";
import { findSpans, nextRow, words } from "../src/model/find";
import { overviewOf } from "../src/model/overview";
import { findRuns, foldedDepth, foldFrom, newFolding, positionOf, reveal, rowOfItem, runStats, shownDepth, visibleItems } from "../src/model/rows";
import { ancestors, decodeSkeleton, ERROR, rowOfSpan, type Skeleton, spanIdAt } from "../src/model/skeleton";

interface Made {
  depth: number;
  service?: number;
  operation?: number;
  start?: number;
  duration?: number;
  flags?: number;
}

const SERVICES = ["gateway", "cart", "redis"];
const OPERATIONS = ["GET /", "HGETALL", "Checkout Order"];
const hex = (n: number) => n.toString(16).padStart(16, "0");

/** A trace from depths in pre-order. */
function answer(spans: Made[]): ColumnsAnswer {
  const parent = spans.map((s, row) => {
    for (let at = row - 1; at >= 0; at--) if (spans[at].depth === s.depth - 1) return at;
    return -1;
  });
  const subtreeSize = spans.map(() => 1);
  for (let row = spans.length - 1; row >= 0; row--) if (parent[row] >= 0) subtreeSize[parent[row]] += subtreeSize[row];
  const start = spans.map((s, row) => s.start ?? row * 10);
  const duration = spans.map((s) => s.duration ?? 10);
  return {
    traceId: "0".repeat(31) + "1",
    startTimeUnixNano: "1795350535000000000",
    durationNano: String(Math.max(...start.map((at, row) => at + duration[row]))),
    spanCount: spans.length,
    errorCount: spans.filter((s) => (s.flags ?? 0) & ERROR).length,
    orphanCount: 0,
    duplicateCount: 0,
    rootCount: 1,
    depthMax: Math.max(...spans.map((s) => s.depth)),
    cycleCount: 0,
    services: SERVICES.map((name, slot) => ({ name, slot })),
    operations: OPERATIONS,
    columns: {
      start,
      duration,
      self: duration,
      depth: spans.map((s) => s.depth),
      subtreeSize,
      parent,
      service: spans.map((s) => s.service ?? 0),
      operation: spans.map((s) => s.operation ?? 0),
      kind: spans.map(() => 1),
      status: spans.map(() => 0),
      flags: spans.map((s) => s.flags ?? 0),
    },
    spanIds: spans.map((_, row) => hex(row + 1)).join(""),
    missingParents: [],
    criticalPath: [],
    events: { count: 0, names: [], row: [], time: [], name: [] },
    peers: { names: [], row: [], name: [], type: [] },
  };
}

const trace = (...spans: Made[]): Skeleton => decodeSkeleton(answer(spans));
const leaf = { depth: 2, service: 2, operation: 1 };
const items = (s: Skeleton, f = newFolding(s)) => [...visibleItems(s, f)];

test("an answer that contradicts itself is refused", () => {
  const good = answer([{ depth: 0 }, { depth: 1 }]);
  assert.equal(decodeSkeleton(good).count, 2);
  const broken: [string, (a: ColumnsAnswer) => void][] = [
    ["short column", (a) => a.columns.start.pop()],
    ["short ids", (a) => { a.spanIds = a.spanIds.slice(1); }],
    ["parent below", (a) => { a.columns.parent[0] = 1; }],
    ["subtree too large", (a) => { a.columns.subtreeSize[1] = 5; }],
    ["unknown service", (a) => { a.columns.service[1] = 9; }],
  ];
  for (const [what, change] of broken) {
    const bad = structuredClone(good);
    change(bad);
    assert.throws(() => decodeSkeleton(bad), what);
  }
});

test("span ids are found on their own boundaries only", () => {
  const s = trace({ depth: 0 }, { depth: 1 }, { depth: 1 });
  assert.equal(rowOfSpan(s, hex(3)), 2);
  assert.equal(spanIdAt(s, 2), hex(3));
  assert.equal(rowOfSpan(s, `0000000${"1".padStart(9, "0")}`.slice(0, 16)), 0);
  assert.equal(rowOfSpan(s, `1${"0".repeat(15)}`), -1);
  assert.deepEqual(ancestors(trace({ depth: 0 }, { depth: 1 }, { depth: 2 }), 2), [0, 1]);
});

test("folding hides a subtree, and revealing a row opens what hides it", () => {
  const s = trace({ depth: 0 }, { depth: 1 }, { depth: 2 }, { depth: 1 });
  const f = newFolding(s);
  assert.deepEqual(items(s, f), [0, 1, 2, 3]);
  f.closed[1] = 1;
  assert.deepEqual(items(s, f), [0, 1, 3]);
  assert.equal(positionOf(f, visibleItems(s, f), 2), 1);
  reveal(s, f, 2);
  assert.deepEqual(items(s, f), [0, 1, 2, 3]);
  foldFrom(s, f, 0);
  assert.deepEqual(items(s, f), [0]);
  foldFrom(s, f, 1);
  assert.deepEqual(items(s, f), [0, 1, 3]);
});

test("five and more repeats become one row that opens in its place", () => {
  const s = trace({ depth: 0 }, { depth: 1 }, leaf, leaf, leaf, leaf, leaf, { depth: 1, service: 1 });
  assert.deepEqual(findRuns(s), [{ first: 2, count: 5 }]);
  const f = newFolding(s);
  assert.deepEqual(items(s, f), [0, 1, ~0, 7]);
  assert.equal(rowOfItem(f, ~0), 2);
  f.openRuns.add(0);
  assert.deepEqual(items(s, f), [0, 1, ~0, 2, 3, 4, 5, 6, 7]);
  f.foldRuns = false;
  assert.deepEqual(items(s, f), [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(findRuns(trace({ depth: 0 }, { depth: 1 }, leaf, leaf, leaf, leaf)), []);
});

test("a run tells its sum, its quantiles and its extent", () => {
  const s = trace({ depth: 0 }, ...[5, 1, 2, 3, 4].map((duration, i) => ({ depth: 1, service: 2, start: i, duration })));
  const stats = runStats(s, findRuns(s)[0]);
  assert.deepEqual(stats, { sum: 15, p50: 3, p95: 5, max: 5, start: 0, end: 8 });
});

test("only matches keeps their ancestors, and isolating keeps a subtree", () => {
  const s = trace({ depth: 0 }, { depth: 1 }, { depth: 2, service: 1 }, { depth: 1 }, { depth: 2 });
  const f = newFolding(s);
  f.only = findSpans(s, "cart")?.mask ?? null;
  assert.deepEqual(items(s, f), [0, 1, 2]);
  f.only = null;
  f.isolated = 3;
  assert.deepEqual(items(s, f), [3, 4]);
});

test("a subtree that stands alone begins at the left, and is folded alone", () => {
  const s = trace({ depth: 0 }, { depth: 1 }, { depth: 2 }, { depth: 3 }, { depth: 1 }, { depth: 2 });
  const f = newFolding(s);
  f.isolated = 1;
  assert.deepEqual([1, 2, 3].map((row) => shownDepth(s, f, row)), [0, 1, 2]);
  foldFrom(s, f, 1);
  assert.deepEqual(items(s, f), [1, 2]);
  assert.equal(foldedDepth(s, f), 1);
  f.isolated = -1;
  assert.deepEqual(items(s, f), [0, 1, 2, 4, 5]);
  assert.deepEqual([1, 2, 5].map((row) => shownDepth(s, f, row)), [1, 2, 2]);
});

test("finding looks at service and name, and at a whole span id", () => {
  const s = trace({ depth: 0 }, { depth: 1, service: 1, operation: 2 }, { depth: 1, service: 2, operation: 1 });
  assert.deepEqual(words('a "b c" d'), ["a", "b c", "d"]);
  assert.equal(findSpans(s, "  "), null);
  assert.deepEqual([...(findSpans(s, "CART order")?.mask ?? [])], [0, 1, 0]);
  assert.equal(findSpans(s, '"order checkout"')?.count, 0);
  const many = Array.from({ length: 70 }, (_, i) => (i % 2 ? "cart" : "order"));
  assert.deepEqual([...(findSpans(s, many.join(" "))?.mask ?? [])], [0, 1, 0]);
  assert.equal(findSpans(s, [...many, "nowhere"].join(" "))?.count, 0);
  assert.deepEqual([...(findSpans(s, hex(3))?.mask ?? [])], [0, 0, 1]);
  // A part of an id, when no name has it: not one that is made of the end of one and the beginning of the next.
  assert.deepEqual([...(findSpans({ ...s, spanIds: `${"ab12".padEnd(16, "0")}${"00ab12".padEnd(16, "0")}${"0".padEnd(14, "0")}ab` }, "ab12")?.mask ?? [])], [1, 1, 0]);
  assert.equal(findSpans({ ...s, spanIds: `${"f".repeat(14)}ab${"12".padEnd(16, "0")}${"0".repeat(16)}` }, "ab12")?.count, 0);
  assert.equal(nextRow(3, 2, 1, (row) => row === 0), 0);
  assert.equal(nextRow(3, 0, -1, (row) => row === 2), 2);
  assert.equal(nextRow(3, 0, 1, () => false), -1);
});

test("the overview has every service at its place and the errors above", () => {
  const s = trace({ depth: 0, duration: 100, start: 0 }, { depth: 1, service: 1, start: 50, duration: 25, flags: ERROR });
  const o = overviewOf(s, 100, 10);
  assert.equal(o.lanes, 2);
  assert.ok(o.cells.slice(0, 100).every((c) => c === 1));
  assert.deepEqual([o.cells[149], o.cells[150], o.cells[174], o.cells[175]], [0, 2, 2, 0]);
  assert.equal(o.errors[50], 1);
});

test("ticks are round, in one unit, and no closer than asked", () => {
  assert.deepEqual(ticks(0, 205e6, 860, 100).map((t) => t.label), ["0 ms", "50 ms", "100 ms", "150 ms", "200 ms"]);
  assert.deepEqual(ticks(0, 1.2e3, 300, 100).map((t) => t.label), ["0.0 µs", "0.5 µs", "1.0 µs"]);
  for (const to of [1, 17, 999, 1e3, 1e6, 3.3e9, 7e10, 4e12, 9e14]) {
    const list = ticks(0, to, 800, 100);
    assert.ok(list.length >= 1 && list.length <= 9, `${to}: ${list.length}`);
  }
  assert.deepEqual(ticks(0, 60e9, 400, 100).map((t) => t.label), ["0 s", "15 s", "30 s", "45 s", "60 s"]);
  assert.deepEqual(ticks(0, 3600e9, 600, 100).map((t) => t.label), ["0 m", "10 m", "20 m", "30 m", "40 m", "50 m", "60 m"]);
  assert.deepEqual(ticks(5390e9, 5394e9, 400, 100).map((t) => t.label), ["5390 s", "5391 s", "5392 s", "5393 s", "5394 s"]);
  assert.deepEqual(ticks(0, 17865 * 86400e9, 300, 100).map((t) => t.label), ["0 d", "10000 d"]);
  assert.deepEqual(ticks(5, 5, 800), []);
});

test("a trace of 100,000 spans, 5,000 deep, is folded and searched in one pass", () => {
  const spans = Array.from({ length: 100000 }, (_, row) => ({ depth: Math.min(row, 5000), service: row % 3, operation: row % 3 }));
  // Parents by hand: the helper above looks back for them, which is for small traces.
  const made = answer(spans.slice(0, 2));
  const parent = spans.map((s, row) => (row === 0 ? -1 : s.depth > spans[row - 1].depth ? row - 1 : 4999));
  const size = spans.map(() => 1);
  for (let row = spans.length - 1; row > 0; row--) size[parent[row]] += size[row];
  const column = (f: (row: number) => number) => spans.map((_, row) => f(row));
  const s = decodeSkeleton({
    ...made,
    spanCount: spans.length,
    depthMax: 5000,
    columns: { ...made.columns, start: column((r) => r), duration: column(() => 5), self: column(() => 5), depth: spans.map((x) => x.depth), subtreeSize: size, parent, service: column((r) => r % 3), operation: column((r) => r % 3), kind: column(() => 1), status: column(() => 0), flags: column(() => 0) },
    spanIds: column((r) => r).map((r) => hex(r + 1)).join(""),
  });
  assert.equal(visibleItems(s, newFolding(s)).length, 100000);
  assert.equal(findSpans(s, "redis")?.count, 33333);
});
