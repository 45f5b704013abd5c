// SPDX-License-Identifier: Apache-2.0
// The matching spans by the values of a field: count, share of errors, quantiles and impact (sum of durations) of each. All spans are counted.
import { apiUrl, getMetric } from "../api/client";
import type { MetricAnswer } from "../api/types";
import { curlOf } from "../model/curl";
import { type Group, groupsOf, GROUP_METRICS, sortGroups } from "../model/groups";
import { toCsv } from "../model/list";
import { formatCount, formatPercent, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { isEverything, valueCondition, withCondition } from "../model/traceql";
import { go, param, patched } from "../route";
import { Loader } from "../state/load";
import { CopyButton, ProblemPanel, SortHead, Swatch } from "../ui/controls";
import { useAsked } from "./explore-asking";
import { shortName } from "./explore-chips";
import { listQuery } from "./explore-state";
import { saveFile } from "../state/say";

const SHOWN = 200;
const loader = new Loader<{ by: string; groups: Group[] }>();

function questions(by: string): { q: string; from?: string | undefined; to?: string | undefined }[] {
  const { q, ...range } = listQuery();
  const base = isEverything(q) ? "{ }" : q;
  const failed = withCondition(q, "status = error");
  return GROUP_METRICS.map(({ metric, errors }) => ({ q: `${errors ? failed : base} | ${metric} by (${by})`, ...range }));
}

export function Groups({ by, slots }: { by: string; slots: Map<string, number> }) {
  const list = questions(by);
  const { value: found, error, busy, run } = useAsked(loader, list, async (stop) => ({ by, groups: groupsOf(await Promise.all(list.map((p): Promise<MetricAnswer> => getMetric(p, stop)))) }));
  // Groups of one field are none of another.
  const value = found?.by === by ? found.groups : null;
  if (error) {
    return (
      <ProblemPanel error={error} retry={run} title={error.problem.status === 413 ? `${shortName(by)} has too many values to group by` : "The groups cannot be shown"} />
    );
  }
  if (!value) return <div class="waiting" aria-hidden="true" />;
  const sort = param("gsort") || "-impact";
  const groups = sortGroups(value, sort);
  const spans = value.reduce((sum, g) => sum + g.count, 0);
  const most = Math.max(1, ...value.map((g) => g.impact));
  const head = (id: string, name: string, title: string) => {
    const [down, up] = [sort === `-${id}`, sort === id];
    return (
      <SortHead class={id === "value" ? undefined : "right"} down={down} up={up} title={title} sort={() => go(patched({ gsort: down ? id : `-${id}` }))}>
        {name}
      </SortHead>
    );
  };
  return (
    <div class={busy ? "groups busy" : "groups"}>
      <div class="summary" role="status">
        <span>
          <b>{plural(value.length, "group")}</b> of {plural(spans, "span")} (exact){groups.length > SHOWN ? `, the first ${SHOWN} shown: the export has all` : ""}
        </span>
        <span class="spring" />
        <CopyButton text={() => list.map((p) => curlOf(apiUrl("v1/metrics/query", p))).join("\n")} what="curl commands" icon="terminal" />
        <button type="button" class="button small" onClick={() => saveFile("spoor-groups.csv", "text/csv", groupCsv(by, groups))}>
          CSV
        </button>
      </div>
      <div class="table-box" tabIndex={0} role="region" aria-label="Groups">
        <table class="edges">
          <thead>
            <tr>
              {head("value", shortName(by), by)}
              {head("count", "Spans", "Spans of the group")}
              {head("errors", "Errors", "Share of spans with an error")}
              {head("p50", "p50", "Half of the spans took no longer")}
              {head("p95", "p95", "95 % of the spans took no longer")}
              {head("p99", "p99", "99 % of the spans took no longer")}
              {head("impact", "Impact", "Sum of durations")}
              <th class="wide-only share">of the greatest</th>
            </tr>
          </thead>
          <tbody>
            {groups.slice(0, SHOWN).map((g) => (
              <GroupRow key={`${g.type} ${g.value}`} g={g} by={by} most={most} slot={/^(resource\.service\.name|service)$/.test(by) ? slots.get(g.value ?? "") : undefined} />
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function GroupRow({ g, by, most, slot }: { g: Group; by: string; most: number; slot: number | undefined }) {
  const condition = valueCondition(by, g.value, g.type);
  const name = g.value === null ? "(none)" : g.value || '""';
  return (
    <tr>
      <td class="clip">
        {slot === undefined ? null : <Swatch slot={slot} />} {condition ? <a href={patched({ q: withCondition(param("q"), condition), group: null, gsort: null })}>{name}</a> : name}
      </td>
      <td class="num right">{formatCount(g.count)}</td>
      <td class="num right">{g.errors > 0 ? <span class="error-text">▲ {formatPercent(g.errors, g.count)}</span> : <span class="dim">0 %</span>}</td>
      <td class="num right">{formatDuration(g.p50)}</td>
      <td class="num right">{formatDuration(g.p95)}</td>
      <td class="num right">{formatDuration(g.p99)}</td>
      <td class="num right">{formatDuration(g.impact)}</td>
      <td class="wide-only share">
        <span class="bar">
          <span style={{ width: `${(100 * g.impact) / most}%` }} />
        </span>
      </td>
    </tr>
  );
}

const groupCsv = (by: string, groups: Group[]) =>
  toCsv([
    [by, "spans", "errors", "p50_ns", "p95_ns", "p99_ns", "impact_ns"],
    ...groups.map((g) => [g.value ?? "", g.count, g.errors, g.p50 ?? "", g.p95 ?? "", g.p99 ?? "", g.impact]),
  ]);
