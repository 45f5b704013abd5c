// SPDX-License-Identifier: Apache-2.0
// Comparing two traces, or two sets of traces: what the address names, and the merged tree with its differences. Differences are b
// minus a everywhere, so that more than 0 is "B is slower". No DOM.
import type { MergedNode, MergedSide } from "../api/types";
import { parseTraceRef } from "./ids";
import { KINDS, operationName, serviceName, type Skeleton } from "./skeleton";

/** What a or b of the address says. */
export type Side = { kind: "trace"; id: string } | { kind: "set"; query: string; from: string; to: string };

/** A trace id in any form, or q:EXPRESSION@FROM..TO; null when it is neither. */
export function parseSide(text: string): Side | null {
  const input = text.trim();
  if (input.startsWith("q:")) {
    const at = input.lastIndexOf("@");
    const tail = at < 0 ? "" : input.slice(at + 1);
    const dots = tail.indexOf("..");
    // Times have no quotes and no braces; what has them is a part of the query.
    if (dots < 0 || /["`{}]/.test(tail)) return { kind: "set", query: input.slice(2).trim(), from: "", to: "" };
    return { kind: "set", query: input.slice(2, at).trim(), from: tail.slice(0, dots), to: tail.slice(dots + 2) };
  }
  const ref = parseTraceRef(input);
  return ref ? { kind: "trace", id: ref.traceId } : null;
}

/** What people type into a slot: an id, a reference, or a query, which gets the page's range. */
export function typedRef(text: string, from: string, to: string): string | null {
  const input = text.trim();
  if (input === "") return null;
  const side = parseSide(input);
  if (side?.kind === "trace") return side.id;
  if (side) return input;
  return `q:${input}@${from}..${to}`;
}

/** A trace as a set of one, so that it compares with a set. */
export const queryOf = (side: Side): string => (side.kind === "set" ? side.query : `{ trace:id = "${side.id}" }`);

// ---- the merged tree ----

export interface Numbers {
  /** Calls, errors and nanoseconds: of one trace, or the mean of a set's traces. */
  calls: number;
  errors: number;
  duration: number;
  self: number;
  /** Share of a set's traces that have the call; 1 for a trace. */
  share: number;
}

export interface CompareNode {
  /** Index in the list; -1 for none. */
  parent: number;
  depth: number;
  service: string;
  operation: string;
  kind: string;
  change: "both" | "new" | "gone";
  a: Numbers | null;
  b: Numbers | null;
  /** How many nodes the subtree has, itself included; a subtree is a slice of the list. */
  subtree: number;
  /** Paths that were put together: 1, except with align=name. */
  merged: number;
}

export const MEASURES = ["duration", "self", "count"] as const;
export type Measure = (typeof MEASURES)[number];
export const measureName: Record<Measure, string> = { duration: "duration", self: "self time", count: "calls" };

export const valueOf = (n: Numbers | null, by: Measure): number => (n === null ? 0 : by === "count" ? n.calls : n[by]);
export const deltaOf = (node: CompareNode, by: Measure): number => valueOf(node.b, by) - valueOf(node.a, by);

/** traces: how many each side's sums are of. */
export function compareNodes(nodes: MergedNode[], traces: [number, number]): CompareNode[] {
  const numbers = (side: MergedSide | null, of: number): Numbers | null =>
    side && {
      calls: side.calls / of,
      errors: side.errors / of,
      duration: Number(side.durationNano) / of,
      self: Number(side.selfNano) / of,
      share: (side.traces ?? 1) / of,
    };
  const list = nodes.map(({ parent, depth, service, operation, kind, change, a, b }) => ({
    parent, depth, service, operation, kind, change, a: numbers(a, traces[0]), b: numbers(b, traces[1]), subtree: 1, merged: 1,
  }));
  for (let i = list.length - 1; i >= 0; i--) {
    const parent = list[i].parent;
    if (parent >= i) throw new Error(`node ${i} of the merged tree is above its parent`);
    if (parent >= 0) list[parent].subtree += list[i].subtree;
  }
  return list;
}

const nameKey = (service: string, operation: string, kind: string) => `${service}\u0000${operation}\u0000${kind}`;

function added(x: Numbers | null, y: Numbers | null): Numbers | null {
  if (!x || !y) return x ?? y;
  // A share of traces cannot be added up: one that has both paths would count twice. The largest is what is certain.
  return { calls: x.calls + y.calls, errors: x.errors + y.errors, duration: x.duration + y.duration, self: x.self + y.self, share: Math.max(x.share, y.share) };
}

/** The same calls wherever they stand in the tree: service, operation and kind; a flat list. */
export function alignByName(nodes: CompareNode[]): CompareNode[] {
  const found = new Map<string, CompareNode>();
  for (const n of nodes) {
    const key = nameKey(n.service, n.operation, n.kind);
    const old = found.get(key);
    if (!old) found.set(key, { ...n, parent: -1, depth: 0, subtree: 1 });
    else {
      old.a = added(old.a, n.a);
      old.b = added(old.b, n.b);
      old.merged++;
      old.change = old.a && old.b ? "both" : old.a ? "gone" : "new";
    }
  }
  return [...found.values()];
}

/** Indices of nodes as they are shown: siblings by difference, the greatest first, or as they were called. Closed subtrees are left out. */
export function rowsOfTree(nodes: CompareNode[], by: Measure | null, closed: ReadonlySet<number>): number[] {
  const children = new Map<number, number[]>();
  nodes.forEach((n, i) => {
    const list = children.get(n.parent);
    if (list) list.push(i);
    else children.set(n.parent, [i]);
  });
  const rows: number[] = [];
  // From the last to the first, since a stack gives the last first.
  const push = (stack: number[], list: number[] | undefined) => {
    const sorted = list ? (by ? [...list].sort((x, y) => Math.abs(deltaOf(nodes[y], by)) - Math.abs(deltaOf(nodes[x], by)) || x - y) : list) : [];
    for (let i = sorted.length - 1; i >= 0; i--) stack.push(sorted[i]);
  };
  const stack: number[] = [];
  push(stack, children.get(-1));
  while (stack.length > 0) {
    const i = stack.pop() as number;
    rows.push(i);
    if (!closed.has(i)) push(stack, children.get(i));
  }
  return rows;
}

/** Whether the two have anything at the top in common: without that, differences say little. */
export function rootsDiffer(nodes: CompareNode[]): boolean {
  const tops = nodes.filter((n) => n.parent < 0);
  return tops.some((n) => n.a) && tops.some((n) => n.b) && !tops.some((n) => n.a && n.b);
}

/** +12.3 % or −4 %; "only in B", "only in A" where one side has nothing to compare with. */
export function changeText(node: CompareNode, by: Measure): string {
  if (node.change === "new") return "only in B";
  if (node.change === "gone") return "only in A";
  const [a, b] = [valueOf(node.a, by), valueOf(node.b, by)];
  if (a === b) return "0 %";
  if (a === 0) return "from 0";
  const percent = (100 * (b - a)) / a;
  if (percent >= 1000) return `×${(b / a).toFixed(0)}`;
  const size = Math.abs(percent);
  return `${percent > 0 ? "+" : "−"}${size < 10 ? size.toFixed(1) : size.toFixed(0)} %`;
}

/** Rows of a trace by node of the merged tree, in the trace's order. Rows without a node (spans sent twice) are left out. */
export function rowsByNode(s: Skeleton, nodes: CompareNode[]): Map<number, number[]> {
  const childOf = new Map<string, number>();
  nodes.forEach((n, i) => childOf.set(`${n.parent}\u0000${nameKey(n.service, n.operation, n.kind)}`, i));
  const nodeOf = new Int32Array(s.count).fill(-1);
  const rows = new Map<number, number[]>();
  for (let row = 0; row < s.count; row++) {
    const parent = s.parent[row];
    const above = parent < 0 ? -1 : nodeOf[parent];
    if (parent >= 0 && above < 0) continue;
    const node = childOf.get(`${above}\u0000${nameKey(serviceName(s, row), operationName(s, row), KINDS[s.kind[row]] ?? "")}`);
    if (node === undefined) continue;
    nodeOf[row] = node;
    const list = rows.get(node);
    if (list) list.push(row);
    else rows.set(node, [row]);
  }
  return rows;
}

/** What the structure graph draws: the nodes with the greatest differences, and what is above them. */
export function topNodes(nodes: CompareNode[], by: Measure, most: number): Set<number> {
  if (nodes.length <= most) return new Set(nodes.keys());
  const kept = new Set<number>();
  const order = [...nodes.keys()].sort((x, y) => Math.abs(deltaOf(nodes[y], by)) - Math.abs(deltaOf(nodes[x], by)) || x - y);
  for (const i of order) {
    const path: number[] = [];
    for (let at = i; at >= 0 && !kept.has(at); at = nodes[at].parent) path.push(at);
    if (kept.size + path.length <= most) for (const at of path) kept.add(at);
    if (kept.size >= most) break;
  }
  return kept;
}

// ---- as a file ----

/** A field of CSV; an apostrophe keeps spreadsheets from taking a name for a formula. */
export function csvField(value: string | number): string {
  if (typeof value === "number") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function compareCsv(nodes: CompareNode[]): string {
  const head = "depth,service,operation,kind,change,a_calls,b_calls,a_errors,b_errors,a_duration_ns,b_duration_ns,duration_difference_ns,a_self_ns,b_self_ns,self_difference_ns";
  const side = (n: Numbers | null, of: (n: Numbers) => number) => (n ? of(n) : "");
  const lines = nodes.map((n) =>
    [
      n.depth, n.service, n.operation, n.kind, n.change,
      side(n.a, (x) => x.calls), side(n.b, (x) => x.calls),
      side(n.a, (x) => x.errors), side(n.b, (x) => x.errors),
      side(n.a, (x) => x.duration), side(n.b, (x) => x.duration), deltaOf(n, "duration"),
      side(n.a, (x) => x.self), side(n.b, (x) => x.self), deltaOf(n, "self"),
    ].map(csvField).join(","),
  );
  return `${[head, ...lines].join("\r\n")}\r\n`;
}
