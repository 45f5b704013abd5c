// SPDX-License-Identifier: Apache-2.0
// The heatmap of durations: cells of the API as a grid, where they lie on the screen, the box that is selected. No DOM.
import type { HeatmapAnswer } from "../api/types";

export interface Grid {
  columns: number;
  rows: number;
  from: bigint;
  step: bigint;
  to: bigint;
  /** Nanoseconds; one more than rows. */
  bounds: number[];
  /** By column * rows + row. */
  counts: Float64Array;
  errors: Float64Array;
  most: number;
}

/** dark: a count that is drawn darkest, if it is more than any of these; for pictures that are looked at together. */
export function gridOf(answer: HeatmapAnswer, dark = 0): Grid {
  const columns = answer.steps.length;
  const bounds = answer.bounds.map(Number);
  const rows = Math.max(0, bounds.length - 1);
  const counts = new Float64Array(columns * rows);
  const errors = new Float64Array(columns * rows);
  let most = dark;
  for (const [column, row, count, failed] of answer.cells) {
    counts[column * rows + row] = count;
    errors[column * rows + row] = failed;
    most = Math.max(most, count);
  }
  return { columns, rows, from: BigInt(answer.from), step: BigInt(answer.stepNano), to: BigInt(answer.to), bounds, counts, errors, most };
}

/** Share of the height, from the bottom: logarithmic, or linear from 0. A bound of 0 lies one row below the next. */
export function heightOf(bounds: number[], ns: number, linear: boolean): number {
  const last = bounds[bounds.length - 1];
  if (bounds.length < 2 || last <= 0) return 0;
  if (linear) return Math.min(1, Math.max(0, ns / last));
  const first = bounds[0] > 0 ? bounds[0] : bounds.length > 2 ? bounds[1] ** 2 / bounds[2] : last / 2;
  return Math.min(1, Math.max(0, Math.log(Math.max(ns, first) / first) / Math.log(last / first)));
}

/** The row at a share of the height. */
export function rowAt(bounds: number[], share: number, linear: boolean): number {
  const rows = bounds.length - 1;
  for (let row = 0; row < rows - 1; row++) if (share < heightOf(bounds, bounds[row + 1], linear)) return row;
  return rows - 1;
}

/** Cells, both ends included. */
export interface CellBox {
  c0: number;
  c1: number;
  r0: number;
  r1: number;
}

/** What is selected: times from t0 to before t1, durations from d0 to below d1, nanoseconds. */
export interface Selection {
  t0: bigint;
  t1: bigint;
  d0: bigint;
  d1: bigint;
}

export function selectionOf(grid: Grid, box: CellBox): Selection {
  const end = grid.from + grid.step * BigInt(box.c1 + 1);
  return {
    t0: grid.from + grid.step * BigInt(box.c0),
    t1: box.c1 === grid.columns - 1 || end > grid.to ? grid.to : end,
    d0: BigInt(grid.bounds[box.r0]),
    d1: BigInt(grid.bounds[box.r1 + 1]),
  };
}

/** The cells that a selection covers now: the grid may have other steps than the one it was drawn on. Null when it is elsewhere. */
export function boxOf(grid: Grid, s: Selection): CellBox | null {
  if (s.t1 <= grid.from || s.t0 >= grid.to || grid.rows === 0) return null;
  const column = (t: bigint) => Math.max(0, Math.min(grid.columns - 1, Number((t - grid.from) / grid.step)));
  const row = (d: number) => {
    const above = grid.bounds.findIndex((b) => b > d);
    return above < 0 ? grid.rows - 1 : Math.max(0, above - 1);
  };
  return { c0: column(s.t0), c1: column(s.t1 - 1n), r0: row(Number(s.d0)), r1: row(Number(s.d1) - 1) };
}

export const cornersOf = (a: { c: number; r: number }, b: { c: number; r: number }): CellBox => ({
  c0: Math.min(a.c, b.c),
  c1: Math.max(a.c, b.c),
  r0: Math.min(a.r, b.r),
  r1: Math.max(a.r, b.r),
});

export const selectionText = (s: Selection): string => [s.t0, s.t1, s.d0, s.d1].join(",");

/** "t0,t1,d0,d1" of the address; null when it is none. */
export function parseSelection(text: string): Selection | null {
  const m = /^(\d{1,19}),(\d{1,19}),(\d{1,19}),(\d{1,19})$/.exec(text);
  if (!m) return null;
  const [t0, t1, d0, d1] = m.slice(1).map(BigInt);
  return t0 < t1 && d0 < d1 ? { t0, t1, d0, d1 } : null;
}

/** The durations of a selection as a condition of a filter. */
export const durationCondition = (s: Selection): string[] => [...(s.d0 > 0n ? [`duration >= ${s.d0}ns`] : []), `duration < ${s.d1}ns`];

/** Sum of the cells of a box. */
export function countIn(grid: Grid, box: CellBox): { count: number; errors: number } {
  let count = 0;
  let errors = 0;
  for (let c = box.c0; c <= box.c1; c++) {
    for (let r = box.r0; r <= box.r1; r++) {
      count += grid.counts[c * grid.rows + r];
      errors += grid.errors[c * grid.rows + r];
    }
  }
  return { count, errors };
}

/** Marks of a clock axis at round times: as many as fit with `spacing` pixels between them. Local offset in ns for round local hours. */
export function clockTicks(from: bigint, to: bigint, width: number, spacing: number, offset: bigint): bigint[] {
  const span = Number(to - from) / 1e9;
  const rough = span / Math.max(1, Math.floor(width / spacing));
  const steps = [0.001, 0.01, 0.1, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000];
  const seconds = steps.find((s) => s >= rough) ?? Math.ceil(rough / 2592000) * 2592000;
  const step = BigInt(Math.round(seconds * 1e9));
  const out: bigint[] = [];
  for (let t = ((from + offset + step - 1n) / step) * step - offset; t <= to; t += step) out.push(t);
  return out;
}

/** Marks of the duration axis: powers of ten within the bounds, or round parts of the most. */
export function durationTicks(bounds: number[], linear: boolean): number[] {
  const most = bounds[bounds.length - 1] ?? 0;
  if (most <= 0) return [];
  if (linear) {
    const power = 10 ** Math.floor(Math.log10(most));
    const step = [1, 2, 5].map((m) => m * power * (most / power < 2 ? 0.2 : 0.5)).find((s) => most / s <= 5) ?? most;
    return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
  }
  const out: number[] = [];
  for (let t = 1; t <= most; t *= 10) if (t >= Math.max(1, bounds[0])) out.push(t);
  return out;
}

/** The colour of a share 0 to 1 on a ramp of one hue: lightness says how much, in every kind of colour vision. */
export function ramp(share: number, [from, to]: [string, string]): string {
  const part = (hex: string, i: number) => Number.parseInt(hex.slice(i, i + 2), 16);
  const mix = (i: number) => Math.round(part(from, i) + (part(to, i) - part(from, i)) * Math.min(1, Math.max(0, share)));
  return `rgb(${mix(1)} ${mix(3)} ${mix(5)})`;
}

export const RAMPS: Record<"light" | "dark", { count: [string, string]; errors: [string, string] }> = {
  light: { count: ["#d6e4fb", "#0a2d78"], errors: ["#fadfe1", "#8c0b16"] },
  dark: { count: ["#1f3864", "#d9e7ff"], errors: ["#4a1d22", "#ffb0b0"] },
};
