// SPDX-License-Identifier: Apache-2.0
// The durations of the service's calls as a heatmap, as on Explore: a box of it leads there, to be compared with the rest. The range that is compared with
// stands beside it, with the same rows and the same colours.
import { apiUrl, getHeatmap, type Params } from "../api/client";
import type { HeatmapAnswer } from "../api/types";
import type { Span } from "../model/change";
import { curlOf } from "../model/curl";
import { selectionText } from "../model/heat";
import { mostOf, pairOf } from "../model/heat-pair";
import { toRfc3339 } from "../model/time";
import { go, href } from "../route";
import { timeText } from "../state/ends";
import { Loader } from "../state/load";
import { currentRange } from "../state/range";
import { CopyButton, ProblemPanel, Room } from "../ui/controls";
import { Heatmap } from "./explore-heat";
import { useAnswer } from "./service-parts";
import { filterOf, type Found, spanParams } from "./service-state";

const loader = new Loader<{ now: HeatmapAnswer; before: HeatmapAnswer | null }>();
const ROWS = 32;
/** As fine as both have to be, so that they have bounds in common. */
const ROWS_OF_PAIR = 512;

export function Durations({ value }: { value: Found }) {
  const ask = (range: Span | null): Params => ({ ...(range ? spanParams(range) : {}), q: filterOf(value), rows: value.compared ? ROWS_OF_PAIR : ROWS });
  const key = JSON.stringify([ask(value.range), value.compared && ask(value.compared)]);
  const { value: answer, error, run } = useAnswer(loader, key, async (stop) => {
    const [now, before] = await Promise.all([getHeatmap(ask(value.range), stop), value.compared ? getHeatmap(ask(value.compared), stop) : null]);
    return { now, before };
  });
  const [now, before] = answer?.before ? pairOf(answer.now, answer.before, ROWS) : [answer?.now ?? null, null];
  const dark = now && before ? mostOf(now, before) : 0;
  const range = currentRange();
  return (
    <>
      <Figure title="Duration" params={ask(value.range)} answer={now} dark={dark} range={range} value={value} problem={error ? <ProblemPanel error={error} retry={run} title="The heatmap cannot be shown" /> : null} />
      {value.compared && !error ? (
        <Figure
          title={`before: ${timeText(value.compared.from)}`}
          params={ask(value.compared)}
          answer={before}
          dark={dark}
          range={{ from: toRfc3339(value.compared.from), to: toRfc3339(value.compared.to) }}
          value={value}
          problem={null}
        />
      ) : null}
    </>
  );
}

interface FigureProps {
  title: string;
  params: Params;
  answer: HeatmapAnswer | null;
  dark: number;
  range: { from?: string | undefined; to?: string | undefined };
  value: Found;
  problem: preact.ComponentChildren;
}

function Figure({ title, params, answer, dark, range, value, problem }: FigureProps) {
  return (
    <figure class="chart heat-chart">
      <figcaption>
        <h2>{title}</h2>
        <CopyButton text={() => curlOf(apiUrl("v1/heatmap", params))} what="curl command of the heatmap" icon="terminal" />
      </figcaption>
      {problem}
      {answer && answer.cells.length > 0 ? (
        <Heatmap answer={answer} selected={null} linear={false} errors={false} dark={dark} onSelect={(s) => s && go(href("explore", { q: filterOf(value), ...range, sel: selectionText(s) }))} />
      ) : answer ? (
        <p class="dim">no calls</p>
      ) : problem ? null : (
        <Room look="bare" />
      )}
    </figure>
  );
}
