// SPDX-License-Identifier: Apache-2.0
// Trace: gets the columns of one trace, from the server or from a file, and says so while it waits and when there are none. What is
// shown of it: trace-view.tsx.
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { type ApiError, getHead } from "../api/client";
import type { TraceHead } from "../api/trace-types";
import { decodeSkeleton, type Skeleton } from "../model/skeleton";
import { formatBytes, formatCount, plural, shortName } from "../model/text";
import { formatClock, formatDay, formatDuration, formatFull } from "../model/time";
import { go, href, param, patched, replace } from "../route";
import { isPassing, Loader, useRetry } from "../state/load";
import { zone } from "../state/prefs";
import { fileSource, openFile, readFile, serverSource, type TraceSource } from "../state/source";
import { say } from "../state/say";
import { ErrorMark, Name, ProblemPanel, SortHead, useTitle, useWaits } from "../ui/controls";
import type { FileTrace } from "../worker/file";
import type { MissingProps } from "./trace-missing";
import { bringDetails, TraceView } from "./trace-view";

const trace = new Loader<{ skeleton: Skeleton; source: TraceSource }>();
/** Bytes that have come, and how many there are; 0: not known. */
const read = signal([0, 0]);

/** A key of what is shown: another one begins anew. */
const keyOf = (source: TraceSource, adjusted: boolean) => `${source.served} ${source.id} ${adjusted}`;

export function TracePage() {
  const fromFile = param("src") === "file";
  // A 16-digit id is a 128-bit one whose upper half is zero.
  const id = param("id") && param("id").toLowerCase().padStart(32, "0");
  const adjusted = param("skew") === "adj" && !fromFile;
  const file = openFile.value;
  const wanted = fromFile ? (file?.traces.find((t) => t.id === id) ?? (id ? undefined : file?.traces.length === 1 ? file.traces[0] : undefined))?.id : id;
  const source = useMemo(() => (wanted ? (fromFile ? fileSource(wanted) : serverSource(wanted)) : null), [wanted, fromFile, file]);
  usePaste();
  useTitle(wanted ? `Trace ${wanted.slice(0, 8)}` : "Trace");
  const load = () => {
    if (!source) return;
    read.value = [0, 0];
    void trace.run(async (stop) => {
      const answer = await source.columns(adjusted, (...sizes) => {
        read.value = sizes;
      }, stop);
      return { skeleton: decodeSkeleton(answer), source };
    });
  };
  useEffect(() => {
    if (param("span")) void bringDetails();
    load();
    return () => trace.stop();
  }, [source, adjusted]);
  const { value, error } = trace.state.value;
  useRetry(error, load);
  const shown = value && value.source === source && (value.skeleton.skew?.adjusted ?? false) === adjusted ? value : null;
  return (
    <div class="file-drop">
      {!source ? (
        <NoTrace fromFile={fromFile} />
      ) : error && !(shown && isPassing(error)) ? (
        <Failed error={error} id={source.id} retry={load} served={source.served} />
      ) : shown ? (
        <TraceView key={keyOf(source, adjusted)} skeleton={shown.skeleton} source={source} adjusted={adjusted} reload={load} stale={error !== null} />
      ) : (
        <Waiting key={source.id} source={source} />
      )}
    </div>
  );
}

/** The head at once, rows as shades, and how much of it has come. */
function Waiting({ source }: { source: TraceSource }) {
  const [bytes, all] = read.value;
  const [head, setHead] = useState<TraceHead | null>(null);
  useEffect(() => {
    if (!source.served) return;
    const stopper = new AbortController();
    // Small traces are there before anybody waits.
    const timer = window.setTimeout(() => {
      getHead(source.id, stopper.signal).then(setHead, () => undefined);
    }, 150);
    return () => {
      window.clearTimeout(timer);
      stopper.abort();
    };
  }, [source]);
  return (
    <div class={`trace-loading ${param("view") === "graph" ? "shows-graph" : ""}`} ref={useWaits()}>
      <h1>{head ? `${head.firstServiceName} ${head.firstSpanName}` : `Trace ${source.id}`}</h1>
      <p role="status">
        {head ? `${formatDuration(Number(head.durationNano))}, ${plural(head.spanCount, "span")} ` : "Reading "}
        {bytes > 0 ? <span class="dim num">{`${formatBytes(bytes)}${all > 0 ? ` of ${formatBytes(all)}` : ""} read`}</span> : null} …
      </p>
      <progress {...(all > 0 ? { max: all, value: bytes } : {})} aria-label="Read of the trace" />
    </div>
  );
}

function NoTrace({ fromFile }: { fromFile: boolean }) {
  const file = openFile.value;
  if (fromFile && file) {
    return (
      <section class="empty">
        <h1>{plural(file.traces.length, "trace")} in this file</h1>
        <p>
          <b>{file.name}</b> <span class="dim">({formatBytes(file.size)}) is read in this browser and sent nowhere.</span>
        </p>
        <FileTraces traces={file.traces} />
        <OpenFileButton />
      </section>
    );
  }
  return (
    <section class="empty">
      <h1>{fromFile ? "Which file?" : "Which trace?"}</h1>
      {fromFile ? null : <p>Paste a trace id or a traceparent into the box above.</p>}
      <p>Drop a file of traces here: OTLP JSON, Jaeger JSON or Zipkin JSON, also with gzip. It is read in this browser and sent nowhere.</p>
      <OpenFileButton />
    </section>
  );
}

const FILE_TRACES_SHOWN = 200;

const nameOf = (t: FileTrace): string => `${t.service} ${t.name}`;

/** Name in the address, head, what rows are put in the order of, and whether it is a number. */
const COLUMNS: [id: string, head: string, key: (t: FileTrace) => bigint | number | string, right?: boolean][] = [
  ["trace", "Trace", nameOf],
  ["start", "Start", (t) => t.startNs],
  ["duration", "Duration", (t) => t.duration, true],
  ["spans", "Spans", (t) => t.spanCount, true],
  ["errors", "Errors", (t) => t.errors, true],
  ["id", "Id", (t) => t.id],
];

/** In the order of time, unless the address has another one. */
function FileTraces({ traces }: { traces: FileTrace[] }) {
  const [all, setAll] = useState(false);
  const rest = traces.length - FILE_TRACES_SHOWN;
  const order = param("sort");
  const down = order.startsWith("-");
  const [chosen, , keyOf] = COLUMNS.find(([id]) => id === order.replace("-", "")) ?? COLUMNS[1];
  const sorted = [...traces].sort((a, b) => {
    const [x, y] = [keyOf(a), keyOf(b)];
    return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
  });
  return (
    <>
      <div class="table-box">
        <table class="edges file-traces">
          <thead>
            <tr>
              {COLUMNS.map(([id, head, , right]) => (
                <SortHead key={id} class={right ? "right" : undefined} down={id === chosen && down} up={id === chosen && !down} sort={() => replace(patched({ sort: (id === chosen ? !down : right) ? `-${id}` : id }))}>
                  {head}
                </SortHead>
              ))}
            </tr>
          </thead>
          <tbody>
            {(all ? sorted : sorted.slice(0, FILE_TRACES_SHOWN)).map((t) => (
              <tr key={t.id}>
                <td>
                  <a class="link" href={href("trace", { src: "file", id: t.id })}>
                    <Name name={shortName(nameOf(t))} />
                  </a>
                </td>
                <td class="num" title={formatFull(t.startNs, zone.value)}>
                  {formatDay(t.startNs, zone.value)} {formatClock(t.startNs, zone.value)}
                </td>
                <td class="num right">{formatDuration(t.duration)}</td>
                <td class="num right">
                  {formatCount(t.spanCount)}
                  <span class="narrow-only"> {t.spanCount === 1 ? "span" : "spans"}</span>
                </td>
                <td class="num right">
                  {t.errors > 0 ? <ErrorMark count={t.errors} /> : "0"}
                  {t.errors > 0 ? null : <span class="narrow-only"> errors</span>}
                </td>
                <td class="mono">{t.id.replace(/^0{16}/, "").slice(0, 8)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rest > 0 && !all ? (
        <button type="button" class="link" onClick={() => setAll(true)}>
          Show the other {formatCount(rest)}
        </button>
      ) : null}
    </>
  );
}

export async function take(file: File | undefined): Promise<void> {
  if (!file) return;
  try {
    const { traces } = await readFile(file);
    go(href("trace", { src: "file", id: traces.length === 1 ? traces[0].id : null }));
  } catch (error) {
    say(`${file.name} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

/** Kept, so that it is there when the dialog is answered. */
let chooser: HTMLInputElement;

export function chooseFile(): void {
  chooser = document.createElement("input");
  chooser.type = "file";
  chooser.accept = ".json,.jsonl,.ndjson,.gz,application/json";
  chooser.onchange = () => void take(chooser.files?.[0]);
  chooser.click();
}

function OpenFileButton() {
  return (
    <p class="open-file">
      <button type="button" class="button" onClick={chooseFile}>
        Open a file
      </button>
    </p>
  );
}

/** JSON that is pasted is a file without a name. (Files that are dropped: state/opening.ts.) */
function usePaste(): void {
  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const text = event.clipboardData?.getData("text") ?? "";
      const typing = event.target instanceof HTMLElement && /^(INPUT|TEXTAREA)$/.test(event.target.tagName);
      if (!typing && /^\s*[[{]/.test(text)) void take(new File([text], "pasted text"));
    };
    document.addEventListener("paste", paste);
    return () => document.removeEventListener("paste", paste);
  }, []);
}

/** What to do when there is no trace comes on demand; until then, and without it, the problem alone. */
function Failed(props: MissingProps) {
  const [Missing, setMissing] = useState<ComponentType<MissingProps> | null>(null);
  useEffect(() => {
    import("./trace-beside").then((m) => setMissing(() => m.Missing), () => undefined);
  }, []);
  return Missing ? <Missing {...props} /> : <ProblemPanel error={props.error as ApiError} retry={props.retry} />;
}
