// SPDX-License-Identifier: Apache-2.0
// Flame graphs of a trace: spans in the order of time, or added up by path with the largest first; and for each operation who calls it
// and whom it calls. No DOM.
import { ERROR, operationName, serviceName, type Skeleton } from "./skeleton";

/** A rectangle: x and width in nanoseconds. */
export interface Box {
  lane: number;
  from: number;
  to: number;
  service: number;
  operation: number;
  /** A span: of a sum, the one that took longest. */
  row: number;
  count: number;
  self: number;
  errors: number;
  parent: number;
}

export interface Flame {
  boxes: Box[];
  lanes: number;
  width: number;
  /** Boxes that found no lane of their own and lie in the last one. */
  crowded: number;
  /** The box of a row. */
  boxOf: (row: number) => number;
}

/** More lanes than this can neither be drawn nor read. */
export const LANES_MAX = 400;

/** Below its parent, in the first lane where what lies there has ended. From the first start to the last end. */
export function timeFlame(s: Skeleton): Flame {
  const begin = s.start.reduce((least, x) => Math.min(least, x), s.duration);
  let width = 1;
  const lane = new Int32Array(s.count);
  const free: number[] = [];
  const boxes: Box[] = [];
  let crowded = 0;
  for (let row = 0; row < s.count; row++) {
    const parent = s.parent[row];
    let at = parent >= 0 ? lane[parent] + 1 : 0;
    while (at < LANES_MAX - 1 && (free[at] ?? 0) > s.start[row]) at++;
    if (at >= LANES_MAX) at = LANES_MAX - 1;
    if ((free[at] ?? 0) > s.start[row]) crowded++;
    lane[row] = at;
    const to = s.start[row] + s.length[row];
    free[at] = Math.max(free[at] ?? 0, to);
    width = Math.max(width, to - begin);
    boxes.push({ lane: at, from: s.start[row] - begin, to: to - begin, service: s.service[row], operation: s.operation[row], row, count: 1, self: s.self[row], errors: s.flags[row] & ERROR, parent });
  }
  return { boxes, lanes: free.length, width, crowded, boxOf: (row) => row };
}

interface Sum {
  box: Box;
  total: number;
  kids: Map<number, number>;
}

/** Spans of the same path are one box; a box is as wide as its own time and what lies below it. */
export function leftHeavy(s: Skeleton): Flame {
  const sums: Sum[] = [];
  const top = new Map<number, number>();
  const sumOf = new Int32Array(s.count);
  for (let row = 0; row < s.count; row++) {
    const parent = s.parent[row] >= 0 ? sumOf[s.parent[row]] : -1;
    const siblings = parent >= 0 ? sums[parent].kids : top;
    const key = s.service[row] * s.operations.length + s.operation[row];
    let at = siblings.get(key);
    if (at === undefined) {
      const lane = parent >= 0 ? sums[parent].box.lane + 1 : 0;
      at = sums.push({ box: { lane, from: 0, to: 0, service: s.service[row], operation: s.operation[row], row, count: 0, self: 0, errors: 0, parent }, total: 0, kids: new Map() }) - 1;
      siblings.set(key, at);
    }
    const { box } = sums[at];
    box.count++;
    box.self += s.self[row];
    box.errors += s.flags[row] & ERROR;
    if (s.length[row] > s.length[box.row]) box.row = row;
    sumOf[row] = at;
  }
  for (let i = sums.length - 1; i >= 0; i--) {
    sums[i].total += sums[i].box.self;
    if (sums[i].box.parent >= 0) sums[sums[i].box.parent].total += sums[i].total;
  }
  return place(sums, top, sumOf);
}

function place(sums: Sum[], top: Map<number, number>, sumOf: Int32Array): Flame {
  const largest = (list: Iterable<number>) => [...list].sort((a, b) => sums[b].total - sums[a].total || a - b);
  const boxes: Box[] = [];
  const newIndex = new Int32Array(sums.length);
  let width = 0;
  let lanes = 0;
  let crowded = 0;
  const stack: { at: number; from: number }[] = [];
  const push = (list: number[], from: number) => {
    let x = from;
    const placed = list.map((at) => {
      const item = { at, from: x };
      x += sums[at].total;
      return item;
    });
    stack.push(...placed.reverse());
    return x;
  };
  width = push(largest(top.values()), 0);
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { box, total, kids } = sums[next.at];
    if (box.lane >= LANES_MAX) crowded++;
    const lane = Math.min(box.lane, LANES_MAX - 1);
    newIndex[next.at] = boxes.push({ ...box, lane, from: next.from, to: next.from + total, parent: box.parent >= 0 ? newIndex[box.parent] : -1 }) - 1;
    lanes = Math.max(lanes, lane + 1);
    push(largest(kids.values()), next.from);
  }
  return { boxes, lanes, width: Math.max(1, width), crowded, boxOf: (row) => newIndex[sumOf[row]] };
}

export interface Sandwich {
  service: number;
  operation: number;
  name: string;
  count: number;
  errors: number;
  /** Without what runs inside the same operation again. */
  total: number;
  self: number;
  slowest: number;
}

const keyOf = (s: Skeleton, row: number) => s.service[row] * s.operations.length + s.operation[row];

/** One line an operation, by self time. */
export function sandwich(s: Skeleton): Sandwich[] {
  const lines = new Map<number, Sandwich>();
  const onPath = new Map<number, number>();
  const path: number[] = [];
  for (let row = 0; row < s.count; row++) {
    while (path.length > s.depth[row] - s.depth[0]) {
      const left = keyOf(s, path.pop() as number);
      onPath.set(left, (onPath.get(left) as number) - 1);
    }
    const key = keyOf(s, row);
    const line = lines.get(key) ?? { service: s.service[row], operation: s.operation[row], name: `${serviceName(s, row)} ${operationName(s, row)}`, count: 0, errors: 0, total: 0, self: 0, slowest: row };
    lines.set(key, line);
    line.count++;
    line.errors += s.flags[row] & ERROR;
    line.self += s.self[row];
    if (!onPath.get(key)) line.total += s.length[row];
    if (s.length[row] > s.length[line.slowest]) line.slowest = row;
    onPath.set(key, (onPath.get(key) ?? 0) + 1);
    path.push(row);
  }
  return [...lines.values()].sort((a, b) => b.self - a.self || (a.name < b.name ? -1 : 1));
}

export interface Neighbour {
  name: string;
  service: number;
  count: number;
  sum: number;
  row: number;
}

/** Who calls an operation, and whom it calls, with the time of the called spans. */
export function neighbours(s: Skeleton, service: number, operation: number): { callers: Neighbour[]; callees: Neighbour[] } {
  const wanted = service * s.operations.length + operation;
  const callers = new Map<number, Neighbour>();
  const callees = new Map<number, Neighbour>();
  const add = (to: Map<number, Neighbour>, other: number, called: number) => {
    const key = other >= 0 ? keyOf(s, other) : -1;
    const line = to.get(key) ?? { name: other >= 0 ? `${serviceName(s, other)} ${operationName(s, other)}` : "(nothing: a root)", service: other >= 0 ? s.service[other] : -1, count: 0, sum: 0, row: other >= 0 ? other : called };
    to.set(key, line);
    line.count++;
    line.sum += s.length[called];
  };
  for (let row = 0; row < s.count; row++) {
    const parent = s.parent[row];
    if (keyOf(s, row) === wanted) add(callers, parent, row);
    if (parent >= 0 && keyOf(s, parent) === wanted) add(callees, row, row);
  }
  const sorted = (map: Map<number, Neighbour>) => [...map.values()].sort((a, b) => b.sum - a.sum || (a.name < b.name ? -1 : 1));
  return { callers: sorted(callers), callees: sorted(callees) };
}
