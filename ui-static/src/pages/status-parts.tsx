// SPDX-License-Identifier: Apache-2.0
// What the parts of the Status page are made of: figures, and tables of names and values.
import type { ComponentChildren, Ref, VNode } from "preact";

export interface Figure {
  name: string;
  value: ComponentChildren;
  /** What it means, in a few words. */
  note?: ComponentChildren;
  bad?: boolean;
}

export function Figures({ list }: { list: Figure[] }) {
  return (
    <dl class="figures">
      {list.map((f) => (
        <div key={f.name}>
          <dt>{f.name}</dt>
          <dd class={f.bad ? "num error-text" : "num"}>
            {f.bad ? <span aria-hidden="true">▲ </span> : null}
            {f.value}
          </dd>
          {f.note ? <dd class="dim">{f.note}</dd> : null}
        </div>
      ))}
    </dl>
  );
}

interface TableProps {
  label: string;
  /** Names; a `>` before one: numbers, which stand at the right. */
  columns: string[];
  /** Cells. A row that is more than text is the same one as before if its first cell has the same key. */
  rows: ComponentChildren[][];
  none?: string;
  /** On a narrow screen the first cell of a row has a line for itself, and the others stand below it with their names. */
  stacked?: boolean;
}

export function Table({ label, columns, rows, none, stacked }: TableProps) {
  if (rows.length === 0) return <p class="pad dim">{none}</p>;
  const right = columns.map((c) => c[0] === ">");
  const names = columns.map((c, i) => (right[i] ? c.slice(1) : c));
  return (
    <div class="scroll-x" tabIndex={0} role="region" aria-label={label}>
      <table class={stacked ? "edges stacked" : "edges"}>
        <thead>
          <tr>
            {names.map((name, i) => (
              <th key={name} class={right[i] ? "right" : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((r, n) => (
            <tr key={(r[0] as VNode | null)?.key ?? n}>
              {r.map((cell, i) => (
                <td key={i} class={right[i] ? "num right" : undefined} data-name={stacked && right[i] ? names[i] : undefined}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Part({ title, note, children, box }: { title: string; note?: ComponentChildren; children: ComponentChildren; box?: Ref<HTMLElement> }) {
  return (
    <section class="service-part" ref={box ?? null}>
      <h2 tabIndex={box ? -1 : undefined}>{title}</h2>
      {note ? <p class="dim">{note}</p> : null}
      {children}
    </section>
  );
}
