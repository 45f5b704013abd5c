// SPDX-License-Identifier: Apache-2.0
// The Status page's numbers: counters by name, rates between readings, how long the disk lasts. No DOM, no clock.
import type { SystemAnswer, SystemCounter, SystemHistory } from "../api/types";
import { cutMiddle, formatBytes, formatCount } from "./text";
import { formatClock, formatDay, formatDuration, type Zone } from "./time";

/** Readings are kept so long, as the server keeps them. */
const KEPT_NS = 3600_000_000_000n;
/** A longer time than this between two readings was read by the server, if by anybody. */
const UNREAD_NS = 12_000_000_000n;
/** A rate of a shorter time says little: one request with many spans makes a peak that never was. */
const SHORT_NS = 2_000_000_000n;
/** What happened in it between two readings is not known by then. */
const HOLE_NS = 60e9;
const DAY_NS = 86400e9;
/** A mean of what is stored says nothing of a time so far away. */
const FORECAST_NS_MAX = 3650 * DAY_NS;
/** Growth over a shorter time says nothing of a day. */
const GROWTH_NS_MIN = 600e9;

export interface Sample {
  /** Unix nanoseconds of the server's clock. */
  at: bigint;
  startedAt: string;
  grpc: number;
  http: number;
  requests: number;
}

type Counted = Pick<SystemAnswer, "nowUnixNano" | "startedAtUnixNano"> & { counters: Pick<SystemCounter, "name" | "labels" | "value">[] };

export const countersOf = (value: SystemAnswer, name: string): SystemCounter[] => value.counters.filter((c) => c.name === name);
/** Sum over all labels, or those that have this part. */
export const counterOf = ({ counters }: Pick<Counted, "counters">, name: string, part = ""): number =>
  counters.reduce((sum, c) => (c.name === name && c.labels.includes(part) ? sum + Number(c.value) : sum), 0);

/** reason="LIMIT",retryable="false" */
export function labelOf(counter: SystemCounter, label: string): string {
  return new RegExp(`(?:^|,)${label}="([^"]*)"`).exec(counter.labels)?.[1] ?? "";
}

export function sampleOf(value: Counted): Sample {
  const by = (transport: string) => counterOf(value, "spoor_acked_spans_by_transport", transport);
  return { at: BigInt(value.nowUnixNano), startedAt: value.startedAtUnixNano, grpc: by("grpc"), http: by("http"), requests: counterOf(value, "spoor_received_requests") };
}

export const samplesOf = ({ atUnixNano, startedAtUnixNano, series }: SystemHistory): Sample[] =>
  atUnixNano.map((nowUnixNano, i) => sampleOf({ nowUnixNano, startedAtUnixNano, counters: series.map(({ name, labels, values }) => ({ name, labels, value: values[i] })) }));

/** From when on a page that has these readings asks the server for what it remembers: "" for all. Null: it has them all. */
export function unreadSince(samples: Sample[], now: Sample): string | null {
  const last = samples.findLast((s) => s.at < now.at);
  return !last ? "" : last.startedAt !== now.startedAt || now.at - last.at > UNREAD_NS ? String(last.at) : null;
}

/** A reading and what is known of the hour before it, in order. A clock that was set back has taken what came after it along. */
export function joined(now: Sample, ...known: Sample[]): Sample[] {
  const all = new Map(known.map((s) => [s.at, s]));
  const before = [...all.values()].filter((s) => s.at < now.at && s.at > now.at - KEPT_NS).sort((a, b) => Number(a.at - b.at));
  return [...before.filter((s, i) => i === 0 || s.at <= now.at - SHORT_NS), now];
}

const RATES = ["grpc", "http", "requests"] as const;

/** A second; null: nobody knows. */
export type Rate = { at: bigint } & Record<(typeof RATES)[number], number | null>;

/** Between two readings. Those of two processes have no difference, nor have counters that began anew. */
export function rateOf(before: Sample, s: Sample): Rate {
  const ns = Number(s.at - before.at);
  const known = s.startedAt === before.startedAt && ns > 0 && ns <= HOLE_NS && RATES.every((k) => s[k] >= before[k]);
  const [grpc, http, requests] = RATES.map((k) => (known ? (s[k] - before[k]) / (ns / 1e9) : null));
  return { at: s.at, grpc, http, requests };
}

/** Seconds of a step of the chart: some hundred steps, whatever the time. */
export const stepOf = (samples: Sample[]): number => (samples.length > 0 && samples[samples.length - 1].at - samples[0].at > 600_000_000_000n ? 30 : 5);

/** Rates of steps of one length, none left out: from the last reading of each to that of the next. */
export function ratesOf(samples: Sample[]): Rate[] {
  const ns = BigInt(stepOf(samples)) * 1_000_000_000n;
  const rates: Rate[] = [];
  let before = samples[0];
  samples.forEach((s, i) => {
    const [from, step, next] = [before, s, samples[i + 1]].map((one) => (one ? one.at / ns : -1n));
    if (i === 0 || step === next) return;
    const rate = rateOf(before, s);
    for (let n = from + 1n; n < step; n++) rates.push({ ...rate, at: (n + 1n) * ns });
    rates.push(rate);
    before = s;
  });
  return rates;
}

export interface Forecast {
  bytesADay: number | null;
  /** What the growth was worked out from. */
  basis: string;
  fullInNs: number | null;
  /** What will be full then. */
  until: string;
}

/** From what is stored and the time it is of: a mean, which says nothing of a load that changes. */
export function forecastOf(value: SystemAnswer): Forecast {
  const s = value.store;
  const length = s.oldestUnixNano && s.newestUnixNano ? Number(BigInt(s.newestUnixNano) - BigInt(s.oldestUnixNano)) : 0;
  if (length < GROWTH_NS_MIN) return { bytesADay: null, basis: "less than ten minutes are stored", fullInNs: null, until: "" };
  const bytesADay = (Number(s.storedBytes) / length) * DAY_NS;
  const basis = `${formatBytes(s.storedBytes)} stand for ${formatDuration(length)}`;
  const limit = Number(s.retentionBytes);
  const free = s.disk ? Number(s.disk.freeBytes) : Number.POSITIVE_INFINITY;
  const allowed = limit > 0 ? Math.max(0, limit - Number(s.storedBytes)) : Number.POSITIVE_INFINITY;
  const age = Number(s.retentionAgeNano);
  const left = Math.min(free, allowed);
  if (left === Number.POSITIVE_INFINITY || bytesADay <= 0) return { bytesADay, basis, fullInNs: null, until: "the room on the disk is not known" };
  const fullInNs = (left / bytesADay) * DAY_NS;
  if (fullInNs > FORECAST_NS_MAX) return { bytesADay, basis, fullInNs: null, until: "not within ten years at this growth" };
  if (age > 0 && length + fullInNs > age) return { bytesADay, basis, fullInNs: null, until: `not before spans are ${formatDuration(age)} old and go` };
  return { bytesADay, basis, fullInNs, until: allowed <= free ? "then the oldest spans go, as --retention-size says" : "then nothing is taken any more: the disk has no more room" };
}

/** What a span took on the wire since the start, and takes in the store: "352 B a span came, 16.0 B are kept: a 22nd". Null before the first span. */
export function compressionOf(value: SystemAnswer): { received: number; stored: number; ratio: number } | null {
  const [bytes, spans] = [counterOf(value, "spoor_received_bytes"), counterOf(value, "spoor_acked_spans")];
  const kept = Number(value.store.spanCount);
  if (spans === 0 || kept === 0 || bytes === 0 || Number(value.store.storedBytes) === 0) return null;
  const [received, stored] = [bytes / spans, Number(value.store.storedBytes) / kept];
  return { received, stored, ratio: received / stored };
}

const TIMES = new Set(["from", "to", "compareFrom", "compareTo", "at"]);

/** A parameter of a query that is a time, in nanoseconds, as text of it; others as they are. */
export function parameterText(name: string, value: string, zone: Zone): string {
  return TIMES.has(name) && /^\d{19}$/.test(value) ? `${formatDay(BigInt(value), zone)} ${formatClock(BigInt(value), zone, 0)}` : value;
}

/** A quantile of counted durations, as the step it lies in: "≤ 25.0 ms". */
export function quantileBound(buckets: string[], bounds: number[], q: number): string {
  const counts = buckets.map(Number);
  const all = counts.reduce((a, b) => a + b, 0);
  if (all === 0) return "–";
  let sum = 0;
  for (let i = 0; i < counts.length; i++) {
    sum += counts[i];
    if (sum >= q * all) return i < bounds.length ? `≤ ${formatDuration(bounds[i] * 1e9)}` : `> ${formatDuration(bounds[bounds.length - 1] * 1e9)}`;
  }
  return "–";
}

/** The address of a query, taken apart for reading. What cannot be decoded stays as it is. */
export function addressOf(url: string): { path: string; parameters: [string, string][] } {
  const [path, query = ""] = url.split(/\?(.*)/s);
  return { path, parameters: [...new URLSearchParams(query)] };
}

/** A query as a name for it: its TraceQL, or what else it asks for. */
export function nameOf(url: string): string {
  const { path, parameters } = addressOf(url);
  const q = parameters.find(([k]) => k === "q")?.[1];
  return cutMiddle(q || [path, ...parameters.map((p) => p.join("="))].join(" "), 80);
}

const EXPLORED: Record<string, [string, string][]> = {
  "/v1/search": [["q", "q"], ["from", "from"], ["to", "to"], ["order", "sort"]],
  "/v1/heatmap": [["q", "q"], ["from", "from"], ["to", "to"]],
  "/v1/facets": [["q", "q"], ["from", "from"], ["to", "to"]],
};

/** What a query is on the Explore page; null: nothing there. */
export function exploreOf({ path, parameters }: ReturnType<typeof addressOf>): Record<string, string> | null {
  const names = EXPLORED[path];
  if (!names) return null;
  const of = new Map(parameters);
  return Object.fromEntries(names.map(([here, there]) => [there, of.get(here) ?? ""]));
}

/** 64 MiB, as options are written; what is no whole number of these in decimal units. */
function optionBytes(bytes: number): string {
  let [n, unit] = [bytes, -1];
  for (; unit < 2 && n >= 1024 && n % 1024 === 0; unit++) n /= 1024;
  return unit < 0 ? formatBytes(n) : `${formatCount(n)} ${["KiB", "MiB", "GiB"][unit]}`;
}

export function limitText(value: string, unit: string): string {
  return value === "0" ? "none" : unit === "ns" ? formatDuration(Number(value)) : unit === "bytes" ? optionBytes(Number(value)) : formatCount(value);
}
