// SPDX-License-Identifier: Apache-2.0
// What the Compare page has loaded: the comparison itself, and two whole traces for the tabs that look into them.
import { signal } from "@preact/signals";
import { getColumns, getComparedTraces, getComparison, type Params, search } from "../api/client";
import type { ComparedTrace, ComparedTraces, Comparison } from "../api/types";
import { type CompareNode, compareNodes, type Measure, MEASURES, queryOf, rowsByNode, type Side } from "../model/compare";
import { decodeSkeleton, rowOfSpan, type Skeleton } from "../model/skeleton";
import { go, param, patched } from "../route";
import { Loader } from "./load";

/** Nodes of a merged tree of sets; the server may give ten times as many, which nobody reads. */
export const SET_NODES = 1000;
export const SAMPLES = [1000, 10000, 100000];
export const ROWS_FEW = 20;
export const ROWS_MANY = 1000;

const narrowScreen = window.matchMedia("(max-width: 719px)");
/** A screen of a telephone: less stands beside each other. */
export const narrow = signal(narrowScreen.matches);
narrowScreen.addEventListener("change", () => {
  narrow.value = narrowScreen.matches;
});

// ---- what the address says ----

export const TABS: [string, string][] = [
  ["", "Calls"],
  ["graph", "Structure"],
  ["falls", "Waterfalls"],
  ["attrs", "Attributes"],
  ["spans", "Span A vs B"],
];

export const tabOf = (): string => {
  const wanted = param("tab") || (param("by") === "attrs" ? "attrs" : "");
  return TABS.some(([id]) => id === wanted) ? wanted : "";
};

export const measureOf = (): Measure => MEASURES.find((m) => m === param("by")) ?? "duration";
export const sampleOf = (): number => SAMPLES.find((n) => String(n) === param("traces")) ?? SAMPLES[0];
export const limitOf = (): number => (param("rows") === "all" ? ROWS_MANY : ROWS_FEW);

export function swap(): void {
  go(patched({ a: param("b"), b: param("a"), sa: param("sb"), sb: param("sa") }));
}

// ---- what is loaded ----

export type Answer = ({ of: "traces"; value: ComparedTraces } | { of: "sets"; value: Comparison }) & { nodes: CompareNode[]; key: string };

/** What is compared, as the address says it. */
export const askedKey = (): string => JSON.stringify([param("a"), param("b"), sampleOf(), limitOf()]);

/** Two traces, and which of their rows belong to which node of their merged tree. */
export interface Pair {
  nodes: CompareNode[];
  a: PairSide;
  b: PairSide;
}

export interface PairSide {
  trace: ComparedTrace;
  skeleton: Skeleton;
  rows: Map<number, number[]>;
}

export const answer = new Loader<Answer>();
export const pair = new Loader<Pair>();

/** The question for two sets; a trace beside a set is a set of one. */
export function setParams(a: Side, b: Side, traces: number, limit: number): Params {
  const range = (side: Side) => (side.kind === "set" ? [side.from, side.to] : ["", ""]);
  const [aFrom, aTo] = range(a);
  const [bFrom, bTo] = range(b);
  return { a: queryOf(a), b: queryOf(b), aFrom, aTo, bFrom, bTo, traces, limit, nodes: SET_NODES };
}

export async function compare(key: string, a: Side, b: Side, traces: number, limit: number, stop: AbortSignal): Promise<Answer> {
  if (a.kind === "trace" && b.kind === "trace") {
    const value = await getComparedTraces(a.id, b.id, stop);
    return { key, of: "traces", value, nodes: compareNodes(value.nodes, [1, 1]) };
  }
  const value = await getComparison(setParams(a, b, traces, limit), stop);
  return { key, of: "sets", value, nodes: compareNodes(value.tree?.nodes ?? [], [Math.max(1, value.a.matchedTraces), Math.max(1, value.b.matchedTraces)]) };
}

/** The trace itself, or the newest of a set: something to look at. */
async function traceOf(side: Side, stop: AbortSignal): Promise<string> {
  if (side.kind === "trace") return side.id;
  const found = await search({ q: side.query, from: side.from, to: side.to, limit: 1 }, null, stop);
  if (found.traces.length === 0) throw new Error(`no trace matches ${side.query || "{}"}`);
  return found.traces[0].traceId;
}

export async function loadPair(a: Side, b: Side, known: ComparedTraces | null, stop: AbortSignal): Promise<Pair> {
  const ids = await Promise.all([traceOf(a, stop), traceOf(b, stop)]);
  const [merged, left, right] = await Promise.all([known ?? getComparedTraces(ids[0], ids[1], stop), getColumns(ids[0], stop), getColumns(ids[1], stop)]);
  const nodes = compareNodes(merged.nodes, [1, 1]);
  const side = (trace: ComparedTrace, skeleton: Skeleton): PairSide => ({ trace, skeleton, rows: rowsByNode(skeleton, nodes) });
  return { nodes, a: side(merged.a, decodeSkeleton(left)), b: side(merged.b, decodeSkeleton(right)) };
}

/** The row of the span that the address names on a side; -1: it names none of its own. */
export const rowOfAddress = (name: "a" | "b", side: PairSide): number => (param(`s${name}`) ? rowOfSpan(side.skeleton, param(`s${name}`)) : -1);

/** The node that a row belongs to, and which of its rows it is; null for a span that was sent twice. */
export function placeOf(side: PairSide, row: number): { node: number; at: number } | null {
  for (const [node, rows] of side.rows) {
    const at = rows.indexOf(row);
    if (at >= 0) return { node, at };
  }
  return null;
}

/** The row of the other side that stands in the same place, or the last there is; -1 when it has none. */
export function sameRow(from: PairSide, to: PairSide, row: number): number {
  const place = placeOf(from, row);
  const rows = place ? to.rows.get(place.node) : undefined;
  return place && rows ? rows[Math.min(place.at, rows.length - 1)] : -1;
}
