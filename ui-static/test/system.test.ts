// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SystemAnswer } from "../src/api/types";
import { addressOf, compressionOf, counterOf, exploreOf, forecastOf, joined, labelOf, limitText, nameOf, parameterText, quantileBound, rateOf, ratesOf, type Sample, sampleOf, samplesOf, stepOf, unreadSince } from "../src/model/system";

const counter = (name: string, labels: string, value: number) => ({ name, labels, help: "", counts: true, value: String(value) });
const answer = (grpc: number, http: number, at: bigint) =>
  ({
    nowUnixNano: String(at), startedAtUnixNano: "1",
    counters: [counter("spoor_acked_spans_by_transport", 'transport="grpc"', grpc), counter("spoor_acked_spans_by_transport", 'transport="http"', http), counter("spoor_received_requests", "", grpc + http)],
    store: { oldestUnixNano: null, newestUnixNano: null, storedBytes: "0", retentionBytes: "0", retentionAgeNano: "0", disk: null },
  }) as unknown as SystemAnswer;

const S = 1_000_000_000n;
/** A reading at so many seconds, of a process that has taken so many spans by gRPC. */
const reading = (at: number, grpc: number, startedAt = "1"): Sample => ({ at: BigInt(at) * S, startedAt, grpc, http: 0, requests: 0 });
const seconds = (samples: { at: bigint }[]) => samples.map((s) => Number(s.at / S));

test("rates are differences between readings by the server's clock", () => {
  const samples = [answer(0, 10, 0n), answer(50, 10, 5n * S), answer(50, 110, 10n * S)].map(sampleOf);
  assert.deepEqual(ratesOf(samples).map((r) => [r.grpc, r.http, r.requests]), [[10, 0, 10], [0, 20, 20]]);
  assert.deepEqual(ratesOf(samples.slice(0, 1)), []);
  assert.deepEqual(ratesOf([]), []);
  assert.equal(rateOf(samples[0], samples[0]).grpc, null);
});

test("two processes have no difference, nor have counters that began anew, nor has a time of which nothing is known", () => {
  assert.equal(rateOf(reading(0, 10), reading(5, 60)).grpc, 10);
  assert.equal(rateOf(reading(0, 10), reading(5, 60, "2")).grpc, null);
  assert.equal(rateOf(reading(0, 10), reading(5, 9)).grpc, null);
  assert.equal(rateOf(reading(0, 0), reading(60, 60)).grpc, 1);
  assert.equal(rateOf(reading(0, 0), reading(61, 61)).grpc, null);
});

test("steps of the chart are of one length: a restart is a gap of them, and none is left out or negative", () => {
  const samples = [reading(0, 0), reading(5, 50), reading(22, 0, "2"), reading(27, 5, "2")];
  const rates = ratesOf(samples);
  assert.equal(stepOf(samples), 5);
  assert.deepEqual(rates.map((r) => r.grpc), [10, null, null, null, 1]);
  assert.deepEqual(seconds(rates), [5, 15, 20, 22, 27]);
  // What is read more often than once in a step is one step; what came late has its rate in all of them.
  assert.deepEqual(ratesOf([reading(1, 0), reading(2, 3), reading(4, 9), reading(16, 33)]).map((r) => r.grpc), [3, 2, 2, 2]);
});

test("an hour has steps of half a minute, each from its last reading to the next one's", () => {
  const hour = Array.from({ length: 721 }, (_, i) => reading(i * 5, i * i));
  const rates = ratesOf(hour);
  assert.equal(stepOf(hour), 30);
  assert.ok(rates.length >= 120 && rates.length <= 122, String(rates.length));
  for (let i = 1; i < rates.length - 1; i++) assert.equal(rates[i].at - rates[i - 1].at, 30n * S);
  // All that came is in them: the mean of each step by its time.
  const came = rates.reduce((sum, r, i) => sum + (r.grpc as number) * Number((r.at - (rates[i - 1]?.at ?? 0n)) / S), 0);
  assert.ok(Math.abs(came - 720 * 720) < 1e-6, String(came));
});

test("what the server remembers is read as what the page reads itself", () => {
  const history = { startedAtUnixNano: "1", atUnixNano: ["0", String(5n * S)], series: answer(0, 0, 0n).counters.map(({ name, labels }, i) => ({ name, labels, values: ["0", String(i + 1)] })) };
  assert.deepEqual(samplesOf(history), [answer(0, 0, 0n), { ...answer(1, 2, 5n * S) }].map(sampleOf));
});

test("the page asks for what it has not read: all at first, the rest after a pause or a restart, and nothing else", () => {
  const read = [reading(0, 0), reading(5, 5)];
  assert.equal(unreadSince([], reading(5, 5)), "");
  assert.equal(unreadSince(read, reading(10, 6)), null);
  assert.equal(unreadSince(read, reading(60, 6)), String(5n * S));
  assert.equal(unreadSince(read, reading(10, 0, "2")), String(5n * S));
  // A clock that was set back to before all of it.
  assert.equal(unreadSince([reading(100, 0)], reading(10, 6)), "");
});

test("readings are joined in their order, each once, an hour of them, none of after now and none of just before it", () => {
  assert.deepEqual(seconds(joined(reading(12, 0), reading(10, 0), reading(5, 0), reading(10, 0), reading(15, 0))), [5, 10, 12]);
  assert.deepEqual(seconds(joined(reading(3610, 0), reading(10, 0), reading(11, 0))), [11, 3610]);
  assert.deepEqual(seconds(joined(reading(12, 9), reading(5, 0), reading(11, 0), reading(12, 0))), [5, 12]);
  // Of a process that has just begun there is no earlier one.
  assert.deepEqual(seconds(joined(reading(12, 9), reading(11, 0))), [11, 12]);
});

test("a query is named by its TraceQL, or by all that it asks for; a long one by its beginning and its end", () => {
  assert.equal(nameOf(`/v1/search?${new URLSearchParams({ from: "now-1h", q: "{ name = `waits` }" })}`), "{ name = `waits` }");
  assert.equal(nameOf("/v1/latency?by=service&q="), "/v1/latency by=service q=");
  assert.equal(nameOf(`/v1/search?q=${"x".repeat(500)}end`).length, 80);
  assert.match(nameOf(`/v1/search?q=${"x".repeat(500)}end`), /^x+…x{5}end$/);
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
