// SPDX-License-Identifier: Apache-2.0
// A list of any length: only the rows in view, and a few beyond, are in the document.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

interface Props {
  count: number;
  rowHeight: number;
  row: (index: number) => ComponentChildren;
  /** The row that must be in view, -1 for none; scrolled to when it changes. */
  cursor: number;
  /** Where to start, and where to tell about scrolling: kept by the page. */
  scrollTop: { current: number };
  /** What the list is when its rows hold nothing that takes the focus: then it takes it itself, so that keys can scroll it. */
  role?: "rowgroup" | "group";
}

const BEYOND = 6;

export function VirtualRows({ count, rowHeight, row, cursor, scrollTop, role }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: scrollTop.current, height: 800 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    element.scrollTop = scrollTop.current;
    const measure = () => {
      scrollTop.current = element.scrollTop;
      setView({ top: element.scrollTop, height: element.clientHeight });
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
  useEffect(() => {
    const element = box.current;
    if (!element || cursor < 0) return;
    const top = cursor * rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowHeight > element.scrollTop + element.clientHeight) element.scrollTop = top + rowHeight - element.clientHeight;
  }, [cursor]);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - BEYOND);
  const last = Math.min(count, Math.ceil((view.top + view.height) / rowHeight) + BEYOND);
  const rows = [];
  for (let i = first; i < last; i++) rows.push(row(i));
  return (
    <div class="virtual" ref={box} role={role ?? "presentation"} tabIndex={role ? 0 : undefined}>
      <div role="presentation" style={{ height: `${first * rowHeight}px` }} />
      {rows}
      <div role="presentation" style={{ height: `${(count - last) * rowHeight}px` }} />
    </div>
  );
}
