// SPDX-License-Identifier: Apache-2.0
// Another range of time beside the one that is shown, and what is said of a number that was another one then. No DOM.
import { parseDuration, parseTime } from "./time";

export interface Span {
  from: bigint;
  to: bigint;
}

/** What can be compared with, as it stands in an address, and its name. */
export const BEFORE: [string, string][] = [
  ["", "nothing"],
  ["prev", "the period before"],
  ["-1d", "a day before"],
  ["-7d", "a week before"],
];

/** vs=prev, -1d or from..to. A shift is rounded up to whole steps, so that two series have the same steps. Null: none, or not one. */
export function comparedRange(vs: string, range: Span, stepNs: bigint, now: bigint): Span | null {
  const absolute = /^(.+)\.\.(.+)$/.exec(vs);
  if (absolute) {
    const [from, to] = [parseTime(absolute[1], now), parseTime(absolute[2], now)];
    return from !== null && to !== null && from < to ? { from, to } : null;
  }
  const back = vs === "prev" ? Number(range.to - range.from) : vs.startsWith("-") ? parseDuration(vs.slice(1)) : null;
  if (!back) return null;
  const steps = (BigInt(Math.round(back)) + stepNs - 1n) / stepNs;
  const shift = steps * stepNs;
  return range.from >= shift ? { from: range.from - shift, to: range.to - shift } : null;
}

/** The part of a range that anything is stored of: what came before was removed, or was never received. */
export const heldOf = (range: Span, oldest: bigint | null): Span => (oldest !== null && oldest > range.from && oldest < range.to ? { from: oldest, to: range.to } : range);

/** Two quantiles of the same calls may differ by so much: the errors of both. */
const NO_CHANGE = 0.022;

/** "+12 %", "−3.4 %", "×2.5" for what more than doubled; "" when there is nothing to compare, or no more than the error of quantiles. */
export function changeText(now: number, before: number): string {
  if (before <= 0 || !Number.isFinite(now)) return "";
  const ratio = now / before;
  if (ratio >= 2) return `×${ratio < 10 ? ratio.toFixed(1) : Math.round(ratio)}`;
  if (Math.abs(ratio - 1) <= NO_CHANGE) return "";
  const percent = 100 * (ratio - 1);
  const size = Math.abs(percent);
  return `${percent < 0 ? "−" : "+"}${size < 10 ? size.toFixed(1) : Math.round(size)} %`;
}
