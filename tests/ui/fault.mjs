// SPDX-License-Identifier: Apache-2.0
// The recorded shop with a fault: payment has three instances, and one of them is slow for one kind of request. What a person
// has to find out from the pages is what `FAULT` says here. By hand: node fault.mjs ARCHIVE.tar.gz http://127.0.0.1:4318 [ROUNDS]
import { pathToFileURL } from "node:url";
import { sendOtlp } from "./limits.mjs";
import { attribute, recordedRequests } from "./spans.mjs";

export const FAULT = { service: "payment", instance: "payment-2", currency: "JPY", operation: "grpc.shop.v1.Payment/Charge", delayNs: 1700000000n };
const INSTANCES = ["payment-1", "payment-2", "payment-3"];
const CURRENCIES = ["EUR", "USD", "JPY", "GBP"];

const clone = (value) => JSON.parse(JSON.stringify(value));
const setString = (attributes, key, stringValue) => [...(attributes ?? []).filter((a) => a.key !== key), { key, value: { stringValue } }];

/** The spans of a recording, each with its resource and scope. */
function flatten(requests) {
  return requests.flatMap((r) =>
    r.resourceSpans.flatMap((rs) => rs.scopeSpans.flatMap((ss) => (ss.spans ?? []).map((span) => ({ span, resource: rs.resource, scope: ss.scope })))),
  );
}

/** Charges of one instance in one currency take longer, and all that comes behind in the same trace comes later by as much. */
function delay(trace, charge) {
  const end = BigInt(charge.span.endTimeUnixNano);
  const later = (text) => String(BigInt(text) >= end ? BigInt(text) + FAULT.delayNs : BigInt(text));
  for (const { span } of trace) {
    span.endTimeUnixNano = later(span.endTimeUnixNano);
    if (span !== charge.span) span.startTimeUnixNano = later(span.startTimeUnixNano);
  }
}

/**
 * OTLP requests of `rounds` times the recording, spread over `spreadNs` before `endNs`. Returns also which traces have the fault.
 * Deterministic: ids and choices are counted, not drawn.
 */
export function faultyShop(archive, { rounds = 3, endNs, spreadNs = 1800000000000n }) {
  const recorded = flatten(recordedRequests(archive).map((r) => JSON.parse(r.body)));
  const starts = recorded.map((s) => BigInt(s.span.startTimeUnixNano));
  const first = starts.reduce((a, b) => (a < b ? a : b));
  const length = starts.reduce((a, b) => (a > b ? a : b)) - first;
  const traces = new Map();
  for (const s of recorded) traces.set(s.span.traceId, [...(traces.get(s.span.traceId) ?? []), s]);
  const faulty = new Set();
  const requests = [];
  let charges = 0;
  for (let round = 0; round < rounds; round++) {
    const stamp = (id) => (round.toString(16).padStart(2, "0") + id.slice(2)).slice(0, id.length);
    for (const [id, list] of traces) {
      // A recording of seconds becomes one of half an hour: each trace moves as a whole.
      const begin = list.map((s) => BigInt(s.span.startTimeUnixNano)).reduce((a, b) => (a < b ? a : b));
      const part = ((begin - first) * spreadNs) / length / BigInt(rounds) + (spreadNs * BigInt(round)) / BigInt(rounds);
      const by = endNs - spreadNs + part - begin;
      const own = clone(list);
      for (const { span } of own) {
        for (const key of ["startTimeUnixNano", "endTimeUnixNano"]) span[key] = String(BigInt(span[key]) + by);
        for (const e of span.events ?? []) e.timeUnixNano = String(BigInt(e.timeUnixNano) + by);
        span.traceId = stamp(id);
      }
      const instance = INSTANCES[charges % INSTANCES.length];
      const currency = CURRENCIES[Math.floor(charges / INSTANCES.length) % CURRENCIES.length];
      const charge = own.find((s) => s.span.name === FAULT.operation && s.span.kind === 2);
      if (charge) charges++;
      for (const s of own) {
        if (attribute(s.resource.attributes, "service.name") !== FAULT.service) continue;
        s.resource.attributes = setString(s.resource.attributes, "service.instance.id", instance);
        if (s.span.name === FAULT.operation) s.span.attributes = setString(s.span.attributes, "payment.currency", currency);
      }
      if (charge && instance === FAULT.instance && currency === FAULT.currency) {
        faulty.add(stamp(id));
        delay(own, charge);
      }
      requests.push({ resourceSpans: own.map(({ span, resource, scope }) => ({ resource, scopeSpans: [{ scope, spans: [span] }] })) });
    }
  }
  return { requests, faulty, charges };
}

/** A hundred traces in one request: as many requests as a busy collector sends. */
export async function sendAll(requests, otlp) {
  for (let i = 0; i < requests.length; i += 100) {
    await sendOtlp(otlp, { resourceSpans: requests.slice(i, i + 100).flatMap((r) => r.resourceSpans) }, `traces from ${i} of ${requests.length}`);
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , archive, otlp = "http://127.0.0.1:4318", rounds = "3"] = process.argv;
  const { requests, faulty, charges } = faultyShop(archive, { rounds: Number(rounds), endNs: BigInt(Date.now()) * 1000000n });
  await sendAll(requests, otlp);
  console.log(`${requests.length} traces, ${charges} charges, ${faulty.size} with the fault`);
}
