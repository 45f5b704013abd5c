// SPDX-License-Identifier: Apache-2.0
// What the parts of the Status page are made of: figures, and tables of names and values.
import type { ComponentChildren } from "preact";

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

export interface Column {
  name: string;
  right?: boolean;
}

export function Table({ label, columns, rows, none }: { label: string; columns: Column[]; rows: { key: string; cells: ComponentChildren[] }[]; none: string }) {
  if (rows.length === 0) return <p class="pad dim">{none}</p>;
  return (
    <div class="scroll-x" tabIndex={0} role="region" aria-label={label}>
      <table class="edges">
        <thead>
          <tr>
            {columns.map((c) => (
              <th key={c.name} class={c.right ? "right" : undefined}>
                {c.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((r) => (
            <tr key={r.key}>
              {r.cells.map((cell, i) => (
                <td key={columns[i].name} class={columns[i].right ? "num right" : undefined}>
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

export function Part({ title, note, children }: { title: string; note?: ComponentChildren; children: ComponentChildren }) {
  return (
    <section class="service-part">
      <h2>{title}</h2>
      {note ? <p class="dim">{note}</p> : null}
      {children}
    </section>
  );
}
