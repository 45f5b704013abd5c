// SPDX-License-Identifier: Apache-2.0
// A step that hangs says so, and which it is.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { sendOtlp, within } from "./limits.mjs";

test("a step that hangs is named, one that ends or fails is not delayed", async () => {
  await assert.rejects(within("asking the oracle", new Promise(() => undefined), 5), /^Error: asking the oracle: hangs, no end within 0\.005 s$/);
  assert.equal(await within("asking", Promise.resolve(7)), 7);
  await assert.rejects(within("asking", Promise.reject(new Error("it said no"))), /it said no/);
});

test("spans that a server refuses, or does not answer for, are said with what it was", async () => {
  const server = createServer((request, response) => {
    request.resume();
    if (request.headers["content-length"] === "2") response.writeHead(400).end("no spans");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const address = `http://127.0.0.1:${server.address().port}`;
  try {
    await assert.rejects(sendOtlp(address, {}), /no spans/);
    await assert.rejects(sendOtlp(address, { resourceSpans: [] }, "the third", 50), /POST \/v1\/traces, the third \(20 bytes\): hangs/);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
