// SPDX-License-Identifier: Apache-2.0
// The durations of the service's calls as a heatmap, as on Explore: a box of it leads there, to be compared with the rest.
import { apiUrl, getHeatmap } from "../api/client";
import type { HeatmapAnswer } from "../api/types";
import { curlOf } from "../model/curl";
import { selectionText } from "../model/heat";
import { go, href } from "../route";
import { Loader } from "../state/load";
import { currentRange } from "../state/range";
import { CopyButton, ProblemPanel } from "../ui/controls";
import { Heatmap } from "./explore-heat";
import { useAnswer } from "./service-parts";
import { filterOf, type Found, spanParams } from "./service-state";

const loader = new Loader<HeatmapAnswer>();

export function Durations({ value }: { value: Found }) {
  const params = { ...(value.range ? spanParams(value.range) : {}), q: filterOf(value), rows: 32 };
  const key = JSON.stringify(params);
  const { value: answer, error, run } = useAnswer(loader, key, (stop) => getHeatmap(params, stop));
  return (
    <figure class="chart">
      <figcaption>
        <h2>Duration</h2>
        <CopyButton text={() => curlOf(apiUrl("v1/heatmap", params))} what="curl command of the heatmap" icon="terminal" />
      </figcaption>
      {error ? (
        <ProblemPanel error={error} retry={run} title="The heatmap cannot be shown" />
      ) : answer && answer.bounds.length > 1 ? (
        <Heatmap
          answer={answer}
          selected={null}
          linear={false}
          errors={false}
          onSelect={(s) => s && go(href("explore", { q: filterOf(value), ...currentRange(), sel: selectionText(s) }))}
        />
      ) : null}
    </figure>
  );
}
