// SPDX-License-Identifier: Apache-2.0
// The search under way: what has come of it, how far it is; and ending it without losing that.
import { signal } from "@preact/signals";
import { type Params, searchLines } from "../api/client";
import type { SearchAnswer, SearchProgress } from "../api/types";
import { SearchLines, shareOf } from "../model/lines";
import type { Loader } from "./load";

interface Running {
  lines: SearchLines;
  order: string;
  progress: SearchProgress | null;
}

export const running = signal<Running | null>(null);
/** The query box is to take the focus: also by somebody who is still on another page. */
export const queryWanted = signal(false);
/** 0 to 1, never back; null: not known. */
export const share = signal<number | null>(null);

/** A list that is on the page stays whole for so long: most answers come before that. */
const KEPT_MS = 300;

/** Runs a search; its first results are on the page before the last ones are found. */
export function runSearch(into: Loader<SearchAnswer>, params: Params): void {
  const lines = new SearchLines();
  const order = String(params.order ?? "");
  const began = performance.now();
  let shown = 0;
  const tell = () => {
    running.value = { lines, order, progress: lines.progress };
    if (lines.progress) share.value = Math.max(share.peek() ?? 0, shareOf(lines.progress));
    if (lines.traces.length === shown) return;
    if (shown === 0 && into.state.peek().value && performance.now() - began < KEPT_MS) return;
    shown = lines.traces.length;
    into.partly(lines.partial(order));
  };
  void into.run(async (stop) => {
    running.value = { lines, order, progress: null };
    share.value = null;
    try {
      return await searchLines(params, lines, stop, tell);
    } finally {
      if (running.peek()?.lines === lines) clear();
    }
  });
}

function clear(): void {
  running.value = null;
  share.value = null;
}

/** Ends the search, here and in the server; what it has found stays. */
export function stopSearch(into: Loader<SearchAnswer>): void {
  const now = running.peek();
  if (!now) return;
  into.stop();
  into.set(now.lines.partial(now.order));
  clear();
}
