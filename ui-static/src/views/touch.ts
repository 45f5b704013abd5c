// SPDX-License-Identifier: Apache-2.0
// Fingers on the bars: one that moves sideways pans in time, two zoom. Up and down is the browser's, which scrolls (touch-action: pan-y).
import { type TimeScale, timeAt } from "./time-axis";

/** Two fingers that are closer have no scale. */
const APART_PX = 12;

/** scale: what lies where now; zoom: shows another part; isWhole: there is nothing to pan to. */
export function addTimeTouch(element: HTMLElement, scale: () => TimeScale, zoom: (from: number, to: number) => void, isWhole: () => boolean): void {
  /** Where each finger is, in pixels from the left of the element. */
  const fingers = new Map<number, number>();
  const lift = (event: PointerEvent) => fingers.delete(event.pointerId);
  element.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") fingers.set(event.pointerId, event.clientX - element.getBoundingClientRect().left);
  });
  element.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    const before = [...fingers.values()];
    fingers.set(event.pointerId, event.clientX - element.getBoundingClientRect().left);
    const now = [...fingers.values()];
    const s = scale();
    if (now.length === 1 && !isWhole()) {
      const by = timeAt(s, before[0]) - timeAt(s, now[0]);
      zoom(s.from + by, s.to + by);
    } else if (now.length === 2 && Math.abs(now[0] - now[1]) >= APART_PX && before[0] !== before[1]) {
      // What was under each finger stays under it.
      const [a, b] = before.map((x) => timeAt(s, x));
      const nsPerPixel = (b - a) / (now[1] - now[0]);
      if (nsPerPixel <= 0) return;
      const from = a - (now[0] - s.left) * nsPerPixel;
      zoom(from, from + s.width * nsPerPixel);
    }
  });
  for (const end of ["pointerup", "pointercancel"] as const) element.addEventListener(end, lift);
}
