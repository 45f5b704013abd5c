// SPDX-License-Identifier: Apache-2.0
// What of the service graph is shown. A drawing has up to 60 services whole; up to 250 the edges with most calls; beyond that nothing until a
// service is in focus. Matrix and table hold any number. Whatever is left out is counted. No DOM.
import type { Change, GraphAnswer, GraphDifference, GraphEdge, GraphLinks, GraphNode, GraphSeries, Quantiles } from "../api/types";
import { formatCount, formatPercent, formatRate, plural } from "./text";
import { formatDuration } from "./time";

export const DRAW_ALL_MAX = 60;
export const DRAW_TOP_MAX = 250;
/** Edges of a drawing that is not whole, if nobody says how many. */
export const TOP = 200;
export const HOPS_MAX = 5;
/** An edge with at least this part of failed calls is drawn as failing. */
export const FAILING = 0.05;

export interface Before {
  callCount: number;
  errorCount: number;
  latency: Quantiles | null;
  /** Calls a second, and how many that makes in as much time as the calls are of that it stands beside. */
  perSecond: number;
  inSameTime: number;
}

export interface Edge extends GraphEdge {
  id: string;
  callCount: number;
  errorCount: number;
  /** Against another range of time: what changed, and what it was; null: there were no calls. */
  change?: Change;
  before?: Before | null;
}

export interface Node extends GraphNode {
  callCount: number;
  errorCount: number;
  /** Of what it answers, nanoseconds; null where it is not known. */
  p95: number | null;
  /** Spans of a service that answer somebody: more than calls of edges when the caller of some is not known. Null: not known, either. */
  answered: number | null;
}

/** What was asked of a service beside its edges. */
export type Own = Pick<Node, "p95" | "answered">;

export interface Graph {
  nodes: Map<string, Node>;
  edges: Edge[];
  calls: number;
}

/** One line of a drawing: all edges from one service to another, of whatever type, the one with most calls first. */
export interface Line {
  id: string;
  client: string;
  server: string;
  edges: Edge[];
  callCount: number;
}

export type Direction = "both" | "up" | "down";

export interface View {
  focus: string;
  hops: number;
  /** up: who calls it; down: whom it calls. */
  dir: Direction;
  onlyErrors: boolean;
  /** Most edges to show; 0: as many as can be read. */
  top: number;
  /** Least part of all calls that an edge has, 0 to 1. */
  min: number;
  /** Part of the name of one of the two services. */
  name: string;
  /** Draw whatever there is. */
  all: boolean;
  /** It is to be a drawing, which can hold less than a matrix or table. */
  drawn: boolean;
}

/** Everything, as far as a drawing can hold it. */
export const WHOLE: View = { focus: "", hops: 1, dir: "both", onlyErrors: false, top: 0, min: 0, name: "", all: false, drawn: true };

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

export const idOf = (e: Pick<GraphEdge, "client" | "server" | "connectionType">): string => JSON.stringify([e.client, e.server, e.connectionType]);

const byCalls = (a: Edge, b: Edge) => b.callCount - a.callCount || (a.id < b.id ? -1 : 1);
/** The type of edges along links across traces. */
export const LINK = "messaging_link";
/** Without what went along links: the same messages are counted on their way over a destination. */
const callsOn = (edges: Edge[]): number => edges.reduce((sum, e) => sum + (e.connectionType === LINK ? 0 : e.callCount), 0);
const graphOf = (nodes: Map<string, Node>, edges: Edge[]): Graph => ({ nodes, edges: edges.sort(byCalls), calls: callsOn(edges) });

/** services: those whose latency was asked for. */
export function readGraph(answer: GraphAnswer, services: Map<string, Own> = new Map()): Graph {
  const nodes = new Map<string, Node>();
  const callers = new Map<string, GraphEdge[]>();
  for (const e of answer.edges) {
    const known = callers.get(e.server);
    if (known) known.push(e);
    else callers.set(e.server, [e]);
  }
  for (const n of answer.nodes) {
    // What sends no spans is known by its callers; quantiles of several of them do not add up.
    const seen = callers.get(n.service) ?? [];
    const p95 = seen.length === 1 ? latencyOf(seen[0], "p95") : null;
    const own = n.type === "service" ? services.get(n.service) : { p95, answered: null };
    nodes.set(n.service, { ...n, callCount: Number(n.calls), errorCount: Number(n.errors), p95: null, answered: null, ...own });
  }
  const edges = answer.edges.filter((e) => nodes.has(e.client) && nodes.has(e.server)).map((e) => ({ ...e, id: idOf(e), callCount: Number(e.calls), errorCount: Number(e.errors) }));
  return graphOf(nodes, edges);
}

/** The graph with what changed; calls that are gone are edges without calls. seconds: that the calls of this range and of the other one are of. */
export function withDifference(graph: Graph, difference: GraphDifference, seconds: [now: number, before: number]): Graph {
  const nodes = new Map(graph.nodes);
  const known = new Map(graph.edges.map((e) => [e.id, e]));
  const seen = (service: string, type: Node["type"]) => {
    if (!nodes.has(service)) nodes.set(service, { service, type, slot: 0, calls: "0", errors: "0", callCount: 0, errorCount: 0, p95: null, answered: null });
  };
  const edges = difference.edges.map((d): Edge => {
    const id = idOf(d);
    seen(d.client, "service");
    seen(d.server, d.connectionType === "database" ? "database" : d.connectionType === "virtual_node" ? "external" : "service");
    const now = known.get(id) ?? { client: d.client, server: d.server, connectionType: d.connectionType, calls: "0", errors: "0", clientLatency: null, serverLatency: null, exemplarTraceId: null, id, callCount: 0, errorCount: 0 };
    if (!d.before) return { ...now, change: d.change, before: null };
    const callCount = Number(d.before.calls);
    const perSecond = callCount / (seconds[1] || 1);
    return { ...now, change: d.change, before: { callCount, errorCount: Number(d.before.errors), latency: d.before.clientLatency ?? d.before.serverLatency ?? null, perSecond, inSameTime: perSecond * (seconds[0] || 1) } };
  });
  return graphOf(nodes, edges);
}

/** The graph of one step: the same services and edges, with the calls of that time. */
export function graphAt(graph: Graph, series: GraphSeries, step: number): Graph {
  const at = new Map(series.edges.map((e) => [idOf(e), e]));
  const counts = new Map<string, { calls: number; errors: number }>();
  const edges = graph.edges.map((e): Edge => {
    const row = at.get(e.id);
    const [calls, errors] = [row?.calls[step] ?? "0", row?.errors[step] ?? "0"];
    const sum = counts.get(e.server) ?? { calls: 0, errors: 0 };
    if (e.connectionType !== LINK) counts.set(e.server, { calls: sum.calls + Number(calls), errors: sum.errors + Number(errors) });
    const latency = (of: GraphSeries["edges"][0]["clientLatency"] | undefined): Quantiles | null => {
      const [p50, p90, p95, p99] = (["p50", "p90", "p95", "p99"] as const).map((q) => of?.[q]?.[step] ?? null);
      return p50 === null || p90 === null || p95 === null || p99 === null ? null : { p50, p90, p95, p99 };
    };
    const before = e.before && { ...e.before, inSameTime: (e.before.perSecond * Number(series.stepNano)) / 1e9 };
    return { ...e, calls, errors, callCount: Number(calls), errorCount: Number(errors), clientLatency: latency(row?.clientLatency), serverLatency: latency(row?.serverLatency), ...(before ? { before } : {}) };
  });
  const nodes = new Map<string, Node>();
  for (const [name, n] of graph.nodes) nodes.set(name, { ...n, callCount: counts.get(name)?.calls ?? 0, errorCount: counts.get(name)?.errors ?? 0, p95: null, answered: null });
  return graphOf(nodes, edges);
}

export function shownOf(graph: Graph, view: View): Shown {
  const near = view.focus && graph.nodes.has(view.focus) ? distancesFrom(graph.edges, view.focus, view.dir, view.hops) : null;
  const wanted = view.name.toLowerCase();
  const named = (e: Edge) => wanted === "" || e.client.toLowerCase().includes(wanted) || e.server.toLowerCase().includes(wanted);
  let edges = graph.edges.filter((e) => (!near || (near.has(e.client) && near.has(e.server))) && named(e));
  if (view.onlyErrors) edges = edges.filter((e) => e.errorCount > 0);
  if (view.min > 0) edges = edges.filter((e) => e.callCount >= view.min * graph.calls);
  const candidates = near ? near.size : graph.nodes.size;
  const large = view.drawn && candidates > DRAW_ALL_MAX && !view.all;
  const tooMany = view.drawn && candidates > DRAW_TOP_MAX && !view.all;
  const top = view.top > 0 ? view.top : large ? TOP : Number.POSITIVE_INFINITY;
  edges = tooMany ? [] : edges.length > top ? edges.slice(0, top) : edges;
  const ends = new Set(edges.flatMap((e) => [e.client, e.server]));
  // Who has no edge at all is shown, too, unless edges were chosen.
  const alone = !large && !view.onlyErrors && view.min === 0 && view.top === 0;
  const fits = (n: Node) => ends.has(n.service) || (alone && (wanted === "" || n.service.toLowerCase().includes(wanted))) || n.service === view.focus;
  const nodes = tooMany ? [] : [...graph.nodes.values()].filter((n) => (!near || near.has(n.service)) && fits(n));
  return {
    nodes,
    edges,
    hiddenNodes: graph.nodes.size - nodes.length,
    hiddenEdges: graph.edges.length - edges.length,
    calls: callsOn(edges),
    tooMany,
  };
}

/** In the order of the edges; a line has the same name whatever its edges count. */
export function linesOf(edges: Edge[]): Line[] {
  const lines = new Map<string, Line>();
  for (const e of edges) {
    const id = JSON.stringify([e.client, e.server]);
    const line = lines.get(id);
    if (!line) lines.set(id, { id, client: e.client, server: e.server, edges: [e], callCount: e.callCount });
    else {
      line.edges.push(e);
      line.callCount += e.callCount;
    }
  }
  return [...lines.values()];
}

/** The edges that share its line. */
export const besides = (edges: Edge[], edge: Edge): Edge[] => edges.filter((e) => e.client === edge.client && e.server === edge.server);

export const isFailing = (e: Edge): boolean => e.errorCount > 0 && e.errorCount >= FAILING * e.callCount;

/** The same services and edges with the numbers of another graph: layouts stay as they are. */
export function withNumbers(shown: Shown, graph: Graph): Shown {
  const edges = new Map(graph.edges.map((e) => [e.id, e]));
  const own = shown.edges.map((e) => edges.get(e.id) ?? e);
  return { ...shown, nodes: shown.nodes.map((n) => graph.nodes.get(n.service) ?? n), edges: own, calls: callsOn(own) };
}

/** How many calls away each service is, up to so many; only along the direction of the calls, or against it, or both. */
export function distancesFrom(edges: Pick<Edge, "client" | "server">[], focus: string, dir: Direction, hops = Number.POSITIVE_INFINITY): Map<string, number> {
  const next = new Map<string, Set<string>>();
  const add = (a: string, b: string) => next.set(a, (next.get(a) ?? new Set()).add(b));
  for (const e of edges) {
    if (dir !== "up") add(e.client, e.server);
    if (dir !== "down") add(e.server, e.client);
  }
  const found = new Map([[focus, 0]]);
  let ring = [focus];
  for (let hop = 1; hop <= hops && ring.length > 0; hop++) {
    const outer: string[] = [];
    for (const from of ring) {
      for (const to of next.get(from) ?? []) {
        if (found.has(to)) continue;
        found.set(to, hop);
        outer.push(to);
      }
    }
    ring = outer;
  }
  return found;
}

/** A quantile as the client saw it; as the server did where no client was seen; null where nobody measured. */
export function latencyOf(e: Pick<GraphEdge, "clientLatency" | "serverLatency">, quantile: keyof Quantiles): number | null {
  const seen = e.clientLatency ?? e.serverLatency;
  return seen ? Number(seen[quantile]) : null;
}

/** "2 calls along 5 links across traces; 2 not stored, 1 in their own trace", and what time did not suffice for. */
export function linksText(links: GraphLinks): string {
  const [seen, calls, own, lost, other, left] = [links.seen, links.resolved, links.sameTrace, links.notFound, links.otherKind, links.notLookedUp].map(Number);
  const rest = [lost ? `${formatCount(lost)} to spans that are not stored` : "", own ? `${formatCount(own)} in their own trace` : "", other ? `${formatCount(other)} to spans that send nothing` : "", left ? `${formatCount(left)} not looked up` : ""].filter((t) => t);
  return `${plural(seen, "link")} of consumers, ${plural(calls, "call")} across traces${rest.length > 0 ? `; ${rest.join(", ")}` : ""}`;
}

/** What edges are labelled and coloured by. */
export const MEASURES = ["rate", "err", "p50", "p95", "p99"] as const;
export type Measure = (typeof MEASURES)[number];

/** Calls, part of failed calls, or nanoseconds; null where there is nothing to say. */
export function measureOf(e: Edge, measure: Measure): number | null {
  if (measure === "rate") return e.callCount;
  if (e.callCount === 0) return null;
  return measure === "err" ? e.errorCount / e.callCount : latencyOf(e, measure);
}

/** To stand beside measureOf(): calls of as much time as those that are shown. */
export function measureBefore(e: Edge, measure: Measure): number | null {
  if (!e.before) return null;
  if (measure === "rate") return e.before.inSameTime;
  if (measure === "err") return e.before.callCount > 0 ? e.before.errorCount / e.before.callCount : null;
  return e.before.latency ? Number(e.before.latency[measure]) : null;
}

/** 1,204 as it is, 123K and 1.2M for what has no room for more. */
export const formatShort = (n: number): string => (n < 100000 ? formatCount(Math.round(n)) : short.format(n));
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });

export function measureText(value: number | null, measure: Measure, seconds: number): string {
  if (value === null) return "–";
  if (measure === "rate") return seconds > 0 ? formatRate(value, seconds) : formatCount(value);
  return measure === "err" ? formatPercent(value, 1) : formatDuration(value);
}

/** What the API's types of edges are called, beside the types of nodes. */
const KINDS: Record<string, string> = { "": "call", messaging_system: "messaging", [LINK]: "link", virtual_node: "seen from one end" };
export const kindOf = (e: Edge): string => KINDS[e.connectionType] ?? e.connectionType;

/** All of an edge in one line: rate, errors, p50, p95 and p99. */
export function edgeLine(e: Edge, seconds: number): string {
  if (e.callCount === 0) return e.change === "gone" ? "no calls any more" : "no calls";
  const quantiles = (["p50", "p95", "p99"] as const).map((q) => `${q} ${formatDuration(latencyOf(e, q))}`);
  return [measureText(e.callCount, "rate", seconds), `${e.errorCount > 0 ? "▲ " : ""}${formatPercent(e.errorCount, e.callCount)} errors`, ...(latencyOf(e, "p50") === null ? [] : quantiles), kindOf(e)].join(" · ");
}

/** Line width of an edge: the logarithm of its calls, 1.25 to 5 pixels. */
export function edgeWidth(calls: number, most: number): number {
  return 1.25 + 3.75 * (Math.log1p(calls) / Math.log1p(Math.max(1, most)));
}

/** Milliseconds that a drawing of so many services and edges may take: dagre needs some 130 for 50 and 120, and 1,300 for 200 and 600; measured: what an earlier one took here. */
export function layoutEstimate(nodes: number, edges: number, measured?: { nodes: number; edges: number; ms: number }): number {
  const usual = (n: number) => 131 * (n / 170) ** 1.5;
  const scale = measured && measured.nodes + measured.edges > 40 ? Math.max(0.2, Math.min(10, measured.ms / usual(measured.nodes + measured.edges))) : 1;
  return scale * usual(nodes + edges);
}

/** "0.2 s", "3 s", "5 min": an estimate has one digit. */
export function estimateText(ms: number): string {
  if (ms < 950) return `${Math.max(0.1, Math.round(ms / 100) / 10)} s`;
  return ms < 57000 ? `${Number((ms / 1000).toPrecision(1))} s` : `${Number((ms / 60000).toPrecision(1))} min`;
}

export interface Place {
  x: number;
  y: number;
}

/** The neighbour to move to with an arrow key: the nearest in that direction, by angle first. */
export function towards(from: Place, others: ({ id: string } & Place)[], direction: "left" | "right" | "up" | "down"): string | null {
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

/** Along the edges of a service where one leads in that direction, to the nearest service otherwise. */
export function walk(current: string, places: Map<string, Place>, edges: Pick<Edge, "client" | "server">[], direction: "left" | "right" | "up" | "down"): string | null {
  const from = places.get(current);
  if (!from) return null;
  const others = [...places].filter(([id]) => id !== current).map(([id, p]) => ({ id, x: p.x, y: p.y }));
  const linked = new Set(edges.flatMap((e) => (e.client === current ? [e.server] : e.server === current ? [e.client] : [])));
  return towards(from, others.filter((o) => linked.has(o.id)), direction) ?? towards(from, others, direction);
}
