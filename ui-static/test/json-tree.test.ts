// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { isTooLong, TREE_CHARS_MAX, TREE_LEVELS_MAX, treeOf } from "../src/model/json-tree";

const treeOfText = (text: string) => treeOf({ stringValue: text }, text);
const leaf = (key: string | null, text: string) => ({ key, text, parts: null });

test("a tree has what JSON.parse would lose: long numbers, keys that stand there twice, their order", () => {
  assert.deepEqual(treeOfText(' {"b": 12345678901234567890, "1": "a \\"b\\" [", "b": [1.50, true, null, []], "": {}} '), {
    key: null,
    text: "{",
    parts: [
      leaf("b", "12345678901234567890"),
      leaf("1", '"a \\"b\\" ["'),
      { key: "b", text: "[", parts: [leaf(null, "1.50"), leaf(null, "true"), leaf(null, "null"), { key: null, text: "[", parts: [] }] },
      { key: "", text: "{", parts: [] },
    ],
  });
});

test("what is no object and no list has no tree", () => {
  for (const text of ["", "12", '"a"', "{not json", "[1,]", '{"a":1} x', "plain"]) assert.equal(treeOfText(text), null, text);
  assert.equal(treeOf({ intValue: "1" }, "1"), null);
});

test("a long text has no tree, and that can be said of it; a deep one does not end the page", () => {
  const long = `["${"x".repeat(TREE_CHARS_MAX)}"]`;
  assert.equal(treeOfText(long), null);
  assert.ok(isTooLong(long) && !isTooLong("[1]") && !isTooLong("x".repeat(TREE_CHARS_MAX + 1)));
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  let levels = 0;
  for (let at = treeOfText(deep); at?.parts; at = at.parts[0]) levels++;
  assert.equal(levels, 100_000);
});

test("lists and maps of OTLP are trees, too, bounded in depth", () => {
  const value = { kvlistValue: { values: [{ key: "k", value: { arrayValue: { values: [{ intValue: "1" }, { stringValue: "two" }, {}] } } }] } };
  assert.deepEqual(treeOf(value, "-"), { key: null, text: "{", parts: [{ key: "k", text: "[", parts: [leaf(null, "1"), leaf(null, '"two"'), leaf(null, "empty")] }] });
  let deep: object = { arrayValue: {} };
  for (let i = 0; i < 50_000; i++) deep = { arrayValue: { values: [deep] } };
  let levels = 0;
  for (let at = treeOf(deep, "-"); at?.parts; at = at.parts[0]) levels++;
  assert.equal(levels, TREE_LEVELS_MAX + 2);
});
