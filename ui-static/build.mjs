// SPDX-License-Identifier: Apache-2.0
// Builds the web UI: TypeScript to hashed, minified, precompressed files, and the C table that embeds them.
//
//   node build.mjs --modules FOLDER/node_modules --dist FOLDER [--c FILE.c --depfile FILE.d] [--report]
//
// The same sources give the same bytes: no dates, no absolute names of this machine in any output file.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";

const { values: options } = parseArgs({
  options: {
    modules: { type: "string" },
    dist: { type: "string" },
    c: { type: "string" },
    depfile: { type: "string" },
    report: { type: "boolean", default: false },
  },
});
const source = dirname(fileURLToPath(import.meta.url));
const modules = resolve(options.modules);
const dist = resolve(options.dist);
const esbuild = createRequire(join(modules, "x.js"))("esbuild");

/** Budgets of gzip bytes: a build that breaks one fails, so that growth is a decision and not an accident. */
const budgets = { explore: 45 * 1024, css: 12 * 1024, html: 2 * 1024, page: 76 * 1024, pages: 152 * 1024, workers: 24 * 1024 };

const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");
const gzip = (bytes) => gzipSync(bytes, { level: 9 });
const inputs = new Set();

/** Bundles one entry, with the pages that it imports on demand as files of their own. Returns the paths of the entry, of
 * what it needs at once, and of each page. */
async function bundle(entry, define = {}) {
  const result = await esbuild.build({
    absWorkingDir: source,
    entryPoints: [entry],
    bundle: true,
    splitting: true,
    minify: true,
    metafile: true,
    format: "esm",
    target: ["es2022", "chrome110", "firefox115", "safari16"],
    jsx: "automatic",
    jsxImportSource: "preact",
    nodePaths: [modules],
    legalComments: "none",
    charset: "utf8",
    define,
    outdir: dist,
    entryNames: "assets/[name]-[hash]",
    chunkNames: "assets/[name]-[hash]",
    logLevel: "warning",
  });
  for (const input of Object.keys(result.metafile.inputs)) {
    const path = resolve(source, input);
    if (!path.startsWith(modules)) inputs.add(path);
  }
  const outputs = Object.entries(result.metafile.outputs).map(([path, o]) => ({ ...o, path: relative(dist, resolve(source, path)) }));
  const of = (name) => outputs.find((o) => o.entryPoint === name);
  const needs = (name) =>
    of(name)
      .imports.filter((i) => i.kind === "import-statement")
      .map((i) => relative(dist, resolve(source, i.path)));
  return { path: of(entry).path, needs, page: (name) => of(name).path };
}

function asset(name, bytes) {
  const dot = name.lastIndexOf(".");
  const path = `assets/${name.slice(0, dot)}-${hash(bytes).slice(0, 10)}${name.slice(dot)}`;
  writeFileSync(join(dist, path), bytes);
  return path;
}

function assetFrom(file, name) {
  inputs.add(join(source, file));
  return asset(name, readFileSync(join(source, file)));
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(join(dist, "assets"), { recursive: true });
inputs.add(fileURLToPath(import.meta.url));

const worker = (await bundle("src/worker/layout.ts")).path;
const fileWorker = (await bundle("src/worker/file.ts")).path;
const main = await bundle("src/main.tsx", {
  LAYOUT_WORKER: JSON.stringify(worker.slice("assets/".length)),
  FILE_WORKER: JSON.stringify(fileWorker.slice("assets/".length)),
});
const style = (await bundle("src/main.css")).path;
const icon = assetFrom("src/icon.svg", "icon.svg");

inputs.add(join(source, "src/index.html"));
const shell = readFileSync(join(source, "src/index.html"), "utf8");
const pages = [
  { folder: "", title: "Explore" },
  { folder: "trace/", title: "Trace", module: "src/pages/trace.tsx" },
  { folder: "compare/", title: "Compare", module: "src/pages/compare.tsx" },
  { folder: "map/", title: "Map", module: "src/pages/map.tsx" },
  { folder: "status/", title: "Status", module: "src/pages/status.tsx" },
  { folder: "service/", title: "Services", module: "src/pages/service.tsx" },
];
const entry = [main.path, ...main.needs("src/main.tsx")];
const firstLoads = [];
for (const { folder, title, module } of pages) {
  const up = folder ? "../" : "";
  // What a page needs is asked for at once, not when the script that imports it has been read.
  const wanted = new Set([...entry.slice(1), ...(module ? [main.page(module), ...main.needs(module)] : [])]);
  firstLoads.push({ title, paths: [main.path, ...wanted] });
  const preload = [...wanted].map((path) => `<link rel="modulepreload" href="${up}${path}">`).join("\n");
  const html = shell
    .replaceAll("{title}", title)
    .replaceAll("{script}", up + main.path)
    .replaceAll("{style}", up + style)
    .replaceAll("{icon}", up + icon)
    .replaceAll("{preload}", preload);
  mkdirSync(join(dist, folder), { recursive: true });
  writeFileSync(join(dist, folder, "index.html"), html);
}

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

function listFiles(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? listFiles(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}

const files = listFiles(dist)
  .map((file) => {
    const bytes = readFileSync(file);
    const zipped = gzip(bytes);
    const smaller = zipped.length < bytes.length;
    const name = relative(dist, file);
    if (smaller) writeFileSync(`${file}.gz`, zipped);
    return {
      file,
      path: `/${name.replace(/index\.html$/, "")}`,
      type: types[name.slice(name.lastIndexOf("."))],
      etag: hash(bytes).slice(0, 16),
      bytes: bytes.length,
      gzip: smaller ? zipped.length : 0,
      immutable: name.startsWith("assets/"),
    };
  })
  .sort((a, b) => (a.path < b.path ? -1 : 1));

const over = [];
const check = (what, sent, most) => sent > most && over.push(`${what}: ${sent} bytes, budget ${most}`);
const sentOf = (list) => list.reduce((sum, f) => sum + (f.gzip || f.bytes), 0);
const ending = (end) => files.filter((f) => f.path.endsWith(end));
check("JavaScript of Explore", sentOf(files.filter((f) => entry.includes(f.path.slice(1)))), budgets.explore);
for (const { title, paths } of firstLoads) {
  const sent = sentOf(files.filter((f) => paths.includes(f.path.slice(1))));
  check(`JavaScript that ${title} loads at once`, sent, budgets.page);
  if (options.report) console.log(`${title} loads ${sent} bytes gz of JavaScript at once`);
}
// Workers run beside the pages, and only for who draws a graph or opens a file: they have a budget of their own.
const workers = [worker, fileWorker].map((path) => `/${path}`);
check("JavaScript of all pages", sentOf(ending(".js").filter((f) => !workers.includes(f.path))), budgets.pages);
check("workers", sentOf(ending(".js").filter((f) => workers.includes(f.path))), budgets.workers);
check("CSS", sentOf(ending(".css")), budgets.css);
for (const f of ending("/")) check(f.path, sentOf([f]), budgets.html);
if (options.report) {
  for (const f of files) console.log(`${String(f.bytes).padStart(8)} ${String(f.gzip || f.bytes).padStart(7)} gz  ${f.path}`);
  console.log(`Explore: ${sentOf(files.filter((f) => entry.includes(f.path.slice(1))))} bytes gz of JavaScript; all: ${sentOf(ending(".js"))}`);
}
if (over.length) {
  console.error(`spoor-ui: over budget\n  ${over.join("\n  ")}`);
  process.exit(1);
}

/** One C file: the bytes come in through .incbin, so the compiler never parses them. The ETags in it change with the
 * content, so the object is made anew whenever a file does. */
function tableOfFiles() {
  const blobs = [];
  const rows = [];
  const quote = (text) => JSON.stringify(text);
  const blob = (symbol, file) => blobs.push(`BLOB(${symbol}, ${quote(file)})`);
  files.forEach((f, i) => {
    blob(`sp_ui_blob_${i}`, f.file);
    if (f.gzip) blob(`sp_ui_blob_${i}_gz`, `${f.file}.gz`);
    rows.push(
      `    {${quote(f.path)}, ${quote(f.type)}, ${quote(`"${f.etag}"`)},\n` +
        `     sp_ui_blob_${i}, ${f.bytes}, ${f.gzip ? `sp_ui_blob_${i}_gz` : "NULL"}, ${f.gzip}, ${f.immutable}},`,
    );
  });
  return `/* SPDX-License-Identifier: Apache-2.0
 * Made by ui-static/build.mjs: the files of the web UI. */
#include "ui-static/ui.h"

#define BLOB(symbol, file)                                                                         \\
    __asm__(".section .rodata\\n"                                                                   \\
            ".balign 16\\n"                                                                         \\
            #symbol ":\\n"                                                                          \\
            ".incbin \\"" file "\\"\\n"                                                               \\
            ".byte 0\\n"                                                                            \\
            ".previous\\n");                                                                        \\
    extern __attribute__((visibility("hidden"))) const uint8_t symbol[];

${blobs.join("\n")}

const struct sp_ui_file sp_ui_files[] = {
${rows.join("\n")}
};
const size_t sp_ui_file_count = sizeof sp_ui_files / sizeof sp_ui_files[0];
`;
}

if (options.c) writeFileSync(options.c, tableOfFiles());
if (options.depfile) {
  const escape = (path) => path.replaceAll(" ", "\\ ");
  writeFileSync(options.depfile, `${escape(options.c)}: ${[...inputs].sort().map(escape).join(" \\\n  ")}\n`);
}
