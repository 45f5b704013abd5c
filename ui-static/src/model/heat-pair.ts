// SPDX-License-Identifier: Apache-2.0
// Two heatmaps beside each other: the same rows of durations in both, and no cell counted in part. No DOM.
import type { HeatmapAnswer } from "../api/types";

/** Both with the same bounds, at most so many rows. A bound is kept where it cuts no row of either, so every count stays exact. */
export function pairOf(a: HeatmapAnswer, b: HeatmapAnswer, rows: number): [HeatmapAnswer, HeatmapAnswer] {
  if (a.bounds.length < 2 || b.bounds.length < 2) return [a, b];
  const [own, other] = [a.bounds.map(Number), b.bounds.map(Number)];
  const cuts = (bounds: number[], at: number) => at > bounds[0] && at < bounds[bounds.length - 1] && !bounds.includes(at);
  const common = [...new Set([...own, ...other])].sort((x, y) => x - y).filter((at) => !cuts(own, at) && !cuts(other, at));
  const step = Math.max(1, Math.ceil((common.length - 1) / rows));
  const bounds = common.filter((_, i) => i % step === 0 || i === common.length - 1);
  return [onto(a, own, bounds), onto(b, other, bounds)];
}

function onto(answer: HeatmapAnswer, own: number[], bounds: number[]): HeatmapAnswer {
  const rowOf = own.slice(0, -1).map((low) => bounds.findLastIndex((at) => at <= low));
  const cells = new Map<string, [number, number, number, number]>();
  for (const [column, row, count, errors] of answer.cells) {
    const cell = cells.get(`${column} ${rowOf[row]}`) ?? [column, rowOf[row], 0, 0];
    cells.set(`${column} ${rowOf[row]}`, [cell[0], cell[1], cell[2] + count, cell[3] + errors]);
  }
  return { ...answer, bounds: bounds.map(String), cells: [...cells.values()] };
}

export const mostOf = (...answers: HeatmapAnswer[]): number => Math.max(0, ...answers.flatMap((a) => a.cells.map(([, , count]) => count)));
