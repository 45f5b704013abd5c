// SPDX-License-Identifier: Apache-2.0
// A usual trace to compare one with: the newest of the same root that went well, with about the median duration of those.
import { getMetric, search } from "../api/client";
import { usualQuery } from "../model/difference";
import { go, href } from "../route";
import { asApiError } from "./load";
import { currentRange } from "./range";
import { say } from "./say";

/** Opens the Compare page with a usual trace as A and this one as B, or says why it cannot. */
export async function compareWithUsual(traceId: string, service: string, name: string): Promise<void> {
  if (service === "" && name === "") return say("Its root is not stored: no trace is like it");
  const range = currentRange();
  try {
    const { all, about } = usualQuery(service, name);
    const answer = await getMetric({ q: `${all} | quantile_over_time(duration, .5)`, ...range });
    const seconds = answer.series[0]?.points[0]?.[1];
    if (seconds === undefined) return say(`No ${name} in this range`);
    const found = await search({ q: about(seconds * 1e9), ...range, order: "-start", limit: 2 }, null);
    const usual = found.traces.find((t) => t.traceId !== traceId);
    if (!usual) return say(`No other ${name} took about the median and went well`);
    go(href("compare", { a: usual.traceId, b: traceId }));
  } catch (error) {
    say(`No usual trace can be found: ${asApiError(error).problem.title}`);
  }
}
