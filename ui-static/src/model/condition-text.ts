// SPDX-License-Identifier: Apache-2.0
// The text of a condition as tokens, cut as the server cuts it (lib/traceql/lexer.c). No DOM.
import { ConditionProblem, type Scalar } from "./condition-value";

export type Lexeme =
  | { kind: "literal"; text: string; value: Scalar }
  /** scope: "", resource, span, event, link, instrumentation, or parent in front of one. */
  | { kind: "field"; text: string; scope: string; key: string }
  | { kind: "word"; text: string }
  | { kind: "sign"; text: string };

/** Status and kind compare with nothing but themselves. */
export const STATUSES = ["unset", "ok", "error"].map((name) => Symbol(`status ${name}`));
export const KIND_NAMES = ["unspecified", "internal", "server", "client", "producer", "consumer"].map((name) => Symbol(`kind ${name}`));
const CONSTANTS = new Map<string, Scalar>([
  ["true", true],
  ["false", false],
  ["minInt", -(2n ** 63n)],
  ["maxInt", 2n ** 63n - 1n],
  ...[...STATUSES, ...KIND_NAMES].map((s): [string, Scalar] => [(s.description ?? "").replace(/^\w+ /, ""), s]),
]);

const BLANK = /(?:[ \t-\r]|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y;
const TEXT = /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/y;
const UNITS: Record<string, bigint> = { ns: 1n, us: 1000n, "\u00b5s": 1000n, "\u03bcs": 1000n, ms: 1000000n, s: 1000000000n, m: 60000000000n, h: 3600000000000n, d: 86400000000000n, w: 604800000000000n, y: 31536000000000000n };
const DURATION = /(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w|y))+/y;
const NUMBER = /(?:\d+(\.\d*)?|(\.)\d+)([eE][+-]?\d+)?/y;
const FIELD = /(?:(resource|span|event|link|instrumentation|parent(?:\.(?:span|resource)(?=\.))?)?\.)((?:"(?:[^"\\]|\\["\\])*"|[^\0-\x20\x7f{}()=~!<>&|^,"])+)/y;
const INTRINSIC = /(?:trace|span|event|link|instrumentation):\w*/y;
const WORD = /[\w\u0080-\uffff]+/y;
const SIGN = /&&|\|\||[!&]?>>|[!&]?<<|[!=]~|&~|!=|<=|>=|[!&][<>]|[=<>~+\-*/%^{}(),|!]/y;

export function lex(query: string): Lexeme[] {
  const out: Lexeme[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(query);
    if (found) at += found[0].length;
    return found;
  };
  while (at < query.length) {
    if (take(BLANK)) continue;
    let m: RegExpExecArray | null;
    if ((m = take(TEXT))) out.push({ kind: "literal", text: m[0], value: m[0].startsWith("`") ? m[0].slice(1, -1) : unescaped(m[0].slice(1, -1)) });
    else if ((m = take(DURATION) ?? take(NUMBER))) {
      out.push({ kind: "literal", text: m[0], value: numberOf(m) });
      if (take(WORD)) throw new ConditionProblem(`expected the end of the number "${m[0].slice(0, 40)}", or a unit: ns us ms s m h d w y`);
    } else if ((m = take(FIELD))) out.push({ kind: "field", text: m[0], scope: m[1] ?? "", key: m[2].replace(/"((?:[^"\\]|\\.)*)"/g, (_, part: string) => part.replace(/\\(.)/g, "$1")) });
    else if ((m = take(INTRINSIC))) out.push({ kind: "word", text: m[0] });
    else if ((m = take(WORD))) {
      const value = CONSTANTS.get(m[0]);
      out.push(value === undefined ? { kind: "word", text: m[0] } : { kind: "literal", text: m[0], value });
    } else if ((m = take(SIGN))) out.push({ kind: "sign", text: m[0] });
    else throw new ConditionProblem(`"${query.slice(at, at + 20)}" has no meaning here${/^["`]/.test(query.slice(at)) ? ": this text has no end" : ""}`);
  }
  return out;
}

/** Exact: a duration is whole nanoseconds, rounded down. */
function numberOf(m: RegExpExecArray): Scalar {
  if (/[a-z\u00b5\u03bc]$/.test(m[0])) {
    const parts = [...m[0].matchAll(/([\d.]+)([a-z\u00b5\u03bc]+)/g)];
    const sum = parts.reduce((ns, [, number, unit]) => {
      const [whole, part = ""] = number.split(".");
      const fraction = part.slice(0, 18);
      return ns + BigInt(whole || 0) * UNITS[unit] + (BigInt(fraction || 0) * UNITS[unit]) / 10n ** BigInt(fraction.length);
    }, 0n);
    return inRange(sum, m[0]);
  }
  return m[1] === undefined && m[2] === undefined && m[3] === undefined ? inRange(BigInt(m[0]), m[0]) : Number(m[0]);
}

function inRange(value: bigint, text: string): bigint {
  if (value >= 2n ** 63n) throw new ConditionProblem(`${text.slice(0, 40)} is out of range`);
  return value;
}

const ESCAPES: Record<string, string> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "\\": "\\", '"': '"' };

/** The escapes of Go. */
function unescaped(text: string): string {
  return text.replace(/\\(?:([abfnrtv\\"])|x([\da-fA-F]{2})|([0-7]{3})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|[\s\S]?)/g, (all, name?: string, hex?: string, octal?: string, short?: string, long?: string) => {
    if (name !== undefined) return ESCAPES[name];
    const code = hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal, 8) : Number.parseInt(short ?? long ?? "", 16);
    const byte = hex !== undefined || octal !== undefined;
    // A byte above 7f is a part of a character, which text here has none of.
    if (byte && code > 0x7f) throw new ConditionProblem(`${all} in a text is evaluated by the server only`);
    if (Number.isNaN(code) || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw new ConditionProblem(`${all} is not an escape: expected \\" \\\\ \\n \\t \\r \\xhh \\uhhhh or \\Uhhhhhhhh`);
    return String.fromCodePoint(code);
  });
}
