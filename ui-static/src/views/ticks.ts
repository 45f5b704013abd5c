// SPDX-License-Identifier: Apache-2.0
// Where errors and matches lie in the whole list, beside the scroll bar of the waterfall. Drawn anew only when the list or what is looked for changes.
import { type Folding, rowOfItem } from "../model/rows";
import { ERROR, type Skeleton } from "../model/skeleton";
import { fitCanvas, type Ink } from "./ink";

/** Width in pixels, a half for errors and a half for matches. */
const WIDTH = 6;
const TICK = 2;

export class Ticks {
  readonly element = document.createElement("canvas");
  private shown = "";
  private items: Int32Array | null = null;
  private matches: Uint8Array | null = null;

  constructor(
    private readonly skeleton: Skeleton,
    private readonly folding: Folding,
  ) {
    this.element.className = "wf-ticks";
    this.element.setAttribute("aria-hidden", "true");
  }

  draw(items: Int32Array, matches: Uint8Array | null, height: number, ink: Ink): void {
    const wanted = `${height} ${ink.dark}`;
    if (wanted === this.shown && items === this.items && matches === this.matches) return;
    [this.shown, this.items, this.matches] = [wanted, items, matches];
    const c = fitCanvas(this.element, WIDTH, Math.max(1, height));
    const { flags } = this.skeleton;
    this.column(c, ink.error, 0, height, (row) => (flags[row] & ERROR) !== 0);
    if (matches) this.column(c, ink.text, WIDTH / 2, height, (row) => matches[row] === 1);
  }

  private column(c: CanvasRenderingContext2D, colour: string, left: number, height: number, test: (row: number) => boolean): void {
    const items = this.items as Int32Array;
    const scale = height / Math.max(1, items.length);
    c.fillStyle = colour;
    for (let i = 0; i < items.length; i++) {
      if (!test(rowOfItem(this.folding, items[i]))) continue;
      const y = Math.floor(i * scale);
      c.fillRect(left, y, WIDTH / 2, TICK);
      // The next one that could be told from it.
      i = Math.max(i, Math.ceil((y + TICK) / scale) - 1);
    }
  }
}
