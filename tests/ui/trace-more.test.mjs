// SPDX-License-Identifier: Apache-2.0
// The Trace page against the mock: the way back to the search and on to another one, values as trees, what is copied and saved whole.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, assertNoSidewaysScroll, until, withPage } from "./browser.mjs";
import { Mock } from "./mock.mjs";
import { hex, requestOf, useBrowser } from "./site.mjs";

const site = useBrowser();
const T0 = 1795350535000000000n;
const TRACE = hex(0x66, 32);
const ns = (ms) => String(T0 + BigInt(ms) * 1000000n);
const string = (key, value) => ({ key, value: { stringValue: value } });

/** web calls cart, which fails; both have a user. Another trace has no error. */
function spans(attributes = []) {
  const span = (trace, id, parent, name, more) => ({ traceId: trace, spanId: hex(id, 16), parentSpanId: parent ? hex(parent, 16) : "", name, kind: 2, startTimeUnixNano: ns(id), endTimeUnixNano: ns(100 - id), ...more });
  return [
    requestOf({ "service.name": "web" }, [span(TRACE, 1, 0, "GET /", { attributes: [string("user", "ada")] }), span(hex(0x67, 32), 1, 0, "GET /")]),
    requestOf({ "service.name": "cart" }, [span(TRACE, 2, 1, "add", { status: { code: 2 }, attributes: [string("item", "book"), ...attributes] })]),
  ];
}

async function withTrace(path, look, { attributes, ...options } = {}) {
  const mock = new Mock();
  for (const r of spans(attributes)) mock.add(r);
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await withPage(site.browser, url + path, (page) => look(page, url, mock), options);
  } finally {
    await stop();
  }
}

const row = (page, label) => page.locator(`.wf-row[aria-label^="${label}"]`);
const back = (page) => page.locator(".trace-head .back");
const tab = (page) => page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Explore" });
const QUERY = "{ status = error }";
const SEARCH = `/?${new URLSearchParams({ q: QUERY, from: "2026-11-01T00:00:00Z", view: "heatmap", sort: "-duration" })}`;

test("from a trace that was opened in a search the arrow and Explore lead to that very search", async () => {
  await withTrace(SEARCH, async (page) => {
    const search = page.url();
    await page.locator(".result:not(.head) a").first().click();
    await row(page, "cart add").waitFor();
    assert.equal(await back(page).getAttribute("title"), `Back to the search: ${QUERY}`);
    for (const link of [back(page), tab(page)]) assert.equal(await link.getAttribute("href"), search);
    // Through other views, a reload and back, but not from another page.
    await page.keyboard.press("2");
    await page.locator(".flame canvas").waitFor();
    await page.reload();
    await page.locator(".flame canvas").waitFor();
    assert.equal(await back(page).getAttribute("href"), search);
    await page.goBack();
    assert.equal(await tab(page).getAttribute("href"), search);
    await assertAccessible(page, "trace with a way back");
    await back(page).click();
    await page.locator(".result:not(.head)").first().waitFor();
    assert.equal(page.url(), search);
  });
});

test("a trace in a new tab knows the search that it was opened from, once", async () => {
  await withTrace(SEARCH, async (page) => {
    const search = page.url();
    const link = page.locator(".result:not(.head) a").first();
    await link.waitFor();
    const ways = {
      "Ctrl and a click": () => link.click({ modifiers: ["Control"] }),
      "the middle button": () => link.click({ button: "middle" }),
      "Ctrl and Enter": async () => {
        await page.keyboard.press("j");
        await page.keyboard.press("Control+Enter");
      },
    };
    for (const [way, open] of Object.entries(ways)) {
      const [other] = await Promise.all([page.context().waitForEvent("page"), open()]);
      await back(other).waitFor();
      assert.equal(await back(other).getAttribute("href"), search, way);
      const address = other.url();
      await other.close();
      assert.equal(await page.evaluate(() => localStorage.getItem("spoor.opened")), "[]", way);
      const again = await page.context().newPage();
      await again.goto(address);
      await back(again).waitFor();
      assert.notEqual(await back(again).getAttribute("href"), search, `${way}, and its address given to somebody`);
      await again.close();
    }
  });
});

test("without a search the arrow leads to the time of the trace, and to none that somebody else has made up", async () => {
  await withTrace(`/trace/?id=${TRACE}`, async (page, url) => {
    await row(page, "cart add").waitFor();
    const asked = new URL(await back(page).getAttribute("href")).searchParams;
    assert.equal(await back(page).getAttribute("title"), "Search the hour up to this trace");
    assert.ok(BigInt(asked.get("from")) < T0 && BigInt(asked.get("to")) > T0 && !asked.has("q"));
    await page.evaluate(() => history.replaceState({ before: "https://example.org/" }, ""));
    await page.reload();
    await row(page, "cart add").waitFor();
    assert.ok((await back(page).getAttribute("href")).startsWith(`${url}/?`));
    await page.goto(`${url}/trace/?id=${TRACE}&embed=1`);
    await row(page, "cart add").waitFor();
    assert.equal(await back(page).isVisible(), false);
    for (const [width, height] of [[1440, 900], [390, 844]]) {
      await page.setViewportSize({ width, height });
      await page.goto(`${url}/trace/?id=${TRACE}`);
      await back(page).waitFor();
      await assertNoSidewaysScroll(page, `the head at ${width}`);
      const [arrow, heading] = [await back(page).boundingBox(), await page.locator("h1").boundingBox()];
      assert.ok(arrow.x + arrow.width <= heading.x && Math.abs(arrow.y + arrow.height / 2 - heading.y - heading.height / 2) < 8, "the arrow stands before the heading");
    }
  });
});

test("a condition from a span goes into the search: on what it found, or as another span that the trace has", async () => {
  await withTrace(SEARCH, async (page) => {
    const search = new URL(page.url()).searchParams;
    await page.locator(".result:not(.head) a").first().click();
    const query = async (key, which = "this") => {
      const link = page.getByRole("link", { name: `Search traces with ${which} ${key}`, exact: true });
      await link.waitFor();
      return new URL(await link.getAttribute("href")).searchParams.get("q");
    };
    await row(page, "cart add").click();
    await until(() => query("item"), '{ status = error && span.item = "book" }');
    assert.equal(await query("item", "another"), '{ status = error && span.item != "book" }');
    await row(page, "web GET /").click();
    await until(() => query("user"), '{ status = error } && { span.user = "ada" }');
    await row(page, "cart add").click();
    await page.getByRole("link", { name: "Search traces with this item", exact: true }).dispatchEvent("click");
    await page.locator(".result:not(.head)").first().waitFor();
    const now = new URL(page.url()).searchParams;
    search.set("q", '{ status = error && span.item = "book" }');
    assert.deepEqual([...now].sort(), [...search].sort());
  });
});

const copied = (page, click) =>
  page.evaluate(() => {
    navigator.clipboard.writeText = async (text) => {
      window.copied = text;
    };
  }).then(click).then(() => page.waitForFunction(() => window.copied !== undefined)).then(() =>
    page.evaluate(() => {
      const text = window.copied;
      delete window.copied;
      return text;
    }),
  );

test("JSON in a value is a tree that opens by key and click, with all of its items, and is copied as it was sent", async () => {
  const list = { id: 0, items: Array.from({ length: 1250 }, (_, i) => ({ sku: `s${i}` })), deep: JSON.parse("[".repeat(120) + "]".repeat(120)) };
  const sent = JSON.stringify(list).replace('"id":0', '"id":12345678901234567890');
  const attributes = [string("payload", sent), string("text", "{not json"), { key: "list", value: { arrayValue: { values: [{ intValue: "1" }, { stringValue: "two" }] } } }];
  await withTrace(
    `/trace/?id=${TRACE}&span=${hex(2, 16)}`,
    async (page) => {
      const value = (key) => page.locator(".details .attributes > div", { has: page.locator("dt", { hasText: new RegExp(`^${key}$`) }) });
      const payload = value("payload");
      await payload.locator(".tree-leaf", { hasText: "id: 12345678901234567890" }).waitFor();
      assert.deepEqual(await value("list").locator(".tree-leaf").allInnerTexts(), ["0: 1", '1: "two"']);
      assert.equal(await value("text").locator("dd .value").innerText(), "{not json");
      assert.equal(await value("text").locator("details").count(), 0);
      const items = payload.locator("summary", { hasText: "items: [ 1,250 items ]" });
      assert.match(await items.innerText(), /\{…, \{…, \{…$/);
      await items.focus();
      await page.keyboard.press("Enter");
      // The items, "deep", and all around them.
      await until(() => payload.locator("summary").count(), 103);
      await payload.getByRole("button", { name: "Show 1,000 more of 1,250" }).click();
      await payload.getByRole("button", { name: "Show 150 more of 1,250" }).click();
      await payload.locator("summary", { hasText: "1249: { 1 key }" }).click();
      await payload.locator(".tree-leaf", { hasText: 'sku: "s1249"' }).waitFor();
      await items.click();
      await until(() => payload.locator("summary").count(), 3);
      // As deep as it goes.
      for (let level = 1; level < 100; level++) await payload.locator("summary").last().evaluate((e) => e.click());
      await payload.getByText("deeper than 100 levels").waitFor();
      assert.match(await payload.locator("summary").last().innerText(), /level 100$/);
      assert.equal(await page.locator(".details-body").evaluate((e) => e.scrollWidth - e.clientWidth), 0);
      await assertAccessible(page, "details with trees");
      await payload.hover();
      assert.equal(await copied(page, () => payload.getByRole("button", { name: "Copy value of payload" }).click()), sent);
      assert.equal(await copied(page, () => payload.getByRole("button", { name: "Copy key payload" }).click()), "payload");
      assert.equal(await copied(page, () => value("list").getByRole("button", { name: "Copy list with its value" }).click({ force: true })), 'list="[1, \\"two\\"]"');
      await payload.getByRole("button", { name: "raw" }).click();
      assert.ok((await payload.locator(".value").innerText()).startsWith('{"id":12345678901234567890,"items":[{"sku":"s0"}'));
      assert.equal(await payload.locator("details").count(), 0);
    },
    { attributes },
  );
});

test("a value that is too long for a tree says so", async () => {
  await withTrace(
    `/trace/?id=${TRACE}&span=${hex(2, 16)}`,
    async (page) => {
      await page.getByText("longer than 262,144 characters: no tree").waitFor();
      assert.equal(await page.locator(".attributes details").count(), 0);
    },
    { attributes: [string("payload", JSON.stringify(["x".repeat(300_000)]))] },
  );
});

test("details that are docked below are as high as the person wants, by pointer and key", async () => {
  await withTrace(
    `/trace/?id=${TRACE}&span=${hex(2, 16)}`,
    async (page) => {
      const edge = page.getByRole("separator", { name: "Height of the panel" });
      const high = async () => Math.round((await page.locator(".details").boundingBox()).height);
      const step = async (key, expected) => {
        await page.keyboard.press(key);
        await until(high, expected, key);
        await until(async () => Number(await edge.getAttribute("aria-valuenow")), expected, `${key}, told`);
      };
      await edge.waitFor();
      const usual = await high();
      await edge.focus();
      await until(async () => Number(await edge.getAttribute("aria-valuenow")), usual, "told before it was moved");
      await step("ArrowUp", usual + 20);
      await step("ArrowDown", usual);
      await step("End", 540);
      await step("Home", 180);
      await assertAccessible(page, "details below");
      const { x, y, width } = await edge.boundingBox();
      await page.mouse.move(x + width / 2, y + 4);
      await page.mouse.down();
      await page.mouse.move(x + width / 2, 500, { steps: 4 });
      await page.mouse.up();
      await until(high, 400, "dragged");
      await page.reload();
      await edge.waitFor();
      assert.equal(await high(), 400, "kept");
      assert.equal(await page.getByRole("separator", { name: "Width of the panel" }).isVisible(), false);
      // Where it is wide a person may dock it below; on a narrow screen it is a sheet.
      await page.setViewportSize({ width: 1440, height: 900 });
      assert.equal(await edge.isVisible(), false);
      await page.getByRole("button", { name: "Details at the bottom" }).click();
      await edge.waitFor();
      assert.equal(await page.getByRole("separator", { name: "Width of the panel" }).isVisible(), false);
      await edge.focus();
      await step("ArrowUp", 420);
      await page.setViewportSize({ width: 390, height: 844 });
      await until(high, 844, "a sheet");
      assert.equal(await edge.isVisible(), false);
    },
    { width: 1000 },
  );
});

test("the duration beside a bar keeps away from events at its ends", async () => {
  const mock = new Mock();
  const span = (id, from, to, event) => ({ traceId: TRACE, spanId: hex(id, 16), parentSpanId: id > 1 ? hex(1, 16) : "", name: `call ${id}`, kind: 1, startTimeUnixNano: ns(from), endTimeUnixNano: ns(to), events: [{ timeUnixNano: ns(event), name: "done" }] });
  // Beside which there is room at the right, only at the left, and none.
  mock.add(requestOf({ "service.name": "web" }, [span(1, 0, 1000, 1000), span(2, 100, 500, 500), span(3, 600, 1000, 600)]));
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await withPage(site.browser, `${url}/trace/?id=${TRACE}`, async (page) => {
      await row(page, "web call 3").waitFor();
      await page.evaluate(() => {
        window.__drawn = { labels: [], diamonds: [] };
        const { fillText, moveTo } = CanvasRenderingContext2D.prototype;
        CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
          if (/\d m?s$/.test(text)) window.__drawn.labels.push({ text, x, y, w: this.canvas.width, end: x + this.measureText(text).width });
          return fillText.call(this, text, x, y);
        };
        CanvasRenderingContext2D.prototype.moveTo = function (x, y) {
          window.__drawn.diamonds.push({ x, y, w: this.canvas.width });
          return moveTo.call(this, x, y);
        };
      });
      await page.setViewportSize({ width: 1400, height: 900 });
      await page.waitForFunction(() => window.__drawn.labels.length >= 3 && window.__drawn.diamonds.length >= 3);
      // Of drawings of one width: there may be one on the way. The upper corner of a diamond is 5 pixels above the middle of its bar, half a pixel above which the text stands.
      const gaps = await page.evaluate(() => {
        const { labels, diamonds } = window.__drawn;
        return labels.flatMap((l) => diamonds.filter((d) => d.w === l.w && Math.abs(d.y + 5.5 - l.y) < 1).map((d) => ({ text: l.text, gap: Math.max(l.x - (d.x + 5), d.x - 5 - l.end) })));
      });
      assert.deepEqual([...new Set(gaps.map((g) => g.text))].sort(), ["1.00 s", "400 ms"]);
      assert.ok(gaps.every((g) => g.gap >= 4), JSON.stringify(gaps));
    });
  } finally {
    await stop();
  }
});

test("no label of a drawing lies on another; what has no room is counted, and shown by its line", async () => {
  const mock = new Mock();
  const of = new Map();
  const span = (service, id, parent) => of.set(service, [...(of.get(service) ?? []), { traceId: TRACE, spanId: hex(id, 16), parentSpanId: parent ? hex(parent, 16) : "", name: "call", kind: 2, startTimeUnixNano: ns(id), endTimeUnixNano: ns(id + 5) }]);
  // As many lines as labels are drawn of; most go through the same gap.
  span("front", 1, 0);
  for (let i = 0; i < 4; i++) {
    span(`caller-${i}`, 10 + 10 * i, 1);
    for (let k = 0; k < 6; k++) span(`store-${k}`, 11 + 10 * i + k, 10 + 10 * i);
  }
  for (const [service, spans] of of) mock.add(requestOf({ "service.name": service }, spans));
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await withPage(site.browser, `${url}/trace/?id=${TRACE}&view=graph`, async (page) => {
      await page.locator(".graph .node").first().waitFor();
      const labels = () => page.locator(".graph .label:not(.hidden) rect").evaluateAll((list) => list.map((e) => e.getBoundingClientRect().toJSON()));
      const shown = await labels();
      const overlaps = shown.filter((a, i) => shown.some((b, j) => i < j && Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1));
      assert.deepEqual(overlaps, []);
      const hidden = 28 - shown.length;
      assert.ok(hidden > 0 && shown.length > 14, `${hidden} have no room`);
      assert.match(await page.locator(".unlabelled").innerText(), new RegExp(`^Labels without room: ${hidden}\\.`));
      const [edge, text] = await page.locator(".graph .label.hidden").first().evaluate((e) => [e.getAttribute("data-label"), e.textContent]);
      const [client, server] = JSON.parse(edge);
      const line = page.locator(`.graph .edge[data-edge^='${JSON.stringify([client, server]).slice(0, -1)}']`);
      await line.dispatchEvent("pointerover", { pointerType: "mouse", bubbles: true });
      await page.locator(".graph .label:not(.hidden)", { hasText: text }).waitFor();
      assert.equal((await labels()).length, 1);
      // At a card only those labels show that have room.
      await page.locator('.graph [data-node="caller-0"]').dispatchEvent("pointerover", { pointerType: "mouse", bubbles: true });
      await page.waitForFunction(() => document.querySelectorAll(".graph .label:not(.hidden)").length > 1);
      assert.ok((await labels()).length <= 7);
      await assertAccessible(page, "a dense graph");
      await page.getByRole("button", { name: "Table" }).click();
      assert.equal(await page.locator(".edges tbody tr").count(), 28);
    });
  } finally {
    await stop();
  }
});

test("details of a span that the address names have its percentile", async () => {
  await withTrace("/", async (page, url, mock) => {
    for (let i = 0; i < 30; i++) mock.add(requestOf({ "service.name": "web" }, [{ traceId: hex(0x100 + i, 32), spanId: hex(i + 1, 16), name: "GET /", kind: 2, startTimeUnixNano: ns(-i), endTimeUnixNano: ns(i) }]));
    await page.goto(`${url}/trace/?id=${TRACE}&span=${hex(1, 16)}`);
    await page.locator(".details dt", { hasText: "Percentile" }).waitFor();
    assert.match(await page.locator(".details").innerText(), /slower than \d+ % of 32 spans/);
  });
});

test("a critical path that ends long before the trace says so", async () => {
  await withTrace(`/trace/?id=${TRACE}&cp=1`, async (page, url, mock) => {
    await page.locator(".critical", { hasText: "segments; most of it:" }).waitFor();
    mock.add(requestOf({ "service.name": "web" }, [{ traceId: TRACE, spanId: hex(9, 16), parentSpanId: hex(1, 16), name: "sweep", kind: 1, startTimeUnixNano: ns(150), endTimeUnixNano: ns(1001) }]));
    await page.reload();
    await page.locator(".critical", { hasText: "98.0 ms of 1.00 s: it ends with the root; most of it:" }).waitFor();
  });
});
