// SPDX-License-Identifier: Apache-2.0
// Explore: a query; all spans that match it by time and duration; what a selected box of them has that the rest has not; facets; and the list of
// traces, spans or groups. The whole state is the address.
import { signal } from "@preact/signals";
import { type ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { apiUrl, getServices, getStatus } from "../api/client";
import type { HeatmapAnswer, SearchAnswer, Service, Status } from "../api/types";
import { curlOf } from "../model/curl";
import type { ListRow } from "../model/list";
import { formatBytes, formatCount, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { go, openTab, param, patched } from "../route";
import { toggleBasket } from "../state/basket";
import { hint, useActions } from "../state/keys";
import { isPassing, Loader, useRetry } from "../state/load";
import { rowPx } from "../state/prefs";
import { currentRange } from "../state/range";
import { say, sayBroken } from "../state/say";
import { queryWanted, running, stopSearch } from "../state/searching";
import { loadStyle } from "../state/style";
import { Away } from "../ui/away";
import { CopyButton, FaultLine, ProblemPanel, sentence, useTitle } from "../ui/controls";
import { Icon } from "../ui/icons";
import { isSlow } from "../ui/progress";
import { QueryBox } from "../ui/querybox";
import { Chips } from "./explore-chips";
import { Panels } from "./explore-panels";
import { LargeRoom, SeriesRoom } from "./explore-parts";
import {
  answer, askedAnew, cursor, focusWanted, inSpans, isLive, isSaidAbove, isTwin, listQuery, loadMore, panelsShown, previewOpen, question, railOpen, rowsOf, runFacets, runHeat, runList, scrollTop, select, selection, SPANS_OF_TRACE, status, toggleLive, togglePanels, toggleRail, VIEWS, viewOf,
} from "./explore-state";
import { addressOf, Results } from "./results";

const POLL_MS = 1500;

const services = new Loader<{ services: Service[] }>();

/** Parts that are not needed to show a first answer are files of their own. */
interface Parts {
  FirstRun?: ComponentType<{ status: Status }>;
  FacetRail?: ComponentType<{ slots: Map<string, number>; close: () => void }>;
  ListTools?: ComponentType<{ value: SearchAnswer | null }>;
  Difference?: ComponentType<{ selected: NonNullable<ReturnType<typeof selection>> }>;
  Groups?: ComponentType<{ by: string; slots: Map<string, number> }>;
  LiveLine?: ComponentType;
  Meant?: ComponentType<{ text: string }>;
  Preview?: ComponentType<{ row: ListRow; compare: () => void; close: () => void }>;
  EndedEarly?: ComponentType<{ value: SearchAnswer }>;
  LongSearch?: ComponentType;
  NoMatch?: ComponentType<{ query: string; run: () => void }>;
  LargeView?: ComponentType<{ view: "histogram" | "timeseries"; slots: Map<string, number> }>;
  StepTable?: ComponentType<{ value: HeatmapAnswer }>;
}
const parts = signal<Parts>({});
const beside = () => import("./explore-beside");
const closer = () => import("./explore-closer");
/** Each file exports its parts by these names. */
const PARTS: Record<keyof Parts, () => Promise<Parts>> = {
  FirstRun: () => import("./trace-beside"),
  FacetRail: beside,
  ListTools: beside,
  Difference: closer,
  LiveLine: closer,
  Groups: closer,
  EndedEarly: beside,
  LongSearch: beside,
  NoMatch: beside,
  Meant: closer,
  Preview: closer,
  LargeView: async () => (await Promise.all([closer(), loadStyle(VIEWS_STYLE)]))[0],
  StepTable: closer,
};

async function loadPart(name: keyof Parts): Promise<void> {
  if (parts.peek()[name]) return;
  try {
    const found = await PARTS[name]();
    parts.value = { ...parts.peek(), ...found };
  } catch {
    sayBroken();
  }
}

function runAll(force: boolean): void {
  if (force) askedAnew.value++;
  runList(force);
  if (panelsShown()) runHeat(force);
  if (railOpen()) runFacets(force);
}

export function Explore() {
  const { from, to } = currentRange();
  const key = JSON.stringify([question(), param("q"), from, to, panelsShown()]);
  useEffect(() => runAll(false), [key]);
  useEffect(() => void services.run((stop) => getServices(currentRange(), stop)), [from, to]);
  const { value, loading, error } = answer.state.value;
  const fault = faultOf(error, param("q"));
  const empty = status.state.value.value?.spanCount === "0";
  useEffect(() => {
    if (!empty) return;
    const timer = window.setInterval(() => {
      if (!document.hidden) void status.run(getStatus);
    }, POLL_MS);
    return () => {
      window.clearInterval(timer);
      runAll(true);
      void services.run((stop) => getServices(currentRange(), stop));
    };
  }, [empty]);
  useTitle(param("q") ? `${param("q")} · Explore` : "Explore");
  const [selected, group] = [selection(), param("group")];
  const wanted: (keyof Parts)[] = ["ListTools"];
  if (empty) wanted.push("FirstRun");
  if (railOpen()) wanted.push("FacetRail");
  if (selected) wanted.push("Difference");
  if (group) wanted.push("Groups");
  if (isLive()) wanted.push("LiveLine");
  if (fault) wanted.push("Meant");
  if (previewOpen.value) wanted.push("Preview");
  if (isSlow()) wanted.push("LongSearch");
  if (value && isEndedEarly(value)) wanted.push("EndedEarly");
  if (value && isNothing(value, loading)) wanted.push("NoMatch");
  const view = panelsShown() ? viewOf() : "";
  const large = view === "histogram" || view === "timeseries" ? view : null;
  if (large) wanted.push("LargeView");
  else if (isTwin()) wanted.push("StepTable");
  useEffect(() => wanted.forEach((w) => void loadPart(w)), [wanted.join()]);
  const { rows } = rowsOf(value);
  useExploreKeys();
  useRetry(error, () => runAll(true));
  const query = param("q");
  const away = error !== null && isPassing(error);
  const nothing = away && !value;
  const { FacetRail, ListTools, Difference, Groups, LiveLine, Preview, Meant, LargeView, FirstRun, StepTable } = parts.value;
  if (empty && status.state.value.value) return FirstRun ? <FirstRun status={status.state.value.value} /> : null;
  const row = rows[Math.max(0, cursor.value)];
  const slots = new Map(services.state.value.value?.services.map((s) => [s.name, s.slot]));
  const focusQuery = () => {
    queryWanted.value = true;
  };
  return (
    <>
      <h1 class="offscreen">Explore traces</h1>
      <QueryBox
        value={query}
        range={currentRange()}
        fault={fault}
        onRun={(q) => {
          if (q === query) runAll(true);
          else go(patched({ q, group: param("group"), sel: null, by: null, call: null }));
        }}
      >
        <button type="submit" class="button primary" title={`Run the query${hint("all.run")}`}>
          Run
        </button>
        <CopyButton text={() => curlOf(apiUrl("v1/search", question()))} what="curl command" icon="terminal" />
      </QueryBox>
      <div class="query-tools">
        <button type="button" class="chip quiet" aria-pressed={railOpen()} title={`Facets${hint("explore.facets")}`} onClick={toggleRail}>
          <Icon name="filter" /> Facets
        </button>
        <button type="button" class="chip quiet" aria-pressed={panelsShown()} title={`Rate, errors, durations${hint("explore.panels")}`} onClick={togglePanels}>
          Charts
        </button>
        <Chips query={query} focusQuery={focusQuery} />
        <span class="spring" />
        <button type="button" class="chip quiet" aria-pressed={isLive()} title={`What comes in joins the list${hint("all.live")}`} onClick={toggleLive}>
          <span class="live-dot" aria-hidden="true" /> Live
        </button>
        {ListTools ? <ListTools value={value} /> : <div class="list-tools" />}
      </div>
      <div class={`explore${away ? " stale" : ""}${row && previewOpen.value ? " with-details" : ""}`}>
        {railOpen() ? FacetRail ? <FacetRail slots={slots} close={toggleRail} /> : <div class="facets" /> : null}
        <div class="explore-main">
          {away ? <Away state={answer.state.value} retry={() => runAll(true)} /> : null}
          {error && !(away && value) ? (
            <ProblemPanel error={error} retry={() => runAll(true)} title={fault && error.problem.expected ? "This query cannot be read" : undefined}>
              {fault ? (
                <>
                  <FaultLine {...fault} problem={error.problem} />
                  {Meant ? <Meant text={query.trim()} /> : null}
                </>
              ) : away ? (
                <p>{sentence(error.problem.detail ?? "")}. The page asks again by itself.</p>
              ) : null}
            </ProblemPanel>
          ) : null}
          {nothing || !panelsShown() || isSaidAbove(error) ? null : !large ? <Panels Steps={StepTable} /> : LargeView ? <LargeView view={large} slots={slots} /> : large === "timeseries" ? <SeriesRoom /> : <LargeRoom />}
          {selected && Difference ? <Difference selected={selected} /> : null}
          {isLive() && LiveLine ? <LiveLine /> : null}
          {group ? Groups && !nothing ? <Groups by={group} slots={slots} /> : null : <List value={value} loading={loading} failed={error !== null} />}
        </div>
        {row && previewOpen.value && Preview && !group ? <Preview row={row} compare={() => compare(row)} close={closePreview} /> : null}
      </div>
    </>
  );
}

const closePreview = () => {
  previewOpen.value = false;
};

function List({ value, loading, failed }: { value: SearchAnswer | null; loading: boolean; failed: boolean }) {
  const { q } = listQuery();
  const { NoMatch } = parts.value;
  return (
    <>
      {value ? <Summary value={value} loading={loading} /> : failed ? null : <Waiting />}
      {value && NoMatch && isNothing(value, loading) ? <NoMatch query={q} run={() => runAll(true)} /> : null}
      {value && value.traces.length > 0 ? <Results value={value} query={q} cursor={cursor} wanted={focusWanted} scrollTop={scrollTop} loading={loading} loadMore={() => void loadMore()} /> : null}
    </>
  );
}

function faultOf(error: { problem: { parameter?: string; offset?: number } } | null, query: string) {
  if (error?.problem.parameter !== "q" || error.problem.offset === undefined) return null;
  return { offset: error.problem.offset, text: query };
}

function Summary({ value, loading }: { value: SearchAnswer; loading: boolean }) {
  const { EndedEarly } = parts.value;
  const shown = value.traces.length;
  const total = value.matchedTraces;
  const { rows, bytes } = value.scanned;
  const { rows: list, waiting } = rowsOf(value);
  const spans = inSpans() ? list.length : 0;
  const more = inSpans() ? list.reduce((sum, r) => sum + r.beyond, 0) : 0;
  return (
    <>
      <div class="summary">
        <span role="status" aria-live="polite">
          <b>
            {value.complete ? "" : "at least "}
            {plural(total, "trace")}
          </b>
          {selection() ? " with spans in the selection" : ""}
          {shown < total || !value.complete ? `, ${formatCount(shown)} shown` : ""}
          {spans > 0 ? `, ${plural(spans, "span")} of them listed` : ""}
          {waiting > 0 ? `; ${formatCount(waiting)} more are loaded and wait until all before them are` : ""}
          {more > 0 ? `; ${formatCount(more)} more are in traces with over ${SPANS_OF_TRACE}` : ""} <span class="dim">({value.complete ? "exact" : isEndedEarly(value) || loading || isLive() ? "so far" : "stopped at a full page"})</span>
        </span>
        <span class="dim" title={`${plural(value.scanned.traces, "trace")} considered, ${plural(value.scanned.segments, "segment")}, ${formatBytes(bytes)}`}>
          {loading ? <Progress /> : `${plural(rows, "row")} read in ${formatCount(value.tookMs)} ms`}
        </span>
      </div>
      {EndedEarly && isEndedEarly(value) && !loading ? <EndedEarly value={value} /> : null}
    </>
  );
}

/** Somebody has stopped it, or its time was over: what is there is right as far as it goes, and that is said. */
const isEndedEarly = (value: SearchAnswer): boolean => value.stopped !== undefined || /^(timeBudget|part)$/.test(value.incompleteReason ?? "");

const isNothing = (value: SearchAnswer, loading: boolean): boolean => value.traces.length === 0 && !loading && !isEndedEarly(value);

function Progress() {
  const { LongSearch } = parts.value;
  return LongSearch && isSlow() ? <LongSearch /> : <>searching …</>;
}

/** Rows of nothing: the page keeps its shape while the first answer is on its way. */
function Waiting() {
  return (
    <>
      <div class="summary">
        <span class="dim">
          <Progress />
        </span>
      </div>
      <div class="waiting" aria-hidden="true" />
    </>
  );
}

const currentRow = (): ListRow | null => (param("group") ? null : (rowsOf(answer.state.peek().value).rows[cursor.peek()] ?? null));

function compare(row: ListRow): void {
  const { trace } = row;
  const added = toggleBasket({ ref: trace.traceId, label: `${trace.rootServiceName} ${trace.rootTraceName} · ${formatDuration(Number(trace.durationNano))}` });
  say(added ? "In the compare basket" : "Out of the compare basket");
}

/** What scrolls and has the focus keeps the keys that scroll: tables, facets, the preview. */
const isScrolled = (event: KeyboardEvent | undefined): boolean =>
  event !== undefined && !/^[^ ]$/.test(event.key) && document.activeElement?.closest(".facets,.table-box,.popover-root,.details,.difference") != null;

function useExploreKeys(): void {
  const move = (step: number, event?: KeyboardEvent): boolean => {
    const count = rowsOf(answer.state.peek().value).rows.length;
    if (count === 0 || param("group") || isScrolled(event)) return false;
    const next = Math.max(0, Math.min(count - 1, cursor.peek() + step));
    focusWanted.current = next !== cursor.peek();
    if (focusWanted.current) cursor.value = next;
    else document.querySelector<HTMLElement>(".result.chosen")?.focus();
    return true;
  };
  const page = () => Math.max(1, Math.floor((document.querySelector(".results .virtual")?.clientHeight ?? 0) / rowPx.value) - 1);
  const address = () => {
    const row = currentRow();
    return row ? addressOf(row, inSpans() || listQuery().q.trim() !== "") : null;
  };
  useActions({
    "all.find": () => {
      queryWanted.value = true;
    },
    "all.run": () => runAll(true),
    "all.live": toggleLive,
    "all.escape": () => {
      if (running.peek()?.progress) stopSearch(answer);
      else if (previewOpen.peek()) closePreview();
      else if (selection()) select(null);
    },
    "rows.next": (event) => move(1, event),
    "rows.previous": (event) => move(-1, event),
    "rows.pageDown": (event) => move(page(), event),
    "rows.pageUp": (event) => move(-page(), event),
    "rows.first": (event) => move(Number.NEGATIVE_INFINITY, event),
    "rows.last": (event) => move(Number.POSITIVE_INFINITY, event),
    "rows.open": () => {
      const target = address();
      if (!target) return;
      // Who comes back goes on where the row is.
      focusWanted.current = true;
      go(target);
    },
    "explore.openTab": () => {
      const target = address();
      if (target) openTab(target);
    },
    "explore.preview": (event) => {
      if (isScrolled(event) || (!currentRow() && !move(1))) return false;
      previewOpen.value = !previewOpen.peek();
      return true;
    },
    "explore.basket": () => {
      const row = currentRow();
      if (row) compare(row);
      else say("Choose a row first: j and k");
    },
    "explore.panels": togglePanels,
    ...Object.fromEntries(VIEWS.map(([id], i) => [`explore.view${i + 1}`, () => go(patched({ view: id, panels: null }))])),
    "explore.facets": toggleRail,
    "explore.mode": () => go(patched({ mode: inSpans() ? null : "spans" })),
  });
}
