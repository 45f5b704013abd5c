// SPDX-License-Identifier: Apache-2.0
// All services, with their spans, errors, calls and durations; and what the pages of services show when there is nothing, or when it cannot be read.
import { useEffect } from "preact/hooks";
import { apiUrl, getLatency, getLatencySeries, getServices } from "../api/client";
import type { LatencyAnswer, LatencyRow, LatencySeries, Service } from "../api/types";
import type { Span } from "../model/change";
import { curlOf } from "../model/curl";
import { mainKind, SPARK_STEPS, stepMinutes } from "../model/service";
import { quantileOf } from "../model/service-more";
import { formatCount, formatRate } from "../model/text";
import { formatDuration } from "../model/time";
import { quote } from "../model/traceql";
import { href, param, patched, replace } from "../route";
import { endsOf, secondsOf, spanParams } from "../state/ends";
import { useActions } from "../state/keys";
import { Loader, useRetry } from "../state/load";
import { currentRange } from "../state/range";
import { Away } from "../ui/away";
import { CopyButton, ProblemPanel, ServiceName, useTitle, Waiting } from "../ui/controls";
import { Spark } from "../ui/spark";
import { FindBox, Head, Impact, lineOf, Pages, Share, useAnswer, Ways } from "./service-parts";

export const list = new Loader<{ services: Service[] }>();
/** With both ends of the range, which a rate needs. */
const calls = new Loader<LatencyAnswer & { ends: Span | null }>();
const sparks = new Loader<LatencySeries | null>();
const LIST_PAGE = 200;
/** Services of similar names. */
const LIKE = 5;
const QUANTILES = ["p50", "p95", "p99"];
const ofQuantile = (name: string) => quantileOf(name.slice(1));

/** A service, and the row of the kind of spans that speaks for it. */
interface Listed extends Service {
  row: LatencyRow | undefined;
}

const durationOf = (s: Listed, quantile: string): number | null => {
  const ns = s.row?.quantiles[ofQuantile(quantile)];
  return ns ? Number(ns) : null;
};

const SORTS: Record<string, (s: Listed) => number> = {
  name: () => 0,
  spans: (s) => Number(s.spanCount),
  errors: (s) => (s.row ? Number(s.row.errors) / Number(s.row.calls) : 0),
  calls: (s) => Number(s.row?.calls ?? 0),
  impact: (s) => Number(s.row?.durationNano ?? 0),
};

function listed(services: Service[], rows: LatencyRow[]): Listed[] {
  const byService = new Map<string, LatencyRow[]>();
  for (const r of rows) byService.set(r.service, [...(byService.get(r.service) ?? []), r]);
  return services.map((s) => {
    const own = byService.get(s.name) ?? [];
    const kind = mainKind(own);
    const row = own.find((r) => r.kind === kind);
    // Errors are counted of all kinds, so one of any is shown.
    const failed = [row, ...own].find((r) => r?.errorExemplarTraceId);
    return { ...s, row: row && { ...row, errorExemplarTraceId: failed?.errorExemplarTraceId ?? null, errorExemplarSpanId: failed?.errorExemplarSpanId ?? null } };
  });
}

export function AllServices({ retry }: { retry: () => void }) {
  const range = currentRange();
  useTitle("Services");
  const { value, error, loading } = list.state.value;
  useRetry(error, retry);
  const { value: latency, error: latencyError, run } = useAnswer(calls, JSON.stringify(range), async (stop) => {
    const [answer, ends] = await Promise.all([getLatency({ ...range, by: "service", q: QUANTILES.map(ofQuantile).join(",") }, stop), endsOf(range, stop)]);
    return { ...answer, ends };
  });
  const sort = param("sort") || "name";
  const sign = sort.startsWith("-") ? -1 : 1;
  const column = sort.replace(/^-/, "");
  const quantile = ofQuantile(QUANTILES.includes(column) ? column : "p50");
  // One question for the lines of all services.
  const lines = useAnswer(sparks, JSON.stringify([range, quantile]), async (stop) => {
    const ends = await endsOf(range, stop);
    return ends && getLatencySeries({ ...spanParams(ends), by: "service", q: quantile, step: `${stepMinutes(ends.from, ends.to, SPARK_STEPS)}m` }, stop);
  }).value;
  useActions({
    "all.run": () => {
      retry();
      run();
    },
  });
  if (error && !value) return <Failed title="The services cannot be shown" error={error} retry={retry} />;
  // Both at once: columns do not move when the second answer comes.
  if (!value || !(latency || latencyError)) return <Waiting>{loading || value ? "Reading the services …" : ""}</Waiting>;
  if (value.services.length === 0) return <Nothing title="No service in this range" />;
  const has = param("has").toLowerCase();
  const by = SORTS[column] ?? ((s) => durationOf(s, column) ?? -1);
  const named = listed(value.services, latency?.series ?? []).filter((s) => s.name.toLowerCase().includes(has));
  const sorted = named.sort((a, b) => sign * (by(a) - by(b)) || (sort === "-name" ? -1 : 1) * (a.name < b.name ? -1 : 1));
  const offset = Math.min(Number(param("off")) || 0, Math.max(0, sorted.length - 1));
  const shown = sorted.slice(offset, offset + LIST_PAGE);
  const took = named.map((s) => Number(s.row?.durationNano ?? 0));
  const seconds = secondsOf(latency?.ends);
  return (
    <div class="service-page">
      <Away state={list.state.value} retry={retry} />
      <div class="service-head">
        <h1>Services</h1>
        <span class="dim">{formatCount(value.services.length)}, every stored span counted{latency ? ` · quantiles ± ${(100 * latency.relativeError).toFixed(1)} %` : ""}</span>
        <FindBox value={param("has")} label="Services whose name contains" find={(has) => replace(patched({ has, off: null }))} />
        <span class="spring" />
        <CopyButton text={() => curlOf(apiUrl("v1/services", { ...range }))} what="curl command" icon="terminal" />
      </div>
      <div class="table-box" tabIndex={0} role="region" aria-label="Services">
        <table class="edges">
          <thead>
            <tr>
              <Head id="name" usual="name" text>
                Service
              </Head>
              <Head id="spans" usual="name">
                Spans
              </Head>
              <Head id="calls" usual="name" title="Of the kind beside it">
                Calls
              </Head>
              <th class="right">Rate</th>
              <Head id="errors" usual="name">
                Errors
              </Head>
              <th class="wide-only">Kind</th>
              {QUANTILES.map((p) => (
                <Head key={p} id={p} usual="name">
                  {p}
                </Head>
              ))}
              <Head id="impact" usual="name" title="All calls added up, as a share of those of all services">
                Impact
              </Head>
              <th class="wide-only">Over time</th>
              <th>Traces</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((s) => (
              <tr key={s.name}>
                <td>
                  <a href={href("service", { s: s.name, ...range })}>
                    <ServiceName name={s.name} slot={s.slot} />
                  </a>
                </td>
                <td class="num right">{formatCount(s.spanCount)}</td>
                <td class="num right">{s.row ? formatCount(s.row.calls) : "–"}</td>
                <td class="num right">{s.row ? formatRate(Number(s.row.calls), seconds) : "–"}</td>
                <td class="num right" title={`Of all its spans: ${formatCount(s.errorCount)}`}>
                  {s.row ? <Share errors={Number(s.row.errors)} calls={Number(s.row.calls)} /> : "–"}
                </td>
                <td class="wide-only dim">{s.row?.kind}</td>
                {QUANTILES.map((p) => (
                  <td key={p} class="num right">
                    {formatDuration(durationOf(s, p))}
                  </td>
                ))}
                <Impact took={Number(s.row?.durationNano ?? 0)} of={took} />
                <td class="wide-only">
                  <Spark {...lineOf(lines?.series.find((l) => l.service === s.name && l.kind === s.row?.kind), column, quantile)} />
                </td>
                <td>
                  <Ways row={s.row} q={`{ resource.service.name = ${quote(s.name)} }`} range={range} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {sorted.length === 0 ? <p class="dim pad">No service with “{param("has")}” in its name.</p> : null}
      <Pages offset={offset} shown={shown.length} all={sorted.length} size={LIST_PAGE} what="services" go={(at) => replace(patched({ off: at || null }))} />
    </div>
  );
}

export function Failed({ title, error, retry }: { title: string; error: Parameters<typeof ProblemPanel>[0]["error"]; retry: () => void }) {
  return (
    <section class="empty">
      <h1>{title}</h1>
      <ProblemPanel error={error} retry={retry} />
    </section>
  );
}

const everything = new Loader<{ services: Service[] }>();

/** A service that is not there at all is another matter than one that was silent for an hour. */
export function NoService({ name, operation }: { name: string; operation: string }) {
  useEffect(() => void everything.run((stop) => getServices({}, stop)), []);
  const { value, error } = everything.state.value;
  if (!value && !error) return null;
  const names = value?.services.map((s) => s.name) ?? [name];
  if (names.includes(name)) return <Nothing title={operation ? `No call of ${operation} of ${name} in this range` : `No span of ${name} in this range`} />;
  const typed = name.toLowerCase();
  const like = names.filter((n) => n !== "" && (n.toLowerCase().includes(typed) || typed.includes(n.toLowerCase())));
  return <Nothing title={`No stored span is of a service ${name}`} like={like.slice(0, LIKE)} />;
}

export function Nothing({ title, like }: { title: string; like?: string[] }) {
  const { from, to } = currentRange();
  return (
    <section class="empty">
      <h1>{title}</h1>
      <p>Services and their calls are counted from stored spans.</p>
      <ul class="ways">
        {like?.map((name) => (
          <li key={name}>
            <a href={href("service", { s: name, from, to })}>{name}</a>
          </li>
        ))}
        {(from || to) && !like ? (
          <li>
            <a href={patched({ from: null, to: null })}>Show all time</a>
          </li>
        ) : null}
        {param("op") ? (
          <li>
            <a href={patched({ op: null, kind: null })}>All operations</a>
          </li>
        ) : null}
        {param("s") ? (
          <li>
            <a href={href("service", { from, to })}>All services</a>
          </li>
        ) : null}
      </ul>
    </section>
  );
}
