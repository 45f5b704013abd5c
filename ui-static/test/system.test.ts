// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SystemAnswer } from "../src/api/types";
import { addressOf, compressionOf, counterOf, exploreOf, forecastOf, labelOf, limitText, parameterText, quantileBound, ratesOf, sampleOf } from "../src/model/system";

const counter = (name: string, labels: string, value: number) => ({ name, labels, help: "", counts: true, value: String(value) });
const answer = (grpc: number, http: number, at: bigint) =>
  ({
    nowUnixNano: String(at), startedAtUnixNano: "1",
    counters: [counter("spoor_acked_spans_by_transport", 'transport="grpc"', grpc), counter("spoor_acked_spans_by_transport", 'transport="http"', http), counter("spoor_received_requests", "", grpc + http)],
    store: { oldestUnixNano: null, newestUnixNano: null, storedBytes: "0", retentionBytes: "0", retentionAgeNano: "0", disk: null },
  }) as unknown as SystemAnswer;

test("rates are differences between readings by the server's clock, and never below 0", () => {
  const samples = [answer(0, 10, 0n), answer(50, 10, 5_000_000_000n), answer(20, 10, 5_000_000_000n), answer(20, 110, 15_000_000_000n)].map(sampleOf);
  assert.deepEqual(ratesOf(samples).map((r) => [r.grpc, r.http]), [[10, 0], [0, 10]]);
  assert.deepEqual(ratesOf(samples.slice(0, 1)), []);
});

test("counters add up over labels, and labels are read one by one", () => {
  const value = answer(3, 4, 0n);
  assert.equal(counterOf(value, "spoor_acked_spans_by_transport"), 7);
  assert.equal(labelOf(counter("x", 'reason="LIMIT",retryable="false"', 1), "retryable"), "false");
  assert.equal(labelOf(counter("x", 'unreason="A"', 1), "reason"), "");
});

test("a forecast says what it is worked out from, and when there is none", () => {
  const store = (more: object) => ({ ...answer(0, 0, 0n), store: { ...answer(0, 0, 0n).store, ...more } }) as SystemAnswer;
  const hour = { oldestUnixNano: "1", newestUnixNano: String(3600n * 1_000_000_000n + 1n), storedBytes: "1000000" };
  assert.equal(forecastOf(store({})).bytesADay, null);
  const disk = forecastOf(store({ ...hour, disk: { freeBytes: "24000000", allBytes: "99000000" } }));
  assert.equal(disk.bytesADay, 24e6);
  assert.equal(disk.fullInNs, 86400e9);
  assert.equal(forecastOf(store({ ...hour, retentionBytes: "13000000" })).fullInNs, 43200e9);
  assert.equal(forecastOf(store({ ...hour, retentionBytes: "13000000", retentionAgeNano: "7200000000000" })).fullInNs, null);
  assert.equal(forecastOf(store(hour)).fullInNs, null);
  // A disk that is full before the limit is reached is what ends it.
  const small = forecastOf(store({ ...hour, retentionBytes: "900000000", disk: { freeBytes: "24000000", allBytes: "99000000" } }));
  assert.deepEqual([small.fullInNs, small.until], [86400e9, "then nothing is taken any more: the disk has no more room"]);
  assert.equal(forecastOf(store({ ...hour, retentionBytes: "900000", disk: { freeBytes: "1", allBytes: "1" } })).fullInNs, 0);
  assert.deepEqual(forecastOf(store({ ...hour, disk: { freeBytes: "24000000000000", allBytes: "1" } })).until, "not within ten years at this growth");
});

test("limits are written as options are: whole KiB, MiB and GiB; anything else in decimal units", () => {
  assert.deepEqual(["0", "67108864", "1073741824", "1610612736", "32768", "1500", "1000000"].map((n) => limitText(n, "bytes")), ["none", "64 MiB", "1 GiB", "1,536 MiB", "32 KiB", "1.50 kB", "1.00 MB"]);
});

test("compression is what a span took on the wire against what it takes in the store", () => {
  const value = (bytes: number, acked: number, kept: number) =>
    ({ ...answer(0, 0, 0n), counters: [counter("spoor_received_bytes", "", bytes), counter("spoor_acked_spans", "", acked)], store: { storedBytes: "160", spanCount: String(kept) } }) as unknown as SystemAnswer;
  assert.deepEqual(compressionOf(value(1760, 5, 10)), { received: 352, stored: 16, ratio: 22 });
  assert.equal(compressionOf(value(0, 0, 10)), null);
});

test("times of a query are read as times, everything else as it was sent", () => {
  assert.equal(parameterText("from", "1675083600000000000", "utc"), "2023-01-30 13:00:00");
  assert.deepEqual([parameterText("q", "1675083600000000000", "utc"), parameterText("to", "now-1h", "utc")], ["1675083600000000000", "now-1h"]);
});

test("a search that was slow has a place on Explore, other questions have none", () => {
  const search = addressOf(`/v1/search?${new URLSearchParams({ q: "{ kind = server }", from: "now-1h", order: "-duration", limit: "100" })}`);
  assert.deepEqual(exploreOf(search), { q: "{ kind = server }", from: "now-1h", to: "", sort: "-duration" });
  assert.deepEqual(exploreOf(addressOf("/v1/facets?limit=8")), { q: "", from: "", to: "" });
  assert.equal(exploreOf(addressOf("/v1/traces/1?view=columns")), null);
});

test("a quantile of steps is the step it lies in", () => {
  assert.equal(quantileBound(["9", "0", "1"], [0.001, 0.005], 0.5), "≤ 1.00 ms");
  assert.equal(quantileBound(["9", "0", "1"], [0.001, 0.005], 0.95), "> 5.00 ms");
  assert.equal(quantileBound(["0", "0", "0"], [0.001, 0.005], 0.5), "–");
});

test("addresses are taken apart, also such as nobody can decode", () => {
  assert.deepEqual(addressOf("/v1/search?q=%7B%7D&limit=1"), { path: "/v1/search", parameters: [["q", "{}"], ["limit", "1"]] });
  assert.deepEqual(addressOf("/v1/services"), { path: "/v1/services", parameters: [] });
  assert.equal(addressOf("/v1/search?q=%7B%").parameters[0][1], "{%");
});
