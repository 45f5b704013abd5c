// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { parseTraceRef } from "../src/model/ids";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

test("ids are understood as people paste them", () => {
  assert.deepEqual(parseTraceRef(` ${ID.toUpperCase()} `), { traceId: ID });
  assert.deepEqual(parseTraceRef(SPAN), { traceId: `0000000000000000${SPAN}` });
  assert.deepEqual(parseTraceRef(`00-${ID}-${SPAN}-01`), { traceId: ID, spanId: SPAN });
  assert.deepEqual(parseTraceRef(`https://jaeger.example/trace/${ID}?uiFind=${SPAN}`), { traceId: ID, spanId: SPAN });
  assert.deepEqual(parseTraceRef(`http://zipkin/zipkin/traces/${ID}`), { traceId: ID });
  assert.deepEqual(parseTraceRef(`http://localhost/trace/?id=${ID}&span=${SPAN}`), { traceId: ID, spanId: SPAN });
  assert.deepEqual(parseTraceRef("4bf92f35-77b3-4da6-a3ce-929d0e0e4736"), { traceId: ID });
  assert.deepEqual(parseTraceRef("S/kvNXezTaajzpKdDg5HNg=="), { traceId: ID });
});

test("what is no id is refused", () => {
  for (const bad of ["", "checkout", ID.slice(1), "0".repeat(32), `${ID}0`]) assert.equal(parseTraceRef(bad), null);
});
