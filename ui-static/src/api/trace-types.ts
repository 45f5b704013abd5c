// SPDX-License-Identifier: Apache-2.0
// What the read API answers about one trace, besides its columns and spans (types.ts).

/** Arrays with one entry an event, in the order of the rows. */
export interface EventColumns {
  /** Of all events: the arrays may hold fewer. */
  count: number;
  names: string[];
  row: number[];
  /** Nanoseconds after the trace's start. */
  time: number[];
  name: number[];
}

/** Calls whose other end sent no span. */
export interface PeerColumns {
  names: string[];
  row: number[];
  name: number[];
  type: string[];
}

export interface ClockName {
  host?: string;
  service?: string;
}

export interface ClockSkew {
  adjusted: boolean;
  clockCount: number;
  skewedClockCount: number;
  spanCount: number;
  offsetNano: string;
  reference: ClockName;
  clocks: { clock: ClockName; offsetNano: string | null; offsetMinNano: string | null; offsetMaxNano: string | null; spanCount: number; callCount: number; consistent: boolean }[];
}

export interface TraceHead {
  traceId: string;
  startTimeUnixNano: string;
  durationNano: string;
  spanCount: number;
  errorCount: number;
  firstServiceName: string;
  firstSpanName: string;
}

/** Of `calls` spans of the same service, operation and kind, the share that was shorter, and that was not longer. */
export interface Rank {
  row: number;
  spanId: string;
  calls: string;
  shorter: number;
  notLonger: number;
}

export interface Ranks {
  rows: Rank[];
  from: string | null;
  to: string | null;
}

export interface TraceMatch {
  spanCount: number;
  matchCount: number;
  bitmap: string;
}

export interface TraceKey {
  scope: string;
  key: string;
  spanCount: number;
}

export interface TraceColumn {
  spanCount: number;
  values: string[];
  /** For each row an index into values, or -1. */
  column: number[];
}
