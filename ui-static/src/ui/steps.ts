// SPDX-License-Identifier: Apache-2.0
// Pointer and keys over charts that have the same steps of time: a drag, or Shift and arrows, takes steps; with Shift, or z, they become the range.
import { signal } from "@preact/signals";
import type { HTMLAttributes } from "preact";
import { LEFT, RIGHT } from "./chart";

export const HOW = "Arrows move, Shift and arrows extend, Enter selects, z zooms. The table has every number.";

/** A pointer that moves less than this has clicked. */
const CLICK_PX = 4;

interface Acts {
  count: number;
  /** Steps, both ends included. */
  select?: (first: number, last: number) => void;
  zoom: (first: number, last: number) => void;
  /** Click and Enter hold one step; then a drag is the range. */
  hold?: (step: number) => void;
}

export class StepCursor {
  /** The step that is pointed at, and the other end of what is being taken. */
  readonly at = signal<number | null>(null);
  readonly anchor = signal<number | null>(null);
  private downX = 0;

  clear(): void {
    this.at.value = this.anchor.value = null;
  }

  /** What is being taken now: first and last step. */
  taken(): [number, number] | null {
    const [a, b] = [this.anchor.value, this.at.value];
    return a === null || b === null ? null : [Math.min(a, b), Math.max(a, b)];
  }

  handlers({ count, zoom, select = zoom, hold }: Acts): HTMLAttributes<HTMLDivElement> {
    const { at, anchor } = this;
    const stepAt = (event: PointerEvent) => {
      const area = (event.currentTarget as HTMLElement).getBoundingClientRect();
      return Math.max(0, Math.min(count - 1, Math.floor(((event.clientX - area.left - LEFT) / (area.width - LEFT - RIGHT)) * count)));
    };
    const take = (end: number, zooming: boolean) => {
      const from = anchor.peek() ?? end;
      anchor.value = null;
      (zooming ? zoom : select)(Math.min(from, end), Math.max(from, end));
    };
    return {
      onPointerDown: (event: PointerEvent) => {
        if (event.button !== 0) return;
        (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
        this.downX = event.clientX;
        at.value = anchor.value = stepAt(event);
      },
      onPointerUp: (event: PointerEvent) => {
        if (anchor.peek() === null) return;
        if (Math.abs(event.clientX - this.downX) < CLICK_PX && anchor.peek() === stepAt(event)) {
          anchor.value = null;
          hold?.(stepAt(event));
        } else take(stepAt(event), event.shiftKey);
      },
      onPointerCancel: () => {
        anchor.value = null;
      },
      onBlur: () => this.clear(),
      onKeyDown: (event: KeyboardEvent) => {
        const now = at.peek();
        const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -count, End: count }[event.key];
        if (by !== undefined) {
          const next = now === null ? (by > 0 ? 0 : count - 1) : Math.max(0, Math.min(count - 1, now + by));
          anchor.value = event.shiftKey ? (anchor.peek() ?? now ?? next) : null;
          at.value = next;
        } else if (event.key === "Enter" && now !== null) (hold ?? ((step) => take(step, false)))(now);
        else if (event.key === "z" && now !== null && !event.ctrlKey && !event.metaKey) take(now, true);
        else if (event.key === "Escape" && anchor.peek() !== null) anchor.value = null;
        else return;
        event.preventDefault();
      },
    };
  }
}
