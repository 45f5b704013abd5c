// SPDX-License-Identifier: Apache-2.0
// Charts: the texts below them, and two heatmaps with the same rows.
import assert from "node:assert/strict";
import test from "node:test";
import type { HeatmapAnswer } from "../src/api/types";
import { fitEnds } from "../src/model/axis";
import { formatShort } from "../src/model/graph";
import { gridOf } from "../src/model/heat";
import { mostOf, pairOf } from "../src/model/heat-pair";
import { formatRate } from "../src/model/text";

test("the texts below a chart never lie on each other, also at midnight, and lose what says least first", () => {
  const midnight: [string, string] = ["11-28 23:30:00", "11-29 00:30:00"];
  assert.deepEqual(fitEnds(midnight, 40), midnight);
  assert.deepEqual(fitEnds(midnight, 29), ["11-28 23:30", "11-29 00:30"]);
  assert.deepEqual(fitEnds(midnight, 20), ["23:30", "00:30"]);
  assert.deepEqual(fitEnds(midnight, 8), ["23:30", ""]);
  assert.deepEqual(fitEnds(["11-28 10:00:07", "11-28 11:00:00"], 25), ["11-28 10:00:07", "11:00:00"]);
  // A week: the times of its ends are the same, the days are what differs.
  assert.deepEqual(fitEnds(["11-23 10:45:10", "11-30 10:45:10"], 24), ["11-23 10:45", "11-30 10:45"]);
  assert.deepEqual(fitEnds(["11-23 10:45:10", "11-30 10:45:10"], 22), ["11-23", "11-30"]);
  assert.deepEqual(fitEnds(["11-23 10:45:10", "11-30 10:45:10"], 8), ["11-23", ""]);
  assert.deepEqual(fitEnds(["2024-12-31 10:00:00", "2026-01-01 10:00:00"], 25), ["2024-12-31", "2026-01-01"]);
  for (let letters = 8; letters < 40; letters++) {
    const [a, b] = fitEnds(midnight, letters);
    assert.ok(b === "" || a.length + b.length + 2 <= letters);
  }
});

const heat = (bounds: number[], cells: [number, number, number, number][]) => ({ from: "0", to: "60", stepNano: "60", bounds: bounds.map(String), steps: [], cells, relativeError: 0, tookMs: 0 }) as HeatmapAnswer;

test("two heatmaps get the same rows, every call is counted once, and no row is cut", () => {
  const [a, b] = [heat([1, 2, 4, 8, 16], [[0, 0, 5, 1], [0, 3, 7, 0]]), heat([4, 16, 32], [[0, 0, 9, 2], [0, 1, 1, 0]])];
  const [x, y] = pairOf(a, b, 32);
  // 8 is a bound of the first, and inside a row of the second.
  assert.deepEqual([x.bounds, y.bounds], [["1", "2", "4", "16", "32"], ["1", "2", "4", "16", "32"]]);
  assert.deepEqual([x.cells, y.cells], [[[0, 0, 5, 1], [0, 2, 7, 0]], [[0, 2, 9, 2], [0, 3, 1, 0]]]);
  assert.equal(mostOf(x, y), 9);
  assert.equal(gridOf(x, 9).most, 9);
  const few = pairOf(a, b, 2);
  assert.deepEqual([few[0].bounds, few[0].cells], [["1", "4", "32"], [[0, 0, 5, 1], [0, 1, 7, 0]]]);
  const none = heat([], []);
  assert.deepEqual(pairOf(a, none, 2), [a, none]);
});

test("rates below one have two digits, and none is 0", () => {
  assert.deepEqual([0, 0.021, 0.158, 0.999, 3.44, 412].map((n) => formatRate(n, 1)), ["0/s", "0.021/s", "0.16/s", "1.0/s", "3.4/s", "412/s"]);
  assert.deepEqual([1204, 99999, 123456].map(formatShort), ["1,204", "99,999", "123K"]);
});
