// SPDX-License-Identifier: Apache-2.0
// Draws a flame graph on a canvas and lets people walk it: arrows go up, down and sideways, Enter chooses, the wheel zooms. What the
// picture shows is said of the box under the cursor; the tables beside it have all of it.
import type { Box, Flame } from "../model/flame";
import { plural } from "../model/text";
import { formatDuration } from "../model/time";
import { barColour, fillOf, fitCanvas, type Ink, inkOf, labelColour } from "./ink";
import { TimeAxis } from "./time-axis";

export interface FlameEvents {
  /** The box under the cursor, by mouse or by key; -1 for none. */
  point: (box: number) => void;
  choose: (box: number) => void;
  /** What part of the width is shown. */
  zoomed: (from: number, to: number, whole: boolean) => void;
}

const LANE = 18;
const PAD = 4;
/** A narrower box has no room for a letter. */
const LABEL_MIN = 24;
/** The closest zoom, in nanoseconds across the view. */
const WINDOW_MIN = 20;

export class FlameCanvas {
  readonly #scroller = document.createElement("div");
  readonly #canvas = document.createElement("canvas");
  readonly #spacer = document.createElement("div");
  readonly #observer: ResizeObserver;
  readonly #axis: TimeAxis;
  /** Boxes of each lane, by their left ends. */
  #byLane: number[][] = [];
  #flame: Flame = { boxes: [], lanes: 0, width: 1, crowded: 0, boxOf: () => -1 };
  #ink: Ink;
  #from = 0;
  #to = 1;
  #current = -1;
  #frame = 0;
  #matches: Uint8Array | null = null;

  constructor(
    private readonly host: HTMLElement,
    dark: boolean,
    private readonly nameOf: (box: Box) => string,
    private readonly slotOf: (box: Box) => number,
    private readonly events: FlameEvents,
  ) {
    this.#ink = inkOf(dark);
    this.#scroller.className = "flame-scroll";
    this.#scroller.tabIndex = 0;
    // A slider has a value that is read out, and readers leave it the arrow keys.
    this.#scroller.setAttribute("role", "slider");
    this.#scroller.setAttribute("aria-label", "Flame graph");
    this.#scroller.setAttribute("aria-valuetext", "nothing chosen");
    this.#scroller.setAttribute("aria-description", "Arrow keys walk, Enter shows details");
    this.#canvas.setAttribute("aria-hidden", "true");
    this.#scroller.append(this.#canvas, this.#spacer);
    this.#axis = new TimeAxis(() => ({ left: 0, width: this.#scroller.clientWidth, from: this.#from, to: this.#to }), (from, to) => this.zoom(from, to));
    host.replaceChildren(this.#axis.element, this.#scroller);
    this.#scroller.addEventListener("scroll", () => this.#schedule(), { passive: true });
    this.#scroller.addEventListener("pointermove", (e) => this.#point(this.#boxAt(e)));
    this.#scroller.addEventListener("click", (e) => this.#choose(this.#boxAt(e)));
    this.#scroller.addEventListener("dblclick", (e) => this.zoomTo(this.#boxAt(e)));
    this.#scroller.addEventListener("wheel", this.#onWheel, { passive: false });
    this.#scroller.addEventListener("keydown", this.#onKey);
    this.#observer = new ResizeObserver(() => this.#schedule());
    this.#observer.observe(host);
  }

  stop(): void {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
    this.host.replaceChildren();
  }

  /** timed: its width is time, which has a scale. */
  show(flame: Flame, timed: boolean): void {
    this.#flame = flame;
    this.#axis.element.hidden = !timed;
    this.#scroller.setAttribute("aria-valuemax", String(Math.max(0, flame.boxes.length - 1)));
    this.#byLane = Array.from({ length: flame.lanes }, () => []);
    flame.boxes.forEach((box, i) => this.#byLane[box.lane].push(i));
    for (const lane of this.#byLane) lane.sort((a, b) => flame.boxes[a].from - flame.boxes[b].from);
    this.#current = -1;
    this.zoom(0, flame.width);
  }

  setDark(dark: boolean): void {
    this.#ink = inkOf(dark);
    this.#schedule();
  }

  setMatches(matches: Uint8Array | null): void {
    this.#matches = matches;
    this.#schedule();
  }

  zoom(from: number, to: number): void {
    const length = Math.min(this.#flame.width, Math.max(Math.min(WINDOW_MIN, this.#flame.width), to - from));
    this.#from = Math.max(0, Math.min(this.#flame.width - length, from));
    this.#to = this.#from + length;
    this.events.zoomed(this.#from, this.#to, length === this.#flame.width);
    this.#schedule();
  }

  zoomTo(box: number): void {
    const found = this.#flame.boxes[box];
    if (found) this.zoom(found.from, found.to);
  }

  reset(): void {
    this.zoom(0, this.#flame.width);
  }

  #schedule(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #xOf(at: number): number {
    return ((at - this.#from) / (this.#to - this.#from)) * this.#scroller.clientWidth;
  }

  #draw(): void {
    const width = this.#scroller.clientWidth;
    const height = this.#scroller.clientHeight;
    if (width < 1 || height < 1) return;
    this.#spacer.style.height = `${Math.max(0, this.#flame.lanes * LANE - height)}px`;
    if (!this.#axis.element.hidden) this.#axis.draw();
    const c = fitCanvas(this.#canvas, width, height);
    c.font = this.#ink.font;
    c.textBaseline = "middle";
    const top = this.#scroller.scrollTop;
    const first = Math.max(0, Math.floor(top / LANE));
    const last = Math.min(this.#flame.lanes, Math.ceil((top + height) / LANE));
    for (let lane = first; lane < last; lane++) this.#drawLane(c, lane, lane * LANE - top, width);
  }

  #drawLane(c: CanvasRenderingContext2D, lane: number, y: number, width: number): void {
    let painted = -1;
    for (const i of this.#byLane[lane]) {
      const box = this.#flame.boxes[i];
      if (box.to < this.#from || box.from > this.#to) continue;
      const x0 = Math.max(0, this.#xOf(box.from));
      const x1 = Math.max(x0 + 1, Math.min(width, this.#xOf(box.to)) - 0.5);
      // What is narrower than a pixel and lies in one that is painted would not be seen.
      if (x1 - x0 <= 1 && x0 <= painted && i !== this.#current) continue;
      painted = x1;
      c.globalAlpha = this.#matches && !this.#matches[box.row] ? 0.35 : 1;
      const slot = this.slotOf(box);
      c.fillStyle = fillOf(c, this.#ink, slot);
      c.fillRect(x0, y, x1 - x0, LANE - 1);
      if (box.errors > 0) {
        c.fillStyle = this.#ink.error;
        c.fillRect(x0, y + LANE - 4, x1 - x0, 3);
      }
      if (i === this.#current || this.#ink.forced) {
        c.lineWidth = i === this.#current ? 2 : 1;
        c.strokeStyle = this.#ink.text;
        c.strokeRect(x0 + 1, y + 1, Math.max(1, x1 - x0 - 2), LANE - 3);
      }
      if (x1 - x0 > LABEL_MIN) this.#label(c, box, slot, x0, x1, y);
    }
    c.globalAlpha = 1;
  }

  #label(c: CanvasRenderingContext2D, box: Box, slot: number, x0: number, x1: number, y: number): void {
    const dimmed = this.#matches !== null && !this.#matches[box.row];
    const room = x1 - x0 - 2 * PAD;
    const text = (box.errors > 0 ? "▲ " : "") + this.nameOf(box);
    const wide = c.measureText(text).width;
    const shown = wide <= room ? text : `${text.slice(0, Math.max(0, Math.floor((text.length * room) / wide) - 1))}…`;
    if (shown.length < 2) return;
    if (!dimmed) {
      // Plain behind the letters: they cannot be read on stripes and dots.
      c.fillStyle = barColour(this.#ink, slot);
      c.fillRect(x0 + 1, y + 1, Math.min(wide, room) + PAD + 1, LANE - (box.errors > 0 ? 5 : 3));
    }
    c.globalAlpha = 1;
    c.fillStyle = dimmed ? this.#ink.text : labelColour(this.#ink, slot);
    c.fillText(shown, x0 + PAD, y + LANE / 2);
  }

  #boxAt(event: MouseEvent): number {
    const frame = this.#scroller.getBoundingClientRect();
    const lane = Math.floor((event.clientY - frame.top + this.#scroller.scrollTop) / LANE);
    const at = this.#from + ((event.clientX - frame.left) / Math.max(1, this.#scroller.clientWidth)) * (this.#to - this.#from);
    const slack = (this.#to - this.#from) / Math.max(1, this.#scroller.clientWidth);
    const list = this.#byLane[lane] ?? [];
    return list.findLast((i) => this.#flame.boxes[i].from <= at && at <= this.#flame.boxes[i].to + slack) ?? -1;
  }

  #point(box: number): void {
    if (box === this.#current) return;
    this.#current = box;
    const found = this.#flame.boxes[box];
    this.#scroller.setAttribute("aria-valuenow", String(Math.max(0, box)));
    this.#scroller.setAttribute("aria-valuetext", found ? this.#tell(found) : "nothing chosen");
    this.events.point(box);
    this.#schedule();
  }

  #tell(box: Box): string {
    const failed = box.errors > 0 ? `, ${plural(box.errors, "error")}` : "";
    return `${this.nameOf(box)}, ${formatDuration(box.to - box.from)}, self ${formatDuration(box.self)}${box.count > 1 ? `, ${plural(box.count, "span")}` : ""}${failed}`;
  }

  #choose(box: number): void {
    if (box < 0) return;
    this.#point(box);
    this.events.choose(box);
  }

  readonly #onWheel = (event: WheelEvent) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const frame = this.#scroller.getBoundingClientRect();
    const at = this.#from + ((event.clientX - frame.left) / frame.width) * (this.#to - this.#from);
    this.#zoomAt(event.deltaY > 0 ? 1.25 : 0.8, at);
  };

  #zoomAt(factor: number, at: number): void {
    this.zoom(at - (at - this.#from) * factor, at + (this.#to - at) * factor);
  }

  #step(event: KeyboardEvent): number | null {
    const box = this.#flame.boxes[this.#current];
    if (!box) return this.#flame.boxes.length > 0 ? 0 : null;
    const lane = this.#byLane[box.lane];
    const place = lane.indexOf(this.#current);
    switch (event.key) {
      case "ArrowUp": return box.parent >= 0 ? box.parent : null;
      case "ArrowDown": return this.#flame.boxes.findIndex((b) => b.parent === this.#current);
      case "ArrowLeft": return lane[place - 1] ?? null;
      default: return lane[place + 1] ?? null;
    }
  }

  readonly #onKey = (event: KeyboardEvent) => {
    const at = this.#flame.boxes[this.#current];
    const middle = at ? (at.from + at.to) / 2 : (this.#from + this.#to) / 2;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^Arrow/.test(event.key)) {
      const next = this.#step(event);
      if (next !== null && next >= 0) this.goTo(next);
    } else if (event.key === "Enter") this.#choose(this.#current);
    else if (event.key === "w" || event.key === "+") this.#zoomAt(0.5, middle);
    else if (event.key === "s" || event.key === "-") this.#zoomAt(2, middle);
    else if (event.key === "f") this.zoomTo(this.#current);
    else if (event.key === "0") this.reset();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  /** Shows a box wherever it is. */
  goTo(box: number): void {
    const { lane, from, to } = this.#flame.boxes[box];
    const y = lane * LANE;
    if (y < this.#scroller.scrollTop) this.#scroller.scrollTop = y;
    else if (y + LANE > this.#scroller.scrollTop + this.#scroller.clientHeight) this.#scroller.scrollTop = y + LANE - this.#scroller.clientHeight;
    if (to < this.#from || from > this.#to) this.zoom((from + to) / 2 - (this.#to - this.#from) / 2, (from + to) / 2 + (this.#to - this.#from) / 2);
    this.#point(box);
  }
}
