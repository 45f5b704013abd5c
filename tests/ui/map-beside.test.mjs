// SPDX-License-Identifier: Apache-2.0
// The map beside ranges that are not as long as what it shows, against a real server: six calls a minute over twenty minutes, and nothing before.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until, withPage } from "./browser.mjs";
import { hex, MINUTE, MS, requestOf, useSite } from "./site.mjs";

const T0 = (BigInt(Date.now() - 3600000) * MS / MINUTE) * MINUTE;
const iso = (minute) => new Date(Number((T0 + BigInt(minute) * MINUTE) / MS)).toISOString().replace(".000Z", "Z");

function make() {
  const [web, cart] = [[], []];
  for (let n = 0; n < 120; n++) {
    const start = T0 + BigInt(Math.floor(n / 6)) * MINUTE + BigInt(n % 6) * 1000n * MS;
    const span = (id, more) => ({ traceId: hex(n + 1, 32), spanId: hex(2 * n + id, 16), startTimeUnixNano: String(start), endTimeUnixNano: String(start + 20n * MS), ...more });
    web.push(span(2, { name: "call", kind: 3 }));
    cart.push(span(3, { name: "GET /cart", kind: 2, parentSpanId: hex(2 * n + 2, 16) }));
  }
  return [requestOf({ "service.name": "web" }, web), requestOf({ "service.name": "cart" }, cart)];
}

const site = useSite({ requests: make });
const at = (params) => `${site.url}/map/?${new URLSearchParams(params)}`;
const ready = (page) => page.locator(".graph .node").first().waitFor();

test("beside a range of another length, or one that begins before the first span, calls are compared by the second", async () => {
  const label = (page) => page.locator(".graph .label").evaluateAll((list) => list.filter((e) => /^\["web","cart"/.test(e.getAttribute("data-label"))).map((e) => e.textContent).join());
  const look = async (params, said) => {
    await withPage(site.browser, at(params), async (page) => {
      await page.locator(".summary", { hasText: said }).waitFor();
      await ready(page);
      // Six calls a minute at any time, so nothing changed.
      await until(() => label(page), "0.10/s");
      await page.goto(at({ ...params, view: "table" }));
      const row = page.getByRole("table", { name: "Edges" }).locator("tbody tr").filter({ hasText: "cart" }).filter({ hasText: "web" });
      await until(() => row.locator("td").nth(7).innerText(), "");
    });
  };
  await look({ from: iso(10), to: iso(20), vs: `${iso(0)}..${iso(5)}` }, "in calls a second");
  await look({ from: iso(5), to: iso(20), vs: "prev" }, "in calls a second");
  // Of the same length: nothing to say.
  await withPage(site.browser, at({ from: iso(10), to: iso(20), vs: "prev" }), async (page) => {
    await page.locator(".summary", { hasText: "compared with" }).waitFor();
    assert.doesNotMatch(await page.locator(".summary").innerText(), /calls a second/);
  });
});
