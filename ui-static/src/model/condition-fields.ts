// SPDX-License-Identifier: Apache-2.0
// The fields of the query language, read from the spans of a file. No DOM.
import type { KeyValue } from "../api/types";
import type { Assembled } from "./assemble";
import { KIND_NAMES, type Lexeme, STATUSES } from "./condition-text";
import { type Operand, operandOf, type Type } from "./condition-value";
import type { Stored } from "./otlp";

export interface Field {
  type: Type;
  /** May be nil. */
  optional: boolean;
  /** Hexadecimal digits of an id, 0 for anything else. */
  idDigits: number;
  read: (row: number) => Operand;
}

export type Trace = Assembled;

const NOTHING = /^0*$/;
const attribute = (list: KeyValue[] | undefined, key: string): Operand => {
  const found = list?.find((a) => a.key === key);
  return found ? operandOf(found.value) : undefined;
};
const lowerId = (id: string | undefined, digits: number): string => (id ?? "").toLowerCase().padStart(digits, "0");
const startOf = (s: Stored): bigint => BigInt(s.span.startTimeUnixNano ?? 0);
const lengthOf = (s: Stored): bigint => {
  const length = BigInt(s.span.endTimeUnixNano ?? 0) - startOf(s);
  return length > 0n ? length : 0n;
};

/** Undefined: not one that is known here. */
export function fieldOf(token: Extract<Lexeme, { kind: "field" | "word" }>, trace: Trace): Field | undefined {
  const at = (read: (s: Stored) => Operand) => (row: number) => read(trace.spans[row]);
  if (token.kind === "word") return intrinsic(token.text, trace, at);
  const { key } = token;
  const [, parent, scope = ""] = /^(parent)?\.?(.*)$/.exec(token.scope) ?? [];
  const own = ({ span, resource, scope: instrumentation }: Stored): Operand => {
    switch (scope) {
      case "span": return attribute(span.attributes, key);
      case "resource": return attribute(resource.attributes, key);
      case "instrumentation": return attribute(instrumentation.attributes, key);
      case "event": return { each: (span.events ?? []).map((e) => attribute(e.attributes, key)) };
      case "link": return { each: (span.links ?? []).map((l) => attribute(l.attributes, key)) };
      default: return attribute(span.attributes, key) ?? attribute(resource.attributes, key);
    }
  };
  const above = (row: number): Operand => {
    const up = trace.columns.columns.parent[row];
    return up < 0 ? undefined : own(trace.spans[up]);
  };
  return { type: "any", optional: true, idDigits: 0, read: parent ? above : at(own) };
}

function intrinsic(name: string, trace: Trace, at: (read: (s: Stored) => Operand) => (row: number) => Operand): Field | undefined {
  const { columns, spans } = trace;
  const make = (type: Type, read: (row: number) => Operand, optional = false, idDigits = 0): Field => ({ type, read, optional, idDigits });
  const each = (list: (s: Stored) => Operand[]) => at((s) => ({ each: list(s) }));
  switch (name.replace(/^span:(?=name$|duration$|status$|kind$|statusMessage$|childCount$)/, "")) {
    case "service": return make("text", (row) => columns.services[columns.columns.service[row]].name);
    case "name": return make("text", at((s) => s.span.name ?? ""));
    case "duration": return make("number", at(lengthOf));
    case "status": return make("status", at((s) => STATUSES[s.span.status?.code ?? 0] ?? STATUSES[0]));
    case "kind": return make("kind", at((s) => KIND_NAMES[s.span.kind ?? 0] ?? KIND_NAMES[0]));
    case "statusMessage": return make("text", at((s) => s.span.status?.message ?? ""));
    case "span:id": return make("text", at((s) => lowerId(s.span.spanId, 16)), false, 16);
    case "span:parentID": return make("text", at((s) => (NOTHING.test(s.span.parentSpanId ?? "") ? undefined : lowerId(s.span.parentSpanId, 16))), true, 16);
    case "trace:id": return make("text", at((s) => lowerId(s.span.traceId, 32)), false, 32);
    case "childCount": return make("number", childCounts(columns.columns.parent));
    case "parent": return make("span", (row) => (columns.columns.parent[row] < 0 ? undefined : true), true);
    case "trace:duration":
    case "traceDuration": {
      const ends = spans.map((s) => startOf(s) + lengthOf(s)).reduce((a, b) => (a > b ? a : b), 0n);
      const first = spans.map(startOf).reduce((a, b) => (a < b ? a : b), ends);
      return make("number", () => ends - first);
    }
    case "trace:rootName":
    case "rootName": return make("text", ofRoot(spans, (s) => s.span.name ?? ""), true);
    case "trace:rootService":
    case "rootServiceName": return make("text", ofRoot(spans, (s) => columns.services[columns.columns.service[spans.indexOf(s)]].name), true);
    case "event:name": return make("text", each((s) => (s.span.events ?? []).map((e) => e.name ?? "")), true);
    case "event:timeSinceStart": return make("number", each((s) => (s.span.events ?? []).map((e) => BigInt(e.timeUnixNano ?? 0) - startOf(s))), true);
    case "link:traceID": return make("text", each((s) => (s.span.links ?? []).map((l) => lowerId(l.traceId, 32))), true, 32);
    case "link:spanID": return make("text", each((s) => (s.span.links ?? []).map((l) => lowerId(l.spanId, 16))), true, 16);
    case "instrumentation:name": return make("text", at((s) => s.scope.name ?? ""));
    case "instrumentation:version": return make("text", at((s) => s.scope.version ?? ""));
    default: return undefined;
  }
}

function childCounts(parent: ArrayLike<number>): (row: number) => bigint {
  const counts = new Uint32Array(parent.length);
  for (let row = 0; row < parent.length; row++) if (parent[row] >= 0) counts[parent[row]]++;
  return (row) => BigInt(counts[row]);
}

/** Of the first root by start and id. */
function ofRoot(spans: Stored[], read: (s: Stored) => string): () => Operand {
  let root: Stored | undefined;
  for (const s of spans) {
    if (!NOTHING.test(s.span.parentSpanId ?? "")) continue;
    const earlier = !root || startOf(s) < startOf(root) || (startOf(s) === startOf(root) && s.span.spanId < root.span.spanId);
    if (earlier) root = s;
  }
  const value = root && read(root);
  return () => value;
}
