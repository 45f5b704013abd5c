// SPDX-License-Identifier: Apache-2.0
// Installs the packages of package-lock.json into a folder of the build tree, never into the source tree.
//
//   node install.mjs --npm NPM --out FOLDER [--stamp FILE]
//
// Install scripts are not run; the lockfile holds exact versions and hashes, so the result is the same everywhere.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const source = dirname(fileURLToPath(import.meta.url));

/** Runs npm ci in a folder; true when it went well. */
function install(npm, out, extra) {
  mkdirSync(out, { recursive: true });
  for (const name of ["package.json", "package-lock.json", ".npmrc"]) copyFileSync(join(source, name), join(out, name));
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", ...extra];
  return spawnSync(npm, args, { cwd: out, stdio: ["ignore", "inherit", "inherit"] }).status === 0;
}

/** A folder that one process has for itself: made by the one that may go on, waited for by the others. One that is older than any
 * installation takes was left by a process that died. */
function alone(folder, run) {
  const STALE_MS = 300000;
  for (;;) {
    try {
      mkdirSync(folder);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      const made = statSync(folder, { throwIfNoEntry: false });
      if (made && Date.now() - made.mtimeMs > STALE_MS) rmSync(folder, { recursive: true, force: true });
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
  try {
    return run();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The packages with the ones for development and tests, installed once for each lockfile; null when that fails. Tests that run at
 * the same time share them. */
export function developmentModules(npm, out) {
  const lock = readFileSync(join(source, "package-lock.json"), "utf8");
  const mark = join(out, "node_modules", ".spoor-lock");
  const fresh = () => existsSync(mark) && readFileSync(mark, "utf8") === lock;
  if (fresh()) return resolve(out, "node_modules");
  mkdirSync(out, { recursive: true });
  return alone(join(out, "installing"), () => {
    if (!fresh()) {
      if (!install(npm, out, [])) return null;
      writeFileSync(mark, lock);
    }
    return resolve(out, "node_modules");
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values: options } = parseArgs({
    options: { npm: { type: "string", default: "npm" }, out: { type: "string" }, stamp: { type: "string" } },
  });
  if (!install(options.npm, options.out, ["--omit=dev"])) {
    console.error(
      `spoor-ui: npm ci failed in ${options.out}. The web UI needs its packages from an npm registry; ` +
        "configure with -Dui=none to build without it.",
    );
    process.exit(1);
  }
  if (options.stamp) writeFileSync(options.stamp, "");
}
