// SPDX-License-Identifier: Apache-2.0
// The Status page against a real server: what was sent is what it says came in, what is wrong with it is what it counts.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startSpoor } from "../e2e/shop.mjs";
import { assertAccessible, assertNoSidewaysScroll, startBrowser, withPage } from "./browser.mjs";

let browser;
let spoor;
const T0 = BigInt(Date.now() - 3600000) * 1000000n;
const hex = (n, digits) => n.toString(16).padStart(digits, "0");
const span = (trace, id, parent, more = {}) => ({
  traceId: hex(trace, 32), spanId: hex(id, 16), ...(parent ? { parentSpanId: hex(parent, 16) } : {}), name: "work", kind: 2,
  startTimeUnixNano: String(T0 + BigInt(id) * 1000000n), endTimeUnixNano: String(T0 + BigInt(id) * 1000000n + 5000000n), ...more,
});

async function send(service, spans) {
  const attributes = service ? [{ key: "service.name", value: { stringValue: service } }] : [];
  const body = JSON.stringify({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] });
  const answer = await fetch(`http://${spoor.otlpHttp}/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal(answer.status, 200);
}

before(async () => {
  browser = await startBrowser();
  spoor = await startSpoor({ flags: ["--retention", "30d", "--allow-cancel"] });
  await send("web", [span(1, 1), span(1, 2, 1), span(2, 3), span(3, 5, 4), span(3, 6, 5)]); // the parent of 5 never came
  await send("docs", [span(4, 7, 0, { attributes: [{ key: "page", value: { stringValue: "x".repeat(5000) } }] })]);
  const refused = await fetch(`http://${spoor.otlpHttp}/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body: "{" });
  assert.equal(refused.status, 400);
});
after(async () => {
  await browser?.close();
  await spoor?.stop();
});

const at = (tab) => `http://${spoor.http}/status/?tab=${tab}`;
const figure = (page, name) => page.locator(".figures > div", { has: page.locator("dt", { hasText: new RegExp(`^${name}$`) }) });
const rows = (page, label) => page.getByRole("region", { name: label, exact: true }).locator("tbody tr").evaluateAll((list) => list.map((tr) => [...tr.cells].map((c) => c.innerText.trim())));

test("what came in and what was refused, with the reason, and the rate once it was read twice", async () => {
  await withPage(browser, at("ingest"), async (page) => {
    await figure(page, "Spans since start").locator("dd", { hasText: /^6$/ }).waitFor();
    await figure(page, "Requests refused").locator("dd", { hasText: "1" }).first().waitFor();
    assert.deepEqual((await rows(page, "Reasons")).map((r) => [r[0], r[1], r[3]]), [["malformed", "1", "no"]]);
    await send("web", [span(9, 90), span(9, 91, 90)]);
    await page.keyboard.press("r");
    await figure(page, "Spans since start").locator("dd", { hasText: /^8$/ }).waitFor();
    await page.locator(".chart").waitFor();
    await assertAccessible(page, "Status, ingest");
    await page.getByRole("button", { name: "View as table" }).click();
    assert.notEqual((await rows(page, "Spans a second"))[0][2], "0.000/s");
    // Paused, nothing is read any more.
    await page.keyboard.press("p");
    await page.getByRole("button", { name: "Go on" }).waitFor();
  });
});

test("storage says what there is, what is kept, and how long it fits", async () => {
  await withPage(browser, at("storage"), async (page) => {
    await figure(page, "Spans").locator("dd", { hasText: /^8$/ }).waitFor();
    const room = await rows(page, "Room");
    assert.equal(room.find((r) => r[0] === "Removed by age")[1], "30 d 0 h");
    assert.match(room.find((r) => r[0] === "Free on the disk")[2], /% of/);
    await assertAccessible(page, "Status, storage");
  });
});

test("queries that were slow are shown as they were asked, and answers counted", async () => {
  await fetch(`http://${spoor.http}/v1/search?${new URLSearchParams({ q: '{ name = "<b>work</b>" }' })}`);
  await withPage(browser, at("query"), async (page) => {
    await page.locator(".query-shown", { hasText: '{ name = "<b>work</b>" }' }).waitFor();
    assert.ok((await rows(page, "Answers")).some((r) => r[0] === "/v1/search" && r[1] === "1"));
    await figure(page, "Cancelling").locator("dd", { hasText: "allowed" }).first().waitFor();
    await assertAccessible(page, "Status, queries");
  });
});

test("data quality counts what was sent wrong", async () => {
  await withPage(browser, at("quality"), async (page) => {
    const region = "What is not as it should be";
    await page.getByRole("region", { name: region }).waitFor();
    const found = Object.fromEntries((await rows(page, region)).map((r) => [r[0], r[1]]));
    assert.equal(found["Spans whose parent is not stored"], "1");
    assert.equal(found["Traces without a root"], "1");
    assert.equal(found["Spans with a value above 4 KiB"], "1");
    assert.equal(found["Spans without service.name"], "0");
    await page.getByText("5 traces, 8 spans").waitFor();
    await assertAccessible(page, "Status, quality");
  });
});

test("settings are those the server was started with; the page looks at itself", async () => {
  await withPage(browser, at("limits"), async (page) => {
    await page.getByRole("region", { name: "Settings" }).waitFor();
    const settings = Object.fromEntries((await rows(page, "Settings")).map((r) => [r[0], r.slice(1)]));
    assert.deepEqual(settings["--retention"], ["30d", "flag"]);
    assert.equal(settings["--query-timeout"][1], "default");
    await assertAccessible(page, "Status, limits");
    await page.keyboard.press("6");
    await page.getByRole("region", { name: "Libraries" }).waitFor();
    assert.match((await rows(page, "This page"))[0][1], /^chunk-\w+\.js$/);
    await assertAccessible(page, "Status, about");
  });
});

test("every part is accessible in the dark and fits a narrow screen; the tabs are walked with arrows", async () => {
  for (const tab of ["ingest", "storage", "query", "quality", "limits", "about"]) {
    await withPage(
      browser,
      at(tab),
      async (page) => {
        await page.locator(".edges, .figures").first().waitFor();
        await assertAccessible(page, `Status ${tab}, dark`);
        await page.setViewportSize({ width: 390, height: 844 });
        await page.waitForTimeout(100);
        await assertNoSidewaysScroll(page, `Status ${tab}`);
        await assertAccessible(page, `Status ${tab}, dark and narrow`);
      },
      { dark: true },
    );
  }
  await withPage(
    browser,
    at("ingest"),
    async (page) => {
      await page.getByRole("tab", { name: "Ingest" }).focus();
      await page.keyboard.press("ArrowRight");
      await page.waitForURL(/tab=storage/);
      assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Storage");
      await assertAccessible(page, "Status, forced colours");
    },
    { forcedColors: "active" },
  );
});
