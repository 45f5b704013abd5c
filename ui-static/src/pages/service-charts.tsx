// SPDX-License-Identifier: Apache-2.0
// A service over time: rate, errors and durations with one cursor; a drag takes a part of the time as the range of the page. A click, or Enter,
// holds a step, from which its traces are one step away. The range that is compared with is drawn dashed, new versions are marked.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { getLatency } from "../api/client";
import type { LatencyRow } from "../api/types";
import { type Step, stepsOf } from "../model/service";
import { arrivals, QUANTILE_CHOICES, quantileOf, versionsOf } from "../model/service-more";
import { formatCount, formatPercent, formatRate, plural } from "../model/text";
import { formatClock, formatDuration, toRfc3339 } from "../model/time";
import { go, href, param, patched, replace } from "../route";
import { hint, useActions } from "../state/keys";
import { Loader } from "../state/load";
import { timeText } from "../state/ends";
import { zone } from "../state/prefs";
import { Chart } from "../ui/chart";
import { Popover } from "../ui/controls";
import { StepCursor } from "../ui/steps";
import { Durations } from "./service-heat";
import { useAnswer, Ways } from "./service-parts";
import { filterOf, type Found, percentiles, spanParams, versions } from "./service-state";

const cursor = new StepCursor();
const held = signal<number | null>(null);

export function Charts({ value }: { value: Found }) {
  const series = value.series;
  const quantiles = percentiles().map(quantileOf);
  const steps = series ? stepsOf(series, value.kind, quantiles) : [];
  const other = value.before ? stepsOf(value.before, value.kind, quantiles) : null;
  // Of another length, too: both begin at the left.
  const before = other ? steps.map((_, i) => other[i]) : null;
  useEffect(() => {
    cursor.clear();
    held.value = null;
  }, [series]);
  useActions({
    "all.escape": () => {
      cursor.anchor.value = held.value = null;
    },
  });
  if (steps.length === 0) return null;
  const count = steps.length;
  const frame = {
    ends: [timeText(steps[0].from), timeText(steps[count - 1].to)] as [string, string],
    stepName: (i: number) => timeText(steps[i].from),
    cursor: cursor.at,
    under: (x: (i: number) => number, height: number) => <Under x={x} height={height} steps={steps} />,
    box: cursor.handlers({
      count,
      zoom: (first, last) => go(patched({ from: toRfc3339(steps[first].from), to: toRfc3339(steps[last].to) })),
      hold: (step) => {
        held.value = held.peek() === step ? null : step;
      },
    }),
  };
  const most = (values: (number | null)[]) => Math.max(0, ...values.map((v) => v ?? 0));
  const old = (name: string, values: (number | null)[] | undefined) => (values ? [{ name: `before: ${name}`, values, look: "line-before", quiet: true }] : []);
  const rates = steps.map((s) => s.rate);
  const shares = steps.map((s) => s.errorShare);
  const said = "Arrows move, Enter holds a step, Shift and arrows select, z zooms. The table view has every number.";
  return (
    <>
      <Chart
        title="Rate"
        description={`Calls a second, at most ${formatRate(most(rates), 1)}. ${said}`}
        lines={[...old("calls", before?.map((s) => s?.rate ?? null)), { name: "calls", values: rates, look: "line-1" }]}
        format={(v) => formatRate(v, 1)}
        {...frame}
      />
      <Chart
        title="Errors"
        description={`Share of calls with an error, at most ${formatPercent(most(shares), 1)}. ${said}`}
        lines={[...old("errors", before?.map((s) => s?.errorShare ?? null)), { name: "▲ errors", values: shares, look: "line-error" }]}
        format={(v) => formatPercent(v, 1)}
        {...frame}
      />
      {param("dur") === "heat" ? (
        <Durations value={value} />
      ) : (
        <Chart
          title="Duration"
          log
          description={`Percentiles of duration: ${percentiles().map((p, i) => `p${p} at most ${formatDuration(most(steps.map((s) => s.quantiles[i])))}`).join(", ")}. ${said}`}
          lines={[
            ...percentiles().flatMap((p, i) => (i === 0 || i === percentiles().length - 1 ? old(`p${p}`, before?.map((s) => s?.quantiles[i] ?? null)) : [])),
            ...percentiles().map((p, i) => ({ name: `p${p}`, values: steps.map((s) => s.quantiles[i]), look: `line-${i}` })),
          ]}
          format={formatDuration}
          {...frame}
        />
      )}
    </>
  );
}

export function DurationTools() {
  const heat = param("dur") === "heat";
  const chosen = percentiles();
  return (
    <>
      {heat ? null : (
        <Popover label={chosen.map((p) => `p${p}`).join(" ")} title="Percentiles that are drawn">
          {() => (
            <fieldset class="checks">
              <legend>Percentiles</legend>
              {QUANTILE_CHOICES.map((p) => (
                <label key={p}>
                  <input
                    type="checkbox"
                    checked={chosen.includes(p)}
                    onChange={(e) => replace(patched({ pct: (e.currentTarget.checked ? [...chosen, p] : chosen.filter((x) => x !== p)).join(",") }))}
                  />
                  p{p}
                </label>
              ))}
            </fieldset>
          )}
        </Popover>
      )}
      <button type="button" class="button toggle" aria-pressed={heat} title={`Durations as a heatmap${hint("service.heat")}`} onClick={() => replace(patched({ dur: heat ? null : "heat" }))}>
        Heatmap
      </button>
    </>
  );
}

function Under({ x, height, steps }: { x: (i: number) => number; height: number; steps: Step[] }) {
  const half = (x(1) - x(0)) / 2;
  const taken = cursor.taken();
  const band = (a: number, b: number, name: string) => (
    <rect class={name} x={x(Math.min(a, b)) - half} width={Math.abs(b - a) * 2 * half + 2 * half} y={0} height={height} />
  );
  const times = versions.state.value.value ? arrivals(versionsOf(versions.state.value.value.series, stepTexts(steps)).versions) : [];
  return (
    <>
      {held.value === null ? null : band(held.value, held.value, "chart-band")}
      {taken && taken[0] < taken[1] ? band(...taken, "chart-band") : null}
      {times.map((v) => (
        <g key={v.name}>
          <title>version {v.name}</title>
          <line class="chart-mark" x1={x(v.first) - half} x2={x(v.first) - half} y1={0} y2={height} />
          <path class="chart-flag" d={`M${x(v.first) - half} 0h7l-7 7z`} />
        </g>
      ))}
    </>
  );
}

/** The begins of steps as answers write them: of the first step the whole one, of which only a part may have been asked for. */
export const stepTexts = (steps: Step[]): string[] => {
  const length = steps.length > 1 ? steps[1].to - steps[1].from : 0n;
  return steps.map((s, i) => String(i === 0 && steps.length > 2 ? steps[1].from - length : s.from));
};

/** Of one step, which is kept with it: while another is asked about, this one's spans are not shown as its own. */
const ofStep = new Loader<{ step: bigint; rows: LatencyRow[] }>();

/** The step that is held: its numbers, and the ways on. */
export function Held({ value }: { value: Found }) {
  const at = held.value;
  const step = at === null || !value.series ? undefined : stepsOf(value.series, value.kind, [])[at];
  return step ? <HeldStep value={value} step={step} /> : null;
}

function HeldStep({ value, step }: { value: Found; step: Step }) {
  const range = { from: toRfc3339(step.from), to: toRfc3339(step.to) };
  const params = { ...value.seriesParams, ...spanParams(step), q: "0.5", step: "" };
  const { value: answer } = useAnswer(ofStep, JSON.stringify(params), async (stop) => ({ step: step.from, rows: (await getLatency(params, stop)).series }));
  return (
    <p class="held row">
      <span role="status">
        <b class="num">
          {timeText(step.from)} – {formatClock(step.to, zone.value, 0)}
        </b>{" "}
        {plural(step.calls, "call")}, {formatCount(step.errors)} with errors
      </span>
      <Ways row={answer?.step === step.from ? answer.rows.find((r) => r.service === value.service) : undefined} />
      {step.calls > 0 ? (
        <a class="button" href={href("explore", { q: filterOf(value), sort: "-duration", ...range })}>
          Slowest traces
        </a>
      ) : null}
      {step.errors > 0 ? (
        <a class="button" href={href("explore", { q: filterOf(value, "status = error"), ...range })}>
          Traces with errors
        </a>
      ) : null}
      <a class="button" href={patched(range)}>
        Zoom
      </a>
      <button
        type="button"
        class="button quiet"
        onClick={() => {
          held.value = null;
        }}
      >
        Close
      </button>
    </p>
  );
}
