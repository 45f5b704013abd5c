// SPDX-License-Identifier: Apache-2.0
// Texts of files: plain, packed, too long.
import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { textOf } from "../src/model/file-text";

test("a file of a browser is read up to a limit, which counts what comes out of gzip", async () => {
  const text = "aß€".repeat(100);
  const packed = new Blob([gzipSync(text)]);
  assert.equal(await textOf(new Blob([text])), text);
  assert.equal(await textOf(packed, 300), text);
  await assert.rejects(textOf(packed, 299), /more than 299 characters/);
  await assert.rejects(textOf(new Blob(["x".repeat(11)]), 10), /more than 10 characters/);
  await assert.rejects(textOf(packed.slice(0, packed.size - 9)), /its gzip is damaged, or ends too early/);
  await assert.rejects(textOf(new Blob(["PK\u0003\u0004"])), /zip archive: unpack it/);
  assert.equal(await textOf(new Blob([])), "");
});
