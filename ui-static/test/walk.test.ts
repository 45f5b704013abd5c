// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { leftHeavy, timeFlame } from "../src/model/flame";
import type { Skeleton } from "../src/model/skeleton";
import { nextSegment } from "../src/model/walk";

/** 0 waits for 1, works itself, waits for 3, and works again; 2 is beside the path. */
const s = {
  critical: [[1, 0, 10], [0, 10, 20], [3, 20, 30], [0, 30, 40]].map(([row, start, end]) => ({ row, start, end })),
  start: Float64Array.of(0, 0, 15, 20),
} as unknown as Skeleton;
const all = () => true;

test("parts of the critical path are walked in the order of time, around the ends", () => {
  const walked = (step: 1 | -1, from: number) => {
    const out = [from];
    for (let i = 0; i < 4; i++) out.push(nextSegment(s, out[i], s.critical[out[i]].row, step, all));
    return out;
  };
  assert.deepEqual(walked(1, 0), [0, 1, 2, 3, 0]);
  assert.deepEqual(walked(-1, 0), [0, 3, 2, 1, 0]);
});

test("a walk begins where the chosen span is, on the path or beside it, and passes by what is not shown", () => {
  assert.equal(nextSegment(s, -1, -1, 1, all), 0);
  assert.equal(nextSegment(s, -1, -1, -1, all), 3);
  // Somewhere else was chosen since.
  assert.equal(nextSegment(s, 3, 1, 1, all), 1);
  assert.equal(nextSegment(s, -1, 2, 1, all), 2);
  assert.equal(nextSegment(s, -1, 2, -1, all), 1);
  assert.equal(nextSegment(s, 0, 1, 1, (row) => row !== 0), 2);
  assert.equal(nextSegment(s, 0, 1, 1, () => false), -1);
  assert.equal(nextSegment({ ...s, critical: [] }, -1, 0, 1, all), -1);
});

test("each row has its box in a flame graph, and rows of one path have the same", () => {
  const trace = {
    count: 4, duration: 40, services: [{ name: "a", slot: 0 }], operations: ["root", "kid", "slow kid"],
    start: Float64Array.of(0, 0, 10, 20), length: Float64Array.of(40, 10, 10, 20), self: Float64Array.of(1, 10, 10, 20), parent: Int32Array.of(-1, 0, 0, 0),
    service: new Int32Array(4), operation: Int32Array.of(0, 1, 1, 2), flags: new Uint16Array(4), depth: Int32Array.of(0, 1, 1, 1),
  } as unknown as Skeleton;
  const heavy = leftHeavy(trace);
  assert.deepEqual([0, 1, 2, 3].map((row) => trace.operations[heavy.boxes[heavy.boxOf(row)].operation]), ["root", "kid", "kid", "slow kid"]);
  assert.equal(heavy.boxOf(1), heavy.boxOf(2));
  assert.deepEqual([0, 1, 2, 3].map((row) => timeFlame(trace).boxes[timeFlame(trace).boxOf(row)].row), [0, 1, 2, 3]);
});
