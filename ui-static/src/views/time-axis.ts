// SPDX-License-Identifier: Apache-2.0
// The scale above the bars: marks at round times; dragging over it chooses a window.
import { type Tick, ticks } from "../model/axis";

/** What part of the time lies where: `width` pixels from `left` show `from` to `to`. */
export interface TimeScale {
  left: number;
  width: number;
  from: number;
  to: number;
}

/** A label needs so much room before the right edge. */
const LABEL_WIDTH = 54;
/** A shorter drag is a click. */
const DRAG_MIN = 4;

export function timeAt(scale: TimeScale, x: number): number {
  return scale.from + ((x - scale.left) / Math.max(1, scale.width)) * (scale.to - scale.from);
}

export function ticksOf(scale: TimeScale): Tick[] {
  return ticks(scale.from, scale.to, scale.width, scale.width < 500 ? 70 : 100);
}

export class TimeAxis {
  readonly element = document.createElement("div");

  constructor(
    private readonly scale: () => TimeScale,
    private readonly onZoom: (from: number, to: number) => void,
  ) {
    this.element.className = "wf-axis";
    this.element.setAttribute("aria-hidden", "true");
    this.element.addEventListener("pointerdown", this.#onDown);
  }

  draw(): void {
    const scale = this.scale();
    const labels = ticksOf(scale).map((tick) => {
      const x = ((tick.at - scale.from) / (scale.to - scale.from)) * scale.width;
      if (x > scale.width - LABEL_WIDTH) return null;
      const label = document.createElement("span");
      label.textContent = tick.label;
      label.style.left = `${scale.left + x}px`;
      return label;
    });
    this.element.replaceChildren(...labels.filter((label) => label !== null));
  }

  readonly #onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const left = this.element.getBoundingClientRect().left;
    this.element.setPointerCapture(event.pointerId);
    const up = (end: PointerEvent) => {
      for (const name of ["pointerup", "pointercancel"] as const) this.element.removeEventListener(name, up);
      if (end.type === "pointercancel") return;
      if (Math.abs(end.clientX - event.clientX) < DRAG_MIN) return;
      const times = [event, end].map((e) => timeAt(this.scale(), e.clientX - left)).sort((a, b) => a - b);
      this.onZoom(times[0], times[1]);
    };
    for (const name of ["pointerup", "pointercancel"] as const) this.element.addEventListener(name, up);
  };
}
