// SPDX-License-Identifier: Apache-2.0
// Times are Unix nanoseconds as bigint; durations are nanoseconds as number (exact to 104 days). No DOM, no clock.
import { significant } from "./text";

const UNIT_NS: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86400e9,
};

/** "15m" or "1h30m" in nanoseconds; null when it is not a duration. */
export function parseDuration(text: string): number | null {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m|h|d)/gy)];
  if (parts.length === 0 || parts.map((p) => p[0]).join("") !== text.trim()) return null;
  return parts.reduce((sum, p) => sum + Number(p[1]) * UNIT_NS[p[2]], 0);
}

/** now, now-15m, Unix seconds to nanoseconds, and dates: with less than RFC 3339 wants, too; without a zone they are of the one given. Null when none of them. */
export function parseTime(text: string, nowNs: bigint, zone: Zone = "local"): bigint | null {
  const trimmed = text.trim();
  if (trimmed === "now") return nowNs;
  if (trimmed.startsWith("now-")) {
    const back = parseDuration(trimmed.slice(4));
    return back === null ? null : nowNs - BigInt(Math.round(back));
  }
  if (/^\d{1,19}$/.test(trimmed)) return scaleUnix(trimmed);
  return parseDate(trimmed, zone);
}

function scaleUnix(digitsOfTime: string): bigint {
  const n = digitsOfTime.length;
  const scale = n <= 11 ? 9n : n <= 14 ? 6n : n <= 17 ? 3n : 0n;
  return BigInt(digitsOfTime) * 10n ** scale;
}

function parseDate(text: string, here: Zone): bigint | null {
  const m = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?$/i.exec(text);
  if (!m) return null;
  const [, date, clock = "00:00", seconds = "00", fraction = "", zone = here === "utc" ? "Z" : ""] = m;
  const offset = zone.toUpperCase() === "Z" ? "Z" : zone.replace(/^(...):?(..)$/, "$1:$2");
  const ms = Date.parse(`${date}T${clock}:${seconds}.000${offset}`);
  // Browsers make the 3rd of March of a 31st of February.
  if (Number.isNaN(ms) || new Date(`${date}T00:00:00Z`).toISOString().slice(0, 10) !== date) return null;
  return BigInt(ms) * 1000000n + BigInt(fraction.padEnd(9, "0"));
}

/** Three significant digits up to a minute, then two units: 0.400 ns (a mean), 850 ns, 1.28 ms, 12.0 s, 2 m 05 s, 3 h 20 m, 2 d 4 h. */
export function formatDuration(ns: number | null): string {
  if (ns === null || !Number.isFinite(ns)) return "–";
  if (ns < 0) return `−${formatDuration(-ns)}`;
  if (ns < 999.5) return `${Number.isInteger(ns) ? ns : significant(ns)} ns`;
  if (ns < 999.5e3) return `${significant(ns / 1e3)} µs`;
  if (ns < 999.5e6) return `${significant(ns / 1e6)} ms`;
  if (ns < 59.95e9) return `${significant(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export type Zone = "local" | "utc";
const two = (n: number) => String(n).padStart(2, "0");

function dateParts(ns: bigint, zone: Zone) {
  const ms = Number(ns / 1000000n);
  const d = new Date(zone === "utc" ? ms : ms - new Date(ms).getTimezoneOffset() * 60000);
  return {
    day: `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`,
    clock: `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`,
  };
}

/** 12:01:03.120, with as many digits of the second as asked for. */
export function formatClock(ns: bigint, zone: Zone, digitsOfSecond = 3): string {
  const fraction = String(ns % 1000000000n).padStart(9, "0").slice(0, digitsOfSecond);
  return dateParts(ns, zone).clock + (fraction ? `.${fraction}` : "");
}

export function formatDay(ns: bigint, zone: Zone): string {
  return dateParts(ns, zone).day;
}

/** The whole truth, to the nanosecond, with its zone: for hover and for copying. */
export function formatFull(ns: bigint, zone: Zone): string {
  return `${formatDay(ns, zone)} ${formatClock(ns, zone, 9)} ${zone === "utc" ? "UTC" : zoneName(ns)}`;
}

/** To the millisecond, where the rest would be in the way. */
export const formatMilli = (ns: bigint, zone: Zone): string => formatFull(ns, zone).replace(/(\.\d{3})\d+/, "$1");

/** UTC+02:00, as it is here at that time. */
export function zoneName(ns: bigint): string {
  const minutes = -new Date(Number(ns / 1000000n)).getTimezoneOffset();
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

const YEAR_NS = 300n * 86400000000000n;

/** How times of a range are told: with their day if it has several, with the year if it is nearly as long as one. */
export function timeIn(from: bigint, to: bigint, zone: Zone, digitsOfSecond = 0): (ns: bigint) => string {
  const days = formatDay(from, zone) !== formatDay(to, zone);
  return (ns) => `${days ? `${dayIn(from, to, ns, zone)} ` : ""}${formatClock(ns, zone, digitsOfSecond)}`;
}

export const dayIn = (from: bigint, to: bigint, ns: bigint, zone: Zone): string => formatDay(ns, zone).slice(to - from > YEAR_NS ? 0 : 5);

/** A day beside others: without its year, unless that is not to be taken for granted. */
export const shortDay = (ns: bigint, nowNs: bigint, zone: Zone): string => (ns > nowNs ? formatDay(ns, zone) : dayIn(ns, nowNs, ns, zone));

/** RFC 3339 in UTC, for links that must mean the same tomorrow. */
export function toRfc3339(ns: bigint): string {
  const { day, clock } = dateParts(ns, "utc");
  const fraction = String(ns % 1000000000n).padStart(9, "0").replace(/0+$/, "");
  return `${day}T${clock}${fraction ? `.${fraction}` : ""}Z`;
}

/** "3 min ago", for reading; the exact time stands beside it or on hover. */
export function formatAge(ns: bigint, nowNs: bigint): string {
  const seconds = Number((nowNs - ns) / 1000000000n);
  if (seconds < 0) return "in the future";
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}
