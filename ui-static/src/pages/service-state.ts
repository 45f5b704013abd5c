// SPDX-License-Identifier: Apache-2.0
// What the page of one service asks, and the answers. The address says which service, operation, kind and range, and what they are compared with.
import { getLatency, getLatencySeries, getMetricRange, getStatus, type Params, type Range } from "../api/client";
import type { LatencyRow, LatencySeries, MetricRange } from "../api/types";
import { mainKind, stepMinutes } from "../model/service";
import { comparedRange, percentilesOf, quantileOf, type Span } from "../model/service-more";
import { parseTime } from "../model/time";
import { quote } from "../model/traceql";
import { param } from "../route";
import { Loader } from "../state/load";
import { nowNs } from "../state/range";

export interface Found {
  service: string;
  /** Null: no span in the range. */
  range: Span | null;
  compared: Span | null;
  stepNs: bigint;
  kind: string;
  kinds: string[];
  /** The rows of all kinds, of the whole range. */
  rows: LatencyRow[];
  rowsParams: Params;
  series: LatencySeries | null;
  before: LatencySeries | null;
  seriesParams: Params;
  relativeError: number;
}

export const found = new Loader<Found>();
export const versions = new Loader<MetricRange>();

export const percentiles = (): string[] => percentilesOf(param("pct"));
export const isTable = (): boolean => param("view") === "table";

/** Both ends in nanoseconds: a series needs a beginning, and an open range begins with what is stored. */
async function endsOf(range: Range, stop: AbortSignal): Promise<Span | null> {
  const now = nowNs();
  const stored = range.from ? null : await getStatus(stop);
  if (stored && stored.oldestUnixNano === null) return null;
  const from = range.from ? parseTime(range.from, now) : BigInt(stored?.oldestUnixNano ?? 0);
  const newest = stored?.newestUnixNano ? BigInt(stored.newestUnixNano) + 1n : now;
  const to = range.to ? parseTime(range.to, now) : newest;
  return from === null || to === null || to <= from ? null : { from, to };
}

export const spanParams = (s: Span): Params => ({ from: String(s.from), to: String(s.to) });
export const comparedParams = (s: Span | null): Params => (s ? { compareFrom: String(s.from), compareTo: String(s.to) } : {});

export interface Question {
  service: string;
  operation: string;
  kind: string;
  vs: string;
  pct: string;
}

const NOTHING = { compared: null, stepNs: 0n, kind: "", kinds: [], rows: [], rowsParams: {}, series: null, before: null, seriesParams: {}, relativeError: 0 };

export async function find(asked: Question, range: Range, stop: AbortSignal): Promise<Found> {
  const ends = await endsOf(range, stop);
  if (!ends) return { ...NOTHING, service: asked.service, range: null };
  const { service, operation } = asked;
  const minutes = stepMinutes(ends.from, ends.to);
  const stepNs = BigInt(minutes) * 60_000_000_000n;
  const compared = comparedRange(asked.vs, ends, stepNs, nowNs());
  const by = operation ? "operation" : "service";
  const q = percentilesOf(asked.pct).map(quantileOf).join(",");
  const rowsParams = { ...spanParams(ends), service, operation, by, q, buckets: "true", ...comparedParams(compared) };
  const answer = await getLatency(rowsParams, stop);
  // Without a service name of its own a parameter would mean all of them.
  const rows = answer.series.filter((r) => r.service === service && (!operation || r.operation === operation));
  const kind = rows.some((r) => r.kind === asked.kind) ? asked.kind : mainKind(rows);
  if (!kind) return { ...NOTHING, service, range: ends, compared, stepNs };
  const step = `${minutes}m`;
  const seriesParams = { ...spanParams(ends), service, operation, kind, by, q, step };
  const [series, before] = await Promise.all([
    getLatencySeries(seriesParams, stop),
    compared ? getLatencySeries({ ...seriesParams, ...spanParams(compared), step }, stop) : null,
  ]);
  return {
    service, range: ends, compared, stepNs, kind, kinds: [...new Set(rows.map((r) => r.kind))].sort(), rows, rowsParams, series, before, seriesParams,
    relativeError: answer.relativeError,
  };
}

/** A count of the other range as it would be in as much time as this one. */
export function inSameTime(f: Found, count: number): number {
  if (!f.range || !f.compared) return count;
  return (count * Number(f.range.to - f.range.from)) / Number(f.compared.to - f.compared.from);
}

/** Conditions of the spans that the page is about. */
export function conditionsOf(f: Found): string[] {
  const operation = param("op");
  return [`resource.service.name = ${quote(param("s"))}`, `kind = ${f.kind}`, ...(operation ? [`name = ${quote(operation)}`] : [])];
}

export const filterOf = (f: Found, ...more: string[]): string => `{ ${[...conditionsOf(f), ...more].join(" && ")} }`;

export const VERSION_KEYS = ["resource.service.version", "resource.service.instance.id"];

export const versionsParams = (f: Found): Params => ({
  ...(f.range ? spanParams(f.range) : {}),
  q: `${filterOf(f)} | count_over_time() by (${VERSION_KEYS.join(", ")})`,
  step: `${Number(f.stepNs) / 1e9}s`,
});

export const loadVersions = (f: Found): void => void versions.run((stop) => getMetricRange(versionsParams(f), stop));
