// SPDX-License-Identifier: Apache-2.0
// The spans of a trace in groups: by service, operation, kind, status, or any attribute, at most two of them. No DOM.
import type { TraceColumn } from "../api/trace-types";
import { ERROR, KINDS, type Skeleton, STATUS } from "./skeleton";

export const INTRINSIC_KEYS = ["service", "operation", "kind", "status"];

/** Values of the rows: an index into texts; -1 for none. */
export interface GroupKey {
  texts: string[];
  codes: ArrayLike<number>;
}

export function intrinsicKey(s: Skeleton, name: string): GroupKey | null {
  switch (name) {
    case "service":
      return { texts: s.whole.services, codes: s.service };
    case "operation":
      return { texts: s.whole.operations, codes: s.operation };
    case "kind":
      return { texts: KINDS, codes: s.kind };
    case "status":
      return { texts: STATUS, codes: s.status };
    default:
      return null;
  }
}

export const attributeKey = (column: TraceColumn): GroupKey => ({ texts: column.values, codes: column.column });

export interface Group {
  /** One text a key; null: the spans have no such attribute. */
  values: (string | null)[];
  count: number;
  errors: number;
  sum: number;
  self: number;
  p50: number;
  p95: number;
  max: number;
  /** Of the self time of all spans that are counted. */
  share: number;
  /** The span that took longest. */
  slowest: number;
}

/** keep: of which rows; null: of all. */
export function groupsOf(s: Skeleton, keys: GroupKey[], keep: Uint8Array | null = null): Group[] {
  const rowsOf = new Map<string, number[]>();
  let all = 0;
  for (let row = 0; row < s.count; row++) {
    if (keep && !keep[row]) continue;
    all += s.self[row];
    const id = keys.map((k) => k.codes[row]).join(" ");
    const rows = rowsOf.get(id);
    if (rows) rows.push(row);
    else rowsOf.set(id, [row]);
  }
  return [...rowsOf.values()].map((rows) => groupOf(s, rows, keys, all));
}

function groupOf(s: Skeleton, rows: number[], keys: GroupKey[], all: number): Group {
  const lengths = Float64Array.from(rows, (row) => s.length[row]).sort();
  const at = (q: number) => lengths[Math.max(0, Math.ceil(q * rows.length) - 1)];
  let [errors, sum, self, slowest] = [0, 0, 0, rows[0]];
  for (const row of rows) {
    errors += s.flags[row] & ERROR;
    sum += s.length[row];
    self += s.self[row];
    if (s.length[row] > s.length[slowest]) slowest = row;
  }
  const values = keys.map((k) => (k.codes[rows[0]] < 0 ? null : (k.texts[k.codes[rows[0]]] ?? String(k.codes[rows[0]]))));
  return { values, count: rows.length, errors, sum, self, p50: at(0.5), p95: at(0.95), max: lengths[rows.length - 1], share: all > 0 ? self / all : 0, slowest };
}

export type GroupColumn = "count" | "errors" | "sum" | "self" | "p50" | "p95" | "max";
export const GROUP_COLUMNS: GroupColumn[] = ["count", "errors", "sum", "self", "p50", "p95", "max"];

/** "-self" is the largest first; "value" is by the first key. */
export function sortGroups(groups: Group[], order: string): Group[] {
  const down = order.startsWith("-");
  const name = order.replace(/^-/, "");
  const text = (g: Group) => g.values.map((v) => v ?? "").join("\0");
  const byText = (a: Group, b: Group) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0);
  const column = GROUP_COLUMNS.find((c) => c === name);
  const sign = down ? -1 : 1;
  return [...groups].sort((a, b) => (column ? sign * (a[column] - b[column]) || byText(a, b) : sign * byText(a, b)));
}
