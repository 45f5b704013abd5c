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
  #shown = "";
  #items: Int32Array | null = null;
  #matches: Uint8Array | null = null;
  /** The row of each item, and where errors lie: what is looked for changes with each letter, they do not. */
  #rows = new Int32Array();
  #errors: number[] = [];

  constructor(
    private readonly skeleton: Skeleton,
    private readonly folding: Folding,
  ) {
    this.element.className = "wf-ticks";
    this.element.setAttribute("aria-hidden", "true");
  }

  /** total: pixels of all rows; when they are all in view there is nothing to scroll to. */
  draw(items: Int32Array, matches: Uint8Array | null, height: number, total: number, ink: Ink): void {
    this.element.hidden = total <= height;
    const wanted = `${height} ${ink.dark}`;
    const same = wanted === this.#shown && items === this.#items;
    if (same && matches === this.#matches) return;
    if (!same) {
      this.#rows = items.map((item) => rowOfItem(this.folding, item));
      this.#errors = ticks(this.#rows, this.skeleton.flags, ERROR, height);
    }
    [this.#shown, this.#items, this.#matches] = [wanted, items, matches];
    const c = fitCanvas(this.element, WIDTH, Math.max(1, height));
    c.fillStyle = ink.error;
    for (const y of this.#errors) c.fillRect(0, y, WIDTH / 2, TICK);
    c.fillStyle = ink.text;
    if (matches) for (const y of ticks(this.#rows, matches, 1, height)) c.fillRect(WIDTH / 2, y, WIDTH / 2, TICK);
  }
}

/** Where the rows lie that have a bit, those left out that could not be told from the one before. */
function ticks(rows: Int32Array, bits: Uint8Array | Uint16Array, bit: number, height: number): number[] {
  const scale = height / Math.max(1, rows.length);
  const found: number[] = [];
  for (let i = 0; i < rows.length; i++) {
    if ((bits[rows[i]] & bit) === 0) continue;
    const y = Math.floor(i * scale);
    found.push(y);
    i = Math.max(i, Math.ceil((y + TICK) / scale) - 1);
  }
  return found;
}
