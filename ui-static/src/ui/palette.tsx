// SPDX-License-Identifier: Apache-2.0
// The command palette: one box that goes to pages, services, operations and traces, does what the page can do, and changes settings.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { getLatency, getServices, isStopped } from "../api/client";
import type { LatencyRow, Service } from "../api/types";
import { type ActionId, actionIds, keysOf, scopeOf } from "../model/actions";
import { ranked } from "../model/fuzzy";
import { parseTraceRef } from "../model/ids";
import { formatCount } from "../model/text";
import { quote } from "../model/traceql";
import { go, href, patched, route } from "../route";
import { close } from "../state/dialog";
import { boundActions, runAction, takeHeld } from "../state/keys";
import { bringFile } from "../state/opening";
import { density, type Density, keyMap, linkTimes, singleKeys, theme, type Theme, zone } from "../state/prefs";
import { currentRange } from "../state/range";
import { recent } from "../state/recent";
import { keyText, NAMES, SCOPES } from "./action-names";
import { DialogFrame } from "./dialog-frame";

interface Item {
  kind: string;
  text: string;
  detail?: string;
  keys?: string | undefined;
  run: () => void;
}

const SHOWN = 50;
/** Operations that are asked for at first, those with most calls; beyond, the server looks for what is typed. */
const OPERATIONS = 500;
const DEBOUNCE_MS = 150;

/** Of no use here: they need a row, or are this. */
const left = (id: ActionId): boolean => scopeOf(id) === "rows" || id === "all.escape" || id === "all.palette";

function actions(): Item[] {
  const bound = boundActions();
  return actionIds
    .filter((id) => bound.has(id) && !left(id))
    .map((id) => {
      const [key] = keysOf(id, keyMap.value);
      return {
        kind: /^Go to/.test(NAMES[id]) ? "page" : "action",
        text: NAMES[id],
        detail: scopeOf(id) === "all" ? "" : SCOPES[scopeOf(id)],
        keys: key === undefined ? undefined : keyText(key),
        run: () => void runAction(id),
      };
    })
    .concat({ kind: "action", text: "Open a file of traces (read here, no upload) …", detail: "", keys: undefined, run: () => void bringFile() });
}

function settings(): Item[] {
  const set = (text: string, run: () => void): Item => ({ kind: "setting", text, run });
  return [
    ...(["auto", "light", "dark"] as Theme[]).map((t) => set(`Theme: ${t === "auto" ? "as the system" : t}`, () => (theme.value = t))),
    ...(["comfortable", "normal", "compact"] as Density[]).map((d) => set(`Rows: ${d}`, () => (density.value = d))),
    set("Times: local", () => (zone.value = "local")),
    set("Times: UTC", () => (zone.value = "utc")),
    set("Copy link: times as they are now", () => (linkTimes.value = "absolute")),
    set("Copy link: “the last hour” as such", () => (linkTimes.value = "relative")),
    set(`Single-key shortcuts: ${singleKeys.value === "on" ? "off" : "on"}`, () => (singleKeys.value = singleKeys.value === "on" ? "off" : "on")),
    set("Change keys", () => go(patched({ settings: "keys" }))),
  ];
}

const serviceItems = (list: Service[]): Item[] =>
  list.flatMap((s) => {
    const detail = `${formatCount(s.spanCount)} spans`;
    return [
      { kind: "service", text: s.name || "(no service name)", detail, run: () => go(href("service", { s: s.name, ...currentRange() })) },
      { kind: "traces", text: `Traces of ${s.name}`, detail, run: () => go(href("explore", { q: `{ resource.service.name = ${quote(s.name)} }`, ...currentRange() })) },
    ];
  });

const operationItems = (rows: LatencyRow[]): Item[] =>
  rows.map((r) => ({
    kind: "operation",
    text: `${r.service} ${r.operation}`,
    detail: `${r.kind}, ${formatCount(r.calls)} calls`,
    run: () => go(href("service", { s: r.service, op: r.operation, kind: r.kind, ...currentRange() })),
  }));

const recentItems = (): Item[] => recent.value.map((t) => ({ kind: "trace", text: t.title, detail: t.id.slice(0, 8), run: () => go(href("trace", { id: t.id })) }));

/** What the text itself may be. */
function literal(text: string): Item[] {
  if (text === "") return [];
  const ref = parseTraceRef(text);
  if (ref) return [{ kind: "trace", text: `Open trace ${ref.traceId}`, run: () => go(href("trace", { id: ref.traceId, span: ref.spanId })) }];
  const explore = (q: string) => () => go(href("explore", { q, ...currentRange() }));
  if (text.startsWith("{")) return [{ kind: "query", text: `Run ${text}`, run: explore(text) }];
  const pattern = text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return [{ kind: "query", text: `Traces with a span whose name has “${text}”`, run: explore(`{ name =~ ${quote(`(?i).*${pattern}.*`)} }`) }];
}

const FEW: Record<string, number> = { trace: 5, page: 6, action: 30, service: 8 };

/** With nothing typed: recent traces, pages, what can be done here, services. */
const begin = (items: Item[]): Item[] => Object.entries(FEW).flatMap(([kind, most]) => items.filter((i) => i.kind === kind).slice(0, most));

/** What was typed before this was there, and which line was gone to. */
function typedBefore(): { text: string; active: number; entered: boolean } {
  let [text, active] = ["", 0];
  for (const key of takeHeld()) {
    if (key === "Enter") return { text, active, entered: true };
    if (/^Arrow/.test(key)) active = Math.max(0, active + (key === "ArrowUp" ? -1 : 1));
    else {
      text = key === "Backspace" ? text.replace(/.$/su, "") : text + key;
      active = 0;
    }
  }
  return { text, active, entered: false };
}

export function Palette() {
  const [before] = useState(typedBefore);
  const [text, setText] = useState(before.text);
  const [active, setActive] = useState(before.active);
  const [services, setServices] = useState<Service[]>([]);
  const [operations, setOperations] = useState<{ rows: LatencyRow[]; all: number }>({ rows: [], all: 0 });
  const [found, setFound] = useState<LatencyRow[]>([]);
  const [missing, setMissing] = useState(false);
  const list = useRef<HTMLUListElement>(null);
  const own = useMemo(() => [...actions(), ...settings()], []);
  useEffect(() => {
    const stop = new AbortController();
    const failed = (error: unknown) => !isStopped(error) && setMissing(true);
    const range = currentRange();
    getServices(range, stop.signal).then((a) => setServices(a.services), failed);
    getLatency({ ...range, by: "operation", order: "-calls", limit: OPERATIONS, q: "0.5" }, stop.signal).then((a) => setOperations({ rows: a.series, all: a.rowCount }), failed);
    return () => stop.abort();
  }, []);
  useEffect(() => {
    setFound([]);
    if (operations.all <= operations.rows.length || text.trim().length < 2) return;
    const stop = new AbortController();
    const timer = window.setTimeout(() => {
      const params = { ...currentRange(), by: "operation", order: "-calls", limit: SHOWN, q: "0.5", contains: text.trim() };
      getLatency(params, stop.signal).then((a) => setFound(a.series), () => undefined);
    }, DEBOUNCE_MS);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  }, [text, operations]);
  const more = found.filter((f) => !operations.rows.some((r) => r.service === f.service && r.operation === f.operation && r.kind === f.kind));
  const all = useMemo(
    () => [...recentItems(), ...own, ...serviceItems(services), ...operationItems([...operations.rows, ...more])],
    [own, services, operations, found],
  );
  const wanted = text.trim();
  const fitting = wanted === "" ? begin(all) : ranked(all, wanted, (i) => i.text);
  const typed = literal(wanted);
  const shown = [...fitting.slice(0, SHOWN - typed.length), ...typed];
  const at = Math.min(active, shown.length - 1);
  useEffect(() => {
    list.current?.children[at]?.scrollIntoView({ block: "nearest" });
  }, [at, text]);
  const run = (item: Item | undefined) => {
    if (!item) return;
    // First, so that what it does (a box that takes the focus, another dialog) has the last word.
    close();
    window.setTimeout(item.run);
  };
  useEffect(() => {
    if (before.entered) run(shown[at]);
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (by !== undefined) setActive(Math.abs(by) === 1 ? (at + by + shown.length) % Math.max(1, shown.length) : Math.max(0, Math.min(shown.length - 1, at + by)));
    else if (event.key === "Enter" && !event.isComposing) run(shown[at]);
    else if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) close();
    else return;
    event.preventDefault();
  };
  const count = fitting.length + typed.length;
  return (
    <DialogFrame label="Command palette" class="palette">
      <input
        autoFocus
        value={text}
        role="combobox"
        aria-label="Go to, or do, anything"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={at >= 0 ? `palette-${at}` : undefined}
        aria-autocomplete="list"
        placeholder="Page, service, operation, action, setting, trace id, { query }"
        autocomplete="off"
        spellcheck={false}
        onInput={(e) => {
          setText(e.currentTarget.value);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
      />
      <ul ref={list} id="palette-list" role="listbox" aria-label="What fits">
        {shown.map((item, i) => (
          <li
            key={`${item.kind} ${item.text} ${item.detail}`}
            id={`palette-${i}`}
            role="option"
            aria-selected={i === at}
            onPointerMove={() => i !== at && setActive(i)}
            onClick={() => run(item)}
          >
            <span class="palette-kind dim">{item.kind}</span>
            <span class="clip grow">{item.text}</span>
            {item.detail ? <span class="dim num">{item.detail}</span> : null}
            {item.keys ? <kbd>{item.keys}</kbd> : null}
          </li>
        ))}
      </ul>
      <p class="palette-foot dim">
        <span role="status">
          {wanted === "" ? `on ${SCOPES[route.value.page] ?? "this page"}` : `${formatCount(count)} ${count === 1 ? "fits" : "fit"}`}
          {count > SHOWN ? `, the best ${SHOWN} are listed: type more` : ""}
          {missing ? " · services and operations cannot be read" : ""}
        </span>
        <span aria-hidden="true">↑↓ choose · ↵ go · Esc close</span>
      </p>
    </DialogFrame>
  );
}
