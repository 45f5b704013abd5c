// SPDX-License-Identifier: Apache-2.0
// The list of Explore: which columns, which rows. No DOM.
import type { SetSpan, TraceSummary } from "../api/types";
import { valueToText } from "./anyvalue";

export type ColumnId = "start" | "trace" | "duration" | "spans" | "errors" | "services" | "why" | "span" | "status" | "kind" | "root";

const TRACE_COLUMNS: ColumnId[] = ["start", "trace", "duration", "spans", "errors", "services", "why"];
const SPAN_COLUMNS: ColumnId[] = ["start", "span", "duration", "status", "kind", "root"];
export const columnIds = (spans: boolean): ColumnId[] => (spans ? SPAN_COLUMNS : TRACE_COLUMNS);

/** What the server sorts by; other columns are not sorted. */
export const SORT_OF: Partial<Record<ColumnId, string>> = { start: "start", duration: "duration", spans: "spans", errors: "errors" };

/** The columns that `cols` names, in their own order, or the usual ones; why something matched is said only when something was asked. */
export function columnsOf(cols: string, spans: boolean, withWhy: boolean): ColumnId[] {
  const own = columnIds(spans);
  const named = own.filter((c) => cols.split(",").includes(c));
  const shown = named.length > 0 ? named : own;
  return withWhy ? shown : shown.filter((c) => c !== "why");
}

/** Least pixels, and the share of what is left; no share: always as wide. */
const WIDTHS: Record<ColumnId, [number, number]> = {
  start: [96, 0], trace: [130, 1.3], duration: [120, 0.8], spans: [52, 0], errors: [56, 0], services: [104, 0], why: [140, 1.2],
  span: [170, 1.4], status: [64, 0], kind: [72, 0], root: [130, 1],
};
const WIDTH_WITH_DAY = 138;
const WIDTH_WITH_YEAR = 170;
const FIELD: [number, number] = [100, 0.8];
const GAP_PX = 12;
const PADDING_PX = 32;

/** The grid's columns, and how wide the list has to be at least: below that it scrolls sideways. */
export function templateOf(columns: ColumnId[], day: "" | "day" | "year", fields: number): { template: string; leastPx: number } {
  const own = columns.map((c): [number, number] => (c === "start" && day ? [day === "year" ? WIDTH_WITH_YEAR : WIDTH_WITH_DAY, 0] : WIDTHS[c]));
  const all = [...own, ...Array.from({ length: fields }, () => FIELD)];
  const template = all.map(([px, share]) => (share > 0 ? `minmax(${px}px, ${share}fr)` : `${px}px`)).join(" ");
  return { template, leastPx: all.reduce((sum, [px]) => sum + px + GAP_PX, PADDING_PX) };
}

export interface ListRow {
  key: string;
  trace: TraceSummary;
  /** The span of the row, or in a list of traces the first that matched. */
  span: SetSpan | null;
  start: bigint;
  duration: number;
  /** In a list of spans, of the last one of its trace: so many more match, and are not listed. */
  beyond: number;
}

/** The order of a list of spans, made of those of traces: a trace comes where its longest (or shortest) matching span does. */
export function spanOrder(order: string): string {
  if (order === "-duration") return "-max(duration)";
  return order === "duration" || order === "max(duration)" ? "min(duration)" : order;
}

function spanRows(traces: TraceSummary[]): ListRow[] {
  return traces.flatMap((trace) => {
    const listed = new Map((trace.spanSets ?? []).flatMap((s) => s.spans).map((s) => [s.spanId, s]));
    const own: SetSpan[] = listed.size > 0 ? [...listed.values()] : trace.matchedSpans;
    return own.map((span, i) => ({
      key: `${trace.traceId} ${span.spanId}`, trace, span, start: BigInt(span.startTimeUnixNano), duration: Number(span.durationNano),
      beyond: i === own.length - 1 ? Math.max(0, trace.matchedSpanCount - own.length) : 0,
    }));
  });
}

export interface Listed {
  rows: ListRow[];
  /** Spans that are known, and whose place is not: one of a trace that is not loaded may come before them. */
  waiting: number;
}

const compare = (a: bigint | number, b: bigint | number) => (a < b ? -1 : a > b ? 1 : 0);

/** Rows of the list. Spans are in an order of their own, whatever trace they are of: pages come by traces, so while there are more (`open`) only
 * those are listed that nothing can come before any more. Newest first there is no such bound, as a trace that began long ago may have a new span. */
export function listed(traces: TraceSummary[], spans: boolean, order: string, open: boolean): Listed {
  if (!spans) {
    const rows = traces.map((trace) => ({
      key: trace.traceId, trace, span: trace.matchedSpans[0] ?? null, start: BigInt(trace.startTimeUnixNano), duration: Number(trace.durationNano), beyond: 0,
    }));
    return { rows, waiting: 0 };
  }
  const all = spanRows(traces);
  const sign = order.startsWith("-") ? -1 : 1;
  const by = /\(duration\)$/.test(order) ? (r: ListRow) => r.duration : /^-?start$/.test(order) ? (r: ListRow) => r.start : null;
  if (!by) return { rows: all, waiting: 0 };
  all.sort((a, b) => sign * compare(by(a), by(b)) || (a.key < b.key ? -1 : 1));
  const last = traces.at(-1);
  if (!open || !last || order === "-start") return { rows: all, waiting: 0 };
  const bound = order === "start" ? BigInt(last.startTimeUnixNano) : Number(last.orderValue?.intValue ?? last.orderValue?.doubleValue ?? 0);
  const rows = all.filter((r) => sign * compare(by(r), bound) <= 0);
  return { rows, waiting: all.length - rows.length };
}

/** What finds the span, and those like it, again in its trace: its service and its name as phrases. */
export function findText(span: { serviceName: string; name: string }): string | null {
  return /"/.test(span.serviceName + span.name) ? null : `"${span.serviceName}" "${span.name}"`;
}

/** Comma-separated values, quoted as RFC 4180 says; cells that a spreadsheet would take for a formula get an apostrophe. */
export function toCsv(rows: (string | number)[][]): string {
  const cell = (value: string | number) => {
    if (typeof value === "number") return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return `${rows.map((r) => r.map(cell).join(",")).join("\r\n")}\r\n`;
}

/** The value of a field that select() asked for: of the span, or of the first span of the trace that has it. */
export function attributeOf(row: ListRow, field: string): string | null {
  const spans: SetSpan[] = row.span && "attributes" in row.span ? [row.span] : (row.trace.spanSets ?? []).flatMap((s) => s.spans);
  for (const span of spans) {
    const found = span.attributes?.find((a) => a.key === field);
    if (found?.value) return valueToText(found.value);
  }
  return null;
}
