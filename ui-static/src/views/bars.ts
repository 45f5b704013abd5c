// SPDX-License-Identifier: Apache-2.0
// Draws the bars of the rows in view on a canvas. What it shows is said in each row's accessible name as well.
import { formatDuration } from "../model/time";
import { groupOfItem, isPeer, type Folding, rowOfItem, type RunStats } from "../model/rows";
import { ERROR, eventsOf, HAS_EVENTS, HAS_LINKS, type CriticalSegment, type Skeleton } from "../model/skeleton";
import { barColour, fillOf, type Ink, labelColour } from "./ink";

export interface Scene {
  skeleton: Skeleton;
  folding: Folding;
  items: Int32Array;
  /** First and last item in view (last not included), and where each lies. */
  first: number;
  last: number;
  yAt: (position: number) => number;
  /** Where in the row the bar lies. */
  barTop: number;
  /** The time window, nanoseconds after the trace's start. */
  from: number;
  to: number;
  width: number;
  height: number;
  grid: number[];
  matches: Uint8Array | null;
  /** The parts of the critical path in a row; of a folded one also what is inside. Null: not to be shown. */
  critical: ((row: number) => CriticalSegment[]) | null;
  subtreeEnd: Float64Array;
  runStats: (run: number) => RunStats;
}

export const BAR = 12;
const MIN_BAR = 1.5;
const PAD = 5;

export function drawBars(c: CanvasRenderingContext2D, ink: Ink, scene: Scene): void {
  c.font = ink.font;
  c.textBaseline = "middle";
  c.lineWidth = 1;
  c.strokeStyle = ink.line;
  c.globalAlpha = ink.forced ? 1 : 0.55;
  c.beginPath();
  for (const x of grid(scene)) {
    c.moveTo(x, 0);
    c.lineTo(x, scene.height);
  }
  c.stroke();
  for (let i = scene.first; i < scene.last; i++) {
    const y = scene.yAt(i) + scene.barTop;
    const item = scene.items[i];
    const row = rowOfItem(scene.folding, item);
    const group = scene.folding.orphans?.groups[groupOfItem(scene.folding, item)];
    c.globalAlpha = scene.matches && !scene.matches[row] && !group ? 0.35 : 1;
    if (group) drawDotted(c, ink, scene, group.start, group.end, y);
    else if (isPeer(scene.folding, item)) drawPeer(c, ink, scene, row, y);
    else if (item < 0) drawRun(c, ink, scene, ~item, y);
    else drawSpan(c, ink, scene, row, y);
  }
  c.globalAlpha = 1;
}

const grid = (scene: Scene) => scene.grid.map((at) => Math.round(xOf(scene, at)) + 0.5);

function xOf(scene: Scene, at: number): number {
  return ((at - scene.from) / (scene.to - scene.from)) * scene.width;
}

function drawSpan(c: CanvasRenderingContext2D, ink: Ink, scene: Scene, row: number, y: number): void {
  const s = scene.skeleton;
  const slot = s.services[s.service[row]].slot;
  const x0 = xOf(scene, s.start[row]);
  const x1 = Math.max(x0 + MIN_BAR, xOf(scene, s.start[row] + s.length[row]));
  const later = xOf(scene, scene.subtreeEnd[row]);
  const fill = fillOf(c, ink, slot);
  if (later > x1 + 1) {
    // Work of children that goes on after the span itself has ended.
    c.fillStyle = fill;
    c.fillRect(clampX(scene, x1), y + BAR / 2 - 0.5, clampX(scene, later) - clampX(scene, x1), 1);
  }
  const label = formatDuration(s.length[row]) + (s.flags[row] & HAS_LINKS ? " ⛓" : "");
  if (x1 < 0 || x0 > scene.width) {
    drawAway(c, ink, scene, x1 < 0, label, y);
    return;
  }
  const [a, b] = [clampX(scene, x0), Math.max(clampX(scene, x1), clampX(scene, x0) + MIN_BAR)];
  c.fillStyle = fill;
  roundBar(c, a, y, b - a);
  if (ink.forced) border(c, ink.text, a, y, b - a);
  else if (s.kind[row] >= 4) dashed(c, ink, a, y, b - a);
  if (scene.folding.closed[row] && s.subtree[row] > 1) foldedMarks(c, ink, a, y, b - a);
  if (s.flags[row] & ERROR) {
    c.fillStyle = ink.error;
    c.fillRect(Math.max(a, b - 3), y, Math.min(3, b - a), BAR);
  }
  if (scene.critical) drawCritical(c, ink, scene, row, y);
  const ends: [number, number] = [a, later > x1 + 1 ? clampX(scene, later) : b];
  if (s.flags[row] & HAS_EVENTS) drawEvents(c, ink, scene, row, y, ends);
  drawLabel(c, ink, scene, slot, label, b, y, ...ends);
}

const clampX = (scene: Scene, x: number) => Math.max(-2, Math.min(scene.width + 2, x));

function roundBar(c: CanvasRenderingContext2D, x: number, y: number, width: number): void {
  if (width < 4) {
    c.fillRect(x, y, width, BAR);
    return;
  }
  c.beginPath();
  c.roundRect(x, y, width, BAR, 2);
  c.fill();
}

function border(c: CanvasRenderingContext2D, colour: string, x: number, y: number, width: number): void {
  c.strokeStyle = colour;
  c.lineWidth = 1;
  c.strokeRect(x + 0.5, y + 0.5, Math.max(1, width - 1), BAR - 1);
}

/** Producers and consumers: work that nobody waits for. */
function dashed(c: CanvasRenderingContext2D, ink: Ink, x: number, y: number, width: number): void {
  if (width < 6) return;
  c.setLineDash([3, 2]);
  border(c, ink.bg, x + 1, y + 1, width - 2);
  c.setLineDash([]);
}

/** A folded subtree: a lower edge of small teeth says that there is more inside. */
function foldedMarks(c: CanvasRenderingContext2D, ink: Ink, x: number, y: number, width: number): void {
  c.fillStyle = ink.bg;
  for (let at = x + 3; at < x + width - 3; at += 6) c.fillRect(at, y + BAR - 3, 3, 1);
}

function drawRun(c: CanvasRenderingContext2D, ink: Ink, scene: Scene, run: number, y: number): void {
  const s = scene.skeleton;
  const { first, count } = scene.folding.runs[run];
  const slot = s.services[s.service[first]].slot;
  c.fillStyle = fillOf(c, ink, slot);
  let painted = -1;
  let [a, b] = [scene.width, 0];
  for (let row = first; row < first + count; row++) {
    const x0 = clampX(scene, xOf(scene, s.start[row]));
    const x1 = Math.max(x0 + MIN_BAR, clampX(scene, xOf(scene, s.start[row] + s.length[row])) - 0.75);
    a = Math.min(a, x0);
    b = Math.max(b, x1);
    if (x1 <= painted) continue;
    c.fillRect(Math.max(x0, painted), y + 2, x1 - Math.max(x0, painted), BAR - 4);
    painted = x1;
  }
  const stats = scene.runStats(run);
  const [sum, p50, p95, max] = [stats.sum, stats.p50, stats.p95, stats.max].map(formatDuration);
  const all = `Σ ${sum} · p50 ${p50} · p95 ${p95} · max ${max}`;
  const fits = b + PAD + c.measureText(all).width <= scene.width - 2;
  drawLabel(c, ink, scene, slot, fits ? all : `Σ ${sum} · p95 ${p95}`, b, y, a, b);
}

/** A call to what sent no span: when it was waited for, and nothing of what happened there. */
function drawPeer(c: CanvasRenderingContext2D, ink: Ink, scene: Scene, row: number, y: number): void {
  const s = scene.skeleton;
  drawDotted(c, ink, scene, s.start[row], s.start[row] + s.length[row], y);
}

function drawDotted(c: CanvasRenderingContext2D, ink: Ink, scene: Scene, start: number, end: number, y: number): void {
  const a = clampX(scene, xOf(scene, start));
  const b = Math.max(a + MIN_BAR, clampX(scene, xOf(scene, end)));
  if (b <= 0 || a >= scene.width) return;
  c.setLineDash([1, 2]);
  border(c, ink.text2, a, y, Math.max(3, b - a));
  c.setLineDash([]);
}

const DIAMOND = 5;

/** Events at their times; of those closer than a diamond is wide one is drawn, exceptions before others. Diamonds at the ends, where the label would touch
 * them, move these outwards. */
function drawEvents(c: CanvasRenderingContext2D, ink: Ink, scene: Scene, row: number, y: number, ends: [number, number]): void {
  const { events } = scene.skeleton;
  const [from, to] = eventsOf(events, row);
  const middle = y + BAR / 2;
  for (const wanted of [false, true]) {
    let last = Number.NEGATIVE_INFINITY;
    for (let i = from; i < to; i++) {
      const failed = events.names[events.name[i]] === "exception";
      const x = xOf(scene, events.time[i]);
      if (failed !== wanted || x < 0 || x > scene.width || Math.abs(x - last) < DIAMOND) continue;
      last = x;
      if (x - DIAMOND < ends[1] + PAD) ends[1] = Math.max(ends[1], x + DIAMOND);
      if (x + DIAMOND > ends[0] - PAD) ends[0] = Math.min(ends[0], x - DIAMOND);
      c.beginPath();
      c.moveTo(x, middle - DIAMOND);
      c.lineTo(x + DIAMOND, middle);
      c.lineTo(x, middle + DIAMOND);
      c.lineTo(x - DIAMOND, middle);
      c.closePath();
      c.fillStyle = failed ? ink.error : ink.bg;
      c.strokeStyle = failed ? ink.bg : ink.text;
      c.lineWidth = 1;
      c.fill();
      c.stroke();
    }
  }
}

/** Where the critical path runs through the span: a line with a halo, readable on any colour. */
function drawCritical(c: CanvasRenderingContext2D, ink: Ink, scene: Scene, row: number, y: number): void {
  for (const part of scene.critical?.(row) ?? []) {
    const a = clampX(scene, xOf(scene, part.start));
    const b = Math.max(a + 1, clampX(scene, xOf(scene, part.end)));
    c.fillStyle = ink.bg;
    c.fillRect(a, y + BAR - 1, b - a, 4);
    c.fillStyle = ink.text;
    c.fillRect(a, y + BAR, b - a, 2);
  }
}

/** The duration: right of the bar and of the line behind it, else left of it, else inside at the right edge. */
function drawLabel(
  c: CanvasRenderingContext2D,
  ink: Ink,
  scene: Scene,
  slot: number,
  text: string,
  b: number,
  y: number,
  begin: number,
  end: number,
): void {
  const width = c.measureText(text).width;
  const middle = y + BAR / 2 + 0.5;
  // A dimmed bar keeps a label that can be read.
  const dimmed = c.globalAlpha < 1;
  c.globalAlpha = 1;
  c.fillStyle = ink.text2;
  if (end + PAD + width <= scene.width - 2) c.fillText(text, end + PAD, middle);
  else if (begin - PAD - width >= 2) c.fillText(text, begin - PAD - width, middle);
  else {
    // Left of a diamond at the end, too, of which half is within the bar.
    const x = Math.min(b, scene.width) - width - PAD - (end > b ? 2 * DIAMOND : 3);
    if (!dimmed) {
      // Plain behind the letters: they cannot be read on stripes and dots.
      c.fillStyle = barColour(ink, slot);
      c.fillRect(x - 2, y + 1, width + 4, BAR - 2);
    }
    c.fillStyle = dimmed ? ink.text : labelColour(ink, slot);
    c.fillText(text, x, middle);
  }
}

/** A span outside the window: an arrow to where it is. */
function drawAway(c: CanvasRenderingContext2D, ink: Ink, scene: Scene, left: boolean, label: string, y: number): void {
  const text = left ? `◂ ${label}` : `${label} ▸`;
  c.fillStyle = ink.text2;
  c.fillText(text, left ? PAD : scene.width - c.measureText(text).width - PAD, y + BAR / 2 + 0.5);
}
