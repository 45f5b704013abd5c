// SPDX-License-Identifier: Apache-2.0
// The one file that fetches. Everything it shows is a GET of the read API, so all of it can be had with curl.
import { signal } from "@preact/signals";
import { LineSplitter, type SearchLines } from "../model/lines";
import type { Ranks, TraceColumn, TraceHead, TraceKey, TraceMatch } from "./trace-types";
import type * as api from "./types";

/** The folder the site is served from, whatever it is: the script lies in assets/NAME/ below it. */
export const base = new URL("../..", import.meta.url);

export type Params = Record<string, string | number | undefined | null>;

/** Requests under way, for the progress line of the frame. */
export const pending = signal(0);

export class ApiError extends Error {
  constructor(
    readonly problem: api.Problem,
    readonly url: string,
  ) {
    super(problem.title);
  }
}

/** The address of an API call; empty parameters are left out. */
export function apiUrl(path: string, params: Params = {}): string {
  const url = new URL(path, base);
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(key, String(value));
  }
  return url.href;
}

function get<T>(path: string, params: Params = {}, stop?: AbortSignal): Promise<T> {
  const url = apiUrl(path, params);
  return ask(url, "application/json", stop, async (response) => (await response.json()) as T);
}

async function ask<T>(url: string, accept: string, stop: AbortSignal | undefined, read: (response: Response) => Promise<T>, method = "GET", body?: string): Promise<T> {
  pending.value++;
  try {
    const response = await fetch(url, { method, headers: { accept, ...(body ? { "content-type": "application/json" } : {}) }, ...(body ? { body } : {}), ...(stop ? { signal: stop } : {}) });
    if (!response.ok) throw new ApiError(await problemOf(response), url);
    return await read(response);
  } catch (error) {
    if (error instanceof ApiError || isStopped(error)) throw error;
    // What browsers say of it ("Failed to fetch") is no help.
    const detail = error instanceof TypeError ? `${new URL(url).host} cannot be reached` : error instanceof Error ? error.message : String(error);
    throw new ApiError({ title: "Spoor does not answer", status: 0, detail }, url);
  } finally {
    pending.value--;
  }
}

async function problemOf(response: Response): Promise<api.Problem> {
  const text = await response.text();
  try {
    const body = JSON.parse(text) as Partial<api.Problem>;
    if (body && typeof body.title === "string") return { ...body, title: body.title, status: response.status };
  } catch {
    // Not JSON: a proxy answered. Its status and the beginning of its text are all there is to say.
  }
  const title = `${response.status} ${response.statusText}`.trim();
  return { title, status: response.status, detail: text.slice(0, 300) };
}

/** True for the error of a request that a newer one has made pointless. */
export function isStopped(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

export interface Range {
  from?: string | undefined;
  to?: string | undefined;
}

export const getStatus = (stop?: AbortSignal) => get<api.Status>("v1/status", {}, stop);

export const getServices = (range: Range, stop?: AbortSignal) =>
  get<{ services: api.Service[] }>("v1/services", { ...range }, stop);

/** q: only of the spans that this query finds. */
export const getKeys = (scope: string, prefix: string, range: Range, stop?: AbortSignal, q = "") =>
  get<{ attributes: api.AttributeKey[] }>("v1/attributes", { scope, prefix, ...range, limit: 50, q }, stop);

export const getValues = (scope: string, key: string, prefix: string, range: Range, stop?: AbortSignal, q = "") =>
  get<{ values: api.AttributeValue[] }>("v1/attributes", { key, scope, prefix, ...range, limit: 50, q }, stop);

export const search = (params: Params, cursor: string | null, stop?: AbortSignal) =>
  get<api.SearchAnswer>("v1/search", { ...params, cursor }, stop);

async function readPieces(response: Response, take: (text: string) => void): Promise<void> {
  if (!response.body) throw new Error("there is no body");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) take(piece.value);
}

/** Matching traces as they come in, until one side ends it: then it returns. Not counted as a request under way. */
export async function listen(params: Params, stop: AbortSignal, take: (line: api.LiveLine) => void): Promise<void> {
  const splitter = new LineSplitter();
  const response = await fetch(apiUrl("v1/live", params), { headers: { accept: "application/x-ndjson" }, signal: stop });
  if (!response.ok) throw new Error(response.statusText);
  await readPieces(response, (text) => {
    for (const line of splitter.take(text)) take(JSON.parse(line) as api.LiveLine);
  });
}

/** A search that is answered line by line; tell is called whenever there is more in lines. */
export function searchLines(params: Params, lines: SearchLines, stop: AbortSignal, tell: () => void): Promise<api.SearchAnswer> {
  const url = apiUrl("v1/search", params);
  return ask(url, "application/x-ndjson", stop, async (response) => {
    await readPieces(response, (text) => {
      lines.take(text);
      tell();
    });
    if (lines.problem) throw new ApiError(lines.problem, url);
    const answer = lines.answer();
    if (!answer) throw new Error("the answer was cut off");
    return answer;
  });
}

export const getHeatmap = (params: Params, stop?: AbortSignal) => get<api.HeatmapAnswer>("v1/heatmap", params, stop);

export const getFacets = (params: Params, stop?: AbortSignal) => get<api.FacetsAnswer>("v1/facets", params, stop);

export const getComparison = (params: Params, stop?: AbortSignal) => get<api.Comparison>("v1/compare", params, stop);

export const getPaths = (params: Params, stop?: AbortSignal) => get<api.PathsAnswer>("v1/critical-path", params, stop);

export const getComparedTraces = (a: string, b: string, stop?: AbortSignal) => get<api.ComparedTraces>("v1/compare/traces", { a, b }, stop);

export const getMetric = (params: Params, stop?: AbortSignal) => get<api.MetricAnswer>("v1/metrics/query", params, stop);

export const columnsPath = (id: string) => `v1/traces/${encodeURIComponent(id)}`;

const skew = (adjusted: boolean) => (adjusted ? "adjust" : null);

/** Says how many bytes have come, and of how many if that is known (else 0), for those who wait. */
export const getColumns = (id: string, stop?: AbortSignal, adjusted = false, onBytes?: (bytes: number, all: number) => void) =>
  ask(apiUrl(columnsPath(id), { view: "columns", skew: skew(adjusted) }), "application/json", stop, async (response) => {
    let bytes = 0;
    const { headers } = response;
    // What is gzipped on the way has another length when it is read.
    const all = Number(headers.get("spoor-body-bytes") ?? (headers.has("content-encoding") ? 0 : headers.get("content-length")));
    const counted = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        bytes += chunk.length;
        onBytes?.(bytes, all);
        controller.enqueue(chunk);
      },
    });
    return (await new Response(response.body?.pipeThrough(counted)).json()) as api.ColumnsAnswer;
  });

export const getHead = (id: string, stop?: AbortSignal) => get<TraceHead>(columnsPath(id), { view: "summary" }, stop);

export const getSpans = (id: string, rows: string, stop?: AbortSignal, adjusted = false) =>
  get<{ spans: api.SpanDetail[] }>(`${columnsPath(id)}/spans`, { rows, skew: skew(adjusted) }, stop);

/** rows: "" for all. */
export const getRanks = (id: string, rows: string, adjusted: boolean, range: Range, stop?: AbortSignal) =>
  get<Ranks>(`${columnsPath(id)}/percentiles`, { rows, skew: skew(adjusted), ...range }, stop);

/** asked: { q } finds spans, { text } those that have it in a value. */
export const getMatch = (id: string, asked: { q: string } | { text: string }, adjusted: boolean, stop?: AbortSignal) =>
  get<TraceMatch>(`${columnsPath(id)}/match`, { ...asked, skew: skew(adjusted) }, stop);

export const getTraceKeys = (id: string, stop?: AbortSignal) => get<{ attributes: TraceKey[] }>(`${columnsPath(id)}/attributes`, {}, stop);

export const getTraceColumn = (id: string, scope: string, key: string, adjusted: boolean, stop?: AbortSignal) =>
  get<TraceColumn>(`${columnsPath(id)}/attributes`, { scope, key, skew: skew(adjusted) }, stop);

export const getOtlpText = (id: string, stop?: AbortSignal) => ask(apiUrl(columnsPath(id)), "application/json", stop, (response) => response.text());

/** links: "true" for edges along links across traces, too. */
export type GraphRange = Range & { links?: "true" };

/** With links, which are looked up at each question, it is told how far that is. */
export async function getGraph(range: GraphRange, stop?: AbortSignal, tell?: (progress: api.GraphProgress) => void): Promise<api.GraphAnswer> {
  if (!range.links) return get<api.GraphAnswer>("v1/graph", { ...range, format: "json" }, stop);
  const url = graphUrl(range, "json");
  const splitter = new LineSplitter();
  let found: api.GraphAnswer | undefined;
  return ask(url, "application/x-ndjson", stop, async (response) => {
    await readPieces(response, (piece) => {
      for (const text of splitter.take(piece)) {
        const line = JSON.parse(text) as { progress?: api.GraphProgress; graph?: api.GraphAnswer; problem?: api.Problem };
        if (line.problem) throw new ApiError(line.problem, url);
        if (line.progress) tell?.(line.progress);
        found = line.graph;
      }
    });
    if (!found) throw new Error("the answer was cut off");
    return found;
  });
}

export const getFocus = (range: Range, service: string, stop?: AbortSignal) =>
  get<api.GraphAnswer>("v1/graph", { ...range, format: "json", service, hops: 1 }, stop);

export const getLatency = (params: Params, stop?: AbortSignal) => get<api.LatencyAnswer>("v1/latency", params, stop);

export const getLatencyBy = (params: Params & { by: string }, stop?: AbortSignal) => get<api.LatencyByAnswer>("v1/latency", params, stop);

export const getMetricRange = (params: Params, stop?: AbortSignal) => get<api.MetricRange>("v1/metrics/query_range", params, stop);

export const getGraphDifference = (params: Params, stop?: AbortSignal) => get<api.GraphDifference>("v1/graph", { ...params, format: "json", hops: 1 }, stop);

export const getGraphSeries = (params: Params & { step: string }, stop?: AbortSignal) => get<api.GraphSeries>("v1/graph", { ...params, format: "json" }, stop);

export const getLatencySeries = (params: Params & { step: string }, stop?: AbortSignal) =>
  get<api.LatencySeries>("v1/latency", params, stop);

export const getGraphCalls = (params: Params, stop?: AbortSignal) => get<api.GraphCalls>("v1/graph/calls", params, stop);

export const graphUrl = (range: GraphRange, format: string) => apiUrl("v1/graph", { ...range, format });

export const getSystemHistory = (since: string) => get<api.SystemHistory>("v1/system/history", { since });
export const getSystem = (stop?: AbortSignal) => get<api.SystemAnswer>("v1/system", {}, stop);

export const getQuality = (params: Params, stop?: AbortSignal) => get<api.QualityAnswer>("v1/quality", params, stop);

export const getPins = (stop?: AbortSignal) => get<api.PinsAnswer>("v1/pins", {}, stop);

/** What is not a GET. */
const change = (method: "PUT" | "DELETE", path: string): Promise<void> => ask(apiUrl(path), "application/json", undefined, async () => undefined, method);

/** The server refuses it unless it was started with --allow-cancel. */
export const cancelQuery = (id: string): Promise<void> => change("DELETE", `v1/queries/${encodeURIComponent(id)}`);

/** A pinned trace is not removed by retention. */
export const putPin = (traceId: string, pinned: boolean): Promise<void> => change(pinned ? "PUT" : "DELETE", `v1/pins/${traceId}`);

/** Parameters of a page that are too long for an address, and the id they are kept under. */
export const makeLink = (state: string) => ask(apiUrl("v1/links"), "application/json", undefined, async (response) => ((await response.json()) as { id: string }).id, "POST", JSON.stringify({ state }));
export const getLink = async (id: string) => (await get<{ state: string }>(`v1/links/${encodeURIComponent(id)}`)).state;
