// SPDX-License-Identifier: Apache-2.0
// The graph as a table: the same edges, for reading, sorting and copying.
import { useState } from "preact/hooks";
import { type Edge, type Graph, latencyOf } from "../model/graph";
import { formatCount, formatPercent } from "../model/text";
import { formatDuration } from "../model/time";
import { NodeName } from "../ui/controls";
import { callsText } from "./map";

type Column = "client" | "server" | "calls" | "errors" | "p50" | "p95" | "p99";

const HEADS: [Column, string, boolean][] = [
  ["client", "Client", false],
  ["server", "Server", false],
  ["calls", "Calls", true],
  ["errors", "Errors", true],
  ["p50", "p50", true],
  ["p95", "p95", true],
  ["p99", "p99", true],
];

function keyOf(e: Edge, column: Column): string | number {
  if (column === "client") return e.client;
  if (column === "server") return e.server;
  if (column === "calls") return e.callCount;
  if (column === "errors") return e.errorCount / Math.max(1, e.callCount);
  return latencyOf(e, column) ?? 0;
}

interface Props {
  edges: Edge[];
  graph: Graph;
  seconds: number;
  select: (id: string) => void;
}

export function EdgeTable({ edges, graph, seconds, select }: Props) {
  const [sort, setSort] = useState<{ by: Column; down: boolean }>({ by: "calls", down: true });
  const sorted = [...edges].sort((a, b) => {
    const [x, y] = [keyOf(a, sort.by), keyOf(b, sort.by)];
    return (x < y ? -1 : x > y ? 1 : 0) * (sort.down ? -1 : 1);
  });
  const service = (name: string) => <NodeName node={graph.nodes.get(name)} />;
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="Edges">
      <table class="edges">
        <thead>
          <tr>
            {HEADS.map(([column, name, right]) => (
              <th key={column} class={right ? "right" : undefined} aria-sort={sort.by === column ? (sort.down ? "descending" : "ascending") : "none"}>
                <button type="button" class="sort" onClick={() => setSort({ by: column, down: sort.by === column ? !sort.down : right })}>
                  {name}
                  <span aria-hidden="true">{sort.by === column ? (sort.down ? " ↓" : " ↑") : ""}</span>
                </button>
              </th>
            ))}
            <th>Kind</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((e) => (
            <tr key={e.id}>
              <td>
                <button type="button" class="link" onClick={() => select(e.id)}>
                  {service(e.client)}
                </button>
              </td>
              <td>{service(e.server)}</td>
              <td class="num right" title={formatCount(e.callCount)}>
                {seconds > 0 ? callsText(e.callCount, seconds) : formatCount(e.callCount)}
              </td>
              <td class="num right">
                {e.errorCount > 0 ? (
                  <span class="error-mark">
                    <span aria-hidden="true">▲</span>
                    {formatPercent(e.errorCount, e.callCount)}
                  </span>
                ) : (
                  <span class="dim">0</span>
                )}
              </td>
              <td class="num right">{formatDuration(latencyOf(e, "p50"))}</td>
              <td class="num right">{formatDuration(latencyOf(e, "p95"))}</td>
              <td class="num right">{formatDuration(latencyOf(e, "p99"))}</td>
              <td class="dim">{e.connectionType || "call"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
