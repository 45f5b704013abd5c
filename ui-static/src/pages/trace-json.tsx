// SPDX-License-Identifier: Apache-2.0
// JSON: the whole trace as text, as OTLP or as Jaeger has it, to read, copy and keep. Lines in view only are in the document.
import { useEffect, useRef, useState } from "preact/hooks";
import { formatBytes, formatCount } from "../model/text";
import { param, patched, replace } from "../route";
import { Loader } from "../state/load";
import { saveFile } from "../state/say";
import type { ViewProps } from "../state/traceview";
import { CopyButton, ProblemPanel } from "../ui/controls";
import { VirtualRows } from "../ui/virtual";
import { FORMATS } from "./trace-export";

/** A larger text is not laid out line by line: it can be downloaded and copied. */
const SHOWN_MAX = 24 * 1024 * 1024;
const LINE_HEIGHT = 16;
/** Of one line; the rest of it is in the copy and in the file. */
const LINE_MAX = 2000;

interface Text {
  format: string;
  text: string;
  lines: string[] | null;
}

export function JsonView({ skeleton: s, source }: ViewProps) {
  const format = param("json") === "jaeger" ? "jaeger" : "otlp";
  const [loader] = useState(() => new Loader<Text>());
  const scrollTop = useRef(0);
  const load = () =>
    void loader.run(async (stop) => {
      const text = await source.text(format, stop);
      return { format, text, lines: text.length > SHOWN_MAX ? null : JSON.stringify(JSON.parse(text), null, 2).split("\n") };
    });
  useEffect(() => {
    load();
    return () => loader.stop();
  }, [source, format]);
  const { value, error } = loader.state.value;
  const shown = value?.format === format ? value : null;
  const saved = FORMATS[format === "otlp" ? 0 : 1];
  return (
    <section class="trace-part" tabIndex={-1} aria-label="JSON">
      <div class="part-tools">
        <span class="button-group" role="group" aria-label="Format">
          {(["otlp", "jaeger"] as const).map((name) => (
            <button key={name} type="button" class="button toggle" aria-pressed={format === name} onClick={() => replace(patched({ json: name === "otlp" ? null : name }))}>
              {name === "otlp" ? "OTLP" : "Jaeger"}
            </button>
          ))}
        </span>
        {shown ? (
          <>
            <button type="button" class="button" onClick={() => saveFile(`trace-${s.traceId}.${saved.end}`, saved.type, shown.text)}>
              Download
            </button>
            <CopyButton text={shown.text} what="JSON" label="Copy" />
            <span class="dim num">
              {formatBytes(new Blob([shown.text]).size)}
              {shown.lines ? `, ${formatCount(shown.lines.length)} lines` : ""}
            </span>
          </>
        ) : null}
      </div>
      {error ? <ProblemPanel error={error} retry={load} /> : null}
      {!shown && !error ? <p class="part-note dim">Reading …</p> : null}
      {shown && !shown.lines ? <p class="part-note">Larger than {formatBytes(SHOWN_MAX)}: it can be downloaded and copied, and each span is shown in its details.</p> : null}
      {shown?.lines ? (
        <div class="json-lines mono" role="region" aria-label="JSON of the trace">
          <VirtualRows
            count={shown.lines.length}
            rowHeight={LINE_HEIGHT}
            cursor={-1}
            scrollTop={scrollTop}
            role="group"
            row={(i) => {
              const line = (shown.lines as string[])[i];
              return (
                <div key={i} class="json-line">
                  <span class="dim">{i + 1}</span>
                  {line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)} … ${formatCount(line.length - LINE_MAX)} more characters` : line}
                </div>
              );
            }}
          />
        </div>
      ) : null}
    </section>
  );
}
