// SPDX-License-Identifier: Apache-2.0
// A table of keys with a value of A and a value of B.
import { useState } from "preact/hooks";
import type { ComparedKey, KeyChange } from "../model/compare-keys";
import { cutMiddle, formatCount } from "../model/text";

/** Longer values are cut in their middle, with a way to the rest. */
const VALUE_CHARACTERS = 300;
const SIGN: Record<KeyChange, string> = { same: "=", changed: "≠", "only a": "A", "only b": "B" };
const SAID: Record<KeyChange, string> = { same: "the same", changed: "differs", "only a": "only in A", "only b": "only in B" };

export function KeyTable({ rows, label, note }: { rows: ComparedKey[]; label: string; note?: string }) {
  const [same, setSame] = useState(false);
  const [filter, setFilter] = useState("");
  const wanted = filter.trim().toLowerCase();
  const differing = rows.filter((r) => r.change !== "same");
  const shown = (same ? rows : differing).filter((r) => !wanted || `${r.key} ${r.a ?? ""} ${r.b ?? ""} ${r.group}`.toLowerCase().includes(wanted));
  const groups = [...new Set(shown.map((r) => r.group))];
  return (
    <>
      <div class="cmp-tools">
        <span role="status">
          <b>{formatCount(differing.length)}</b> of {formatCount(rows.length)} differ
        </span>
        <input value={filter} onInput={(e) => setFilter(e.currentTarget.value)} placeholder="Filter" aria-label="Filter keys and values" />
        <label class="row tight">
          <input type="checkbox" checked={same} onChange={(e) => setSame(e.currentTarget.checked)} /> also what is the same
        </label>
        {note ? <span class="dim">{note}</span> : null}
      </div>
      <div class="table-box" tabIndex={0} role="region" aria-label={label}>
        {shown.length === 0 ? (
          <p class="pad dim">{differing.length === 0 ? "Nothing differs." : "Nothing that differs holds that text."}</p>
        ) : (
          <table class="edges cmp-keys">
            <thead>
              <tr>
                <th>Key</th>
                <th>
                  <span class="offscreen">Differs</span>
                </th>
                <th>A</th>
                <th>B</th>
              </tr>
            </thead>
            {groups.map((group) => (
              <tbody key={group}>
                <tr class="cmp-group">
                  <th colSpan={4} scope="rowgroup">
                    {group}
                  </th>
                </tr>
                {shown
                  .filter((r) => r.group === group)
                  .map((r) => (
                    <tr key={r.key} class={r.change.replace(" ", "-")}>
                      <td class="mono cmp-key-name">{r.key}</td>
                      <td class="cmp-sign" title={SAID[r.change]}>
                        <span aria-hidden="true">{SIGN[r.change]}</span>
                        <span class="offscreen">{SAID[r.change]}</span>
                      </td>
                      <td class="mono a">
                        <Value text={r.a} />
                      </td>
                      <td class="mono b">
                        <Value text={r.b} />
                      </td>
                    </tr>
                  ))}
              </tbody>
            ))}
          </table>
        )}
      </div>
    </>
  );
}

function Value({ text }: { text: string | null }) {
  const [open, setOpen] = useState(false);
  if (text === null) return <span class="dim">–</span>;
  if (text === "") return <span class="dim">""</span>;
  if (text.length <= VALUE_CHARACTERS) return <>{text}</>;
  return (
    <>
      {open ? text : cutMiddle(text, VALUE_CHARACTERS)}{" "}
      <button type="button" class="link" onClick={() => setOpen(!open)}>
        {open ? "less" : `all ${formatCount(text.length)} characters`}
      </button>
    </>
  );
}
