// SPDX-License-Identifier: Apache-2.0
// What can stand at the caret of the query box. No DOM.
import { type Token, tokenize } from "./traceql";

export type Expecting = "spanset" | "field" | "operator" | "value" | "logic" | "nothing";

export interface Context {
  expecting: Expecting;
  /** The part of the text that a completion replaces. */
  start: number;
  end: number;
  /** What is typed of it, up to the caret. */
  typed: string;
  /** The field whose value or operator is expected. */
  field: string;
}

/** What the filter around the caret says in front of the condition that is being typed, as a query of its own; "" when that is nothing, or not
 * certain: behind an or, in brackets. */
export function saidBefore(text: string, caret: number): string {
  let [open, end, plain] = [-1, -1, true];
  for (const t of tokenize(text)) {
    if (t.end > caret) break;
    if (t.text === "{") [open, end, plain] = [t.end, -1, true];
    if (t.text === "}") open = -1;
    if (/^([()]|\|\|)$/.test(t.text)) plain = false;
    if (t.text === "&&") end = t.start;
  }
  const said = plain && open >= 0 && end > open ? text.slice(open, end).trim() : "";
  return said && `{ ${said} }`;
}

/** What can stand at the caret. */
export function contextAt(text: string, caret: number): Context {
  const all = tokenize(text).filter((t) => t.kind !== "space");
  // A value without quotes, or a field without braces, may be several tokens: user-16, enduser.id.
  const typed = text.slice(0, caret).split(ENDS).pop() ?? "";
  const start = caret - typed.length;
  const bare = context(all.filter((t) => t.end <= start), start, caret + text.slice(caret).split(ENDS)[0].length, typed);
  if (typed && /value|spanset/.test(bare.expecting) && !all.some((t) => t.start < start && t.end > start)) return bare;
  const under = all.find((t) => t.start < caret && caret <= t.end && !["brace", "logic", "other"].includes(t.kind));
  const before = all.filter((t) => t.end <= (under ? under.start : caret));
  const here = under ? context(before, under.start, under.end, text.slice(under.start, caret)) : context(before, caret, caret, "");
  // A finished token under the caret with something else expected there: complete behind it, not in its place.
  return under && (under.kind === "operator") !== (here.expecting === "operator") ? context([...before, under], caret, caret, "") : here;
}

const ENDS = /[\s"`{}()&|=<>!~]/;

function context(before: Token[], start: number, end: number, typed: string): Context {
  const expecting = expectedAfter(before);
  const field = { value: -2, operator: -1 }[expecting as string];
  return { expecting, start, end, typed, field: (field && before.at(field)?.text) || "" };
}

function expectedAfter(before: Token[]): Expecting {
  const last = before.at(-1);
  if (!last) return "spanset";
  if (last.text === "}") return "nothing";
  if (last.text === "{" || last.text === "(" || last.kind === "logic") return "field";
  if (last.kind === "operator") return "value";
  if (last.text === ")") return "logic";
  const earlier = before.at(-2);
  if (earlier?.kind === "operator") return "logic";
  return last.kind === "field" || last.kind === "word" ? "operator" : "nothing";
}
