// SPDX-License-Identifier: Apache-2.0
// One row of the waterfall's pool: made once, filled again and again. Values go in as text only.
import { colourOf, textureOf } from "../model/palette";
import { formatCount, halvesOf, plural, visibleName } from "../model/text";
import { formatDuration } from "../model/time";
import type { Rank } from "../api/trace-types";
import { groupOfItem, isPeer, type Folding, rowOfItem, type RunStats, shownDepth } from "../model/rows";
import type { Orphans } from "../model/orphans";
import { CYCLE, DUPLICATE, ERROR, ERROR_BELOW, KINDS, operationName, ORPHAN, peerOf, serviceName, shownName, type Skeleton, SKEWED, STATUS } from "../model/skeleton";

export interface RowParts {
  row: HTMLElement;
  indent: HTMLElement;
  twisty: HTMLElement;
  swatch: HTMLElement;
  service: HTMLElement;
  operation: HTMLElement;
  mark: HTMLElement;
  status: HTMLElement;
  rank: HTMLElement;
  self: HTMLElement;
  time: HTMLElement;
  /** What the element shows now; filling it with the same again costs nothing. */
  shown: string;
}

export interface RowState {
  skeleton: Skeleton;
  folding: Folding;
  item: number;
  position: number;
  dark: boolean;
  dimmed: boolean;
  current: boolean;
  criticalTime: Float64Array | null;
  stats: (run: number) => RunStats;
  errorsBefore: Uint32Array;
  ranks: Map<number, Rank>;
  /** Levels that have room beside names; at most INDENT_MAX. */
  levels: number;
  /** Rows that are marked to be measured between; -1 for none. */
  marks: readonly [number, number];
}

/** p97: at least 97 % of the spans of its operation were shorter. Never p100: the span itself is one of them. */
const rounded = (rank: Rank): number => Math.min(99, Math.floor(rank.shorter * 100));
export const rankText = (rank: Rank): string => `p${rounded(rank)}`;
/** A span is slow when at least so many of its operation were shorter. */
export const SLOW = 0.95;

export function rankLabel(rank: Rank): string {
  return `slower than ${rounded(rank)} % of ${formatCount(rank.calls)} spans of this operation in the hour before`;
}

/** Deeper levels keep this indent and say their depth in a number, so that names never vanish. */
export const INDENT_MAX = 18;
export const INDENT_PX = 10;
/** Names are never narrower. */
export const NAME_MIN = 220;
/** Names narrower than this have no column of self times beside them: the details of a span have its own. */
export const NAME_TIGHT = 400;

function part(tag: string, className: string, parent: HTMLElement): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  parent.append(element);
  return element;
}

/** The same text written anew is another text to who listens to the page, and a screen reader drops what is too much. */
function put(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A long name is cut in its middle. */
function putName(element: HTMLElement, name: string): void {
  if (element.textContent === name) return;
  const [begin, end] = halvesOf(name);
  element.classList.toggle("halves", end !== "");
  element.textContent = end ? "" : name;
  if (end) for (const half of [begin, end]) part("span", "", element).textContent = half;
}

export function makeRow(): RowParts {
  const row = document.createElement("div");
  row.className = "wf-row";
  row.setAttribute("role", "row");
  // Its title is for the pointer and says what its name says: readers would say both.
  row.setAttribute("aria-description", "");
  row.tabIndex = -1;
  const name = part("div", "wf-name", row);
  name.setAttribute("role", "gridcell");
  const parts = {
    row,
    indent: part("span", "wf-indent", name),
    twisty: part("span", "wf-twisty", name),
    swatch: part("span", "swatch", name),
    service: part("span", "wf-service", name),
    operation: part("span", "wf-operation", name),
    mark: part("span", "wf-mark", name),
    status: part("span", "wf-status", name),
    rank: part("span", "wf-rank", name),
    self: part("span", "wf-self", name),
    time: part("div", "wf-time offscreen", row),
    shown: "",
  };
  for (const silent of [parts.indent, parts.twisty, parts.swatch]) silent.setAttribute("aria-hidden", "true");
  parts.time.setAttribute("role", "gridcell");
  return parts;
}

export function fillRow(parts: RowParts, state: RowState): void {
  const { skeleton: s, folding, item, position, dark, dimmed, current } = state;
  const row = rowOfItem(folding, item);
  const peer = isPeer(folding, item);
  const group = groupOfItem(folding, item);
  const open = group >= 0 ? !folding.closedGroups.has(group) : item < 0 ? folding.openRuns.has(~item) : !folding.closed[row];
  const foldable = !peer && (item < 0 || s.subtree[row] > 1);
  const rank = item >= 0 ? state.ranks.get(row) : undefined;
  const depth = group >= 0 ? 0 : shownDepth(s, folding, row) + (peer ? 1 : 0);
  const shown = `${item} ${position} ${depth} ${open} ${dark} ${current} ${state.criticalTime !== null} ${folding.foldRuns} ${state.levels} ${rank?.shorter} ${state.marks.indexOf(row)}`;
  // A find dims most rows and changes nothing else of them.
  parts.row.classList.toggle("dimmed", dimmed);
  if (shown === parts.shown) return;
  parts.shown = shown;
  const element = parts.row;
  const failed = item >= 0 && (s.flags[row] & ERROR) !== 0;
  element.className = `wf-row${current ? " current" : ""}${dimmed ? " dimmed" : ""}${failed ? " failed" : ""}${peer ? " peer" : group >= 0 ? " missing" : item < 0 ? " run" : ""}`;
  element.tabIndex = current ? 0 : -1;
  element.setAttribute("aria-rowindex", String(position + 1));
  element.setAttribute("aria-level", String(depth + 1));
  element.setAttribute("aria-selected", String(current));
  if (foldable) element.setAttribute("aria-expanded", String(open));
  else element.removeAttribute("aria-expanded");
  const label = peer ? peerLabel(s, row) : group >= 0 ? groupLabel(folding, group) : item < 0 ? runLabel(state, ~item) : spanLabel(state, row, open);
  element.setAttribute("aria-label", label);
  element.title = label;

  const levels = Math.min(depth, state.levels);
  parts.indent.style.width = `${levels * INDENT_PX}px`;
  put(parts.indent, depth > state.levels ? String(depth) : "");
  parts.twisty.className = `wf-twisty${foldable ? (open ? " open" : "") : " leaf"}`;
  const slot = s.services[s.service[row]].slot;
  parts.swatch.className = `swatch ${textureOf(slot)}`;
  parts.swatch.style.setProperty("--service", colourOf(slot, dark));
  // The service is said where it changes; below its own kind it would only repeat.
  const parent = s.parent[row];
  const same = parent >= 0 && s.service[parent] === s.service[row];
  parts.service.classList.toggle("same", same);
  // Others have names of their own.
  if (!peer && group < 0) {
    putName(parts.service, visibleName(serviceName(s, row), "(no service name)"));
    put(parts.operation, shownName(s, row));
  }
  if (group < 0) put(parts.time, formatDuration(s.length[row]));
  const single = item >= 0;
  put(parts.self, single ? formatDuration(s.self[row]) : "");
  put(parts.status, single ? (STATUS[s.status[row]] ?? String(s.status[row])) : "");
  put(parts.rank, rank ? rankText(rank) : "");
  parts.rank.classList.toggle("slow", rank !== undefined && rank.shorter >= SLOW);
  if (peer) fillPeer(parts, s, row);
  else if (group >= 0) fillGroup(parts, folding, group, open);
  else fillMark(parts.mark, state, row, open);
}

const groupAt = (folding: Folding, group: number) => (folding.orphans as Orphans).groups[group];

/** What names a parent that is not stored hangs from a row of its own, which is no span. */
function fillGroup(parts: RowParts, folding: Folding, group: number, open: boolean): void {
  const { parent, spans, errors, start, end } = groupAt(folding, group);
  fillNoSpan(parts, `(missing parent ${parent})`, `${open || errors === 0 ? "" : `△${formatCount(errors)} `}${plural(spans, "span")}`);
  parts.mark.classList.toggle("error", !open && errors > 0);
  put(parts.time, formatDuration(end - start));
}

function groupLabel(folding: Folding, group: number): string {
  const { parent, tops, spans, errors, start, end } = groupAt(folding, group);
  const said = [`missing parent ${parent}`, "not stored", `${plural(tops.length, "child", "children")} of it stored`, `${plural(spans, "span")} below`, formatDuration(end - start), `starts at ${formatDuration(start)}`];
  return [...said, ...(errors > 0 ? [`${plural(errors, "error")} below`] : [])].join(", ");
}

function fillNoSpan(parts: RowParts, name: string, mark: string): void {
  parts.swatch.className = "swatch peer";
  putName(parts.service, name);
  parts.service.classList.remove("same");
  put(parts.operation, "");
  parts.mark.className = "wf-mark";
  put(parts.mark, mark);
}

/** What sent no span: its name and kind, without a colour of its own. */
function fillPeer(parts: RowParts, s: Skeleton, row: number): void {
  const { name, type, none } = peerOf(s, row);
  fillNoSpan(parts, name, `${type}, ${none}`);
}

function peerLabel(s: Skeleton, row: number): string {
  const { name, type, none } = peerOf(s, row);
  return `${name}, ${type} called by ${serviceName(s, row)} ${operationName(s, row)}, sent ${none === "no spans" ? "no spans of its own" : none}`;
}

function fillMark(mark: HTMLElement, { skeleton: s, folding, item, errorsBefore, marks }: RowState, row: number, open: boolean): void {
  const flags = s.flags[row];
  const texts: string[] = [];
  const below = errorsBefore[row + s.subtree[row]] - errorsBefore[row + 1];
  if (item < 0) texts.push(`×${formatCount(folding.runs[~item].count)}`);
  else if (!open && s.subtree[row] > 1) texts.push(`+${formatCount(s.subtree[row] - 1)}`);
  const peer = item >= 0 && !folding.peers ? s.peers.get(row) : undefined;
  if (peer) texts.push(`→ ${peer.name}`);
  if (flags & ORPHAN && folding.isolated >= 0) texts.push("parent missing");
  if (flags & DUPLICATE) texts.push("duplicate id");
  if (flags & CYCLE) texts.push("cycle");
  if (flags & SKEWED) texts.push("◷");
  if (item >= 0 && marks.includes(row)) texts.unshift(marks[0] === row ? "Ⓐ" : "Ⓑ");
  const error = flags & ERROR ? "▲" : !open && flags & ERROR_BELOW ? `△${formatCount(below)}` : "";
  mark.className = `wf-mark${error ? " error" : ""}${flags & ORPHAN ? " orphan" : ""}`;
  put(mark, [error, ...texts].filter((t) => t !== "").join(" "));
}

function spanLabel({ skeleton: s, criticalTime, errorsBefore, ranks, marks }: RowState, row: number, open: boolean): string {
  const flags = s.flags[row];
  const said = [
    `${serviceName(s, row)} ${operationName(s, row)}`,
    formatDuration(s.length[row]),
    `starts at ${formatDuration(s.start[row])}`,
    KINDS[s.kind[row]],
  ];
  if (flags & ERROR) said.push("error");
  else if (!open && flags & ERROR_BELOW) said.push(`${plural(errorsBefore[row + s.subtree[row]] - errorsBefore[row + 1], "error")} below`);
  if (flags & ORPHAN) said.push("its parent is not stored");
  if (flags & DUPLICATE) said.push("its id is used twice");
  if (flags & CYCLE) said.push("it is its own ancestor");
  if (flags & SKEWED) said.push("its clock differs");
  if (s.peers.has(row)) {
    const { name, none } = peerOf(s, row);
    said.push(`calls ${name}, which sent ${none}`);
  }
  const rank = ranks.get(row);
  if (rank) said.push(rankLabel(rank));
  if (marks.includes(row)) said.push(marks[0] === row ? "mark A" : "mark B");
  if (s.subtree[row] > 1) said.push(`${plural(s.subtree[row] - 1, "span")} below`);
  if (criticalTime?.[row]) said.push(`critical path ${formatDuration(criticalTime[row])}`);
  return said.join(", ");
}

function runLabel({ skeleton: s, folding, stats }: RowState, run: number): string {
  const { first, count } = folding.runs[run];
  const { sum, p50, p95, max } = stats(run);
  const name = `${serviceName(s, first)} ${operationName(s, first)}`;
  return `${name}, ${formatCount(count)} times, sum ${formatDuration(sum)}, p50 ${formatDuration(p50)}, p95 ${formatDuration(p95)}, longest ${formatDuration(max)}`;
}
