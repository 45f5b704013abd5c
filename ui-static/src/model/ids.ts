// SPDX-License-Identifier: Apache-2.0
// Trace ids as people paste them. No DOM.

export interface TraceRef {
  traceId: string;
  spanId?: string;
}

/** Understands 32 or 16 hex digits, a W3C traceparent, an address that holds an id (Jaeger, Zipkin, Spoor), and base64 of
 * 16 or 8 bytes. A 16-digit id is a 128-bit id whose upper half is zero. */
export function parseTraceRef(text: string): TraceRef | null {
  const input = text.trim().replace(/^["']|["']$/g, "");
  const parent = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/i.exec(input);
  if (parent) return ref(parent[1], parent[2]);
  if (/^[0-9a-f]{32}$|^[0-9a-f]{16}$/i.test(input)) return ref(input);
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(input)) return ref(input.replaceAll("-", ""));
  const inAddress = /(?:traces?\/|id=|traceID=|traceId=)([0-9a-f]{32}|[0-9a-f]{16})(?![0-9a-f])/i.exec(input);
  if (inAddress) return ref(inAddress[1], /(?:uiFind|span)=([0-9a-f]{16})(?![0-9a-f])/i.exec(input)?.[1]);
  if (/^[A-Za-z0-9+/]{22}==$|^[A-Za-z0-9+/]{11}=$/.test(input)) return ref(base64ToHex(input));
  return null;
}

function ref(traceId: string, spanId?: string): TraceRef | null {
  const id = traceId.toLowerCase().padStart(32, "0");
  if (/^0+$/.test(id)) return null;
  return spanId ? { traceId: id, spanId: spanId.toLowerCase() } : { traceId: id };
}

function base64ToHex(text: string): string {
  return [...atob(text)].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}
