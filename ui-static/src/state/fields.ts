// SPDX-License-Identifier: Apache-2.0
// Names of attributes as somebody types them, looked up by the server.
import { getKeys, type Range } from "../api/client";
import { fieldRef, fieldText } from "../model/traceql";

const SCOPES = ["resource", "span", "event", "link"];

export interface FoundField {
  name: string;
  type: string;
  spans: string;
}

/** Those that begin so, with their scope or without; the ones of most spans first. q: only of the spans that this query finds. */
export async function fieldsLike(typed: string, range: Range, stop: AbortSignal, q = ""): Promise<FoundField[]> {
  const { scope, key } = fieldRef(typed);
  const one = SCOPES.includes(scope);
  const answers = await Promise.all((one ? [scope] : SCOPES).map((s) => getKeys(s, !one && s.startsWith(typed) ? "" : key, range, stop, q)));
  const keys = answers.flatMap((a) => a.attributes).sort((a, b) => Number(b.spanCount) - Number(a.spanCount));
  return keys.map((k) => ({ name: fieldText(k.scope, k.key), type: k.type, spans: k.spanCount }));
}
