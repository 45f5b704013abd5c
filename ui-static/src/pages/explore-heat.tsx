// SPDX-License-Identifier: Apache-2.0
// The heatmap of durations: all spans that match, by time and duration. A drag selects a box, with Shift it zooms in time, a click selects a
// cell; the keyboard has a cell of its own to do the same with.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { HeatmapAnswer } from "../api/types";
import { boxOf, type CellBox, cornersOf, countIn, gridOf, rowAt, type Selection, selectionOf } from "../model/heat";
import { formatPercent, plural } from "../model/text";
import { timeIn, dayIn, formatClock, formatDuration, toRfc3339 } from "../model/time";
import { go, patched } from "../route";
import { dark, zone } from "../state/prefs";
import { useWidth, walked } from "../ui/chart";
import { HOW } from "../ui/steps";
import { BOTTOM, drawHeatmap, LEFT, RIGHT, TOP } from "../views/heatmap";
import { inkOf } from "../views/ink";

interface Props {
  answer: HeatmapAnswer;
  selected: Selection | null;
  linear: boolean;
  errors: boolean;
  onSelect: (s: Selection | null) => void;
  /** Pixels. */
  height?: number | undefined;
  /** A count that is drawn darkest: the most of several that are looked at together. */
  dark?: number;
}

interface Cell {
  c: number;
  r: number;
}

const HEIGHT = 142;
/** A pointer that moves less than this has clicked. */
const CLICK_PX = 4;
const NAMES = ["p50", "p95", "p99"];

export function Heatmap({ answer, selected, linear, errors, onSelect, height = HEIGHT, dark: most = 0 }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(host);
  const [hover, setHover] = useState<Cell | null>(null);
  const [cursor, setCursor] = useState<Cell | null>(null);
  const [anchor, setAnchor] = useState<Cell | null>(null);
  const [drag, setDrag] = useState<{ from: Cell; to: Cell; x: number; y: number; zoom: boolean; moved: boolean } | null>(null);
  const grid = useMemo(() => gridOf(answer, most), [answer, most]);
  const lines = useMemo(
    () => ["0.5", "0.95", "0.99"].map((q) => answer.steps.map((s) => (s.quantiles[q] === undefined ? null : Number(s.quantiles[q])))),
    [answer],
  );
  useEffect(() => {
    setHover(null);
    setCursor(null);
    setAnchor(null);
  }, [grid]);
  const dragged: CellBox | null = drag ? cornersOf(drag.from, drag.to) : null;
  const zoomBox = dragged && drag?.zoom ? { ...dragged, r0: 0, r1: grid.rows - 1 } : dragged;
  const extended = cursor && anchor ? cornersOf(cursor, anchor) : null;
  const box = zoomBox ?? extended ?? (selected ? boxOf(grid, selected) : null);
  const shade = dark.value;
  const here = zone.value;
  useEffect(() => {
    if (!canvas.current || grid.rows === 0) return;
    const short = Number(grid.to - grid.from) < 600e9;
    const days = Number(grid.to - grid.from) > 86400e9 * 2;
    const minutes = here === "utc" ? 0 : new Date(Number(grid.from / 1000000n)).getTimezoneOffset();
    drawHeatmap(
      canvas.current,
      {
        grid, lines, linear, errors, box, cursor, width, height,
        clock: (ns) => (days ? dayIn(grid.from, grid.to, ns, here) : formatClock(ns, here, 0).slice(0, short ? 8 : 5)),
        zoneOffset: -60000000000n * BigInt(minutes),
      },
      inkOf(shade),
    );
  });

  const cellAt = (event: PointerEvent): Cell => {
    const area = canvas.current?.getBoundingClientRect() ?? new DOMRect();
    const part = (event.clientX - area.left - LEFT) / (area.width - LEFT - RIGHT);
    const share = 1 - (event.clientY - area.top - TOP) / (height - TOP - BOTTOM);
    return { c: Math.max(0, Math.min(grid.columns - 1, Math.floor(part * grid.columns))), r: rowAt(grid.bounds, share, linear) };
  };
  const finish = (chosen: CellBox, zoom: boolean) => {
    const s = selectionOf(grid, chosen);
    if (zoom) go(patched({ from: toRfc3339(s.t0), to: toRfc3339(s.t1), sel: null }));
    else onSelect(s);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const start = cursor ?? busiest(grid);
    if (by) {
      const next = cursor ? { c: clamp(start.c + by[0], grid.columns), r: clamp(start.r + by[1], grid.rows) } : start;
      setAnchor(event.shiftKey ? (anchor ?? start) : null);
      setCursor(next);
    } else if (event.key === "Enter" && cursor) {
      finish(cornersOf(cursor, anchor ?? cursor), false);
      setAnchor(null);
    } else if (event.key === "z" && cursor && !event.ctrlKey && !event.metaKey) finish(cornersOf(cursor, anchor ?? cursor), true);
    else if (event.key === "Escape" && (cursor || anchor)) {
      setCursor(null);
      setAnchor(null);
    } else return;
    event.preventDefault();
  };
  const told = zoomBox ?? extended ?? (hover ? cornersOf(hover, hover) : cursor ? cornersOf(cursor, cursor) : null);
  const text = told ? describe(grid, told) : "";
  return (
    <div class="heat" ref={host}>
      <p class="heat-told num" aria-hidden="true">
        {text || <span class="dim">drag: select · Shift drag: zoom · arrows: move</span>}
      </p>
      <canvas
        ref={canvas}
        class="heat-canvas"
        height={height}
        {...walked(
          "Durations over time",
          `Heatmap, ${plural(grid.columns, "step")} by ${plural(grid.rows, "row")}. ${HOW}`,
          grid.columns * grid.rows,
          cursor ? cursor.c * grid.rows + cursor.r : null,
          cursor ? text : "",
        )}
        onKeyDown={onKeyDown}
        onBlur={() => setCursor(null)}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          const at = cellAt(event);
          canvas.current?.setPointerCapture(event.pointerId);
          setAnchor(null);
          setDrag({ from: at, to: at, x: event.clientX, y: event.clientY, zoom: event.shiftKey, moved: false });
        }}
        onPointerMove={(event) => {
          const at = cellAt(event);
          if (!drag) return setHover(at);
          const moved = drag.moved || Math.abs(event.clientX - drag.x) > CLICK_PX || Math.abs(event.clientY - drag.y) > CLICK_PX;
          setDrag({ ...drag, to: at, moved });
        }}
        onPointerUp={() => {
          if (drag) finish(cornersOf(drag.from, drag.moved ? drag.to : drag.from), drag.zoom && drag.moved);
          setDrag(null);
        }}
        onPointerCancel={() => setDrag(null)}
        onPointerLeave={() => setHover(null)}
      />
    </div>
  );
}

const clamp = (i: number, count: number) => Math.max(0, Math.min(count - 1, i));

/** Where the keyboard begins: the cell with most spans. */
function busiest(grid: ReturnType<typeof gridOf>): Cell {
  let best = 0;
  for (let i = 1; i < grid.counts.length; i++) if (grid.counts[i] > grid.counts[best]) best = i;
  return { c: Math.floor(best / Math.max(1, grid.rows)), r: best % Math.max(1, grid.rows) };
}

function describe(grid: ReturnType<typeof gridOf>, box: CellBox): string {
  const s = selectionOf(grid, box);
  const { count, errors } = countIn(grid, box);
  const share = errors > 0 ? `, ▲ ${plural(errors, "error")} (${formatPercent(errors, count)})` : "";
  const time = timeIn(grid.from, grid.to, zone.value);
  return `${time(s.t0)}–${time(s.t1)} · ${formatDuration(Number(s.d0))}–${formatDuration(Number(s.d1))} · ${plural(count, "span")}${share}`;
}

/** p50, p95, p99 as they are dashed. */
export function QuantileKeys() {
  return (
    <span class="chart-legend num" aria-hidden="true">
      {NAMES.map((name, i) => (
        <span key={name}>
          <span class={`chart-key dash-${i}`} /> {name}
        </span>
      ))}
    </span>
  );
}
