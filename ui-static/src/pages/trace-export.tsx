// SPDX-License-Identifier: Apache-2.0
// The menu of what can be taken away from a trace: files for other tools, links, the command that asks for it; and its pin.
import { useEffect, useState } from "preact/hooks";
import { apiUrl, columnsPath, getPins, getSystem, putPin } from "../api/client";
import { curlOf } from "../model/curl";
import { chromeOf, csvOf, speedscopeOf } from "../model/exports";
import type { Skeleton } from "../model/skeleton";
import { tellProblem } from "../state/load";
import { openInPerfetto } from "../state/perfetto";
import { copyLink } from "../state/range";
import { copy, saveFile, say } from "../state/say";
import type { TraceSource } from "../state/source";

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

/** With the address that the server was started with; the download is there without it, too. */
function PerfettoOption({ s, close }: { s: Skeleton; close: () => void }) {
  const [address, setAddress] = useState("");
  useEffect(() => void getSystem().then(({ settings }) => setAddress(settings.find(({ name }) => name === "perfetto-url")?.value ?? ""), () => {}), []);
  if (!/^http/.test(address)) return null;
  return (
    <button type="button" class="option" onClick={() => (close(), openInPerfetto(address, s))}>
      Open in Perfetto <span class="dim">hands the spans to {new URL(address).host}, in your browser</span>
    </button>
  );
}

/** Keeps the trace from retention, or lets it go. */
function PinOption({ id, close }: { id: string; close: () => void }) {
  const [pinned, setPinned] = useState<boolean | null>(null);
  useEffect(() => void getPins().then(({ pins }) => setPinned(pins.some((p) => p.traceId === id)), tellProblem), []);
  const change = () => {
    close();
    putPin(id, !pinned).then(() => say(pinned ? "Unpinned: it goes with its age" : "Pinned: it stays, however old it gets"), tellProblem);
  };
  return (
    <button type="button" class="option" disabled={pinned === null} onClick={change}>
      {pinned ? "Unpin" : "Pin"} <span class="dim">{pinned ? "it goes with its age again" : "it stays, whatever its age"}</span>
    </button>
  );
}

export interface MenuProps {
  skeleton: Skeleton;
  source: TraceSource;
  close: () => void;
}

export function TraceMenu({ skeleton: s, source, close }: MenuProps) {
  return (
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
      <PerfettoOption s={s} close={close} />
      {source.served ? (
        <>
          <p class="menu-title">Copy</p>
          <button type="button" class="option" onClick={() => (close(), copyLink())}>
            Link to this view
          </button>
          <button type="button" class="option" onClick={() => (close(), void copy(curlOf(apiUrl(columnsPath(s.traceId))), "curl command"))}>
            curl for the trace
          </button>
          <button type="button" class="option" onClick={() => (close(), void copy(curlOf(apiUrl(columnsPath(s.traceId), { view: "columns" })), "curl command"))}>
            curl for its columns
          </button>
          <p class="menu-title">Keep</p>
          <PinOption id={s.traceId} close={close} />
        </>
      ) : null}
    </div>
  );
}
