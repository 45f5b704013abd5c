// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { changeText, comparedRange } from "../src/model/change";
import { arrivals, barsOf, bucketsOf, callsUntil, errorGroups, foldNumbers, namesOfMarks, percentilesOf, quantileOf, versionsOf } from "../src/model/service-more";

const MINUTE = 60_000_000_000n;

test("percentiles of the address are those that can be drawn, in their order, or the usual ones", () => {
  assert.deepEqual(percentilesOf(""), ["50", "90", "95", "99"]);
  assert.deepEqual(percentilesOf("99.9,50,42"), ["50", "99.9"]);
  assert.deepEqual(percentilesOf("nothing"), ["50", "90", "95", "99"]);
  assert.deepEqual(["50", "99", "99.9"].map(quantileOf), ["0.5", "0.99", "0.999"]);
});

test("every mark has its name: where two would lie on each other they stand side by side, within the picture", () => {
  const marks = (...x: number[]) => x.map((at, i) => ({ text: ["p50", "p90", "p95", "p99"][i], x: at }));
  const text = (list: { text: string }[]) => list.map((n) => n.text);
  assert.deepEqual(text(namesOfMarks(marks(20, 100, 180, 260), 300)), ["p99", "p95", "p90", "p50"]);
  assert.deepEqual(text(namesOfMarks(marks(20, 200, 280, 299), 300)), ["p95 p99", "p90", "p50"]);
  // A name that grows meets the next one.
  assert.deepEqual(text(namesOfMarks(marks(20, 252, 290, 299), 300)), ["p90 p95 p99", "p50"]);
  for (let i = 0; i < 300; i += 7) {
    const names = namesOfMarks(marks(...[i, i * 1.1, 150, 299].sort((a, b) => a - b)), 300).reverse();
    const half = (n: { text: string }) => 3.5 * n.text.length;
    assert.equal(text(names).join(" "), "p50 p90 p95 p99");
    for (const [k, n] of names.entries()) {
      assert.ok(n.x - half(n) >= 0 && n.x + half(n) <= 300, String(i));
      if (k > 0) assert.ok(names[k - 1].x + half(names[k - 1]) < n.x - half(n), String(i));
    }
  }
});

test("the other range lies whole steps away, so that both series have the same steps", () => {
  const range = { from: 1000n * MINUTE, to: 1010n * MINUTE };
  assert.deepEqual(comparedRange("prev", range, MINUTE, 0n), { from: 990n * MINUTE, to: 1000n * MINUTE });
  // ten minutes are three steps of four, rounded up
  assert.deepEqual(comparedRange("prev", range, 4n * MINUTE, 0n), { from: 988n * MINUTE, to: 998n * MINUTE });
  assert.deepEqual(comparedRange("-1h", range, MINUTE, 0n), { from: 940n * MINUTE, to: 950n * MINUTE });
  assert.deepEqual(comparedRange("2026-01-01T00:00:00Z..2026-01-01T00:01:00Z", range, MINUTE, 0n)?.to, 1767225660000000000n);
  assert.deepEqual(comparedRange("now-2m..now", range, MINUTE, 5n * MINUTE), { from: 3n * MINUTE, to: 5n * MINUTE });
  for (const none of ["", "x", "-", "-0s", "now..now-1m", "-30d"]) assert.equal(comparedRange(none, range, MINUTE, 0n), null, none);
});

/** Buckets as the server makes them: of base 2^(1/32). */
function bucketsOfDurations(durations: number[]): [string, string, string][] {
  const counts = new Map<number, number>();
  for (const d of durations) counts.set(Math.floor(Math.log2(d) * 32), (counts.get(Math.floor(Math.log2(d) * 32)) ?? 0) + 1);
  return [...counts].sort((a, b) => a[0] - b[0]).map(([i, n]) => [String(Math.ceil(2 ** (i / 32))), String(Math.ceil(2 ** ((i + 1) / 32)) - 1), String(n)]);
}

test("bars hold every call once, whatever is compared, and the cursor counts as the durations themselves do", () => {
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const durations = Array.from({ length: 2000 }, () => 10 ** (3.5 + 5 * random()));
  const now = bucketsOf(bucketsOfDurations(durations));
  const before = bucketsOf(bucketsOfDurations(durations.slice(0, 700).map((d) => 20 * d)));
  const bars = barsOf(now, before, 56);
  assert.ok(bars.length <= 57);
  assert.equal(bars.reduce((n, b) => n + b.count, 0), 2000);
  assert.equal(bars.reduce((n, b) => n + b.before, 0), 700);
  for (let i = 1; i < bars.length; i++) assert.ok(Math.abs(bars[i].low - bars[i - 1].high) < 1e-3 * bars[i].low);
  for (const limit of [5e3, 1e5, 1e6, 3.3e7, 2e8, 1e12]) {
    const exact = durations.filter((d) => d <= limit).length;
    const [least, most] = [durations.filter((d) => d <= limit / 1.023).length, durations.filter((d) => d <= limit * 1.023).length];
    const counted = callsUntil(now, limit);
    assert.ok(counted >= least - 1 && counted <= most + 1, `${limit}: ${counted} for ${exact}`);
  }
  assert.deepEqual(barsOf([], [], 10), []);
  const one = barsOf(bucketsOf([["0", "0", "3"]]), [], 10);
  assert.deepEqual(one.map((b) => b.count), [3]);
});

test("messages that differ in numbers and ids are one, codes are not folded away", () => {
  assert.equal(foldNumbers("order 10442 of 550e8400-e29b-41d4-a716-446655440000 failed after 3.001s"), "order … of … failed after …s");
  assert.equal(foldNumbers("connect ECONNREFUSED 127.0.0.1:17204"), "connect ECONNREFUSED …");
  assert.equal(foldNumbers("14 UNAVAILABLE: trace deadbeef01234567"), "14 UNAVAILABLE: trace …");
  assert.equal(foldNumbers("HTTP 503 for item 48213"), "HTTP 503 for item …");
  assert.equal(foldNumbers("status code: 404"), "status code: 404");
  assert.equal(foldNumbers("bad feedface"), "bad feedface");
});

const series = (labels: (string | null)[], points: [string, number][], exemplars: { traceId: string; durationNano: string }[] = []) => ({
  labels: labels.map((value, i) => ({ key: String(i), value, type: "string" as const })), points, exemplars,
});

test("errors are grouped by type and message, with the slowest of them all, most errors first", () => {
  const now = [
    series(["E", "no stock of 1234", ""], [["0", 2], ["60", 1]], [{ traceId: "a", durationNano: "900" }]),
    series(["E", "no stock of 5678", ""], [["60", 4]], [{ traceId: "b", durationNano: "10000" }]),
    series([null, null, "refused"], [["0", 5]]),
    series([null, null, ""], [["0", 1]]),
  ];
  const before = [series(["E", "no stock of 9999", ""], [["7", 3]]), series([null, null, "gone"], [["7", 2]])];
  const groups = errorGroups(now, before, ["0", "60"], true);
  assert.deepEqual(groups.map((g) => [g.type, g.message, g.count, g.before, g.steps]), [
    ["E", "no stock of …", 7, 3, [2, 5]],
    ["", "refused", 5, 0, [5, 0]],
    ["", "", 1, 0, [1, 0]],
    ["", "gone", 0, 2, [0, 0]],
  ]);
  assert.equal(groups[0].exemplar?.traceId, "b");
  assert.deepEqual(groups[0].messages.map((m) => m.exception), ["no stock of 1234", "no stock of 5678"]);
  assert.equal(errorGroups(now, [], ["0", "60"], false).length, 4);
});

test("versions come in the order of their first calls, and those that came later are marked", () => {
  const steps = ["0", "60", "120"];
  const found = versionsOf(
    [
      series(["2", "b"], [["0", 0], ["60", 3], ["120", 4]]),
      series(["1", "a"], [["0", 5], ["60", 1]]),
      series(["1", "b"], [["0", 5], ["60", 0]]),
      series([null, null], [["0", 1]]),
      series(["3", "c"], [["0", 0]]),
    ],
    steps,
  );
  assert.deepEqual(found.versions.map((v) => [v.name, v.calls, v.instances, v.first, v.last]), [
    ["", 1, 0, 0, 0],
    ["1", 11, 2, 0, 1],
    ["2", 7, 1, 1, 2],
  ]);
  assert.equal(found.instances, 2);
  assert.deepEqual(arrivals(found.versions).map((v) => v.name), ["2"]);
  assert.deepEqual(arrivals([]), []);
});

test("what differs by no more than the error of quantiles is no change", () => {
  assert.equal(changeText(102, 100), "");
  assert.equal(changeText(112, 100), "+12 %");
  assert.equal(changeText(96.6, 100), "−3.4 %");
  assert.equal(changeText(250, 100), "×2.5");
  assert.equal(changeText(5, 0), "");
  assert.equal(changeText(Number.NaN, 5), "");
});
