// SPDX-License-Identifier: Apache-2.0
// What the pages may do, as gates that say the same on any machine: counts of blocks of script that run, of elements that are styled and laid out,
// of nodes, requests and bytes, and no time. Times are measured by budgets.mjs. Why so: docs/decisions/0139-gates-of-counts.md.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { idOf, requestsOf } from "./large-traces.mjs";
import { useSite } from "./site.mjs";

const LARGE = 100_000;
const SMALL = 2_000;

const said = [];
let over = [];

function gate(name, value, most, unit = "") {
  said.push(`${name.padEnd(72)} ${String(Math.round(value * 100) / 100).padStart(8)} ${unit}  at most ${most}`);
  if (!(value <= most)) over.push(`${name}: ${value} ${unit}, at most ${most}`);
}
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const site = useSite({
  *requests() {
    for (const count of [LARGE, SMALL]) yield* requestsOf(count);
  },
});
after(() => console.log(`\n${said.join("\n")}\n`));

async function opened(use) {
  const context = await site.browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(60000);
  const session = await context.newCDPSession(page);
  try {
    return await use(page, session);
  } finally {
    await context.close();
  }
}

/** Two frames: what was asked for is drawn in the first, and the second says so. */
const drawn = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

/** Tells what an action makes the page do: blocks of script that are run (each turn of a loop is one), nodes that are changed, elements whose style
 * is computed, layouts and the objects in them. */
async function workOf(page, session) {
  await session.send("Profiler.enable");
  await session.send("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  await page.evaluate(() => {
    window.__changed = 0;
    new MutationObserver((list) => (window.__changed += list.length)).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  });
  const sum = (list, of) => list.reduce((all, one) => all + of(one), 0);
  return async (act) => {
    const events = [];
    const collect = ({ value }) => events.push(...value);
    session.on("Tracing.dataCollected", collect);
    await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories: ["devtools.timeline"] } });
    await session.send("Profiler.takePreciseCoverage");
    await page.evaluate(() => (window.__changed = 0));
    await act();
    await drawn(page);
    const { result } = await session.send("Profiler.takePreciseCoverage");
    const changed = await page.evaluate(() => window.__changed);
    const ended = new Promise((done) => session.once("Tracing.tracingComplete", done));
    await session.send("Tracing.end");
    await ended;
    session.off("Tracing.dataCollected", collect);
    const ranges = result.filter((script) => script.url.startsWith(site.url)).flatMap((script) => script.functions.flatMap((f) => f.ranges));
    const layouts = events.filter((e) => e.name === "Layout");
    return {
      blocks: sum(ranges, (r) => r.count),
      changed,
      styled: sum(events.filter((e) => e.name === "UpdateLayoutTree"), (e) => e.args.elementCount ?? 0),
      layouts: layouts.length,
      laid: sum(layouts, (e) => e.args.beginData?.dirtyObjects ?? 0),
    };
  };
}

const WORK = { blocks: "blocks of script", changed: "changes of nodes", styled: "elements styled", layouts: "layouts", laid: "objects laid out" };

/** Each kind of work in the middle of several actions, and in none of them more than twice what the middle may be: a timer may fire meanwhile. */
function workGate(name, actions, most) {
  for (const kind of Object.keys(WORK)) {
    const values = actions.map((a) => a[kind]);
    assert.ok(kind === "styled" || median(values) > 0, `${name}: ${WORK[kind]} are not counted`);
    gate(`${name}: ${WORK[kind]}`, median(values), most[kind]);
    if (actions.length > 1) gate(`${name}, the most: ${WORK[kind]}`, Math.max(...values), 2 * most[kind]);
  }
}

/** Nearly every column of the strip has something to see: the first span is as long as the trace. */
const isOverviewDrawn = (page) =>
  page.waitForFunction(() => {
    const canvas = document.querySelector(".minimap canvas");
    if (!canvas?.width) return false;
    const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const seen = Array.from({ length: width }, (_, x) => Array.from({ length: height }, (_, y) => data[4 * (y * width + x) + 3]).some(Boolean));
    return seen.filter(Boolean).length > 0.9 * width;
  });

/** Holds requests back until the function that it returns is called. */
async function hold(page, pattern) {
  let release;
  const held = new Promise((done) => (release = done));
  await page.route(pattern, async (route) => {
    await held;
    await route.continue();
  });
  return release;
}

/** How much has moved since the page was opened, as the browser counts layout shifts (0 to 1 each), and how often the bar was among that. */
const movedIn = (page) =>
  page.evaluate(
    () =>
      new Promise((done) => {
        const moved = { all: 0, bar: 0 };
        new PerformanceObserver((list) => {
          for (const shift of list.getEntries()) {
            moved.all += shift.value;
            if (shift.sources.some((s) => (s.node?.parentElement ?? s.node)?.closest?.(".topbar"))) moved.bar++;
          }
        }).observe({ type: "layout-shift", buffered: true });
        setTimeout(() => done(moved), 200);
      }),
  );

/** Nothing has been loaded for a while. */
async function scriptsCame(page) {
  for (let [before, now] = [-1, 0]; now !== before; ) {
    before = now;
    await page.waitForTimeout(300);
    now = await page.evaluate(() => performance.getEntriesByType("resource").length);
  }
}

/** All scripts but the one that the first paint waits for. */
const MODULES = /\/(?!theme\.js)[^/]+\.js$/;
const PAGES = ["", "trace/", "compare/", "map/", "service/", "status/"];
const STORED = "from=2026-01-01T00:00:00Z";
const WITH_SPANS = [`?${STORED}`, `?${STORED}&view=heatmap`, `?${STORED}&view=histogram`, `?${STORED}&view=timeseries`, `?${STORED}&view=timeseries&group=name`, ...["", "&view=heatmap", "&view=histogram", "&view=timeseries", "&view=timeseries&group=name"].map((view) => `?${STORED}${view}&as=table`), `trace/?id=${idOf(SMALL)}`, `compare/?a=${idOf(SMALL)}&b=${idOf(SMALL)}`, `map/?${STORED}`, `service/?${STORED}`];

test("the first paint waits for the page, its styles and its theme only, and nothing moves when scripts and answers come", { timeout: 300000 }, async () => {
  over = [];
  for (const address of [...PAGES, ...WITH_SPANS]) {
    const at = (width) =>
      opened(async (page) => {
        await page.setViewportSize({ width, height: 844 });
        const [release, answer] = [await hold(page, MODULES), await hold(page, "**/v1/**")];
        await page.goto(`${site.url}/${address}`, { waitUntil: "commit" });
        await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
        const waited = await page.evaluate(() => 1 + performance.getEntriesByType("resource").filter((r) => r.renderBlockingStatus === "blocking").length);
        gate(`/${address} at ${width}: requests that the first paint waits for`, waited, 4);
        const links = () => page.locator(".topbar nav a").evaluateAll((list) => list.map((e) => [e.textContent, e.getAttribute("aria-current"), e.href, JSON.stringify(e.getBoundingClientRect())]));
        const before = await links();
        release();
        await page.locator("#main > *").first().waitFor();
        // Links keep the range of the address, which the page without its script does not read.
        if (PAGES.includes(address)) assert.deepEqual(await links(), before, "the bar stays as it was painted");
        // What comes on demand is there before the answers, as with a slow server.
        await scriptsCame(page);
        answer();
        await page.waitForLoadState("networkidle");
        await drawn(page);
        const moved = await movedIn(page);
        gate(`/${address} at ${width}: times that the bar has moved`, moved.bar, 0);
        gate(`/${address} at ${width}: layout shift`, moved.all, 0.02);
      });
    // Most of it is waiting, so both widths wait together.
    await Promise.all([at(1440), at(390)]);
  }
  assert.deepEqual(over, []);
});

test("the first paint has the theme that was chosen, also against the system's", async () => {
  const paints = { dark: "rgb(20, 22, 26)", light: "rgb(255, 255, 255)" };
  for (const [chosen, system, painted] of [["dark", "light", paints.dark], ["light", "dark", paints.light], ["auto", "dark", paints.dark], ["auto", "light", paints.light]]) {
    await opened(async (page) => {
      await page.emulateMedia({ colorScheme: system });
      await page.addInitScript((theme) => localStorage.setItem("spoor.theme", theme), chosen);
      const release = await hold(page, MODULES);
      await page.goto(`${site.url}/`, { waitUntil: "commit" });
      await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
      assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), painted, `${chosen} is chosen, the system is ${system}`);
      release();
      await page.locator("#main > *").first().waitFor();
      assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), painted, `${chosen}, when the script has taken over`);
    });
  }
});

test("100,000 spans: what opening, scrolling, jumping and finding make the page do", { timeout: 300000 }, async () => {
  over = [];
  await opened(async (page, session) => {
    await page.goto(`${site.url}/trace/`);
    await page.locator(".empty").waitFor();
    const work = await workOf(page, session);
    const open = await work(async () => {
      await page.evaluate((id) => {
        history.pushState(null, "", `../trace/?id=${id}`);
        dispatchEvent(new PopStateEvent("popstate"));
      }, idOf(LARGE));
      await page.locator(".wf-row").first().waitFor();
      await isOverviewDrawn(page);
    });
    await page.mouse.move(700, 600);
    await page.waitForTimeout(1000);
    const steps = [];
    for (let n = 0; n < 8; n++) steps.push(await work(() => page.mouse.wheel(0, 400)));
    const jumps = [];
    for (const part of [0.5, 1, 0]) jumps.push(await work(() => page.locator(".wf-scroll").evaluate((e, at) => (e.scrollTop = at * e.scrollHeight), part)));
    let answered = false;
    const find = await work(async () => {
      answered = await page.evaluate(() => {
        const input = document.getElementById("trace-find");
        input.value = "operation 7";
        input.dispatchEvent(new Event("input", { bubbles: true }));
        return new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(document.querySelector(".wf-row.dimmed:not([hidden])") !== null))));
      });
    });
    assert.ok(answered, "what is found is drawn in the frame that follows the letter");
    assert.match(await page.locator(".find-count").innerText(), /^10,000 of 100,000$|^2,000 of 100,000$/);
    // Opening and finding look at each span; rows on the screen are all that scrolling may look at.
    workGate("100,000 spans, opened", [open], { blocks: 50 * LARGE, changed: 3000, styled: 1500, layouts: 40, laid: 2000 });
    workGate("a step of scrolling", steps, { blocks: 4000, changed: 500, styled: 20, layouts: 2, laid: 200 });
    workGate("a jump to the middle or an end", jumps, { blocks: 6000, changed: 1000, styled: 20, layouts: 2, laid: 300 });
    workGate("a find by name", [find], { blocks: 4 * LARGE, changed: 100, styled: 500, layouts: 4, laid: 300 });
    gate("elements of the document", await page.evaluate(() => document.querySelectorAll("*").length), 2000);
  });
  assert.deepEqual(over, []);
});

test("100,000 spans are looked at for the overview off the main thread, few are not", async () => {
  for (const [count, workers] of [[LARGE, 1], [SMALL, 0]]) {
    await opened(async (page) => {
      await page.goto(`${site.url}/trace/?id=${idOf(count)}`);
      await page.locator(".wf-row").first().waitFor();
      await isOverviewDrawn(page);
      assert.equal(page.workers().length, workers, `${count} spans`);
      // Another width is another overview, and is drawn when it comes.
      await page.setViewportSize({ width: 1000, height: 800 });
      await isOverviewDrawn(page);
    });
  }
});

test("a hundred openings leave nothing behind", { timeout: 300000 }, async () => {
  over = [];
  await opened(async (page, session) => {
    await session.send("HeapProfiler.enable");
    const heap = async () => {
      await session.send("HeapProfiler.collectGarbage");
      return (await session.send("Runtime.getHeapUsage")).usedSize / 1e6;
    };
    await page.goto(`${site.url}/trace/`);
    const show = (id) =>
      page.evaluate((wanted) => {
        history.pushState(null, "", wanted ? `../trace/?id=${wanted}` : "../trace/");
        dispatchEvent(new PopStateEvent("popstate"));
      }, id);
    const open = async (times) => {
      for (let i = 0; i < times; i++) {
        await show(idOf(SMALL));
        await page.locator(".wf-row").first().waitFor();
        await show("");
        await page.locator(".empty").waitFor();
      }
      return heap();
    };
    const first = await open(20);
    const nodes = async () => (await session.send("Memory.getDOMCounters")).nodes;
    const [last, before] = [await open(80), await nodes()];
    gate("heap that 80 more openings add", Math.max(0, last - first), 2, "MB");
    gate("elements and texts that are kept", before, 5000);
    assert.deepEqual(over, []);
  });
});
