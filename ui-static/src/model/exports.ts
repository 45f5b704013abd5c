// SPDX-License-Identifier: Apache-2.0
// The trace as files of other tools, made from its skeleton: CSV, Chrome's trace events (Perfetto reads them), speedscope. Names are whole, however
// long they are, so a file may be longer than a text can be: it comes piece by piece. No DOM.
import { errorsBefore, KINDS, type Skeleton, spanIdAt, STATUS } from "./skeleton";

const serviceOf = (s: Skeleton, row: number) => s.whole.services[s.service[row]];
const operationOf = (s: Skeleton, row: number) => s.whole.operations[s.operation[row]];

/** A spreadsheet takes what begins with these for a formula. */
const cell = (text: string | number): string => {
  const safe = typeof text === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : String(text);
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

export const csvLine = (cells: (string | number)[]): string => `${cells.map(cell).join(",")}\r\n`;

export function* csvOf(s: Skeleton, rows: ArrayLike<number> | null = null): Generator<string> {
  yield csvLine(["span_id", "parent_span_id", "service", "name", "kind", "status", "start_unix_nano", "duration_nano", "self_nano", "depth"]);
  const line = (row: number) => {
    const parent = s.parent[row] >= 0 ? spanIdAt(s, s.parent[row]) : (s.missingParent.get(row) ?? "");
    const start = String(s.startNs + BigInt(Math.round(s.start[row])));
    return csvLine([spanIdAt(s, row), parent, serviceOf(s, row), operationOf(s, row), KINDS[s.kind[row]] ?? s.kind[row], STATUS[s.status[row]] ?? s.status[row], start, s.length[row], s.self[row], s.depth[row]]);
  };
  for (let i = 0; i < (rows?.length ?? s.count); i++) yield line(rows ? rows[i] : i);
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

/** Values of a list of JSON, with the commas between. */
const lister = () => {
  let comma = "";
  return (value: unknown): string => {
    const text = comma + JSON.stringify(value);
    comma = ",\n";
    return text;
  };
};

/** One process a service, one thread a lane. Times are microseconds, with fractions. */
export function* chromeOf(s: Skeleton): Generator<string> {
  const perService = s.services.map((): number[] => []);
  for (let row = 0; row < s.count; row++) perService[s.service[row]].push(row);
  const lane = new Int32Array(s.count);
  perService.forEach((rows) => {
    const sub = { ...s, count: rows.length, start: Float64Array.from(rows, (r) => s.start[r]), length: Float64Array.from(rows, (r) => s.length[r]) };
    nestingLanes(sub).forEach((l, i) => {
      lane[rows[i]] = l;
    });
  });
  const event = lister();
  yield '{"traceEvents":[';
  for (const [pid, name] of s.whole.services.entries()) yield event({ ph: "M", name: "process_name", pid: pid + 1, tid: 0, args: { name } });
  for (let row = 0; row < s.count; row++) {
    const args = { spanId: spanIdAt(s, row), kind: KINDS[s.kind[row]] ?? s.kind[row], status: STATUS[s.status[row]] ?? s.status[row] };
    yield event({ ph: "X", name: operationOf(s, row), cat: serviceOf(s, row), ts: s.start[row] / 1000, dur: s.length[row] / 1000, pid: s.service[row] + 1, tid: lane[row] + 1, args });
  }
  for (let i = 0; i < s.events.row.length; i++) {
    const row = s.events.row[i];
    yield event({ ph: "i", s: "t", name: s.events.names[s.events.name[i]], ts: s.events.time[i] / 1000, pid: s.service[row] + 1, tid: lane[row] + 1 });
  }
  yield `],"displayTimeUnit":"ns","otherData":${JSON.stringify({ traceId: s.traceId, startTimeUnixNano: String(s.startNs), errors: errorsBefore(s)[s.count] })}}`;
}

/** speedscope's evented profiles, one a lane: there what is open must be closed in its turn. */
export function* speedscopeOf(s: Skeleton): Generator<string> {
  /** The first row of each. */
  const frames: number[] = [];
  const frameOf = new Map<number, number>();
  const frame = (row: number) => {
    const key = s.service[row] * s.operations.length + s.operation[row];
    let at = frameOf.get(key);
    if (at === undefined) {
      at = frames.push(row) - 1;
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
  const [frameText, profileText] = [lister(), lister()];
  yield `{"$schema":"https://www.speedscope.app/file-format-schema.json","name":"trace ${s.traceId}","exporter":"spoor","activeProfileIndex":0,"shared":{"frames":[`;
  for (const row of frames) yield frameText({ name: `${serviceOf(s, row)} ${operationOf(s, row)}` });
  yield ']},"profiles":[';
  for (const [i, { events }] of profiles.entries()) yield profileText({ type: "evented", name: `lane ${i + 1}`, unit: "nanoseconds", startValue: 0, endValue: s.duration, events });
  yield "]}";
}
