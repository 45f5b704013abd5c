// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { curlOf, firstSpanCurl, shellQuote } from "../src/model/curl";
import { DRAW_ALL_MAX, DRAW_TOP_MAX, distancesFrom, edgeWidth, graphAt, isFailing, LINK, linesOf, linksText, readGraph, shownOf, TOP, towards, WHOLE } from "../src/model/graph";
import { cutMiddle, formatBytes, formatCount, formatMean, formatPercent, formatRate, halvesOf, plural, shortName, visibleName } from "../src/model/text";
import { filterAttributes, NESTING_MAX, valueToText } from "../src/model/anyvalue";
import type { AnyValue } from "../src/api/types";

const latency = { p50: "1", p90: "2", p95: "3", p99: "4" };
const view = WHOLE;

function chain(count: number) {
  const name = (i: number) => `s${i}`;
  return readGraph({
    nodes: Array.from({ length: count }, (_, i) => ({ service: name(i), type: "service" as const, slot: i % 30, calls: "1", errors: "0" })),
    edges: Array.from({ length: count - 1 }, (_, i) => ({
      client: name(i), server: name(i + 1), connectionType: "", calls: String(count - i), errors: i === 0 ? "1" : "0",
      clientLatency: latency, serverLatency: null, exemplarTraceId: "",
    })),
    from: null,
    to: null,
    service: null,
    hops: null,
    relativeError: 0.011,
  });
}

test("a small graph is drawn whole, a large one by its top edges, a huge one not before a focus", () => {
  const small = shownOf(chain(DRAW_ALL_MAX), view);
  assert.deepEqual([small.nodes.length, small.hiddenNodes, small.hiddenEdges], [DRAW_ALL_MAX, 0, 0]);
  const large = shownOf(chain(DRAW_ALL_MAX + 1), { ...view, top: 3 });
  assert.deepEqual([large.edges.length, large.hiddenEdges, large.nodes.length], [3, DRAW_ALL_MAX - 3, 4]);
  assert.equal(shownOf(chain(DRAW_TOP_MAX), view).edges.length, TOP);
  const huge = shownOf(chain(DRAW_TOP_MAX + 1), view);
  assert.equal(huge.tooMany, true);
  assert.equal(huge.hiddenNodes, DRAW_TOP_MAX + 1);
  assert.equal(shownOf(chain(DRAW_TOP_MAX + 1), { ...view, all: true }).hiddenEdges, 0);
  // Matrix and table hold any number.
  assert.deepEqual([shownOf(chain(999), { ...view, drawn: false }).hiddenEdges, shownOf(chain(999), { ...view, drawn: false }).tooMany], [0, false]);
});

test("a focus shows its neighbours, as many hops as asked for", () => {
  const graph = chain(300);
  const names = (hops: number) => shownOf(graph, { ...view, focus: "s5", hops }).nodes.map((n) => n.service);
  assert.deepEqual(names(1), ["s4", "s5", "s6"]);
  assert.equal(names(2).length, 5);
  const along = (dir: "up" | "down") => shownOf(graph, { ...view, focus: "s5", hops: 2, dir }).nodes.map((n) => n.service);
  assert.deepEqual([along("up"), along("down")], [["s3", "s4", "s5"], ["s5", "s6", "s7"]]);
  assert.equal(distancesFrom(graph.edges, "s0", "down").get("s299"), 299);
});

test("edges below a share of all calls, and names without a part, are left out and counted", () => {
  const graph = chain(5); // 5, 4, 3, 2 calls
  const shown = shownOf(graph, { ...view, min: 3 / 14 });
  assert.deepEqual([shown.edges.map((e) => e.callCount), shown.hiddenEdges, shown.hiddenNodes], [[5, 4, 3], 1, 1]);
  assert.deepEqual(shownOf(graph, { ...view, name: "S2" }).edges.map((e) => [e.client, e.server]), [["s1", "s2"], ["s2", "s3"]]);
});

test("calls along links are shown and not counted twice", () => {
  const plain = chain(3); // 3, 2 calls
  const link = { ...plain.edges[0], connectionType: LINK, id: "link", callCount: 7 };
  const graph = readGraph({ nodes: [...plain.nodes.values()], edges: [...plain.edges, { ...link, calls: "7" }], from: null, to: null, service: null, hops: null, relativeError: 0.011 });
  assert.deepEqual([graph.calls, graph.edges.length, shownOf(graph, view).calls], [5, 3, 5]);
  const none = { p50: [null], p90: [null], p95: [null], p99: [null] };
  const row = (e: { client: string; server: string; connectionType: string }) => ({ client: e.client, server: e.server, connectionType: e.connectionType, calls: ["4"], errors: ["1"], clientLatency: none, serverLatency: none });
  const at = graphAt(graph, { edges: graph.edges.map(row), steps: ["0"], stepNano: "60000000000", from: null, to: null }, 0);
  assert.deepEqual([at.calls, at.nodes.get("s1")?.callCount, at.nodes.get("s1")?.errorCount], [8, 4, 1]);
  const links = { seen: "5", resolved: "2", sameTrace: "1", notFound: "1", otherKind: "0", notLookedUp: "1", complete: false };
  assert.equal(linksText(links), "5 links of consumers, 2 calls across traces; 1 to spans that are not stored, 1 in their own trace, 1 not looked up");
  assert.equal(linksText({ ...links, seen: "1", resolved: "1", sameTrace: "0", notFound: "0", notLookedUp: "0", complete: true }), "1 link of consumers, 1 call across traces");
});

test("edges of one pair and direction are one line; its name does not depend on their calls", () => {
  const [a, b] = chain(3).edges;
  const queue = { ...a, connectionType: "messaging_system", id: "queue", callCount: 9, errorCount: 9 };
  const back = { ...a, client: a.server, server: a.client, id: "back" };
  const lines = linesOf([queue, a, b, back]);
  assert.deepEqual(lines.map((l) => [l.client, l.server, l.callCount, l.edges.map((e) => e.id)]), [["s0", "s1", 9 + a.callCount, ["queue", a.id]], ["s1", "s2", b.callCount, [b.id]], ["s1", "s0", a.callCount, ["back"]]]);
  assert.equal(linesOf([a, queue])[0].id, lines[0].id);
  assert.equal(new Set(lines.map((l) => l.id)).size, 3);
  assert.deepEqual([queue, b].map(isFailing), [true, false]);
});

test("only errors keeps the edges that fail", () => {
  const shown = shownOf(chain(5), { ...view, onlyErrors: true });
  assert.deepEqual(shown.edges.map((e) => e.client), ["s0"]);
  assert.deepEqual(shown.nodes.map((n) => n.service), ["s0", "s1"]);
});

test("arrow keys go to the nearest service in their direction", () => {
  const others = [{ id: "far", x: 100, y: 90 }, { id: "near", x: 100, y: 5 }, { id: "behind", x: -10, y: 0 }];
  assert.equal(towards({ x: 0, y: 0 }, others, "right"), "near");
  assert.equal(towards({ x: 0, y: 0 }, others, "left"), "behind");
  assert.equal(towards({ x: 0, y: 0 }, [], "up"), null);
  assert.ok(edgeWidth(1, 1000) < edgeWidth(1000, 1000));
});

test("numbers say what is there", () => {
  assert.equal(formatCount("18446744073709551615"), "18,446,744,073,709,551,615");
  assert.equal(plural(1, "span"), "1 span");
  assert.equal(formatBytes(1717040), "1.72 MB");
  assert.deepEqual([1717040, 999600, 12345678].map(formatBytes), ["1.72 MB", "1.00 MB", "12.3 MB"]);
  assert.deepEqual([0.0001, 0.00123456, 0.03, 2.1, 45].map((p) => formatPercent(p, 100)), ["0.000100 %", "0.00123 %", "0.03 %", "2.1 %", "45 %"]);
  assert.deepEqual([3, 2.4, 0.0023449, 0.0000001, 99.96, 1234.5, 9.995].map(formatMean), ["3", "2.40", "0.00234", "1.00e-7", "100", "1,235", "9.99"]);
  assert.deepEqual([5 / 86400, 0.4 / 86400, 1 / 3600].map((rate) => formatRate(rate, 1)), ["5.00/d", "0.400/d", "1.00/h"]);
  assert.equal(formatPercent(0, 10), "0 %");
  assert.equal(formatRate(5, 100), "0.050/s");
});

test("a command survives any text", () => {
  assert.equal(shellQuote("a'b"), `'a'\\''b'`);
  assert.equal(curlOf("http://h/?q={a='b'}"), `curl -s 'http://h/?q={a='\\''b'\\''}'`);
  const body = /-d '(.*)'$/s.exec(firstSpanCurl("http://h", "a".repeat(32), "b".repeat(16), 5n))?.[1] ?? "";
  assert.equal(JSON.parse(body).resourceSpans[0].scopeSpans[0].spans[0].endTimeUnixNano, "42000005");
});

test("values become text, however deep they are nested", () => {
  assert.equal(valueToText({ stringValue: "<b>" }), "<b>");
  assert.equal(valueToText({ arrayValue: { values: [{ stringValue: "a" }, { intValue: "9007199254740993" }, {}] } }), '["a", 9007199254740993, ]');
  let deep: AnyValue = { boolValue: true };
  for (let i = 0; i < NESTING_MAX * 4; i++) deep = { kvlistValue: { values: [{ key: "k", value: deep }] } };
  assert.ok(valueToText(deep).includes("…"));
  const list = [{ key: "b", value: { stringValue: "x" } }, { key: "a", value: { stringValue: "Y" } }];
  assert.deepEqual(filterAttributes(list, "y").map((a) => a.key), ["a"]);
  assert.deepEqual(filterAttributes(list, "").map((a) => a.key), ["a", "b"]);
});

test("a name of nothing that can be seen is told in words", () => {
  assert.equal(visibleName("GET /"), "GET /");
  assert.equal(visibleName(" a "), " a ");
  assert.equal(visibleName(""), "(no name)");
  assert.equal(visibleName("", "(no service name)"), "(no service name)");
  for (const blank of [" ", "\t\n", "\u00a0\u2003", "\u200b\u2060", "\u0007"]) assert.equal(visibleName(blank), "(blank)");
});

test("a name is shown whole as long as it can be read, and then by its beginning and its length", () => {
  const sql = "SELECT a FROM b".padEnd(500, " -- why");
  assert.equal(shortName(sql), sql);
  assert.equal(shortName(`${sql}x`), `${sql} … 501 characters`);
  assert.equal(shortName("x".repeat(1 << 20)).length, 500 + " … 1,048,576 characters".length);
});

test("of a long name the beginning and the end are kept, whole letters of each", () => {
  assert.deepEqual(halvesOf("recommendation-service"), ["recommendation-service", ""]);
  assert.deepEqual(halvesOf("service-with-a-long-name-number-123"), ["service-with-a-long-name-nu", "mber-123"]);
  assert.deepEqual(halvesOf(`${"a".repeat(20)}${"🚲".repeat(8)}`), ["a".repeat(20), "🚲".repeat(8)]);
  assert.equal(cutMiddle("short", 5), "short");
  assert.equal(cutMiddle("service-number-123", 17), "service-…mber-123");
  for (const most of [2, 3, 9, 10]) assert.equal(cutMiddle("service-number-123", most).length, most);
});

test("no cut goes through a letter: not between surrogates, marks, the two halves of a flag or the members of a family", () => {
  const whole = { bike: "🚲", flag: "🇩🇪", family: "👨‍👩‍👧", tone: "👍🏽", marks: "e\u0301\u0323", vowel: "नि", keycap: "1️⃣", jamo: "\u1112\u1161\u11ab" };
  for (const [name, letter] of Object.entries(whole)) {
    assert.ok(letter.length > 1);
    const text = letter.repeat(40);
    const times = (n: number) => letter.repeat(n);
    assert.equal(cutMiddle(text, 20), `${times(11)}…${times(8)}`, name);
    assert.equal(cutMiddle(text, 3), `${times(1)}…${times(1)}`, name);
    assert.equal(cutMiddle(text, 40), text, name);
    // Counted as letters: short enough, though it has more code units than that.
    assert.equal(cutMiddle(times(12), 12), times(12), name);
    assert.deepEqual(halvesOf(text), [times(32), times(8)], name);
    assert.deepEqual(halvesOf(times(23)), [times(23), ""], name);
    const begin = shortName(letter.repeat(501)).split(" … ")[0];
    assert.ok(begin.length <= 500 && begin.length > 500 - 2 * letter.length, name);
    assert.equal(begin, times(begin.length / letter.length), name);
    // Wherever the cut falls in it.
    for (let n = 1; n <= letter.length; n++) assert.match(shortName("x".repeat(n) + letter.repeat(501)), new RegExp(`^x{${n}}(?:${letter})+ … `, "u"), name);
    assert.equal(cutMiddle(`service-${times(9)}${"x".repeat(5000)}${times(9)}`, 20), `service-${times(3)}…${times(8)}`, name);
  }
});

test("a name of a megabyte is cut without being read", () => {
  const name = `${"ä".repeat(1 << 20)}\u0301 the end`;
  assert.equal(cutMiddle(name, 20), `${"ä".repeat(11)}… the end`);
  assert.deepEqual(halvesOf(name), [`${"ä".repeat(1 << 20)}\u0301`, " the end"]);
  // One letter with no end of marks is bounded, too.
  assert.ok(cutMiddle(`a${"\u0301".repeat(1 << 20)}`, 20).length < 5000);
});
