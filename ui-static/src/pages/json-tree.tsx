// SPDX-License-Identifier: Apache-2.0
// A value with parts, as a tree that opens level by level: only what is open is in the document, and of long lists as much as was asked for.
import { useState } from "preact/hooks";
import { type Tree, TREE_LEVELS_MAX } from "../model/json-tree";
import { formatCount, plural } from "../model/text";
import { Long } from "./attributes";

/** Parts that are shown at first, and by a click more. */
const PARTS = 100;
const PARTS_MORE = 1000;
/** Further in would leave no room for the values: there the level is told. */
const INDENTED = 8;

/** What a closed one begins with. */
const preview = (parts: Tree[]): string => shortened(parts.slice(0, 3).map((p) => (p.key === null ? "" : `${shortened(p.key)}: `) + (p.parts ? `${p.text}…` : shortened(p.text))).join(", "));
const shortened = (text: string): string => (text.length > 40 ? `${text.slice(0, 39)}…` : text);

interface Props {
  tree: Tree;
  /** In a list: which one. */
  at?: number;
  level?: number;
  /** Small ones are open at once. */
  small: boolean;
}

export function JsonTree({ tree: { key, text, parts }, at = -1, level = 0, small }: Props) {
  const [open, setOpen] = useState(small || level === 0);
  const [shown, setShown] = useState(PARTS);
  const name = key ?? (at < 0 ? null : String(at));
  const label = name === null ? null : <span class={key === null ? "dim" : "tree-key"}>{key === "" ? '""' : name}: </span>;
  const end = text === "{" ? "}" : "]";
  if (!parts || parts.length === 0) {
    return (
      <div class="tree-leaf">
        {label}
        <Long text={parts ? text + end : text} />
      </div>
    );
  }
  const count = `${text} ${text === "{" ? plural(parts.length, "key") : plural(parts.length, "item")} ${end}`;
  if (level >= TREE_LEVELS_MAX) {
    return (
      <div class="tree-leaf">
        {label}
        {count} <span class="dim">deeper than {TREE_LEVELS_MAX} levels: the text has it</span>
      </div>
    );
  }
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {label}
        <span class="dim">
          {count}
          {level >= INDENTED ? ` level ${level + 1}` : ""}
          {open ? "" : ` ${preview(parts)}`}
        </span>
      </summary>
      {open ? (
        <div class={level < INDENTED ? "tree-parts" : undefined}>
          {parts.slice(0, shown).map((part, i) => (
            <JsonTree key={i} tree={part} {...(text === "[" ? { at: i } : {})} level={level + 1} small={small} />
          ))}
          {parts.length > shown ? (
            <button type="button" class="link" onClick={() => setShown(shown + PARTS_MORE)}>
              Show {formatCount(Math.min(PARTS_MORE, parts.length - shown))} more of {formatCount(parts.length)}
            </button>
          ) : null}
        </div>
      ) : null}
    </details>
  );
}
