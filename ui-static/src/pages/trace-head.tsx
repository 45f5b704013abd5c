// SPDX-License-Identifier: Apache-2.0
// Above the views: what the trace is, and what is wrong with its data.
import { useEffect, useMemo, useState } from "preact/hooks";
import { apiUrl, columnsPath, getHead } from "../api/client";
import type { ClockName } from "../api/trace-types";
import type { ActionId } from "../model/actions";
import { curlOf } from "../model/curl";
import { BACKWARDS, bulkOf, rowOfSpan, serviceName, shownName, type Skeleton } from "../model/skeleton";
import { formatCount, plural, shortName } from "../model/text";
import { formatAge, formatClock, formatDay, formatDuration, formatFull, zoneName } from "../model/time";
import { param, patched, replace, searchBefore } from "../route";
import { hint } from "../state/keys";
import { zone } from "../state/prefs";
import { nowNs } from "../state/range";
import { rememberTrace } from "../state/recent";
import { openFile, searchOf, type TraceSource } from "../state/source";
import { type ViewName, VIEWS } from "../state/traceview";
import { CopyButton, ErrorMark, Swatch, useTitle } from "../ui/controls";
import { Icon } from "../ui/icons";
import { TraceActions } from "./trace-menu";

/** Letters of a name, a duration and a number of spans that have room in one line. */
const LONG = 37;
const LABELS: Record<ViewName, string> = { waterfall: "Waterfall", flame: "Flame", graph: "Graph", stats: "Stats", spans: "Spans", events: "Events", json: "JSON" };

export function TraceHeader({ skeleton: s, source, view }: { skeleton: Skeleton; source: TraceSource; view: ViewName }) {
  const rooted = !s.missingParent.has(0);
  const title = `${serviceName(s, 0)} ${shownName(s, 0)}`;
  useTitle(`${title} · ${s.traceId.slice(0, 8)}`);
  useEffect(() => {
    if (source.served) rememberTrace(source.id, `${title} · ${formatDuration(s.duration)}`);
  }, [title, source]);
  const zoneText = zone.value === "utc" ? "UTC" : zoneName(s.startNs);
  return (
    <header class={`${title}${formatDuration(s.duration)}${s.count}`.length > LONG ? "trace-head long" : "trace-head"}>
      <div class="trace-title">
        <Back skeleton={s} source={source} />
        <h1 title={title}>
          <Swatch slot={s.services[s.service[0]].slot} />
          <span class="root-service">{serviceName(s, 0)}</span> <span class="root-name">{shownName(s, 0)}</span>
          {rooted ? null : <span class="tag">root not stored</span>}
        </h1>
      </div>
      <dl class="facts" title={`${plural(s.count, "span")}, ${s.depthMax + 1} deep`}>
        <Fact name="Duration" value={formatDuration(s.duration)} title={`${formatCount(s.duration)} ns`} strong />
        <Fact name="Spans" value={formatCount(s.count)} />
        <Fact name="Services" value={formatCount(s.services.length)} />
        <Fact name="Depth" value={formatCount(s.depthMax + 1)} least />
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
        {source.served ? <CopyButton text={() => curlOf(twinOf(source.id, view))} what="curl command" icon="terminal" /> : null}
        <TraceActions skeleton={s} source={source} />
      </div>
      <nav class="view-tabs" aria-label="Views of the trace">
        {VIEWS.map((name, i) => (
          <a key={name} href={patched({ view: name === "waterfall" ? null : name })} aria-current={view === name ? "page" : undefined} title={LABELS[name] + hint(`trace.view${i + 1}` as ActionId)}>
            {LABELS[name]}
          </a>
        ))}
      </nav>
    </header>
  );
}

/** What the view is made of. */
function twinOf(id: string, view: ViewName): string {
  const path = columnsPath(id);
  const [, scope, key] = /^(span|resource|instrumentation)\.(.*)/.exec(param("by")) ?? [];
  if (view === "json") return apiUrl(path);
  const skew = param("skew") === "adj" ? "adjust" : null;
  return view === "stats" && key ? apiUrl(`${path}/attributes`, { scope, key, skew }) : apiUrl(path, { view: "columns", skew });
}

/** To the search that the trace was opened from, as it was: query, range, view, order and box. */
function Back({ skeleton, source }: { skeleton: Skeleton; source: TraceSource }) {
  const before = searchBefore();
  const query = before && new URL(before).searchParams.get("q");
  const label = before ? `Back to the search: ${shortName(query || "all traces")}` : source.served ? "Search the hour up to this trace" : "To the search";
  return (
    <a class="button quiet square back" href={searchOf(skeleton, source)} title={label}>
      <Icon name="back" />
    </a>
  );
}

function Fact({ name, value, title, strong, least }: { name: string; value: string; title?: string; strong?: boolean; least?: boolean }) {
  return (
    <div title={title} class={least ? "least" : undefined}>
      <dt>{name}</dt>
      <dd class={strong ? "num strong" : "num"}>{value}</dd>
    </div>
  );
}

const clockText = (c: ClockName): string => (c.host ? `host ${c.host}` : (c.service ?? "the first span"));
/** A trace that ended less than this ago may not be whole yet. */
const FRESH_NS = 60n * 1000000000n;
const FRESH_MS = 5000;
/** Asking whether a trace has grown reads it: large ones are not asked about. */
const FRESH_SPANS_MAX = 20000;

/** How many spans have come since the trace was read; asked for a minute after its end, while somebody looks. */
function useGrowth(s: Skeleton, source: TraceSource): number {
  const [more, setMore] = useState(0);
  useEffect(() => {
    setMore(0);
    const fresh = () => nowNs() - (s.startNs + BigInt(Math.ceil(s.duration))) < FRESH_NS;
    if (!source.served || s.count > FRESH_SPANS_MAX || !fresh()) return;
    const stopper = new AbortController();
    const timer = window.setInterval(() => {
      if (!fresh()) window.clearInterval(timer);
      if (document.hidden) return;
      getHead(source.id, stopper.signal).then((head) => setMore(head.spanCount - s.count), () => undefined);
    }, FRESH_MS);
    return () => {
      window.clearInterval(timer);
      stopper.abort();
    };
  }, [s]);
  return more;
}

interface BannerProps {
  skeleton: Skeleton;
  source: TraceSource;
  adjusted: boolean;
  command: (name: string) => void;
  zoom: (from: number, to: number) => void;
  reload: () => void;
  stale: boolean;
}

export function TraceBanners({ skeleton: s, source, adjusted, command, zoom, reload, stale }: BannerProps) {
  const [dismissed, setDismissed] = useState<string[]>([]);
  const backwards = useMemo(() => s.flags.reduce((n, flags) => n + (flags & BACKWARDS ? 1 : 0), 0), [s]);
  const bulk = useMemo(() => bulkOf(s), [s]);
  const more = useGrowth(s, source);
  const orphans = s.missingParent.size;
  const lines: { key: string; text: preact.ComponentChildren }[] = [];
  const button = (text: string, onClick: () => void) => (
    <button type="button" class="link" onClick={onClick}>
      {text}
    </button>
  );
  if (stale) lines.push({ key: "stale", text: <>Spoor does not answer. What is below was read before; the page asks again by itself. {button("Try again", reload)}</> });
  if (!source.served) lines.push({ key: "file", text: <>From the file {openFile.value?.name}: read in this browser, sent nowhere.</> });
  for (const id of new Set([param("span"), param("root"), ...param("marks").split(",")])) if (id && rowOfSpan(s, id) < 0) lines.push({ key: `span ${id}`, text: <>Span <code>{id}</code> is not in this trace.</> });
  if (more > 0) lines.push({ key: `more ${more}`, text: <>The trace is still receiving spans: {plural(more, "span")} more. {button("Reload", reload)}</> });
  if (orphans > 0)
    lines.push({
      key: "orphans",
      text: (
        <>
          {plural(orphans, "span")} whose parent is not stored, below {plural(new Set(s.missingParent.values()).size, "missing parent")}. {button("Next one", () => command("nextOrphan"))}
        </>
      ),
    });
  if (s.skew && s.skew.skewedClockCount > 0) lines.push({ key: `skew ${adjusted}`, text: <SkewLine skeleton={s} adjusted={adjusted} /> });
  if (bulk)
    lines.push({
      key: "far",
      text: (
        <>
          {plural(bulk.others, "span")} {bulk.others === 1 ? "starts" : "start"} far from the others, which take {formatDuration(bulk.to - bulk.from)} of {formatDuration(s.duration)}.{" "}
          {button("Zoom to the others", () => zoom(bulk.from, bulk.to))}
        </>
      ),
    });
  if (s.duplicateCount > 0) lines.push({ key: "duplicates", text: <>{plural(s.duplicateCount, "span")} with an id that is used twice.</> });
  if (s.cycleCount > 0) lines.push({ key: "cycles", text: <>{plural(s.cycleCount, "cycle")} of parents, broken at the earliest span.</> });
  if (backwards > 0) lines.push({ key: "backwards", text: <>{plural(backwards, "span")} that end before they start: shown with no duration.</> });
  if (s.events.count > s.events.row.length)
    lines.push({ key: "events", text: <>The first {formatCount(s.events.row.length)} of {formatCount(s.events.count)} events are drawn; the details of a span have all of its own.</> });
  if (s.critical.length === 0 && param("cp") === "1") lines.push({ key: "critical", text: <>No critical path: {s.criticalNote || "it cannot be computed for this trace"}.</> });
  const shown = lines.filter((l) => !dismissed.includes(l.key));
  if (shown.length === 0) return null;
  return (
    <div class="banner" role="note">
      <span aria-hidden="true">⚠</span>
      {shown.map((l) => (
        <span key={l.key} class="banner-line">
          {l.text}
          <button type="button" class="banner-close" aria-label="Dismiss this note" onClick={() => setDismissed([...dismissed, l.key])}>
            ×
          </button>
        </span>
      ))}
    </div>
  );
}

/** Clocks that differ: by how much, and the way to the other view of it. */
function SkewLine({ skeleton: s, adjusted }: { skeleton: Skeleton; adjusted: boolean }) {
  if (!s.skew) return null;
  const { skewedClockCount, spanCount, offsetNano, clocks, reference } = s.skew;
  const title = clocks.map((c) => `${clockText(c.clock)}: ${c.offsetNano === null ? "unknown" : formatDuration(Number(c.offsetNano))} beside ${clockText(reference)}${c.consistent ? "" : ", and its calls contradict each other"}`).join("\n");
  return (
    <span title={title}>
      {plural(skewedClockCount, "clock")} of {clocks
        .slice(0, 2)
        .map((c) => clockText(c.clock))
        .join(", ")}
      {skewedClockCount > 2 ? " and others" : ""} {skewedClockCount === 1 ? "differs" : "differ"}: {plural(spanCount, "span")}, at most {formatDuration(Number(offsetNano))}, showing {adjusted ? "adjusted times" : "times as sent"}.{" "}
      <button type="button" class="link" onClick={() => replace(patched({ skew: adjusted ? null : "adj" }))}>
        {adjusted ? "Show as sent" : "Adjust"}
      </button>
    </span>
  );
}
