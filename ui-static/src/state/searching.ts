// SPDX-License-Identifier: Apache-2.0
// The search under way: what has come of it, how far it is; and ending it without losing that.
import { signal } from "@preact/signals";
import { type Params, searchLines } from "../api/client";
import type { SearchAnswer, SearchProgress } from "../api/types";
import { goesOn, SearchLines, shareOf } from "../model/lines";
import type { Loader } from "./load";

export interface Running {
  progress: SearchProgress | null;
  /** What there is for somebody who does not wait for the rest. */
  kept: () => SearchAnswer;
}

export const running = signal<Running | null>(null);
/** The query box is to take the focus: also by somebody who is still on another page. */
export const queryWanted = signal(false);
/** When its time is over, the search goes on. */
export const extended = signal(false);
/** 0 to 1, never back; null: not known. */
export const share = signal<number | null>(null);

/** A list that is on the page stays whole for so long: most answers come before that. */
const KEPT_MS = 300;

/** Runs a search; its first results are on the page before the last ones are found. goOn: does so when its time was over and it is to be extended. */
export function runSearch(into: Loader<SearchAnswer>, params: Params, goOn: (found: SearchAnswer, stop: AbortSignal) => Promise<SearchAnswer>): void {
  const lines = new SearchLines();
  const order = String(params.order ?? "");
  const began = performance.now();
  let shown = 0;
  const kept = () => lines.partial(order);
  const tell = (stop: AbortSignal) => {
    // What was on its way when it was ended.
    if (stop.aborted) return;
    running.value = { progress: lines.progress, kept };
    if (lines.progress) share.value = Math.max(share.peek() ?? 0, shareOf(lines.progress));
    if (lines.traces.length === shown) return;
    if (shown === 0 && into.state.peek().value && performance.now() - began < KEPT_MS) return;
    shown = lines.traces.length;
    into.partly(kept());
  };
  void into.run(async (stop) => {
    clear();
    running.value = { progress: null, kept };
    try {
      const found = await searchLines(params, lines, stop, () => tell(stop));
      return extended.peek() && goesOn(found) ? await goOn(found, stop) : found;
    } finally {
      // Another one has begun where this one was ended.
      if (!stop.aborted) clear();
    }
  });
}

export function clear(): void {
  running.value = share.value = null;
  extended.value = false;
}

/** Ends the search, here and in the server; what it has found stays. */
export function stopSearch(into: Loader<SearchAnswer>): void {
  const now = running.peek();
  if (!now) return;
  into.stop();
  into.set(now.kept());
  clear();
}
