// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { linePath, mainKind, neighboursOf, STEPS_MAX, stepMinutes, stepsOf, summedSeconds } from "../src/model/service";

const MINUTE = 60_000_000_000n;

test("a step is whole minutes, and no range has more than the chart can show", () => {
  assert.equal(stepMinutes(0n, MINUTE), 1);
  assert.equal(stepMinutes(0n, 1440n * MINUTE), 15);
  for (const minutes of [1, 59, 119, 120, 121, 10_000, 525_600, 50_000_000]) {
    assert.ok(minutes / stepMinutes(0n, BigInt(minutes) * MINUTE) <= STEPS_MAX, String(minutes));
  }
});

test("sums by minute are of whole minutes, and of the last one what has passed of it", () => {
  const [half, second] = [MINUTE / 2n, MINUTE / 60n];
  assert.equal(summedSeconds(2n * MINUTE, 5n * MINUTE, 99n * MINUTE), 180);
  assert.equal(summedSeconds(2n * MINUTE + half, 5n * MINUTE + half, 99n * MINUTE), 240);
  assert.equal(summedSeconds(2n * MINUTE + half, 5n * MINUTE + half, 5n * MINUTE + half + second), 211);
  assert.equal(summedSeconds(2n * MINUTE, 5n * MINUTE, MINUTE), 0);
});

test("incoming calls speak for a service; without them the kind with most calls", () => {
  const row = (kind: string, calls: string) => ({ service: "a", operation: "o", kind, calls, errors: "0", quantiles: {} });
  assert.equal(mainKind([row("client", "9000"), row("server", "1")]), "server");
  assert.equal(mainKind([row("client", "9"), row("consumer", "1")]), "consumer");
  assert.equal(mainKind([row("client", "4"), row("internal", "3"), row("internal", "3")]), "internal");
  assert.equal(mainKind([]), "");
});

test("steps know their rate, their share of errors, and where nothing was measured", () => {
  const steps = stepsOf(
    {
      series: [{ service: "a", operation: "", kind: "server", calls: ["60", "0"], errors: ["15", "0"], quantiles: { "0.5": ["1000", null] } }],
      steps: ["0", String(MINUTE)],
      stepNano: String(MINUTE),
      from: String(MINUTE / 2n),
      to: String(2n * MINUTE),
      relativeError: 0.011,
    },
    "server",
    ["0.5"],
  );
  assert.deepEqual(steps[0], { from: MINUTE / 2n, to: MINUTE, calls: 60, errors: 15, rate: 2, errorShare: 0.25, quantiles: [1000] });
  assert.deepEqual(steps[1], { from: MINUTE, to: 2n * MINUTE, calls: 0, errors: 0, rate: 0, errorShare: null, quantiles: [null] });
});

test("a line has holes, and a value alone is still seen", () => {
  const path = linePath([1, 2, null, 3], (i) => 10 * i, (v) => v);
  assert.equal(path, "M0.0 1.0L10.0 2.0M26.0 3.0h8");
});

test("callers and callees come with most calls first; a call to itself is both", () => {
  const edge = (client: string, server: string, calls: string) => ({
    client, server, calls, connectionType: "", errors: "0", clientLatency: null, serverLatency: null, exemplarTraceId: null,
  });
  const { callers, callees } = neighboursOf([edge("a", "b", "1"), edge("c", "b", "5"), edge("b", "b", "2"), edge("b", "d", "3"), edge("a", "d", "9")], "b");
  assert.deepEqual(callers.map((e) => e.client), ["c", "b", "a"]);
  assert.deepEqual(callees.map((e) => e.server), ["d", "b"]);
});
