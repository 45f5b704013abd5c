// SPDX-License-Identifier: Apache-2.0
// Stats: the spans of the trace in groups by at most two of service, operation, kind, status and any attribute.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { TraceKey } from "../api/trace-types";
import { csvLine } from "../model/exports";
import { attributeKey, type Group, type GroupColumn, type GroupKey, groupsOf, INTRINSIC_KEYS, intrinsicKey, sortGroups } from "../model/stats";
import { formatCount, formatPercent, plural, shortName } from "../model/text";
import { formatDuration } from "../model/time";
import { param, patched, replace } from "../route";
import { Loader } from "../state/load";
import { saveFile } from "../state/say";
import type { ViewProps } from "../state/traceview";
import { ErrorMark, ProblemPanel, SortHead } from "../ui/controls";
import { useJumps } from "./trace-jumps";

const ROWS = 500;
const COLUMNS: [GroupColumn, string][] = [
  ["count", "Spans"],
  ["errors", "Errors"],
  ["sum", "Σ duration"],
  ["self", "Σ self"],
  ["p50", "p50"],
  ["p95", "p95"],
  ["max", "Longest"],
];

/** "span.http.route" -> span, http.route. */
function attributeOf(name: string): { scope: string; key: string } {
  const dot = name.indexOf(".");
  return { scope: name.slice(0, dot), key: name.slice(dot + 1) };
}

/** The two keys of the address; the second may be "". An attribute's name may hold commas, so they stand in two parameters. */
const chosenKeys = (): [string, string] => [param("by") || "service", param("by2")];

export function StatsView(props: ViewProps) {
  const { skeleton: s, source, adjusted, keep, row, select } = props;
  useJumps(props, null, true);
  const [keys] = useState(() => new Loader<TraceKey[]>());
  const [columns] = useState(() => new Loader<{ names: string; keys: GroupKey[] }>());
  const [first, second] = chosenKeys();
  const names = second ? [first, second] : [first];
  const order = param("sort") || "-self";
  const [more, setMore] = useState(false);
  useEffect(() => {
    void keys.run((stop) => source.keys(stop));
    return () => keys.stop();
  }, [source]);
  const id = JSON.stringify(names);
  const load = () =>
    void columns.run(async (stop) => {
      const found = await Promise.all(
        names.map(async (name) => {
          const own = intrinsicKey(s, name);
          if (own) return own;
          const { scope, key } = attributeOf(name);
          const column = await source.column(scope, key, adjusted, stop);
          if (column.spanCount !== s.count) throw new Error("the trace has more spans by now: reload the page");
          return attributeKey(column);
        }),
      );
      return { names: id, keys: found };
    });
  useEffect(() => {
    load();
    return () => columns.stop();
  }, [id, s]);
  const { value, error } = columns.state.value;
  const groups = useMemo(() => (value?.names === id ? groupsOf(s, value.keys, keep) : null), [value, id, s, keep]);
  const sorted = useMemo(() => (groups ? sortGroups(groups, order) : []), [groups, order]);
  const shown = more ? sorted : sorted.slice(0, ROWS);
  // The group of the chosen span.
  const body = useRef<HTMLTableSectionElement>(null);
  const here = groups && value && row >= 0 ? sorted.findIndex((g) => value.keys.every((k) => k.codes[row] === k.codes[g.slowest])) : -1;
  useEffect(() => {
    if (here >= ROWS) setMore(true);
    body.current?.children[here]?.scrollIntoView({ block: "nearest" });
  }, [here, more]);
  return (
    <section class="trace-part" tabIndex={-1} aria-label="Statistics">
      <div class="part-tools">
        <KeySelect label="Group by" value={first} keys={keys.state.value.value ?? []} set={(name) => replace(patched({ by: name === "service" ? null : name }))} />
        <KeySelect label="and by" value={second} keys={keys.state.value.value ?? []} optional set={(name) => replace(patched({ by2: name }))} />
        <span class="dim">{groups ? `${plural(groups.length, "group")} of ${plural(groups.reduce((sum, g) => sum + g.count, 0), "span")}` : "…"}</span>
        <button type="button" class="button" disabled={!groups} onClick={() => saveFile(`trace-${s.traceId}-stats.csv`, "text/csv", csvOfGroups(names, sorted))}>
          CSV
        </button>
      </div>
      {error ? <ProblemPanel error={error} retry={load} /> : null}
      <div class="table-box">
        <table class="edges stats">
          <thead>
            <tr>
              <StatsHead name="value" label={names.join(" · ")} order={order} />
              {COLUMNS.map(([name, label]) => (
                <StatsHead key={name} name={name} label={label} order={order} right />
              ))}
              <th class="right">Share of self</th>
            </tr>
          </thead>
          <tbody ref={body}>
            {shown.map((g, i) => (
              <Row key={g.slowest} group={g} chosen={i === here} select={select} />
            ))}
          </tbody>
        </table>
        {!more && sorted.length > ROWS ? (
          <p class="part-note">
            <button type="button" class="link" onClick={() => setMore(true)}>
              Show the other {formatCount(sorted.length - ROWS)} groups
            </button>
          </p>
        ) : null}
      </div>
    </section>
  );
}

function Row({ group: g, chosen, select }: { group: Group; chosen: boolean; select: ViewProps["select"] }) {
  return (
    <tr class={chosen ? "chosen" : ""}>
      <td>
        <button type="button" class="link" title="Its slowest span" onClick={() => select(g.slowest, true)}>
          {g.values.map((v, i) => (
            <span key={i}>
              {i > 0 ? <span class="dim"> · </span> : null}
              {v === null ? <span class="dim">none</span> : v === "" ? <span class="dim">empty</span> : shortName(v)}
            </span>
          ))}
        </button>
      </td>
      <td class="num right">{formatCount(g.count)}</td>
      <td class="num right">{g.errors > 0 ? <ErrorMark count={g.errors} /> : "0"}</td>
      {[g.sum, g.self, g.p50, g.p95, g.max].map((ns, i) => (
        <td key={i} class="num right">
          {formatDuration(ns)}
        </td>
      ))}
      <td class="num right">{formatPercent(g.share, 1)}</td>
    </tr>
  );
}

function StatsHead({ name, label, order, right = false }: { name: string; label: string; order: string; right?: boolean }) {
  const down = order === `-${name}`;
  return (
    <SortHead class={right ? "right" : ""} down={down} up={order === name} sort={() => replace(patched({ sort: down ? name : `-${name}` }))}>
      {label}
    </SortHead>
  );
}

function KeySelect({ label, value, keys, set, optional = false }: { label: string; value: string; keys: TraceKey[]; set: (name: string) => void; optional?: boolean }) {
  const known = INTRINSIC_KEYS.includes(value) || value === "" || keys.some((k) => `${k.scope}.${k.key}` === value);
  return (
    <label class="field">
      {label}
      <select value={value} onChange={(event) => set(event.currentTarget.value)}>
        {optional ? <option value="">nothing else</option> : null}
        {INTRINSIC_KEYS.map((k) => (
          <option key={k} value={k}>
            {k}
          </option>
        ))}
        {known ? null : <option value={value}>{value}</option>}
        {keys.map((k) => (
          <option key={`${k.scope}.${k.key}`} value={`${k.scope}.${k.key}`}>
            {`${k.scope}.${k.key} (${formatCount(k.spanCount)})`}
          </option>
        ))}
      </select>
    </label>
  );
}

function* csvOfGroups(names: string[], groups: Group[]): Generator<string> {
  yield csvLine([...names, "spans", "errors", "sum_nano", "self_nano", "p50_nano", "p95_nano", "max_nano"]);
  for (const g of groups) yield csvLine([...g.values.map((v) => v ?? ""), g.count, g.errors, g.sum, g.self, g.p50, g.p95, g.max]);
}
