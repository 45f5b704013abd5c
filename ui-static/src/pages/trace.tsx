// SPDX-License-Identifier: Apache-2.0
// Trace: the waterfall of one trace, its overview, and the details of one span.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { getColumns } from "../api/client";
import { ApiError, columnsPath } from "../api/client";
import { type Found, findSpans } from "../model/find";
import { decodeSkeleton, rowOfSpan, type Skeleton, spanIdAt } from "../model/skeleton";
import { param, patched, replace, route } from "../route";
import { type Command, useCommands } from "../state/keys";
import { Loader } from "../state/load";
import { dark } from "../state/prefs";
import { ProblemPanel } from "../ui/controls";
import { Minimap } from "../views/minimap";
import { Waterfall } from "../views/waterfall";
import { Details } from "./details";
import { TraceBanners, TraceHeader, TraceTools } from "./trace-head";

const trace = new Loader<Skeleton>();
/** The address follows zooming and walking after a pause, not at every step. */
const ADDRESS_MS = 250;

export function TracePage() {
  // A 16-digit id is a 128-bit one whose upper half is zero.
  const wanted = param("id") && param("id").toLowerCase().padStart(32, "0");
  useEffect(() => {
    document.title = "Trace · Spoor";
    if (wanted) void trace.run(async (stop) => decodeSkeleton(await getColumns(wanted, stop)));
    return () => trace.stop();
  }, [wanted]);
  const { value, error } = trace.state.value;
  if (!wanted) return <NoId />;
  if (error) return <Missing error={error} id={wanted} />;
  if (value?.traceId !== wanted) {
    return (
      <div class="trace-loading" role="status">
        Reading trace <code>{wanted}</code> …
      </div>
    );
  }
  return <TraceView key={wanted} skeleton={value} />;
}

function NoId() {
  return (
    <section class="empty">
      <h1>Which trace?</h1>
      <p>Paste a trace id or a traceparent into the box above.</p>
    </section>
  );
}

function Missing({ error, id }: { error: ApiError; id: string }) {
  return (
    <section class="empty">
      <h1>{error.problem.status === 404 ? "No such trace" : "The trace cannot be shown"}</h1>
      {error.problem.status === 404 ? (
        <p>
          No span of trace <code>{id}</code> is stored: it was never received, or its time to be kept is over.
        </p>
      ) : null}
      <ProblemPanel error={error} retry={() => void trace.run(async (stop) => decodeSkeleton(await getColumns(id, stop)))} />
    </section>
  );
}

function readWindow(): [number, number] | null {
  const m = /^(\d+)-(\d+)$/.exec(param("z"));
  return m && Number(m[2]) > Number(m[1]) ? [Number(m[1]), Number(m[2])] : null;
}

function TraceView({ skeleton }: { skeleton: Skeleton }) {
  const host = useRef<HTMLDivElement>(null);
  const mapHost = useRef<HTMLDivElement>(null);
  const waterfall = useRef<Waterfall | null>(null);
  const minimap = useRef<Minimap | null>(null);
  const timer = useRef(0);
  const [row, setRow] = useState(-1);
  const [open, setOpen] = useState(param("span") !== "");
  const [isolated, setIsolated] = useState(() => (param("root") ? rowOfSpan(skeleton, param("root")) : -1));
  const find = param("find");
  const only = param("only") === "1";
  const critical = param("cp") === "1";
  const folded = param("fold") !== "0";
  const found = useMemo<Found | null>(() => findSpans(skeleton, find), [skeleton, find]);
  const later = (patch: Record<string, string | null>) => {
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => replace(patched(patch)), ADDRESS_MS);
  };

  useEffect(() => {
    if (!host.current || !mapHost.current) return;
    const state = { span: param("span"), z: param("z") };
    const address = () => {
      const whole = fall.from <= 0 && fall.to >= skeleton.duration;
      const z = whole ? null : `${Math.floor(fall.from)}-${Math.ceil(fall.to)}`;
      later({ z, span: fall.cursor >= 0 ? spanIdAt(skeleton, fall.cursor) : null });
    };
    const fall = new Waterfall(host.current, skeleton, dark.peek(), {
      select: (at, wantOpen) => {
        setRow(at);
        if (wantOpen) setOpen(true);
        address();
      },
      zoom: (from, to) => {
        map.setWindow(from, to);
        address();
      },
    });
    const map = new Minimap(mapHost.current, skeleton, dark.peek(), (from, to) => fall.zoom(from, to));
    waterfall.current = fall;
    minimap.current = map;
    const window_ = readWindow();
    if (window_) fall.zoom(...window_);
    const start = state.span ? rowOfSpan(skeleton, state.span) : -1;
    if (start >= 0) fall.goTo(start, true);
    return () => {
      window.clearTimeout(timer.current);
      fall.stop();
      map.stop();
    };
  }, [skeleton]);
  useEffect(() => {
    waterfall.current?.setDark(dark.value);
    minimap.current?.setDark(dark.value);
  }, [dark.value]);
  useEffect(() => {
    waterfall.current?.setMatches(found?.mask ?? null, only);
    minimap.current?.setMatches(found?.mask ?? null);
  }, [found, only]);
  useEffect(() => waterfall.current?.setCritical(critical), [critical]);
  useEffect(() => waterfall.current?.setFoldRuns(folded), [folded]);
  const shownIsolated = useRef(-1);
  useEffect(() => {
    if (shownIsolated.current === isolated) return;
    shownIsolated.current = isolated;
    waterfall.current?.setIsolated(isolated);
    replace(patched({ root: isolated >= 0 ? spanIdAt(skeleton, isolated) : null }));
  }, [isolated]);
  // Another address of the same trace (a link to a span, "back"): go there.
  const wantedSpan = route.value.params.get("span") ?? "";
  useEffect(() => {
    const fall = waterfall.current;
    const target = wantedSpan ? rowOfSpan(skeleton, wantedSpan) : -1;
    if (fall && target >= 0 && target !== fall.cursor) fall.goTo(target, true);
  }, [wantedSpan]);

  const close = () => {
    setOpen(false);
    waterfall.current?.focus();
  };
  const command = (name: string) => waterfall.current?.command(name);
  useTraceKeys(command, {
    escape: () => (open ? close() : find ? replace(patched({ find: null, only: null })) : undefined),
    find: () => document.getElementById("trace-find")?.focus(),
    isolate: () => setIsolated(waterfall.current?.cursor ?? -1),
    up: () => setIsolated(isolated < 0 ? -1 : skeleton.parent[isolated]),
    folds: () => replace(patched({ fold: folded ? "0" : null })),
    critical: () => replace(patched({ cp: critical ? null : "1" })),
  });
  return (
    <div class={open && row >= 0 ? "trace with-details" : "trace"}>
      <div class="trace-main">
        <TraceHeader skeleton={skeleton} path={columnsPath(skeleton.traceId)} />
        <TraceBanners skeleton={skeleton} command={command} />
        <TraceTools
          skeleton={skeleton}
          found={found}
          critical={critical}
          folded={folded}
          isolated={isolated}
          setIsolated={setIsolated}
          command={command}
          goTo={(target) => waterfall.current?.goTo(target, true)}
        />
        <div class="minimap" ref={mapHost} />
        <div class="waterfall">
          <div class="wf-host" ref={host} />
          <Splitter waterfall={waterfall} />
        </div>
      </div>
      {open && row >= 0 ? (
        <Details skeleton={skeleton} row={row} close={close} goTo={(target) => waterfall.current?.goTo(target, true)} isolate={() => setIsolated(row)} />
      ) : null}
    </div>
  );
}

/** Between names and bars: dragged, or moved with the arrow keys. */
function Splitter({ waterfall }: { waterfall: { current: Waterfall | null } }) {
  const [width, setWidth] = useState(0);
  const element = useRef<HTMLDivElement>(null);
  const set = (pixels: number) => {
    waterfall.current?.setNameWidth(pixels);
    setWidth(pixels);
  };
  const current = () => width || Number.parseFloat(getComputedStyle(element.current?.previousElementSibling as Element).getPropertyValue("--name-width"));
  return (
    <div
      ref={element}
      class="splitter"
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label="Width of the names"
      aria-valuenow={Math.round(width) || 38}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
        set(event.clientX - (event.currentTarget.parentElement as Element).getBoundingClientRect().left);
      }}
      onKeyDown={(event) => {
        const by = event.key === "ArrowLeft" ? -20 : event.key === "ArrowRight" ? 20 : 0;
        if (by === 0) return;
        event.preventDefault();
        event.stopPropagation();
        set(current() + by);
      }}
    />
  );
}

interface Actions {
  escape: () => void;
  find: () => void;
  isolate: () => void;
  up: () => void;
  folds: () => void;
  critical: () => void;
}

function useTraceKeys(command: (name: string) => void, actions: Actions): void {
  const latest = useRef(actions);
  latest.current = actions;
  const walk = "Walk";
  const look = "Look";
  const to = (keys: string[], name: string, text: string, group: string): Command => ({ keys, text, group, run: () => command(name) });
  const act = (keys: string[], name: keyof Actions, text: string, group: string): Command => ({ keys, text, group, run: () => latest.current[name]() });
  const list = useMemo(
    () => [
      to(["ArrowDown", "j"], "down", "Next span", walk),
      to(["ArrowUp", "k"], "up", "Previous span", walk),
      to(["ArrowRight"], "right", "Open, or first child", walk),
      to(["ArrowLeft"], "left", "Close, or parent", walk),
      to(["Enter"], "open", "Details", walk),
      to(["Home"], "home", "First span", walk),
      to(["End"], "end", "Last span", walk),
      to(["PageDown"], "page-down", "One screen down", walk),
      to(["PageUp"], "page-up", "One screen up", walk),
      to(["e"], "next-error", "Next error", walk),
      to(["E"], "previous-error", "Previous error", walk),
      to(["n"], "next-match", "Next match", walk),
      to(["N"], "previous-match", "Previous match", walk),
      to(["p"], "next-critical", "Next on the critical path", walk),
      to(["P"], "previous-critical", "Previous on the critical path", walk),
      act(["/", "Ctrl+f"], "find", "Find in the trace", look),
      act(["Escape"], "escape", "Close details, clear find", look),
      to(["w"], "zoom-in", "Zoom in", look),
      to(["s"], "zoom-out", "Zoom out", look),
      to(["a"], "pan-left", "Earlier", look),
      to(["d"], "pan-right", "Later", look),
      to(["f"], "fit", "Fit the span", look),
      to(["0"], "reset", "All of the time", look),
      act(["o"], "isolate", "Only this subtree", look),
      act(["Backspace"], "up", "One level up from there", look),
      act(["c"], "critical", "Critical path", look),
      act(["x"], "folds", "Fold repeats", look),
      to(["["], "fold-all", "Close all", look),
      to(["]"], "unfold-all", "Open all", look),
      to(["{"], "fold-level", "Close one level", look),
      to(["}"], "unfold-level", "Open one level", look),
    ],
    [],
  );
  useCommands(list);
}
