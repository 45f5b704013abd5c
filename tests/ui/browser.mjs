// SPDX-License-Identifier: Apache-2.0
// Chromium for the tests. A page made here may not write an error to its console, nor ask anything of another origin: both
// fail the test that closes it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { within } from "./limits.mjs";

const require = createRequire(join(process.env.UI_MODULES, "x.js"));
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--force-color-profile=srgb",
  "--font-render-hinting=none",
];

export async function startBrowser() {
  const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return within("starting Chromium", chromium.launch({ executablePath: process.env.CHROMIUM, headless: true, args: [...FLAGS, ...root] }));
}

/** The address of an empty page of the same site as the servers of the tests: going to about:blank would change the browser's process. */
let blank;
function blankPage() {
  blank ??= new Promise((done) => {
    const html = '<!doctype html><title>blank</title><link rel="icon" href="data:,">';
    const server = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(html));
    server.listen(0, "127.0.0.1", () => done(`http://127.0.0.1:${server.address().port}/`));
    server.unref();
  });
  return blank;
}

/** What a page shows late: on a machine that does much else it may have no frame for ten seconds. */
const WAIT_MS = 30_000;

/** UI_SLOW=N: each request waits for up to N milliseconds, and pages have a quarter of the processor. Tests that look before there is what they look
 * for fail then on any machine, not only on a busy one. */
const SLOW_MS = Number(process.env.UI_SLOW ?? 0);

async function slow(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
}

async function holdBack(route) {
  await new Promise((done) => setTimeout(done, Math.random() * SLOW_MS));
  await route.fallback().catch(() => {}); // its page may be gone
}

/** A page for each browser, kept between tests: a new one costs a process and an empty cache, four times what a test takes in a page that
 * is there. What a test may leave behind (storage, routes, listeners) is removed; after a failure the page is thrown away. */
const kept = new WeakMap();

async function pageOf(browser) {
  const page = kept.get(browser);
  kept.delete(browser);
  if (page) return page;
  const context = await within("making a browser context", browser.newContext({ reducedMotion: "reduce", timezoneId: "UTC", locale: "en-US" }));
  context.setDefaultTimeout(WAIT_MS);
  const made = await within("making a page", context.newPage());
  if (SLOW_MS > 0) await slow(made);
  // Of all that a page does, only scripts have no limit of their own.
  const evaluate = made.evaluate.bind(made);
  made.evaluate = (script, ...more) => within(`page.evaluate(${String(script).replace(/\s+/g, " ").slice(0, 100)})`, evaluate(script, ...more));
  return made;
}

async function keepPage(browser, page) {
  page.removeAllListeners();
  comes(page);
  await page.unrouteAll();
  await page.evaluate(() => {
    localStorage.clear();
    sessionStorage.clear();
  });
  await page.goto(await blankPage());
  kept.set(browser, page);
}

/** What a test does on one page: the longest take half a minute on a busy machine. */
const TEST_MS = 240_000;

/** What a page is answered instead of what the server says. */
const instead = new WeakMap();
/** Takes the server away from a page that was opened with `breaks`, or gives these requests another answer. From then on no request gets through:
 * one that follows the first page.route() at once may pass it by, so the route is there from the beginning. */
export const goes = (page, answer = (route) => route.abort()) => void instead.set(page, answer);
export const comes = (page) => void instead.delete(page);

/** Opens an address, runs the test, and looks at what the page has done meanwhile. `prepare` is called before the address is opened.
 * `expectErrors` is for pages whose API call is meant to fail: browsers write failed requests to the console. `breaks`: the addresses that goes() takes away. */
export async function withPage(browser, address, test, { width = 1440, height = 900, dark = false, forcedColors = "none", expectErrors = false, breaks, prepare } = {}) {
  const page = await pageOf(browser);
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: dark ? "dark" : "light", forcedColors });
  const origin = new URL(address).origin;
  const faults = [];
  page.on("console", (m) => {
    const refused = /Failed to load resource/.test(m.text());
    const where = m.location().url;
    if (["error", "warning"].includes(m.type()) && !(expectErrors && refused)) faults.push(`console: ${m.text()} ${where}`);
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.stack}`));
  page.on("request", (r) => {
    if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== origin) faults.push(`off-origin: ${r.url()}`);
  });
  try {
    if (SLOW_MS > 0) await page.route("**/*", holdBack);
    if (breaks) await page.route(breaks, (route) => (instead.get(page) ?? ((r) => r.continue()))(route));
    await prepare?.(page);
    await page.goto(address);
    await within(`the test on ${address}`, test(page), TEST_MS);
    assert.deepEqual(faults, []);
  } catch (error) {
    await within("closing the page of a failed test", page.context().close()).catch((late) => faults.push(String(late)));
    throw error;
  }
  await keepPage(browser, page);
}

/** No violation of WCAG A and AA, nor of axe's best practices. axe is brought in past the page's content security policy, through
 * the debugger. Without its own look at the style sheets: only a rule that is not among these reads them. */
export async function assertAccessible(page, what) {
  if (!(await page.evaluate("Boolean(window.__axe)"))) await page.evaluate(`${axeSource}; window.__axe = axe; undefined`);
  const violations = await page.evaluate(async () => {
    const { violations } = await window.__axe.run(document, { resultTypes: ["violations"], preload: false });
    return violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target.join(" ")} (${n.failureSummary})`).slice(0, 3).join("; ")}`);
  });
  assert.deepEqual(violations, [], what);
}

/** What a finger cannot meet: smaller than 24 pixels, with others nearby (WCAG 2.5.8). axe looks at it only when it is told to. */
export async function assertTargets(page, what) {
  if (!(await page.evaluate("Boolean(window.__axe)"))) await page.evaluate(`${axeSource}; window.__axe = axe; undefined`);
  const small = await page.evaluate(async () => {
    const { violations } = await window.__axe.run(document, { runOnly: ["target-size"] });
    return violations.flatMap((v) => v.nodes.map((n) => `${n.target.join(" ")}: ${n.any.map((a) => a.message).join("; ")}`));
  });
  assert.deepEqual(small, [], what);
}

/** WCAG 1.4.10: nothing is wider than the screen, and no part of the bar has to be scrolled to. */
export async function assertNoSidewaysScroll(page, what) {
  const look = () => page.evaluate(() => {
    const nav = document.querySelector(".topbar nav");
    const cut = [...document.querySelectorAll(".topbar :is(a,button,input)")].filter((e) => {
      const { left, right } = e.getBoundingClientRect();
      return right > left && (left < 0 || right > window.innerWidth || (nav.contains(e) && right > nav.getBoundingClientRect().right + 1));
    });
    return { over: Math.max(0, document.documentElement.scrollWidth - window.innerWidth), outside: cut.map((e) => e.ariaLabel ?? e.textContent) };
  });
  await until(look, { over: 0, outside: [] }, `${what}: pixels wider than the screen, and what of the bar is not on it`);
}

/** The texts of the elements that match, whitespace folded. */
export async function texts(page, selector) {
  const all = await page.locator(selector).allInnerTexts();
  return all.map((t) => t.replace(/\s+/g, " ").trim());
}

/** The page draws in its own time: looks until it shows what is expected, and says what it showed at last. */
export async function until(look, expected, what) {
  const end = performance.now() + WAIT_MS;
  for (;;) {
    const seen = await look();
    if (JSON.stringify(seen) === JSON.stringify(expected)) return;
    if (performance.now() > end) return assert.deepEqual(seen, expected, what);
    await new Promise((done) => setTimeout(done, 30));
  }
}

/** What a finger, or two, do: each step a list of places. As the browser takes it from a screen, gestures of its own included. */
export async function touch(page, steps) {
  const session = await page.context().newCDPSession(page);
  const points = (step) => step.map(([x, y], id) => ({ x, y, id }));
  try {
    await session.send("Emulation.setTouchEmulationEnabled", { enabled: true, maxTouchPoints: 2 });
    await session.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: points(steps[0]) });
    for (const step of steps.slice(1)) await session.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: points(step) });
    await session.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    await session.send("Emulation.setTouchEmulationEnabled", { enabled: false });
  } finally {
    await session.detach();
  }
}

/** The steps of fingers that move from some places to others. */
export const glide = (from, to, steps = 8) => Array.from({ length: steps + 1 }, (_, i) => from.map(([x, y], k) => [x + ((to[k][0] - x) * i) / steps, y + ((to[k][1] - y) * i) / steps]));
