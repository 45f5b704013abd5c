// SPDX-License-Identifier: Apache-2.0
// Which calls of an edge are listed.
import type { GraphCall, GraphCalls } from "../api/types";

export interface ListedCall {
  call: GraphCall;
  why: "failed" | "slowest" | "newest";
}

/** Ten calls at most, each once: errors come first, but leave room for slow and for new ones. */
export function callsToShow({ failed, slowest, newest }: GraphCalls): ListedCall[] {
  const shown = new Map<string, ListedCall>();
  const add = (why: ListedCall["why"], list: GraphCall[], until: number) => {
    for (const call of list) {
      if (shown.size < until && !shown.has(call.traceId + call.spanId)) shown.set(call.traceId + call.spanId, { call, why });
    }
  };
  add("failed", failed, 4);
  add("slowest", slowest, 7);
  add("newest", newest, 10);
  return [...shown.values()];
}
