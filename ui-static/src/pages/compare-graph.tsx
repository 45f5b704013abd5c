// SPDX-License-Identifier: Apache-2.0
// The merged tree as a drawing: a card a call, blue where A is slower, orange where B is, hatched where only one side has it. The
// Calls tab is its table.
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { changeText, type CompareNode, deltaOf, type Measure, rowsOfTree, topNodes } from "../model/compare";
import { CARD, type Card, edgePath, layoutTree } from "../model/compare-layout";
import { cutMiddle, formatCount, formatMean, visibleName } from "../model/text";
import { param } from "../route";
import { answer, measureOf, narrow } from "../state/compare";
import { useActions } from "../state/keys";
import { slotOf } from "./compare-name";
import { colourOf } from "../model/palette";
import { dark } from "../state/prefs";
import { deltaText, openSpans } from "./compare-tree";

/** More cards are a wall of paper; a button draws them all the same. */
const CARDS = 150;
const NAME_MAX = 26;
const PAD = 12;
const ZOOMS = [0.4, 0.55, 0.75, 1, 1.4];
const FULL = 3;
/** Beside the drawing: its edge, and a bar to scroll it with. */
const BESIDE = 2 * PAD + 16;

/** Pixels of a character of the service and of the difference, which share a line, and what that line has for both. */
const [SERVICE_CHARACTER, DELTA_CHARACTER, LINE] = [6.4, 7.2, CARD.width - 28];

export function CompareGraph({ nodes }: { nodes: CompareNode[] }) {
  const by = measureOf();
  const [all, setAll] = useState(false);
  const [zoom, setZoom] = useState(FULL);
  const [current, setCurrent] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const kept = useMemo(() => topNodes(nodes, by, all ? nodes.length : CARDS), [nodes, by, all]);
  const called = param("order") === "calls";
  const order = useMemo(() => rowsOfTree(nodes, called ? null : by, new Set()).filter((n) => kept.has(n)), [nodes, by, called, kept]);
  const drawing = useMemo(() => layoutTree(nodes, order, window.innerWidth - BESIDE), [nodes, order, narrow.value]);
  const most = useMemo(() => nodes.reduce((m, n) => Math.max(m, Math.abs(deltaOf(n, by))), 0) || 1, [nodes, by]);
  const focused = drawing.cards.has(current) ? current : ([...drawing.cards.keys()][0] ?? 0);
  const goTo = (node: number | undefined) => {
    if (node === undefined) return;
    setCurrent(node);
    box.current?.querySelector<SVGElement>(`[data-node="${node}"]`)?.focus();
  };
  const walk = (event: KeyboardEvent, card: Card) => {
    const siblings = drawing.cards.get(nodes[card.node].parent)?.children ?? [...drawing.cards.keys()].filter((n) => nodes[n].parent < 0);
    const at = siblings.indexOf(card.node);
    const cards = [...drawing.cards.values()].filter((c) => c.x === card.x).sort((a, b) => a.y - b.y);
    const here = cards.indexOf(card);
    const target: Record<string, number | undefined> = {
      ArrowLeft: nodes[card.node].parent >= 0 ? nodes[card.node].parent : undefined,
      ArrowRight: card.children[0],
      ArrowUp: siblings[at - 1] ?? cards[here - 1]?.node,
      ArrowDown: siblings[at + 1] ?? cards[here + 1]?.node,
    };
    if (event.key === "Enter" || event.key === " ") openIt(card.node);
    else if (!(event.key in target)) return;
    else goTo(target[event.key]);
    event.preventDefault();
    event.stopPropagation();
  };
  const openIt = (node: number) => {
    setCurrent(node);
    if (answer.state.peek().value?.of === "traces") openSpans(node);
  };
  const scale = (step: number) => setZoom(Math.max(0, Math.min(ZOOMS.length - 1, zoom + step)));
  useActions({ "compare.zoomIn": () => scale(1), "compare.zoomOut": () => scale(-1) });
  useLayoutEffect(() => {
    setZoom(FULL);
    box.current?.scrollTo(0, 0);
  }, [drawing]);
  const z = ZOOMS[zoom];
  const [width, height] = [drawing.width + 2 * PAD, drawing.height + 2 * PAD];
  return (
    <div class="cmp-graph">
      <div class="cmp-graph-bar">
        <span class="cmp-key a">A slower</span>
        <span class="cmp-key b">B slower</span>
        <span class="cmp-key hatch">only in one</span>
        <span class="dim">
          {kept.size < nodes.length ? `${formatCount(kept.size)} of ${formatCount(nodes.length)} calls: those with the greatest differences` : `all ${formatCount(nodes.length)} calls`}
        </span>
        {nodes.length > CARDS ? (
          <button type="button" class="link" onClick={() => setAll(!all)}>
            {all ? `Only ${CARDS}` : "Show all"}
          </button>
        ) : null}
        <span class="spring" />
        <span class="button-group cmp-size" role="group" aria-label="Size">
          <button type="button" class="button square" aria-label="Smaller" title="Smaller (-)" disabled={zoom === 0} onClick={() => scale(-1)}>
            −
          </button>
          <button type="button" class="button square" aria-label="Larger" title="Larger (+)" disabled={zoom === ZOOMS.length - 1} onClick={() => scale(1)}>
            +
          </button>
        </span>
      </div>
      <div class="cmp-drawing" ref={box} tabIndex={0} role="region" aria-label="Drawing">
        <svg width={width * z} height={height * z} viewBox={`${-PAD} ${-PAD} ${width} ${height}`} role="group" aria-label="Calls of A and B as a tree">
          <defs>
            <pattern id="cmp-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <line x1="0" y1="0" x2="0" y2="6" class="cmp-hatch-line" />
            </pattern>
          </defs>
          {[...drawing.cards.values()].flatMap((card) =>
            card.children.map((child) => {
              return <path key={child} class={`cmp-edge ${nodes[child].change}`} d={edgePath(card, drawing.cards.get(child) as Card, drawing.outline)} />;
            }),
          )}
          {[...drawing.cards.values()].map((card) => (
            <CardOf key={card.node} card={card} node={nodes[card.node]} by={by} most={most} focused={card.node === focused} walk={walk} open={openIt} />
          ))}
        </svg>
      </div>
    </div>
  );
}

interface CardProps {
  card: Card;
  node: CompareNode;
  by: Measure;
  most: number;
  focused: boolean;
  walk: (event: KeyboardEvent, card: Card) => void;
  open: (node: number) => void;
}

function CardOf({ card, node, by, most, focused, walk, open }: CardProps) {
  const delta = deltaOf(node, by);
  const side = delta > 0 ? "b" : delta < 0 ? "a" : "same";
  const calls = node.a && node.b ? (node.a.calls === node.b.calls ? `×${formatMean(node.a.calls)}` : `×${formatMean(node.a.calls)}→${formatMean(node.b.calls)}`) : `×${formatMean((node.a ?? node.b)?.calls ?? 0)}`;
  const numbers = `${node.change === "both" ? calls : node.change === "new" ? "only B" : "only A"} ${deltaText(delta, by)}`;
  const said = `${node.service} ${node.operation}: ${deltaText(delta, by)}, ${changeText(node, by)}, ${calls.slice(1)} calls`;
  return (
    <g
      class={`cmp-card ${side} ${node.change}`}
      data-node={card.node}
      transform={`translate(${card.x} ${card.y})`}
      role="button"
      tabindex={focused ? 0 : -1}
      onClick={() => open(card.node)}
      onKeyDown={(event) => walk(event, card)}
    >
      <title>{said}</title>
      <g aria-hidden="true">
      <rect class="cmp-card-box" width={CARD.width} height={CARD.height} rx="6" />
      <rect class="cmp-card-tint" width={CARD.width} height={CARD.height} rx="6" opacity={delta === 0 ? 0 : 0.1 + (0.3 * Math.abs(delta)) / most} />
      {node.change === "both" ? null : <rect width={CARD.width} height={CARD.height} rx="6" fill="url(#cmp-hatch)" />}
      <rect width="5" height={CARD.height} rx="2.5" fill={colourOf(slotOf(node.service), dark.value)} />
      <text x="12" y="17">
        {cutMiddle(visibleName(node.operation), NAME_MAX)}
      </text>
      <text x="12" y="35" class="cmp-card-service">
        {cutMiddle(node.service, Math.max(2, Math.floor((LINE - numbers.length * DELTA_CHARACTER) / SERVICE_CHARACTER)))}
      </text>
      <text x={CARD.width - 8} y="35" text-anchor="end" class="cmp-card-delta">
        {numbers}
      </text>
      </g>
    </g>
  );
}
