// SPDX-License-Identifier: Apache-2.0
// The layout of the service graph: in layers, or in rings around one service. Sizes and edges in, positions and polylines out.
import { Graph, layout as layoutLayers } from "@dagrejs/dagre";
import { layoutRadial, type Ring } from "../model/radial";

export interface LayoutRequest {
  /** A group: what stands in a box with others of it, in layers only. */
  nodes: { id: string; width: number; height: number; group?: string | undefined }[];
  edges: { id: string; from: string; to: string; weight: number }[];
  vertical: boolean;
  /** In rings around this one; "" for the one with most calls. */
  around?: string | undefined;
}

export interface LayoutAnswer {
  nodes: { id: string; x: number; y: number }[];
  edges: { id: string; points: { x: number; y: number }[] }[];
  width: number;
  height: number;
  vertical: boolean;
  rings?: { centre: { x: number; y: number }; rings: Ring[] };
  boxes?: { title: string; x: number; y: number; width: number; height: number }[];
}

/** Edges with less than this part of the traffic do not pull on the ranks: they have a weight that is next to nothing. Not none, since dagre divides by the sum of the weights
 * of a card's edges, and then loses cards where they stand in groups. A power of two: its sums are exact. */
const HEAVY = 0.01;
const LIGHT = 2 ** -10;

const ALONE_GAP = 24;
/** Of the block of services without an edge, width to height. */
const ALONE_ASPECT = 2;

const boxId = (group: string) => `group ${group}`;

function inLayers(request: LayoutRequest): LayoutAnswer {
  const graph = new Graph({ multigraph: true, compound: true });
  graph.setGraph({ rankdir: request.vertical ? "TB" : "LR", nodesep: 26, ranksep: 96, edgesep: 14, marginx: 24, marginy: 24 });
  graph.setDefaultEdgeLabel(() => ({}));
  const groups = [...new Set(request.nodes.flatMap((n) => (n.group ? [n.group] : [])))];
  for (const group of groups) graph.setNode(boxId(group), {});
  for (const n of request.nodes) {
    // A name may be that of a box.
    graph.setNode(`node ${n.id}`, { width: n.width, height: n.height });
    if (n.group) graph.setParent(`node ${n.id}`, boxId(n.group));
  }
  // Calls that are gone weigh nothing.
  const total = Math.max(1, request.edges.reduce((sum, e) => sum + e.weight, 0));
  for (const e of request.edges) {
    if (e.from === e.to) continue;
    const weight = e.weight >= HEAVY * total ? 1 + Math.round(9 * (e.weight / total)) : LIGHT;
    graph.setEdge(`node ${e.from}`, `node ${e.to}`, { weight, minlen: 1 }, e.id);
  }
  layoutLayers(graph);
  const size = graph.graph() as { width?: number; height?: number };
  return {
    nodes: request.nodes.map(({ id }) => {
      const { x, y } = graph.node(`node ${id}`) as { x: number; y: number };
      return { id, x, y };
    }),
    edges: graph.edges().map((e: { v: string; w: string; name?: string }) => {
      const { points } = graph.edge(e) as { points: { x: number; y: number }[] };
      return { id: e.name as string, points };
    }),
    width: size.width ?? 0,
    height: size.height ?? 0,
    vertical: request.vertical,
    boxes: groups.map((title) => {
      const { x, y, width, height } = graph.node(boxId(title)) as { x: number; y: number; width: number; height: number };
      return { title, x: x - width / 2, y: y - height / 2, width, height };
    }),
  };
}

/** Services without an edge stand in rows below the others: in layers they would be one long column. */
function withAlone(request: LayoutRequest): LayoutAnswer {
  const linked = new Set(request.edges.filter((e) => e.from !== e.to).flatMap((e) => [e.from, e.to]));
  const alone = request.nodes.filter((n) => !linked.has(n.id) && !n.group);
  if (alone.length < 2) return inLayers(request);
  const answer = inLayers({ ...request, nodes: request.nodes.filter((n) => !alone.includes(n)), edges: request.edges.filter((e) => !alone.some((n) => n.id === e.from)) });
  const [width, height] = [Math.max(...alone.map((n) => n.width)) + ALONE_GAP, Math.max(...alone.map((n) => n.height)) + ALONE_GAP];
  const room = Math.max(answer.width, request.vertical ? 2 * width : Math.ceil(Math.sqrt(alone.length * ALONE_ASPECT * (height / width))) * width);
  const columns = Math.max(1, Math.min(alone.length, Math.floor(room / width)));
  const top = answer.nodes.length > 0 ? answer.height : ALONE_GAP;
  const nodes = alone.map((n, i) => ({ id: n.id, x: ALONE_GAP + (i % columns) * width + n.width / 2, y: top + Math.floor(i / columns) * height + n.height / 2 }));
  return { ...answer, nodes: [...answer.nodes, ...nodes], width: Math.max(answer.width, ALONE_GAP + columns * width), height: top + Math.ceil(alone.length / columns) * height };
}

export function layout(request: LayoutRequest): LayoutAnswer {
  if (request.around === undefined) return withAlone(request);
  const { nodes, rings, centre, width, height } = layoutRadial(request.nodes, request.edges, request.around);
  return { nodes, edges: [], width, height, vertical: false, rings: { centre, rings } };
}
