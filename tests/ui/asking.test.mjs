// SPDX-License-Identifier: Apache-2.0
// How questions come about, against the mock: what the query box offers while somebody types, and what an open end of a range is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until, withPage } from "./browser.mjs";
import { withMock } from "./mock.mjs";
import { hex, requestOf, useBrowser } from "./site.mjs";

const site = useBrowser();
const MS = 1000000n;
const ago = (seconds) => BigInt(Date.now() - seconds * 1000) * MS;
const string = (key, value) => ({ key, value: { stringValue: value } });
/** One span of a trace of its own. */
const request = (service, attributes = [], start = 1795350535000000000n) => requestOf({ "service.name": service }, [{ traceId: hex(1, 32), spanId: hex(2, 16), name: "a", kind: 1, startTimeUnixNano: String(start), endTimeUnixNano: String(start + MS), attributes }]);

test("completion walks from field to operator to value with the keyboard alone", async () => {
  await withMock([request("cart", [string("http.route", "/x")])], async (url) => {
    await withPage(site.browser, url, async (page) => {
      await page.locator(".result:not(.head)").waitFor();
      await page.keyboard.press("/");
      await page.keyboard.type("{ resource.serv");
      const pick = async (label) => {
        await page.locator(".suggestions li", { hasText: label }).first().waitFor();
        for (let i = 0; i < 20; i++) {
          await page.keyboard.press("ArrowDown");
          const id = await page.locator(".query-box input").getAttribute("aria-activedescendant");
          const active = id ? await page.locator(`[id="${id}"]`).innerText() : "";
          if (active.startsWith(label)) break;
        }
        await page.keyboard.press("Enter");
      };
      await pick("resource.service.name");
      await pick("=");
      await pick("cart");
      assert.equal(await page.locator(".query-box input").inputValue(), '{ resource.service.name = "cart" ');
      await page.keyboard.type("}");
      await page.keyboard.press("Enter");
      await page.waitForURL(/q=/);
      assert.equal(new URL(page.url()).searchParams.get("q"), '{ resource.service.name = "cart" }');
      assert.equal(await page.locator(".result:not(.head)").count(), 1);
    });
  });
});

test("completion helps who writes no braces and no quotes, and Tab takes the first", async () => {
  await withMock([request("cart", [string("enduser.id", "user-16")])], async (url) => {
    await withPage(site.browser, url, async (page) => {
      await page.locator(".result:not(.head)").waitFor();
      const box = page.locator(".query-box input");
      const first = (label) => page.locator(".suggestions li").first().getByText(label, { exact: true }).waitFor();
      await page.keyboard.press("/");
      await page.keyboard.type("endus");
      await first("span.enduser.id");
      await page.keyboard.press("Tab");
      await until(() => box.inputValue(), "{ span.enduser.id ", "the field with its brace");
      await page.keyboard.type("= user-1");
      await first("user-16");
      await page.keyboard.press("Tab");
      await until(() => box.inputValue(), '{ span.enduser.id = "user-16" ', "the value with its quotes");
      // Nothing of what comes next is typed: Tab leaves.
      await first("&&");
      await page.keyboard.press("Tab");
      await until(() => box.evaluate((e) => document.activeElement === e), false, "the focus in the box");
    });
  });
});

test("an open end is now: for charts, rates and the map, and in a link that is copied", async () => {
  await withMock([request("shop", [], ago(1500))], async (url, mock) => {
    const asked = (path) => new URL(mock.log.findLast((line) => line.startsWith(path)), url).searchParams;
    await withPage(site.browser, `${url}/?from=now-1h`, async (page) => {
      await page.locator(".panels .chart").first().waitFor();
      assert.deepEqual(["from", "to"].map((name) => asked("/v1/heatmap").get(name)), ["now-1h", "now"]);
      await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => (window.__copied = text) } }));
      const copied = async () => {
        await page.getByRole("button", { name: "Copy link" }).click();
        await page.waitForFunction(() => window.__copied);
        return new URL(await page.evaluate(() => window.__copied)).searchParams;
      };
      const link = await copied();
      assert.equal(Date.parse(link.get("to")) - Date.parse(link.get("from")), 3600_000);
      assert.equal(new URL(page.url()).searchParams.get("to"), null);
      await page.goto(`${url}/map/?from=now-1h`);
      await page.locator(".graph .node").first().waitFor();
      assert.equal(asked("/v1/graph").get("to"), "now");
      await page.goto(url);
      await page.locator(".panels .chart").first().waitFor();
      assert.equal(asked("/v1/heatmap").get("to"), null);
    });
  });
});

test("a span that starts at 0 leaves the services their lines: for all of time they are asked from the first nanosecond", async () => {
  await withMock([request("shop", [], 0n), request("shop", [], ago(60))], async (url, mock) => {
    await withPage(site.browser, `${url}/service/`, async (page) => {
      await page.getByRole("region", { name: "Services" }).getByRole("link", { name: "shop" }).waitFor();
      await until(() => mock.log.filter((line) => line.startsWith("/v1/latency?") && line.includes("step=")).map((line) => new URL(line, url).searchParams.get("from")), ["1"]);
    });
  });
});
