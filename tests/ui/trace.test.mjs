// SPDX-License-Identifier: Apache-2.0
// The Trace page against the mock: each view, the details, files, what is taken away, what a hostile sender can do.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertAccessible, assertNoSidewaysScroll, comes, glide, goes, texts, touch, until, withPage } from "./browser.mjs";
import { Mock } from "./mock.mjs";
import { hex, useBrowser } from "./site.mjs";

const site = useBrowser();

const T0 = 1795350535000000000n;
const MS = 1e6;
const TRACE = hex(0x77, 32);
const string = (key, value) => ({ key, value: { stringValue: value } });

let ids = 0x100;
function span(name, more = {}) {
  const { trace = TRACE, start = 0, length = MS, parent = null, ...rest } = more;
  const spanId = hex(++ids, 16);
  return { traceId: trace, spanId, name, kind: 1, ...(parent ? { parentSpanId: parent.spanId } : {}), startTimeUnixNano: String(T0 + BigInt(start)), endTimeUnixNano: String(T0 + BigInt(start + length)), ...rest };
}

const request = (service, spans) => ({ resourceSpans: [{ resource: { attributes: [string("service.name", service), string("host.name", "box")] }, scopeSpans: [{ scope: { name: "test" }, spans }] }] });

/** web calls cart, which fails with an exception, asks redis (which sends nothing) six times, and is linked from a consumer elsewhere. Thirty
 * other traces with the same operations make the spans' ranks. */
function shop() {
  const root = span("GET /", { kind: 2, length: 100 * MS });
  const call = span("call cart", { kind: 3, parent: root, start: 10 * MS, length: 60 * MS });
  const add = span("add", {
    kind: 2, parent: call, start: 15 * MS, length: 50 * MS, status: { code: 2, message: "no stock" },
    attributes: [string("http.route", "/cart"), string("http.method", "POST"), string("db.query.text", "SELECT a FROM b WHERE c = 1"), string("payload", '{"a":{"b":[1,2]}}'), ...Array.from({ length: 8 }, (_, i) => string(`app.n${i}`, String(i)))],
    events: [{ name: "retry", timeUnixNano: String(T0 + BigInt(20 * MS)) }, { name: "exception", timeUnixNano: String(T0 + BigInt(40 * MS)), attributes: [string("exception.message", "no stock"), string("exception.stacktrace", "Error\n at a\n at b\n at c\n at d")] }],
  });
  const reads = Array.from({ length: 6 }, (_, i) => span("HGET", { kind: 3, parent: add, start: (16 + i * 2) * MS, length: MS, attributes: [string("db.system", "redis"), string("item", `i${i % 2}`)] }));
  const sent = span("send", { kind: 4, parent: root, start: 75 * MS, length: 2 * MS });
  const other = hex(0x88, 32);
  const consumer = span("take", { trace: other, kind: 5, links: [{ traceId: TRACE, spanId: add.spanId }] });
  const peers = Array.from({ length: 30 }, (_, i) => {
    const trace = hex(0x1000 + i, 32);
    return [span("GET /", { trace, kind: 2, length: (20 + i) * MS }), span("add", { trace, kind: 2, length: (60 + i) * MS })];
  });
  return { root, call, add, reads, sent, consumer, other, requests: [request("web", [root, call, sent, ...peers.map((p) => p[0])]), request("cart", [add, ...reads, ...peers.map((p) => p[1])]), request("mail", [consumer])] };
}

async function withShop(run, options = {}) {
  const made = shop();
  const mock = new Mock();
  for (const r of made.requests) mock.add(r);
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  const at = (params = {}) => `${url}/trace/?${new URLSearchParams({ id: TRACE, ...params })}`;
  try {
    await withPage(site.browser, at(options.params), (page) => run(page, { ...made, mock, url, at }), options);
  } finally {
    await stop();
  }
}

const row = (page, label) => page.locator(`.wf-row[aria-label^="${label}"]`);
const param = (page, name) => new URL(page.url()).searchParams.get(name);
const saved = async (page, click) => {
  const [download] = await Promise.all([page.waitForEvent("download"), click()]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
};

test("chips rank the rows in view in one batch, and are hidden below 20 spans", async () => {
  await withShop(async (page, { mock }) => {
    await row(page, "web GET /").locator(".wf-rank", { hasText: /^p\d+$/ }).waitFor();
    assert.equal(await row(page, "web GET /").locator(".wf-rank").innerText(), "p96");
    assert.equal(await row(page, "cart add").locator(".wf-rank").innerText(), "p0");
    assert.equal(await row(page, "web call cart").locator(".wf-rank").innerText(), "");
    assert.match(await row(page, "web GET /").getAttribute("title"), /slower than 96 % of 31 spans of this operation/);
    assert.equal(mock.log.filter((l) => l.includes("/percentiles")).length, 1);
    await page.getByRole("button", { name: "Slow > p95" }).click();
    await page.locator(".find-count", { hasText: "1 of 10" }).waitFor();
    await until(async () => (await page.locator(".wf-row:visible").count()) - (await page.locator(".wf-row.dimmed:visible").count()), 1);
  });
});

test("columns can be chosen, and stay chosen", async () => {
  await withShop(async (page) => {
    await row(page, "web GET /").waitFor();
    assert.equal(await row(page, "web GET /").locator(".wf-self").isVisible(), true);
    await page.getByRole("button", { name: "Columns" }).click();
    await page.getByLabel("Self time").uncheck();
    await page.getByLabel("Status").check();
    await page.keyboard.press("Escape");
    await page.reload();
    await row(page, "web GET /").waitFor();
    assert.equal(await row(page, "web GET /").locator(".wf-self").isVisible(), false);
    assert.equal(await row(page, "cart add").locator(".wf-status").innerText(), "error");
  });
});

test("rows of the waterfall and of the tables are as tall as the person wants", async () => {
  await withShop(async (page, { at }) => {
    await row(page, "web GET /").waitFor();
    for (const [density, height] of [["compact", 20], ["comfortable", 28]]) {
      await page.evaluate((d) => localStorage.setItem("spoor.density", d), density);
      for (const [view, selector] of [["waterfall", ".wf-row:visible"], ["spans", ".span-line:not(.head)"], ["events", ".event-line:not(.head)"]]) {
        await page.goto(at({ view }));
        const tops = () => page.locator(selector).evaluateAll((rows) => rows.map((r) => r.getBoundingClientRect()).sort((a, b) => a.top - b.top).slice(0, 2).map((r) => [r.height, r.top]));
        await page.locator(selector).nth(1).waitFor();
        await until(async () => {
          const [first, second] = await tops();
          return [first[0], second[1] - first[1]];
        }, [height, height]);
      }
    }
  });
});

test("on a narrow screen find is a sheet that a button or a key opens, and Escape closes", async () => {
  await withShop(async (page) => {
    await row(page, "web GET /").waitFor();
    const box = page.locator("#trace-find");
    const opener = page.locator(".find-opener");
    assert.equal(await box.isVisible(), false);
    assert.equal((await row(page, "web GET /").boundingBox()).height, 44);
    await opener.click();
    await until(() => box.evaluate((e) => document.activeElement === e), true);
    await page.keyboard.type("HGET");
    await page.locator(".find-count", { hasText: "6 of 10" }).waitFor();
    const sheet = await page.locator(".find-part").boundingBox();
    assert.equal(Math.round(sheet.y + sheet.height), 844);
    await assertAccessible(page);
    await assertNoSidewaysScroll(page);
    await page.keyboard.press("Escape");
    assert.equal(await box.isVisible(), false);
    await until(() => opener.evaluate((e) => document.activeElement === e), true, "the focus");
    assert.equal((await opener.innerText()).trim(), "Find 6");
    await page.keyboard.press("Control+f");
    await until(() => box.evaluate((e) => document.activeElement === e), true);
    await page.getByRole("button", { name: "Done" }).click();
    assert.equal(await box.isVisible(), false);
  }, { width: 390, height: 844 });
});

const windowOf = (page) => new URL(page.url()).searchParams.get("z")?.split("-").map(Number) ?? null;
const near = (a, b, within) => assert.ok(Math.abs(a - b) <= within, `${a} is not ${b}`);

test("by touch the overview and the scale zoom, two fingers zoom the bars, and one pans them", async () => {
  await withShop(async (page) => {
    await row(page, "web GET /").waitFor();
    const all = 100 * MS;
    // The address follows the fingers: what counts is where it ends.
    const shows = (from, to, slack) => until(() => [from, to].every((time, i) => Math.abs(windowOf(page)[i] - time * all) <= slack * all), true);
    // A drag over a quarter of the overview.
    const map = await page.locator(".minimap").boundingBox();
    const [y, x] = [map.y + map.height / 2, (share) => map.x + map.width * share];
    await touch(page, glide([[x(0.25), y]], [[x(0.5), y]]));
    await page.waitForURL(/z=/);
    await shows(0.25, 0.5, 0.01);
    // One finger to the left by half of the bars: half a window later.
    const bars = await page.locator(".wf-scroll").boundingBox();
    const [left, middle] = [bars.x + 20, bars.y + 60];
    await touch(page, glide([[left + bars.width / 2, middle]], [[left, middle]]));
    await shows(0.375, 0.625, 0.02);
    near(windowOf(page)[1] - windowOf(page)[0], 0.25 * all, 0.01 * all);
    assert.equal(await page.locator(".details").count(), 0, "that was no tap");
    // Two fingers apart, to twice the distance: half of the time.
    const centre = bars.x + bars.width / 2;
    const before = (windowOf(page)[0] + windowOf(page)[1]) / 2 / all;
    await touch(page, glide([[centre - 40, middle], [centre + 40, middle]], [[centre - 80, middle], [centre + 80, middle]]));
    await shows(before - 0.0625, before + 0.0625, 0.01);
    // Up and down is still the browser's.
    await page.setViewportSize({ width: 390, height: 560 });
    const low = await page.locator(".wf-scroll").boundingBox();
    await touch(page, glide([[centre, low.y + low.height - 10]], [[centre, low.y + 10]]));
    await until(async () => (await page.locator(".wf-scroll").evaluate((e) => e.scrollTop)) > 20, true);
    near(windowOf(page)[1] - windowOf(page)[0], 0.125 * all, 0.01 * all);
  }, { width: 390, height: 844, params: { fold: "0" } });
});

test("spans keep nearly half of the window beside details that are docked below", async () => {
  await withShop(async (page) => {
    await row(page, "cart add").click();
    await page.locator(".details").waitFor();
    const { height } = await page.locator(".waterfall").boundingBox();
    assert.ok(height >= 400, `${height} of 900 pixels`);
    assert.equal(await page.getByRole("button", { name: "Details below the row" }).isVisible(), true);
    assert.ok((await page.locator(".details").boundingBox()).height >= 180);
  }, { width: 900, height: 900 });
});

test("a find is a condition for the server, and a mistake in it is said", async () => {
  await withShop(
    async (page) => {
      await row(page, "web GET /").waitFor();
      await page.keyboard.press("Control+f");
      await page.keyboard.type('db.system = "redis"');
      // A name without its dot is not TraceQL: the server's answer stands below the box.
      await page.locator("#trace-find").fill('.db.system = "redis"');
      await page.locator(".find-count", { hasText: "6 of 10" }).waitFor();
      await page.getByRole("button", { name: "Only matches" }).click();
      await page.waitForURL(/only=1/);
      await until(() => page.locator(".wf-scroll").getAttribute("aria-rowcount"), "9");
      await page.locator("#trace-find").fill("status = ");
      await page.locator(".find-problem", { hasText: /\w\. Words with such signs/ }).waitFor();
      assert.equal(await page.locator("#trace-find").getAttribute("aria-invalid"), "true");
      await assertAccessible(page, "find");
    },
    { expectErrors: true },
  );
});

test("a link to a span inside a folded run of repeats opens the run", async () => {
  await withShop(async (page) => {
    await row(page, "web GET /").waitFor();
    const repeats = page.locator(".wf-row.run");
    await repeats.waitFor();
    await repeats.click();
    // The row of the run has the span of its first; the address follows after a pause.
    await page.waitForURL(/span=/);
    const first = new URL(page.url()).searchParams.get("span");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.waitForURL((url) => url.searchParams.get("span") !== first);
    await until(() => page.locator(".wf-row.current").getAttribute("aria-expanded"), null);
    const inside = await page.locator(".wf-row.current").getAttribute("aria-label");
    await page.reload();
    await page.locator(".wf-row.current").waitFor();
    assert.equal(await page.locator(".wf-row.current").getAttribute("aria-label"), inside);
  });
});

test("errors, hidden services, peers and marks are pills with their state in the address", async () => {
  await withShop(async (page, { add, call }) => {
    await row(page, "web GET /").waitFor();
    await page.getByRole("button", { name: "1 error" }).click();
    await page.waitForURL(/err=1/);
    await page.locator(".find-count", { hasText: "1 of 10" }).waitFor();
    await page.keyboard.press("n");
    await page.locator('.wf-row.current[aria-label^="cart add"]').waitFor();
    await page.getByRole("button", { name: "6 peers" }).click();
    await page.getByRole("button", { name: "Fold repeats" }).click();
    await page.waitForURL(/peers=1/);
    await until(() => page.locator(".wf-row.peer:visible").count(), 6);
    assert.match(await page.locator(".wf-row.peer").first().getAttribute("aria-label"), /^redis, database called by cart HGET, sent no spans/);
    await page.keyboard.press("m");
    await row(page, "web call cart").click();
    await page.keyboard.press("m");
    await page.waitForURL(/marks=/);
    assert.equal(param(page, "marks"), `${add.spanId},${call.spanId}`);
    const marks = await page.getByRole("region", { name: "Marks" }).innerText();
    assert.match(marks, /start to start −5\.00 ms/);
    assert.match(marks, /duration \+10\.0 ms/);
    await page.keyboard.press("m");
    await page.getByRole("region", { name: "Marks" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: /services/ }).click();
    await page.getByRole("button", { name: "Hide cart" }).click();
    await page.waitForURL(/svc=-cart/);
    await page.locator('.wf-scroll[aria-rowcount="3"]').waitFor();
  });
});

test("isolating has a way back, fit zooms twice, and the window can be typed", async () => {
  await withShop(async (page, { add }) => {
    await row(page, "cart add").click();
    const whole = await page.locator(".wf-scroll").getAttribute("aria-rowcount");
    await page.keyboard.press("o");
    await page.waitForURL(new RegExp(`root=${add.spanId}`));
    await page.locator('.wf-scroll[aria-rowcount="2"]').waitFor();
    await page.keyboard.press("Backspace");
    await page.locator(".crumbs", { hasText: "call cart" }).waitFor();
    await page.goBack();
    await page.waitForURL(new RegExp(`root=${add.spanId}`));
    await page.locator('.wf-scroll[aria-rowcount="2"]').waitFor();
    await page.getByRole("button", { name: "Whole trace" }).click();
    await page.locator(`.wf-scroll[aria-rowcount="${whole}"]`).waitFor();
    await page.keyboard.press("f");
    await page.waitForURL(/z=/);
    const first = param(page, "z");
    await page.keyboard.press("f");
    await page.waitForFunction((z) => new URL(location.href).searchParams.get("z") !== z, first);
    assert.equal(param(page, "z"), `${15 * MS}-${65 * MS}`);
    await page.getByLabel("From ms").fill("20");
    await page.keyboard.press("Tab");
    await page.waitForURL(/z=20000000-/);
    await page.locator(".zoom-ends").getByRole("button", { name: "Reset zoom" }).click();
    await page.waitForFunction(() => !new URL(location.href).searchParams.has("z"));
  });
});

test("views beside the waterfall are of the isolated subtree alone, and without hidden services", async () => {
  await withShop(async (page, { at, add, call }) => {
    await page.goto(at({ view: "stats", root: add.spanId }));
    await page.locator(".part-tools", { hasText: "1 group of 7 spans" }).waitFor();
    assert.deepEqual(await texts(page, ".stats tbody tr td:first-child"), ["cart"]);
    await page.locator(".part-tools select").first().selectOption("span.item");
    await until(() => texts(page, ".stats tbody tr td:nth-child(-n+2)"), ["none", "1", "i0", "3", "i1", "3"]);
    await page.keyboard.press("5");
    await page.locator(".part-tools", { hasText: "7 spans" }).waitFor();
    const csv = await saved(page, () => page.getByRole("button", { name: "CSV" }).click());
    const lines = csv.text.trim().split("\r\n");
    assert.equal(lines.length, 8);
    assert.ok(lines[1].startsWith(`${add.spanId},${call.spanId},cart,add,`), lines[1]);
    await page.locator(".span-line:not(.head)", { hasText: "add" }).click();
    await page.locator(".details h2", { hasText: "add" }).waitFor();
    await page.waitForURL(new RegExp(`span=${add.spanId}`));
    await page.keyboard.press("6");
    await until(() => texts(page, ".event-line:not(.head) > :nth-child(3)"), ["cart add", "cart add"]);
    await page.locator(".event-line.chosen").first().waitFor();
    await page.goto(at({ view: "graph", as: "table", root: add.spanId }));
    await until(() => texts(page, ".edges tbody tr"), ["cart redis 6 0 1.00 ms 1.00 ms"]);
    await page.goto(at({ view: "flame", flame: "sandwich", root: call.spanId }));
    await until(() => texts(page, ".sandwich .table-box tbody td:nth-child(-n+2)"), ["cart add", "1", "web call cart", "1", "cart HGET", "6"]);
    // Nothing of a hidden service is counted or drawn, though spans of it call what is shown.
    await page.goto(at({ view: "stats", svc: "-cart" }));
    await page.locator(".part-tools", { hasText: "1 group of 3 spans" }).waitFor();
    await page.goto(at({ view: "graph", svc: "-cart" }));
    await page.locator(".part-tools", { hasText: "1 node, 0 call paths" }).waitFor();
    await page.goto(at({ view: "spans", svc: "-web" }));
    await page.locator(".part-tools", { hasText: "7 of 10 spans" }).waitFor();
  });
});

test("every view opens with its key, is accessible, and fits a narrow screen in the dark", async () => {
  const parts = ["Flame graph", "Graph of the trace", "Statistics", "Spans", "Events", "JSON"];
  for (const narrow of [false, true]) {
    await withShop(
      async (page) => {
        await row(page, "web GET /").waitFor();
        for (const [i, name] of parts.entries()) {
          await page.keyboard.press(String(i + 2));
          await page.getByRole("region", { name, exact: true }).waitFor();
          await page.waitForTimeout(150);
          await assertAccessible(page, name);
          await assertNoSidewaysScroll(page, name);
          const tab = await page.locator(".view-tabs [aria-current]").evaluate((e) => e.parentElement.getBoundingClientRect().right - e.getBoundingClientRect().right);
          assert.ok(tab >= 0, `${name}: its tab is in view`);
        }
        await page.keyboard.press("1");
        await row(page, "web GET /").waitFor();
      },
      narrow ? { width: 390, height: 844, dark: true } : {},
    );
  }
});

test("whatever key shows another view, or leaves one, the focus is where the next key works", async () => {
  await withShop(async (page) => {
    const focus = () => page.evaluate(() => document.activeElement.closest(".trace-part, .waterfall, .find")?.getAttribute("aria-label") ?? document.activeElement.closest(".waterfall")?.className ?? document.activeElement.tagName);
    await row(page, "web GET /").waitFor();
    await page.keyboard.press("j");
    for (const [key, name] of [["2", "Flame graph"], ["3", "Graph of the trace"], ["4", "Statistics"], ["5", "Spans"], ["6", "Events"], ["7", "JSON"], ["1", "waterfall"]]) {
      await page.keyboard.press(key);
      await until(focus, name);
    }
    // The table of spans has its keys at once, and closing the details gives it the focus back.
    await page.keyboard.press("5");
    await until(focus, "Spans");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator(".details").waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".details").waitFor({ state: "detached" });
    await until(focus, "Spans");
    // Out of the box of find: first "only matches" goes, then its text, then the focus, and no further.
    await page.keyboard.press("Control+f");
    await page.keyboard.type("HGET");
    await page.waitForURL(/find=HGET/);
    await page.getByRole("button", { name: "Only matches" }).click();
    await page.waitForURL(/only=1/);
    await page.keyboard.press("Control+f");
    await page.keyboard.press("Escape");
    await page.waitForURL((u) => !u.searchParams.has("only") && u.searchParams.get("find") === "HGET");
    await page.keyboard.press("Escape");
    await page.waitForURL((u) => !u.searchParams.has("find"));
    await until(focus, "Find in the trace");
    await page.keyboard.press("Escape");
    await until(focus, "Spans");
    await page.keyboard.press("1");
    await until(focus, "waterfall");
  });
});

test("r reads the trace again; a server that does not answer takes nothing from the screen, and is asked again", async () => {
  await withShop(
    async (page, { mock, root }) => {
      await row(page, "web GET /").waitFor();
      mock.add(request("web", [span("late", { parent: root, start: 90 * MS })]));
      await page.keyboard.press("r");
      await row(page, "web late").waitFor();
      goes(page);
      await page.keyboard.press("r");
      await page.locator(".banner", { hasText: "Spoor does not answer. What is below was read before" }).waitFor();
      assert.equal(await row(page, "web late").count(), 1);
      await assertAccessible(page, "a trace without its server");
      comes(page);
      mock.add(request("web", [span("later", { parent: root, start: 95 * MS })]));
      await row(page, "web later").waitFor();
      assert.equal(await page.locator(".banner", { hasText: "does not answer" }).count(), 0);
    },
    { expectErrors: true, breaks: "**/v1/traces/**" },
  );
});

test("flame: walked with the keyboard, added up, and the operations one by one", async () => {
  await withShop(
    async (page) => {
      const flame = page.getByRole("slider", { name: "Flame graph" });
      await flame.focus();
      for (const key of ["ArrowDown", "ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
      await until(() => flame.getAttribute("aria-valuetext").then((text) => text.replace(/, .*/, "")), "cart add");
      await page.keyboard.press("Enter");
      await page.locator(".details h2", { hasText: "add" }).waitFor();
      await page.getByRole("button", { name: "Left-heavy" }).click();
      await flame.focus();
      for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
      await page.locator(".part-note", { hasText: "6 spans" }).waitFor();
      await page.getByRole("button", { name: "Sandwich" }).click();
      await page.getByRole("button", { name: "cart add" }).first().click();
      await until(() => texts(page, ".sandwich .neighbours li"), ["web call cart 1 call 50.0 ms", "cart HGET 6 calls 6.00 ms"]);
      await assertAccessible(page, "sandwich");
    },
    { params: { view: "flame" } },
  );
});

test("graph, stats, spans, events and JSON show what the spans are", async () => {
  await withShop(
    async (page, { url, at, root }) => {
      await page.locator(".graph .node").nth(2).waitFor();
      await page.getByRole("button", { name: "Table" }).click();
      await until(() => texts(page, ".edges tbody tr"), ["cart redis 6 0 1.00 ms 1.00 ms", "web cart 1 ▲ 1 error 50.0 ms 50.0 ms"]);
      await page.goto(at({ view: "stats", by: "service", by2: "span.item" }));
      await page.locator(".stats tbody tr").first().waitFor();
      await until(async () => (await texts(page, ".stats tbody tr td:first-child")).sort(), ["cart · i0", "cart · i1", "cart · none", "web · none"]);
      const csv = await saved(page, () => page.getByRole("button", { name: "CSV" }).click());
      assert.equal(csv.text.split("\r\n").length, 6);
      await page.goto(at({ view: "spans", sort: "-duration" }));
      await page.locator(".span-line:not(.head)").first().waitFor();
      const names = await texts(page, ".span-line:not(.head) > :nth-child(3)");
      assert.deepEqual(names.slice(0, 3), ["GET /", "call cart", "add"]);
      // The greatest come first, but of starts the first.
      for (const [column, sorts] of [["Self", ["-self", "self"]], ["Name", ["name", "-name"]], ["Start", ["start", "-start"]]])
        for (const sort of sorts) {
          await page.getByRole("columnheader", { name: column }).getByRole("button").click();
          await until(() => param(page, "sort"), sort, column);
        }
      await page.goto(at({ view: "spans", sort: "-duration" }));
      await page.locator(".span-line:not(.head)").first().click();
      await page.locator(".details h2", { hasText: "GET /" }).waitFor();
      await page.waitForURL(new RegExp(`span=${root.spanId}`));
      const spans = await saved(page, () => page.getByRole("button", { name: "CSV" }).click());
      assert.equal(spans.text.split("\r\n").length, 12);
      await page.goto(at({ view: "events" }));
      await page.locator(".event-line:not(.head)").nth(1).waitFor();
      await until(() => texts(page, ".event-line:not(.head) > :nth-child(2)"), ["retry", "▲ exception no stock"]);
      assert.deepEqual(await texts(page, ".event-lanes li"), ["exception 1", "retry 1"]);
      await page.goto(at({ view: "json" }));
      await page.locator(".json-line").first().waitFor();
      const otlp = JSON.parse((await saved(page, () => page.getByRole("button", { name: "Download", exact: true }).click())).text);
      const stored = await (await fetch(`${url}/v1/traces/${TRACE}`)).json();
      assert.deepEqual(otlp, stored);
      await page.getByRole("button", { name: "Jaeger" }).click();
      await page.locator(".json-line", { hasText: '"operationName"' }).first().waitFor();
    },
    { params: { view: "graph" } },
  );
});

test("details: groups, filter, pins, values by their type, exceptions first, links both ways", async () => {
  await withShop(async (page, { add, consumer, other }) => {
    await row(page, "cart add").click();
    await page.locator(".attributes dd").first().waitFor();
    assert.ok((await texts(page, ".attribute-group h4")).includes("http"));
    assert.deepEqual((await texts(page, ".event b")).slice(0, 2), ["▲ exception", "retry"]);
    const value = (key) => page.locator(".details .attributes > div", { has: page.locator("dt", { hasText: new RegExp(`^${key}$`) }) }).first();
    assert.match(await value("db.query.text").locator(".value").innerText(), /\nFROM b\nWHERE/);
    const stack = await value("exception.stacktrace").evaluate((line) => line.querySelector("dd").clientWidth / line.clientWidth);
    assert.ok(stack > 0.95, `what has several lines has ${stack} of the width`);
    await value("db.query.text").getByRole("button", { name: "raw" }).click();
    await until(() => value("db.query.text").locator(".value").innerText(), "SELECT a FROM b WHERE c = 1");
    assert.equal(await value("http.route").getByRole("link", { name: "Search traces with this" }).getAttribute("title"), 'Search { span.http.route = "/cart" }');
    await value("http.route").hover();
    await value("http.route").getByRole("button", { name: "Pin" }).click();
    await page.getByRole("heading", { name: "Pinned" }).waitFor();
    await page.getByLabel("Filter attributes").fill("route");
    await until(() => page.locator(".details .attributes dt").count(), 2);
    await page.getByLabel("Filter attributes").fill("");
    await page.getByRole("button", { name: "Look for spans that link here" }).click();
    const back = page.locator(".back-links a");
    await back.waitFor();
    assert.match(await back.getAttribute("href"), new RegExp(`id=${other}&span=${consumer.spanId}`));
    await page.locator(".raw summary").click();
    await page.locator(".raw pre", { hasText: add.spanId }).waitFor();
    await assertAccessible(page, "details");
    await value("http.route").getByRole("link", { name: "Group the spans" }).first().click();
    await page.locator(".stats tbody tr").first().waitFor();
    assert.equal(param(page, "by"), "span.http.route");
  });
});

test("a row that loses its place to a lower window comes to the middle of what is left", async () => {
  await withShop(
    async (page) => {
      const place = () =>
        page.evaluate(() => {
          const [row, view] = [".wf-row.current", ".wf-scroll"].map((name) => document.querySelector(name).getBoundingClientRect());
          return { row: row.top - view.top, top: view.top, height: view.height };
        });
      await row(page, "cart HGET").nth(3).click();
      await page.keyboard.press("Escape");
      const before = await place();
      await page.setViewportSize({ width: 1440, height: Math.ceil(before.top) + 130 });
      await page.waitForFunction((height) => document.querySelector(".wf-scroll").getBoundingClientRect().height < height, before.height);
      await until(async () => {
        const { row: at, height } = await place();
        return at >= 24 && at + 48 <= height;
      }, true);
    },
    { params: { fold: "0" } },
  );
});

test("details stand on the right, at the bottom, or between the rows", async () => {
  await withShop(async (page) => {
    await row(page, "web call cart").click();
    const box = async () => page.locator(".details").boundingBox();
    assert.ok((await box()).x > 900);
    await page.getByRole("button", { name: "Details at the bottom" }).click();
    await until(async () => (await box()).y > 400 && (await box()).x < 10, true);
    await page.getByRole("button", { name: "Details below the row" }).click();
    await page.locator(".inline-details").waitFor();
    const lies = async () => {
      const [line, next, details] = [await row(page, "web call cart").boundingBox(), await row(page, "cart add").boundingBox(), await box()];
      return details.y >= line.y + line.height - 1 && details.y + details.height <= next.y + 2;
    };
    await until(lies, true);
    await page.keyboard.press("ArrowDown");
    await page.locator(".details h2", { hasText: "add" }).waitFor();
    await assertAccessible(page, "details between the rows");
    await page.keyboard.press("Escape");
    await page.locator(".details").waitFor({ state: "detached" });
  });
});

test("hostile names and values are text in every view and in every export", async () => {
  const evil = ["<script>window.__pwned = 1</script>", '"><img src=x onerror="window.__pwned = 2">', "\u202eright to left\u202c \u0627\u0644 \u{1F389}\u0007", "=cmd|' /C calc'!A0", "__proto__"];
  const root = span(evil[0], { length: 9 * MS, attributes: evil.map((e) => string(e, e)) });
  const kids = evil.map((name, i) => span(name, { parent: root, kind: 3, start: i * MS, attributes: [string("db.system", name), string("json", `{"${i}":"<b>"}`), string("url.full", "javascript:window.__pwned=3//?a=1")], events: [{ name, timeUnixNano: String(T0) }] }));
  const mock = new Mock();
  mock.add(request(evil[1], [root, ...kids]));
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    for (const params of ["", "&peers=1&fold=0", "&view=flame", "&view=flame&flame=sandwich", "&view=graph", "&view=graph&as=table", "&view=stats&by=span.json", "&view=spans", "&view=events", "&view=json"]) {
      await withPage(site.browser, `${url}/trace/?id=${TRACE}&span=${kids[1].spanId}${params}`, async (page) => {
        await page.locator(".attributes dd").first().waitFor();
        await page.waitForTimeout(150);
        assert.equal(await page.evaluate(() => window.__pwned ?? 0), 0);
        assert.equal(await page.locator("main img, main script, a[href^=javascript]").count(), 0, params);
        if (params === "&view=spans") {
          const csv = await saved(page, () => page.getByRole("button", { name: "CSV" }).click());
          assert.ok(csv.text.includes(",'=cmd|"), csv.text);
        }
      });
    }
  } finally {
    await stop();
  }
});

test("300 attributes and a value of two megabytes cost what is seen of them", async () => {
  const root = span("large", { attributes: [string("big", "x".repeat(2 << 20)), ...Array.from({ length: 300 }, (_, i) => string(`key.${i}`, `value ${i}`))] });
  const mock = new Mock();
  mock.add(request("web", [root]));
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await withPage(site.browser, `${url}/trace/?id=${TRACE}&span=${root.spanId}`, async (page) => {
      await page.locator(".attribute-line").first().waitFor();
      assert.ok((await page.locator(".attribute-line").count()) < 60);
      assert.ok((await page.evaluate(() => document.querySelectorAll("*").length)) < 2000);
      await page.getByLabel("Filter attributes").fill("xxx");
      const more = page.getByRole("button", { name: /more characters/ });
      assert.match(await more.innerText(), /2,095,104 more characters/);
      await more.click();
      await until(async () => (await more.innerText()).trim(), "… 2,029,568 more characters");
      await page.getByLabel("Filter attributes").fill("");
      await page.locator(".attribute-line", { hasText: "key.10 " }).first().click().catch(() => {});
      await assertAccessible(page, "many attributes");
    });
  } finally {
    await stop();
  }
});

test("exports hold every span, and a trace goes into the comparison and out of it", async () => {
  await withShop(async (page) => {
    await row(page, "web GET /").waitFor();
    const take = (name) =>
      saved(page, async () => {
        await page.getByRole("button", { name: "Export" }).click();
        await page.getByRole("button", { name, exact: false }).click();
      });
    assert.equal(JSON.parse((await take("OTLP JSON")).text).resourceSpans.length, 10);
    const jaeger = JSON.parse((await take("Jaeger JSON")).text);
    assert.equal(jaeger.data[0].spans.length, 10);
    assert.equal((await take("CSV one line")).text.trim().split("\r\n").length, 11);
    const perfetto = await take("Perfetto");
    assert.equal(JSON.parse(perfetto.text).traceEvents.filter((e) => e.ph === "X").length, 10);
    assert.equal(perfetto.name, `trace-${TRACE}.perfetto.json`);
    const speed = JSON.parse((await take("speedscope")).text);
    assert.equal(speed.profiles.flatMap((p) => p.events).filter((e) => e.type === "O").length, 10);
    await page.keyboard.press("b");
    await page.getByRole("button", { name: "Compared" }).waitFor();
    assert.match(await page.evaluate(() => sessionStorage.getItem("spoor.basket")), new RegExp(TRACE));
    await page.keyboard.press("b");
    await page.getByRole("button", { name: "Compare", exact: true }).waitFor();
  });
});

test("a dropped file is read in the browser, asks the server nothing, and is refused with a reason if it is none", async () => {
  const made = shop();
  const mock = new Mock();
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  const drop = (page, name, text) =>
    page.evaluate(
      ({ name, text }) => {
        const data = new DataTransfer();
        data.items.add(new File([text], name, { type: "application/json" }));
        document.querySelector(".file-drop").dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
      },
      { name, text },
    );
  try {
    await withPage(site.browser, `${url}/trace/?src=file`, async (page) => {
      await page.getByRole("heading", { name: "Which file?" }).waitFor();
      await assertAccessible(page, "no file");
      await drop(page, "bad.json", "hello");
      await page.locator(".toast", { hasText: "bad.json cannot be read: this file is no JSON" }).waitFor();
      await drop(page, "shop.json", JSON.stringify({ resourceSpans: made.requests.flatMap((r) => r.resourceSpans) }));
      await page.getByRole("heading", { name: "32 traces in this file" }).waitFor();
      await page.locator(`a[href*="${TRACE}"]`).click();
      await page.locator(".wf-row").first().waitFor();
      assert.equal(await page.locator(".wf-scroll").getAttribute("aria-rowcount"), "5");
      assert.match(await page.locator(".banner").innerText(), /shop\.json: read in this browser, sent nowhere/);
      await page.locator('.wf-row[aria-label^="cart add"]').click();
      await page.locator(".attributes dt", { hasText: "http.route" }).waitFor();
      for (const key of ["4", "7"]) await page.keyboard.press(key);
      await page.locator(".json-line").first().waitFor();
      await page.keyboard.press("4");
      await page.locator(".stats tbody tr").first().waitFor();
      // Conditions are evaluated by the worker; what it leaves to the server it names.
      await page.keyboard.press("1");
      const find = page.locator("#trace-find");
      await find.fill('.db.system = "redis" && duration > 0ns');
      await page.locator(".find-count", { hasText: "6 of 10" }).waitFor();
      await page.getByRole("button", { name: "Only matches" }).click();
      await until(() => page.locator(".wf-scroll").getAttribute("aria-rowcount"), "9");
      await find.fill("{ status = error } >> { }");
      await page.locator(".find-problem", { hasText: '">>" behind a filter is evaluated by the server only' }).waitFor();
      await find.fill("name > 3");
      await page.locator(".find-problem", { hasText: "> cannot be applied to text and number" }).waitFor();
      // A pattern that never ends is stopped, and the file goes on answering.
      await drop(page, "names.json", JSON.stringify(request("web", [span("a".repeat(60)), span("other")])));
      await page.locator('.wf-row[aria-label^="web aaa"]').waitFor();
      await find.fill("name =~ `(a|a)*b`");
      await page.locator(".find-problem", { hasText: "took longer than 5 s and was stopped" }).waitFor();
      await find.fill("name =~ `a*`");
      await page.locator(".find-count", { hasText: "1 of 2" }).waitFor();
      await page.locator('.wf-row[aria-label^="web other"]').click();
      await page.locator(".details h2", { hasText: "other" }).waitFor();
    });
    assert.deepEqual(mock.log, []);
  } finally {
    await stop();
  }
});

test("a trace that is still coming says so and is read again; one that is not there helps to look", async () => {
  const mock = new Mock();
  const now = BigInt(Date.now()) * 1000000n;
  const fresh = (name, parent) => ({ ...span(name), startTimeUnixNano: String(now), endTimeUnixNano: String(now + 1000000n), ...(parent ? { parentSpanId: parent.spanId } : {}) });
  const root = fresh("root");
  mock.add(request("web", [root]));
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await withPage(
      site.browser,
      `${url}/trace/?id=${TRACE}`,
      async (page) => {
        await page.locator(".wf-row").first().waitFor();
        mock.add(request("web", [fresh("late", root)]));
        await page.locator(".banner", { hasText: "still receiving spans: 1 span more" }).waitFor();
        await page.getByRole("button", { name: "Reload" }).click();
        await page.locator('.wf-row[aria-label^="web late"]').waitFor();
        await page.goto(`${url}/trace/?id=${TRACE.slice(0, -1)}0`);
        await page.getByRole("button", { name: /Look for ids that begin with/ }).click();
        await page.locator(".ways a", { hasText: TRACE }).click();
        await page.locator(".wf-row").first().waitFor();
      },
      { expectErrors: true },
    );
  } finally {
    await stop();
  }
});
