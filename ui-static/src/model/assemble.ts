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

const SERVER = 2;
const CLIENT = 3;
const CONSUMER = 5;

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
  const length = spans.map((s, i) => Math.max(0, Number(BigInt(s.span.endTimeUnixNano ?? 0) - starts[i])));
  const tree = treeOf(spans, start, ends);
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
  const roots = tree.parent.reduce((n, p, row) => n + (p < 0 && !(flags[row] & (ORPHAN | CYCLE)) ? 1 : 0), 0);
  const none = whyNoPath(roots, size, columns.duration);
  const path = none === null ? criticalPath(tree.parent, columns.start, columns.duration, rows) : [];
  const note = none ?? missingInPath(roots, size);
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
      rootCount: roots,
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
      ...(note === null ? {} : { criticalPathNote: note }),
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

/** Depth first; children and roots by start, then id; orphans and what was cut from cycles behind roots. A cycle is cut at its earliest span. A client
 * and a server span with one id are the two halves of a call, as Zipkin shares ids: the server's hangs from the client's, and has its children. */
function treeOf(spans: Stored[], start: number[], ends: number[]): Tree {
  const sorted = spans.map((_, i) => i).sort((a, b) => start[a] - start[b] || compareTwins(spans[a], spans[b], ends[a] - ends[b]));
  const ids = sorted.map((i) => spans[i].span.spanId);
  const kind = sorted.map((i) => Number(spans[i].span.kind ?? 0));
  const flags = sorted.map(() => 0);
  const first = new Map<string, number>();
  /** Of the first span with an id: the other half of its call. */
  const other = new Map<number, number>();
  ids.forEach((id, p) => {
    const known = first.get(id);
    if (known === undefined) first.set(id, p);
    else if (!other.has(known) && kind[known] + kind[p] === CLIENT + SERVER && (kind[p] === CLIENT || kind[p] === SERVER)) other.set(known, p);
    else flags[p] = DUPLICATE;
  });
  const parent = sorted.map((i, p) => {
    const known = first.get(ids[p]) as number;
    const half = kind[p] !== SERVER ? undefined : known === p ? other.get(p) : other.get(known) === p ? known : undefined;
    const wanted = spans[i].span.parentSpanId ?? "";
    if (half !== undefined || !/[^0]/.test(wanted)) return half ?? -1;
    const found = first.get(wanted);
    if (found === undefined) flags[p] = flags[p] | ORPHAN;
    // Work inside a shared span was done by the server.
    return found === undefined ? -1 : kind[found] === CLIENT ? (other.get(found) ?? found) : found;
  });
  cutCycles(parent, flags);
  const children: number[][] = sorted.map(() => []);
  const tops: [number[], number[]] = [[], []];
  parent.forEach((up, p) => (up >= 0 ? children[up] : tops[flags[p] & (ORPHAN | CYCLE) ? 1 : 0]).push(p));
  const tree: Tree = { order: [], parent: [], depth: [], flags: [] };
  const row = new Array<number>(sorted.length);
  const stack = tops.flat().reverse();
  for (let p = stack.pop(); p !== undefined; p = stack.pop()) {
    const up = parent[p] < 0 ? -1 : row[parent[p]];
    row[p] = tree.order.push(sorted[p]) - 1;
    tree.parent.push(up);
    tree.depth.push(up < 0 ? 0 : tree.depth[up] + 1);
    tree.flags.push(flags[p]);
    for (let k = children[p].length - 1; k >= 0; k--) stack.push(children[p][k]);
  }
  return tree;
}

/** Which of two spans that start together comes first. */
function compareTwins(a: Stored, b: Stored, ends: number): number {
  const by = (x: string | number, y: string | number) => (x < y ? -1 : x > y ? 1 : 0);
  return (
    by(a.span.spanId, b.span.spanId) ||
    ends ||
    by(Number(a.span.kind ?? 0), Number(b.span.kind ?? 0)) ||
    by(Number(a.span.status?.code ?? 0), Number(b.span.status?.code ?? 0)) ||
    by(a.span.name ?? "", b.span.name ?? "") ||
    by(serviceOf(a), serviceOf(b))
  );
}

/** Each span has at most one parent, so a walk up either ends or meets itself: then it has found the one cycle there. */
function cutCycles(parent: number[], flags: number[]): void {
  const mark = new Uint32Array(parent.length);
  for (let p = 0; p < parent.length; p++) {
    let at = p;
    while (at >= 0 && mark[at] === 0) {
      mark[at] = p + 1;
      at = parent[at];
    }
    if (at < 0 || mark[at] !== p + 1) continue;
    let cut = at;
    for (let member = parent[at]; member !== at; member = parent[member]) cut = Math.min(cut, member);
    parent[cut] = -1;
    flags[cut] = flags[cut] | CYCLE;
  }
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

/** Ends of one clock that lie so close together say nothing: clocks of milliseconds are wrong by one. */
const LATE_END_NS = 1e6;

/** Was it not waited for? It ends later than its parent by so many nanoseconds: by its kind, or by the same clock. */
function isAsynchronous(kid: Stored, parent: Stored, late: number): boolean {
  const kind = kid.span.kind ?? 0;
  if (late <= 0 || kind === CONSUMER || kind === SERVER) return late > 0 && kind === CONSUMER;
  const own = kid.resource?.attributes ?? [];
  return late > LATE_END_NS && own.length > 0 && JSON.stringify(own) === JSON.stringify(parent.resource?.attributes ?? []);
}

interface Part {
  row: number;
  start: number;
  end: number;
}

/** Which span the end of the root waited for: from the end back to the child that ended last before, and so on down. */
function criticalPath(parent: number[], start: number[], length: number[], spans: Stored[]): Part[] {
  const end = (row: number) => start[row] + length[row];
  const children = childrenOf(parent);
  const out: Part[] = [];
  const work: Part[] = [{ row: 0, start: start[0], end: end(0) }];
  for (let next = work.pop(); next; next = work.pop()) {
    const { row, start: from, end: until } = next;
    const kids = children[row]
      .map((kid) => ({ row: kid, start: Math.max(start[kid], from), end: Math.min(end(kid), until) }))
      .filter((k) => k.end > k.start && !isAsynchronous(spans[k.row], spans[row], end(k.row) - end(row)))
      .sort((a, b) => b.end - a.end || a.start - b.start || a.row - b.row);
    let at = until;
    for (const kid of kids) {
      // It still ran when what is explained began: nothing waited for it.
      if (kid.end > at) continue;
      if (at > kid.end) out.push({ row, start: kid.end, end: at });
      work.push(kid);
      at = kid.start;
    }
    if (at > from) out.push({ row, start: from, end: at });
  }
  return out.sort((a, b) => a.start - b.start);
}

/** Why there is no path, as the server says it. */
function whyNoPath(roots: number, size: number[], length: number[]): string | null {
  if (size.length === 0) return "there are no spans";
  if (roots > 1) return "the trace has more than one root span";
  if (roots === 0 && size[0] < size.length) return "the root span is missing and its parts are not connected";
  return length[0] === 0 ? "the root span has no duration" : null;
}

/** What the path leaves out. */
function missingInPath(roots: number, size: number[]): string | null {
  if (roots === 0) return "the root span is missing: the path is that of the topmost span";
  return size[0] < size.length ? "spans whose parent is missing are not considered" : null;
}

function eventsOf(rows: Stored[], t0: bigint): ColumnsAnswer["events"] {
  const all = rows.flatMap(({ span }, row) => (span.events ?? []).map((e) => ({ row, name: e.name ?? "", time: Number(BigInt(e.timeUnixNano ?? 0) - t0) })));
  const names = dictionary(all.map((e) => e.name));
  return { count: all.length, names: names.texts, row: all.map((e) => e.row), time: all.map((e) => e.time), name: names.codes };
}
