// SPDX-License-Identifier: Apache-2.0
// The large pictures of Explore, in one file that is loaded with the first of them.
import { Histogram } from "./explore-histogram";
import { Series } from "./explore-series";

export { StepTable } from "./explore-series";

export function LargeView({ view, slots }: { view: "histogram" | "timeseries"; slots: Map<string, number> }) {
  return view === "histogram" ? <Histogram /> : <Series slots={slots} />;
}
