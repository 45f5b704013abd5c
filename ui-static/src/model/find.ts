// SPDX-License-Identifier: Apache-2.0
// Finding spans in a trace by service, name or span id. Names are few and rows are many, so the words are compared with
// the dictionaries once and the rows only look the answer up. No DOM.
import { rowOfSpan, type Skeleton } from "./skeleton";

export interface Found {
  /** 1 for a row that matches. */
  mask: Uint8Array;
  count: number;
}

/** Words match anywhere in service or name, without regard to case, and all must; "a b" in quotes is one word. */
export function words(text: string): string[] {
  return [...text.toLowerCase().matchAll(/"([^"]*)"?|(\S+)/g)].map((m) => m[1] ?? m[2]).filter((w) => w !== "");
}

/** A text that is a condition and not words: what the server is asked for it. Null: words. What stands in quotes is words. */
export function asQuery(text: string): string | null {
  const trimmed = text.trim();
  if (trimmed.startsWith("{")) return trimmed;
  const operator = /[=<>]|&&|\|\|/.test(trimmed.replace(/"[^"]*"?/g, (quoted, at: number) => (at === 0 ? "" : quoted)));
  return operator && !trimmed.startsWith('"') ? `{ ${trimmed} }` : null;
}

/** Base64 with the lowest bit of the first byte for row 0, as /match answers. */
export function maskOfBitmap(bitmap: string, count: number): Uint8Array {
  const bytes = atob(bitmap);
  if (bytes.length !== Math.ceil(count / 8)) throw new Error("the matches do not fit the trace: it has more spans by now");
  return Uint8Array.from({ length: count }, (_, row) => (bytes.charCodeAt(row >> 3) >> (row & 7)) & 1);
}

/** Rows that are in all of the masks; null when there is none. */
export function allOf(masks: (Uint8Array | null)[], count: number): Found | null {
  const given = masks.filter((m) => m !== null);
  if (given.length === 0) return null;
  // Of one there is nothing to combine, and rows are many.
  const mask = given.length === 1 ? given[0] : new Uint8Array(count).fill(1);
  if (given.length > 1) for (const other of given) for (let row = 0; row < count; row++) mask[row] &= other[row];
  let n = 0;
  for (let row = 0; row < count; row++) n += mask[row];
  return { mask, count: n };
}

export function findSpans(s: Skeleton, text: string): Found | null {
  const wanted = words(text);
  if (wanted.length === 0) return null;
  const mask = new Uint8Array(s.count);
  const byId = /^[0-9a-f]{16}$/.test(wanted[0]) ? rowOfSpan(s, wanted[0]) : -1;
  if (byId >= 0) {
    mask[byId] = 1;
    return { mask, count: 1 };
  }
  mask.fill(1);
  let count = s.count;
  // One look at each row for many words: the first letter is looked for by code that is not compiled yet.
  for (let from = 0; from < wanted.length; from += WORDS_AT_ONCE) {
    const some = wanted.slice(from, from + WORDS_AT_ONCE);
    const inService = Int32Array.from(s.services, (x) => bitsOf(some, x.name));
    const inOperation = Int32Array.from(s.operations, (name) => bitsOf(some, name));
    count = narrow(mask, s.service, inService, s.operation, inOperation, 2 ** some.length - 1);
  }
  // Names come first: "cafe" is rather one of them than a part of an id.
  const [part] = wanted;
  if (count === 0 && wanted.length === 1 && /^[0-9a-f]{4,15}$/.test(part)) {
    for (let at = s.spanIds.indexOf(part); at >= 0; at = s.spanIds.indexOf(part, at + 1)) {
      if ((at % 16) + part.length > 16 || mask[at >> 4] === 1) continue;
      mask[at >> 4] = 1;
      count++;
    }
  }
  return { mask, count };
}

/** A bit for each. */
const WORDS_AT_ONCE = 30;

/** Which of the words stand in the name. */
function bitsOf(some: string[], name: string): number {
  const lower = name.toLowerCase();
  return some.reduce((bits, word, i) => (lower.includes(word) ? bits | (1 << i) : bits), 0);
}

/** Leaves those rows in the mask that have all bits, in service or operation; returns how many there are. */
function narrow(mask: Uint8Array, service: ArrayLike<number>, inService: Int32Array, operation: ArrayLike<number>, inOperation: Int32Array, all: number): number {
  let count = 0;
  for (let row = 0; row < mask.length; row++) {
    if (mask[row] === 1 && (inService[service[row]] | inOperation[operation[row]]) === all) count++;
    else mask[row] = 0;
  }
  return count;
}

/** Rows that are in one of the two. */
export function eitherOf(a: Uint8Array, b: Uint8Array): Found {
  const mask = a.map((bit, row) => bit | b[row]);
  return { mask, count: mask.reduce((sum, bit) => sum + bit, 0) };
}

/** The next row for which the test holds, in this direction, around the end; -1 when there is none. */
export function nextRow(count: number, from: number, step: 1 | -1, test: (row: number) => boolean): number {
  for (let i = 1; i <= count; i++) {
    const row = (((from + step * i) % count) + count) % count;
    if (test(row)) return row;
  }
  return -1;
}
