// SPDX-License-Identifier: Apache-2.0
// The waterfall: a treegrid of any size. Names are a pool of real rows, as many as fit on the screen; bars are one canvas.
// Both lie in a layer that stays in view while the scroller moves, so a frame costs the rows in view and nothing else.
import type { Rank } from "../api/trace-types";
import {
  type Folding,
  foldedDepth,
  foldFrom,
  groupOfItem,
  isPeer,
  isRun,
  newFolding,
  nextShown,
  positionOf,
  reveal,
  rowOfItem,
  type RunStats,
  runStats,
  visibleItems,
} from "../model/rows";
import { type CriticalSegment, criticalTime, ERROR, errorsBefore, ORPHAN, type Skeleton, subtreeEnds } from "../model/skeleton";
import { formatDuration } from "../model/time";
import { BAR, drawBars } from "./bars";
import { fitCanvas, type Ink, inkOf } from "./ink";
import { Ticks } from "./ticks";
import { ticksOf, TimeAxis, timeAt, type TimeScale } from "./time-axis";
import { addTimeTouch } from "./touch";
import { fillRow, INDENT_MAX, INDENT_PX, makeRow, NAME_MIN, NAME_TIGHT, type RowParts } from "./waterfall-row";

export interface WaterfallEvents {
  /** The cursor moved; `open` when details were asked for. */
  select: (row: number, open: boolean) => void;
  zoom: (from: number, to: number) => void;
  /** Pixels of rows above the view. */
  scroll?: (top: number) => void;
  /** These rows have been in view for a moment. */
  settled?: (rows: number[]) => void;
  /** How wide the names are, and may be at most. */
  split?: (pixels: number, most: number) => void;
  /** Where the room for details below the cursor begins, in pixels from the top; null: out of view, or there is none. */
  room?: (top: number | null) => void;
}

/** Scrolling asks for what it stops at, not for all that passes. */
const SETTLED_MS = 150;

/** Until a person's own density is told. */
const ROW = 24;
const ROW_NARROW = 44;
const NARROW = 720;
/** Browsers stop laying out somewhere above 30 million pixels; beyond this the scroll bar is a scaled one. */
const SCROLL_MAX = 8e6;
/** The closest zoom, in nanoseconds across the view. */
const WINDOW_MIN = 20;
/** What a row needs besides its indent: a part of the name, and the numbers behind it. */
const NAME_ROOM = 230;
const LEVELS_MIN = 4;

export class Waterfall {
  readonly folding: Folding;
  items: Int32Array;
  /** The row under the cursor and its position among the items; -1 for none. */
  cursor = -1;
  #cursorAt = -1;
  from = 0;
  to: number;
  #extent: number;

  readonly #scroller = document.createElement("div");
  readonly #layer = document.createElement("div");
  readonly #spacer = document.createElement("div");
  readonly #canvas = document.createElement("canvas");
  readonly #axis: TimeAxis;
  readonly #hair = document.createElement("div");
  readonly #ticks: Ticks;
  readonly #pool: RowParts[] = [];
  readonly #observer: ResizeObserver;
  readonly #subtreeEnd: Float64Array;
  readonly #stats = new Map<number, RunStats>();
  readonly #criticalOf: Float64Array;
  readonly #errorsBefore: Uint32Array;
  #showsCritical = false;
  readonly #criticalParts = new Map<string, CriticalSegment[]>();
  readonly #ranks = new Map<number, Rank>();
  #marks: [number, number] = [-1, -1];
  /** Pixels kept free below the cursor for details. */
  #room = 0;
  #settling = 0;
  #settledOn = "";
  #matches: Uint8Array | null = null;
  #ink: Ink;
  #frame = 0;
  #row = ROW;
  #width = 0;
  #height = 0;
  #nameWidth = 0;
  /** Part of the width that names get; kept when the view is resized. */
  #nameShare = 0.38;

  constructor(
    private readonly host: HTMLElement,
    private readonly skeleton: Skeleton,
    dark: boolean,
    private readonly events: WaterfallEvents,
  ) {
    this.folding = newFolding(skeleton);
    this.items = visibleItems(skeleton, this.folding);
    this.to = Math.max(1, skeleton.duration);
    this.#extent = this.to;
    this.#ink = inkOf(dark);
    this.#criticalOf = criticalTime(skeleton);
    this.#subtreeEnd = subtreeEnds(skeleton);
    this.#errorsBefore = errorsBefore(skeleton);
    this.#ticks = new Ticks(skeleton, this.folding);
    this.#axis = new TimeAxis(() => this.#scale, (from, to) => this.zoom(from, to));
    this.#build();
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(host);
    this.#resize();
  }

  #build(): void {
    this.#scroller.className = "wf-scroll";
    this.#scroller.setAttribute("role", "treegrid");
    this.#scroller.setAttribute("aria-label", "Spans");
    this.#scroller.tabIndex = 0;
    this.#layer.className = "wf-layer";
    this.#layer.setAttribute("role", "rowgroup");
    this.#canvas.className = "wf-bars";
    this.#canvas.setAttribute("aria-hidden", "true");
    this.#hair.className = "wf-hair";
    this.#hair.hidden = true;
    this.#hair.setAttribute("aria-hidden", "true");
    this.#spacer.setAttribute("role", "presentation");
    this.#layer.append(this.#canvas, this.#hair, this.#ticks.element);
    this.#scroller.append(this.#layer, this.#spacer);
    this.host.replaceChildren(this.#axis.element, this.#scroller);
    this.#scroller.addEventListener(
      "scroll",
      () => {
        this.#schedule();
        this.events.scroll?.(this.#top);
      },
      { passive: true },
    );
    this.#scroller.addEventListener("click", this.#onClick);
    this.#scroller.addEventListener("dblclick", (e) => this.#rowAt(e) >= 0 && this.#fit(this.#rowAt(e)));
    this.#scroller.addEventListener("wheel", this.#onWheel, { passive: false });
    this.#scroller.addEventListener("pointermove", this.#onHover);
    addTimeTouch(this.#scroller, () => this.#scale, (from, to) => this.zoom(from, to), () => this.to - this.from >= this.skeleton.duration);
    this.#scroller.addEventListener("pointerleave", () => {
      this.#hair.hidden = true;
    });
  }

  stop(): void {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
    window.clearTimeout(this.#settling);
    this.host.replaceChildren();
  }

  get narrow(): boolean {
    return this.#width < NARROW;
  }

  get rowHeight(): number {
    return this.narrow ? ROW_NARROW : this.#row;
  }

  /** Where the bars begin, in pixels from the left. */
  get #barsLeft(): number {
    return this.narrow ? 0 : this.#nameWidth;
  }

  setNameWidth(pixels: number): void {
    this.#nameShare = pixels / Math.max(1, this.#width);
    this.#placeSplit();
    this.#axis.draw();
    this.#schedule();
  }

  #placeSplit(): void {
    const most = Math.max(NAME_MIN, this.#width - 200);
    this.#nameWidth = Math.max(NAME_MIN, Math.min(most, Math.round(this.#width * this.#nameShare)));
    this.host.style.setProperty("--name-width", `${this.#nameWidth}px`);
    this.host.classList.toggle("tight", this.#nameWidth < NAME_TIGHT);
    this.events.split?.(this.#nameWidth, most);
  }

  /** How tall a row of one line is; what stands first in view stays there. */
  setRow(pixels: number): void {
    if (pixels === this.#row) return;
    const first = this.#top / this.rowHeight;
    this.#row = pixels;
    this.#layout();
    this.#scrollTo(first * this.rowHeight);
    this.#resize();
  }

  setDark(dark: boolean): void {
    this.#ink = inkOf(dark);
    this.#schedule();
  }

  /** matches: not dimmed. keep: nothing but these and their ancestors is shown. */
  setMatches(matches: Uint8Array | null, keep: Uint8Array | null): void {
    this.#matches = matches;
    if (keep === this.folding.only) return this.#schedule();
    this.folding.only = keep;
    this.refold(this.cursor);
  }

  setCritical(on: boolean): void {
    this.#showsCritical = on;
    this.#schedule();
  }

  /** The critical path in a row; in a folded one also that of the rows inside. */
  readonly #criticalIn = (row: number): CriticalSegment[] => {
    const closed = this.folding.closed[row] === 1;
    const key = `${row} ${closed}`;
    let parts = this.#criticalParts.get(key);
    if (!parts) {
      const end = closed ? row + this.skeleton.subtree[row] : row + 1;
      parts = this.skeleton.critical.filter((part) => part.row >= row && part.row < end);
      this.#criticalParts.set(key, parts);
    }
    return parts;
  };

  addRanks(ranks: Rank[]): void {
    for (const rank of ranks) this.#ranks.set(rank.row, rank);
    this.#schedule();
  }

  setMarks(marks: [number, number]): void {
    this.#marks = marks;
    this.#schedule();
  }

  setPeers(on: boolean): void {
    if (on === this.folding.peers) return;
    this.folding.peers = on;
    this.refold(this.cursor);
  }

  /** Keeps so many pixels free below the cursor; 0 for none. */
  setRoom(pixels: number): void {
    this.#room = pixels;
    this.#layout();
    this.#keepInView();
    this.#schedule();
  }

  setFoldRuns(on: boolean): void {
    // What a link has opened stays open.
    if (on === this.folding.foldRuns) return;
    this.folding.foldRuns = on;
    this.folding.openRuns.clear();
    this.refold(this.cursor);
  }

  /** Only the subtree of a row; -1 for the whole trace. */
  setIsolated(row: number): void {
    this.folding.isolated = row;
    this.refold(this.cursor);
    this.#scroller.scrollTop = 0;
    if (row >= 0) this.#fit(row);
    else this.zoom(0, this.skeleton.duration);
  }

  /** Recomputes the items after a change of folding and keeps the row in view. */
  refold(row: number): void {
    const before = row >= 0 ? positionOf(this.folding, this.items, row) - this.#top / this.rowHeight : 0;
    const item = this.items[this.#cursorAt];
    this.items = visibleItems(this.skeleton, this.folding);
    this.#layout();
    this.#cursorAt = row >= 0 && this.items.length > 0 ? this.#find(row) : -1;
    // A missing parent has the row of its first child: the cursor stays on it.
    if (item < 0 && row === this.cursor && groupOfItem(this.folding, item) >= 0) this.#cursorAt = Math.max(this.#cursorAt, this.items.indexOf(item));
    if (this.#cursorAt >= 0) this.#scrollTo((this.#cursorAt - before) * this.rowHeight);
    this.#schedule();
  }

  #resize(): void {
    this.#width = this.host.clientWidth;
    this.host.classList.toggle("narrow", this.narrow);
    this.#height = this.#scroller.clientHeight;
    this.#placeSplit();
    const wanted = Math.ceil(this.#height / this.rowHeight) + 2;
    while (this.#pool.length < wanted) {
      const parts = makeRow();
      this.#pool.push(parts);
      this.#layer.insertBefore(parts.row, this.#canvas);
    }
    while (this.#pool.length > wanted) this.#pool.pop()?.row.remove();
    for (const parts of this.#pool) parts.shown = "";
    this.#layout();
    this.#keepInView(true);
    this.#axis.draw();
    this.#draw();
  }

  get #total(): number {
    return this.items.length * this.rowHeight + (this.#cursorAt >= 0 ? this.#room : 0);
  }

  /** Pixels from the first row's top to that of a position; and back. */
  #yOf(position: number): number {
    return position * this.rowHeight + (this.#cursorAt >= 0 && position > this.#cursorAt ? this.#room : 0);
  }

  #positionAtY(y: number): number {
    const below = (this.#cursorAt + 1) * this.rowHeight;
    if (this.#cursorAt < 0 || y < below) return Math.floor(y / this.rowHeight);
    return y < below + this.#room ? this.#cursorAt : Math.floor((y - this.#room) / this.rowHeight);
  }

  #layout(): void {
    const total = this.#total;
    this.#layer.style.height = `${this.#height}px`;
    this.#spacer.style.height = `${Math.max(0, Math.min(total, SCROLL_MAX) - this.#height)}px`;
    this.#scroller.setAttribute("aria-rowcount", String(this.items.length));
  }

  /** Pixels of rows above the view; with a scaled scroll bar not the scroller's own number. */
  get #top(): number {
    const total = this.#total;
    if (total <= SCROLL_MAX) return this.#scroller.scrollTop;
    return (this.#scroller.scrollTop / Math.max(1, SCROLL_MAX - this.#height)) * (total - this.#height);
  }

  #scrollTo(top: number): void {
    const total = this.#total;
    const clamped = Math.max(0, Math.min(total - this.#height, top));
    this.#scroller.scrollTop = total <= SCROLL_MAX ? clamped : (clamped / (total - this.#height)) * (SCROLL_MAX - this.#height);
  }

  /** Scrolls as another waterfall does. */
  setTop(top: number): void {
    if (Math.abs(top - this.#top) >= 1) this.#scrollTo(top);
  }

  get scrolled(): number {
    return this.#top;
  }

  /** Pixels of rows above this one, wherever the view is. */
  above(row: number): number {
    return this.#find(row) * this.rowHeight;
  }

  /** The time that all of the view stands for: longer than the trace when two of them share a scale. */
  setExtent(duration: number): void {
    this.#extent = Math.max(1, duration);
    this.zoom(0, this.#extent);
  }

  #schedule(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  get #scale(): TimeScale {
    return { left: this.#barsLeft, width: this.#scroller.clientWidth - this.#barsLeft, from: this.from, to: this.to };
  }

  #draw(): void {
    const top = this.#top;
    const first = Math.max(0, this.#positionAtY(top));
    const last = Math.min(this.items.length, first + this.#pool.length);
    const yAt = (position: number) => this.#yOf(position) - top;
    const barsWidth = this.#scale.width;
    const c = fitCanvas(this.#canvas, Math.max(1, barsWidth), this.#height);
    drawBars(c, this.#ink, {
      skeleton: this.skeleton,
      folding: this.folding,
      items: this.items,
      first,
      last,
      yAt,
      barTop: this.narrow ? 25 : (this.#row - BAR) / 2,
      from: this.from,
      to: this.to,
      width: barsWidth,
      height: this.#height,
      grid: this.narrow ? [] : ticksOf(this.#scale).map((t) => t.at),
      matches: this.#matches,
      critical: this.#showsCritical ? this.#criticalIn : null,
      subtreeEnd: this.#subtreeEnd,
      runStats: this.#statsOf,
    });
    this.#drawRows(first, last, yAt);
    this.#ticks.draw(this.items, this.#matches, this.#height, this.#total, this.#ink);
    this.#tellRoom(top);
    this.#settle(first, last);
  }

  #tellRoom(top: number): void {
    if (this.#room === 0) return;
    const at = this.#cursorAt < 0 ? null : (this.#cursorAt + 1) * this.rowHeight - top;
    this.events.room?.(at === null || at + this.#room < 0 || at > this.#height ? null : at + this.#axis.element.offsetHeight);
  }

  #settle(first: number, last: number): void {
    const view = `${first} ${last} ${this.items.length} ${this.items[first]}`;
    if (view === this.#settledOn) return;
    this.#settledOn = view;
    window.clearTimeout(this.#settling);
    this.#settling = window.setTimeout(() => this.events.settled?.([...this.items.slice(first, last)].filter((item) => item >= 0)), SETTLED_MS);
  }

  readonly #statsOf = (run: number): RunStats => {
    let stats = this.#stats.get(run);
    if (!stats) {
      stats = runStats(this.skeleton, this.folding.runs[run]);
      this.#stats.set(run, stats);
    }
    return stats;
  };

  #drawRows(first: number, last: number, yAt: (position: number) => number): void {
    const active = document.activeElement;
    const hadFocus = active !== null && this.#scroller.contains(active);
    const size = this.#pool.length;
    let cursorRow: HTMLElement | null = null;
    for (let slot = 0; slot < size; slot++) {
      // A row keeps its element while it is in view: positions modulo the pool's size.
      const position = first + ((slot - (first % size) + size) % size);
      const parts = this.#pool[slot];
      if (position >= last) {
        parts.row.hidden = true;
        continue;
      }
      const item = this.items[position];
      fillRow(parts, {
        skeleton: this.skeleton,
        folding: this.folding,
        item,
        position,
        dark: this.#ink.dark,
        dimmed: this.#isDimmed(item),
        current: position === this.#cursorAt,
        criticalTime: this.#showsCritical ? this.#criticalOf : null,
        stats: this.#statsOf,
        errorsBefore: this.#errorsBefore,
        ranks: this.#ranks,
        levels: Math.max(LEVELS_MIN, Math.min(INDENT_MAX, Math.floor(((this.narrow ? this.#width : this.#nameWidth) - NAME_ROOM) / INDENT_PX))),
        marks: this.#marks,
      });
      parts.row.hidden = false;
      parts.row.style.transform = `translateY(${yAt(position)}px)`;
      if (position === this.#cursorAt) cursorRow = parts.row;
    }
    this.#scroller.tabIndex = cursorRow ? -1 : 0;
    if (!hadFocus) return;
    if (cursorRow) cursorRow.focus({ preventScroll: true });
    else this.#scroller.focus({ preventScroll: true });
  }

  /** A missing parent is dimmed when all that hangs from it is. */
  #isDimmed(item: number): boolean {
    const { folding } = this;
    const matches = this.#matches;
    if (!matches) return false;
    const group = groupOfItem(folding, item);
    if (group < 0) return !matches[rowOfItem(folding, item)];
    return !folding.orphans?.groups[group].tops.some((top) => matches.subarray(top, top + this.skeleton.subtree[top]).includes(1));
  }

  /** Moves the cursor to a position of the list. */
  #moveTo(position: number, open = false): void {
    const at = Math.max(0, Math.min(this.items.length - 1, position));
    this.#cursorAt = at;
    this.cursor = rowOfItem(this.folding, this.items[at]);
    this.#layout();
    this.#keepInView();
    this.#schedule();
    this.events.select(this.cursor, open);
  }

  /** A row that is out of view comes to the edge, for who walks, or to the middle. */
  #keepInView(middle = false): void {
    if (this.#cursorAt < 0) return;
    const above = this.#cursorAt * this.rowHeight;
    const below = above + this.rowHeight + Math.min(this.#room, this.#height - this.rowHeight);
    if (above >= this.#top && below <= this.#top + this.#height) return;
    const half = Math.floor(this.#height / this.rowHeight / 2) * this.rowHeight;
    this.#scrollTo(middle ? above - half : above < this.#top ? above : below - this.#height);
  }

  /** Shows a row wherever it is: opens what hides it, scrolls it to the middle when it is out of view. */
  goTo(row: number, open = false): void {
    reveal(this.skeleton, this.folding, row);
    this.items = visibleItems(this.skeleton, this.folding);
    this.#layout();
    this.#cursorAt = this.#find(row);
    this.#keepInView(true);
    this.#moveTo(this.#cursorAt, open);
  }

  /** The position of the span itself, not of the run that heads it. */
  #find(row: number): number {
    const position = positionOf(this.folding, this.items, row);
    if (position > 0 && isPeer(this.folding, this.items[position])) return position - 1;
    return this.items[position] < 0 && this.items[position + 1] === row ? position + 1 : Math.max(0, position);
  }

  focus(): void {
    if (this.#cursorAt < 0) this.#moveTo(0);
    this.#scroller.focus({ preventScroll: true });
    this.#draw();
  }

  /** What keys and buttons ask for, by the names of actions. */
  command(name: string): void {
    const page = Math.max(1, Math.floor(this.#height / this.rowHeight) - 1);
    const span = this.to - this.from;
    switch (name) {
      case "next": return this.#step(1);
      case "previous": return this.#step(-1);
      case "pageDown": return this.#step(page);
      case "pageUp": return this.#step(-page);
      case "first": return this.#moveTo(0);
      case "last": return this.#moveTo(this.items.length - 1);
      case "open": return this.#open();
      case "in": return this.#unfold();
      case "out": return this.#fold();
      case "zoomIn": return this.#zoomAt(0.5, this.#middle());
      case "zoomOut": return this.#zoomAt(2, this.#middle());
      case "panLeft": return this.zoom(this.from - span / 4, this.to - span / 4);
      case "panRight": return this.zoom(this.from + span / 4, this.to + span / 4);
      case "fit": return this.cursor >= 0 ? this.#fit(this.cursor) : undefined;
      case "reset": return this.zoom(0, this.#extent);
      case "foldAll": return this.#foldDepth(0);
      case "unfoldAll": return this.#foldDepth(Number.POSITIVE_INFINITY);
      case "foldLevel": return this.#foldDepth(Math.max(0, foldedDepth(this.skeleton, this.folding) - 1));
      case "unfoldLevel": return this.#foldDepth(foldedDepth(this.skeleton, this.folding) + 1);
      case "nextError": return this.#jump(1, (row) => (this.skeleton.flags[row] & ERROR) !== 0);
      case "previousError": return this.#jump(-1, (row) => (this.skeleton.flags[row] & ERROR) !== 0);
      case "nextMatch": return this.#jump(1, (row) => this.#matches?.[row] === 1);
      case "previousMatch": return this.#jump(-1, (row) => this.#matches?.[row] === 1);
      case "nextOrphan": return this.#jump(1, (row) => (this.skeleton.flags[row] & ORPHAN) !== 0);
    }
  }

  /** Details of the span; a missing parent has none. */
  #open(): void {
    if (this.cursor < 0) this.#moveTo(0, true);
    else if (groupOfItem(this.folding, this.items[this.#cursorAt]) >= 0) this.#toggle(this.#cursorAt);
    else this.events.select(this.cursor, true);
  }

  #step(by: number): void {
    this.#moveTo(this.#cursorAt < 0 ? 0 : this.#cursorAt + by);
  }

  #jump(step: 1 | -1, test: (row: number) => boolean): void {
    const row = nextShown(this.skeleton, this.folding, this.cursor < 0 ? (step > 0 ? -1 : 0) : this.cursor, step, test);
    if (row >= 0) this.goTo(row);
  }

  #foldDepth(depth: number): void {
    foldFrom(this.skeleton, this.folding, depth);
    this.refold(this.cursor);
    if (this.cursor >= 0) this.#moveTo(this.#find(this.cursor));
  }

  /** Opens the row under the cursor, or goes to its first child. */
  #unfold(): void {
    const item = this.items[this.#cursorAt];
    if (item === undefined) return this.#moveTo(0);
    const group = groupOfItem(this.folding, item);
    if (isRun(this.folding, item) || group >= 0) {
      const open = group >= 0 ? !this.folding.closedGroups.has(group) : this.folding.openRuns.has(~item);
      if (open) this.#moveTo(this.#cursorAt + 1);
      else this.#toggle(this.#cursorAt);
    } else if (this.folding.closed[item]) this.#toggle(this.#cursorAt);
    else if (this.skeleton.subtree[item] > 1) this.#moveTo(this.#cursorAt + 1);
  }

  /** Closes the row under the cursor, or goes to its parent. */
  #fold(): void {
    const item = this.items[this.#cursorAt];
    if (item === undefined) return;
    if (item < 0 && this.folding.openRuns.has(~item)) return this.#toggle(this.#cursorAt);
    const group = groupOfItem(this.folding, item);
    if (group >= 0) return this.folding.closedGroups.has(group) ? undefined : this.#toggle(this.#cursorAt);
    const row = rowOfItem(this.folding, item);
    if (isPeer(this.folding, item)) return this.#moveTo(this.#cursorAt - 1);
    if (item >= 0 && this.skeleton.subtree[row] > 1 && !this.folding.closed[row]) return this.#toggle(this.#cursorAt);
    const parent = this.skeleton.parent[row];
    if (parent >= 0) return this.#moveTo(this.#find(parent));
    const above = this.folding.isolated < 0 ? (this.folding.orphans?.groupOf[row] ?? -1) : -1;
    const head = above < 0 ? -1 : this.items.findIndex((i) => groupOfItem(this.folding, i) === above);
    if (head >= 0) this.#moveTo(head);
  }

  #toggle(position: number): void {
    const item = this.items[position];
    const group = groupOfItem(this.folding, item);
    if (item < 0) {
      const [set, key] = group >= 0 ? [this.folding.closedGroups, group] : [this.folding.openRuns, ~item];
      if (!set.delete(key)) set.add(key);
    } else this.folding.closed[item] = this.folding.closed[item] ? 0 : 1;
    this.items = visibleItems(this.skeleton, this.folding);
    this.#layout();
    this.#moveTo(position);
  }

  #middle(): number {
    const row = this.cursor;
    const at = row >= 0 ? this.skeleton.start[row] + this.skeleton.length[row] / 2 : -1;
    return at >= this.from && at <= this.to ? at : (this.from + this.to) / 2;
  }

  /** The span and what is below it with some air; once more: the span itself from edge to edge. */
  #fit(row: number): void {
    const start = this.skeleton.start[row];
    const length = Math.max(this.skeleton.length[row], this.#subtreeEnd[row] - start, WINDOW_MIN);
    const [from, to] = this.#clamped(start - length * 0.04, start + length * 1.1);
    const fits = Math.abs(from - this.from) < 1 && Math.abs(to - this.to) < 1;
    if (fits) this.zoom(start, start + Math.max(this.skeleton.length[row], WINDOW_MIN));
    else this.zoom(from, to);
  }

  #clamped(from: number, to: number): [number, number] {
    const all = this.#extent;
    const length = Math.max(Math.min(WINDOW_MIN, all), Math.min(all, to - from));
    const start = Math.max(0, Math.min(all - length, from));
    return [start, start + length];
  }

  #zoomAt(factor: number, at: number): void {
    this.zoom(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  zoom(from: number, to: number): void {
    [this.from, this.to] = this.#clamped(from, to);
    this.#axis.draw();
    this.#schedule();
    this.events.zoom(this.from, this.to);
  }

  #rowAt(event: MouseEvent): number {
    const position = this.#positionAt(event);
    return position < 0 ? -1 : rowOfItem(this.folding, this.items[position]);
  }

  #positionAt(event: MouseEvent): number {
    const y = event.clientY - this.#scroller.getBoundingClientRect().top;
    const position = this.#positionAtY(y + this.#top);
    return position < this.items.length ? position : -1;
  }

  readonly #onClick = (event: MouseEvent) => {
    const position = this.#positionAt(event);
    if (position < 0) return;
    const onTwisty = event.target instanceof Element && event.target.closest(".wf-twisty:not(.leaf)") !== null;
    this.#cursorAt = position;
    if (onTwisty || isRun(this.folding, this.items[position]) || groupOfItem(this.folding, this.items[position]) >= 0) this.#toggle(position);
    else this.#moveTo(position, true);
    this.#scroller.focus({ preventScroll: true });
    this.#schedule();
  };

  #timeAt(event: MouseEvent): number {
    return timeAt(this.#scale, event.clientX - this.#scroller.getBoundingClientRect().left);
  }

  readonly #onWheel = (event: WheelEvent) => {
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.shiftKey ? event.deltaY : 0;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.#zoomAt(event.deltaY > 0 ? 1.25 : 0.8, this.#timeAt(event));
    } else if (sideways !== 0 && this.to - this.from < this.skeleton.duration) {
      event.preventDefault();
      const by = (sideways / Math.max(1, this.#width)) * (this.to - this.from);
      this.zoom(this.from + by, this.to + by);
    }
  };

  readonly #onHover = (event: PointerEvent) => {
    const x = event.clientX - this.#scroller.getBoundingClientRect().left;
    const inside = !this.narrow && x > this.#barsLeft && x < this.#scroller.clientWidth;
    this.#hair.hidden = !inside;
    if (!inside) return;
    this.#hair.style.transform = `translateX(${x}px)`;
    this.#hair.dataset.time = formatDuration(this.#timeAt(event));
    this.#hair.classList.toggle("left", x > this.#width - 90);
  };
}
