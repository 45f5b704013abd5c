// SPDX-License-Identifier: Apache-2.0
// The drawer beside the list: what the trace at the cursor is, and where its time went, without leaving the list.
import { useEffect, useMemo } from "preact/hooks";
import { apiUrl, columnsPath, getColumns } from "../api/client";
import type { ColumnsAnswer } from "../api/types";
import { curlOf } from "../model/curl";
import { findText, type ListRow } from "../model/list";
import { formatCount, formatPercent, plural } from "../model/text";
import { formatDuration, formatFull } from "../model/time";
import { href } from "../route";
import { inBasket } from "../state/basket";
import { hint } from "../state/keys";
import { Loader } from "../state/load";
import { zone } from "../state/prefs";
import { compareWithUsual } from "../state/usual";
import { CopyButton, Drawer, ErrorMark, ProblemPanel, ServiceName } from "../ui/controls";

const loader = new Loader<ColumnsAnswer>();
/** A person who walks down the list with a key held asks for no trace on the way. */
const PAUSE_MS = 120;
const SHOWN = 8;

interface Props {
  row: ListRow;
  compare: () => void;
  close: () => void;
}

export function Preview({ row, compare, close }: Props) {
  const { trace } = row;
  const load = () => void loader.run((stop) => getColumns(trace.traceId, stop));
  useEffect(() => {
    const timer = window.setTimeout(load, PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [trace.traceId]);
  const { value, error } = loader.state.value;
  const columns = value?.traceId === trace.traceId ? value : null;
  const total = Number(trace.durationNano);
  const name = trace.rootServiceName || trace.rootTraceName ? `${trace.rootServiceName} ${trace.rootTraceName}` : "root span not stored";
  return (
    <Drawer
      label="Preview"
      title={
        <>
          <h2>{name}</h2>
          <span class="dim mono">{trace.traceId}</span>
        </>
      }
      close={close}
      what="the preview"
      action="explore.preview"
    >
      <div class="details-body" tabIndex={0} role="region" aria-label="The trace at a glance">
        <p class="row">
          <a class="button primary" href={href("trace", { id: trace.traceId, span: row.span?.spanId })}>
            Open
          </a>
          <button type="button" class="button toggle" aria-pressed={inBasket(trace.traceId)} title={`In the compare basket, or not${hint("explore.basket")}`} onClick={compare}>
            {inBasket(trace.traceId) ? "In the compare basket" : "+ Compare"}
          </button>
          <button type="button" class="button" title="With the newest of the same root that went well and took about the median" onClick={() => void compareWithUsual(trace.traceId, trace.rootServiceName, trace.rootTraceName)}>
            With a usual one
          </button>
          <CopyButton text={trace.traceId} what="trace id" />
          <CopyButton text={() => curlOf(apiUrl(columnsPath(trace.traceId)))} what="curl command" icon="terminal" />
        </p>
        <dl class="pairs">
          <div>
            <dt>Start</dt>
            <dd class="num">{formatFull(BigInt(trace.startTimeUnixNano), zone.value)}</dd>
          </div>
          <div>
            <dt>Duration</dt>
            <dd class="num">{formatDuration(total)}</dd>
          </div>
          <div>
            <dt>Spans</dt>
            <dd class="num">
              {formatCount(trace.spanCount)} {trace.errorCount > 0 ? <ErrorMark count={trace.errorCount} /> : null}
            </dd>
          </div>
        </dl>
        {error ? <ProblemPanel error={error} retry={load} title="The trace cannot be read" /> : <Where columns={columns} total={total} />}
        {trace.matchedSpans.length > 0 ? (
          <section>
            <h3>
              Matched <span class="count">{plural(trace.matchedSpanCount, "span")}</span>
            </h3>
            <ul class="neighbours">
              {trace.matchedSpans.map((s) => (
                <li key={s.spanId}>
                  <a class="link clip" href={href("trace", { id: trace.traceId, span: s.spanId, find: findText(s) })}>
                    {s.status === "error" ? <span class="error-text">▲ </span> : null}
                    {s.serviceName} {s.name}
                  </a>
                  <span class="num dim">{formatDuration(Number(s.durationNano))}</span>
                </li>
              ))}
            </ul>
          </section>
        ) : null}
        <section>
          <h3>
            Services <span class="count">{formatCount(trace.serviceCount ?? trace.services.length)}</span>
          </h3>
          <ul class="neighbours">
            {trace.services.map((s) => (
              <li key={s.name}>
                <span class="link-like">
                  <ServiceName name={s.name} slot={s.slot} />
                </span>
                {s.errorCount > 0 ? <ErrorMark count={s.errorCount} /> : null}
                <span class="num dim">{plural(s.spanCount, "span")}</span>
              </li>
            ))}
          </ul>
        </section>
      </div>
    </Drawer>
  );
}

/** The calls that the critical path stays in longest. */
function Where({ columns, total }: { columns: ColumnsAnswer | null; total: number }) {
  const calls = useMemo(() => (columns ? longestOf(columns) : []), [columns]);
  return (
    <section>
      <h3>On the critical path</h3>
      {!columns ? <p class="dim">Reading the trace …</p> : calls.length === 0 ? <p class="dim">{columns.criticalPathNote ?? "It has none."}</p> : null}
      {calls.map((c) => (
        <a key={c.key} class="where" href={href("trace", { id: columns?.traceId, span: c.spanId, cp: 1 })}>
          <span class="clip">
            <b>{c.service}</b> {c.operation}
          </span>
          <span class="num">
            {formatDuration(c.ns)} <span class="dim">{formatPercent(c.ns, total)}</span>
          </span>
          <span class="bar" aria-hidden="true">
            <span style={{ width: `${Math.min(100, (100 * c.ns) / Math.max(1, total))}%` }} />
          </span>
        </a>
      ))}
    </section>
  );
}

interface Longest {
  key: string;
  service: string;
  operation: string;
  spanId: string;
  ns: number;
  longest: number;
}

function longestOf(a: ColumnsAnswer): Longest[] {
  const calls = new Map<string, Longest>();
  for (const part of a.criticalPath) {
    const service = a.services[a.columns.service[part.row]].name;
    const operation = a.operations[a.columns.operation[part.row]];
    const key = `${service}\0${operation}`;
    const before = calls.get(key);
    const ns = part.end - part.start;
    const spanId = !before || ns > before.longest ? a.spanIds.slice(part.row * 16, part.row * 16 + 16) : before.spanId;
    calls.set(key, { key, service, operation, spanId, ns: ns + (before?.ns ?? 0), longest: Math.max(ns, before?.longest ?? 0) });
  }
  return [...calls.values()].sort((x, y) => y.ns - x.ns).slice(0, SHOWN);
}
