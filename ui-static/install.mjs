// SPDX-License-Identifier: Apache-2.0
// Installs the packages of package-lock.json into a folder of the build tree, never into the source tree.
//
//   node install.mjs --npm NPM --out FOLDER [--dev] [--stamp FILE]
//
// Install scripts are not run; the lockfile holds exact versions and hashes, so the result is the same everywhere.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: {
    npm: { type: "string", default: "npm" },
    out: { type: "string" },
    dev: { type: "boolean", default: false },
    stamp: { type: "string" },
  },
});
const source = dirname(fileURLToPath(import.meta.url));
mkdirSync(options.out, { recursive: true });
for (const name of ["package.json", "package-lock.json", ".npmrc"]) {
  copyFileSync(join(source, name), join(options.out, name));
}
const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
if (!options.dev) args.push("--omit=dev");
const run = spawnSync(options.npm, args, { cwd: options.out, stdio: ["ignore", "inherit", "inherit"] });
if (run.status !== 0) {
  console.error(
    `spoor-ui: "npm ${args.join(" ")}" failed in ${options.out}. ` +
      "The web UI needs its packages from an npm registry; configure with -Dui=none to build without it.",
  );
  process.exit(1);
}
if (options.stamp) writeFileSync(options.stamp, "");
