// SPDX-License-Identifier: Apache-2.0
// Where a trace comes from: the server, or a file that never leaves the browser. The pages ask in one way.
import { signal } from "@preact/signals";
import * as api from "../api/client";
import type { Rank, TraceColumn, TraceKey } from "../api/trace-types";
import type { ColumnsAnswer, SpanDetail } from "../api/types";
import { maskOfBitmap } from "../model/find";
import type { Skeleton } from "../model/skeleton";
import { href, searchBefore } from "../route";
import { askFile } from "../views/files";
import type { FileTrace } from "../worker/file";

export interface TraceSource {
  /** True: the server has it, so there are ranks, matches and links to give away. */
  served: boolean;
  id: string;
  columns: (adjusted: boolean, onBytes: (bytes: number, all: number) => void, stop: AbortSignal) => Promise<ColumnsAnswer>;
  spans: (rows: number[], adjusted: boolean, stop?: AbortSignal) => Promise<SpanDetail[]>;
  keys: (stop: AbortSignal) => Promise<TraceKey[]>;
  column: (scope: string, key: string, adjusted: boolean, stop: AbortSignal) => Promise<TraceColumn>;
  /** 1 for each of the rows that a condition finds. */
  match: (query: string, count: number, adjusted: boolean, stop: AbortSignal) => Promise<Uint8Array>;
  /** The same for those that have a text in one of their values. */
  values: TraceSource["match"];
  /** The whole trace as text. */
  text: (format: "otlp" | "jaeger", stop?: AbortSignal) => Promise<string>;
}

export function serverSource(id: string): TraceSource {
  return {
    served: true,
    id,
    columns: (adjusted, onBytes, stop) => api.getColumns(id, stop, adjusted, onBytes),
    spans: async (rows, adjusted, stop) => (await api.getSpans(id, rows.join(","), stop, adjusted)).spans,
    keys: async (stop) => (await api.getTraceKeys(id, stop)).attributes,
    column: (scope, key, adjusted, stop) => api.getTraceColumn(id, scope, key, adjusted, stop),
    match: async (query, count, adjusted, stop) => maskOfBitmap((await api.getMatch(id, { q: query }, adjusted, stop)).bitmap, count),
    values: async (text, count, adjusted, stop) => maskOfBitmap((await api.getMatch(id, { text }, adjusted, stop)).bitmap, count),
    text: async (format, stop) => {
      const otlp = await api.getOtlpText(id, stop);
      return format === "otlp" ? otlp : askFile("convert", { otlp });
    },
  };
}

export function fileSource(id: string): TraceSource {
  return {
    served: false,
    id,
    columns: () => askFile("columns", { id }),
    spans: (rows) => askFile("spans", { id, rows }),
    keys: () => askFile("keys", { id }),
    column: (scope, key) => askFile("column", { id, scope, key }),
    match: (q) => askFile("match", { id, q }),
    values: (text) => askFile("values", { id, text }),
    text: (format) => askFile("text", { id, format }),
  };
}

export interface OpenFile {
  name: string;
  size: number;
  traces: FileTrace[];
}

/** The file that was dropped last; gone with the page. */
export const openFile = signal<OpenFile | null>(null);

export async function readFile(file: File): Promise<OpenFile> {
  const traces = await askFile("open", { file });
  openFile.value = { name: file.name, size: file.size, traces };
  return openFile.value;
}

/** Fewer spans than this say nothing about a percentile. */
export const RANK_CALLS_MIN = 20;
const HOUR_NS = 3600n * 1000000000n;
const MINUTE_NS = 60n * 1000000000n;

/** The hour before the trace, and itself: what its spans are ranked in. */
export function rankWindow(s: Skeleton): { from: string; to: string } {
  const end = s.startNs + BigInt(Math.ceil(s.duration));
  return { from: String(s.startNs > HOUR_NS ? s.startNs - HOUR_NS : 1n), to: String(end + MINUTE_NS) };
}

/** The search that the trace was opened from; without one, what there is in the time that its spans are ranked in. */
export const searchOf = (s: Skeleton, source: TraceSource): string => searchBefore() || href("explore", source.served ? rankWindow(s) : {});

export const enough = (rank: Rank): boolean => Number(rank.calls) >= RANK_CALLS_MIN;
