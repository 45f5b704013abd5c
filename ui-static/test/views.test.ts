// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HeatmapAnswer, MetricRange, MetricSeries } from "../src/api/types";
import { barsOfHeat, countTicks, heightOfCount, sumOf } from "../src/model/histogram";
import { upToText } from "../src/model/text";
import { countOf, errorsOf, linesOf, lineQueries, nameOf, picksOf, restQuery, topQuery } from "../src/model/timeseries";

const heat: HeatmapAnswer = {
  from: "1000", to: "2000", stepNano: "1000", bounds: ["0", "10", "20", "40"], relativeError: 0.01, tookMs: 1,
  steps: [{ timeUnixNano: "1000", count: "113", errors: "10", quantiles: {} }],
  cells: [[0, 0, 4, 1], [0, 2, 100, 0], [0, 1, 9, 9]],
};

test("bars of a histogram are the rows of the heatmap, each span once", () => {
  const bars = barsOfHeat(heat);
  assert.deepEqual(bars, [{ low: 0, high: 10, count: 4, errors: 1 }, { low: 10, high: 20, count: 9, errors: 9 }, { low: 20, high: 40, count: 100, errors: 0 }]);
  // Several steps add up.
  assert.deepEqual(barsOfHeat({ ...heat, cells: [...heat.cells, [1, 0, 6, 2]] })[0], { low: 0, high: 10, count: 10, errors: 3 });
  assert.deepEqual(sumOf(bars, 0, 1), { count: 13, errors: 10 });
  assert.deepEqual(sumOf(bars, -5, 99), { count: 113, errors: 10 });
  assert.deepEqual(sumOf(bars, 1, 0), { count: 0, errors: 0 });
});

test("heights and ticks of counts", () => {
  assert.equal(heightOfCount(0, 100, true), 0);
  assert.equal(heightOfCount(100, 100, true), 1);
  assert.equal(heightOfCount(50, 100, false), 0.5);
  assert.ok(heightOfCount(1, 1e6, true) > 0.04);
  for (const most of [1, 2, 7, 99, 2222, 1e6]) {
    const ticks = countTicks(most, false);
    assert.ok(ticks.length >= 2 && ticks.length <= 7 && ticks.every((t) => Number.isInteger(t) && t <= most), `${most}: ${ticks}`);
  }
  assert.deepEqual(countTicks(2222, true), [0, 1, 10, 100, 1000]);
  assert.equal(upToText(113, 113), "100 %");
  assert.equal(upToText(112999, 113000), "99.99 %");
  assert.equal(upToText(1, 4), "25.0 %");
});

const labelled = (value: string | null, points: [string, number][], p?: string): MetricSeries => ({
  labels: [{ key: "span.x", value, type: value === null ? "nil" : "string" }, ...(p ? [{ key: "p", value: p, type: "float" as const }] : [])],
  points,
});
const range = (series: MetricSeries[]): MetricRange => ({ series, from: "100", to: "130", stepNano: "10" });

test("lines by group, and the rest, add up to everything in each step", () => {
  const by = "span.x";
  const picks = picksOf({ series: [labelled("b", [["0", 4]]), labelled("a", [["0", 9]]), labelled(null, [["0", 4]])] }, by);
  assert.deepEqual(picks.map((p) => [p.value, p.count]), [["a", 9], [null, 4], ["b", 4]]);
  const answers = [
    range([{ labels: [], points: [["100", 10], ["110", 0], ["120", 9]] }]),
    range([{ labels: [], points: [["100", 2], ["110", 0], ["120", 1]] }]),
    range([labelled("a", [["100", 0.5]], "0.5"), labelled("a", [["100", 2]], "0.99"), labelled(null, [["120", 1]], "0.5")]),
    range([labelled("a", [["100", 5], ["110", 0], ["120", 4]]), labelled("b", [["100", 3], ["120", 1]]), labelled(null, [["120", 4]])]),
    range([labelled("a", [["100", 2]])]),
  ];
  const over = linesOf(answers, by, picks);
  assert.deepEqual(over.lines.map(nameOf), ["a", "(none)", "b", "the rest"]);
  assert.equal(over.count, 19);
  assert.equal(over.errors, 3);
  for (let i = 0; i < over.axis.steps; i++) {
    assert.equal(over.lines.reduce((sum, l) => sum + l.counts[i], 0), [10, 0, 9][i]);
    assert.equal(over.lines.reduce((sum, l) => sum + l.errors[i], 0), [2, 0, 1][i]);
  }
  assert.deepEqual(over.lines[0].quantiles, [[5e8, null, null], [null, null, null], [2e9, null, null]]);
  assert.deepEqual(over.lines[1].quantiles[0], [null, null, 1e9]);
  assert.deepEqual(over.lines[3].quantiles, [], "not asked for");
  const rest = range([{ labels: [{ key: "p", value: "0.95", type: "float" }], points: [["120", 4]] }]);
  assert.deepEqual(linesOf([...answers, rest], by, picks).lines[3].quantiles, [[null, null, null], [null, null, 4e9], [null, null, null]]);
  assert.equal(countOf(over.lines[3]), 2);
  assert.equal(errorsOf(over.lines[3]), 1);
});

test("without groups there is one line of all, and none when nothing matches", () => {
  const answers = (n: number) => [range([{ labels: [], points: [["100", n]] }]), range([]), range([{ labels: [{ key: "p", value: "0.5", type: "float" }], points: [["100", 1]] }])];
  const over = linesOf(answers(3), "", []);
  assert.deepEqual(over.lines.map(nameOf), ["all spans"]);
  assert.deepEqual(over.lines[0].quantiles[0], [1e9, null, null]);
  assert.deepEqual(linesOf(answers(0), "", []).lines, []);
});

test("what is asked for are the groups that are drawn, and everything", () => {
  assert.equal(topQuery("", "span.x", 5), "{ } | count_over_time() by (span.x) | topk(5)");
  assert.equal(lineQueries("", "", []).length, 3);
  assert.equal(lineQueries("", "span.x", []).length, 3);
  const queries = lineQueries('{ kind = server }', "span.x", [{ value: 'a"', type: "string", count: 1 }, { value: null, type: "nil", count: 1 }]);
  assert.equal(queries[3], '{ kind = server && (span.x = "a\\"" || span.x = nil) } | count_over_time() by (span.x)');
  assert.equal(queries[4], '{ kind = server && (span.x = "a\\"" || span.x = nil) && status = error } | count_over_time() by (span.x)');
  assert.equal(
    restQuery("{ kind = server }", "span.x", [{ value: "a", type: "string", count: 1 }, { value: null, type: "nil", count: 1 }]),
    '{ kind = server && !(span.x = "a" || span.x = nil) } | quantile_over_time(duration, .5, .95, .99)',
  );
  assert.equal(lineQueries("", "span.x", [{ value: "a", type: "string", count: 1 }])[3], '{ span.x = "a" } | count_over_time() by (span.x)');
});
