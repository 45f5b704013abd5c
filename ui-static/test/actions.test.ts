// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { actionIds, ACTIONS, conflictsOf, isSingle, keysOf, parseKeyMap, pressName, scopeOf } from "../src/model/actions";
import { keyText, NAMES, SCOPES } from "../src/ui/action-names";

test("the usual keys mean one thing on each page", () => {
  for (const id of actionIds) assert.deepEqual(conflictsOf(id, keysOf(id, {}), {}), [], id);
});

test("every action has a name and stands in a group that has one", () => {
  for (const id of actionIds) {
    assert.ok(NAMES[id].length > 3, id);
    assert.ok(SCOPES[scopeOf(id)], id);
  }
});

test("a key that another action of the same page has is found, on other pages it is free", () => {
  assert.deepEqual(conflictsOf("trace.mark", ["f"], {}), ["trace.fit"]);
  assert.deepEqual(conflictsOf("trace.mark", ["t"], {}), ["all.range"]);
  assert.deepEqual(conflictsOf("trace.mark", ["j"], {}), ["rows.next"]);
  assert.deepEqual(conflictsOf("trace.mark", ["v"], {}), []);
  // Everywhere is everywhere, so each page's keys are in the way.
  assert.deepEqual(conflictsOf("all.theme", ["v"], {}).sort(), ["map.view", "service.view"]);
  // The first of two keys would run at once.
  assert.deepEqual(conflictsOf("trace.mark", ["g"], {}), actionIds.filter((id) => ACTIONS[id].startsWith("g ")));
  assert.deepEqual(conflictsOf("all.theme", ["e x"], {}).sort(), ["compare.nextError", "trace.nextError"]);
});

test("a changed key counts instead of the usual one", () => {
  const map = { "trace.fit": "q", "all.range": "" } as const;
  assert.deepEqual(keysOf("trace.fit", map), ["q"]);
  assert.deepEqual(keysOf("all.range", map), []);
  assert.deepEqual(conflictsOf("trace.mark", ["f"], map), []);
  assert.deepEqual(conflictsOf("trace.mark", ["q"], map), ["trace.fit"]);
  assert.deepEqual(conflictsOf("trace.mark", ["t"], map), []);
});

test("what is stored is read as far as it is a table of keys", () => {
  assert.deepEqual(parseKeyMap('{"trace.fit":"q","gone.action":"x","all.range":3}'), { "trace.fit": "q" });
  for (const bad of ["", "null", "[", "3", '"x"']) assert.deepEqual(parseKeyMap(bad), {}, bad);
});

test("presses have the names that the table uses", () => {
  const press = (key: string, ctrlKey = false, metaKey = false) => ({ key, ctrlKey, metaKey });
  assert.equal(pressName(press("K", true)), "Ctrl+k");
  assert.equal(pressName(press("k", false, true)), "Ctrl+k");
  assert.equal(pressName(press(" ")), "Space");
  assert.equal(pressName(press("Enter", true)), "Ctrl+Enter");
  assert.equal(pressName(press("[", true), true), "[");
  assert.equal(pressName(press("U")), "U");
  assert.deepEqual(["Ctrl+k", "Enter", "Escape", "j", "?", "Space", "g e", "Ctrl+Enter"].map(isSingle), [false, false, false, true, true, true, true, false]);
  assert.equal(keyText("Ctrl+k"), "Ctrl K");
  assert.equal(keyText("g e"), "g e");
  assert.equal(keyText("Ctrl+Enter"), "Ctrl ↵");
});
