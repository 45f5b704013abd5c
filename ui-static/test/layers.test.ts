// SPDX-License-Identifier: Apache-2.0
// The drawing of the map, of any graph: nothing is lost, nothing covers anything else.
import assert from "node:assert/strict";
import test from "node:test";
import { freeRow, type Label, LABEL_HEIGHT, NODE_HEIGHT } from "../src/views/graph-paths";
import { layout, type LayoutAnswer, type LayoutRequest } from "../src/worker/layers";

/** Numbers in [0, 1) that are the same in every run. */
function numbers(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function randomGraph(seed: number): LayoutRequest {
  const random = numbers(seed);
  const below = (n: number) => Math.floor(random() * n);
  const [count, groups] = [1 + below(17), seed % 2 ? below(4) : 0];
  const nodes = Array.from({ length: count }, (_, i) => ({ id: `service-${i}`, width: 90 + below(120), height: 36 + below(3) * 8, group: groups > 0 && random() < 0.7 ? `group ${below(groups)}` : undefined }));
  const service = () => nodes[below(count)].id;
  // Most of the traffic is on few edges, and some have none; several lie between the same two, some are loops.
  const edges = Array.from({ length: below(count * 3) }, (_, i) => ({ id: `edge-${i}`, from: service(), to: service(), weight: Math.floor(random() ** 6 * 10000) }));
  return { nodes, edges, vertical: random() < 0.3 };
}

const overlap = (a: Box, b: Box) => Math.abs(a.x - b.x) < (a.width + b.width) / 2 - 0.01 && Math.abs(a.y - b.y) < (a.height + b.height) / 2 - 0.01;
interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

function check(request: LayoutRequest, answer: LayoutAnswer): void {
  const at = new Map(answer.nodes.map((n) => [n.id, n]));
  assert.deepEqual([...at.keys()].sort(), request.nodes.map((n) => n.id).sort());
  const cards = request.nodes.map((n) => ({ ...n, x: at.get(n.id)?.x ?? Number.NaN, y: at.get(n.id)?.y ?? Number.NaN }));
  for (const [i, card] of cards.entries()) {
    assert.ok(card.x >= card.width / 2 && card.y >= card.height / 2 && card.x <= answer.width && card.y <= answer.height, `${card.id} stands at ${card.x}, ${card.y} of ${answer.width}, ${answer.height}`);
    for (const other of cards.slice(i + 1)) assert.ok(!overlap(card, other), `${card.id} covers ${other.id}`);
  }
  const points = new Map(answer.edges.map((e) => [e.id, e.points]));
  for (const e of request.edges) {
    if (e.from === e.to) continue;
    const own = points.get(e.id) ?? [];
    assert.ok(own.length >= 2 && own.every((p) => Number.isFinite(p.x) && Number.isFinite(p.y)), `${e.id} has points ${JSON.stringify(own)}`);
  }
  for (const box of answer.boxes ?? []) {
    const whole = { ...box, x: box.x + box.width / 2, y: box.y + box.height / 2 };
    for (const card of cards) assert.equal(overlap(card, whole), card.group === box.title, `${card.id} and the box of ${box.title}`);
  }
}

test("any graph is laid out: every card has its place, none covers another, every edge has points, boxes have their own", () => {
  for (let seed = 1; seed <= 320; seed++) {
    const request = randomGraph(seed);
    try {
      check(request, layout(request));
    } catch (error) {
      throw new Error(`graph ${seed}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
});

test("rings have every card once", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const request = { ...randomGraph(seed), around: "" };
    const { nodes } = layout(request);
    assert.equal(new Set(nodes.map((n) => n.id)).size, request.nodes.length, String(seed));
  }
});

test("graphs without an edge that is drawn have a layout, too", () => {
  const card = (id: string, group?: string) => ({ id, width: 100, height: 36, group });
  for (const nodes of [[], [card("a")], [card("a"), card("b")], [card("a", "x"), card("b", "x"), card("c")]]) {
    const request = { nodes, edges: nodes.slice(0, 1).map((n) => ({ id: "loop", from: n.id, to: n.id, weight: 0 })), vertical: false };
    check(request, layout(request));
  }
});

test("calls that are gone are edges all the same", () => {
  const nodes = ["a", "b"].map((id) => ({ id, width: 100, height: 36 }));
  const request = { nodes, edges: [{ id: "a b", from: "a", to: "b", weight: 0 }], vertical: false };
  check(request, layout(request));
});

test("labels lie on no other label and on no card, near to their lines, or have no room", () => {
  const cards = [{ x: 0, y: 0 }, { x: 260, y: 0 }];
  const placed: Label[] = [];
  const put = (x: number, y: number, half = 35, below = 0) => {
    const row = freeRow({ x, y, half, below }, placed, cards);
    if (row !== null) placed.push({ x, y: row, half, below });
    return row;
  };
  // Between two cards: as wanted, then below and above in turn, each a row further.
  assert.deepEqual(Array.from({ length: 7 }, () => put(130, 0)), [0, 1, -1, 2, -2, 3, -3].map((row) => row * LABEL_HEIGHT));
  assert.equal(put(130, 0), null);
  // On a card, and one of two rows, of which the second would be on it.
  assert.ok(Math.abs(put(0, 0) as number) >= (NODE_HEIGHT + LABEL_HEIGHT) / 2);
  assert.equal(put(0, -45, 35, LABEL_HEIGHT), -45 - LABEL_HEIGHT);
  for (const a of placed) for (const b of placed) assert.ok(a === b || Math.abs(a.x - b.x) >= a.half + b.half || a.y - b.y >= b.below + LABEL_HEIGHT || b.y - a.y >= a.below + LABEL_HEIGHT);
});
