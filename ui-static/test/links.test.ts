// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { ADDRESS_BYTES_MAX, isLong, isPacked, pack, STATE_BYTES_MAX, unpack } from "../src/model/links";

const query = (clauses: number) =>
  `?${new URLSearchParams({ q: `{ ${Array.from({ length: clauses }, (_, i) => `span.http.route != "/api/v1/${i * 7919}/é"`).join(" && ")} }`, from: "now-1h" })}`;

test("a long address comes back from its fragment, and is a third of it at most", async () => {
  const search = query(400);
  assert.ok(isLong(search) && !isLong(query(10)) && !isLong("x".repeat(ADDRESS_BYTES_MAX)));
  const hash = await pack(search);
  assert.ok(isPacked(hash) && !isPacked("#main") && !isPacked(""));
  assert.match(hash, /^#z=[A-Za-z0-9_-]+$/);
  assert.ok(hash.length * 3 < search.length, `${hash.length} of ${search.length}`);
  assert.equal(await unpack(hash), search);
  for (const text of ["?", "?a=b", "?q=%F0%9F%92%A9"]) assert.equal(await unpack(await pack(text)), text);
});

test("a fragment that is damaged, cut, or holds too much is refused", async () => {
  const hash = await pack(query(400));
  for (const bad of [hash.slice(0, -20), "#z=", "#z=!!!!", "#z=AAAA", `${hash.slice(0, 40)}A${hash.slice(40)}`]) await assert.rejects(unpack(bad), bad.slice(0, 20));
  const bomb = await pack("?".padEnd(STATE_BYTES_MAX, "a"));
  assert.equal((await unpack(bomb)).length, STATE_BYTES_MAX);
  const { deflateSync } = await import("node:zlib");
  const larger = deflateSync(Buffer.alloc(STATE_BYTES_MAX + 1, "a")).toString("base64url");
  await assert.rejects(unpack(`#z=${larger}`), RangeError);
});
