// SPDX-License-Identifier: Apache-2.0
// Reads a file with traces off the main thread, keeps its spans, and answers what the server would answer about them; looks at large traces
// for their overview. Nothing leaves the browser: this worker fetches nothing.
import type { ColumnsAnswer, SpanDetail } from "../api/types";
import type { TraceColumn, TraceKey } from "../api/trace-types";
import { valueToText } from "../model/anyvalue";
import { assemble, type Assembled } from "../model/assemble";
import { compileCondition } from "../model/condition";
import { textOf } from "../model/file-text";
import { jaegerOf } from "../model/jaeger";
import { otlpOf, readSpans, type Stored } from "../model/otlp";
import { type Looked, type Overview, overviewOf } from "../model/overview";

export interface FileTrace {
  id: string;
  /** Of the root, or of what stands first. */
  service: string;
  name: string;
  startNs: bigint;
  /** Nanoseconds. */
  duration: number;
  spanCount: number;
  errors: number;
}

/** What can be asked, and what is answered. */
export interface FileQuestions {
  open: { ask: { file: Blob }; answer: FileTrace[] };
  columns: { ask: { id: string }; answer: ColumnsAnswer };
  spans: { ask: { id: string; rows: number[] }; answer: SpanDetail[] };
  keys: { ask: { id: string }; answer: TraceKey[] };
  column: { ask: { id: string; scope: string; key: string }; answer: TraceColumn };
  /** 1 for each row that a condition finds. */
  match: { ask: { id: string; q: string }; answer: Uint8Array };
  /** 1 for each row that has the text in a value. */
  values: { ask: { id: string; text: string }; answer: Uint8Array };
  text: { ask: { id: string; format: "otlp" | "jaeger" }; answer: string };
  /** OTLP JSON of a server, as Jaeger has it. */
  convert: { ask: { otlp: string }; answer: string };
  /** Of any trace, also the server's. */
  overview: { ask: { trace: Looked; width: number; lanesMax: number }; answer: Overview };
}

const traces = new Map<string, Stored[]>();
let assembled: { id: string; trace: Assembled } | null = null;

function traceOf(id: string): Assembled {
  if (assembled?.id === id) return assembled.trace;
  const spans = traces.get(id);
  if (!spans) throw new Error(`the file has no trace ${id}`);
  assembled = { id, trace: assemble(spans) };
  return assembled.trace;
}

/** The earliest root gives the name: a part of a trace may have none. */
function listed(id: string, spans: Stored[]): FileTrace {
  const startOf = ({ span }: Stored) => BigInt(span.startTimeUnixNano ?? 0);
  const roots = spans.filter((s) => !/[^0]/.test(s.span.parentSpanId ?? ""));
  const { span, resource } = (roots.length > 0 ? roots : spans).reduce((a, b) => (startOf(b) < startOf(a) ? b : a));
  let [start, end] = [startOf(spans[0]), 0n];
  for (const s of spans) {
    const [from, to] = [startOf(s), BigInt(s.span.endTimeUnixNano ?? 0)];
    if (from < start) start = from;
    if (to > end) end = to;
  }
  const service = resource.attributes?.find((a) => a.key === "service.name")?.value;
  return { id, service: service ? valueToText(service) : "", name: span.name ?? "", startNs: start, duration: Number(end > start ? end - start : 0n), spanCount: spans.length, errors: spans.filter((s) => s.span.status?.code === 2).length };
}

const attributesOf = (s: Stored, scope: string) => (scope === "resource" ? s.resource.attributes : scope === "span" ? s.span.attributes : s.scope.attributes) ?? [];

/** Where the server looks for a text, too: query/trace_match.c. */
function hasText({ span, resource, scope }: Stored, small: string): boolean {
  const [events, links] = [span.events ?? [], span.links ?? []];
  const lists = [span, resource, scope, ...events, ...links].flatMap((part) => part.attributes ?? []);
  return [span.status?.message ?? "", ...events.map((e) => e.name ?? ""), ...lists.map((a) => valueToText(a.value))].some((text) => text.toLowerCase().includes(small));
}

const answers: { [K in keyof FileQuestions]: (ask: FileQuestions[K]["ask"]) => FileQuestions[K]["answer"] | Promise<FileQuestions[K]["answer"]> } = {
  async open({ file }) {
    traces.clear();
    assembled = null;
    for (const s of readSpans(await textOf(file))) {
      const list = traces.get(s.span.traceId);
      if (list) list.push(s);
      else traces.set(s.span.traceId, [s]);
    }
    return [...traces].map(([id, spans]) => listed(id, spans)).sort((a, b) => (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : 0));
  },
  columns: ({ id }) => traceOf(id).columns,
  spans: ({ id, rows }) => rows.map((row) => ({ row, ...traceOf(id).spans[row] })),
  keys({ id }) {
    const counts = new Map<string, TraceKey>();
    for (const s of traceOf(id).spans) {
      for (const scope of ["span", "resource", "instrumentation"]) {
        for (const key of new Set(attributesOf(s, scope).map((a) => a.key))) {
          const found = counts.get(`${scope} ${key}`);
          if (found) found.spanCount++;
          else counts.set(`${scope} ${key}`, { scope, key, spanCount: 1 });
        }
      }
    }
    return [...counts.values()];
  },
  column({ id, scope, key }) {
    const texts = traceOf(id).spans.map((s) => {
      const found = attributesOf(s, scope).find((a) => a.key === key);
      return found ? valueToText(found.value) : null;
    });
    const values = [...new Set(texts.filter((t) => t !== null))].sort();
    const at = new Map(values.map((v, i) => [v, i]));
    return { spanCount: texts.length, values, column: texts.map((t) => (t === null ? -1 : (at.get(t) ?? -1))) };
  },
  match({ id, q }) {
    const trace = traceOf(id);
    const test = compileCondition(q, trace);
    return Uint8Array.from({ length: trace.spans.length }, (_, row) => (test(row) ? 1 : 0));
  },
  values: ({ id, text }) => Uint8Array.from(traceOf(id).spans, (s) => (hasText(s, text.toLowerCase()) ? 1 : 0)),
  text: ({ id, format }) => JSON.stringify(format === "otlp" ? otlpOf(traceOf(id).spans) : jaegerOf(traceOf(id).spans)),
  convert: ({ otlp }) => JSON.stringify(jaegerOf(readSpans(otlp))),
  overview: ({ trace, width, lanesMax }) => overviewOf(trace, width, lanesMax),
};

/** One after the other: what is asked about a file waits until it is read. */
let last = Promise.resolve();

self.addEventListener("message", (event: MessageEvent<{ ticket: number; question: keyof FileQuestions; ask: never }>) => {
  const { ticket, question, ask } = event.data;
  last = last.then(async () => {
    try {
      self.postMessage({ ticket, answer: await answers[question](ask) });
    } catch (error) {
      self.postMessage({ ticket, problem: error instanceof Error ? error.message : String(error) });
    }
  });
});
