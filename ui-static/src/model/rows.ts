// SPDX-License-Identifier: Apache-2.0
// Which rows the waterfall shows: folded subtrees, folded repeats, an isolated subtree, only the matches. An item is a
// span (its row, >= 0), a run of repeats (~index of the run, < 0), what a span called that sent no span itself
// (~(number of runs + row), < 0), or a parent that is missing (~(runs + rows + index of its group), < 0). Items are in the order of
// their rows, but what hangs from a missing parent stands together behind all that has a root. No DOM.
import { nextRow } from "./find";
import { findOrphans, type Orphans } from "./orphans";
import type { Skeleton } from "./skeleton";

/** Siblings in a row with one service, name, kind and status, and no children: shown as one line. Children of a missing parent are siblings. */
export interface Run {
  first: number;
  count: number;
}

/** Fewer repeats than this are easier to read one by one. */
export const RUN_MIN = 5;

export function findRuns(s: Skeleton): Run[] {
  const runs: Run[] = [];
  const same = (a: number, b: number) =>
    s.parent[a] === s.parent[b] &&
    (s.parent[a] >= 0 || (s.missingParent.has(a) && s.missingParent.get(a) === s.missingParent.get(b))) &&
    s.subtree[b] === 1 &&
    s.service[a] === s.service[b] &&
    s.operation[a] === s.operation[b] &&
    s.kind[a] === s.kind[b] &&
    s.status[a] === s.status[b];
  for (let row = 0; row < s.count; ) {
    let end = row + 1;
    if (s.subtree[row] === 1) while (end < s.count && same(row, end)) end++;
    if (end - row >= RUN_MIN) runs.push({ first: row, count: end - row });
    row = end;
  }
  return runs;
}

export interface RunStats {
  sum: number;
  p50: number;
  p95: number;
  max: number;
  start: number;
  end: number;
}

export function runStats(s: Skeleton, run: Run): RunStats {
  const lengths = s.length.slice(run.first, run.first + run.count).sort();
  let end = 0;
  let sum = 0;
  for (let row = run.first; row < run.first + run.count; row++) {
    end = Math.max(end, s.start[row] + s.length[row]);
    sum += s.length[row];
  }
  const at = (q: number) => lengths[Math.max(0, Math.ceil(q * run.count) - 1)];
  return { sum, p50: at(0.5), p95: at(0.95), max: lengths[run.count - 1], start: s.start[run.first], end };
}

export interface Folding {
  /** 1 for a row whose subtree is folded away. */
  closed: Uint8Array;
  runs: Run[];
  /** Runs are folded, except the ones opened by hand. */
  foldRuns: boolean;
  openRuns: Set<number>;
  /** Show what sent no spans below the calls to it. */
  peers: boolean;
  /** What hangs from parents that are missing, null for nothing; and the groups of it that are folded away. */
  orphans: Orphans | null;
  closedGroups: Set<number>;
  /** Only this subtree; -1 for all. */
  isolated: number;
  /** When set: only rows with 1, and their ancestors. */
  only: Uint8Array | null;
}

export function newFolding(s: Skeleton): Folding {
  const closed = new Uint8Array(s.count);
  return { closed, runs: findRuns(s), foldRuns: true, openRuns: new Set(), peers: false, orphans: findOrphans(s), closedGroups: new Set(), isolated: -1, only: null };
}

/** The items to show, top to bottom. One pass over the rows, whatever is folded. */
export function visibleItems(s: Skeleton, f: Folding): Int32Array {
  const items = new Int32Array(s.count + f.runs.length + (f.peers ? s.peers.size : 0) + (f.orphans?.groups.length ?? 0));
  const keep = f.only ? withAncestors(s, f.only) : null;
  if (f.isolated >= 0) return items.slice(0, fillItems(s, f, keep, f.isolated, f.isolated + s.subtree[f.isolated], items, 0));
  if (!f.orphans) return items.slice(0, fillItems(s, f, keep, 0, s.count, items, 0));
  let n = 0;
  let shown = -1;
  for (const { from, to, group } of f.orphans.blocks) {
    if (group >= 0 && group !== shown && (!keep || f.orphans.groups[group].tops.some((row) => keep[row]))) {
      items[n++] = ~(f.runs.length + s.count + group);
      shown = group;
    }
    if (group < 0 || keep || !f.closedGroups.has(group)) n = fillItems(s, f, keep, from, to, items, n);
  }
  return items.slice(0, n);
}

/** The items of rows that stand together; returns the number of items then. */
function fillItems(s: Skeleton, f: Folding, keep: Uint8Array | null, from: number, to: number, items: Int32Array, already: number): number {
  let n = already;
  let run = firstRunFrom(f.runs, from);
  for (let row = from; row < to; ) {
    while (run < f.runs.length && f.runs[run].first < row) run++;
    if (keep && !keep[row]) {
      row++;
      continue;
    }
    if (!keep && f.foldRuns && f.runs[run]?.first === row) {
      items[n++] = ~run;
      if (!f.openRuns.has(run)) {
        row += f.runs[run].count;
        continue;
      }
    }
    items[n++] = row;
    const closed = f.closed[row] && !keep;
    if (f.peers && !closed && s.peers.has(row)) items[n++] = ~(f.runs.length + row);
    row += closed ? s.subtree[row] : 1;
  }
  return n;
}

function firstRunFrom(runs: Run[], row: number): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (runs[middle].first < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

function withAncestors(s: Skeleton, only: Uint8Array): Uint8Array {
  const keep = new Uint8Array(s.count);
  for (let row = s.count - 1; row >= 0; row--) {
    if (!only[row] && !keep[row]) continue;
    keep[row] = 1;
    if (s.parent[row] >= 0) keep[s.parent[row]] = 1;
  }
  return keep;
}

/** Rows, as many as there are items for peers between the runs and the groups. */
const rowsOf = (f: Folding) => f.closed.length;

export const isRun = (f: Folding, item: number) => item < 0 && ~item < f.runs.length;
export const isPeer = (f: Folding, item: number) => item < 0 && ~item >= f.runs.length && ~item < f.runs.length + rowsOf(f);
/** The group whose missing parent an item is; -1 for any other item. */
export const groupOfItem = (f: Folding, item: number) => (item < 0 ? Math.max(-1, ~item - f.runs.length - rowsOf(f)) : -1);

/** The row an item stands for: a run stands for its first span, a peer for the span that calls it, a missing parent for its first child. */
export function rowOfItem(f: Folding, item: number): number {
  if (item >= 0) return item;
  if (~item < f.runs.length) return f.runs[~item].first;
  const group = groupOfItem(f, item);
  return group < 0 ? ~item - f.runs.length : (f.orphans as Orphans).groups[group].tops[0];
}

/** How deep a row is shown: what hangs from a missing parent is one level below it, and a subtree that stands alone begins at the left. */
export const shownDepth = (s: Skeleton, f: Folding, row: number) => s.depth[row] + (f.isolated >= 0 ? -s.depth[f.isolated] : f.orphans && f.orphans.groupOf[row] >= 0 ? 1 : 0);

/** The rows that may be shown, from the first to before the second. */
const rowsShown = (s: Skeleton, f: Folding): [number, number] => (f.isolated >= 0 ? [f.isolated, f.isolated + s.subtree[f.isolated]] : [0, s.count]);

/** The position of the item that shows this row, or of the folded one that hides it; -1 when it is outside. */
export function positionOf(f: Folding, items: Int32Array, row: number): number {
  const { orphans } = f;
  const placeOf = (at: number) => (orphans ? orphans.placeOf[at] : at);
  const wanted = placeOf(row);
  let low = 0;
  let high = items.length - 1;
  let found = -1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (placeOf(rowOfItem(f, items[middle])) <= wanted) {
      found = middle;
      low = middle + 1;
    } else high = middle - 1;
  }
  return found;
}

/** Opens whatever hides a row. */
export function reveal(s: Skeleton, f: Folding, row: number): void {
  for (let at = s.parent[row]; at >= 0; at = s.parent[at]) f.closed[at] = 0;
  const hiding = f.runs.findIndex((r) => row >= r.first && row < r.first + r.count);
  if (hiding >= 0) f.openRuns.add(hiding);
  if (f.orphans) f.closedGroups.delete(f.orphans.groupOf[row]);
  const outside = f.isolated >= 0 && (row < f.isolated || row >= f.isolated + s.subtree[f.isolated]);
  if (outside) f.isolated = -1;
}

/** Folds every row that has children and is shown at this depth or deeper; 0 folds all, Infinity opens all. What is not shown stays as it is. */
export function foldFrom(s: Skeleton, f: Folding, depth: number): void {
  const [from, to] = rowsShown(s, f);
  for (let row = from; row < to; row++) f.closed[row] = s.subtree[row] > 1 && shownDepth(s, f, row) >= depth ? 1 : 0;
  if (f.isolated < 0) f.closedGroups = new Set(depth > 0 ? [] : f.orphans?.groups.keys());
}

/** The smallest depth with a folded row, or the deepest: the level that "one level" commands move. */
export function foldedDepth(s: Skeleton, f: Folding): number {
  if (f.isolated < 0 && f.closedGroups.size > 0) return 0;
  let depth = s.depthMax + (f.orphans ? 1 : 0);
  const [from, to] = rowsShown(s, f);
  for (let row = from; row < to; row++) if (f.closed[row]) depth = Math.min(depth, shownDepth(s, f, row));
  return depth;
}

/** The next row for which the test holds, in the order in which rows are shown, around the end; -1 when there is none. */
export function nextShown(s: Skeleton, { orphans }: Folding, from: number, step: 1 | -1, test: (row: number) => boolean): number {
  if (!orphans) return nextRow(s.count, from, step, test);
  const { placeOf, rowAt } = orphans;
  const place = nextRow(s.count, from >= 0 ? placeOf[from] : from, step, (at) => test(rowAt[at]));
  return place < 0 ? -1 : rowAt[place];
}
