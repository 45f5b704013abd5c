// SPDX-License-Identifier: Apache-2.0
// What is cut off for want of room is told in full, to whoever points at it or comes to it with the keyboard: as a title, unless it has one of its own.
const CUT = ".clip, .matrix-head span";
/** Titles that were given here: they follow the text and the room. */
const ours = new WeakSet<Element>();

function tellWhole(cut: HTMLElement | null | undefined): void {
  const titled = cut?.closest("[title]");
  if (!cut || (titled && !ours.has(titled))) return;
  ours.add(cut);
  const part = cut.matches(".halves") ? (cut.firstElementChild ?? cut) : cut;
  if (part.scrollWidth > part.clientWidth) cut.title = cut.textContent ?? "";
  else cut.removeAttribute("title");
}

export function startTelling(): void {
  document.addEventListener("pointerover", (event) => tellWhole((event.target as Element).closest<HTMLElement>(CUT)));
  document.addEventListener("focusin", (event) => {
    const target = event.target as Element;
    tellWhole(target.closest<HTMLElement>(CUT) ?? target.querySelector<HTMLElement>(CUT));
  });
}
