// SPDX-License-Identifier: Apache-2.0
// How long spans took, all of the range together: the rows of a heatmap as bars. No DOM.
import type { HeatmapAnswer } from "../api/types";

export interface Bar {
  /** From this to below that, nanoseconds. */
  low: number;
  high: number;
  count: number;
  errors: number;
}

export function barsOfHeat(answer: HeatmapAnswer): Bar[] {
  const bars = answer.bounds.slice(1).map((high, i): Bar => ({ low: Number(answer.bounds[i]), high: Number(high), count: 0, errors: 0 }));
  for (const [, row, count, errors] of answer.cells) {
    bars[row].count += count;
    bars[row].errors += errors;
  }
  return bars;
}

export function sumOf(bars: Bar[], from: number, to: number): { count: number; errors: number } {
  let [count, errors] = [0, 0];
  for (let i = Math.max(0, from); i <= to && i < bars.length; i++) {
    count += bars[i].count;
    errors += bars[i].errors;
  }
  return { count, errors };
}

/** Share of the height: linear, or logarithmic so that single spans are seen beside a million. What is there is never flat. */
export function heightOfCount(count: number, most: number, log: boolean): number {
  if (count <= 0) return 0;
  return log ? Math.log1p(count) / Math.log1p(most) : count / most;
}

/** Round numbers for the scale of counts, from 0 to the most. */
export function countTicks(most: number, log: boolean): number[] {
  if (log) {
    const out = [0];
    for (let t = 1; t <= most; t *= 10) out.push(t);
    return out;
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most)));
  const step = [0.2, 0.5, 1, 2, 5].map((m) => m * power).find((s) => most / s <= 5 && Number.isInteger(s)) ?? Math.max(1, power);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
}
