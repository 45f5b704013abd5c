// SPDX-License-Identifier: Apache-2.0
// What a server says of itself: the same on each machine and in each run. That a real one says no more and no less is tested in status.test.mjs.
import { readFileSync } from "node:fs";

export const SYSTEM = JSON.parse(readFileSync(new URL("golden/system.json", import.meta.url), "utf8"))["/v1/system"];

/** How many counters are remembered: those of what comes in, which stand first. */
export const REMEMBERED = 11;
const SAMPLES = 720;
const STEP = 5_000_000_000n;

/** The hour before, in which all that was counted came, evenly. */
export function systemHistory(since) {
  const { nowUnixNano, startedAtUnixNano, counters } = SYSTEM;
  const samples = Array.from({ length: SAMPLES }, (_, i) => ({ at: BigInt(nowUnixNano) - BigInt(SAMPLES - i) * STEP, i })).filter((s) => s.at > since);
  const series = counters.slice(0, REMEMBERED).map(({ name, labels, counts, value }) => ({
    name, labels, counts,
    values: samples.map(({ i }) => (counts ? String((BigInt(value) * BigInt(i)) / BigInt(SAMPLES)) : value)),
  }));
  return { nowUnixNano, startedAtUnixNano, stepNano: String(STEP), atUnixNano: samples.map((s) => String(s.at)), series };
}
