// SPDX-License-Identifier: Apache-2.0
// Builds the web UI: TypeScript to hashed, minified, precompressed files, and the C table that embeds them.
//
//   node build.mjs --modules FOLDER/node_modules --dist FOLDER [--c FILE.c --depfile FILE.d] [--report]
//
// The same sources give the same bytes: no dates, no absolute names of this machine in any output file.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { packer, shrink } from "./shrink.mjs";

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
const budgets = { explore: 45 * 1024, css: 12 * 1024, later: 5 * 1024, own: 3 * 1024, html: 2 * 1024, theme: 300, page: 63 * 1024, files: 7, pages: 185 * 1024, workers: 27 * 1024 };

const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");
const { pack, tidy } = packer(modules, `${dist}-packed`);
const inputs = new Set();

const settings = (entry, define) => ({
  absWorkingDir: source,
  entryPoints: [entry],
  bundle: true,
  splitting: true,
  // Names of variables are given by shrink.mjs.
  minifySyntax: true,
  minifyWhitespace: true,
  metafile: true,
  write: false,
  format: "esm",
  target: ["es2022", "chrome110", "firefox115", "safari16"],
  // Children as arguments, without their name at each element. The type checker knows the other way; the elements are the same.
  tsconfigRaw: { compilerOptions: { target: "es2022", useDefineForClassFields: true, jsx: "react", jsxFactory: "$h", jsxFragmentFactory: "$Fragment" } },
  nodePaths: [modules],
  legalComments: "none",
  charset: "utf8",
  define,
  outdir: dist,
  entryNames: "[name]",
  chunkNames: "[name]-[hash]",
  logLevel: "warning",
});

/** Packages whose code is sent: the page says their versions and licences. */
const embedded = ["preact", "@preact/signals", "@preact/signals-core", "@dagrejs/dagre", "@dagrejs/graphlib"];

/** What is sent from the folder of assets: bytes by name. */
const assets = new Map();

/** Bundles one entry, with what it imports on demand as files of their own. Returns the names of what an entry needs at once, itself first. */
async function bundle(entry, define = {}, plugins = []) {
  const { metafile, outputFiles } = await esbuild.build({ ...settings(entry, define), plugins });
  for (const input of Object.keys(metafile.inputs)) {
    const path = resolve(source, input);
    const found = path.startsWith(modules) && /^(@[^/]+\/)?[^/]+/.exec(relative(modules, path))?.[0];
    if (found && !embedded.includes(found)) throw new Error(`${found} is sent with the page, and not among the libraries that it names`);
    if (!path.startsWith(modules) && !input.startsWith("together:")) inputs.add(path);
  }
  // Names without a hash: the folder has it.
  const names = new Map();
  for (const [path, { entryPoint, inputs: parts }] of Object.entries(metafile.outputs).sort()) {
    const group = Object.keys(parts).find((name) => name.startsWith("together:"));
    const own = entryPoint ? basename(entryPoint).replace(/\.tsx?$/, ".js") : group ? `shared-${group.slice("together:".length)}.js` : `part-${names.size}.js`;
    names.set(path, own);
  }
  const outputs = new Map(Object.entries(metafile.outputs).map(([path, o]) => [names.get(path), o]));
  const texts = outputFiles.map(({ path, text }) => {
    // The calls that held modules together have done what they are for.
    let renamed = text.replace(/\btogether\d+\(\)/g, "0").replace(/\b(together\d+)=\(\)=>\[[^\]]*\]/g, "$1=0");
    for (const [old, name] of names) renamed = renamed.replaceAll(basename(old), name);
    const name = names.get(relative(source, path));
    return { name, text: renamed, fixed: Boolean(outputs.get(name).entryPoint) };
  });
  const small = entry.endsWith(".css") ? new Map(texts.map(({ name, text }) => [name, text])) : await shrink(modules, texts);
  for (const [name, text] of small) {
    if (assets.has(name)) throw new Error(`two files are called ${name}`);
    assets.set(name, text);
  }
  const nameOf = (module) => [...outputs].find(([, o]) => o.entryPoint === module)[0];
  const needs = (module) => [nameOf(module), ...outputs.get(nameOf(module)).imports.filter((i) => i.kind === "import-statement").map((i) => names.get(i.path))];
  return { name: nameOf(entry), needs };
}

/** What pages share would become a file for each set of pages that shares it: some twenty, each compressed alone and asked for alone. This finds, for groups of
 * entries, the modules that are to be in one file, and returns plugins that make each entry of a group use all of these, so that they belong together.
 *
 * groups  { entries, shared }: entries may use more than their own; shared: entries whose modules the file is to have, if another one uses them, too. */
async function together(entry, define, groups) {
  const { metafile } = await esbuild.build({ ...settings(entry, define), plugins: [elements(new Map())] });
  const outputs = metafile.outputs;
  const fileOf = (name) => Object.keys(outputs).find((path) => outputs[path].entryPoint === name);
  const taken = new Set();
  const additions = new Map();
  for (const [number, { entries, shared }] of groups.entries()) {
    const files = new Set(shared.map(fileOf));
    for (const path of files) for (const i of outputs[path].imports) if (i.kind === "import-statement") files.add(i.path);
    const found = new Set();
    for (const path of files) {
      // The file of an entry has what nobody else uses.
      if (outputs[path].entryPoint) continue;
      for (const [name, { bytesInOutput }] of Object.entries(outputs[path].inputs)) if (bytesInOutput > 0 && !taken.has(name)) found.add(name);
    }
    for (const name of found) taken.add(name);
    const imports = [...exportsUsed(metafile, found)];
    const lists = imports.map(([name, names], i) => `import { ${names.map((n, k) => `${n} as _${i}_${k}`).join(", ")} } from ${JSON.stringify(resolve(source, name))};`);
    const all = imports.flatMap(([, names], i) => names.map((_, k) => `_${i}_${k}`));
    const main = entries.includes(entry) ? `import ${JSON.stringify(`./${entry}`)};` : "";
    const text = `${main}${lists.join("\n")}\nexport const together${number} = () => [${all.join(", ")}];`;
    for (const name of entries) additions.set(resolve(source, name), [...(additions.get(resolve(source, name)) ?? []), { number, text }]);
  }
  const own = new Map([...additions].map(([path, list]) => [path, list.map(({ number }) => `import { together${number} } from "together:${number}"; together${number}();`).join("\n")]));
  const texts = new Map([...additions.values()].flat().map(({ number, text }) => [String(number), text]));
  return [
    elements(own),
    {
      name: "together",
      setup(build) {
        build.onResolve({ filter: /^together:/ }, ({ path }) => ({ path: path.slice("together:".length), namespace: "together" }));
        build.onLoad({ filter: /.*/, namespace: "together" }, ({ path }) => ({ contents: texts.get(path), resolveDir: source }));
      },
    },
  ];
}

/** Where elements come from, in each file that has some; and what is appended to a file, by its path. */
const elements = (own) => ({
  name: "elements",
  setup(build) {
    build.onLoad({ filter: /\.tsx$/ }, ({ path }) => ({
      contents: `import { h as $h, Fragment as $Fragment } from "preact";${readFileSync(path, "utf8")}\n${own.get(path) ?? ""}`,
      loader: "tsx",
    }));
  },
});

/** The names that any module imports from those given: [module, names], sorted. */
function* exportsUsed(metafile, wanted) {
  const used = new Map([...wanted].map((name) => [name, new Set()]));
  for (const [file, { imports }] of Object.entries(metafile.inputs)) {
    const path = resolve(source, file);
    if (path.startsWith(modules)) continue;
    const text = path.endsWith(".tsx") ? `import { h, Fragment } from "preact"\n${readFileSync(path, "utf8")}` : readFileSync(path, "utf8");
    for (const [, list, original] of text.matchAll(/^(?:import|export)\s+\{([^}]*)\}\s+from\s+"([^"]+)"/gm)) {
      const target = imports.find((i) => i.original === original)?.path;
      const names = list.split(",").map((n) => n.trim().split(" as ")[0]);
      if (used.has(target)) for (const n of names) if (n !== "" && !n.startsWith("type ")) used.get(target).add(n);
    }
  }
  for (const [name, names] of [...used].sort(([a], [b]) => (a < b ? -1 : 1))) if (names.size > 0) yield [name, [...names].sort()];
}

const read = (file) => {
  inputs.add(join(source, file));
  return readFileSync(join(source, file));
};

for (const file of ["build.mjs", "shrink.mjs"]) inputs.add(join(source, file));

/** dagre comes as one file. What its other algorithms are called is told in it by calls with lists of names, of which a bundler must think that they do
 * something: it keeps all of them. Here each list keeps what the file itself asks for. */
const unasked = {
  name: "unasked",
  setup(build) {
    build.onLoad({ filter: /dagre\.esm\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      const list = /([;}])(\w+\((\w+),)\{((?:\w+:\(\)=>[\w$]+,?)+)\}\)/g;
      const contents = text.replace(list, (_, before, call, object, pairs) => {
        const taken = [...text.matchAll(new RegExp(`\\{([^{}]*)\\}=${object}\\b`, "g"))].flatMap(([, names]) => names.split(",").map((n) => n.split(":")[0]));
        const asked = pairs.split(",").filter((pair) => taken.includes(pair.split(":")[0]) || text.includes(`${object}.${pair.split(":")[0]}`));
        return `${before}${call}{${asked.join(",")}})`;
      });
      return { contents, loader: "js" };
    });
  },
};
const worker = (await bundle("src/worker/layout.ts", {}, [unasked])).name;
const fileWorker = (await bundle("src/worker/file.ts")).name;
/** Styles that are loaded with the parts that need them. */
const later = [];
for (const file of ["src/dialogs.css", "src/map-more.css", "src/explore-views.css", "src/trace-views.css"]) later.push((await bundle(file)).name);
/** The style of one page: linked by its HTML, and loaded with its script by who comes from another page. */
const compareStyle = (await bundle("src/compare.css")).name;
const names = Object.fromEntries(
  Object.entries({ COMPARE_STYLE: compareStyle, DIALOG_STYLE: later[0], MAP_STYLE: later[1], VIEWS_STYLE: later[2], TRACE_STYLE: later[3], LAYOUT_WORKER: worker, FILE_WORKER: fileWorker }).map(
    ([constant, name]) => [constant, JSON.stringify(name)],
  ),
);
// As they are installed, which is what is sent.
names.LIBRARIES = JSON.stringify(
  embedded.map((name) => {
    const { version, license } = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
    return `${name} ${version} ${license}`;
  }).join(";"),
);
const start = "src/main.tsx";
const page = (name) => `src/pages/${name}.tsx`;
const dialogs = "src/ui/dialogs.tsx";
const parts = ["explore-beside", "explore-closer", "map-more", "trace-beside", "trace-views"].map(page).concat(dialogs);
const whole = ["explore", "trace", "compare", "map", "status", "service"].map(page);
const main = await bundle(
  start,
  names,
  await together(start, names, [
    { entries: [start, ...whole, ...parts], shared: [start, page("explore"), page("explore-closer"), dialogs] },
    { entries: ["trace", "compare", "trace-views", "trace-beside"].map(page), shared: [page("trace")] },
    { entries: ["map", "service", "map-more", "trace-views"].map(page), shared: [page("service")] },
    { entries: ["map", "map-more", "trace-views"].map(page), shared: [page("map")] },
  ]),
);
const style = (await bundle("src/main.css")).name;
const icon = "icon.svg";
assets.set(icon, read("src/icon.svg"));
/** A script of before the modules: its names are its own, and it is small enough to be waited for. */
const theme = "theme.js";
assets.set(theme, (await esbuild.transform(read("src/theme.js").toString(), { minify: true, format: "iife", target: "es2022", charset: "utf8" })).code);
const shell = read("src/index.html").toString();
const pages = [
  { folder: "", title: "Explore", module: page("explore") },
  { folder: "trace/", title: "Trace", module: page("trace") },
  { folder: "compare/", title: "Compare", module: page("compare"), style: compareStyle },
  { folder: "map/", title: "Map", module: page("map") },
  { folder: "status/", title: "Status", module: page("status") },
  { folder: "service/", title: "Services", module: page("service") },
];
// The entry has nothing of its own: what it needs is in the file that all pages share, which starts by itself.
const [, entry] = main.needs(start);
assets.delete(main.name);
/** All of a build is in one folder, named by all of its content: what is in it never changes, and its files need no hash to name one another. */
const folderOfAssets = `assets/${hash(JSON.stringify([...assets].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, bytes]) => [name, hash(bytes)]))).slice(0, 10)}`;
rmSync(dist, { recursive: true, force: true });
mkdirSync(join(dist, folderOfAssets), { recursive: true });
for (const [name, bytes] of assets) writeFileSync(join(dist, folderOfAssets, name), bytes);
const firstLoads = [];
/** The bar that is painted before any script has come has what ui/topbar.tsx begins with, so that nothing moves when that takes over. */
const TABS = ["Explore", "Map", "Services", "Compare", "Status"];
const tabOf = (name, up, title) => `<a href="${up || "./"}${pages.find((p) => p.title === name).folder}"${name === title ? ' aria-current="page"' : ""}>${name}</a>`;
for (const { folder, title, module, style: own } of pages) {
  const up = folder ? "../" : "";
  // What a page needs is asked for at once, not when the script that imports it has been read.
  const wanted = new Set(main.needs(module));
  const styles = own ? [style, own] : [style];
  firstLoads.push({ title, names: [...wanted], styles });
  wanted.delete(entry);
  const at = `${up}${folderOfAssets}/`;
  const preload = [...wanted].map((name) => `<link rel="modulepreload" href="${at}${name}">`).join("\n");
  const html = shell
    .replaceAll("{title}", title)
    .replaceAll("{script}", at + entry)
    .replaceAll("{styles}", styles.map((name) => `<link rel="stylesheet" href="${at}${name}">`).join("\n"))
    .replaceAll("{theme}", at + theme)
    .replaceAll("{icon}", at + icon)
    .replaceAll("{preload}", preload)
    .replaceAll("{up}", up || "./")
    .replaceAll("{tabs}", TABS.map((name) => tabOf(name, up, title)).join(""));
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

const files = [];
for (const file of listFiles(dist)) {
  const bytes = readFileSync(file);
  const zipped = await pack(bytes);
  const smaller = zipped.length < bytes.length;
  const name = relative(dist, file);
  if (smaller) writeFileSync(`${file}.gz`, zipped);
  files.push({
    file,
    path: `/${name.replace(/index\.html$/, "")}`,
    type: types[name.slice(name.lastIndexOf("."))],
    etag: hash(bytes).slice(0, 16),
    bytes: bytes.length,
    gzip: smaller ? zipped.length : 0,
    immutable: name.startsWith("assets/"),
  });
}
files.sort((a, b) => (a.path < b.path ? -1 : 1));
tidy();

const over = [];
const check = (what, sent, most) => sent > most && over.push(`${what}: ${sent} bytes, budget ${most}`);
const sentOf = (list) => list.reduce((sum, f) => sum + (f.gzip || f.bytes), 0);
const ending = (end) => files.filter((f) => f.path.endsWith(end));
const sentAt = (list) => sentOf(files.filter((f) => list.some((name) => f.path === `/${folderOfAssets}/${name}`)));
for (const { title, names, styles } of firstLoads) {
  const sent = sentAt(names);
  check(`JavaScript that ${title} loads at once`, sent, title === "Explore" ? budgets.explore : budgets.page);
  check(`files that ${title} loads at once, with its page`, 2 + styles.length + names.length, budgets.files);
  check(`CSS of ${title} alone`, sentAt(styles.slice(1)), budgets.own);
  if (options.report) console.log(`${title} loads ${sent} bytes gz of JavaScript at once, in ${names.length} files, and ${sentAt(styles)} of CSS`);
}
// Workers run beside the pages, and only for who draws a graph or opens a file: they have a budget of their own.
const workers = sentAt([worker, fileWorker]);
const ofPages = sentOf(ending(".js")) - workers;
check("JavaScript of all pages", ofPages, budgets.pages);
check("workers", workers, budgets.workers);
check("CSS of all pages", sentAt([style]), budgets.css);
check("CSS of dialogs and parts", sentAt(later), budgets.later);
check("the script that the first paint waits for", sentAt([theme]), budgets.theme);
for (const f of ending("/")) check(f.path, sentOf([f]), budgets.html);
if (options.report) {
  for (const f of files) console.log(`${String(f.bytes).padStart(8)} ${String(f.gzip || f.bytes).padStart(7)} gz  ${f.path}`);
  console.log(`all pages: ${ofPages} bytes gz of JavaScript, workers: ${workers}`);
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
