// SPDX-License-Identifier: Apache-2.0
// Groups of spans, put together from the answers of several metrics. No DOM.
import type { MetricAnswer } from "../api/types";

export interface Group {
  value: string | null;
  type: string;
  count: number;
  errors: number;
  /** Nanoseconds. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
  /** Sum of durations, nanoseconds. */
  impact: number;
}

/** What is asked, in the order in which `groupsOf` takes the answers. */
export const GROUP_METRICS: { metric: string; errors: boolean }[] = [
  { metric: "count_over_time()", errors: false },
  { metric: "count_over_time()", errors: true },
  { metric: "quantile_over_time(duration, .5, .95, .99)", errors: false },
  { metric: "sum_over_time(duration)", errors: false },
];

const NS = 1e9;

export function groupsOf([counts, errors, quantiles, sums]: MetricAnswer[]): Group[] {
  const groups = new Map<string, Group>();
  const keyOf = (s: MetricAnswer["series"][number]) => {
    const label = s.labels.find((l) => l.key !== "p") ?? s.labels[0];
    return { id: `${label?.type} ${label?.value}`, value: label?.type === "nil" ? null : (label?.value ?? null), type: label?.type ?? "nil" };
  };
  const number = (s: MetricAnswer["series"][number]) => s.points[0]?.[1] ?? 0;
  for (const s of counts.series) {
    const { id, value, type } = keyOf(s);
    groups.set(id, { value, type, count: number(s), errors: 0, p50: null, p95: null, p99: null, impact: 0 });
  }
  const each = (answer: MetricAnswer, put: (g: Group, s: MetricAnswer["series"][number]) => void) => {
    for (const s of answer.series) {
      const group = groups.get(keyOf(s).id);
      if (group) put(group, s);
    }
  };
  each(errors, (g, s) => {
    g.errors = number(s);
  });
  each(quantiles, (g, s) => {
    const p = Number(s.labels.find((l) => l.key === "p")?.value);
    const name = p === 0.5 ? "p50" : p === 0.95 ? "p95" : "p99";
    g[name] = number(s) * NS;
  });
  each(sums, (g, s) => {
    g.impact = number(s) * NS;
  });
  return [...groups.values()].filter((g) => g.count > 0);
}

/** By a column, with a minus the largest first; ties by value. */
export function sortGroups(groups: Group[], order: string): Group[] {
  const by = order.replace(/^-/, "");
  const sign = order.startsWith("-") ? -1 : 1;
  const key = (g: Group): number | string => {
    if (by === "value") return g.value ?? "";
    if (by === "errors") return g.errors / Math.max(1, g.count);
    return g[by as "count" | "p50" | "p95" | "p99" | "impact"] ?? 0;
  };
  return [...groups].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return x < y ? -sign : x > y ? sign : (a.value ?? "") < (b.value ?? "") ? -1 : 1;
  });
}
