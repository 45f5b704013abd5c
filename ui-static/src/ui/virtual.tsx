// SPDX-License-Identifier: Apache-2.0
// A list of any length: only the rows in view, and a few beyond, are in the document.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

interface Props {
  count: number;
  rowHeight: number;
  /** stop: the row that the Tab key comes to, where rows take the focus. */
  row: (index: number, stop: boolean) => ComponentChildren;
  /** The row that must be in view, -1 for none; scrolled to when it changes. */
  cursor: number;
  /** Where to start, and where to tell about scrolling: kept by the page. */
  scrollTop: { current: number };
  /** What the list is when it takes the focus, so that keys can scroll it: always, if its rows hold nothing that takes it. */
  role?: "rowgroup" | "group";
  /** Where rows take the focus: set when the one at the cursor is to have it, as soon as it is in the document. */
  wanted?: { current: boolean };
}

const BEYOND = 6;

/** Looks at an element whenever what is in view of it may be another part. */
export function useView(box: { current: HTMLElement | null }, look: (element: HTMLElement) => void): void {
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => look(element);
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
}

export function VirtualRows({ count, rowHeight, row, cursor, scrollTop, role, wanted }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: scrollTop.current, height: 800 });
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = scrollTop.current;
  }, []);
  useView(box, (element) => {
    scrollTop.current = element.scrollTop;
    setView({ top: element.scrollTop, height: element.clientHeight });
  });
  useEffect(() => {
    const element = box.current;
    if (!element || cursor < 0) return;
    const top = cursor * rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowHeight > element.scrollTop + element.clientHeight) element.scrollTop = top + rowHeight - element.clientHeight;
  }, [cursor]);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - BEYOND);
  const last = Math.min(count, Math.ceil((view.top + view.height) / rowHeight) + BEYOND);
  // The cursor's row if it is there: otherwise the first one in view.
  const stop = cursor >= first && cursor < last ? cursor : Math.min(last - 1, Math.ceil(view.top / rowHeight));
  const held = useRef(false);
  useLayoutEffect(() => {
    const element = box.current;
    const at = cursor >= first && cursor < last ? (element?.children[1 + cursor - first] as HTMLElement) : null;
    if (wanted?.current && at) {
      wanted.current = false;
      at.focus({ preventScroll: true });
    }
    // A row that went out of the document with the focus leaves it to the list.
    if (held.current && document.activeElement === document.body) element?.focus({ preventScroll: true });
    held.current = element?.contains(document.activeElement) ?? false;
  });
  const rows = [];
  for (let i = first; i < last; i++) rows.push(row(i, i === stop));
  return (
    <div class="virtual" ref={box} role={role ?? "presentation"} tabIndex={wanted ? -1 : role ? 0 : undefined}>
      <div role="presentation" style={{ height: `${first * rowHeight}px` }} />
      {rows}
      <div role="presentation" style={{ height: `${(count - last) * rowHeight}px` }} />
    </div>
  );
}
