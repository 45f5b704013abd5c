// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import type { SearchProgress } from "../src/api/types";
import { progressText } from "../src/model/going-on";
import { SearchLines, shareOf } from "../src/model/lines";

const scanned = { segments: 1, rows: "500", bytes: "9", traces: "5" };
const progress: SearchProgress = { scanned, passedRows: "500", totalRows: "2000", totalSegments: 2, knownTraces: "10", matchedTraces: 4, elapsedMs: 1800 };
const trace = (traceId: string) => ({ traceId, rootTraceName: "größer" });
const done = { complete: true, incompleteReason: null, cursor: null, scanned, matchedTraces: 2, order: "-start", tookMs: 7 };
const text = [{ trace: trace("a") }, { progress }, { trace: trace("b") }, { done }].map((line) => `${JSON.stringify(line)}\n`).join("");

test("lines are put together wherever the pieces were cut", () => {
  for (let cut = 0; cut <= text.length; cut++) {
    const lines = new SearchLines();
    lines.take(text.slice(0, cut));
    lines.take(text.slice(cut));
    assert.deepEqual(lines.answer(), { ...done, traces: [trace("a"), trace("b")] });
    assert.equal(lines.progress?.passedRows, "500");
  }
});

test("there is no answer before the last line, and no problem without one", () => {
  const lines = new SearchLines();
  lines.take(text.slice(0, text.indexOf('{"done"')));
  assert.equal(lines.answer(), null);
  assert.equal(lines.problem, null);
  lines.take('{"problem":{"title":"a limit was reached","status":413}}\n');
  assert.equal(lines.problem?.status, 413);
  assert.equal(lines.answer(), null);
});

test("what is kept of a search that was ended says how far it was", () => {
  const lines = new SearchLines();
  lines.take(text.slice(0, text.indexOf('{"done"')));
  const kept = lines.partial("-start");
  assert.deepEqual(kept.traces.map((t) => t.traceId), ["a", "b"]);
  assert.deepEqual(kept.stopped, { passedRows: "500", totalRows: "2000" });
  assert.equal(kept.complete, false);
  assert.equal(kept.matchedTraces, 4);
  assert.deepEqual(new SearchLines().partial("duration").traces, []);
});

test("the share counts rows, and the candidates that were found in them", () => {
  assert.equal(shareOf(progress), 0.125);
  assert.equal(shareOf({ ...progress, knownTraces: "0" }), 0.25);
  assert.equal(shareOf({ ...progress, totalRows: "0" }), 0);
  assert.equal(shareOf({ ...progress, passedRows: "2000", knownTraces: "5" }), 1);
  assert.equal(progressText(progress), "Scanned 500 of 2,000 spans, 9 B · 4 traces · 1.8 s");
});
