// SPDX-License-Identifier: Apache-2.0
// A name may be as long as it likes, and some are: a whole statement of SQL. No page becomes wide or slow by one.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertNoSidewaysScroll, withPage } from "./browser.mjs";
import { Mock } from "./mock.mjs";
import { hex, requestOf, useBrowser } from "./site.mjs";

const site = useBrowser();

/** Two services that call each other, their names and those of their spans of so many letters each. */
function longNames(letters) {
  const [client, server] = ["c", "s"].map((letter) => letter.repeat(letters));
  const at = (ms) => String(1795350535000000000n + BigInt(ms) * 1000000n);
  const span = (id, parent, name, kind) => ({ traceId: hex(1, 32), spanId: hex(id, 16), parentSpanId: parent ? hex(parent, 16) : "", name, kind, startTimeUnixNano: at(id), endTimeUnixNano: at(100 - id), status: { code: 2 }, events: [{ name: `event ${name}`, timeUnixNano: at(id) }] });
  const [sends, takes] = [span(1, 0, `call ${client}`, 3), span(2, 1, `serve ${server}`, 2)];
  return [requestOf({ "service.name": client }, [sends]), requestOf({ "service.name": server }, [takes, span(3, 2, `inside ${server}`, 1)])];
}

test("names of 2,000 letters make no page wider than the screen", { timeout: 300000 }, async () => {
  const mock = new Mock();
  for (const r of longNames(2000)) mock.add(r);
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  const trace = `/trace/?id=${hex(1, 32)}`;
  const pages = [
    ["/", ".result:not(.head)"],
    [trace, ".wf-row"],
    [`${trace}&span=${hex(2, 16)}&root=${hex(1, 16)}&marks=${hex(1, 16)},${hex(2, 16)}&cp=1`, ".details .pairs"],
    [`${trace}&view=flame`, ".flame canvas"],
    [`${trace}&view=graph`, ".graph .node"],
    [`${trace}&view=stats`, "table.stats tbody tr"],
    [`${trace}&view=spans`, ".span-line:not(.head)"],
    [`${trace}&view=events`, ".event-line:not(.head)"],
    ["/map/", ".graph .node"],
    ["/map/?view=matrix", ".matrix-cell"],
    ["/map/?view=table", ".edges tbody tr"],
    ["/service/", ".edges tbody tr"],
  ];
  try {
    for (const [path, ready] of pages) {
      await withPage(site.browser, url + path, async (page) => {
        await page.locator(ready).first().waitFor({ state: "attached" });
        for (const [width, height] of [[1440, 900], [390, 844]]) {
          await page.setViewportSize({ width, height });
          await page.waitForTimeout(100);
          await assertNoSidewaysScroll(page, `${path} at ${width}`);
        }
      });
    }
  } finally {
    await stop();
  }
});

test("names in the list of events that are too long end in an ellipsis", async () => {
  const mock = new Mock();
  for (const r of longNames(2000)) mock.add(r);
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await withPage(site.browser, `${url}/trace/?id=${hex(1, 32)}&view=events`, async (page) => {
      await page.locator(".event-line:not(.head)").nth(2).waitFor();
      // What is cut is the text itself: a button that is cut by its cell has none.
      for (const name of [".event-line:not(.head) > :nth-child(2)", ".event-line:not(.head) .link"]) {
        const cut = await page.locator(name).evaluateAll((all) => all.map((e) => [getComputedStyle(e).textOverflow, e.scrollWidth > e.clientWidth, e.clientWidth <= e.closest("[role=cell]").clientWidth]));
        assert.deepEqual(cut, Array.from({ length: 3 }, () => ["ellipsis", true, true]), name);
      }
    });
  } finally {
    await stop();
  }
});

test("a name of 300,000 letters is shown by its beginning and its length, and laid out nowhere", async () => {
  const mock = new Mock();
  for (const r of longNames(300_000)) mock.add(r);
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await withPage(site.browser, `${url}/trace/?id=${hex(1, 32)}&by=operation`, async (page) => {
      await page.locator(".wf-row:visible").nth(2).waitFor();
      assert.match(await page.locator(".wf-row").first().getAttribute("title"), /^c+ … 300,000 characters call c+ … 300,005 characters, /);
      for (const key of ["2", "3", "4", "5", "6", "1"]) {
        await page.keyboard.press(key);
        await page.locator(".view-tabs [aria-current]", { hasText: { 1: "Waterfall", 2: "Flame", 3: "Graph", 4: "Stats", 5: "Spans", 6: "Events" }[key] }).waitFor();
      }
      const letters = await page.evaluate(() => document.documentElement.outerHTML.length);
      assert.ok(letters < 200_000, `the document has ${letters} letters`);
    });
    // Files have it whole.
    await withPage(site.browser, `${url}/trace/?id=${hex(1, 32)}&by=operation&view=stats`, async (page) => {
      const take = async (click) => {
        const [download] = await Promise.all([page.waitForEvent("download"), click()]);
        return readFileSync(await download.path(), "utf8");
      };
      const whole = `serve ${"s".repeat(300_000)}`;
      await page.locator("table.stats tbody tr").first().waitFor();
      assert.ok((await page.locator("table.stats").innerText()).includes("300,006 characters"));
      const files = { stats: await take(() => page.getByRole("button", { name: "CSV" }).click()) };
      for (const name of ["CSV", "Perfetto", "speedscope"]) {
        files[name] = await take(async () => {
          await page.getByRole("button", { name: "Export" }).click();
          await page.locator(".menu .option", { hasText: name }).click();
        });
      }
      for (const [name, text] of Object.entries(files)) assert.ok(text.includes(whole), name);
      JSON.parse(files.Perfetto);
      JSON.parse(files.speedscope);
    });
    await withPage(site.browser, `${url}/map/`, async (page) => {
      await page.locator(".graph .node").nth(1).waitFor();
      assert.match(await page.locator(".graph .node text").first().textContent(), /^[cs]{1,50}…[cs]{8}$/);
    });
  } finally {
    await stop();
  }
});
