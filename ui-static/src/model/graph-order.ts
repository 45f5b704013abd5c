// SPDX-License-Identifier: Apache-2.0
// The order of services in a matrix: callers before those whom they call, services that call each other side by side, groups together. No DOM.
import type { Edge } from "./graph";

type Call = Pick<Edge, "client" | "server" | "callCount">;

/** Callers first. Services of one cycle are neighbours, who sends more calls than it takes first.
 *
 * groups  the group of each service, if they are to stand together; groups come in the order of their first service. */
export function callOrder(services: string[], edges: Call[], groups: Map<string, string> = new Map()): string[] {
  const names = [...services].sort();
  const cycle = cyclesOf(names, edges);
  const level = levelsOf(cycle, edges);
  const [balance, calls] = [new Map<string, number>(), new Map<number, number>()];
  const add = <K>(map: Map<K, number>, key: K, n: number) => map.set(key, (map.get(key) ?? 0) + n);
  for (const e of edges) {
    const [a, b] = [cycle.get(e.client), cycle.get(e.server)];
    if (a === undefined || b === undefined) continue;
    add(balance, e.client, e.callCount);
    add(balance, e.server, -e.callCount);
    add(calls, a, e.callCount);
    add(calls, b, e.callCount);
  }
  const of = <K>(map: Map<K, number>, key: K) => map.get(key) ?? 0;
  const position = (name: string) => cycle.get(name) ?? 0;
  // A cycle is named by its first service: its number depends on the order in which edges come.
  const nameOf = new Map([...names].reverse().map((n) => [position(n), n]));
  const order = names.sort((a, b) => {
    const [x, y] = [position(a), position(b)];
    if (x === y) return of(balance, b) - of(balance, a) || (a < b ? -1 : 1);
    return of(level, x) - of(level, y) || of(calls, y) - of(calls, x) || ((nameOf.get(x) ?? "") < (nameOf.get(y) ?? "") ? -1 : 1);
  });
  if (groups.size === 0) return order;
  const first = new Map<string, number>();
  order.forEach((name, i) => {
    const group = groups.get(name) ?? "";
    if (!first.has(group)) first.set(group, i);
  });
  const rank = new Map(order.map((name, i) => [name, i]));
  const groupAt = (name: string) => first.get(groups.get(name) ?? "") ?? 0;
  return order.sort((a, b) => groupAt(a) - groupAt(b) || of(rank, a) - of(rank, b));
}

/** The number of the cycle that each service is in; one that is in none is one of its own. Tarjan's components, with a stack of its own: names come
 * from outside, and their graph may be as deep as it likes. */
function cyclesOf(names: string[], edges: Call[]): Map<string, number> {
  const next = new Map<string, string[]>(names.map((n) => [n, []]));
  for (const e of edges) if (next.has(e.server)) next.get(e.client)?.push(e.server);
  const [index, low, cycle] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
  const open: string[] = [];
  let cycles = 0;
  const enter = (name: string) => {
    index.set(name, index.size);
    low.set(name, index.size - 1);
    open.push(name);
    return { name, at: 0 };
  };
  const lower = (name: string, to: number | undefined) => low.set(name, Math.min(low.get(name) ?? 0, to ?? 0));
  for (const start of names) {
    if (index.has(start)) continue;
    const path = [enter(start)];
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const to = next.get(top.name)?.[top.at++];
      if (to !== undefined) {
        if (!index.has(to)) path.push(enter(to));
        else if (!cycle.has(to)) lower(top.name, index.get(to));
        continue;
      }
      path.pop();
      const above = path.at(-1);
      if (above) lower(above.name, low.get(top.name));
      if (low.get(top.name) !== index.get(top.name)) continue;
      for (let name = open.pop(); name !== undefined; name = open.pop()) {
        cycle.set(name, cycles);
        if (name === top.name) break;
      }
      cycles++;
    }
  }
  return cycle;
}

/** The longest way from a service that nobody calls. Components were numbered callees first, so callers are looked at in falling order. */
function levelsOf(cycle: Map<string, number>, edges: Call[]): Map<number, number> {
  const callees = new Map<number, Set<number>>();
  for (const e of edges) {
    const [a, b] = [cycle.get(e.client), cycle.get(e.server)];
    if (a === undefined || b === undefined || a === b) continue;
    callees.set(a, (callees.get(a) ?? new Set()).add(b));
  }
  const level = new Map<number, number>();
  for (const from of [...new Set(cycle.values())].sort((a, b) => b - a)) {
    const here = level.get(from) ?? 0;
    level.set(from, here);
    for (const to of callees.get(from) ?? []) level.set(to, Math.max(level.get(to) ?? 0, here + 1));
  }
  return level;
}

export interface Matrix {
  rows: string[];
  columns: string[];
  /** By row and column: `${row} ${column}`; more than one where services call each other in more than one way. */
  cells: Map<string, Edge[]>;
}

/** Callers down, callees across: only who calls, and only who is called. */
export function matrixOf(edges: Edge[], groups?: Map<string, string>): Matrix {
  const order = callOrder([...new Set(edges.flatMap((e) => [e.client, e.server]))], edges, groups);
  const [callers, callees] = [new Set(edges.map((e) => e.client)), new Set(edges.map((e) => e.server))];
  const [rows, columns] = [order.filter((n) => callers.has(n)), order.filter((n) => callees.has(n))];
  const [rowOf, columnOf] = [new Map(rows.map((n, i) => [n, i])), new Map(columns.map((n, i) => [n, i]))];
  const cells = new Map<string, Edge[]>();
  for (const e of edges) {
    const key = `${rowOf.get(e.client)} ${columnOf.get(e.server)}`;
    cells.set(key, [...(cells.get(key) ?? []), e]);
  }
  return { rows, columns, cells };
}

/** The next cell with calls from a cell on, in one direction; null: there is none. */
export function nextCell(m: Matrix, at: { row: number; column: number }, by: { row: number; column: number }): { row: number; column: number } | null {
  for (let [row, column] = [at.row + by.row, at.column + by.column]; row >= 0 && column >= 0 && row < m.rows.length && column < m.columns.length; row += by.row, column += by.column) {
    if (m.cells.has(`${row} ${column}`)) return { row, column };
  }
  return null;
}
