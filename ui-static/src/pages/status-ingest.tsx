// SPDX-License-Identifier: Apache-2.0
// Status, what comes in: spans a second by protocol, what was refused and why, what waits.
import { useState } from "preact/hooks";
import type { SystemAnswer } from "../api/types";
import { counterOf, countersOf, labelOf, rateOf, ratesOf, type Sample, stepOf } from "../model/system";
import { formatBytes, formatCount, formatPercent, formatRate } from "../model/text";
import { formatClock, formatDuration } from "../model/time";
import { zone } from "../state/prefs";
import { Chart } from "../ui/chart";
import { Room } from "../ui/controls";
import { type Figure, Figures, Part, Table } from "./status-parts";

/** Of a reason as the server names it: "NO_MEMORY" reads as "no memory". */
const words = (name: string) => name.toLowerCase().replaceAll("_", " ");

/** How far what is stored is behind the clock: of the newest span, by its own start. */
function lagOf(value: SystemAnswer): Figure {
  const { newestUnixNano } = value.store;
  const behind = newestUnixNano ? Number(BigInt(value.nowUnixNano) - BigInt(newestUnixNano)) : null;
  if (behind === null) return { name: "Lag", value: "–", note: "no span is stored" };
  return behind < 0
    ? { name: "Lag", value: "none", note: `the newest span begins ${formatDuration(-behind)} in the future: a clock is ahead` }
    : { name: "Lag", value: formatDuration(behind), note: "since the newest span began, by its sender's clock" };
}

export function Ingest({ value, samples }: { value: SystemAnswer; samples: Sample[] }) {
  const [table, setTable] = useState(false);
  const rates = ratesOf(samples);
  const [before, now] = samples.slice(-2);
  const last = now ? rateOf(before, now) : null;
  const rate = (n: number | null) => (n === null ? "–" : formatRate(n, 1));
  const most = Math.max(0, ...rates.map((r) => Math.max(r.grpc ?? 0, r.http ?? 0)));
  const time = (ns: bigint) => formatClock(ns, zone.value, 0);
  const rejected = counterOf(value, "spoor_rejected_spans");
  const acked = counterOf(value, "spoor_acked_spans");
  const counted = (name: string) => countersOf(value, name).filter((c) => c.value !== "0");
  const [away] = counted("spoor_refused_connections");
  const reasons = counted("spoor_refused_requests_by_reason");
  const refused = reasons.reduce((sum, c) => sum + Number(c.value), 0);
  const requests = counterOf(value, "spoor_received_requests");
  const lines = (["grpc", "http"] as const).map((p, i) => ({ name: p === "grpc" ? "OTLP/gRPC" : "OTLP/HTTP", values: rates.map((r) => r[p]), look: `line-${i + 1}` }));
  if (countersOf(value, "spoor_acked_spans").length === 0) {
    return <p class="pad">This process only answers queries: spans come in through another one.</p>;
  }
  return (
    <>
      <Figures
        list={[
          last?.grpc == null || last.http === null
            ? { name: "Spans a second", value: "…", note: "two readings are needed" }
            : { name: "Spans a second", value: rate(last.grpc + last.http), note: `gRPC ${rate(last.grpc)}, HTTP ${rate(last.http)}` },
          { name: "Spans since start", value: formatCount(acked), note: `in ${formatCount(requests)} requests, ${formatBytes(counterOf(value, "spoor_received_bytes"))}` },
          { name: "Requests refused", value: formatCount(refused), note: `${formatPercent(refused, requests)} of all`, bad: refused > 0 },
          { name: "Spans refused", value: formatCount(rejected), note: "one by one, in requests that were taken", bad: rejected > 0 },
          { name: "Connections refused", value: formatCount(away?.value ?? 0), note: away?.advice ?? `${formatCount(counterOf(value, "spoor_open_connections", "otlp"))} are open`, bad: !!away },
          { name: "Waiting for the disk", value: formatCount(counterOf(value, "spoor_open_requests")), note: "requests, not acked yet" },
          lagOf(value),
          { name: "Acked, not in place", value: formatCount(value.store.backlogRequests), note: `${formatBytes(value.store.backlogBytes)}; visible and durable already` },
        ]}
      />
      <Part
        title="Spans a second"
        note={
          <>
            The last hour, or since the server was started, in steps of {stepOf(samples)} seconds.{" "}
            <button type="button" class="link" onClick={() => setTable(!table)}>
              {table ? "View as chart" : "View as table"}
            </button>
          </>
        }
      >
        {rates.length === 0 ? (
          <div class="status-chart">
            <Room look="boxed" />
          </div>
        ) : table ? (
          <Table
            label="Spans a second"
            columns={["Until", ">OTLP/gRPC", ">OTLP/HTTP", ">Requests"]}
            rows={[...rates].reverse().map((r) => [time(r.at), ...[r.grpc, r.http, r.requests].map(rate)])}
          />
        ) : (
          <div class="status-chart">
            <Chart
              title="By protocol"
              description={`Spans a second by protocol, at most ${rate(most)}. The table has every number.`}
              lines={lines}
              format={rate}
              ends={[time(rates[0].at), time(rates[rates.length - 1].at)]}
              stepName={(i) => time(rates[i].at)}
            />
          </div>
        )}
      </Part>
      <Part title="Requests refused, by reason" note="Since start. Senders try those again that may be tried again; how many spans the others had is not known.">
        <Table
          label="Reasons"
          columns={["Reason", ">Requests", ">Of all", "Tried again"]}
          rows={reasons.map((c) => [words(labelOf(c, "reason")), formatCount(c.value), formatPercent(Number(c.value), requests), labelOf(c, "retryable") === "true" ? "yes" : "no"])}
          none="None was refused."
        />
      </Part>
      <Part title="Spans refused, by reason" note="Since start, in requests that were taken; not tried again. Each answer told its sender where the first one stands.">
        <Table
          label="Reasons of spans"
          columns={["Reason", ">Spans", "What it is"]}
          rows={counted("spoor_rejected_spans_by_reason").map((c) => [words(labelOf(c, "reason")), formatCount(c.value), c.advice])}
          none="None was refused."
        />
      </Part>
    </>
  );
}
