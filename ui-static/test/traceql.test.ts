// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { contextAt, saidBefore } from "../src/model/caret";
import { meantQuery } from "../src/model/meant";
import { besideCondition, conditions, fieldRef, fieldText, indexOfByte, quote, tokenize, valueText, withCondition } from "../src/model/traceql";

test("tokens cover the text without gaps, whatever it holds", () => {
  const texts = ['{ resource.service.name = "a \\" b" && duration > 1.5ms }', "{ span.\"odd key\" =~ `x.*` } | count() > 2", '"open', "{{{ >>!~ é 🎉 \u0000", ""];
  for (const text of texts) {
    const tokens = tokenize(text);
    assert.equal(tokens.map((t) => t.text).join(""), text);
    tokens.forEach((t, i) => assert.equal(t.start, i === 0 ? 0 : tokens[i - 1].end));
  }
});

test("the caret knows what can stand at its place", () => {
  const at = (marked: string) => {
    const caret = marked.indexOf("|");
    return contextAt(marked.replace("|", ""), caret);
  };
  assert.equal(at("|").expecting, "spanset");
  assert.equal(at("{ |").expecting, "field");
  const field = at("{ resource.serv|");
  assert.deepEqual([field.expecting, field.typed, field.start], ["field", "resource.serv", 2]);
  const operator = at("{ status |");
  assert.deepEqual([operator.expecting, operator.field], ["operator", "status"]);
  const value = at('{ resource.service.name = "ca|');
  assert.deepEqual([value.expecting, value.field, value.typed], ["value", "resource.service.name", '"ca']);
  assert.equal(at('{ resource.service.name = "cart" |').expecting, "logic");
  assert.equal(at('{ resource.service.name = "cart" && |').expecting, "field");
  assert.equal(at("{ status = error } |").expecting, "nothing");
  assert.equal(at("{ (status = error) |").expecting, "logic");
});

test("what a filter says already is a query of its own, or nothing", () => {
  const said = (marked: string) => saidBefore(marked.replace("|", ""), marked.indexOf("|"));
  assert.equal(said('{ service = "cart" && span.|'), '{ service = "cart" }');
  assert.equal(said('{ service = "a && b" && status = error && name = "x|" }'), '{ service = "a && b" && status = error }');
  assert.equal(said('{ status = error } >> { kind = client && .|'), "{ kind = client }");
  for (const nothing of ["|", "{ |", '{ service = "c|', "{ status = error } && |", "{ a = 1 || b = 2 && |", "{ (a = 1 && b = 2) && |", "{ && |"])
    assert.equal(said(nothing), "", nothing);
});

test("fields and values are written so that the server reads them back", () => {
  assert.equal(fieldText("span", "http.status_code"), "span.http.status_code");
  assert.equal(fieldText("span", "odd key"), 'span."odd key"');
  assert.deepEqual(fieldRef('span."odd key"'), { scope: "span", key: "odd key" });
  assert.deepEqual(fieldRef("name"), { scope: "intrinsic", key: "name" });
  assert.deepEqual(fieldRef(".x"), { scope: "", key: "x" });
  assert.equal(quote('a"b\\c\n'), '"a\\"b\\\\c\\n"');
  assert.equal(valueText("span.n", "5", "int"), "5");
  assert.equal(valueText("status", "error", "string"), "error");
});

test("conditions are added once and taken apart again", () => {
  assert.equal(withCondition("", "status = error"), "{ status = error }");
  assert.equal(withCondition("{ }", "status = error"), "{ status = error }");
  assert.equal(withCondition("{ a = 1 }", "b = 2"), "{ a = 1 && b = 2 }");
  assert.equal(withCondition("{ a = 1 && b = 2 }", "b = 2"), "{ a = 1 && b = 2 }");
  assert.equal(withCondition("{ a = 1 || b = 2 }", "c = 3"), "{ (a = 1 || b = 2) && c = 3 }");
  assert.deepEqual(conditions('{ name = "x && y" && status = error }'), ['name = "x && y"', "status = error"]);
  assert.deepEqual(conditions("{ a = 1 || b = 2 }"), []);
  assert.deepEqual(conditions("{ a = 1 } >> { b = 2 }"), []);
});

test("a condition on another span of the trace stands beside the query", () => {
  assert.equal(besideCondition("{ }", "b = 2"), "{ b = 2 }");
  assert.equal(besideCondition("{ a = 1 || c = 3 }", "b = 2"), "{ a = 1 || c = 3 } && { b = 2 }");
  assert.equal(besideCondition("{ a = 1 } && { b = 2 }", "b = 2"), "{ a = 1 } && { b = 2 }");
  assert.equal(besideCondition("{ a = 1 } >> { b = 2 }", "c = 3"), "({ a = 1 } >> { b = 2 }) && { c = 3 }");
  assert.equal(besideCondition("{ a = 1 } | count() > 2", "c = 3"), "({ a = 1 } | count() > 2) && { c = 3 }");
});

test("a byte offset becomes a place in the text", () => {
  assert.equal(indexOfByte("é🎉x", 2), 1);
  assert.equal(indexOfByte("é🎉x", 6), 3);
  assert.equal(indexOfByte("abc", 99), 3);
});

test("a query in another language is said in this one", () => {
  for (const [text, meant] of [
    ["service=checkout", '{ service = "checkout" }'],
    ["status=error", "{ status = error }"],
    ['{ kind="SERVER" }', "{ kind = server }"],
    ["enduser.id = user-16 and status == ERROR", '{ .enduser.id = "user-16" && status = error }'],
    ["{ http.status_code >= 500 }", "{ .http.status_code >= 500 }"],
    ["{ .enduser.id = 'a b' }", '{ .enduser.id = "a b" }'],
    ['{ span.enduser.id = "user-16" && status = error', '{ span.enduser.id = "user-16" && status = error }'],
    ['resource.service.name =~ "a|b" AND duration>1.5s', '{ resource.service.name =~ "a|b" && duration > 1.5s }'],
    ["{ span.ok = true && .n != -5 }", null],
    ["checkout", null],
    ["", null],
  ] as const) assert.equal(meantQuery(text), meant, text);
});

test("a value that is typed without quotes is completed, whatever it is made of", () => {
  const at = (text: string) => {
    const { expecting, field, typed, start } = contextAt(text, text.length);
    return [expecting, field, typed, start];
  };
  for (const typed of ["user-1", "user", "1234abc", "a.b-c/d"]) assert.deepEqual(at(`{ span.enduser.id = ${typed}`), ["value", "span.enduser.id", typed, 20]);
  assert.deepEqual(at('{ span.enduser.id = "a b'), ["value", "span.enduser.id", '"a b', 20]);
  // Without braces a field is meant.
  assert.deepEqual(at("enduser.i"), ["spanset", "", "enduser.i", 0]);
});
