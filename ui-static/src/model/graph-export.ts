// SPDX-License-Identifier: Apache-2.0
// The graph as a file. Each says what was asked, of which time, when it was made and by what, and which limits held; rows come in one order, so that two
// files can be compared line by line. Names come from outside: every format escapes them by its own rules. No DOM.
import { type Edge, edgeLine, idOf, type Node } from "./graph";

export interface About {
  /** The page and the API call that it was made from. */
  page: string;
  query: string;
  from: string;
  to: string;
  generatedAt: string;
  version: string;
  /** What limited what is in it: name and value. */
  thresholds: Record<string, string>;
}

export interface Exported {
  nodes: Node[];
  edges: Edge[];
  seconds: number;
  about: About;
  groups: Map<string, string>;
}

export const FORMATS = [
  ["json", "JSON", "application/json"],
  ["dot", "Graphviz DOT", "text/vnd.graphviz"],
  ["graphml", "GraphML", "application/graphml+xml"],
  ["mermaid", "Mermaid", "text/vnd.mermaid"],
  ["nodes.csv", "CSV of services", "text/csv"],
  ["edges.csv", "CSV of edges", "text/csv"],
] as const;
export type Format = (typeof FORMATS)[number][0];

const QUANTILES = ["p50", "p90", "p95", "p99"] as const;

/** "from: 2026-..." one a line. */
export const aboutLines = (a: About): string[] => [
  "Spoor service graph",
  ...Object.entries({ page: a.page, query: a.query, from: a.from || "(open)", to: a.to || "(open)", generatedAt: a.generatedAt, version: a.version, ...a.thresholds }).map(([k, v]) => `${k}: ${v}`),
];

const sorted = (e: Exported): Exported => ({
  ...e,
  nodes: [...e.nodes].sort((a, b) => (a.service < b.service ? -1 : 1)),
  edges: [...e.edges].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1)),
});

export function writeGraph(format: Format, graph: Exported): string {
  const g = sorted(graph);
  switch (format) {
    case "json": return writeJson(g);
    case "dot": return writeDot(g);
    case "graphml": return writeGraphml(g);
    case "mermaid": return writeMermaid(g);
    case "nodes.csv": return writeCsv(g.about, ["service", "type", "group", "calls", "errors", "p95_ns"], g.nodes.map((n) => [n.service, n.type, g.groups.get(n.service) ?? "", n.calls, n.errors, n.p95 ?? ""]));
    case "edges.csv": return writeCsv(g.about, ["client", "server", "connection_type", "calls", "errors", ...QUANTILES.map((q) => `client_${q}_ns`), ...QUANTILES.map((q) => `server_${q}_ns`), "exemplar_trace_id", "change", "calls_before", "errors_before"],
      g.edges.map((e) => [e.client, e.server, e.connectionType, e.calls, e.errors, ...QUANTILES.map((q) => e.clientLatency?.[q] ?? ""), ...QUANTILES.map((q) => e.serverLatency?.[q] ?? ""), e.exemplarTraceId ?? "", e.change ?? "", e.before?.callCount ?? "", e.before?.errorCount ?? ""]));
  }
}

function writeJson({ nodes, edges, about, groups }: Exported): string {
  const body = {
    about,
    nodes: nodes.map((n) => ({ service: n.service, type: n.type, ...(groups.has(n.service) ? { group: groups.get(n.service) } : {}), calls: n.calls, errors: n.errors, p95Nano: n.p95 === null ? null : String(n.p95) })),
    edges: edges.map(({ client, server, connectionType, calls, errors, clientLatency, serverLatency, exemplarTraceId, change, before }) => ({
      client, server, connectionType, calls, errors, clientLatency, serverLatency, exemplarTraceId,
      ...(change ? { change, before: before ? { calls: String(before.callCount), errors: String(before.errorCount), latency: before.latency } : null } : {}),
    })),
  };
  return `${JSON.stringify(body, null, 1)}\n`;
}

/** No control characters and no new line: what follows a comment must not leave it. */
const oneLine = (text: string) => text.replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]/g, " ");

function writeDot({ nodes, edges, seconds, about, groups }: Exported): string {
  const quote = (text: string) => `"${oneLine(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const id = new Map(nodes.map((n, i) => [n.service, `n${i}`]));
  const node = (n: Node) => `${id.get(n.service)} [label=${quote(n.service)}, shape=${n.type === "service" ? "box, style=rounded" : n.type === "database" ? "cylinder" : "box, style=dashed"}];`;
  const named = [...new Set(nodes.map((n) => groups.get(n.service) ?? ""))].sort();
  const lines = named.flatMap((group, i) => {
    const own = nodes.filter((n) => (groups.get(n.service) ?? "") === group).map(node);
    return group === "" ? own.map((l) => `  ${l}`) : [`  subgraph cluster_${i} {`, `    label=${quote(group)};`, ...own.map((l) => `    ${l}`), "  }"];
  });
  const calls = edges.filter((e) => id.has(e.client) && id.has(e.server)).map((e) => `  ${id.get(e.client)} -> ${id.get(e.server)} [label=${quote(edgeLine(e, seconds))}, weight=${1 + Math.round(Math.log1p(e.callCount))}];`);
  return `${aboutLines(about).map((l) => `// ${oneLine(l)}`).join("\n")}\ndigraph spoor {\n  rankdir=LR;\n${[...lines, ...calls].join("\n")}\n}\n`;
}

function writeMermaid({ nodes, edges, seconds, about }: Exported): string {
  // Mermaid reads entities in quoted labels, and would take what looks like markup for it.
  const quote = (text: string) => `"${oneLine(text).replace(/[&"<>#;`\\]/g, (c) => `#${c.codePointAt(0)};`)}"`;
  const id = new Map(nodes.map((n, i) => [n.service, `n${i}`]));
  const node = (n: Node) => `  ${id.get(n.service)}${n.type === "database" ? `[(${quote(n.service)})]` : n.type === "service" ? `(${quote(n.service)})` : `[${quote(n.service)}]`}`;
  const calls = edges.filter((e) => id.has(e.client) && id.has(e.server)).map((e) => `  ${id.get(e.client)} -->|${quote(edgeLine(e, seconds))}| ${id.get(e.server)}`);
  return `${aboutLines(about).map((l) => `%% ${oneLine(l).replace(/[{}]/g, " ")}`).join("\n")}\nflowchart LR\n${[...nodes.map(node), ...calls].join("\n")}\n`;
}

function writeGraphml({ nodes, edges, about, groups }: Exported): string {
  // What XML 1.0 cannot hold at all, even as a reference, becomes the replacement character.
  const escape = (text: string) =>
    text
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd")
      .replace(/[&<>"'\t\n\r]/g, (c) => `&#${c.codePointAt(0)};`);
  const keys: [string, "node" | "edge" | "graph", string][] = [];
  const data = (of: "node" | "edge" | "graph", name: string, value: string, type = "string") => {
    const key = `${of}_${name}`;
    if (!keys.some(([k]) => k === key)) keys.push([key, of, type]);
    return `<data key="${escape(key)}">${escape(value)}</data>`;
  };
  const id = new Map(nodes.map((n, i) => [n.service, `n${i}`]));
  const head = Object.entries({ page: about.page, query: about.query, from: about.from, to: about.to, generatedAt: about.generatedAt, version: about.version, ...about.thresholds }).map(([k, v]) => `  ${data("graph", k, v)}`);
  const nodeText = nodes.map((n) => `  <node id="${id.get(n.service)}">${data("node", "service", n.service)}${data("node", "type", n.type)}${groups.has(n.service) ? data("node", "group", groups.get(n.service) ?? "") : ""}${data("node", "calls", n.calls, "long")}${data("node", "errors", n.errors, "long")}</node>`);
  const quantiles = (e: Edge) => QUANTILES.map((q) => (e.clientLatency ? data("edge", `client_${q}_ns`, e.clientLatency[q], "long") : "") + (e.serverLatency ? data("edge", `server_${q}_ns`, e.serverLatency[q], "long") : "")).join("");
  const edgeText = edges
    .filter((e) => id.has(e.client) && id.has(e.server))
    .map((e) => `  <edge source="${id.get(e.client)}" target="${id.get(e.server)}">${data("edge", "connection_type", e.connectionType)}${data("edge", "calls", e.calls, "long")}${data("edge", "errors", e.errors, "long")}${quantiles(e)}${e.change ? data("edge", "change", e.change) : ""}</edge>`);
  const keyText = keys.map(([key, of, type]) => `<key id="${escape(key)}" for="${of}" attr.name="${escape(key.slice(of.length + 1))}" attr.type="${type}"/>`);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n${keyText.join("\n")}\n<graph id="spoor" edgedefault="directed">\n${[...head, ...nodeText, ...edgeText].join("\n")}\n</graph>\n</graphml>\n`;
}

function writeCsv(about: About, columns: string[], rows: (string | number)[][]): string {
  // A value that begins like a formula would be one in a spreadsheet.
  const cell = (value: string | number) => {
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${[...aboutLines(about).map((l) => `# ${oneLine(l)}`), columns.join(","), ...rows.map((r) => r.map(cell).join(","))].join("\r\n")}\r\n`;
}

// ---- PNG ----

let table: Uint32Array | undefined;
function crcOf(bytes: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c;
  });
  let crc = 0xffffffff;
  for (const b of bytes) crc = table[(crc ^ b) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Signature and the header chunk: what is said stands behind them. */
const PNG_HEAD = 33;

/** A PNG that says in an iTXt chunk what it shows (PNG specification, 11.3.3.4). */
export function pngWithText(png: Uint8Array, keyword: string, text: string): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const body = new Uint8Array([...encoder.encode("iTXt"), ...encoder.encode(keyword), 0, 0, 0, 0, 0, ...encoder.encode(text)]);
  const out = new Uint8Array(png.length + body.length + 8);
  const view = new DataView(out.buffer);
  out.set(png.subarray(0, PNG_HEAD));
  view.setUint32(PNG_HEAD, body.length - 4);
  out.set(body, PNG_HEAD + 4);
  view.setUint32(PNG_HEAD + 4 + body.length, crcOf(body));
  out.set(png.subarray(PNG_HEAD), PNG_HEAD + 8 + body.length);
  return out;
}
