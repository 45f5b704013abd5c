// SPDX-License-Identifier: Apache-2.0
// Everything known of one span, fetched when it is asked for. Lists of attributes: attributes.tsx.
import { useEffect, useRef, useState } from "preact/hooks";
import { apiUrl, columnsPath } from "../api/client";
import type { Rank } from "../api/trace-types";
import type { OtlpSpan, SpanDetail, SpanEvent, SpanLink } from "../api/types";
import { filterAttributes } from "../model/anyvalue";
import { curlOf } from "../model/curl";
import { criticalTime, DUPLICATE, KINDS, serviceName, shownName, type Skeleton, SKEWED, spanIdAt, STATUS } from "../model/skeleton";
import { formatCount, formatPercent, plural } from "../model/text";
import { formatDuration, formatFull } from "../model/time";
import { besideCondition, isEverything, withCondition } from "../model/traceql";
import { changed, href } from "../route";
import { hint } from "../state/keys";
import { Loader } from "../state/load";
import { logsAddress, panelPlace, type PanelPlace, zone } from "../state/prefs";
import { searchOf, type TraceSource } from "../state/source";
import { CopyButton, Drawer, ProblemPanel, ServiceName } from "../ui/controls";
import { Pair } from "../ui/pair";
import { rankLabel, rankText } from "../views/waterfall-row";
import { AttributeList, Attributes, Dropped, Long, PinnedAttributes, searchWith } from "./attributes";
import { BackLinks, Durations } from "./details-more";

const loader = new Loader<SpanDetail>();
/** Walking with the arrow keys asks for the row it stops at, not for every row it passes. */
const PAUSE_MS = 60;

interface Props {
  skeleton: Skeleton;
  source: TraceSource;
  adjusted: boolean;
  row: number;
  rank: Rank | undefined;
  close: () => void;
  goTo: (row: number) => void;
  isolate: () => void;
}

export function Details(props: Props) {
  const { skeleton: s, source, adjusted, row, close } = props;
  const [filter, setFilter] = useState("");
  const body = useRef<HTMLDivElement>(null);
  const load = () =>
    void loader.run(async (stop) => {
      const found = (await source.spans([row], adjusted, stop)).find((d) => d.row === row);
      if (!found) throw new Error(`the answer does not hold row ${row}`);
      return found;
    });
  useEffect(() => {
    const timer = window.setTimeout(load, PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [s, row]);
  const { value, error } = loader.state.value;
  const detail = value?.row === row && value.span.spanId.toLowerCase() === spanIdAt(s, row) ? value : null;
  const moved = value?.row === row && value.span.spanId.toLowerCase() !== spanIdAt(s, row);
  searchWith.current = useSearch(props);
  return (
    <Drawer
      label="Span"
      title={
        <>
          <h2>{shownName(s, row)}</h2>
          <ServiceName name={serviceName(s, row)} slot={s.services[s.service[row]].slot} />
        </>
      }
      tools={<PlaceButtons />}
      close={close}
      what="details"
    >
      {detail ? <Sections detail={detail} body={body} /> : null}
      <div class="details-body" tabIndex={0} role="region" aria-label="Details of the span" ref={body}>
        <Timings {...props} />
        {error ? <ProblemPanel error={error} retry={load} /> : null}
        {moved ? <p class="status-message">The trace has grown since it was read: reload the page to see this span.</p> : null}
        {detail ? <Stored detail={detail} s={s} source={source} filter={filter} setFilter={setFilter} /> : null}
      </div>
    </Drawer>
  );
}

/** A condition from a span's attributes goes into the search that the trace was opened from: who narrows it down goes on doing that, and takes
 * back with a click what was too much. Of a span that the search found it is one more condition on that span; of any other one it is a second
 * span that the trace has to have, since the two would hardly ever be true of one. */
function useSearch({ skeleton: s, source, adjusted, row }: Props): (condition: string) => string {
  const address = searchOf(s, source);
  const query = new URL(address).searchParams.get("q") ?? "";
  const [found, setFound] = useState<{ query: string; mask: Uint8Array } | null>(null);
  useEffect(() => {
    if (isEverything(query)) return;
    const stopper = new AbortController();
    source.match(query, s.count, adjusted, stopper.signal).then(
      (mask) => setFound({ query, mask }),
      // Not known is as good as no.
      () => undefined,
    );
    return () => stopper.abort();
  }, [s, query]);
  const own = found?.query === query && found.mask[row] === 1;
  return (condition) => changed(address, { q: (own ? withCondition : besideCondition)(query, condition) });
}

const PLACES: [PanelPlace, string, string][] = [
  ["right", "▐", "Details on the right"],
  ["bottom", "▄", "Details at the bottom"],
  ["inline", "≡", "Details below the row"],
];

function PlaceButtons() {
  return (
    <span class="button-group wide-only" role="group" aria-label="Place of the details">
      {PLACES.map(([place, sign, title]) => (
        <button
          key={place}
          type="button"
          class="button toggle square"
          aria-pressed={panelPlace.value === place}
          aria-label={title}
          title={title}
          onClick={() => {
            panelPlace.value = place;
          }}
        >
          {sign}
        </button>
      ))}
    </span>
  );
}

/** The parts of the panel with their counts; each is a way down to it. */
function Sections({ detail: { span, resource }, body }: { detail: SpanDetail; body: { current: HTMLDivElement | null } }) {
  const parts: [string, string, number | null][] = [
    ["overview", "Overview", null],
    ["attributes", "Attributes", span.attributes?.length ?? 0],
    ["events", "Events", span.events?.length ?? 0],
    ["links", "Links", span.links?.length ?? 0],
    ["resource", "Resource", resource.attributes?.length ?? 0],
    ["json", "JSON", null],
  ];
  const show = (name: string) => {
    const target = body.current?.querySelector<HTMLElement>(`[data-part="${name}"]`);
    if (!target || !body.current) return;
    if (target instanceof HTMLDetailsElement) target.open = true;
    body.current.scrollTop += target.getBoundingClientRect().top - body.current.getBoundingClientRect().top - 8;
    body.current.focus({ preventScroll: true });
  };
  return (
    <nav class="details-parts" aria-label="Parts of the details">
      {parts
        .filter(([, , count]) => count !== 0)
        .map(([name, label, count]) => (
          <button key={name} type="button" class="link" onClick={() => show(name)}>
            {label} {count === null ? null : <span class="count">{formatCount(count)}</span>}
          </button>
        ))}
    </nav>
  );
}

function Timings({ skeleton: s, source, row, rank, goTo, isolate }: Props) {
  const parent = s.parent[row];
  const critical = criticalTime(s)[row];
  const missing = s.missingParent.get(row);
  const start = s.startNs + BigInt(Math.round(s.start[row]));
  const id = spanIdAt(s, row);
  const failed = s.status[row] === 2;
  const peer = s.peers.get(row);
  return (
    <dl class="pairs" data-part="overview">
      <Pair name="Duration">
        <b>{formatDuration(s.length[row])}</b> <span class="dim">{formatPercent(s.length[row], s.duration)} of the trace</span>
      </Pair>
      <Pair name="Self time">
        {formatDuration(s.self[row])} <span class="dim">{formatPercent(s.self[row], s.length[row])} of the span</span>
      </Pair>
      {rank ? (
        <Pair name="Percentile">
          {rankText(rank)} <span class="dim">{rankLabel(rank)}</span>
        </Pair>
      ) : null}
      {source.served ? <Durations s={s} row={row} /> : null}
      {critical > 0 ? (
        <Pair name="Critical path">
          {formatDuration(critical)} <span class="dim">{formatPercent(critical, s.duration)} of the trace</span>
        </Pair>
      ) : null}
      <Pair name="Start">
        +{formatDuration(s.start[row])} <span class="dim">{formatFull(start, zone.value)}</span>
      </Pair>
      <Pair name="Kind">{KINDS[s.kind[row]] ?? String(s.kind[row])}</Pair>
      <Pair name="Status">
        <span class={failed ? "error-text" : undefined}>
          {failed ? "▲ " : ""}
          {STATUS[s.status[row]] ?? String(s.status[row])}
        </span>
      </Pair>
      <Pair name="Span">
        <code>{id}</code> <CopyButton text={id} what="span id" />
        {s.flags[row] & SKEWED ? <span class="tag">its clock differs</span> : null}
        {s.flags[row] & DUPLICATE ? <span class="tag">used twice</span> : null}
      </Pair>
      <Pair name="Parent">
        {parent >= 0 ? (
          <button type="button" class="link" onClick={() => goTo(parent)}>
            {serviceName(s, parent)} {shownName(s, parent)}
          </button>
        ) : missing ? (
          <>
            <code>{missing}</code> <span class="tag">not stored</span>
          </>
        ) : (
          <span class="dim">none, this is a root</span>
        )}
      </Pair>
      {peer ? (
        <Pair name="Calls">
          {peer.name} <span class="dim">{peer.type}, which sent no spans</span>
        </Pair>
      ) : null}
      <Logs traceId={s.traceId} spanId={id} />
      {s.subtree[row] > 1 ? (
        <Pair name="Below">
          {plural(s.subtree[row] - 1, "span")}{" "}
          <button type="button" class="link" title={`Show only this subtree${hint("trace.isolate")}`} onClick={isolate}>
            only these
          </button>
        </Pair>
      ) : null}
    </dl>
  );
}

/** An address of this installation's logs: of the web, or nothing at all. */
function logsLink(template: string, traceId: string, spanId: string): string | null {
  const address = template.replaceAll("${trace_id}", encodeURIComponent(traceId)).replaceAll("${span_id}", encodeURIComponent(spanId));
  return /^https?:\/\//i.test(address) && URL.canParse(address) ? address : null;
}

function Logs({ traceId, spanId }: { traceId: string; spanId: string }) {
  const [editing, setEditing] = useState(false);
  const link = logsLink(logsAddress.value, traceId, spanId);
  return (
    <Pair name="Logs">
      {link ? (
        <a href={link} target="_blank" rel="noreferrer noopener">
          Open the logs
        </a>
      ) : null}{" "}
      {editing ? (
        <form
          class="logs-form"
          onSubmit={(event) => {
            event.preventDefault();
            logsAddress.value = new FormData(event.currentTarget).get("address") as string;
            setEditing(false);
          }}
        >
          <input name="address" class="mono" value={logsAddress.value} aria-label="Address of the logs" placeholder={"https://logs.example/?q=${trace_id}"} />
          <button type="submit" class="button">
            Keep
          </button>
        </form>
      ) : (
        <button type="button" class="link" title={"An address with ${trace_id} and ${span_id}, kept in this browser"} onClick={() => setEditing(true)}>
          {link ? "change" : "set an address"}
        </button>
      )}
    </Pair>
  );
}

interface StoredProps {
  detail: SpanDetail;
  s: Skeleton;
  source: TraceSource;
  filter: string;
  setFilter: (text: string) => void;
}

function Stored({ detail, s, source, filter, setFilter }: StoredProps) {
  const { span, resource, scope } = detail;
  const events = [...(span.events ?? [])].sort((a, b) => (isException(a) === isException(b) ? 0 : isException(a) ? -1 : 1));
  const lists = [
    { scope: "span", list: span.attributes ?? [] },
    { scope: "resource", list: resource.attributes ?? [] },
  ];
  return (
    <>
      {span.status?.message ? (
        <div class="status-message">
          <span aria-hidden="true">▲</span> <Long text={span.status.message} />
        </div>
      ) : null}
      <input class="filter" value={filter} placeholder="Filter attributes" aria-label="Filter attributes" onInput={(e) => setFilter(e.currentTarget.value)} />
      <PinnedAttributes lists={lists} filter={filter} />
      {events.length > 0 ? <Events events={events} s={s} span={span} filter={filter} /> : null}
      <Attributes part="attributes" title="Attributes" scope="span" list={span.attributes ?? []} dropped={span.droppedAttributesCount} filter={filter} />
      {span.links?.length ? <Links links={span.links} filter={filter} dropped={span.droppedLinksCount} /> : null}
      {source.served ? <BackLinks traceId={s.traceId} spanId={span.spanId} /> : null}
      <Attributes part="resource" title="Resource" scope="resource" list={resource.attributes ?? []} dropped={resource.droppedAttributesCount} filter={filter} />
      <section>
        <h3>Scope</h3>
        <p class="mono">
          {scope.name || "(no name)"} {scope.version ?? ""}
        </p>
        {scope.attributes?.length ? <AttributeList scope="instrumentation" list={filterAttributes(scope.attributes, filter)} /> : null}
        {span.traceState ? <p class="mono">tracestate {span.traceState}</p> : null}
        {detail.resourceSchemaUrl ? <p class="dim">resource schema {detail.resourceSchemaUrl}</p> : null}
        {detail.scopeSchemaUrl ? <p class="dim">scope schema {detail.scopeSchemaUrl}</p> : null}
      </section>
      <RawJson detail={detail} s={s} source={source} />
    </>
  );
}

/** Made when it is opened: a span may be megabytes. */
function RawJson({ detail, s, source }: { detail: SpanDetail; s: Skeleton; source: TraceSource }) {
  const [open, setOpen] = useState(false);
  const text = open ? JSON.stringify(detail, null, 2) : "";
  return (
    <details class="raw" data-part="json" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>JSON</summary>
      <div class="row">
        <CopyButton text={() => JSON.stringify(detail, null, 2)} what="JSON" label="Copy" />
        {source.served ? <CopyButton text={() => curlOf(apiUrl(`${columnsPath(s.traceId)}/spans`, { rows: detail.row }))} what="curl command" label="Copy curl" icon="terminal" /> : null}
      </div>
      <pre class="mono" tabIndex={0}>
        {text.slice(0, RAW_MAX)}
      </pre>
      {text.length > RAW_MAX ? <p class="dim">The first {formatCount(RAW_MAX)} of {formatCount(text.length)} characters; Copy has all of them.</p> : null}
    </details>
  );
}

const RAW_MAX = 200000;

const isException = (event: SpanEvent) => event.name === "exception";

/** Exceptions come first, so what is folded away are the others. */
const EVENTS_SHOWN = 20;

function Events({ events, s, span, filter }: { events: SpanEvent[]; s: Skeleton; span: OtlpSpan; filter: string }) {
  const [all, setAll] = useState(false);
  return (
    <section data-part="events">
      <h3>
        Events <span class="count">{events.length}</span>
        <Dropped count={span.droppedEventsCount} />
      </h3>
      {(all ? events : events.slice(0, EVENTS_SHOWN)).map((event, i) => {
        const after = Number(BigInt(event.timeUnixNano ?? 0) - BigInt(span.startTimeUnixNano ?? 0));
        const at = Number(BigInt(event.timeUnixNano ?? 0) - s.startNs);
        return (
          <div class={isException(event) ? "event exception" : "event"} key={i}>
            <p>
              <b>{isException(event) ? "▲ exception" : event.name || "(no name)"}</b>{" "}
              <span class="dim num" title={`${formatDuration(at)} after the trace's start`}>
                +{formatDuration(after)}
              </span>
            </p>
            <AttributeList scope="event" list={filterAttributes(event.attributes ?? [], filter)} />
            <Dropped count={event.droppedAttributesCount} />
          </div>
        );
      })}
      {!all && events.length > EVENTS_SHOWN ? (
        <button type="button" class="link" onClick={() => setAll(true)}>
          Show the other {formatCount(events.length - EVENTS_SHOWN)}
        </button>
      ) : null}
    </section>
  );
}

function Links({ links, filter, dropped }: { links: SpanLink[]; filter: string; dropped: number | undefined }) {
  return (
    <section data-part="links">
      <h3>
        Links <span class="count">{links.length}</span>
        <Dropped count={dropped} />
      </h3>
      {links.map((link) => (
        <div class="event" key={`${link.traceId}${link.spanId}`}>
          <p class="mono">
            → <a href={href("trace", { id: link.traceId.toLowerCase(), span: link.spanId.toLowerCase() })}>
              {link.traceId} {link.spanId}
            </a>
          </p>
          <AttributeList scope="link" list={filterAttributes(link.attributes ?? [], filter)} />
        </div>
      ))}
    </section>
  );
}
