// SPDX-License-Identifier: Apache-2.0
// What the store knows of a span besides the span: how long others of its operation took, and which spans link to it.
import { useEffect, useState } from "preact/hooks";
import { getHeatmap, search } from "../api/client";
import type { HeatmapAnswer, TraceSummary } from "../api/types";
import { KINDS, operationName, serviceName, type Skeleton } from "../model/skeleton";
import { formatCount, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { quote } from "../model/traceql";
import { href } from "../route";
import { Loader } from "../state/load";
import { rankWindow } from "../state/source";
import { ProblemPanel } from "../ui/controls";
import { Pair } from "../ui/pair";

const WIDTH = 240;
const HEIGHT = 34;
const PAUSE_MS = 200;

/** How the durations of an operation are spread, and where this span is. Asked for once an operation. */
const KNOWN_MAX = 200;
const known = new Map<string, Spread>();

interface Spread {
  /** Row i is from bounds[i] to below bounds[i + 1], nanoseconds. */
  bounds: number[];
  counts: number[];
}

function spreadOf(answer: HeatmapAnswer): Spread {
  const counts = new Array<number>(Math.max(1, answer.bounds.length - 1)).fill(0);
  for (const [, row, count] of answer.cells) counts[row] += count;
  return { bounds: answer.bounds.map(Number), counts };
}

export function Durations({ s, row }: { s: Skeleton; row: number }) {
  const window_ = rankWindow(s);
  const q = `{ resource.service.name = ${quote(serviceName(s, row))} && name = ${quote(operationName(s, row))} && kind = ${KINDS[s.kind[row]] ?? "unspecified"} }`;
  const key = `${q} ${window_.from}`;
  const [, setKnown] = useState(0);
  useEffect(() => {
    if (known.has(key)) return;
    const stopper = new AbortController();
    const timer = window.setTimeout(() => {
      getHeatmap({ q, steps: 1, rows: 32, ...window_ }, stopper.signal).then(
        (answer) => {
          if (known.size >= KNOWN_MAX) known.clear();
          known.set(key, spreadOf(answer));
          setKnown(known.size);
        },
        // A picture beside exact numbers: without it they still stand there.
        () => undefined,
      );
    }, PAUSE_MS);
    return () => {
      window.clearTimeout(timer);
      stopper.abort();
    };
  }, [key]);
  const spread = known.get(key);
  const total = spread?.counts.reduce((sum, n) => sum + n, 0) ?? 0;
  if (!spread || total < 20) return null;
  const { bounds, counts } = spread;
  // All of one length have nothing to draw.
  if (bounds.length < 3 && !(bounds[1] - bounds[0] > 1)) return <Pair name="Others">{`${plural(total, "span")}, each of ${formatDuration(bounds[0])}`}</Pair>;
  const most = Math.max(1, ...counts);
  const own = counts.findIndex((_, i) => bounds[i] <= s.length[row] && s.length[row] < bounds[i + 1]);
  const wide = WIDTH / counts.length;
  const from = formatDuration(bounds[0]);
  const to = formatDuration(bounds[counts.length]);
  return (
    <Pair name="Others">
      <svg class="durations" width={WIDTH} height={HEIGHT} role="img" aria-label={`Durations of ${plural(total, "span")} of this operation in the hour before, from ${from} to ${to}; this span took ${formatDuration(s.length[row])}`}>
        {counts.map((count, i) => {
          const height = count === 0 ? 0 : Math.max(1, (count / most) * (HEIGHT - 2));
          return (
            <rect key={i} class={i === own ? "own" : ""} x={i * wide} y={HEIGHT - height} width={Math.max(1, wide - 1)} height={height}>
              <title>{`${formatDuration(bounds[i])} to ${formatDuration(bounds[i + 1])}: ${formatCount(count)}`}</title>
            </rect>
          );
        })}
        {own >= 0 ? <line class="own" x1={(own + 0.5) * wide} x2={(own + 0.5) * wide} y1={0} y2={HEIGHT} /> : null}
      </svg>
      <span class="durations-ends num dim" aria-hidden="true">
        <span>{from}</span>
        <span>{to}</span>
      </span>
    </Pair>
  );
}

const SHOWN = 20;

/** Spans that link here, in any trace. Asked for on demand: it is a search over everything. */
export function BackLinks({ traceId, spanId }: { traceId: string; spanId: string }) {
  const [loader] = useState(() => new Loader<{ spanId: string; traces: TraceSummary[]; more: boolean }>());
  const q = `{ link:traceID = "${traceId}" && link:spanID = "${spanId}" }`;
  const look = () =>
    void loader.run(async (stop) => {
      const answer = await search({ q, limit: SHOWN }, null, stop);
      return { spanId, traces: answer.traces, more: answer.cursor !== null };
    });
  useEffect(() => () => loader.stop(), [loader]);
  const { value, error, loading } = loader.state.value;
  const found = value?.spanId === spanId ? value : null;
  return (
    <section>
      <h3>Links to this span</h3>
      {error ? <ProblemPanel error={error} retry={look} /> : null}
      {found ? (
        found.traces.length === 0 ? (
          <p class="dim">No stored span links here.</p>
        ) : (
          <ul class="back-links">
            {found.traces.flatMap((t) =>
              t.matchedSpans.map((m) => (
                <li key={m.spanId}>
                  ← <a href={href("trace", { id: t.traceId, span: m.spanId })}>{`${m.serviceName} ${m.name}`}</a> <span class="dim num">{formatDuration(Number(m.durationNano))}</span>
                </li>
              )),
            )}
            {found.more ? (
              <li>
                <a href={href("explore", { q })}>All of them</a>
              </li>
            ) : null}
          </ul>
        )
      ) : (
        <button type="button" class="link" disabled={loading} onClick={look}>
          {loading ? "Looking …" : "Look for spans that link here"}
        </button>
      )}
    </section>
  );
}
