// SPDX-License-Identifier: Apache-2.0
// Listening to what comes in: what waits to be shown, and trying again when the server goes away.
import { signal } from "@preact/signals";
import { isStopped, listen, type Params } from "../api/client";
import type { LiveLine, TraceSummary } from "../api/types";
import { LIVE_ROWS_MAX } from "../model/live";

export interface Live {
  /** Came in and is not in the list. */
  waiting: TraceSummary[];
  /** Traces that were sent so far, each as often as it changed. */
  came: number;
  /** More matched than was sent so far. */
  more: boolean;
  /** Traces that came in and are not going to be sent, and requests that nobody has looked at. */
  skipped: number;
  unseenRequests: number;
  /** false: not connected, and trying. */
  connected: boolean;
  /** What waits is in the list now. */
  shown: () => void;
}

export const live = signal<Live | null>(null);

const RETRY_MS = 1000;
const RETRY_MS_MAX = 30000;

/** Listens until the returned function is called. `take` is asked behind each look with what waits; false: not now. */
export function startLive(params: Params, take: (news: TraceSummary[]) => boolean): () => void {
  const stopper = new AbortController();
  let timer = 0;
  let retryMs = RETRY_MS;
  const waiting = new Map<string, TraceSummary>();
  let came = 0;
  let skipped = 0;
  let unseenRequests = 0;
  const tell = (connected: boolean, more: boolean) => {
    const shown = () => {
      waiting.clear();
      tell(connected, more);
    };
    live.value = { waiting: [...waiting.values()], came, more, skipped, unseenRequests, connected, shown };
  };
  const onLine = (line: LiveLine) => {
    if (line.trace) {
      came++;
      waiting.delete(line.trace.traceId);
      waiting.set(line.trace.traceId, line.trace);
      if (waiting.size > LIVE_ROWS_MAX) waiting.delete(waiting.keys().next().value as string);
    } else if (line.live) {
      retryMs = RETRY_MS;
      skipped += line.live.skipped ?? 0;
      unseenRequests += line.live.unseenRequests ?? 0;
      if (waiting.size > 0 && take([...waiting.values()])) waiting.clear();
      tell(true, !line.live.complete);
    }
  };
  const connect = async () => {
    try {
      await listen(params, stopper.signal, onLine);
    } catch (error) {
      if (isStopped(error)) return;
    }
    if (stopper.signal.aborted) return;
    tell(false, false);
    timer = window.setTimeout(() => void connect(), retryMs);
    retryMs = Math.min(2 * retryMs, RETRY_MS_MAX);
  };
  tell(true, false);
  void connect();
  return () => {
    stopper.abort();
    window.clearTimeout(timer);
    live.value = null;
  };
}
