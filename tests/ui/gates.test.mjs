// SPDX-License-Identifier: Apache-2.0
// What the Trace page may take, as gates that hold on a busy machine as well: not the time on the clock but the processor time of the page's main
// thread, which the browser counts, and counts of elements and bytes. Median of three. What needs a quiet machine (frames, first
// paint, a million spans) is measured by budgets.mjs. Why so: docs/decisions/0113-gates-of-processor-time.md.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { idOf, requestsOf } from "./large-traces.mjs";
import { useSite } from "./site.mjs";

const RUNS = 3;
const LARGE = 100_000;
const SMALL = 2_000;

const said = [];
let over = [];

function gate(name, value, most, unit = "ms") {
  said.push(`${name.padEnd(62)} ${value.toFixed(value < 10 ? 2 : 0).padStart(8)} ${unit}  at most ${most}`);
  if (!(value <= most)) over.push(`${name}: ${value} ${unit}, at most ${most}`);
}
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const site = useSite({
  *requests() {
    for (const count of [LARGE, SMALL]) yield* requestsOf(count);
  },
});
after(() => console.log(`\n${said.join("\n")}\n`));

/** A page whose main thread's processor time can be read, in milliseconds. */
async function opened(use) {
  const context = await site.browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(60000);
  const session = await context.newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const spent = async () => (await session.send("Performance.getMetrics")).metrics.find((m) => m.name === "TaskDuration").value * 1000;
  try {
    return await use(page, spent, session);
  } finally {
    await context.close();
  }
}

/** Two frames: what was asked for is drawn in the first, and the second says so. */
const drawn = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

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

/** All scripts but the one that the first paint waits for. */
const MODULES = /\/(?!theme\.js)[^/]+\.js$/;
const PAGES = ["", "trace/", "compare/", "map/", "service/", "status/"];
const STORED = "from=2026-01-01T00:00:00Z";
const WITH_SPANS = [`?${STORED}`, `?${STORED}&view=heatmap`, `?${STORED}&view=histogram`, `?${STORED}&view=timeseries`, `?${STORED}&view=timeseries&group=name`, ...["", "&view=heatmap", "&view=histogram", "&view=timeseries", "&view=timeseries&group=name"].map((view) => `?${STORED}${view}&as=table`), `trace/?id=${idOf(SMALL)}`, `compare/?a=${idOf(SMALL)}&b=${idOf(SMALL)}`, `map/?${STORED}`, `service/?${STORED}`];

test("the first paint waits for the page, its styles and its theme only, and nothing moves when scripts and answers come", { timeout: 300000 }, async () => {
  over = [];
  for (const address of [...PAGES, ...WITH_SPANS]) {
    for (const width of [1440, 390]) {
      await opened(async (page) => {
        await page.setViewportSize({ width, height: 844 });
        const [release, answer] = [await hold(page, MODULES), await hold(page, "**/v1/**")];
        await page.goto(`${site.url}/${address}`, { waitUntil: "commit" });
        await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
        const waited = await page.evaluate(() => 1 + performance.getEntriesByType("resource").filter((r) => r.renderBlockingStatus === "blocking").length);
        gate(`/${address} at ${width}: requests that the first paint waits for`, waited, 4, "");
        const links = () => page.locator(".topbar nav a").evaluateAll((list) => list.map((e) => [e.textContent, e.getAttribute("aria-current"), e.href, JSON.stringify(e.getBoundingClientRect())]));
        const before = await links();
        release();
        await page.locator("#main > *").first().waitFor();
        // Links keep the range of the address, which the page without its script does not read.
        if (PAGES.includes(address)) assert.deepEqual(await links(), before, "the bar stays as it was painted");
        // What comes on demand is there before the answers, as with a slow server.
        await page.waitForTimeout(300);
        answer();
        await page.waitForLoadState("networkidle");
        await drawn(page);
        const moved = await movedIn(page);
        gate(`/${address} at ${width}: times that the bar has moved`, moved.bar, 0, "");
        gate(`/${address} at ${width}: layout shift`, moved.all, 0.02, "");
      });
    }
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

test("100,000 spans: opening, scrolling, jumping, finding, elements", { timeout: 300000 }, async () => {
  const runs = [];
  for (let i = 0; i < RUNS; i++) {
    runs.push(
      await opened(async (page, spent) => {
        // The scripts are compiled and cached, as for the second trace of a session.
        await page.goto(`${site.url}/trace/`);
        await page.locator(".empty").waitFor();
        const cost = async (act) => {
          const begin = await spent();
          await act();
          await drawn(page);
          return (await spent()) - begin;
        };
        const open = await cost(async () => {
          await page.evaluate((id) => {
            history.pushState(null, "", `../trace/?id=${id}`);
            dispatchEvent(new PopStateEvent("popstate"));
          }, idOf(LARGE));
          await page.locator(".wf-row").first().waitFor();
        });
        await page.waitForTimeout(1000);
        const idle = await cost(async () => undefined);
        await page.mouse.move(700, 600);
        const steps = [];
        for (let n = 0; n < 25; n++) steps.push((await cost(() => page.mouse.wheel(0, 400))) - idle);
        const jumps = [];
        for (const part of [0.5, 1, 0]) jumps.push((await cost(() => page.locator(".wf-scroll").evaluate((e, at) => (e.scrollTop = at * e.scrollHeight), part))) - idle);
        let answered = false;
        const find = await cost(async () => {
          answered = await page.evaluate(() => {
            const input = document.getElementById("trace-find");
            input.value = "operation 7";
            input.dispatchEvent(new Event("input", { bubbles: true }));
            return new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(document.querySelector(".wf-row.dimmed:not([hidden])") !== null))));
          });
        });
        assert.ok(answered, "what is found is drawn in the frame that follows the letter");
        assert.match(await page.locator(".find-count").innerText(), /^10,000 of 100,000$|^2,000 of 100,000$/);
        return { open, step: median(steps), longest: Math.max(...steps), jump: Math.max(...jumps), find: find - idle, elements: await page.evaluate(() => document.querySelectorAll("*").length) };
      }),
    );
  }
  const of = (name) => median(runs.map((r) => r[name]));
  gate("100,000 spans, asked for to painted", of("open"), 500);
  gate("a step of scrolling, in the middle", of("step"), 16);
  gate("the longest step of scrolling", of("longest"), 50);
  gate("a jump to the middle or an end", of("jump"), 50);
  gate("a find by name until it is painted", of("find"), 50);
  gate("elements of the document", of("elements"), 2000, "");
  assert.deepEqual(over, []);
});

test("100,000 spans are looked at for the overview off the main thread, few are not", async () => {
  /** Nearly every column of the strip has something to see: the first span is as long as the trace. */
  const isDrawn = (page) =>
    page.waitForFunction(() => {
      const canvas = document.querySelector(".minimap canvas");
      if (!canvas?.width) return false;
      const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const seen = Array.from({ length: width }, (_, x) => Array.from({ length: height }, (_, y) => data[4 * (y * width + x) + 3]).some(Boolean));
      return seen.filter(Boolean).length > 0.9 * width;
    });
  for (const [count, workers] of [[LARGE, 1], [SMALL, 0]]) {
    await opened(async (page) => {
      await page.goto(`${site.url}/trace/?id=${idOf(count)}`);
      await page.locator(".wf-row").first().waitFor();
      await isDrawn(page);
      assert.equal(page.workers().length, workers, `${count} spans`);
      // Another width is another overview, and is drawn when it comes.
      await page.setViewportSize({ width: 1000, height: 800 });
      await isDrawn(page);
    });
  }
});

test("names are found among 100,000 spans", async () => {
  over = [];
  const folder = mkdtempSync(join(tmpdir(), "spoor-gates-"));
  try {
    const esbuild = createRequire(join(process.env.UI_MODULES, "x.js"))("esbuild");
    const source = join(dirname(fileURLToPath(import.meta.url)), "../../ui-static/src/model");
    const contents = ["find", "skeleton"].map((name) => `export * from ${JSON.stringify(join(source, name))};`).join("\n");
    await esbuild.build({ stdin: { contents, resolveDir: source, loader: "ts" }, bundle: true, format: "esm", platform: "node", target: "node18", outfile: join(folder, "model.mjs") });
    const { decodeSkeleton, findSpans } = await import(pathToFileURL(join(folder, "model.mjs")).href);
    const skeleton = decodeSkeleton(await (await fetch(`${site.url}/v1/traces/${idOf(LARGE)}?view=columns`)).json());
    const times = Array.from({ length: 15 }, (_, i) => {
      const begin = process.cpuUsage();
      assert.equal(findSpans(skeleton, `operation ${i}`).count > 0, true);
      const { user, system } = process.cpuUsage(begin);
      return (user + system) / 1000;
    });
    gate("names found among 100,000 spans", median(times), 16);
    assert.deepEqual(over, []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a hundred openings leave nothing behind", { timeout: 300000 }, async () => {
  over = [];
  await opened(async (page, _, session) => {
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
    gate("elements and texts that are kept", before, 5000, "");
    assert.deepEqual(over, []);
  });
});
