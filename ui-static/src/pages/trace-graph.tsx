// SPDX-License-Identifier: Apache-2.0
// Graph: the services, or the operations, of one trace and the calls between them, as a layered drawing and as a table.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Edge, linesOf, readGraph, type Shown, shownOf, WHOLE } from "../model/graph";
import { operationName, serviceName, type Skeleton } from "../model/skeleton";
import { formatCount, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { graphOfTrace, type GraphBy } from "../model/tracegraph";
import { param, patched, replace } from "../route";
import { dark } from "../state/prefs";
import type { ViewProps } from "../state/traceview";
import { ErrorMark } from "../ui/controls";
import { NodeName, Unlabelled } from "../ui/graph-parts";
import { GraphView, NODE_HEIGHT, NODE_WIDTH, type Selection } from "../views/graph";
import { askLayout } from "../views/layouter";
import { useJumps } from "./trace-jumps";

const NARROW = 720;
const ROWS = 500;

export function GraphOfTrace(props: ViewProps) {
  const { skeleton: s, keep, row: current, select } = props;
  const by: GraphBy = param("nodes") === "operation" ? "operation" : "service";
  const table = param("as") === "table";
  const all = param("all") === "1";
  const graph = useMemo(() => readGraph(graphOfTrace(s, by, keep)), [s, by, keep]);
  const shown = useMemo(() => shownOf(graph, { ...WHOLE, all }), [graph, all]);
  const choose = (selection: Selection | null) => {
    replace(patched({ chosen: selection && `${selection.kind}:${selection.id}` }));
    const row = selection ? rowOf(s, by, selection) : -1;
    if (row >= 0 || !selection) select(row, true);
  };
  useJumps(props, null, true);
  // A span that was chosen elsewhere is in its node; a call that was chosen here stays what is chosen.
  const named = param("chosen");
  const chosen = useMemo((): Selection | null => {
    const [, kind, id] = /^(node|edge):(.*)$/s.exec(named) ?? [];
    const own = kind ? { kind: kind as Selection["kind"], id } : null;
    const row = own ? rowOf(s, by, own) : -1;
    return current >= 0 && row !== current ? { kind: "node", id: nodeOf(s, by, current) } : row >= 0 ? own : null;
  }, [s, by, named, current]);
  const toggle = (name: string, value: string, on: boolean, label: string) => (
    <button type="button" class="button toggle" aria-pressed={on} onClick={() => replace(patched({ [name]: value || null }))}>
      {label}
    </button>
  );
  return (
    <section class="trace-part" tabIndex={-1} aria-label="Graph of the trace">
      <div class="part-tools">
        <span class="button-group" role="group" aria-label="Nodes">
          {toggle("nodes", "", by === "service", "Services")}
          {toggle("nodes", "operation", by === "operation", "Operations")}
        </span>
        <span class="button-group" role="group" aria-label="Shown as">
          {toggle("as", "", !table, "Drawing")}
          {toggle("as", "table", table, "Table")}
        </span>
        <span class="dim">
          {plural(shown.nodes.length, "node")}, {plural(shown.edges.length, "call path")}
          {shown.hiddenEdges > 0 || shown.hiddenNodes > 0 ? `; ${plural(shown.hiddenNodes, "node")} and ${plural(shown.hiddenEdges, "call path")} more are not drawn` : ""}
        </span>
        {shown.hiddenEdges > 0 || shown.hiddenNodes > 0 ? (
          <button type="button" class="link" onClick={() => replace(patched({ all: "1" }))}>
            Draw all
          </button>
        ) : null}
      </div>
      {table ? <EdgeTable edges={graph.edges} nodes={graph.nodes} /> : shown.tooMany ? <p class="part-note">More than can be read in a drawing: the table has all of them.</p> : <Drawing shown={shown} chosen={chosen} choose={choose} />}
    </section>
  );
}

const nodeOf = (s: Skeleton, by: GraphBy, row: number) => (by === "service" ? serviceName(s, row) : `${serviceName(s, row)} ${operationName(s, row)}`);

/** An address may hold anything. */
function endsOf(id: string): string[] {
  try {
    return JSON.parse(id) as string[];
  } catch {
    return [];
  }
}

/** The slowest span that a node or a call stands for. */
function rowOf(s: Skeleton, by: GraphBy, { kind, id }: Selection): number {
  const nameOf = (row: number) => nodeOf(s, by, row);
  const [client, server] = kind === "edge" ? endsOf(id) : ["", id];
  let found = -1;
  for (let row = 0; row < s.count; row++) {
    const parent = s.parent[row];
    const called = nameOf(row) === server && (kind === "node" || (parent >= 0 && nameOf(parent) === client));
    const peer = s.peers.get(row)?.name === server && (kind === "node" || nameOf(row) === client);
    if ((called || peer) && (found < 0 || s.length[row] > s.length[found])) found = row;
  }
  return found;
}

const edgeLabel = (e: Edge) => `${formatCount(e.callCount)} · ${formatDuration(Number(e.serverLatency?.p95 ?? 0))}`;

function Drawing({ shown, chosen, choose }: { shown: Shown; chosen: Selection | null; choose: (s: Selection | null) => void }) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<GraphView | null>(null);
  const latest = useRef(choose);
  latest.current = choose;
  const [problem, setProblem] = useState("");
  const [unlabelled, setUnlabelled] = useState(0);
  useEffect(() => {
    if (!host.current) return;
    const drawn = new GraphView(host.current, dark.peek(), { select: (s) => latest.current(s), focus: (service) => latest.current({ kind: "node", id: service }), unlabelled: setUnlabelled });
    view.current = drawn;
    return () => drawn.stop();
  }, []);
  useEffect(() => {
    let current = true;
    askLayout({
      nodes: shown.nodes.map((n) => ({ id: n.service, width: NODE_WIDTH, height: NODE_HEIGHT })),
      edges: linesOf(shown.edges).map((l) => ({ id: l.id, from: l.client, to: l.server, weight: l.callCount })),
      vertical: window.innerWidth < NARROW,
    }).then(
      (layout) => current && view.current?.draw(shown, layout, edgeLabel, (n) => plural(n.callCount, "span"), dark.value, { detail: edgeLabel }),
      (error: Error) => current && setProblem(error.message),
    );
    return () => {
      current = false;
    };
  }, [shown, dark.value]);
  useEffect(() => view.current?.setSelection(chosen), [chosen]);
  return (
    <>
      {problem ? <p class="part-note">The graph could not be laid out: {problem}. The table has its calls.</p> : null}
      <div class="drawing">
        <div class="graph-host" ref={host} />
        <Unlabelled count={unlabelled} />
      </div>
    </>
  );
}

function EdgeTable({ edges, nodes }: { edges: Edge[]; nodes: ReturnType<typeof readGraph>["nodes"] }) {
  const [more, setMore] = useState(false);
  const shown = more ? edges : edges.slice(0, ROWS);
  return (
    <div class="table-box">
      <table class="edges">
        <thead>
          <tr>
            <th>Caller</th>
            <th>Called</th>
            <th class="right">Calls</th>
            <th class="right">Errors</th>
            <th class="right">p50</th>
            <th class="right">p95</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((e) => (
            <tr key={e.id}>
              <td>
                <NodeName node={nodes.get(e.client)} />
              </td>
              <td>
                <NodeName node={nodes.get(e.server)} />
              </td>
              <td class="num right">{formatCount(e.callCount)}</td>
              <td class="num right">{e.errorCount > 0 ? <ErrorMark count={e.errorCount} /> : "0"}</td>
              <td class="num right">{formatDuration(Number(e.serverLatency?.p50 ?? 0))}</td>
              <td class="num right">{formatDuration(Number(e.serverLatency?.p95 ?? 0))}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {edges.length === 0 ? <p class="part-note dim">No call from one to another: everything happened in one place.</p> : null}
      {!more && edges.length > ROWS ? (
        <p class="part-note">
          <button type="button" class="link" onClick={() => setMore(true)}>
            Show the other {formatCount(edges.length - ROWS)}
          </button>
        </p>
      ) : null}
    </div>
  );
}
