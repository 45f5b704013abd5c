// SPDX-License-Identifier: Apache-2.0
// What can be taken away from a trace: files for other tools, links, the command that asks for it, a place in the comparison.
import { useEffect, useState } from "preact/hooks";
import { apiUrl, columnsPath, getPins, putPin } from "../api/client";
import { curlOf } from "../model/curl";
import { chromeOf, csvOf, speedscopeOf } from "../model/exports";
import { operationName, serviceName, type Skeleton } from "../model/skeleton";
import { formatDuration } from "../model/time";
import { inBasket, toggleBasket } from "../state/basket";
import { hint } from "../state/keys";
import { tellProblem } from "../state/load";
import { linkAddress } from "../state/range";
import { copy, saveFile, say } from "../state/say";
import type { TraceSource } from "../state/source";
import { Popover } from "../ui/controls";

interface Format {
  name: string;
  hint: string;
  end: string;
  type: string;
  text: (s: Skeleton, source: TraceSource) => Promise<string> | Iterable<string>;
}

export const FORMATS: Format[] = [
  { name: "OTLP JSON", hint: "everything, field for field", end: "otlp.json", type: "application/json", text: (_, source) => source.text("otlp") },
  { name: "Jaeger JSON", hint: "for Jaeger and its friends", end: "jaeger.json", type: "application/json", text: (_, source) => source.text("jaeger") },
  { name: "CSV", hint: "one line a span", end: "csv", type: "text/csv", text: (s) => csvOf(s) },
  { name: "Perfetto", hint: "Chrome trace events; drop it on Perfetto", end: "perfetto.json", type: "application/json", text: (s) => chromeOf(s) },
  { name: "speedscope", hint: "flame graphs by time", end: "speedscope.json", type: "application/json", text: (s) => speedscopeOf(s) },
];

async function download(format: Format, s: Skeleton, source: TraceSource): Promise<void> {
  try {
    saveFile(`trace-${s.traceId}.${format.end}`, format.type, await format.text(s, source));
  } catch (error) {
    say(`${format.name} could not be made: ${error instanceof Error ? error.message : error}`);
  }
}

const refLabel = (s: Skeleton): string => `${serviceName(s, 0)} ${operationName(s, 0)} · ${formatDuration(s.duration)}`;

/** Into the basket of traces to compare, or out of it. A file's trace is in no server, so there is nothing to compare it with. */
export function toggleCompared(s: Skeleton, source: TraceSource): void {
  if (!source.served) return say("A trace of a file cannot be compared: the server does not have it");
  say(toggleBasket({ ref: s.traceId, label: refLabel(s) }) ? "Added to compare" : "Taken out of compare");
}

/** Keeps the trace from retention, or lets it go. */
function PinOption({ id, close }: { id: string; close: () => void }) {
  const [pinned, setPinned] = useState<boolean | null>(null);
  useEffect(() => void getPins().then(({ pins }) => setPinned(pins.some((p) => p.traceId === id)), tellProblem), []);
  const change = () => {
    close();
    putPin(id, !pinned).then(() => say(pinned ? "Unpinned" : "Pinned"), tellProblem);
  };
  return (
    <button type="button" class="option" disabled={pinned === null} onClick={change}>
      {pinned ? "Unpin" : "Pin"} <span class="dim">{pinned ? "it is kept" : "keep it, whatever its age"}</span>
    </button>
  );
}

export function TraceActions({ skeleton: s, source }: { skeleton: Skeleton; source: TraceSource }) {
  const compared = inBasket(s.traceId);
  return (
    <>
      {source.served ? (
        <button type="button" class="button toggle" aria-pressed={compared} title={(compared ? "Take out of compare" : "Add to compare") + hint("trace.basket")} onClick={() => toggleCompared(s, source)}>
          {compared ? "Compared" : "Compare"}
        </button>
      ) : null}
      <Popover label="Export" title="Download and copy" class="right">
        {(close) => (
          <div class="menu">
            <p class="menu-title">Download</p>
            {FORMATS.map((format) => (
              <button
                key={format.name}
                type="button"
                class="option"
                onClick={() => {
                  close();
                  void download(format, s, source);
                }}
              >
                {format.name} <span class="dim">{format.hint}</span>
              </button>
            ))}
            {source.served ? (
              <>
                <p class="menu-title">Copy</p>
                <button type="button" class="option" onClick={() => (close(), void copy(linkAddress(), "link"))}>
                  Link to this view
                </button>
                <button type="button" class="option" onClick={() => (close(), void copy(curlOf(apiUrl(columnsPath(s.traceId))), "curl command"))}>
                  curl for the trace
                </button>
                <button type="button" class="option" onClick={() => (close(), void copy(curlOf(apiUrl(columnsPath(s.traceId), { view: "columns" })), "curl command"))}>
                  curl for its columns
                </button>
                <PinOption id={s.traceId} close={close} />
              </>
            ) : null}
          </div>
        )}
      </Popover>
    </>
  );
}
