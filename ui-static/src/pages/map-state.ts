// SPDX-License-Identifier: Apache-2.0
// What the map asks, and what of it the address chooses: the graph, another range beside it, its steps over time, groups of services.
import { signal } from "@preact/signals";
import { getGraph, getGraphDifference, getGraphSeries, getLatency, getMetric, getStatus, graphUrl, isStopped, type Range } from "../api/client";
import type { GraphAnswer, GraphDifference, GraphProgress, GraphSeries, LatencyRow } from "../api/types";
import { comparedRange, heldOf, type Span } from "../model/change";
import { type Direction, type Graph, HOPS_MAX, type Measure, MEASURES, type Own, type Place, type Shown, type View } from "../model/graph";
import { shareOf } from "../model/lines";
import { mainKind, stepMinutes } from "../model/service";
import { formatRate, plural } from "../model/text";
import { fieldText } from "../model/traceql";
import { param } from "../route";
import { comparedParams, endsOf, secondsOf, spanParams } from "../state/ends";
import { Loader } from "../state/load";
import { currentRange, nowNs, untilNow } from "../state/range";
import { share } from "../state/searching";
import type { GraphView } from "../views/graph";

/** What the parts around a drawing have in common. */
export interface MapParts {
  graph: Graph;
  shown: Shown;
  view: { current: GraphView | null };
  wanted: View;
  seconds: number;
  groups: Map<string, string>;
}

export type Look = "layered" | "radial" | "matrix" | "table";
export const LOOKS: readonly (readonly [Look, string])[] = [
  ["layered", "Layered"],
  ["radial", "Radial"],
  ["matrix", "Matrix"],
  ["table", "Table"],
];
export const look = (): Look => LOOKS.find(([id]) => id === param("view"))?.[0] ?? "layered";

/** Older addresses name them otherwise. */
const OLD_NAMES: Record<string, Measure> = { calls: "rate", errors: "err" };
export const measure = (): Measure => MEASURES.find((m) => m === param("edge")) ?? OLD_NAMES[param("edge")] ?? "rate";

const number = (name: string) => Math.max(0, Number(param(name)) || 0);

export function viewOf(graph: Graph): View {
  const dir = param("dir");
  return {
    focus: graph.nodes.has(param("focus")) ? param("focus") : "",
    hops: Math.max(1, Math.min(HOPS_MAX, Math.floor(number("hops")) || 1)),
    dir: dir === "up" || dir === "down" ? dir : ("both" satisfies Direction),
    onlyErrors: param("only") === "errors",
    top: Math.floor(number("top")),
    min: Math.min(1, number("min") / 100),
    name: param("q"),
    all: param("all") === "1",
    drawn: look() === "layered" || look() === "radial",
  };
}

/** Seconds of the range, if it is known when it begins. */
export const graphSeconds = (a: GraphAnswer): number => secondsOf(a.from ? { from: BigInt(a.from), to: a.to ? BigInt(a.to) : nowNs() } : null);

export const callsText = (calls: number, seconds: number) => (seconds > 0 ? formatRate(calls, seconds) : plural(calls, "call"));

export interface Found {
  graph: GraphAnswer;
  services: Map<string, Own>;
}

/** Are edges along links across traces asked for? */
export const withLinks = (): boolean => param("links") === "1";
/** What the address asks of the graph of a range. */
export const asked = <T extends object>(range: T): T & { links?: "true" } => (withLinks() ? { ...range, links: "true" } : range);

export const found = new Loader<Found>();

/** How far looking links up is, as part of 1 and in traces; null: nobody waits for that. */
export const reading = signal<{ part: number; traces: string } | null>(null);

/** The line under the top bar says it, too, once somebody waits. */
function tell(p: GraphProgress | null): void {
  const part = p ? Math.max(reading.peek()?.part ?? 0, shareOf(p)) : 0;
  reading.value = p && { part, traces: p.scanned.traces };
  share.value = p && p.elapsedMs >= 1000 ? part : null;
}

export const loadGraph = (range: Range): void =>
  void found.run(async (stop) => {
    tell(null);
    try {
      const [graph, services] = await Promise.all([getGraph(asked(untilNow(range)), stop, (p) => stop.aborted || tell(p)), ownOfServices(range, stop)]);
      return { graph, services };
    } finally {
      // Another question has begun where this one was ended.
      if (!stop.aborted) tell(null);
    }
  });

export function stopGraph(): void {
  found.stop();
  tell(null);
}

/** The p95 is of the kind of spans that speaks for each service. Without all this the map is still a map. */
async function ownOfServices(range: Range, stop: AbortSignal): Promise<Map<string, Own>> {
  const found = new Map<string, Own>();
  try {
    const { series } = await getLatency({ ...range, by: "service", q: "0.95" }, stop);
    const rows = new Map<string, LatencyRow[]>();
    for (const r of series) rows.set(r.service, [...(rows.get(r.service) ?? []), r]);
    for (const [service, own] of rows) {
      const value = own.find((r) => r.kind === mainKind(own))?.quantiles["0.95"];
      const answered = own.reduce((sum, r) => sum + (r.kind === "server" || r.kind === "consumer" ? Number(r.calls) : 0), 0);
      found.set(service, { p95: value ? Number(value) : null, answered });
    }
  } catch (error) {
    if (isStopped(error)) throw error;
  }
  return found;
}

// ---- another range, and steps ----

/** seconds: that the calls of both ranges are of. */
export const difference = new Loader<{ answer: GraphDifference; before: Span; seconds: [now: number, before: number] }>();
export const series = new Loader<GraphSeries>();
const REPLAY_STEPS = 60;

export const loadDifference = (range: Range, vs: string): void =>
  void difference.run(async (stop) => {
    const [ends, { oldestUnixNano }] = await Promise.all([endsOf(range, stop), getStatus(stop)]);
    const before = ends && comparedRange(vs, ends, 60_000_000_000n, nowNs());
    if (!ends || !before) return { answer: { edges: [] }, before: { from: 0n, to: 0n }, seconds: [0, 0] };
    const held = (span: Span) => heldOf(span, oldestUnixNano === null ? null : BigInt(oldestUnixNano));
    const answer = await getGraphDifference(asked({ ...spanParams(ends), ...comparedParams(before) }), stop);
    return { answer, before: held(before), seconds: [secondsOf(held(ends)), secondsOf(held(before))] };
  });

export async function stepsParams(range: Range, stop: AbortSignal, steps = REPLAY_STEPS): Promise<{ from: string; to: string; step: string; links?: "true" } | null> {
  const ends = await endsOf(range, stop);
  return ends && asked({ from: String(ends.from), to: String(ends.to), step: `${stepMinutes(ends.from, ends.to, steps)}m` });
}

export const loadSeries = (range: Range): void =>
  void series.run(async (stop) => {
    const params = await stepsParams(range, stop);
    return params ? getGraphSeries(params, stop) : { edges: [], steps: [], stepNano: "0", from: null, to: null };
  });

/** The step of the address: its number, -1 for the whole range. One that is none of them is the first with calls. */
export function stepAt(answer: GraphSeries | null): number {
  const at = param("at");
  if (at === "" || !answer || answer.steps.length === 0) return -1;
  const found = answer.steps.indexOf(`${at}000000000`);
  return found >= 0 ? found : Math.max(0, answer.steps.findIndex((_, i) => answer.edges.some((e) => e.calls[i] !== "0")));
}

// ---- groups ----

/** Resource attributes that services are grouped by; any other one is asked for in the address. */
export const GROUPS = ["service.namespace", "deployment.environment.name", "k8s.namespace.name", "cloud.region", "host.name"];
export const groups = new Loader<{ key: string; groups: Map<string, string> }>();

/** Services by the value that most of their spans have. */
export const loadGroups = (range: Range, key: string): void =>
  void groups.run(async (stop) => {
    const { series } = await getMetric({ ...range, q: `{ } | count_over_time() by (resource.service.name, ${fieldText("resource", key)})` }, stop);
    const most = new Map<string, { value: string; count: number }>();
    for (const s of series) {
      const [service, value] = s.labels.map((l) => l.value ?? "");
      const count = s.points.reduce((sum, [, n]) => sum + n, 0);
      const known = most.get(service);
      if (value !== "" && (!known || count > known.count || (count === known.count && value < known.value))) most.set(service, { value, count });
    }
    return { key, groups: new Map([...most].map(([service, { value }]) => [service, value])) };
  });

// ---- pins ----

const PINS_MAX = 500;
const PINS_KEY = "spoor.map.pins";
type Pins = Record<string, Record<string, [number, number]>>;

function readPins(text: string): Pins {
  try {
    const found = JSON.parse(text) as unknown;
    if (typeof found !== "object" || found === null) return {};
    const fits = (p: unknown): p is [number, number] => Array.isArray(p) && p.length === 2 && p.every((n) => typeof n === "number" && Math.abs(n) < 1e6);
    return Object.fromEntries(Object.entries(found).map(([view, own]) => [view, Object.fromEntries(Object.entries((own ?? {}) as object).filter(([, p]) => fits(p)).slice(0, PINS_MAX))])) as Pins;
  } catch {
    return {};
  }
}

function storedPins(): Pins {
  try {
    return readPins(window.localStorage.getItem(PINS_KEY) ?? "{}");
  } catch {
    return {};
  }
}

const pins = signal<Pins>(storedPins());

/** Where cards were put: of the address, if it says so, or of this browser. */
export function pinsOf(view: string): Map<string, Place> {
  const own = (param("pins") ? readPins(param("pins")) : pins.value)[view] ?? {};
  return new Map(Object.entries(own).map(([id, [x, y]]) => [id, { x, y }]));
}

export function keepPins(view: string, places: Map<string, Place>): void {
  const round = (n: number) => Math.round(n);
  const own = Object.fromEntries([...places].slice(0, PINS_MAX).map(([id, p]): [string, [number, number]] => [id, [round(p.x), round(p.y)]]));
  pins.value = { ...pins.peek(), [view]: own };
  try {
    window.localStorage.setItem(PINS_KEY, JSON.stringify(pins.value));
  } catch {
    // Storage is forbidden in this browser: places last as long as the page.
  }
}

export const pinsText = (view: string, places: Map<string, Place>): string => JSON.stringify({ [view]: Object.fromEntries([...places].map(([id, p]) => [id, [Math.round(p.x), Math.round(p.y)]])) });

/** The API call that the page is made from. */
export const apiOf = (format = "json"): string => graphUrl(asked(untilNow(currentRange())), format);
