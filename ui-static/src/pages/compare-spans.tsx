// SPDX-License-Identifier: Apache-2.0
// One span of A beside one span of B, key by key. Both are of one call of the merged tree, unless the address says otherwise.
import { useEffect } from "preact/hooks";
import { getSpans } from "../api/client";
import type { SpanDetail } from "../api/types";
import { changeText } from "../model/compare";
import { compareSpans } from "../model/compare-keys";
import { spanIdAt } from "../model/skeleton";
import { formatCount } from "../model/text";
import { formatDuration } from "../model/time";
import { href, patched, replace } from "../route";
import { type Pair, type PairSide, placeOf, rowOfAddress } from "../state/compare";
import { Loader } from "../state/load";
import { ProblemPanel, Select, Waiting } from "../ui/controls";
import { ServiceLabel } from "./compare-name";
import { KeyTable } from "./compare-keys";
import { nodeOfAddress, openSpans } from "./compare-tree";

const spans = new Loader<{ key: string; a: SpanDetail; b: SpanDetail }>();

async function detail(side: PairSide, row: number, stop: AbortSignal): Promise<SpanDetail> {
  const { spans: found } = await getSpans(side.trace.traceId, String(row), stop);
  const one = found.find((d) => d.row === row);
  if (!one) throw new Error(`the answer does not hold row ${row}`);
  return one;
}

export function CompareSpans({ pair }: { pair: Pair }) {
  const node = Math.min(nodeOfAddress(), pair.nodes.length - 1);
  const rowOf = (side: "a" | "b"): number => {
    const wanted = rowOfAddress(side, pair[side]);
    return wanted >= 0 ? wanted : (pair[side].rows.get(node)?.[0] ?? -1);
  };
  const [ra, rb] = [rowOf("a"), rowOf("b")];
  const key = `${pair.a.trace.traceId} ${ra} ${pair.b.trace.traceId} ${rb}`;
  const load = () => {
    if (ra >= 0 && rb >= 0) void spans.run(async (stop) => ({ key, a: await detail(pair.a, ra, stop), b: await detail(pair.b, rb, stop) }));
  };
  useEffect(load, [key]);
  const { value, error } = spans.state.value;
  return (
    <>
      <div class="cmp-tools">
        <Select
          label="Call"
          value={String(node)}
          options={pair.nodes.map((n, i) => [String(i), `${"  ".repeat(Math.min(n.depth, 12))}${n.service} ${n.operation}${n.change === "both" ? "" : ` (${changeText(n, "count")})`}`])}
          choose={(n) => openSpans(Number(n))}
        />
      </div>
      <div class="cmp-pair">
        <Picker name="a" side={pair.a} row={ra} />
        <Picker name="b" side={pair.b} row={rb} />
      </div>
      {ra < 0 || rb < 0 ? (
        <p class="pad">{ra < 0 ? "A" : "B"} does not have this call: there is nothing to compare it with. Choose another above.</p>
      ) : error ? (
        <ProblemPanel error={error} retry={load} title="The spans cannot be read" />
      ) : value?.key === key ? (
        <KeyTable rows={compareSpans(value.a, value.b)} label="The two spans" />
      ) : (
        <Waiting>Reading the spans …</Waiting>
      )}
    </>
  );
}

/** Which of the spans of this call: one after the other. */
function Picker({ name, side, row }: { name: "a" | "b"; side: PairSide; row: number }) {
  const s = side.skeleton;
  if (row < 0) {
    return (
      <section class="cmp-picker" aria-label={`Span of ${name.toUpperCase()}`}>
        <b class={`slot-letter small-letter ${name}`}>{name.toUpperCase()}</b> <span class="dim">no such call</span>
      </section>
    );
  }
  const place = placeOf(side, row);
  const rows = place ? (side.rows.get(place.node) ?? [row]) : [row];
  const at = place?.at ?? 0;
  const step = (by: number) => replace(patched({ [`s${name}`]: spanIdAt(s, rows[at + by]) }));
  return (
    <section class="cmp-picker" aria-label={`Span of ${name.toUpperCase()}`}>
      <b class={`slot-letter small-letter ${name}`}>{name.toUpperCase()}</b>
      <a class="clip" href={href("trace", { id: side.trace.traceId, span: spanIdAt(s, row) })}>
        <ServiceLabel service={s.services[s.service[row]].name} operation={s.operations[s.operation[row]]} kind="" />
      </a>
      <b class="num">{formatDuration(s.length[row])}</b>
      {rows.length > 1 ? (
        <span class="row tight">
          <button type="button" class="button square" aria-label={`Previous span of ${name.toUpperCase()}`} disabled={at === 0} onClick={() => step(-1)}>
            ‹
          </button>
          <span class="num dim">
            {formatCount(at + 1)} of {formatCount(rows.length)}
          </span>
          <button type="button" class="button square" aria-label={`Next span of ${name.toUpperCase()}`} disabled={at === rows.length - 1} onClick={() => step(1)}>
            ›
          </button>
        </span>
      ) : null}
    </section>
  );
}
