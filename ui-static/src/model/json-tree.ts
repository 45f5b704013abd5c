// SPDX-License-Identifier: Apache-2.0
// JSON, and lists of OTLP, as a tree. What is in it is text as it was written: numbers of more digits than JavaScript has, a key that stands there
// twice, and the order of keys would not outlive JSON.parse. No DOM.
import type { AnyValue } from "../api/types";
import { NESTING_MAX, valueToText } from "./anyvalue";

export interface Tree {
  /** Null in a list, and at the top. */
  key: string | null;
  /** Of a leaf its value, strings with their quotes; of what has parts { or [. */
  text: string;
  parts: Tree[] | null;
}

/** Longer texts stay as they are: their tree would take longer to make than they take to read. */
export const TREE_CHARS_MAX = 256 * 1024;
/** What lies deeper is told by its number of parts only; the text has it, if it is JSON. */
export const TREE_LEVELS_MAX = NESTING_MAX;

const begins = (text: string): boolean => /^\s*[[{]/.test(text);

/** Long, and perhaps JSON. */
export const isTooLong = (text: string): boolean => text.length > TREE_CHARS_MAX && begins(text);

/** Null for what is no object and no list, and for what is too long. */
export function treeOf(value: AnyValue | undefined, text: string): Tree | null {
  if (text.length > TREE_CHARS_MAX) return null;
  if (value?.arrayValue || value?.kvlistValue) return treeOfValue(value, null, 0);
  if (value?.stringValue === undefined || !begins(text)) return null;
  try {
    JSON.parse(text);
    return treeOfJson(text);
  } catch {
    return null;
  }
}

function treeOfValue(value: AnyValue | undefined, key: string | null, level: number): Tree {
  const list = value?.arrayValue;
  const pairs = value?.kvlistValue;
  if (!list && !pairs) return { key, text: valueToText(value, 1) || "empty", parts: null };
  // As deep as it is shown, and one more, which is counted.
  const parts = level > TREE_LEVELS_MAX ? [] : list ? (list.values ?? []).map((v) => treeOfValue(v, null, level + 1)) : (pairs?.values ?? []).map((p) => treeOfValue(p.value, p.key, level + 1));
  return { key, text: list ? "[" : "{", parts };
}

/** Of a valid text the strings, brackets and words; what stands between them is known from these. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}]|[^\s,:[\]{}"]+/gs;

function treeOfJson(text: string): Tree {
  const top: Tree[] = [];
  const open: { text: string; parts: Tree[] }[] = [{ text: "[", parts: top }];
  let key: string | null = null;
  for (const [token] of text.matchAll(TOKENS)) {
    const around = open[open.length - 1];
    if (token === "}" || token === "]") open.pop();
    else if (around.text === "{" && key === null) key = JSON.parse(token) as string;
    else {
      const parts: Tree[] | null = token === "{" || token === "[" ? [] : null;
      around.parts.push({ key, text: token, parts });
      key = null;
      if (parts) open.push({ text: token, parts });
    }
  }
  return top[0];
}
