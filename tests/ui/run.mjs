// SPDX-License-Identifier: Apache-2.0
// Runs a browser test file, or skips (exit 77) and says why: no Chromium, no development packages, no server.
//
//   node run.mjs --npm NPM --work FOLDER --dist FOLDER FILE.test.mjs
import { spawn } from "node:child_process";
import { once } from "node:events";
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
const run = spawn(process.execPath, ["--test", ...files], { stdio: ["ignore", "pipe", "inherit"], env });
const exited = once(run, "exit");
let output = "";
for await (const part of run.stdout.setEncoding("utf8")) {
  process.stdout.write(part);
  output += part;
}
const [status] = await exited;
// Again, at the end: of a long output only that is shown.
const failed = output
  .split(/^(?= *(?:(?:not )?ok \d|# ))/m)
  .filter((part) => /^ *not ok/.test(part));
process.stdout.write(failed.join(""));
process.exitCode = status ?? 1;
