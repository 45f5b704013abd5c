// SPDX-License-Identifier: Apache-2.0
// Draws the heatmap of durations: cells, quantiles over them, axes, the selected box and the cell of the keyboard.
import { type CellBox, clockTicks, durationTicks, type Grid, heightOf, RAMPS, ramp } from "../model/heat";
import { formatDuration } from "../model/time";
import { fitCanvas, type Ink } from "./ink";

export const LEFT = 56;
export const RIGHT = 6;
export const TOP = 4;
export const BOTTOM = 18;

export interface Picture {
  grid: Grid;
  /** p50, p95, p99 of each step. */
  lines: (number | null)[][];
  linear: boolean;
  /** Colour by share of errors, not by count. */
  errors: boolean;
  box: CellBox | null;
  cursor: { c: number; r: number } | null;
  width: number;
  height: number;
  clock: (ns: bigint) => string;
  zoneOffset: bigint;
}

/** p50, p95, p99 are told apart by their dashes, not by colour. */
export const DASHES = [[], [6, 3], [1.5, 2.5]];

export function drawHeatmap(canvas: HTMLCanvasElement, p: Picture, ink: Ink): void {
  const c = fitCanvas(canvas, p.width, p.height);
  const { grid } = p;
  const inner = { width: p.width - LEFT - RIGHT, height: p.height - TOP - BOTTOM };
  const x = (column: number) => LEFT + (column * inner.width) / Math.max(1, grid.columns);
  const y = (ns: number) => TOP + inner.height * (1 - heightOf(grid.bounds, ns, p.linear));
  c.font = ink.font;
  axes(c, p, ink, inner, y);
  cells(c, p, ink, x, y);
  quantiles(c, p, ink, x, y);
  if (p.box) {
    const [left, right] = [x(p.box.c0), x(p.box.c1 + 1)];
    const [top, bottom] = [y(grid.bounds[p.box.r1 + 1]), y(grid.bounds[p.box.r0])];
    c.strokeStyle = ink.forced ? "Highlight" : ink.dark ? "#ffa257" : "#c2410c";
    c.lineWidth = 2;
    c.strokeRect(left, top, Math.max(2, right - left), Math.max(2, bottom - top));
    c.globalAlpha = 0.14;
    c.fillStyle = c.strokeStyle;
    c.fillRect(left, top, right - left, bottom - top);
    c.globalAlpha = 1;
  }
  if (p.cursor && grid.rows > 0) {
    const top = y(grid.bounds[p.cursor.r + 1]);
    c.strokeStyle = ink.text;
    c.lineWidth = 2;
    c.strokeRect(x(p.cursor.c) - 1, top - 1, x(1) - x(0) + 2, y(grid.bounds[p.cursor.r]) - top + 2);
  }
}

function axes(c: CanvasRenderingContext2D, p: Picture, ink: Ink, inner: { width: number; height: number }, y: (ns: number) => number): void {
  c.lineWidth = 1;
  c.strokeStyle = ink.line;
  c.fillStyle = ink.text2;
  c.textAlign = "right";
  c.textBaseline = "middle";
  let above = Number.POSITIVE_INFINITY;
  for (const t of durationTicks(p.grid.bounds, p.linear)) {
    const at = Math.round(y(t)) + 0.5;
    if (above - at < 16) continue;
    above = at;
    c.beginPath();
    c.moveTo(LEFT, at);
    c.lineTo(LEFT + inner.width, at);
    c.stroke();
    c.fillText(t === 0 ? "0" : formatDuration(t).replace(/\.0+ /, " "), LEFT - 6, Math.max(TOP + 5, Math.min(at, TOP + inner.height - 4)));
  }
  c.textBaseline = "alphabetic";
  c.textAlign = "center";
  const span = Number(p.grid.to - p.grid.from);
  for (const t of clockTicks(p.grid.from, p.grid.to, inner.width, 84, p.zoneOffset)) {
    const at = LEFT + (Number(t - p.grid.from) / span) * inner.width;
    if (at < LEFT + 20 || at > p.width - 28) continue;
    c.fillRect(at, TOP + inner.height, 1, 3);
    c.fillText(p.clock(t), at, p.height - 4);
  }
}

function cells(c: CanvasRenderingContext2D, p: Picture, ink: Ink, x: (i: number) => number, y: (ns: number) => number): void {
  const { grid } = p;
  const colours = RAMPS[ink.dark ? "dark" : "light"][p.errors ? "errors" : "count"];
  for (let column = 0; column < grid.columns; column++) {
    const [left, right] = [Math.round(x(column)), Math.round(x(column + 1))];
    for (let row = 0; row < grid.rows; row++) {
      const count = grid.counts[column * grid.rows + row];
      if (count === 0) continue;
      const failed = grid.errors[column * grid.rows + row];
      // The square root keeps single spans visible beside thousands. Cells without an error stay as a trace of what is there.
      const share = p.errors ? failed / count : Math.sqrt(count / grid.most);
      if (ink.forced) {
        c.fillStyle = ink.text;
        c.globalAlpha = 0.25 + 0.75 * share;
      } else c.fillStyle = p.errors && failed === 0 ? ink.line : ramp(share, colours);
      const [top, bottom] = [Math.round(y(grid.bounds[row + 1])), Math.round(y(grid.bounds[row]))];
      c.fillRect(left, top, Math.max(1, right - left), Math.max(1, bottom - top));
    }
  }
  c.globalAlpha = 1;
}

function quantiles(c: CanvasRenderingContext2D, p: Picture, ink: Ink, x: (i: number) => number, y: (ns: number) => number): void {
  const path = (values: (number | null)[]) => {
    c.beginPath();
    let on = false;
    values.forEach((v, i) => {
      if (v === null) {
        on = false;
        return;
      }
      const at = x(i + 0.5);
      if (on) c.lineTo(at, y(v));
      else {
        c.moveTo(at - 1.5, y(v));
        c.lineTo(at, y(v));
      }
      on = true;
    });
    c.stroke();
  };
  c.lineJoin = "round";
  p.lines.forEach((values, i) => {
    // A halo, so that a line is seen on light cells and on dark ones.
    c.setLineDash([]);
    c.strokeStyle = ink.bg;
    c.globalAlpha = 0.75;
    c.lineWidth = 3.5;
    path(values);
    c.globalAlpha = 1;
    c.strokeStyle = ink.text;
    c.lineWidth = 1.5;
    c.setLineDash(DASHES[i]);
    path(values);
  });
  c.setLineDash([]);
}
