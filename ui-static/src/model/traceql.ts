// SPDX-License-Identifier: Apache-2.0
// TraceQL as far as the query box needs it: tokens to colour, what can stand at the caret, and text to insert. The server
// parses; nothing here decides what is valid. No DOM.

export type TokenKind = "space" | "brace" | "operator" | "logic" | "string" | "number" | "field" | "word" | "other";

export interface Token {
  kind: TokenKind;
  start: number;
  end: number;
  text: string;
}

const PATTERNS: [TokenKind, RegExp][] = [
  ["space", /\s+/y],
  ["string", /"(?:[^"\\]|\\.)*"?|`[^`]*`?/y],
  ["number", /-?\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h)?(?![\w.])/y],
  ["field", /(?:resource|span|event|link|instrumentation|parent)\.(?:"(?:[^"\\]|\\.)*"?|[^\s{}()=~!<>&|,"`])*/y],
  ["field", /\.(?:"(?:[^"\\]|\\.)*"?|[^\s{}()=~!<>&|,"`])+/y],
  ["field", /(?:trace|span|event|link|instrumentation):\w*/y],
  ["word", /[\p{L}_][\p{L}\p{N}_]*/uy],
  ["logic", /&&|\|\|/y],
  ["operator", /!>>|!<<|!>|!<|!~|=~|!=|<=|>=|>>|<<|[=<>~+\-*/%^]/y],
  ["logic", /[!|]/y],
  ["brace", /[{}()]/y],
  ["other", /./suy],
];

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    for (const [kind, pattern] of PATTERNS) {
      pattern.lastIndex = at;
      const m = pattern.exec(text);
      if (!m) continue;
      tokens.push({ kind, start: at, end: at + m[0].length, text: m[0] });
      at += m[0].length;
      break;
    }
  }
  return tokens;
}

export const INTRINSICS = ["name", "service", "duration", "status", "statusMessage", "kind", "event:name", "rootName", "rootServiceName", "traceDuration"];
const WORD_VALUES: Record<string, string[]> = {
  status: ["error", "ok", "unset"],
  kind: ["server", "client", "internal", "producer", "consumer", "unspecified"],
};
const COMPARISONS = ["=", "!=", "=~", "!~", "<", "<=", ">", ">="];

/** How a token is shown: words are intrinsics, known values, or nothing special. */
export function tokenClass(token: Token): string {
  if (token.kind === "word") return INTRINSICS.includes(token.text) ? "field" : "value";
  return token.kind;
}

export interface FieldRef {
  scope: string;
  key: string;
}

/** resource.service.name -> resource, service.name; name -> intrinsic, name. */
export function fieldRef(field: string): FieldRef {
  const m = /^(resource|span|event|link|instrumentation)?\.(.*)$/s.exec(field);
  if (!m) return { scope: "intrinsic", key: field };
  return { scope: m[1] ?? "", key: m[2].startsWith('"') ? unquote(m[2]) : m[2] };
}

function unquote(text: string): string {
  return text.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1");
}

export function fieldText(scope: string, key: string): string {
  if (scope === "intrinsic") return key;
  const plain = /^[\p{L}\p{N}_.\-/:]+$/u.test(key);
  return `${scope}.${plain ? key : quote(key)}`;
}

/** A TraceQL string: double quotes, with backslash and quote escaped. */
export function quote(text: string): string {
  const escaped = text.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t");
  return `"${escaped}"`;
}

export function valueText(field: string, value: string, type: string): string {
  if (field in WORD_VALUES) return value;
  return type === "int" || type === "double" || type === "bool" ? value : quote(value);
}

export const operatorsFor = (field: string): string[] =>
  field === "status" || field === "kind" ? ["=", "!="] : /[dD]uration$/.test(field) ? COMPARISONS.filter((c) => !c.includes("~")) : COMPARISONS;

export const fixedValues = (field: string): string[] | undefined =>
  field in WORD_VALUES ? WORD_VALUES[field] : /[dD]uration$/.test(field) ? ["10ms", "100ms", "500ms", "1s", "5s"] : undefined;

/** A query with one more condition: { a } and b make { a && b }. What is more than one filter keeps its spans that satisfy it: a
 * further stage. */
export function withCondition(query: string, condition: string): string {
  const text = query.trim();
  if (isEverything(text)) return `{ ${condition} }`;
  const inner = innerOf(text);
  if (inner === null) return `${text} | { ${condition} }`;
  if (splitAt(inner, "&&").includes(condition)) return `{ ${inner} }`;
  return splitAt(inner, "||").length > 1 ? `{ (${inner}) && ${condition} }` : `{ ${inner} && ${condition} }`;
}

/** What a query finds, in traces that have a span with the condition, too, which need not be one of those: { a } and b make { a } && { b }. */
export function besideCondition(query: string, condition: string): string {
  const text = query.trim();
  const other = `{ ${condition} }`;
  if (isEverything(text)) return other;
  return text.endsWith(other) ? text : `${innerOf(text) === null ? `(${text})` : text} && ${other}`;
}

export const isEverything = (query: string): boolean => /^(\{\s*\})?$/.test(query.trim());

/** What stands in the braces of a query that is one filter; null for any other. */
function innerOf(text: string): string | null {
  const tokens = tokenize(text).filter((t) => t.kind !== "space");
  const braces = tokens.filter((t) => t.text === "{" || t.text === "}");
  const one = braces.length === 2 && tokens[0].text === "{" && tokens.at(-1)?.text === "}" && !tokens.some((t) => t.text === "|");
  return one ? text.slice(1, -1).trim() : null;
}

/** The parts between an operator that is in no brackets. */
function splitAt(text: string, operator: string): string[] {
  let depth = 0;
  const parts = [""];
  for (const t of tokenize(text)) {
    if (t.text === "(") depth++;
    if (t.text === ")") depth--;
    if (depth === 0 && t.text === operator) parts.push("");
    else parts[parts.length - 1] += t.text;
  }
  return parts.map((p) => p.trim());
}

/** The place in a string of a byte offset in its UTF-8 form. */
export function indexOfByte(text: string, offset: number): number {
  let bytes = 0;
  let index = 0;
  for (const c of text) {
    if (bytes >= offset) break;
    const code = c.codePointAt(0) as number;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    index += c.length;
  }
  return index;
}

/** The conditions of { a && b && c }, if the query is no more than that; else nothing. Brackets are one condition. */
export function conditions(query: string): string[] {
  const inner = innerOf(query.trim());
  if (inner === null || splitAt(inner, "||").length > 1) return [];
  return splitAt(inner, "&&").filter((p) => p !== "");
}

/** A query without one of its conditions. */
export function withoutCondition(query: string, condition: string): string {
  const rest = conditions(query).filter((c) => c !== condition);
  return rest.length > 0 ? `{ ${rest.join(" && ")} }` : "";
}

/** The condition that a field has this value, or that it has not. null is "has none". Fields that some spans lack keep those when a
 * value is excluded: in TraceQL, != is false where there is nothing to compare. Null when no text stands for the value. */
export function valueCondition(field: string, value: string | null, type: string, not = false, lacking = false): string | null {
  if (value === null) return `${field} ${not ? "!=" : "="} nil`;
  const text = literalText(value, type);
  if (text === null) return null;
  if (!not) return `${field} = ${text}`;
  return lacking ? `(${field} != ${text} || ${field} = nil)` : `${field} != ${text}`;
}

function literalText(value: string, type: string): string | null {
  if (type === "string") return quote(value);
  if (["int", "float", "double", "bool", "status", "kind"].includes(type)) return value;
  return type === "duration" ? `${value}ns` : null;
}
