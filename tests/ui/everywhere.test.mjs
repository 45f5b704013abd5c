// SPDX-License-Identifier: Apache-2.0
// What holds on every page, with the recorded shop in a real server: the keyboard reaches everything and is never lost, forced colours and reduced
// motion are followed, and only those pages that were named may show ours in a frame.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertAccessible, comes, goes, until, withPage } from "./browser.mjs";
import { useSite } from "./site.mjs";
import { groupBy, recordedRequests, spansOf } from "./spans.mjs";

const requests = recordedRequests(fileURLToPath(new URL("../data/otel-js-shop/json.tar.gz", import.meta.url))).map((r) => JSON.parse(r.body));
const traces = [...groupBy(requests.flatMap(spansOf), (s) => s.traceId).values()];
/** The one with most failed spans, and one of these. */
const failures = (trace) => trace.filter((s) => s.status === 2).length;
const chosen = [...traces].sort((a, b) => failures(b) - failures(a) || b.length - a.length)[0];
const { traceId } = chosen[0];
const { spanId } = chosen.find((s) => s.status === 2);

const site = useSite({ requests: () => requests, flags: ["--frame-ancestors", "http://127.0.0.1:*"] });

/** Each page in each of its looks, and what is there when it is ready. */
const PAGES = [
  ["/", ".result:not(.head)"],
  ["/?view=histogram", ".chart"],
  ["/?mode=spans", ".result:not(.head)"],
  [`/trace/?id=${traceId}`, ".wf-row"],
  [`/trace/?id=${traceId}&span=${spanId}&root=${spanId}&marks=${spanId}&cp=1&find=a&z=0-1000000`, ".details dl.attributes"],
  [`/trace/?id=${traceId}&view=flame`, ".flame canvas"],
  [`/trace/?id=${traceId}&view=graph`, ".graph .node"],
  [`/trace/?id=${traceId}&view=stats`, "table.stats tbody tr"],
  [`/trace/?id=${traceId}&view=spans`, ".span-line:not(.head)"],
  [`/trace/?id=${traceId}&view=events`, ".event-line:not(.head)"],
  [`/trace/?id=${traceId}&view=json`, ".json-line"],
  ["/trace/", ".empty"],
  ["/map/", ".graph .node"],
  ["/map/?view=radial&focus=checkout", ".graph .node"],
  ["/map/?view=matrix", ".matrix-cell"],
  ["/map/?view=table", ".edges tbody tr"],
  [`/compare/?a=${traceId}&b=${traces.find((t) => t !== chosen)[0].traceId}`, "[role=treegrid] [role=row]"],
  ["/service/", ".edges tbody tr"],
  ["/service/?s=checkout", ".chart"],
  ["/status/", "main h2"],
];

/** One step of a walk: what has the focus, and what is wrong with it. Null: the walk has left the page. */
const stop = () => {
  const e = document.activeElement;
  if (!e || e === document.body || e === document.documentElement) return null;
  window.__stops ??= new Map();
  if (!window.__stops.has(e)) window.__stops.set(e, window.__stops.size);
  const r = e.getBoundingClientRect();
  // Not wholly covered by what is sticky, and not outside of what is seen (WCAG 2.4.11).
  const points = [0.05, 0.5, 0.95].flatMap((x) => [0.1, 0.5, 0.9].map((y) => document.elementFromPoint(r.left + r.width * x, r.top + r.height * y)));
  const seen = points.some((at) => at && (e.contains(at) || at.closest("label")?.contains(e)));
  // The ring is the element's own, that of the frame around a box without one, or that of a card in a drawing, which must not lie below another.
  const ringed = (at) => {
    const style = at && getComputedStyle(at);
    return Boolean(style) && ((style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== "none");
  };
  const strokeOf = (part) => (part ? Number.parseFloat(getComputedStyle(part).strokeWidth) : 0);
  const card = e.matches(".node") && strokeOf(e.querySelector(".card")) >= strokeOf(e.querySelector(".failed")) + 2;
  const ring = card || ringed(e) || ringed(e.closest(".find, .query-frame, label, .field")) || [...e.querySelectorAll("*")].slice(0, 20).some(ringed);
  const name = (e.getAttribute("aria-label") || e.textContent.trim() || e.title || e.labels?.[0]?.textContent || e.getAttribute("aria-labelledby") || "").trim();
  const faults = [seen ? "" : "not seen", ring ? "" : "no ring", name ? "" : "no name"].filter((f) => f);
  return { at: window.__stops.get(e), what: `${e.tagName.toLowerCase()}.${e.getAttribute("class") ?? ""} "${name.replace(/\s+/g, " ").slice(0, 40)}"`, faults };
};

/** Opens each page, waits for what it is for, and visits it. */
async function onEachPage(visit, options) {
  for (const [path, ready] of PAGES) {
    await withPage(
      site.browser,
      site.url + path,
      async (page) => {
        await page.locator(ready).first().waitFor();
        await visit(page, path);
      },
      options,
    );
  }
}

/** More stops than any page has at its first sight. */
const STOPS_MAX = 600;

async function walk(page, path) {
  await page.waitForLoadState("networkidle");
  // Only the press: letting go of the key does nothing here, and takes as long.
  const session = await page.context().newCDPSession(page);
  const faults = [];
  let count = 0;
  for (; count < STOPS_MAX; count++) {
    await session.send("Input.dispatchKeyEvent", { type: "rawKeyDown", key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 });
    const now = await page.evaluate(stop);
    // From the last stop on the browser's own frame has it.
    if (!now || (now.at === 0 && count > 0)) break;
    if (now.at !== count) faults.push(`${now.what} comes again after ${count} stops`);
    if (now.at !== count) break;
    if (now.faults.length > 0) faults.push(`${now.what}: ${now.faults.join(", ")}`);
  }
  await session.detach();
  assert.deepEqual(faults, [], path);
  assert.ok(count > 8 && count < STOPS_MAX, `${path} has ${count} stops`);
}

/** How many elements move by themselves. What appears at once, after a while, does not move. */
const moving = () =>
  [...document.querySelectorAll("*")].filter((e) => {
    const s = getComputedStyle(e);
    return s.transitionDuration.split(",").some((t) => Number.parseFloat(t) > 0) || (s.animationName !== "none" && Number.parseFloat(s.animationDuration) > 0.001) || (s.scrollBehavior === "smooth");
  }).length + document.getAnimations().filter((a) => a.effect.getComputedTiming().duration > 1).length;

/** Backgrounds go in forced colours, and every border has one: dots, triangles and what is a link without looking like a button are still seen as such. */
const lost = () => {
  const all = (selector, fits) => [...document.querySelectorAll(selector)].filter((e) => !fits(e)).map(() => selector);
  const links = all("button.link", (e) => getComputedStyle(e).textDecorationLine === "underline");
  const folds = all(".facet summary, .wf-twisty", (e) => getComputedStyle(e, "::before").clipPath.startsWith("polygon"));
  const dots = all(".live-dot", (e) => getComputedStyle(e).borderTopWidth === "4px" && getComputedStyle(e).borderTopColor !== getComputedStyle(e.parentElement).backgroundColor);
  return [...new Set([...links, ...folds, ...dots])];
};

/** How many pixels of the root's bar, which begins at the left edge of its canvas, have the colour of text; and that colour. */
const borderOfBar = () => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "CanvasText";
  const text = getComputedStyle(probe).color;
  probe.remove();
  const canvas = document.querySelector(".wf-bars");
  const column = canvas.getContext("2d").getImageData(Math.round(canvas.width / 4), 0, 1, 24).data;
  const colours = Array.from({ length: 24 }, (_, y) => `rgb(${column[4 * y]}, ${column[4 * y + 1]}, ${column[4 * y + 2]})`);
  return [colours.filter((c) => c === text).length, text];
};

test("on every page Tab walks through stops that have a name, a ring, are seen, and none is lost or a trap; nothing moves when reduced motion is asked for, and something does otherwise", { timeout: 600000 }, async () => {
  let usual = 0;
  await onEachPage(async (page, path) => {
    assert.equal(await page.evaluate(moving), 0, path);
    await page.emulateMedia({ reducedMotion: "no-preference" });
    usual += await page.evaluate(moving);
    await page.emulateMedia({ reducedMotion: "reduce" });
    await walk(page, path);
  });
  assert.ok(usual > 0, "transitions of those who did not ask");
});

test("at 390 pixels and in forced colours the walk is the same, every page is accessible, and bars have the system's borders", { timeout: 600000 }, async () => {
  await onEachPage(
    async (page, path) => {
      await walk(page, path);
      await page.setViewportSize({ width: 1440, height: 900 });
      await assertAccessible(page, path);
      assert.deepEqual(await page.evaluate(lost), [], path);
      if (!path.endsWith(traceId)) return;
      const [edge, text] = await page.evaluate(borderOfBar);
      assert.ok(edge >= 2, `the border of a bar is ${text}`);
    },
    { forcedColors: "active", width: 390, height: 844 },
  );
});

test("a page that was named shows a trace in a frame, without our bar; the policy names it, and nobody else", async () => {
  const framer = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(`<!doctype html><title>dashboard</title><link rel="icon" href="data:,"><iframe title="trace" width="900" height="600" src="${site.url}/trace/?id=${traceId}&embed=1"></iframe>`);
  });
  await new Promise((done) => framer.listen(0, "127.0.0.1", done));
  const page = await site.browser.newPage();
  try {
    await page.goto(`http://127.0.0.1:${framer.address().port}/`);
    const frame = page.frameLocator("iframe");
    await frame.locator(".wf-row").first().waitFor();
    assert.equal(await frame.locator(".topbar").isVisible(), false);
    // The same server by another name than the one that was named.
    const refused = [];
    page.on("console", (m) => refused.push(m.text()));
    await page.goto(`http://localhost:${framer.address().port}/`);
    await until(async () => refused.some((text) => /frame-ancestors http:\/\/127\.0\.0\.1:\*/.test(text)), true, "the browser says why it shows nothing");
    assert.equal(await frame.locator(".wf-row").count(), 0);
  } finally {
    await page.close();
    await new Promise((done) => framer.close(done));
  }
});

/** Each drawing that waits for an answer, or for its layout: the page, what is held back, the shades that stand for it, how many of them, and what comes instead. */
const SHADES = [
  ["/", "**/v1/heatmap*", ".panels.room > div", 3, ".panels .heat-canvas"],
  ["/?view=heatmap", "**/v1/heatmap*", ".room.heat > div", 1, ".heat-canvas"],
  ["/?view=histogram", "**/v1/heatmap*", ".room.tall > div", 1, ".hist-box"],
  ["/?view=histogram&as=table", "**/v1/heatmap*", ".room.twin > div", 1, ".panels .table-box"],
  ["/?view=timeseries", "**/v1/metrics/*", ".series-room > div", 3, ".series-charts .chart"],
  ["/service/?s=checkout", "**/v1/latency*", ".room.charts > div", 4, ".charts .chart"],
  ["/service/?s=checkout&dur=heat", "**/v1/heatmap*", ".room.bare > div", 1, ".heat-canvas"],
  ["/map/", "**/v1/graph*", ".trace-loading.shows-graph", 1, ".graph .node", "::after"],
  ["/map/", "**/layout.js", ".graph:not(.drawn)", 1, ".graph .node"],
  [`/trace/?id=${traceId}&view=graph`, "**/layout.js", ".graph:not(.drawn)", 1, ".graph .node"],
];

/** Whether a shade is painted, and whether it is seen 149 and 151 ms after somebody has begun to wait: the animation of it, or of what it is in, is set to these times.
 * In one step with finding it: the page may put another in its place. */
const shadeOf = ([selector, pseudo]) => {
  const e = document.querySelector(selector);
  const waits = e.closest(".room, .trace-loading, .graph");
  waits.style.setProperty("--waited", "0ms");
  waits.style.animation = "none";
  getComputedStyle(waits).animationName;
  waits.style.animation = "";
  const [appear] = waits.getAnimations();
  appear.pause();
  const seen = [149, 151].map((ms) => {
    appear.currentTime = ms;
    return getComputedStyle(e, pseudo).visibility;
  });
  return { seen, painted: getComputedStyle(e, pseudo).backgroundImage.includes("gradient"), hidden: waits.matches('[aria-hidden="true"], [role="status"], .graph') };
};

for (const forcedColors of ["none", "active"]) {
  test(`a drawing that is waited for has shades after 150 ms, not before, and they go when it comes${forcedColors === "none" ? "" : ", in forced colours too"}`, { timeout: 300000 }, async () => {
    for (const [path, pattern, shade, count, ready, pseudo] of SHADES) {
      let release;
      const held = new Promise((done) => (release = done));
      const prepare = (page) =>
        goes(page, async (route) => {
          await held;
          await route.continue();
        });
      await withPage(
        site.browser,
        site.url + path,
        async (page) => {
          await page.locator(shade).first().waitFor();
          assert.equal(await page.locator(shade).count(), count, path);
          assert.deepEqual(await page.evaluate(shadeOf, [shade, pseudo]), { seen: ["hidden", "visible"], painted: true, hidden: true }, path);
          release();
          await page.locator(ready).first().waitFor();
          assert.equal(await page.locator(shade).count(), 0, path);
        },
        { breaks: pattern, prepare, forcedColors },
      );
    }
  });
}

test("shades stay where the answer is waited for after the code", async () => {
  let release;
  const held = new Promise((done) => (release = done));
  let code;
  const asked = new Promise((done) => (code = done));
  const prepare = async (page) => {
    await page.route("**/explore-closer*.js", async (route) => {
      code();
      await held;
      await route.continue();
    });
    goes(page, () => undefined);
  };
  await withPage(
    site.browser,
    `${site.url}/?view=histogram`,
    async (page) => {
      await asked;
      const shade = page.locator(".room.tall");
      const first = await shade.elementHandle();
      await page.waitForTimeout(200);
      release();
      await until(() => first.evaluate((e) => e.isConnected), false, "the code has come");
      const waited = await shade.evaluate((e) => Number.parseFloat(e.style.getPropertyValue("--waited")));
      assert.ok(waited >= 200, `waited for ${waited} ms`);
      assert.equal(await shade.evaluate((e) => Number.parseFloat(getComputedStyle(e).animationDelay) <= 0), true);
      comes(page);
      await page.unrouteAll();
      await page.reload();
      await page.locator(".hist-box").waitFor();
    },
    { breaks: "**/v1/heatmap*", prepare },
  );
});

test("the chart of a rate has its room until the past is there", async () => {
  let answer;
  const past = new Promise((done) => (answer = done));
  const prepare = (page) => page.route("**/v1/system/history*", (route) => past.then(() => route.continue()));
  await withPage(
    site.browser,
    `${site.url}/status/`,
    async (page) => {
      const topOfNext = () => page.getByRole("heading", { name: "Requests refused, by reason" }).evaluate((e) => e.getBoundingClientRect().top);
      await page.locator(".status-chart .room").waitFor();
      const before = await topOfNext();
      answer();
      await page.locator(".status-chart .chart").waitFor();
      assert.equal(await page.locator(".room").count(), 0);
      assert.equal(await topOfNext(), before);
    },
    { prepare },
  );
});
