// SPDX-License-Identifier: Apache-2.0
// Nothing that a test waits for may wait for ever: each step has a limit, and a step that goes beyond it is named.
import assert from "node:assert/strict";

/** Of one step, such as a request, or a script in a page. The slowest takes some seconds where every processor is busy. */
export const STEP_MS = 60_000;

/** What the promise says, or after `ms` an error that says which step hung. */
export async function within(step, promise, ms = STEP_MS) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${step}: hangs, no end within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Sends an OTLP request, as a value or as the text of it, to `otlp` (http://HOST:PORT), which has to take all of it. */
export async function sendOtlp(otlp, body, what = "a request of spans", ms = STEP_MS) {
  const text = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  const posted = fetch(`${otlp}/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body: text });
  const answer = await within(`POST /v1/traces, ${what} (${text.length} bytes)`, posted, ms);
  assert.equal(answer.status, 200, await within("reading the answer to POST /v1/traces", answer.text()));
}
