// SPDX-License-Identifier: Apache-2.0
// What of the service graph is drawn. Up to 60 services all of it; up to 250 the edges with most calls; beyond that
// nothing until a service is in focus. Whatever is left out is counted. No DOM.
import type { GraphAnswer, GraphEdge, GraphNode, Quantiles } from "../api/types";

export const DRAW_ALL_MAX = 60;
export const DRAW_TOP_MAX = 250;

export interface Edge extends GraphEdge {
  id: string;
  callCount: number;
  errorCount: number;
}

export interface Node extends GraphNode {
  callCount: number;
  errorCount: number;
}

export interface Graph {
  nodes: Map<string, Node>;
  edges: Edge[];
  calls: number;
}

export interface View {
  focus: string;
  hops: number;
  onlyErrors: boolean;
  /** Most edges to draw. */
  top: number;
  /** Draw whatever there is. */
  all: boolean;
}

export interface Shown {
  nodes: Node[];
  edges: Edge[];
  hiddenNodes: number;
  hiddenEdges: number;
  /** Calls on the edges that are shown. */
  calls: number;
  /** More services than a drawing can hold: choose a focus. */
  tooMany: boolean;
}

export function readGraph(answer: GraphAnswer): Graph {
  const nodes = new Map<string, Node>();
  for (const n of answer.nodes) nodes.set(n.service, { ...n, callCount: Number(n.calls), errorCount: Number(n.errors) });
  const edges = answer.edges
    .filter((e) => nodes.has(e.client) && nodes.has(e.server))
    .map((e) => ({
      ...e,
      id: JSON.stringify([e.client, e.server, e.connectionType]),
      callCount: Number(e.calls),
      errorCount: Number(e.errors),
    }))
    .sort((a, b) => b.callCount - a.callCount || (a.id < b.id ? -1 : 1));
  return { nodes, edges, calls: edges.reduce((sum, e) => sum + e.callCount, 0) };
}

export function shownOf(graph: Graph, view: View): Shown {
  const near = view.focus && graph.nodes.has(view.focus) ? neighbourhood(graph, view.focus, view.hops) : null;
  let edges = graph.edges.filter((e) => !near || (near.has(e.client) && near.has(e.server)));
  if (view.onlyErrors) edges = edges.filter((e) => e.errorCount > 0);
  const candidates = near ? near.size : graph.nodes.size;
  const tooMany = candidates > DRAW_TOP_MAX && !view.all;
  if (tooMany) edges = [];
  else if (candidates > DRAW_ALL_MAX && !view.all) edges = edges.slice(0, view.top);
  const ends = new Set(edges.flatMap((e) => [e.client, e.server]));
  const all = [...graph.nodes.values()].filter((n) => !near || near.has(n.service));
  const small = candidates <= DRAW_ALL_MAX || view.all;
  const nodes = tooMany ? [] : all.filter((n) => ends.has(n.service) || (small && !view.onlyErrors) || n.service === view.focus);
  return {
    nodes,
    edges,
    hiddenNodes: graph.nodes.size - nodes.length,
    hiddenEdges: graph.edges.length - edges.length,
    calls: edges.reduce((sum, e) => sum + e.callCount, 0),
    tooMany,
  };
}

/** Services within so many calls of a service, in either direction. */
export function neighbourhood(graph: Graph, focus: string, hops: number): Set<string> {
  const near = new Set([focus]);
  for (let hop = 0; hop < hops; hop++) {
    const edge = [...near];
    for (const e of graph.edges) {
      if (edge.includes(e.client)) near.add(e.server);
      if (edge.includes(e.server)) near.add(e.client);
    }
  }
  return near;
}

/** A quantile as the client saw it; as the server did where no client was seen; null where nobody measured. */
export function latencyOf(e: GraphEdge, quantile: keyof Quantiles): number | null {
  const seen = e.clientLatency ?? e.serverLatency;
  return seen ? Number(seen[quantile]) : null;
}

/** Line width of an edge: the logarithm of its calls, 1.25 to 5 pixels. */
export function edgeWidth(calls: number, most: number): number {
  return 1.25 + 3.75 * (Math.log1p(calls) / Math.log1p(Math.max(1, most)));
}

/** The neighbour to move to with an arrow key: the nearest in that direction, by angle first. */
export function towards(
  from: { x: number; y: number },
  others: { id: string; x: number; y: number }[],
  direction: "left" | "right" | "up" | "down",
): string | null {
  let best: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const o of others) {
    const [dx, dy] = [o.x - from.x, o.y - from.y];
    const along = direction === "left" ? -dx : direction === "right" ? dx : direction === "up" ? -dy : dy;
    const across = Math.abs(direction === "left" || direction === "right" ? dy : dx);
    if (along <= 1) continue;
    const cost = along + 2 * across;
    if (cost < least) {
      least = cost;
      best = o.id;
    }
  }
  return best;
}
