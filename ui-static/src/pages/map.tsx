// SPDX-License-Identifier: Apache-2.0
// Map: which service calls which, how often, how well. As a drawing in layers or in rings, as a matrix, as a table; of the whole range, of one step of it, or
// beside another range.
import { useEffect, useMemo, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import type { GraphAnswer } from "../api/types";
import { estimateText, type Graph, graphAt, HOPS_MAX, layoutEstimate, linksText, readGraph, type Shown, shownOf, type View, withDifference, withNumbers } from "../model/graph";
import { formatCount, formatPercent, plural } from "../model/text";
import { go, href, param, patched, replace } from "../route";
import { timeText } from "../state/ends";
import { useActions } from "../state/keys";
import { useRetry } from "../state/load";
import { currentRange } from "../state/range";
import { say, sayBroken } from "../state/say";
import { loadStyle } from "../state/style";
import { Away } from "../ui/away";
import { ProblemPanel, useTitle, Waiting } from "../ui/controls";
import type { GraphView, Selection } from "../views/graph";
import { Drawing, lastLayout } from "./map-drawing";
import { NoGraph, NoneLeft, NoPairs, TooMany } from "./map-empty";
import { MapPanel } from "./map-panel";
import { difference, found, groups, loadDifference, loadGraph, loadGroups, loadSeries, look, LOOKS, reading, graphSeconds, series, stepAt, stopGraph, viewOf, withLinks } from "./map-state";
import { EdgeTable } from "./map-table";
import { exportOpened, MapTools } from "./map-tools";

/** Matrix, replay and what the panel asks for: loaded when somebody wants them. */
const more = signal<typeof import("./map-more") | null>(null);
async function loadMore(): Promise<void> {
  try {
    const [found] = await Promise.all([import("./map-more"), loadStyle(MAP_STYLE)]);
    more.value = found;
  } catch {
    sayBroken();
  }
}

export function MapPage() {
  const range = currentRange();
  const load = () => loadGraph(range);
  useTitle(param("focus") ? `${param("focus")} · Map` : "Map");
  useEffect(() => load(), [range.from, range.to, withLinks()]);
  useEffect(() => stopGraph, []);
  const { value, error, loading } = found.state.value;
  useRetry(error, load);
  const graph = useMemo(() => (value ? readGraph(value.graph, value.services) : null), [value]);
  if (error && !value) {
    return (
      <section class="empty">
        <h1>The map cannot be shown</h1>
        <ProblemPanel error={error} retry={load} />
      </section>
    );
  }
  if (!value || !graph) return <Waiting look={/^(matrix|table)$/.test(look()) ? "" : "shows-graph"}>{loading ? "Reading the service graph …" : ""} <Reading /></Waiting>;
  if (graph.nodes.size === 0) return <NoGraph />;
  return (
    <>
      <Away state={found.state.value} retry={load} />
      <MapView graph={graph} value={value.graph} load={load} />
    </>
  );
}

/** The graph with what the address asks for beside it: another range, or one step. */
function useNumbers(graph: Graph): { base: Graph; at: Graph | null; problem: string } {
  const range = currentRange();
  const [vs, replay, group, links] = [param("vs"), param("at") !== "", param("group"), withLinks()];
  useEffect(() => {
    if (vs) loadDifference(range, vs);
  }, [vs, links, range.from, range.to]);
  useEffect(() => {
    if (replay) loadSeries(range);
  }, [replay, links, range.from, range.to]);
  useEffect(() => {
    if (group) loadGroups(range, group);
  }, [group, range.from, range.to]);
  const answer = vs ? difference.state.value.value : null;
  // Nothing there before: then everything is new, which says nothing.
  const other = answer?.answer.edges.some((e) => e.before) ? answer : null;
  const base = useMemo(() => (other ? withDifference(graph, other.answer, other.seconds) : graph), [graph, other]);
  const steps = replay ? series.state.value.value : null;
  const step = stepAt(steps);
  const at = useMemo(() => (steps && step >= 0 ? graphAt(base, steps, step) : null), [base, steps, step]);
  const failed = [vs ? difference.state.value.error : null, replay ? series.state.value.error : null, group ? groups.state.value.error : null].find((e) => e);
  const nothing = answer && !other ? (answer.before.to ? "there are no calls in the range to compare with" : `“${vs}” is no range to compare with: prev, -1d, or from..to`) : "";
  return { base, at, problem: failed ? (failed.problem.detail ?? failed.problem.title) : nothing };
}

function MapView({ graph, value, load }: { graph: Graph; value: GraphAnswer; load: () => void }) {
  const { base, at, problem } = useNumbers(graph);
  const wanted = viewOf(base);
  const key = JSON.stringify(wanted);
  const layers = useMemo(() => shownOf(base, wanted), [base, key]);
  const shown = useMemo(() => (at ? withNumbers(layers, at) : layers), [layers, at]);
  const chosen = param("sel");
  const wished = useMemo(() => selectionOf(chosen), [chosen]);
  const selection = wished && isIn(base, wished) ? wished : null;
  // The other range may have what this one has not.
  const waits = param("vs") && !difference.state.value.value && !difference.state.value.error;
  const setSelection = (to: Selection | null) => replace(patched({ sel: to && `${to.kind}:${to.id}` }));
  const view = useRef<GraphView | null>(null);
  const seconds = at ? Number(series.state.value.value?.stepNano ?? 0) / 1e9 : graphSeconds(value);
  const own = look();
  const replay = param("at") !== "";
  const lazy = own === "matrix" || replay || selection !== null;
  useEffect(() => {
    if (lazy && !more.peek()) void loadMore();
  }, [lazy]);
  const setFocus = (service: string) => go(patched({ focus: service || null, hops: null }));
  useMapKeys(view, {
    hops: () => (wanted.focus ? go(patched({ hops: wanted.hops >= HOPS_MAX ? 1 : wanted.hops + 1 })) : say("Choose a service first: hops count from it")),
    views: () => {
      const next = LOOKS[(LOOKS.findIndex(([id]) => id === own) + 1) % LOOKS.length][0];
      go(patched({ view: next === "layered" ? null : next }));
    },
    close: () => {
      // What is only pointed at, too.
      view.current?.setSelection(null);
      setSelection(null);
    },
    read: load,
  });
  const groupOf = param("group") && groups.state.value.value?.key === param("group") ? groups.state.value.value.groups : NO_GROUPS;
  const Matrix = more.value?.Matrix;
  const Replay = more.value?.Replay;
  const choose = (id: string) => setSelection({ kind: "edge", id });
  return (
    <div class={selection ? "map with-details" : "map"}>
      <div class="map-main">
        <h1 class="offscreen">Service map</h1>
        <MapTools graph={base} shown={shown} view={view} wanted={wanted} seconds={seconds} groups={groupOf} setFocus={setFocus} />
        <Counts graph={base} shown={shown} wanted={wanted} answer={value} />
        {param("focus") && !wanted.focus && !waits ? (
          <p class="banner">
            “{param("focus")}” is no service of this range: the whole map is shown. <a href={patched({ focus: null, hops: null, dir: null })}>Remove the focus</a>
          </p>
        ) : null}
        {chosen && !selection && !waits ? (
          <p class="banner">
            What was chosen is not in this range: {chosen}. <a href={patched({ sel: null })}>Close</a>
          </p>
        ) : null}
        {problem ? <p class="banner">What was asked for besides the graph cannot be shown: {problem}</p> : null}
        {replay && Replay ? <Replay /> : null}
        {base.edges.length === 0 ? <NoPairs graph={base} /> : null}
        {shown.nodes.length === 0 && !shown.tooMany ? (
          <NoneLeft wanted={wanted} />
        ) : own === "table" ? (
          <EdgeTable shown={shown} graph={base} seconds={seconds} groups={groupOf} select={setSelection} />
        ) : own === "matrix" ? (
          Matrix ? <Matrix shown={shown} graph={base} seconds={seconds} groups={groupOf} select={choose} chosen={selection?.kind === "edge" ? selection.id : ""} /> : null
        ) : shown.tooMany ? (
          <TooMany graph={base} seconds={seconds} />
        ) : (
          <Drawing layers={layers} shown={shown} view={view} selection={selection} setSelection={setSelection} setFocus={setFocus} open={(s) => go(href("service", { s, ...currentRange() }))} seconds={seconds} groups={groupOf} focus={wanted.focus} />
        )}
      </div>
      {selection ? (
        <MapPanel selection={selection} graph={at ?? base} seconds={seconds} relativeError={value.relativeError} setSelection={setSelection} setFocus={setFocus} focus={wanted.focus} parts={more.value} />
      ) : null}
    </div>
  );
}

/** sel=node:NAME or edge:ID. */
function selectionOf(text: string): Selection | null {
  const [, kind, id] = /^(node|edge):(.*)$/s.exec(text) ?? [];
  return kind ? { kind: kind as Selection["kind"], id } : null;
}

const isIn = (graph: Graph, { kind, id }: Selection) => (kind === "node" ? graph.nodes.has(id) : graph.edges.some((e) => e.id === id));

const NO_GROUPS = new Map<string, string>();

function Counts({ graph, shown, wanted, answer }: { graph: Graph; shown: Shown; wanted: View; answer: GraphAnswer }) {
  const complete = shown.hiddenNodes === 0 && shown.hiddenEdges === 0;
  const [nodes, edges] = [graph.nodes.size, graph.edges.length];
  const drawn = wanted.drawn;
  const left = [shown.hiddenNodes > 0 ? plural(shown.hiddenNodes, "service") : "", shown.hiddenEdges > 0 ? plural(shown.hiddenEdges, "edge") : ""].filter((t) => t).join(", ");
  const compared = graph.edges.some((e) => e.change) ? difference.state.value.value : null;
  const everything = patched({ all: "1", top: null, min: null, only: null, q: null, focus: null, hops: null, dir: null });
  return (
    <div class="summary">
      <span role="status">
        <b>{complete ? plural(nodes, "service") : `${formatCount(shown.nodes.length)} of ${plural(nodes, "service")}`}</b>, {complete ? plural(edges, "edge") : `${formatCount(shown.edges.length)} of ${plural(edges, "edge")}`}
        {complete ? "" : ` (${formatPercent(shown.calls, graph.calls)} of calls)`} <Reading />
      </span>
      {complete ? null : (
        <span class="hidden-chip">
          hidden: {left}
          {wanted.all && drawn ? null : <a href={everything}>show all{drawn ? ` (≈ ${estimateText(layoutEstimate(nodes, edges, lastLayout.value))})` : ""}</a>}
        </span>
      )}
      {wanted.all ? <a href={patched({ all: null })}>Show what can be read</a> : null}
      {answer.links ? <span>{linksText(answer.links)}</span> : null}
      {answer.links && !answer.links.complete ? <span class="hidden-chip">the time was up before all links were looked at: take a shorter range</span> : null}
      {compared ? <span>compared with {timeText(compared.before.from)} – {timeText(compared.before.to)}{compared.seconds[0] === compared.seconds[1] ? "" : ", in calls a second"}</span> : null}
      <span class="dim">every stored span counted · quantiles ± {(100 * answer.relativeError).toFixed(1)} %{drawn && !shown.tooMany ? " · cards: calls, p95, ▲ errors" : ""}</span>
    </div>
  );
}

function Reading() {
  const now = reading.value;
  return now ? <span class="dim num">{`${formatPercent(now.part, 1)} of the links looked up, ${plural(now.traces, "trace")} read`}</span> : null;
}

interface Keys {
  hops: () => void;
  views: () => void;
  close: () => void;
  read: () => void;
}

function useMapKeys(view: { current: GraphView | null }, keys: Keys): void {
  useActions({
    "all.find": () => document.getElementById("map-find")?.focus(),
    "all.run": keys.read,
    "all.escape": keys.close,
    "map.zoomIn": () => view.current?.zoomBy(1.25),
    "map.zoomOut": () => view.current?.zoomBy(0.8),
    "map.fit": () => view.current?.fit(),
    "map.hops": keys.hops,
    "map.view": keys.views,
    "map.export": () => {
      exportOpened.value++;
    },
  });
}
