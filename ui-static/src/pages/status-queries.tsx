// SPDX-License-Identifier: Apache-2.0
// Status, queries: what runs and waits now, what was slow, and how long answers take. Cancelling is offered where the server allows it.
import { useLayoutEffect, useRef } from "preact/hooks";
import { cancelQuery } from "../api/client";
import type { RunningQuery, ShownQuery, SystemAnswer } from "../api/types";
import { addressOf, exploreOf, nameOf, parameterText, quantileBound } from "../model/system";
import { formatBytes, formatCount } from "../model/text";
import { formatClock, formatDay, formatDuration } from "../model/time";
import { href } from "../route";
import { tellProblem } from "../state/load";
import { zone } from "../state/prefs";
import { say } from "../state/say";
import { Figures, Part, Table } from "./status-parts";

export function Queries({ value, refresh }: { value: SystemAnswer; refresh: () => void }) {
  const q = value.queries;
  const part = useRef<HTMLElement>(null);
  const ends = () => [...(part.current?.querySelectorAll<HTMLElement>("td > .button") ?? [])];
  // The row of a query goes when it has ended: a focus that was in it goes to what is in its place.
  const had = ends().indexOf(document.activeElement as HTMLElement);
  useLayoutEffect(() => {
    if (had < 0 || document.activeElement !== document.body) return;
    const left = ends();
    (left[had] ?? left.at(-1) ?? part.current?.querySelector("h2"))?.focus();
  });
  const cancel = (query: RunningQuery) => void cancelQuery(query.id).then(() => say("The query was asked to end"), tellProblem).then(refresh);
  const what = (query: ShownQuery) => {
    const address = addressOf(query.url);
    const { path, parameters } = address;
    const explore = query.cut ? null : exploreOf(address);
    return (
      <span class="query-shown" key={query.id}>
        <code>{path}</code> {parameters.map(([k, v]) => (
          <span key={k}>
            <span class="dim">{k}</span> <code title={v}>{parameterText(k, v, zone.value)}</code>{" "}
          </span>
        ))}
        {query.cut ? <span class="dim">… (longer)</span> : null} <span class="dim">asked by {query.client}</span>{" "}
        {explore ? <a href={href("explore", explore)}>Explore</a> : null}
      </span>
    );
  };
  const cost = (r: ShownQuery & Partial<RunningQuery>) => {
    const waited = Number(r.waitedNano);
    return [
      r.state === "waiting" ? "waiting" : formatDuration(Math.max(0, Number(r.tookNano) - waited)),
      formatDuration(waited),
      formatCount(r.tracesRead),
      formatBytes(r.bytesScanned),
    ];
  };
  const limit = value.limits.find((l) => l.name === "queries at the same time")?.value ?? "";
  const bounds = q.durationBoundsSeconds;
  const used = q.endpoints.filter((e) => e.buckets.some((b) => b !== "0")).sort((a, b) => total(b.buckets) - total(a.buckets));
  return (
    <>
      <Figures
        list={[
          { name: "Running", value: formatCount(q.runningCount), note: `at most ${limit} at once, and a short one` },
          { name: "Waiting", value: formatCount(q.waitingCount), note: "for one of these to end" },
          { name: "Cancelling", value: q.mayCancel ? "allowed" : "off", note: q.mayCancel ? "--allow-cancel" : "read-only: start with --allow-cancel" },
        ]}
      />
      <Part title="Running and waiting" box={part}>
        <Table
          label="Running and waiting"
          stacked
          columns={["Query", ...(q.mayCancel ? ["End"] : []), ">Ran", ">Waited", ">Traces read", ">Read"]}
          rows={q.running.map((r) => [
            what(r),
            ...(q.mayCancel
              ? [
                  <button
                    key="end"
                    type="button"
                    class="button"
                    aria-label={`${r.cancelled ? "Ending …" : "End"}: ${nameOf(r.url)}`}
                    aria-disabled={r.cancelled}
                    onClick={() => r.cancelled || cancel(r)}
                  >
                    {r.cancelled ? "Ending …" : "End"}
                  </button>,
                ]
              : []),
            ...cost(r),
          ])}
          none="No query runs at this moment."
        />
      </Part>
      <Part title="The slowest since start" note="Those that ran longest; what they waited for others, or for spans that came in, does not count.">
        <Table
          label="The slowest since start"
          stacked
          columns={["Query", ">Ran", ">Waited", ">Traces read", ">Read", ">Status", ">At"]}
          rows={q.slowest.map((r) => [what(r), ...cost(r), String(r.status), `${formatDay(BigInt(r.endedUnixNano), zone.value).slice(5)} ${formatClock(BigInt(r.endedUnixNano), zone.value, 0)}`])}
          none="No query has run yet."
        />
      </Part>
      <Part title="Answers" note="Since start. Durations are counted in steps, so a quantile is known as the step it lies in.">
        <Table
          label="Answers"
          stacked
          columns={["Address", ">Answered", ">Refused (4xx)", ">Failed (5xx)", ">p50", ">p95"]}
          rows={used.map((e) => {
            const address = e.method === "GET" ? e.path : `${e.method} ${e.path}`;
            return [<code key={address}>{address}</code>, ...[e.answered, e.refused, e.failed].map(formatCount), ...[0.5, 0.95].map((p) => quantileBound(e.buckets, bounds, p))];
          })}
          none="Nothing was asked yet."
        />
      </Part>
    </>
  );
}

const total = (buckets: string[]) => buckets.reduce((sum, b) => sum + Number(b), 0);
