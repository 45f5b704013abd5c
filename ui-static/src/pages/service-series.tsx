// SPDX-License-Identifier: Apache-2.0
// A service over time: three charts, or the same numbers as a table.
import { type Step } from "../model/service";
import { formatCount, formatPercent, formatRate } from "../model/text";
import { formatClock, formatDay, formatDuration, formatFull, toRfc3339 } from "../model/time";
import { href, patched } from "../route";
import { zone } from "../state/prefs";
import { Chart } from "../ui/chart";
import { Share } from "./service-tables";

const NAMES = ["p50", "p90", "p95", "p99"];

export function Charts({ steps }: { steps: Step[] }) {
  const time = (ns: bigint) => `${formatDay(ns, zone.value).slice(5)} ${formatClock(ns, zone.value, 0)}`;
  const frame = {
    ends: [time(steps[0].from), time(steps[steps.length - 1].to)] as [string, string],
    stepName: (i: number) => time(steps[i].from),
  };
  const most = (values: (number | null)[]) => Math.max(0, ...values.map((v) => v ?? 0));
  const rates = steps.map((s) => s.rate);
  const shares = steps.map((s) => s.errorShare);
  const said = "The table view has every number.";
  return (
    <div class="charts">
      <Chart
        title="Rate"
        description={`Calls a second, at most ${formatRate(most(rates), 1)}. ${said}`}
        lines={[{ name: "calls", values: rates, look: "line-1" }]}
        format={(v) => formatRate(v, 1)}
        {...frame}
      />
      <Chart
        title="Errors"
        description={`Share of calls with an error, at most ${formatPercent(most(shares), 1)}. ${said}`}
        lines={[{ name: "▲ errors", values: shares, look: "line-error" }]}
        format={(v) => formatPercent(v, 1)}
        {...frame}
      />
      <Chart
        title="Duration"
        log
        description={`Quantiles of duration: ${NAMES.map((n, i) => `${n} at most ${formatDuration(most(steps.map((s) => s.quantiles[i])))}`).join(", ")}. ${said}`}
        lines={NAMES.map((name, i) => ({ name, values: steps.map((s) => s.quantiles[i]), look: `line-${i}` }))}
        format={formatDuration}
        {...frame}
      />
    </div>
  );
}

/** Each step leads to its traces, and to itself as the range of the page: what dragging over a chart would do. */
export function StepTable({ steps, where }: { steps: Step[]; where: string[] }) {
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
            {NAMES.map((n) => (
              <th key={n} class="right">
                {n}
              </th>
            ))}
            <th>Traces</th>
          </tr>
        </thead>
        <tbody>
          {steps.map((s) => (
            <tr key={String(s.from)}>
              <td class="num" title={formatFull(s.from, zone.value)}>
                <a href={patched(range(s))}>
                  {formatDay(s.from, zone.value)} {formatClock(s.from, zone.value, 0)}
                </a>
              </td>
              <td class="num right">{formatCount(s.calls)}</td>
              <td class="num right">{formatRate(s.rate, 1)}</td>
              <td class="num right">
                <Share errors={s.errors} calls={s.calls} />
              </td>
              {s.quantiles.map((q, i) => (
                <td key={NAMES[i]} class="num right">
                  {formatDuration(q)}
                </td>
              ))}
              <td>{s.calls > 0 ? <a href={href("explore", { q: `{ ${where.join(" && ")} }`, ...range(s) })}>Explore</a> : <span class="dim">–</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
