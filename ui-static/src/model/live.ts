// SPDX-License-Identifier: Apache-2.0
// Traces that come in while somebody watches: into the list, the newest first. No DOM.
import type { TraceSummary } from "../api/types";

/** Rows of a list that grows by itself. */
export const LIVE_ROWS_MAX = 1000;

const newestFirst = (a: TraceSummary, b: TraceSummary): number => {
  const [x, y] = [BigInt(a.startTimeUnixNano), BigInt(b.startTimeUnixNano)];
  return x !== y ? (x > y ? -1 : 1) : a.traceId < b.traceId ? -1 : 1;
};

/** Those of `news` that the list has are replaced, the others join it; `added` counts these. The oldest go when there are more than `max`. */
export function mergeLive(list: TraceSummary[], news: TraceSummary[], max = LIVE_ROWS_MAX): { traces: TraceSummary[]; added: number } {
  const byId = new Map(list.map((t) => [t.traceId, t]));
  const before = byId.size;
  for (const trace of news) byId.set(trace.traceId, trace);
  const traces = [...byId.values()].sort(newestFirst);
  return { traces: traces.slice(0, max), added: byId.size - before };
}
