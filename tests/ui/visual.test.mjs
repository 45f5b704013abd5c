// SPDX-License-Identifier: Apache-2.0
// The six pages as they look, light and dark, wide and narrow, and as a screen reader is told of them; with the recorded shop, at a time that stands still. Pictures are
// compared where Chromium and its fonts are those that made them (golden/made-with.json), elsewhere each is taken twice. To make them anew: ninja -C build goldens.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { withPage } from "./browser.mjs";
import { faultyShop } from "./fault.mjs";
import { comparePicture, compareText, differing, machineOf, noteMachine, readPng, smallPng, strangerTo, writes } from "./golden.mjs";
import { SYSTEM } from "./own.mjs";
import { MS, useSite } from "./site.mjs";
import { groupBy, spansOf } from "./spans.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
/** What the pages take for now, and the end of the half hour that the recording is spread over. */
const NOW = "2026-11-22T12:30:00Z";
const RANGE = new URLSearchParams({ from: "2026-11-22T12:00:00Z", to: NOW });
const { requests } = faultyShop(here("../data/otel-js-shop/json.tar.gz"), { rounds: 1, endNs: BigInt(Date.parse(NOW)) * MS });

/** The one with most failed spans, and one of these; and the next one with the same root. */
const traces = [...groupBy(requests.flatMap(spansOf), (s) => s.traceId).values()];
const failures = (trace) => trace.filter((s) => s.status === 2).length;
const rootOf = (trace) => trace.map((s) => (s.parentSpanId ? "" : `${s.service} ${s.name}`)).join("");
const byFailures = [...traces].sort((a, b) => failures(b) - failures(a) || b.length - a.length || (a[0].traceId < b[0].traceId ? -1 : 1));
const chosen = byFailures[0];
const other = byFailures.find((t) => t !== chosen && rootOf(t) === rootOf(chosen) && failures(t) < failures(chosen));
const { traceId } = chosen[0];
const { spanId } = chosen.find((s) => s.status === 2);
const QUERY = '{ resource.service.name = "checkout" && status = error }';

/** What is there when a page is whole. */
const PAGES = {
  explore: [`/?${new URLSearchParams({ q: QUERY })}&${RANGE}`, ".result:not(.head)"],
  trace: [`/trace/?id=${traceId}&span=${spanId}&cp=1`, ".details dl.attributes"],
  compare: [`/compare/?a=${traceId}&b=${other[0].traceId}`, "[role=treegrid] [role=row]"],
  map: [`/map/?${RANGE}`, ".graph .node"],
  service: [`/service/?s=checkout&${RANGE}`, ".chart"],
  status: ["/status/?tab=storage", "main h2"],
};
const WIDTHS = { 1440: 900, 390: 844 };

const site = useSite({ requests: () => requests });
const results = join(process.env.SPOOR_BUILD_DIR, "tests", "ui", "differs");
let machine = null;

/** How many threads looked at what is chance. */
const SCANNED = '"scanned":{"segments":1,"rows":"12000","bytes":"400000","traces":"100"}';

async function settle(page) {
  await page.clock.setFixedTime(Date.parse(NOW));
  await page.route("**/v1/system", (route) => route.fulfill({ json: SYSTEM }));
  await page.route(/\/v1\/(search|heatmap|facets)/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replace(/"(tookMs|elapsedMs)":\d+/g, '"$1":1').replace(/"scanned":\{[^}]*\}/g, SCANNED) });
  });
}

async function whole(page, ready) {
  await page.locator(ready).first().waitFor();
  await page.waitForLoadState("networkidle");
  await page.locator(".progress.busy").waitFor({ state: "detached" });
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
}

const shotOf = (page) => page.screenshot({ animations: "disabled", caret: "hide" });

/** The first two that nobody could tell apart: a page may still put something into its place. Not byte for byte: without a GPU, round corners
 * differ by one of 256 shades from one picture to the next, now and then. */
async function still(page, name) {
  let last = await shotOf(page);
  for (let i = 0; i < 5; i++) {
    const next = await shotOf(page);
    if (next.equals(last) || differing(readPng(last), readPng(next)) === 0) return next;
    last = next;
  }
  throw new Error(`${name} does not stand still`);
}

/** Where links lead is no part of it, and has the port of the server. */
async function toldOf(page) {
  const lines = (await page.locator("body").ariaSnapshot()).replaceAll(site.url, "").split("\n");
  return lines.filter((line) => !/^ *- \/url: /.test(line)).join("\n");
}

for (const [name, [path, ready]] of Object.entries(PAGES)) {
  test(`${name} looks, and is told, as before`, async (t) => {
    const wrong = [];
    for (const [width, height] of Object.entries(WIDTHS)) {
      for (const dark of [false, true]) {
        const look = `${name}-${width}-${dark ? "dark" : "light"}`;
        await withPage(site.browser, `${site.url}${path}`, async (page) => {
          await whole(page, ready);
          machine ??= await machineOf(site.browser, page);
          const stranger = strangerTo(machine);
          const shot = await still(page, look);
          if (stranger) t.diagnostic(stranger);
          else wrong.push(comparePicture(look, shot, results));
          if (!dark) wrong.push(compareText(`${name}-${width}`, await toldOf(page)));
        }, { width: Number(width), height, dark, prepare: settle });
      }
    }
    assert.deepEqual(wrong.filter(Boolean), [], `compare with the pictures in ${results}; if that is what was wanted: ninja -C build goldens`);
  });
}

test("a picture that is moved by a pixel is another one, and a small file shows what the shot does", async () => {
  await withPage(site.browser, `${site.url}${PAGES.map[0]}`, async (page) => {
    await whole(page, PAGES.map[1]);
    const shot = readPng(await still(page, "map"));
    assert.ok(differing(shot, readPng(smallPng(shot))) < 0.0001);
    await page.evaluate(() => document.body.style.setProperty("transform", "translateX(1px)"));
    const moved = differing(shot, readPng(await still(page, "map")));
    assert.ok(moved > 0.001, String(moved));
  }, { prepare: settle });
});

after(() => {
  if (writes && machine) noteMachine(machine);
});
