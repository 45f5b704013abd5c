// SPDX-License-Identifier: Apache-2.0
// Runs the tests of the model, and checks the types of everything, in a folder of the build tree.
//
//   node run.mjs --npm NPM --work FOLDER
//
// Exit 77 (skipped) when the development packages cannot be installed, as on a machine without a network.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({ options: { npm: { type: "string", default: "npm" }, work: { type: "string" } } });
const source = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (command, args, more = {}) => spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"], ...more });

const { developmentModules } = await import("../install.mjs");
const modules = developmentModules(options.npm, options.work);
if (!modules) {
  console.log("skipped: the development packages of the UI could not be installed");
  process.exit(77);
}

// TypeScript looks for packages beside the sources, and nothing is installed into the source tree: check a copy.
for (const part of ["src", "test", "tsconfig.json"]) {
  rmSync(join(options.work, part), { recursive: true, force: true });
  cpSync(join(source, part), join(options.work, part), { recursive: true });
}
const typescript = join(modules, "typescript", "bin", "tsc");
if (!existsSync(typescript) || run(process.execPath, [typescript, "-p", options.work]).status !== 0) {
  console.error("the types of the UI do not fit");
  process.exit(1);
}

const esbuild = createRequire(join(modules, "x.js"))("esbuild");
const out = join(options.work, "bundled");
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const tests = readdirSync(join(source, "test")).filter((name) => name.endsWith(".test.ts"));
await esbuild.build({
  entryPoints: tests.map((name) => join(source, "test", name)),
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node18",
  nodePaths: [modules],
  outdir: out,
  outExtension: { ".js": ".mjs" },
});
const files = tests.map((name) => join(out, name.replace(/\.ts$/, ".mjs")));
process.exit(run(process.execPath, ["--test", ...files], { env: { ...process.env, UI_SOURCE: source, UI_MODULES: modules } }).status ?? 1);
