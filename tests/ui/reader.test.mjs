// SPDX-License-Identifier: Apache-2.0
// What a screen reader is given: names, descriptions and values as Chromium computes them, and what is told without being asked. What it makes
// of that is heard by a person (docs/accessibility.md).
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, comes, goes, until, withPage } from "./browser.mjs";
import { Mock } from "./mock.mjs";
import { hex, requestOf, useBrowser } from "./site.mjs";

const site = useBrowser();
const T0 = 1795350535000000000n;
const ns = (ms) => String(T0 + BigInt(ms) * 1000000n);
const span = (trace, id, parent, name, kind, from, to, failed) => ({
  traceId: hex(trace, 32), spanId: hex(16 * trace + id, 16), parentSpanId: parent ? hex(16 * trace + parent, 16) : "", name, kind,
  startTimeUnixNano: ns(from), endTimeUnixNano: ns(to), status: failed ? { code: 2 } : {},
});
/** Two traces of a shop that calls a bank: the second is slower, and fails. */
const REQUESTS = [[1, 20], [2, 60]].flatMap(([trace, ms]) => [
  requestOf({ "service.name": "shop" }, [span(trace, 1, 0, "order", 2, 0, ms), span(trace, 2, 1, "pay", 3, 1, ms - 1)]),
  requestOf({ "service.name": "bank" }, [span(trace, 3, 2, "charge", 2, 2, ms - 2, trace === 2)]),
]);

async function withShop(path, look, options) {
  const mock = new Mock();
  for (const r of REQUESTS) mock.add(r);
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await withPage(site.browser, url + path, look, options);
  } finally {
    await stop();
  }
}

/** The nodes of a role as a reader has them. */
async function given(page, role) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  const of = (node) => ({ name: node.name?.value ?? "", description: node.description?.value ?? "", value: node.value?.value ?? "" });
  return nodes.filter((n) => !n.ignored && n.role?.value === role).map(of);
}
const told = (page) => page.locator("p.offscreen[role=status]").textContent();
const focused = (page) => page.evaluate(() => document.activeElement?.id ?? "");

test("charts that keys walk leave them the arrows, and their numbers are read as values", async () => {
  await withShop("/", async (page) => {
    await page.locator(".heat-canvas").waitFor();
    const sliders = page.getByRole("slider");
    await until(() => sliders.evaluateAll((list) => list.map((s) => s.ariaLabel.replace(/ .*/, ""))), ["Rate", "Errors", "Durations"]);
    await until(() => sliders.evaluateAll((list) => list.map((s) => s.ariaValueText)), ["nothing chosen", "nothing chosen", "nothing chosen"]);
    for (const [i, text] of [/: spans /, /: errors /, /ms · \d spans?/].entries()) {
      await sliders.nth(i).focus();
      await page.keyboard.press("ArrowRight");
      await until(() => sliders.nth(i).evaluate((s, [source]) => new RegExp(source).test(s.ariaValueText) && !s.ariaValueText.includes("▲"), [text.source]), true, String(text));
    }
    for (const { name, description } of await given(page, "slider")) assert.match(description, /[Aa]rrows move/, name);
    await assertAccessible(page, "charts as sliders");
  });
});

test("a row of a trace is said once, and opening a panel is told", async () => {
  await withShop(`/trace/?id=${hex(2, 32)}`, async (page) => {
    await page.locator(".wf-row").first().waitFor();
    const rows = (await given(page, "row")).filter((r) => r.name.includes("starts at"));
    assert.equal(rows.length, 3);
    assert.match(rows[0].name, /^shop order, 60\.0 ms, starts at 0 ns/);
    assert.deepEqual(rows.map((r) => r.description), ["", "", ""]);
    await page.locator(".wf-scroll").focus();
    for (const key of ["ArrowDown", "Enter"]) await page.keyboard.press(key);
    await page.locator(".details").waitFor();
    await until(() => told(page).then((t) => t.endsWith(": panel opened")), true);
  });
});

test("keys of a trace that move no focus tell where they led", async () => {
  await withShop(`/trace/?id=${hex(2, 32)}`, async (page) => {
    await page.locator(".wf-row").nth(2).waitFor();
    await page.locator(".wf-scroll").focus();
    // The same text again is told again, with a space more.
    const tells = (key, text) => page.keyboard.press(key).then(() => until(() => told(page).then((t) => t.trim()), text, key));
    await page.keyboard.press("ArrowDown");
    // What is written anew is read anew: the mark alone, though the bar of marks makes the room smaller and all rows are drawn again.
    await page.evaluate(() => {
      window.__written = [];
      const part = (m) => m.target.className || m.target.parentElement?.className;
      new MutationObserver((list) => window.__written.push(...list.map(part))).observe(document.querySelector(".wf-scroll"), { childList: true, characterData: true, subtree: true });
    });
    await tells("m", "Mark A");
    await page.getByRole("region", { name: "Marks" }).waitFor();
    await page.locator('.wf-row.current[aria-label*="mark A"]').waitFor();
    assert.deepEqual(await page.evaluate(() => window.__written.filter((name) => /^wf-(service|operation|self|status|time)/.test(name))), []);
    await page.keyboard.press("ArrowDown");
    await tells("m", "Mark B, start to start 1.00 ms");
    await tells("m", "No marks");
    await tells("o", "Only pay, 2 spans");
    await tells("Backspace", "Only order, 3 spans");
    await tells("Backspace", "Whole trace");
    await tells("x", "Repeats one by one");
    await tells("x", "Repeats folded");
    await tells("f", "1.00 ms to 59.0 ms");
    await page.keyboard.press("/");
    await page.locator(".find-count:empty").waitFor({ state: "attached" });
    await page.keyboard.type("charge");
    await until(() => page.locator(".find-count").textContent(), "1 of 3");
    await tells("Enter", "bank charge, 56.0 ms");
  });
});

test("a page that is gone to takes the focus and tells its title; one that is loaded leaves that to the browser", async () => {
  await withShop("/", async (page) => {
    await page.locator(".result:not(.head)").first().waitFor();
    assert.equal(await told(page), "");
    // A region that is not there before it has a text is not listened to by all.
    const there = (e) => e.checkVisibility({ visibilityProperty: true });
    for (const region of [".toast", "p.offscreen[role=status]"]) assert.equal(await page.locator(region).evaluate(there), true, region);
    await page.locator(".result:not(.head) a").first().click();
    await page.locator(".wf-row").first().waitFor();
    await until(() => told(page), `shop order · ${hex(2, 32).slice(0, 8)}`);
    await until(() => focused(page), "main");
  });
});

test("what is wrong is told without its buttons, and where it is wrong in words", async () => {
  await withShop(
    "/",
    async (page) => {
      await page.locator(".result:not(.head)").first().waitFor();
      const problem = { title: "Not a query", status: 400, parameter: "q", offset: 4, expected: "a value", requestId: "abc" };
      goes(page, (route) => route.fulfill({ status: 400, contentType: "application/problem+json", body: JSON.stringify(problem) }));
      // Readers that look at what was added, and not into it, have to find the alert there.
      await page.evaluate(() => {
        window.__alerts = [];
        const alerts = (m) => [...m.addedNodes].filter((n) => n.role === "alert").map((n) => n.textContent);
        new MutationObserver((list) => window.__alerts.push(...list.flatMap(alerts))).observe(document.body, { childList: true, subtree: true });
      });
      await page.getByRole("combobox", { name: "Query" }).fill("{ a }");
      await page.keyboard.press("Enter");
      const alert = page.getByRole("alert").filter({ hasText: "This query cannot be read" });
      await alert.waitFor();
      assert.equal(await alert.getByRole("button").count(), 0);
      await until(() => alert.locator(":scope > :not([aria-hidden])").allInnerTexts().then((l) => l.join(" ").replace(/\s+/g, " ")), "▲ This query cannot be read Expected a value (at character 5)");
      assert.ok((await page.evaluate(() => window.__alerts)).some((text) => text.includes("This query cannot be read")));
      comes(page);
    },
    { expectErrors: true, breaks: "**/v1/**" },
  );
});

test("controls of one kind are told apart, and none says its name twice", async () => {
  await withShop("/", async (page) => {
    await page.locator(".facet").first().waitFor();
    const facets = (await given(page, "button")).filter((b) => b.name.startsWith("group by"));
    assert.ok(facets.length > 2);
    assert.equal(new Set(facets.map((b) => b.name)).size, facets.length);
    const again = (await given(page, "button")).filter((b) => b.description !== "" && b.description.replace(/ \([^)]*\)$/, "") === b.name);
    assert.deepEqual(again.filter((b) => ["Help and keyboard", "Theme: follows the system"].includes(b.name)), []);
    assert.ok((await given(page, "button")).some((b) => b.name === "Help and keyboard (?)"));
  });
  await withShop("/map/", async (page) => {
    await page.locator(".graph .node").nth(1).waitFor();
    // A sign on a button is no name.
    for (const name of ["Zoom in", "Zoom out"]) assert.equal(await page.getByRole("button", { name }).count(), 1, name);
    const nodes = (await given(page, "button")).filter((b) => /, service$/.test(b.name));
    assert.deepEqual(nodes.map((b) => [b.name.split(" ")[0], b.description]).sort(), [["bank", ""], ["shop", ""]]);
    assert.match(await page.locator(".summary [role=status]").innerText(), /^2 services, 1 edge$/);
  });
});
