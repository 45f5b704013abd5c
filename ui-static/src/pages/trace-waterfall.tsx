// SPDX-License-Identifier: Apache-2.0
// The waterfall and its overview as a part of the page: makes them once, and tells them what has changed.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { getRanks } from "../api/client";
import type { Rank } from "../api/trace-types";
import { rowOfSpan, type Skeleton, spanIdAt } from "../model/skeleton";
import { formatDuration } from "../model/time";
import { param, patched, replace } from "../route";
import { dark, rowPx, showsRank, showsSelf, showsStatus } from "../state/prefs";
import { enough, rankWindow, type TraceSource } from "../state/source";
import { Splitter } from "../ui/controls";
import { Minimap } from "../views/minimap";
import { Waterfall } from "../views/waterfall";
import { NAME_MIN } from "../views/waterfall-row";
import type { Matches } from "./trace-matches";

export interface WaterfallHandle {
  command: (name: string) => void;
  goTo: (row: number) => void;
  focus: () => void;
  zoom: (from: number, to: number) => void;
  /** The time that is shown, in words. */
  window: () => string;
  /** Moves the window to a time that it does not show, or shows cut off. */
  bring: (from: number, to: number) => void;
  addRanks: (ranks: Rank[]) => void;
  rankOf: (row: number) => Rank | undefined;
}

interface Props {
  handle: { current: WaterfallHandle | null };
  skeleton: Skeleton;
  source: TraceSource;
  adjusted: boolean;
  hidden: boolean;
  matches: Matches;
  isolated: number;
  marks: [number, number];
  select: (row: number, open: boolean) => void;
  address: (patch: Record<string, string | null>) => void;
  /** Ranks of more rows are known: details show that of theirs. */
  ranked: () => void;
  /** Shown below the row under the cursor. */
  details: ComponentChildren;
}

/** Rows that the API ranks in one request. */
const RANKS_MAX = 200;
/** Details between the rows. */
const INLINE_HEIGHT = 320;

function readWindow(): [number, number] | null {
  const m = /^(\d+)-(\d+)$/.exec(param("z"));
  return m && Number(m[2]) > Number(m[1]) ? [Number(m[1]), Number(m[2])] : null;
}

export function WaterfallView(props: Props) {
  const { handle, skeleton, source, adjusted, hidden, matches, isolated, marks, details } = props;
  const host = useRef<HTMLDivElement>(null);
  const mapHost = useRef<HTMLDivElement>(null);
  const waterfall = useRef<Waterfall | null>(null);
  const minimap = useRef<Minimap | null>(null);
  const ranks = useRef(new Map<number, Rank | null>());
  const latest = useRef(props);
  latest.current = props;
  const [room, setRoom] = useState<number | null>(null);
  const [split, setSplit] = useState([0, 0]);

  useLayoutEffect(() => {
    if (!host.current || !mapHost.current) return;
    const stopper = new AbortController();
    const start = { span: param("span"), z: readWindow() };
    const learn = (found: Rank[]) => {
      const known = found.filter((r) => enough(r) && r.row < skeleton.count && r.spanId === spanIdAt(skeleton, r.row));
      for (const rank of known) ranks.current.set(rank.row, rank);
      fall.addRanks(known);
      latest.current.ranked();
    };
    /** Each row is asked for once; a row without a rank stays without. */
    const askRanks = (rows: number[]) => {
      const wanted = rows.filter((row) => !ranks.current.has(row)).slice(0, RANKS_MAX);
      if (!source.served || showsRank.peek() === "off" || wanted.length === 0 || latest.current.hidden) return;
      for (const row of wanted) ranks.current.set(row, null);
      getRanks(source.id, wanted.join(","), adjusted, rankWindow(skeleton), stopper.signal).then(
        (answer) => learn(answer.rows),
        // Chips are an addition: without them the page says all that it said before.
        () => wanted.forEach((row) => ranks.current.delete(row)),
      );
    };
    const fall = new Waterfall(host.current, skeleton, dark.peek(), {
      select: (at, wantOpen) => latest.current.select(at, wantOpen),
      zoom: (from, to) => {
        map.setWindow(from, to);
        const whole = from <= 0 && to >= skeleton.duration;
        latest.current.address({ z: whole ? null : `${Math.floor(from)}-${Math.ceil(to)}` });
      },
      settled: askRanks,
      room: setRoom,
      split: (...found) => setSplit(found),
    });
    const map = new Minimap(mapHost.current, skeleton, dark.peek(), (from, to) => fall.zoom(from, to));
    waterfall.current = fall;
    minimap.current = map;
    handle.current = {
      command: (name) => fall.command(name),
      goTo: (row) => fall.goTo(row, false),
      focus: () => fall.focus(),
      zoom: (from, to) => fall.zoom(from, to),
      window: () => `${formatDuration(fall.from)} to ${formatDuration(fall.to)}`,
      bring: (from, to) => {
        const by = (from + to - fall.from - fall.to) / 2;
        const [outside, fits] = [from < fall.from || to > fall.to, to - from <= fall.to - fall.from];
        if (outside && (fits || to <= fall.from || from >= fall.to)) fall.zoom(fall.from + by, fall.to + by);
      },
      addRanks: learn,
      rankOf: (row) => ranks.current.get(row) ?? undefined,
    };
    if (start.z) fall.zoom(...start.z);
    const at = start.span ? rowOfSpan(skeleton, start.span) : -1;
    if (at >= 0) fall.goTo(at, param("details") !== "0");
    return () => {
      stopper.abort();
      handle.current = null;
      fall.stop();
      map.stop();
    };
  }, [skeleton]);
  useEffect(() => {
    waterfall.current?.setDark(dark.value);
    minimap.current?.setDark(dark.value);
  }, [dark.value]);
  useEffect(() => waterfall.current?.setRow(rowPx.value), [skeleton, rowPx.value]);
  // Before the next frame, not after it: a letter is answered in one.
  useLayoutEffect(() => {
    waterfall.current?.setMatches(matches.found?.mask ?? null, matches.keep);
    minimap.current?.setMatches(matches.found?.mask ?? null);
  }, [matches.found, matches.keep]);
  const critical = param("cp") === "1";
  const folds = param("fold") !== "0";
  const peers = param("peers") === "1";
  useEffect(() => waterfall.current?.setCritical(critical), [critical]);
  useEffect(() => waterfall.current?.setFoldRuns(folds), [folds]);
  useEffect(() => waterfall.current?.setPeers(peers), [peers]);
  useEffect(() => waterfall.current?.setMarks(marks), [marks]);
  useEffect(() => waterfall.current?.setRoom(details ? INLINE_HEIGHT : 0), [details !== null]);
  const shownIsolated = useRef(-1);
  useEffect(() => {
    if (shownIsolated.current === isolated) return;
    shownIsolated.current = isolated;
    waterfall.current?.setIsolated(isolated);
  }, [isolated]);
  const columns = `${showsSelf.value === "on" ? " with-self" : ""}${showsRank.value === "on" && source.served ? " with-rank" : ""}${showsStatus.value === "on" ? " with-status" : ""}`;
  return (
    <div class={`trace-fall${columns}`} hidden={hidden}>
      <div class="minimap" ref={mapHost} />
      <div class="waterfall" style={{ "--split": `${split[0]}px` }}>
        <div class="wf-host" ref={host} />
        <Splitter label="Width of the names" value={split[0]} min={NAME_MIN} max={split[1]} set={(pixels) => waterfall.current?.setNameWidth(pixels)} />
        {details ? (
          <div class="inline-details" hidden={room === null} style={{ top: `${room ?? 0}px`, height: `${INLINE_HEIGHT}px` }}>
            {details}
          </div>
        ) : null}
      </div>
      <ZoomEnds skeleton={skeleton} zoom={(from, to) => waterfall.current?.zoom(from, to)} />
    </div>
  );
}

/** The two ends of the window as numbers: what the overview does by dragging, without dragging. */
function ZoomEnds({ skeleton, zoom }: { skeleton: Skeleton; zoom: (from: number, to: number) => void }) {
  const window_ = readWindow();
  if (!window_) return null;
  const [from, to] = window_.map((ns) => ns / 1e6);
  const field = (name: string, value: number, set: (ms: number) => void) => (
    <label>
      {name}{" "}
      <input
        type="number"
        class="num"
        step="any"
        min={0}
        value={Number(value.toFixed(6))}
        onChange={(event) => {
          const ms = Number(event.currentTarget.value);
          if (Number.isFinite(ms)) set(ms);
        }}
      />
    </label>
  );
  return (
    <form class="zoom-ends" aria-label="Time that is shown" onSubmit={(event) => event.preventDefault()}>
      {field("From ms", from, (ms) => zoom(ms * 1e6, Math.max(ms * 1e6 + 20, to * 1e6)))}
      {field("to ms", to, (ms) => zoom(from * 1e6, ms * 1e6))}
      <button type="button" class="link" onClick={() => (zoom(0, skeleton.duration), replace(patched({ z: null })))}>
        Reset zoom
      </button>
    </form>
  );
}
