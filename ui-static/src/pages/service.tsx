// SPDX-License-Identifier: Apache-2.0
// Services: all of them; or one, with rate, errors and durations over time, its operations, its callers and callees.
import { useEffect } from "preact/hooks";
import { apiUrl, getFocus, getLatency, getLatencySeries, getServices, getStatus, type Params, type Range } from "../api/client";
import type { GraphAnswer, LatencyAnswer, LatencySeries, Service } from "../api/types";
import { curlOf } from "../model/curl";
import { mainKind, neighboursOf, stepMinutes, stepsOf } from "../model/service";
import { formatCount, formatPercent } from "../model/text";
import { parseTime } from "../model/time";
import { quote } from "../model/traceql";
import { go, href, param, patched, replace } from "../route";
import { useCommands } from "../state/keys";
import { Loader } from "../state/load";
import { currentRange, nowNs } from "../state/range";
import { CopyButton, ProblemPanel, ServiceName } from "../ui/controls";
import { Neighbours, OperationTable, Share } from "./service-tables";
import { Charts, StepTable } from "./service-series";

export const QUANTILES = ["0.5", "0.9", "0.95", "0.99"];

interface Found {
  operations: LatencyAnswer;
  /** Null when no span is in the range. */
  series: LatencySeries | null;
  kind: string;
  seriesParams: Params;
}

const list = new Loader<{ services: Service[] }>();
const found = new Loader<Found>();
const around = new Loader<GraphAnswer>();

export function ServicePage() {
  const name = param("s");
  const range = currentRange();
  const load = () => void list.run((stop) => getServices(range, stop));
  useEffect(load, [range.from, range.to]);
  return name ? <OneService name={name} /> : <AllServices retry={load} />;
}

function AllServices({ retry }: { retry: () => void }) {
  const range = currentRange();
  useEffect(() => {
    document.title = "Services · Spoor";
  }, []);
  const { value, error, loading } = list.state.value;
  if (error) return <Failed title="The services cannot be shown" error={error} retry={retry} />;
  if (!value) return <div class="trace-loading" role="status">{loading ? "Reading the services …" : ""}</div>;
  if (value.services.length === 0) return <Nothing title="No service in this range" />;
  const most = Math.max(...value.services.map((s) => Number(s.spanCount)));
  return (
    <div class="service-page">
      <div class="service-head">
        <h1>Services</h1>
        <span class="dim">{formatCount(value.services.length)}, every stored span counted</span>
        <span class="spring" />
        <CopyButton text={() => curlOf(apiUrl("v1/services", { ...range }))} what="curl command" icon="terminal" />
      </div>
      <div class="table-box" tabIndex={0} role="region" aria-label="Services">
        <table class="edges">
          <thead>
            <tr>
              <th>Service</th>
              <th class="right">Spans</th>
              <th class="wide-only">Share</th>
              <th class="right">Errors</th>
            </tr>
          </thead>
          <tbody>
            {value.services.map((s) => (
              <tr key={s.name}>
                <td>
                  <a href={href("service", { s: s.name, ...range })}>
                    <ServiceName name={s.name} slot={s.slot} />
                  </a>
                </td>
                <td class="num right">{formatCount(s.spanCount)}</td>
                <td class="wide-only share">
                  <span class="bar">
                    <span style={{ width: `${(100 * Number(s.spanCount)) / most}%` }} />
                  </span>
                </td>
                <td class="num right">
                  <Share errors={Number(s.errorCount)} calls={Number(s.spanCount)} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

/** Both ends in nanoseconds: a series needs a beginning, and an open range begins with what is stored. */
async function endsOf(range: Range, stop: AbortSignal): Promise<[bigint, bigint] | null> {
  const now = nowNs();
  const stored = range.from ? null : await getStatus(stop);
  if (stored && stored.oldestUnixNano === null) return null;
  const from = range.from ? parseTime(range.from, now) : BigInt(stored?.oldestUnixNano ?? 0);
  const newest = stored?.newestUnixNano ? BigInt(stored.newestUnixNano) + 1n : now;
  const to = range.to ? parseTime(range.to, now) : newest;
  return from === null || to === null || to <= from ? null : [from, to];
}

async function find(name: string, operation: string, wanted: string, range: Range, stop: AbortSignal): Promise<Found> {
  const [operations, ends] = await Promise.all([
    getLatency({ ...range, service: name, q: QUANTILES.join(",") }, stop),
    endsOf(range, stop),
  ]);
  const own = operations.series.filter((r) => !operation || r.operation === operation);
  const kind = own.some((r) => r.kind === wanted) ? wanted : mainKind(own);
  if (!kind || !ends) return { operations, series: null, kind, seriesParams: {} };
  const step = `${stepMinutes(...ends)}m`;
  const seriesParams = {
    from: String(ends[0]), to: String(ends[1]), service: name, operation, kind, q: QUANTILES.join(","), step,
    by: operation ? "operation" : "service",
  };
  return { operations, series: await getLatencySeries(seriesParams, stop), kind, seriesParams };
}

function OneService({ name }: { name: string }) {
  const range = currentRange();
  const [operation, wanted] = [param("op"), param("kind")];
  const load = () => void found.run((stop) => find(name, operation, wanted, range, stop));
  useEffect(() => {
    document.title = `${name} · Spoor`;
    load();
  }, [name, operation, wanted, range.from, range.to]);
  const loadAround = () => void around.run((stop) => getFocus(range, name, stop));
  useEffect(loadAround, [name, range.from, range.to]);
  const table = param("view") === "table";
  useCommands([{ keys: ["v"], text: "Charts or table", group: "Service", run: () => replace(patched({ view: param("view") === "table" ? null : "table" })) }]);
  const { value, error, loading } = found.state.value;
  if (error) return <Failed title={`${name} cannot be shown`} error={error} retry={load} />;
  if (!value) return <div class="trace-loading" role="status">{loading ? "Reading the service …" : ""}</div>;
  if (!value.series) return <Nothing title={operation ? `No call of ${operation} of ${name} in this range` : `No span of ${name} in this range`} />;
  const steps = stepsOf(value.series, value.kind, QUANTILES);
  const graph = around.state.value;
  const kinds = [...new Set(value.operations.series.filter((r) => !operation || r.operation === operation).map((r) => r.kind))].sort();
  const slot = list.state.value.value?.services.find((s) => s.name === name)?.slot ?? 0;
  const calls = steps.reduce((sum, s) => sum + s.calls, 0);
  const errors = steps.reduce((sum, s) => sum + s.errors, 0);
  const where = [`resource.service.name = ${quote(name)}`, `kind = ${value.kind}`, ...(operation ? [`name = ${quote(operation)}`] : [])];
  return (
    <div class={loading ? "service-page busy" : "service-page"}>
      <div class="service-head">
        <h1>
          <ServiceName name={name} slot={slot} />
        </h1>
        {operation ? (
          <span class="chip" aria-current="true">
            <span class="clip">{operation}</span>
            <a class="chip-close" href={patched({ op: null })} aria-label="All operations">
              ×
            </a>
          </span>
        ) : null}
        <label class="field">
          kind
          <select value={value.kind} onChange={(e) => go(patched({ kind: e.currentTarget.value }))}>
            {kinds.map((k) => (
              <option key={k} value={k}>
                {k}
              </option>
            ))}
          </select>
        </label>
        <span class="button-group" role="group" aria-label="View">
          <button type="button" class="button toggle" aria-pressed={!table} onClick={() => replace(patched({ view: null }))}>
            Charts
          </button>
          <button type="button" class="button toggle" aria-pressed={table} onClick={() => replace(patched({ view: "table" }))}>
            Table
          </button>
        </span>
        <span class="spring" />
        <a class="button" href={href("explore", { q: `{ ${where.join(" && ")} }`, ...range })}>
          Traces
        </a>
        <a class="button" href={href("map", { focus: name, ...range })}>
          On the map
        </a>
        <CopyButton text={() => curlOf(apiUrl("v1/latency", value.seriesParams))} what="curl command" icon="terminal" />
      </div>
      <div class="summary" role="status">
        <span>
          <b>{formatCount(calls)}</b> {value.kind} calls, <b>{formatCount(errors)}</b> with errors ({formatPercent(errors, calls)})
        </span>
        <span class="dim">
          every stored span counted · quantiles ± {(100 * value.series.relativeError).toFixed(1)} % · steps of {Number(value.series.stepNano) / 60e9} min
        </span>
      </div>
      {table ? <StepTable steps={steps} where={where} /> : <Charts steps={steps} />}
      <OperationTable rows={value.operations.series} chosen={operation} />
      {graph.error ? (
        <ProblemPanel error={graph.error} retry={loadAround} title="Callers and callees cannot be shown" />
      ) : graph.value ? (
        <Neighbours {...neighboursOf(graph.value.edges, name)} graph={graph.value} />
      ) : null}
    </div>
  );
}

function Failed({ title, error, retry }: { title: string; error: Parameters<typeof ProblemPanel>[0]["error"]; retry: () => void }) {
  return (
    <section class="empty">
      <h1>{title}</h1>
      <ProblemPanel error={error} retry={retry} />
    </section>
  );
}

function Nothing({ title }: { title: string }) {
  const { from, to } = currentRange();
  return (
    <section class="empty">
      <h1>{title}</h1>
      <p>Services and their calls are counted from stored spans.</p>
      <ul class="ways">
        {from || to ? (
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
