// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them. No DOM.

const grouped = new Intl.NumberFormat("en-US");

/** 13,208: exact, whatever the size. */
export function formatCount(n: number | string | bigint): string {
  return grouped.format(typeof n === "number" ? n : BigInt(n));
}

export function plural(n: number | string, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${Number(n) === 1 ? one : many}`;
}

/** 0.00234, 9.40, 12.3, 1,234: however small, its first three digits; larger numbers whole. For what is positive. */
export function significant(value: number): string {
  return value >= 999.5 ? formatCount(Math.round(value)) : value.toPrecision(3);
}

/** 3, or 2.40 where it is a mean: how many there are of something in a trace. */
export const formatMean = (n: number): string => (Number.isInteger(n) ? formatCount(n) : significant(n));

/** 412 B, 1.70 MB: decimal units. */
export function formatBytes(n: number | string): string {
  const bytes = Number(n);
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${significant(value)} ${units[unit]}`;
}

/** A name that can be seen: one that is empty, or only white space and signs without a shape, is told in words. */
export function visibleName(name: string, none = "(no name)"): string {
  if (name === "") return none;
  return /^[\s\p{Cc}\p{Cf}]+$/u.test(name) ? "(blank)" : name;
}

const NAME_MAX = 500;
const END = 8;
/** Code units in which the letters are that are kept of a name: it may be a megabyte. */
const FAR = 1000;

let segmenter: Intl.Segmenter | undefined;

/** What is read as one letter stays one, whatever it is written with: marks, flags and families are several code points. */
function lettersOf(text: string): string[] {
  // Not each browser that pages are built for knows more than code points.
  if (!/[\u0300-\uffff]/.test(text) || !Intl.Segmenter) return [...text];
  segmenter ??= new Intl.Segmenter();
  return Array.from(segmenter.segment(text), (s) => s.segment);
}

/** A name may be a megabyte of SQL: of one that is too long to be read, its beginning, and how long it is. (A letter that is cut through is two at most: half a flag, and half of a
 * sign of it.) */
export const shortName = (name: string): string => (name.length > NAME_MAX ? `${lettersOf(name.slice(0, NAME_MAX + 2)).slice(0, Math.max(-2, NAME_MAX - name.length)).join("")} … ${formatCount(name.length)} characters` : name);

/** A long name as its beginning, of which any part may be cut off, and its end: many that begin alike differ only there. "" for the end of a short one. */
export function halvesOf(name: string): [string, string] {
  const end = lettersOf(name.slice(-FAR)).slice(-END).join("");
  const begin = name.slice(0, name.length - end.length);
  return lettersOf(begin.slice(0, FAR)).length < 2 * END ? [name, ""] : [begin, end];
}

/** At most so many letters of a name, the others missing in its middle. */
export function cutMiddle(name: string, most: number): string {
  const far = name.length > 2 * FAR;
  const letters = lettersOf(far ? name.slice(0, FAR) + name.slice(-FAR) : name);
  const end = Math.min(END, Math.floor(most / 2));
  return !far && letters.length <= most ? name : `${letters.slice(0, most - end - 1).join("")}…${letters.slice(-end).join("")}`;
}

/** 0 %, 0.000100 %, 0.03 %, 2.1 %, 45 %; never "0 %" for something that is there. */
export function formatPercent(part: number, whole: number): string {
  if (whole <= 0 || part <= 0) return "0 %";
  const p = (100 * part) / whole;
  return `${p < 0.00995 ? significant(p) : p < 1 ? p.toFixed(2) : p < 10 ? p.toFixed(1) : Math.round(p)} %`;
}

/** "97.3 %" of what is counted; never 100 % of what is not all. */
export function upToText(part: number, whole: number): string {
  if (part >= whole) return "100 %";
  const percent = Math.min(99.99, (100 * part) / Math.max(1, whole));
  return percent < 1 ? formatPercent(percent, 100) : `${percent.toFixed(percent > 99 ? 2 : 1)} %`;
}

/** Calls a second: 0.021/s, 0.16/s, 3.4/s, 412/s; of what is rare calls an hour or a day: 1.80/h, 5.00/d. */
export function formatRate(calls: number, seconds: number): string {
  if (seconds <= 0) return "–";
  if (calls === 0) return "0/s";
  const rate = calls / seconds;
  if (rate < 0.0005) return rate * 3600 < 0.9995 ? `${significant(rate * 86400)}/d` : `${significant(rate * 3600)}/h`;
  return `${rate < 0.0995 ? rate.toFixed(3) : rate < 0.995 ? rate.toFixed(2) : rate < 9.95 ? rate.toFixed(1) : formatCount(Math.round(rate))}/s`;
}
