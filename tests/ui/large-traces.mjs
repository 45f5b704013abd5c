// SPDX-License-Identifier: Apache-2.0
// Made up traces of any size, as requests of 20,000 spans.
const T0 = 1795350535000000000n;
const hex = (n, digits) => n.toString(16).padStart(digits, "0");
export const idOf = (spans) => hex(0xabc0000000 + spans, 32);

/** A trace as a tree of tens, 50 operations of 8 services, with an event here and there. */
export function* requestsOf(count) {
  const services = ["web", "cart", "checkout", "payment", "stock", "mail", "search", "user"];
  const each = 20_000;
  for (let from = 0; from < count; from += each) {
    const groups = services.map((name) => ({ resource: { attributes: [{ key: "service.name", value: { stringValue: name } }] }, scopeSpans: [{ spans: [] }] }));
    for (let i = from; i < Math.min(count, from + each); i++) {
      const parent = i === 0 ? "" : hex(Math.floor((i - 1) / 10) + 1, 16);
      const start = T0 + BigInt(i * 900);
      groups[i % 8].scopeSpans[0].spans.push({
        traceId: idOf(count), spanId: hex(i + 1, 16), parentSpanId: parent, name: `operation ${i % 50}`, kind: 1 + (i % 3),
        startTimeUnixNano: String(start), endTimeUnixNano: String(start + BigInt(i === 0 ? count * 900 : 5000)),
        attributes: [{ key: "item", value: { intValue: String(i % 100) } }],
        ...(i % 500 === 0 ? { events: [{ name: "retry", timeUnixNano: String(start) }] } : {}),
      });
    }
    yield JSON.stringify({ resourceSpans: groups });
  }
}
