// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MergedNode, SpanDetail } from "../src/api/types";
import { alignByName, changeText, compareCsv, compareNodes, csvField, deltaOf, parseSide, rootsDiffer, rowsByNode, rowsOfTree, topNodes, typedRef } from "../src/model/compare";
import { compareKeys, compareSpans } from "../src/model/compare-keys";
import { CARD, layoutTree, OUTLINE_STEP } from "../src/model/compare-layout";
import type { Skeleton } from "../src/model/skeleton";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";

test("a side of the address is a trace id in any form, or a set with its range", () => {
  assert.deepEqual(parseSide(ID), { kind: "trace", id: ID });
  assert.deepEqual(parseSide(`00-${ID}-00f067aa0ba902b7-01`), { kind: "trace", id: ID });
  assert.deepEqual(parseSide('q:{ .user = "a@b..c" }@now-1h..now'), { kind: "set", query: '{ .user = "a@b..c" }', from: "now-1h", to: "now" });
  assert.deepEqual(parseSide('q:{ .user = "a@b..c" }'), { kind: "set", query: '{ .user = "a@b..c" }', from: "", to: "" });
  assert.deepEqual(parseSide("q:{}@2026-01-01T00:00:00.5Z..2026-01-01T00:00:01.5Z"), { kind: "set", query: "{}", from: "2026-01-01T00:00:00.5Z", to: "2026-01-01T00:00:01.5Z" });
  assert.deepEqual(parseSide("q:{}@.."), { kind: "set", query: "{}", from: "", to: "" });
  for (const wrong of ["", "hello", "0".repeat(32)]) assert.equal(parseSide(wrong), null);
});

test("what is typed becomes a trace or a set of the page's range", () => {
  assert.equal(typedRef(` ${ID.toUpperCase()} `, "now-1h", ""), ID);
  assert.equal(typedRef("{ status = error }", "now-1h", ""), "q:{ status = error }@now-1h..");
  assert.equal(typedRef("q:{}@a..b", "now-1h", ""), "q:{}@a..b");
  assert.equal(typedRef("  ", "", ""), null);
});

const side = (calls: number, duration: number, self: number, traces?: number) => ({ calls, errors: 0, durationNano: String(duration), selfNano: String(self), ...(traces ? { traces } : {}) });
/** root(both) > slow(both), lost(A only) > leaf(A only), more(B only). */
const MERGED: MergedNode[] = [
  { parent: -1, depth: 0, service: "web", operation: "GET", kind: "server", change: "both", a: side(1, 100, 10), b: side(1, 150, 10) },
  { parent: 0, depth: 1, service: "db", operation: "get", kind: "client", change: "both", a: side(2, 40, 40), b: side(4, 60, 60) },
  { parent: 0, depth: 1, service: "old", operation: "x", kind: "internal", change: "gone", a: side(1, 50, 20), b: null },
  { parent: 2, depth: 2, service: "db", operation: "get", kind: "client", change: "gone", a: side(1, 30, 30), b: null },
  { parent: 0, depth: 1, service: "=new", operation: 'a "b"', kind: "internal", change: "new", a: null, b: side(1, 1, 1) },
];

test("differences are of b against a, of sets those of the mean trace", () => {
  const nodes = compareNodes(MERGED, [1, 1]);
  assert.deepEqual(nodes.map((n) => deltaOf(n, "duration")), [50, 20, -50, -30, 1]);
  assert.deepEqual(nodes.map((n) => n.subtree), [5, 1, 2, 1, 1]);
  assert.deepEqual(nodes.map((n) => changeText(n, "duration")), ["+50 %", "+50 %", "only in A", "only in A", "only in B"]);
  assert.equal(changeText(nodes[1], "count"), "+100 %");
  const near = compareNodes([{ ...MERGED[0], a: side(1, 100_000, 10), b: side(1, 100_028, 10) }], [1, 1]);
  assert.equal(changeText(near[0], "duration"), "+0.0 %");
  const means = compareNodes([{ ...MERGED[0], a: side(4, 400, 40, 2), b: side(9, 90, 9, 3) }], [4, 3]);
  assert.deepEqual([means[0].a?.duration, means[0].b?.duration, means[0].a?.share, means[0].b?.share], [100, 30, 0.5, 1]);
  assert.equal(changeText(means[0], "duration"), "−70 %");
  assert.throws(() => compareNodes([{ ...MERGED[0], parent: 0 }], [1, 1]));
});

test("siblings come by difference, children under their parents, closed ones without theirs", () => {
  const nodes = compareNodes(MERGED, [1, 1]);
  assert.deepEqual(rowsOfTree(nodes, "duration", new Set()), [0, 2, 3, 1, 4]);
  assert.deepEqual(rowsOfTree(nodes, null, new Set()), [0, 1, 2, 3, 4]);
  assert.deepEqual(rowsOfTree(nodes, "duration", new Set([2])), [0, 2, 1, 4]);
  assert.deepEqual(rowsOfTree(nodes, "duration", new Set([0])), [0]);
});

test("by name, calls of different paths are one, and what one side has somewhere is in both", () => {
  const flat = alignByName(compareNodes(MERGED, [1, 1]));
  const get = flat.find((n) => n.service === "db");
  assert.deepEqual([get?.merged, get?.a?.calls, get?.b?.calls, get?.change], [2, 3, 4, "both"]);
  assert.equal(flat.length, 4);
});

test("roots without anything in common are said", () => {
  const nodes = compareNodes(MERGED, [1, 1]);
  assert.equal(rootsDiffer(nodes), false);
  const other: MergedNode[] = [{ ...MERGED[0], change: "gone", b: null }, { ...MERGED[0], operation: "POST", change: "new", a: null }];
  assert.equal(rootsDiffer(compareNodes(other, [1, 1])), true);
  assert.equal(rootsDiffer(compareNodes([other[0]], [1, 1])), false);
});

test("a drawing keeps the greatest differences with what is above them, and no two cards overlap", () => {
  const nodes = compareNodes(MERGED, [1, 1]);
  assert.deepEqual([...topNodes(nodes, "duration", 2)].sort(), [0, 2]);
  assert.deepEqual([...topNodes(nodes, "duration", 3)].sort(), [0, 2, 3]);
  const many = compareNodes(
    Array.from({ length: 400 }, (_, i) => ({ ...MERGED[1], parent: i === 0 ? -1 : Math.floor((i * 7) % i), depth: 0, operation: `o${i}` })).map((n, i, all) => {
      let depth = 0;
      for (let at = n.parent; at >= 0; at = all[at].parent) depth++;
      return { ...n, depth };
    }),
    [1, 1],
  );
  const kept = topNodes(many, "duration", 100);
  const order = rowsOfTree(many, "duration", new Set()).filter((n) => kept.has(n));
  for (const room of [390, 1440, 100000]) {
    const { outline, cards, width, height } = layoutTree(many, order, room);
    assert.equal(outline, room === 390);
    assert.ok(width <= room || room === 390);
    assert.ok(cards.size <= 100 && cards.size > 50);
    const seen = [...cards.values()];
    const places = new Set(seen.map((c) => (outline ? `${c.y}` : `${c.x} ${c.y}`)));
    assert.equal(places.size, seen.length);
    for (const c of seen) {
      assert.ok(c.x >= 0 && c.x + CARD.width <= width && c.y >= 0 && c.y + CARD.height <= height);
      for (const child of c.children) assert.equal(many[child].parent, c.node);
    }
  }
});

test("however deep and wide a tree is, its drawing begins with the root and the way to the greatest difference", () => {
  const deep: MergedNode[] = [MERGED[0]];
  // Sixty levels, each with five leaves that differ less than what is below.
  for (let depth = 1; depth < 60; depth++) {
    const parent = depth === 1 ? 0 : deep.length - 1;
    for (let i = 0; i < 6; i++) deep.push({ ...MERGED[1], parent, depth, operation: `${depth} ${i}`, b: side(4, i === 5 ? 400 - depth : 41, 41) });
  }
  const nodes = compareNodes(deep, [1, 1]);
  const order = rowsOfTree(nodes, "duration", new Set());
  const columns = [...layoutTree(nodes, order, 100000).cards.values()];
  assert.deepEqual([columns[0].node, columns[0].x, columns[0].y], [0, 0, 0]);
  assert.equal(columns.filter((c) => c.y === 0).length, 60);
  const outline = [...layoutTree(nodes, order, 390).cards.values()];
  assert.deepEqual(outline.slice(0, 3).map((c) => [nodes[c.node].depth, c.x, c.y]), [[0, 0, 0], [1, OUTLINE_STEP, CARD.height + CARD.gapY], [2, 2 * OUTLINE_STEP, 2 * (CARD.height + CARD.gapY)]]);
});

test("a file of differences holds every number, and no formula", () => {
  const lines = compareCsv(compareNodes(MERGED, [1, 1])).trimEnd().split("\r\n");
  assert.equal(lines.length, 6);
  assert.equal(lines[1], "0,web,GET,server,both,1,1,0,0,100,150,50,10,10,0");
  assert.equal(lines[5], `1,'=new,"a ""b""",internal,new,,1,,0,,1,1,,1,1`);
  assert.equal(csvField("-1"), "'-1");
  assert.equal(csvField(-1), "-1");
});

test("rows of a trace find their node of the merged tree", () => {
  const s = {
    count: 4, parent: Int32Array.of(-1, 0, 0, 0), service: Int32Array.of(0, 1, 1, 2), operation: Int32Array.of(0, 1, 1, 0), kind: Uint8Array.of(2, 3, 3, 1),
    services: [{ name: "web", slot: 0 }, { name: "db", slot: 1 }, { name: "stranger", slot: 2 }], operations: ["GET", "get"],
  } as unknown as Skeleton;
  const rows = rowsByNode(s, compareNodes(MERGED, [1, 1]));
  assert.deepEqual([...rows], [[0, [0]], [1, [1, 2]]]);
});

test("keys are the same, different, or on one side; a number is not its text", () => {
  const string = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const rows = compareKeys("g", [string("same", "x"), string("a", "1"), { key: "t", value: { intValue: "1" } }], [string("t", "1"), string("same", "x"), string("b", "")]);
  assert.deepEqual(rows.map((r) => [r.key, r.change]), [["a", "only a"], ["b", "only b"], ["same", "same"], ["t", "changed"]]);
  const detail = (end: string, events: string[]): SpanDetail => ({
    row: 0, span: { traceId: ID, spanId: "00f067aa0ba902b7", name: "n", kind: 2, startTimeUnixNano: "1000", endTimeUnixNano: end, events: events.map((name) => ({ name })) }, resource: {}, scope: { name: "lib" },
  });
  const compared = compareSpans(detail("2000", ["e", "e"]), detail("3000", ["e"]));
  const of = (key: string) => compared.find((r) => r.key === key);
  assert.deepEqual([of("duration")?.a, of("duration")?.b, of("duration")?.change], ["1.00 µs", "2.00 µs", "changed"]);
  assert.deepEqual([of("e")?.a, of("e")?.b], ["2 ×", "1 ×"]);
  assert.equal(of("name")?.change, "same");
});
