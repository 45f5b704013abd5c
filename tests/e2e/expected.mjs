// SPDX-License-Identifier: Apache-2.0
// What Spoor must answer, worked out by brute force from the spans that the SDK saw acknowledged. Knows nothing of how Spoor works.

const OTLP_ERROR = 2;
const KIND = { server: 2, client: 3, producer: 4, consumer: 5 };

/** An attribute value of the SDK as OTLP JSON writes it. */
function anyValue(value) {
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

const byKey = (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
const attributes = (object) =>
  Object.entries(object)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({ key, value: anyValue(value) }))
    .sort(byKey);
const sorted = (list = []) => [...list].sort(byKey);

/** A span in one form, whether the SDK recorded it or Spoor's OTLP JSON holds it; equal spans give deeply equal objects. */
export function fromRecord(span) {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    traceState: span.traceState,
    name: span.name,
    kind: span.kind,
    start: span.start,
    end: span.end,
    status: { code: span.status.code, message: span.status.message ?? "" },
    attributes: attributes(span.attributes),
    events: span.events.map((event) => ({ name: event.name, time: event.time, attributes: attributes(event.attributes) })),
    links: span.links.map((link) => ({ traceId: link.traceId, spanId: link.spanId, attributes: attributes(link.attributes) })),
    resource: attributes(span.resource),
    scope: span.scope,
  };
}

export function fromOtlpJson(data) {
  return data.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? "",
        traceState: span.traceState ?? "",
        name: span.name ?? "",
        kind: span.kind ?? 0,
        start: span.startTimeUnixNano,
        end: span.endTimeUnixNano,
        status: { code: span.status?.code ?? 0, message: span.status?.message ?? "" },
        attributes: sorted(span.attributes),
        events: (span.events ?? []).map((event) => ({
          name: event.name ?? "",
          time: event.timeUnixNano,
          attributes: sorted(event.attributes),
        })),
        links: (span.links ?? []).map((link) => ({
          traceId: link.traceId,
          spanId: link.spanId,
          attributes: sorted(link.attributes),
        })),
        resource: sorted(resource?.attributes),
        scope: { name: scope?.name ?? "", version: scope?.version ?? "" },
      })),
    ),
  );
}

export const duration = (span) => BigInt(span.end) - BigInt(span.start);
export const isError = (span) => span.status.code === OTLP_ERROR;

export function groupBy(items, key) {
  const groups = new Map();
  for (const item of items) {
    const name = key(item);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(item);
  }
  return groups;
}

/** [{name, spanCount, errorCount}] by name, as strings like the API's. */
export function services(spans) {
  return [...groupBy(spans, (span) => span.service)]
    .map(([name, own]) => ({ name, spanCount: String(own.length), errorCount: String(own.filter(isError).length) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The edges of the dependency graph as far as the shop has them, "client -> server (type)" -> {calls, errors, client, server}; the
 * last two are the durations of either end:
 * a server span under a client span; a consumer under a producer; a client span that names a database; a root server span, called by a user.
 */
export function edges(spans) {
  const byId = new Map(spans.map((span) => [`${span.traceId}/${span.spanId}`, span]));
  const found = new Map();
  const count = (client, server, type, caller, called) => {
    const name = `${client} -> ${server} (${type})`;
    const edge = found.get(name) ?? { calls: 0, errors: 0, client: [], server: [] };
    edge.calls += 1;
    edge.errors += [caller, called].some((span) => span && isError(span)) ? 1 : 0;
    if (caller) edge.client.push(duration(caller));
    if (called) edge.server.push(duration(called));
    found.set(name, edge);
  };
  for (const span of spans) {
    const parent = byId.get(`${span.traceId}/${span.parentSpanId}`);
    if (span.kind === KIND.server && parent?.kind === KIND.client) count(parent.service, span.service, "", parent, span);
    else if (span.kind === KIND.server && !span.parentSpanId) count("user", span.service, "virtual_node", null, span);
    else if (span.kind === KIND.consumer && parent?.kind === KIND.producer) {
      count(parent.service, span.service, "messaging_system", parent, span);
    } else if (span.kind === KIND.client && "db.system.name" in span.attributes) {
      count(span.service, span.attributes["db.namespace"], "database", span, null);
    }
  }
  return found;
}

/** The exact order statistic that Spoor's quantiles approximate: rank ceil(q * n), at least 1, with q as it was written: 0.07 of 100 is 7. */
export function quantile(durations, q) {
  const ordered = [...durations].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return ordered[Math.max(1, Math.ceil(Number((q * ordered.length).toPrecision(14)))) - 1];
}
