// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import type { TraceSummary } from "../src/api/types";
import { isDue, leftOutText, mergeLive } from "../src/model/live";

const trace = (traceId: string, start: number, spanCount = 1) => ({ traceId, startTimeUnixNano: String(start), spanCount }) as TraceSummary;
const ids = (traces: TraceSummary[]) => traces.map((t) => t.traceId).join("");

test("new traces join the list, the newest first, and those that changed are replaced", () => {
  const list = [trace("c", 30), trace("a", 10)];
  const { traces, added } = mergeLive(list, [trace("b", 20), trace("d", 40), trace("a", 10, 7)]);
  assert.equal(ids(traces), "dcba");
  assert.equal(added, 2);
  assert.equal(traces[3].spanCount, 7);
  assert.equal(ids(list), "ca", "the old list stays as it was");
});

test("a trace that turns out to have begun earlier moves, and times keep their last digit", () => {
  assert.equal(ids(mergeLive([trace("a", 30), trace("b", 20)], [trace("a", 10)]).traces), "ba");
  const [x, y] = [{ ...trace("x", 0), startTimeUnixNano: "1795350535000000001" }, { ...trace("y", 0), startTimeUnixNano: "1795350535000000002" }];
  assert.equal(ids(mergeLive([x], [y]).traces), "yx");
});

test("what is counted whole is asked for when something came in, and takes a tenth of the time at most", () => {
  const last = { beganMs: 100_000, endedMs: 100_200, came: 7 };
  assert.equal(isDue(last, 104_900, 8, false), false);
  assert.equal(isDue(last, 105_000, 8, false), true);
  assert.equal(isDue(last, 105_000, 7, false), false, "nothing came in");
  assert.equal(isDue(last, 105_000, 7, true), true, "nobody knows whether something came in");
  assert.equal(isDue(last, 160_000, 7, false), true, "time has gone on");
  assert.equal(isDue({ ...last, endedMs: null }, 900_000, 8, false), false, "the answer is on its way");
  const slow = { ...last, endedMs: 103_000 };
  assert.equal(isDue(slow, 129_900, 8, true), false);
  assert.equal(isDue(slow, 130_000, 8, true), true);
  assert.equal(isDue({ ...last, endedMs: 110_000 }, 160_000, 7, false), false);
});

test("the list has a ceiling, and the oldest go", () => {
  const many = Array.from({ length: 30 }, (_, i) => trace(String.fromCharCode(65 + i), i));
  const { traces, added } = mergeLive(many.slice(0, 20), many.slice(20), 25);
  assert.equal(traces.length, 25);
  assert.equal(added, 10);
  assert.equal(traces[0].startTimeUnixNano, "29");
  assert.equal(traces[24].startTimeUnixNano, "5");
});

test("what came in and is not listed is said with its number, if there is one", () => {
  const nothing = { more: false, skipped: 0, unseenRequests: 0 };
  assert.equal(leftOutText(nothing), null);
  assert.equal(leftOutText({ ...nothing, more: true }), "more come in than are listed: narrow the query");
  assert.equal(leftOutText({ ...nothing, more: true, skipped: 1234, unseenRequests: 5 }), "1,234 more came in than are listed: narrow the query");
  assert.equal(leftOutText({ ...nothing, unseenRequests: 1 }), "traces of 1 request were stored before this process looked");
});
