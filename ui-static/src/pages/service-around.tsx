// SPDX-License-Identifier: Apache-2.0
// Who calls a service, and whom it calls: a small drawing of one hop, and tables with all of them.
import { apiUrl, getFocus, getGraphDifference } from "../api/client";
import type { Change, GraphAnswer, GraphDifference, GraphEdge } from "../api/types";
import { curlOf } from "../model/curl";
import { latencyOf } from "../model/graph";
import { neighboursOf } from "../model/service";
import { formatCount, formatRate } from "../model/text";
import { formatDuration, toRfc3339 } from "../model/time";
import { href, param, patched, replace } from "../route";
import { Loader } from "../state/load";
import { currentRange } from "../state/range";
import { CopyButton, ProblemPanel, Waiting } from "../ui/controls";
import { NodeName } from "../ui/graph-parts";
import { ChangeMark, Delta, formatCalls, Pages, Share, useAnswer } from "./service-parts";
import { comparedParams, type Found, inSameTime, secondsOf, spanParams } from "./service-state";

interface Around {
  graph: GraphAnswer;
  difference: GraphDifference | null;
}

const loader = new Loader<Around>();
const PAGE = 50;
/** As many as are read at one look; the tables have all. */
const DRAWN = 6;
const ROW_PX = 30;

export function Neighbours({ value }: { value: Found }) {
  const service = param("s");
  const range = value.range ? { from: toRfc3339(value.range.from), to: toRfc3339(value.range.to) } : {};
  const compared = comparedParams(value.compared);
  const key = JSON.stringify([service, range, compared]);
  const { value: around, error, loading, run } = useAnswer(loader, key, async (stop) => {
    const [graph, difference] = await Promise.all([
      getFocus(range, service, stop),
      value.range && value.compared ? getGraphDifference({ service, ...spanParams(value.range), ...compared }, stop) : null,
    ]);
    // Nothing there before: then everything is new, which says nothing.
    return { graph, difference: difference?.edges.some((e) => e.before) ? difference : null };
  });
  if (error) return <ProblemPanel error={error} retry={run} title="Callers and callees cannot be shown" />;
  if (!around) return <Waiting>{loading ? "Reading callers and callees …" : ""}</Waiting>;
  const { callers, callees } = neighboursOf(around.graph.edges, service);
  const seconds = secondsOf(value.range);
  return (
    <>
      <Drawing callers={callers} callees={callees} graph={around.graph} seconds={seconds} />
      <div class="neighbour-tables">
        <Side title="Callers" edges={callers} other={(e) => e.client} around={around} value={value} page="callers" none="Nothing that is traced calls it in this range." />
        <Side title="Callees" edges={callees} other={(e) => e.server} around={around} value={value} page="callees" none="It calls nothing that is traced in this range." />
      </div>
      <p class="pad row">
        <a class="button" href={href("map", { focus: service, ...currentRange() })}>
          On the map
        </a>
        <CopyButton text={() => curlOf(apiUrl("v1/graph", { ...range, format: "json", service, hops: 1, ...compared }))} what="curl command of the graph" label="curl" icon="terminal" />
        <span class="dim">Every call counted, whole minutes. Who sends no spans is known by its callers only.</span>
      </p>
    </>
  );
}

const linkOf = (name: string, graph: GraphAnswer) => {
  const node = graph.nodes.find((n) => n.service === name);
  const shown = <NodeName node={node} />;
  return node?.type === "service" ? <a href={href("service", { s: name, ...currentRange() })}>{shown}</a> : shown;
};

function Drawing({ callers, callees, graph, seconds }: { callers: GraphEdge[]; callees: GraphEdge[]; graph: GraphAnswer; seconds: number }) {
  const rows = Math.max(1, Math.min(DRAWN, Math.max(callers.length, callees.length)));
  const height = rows * ROW_PX;
  const top = (count: number) => (height - Math.min(DRAWN, count) * ROW_PX) / 2;
  const most = Math.max(1, ...[...callers, ...callees].map((e) => Number(e.calls)));
  const side = (edges: GraphEdge[], other: (e: GraphEdge) => string, name: string) => (
    <ul class="hop" aria-label={name} style={{ paddingTop: `${top(edges.length)}px` }}>
      {edges.slice(0, DRAWN).map((e) => (
        <li key={`${other(e)} ${e.connectionType}`}>
          <span class="hop-name">{linkOf(other(e), graph)}</span>
          <span class="num dim">{formatRate(Number(e.calls), seconds)}</span>
          {e.errors === "0" ? null : <Share errors={Number(e.errors)} calls={Number(e.calls)} />}
        </li>
      ))}
    </ul>
  );
  const lines = (edges: GraphEdge[], left: boolean) => (
    <svg class="hop-lines" height={height} viewBox={`0 0 100 ${height}`} preserveAspectRatio="none" aria-hidden="true">
      {edges.slice(0, DRAWN).map((e, i) => {
        const [y, middle] = [top(edges.length) + (i + 0.5) * ROW_PX, height / 2];
        const width = 1 + (4 * Math.log1p(Number(e.calls))) / Math.log1p(most);
        return (
          <path
            key={`${e.client} ${e.server} ${e.connectionType}`}
            class={e.errors === "0" ? "hop-line" : "hop-line failed"}
            d={left ? `M0 ${y}C50 ${y} 50 ${middle} 100 ${middle}` : `M0 ${middle}C50 ${middle} 50 ${y} 100 ${y}`}
            stroke-width={width}
          />
        );
      })}
    </svg>
  );
  const hidden = Math.max(0, callers.length - DRAWN) + Math.max(0, callees.length - DRAWN);
  return (
    <figure class="hops" aria-label="Callers and callees">
      <div class="hops-row">
        {side(callers, (e) => e.client, "Callers")}
        {lines(callers, true)}
        <span class="hop-self" style={{ marginTop: `${height / 2 - ROW_PX / 2}px` }}>
          <NodeName node={graph.nodes.find((n) => n.service === param("s"))} />
        </span>
        {lines(callees, false)}
        {side(callees, (e) => e.server, "Callees")}
      </div>
      {hidden > 0 ? <figcaption class="dim">{formatCount(hidden)} more in the tables</figcaption> : null}
    </figure>
  );
}

interface SideProps {
  title: string;
  edges: GraphEdge[];
  other: (e: GraphEdge) => string;
  around: Around;
  value: Found;
  /** The parameter of the address that says where its page begins. */
  page: string;
  none: string;
}

function Side({ title, edges, other, around, value, page, none }: SideProps) {
  const offset = Math.min(Number(param(page)) || 0, Math.max(0, edges.length - 1));
  const shown = edges.slice(offset, offset + PAGE);
  const differences = new Map(around.difference?.edges.map((d) => [`${d.client}\n${d.server}\n${d.connectionType}`, d]));
  const gone = around.difference?.edges.filter((d) => d.change === "gone" && (page === "callers" ? d.server : d.client) === param("s")) ?? [];
  return (
    <section class="service-part">
      <h2>
        {title} <span class="count">{formatCount(edges.length)}</span>
      </h2>
      {edges.length + gone.length === 0 ? (
        <p class="dim">{none}</p>
      ) : (
        <div class="scroll-x" tabIndex={0} role="region" aria-label={title}>
          <table class="edges">
            <thead>
              <tr>
                <th>Service</th>
                <th class="right">Calls</th>
                <th class="right">Errors</th>
                <th class="right">p50</th>
                <th class="right">p95</th>
                {around.difference ? <th>Change</th> : null}
                <th>Trace</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((e) => {
                const d = differences.get(`${e.client}\n${e.server}\n${e.connectionType}`);
                return (
                  <tr key={`${other(e)} ${e.connectionType}`}>
                    <td>{linkOf(other(e), around.graph)}</td>
                    <td class="num right">
                      <Delta now={Number(e.calls)} before={d?.before ? inSameTime(value, Number(d.before.calls)) : null} format={formatCalls} />
                      {formatCount(e.calls)}
                    </td>
                    <td class="num right">
                      <Share errors={Number(e.errors)} calls={Number(e.calls)} />
                    </td>
                    <td class="num right">{formatDuration(latencyOf(e, "p50"))}</td>
                    <td class="num right">{formatDuration(latencyOf(e, "p95"))}</td>
                    {around.difference ? (
                      <td>
                        <ChangeMark change={d?.change as Change | undefined} />
                      </td>
                    ) : null}
                    <td>{e.exemplarTraceId ? <a href={href("trace", { id: e.exemplarTraceId })}>slowest</a> : <span class="dim">–</span>}</td>
                  </tr>
                );
              })}
              {gone.map((d) => (
                <tr key={`${d.client} ${d.server} ${d.connectionType}`}>
                  <td class="dim">{page === "callers" ? d.client : d.server}</td>
                  <td class="num right dim">0, before {formatCount(d.before?.calls ?? 0)}</td>
                  <td colSpan={3} />
                  <td>
                    <ChangeMark change="gone" />
                  </td>
                  <td />
                </tr>
              ))}
            </tbody>
          </table>
          <Pages offset={offset} shown={shown.length} all={edges.length} size={PAGE} what={title.toLowerCase()} go={(at) => replace(patched({ [page]: at || null }))} />
        </div>
      )}
    </section>
  );
}
