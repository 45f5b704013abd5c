// SPDX-License-Identifier: Apache-2.0
// What is known of one service or one edge of the map.
import { useRef } from "preact/hooks";
import type { Quantiles } from "../api/types";
import { changeText } from "../model/change";
import { besides, type Edge, type Graph, kindOf, latencyOf, type Node } from "../model/graph";
import { formatCount, formatPercent, formatRate, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { quote } from "../model/traceql";
import { href } from "../route";
import { currentRange } from "../state/range";
import { Drawer, Marked, Share } from "../ui/controls";
import { NodeName } from "../ui/graph-parts";
import type { Selection } from "../views/graph";
import { beforeCalls } from "./map-drawing";
import { callsText } from "./map-state";

interface Props {
  selection: Selection;
  graph: Graph;
  seconds: number;
  relativeError: number;
  focus: string;
  setSelection: (selection: Selection | null) => void;
  setFocus: (service: string) => void;
  /** What it did over time and its calls, when that part is loaded. */
  parts: typeof import("./map-more") | null;
}

export function MapPanel(props: Props) {
  const { selection, graph, setSelection } = props;
  const box = useRef<HTMLDivElement>(null);
  const node = selection.kind === "node" ? graph.nodes.get(selection.id) : undefined;
  const edge = selection.kind === "edge" ? graph.edges.find((e) => e.id === selection.id) : undefined;
  if (!node && !edge) return null;
  const Calls = props.parts?.CallList;
  // The button that leads there goes with what it is in: the panel keeps the focus.
  const goTo = (to: Selection | null) => {
    box.current?.focus();
    setSelection(to);
  };
  return (
    <Drawer label={node ? "Service" : "Edge"} title={node ? <NodeTitle node={node} /> : edge ? <EdgeTitle edge={edge} graph={graph} setSelection={goTo} /> : null} close={() => setSelection(null)} what="the panel">
      <div class="details-body" ref={box} tabIndex={0} role="region" aria-label="Details">
        {node ? <NodeBody {...props} node={node} setSelection={goTo} /> : edge ? <EdgeBody {...props} edge={edge} /> : null}
        {Calls && graph.edges.some((e) => (edge ? e === edge && e.callCount > 0 : e.client === node?.service || e.server === node?.service)) ? <Calls selection={selection} edge={edge} node={node} graph={graph} /> : null}
      </div>
    </Drawer>
  );
}

function NodeTitle({ node }: { node: Node }) {
  return (
    <>
      <h2>
        <NodeName node={node} />
      </h2>
      <span class="dim">{node.type === "service" ? "service" : `${node.type}, seen from its callers only`}</span>
    </>
  );
}

function EdgeTitle({ edge, graph, setSelection }: { edge: Edge; graph: Graph; setSelection: (selection: Selection) => void }) {
  const end = (id: string) => (
    <button type="button" class="link" onClick={() => setSelection({ kind: "node", id })}>
      <NodeName node={graph.nodes.get(id)} />
    </button>
  );
  return (
    <>
      <h2 class="edge-title">
        {end(edge.client)}
        <span aria-label="calls">→</span>
        {end(edge.server)}
      </h2>
      <span class="dim">{kindOf(edge)}</span>
    </>
  );
}

function Facts({ calls, errors, seconds, p95 }: { calls: number; errors: number; seconds: number; p95?: number | null }) {
  return (
    <dl class="facts">
      <div>
        <dt>Calls</dt>
        <dd class="num strong">{formatCount(calls)}</dd>
      </div>
      {seconds > 0 ? (
        <div>
          <dt>Rate</dt>
          <dd class="num">{formatRate(calls, seconds)}</dd>
        </div>
      ) : null}
      <div>
        <dt>Errors</dt>
        <dd class="num">
          {errors > 0 ? (
            <Marked>
              {formatCount(errors)} · {formatPercent(errors, calls)}
            </Marked>
          ) : (
            "0"
          )}
        </dd>
      </div>
      {p95 ? (
        <div>
          <dt>p95</dt>
          <dd class="num">{formatDuration(p95)}</dd>
        </div>
      ) : null}
    </dl>
  );
}

function NodeBody({ node, graph, seconds, setSelection, setFocus, focus }: Props & { node: Node }) {
  const callers = graph.edges.filter((e) => e.server === node.service);
  const callees = graph.edges.filter((e) => e.client === node.service);
  const isService = node.type === "service";
  const condition = `{ resource.service.name = ${quote(node.service)} }`;
  const alone = Math.max(0, (node.answered ?? 0) - node.callCount);
  const list = (title: string, edges: Edge[], other: (e: Edge) => string, more = 0) => (
    <section>
      <h3>
        {title} <span class="count">{edges.length}</span>
      </h3>
      {edges.length === 0 ? <p class="dim">none</p> : null}
      {more > 0 ? <p class="dim">{plural(more, "more call")}, of which the caller's span is not stored</p> : null}
      <ul class="neighbours">
        {edges.map((e) => (
          <li key={e.id}>
            <button type="button" class="link" onClick={() => setSelection({ kind: "edge", id: e.id })}>
              <NodeName node={graph.nodes.get(other(e))} />
            </button>
            {besides(edges, e).length > 1 ? <span class="dim">{kindOf(e)}</span> : null}
            <span class="dim num">
              {callsText(e.callCount, seconds)} · p95 {formatDuration(latencyOf(e, "p95"))}
            </span>
            {e.errorCount > 0 ? <Share errors={e.errorCount} calls={e.callCount} /> : null}
          </li>
        ))}
      </ul>
    </section>
  );
  return (
    <>
      <Facts calls={node.callCount} errors={node.errorCount} seconds={seconds} p95={node.p95} />
      <p class="row">
        {isService ? (
          <>
            <a class="button" href={href("service", { s: node.service, ...currentRange() })}>
              Its page
            </a>
            <a class="button" href={href("explore", { q: condition, ...currentRange() })}>
              Its traces
            </a>
          </>
        ) : null}
        {focus === node.service ? null : (
          <button type="button" class="button" onClick={() => setFocus(node.service)}>
            Focus
          </button>
        )}
      </p>
      {list("Called by", callers, (e) => e.client, alone)}
      {list("Calls", callees, (e) => e.server)}
    </>
  );
}

const QUANTILES = ["p50", "p90", "p95", "p99"] as const;

function EdgeBody({ edge, graph, seconds, relativeError, setSelection, parts }: Props & { edge: Edge }) {
  const OverTime = parts?.EdgeOverTime;
  const most = Math.max(Number(edge.clientLatency?.p99 ?? 0), Number(edge.serverLatency?.p99 ?? 0), 1);
  const cell = (q: Quantiles | null, name: (typeof QUANTILES)[number]) =>
    q ? (
      <>
        <span class="num">{formatDuration(Number(q[name]))}</span>
        <span class="bar" aria-hidden="true">
          <span style={{ width: `${Math.max(1, (100 * Number(q[name])) / most)}%` }} />
        </span>
      </>
    ) : (
      <span class="dim">–</span>
    );
  const kinds = besides(graph.edges, edge);
  return (
    <>
      {kinds.length > 1 ? (
        <p class="row">
          <span class="button-group" role="group" aria-label="Kinds of calls between the two">
            {kinds.map((e) => (
              <button key={e.id} type="button" class="button toggle" aria-pressed={e === edge} onClick={() => setSelection({ kind: "edge", id: e.id })}>
                {kindOf(e)} <span class="count">{callsText(e.callCount, seconds)}</span>
              </button>
            ))}
          </span>
        </p>
      ) : null}
      <Facts calls={edge.callCount} errors={edge.errorCount} seconds={seconds} />
      {edge.change ? <Before edge={edge} /> : null}
      {OverTime ? <OverTime edge={edge} /> : null}
      <section>
        <h3>Latency</h3>
        <table class="latency">
          <thead>
            <tr>
              <th>
                <span class="offscreen">Quantile</span>
              </th>
              <th>{edge.clientLatency ? `seen by ${edge.client}` : "no client span"}</th>
              <th>{edge.serverLatency ? `in ${edge.server}` : "no server span"}</th>
            </tr>
          </thead>
          <tbody>
            {QUANTILES.map((name) => (
              <tr key={name}>
                <th>{name}</th>
                <td>{cell(edge.clientLatency, name)}</td>
                <td>{cell(edge.serverLatency, name)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <p class="dim">Quantiles of all calls, ± {(100 * relativeError).toFixed(1)} % of the value.</p>
      </section>
    </>
  );
}

function Before({ edge }: { edge: Edge }) {
  const { before, change } = edge;
  const [now, old] = [latencyOf(edge, "p95"), before?.latency ? Number(before.latency.p95) : null];
  return (
    <p>
      {change && change !== "same" ? <span class={`tag change-${change}`}>{change}</span> : null}{" "}
      {before ? (
        <span class="dim">
          before: {beforeCalls(before)}{note(changeText(edge.callCount, before.inSameTime))}, {formatPercent(before.errorCount, before.callCount)} with errors
          {old === null ? "" : `, p95 ${formatDuration(old)}${note(changeText(now ?? 0, old))}`}
        </span>
      ) : (
        <span class="dim">before: no calls</span>
      )}
    </p>
  );
}

const note = (text: string) => (text ? ` (now ${text})` : "");
