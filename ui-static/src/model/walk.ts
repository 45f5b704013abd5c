// SPDX-License-Identifier: Apache-2.0
// From one part of the critical path to the next. No DOM.
import { nextRow } from "./find";
import type { Skeleton } from "./skeleton";

/** The number of the next segment, in this direction and around the end, among those whose rows are shown; -1: there is none. Segments are in the
 * order of time, and a span may have several. at: the one that was gone to last, which counts as long as its span is still the chosen one. */
export function nextSegment({ critical, start }: Skeleton, at: number, row: number, step: 1 | -1, shown: (row: number) => boolean): number {
  let from = critical[at]?.row === row ? at : critical.findIndex((c) => c.row === row);
  // Beside the path: the one that begins next, or the last that has begun.
  if (from < 0 && row >= 0) {
    const behind = critical.findIndex((c) => c.start > start[row]);
    from = (behind < 0 ? critical.length : behind) - (step > 0 ? 1 : 0);
  }
  return nextRow(critical.length, from < 0 && step < 0 ? 0 : from, step, (i) => shown(critical[i].row));
}
