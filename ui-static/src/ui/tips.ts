// SPDX-License-Identifier: Apache-2.0
// What titles tell the pointer, told to the keyboard, too: browsers show a title on hover only. The text stands by what has the focus until that leaves it or a
// key is pressed. It is no part of the page to a screen reader, which reads titles anyway. Loaded when the Tab key is pressed first.
const WAIT_MS = 400;
const GAP_PX = 6;

const tip = document.createElement("div");
tip.className = "tip";
tip.ariaHidden = "true";
let timer = 0;

const hide = (): void => {
  window.clearTimeout(timer);
  tip.remove();
};

/** Where there is room: below, or above. */
function show(target: Element, text: string): void {
  tip.textContent = text;
  (target.closest("dialog") ?? document.body).append(tip);
  const [at, own] = [target.getBoundingClientRect(), tip.getBoundingClientRect()];
  const below = at.bottom + GAP_PX;
  tip.style.top = `${below + own.height <= window.innerHeight ? below : Math.max(0, at.top - GAP_PX - own.height)}px`;
  tip.style.left = `${Math.max(4, Math.min(at.left, window.innerWidth - own.width - 4))}px`;
}

/** Told after a moment: who walks on is not stopped by it. */
function tell(target: Element | null): void {
  hide();
  if (!target?.matches(":focus-visible")) return;
  const text = target.getAttribute("title") || target.querySelector(":scope > title")?.textContent || target.querySelector(".clip[title]")?.getAttribute("title");
  if (text) timer = window.setTimeout(() => show(target, text), WAIT_MS);
}

export function startTips(): void {
  for (const event of ["focusout", "keydown", "pointerdown", "scroll", "resize"]) window.addEventListener(event, hide, true);
  document.addEventListener("focusin", () => tell(document.activeElement));
  // The key that loads this has moved the focus already.
  tell(document.activeElement);
}
