// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { formatAge, formatClock, formatDuration, formatFull, parseDuration, parseTime, shortDay, timeIn, toRfc3339 } from "../src/model/time";

const NOW = 1795350535894123456n;

test("times of a range say the day where it has several, and the year where it is as long as one", () => {
  const [a, hour, week, year] = ["2026-11-30T10:45:10Z", "2026-11-30T11:45:10Z", "2026-12-07T10:45:10Z", "2027-11-29T10:45:10Z"].map((t) => parseTime(t, 0n) as bigint);
  assert.equal(timeIn(a, hour, "utc")(a), "10:45:10");
  assert.equal(timeIn(a, week, "utc")(a), "11-30 10:45:10");
  assert.equal(timeIn(a, year, "utc", 3)(a), "2026-11-30 10:45:10.000");
});

test("a day beside others has its year when that is another one, before or after", () => {
  const now = parseTime("2026-11-30T10:45:10Z", 0n) as bigint;
  const days = ["2026-11-29T10:00:00Z", "2026-03-01T10:00:00Z", "2023-01-30T15:10:49Z", "2028-01-30T15:10:49Z"].map((t) => shortDay(parseTime(t, 0n) as bigint, now, "utc"));
  assert.deepEqual(days, ["11-29", "03-01", "2023-01-30", "2028-01-30"]);
});

test("durations keep three significant digits and carry into the next unit", () => {
  const cases: [number, string][] = [
    [0, "0 ns"],
    [999, "999 ns"],
    [0.4, "0.400 ns"],
    [-12.34, "−12.3 ns"],
    [999.6, "1.00 µs"],
    [1280000, "1.28 ms"],
    [99960, "100 µs"],
    [999600, "1.00 ms"],
    [12e9, "12.0 s"],
    [59.96e9, "1 m 00 s"],
    [125e9, "2 m 05 s"],
    [3600e9 * 3 + 60e9 * 20, "3 h 20 m"],
    [86400e9 * 2 + 3600e9 * 4, "2 d 4 h"],
    [-5e6, "−5.00 ms"],
  ];
  for (const [ns, text] of cases) assert.equal(formatDuration(ns), text);
});

test("times are read in every form that the API takes", () => {
  assert.equal(parseTime("now", NOW), NOW);
  for (const none of ["2026-02-31", "2026-02-29T12:00Z", "2026-13-01", "2026-04-31 10:00"]) assert.equal(parseTime(none, NOW), null, none);
  assert.equal(parseTime("2028-02-29T00:00Z", NOW), 1835395200000000000n);
  assert.equal(parseTime("now-15m", NOW), NOW - 900n * 1000000000n);
  assert.equal(parseTime("now-1h30m", NOW), NOW - 5400n * 1000000000n);
  assert.equal(parseTime("1795350535", NOW), 1795350535000000000n);
  assert.equal(parseTime("1795350535894", NOW), 1795350535894000000n);
  assert.equal(parseTime("1795350535894123", NOW), 1795350535894123000n);
  assert.equal(parseTime("1795350535894123456", NOW), NOW);
  assert.equal(parseTime("2026-11-22T12:28:55.894123456Z", NOW), NOW);
  assert.equal(parseTime("2026-11-22T14:28:55.894123456+02:00", NOW), NOW);
  for (const short of ["2026-11-22", "2026-11-22 00:00", "2026-11-22T00:00:00"]) {
    assert.equal(parseTime(short, NOW, "utc"), 1795305600000000000n, short);
    assert.equal(parseTime(short, NOW), BigInt(new Date(2026, 10, 22).getTime()) * 1000000n, `${short}, here`);
    assert.equal(parseTime(`${short}Z`, NOW), 1795305600000000000n, `${short}Z`);
  }
  for (const bad of ["", "yesterday", "now-", "now-5", "2026-13-40T00:00Z"]) assert.equal(parseTime(bad, NOW), null);
});

test("a time survives the way through RFC 3339 to the nanosecond", () => {
  assert.equal(toRfc3339(NOW), "2026-11-22T12:28:55.894123456Z");
  assert.equal(parseTime(toRfc3339(NOW), 0n), NOW);
  assert.equal(toRfc3339(1795350535000000000n), "2026-11-22T12:28:55Z");
});

test("clocks in UTC show the digits asked for, and the whole time all nine", () => {
  assert.equal(formatClock(NOW, "utc"), "12:28:55.894");
  assert.equal(formatClock(NOW, "utc", 0), "12:28:55");
  assert.equal(formatFull(NOW, "utc"), "2026-11-22 12:28:55.894123456 UTC");
  assert.equal(formatAge(NOW - 61000000000n, NOW), "1 min ago");
});

test("a duration with something else in it is none", () => {
  assert.equal(parseDuration("1h 5m"), null);
  assert.equal(parseDuration("5 parsecs"), null);
  assert.equal(parseDuration("250ms"), 250e6);
});
