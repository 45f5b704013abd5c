// SPDX-License-Identifier: Apache-2.0
// Marks of a time axis at round numbers. No DOM.

export interface Tick {
  at: number;
  label: string;
}

const DAY_NS = 86400e9;
const UNITS: [number, string][] = [
  [DAY_NS, "d"],
  [3600e9, "h"],
  [60e9, "m"],
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
  [1, "ns"],
];

/** Steps that people count in, in the unit that the step falls in. */
const STEPS: Record<string, number[]> = {
  d: [1, 2, 5, 10, 20, 50, 100],
  h: [1, 2, 3, 6, 12],
  m: [1, 2, 5, 10, 15, 30],
  s: [1, 2, 5, 10, 15, 30],
};
const DECIMAL = [1, 2, 5, 10, 20, 50, 100, 200, 500];

function niceStep(rough: number): number {
  for (const [unit, name] of [...UNITS].reverse()) {
    for (const step of STEPS[name] ?? DECIMAL) if (step * unit >= rough) return step * unit;
  }
  return DAY_NS * 10 ** Math.ceil(Math.log10(rough / DAY_NS));
}

/** Ticks of [from, to] (nanoseconds), at most one in each `spacing` pixels; all labels in one unit, and exact: a quarter of a minute is 15 s. */
export function ticks(from: number, to: number, width: number, spacing = 90): Tick[] {
  if (!(to > from) || width <= 0) return [];
  const step = niceStep((to - from) / Math.max(1, Math.floor(width / spacing)));
  const [unit, name] = UNITS.find(([u]) => Math.max(Math.abs(to), step) >= u && (u < 60e9 || step % u === 0)) ?? UNITS[6];
  const decimals = Math.max(0, Math.min(9, Math.ceil(-Math.log10(step / unit) - 1e-9)));
  const out: Tick[] = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++) {
    out.push({ at: i * step, label: `${((i * step) / unit).toFixed(decimals)} ${name}` });
  }
  return out;
}

/** The texts below the two ends of a chart, as much of them as has room for so many letters: without seconds that are none, without the day that both have,
 * without the time of days that are far apart, else without the day, and at last only where it begins. Each is "[[YYYY-]MM-DD ]HH:MM[:SS]". */
export function fitEnds(ends: readonly [string, string], letters: number): [string, string] {
  const [[a, from = ""], [b, to = ""]] = ends.map((text) => text.split(" ").reverse());
  const short = (clock: string) => clock.replace(/(:\d\d):\d\d$/, "$1");
  const exact = (clock: string) => (/:00$/.test(a) && /:00$/.test(b) ? short(clock) : clock);
  const both = (cut: (clock: string) => string, last: string) => [`${from} ${cut(a)}`.trim(), `${last} ${cut(b)}`.trim()];
  const other = from === to ? "" : to;
  const at = (day: string) => Date.parse(day.padStart(10, "2000-"));
  const least = Math.abs(at(to) - at(from)) > DAY_MS ? [from, to] : [short(a), short(b)];
  const found = [ends, both(exact, to), both(exact, other), both(short, other), least].find((way) => way.join("  ").length <= letters) ?? [least[0], ""];
  return [found[0], found[1]];
}

const DAY_MS = 86400000;
