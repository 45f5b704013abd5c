// SPDX-License-Identifier: Apache-2.0
// Where the structure graph puts its cards. Columns: a tree from left to right, each parent on the line of its first child, so that the line of the
// greatest difference begins at the root and the rest hangs below it. Outline, for what is too deep for that: each card on a line of its own, a
// step to the right of its parent, as wide as the screen allows. Root and what is next to it stand together at the top left in both. No DOM.
import type { CompareNode } from "./compare";

export const CARD = { width: 196, height: 44, gapX: 44, gapY: 10 };
const COLUMN = CARD.width + CARD.gapX;
/** How far a child stands to the right of its parent in the narrowest outline. */
export const OUTLINE_STEP = 18;

export interface Card {
  node: number;
  x: number;
  y: number;
  /** Children in drawing order, as nodes. */
  children: number[];
}

export interface Drawing {
  outline: boolean;
  /** In drawing order, parents first. */
  cards: Map<number, Card>;
  width: number;
  height: number;
}

/** order: what is drawn, parents first and each subtree in one piece; with a node, everything above it.
 * room: how wide the drawing may be, as far as that can be. */
export function layoutTree(nodes: CompareNode[], order: readonly number[], room: number): Drawing {
  const cards = new Map<number, Card>();
  const deepest = order.reduce((d, n) => Math.max(d, nodes[n].depth), 0);
  const outline = deepest * COLUMN + CARD.width > room;
  const step = outline ? Math.max(OUTLINE_STEP, Math.min(COLUMN, Math.floor((room - CARD.width) / deepest))) : COLUMN;
  const line = CARD.height + CARD.gapY;
  let lines = 0;
  for (const node of order) {
    const parent = cards.get(nodes[node].parent);
    const beside = !outline && parent?.children.length === 0;
    cards.set(node, { node, x: nodes[node].depth * step, y: beside ? parent.y : lines++ * line, children: [] });
    parent?.children.push(node);
  }
  return { outline, cards, width: deepest * step + CARD.width, height: Math.max(1, lines) * line - CARD.gapY };
}

const CORNER = 6;

/** The line from a card to one of its children, with one rounded corner or two. */
export function edgePath(from: Card, to: Card, outline: boolean): string {
  const y2 = to.y + CARD.height / 2;
  if (outline) {
    const x = from.x + OUTLINE_STEP / 2;
    return `M${x} ${from.y + CARD.height}V${y2 - CORNER}q0 ${CORNER} ${CORNER} ${CORNER}H${to.x}`;
  }
  const [x1, y1] = [from.x + CARD.width, from.y + CARD.height / 2];
  if (y1 === y2) return `M${x1} ${y1}H${to.x}`;
  return `M${x1} ${y1}h${CARD.gapX / 2 - CORNER}q${CORNER} 0 ${CORNER} ${CORNER}V${y2 - CORNER}q0 ${CORNER} ${CORNER} ${CORNER}H${to.x}`;
}
