// SPDX-License-Identifier: Apache-2.0
// The Status page against a real server: what was sent is what it says came in, what is wrong with it is what it counts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertAccessible, assertNoSidewaysScroll, comes, goes, until, withPage } from "./browser.mjs";
import { Mock } from "./mock.mjs";
import { REMEMBERED, SYSTEM as golden } from "./own.mjs";
import { hex, requestOf, rowsOf as rows, send as sendTo, useSite } from "./site.mjs";

const T0 = BigInt(Date.now() - 3600000) * 1000000n;
const span = (trace, id, parent, more = {}) => ({
  traceId: hex(trace, 32), spanId: hex(id, 16), ...(parent ? { parentSpanId: hex(parent, 16) } : {}), name: "work", kind: 2,
  startTimeUnixNano: String(T0 + BigInt(id) * 1000000n), endTimeUnixNano: String(T0 + BigInt(id) * 1000000n + 5000000n), ...more,
});

const site = useSite({
  flags: ["--retention", "30d", "--allow-cancel", "--query-threads", "1", "--query-timeout", "10m"],
  prepare: async () => {
    await send("web", [span(1, 1), span(1, 2, 1), span(2, 3), span(3, 5, 4), span(3, 6, 5)]); // the parent of 5 never came
    await send("docs", [span(4, 7, 0, { attributes: [{ key: "page", value: { stringValue: "x".repeat(5000) } }] })]);
    const refused = await fetch(`http://${site.spoor.otlpHttp}/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body: "{" });
    assert.equal(refused.status, 400);
    await send("web", [span(5, 0), { ...span(5, 8), traceId: "12" }, { ...span(5, 8), traceId: "ab" }]);
  },
});
const send = (service, spans) => sendTo(site.spoor, requestOf(service ? { "service.name": service } : {}, spans));

const at = (tab) => `${site.url}/status/?tab=${tab}`;
const figure = (page, name) => page.locator(".figures > div", { has: page.locator("dt", { hasText: new RegExp(`^${name}$`) }) });

/** What a server says of itself, and says that it has read before; a test changes it, and presses r. */
function tellsOfItself(said) {
  const asked = [];
  const json = (route, answer) => route.fulfill({ json: answer });
  const prepare = async (page) => {
    await page.route("**/v1/system", (route) => json(route, said.system));
    await page.route("**/v1/system/history*", (route) => {
      const since = new URL(route.request().url()).searchParams.get("since");
      asked.push(since);
      return json(route, said.history(BigInt(since ?? 0)));
    });
    await page.route("**/v1/queries/*", (route) => json(route, said.end(route.request().url().split("/").at(-1))));
  };
  return { asked, prepare };
}
const counted = (counters, values) => counters.map((c) => ({ ...c, value: String(values[`${c.name} ${c.labels}`] ?? values[c.name] ?? c.value) }));

test("the mock says of itself what a server does, and refuses what it refuses", async () => {
  const [mock, own] = [await new Mock().listen(process.env.UI_DIST), site.url];
  const ask = async (url, path) => (await fetch(`${url}/v1/system${path}`)).json();
  const row = ({ name, labels, help, counts, advice, part, unit, from }) => ({ name, labels, help, counts, advice, part, unit, from });
  try {
    const [of, ours] = [await ask(mock.url, ""), await ask(own, "")];
    assert.deepEqual(Object.keys(of), Object.keys(ours));
    assert.deepEqual(of.counters.map(row), ours.counters.map(row));
    assert.deepEqual(of.limits.map(row), ours.limits.map(row));
    const [past, pastOfOurs] = [await ask(mock.url, "/history"), await ask(own, "/history")];
    assert.deepEqual(Object.keys(past), Object.keys(pastOfOurs));
    assert.deepEqual(past.series.map(row), pastOfOurs.series.map(row));
    assert.equal(past.stepNano, pastOfOurs.stepNano);
    for (const { atUnixNano, series } of [past, pastOfOurs]) assert.ok(atUnixNano.length > 0 && series.every((s) => s.values.length === atUnixNano.length));
    const last = past.atUnixNano.at(-2);
    assert.equal((await ask(mock.url, `/history?since=${last}`)).atUnixNano.length, 1);
    for (const wrong of ["since=x", "until=now"]) {
      const [a, b] = [await ask(mock.url, `/history?${wrong}`), await ask(own, `/history?${wrong}`)];
      assert.deepEqual([a.status, a.parameter], [b.status, b.parameter]);
    }
  } finally {
    await mock.stop();
  }
});

test("when the page is opened the chart has what came before", async () => {
  let reads = 0;
  // Of its own the page has one reading, which makes no rate.
  const prepare = (page) => page.route("**/v1/system", (route) => (reads++ === 0 ? route.continue() : undefined));
  await withPage(
    site.browser,
    at("ingest"),
    async (page) => {
      await page.locator(".chart").waitFor();
      await page.getByText(/^The last hour, or since the server was started, in steps of (5|30) seconds\./).waitFor();
      await page.getByRole("button", { name: "View as table" }).click();
      const came = await rows(page, "Spans a second");
      assert.ok(came.some((r) => r[2] !== "0/s" && r[3] !== "0/s"), JSON.stringify(came));
      assert.ok(came.every((r) => r[1] === "0/s"), "nothing came by gRPC");
      await assertAccessible(page, "Status, ingest, the past as a table");
    },
    { prepare },
  );
});

test("a restart is a gap, not a rate; what the server read during a pause is there when the page goes on", async () => {
  const T = 1_790_000_000n * 1_000_000_000n;
  const when = (seconds) => String(T + BigInt(seconds) * 1_000_000_000n);
  const grpc = 'spoor_acked_spans_by_transport transport="grpc"';
  /** At which seconds a process that was started then had taken how many spans. */
  const said = {
    tells(startedAt, [...past]) {
      const [now, count] = past.pop();
      this.system = { ...golden, nowUnixNano: when(now), startedAtUnixNano: when(startedAt), counters: counted(golden.counters, { [grpc]: count }) };
      this.history = (since) => {
        const kept = past.filter(([t]) => BigInt(when(t)) > since);
        const series = golden.counters.slice(0, REMEMBERED).map(({ name, labels, value }) => ({ name, labels, values: kept.map(([, n]) => (`${name} ${labels}` === grpc ? String(n) : value)) }));
        return { startedAtUnixNano: when(startedAt), atUnixNano: kept.map(([t]) => when(t)), series };
      };
    },
  };
  const { asked, prepare } = tellsOfItself(said);
  said.tells(-1000, [[-20, 0], [-15, 50], [-10, 100], [-5, 150], [0, 200], [2, 220]]);
  await withPage(
    site.browser,
    at("ingest"),
    async (page) => {
      const rates = async () => (await rows(page, "Spans a second")).map((r) => r[1]);
      await page.getByRole("button", { name: "View as table" }).click();
      await until(rates, ["10/s", "10/s", "10/s", "10/s"], "what there was, and the first reading");
      assert.deepEqual(asked, [null]);
      await page.keyboard.press("p");
      said.tells(30, [[30, 0], [35, 20], [40, 40]]);
      await page.keyboard.press("r");
      await until(rates, ["4.0/s", "4.0/s", ...Array(6).fill("–"), "10/s", "10/s", "10/s", "10/s"], "another process");
      assert.deepEqual(asked, [null, when(2)]);
      await figure(page, "Spans a second").locator("dd", { hasText: /^4\.0\/s$/ }).waitFor();
      await page.getByRole("button", { name: "View as chart" }).click();
      const line = page.locator(".chart-line").first();
      assert.equal((await line.getAttribute("d")).match(/M/g).length, 2, "two lines, with a gap between them");
      await page.getByRole("button", { name: "View as table" }).click();
      said.tells(30, [[30, 0], [35, 20], [40, 40], [45, 60], [50, 80], [55, 100], [60, 120]]);
      await page.keyboard.press("r");
      await until(async () => (await rates()).slice(0, 7), [...Array(6).fill("4.0/s"), "–"], "nothing is missing");
      assert.deepEqual(asked, [null, when(2), when(40)]);
      // Every five seconds: nothing of the past is asked for.
      said.tells(30, [[30, 0], [65, 145]]);
      await page.keyboard.press("p");
      await until(async () => (await rates())[0], "5.0/s", "it goes on by itself");
      assert.equal(asked.length, 3);
    },
    { prepare },
  );
});

test("connections that were turned away are told, with what to do about it", async () => {
  const said = { system: { ...golden, counters: counted(golden.counters, { spoor_refused_connections: 17, spoor_open_connections: 512 }) }, history: () => ({ startedAtUnixNano: "1", atUnixNano: [], series: [] }) };
  await withPage(
    site.browser,
    at("ingest"),
    async (page) => {
      const told = figure(page, "Connections refused");
      await told.locator("dd", { hasText: "17" }).waitFor();
      assert.match(await told.innerText(), /One gRPC channel a sender is enough/);
      said.system = { ...golden, nowUnixNano: String(BigInt(golden.nowUnixNano) + 1n), counters: counted(golden.counters, { spoor_open_connections: 512 }) };
      await page.keyboard.press("r");
      // Of the listeners for spans: those of the pages are no senders.
      await told.locator("dd", { hasText: "1,024 are open" }).waitFor();
      assert.equal(await told.locator(".error-text").count(), 0);
    },
    { prepare: tellsOfItself(said).prepare },
  );
});

test("what came in and what was refused, with the reason, and the rate once it was read twice", async () => {
  await withPage(site.browser, at("ingest"), async (page) => {
    await figure(page, "Spans since start").locator("dd", { hasText: /^6$/ }).waitFor();
    assert.match(await figure(page, "Lag").innerText(), /1 h 0\d m/);
    await figure(page, "Requests refused").locator("dd", { hasText: "1" }).first().waitFor();
    assert.deepEqual((await rows(page, "Reasons")).map((r) => [r[0], r[1], r[3]]), [["malformed", "1", "no"]]);
    const spans = await rows(page, "Reasons of spans");
    assert.deepEqual(spans.map((r) => r.slice(0, 2)), [["trace id invalid", "2"], ["span id missing", "1"]]);
    assert.match(spans[0][2], /32 hex digits, not base64/);
    await figure(page, "Spans refused").locator("dd", { hasText: "3" }).first().waitFor();
    await send("web", [span(9, 90), span(9, 91, 90)]);
    await page.keyboard.press("r");
    await figure(page, "Spans since start").locator("dd", { hasText: /^8$/ }).waitFor();
    await page.locator(".chart").waitFor();
    await assertAccessible(page, "Status, ingest");
    await page.getByRole("button", { name: "View as table" }).click();
    // A page that reads by itself meanwhile has steps in which nothing came.
    assert.ok((await rows(page, "Spans a second")).some((r) => r[2] !== "0/s"));
    // Paused, nothing is read any more.
    await page.keyboard.press("p");
    await page.getByRole("button", { name: "Go on" }).waitFor();
  });
});

test("storage says what there is, what is kept, and how long it fits", async () => {
  await withPage(site.browser, at("storage"), async (page) => {
    await figure(page, "Spans").locator("dd", { hasText: /^8$/ }).waitFor();
    assert.match(await figure(page, "Compression").innerText(), /: 1\n\d+ B a span came since start/);
    const room = await rows(page, "Room");
    assert.equal(room.find((r) => r[0] === "Removed by age")[1], "30 d 0 h");
    assert.match(room.find((r) => r[0] === "Free on the disk")[2], /% of/);
    await assertAccessible(page, "Status, storage");
  });
});

test("a trace is pinned in its menu, Status says so, and lets it go", async () => {
  const pinned = async () => (await (await fetch(`${site.url}/v1/pins`)).json()).pins.map((p) => p.traceId);
  const [trace, menu] = [hex(1, 32), (page) => page.getByRole("button", { name: "Export" }).click()];
  await withPage(site.browser, `${site.url}/trace/?id=${trace}`, async (page) => {
    await menu(page);
    const first = page.getByRole("button", { name: /^OTLP JSON/ });
    await until(() => first.evaluate((e) => e === document.activeElement), true, "the menu has the focus when it is there");
    await page.getByRole("button", { name: /^Pin it stays/ }).click();
    await until(pinned, [trace], "pinned");
    await page.getByText("Pinned: it stays").first().waitFor();
    await menu(page);
    await page.getByRole("button", { name: /^Unpin/ }).waitFor();
    await assertAccessible(page, "the menu of a trace");
  });
  await withPage(site.browser, at("storage"), async (page) => {
    const row = page.getByRole("region", { name: "Pinned traces" }).getByRole("row").nth(1);
    assert.match(await row.innerText(), new RegExp(`^${trace}\\s+(just now|\\d+ s ago|1 min ago)\\s+Unpin$`));
    assert.equal(new URL(await row.getByRole("link").evaluate((a) => a.href)).searchParams.get("id"), trace);
    await row.getByRole("button", { name: `Unpin ${trace}` }).click();
    await page.getByText("None. A trace is pinned by its menu Export.").waitFor();
    assert.deepEqual(await pinned(), []);
  });
});

test("queries that were slow are shown as they were asked, and answers counted", async () => {
  await fetch(`${site.url}/v1/search?${new URLSearchParams({ q: '{ name = "<b>work</b>" }', from: "1675083600000000000" })}`);
  await withPage(site.browser, at("query"), async (page) => {
    await page.locator(".query-shown", { hasText: '{ name = "<b>work</b>" }' }).waitFor();
    assert.match(await page.locator(".query-shown", { hasText: "<b>work</b>" }).innerText(), /from 2023-01-30 13:00:00/);
    assert.ok((await rows(page, "Answers")).some((r) => r[0] === "/v1/search" && r[1] === "1"));
    await figure(page, "Cancelling").locator("dd", { hasText: "allowed" }).first().waitFor();
    await assertAccessible(page, "Status, queries");
    await page.locator("tr", { hasText: "<b>work</b>" }).getByRole("link", { name: "Explore" }).click();
    await page.locator(".query-box").waitFor();
    assert.deepEqual(Object.fromEntries(new URL(page.url()).searchParams), { q: '{ name = "<b>work</b>" }', from: "1675083600000000000" });
  });
});

test("data quality counts what was sent wrong", async () => {
  await withPage(site.browser, at("quality"), async (page) => {
    const region = "What is not as it should be";
    await page.getByRole("region", { name: region }).waitFor();
    const found = Object.fromEntries((await rows(page, region)).map((r) => [r[0], r[1]]));
    assert.equal(found["Spans whose parent is not stored"], "1");
    assert.equal(found["Traces without a root"], "1");
    assert.equal(found["Spans with a value above 4 KiB"], "1");
    assert.equal(found["Spans without service.name"], "0");
    await page.getByText("5 traces, 8 spans").waitFor();
    await assertAccessible(page, "Status, quality");
    // It is read when somebody asks for it: nothing to pause, and the time is that of this answer.
    assert.equal(await page.getByRole("button", { name: "Pause" }).count(), 0);
    await page.getByText(/as of \d\d:\d\d:\d\d/).waitFor();
    const asked = page.waitForRequest((r) => r.url().includes("/v1/quality") && r.url().includes("traces=10000"));
    await page.getByLabel("newest").selectOption("10000");
    await asked;
    const again = page.waitForRequest((r) => r.url().includes("/v1/quality") && r.url().includes("traces=10000"));
    await page.keyboard.press("r");
    await again;
    await page.evaluate(() => {
      navigator.clipboard.writeText = async (text) => {
        window.copied = text;
      };
    });
    await page.getByRole("button", { name: "Copy curl command" }).click();
    assert.match(await page.evaluate(() => window.copied), /v1\/quality\?.*traces=10000/);
  });
});

test("what was counted stays when the server goes away, and is counted again when it comes", async () => {
  await withPage(
    site.browser,
    at("quality"),
    async (page) => {
      const table = page.getByRole("region", { name: "What is not as it should be" });
      await table.waitFor();
      goes(page);
      await page.getByRole("button", { name: "Read again" }).click();
      const away = page.locator(".banner", { hasText: /What is below was read at \d\d:/ });
      await away.waitFor();
      assert.equal(await table.count(), 1);
      comes(page);
      await away.waitFor({ state: "detached" });
      assert.equal(await table.count(), 1);
    },
    { expectErrors: true, breaks: "**/v1/**" },
  );
});

test("the time goes along to every page, by link and by key; where it says nothing there is no button for it", async () => {
  await withPage(site.browser, `${site.url}/?from=now-6h&to=now`, async (page) => {
    const button = page.locator(".topbar .time-range");
    const goes = async (key, address) => {
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      await page.waitForURL(address);
    };
    await button.waitFor();
    await goes("m", /map\/\?from=now-6h&to=now$/);
    await goes("s", /service\/\?from=now-6h&to=now$/);
    await goes("t", /status\/\?from=now-6h&to=now$/);
    await page.getByRole("tab", { name: "Storage" }).waitFor();
    assert.equal(await button.count(), 0);
    await page.getByRole("tab", { name: "Data quality" }).click();
    await button.filter({ hasText: "Last 6 hours" }).waitFor();
    await page.locator(".topbar").getByRole("link", { name: "Explore", exact: true }).click();
    await page.waitForURL(/\/\?from=now-6h&to=now$/);
    await page.locator(".topbar").getByRole("link", { name: "Status" }).click();
    await page.waitForURL(/status/);
    await page.keyboard.press("l");
    await page.waitForURL(/\/\?from=now-6h&live=1$/);
    await goes("e", /\/\?from=now-6h$/);
    await page.locator(".result:not(.head) a").first().click();
    await page.waitForURL(/\/trace\/\?id=[0-9a-f]{32}$/);
    await goes("m", /map\/\?from=now-6h$/);
  });
});

test("settings are those the server was started with; the page looks at itself", async () => {
  await withPage(site.browser, at("limits"), async (page) => {
    await page.getByRole("region", { name: "Settings" }).waitFor();
    const settings = Object.fromEntries((await rows(page, "Settings")).map((r) => [r[0], r.slice(1)]));
    assert.deepEqual(settings["--retention"], ["30d", "flag"]);
    assert.equal(settings["--query-memory"][1], "default");
    // Everything that has a limit, by the headings of docs/limits.md: as it is in force, and what sets it.
    const limits = async (part) => Object.fromEntries((await rows(page, part)).map((r) => [r[0], r.slice(1)]));
    assert.deepEqual((await limits("Receiving"))["spans of a request"], ["1,000,000", "SP_LIMIT_SPANS"]);
    assert.deepEqual((await limits("Connections"))["time for a head"], ["10.0 s", "head_timeout_ms"]);
    assert.deepEqual((await limits("Keeping"))["age of spans"], ["30 d 0 h", "--retention"]);
    assert.deepEqual((await limits("Keeping"))["stored"], ["none", "--retention-size"]);
    assert.deepEqual((await limits("Asking"))["time of a query"], ["10 m 00 s", "--query-timeout"]);
    await assertAccessible(page, "Status, limits");
    await page.keyboard.press("6");
    // What the pages are made of, as it was installed for the build.
    const named = (await rows(page, "Libraries")).map((r) => r.join(" "));
    for (const name of ["preact", "@preact/signals", "@preact/signals-core", "@dagrejs/dagre", "@dagrejs/graphlib"]) {
      const { version } = JSON.parse(readFileSync(join(process.env.UI_MODULES, name, "package.json"), "utf8"));
      assert.ok(named.includes(`${name} ${version} MIT`), `${name} ${version} in ${named.join("; ")}`);
    }
    assert.match((await rows(page, "This page"))[0][1], /^[0-9a-f]{10}\/shared-\d\.js$/);
    await assertAccessible(page, "Status, about");
  });
});

test("a query that waits for another one is listed, and ended, while that one runs", async () => {
  // Minutes: each name is asked all of this.
  await send("slow", Array.from({ length: 200 }, (_, i) => span(100, 1000 + i, 0, { name: `${i}${"x".repeat(100)}` })));
  const ask = (q) => fetch(`${site.url}/v1/search?${new URLSearchParams({ q })}`).then(async (r) => [r.status, (await r.json()).detail]);
  const ended = [503, "the query was ended by DELETE /v1/queries"];
  const runs = ask(`{ ${Array.from({ length: 150 }, (_, i) => `name =~ ".*x.*x.*y${i}"`).join(" || ")} }`);
  await withPage(site.browser, at("query"), async (page) => {
    const label = "Running and waiting";
    const states = async () => {
      await page.keyboard.press("r");
      return (await page.getByRole("region", { name: label }).count()) ? (await rows(page, label)).map((r) => r[2] === "waiting") : [];
    };
    await until(states, [false], "the first one runs");
    const waits = ask("{ name = `waits` }");
    await until(states, [false, true], "the second one waits");
    await figure(page, "Waiting").locator("dd", { hasText: /^1$/ }).waitFor();
    const row = page.locator("tr", { hasText: "waits" });
    assert.match(await row.innerText(), /asked by 127\.0\.0\.1:\d+/);
    await assertAccessible(page, "Status, queries that wait");
    await row.getByRole("button", { name: "End: { name = `waits` }" }).click();
    assert.deepEqual(await waits, ended);
    await until(states, [false], "the first one still runs");
    await page.getByRole("region", { name: label }).getByRole("button", { name: "End" }).click();
    assert.deepEqual(await runs, ended);
    await page.getByText("No query runs at this moment").waitFor();
  });
});

const shown = (id, q, more = {}) => ({
  id, url: `/v1/search?${new URLSearchParams({ q, from: "now-1h" })}`, cut: false, client: "127.0.0.1:4711", cameUnixNano: golden.nowUnixNano, tookNano: "4200000000", waitedNano: "3000000000",
  tracesRead: "12", bytesScanned: "3000000", state: "running", cancelled: false, ...more,
});

test("on a narrow screen queries stand line by line, and nothing has to be scrolled to", async () => {
  const running = [shown("1", "{ name = `a` }"), shown("2", `{ ${".long = 1 && ".repeat(30)}true }`, { state: "waiting" })];
  const slowest = [{ ...shown("3", "{ name = `slow` }"), status: 200, endedUnixNano: golden.nowUnixNano }];
  const endpoints = [{ path: "/v1/traces/{id}/percentiles", method: "GET", answered: "7", refused: "0", failed: "0", buckets: ["7", ...Array(9).fill("0")] }];
  const said = { system: { ...golden, queries: { ...golden.queries, mayCancel: true, running, slowest, endpoints } }, history: () => ({ startedAtUnixNano: "1", atUnixNano: [], series: [] }) };
  for (const width of [390, 320]) {
    await withPage(
      site.browser,
      at("query"),
      async (page) => {
        for (const name of ["Running and waiting", "The slowest since start", "Answers"]) {
          const region = page.getByRole("region", { name, exact: true });
          await region.waitFor();
          const over = await region.evaluate((e) => ({
            sideways: e.scrollWidth - e.clientWidth,
            outside: [...e.querySelectorAll("td")].filter((td) => td.getBoundingClientRect().right > innerWidth).length,
            unnamed: [...e.querySelectorAll("td.num")].filter((td) => getComputedStyle(td, "::before").content.length < 4).length,
            waited: e.querySelectorAll('td[data-name="Waited"]').length,
          }));
          assert.deepEqual(over, { sideways: 0, outside: 0, unnamed: 0, waited: { "Running and waiting": 2, "The slowest since start": 1, Answers: 0 }[name] }, `${name} at ${width}`);
        }
        await assertNoSidewaysScroll(page, `Status, queries at ${width}`);
        await assertAccessible(page, `Status, queries at ${width}`);
      },
      { width, height: 844, prepare: tellsOfItself(said).prepare },
    );
  }
});

test("each End says which query it ends; the focus goes on to the next row, and to the heading after the last", async () => {
  const nothing = () => ({ startedAtUnixNano: "1", atUnixNano: [], series: [] });
  let now = BigInt(golden.nowUnixNano);
  const said = {
    history: nothing,
    running: [shown("1", "{ name = `a` }"), shown("2", "{ name = `b` }"), { ...shown("3", ""), url: "/v1/traces/00ab/percentiles?skew=raw" }],
    get system() {
      return { ...golden, nowUnixNano: String(now++), queries: { ...golden.queries, mayCancel: true, running: this.running } };
    },
    /** It is asked to end; its row goes with a later reading. */
    end(id) {
      this.running = this.running.map((q) => ({ ...q, cancelled: q.cancelled || q.id === id }));
      return { cancelled: id };
    },
  };
  await withPage(
    site.browser,
    at("query"),
    async (page) => {
      const focus = () => page.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.textContent);
      const names = () => page.getByRole("region", { name: "Running and waiting" }).getByRole("button").evaluateAll((list) => list.map((b) => b.ariaLabel));
      await until(names, ["End: { name = `a` }", "End: { name = `b` }", "End: /v1/traces/00ab/percentiles skew=raw"], "names");
      const ends = async (name, next) => {
        await page.getByRole("button", { name, exact: true }).press("Enter");
        await until(focus, name.replace("End", "Ending …"), "while it ends");
        assert.equal(await page.evaluate(() => document.activeElement.ariaDisabled), "true");
        said.running = said.running.filter((q) => !q.cancelled);
        await page.keyboard.press("r");
        await until(focus, next, `after ${name}`);
      };
      await ends("End: { name = `b` }", "End: /v1/traces/00ab/percentiles skew=raw");
      await ends("End: /v1/traces/00ab/percentiles skew=raw", "End: { name = `a` }");
      await ends("End: { name = `a` }", "Running and waiting");
      await page.getByText("No query runs at this moment").waitFor();
      // A focus elsewhere stays where it is.
      said.running = [shown("4", "{ name = `d` }")];
      await page.getByRole("tab", { name: "Queries" }).focus();
      await page.keyboard.press("r");
      await until(names, ["End: { name = `d` }"], "another one");
      said.running = [];
      await page.keyboard.press("r");
      await page.getByText("No query runs at this moment").waitFor();
      assert.equal(await focus(), "Queries");
    },
    { prepare: tellsOfItself(said).prepare },
  );
});

test("every part is accessible in the dark and fits a narrow screen; the tabs are walked with arrows", async () => {
  for (const tab of ["ingest", "storage", "query", "quality", "limits", "about"]) {
    await withPage(
      site.browser,
      at(tab),
      async (page) => {
        await page.locator(".edges, .figures").first().waitFor();
        await assertAccessible(page, `Status ${tab}, dark`);
        await page.setViewportSize({ width: 390, height: 844 });
        await page.waitForTimeout(100);
        await assertNoSidewaysScroll(page, `Status ${tab}`);
        await assertAccessible(page, `Status ${tab}, dark and narrow`);
        await page.setViewportSize({ width: 320, height: 800 });
        await page.waitForTimeout(100);
        await assertNoSidewaysScroll(page, `Status ${tab} at 320`);
      },
      { dark: true },
    );
  }
  await withPage(
    site.browser,
    at("ingest"),
    async (page) => {
      await page.getByRole("tab", { name: "Ingest" }).focus();
      await page.keyboard.press("ArrowRight");
      await page.waitForURL(/tab=storage/);
      await until(() => page.evaluate(() => document.activeElement?.textContent), "Storage", "the focus");
      await assertAccessible(page, "Status, forced colours");
    },
    { forcedColors: "active" },
  );
});
