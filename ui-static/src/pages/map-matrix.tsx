// SPDX-License-Identifier: Apache-2.0
// The map as a matrix: callers down, callees across, callers before those whom they call. Any number of services: only what is in view is in the document.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Edge, edgeLine, type Graph, isFailing, type Measure, measureOf, measureText, type Shown } from "../model/graph";
import { type Matrix as Cells, matrixOf, nextCell } from "../model/graph-order";
import { cutMiddle, formatCount, plural } from "../model/text";
import { NodeName } from "../ui/graph-parts";
import { useView } from "../ui/virtual";
import { edgeLabel } from "./map-drawing";
import { measure } from "./map-state";

const ROW = 24;
const COLUMN_USUAL = 60;
/** What changed is said in words. */
const COLUMN_COMPARED = 132;
/** Most height of the names above, what a letter takes of it, and width of the names on the left. */
const HEAD_MOST = 148;
const LETTER = 7.5;
const HEAD_LETTERS = 18;
const LEFT = 190;
const LEFT_NARROW = 116;
const NARROW = 720;
/** Rows and columns beyond what is seen. */
const BEYOND = 3;

interface Props {
  shown: Shown;
  graph: Graph;
  seconds: number;
  groups: Map<string, string>;
  /** The edge that is chosen, and to choose one. */
  chosen: string;
  select: (id: string) => void;
}

interface Cursor {
  row: number;
  column: number;
}

const NAMES: Record<Measure, string> = { rate: "calls", err: "share of failed calls", p50: "p50 as callers see it", p95: "p95 as callers see it", p99: "p99 as callers see it" };

export function Matrix({ shown, graph, seconds, groups, chosen, select }: Props) {
  // The order is that of the whole range: it stays when a step of it is shown.
  const order = shown.edges.map((e) => e.id).join();
  const matrix = useMemo(() => matrixOf(shown.edges, groups), [order, groups]);
  const edges = useMemo(() => new Map(shown.edges.map((e) => [e.id, e])), [shown]);
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ x: 0, y: 0, width: 1200, height: 800 });
  const [cursor, setCursor] = useState<Cursor>({ row: 0, column: 0 });
  const step = shown.edges.some((e) => e.change) ? COLUMN_COMPARED : COLUMN_USUAL;
  const left = window.innerWidth < NARROW ? LEFT_NARROW : LEFT;
  const head = Math.min(HEAD_MOST, Math.round(20 + LETTER * Math.max(8, ...matrix.columns.map((name) => name.length))));
  const at = { row: Math.min(cursor.row, matrix.rows.length - 1), column: Math.min(cursor.column, matrix.columns.length - 1) };
  useView(box, (e) => setView({ x: e.scrollLeft, y: e.scrollTop, width: e.clientWidth, height: e.clientHeight }));
  useEffect(() => {
    const first = nextCell(matrix, { row: 0, column: -1 }, { row: 0, column: 1 });
    if (first) setCursor(first);
  }, [matrix]);
  const move = (to: Cursor) => {
    setCursor(to);
    bringIntoView(box.current, to, left, step, head);
  };
  const cellsAt = (row: number, column: number): Edge[] => (matrix.cells.get(`${row} ${column}`) ?? []).map((e) => edges.get(e.id) ?? e);
  const by = measure();
  const scale = scaleOf(shown.edges, by);
  const columns = range(view.x / step, (view.width - left) / step, matrix.columns.length);
  const rows = range(view.y / ROW, (view.height - head) / ROW, matrix.rows.length);
  const say = (row: number, column: number) => sentence(matrix, row, column, cellsAt(row, column), seconds);
  if (matrix.rows.length === 0) return <p class="pad dim">No calls to show{shown.hiddenEdges > 0 ? `: ${plural(shown.hiddenEdges, "edge")} ${shown.hiddenEdges === 1 ? "is" : "are"} hidden by what was chosen above` : " in this range"}.</p>;
  return (
    <div class="matrix-part">
      <p class="matrix-note dim">
        {formatCount(matrix.rows.length)} callers, {formatCount(matrix.columns.length)} callees: {NAMES[by]}, {scale.text(seconds)}. Arrows move, Ctrl and arrows to the next call, Enter opens it.
      </p>
      <div
        ref={box}
        class="matrix"
        role="grid"
        aria-label="Calls between services"
        aria-rowcount={matrix.rows.length + 1}
        aria-colcount={matrix.columns.length + 1}
        aria-activedescendant={`cell-${at.row}-${at.column}`}
        tabIndex={0}
        onKeyDown={(event) => onKey(event, matrix, at, move, () => cellsAt(at.row, at.column)[0] && select(cellsAt(at.row, at.column)[0].id), Math.max(1, Math.floor((view.height - head) / ROW) - 1))}
      >
        <div class="matrix-all" role="presentation" style={{ width: `${left + matrix.columns.length * step}px`, height: `${head + matrix.rows.length * ROW}px` }}>
          <div class="matrix-heads" role="row" aria-rowindex={1} style={{ height: `${head}px` }}>
            <div class="matrix-corner" role="columnheader" aria-colindex={1} style={{ width: `${left}px`, height: `${head}px` }}>
              callers ↓ call →
            </div>
            {[...columns, ...(columns.includes(at.column) ? [] : [at.column])].map((column) => (
              <div key={column} class={`matrix-head${column === at.column ? " here" : ""}${begins(matrix.columns, column, groups) ? " begins" : ""}`} role="columnheader" aria-colindex={column + 2} style={{ left: `${left + column * step}px`, width: `${step}px`, height: `${head}px` }} title={titleOf(matrix.columns[column], groups)}>
                <span>{cutMiddle(matrix.columns[column] || "(no service name)", HEAD_LETTERS)}</span>
              </div>
            ))}
          </div>
          {[...rows, ...(rows.includes(at.row) ? [] : [at.row])].map((row) => (
            <div key={row} class={`matrix-row${row === at.row ? " here" : ""}${begins(matrix.rows, row, groups) ? " begins" : ""}`} role="row" aria-rowindex={row + 2} style={{ top: `${head + row * ROW}px`, height: `${ROW}px` }}>
              <div class="matrix-name" role="rowheader" aria-colindex={1} style={{ width: `${left}px` }} title={titleOf(matrix.rows[row], groups)}>
                <NodeName node={graph.nodes.get(matrix.rows[row])} />
              </div>
              {[...columns, ...(columns.includes(at.column) ? [] : [at.column])].map((column) => {
                const own = cellsAt(row, column);
                const here = row === at.row && column === at.column;
                if (own.length === 0 && !here) return null;
                return <Cell key={column} id={`cell-${row}-${column}`} column={column} left={left} step={step} edges={own} here={here} chosen={own.some((e) => e.id === chosen)} by={by} seconds={seconds} level={scale.level} label={say(row, column)} choose={() => {
                  setCursor({ row, column });
                  if (own[0]) select(own[0].id);
                }} />;
              })}
            </div>
          ))}
        </div>
      </div>
      <p class="matrix-told num" aria-hidden="true">
        {say(at.row, at.column)}
      </p>
    </div>
  );
}

interface CellProps {
  id: string;
  column: number;
  left: number;
  step: number;
  edges: Edge[];
  here: boolean;
  chosen: boolean;
  by: Measure;
  seconds: number;
  level: (value: number | null) => number;
  label: string;
  choose: () => void;
}

function Cell({ id, column, left, step, edges, here, chosen, by, seconds, level, label, choose }: CellProps) {
  const edge = mostOf(edges, by);
  const failing = edges.some(isFailing);
  const value = edge ? measureOf(edge, by) : null;
  const text = edge ? `${failing ? "▲" : ""}${edge.change ? edgeLabel(edge, by, seconds) : measureText(value, by, seconds)}${edges.length > 1 ? ` +${edges.length - 1}` : ""}` : "";
  // What is seen is part of what is said.
  const name = label.includes(text) ? label : `${label}, ${text}`;
  const look = `matrix-cell${by === "err" && value ? " failing" : ""}${here ? " here" : ""}${chosen ? " chosen" : ""}${edge?.callCount === 0 ? " gone" : ""}`;
  return (
    <div id={id} class={look} role="gridcell" aria-colindex={column + 2} aria-label={name} aria-selected={chosen} title={name} style={{ left: `${left + column * step}px`, width: `${step}px`, "--level": edge ? level(value).toFixed(3) : "0" }} onClick={choose}>
      {text}
    </div>
  );
}

/** Of several ways of calling the one that says most; all of them are in the cell's words. */
const mostOf = (edges: Edge[], by: Measure): Edge | undefined => [...edges].sort((a, b) => (measureOf(b, by) ?? -1) - (measureOf(a, by) ?? -1))[0];

function sentence(m: Cells, row: number, column: number, edges: Edge[], seconds: number): string {
  const [caller, callee] = [m.rows[row] || "(no service name)", m.columns[column] || "(no service name)"];
  return edges.length === 0 ? `${caller} → ${callee}: no calls` : `${caller} → ${callee}: ${edges.map((e) => edgeLine(e, seconds)).join("; ")}`;
}

/** How dark a cell is, 0 to 1: by the logarithm, but for errors. */
function scaleOf(edges: Edge[], by: Measure): { level: (value: number | null) => number; text: (seconds: number) => string } {
  const values = edges.map((e) => measureOf(e, by)).filter((v): v is number => v !== null && v > 0);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (values.length === 0) return { level: () => 0, text: () => "none" };
  if (by === "err") return { level: (v) => Math.sqrt(v ?? 0), text: () => "the darker, the more" };
  const span = Math.log(most / least) || 1;
  return {
    level: (v) => (v === null || v <= 0 ? 0 : 0.12 + 0.88 * (most === least ? 0.5 : Math.log(v / least) / span)),
    text: (seconds) => `pale ${measureText(least, by, seconds)} to dark ${measureText(most, by, seconds)}`,
  };
}

function range(from: number, count: number, all: number): number[] {
  const first = Math.max(0, Math.floor(from) - BEYOND);
  const last = Math.min(all, Math.ceil(from + Math.max(1, count)) + BEYOND);
  return Array.from({ length: Math.max(0, last - first) }, (_, i) => first + i);
}

const begins = (names: string[], i: number, groups: Map<string, string>) => i > 0 && (groups.get(names[i]) ?? "") !== (groups.get(names[i - 1]) ?? "");
const titleOf = (name: string, groups: Map<string, string>) => (groups.size > 0 ? `${name}, group: ${groups.get(name) ?? "none"}` : name);

function bringIntoView(box: HTMLElement | null, at: Cursor, left: number, step: number, head: number): void {
  if (!box) return;
  const [x, y] = [at.column * step, at.row * ROW];
  const [width, height] = [box.clientWidth - left, box.clientHeight - head];
  if (x < box.scrollLeft) box.scrollLeft = x;
  else if (x + step > box.scrollLeft + width) box.scrollLeft = x + step - width;
  if (y < box.scrollTop) box.scrollTop = y;
  else if (y + ROW > box.scrollTop + height) box.scrollTop = y + ROW - height;
}

const STEPS: Record<string, Cursor> = { ArrowLeft: { row: 0, column: -1 }, ArrowRight: { row: 0, column: 1 }, ArrowUp: { row: -1, column: 0 }, ArrowDown: { row: 1, column: 0 } };

function onKey(event: KeyboardEvent, m: Cells, at: Cursor, move: (to: Cursor) => void, open: () => void, page: number): void {
  const by = STEPS[event.key];
  const inside = (row: number, column: number) => ({ row: Math.max(0, Math.min(m.rows.length - 1, row)), column: Math.max(0, Math.min(m.columns.length - 1, column)) });
  if (event.altKey || event.metaKey) return;
  if (by && event.ctrlKey) move(nextCell(m, at, by) ?? at);
  else if (by) move(inside(at.row + by.row, at.column + by.column));
  else if (event.key === "Home") move(inside(event.ctrlKey ? 0 : at.row, 0));
  else if (event.key === "End") move(inside(event.ctrlKey ? m.rows.length : at.row, m.columns.length));
  else if (event.key === "PageUp" || event.key === "PageDown") move(inside(at.row + (event.key === "PageUp" ? -page : page), at.column));
  else if (event.key === "Enter" || event.key === " ") open();
  else return;
  event.preventDefault();
}
