// SPDX-License-Identifier: Apache-2.0
// Attributes as people read them: grouped by prefix, filtered, pinned, each value in the form that suits it, and a way from each to the
// search. Long lists and long values cost what is seen of them.
import { useMemo, useRef, useState } from "preact/hooks";
import type { AnyValue, KeyValue } from "../api/types";
import { filterAttributes, typeOf, valueToText } from "../model/anyvalue";
import { isTooLong, TREE_CHARS_MAX, treeOf } from "../model/json-tree";
import { formatCount, shortName } from "../model/text";
import { fieldText, quote, valueText } from "../model/traceql";
import { foldedText, MORE_CHARS, prefixOf, type ValueView, viewOf } from "../model/valueview";
import { href, patched } from "../route";
import { pinnedKeys } from "../state/prefs";
import { CopyButton } from "../ui/controls";
import { VirtualRows } from "../ui/virtual";
import { JsonTree } from "./json-tree";

interface Props {
  part: string;
  title: string;
  scope: string;
  list: KeyValue[];
  dropped: number | undefined;
  filter: string;
}

/** Longer lists have rows of one height, of which those in view are made. */
const PLAIN_MAX = 200;
const ROW_HEIGHT = 26;

export function Attributes({ part, title, scope, list, dropped, filter }: Props) {
  const shown = filterAttributes(list, filter);
  return (
    <section data-part={part}>
      <h3>
        {title} <span class="count">{shown.length < list.length ? `${shown.length} of ${list.length}` : list.length}</span>
        <Dropped count={dropped} />
      </h3>
      {list.length === 0 ? <p class="dim">none</p> : shown.length > PLAIN_MAX ? <ManyAttributes scope={scope} list={shown} /> : <AttributeList scope={scope} list={shown} grouped />}
    </section>
  );
}

export function Dropped({ count }: { count: number | undefined }) {
  return count ? <span class="tag">{formatCount(count)} dropped by the sender</span> : null;
}

/** Hundreds: a line each, cut where it ends; the filter, or a click, shows the whole of one. */
function ManyAttributes({ scope, list }: { scope: string; list: KeyValue[] }) {
  const scrollTop = useRef(0);
  const [open, setOpen] = useState(-1);
  return (
    <>
      <div class="attributes-many">
        <VirtualRows
          count={list.length}
          rowHeight={ROW_HEIGHT}
          cursor={-1}
          scrollTop={scrollTop}
          row={(i) => (
            <button key={i} type="button" class="attribute-line mono" aria-pressed={i === open} onClick={() => setOpen(i === open ? -1 : i)}>
              <span class="dim clip">{list[i].key}</span>
              <span class="clip">{valueToText(list[i].value).slice(0, 300)}</span>
            </button>
          )}
        />
      </div>
      {list[open] ? <AttributeList scope={scope} list={[list[open]]} /> : null}
    </>
  );
}

/** Groups of a prefix that at least two keys have; what stands alone comes first. */
function groups(list: KeyValue[]): [string, KeyValue[]][] {
  const byPrefix = new Map<string, KeyValue[]>();
  for (const a of list) {
    const prefix = prefixOf(a.key);
    byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), a]);
  }
  const alone = [...byPrefix].filter(([prefix, own]) => prefix === "" || own.length < 2).flatMap(([, own]) => own);
  const together = [...byPrefix].filter(([prefix, own]) => prefix !== "" && own.length >= 2);
  return alone.length > 0 ? [["", alone], ...together] : together;
}

export function AttributeList({ scope, list, grouped = false }: { scope: string; list: KeyValue[]; grouped?: boolean }) {
  if (!grouped || list.length < 8) return <dl class="attributes">{list.map((a, i) => <Attribute key={`${i} ${a.key}`} scope={scope} attribute={a} />)}</dl>;
  return (
    <>
      {groups(list).map(([prefix, own]) => (
        <div key={prefix} class="attribute-group" role="group" aria-label={prefix || "ungrouped"}>
          {prefix ? <h4 class="mono">{prefix}</h4> : null}
          <dl class="attributes">
            {own.map((a, i) => (
              <Attribute key={`${i} ${a.key}`} scope={scope} attribute={a} />
            ))}
          </dl>
        </div>
      ))}
    </>
  );
}

/** Only what the search can ask for gets a search link. */
const SEARCHABLE = ["span", "resource", "event", "link", "instrumentation"];
const SEARCHABLE_TYPES = ["string", "int", "double", "bool"];
const SEARCHABLE_MAX = 512;
/** The address of the search with one more condition: the panel that shows the attributes sets it before it draws them. */
export const searchWith = { current: (condition: string) => href("explore", { q: `{ ${condition} }` }) };
/** Has lines of its own, below its key. */
const LONG = /\n|.{81}/;
const GROUPABLE = ["span", "resource", "instrumentation"];

function Attribute({ scope, attribute: a }: { scope: string; attribute: KeyValue }) {
  const text = valueToText(a.value);
  const type = typeOf(a.value);
  const field = fieldText(scope, a.key);
  const way = (sign: string, operator: string, which: string) => {
    const address = searchWith.current(`${field} ${operator} ${valueText(field, text, type)}`);
    return (
      <a class="tool" href={address} title={`Search ${shortName(new URL(address).searchParams.get("q") ?? "")}`} aria-label={`Search traces with ${which} ${a.key}`}>
        {sign}
      </a>
    );
  };
  const searchable = SEARCHABLE.includes(scope) && SEARCHABLE_TYPES.includes(type) && text.length <= SEARCHABLE_MAX;
  const pinned = pinnedList().includes(a.key);
  return (
    <div>
      <dt class="mono">
        {a.key.split(".").map((part, i) => (i > 0 ? [".", <wbr key={i} />, part] : part))}
      </dt>
      <dd class={`mono type-${type}${LONG.test(text) ? " long" : ""}`}>
        {type === "empty" ? <span class="dim">empty</span> : <Value name={a.key} text={text} value={a.value} />}
        <span class="attribute-tools">
          {searchable ? (
            <>
              {way("=", "=", "this")}
              {way("≠", "!=", "another")}
            </>
          ) : null}
          {GROUPABLE.includes(scope) ? (
            <a class="tool" href={patched({ view: "stats", by: `${scope}.${a.key}` })} title={`Group the spans of this trace by ${a.key}`} aria-label={`Group the spans by ${a.key}`}>
              #
            </a>
          ) : null}
          <CopyButton text={text} what={`value of ${a.key}`} />
          <CopyButton text={a.key} what={`key ${a.key}`} icon="key" />
          <CopyButton text={`${a.key}=${SEARCHABLE_TYPES.includes(type) && type !== "string" ? text : quote(text)}`} what={`${a.key} with its value`} icon="link" />
          <button type="button" class="tool button quiet" aria-pressed={pinned} aria-label={`Pin ${a.key}`} title={pinned ? "Take off the top" : "Keep on top"} onClick={() => togglePin(a.key)}>
            {pinned ? "★" : "☆"}
          </button>
        </span>
      </dd>
    </div>
  );
}

/* ---- pins ---- */

const pinnedList = (): string[] => pinnedKeys.value.split("\n").filter((k) => k !== "");

function togglePin(key: string): void {
  const now = pinnedList();
  pinnedKeys.value = (now.includes(key) ? now.filter((k) => k !== key) : [...now, key]).join("\n");
}

/** Keys that somebody wants to see first, on every span that has them. */
export function PinnedAttributes({ lists, filter }: { lists: { scope: string; list: KeyValue[] }[]; filter: string }) {
  const keys = pinnedList();
  const shown = lists.map(({ scope, list }) => ({ scope, list: filterAttributes(list, filter).filter((a) => keys.includes(a.key)) })).filter(({ list }) => list.length > 0);
  if (shown.length === 0) return null;
  return (
    <section>
      <h3>Pinned</h3>
      {shown.map(({ scope, list }) => (
        <AttributeList key={scope} scope={scope} list={list} />
      ))}
    </section>
  );
}

/* ---- values ---- */

function Value({ name, text, value }: { name: string; text: string; value: AnyValue | undefined }) {
  const [plain, setPlain] = useState(false);
  const tree = useMemo(() => treeOf(value, text), [value]);
  const view: ValueView | null = tree === null && value?.stringValue !== undefined ? viewOf(name, text) : null;
  const kind = tree ? "tree" : view?.kind;
  if (!kind) {
    return (
      <>
        <Long text={text} />
        {isTooLong(text) ? <span class="dim"> longer than {formatCount(TREE_CHARS_MAX)} characters: no tree</span> : null}
      </>
    );
  }
  return (
    <>
      {plain || !tree ? <Long text={plain || !view ? text : view.text} /> : <JsonTree tree={tree} small={text.length <= SMALL} />}
      <button type="button" class="link value-view" title={plain ? `Show as ${kind}` : "Show as it was sent"} onClick={() => setPlain(!plain)}>
        {plain ? kind : "raw"}
      </button>
    </>
  );
}

/** Letters of a tree that is open at once. */
const SMALL = 300;

/** Long values begin folded, and unfold by as much as a browser lays out at once. */
export function Long({ text }: { text: string }) {
  const folded = foldedText(text);
  const [shown, setShown] = useState(0);
  if (folded.length === text.length) return <span class="value">{text}</span>;
  const end = Math.min(text.length, Math.max(shown, folded.length));
  return (
    <span class="value">
      {text.slice(0, end)}
      {end < text.length ? (
        <button type="button" class="link" onClick={() => setShown(end + MORE_CHARS)}>
          {` … ${formatCount(text.length - end)} more characters`}
        </button>
      ) : null}
      {shown > 0 ? (
        <button type="button" class="link" onClick={() => setShown(0)}>
          {" less"}
        </button>
      ) : null}
    </span>
  );
}
