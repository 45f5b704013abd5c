// SPDX-License-Identifier: Apache-2.0
// A live system for tests: Spoor as a process, the eight services of shop/ as processes that send to it, and a driver that
// sends them a fixed list of requests. Used by live.test.mjs and by the browser tests.
//
//   const modules = await ensureModules();              // throws Missing when npm or its packages are not to be had
//   const spoor = await startSpoor();                   // {http, otlpGrpc, otlpHttp, dataDir, stop(signal)}
//   const shop = await startShop({ spoor, modules });   // {drive(requests), stop() -> spans}
import { fork, spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../..");
const build = resolve(process.env.SPOOR_BUILD_DIR ?? join(root, "build"));
export const binary = resolve(process.env.SPOOR_BINARY ?? join(build, "spoor"));

/** Something that this machine does not have: a reason to skip, not to fail. */
export class Missing extends Error {}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Runs `npm ci` into the build folder once for each lockfile; returns the node_modules folder. */
export async function ensureModules(folder = join(build, "tests", "e2e", "modules")) {
  const lock = readFileSync(join(here, "package-lock.json"), "utf8");
  const stamp = join(folder, "stamp");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== lock) {
    if (spawnSync("npm", ["--version"]).status !== 0) throw new Missing("npm is not installed");
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const name of ["package.json", "package-lock.json", ".npmrc"]) copyFileSync(join(here, name), join(folder, name));
    const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--loglevel=error"], { cwd: folder, encoding: "utf8" });
    if (npm.status !== 0) throw new Missing(`npm ci failed: ${npm.stderr.trim().split("\n").slice(-3).join(" ")}`);
    writeFileSync(stamp, lock);
  }
  return join(folder, "node_modules");
}

/** From the start of the process until it says that it is ready, and for one question whether it is. */
const READY_MS = 60_000;
const ASK_MS = 2000;

const exited = (child) => new Promise((done) => (child.exitCode !== null || child.signalCode ? done() : child.once("exit", done)));

const INTERFACES = { "otlp-grpc": "otlpGrpc", "otlp-http": "otlpHttp", "http": "http" };

/** The addresses that the server says in its log that it listens on. */
function addressesOf(log) {
  const found = {};
  for (const line of log.split("\n")) {
    if (!line.startsWith("{") || !line.endsWith("}")) continue;
    const event = JSON.parse(line);
    if (event.interface in INTERFACES) found[INTERFACES[event.interface]] = event.address;
  }
  return found;
}

/**
 * Starts `spoor serve` on ports that the system chooses and waits until it is ready. Without a data directory it makes one, which
 * stop() removes. stop(signal) resolves to {code, signal}; a data directory that was given stays.
 */
export async function startSpoor({ dataDir, flags = [] } = {}) {
  if (!existsSync(binary)) throw new Missing(`no server to test: ${binary}`);
  const own = dataDir === undefined;
  if (own) dataDir = mkdtempSync(join(tmpdir(), "spoor-e2e-"));
  const any = "127.0.0.1:0";
  const child = spawn(
    binary,
    ["serve", "--data-dir", dataDir, "--log-format", "json", "--otlp-grpc", any, "--otlp-http", any, "--http", any, ...flags],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (log = (log + part).slice(-1_000_000)));
  const spoor = {
    dataDir,
    pid: child.pid,
    log: () => log,
    stop: async (signal = "SIGTERM") => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await exited(child);
      if (own) rmSync(dataDir, { recursive: true, force: true });
      return { code: child.exitCode, signal: child.signalCode };
    },
  };
  const until = Date.now() + READY_MS;
  while (Date.now() < until && child.exitCode === null) {
    Object.assign(spoor, addressesOf(log));
    if (Object.values(INTERFACES).every((name) => spoor[name])) {
      // A server that takes the connection and says nothing is asked again.
      const answer = await fetch(`http://${spoor.http}/readyz`, { signal: AbortSignal.timeout(ASK_MS) }).catch(() => null);
      if (answer?.status === 200) return spoor;
    }
    await pause(50);
  }
  await spoor.stop("SIGKILL");
  throw new Error(`spoor serve did not become ready within ${READY_MS / 1000} s:\n${log}`);
}

// In the order in which they start: each needs the addresses of those before it. All three ways of OTLP are in use, with and without gzip.
const SERVICES = [
  { name: "catalog", exporter: "http/json", compression: "none" },
  { name: "cart", exporter: "http/protobuf", compression: "gzip" },
  { name: "payment", exporter: "grpc", compression: "none" },
  { name: "shipping", exporter: "http/protobuf", compression: "none" },
  { name: "email", exporter: "http/json", compression: "gzip" },
  { name: "checkout", exporter: "grpc", compression: "gzip" },
  { name: "recommendation", exporter: "http/protobuf", compression: "none" },
  { name: "frontend", exporter: "grpc", compression: "none" },
];

function startService({ name, exporter, compression }, spoor, modules, folder, addresses) {
  const child = fork(join(here, "shop", "main.cjs"), [], {
    execArgv: ["--max-old-space-size=128"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: {
      PATH: process.env.PATH,
      NODE_PATH: modules,
      SHOP_SERVICE: name,
      SHOP_EXPORTER: exporter,
      SHOP_COMPRESSION: compression,
      SHOP_ENDPOINT: `http://${exporter === "grpc" ? spoor.otlpGrpc : spoor.otlpHttp}`,
      SHOP_RECORD: join(folder, `${name}.jsonl`),
      SHOP_ADDRESSES: JSON.stringify(addresses),
    },
  });
  return new Promise((done, fail) => {
    child.once("message", ({ address }) => done({ name, child, address }));
    child.once("exit", (code) => fail(new Error(`the service ${name} ended with ${code} before it was ready`)));
  });
}

// One visit is these requests in this order; the next visit is another user's.
const VISIT = [
  { route: "GET /products", method: "GET", path: () => "/products", status: () => 200 },
  { route: "POST /cart/:user", method: "POST", path: (v) => `/cart/user-${v}`, body: () => ({ product: "tea", count: 2 }), status: () => 200 },
  { route: "GET /products/:id", method: "GET", path: () => "/products/kettle", status: () => 200 },
  { route: "POST /cart/:user", method: "POST", path: (v) => `/cart/user-${v}`, body: () => ({ product: "cup", count: 1 }), status: () => 200 },
  { route: "GET /products/:id", method: "GET", path: () => "/products/samovar", status: () => 404 },
  {
    route: "POST /checkout/:user",
    method: "POST",
    path: (v) => `/checkout/user-${v}`,
    body: (v) => ({ number: v }),
    status: (v) => (v % 7 === 3 ? 402 : 200),
  },
];

/** Starts the eight services. drive(n) sends n requests and resolves to how often each route was called; stop() flushes and returns all spans. */
export async function startShop({ spoor, modules }) {
  const folder = mkdtempSync(join(tmpdir(), "spoor-shop-"));
  const running = [];
  const addresses = {};
  const stopAll = async () => {
    // Callers first, so that nobody calls a service that is gone.
    for (const { child } of [...running].reverse()) {
      child.removeAllListeners("exit");
      if (child.connected) child.send("stop");
      await exited(child);
    }
  };
  try {
    for (const service of SERVICES) {
      const started = await startService(service, spoor, modules, folder, addresses);
      running.push(started);
      addresses[started.name] = started.address;
    }
  } catch (error) {
    for (const { child } of running) child.kill();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }

  let sent = 0;
  async function visit(number, steps) {
    for (const step of steps) {
      const answer = await fetch(`http://${addresses.frontend}${step.path(number)}`, {
        method: step.method,
        headers: { "content-type": "application/json" },
        body: step.body ? JSON.stringify(step.body(number)) : undefined,
      });
      const text = await answer.text();
      if (answer.status !== step.status(number)) throw new Error(`${step.route} of visit ${number}: ${answer.status} ${text}`);
    }
  }
  return {
    addresses,
    services: SERVICES.map(({ name }) => name).sort(),
    async drive(requests) {
      const visits = [];
      const routes = {};
      for (let first = 0; first < requests; first += VISIT.length) {
        const steps = VISIT.slice(0, Math.min(VISIT.length, requests - first));
        for (const { route } of steps) routes[route] = (routes[route] ?? 0) + 1;
        visits.push([sent++, steps]);
      }
      const next = async () => {
        for (let item = visits.shift(); item; item = visits.shift()) await visit(...item);
      };
      await Promise.all([next(), next(), next(), next()]);
      return routes;
    },
    async stop() {
      await stopAll();
      const failed = running.filter(({ child }) => child.exitCode !== 0).map(({ name }) => name);
      const spans = readdirSync(folder).flatMap((file) =>
        readFileSync(join(folder, file), "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)),
      );
      rmSync(folder, { recursive: true, force: true });
      if (failed.length > 0) throw new Error(`these services could not export all of their spans: ${failed.join(", ")}`);
      return spans;
    },
  };
}
