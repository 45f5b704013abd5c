// SPDX-License-Identifier: Apache-2.0
// One trace: head, banners, tools, one of seven views, and the details of a span. Holds what the views share: the span under the
// cursor, what was found, what is isolated. The address is the state.
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ancestors, rowOfSpan, shownName, type Skeleton, spanIdAt } from "../model/skeleton";
import { plural } from "../model/text";
import { formatDuration } from "../model/time";
import { nextSegment } from "../model/walk";
import { go, param, patched, replace, route } from "../route";
import { panelPlace } from "../state/prefs";
import { traceTime } from "../state/range";
import { say, sayBroken, tell } from "../state/say";
import type { TraceSource } from "../state/source";
import { loadStyle } from "../state/style";
import { currentView } from "../state/traceview";
import { Waiting } from "../ui/controls";
import type { Details as DetailsPanel } from "./details";
import { TraceBanners, TraceHeader } from "./trace-head";
import { useTraceKeys } from "./trace-keys";
import { toggleCompared } from "./trace-menu";
import { hiddenServices, useMatches } from "./trace-matches";
import type { OtherView } from "./trace-views";
import { inSheet, openFind, TraceTools } from "./trace-tools";
import { WaterfallView, type WaterfallHandle } from "./trace-waterfall";

/** The address follows zooming and walking after a pause, not at every step. */
const ADDRESS_MS = 250;
const DETAILS_MS = 500;

interface Props {
  skeleton: Skeleton;
  source: TraceSource;
  adjusted: boolean;
  reload: () => void;
  /** It was to be read again, and the server does not answer. */
  stale: boolean;
}

/** The panel is needed when a span is opened. Its script comes beside the trace when the address names a span, else behind the first picture. */
const detailsPanel = signal<typeof DetailsPanel | null>(null);
export async function bringDetails(): Promise<void> {
  if (detailsPanel.peek()) return;
  try {
    detailsPanel.value = (await import("./trace-beside")).Details;
  } catch {
    sayBroken();
  }
}


export function TraceView({ skeleton, source, adjusted, reload, stale }: Props) {
  const fall = useRef<WaterfallHandle | null>(null);
  const root = useRef<HTMLDivElement>(null);
  const timer = useRef(0);
  const pending = useRef<Record<string, string | null>>({});
  const [row, setRow] = useState(() => (param("span") ? rowOfSpan(skeleton, param("span")) : -1));
  const [open, setOpen] = useState(row >= 0 && param("details") !== "0");
  const [others, setOthers] = useState<{ View: typeof OtherView } | null>(null);
  const [, setRanked] = useState({});
  const Details = detailsPanel.value;
  const isolated = param("root") ? rowOfSpan(skeleton, param("root")) : -1;
  const view = currentView();
  const matches = useMatches(skeleton, source, adjusted, (ranks) => fall.current?.addRanks(ranks));
  const [here] = useState(pageKey);
  const later = (patch: Record<string, string | null>) => {
    pending.current = { ...pending.current, ...patch };
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(write, ADDRESS_MS);
  };
  const write = () => {
    window.clearTimeout(timer.current);
    const all = pending.current;
    pending.current = {};
    // What was gone to meanwhile is not ours to write to.
    if (pageKey() === here) replace(patched(all));
  };
  useEffect(() => () => window.clearTimeout(timer.current), []);
  // Before the page is painted: a link that is copied at once has it, too.
  useLayoutEffect(() => {
    if (!source.served) return;
    traceTime.value = skeleton.startNs;
    return () => {
      traceTime.value = null;
    };
  }, [skeleton]);
  // In a frame of another page of this origin: without the bar above.
  useEffect(() => {
    document.documentElement.classList.toggle("embedded", param("embed") === "1");
    return () => document.documentElement.classList.remove("embedded");
  }, []);
  useEffect(() => {
    const timer = window.setTimeout(bringDetails, open ? 0 : DETAILS_MS);
    return () => window.clearTimeout(timer);
  }, [open]);
  useEffect(() => {
    if (view === "waterfall" || others) return;
    Promise.all([import("./trace-views"), loadStyle(TRACE_STYLE)]).then(
      ([m]) => setOthers({ View: m.OtherView }),
      sayBroken,
    );
  }, [view]);

  const select = (at: number, wantOpen: boolean) => {
    setRow(at);
    if (wantOpen) setOpen(true);
    // From the box of find, or a button beside it, the focus does not go along.
    if (at >= 0 && document.activeElement?.closest(".find-part")) tell(spoken(at));
    later({ span: at >= 0 ? spanIdAt(skeleton, at) : null, details: at < 0 || open || wantOpen ? null : "0" });
  };
  /** A span chosen outside the waterfall: there it is found as well. */
  const goTo = (target: number, wantOpen = true) => {
    select(target, wantOpen);
    fall.current?.goTo(target);
  };
  const spoken = (at: number) => `${skeleton.services[skeleton.service[at]].name} ${shownName(skeleton, at)}, ${formatDuration(skeleton.length[at])}`;
  const setIsolated = (target: number) => {
    tell(target < 0 ? "Whole trace" : `Only ${shownName(skeleton, target)}, ${plural(skeleton.subtree[target], "span")}`);
    go(patched({ root: target >= 0 ? spanIdAt(skeleton, target) : null }));
  };
  // Another address of the same trace (a link to a span, "back"): go there.
  const wantedSpan = route.value.params.get("span") ?? "";
  useEffect(() => {
    const target = wantedSpan ? rowOfSpan(skeleton, wantedSpan) : -1;
    const wantOpen = param("details") !== "0";
    if (target >= 0 && (target !== row || (wantOpen && !open))) goTo(target, wantOpen);
  }, [wantedSpan]);

  /** Where the keys of the view work. */
  const focusView = () => {
    if (view === "waterfall") return fall.current?.focus();
    const part = root.current?.querySelector<HTMLElement>(".trace-part");
    (part?.querySelector<HTMLElement>('[tabindex="0"]') ?? part)?.focus({ preventScroll: true });
  };
  const ready = view === "waterfall" || others !== null;
  const viewBefore = useRef(view);
  useEffect(() => {
    if (!ready || viewBefore.current === view) return;
    viewBefore.current = view;
    // What had the focus is hidden, or gone: the new view has it, unless it is somewhere else.
    const at = document.activeElement;
    if (at === document.body || at?.closest("[hidden]")) focusView();
  }, [view, ready]);
  const closing = useRef(false);
  const close = () => {
    closing.current = true;
    setOpen(false);
    later({ details: "0" });
    write();
  };
  // On a narrow screen what has the focus then is covered until the panel is gone.
  useLayoutEffect(() => {
    if (open || !closing.current) return;
    closing.current = false;
    focusView();
  }, [open]);
  /** One step back: in the box of find "only matches", its text, then the box itself; elsewhere the details come first. */
  const escape = () => {
    const inBox = document.activeElement?.id === "trace-find";
    const last = ["only", "find"].find((name) => param(name));
    if (open && !inBox) return close();
    return last ? replace(patched({ [last]: null })) : inBox ? focusView() : undefined;
  };
  const marks = useMemo(() => marksOf(skeleton, param("marks")), [skeleton, param("marks")]);
  const mark = () => {
    if (row < 0) return say("Choose a span first");
    const [a, b] = marks;
    const next = a < 0 ? [row] : b < 0 && row !== a ? [a, row] : [];
    tell(next.length === 0 ? "No marks" : `Mark ${next.length > 1 ? `B, start to start ${formatDuration(skeleton.start[row] - skeleton.start[a])}` : "A"}`);
    replace(patched({ marks: next.map((r) => spanIdAt(skeleton, r)).join(",") }));
  };
  const segmentAt = useRef(-1);
  const segment = (step: 1 | -1) => {
    const { critical, criticalNote } = skeleton;
    const at = nextSegment(skeleton, segmentAt.current, row, step, (r) => (!matches.keep || matches.keep[r] === 1) && (isolated < 0 || (r >= isolated && r < isolated + skeleton.subtree[isolated])));
    if (at < 0) return say(critical.length > 0 ? "No span of the critical path is shown" : `No critical path: ${criticalNote}`);
    segmentAt.current = at;
    const part = critical[at];
    // A node of a graph, and a group, stand for many spans: which one is meant is seen in its details.
    select(part.row, view === "graph" || view === "stats");
    if (view === "waterfall") fall.current?.goTo(part.row);
    fall.current?.bring(part.start, part.end);
    say(`Critical path: ${at + 1} of ${critical.length}, ${formatDuration(part.end - part.start)}`);
  };
  const command = (name: string) => {
    const before = fall.current?.window();
    fall.current?.command(name);
    const after = fall.current?.window() ?? "";
    if (after !== before) tell(after);
  };
  const toggle = (name: string, on = "1") => replace(patched({ [name]: param(name) === on ? null : on }));
  useTraceKeys(command, view, {
    escape,
    reload: () => source.served && reload(),
    find: openFind,
    isolate: () => setIsolated(row),
    up: () => setIsolated(isolated < 0 ? -1 : skeleton.parent[isolated]),
    folds: () => {
      tell(param("fold") === "0" ? "Repeats folded" : "Repeats one by one");
      toggle("fold", "0");
    },
    critical: () => toggle("cp"),
    segment,
    mark,
    compare: () => toggleCompared(skeleton, source),
    show: (name) => go(patched({ view: name === "waterfall" ? null : name })),
  });
  const Other = others?.View;
  const { keep } = matches;
  const nothing = keep !== null && !(isolated < 0 ? keep : keep.subarray(isolated, isolated + skeleton.subtree[isolated])).includes(1);
  const place = panelPlace.value === "inline" && view !== "waterfall" ? "right" : panelPlace.value;
  const shown = Details !== null && open && row >= 0;
  // A sheet covers what had the focus.
  useEffect(() => {
    if (shown && inSheet()) root.current?.querySelector<HTMLElement>(".details-body")?.focus();
  }, [shown]);
  const details = shown ? (
    <Details skeleton={skeleton} source={source} adjusted={adjusted} row={row} rank={fall.current?.rankOf(row)} close={close} goTo={goTo} isolate={() => setIsolated(row)} />
  ) : null;
  return (
    <div ref={root} class={shown && place !== "inline" ? `trace with-details at-${place}` : "trace"}>
      <div class="trace-main">
        <TraceHeader skeleton={skeleton} source={source} view={view} />
        <TraceBanners skeleton={skeleton} source={source} adjusted={adjusted} command={command} zoom={(from, to) => fall.current?.zoom(from, to)} reload={reload} stale={stale} />
        <TraceTools
          skeleton={skeleton}
          source={source}
          view={view}
          matches={matches}
          path={isolated >= 0 ? [...ancestors(skeleton, isolated), isolated] : []}
          marks={marks}
          setIsolated={setIsolated}
          command={command}
          goTo={goTo}
        />
        <WaterfallView
          handle={fall}
          skeleton={skeleton}
          source={source}
          adjusted={adjusted}
          hidden={view !== "waterfall" || nothing}
          matches={matches}
          isolated={isolated}
          marks={marks}
          select={select}
          address={later}
          ranked={() => setRanked({})}
          details={place === "inline" ? details : null}
        />
        {nothing && view !== "json" ? (
          <NothingShown />
        ) : view === "waterfall" ? null : Other ? (
          <Other key={view} view={view} isolated={isolated} skeleton={skeleton} source={source} adjusted={adjusted} matches={matches.found?.mask ?? null} keep={matches.keep} row={row} select={select} />
        ) : (
          <Waiting look={view === "graph" ? "shows-graph" : ""}>Loading the view …</Waiting>
        )}
      </div>
      {place === "inline" ? null : details}
    </div>
  );
}

/** Why all spans are gone, and the ways to have them back. */
function NothingShown() {
  const hidden = hiddenServices().length;
  const way = (label: string, patch: Record<string, null>) => (
    <button type="button" class="button" onClick={() => replace(patched(patch))}>
      {label}
    </button>
  );
  const only = param("only") === "1";
  return (
    <section class="empty" role="status">
      <h2>No span is left to show</h2>
      <p>
        {only ? "Only matches are shown, and none is here. " : ""}
        {hidden > 0 ? `${plural(hidden, "service")} ${hidden === 1 ? "is" : "are"} hidden.` : ""}
      </p>
      <p class="row open-file">
        {way("Show all spans", { only: null, svc: null })}
        {only ? way("Clear find", { only: null, find: null, err: null, slow: null }) : null}
      </p>
    </section>
  );
}

/** Of which trace the address is. */
const pageKey = (): string => `${route.peek().page} ${route.peek().params.get("id")}`;

/** "SPAN" or "SPAN,SPAN" to rows; -1 where there is none. */
function marksOf(s: Skeleton, text: string): [number, number] {
  const [a = -1, b = -1] = text
    .split(",")
    .filter((id) => id !== "")
    .map((id) => rowOfSpan(s, id))
    .filter((r) => r >= 0);
  return [a, b];
}
