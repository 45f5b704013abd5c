// SPDX-License-Identifier: Apache-2.0
// Runs a browser test file, or skips (exit 77) and says why: no Chromium, no development packages, no server.
//
//   node run.mjs --npm NPM --work FOLDER --dist FOLDER FILE.test.mjs
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { developmentModules } from "../../ui-static/install.mjs";

const { values: options, positionals } = parseArgs({
  options: { npm: { type: "string", default: "npm" }, work: { type: "string" }, dist: { type: "string" } },
  allowPositionals: true,
});

function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(77);
}

const chromium = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => path && existsSync(path));
if (!chromium) skip("Chromium is not installed");
const modules = developmentModules(options.npm, options.work);
if (!modules) skip("the development packages of the UI could not be installed");

const here = dirname(fileURLToPath(import.meta.url));
const env = { ...process.env, UI_MODULES: modules, UI_DIST: options.dist, CHROMIUM: chromium };
const files = positionals.map((name) => join(here, name));
const { status } = spawnSync(process.execPath, ["--test", ...files], { stdio: ["ignore", "inherit", "inherit"], env });
process.exit(status ?? 1);
