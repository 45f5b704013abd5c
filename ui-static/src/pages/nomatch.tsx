// SPDX-License-Identifier: Apache-2.0
// Nothing matched: which condition is to blame, and what is near.
import { useEffect, useState } from "preact/hooks";
import { getStatus, isStopped, search } from "../api/client";
import { formatCount, plural } from "../model/text";
import { conditions } from "../model/traceql";
import { formatFull } from "../model/time";
import { href, param, patched } from "../route";
import { zone } from "../state/prefs";
import { currentRange } from "../state/range";

interface Without {
  dropped: string;
  query: string;
  count: number;
}

/** As many searches as this are worth their cost. */
const TRIES = 4;

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
      // By duration: that order looks at every trace, so that the number is exact.
      const count = async (q: string, within: typeof range) => (await search({ q, ...within, limit: 1, order: "-duration" }, null, stop.signal)).matchedTraces;
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
      <p class="offscreen">{formatCount(0)} traces</p>
    </section>
  );
}
