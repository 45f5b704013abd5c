// SPDX-License-Identifier: Apache-2.0
// The Service page: the range that is compared with, distributions of durations, errors in groups, versions over time. No DOM.
import type { LatencyBucket, MetricSeries } from "../api/types";
import { formatDuration } from "./time";

export const QUANTILE_CHOICES = ["50", "75", "90", "95", "99", "99.9"];
const QUANTILES_USUAL = ["50", "90", "95", "99"];

/** "50,99" of the address: percentiles that are drawn; what is none is left out. */
export function percentilesOf(text: string): string[] {
  const wanted = text.split(",").filter((p) => QUANTILE_CHOICES.includes(p));
  return wanted.length > 0 ? QUANTILE_CHOICES.filter((p) => wanted.includes(p)) : QUANTILES_USUAL;
}

/** 99.9 as the API takes it: 0.999. */
export const quantileOf = (percentile: string): string => String(Number((Number(percentile) / 100).toFixed(6)));

// ---- distributions ----

export interface Bucket {
  low: number;
  high: number;
  count: number;
}

export const bucketsOf = (rows: LatencyBucket[] | undefined): Bucket[] =>
  (rows ?? []).map(([low, high, count]) => ({ low: Number(low), high: Number(high), count: Number(count) }));

export interface Bar extends Bucket {
  /** Of what it is compared with. */
  before: number;
}

/** Bars of equal width on a logarithmic scale over both distributions. Buckets are narrower than bars and go whole into the bar of their least value;
 * durations below a microsecond are one bar. */
export function barsOf(now: Bucket[], before: Bucket[], bars: number): Bar[] {
  const all = [...now, ...before];
  if (all.length === 0) return [];
  const floor = (ns: number) => Math.max(1000, ns);
  const [least, most] = [floor(Math.min(...all.map((b) => b.low))), floor(Math.max(...all.map((b) => b.high))) * 1.0001];
  const width = Math.max(Math.log(most / least) / bars, 0.022);
  const count = Math.max(1, Math.ceil(Math.log(most / least) / width));
  const edge = (i: number) => least * Math.exp(i * width);
  const out: Bar[] = Array.from({ length: count }, (_, i) => ({ low: i === 0 && least === 1000 ? 0 : edge(i), high: edge(i + 1), count: 0, before: 0 }));
  const at = (b: Bucket) => out[Math.min(count - 1, Math.floor(Math.log(floor(b.low) / least) / width + 1e-9))];
  for (const b of now) at(b).count += b.count;
  for (const b of before) at(b).before += b.count;
  return out;
}

/** How many calls took at most this long: a bucket that is cut counts by halves of its width on a logarithmic scale. */
export function callsUntil(buckets: Bucket[], ns: number): number {
  let calls = 0;
  for (const b of buckets) {
    if (b.high <= ns) calls += b.count;
    else if (b.low < ns) calls += b.count * (Math.log(ns / Math.max(1, b.low)) / Math.log(b.high / Math.max(1, b.low)));
  }
  return calls;
}

// ---- errors ----

/** Parts of a message that differ from one error to the next: numbers, addresses, ids. A short number is rather a code, and so is one behind "status". */
export const foldNumbers = (message: string): string =>
  message
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, "…")
    .replace(/\b(?=[a-z]*\d)[0-9a-f]{8,}\b/gi, "…")
    .replace(/((?:status|code|http)\W{0,3}\d{3}\b)|\d+(?:[.:]\d+)+|\d{3,}/gi, (_, code?: string) => code ?? "…");

export interface ErrorGroup {
  key: string;
  type: string;
  message: string;
  /** The messages that are one, as they were sent. */
  messages: { type: string; exception: string; status: string; count: number }[];
  count: number;
  before: number;
  /** By step. */
  steps: number[];
  exemplar: { traceId: string; spanId: string; durationNano: string } | null;
}

/** Series by exception type, exception message and status message as groups, most errors first. fold: numbers in messages do not tell them apart. */
export function errorGroups(now: MetricSeries[], before: MetricSeries[], steps: string[], fold: boolean): ErrorGroup[] {
  const groups = new Map<string, ErrorGroup>();
  const index = new Map(steps.map((t, i) => [t, i]));
  const add = (series: MetricSeries, old: boolean) => {
    const [type, exception, status] = series.labels.map((l) => l.value ?? "");
    const text = exception || status;
    const message = fold ? foldNumbers(text) : text;
    const key = JSON.stringify([type, message]);
    const group = groups.get(key) ?? { key, type, message, messages: [], count: 0, before: 0, steps: steps.map(() => 0), exemplar: null };
    groups.set(key, group);
    const count = series.points.reduce((sum, [, n]) => sum + n, 0);
    if (old) {
      group.before += count;
      return;
    }
    group.count += count;
    group.messages.push({ type, exception, status, count });
    for (const [time, n] of series.points) {
      const i = index.get(time);
      if (i !== undefined) group.steps[i] += n;
    }
    for (const e of series.exemplars ?? []) {
      if (!group.exemplar || BigInt(e.durationNano) > BigInt(group.exemplar.durationNano)) group.exemplar = e;
    }
  };
  for (const s of now) add(s, false);
  for (const s of before) add(s, true);
  return [...groups.values()].sort((a, b) => b.count - a.count || b.before - a.before || (a.key < b.key ? -1 : 1));
}

// ---- versions and instances ----

export interface Version {
  name: string;
  calls: number;
  instances: number;
  /** Steps with calls of it: the first and the last. */
  first: number;
  last: number;
}

/** Series by version and instance: versions in the order in which they came, and how many instances there are. */
export function versionsOf(series: MetricSeries[], steps: string[]): { versions: Version[]; instances: number } {
  const found = new Map<string, Version>();
  const instances = new Set<string>();
  const index = new Map(steps.map((t, i) => [t, i]));
  for (const s of series) {
    const [version, instance] = s.labels.map((l) => l.value ?? "");
    const at = s.points.filter(([, n]) => n > 0).map(([t]) => index.get(t) ?? 0);
    if (at.length === 0) continue;
    if (instance !== "") instances.add(instance);
    const own = found.get(version) ?? { name: version, calls: 0, instances: 0, first: steps.length, last: -1 };
    own.calls += s.points.reduce((sum, [, n]) => sum + n, 0);
    own.instances += instance === "" ? 0 : 1;
    own.first = Math.min(own.first, ...at);
    own.last = Math.max(own.last, ...at);
    found.set(version, own);
  }
  return { versions: [...found.values()].sort((a, b) => a.first - b.first || a.last - b.last || (a.name < b.name ? -1 : 1)), instances: instances.size };
}

/** Versions that were not there from the beginning: where each came. */
export const arrivals = (versions: Version[]): Version[] => {
  const begin = Math.min(...versions.map((v) => v.first));
  return versions.filter((v) => v.first > begin && v.name !== "");
};

export const boundsText = (b: Bucket): string => (b.low <= 0 ? `below ${formatDuration(b.high)}` : `${formatDuration(b.low)} – ${formatDuration(b.high)}`);

/** Of a letter of the names of marks, in pixels, and of the room between two names. */
const [LETTER, BETWEEN] = [7, 6];

/** Where the names of marks stand, each in the middle: those that would lie on each other side by side, in the order of their marks. Marks from left to right. */
export function namesOfMarks(marks: { text: string; x: number }[], width: number): { text: string; x: number }[] {
  const names: { text: string; x: number; low: number; high: number }[] = [];
  for (const { text, x } of [...marks].reverse()) {
    const half = (LETTER * text.length) / 2;
    const next = names.at(-1);
    const meets = next && Math.min(x, width - half) + half + BETWEEN > next.x - (LETTER * next.text.length) / 2;
    const name = meets ? { text: `${text} ${next.text}`, low: x, high: next.high } : { text, low: x, high: x };
    if (meets) names.pop();
    const own = (LETTER * name.text.length) / 2;
    names.push({ ...name, x: Math.max(own, Math.min(width - own, (name.low + name.high) / 2)) });
  }
  return names;
}
