// SPDX-License-Identifier: Apache-2.0
// Services: all of them; or one: rate, errors and durations over time, its distribution, and in parts its operations, callers and callees, errors,
// instances and attributes; beside another range of time if somebody wants so.
import { useEffect } from "preact/hooks";
import { apiUrl, getServices } from "../api/client";
import type { LatencySeries } from "../api/types";
import { curlOf } from "../model/curl";
import { stepsOf } from "../model/service";
import { BEFORE, changeText } from "../model/change";
import { quantileOf } from "../model/service-more";
import { formatCount, formatPercent } from "../model/text";
import { formatDuration, formatFull, toRfc3339 } from "../model/time";
import { go, href, param, patched, replace } from "../route";
import { timeText } from "../state/ends";
import { useActions } from "../state/keys";
import { useRetry } from "../state/load";
import { zone } from "../state/prefs";
import { currentRange } from "../state/range";
import { Away } from "../ui/away";
import { CopyButton, Room, Select, ServiceName, Tabs, useTitle, Waiting } from "../ui/controls";
import { Neighbours } from "./service-around";
import { Attributes } from "./service-attributes";
import { Charts, DurationTools, Held } from "./service-charts";
import { Distribution } from "./service-distribution";
import { Errors } from "./service-errors";
import { Instances, Versions } from "./service-instances";
import { Operations } from "./service-operations";
import { AllServices, Failed, list, NoService } from "./service-list";
import { Ways } from "./service-parts";
import { StepTable } from "./service-series";
import { find, filterOf, type Found, found, isTable, loadVersions, percentiles, versionsParams } from "./service-state";

export function ServicePage() {
  const name = param("s");
  const range = currentRange();
  const load = () => void list.run((stop) => getServices(range, stop));
  useEffect(load, [range.from, range.to]);
  return name ? <OneService name={name} /> : <AllServices retry={load} />;
}

const TABS = [
  ["ops", "Operations"],
  ["deps", "Callers and callees"],
  ["errors", "Errors"],
  ["instances", "Instances"],
  ["attributes", "Attributes"],
] as const;

const chosenTab = (): string => (TABS.some(([id]) => id === param("tab")) ? param("tab") : "ops");

function stepTab(by: number): void {
  const next = (TABS.findIndex(([id]) => id === chosenTab()) + by + TABS.length) % TABS.length;
  go(patched({ tab: next === 0 ? null : TABS[next][0] }));
}

function OneService({ name }: { name: string }) {
  const range = currentRange();
  const asked = { service: name, operation: param("op"), kind: param("kind"), vs: param("vs"), pct: param("pct") };
  const load = () => void found.run((stop) => find(asked, range, stop));
  useEffect(load, [JSON.stringify(asked), range.from, range.to]);
  useTitle(asked.operation ? `${asked.operation} · ${name}` : name);
  const { value: last, error, loading } = found.state.value;
  const value = last?.service === name ? last : null;
  useRetry(error, load);
  useEffect(() => {
    if (value?.series) loadVersions(value);
  }, [value?.series ? JSON.stringify(versionsParams(value)) : ""]);
  useActions({
    "service.view": () => replace(patched({ view: isTable() ? null : "table" })),
    "service.heat": () => replace(patched({ dur: param("dur") ? null : "heat" })),
    "service.before": () => replace(patched({ vs: param("vs") ? null : "prev" })),
    "service.nextTab": () => stepTab(1),
    "service.previousTab": () => stepTab(-1),
    "all.run": load,
  });
  if (error && !value) return <Failed title={`${name} cannot be shown`} error={error} retry={load} />;
  if (!value) return (
      <Waiting>
        {loading ? "Reading the service …" : ""}
        {isTable() ? null : <Room look="charts boxed" count={4} />}
      </Waiting>
    );
  if (!value.series) return <NoService name={name} operation={asked.operation} />;
  return (
    <div class={loading ? "service-page busy" : "service-page"}>
      <Away state={found.state.value} retry={load} />
      <ServiceHead name={name} operation={asked.operation} value={value} />
      <Summary value={value} />
      <Pictures value={value} />
      <div class="row tabs-row">
        <Tabs label="Parts of the service" tabs={TABS} chosen={chosenTab()} choose={(id) => go(patched({ tab: id === "ops" ? null : id }))} panel="service-tab" />
        <span class="spring" />
        {isTable() ? null : <DurationTools />}
      </div>
      <div id="service-tab" key={name} role="tabpanel" aria-labelledby={`tab-${chosenTab()}`}>
        <Tab value={value} />
      </div>
    </div>
  );
}

function Tab({ value }: { value: Found }) {
  switch (chosenTab()) {
    case "deps": return <Neighbours value={value} />;
    case "errors": return <Errors value={value} />;
    case "instances": return <Instances value={value} />;
    case "attributes": return <Attributes value={value} />;
    default: return <Operations value={value} />;
  }
}

const rowOf = (value: Found) => value.rows.find((r) => r.kind === value.kind);

function Pictures({ value }: { value: Found }) {
  const row = rowOf(value);
  const distribution = row ? <Distribution value={value} row={row} /> : null;
  if (isTable() && value.series) {
    const steps = (series: LatencySeries | null) => series && stepsOf(series, value.kind, percentiles().map(quantileOf));
    return (
      <>
        <StepTable steps={steps(value.series) ?? []} before={steps(value.before)} value={value} />
        {distribution}
      </>
    );
  }
  return (
    <>
      <div class="charts">
        <Charts value={value} />
        {distribution}
      </div>
      <Held value={value} />
    </>
  );
}

function ServiceHead({ name, operation, value }: { name: string; operation: string; value: Found }) {
  const slot = list.state.value.value?.services.find((s) => s.name === name)?.slot ?? 0;
  const vs = param("vs");
  const choices = [...BEFORE];
  if (vs && !BEFORE.some(([id]) => id === vs)) choices.push([vs, value.compared && vs.includes("..") ? `${timeText(value.compared.from)} – ${timeText(value.compared.to)}` : vs]);
  const here = value.range ? `${toRfc3339(value.range.from)}..${toRfc3339(value.range.to)}` : "";
  // What is shown is kept as the other side, and somebody chooses a new range beside it.
  if (here && here !== vs) choices.push([here, "this range, then choose another"]);
  return (
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
      <Select label="kind" value={value.kind} options={value.kinds.map((k) => [k, k])} choose={(kind) => go(patched({ kind }))} />
      <Select label="compare with" value={vs} options={choices} choose={(v) => go(patched({ vs: v }))} />
      <Versions value={value} />
      <span class="spring" />
      <span class="button-group" role="group" aria-label="View">
        <button type="button" class="button toggle" aria-pressed={!isTable()} onClick={() => replace(patched({ view: null }))}>
          Charts
        </button>
        <button type="button" class="button toggle" aria-pressed={isTable()} onClick={() => replace(patched({ view: "table" }))}>
          Table
        </button>
      </span>
      <a class="button" href={href("explore", { q: filterOf(value), ...currentRange() })}>
        Traces
      </a>
      {value.compared && value.range ? (
        <a class="button" href={href("compare", { a: sideOf(value, value.compared), b: sideOf(value, value.range) })} title="Traces of both ranges, as one tree">
          Compare traces
        </a>
      ) : null}
      <CopyButton text={() => curlOf(apiUrl("v1/latency", value.seriesParams))} what="curl command" icon="terminal" />
    </div>
  );
}

/** One side of the Compare page. */
const sideOf = (value: Found, range: { from: bigint; to: bigint }) => `q:${filterOf(value)}@${toRfc3339(range.from)}..${toRfc3339(range.to)}`;

function Summary({ value }: { value: Found }) {
  const row = rowOf(value);
  if (!row) return null;
  const [calls, errors] = [Number(row.calls), Number(row.errors)];
  const { before } = row;
  const p = percentiles().at(-1) ?? "99";
  const [now, old] = [Number(row.quantiles[quantileOf(p)]), Number(before?.quantiles[quantileOf(p)] ?? 0)];
  return (
    <div class="summary">
      <span>
        <span role="status">
          <b>{formatCount(calls)}</b> {value.kind} {calls === 1 ? "call" : "calls"}, <b>{formatCount(errors)}</b> with errors ({formatPercent(errors, calls)})
        </span>{" "}
        <Ways row={row} />
      </span>
      {value.compared ? (
        <span title={`${formatFull(value.compared.from, zone.value)} – ${formatFull(value.compared.to, zone.value)}`}>
          <span class="chart-key line-before" aria-hidden="true" /> {timeText(value.compared.from)} – {timeText(value.compared.to)}:{" "}
          {before ? `${formatCount(before.calls)} calls, ${formatPercent(Number(before.errors), Number(before.calls))} with errors; p${p} ${formatDuration(old)}, now ${formatDuration(now)}${changeText(now, old) ? ` (${changeText(now, old)})` : ""}` : "no calls"}
        </span>
      ) : param("vs") ? (
        <span class="error">“{param("vs")}” is no range to compare with: prev, -1d, or from..to</span>
      ) : null}
      {param("kind") && !value.kinds.includes(param("kind")) ? <span class="error">“{param("kind")}” is no kind of its spans: these are of {value.kind}</span> : null}
      <span class="dim">
        every stored span counted · quantiles ± {(100 * value.relativeError).toFixed(1)} %, from sums by minute · steps of {Number(value.stepNs) / 60e9} min
      </span>
    </div>
  );
}
