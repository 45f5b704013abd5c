// SPDX-License-Identifier: Apache-2.0
// The map over time: the whole graph step by step, and one edge as lines.
import { useEffect, useMemo, useState } from "preact/hooks";
import { apiUrl, getGraphSeries } from "../api/client";
import type { GraphSeries } from "../api/types";
import { curlOf } from "../model/curl";
import { type Edge, idOf, LINK } from "../model/graph";
import { formatCount, formatPercent, formatRate, plural } from "../model/text";
import { formatDuration, toRfc3339 } from "../model/time";
import { patched, replace } from "../route";
import { Loader } from "../state/load";
import { timeText } from "../state/ends";
import { currentRange } from "../state/range";
import { CopyButton, ProblemPanel } from "../ui/controls";
import { Spark } from "../ui/spark";
import { loadSeries, series, stepAt, stepsParams } from "./map-state";

const PLAY_MS = 800;

const minuteText = (ns: bigint) => timeText(ns).slice(0, -3);
const go = (answer: GraphSeries, step: number) => replace(patched({ at: answer.steps[step].slice(0, -9) }));

/** The steps of the range, to be walked or played; bars say how many calls each has. */
export function Replay() {
  const range = currentRange();
  const { value, error, loading } = series.state.value;
  const [playing, setPlaying] = useState(false);
  const step = stepAt(value);
  const count = value?.steps.length ?? 0;
  useEffect(() => {
    if (!playing || !value || count === 0) return;
    const timer = window.setTimeout(() => {
      if (step + 1 < count) go(value, step + 1);
      else setPlaying(false);
    }, PLAY_MS);
    return () => window.clearTimeout(timer);
  }, [playing, step, value]);
  const counted = (e: GraphSeries["edges"][0], of: string[], i: number) => (e.connectionType === LINK ? 0 : Number(of[i]));
  const totals = useMemo(() => value?.steps.map((_, i) => value.edges.reduce((sum, e) => sum + counted(e, e.calls, i), 0)) ?? [], [value]);
  const errors = useMemo(() => value?.steps.map((_, i) => value.edges.reduce((sum, e) => sum + counted(e, e.errors, i), 0)) ?? [], [value]);
  if (error) return <ProblemPanel error={error} retry={() => loadSeries(range)} title="The steps of the graph cannot be shown" />;
  if (!value || count === 0) return <p class="replay dim">{loading ? "Reading the graph of each step …" : "There are no steps in this range."}</p>;
  const begin = BigInt(value.steps[step]);
  const end = begin + BigInt(value.stepNano);
  const text = `${minuteText(begin)} – ${minuteText(end).slice(6)}: ${plural(totals[step], "call")}${errors[step] > 0 ? `, ▲ ${formatPercent(errors[step], totals[step])} failed` : ""}`;
  const most = Math.max(1, ...totals);
  const begun = () => {
    if (!playing && step + 1 >= count) go(value, 0);
    setPlaying(!playing);
  };
  return (
    <div class="replay" role="group" aria-label="Replay">
      <span class="button-group">
        <button type="button" class="button square" aria-label="Step back" disabled={step === 0} onClick={() => go(value, step - 1)}>
          ‹
        </button>
        <button type="button" class="button" aria-pressed={playing} onClick={begun}>
          {playing ? "Stop" : "Play"}
        </button>
        <button type="button" class="button square" aria-label="Step on" disabled={step + 1 >= count} onClick={() => go(value, step + 1)}>
          ›
        </button>
      </span>
      <span class="replay-steps">
        <svg viewBox={`0 0 ${count} 20`} preserveAspectRatio="none" aria-hidden="true">
          {totals.map((n, i) => (
            <rect key={value.steps[i]} class={i === step ? "replay-bar here" : "replay-bar"} x={i + 0.08} width={0.84} y={20 - (18 * n) / most} height={(18 * n) / most} />
          ))}
        </svg>
        <input type="range" min={0} max={count - 1} step={1} value={step} aria-label="Step of the range" aria-valuetext={text} onInput={(e) => go(value, Number(e.currentTarget.value))} />
      </span>
      <span class="num" role="status">
        {text}
      </span>
      <a class="button quiet" href={patched({ at: null, from: toRfc3339(begin), to: toRfc3339(end) })}>
        Only this step
      </a>
      <CopyButton text={async () => curlOf(apiUrl("v1/graph", { format: "json", ...(await stepsParams(range, new AbortController().signal)) }))} what="curl command of the steps" icon="terminal" />
      <button type="button" class="button quiet" onClick={() => replace(patched({ at: null }))}>
        Whole range
      </button>
    </div>
  );
}

const loader = new Loader<{ id: string; answer: GraphSeries | null }>();
const EDGE_STEPS = 40;

/** Rate, errors and p95 of one edge over the range; as lines, with all of their numbers below. */
export function EdgeOverTime({ edge }: { edge: Edge }) {
  const range = currentRange();
  useEffect(() => {
    void loader.run(async (stop) => {
      const params = await stepsParams(range, stop, EDGE_STEPS);
      return { id: edge.id, answer: params ? await getGraphSeries({ ...params, service: edge.client, hops: 1 }, stop) : null };
    });
    return () => loader.stop();
  }, [edge.id, range.from, range.to]);
  const { value, error } = loader.state.value;
  if (error) return <p class="dim">Its numbers over time cannot be shown: {error.problem.detail ?? error.problem.title}</p>;
  const answer = value?.id === edge.id ? value.answer : null;
  const row = answer?.edges.find((e) => idOf(e) === edge.id);
  // The panel does not jump when the numbers come.
  if (!answer || !row) return <section class="edge-lines" aria-busy="true" />;
  const seconds = Number(answer.stepNano) / 1e9;
  const calls = row.calls.map(Number);
  const shares = row.errors.map((n, i) => (calls[i] > 0 ? Number(n) / calls[i] : null));
  const seen = row.clientLatency.p95.some((v) => v !== null) ? row.clientLatency : row.serverLatency;
  const p95 = seen.p95.map((v) => (v === null ? null : Number(v)));
  const top = (values: (number | null)[]) => Math.max(0, ...values.map((v) => v ?? 0));
  const line = (name: string, values: (number | null)[], look: string, most: string) => (
    <div>
      <dt>{name}</dt>
      <dd>
        <Spark values={values} look={look} />
      </dd>
      <dd class="dim num">at most {most}</dd>
    </div>
  );
  return (
    <section class="edge-lines">
      <h3>Over time</h3>
      <dl>
        {line("Rate", calls, "line-1", formatRate(top(calls), seconds))}
        {line("▲ Errors", shares, "line-error", formatPercent(top(shares), 1))}
        {line("p95", p95, "line-3", formatDuration(top(p95) || null))}
      </dl>
      <details>
        <summary>As a table, {plural(answer.steps.length, "step")} of {formatDuration(Number(answer.stepNano))}</summary>
        <table class="edges" aria-label="Steps of the edge">
          <thead>
            <tr>
              <th>From</th>
              <th class="right">Calls</th>
              <th class="right">Errors</th>
              <th class="right">p95</th>
            </tr>
          </thead>
          <tbody>
            {answer.steps.map((t, i) => (
              <tr key={t}>
                <td class="num">
                  <a href={patched({ from: toRfc3339(BigInt(t)), to: toRfc3339(BigInt(t) + BigInt(answer.stepNano)), at: null })}>{minuteText(BigInt(t))}</a>
                </td>
                <td class="num right">{formatCount(calls[i])}</td>
                <td class="num right">{row.errors[i] === "0" ? <span class="dim">0</span> : `▲ ${formatPercent(Number(row.errors[i]), calls[i])}`}</td>
                <td class="num right">{formatDuration(p95[i])}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </section>
  );
}
