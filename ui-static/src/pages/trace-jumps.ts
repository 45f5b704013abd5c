// SPDX-License-Identifier: Apache-2.0
// The keys of matches and errors in the views beside the waterfall: in the order in which a view lists its spans. (Those of the critical path are
// the page's: their order is that of time, in each view.)
import { nextRow } from "../model/find";
import { ERROR } from "../model/skeleton";
import { useActions } from "../state/keys";
import type { ViewProps } from "../state/traceview";

/** order: rows, each once; null: all of them. open: with the details, where a view shows more than one span in one place. */
export function useJumps({ skeleton: s, matches, row, select }: ViewProps, order: ArrayLike<number> | null = null, open = false): void {
  const jump = (step: 1 | -1, test: (row: number) => boolean) => () => {
    const rowAt = (i: number) => (order ? order[i] : i);
    const here = order ? Array.prototype.indexOf.call(order, row) : row;
    const found = nextRow(order?.length ?? s.count, here < 0 && step < 0 ? 0 : here, step, (i) => test(rowAt(i)));
    if (found >= 0) select(rowAt(found), open);
  };
  const failed = (at: number) => (s.flags[at] & ERROR) !== 0;
  const matched = (at: number) => matches?.[at] === 1;
  useActions({ "trace.nextError": jump(1, failed), "trace.previousError": jump(-1, failed), "trace.nextMatch": jump(1, matched), "trace.previousMatch": jump(-1, matched) });
}
