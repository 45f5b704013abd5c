// SPDX-License-Identifier: Apache-2.0
// Spans as Jaeger's UI and API write them: { data: [{ traceID, spans, processes }] }. No DOM.
import type { AnyValue, KeyValue } from "../api/types";
import { typeOf, valueToText } from "./anyvalue";
import type { Stored } from "./otlp";

const KINDS = ["", "internal", "server", "client", "producer", "consumer"];

/** Jaeger has whole microseconds; a fraction keeps what it would lose. */
const micros = (ns: bigint): number => Number(ns / 1000n) + Number(ns % 1000n) / 1000;

function tag(key: string, value: AnyValue | undefined): unknown {
  switch (typeOf(value)) {
    case "bool":
      return { key, type: "bool", value: value?.boolValue };
    case "int": {
      // Numbers beyond 2^53 stay exact as text.
      const number = Number(value?.intValue);
      return { key, type: "int64", value: Number.isSafeInteger(number) ? number : String(value?.intValue) };
    }
    case "double":
      return { key, type: "float64", value: value?.doubleValue };
    case "bytes":
      return { key, type: "binary", value: value?.bytesValue };
    default:
      return { key, type: "string", value: valueToText(value) };
  }
}

const tags = (attributes: KeyValue[] | undefined): unknown[] => (attributes ?? []).map((a) => tag(a.key, a.value));

export function jaegerOf(spans: Stored[]): unknown {
  const processes = new Map<Stored["resource"], string>();
  const traceId = spans[0]?.span.traceId ?? "";
  const out = spans.map(({ span, resource, scope }) => {
    let process = processes.get(resource);
    if (!process) processes.set(resource, (process = `p${processes.size + 1}`));
    const start = BigInt(span.startTimeUnixNano ?? 0);
    const end = BigInt(span.endTimeUnixNano ?? 0);
    const reference = (refType: string, trace: string, id: string) => ({ refType, traceID: trace, spanID: id });
    return {
      traceID: span.traceId,
      spanID: span.spanId,
      operationName: span.name ?? "",
      references: [
        ...(span.parentSpanId ? [reference("CHILD_OF", span.traceId, span.parentSpanId)] : []),
        ...(span.links ?? []).map((l) => reference("FOLLOWS_FROM", l.traceId, l.spanId)),
      ],
      startTime: micros(start),
      duration: micros(end > start ? end - start : 0n),
      tags: [
        ...tags(span.attributes),
        ...(KINDS[span.kind ?? 0] ? [tag("span.kind", { stringValue: KINDS[span.kind ?? 0] as string })] : []),
        ...(span.status?.code === 2 ? [tag("error", { boolValue: true }), tag("otel.status_code", { stringValue: "ERROR" })] : []),
        ...(span.status?.message ? [tag("otel.status_description", { stringValue: span.status.message })] : []),
        ...(scope.name ? [tag("otel.scope.name", { stringValue: scope.name })] : []),
      ],
      logs: (span.events ?? []).map((e) => ({ timestamp: micros(BigInt(e.timeUnixNano ?? 0)), fields: [tag("event", { stringValue: e.name ?? "" }), ...tags(e.attributes)] })),
      processID: process,
      warnings: null,
    };
  });
  const named = [...processes].map(([resource, id]) => {
    const name = resource.attributes?.find((a) => a.key === "service.name")?.value;
    return [id, { serviceName: valueToText(name), tags: tags(resource.attributes?.filter((a) => a.key !== "service.name")) }];
  });
  return { data: [{ traceID: traceId, spans: out, processes: Object.fromEntries(named) }] };
}
