// SPDX-License-Identifier: Apache-2.0
// What the calls of a service carry: the attributes that tell most about them, each with its most frequent values. All calls are counted.
import { apiUrl, getFacets } from "../api/client";
import type { Facet, FacetsAnswer } from "../api/types";
import { curlOf } from "../model/curl";
import { formatCount, formatPercent, plural } from "../model/text";
import { valueCondition } from "../model/traceql";
import { href } from "../route";
import { Loader } from "../state/load";
import { currentRange } from "../state/range";
import { CopyButton, ProblemPanel, Waiting } from "../ui/controls";
import { useAnswer } from "./service-parts";
import { filterOf, type Found, spanParams } from "./service-state";

const loader = new Loader<FacetsAnswer>();
const FAILED = "{ status = error }";

export function Attributes({ value }: { value: Found }) {
  const params = { ...(value.range ? spanParams(value.range) : {}), q: filterOf(value), limit: 8 };
  const key = JSON.stringify(params);
  const { value: answer, error, loading, run } = useAnswer(loader, key, async (stop) => {
    // First which keys tell most about the calls, then their values among those with an error.
    const keys = (await getFacets(params, stop)).facets.map((f) => f.key).filter((k) => k !== "status");
    return getFacets({ ...params, keys: keys.join(",") || "name", selection: FAILED }, stop);
  });
  if (error) return <ProblemPanel error={error} retry={run} title="The attributes cannot be shown" />;
  if (!answer) return <Waiting>{loading ? "Counting values …" : ""}</Waiting>;
  if (answer.facets.length === 0) return <p class="dim pad">No attribute tells these calls apart.</p>;
  const spans = Number(answer.spans);
  const failed = Number(answer.selected ?? 0);
  return (
    <section class="service-part">
      <div class="row pad">
        <h2>Attributes</h2>
        <span class="dim">
          {plural(spans, "span")}, {formatCount(failed)} with errors, all counted. What tells the failed ones apart comes first.
        </span>
        <span class="spring" />
        <CopyButton text={() => curlOf(apiUrl("v1/facets", { ...params, keys: answer.facets.map((f) => f.key).join(","), selection: FAILED }))} what="curl command of the attributes" icon="terminal" />
      </div>
      <div class="attribute-cards">
        {answer.facets.filter((f) => f.values.length > 0).map((f) => (
          <Card key={f.key} facet={f} value={value} spans={spans} failed={failed} />
        ))}
      </div>
    </section>
  );
}

function Card({ facet, value, spans, failed }: { facet: Facet; value: Found; spans: number; failed: number }) {
  return (
    <section class="attribute-card">
      <h3 class="mono clip" title={facet.key}>
        {facet.key}
      </h3>
      <table>
        <thead>
          <tr>
            <th>{facet.complete ? plural(facet.distinct, "value") : "many values"}</th>
            <th class="right">of all</th>
            {failed > 0 ? <th class="right">of errors</th> : null}
          </tr>
        </thead>
        <tbody>
          {facet.values.map((v) => {
            const condition = valueCondition(facet.key, v.value, v.type);
            const name = <span class="clip">{v.value === null ? "(none)" : v.value === "" ? "(empty)" : v.value}</span>;
            return (
              <tr key={`${v.type} ${v.value}`}>
                <td>{condition ? <a href={href("explore", { q: filterOf(value, condition), ...currentRange() })}>{name}</a> : name}</td>
                <td class="num right">{formatPercent(Number(v.count), spans)}</td>
                {failed > 0 ? <td class="num right">{formatPercent(Number(v.selected ?? 0), failed)}</td> : null}
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
