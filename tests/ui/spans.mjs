// SPDX-License-Identifier: Apache-2.0
// Reads OTLP JSON requests (the recorded shop, or made up ones) into plain spans. It is the tests' own view of the
// data: what the pages show is compared with numbers computed here, never with Spoor's.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** Yields [name, bytes] of the plain files in a .tar.gz. */
export function* tarFiles(path) {
  const tar = gunzipSync(readFileSync(path));
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const text = (from, len) => tar.toString("utf8", at + from, at + from + len).replace(/\0.*$/s, "");
    const size = Number.parseInt(text(124, 12), 8) || 0;
    if (text(156, 1) === "0" || text(156, 1) === "") yield [text(0, 100), tar.subarray(at + 512, at + 512 + size)];
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

/** The bodies of the trace requests of a recording, in the order in which they came. */
export function recordedRequests(archive) {
  const files = new Map([...tarFiles(archive)].map(([name, bytes]) => [name.replace(/^.*\//, ""), bytes]));
  return files
    .get("index.jsonl")
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter((row) => row.signal === "traces")
    .map((row) => ({ ...row, body: files.get(row.file.replace(/^.*\//, "")) }));
}

export const attribute = (attributes, key) => plain(attributes?.find((a) => a.key === key)?.value);

/** An AnyValue as a JavaScript value; 64-bit integers stay exact as strings. */
export function plain(value) {
  if (!value) return undefined;
  if ("stringValue" in value) return value.stringValue;
  if ("intValue" in value) return String(value.intValue);
  if ("doubleValue" in value) return value.doubleValue;
  if ("boolValue" in value) return value.boolValue;
  if ("bytesValue" in value) return value.bytesValue;
  if ("arrayValue" in value) return (value.arrayValue.values ?? []).map(plain);
  if ("kvlistValue" in value) return (value.kvlistValue.values ?? []).map((kv) => [kv.key, plain(kv.value)]);
  return undefined;
}

/** Flattens one OTLP JSON request into spans that know their resource and scope. */
export function spansOf(request) {
  const spans = [];
  for (const rs of request.resourceSpans ?? []) {
    for (const ss of rs.scopeSpans ?? []) {
      for (const span of ss.spans ?? []) {
        const start = BigInt(span.startTimeUnixNano ?? 0);
        const end = BigInt(span.endTimeUnixNano ?? 0);
        spans.push({
          traceId: span.traceId.toLowerCase(),
          spanId: span.spanId.toLowerCase(),
          parentSpanId: (span.parentSpanId ?? "").toLowerCase(),
          service: attribute(rs.resource?.attributes, "service.name") ?? "",
          name: span.name ?? "",
          kind: span.kind ?? 0,
          status: span.status?.code ?? 0,
          start,
          end,
          duration: end > start ? end - start : 0n,
          span,
          resource: rs.resource ?? {},
          resourceSchemaUrl: rs.schemaUrl ?? "",
          scope: ss.scope ?? {},
          scopeSchemaUrl: ss.schemaUrl ?? "",
        });
      }
    }
  }
  return spans;
}

/** What is said of a trace in a list: computed from all of its spans. */
export function summaryOf(spans) {
  let start = spans[0].start;
  let end = start;
  for (const s of spans) {
    if (s.start < start) start = s.start;
    if (s.start + s.duration > end) end = s.start + s.duration;
  }
  const roots = spans.filter((s) => !s.parentSpanId).sort((a, b) => (a.start < b.start ? -1 : 1));
  return {
    traceId: spans[0].traceId,
    rootServiceName: roots[0]?.service ?? "",
    rootTraceName: roots[0]?.name ?? "",
    start,
    duration: end - start,
    spanCount: spans.length,
    errorCount: spans.filter((s) => s.status === 2).length,
    services: [...new Set(spans.map((s) => s.service))].sort(),
  };
}

export function groupBy(items, key) {
  const groups = new Map();
  for (const item of items) {
    const k = key(item);
    if (groups.has(k)) groups.get(k).push(item);
    else groups.set(k, [item]);
  }
  return groups;
}
