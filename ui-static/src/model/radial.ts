// SPDX-License-Identifier: Apache-2.0
// Services around one of them: one ring for each call that they are away. Cards do not lie on each other, whatever their number. No DOM.
import { distancesFrom } from "./graph";

export interface RadialNode {
  id: string;
  width: number;
  height: number;
}

interface RadialEdge {
  from: string;
  to: string;
  weight: number;
}

export interface Ring {
  rx: number;
  ry: number;
  /** Calls away; -1: no way leads there. */
  hops: number;
}

export interface Radial {
  nodes: { id: string; x: number; y: number }[];
  rings: Ring[];
  centre: { x: number; y: number };
  width: number;
  height: number;
}

/** Cards are wide and low, so the rings are ellipses. */
const ASPECT = 1.7;
const GAP = { x: 14, y: 14 };
/** Beside, above and below a card of another ring there is room for the line between them, and for what it is labelled by. */
const LINE_GAP = { x: 76, y: 44 };
const RING_GAP = 84;
const GROWTH = 16;
const MARGIN = 24;

type Placed = RadialNode & { x: number; y: number };

export function layoutRadial(nodes: RadialNode[], edges: RadialEdge[], wanted: string): Radial {
  const links = edges.filter((e) => e.from !== e.to).map((e) => ({ client: e.from, server: e.to }));
  const centre = nodes.find((n) => n.id === wanted)?.id ?? busiest(nodes, edges);
  const far = distancesFrom(links, centre, "both");
  const most = Math.max(0, ...nodes.map((n) => far.get(n.id) ?? 0));
  const ringOf = (n: RadialNode) => far.get(n.id) ?? most + 1;
  const angle = anglesOf(nodes, edges, centre, far);
  const placed: Placed[] = [];
  const rings: Ring[] = [];
  let ry = 0;
  for (let ring = 0; ring <= most + 1; ring++) {
    const own = nodes.filter((n) => ringOf(n) === ring);
    if (own.length === 0) continue;
    if (ring > 0) ry += RING_GAP;
    const at = (n: RadialNode): Placed => {
      const turn = angle.get(n.id) ?? 0;
      return { ...n, x: ASPECT * ry * Math.sin(turn), y: -ry * Math.cos(turn) };
    };
    let here = own.map(at);
    while (overlap(here, placed)) {
      ry += GROWTH;
      here = own.map(at);
    }
    placed.push(...here);
    if (ring > 0) rings.push({ rx: ASPECT * ry, ry, hops: ring > most ? -1 : ring });
  }
  return moved(placed, rings);
}

/** So that the least coordinates are the margin. */
function moved(placed: Placed[], rings: Ring[]): Radial {
  const left = Math.min(0, ...placed.map((p) => p.x - p.width / 2)) - MARGIN;
  const top = Math.min(0, ...placed.map((p) => p.y - p.height / 2)) - MARGIN;
  const right = Math.max(0, ...placed.map((p) => p.x + p.width / 2)) + MARGIN;
  const bottom = Math.max(0, ...placed.map((p) => p.y + p.height / 2)) + MARGIN;
  return { nodes: placed.map((p) => ({ id: p.id, x: p.x - left, y: p.y - top })), rings, centre: { x: -left, y: -top }, width: right - left, height: bottom - top };
}

function busiest(nodes: RadialNode[], edges: RadialEdge[]): string {
  const calls = new Map<string, number>();
  for (const e of edges) for (const id of [e.from, e.to]) calls.set(id, (calls.get(id) ?? 0) + e.weight);
  return [...nodes].sort((a, b) => (calls.get(b.id) ?? 0) - (calls.get(a.id) ?? 0) || (a.id < b.id ? -1 : 1))[0]?.id ?? "";
}

/** Who stands where around the centre, clockwise from the top: each under the one it hangs on, with as much room as it has leaves. Callees of the centre are
 * on the right, callers on the left. */
function anglesOf(nodes: RadialNode[], edges: RadialEdge[], centre: string, far: Map<string, number>): Map<string, number> {
  const kids = new Map<string, string[]>();
  const heaviest = new Map<string, { id: string; weight: number }>();
  const calls = new Set(edges.filter((e) => e.from === centre).map((e) => e.to));
  const offer = (id: string, above: string, weight: number) => {
    const [own, other] = [far.get(id), far.get(above)];
    const known = heaviest.get(id);
    if (own !== undefined && other === own - 1 && (!known || weight > known.weight || (weight === known.weight && above < known.id))) heaviest.set(id, { id: above, weight });
  };
  for (const e of edges) {
    offer(e.to, e.from, e.weight);
    offer(e.from, e.to, e.weight);
  }
  const order = [...nodes].sort((a, b) => Number(calls.has(b.id)) - Number(calls.has(a.id)) || (a.id < b.id ? -1 : 1));
  for (const n of order) {
    const above = heaviest.get(n.id)?.id;
    if (above !== undefined) kids.set(above, [...(kids.get(above) ?? []), n.id]);
  }
  const leaves = new Map<string, number>();
  const inner = [...nodes].filter((n) => far.has(n.id)).sort((a, b) => (far.get(b.id) ?? 0) - (far.get(a.id) ?? 0));
  for (const n of inner) leaves.set(n.id, Math.max(1, (kids.get(n.id) ?? []).reduce((sum, id) => sum + (leaves.get(id) ?? 1), 0)));
  const angle = new Map<string, number>();
  const spread = (ids: string[], from: number, to: number) => {
    const all = ids.reduce((sum, id) => sum + (leaves.get(id) ?? 1), 0);
    let at = from;
    return ids.map((id) => {
      const width = ((to - from) * (leaves.get(id) ?? 1)) / Math.max(1, all);
      angle.set(id, at + width / 2);
      at += width;
      return { id, from: at - width, to: at };
    });
  };
  let parts = [{ id: centre, from: 0, to: 2 * Math.PI }];
  while (parts.length > 0) parts = parts.flatMap((p) => spread(kids.get(p.id) ?? [], p.from, p.to));
  spread(nodes.filter((n) => !far.has(n.id)).map((n) => n.id), 0, 2 * Math.PI);
  return angle;
}

/** Whether cards of one ring lie on each other or on those of the rings inside of it. */
function overlap(some: Placed[], others: Placed[]): boolean {
  const hit = (a: Placed, b: Placed, gap: { x: number; y: number }) => Math.abs(a.x - b.x) < (a.width + b.width) / 2 + gap.x && Math.abs(a.y - b.y) < (a.height + b.height) / 2 + gap.y;
  return some.some((a, i) => others.some((b) => hit(a, b, LINE_GAP)) || some.slice(0, i).some((b) => hit(a, b, GAP)));
}
