// SPDX-License-Identifier: Apache-2.0
// The columns of a trace from its spans, for files that never were in a server: the same order, the same flags. Nothing here
// recurses, since a trace may be as deep as it likes. No DOM.
import type { ColumnsAnswer } from "../api/types";
import { valueToText } from "./anyvalue";
import type { Stored } from "./otlp";
import { BACKWARDS, CRITICAL, CYCLE, DUPLICATE, ERROR, ERROR_BELOW, HAS_EVENTS, HAS_LINKS, ORPHAN } from "./skeleton";

/** The spans in the order of the rows, and their columns. */
export interface Assembled {
  spans: Stored[];
  columns: ColumnsAnswer;
}

interface Tree {
  order: number[];
  parent: number[];
  depth: number[];
  flags: number[];
}

export function assemble(spans: Stored[]): Assembled {
  const starts = spans.map((s) => BigInt(s.span.startTimeUnixNano ?? 0));
  const t0 = starts.reduce((least, at) => (at < least ? at : least), starts[0] ?? 0n);
  const start = starts.map((at) => Number(at - t0));
  const ends = spans.map((s) => Number(BigInt(s.span.endTimeUnixNano ?? 0) - t0));
  const length = start.map((at, i) => Math.max(0, ends[i] - at));
  const tree = treeOf(spans, start);
  const inRows = <T>(values: T[]): T[] => tree.order.map((i) => values[i]);
  const rows = inRows(spans);
  const columns = { start: inRows(start), duration: inRows(length) };
  const flags = tree.flags.map((f, row) => f | (ends[tree.order[row]] < columns.start[row] ? BACKWARDS : 0));
  rows.forEach(({ span }, row) => {
    flags[row] = flags[row] | (span.status?.code === 2 ? ERROR : 0) | (span.events?.length ? HAS_EVENTS : 0) | (span.links?.length ? HAS_LINKS : 0);
  });
  const size = rows.map(() => 1);
  for (let row = rows.length - 1; row >= 0; row--) {
    const parent = tree.parent[row];
    if (parent < 0) continue;
    size[parent] = size[parent] + size[row];
    if (flags[row] & (ERROR | ERROR_BELOW)) flags[parent] = flags[parent] | ERROR_BELOW;
  }
  const services = dictionary(rows.map(serviceOf));
  const operations = dictionary(rows.map((s) => s.span.name ?? ""));
  const path = criticalPath(tree.parent, columns.start, columns.duration, flags, rows);
  for (const part of path) flags[part.row] = flags[part.row] | CRITICAL;
  const count = (flag: number) => flags.reduce((n, f) => n + (f & flag ? 1 : 0), 0);
  const duration = rows.reduce((most, _, row) => Math.max(most, columns.start[row] + columns.duration[row]), 0);
  return {
    spans: rows,
    columns: {
      traceId: rows[0]?.span.traceId ?? "",
      startTimeUnixNano: String(t0),
      durationNano: String(duration),
      spanCount: rows.length,
      errorCount: count(ERROR),
      orphanCount: count(ORPHAN),
      duplicateCount: count(DUPLICATE),
      rootCount: tree.parent.reduce((n, p, row) => n + (p < 0 && !(flags[row] & (ORPHAN | CYCLE)) ? 1 : 0), 0),
      depthMax: tree.depth.reduce((most, d) => Math.max(most, d), 0),
      cycleCount: count(CYCLE),
      services: services.texts.map((name, slot) => ({ name, slot })),
      operations: operations.texts,
      columns: {
        ...columns,
        self: selfTimes(tree.parent, columns.start, columns.duration),
        depth: tree.depth,
        subtreeSize: size,
        parent: tree.parent,
        service: services.codes,
        operation: operations.codes,
        kind: rows.map((s) => Number(s.span.kind ?? 0)),
        status: rows.map((s) => Number(s.span.status?.code ?? 0)),
        flags,
      },
      spanIds: rows.map((s) => s.span.spanId).join(""),
      missingParents: rows.flatMap((s, row) => (flags[row] & ORPHAN ? [{ row, parentSpanId: s.span.parentSpanId ?? "" }] : [])),
      criticalPath: path,
      ...(path.length > 0 ? {} : { criticalPathNote: "the trace has no single root" }),
      events: eventsOf(rows, t0),
      peers: { names: [], row: [], name: [], type: [] },
    },
  };
}

function serviceOf(s: Stored): string {
  const found = s.resource.attributes?.find((a) => a.key === "service.name")?.value;
  return (found && valueToText(found)) || "unknown_service";
}

function dictionary(values: string[]): { texts: string[]; codes: number[] } {
  const texts = [...new Set(values)].sort();
  const at = new Map(texts.map((t, i) => [t, i]));
  return { texts, codes: values.map((v) => at.get(v) as number) };
}

/** Depth first; children and roots by start, then id; orphans behind roots; cycles are cut at their earliest span. */
function treeOf(spans: Stored[], start: number[]): Tree {
  const id = (i: number) => spans[i].span.spanId;
  const sorted = spans.map((_, i) => i).sort((a, b) => start[a] - start[b] || (id(a) < id(b) ? -1 : id(a) > id(b) ? 1 : 0));
  const first = new Map<string, number>();
  const twice = new Uint8Array(spans.length);
  for (const i of sorted) {
    if (first.has(id(i))) twice[i] = 1;
    else first.set(id(i), i);
  }
  const children: (number[] | undefined)[] = new Array(spans.length);
  const roots: number[] = [];
  const orphans: number[] = [];
  for (const i of sorted) {
    const wanted = spans[i].span.parentSpanId ?? "";
    const parent = /[^0]/.test(wanted) ? first.get(wanted) : undefined;
    if (parent !== undefined && parent !== i) (children[parent] ??= []).push(i);
    else (/[^0]/.test(wanted) ? orphans : roots).push(i);
  }
  const tree: Tree = { order: [], parent: [], depth: [], flags: [] };
  const reached = new Uint8Array(spans.length);
  const walk = (top: number, flag: number) => {
    const stack: [number, number, number, number][] = [[top, -1, 0, flag]];
    for (let next = stack.pop(); next; next = stack.pop()) {
      const [i, parent, depth, own] = next;
      if (reached[i]) continue;
      reached[i] = 1;
      const row = tree.order.push(i) - 1;
      tree.parent.push(parent);
      tree.depth.push(depth);
      tree.flags.push(own | (twice[i] ? DUPLICATE : 0));
      const kids = children[i] ?? [];
      for (let k = kids.length - 1; k >= 0; k--) stack.push([kids[k], row, depth + 1, 0]);
    }
  };
  for (const i of roots) walk(i, 0);
  for (const i of orphans) walk(i, ORPHAN);
  for (const i of sorted) if (!reached[i]) walk(i, CYCLE);
  return tree;
}

/** Rows of the children of each row, in order. */
function childrenOf(parent: number[]): number[][] {
  const children: number[][] = parent.map(() => []);
  parent.forEach((p, row) => p >= 0 && children[p].push(row));
  return children;
}

/** Duration minus the union of what children cover of it. Children come by start, so one pass is enough. */
function selfTimes(parent: number[], start: number[], length: number[]): number[] {
  const self = [...length];
  const covered = [...start];
  parent.forEach((p, row) => {
    if (p < 0) return;
    const from = Math.max(covered[p], start[row]);
    const to = Math.min(start[row] + length[row], start[p] + length[p]);
    if (to <= from) return;
    self[p] = self[p] - (to - from);
    covered[p] = to;
  });
  return self;
}

const SERVER = 2;
const CONSUMER = 5;
/** Ends of one clock that lie so close together say nothing: clocks of milliseconds are wrong by one. */
const LATE_END_NS = 1e6;

/** Was it not waited for? It ends later than its parent by so many nanoseconds: by its kind, or by the same clock. */
function isAsynchronous(kid: Stored, parent: Stored, late: number): boolean {
  const kind = kid.span.kind ?? 0;
  if (late <= 0 || kind === CONSUMER || kind === SERVER) return late > 0 && kind === CONSUMER;
  const own = kid.resource?.attributes ?? [];
  return late > LATE_END_NS && own.length > 0 && JSON.stringify(own) === JSON.stringify(parent.resource?.attributes ?? []);
}

/** Which span the end of the root waited for: from the end back to the child that ended last before, and so on down. */
function criticalPath(parent: number[], start: number[], length: number[], flags: number[], spans: Stored[]): { row: number; start: number; end: number }[] {
  const roots = parent.flatMap((p, row) => (p < 0 && !(flags[row] & (ORPHAN | CYCLE)) ? [row] : []));
  if (roots.length !== 1) return [];
  const end = (row: number) => start[row] + length[row];
  const children = childrenOf(parent);
  const out: { row: number; start: number; end: number }[] = [];
  const work = [{ row: roots[0], until: end(roots[0]) }];
  for (let next = work.pop(); next; next = work.pop()) {
    const { row, until } = next;
    let at = until;
    for (const kid of children[row].sort((a, b) => end(b) - end(a))) {
      if (isAsynchronous(spans[kid], spans[row], end(kid) - end(row))) continue;
      const kidEnd = Math.min(end(kid), until);
      if (kidEnd > at || kidEnd <= start[row] || start[kid] >= at) continue;
      if (at > kidEnd) out.push({ row, start: kidEnd, end: at });
      work.push({ row: kid, until: kidEnd });
      at = Math.max(start[kid], start[row]);
    }
    if (at > start[row]) out.push({ row, start: start[row], end: at });
  }
  return out.sort((a, b) => a.start - b.start);
}

function eventsOf(rows: Stored[], t0: bigint): ColumnsAnswer["events"] {
  const all = rows.flatMap(({ span }, row) => (span.events ?? []).map((e) => ({ row, name: e.name ?? "", time: Number(BigInt(e.timeUnixNano ?? 0) - t0) })));
  const names = dictionary(all.map((e) => e.name));
  return { count: all.length, names: names.texts, row: all.map((e) => e.row), time: all.map((e) => e.time), name: names.codes };
}
