// SPDX-License-Identifier: Apache-2.0
// What Explore asks and what it was told. Answers outlive the page, so that coming back from a trace is instant and at the same place.
import { signal } from "@preact/signals";
import { type ApiError, getFacets, getHeatmap, getStatus, type Params, search } from "../api/client";
import type { FacetsAnswer, HeatmapAnswer, SearchAnswer, Status } from "../api/types";
import { durationCondition, parseSelection, type Selection, selectionText } from "../model/heat";
import { listed, type Listed, spanOrder } from "../model/list";
import { goesOn } from "../model/lines";
import { isEverything, withCondition } from "../model/traceql";
import { go, param, patched, replace } from "../route";
import { isPassing, Loader } from "../state/load";
import { facetsShown, savedColumns } from "../state/prefs";
import { currentRange, untilNow } from "../state/range";
import { runSearch } from "../state/searching";

/** Traces in one request: what the address says, up to what the API gives. */
const PAGE_SIZE = 100;
const PAGE_MOST = 1000;
export function pageSize(): number {
  const wanted = Math.trunc(Number(param("limit")));
  return wanted >= 1 ? Math.min(PAGE_MOST, wanted) : PAGE_SIZE;
}
/** Spans listed of each trace in the list of spans: what the API gives at most. */
export const SPANS_OF_TRACE = 100;
const STEPS = 160;
const STEPS_NARROW = 64;
const ROWS = 48;

export const answer = new Loader<SearchAnswer>();
export const status = new Loader<Status>();
/** The server does not answer, which stands above the list: what asks for itself need not say so, too. */
export const isAway = (): boolean => {
  const { error } = answer.state.value;
  return error !== null && isPassing(error);
};
export const heat = new Loader<HeatmapAnswer>();
/** Fields that every span has, and those that tell most of the spans at hand. */
export const fixedFacets = new Loader<FacetsAnswer>();
export const tellingFacets = new Loader<FacetsAnswer>();
/** What the loaders answer; a different question means a new request. */
const asked = new Map<unknown, string>();

/** The row of the list that the keyboard is at. */
export const cursor = signal(-1);
/** That row is to take the focus as soon as it is in the document. */
export const focusWanted = { current: false };
export const scrollTop = { current: 0 };
export const previewOpen = signal(false);
/** Counts how often everything was asked anew: parts that ask for themselves do so, too. */
export const askedAnew = signal(0);

export const FIXED_KEYS = ["resource.service.name", "name", "status", "kind"];
export const addedKeys = (): string[] => splitKeys(param("facets"));

/** Field names with commas between; a name in quotes may hold one. */
export function splitKeys(text: string): string[] {
  return [...text.matchAll(/(?:"(?:[^"\\]|\\.)*"|[^,])+/g)].map((m) => m[0].trim()).filter((k) => k !== "");
}

export const selection = (): Selection | null => parseSelection(param("sel"));
export const inSpans = (): boolean => param("mode") === "spans";
/** The address says which columns; if it does not, what the person keeps. */
export const columnsText = (): string => param("cols") || (inSpans() ? savedColumns.spans.value : savedColumns.traces.value);
export const columnFields = (): string[] => splitKeys(columnsText()).filter((c) => /[.:]|^(statusMessage|root(Service)?Name)$/.test(c));
/** A box over what is slow is looked at from the slowest on. */
export function order(): string {
  const wanted = param("sort") || param("order") || (selection() ? "-duration" : "-start");
  return inSpans() ? spanOrder(wanted) : wanted;
}

let before: { value: SearchAnswer; spans: boolean; order: string; listed: Listed } | null = null;

/** The rows of an answer; made once, as they are asked for by many. */
export function rowsOf(value: SearchAnswer | null): Listed {
  if (!value) return { rows: [], waiting: 0 };
  const now = { value, spans: inSpans(), order: order() };
  if (before?.value !== value || before.spans !== now.spans || before.order !== now.order) {
    before = { ...now, listed: listed(value.traces, now.spans, now.order, value.cursor !== null) };
  }
  return before.listed;
}

const RAIL_PX = 1100;
const SHEET_PX = 720;
/** On a narrow screen facets are a sheet over the list, which nobody wants to find open. */
const sheetOpen = signal(false);
const isSheet = (): boolean => window.innerWidth < SHEET_PX;
/** Wide enough for the rail beside the list, unless a person has said. */
export const railOpen = (): boolean => (isSheet() ? sheetOpen.value : facetsShown.value === "open" || (facetsShown.value === "auto" && window.innerWidth >= RAIL_PX));

export function toggleRail(): void {
  if (isSheet()) sheetOpen.value = !sheetOpen.value;
  else facetsShown.value = railOpen() ? "closed" : "open";
}

/** The query of the list: what the box selects, if there is one. */
export function listQuery(): { q: string; from?: string | undefined; to?: string | undefined } {
  const s = selection();
  const q = param("q");
  if (!s) return { q, ...currentRange() };
  return { q: durationCondition(s).reduce(withCondition, q), from: String(s.t0), to: String(s.t1) };
}

export function question(): Params {
  const { q, ...range } = listQuery();
  const fields = columnFields();
  const selected = fields.length > 0 ? `${isEverything(q) ? "{ }" : q} | select(${fields.join(", ")})` : q;
  return { q: selected, ...range, order: order(), limit: pageSize(), ...(inSpans() ? { spss: SPANS_OF_TRACE } : {}) };
}

/** What stands above the list: all in small, or one picture in large; and whether as a table of its numbers. */
export const VIEWS = [
  ["", "Overview"],
  ["heatmap", "Heatmap"],
  ["histogram", "Histogram"],
  ["timeseries", "Time series"],
] as const;
export type View = (typeof VIEWS)[number][0];
export const viewOf = (): View => VIEWS.find(([id]) => id === param("view"))?.[0] ?? "";
export const isTwin = (): boolean => param("as") === "table";
export const panelsShown = (): boolean => param("panels") !== "0";
export const togglePanels = (): void => replace(patched({ panels: panelsShown() ? "0" : null }));

/** Not in another order than that of live, nor for a time that is over, nor in groups: live goes on when these are left. */
export const isLive = (): boolean => param("live") === "1" && order() === "-start" && !["to", "sel", "group"].some(param);

/** A query or a range that cannot be read is said once, above the list. */
export const isSaidAbove = (error: ApiError | null): boolean => ["q", "from", "to"].includes(error?.problem.parameter ?? "");

/** Live looks at the newest, whatever range and order the list had. */
export function toggleLive(): void {
  if (isLive()) go(patched({ live: null }));
  else go(patched({ live: "1", to: null, sort: null, order: null, sel: null, group: null }));
}

export function liveQuestion(): Params {
  const { q, spss } = question();
  return { q, spss };
}

export const heatQuestion = (): Params => ({
  q: param("q"), ...untilNow(currentRange()), steps: window.innerWidth < 720 ? STEPS_NARROW : STEPS, rows: ROWS,
});

export const FACET_VALUES = 8;
export const fixedQuestion = (): Params => ({
  q: param("q"), ...currentRange(), keys: [...new Set([...FIXED_KEYS, ...addedKeys()])].join(","), limit: FACET_VALUES,
});
export const tellingQuestion = (): Params => ({ q: param("q"), ...currentRange(), limit: FACET_VALUES });

/** True when the loader has to be asked: the question is another one, or the person wants it anew. */
export function isNew(loader: unknown, params: unknown, force: boolean): boolean {
  const key = JSON.stringify(params);
  if (!force && asked.get(loader) === key) return false;
  asked.set(loader, key);
  return true;
}

export function runList(force: boolean): void {
  const params = question();
  const same = asked.get(answer) === JSON.stringify(params);
  if (!isNew(answer, params, force)) return;
  if (!same) {
    cursor.value = -1;
    scrollTop.current = 0;
  }
  runSearch(answer, params, async (found, stop) => (await import("./explore-beside")).goOn(found, stop));
  void status.run(getStatus);
}

export function runHeat(force: boolean): void {
  const params = heatQuestion();
  if (isNew(heat, params, force)) void heat.run((stop) => getHeatmap(params, stop));
}

export function runFacets(force: boolean): void {
  const [fixed, telling] = [fixedQuestion(), tellingQuestion()];
  if (isNew(fixedFacets, fixed, force)) void fixedFacets.run((stop) => getFacets(fixed, stop));
  if (isNew(tellingFacets, telling, force)) void tellingFacets.run((stop) => getFacets(telling, stop));
}

export async function loadMore(): Promise<void> {
  const before = answer.state.peek().value;
  if (!before?.cursor || answer.state.peek().loading) return;
  // Its pages are no order together: they are put into one.
  if (goesOn(before)) return (await import("./explore-beside")).extend(1);
  const params = question();
  await answer.run(async (stop) => {
    const more = await search(params, before.cursor, stop);
    return { ...more, traces: [...before.traces, ...more.traces] };
  });
}

export const select = (s: Selection | null): void => go(patched({ sel: s ? selectionText(s) : null }));

/** All durations of a time: a selection as a box over the whole height of the heatmap is one. */
export function selectTime(t0: bigint, t1: bigint): void {
  const bounds = heat.state.peek().value?.bounds ?? [];
  const most = bounds.at(-1);
  if (most) select({ t0, t1, d0: BigInt(bounds[0]), d1: BigInt(most) });
}
