// SPDX-License-Identifier: Apache-2.0
// One row of the waterfall's pool: made once, filled again and again. Values go in as text only.
import { colourOf, textureOf } from "../model/palette";
import { formatCount, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { type Folding, rowOfItem, type RunStats } from "../model/rows";
import { CYCLE, DUPLICATE, ERROR, ERROR_BELOW, KINDS, operationName, ORPHAN, serviceName, type Skeleton } from "../model/skeleton";

export interface RowParts {
  row: HTMLElement;
  indent: HTMLElement;
  twisty: HTMLElement;
  swatch: HTMLElement;
  service: HTMLElement;
  operation: HTMLElement;
  mark: HTMLElement;
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
}

/** Deeper levels keep this indent and say their depth in a number, so that names never vanish. */
const INDENT_MAX = 18;
const INDENT_PX = 10;

function part(tag: string, className: string, parent: HTMLElement): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  parent.append(element);
  return element;
}

export function makeRow(): RowParts {
  const row = document.createElement("div");
  row.className = "wf-row";
  row.setAttribute("role", "row");
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
  const open = item < 0 ? folding.openRuns.has(~item) : !folding.closed[row];
  const foldable = item < 0 || s.subtree[row] > 1;
  const shown = `${item} ${position} ${open} ${dark} ${dimmed} ${current} ${state.criticalTime !== null} ${folding.foldRuns}`;
  if (shown === parts.shown) return;
  parts.shown = shown;
  const element = parts.row;
  const failed = item >= 0 && (s.flags[row] & ERROR) !== 0;
  element.className = `wf-row${current ? " current" : ""}${dimmed ? " dimmed" : ""}${failed ? " failed" : ""}${item < 0 ? " run" : ""}`;
  element.tabIndex = current ? 0 : -1;
  element.setAttribute("aria-rowindex", String(position + 1));
  element.setAttribute("aria-level", String(s.depth[row] + 1));
  element.setAttribute("aria-selected", String(current));
  if (foldable) element.setAttribute("aria-expanded", String(open));
  else element.removeAttribute("aria-expanded");
  const label = item < 0 ? runLabel(state, ~item) : spanLabel(state, row, open);
  element.setAttribute("aria-label", label);
  element.title = label;

  const depth = s.depth[row];
  const levels = Math.min(depth, INDENT_MAX);
  parts.indent.style.width = `${levels * INDENT_PX}px`;
  parts.indent.textContent = depth > INDENT_MAX ? String(depth) : "";
  parts.twisty.className = `wf-twisty${foldable ? (open ? " open" : "") : " leaf"}`;
  const slot = s.services[s.service[row]].slot;
  parts.swatch.className = `swatch ${textureOf(slot)}`;
  parts.swatch.style.setProperty("--service", colourOf(slot, dark));
  // The service is said where it changes; below its own kind it would only repeat.
  const parent = s.parent[row];
  const same = parent >= 0 && s.service[parent] === s.service[row];
  parts.service.textContent = serviceName(s, row) || "(no service name)";
  parts.service.classList.toggle("same", same);
  parts.operation.textContent = operationName(s, row) || "(no name)";
  parts.time.textContent = formatDuration(s.length[row]);
  fillMark(parts.mark, state, row, open);
}

function fillMark(mark: HTMLElement, { skeleton: s, folding, item }: RowState, row: number, open: boolean): void {
  const flags = s.flags[row];
  const texts: string[] = [];
  if (item < 0) texts.push(`×${formatCount(folding.runs[~item].count)}`);
  else if (!open && s.subtree[row] > 1) texts.push(`+${formatCount(s.subtree[row] - 1)}`);
  if (flags & ORPHAN) texts.push("parent missing");
  if (flags & DUPLICATE) texts.push("duplicate id");
  if (flags & CYCLE) texts.push("cycle");
  const error = item >= 0 && flags & ERROR ? "▲" : !open && flags & ERROR_BELOW ? "△" : item < 0 && flags & ERROR ? "▲" : "";
  mark.className = `wf-mark${error ? " error" : ""}${flags & ORPHAN ? " orphan" : ""}`;
  mark.textContent = [error, ...texts].filter((t) => t !== "").join(" ");
}

function spanLabel({ skeleton: s, criticalTime }: RowState, row: number, open: boolean): string {
  const flags = s.flags[row];
  const said = [
    `${serviceName(s, row)} ${operationName(s, row)}`,
    formatDuration(s.length[row]),
    `starts at ${formatDuration(s.start[row])}`,
    KINDS[s.kind[row]],
  ];
  if (flags & ERROR) said.push("error");
  else if (!open && flags & ERROR_BELOW) said.push("errors below");
  if (flags & ORPHAN) said.push("its parent is not stored");
  if (flags & DUPLICATE) said.push("its id is used twice");
  if (flags & CYCLE) said.push("it is its own ancestor");
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
