// SPDX-License-Identifier: Apache-2.0
// Where the lines of a graph go, from places of cards. Pure geometry.
import type { Line, Place } from "../model/graph";
import type { LayoutAnswer } from "../worker/layers";

export const NODE_WIDTH = 190;
export const NODE_HEIGHT = 40;
/** Lines between the same two cards stand so far apart where they are straight. */
const APART = 22;

/** Edges leave and enter cards on the sides that face each other, spread so that they do not lie on one another; in
 * between they go where the layout sends them.
 *
 * moved  cards that do not stand where the layout put them: the way that it found for their edges leads elsewhere. */
export function routeLines(lines: Line[], layout: LayoutAnswer, places: Map<string, Place>, moved: Set<string>): Map<string, Place[]> {
  const byId = new Map(lines.map((e) => [e.id, e]));
  const stays = (id: string) => {
    const e = byId.get(id);
    return e !== undefined && !moved.has(e.client) && !moved.has(e.server);
  };
  // A single point in between is the place of a label, not a way around something.
  const inner = new Map(layout.edges.map((e) => [e.id, e.points.length > 3 && stays(e.id) ? e.points.slice(1, -1) : []]));
  const across = layout.vertical ? "x" : "y";
  const ports = new Map<string, { edge: string; at: number }[]>();
  const sideOf = (e: Line, end: "client" | "server") => {
    const [a, b] = [places.get(e.client), places.get(e.server)];
    const forward = !a || !b || (layout.vertical ? b.y >= a.y : b.x >= a.x);
    return { service: e[end], side: (end === "client") === forward ? 1 : -1 };
  };
  const key = ({ service, side }: { service: string; side: number }) => `${side} ${service}`;
  for (const e of lines) {
    for (const end of ["client", "server"] as const) {
      const way = [...(inner.get(e.id) ?? [])];
      const other = end === "client" ? (way[0] ?? places.get(e.server)) : (way.at(-1) ?? places.get(e.client));
      const list = ports.get(key(sideOf(e, end))) ?? [];
      list.push({ edge: `${end} ${e.id}`, at: other?.[across] ?? 0 });
      ports.set(key(sideOf(e, end)), list);
    }
  }
  const offset = new Map<string, number>();
  const room = (layout.vertical ? NODE_WIDTH : NODE_HEIGHT) - 16;
  for (const list of ports.values()) {
    list.sort((a, b) => a.at - b.at);
    const step = Math.min(layout.vertical ? 24 : 9, room / Math.max(1, list.length - 1));
    list.forEach((port, i) => offset.set(port.edge, (i - (list.length - 1) / 2) * step));
  }
  const port = (e: Line, end: "client" | "server"): Place => {
    const { service, side } = sideOf(e, end);
    const at = places.get(service) ?? { x: 0, y: 0 };
    const by = offset.get(`${end} ${e.id}`) ?? 0;
    return layout.vertical ? { x: at.x + by, y: at.y + (side * NODE_HEIGHT) / 2 } : { x: at.x + (side * NODE_WIDTH) / 2, y: at.y + by };
  };
  return new Map(lines.filter((e) => e.client !== e.server).map((e): [string, Place[]] => [e.id, [port(e, "client"), ...(inner.get(e.id) ?? []), port(e, "server")]]));
}

/** Straight from card to card: begin, a point that bends it where another leads back, end. */
export function straightLines(lines: Line[], places: Map<string, Place>): Map<string, Place[]> {
  const pair = (e: Line) => JSON.stringify([e.client, e.server].sort());
  const between = new Map<string, Line[]>();
  for (const e of lines) between.set(pair(e), [...(between.get(pair(e)) ?? []), e]);
  const routed = new Map<string, Place[]>();
  for (const e of lines) {
    const [a, b] = [places.get(e.client), places.get(e.server)];
    if (!a || !b || e.client === e.server) continue;
    const all = between.get(pair(e)) ?? [e];
    const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
    // The same side for both directions of a pair, whichever is asked.
    const turn = e.client < e.server ? 1 : -1;
    const by = turn * (all.indexOf(e) - (all.length - 1) / 2) * APART;
    const middle = { x: (a.x + b.x) / 2 - ((b.y - a.y) / length) * by, y: (a.y + b.y) / 2 + ((b.x - a.x) / length) * by };
    routed.set(e.id, [onCard(a, middle), middle, onCard(b, middle)]);
  }
  return routed;
}

/** Where a line from the middle of a card leaves it. */
function onCard(card: Place, to: Place): Place {
  const [dx, dy] = [to.x - card.x, to.y - card.y];
  const share = Math.min(NODE_WIDTH / 2 / Math.max(1e-6, Math.abs(dx)), NODE_HEIGHT / 2 / Math.max(1e-6, Math.abs(dy)), 1);
  return { x: card.x + dx * share, y: card.y + dy * share };
}

/** A call of a service to itself: a loop over its right upper corner. */
export function loopAt(at: Place): Place[] {
  const [right, top] = [at.x + NODE_WIDTH / 2, at.y - NODE_HEIGHT / 2];
  return [
    { x: right - 50, y: top },
    { x: right - 46, y: top - 18 },
    { x: right - 22, y: top - 18 },
    { x: right - 18, y: top },
  ];
}

/** A line through the points that leaves and enters them along the direction of the layers. */
export function smooth(points: Place[], vertical: boolean): string {
  let d = `M${points[0].x} ${points[0].y}`;
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    const [mx, my] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
    d += vertical ? `C${a.x} ${my} ${b.x} ${my} ${b.x} ${b.y}` : `C${mx} ${a.y} ${mx} ${b.y} ${b.x} ${b.y}`;
  }
  return d;
}

/** A point just before the end, in the direction in which the line comes in. */
export function before(points: Place[], vertical: boolean): Place {
  const [from, end] = [points[points.length - 2], points[points.length - 1]];
  return vertical ? { x: end.x, y: end.y - Math.sign(end.y - from.y) } : { x: end.x - Math.sign(end.x - from.x), y: end.y };
}

export function middleOf(points: Place[]): Place {
  const at = Math.floor(points.length / 2);
  if (points.length % 2 === 1) return points[at];
  const [a, b] = [points[at - 1], points[at]];
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

/** A label: the middle of its first row, half of its width, and how far down its last row is. */
export interface Label extends Place {
  half: number;
  below: number;
}

/** Height of a row of a label with the space around it. */
export const LABEL_HEIGHT = 17;
/** So much of a label's end, which is empty, may lie on a card: between two cards there is often no more room. */
const MARGIN = 8;
/** A label that is further from its line says nothing. */
const ROWS_AWAY = 3;

/** The row nearest to where a label is wanted in which it lies on no other label and on no card; null: there is none. */
export function freeRow(wanted: Label, labels: Label[], cards: Iterable<Place>): number | null {
  const all = [...cards];
  for (let i = 0; i <= 2 * ROWS_AWAY; i++) {
    const y = wanted.y + (i % 2 ? 1 : -1) * Math.ceil(i / 2) * LABEL_HEIGHT;
    const taken = labels.some((l) => Math.abs(l.x - wanted.x) < l.half + wanted.half && y - l.y < l.below + LABEL_HEIGHT && l.y - y < wanted.below + LABEL_HEIGHT);
    const covered = all.some((c) => Math.abs(c.x - wanted.x) < NODE_WIDTH / 2 + wanted.half - MARGIN && y - c.y < (NODE_HEIGHT + LABEL_HEIGHT) / 2 && c.y - y < wanted.below + (NODE_HEIGHT + LABEL_HEIGHT) / 2);
    if (!taken && !covered) return y;
  }
  return null;
}

/** A smooth line through the points, straight at both ends. */
export function curve(points: Place[]): string {
  const [first, ...rest] = points;
  let d = `M${first.x} ${first.y}`;
  for (let i = 0; i < rest.length - 1; i++) {
    const [a, b] = [rest[i], rest[i + 1]];
    const last = i === rest.length - 2;
    const end = last ? b : { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    d += `Q${a.x} ${a.y} ${end.x} ${end.y}`;
  }
  return d;
}

export function arrow(points: Place[], width: number): string {
  const end = points[points.length - 1];
  const last = points[points.length - 2] ?? end;
  const angle = Math.atan2(end.y - last.y, end.x - last.x);
  const length = 6 + width * 1.2;
  const wing = (turn: number) => `${(end.x - length * Math.cos(angle + turn)).toFixed(1)} ${(end.y - length * Math.sin(angle + turn)).toFixed(1)}`;
  return `M${end.x} ${end.y}L${wing(0.45)}L${wing(-0.45)}z`;
}
