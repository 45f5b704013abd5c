// SPDX-License-Identifier: Apache-2.0
// The whole trace in one strip: drag over it to zoom, double-click to see all. The keys w s a d 0 do the same.
import { type Overview, overviewOf } from "../model/overview";
import { formatDuration } from "../model/time";
import type { Skeleton } from "../model/skeleton";
import { askFile } from "./files";
import { barColour, fitCanvas, type Ink, inkOf } from "./ink";

const TICKS_HEIGHT = 5;
/** A shorter drag is a click. */
const DRAG_MIN = 4;
/** More spans than this are looked at off the main thread: starting the worker takes longer than looking at fewer. */
const SPANS_HERE_MAX = 20000;

export class Minimap {
  readonly #canvas = document.createElement("canvas");
  readonly #shade = document.createElement("div");
  readonly #observer: ResizeObserver;
  readonly #spans = document.createElement("canvas");
  /** What `spans` was drawn for. */
  #drawn = "";
  #overview: Overview | null = null;
  #asking = false;
  #stopped = false;
  #ink: Ink;
  #window: { from: number; to: number };
  #matches: Uint8Array | null = null;
  #dragFrom = -1;
  /** Less where room is short: styles say. */
  #height = 0;

  constructor(
    private readonly host: HTMLElement,
    private readonly skeleton: Skeleton,
    dark: boolean,
    private readonly onZoom: (from: number, to: number) => void,
  ) {
    this.#ink = inkOf(dark);
    this.#window = { from: 0, to: skeleton.duration };
    this.#canvas.setAttribute("aria-hidden", "true");
    this.#shade.className = "minimap-window";
    host.replaceChildren(this.#canvas, this.#shade);
    this.#observer = new ResizeObserver(() => this.#draw());
    this.#observer.observe(host);
    host.addEventListener("pointerdown", this.#down);
    host.addEventListener("pointermove", this.#move);
    host.addEventListener("pointerup", this.#up);
    host.addEventListener("pointercancel", this.#cancel);
    host.addEventListener("dblclick", this.#reset);
  }

  stop(): void {
    this.#stopped = true;
    this.#observer.disconnect();
    this.host.removeEventListener("pointerdown", this.#down);
    this.host.removeEventListener("pointermove", this.#move);
    this.host.removeEventListener("pointerup", this.#up);
    this.host.removeEventListener("pointercancel", this.#cancel);
    this.host.removeEventListener("dblclick", this.#reset);
    this.host.replaceChildren();
  }

  setDark(dark: boolean): void {
    this.#ink = inkOf(dark);
    this.#draw();
  }

  setMatches(matches: Uint8Array | null): void {
    this.#matches = matches;
    this.#draw();
  }

  setWindow(from: number, to: number): void {
    this.#window = { from, to };
    this.#placeWindow(from, to);
  }

  #placeWindow(from: number, to: number): void {
    const all = Math.max(1, this.skeleton.duration);
    const whole = from <= 0 && to >= this.skeleton.duration;
    this.#shade.hidden = whole;
    this.#shade.style.left = `${(100 * from) / all}%`;
    this.#shade.style.width = `${(100 * (to - from)) / all}%`;
  }

  #timeAt(event: PointerEvent): number {
    const box = this.host.getBoundingClientRect();
    const part = (event.clientX - box.left) / Math.max(1, box.width);
    return Math.max(0, Math.min(1, part)) * this.skeleton.duration;
  }

  readonly #down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    this.#dragFrom = this.#timeAt(event);
    this.host.setPointerCapture(event.pointerId);
  };

  readonly #move = (event: PointerEvent) => {
    const at = this.#timeAt(event);
    this.host.title = `${formatDuration(at)} after the start. Drag to zoom.`;
    if (this.#dragFrom >= 0) this.#placeWindow(Math.min(at, this.#dragFrom), Math.max(at, this.#dragFrom));
  };

  readonly #up = (event: PointerEvent) => {
    if (this.#dragFrom < 0) return;
    const at = this.#timeAt(event);
    const [from, to] = [Math.min(at, this.#dragFrom), Math.max(at, this.#dragFrom)];
    this.#dragFrom = -1;
    const pixels = ((to - from) / Math.max(1, this.skeleton.duration)) * this.host.clientWidth;
    if (pixels >= DRAG_MIN) this.onZoom(from, to);
    else this.#placeWindow(this.#window.from, this.#window.to);
  };

  readonly #cancel = () => {
    this.#dragFrom = -1;
    this.#placeWindow(this.#window.from, this.#window.to);
  };

  readonly #reset = () => this.onZoom(0, this.skeleton.duration);

  #draw(): void {
    const width = this.host.clientWidth;
    if (width < 1) return;
    this.#height = this.host.clientHeight;
    const wanted = `${width} ${this.#height} ${window.devicePixelRatio} ${this.#ink.dark} ${this.#ink.forced}`;
    if (wanted !== this.#drawn) {
      const overview = this.#overviewFor(width);
      if (overview) {
        this.#drawSpans(overview, width);
        this.#drawn = wanted;
      }
    }
    const c = fitCanvas(this.#canvas, width, this.#height);
    c.drawImage(this.#spans, 0, 0, width, this.#height);
    this.#drawMatches(c, width);
    this.#placeWindow(this.#window.from, this.#window.to);
  }

  /** The overview that fits the strip; null while it is computed: until then the one before is shown, stretched. */
  #overviewFor(width: number): Overview | null {
    const lanesMax = Math.floor((this.#height - TICKS_HEIGHT) / 2);
    if (this.#overview?.width === width && this.#overview.lanesMax === lanesMax) return this.#overview;
    const { count, depth, depthMax, duration, flags, length, service, start } = this.skeleton;
    const trace = { count, depth, depthMax, duration, flags, length, service, start };
    if (count <= SPANS_HERE_MAX) {
      this.#overview = overviewOf(trace, width, lanesMax);
      return this.#overview;
    }
    if (this.#asking) return null;
    this.#asking = true;
    // A worker that was stopped, or could not be started, is no reason to show nothing.
    void askFile("overview", { trace, width, lanesMax })
      .catch(() => overviewOf(trace, width, lanesMax))
      .then((overview) => {
        this.#asking = false;
        if (this.#stopped) return;
        this.#overview = overview;
        this.#draw();
      });
    return null;
  }

  /** All spans and errors, on a canvas of its own: what is looked for changes with each letter, they do not. */
  #drawSpans({ lanes, cells, errors }: Overview, width: number): void {
    const c = fitCanvas(this.#spans, width, this.#height);
    const lane = Math.min(9, (this.#height - TICKS_HEIGHT - 4) / Math.max(1, lanes));
    for (let l = 0; l < lanes; l++) {
      for (let x = 0; x < width; ) {
        const cell = cells[l * width + x];
        let end = x + 1;
        while (end < width && cells[l * width + end] === cell) end++;
        if (cell > 0) {
          c.fillStyle = barColour(this.#ink, this.skeleton.services[cell - 1].slot);
          c.fillRect(x, TICKS_HEIGHT + 2 + l * lane, end - x, Math.max(1, lane - (lane > 3 ? 1 : 0)));
        }
        x = end;
      }
    }
    c.fillStyle = this.#ink.error;
    for (let x = 0; x < width; x++) if (errors[x]) c.fillRect(x - 0.5, 0, 2, TICKS_HEIGHT);
  }

  #drawMatches(c: CanvasRenderingContext2D, width: number): void {
    if (!this.#matches) return;
    const s = this.skeleton;
    c.fillStyle = this.#ink.text;
    // One tick a pixel: matches may be as many as rows.
    const scale = width / Math.max(1, s.duration);
    const drawn = new Uint8Array(width);
    for (let row = this.#matches.indexOf(1); row >= 0; row = this.#matches.indexOf(1, row + 1)) {
      const x = Math.min(width - 1, Math.floor(s.start[row] * scale));
      if (!drawn[x]) c.fillRect(x, this.#height - 4, 1, 4);
      drawn[x] = 1;
    }
  }
}
