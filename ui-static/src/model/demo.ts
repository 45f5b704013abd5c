// SPDX-License-Identifier: Apache-2.0
// A trace to look at before there is one: a purchase whose payment is slow, and whose stock is asked for item by item. No DOM.

const MS = 1000000n;
const ID = "5900d0000000000000000000000de300";

interface Call {
  service: string;
  name: string;
  /** Milliseconds, from the begin of the trace. */
  at: number;
  for: number;
  kind?: number;
  failed?: string;
  attributes?: Record<string, string>;
  calls?: Call[];
}

const SERVER = 2;
const CLIENT = 3;
const query = (at: number, sku: number): Call => ({
  service: "stock", name: "SELECT items", at, for: 6, kind: CLIENT, attributes: { "db.system": "postgresql", "db.statement": `SELECT amount FROM items WHERE sku = ${sku}` },
});

const TREE: Call = {
  service: "web", name: "POST /checkout", at: 0, for: 910, kind: SERVER, attributes: { "http.request.method": "POST", "http.response.status_code": "502" }, failed: "payment was refused",
  calls: [
    { service: "web", name: "session", at: 4, for: 11, attributes: { "user.tier": "gold" } },
    {
      service: "web", name: "Stock/Reserve", at: 20, for: 92, kind: CLIENT,
      calls: [{ service: "stock", name: "Stock/Reserve", at: 24, for: 84, kind: SERVER, calls: Array.from({ length: 9 }, (_, i) => query(28 + 8 * i, 4100 + i)) }],
    },
    {
      service: "web", name: "Payment/Charge", at: 118, for: 770, kind: CLIENT,
      calls: [
        {
          service: "payment", name: "Payment/Charge", at: 124, for: 756, kind: SERVER, failed: "card was declined", attributes: { "payment.currency": "EUR", "service.instance.id": "payment-2" },
          calls: [
            { service: "payment", name: "fraud check", at: 130, for: 48 },
            { service: "payment", name: "POST bank.example", at: 184, for: 690, kind: CLIENT, failed: "402 Payment Required", attributes: { "server.address": "bank.example" } },
          ],
        },
      ],
    },
    { service: "web", name: "render", at: 892, for: 15 },
  ],
};

const strings = (of: Record<string, string>) => Object.entries(of).map(([key, stringValue]) => ({ key, value: { stringValue } }));

/** OTLP JSON of one trace that begins at this time. */
export function demoTrace(startNs: bigint): string {
  const byService = new Map<string, unknown[]>();
  let count = 0;
  const walk = (call: Call, parentSpanId: string) => {
    const spanId = (++count).toString(16).padStart(16, "d");
    const start = startNs + BigInt(call.at) * MS;
    const span = {
      traceId: ID, spanId, parentSpanId, name: call.name, kind: call.kind ?? 1, startTimeUnixNano: String(start), endTimeUnixNano: String(start + BigInt(call.for) * MS),
      attributes: strings(call.attributes ?? {}),
      ...(call.failed ? { status: { code: 2, message: call.failed } } : {}),
    };
    byService.set(call.service, [...(byService.get(call.service) ?? []), span]);
    for (const child of call.calls ?? []) walk(child, spanId);
  };
  walk(TREE, "");
  return JSON.stringify({ resourceSpans: [...byService].map(([name, spans]) => ({ resource: { attributes: strings({ "service.name": name }) }, scopeSpans: [{ spans }] })) });
}
