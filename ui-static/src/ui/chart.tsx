// SPDX-License-Identifier: Apache-2.0
// A small line chart in SVG. Its numbers stand in a table of the page, so the drawing is one picture to screen readers; one that keys walk
// is a slider to them: they leave it the arrow keys, and read the numbers of the step as its value.
import type { ComponentChildren, HTMLAttributes } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { fitEnds } from "../model/axis";
import { linePath } from "../model/service";

export interface Line {
  name: string;
  values: (number | null)[];
  /** One of the classes line-0 ... line-3, or line-error. */
  look: string;
  /** Drawn, but not named. */
  quiet?: boolean;
}

interface Props {
  title: string;
  /** What the lines say in words, for those who do not see them. */
  description: string;
  lines: Line[];
  format: (value: number) => string;
  /** What stands below the left end, and the right one. */
  ends: [string, string];
  /** What a step is, for the text under the pointer. */
  stepName: (i: number) => string;
  /** Logarithmic from the least value to the most; otherwise linear from 0. */
  log?: boolean;
  /** Pixels. */
  height?: number;
  /** The step that several charts point at, each with its numbers beside it; without it each has its own, with its numbers in the legend. */
  cursor?: { value: number | null };
  /** Drawn behind the lines; x gives the middle of a step, in pixels. */
  under?: (x: (i: number) => number, height: number) => ComponentChildren;
  /** Of the drawing: what else pointer and keys do. */
  box?: HTMLAttributes<HTMLDivElement>;
}

/** Of a letter of the texts below. */
const LETTER = 7.4;
const TOP = 8;
const BOTTOM = 4;
export const LEFT = 64;
export const RIGHT = 8;

/** Of an element, in pixels, whenever it changes. */
export function useWidth(box: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(400);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const fit = () => setWidth(Math.max(100, element.clientWidth));
    // An observer comes after the first frame.
    fit();
    const observer = new ResizeObserver(fit);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return width;
}

export function Chart({ title, description, lines, format, ends, stepName, log: wanted = false, height = 120, cursor, under, box: more }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [own, setOwn] = useState<number | null>(null);
  const at = cursor ? cursor.value : own;
  const setAt = (i: number | null) => {
    if (cursor) cursor.value = i;
    else setOwn(i);
  };
  // What the pointer shows goes with Escape, wherever the focus is.
  useEffect(() => {
    if (at === null) return;
    const gone = (event: KeyboardEvent) => event.key === "Escape" && setAt(null);
    document.addEventListener("keydown", gone);
    return () => document.removeEventListener("keydown", gone);
  }, [at === null]);
  const count = lines[0]?.values.length ?? 0;
  const numbers = lines.flatMap((l) => l.values.filter((v) => v !== null) as number[]);
  // Nothing but zeros has no logarithms.
  const log = wanted && numbers.some((v) => v > 0);
  const all = numbers.filter((v) => !log || v > 0);
  const most = Math.max(0, ...all) || 1;
  const least = log ? Math.min(Math.min(...all), most / 10) : 0;
  const inner = width - LEFT - RIGHT;
  const x = (i: number) => LEFT + ((i + 0.5) * inner) / Math.max(1, count);
  const share = (v: number) => (log ? Math.max(0, Math.log(Math.max(v, least) / least) / Math.log(most / least)) : v / most);
  const valueAt = (part: number) => (log ? least * (most / least) ** part : part * most);
  const y = (v: number) => height - BOTTOM - share(v) * (height - TOP - BOTTOM);
  const here = at !== null && at < count ? at : null;
  const inLegend = cursor ? null : here;
  const told = here === null ? "" : `${stepName(here)}: ${lines.map((l) => `${l.name} ${textAt(l, here, format)}`).join(", ")}`;
  const point = (event: PointerEvent) => {
    const left = event.clientX - (box.current?.getBoundingClientRect().left ?? 0) - LEFT;
    const i = Math.floor((left / inner) * count);
    setAt(i >= 0 && i < count ? i : null);
  };
  return (
    <figure class="chart">
      <figcaption>
        <h2>{title}</h2>
        <span class="chart-legend num">
          {inLegend === null ? null : <span class="dim">{stepName(inLegend)}</span>}
          {lines.map((l) => (l.quiet ? null : <Key key={l.name} line={l} at={inLegend} format={format} />))}
        </span>
      </figcaption>
      <div class="chart-box" ref={box} onPointerMove={point} onPointerLeave={() => setAt(null)} {...more} {...(more ? walked(title, description, count, here, told) : null)}>
        <svg width={width} height={height} role={more ? undefined : "img"} aria-label={description} aria-hidden={more !== undefined}>
          {[0, 0.5, 1].map((part) => (
            <g key={part}>
              <line class="chart-grid" x1={LEFT} x2={width - RIGHT} y1={y(valueAt(part))} y2={y(valueAt(part))} />
              <text class="chart-label" x={LEFT - 8} y={y(valueAt(part)) + (part === 1 ? 6 : part === 0 ? 0 : 4)} text-anchor="end">
                {valueAt(part) === 0 ? "0" : format(valueAt(part))}
              </text>
            </g>
          ))}
          {under?.(x, height)}
          {here === null ? null : <line class="chart-cursor" x1={x(here)} x2={x(here)} y1={TOP} y2={height - BOTTOM} />}
          {lines.map((l) => (
            <path key={l.name} class={`chart-line ${l.look}`} d={linePath(l.values, x, y)} />
          ))}
        </svg>
        {cursor && here !== null ? (
          <div class="chart-tip num" aria-hidden="true" style={here > count / 2 ? { right: `${width - x(here) + 8}px` } : { left: `${x(here) + 8}px` }}>
            <span class="dim">{stepName(here)}</span>
            {lines.map((l) => (
              <Key key={l.name} line={l} at={here} format={format} />
            ))}
          </div>
        ) : null}
      </div>
      <p class="chart-ends dim num" aria-hidden="true">
        {fitEnds(ends, Math.floor((width - LEFT) / LETTER)).map((text, i) => (
          <span key={i}>{text}</span>
        ))}
      </p>
    </figure>
  );
}

/** What a drawing is to a screen reader whose arrow keys are the page's. */
export function walked(name: string, description: string, count: number, at: number | null, told: string) {
  return {
    tabIndex: 0,
    role: "slider" as const,
    "aria-label": name,
    "aria-description": description,
    "aria-valuemin": 0,
    "aria-valuemax": Math.max(0, count - 1),
    "aria-valuenow": at ?? 0,
    "aria-valuetext": told.replaceAll("▲ ", "") || "nothing chosen",
  };
}

const textAt = (line: Line, at: number, format: (value: number) => string): string => {
  const value = line.values[at];
  return value === null || value === undefined ? "–" : format(value);
};

function Key({ line, at, format }: { line: Line; at: number | null; format: (value: number) => string }) {
  return (
    <span>
      <span class={`chart-key ${line.look}`} aria-hidden="true" /> {line.name}
      {at === null ? null : ` ${textAt(line, at, format)}`}
    </span>
  );
}
