// SPDX-License-Identifier: Apache-2.0
// A query that somebody wrote who knows another language, as TraceQL: braces around it, a dot before an attribute, quotes around text. No DOM.
import { INTRINSICS, quote, tokenize } from "./traceql";

const CONDITION = /([\w.:/-]+)\s*([!=]~|[!<>=]=|[=<>])\s*("[^"]*"|`[^`]*`|'[^']*'|[^\s&|(){}"'`]+)/g;

const isOne = (text: string, kinds: string): boolean => {
  const [first] = tokenize(text);
  return first.end === text.length && kinds.includes(first.kind);
};

/** Null: nothing to mend, or nothing that is understood. */
export function meantQuery(text: string): string | null {
  if (!/[<=>]/.test(text)) return null;
  const mended = text.replace(CONDITION, (_, field: string, operator: string, value: string) => {
    const plain = value.replace(/^(["'`])(.*)\1$/, "$2");
    const written = /^(status|kind)$/.test(field) ? plain.toLowerCase() : isOne(value, "string number") || /^(true|false|nil)$/.test(value) ? value : quote(plain);
    return `${INTRINSICS.includes(field) || isOne(field, "field") ? "" : "."}${field} ${operator.replace("==", "=")} ${written}`;
  });
  const open = mended.includes("{") ? mended : `{ ${mended.replace(/ and /gi, " && ")}`;
  const whole = open.includes("}") ? open : `${open} }`;
  return whole === text ? null : whole;
}
