// SPDX-License-Identifier: Apache-2.0
// Files with traces, as people have them on disk: OTLP JSON (one request, or one a line), Jaeger's JSON, Zipkin's JSON. All of them
// become spans as OTLP has them, each with its resource and scope. No DOM.
import type { AnyValue, KeyValue, OtlpSpan, SpanDetail } from "../api/types";

export type Stored = Omit<SpanDetail, "row">;

interface Scopes {
  scope?: Stored["scope"];
  schemaUrl?: string;
  spans?: OtlpSpan[];
}

interface Request {
  resourceSpans?: { resource?: Stored["resource"]; schemaUrl?: string; scopeSpans?: Scopes[]; instrumentationLibrarySpans?: Scopes[] }[];
}

const record = (x: unknown): x is Record<string, unknown> => typeof x === "object" && x !== null && !Array.isArray(x);
const list = (x: unknown): unknown[] => (Array.isArray(x) ? x : []);
const text = (x: unknown): string => (typeof x === "string" ? x : x === undefined || x === null ? "" : String(x));

/** All spans of a file; throws when it is none of the formats, with what it looks like. */
export function readSpans(file: string): Stored[] {
  const value = parseFile(file);
  const spans = value.flatMap(spansOf);
  if (spans.length === 0) throw new Error("this file has no spans that can be read: expected OTLP JSON, Jaeger JSON or Zipkin JSON");
  return spans;
}

/** One JSON value, or one on each line. */
function parseFile(file: string): unknown[] {
  try {
    return [JSON.parse(file)];
  } catch (error) {
    const lines = file.split("\n").filter((line) => line.trim() !== "");
    if (lines.length < 2) throw new Error(`this file is no JSON: ${error instanceof Error ? error.message : error}`);
    return lines.map((line, i) => {
      try {
        return JSON.parse(line) as unknown;
      } catch {
        throw new Error(`this file is no JSON, and its line ${i + 1} is none either`);
      }
    });
  }
}

function spansOf(value: unknown): Stored[] {
  if (Array.isArray(value)) {
    if (value.every((x) => record(x) && typeof x.traceId === "string" && "id" in x)) return value.map((x) => fromZipkin(x as Record<string, unknown>));
    return value.flatMap(spansOf);
  }
  if (!record(value)) return [];
  if (Array.isArray(value.resourceSpans)) return fromOtlp(value as Request);
  if (Array.isArray(value.batches)) return fromOtlp({ resourceSpans: value.batches } as Request);
  if (Array.isArray(value.data)) return value.data.flatMap(spansOf);
  if (Array.isArray(value.spans) && record(value.processes)) return fromJaeger(value);
  return [];
}

function fromOtlp(request: Request): Stored[] {
  const out: Stored[] = [];
  for (const group of request.resourceSpans ?? []) {
    const resource = group.resource ?? {};
    for (const inner of group.scopeSpans ?? group.instrumentationLibrarySpans ?? []) {
      const scope = inner.scope ?? {};
      for (const span of inner.spans ?? []) {
        out.push({ span: plainSpan(span), resource, resourceSchemaUrl: group.schemaUrl ?? "", scope, scopeSchemaUrl: inner.schemaUrl ?? "" });
      }
    }
  }
  return out;
}

/** Enums may stand as names, ids in either case or as base64. */
function plainSpan(span: OtlpSpan): OtlpSpan {
  span.traceId = hexId(text(span.traceId), 32);
  span.spanId = hexId(text(span.spanId), 16);
  if (span.parentSpanId) span.parentSpanId = hexId(span.parentSpanId, 16);
  if (typeof span.kind === "string") span.kind = Math.max(0, OTLP_KINDS.indexOf(String(span.kind).replace("SPAN_KIND_", "")));
  const code: unknown = span.status?.code;
  if (span.status && typeof code === "string") span.status.code = code.endsWith("ERROR") ? 2 : code.endsWith("OK") ? 1 : 0;
  return span;
}

const OTLP_KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

function hexId(id: string, digits: number): string {
  if (/^[0-9a-f]+$/i.test(id)) return id.toLowerCase().padStart(digits, "0");
  try {
    return [...atob(id)].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("").padStart(digits, "0");
  } catch {
    throw new Error(`"${id.slice(0, 40)}" is no id of a trace or a span`);
  }
}

const string = (key: string, value: string): KeyValue => ({ key, value: { stringValue: value } });
/** Microseconds, perhaps with a fraction, as nanoseconds. */
const nanos = (micros: unknown): bigint => {
  const [whole = "0", part = ""] = text(micros).split(".");
  return /^\d+$/.test(whole) ? BigInt(whole) * 1000n + BigInt(`${part}000`.slice(0, 3).replace(/\D/g, "0") || "0") : 0n;
};

function tagValue(tag: Record<string, unknown>): AnyValue {
  if (typeof tag.value === "boolean") return { boolValue: tag.value };
  if (typeof tag.value === "number") return tag.type === "float64" || !Number.isInteger(tag.value) ? { doubleValue: tag.value } : { intValue: String(tag.value) };
  if (tag.type === "int64") return { intValue: text(tag.value) };
  if (tag.type === "binary") return { bytesValue: text(tag.value) };
  return { stringValue: text(tag.value) };
}

const tags = (x: unknown): KeyValue[] => list(x).filter(record).map((tag) => ({ key: text(tag.key), value: tagValue(tag) }));

const KIND_TAGS: Record<string, number> = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };

function fromJaeger(trace: Record<string, unknown>): Stored[] {
  const processes = trace.processes as Record<string, Record<string, unknown>>;
  return list(trace.spans).filter(record).map((s) => {
    const process = processes[text(s.processID)] ?? (record(s.process) ? s.process : {});
    const attributes = tags(s.tags);
    const tag = (key: string) => attributes.find((a) => a.key === key)?.value;
    const references = list(s.references).filter(record);
    const parent = references.find((r) => r.refType === "CHILD_OF") ?? references[0];
    const failed = tag("error")?.boolValue === true || tag("error")?.stringValue === "true" || tag("otel.status_code")?.stringValue === "ERROR";
    const start = nanos(s.startTime);
    const span: OtlpSpan = {
      traceId: hexId(text(s.traceID), 32),
      spanId: hexId(text(s.spanID), 16),
      parentSpanId: parent ? hexId(text(parent.spanID), 16) : text(s.parentSpanID) ? hexId(text(s.parentSpanID), 16) : "",
      name: text(s.operationName),
      kind: KIND_TAGS[tag("span.kind")?.stringValue ?? ""] ?? 1,
      startTimeUnixNano: String(start),
      endTimeUnixNano: String(start + nanos(s.duration)),
      attributes: attributes.filter((a) => a.key !== "span.kind"),
      events: list(s.logs).filter(record).map((log) => {
        const fields = tags(log.fields);
        return { timeUnixNano: String(nanos(log.timestamp)), name: fields.find((f) => f.key === "event")?.value?.stringValue ?? "log", attributes: fields.filter((f) => f.key !== "event") };
      }),
      links: references.filter((r) => r !== parent).map((r) => ({ traceId: hexId(text(r.traceID), 32), spanId: hexId(text(r.spanID), 16) })),
      status: { code: failed ? 2 : 0 },
    };
    const scope = { name: tag("otel.scope.name")?.stringValue ?? tag("otel.library.name")?.stringValue ?? "" };
    return { span, resource: { attributes: [string("service.name", text(process.serviceName)), ...tags(process.tags)] }, resourceSchemaUrl: "", scope, scopeSchemaUrl: "" };
  });
}

function fromZipkin(s: Record<string, unknown>): Stored {
  const local = record(s.localEndpoint) ? s.localEndpoint : {};
  const remote = record(s.remoteEndpoint) ? s.remoteEndpoint : {};
  const pairs = record(s.tags) ? Object.entries(s.tags) : [];
  const start = nanos(s.timestamp);
  const span: OtlpSpan = {
    traceId: hexId(text(s.traceId), 32),
    spanId: hexId(text(s.id), 16),
    parentSpanId: s.parentId ? hexId(text(s.parentId), 16) : "",
    name: text(s.name),
    kind: KIND_TAGS[text(s.kind).toLowerCase()] ?? 1,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + nanos(s.duration)),
    attributes: [...pairs.map(([key, value]) => string(key, text(value))), ...(remote.serviceName ? [string("peer.service", text(remote.serviceName))] : [])],
    events: list(s.annotations).filter(record).map((a) => ({ timeUnixNano: String(nanos(a.timestamp)), name: text(a.value), attributes: [] })),
    status: { code: pairs.some(([key]) => key === "error") ? 2 : 0 },
  };
  return { span, resource: { attributes: [string("service.name", text(local.serviceName))] }, resourceSchemaUrl: "", scope: {}, scopeSchemaUrl: "" };
}

/** Spans of one trace as an OTLP request. Spans with the same resource and scope objects stand together. */
export function otlpOf(spans: Stored[]): unknown {
  const groups = new Map<unknown, { resource: unknown; schemaUrl: string; scopes: Map<unknown, { scope: unknown; schemaUrl: string; spans: OtlpSpan[] }> }>();
  for (const s of spans) {
    let group = groups.get(s.resource);
    if (!group) groups.set(s.resource, (group = { resource: s.resource, schemaUrl: s.resourceSchemaUrl ?? "", scopes: new Map() }));
    let scope = group.scopes.get(s.scope);
    if (!scope) group.scopes.set(s.scope, (scope = { scope: s.scope, schemaUrl: s.scopeSchemaUrl ?? "", spans: [] }));
    scope.spans.push(s.span);
  }
  return { resourceSpans: [...groups.values()].map(({ scopes, ...g }) => ({ ...g, scopeSpans: [...scopes.values()] })) };
}
