// SPDX-License-Identifier: Apache-2.0
// The table of traces: sorted by the server over all matches, drawn as far as it is in view.
import type { Signal } from "@preact/signals";
import type { SearchAnswer, TraceSummary } from "../api/types";
import { formatCount, plural } from "../model/text";
import { formatClock, formatDay, formatDuration, formatFull } from "../model/time";
import { go, href, patched } from "../route";
import { zone } from "../state/prefs";
import { ErrorMark, Swatch } from "../ui/controls";
import { VirtualRows } from "../ui/virtual";

interface Props {
  value: SearchAnswer;
  query: string;
  cursor: Signal<number>;
  scrollTop: { current: number };
  loading: boolean;
  loadMore: () => void;
}

const ROW = 28;
const ROW_NARROW = 64;
const NARROW = 720;
const narrow = () => window.innerWidth < NARROW;
const SWATCHES = 8;
/** Traces in one request. */
export const PAGE_SIZE = 100;

export function Results({ value, query, cursor, scrollTop, loading, loadMore }: Props) {
  const { traces, order, matchedTraces } = value;
  const why = query.trim() !== "" && !/^\{\s*\}$/.test(query.trim());
  const longest = traces.reduce((most, t) => Math.max(most, Number(t.durationNano)), 1);
  const days = new Set(traces.map((t) => formatDay(BigInt(t.startTimeUnixNano), zone.value)));
  // When the search stopped at a full page, nobody has counted the rest.
  const rest = value.complete ? matchedTraces - traces.length : PAGE_SIZE;
  const footer = value.cursor ? (
    <div class="more">
      <button type="button" class="button" disabled={loading} onClick={loadMore}>
        {loading ? "Loading …" : `Load ${formatCount(Math.min(PAGE_SIZE, Math.max(rest, 1)))} more`}
      </button>
      <span class="dim">
        {formatCount(traces.length)} of {value.complete ? "" : "more than "}
        {formatCount(matchedTraces)} shown
      </span>
    </div>
  ) : null;
  return (
    <>
    <div class={`results${why ? " with-why" : ""}${days.size > 1 ? " with-day" : ""}`} role="table" aria-label="Traces" aria-rowcount={traces.length + 1}>
      <div role="rowgroup">
        <div class="result head" role="row" aria-rowindex={1}>
          <SortHeader name="Start" by="start" order={order} />
          <span role="columnheader">Trace</span>
          <SortHeader name="Duration" by="duration" order={order} />
          <SortHeader name="Spans" by="spans" order={order} right />
          <SortHeader name="Errors" by="errors" order={order} right />
          <span role="columnheader">Services</span>
          {why ? <span role="columnheader">Why matched</span> : null}
        </div>
      </div>
      <div role="rowgroup" class="rows">
        <VirtualRows
          count={traces.length}
          rowHeight={narrow() ? ROW_NARROW : ROW}
          cursor={cursor.value}
          scrollTop={scrollTop}
          row={(i) => (
            <Row
              key={traces[i].traceId}
              trace={traces[i]}
              index={i}
              chosen={cursor.value === i}
              longest={longest}
              why={why}
              withDay={days.size > 1}
              choose={() => {
                cursor.value = i;
              }}
            />
          )}
        />
      </div>
    </div>
    {footer}
    </>
  );
}

function SortHeader({ name, by, order, right }: { name: string; by: string; order: string; right?: boolean }) {
  const down = order === `-${by}`;
  const up = order === by;
  return (
    <span role="columnheader" aria-sort={down ? "descending" : up ? "ascending" : "none"} class={right ? "right" : undefined}>
      <button type="button" class="sort" title={`Sort all matches by ${name.toLowerCase()}`} onClick={() => go(patched({ order: down ? by : `-${by}` }))}>
        {name}
        <span aria-hidden="true">{down ? " ↓" : up ? " ↑" : ""}</span>
      </button>
    </span>
  );
}

interface RowProps {
  trace: TraceSummary;
  index: number;
  chosen: boolean;
  longest: number;
  why: boolean;
  withDay: boolean;
  choose: () => void;
}

function Row({ trace, index, chosen, longest, why, withDay, choose }: RowProps) {
  const start = BigInt(trace.startTimeUnixNano);
  const duration = Number(trace.durationNano);
  const target = href("trace", { id: trace.traceId });
  const root = trace.services.find((s) => s.name === trace.rootServiceName) ?? trace.services[0];
  const noRoot = trace.rootServiceName === "" && trace.rootTraceName === "";
  return (
    <div
      class={chosen ? "result chosen" : "result"}
      role="row"
      aria-rowindex={index + 2}
      onClick={(event) => {
        const onLink = event.target instanceof Element && event.target.closest("a");
        if (onLink || window.getSelection()?.toString()) return;
        choose();
        if (event.ctrlKey || event.metaKey) window.open(target, "_blank", "noopener");
        else go(target);
      }}
    >
      <span role="cell" class="start num" title={formatFull(start, zone.value)}>
        {withDay ? <span class="dim">{formatDay(start, zone.value).slice(5)} </span> : null}
        {formatClock(start, zone.value)}
      </span>
      <span role="cell" class="root">
        <a href={target} onClick={choose} class="clip">
          {root ? <Swatch slot={root.slot} /> : null}
          <span class="root-service">{noRoot ? root?.name : trace.rootServiceName}</span>{" "}
          <span class={noRoot ? "root-name dim" : "root-name"}>{noRoot ? "root span not stored" : trace.rootTraceName}</span>
        </a>
      </span>
      <span role="cell" class="duration">
        <span class="num">{formatDuration(duration)}</span>
        <span class="bar" aria-hidden="true">
          <span style={{ width: `${Math.max(0.8, (100 * duration) / longest)}%` }} />
        </span>
      </span>
      <span role="cell" class="num right spans">
        {formatCount(trace.spanCount)}
        <span class="narrow-only">{trace.spanCount === 1 ? " span" : " spans"}</span>
      </span>
      <span role="cell" class="num right errors">
        {trace.errorCount > 0 ? <ErrorMark count={trace.errorCount} /> : <span class="dim none">0</span>}
      </span>
      <Services trace={trace} />
      {why ? <Why trace={trace} /> : null}
    </div>
  );
}

function Services({ trace }: { trace: TraceSummary }) {
  const names = trace.services.map((s) => `${s.name || "(no service name)"}: ${plural(s.spanCount, "span")}`).join("\n");
  const count = trace.serviceCount ?? trace.services.length;
  return (
    <span role="cell" class="services" title={names}>
      {trace.services.slice(0, SWATCHES).map((s) => (
        <Swatch key={s.name} slot={s.slot} />
      ))}
      <span class="dim num">{count > SWATCHES ? ` +${count - SWATCHES}` : ` ${count}`}</span>
    </span>
  );
}

function Why({ trace }: { trace: TraceSummary }) {
  const [first] = trace.matchedSpans;
  if (!first) return <span role="cell" class="why" />;
  return (
    <span role="cell" class="why">
      <a
        class="clip"
        href={href("trace", { id: trace.traceId, span: first.spanId })}
        title={`${first.serviceName}: ${first.name}, ${formatDuration(Number(first.durationNano))}, ${first.kind}, ${first.status}`}
      >
        {first.status === "error" ? <span class="error-text">▲ </span> : null}
        {first.serviceName} {first.name}
      </a>
      <span class="dim num">
        {formatDuration(Number(first.durationNano))}
        {trace.matchedSpanCount > 1 ? ` · ${plural(trace.matchedSpanCount, "span")}` : ""}
      </span>
    </span>
  );
}
