// SPDX-License-Identifier: Apache-2.0
// Above the list: rate, share of errors and durations of all spans that match, or the same as a table.
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { apiUrl } from "../api/client";
import type { HeatmapAnswer } from "../api/types";
import { curlOf } from "../model/curl";
import { formatPercent, formatRate, plural } from "../model/text";
import { timeIn, toRfc3339 } from "../model/time";
import { go, param, patched, replace } from "../route";
import { isPassing } from "../state/load";
import { zone } from "../state/prefs";
import { Chart } from "../ui/chart";
import { CopyButton, ProblemPanel, Room } from "../ui/controls";
import { HOW, StepCursor } from "../ui/steps";
import { Heatmap, QuantileKeys } from "./explore-heat";
import { timeBand, Toggle, TwinToggle } from "./explore-parts";
import { answer, heat, heatQuestion, isAway, isLive, isSaidAbove, isTwin, runHeat, select, selection, selectTime, viewOf } from "./explore-state";

const cursor = new StepCursor();

/** As tall as the heatmap beside them. */
const CHART_PX = 138;

/** Steps: their table, when that part is loaded. */
export function Panels({ Steps }: { Steps: ComponentType<{ value: HeatmapAnswer }> | undefined }) {
  const { value, error, loading } = heat.state.value;
  const large = viewOf() === "heatmap";
  if (error && !(isPassing(error) && (value || isAway()))) {
    // A query that cannot be read is said once, with its caret, above the list.
    if (isSaidAbove(error)) return null;
    return <ProblemPanel error={error} title="Rate, errors and durations cannot be shown" retry={() => runHeat(true)} />;
  }
  // Without spans the room goes when the waiting rows of the list go, whichever answer comes first: what stays on the screen does not move.
  const { value: list, loading: listing } = answer.state.value;
  const nothing = list?.matchedTraces === 0 && list.complete && !listing && !selection();
  const drawable = value !== null && value.bounds.length >= 2;
  if (nothing || (value && !drawable && (list || !listing))) return null;
  const table = isTwin();
  if (!drawable) return <Room look={`panels ${table ? "twin" : large ? "tall heat" : ""}`} count={table || large ? 1 : 3} />;
  return (
    <section class={loading && !isLive() ? "panels busy" : "panels"} aria-label="All matching spans over time">
      {table || large ? null : <Lines value={value} />}
      <Durations value={value} table={table} large={large} />
      {table ? Steps ? <Steps value={value} /> : <div class="table-box steps tall" /> : null}
    </section>
  );
}

function Lines({ value }: { value: HeatmapAnswer }) {
  const seconds = Number(value.stepNano) / 1e9;
  const counts = value.steps.map((s) => Number(s.count));
  const shares = value.steps.map((s) => (Number(s.count) > 0 ? Number(s.errors) / Number(s.count) : null));
  const spans = counts.reduce((a, b) => a + b, 0);
  const errors = value.steps.reduce((sum, s) => sum + Number(s.errors), 0);
  const time = timeIn(BigInt(value.from), BigInt(value.to), zone.value);
  const axis = { from: BigInt(value.from), step: BigInt(value.stepNano), steps: value.steps.length };
  const range = (a: number, b: number): [bigint, bigint] => [BigInt(value.steps[a].timeUnixNano), b === axis.steps - 1 ? BigInt(value.to) : BigInt(value.steps[b + 1].timeUnixNano)];
  useEffect(() => cursor.clear(), [value]);
  const frame = {
    cursor: cursor.at,
    under: (x: (i: number) => number, height: number) => timeBand(x, height, axis, cursor.taken()),
    box: cursor.handlers({
      count: axis.steps,
      select: (a, b) => selectTime(...range(a, b)),
      zoom: (a, b) => go(patched({ from: toRfc3339(range(a, b)[0]), to: toRfc3339(range(a, b)[1]), sel: null })),
    }),
    height: CHART_PX,
    ends: [time(BigInt(value.from)), time(BigInt(value.to))] as [string, string],
    stepName: (i: number) => time(BigInt(value.steps[i].timeUnixNano)),
  };
  const most = Math.max(...counts);
  const worst = Math.max(0, ...shares.map((s) => s ?? 0));
  const whole = Number(BigInt(value.to) - BigInt(value.from)) / 1e9;
  return (
    <>
      <Chart
        title={`Rate ${formatRate(spans, whole)}`}
        description={`Spans a second, at most ${formatRate(most, seconds)}. ${HOW}`}
        lines={[{ name: "spans", values: counts.map((n) => n / seconds), look: "line-1" }]}
        format={(v) => formatRate(v, 1)}
        {...frame}
      />
      <Chart
        title={`Errors ${formatPercent(errors, spans)}`}
        description={`Share of spans with an error, at most ${formatPercent(worst, 1)}. ${HOW}`}
        lines={[{ name: "▲ errors", values: shares, look: "line-error" }]}
        format={(v) => formatPercent(v, 1)}
        {...frame}
      />
    </>
  );
}

function Durations({ value, table, large }: { value: HeatmapAnswer; table: boolean; large: boolean }) {
  const [linear, errors] = [param("y") === "linear", param("heat") === "errors"];
  const toggle = (name: string, on: boolean, patch: Record<string, string | null>, title: string) => (table ? null : <Toggle name={name} on={on} title={title} set={() => replace(patched(patch))} />);
  const spans = value.steps.reduce((sum, s) => sum + Number(s.count), 0);
  return (
    <figure class={table || large ? "chart heat-figure only-head" : "chart heat-figure"}>
      <figcaption>
        <h2>
          Duration <span class="dim count">{plural(spans, "span")}, all counted</span>
        </h2>
        {table ? null : <QuantileKeys />}
        <span class="row tight">
          {toggle("errors", errors, { heat: errors ? null : "errors" }, "Colour by share of errors instead of count")}
          {toggle("linear", linear, { y: linear ? null : "linear" }, "Linear instead of logarithmic durations")}
          <TwinToggle />
          <CopyButton text={() => curlOf(apiUrl("v1/heatmap", heatQuestion()))} what="curl command of the heatmap" icon="terminal" />
        </span>
      </figcaption>
      {table ? null : <Heatmap answer={value} selected={selection()} linear={linear} errors={errors} onSelect={select} height={large ? Math.max(240, Math.min(520, window.innerHeight * 0.48)) : undefined} />}
    </figure>
  );
}
