// SPDX-License-Identifier: Apache-2.0
// The skeleton of a trace: columns in depth-first pre-order, one row a span. A subtree is the slice
// [row, row + subtree[row]), so folding, isolating and walking need no tree. No DOM.
import type { ClockSkew } from "../api/trace-types";
import type { ColumnName, ColumnsAnswer } from "../api/types";
import { assignSlots } from "./palette";
import { shortName, visibleName } from "./text";

export const ERROR = 1;
export const ERROR_BELOW = 2;
export const HAS_EVENTS = 4;
export const HAS_LINKS = 8;
export const ORPHAN = 16;
export const DUPLICATE = 32;
export const CRITICAL = 64;
export const CYCLE = 128;
export const BACKWARDS = 256;
export const SKEWED = 512;

export const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];
export const STATUS = ["unset", "ok", "error"];

export interface CriticalSegment {
  row: number;
  start: number;
  end: number;
}

/** Events, in the order of the rows. */
export interface Events {
  /** Of all events; the arrays may hold fewer. */
  count: number;
  names: string[];
  row: Int32Array;
  /** Nanoseconds after the trace's start. */
  time: Float64Array;
  name: Int32Array;
}

export interface Skeleton {
  traceId: string;
  /** Unix nanoseconds of the first start. */
  startNs: bigint;
  /** Nanoseconds from the first start to the last end. */
  duration: number;
  count: number;
  errorCount: number;
  rootCount: number;
  duplicateCount: number;
  cycleCount: number;
  depthMax: number;
  services: { name: string; slot: number }[];
  operations: string[];
  /** The same names as they were sent: what is shown is shortened, what is written to files is not. */
  whole: { services: string[]; operations: string[] };
  start: Float64Array;
  length: Float64Array;
  self: Float64Array;
  depth: Int32Array;
  subtree: Int32Array;
  parent: Int32Array;
  service: Int32Array;
  operation: Int32Array;
  kind: Uint8Array;
  status: Uint8Array;
  flags: Uint16Array;
  spanIds: string;
  missingParent: Map<number, string>;
  critical: CriticalSegment[];
  criticalNote: string;
  events: Events;
  /** What sent no span at the other end of a call, by row. */
  peers: Map<number, { name: string; type: string }>;
  skew: ClockSkew | null;
}

/** Checks and converts an answer; throws when it is not what it says it is, since every view indexes by it. */
export function decodeSkeleton(answer: ColumnsAnswer): Skeleton {
  const count = answer.spanCount;
  const column = (name: ColumnName) => {
    const values = answer.columns[name];
    if (values?.length !== count) throw new Error(`the trace's column "${name}" does not have ${count} rows`);
    return values;
  };
  if (answer.spanIds.length !== count * 16) throw new Error("the trace's span ids do not fit its rows");
  const skeleton: Skeleton = {
    traceId: answer.traceId,
    startNs: BigInt(answer.startTimeUnixNano),
    duration: Number(answer.durationNano),
    count,
    errorCount: answer.errorCount,
    rootCount: answer.rootCount,
    duplicateCount: answer.duplicateCount,
    cycleCount: answer.cycleCount,
    depthMax: answer.depthMax,
    services: answer.services,
    operations: answer.operations.map(shortName),
    whole: { services: answer.services.map((x) => x.name), operations: answer.operations },
    start: Float64Array.from(column("start")),
    length: Float64Array.from(column("duration")),
    self: Float64Array.from(column("self")),
    depth: Int32Array.from(column("depth")),
    subtree: Int32Array.from(column("subtreeSize")),
    parent: Int32Array.from(column("parent")),
    service: Int32Array.from(column("service")),
    operation: Int32Array.from(column("operation")),
    kind: Uint8Array.from(column("kind")),
    status: Uint8Array.from(column("status")),
    flags: Uint16Array.from(column("flags")),
    spanIds: answer.spanIds,
    missingParent: new Map(answer.missingParents.map((m) => [m.row, m.parentSpanId])),
    critical: answer.criticalPath,
    criticalNote: answer.criticalPathNote ?? "",
    events: decodeEvents(answer),
    peers: new Map(answer.peers.row.map((row, i) => [row, { name: shortName(answer.peers.names[answer.peers.name[i]]), type: answer.peers.type[i] }])),
    skew: answer.clockSkew ?? null,
  };
  checkTree(skeleton);
  const slots = assignSlots(skeleton.services, selfByService(skeleton));
  skeleton.services = skeleton.services.map(({ name }, i) => ({ name: shortName(name), slot: slots[i] }));
  return skeleton;
}

function decodeEvents({ events, spanCount }: ColumnsAnswer): Events {
  const n = events.row.length;
  if (events.time.length !== n || events.name.length !== n) throw new Error("the trace's events do not fit together");
  const found = { count: events.count, names: events.names, row: Int32Array.from(events.row), time: Float64Array.from(events.time), name: Int32Array.from(events.name) };
  for (let i = 0; i < n; i++) {
    const inOrder = found.row[i] < spanCount && found.row[i] >= (i > 0 ? found.row[i - 1] : 0);
    if (!inOrder || found.name[i] >= events.names.length) throw new Error(`event ${i} of the trace has no span or no name`);
  }
  return found;
}

/** The events of a row: from the first to before the second. */
export function eventsOf({ row: rows }: Events, row: number): [number, number] {
  const firstFrom = (wanted: number) => {
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return [firstFrom(row), firstFrom(row + 1)];
}

/** Errors in the rows before each row, so that a subtree's are one subtraction. */
export function errorsBefore(s: Skeleton): Uint32Array {
  const before = new Uint32Array(s.count + 1);
  for (let row = 0; row < s.count; row++) before[row + 1] = before[row] + (s.flags[row] & ERROR);
  return before;
}

/** A part of the time in which nearly all spans start, when others start so far away that nothing could be seen beside them: spans with no
 * time at all, or of a clock of another year. Null: they are together. */
export function bulkOf(s: Skeleton): { from: number; to: number; others: number } | null {
  if (s.count < 3) return null;
  const rows = Uint32Array.from({ length: s.count }, (_, row) => row).sort((a, b) => s.start[a] - s.start[b]);
  let at = 0;
  for (let i = 1; i < rows.length; i++) if (s.start[rows[i]] - s.start[rows[i - 1]] > s.start[rows[at + 1]] - s.start[rows[at]]) at = i - 1;
  const gap = s.start[rows[at + 1]] - s.start[rows[at]];
  const [before, after] = [rows.subarray(0, at + 1), rows.subarray(at + 1)];
  const bulk = before.length > after.length ? before : after;
  const from = s.start[bulk[0]];
  const to = bulk.reduce((most, row) => Math.max(most, s.start[row] + Math.min(s.length[row], gap)), from);
  return gap > FAR * Math.max(1, to - from) ? { from, to, others: s.count - bulk.length } : null;
}

/** So many times the time that the others take. */
const FAR = 20;

function checkTree(s: Skeleton): void {
  for (let row = 0; row < s.count; row++) {
    const parent = s.parent[row];
    const inside = parent < 0 || (parent < row && row + s.subtree[row] <= parent + s.subtree[parent]);
    if (!inside || s.subtree[row] < 1 || row + s.subtree[row] > s.count) {
      throw new Error(`row ${row} of the trace is not inside its parent's subtree`);
    }
    if (s.service[row] >= s.services.length || s.operation[row] >= s.operations.length) {
      throw new Error(`row ${row} of the trace names a service or an operation that is not listed`);
    }
  }
}

/** Self time of each service, in nanoseconds. */
export function selfByService(s: Skeleton): Float64Array {
  const sum = new Float64Array(s.services.length);
  for (let row = 0; row < s.count; row++) sum[s.service[row]] += s.self[row];
  return sum;
}

export const serviceName = (s: Skeleton, row: number) => s.services[s.service[row]].name;
export const operationName = (s: Skeleton, row: number) => s.operations[s.operation[row]];
/** As people see it: none is empty. */
export const shownName = (s: Skeleton, row: number) => visibleName(operationName(s, row));
/** What was called, and what came of it: one that has other spans in the trace is a service, whose span of this call is not there. */
export function peerOf(s: Skeleton, row: number): { name: string; type: string; none: string } {
  const { name, type } = s.peers.get(row) as { name: string; type: string };
  return s.services.some((known) => known.name === name) ? { name, type: "service", none: "no span of this call" } : { name, type, none: "no spans" };
}

export const spanIdAt = (s: Skeleton, row: number) => s.spanIds.slice(row * 16, row * 16 + 16);

export function rowOfSpan(s: Skeleton, spanId: string): number {
  const wanted = spanId.toLowerCase();
  for (let at = s.spanIds.indexOf(wanted); at >= 0; at = s.spanIds.indexOf(wanted, at + 1)) {
    if (at % 16 === 0) return at / 16;
  }
  return -1;
}

/** The rows from the root down to this one, itself not included. */
export function ancestors(s: Skeleton, row: number): number[] {
  const path: number[] = [];
  for (let at = s.parent[row]; at >= 0; at = s.parent[at]) path.push(at);
  return path.reverse();
}

/** Nanoseconds on the critical path, a row. */
export function criticalTime(s: Skeleton): Float64Array {
  const own = new Float64Array(s.count);
  for (const c of s.critical) own[c.row] += c.end - c.start;
  return own;
}

/** For each row, the last end in its subtree: work of children may go on after a span has ended. */
export function subtreeEnds(s: Skeleton): Float64Array {
  const ends = new Float64Array(s.count);
  for (let row = s.count - 1; row >= 0; row--) {
    ends[row] = Math.max(ends[row], s.start[row] + s.length[row]);
    const parent = s.parent[row];
    if (parent >= 0 && ends[row] > ends[parent]) ends[parent] = ends[row];
  }
  return ends;
}
