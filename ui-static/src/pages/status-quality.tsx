// SPDX-License-Identifier: Apache-2.0
// Status, quality of what comes in: exact for the newest traces, as many as are asked for.
import { useEffect } from "preact/hooks";
import { getQuality } from "../api/client";
import type { QualityAnswer } from "../api/types";
import { formatBytes, formatCount, formatPercent, plural } from "../model/text";
import { formatAge, formatDuration } from "../model/time";
import { param, patched, replace } from "../route";
import { hint } from "../state/keys";
import { Loader, useRetry } from "../state/load";
import { currentRange, nowNs } from "../state/range";
import { Away } from "../ui/away";
import { ProblemPanel, Select, Waiting } from "../ui/controls";
import { Part, Table } from "./status-parts";

export const quality = new Loader<QualityAnswer>();
const SIZES = [1000, 10000, 100000];

/** What the address asks for. */
export const qualityParams = () => ({ ...currentRange(), traces: SIZES.find((n) => String(n) === param("traces")) ?? SIZES[0] });
export const loadQuality = (): void => void quality.run((stop) => getQuality(qualityParams(), stop));

export function Quality() {
  const load = loadQuality;
  const { from, to, traces: wanted } = qualityParams();
  useEffect(() => {
    load();
    return () => quality.stop();
  }, [from, to, wanted]);
  const { value, error, loading } = quality.state.value;
  useRetry(error, load);
  if (error && !value) return <ProblemPanel error={error} retry={load} title="The quality of the data cannot be told" />;
  if (!value) {
    return <Waiting>{loading ? "Reading traces …" : ""}</Waiting>;
  }
  const spans = Number(value.spans);
  const traces = value.matchedTraces;
  const n = (key: keyof QualityAnswer) => Number(value[key]);
  const row = (name: string, count: number, of: number, note: string) => [name, count === 0 ? <span class="dim">0</span> : formatCount(count), count === 0 ? "" : formatPercent(count, of), note];
  return (
    <>
      <Away state={quality.state.value} retry={load} />
      <div class="status-tools">
        <Select label="newest" value={String(wanted)} options={SIZES.map((size) => [String(size), `${formatCount(size)} traces`])} choose={(traces) => replace(patched({ traces }))} />
        <button type="button" class="button" title={`Read again${hint("all.run")}`} disabled={loading} onClick={load}>
          {loading ? "Reading …" : "Read again"}
        </button>
        <span role="status">
          <b>{plural(traces, "trace")}</b>, {plural(spans, "span")}:{" "}
          {value.complete ? "all there are" : value.incompleteReason === "traces" ? "the newest" : "as many as the time allowed"}
          {value.oldestStartUnixNano ? `, back to ${formatAge(BigInt(value.oldestStartUnixNano), nowNs())}` : ""}. Every one is counted.
        </span>
      </div>
      <Part title="What is not as it should be">
        <Table
          label="What is not as it should be"
          columns={["What", ">Number", ">Share", "Remark"]}
          rows={[
            row("Spans whose parent is not stored", n("missingParents"), spans, "sampled away, lost, late, or sent to another place"),
            row("Traces with such spans", n("tracesMissingParents"), traces, "their durations and critical paths may be of a part"),
            row("Traces without a root", n("tracesWithoutRoot"), traces, "no span without a parent"),
            row("Spans without service.name", n("withoutService"), spans, "or with the SDK's unknown_service: set OTEL_SERVICE_NAME"),
            row("Spans of a clock that differs", n("skewed"), spans, "the clocks are below"),
            row("Traces with such spans", n("tracesSkewed"), traces, "the Trace page can take the difference out"),
            row("Spans that end before they start", n("endBeforeStart"), spans, "their duration counts as 0"),
            row("Spans with a value above 4 KiB", n("spansWithOversized"), spans, n("oversizedAttributes") > 0 ? `${plural(n("oversizedAttributes"), "value")}, the largest ${formatBytes(value.oversizedBytesMax)}` : "documents belong into logs"),
            row("Attributes that the sender dropped", n("droppedAttributes"), spans, "as it says itself; share: a span"),
            row("Spans that came twice", n("duplicates"), spans, "the same id again"),
            row("Cycles of parents", n("cycles"), traces, "cut where they begin"),
          ]}
         
        />
      </Part>
      <Part title="Clocks that differ" note="From the first span of the same trace, by the calls between them; the largest difference of each. Times are shown as they were sent.">
        <Table
          label="Clocks that differ"
          columns={["Clock", "of a", ">Traces", ">Difference"]}
          rows={value.clocks.map((c) => [c.name || "(no name)", c.host ? "host" : "service", formatCount(c.traces), `${Number(c.offsetNano) > 0 ? "+" : ""}${formatDuration(Number(c.offsetNano))}`])}
          none="None: no call begins before its caller, and none ends after it without need."
        />
        {value.clockCount > value.clocks.length || value.clocksLeftOut > 0 ? (
          <p class="pad dim">
            {formatCount(value.clocks.length)} of {formatCount(value.clockCount)} clocks are shown, those with the largest differences{value.clocksLeftOut > 0 ? `; beyond a thousand, ${formatCount(value.clocksLeftOut)} differences are not told apart` : ""}.
          </p>
        ) : null}
      </Part>
    </>
  );
}
