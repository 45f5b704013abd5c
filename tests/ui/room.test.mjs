// SPDX-License-Identifier: Apache-2.0
// The room that parts of a page take: panels are as wide as a person wants, by mouse and by keyboard; what is cut off is told in full; nothing is wider than
// a window of 320 pixels. And what a window is called.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, assertNoSidewaysScroll, withPage } from "./browser.mjs";
import { Mock } from "./mock.mjs";
import { hex, useBrowser } from "./site.mjs";

const site = useBrowser();

const TRACE = hex(0x51, 32);
const T0 = BigInt(Date.now() - 600_000) * 1_000_000n;
const span = (id, parent, kind, name) => ({
  traceId: TRACE, spanId: hex(id, 16), ...(parent ? { parentSpanId: hex(parent, 16) } : {}), kind, name,
  startTimeUnixNano: String(T0 + BigInt(id) * 1_000_000n), endTimeUnixNano: String(T0 + 90_000_000n),
});
const request = (service, spans) => ({ resourceSpans: [{ resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] }, scopeSpans: [{ spans }] }] });

/** A shop of two services and one trace. */
async function withShop(run) {
  const mock = new Mock();
  for (const r of [request("web", [span(1, 0, 2, "GET /"), span(2, 1, 3, "call cart")]), request("cart", [span(3, 2, 2, "add")])]) mock.add(r);
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await run(url, mock);
  } finally {
    await stop();
  }
}

const edge = (page, name) => page.getByRole("separator", { name });
const numbers = (locator) => locator.evaluate((e) => ["aria-valuenow", "aria-valuemin", "aria-valuemax"].map((a) => Number(e.getAttribute(a))));
const widthOf = (page, selector) => page.locator(selector).evaluate((e) => e.getBoundingClientRect().width);

async function dragBy(page, locator, pixels) {
  const box = await locator.boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + pixels / 2, y, { steps: 3 });
  await page.mouse.move(x + pixels, y);
  await page.mouse.up();
}

/** Each page that has a panel at its right, and what opens it. */
const PANELS = [
  ["Explore", "", async (page) => {
    await page.locator(".result:not(.head)").first().waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Space");
  }],
  ["Trace", `trace/?id=${TRACE}&span=${hex(2, 16)}`, async () => undefined],
  ["Map", "map/?view=table", async (page) => page.locator(".table-box", { hasText: "Service" }).getByRole("button", { name: "cart" }).first().click()],
];

for (const [name, address, open] of PANELS) {
  test(`${name}: the panel is as wide as it is dragged or pushed, from 320 pixels to 60 % of the window, and stays so`, async () => {
    await withShop(async (url) => {
      await withPage(site.browser, `${url}/${address}`, async (page) => {
        await open(page);
        const handle = edge(page, "Width of the panel");
        await handle.waitFor();
        assert.deepEqual(await numbers(handle), [420, 320, 864]);
        assert.equal(await widthOf(page, ".details"), 420);
        await dragBy(page, handle, -100);
        assert.equal(await widthOf(page, ".details"), 520);
        assert.equal((await numbers(handle))[0], 520);
        await handle.focus();
        await page.keyboard.press("ArrowRight");
        assert.equal(await widthOf(page, ".details"), 500);
        await page.keyboard.press("ArrowLeft");
        assert.equal((await numbers(handle))[0], 520);
        await page.keyboard.press("End");
        assert.equal(await widthOf(page, ".details"), 864);
        await page.keyboard.press("Home");
        assert.equal(await widthOf(page, ".details"), 320);
        await dragBy(page, handle, 300);
        assert.equal(await widthOf(page, ".details"), 320, "no narrower than it can be read");
        await page.keyboard.press("ArrowLeft");
        await assertAccessible(page, `${name} with its panel`);
        await page.reload();
        await open(page);
        await handle.waitFor();
        assert.equal(await widthOf(page, ".details"), 340, "kept in this browser");
        // What was chosen in a larger window leaves room in a smaller one; where the panel is docked below there is nothing to push.
        await handle.focus();
        await page.keyboard.press("End");
        await page.setViewportSize({ width: 1250, height: 800 });
        assert.equal(await widthOf(page, ".details"), 750);
        await page.setViewportSize({ width: 1000, height: 800 });
        await handle.waitFor({ state: "hidden" });
      });
    });
  });
}

test("the names of the waterfall have an edge that says how wide they are", async () => {
  await withShop(async (url) => {
    await withPage(site.browser, `${url}/trace/?id=${TRACE}`, async (page) => {
      await page.locator(".wf-row").first().waitFor();
      const handle = edge(page, "Width of the names");
      const names = () => page.locator(".wf-host").evaluate((e) => Number.parseFloat(getComputedStyle(e).getPropertyValue("--name-width")));
      const [first, least] = await numbers(handle);
      assert.equal(first, await names());
      assert.equal(least, 220);
      await handle.focus();
      await page.keyboard.press("ArrowRight");
      assert.deepEqual([await names(), (await numbers(handle))[0]], [first + 20, first + 20]);
      await dragBy(page, handle, -80);
      const dragged = await names();
      assert.ok(Math.abs(dragged - (first - 60)) <= 5, `${first} + 20 - 80 is not ${dragged}`);
      assert.equal((await numbers(handle))[0], dragged);
      await page.keyboard.press("Home");
      assert.equal(await names(), 220);
      await page.keyboard.press("End");
      const [now, , most] = await numbers(handle);
      assert.deepEqual([now, await names()], [most, most]);
      // Another width of the window: the edge knows.
      await page.setViewportSize({ width: 1250, height: 800 });
      await page.waitForFunction(([element, before]) => Number(element.getAttribute("aria-valuenow")) < before, [await handle.elementHandle(), now]);
      assert.equal((await numbers(handle))[0], await names());
    });
  });
});

test("a window is called by what it shows", async () => {
  await withShop(async (url) => {
    const titles = [
      ["", "Explore · Spoor"],
      [`?q=${encodeURIComponent("{ status = error }")}`, "{ status = error } · Explore · Spoor"],
      [`trace/?id=${TRACE}`, `web GET / · ${TRACE.slice(0, 8)} · Spoor`],
      [`trace/?id=${hex(9, 32)}`, `Trace ${hex(9, 32).slice(0, 8)} · Spoor`],
      [`compare/?a=${TRACE}&b=q:${encodeURIComponent("{ name = \"add\" }")}`, `${TRACE.slice(0, 8)} and { name = "add" } · Compare · Spoor`],
      ["compare/", "Compare · Spoor"],
      ["map/", "Map · Spoor"],
      ["map/?focus=cart", "cart · Map · Spoor"],
      ["service/", "Services · Spoor"],
      ["service/?s=cart", "cart · Spoor"],
      ["service/?s=cart&op=add", "add · cart · Spoor"],
      ["status/?tab=limits", "Limits · Status · Spoor"],
    ];
    // The mock has no answer for some of what these pages ask.
    await withPage(site.browser, url, async (page) => {
      for (const [address, title] of titles) {
        await page.goto(`${url}/${address}`);
        await page.waitForFunction((wanted) => document.title === wanted, title).catch(async () => assert.equal(await page.title(), title, address));
      }
    }, { expectErrors: true });
  });
});

test("a name that is cut off is told in full to the pointer and to the keyboard, and only then", async () => {
  const name = "a service whose name is longer than any column of a table has room for, as names of services are where people let them be made by machines";
  const mock = new Mock();
  for (const r of [request(name, [span(1, 0, 2, "GET /")]), request("short", [span(2, 1, 2, "add")])]) mock.add(r);
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await withPage(site.browser, `${url}/map/?view=table`, async (page) => {
      const cell = (text) => page.getByRole("table", { name: "Services" }).locator(".clip", { hasText: text });
      await cell(name).waitFor();
      assert.equal(await cell(name).getAttribute("title"), null);
      await cell(name).hover();
      assert.equal(await cell(name).getAttribute("title"), name);
      await cell("short").hover();
      assert.equal(await cell("short").getAttribute("title"), null);
      await page.locator(".trace-box input").focus();
      await page.keyboard.press("Tab");
      await page.getByRole("table", { name: "Services" }).locator("button.link", { hasText: name }).focus();
      await page.locator(".tip", { hasText: name }).waitFor();
    });
  } finally {
    await stop();
  }
});

test("at any width all of the bar is on the screen, and a trace id has room in it", async () => {
  await withShop((url) =>
    withPage(site.browser, `${url}/?from=2024-11-23T10:00:00Z&to=2024-11-30T10:00:00Z`, async (page) => {
      await page.getByRole("button", { name: "Command palette" }).waitFor();
      for (const width of [720, 860, 1099, 1100]) {
        await page.setViewportSize({ width, height: 700 });
        await assertNoSidewaysScroll(page, String(width));
        assert.ok((await widthOf(page, ".trace-box")) >= 110, `${width} pixels`);
      }
    }),
  );
});

test("at 320 pixels the logo shares its line, and the bar has three lines at most", async () => {
  await withShop(async (url) => {
    for (const [address, lines] of [["", 3], [`trace/?id=${TRACE}`, 2]]) {
      await withPage(site.browser, `${url}/${address}`, async (page) => {
        await page.getByRole("button", { name: "Command palette" }).waitFor();
        const middle = (selector) => page.locator(selector).evaluate((e) => (e.getBoundingClientRect().top + e.getBoundingClientRect().bottom) / 2);
        assert.ok(Math.abs((await middle(".logo")) - (await middle(".trace-box"))) < 8, `${address}: beside the logo`);
        const height = await page.locator(".topbar").evaluate((e) => e.clientHeight);
        assert.ok(height <= lines * 44, `${address}: ${height} pixels`);
        await assertNoSidewaysScroll(page, address);
      }, { width: 320, height: 720 });
    }
  });
});

test("where fingers point, the buttons of an attribute stand below its value, not over it", async () => {
  await withShop(async (url) => {
    const context = await site.browser.newContext({ viewport: { width: 320, height: 800 }, hasTouch: true, isMobile: true, reducedMotion: "reduce" });
    try {
      const page = await context.newPage();
      await page.goto(`${url}/trace/?id=${TRACE}&span=${hex(2, 16)}`);
      await page.locator(".attribute-tools").first().waitFor();
      assert.equal(await page.evaluate(() => matchMedia("(pointer: coarse)").matches), true);
      const apart = await page.locator(".attributes dd").evaluateAll((list) => list.map((dd) => {
        const [value, tools] = [dd.querySelector(".value"), dd.querySelector(".attribute-tools")].map((e) => e.getBoundingClientRect());
        return tools.height > 0 && tools.top >= value.bottom - 1 && tools.right <= innerWidth;
      }));
      assert.ok(apart.length > 0 && apart.every(Boolean), JSON.stringify(apart));
    } finally {
      await context.close();
    }
  });
});
