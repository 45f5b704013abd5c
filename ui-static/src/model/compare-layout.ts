// SPDX-License-Identifier: Apache-2.0
// Where the structure graph puts its cards: a tree from left to right, each parent beside the middle of its children. One pass
// from the last node to the first, since subtrees are slices of the list. No DOM.
import type { CompareNode } from "./compare";

export const CARD = { width: 196, height: 44, gapX: 44, gapY: 10 };

export interface Card {
  node: number;
  x: number;
  y: number;
  /** Children in drawing order, as nodes. */
  children: number[];
}

export interface Drawing {
  cards: Map<number, Card>;
  width: number;
  height: number;
}

/** kept: what is drawn; with a node, everything above it. */
export function layoutTree(nodes: CompareNode[], kept: ReadonlySet<number>): Drawing {
  const cards = new Map<number, Card>();
  const order = [...kept].sort((a, b) => a - b);
  for (const node of order) cards.set(node, { node, x: nodes[node].depth * (CARD.width + CARD.gapX), y: 0, children: [] });
  for (const node of order) cards.get(nodes[node].parent)?.children.push(node);
  let line = 0;
  // Leaves take lines in the order of the list; what is above follows them, from the last to the first.
  for (const node of order) {
    const card = cards.get(node) as Card;
    if (card.children.length === 0) card.y = line++ * (CARD.height + CARD.gapY);
  }
  for (let i = order.length - 1; i >= 0; i--) {
    const card = cards.get(order[i]) as Card;
    const [first, last] = [card.children[0], card.children[card.children.length - 1]];
    if (first !== undefined) card.y = ((cards.get(first) as Card).y + (cards.get(last) as Card).y) / 2;
  }
  const deepest = order.reduce((d, n) => Math.max(d, nodes[n].depth), 0);
  return { cards, width: (deepest + 1) * (CARD.width + CARD.gapX) - CARD.gapX, height: Math.max(1, line) * (CARD.height + CARD.gapY) - CARD.gapY };
}
