// SPDX-License-Identifier: Apache-2.0
// The map against a real server, with calls whose numbers are known: twenty minutes, of which the second ten have a new service, one that is gone, and more
// errors. Every view, its keyboard, its files, and what it says when it is too large or empty.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertAccessible, assertNoSidewaysScroll, glide, texts, touch, until, withPage } from "./browser.mjs";
import { withMock } from "./mock.mjs";
import { hex, MINUTE, MS, requestOf, useSite } from "./site.mjs";

const T0 = (BigInt(Date.now() - 3600000) * MS / MINUTE) * MINUTE;
const iso = (minute) => new Date(Number((T0 + BigInt(minute) * MINUTE) / MS)).toISOString().replace(".000Z", "Z");
const RESOURCES = { web: "edge", cart: "shop", pay: "shop", stock: "shop", audit: "shop", legacy: "old" };

/** [client, server, calls a minute, from minute, to minute, failed of them]. A server that is none of the services is a database. */
const CALLS = [
  ["web", "cart", 6, 0, 20, 0],
  ["web", "pay", 3, 0, 10, 0],
  ["web", "pay", 3, 10, 20, 1],
  ["cart", "stock", 4, 0, 20, 0],
  ["stock", "postgresql", 2, 0, 20, 0],
  ["cart", "legacy", 1, 0, 10, 0],
  ["pay", "audit", 2, 10, 20, 0],
];

function make() {
  const by = new Map(Object.keys(RESOURCES).map((s) => [s, []]));
  let n = 0;
  for (const [client, server, calls, from, to, failed] of CALLS) {
    for (let m = from; m < to; m++) {
      for (let i = 0; i < calls; i++) {
        const [trace, start] = [hex(++n, 32), T0 + BigInt(m) * MINUTE + BigInt(i) * 1000n * MS];
        const span = (id, more) => ({ traceId: trace, spanId: hex(16 * n + id, 16), startTimeUnixNano: String(start), endTimeUnixNano: String(start + 20n * MS), status: i < failed ? { code: 2 } : {}, ...more });
        const database = !(server in RESOURCES);
        by.get(client).push(span(1, { name: "call", kind: 3, ...(database ? { attributes: [{ key: "db.system.name", value: { stringValue: server } }] } : {}) }));
        if (!database) by.get(server).push(span(2, { name: `GET /${server}`, kind: 2, parentSpanId: hex(16 * n + 1, 16) }));
      }
    }
  }
  return [...[...by].map(([service, spans]) => requestOf({ "service.name": service, "service.namespace": RESOURCES[service] }, spans)), ...messages(), ...sales(), ...alone()];
}

/** Later than all of it: two messages, and who takes both in a trace of its own; one more link leads nowhere. */
function messages() {
  const start = T0 + 30n * MINUTE;
  const span = (n, name, kind, links = []) => ({ traceId: hex(0xabc000 + n, 32), spanId: hex(0xabc000 + n, 16), name, kind, startTimeUnixNano: String(start), endTimeUnixNano: String(start + 20n * MS), links });
  const to = (n) => ({ traceId: hex(0xabc000 + n, 32), spanId: hex(0xabc000 + n, 16) });
  return [requestOf({ "service.name": "orders" }, [span(1, "send", 4), span(2, "send", 4)]), requestOf({ "service.name": "mailer" }, [span(3, "take", 5, [to(1), to(2), to(9)])])];
}

/** Later still: three calls between the same two, and a message of which each delivery fails. */
function sales() {
  const start = T0 + 40n * MINUTE;
  const span = (n, trace, name, kind, more = {}) => ({ traceId: hex(0xdef000 + trace, 32), spanId: hex(0xdef000 + n, 16), name, kind, startTimeUnixNano: String(start), endTimeUnixNano: String(start + 20n * MS), ...more });
  const of = (n) => ({ parentSpanId: hex(0xdef000 + n, 16) });
  const calls = [1, 2, 3];
  return [
    requestOf({ "service.name": "till" }, [...calls.map((n) => span(n, n, "call", 3)), span(4, 4, "send", 4)]),
    requestOf({ "service.name": "books" }, [...calls.map((n) => span(10 + n, n, "POST /sales", 2, of(n))), span(14, 4, "take", 5, { ...of(4), status: { code: 2 } })]),
  ];
}

/** At last: two that answer somebody whose span never came, and one that answers nobody. */
function alone() {
  const start = T0 + 50n * MINUTE;
  const span = (n, kind) => ({ traceId: hex(0xfed000 + n, 32), spanId: hex(0xfed000 + n, 16), name: "work", kind, startTimeUnixNano: String(start), endTimeUnixNano: String(start + 20n * MS) });
  return [requestOf({ "service.name": "door" }, [1, 2].map((n) => ({ ...span(n, 2), parentSpanId: hex(0xfed009, 16) }))), requestOf({ "service.name": "batch" }, [span(3, 1)])];
}

const site = useSite({ requests: make });
const WHOLE = { from: iso(0), to: iso(20) };
const at = (params = {}) => `${site.url}/map/?${new URLSearchParams({ ...WHOLE, ...params })}`;
const nodes = (page) => page.locator(".graph .node").evaluateAll((list) => list.map((e) => e.getAttribute("data-node")).sort());
const ready = (page) => page.locator(".graph .node").first().waitFor();
/** Calls of an edge over the whole range. */
const total = (client, server) => CALLS.filter((c) => c[0] === client && c[1] === server).reduce((n, [, , calls, from, to]) => n + calls * (to - from), 0);

test("calls whose caller is not known are said in the panel, and who has no calls has no rate", async () => {
  await withPage(site.browser, at({ from: iso(49), to: iso(51) }), async (page) => {
    await ready(page);
    const cards = () => page.locator(".graph .node").evaluateAll((list) => list.map((e) => e.getAttribute("aria-label")).sort());
    assert.deepEqual(await cards(), ["batch no calls seen, service", "door 0.017/s · 20.0 ms, service"]);
    await page.locator('.graph .node[data-node="door"]').click();
    await page.getByText("2 more calls, of which the caller's span is not stored").waitFor();
    // All calls of this one have a caller.
    await page.goto(at({ focus: "cart" }));
    await page.locator('.graph .node[data-node="cart"]').click();
    await page.getByRole("heading", { name: "Called by 1" }).waitFor();
    assert.equal(await page.getByText("of which the caller").count(), 0);
  });
});

test("v goes through layers, rings, matrix and table, and each has every service and call", async () => {
  await withPage(site.browser, at(), async (page) => {
    await ready(page);
    assert.deepEqual(await nodes(page), ["audit", "cart", "legacy", "pay", "postgresql", "stock", "web"]);
    assert.equal(await page.locator(".graph .edge").count(), 6);
    // A card says calls, p95 and errors.
    assert.match(await page.locator('[data-node="pay"]').textContent(), /pay\s+0\.050\/s · 20\.\d ms\s+▲ 17 %/);
    await assertAccessible(page, "layers");
    await page.keyboard.press("v");
    await page.waitForURL(/view=radial/);
    await page.locator(".graph ellipse").first().waitFor();
    assert.equal(await page.locator(".graph .node").count(), 7);
    const place = (name) => page.locator(`[data-node="${name}"]`).evaluate((e) => e.getAttribute("transform"));
    const before = await place("stock");
    await page.keyboard.press("v");
    await page.waitForURL(/view=matrix/);
    await page.locator(".matrix-cell").first().waitFor();
    await assertAccessible(page, "matrix");
    await page.keyboard.press("v");
    await page.waitForURL(/view=table/);
    const edges = page.getByRole("table", { name: "Edges" }).locator("tbody tr");
    const rows = await edges.evaluateAll((list) => list.map((tr) => [tr.cells[0].innerText.trim(), tr.cells[1].innerText.trim(), tr.cells[2].firstElementChild.title]));
    assert.deepEqual(rows.map((r) => r.join(" ")).sort(), [...new Set(CALLS.map(([a, b]) => `${a} ${b} ${total(a, b)}`))].sort());
    assert.equal(await page.getByRole("table", { name: "Services" }).locator("tbody tr").count(), 7);
    await page.keyboard.press("v");
    await page.waitForURL((url) => !url.searchParams.has("view"));
    // Around another service everything stands elsewhere.
    await page.goto(at({ view: "radial", focus: "stock", hops: 5 }));
    await ready(page);
    assert.notEqual(await place("stock"), before);
    await assertAccessible(page, "rings");
  });
});

test("the matrix is read and walked: callers first, numbers in cells, a cursor, Enter opens the call", async () => {
  await withPage(site.browser, at({ view: "matrix" }), async (page) => {
    const grid = page.getByRole("grid", { name: "Calls between services" });
    await grid.waitFor();
    assert.deepEqual(await texts(page, ".matrix-name"), ["web", "cart", "pay", "stock"]);
    assert.deepEqual(await texts(page, ".matrix-head"), ["cart", "pay", "stock", "audit", "legacy", "postgresql"]);
    const cell = (caller, callee) => page.getByRole("gridcell", { name: new RegExp(`^${caller} → ${callee}:`) });
    assert.equal((await cell("web", "cart").innerText()).trim(), "0.10/s");
    assert.match((await cell("web", "pay").innerText()).trim(), /^▲0\.050\/s$/);
    await grid.focus();
    assert.match(await page.locator(".matrix-told").innerText(), /^web → cart: 0\.10\/s · 0 % errors · p50 20\.\d ms/);
    await page.keyboard.press("Control+ArrowRight");
    assert.match(await page.locator(".matrix-told").innerText(), /^web → pay: 0\.050\/s · ▲ 17 % errors/);
    await page.keyboard.press("ArrowDown");
    assert.match(await page.locator(".matrix-told").innerText(), /^cart → pay: no calls/);
    const active = await grid.getAttribute("aria-activedescendant");
    assert.match(await page.locator(`#${active}`).getAttribute("aria-label"), /^cart → pay: no calls/);
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await page.locator(".details .edge-title", { hasText: "pay" }).waitFor();
    await page.locator(".edge-lines .spark").first().waitFor();
    assert.equal(await page.locator(".edge-lines .spark path").count(), 3);
    await page.getByText("As a table, 20 steps of 1 m 00 s").click();
    const steps = await page.getByRole("table", { name: "Steps of the edge" }).locator("tbody tr").evaluateAll((list) => list.map((tr) => [tr.cells[1].innerText, tr.cells[2].innerText]));
    assert.deepEqual([steps[0], steps[15]], [["3", "0"], ["3", "▲ 33 %"]]);
    await page.getByLabel("edges by").selectOption("err");
    assert.equal((await cell("web", "pay").innerText()).trim(), "▲17 %");
    await assertAccessible(page, "matrix with a call");
  });
});

test("the graph is walked along its edges; Enter focuses, Shift+Enter opens the page, h adds a hop", async () => {
  await withPage(site.browser, at(), async (page) => {
    await ready(page);
    await page.locator('.graph [data-node="web"]').focus();
    const here = () => page.evaluate(() => document.activeElement?.getAttribute("data-node"));
    await page.keyboard.press("ArrowRight");
    assert.ok(["cart", "pay"].includes(await here()), await here());
    await page.keyboard.press("ArrowRight");
    assert.ok(["stock", "legacy", "audit"].includes(await here()), await here());
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press(" ");
    const chosen = await here();
    await page.locator(".details h2", { hasText: chosen }).waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.searchParams.get("focus") === chosen);
    await page.locator(".chip", { hasText: `focus: ${chosen}` }).waitFor();
    await page.goto(at({ focus: "cart" }));
    await ready(page);
    assert.deepEqual(await nodes(page), ["cart", "legacy", "stock", "web"]);
    assert.match(await page.locator(".hidden-chip").innerText(), /hidden: 3 services, 3 edges/);
    await page.getByRole("combobox", { name: "direction" }).selectOption("down");
    await page.waitForFunction(() => document.querySelectorAll(".graph .node").length === 3);
    await page.keyboard.press("Escape");
    await page.evaluate(() => document.activeElement?.blur());
    await page.keyboard.press("h");
    await page.waitForURL(/hops=2/);
    await page.waitForFunction(() => document.querySelectorAll(".graph .node").length === 4);
    assert.deepEqual(await nodes(page), ["cart", "legacy", "postgresql", "stock"]);
    await page.locator('.graph [data-node="stock"]').focus();
    await page.keyboard.press("Shift+Enter");
    await page.waitForURL(/service\/\?s=stock/);
  });
});

test("a card that is dragged, or pushed by keys, stays there, also after a reload and in a link", async () => {
  await withPage(site.browser, at(), async (page) => {
    await ready(page);
    const card = page.locator('.graph [data-node="audit"]');
    const place = () => card.evaluate((e) => e.getAttribute("transform"));
    const before = await place();
    const box = await card.boundingBox();
    await page.mouse.move(box.x + 20, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + 60, box.y + 120, { steps: 4 });
    await page.mouse.up();
    const dragged = await place();
    assert.notEqual(dragged, before);
    await page.getByRole("button", { name: "Unpin 1" }).waitFor();
    await page.locator('.graph [data-node="legacy"]').focus();
    await page.keyboard.press("Shift+ArrowDown");
    await page.getByRole("button", { name: "Unpin 2" }).waitFor();
    await until(() => page.evaluate(() => document.activeElement?.getAttribute("data-node")), "legacy", "the focus");
    const round = (text) => text.match(/-?\d+(\.\d+)?/g).map((n) => Math.round(Number(n)));
    await page.reload();
    await ready(page);
    assert.deepEqual(round(await place()), round(dragged));
    await page.getByRole("button", { name: "Unpin 2" }).click();
    await page.waitForFunction((t) => document.querySelector('.graph [data-node="audit"]')?.getAttribute("transform") === t, before);
    await page.goto(at({ pins: JSON.stringify({ layered: { audit: [333, 444], web: "x", cart: [1, 1e9] } }) }));
    await ready(page);
    assert.deepEqual(round(await place()), [333 - 95, 444 - 20]);
  });
});

test("two fingers zoom the drawing around what is between them, one moves it, and neither chooses or pins", async () => {
  const look = async (page) => {
    await ready(page);
    const view = () => page.locator(".graph > g").evaluate((g) => /translate\(([-\d.e]+) ([-\d.e]+)\) scale\(([\d.e]+)\)/.exec(g.getAttribute("transform")).slice(1).map(Number));
    const box = await page.locator(".graph").boundingBox();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const [left, top, scale] = await view();
    // From 80 to 160 pixels apart: twice as large, and what was in the middle stays there.
    await touch(page, glide([[x - 40, y], [x + 40, y]], [[x - 80, y], [x + 80, y]]));
    const zoomed = await view();
    const middle = (at, centre, size) => (centre - at) / size;
    assert.ok(Math.abs(zoomed[2] / scale - 2) < 0.05, `${scale} to ${zoomed[2]}`);
    assert.ok(Math.abs(middle(zoomed[0], box.width / 2, zoomed[2]) - middle(left, box.width / 2, scale)) < 8, "sideways");
    assert.ok(Math.abs(middle(zoomed[1], box.height / 2, zoomed[2]) - middle(top, box.height / 2, scale)) < 8, "up and down");
    await touch(page, glide([[box.x + 5, box.y + 5]], [[box.x + 65, box.y + 35]]));
    const moved = await view();
    assert.deepEqual([Math.round(moved[0] - zoomed[0]), Math.round(moved[1] - zoomed[1]), moved[2]], [60, 30, zoomed[2]]);
    assert.equal(await page.locator(".details").count(), 0);
    assert.equal(await page.getByRole("button", { name: /^Unpin/ }).count(), 0);
  };
  await withMock(make(), (url) => withPage(site.browser, `${url}/map/`, look, { width: 390, height: 844 }));
});

test("the label of a loop stands above it, and does not cover it", async () => {
  const at = { traceId: hex(1, 32), startTimeUnixNano: String(T0), endTimeUnixNano: String(T0 + MS) };
  const itself = requestOf({ "service.name": "web" }, [{ ...at, spanId: hex(1, 16), name: "call", kind: 3 }, { ...at, spanId: hex(2, 16), parentSpanId: hex(1, 16), name: "serve", kind: 2 }]);
  const look = async (page) => {
    const [loop, label] = [await page.locator(".edge .line").boundingBox(), await page.locator(".label rect").boundingBox()];
    assert.ok(label.y + label.height <= loop.y + 3, `${label.y + label.height} is below ${loop.y}`);
  };
  await withMock([itself], (url) => withPage(site.browser, `${url}/map/`, look));
});

test("beside the period before: what is new, gone or failing is said on edges, in cells and in the table", async () => {
  const later = { from: iso(10), to: iso(20), vs: "prev" };
  await withPage(site.browser, at(later), async (page) => {
    await page.locator('.graph [data-node="legacy"]').waitFor(); // only its callers of before know it
    const label = (client, server) => page.locator(".graph .label").filter({ has: page.locator("text") }).evaluateAll((list, ends) => list.filter((e) => JSON.parse(e.getAttribute("data-label")).slice(0, 2).join() === ends).map((e) => e.textContent), `${client},${server}`);
    assert.deepEqual(await label("cart", "legacy"), ["gone"]);
    assert.deepEqual(await label("pay", "audit"), ["0.033/s new"]);
    assert.deepEqual(await label("web", "cart"), ["0.10/s"]);
    // The range beside it is said, and a label has one number: the others are there for who points at it.
    await page.locator(".summary", { hasText: /compared with \d\d-\d\d \d\d:\d\d:00 – \d\d-\d\d \d\d:\d\d:00/ }).waitFor();
    assert.deepEqual(await label("web", "pay"), ["▲ 0.050/s"]);
    await page.goto(at({ from: iso(8), to: iso(13), vs: "prev" }));
    await page.waitForFunction(() => document.querySelector('[data-label*="legacy"]')?.textContent === "−60 %");
    assert.match(await page.locator('[data-edge*="legacy"] title').textContent(), /: 0\.007\/s · .* · before: 5 calls, 0\.017\/s$/);
    await page.goto(at({ ...later, view: "table" }));
    const changes = async () => Object.fromEntries(await page.getByRole("table", { name: "Edges" }).locator("tbody tr").evaluateAll((list) => list.map((tr) => [`${tr.cells[0].innerText.trim()} ${tr.cells[1].innerText.trim()}`, tr.cells[7].innerText.trim()])));
    await page.locator(".change-gone").waitFor();
    const found = await changes();
    assert.deepEqual([found["cart legacy"], found["pay audit"], found["web cart"]], ["gone", "new", ""]);
    await page.goto(at({ ...later, view: "matrix" }));
    await page.locator(".matrix-cell", { hasText: "gone" }).waitFor();
    await assertAccessible(page, "matrix with changes");
  });
});

test("filters that nothing passes are told, and each can be dropped", async () => {
  await withPage(site.browser, at(), async (page) => {
    await ready(page);
    await page.goto(at({ min: 90, q: "zzz", only: "errors" }));
    for (const view of ["layered", "matrix", "table"]) {
      await page.goto(at({ min: 90, q: "zzz", only: "errors", view }));
      await page.getByRole("heading", { name: "Nothing passes these filters" }).waitFor();
      assert.equal(await page.locator(".graph, .matrix, table").count(), 0);
    }
    await assertAccessible(page, "nothing passes");
    // From a drawing to nothing and back, in one page.
    await page.goto(at({ min: 90 }));
    await page.getByRole("link", { name: "Remove edges from 90 % of calls" }).click();
    await page.waitForURL((url) => !url.searchParams.has("min"));
    await ready(page);
    await page.getByLabel("Find a service").fill("zzz");
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "Remove name contains “zzz”" }).click();
    await ready(page);
    assert.equal(await page.locator(".graph .node").count(), 7);
  });
});

test("what an address asks for that is not there is said, and the map is shown all the same", async () => {
  await withPage(site.browser, at({ focus: "nobody", sel: "node:nothing", vs: "garbage" }), async (page) => {
    await page.getByText("“garbage” is no range to compare with").waitFor();
    await page.getByText("“nobody” is no service of this range: the whole map is shown.").waitFor();
    await page.getByText("What was chosen is not in this range: node:nothing.").waitFor();
    await ready(page);
    assert.equal(await page.locator(".graph .node").count(), 7);
    assert.equal(await page.getByRole("complementary").count(), 0);
    assert.equal(await page.locator(".graph .dim").count(), 0);
    await page.getByRole("link", { name: "Remove the focus" }).click();
    await page.getByRole("link", { name: "Close", exact: true }).click();
    await page.waitForURL((url) => !url.searchParams.has("focus") && !url.searchParams.has("sel"));
    assert.equal(await page.locator(".banner").count(), 1);
  });
});

test("what is chosen and how tables are sorted is in the address: a link and a reload show the same", async () => {
  await withPage(site.browser, at({ view: "table" }), async (page) => {
    const edges = page.getByRole("table", { name: "Edges" });
    const first = (table) => table.locator("tbody tr").first().locator("td").first().innerText();
    await edges.getByRole("button", { name: "Server" }).click();
    await page.waitForURL((url) => url.searchParams.get("sort") === "server");
    const services = page.getByRole("table", { name: "Services" });
    await services.getByRole("button", { name: "Errors" }).click();
    await page.waitForURL((url) => url.searchParams.get("nsort") === "-errors");
    await edges.locator("tbody tr").first().getByRole("button").click();
    const panel = page.locator(".edge-title");
    await panel.waitFor();
    const before = [await first(edges), await first(services), await panel.innerText()];
    assert.deepEqual([before[0].trim(), before[1].trim(), before[2].replace(/\s+/g, " ").trim()], ["pay", "pay", "pay → audit"]);
    assert.match(new URL(page.url()).searchParams.get("sel"), /^edge:\["pay","audit",/);
    await page.reload();
    await panel.waitFor();
    assert.deepEqual([await first(edges), await first(services), await panel.innerText()], before);
    assert.equal(await edges.getByRole("columnheader", { name: "Server" }).getAttribute("aria-sort"), "ascending");
    await panel.getByRole("button", { name: "audit" }).click();
    await page.waitForURL((url) => url.searchParams.get("sel") === "node:audit");
    await page.getByRole("button", { name: "Close the panel" }).click();
    await page.waitForURL((url) => !url.searchParams.has("sel"));
  });
});

test("without calls in the other range nothing is marked as new, and it is said", async () => {
  await withPage(site.browser, at({ vs: "-7d" }), async (page) => {
    await page.getByText("there are no calls in the range to compare with").waitFor();
    await ready(page);
    const labels = await page.locator(".graph .label").evaluateAll((list) => list.map((e) => e.textContent));
    assert.ok(labels.length === 6 && labels.every((t) => !/new|gone/.test(t)), labels.join());
  });
});

test("replay walks the steps of the range: by slider, keys and by itself", async () => {
  await withPage(site.browser, at(), async (page) => {
    await ready(page);
    const place = await page.locator('[data-node="audit"]').getAttribute("transform");
    await page.getByRole("button", { name: "Replay" }).click();
    const slider = page.getByRole("slider", { name: "Step of the range" });
    await slider.waitFor();
    assert.equal(await slider.getAttribute("max"), "19");
    assert.match(await slider.getAttribute("aria-valuetext"), /: 16 calls$/); // 6 + 3 + 4 + 2 + 1
    const quiet = (text) => page.waitForFunction((t) => document.querySelector('[data-edge*="audit"] title').textContent.includes(t), text);
    await quiet("pay → audit: no calls");
    await slider.focus();
    await page.keyboard.press("End");
    assert.match(await slider.getAttribute("aria-valuetext"), /: 17 calls, ▲ 5\.9 % failed$/);
    await quiet("pay → audit: 0.033/s");
    // Cards stay where they are while numbers change.
    assert.equal(await page.locator('[data-node="audit"]').getAttribute("transform"), place);
    await assertAccessible(page, "replay");
    await page.keyboard.press("ArrowLeft");
    await page.getByRole("button", { name: "Play", exact: true }).click();
    await page.waitForFunction(() => document.querySelector(".replay input").value === "19");
    await page.getByRole("button", { name: "Play", exact: true }).waitFor();
    await page.getByRole("link", { name: "Only this step" }).click();
    await page.waitForURL((url) => url.searchParams.get("from") === iso(19) && !url.searchParams.has("at"));
  });
});

test("links across traces are edges when they are asked for, and what became of the others is said", async () => {
  const graph = [];
  const watch = (page) => page.on("request", (r) => r.url().includes("/v1/graph?") && graph.push(new URL(r.url()).searchParams));
  await withPage(site.browser, at({ from: iso(30), to: iso(32) }), async (page) => {
    await ready(page);
    watch(page);
    assert.equal(await page.locator('.graph .edge[data-edge*="messaging_link"]').count(), 0);
    const toggle = page.getByRole("button", { name: "Links across traces" });
    assert.equal(await toggle.getAttribute("aria-pressed"), "false");
    await toggle.click();
    await page.waitForURL(/links=1/);
    const edge = page.locator('.graph .edge[data-edge*="messaging_link"]');
    await edge.waitFor();
    assert.equal(await edge.getAttribute("data-edge"), JSON.stringify(["orders", "mailer", "messaging_link"]));
    assert.equal(await toggle.getAttribute("aria-pressed"), "true");
    await page.getByText("3 links of consumers, 2 calls across traces; 1 to spans that are not stored").waitFor();
    assert.ok(graph.length > 0 && graph.every((p) => p.get("links") === "true"), String(graph));
    await assertAccessible(page, "links across traces");
    // Steps, and the panel of the edge, know them as well.
    const point = await edge.locator("path.line").evaluate((line) => {
      const { x, y } = line.getPointAtLength(line.getTotalLength() / 4).matrixTransform(line.getScreenCTM());
      return { x, y };
    });
    await page.mouse.click(point.x, point.y);
    await page.locator(".edge-lines:not([aria-busy])").waitFor();
    await page.getByRole("button", { name: "Replay" }).click();
    await page.waitForURL(/at=/);
    await page.locator(".replay").waitFor();
    assert.equal(await edge.count(), 1);
  });
});

test("calls of several kinds between the same two are one line, and each is a press away", async () => {
  const range = { from: iso(40), to: iso(41) };
  for (const view of ["layered", "radial"]) {
    await withPage(site.browser, at({ ...range, view }), async (page) => {
      await ready(page);
      assert.equal(await page.locator(".graph .edge").count(), 1, view);
      assert.match(await page.locator(".summary").innerText(), /2 services, 2 edges/);
      assert.deepEqual(await page.locator(".graph .label tspan").allTextContents(), ["0.050/s", "▲ 0.017/s"]);
      assert.ok(await page.locator(".graph .edge.failing").count(), "one of two that fails is seen");
      await page.locator(".graph .edge").dispatchEvent("pointerover", { pointerType: "mouse", bubbles: true });
      const rows = await page.locator(".graph .label tspan").evaluateAll((list) => list.map((e) => [e.textContent, e.getBoundingClientRect().y]));
      assert.match(rows[0][0], /^0\.050\/s · 0 % errors · p50 .* · call$/);
      assert.match(rows[1][0], /^0\.017\/s · ▲ 100 % errors · .*messaging$/);
      assert.ok(rows[1][1] > rows[0][1], "below each other");
      const [ground, words] = [await page.locator(".graph .label rect").boundingBox(), await page.locator(".graph .label text").boundingBox()];
      assert.ok(words.x >= ground.x && words.x + words.width <= ground.x + ground.width && words.y >= ground.y && words.y + words.height <= ground.y + ground.height, "on a ground of their size");
      await page.locator(".graph .edge").dispatchEvent("pointerdown", { button: 0, bubbles: true });
      await page.locator(".graph .edge").dispatchEvent("pointerup", { button: 0, bubbles: true });
      const kinds = page.getByRole("group", { name: "Kinds of calls between the two" }).getByRole("button");
      await kinds.first().waitFor();
      assert.deepEqual((await kinds.allInnerTexts()).map((t) => t.replace(/\s+/g, " ")), ["call 0.050/s", "messaging 0.017/s"]);
      assert.equal(await kinds.first().getAttribute("aria-pressed"), "true");
      await kinds.nth(1).click();
      await until(() => kinds.nth(1).getAttribute("aria-pressed"), "true", "the other is chosen");
      assert.equal(await page.locator(".details .facts dd").first().innerText(), "1");
      assert.ok(await page.locator(".graph .edge.chosen").count(), "and the line still is");
      await assertAccessible(page, "an edge beside another");
    });
  }
});

test("what is left out is counted, and services stand in their groups", async () => {
  await withPage(site.browser, at({ top: 2 }), async (page) => {
    await ready(page);
    assert.match(await page.locator(".summary").innerText(), /3 of 7 services, 2 of 6 edges \(\d\d % of calls\)\s+hidden: 4 services, 4 edges\s+show all \(≈ 0\.\d s\)/);
    await page.getByRole("link", { name: /show all/ }).click();
    await page.waitForFunction(() => document.querySelectorAll(".graph .node").length === 7);
    await page.getByLabel("edges from").selectOption("5");
    await page.waitForFunction(() => document.querySelectorAll(".graph .edge").length === 5);
    await page.goto(at({ only: "errors", group: "service.namespace" }));
    await ready(page);
    assert.deepEqual(await nodes(page), ["pay", "web"]);
    await page.goto(at({ group: "service.namespace" }));
    await page.locator(".graph", { hasText: "shop" }).waitFor();
    assert.equal(await page.locator(".graph text", { hasText: /^(edge|shop|old)$/ }).count(), 3);
    await page.goto(at({ group: "service.namespace", view: "matrix" }));
    await page.locator(".matrix-row.begins, .matrix-head.begins").first().waitFor();
    // A part of a name shows all that have it.
    await page.getByRole("combobox", { name: /Find a service/ }).fill("AUD");
    await page.keyboard.press("Enter");
    await page.waitForURL(/q=AUD/);
    await page.locator(".matrix-note", { hasText: "1 callers, 1 callees" }).waitFor();
  });
});

/** The bytes that a click saves. */
async function saved(page, click) {
  const [download] = await Promise.all([page.waitForEvent("download"), click()]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

test("X opens the files: of what is shown or of all, each says what it is of, pictures in three sizes", async () => {
  await withPage(site.browser, at({ focus: "pay" }), async (page) => {
    await ready(page);
    const open = async () => {
      await page.evaluate(() => document.activeElement?.blur());
      await page.keyboard.press("X");
      await page.locator(".export .option").first().waitFor();
    };
    const option = (name) => page.locator(".export .option", { hasText: name });
    await open();
    await assertAccessible(page, "export");
    await page.keyboard.press("Escape");
    const said = [iso(0), iso(20), "Spoor ", "focus", "v1/graph", "failingFrom"];
    for (const [name, ending, edges] of [["JSON", "json", /"client"/g], ["Graphviz DOT", "dot", / -> /g], ["GraphML", "graphml", /<edge /g], ["Mermaid", "mmd", /-->/g], ["CSV of edges", "edges.csv", /^(web|pay),/gm]]) {
      await open();
      const file = await saved(page, () => option(name).first().click());
      assert.equal(file.name, `service-map.${ending}`);
      const text = file.bytes.toString();
      for (const part of said) assert.ok(text.includes(part), `${name}: ${part}`);
      assert.equal(text.match(edges).length, 2, name); // web → pay → audit
    }
    await open();
    await page.getByLabel("the whole graph of the range").check();
    const whole = JSON.parse((await saved(page, () => option("JSON").first().click())).bytes);
    assert.deepEqual([whole.edges.length, whole.nodes.length, whole.about.thresholds.scope, whole.about.thresholds.focus], [6, 7, "full", undefined]);
    assert.equal(whole.edges.find((e) => e.client === "web" && e.server === "pay").errors, "10");
    await open();
    const svg = (await saved(page, () => option("SVG").click())).bytes.toString();
    assert.ok(svg.startsWith("<svg") && said.every((part) => svg.includes(part)));
    const widths = [];
    for (const scale of [1, 2, 4]) {
      await open();
      const png = (await saved(page, () => option(`PNG ${scale}×`).click())).bytes;
      assert.equal(png.subarray(1, 4).toString(), "PNG");
      for (const part of said) assert.ok(png.includes(part), `PNG: ${part}`);
      widths.push(png.readUInt32BE(16));
      // The browser reads it: its check sums hold.
      assert.equal(await page.evaluate(async (b) => (await createImageBitmap(new Blob([new Uint8Array(b)], { type: "image/png" }))).width, [...png]), widths.at(-1));
    }
    assert.deepEqual(widths, [widths[0], 2 * widths[0], 4 * widths[0]]);
  });
});

test("the menu of files closes while it is still being loaded, and has the focus once it is there; a file of an open range says which time it is of", async () => {
  let hold;
  const held = new Promise((done) => {
    hold = done;
  });
  await withPage(
    site.browser,
    `${site.url}/map/`,
    async (page) => {
      await ready(page);
      const menu = page.getByRole("dialog", { name: /^Export the graph/ });
      await page.keyboard.press("X");
      await menu.waitFor();
      await page.keyboard.press("Escape");
      await menu.waitFor({ state: "detached" });
      await page.evaluate(() => document.activeElement?.blur());
      await page.keyboard.press("X");
      await menu.waitFor();
      hold();
      await menu.getByLabel(/what is shown/).and(page.locator(":focus")).waitFor();
      const { about } = JSON.parse((await saved(page, () => menu.locator(".option", { hasText: "JSON" }).click())).bytes);
      const { from, to } = await (await fetch(`${site.url}/v1/graph`)).json();
      assert.deepEqual([about.from, about.to].map((t) => String(BigInt(Date.parse(t)) * MS)), [from, to]);
    },
    { prepare: (page) => page.route("**/map-more.js", async (route) => (await held, route.continue())) },
  );
});

test("pointing at an edge shows all of it and dims the rest", async () => {
  await withPage(site.browser, at(), async (page) => {
    await ready(page);
    const edge = page.locator('[data-edge*="postgresql"]');
    await edge.dispatchEvent("pointerover", { pointerType: "mouse", bubbles: true });
    assert.match(await page.locator('[data-label*="postgresql"]').textContent(), /0\.033\/s · 0 % errors · p50 20\.\d ms · p95 20\.\d ms · p99 20\.\d ms · database/);
    assert.ok(await page.locator('[data-node="web"].dim').count());
    const all = page.locator(".graph > g > .label");
    assert.ok(await all.evaluate((e) => !e.nextElementSibling), "all of it stands above the cards");
    const [own, graph] = [await all.boundingBox(), await page.locator(".graph").boundingBox()];
    assert.ok(own.x >= graph.x && own.x + own.width <= graph.x + graph.width, "and within what is seen");
    for (const end of ["stock", "postgresql"]) {
      const card = await page.locator(`[data-node="${end}"] .card`).boundingBox();
      assert.ok(own.x >= card.x + card.width || own.x + own.width <= card.x || own.y >= card.y + card.height || own.y + own.height <= card.y, `and beside ${end}`);
    }
    await page.locator(".graph").dispatchEvent("pointerleave", { pointerType: "mouse" });
    assert.equal(await page.locator(".graph .dim").count(), 0);
    await edge.dispatchEvent("pointerover", { pointerType: "mouse", bubbles: true });
    await page.keyboard.press("Escape");
    assert.equal(await page.locator('[data-label*="postgresql"]').textContent(), "0.033/s");
    assert.equal(await page.locator(".graph .dim").count(), 0, "Escape lets go of what is pointed at");
  });
});

test("the ring around a card is as long as its share of failed calls, and who walks there is told all of it", async () => {
  await withPage(site.browser, at(), async (page) => {
    await ready(page);
    const ring = await page.locator('[data-node="pay"] .failed').evaluate((e) => e.getAttribute("stroke-dasharray").split(" ").map(Number));
    // Ten of sixty calls fail.
    assert.ok(Math.abs(ring[0] / ring[1] - 1 / 6) < 0.001, `ring: ${ring}`);
    assert.equal(await page.locator('[data-node="cart"] .failed').count(), 0);
    await page.keyboard.press("Tab");
    await page.locator('.graph .node[tabindex="0"]').focus();
    await page.keyboard.press("ArrowRight");
    const focused = await page.evaluate(() => document.activeElement.querySelector("title").textContent);
    await page.locator(".tip", { hasText: focused }).waitFor();
  });
});

test("every view is accessible in the dark and in forced colours, and fits 390 and 320 pixels", async () => {
  for (const [view, wait] of [["layered", ".graph .node"], ["radial", ".graph .node"], ["matrix", ".matrix-cell"], ["table", ".edges tbody tr"]]) {
    await withPage(
      site.browser,
      at({ view, at: "0", group: "service.namespace", focus: "cart" }),
      async (page) => {
        await page.locator(wait).first().waitFor();
        await page.locator(".replay input").waitFor();
        await assertAccessible(page, `${view}, dark`);
        for (const width of [390, 320]) {
          await page.setViewportSize({ width, height: 844 });
          await page.waitForTimeout(100);
          await assertNoSidewaysScroll(page, `${view} at ${width}`);
        }
        await page.getByRole("button", { name: "Show" }).click();
        await assertNoSidewaysScroll(page, `${view} with its filters`);
        await assertAccessible(page, `${view}, dark and narrow`);
      },
      { dark: true },
    );
    await withPage(site.browser, at({ view }), async (page) => {
      await page.locator(wait).first().waitFor();
      await assertAccessible(page, `${view}, forced colours`);
    }, { forcedColors: "active" });
  }
});

test("the panel lists calls to look at: failed first, then slow and new ones, each a way to its span", async () => {
  await withPage(site.browser, at({ view: "table" }), async (page) => {
    const edge = (client, server) => page.getByRole("table", { name: "Edges" }).locator("tbody tr").filter({ has: page.locator(`td:nth-child(1):has-text("${client}")`) }).filter({ has: page.locator(`td:nth-child(2):has-text("${server}")`) }).getByRole("button");
    const list = page.getByRole("table", { name: "Calls to look at" }).locator("tbody tr");
    const rows = () => list.evaluateAll((all) => all.map((tr) => [tr.cells[2].innerText.trim(), tr.cells[3].innerText.trim(), ...["id", "span"].map((name) => new URL(tr.querySelector("a").href).searchParams.get(name))]));
    await edge("web", "pay").click();
    await list.first().waitFor();
    const calls = await rows();
    assert.deepEqual(calls.map(([status, why]) => `${status} ${why}`), [...Array(4).fill("▲ failed failed"), ...Array(3).fill("ok slowest"), "ok newest", "ok newest", "▲ failed newest"], String(calls));
    assert.equal(new Set(calls.map((c) => c[2])).size, 10, "each trace once");
    // What is searched for are the calls of this edge: spans of the one right below spans of the other, or those that no span has answered.
    const searched = async (pattern) => {
      const q = new URL(await page.getByRole("link", { name: "Search its spans" }).getAttribute("href"), page.url()).searchParams.get("q");
      assert.match(q, pattern);
      const { series } = await (await fetch(`${site.url}/v1/metrics/query?${new URLSearchParams({ q: `${q} | count_over_time()`, ...WHOLE })}`)).json();
      return series[0].points[0][1];
    };
    assert.equal(await searched(/"web" && kind != producer \} > \{.*"pay"/), total("web", "pay"));
    // Both ends of it are a press away.
    await page.locator(".edge-title").getByRole("button", { name: "pay" }).click();
    await page.locator(".details").getByRole("link", { name: "Its page" }).waitFor();
    await page.locator(".details-body:focus").waitFor();
    await page.locator(".neighbours").first().getByRole("button", { name: "web" }).click();
    await page.locator(".edge-title", { hasText: "web" }).waitFor();
    await page.locator(".details-body:focus").waitFor();
    // A database, which has no spans of its own: the calling ones are looked at.
    await edge("stock", "postgresql").click();
    await page.locator(".edge-title", { hasText: "postgresql" }).waitFor();
    await list.first().waitFor();
    assert.ok((await list.count()) === 10 && (await rows()).every(([status]) => status === "ok"));
    assert.equal(await searched(/"stock" .*"postgresql".*without/), total("stock", "postgresql"));
    // A service: whoever calls it. One that nobody calls: whatever it calls.
    for (const [name, failed] of [["audit", 0], ["web", 4]]) {
      await page.getByRole("table", { name: "Services" }).getByRole("button", { name, exact: true }).click();
      await page.locator(".details h2", { hasText: name }).waitFor();
      await list.first().waitFor();
      assert.equal((await rows()).filter(([status]) => status === "▲ failed").length, failed, name);
    }
    await assertAccessible(page, "calls to look at");
    const [, , id, span] = (await rows())[0];
    await list.first().getByRole("link").click();
    await page.waitForURL((url) => url.pathname.endsWith("/trace/") && url.searchParams.get("id") === id && url.searchParams.get("span") === span);
    await page.locator(".details h2", { hasText: "call" }).waitFor();
  });
});

test("with the text spacing of WCAG 1.4.12 no text of the map leaves its card, its label or its page", async () => {
  for (const [width, height, params] of [[1440, 900, {}], [390, 844, { edge: "p95" }], [1440, 900, { view: "radial", focus: "cart" }]]) {
    await withPage(
      site.browser,
      at(params),
      async (page) => {
        await ready(page);
        await page.evaluate(() => {
          const spacing = new CSSStyleSheet();
          spacing.replaceSync("* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }");
          document.adoptedStyleSheets = [spacing];
        });
        const outside = () =>
          page.evaluate(() =>
            [...document.querySelectorAll(".graph .node text, .graph .label:not(.hidden) tspan")].flatMap((e) => {
              const [text, room] = [e, (e.closest(".node") ?? e.closest(".label")).querySelector("rect")].map((x) => x.getBoundingClientRect());
              return e.textContent && (text.right > room.right + 0.5 || text.left < room.left - 0.5) ? [`${e.textContent}: ${text.right - room.right}`] : [];
            }),
          );
        await until(async () => (await outside()).join(), "", `texts within their room at ${width}, ${JSON.stringify(params)}`);
        assert.ok(await page.locator(".graph .node [textLength]").count(), "a line had to be made narrower");
        await assertNoSidewaysScroll(page, `spacing at ${width}`);
        // Also of what is drawn from now on.
        await page.keyboard.press("h");
        await page.locator('.graph [data-node="pay"]').dispatchEvent("pointerover", { pointerType: "mouse", bubbles: true });
        await until(async () => (await outside()).join(), "", "labels that are pointed at");
        await page.evaluate(() => (document.adoptedStyleSheets = []));
      },
      { width, height },
    );
  }
});

test("calls along links across traces are looked at by their consumer", async () => {
  await withPage(site.browser, at({ view: "table", links: "1", from: iso(30), to: iso(32) }), async (page) => {
    await page.getByRole("row", { name: /^orders mailer/ }).getByRole("button").first().click();
    const list = page.getByRole("table", { name: "Calls to look at" }).locator("tbody tr");
    await list.first().waitFor();
    assert.deepEqual(await list.locator("a").evaluateAll((all) => all.map((a) => new URL(a.href).searchParams.get("id"))), [hex(0xabc003, 32)]);
    // Who took a message from whom is no condition on one trace: the way to the spans says that it leads to more.
    const way = page.getByRole("link", { name: "Search all spans of orders" });
    assert.match(new URL(await way.getAttribute("href"), page.url()).searchParams.get("q"), /^\{ resource\.service\.name = "orders" \}$/);
  });
});
