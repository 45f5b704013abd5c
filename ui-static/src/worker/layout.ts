// SPDX-License-Identifier: Apache-2.0
// Lays the service graph out in layers, off the main thread: sizes and edges in, positions and polylines out.
import dagre from "@dagrejs/dagre";

export interface LayoutRequest {
  nodes: { id: string; width: number; height: number }[];
  edges: { id: string; from: string; to: string; weight: number }[];
  vertical: boolean;
}

export interface LayoutAnswer {
  nodes: { id: string; x: number; y: number }[];
  edges: { id: string; points: { x: number; y: number }[] }[];
  width: number;
  height: number;
  vertical: boolean;
}

/** Edges with less than this part of the traffic do not pull on the ranks. */
const HEAVY = 0.01;

export function layout(request: LayoutRequest): LayoutAnswer {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: request.vertical ? "TB" : "LR", nodesep: 26, ranksep: 96, edgesep: 14, marginx: 24, marginy: 24 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const n of request.nodes) graph.setNode(n.id, { width: n.width, height: n.height });
  const total = request.edges.reduce((sum, e) => sum + e.weight, 0);
  for (const e of request.edges) {
    if (e.from === e.to) continue;
    const weight = e.weight >= HEAVY * total ? 1 + Math.round(9 * (e.weight / total)) : 0;
    graph.setEdge(e.from, e.to, { weight, minlen: 1 }, e.id);
  }
  dagre.layout(graph);
  const size = graph.graph() as { width?: number; height?: number };
  return {
    nodes: request.nodes.map(({ id }) => {
      const { x, y } = graph.node(id) as { x: number; y: number };
      return { id, x, y };
    }),
    edges: graph.edges().map((e: { v: string; w: string; name?: string }) => {
      const { points } = graph.edge(e) as { points: { x: number; y: number }[] };
      return { id: e.name as string, points };
    }),
    width: size.width ?? 0,
    height: size.height ?? 0,
    vertical: request.vertical,
  };
}

self.addEventListener("message", (event: MessageEvent<LayoutRequest & { ticket: number }>) => {
  const { ticket, ...request } = event.data;
  try {
    self.postMessage({ ticket, answer: layout(request) });
  } catch (error) {
    self.postMessage({ ticket, problem: error instanceof Error ? error.message : String(error) });
  }
});
