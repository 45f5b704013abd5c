// SPDX-License-Identifier: Apache-2.0
// The instances and versions of a service: which of them is slow, failing, or new. All of its spans are read for it.
import { apiUrl, getLatencyBy } from "../api/client";
import type { LatencyByAnswer } from "../api/types";
import { curlOf } from "../model/curl";
import { stepsOf } from "../model/service";
import { versionsOf } from "../model/service-more";
import { formatCount, formatPercent, formatRate, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { valueCondition } from "../model/traceql";
import { param, patched, replace } from "../route";
import { Loader } from "../state/load";
import { currentRange } from "../state/range";
import { CopyButton, ProblemPanel, Select, Waiting } from "../ui/controls";
import { Spark } from "../ui/spark";
import { stepTexts } from "./service-charts";
import { Delta, formatCalls, Head, Pages, Share, useAnswer, Ways } from "./service-parts";
import { filterOf, type Found, inSameTime, spanParams, versions } from "./service-state";

const FIELDS: Record<string, string[]> = {
  instance: ["resource.service.instance.id", "resource.service.version", "resource.host.name"],
  version: ["resource.service.version"],
  host: ["resource.host.name"],
  pod: ["resource.k8s.pod.name"],
};
const NAMES: Record<string, string> = {
  "resource.service.instance.id": "Instance", "resource.service.version": "Version", "resource.host.name": "Host", "resource.k8s.pod.name": "Pod",
};
const QUANTILES = ["0.5", "0.95", "0.99"];
const PAGE = 50;
const loader = new Loader<{ now: LatencyByAnswer; before: LatencyByAnswer | null }>();

type Row = LatencyByAnswer["series"][0];

const SORTS: Record<string, (r: Row) => number> = {
  calls: (r) => Number(r.calls),
  errors: (r) => Number(r.errors) / Math.max(1, Number(r.calls)),
  p50: (r) => Number(r.quantiles["0.5"]),
  p95: (r) => Number(r.quantiles["0.95"]),
  p99: (r) => Number(r.quantiles["0.99"]),
};

export function Instances({ value }: { value: Found }) {
  const grouping = param("inst") in FIELDS ? param("inst") : "instance";
  const fields = FIELDS[grouping];
  const base = { service: param("s"), operation: param("op"), kind: value.kind, by: fields.join(","), q: QUANTILES.join(",") };
  const params = { ...base, ...(value.range ? spanParams(value.range) : {}) };
  const compared = value.compared ? { ...base, ...spanParams(value.compared) } : null;
  const key = JSON.stringify([params, compared]);
  const { value: answer, error, loading, run } = useAnswer(loader, key, async (stop) => {
    const [now, before] = await Promise.all([getLatencyBy(params, stop), compared ? getLatencyBy(compared, stop) : null]);
    return { now, before };
  });
  return (
    <section class={loading ? "service-part busy" : "service-part"}>
      <div class="row pad">
        <h2>
          Instances <span class="count">{answer ? formatCount(answer.now.series.length) : ""}</span>
        </h2>
        <Select label="by" value={grouping} options={Object.keys(FIELDS).map((name) => [name, name])} choose={(inst) => replace(patched({ inst, ioff: null }))} />
        <span class="spring" />
        <CopyButton text={() => curlOf(apiUrl("v1/latency", params))} what="curl command of the instances" icon="terminal" />
      </div>
      {error ? (
        <ProblemPanel error={error} retry={run} title={error.problem.status === 413 ? "There are too many instances to list: group them by version or host" : "The instances cannot be shown"} />
      ) : answer ? (
        <Rows answer={answer} value={value} />
      ) : (
        <Waiting>{loading ? "Reading all spans of the service …" : ""}</Waiting>
      )}
    </section>
  );
}

function Rows({ answer, value }: { answer: { now: LatencyByAnswer; before: LatencyByAnswer | null }; value: Found }) {
  // Of the answer, not of the address, which may ask for others already.
  const fields = answer.now.series[0]?.labels.map((l) => l.key) ?? [];
  const sort = param("isort") || "-calls";
  const by = SORTS[sort.replace(/^-/, "")] ?? SORTS.calls;
  const sign = sort.startsWith("-") ? -1 : 1;
  const id = (r: Row) => JSON.stringify(r.labels.map((l) => l.value));
  const sorted = [...answer.now.series].sort((a, b) => sign * (by(a) - by(b)) || (id(a) < id(b) ? -1 : 1));
  const offset = Math.min(Number(param("ioff")) || 0, Math.max(0, sorted.length - 1));
  const shown = sorted.slice(offset, offset + PAGE);
  const before = new Map(answer.before?.series.map((r) => [id(r), r]));
  const calls = sorted.reduce((sum, r) => sum + Number(r.calls), 0);
  const seconds = value.range ? Number(value.range.to - value.range.from) / 1e9 : 0;
  return (
    <>
      <div class="scroll-x" tabIndex={0} role="region" aria-label="Instances">
        <table class="edges instances">
          <thead>
            <tr>
              {fields.map((f) => (
                <th key={f}>{NAMES[f]}</th>
              ))}
              <Head id="calls" name="isort" usual="-calls">
                Calls
              </Head>
              <th class="right">Rate</th>
              <th class="right">Share</th>
              <Head id="errors" name="isort" usual="-calls">
                Errors
              </Head>
              {["p50", "p95", "p99"].map((p) => (
                <Head key={p} id={p} name="isort" usual="-calls">
                  {p}
                </Head>
              ))}
              <th>Over time</th>
              <th>Traces</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((r) => {
              const old = before.get(id(r));
              return (
                <tr key={id(r)}>
                  {r.labels.map((l) => (
                    <td key={l.key} class="mono">
                      {l.value === null ? <span class="dim">none</span> : <span class="clip" title={l.value}>{l.value}</span>}
                    </td>
                  ))}
                  <td class="num right">
                    <Delta now={Number(r.calls)} before={old ? inSameTime(value, Number(old.calls)) : null} format={formatCalls} />
                    {formatCount(r.calls)}
                  </td>
                  <td class="num right">{formatRate(Number(r.calls), seconds)}</td>
                  <td class="num right">{formatPercent(Number(r.calls), calls)}</td>
                  <td class="num right">
                    <Share errors={Number(r.errors)} calls={Number(r.calls)} />
                  </td>
                  {QUANTILES.map((q) => (
                    <td key={q} class="num right">
                      <Delta now={Number(r.quantiles[q])} before={old ? Number(old.quantiles[q]) : null} format={formatDuration} />
                      {formatDuration(Number(r.quantiles[q]))}
                    </td>
                  ))}
                  <td>
                    <Spark values={callsOver(r, value)} />
                  </td>
                  <td>
                    <Ways row={r} q={filterOf(value, ...conditions(r))} range={currentRange()} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <Pages offset={offset} shown={shown.length} all={sorted.length} size={PAGE} what="instances" go={(at) => replace(patched({ ioff: at || null }))} />
      <p class="pad dim">From the spans themselves, all of them; quantiles ± {(100 * answer.now.relativeError).toFixed(1)} %.</p>
    </>
  );
}

const conditions = (r: Row): string[] => r.labels.map((l) => valueCondition(l.key, l.value, l.value === null ? "nil" : "string")).filter((c) => c !== null);

/** Calls by step, from what the head of the page has read; only where the row is one of versions and instances. */
function callsOver(r: Row, value: Found): number[] | undefined {
  const found = versions.state.value.value;
  if (!found || !value.series) return undefined;
  const of = (key: string) => r.labels.find((l) => l.key === key)?.value;
  const [version, instance] = [of("resource.service.version"), of("resource.service.instance.id")];
  if (version === undefined) return undefined;
  const steps = stepTexts(stepsOf(value.series, value.kind, []));
  const index = new Map(steps.map((t, i) => [t, i]));
  const out = steps.map(() => 0);
  for (const s of found.series) {
    if (s.labels[0].value !== version || (instance !== undefined && s.labels[1].value !== instance)) continue;
    for (const [time, n] of s.points) {
      const i = index.get(time);
      if (i !== undefined) out[i] += n;
    }
  }
  return out;
}

/** In the head of the page: how many instances there are, and which versions ran when. */
export function Versions({ value }: { value: Found }) {
  const { value: answer, error } = versions.state.value;
  if (error) return <span class="dim">versions: {error.problem.detail || error.problem.title}</span>;
  if (!answer || !value.series) return null;
  const texts = stepTexts(stepsOf(value.series, value.kind, []));
  const { versions: list, instances } = versionsOf(answer.series, texts);
  const named = list.filter((v) => v.name !== "");
  const count = texts.length;
  return (
    <>
      <a class="dim" href={patched({ tab: "instances" })}>
        {instances === 0 ? "no instance ids" : plural(instances, "instance")}
      </a>
      {named.length === 0 ? null : (
        <ul class="versions" aria-label="Versions over time">
          {named.slice(-4).map((v) => (
            <li key={v.name} title={`${plural(v.calls, "call")}, ${plural(v.instances, "instance")}`}>
              <span class="num">{v.name}</span>
              <span class="version-strip" aria-hidden="true">
                <span style={{ left: `${(100 * v.first) / count}%`, width: `${(100 * (v.last - v.first + 1)) / count}%` }} />
              </span>
            </li>
          ))}
          {named.length > 4 ? (
            <li>
              <a href={patched({ tab: "instances", inst: "version" })}>{plural(named.length - 4, "older version")}</a>
            </li>
          ) : null}
        </ul>
      )}
    </>
  );
}
