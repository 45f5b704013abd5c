// SPDX-License-Identifier: Apache-2.0
// Everything known of one span, fetched when it is asked for.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { apiUrl, columnsPath, getSpans } from "../api/client";
import type { KeyValue, OtlpSpan, SpanDetail, SpanEvent, SpanLink } from "../api/types";
import { filterAttributes, typeOf, valueToText } from "../model/anyvalue";
import { curlOf } from "../model/curl";
import {
  criticalTime,
  DUPLICATE,
  KINDS,
  operationName,
  serviceName,
  type Skeleton,
  spanIdAt,
  STATUS,
} from "../model/skeleton";
import { formatCount, formatPercent, plural } from "../model/text";
import { formatDuration, formatFull } from "../model/time";
import { fieldText, quote, valueText } from "../model/traceql";
import { href } from "../route";
import { Loader } from "../state/load";
import { zone } from "../state/prefs";
import { CopyButton, ProblemPanel, ServiceName } from "../ui/controls";
import { Icon } from "../ui/icons";

const loader = new Loader<SpanDetail>();
/** Walking with the arrow keys asks for the row it stops at, not for every row it passes. */
const PAUSE_MS = 60;

interface Props {
  skeleton: Skeleton;
  row: number;
  close: () => void;
  goTo: (row: number) => void;
  isolate: () => void;
}

export function Details({ skeleton: s, row, close, goTo, isolate }: Props) {
  const [filter, setFilter] = useState("");
  const load = () =>
    void loader.run(async (stop) => {
      const { spans } = await getSpans(s.traceId, String(row), stop);
      const found = spans.find((d) => d.row === row);
      if (!found) throw new Error(`the answer does not hold row ${row}`);
      return found;
    });
  useEffect(() => {
    const timer = window.setTimeout(load, PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [s, row]);
  const { value, error } = loader.state.value;
  const detail = value?.row === row && value.span.spanId.toLowerCase() === spanIdAt(s, row) ? value : null;
  return (
    <aside class="details" aria-label="Span">
      <div class="details-head">
        <div>
          <h2>{operationName(s, row) || "(no name)"}</h2>
          <ServiceName name={serviceName(s, row)} slot={s.services[s.service[row]].slot} />
        </div>
        <button type="button" class="button quiet square" aria-label="Close details" title="Close (Esc)" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      <div class="details-body" tabIndex={0} role="region" aria-label="Details of the span">
        <Timings s={s} row={row} goTo={goTo} isolate={isolate} />
        {error ? <ProblemPanel error={error} retry={load} /> : null}
        {detail ? <Stored detail={detail} s={s} filter={filter} setFilter={setFilter} goTo={goTo} /> : null}
      </div>
    </aside>
  );
}

function Timings({ s, row, goTo, isolate }: { s: Skeleton; row: number; goTo: (row: number) => void; isolate: () => void }) {
  const parent = s.parent[row];
  const critical = criticalTime(s)[row];
  const missing = s.missingParent.get(row);
  const start = s.startNs + BigInt(Math.round(s.start[row]));
  const id = spanIdAt(s, row);
  const failed = s.status[row] === 2;
  return (
    <dl class="pairs">
      <Pair name="Duration">
        <b>{formatDuration(s.length[row])}</b> <span class="dim">{formatPercent(s.length[row], s.duration)} of the trace</span>
      </Pair>
      <Pair name="Self time">
        {formatDuration(s.self[row])} <span class="dim">{formatPercent(s.self[row], s.length[row])} of the span</span>
      </Pair>
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
        {s.flags[row] & DUPLICATE ? <span class="tag">used twice</span> : null}
      </Pair>
      <Pair name="Parent">
        {parent >= 0 ? (
          <button type="button" class="link" onClick={() => goTo(parent)}>
            {serviceName(s, parent)} {operationName(s, parent)}
          </button>
        ) : missing ? (
          <>
            <code>{missing}</code> <span class="tag">not stored</span>
          </>
        ) : (
          <span class="dim">none, this is a root</span>
        )}
      </Pair>
      {s.subtree[row] > 1 ? (
        <Pair name="Below">
          {plural(s.subtree[row] - 1, "span")}{" "}
          <button type="button" class="link" title="Show only this subtree (o)" onClick={isolate}>
            only these
          </button>
        </Pair>
      ) : null}
    </dl>
  );
}

function Pair({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface StoredProps {
  detail: SpanDetail;
  s: Skeleton;
  filter: string;
  setFilter: (text: string) => void;
  goTo: (row: number) => void;
}

function Stored({ detail, s, filter, setFilter }: StoredProps) {
  const { span, resource, scope } = detail;
  const events = [...(span.events ?? [])].sort((a, b) => (isException(a) === isException(b) ? 0 : isException(a) ? -1 : 1));
  return (
    <>
      {span.status?.message ? (
        <div class="status-message">
          <span aria-hidden="true">▲</span> <Long text={span.status.message} />
        </div>
      ) : null}
      <input class="filter" value={filter} placeholder="Filter attributes" aria-label="Filter attributes" onInput={(e) => setFilter(e.currentTarget.value)} />
      {events.length > 0 ? <Events events={events} s={s} span={span} filter={filter} /> : null}
      <Attributes title="Attributes" scope="span" list={span.attributes ?? []} dropped={span.droppedAttributesCount} filter={filter} />
      {span.links?.length ? <Links links={span.links} filter={filter} /> : null}
      <Attributes title="Resource" scope="resource" list={resource.attributes ?? []} dropped={resource.droppedAttributesCount} filter={filter} />
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
      <details class="raw">
        <summary>JSON</summary>
        <div class="row">
          <CopyButton text={() => JSON.stringify(detail, null, 2)} what="JSON" label="Copy" />
          <CopyButton text={() => curlOf(apiUrl(`${columnsPath(s.traceId)}/spans`, { rows: detail.row }))} what="curl command" label="Copy curl" icon="terminal" />
        </div>
        <pre class="mono" tabIndex={0}>
          {JSON.stringify(detail, null, 2)}
        </pre>
      </details>
    </>
  );
}

const isException = (event: SpanEvent) => event.name === "exception";

function Events({ events, s, span, filter }: { events: SpanEvent[]; s: Skeleton; span: OtlpSpan; filter: string }) {
  return (
    <section>
      <h3>
        Events <span class="count">{events.length}</span>
        <Dropped count={span.droppedEventsCount} />
      </h3>
      {events.map((event, i) => {
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
    </section>
  );
}

function Links({ links, filter }: { links: SpanLink[]; filter: string }) {
  return (
    <section>
      <h3>
        Links <span class="count">{links.length}</span>
      </h3>
      {links.map((link) => (
        <div class="event" key={`${link.traceId}${link.spanId}`}>
          <p class="mono">
            <a href={href("trace", { id: link.traceId.toLowerCase(), span: link.spanId.toLowerCase() })}>
              {link.traceId} {link.spanId}
            </a>
          </p>
          <AttributeList scope="link" list={filterAttributes(link.attributes ?? [], filter)} />
        </div>
      ))}
    </section>
  );
}

function Attributes(props: { title: string; scope: string; list: KeyValue[]; dropped: number | undefined; filter: string }) {
  const { title, scope, list, dropped, filter } = props;
  const shown = filterAttributes(list, filter);
  return (
    <section>
      <h3>
        {title} <span class="count">{shown.length < list.length ? `${shown.length} of ${list.length}` : list.length}</span>
        <Dropped count={dropped} />
      </h3>
      {list.length === 0 ? <p class="dim">none</p> : <AttributeList scope={scope} list={shown} />}
    </section>
  );
}

function Dropped({ count }: { count: number | undefined }) {
  return count ? <span class="tag">{formatCount(count)} dropped by the sender</span> : null;
}

/** Only what the search can ask for gets a search link. */
const SEARCHABLE = ["span", "resource"];

function AttributeList({ scope, list }: { scope: string; list: KeyValue[] }) {
  return (
    <dl class="attributes">
      {list.map((a, i) => {
        const text = valueToText(a.value);
        const type = typeOf(a.value);
        const field = fieldText(scope, a.key);
        const condition = (operator: string) => `{ ${field} ${operator} ${valueText(field, text, type)} }`;
        const searchable = SEARCHABLE.includes(scope) && ["string", "int", "double", "bool"].includes(type) && text.length <= 512;
        return (
          <div key={`${i} ${a.key}`}>
            <dt class="mono">{a.key}</dt>
            <dd class={`mono type-${type}`}>
              {type === "empty" ? <span class="dim">empty</span> : <Long text={text} />}
            <span class="attribute-tools">
              {searchable ? (
                <>
                  <a class="tool" href={href("explore", { q: condition("=") })} title={`Search ${condition("=")}`} aria-label={`Search traces with this ${a.key}`}>
                    =
                  </a>
                  <a class="tool" href={href("explore", { q: condition("!=") })} title={`Search ${condition("!=")}`} aria-label={`Search traces with another ${a.key}`}>
                    ≠
                  </a>
                </>
              ) : null}
              <CopyButton text={type === "string" ? text : `${a.key}=${quote(text)}`} what={`value of ${a.key}`} />
            </span>
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

/** Longer values begin folded. */
const LONG = 600;

function Long({ text }: { text: string }) {
  const [open, setOpen] = useState(false);
  if (text.length <= LONG) return <span class="value">{text}</span>;
  return (
    <span class="value">
      {open ? text : text.slice(0, LONG)}
      <button type="button" class="link" onClick={() => setOpen(!open)}>
        {open ? " less" : ` … ${formatCount(text.length - LONG)} more characters`}
      </button>
    </span>
  );
}
