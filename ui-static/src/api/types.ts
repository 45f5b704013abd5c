// SPDX-License-Identifier: Apache-2.0
// The read API's answers, as docs/api.md fixes them. 64-bit integers come as strings.

import type { ClockSkew, EventColumns, PeerColumns } from "./trace-types";

export interface Status {
  version: string;
  startedAtUnixNano: string;
  spanCount: string;
  traceCount: string;
  requestCount: string;
  storedBytes: string;
  oldestUnixNano: string | null;
  newestUnixNano: string | null;
  listen: { otlpGrpc: string; otlpHttp: string; http: string };
}

export interface Service {
  name: string;
  spanCount: string;
  errorCount: string;
  slot: number;
}

export interface AttributeKey {
  scope: string;
  key: string;
  type: string;
  spanCount: string;
}

export interface AttributeValue {
  value: string;
  type: string;
  count: string;
}

export interface MatchedSpan {
  spanId: string;
  serviceName: string;
  name: string;
  kind: string;
  status: string;
  startTimeUnixNano: string;
  durationNano: string;
}

export interface TraceService {
  name: string;
  spanCount: number;
  errorCount: number;
  slot: number;
}

export interface TraceSummary {
  traceId: string;
  rootServiceName: string;
  rootTraceName: string;
  startTimeUnixNano: string;
  durationNano: string;
  spanCount: number;
  errorCount: number;
  matchedSpanIds: string[];
  matchedSpanCount: number;
  matchedSpans: MatchedSpan[];
  /** All services of the trace; the list may hold only the largest. */
  serviceCount?: number;
  services: TraceService[];
  /** What it is ordered by, if that is a number made of its spans. */
  orderValue?: AnyValue;
  /** The sets of spans that the query made, each with its first spans. */
  spanSets?: { matched: number; spans: SetSpan[] }[];
}

export interface SetSpan extends MatchedSpan {
  /** What select() asked for. */
  attributes?: KeyValue[];
}

export interface SearchAnswer {
  traces: TraceSummary[];
  /** False when the search ended early: the page was full and enough is counted, or its time was over. */
  complete: boolean;
  incompleteReason?: "pageFull" | "timeBudget" | "part" | null;
  cursor: string | null;
  scanned: { segments: number; rows: string; bytes: string; traces: string };
  matchedTraces: number;
  order: string;
  tookMs: number;
  /** Not of the API: a person has ended the search there. */
  stopped?: { passedRows: string; totalRows: string } | undefined;
  /** Nor this: the search went on, and that failed. What it had found before stays. */
  failed?: Problem | undefined;
}

/** One line of a search that goes on. */
export interface LiveLine {
  trace?: TraceSummary;
  live?: { atUnixNano: string; complete: boolean; waiting?: number; skipped?: number; unseenRequests?: number };
  done?: { reason: string };
  problem?: Problem;
}

/** How far a search is: rows that are behind it, and of the candidates found so far those that were evaluated. */
export interface SearchProgress {
  scanned: SearchAnswer["scanned"];
  passedRows: string;
  totalRows: string;
  totalSegments: number;
  knownTraces: string;
  matchedTraces: number;
  elapsedMs: number;
}

export type ColumnName =
  | "start"
  | "duration"
  | "self"
  | "depth"
  | "subtreeSize"
  | "parent"
  | "service"
  | "operation"
  | "kind"
  | "status"
  | "flags";

export interface ColumnsAnswer {
  traceId: string;
  startTimeUnixNano: string;
  durationNano: string;
  spanCount: number;
  errorCount: number;
  orphanCount: number;
  duplicateCount: number;
  rootCount: number;
  depthMax: number;
  cycleCount: number;
  services: { name: string; slot: number }[];
  operations: string[];
  columns: Record<ColumnName, number[]>;
  spanIds: string;
  missingParents: { row: number; parentSpanId: string }[];
  criticalPath: { row: number; start: number; end: number }[];
  criticalPathNote?: string;
  events: EventColumns;
  peers: PeerColumns;
  clockSkew?: ClockSkew;
}

export interface AnyValue {
  stringValue?: string;
  intValue?: string | number;
  doubleValue?: number | string;
  boolValue?: boolean;
  bytesValue?: string;
  arrayValue?: { values?: AnyValue[] };
  kvlistValue?: { values?: KeyValue[] };
}

export interface KeyValue {
  key: string;
  value?: AnyValue;
}

export interface SpanEvent {
  timeUnixNano?: string;
  name?: string;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
}

export interface SpanLink {
  traceId: string;
  spanId: string;
  traceState?: string;
  attributes?: KeyValue[];
}

export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  flags?: number;
  name?: string;
  kind?: number;
  startTimeUnixNano?: string;
  endTimeUnixNano?: string;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
  events?: SpanEvent[];
  droppedEventsCount?: number;
  links?: SpanLink[];
  droppedLinksCount?: number;
  status?: { code?: number; message?: string };
}

export interface SpanDetail {
  row: number;
  span: OtlpSpan;
  resource: { attributes?: KeyValue[]; droppedAttributesCount?: number };
  resourceSchemaUrl?: string;
  scope: { name?: string; version?: string; attributes?: KeyValue[] };
  scopeSchemaUrl?: string;
}

export interface Quantiles {
  p50: string;
  p90: string;
  p95: string;
  p99: string;
}

export interface GraphNode {
  service: string;
  type: "service" | "database" | "messaging" | "external" | "client";
  slot: number;
  calls: string;
  errors: string;
}

export interface GraphEdge {
  client: string;
  server: string;
  connectionType: string;
  calls: string;
  errors: string;
  clientLatency: Quantiles | null;
  serverLatency: Quantiles | null;
  exemplarTraceId: string | null;
}

export interface GraphAnswer {
  nodes: GraphNode[];
  edges: GraphEdge[];
  from: string | null;
  to: string | null;
  service: string | null;
  hops: number | null;
  links?: GraphLinks;
  relativeError: number;
}

/** What became of links across traces; seen is the sum of the other counts. */
export interface GraphLinks {
  seen: string;
  resolved: string;
  sameTrace: string;
  notFound: string;
  otherKind: string;
  notLookedUp: string;
  complete: boolean;
}

/** How far looking links up is: the same numbers as of a search. */
export type GraphProgress = Pick<SearchProgress, "scanned" | "passedRows" | "totalRows" | "knownTraces" | "elapsedMs">;

/** One call of /v1/graph/calls, by the span it is looked at by. */
export interface GraphCall {
  traceId: string;
  spanId: string;
  timeUnixNano: string;
  durationNano: string;
  error: boolean;
}

export interface GraphCalls {
  failed: GraphCall[];
  slowest: GraphCall[];
  newest: GraphCall[];
  complete: boolean;
  /** What finds all calls of the edge; null: no query does. */
  query: string | null;
}

/** /v1/graph against another range. */
export interface GraphDifference {
  edges: { client: string; server: string; connectionType: string; change: Change; before: (Pick<GraphEdge, "calls" | "errors"> & Partial<Pick<GraphEdge, "clientLatency" | "serverLatency">>) | null }[];
}

/** /v1/graph with a step: one value for each step; quantiles are null without calls. */
export interface GraphSeries {
  edges: {
    client: string;
    server: string;
    connectionType: string;
    calls: string[];
    errors: string[];
    clientLatency: Record<keyof Quantiles, (string | null)[]>;
    serverLatency: Record<keyof Quantiles, (string | null)[]>;
  }[];
  steps: string[];
  stepNano: string;
  from: string | null;
  to: string | null;
}

/** Spans to look at: the slowest of a row, and the slowest that failed. */
export interface LatencyExemplars {
  exemplarTraceId: string | null;
  exemplarSpanId: string | null;
  errorExemplarTraceId: string | null;
  errorExemplarSpanId: string | null;
}

export interface LatencyRow extends LatencyExemplars {
  service: string;
  operation: string;
  kind: string;
  calls: string;
  errors: string;
  /** Nanoseconds, under the quantiles as they were asked for; null without calls. */
  quantiles: Record<string, string | null>;
  /** Of all calls, added up. */
  durationNano: string;
  buckets?: LatencyBucket[];
  /** Of a comparison. */
  change?: Change;
  before?: Pick<LatencyRow, "calls" | "errors" | "quantiles" | "durationNano" | "buckets"> | null;
}

/** Least and greatest duration, both in it, and calls. */
export type LatencyBucket = [string, string, string];

export type Change = "new" | "gone" | "slower" | "faster" | "same";

export interface LatencyAnswer {
  series: LatencyRow[];
  /** All of them, with those of other pages. */
  rowCount: number;
  from: string | null;
  to: string | null;
  relativeError: number;
}

export interface LatencySeries {
  series: { service: string; operation: string; kind: string; calls: string[]; errors: string[]; quantiles: Record<string, (string | null)[]> }[];
  /** The begin of each step. */
  steps: string[];
  stepNano: string;
  from: string | null;
  to: string | null;
  relativeError: number;
}

/** /v1/latency by fields. */
export interface LatencyByAnswer {
  series: (LatencyExemplars & { labels: { key: string; value: string | null }[]; calls: string; errors: string; quantiles: Record<string, string> })[];
  relativeError: number;
}

/** /v1/heatmap: all spans that match, by time and duration. */
export interface HeatmapAnswer {
  from: string;
  to: string;
  stepNano: string;
  /** Row i is from bounds[i] to below bounds[i + 1], nanoseconds. */
  bounds: string[];
  steps: { timeUnixNano: string; count: string; errors: string; quantiles: Record<string, string> }[];
  /** step, row, count, errors of cells that are not empty. */
  cells: [number, number, number, number][];
  relativeError: number;
  tookMs: number;
}

export type ValueType = "nil" | "string" | "bool" | "int" | "float" | "duration" | "status" | "kind" | "other";

export interface FacetValue {
  /** null: these spans have none. */
  value: string | null;
  type: ValueType;
  count: string;
  selected?: string;
}

export interface Facet {
  key: string;
  score: number;
  distinct: number;
  /** False: more values than are counted, and none is shown. */
  complete: boolean;
  values: FacetValue[];
}

export interface FacetsAnswer {
  facets: Facet[];
  spans: string;
  selected?: string;
  tookMs: number;
}

export interface ComparedSide {
  traceDuration: Quantiles | null;
  matchedTraces: number;
  matchedSpans: string;
  complete: boolean;
  incompleteReason: "traces" | "timeBudget" | null;
  oldestStartUnixNano: string | null;
}

export interface ComparedValue {
  scope: "intrinsic" | "span" | "resource";
  key: string;
  value: string;
  type: string;
  aTraces: number;
  bTraces: number;
  aShare: number;
  bShare: number;
  difference: number;
  qValue: number;
  found: boolean;
  aExemplarTraceId: string | null;
  bExemplarTraceId: string | null;
}

export interface ComparedCall {
  path: { service: string; operation: string; kind: string }[];
  change: "new" | "gone" | "more" | "less" | "same";
  qValue: number;
  a: number;
  b: number;
  difference: number;
  found: boolean;
}

/** One side of a node of a merged call tree: sums over all of its traces. */
export interface MergedSide {
  /** Of a sample: traces that have the call. */
  traces?: number;
  calls: number;
  errors: number;
  durationNano: string;
  selfNano: string;
}

export interface MergedNode {
  parent: number;
  depth: number;
  service: string;
  operation: string;
  kind: string;
  change: "both" | "new" | "gone";
  a: MergedSide | null;
  b: MergedSide | null;
}

export interface ComparedTrace {
  traceId: string;
  service: string;
  operation: string;
  startTimeUnixNano: string;
  durationNano: string;
  spanCount: number;
  rootCount: number;
  orphanCount: number;
  errorCount: number;
}

/** /v1/compare/traces: two traces as one call tree. */
export interface ComparedTraces {
  a: ComparedTrace;
  b: ComparedTrace;
  sameRoot: boolean;
  duplicates: number;
  nodes: MergedNode[];
}

/** /v1/compare: two samples of traces. */
export interface Comparison {
  a: ComparedSide;
  b: ComparedSide;
  sharedTraces: number;
  attributes: { rows: ComparedValue[]; tested: number; found: number; leftOutLong: string; leftOutMany: string; cutKeys: { scope: string; key: string }[] };
  calls: {
    presence: { rows: ComparedCall[]; tested: number; found: number };
    selfTime: { rows: ComparedCall[]; tested: number; found: number };
    repetition: { rows: ComparedCall[]; tested: number; found: number };
    paths: number;
    leftOutCalls: string;
  };
  falseDiscoveryRate: number;
  relativeError: number;
  /** With nodes=. */
  tree?: { nodes: MergedNode[]; leftOutNodes: number };
}

/** /v1/critical-path: where the time of many traces goes. */
export interface PathsAnswer {
  /** The first is all paths. */
  bands: { paths: number; durationMeanNano: string }[];
  nodes: { node: { service: string; operation: string }; shares: { selfShare: number }[] }[];
  paths: number;
  complete: boolean;
}

/** /v1/metrics/query: one number of each series. */
export interface MetricAnswer {
  series: MetricSeries[];
}

export interface MetricSeries {
  labels: { key: string; value: string | null; type: ValueType }[];
  points: [string, number][];
  exemplars?: { traceId: string; spanId: string; durationNano: string }[];
}

/** /v1/metrics/query_range */
export interface MetricRange extends MetricAnswer {
  from: string;
  to: string;
  stepNano: string;
}

export interface SystemCounter {
  name: string;
  /** As in OpenMetrics: reason="LIMIT",retryable="false" */
  labels: string;
  help: string;
  /** False for what goes up and down. */
  counts: boolean;
  value: string;
  /** What whoever reads it can do. */
  advice?: string;
}

/** /v1/system/history: what some of these showed, the oldest first. */
export interface SystemHistory {
  startedAtUnixNano: string;
  atUnixNano: string[];
  series: { name: string; labels: string; values: string[] }[];
}

export interface ShownQuery {
  id: string;
  /** As it was sent; cut when it is long. */
  url: string;
  cut: boolean;
  client: string;
  cameUnixNano: string;
  /** Since it came. */
  tookNano: string;
  /** Of that: for a thread, or while spans came in. */
  waitedNano: string;
  tracesRead: string;
  bytesScanned: string;
}

export interface RunningQuery extends ShownQuery {
  state: "running" | "waiting";
  cancelled: boolean;
}

export interface SlowQuery extends ShownQuery {
  status: number;
  endedUnixNano: string;
}

/** /v1/system: the process, for those who run it. */
export interface PinsAnswer {
  /** By when they were pinned. */
  pins: { traceId: string; pinnedUnixNano: string }[];
  pinsMax: string;
  segments: string;
  segmentBytes: string;
}

export interface SystemAnswer {
  version: string;
  nowUnixNano: string;
  startedAtUnixNano: string;
  counters: SystemCounter[];
  store: {
    spanCount: string;
    traceCount: string;
    storedBytes: string;
    backlogRequests: string;
    backlogBytes: string;
    requestsStored: string;
    commits: string;
    applyFailures: string;
    segmentCount: string;
    mergeWaitingSegments: string;
    droppedSegments: string;
    merges: string;
    mergedSpans: string;
    mergeFailures: string;
    mergeCpuNano: string;
    removedByAgeSegments: string;
    removedByAgeSpans: string;
    removedBySizeSegments: string;
    removedBySizeSpans: string;
    retentionAgeNano: string;
    retentionBytes: string;
    oldestUnixNano: string | null;
    newestUnixNano: string | null;
    applyFails: boolean;
    follows: boolean;
    disk: { freeBytes: string; allBytes: string } | null;
  };
  queries: {
    mayCancel: boolean;
    runningCount: number;
    waitingCount: number;
    running: RunningQuery[];
    slowest: SlowQuery[];
    durationBoundsSeconds: number[];
    endpoints: { path: string; method: string; answered: string; refused: string; failed: string; buckets: string[] }[];
  };
  limits: { part: string; name: string; value: string; unit: string; from: string }[];
  settings: { name: string; value: string; origin: string; masked: boolean }[];
  libraries: { name: string; version: string; license: string }[];
}

/** /v1/quality: of the newest traces. */
export interface QualityAnswer {
  matchedTraces: number;
  complete: boolean;
  incompleteReason: "traces" | "timeBudget" | null;
  oldestStartUnixNano: string | null;
  spans: string;
  missingParents: string;
  tracesMissingParents: string;
  tracesWithoutRoot: string;
  cycles: string;
  duplicates: string;
  withoutService: string;
  endBeforeStart: string;
  skewed: string;
  tracesSkewed: string;
  oversizedAttributes: string;
  spansWithOversized: string;
  oversizedBytesMax: string;
  oversizedBytes: string;
  droppedAttributes: string;
  clocks: { name: string; host: boolean; traces: number; offsetNano: string }[];
  clockCount: number;
  clocksLeftOut: number;
}

/** RFC 9457. */
export interface Problem {
  type?: string;
  title: string;
  status: number;
  detail?: string;
  parameter?: string;
  /** Byte offset in the query. */
  offset?: number;
  expected?: string;
  requestId?: string;
}
