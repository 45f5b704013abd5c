// SPDX-License-Identifier: Apache-2.0
// How long somebody has waited already, when one thing that is waited for is followed by the next: the code of a part, then its answer.

/** What follows within this time is the same wait: one frame on a busy machine. */
const FOLLOWS_MS = 100;

let last = { began: 0, ended: Number.NEGATIVE_INFINITY };

/** Call when an element that stands for what is waited for has come to the page: its style knows as --waited for how long the wait has gone on,
 * so that shades which are there stay (main.css). Returns what to call when it goes. */
export function waitsIn(element: HTMLElement | SVGElement): () => void {
  const now = performance.now();
  const began = now - last.ended < FOLLOWS_MS ? last.began : now;
  element.style.setProperty("--waited", `${now - began}ms`);
  return () => {
    last = { began, ended: performance.now() };
  };
}
