// SPDX-License-Identifier: Apache-2.0
// What goes wrong in a service: its spans with an error, by exception and message. Numbers in messages do not tell them apart unless somebody wants so.
import { apiUrl, getMetricRange, type Params } from "../api/client";
import type { MetricRange } from "../api/types";
import { type Span } from "../model/change";
import { curlOf } from "../model/curl";
import { type ErrorGroup, errorGroups } from "../model/service-more";
import { formatCount, formatPercent, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { fieldText, quote } from "../model/traceql";
import { href, param, patched, replace } from "../route";
import { Loader } from "../state/load";
import { currentRange } from "../state/range";
import { CopyButton, ProblemPanel, Waiting } from "../ui/controls";
import { Spark } from "../ui/spark";
import { ChangeMark, Delta, formatCalls, Pages, useAnswer } from "./service-parts";
import { filterOf, type Found, inSameTime, spanParams } from "./service-state";

const KEYS = ["event.exception.type", "event.exception.message", "statusMessage"];
const PAGE = 25;
const loader = new Loader<{ now: MetricRange; before: MetricRange | null }>();

const question = (value: Found, range: Span, more: Params = {}): Params => ({
  ...spanParams(range),
  q: `${filterOf(value, "status = error")} | count_over_time() by (${KEYS.join(", ")})`,
  step: `${Number(value.stepNs) / 1e9}s`,
  ...more,
});

export function Errors({ value }: { value: Found }) {
  const params = value.range ? question(value, value.range, { exemplars: "true" }) : {};
  const key = JSON.stringify([params, value.compared?.from.toString(), value.compared?.to.toString()]);
  const { value: answer, error, loading, run } = useAnswer(loader, key, async (stop) => {
    const [now, before] = await Promise.all([getMetricRange(params, stop), value.compared ? getMetricRange(question(value, value.compared), stop) : null]);
    return { now, before };
  });
  if (error) {
    return (
      <ProblemPanel error={error} retry={run} title={error.problem.status === 413 ? "There are too many different errors to list" : "The errors cannot be shown"}>
        {error.problem.status === 413 ? <p>{error.problem.detail}. Take a shorter range or one operation, or group them by another field on Explore.</p> : null}
      </ProblemPanel>
    );
  }
  if (!answer) return <Waiting>{loading ? "Reading the errors …" : ""}</Waiting>;
  const fold = param("raw") !== "1";
  const { now, before } = answer;
  const steps: string[] = [];
  for (let t = BigInt(now.from); t < BigInt(now.to); t += BigInt(now.stepNano)) steps.push(String(t));
  const groups = errorGroups(now.series, before?.series ?? [], steps, fold);
  const compared = groups.some((g) => g.before > 0);
  const all = groups.reduce((sum, g) => sum + g.count, 0);
  const offset = Math.min(Number(param("eoff")) || 0, Math.max(0, groups.length - 1));
  const shown = groups.slice(offset, offset + PAGE);
  return (
    <section class={loading ? "service-part busy" : "service-part"}>
      <div class="row pad">
        <h2>
          Errors <span class="count">{formatCount(groups.length)}</span>
        </h2>
        <span class="dim">
          {plural(all, `${value.kind} span`)} with an error, all counted
        </span>
        <label class="field">
          <input type="checkbox" checked={fold} onChange={(e) => replace(patched({ raw: e.currentTarget.checked ? null : "1", eoff: null }))} />
          numbers and ids in messages as one
        </label>
        <span class="spring" />
        <CopyButton text={() => curlOf(apiUrl("v1/metrics/query_range", params))} what="curl command of the errors" icon="terminal" />
      </div>
      {groups.length === 0 ? (
        <p class="dim">No {value.kind} span has an error in this range. Spans of other kinds may: choose one above.</p>
      ) : (
        <div class="scroll-x" tabIndex={0} role="region" aria-label="Errors in groups">
          <table class="edges errors-table">
            <thead>
              <tr>
                <th>Exception or status message</th>
                <th class="right">Errors</th>
                <th class="right">Share</th>
                {compared ? <th>Change</th> : null}
                <th>Over time</th>
                <th>Slowest</th>
                <th>Traces</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((g) => (
                <Row key={g.key} group={g} value={value} all={all} compared={compared} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Pages offset={offset} shown={shown.length} all={groups.length} size={PAGE} what="groups" go={(at) => replace(patched({ eoff: at || null }))} />
    </section>
  );
}

function Row({ group, value, all, compared }: { group: ErrorGroup; value: Found; all: number; compared: boolean }) {
  const change = group.before === 0 ? "new" : group.count === 0 ? "gone" : undefined;
  const variants = group.messages.length;
  return (
    <tr>
      <td class="error-message">
        {group.type && !group.message.startsWith(`${group.type} `) ? <span class="mono dim">{group.type} </span> : null}
        {group.message || <span class="dim">(no message)</span>}
        {variants > 1 ? (
          <span class="dim" title={group.messages.slice(0, 10).map((m) => `${m.count} × ${m.exception || m.status}`).join("\n")}>
            {" "}
            {plural(variants, "variant")}
          </span>
        ) : null}
      </td>
      <td class="num right">
        <Delta now={group.count} before={compared && group.before > 0 ? inSameTime(value, group.before) : null} format={formatCalls} />
        {formatCount(group.count)}
      </td>
      <td class="num right">{formatPercent(group.count, all)}</td>
      {compared ? (
        <td>
          <ChangeMark change={change} />
        </td>
      ) : null}
      <td>
        <Spark values={group.steps} look="line-error" />
      </td>
      <td class="num">{group.exemplar ? <a href={href("trace", { id: group.exemplar.traceId, span: group.exemplar.spanId })}>{formatDuration(Number(group.exemplar.durationNano))}</a> : "–"}</td>
      <td>{group.count > 0 ? <a href={href("explore", { q: queryOf(value, group), ...currentRange() })}>Explore</a> : null}</td>
    </tr>
  );
}

/** Traces of a group: its messages themselves, or when they are many those of its type, or all without one. */
function queryOf(value: Found, group: ErrorGroup): string {
  const conditions = ["status = error"];
  const one = (field: string, of: (m: ErrorGroup["messages"][0]) => string) => {
    const texts = [...new Set(group.messages.map(of))];
    if (texts.length === 1 && texts[0] !== "") conditions.push(`${field} = ${quote(texts[0])}`);
    else if (texts.length > 1 && texts.length <= 20 && texts.every((t) => t !== "")) conditions.push(`(${texts.map((t) => `${field} = ${quote(t)}`).join(" || ")})`);
  };
  one(fieldText("event", "exception.type"), (m) => m.type);
  one(fieldText("event", "exception.message"), (m) => m.exception);
  one("statusMessage", (m) => m.status);
  if (conditions.length === 1) conditions.push("event.exception.type = nil");
  return filterOf(value, ...conditions);
}
