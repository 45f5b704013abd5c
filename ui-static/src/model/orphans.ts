// SPDX-License-Identifier: Apache-2.0
// Spans whose parent is not stored, by the parent that they name: those of one parent belong together, wherever their rows are. Rows stay as the
// server numbers them; this says in which order they are shown. No DOM.
import { ERROR, ORPHAN, type Skeleton, subtreeEnds } from "./skeleton";

export interface OrphanGroup {
  /** The id of the span that is missing. */
  parent: string;
  /** Its children, in the order of their rows. */
  tops: number[];
  /** Of the children and all that is below them. */
  spans: number;
  errors: number;
  start: number;
  end: number;
}

/** Rows that stand together in both orders: a subtree, or all before the first orphan. */
export interface Block {
  from: number;
  to: number;
  /** Index of the group, -1 for what has a root. */
  group: number;
}

export interface Orphans {
  groups: OrphanGroup[];
  /** In the order in which they are shown. */
  blocks: Block[];
  /** The group of each row, -1 for none. */
  groupOf: Int32Array;
  /** The place of each row among all that could be shown, and the row at each place. */
  placeOf: Int32Array;
  rowAt: Int32Array;
}

/** Null: every span has its parent, or needs none. Groups stand behind the roots, by their first row. */
export function findOrphans(s: Skeleton): Orphans | null {
  if (s.missingParent.size === 0) return null;
  const groups: OrphanGroup[] = [];
  const byParent = new Map<string, number>();
  const ends = subtreeEnds(s);
  const rest: Block[] = [];
  for (let row = 0; row < s.count; row += s.subtree[row]) {
    const end = row + s.subtree[row];
    const missing = s.flags[row] & ORPHAN ? s.missingParent.get(row) : undefined;
    if (missing === undefined) {
      rest.push({ from: row, to: end, group: -1 });
      continue;
    }
    const at = byParent.get(missing) ?? groups.push({ parent: missing, tops: [], spans: 0, errors: 0, start: s.start[row], end: 0 }) - 1;
    byParent.set(missing, at);
    const group = groups[at];
    group.tops.push(row);
    group.spans += s.subtree[row];
    for (let at = row; at < end; at++) group.errors += s.flags[at] & ERROR;
    group.start = Math.min(group.start, s.start[row]);
    group.end = Math.max(group.end, ends[row]);
  }
  const blocks = [...rest, ...groups.flatMap(({ tops }, group) => tops.map((from) => ({ from, to: from + s.subtree[from], group })))];
  return { groups, ...placed(s.count, joined(blocks)) };
}

/** Blocks that follow each other in the rows as well are one: a run of repeats may go over them. */
function joined(blocks: Block[]): Block[] {
  const out: Block[] = [];
  for (const block of blocks) {
    const last = out.at(-1);
    if (last && last.to === block.from && last.group === block.group) last.to = block.to;
    else out.push(block);
  }
  return out;
}

function placed(count: number, blocks: Block[]): Omit<Orphans, "groups"> {
  const groupOf = new Int32Array(count).fill(-1);
  const placeOf = new Int32Array(count);
  const rowAt = new Int32Array(count);
  let place = 0;
  for (const { from, to, group } of blocks) {
    groupOf.fill(group, from, to);
    for (let row = from; row < to; row++) {
      placeOf[row] = place;
      rowAt[place++] = row;
    }
  }
  return { blocks, groupOf, placeOf, rowAt };
}
