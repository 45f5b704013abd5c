// SPDX-License-Identifier: Apache-2.0
// A service over time as a table: the twin of its charts.
import type { Step } from "../model/service";
import { formatCount, formatRate } from "../model/text";
import { formatClock, formatDay, formatDuration, formatFull, toRfc3339 } from "../model/time";
import { href, patched } from "../route";
import { zone } from "../state/prefs";
import { Delta, formatCalls, Share } from "./service-parts";
import { filterOf, type Found, percentiles } from "./service-state";

/** Each step leads to its traces, and to itself as the range of the page: what dragging over a chart does. Beside it how the same step of the range that is
 * compared with differs. */
export function StepTable({ steps, before, value }: { steps: Step[]; before: Step[] | null; value: Found }) {
  const names = percentiles().map((p) => `p${p}`);
  const range = (s: Step) => ({ from: toRfc3339(s.from), to: toRfc3339(s.to) });
  return (
    <div class="table-box steps" tabIndex={0} role="region" aria-label="Steps">
      <table class="edges">
        <thead>
          <tr>
            <th>From</th>
            <th class="right">Calls</th>
            <th class="right">Rate</th>
            <th class="right">Errors</th>
            {names.map((n) => (
              <th key={n} class="right">
                {n}
              </th>
            ))}
            <th>Traces</th>
          </tr>
        </thead>
        <tbody>
          {steps.map((s, step) => (
            <tr key={String(s.from)}>
              <td class="num" title={formatFull(s.from, zone.value)}>
                <a href={patched(range(s))}>
                  {formatDay(s.from, zone.value)} {formatClock(s.from, zone.value, 0)}
                </a>
              </td>
              <td class="num right">
                <Delta now={s.calls} before={before?.[step]?.calls ?? null} format={formatCalls} />
                {formatCount(s.calls)}
              </td>
              <td class="num right">{formatRate(s.rate, 1)}</td>
              <td class="num right">
                <Share errors={s.errors} calls={s.calls} />
              </td>
              {s.quantiles.map((q, i) => (
                <td key={names[i]} class="num right">
                  <Delta now={q ?? 0} before={q === null ? null : (before?.[step]?.quantiles[i] ?? null)} format={formatDuration} />
                  {formatDuration(q)}
                </td>
              ))}
              <td>{s.calls > 0 ? <a href={href("explore", { q: filterOf(value), ...range(s) })}>Explore</a> : <span class="dim">–</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
