// SPDX-License-Identifier: Apache-2.0
// The operations of a service: sorted and cut into pages by the server, each with what it takes part in of the whole, and a line of the column that
// they are sorted by.
import { apiUrl, getLatency, getLatencySeries, type Params } from "../api/client";
import type { LatencyAnswer, LatencyRow, LatencySeries } from "../api/types";
import { curlOf } from "../model/curl";
import { SPARK_STEPS, stepMinutes } from "../model/service";
import { formatCount, formatRate, visibleName } from "../model/text";
import { formatDuration } from "../model/time";
import { quote } from "../model/traceql";
import { param, patched, replace } from "../route";
import { Loader } from "../state/load";
import { currentRange } from "../state/range";
import { CopyButton, ProblemPanel } from "../ui/controls";
import { Spark } from "../ui/spark";
import { ChangeMark, Delta, FindBox, Head, Impact, lineOf, Pages, Share, Ways, formatCalls, useAnswer } from "./service-parts";
import { comparedParams, type Found, inSameTime, secondsOf, spanParams } from "./service-state";

const PAGE = 50;
const SHOWN = ["0.5", "0.95", "0.99"];
/** As the address calls the columns, and as the API does. */
const ORDERS: Record<string, string> = {
  operation: "name", calls: "calls", errors: "errorShare", p50: "0.5", p95: "0.95", p99: "0.99", impact: "duration", change: "change",
};

/** Where its page begins is kept with the answer, as the address may be further on already; whole: what all spans of the service took, nanoseconds. */
type Page = LatencyAnswer & { offset: number; whole: number };

const rows = new Loader<Page>();
const sparks = new Loader<LatencySeries>();

function question(value: Found): Params {
  const sort = param("sort") || "-calls";
  const by = sort.replace(/^-/, "");
  const order = by in ORDERS && (by !== "change" || value.compared) ? `${sort.startsWith("-") ? "-" : ""}${ORDERS[by]}` : "-calls";
  return {
    ...(value.range ? spanParams(value.range) : {}),
    service: param("s"),
    q: SHOWN.join(","),
    order,
    limit: PAGE,
    offset: param("off"),
    contains: param("has"),
  };
}

export function Operations({ value }: { value: Found }) {
  const params = question(value);
  const withCompared = { ...params, ...comparedParams(value.compared) };
  const key = JSON.stringify(withCompared);
  const { value: answer, error, loading, run } = useAnswer(rows, key, async (stop) => {
    const [page, all] = await Promise.all([getLatency(withCompared, stop), getLatency({ ...(value.range ? spanParams(value.range) : {}), service: param("s"), by: "service", q: "0.5" }, stop)]);
    return { ...page, offset: Number(params.offset) || 0, whole: all.series.reduce((sum, r) => sum + Number(r.durationNano), 0) };
  });
  const { from, to } = value.range ?? { from: 0n, to: 0n };
  const lines = useAnswer(sparks, key, (stop) => getLatencySeries({ ...params, ...(/change$/.test(String(params.order)) ? comparedParams(value.compared) : {}), step: `${stepMinutes(from, to, SPARK_STEPS)}m` }, stop)).value;
  return (
    <section class={loading ? "service-part busy" : "service-part"}>
      <div class="row pad">
        <h2>
          Operations <span class="count">{answer ? formatCount(answer.rowCount) : ""}</span>
        </h2>
        <FindBox value={param("has")} label="Operations whose name contains" find={(has) => replace(patched({ has, off: null }))} />
        <span class="spring" />
        <CopyButton text={() => curlOf(apiUrl("v1/latency", withCompared))} what="curl command of the operations" icon="terminal" />
      </div>
      {error ? <ProblemPanel error={error} retry={run} title="The operations cannot be shown" /> : null}
      {answer ? <Rows answer={answer} lines={lines} value={value} /> : null}
      {answer ? (
        <Pages offset={answer.offset} shown={answer.series.length} all={answer.rowCount} size={PAGE} what="operations" go={(off) => replace(patched({ off: off || null }))} />
      ) : null}
    </section>
  );
}

function Rows({ answer, lines, value }: { answer: Page; lines: LatencySeries | null; value: Found }) {
  const chosen = param("op");
  const took = answer.series.map((r) => Number(r.durationNano));
  const by = (param("sort") || "-calls").replace(/^-/, "");
  // Nothing there before: then everything is new, which says nothing.
  const compared = value.compared !== null && answer.series.some((r) => r.before);
  const query = (r: LatencyRow) => `{ resource.service.name = ${quote(r.service)} && name = ${quote(r.operation)} && kind = ${r.kind} }`;
  const seconds = secondsOf(value.range);
  const cell = (r: LatencyRow, q: string) => {
    const now = r.quantiles[q];
    return (
      <td key={q} class="num right">
        <Delta now={Number(now)} before={now !== null && r.before?.quantiles[q] ? Number(r.before.quantiles[q]) : null} format={formatDuration} />
        {formatDuration(now === null ? null : Number(now))}
      </td>
    );
  };
  if (answer.series.length === 0) return <p class="dim">No operation {param("has") ? `with “${param("has")}” in its name` : "in this range"}.</p>;
  return (
    <div class="scroll-x" tabIndex={0} role="region" aria-label="Operations">
      <table class={compared ? "edges operations compared" : "edges operations"}>
        <thead>
          <tr>
            <Head id="operation" usual="-calls" text>
              Operation
            </Head>
            <th>Kind</th>
            <Head id="calls" usual="-calls" title={seconds > 0 ? `in ${formatDuration(seconds * 1e9)}` : ""}>
              Calls
            </Head>
            <th class="right">Rate</th>
            <Head id="errors" usual="-calls">
              Errors
            </Head>
            {["p50", "p95", "p99"].map((p) => (
              <Head key={p} id={p} usual="-calls">
                {p}
              </Head>
            ))}
            <Head id="impact" usual="-calls" title="All calls added up, as a share of all of the service's spans">
              Impact
            </Head>
            {compared ? (
              <Head id="change" usual="-calls" title="Sorted by the difference of impact">
                Change
              </Head>
            ) : null}
            <th>Over time</th>
            <th>Traces</th>
          </tr>
        </thead>
        <tbody>
          {answer.series.map((r) => (
            <tr key={`${r.kind} ${r.operation}`} class={r.operation === chosen ? "chosen" : undefined}>
              <td>
                <a class="clip" href={patched({ op: r.operation, kind: r.kind })} title={r.operation}>
                  {visibleName(r.operation)}
                </a>
              </td>
              <td class="dim">{r.kind}</td>
              <td class="num right">
                <Delta now={Number(r.calls)} before={r.before ? inSameTime(value, Number(r.before.calls)) : null} format={formatCalls} />
                {formatCount(r.calls)}
              </td>
              <td class="num right">{formatRate(Number(r.calls), seconds)}</td>
              <td class="num right">
                <Share errors={Number(r.errors)} calls={Number(r.calls)} />
              </td>
              {SHOWN.map((q) => cell(r, q))}
              <Impact took={Number(r.durationNano)} of={took} whole={answer.whole} />
              {compared ? (
                <td class="right">
                  <ChangeMark change={r.change} />
                </td>
              ) : null}
              <td>
                <Spark {...lineOf(lines?.series.find((l) => l.operation === r.operation && l.kind === r.kind), by, ORDERS[by])} />
              </td>
              <td>
                <Ways row={r} q={query(r)} range={currentRange()} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
