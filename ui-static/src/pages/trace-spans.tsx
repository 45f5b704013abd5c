// SPDX-License-Identifier: Apache-2.0
// Spans: all of them, or those that were found, as a table that can be sorted by any column.
import { useMemo, useRef } from "preact/hooks";
import { csvOf } from "../model/exports";
import { ERROR, KINDS, operationName, serviceName, shownName, type Skeleton, spanIdAt, STATUS } from "../model/skeleton";
import { formatCount } from "../model/text";
import { formatDuration } from "../model/time";
import { param, patched, replace } from "../route";
import { useActions } from "../state/keys";
import { rowPx } from "../state/prefs";
import { saveFile } from "../state/say";
import type { ViewProps } from "../state/traceview";
import { SortHead, Swatch } from "../ui/controls";
import { VirtualRows } from "../ui/virtual";
import { useJumps } from "./trace-jumps";

/** A page of rows, as keys go. */
const PAGE_ROWS = 20;

/** What is looked for is the longest and the deepest: sorted like that first. */
type Column = [usual: string, label: string, right: boolean];
const COLUMNS: Column[] = [
  ["start", "Start", true],
  ["service", "Service", false],
  ["name", "Name", false],
  ["kind", "Kind", false],
  ["status", "Status", false],
  ["-duration", "Duration", true],
  ["-self", "Self", true],
  ["-depth", "Depth", true],
  ["-below", "Below", true],
];

/** Rows in the order asked for. Texts are ranked once each, so a sort compares numbers. */
function sortedRows(s: Skeleton, order: string, keep: Uint8Array | null): Uint32Array {
  const down = order.startsWith("-") ? -1 : 1;
  const rank = (texts: string[]) => {
    const places = texts.map((_, i) => i).sort((a, b) => (texts[a] < texts[b] ? -1 : texts[a] > texts[b] ? 1 : 0));
    const out = new Uint32Array(texts.length);
    places.forEach((i, place) => {
      out[i] = place;
    });
    return out;
  };
  const values = (): ((row: number) => number) => {
    switch (order.replace("-", "")) {
      case "service": {
        const ranks = rank(s.services.map((x) => x.name));
        return (row) => ranks[s.service[row]];
      }
      case "name": {
        const ranks = rank(s.operations);
        return (row) => ranks[s.operation[row]];
      }
      case "kind": return (row) => s.kind[row];
      case "status": return (row) => s.status[row];
      case "duration": return (row) => s.length[row];
      case "self": return (row) => s.self[row];
      case "depth": return (row) => s.depth[row];
      case "below": return (row) => s.subtree[row];
      default: return (row) => s.start[row];
    }
  };
  const value = values();
  const rows: number[] = [];
  for (let row = 0; row < s.count; row++) if (!keep || keep[row]) rows.push(row);
  return Uint32Array.from(rows).sort((a, b) => down * (value(a) - value(b)) || a - b);
}

export function SpansView(props: ViewProps) {
  const { skeleton: s, matches, row: current, select } = props;
  const order = param("sort") || "start";
  const scrollTop = useRef(0);
  const rows = useMemo(() => sortedRows(s, order, matches), [s, order, matches]);
  const cursor = useMemo(() => rows.indexOf(current), [rows, current]);
  useJumps(props, rows);
  const wanted = useRef(false);
  /** The row so far on, or this one with its details; it takes the focus, so that it is told. */
  const step = (by: number) => () => {
    const at = Math.max(0, Math.min(rows.length - 1, cursor + by));
    if (rows.length === 0) return;
    wanted.current = true;
    select(rows[at], by === 0);
  };
  useActions({ "rows.next": step(1), "rows.previous": step(-1), "rows.pageDown": step(PAGE_ROWS), "rows.pageUp": step(-PAGE_ROWS), "rows.first": step(-rows.length), "rows.last": step(rows.length), "rows.open": step(0) });
  return (
    <section class="trace-part" tabIndex={-1} aria-label="Spans">
      <div class="part-tools">
        <span>
          {formatCount(rows.length)} {matches ? `of ${formatCount(s.count)} ` : ""}spans
        </span>
        <button type="button" class="button" onClick={() => saveFile(`trace-${s.traceId}-spans.csv`, "text/csv", csvOf(s, rows))}>
          CSV
        </button>
      </div>
      <div class="spans-table" role="grid" aria-label="Spans" aria-rowcount={rows.length + 1}>
        <div role="rowgroup">
          <div class="span-line head" role="row" aria-rowindex={1}>
            {COLUMNS.map(([usual, label, right]) => {
              const name = usual.replace("-", "");
              const other = usual === name ? `-${name}` : name;
              return (
                <SortHead key={name} grid class={right ? "right" : ""} down={order === `-${name}`} up={order === name} sort={() => replace(patched({ sort: order === usual ? other : usual }))}>
                  {label}
                </SortHead>
              );
            })}
          </div>
        </div>
        <div class="rows" role="presentation">
          <VirtualRows count={rows.length} rowHeight={rowPx.value} cursor={cursor} scrollTop={scrollTop} role="rowgroup" wanted={wanted} row={(i, stop) => <Line key={rows[i]} s={s} row={rows[i]} at={i} current={rows[i] === current} stop={stop} select={select} />} />
        </div>
      </div>
    </section>
  );
}

function Line({ s, row, at, current, stop, select }: { s: Skeleton; row: number; at: number; current: boolean; stop: boolean; select: ViewProps["select"] }) {
  const failed = (s.flags[row] & ERROR) !== 0;
  const cell = (text: string, right = false) => (
    <span role="gridcell" class={right ? "num right" : "clip"} title={text}>
      {text}
    </span>
  );
  return (
    <div class={current ? "span-line chosen" : "span-line"} role="row" aria-rowindex={at + 2} aria-selected={current} tabIndex={stop ? 0 : -1} onClick={() => select(row, true)}>
      {cell(formatDuration(s.start[row]), true)}
      <span role="gridcell" class="clip" title={serviceName(s, row)}>
        <Swatch slot={s.services[s.service[row]].slot} /> {serviceName(s, row)}
      </span>
      <span role="gridcell" class="clip" title={`${operationName(s, row)} ${spanIdAt(s, row)}`}>
        {shownName(s, row)}
      </span>
      {cell(KINDS[s.kind[row]] ?? String(s.kind[row]))}
      <span role="gridcell" class={failed ? "error-text" : "dim"}>
        {failed ? "▲ " : ""}
        {STATUS[s.status[row]] ?? s.status[row]}
      </span>
      {cell(formatDuration(s.length[row]), true)}
      {cell(formatDuration(s.self[row]), true)}
      {cell(formatCount(s.depth[row] + 1), true)}
      {cell(formatCount(s.subtree[row] - 1), true)}
    </div>
  );
}
