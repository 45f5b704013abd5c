// SPDX-License-Identifier: Apache-2.0
// The trace as files of other tools, made from its skeleton: CSV, Chrome's trace events (Perfetto reads them), speedscope. No DOM.
import { errorsBefore, KINDS, operationName, serviceName, type Skeleton, spanIdAt, STATUS } from "./skeleton";

/** A spreadsheet takes what begins with these for a formula. */
const cell = (text: string | number): string => {
  const safe = typeof text === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : String(text);
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

export const csvLine = (cells: (string | number)[]): string => `${cells.map(cell).join(",")}\r\n`;

export function csvOf(s: Skeleton, rows: ArrayLike<number> | null = null): string {
  const out = [csvLine(["span_id", "parent_span_id", "service", "name", "kind", "status", "start_unix_nano", "duration_nano", "self_nano", "depth"])];
  const line = (row: number) => {
    const parent = s.parent[row] >= 0 ? spanIdAt(s, s.parent[row]) : (s.missingParent.get(row) ?? "");
    const start = String(s.startNs + BigInt(Math.round(s.start[row])));
    out.push(csvLine([spanIdAt(s, row), parent, serviceName(s, row), operationName(s, row), KINDS[s.kind[row]] ?? s.kind[row], STATUS[s.status[row]] ?? s.status[row], start, s.length[row], s.self[row], s.depth[row]]));
  };
  if (rows) for (let i = 0; i < rows.length; i++) line(rows[i]);
  else for (let row = 0; row < s.count; row++) line(row);
  return out.join("");
}

/** For each row a lane such that spans of one lane nest: what starts before the one before it in its lane has ended, and outlives it,
 * goes to another. Chrome's format draws a thread as a stack. */
export function nestingLanes(s: Skeleton): Int32Array {
  const lane = new Int32Array(s.count);
  const open: number[][] = [];
  for (const row of byStart(s)) {
    const end = s.start[row] + s.length[row];
    let found = open.findIndex((stack) => {
      while (stack.length > 0 && stack[stack.length - 1] <= s.start[row]) stack.pop();
      return stack.length === 0 || stack[stack.length - 1] >= end;
    });
    if (found < 0) found = open.push([]) - 1;
    open[found].push(end);
    lane[row] = found;
  }
  return lane;
}

function byStart(s: Skeleton): Uint32Array {
  const rows = Uint32Array.from({ length: s.count }, (_, row) => row);
  return rows.sort((a, b) => s.start[a] - s.start[b] || s.length[b] - s.length[a] || a - b);
}

/** One process a service, one thread a lane. Times are microseconds, with fractions. */
export function chromeOf(s: Skeleton): string {
  const perService = s.services.map((): number[] => []);
  for (let row = 0; row < s.count; row++) perService[s.service[row]].push(row);
  const events: unknown[] = s.services.map(({ name }, pid) => ({ ph: "M", name: "process_name", pid: pid + 1, tid: 0, args: { name } }));
  const lane = new Int32Array(s.count);
  perService.forEach((rows) => {
    const sub = { ...s, count: rows.length, start: Float64Array.from(rows, (r) => s.start[r]), length: Float64Array.from(rows, (r) => s.length[r]) };
    nestingLanes(sub).forEach((l, i) => {
      lane[rows[i]] = l;
    });
  });
  for (let row = 0; row < s.count; row++) {
    const args = { spanId: spanIdAt(s, row), kind: KINDS[s.kind[row]] ?? s.kind[row], status: STATUS[s.status[row]] ?? s.status[row] };
    events.push({ ph: "X", name: operationName(s, row), cat: serviceName(s, row), ts: s.start[row] / 1000, dur: s.length[row] / 1000, pid: s.service[row] + 1, tid: lane[row] + 1, args });
  }
  for (let i = 0; i < s.events.row.length; i++) {
    const row = s.events.row[i];
    events.push({ ph: "i", s: "t", name: s.events.names[s.events.name[i]], ts: s.events.time[i] / 1000, pid: s.service[row] + 1, tid: lane[row] + 1 });
  }
  return JSON.stringify({ traceEvents: events, displayTimeUnit: "ns", otherData: { traceId: s.traceId, startTimeUnixNano: String(s.startNs), errors: errorsBefore(s)[s.count] } });
}

/** speedscope's evented profiles, one a lane: there what is open must be closed in its turn. */
export function speedscopeOf(s: Skeleton): string {
  const frames: { name: string }[] = [];
  const frameOf = new Map<number, number>();
  const frame = (row: number) => {
    const key = s.service[row] * s.operations.length + s.operation[row];
    let at = frameOf.get(key);
    if (at === undefined) {
      at = frames.push({ name: `${serviceName(s, row)} ${operationName(s, row)}` }) - 1;
      frameOf.set(key, at);
    }
    return at;
  };
  const lanes = nestingLanes(s);
  const profiles: { open: { frame: number; end: number }[]; events: unknown[] }[] = [];
  const close = (p: { open: { frame: number; end: number }[]; events: unknown[] }, until: number) => {
    for (let top = p.open.at(-1); top && top.end <= until; top = p.open.at(-1)) {
      p.events.push({ type: "C", frame: top.frame, at: top.end });
      p.open.pop();
    }
  };
  for (const row of byStart(s)) {
    const p = (profiles[lanes[row]] ??= { open: [], events: [] });
    close(p, s.start[row]);
    p.events.push({ type: "O", frame: frame(row), at: s.start[row] });
    p.open.push({ frame: frame(row), end: s.start[row] + s.length[row] });
  }
  for (const p of profiles) close(p, Number.POSITIVE_INFINITY);
  return JSON.stringify({
    $schema: "https://www.speedscope.app/file-format-schema.json",
    name: `trace ${s.traceId}`,
    exporter: "spoor",
    activeProfileIndex: 0,
    shared: { frames },
    profiles: profiles.map(({ events }, i) => ({ type: "evented", name: `lane ${i + 1}`, unit: "nanoseconds", startValue: 0, endValue: s.duration, events })),
  });
}
