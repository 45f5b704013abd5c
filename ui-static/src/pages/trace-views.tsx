// SPDX-License-Identifier: Apache-2.0
// The views of a trace besides the waterfall, and its menu, in a file of their own that is loaded with the first of them.
import { EventsView } from "./trace-events";
import { FlameView } from "./trace-flame";
import { GraphOfTrace } from "./trace-graph";
import { JsonView } from "./trace-json";
import { SpansView } from "./trace-spans";
import { StatsView } from "./trace-stats";

export { TraceMenu } from "./trace-export";
export const views = { flame: FlameView, graph: GraphOfTrace, stats: StatsView, spans: SpansView, events: EventsView, json: JsonView };
