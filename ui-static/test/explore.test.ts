// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Comparison, FacetsAnswer, HeatmapAnswer, MetricAnswer, PathsAnswer, TraceSummary } from "../src/api/types";
import { cardsOfComparison, cardsOfFacets, populations, suspectQuery, suspectsOf, usualQuery, withFinding } from "../src/model/difference";
import { groupsOf, sortGroups } from "../src/model/groups";
import {
  boxOf, clockTicks, countIn, durationCondition, durationTicks, gridOf, heightOf, parseSelection, RAMPS, ramp, rowAt, selectionOf, selectionText,
} from "../src/model/heat";
import { columnsOf, findText, listed, spanOrder, templateOf, toCsv } from "../src/model/list";
import { contrast } from "../src/model/palette";
import { conditions, valueCondition, withCondition, withoutCondition } from "../src/model/traceql";

const answer: HeatmapAnswer = {
  from: "1000", to: "1095", stepNano: "10", bounds: ["0", "10", "20", "40"], relativeError: 0.01, tookMs: 1,
  steps: Array.from({ length: 10 }, (_, i) => ({ timeUnixNano: String(1000 + 10 * i), count: "0", errors: "0", quantiles: {} })),
  cells: [[0, 0, 4, 1], [9, 2, 100, 0], [3, 1, 9, 9]],
};

test("a selection is exactly the cells it was drawn over, also on another grid", () => {
  const grid = gridOf(answer);
  assert.equal(grid.most, 100);
  for (let c0 = 0; c0 < 10; c0++) {
    for (let c1 = c0; c1 < 10; c1++) {
      for (const [r0, r1] of [[0, 0], [0, 2], [1, 2], [2, 2]]) {
        const box = { c0, c1, r0, r1 };
        const s = selectionOf(grid, box);
        assert.deepEqual(boxOf(grid, s), box);
        assert.deepEqual(parseSelection(selectionText(s)), s);
      }
    }
  }
  assert.deepEqual(countIn(grid, { c0: 0, c1: 9, r0: 0, r1: 1 }), { count: 13, errors: 10 });
  // The last step ends with the range, not behind it.
  assert.equal(selectionOf(grid, { c0: 9, c1: 9, r0: 0, r1: 0 }).t1, 1095n);
  assert.equal(boxOf(grid, { t0: 2000n, t1: 3000n, d0: 0n, d1: 5n }), null);
  assert.deepEqual(durationCondition({ t0: 0n, t1: 1n, d0: 0n, d1: 40n }), ["duration < 40ns"]);
  for (const bad of ["", "1,2,3", "1,2,3,3", "2,1,3,4", "1,2,3,x", "-1,2,3,4"]) assert.equal(parseSelection(bad), null, bad);
});

test("rows lie where the axis says, logarithmic and linear", () => {
  const bounds = gridOf(answer).bounds;
  for (const linear of [false, true]) {
    const heights = bounds.map((b) => heightOf(bounds, b, linear));
    assert.equal(heights[0], 0);
    assert.equal(heights[3], 1);
    for (let row = 0; row < 3; row++) {
      assert.ok(heights[row] < heights[row + 1]);
      assert.equal(rowAt(bounds, (heights[row] + heights[row + 1]) / 2, linear), row);
    }
    assert.equal(rowAt(bounds, 2, linear), 2);
    assert.equal(rowAt(bounds, -1, linear), 0);
  }
  assert.deepEqual(durationTicks([8e3, 2e7], false), [1e4, 1e5, 1e6, 1e7]);
  const linear = durationTicks([0, 6074001000], true);
  assert.ok(linear.length >= 2 && linear.length <= 6 && linear[0] === 0);
});

test("ticks of the clock are round, within the range, and not too close", () => {
  const from = 1795893476324088548n;
  for (const seconds of [1, 61, 3600, 90000, 4e6, 1e8]) {
    const to = from + BigInt(seconds) * 1000000000n;
    const marks = clockTicks(from, to, 800, 80, 7200000000000n);
    assert.ok(marks.length <= 11, `${seconds}: ${marks.length}`);
    for (const t of marks) assert.ok(t >= from && t <= to);
  }
});

test("more is darker in the light and lighter in the dark, and the most can be told from the least", () => {
  const hex = (rgb: string) => `#${rgb.match(/\d+/g)?.map((n) => Number(n).toString(16).padStart(2, "0")).join("")}`;
  for (const [theme, background] of [["light", "#ffffff"], ["dark", "#14161a"]] as const) {
    for (const colours of Object.values(RAMPS[theme])) {
      const steps = [0, 0.25, 0.5, 0.75, 1].map((s) => contrast(hex(ramp(s, colours)), background));
      for (let i = 1; i < steps.length; i++) assert.ok(steps[i] > steps[i - 1]);
      assert.ok(steps[4] / steps[0] > 4);
      assert.ok(steps[4] >= 3);
    }
  }
});

test("conditions of all kinds become chips and go again", () => {
  const query = '{ a = "x && }" && (b != 1 || b = nil) && !(c = 2) }';
  const parts = ['a = "x && }"', "(b != 1 || b = nil)", "!(c = 2)"];
  assert.deepEqual(conditions(query), parts);
  for (const p of parts) {
    const rest = withoutCondition(query, p);
    assert.deepEqual(conditions(rest), parts.filter((x) => x !== p));
    assert.deepEqual(conditions(withCondition(rest, p)).sort(), [...parts].sort());
  }
  assert.equal(withoutCondition("{ a = 1 }", "a = 1"), "");
  for (const advanced of ["{ a = 1 || b = 2 }", "{ a = 1 } >> { b = 2 }", "{ a = 1 } | count() > 2", "{ a = 1", "", "{ }"]) assert.deepEqual(conditions(advanced), [], advanced);
  assert.equal(withCondition("{ a = 1 } | count() > 2", "b = 2"), "{ a = 1 } | count() > 2 | { b = 2 }");
});

test("a value is included and excluded so that spans without it are not lost", () => {
  assert.equal(valueCondition("span.m", "GET", "string"), 'span.m = "GET"');
  assert.equal(valueCondition("span.m", "GET", "string", true, true), '(span.m != "GET" || span.m = nil)');
  assert.equal(valueCondition("status", "error", "status", true), "status != error");
  assert.equal(valueCondition("span.m", null, "nil"), "span.m = nil");
  assert.equal(valueCondition("span.m", null, "nil", true), "span.m != nil");
  assert.equal(valueCondition("span.m", "[1]", "other"), null);
});

const compared = (key: string, value: string, aShare: number, bShare: number, more = {}) => ({
  scope: "span" as const, key, value, type: "string", aTraces: 1, bTraces: 1, aShare, bShare, difference: bShare - aShare, qValue: 0, found: true, ...more,
});
const side = { matchedTraces: 100, matchedSpans: "100", complete: true, incompleteReason: null, oldestStartUnixNano: null };
const comparison = (rows: Comparison["attributes"]["rows"]): Comparison => ({
  a: side, b: side, sharedTraces: 0, falseDiscoveryRate: 0.05, attributes: { rows, tested: rows.length, found: 0 },
});

test("differences are ranked, chance is left out, and aliases are one card", () => {
  const rows = [
    compared("tier", "gold", 0.1, 0.9), compared("tier", "free", 0.9, 0.1), compared("region", "eu", 0.2, 0.5), compared("noise", "x", 0, 0.9, { found: false }),
    compared("pid", "17", 0.2, 0.5, { scope: "resource" }),
  ];
  const cards = cardsOfComparison(comparison(rows));
  assert.deepEqual(cards.map((c) => c.key), ["span.tier", "span.region"]);
  assert.deepEqual(cards[0].values.map((v) => v.value), ["gold", "free"]);
  assert.deepEqual(cards[1].alike, ["resource.pid = 17"]);
  assert.equal(cardsOfComparison(comparison(Array.from({ length: 50 }, (_, i) => compared(`k${i}`, "v", 0, (i + 1) / 51)))).length, 12);
});

test("keys that name each span are no difference", () => {
  const facet = (key: string, score: number, distinct: number, selected: number) => ({
    key, score, distinct, complete: true, values: [{ value: "v", type: "string" as const, count: "60", selected: String(selected) }, { value: null, type: "nil" as const, count: "40", selected: "0" }],
  });
  const facets: FacetsAnswer = { spans: "100", selected: "20", tookMs: 1, facets: [facet("span.id", 0.9, 80, 20), facet("service", 0.5, 2, 20), facet("span.a", 0.5, 2, 20), facet("span.same", 0, 1, 20)] };
  const cards = cardsOfFacets(facets);
  assert.deepEqual(cards.map((c) => c.key), ["span.a"]);
  assert.equal(cards[0].values[0].selected, 1);
  assert.equal(cards[0].values[0].rest, 0.5);
  assert.ok(cards[0].lacking);
});

test("the call whose own time on critical paths grew most comes first", () => {
  const paths = (mean: string, list: [string, number][]): PathsAnswer => ({
    bands: [{ paths: 9, durationMeanNano: mean }], paths: 9, complete: true, nodes: list.map(([service, selfShare]) => ({ node: { service, operation: "x" }, shares: [{ selfShare }] })),
  });
  const rest = paths("1000", [["pay", 0.1], ["cart", 0.5], ["idle", 0.4]]);
  const selected = paths("10000", [["pay", 0.8], ["cart", 0.1], ["new", 0.07], ["tiny", 0.03], ["idle", 0.01]]);
  assert.deepEqual(suspectsOf(rest, selected, 9).map((s) => [s.service, s.rest, Math.round(s.selected)]), [["pay", 100, 8000], ["new", 0, 700], ["cart", 500, 1000]]);
  assert.equal(suspectsOf(rest, selected, 2).length, 2);
  assert.equal(suspectQuery({ service: "pay", operation: "Charge", rest: 0, selected: 1 }), '{ resource.service.name = "pay" && name = "Charge" }');
});

test("the two populations are the traces with a span in the box and the others", () => {
  const s = { t0: 1n, t1: 2n, d0: 5n, d1: 9n };
  assert.deepEqual(populations("", s, ""), { a: "(({ duration >= 5ns && duration < 9ns }) | count()) = 0", b: "({ duration >= 5ns && duration < 9ns }) && { }" });
  const { a, b } = populations("{ x = 1 }", s, "{ y = 2 }");
  assert.equal(a, "({ x = 1 }) && { } | (({ x = 1 && duration >= 5ns && duration < 9ns }) | count()) = 0 | { y = 2 }");
  assert.equal(b, "({ x = 1 && duration >= 5ns && duration < 9ns }) && { } | { y = 2 }");
});

test("a finding at another span becomes a condition on the trace", () => {
  const v = { value: "JPY", type: "string", selected: 1, rest: 0 };
  const suspect = { service: "pay", operation: "Charge", rest: 0, selected: 1 };
  const at = { call: suspect, spans: false, lacking: false };
  assert.equal(withFinding("", "span.c", v, false, at), '{ span.c = "JPY" }');
  assert.equal(withFinding("{ x = 1 }", "span.c", v, false, at), '({ x = 1 }) && { span.c = "JPY" }');
  assert.equal(withFinding("{ x = 1 }", "span.c", v, true, at), '({ x = 1 }) && { } | ({ span.c = "JPY" } | count()) = 0');
  assert.equal(withFinding('{ name = "Charge" }', "span.c", v, true, at), '{ name = "Charge" && span.c != "JPY" }');
  assert.equal(withFinding("{ x = 1 }", "span.c", v, false, { ...at, spans: true }), '{ x = 1 && span.c = "JPY" }');
});

test("a usual call took about the median and went well", () => {
  const { all, about } = usualQuery("web", 'GET "/"');
  assert.equal(all, '{ resource.service.name = "web" && name = "GET \\"/\\"" && status != error && rootName = "GET \\"/\\"" }');
  assert.ok(about(1000).includes("duration >= 800ns && duration <= 1250ns"));
});

test("groups are put together from four answers and sorted as asked", () => {
  const label = (value: string | null) => ({ key: "service", value, type: value === null ? ("nil" as const) : ("string" as const) });
  const one = (list: [string | null, number][]): MetricAnswer => ({ series: list.map(([v, n]) => ({ labels: [label(v)], points: [["0", n]] })) });
  const quantiles: MetricAnswer = { series: [["0.5", 1], ["0.95", 2], ["0.99", 3]].map(([p, n]) => ({ labels: [label("a"), { key: "p", value: String(p), type: "float" as const }], points: [["0", Number(n)]] })) };
  const groups = groupsOf([one([["a", 10], ["b", 20], [null, 5]]), one([["a", 5]]), quantiles, one([["a", 9], ["b", 1], [null, 4]])]);
  assert.deepEqual(sortGroups(groups, "-impact").map((g) => g.value), ["a", null, "b"]);
  assert.deepEqual(sortGroups(groups, "-count").map((g) => g.value), ["b", "a", null]);
  assert.deepEqual(sortGroups(groups, "-errors")[0], { value: "a", type: "string", count: 10, errors: 5, p50: 1e9, p95: 2e9, p99: 3e9, impact: 9e9 });
});

const span = (spanId: string, durationNano: string) => ({ spanId, serviceName: "s", name: "n", kind: "server", status: "ok", startTimeUnixNano: "5", durationNano });
const trace: TraceSummary = {
  traceId: "t", rootServiceName: "s", rootTraceName: "n", startTimeUnixNano: "1", durationNano: "9", spanCount: 9, errorCount: 0, matchedSpanIds: [], matchedSpanCount: 7,
  matchedSpans: [span("1", "3")], services: [], spanSets: [{ matched: 4, spans: [span("1", "3"), span("2", "4")] }, { matched: 3, spans: [span("2", "4"), span("3", "5")] }],
};

test("a list of spans has each span once and says how many are not listed", () => {
  const { rows } = listed([trace], true, "start", false);
  assert.deepEqual(rows.map((r) => r.span?.spanId), ["1", "2", "3"]);
  assert.deepEqual(rows.map((r) => r.beyond), [0, 0, 4]);
  assert.equal(listed([trace], false, "-start", true).rows[0].duration, 9);
});

test("spans are in an order of their own, and those whose place is not certain wait", () => {
  const of = (id: string, start: number, spans: [string, number, number][], orderValue: string): TraceSummary => ({
    ...trace, traceId: id, startTimeUnixNano: String(start), matchedSpanCount: spans.length, orderValue: { intValue: orderValue },
    spanSets: [{ matched: spans.length, spans: spans.map(([spanId, at, length]) => ({ ...span(spanId, String(length)), startTimeUnixNano: String(at) })) }],
  });
  const ids = (l: { rows: { span: { spanId: string } | null }[] }) => l.rows.map((r) => r.span?.spanId).join("");
  // By their longest span: 90, 50, 40.
  const slow = [of("a", 1, [["a", 1, 90], ["b", 2, 10]], "90"), of("c", 9, [["c", 9, 50], ["d", 9, 45]], "50"), of("e", 3, [["e", 3, 40], ["f", 4, 39]], "40")];
  assert.equal(ids(listed(slow, true, "-max(duration)", false)), "acdefb");
  // A trace that is not loaded has nothing longer than 40, but may have 39 or 10.
  const open = listed(slow, true, "-max(duration)", true);
  assert.equal(ids(open), "acde");
  assert.equal(open.waiting, 2);
  const fast = [of("b", 1, [["b", 2, 10], ["a", 1, 90]], "10"), of("f", 3, [["f", 4, 39], ["e", 3, 40]], "39")];
  assert.equal(ids(listed(fast, true, "min(duration)", true)), "bf");
  assert.equal(ids(listed(fast, true, "min(duration)", false)), "bfea");
  // By start of the trace, the oldest first: spans that begin later than the last trace wait.
  const old = [of("a", 1, [["a", 1, 1], ["z", 7, 1]], "0"), of("b", 5, [["b", 5, 1], ["c", 6, 1]], "0")];
  assert.equal(ids(listed(old, true, "start", true)), "ab");
  assert.equal(ids(listed(old, true, "start", false)), "abcz");
  assert.equal(ids(listed([...old].reverse(), true, "-start", true)), "zcba");
  // In an order of traces they stay together.
  assert.equal(ids(listed(old, true, "-spans", true)), "azbc");
  assert.deepEqual(["-duration", "duration", "start", "-max(duration)", "-errors"].map(spanOrder), ["-max(duration)", "min(duration)", "start", "-max(duration)", "-errors"]);
});

test("columns come as named, else the usual ones", () => {
  assert.deepEqual(columnsOf("", false, false), ["start", "trace", "duration", "spans", "errors", "services"]);
  assert.deepEqual(columnsOf("duration,start,span.x", false, true), ["start", "duration"]);
  assert.equal(templateOf(["start", "spans"], "day", 1).template, "138px 52px minmax(100px, 0.8fr)");
  assert.equal(templateOf(["start", "spans"], "year", 0).template, "170px 52px");
  assert.equal(findText({ serviceName: "a", name: "b c" }), '"a" "b c"');
  assert.equal(findText({ serviceName: "a", name: 'b"' }), null);
});

test("exported cells are quoted, and none is a formula", () => {
  assert.equal(toCsv([["a,b", 'say "x"', "=1+1", -5], ["line\nbreak", "", "plain", 0]]), '"a,b","say ""x""",\'=1+1,-5\r\n"line\nbreak",,plain,0\r\n');
});
