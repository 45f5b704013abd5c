// SPDX-License-Identifier: Apache-2.0
// Attributes: of two traces, those of the roots and of each service's resource, key by key; of two sets, which values one has and the other
// has not, and which calls.
import { useEffect } from "preact/hooks";
import { getSpans } from "../api/client";
import type { ComparedCall, ComparedValue, Comparison, SpanDetail } from "../api/types";
import { parseSide } from "../model/compare";
import { compareKeys, type ComparedKey, compareText } from "../model/compare-keys";
import { serviceName, type Skeleton } from "../model/skeleton";
import { formatCount, formatMean, formatPercent } from "../model/text";
import { formatDuration } from "../model/time";
import { fieldText, quote } from "../model/traceql";
import { href, param, patched, replace } from "../route";
import { limitOf, type Pair, ROWS_FEW, ROWS_MANY } from "../state/compare";
import { Loader } from "../state/load";
import { Name, ProblemPanel, Waiting } from "../ui/controls";
import { DeltaBar } from "./compare-tree";
import { KeyTable } from "./compare-keys";

/** Rows in one request for details. */
const BATCH = 200;
const keys = new Loader<{ pair: Pair; rows: ComparedKey[] }>();

/** The first span of each service, by name. */
function firstRows(s: Skeleton): Map<string, number> {
  const found = new Map<string, number>();
  for (let row = 0; row < s.count; row++) {
    const name = serviceName(s, row);
    if (!found.has(name)) found.set(name, row);
    if (found.size === s.services.length) break;
  }
  return found;
}

async function detailsOf(s: Skeleton, rows: number[], stop: AbortSignal): Promise<Map<number, SpanDetail>> {
  const found = new Map<number, SpanDetail>();
  for (let i = 0; i < rows.length; i += BATCH) {
    const { spans } = await getSpans(s.traceId, rows.slice(i, i + BATCH).join(","), stop);
    for (const d of spans) found.set(d.row, d);
  }
  return found;
}

async function loadKeys(pair: Pair, stop: AbortSignal): Promise<{ pair: Pair; rows: ComparedKey[] }> {
  const [a, b] = [pair.a.skeleton, pair.b.skeleton];
  const [firstA, firstB] = [firstRows(a), firstRows(b)];
  const wanted = (first: Map<string, number>) => [...new Set([0, ...first.values()])];
  const [da, db] = await Promise.all([detailsOf(a, wanted(firstA), stop), detailsOf(b, wanted(firstB), stop)]);
  const rows = compareKeys("Root span", da.get(0)?.span.attributes, db.get(0)?.span.attributes);
  for (const name of [...new Set([...firstA.keys(), ...firstB.keys()])].sort()) {
    const resource = (details: Map<number, SpanDetail>, first: Map<string, number>) => {
      const row = first.get(name);
      return row === undefined ? undefined : details.get(row)?.resource.attributes;
    };
    const group = `Resource of ${name || "(no service name)"}`;
    const [ra, rb] = [resource(da, firstA), resource(db, firstB)];
    if (!firstA.has(name) || !firstB.has(name)) rows.push(compareText(group, "service", firstA.has(name) ? name : null, firstB.has(name) ? name : null));
    else rows.push(...compareKeys(group, ra, rb));
  }
  return { pair, rows };
}

export function CompareAttributes({ pair }: { pair: Pair }) {
  const load = () => void keys.run((stop) => loadKeys(pair, stop));
  useEffect(load, [pair]);
  const { value, error } = keys.state.value;
  if (error) return <ProblemPanel error={error} retry={load} title="The attributes cannot be read" />;
  if (value?.pair !== pair) {
    return (
      <Waiting>Reading attributes …</Waiting>
    );
  }
  return <KeyTable rows={value.rows} label="Attributes of A and B" note="A resource is that of the first span of its service." />;
}

// ---- sets ----

export function CompareFindings({ value }: { value: Comparison }) {
  const { attributes, calls } = value;
  const cut = attributes.cutKeys.map((k) => k.key);
  const more = limitOf() === ROWS_FEW && [attributes, calls.presence, calls.selfTime, calls.repetition].some((l) => l.tested > l.rows.length);
  return (
    <div class="cmp-findings" tabIndex={0} role="region" aria-label="Differences of the sets">
      <section>
        <h2>
          Values that one set has more often <span class="count">{formatCount(attributes.found)} found</span>
        </h2>
        <p class="dim">
          A trace is one observation. {formatCount(attributes.tested)} values could be told from chance; of those found, at most {formatPercent(value.falseDiscoveryRate, 1)} may be chance all the same.
          {cut.length > 0 ? ` Keys with more than 1,000 values are left out: ${cut.join(", ")}.` : ""}
          {attributes.leftOutLong !== "0" ? ` ${formatCount(attributes.leftOutLong)} values longer than 256 bytes are left out.` : ""}
        </p>
        <ValueTable rows={attributes.rows} />
      </section>
      <Calls title="Calls that one set has more often" list={calls.presence} text={(n) => formatPercent(n, 1)} what="share of traces" />
      <Calls title="Where the time went" list={calls.selfTime} text={formatDuration} what="mean self time in a trace" />
      <Calls title="Calls that are repeated" list={calls.repetition} text={formatMean} what="mean of the most calls under one parent" />
      {more || param("rows") === "all" ? (
        <p class="pad">
          <button type="button" class="button" onClick={() => replace(patched({ rows: param("rows") === "all" ? null : "all" }))}>
            {param("rows") === "all" ? `Only the first ${ROWS_FEW} of each` : `Up to ${formatCount(ROWS_MANY)} of each`}
          </button>
        </p>
      ) : null}
    </div>
  );
}

const Found = ({ found, q }: { found: boolean; q: number }) => (
  <span title={`found at a false discovery rate of ${q.toPrecision(2)}`}>{found ? <b>✓ found</b> : <span class="dim">may be chance</span>}</span>
);

function ValueTable({ rows }: { rows: ComparedValue[] }) {
  if (rows.length === 0) return <p class="dim">No value differs in a way that could be told from chance.</p>;
  const most = Math.max(...rows.map((r) => Math.abs(r.difference)));
  // Where it is more often: in the time of that set.
  const sides = ["a", "b"].map((name) => parseSide(param(name)));
  const rangeOf = (r: ComparedValue) => {
    const side = sides[r.aShare >= r.bShare ? 0 : 1];
    return side?.kind === "set" ? { from: side.from, to: side.to } : {};
  };
  const condition = (r: ComparedValue) => `{ ${fieldText(r.scope === "intrinsic" ? "" : r.scope, r.key)} = ${r.type === "string" ? quote(r.value) : r.value} }`;
  return (
    <div class="scroll-x" tabIndex={0} role="region" aria-label="Values">
      <table class="edges cmp-values">
        <thead>
          <tr>
            <th>Attribute</th>
            <th>Value</th>
            <th class="right">A</th>
            <th class="right">B</th>
            <th class="cmp-bar-cell">
              <span class="cmp-scale">
                <span>◂ more in A</span>
                <span>more in B ▸</span>
              </span>
            </th>
            <th>Chance</th>
            <th>Example</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((r) => (
            <tr key={`${r.scope} ${r.key} ${r.type} ${r.value}`}>
              <td class="mono cmp-value-name">
                {r.scope === "intrinsic" ? "" : <span class="dim">{r.scope}.</span>}
                {r.key}
              </td>
              <td class="mono cmp-value">
                <a href={href("explore", { q: condition(r), ...rangeOf(r) })}>
                  <Name name={r.value || '""'} />
                </a>
              </td>
              <td class="num right of-a" title={`${formatCount(r.aTraces)} traces`}>{formatPercent(r.aShare, 1)}</td>
              <td class="num right of-b" title={`${formatCount(r.bTraces)} traces`}>{formatPercent(r.bShare, 1)}</td>
              <td class="cmp-bar-cell">
                <DeltaBar delta={r.difference} most={most} only={r.aTraces === 0 || r.bTraces === 0} />
              </td>
              <td>
                <Found found={r.found} q={r.qValue} />
              </td>
              <td>
                {r.aExemplarTraceId ? <a href={href("trace", { id: r.aExemplarTraceId })}>A</a> : null}
                {r.bExemplarTraceId ? <a href={href("trace", { id: r.bExemplarTraceId })}>B</a> : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Calls({ title, list, text, what }: { title: string; list: { rows: ComparedCall[]; tested: number; found: number }; text: (n: number) => string; what: string }) {
  const most = Math.max(...list.rows.map((r) => Math.abs(r.difference)), Number.MIN_VALUE);
  return (
    <section>
      <h2>
        {title} <span class="count">{formatCount(list.found)} found</span>
      </h2>
      {list.rows.length === 0 ? (
        <p class="dim">Nothing that could be told from chance.</p>
      ) : (
        <div class="scroll-x" tabIndex={0} role="region" aria-label={title}>
          <table class="edges cmp-values">
            <thead>
              <tr>
                <th>Call</th>
                <th class="right" title={what}>A</th>
                <th class="right" title={what}>B</th>
                <th class="cmp-bar-cell">{what}</th>
                <th>Chance</th>
              </tr>
            </thead>
            <tbody>
              {list.rows.map((r) => {
                const [last, above] = [...r.path].reverse();
                const path = r.path.map((p) => `${p.service} ${p.operation}`).join(" › ");
                return (
                  <tr key={`${path} ${last.kind}`}>
                    <td class="cmp-value-name" title={path}>
                      <span class="dim">{last.service}</span> {last.operation}
                      {above ? <span class="dim"> · under {above.service} {above.operation}</span> : null}
                    </td>
                    <td class="num right of-a">{text(r.a)}</td>
                    <td class="num right of-b">{text(r.b)}</td>
                    <td class="cmp-bar-cell">
                      <DeltaBar delta={r.difference} most={most} only={r.change === "new" || r.change === "gone"} />
                    </td>
                    <td>
                      <Found found={r.found} q={r.qValue} />
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
