// SPDX-License-Identifier: Apache-2.0
// Events: all events of the trace on one timeline, a lane a name, and the list of them.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { valueToText } from "../model/anyvalue";
import { serviceName, shownName, type Skeleton, spanIdAt } from "../model/skeleton";
import { formatCount, plural, shortName, visibleName } from "../model/text";
import { formatDuration } from "../model/time";
import { param, patched, replaceSoon } from "../route";
import { dark, rowPx } from "../state/prefs";
import type { ViewProps } from "../state/traceview";
import { Swatch } from "../ui/controls";
import { VirtualRows } from "../ui/virtual";
import { fitCanvas, inkOf } from "../views/ink";
import { useJumps } from "./trace-jumps";

const LANE = 18;
/** Names with a lane of their own; the rest share the last. */
const LANES = 8;
const OTHERS = "(other names)";

/** Rows that the API tells about in one request. */
const ROWS_MAX = 200;

/** What an exception says, by the number of its event. The columns have names of events only: spans are asked for when one of their exceptions comes
 * into view, all that come at once together. */
function exceptionsOf({ skeleton: s, source, adjusted }: ViewProps): (at: number) => Promise<string> {
  const known = new Map<number, Promise<string[]>>();
  const waiting: { row: number; done: (texts: string[]) => void }[] = [];
  const send = () => {
    const now = waiting.splice(0, ROWS_MAX);
    if (waiting.length > 0) window.setTimeout(send);
    const answer = source.spans(now.map((w) => w.row), adjusted).catch(() => []);
    for (const { row, done } of now)
      void answer.then((found) => {
        const span = found.find((d) => d.row === row)?.span;
        // Of a trace that has grown the row is another span's.
        const events = span?.spanId.toLowerCase() === spanIdAt(s, row) ? (span.events ?? []) : [];
        done(events.map((e) => ["exception.type", "exception.message"].map((key) => valueToText(e.attributes?.find((a) => a.key === key)?.value)).filter((text) => text !== "").join(": ")));
      });
  };
  return async (at) => {
    const row = s.events.row[at];
    const asked = known.get(row) ?? new Promise<string[]>((done) => waiting.push({ row, done }) === 1 && window.setTimeout(send));
    known.set(row, asked);
    // The columns have the events of a span one after the other, as it has them.
    return (await asked)[at - s.events.row.indexOf(row)] ?? "";
  };
}

function Exception({ at, say }: { at: number; say: (at: number) => Promise<string> }) {
  const [text, setText] = useState("");
  useEffect(() => {
    let here = true;
    void say(at).then((said) => here && setText(shortName(said)));
    return () => {
      here = false;
    };
  }, [at, say]);
  return (
    <span class="clip error-text" title={`exception ${text}`}>
      ▲ exception {text}
    </span>
  );
}

/** Exceptions first, then what happened most. */
function lanesOf(s: Skeleton): { name: string; count: number }[] {
  const counts = new Uint32Array(s.events.names.length);
  for (const name of s.events.name) counts[name]++;
  const sorted = s.events.names.map((name, i) => ({ name, count: counts[i] })).sort((a, b) => Number(b.name === "exception") - Number(a.name === "exception") || b.count - a.count);
  if (sorted.length <= LANES) return sorted;
  const rest = sorted.slice(LANES - 1);
  return [...sorted.slice(0, LANES - 1), { name: OTHERS, count: rest.reduce((sum, x) => sum + x.count, 0) }];
}

export function EventsView(props: ViewProps) {
  const { skeleton: s, matches, row: current, select } = props;
  const { events } = s;
  const filter = param("events");
  const said = useMemo(() => exceptionsOf(props), [s, props.source, props.adjusted]);
  const scrollTop = useRef(0);
  const lanes = useMemo(() => lanesOf(s), [s]);
  const shown = useMemo(() => {
    const wanted = filter.trim().toLowerCase();
    const named = events.names.map((name) => name.toLowerCase().includes(wanted));
    const list: number[] = [];
    for (let i = 0; i < events.row.length; i++) if (named[events.name[i]] && (!matches || matches[events.row[i]])) list.push(i);
    return list.sort((a, b) => events.time[a] - events.time[b] || a - b);
  }, [s, filter, matches]);
  useJumps(props, useMemo(() => [...new Set(shown.map((at) => events.row[at]))], [shown]));
  // A span that was chosen elsewhere is gone to; what is clicked here is in view.
  const clicked = useRef(-1);
  if (clicked.current !== current) clicked.current = -1;
  const cursor = clicked.current >= 0 ? -1 : shown.findIndex((at) => events.row[at] === current);
  return (
    <section class="trace-part" tabIndex={-1} aria-label="Events">
      <div class="part-tools">
        <input class="filter" value={filter} placeholder="Filter by name" aria-label="Filter events by name" onInput={(e) => replaceSoon(patched({ events: e.currentTarget.value }))} />
        <span>
          {formatCount(shown.length)} of {plural(events.count, "event")}
        </span>
        {events.count > events.row.length ? <span class="warn">the first {formatCount(events.row.length)} are listed</span> : null}
      </div>
      {events.row.length === 0 ? (
        <p class="part-note dim">No span of this trace has events.</p>
      ) : (
        <>
          <Timeline s={s} lanes={lanes} shown={shown} />
          <div class="spans-table" role="table" aria-label="Events" aria-rowcount={shown.length + 1}>
            <div role="rowgroup">
              <div class="event-line head" role="row" aria-rowindex={1}>
                <span role="columnheader" class="right">
                  Time
                </span>
                <span role="columnheader">Event</span>
                <span role="columnheader">Span</span>
                <span role="columnheader" class="right">
                  Into the span
                </span>
              </div>
            </div>
            <div class="rows" role="rowgroup">
              <VirtualRows
                count={shown.length}
                rowHeight={rowPx.value}
                cursor={cursor}
                scrollTop={scrollTop}
                row={(i) => {
                  const at = shown[i];
                  const row = events.row[at];
                  const name = events.names[events.name[at]];
                  return (
                    <div key={at} class={row === current ? "event-line chosen" : "event-line"} role="row" aria-rowindex={i + 2}>
                      <span role="cell" class="num right">
                        {formatDuration(events.time[at])}
                      </span>
                      <span role="cell" class="clip" title={name}>
                        {name === "exception" ? <Exception at={at} say={said} /> : visibleName(name)}
                      </span>
                      <span role="cell" class="clip">
                        <button
                          type="button"
                          class="link clip"
                          onClick={() => {
                            clicked.current = row;
                            select(row, true);
                          }}
                        >
                          <Swatch slot={s.services[s.service[row]].slot} /> {serviceName(s, row)} {shownName(s, row)}
                        </button>
                      </span>
                      <span role="cell" class="num right">
                        {formatDuration(events.time[at] - s.start[row])}
                      </span>
                    </div>
                  );
                }}
              />
            </div>
          </div>
        </>
      )}
    </section>
  );
}

function Timeline({ s, lanes, shown }: { s: Skeleton; lanes: { name: string; count: number }[]; shown: number[] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const draw = () => {
      const width = (box.current?.clientWidth ?? 0) - (box.current?.firstElementChild?.clientWidth ?? 0);
      if (!canvas.current || width < 20) return;
      const ink = inkOf(dark.value);
      const c = fitCanvas(canvas.current, width, lanes.length * LANE);
      const laneOf = new Map(lanes.map((l, i) => [l.name, i]));
      c.strokeStyle = ink.line;
      for (let i = 0; i < lanes.length; i++) c.strokeRect(0, i * LANE + LANE / 2, width, 0.01);
      const painted = lanes.map(() => -9);
      for (const at of shown) {
        const name = s.events.names[s.events.name[at]];
        const lane = laneOf.get(name) ?? lanes.length - 1;
        const x = Math.min(width - 4, Math.max(4, (s.events.time[at] / Math.max(1, s.duration)) * width));
        // Events are in the order of time: one that would cover the last is seen in it.
        if (x - painted[lane] < 0.5) continue;
        painted[lane] = x;
        c.fillStyle = name === "exception" ? ink.error : ink.accent;
        c.beginPath();
        c.moveTo(x, lane * LANE + 4);
        c.lineTo(x + 5, lane * LANE + 9);
        c.lineTo(x, lane * LANE + 14);
        c.lineTo(x - 5, lane * LANE + 9);
        c.fill();
      }
    };
    draw();
    const observer = new ResizeObserver(draw);
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, [s, lanes, shown, dark.value]);
  return (
    <div class="event-lanes" ref={box}>
      <ul>
        {lanes.map((l) => (
          <li key={l.name} class="clip" title={l.name}>
            {visibleName(l.name)} <span class="count">{formatCount(l.count)}</span>
          </li>
        ))}
      </ul>
      <canvas ref={canvas} aria-hidden="true" />
    </div>
  );
}
