// SPDX-License-Identifier: Apache-2.0
// What the tests of a file need from its beginning to its end: a browser, and a server that has their spans. Started before them, stopped after
// them, whatever of it failed.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { startSpoor } from "../e2e/shop.mjs";
import { startBrowser } from "./browser.mjs";

export const MINUTE = 60000000000n;
export const MS = 1000000n;
export const hex = (n, digits) => n.toString(16).padStart(digits, "0");
export const count = (n) => n.toLocaleString("en-US");
const attributes = (list) => Object.entries(list).map(([key, value]) => ({ key, value: { stringValue: value } }));

/** One OTLP request with spans of one resource. */
export const requestOf = (resource, spans) => ({ resourceSpans: [{ resource: { attributes: attributes(resource) }, scopeSpans: [{ spans }] }] });

export async function send(spoor, body) {
  const answer = await fetch(`http://${spoor.otlpHttp}/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  assert.equal(answer.status, 200);
}

/** Called at the top of a test file; what it returns is filled before the first test. requests: OTLP requests that the server
 * has by then; prepare: whatever else it has seen. (Hooks of a file do not wait for each other.) */
export function useSite({ flags = [], requests = () => [], prepare = async () => {} } = {}) {
  const site = { browser: null, spoor: null, url: "" };
  before(async () => {
    [site.browser, site.spoor] = await Promise.all([startBrowser(), startSpoor({ flags })]);
    site.url = `http://${site.spoor.http}`;
    for (const body of requests()) await send(site.spoor, body);
    await prepare(site);
  });
  after(async () => {
    await site.browser?.close();
    await site.spoor?.stop();
  });
  return site;
}

/** The cells of a table, row by row, by the label of its region. */
export const rowsOf = (page, label) =>
  page.getByRole("region", { name: label, exact: true }).locator("tbody tr").evaluateAll((list) => list.map((tr) => [...tr.cells].map((c) => c.innerText.replace(/\s+/g, " ").trim())));
