// SPDX-License-Identifier: Apache-2.0
// The views of a trace besides the waterfall, and its menu, in a file of their own that is loaded with the first of them. Of an isolated subtree they get just that.
import { useMemo } from "preact/hooks";
import { allOf } from "../model/find";
import { subtreeOf } from "../model/subtree";
import type { TraceSource } from "../state/source";
import type { ViewName, ViewProps } from "../state/traceview";
import { EventsView } from "./trace-events";
import { FlameView } from "./trace-flame";
import { GraphOfTrace } from "./trace-graph";
import { JsonView } from "./trace-json";
import { SpansView } from "./trace-spans";
import { StatsView } from "./trace-stats";

export { TraceMenu } from "./trace-export";
const views = { flame: FlameView, graph: GraphOfTrace, stats: StatsView, spans: SpansView, events: EventsView, json: JsonView };

interface Props extends ViewProps {
  view: Exclude<ViewName, "waterfall">;
  /** The first row of what is shown; -1: all is. */
  isolated: number;
}

export function OtherView({ view, isolated, skeleton, source, matches, keep, row, select, ...props }: Props) {
  const View = views[view];
  const first = Math.max(0, isolated);
  const part = useMemo(() => (isolated < 0 ? skeleton : subtreeOf(skeleton, isolated)), [skeleton, isolated]);
  const end = first + part.count;
  const partSource = useMemo(
    (): TraceSource => ({
      ...source,
      spans: async (rows, ...question) => (await source.spans(rows.map((at) => at + first), ...question)).map((found) => ({ ...found, row: found.row - first })),
      column: async (...question) => {
        const { spanCount, column, values } = await source.column(...question);
        // Of a trace that has grown the view says so.
        return { values, spanCount: spanCount === skeleton.count ? part.count : -1, column: column.slice(first, end) };
      },
    }),
    [source, part],
  );
  const [wanted, kept] = useMemo(() => [allOf([matches, keep], skeleton.count)?.mask.subarray(first, end) ?? null, keep?.subarray(first, end) ?? null], [matches, keep, part]);
  const here = row >= first && row < end ? row - first : -1;
  return <View {...props} skeleton={part} source={isolated < 0 ? source : partSource} matches={wanted} keep={kept} row={here} select={(at, open) => select(at + first, open)} />;
}
