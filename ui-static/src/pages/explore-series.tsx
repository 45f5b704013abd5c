// SPDX-License-Identifier: Apache-2.0
// Rate, errors and quantiles of the matching spans over time, by the values of a field: the groups with most spans as lines, and what is left as
// one more, so that nothing is missing in the sums.
import { useEffect } from "preact/hooks";
import { apiUrl, getMetric, getMetricRange } from "../api/client";
import type { HeatmapAnswer } from "../api/types";
import { curlOf } from "../model/curl";
import { toCsv } from "../model/list";
import { countOf, errorsOf, type Line, linesOf, lineQueries, nameOf, type Over, picksOf, QUANTILES, restQuery, topQuery } from "../model/timeseries";
import { colourOf } from "../model/palette";
import { formatCount, formatPercent, formatRate, plural } from "../model/text";
import { formatClock, formatDay, formatDuration, formatFull, timeIn, toRfc3339 } from "../model/time";
import { valueCondition, withCondition } from "../model/traceql";
import { go, param, patched } from "../route";
import { Loader } from "../state/load";
import { dark, zone } from "../state/prefs";
import { currentRange, untilNow } from "../state/range";
import { Chart } from "../ui/chart";
import { CopyButton, ProblemPanel, Select } from "../ui/controls";
import { HOW, StepCursor } from "../ui/steps";
import { useAsked } from "./explore-asking";
import { shortName } from "./explore-chips";
import { SeriesRoom, timeBand, TwinToggle } from "./explore-parts";
import { isSaidAbove, isTwin, selectTime } from "./explore-state";
import { saveFile } from "../state/say";

interface Found extends Over {
  by: string;
  queries: string[];
}

const loader = new Loader<Found>();
const cursor = new StepCursor();
const TOPS = [3, 5, 10];
/** Colours that are told apart; lines beyond them are dashed. */
const COLOURS = 10;

const topOf = (): number => TOPS.find((n) => String(n) === param("top")) ?? 5;

async function find(q: string, by: string, most: number, stop: AbortSignal): Promise<Found> {
  const range = untilNow(currentRange());
  const picks = by === "" ? [] : picksOf(await getMetric({ q: topQuery(q, by, most), ...range }, stop), by);
  const queries = lineQueries(q, by, picks);
  const ask = (query: string) => getMetricRange({ q: query, ...range }, stop);
  const answers = await Promise.all(queries.map(ask));
  const found = { ...linesOf(answers, by, picks), by, queries };
  if (picks.length === 0 || found.lines.every((l) => l.group !== null)) return found;
  // Percentiles of the rest cost a look of their own: most often there is none.
  const rest = restQuery(q, by, picks);
  return { ...found, ...linesOf([...answers, await ask(rest)], by, picks), queries: [...queries, rest] };
}

export function Series({ slots }: { slots: Map<string, number> }) {
  const [q, by, most] = [param("q"), param("group"), topOf()];
  const { value, error, busy, run } = useAsked(loader, [q, by, most, currentRange()], (stop) => find(q, by, most, stop));
  if (error) {
    if (isSaidAbove(error) && by === "") return null;
    return <ProblemPanel error={error} title="The time series cannot be shown" retry={run} />;
  }
  if (!value) return <SeriesRoom />;
  if (value.count === 0) return null;
  return (
    <section class={busy ? "series-view busy" : "series-view"} aria-label="All matching spans over time">
      <Head value={value} />
      {isTwin() ? <Table value={value} /> : <Charts value={value} slots={slots} />}
    </section>
  );
}

function Head({ value }: { value: Found }) {
  const drawn = value.lines.filter((l) => l.group !== null);
  const count = drawn.reduce((sum, l) => sum + countOf(l), 0);
  const rest = value.count - count;
  const csv = () => saveFile("spoor-series.csv", "text/csv", csvOf(value));
  return (
    <div class="summary">
      <span>
        {value.by === "" ? (
          <b>{plural(value.count, "span")}</b>
        ) : (
          <>
            <b>
              The {plural(drawn.length, "group")} of {shortName(value.by)}
            </b>{" "}
            with most spans{rest > 0 ? `: ${formatPercent(count, value.count)} of ${formatCount(value.count)}; the other ${formatCount(rest)} are “the rest”` : ", which are all"}
          </>
        )}{" "}
        <span class="dim">(exact)</span>
      </span>
      <span class="spring" />
      {value.by === "" ? null : (
        <Select label="groups" value={String(topOf())} options={TOPS.map((n) => [String(n), String(n)])} choose={(n) => go(patched({ top: n === "5" ? null : n }))} />
      )}
      <TwinToggle />
      <button type="button" class="button small" onClick={csv}>
        CSV
      </button>
      <CopyButton text={() => value.queries.map((q) => curlOf(apiUrl("v1/metrics/query_range", { q, ...untilNow(currentRange()) }))).join("\n")} what="curl commands of the lines" icon="terminal" />
    </div>
  );
}

const startOf = (value: Pick<Over, "axis">, i: number): bigint => value.axis.from + value.axis.step * BigInt(i);

function Charts({ value, slots }: { value: Found; slots: Map<string, number> }) {
  const { axis, lines } = value;
  const seconds = Number(axis.step) / 1e9;
  useEffect(() => cursor.clear(), [value]);
  const end = startOf(value, axis.steps);
  const time = timeIn(axis.from, end, zone.value, seconds < 1 ? 3 : 0);
  const look = (i: number) => (lines[i].group === null ? "series-rest" : `series-${i % COLOURS}`);
  // Services have a colour of their own, here as everywhere.
  const slotOf = (i: number) => (value.by === "resource.service.name" ? (slots.get(lines[i]?.group?.value ?? "") ?? i) : i);
  const colours = Object.fromEntries(Array.from({ length: COLOURS }, (_, i) => [`--series-${i}`, colourOf(slotOf(i), dark.value)]));
  const range = (a: number, b: number): [bigint, bigint] => [startOf(value, a), startOf(value, b + 1)];
  const handlers = cursor.handlers({
    count: axis.steps,
    select: (a, b) => selectTime(...range(a, b)),
    zoom: (a, b) => go(patched({ from: toRfc3339(range(a, b)[0]), to: toRfc3339(range(a, b)[1]), sel: null })),
  });
  const frame = {
    ends: [time(axis.from), time(end)] as [string, string],
    stepName: (i: number) => time(startOf(value, i)),
    cursor: cursor.at,
    height: 150,
    box: handlers,
    under: (x: (i: number) => number, height: number) => timeBand(x, height, axis, cursor.taken()),
  };
  const chart = (title: string, of: (l: Line) => (number | null)[], format: (v: number) => string, log = false, alone = "") => {
    const shown = lines.map((l, i) => ({ name: nameOf(l), values: of(l), look: (value.by === "" && alone) || look(i) })).filter((l) => l.values.length > 0);
    const most = (values: (number | null)[]) => Math.max(0, ...values.map((v) => v ?? 0));
    return (
      <Chart
        key={title}
        title={title}
        log={log}
        description={`${shown.map((l) => `${l.name} at most ${format(most(l.values))}`).join(", ")}. ${HOW}`}
        lines={shown.map((l) => ({ ...l, quiet: true }))}
        format={format}
        {...frame}
      />
    );
  };
  return (
    <>
      <div class="series-charts" style={colours}>
        {value.by === "" ? null : (
          <ul class="series-legend" aria-label="Lines">
            {lines.map((l, i) => (
              <li key={nameOf(l)}>
                <span class={`chart-key ${look(i)}`} aria-hidden="true" /> <Name line={l} by={value.by} /> <span class="dim num">{formatCount(countOf(l))}</span>
                {errorsOf(l) > 0 ? <span class="error-text num"> ▲ {formatPercent(errorsOf(l), countOf(l))}</span> : null}
              </li>
            ))}
          </ul>
        )}
        {chart("Rate", (l) => l.counts.map((n) => n / seconds), (v) => formatRate(v, 1))}
        {chart(value.by === "" ? "▲ Errors" : "Errors", (l) => l.counts.map((n, i) => (n > 0 ? l.errors[i] / n : null)), (v) => formatPercent(v, 1), false, "line-error")}
        {value.by === "" ? (
          <Chart
            title="Duration"
            log
            description={`Percentiles of duration. ${HOW}`}
            lines={QUANTILES.map((q, k) => ({ name: `p${Number(q) * 100}`, values: lines[0].quantiles[k], look: ["line-1", "line-2", "line-3"][k] }))}
            format={formatDuration}
            {...frame}
          />
        ) : (
          QUANTILES.map((q, k) => chart(`p${Number(q) * 100}`, (l) => l.quantiles[k] ?? [], formatDuration, true))
        )}
      </div>
    </>
  );
}

/** A group leads to itself as the query. */
function Name({ line, by }: { line: Line; by: string }) {
  const condition = line.group ? valueCondition(by, line.group.value, line.group.type) : null;
  return condition ? (
    <a href={patched({ q: withCondition(param("q"), condition), group: null, top: null, gsort: null })} title="Only these">
      {nameOf(line)}
    </a>
  ) : (
    <span>{nameOf(line)}</span>
  );
}

/** What rate, errors and heatmap are drawn from. */
export function StepTable({ value }: { value: HeatmapAnswer }) {
  const { steps } = value;
  const group = { value: null, type: "all", count: 0 };
  const quantiles = QUANTILES.map((q) => steps.map((s) => (s.count === "0" ? null : Number(s.quantiles[q]))));
  const line = { group, counts: steps.map((s) => Number(s.count)), errors: steps.map((s) => Number(s.errors)), quantiles };
  return <Table value={{ by: "", axis: { from: BigInt(value.from), step: BigInt(value.stepNano), steps: steps.length }, lines: [line] }} />;
}

function Table({ value }: { value: Pick<Found, "by" | "axis" | "lines"> }) {
  const seconds = Number(value.axis.step) / 1e9;
  const rows = Array.from({ length: value.axis.steps }, (_, i) => value.lines.filter((l) => l.counts[i] > 0).map((line) => ({ i, line }))).flat();
  return (
    <div class="table-box steps tall" tabIndex={0} role="region" aria-label="Steps">
      <table class="edges">
        <thead>
          <tr>
            <th>From</th>
            {value.by === "" ? null : <th>{shortName(value.by)}</th>}
            <th class="right">Spans</th>
            <th class="right">Rate</th>
            <th class="right">Errors</th>
            {QUANTILES.map((q) => (
              <th key={q} class="right">
                p{Number(q) * 100}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ i, line }) => {
            const from = startOf(value, i);
            return (
              <tr key={`${i} ${nameOf(line)}`}>
                <td class="num" title={formatFull(from, zone.value)}>
                  <a href={patched({ from: toRfc3339(from), to: toRfc3339(from + value.axis.step), sel: null })}>
                    {formatDay(from, zone.value)} {formatClock(from, zone.value, seconds < 1 ? 3 : 0)}
                  </a>
                </td>
                {value.by === "" ? null : <td class="clip">{nameOf(line)}</td>}
                <td class="num right">{formatCount(line.counts[i])}</td>
                <td class="num right">{formatRate(line.counts[i], seconds)}</td>
                <td class="num right">{line.errors[i] > 0 ? `▲ ${formatCount(line.errors[i])} (${formatPercent(line.errors[i], line.counts[i])})` : <span class="dim">0</span>}</td>
                {QUANTILES.map((q, k) => (
                  <td key={q} class="num right">
                    {formatDuration(line.quantiles[k]?.[i] ?? null)}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
      <p class="hint pad">Steps without spans are not listed · percentiles are within 1.1 %</p>
    </div>
  );
}

const csvOf = (value: Found): string =>
  toCsv([
    ["from", value.by || "group", "spans", "errors", "p50_ns", "p95_ns", "p99_ns"],
    ...Array.from({ length: value.axis.steps }, (_, i) =>
      value.lines.map((l) => [toRfc3339(startOf(value, i)), nameOf(l), l.counts[i], l.errors[i], ...QUANTILES.map((_q, k) => l.quantiles[k]?.[i] ?? "")]),
    ).flat(),
  ]);
