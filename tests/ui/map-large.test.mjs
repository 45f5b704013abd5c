// SPDX-License-Identifier: Apache-2.0
// The map of services that make no usual drawing, against the mock: more than one holds, long names that begin alike, none that calls another.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertAccessible, texts, withPage } from "./browser.mjs";
import { withMock } from "./mock.mjs";
import { hex, MS, requestOf, useBrowser } from "./site.mjs";

const T0 = BigInt(Date.now() - 3600000) * MS;
const site = useBrowser();

test("three hundred services: lists to begin with, a matrix of all of them that is only drawn where one looks, and the way to all", async () => {
  const one = (n, id, kind, more = {}) => ({ traceId: hex(n, 32), spanId: hex(id, 16), name: "work", kind, startTimeUnixNano: String(T0), endTimeUnixNano: String(T0 + MS), ...more });
  const services = Array.from({ length: 300 }, () => []);
  for (let i = 1; i < 300; i++) {
    services[i - 1].push(one(i, 2 * i, 3));
    services[i].push(one(i, 2 * i + 1, 2, { parentSpanId: hex(2 * i, 16), status: i % 50 ? {} : { code: 2 } }));
  }
  await withMock(services.map((spans, i) => requestOf({ "service.name": `s${String(i).padStart(3, "0")}` }, spans)), async (url) => {
    await withPage(site.browser, `${url}/map/`, async (page) => {
      await page.locator(".too-many").waitFor();
      assert.deepEqual(await page.locator(".too-many ol").evaluateAll((list) => list.map((e) => e.children.length)), [20, 5]);
      assert.match(await page.locator(".summary").innerText(), /hidden: 300 services, 299 edges\s+show all \(≈ 0\.9 s\)/);
      await assertAccessible(page, "too many");
      await page.getByRole("link", { name: "matrix" }).click();
      const grid = page.getByRole("grid");
      await grid.waitFor();
      assert.deepEqual([await grid.getAttribute("aria-rowcount"), await grid.getAttribute("aria-colcount")], ["300", "300"]);
      assert.ok((await page.locator(".matrix *").count()) < 1000);
      await grid.focus();
      await page.keyboard.press("Control+End");
      await page.getByRole("gridcell", { name: /^s298 → s299: / }).waitFor();
      assert.ok((await page.locator(".matrix *").count()) < 1000);
      await assertAccessible(page, "a large matrix");
      await page.goto(`${url}/map/?view=table`);
      await page.getByRole("table", { name: "Edges" }).waitFor();
      assert.equal(await page.getByRole("table", { name: "Edges" }).locator("tbody tr").count(), 299);
    });
  });
});

test("long names that begin alike are told apart in lists, cards, cells and rows: their ends are seen, and readers have all of each", async () => {
  const name = (i) => `service-with-a-long-name-that-all-have-number-${100 + i}`;
  const one = (id, kind, more) => ({ traceId: hex(1, 32), spanId: hex(id, 16), name: "work", kind, startTimeUnixNano: String(T0), endTimeUnixNano: String(T0 + MS), ...more });
  const services = Array.from({ length: 260 }, () => []);
  for (let i = 1; i < services.length; i++) {
    services[i - 1].push(one(2 * i, 3, i > 1 ? { parentSpanId: hex(2 * i - 1, 16) } : {}));
    services[i].push(one(2 * i + 1, 2, { parentSpanId: hex(2 * i, 16) }));
  }
  await withMock(services.map((spans, i) => requestOf({ "service.name": name(i) }, spans)), async (url) => {
    await withPage(site.browser, `${url}/map/`, async (page) => {
      /** Which of the shown names have their end where it can be seen. */
      const seen = (box) => page.locator(box).evaluateAll((list) => list.map((e) => {
        const [end, own] = [e.querySelector(".halves > :last-child"), e.getBoundingClientRect()];
        return end && end.getBoundingClientRect().right <= own.right + 1 ? end.textContent : "none";
      }));
      await page.locator(".too-many li").first().waitFor();
      // Where there is room, nothing is cut.
      assert.ok(await page.locator(".too-many .halves > :first-child").evaluateAll((list) => list.every((e) => e.scrollWidth <= e.clientWidth)));
      assert.equal(await page.getByRole("link", { name: name(1), exact: true }).count(), 1);
      await page.goto(`${url}/map/?focus=${name(1)}`);
      await page.locator(".graph .node").first().waitFor();
      const cards = await page.locator(".graph .node > text:first-of-type").allTextContents();
      assert.ok(cards.length === 3 && cards.every((t) => /^service-.*….*-10[012]$/.test(t)), cards.join());
      await page.goto(`${url}/map/?view=matrix`);
      await page.locator(".matrix-name").first().waitFor();
      assert.deepEqual((await seen(".matrix-name")).slice(0, 2), ["mber-100", "mber-101"]);
      assert.match((await texts(page, ".matrix-head"))[0], /^service-.*….*-101$/);
      await page.goto(`${url}/trace/?id=${hex(1, 32)}`);
      await page.locator(".wf-row .wf-service.halves").first().waitFor();
      assert.deepEqual((await page.locator(".wf-service.halves:not(.same) > :last-child").allTextContents()).slice(0, 2), ["mber-100", "mber-101"]);
      assert.ok(await page.locator(".wf-service.halves:not(.same)").first().evaluate((e) => e.lastElementChild.getBoundingClientRect().right <= e.getBoundingClientRect().right + 1));
    });
  });
});

/** Services that call one another in a row. */
const inRow = (count) =>
  Array.from({ length: count }, (_, i) => {
    const one = (id, kind, more = {}) => ({ traceId: hex(1, 32), spanId: hex(id, 16), name: "work", kind, startTimeUnixNano: String(T0), endTimeUnixNano: String(T0 + MS), ...more });
    const taken = one(2 * i + 1, 2, i > 0 ? { parentSpanId: hex(2 * i, 16) } : {});
    return requestOf({ "service.name": `s${String(i).padStart(2, "0")}` }, i < count - 1 ? [taken, one(2 * i + 2, 3, { parentSpanId: hex(2 * i + 1, 16) })] : [taken]);
  });

test("a picture says how many labels it leaves out; what is chosen hides none of them in it", async () => {
  const note = (n) => `${n} labels without room left out; the JSON and CSV exports have all numbers`;
  const picture = async (page, name) => {
    await page.keyboard.press("X");
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator(".export .option", { hasText: name }).click()]);
    return readFileSync(await download.path());
  };
  /** Texts of labels, the line below the drawing, and the last line of what the file says of itself. */
  const read = (page, svg) => page.evaluate((text) => {
    const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    const box = root.getAttribute("viewBox").split(" ").map(Number);
    const below = [...root.children].filter((e) => e.tagName === "text");
    return { labels: root.querySelectorAll(".label").length, below: below.map((e) => e.textContent), inside: below.every((e) => Number(e.getAttribute("y")) < box[1] + box[3]), said: root.querySelector("desc").textContent.split("\n").at(-1) };
  }, svg.toString());
  await withMock(inRow(31), (url) => withPage(site.browser, `${url}/map/`, async (page) => {
    await page.locator(".unlabelled", { hasText: "Labels without room: 30." }).waitFor();
    assert.deepEqual(await read(page, await picture(page, "SVG")), { labels: 0, below: [note(30)], inside: true, said: note(30) });
    const png = await picture(page, "PNG 1×");
    assert.ok(png.includes(`\n${note(30)}`));
    // Labels that are seen since a service is chosen are seen in the picture, too.
    await page.goto(`${url}/map/?sel=node:s03`);
    await page.locator(".graph .node.chosen").waitFor();
    assert.deepEqual(await read(page, await picture(page, "SVG")), { labels: 2, below: [note(28)], inside: true, said: note(28) });
  }));
  await withMock(inRow(5), (url) => withPage(site.browser, `${url}/map/?sel=node:s00`, async (page) => {
    await page.locator(".graph .node.chosen").waitFor();
    assert.equal(await page.locator(".graph .label:not(.hidden)").count(), 1);
    const { labels, below, said } = await read(page, await picture(page, "SVG"));
    assert.deepEqual([labels, below], [4, []]);
    assert.doesNotMatch(said, /left out/);
  }));
});

test("services without calls stand there one by one, and it is said why they may be alone", async () => {
  await withMock([requestOf({ "service.name": "shop" }, [{ traceId: hex(1, 32), spanId: hex(1, 16), name: "GET /", kind: 2, startTimeUnixNano: String(T0), endTimeUnixNano: String(T0 + MS) }])], async (url) => {
    await withPage(site.browser, `${url}/map/`, async (page) => {
      await page.locator('.graph [data-node="shop"]').waitFor();
      assert.equal(await page.locator(".graph .node").count(), 1);
      await page.getByText("No client/server pairs in this range: 1 service, alone.").click();
      await page.getByText("Spans of kind “internal”").waitFor();
      await assertAccessible(page, "no pairs");
      await page.getByRole("button", { name: "Matrix" }).click();
      await page.getByText("No calls to show in this range.").waitFor();
      await page.getByRole("button", { name: "Table" }).click();
      await page.getByRole("table", { name: "Services" }).waitFor();
    });
  });
});
