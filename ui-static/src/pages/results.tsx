// SPDX-License-Identifier: Apache-2.0
// The list of traces, or of the spans that match: sorted by the server over all matches, drawn as far as it is in view.
import type { Signal } from "@preact/signals";
import type { SearchAnswer, TraceSummary } from "../api/types";
import { attributeOf, columnsOf, type ColumnId, findText, type ListRow, SORT_OF, spanOrder, templateOf } from "../model/list";
import { formatCount, plural } from "../model/text";
import { formatClock, formatDay, formatDuration, formatFull, shortDay } from "../model/time";
import { isEverything } from "../model/traceql";
import { go, href, openTab, patched } from "../route";
import { inBasket } from "../state/basket";
import { rowPx, zone } from "../state/prefs";
import { nowNs } from "../state/range";
import { ErrorMark, SortHead, Swatch } from "../ui/controls";
import { VirtualRows } from "../ui/virtual";
import { columnFields, columnsText, inSpans, order, pageSize, previewOpen, rowsOf } from "./explore-state";

interface Props {
  value: SearchAnswer;
  query: string;
  cursor: Signal<number>;
  /** The row at the cursor is to take the focus. */
  wanted: { current: boolean };
  scrollTop: { current: number };
  loading: boolean;
  loadMore: () => void;
}

const ROW_NARROW = 64;
const NARROW = 720;
const narrow = () => window.innerWidth < NARROW;
const SWATCHES = 6;
const NAMES: Record<string, string> = {
  start: "Start", trace: "Root service / operation", duration: "Duration", spans: "Spans", errors: "Errors", services: "Services", why: "Why matched",
  span: "Service / operation", status: "Status", kind: "Kind", root: "In trace",
};

export function Results({ value, query, cursor, wanted, scrollTop, loading, loadMore }: Props) {
  const spans = inSpans();
  const fields = columnFields();
  const asked = spans || !isEverything(query);
  // The preview has the services, and takes the room that they need.
  const columns = columnsOf(columnsText(), spans, asked).filter((c) => c !== "services" || columnsText() || !previewOpen.value);
  const { rows } = rowsOf(value);
  const longest = rows.reduce((most, r) => Math.max(most, r.duration), 1);
  const days = new Set(rows.map((r) => formatDay(r.start, zone.value)));
  // When the search stopped at a full page, nobody has counted the rest.
  const rest = value.complete ? value.matchedTraces - value.traces.length : pageSize();
  const withDay = days.size > 1 || !days.has(formatDay(nowNs(), zone.value));
  const withYear = rows.some((r) => shortDay(r.start, nowNs(), zone.value).length > 5);
  const { template, leastPx } = templateOf(columns, withDay ? (withYear ? "year" : "day") : "", fields.length);
  const sizes = { "--columns": template, "--least": `${leastPx}px` };
  return (
    <>
      <div class="results" style={sizes} role="grid" aria-label={spans ? "Spans" : "Traces"} aria-rowcount={rows.length + 1}>
        <div role="rowgroup">
          <div class="result head" role="row" aria-rowindex={1}>
            {columns.map((c) => (
              <Header key={c} id={c} spans={spans} />
            ))}
            {fields.map((f) => (
              <span key={f} role="columnheader" class="clip" title={`${f}: of the first span that matches`}>
                {f.replace(/^(span|resource)\./, "")}
              </span>
            ))}
          </div>
        </div>
        <div role="presentation" class="rows">
          <VirtualRows
            role="rowgroup"
            count={rows.length}
            rowHeight={narrow() ? ROW_NARROW : rowPx.value}
            cursor={cursor.value}
            scrollTop={scrollTop}
            wanted={wanted}
            row={(i, stop) => (
              <Row
                key={rows[i].key}
                row={rows[i]}
                index={i}
                columns={columns}
                fields={fields}
                asked={asked}
                chosen={cursor.value === i}
                stop={stop}
                longest={longest}
                withDay={withDay}
                choose={() => {
                  cursor.value = i;
                }}
              />
            )}
          />
        </div>
      </div>
      {value.cursor ? (
        <div class="more">
          <button type="button" class="button" disabled={loading} onClick={loadMore}>
            {loading ? "Loading …" : `Load ${formatCount(Math.min(pageSize(), Math.max(rest, 1)))} more`}
          </button>
          <span class="dim">
            {formatCount(value.traces.length)} of {value.complete ? "" : "at least "}
            {plural(value.matchedTraces, "trace")} shown
          </span>
        </div>
      ) : null}
    </>
  );
}

function Header({ id, spans }: { id: ColumnId; spans: boolean }) {
  const by = SORT_OF[id];
  const right = id === "spans" || id === "errors";
  if (!by) {
    return (
      <span role="columnheader" class={id}>
        {NAMES[id]}
      </span>
    );
  }
  const now = order();
  const as = (o: string) => (spans ? spanOrder(o) : o);
  const [down, up] = [now === as(`-${by}`), now === as(by)];
  return (
    <SortHead grid class={right ? `right ${id}` : id} down={down} up={up} title={`Sort all matches by ${NAMES[id].toLowerCase()}`} sort={() => go(patched({ sort: down ? by : `-${by}`, order: null }))}>
      {NAMES[id]}
    </SortHead>
  );
}

/** Where a row leads: the trace, at the span that matched if something was asked. */
export function addressOf(row: ListRow, asked: boolean): string {
  return href("trace", { id: row.trace.traceId, span: asked ? row.span?.spanId : null });
}

interface RowProps {
  row: ListRow;
  index: number;
  columns: ColumnId[];
  fields: string[];
  asked: boolean;
  chosen: boolean;
  /** The Tab key comes to this row, and from it to its links: of the others it passes by. */
  stop: boolean;
  longest: number;
  withDay: boolean;
  choose: () => void;
}

/** A row in words, for who does not see it. */
function rowText({ trace, span, duration }: ListRow): string {
  const spans = inSpans();
  const name = spans && span ? `${span.serviceName} ${span.name}` : `${trace.rootServiceName} ${trace.rootTraceName}`.trim() || "root span not stored";
  const errors = spans ? (span?.status === "error" ? ", error" : "") : trace.errorCount > 0 ? `, ${plural(trace.errorCount, "error")}` : "";
  return `${name}, ${formatDuration(duration)}${errors}`;
}

function Row({ row, index, columns, fields, asked, chosen, stop, longest, withDay, choose }: RowProps) {
  const target = addressOf(row, asked);
  return (
    <div
      class={chosen ? "result chosen" : "result"}
      role="row"
      aria-rowindex={index + 2}
      aria-label={rowText(row)}
      aria-selected={chosen}
      tabIndex={stop ? 0 : -1}
      onFocusIn={choose}
      onClick={(event) => {
        const onLink = event.target instanceof Element && event.target.closest("a");
        if (onLink || window.getSelection()?.toString()) return;
        choose();
        if (event.ctrlKey || event.metaKey) openTab(target);
        else go(target);
      }}
    >
      {columns.map((c) => (
        <Cell key={c} id={c} row={row} target={target} longest={longest} withDay={withDay} tab={stop ? 0 : -1} />
      ))}
      {fields.map((f) => (
        <Attribute key={f} field={f} row={row} />
      ))}
    </div>
  );
}

interface CellProps {
  id: ColumnId;
  row: ListRow;
  target: string;
  longest: number;
  withDay: boolean;
  /** tabIndex of its links. */
  tab: 0 | -1;
}

function Cell({ id, row, target, longest, withDay, tab }: CellProps) {
  const { trace, span } = row;
  switch (id) {
    case "start":
      return (
        <span role="gridcell" class="start num" title={formatFull(row.start, zone.value)}>
          {withDay ? <span class="dim">{shortDay(row.start, nowNs(), zone.value)} </span> : null}
          {formatClock(row.start, zone.value)}
        </span>
      );
    case "trace":
    case "root":
      return <Root trace={trace} target={id === "root" ? href("trace", { id: trace.traceId }) : target} id={id} tab={tab} />;
    case "span":
      return (
        <span role="gridcell" class="root">
          <a href={target} tabIndex={tab} class="clip">
            <Swatch slot={trace.services.find((s) => s.name === span?.serviceName)?.slot ?? 0} />
            <span class="root-service">{span?.serviceName}</span> <span class="root-name">{span?.name}</span>
          </a>
          {row.beyond > 0 ? (
            <a class="dim num" tabIndex={tab} href={href("trace", { id: trace.traceId })} title="More spans of this trace match than are listed: open the trace">
              +{formatCount(row.beyond)}
            </a>
          ) : null}
        </span>
      );
    case "duration":
      return (
        <span role="gridcell" class="duration">
          <span class="num">{formatDuration(row.duration)}</span>
          <span class="bar" aria-hidden="true">
            <span style={{ width: `${Math.max(0.8, (100 * row.duration) / longest)}%` }} />
          </span>
        </span>
      );
    case "spans":
      return (
        <span role="gridcell" class="num right spans">
          {formatCount(trace.spanCount)}
          <span class="narrow-only">{trace.spanCount === 1 ? " span" : " spans"}</span>
        </span>
      );
    case "errors":
      return (
        <span role="gridcell" class="num right errors">
          {trace.errorCount > 0 ? <ErrorMark count={trace.errorCount} /> : <span class="dim none">0</span>}
        </span>
      );
    case "services":
      return <Services trace={trace} />;
    case "why":
      return <Why trace={trace} tab={tab} />;
    case "status":
      return (
        <span role="gridcell" class="status">
          {span?.status === "error" ? (
            <span class="error-text">
              <span aria-hidden="true">▲</span> error
            </span>
          ) : (
            <span class="dim">{span?.status}</span>
          )}
        </span>
      );
    case "kind":
      return (
        <span role="gridcell" class="kind dim">
          {span?.kind}
        </span>
      );
  }
}

function Root({ trace, target, id, tab }: { trace: TraceSummary; target: string; id: string; tab: 0 | -1 }) {
  const root = trace.services.find((s) => s.name === trace.rootServiceName) ?? trace.services[0];
  const noRoot = trace.rootServiceName === "" && trace.rootTraceName === "";
  return (
    <span role="gridcell" class={id === "root" ? "in-trace" : "root"}>
      <a href={target} tabIndex={tab} class="clip">
        {root ? <Swatch slot={root.slot} /> : null}
        <span class="root-service">{noRoot ? root?.name : trace.rootServiceName}</span>{" "}
        <span class={noRoot ? "root-name dim" : "root-name"}>{noRoot ? "root span not stored" : trace.rootTraceName}</span>
      </a>
      {inBasket(trace.traceId) ? <span class="tag">compare</span> : null}
    </span>
  );
}

function Services({ trace }: { trace: TraceSummary }) {
  const names = trace.services.map((s) => `${s.name || "(no service name)"}: ${plural(s.spanCount, "span")}`).join("\n");
  const count = trace.serviceCount ?? trace.services.length;
  return (
    <span role="gridcell" class="services" title={names}>
      {trace.services.slice(0, SWATCHES).map((s) => (
        <Swatch key={s.name} slot={s.slot} />
      ))}
      <span class="dim num">{count > SWATCHES ? ` +${count - SWATCHES}` : ` ${count}`}</span>
    </span>
  );
}

function Why({ trace, tab }: { trace: TraceSummary; tab: 0 | -1 }) {
  const [first] = trace.matchedSpans;
  if (!first) return <span role="gridcell" class="why" />;
  return (
    <span role="gridcell" class="why">
      <a
        class="clip"
        tabIndex={tab}
        href={href("trace", { id: trace.traceId, span: first.spanId, find: findText(first) })}
        title={`${first.serviceName}: ${first.name}, ${formatDuration(Number(first.durationNano))}, ${first.kind}, ${first.status}`}
      >
        {first.status === "error" ? (
          <span class="error-text" aria-hidden="true">
            ▲{" "}
          </span>
        ) : null}
        {first.serviceName} {first.name}
      </a>
      <span class="dim num" title={`${plural(trace.matchedSpanCount, "span")} of the trace match; this is the first`}>
        {formatDuration(Number(first.durationNano))}
        {trace.matchedSpanCount > 1 ? ` ×${formatCount(trace.matchedSpanCount)}` : ""}
      </span>
    </span>
  );
}

function Attribute({ field, row }: { field: string; row: ListRow }) {
  const text = attributeOf(row, field);
  return (
    <span role="gridcell" class="attribute clip mono" title={text ?? undefined}>
      {text ?? <span class="dim">–</span>}
    </span>
  );
}
