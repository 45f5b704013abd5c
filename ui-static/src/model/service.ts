// SPDX-License-Identifier: Apache-2.0
// The Service page: which steps to ask for, which kind of spans speaks for a service, and lines as SVG paths. No DOM.
import type { GraphEdge, LatencyRow, LatencySeries } from "../api/types";

const MINUTE = 60_000_000_000n;
/** Steps of whole minutes that people count in. */
const STEP_MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080, 20160, 43200];
/** The chart is readable with so many, and the server answers up to 500. */
export const STEPS_MAX = 120;

/** Steps of a small line beside its numbers. */
export const SPARK_STEPS = 40;

/** Minutes of a step, so that a range has at most so many. */
export function stepMinutes(from: bigint, to: bigint, steps = STEPS_MAX): number {
  const minutes = Number((to - from) / MINUTE) + 1;
  const least = Math.ceil(minutes / steps);
  return STEP_MINUTES.find((m) => m >= least) ?? least;
}

/** Seconds that sums by minute of a range are of: whole minutes, those at the ends included, and of the last one what has passed of it. */
export function summedSeconds(from: bigint, to: bigint, now: bigint): number {
  const end = to + ((MINUTE - (to % MINUTE)) % MINUTE);
  return Math.max(0, Number((end < now ? end : now) - (from - (from % MINUTE))) / 1e9);
}

/** Calls that come in are what a service does for others: server, then consumer, then whatever has most calls. */
export function mainKind(rows: LatencyRow[]): string {
  const calls = new Map<string, number>();
  for (const r of rows) calls.set(r.kind, (calls.get(r.kind) ?? 0) + Number(r.calls));
  for (const kind of ["server", "consumer"]) if (calls.has(kind)) return kind;
  return [...calls].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0]?.[0] ?? "";
}

export interface Step {
  from: bigint;
  to: bigint;
  calls: number;
  errors: number;
  /** Calls a second. */
  rate: number;
  /** 0 to 1; null without calls. */
  errorShare: number | null;
  /** Nanoseconds, in the order of the quantiles that were asked for; null without calls. */
  quantiles: (number | null)[];
}

/** One row of a series as steps; steps at the ends count as long as the part that was asked for. */
export function stepsOf(answer: LatencySeries, kind: string, quantiles: string[]): Step[] {
  const row = answer.series.find((s) => s.kind === kind);
  const [first, last] = [answer.from, answer.to].map((t) => (t === null ? null : BigInt(t)));
  return answer.steps.map((text, i) => {
    const begin = BigInt(text);
    const end = begin + BigInt(answer.stepNano);
    const from = first !== null && first > begin ? first : begin;
    const to = last !== null && last < end ? last : end;
    const calls = Number(row?.calls[i] ?? 0);
    const errors = Number(row?.errors[i] ?? 0);
    const seconds = Number(to - from) / 1e9;
    return {
      from,
      to,
      calls,
      errors,
      rate: seconds > 0 ? calls / seconds : 0,
      errorShare: calls > 0 ? errors / calls : null,
      quantiles: quantiles.map((q) => {
        const value = row?.quantiles[q]?.[i];
        return value === null || value === undefined ? null : Number(value);
      }),
    };
  });
}

/** A line that has holes where there is no value; a value alone between holes becomes a short dash, so that it is seen. */
export function linePath(values: (number | null)[], x: (i: number) => number, y: (v: number) => number): string {
  const at = (n: number) => n.toFixed(1);
  let path = "";
  values.forEach((v, i) => {
    if (v === null) return;
    const before = i > 0 && values[i - 1] !== null;
    const after = i + 1 < values.length && values[i + 1] !== null;
    if (!before && !after) path += `M${at(x(i) - 4)} ${at(y(v))}h8`;
    else path += `${before ? "L" : "M"}${at(x(i))} ${at(y(v))}`;
  });
  return path;
}

/** Who calls a service, and whom it calls, most calls first. */
export function neighboursOf(edges: GraphEdge[], service: string): { callers: GraphEdge[]; callees: GraphEdge[] } {
  const most = (a: GraphEdge, b: GraphEdge) => Number(b.calls) - Number(a.calls) || (a.client + a.server < b.client + b.server ? -1 : 1);
  return {
    callers: edges.filter((e) => e.server === service).sort(most),
    callees: edges.filter((e) => e.client === service).sort(most),
  };
}
