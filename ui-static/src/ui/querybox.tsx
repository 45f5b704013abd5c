// SPDX-License-Identifier: Apache-2.0
// The query box: a plain text field over a coloured copy of its text, with a list of what can stand at the caret. Keys and
// values come from the server, filtered there; the text is the query, nothing is hidden behind it.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { getValues, isStopped, type Range } from "../api/client";
import { formatCount } from "../model/text";
import { type Context, contextAt, saidBefore } from "../model/caret";
import { fieldRef, fixedValues, indexOfByte, INTRINSICS, operatorsFor, tokenClass, tokenize, valueText } from "../model/traceql";
import { fieldsLike } from "../state/fields";
import { queryWanted } from "../state/searching";

export interface Suggestion {
  insert: string;
  label: string;
  detail: string;
}

/** The server is asked only when typing pauses for so long. */
const DEBOUNCE_MS = 120;
const SHOWN_MAX = 50;

interface Props {
  value: string;
  range: Range;
  /** Byte offset of a fault in `faultIn`, the text that was sent. */
  fault: { offset: number; text: string } | null;
  onRun: (query: string) => void;
  /** Buttons beside the box. */
  children?: ComponentChildren;
}

export function QueryBox({ value, range, fault, onRun, children }: Props) {
  const [text, setText] = useState(value);
  const [list, setList] = useState<Suggestion[]>([]);
  const [active, setActive] = useState(-1);
  const area = useRef<HTMLInputElement>(null);
  const mirror = useRef<HTMLDivElement>(null);
  const place = useRef<Context | null>(null);
  const timer = useRef(0);
  const stopper = useRef<AbortController | null>(null);
  const id = useId();

  useEffect(() => setText(value), [value]);
  // Before the browser goes on to the next key: an effect after the paint would leave that key to the page.
  useLayoutEffect(() => {
    if (!queryWanted.value) return;
    area.current?.focus();
    queryWanted.value = false;
  }, [queryWanted.value]);
  useEffect(() => () => window.clearTimeout(timer.current), []);

  /** What stands in the field now: a key may follow a letter faster than the state that the letter sets. */
  const typed = () => area.current?.value ?? text;

  const close = () => {
    window.clearTimeout(timer.current);
    stopper.current?.abort();
    setList([]);
    setActive(-1);
  };

  const suggest = () => {
    const now = typed();
    const caret = area.current?.selectionStart ?? now.length;
    const context = contextAt(now, caret);
    place.current = context;
    setActive(-1);
    window.clearTimeout(timer.current);
    stopper.current?.abort();
    const stop = new AbortController();
    stopper.current = stop;
    const ask = () =>
      suggestions(context, saidBefore(now, caret), range, stop.signal).then(
        (found) => {
          setList(found.slice(0, SHOWN_MAX));
          setActive(-1);
        },
        (error) => {
          // Completion is a convenience: when the server cannot help, typing goes on without it.
          if (!isStopped(error)) setList([]);
        },
      );
    const local = context.expecting !== "field" && context.expecting !== "value" && context.typed === "";
    timer.current = window.setTimeout(ask, local ? 0 : DEBOUNCE_MS);
  };

  const accept = (s: Suggestion) => {
    const at = place.current;
    const box = area.current;
    if (!at || !box) return;
    const now = typed();
    const before = now.slice(0, at.start);
    const after = now.slice(at.end);
    const gap = before !== "" && !/[\s({]$/.test(before) && !/^[\s)]/.test(s.insert) ? " " : "";
    const inserted = gap + s.insert;
    const next = before + inserted + (after.startsWith(" ") ? after.slice(1) : after);
    setText(next);
    const caret = (before + inserted).length - (s.insert.endsWith("{  }") ? 2 : 0);
    requestAnimationFrame(() => {
      box.focus();
      box.setSelectionRange(caret, caret);
      suggest();
    });
  };

  const submit = () => {
    close();
    onRun(typed().trim());
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const open = list.length > 0;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) return void suggest();
      const step = event.key === "ArrowDown" ? 1 : -1;
      setActive((active + step + list.length + (active < 0 && step < 0 ? 1 : 0)) % list.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (open && active >= 0) accept(list[active]);
      else submit();
    } else if (event.key === "Tab" && open && !event.shiftKey && (active >= 0 || place.current?.typed)) {
      // Of what goes on with the letters that were typed the first is meant.
      event.preventDefault();
      accept(list[Math.max(0, active)]);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (open) close();
      else area.current?.blur();
    }
  };

  const optionId = (i: number) => `${id}-option-${i}`;
  useEffect(() => {
    document.getElementById(optionId(active))?.scrollIntoView({ block: "nearest" });
  }, [active]);
  const showFault = fault !== null && fault.text === text.trim();
  return (
    <form
      class="query-row"
      role="search"
      aria-label="Search traces"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
    <div class="query-box">
      <div class="query-mirror mono" ref={mirror} aria-hidden="true">
        <Coloured text={text} faultAt={showFault ? indexOfByte(text.trimStart(), fault.offset) + text.length - text.trimStart().length : -1} />
      </div>
      <input
        ref={area}
        class="mono"
        value={text}
        placeholder='Every trace. Or: { resource.service.name = "cart" && duration > 100ms }'
        aria-label="Query, in TraceQL"
        role="combobox"
        aria-autocomplete="list"
        aria-expanded={list.length > 0}
        aria-controls={`${id}-list`}
        aria-activedescendant={active >= 0 ? optionId(active) : undefined}
        aria-invalid={showFault}
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        onInput={(event) => {
          setText(event.currentTarget.value);
          suggest();
        }}
        onClick={suggest}
        onKeyDown={onKeyDown}
        onBlur={close}
        onScroll={(event) => {
          if (mirror.current) mirror.current.scrollLeft = event.currentTarget.scrollLeft;
        }}
      />
      <ul class="suggestions" id={`${id}-list`} role="listbox" aria-label="Completions" hidden={list.length === 0}>
        {list.map((s, i) => (
          <li
            key={s.insert}
            id={optionId(i)}
            role="option"
            aria-selected={i === active}
            onPointerDown={(event) => {
              event.preventDefault();
              accept(s);
            }}
          >
            <span class="mono clip">{s.label}</span>
            <span class="dim">{s.detail}</span>
          </li>
        ))}
      </ul>
    </div>
    {children}
    </form>
  );
}

function Coloured({ text, faultAt }: { text: string; faultAt: number }) {
  const tokens = tokenize(text);
  return (
    <>
      {tokens.map((t) => (
        <span key={t.start} class={`q-${tokenClass(t)}${faultAt >= t.start && faultAt < t.end ? " q-fault" : ""}`}>
          {t.text}
        </span>
      ))}
      {faultAt >= text.length ? <span class="q-fault"> </span> : null}
    </>
  );
}

async function suggestions(at: Context, said: string, range: Range, stop: AbortSignal): Promise<Suggestion[]> {
  const typed = at.typed.toLowerCase();
  const starts = (s: Suggestion) => s.insert.toLowerCase().startsWith(typed) && s.insert.trim().toLowerCase() !== typed;
  switch (at.expecting) {
    case "spanset":
      if (typed) return (await fields(at.typed, range, stop, "")).map((s) => ({ ...s, insert: `{ ${s.insert}` }));
      return [{ insert: "{  }", label: "{ }", detail: "spans with these properties" }].filter(starts);
    case "operator":
      return operatorsFor(at.field).map((o) => ({ insert: `${o} `, label: o, detail: OPERATORS[o] ?? "" })).filter(starts);
    case "logic":
      return [
        { insert: "&& ", label: "&&", detail: "and" },
        { insert: "|| ", label: "||", detail: "or" },
      ].filter(starts);
    case "field":
      return among(said, (q) => fields(at.typed, range, stop, q));
    case "value":
      return among(said, (q) => values(at, range, stop, q));
    case "nothing":
      return [];
  }
}

/** What goes with the conditions that are there already; when that is nothing, or they are no query, whatever there is. */
async function among(said: string, find: (q: string) => Promise<Suggestion[]>): Promise<Suggestion[]> {
  const found = said ? await find(said).catch(() => []) : [];
  return found.length > 0 ? found : find(""); // which fails, too, when it was stopped
}

const OPERATORS: Record<string, string> = {
  "=": "is",
  "!=": "is not",
  "=~": "matches the regular expression",
  "!~": "does not match",
  "<": "less than",
  "<=": "at most",
  ">": "more than",
  ">=": "at least",
};

const INTRINSIC_DETAIL: Record<string, string> = {
  name: "name of the span",
  service: "name of its service",
  duration: "how long the span took",
  status: "error, ok, unset",
  statusMessage: "why it failed",
  kind: "server, client, …",
  "event:name": "exception, …",
  rootName: "name of the trace's root",
  rootServiceName: "service of the trace's root",
  traceDuration: "how long the trace took",
};

async function fields(typed: string, range: Range, stop: AbortSignal, q: string): Promise<Suggestion[]> {
  const fixed = INTRINSICS.filter((f) => f.toLowerCase().startsWith(typed.toLowerCase()) && f !== typed).map((f) => ({
    insert: `${f} `,
    label: f,
    detail: INTRINSIC_DETAIL[f],
  }));
  const found = (await fieldsLike(typed, range, stop, q)).map((k) => ({ insert: `${k.name} `, label: k.name, detail: `${k.type} · ${formatCount(k.spans)} spans` }));
  return [...fixed, ...found];
}

async function values(at: Context, range: Range, stop: AbortSignal, q: string): Promise<Suggestion[]> {
  const typed = at.typed.replace(/^["`]/, "");
  const fixed = fixedValues(at.field);
  if (fixed) {
    return fixed.filter((v) => v.startsWith(typed) && v !== typed).map((v) => ({ insert: `${v} `, label: v, detail: "" }));
  }
  const { scope, key } = fieldRef(at.field);
  const answer = await getValues(scope, key, typed, range, stop, q);
  return answer.values.map((v) => ({
    insert: `${valueText(at.field, v.value, v.type)} `,
    label: v.value === "" ? '""' : v.value,
    detail: `${formatCount(v.count)}`,
  }));
}
