// SPDX-License-Identifier: Apache-2.0
// The pictures in docs/images, of the recorded shop with one slow instance (fault.mjs). No test: `ninja -C build pictures`.
import { startSpoor } from "../e2e/shop.mjs";
import { startBrowser } from "./browser.mjs";
import { FAULT, faultyShop, sendAll } from "./fault.mjs";

const FOLDER = new URL("../../docs/images", import.meta.url).pathname;
const SHOP = new URL("../data/otel-js-shop/json.tar.gz", import.meta.url).pathname;
const MINUTE_NS = 60_000_000_000n;

/** Name, size, address, and what has to be there before it is taken. */
async function picturesOf(spoor) {
  const ask = async (path, parameters) => (await fetch(`http://${spoor.http}/v1/${path}?${new URLSearchParams(parameters)}`)).json();
  const first = async (q) => (await ask("search", { q, limit: 1, order: "-duration" })).traces[0];
  const { bounds, from, to } = await ask("heatmap", { steps: 160, rows: 48 });
  const call = `span:name = "${FAULT.operation}"`;
  const [slow, usual] = [await first(`{ ${call} && duration > 1.5s }`), await first(`{ ${call} && duration < 100ms }`)];
  const middle = (BigInt(from) + BigInt(to)) / 2n;
  return [
    { name: "explore", size: [1440, 900], path: `?sel=${from},${to},1520000000,${bounds.at(-1)}`, ready: [".cards .card", ".result:not(.head)"] },
    { name: "map", size: [1280, 600], path: "map/?edge=p95", ready: [".graph .node"] },
    { name: "map-matrix", size: [1280, 560], path: "map/?view=matrix&edge=p95", ready: [".matrix-cell"] },
    { name: "trace", size: [1280, 740], path: `trace/?id=${slow.traceId}&span=${slow.matchedSpanIds[0]}&cp=1`, ready: [".wf-row", ".details"] },
    { name: "compare", size: [1440, 760], path: `compare/?a=${slow.traceId}&b=${usual.traceId}`, ready: ["main [role=treegrid]"] },
    { name: "service", size: [1440, 760], path: `service/?s=checkout&from=${middle}&to=${to}&vs=-15m`, ready: ["main table tbody tr"] },
    { name: "status", size: [1440, 760], path: "status/?tab=storage", ready: ["main h2"] },
  ];
}

async function take(browser, site, { name, size, path, ready }) {
  const viewport = { width: size[0], height: size[1] };
  const context = await browser.newContext({ viewport, reducedMotion: "reduce", colorScheme: "light", timezoneId: "UTC", locale: "en-US" });
  const page = await context.newPage();
  await page.goto(`${site}/${path}`);
  for (const part of ready) await page.locator(part).first().waitFor();
  await page.waitForLoadState("networkidle");
  await page.screenshot({ path: `${FOLDER}/${name}.png` });
  await context.close();
}

const spoor = await startSpoor();
const browser = await startBrowser();
try {
  const endNs = BigInt(Date.now()) * 1_000_000n - MINUTE_NS;
  await sendAll(faultyShop(SHOP, { rounds: 4, endNs }).requests, `http://${spoor.otlpHttp}`);
  for (const picture of await picturesOf(spoor)) await take(browser, `http://${spoor.http}`, picture);
} finally {
  await browser.close();
  await spoor.stop();
}
