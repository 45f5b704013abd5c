// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { fit, ranked } from "../src/model/fuzzy";

const same = (t: string) => t;

test("letters fit in their order, with gaps, whatever their case", () => {
  assert.ok(fit("Go to Services", "gts") > 0);
  assert.ok(fit("checkout PlaceOrder", "plord") > 0);
  assert.equal(fit("checkout", "tuo"), 0);
  assert.equal(fit("", "a"), 0);
  assert.ok(fit("anything", "") > 0);
  // Words in any order.
  assert.ok(fit("gateway POST /checkout", "check gate") > 0);
  assert.equal(fit("gateway POST /checkout", "check cart"), 0);
});

test("beginnings of words before the middle, letters in a row before scattered ones, short before long", () => {
  assert.deepEqual(ranked(["scar tissue", "discard", "cart", "catalog root"], "car", same), ["cart", "discard", "scar tissue", "catalog root"]);
  assert.deepEqual(ranked(["xpxo", "placeOrder", "post"], "po", same), ["post", "placeOrder", "xpxo"]);
  assert.deepEqual(ranked(["Rows: compact", "Compact everything there is in rows"], "rows compact", same)[0], "Rows: compact");
  assert.deepEqual(ranked(["b", "a", "c"], "", same), ["b", "a", "c"]);
});

test("texts of any script and of special signs are plain text", () => {
  assert.ok(fit("מחיר סופי", "סופי") > 0);
  assert.ok(fit("a.*b(c", ".*b(") > 0);
  assert.ok(fit("🙂 smile", "smile") > 0);
  assert.ok(fit("İstanbul", "stan") >= 0);
});
