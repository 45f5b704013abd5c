// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
// @ts-expect-error a module of the build, without types
import { shrink } from "../shrink.mjs";

const modules = process.env["UI_MODULES"] ?? "";

/** Runs modules as files of their own; returns what the one called main.js exports. */
async function run(texts: Map<string, string>): Promise<Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), "spoor-shrink-"));
  try {
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    for (const [name, text] of texts) writeFileSync(join(folder, name), text);
    return (await import(pathToFileURL(join(folder, "main.js")).href)) as Record<string, unknown>;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const MODULES = [
  {
    name: "shared.js",
    fixed: false,
    text: `import { once } from "./deep.js";
var count = 0; var add = (n) => { count += n; return count; };
function twice(once2) { let add = once2 * 2; return add; }
var { first, rest: [second = 5, ...others] } = { first: 1, rest: [undefined, 7, 8] };
export { count, add as more, twice, once, first, second, others };`,
  },
  { name: "deep.js", fixed: false, text: "var once = (value) => [value, typeof URL, Math.max(1, value)];\nexport { once };" },
  {
    name: "main.js",
    fixed: true,
    text: `import { count, more as add, twice as double, once, first, second, others } from "./shared.js";
import { value as add2 } from "./page.js";
var twice = (add3) => add(add3) + double(add3);
var late = () => import("./page.js");
var Text = class { #count = 3; get count() { return this.#count + count; } };
var answers = [twice(1), twice(2), count, once(4), first, second, others, add2, new Text().count];
export { answers, late, twice as named };`,
  },
  { name: "page.js", fixed: true, text: 'import { twice } from "./shared.js";\nvar value = twice(21);\nexport { value };' },
];

test("modules do the same with short names, which are the same in all files", async () => {
  const small: Map<string, string> = await shrink(modules, MODULES);
  const before = await run(new Map(MODULES.map(({ name, text }) => [name, text])));
  const after = await run(small);
  assert.deepEqual(after["answers"], before["answers"]);
  assert.deepEqual(Object.keys(after).sort(), ["answers", "late", "named"]);
  const main = small.get("main.js") ?? "";
  const [, names = ""] = /import\{([^}]*)\}from"\.\/shared\.js"/.exec(main) ?? [];
  assert.equal(names.split(",").length, 7);
  assert.match(names, /^[\w$,]+$/, "names alone, without another one for each");
  assert.match(main, /import\{value as [\w$]+\}from"\.\/page\.js"/, "what is read by name keeps it");
});

test("the same modules give the same texts", async () => {
  assert.deepEqual(await shrink(modules, MODULES), await shrink(modules, [...MODULES]));
});

test("what the names cannot be taken from is refused", async () => {
  await assert.rejects(shrink(modules, [{ name: "a.js", fixed: false, text: 'import * as all from "./b.js"; all.x();' }]), /whole module/);
  await assert.rejects(shrink(modules, [{ name: "a.js", fixed: false, text: "export default 1;" }]), /lists of names/);
});
