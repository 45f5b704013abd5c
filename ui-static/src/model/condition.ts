// SPDX-License-Identifier: Apache-2.0
// One filter of the query language on the spans of a file, as the server evaluates it (docs/traceql.md, query/match_operand.c): text to a
// function of a row. What only the server can do is refused by its name. No DOM.
import { type Field, fieldOf, type Trace } from "./condition-fields";
import { patternOf } from "./condition-pattern";
import { lex, type Lexeme } from "./condition-text";
import { ConditionProblem, isScalar, type Operand, type Scalar, type Type } from "./condition-value";

export type Test = (row: number) => boolean;

interface Node {
  type: Type;
  value: (row: number) => Operand;
  constant?: Scalar;
  field?: Field;
  isNil?: boolean;
}

const refuse = (text: string): never => {
  throw new ConditionProblem(text);
};
const NOT_HERE = "is evaluated by the server only; in a file one filter of comparisons is";

/** Of levels, as the server's. */
const DEPTH_MAX = 128;

/** { a = 1 && (b || c) } to a test of a row. Throws ConditionProblem. */
export function compileCondition(query: string, trace: Trace): Test {
  const tokens = lex(query);
  let at = 0;
  let depth = 0;
  const peek = () => tokens[at] as Lexeme | undefined;
  const is = (...texts: string[]) => peek()?.kind === "sign" && texts.includes(peek()?.text ?? "");
  const unexpected = (wanted: string): never => refuse(`expected ${wanted}${peek() ? ` where "${(peek() as Lexeme).text.slice(0, 40)}" stands` : " at the end"}`);
  const eat = (sign: string) => (is(sign) ? tokens[at++] : unexpected(`"${sign}"`));

  const primary = (): Node => {
    const token = peek();
    if (is("(")) {
      at++;
      const inner = logic();
      eat(")");
      return inner;
    }
    if (token?.kind === "literal") {
      at++;
      return { type: typeOfScalar(token.value), value: () => token.value, constant: token.value };
    }
    if (token?.kind === "word" && token.text === "nil") {
      at++;
      return { type: "any", value: () => undefined, isNil: true };
    }
    if (token?.kind !== "field" && token?.kind !== "word") return unexpected("a field or a value");
    at++;
    if (is("(")) refuse(`${token.text}() ${NOT_HERE}`);
    const field = fieldOf(token, trace) ?? refuse(`"${token.text}" is not known, or ${NOT_HERE}`);
    return { type: field.type, value: field.read, field };
  };
  const unary = (): Node => {
    if (++depth > DEPTH_MAX) refuse("the condition is too deep");
    try {
      if (is("!")) {
        at++;
        const of = unary();
        if (of.isNil || !isTruth(of)) refuse(`! cannot be applied to ${of.isNil ? "nil" : of.type}`);
        return { type: "boolean", value: (row) => anyIs(of.value(row), false) };
      }
      if (!is("-")) return primary();
      at++;
      const of = unary();
      const number = of.constant;
      if (typeof number !== "bigint" && typeof number !== "number") return refuse(`- before a field ${NOT_HERE}`);
      return { type: "number", value: () => -number, constant: -number };
    } finally {
      depth--;
    }
  };
  const comparison = (): Node => {
    let left = unary();
    while (is(...COMPARISONS)) {
      const operator = tokens[at++].text;
      left = compared(left, operator, unary());
    }
    if (is("+", "-", "*", "/", "%", "^")) refuse(`arithmetic (${peek()?.text}) ${NOT_HERE}`);
    return left;
  };
  const logic = (): Node => {
    let left = comparison();
    while (is("&&", "||")) {
      const all = tokens[at++].text === "&&";
      const [a, b] = [left, comparison()];
      for (const side of [a, b]) if (side.isNil || !isTruth(side)) refuse(`${all ? "&&" : "||"} cannot be applied to ${side.isNil ? "nil" : side.type}`);
      const [first, second] = [a.value, b.value];
      left = { type: "boolean", value: (row) => (all ? anyIs(first(row), true) && anyIs(second(row), true) : anyIs(first(row), true) || anyIs(second(row), true)) };
    }
    return left;
  };

  if (tokens.length === 0) return () => true;
  if (!is("{")) refuse(`"${peek()?.text.slice(0, 40)}" in front of a filter ${NOT_HERE}`);
  at++;
  const root = is("}") ? null : logic();
  eat("}");
  if (peek()) refuse(`"${peek()?.text.slice(0, 40)}" behind a filter ${NOT_HERE}`);
  if (!root) return () => true;
  if (root.isNil || !isTruth(root)) refuse("a filter is a condition: compare the field with something");
  return (row) => anyIs(root.value(row), true);
}

const COMPARISONS = ["=", "!=", "=~", "!~", "<", "<=", ">", ">="];
const isTruth = (node: Node) => node.type === "boolean" || node.type === "any";

function typeOfScalar(value: Scalar): Type {
  if (typeof value === "string") return "text";
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "symbol") return (value.description ?? "").startsWith("status") ? "status" : "kind";
  return "number";
}

/** Is the value, or one of the events or links that it stands for, this boolean? */
function anyIs(operand: Operand, wanted: boolean): boolean {
  return typeof operand === "object" && "each" in operand ? operand.each.includes(wanted) : operand === wanted;
}

function exists(operand: Operand): boolean {
  return typeof operand === "object" && "each" in operand ? operand.each.some((one) => one !== undefined) : operand !== undefined;
}

function compared(left: Node, operator: string, right: Node): Node {
  const boolean = (value: (row: number) => boolean): Node => ({ type: "boolean", value });
  if (left.isNil || right.isNil) {
    if (operator !== "=" && operator !== "!=") return refuse("nil can only be compared with = or !=");
    if (left.isNil && right.isNil) return boolean(() => false);
    const { field, value } = left.isNil ? right : left;
    if (!field) return refuse("only a field can be compared with nil");
    if (operator === "=" && !field.optional) return refuse("this field is never nil");
    return boolean((row) => exists(value(row)) === (operator === "!="));
  }
  const types = () => refuse(`${operator} cannot be applied to ${left.type} and ${right.type}`);
  const pattern = operator === "=~" || operator === "!~";
  if (pattern) {
    if (typeof right.constant !== "string") return refuse(`expected a regular expression in quotes behind ${operator}`);
    if (left.type !== "text" && left.type !== "any") return types();
    const found = patternOf(right.constant);
    const test = (a: Scalar) => (typeof a === "string" ? found(a) === (operator === "=~") : null);
    return boolean((row) => eachPair(left.value(row), undefined, (a) => oneFits(a, test, operator === "!~")));
  }
  const fits = left.type === right.type || left.type === "any" || right.type === "any";
  const unordered = /^[<>]/.test(operator) && [left.type, right.type].some((type) => ["boolean", "status", "kind"].includes(type));
  if (!fits || unordered || left.type === "span" || right.type === "span") return types();
  const [l, r] = [idText(left, right), idText(right, left)];
  return boolean((row) =>
    eachPair(l(row), r(row), (a, b) => {
      if (isArray(b)) return isArray(a) ? false : oneFits(b, (item) => outcome(item, MIRRORED[operator] ?? operator, a), operator === "!=");
      return oneFits(a, (item) => outcome(item, operator, b), operator === "!=");
    }),
  );
}

/** An id that a field is compared with may be written in upper case and without the zeros in front. */
function idText(node: Node, field: Node): (row: number) => Operand {
  const digits = field.field?.idDigits ?? 0;
  const text = node.constant;
  if (digits === 0 || typeof text !== "string" || text.length > digits || !/^[0-9a-f]+$/i.test(text)) return node.value;
  const whole = text.toLowerCase().padStart(digits, "0");
  return () => whole;
}

const isArray = (operand: Operand): operand is { items: Scalar[] } => typeof operand === "object" && "items" in operand;
const MIRRORED: Record<string, string> = { "<": ">", "<=": ">=", ">": "<", ">=": "<=" };

/** Of events and links one is enough, on both sides, whatever the operator. */
function eachPair(left: Operand, right: Operand, test: (a: Operand, b: Operand) => boolean): boolean {
  const all = (operand: Operand) => (typeof operand === "object" && "each" in operand ? operand.each : [operand]);
  return all(left).some((a) => all(right).some((b) => test(a, b)));
}

/** Of an array one item is enough; but none: no item may be equal or match, and one must compare. */
function oneFits(a: Operand, test: (item: Scalar) => boolean | null, none: boolean): boolean {
  if (isScalar(a)) return test(a) === true;
  if (!isArray(a)) return false;
  const outcomes = a.items.map(test);
  return outcomes.includes(true) && !(none && outcomes.includes(false));
}

/** Null: the two do not compare. */
function outcome(a: Operand, operator: string, b: Operand): boolean | null {
  if (!isScalar(a) || !isScalar(b)) return null;
  const order = orderOf(a, b);
  if (order === null) return null;
  switch (operator) {
    case "=": return order === 0;
    case "!=": return order !== 0;
    case "<": return order < 0;
    case "<=": return order <= 0;
    case ">": return order > 0;
    default: return order >= 0;
  }
}

const isNumber = (x: Scalar): x is bigint | number => typeof x === "bigint" || (typeof x === "number" && !Number.isNaN(x));

function orderOf(a: Scalar, b: Scalar): number | null {
  if (isNumber(a) && isNumber(b)) return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  return typeof a === "symbol" && typeof b === "symbol" ? (a === b ? 0 : 1) : null;
}

/** By bytes of UTF-8, which is the order of the characters; surrogates stand before U+E000 only in UTF-16. */
function compareText(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  for (let i = 0; i < most; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return (x >= 0xd800 && x < 0xe000 ? x + 0x2800 : x) - (y >= 0xd800 && y < 0xe000 ? y + 0x2800 : y);
  }
  return a.length - b.length;
}
