// SPDX-License-Identifier: Apache-2.0
// The Trace page with the server behind it: what it says when there is nothing to show, and the ways on from there; what its address holds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { assertAccessible, assertNoSidewaysScroll, texts, until, withPage } from "./browser.mjs";
import { hex, MS, requestOf, useSite } from "./site.mjs";

const T0 = BigInt(Date.now()) * MS - 60000n * MS;
const TRACE = hex(0xabc0_0000_0000_0001n, 32);
const string = (key, value) => ({ key, value: { stringValue: value } });
const span = (id, parent, name, more = {}) => {
  const { trace = TRACE, start = 0, length = 10, ...rest } = more;
  return { traceId: trace, spanId: hex(id, 16), parentSpanId: parent ? hex(parent, 16) : "", name, kind: 2, startTimeUnixNano: String(T0 + BigInt(start) * MS), endTimeUnixNano: String(T0 + BigInt(start + length) * MS), ...rest };
};

/** web calls shop, which fails with an exception and asks for nothing that takes no time at all, as in thirty other traces. */
const WEB = requestOf({ "service.name": "web" }, [span(0xfeed01, 0, "GET /", { length: 100 })]);
const SHOP = requestOf({ "service.name": "shop", region: "north" }, [
  span(0xfeed02, 0xfeed01, "pay", {
    start: 10, length: 50, status: { code: 2 }, attributes: [string("http.route", "/pay"), string("currency", "JPY")],
    events: [{ name: "retry", timeUnixNano: String(T0 + 20n * MS) }, { name: "exception", timeUnixNano: String(T0 + 40n * MS), attributes: [string("exception.type", "NoMoney"), string("exception.message", "the purse is empty")] }],
  }),
  span(0xfeed03, 0xfeed02, "nothing", { start: 20, length: 0 }),
  ...Array.from({ length: 30 }, (_, i) => span(0x100 + i, 0, "nothing", { trace: hex(0x900 + i, 32), length: 0 })),
]);
const site = useSite({ requests: () => [WEB, SHOP] });

const at = (params = {}) => `${site.url}/trace/?${new URLSearchParams({ id: TRACE, ...params })}`;
const row = (page, label) => page.locator(`.wf-row[aria-label^="${label}"]`);
const param = (page, name) => new URL(page.url()).searchParams.get(name);
const open = (params, look, options) => withPage(site.browser, at(params), look, options);
/** Reads a file as if it had been dropped. */
const drop = (page, name, content, where = "main") =>
  page.evaluate(
    ({ name, content, where }) => {
      const data = new DataTransfer();
      data.items.add(new File([typeof content === "string" ? content : new Uint8Array(content)], name));
      const over = new DragEvent("dragover", { bubbles: true, cancelable: true, dataTransfer: data });
      const dropped = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data });
      for (const event of [over, dropped]) document.querySelector(where).dispatchEvent(event);
      return [over, dropped].every((event) => event.defaultPrevented);
    },
    { name, content, where },
  );
const FILE = JSON.stringify({ resourceSpans: [...WEB.resourceSpans, ...SHOP.resourceSpans.map((r) => ({ ...r, scopeSpans: [{ spans: r.scopeSpans[0].spans.slice(0, 2) }] }))] });

test("an operation whose spans all took no time says so instead of drawing nothing", async () => {
  await open({ span: hex(0xfeed03, 16) }, async (page) => {
    await page.locator(".details .pairs", { hasText: "31 spans, each of 0 ns" }).waitFor();
    assert.equal(await page.locator("svg.durations").count(), 0);
  });
});

test("a waterfall that is left empty says why, and leads back", async () => {
  await open({ find: "nosuch", only: "1" }, async (page) => {
    const empty = page.getByRole("status").filter({ hasText: "No span is left to show" });
    await empty.waitFor();
    assert.match(await empty.innerText(), /Only matches are shown, and none is here/);
    await assertAccessible(page, "nothing left");
    await empty.getByRole("button", { name: "Show all spans" }).click();
    await row(page, "web GET /").waitFor();
    assert.deepEqual([param(page, "find"), param(page, "only")], ["nosuch", null]);
    await page.goto(at({ find: "nosuch", only: "1", view: "spans" }));
    await page.getByRole("button", { name: "Clear find" }).click();
    await until(() => page.locator(".span-line:not(.head)").count(), 3);
    await page.goto(at({ svc: "-web,-shop" }));
    await empty.waitFor();
    assert.match(await empty.innerText(), /2 services are hidden/);
    await empty.getByRole("button", { name: "Show all spans" }).click();
    await row(page, "web GET /").waitFor();
  });
});

test("a span of the address that the trace does not have is named", async () => {
  await open({ span: "00000000deadbeef", root: "00000000cafecafe" }, async (page) => {
    await row(page, "web GET /").waitFor();
    for (const id of ["00000000deadbeef", "00000000cafecafe"]) await page.locator(".banner-line", { hasText: `Span ${id} is not in this trace` }).waitFor();
    assert.equal(await page.locator(".details").count(), 0);
    await page.getByRole("button", { name: "Dismiss this note" }).first().click();
    await until(() => page.locator(".banner-line").count(), 1);
  });
});

test("a closed panel is closed for whoever opens the address", async () => {
  await open({}, async (page) => {
    await row(page, "shop pay").click();
    await page.waitForURL(/span=0000000000feed02/);
    await page.locator(".details").waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".details").waitFor({ state: "detached" });
    assert.equal(param(page, "details"), "0");
    const closed = async () => {
      await page.reload();
      await page.locator('.wf-row.current[aria-label^="shop pay"]').waitFor();
      // Its script is there for whoever wants it.
      await page.waitForFunction(() => performance.getEntriesByType("resource").some((r) => /trace-beside\.js/.test(r.name)));
      assert.equal(await page.locator(".details").count(), 0);
    };
    await closed();
    await page.keyboard.press("ArrowDown");
    await page.waitForURL(/span=0000000000feed03/);
    await page.keyboard.press("ArrowUp");
    await page.waitForURL(/span=0000000000feed02/);
    await closed();
    await page.keyboard.press("Enter");
    await page.locator(".details").waitFor();
    await page.waitForURL((url) => !url.searchParams.has("details"));
  });
});

const copied = async (page, click) => {
  await page.evaluate(() => {
    window.copied = undefined;
    navigator.clipboard.writeText = async (text) => {
      window.copied = text;
    };
  });
  await click();
  await page.waitForFunction(() => window.copied !== undefined);
  return page.evaluate(() => window.copied);
};

test("each view has the command that asks for what it is made of", async () => {
  await open({}, async (page) => {
    for (const [params, wanted] of [
      [{}, "view=columns'"],
      [{ view: "flame", skew: "adj" }, "view=columns&skew=adjust'"],
      [{ view: "graph" }, "view=columns'"],
      [{ view: "stats", by: "span.http.route" }, "/attributes?scope=span&key=http.route'"],
      [{ view: "spans" }, "view=columns'"],
      [{ view: "events" }, "view=columns'"],
      [{ view: "json" }, `/v1/traces/${TRACE}'`],
    ]) {
      await page.goto(at(params));
      const button = page.locator(".trace-actions").getByRole("button", { name: "Copy curl command" });
      await button.waitFor();
      const command = await copied(page, () => button.click());
      assert.ok(command.endsWith(wanted), command);
      const answer = await fetch(/'(.*)'/.exec(command)[1]);
      assert.equal(answer.status, 200, command);
    }
  });
});

test("the trace of a file has no link that could be copied, and find has an example that works", async () => {
  await withPage(site.browser, `${site.url}/trace/?src=file`, async (page) => {
    await page.getByRole("heading", { name: "Which file?" }).waitFor();
    await drop(page, "shop.json", FILE, ".file-drop");
    await row(page, "web GET /").waitFor();
    await page.getByRole("button", { name: "Copy link" }).click();
    await page.locator(".toast", { hasText: "No link can open this: the trace is in a file on this machine" }).waitFor();
    const find = page.locator("#trace-find");
    const example = /as in Explore: (.*)/.exec(await find.getAttribute("title"))[1];
    await find.fill(example);
    await page.locator(".find-count", { hasText: "1 of 3" }).waitFor();
  });
  // The server reads it as well.
  await open({ find: '.http.route = "/pay" && duration > 10ms' }, async (page) => {
    await page.locator(".find-count", { hasText: "1 of 3" }).waitFor();
  });
});

test("a text that no name has is looked for in values, of a trace on the server and of one in a file", async () => {
  const look = async (page) => {
    const find = page.locator("#trace-find");
    const note = page.locator(".find-problem", { hasText: "values were not searched" });
    await find.fill("jpy");
    await note.waitFor();
    await assertAccessible(page, "values were not searched");
    await note.getByRole("button", { name: "Search values" }).click();
    await page.locator(".find-count", { hasText: "1 of 3" }).waitFor();
    assert.equal(await note.count(), 0);
    // Names as well; and what is in events, resources and nowhere.
    for (const [text, found] of [["pay", 1], ["purse is", 1], ['"north"', 2], ["nowhere", 0]]) {
      await find.fill(text);
      await page.locator(".find-count", { hasText: `${found} of 3` }).waitFor();
    }
    await until(() => page.locator(".find-problem").count(), 0);
    await page.getByRole("button", { name: "Values" }).click();
    await note.waitFor();
    await find.fill("eed02");
    await page.locator(".find-count", { hasText: "1 of 3" }).waitFor();
  };
  await open({}, look);
  await withPage(site.browser, `${site.url}/trace/?src=file`, async (page) => {
    await page.getByRole("heading", { name: "Which file?" }).waitFor();
    await drop(page, "shop.json", FILE, ".file-drop");
    await row(page, "web GET /").waitFor();
    await look(page);
  });
});

test("an address keeps that values are looked through", async () => {
  await open({ find: "JPY", values: "1", only: "1" }, async (page) => {
    await page.locator(".find-count", { hasText: "1 of 3" }).waitFor();
    await until(() => page.locator(".wf-scroll").getAttribute("aria-rowcount"), "2");
  });
});

test("the id of a span in the box for traces leads to its trace, and ids that are near begin as it does", async () => {
  await withPage(
    site.browser,
    `${site.url}/trace/`,
    async (page) => {
      const box = page.getByLabel("Trace id, traceparent");
      await box.fill(hex(0xfeed02, 16));
      await box.press("Enter");
      const found = page.locator(".ways a", { hasText: TRACE });
      await found.waitFor();
      await found.click();
      await page.locator(".details h2", { hasText: "pay" }).waitFor();
      await box.fill("abc0000000000002");
      await box.press("Enter");
      await page.getByText("No stored span has the id abc0000000000002.").waitFor();
      await page.getByRole("button", { name: "Look for ids that begin with abc00000" }).click();
      await page.locator(".ways a", { hasText: TRACE }).click();
      await row(page, "web GET /").waitFor();
    },
    { expectErrors: true },
  );
});

test("a file that is dropped on any page opens as a trace, and the palette has a way to choose one", async () => {
  await withPage(site.browser, site.url, async (page) => {
    for (const path of ["/", "/map/", "/compare/", "/service/", "/status/"]) {
      await page.goto(site.url + path);
      await page.locator("main > *").first().waitFor();
      assert.ok(await drop(page, "shop.json", FILE), `${path}: the browser would leave the page`);
      await row(page, "web GET /").waitFor();
    }
    for (const typed of ["file", "open", "upload"]) {
      await page.goto(`${site.url}/map/`);
      await page.keyboard.press("Control+k");
      await page.getByLabel("Go to, or do, anything").fill(typed);
      const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByRole("option", { name: /Open a file of traces/ }).click()]);
      await chooser.setFiles({ name: "shop.json", mimeType: "application/json", buffer: Buffer.from(FILE) });
      await row(page, "web GET /").waitFor();
    }
  });
  await withPage(
    site.browser,
    `${site.url}/trace/?id=${hex(0xdead, 32)}`,
    async (page) => {
      await page.getByRole("heading", { name: "No such trace" }).waitFor();
      await Promise.all([page.waitForEvent("filechooser"), page.getByRole("button", { name: "Open a file of traces" }).click()]);
    },
    { expectErrors: true },
  );
});

test("a file with gzip is unpacked, what else is packed is told what to do", async () => {
  await withPage(site.browser, `${site.url}/trace/?src=file`, async (page) => {
    await page.getByRole("heading", { name: "Which file?" }).waitFor();
    const packed = gzipSync(FILE);
    for (const [name, content, said] of [
      ["shop.zip", [0x50, 0x4b, 3, 4, 0], "shop.zip cannot be read: this is a .zip archive: unpack it, and open the files that were in it"],
      ["half.json.gz", [...packed.subarray(0, packed.length / 2)], "half.json.gz cannot be read: its gzip is damaged, or ends too early"],
    ]) {
      await drop(page, name, content);
      await page.locator(".toast", { hasText: said }).waitFor();
    }
    await drop(page, "shop.json.gz", [...packed]);
    await row(page, "web GET /").waitFor();
    await page.locator(".banner-line", { hasText: "shop.json.gz" }).waitFor();
  });
});

test("a file of many traces lists them by their start, with what tells them apart, and all of them", async () => {
  const many = requestOf({ "service.name": "shop" }, Array.from({ length: 203 }, (_, i) => span(i + 1, 0, "POST /pay", { trace: hex(0x7000_0000_0000_0000n + BigInt(i) * 0x1_0000_0000n, 32), start: 500 - i, length: i + 1, status: { code: i === 202 ? 2 : 0 } })));
  await withPage(site.browser, `${site.url}/trace/?src=file`, async (page) => {
    await page.getByRole("heading", { name: "Which file?" }).waitFor();
    await drop(page, "many.json", JSON.stringify(many));
    await page.getByRole("heading", { name: "203 traces in this file" }).waitFor();
    const lines = await texts(page, ".edges tbody tr");
    assert.equal(lines.length, 200);
    assert.match(lines[0], /^shop POST \/pay \S+ \d\d:\d\d:\d\d\.\d+ 203 ms 1 ▲ ?1 error 700000ca$/);
    assert.match(lines[1], /202 ms 1 0 700000c9$/);
    await assertAccessible(page, "a file of many traces");
    await page.setViewportSize({ width: 320, height: 640 });
    await assertNoSidewaysScroll(page, "a file of many traces");
    await page.getByRole("button", { name: "Show the other 3" }).click();
    await until(() => page.locator(".edges tbody tr").count(), 203);
    await page.locator(".edges tbody a").last().click();
    await row(page, "shop POST /pay").waitFor();
  });
});

test("the traces of a file are put in the order of any column, which the address keeps; on a narrow screen each is some lines, and none is wider", async () => {
  const long = `SELECT ${"c".repeat(400)} FROM books`;
  const at = (n, name, start, length, more = {}) => span(n, 0, name, { trace: hex(0x7000_0000_0000_0000n + BigInt(n) * 0x1_0000_0000n, 32), start, length, ...more });
  const some = requestOf({ "service.name": "shop" }, [at(1, "b", 30, 5), at(2, long, 10, 7, { status: { code: 2 } }), at(3, "a", 20, 6), span(4, 3, "a child", { trace: hex(0x7000_0000_0000_0000n + 3n * 0x1_0000_0000n, 32), start: 21, length: 1 })]);
  await withPage(site.browser, `${site.url}/trace/?src=file`, async (page) => {
    await page.getByRole("heading", { name: "Which file?" }).waitFor();
    await drop(page, "some.json", JSON.stringify(some));
    await page.getByRole("heading", { name: "3 traces in this file" }).waitFor();
    const ids = () => page.locator(".edges tbody tr").evaluateAll((list) => list.map((tr) => tr.lastElementChild.textContent.at(-1)).join(""));
    const sorts = () => page.getByRole("columnheader").evaluateAll((list) => list.map((th) => th.getAttribute("aria-sort")));
    assert.equal(await ids(), "231");
    assert.deepEqual(await sorts(), ["none", "ascending", "none", "none", "none", "none"]);
    for (const [head, once, twice] of [["Trace", "231", "132"], ["Start", "231", "132"], ["Duration", "231", "132"], ["Spans", "321", "213"], ["Errors", "231", "312"], ["Id", "123", "321"]]) {
      await page.getByRole("button", { name: head, exact: true }).click();
      await until(ids, once, `${head} once`);
      await page.getByRole("button", { name: head, exact: true }).click();
      await until(ids, twice, `${head} twice`);
    }
    assert.deepEqual(await sorts(), ["none", "none", "none", "none", "none", "descending"]);
    assert.equal(new URL(page.url()).searchParams.get("sort"), "-id");
    // Cut in its middle, and whole for who points at it.
    const name = page.locator(".edges .halves");
    assert.equal(await name.locator(":scope > :last-child").textContent(), "OM books");
    await name.hover();
    assert.equal(await name.getAttribute("title"), `shop ${long}`);
    for (const width of [390, 320]) {
      await page.setViewportSize({ width, height: 844 });
      await assertNoSidewaysScroll(page, `at ${width}`);
      const box = await page.locator(".table-box").evaluate((e) => [e.scrollWidth, e.clientWidth]);
      assert.equal(box[0], box[1], `the box scrolls sideways at ${width}`);
      const seen = await page.locator(".edges :is(td, th, th button)").evaluateAll((list) => list.map((e) => e.getBoundingClientRect()).every((r) => r.width > 0 && r.right <= innerWidth));
      assert.ok(seen, `all of it is seen at ${width}`);
      assert.match((await texts(page, ".edges tbody tr"))[0], /^shop a \S+ \d\d:\d\d:\d\d\.\d+ 6\.00 ms 2 spans 0 errors 70000003$/);
      await assertAccessible(page, `at ${width}`);
    }
    await page.getByRole("button", { name: "Duration", exact: true }).click();
    await until(ids, "231");
    // A trace is opened without the order of the list, and "back" has it again.
    await page.locator(".edges tbody a").first().click();
    await page.locator(".wf-row").first().waitFor();
    assert.equal(new URL(page.url()).searchParams.get("sort"), null);
    await page.goBack();
    await until(ids, "231");
  });
});

const EVENTS = ".event-line:not(.head) > :nth-child(2)";

test("an exception says in the list of events what it is, of an isolated subtree, too, and the address keeps the filter", async () => {
  await open({ view: "events" }, async (page) => {
    await until(() => texts(page, EVENTS), ["retry", "▲ exception NoMoney: the purse is empty"]);
    await page.goto(at({ view: "events", root: hex(0xfeed02, 16) }));
    await until(() => texts(page, EVENTS), ["retry", "▲ exception NoMoney: the purse is empty"]);
    await page.getByLabel("Filter events by name").fill("ret");
    await until(() => texts(page, EVENTS), ["retry"]);
    await page.waitForURL(/events=ret/);
    await page.reload();
    await until(() => texts(page, EVENTS), ["retry"]);
    assert.equal(await page.getByLabel("Filter events by name").inputValue(), "ret");
  });
});

test("the flame graph in the order of time has a scale, which zooms, and the address keeps the zoom", async () => {
  await open({ view: "flame" }, async (page) => {
    const marks = () => texts(page, ".flame .wf-axis span");
    const first = async () => (await marks())[0];
    await until(first, "0 ms");
    const { x, y, width, height } = await page.locator(".flame .wf-axis").boundingBox();
    await page.mouse.move(x + width * 0.5, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.75, y + height / 2, { steps: 4 });
    await page.mouse.up();
    await until(first, "50 ms");
    await page.waitForURL(/fz=\d+-\d+/);
    const [from, to] = param(page, "fz").split("-").map(Number);
    assert.ok(Math.abs(from - 50e6) < 1e6 && Math.abs(to - 75e6) < 1e6, `${from} to ${to}`);
    const before = await marks();
    await page.reload();
    await until(marks, before);
    await page.getByRole("button", { name: "Left-heavy" }).click();
    await page.locator(".flame .wf-axis").waitFor({ state: "hidden" });
    assert.equal(param(page, "fz"), null);
    await page.getByRole("button", { name: "Time order" }).click();
    await until(first, "0 ms");
    await page.getByRole("slider", { name: "Flame graph" }).focus();
    await page.keyboard.press("+");
    await page.waitForURL(/fz=/);
    await page.keyboard.press("0");
    await page.waitForURL((url) => !url.searchParams.has("fz"));
  });
});

test("the address keeps what is chosen in the graph of a trace", async () => {
  await open({ view: "graph" }, async (page) => {
    const edge = page.locator(".graph .edge").first();
    await edge.waitFor();
    await edge.locator(".head").click();
    await page.waitForURL(/chosen=edge/);
    await page.locator(".details h2", { hasText: "pay" }).waitFor();
    await page.waitForURL(/span=/);
    // What is below the pointer is drawn otherwise.
    await page.mouse.move(5, 5);
    await page.reload();
    await page.locator(".details h2", { hasText: "pay" }).waitFor();
    await page.locator(".graph .edge.chosen").waitFor();
    assert.equal(await page.locator(".graph .node.chosen").count(), 0);
    for (const chosen of ["edge:{", "node:nobody", "x"]) {
      await page.goto(at({ view: "graph", chosen }));
      await edge.waitFor();
      assert.equal(await page.locator(".graph .chosen").count(), 0, chosen);
    }
  });
});

test("no view of a trace scrolls sideways at 320 pixels", async () => {
  await open({}, async (page) => {
    for (const view of ["waterfall", "flame", "graph", "stats", "spans", "events", "json"]) {
      await page.goto(at({ view, by: "span.http.route" }));
      await page.locator(".trace-tools").waitFor();
      await page.locator(view === "waterfall" ? ".wf-row" : ".trace-part").first().waitFor();
      await assertNoSidewaysScroll(page, view);
    }
  }, { width: 320, height: 640 });
});
