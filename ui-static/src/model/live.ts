// SPDX-License-Identifier: Apache-2.0
// Traces that come in while somebody watches: into the list, the newest first. No DOM.
import type { TraceSummary } from "../api/types";
import { formatCount, plural } from "./text";

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

/** What came in and is not listed, in words; null: nothing. */
export function leftOutText(live: { more: boolean; skipped: number; unseenRequests: number }): string | null {
  if (live.skipped > 0) return `${formatCount(live.skipped)} more came in than are listed: narrow the query`;
  if (live.unseenRequests > 0) return `traces of ${plural(live.unseenRequests, "request")} were stored before this process looked`;
  return live.more ? "more come in than are listed: narrow the query" : null;
}

/** How often what stands above and beside the list may be asked for, and how often it is even when nothing comes in: its axis goes on. */
const REFRESH_MS = 5000;
const STILL_MS = 60_000;
/** The part of the time that the server may be busy with it. */
const SHARE = 0.1;

export interface Refresh {
  /** When it began, when it was answered (null: not yet), and how many traces had come in by then. */
  beganMs: number;
  endedMs: number | null;
  came: number;
}

/** Counts of everything are asked for whole, so only when something came in, and the later the longer they took. more: not all that came in was told. */
export function isDue(last: Refresh, nowMs: number, came: number, more: boolean): boolean {
  if (last.endedMs === null) return false;
  const pause = Math.max(REFRESH_MS, (last.endedMs - last.beganMs) / SHARE);
  const changed = more || came !== last.came;
  return nowMs - last.beganMs >= (changed ? pause : Math.max(STILL_MS, pause));
}
