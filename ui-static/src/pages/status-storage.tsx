// SPDX-License-Identifier: Apache-2.0
// Status, what is kept: how much, from when to when, how long it will fit, and what the store is behind with.
import { useEffect } from "preact/hooks";
import { getPins, putPin } from "../api/client";
import type { PinsAnswer, SystemAnswer } from "../api/types";
import { compressionOf, forecastOf, limitText } from "../model/system";
import { formatBytes, formatCount, formatPercent, plural } from "../model/text";
import { formatAge, formatDuration, formatMilli } from "../model/time";
import { href } from "../route";
import { Loader, tellProblem } from "../state/load";
import { zone } from "../state/prefs";
import { Figures, Part, Table } from "./status-parts";

/** Asked for anew whenever the page is: whoever pins does it elsewhere. */
function Pinned({ now }: { now: bigint }) {
  const { value } = pins.state.value;
  const load = () => void pins.run(getPins);
  useEffect(load, [now]);
  return value ? (
    <Part title="Pinned traces" note={value.pins.length > 0 ? `They are not removed: ${plural(Number(value.segments), "segment")}, ${formatBytes(value.segmentBytes)}, stay for them.` : ""}>
      <Table
        label="Pinned traces"
        columns={["Trace", ">Pinned", ""]}
        rows={value.pins.map(({ traceId, pinnedUnixNano }) => [
          <a key={traceId} href={href("trace", { id: traceId })}>
            <code>{traceId}</code>
          </a>,
          formatAge(BigInt(pinnedUnixNano), now),
          <button type="button" class="button" aria-label={`Unpin ${traceId}`} onClick={() => void putPin(traceId, false).then(load, tellProblem)}>
            Unpin
          </button>,
        ])}
        none="None. A trace is pinned by its menu Export."
      />
    </Part>
  ) : null;
}

const pins = new Loader<PinsAnswer>();

export function Storage({ value }: { value: SystemAnswer }) {
  const s = value.store;
  const now = BigInt(value.nowUnixNano);
  const spans = Number(s.spanCount);
  const at = (ns: string | null) => (ns ? { value: formatAge(BigInt(ns), now), note: formatMilli(BigInt(ns), zone.value) } : { value: "–", note: "nothing is stored" });
  const forecast = forecastOf(value);
  const compression = compressionOf(value);
  const removed = Number(s.removedByAgeSpans) + Number(s.removedBySizeSpans);
  return (
    <>
      <Figures
        list={[
          { name: "Stored", value: formatBytes(s.storedBytes), note: spans > 0 ? `${(Number(s.storedBytes) / spans).toFixed(1)} bytes a span, the journal and what waits to be merged included` : "no span yet" },
          { name: "Spans", value: formatCount(s.spanCount), note: `${formatCount(s.traceCount)} traces` },
          {
            name: "Compression",
            value: compression ? `${compression.ratio.toFixed(compression.ratio < 10 ? 1 : 0)} : 1` : "–",
            note: compression ? `${formatCount(Math.round(compression.received))} B a span came since start, as sent; ${compression.stored.toFixed(1)} B are kept` : "no span came since start",
          },
          { name: "Oldest", ...at(s.oldestUnixNano) },
          { name: "Newest", ...at(s.newestUnixNano) },
          { name: "Segments", value: formatCount(s.segmentCount), note: s.droppedSegments === "0" ? "all of them are read" : `${formatCount(s.droppedSegments)} more are gone and still take room` },
          { name: "Merge debt", value: formatCount(s.mergeWaitingSegments), note: "segments that are due to be merged" },
        ]}
      />
      <Part title="How long it fits">
        <Table
          label="Room"
          columns={["What", ">Value", "Remark"]}
          rows={[
            ["Removed by age", s.retentionAgeNano === "0" ? "never" : formatDuration(Number(s.retentionAgeNano)), "--retention"],
            ["Removed by size", s.retentionBytes === "0" ? "never" : `above ${limitText(s.retentionBytes, "bytes")}`, "--retention-size"],
            ["Free on the disk", s.disk ? formatBytes(s.disk.freeBytes) : "not known", s.disk ? `${formatPercent(Number(s.disk.freeBytes), Number(s.disk.allBytes))} of ${formatBytes(s.disk.allBytes)}` : ""],
            ["Growth", forecast.bytesADay === null ? "not known yet" : `${formatBytes(Math.round(forecast.bytesADay))} a day`, forecast.basis],
            ["Full", forecast.fullInNs === null ? "–" : forecast.fullInNs === 0 ? "now" : `in ${formatDuration(forecast.fullInNs)}`, forecast.until],
          ]}
        />
      </Part>
      <Pinned now={now} />
      <Part title="Work of the store" note="Since start.">
        <Table
          label="Work of the store"
          columns={["What", ">Number", "Remark"]}
          rows={[
            ["Requests made durable", formatCount(s.requestsStored), `in ${formatCount(s.commits)} commits to the disk`],
            ["Merges", formatCount(s.merges), `${formatCount(s.mergedSpans)} spans, ${formatDuration(Number(s.mergeCpuNano))} of CPU`],
            ["Merges that failed", formatCount(s.mergeFailures), "they are tried again"],
            ["Acked requests that could not be put in place", formatCount(s.applyFailures), s.applyFails ? "▲ the last try failed; the journal keeps them" : "none is waiting for another try"],
            ["Spans removed", formatCount(removed), `${formatCount(s.removedByAgeSpans)} by age, ${formatCount(s.removedBySizeSpans)} by size`],
          ]}
        />
      </Part>
    </>
  );
}
