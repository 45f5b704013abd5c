// SPDX-License-Identifier: Apache-2.0
// Map: which service calls which, how often, how well. The drawing, or the same as a table.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { getGraph, graphUrl } from "../api/client";
import type { GraphAnswer } from "../api/types";
import { curlOf } from "../model/curl";
import { DRAW_ALL_MAX, type Edge, type Graph, latencyOf, type Node, readGraph, type Shown, shownOf } from "../model/graph";
import { formatCount, formatPercent, formatRate, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { go, param, patched, replace } from "../route";
import { useActions } from "../state/keys";
import { Loader } from "../state/load";
import { dark } from "../state/prefs";
import { currentRange, nowNs, rangeLabel } from "../state/range";
import { say } from "../state/say";
import { CopyButton, Popover, ProblemPanel } from "../ui/controls";
import { Icon } from "../ui/icons";
import { GraphView, NODE_HEIGHT, NODE_WIDTH, type Selection } from "../views/graph";
import { askLayout } from "../views/layouter";
import { EdgeTable } from "./map-table";
import { MapPanel } from "./map-panel";

const answer = new Loader<GraphAnswer>();
const NARROW = 720;
const TOP = 200;
const HOPS_MAX = 5;

const METRICS: [string, string][] = [
  ["calls", "calls"],
  ["errors", "errors"],
  ["p50", "p50"],
  ["p95", "p95"],
  ["p99", "p99"],
];

/** Seconds of the range, if it has two ends. */
export function secondsOf(a: GraphAnswer): number {
  const from = a.from ? BigInt(a.from) : null;
  const to = a.to ? BigInt(a.to) : nowNs();
  return from === null ? 0 : Number(to - from) / 1e9;
}

export const callsText = (calls: number, seconds: number) => (seconds > 0 ? formatRate(calls, seconds) : plural(calls, "call"));

function edgeLabel(e: Edge, metric: string, seconds: number): string {
  if (metric === "errors") return formatPercent(e.errorCount, e.callCount);
  if (metric === "p50" || metric === "p95" || metric === "p99") return formatDuration(latencyOf(e, metric));
  return seconds > 0 ? formatRate(e.callCount, seconds) : formatCount(e.callCount);
}

export function MapPage() {
  const range = currentRange();
  useEffect(() => {
    document.title = "Map · Spoor";
    void answer.run((stop) => getGraph(range, stop));
  }, [range.from, range.to]);
  const { value, error, loading } = answer.state.value;
  const graph = useMemo(() => (value ? readGraph(value) : null), [value]);
  if (error) {
    return (
      <section class="empty">
        <h1>The map cannot be shown</h1>
        <ProblemPanel error={error} retry={() => void answer.run((stop) => getGraph(range, stop))} />
      </section>
    );
  }
  if (!value || !graph) return <div class="trace-loading" role="status">{loading ? "Reading the service graph …" : ""}</div>;
  if (graph.nodes.size === 0) return <NoGraph />;
  return <MapView graph={graph} value={value} />;
}

function NoGraph() {
  const { from, to } = currentRange();
  return (
    <section class="empty">
      <h1>No service in this range</h1>
      <p>The map is drawn from stored spans: from each client span and the server span below it.</p>
      {from || to ? (
        <p>
          <a href={patched({ from: null, to: null })}>Show all time</a>
        </p>
      ) : null}
    </section>
  );
}

function MapView({ graph, value }: { graph: Graph; value: GraphAnswer }) {
  const focus = graph.nodes.has(param("focus")) ? param("focus") : "";
  const hops = Math.max(1, Math.min(HOPS_MAX, Number(param("hops")) || 1));
  const onlyErrors = param("only") === "errors";
  const all = param("all") === "1";
  const table = param("view") === "table";
  const metric = METRICS.some(([m]) => m === param("edge")) ? param("edge") : "calls";
  const seconds = secondsOf(value);
  const shown = useMemo(() => shownOf(graph, { focus, hops, onlyErrors, top: TOP, all }), [graph, focus, hops, onlyErrors, all]);
  const [selection, setSelection] = useState<Selection | null>(null);
  const view = useRef<GraphView | null>(null);
  const setFocus = (service: string) => go(patched({ focus: service || null, hops: null }));
  useMapKeys(view, {
    hops: () => (focus ? go(patched({ hops: hops >= HOPS_MAX ? 1 : hops + 1 })) : say("Choose a service first: hops count from it")),
    views: () => go(patched({ view: table ? null : "table" })),
    close: () => setSelection(null),
    read: () => void answer.run((stop) => getGraph(currentRange(), stop)),
  });
  return (
    <div class={selection ? "map with-details" : "map"}>
      <div class="map-main">
        <h1 class="offscreen">Service map</h1>
        <div class="map-tools">
          <FindService graph={graph} setFocus={setFocus} />
          {focus ? (
            <>
              <span class="chip" aria-current="true">
                focus: {focus}
                <a class="chip-close" href={patched({ focus: null, hops: null })} aria-label="Remove the focus">
                  <Icon name="close" />
                </a>
              </span>
              <label class="field">
                hops
                <select value={String(hops)} onChange={(e) => go(patched({ hops: e.currentTarget.value === "1" ? null : e.currentTarget.value }))}>
                  {Array.from({ length: HOPS_MAX }, (_, i) => (
                    <option key={i} value={String(i + 1)}>
                      {i + 1}
                    </option>
                  ))}
                </select>
              </label>
            </>
          ) : null}
          {table ? null : (
            <label class="field">
              edges
              <select value={metric} onChange={(e) => replace(patched({ edge: e.currentTarget.value === "calls" ? null : e.currentTarget.value }))}>
                {METRICS.map(([id, name]) => (
                  <option key={id} value={id}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
          )}
          <button type="button" class="button toggle" aria-pressed={onlyErrors} onClick={() => go(patched({ only: onlyErrors ? null : "errors" }))}>
            Only errors
          </button>
          <span class="button-group" role="group" aria-label="View">
            <button type="button" class="button toggle" aria-pressed={!table} onClick={() => go(patched({ view: null }))}>
              Graph
            </button>
            <button type="button" class="button toggle" aria-pressed={table} onClick={() => go(patched({ view: "table" }))}>
              Table
            </button>
          </span>
          <span class="spring" />
          <Export view={view} table={table || shown.tooMany} />
          <CopyButton text={() => curlOf(graphUrl(currentRange(), "json"))} what="curl command" icon="terminal" />
        </div>
        <Counts graph={graph} shown={shown} all={all} relativeError={value.relativeError} />
        {table ? (
          <EdgeTable edges={shown.edges} graph={graph} seconds={seconds} select={(id) => setSelection({ kind: "edge", id })} />
        ) : shown.tooMany ? (
          <TooMany graph={graph} seconds={seconds} />
        ) : (
          <Drawing shown={shown} view={view} selection={selection} setSelection={setSelection} setFocus={setFocus} label={(e) => edgeLabel(e, metric, seconds)} labelKey={metric} line={(n) => callsText(n.callCount, seconds)} />
        )}
      </div>
      {selection ? (
        <MapPanel selection={selection} graph={graph} value={value} setSelection={setSelection} setFocus={setFocus} focus={focus} />
      ) : null}
    </div>
  );
}

function FindService({ graph, setFocus }: { graph: Graph; setFocus: (service: string) => void }) {
  return (
    <span class="find">
      <Icon name="search" />
      <input
        id="map-find"
        list="map-services"
        placeholder="Find service"
        aria-label="Find a service and put it in focus"
        autocomplete="off"
        onChange={(event) => {
          const name = event.currentTarget.value;
          if (!graph.nodes.has(name)) return;
          event.currentTarget.value = "";
          setFocus(name);
        }}
      />
      <datalist id="map-services">
        {[...graph.nodes.keys()].sort().map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </span>
  );
}

function Counts({ graph, shown, all, relativeError }: { graph: Graph; shown: Shown; all: boolean; relativeError: number }) {
  const complete = shown.hiddenNodes === 0 && shown.hiddenEdges === 0;
  const [nodes, edges] = [graph.nodes.size, graph.edges.length];
  return (
    <div class="summary" role="status">
      <span>
        <b>{complete ? plural(nodes, "service") : `${formatCount(shown.nodes.length)} of ${plural(nodes, "service")}`}</b>, {complete ? plural(edges, "edge") : `${formatCount(shown.edges.length)} of ${plural(edges, "edge")}`}
        {complete ? "" : ` (${formatPercent(shown.calls, graph.calls)} of calls)`}
      </span>
      <span class="dim">every stored span counted · quantiles ± {(100 * relativeError).toFixed(1)} %</span>
      {!complete && !all && nodes > DRAW_ALL_MAX ? <a href={patched({ all: "1" })}>Show all</a> : null}
      {all ? <a href={patched({ all: null })}>Show the top {TOP}</a> : null}
    </div>
  );
}

/** More services than a readable drawing holds: begin with one of them. */
function TooMany({ graph, seconds }: { graph: Graph; seconds: number }) {
  const top = (key: (n: Node) => number) => [...graph.nodes.values()].sort((a, b) => key(b) - key(a)).slice(0, 20);
  const list = (title: string, nodes: Node[], value: (n: Node) => string) => (
    <section>
      <h2>{title}</h2>
      <ol>
        {nodes.map((n) => (
          <li key={n.service}>
            <a href={patched({ focus: n.service })}>{n.service}</a> <span class="dim num">{value(n)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
  return (
    <div class="too-many">
      <p>
        {plural(graph.nodes.size, "service")} are too many for one readable drawing. Choose one to begin with, or see the table.
      </p>
      <div class="columns">
        {list("Most calls", top((n) => n.callCount), (n) => callsText(n.callCount, seconds))}
        {list("Most errors", top((n) => n.errorCount).filter((n) => n.errorCount > 0), (n) => plural(n.errorCount, "error"))}
      </div>
    </div>
  );
}

interface DrawingProps {
  shown: Shown;
  view: { current: GraphView | null };
  selection: Selection | null;
  setSelection: (selection: Selection | null) => void;
  setFocus: (service: string) => void;
  label: (edge: Edge) => string;
  labelKey: string;
  line: (node: Node) => string;
}

function Drawing({ shown, view, selection, setSelection, setFocus, label, labelKey, line }: DrawingProps) {
  const host = useRef<HTMLDivElement>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (!host.current) return;
    const drawn = new GraphView(host.current, dark.peek(), { select: setSelection, focus: setFocus });
    view.current = drawn;
    return () => {
      drawn.stop();
      view.current = null;
    };
  }, []);
  useEffect(() => {
    let current = true;
    askLayout({
      nodes: shown.nodes.map((n) => ({ id: n.service, width: NODE_WIDTH, height: NODE_HEIGHT })),
      edges: shown.edges.map((e) => ({ id: e.id, from: e.client, to: e.server, weight: e.callCount })),
      vertical: window.innerWidth < NARROW,
    }).then(
      (layout) => {
        if (!current) return;
        setProblem("");
        view.current?.draw(shown, layout, label, line, dark.value);
      },
      (error: Error) => current && setProblem(error.message),
    );
    return () => {
      current = false;
    };
  }, [shown, labelKey, dark.value]);
  useEffect(() => view.current?.setSelection(selection), [selection]);
  return (
    <div class="drawing">
      {problem ? <p class="banner">The graph could not be laid out ({problem}). The table has the same data.</p> : null}
      <div class="graph-host" ref={host} />
      <span class="zoom-buttons button-group" role="group" aria-label="Zoom">
        <button type="button" class="button square" aria-label="Zoom out" title="Zoom out (−)" onClick={() => view.current?.zoomBy(0.8)}>
          −
        </button>
        <button type="button" class="button square" aria-label="Zoom in" title="Zoom in (+)" onClick={() => view.current?.zoomBy(1.25)}>
          +
        </button>
        <button type="button" class="button" title="Fit (0)" onClick={() => view.current?.fit()}>
          Fit
        </button>
      </span>
    </div>
  );
}

const FORMATS: [string, string, string][] = [
  ["json", "JSON", "json"],
  ["dot", "Graphviz DOT", "dot"],
  ["graphml", "GraphML", "graphml"],
  ["csv", "CSV", "csv"],
  ["mermaid", "Mermaid", "mmd"],
];

function Export({ view, table }: { view: { current: GraphView | null }; table: boolean }) {
  const range = currentRange();
  const saveSvg = () => {
    const file = view.current?.toFile(`Service map, ${rangeLabel("utc")}`);
    if (!file) return;
    const address = URL.createObjectURL(new Blob([file], { type: "image/svg+xml" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = "service-map.svg";
    link.click();
    URL.revokeObjectURL(address);
  };
  return (
    <Popover
      label={
        <>
          <Icon name="export" />
          Export
        </>
      }
      title="Export the graph"
      class="right"
    >
      {(close) => (
        <div class="export">
          <p class="dim">The whole graph of the time range</p>
          {FORMATS.map(([format, name, extension]) => (
            <span class="export-row" key={format}>
              <a class="option" href={graphUrl(range, format)} download={`service-map.${extension}`} onClick={close}>
                {name}
              </a>
              <CopyButton text={() => curlOf(graphUrl(range, format))} what={`curl command for ${name}`} icon="terminal" />
            </span>
          ))}
          {table ? null : (
            <>
              <p class="dim">The drawing as it is shown</p>
              <button
                type="button"
                class="option"
                onClick={() => {
                  saveSvg();
                  close();
                }}
              >
                SVG
              </button>
            </>
          )}
        </div>
      )}
    </Popover>
  );
}

function useMapKeys(view: { current: GraphView | null }, actions: { hops: () => void; views: () => void; close: () => void; read: () => void }): void {
  useActions({
    "all.find": () => document.getElementById("map-find")?.focus(),
    "all.run": actions.read,
    "all.escape": actions.close,
    "map.zoomIn": () => view.current?.zoomBy(1.25),
    "map.zoomOut": () => view.current?.zoomBy(0.8),
    "map.fit": () => view.current?.fit(),
    "map.hops": actions.hops,
    "map.view": actions.views,
  });
}
