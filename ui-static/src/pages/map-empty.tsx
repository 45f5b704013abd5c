// SPDX-License-Identifier: Apache-2.0
// What the map shows when there is nothing to draw, or too much for one drawing.
import type { Graph, Node, View } from "../model/graph";
import { plural } from "../model/text";
import { href, param, patched } from "../route";
import { currentRange } from "../state/range";
import { NodeName } from "../ui/graph-parts";
import { callsText } from "./map-state";

export function NoGraph() {
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

/** Services, but no calls between them: says so, and why it may be. */
export function NoPairs({ graph }: { graph: Graph }) {
  const count = graph.nodes.size;
  return (
    <details class="no-pairs">
      <summary>
        No client/server pairs in this range: {plural(count, "service")}, {count === 1 ? "alone" : "each alone"}. <span class="link">Why?</span>
      </summary>
      <ul>
        <li>An edge is a client span (or a producer’s) and the server span (or consumer’s) right below it. Spans of kind “internal”, or without a kind, make none.</li>
        <li>Only one side may be traced, or its context may not be passed on: then each service begins traces of its own.</li>
        <li>The other side may have been sampled away, or not have come yet.</li>
        <li>
          <a href={href("status", { tab: "quality", ...currentRange() })}>Data quality</a> counts spans without their parents. <a href={href("explore", { q: "{ kind = client }", ...currentRange() })}>Client spans in this range</a>
        </li>
      </ul>
    </details>
  );
}

/** Each filter is a way out of it. */
export function NoneLeft({ wanted }: { wanted: View }) {
  const filters = [
    wanted.name && ["q", `name contains “${wanted.name}”`],
    wanted.min && ["min", `edges from ${param("min")} % of calls`],
    wanted.onlyErrors && ["only", "only errors"],
  ].filter((f) => f) as [string, string][];
  return (
    <section class="empty">
      <h2>Nothing passes these filters</h2>
      <ul>
        {filters.map(([name, text]) => (
          <li key={name}>
            {text} <a href={patched({ [name]: null })}>Remove<span class="offscreen"> {text}</span></a>
          </li>
        ))}
      </ul>
    </section>
  );
}

const TOP = 20;

/** More services than a readable drawing holds: begin with one of them. */
export function TooMany({ graph, seconds }: { graph: Graph; seconds: number }) {
  const top = (key: (n: Node) => number) => [...graph.nodes.values()].sort((a, b) => key(b) - key(a) || (a.service < b.service ? -1 : 1)).slice(0, TOP);
  const list = (title: string, nodes: Node[], value: (n: Node) => string) => (
    <section>
      <h2>{title}</h2>
      {nodes.length === 0 ? <p class="dim">none</p> : null}
      <ol>
        {nodes.map((n) => (
          <li key={n.service}>
            <a href={patched({ focus: n.service })}>
              <NodeName node={n} />
            </a>
            <span class="dim num">{value(n)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
  return (
    <div class="too-many">
      <p>
        {plural(graph.nodes.size, "service")} are too many for one readable drawing. Find one to begin with (<kbd>/</kbd>), choose one below, or see all of them in the{" "}
        <a href={patched({ view: "matrix" })}>matrix</a> or the <a href={patched({ view: "table" })}>table</a>.
      </p>
      <div class="columns">
        {list("Most calls", top((n) => n.callCount), (n) => callsText(n.callCount, seconds))}
        {list("Most errors", top((n) => n.errorCount).filter((n) => n.errorCount > 0), (n) => `▲ ${plural(n.errorCount, "error")}`)}
      </div>
    </div>
  );
}
