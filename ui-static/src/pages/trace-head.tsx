// SPDX-License-Identifier: Apache-2.0
// Above the waterfall: what the trace is, what is wrong with its data, and the tools to look at it.
import { useEffect, useMemo } from "preact/hooks";
import { apiUrl } from "../api/client";
import { curlOf } from "../model/curl";
import type { Found } from "../model/find";
import { ancestors, BACKWARDS, criticalTime, operationName, selfByService, serviceName, type Skeleton } from "../model/skeleton";
import { formatCount, formatPercent, plural } from "../model/text";
import { formatAge, formatClock, formatDay, formatDuration, formatFull, zoneName } from "../model/time";
import { param, patched, replace } from "../route";
import { zone } from "../state/prefs";
import { nowNs } from "../state/range";
import { CopyButton, ErrorMark, Popover, ServiceName, Swatch } from "../ui/controls";
import { Icon } from "../ui/icons";

export function TraceHeader({ skeleton: s, path }: { skeleton: Skeleton; path: string }) {
  const rooted = !s.missingParent.has(0);
  const title = `${serviceName(s, 0)} ${operationName(s, 0)}`;
  useEffect(() => {
    document.title = `${title} · Spoor`;
  }, [title]);
  const zoneText = zone.value === "utc" ? "UTC" : zoneName(s.startNs);
  return (
    <header class="trace-head">
      <h1>
        <Swatch slot={s.services[s.service[0]].slot} />
        <span class="root-service">{serviceName(s, 0)}</span> <span class="root-name">{operationName(s, 0)}</span>
        {rooted ? null : <span class="tag">root not stored</span>}
      </h1>
      <dl class="facts">
        <Fact name="Duration" value={formatDuration(s.duration)} title={`${formatCount(s.duration)} ns`} strong />
        <Fact name="Spans" value={formatCount(s.count)} />
        <Fact name="Services" value={formatCount(s.services.length)} />
        <Fact name="Depth" value={formatCount(s.depthMax + 1)} />
        <div>
          <dt>Errors</dt>
          <dd class="num">{s.errorCount > 0 ? <ErrorMark count={s.errorCount} /> : "0"}</dd>
        </div>
        <Fact name="Start" value={`${formatDay(s.startNs, zone.value)} ${formatClock(s.startNs, zone.value)} ${zoneText}`} title={`${formatFull(s.startNs, zone.value)}, ${formatAge(s.startNs, nowNs())}`} />
      </dl>
      <div class="trace-actions">
        <code class="id" title={s.traceId}>
          {s.traceId}
        </code>
        <CopyButton text={s.traceId} what="trace id" />
        <CopyButton text={() => curlOf(apiUrl(path))} what="curl command" icon="terminal" />
        <a class="button quiet square" href={apiUrl(path)} download={`trace-${s.traceId}.json`} title="Download OTLP JSON" aria-label="Download OTLP JSON">
          <Icon name="export" />
        </a>
      </div>
    </header>
  );
}

function Fact({ name, value, title, strong }: { name: string; value: string; title?: string; strong?: boolean }) {
  return (
    <div title={title}>
      <dt>{name}</dt>
      <dd class={strong ? "num strong" : "num"}>{value}</dd>
    </div>
  );
}

export function TraceBanners({ skeleton: s, command }: { skeleton: Skeleton; command: (name: string) => void }) {
  const backwards = useMemo(() => s.flags.reduce((n, flags) => n + (flags & BACKWARDS ? 1 : 0), 0), [s]);
  const orphans = s.missingParent.size;
  const lines = [];
  if (orphans > 0) {
    lines.push(
      <span key="orphans">
        {plural(orphans, "span")} whose parent is not stored: shown as {orphans === 1 ? "a root" : "roots"}.{" "}
        <button type="button" class="link" onClick={() => command("next-orphan")}>
          Next one
        </button>
      </span>,
    );
  }
  if (s.duplicateCount > 0) lines.push(<span key="duplicates">{plural(s.duplicateCount, "span")} with an id that is used twice.</span>);
  if (s.cycleCount > 0) lines.push(<span key="cycles">{plural(s.cycleCount, "cycle")} of parents, broken at the earliest span.</span>);
  if (backwards > 0) lines.push(<span key="backwards">{plural(backwards, "span")} that end before they start: shown with no duration.</span>);
  if (lines.length === 0) return null;
  return (
    <div class="banner" role="note">
      <span aria-hidden="true">⚠</span>
      {lines}
    </div>
  );
}

interface ToolsProps {
  skeleton: Skeleton;
  found: Found | null;
  critical: boolean;
  folded: boolean;
  isolated: number;
  setIsolated: (row: number) => void;
  command: (name: string) => void;
  goTo: (row: number) => void;
}

export function TraceTools(props: ToolsProps) {
  const { skeleton: s, found, critical, folded, isolated, setIsolated, command, goTo } = props;
  // The address holds the text: a second copy would lag behind fast typing.
  const setFind = (find: string) => {
    replace(patched({ find, only: find.trim() ? param("only") : null }));
  };
  const only = param("only") === "1";
  return (
    <>
      <div class="trace-tools">
        <form
          class="find"
          role="search"
          aria-label="Find in the trace"
          onSubmit={(event) => {
            event.preventDefault();
            command("next-match");
          }}
        >
          <Icon name="search" />
          <input id="trace-find" value={param("find")} placeholder="Find service or name" aria-label="Find service, name or span id" spellcheck={false} autocomplete="off" onInput={(e) => setFind(e.currentTarget.value)} />
          {found ? (
            <span class="find-count num" role="status">
              {formatCount(found.count)} of {formatCount(s.count)}
            </span>
          ) : null}
        </form>
        {found ? (
          <>
            <button type="button" class="button quiet square" aria-label="Previous match" title="Previous match (N)" disabled={found.count === 0} onClick={() => command("previous-match")}>
              <Icon name="up" />
            </button>
            <button type="button" class="button quiet square" aria-label="Next match" title="Next match (n)" disabled={found.count === 0} onClick={() => command("next-match")}>
              <Icon name="down" />
            </button>
            <Toggle on={only} title="Hide everything but matches and their ancestors" onClick={() => replace(patched({ only: only ? null : "1" }))}>
              Only matches
            </Toggle>
          </>
        ) : null}
        {s.errorCount > 0 ? (
          <button type="button" class="button" title="Next error (e)" onClick={() => command("next-error")}>
            <span class="error-text" aria-hidden="true">
              ▲
            </span>
            Next error
          </button>
        ) : null}
        <Toggle on={critical} title="What the duration of the trace hangs on (c)" onClick={() => replace(patched({ cp: critical ? null : "1" }))}>
          Critical path
        </Toggle>
        <Toggle on={folded} title="Show repeated calls as one row (x)" onClick={() => replace(patched({ fold: folded ? "0" : null }))}>
          Fold repeats
        </Toggle>
        <ServicesPopover skeleton={s} setFind={setFind} />
        <span class="button-group wide-only" role="group" aria-label="Fold">
          <button type="button" class="button square" aria-label="Close one level" title="Close one level ({)" onClick={() => command("fold-level")}>
            −
          </button>
          <button type="button" class="button square" aria-label="Open one level" title="Open one level (})" onClick={() => command("unfold-level")}>
            +
          </button>
        </span>
        {param("z") ? (
          <button type="button" class="button" title="Show all of the time (0)" onClick={() => command("reset")}>
            Reset zoom
          </button>
        ) : null}
      </div>
      {isolated >= 0 ? <Crumbs skeleton={s} isolated={isolated} setIsolated={setIsolated} /> : null}
      {critical ? <CriticalStrip skeleton={s} goTo={goTo} /> : null}
    </>
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
  return (
    <Popover label={`${formatCount(rows.length)} ${rows.length === 1 ? "service" : "services"}`} title="Services of this trace">
      {(close) => (
        <table class="legend">
          <thead>
            <tr>
              <th>Service</th>
              <th class="right">Spans</th>
              <th class="right">Self time</th>
              <th class="right">Share</th>
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
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Popover>
  );
}

/** The way from the root to the isolated subtree; each step is a way back. */
function Crumbs({ skeleton: s, isolated, setIsolated }: { skeleton: Skeleton; isolated: number; setIsolated: (row: number) => void }) {
  const path = ancestors(s, isolated);
  const shown = path.length > 4 ? [path[0], ...path.slice(-3)] : path;
  return (
    <nav class="crumbs" aria-label="Isolated subtree">
      <button type="button" class="link" onClick={() => setIsolated(-1)}>
        Whole trace
      </button>
      {shown.map((row, i) => (
        <span key={row}>
          <span aria-hidden="true"> › {i === 1 && path.length > shown.length ? "… › " : ""}</span>
          <button type="button" class="link" onClick={() => setIsolated(row)}>
            {operationName(s, row)}
          </button>
        </span>
      ))}
      <span aria-current="true">
        <span aria-hidden="true"> › </span>
        {operationName(s, isolated)} <span class="dim">({plural(s.subtree[isolated], "span")})</span>
      </span>
    </nav>
  );
}

const CONTRIBUTORS = 4;

function CriticalStrip({ skeleton: s, goTo }: { skeleton: Skeleton; goTo: (row: number) => void }) {
  const top = useMemo(() => {
    const own = criticalTime(s);
    const rows = [...new Set(s.critical.map((c) => c.row))].sort((a, b) => own[b] - own[a]);
    return rows.slice(0, CONTRIBUTORS).map((row) => ({ row, time: own[row] }));
  }, [s]);
  if (s.critical.length === 0) {
    return (
      <div class="banner" role="note">
        <span aria-hidden="true">⚠</span>
        <span>No critical path: {s.criticalNote || "it cannot be computed for this trace"}.</span>
      </div>
    );
  }
  return (
    <div class="critical" title="Assumes that a span waits for the child that ends last">
      <b>Critical path</b>
      <span class="dim">{plural(s.critical.length, "segment")}; most of it:</span>
      {top.map(({ row, time }) => (
        <button type="button" class="link" key={row} onClick={() => goTo(row)}>
          <Swatch slot={s.services[s.service[row]].slot} /> {operationName(s, row)} {formatDuration(time)}{" "}
          <span class="dim">{formatPercent(time, s.duration)}</span>
        </button>
      ))}
    </div>
  );
}
