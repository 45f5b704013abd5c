// SPDX-License-Identifier: Apache-2.0
// Below the head of a trace: find, pills that dim and fold, the services, what is isolated, marked, or on the critical path.
import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { criticalTime, selfByService, shownName, type Skeleton } from "../model/skeleton";
import { formatCount, formatPercent, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { param, patched, replace, replaceSoon } from "../route";
import { hint, runAction } from "../state/keys";
import { showsRank, showsSelf, showsStatus } from "../state/prefs";
import type { TraceSource } from "../state/source";
import type { ViewName } from "../state/traceview";
import { Popover, ServiceName, Swatch } from "../ui/controls";
import { Icon } from "../ui/icons";
import { hiddenServices, type Matches } from "./trace-matches";

interface ToolsProps {
  skeleton: Skeleton;
  source: TraceSource;
  view: ViewName;
  matches: Matches;
  /** The way from the root to the isolated span, itself the last; empty when none is. */
  path: number[];
  marks: [number, number];
  setIsolated: (row: number) => void;
  command: (name: string) => void;
  goTo: (row: number) => void;
}

const toggled = (name: string, on = "1") => () => replace(patched({ [name]: param(name) === on ? null : on }));

/** With something else looked for. "Only matches" goes with the last of it. */
function lookingFor(patch: { find?: string; err?: string | null; slow?: string | null }): string {
  const { find, err, slow } = { find: param("find"), err: param("err"), slow: param("slow"), ...patch };
  return patched({ ...patch, values: find.trim() ? param("values") : null, only: find.trim() || err || slow ? param("only") : null });
}

const lookedFor = (name: "err" | "slow") => () => replace(lookingFor({ [name]: param(name) ? null : "1" }));

/** On a narrow screen find is a sheet that stands below the spans; elsewhere it is always there. */
const findOpen = signal(false);

export function openFind(): void {
  findOpen.value = true;
  const focus = () => document.getElementById("trace-find")?.focus();
  focus();
  // A sheet takes the focus once it is drawn.
  if (document.activeElement?.id !== "trace-find") requestAnimationFrame(focus);
}

function closeFind(): void {
  findOpen.value = false;
  document.querySelector<HTMLElement>(".find-opener")?.focus();
}

export const inSheet = () => window.matchMedia("(max-width: 719px)").matches;

export function TraceTools(props: ToolsProps) {
  const { skeleton: s, source, view, matches, path, marks, setIsolated, command, goTo } = props;
  const { found } = matches;
  // The address holds the text: a second copy would lag behind fast typing.
  const setFind = (find: string) => replaceSoon(lookingFor({ find }));
  const folded = param("fold") !== "0";
  const waterfall = view === "waterfall";
  useEffect(() => () => {
    findOpen.value = false;
  }, []);
  const escape = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !inSheet()) return;
    event.stopPropagation();
    closeFind();
  };
  return (
    <>
      <div class="trace-tools">
        <button type="button" class="button find-opener" aria-expanded={findOpen.value} onClick={() => (findOpen.value ? closeFind() : openFind())}>
          <Icon name="search" /> Find{found ? ` ${formatCount(found.count)}` : ""}
        </button>
        <div class={findOpen.value ? "find-part open" : "find-part"} onKeyDown={escape}>
          <form
            class="find"
            role="search"
            aria-label="Find in the trace"
            onSubmit={(event) => {
              event.preventDefault();
              runAction("trace.nextMatch");
            }}
          >
            <Icon name="search" />
            <input
              id="trace-find"
              value={param("find")}
              placeholder="Find name, or status = error"
              title={'Words of service and name, "a phrase", a span id, or a condition as in Explore: .http.route = "/pay" && duration > 10ms'}
              aria-label="Find service, name, span id, or a condition"
              aria-invalid={matches.problem !== null}
              spellcheck={false}
              autocomplete="off"
              onInput={(e) => setFind(e.currentTarget.value)}
            />
            <span class="find-count num" role="status">
              {matches.waiting ? "…" : found ? `${formatCount(found.count)} of ${formatCount(s.count)}` : ""}
            </span>
          </form>
          {found ? (
            <>
              {matches.words ? (
                <Toggle on={param("values") === "1"} title="Look in values, too: of attributes, of events, of messages" onClick={toggled("values")}>
                  Values
                </Toggle>
              ) : null}
              {view === "json" ? null : (
                <>
                  <button type="button" class="button quiet square" title={`Previous match${hint("trace.previousMatch")}`} disabled={found.count === 0} onClick={() => runAction("trace.previousMatch")}>
                    <Icon name="up" />
                  </button>
                  <button type="button" class="button quiet square" title={`Next match${hint("trace.nextMatch")}`} disabled={found.count === 0} onClick={() => runAction("trace.nextMatch")}>
                    <Icon name="down" />
                  </button>
                </>
              )}
              <Toggle on={param("only") === "1"} title="Hide everything but matches and their ancestors" onClick={toggled("only")}>
                Only matches
              </Toggle>
            </>
          ) : null}
          <button type="button" class="button find-closer" onClick={closeFind}>
            Done
          </button>
        </div>
        {s.errorCount > 0 ? (
          <Toggle on={param("err") === "1"} title={`Dim everything but errors; next one${hint("trace.nextError")}, previous one${hint("trace.previousError")}`} onClick={lookedFor("err")}>
            {`▲ ${plural(s.errorCount, "error")}`}
          </Toggle>
        ) : null}
        {source.served ? (
          <Toggle on={param("slow") === "1"} title="Dim everything but spans that are slower than 95 % of their operation in the hour before" onClick={lookedFor("slow")}>
            {"Slow > p95"}
          </Toggle>
        ) : null}
        <Toggle on={param("cp") === "1"} title={`What the duration of the trace hangs on${hint("trace.critical")}. Assumes that a span waits for the child that ends last.`} onClick={toggled("cp")}>
          Critical path
        </Toggle>
        <ServicesPopover skeleton={s} setFind={setFind} />
        {waterfall ? (
          <>
            <Toggle on={folded} title={`Show repeated calls as one row${hint("trace.folds")}`} onClick={toggled("fold", "0")}>
              Fold repeats
            </Toggle>
            {s.peers.size > 0 ? (
              <Toggle on={param("peers") === "1"} title="Show a row for what was called and sent no spans: databases, queues, other systems" onClick={toggled("peers")}>
                {plural(s.peers.size, "peer")}
              </Toggle>
            ) : null}
            <ColumnsPopover served={source.served} />
            <span class="button-group wide-only" role="group" aria-label="Fold">
              <button type="button" class="button square" aria-label="Close one level" title={`Close one level${hint("trace.foldLevel")}`} onClick={() => command("foldLevel")}>
                −
              </button>
              <button type="button" class="button square" aria-label="Open one level" title={`Open one level${hint("trace.unfoldLevel")}`} onClick={() => command("unfoldLevel")}>
                +
              </button>
            </span>
            {param("z") ? (
              <button type="button" class="button" title={`Show all of the time${hint("trace.reset")}`} onClick={() => command("reset")}>
                Reset zoom
              </button>
            ) : null}
          </>
        ) : null}
      </div>
      {matches.namesOnly && found?.count === 0 && !matches.waiting && !matches.problem ? (
        <p class="find-problem unsure" role="status">
          No service, name or span id has this text{param("err") || param("slow") ? " here" : ""}; values were not searched.{" "}
          <button type="button" class="link" onClick={toggled("values")}>
            Search values
          </button>
        </p>
      ) : null}
      {matches.problem ? (
        <p class="find-problem" role="alert">
          <span aria-hidden="true">▲</span> {matches.problem.problem.detail ?? matches.problem.problem.title}
          {matches.problem.problem.parameter === "q" ? ". Words with such signs are found in quotes." : ""}
        </p>
      ) : null}
      {path.length > 0 ? <Crumbs skeleton={s} path={path} setIsolated={setIsolated} /> : null}
      {marks[0] >= 0 ? <Marks skeleton={s} marks={marks} goTo={goTo} /> : null}
      {param("cp") === "1" && s.critical.length > 0 ? <CriticalStrip skeleton={s} goTo={goTo} /> : null}
    </>
  );
}

/** What lies between two spans. */
function Marks({ skeleton: s, marks: [a, b], goTo }: { skeleton: Skeleton; marks: [number, number]; goTo: (row: number) => void }) {
  const end = (row: number) => s.start[row] + s.length[row];
  const link = (row: number, name: string) => (
    <button type="button" class="link" onClick={() => goTo(row)}>
      <b>{name}</b> <Swatch slot={s.services[s.service[row]].slot} /> {shownName(s, row)} {formatDuration(s.length[row])}
    </button>
  );
  const signed = (ns: number) => (ns > 0 ? `+${formatDuration(ns)}` : formatDuration(ns));
  return (
    <div class="critical" role="region" aria-label="Marks">
      {link(a, "A")}
      {b < 0 ? (
        <span class="dim">Mark a second span{hint("trace.mark")} to measure between the two.</span>
      ) : (
        <>
          {link(b, "B")}
          <span class="num">start to start {signed(s.start[b] - s.start[a])}</span>
          <span class="num">end of A to start of B {signed(s.start[b] - end(a))}</span>
          <span class="num">end to end {signed(end(b) - end(a))}</span>
          <span class="num">duration {signed(s.length[b] - s.length[a])}</span>
        </>
      )}
      <button type="button" class="link" onClick={() => replace(patched({ marks: null }))}>
        Remove
      </button>
    </div>
  );
}

function ColumnsPopover({ served }: { served: boolean }) {
  const box = (name: string, pref: { value: "on" | "off" }) => (
    <label class="option">
      <input
        type="checkbox"
        checked={pref.value === "on"}
        onChange={(event) => {
          pref.value = event.currentTarget.checked ? "on" : "off";
        }}
      />{" "}
      {name}
    </label>
  );
  return (
    <Popover label="Columns" title="Columns of the waterfall" class="wide-only">
      {() => (
        <>
          {box("Self time", showsSelf)}
          {served ? box("Percentile beside its operation", showsRank) : null}
          {box("Status", showsStatus)}
        </>
      )}
    </Popover>
  );
}

function Toggle({ on, title, onClick, children }: { on: boolean; title: string; onClick: () => void; children: string }) {
  return (
    <button type="button" class="button toggle" aria-pressed={on} title={title} onClick={onClick}>
      {children}
    </button>
  );
}

function ServicesPopover({ skeleton: s, setFind }: { skeleton: Skeleton; setFind: (text: string) => void }) {
  const rows = useMemo(() => {
    const self = selfByService(s);
    const count = new Uint32Array(s.services.length);
    for (let row = 0; row < s.count; row++) count[s.service[row]]++;
    const all = self.reduce((sum, x) => sum + x, 0);
    return s.services
      .map((service, i) => ({ ...service, self: self[i], count: count[i], share: formatPercent(self[i], all) }))
      .sort((a, b) => b.self - a.self);
  }, [s]);
  const hidden = hiddenServices();
  const toggleService = (name: string) => {
    const next = hidden.includes(name) ? hidden.filter((n) => n !== name) : [...hidden, name];
    replace(patched({ svc: next.map((n) => `-${n}`).join(",") }));
  };
  return (
    <Popover label={`${formatCount(rows.length - hidden.length)}${hidden.length > 0 ? ` of ${formatCount(rows.length)}` : ""} ${rows.length === 1 ? "service" : "services"}`} title="Services of this trace">
      {(close) => (
        <table class="legend">
          <thead>
            <tr>
              <th>Service</th>
              <th class="right">Spans</th>
              <th class="right">Self time</th>
              <th class="right">Share</th>
              <th>
                <span class="offscreen">Shown</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((r) => (
              <tr key={r.name}>
                <td>
                  <button
                    type="button"
                    class="link"
                    title="Find its spans"
                    onClick={() => {
                      setFind(/\s/.test(r.name) ? `"${r.name}"` : r.name);
                      close();
                    }}
                  >
                    <ServiceName name={r.name} slot={r.slot} />
                  </button>
                </td>
                <td class="num right">{formatCount(r.count)}</td>
                <td class="num right">{formatDuration(r.self)}</td>
                <td class="num right">{r.share}</td>
                <td>
                  <button type="button" class="link" aria-pressed={hidden.includes(r.name)} aria-label={`${hidden.includes(r.name) ? "Show" : "Hide"} ${r.name}`} onClick={() => toggleService(r.name)}>
                    {hidden.includes(r.name) ? "show" : "hide"}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Popover>
  );
}

/** The way from the root to the isolated subtree; each step is a way back. */
function Crumbs({ skeleton: s, path, setIsolated }: { skeleton: Skeleton; path: number[]; setIsolated: (row: number) => void }) {
  const isolated = path[path.length - 1];
  const above = path.slice(0, -1);
  const shown = above.length > 4 ? [above[0], ...above.slice(-3)] : above;
  return (
    <nav class="crumbs" aria-label="Isolated subtree">
      <button type="button" class="link" onClick={() => setIsolated(-1)}>
        Whole trace
      </button>
      {shown.map((row, i) => (
        <span key={row}>
          <span aria-hidden="true"> › {i === 1 && above.length > shown.length ? "… › " : ""}</span>
          <button type="button" class="link" onClick={() => setIsolated(row)}>
            {shownName(s, row)}
          </button>
        </span>
      ))}
      <span aria-current="true">
        <span aria-hidden="true"> › </span>
        {shownName(s, isolated)} <span class="dim">({plural(s.subtree[isolated], "span")})</span>
      </span>
    </nav>
  );
}

const CONTRIBUTORS = 4;
/** A path that is shorter than this part of the trace does not explain it, and says so. */
const SHORT_PATH = 0.9;

function CriticalStrip({ skeleton: s, goTo }: { skeleton: Skeleton; goTo: (row: number) => void }) {
  const top = useMemo(() => {
    const own = criticalTime(s);
    const rows = [...new Set(s.critical.map((c) => c.row))].sort((a, b) => own[b] - own[a]);
    return rows.slice(0, CONTRIBUTORS).map((row) => ({ row, time: own[row] }));
  }, [s]);
  const length = s.critical.reduce((sum, c) => sum + c.end - c.start, 0);
  const short = length < SHORT_PATH * s.duration;
  return (
    <div class="critical" title="Assumes that a span waits for the child that ends last">
      <b>Critical path</b>
      <span class="dim">{plural(s.critical.length, "segment")}{short ? `, ${formatDuration(length)} of ${formatDuration(s.duration)}: it ends with the root` : ""}; most of it:</span>
      {top.map(({ row, time }) => (
        <button type="button" class="link" key={row} onClick={() => goTo(row)}>
          <Swatch slot={s.services[s.service[row]].slot} /> {shownName(s, row)} {formatDuration(time)}{" "}
          <span class="dim">{formatPercent(time, short ? length : s.duration)}</span>
        </button>
      ))}
    </div>
  );
}
