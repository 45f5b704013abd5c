// SPDX-License-Identifier: Apache-2.0
// The menu of a trace hands it to Perfetto: to a page of another origin that speaks as Perfetto does, with a server that was told of it, and one that
// was told of none.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { startSpoor } from "../e2e/shop.mjs";
import { until, withPage } from "./browser.mjs";
import { hex, requestOf, useSite } from "./site.mjs";

/** Listens a while after it is there, as pages of some megabytes do, and takes messages of who opened it alone. */
const PERFETTO = `<!doctype html><title>double</title><script>
  window.taken = [];
  setTimeout(() => addEventListener("message", (event) => {
    if (event.source !== window.opener) return;
    if (event.data === "PING") event.source.postMessage("PONG", "*");
    else window.taken.push(event.data);
  }), 400);
</script>`;
const perfetto = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(PERFETTO));
await new Promise((resolve) => perfetto.listen(0, "127.0.0.1", resolve));
const address = `http://localhost:${perfetto.address().port}/ui/#!/`;
after(() => (perfetto.closeAllConnections(), perfetto.close()));

const T0 = BigInt(Date.now() - 60000) * 1000000n;
const span = (id, parent, name) => ({
  traceId: hex(1, 32), spanId: hex(id, 16), ...(parent ? { parentSpanId: hex(parent, 16) } : {}), name, kind: 2,
  startTimeUnixNano: String(T0 + BigInt(id) * 1000000n), endTimeUnixNano: String(T0 + BigInt(id) * 1000000n + 5000000n),
});
const site = useSite({ flags: ["--perfetto-url", address], requests: () => [JSON.stringify(requestOf({ "service.name": "web" }, [span(1, 0, "GET /"), span(2, 1, "read")]))] });
const trace = () => `${site.url}/trace/?id=${hex(1, 32)}`;

test("Perfetto opens in a window of its own and gets the trace, once", async () => {
  await withPage(site.browser, trace(), async (page) => {
    await page.getByRole("button", { name: "Export" }).click();
    const [tab] = await Promise.all([page.context().waitForEvent("page"), page.getByRole("button", { name: /^Open in Perfetto/ }).click()]);
    await page.getByText(`The trace is with ${new URL(address).host}`).first().waitFor();
    assert.equal(tab.url(), address);
    const taken = () => tab.evaluate(() => window.taken.map((m) => ({ ...m.perfetto, buffer: new TextDecoder().decode(m.perfetto.buffer) })));
    await until(async () => (await taken()).length, 1, "the trace has come");
    const [{ title, fileName, buffer }] = await taken();
    assert.deepEqual([title, fileName], [`Trace ${hex(1, 32)}`, `trace-${hex(1, 32)}.json`]);
    const names = JSON.parse(buffer).traceEvents.filter((e) => e.ph === "X").map((e) => e.name);
    assert.deepEqual(names.sort(), ["GET /", "read"]);
    await tab.close();
  });
});

test("a window that is closed before it asked gets nothing, and the page says so", async () => {
  await withPage(site.browser, trace(), async (page) => {
    await page.getByRole("button", { name: "Export" }).click();
    const [tab] = await Promise.all([page.context().waitForEvent("page"), page.getByRole("button", { name: /^Open in Perfetto/ }).click()]);
    await tab.close();
    await page.getByText(`${new URL(address).host} did not ask for the trace`).first().waitFor();
  });
});

test("without an address there is no such entry, and no window may talk to the pages", async () => {
  const spoor = await startSpoor({ flags: ["--perfetto-url", "none"] });
  try {
    const policy = async (host) => (await fetch(`http://${host}/trace/`)).headers.get("cross-origin-opener-policy");
    assert.deepEqual([await policy(spoor.http), await policy(site.spoor.http)], ["same-origin", "same-origin-allow-popups"]);
    const system = await (await fetch(`http://${spoor.http}/v1/system`)).text();
    await withPage(site.browser, trace(), async (page) => {
      await page.route("**/v1/system", (route) => route.fulfill({ contentType: "application/json", body: system }));
      const asked = page.waitForResponse(/v1\/system/);
      await page.getByRole("button", { name: "Export" }).click();
      await asked;
      await page.getByRole("button", { name: /^Perfetto/ }).waitFor();
      assert.equal(await page.getByRole("button", { name: /^Open in Perfetto/ }).count(), 0);
    });
  } finally {
    await spoor.stop();
  }
});
