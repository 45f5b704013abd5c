// SPDX-License-Identifier: Apache-2.0
// Makes what the bundler wrote smaller: names of variables, and the compressed form. Knows files by name and text, and nothing of pages.
//
// A bundler names the variables of each file for itself: what one file exports as `a` is `Xt` in it and `Lo` in the file that imports it, and a list of
// `a as Lo` is noise that no compression takes out. Here a variable has one name in all files that know it, so these lists are names alone.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER = UPPER.toLowerCase();
const WORDS = new Set(["as", "do", "if", "in", "is", "of"]);

/** Names in the order in which they are given: short ones first. Longer ones begin with few letters, so that these have short codes. */
function* shortNames() {
  yield* `${UPPER}${LOWER}$_`;
  for (const b of LOWER + UPPER) for (const a of LOWER + UPPER) if (!WORDS.has(a + b)) yield a + b;
}

/** The variables of the top of a module, from its syntax tree: what it imports, exports (outside: inside) and declares. */
function topOf(body) {
  const top = { imports: new Map(), exports: new Map(), names: new Set() };
  const bind = (pattern) => {
    if (pattern === null) return;
    else if (pattern.type === "Identifier") top.names.add(pattern.name);
    else if (pattern.type === "ObjectPattern") for (const p of pattern.properties) bind(p.value ?? p.argument);
    else if (pattern.type === "ArrayPattern") pattern.elements.forEach(bind);
    else bind(pattern.left ?? pattern.argument);
  };
  for (const node of body) {
    if (node.type === "ImportDeclaration") {
      for (const { imported, local } of node.specifiers) {
        if (!imported) throw new Error("imports of a whole module are not known here");
        top.imports.set(local.name, { from: node.source.value, name: imported.name });
        top.names.add(local.name);
      }
    } else if (node.type === "ExportNamedDeclaration" && !node.declaration && !node.source) {
      for (const { exported, local } of node.specifiers) top.exports.set(exported.name, local.name);
    } else if (/^Export/.test(node.type)) throw new Error("exports are lists of names at the end of a file");
    else if (node.type === "VariableDeclaration") node.declarations.forEach((d) => bind(d.id));
    else if (node.id) top.names.add(node.id.name);
  }
  return top;
}

/** Minifies modules that import one another.
 *
 * modules  the folder of the packages.
 * files    { name, text, fixed }: imports are "./NAME"; fixed: others use its exports by name (import()), so they stay as they are.
 *
 * Returns the new texts by name. Fails when a name would be taken twice. */
export async function shrink(modules, files) {
  const require = createRequire(join(modules, "x.js"));
  const acorn = require("acorn");
  const terser = require("terser");
  const syntax = { ecmaVersion: 2022, sourceType: "module" };
  const known = new Map(files.map((file) => [`./${file.name}`, { ...file, ...topOf(acorn.parse(file.text, syntax).body) }]));

  /** The one variable behind a name in a file, as "FILE NAME". */
  const variable = (path, local) => {
    const from = known.get(path).imports.get(local);
    const other = from && known.get(from.from);
    return other && !other.fixed ? variable(from.from, other.exports.get(from.name)) : `${path} ${local}`;
  };
  /** Of each variable: how often it is used, and in which files. */
  const variables = new Map();
  for (const [path, { text, names }] of known) {
    const uses = new Map([...names].map((name) => [name, 0]));
    for (const { type, value } of acorn.tokenizer(text, syntax)) if (type.label === "name" && uses.has(value)) uses.set(value, uses.get(value) + 1);
    for (const [name, count] of uses) {
      const id = variable(path, name);
      const entry = variables.get(id) ?? { count: 0, paths: [] };
      variables.set(id, { count: entry.count + count, paths: [...entry.paths, path] });
    }
  }
  const candidates = [...shortNames()];
  const taken = new Map([...known.keys()].map((path) => [path, new Set()]));
  const given = new Map();
  for (const [id, { paths }] of [...variables].sort(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1))) {
    const name = candidates.find((c) => paths.every((path) => !taken.get(path).has(c)));
    if (!name) throw new Error("more variables than names");
    for (const path of paths) taken.get(path).add(name);
    given.set(id, name);
  }

  const texts = new Map();
  for (const [path, file] of known) {
    const props = Object.fromEntries([...file.names].map((name) => [`$${name}`, given.get(variable(path, name))]));
    // No function that is made with "new" is anonymous and without "this": arrows may take the place of the others.
    const compress = { ecma: 2022, module: true, passes: 4, inline: 1, unsafe_arrows: true, toplevel: true };
    const options = { module: true, ecma: 2022, compress, mangle: { module: true, toplevel: true }, nameCache: { vars: { props } } };
    const { code } = await terser.minify(file.text, options);
    const uses = new Map();
    for (const { type, value } of acorn.tokenizer(code, syntax)) if (type.label === "name") uses.set(value, (uses.get(value) ?? 0) + 1);
    const outside = (from, name) => (known.get(from).fixed ? name : given.get(variable(from, known.get(from).exports.get(name))));
    texts.set(file.name, sameNames(code, file.fixed, outside, uses, (text) => acorn.parse(text, syntax).body));
  }
  return texts;
}

/** Writes the lists of imports and exports of a module anew: with the names that variables have in all files, without those that nothing uses.
 *
 * fixed    its exports keep their names.          outside  the name by which a file (path) exports what had a name (name) before.
 * uses     how often each name stands in it. */
function sameNames(text, fixed, outside, uses, parse) {
  const pair = (outer, inner) => (outer === inner ? inner : `${outer} as ${inner}`);
  let result = text;
  for (const node of parse(text).reverse()) {
    let list = null;
    if (node.type === "ImportDeclaration" && node.specifiers.length > 0) {
      const used = node.specifiers.filter(({ local }) => uses.get(local.name) > 1);
      list = `import{${used.map(({ imported, local }) => pair(outside(node.source.value, imported.name), local.name)).sort()}}from${JSON.stringify(node.source.value)};`;
    } else if (node.type === "ExportNamedDeclaration") {
      list = `export{${node.specifiers.map(({ local, exported }) => (fixed ? pair(local.name, exported.name) : local.name)).sort()}};`;
    }
    if (list !== null) result = result.slice(0, node.start) + list + result.slice(node.end);
  }
  // Names that are taken twice, and exports of what is not there, are errors of syntax.
  parse(result);
  return result;
}

/** Compresses as far as gzip goes, which takes its time: what was compressed before is kept in a folder beside the result, by the hash of the content.
 *
 * Returns a function from bytes to their compressed form, and one that removes from the folder what was not asked for. */
export function packer(modules, folder) {
  const require = createRequire(join(modules, "x.js"));
  const zopfli = require("@gfx/zopfli");
  const { version } = require("@gfx/zopfli/package.json");
  mkdirSync(folder, { recursive: true });
  const asked = new Set();
  return {
    async pack(bytes) {
      const name = `${createHash("sha256").update(bytes).digest("hex").slice(0, 32)}-${version}-15`;
      asked.add(name);
      const path = join(folder, name);
      if (existsSync(path)) return readFileSync(path);
      const packed = Buffer.from(await zopfli.gzipAsync(bytes, { numiterations: 15 }));
      writeFileSync(path, packed);
      return packed;
    },
    tidy() {
      for (const name of readdirSync(folder)) if (!asked.has(name)) rmSync(join(folder, name));
    },
  };
}
