// SPDX-License-Identifier: Apache-2.0
// Some calls of the edge or the service that is chosen, each a way to its span: those that failed, the slowest, the newest.
import { useEffect } from "preact/hooks";
import { getGraphCalls } from "../api/client";
import type { GraphCalls } from "../api/types";
import type { Edge, Graph, Node } from "../model/graph";
import { callsToShow } from "../model/graph-calls";
import { formatDuration, formatFull } from "../model/time";
import { quote } from "../model/traceql";
import { href } from "../route";
import { Loader } from "../state/load";
import { zone } from "../state/prefs";
import { currentRange, shortTime } from "../state/range";
import type { Selection } from "../views/graph";

const loader = new Loader<{ id: string; answer: GraphCalls }>();

interface Props {
  selection: Selection;
  edge?: Edge | undefined;
  node?: Node | undefined;
  graph: Graph;
}

/** Some edges are no query: then the way to the spans says that it leads to more. */
function Search({ edge, query, graph }: { edge: Edge; query: string | null; graph: Graph }) {
  const name = graph.nodes.get(edge.client)?.type === "service" ? edge.client : edge.server;
  const q = query ?? `{ resource.service.name = ${quote(name)} }`;
  return (
    <p class="row">
      <a class="button" href={href("explore", { q, ...currentRange() })} title={q}>
        {query ? "Search its spans" : `Search all spans of ${name}`}
      </a>
    </p>
  );
}

/** Who is called by nobody is looked at by what it calls. */
const asked = ({ edge, node, graph }: Props) =>
  edge
    ? { client: edge.client, server: edge.server, connectionType: edge.connectionType || "direct" }
    : { [graph.edges.some((e) => e.server === node?.service) ? "server" : "client"]: node?.service };

export function CallList(props: Props) {
  const range = currentRange();
  const { id } = props.selection;
  const { edge } = props;
  useEffect(() => {
    void loader.run(async (stop) => ({ id, answer: await getGraphCalls({ ...range, ...asked(props) }, stop) }));
    return () => loader.stop();
  }, [id, props.selection.kind, range.from, range.to]);
  const { value, error } = loader.state.value;
  if (error) return <p class="dim">Calls to look at cannot be shown: {error.problem.detail ?? error.problem.title}</p>;
  // The panel does not jump when they come.
  if (value?.id !== id) return <section class="edge-calls" aria-busy="true" />;
  const calls = callsToShow(value.answer);
  return (
    <section class="edge-calls">
      <h3>Calls to look at</h3>
      <table class="edges" aria-label="Calls to look at">
        <thead>
          <tr>
            <th class="right">Duration</th>
            <th>Began</th>
            <th>Status</th>
            <th>Why</th>
          </tr>
        </thead>
        <tbody>
          {calls.map(({ call, why }) => (
            <tr key={call.traceId + call.spanId}>
              <td class="num right">
                <a href={href("trace", { id: call.traceId, span: call.spanId })}>{formatDuration(Number(call.durationNano))}</a>
              </td>
              <td class="num" title={formatFull(BigInt(call.timeUnixNano), zone.value)}>
                {shortTime(BigInt(call.timeUnixNano), zone.value)}
              </td>
              <td>{call.error ? <span class="error-mark">▲ failed</span> : <span class="dim">ok</span>}</td>
              <td class="dim">{why}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {edge ? <Search edge={edge} query={value.answer.query} graph={props.graph} /> : null}
      {calls.length === 0 ? <p class="dim">None is stored whole.</p> : value.answer.complete ? null : <p class="dim">Failed and newest ones are of the newest traces, not of all.</p>}
    </section>
  );
}
