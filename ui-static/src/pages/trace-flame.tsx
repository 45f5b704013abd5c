// SPDX-License-Identifier: Apache-2.0
// Flame: the spans in the order of time, or added up by path with the largest on the left; and the operations one by one, with who calls
// them and whom they call.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Box, type Flame, leftHeavy, neighbours, type Neighbour, sandwich, timeFlame } from "../model/flame";
import { formatCount, formatPercent, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { param, patched, replace } from "../route";
import { dark } from "../state/prefs";
import type { ViewProps } from "../state/traceview";
import { ErrorMark, ServiceName } from "../ui/controls";
import { FlameCanvas } from "../views/flame";
import { useJumps } from "./trace-jumps";

const KINDS = [
  ["time", "Time order"],
  ["heavy", "Left-heavy"],
  ["sandwich", "Sandwich"],
] as const;

/** The address follows zooming after a pause. */
const ADDRESS_MS = 250;

export function FlameView(props: ViewProps) {
  useJumps(props);
  const kind = KINDS.find(([k]) => k === param("flame"))?.[0] ?? "time";
  return (
    <section class="trace-part" tabIndex={-1} aria-label="Flame graph">
      <div class="part-tools">
        <span class="button-group" role="group" aria-label="Kind of flame graph">
          {KINDS.map(([k, label]) => (
            <button key={k} type="button" class="button toggle" aria-pressed={k === kind} onClick={() => replace(patched({ flame: k === "time" ? null : k, fz: null }))}>
              {label}
            </button>
          ))}
        </span>
      </div>
      {kind === "sandwich" ? <SandwichTable {...props} /> : <FlameDrawing {...props} heavy={kind === "heavy"} />}
    </section>
  );
}

function FlameDrawing({ skeleton: s, matches, row, select, heavy }: ViewProps & { heavy: boolean }) {
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<FlameCanvas | null>(null);
  const flame = useMemo<Flame>(() => (heavy ? leftHeavy(s) : timeFlame(s)), [s, heavy]);
  const shown = useRef(flame);
  shown.current = flame;
  const [at, setAt] = useState(-1);
  const timer = useRef(0);
  const begin = useRef(param("fz"));
  const nameOf = (box: Box) => `${s.services[box.service].name} ${s.operations[box.operation]}`;
  useEffect(() => {
    if (!host.current) return;
    const drawn = new FlameCanvas(host.current, dark.peek(), nameOf, (box) => s.services[box.service].slot, {
      point: setAt,
      choose: (box) => select(shown.current.boxes[box].row, true),
      zoomed: (from, to, whole) => {
        window.clearTimeout(timer.current);
        timer.current = window.setTimeout(() => replace(patched({ fz: whole ? null : `${Math.floor(from)}-${Math.ceil(to)}` })), ADDRESS_MS);
      },
    });
    canvas.current = drawn;
    return () => {
      window.clearTimeout(timer.current);
      drawn.stop();
    };
  }, [s]);
  useEffect(() => {
    setAt(-1);
    canvas.current?.show(flame, !heavy);
    // Of the address is only what is shown first.
    const [, from, to] = /^(\d+)-(\d+)$/.exec(begin.current) ?? [];
    begin.current = "";
    if (Number(from) < Number(to)) canvas.current?.zoom(Number(from), Number(to));
  }, [flame]);
  useEffect(() => {
    if (row >= 0) canvas.current?.goTo(flame.boxOf(row));
  }, [flame, row]);
  useEffect(() => canvas.current?.setDark(dark.value), [dark.value]);
  // A box of a sum stands for many spans: whether its slowest matches says little.
  useEffect(() => canvas.current?.setMatches(heavy ? null : matches), [matches, heavy]);
  const box = flame.boxes[at];
  return (
    <>
      <p class="part-note num">
        {box ? (
          <>
            <ServiceName name={s.services[box.service].name} slot={s.services[box.service].slot} /> <b>{s.operations[box.operation]}</b> {formatDuration(box.to - box.from)}, self {formatDuration(box.self)}
            {box.count > 1 ? `, ${plural(box.count, "span")}` : ""} {box.errors > 0 ? <ErrorMark count={box.errors} /> : null}
          </>
        ) : (
          <span class="dim">
            {heavy ? "Spans of one path are one box, as wide as the work in it; work at the same time adds up." : "Each span below its parent."} Arrow keys walk, Enter shows details, double-click zooms, 0 resets.
          </span>
        )}
      </p>
      {flame.crowded > 0 ? <p class="part-note">{plural(flame.crowded, "span")} of {formatCount(s.count)} share the last lane, because more run at the same time than there are lanes. The table of spans has all of them.</p> : null}
      <div class="flame" ref={host} />
    </>
  );
}

function SandwichTable({ skeleton: s, row, select }: ViewProps) {
  const lines = useMemo(() => sandwich(s), [s]);
  const all = useMemo(() => s.self.reduce((sum, x) => sum + x, 0), [s]);
  const [chosen, setChosen] = useState(0);
  const [more, setMore] = useState(false);
  const line = lines[chosen];
  const around = useMemo(() => neighbours(s, line.service, line.operation), [s, line]);
  const shown = more ? lines : lines.slice(0, LINES);
  const table = useRef<HTMLTableSectionElement>(null);
  useEffect(() => {
    const at = lines.findIndex((l) => l.service === s.service[row] && l.operation === s.operation[row]);
    if (at < 0) return;
    setChosen(at);
    if (at >= LINES) setMore(true);
  }, [row]);
  useEffect(() => table.current?.children[chosen]?.scrollIntoView({ block: "nearest" }), [chosen, more]);
  return (
    <div class="sandwich">
      <div class="table-box">
        <table class="edges">
          <thead>
            <tr>
              <th>Operation</th>
              <th class="right">Spans</th>
              <th class="right">Errors</th>
              <th class="right" title="Once for each time it is not inside itself">
                Total
              </th>
              <th class="right">Self</th>
              <th class="right">Share</th>
            </tr>
          </thead>
          <tbody ref={table}>
            {shown.map((l, i) => (
              <tr key={l.name} class={i === chosen ? "chosen" : ""}>
                <td>
                  <button type="button" class="link" aria-pressed={i === chosen} onClick={() => setChosen(i)}>
                    <ServiceName name={l.name} slot={s.services[l.service].slot} />
                  </button>
                </td>
                <td class="num right">{formatCount(l.count)}</td>
                <td class="num right">{l.errors > 0 ? <ErrorMark count={l.errors} /> : "0"}</td>
                <td class="num right">{formatDuration(l.total)}</td>
                <td class="num right">{formatDuration(l.self)}</td>
                <td class="num right">{formatPercent(l.self, all)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {!more && lines.length > LINES ? (
          <p class="part-note">
            <button type="button" class="link" onClick={() => setMore(true)}>
              Show the other {formatCount(lines.length - LINES)} operations
            </button>
          </p>
        ) : null}
      </div>
      <div class="table-box">
        <h2>
          <ServiceName name={line.name} slot={s.services[line.service].slot} />
        </h2>
        <p class="part-note">
          <button type="button" class="link" onClick={() => select(line.slowest, true)}>
            Its slowest span, {formatDuration(s.length[line.slowest])}
          </button>
        </p>
        <Neighbours title="Called by" list={around.callers} {...{ s, select }} />
        <Neighbours title="Calls" list={around.callees} {...{ s, select }} />
      </div>
    </div>
  );
}

const LINES = 200;
const NEIGHBOURS = 50;

function Neighbours({ title, list, s, select }: { title: string; list: Neighbour[]; s: ViewProps["skeleton"]; select: ViewProps["select"] }) {
  return (
    <>
      <h3>
        {title} <span class="count">{formatCount(list.length)}</span>
      </h3>
      <ul class="neighbours">
        {list.slice(0, NEIGHBOURS).map((n) => (
          <li key={n.name}>
            <button type="button" class="link" onClick={() => select(n.row, true)}>
              {n.service >= 0 ? <ServiceName name={n.name} slot={s.services[n.service].slot} /> : <span class="dim">{n.name}</span>}
            </button>
            <span class="num">{plural(n.count, "call")}</span>
            <span class="num">{formatDuration(n.sum)}</span>
          </li>
        ))}
      </ul>
      {list.length === 0 ? <p class="dim part-note">nothing</p> : null}
      {list.length > NEIGHBOURS ? <p class="dim part-note">and {formatCount(list.length - NEIGHBOURS)} more, with less time</p> : null}
    </>
  );
}
