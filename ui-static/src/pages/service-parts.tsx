// SPDX-License-Identifier: Apache-2.0
// What the parts of the Service page share: heads of columns that sort, shares of errors, differences, small lines, ways to more rows.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Range } from "../api/client";
import type { Change, LatencyExemplars, LatencySeries } from "../api/types";
import { changeText } from "../model/change";
import { formatCount, formatPercent } from "../model/text";
import { formatDuration } from "../model/time";
import { href, param, patched, replace } from "../route";
import { useActions } from "../state/keys";
import { type Loaded, type Loader, useRetry } from "../state/load";
import { SortHead } from "../ui/controls";

export { Share } from "../ui/controls";

/** Asks whenever the key changes, and again by itself when the server does not answer; forgets with the part that asks, so that no service is shown with what
 * another one does. */
export function useAnswer<T>(loader: Loader<T>, key: string, ask: (stop: AbortSignal) => Promise<T>): Loaded<T> & { run: () => void } {
  const run = () => void loader.run(ask);
  const state = loader.state.value;
  useEffect(run, [key]);
  useRetry(state.error, run);
  useEffect(
    () => () => {
      loader.stop();
      loader.state.value = { value: null, loading: false, error: null };
    },
    [],
  );
  return { ...state, run };
}

/** What the calls of a row took, added up: as a share of the whole, and beside the other rows. */
export function Impact({ took, of, whole = of.reduce((a, b) => a + b, 0) }: { took: number; of: number[]; whole?: number }) {
  return (
    <td class="num right impact" title={formatDuration(took)}>
      <span class="bar">
        <span style={{ width: `${(100 * took) / Math.max(1, ...of)}%` }} />
      </span>
      <span>{formatPercent(took, whole)}</span>
    </td>
  );
}

/** The line of a row, for its Spark: of the column that the table is sorted by. */
export function lineOf(series: LatencySeries["series"][number] | undefined, by: string, quantile: string | undefined): { values: (number | null)[] | undefined; look: string } {
  if (!series) return { values: undefined, look: "line-1" };
  if (by === "errors") return { values: series.calls.map((n, i) => (n === "0" ? null : Number(series.errors[i]) / Number(n))), look: "line-error" };
  const found = by.startsWith("p") && quantile ? series.quantiles[quantile] : undefined;
  return found ? { values: found.map((n) => (n === null ? null : Number(n))), look: "line-3" } : { values: series.calls.map(Number), look: "line-1" };
}

/** From numbers to spans: the slowest, the slowest that failed, and those of a query. */
export function Ways({ row, q, range }: { row: LatencyExemplars | undefined; q?: string; range?: Range }) {
  const way = (id: string | null | undefined, span: string | null | undefined, text: string, more = "") =>
    id ? (
      <a href={href("trace", { id, span })} title={`The slowest span${more}`}>
        {text}
      </a>
    ) : null;
  return (
    <span class="ways-on">
      {way(row?.exemplarTraceId, row?.exemplarSpanId, "slowest")}
      {way(row?.errorExemplarTraceId, row?.errorExemplarSpanId, "failed", " with an error")}
      {q ? <a href={href("explore", { q, ...range })}>Explore</a> : null}
    </span>
  );
}

interface HeadProps {
  id: string;
  children: ComponentChildren;
  /** The parameter of the address; beside it the others that no longer hold then. */
  name?: string;
  usual: string;
  text?: boolean;
  title?: string;
}

/** sort=-p95: the greatest first. */
export function Head({ id, children, name = "sort", usual, text = false, title }: HeadProps) {
  const now = param(name) || usual;
  const down = now.startsWith("-");
  const here = now.replace(/^-/, "") === id;
  const next = here ? `${down ? "" : "-"}${id}` : text ? id : `-${id}`;
  return (
    <SortHead class={text ? undefined : "right"} down={here && down} up={here && !down} title={title} sort={() => replace(patched({ [name]: next, off: null }))}>
      {children}
    </SortHead>
  );
}

const MARKS: Record<Change, string> = { new: "new", gone: "gone", slower: "slower", faster: "faster", same: "" };

/** What the numbers were in the other range, and the word for what is no chance. */
export function Delta({ now, before, format }: { now: number; before: number | null; format: (n: number) => string }) {
  if (before === null) return null;
  const text = changeText(now, before);
  return text ? (
    <span class="delta dim" title={`before: ${format(before)}`}>
      {text}{" "}
    </span>
  ) : null;
}

/** A count, which may be one of another range, scaled. */
export const formatCalls = (n: number): string => formatCount(Math.round(n));

export function ChangeMark({ change }: { change: Change | undefined }) {
  return change && MARKS[change] ? <span class={`tag change-${change}`}>{MARKS[change]}</span> : null;
}

/** "51 – 100 of 1,204", and ways to the others. */
export function Pages({ offset, shown, all, size, what, go }: { offset: number; shown: number; all: number; size: number; what: string; go: (offset: number) => void }) {
  if (all <= size && offset === 0) return null;
  return (
    <nav class="row pad" aria-label={`Pages of ${what}`}>
      <button type="button" class="button" disabled={offset === 0} onClick={() => go(Math.max(0, offset - size))}>
        Back
      </button>
      <button type="button" class="button" disabled={offset + shown >= all} onClick={() => go(offset + size)}>
        Next {formatCount(Math.max(0, Math.min(size, all - offset - shown)))}
      </button>
      <span class="dim num" role="status">
        {shown > 0 ? `${formatCount(offset + 1)} – ${formatCount(offset + shown)}` : "none"} of {formatCount(all)} {what}
      </span>
    </nav>
  );
}

/** Rows whose name contains what is typed. */
export function FindBox({ value, label, find }: { value: string; label: string; find: (text: string) => void }) {
  const box = useRef<HTMLInputElement>(null);
  useActions({ "all.find": () => box.current?.focus() });
  return <input ref={box} class="find-box" type="search" value={value} placeholder="Name contains" aria-label={label} onInput={(e) => find(e.currentTarget.value)} />;
}
