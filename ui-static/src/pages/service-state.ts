// SPDX-License-Identifier: Apache-2.0
// What the page of one service asks, and the answers. The address says which service, operation, kind and range, and what they are compared with.
import { getLatency, getLatencySeries, getMetricRange, type Params, type Range } from "../api/client";
import type { LatencyRow, LatencySeries, MetricRange } from "../api/types";
import { comparedRange, type Span } from "../model/change";
import { mainKind, stepMinutes } from "../model/service";
import { percentilesOf, quantileOf } from "../model/service-more";
import { quote } from "../model/traceql";
import { param } from "../route";
import { comparedParams, endsOf, spanParams } from "../state/ends";
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

export { comparedParams, secondsOf, spanParams } from "../state/ends";

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
function conditionsOf(f: Found): string[] {
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
