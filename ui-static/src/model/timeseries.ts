// SPDX-License-Identifier: Apache-2.0
// Rate, errors and quantiles over time by the values of a field: what is asked, and how the answers become lines on one axis. No DOM.
import type { MetricAnswer, MetricRange, MetricSeries } from "../api/types";
import { isEverything, valueCondition, withCondition } from "./traceql";

const NS = 1e9;
export const QUANTILES = ["0.5", "0.95", "0.99"] as const;

export interface Pick {
  value: string | null;
  type: string;
  count: number;
}

export interface Line {
  /** Null: all that is in no group that is drawn. */
  group: Pick | null;
  counts: number[];
  errors: number[];
  /** Nanoseconds, of each of QUANTILES; empty where they were not asked for. */
  quantiles: (number | null)[][];
}

export interface Axis {
  from: bigint;
  step: bigint;
  steps: number;
}

export interface Over {
  axis: Axis;
  lines: Line[];
  /** All spans that match. */
  count: number;
  errors: number;
}

const base = (q: string) => (isEverything(q) ? "{ }" : q);

/** The groups with most spans, and how many there are in all groups. */
export const topQuery = (q: string, by: string, most: number): string => `${base(q)} | count_over_time() by (${by}) | topk(${most})`;
export const countQuery = (q: string): string => `${base(q)} | count_over_time()`;

/** Groups by number of spans; those that no condition can name are left to the rest. */
export function picksOf(answer: MetricAnswer, by: string): Pick[] {
  const picks = answer.series.map((s): Pick => ({ value: s.labels[0].type === "nil" ? null : s.labels[0].value, type: s.labels[0].type, count: s.points[0]?.[1] ?? 0 }));
  return picks.filter((p) => p.count > 0 && valueCondition(by, p.value, p.type) !== null).sort((a, b) => b.count - a.count || ((a.value ?? "") < (b.value ?? "") ? -1 : 1));
}

const quantilesOf = (from: string, suffix: string) => `${base(from)} | quantile_over_time(duration, .5, .95, .99)${suffix}`;
const anyOf = (by: string, picks: Pick[]) => picks.map((p) => valueCondition(by, p.value, p.type) ?? "").join(" || ");

/** Percentiles of what is in none of the groups: those of groups do not add up. A comparison with a value that is missing is false, so what lacks the field is in it. */
export const restQuery = (q: string, by: string, picks: Pick[]): string => quantilesOf(withCondition(q, `!(${anyOf(by, picks)})`), "");

/** What to ask for the lines: counts, errors and quantiles of the groups, and counts and errors of all. */
export function lineQueries(q: string, by: string, picks: Pick[]): string[] {
  const failed = withCondition(q, "status = error");
  const all = [countQuery(q), countQuery(failed)];
  // Without a group that a condition can name, all of it is the rest.
  if (by === "" || picks.length === 0) return [...all, quantilesOf(q, "")];
  const any = anyOf(by, picks);
  const inside = withCondition(q, picks.length > 1 ? `(${any})` : any);
  return [...all, quantilesOf(inside, ` by (${by})`), `${countQuery(inside)} by (${by})`, `${countQuery(withCondition(inside, "status = error"))} by (${by})`];
}

const axisOf = (a: MetricRange): Axis => ({ from: BigInt(a.from), step: BigInt(a.stepNano), steps: Number((BigInt(a.to) - BigInt(a.from)) / BigInt(a.stepNano)) });

function place<T>(axis: Axis, series: MetricSeries | undefined, empty: T, scale: number): (number | T)[] {
  const out: (number | T)[] = Array.from({ length: axis.steps }, () => empty);
  for (const [time, n] of series?.points ?? []) {
    const i = Number((BigInt(time) - axis.from) / axis.step);
    if (i >= 0 && i < axis.steps) out[i] = n * scale;
  }
  return out;
}

const total = (values: number[]) => values.reduce((a, b) => a + b, 0);

/** The answers to lineQueries, in their order, and to restQuery behind them if there is a rest. */
export function linesOf([all, failed, quantiles, counts, errors, others]: MetricRange[], by: string, picks: Pick[]): Over {
  const axis = axisOf(all);
  const [allCounts, allErrors] = [place(axis, all.series[0], 0, 1), place(axis, failed.series[0], 0, 1)];
  const whole = { axis, count: total(allCounts), errors: total(allErrors) };
  const ofQuantile = (p: string, of: (s: MetricSeries) => boolean, answer = quantiles) =>
    place<null>(axis, answer?.series.find((s) => of(s) && Number(s.labels.find((l) => l.key === "p")?.value) === Number(p)), null, NS);
  if (by === "") {
    const line: Line = { group: { value: null, type: "all", count: whole.count }, counts: allCounts, errors: allErrors, quantiles: QUANTILES.map((p) => ofQuantile(p, () => true)) };
    return { ...whole, lines: whole.count > 0 ? [line] : [] };
  }
  const lines = picks.map((group): Line => {
    const is = (s: MetricSeries) => s.labels.some((l) => l.key !== "p" && l.type === group.type && (group.value === null || l.value === group.value));
    return {
      group,
      counts: place(axis, counts?.series.find(is), 0, 1),
      errors: place(axis, errors?.series.find(is), 0, 1),
      quantiles: QUANTILES.map((p) => ofQuantile(p, is)),
    };
  });
  const left = (sums: number[], of: (l: Line) => number[]) => sums.map((n, i) => Math.max(0, n - lines.reduce((sum, l) => sum + of(l)[i], 0)));
  const ofRest = picks.length === 0 ? quantiles : others;
  const rest: Line = {
    group: null, counts: left(allCounts, (l) => l.counts), errors: left(allErrors, (l) => l.errors),
    quantiles: ofRest ? QUANTILES.map((p) => ofQuantile(p, () => true, ofRest)) : [],
  };
  return { ...whole, lines: total(rest.counts) > 0 ? [...lines, rest] : lines };
}

export const nameOf = (line: Line): string => (line.group === null ? "the rest" : line.group.type === "all" ? "all spans" : line.group.value === null ? "(none)" : line.group.value || '""');

export const countOf = (line: Line): number => total(line.counts);
export const errorsOf = (line: Line): number => total(line.errors);
