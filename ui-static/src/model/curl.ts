// SPDX-License-Identifier: Apache-2.0
// Commands to copy into a shell. No DOM.

/** Quotes for POSIX shells: nothing inside is expanded. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export function curlOf(url: string): string {
  return `curl -s ${shellQuote(url)}`;
}

/** One span, sent now: the shortest proof that the collector works. */
export function firstSpanCurl(endpoint: string, traceId: string, spanId: string, startNs: bigint): string {
  const attributes = [{ key: "service.name", value: { stringValue: "hello" } }];
  const span = {
    traceId,
    spanId,
    name: "first span",
    kind: 1,
    startTimeUnixNano: String(startNs),
    endTimeUnixNano: String(startNs + 42000000n),
  };
  const body = { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span] }] }] };
  return `curl -s ${endpoint}/v1/traces -H 'content-type: application/json' \\\n  -d ${shellQuote(JSON.stringify(body))}`;
}
