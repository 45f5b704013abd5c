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
  assert.deepEqual(parseTraceRef("S_kvNXezTaajzpKdDg5HNg=="), { traceId: ID });
});

test("headers, lines of logs and addresses of other tools are understood, with the span that they name", () => {
  const both = { traceId: ID, spanId: SPAN };
  const short = { traceId: `0000000000000000${SPAN}`, spanId: "1234567890abcdef" };
  for (const text of [
    `traceparent: 00-${ID}-${SPAN}-01`,
    `${ID}-${SPAN}-1-1234567890abcdef`,
    `uber-trace-id: ${ID}:${SPAN}:0:1`,
    `level=error trace_id=${ID} span_id=${SPAN} msg="no stock"`,
    `{"traceId":"${ID}","parent_span_id":"1234567890abcdef","spanId":"${SPAN}"}`,
    `http://localhost/trace/?id=${ID}&root=1234567890abcdef&span=${SPAN}`,
  ])
    assert.deepEqual(parseTraceRef(text), both, text);
  assert.deepEqual(parseTraceRef(`${SPAN}-1234567890abcdef-1`), short);
  assert.deepEqual(parseTraceRef(`${SPAN}:1234567890abcdef:0:1`), short);
  assert.deepEqual(parseTraceRef(`https://logs.example/explore?left=%7B%22query%22:%22${ID}%22%7D`), { traceId: ID });
  assert.deepEqual(parseTraceRef(`1-${ID.slice(0, 8)}-${ID.slice(8)}`), { traceId: ID });
  // Jaeger leaves out zeros at the beginning.
  assert.deepEqual(parseTraceRef(`https://jaeger.example/trace/${SPAN.slice(2)}?uiFind=${SPAN}`), { traceId: `0000000000000000${SPAN}`, spanId: SPAN });
});

test("what is no id is refused", () => {
  for (const bad of ["", "checkout", ID.slice(1), "0".repeat(32), `${ID}0`, "recommendation-service", "hello-world", "2026-11-30 10:45:10", "id=5"]) assert.equal(parseTraceRef(bad), null);
});
