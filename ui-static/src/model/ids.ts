// SPDX-License-Identifier: Apache-2.0
// Trace ids as people paste them. No DOM.

export interface TraceRef {
  traceId: string;
  spanId?: string;
}

/** Understands any text that holds the 32 digits of a trace id (a traceparent, B3, an address, a line of a log), and the span that is named behind them; 16 digits by
 * themselves, in a header of B3 or Jaeger, or in an address, where Jaeger leaves out zeros at the beginning; a UUID; Amazon's; and base64 of 16 or 8
 * bytes. A 16-digit id is a 128-bit id whose upper half is zero. */
export function parseTraceRef(text: string): TraceRef | null {
  // The digits of an escaped sign before an id would be taken for its own.
  const input = text.trim().replace(/%[0-9a-f]{2}/gi, " ");
  const whole = input.replace(/^1-/, "").replaceAll("-", "");
  if (/^([0-9a-f]{16}){1,2}$/i.test(whole)) return ref(whole);
  const found =
    /(^|[^0-9a-f])([0-9a-f]{32})(?![0-9a-f])/i.exec(input) ?? /^()([0-9a-f]{16})(?=[-:][0-9a-f]{16}[-:])/i.exec(input) ?? /(traces?\/|id=)([0-9a-f]{12,16})(?![0-9a-f])/i.exec(input);
  if (found) {
    const rest = input.slice(found.index + found[0].length);
    const span = /(uiFind|[^_a-z]span(_?id)?)["=: ]+([0-9a-f]{16})(?![0-9a-f])/i.exec(rest) ?? /([^0-9a-f])()([0-9a-f]{16})(?![0-9a-f])/i.exec(rest);
    return ref(found[2], span?.[3]);
  }
  if (/^[\w+/-]{22}==$|^[\w+/-]{11}=$/.test(input)) return ref(base64ToHex(input.replaceAll("-", "+").replaceAll("_", "/")));
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
