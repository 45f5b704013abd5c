// SPDX-License-Identifier: Apache-2.0
// How long the calls of the range took: a histogram on a logarithmic scale, with a cursor that says which share of the calls was faster.
import { useMemo, useRef, useState } from "preact/hooks";
import { apiUrl } from "../api/client";
import type { LatencyRow } from "../api/types";
import { curlOf } from "../model/curl";
import { barsOf, boundsText, bucketsOf, type Bar, type Bucket, callsUntil, namesOfMarks, quantileOf } from "../model/service-more";
import { formatCount, formatPercent, upToText } from "../model/text";
import { formatDuration } from "../model/time";
import { go, href } from "../route";
import { currentRange } from "../state/range";
import { useWidth, walked } from "../ui/chart";
import { CopyButton } from "../ui/controls";
import { filterOf, type Found, isTable, percentiles } from "./service-state";

const BARS = 56;
const HEIGHT = 120;
const TOP = 14;

export function Distribution({ value, row }: { value: Found; row: LatencyRow }) {
  const now = useMemo(() => bucketsOf(row.buckets), [row]);
  const before = useMemo(() => bucketsOf(row.before?.buckets), [row]);
  const bars = useMemo(() => barsOf(now, before, BARS), [now, before]);
  if (bars.length === 0) return null;
  const curl = <CopyButton text={() => curlOf(apiUrl("v1/latency", value.rowsParams))} what="curl command of the distribution" icon="terminal" />;
  return isTable() ? <Table bars={bars} curl={curl} compared={before.length > 0} /> : <Picture value={value} row={row} bars={bars} now={now} before={before} curl={curl} />;
}

const sum = (bars: Bucket[]) => bars.reduce((n, b) => n + b.count, 0);

function Picture({ value, row, bars, now, before, curl }: { value: Found; row: LatencyRow; bars: Bar[]; now: Bucket[]; before: Bucket[]; curl: preact.ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [at, setAt] = useState<number | null>(null);
  const all = sum(now);
  const ratio = before.length > 0 ? all / Math.max(1, sum(before)) : 1;
  const most = Math.max(1, ...bars.map((b) => Math.max(b.count, b.before * ratio)));
  const step = width / bars.length;
  const y = (n: number) => HEIGHT - (n / most) * (HEIGHT - TOP);
  const first = Math.max(1, bars[0].low || bars[0].high / (bars[1] ? bars[1].high / bars[0].high : 2));
  const last = bars[bars.length - 1].high;
  const x = (ns: number) => (Math.log(Math.max(ns, first) / first) / Math.log(last / first)) * width;
  const here = at !== null && at < bars.length ? at : null;
  const limit = here === null ? 0 : bars[here].high;
  const text =
    here === null
      ? ""
      : `${upToText(callsUntil(now, limit), all)} took at most ${formatDuration(limit)}${before.length > 0 ? `, before ${upToText(callsUntil(before, limit), sum(before))}` : ""}`;
  const open = (i: number) => go(href("explore", { q: filterOf(value, `duration >= ${Math.floor(bars[i].low)}ns`, `duration < ${Math.ceil(bars[i].high)}ns`), ...currentRange() }));
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageUp: 8, PageDown: -8, Home: -1e6, End: 1e6 }[event.key];
    if (by !== undefined) setAt(Math.max(0, Math.min(bars.length - 1, (here ?? bars.findIndex((b) => b.count === Math.max(...bars.map((c) => c.count)))) + by)));
    else if (event.key === "Enter" && here !== null) open(here);
    else return;
    event.preventDefault();
  };
  const marks = percentiles().map((p) => ({ text: `p${p}`, x: x(Number(row.quantiles[quantileOf(p)] ?? 0)) }));
  return (
    <figure class="chart distribution">
      <figcaption>
        <h2>Distribution</h2>
        <span class="row tight">
          <span class="chart-legend num" aria-hidden="true">
            {text || <span class="dim">{formatCount(all)} calls</span>}
          </span>
          {curl}
        </span>
      </figcaption>
      <div
        ref={box}
        class="distribution-box"
        {...walked("Share of calls up to a duration", "Arrows move, Enter opens the traces of a bar", bars.length, here, text)}
        onKeyDown={onKeyDown}
        onBlur={() => setAt(null)}
        onPointerMove={(e) => setAt(Math.max(0, Math.min(bars.length - 1, Math.floor((e.clientX - (box.current?.getBoundingClientRect().left ?? 0)) / step))))}
        onPointerLeave={() => setAt(null)}
        onClick={() => here !== null && open(here)}
      >
        <svg width={width} height={HEIGHT} aria-hidden="true">
          {bars.map((b, i) => (
            <rect
              key={i}
              class={here !== null && i > here ? "dist-bar beyond" : "dist-bar"}
              x={i * step}
              width={Math.max(1, step - 1)}
              y={b.count > 0 ? Math.min(HEIGHT - 1.5, y(b.count)) : HEIGHT}
              height={HEIGHT}
            />
          ))}
          {before.length > 0 ? (
            <path class="chart-line line-before" d={`M0 ${HEIGHT}${bars.map((b, i) => `V${y(b.before * ratio).toFixed(1)}H${((i + 1) * step).toFixed(1)}`).join("")}V${HEIGHT}`} />
          ) : null}
          {marks.map((m) => (
            <line key={m.text} class="chart-mark" x1={m.x} x2={m.x} y1={12} y2={HEIGHT} />
          ))}
          {namesOfMarks(marks, width).map((name) => (
            <text key={name.text} class="chart-label" x={name.x} y={10} text-anchor="middle">
              {name.text}
            </text>
          ))}
          {here === null ? null : <line class="chart-cursor" x1={(here + 1) * step} x2={(here + 1) * step} y1={TOP} y2={HEIGHT} />}
        </svg>
      </div>
      <p class="chart-ends dim num wide-ends" aria-hidden="true">
        <span>{formatDuration(bars[0].low)}</span>
        <span>{formatDuration(last)}</span>
      </p>
    </figure>
  );
}

function Table({ bars, curl, compared }: { bars: Bar[]; curl: preact.ComponentChildren; compared: boolean }) {
  const all = sum(bars);
  let until = 0;
  return (
    <section class="service-part">
      <h2 class="row">Distribution {curl}</h2>
      <div class="table-box steps" tabIndex={0} role="region" aria-label="Distribution of durations">
        <table class="edges">
          <thead>
            <tr>
              <th>Duration</th>
              <th class="right">Calls</th>
              {compared ? <th class="right">Before</th> : null}
              <th class="right">Share</th>
              <th class="right">Up to here</th>
            </tr>
          </thead>
          <tbody>
            {bars.map((b) => {
              until += b.count;
              return b.count + b.before === 0 ? null : (
                <tr key={b.low}>
                  <td class="num">{boundsText(b)}</td>
                  <td class="num right">{formatCount(b.count)}</td>
                  {compared ? <td class="num right">{formatCount(b.before)}</td> : null}
                  <td class="num right">{formatPercent(b.count, all)}</td>
                  <td class="num right">{upToText(until, all)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
