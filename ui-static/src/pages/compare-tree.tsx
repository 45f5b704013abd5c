// SPDX-License-Identifier: Apache-2.0
// The calls of both sides as one tree: numbers, differences, and a bar to the left (A is slower) or to the right (B is slower).
import { useMemo, useRef, useState } from "preact/hooks";
import { alignByName, changeText, type CompareNode, deltaOf, type Measure, measureName, type Numbers, rowsOfTree, valueOf } from "../model/compare";
import { spanIdAt } from "../model/skeleton";
import { formatMean, formatPercent, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { quote } from "../model/traceql";
import { href, param, patched, replace } from "../route";
import { type Answer, measureOf, narrow, pair, placeOf, rowOfAddress } from "../state/compare";
import { useActions } from "../state/keys";
import { rowPx } from "../state/prefs";
import { Marked } from "../ui/controls";
import { VirtualRows } from "../ui/virtual";
import { ServiceLabel } from "./compare-name";

const ROW_NARROW = 48;
const INDENT_MAX = 18;

export const measureText = (value: number, by: Measure): string => (by === "count" ? formatMean(value) : formatDuration(value));

/** With its sign, always. */
export function deltaText(delta: number, by: Measure): string {
  if (delta === 0) return "0";
  return `${delta > 0 ? "+" : "−"}${measureText(Math.abs(delta), by)}`;
}

/** Which time stands in the columns of both sides. */
const timeOf = (by: Measure): Measure => (by === "self" ? "self" : "duration");

export function CompareTree({ value }: { value: Answer }) {
  const by = measureOf();
  const flat = param("align") === "name";
  const nodes = useMemo(() => (flat ? alignByName(value.nodes) : value.nodes), [value, flat]);
  const [closed, setClosed] = useState<ReadonlySet<number>>(new Set());
  const [cursor, setCursor] = useState(-1);
  const scrollTop = useRef(0);
  const order = param("order") === "calls" ? null : by;
  const rows = useMemo(() => rowsOfTree(nodes, order, flat ? new Set() : closed), [nodes, order, closed, flat]);
  const most = useMemo(() => nodes.reduce((m, n) => Math.max(m, Math.abs(deltaOf(n, by))), 0) || 1, [nodes, by]);
  const longest = useMemo(() => nodes.reduce((m, n) => Math.max(m, valueOf(n.a, timeOf(by)), valueOf(n.b, timeOf(by))), 0) || 1, [nodes, by]);
  const at = Math.min(cursor, rows.length - 1);
  const node = at >= 0 ? nodes[rows[at]] : null;
  const move = (to: number) => setCursor(Math.max(0, Math.min(rows.length - 1, to)));
  const toggle = (i: number) => {
    const next = new Set(closed);
    if (!next.delete(i)) next.add(i);
    setClosed(next);
  };
  const fold = (close: boolean) => {
    const i = rows[at];
    if (i === undefined || flat) return;
    if (nodes[i].subtree > 1 && closed.has(i) !== close) toggle(i);
    else if (close && nodes[i].parent >= 0) move(rows.indexOf(nodes[i].parent));
    else if (!close && nodes[i].subtree > 1) move(at + 1);
  };
  useActions({
    "rows.next": () => move(at + 1),
    "rows.previous": () => move(at - 1),
    "rows.pageDown": () => move(at + 20),
    "rows.pageUp": () => move(at - 20),
    "rows.first": () => move(0),
    "rows.last": () => move(rows.length - 1),
    "rows.in": () => fold(false),
    "rows.out": () => fold(true),
    "rows.open": () => node && value.of === "traces" && !flat && openSpans(rows[at]),
    "compare.foldAll": () => setClosed(new Set(nodes.flatMap((n, i) => (n.subtree > 1 ? [i] : [])))),
    "compare.unfoldAll": () => setClosed(new Set()),
  });
  return (
    <>
      <div class={`cmp-tree by-${by}`} role="treegrid" aria-label="Calls of A and B" aria-rowcount={rows.length + 1} tabIndex={0} aria-activedescendant={at >= 0 ? `cmp-${rows[at]}` : undefined}>
        <div role="rowgroup">
          <div class="cmp-row head" role="row" aria-rowindex={1}>
            <span role="columnheader" class="clip">Call{value.of === "sets" ? " (a mean trace of each set)" : ""}</span>
            {["calls A", "calls B", `${timeOf(by)} A`, `${timeOf(by)} B`, `Δ ${by === "count" ? "calls" : by}`, "Δ %", by === "self" ? "Δ duration" : "Δ self"].map((name, i) => (
              <span key={name} role="columnheader" class={i === 4 || i === 5 ? "right" : "right wide-only"}>
                {name}
              </span>
            ))}
            <span role="columnheader" class="cmp-scale">
              <span>◂ A {by === "count" ? "more" : "slower"}</span>
              <span>B {by === "count" ? "more" : "slower"} ▸</span>
            </span>
          </div>
        </div>
        <div role="rowgroup" class="rows">
          <VirtualRows
            count={rows.length}
            rowHeight={narrow.value ? ROW_NARROW : rowPx.value}
            cursor={at}
            scrollTop={scrollTop}
            row={(i) => (
              <Row
                key={rows[i]}
                index={i}
                id={rows[i]}
                node={nodes[rows[i]]}
                by={by}
                flat={flat}
                open={!closed.has(rows[i])}
                chosen={i === at}
                most={most}
                longest={longest}
                choose={() => setCursor(i)}
                toggle={() => toggle(rows[i])}
              />
            )}
          />
        </div>
      </div>
      {node ? <Chosen node={node} nodes={nodes} index={rows[at]} value={value} flat={flat} /> : <p class="cmp-foot dim">{plural(nodes.length, flat ? "call" : "path")} · choose one for all its numbers</p>}
    </>
  );
}

/** To the tab that compares spans, with the first span of a call on either side. */
export function openSpans(node: number): void {
  const two = pair.state.peek().value;
  const first = (side: "a" | "b") => {
    const row = two?.[side].rows.get(node)?.[0];
    return two && row !== undefined ? spanIdAt(two[side].skeleton, row) : null;
  };
  replace(patched({ tab: "spans", node, sa: first("a"), sb: first("b") }));
}

/** Where the address says: the node of a span that is chosen, or the node itself. */
export function nodeOfAddress(): number {
  const two = pair.state.value.value;
  if (two) {
    for (const side of ["a", "b"] as const) {
      const place = placeOf(two[side], rowOfAddress(side, two[side]));
      if (place) return place.node;
    }
  }
  const n = Number.parseInt(param("node"), 10);
  return Number.isNaN(n) ? 0 : n;
}

interface RowProps {
  index: number;
  id: number;
  node: CompareNode;
  by: Measure;
  flat: boolean;
  open: boolean;
  chosen: boolean;
  most: number;
  longest: number;
  choose: () => void;
  toggle: () => void;
}

function Row({ index, id, node, by, flat, open, chosen, most, longest, choose, toggle }: RowProps) {
  const delta = deltaOf(node, by);
  const shown = timeOf(by);
  const part = (side: "a" | "b") => ({ "--part": `${(100 * valueOf(node[side], shown)) / longest}%` });
  const other = by === "self" ? "duration" : "self";
  const depth = Math.min(node.depth, INDENT_MAX);
  const errors = (node.b?.errors ?? 0) - (node.a?.errors ?? 0);
  const number = (side: "a" | "b", measure: Measure) => {
    const n = node[side];
    return n ? measureText(valueOf(n, measure), measure) : "–";
  };
  return (
    <div
      id={`cmp-${id}`}
      class={`cmp-row ${node.change}${chosen ? " chosen" : ""}`}
      role="row"
      aria-rowindex={index + 2}
      aria-level={flat ? undefined : node.depth + 1}
      aria-expanded={!flat && node.subtree > 1 ? open : undefined}
      aria-selected={chosen}
      aria-label={rowLabel(node, by)}
      tabIndex={-1}
      onClick={choose}
    >
      <span role="gridcell" class="cmp-name" style={{ paddingLeft: `${flat ? 0 : depth * 12}px` }}>
        {flat ? null : node.subtree > 1 ? (
          <button type="button" class={open ? "cmp-twisty open" : "cmp-twisty"} tabIndex={-1} aria-label={open ? "Close" : "Open"} onClick={toggle} />
        ) : (
          <span class="cmp-twisty leaf" />
        )}
        {node.depth > INDENT_MAX ? <span class="dim num">{node.depth}</span> : null}
        <ServiceLabel service={node.service} operation={node.operation} kind={node.kind} />
        {node.change === "both" ? null : <span class={`only only-${node.change === "new" ? "b" : "a"}`}>{changeText(node, by)}</span>}
        {errors !== 0 ? (
          <Marked title={`errors: A ${formatMean(node.a?.errors ?? 0)}, B ${formatMean(node.b?.errors ?? 0)}`}>
            {errors > 0 ? "+" : "−"}
            {formatMean(Math.abs(errors))}
            <span class="offscreen"> errors</span>
          </Marked>
        ) : null}
        {node.merged > 1 ? <span class="dim">{node.merged} paths</span> : null}
      </span>
      <span role="gridcell" class="num right wide-only">{number("a", "count")}</span>
      <span role="gridcell" class="num right wide-only">{number("b", "count")}</span>
      <span role="gridcell" class="num right wide-only cmp-number a" style={part("a")}>{number("a", shown)}</span>
      <span role="gridcell" class="num right wide-only cmp-number b" style={part("b")}>{number("b", shown)}</span>
      <span role="gridcell" class={`num right cmp-delta ${delta > 0 ? "b" : delta < 0 ? "a" : ""}`}>{deltaText(delta, by)}</span>
      <span role="gridcell" class="num right cmp-percent">{node.change === "both" ? changeText(node, by) : ""}</span>
      <span role="gridcell" class="num right wide-only dim">{deltaText(deltaOf(node, other), other)}</span>
      <span role="gridcell" class="cmp-bar">
        <DeltaBar delta={delta} most={most} only={node.change !== "both"} />
        <span class="offscreen">{delta > 0 ? "B has more" : delta < 0 ? "A has more" : "no difference"}</span>
      </span>
    </div>
  );
}

/** A row in words: numbers alone say nothing to who does not see their columns. */
function rowLabel(node: CompareNode, by: Measure): string {
  const { a, b } = node;
  const side = (name: string, n: Numbers | null) => (n ? [`${name} ${measureText(valueOf(n, by), by)}${by === "count" ? " calls" : ""}${n.errors > 0 ? ` and ${formatMean(n.errors)} error${n.errors === 1 ? "" : "s"}` : ""}`] : []);
  return [`${node.service} ${node.operation}`, ...side("A", a), ...side("B", b), ...(a && b ? [`difference ${deltaText(deltaOf(node, by), by)}`] : []), changeText(node, by)].join(", ");
}

export function DeltaBar({ delta, most, only }: { delta: number; most: number; only: boolean }) {
  if (delta === 0) return <span class="delta-bar" aria-hidden="true" />;
  const size = { width: `${Math.max(0.75, (50 * Math.abs(delta)) / most)}%` };
  return (
    <span class="delta-bar" aria-hidden="true">
      <span class={`${delta > 0 ? "b" : "a"}${only ? " hatch" : ""}`} style={size} />
    </span>
  );
}

/** Everything about one call, and where to go from it. */
function Chosen({ node, nodes, index, value, flat }: { node: CompareNode; nodes: CompareNode[]; index: number; value: Answer; flat: boolean }) {
  const path: CompareNode[] = [];
  for (let at = index; at >= 0; at = nodes[at].parent) path.unshift(nodes[at]);
  const query = `{ resource.service.name = ${quote(node.service)} && name = ${quote(node.operation)} && kind = ${node.kind} }`;
  const line = (measure: Measure) => (
    <span key={measure}>
      {measureName[measure]} <b>{node.a ? measureText(valueOf(node.a, measure), measure) : "–"}</b> → <b>{node.b ? measureText(valueOf(node.b, measure), measure) : "–"}</b>{" "}
      <span class={deltaOf(node, measure) > 0 ? "cmp-delta b" : deltaOf(node, measure) < 0 ? "cmp-delta a" : "dim"}>
        {deltaText(deltaOf(node, measure), measure)} ({changeText(node, measure)})
      </span>
    </span>
  );
  return (
    <div class="cmp-foot" role="region" aria-label="The chosen call">
      <p class="cmp-path">
        {path.map((n, i) => (
          <span key={`${n.depth}`}>
            {i > 0 ? <span aria-hidden="true"> › </span> : null}
            {n.service} <b>{n.operation}</b>
          </span>
        ))}
      </p>
      <p class="cmp-lines num">
        {(["duration", "self", "count"] as Measure[]).map(line)}
        <span>
          errors <b>{formatMean(node.a?.errors ?? 0)}</b> → <b>{formatMean(node.b?.errors ?? 0)}</b>
        </span>
        {value.of === "sets" ? (
          <span>
            in <b>{formatPercent(node.a?.share ?? 0, 1)}</b> of A, <b>{formatPercent(node.b?.share ?? 0, 1)}</b> of B
          </span>
        ) : null}
        {value.of === "traces" && !flat ? (
          <button type="button" class="link" onClick={() => openSpans(index)}>
            Compare its spans
          </button>
        ) : null}
        <a href={href("explore", { q: query })}>In other traces</a>
      </p>
    </div>
  );
}
