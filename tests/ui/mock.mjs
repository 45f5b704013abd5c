// SPDX-License-Identifier: Apache-2.0
// A stand-in for Spoor in the component tests: the read API by brute force over spans in memory, and the built pages
// under the same headers. It takes OTLP/JSON at POST /v1/traces. By hand: node mock.mjs DIST [PORT] [ARCHIVE.tar.gz]
import { createServer } from "node:http";
import { existsSync, readFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import { SYSTEM, systemHistory } from "./own.mjs";
import { attribute, groupBy, plain, recordedRequests, spansOf, summaryOf } from "./spans.mjs";

const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
  "worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];
const STATUS = ["unset", "ok", "error"];

class Problem extends Error {
  constructor(status, title, more = {}) {
    super(title);
    this.body = { type: "about:blank", title, status, ...more, requestId: "mock-1" };
  }
}

/** { a = 1 && (b != "x" || c) }: comparisons, &&, ||, parentheses; enough for the pages' own queries. */
function compile(q) {
  const text = q.trim();
  if (text === "" || /^\{\s*\}$/.test(text)) return () => true;
  const re = /\s*("(?:[^"\\]|\\.)*"|`[^`]*`|&&|\|\||[<>!=]=|=~|!~|[<>=(){}]|[^\s"`<>=!&|(){}]+)/y;
  const tokens = [];
  while (re.lastIndex < text.length) {
    const at = re.lastIndex;
    const m = re.exec(text);
    if (!m) throw new Problem(400, "Malformed query", fault(text, at, "a condition"));
    tokens.push({ t: m[1], at: re.lastIndex - m[1].length });
  }
  let i = 0;
  const peek = () => tokens[i]?.t;
  const fail = (expected) => {
    throw new Problem(400, "Malformed query", fault(text, tokens[i]?.at ?? text.length, expected));
  };
  const eat = (t) => (peek() === t ? i++ : fail(`"${t}"`));
  const either = (op, next, join) => () => {
    let left = next();
    while (peek() === op) {
      i++;
      const [a, b] = [left, next()];
      left = (s) => join(a(s), () => b(s));
    }
    return left;
  };
  const primary = () => {
    if (peek() === "(") {
      i++;
      const inner = or();
      eat(")");
      return inner;
    }
    const field = peek();
    if (!field || /^[{}&|<>=!")]/.test(field)) fail("an attribute or an intrinsic");
    i++;
    const op = peek();
    if (!["=", "!=", "<", "<=", ">", ">=", "=~", "!~"].includes(op)) fail("a comparison");
    i++;
    const raw = peek();
    if (!raw || /^[{}&|<>=!)]/.test(raw)) fail("a value");
    i++;
    return (s) => compare(read(s, field), op, literal(raw));
  };
  const and = either("&&", primary, (a, b) => a && b());
  const or = either("||", and, (a, b) => a || b());
  eat("{");
  const test = or();
  eat("}");
  if (i < tokens.length) throw new Problem(400, "Not evaluated yet", fault(text, tokens[i].at, "the end of the query"));
  return test;
}

const fault = (text, at, expected) => ({
  detail: `expected ${expected} at byte ${at}`,
  parameter: "q",
  offset: Buffer.byteLength(text.slice(0, at)),
  expected,
});

function literal(raw) {
  if (raw[0] === '"') return JSON.parse(raw);
  if (raw[0] === "`") return raw.slice(1, -1);
  const m = /^(-?[\d.]+)(ns|us|µs|ms|s|m|h)?$/.exec(raw);
  if (!m) return raw;
  const unit = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };
  return Number(m[1]) * (m[2] ? unit[m[2]] : 1);
}

function read(s, field) {
  switch (field) {
    case "name": return s.name;
    case "duration": return Number(s.duration);
    case "status": return STATUS[s.status];
    case "kind": return KINDS[s.kind];
    case "trace:id": return s.traceId;
    case "span:id": return s.spanId;
    case "link:spanID": return s.span.links?.[0]?.spanId;
    case "link:traceID": return s.span.links?.[0]?.traceId;
  }
  const [, scope, key] = /^(resource|span|)\.(.*)$/.exec(field) ?? [null, "", field];
  const inSpan = attribute(s.span.attributes, key);
  const inResource = attribute(s.resource.attributes, key);
  return scope === "resource" ? inResource : scope === "span" ? inSpan : (inSpan ?? inResource);
}

function compare(have, op, want) {
  if (have === undefined) return false;
  const [a, b] = typeof want === "number" ? [Number(have), want] : [String(have), String(want)];
  switch (op) {
    case "=": return a === b;
    case "!=": return a !== b;
    case "<": return a < b;
    case "<=": return a <= b;
    case ">": return a > b;
    case ">=": return a >= b;
    case "=~": return pattern(b).test(a);
    default: return !pattern(b).test(a);
  }
}

const pattern = (text) => new RegExp(`^(?:${text.replace(/^\(\?i\)/, "")})$`, text.startsWith("(?i)") ? "i" : "");

function time(text, fallback, parameter = "from") {
  if (text === null) return fallback;
  const m = /^now(?:-(\d+)([smhd]))?$/.exec(text);
  if (m) return BigInt(Date.now() - Number(m[1] ?? 0) * { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 }[m[2] ?? "s"]) * 1000000n;
  if (/^\d+$/.test(text)) return BigInt(text) * 10n ** BigInt({ 10: 9, 13: 6, 16: 3 }[text.length] ?? 0);
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new Problem(400, "Not a time", { detail: `"${text}" is not a time`, parameter });
  return BigInt(ms) * 1000000n;
}

/** Depth-first columns of one trace; iterative, since a trace may be 5,000 spans deep or a cycle. */
export function columnsOf(all, slots = new Map()) {
  const seen = new Map();
  const duplicates = new Set();
  for (const s of all) seen.has(s.spanId) ? duplicates.add(s) : seen.set(s.spanId, s);
  const order = (a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : a.spanId < b.spanId ? -1 : 1);
  const children = groupBy(all.filter((s) => seen.has(s.parentSpanId)), (s) => s.parentSpanId);
  const roots = all.filter((s) => !seen.has(s.parentSpanId)).sort(order);
  const reached = new Set();
  const rows = [];
  const broken = new Set();
  const walk = (root) => {
    const stack = [[root, 0, -1]];
    while (stack.length) {
      const [s, depth, parent] = stack.pop();
      if (reached.has(s)) continue;
      reached.add(s);
      const row = rows.push({ s, depth, parent }) - 1;
      const kids = duplicates.has(s) ? [] : (children.get(s.spanId) ?? []).filter((k) => !reached.has(k)).sort(order);
      for (let i = kids.length - 1; i >= 0; i--) stack.push([kids[i], depth + 1, row]);
    }
  };
  for (const root of roots) walk(root);
  for (const s of [...all].sort(order)) if (!reached.has(s)) { broken.add(s); walk(s); }

  const n = rows.length;
  const t0 = all.reduce((m, s) => (s.start < m ? s.start : m), all[0].start);
  const services = [...new Set(all.map((s) => s.service))].sort();
  const operations = [...new Set(all.map((s) => s.name))];
  const serviceAt = new Map(services.map((s, i) => [s, i]));
  const operationAt = new Map(operations.map((s, i) => [s, i]));
  const subtree = new Array(n).fill(1);
  const flags = new Array(n).fill(0);
  const covered = new Array(n).fill(0);
  const kidsOf = rows.map(() => []);
  const start = rows.map((r) => Number(r.s.start - t0));
  const duration = rows.map((r) => Number(r.s.duration));
  const missing = [];
  let end = 0;
  rows.forEach((r, i) => {
    const s = r.s;
    end = Math.max(end, start[i] + duration[i]);
    if (s.status === 2) flags[i] |= 1;
    if (s.span.events?.length) flags[i] |= 4;
    if (s.span.links?.length) flags[i] |= 8;
    if (r.parent < 0 && s.parentSpanId && !broken.has(s)) {
      flags[i] |= 16;
      missing.push({ row: i, parentSpanId: s.parentSpanId });
    }
    if (duplicates.has(s)) flags[i] |= 32;
    if (broken.has(s)) flags[i] |= 128;
    if (s.end < s.start) flags[i] |= 256;
    if (r.parent >= 0) kidsOf[r.parent].push(i);
  });
  for (let i = n - 1; i >= 0; i--) {
    const p = rows[i].parent;
    if (p >= 0) {
      subtree[p] += subtree[i];
      if (flags[i] & 3) flags[p] |= 2;
    }
    let at = start[i];
    for (const k of kidsOf[i].sort((a, b) => start[a] - start[b])) {
      const [a, b] = [Math.max(at, start[k]), Math.min(start[k] + duration[k], start[i] + duration[i])];
      if (b > a) { covered[i] += b - a; at = b; }
    }
  }
  const path = criticalPath(rows, kidsOf, start, duration);
  for (const p of path) flags[p.row] |= 64;
  const first = rows[0].s;
  return {
    traceId: first.traceId,
    startTimeUnixNano: String(t0),
    durationNano: String(end),
    spanCount: n,
    errorCount: rows.filter((r) => r.s.status === 2).length,
    orphanCount: missing.length,
    duplicateCount: duplicates.size,
    rootCount: rows.filter((r) => r.parent < 0).length,
    depthMax: rows.reduce((m, r) => Math.max(m, r.depth), 0),
    cycleCount: broken.size,
    services: services.map((name, i) => ({ name, slot: slots.get(name) ?? i % 30 })),
    operations,
    columns: {
      start, duration, self: duration.map((d, i) => d - covered[i]), depth: rows.map((r) => r.depth), subtreeSize: subtree,
      parent: rows.map((r) => r.parent), service: rows.map((r) => serviceAt.get(r.s.service)),
      operation: rows.map((r) => operationAt.get(r.s.name)), kind: rows.map((r) => r.s.kind), status: rows.map((r) => r.s.status), flags,
    },
    spanIds: rows.map((r) => r.s.spanId).join(""),
    missingParents: missing,
    criticalPath: path,
    ...(path.length ? {} : { criticalPathNote: "the trace has no single root" }),
    events: eventColumns(rows, t0),
    peers: peerColumns(rows, kidsOf),
    clockSkew: { adjusted: false, clockCount: 1, skewedClockCount: 0, spanCount: 0, offsetNano: "0", reference: { service: services[0] }, clocks: [] },
    rows,
  };
}

const coded = (texts) => {
  const names = [...new Set(texts)].sort();
  return { names, codes: texts.map((t) => names.indexOf(t)) };
};

function eventColumns(rows, t0) {
  const all = rows.flatMap(({ s }, row) => (s.span.events ?? []).map((e) => ({ row, time: Number(BigInt(e.timeUnixNano ?? 0) - t0), name: e.name ?? "" })));
  const { names, codes } = coded(all.map((e) => e.name));
  return { count: all.length, names, row: all.map((e) => e.row), time: all.map((e) => e.time), name: codes };
}

/** Client spans without a server span below that say whom they call. */
function peerColumns(rows, kidsOf) {
  const peerOf = (s) => attribute(s.span.attributes, "db.system.name") ?? attribute(s.span.attributes, "db.system") ?? attribute(s.span.attributes, "peer.service");
  const found = rows.flatMap(({ s }, row) => (s.kind === 3 && peerOf(s) && !kidsOf[row].some((k) => rows[k].s.kind === 2) ? [{ row, name: String(peerOf(s)), type: attribute(s.span.attributes, "peer.service") ? "external" : "database" }] : []));
  const { names, codes } = coded(found.map((p) => p.name));
  return { names, row: found.map((p) => p.row), name: codes, type: found.map((p) => p.type) };
}

function criticalPath(rows, kidsOf, start, duration) {
  const roots = rows.flatMap((r, i) => (r.parent < 0 ? [i] : []));
  if (roots.length !== 1) return [];
  const out = [];
  const work = [{ row: roots[0], until: start[roots[0]] + duration[roots[0]] }];
  while (work.length) {
    const { row, until } = work.pop();
    let at = until;
    const kids = kidsOf[row].filter((k) => start[k] < at).sort((a, b) => start[b] + duration[b] - start[a] - duration[a]);
    for (const k of kids) {
      const end = Math.min(start[k] + duration[k], until);
      if (end > at || end <= start[row]) continue;
      if (at > end) out.push({ row, start: end, end: at });
      work.push({ row: k, until: end });
      at = Math.max(start[k], start[row]);
    }
    if (at > start[row]) out.push({ row, start: start[row], end: at });
  }
  return out.sort((a, b) => a.start - b.start);
}

const errorsOf = (list) => list.filter((s) => s.status === 2).length;
const quantile = (sorted, q) => String(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0);
function latency(values) {
  const v = values.map(Number).sort((a, b) => a - b);
  return { p50: quantile(v, 0.5), p90: quantile(v, 0.9), p95: quantile(v, 0.95), p99: quantile(v, 0.99) };
}

export class Mock {
  spans = [];
  traces = new Map();
  requests = 0;
  services = new Map();
  /** Paths of the API that were asked for, for tests of politeness. */
  log = [];

  add(request) {
    this.requests++;
    for (const s of spansOf(request)) {
      this.spans.push(s);
      if (!this.services.has(s.service)) this.services.set(s.service, this.services.size % 30);
      if (!this.traces.has(s.traceId)) this.traces.set(s.traceId, []);
      this.traces.get(s.traceId).push(s);
    }
  }

  range(url) {
    const from = time(url.searchParams.get("from"), 0n);
    const to = time(url.searchParams.get("to"), 1n << 64n);
    return (s) => s.start >= from && s.start < to;
  }

  status(address) {
    const starts = this.spans.map((s) => s.start).sort((a, b) => (a < b ? -1 : 1));
    return {
      version: "0.1.0-mock", startedAtUnixNano: "1795350000000000000", uptimeSeconds: 12, spanCount: String(this.spans.length),
      traceCount: String(this.traces.size), requestCount: String(this.requests), role: "store", storedBytes: String(this.spans.length * 130),
      oldestUnixNano: starts.length ? String(starts[0]) : null, newestUnixNano: starts.length ? String(starts.at(-1)) : null,
      listen: { otlpGrpc: "127.0.0.1:4317", otlpHttp: "127.0.0.1:4318", http: address },
    };
  }

  serviceList(url) {
    const groups = groupBy(this.spans.filter(this.range(url)), (s) => s.service);
    return {
      services: [...groups].sort().map(([name, spans]) => ({
        name, spanCount: String(spans.length), errorCount: String(spans.filter((s) => s.status === 2).length),
        slot: this.services.get(name),
      })),
    };
  }

  attributes(url) {
    const p = url.searchParams;
    const scope = p.get("scope");
    const prefix = p.get("prefix") ?? "";
    const limit = Number(p.get("limit") ?? 50);
    const key = p.get("key");
    const counts = new Map();
    const bump = (k, v) => counts.set(k, { ...v, n: (counts.get(k)?.n ?? 0) + 1 });
    for (const s of this.spans.filter(this.range(url))) {
      if (scope === "intrinsic" && key) {
        const value = key === "service" ? s.service : String(read(s, key) ?? "");
        if (value.startsWith(prefix)) bump(value, { value, type: "string" });
        continue;
      }
      for (const [name, list] of [["span", s.span.attributes], ["resource", s.resource.attributes]]) {
        if (scope && scope !== name) continue;
        for (const a of list ?? []) {
          const type = Object.keys(a.value)[0]?.replace("Value", "") ?? "string";
          if (key === null && a.key.startsWith(prefix)) bump(`${name}.${a.key}`, { scope: name, key: a.key, type });
          if (key === a.key && String(plain(a.value)).startsWith(prefix))
            bump(String(plain(a.value)), { value: String(plain(a.value)), type });
        }
      }
    }
    const rows = [...counts.values()].sort((a, b) => b.n - a.n);
    const complete = rows.length <= limit;
    return key === null
      ? { attributes: rows.slice(0, limit).map(({ n, ...r }) => ({ ...r, spanCount: String(n) })), complete }
      : { values: rows.slice(0, limit).map(({ n, ...r }) => ({ ...r, count: String(n) })), complete };
  }

  search(url) {
    const p = url.searchParams;
    const test = compile(p.get("q") ?? "");
    const inRange = this.range(url);
    const found = [];
    for (const spans of this.traces.values()) {
      const matched = spans.filter((s) => inRange(s) && test(s));
      if (matched.length) found.push({ spans, matched, ...summaryOf(spans) });
    }
    const order = p.get("order") ?? "-start";
    const key = { start: "start", duration: "duration", spans: "spanCount", errors: "errorCount" }[order.replace("-", "")];
    if (!key) throw new Problem(400, "Unknown order", { parameter: "order", detail: `"${order}" is not an order` });
    const sign = order.startsWith("-") ? -1 : 1;
    found.sort((a, b) => (a[key] < b[key] ? -sign : a[key] > b[key] ? sign : a.traceId < b.traceId ? -1 : 1));
    const limit = Math.min(1000, Number(p.get("limit") ?? 20));
    const at = Number(p.get("cursor") ?? 0);
    const page = found.slice(at, at + limit);
    return {
      traces: page.map((t) => ({
        traceId: t.traceId, rootServiceName: t.rootServiceName, rootTraceName: t.rootTraceName,
        startTimeUnixNano: String(t.start), durationNano: String(t.duration), spanCount: t.spanCount, errorCount: t.errorCount,
        matchedSpanIds: t.matched.slice(0, 20).map((s) => s.spanId), matchedSpanCount: t.matched.length,
        matchedSpans: t.matched.slice(0, 3).map((s) => ({
          spanId: s.spanId, serviceName: s.service, name: s.name, kind: KINDS[s.kind], status: STATUS[s.status],
          startTimeUnixNano: String(s.start), durationNano: String(s.duration),
        })),
        services: [...groupBy(t.spans, (s) => s.service)].map(([name, list]) => ({
          name, spanCount: list.length, errorCount: list.filter((s) => s.status === 2).length, slot: this.services.get(name),
        })),
      })),
      complete: true, cursor: at + limit < found.length ? String(at + limit) : null,
      scanned: { segments: 1, rows: String(this.spans.length), bytes: String(this.spans.length * 130), traces: String(this.traces.size) },
      matchedTraces: found.length, order, tookMs: 3,
    };
  }

  /** Rows of powers of two; steps of equal length over the range, or over what is stored. */
  heatmap(url) {
    const p = url.searchParams;
    const test = compile(p.get("q") ?? "");
    const own = this.spans.filter(this.range(url)).filter(test);
    const starts = own.map((s) => s.start).sort((a, b) => (a < b ? -1 : 1));
    const from = time(p.get("from"), starts[0] ?? 0n);
    const to = time(p.get("to"), (starts.at(-1) ?? 0n) + 1n);
    const count = Math.max(1, Math.min(Number(p.get("steps") ?? 120), Number(to - from)));
    const step = (to - from + BigInt(count) - 1n) / BigInt(count);
    const least = Math.max(0, Math.floor(Math.log2(Math.max(1, Math.min(...own.map((s) => Number(s.duration)))))));
    const most = Math.floor(Math.log2(Math.max(1, ...own.map((s) => Number(s.duration))))) + 1;
    const row = (s) => Math.max(0, Math.floor(Math.log2(Math.max(1, Number(s.duration)))) - least);
    const column = (s) => Number((s.start - from) / step);
    const cells = [...groupBy(own, (s) => `${column(s)} ${row(s)}`)].map(([key, list]) => [...key.split(" ").map(Number), list.length, errorsOf(list)]);
    const columns = groupBy(own, column);
    const steps = Array.from({ length: Number((to - from + step - 1n) / step) }, (_, i) => {
      const list = columns.get(i) ?? [];
      const sorted = list.map((s) => Number(s.duration)).sort((a, b) => a - b);
      const quantiles = Object.fromEntries(sorted.length ? ["0.5", "0.95", "0.99"].map((q) => [q, quantile(sorted, Number(q))]) : []);
      return { timeUnixNano: String(from + step * BigInt(i)), count: String(list.length), errors: String(errorsOf(list)), quantiles };
    });
    const bounds = own.length ? Array.from({ length: most - least + 1 }, (_, i) => String(2 ** (least + i))) : [];
    return { from: String(from), to: String(to), stepNano: String(step), bounds, steps, cells, relativeError: 0.011, scanned: {}, tookMs: 1 };
  }

  facets(url) {
    const p = url.searchParams;
    const own = this.spans.filter(this.range(url)).filter(compile(p.get("q") ?? ""));
    const chosen = p.get("selection") ? compile(p.get("selection")) : null;
    const within = (s) => chosen(s) && s.start >= time(p.get("selectionFrom"), 0n) && s.start < time(p.get("selectionTo"), 1n << 64n);
    const all = () => [...new Set(own.flatMap((s) => [["span", s.span], ["resource", s.resource]].flatMap(([scope, x]) => (x.attributes ?? []).map((a) => `${scope}.${a.key}`))))];
    const keys = p.get("keys")?.split(",") ?? ["name", ...all()].slice(0, 12);
    const typed = (v) => (v === undefined ? "nil" : typeof v === "boolean" ? "bool" : typeof v === "number" ? "float" : "string");
    const facets = keys.map((key) => {
      const groups = groupBy(own, (s) => { const v = key === "service" ? s.service : read(s, key); return JSON.stringify([v ?? null, key === "status" || key === "kind" ? key : typed(v)]); });
      const values = [...groups].map(([text, list]) => {
        const [value, type] = JSON.parse(text);
        return { value: value === null ? null : String(value), type, count: String(list.length), ...(chosen ? { selected: String(list.filter(within).length) } : {}) };
      });
      values.sort((a, b) => Number(b.count) - Number(a.count));
      return { key, score: values.length > 1 ? 0.5 : 0, distinct: values.length, complete: true, values: values.slice(0, Number(p.get("limit") ?? 10)) };
    });
    return { facets, spans: String(own.length), ...(chosen ? { selected: String(own.filter(within).length) } : {}), scanned: {}, tookMs: 1 };
  }

  /** Of the edges between services. */
  graphCalls(url) {
    const p = url.searchParams;
    const inRange = this.range(url);
    const calls = [...this.traces.values()].flatMap((spans) => {
      const byId = new Map(spans.map((s) => [s.spanId, s]));
      return spans.filter((s) => inRange(s) && (s.kind === 2 || s.kind === 5) && byId.has(s.parentSpanId)).map((s) => ({ server: s, client: byId.get(s.parentSpanId) }));
    });
    const own = calls
      .filter(({ client, server }) => client.service === (p.get("client") ?? client.service) && server.service === (p.get("server") ?? server.service))
      .map(({ client, server }) => ({ traceId: client.traceId, spanId: client.spanId, timeUnixNano: String(client.start), durationNano: String(client.duration), error: client.status === 2 || server.status === 2 }));
    const by = (value) => [...own].sort((a, b) => Number(BigInt(b[value]) - BigInt(a[value]))).slice(0, 10);
    return { failed: by("durationNano").filter((c) => c.error), slowest: by("durationNano"), newest: by("timeUnixNano"), complete: true, incompleteReason: null, query: null, scanned: {} };
  }

  graph(url) {
    const inRange = this.range(url);
    const nodes = new Map();
    const edges = new Map();
    const node = (service, type = "service") => {
      if (!nodes.has(service)) nodes.set(service, { service, type, slot: this.services.get(service) ?? 0, calls: 0, errors: 0 });
      return nodes.get(service);
    };
    const edge = (client, server, connectionType, cd, sd, error, traceId) => {
      const key = `${client}\0${server}\0${connectionType}`;
      if (!edges.has(key)) edges.set(key, { client, server, connectionType, calls: 0, errors: 0, c: [], s: [], exemplarTraceId: traceId });
      const e = edges.get(key);
      e.calls++;
      e.errors += error;
      e.c.push(cd);
      if (sd !== null) e.s.push(sd);
      nodes.get(server).calls++;
      nodes.get(server).errors += error;
    };
    for (const spans of this.traces.values()) {
      const byId = new Map(spans.map((s) => [s.spanId, s]));
      const answered = new Set();
      for (const s of spans.filter(inRange)) {
        node(s.service);
        const parent = byId.get(s.parentSpanId);
        if ((s.kind === 2 || s.kind === 5) && parent && (parent.kind === 3 || parent.kind === 4)) {
          answered.add(parent);
          node(parent.service);
          edge(parent.service, s.service, s.kind === 5 ? "messaging_system" : "", parent.duration, s.duration, +(s.status === 2 || parent.status === 2), s.traceId);
        }
      }
      for (const s of spans.filter(inRange)) {
        const system = attribute(s.span.attributes, "db.system.name") ?? attribute(s.span.attributes, "db.system");
        if (s.kind !== 3 || answered.has(s) || !system) continue;
        node(String(system), "database");
        edge(s.service, String(system), "database", s.duration, null, +(s.status === 2), s.traceId);
      }
    }
    return {
      nodes: [...nodes.values()].map((n) => ({ ...n, calls: String(n.calls), errors: String(n.errors) })),
      edges: [...edges.values()].map(({ c, s, ...e }) => ({
        ...e, calls: String(e.calls), errors: String(e.errors), clientLatency: latency(c), serverLatency: s.length ? latency(s) : null,
      })),
      from: null, to: null, service: null, hops: null, relativeError: 0.011,
    };
  }

  latency(url) {
    const p = url.searchParams;
    const wanted = (s) => ["service", "operation"].every((k) => !p.get(k) || (k === "service" ? s.service : s.name) === p.get(k)) && (!p.get("kind") || KINDS[s.kind] === p.get("kind"));
    const own = this.spans.filter(this.range(url)).filter(wanted);
    const qs = (p.get("q") ?? "0.5,0.9,0.95,0.99").split(",");
    const whole = p.get("by") === "service";
    const rows = [...groupBy(own, (s) => JSON.stringify([s.service, whole ? "" : s.name, KINDS[s.kind]]))].sort();
    const named = (key) => { const [service, operation, kind] = JSON.parse(key); return { service, operation, kind }; };
    const counted = (list) => {
      const sorted = list.map((s) => Number(s.duration)).sort((a, b) => a - b);
      const more = p.get("step") ? {} : { durationNano: String(sorted.reduce((a, b) => a + b, 0)), buckets: [...groupBy(sorted, String)].map(([d, own]) => [d, d, String(own.length)]) };
      return { calls: String(list.length), errors: String(list.filter((s) => s.status === 2).length), at: (q) => (list.length ? quantile(sorted, q) : null), ...more };
    };
    if (!p.get("step")) {
      const series = rows.map(([key, list]) => { const { at, ...c } = counted(list); return { ...named(key), ...c, quantiles: Object.fromEntries(qs.map((q) => [q, at(q)])) }; });
      return { series, rowCount: series.length, from: null, to: null, relativeError: 0.011 };
    }
    const step = BigInt(Number.parseInt(p.get("step"), 10)) * 60000000000n;
    const minute = 60000000000n;
    const [from, to] = [(time(p.get("from")) / minute) * minute, ((time(p.get("to")) + minute - 1n) / minute) * minute];
    const steps = [];
    for (let t = (from / step) * step; t < to; t += step) steps.push(t);
    const series = rows.map(([key, list]) => {
      const parts = steps.map((t) => counted(list.filter((s) => s.start >= t && s.start < t + step)));
      return { ...named(key), calls: parts.map((c) => c.calls), errors: parts.map((c) => c.errors), quantiles: Object.fromEntries(qs.map((q) => [q, parts.map((c) => c.at(q))])) };
    });
    return { series, steps: steps.map(String), stepNano: String(step), from: String(from), to: String(to), relativeError: 0.011 };
  }

  trace(id, url) {
    const spans = this.traces.get(id.toLowerCase().padStart(32, "0"));
    if (!spans) throw new Problem(404, "No such trace", { detail: `no span of trace ${id} is stored` });
    const { rows, ...columns } = columnsOf(spans, this.services);
    const listed = (text) => text.split(",").flatMap((part) => {
      const [a, b] = part.split("-").map(Number);
      return Array.from({ length: (b ?? a) - a + 1 }, (_, i) => a + i);
    });
    const p = url.searchParams;
    if (url.pathname.endsWith("/percentiles")) {
      const peers = groupBy(this.spans.filter(this.range(url)), (s) => JSON.stringify([s.service, s.name, s.kind]));
      const numbers = p.get("rows") ? listed(p.get("rows")) : rows.map((_, row) => row);
      return {
        rows: numbers.map((row) => {
          const { s } = rows[row];
          const all = peers.get(JSON.stringify([s.service, s.name, s.kind])) ?? [];
          const share = (test) => (all.length ? all.filter(test).length / all.length : 0);
          return { row, spanId: s.spanId, calls: String(all.length), shorter: share((o) => o.duration < s.duration), notLonger: share((o) => o.duration <= s.duration) };
        }),
        from: null, to: null, relativeError: 0.011,
      };
    }
    if (url.pathname.endsWith("/match")) {
      const test = compile(p.get("q") ?? "");
      const bits = Buffer.alloc(Math.ceil(rows.length / 8));
      let count = 0;
      rows.forEach(({ s }, row) => {
        if (!test(s)) return;
        bits[row >> 3] |= 1 << (row & 7);
        count++;
      });
      return { spanCount: rows.length, matchCount: count, bitmap: bits.toString("base64") };
    }
    if (url.pathname.endsWith("/attributes")) {
      const of = (s, scope) => (scope === "resource" ? s.resource.attributes : scope === "span" ? s.span.attributes : s.scope.attributes) ?? [];
      if (p.get("key")) {
        const texts = rows.map(({ s }) => attribute(of(s, p.get("scope") ?? "span"), p.get("key")));
        const values = [...new Set(texts.filter((t) => t !== undefined).map(String))].sort();
        return { spanCount: rows.length, values, column: texts.map((t) => (t === undefined ? -1 : values.indexOf(String(t)))) };
      }
      const counts = groupBy(rows.flatMap(({ s }) => ["span", "resource", "instrumentation"].flatMap((scope) => of(s, scope).map((a) => `${scope} ${a.key}`))), (k) => k);
      return { attributes: [...counts].map(([k, list]) => ({ scope: k.split(" ")[0], key: k.slice(k.indexOf(" ") + 1), spanCount: list.length })), complete: true };
    }
    if (p.get("view") === "summary") {
      const { services, operations, columns: c, spanIds, missingParents, criticalPath, events, peers, clockSkew, criticalPathNote, ...head } = columns;
      return { ...head, firstServiceName: rows[0].s.service, firstSpanName: rows[0].s.name };
    }
    if (url.pathname.endsWith("/spans")) {
      const wanted = listed(p.get("rows"));
      return {
        spans: wanted.map((row) => {
          const { span, resource, resourceSchemaUrl, scope, scopeSchemaUrl } = rows[row].s;
          return { row, span, resource, resourceSchemaUrl, scope, scopeSchemaUrl };
        }),
      };
    }
    if (url.searchParams.get("view") === "columns") return columns;
    return {
      resourceSpans: spans.map((s) => ({
        resource: s.resource, schemaUrl: s.resourceSchemaUrl,
        scopeSpans: [{ scope: s.scope, schemaUrl: s.scopeSchemaUrl, spans: [s.span] }],
      })),
    };
  }

  systemHistory(url) {
    for (const name of url.searchParams.keys()) if (name !== "since") throw new Problem(400, "a parameter is not valid", { parameter: name });
    return systemHistory(time(url.searchParams.get("since") || null, 0n, "since"));
  }

  answer(url, address) {
    const m = /^\/v1\/traces\/([0-9A-Fa-f]{16,32})(\/spans|\/percentiles|\/match|\/attributes)?$/.exec(url.pathname);
    if (m) return this.trace(m[1], url);
    switch (url.pathname) {
      case "/v1/status": return this.status(address);
      case "/v1/services": return this.serviceList(url);
      case "/v1/pins": return { pins: [], pinsMax: "100", segments: "0", segmentBytes: "0" };
      case "/v1/attributes": return this.attributes(url);
      case "/v1/search": return this.search(url);
      case "/v1/heatmap": return this.heatmap(url);
      case "/v1/facets": return this.facets(url);
      case "/v1/graph": return this.graph(url);
      case "/v1/graph/calls": return this.graphCalls(url);
      case "/v1/system": return SYSTEM;
      case "/v1/system/history": return this.systemHistory(url);
      case "/v1/latency": return this.latency(url);
      case "/v1/metrics/query_range": return { series: [], from: url.searchParams.get("from"), to: url.searchParams.get("to"), stepNano: "60000000000" };
    }
    throw new Problem(404, "Not found", { detail: url.pathname });
  }

  /** Starts on a free port of the loopback; resolves to { url, stop }. */
  listen(dist, port = 0) {
    const server = createServer((request, response) => this.handle(request, response, dist, server));
    return new Promise((resolve) => {
      server.listen(port, "127.0.0.1", () => {
        const url = `http://127.0.0.1:${server.address().port}`;
        resolve({ url, stop: () => { server.closeAllConnections?.(); return new Promise((done) => server.close(done)); } });
      });
    });
  }

  handle(request, response, dist, server) {
    const url = new URL(request.url, "http://mock");
    const json = (status, body, type = "application/json") => {
      response.writeHead(status, { "content-type": type }).end(JSON.stringify(body));
    };
    // As a process that only reads.
    if (request.method === "POST" && url.pathname === "/v1/links") return void json(403, { title: "permission denied", status: 403 }, "application/problem+json");
    if (request.method === "POST") {
      const chunks = [];
      request.on("data", (c) => chunks.push(c));
      request.on("end", () => { this.add(JSON.parse(Buffer.concat(chunks))); json(200, {}); });
      return;
    }
    if (url.pathname.startsWith("/v1/")) {
      this.log.push(url.pathname + url.search);
      try {
        if (request.headers.accept === "application/x-ndjson") {
          // A test may speak for itself, as slowly as it likes.
          if (this.speak && url.pathname === "/v1/search") return void this.speak(response, url);
          if (this.speakLive && url.pathname === "/v1/live") return void this.speakLive(response, url);
          if (this.speakGraph && url.pathname === "/v1/graph") return void this.speakGraph(response, url);
          const { traces = [], ...done } = this.answer(url);
          response.writeHead(200, { "content-type": "application/x-ndjson" });
          if (url.pathname === "/v1/graph") return void response.end(`${JSON.stringify({ graph: done })}\n`);
          for (const trace of traces) response.write(`${JSON.stringify({ trace })}\n`);
          return void response.end(`${JSON.stringify({ done })}\n`);
        }
        if (this.speakColumns && url.searchParams.get("view") === "columns") return void this.speakColumns(response, url);
        json(200, this.answer(url, `127.0.0.1:${server.address().port}`));
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        json(problem.body.status, problem.body, "application/problem+json");
      }
      return;
    }
    const path = normalize(url.pathname).replace(/\/$/, "/index.html");
    const file = join(dist, path);
    if (!existsSync(file)) return void response.writeHead(404).end();
    const types = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
    response.writeHead(200, { "content-type": types[file.split(".").pop()], "content-security-policy": CSP, "x-content-type-options": "nosniff" });
    response.end(readFileSync(file));
  }
}

/** A mock that has these requests, for as long as somebody looks. */
export async function withMock(requests, look) {
  const mock = new Mock();
  for (const r of requests) mock.add(r);
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await look(url, mock);
  } finally {
    await stop();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , dist, port = "16690", archive] = process.argv;
  const mock = new Mock();
  if (archive) for (const r of recordedRequests(archive)) mock.add(JSON.parse(r.body));
  const { url } = await mock.listen(dist, Number(port));
  console.log(`${url}  ${mock.spans.length} spans, ${mock.traces.size} traces`);
}
