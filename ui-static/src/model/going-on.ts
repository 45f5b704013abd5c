// SPDX-License-Identifier: Apache-2.0
// A search whose time was over, and that goes on behind its cursor: what its pages say together. No DOM, no fetch.
import type { SearchAnswer, SearchProgress, TraceSummary } from "../api/types";
import { formatBytes, formatCount, plural } from "./text";

/** "Scanned 500 of 2,000 spans, 3.20 MB · 412 traces · 1.8 s": how many bytes all of them take nobody knows, as only columns are read that the query needs. */
export function progressText(p: SearchProgress): string {
  return `Scanned ${formatCount(p.passedRows)} of ${plural(p.totalRows, "span")}, ${formatBytes(p.scanned.bytes)} · ${plural(p.matchedTraces, "trace")} · ${(p.elapsedMs / 1000).toFixed(1)} s`;
}

const NUMBERS: Record<string, (t: TraceSummary) => bigint | number | null> = {
  start: (t) => BigInt(t.startTimeUnixNano),
  duration: (t) => BigInt(t.durationNano),
  spans: (t) => t.spanCount,
  errors: (t) => t.errorCount,
};
const numberOfSpans = ({ orderValue: v }: TraceSummary) => (v === undefined ? null : Number(v.intValue ?? v.doubleValue));

/** As the server orders results: what has no number comes last, and equals by their ids. */
function inOrder(order: string): (a: TraceSummary, b: TraceSummary) => number {
  const sign = order.startsWith("-") ? -1 : 1;
  const by = NUMBERS[order.replace(/^-/, "")] ?? numberOfSpans;
  return (a, b) => {
    const [x, y] = [by(a), by(b)];
    if (x === null || y === null) return Number(x === null) - Number(y === null) || (a.traceId < b.traceId ? -1 : 1);
    return x < y ? -sign : x > y ? sign : a.traceId < b.traceId ? -1 : 1;
  };
}

/** What was found before, and what the search has found since. Every match is on one page only, so pages up to the last are all there is. */
export function joined(before: SearchAnswer, page: SearchAnswer, order: string): SearchAnswer {
  const traces = [...new Map([...before.traces, ...page.traces].map((t) => [t.traceId, t])).values()].sort(inOrder(order));
  const complete = page.cursor === null && !page.stopped;
  const sum = (of: (s: SearchAnswer["scanned"]) => string) => String(BigInt(of(before.scanned)) + BigInt(of(page.scanned)));
  return {
    ...page, traces, complete, order,
    incompleteReason: complete ? null : (page.incompleteReason ?? before.incompleteReason ?? null),
    // Ended by a person within a page: whoever goes on begins where that page did.
    cursor: page.stopped ? before.cursor : page.cursor,
    matchedTraces: complete ? traces.length : Math.max(before.matchedTraces, before.traces.length + page.matchedTraces),
    scanned: { segments: page.scanned.segments, rows: sum((s) => s.rows), bytes: sum((s) => s.bytes), traces: sum((s) => s.traces) },
    tookMs: before.tookMs + page.tookMs,
  };
}
