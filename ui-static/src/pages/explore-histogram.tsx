// SPDX-License-Identifier: Apache-2.0
// How long the spans that match took, all of the range together: exact counts by duration. A drag takes durations, as a box on the heatmap does.
import { useMemo, useRef, useState } from "preact/hooks";
import { apiUrl, getHeatmap, type Params } from "../api/client";
import type { HeatmapAnswer } from "../api/types";
import { curlOf } from "../model/curl";
import { durationTicks, heightOf } from "../model/heat";
import { type Bar, barsOfHeat, countTicks, heightOfCount, sumOf } from "../model/histogram";
import { formatCount, formatPercent, plural, upToText } from "../model/text";
import { formatDuration } from "../model/time";
import { param, patched, replace } from "../route";
import { Loader } from "../state/load";
import { currentRange } from "../state/range";
import { useWidth, walked } from "../ui/chart";
import { CopyButton, ProblemPanel } from "../ui/controls";
import { useAsked } from "./explore-asking";
import { LargeRoom, Toggle, TwinToggle } from "./explore-parts";
import { isSaidAbove, isTwin, select, selection } from "./explore-state";

const loader = new Loader<HeatmapAnswer>();

const [LEFT, RIGHT, TOP, BOTTOM] = [64, 12, 16, 22];
const NARROW = 720;
/** Half a factor of two and less: narrower than a quantile's error is wide, and still one bar beside the next. */
const ROWS = 96;

const question = (): Params => ({ q: param("q"), ...currentRange(), steps: 1, rows: window.innerWidth < NARROW ? ROWS / 2 : ROWS });

export function Histogram() {
  const params = question();
  const { value, error, busy, run } = useAsked(loader, params, (stop) => getHeatmap(params, stop));
  if (error) {
    if (isSaidAbove(error)) return null;
    return <ProblemPanel error={error} title="The histogram cannot be shown" retry={run} />;
  }
  if (!value) return <LargeRoom />;
  if (value.bounds.length < 2) return null;
  return (
    <section class={busy ? "panels busy" : "panels"} aria-label="Durations of all matching spans">
      <Distribution value={value} params={params} />
    </section>
  );
}

function Distribution({ value, params }: { value: HeatmapAnswer; params: Params }) {
  const bars = useMemo(() => barsOfHeat(value), [value]);
  const all = sumOf(bars, 0, bars.length);
  const log = param("counts") === "log";
  return (
    <figure class="chart heat-figure only-head">
      <figcaption>
        <h2>
          Durations <span class="dim count">{plural(all.count, "span")}, all counted</span>
        </h2>
        <span class="chart-legend num" aria-hidden="true">
          <span>
            <span class="hist-key" /> spans
          </span>
          <span>
            <span class="hist-key failed" /> ▲ with errors
          </span>
        </span>
        <span class="row tight">
          {isTwin() ? null : <Toggle name="log" on={log} title="Logarithmic counts: single spans beside a million" set={() => replace(patched({ counts: log ? null : "log" }))} />}
          <TwinToggle />
          <CopyButton text={() => curlOf(apiUrl("v1/heatmap", params))} what="curl command of the histogram" icon="terminal" />
        </span>
      </figcaption>
      {isTwin() ? <Table value={value} bars={bars} all={all.count} /> : <Picture value={value} bars={bars} all={all.count} log={log} />}
    </figure>
  );
}

interface PictureProps {
  value: HeatmapAnswer;
  bars: Bar[];
  all: number;
  log: boolean;
}

function Picture({ value, bars, all, log }: PictureProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [at, setAt] = useState<number | null>(null);
  const [anchor, setAnchor] = useState<number | null>(null);
  const [spoken, setSpoken] = useState(false);
  const height = width < NARROW - 100 ? 200 : 300;
  const inner = { width: width - LEFT - RIGHT, height: height - TOP - BOTTOM };
  const bounds = value.bounds.map(Number);
  const most = Math.max(1, ...bars.map((b) => b.count));
  const x = (ns: number) => LEFT + inner.width * heightOf(bounds, ns, false);
  const y = (n: number) => TOP + inner.height * (1 - heightOfCount(n, most, log));
  const barAt = (event: PointerEvent) => {
    const px = event.clientX - (box.current?.getBoundingClientRect().left ?? 0);
    const i = bars.findIndex((b) => px < x(b.high));
    return i < 0 ? bars.length - 1 : i;
  };
  const take = (a: number, b: number) => {
    setAnchor(null);
    const [first, last] = [Math.min(a, b), Math.max(a, b)];
    select({ t0: BigInt(value.from), t1: BigInt(value.to), d0: BigInt(bars[first].low), d1: BigInt(bars[last].high) });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -bars.length, End: bars.length }[event.key];
    if (by !== undefined) {
      const next = at === null && Math.abs(by) < bars.length ? bars.findIndex((b) => b.count === most) : Math.max(0, Math.min(bars.length - 1, (at ?? 0) + by));
      setAnchor(event.shiftKey ? (anchor ?? at ?? next) : null);
      setAt(next);
      setSpoken(true);
    } else if (event.key === "Enter" && at !== null) take(anchor ?? at, at);
    else if (event.key === "Escape" && (at !== null || anchor !== null)) {
      setAt(null);
      setAnchor(null);
    } else return;
    event.preventDefault();
  };
  const here = at !== null && at < bars.length ? at : null;
  const [first, last] = here === null ? [0, -1] : [Math.min(here, anchor ?? here), Math.max(here, anchor ?? here)];
  const told = here === null ? "" : tell(bars, first, last, all);
  const chosen = selection();
  const band = (from: number, to: number) => <rect class="hist-band" x={from} width={Math.max(2, to - from)} y={TOP} height={inner.height} />;
  // The higher percentile is the more telling one where names would lie on each other.
  const quantiles = ["0.99", "0.95", "0.5"].map((q) => ({ name: `p${Number(q) * 100}`, ns: Number(value.steps[0]?.quantiles[q] ?? 0) }));
  let free = Number.POSITIVE_INFINITY;
  let tick = Number.NEGATIVE_INFINITY;
  return (
    <>
      <p class="heat-told num" aria-hidden="true">
        {told || <span class="dim">drag: select durations · arrows: move</span>}
      </p>
      <div
        ref={box}
        class="hist-box"
        {...walked("Spans by duration", `Histogram, ${plural(bars.length, "bar")}. Arrows move, Shift and arrows extend, Enter selects. The table has every number.`, bars.length, here, told)}
        onKeyDown={onKeyDown}
        onBlur={() => (setAt(null), setAnchor(null), setSpoken(false))}
        onPointerMove={(event) => setAt(barAt(event))}
        onPointerLeave={() => anchor === null && setAt(null)}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          box.current?.setPointerCapture(event.pointerId);
          setSpoken(false);
          setAnchor(barAt(event));
          setAt(barAt(event));
        }}
        onPointerUp={(event) => anchor !== null && take(anchor, barAt(event))}
        onPointerCancel={() => setAnchor(null)}
      >
        <svg width={width} height={height} aria-hidden="true">
          {countTicks(most, log).map((n) => (
            <g key={n}>
              <line class="chart-grid" x1={LEFT} x2={width - RIGHT} y1={y(n)} y2={y(n)} />
              <text class="chart-label" x={LEFT - 8} y={y(n) + 4} text-anchor="end">
                {formatCount(n)}
              </text>
            </g>
          ))}
          {durationTicks(bounds, false).map((t) => {
            const px = x(t);
            if (px < tick + 56 || px > width - RIGHT - 12) return null;
            tick = px;
            return (
              <text key={t} class="chart-label" x={px} y={height - 6} text-anchor="middle">
                {formatDuration(t).replace(/\.0+ /, " ")}
              </text>
            );
          })}
          {chosen ? band(x(Number(chosen.d0)), x(Number(chosen.d1))) : null}
          {here !== null && (anchor !== null || spoken) ? band(x(bars[first].low), x(bars[last].high)) : null}
          {bars.map((b, i) => {
            if (b.count === 0) return null;
            const left = x(b.low);
            const size = Math.max(1, x(b.high) - left - 1);
            // One span among a million is still a line.
            const top = Math.min(y(b.count), TOP + inner.height - 1.5);
            const red = b.errors > 0 ? Math.max(1.5, ((TOP + inner.height - top) * b.errors) / b.count) : 0;
            return (
              <g key={b.low} class={i === here ? "hist-bar here" : "hist-bar"}>
                <rect x={left} width={size} y={top} height={TOP + inner.height - top} />
                {red > 0 ? <rect class="failed" x={left} width={size} y={TOP + inner.height - red} height={red} /> : null}
              </g>
            );
          })}
          {quantiles.map((q) => {
            const px = x(q.ns);
            const named = px + 34 < free;
            if (named) free = px - 4;
            return (
              <g key={q.name}>
                <line class="chart-mark" x1={px} x2={px} y1={named ? 12 : TOP} y2={TOP + inner.height} />
                {named ? (
                  <text class="chart-label" x={px} y={10} text-anchor="middle">
                    {q.name}
                  </text>
                ) : null}
              </g>
            );
          })}
        </svg>
      </div>
    </>
  );
}

function tell(bars: Bar[], first: number, last: number, all: number): string {
  const { count, errors } = sumOf(bars, first, last);
  const failed = errors > 0 ? `, ▲ ${plural(errors, "error")} (${formatPercent(errors, count)})` : "";
  return `${formatDuration(bars[first].low)} – ${formatDuration(bars[last].high)} · ${plural(count, "span")}, ${formatPercent(count, all)}${failed} · ${upToText(sumOf(bars, 0, last).count, all)} took less than ${formatDuration(bars[last].high)}`;
}

function Table({ value, bars, all }: { value: HeatmapAnswer; bars: Bar[]; all: number }) {
  let until = 0;
  return (
    <div class="table-box steps tall" tabIndex={0} role="region" aria-label="Spans by duration">
      <table class="edges">
        <thead>
          <tr>
            <th>Duration</th>
            <th class="right">Spans</th>
            <th class="right">Share</th>
            <th class="right">Up to here</th>
            <th class="right">Errors</th>
          </tr>
        </thead>
        <tbody>
          {bars.map((b) => {
            until += b.count;
            if (b.count === 0) return null;
            const text = `${formatDuration(b.low)} – ${formatDuration(b.high)}`;
            return (
              <tr key={b.low}>
                <td class="num">
                  <button type="button" class="link" title="Select these durations" onClick={() => select({ t0: BigInt(value.from), t1: BigInt(value.to), d0: BigInt(b.low), d1: BigInt(b.high) })}>
                    {text}
                  </button>
                </td>
                <td class="num right">{formatCount(b.count)}</td>
                <td class="num right">{formatPercent(b.count, all)}</td>
                <td class="num right">{upToText(until, all)}</td>
                <td class="num right">{b.errors > 0 ? `▲ ${formatCount(b.errors)} (${formatPercent(b.errors, b.count)})` : <span class="dim">0</span>}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p class="hint pad">Durations without spans are not listed · counts are exact; p50, p95 and p99 above are within {(100 * value.relativeError).toFixed(1)} %</p>
    </div>
  );
}
