// SPDX-License-Identifier: Apache-2.0
// Explore with very little: one span, spans without a duration; live beside what live cannot be; and questions of who knows no TraceQL.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until, withPage } from "./browser.mjs";
import { hex, requestOf, send, useSite } from "./site.mjs";

const T0 = BigInt(Date.now() - 600000) * 1000000n;
const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const span = (trace, lengthNs, name = "work", start = T0) => ({
  traceId: trace === 1 ? ID : hex(trace, 32), spanId: hex(trace, 16), name, kind: 2, startTimeUnixNano: String(start), endTimeUnixNano: String(start + BigInt(lengthNs)),
});
const site = useSite({ requests: () => [JSON.stringify(requestOf({ "service.name": "web" }, [span(1, 42_000_000)])), JSON.stringify(requestOf({ "service.name": "still" }, [span(2, 0, "tick", T0 + 5n)]))] });
const at = (params) => `${site.url}/?${new URLSearchParams(params)}`;
const live = (page) => page.getByRole("button", { name: "Live" }).getAttribute("aria-pressed");
const row = (page, i = 0) => page.locator(".results [role=row].row").nth(i);

test("one span is one a second, and a span without a duration has a place", async () => {
  await withPage(site.browser, at({ q: '{ resource.service.name = "web" }' }), async (page) => {
    await page.getByRole("heading", { name: "Rate 1.0/s" }).waitFor();
  });
  for (const view of ["", "heatmap", "histogram", "timeseries"]) {
    await withPage(site.browser, at({ q: '{ resource.service.name = "still" }', view }), async (page) => {
      await page.getByRole("heading", { name: /Duration/ }).first().waitFor();
      if (view === "" || view === "heatmap") await page.getByRole("heading", { name: /1 span, all counted/ }).waitFor();
    });
  }
  await withPage(site.browser, `${site.url}/service/?s=still`, async (page) => {
    await page.getByText("1 server call,").waitFor();
    await page.getByRole("heading", { name: "Duration" }).waitFor();
  });
});

test("another order, an end, a selection and groups end live; without them it goes on", async () => {
  for (const [without, params] of [["sort", { sort: "-duration" }], ["to", { to: "now-1m" }], ["group", { group: "name" }], ["sel", { sel: `${T0},${T0 + 1000n},1,100000000` }]]) {
    await withPage(site.browser, at({ live: "1", ...params }), async (page) => {
      await until(() => live(page), "false", `live with ${without}`);
      await page.goto(at({ live: "1" }));
      await until(() => live(page), "true", `live without ${without}`);
    });
  }
  // The slowest stays first, whatever comes in.
  await withPage(site.browser, at({ live: "1" }), async (page) => {
    await page.locator(".live-line").waitFor();
    await page.getByRole("columnheader", { name: "Duration" }).getByRole("button").click();
    await until(() => live(page), "false", "live while it is sorted");
    const slowest = page.locator(".results").getByText("42.0 ms");
    await slowest.first().waitFor();
    await send(site.spoor, JSON.stringify(requestOf({ "service.name": "web" }, [span(3, 1000, "quick", BigInt(Date.now()) * 1000000n)])));
    await page.getByRole("button", { name: "Live" }).click();
    await until(() => live(page), "true", "live again");
    await page.locator(".results").getByText("quick").first().waitFor();
  });
});

test("what is no query leads to what may have been meant", async () => {
  await withPage(site.browser, at({ q: ID }), async (page) => {
    await page.getByRole("link", { name: "Open this trace" }).click();
    await page.waitForURL(new RegExp(`trace/\\?id=${ID}`));
  }, { expectErrors: true });
  await withPage(site.browser, at({ q: "tic" }), async (page) => {
    await page.getByRole("link", { name: "spans with such a name" }).click();
    await page.locator(".results").getByText("tick").first().waitFor();
    assert.equal(await page.getByRole("combobox", { name: "Query, in TraceQL" }).inputValue(), '{ name =~ ".*tic.*" }');
  }, { expectErrors: true });
  await withPage(site.browser, at({ q: "still" }), async (page) => {
    await page.getByRole("link", { name: "the service", exact: true }).click();
    await page.locator(".results").getByText("tick").first().waitFor();
  }, { expectErrors: true });
  await withPage(site.browser, at({ q: "name=tick" }), async (page) => {
    await page.getByRole("link", { name: '{ name = "tick" }', exact: true }).click();
    await page.locator(".results").getByText("tick").first().waitFor();
  }, { expectErrors: true });
});

test("a range that ends before it begins is said once, and cannot be chosen", async () => {
  await withPage(site.browser, at({ from: "now", to: "now-1h" }), async (page) => {
    await page.locator(".problem").first().waitFor();
    await page.waitForLoadState("networkidle");
    assert.equal(await page.locator(".explore-main .problem").count(), 1);
  }, { expectErrors: true });
  await withPage(site.browser, at({}), async (page) => {
    await page.getByRole("button", { name: /Time range|All time/ }).click();
    await page.getByLabel("From").fill("now-1h");
    await page.getByLabel("To", { exact: true }).fill("now-2h");
    await page.getByText("It ends before it begins.").waitFor();
    assert.ok(await page.getByRole("button", { name: "Apply" }).isDisabled());
  });
});

test("the charts go and come by a button", async () => {
  await withPage(site.browser, at({}), async (page) => {
    const charts = page.getByRole("button", { name: "Charts" });
    await page.getByRole("heading", { name: /^Rate/ }).waitFor();
    await charts.click();
    await page.getByRole("heading", { name: /^Rate/ }).waitFor({ state: "detached" });
    assert.equal(await charts.getAttribute("aria-pressed"), "false");
    await charts.click();
    await page.getByRole("heading", { name: /^Rate/ }).waitFor();
  });
});
