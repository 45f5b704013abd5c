// SPDX-License-Identifier: Apache-2.0
// What a service does, who calls it, and whom it calls: tables of the Service page.
import type { GraphAnswer, GraphEdge, LatencyRow } from "../api/types";
import { latencyOf } from "../model/graph";
import { formatCount, formatPercent } from "../model/text";
import { formatDuration } from "../model/time";
import { quote } from "../model/traceql";
import { href, param, patched, replace } from "../route";
import { currentRange } from "../state/range";
import { NodeName } from "../ui/controls";

export function Share({ errors, calls }: { errors: number; calls: number }) {
  if (errors === 0) return <span class="dim">0</span>;
  return (
    <span class="error-mark" title={`${formatCount(errors)} of ${formatCount(calls)}`}>
      <span aria-hidden="true">▲</span>
      {formatPercent(errors, calls)}
    </span>
  );
}

const SORTS: Record<string, (r: LatencyRow) => number | string> = {
  operation: (r) => r.operation,
  calls: (r) => Number(r.calls),
  errors: (r) => Number(r.errors) / Math.max(1, Number(r.calls)),
  p50: (r) => Number(r.quantiles["0.5"]),
  p95: (r) => Number(r.quantiles["0.95"]),
  p99: (r) => Number(r.quantiles["0.99"]),
};

/** Sorted as the address says: sort=-p95 is the slowest first. */
export function OperationTable({ rows, chosen }: { rows: LatencyRow[]; chosen: string }) {
  const text = param("sort") || "-calls";
  const down = text.startsWith("-");
  const by = text.replace(/^-/, "") in SORTS ? text.replace(/^-/, "") : "calls";
  const key = SORTS[by];
  const sorted = [...rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1) || (a.operation + a.kind < b.operation + b.kind ? -1 : 1);
  });
  const head = (name: string, title: string) => (
    <th class={name === "operation" ? undefined : "right"} aria-sort={by === name ? (down ? "descending" : "ascending") : "none"}>
      <button type="button" class="sort" onClick={() => replace(patched({ sort: by === name ? `${down ? "" : "-"}${name}` : name === "operation" ? name : `-${name}` }))}>
        {title}
        <span aria-hidden="true">{by === name ? (down ? " ↓" : " ↑") : ""}</span>
      </button>
    </th>
  );
  const query = (r: LatencyRow) => `{ resource.service.name = ${quote(r.service)} && name = ${quote(r.operation)} && kind = ${r.kind} }`;
  return (
    <section class="service-part">
      <h2>
        Operations <span class="count">{formatCount(rows.length)}</span>
      </h2>
      <div class="scroll-x" tabIndex={0} role="region" aria-label="Operations">
        <table class="edges operations">
          <thead>
            <tr>
              {head("operation", "Operation")}
              <th>Kind</th>
              {head("calls", "Calls")}
              {head("errors", "Errors")}
              {head("p50", "p50")}
              {head("p95", "p95")}
              {head("p99", "p99")}
              <th>Traces</th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((r) => (
              <tr key={`${r.kind} ${r.operation}`} class={r.operation === chosen ? "chosen" : undefined}>
                <td>
                  <a href={patched({ op: r.operation, kind: r.kind })}>{r.operation || "(no name)"}</a>
                </td>
                <td class="dim">{r.kind}</td>
                <td class="num right">{formatCount(r.calls)}</td>
                <td class="num right">
                  <Share errors={Number(r.errors)} calls={Number(r.calls)} />
                </td>
                {["0.5", "0.95", "0.99"].map((q) => (
                  <td key={q} class="num right">
                    {formatDuration(Number(r.quantiles[q]))}
                  </td>
                ))}
                <td>
                  <a href={href("explore", { q: query(r), ...currentRange() })}>Explore</a>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

export function Neighbours({ callers, callees, graph }: { callers: GraphEdge[]; callees: GraphEdge[]; graph: GraphAnswer }) {
  const side = (title: string, edges: GraphEdge[], other: (e: GraphEdge) => string, none: string) => (
    <section class="service-part">
      <h2>
        {title} <span class="count">{formatCount(edges.length)}</span>
      </h2>
      {edges.length === 0 ? (
        <p class="dim">{none}</p>
      ) : (
        <div class="scroll-x" tabIndex={0} role="region" aria-label={title}>
          <table class="edges">
            <thead>
              <tr>
                <th>Service</th>
                <th class="right">Calls</th>
                <th class="right">Errors</th>
                <th class="right">p95</th>
              </tr>
            </thead>
            <tbody>
              {edges.map((e) => {
                const node = graph.nodes.find((n) => n.service === other(e));
                return (
                  <tr key={`${other(e)} ${e.connectionType}`}>
                    <td>
                      {node?.type === "service" ? (
                        <a href={href("service", { s: other(e), ...currentRange() })}>
                          <NodeName node={node} />
                        </a>
                      ) : (
                        <NodeName node={node} />
                      )}
                    </td>
                    <td class="num right">{formatCount(e.calls)}</td>
                    <td class="num right">
                      <Share errors={Number(e.errors)} calls={Number(e.calls)} />
                    </td>
                    <td class="num right">{formatDuration(latencyOf(e, "p95"))}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
  return (
    <div class="neighbour-tables">
      {side("Callers", callers, (e) => e.client, "Nothing that is traced calls it in this range.")}
      {side("Callees", callees, (e) => e.server, "It calls nothing that is traced in this range.")}
    </div>
  );
}
