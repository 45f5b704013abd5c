// SPDX-License-Identifier: Apache-2.0
// A name may be as long as it likes, and some are: a whole statement of SQL. No page becomes wide or slow by one.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertAccessible, assertNoSidewaysScroll, withPage } from "./browser.mjs";
import { Mock } from "./mock.mjs";
import { hex, requestOf, useSite } from "./site.mjs";

/** Alike but for their ends. */
const alike = (n) => `a-name-that-is-so-long-that-no-column-has-room-for-all-of-it-and-that-differs-at-its-end-only-${100 + n}`;
const idOf = (n) => hex(0xa11c_e000 + n, 32);

/** Sixty traces of two kinds, of which one has one value of an attribute, the other another one. */
function manyAlike() {
  const T0 = BigInt(Date.now() - 600000) * 1000000n;
  const span = (n, id, kind, name, more) => ({ traceId: idOf(n), spanId: hex(2 * n + id, 16), name, kind, startTimeUnixNano: String(T0 + BigInt(n) * 1000000n), endTimeUnixNano: String(T0 + BigInt(n + 5) * 1000000n), ...more });
  const values = (n) => [{ key: `${alike(5)}-key`, value: { stringValue: alike(20 + (n % 2)) } }, { key: "body", value: { stringValue: `${"v".repeat(400)} the end ${n % 2}` } }];
  const numbers = Array.from({ length: 60 }, (_, i) => i + 1);
  return [
    requestOf({ "service.name": alike(1) }, numbers.map((n) => span(n, 0, 3, alike(10 + (n % 2)), { attributes: values(n) }))),
    requestOf({ "service.name": alike(2) }, numbers.map((n) => span(n, 1, 2, "take", { parentSpanId: hex(2 * n, 16) }))),
  ];
}

const site = useSite({ requests: manyAlike });

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

/** Of each name that is cut in its middle: its end, whether that is seen, and what a reader is told. */
const cuts = (page, where) =>
  page.locator(`${where} .halves`).evaluateAll((list) => list.filter((e) => e.firstElementChild.scrollWidth > e.firstElementChild.clientWidth).map((e) => {
    const [end, box] = [e.lastElementChild.getBoundingClientRect(), e.parentElement.getBoundingClientRect()];
    return [e.lastElementChild.textContent, end.width > 0 && end.right <= box.right + 1 && end.right <= innerWidth, e.getAttribute("aria-label")];
  }));
/** What is said of the first of them, to the pointer. */
async function toldOf(page, where) {
  const name = page.locator(`${where} .halves`).first();
  await name.hover();
  return name.evaluate((e) => e.closest("[title]")?.title ?? "");
}

test("facets cut long values and keys in their middle: those that begin alike are told apart, and told whole", async () => {
  await withPage(site.browser, `${site.url}/`, async (page) => {
    const services = '.facet[data-key="resource.service.name"] li';
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 900 });
      await page.locator(`${services} .halves`).nth(1).waitFor();
      assert.deepEqual((await cuts(page, services)).sort(), [["only-101", true, alike(1)], ["only-102", true, alike(2)]], `at ${width}`);
      await page.locator(`.facet[data-key$="-key"] li .halves`).nth(1).waitFor();
      assert.deepEqual((await cuts(page, '.facet[data-key$="-key"] summary')).map(([end, seen]) => [end, seen]), [["-105-key", true]], `at ${width}`);
      assert.deepEqual((await cuts(page, '.facet[data-key$="-key"] li')).map(([end, seen]) => `${end} ${seen}`).sort(), ["only-120 true", "only-121 true"], `at ${width}`);
    }
    assert.ok((await toldOf(page, services)).startsWith(`${alike(1)}: 60 spans`));
    assert.equal(await toldOf(page, '.facet[data-key$="-key"] summary'), `span.${alike(5)}-key`);
    await assertAccessible(page, "facets of long names");
  });
});

test("the Compare page cuts calls, cards and values in their middle", async () => {
  const at = (params) => `${site.url}/compare/?${new URLSearchParams(params)}`;
  const two = { a: idOf(1), b: idOf(2) };
  await withPage(site.browser, at(two), async (page) => {
    const calls = ".cmp-row:not(.head) .cmp-name";
    const said = (n) => `${alike(1)} ${alike(10 + n)}`;
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 900 });
      await page.locator(calls).nth(3).waitFor();
      const found = (await cuts(page, calls)).sort();
      assert.deepEqual([...new Map(found.map((f) => [f[0], f])).values()], [["102 take", true, `${alike(2)} take`], ["only-110", true, said(0)], ["only-111", true, said(1)]], `at ${width}`);
      await assertNoSidewaysScroll(page, `calls at ${width}`);
    }
    assert.match(await toldOf(page, calls), new RegExp(`^${alike(1)} ${alike(11)} \\(client\\)$`));
    // The service is said in a lower voice, its operation is not.
    assert.deepEqual(await page.locator(`${calls} .halves`).first().evaluate((e) => [...e.querySelectorAll(".dim")].map((d) => d.textContent)), [alike(1)]);
    await assertAccessible(page, "calls with long names");
    await page.goto(at({ ...two, tab: "graph" }));
    await page.locator(".cmp-card").nth(3).waitFor();
    const cards = await page.locator(".cmp-card text:first-of-type").allTextContents();
    assert.ok(cards.some((t) => /^a-name-.+….*nly-110$/.test(t)) && cards.some((t) => /^a-name-.+….*nly-111$/.test(t)), cards.join());
    await page.goto(at({ ...two, tab: "attrs" }));
    const value = page.locator("tr", { hasText: "body" }).locator("td.a");
    await value.getByRole("button", { name: "all 410 characters" }).waitFor();
    assert.match(await value.innerText(), /^v+…he end 1 all 410 characters$/);
    await value.getByRole("button").click();
    assert.equal(await value.innerText(), `${"v".repeat(400)} the end 1 less`);
    const set = (n) => `q:{ name = "${alike(10 + n)}" }`;
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.goto(at({ a: set(0), b: set(1), tab: "attrs" }));
    await page.locator(".cmp-value .halves").first().waitFor();
    const values = (await cuts(page, ".cmp-value")).filter(([end]) => /^only-12/.test(end)).sort();
    assert.deepEqual(values, [["only-120", true, alike(20)], ["only-121", true, alike(21)]]);
    // A way of its own has its whole name for who comes to it with the keyboard.
    await page.getByRole("link", { name: alike(20) }).focus();
    assert.equal(await page.getByRole("link", { name: alike(20) }).locator(".halves").getAttribute("title"), alike(20));
    // On a narrow screen a value has lines of its own, and all of it is there.
    await page.setViewportSize({ width: 390, height: 900 });
    assert.deepEqual(await cuts(page, ".cmp-value"), []);
    await assertNoSidewaysScroll(page, "values at 390");
  });
});
