// SPDX-License-Identifier: Apache-2.0
// Nothing matched: which condition is to blame, and what is near.
import { useEffect, useState } from "preact/hooks";
import { getStatus, isStopped, search } from "../api/client";
import { plural } from "../model/text";
import { conditions } from "../model/traceql";
import { formatFull, parseTime, toRfc3339 } from "../model/time";
import { href, param, patched } from "../route";
import { zone } from "../state/prefs";
import { currentRange, nowNs, PRESETS } from "../state/range";

interface Without {
  dropped: string;
  query: string;
  count: number;
}

/** As many searches as this are worth their cost. */
const TRIES = 4;

const HOUR = 3600000000000n;
const endOf = (text: string | undefined, otherwise: bigint) => (text ? (parseTime(text, nowNs()) ?? otherwise) : otherwise);

/** The usual ranges that begin before this one does. */
function widerThan(range: { from?: string | undefined }): [string, string][] {
  const from = endOf(range.from, nowNs());
  return PRESETS.filter(([value]) => endOf(value, from) < from);
}

/** When everything that is stored lies on one side of the range: the hour of it that is next. */
function nearest([oldest, newest]: [string, string], range: { from?: string | undefined; to?: string | undefined }): { from: string; to: string } | null {
  const [first, last] = [BigInt(oldest), BigInt(newest)];
  if (endOf(range.from, 0n) > last) return { from: toRfc3339(last - HOUR), to: toRfc3339(last + 1000000n) };
  if (endOf(range.to, last) < first) return { from: toRfc3339(first), to: toRfc3339(first + HOUR) };
  return null;
}

export function NoMatch({ query, run }: { query: string; run: () => void }) {
  const [without, setWithout] = useState<Without[]>([]);
  const [allTime, setAllTime] = useState(-1);
  const [stored, setStored] = useState<[string, string] | null>(null);
  const range = currentRange();
  const bounded = Boolean(range.from || range.to);
  useEffect(() => {
    const stop = new AbortController();
    const parts = conditions(query);
    const ask = async () => {
      const count = async (q: string, within: typeof range) => (await search({ q, ...within, limit: 1, count: "all" }, null, stop.signal)).matchedTraces;
      if (bounded) {
        setAllTime(await count(query, {}));
        const { oldestUnixNano, newestUnixNano } = await getStatus(stop.signal);
        if (oldestUnixNano && newestUnixNano) setStored([oldestUnixNano, newestUnixNano]);
      }
      const found: Without[] = [];
      for (const dropped of parts.length > 1 ? parts.slice(0, TRIES) : []) {
        const rest = `{ ${parts.filter((p) => p !== dropped).join(" && ")} }`;
        found.push({ dropped, query: rest, count: await count(rest, range) });
        setWithout([...found]);
      }
    };
    ask().catch((error) => {
      // These are hints: without them the page still says what it has to.
      if (!isStopped(error)) setWithout([]);
    });
    return () => stop.abort();
  }, [query, range.from, range.to]);
  return (
    <section class="empty">
      <h2>No trace matches</h2>
      <p class="dim">Every stored trace in the range was considered.</p>
      <ul class="ways">
        {without.map((w) => (
          <li key={w.dropped}>
            Without <code>{w.dropped}</code>:{" "}
            {w.count > 0 ? <a href={patched({ q: w.query })}>{plural(w.count, "trace")}</a> : <span class="dim">none either</span>}
          </li>
        ))}
        {allTime >= 0 ? (
          <li>
            In all time: {allTime > 0 ? <a href={patched({ from: null, to: null })}>{plural(allTime, "trace")}</a> : <span class="dim">none either</span>}
          </li>
        ) : null}
        {param("sel") ? (
          <li>
            <a href={patched({ sel: null, by: null, call: null })}>Without the selection</a>
          </li>
        ) : null}
        {bounded && allTime !== 0 && widerThan(range).length > 0 ? (
          <li>
            Wider:{" "}
            {widerThan(range).map(([value, name], i) => (
              <span key={value}>
                {i > 0 ? " · " : ""}
                <a href={patched({ from: value, to: null, sel: null })}>{name}</a>
              </span>
            ))}
          </li>
        ) : null}
        {stored && nearest(stored, range) ? (
          <li>
            The range has no stored span at all: <a href={patched(nearest(stored, range) ?? {})}>the nearest time with spans</a>
          </li>
        ) : null}
        {stored ? (
          <li class="dim">
            Stored spans begin {formatFull(BigInt(stored[0]), zone.value)} and end {formatFull(BigInt(stored[1]), zone.value)}.
          </li>
        ) : null}
        {param("q") ? (
          <li>
            <a href={href("explore", { ...range })}>Every trace{bounded ? " in the range" : ""}</a>
          </li>
        ) : null}
      </ul>
      <button type="button" class="button" onClick={run}>
        Search again
      </button>
    </section>
  );
}
