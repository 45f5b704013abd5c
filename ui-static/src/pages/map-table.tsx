// SPDX-License-Identifier: Apache-2.0
// The graph as tables: the same edges and services, for reading, sorting and copying.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { changeText } from "../model/change";
import { type Edge, type Graph, kindOf, latencyOf, type Node, type Shown } from "../model/graph";
import { formatCount, formatPercent } from "../model/text";
import { formatDuration } from "../model/time";
import { param, patched, replace } from "../route";
import { Share, SortHead } from "../ui/controls";
import { NodeName } from "../ui/graph-parts";
import type { Selection } from "../views/graph";
import { beforeCalls } from "./map-drawing";
import { callsText } from "./map-state";

/** So many rows are shown at once; the others are one press away. */
const ROWS = 500;

interface Column<T> {
  id: string;
  name: string;
  right?: boolean;
  key: (row: T) => string | number;
  cell: (row: T) => ComponentChildren;
}

function Sorted<T>({ label, rows, columns, id, name }: { label: string; rows: T[]; columns: Column<T>[]; id: (row: T) => string; name: string }) {
  const order = param(name) || "-calls";
  const down = order.startsWith("-");
  const [most, setMost] = useState(ROWS);
  const column = columns.find((c) => c.id === order.replace("-", "")) ?? columns[0];
  const sorted = [...rows].sort((a, b) => {
    const [x, y] = [column.key(a), column.key(b)];
    return (x < y ? -1 : x > y ? 1 : id(a) < id(b) ? -1 : 1) * (down ? -1 : 1);
  });
  return (
    <>
      <table class="edges" aria-label={label}>
        <thead>
          <tr>
            {columns.map((c) => (
              <SortHead key={c.id} class={c.right ? "right" : undefined} down={column === c && down} up={column === c && !down} sort={() => replace(patched({ [name]: ((column === c ? !down : c.right) ? "-" : "") + c.id }))}>
                {c.name}
              </SortHead>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, most).map((row) => (
            <tr key={id(row)}>
              {columns.map((c) => (
                <td key={c.id} class={c.right ? "num right" : undefined}>
                  {c.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > most ? (
        <p class="pad">
          {formatCount(most)} of {formatCount(rows.length)} rows.{" "}
          <button type="button" class="button" onClick={() => setMost(rows.length)}>
            Show all
          </button>
        </p>
      ) : null}
    </>
  );
}

interface Props {
  shown: Shown;
  graph: Graph;
  seconds: number;
  groups: Map<string, string>;
  select: (selection: Selection) => void;
}

const errors = (n: { errorCount: number; callCount: number }) => <Share errors={n.errorCount} calls={n.callCount} />;

export function EdgeTable({ shown, graph, seconds, groups, select }: Props) {
  const calls = (n: { callCount: number }) => <span title={formatCount(n.callCount)}>{seconds > 0 ? callsText(n.callCount, seconds) : formatCount(n.callCount)}</span>;
  const compared = shown.edges.some((e) => e.change !== undefined);
  const link = (selection: Selection) => (
    <button type="button" class="link" onClick={() => select(selection)}>
      <NodeName node={graph.nodes.get(selection.kind === "node" ? selection.id : (shown.edges.find((e) => e.id === selection.id)?.client ?? ""))} />
    </button>
  );
  const quantile = (q: "p50" | "p95" | "p99"): Column<Edge> => ({ id: q, name: q, right: true, key: (e) => latencyOf(e, q) ?? -1, cell: (e) => formatDuration(latencyOf(e, q)) });
  const edgeColumns: Column<Edge>[] = [
    { id: "client", name: "Client", key: (e) => e.client, cell: (e) => link({ kind: "edge", id: e.id }) },
    { id: "server", name: "Server", key: (e) => e.server, cell: (e) => <NodeName node={graph.nodes.get(e.server)} /> },
    { id: "calls", name: "Calls", right: true, key: (e) => e.callCount, cell: calls },
    { id: "errors", name: "Errors", right: true, key: (e) => e.errorCount / Math.max(1, e.callCount), cell: errors },
    quantile("p50"),
    quantile("p95"),
    quantile("p99"),
    ...(compared ? [{ id: "change", name: "Change", right: true, key: (e: Edge) => (e.before ? e.callCount / (e.before.inSameTime || 1) : 1e9), cell: (e: Edge) => <Change edge={e} /> }] : []),
    { id: "kind", name: "Kind", key: kindOf, cell: (e) => <span class="dim">{kindOf(e)}</span> },
  ];
  const nodeColumns: Column<Node>[] = [
    { id: "service", name: "Service", key: (n) => n.service, cell: (n) => link({ kind: "node", id: n.service }) },
    { id: "type", name: "Type", key: (n) => n.type, cell: (n) => <span class="dim">{n.type}</span> },
    ...(groups.size > 0 ? [{ id: "group", name: "Group", key: (n: Node) => groups.get(n.service) ?? "", cell: (n: Node) => groups.get(n.service) ?? <span class="dim">none</span> }] : []),
    { id: "calls", name: "Calls in", right: true, key: (n) => n.callCount, cell: calls },
    { id: "errors", name: "Errors", right: true, key: (n) => n.errorCount / Math.max(1, n.callCount), cell: errors },
    { id: "p95", name: "p95", right: true, key: (n) => n.p95 ?? -1, cell: (n) => formatDuration(n.p95) },
  ];
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="Edges and services">
      {shown.edges.length > 0 ? <Sorted label="Edges" rows={shown.edges} columns={edgeColumns} id={(e) => e.id} name="sort" /> : null}
      <h2 class="pad">
        Services <span class="count">{formatCount(shown.nodes.length)}</span>
      </h2>
      <Sorted label="Services" rows={shown.nodes} columns={nodeColumns} id={(n) => n.service} name="nsort" />
    </div>
  );
}

function Change({ edge }: { edge: Edge }) {
  const { before, change } = edge;
  const calls = before && change !== "gone" ? changeText(edge.callCount, before.inSameTime) : "";
  return (
    <>
      {before && calls ? (
        <span class="delta dim" title={`before: ${beforeCalls(before)}, ${formatPercent(before.errorCount, before.callCount)} with errors`}>
          {calls}
        </span>
      ) : null}
      {change && change !== "same" ? <span class={`tag change-${change}`}>{change}</span> : null}
    </>
  );
}
