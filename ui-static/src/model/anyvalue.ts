// SPDX-License-Identifier: Apache-2.0
// OTLP values as text. No DOM. Nesting is bounded, since in a file a value may be nested as deep as its writer likes.
import type { AnyValue, KeyValue } from "../api/types";

/** What the server lets in at most (docs/limits.md). */
export const NESTING_MAX = 100;

export function typeOf(value: AnyValue | undefined): string {
  if (!value) return "empty";
  if (value.stringValue !== undefined) return "string";
  if (value.intValue !== undefined) return "int";
  if (value.doubleValue !== undefined) return "double";
  if (value.boolValue !== undefined) return "bool";
  if (value.bytesValue !== undefined) return "bytes";
  if (value.arrayValue !== undefined) return "array";
  if (value.kvlistValue !== undefined) return "kvlist";
  return "empty";
}

/** One value on one line; strings inside lists are quoted, a string by itself is not. */
export function valueToText(value: AnyValue | undefined, nesting = 0): string {
  if (nesting > NESTING_MAX) return "…";
  switch (typeOf(value)) {
    case "string":
      return nesting > 0 ? JSON.stringify(value?.stringValue) : (value?.stringValue as string);
    case "int":
      return String(value?.intValue);
    case "double":
      return String(value?.doubleValue);
    case "bool":
      return String(value?.boolValue);
    case "bytes":
      return `base64 ${value?.bytesValue}`;
    case "array":
      return `[${(value?.arrayValue?.values ?? []).map((v) => valueToText(v, nesting + 1)).join(", ")}]`;
    case "kvlist":
      return `{${(value?.kvlistValue?.values ?? []).map((kv) => `${JSON.stringify(kv.key)}: ${valueToText(kv.value, nesting + 1)}`).join(", ")}}`;
    default:
      return "";
  }
}

/** Attributes in a stable order, with the ones whose key or value holds the text. */
export function filterAttributes(list: KeyValue[], text: string): KeyValue[] {
  const wanted = text.trim().toLowerCase();
  const sorted = [...list].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  if (!wanted) return sorted;
  return sorted.filter((a) => a.key.toLowerCase().includes(wanted) || valueToText(a.value).toLowerCase().includes(wanted));
}
