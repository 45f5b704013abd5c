// SPDX-License-Identifier: Apache-2.0
// The ends of the range of time, for questions that need both of them.
import { ApiError, getStatus, type Params, type Range } from "../api/client";
import type { Span } from "../model/change";
import { summedSeconds } from "../model/service";
import { parseTime } from "../model/time";
import { zone } from "./prefs";
import { nowNs, shortTime } from "./range";

/** Both ends in nanoseconds: a series needs a beginning, and an open range begins with what is stored. */
export async function endsOf(range: Range, stop: AbortSignal): Promise<Span | null> {
  const now = nowNs();
  // An empty range would be another answer than that.
  const bad = [range.from, range.to].find((text) => text && parseTime(text, now) === null);
  if (bad) throw new ApiError({ title: "Not a time", status: 400, detail: `"${bad}" is not a time` }, "");
  const stored = range.from ? null : await getStatus(stop);
  if (stored && stored.oldestUnixNano === null) return null;
  const from = range.from ? parseTime(range.from, now) : BigInt(stored?.oldestUnixNano ?? 0) || 1n; // to the API, 0 is no time
  const newest = stored?.newestUnixNano ? BigInt(stored.newestUnixNano) + 1n : now;
  const to = range.to ? parseTime(range.to, now) : newest;
  return from === null || to === null || to <= from ? null : { from, to };
}

export const timeText = (ns: bigint): string => shortTime(ns, zone.value);

/** What the counts of a range are divided by to be a rate. */
export const secondsOf = (s: Span | null | undefined): number => (s ? summedSeconds(s.from, s.to, nowNs()) : 0);

export const spanParams = (s: Span): Params => ({ from: String(s.from), to: String(s.to) });
export const comparedParams = (s: Span | null): Params => (s ? { compareFrom: String(s.from), compareTo: String(s.to) } : {});
