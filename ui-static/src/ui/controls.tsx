// SPDX-License-Identifier: Apache-2.0
// Small parts that pages share: copy button, service chip, problem panel, popover.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "../api/client";
import type { ActionId } from "../model/actions";
import { curlOf } from "../model/curl";
import { colourOf, textureOf } from "../model/palette";
import { formatCount, formatPercent, halvesOf, shortName } from "../model/text";
import { indexOfByte } from "../model/traceql";
import { moved } from "../route";
import { hint } from "../state/keys";
import { dark, drawerHigh, drawerPx, setDrawer, setDrawerHigh } from "../state/prefs";
import { copy, tell } from "../state/say";
import { waitsIn } from "../state/waited";
import { Icon, type IconName } from "./icons";

export function CopyButton(props: { text: string | (() => string | Promise<string>); what: string; label?: string; icon?: IconName }) {
  const { text, what, label, icon = "copy" } = props;
  return (
    <button
      type="button"
      class={label ? "button" : "button quiet square"}
      aria-label={label ? undefined : `Copy ${what}`}
      title={`Copy ${what}`}
      onClick={() => void copy(typeof text === "string" ? text : text(), what)}
    >
      <Icon name={icon} />
      {label}
    </button>
  );
}

/** What the window is called: what it shows, then the program. Browsers tell the title of what they load only. */
export function useTitle(text: string): void {
  useEffect(() => {
    document.title = `${text} · Spoor`;
    if (moved) tell(text);
  }, [text]);
}

/** The colour of a service: a square with its texture. The name always stands beside it. */
export function Swatch({ slot }: { slot: number }) {
  return <span class={`swatch ${textureOf(slot)}`} style={{ "--service": colourOf(slot, dark.value) }} aria-hidden="true" />;
}

/** Cut in its middle where there is no room for it; so many of its first characters are said in a lower voice. Readers would read the two halves as two words. */
export function Name({ name, dim = 0 }: { name: string; dim?: number }) {
  const [begin, end] = halvesOf(name);
  const first = dim ? [<span class="dim">{begin.slice(0, dim)}</span>, begin.slice(dim)] : begin;
  if (!end) return <span class="clip">{first}</span>;
  return (
    <span class="clip halves" role="img" aria-label={name}>
      <span>{first}</span>
      <span>{end}</span>
    </span>
  );
}

export function ServiceName({ name, slot }: { name: string; slot: number }) {
  return (
    <span class="service">
      <Swatch slot={slot} />
      <Name name={shortName(name) || "(no service name)"} />
    </span>
  );
}

/** What is said of errors, with its sign. */
export function Marked({ title, children }: { title?: string; children: ComponentChildren }) {
  return (
    <span class="error-mark" title={title}>
      <span aria-hidden="true">▲</span>
      {children}
    </span>
  );
}

export function ErrorMark({ count }: { count: number }) {
  return (
    <Marked>
      {formatCount(count)}
      <span class="offscreen">{count === 1 ? " error" : " errors"}</span>
    </Marked>
  );
}

/** The part of calls that failed. */
export function Share({ errors, calls }: { errors: number; calls: number }) {
  return errors === 0 ? <span class="dim">0</span> : <Marked title={`${formatCount(errors)} of ${formatCount(calls)}`}>{formatPercent(errors, calls)}</Marked>;
}

interface ProblemProps {
  error: ApiError;
  retry?: () => void;
  /** Instead of the problem's own title; "": what stands above says it. */
  title?: string | undefined;
  /** Says it better than the problem's detail, which is left out then. */
  children?: ComponentChildren;
}

/** What went wrong, where it went wrong: never a page of its own. */
export function ProblemPanel({ error, retry, title, children }: ProblemProps) {
  const { problem, url } = error;
  // An alert that comes inside of something else that is new is not told by all: after the first frame it takes the place of the same text.
  const [framed, setFramed] = useState(false);
  useEffect(() => setFramed(true), []);
  return (
    <section class="problem">
      <div key={framed ? 1 : 0} role={framed ? "alert" : undefined}>
        {title === "" ? null : (
          <h2>
            <span aria-hidden="true">▲</span> {title ?? sentence(problem.title)}
          </h2>
        )}
        {children}
        {!children && problem.detail && problem.detail !== problem.title ? <p>{sentence(problem.detail)}</p> : null}
      </div>
      <p class="row">
        {retry ? (
          <button type="button" class="button" onClick={retry}>
            Try again
          </button>
        ) : null}
        {url ? <CopyButton text={() => curlOf(url)} what="curl command" label="Copy curl" icon="terminal" /> : null}
        <span class="dim">
          {problem.status ? `status ${problem.status}` : null}
          {problem.requestId ? ` · request ${problem.requestId}` : null}
        </span>
      </p>
    </section>
  );
}

/** The query with a caret under the byte that the parser stopped at. */
export function FaultLine({ offset, text, problem: { expected, detail = "" } }: { offset: number; text: string; problem: ApiError["problem"] }) {
  const before = [...text.slice(0, indexOfByte(text, offset))].length;
  return (
    <>
      <pre class="fault-line mono" aria-hidden="true">
        {text}
        {"\n"}
        {" ".repeat(before)}
        <b>^</b>
      </pre>
      <p>
        {sentence(expected ? `expected ${expected}` : detail)}
        <span class="offscreen"> (at character {before + 1})</span>
      </p>
    </>
  );
}

export const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

interface SortHeadProps {
  /** Of a table, or of a grid. */
  grid?: boolean;
  class?: string | undefined;
  /** Whether the rows are in this order, the greatest or the least first. */
  down: boolean;
  up: boolean;
  title?: string | undefined;
  sort: () => void;
  children: ComponentChildren;
}

/** The head of a column that rows can be put in the order of. */
export function SortHead({ grid, class: name, down, up, title, sort, children }: SortHeadProps) {
  const Head = grid ? "span" : "th";
  return (
    <Head role={grid ? "columnheader" : undefined} class={name} aria-sort={down ? "descending" : up ? "ascending" : "none"}>
      <button type="button" class="sort" title={title} onClick={sort}>
        {children}
        <span aria-hidden="true">{down ? " ↓" : up ? " ↑" : ""}</span>
      </button>
    </Head>
  );
}

interface PopoverProps {
  label: ComponentChildren;
  title: string;
  children: (close: () => void) => ComponentChildren;
  /** Counts up when a command opens it from outside. */
  opened?: number;
  class?: string;
}

/** A button and a panel under it; Escape and a click elsewhere close it and give the focus back. */
export function Popover({ label, title, children, opened = 0, class: name = "" }: PopoverProps) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  useEffect(() => {
    if (opened > 0) setOpen(true);
  }, [opened]);
  // With the panel, not after the next frame: a key that follows at once is its own.
  useLayoutEffect(() => {
    if (!open) return;
    // What is still being loaded has nothing to focus: Escape closes it all the same.
    const first = root.current?.querySelector<HTMLElement>(".popover :is(a,button,input,select)") ?? button.current;
    first?.focus();
    const away = (event: Event) => {
      if (!root.current?.contains(event.target as globalThis.Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [open]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !open) return;
    event.preventDefault();
    event.stopPropagation();
    close();
  };
  return (
    <div class={`popover-root ${name}`} ref={root} onKeyDown={onKeyDown}>
      <button type="button" class="button" ref={button} aria-expanded={open} aria-haspopup="dialog" title={title} onClick={() => setOpen(!open)}>
        {label}
        <Icon name="down" />
      </button>
      {open ? (
        <div class="popover" role="dialog" aria-label={title}>
          {children(close)}
        </div>
      ) : null}
    </div>
  );
}

interface SelectProps {
  label: ComponentChildren;
  value: string;
  /** [value, text] */
  options: readonly (readonly [string, string])[];
  choose: (value: string) => void;
}

export function Select({ label, value, options, choose }: SelectProps) {
  return (
    <label class="field">
      {label}
      <select value={value} onChange={(e) => choose(e.currentTarget.value)}>
        {options.map(([id, text]) => (
          <option key={id} value={id}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** For an element that stands for what is waited for. */
export function useWaits() {
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => waitsIn(ref.current as HTMLDivElement), []);
  return ref;
}

/** Nothing for as long as nobody has begun to wait (main.css), then what is waited for. */
export const Waiting = ({ look, children }: { look?: string | undefined; children?: ComponentChildren }) => (
  <div class={`trace-loading ${look ?? ""}`} role="status" ref={useWaits()}>
    {children}
  </div>
);

/** Charts that have not come: as much room as they take, so that what is below stays where it is, and once somebody waits shades of them (main.css). */
export const Room = ({ look, count = 1 }: { look: string; count?: number }) => (
  <div class={`room ${look}`} aria-hidden="true" ref={useWaits()}>
    {Array.from({ length: count }, (_, i) => (
      <div key={i} />
    ))}
  </div>
);

interface TabsProps {
  label: string;
  /** [id, name], which the keys 1, 2 ... choose, too, unless there is a panel. */
  tabs: readonly (readonly [string, string])[];
  chosen: string;
  choose: (id: string) => void;
  /** The id of the element that shows the chosen part, which is labelled by `tab-ID`. */
  panel?: string;
}

/** One of several parts of a page; arrows go round. */
export function Tabs({ label, tabs, chosen, choose, panel }: TabsProps) {
  return (
    <div class="button-group" role="tablist" aria-label={label}>
      {tabs.map(([id, name], i) => (
        <button
          key={id}
          type="button"
          role="tab"
          class="button toggle"
          aria-selected={chosen === id}
          tabIndex={chosen === id ? 0 : -1}
          {...(panel ? { id: `tab-${id}`, "aria-controls": panel } : { title: `${name} (${i + 1})` })}
          onClick={() => choose(id)}
          onKeyDown={(event) => {
            const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
            if (step === 0) return;
            event.preventDefault();
            event.stopPropagation();
            const next = (i + step + tabs.length) % tabs.length;
            choose(tabs[next][0]);
            (event.currentTarget.parentElement?.children[next] as HTMLElement | undefined)?.focus();
          }}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

interface SplitterProps {
  label: string;
  /** Pixels: how wide, or high, the part is, and may be; 0: as its style says. */
  value: number;
  min: number;
  max: number;
  set: (pixels: number) => void;
  /** Which edge of the part it is. */
  edge?: "right" | "left" | "top";
}

/** The edge of a part: dragged, or moved with the arrow keys. */
export function Splitter({ label, value, min, max, set, edge = "right" }: SplitterProps) {
  const box = useRef<HTMLDivElement>(null);
  const top = edge === "top";
  const part = () => (box.current?.parentElement as Element).getBoundingClientRect();
  const size = () => value || Math.round(part().height);
  const put = (pixels: number) => set(Math.round(Math.max(min, Math.min(max, pixels))));
  // What has the focus has a value to tell.
  const [told, setTold] = useState(min);
  return (
    <div
      ref={box}
      class={top ? "splitter top" : "splitter"}
      role="separator"
      tabIndex={0}
      aria-orientation={top ? "horizontal" : "vertical"}
      aria-label={label}
      aria-valuenow={value || told}
      onFocus={() => setTold(size())}
      aria-valuemin={min}
      aria-valuemax={max}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
        const { left, right, bottom } = part();
        put(top ? bottom - event.clientY : edge === "left" ? right - event.clientX : event.clientX - left);
      }}
      onKeyDown={(event) => {
        const step = edge === "right" ? STEP_PX : -STEP_PX;
        const moved = top ? { ArrowUp: size() - step, ArrowDown: size() + step } : { ArrowLeft: value - step, ArrowRight: value + step };
        const to = ({ ...moved, Home: min, End: max } as Record<string, number>)[event.key];
        if (to === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        put(to);
      }}
    />
  );
}

const STEP_PX = 20;
const DRAWER_MIN = 320;
const DRAWER_MIN_HEIGHT = 180;
/** Of the window; styles hold the same. */
const DRAWER_PART = 0.6;

interface DrawerProps {
  label: string;
  title: ComponentChildren;
  tools?: ComponentChildren;
  close: () => void;
  /** What closing closes, and the action whose key does it. */
  what: string;
  action?: ActionId;
  children: ComponentChildren;
}

/** The panel at the right of a page, or docked below it, as wide and as high as the person wants. Styles say which of the two edges is there. */
export function Drawer({ label, title, tools, close, what, action = "all.escape", children }: DrawerProps) {
  const max = Math.floor(window.innerWidth * DRAWER_PART);
  const highest = Math.max(DRAWER_MIN_HEIGHT, Math.floor(window.innerHeight * DRAWER_PART));
  useEffect(() => tell(`${label}: panel opened`), []);
  return (
    <aside class="details" aria-label={label}>
      <Splitter label="Width of the panel" value={Math.min(max, drawerPx.value)} min={DRAWER_MIN} max={max} set={setDrawer} edge="left" />
      <Splitter label="Height of the panel" value={Math.min(highest, drawerHigh.value)} min={DRAWER_MIN_HEIGHT} max={highest} set={setDrawerHigh} edge="top" />
      <div class="details-head">
        <div>{title}</div>
        <div class="details-tools">
          {tools}
          <button type="button" class="button quiet square" aria-label={`Close ${what}`} title={`Close${hint(action)}`} onClick={close}>
            <Icon name="close" />
          </button>
        </div>
      </div>
      {children}
    </aside>
  );
}
