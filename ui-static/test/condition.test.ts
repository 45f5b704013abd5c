// SPDX-License-Identifier: Apache-2.0
// Conditions on the spans of a file: what is refused, and how it is said. What they find is compared with the server in tests/ui/condition.test.mjs.
import assert from "node:assert/strict";
import test from "node:test";
import { assemble } from "../src/model/assemble";
import { compileCondition } from "../src/model/condition";
import { patternOf } from "../src/model/condition-pattern";
import { lex } from "../src/model/condition-text";
import { ConditionProblem } from "../src/model/condition-value";
import { readSpans } from "../src/model/otlp";

const span = (id: number, parent: number, name: string, more: object = {}) => ({ traceId: "1".repeat(32), spanId: String(id).padStart(16, "0"), parentSpanId: parent ? String(parent).padStart(16, "0") : "", name, startTimeUnixNano: String(1000 + id), endTimeUnixNano: String(3000 + id), ...more });
const spans = [span(1, 0, "GET /users/{id}"), span(2, 1, "db", { attributes: [{ key: "rows", value: { intValue: "3" } }], status: { code: 2 } }), span(3, 2, "lost")];
const trace = assemble(readSpans(JSON.stringify({ resourceSpans: [{ resource: { attributes: [{ key: "service.name", value: { stringValue: "web" } }] }, scopeSpans: [{ spans }] }] })));
const found = (q: string) => {
  const matches = compileCondition(q, trace);
  return [0, 1, 2].filter(matches);
};
const problem = (q: string): string => {
  try {
    compileCondition(q, trace);
  } catch (error) {
    assert.ok(error instanceof ConditionProblem, String(error));
    return error.message;
  }
  return "";
};

test("one filter finds rows, from the left, with brackets and nil", () => {
  assert.deepEqual(found("{ }"), [0, 1, 2]);
  assert.deepEqual(found("{ span.rows >= 3 || name = `lost` && status = error }"), [1]);
  assert.deepEqual(found("{ span.rows >= 3 || (name = `lost` && status = error) }"), [1]);
  assert.deepEqual(found("{ .rows = nil }"), [0, 2]);
  assert.deepEqual(found("{ parent.rows = 3 }"), [2]);
  assert.deepEqual(found("{ name =~ `GET /users/{id}` && childCount = 1 && duration = 2us }"), [0]);
});

test("what only the server does is refused by its name, and so is what is no condition", () => {
  assert.match(problem("{ } >> { }"), /^">>" behind a filter is evaluated by the server only/);
  assert.match(problem("{ } | count() > 1"), /^"\|" behind a filter/);
  assert.match(problem("{ .rows * 2 = 6 }"), /^arithmetic \(\*\) is evaluated by the server only/);
  assert.match(problem("{ nestedSetLeft = 1 }"), /"nestedSetLeft" is not known, or is evaluated by the server only/);
  assert.match(problem("{ name > 3 }"), /> cannot be applied to text and number/);
  assert.match(problem("{ name = nil }"), /never nil/);
  assert.match(problem("{ name = }"), /expected a field or a value where "}" stands/);
  assert.match(problem('{ name = "a }'), /this text has no end/);
  assert.match(problem(`{ ${"!(".repeat(200)}true${")".repeat(200)} }`), /too deep/);
});

test("any text is tokens or a problem, and never something else", () => {
  const parts = ["{", "}", "(", "&&", "||", "!", "name", ".a", "span.", '"x"', '"', "`", "1", "1.", ".5", "1e", "1h", "3x", "nil", "=~", "=", "-", "~", "\\", "é", "\u{1f600}", "/*", "//", "\n", "parent.span.", "trace:", "link:spanID"];
  for (let seed = 0; seed < 4000; seed++) {
    let state = seed;
    const next = () => parts[(state = (state * 1103515245 + 12345) & 0x7fffffff) % parts.length];
    const q = Array.from({ length: 1 + (seed % 9) }, next).join(seed % 2 ? " " : "");
    for (const text of [q, `{ ${q} }`]) {
      try {
        lex(text);
        found(text);
      } catch (error) {
        assert.ok(error instanceof ConditionProblem, `${text}: ${error instanceof Error ? error.stack : error}`);
      }
    }
  }
});

test("patterns mean what they mean to the server", () => {
  assert.ok(patternOf("a.c")("abc") && !patternOf("a.c")("a\nc") && patternOf("(?s)a.c")("a\nc"));
  assert.ok(patternOf("a.c")("a\u2028c") && !patternOf("\\s")("\u00a0") && patternOf("[\\s]")(" "));
  assert.ok(patternOf("{x}")("{x}") && patternOf("a{2}")("aa") && patternOf("\\_\\-\\:")("_-:") && patternOf("[]-]+")("]-"));
  for (const bad of ["(?=a)", "(?<=a)b", "(a)\\1", "\\Qa\\E", "[[:alpha:]]", "(", "a**", "(?m)^a$", "x".repeat(5000)]) assert.throws(() => patternOf(bad), ConditionProblem, bad);
});
