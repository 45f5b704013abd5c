// SPDX-License-Identifier: Apache-2.0
// Two lists of attributes, key by key. No DOM.
import type { KeyValue, SpanDetail } from "../api/types";
import { typeOf, valueToText } from "./anyvalue";
import { KINDS, STATUS } from "./skeleton";
import { formatDuration } from "./time";

export type KeyChange = "same" | "changed" | "only a" | "only b";

export interface ComparedKey {
  group: string;
  key: string;
  /** Null where this side does not have the key. */
  a: string | null;
  b: string | null;
  change: KeyChange;
}

/** What stands in place of a value; types are part of it, since "1" is not 1. */
function textOf(kv: KeyValue | undefined): string | null {
  if (!kv) return null;
  const text = valueToText(kv.value);
  return typeOf(kv.value) === "string" ? text : `${text} (${typeOf(kv.value)})`;
}

export function compareText(group: string, key: string, a: string | null, b: string | null): ComparedKey {
  return { group, key, a, b, change: a === null ? "only b" : b === null ? "only a" : a === b ? "same" : "changed" };
}

/** Keys in order; of a key that stands there twice, the first. */
export function compareKeys(group: string, a: KeyValue[] = [], b: KeyValue[] = []): ComparedKey[] {
  const keys = [...new Set([...a, ...b].map((kv) => kv.key))].sort();
  const first = (list: KeyValue[], key: string) => textOf(list.find((kv) => kv.key === key));
  return keys.map((key) => compareText(group, key, first(a, key), first(b, key)));
}

/** Two spans: what they are, then attributes, events, scope and resource. */
export function compareSpans(a: SpanDetail, b: SpanDetail): ComparedKey[] {
  const facts = ({ span }: SpanDetail): Record<string, string> => ({
    name: span.name ?? "",
    kind: KINDS[span.kind ?? 0] ?? String(span.kind),
    status: STATUS[span.status?.code ?? 0] ?? String(span.status?.code),
    "status message": span.status?.message ?? "",
    duration: formatDuration(Number(BigInt(span.endTimeUnixNano ?? 0) - BigInt(span.startTimeUnixNano ?? 0))),
    events: String(span.events?.length ?? 0),
    links: String(span.links?.length ?? 0),
    "trace state": span.traceState ?? "",
  });
  const [fa, fb] = [facts(a), facts(b)];
  const named = (d: SpanDetail) => [...(d.scope.attributes ?? []), ...text("name", d.scope.name), ...text("version", d.scope.version)];
  return [
    ...Object.keys(fa).filter((k) => fa[k] !== "" || fb[k] !== "").map((k) => compareText("Span", k, fa[k] || null, fb[k] || null)),
    ...compareKeys("Attributes", a.span.attributes, b.span.attributes),
    ...eventNames(a, b),
    ...compareKeys("Scope", named(a), named(b)),
    ...compareKeys("Resource", a.resource.attributes, b.resource.attributes),
  ];
}

const text = (key: string, value: string | undefined): KeyValue[] => (value ? [{ key, value: { stringValue: value } }] : []);

/** How often each event happened: their times differ in any two spans. */
function eventNames(a: SpanDetail, b: SpanDetail): ComparedKey[] {
  const count = (d: SpanDetail, name: string) => (d.span.events ?? []).filter((e) => (e.name ?? "") === name).length;
  const names = [...new Set([...(a.span.events ?? []), ...(b.span.events ?? [])].map((e) => e.name ?? ""))].sort();
  const times = (n: number) => (n > 0 ? `${n} ×` : null);
  return names.map((name) => compareText("Events", name || "(no name)", times(count(a, name)), times(count(b, name))));
}
