// SPDX-License-Identifier: Apache-2.0
// What the tests of a file need from its beginning to its end: a browser, and a server that has their spans. Started before them, stopped after
// them, whatever of it failed.
import { after, before } from "node:test";
import { startSpoor } from "../e2e/shop.mjs";
import { startBrowser } from "./browser.mjs";
import { sendOtlp, within } from "./limits.mjs";

export const MINUTE = 60000000000n;
export const MS = 1000000n;
/** Thousands of traces take some seconds to send. */
const PREPARE_MS = 180_000;
export const hex = (n, digits) => n.toString(16).padStart(digits, "0");
export const count = (n) => n.toLocaleString("en-US");
const attributes = (list) => Object.entries(list).map(([key, value]) => ({ key, value: { stringValue: value } }));

/** One OTLP request with spans of one resource. */
export const requestOf = (resource, spans) => ({ resourceSpans: [{ resource: { attributes: attributes(resource) }, scopeSpans: [{ spans }] }] });

export const send = (spoor, body, what) => sendOtlp(`http://${spoor.otlpHttp}`, body, what);

/** A server that does not end when it is told to would keep the test alive, with nobody to say why. */
async function stop(spoor) {
  try {
    await within("ending the server", spoor.stop());
  } catch (error) {
    await spoor.stop("SIGKILL");
    throw error;
  }
}

/** A browser for a file whose tests bring servers of their own. */
export function useBrowser() {
  const site = { browser: null };
  before(async () => {
    site.browser = await startBrowser();
  });
  after(async () => {
    if (site.browser) await within("closing Chromium", site.browser.close());
  });
  return site;
}

/** Called at the top of a test file; what it returns is filled before the first test. requests: OTLP requests that the server has by then,
 * as values or texts; prepare: whatever else it has seen; start: something else than Spoor, that has what startSpoor() gives. Each step has its limit. (Hooks of a file do not wait
 * for each other, so there is one.) */
export function useSite({ flags = [], requests = () => [], prepare = async () => {}, start = startSpoor, browser = true } = {}) {
  const site = { browser: null, spoor: null, url: "" };
  before(async () => {
    // One after the other, so that after() knows of whatever was started when the next step fails.
    if (browser) site.browser = await startBrowser();
    site.spoor = await start({ flags });
    site.url = `http://${site.spoor.http}`;
    let sent = 0;
    for (const body of requests()) await send(site.spoor, body, `number ${++sent} of the file`);
    await within("what the tests of this file prepare", prepare(site), PREPARE_MS);
  });
  after(async () => {
    try {
      if (site.browser) await within("closing Chromium", site.browser.close());
    } finally {
      if (site.spoor) await stop(site.spoor);
    }
  });
  return site;
}

/** The cells of a table, row by row, by the label of its region. */
export const rowsOf = (page, label) =>
  page.getByRole("region", { name: label, exact: true }).locator("tbody tr").evaluateAll((list) => list.map((tr) => [...tr.cells].map((c) => c.innerText.replace(/\s+/g, " ").trim())));
