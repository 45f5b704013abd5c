// SPDX-License-Identifier: Apache-2.0
// The page of one service against a real server: an hour of calls whose numbers are known, worked out here from the spans themselves. Halfway payment becomes ten
// times as slow, later a new version comes; each failed order has a message of its own.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertAccessible, assertNoSidewaysScroll, texts, until, withPage } from "./browser.mjs";
import { count, hex, MINUTE, MS, requestOf, rowsOf as table, useSite } from "./site.mjs";

const MINUTES = 40;
const CALLS = 6;
const T0 = (BigInt(Date.now() - 3600000) * 1000000n / MINUTE) * MINUTE;
const iso = (minute) => new Date(Number((T0 + BigInt(minute) * MINUTE) / MS)).toISOString().replace(".000Z", "Z");

/** What payment does: one record for each of its server spans. */
const calls = [];

function make() {
  const by = new Map();
  const add = (service, version, instance, span) => {
    const key = JSON.stringify([service, version, instance]);
    if (!by.has(key)) by.set(key, []);
    by.get(key).push(span);
  };
  for (let m = 0; m < MINUTES; m++) {
    for (let i = 0; i < CALLS; i++) {
      const n = m * CALLS + i + 1;
      const start = T0 + BigInt(m) * MINUTE + BigInt(i) * 1000n * MS;
      const took = BigInt(m < 20 ? 10 + i : 100 + 10 * i) * MS;
      const failed = i === 0 ? { type: "NotFound", message: `order ${10000 + n} not found` } : i === 1 && m % 2 ? { status: "refused by the bank" } : null;
      const version = m < 30 ? "1.0" : "2.0";
      const instance = i % 2 ? "b" : "a";
      const span = (id, parent, name, kind, from, length, more = {}) => ({
        traceId: hex(n, 32), spanId: hex(16 * n + id, 16), ...(parent ? { parentSpanId: hex(16 * n + parent, 16) } : {}), name, kind,
        startTimeUnixNano: String(from), endTimeUnixNano: String(from + length), ...more,
      });
      add("shop", "1.0", "s", span(1, 0, "pay", 3, start, took + MS));
      add("payment", version, instance, span(2, 1, "Charge", 2, start, took, {
        status: failed ? { code: 2, message: failed.status ?? "" } : {},
        events: failed?.type ? [{ timeUnixNano: String(start), name: "exception", attributes: [{ key: "exception.type", value: { stringValue: failed.type } }, { key: "exception.message", value: { stringValue: failed.message } }] }] : [],
      }));
      add("payment", version, instance, span(3, 2, "book", 3, start, 2n * MS));
      add("ledger", "1.0", "l", span(4, 3, "book", 2, start, MS));
      if (n <= 120) add("payment", version, instance, span(5, 2, `step ${String(n).padStart(3, "0")}`, 1, start, MS));
      calls.push({ minute: m, ms: Number(took / MS), failed: failed !== null, message: failed?.message ?? failed?.status, version, instance });
    }
  }
  return [...by].map(([key, spans]) => {
    const [service, version, instance] = JSON.parse(key);
    return requestOf({ "service.name": service, "service.version": version, "service.instance.id": instance }, spans);
  });
}

const site = useSite({ requests: make });

const WHOLE = { from: iso(0), to: iso(MINUTES) };
const at = (params) => `${site.url}/service/?${new URLSearchParams({ s: "payment", ...WHOLE, ...params })}`;
const number = (text) => Number(text.split(" ").at(-1).replaceAll(",", ""));

// They only read, each in a page of its own.
describe("the page of one service", { concurrency: 3 }, () => {
  test("operations come page by page from the server, sorted and found by name, with their share of the whole", async () => {
    await withPage(site.browser, at({ sort: "operation" }), async (page) => {
      await page.locator(".summary", { hasText: `${count(calls.length)} server calls, ${calls.filter((c) => c.failed).length} with errors` }).waitFor();
      await page.locator(".operations tbody tr").first().waitFor();
      const first = await table(page, "Operations");
      assert.deepEqual(first.map((r) => r[0]), ["Charge", "book", ...Array.from({ length: 48 }, (_, i) => `step ${String(i + 1).padStart(3, "0")}`)]);
      assert.equal(number(first[0][2]), calls.length);
      // Of equally slow ones the first trace: call 6 of minute 20; the slowest that failed is call 2 of minute 21.
      const ways = (row) => row.getByRole("link").evaluateAll((list) => list.map((e) => [e.textContent, new URL(e.href).searchParams.get("id"), new URL(e.href).searchParams.get("span")]));
      const spans = [["slowest", hex(126, 32), hex(16 * 126 + 2, 16)], ["failed", hex(128, 32), hex(16 * 128 + 2, 16)]];
      assert.deepEqual(await ways(page.locator(".operations tbody tr").first().locator(".ways-on")), [...spans, ["Explore", null, null]]);
      assert.deepEqual(await ways(page.locator(".summary")), spans);
      const sum = calls.reduce((n, c) => n + c.ms, 0);
      assert.equal(first[0][3], "0.10/s");
      assert.equal(Number.parseInt(first[0][8]), Math.round((100 * sum) / (sum + 2 * calls.length + 120)));
      await page.getByRole("button", { name: "Next 50" }).click();
      await page.locator("nav", { hasText: "51 – 100 of 122 operations" }).waitFor();
      assert.equal((await table(page, "Operations"))[0][0], "step 049");
      await page.getByRole("searchbox").fill("STEP 11");
      await page.locator(".operations tbody tr", { hasText: "step 119" }).waitFor();
      assert.equal((await table(page, "Operations")).length, 10);
      // Of an operation, too, impact is a share of the whole service.
    await page.getByRole("searchbox").fill("charge");
    await page.getByRole("link", { name: "Charge" }).click();
    await page.waitForURL(/op=Charge/);
    await page.locator(".operations tr.chosen").waitFor();
    assert.equal((await table(page, "Operations"))[0][8], first[0][8]);
    await page.getByRole("searchbox").fill("nothing like it");
      await page.getByText("No operation with “nothing like it” in its name.").waitFor();
    });
  });

  test("a rate is of the minutes that are counted, whole ones, on this page, in the list and on the map", async () => {
    const halves = { from: iso(2).replace(":00Z", ":30Z"), to: iso(6).replace(":00Z", ":30Z") };
    await withPage(site.browser, at(halves), async (page) => {
      // Five minutes of six calls, in 300 seconds, not in the 240 that were asked for.
      await page.locator(".summary", { hasText: `${5 * CALLS} server calls` }).waitFor();
      await page.locator(".operations tbody tr").first().waitFor();
      assert.equal((await table(page, "Operations")).find((r) => r[0] === "Charge")[3], "0.10/s");
      await page.goto(`${site.url}/service/?${new URLSearchParams(halves)}`);
      await page.getByRole("region", { name: "Services" }).locator("tbody tr").first().waitFor();
      assert.deepEqual((await table(page, "Services")).map((r) => r[3]), ["0.10/s", "0.10/s", "0.10/s"]);
      await page.goto(`${site.url}/map/?${new URLSearchParams({ ...halves, view: "table" })}`);
      await page.getByRole("table", { name: "Edges" }).waitFor();
      assert.deepEqual([...new Set(await texts(page, "table[aria-label=Edges] tbody td:nth-child(3)"))], ["0.10/s"]);
    });
  });

  test("the list of services is sorted and searched", async () => {
    await withPage(site.browser, `${site.url}/service/?sort=-spans`, async (page) => {
      await page.getByRole("region", { name: "Services" }).locator("tbody tr").first().waitFor();
      const rows = await table(page, "Services");
      assert.deepEqual(rows.map((r) => r[0]), ["payment", "ledger", "shop"]);
      // Of payment its server spans speak, half of which took 10 to 15 ms; shop has nothing but client spans, which do not fail.
      assert.deepEqual(rows.map((r) => [r[2], r[3], r[5]]), ["server", "server", "client"].map((kind) => [String(calls.length), "0.10/s", kind]));
      // Errors are those of these calls, as on the page of the service.
      const failed = calls.filter((c) => c.failed).length;
      assert.deepEqual(rows.map((r) => r[4]), [`▲ ${Math.round((100 * failed) / calls.length)} %`, "0", "0"]);
      assert.match(rows[0][6], /^1[45]\.\d ms$/);
      assert.equal(rows[0][11], "slowest failed Explore");
      assert.equal(rows[1][11], "slowest Explore");
      // What the calls took, added up, as a share of all: each call of shop takes 1 ms more than that of payment, each of ledger 1 ms.
      const sum = calls.reduce((n, c) => n + c.ms, 0);
      const impact = { payment: sum, ledger: calls.length, shop: sum + calls.length };
      const whole = 2 * (sum + calls.length);
      for (const r of rows) assert.ok(Math.abs(Number.parseFloat(r[9]) - (100 * impact[r[0]]) / whole) < 0.6, `${r[0]}: ${r[9]}`);
      // Its number stands below its heading, not its bar.
      const ends = await page.getByRole("region", { name: "Services" }).locator("th:nth-child(10) button, .impact > :last-child").evaluateAll((list) =>
        list.map((e) => {
          const letters = document.createRange();
          letters.selectNodeContents(e);
          return letters.getBoundingClientRect().right;
        }),
      );
      assert.equal(ends.length, 4);
      assert.ok(Math.max(...ends) - Math.min(...ends) < 1, ends.join(" "));
      // The lines of all services are one question, and of the column that the table is sorted by.
      await page.locator("tr .spark .line-1").nth(2).waitFor({ state: "attached" });
      const asked = () => page.evaluate(() => performance.getEntriesByType("resource").map((r) => new URL(r.name)).filter((u) => u.searchParams.has("step")).map((u) => [u.pathname, u.searchParams.get("by"), u.searchParams.get("q")]));
      assert.deepEqual(await asked(), [["/v1/latency", "service", "0.5"]]);
      const line = (name) => page.locator("tr", { hasText: name }).first().locator(".spark path").getAttribute("d");
      const byCalls = await line("payment");
      await page.getByRole("button", { name: "p95" }).click();
      await page.locator("tr .spark .line-3").nth(2).waitFor({ state: "attached" });
      assert.deepEqual((await asked()).at(-1), ["/v1/latency", "service", "0.95"]);
      assert.notEqual(await line("payment"), byCalls);
      await page.getByRole("button", { name: "Errors" }).click();
      await page.locator("tr .spark .line-error").nth(2).waitFor({ state: "attached" });
      await page.getByRole("button", { name: "p50" }).click();
      assert.deepEqual((await table(page, "Services")).map((r) => r[0]), ["shop", "payment", "ledger"]);
      await page.getByRole("searchbox").fill("LED");
      assert.deepEqual((await table(page, "Services")).map((r) => [r[0], r[1]]), [["ledger", String(calls.length)]]);
      await page.getByRole("searchbox").fill("none");
      await page.getByText("No service with “none” in its name.").waitFor();
    });
  });

  test("a range beside another one: dashed lines, what became slower, and who calls how much more", async () => {
    await withPage(site.browser, at({ from: iso(20), vs: "prev", sort: "-change" }), async (page) => {
      await page.locator(".summary", { hasText: `${count(20 * CALLS)} calls, 25 % with errors; p99 14.9 ms, now 150 ms (×10)` }).waitFor();
      assert.equal(await page.locator(".chart .line-before").count(), 5); // rate, errors, the lowest and the highest percentile, distribution
      await page.locator(".operations tbody tr").first().waitFor();
      const rows = await table(page, "Operations");
      assert.deepEqual([rows[0][0], rows[0][9]], ["Charge", "slower"]);
      assert.equal(rows.find((r) => r[0] === "book")[9], "");
      assert.ok(rows.filter((r) => r[0].startsWith("step")).every((r) => r[9] === "gone"));
      await page.getByRole("tab", { name: "Callers and callees" }).click();
      await page.locator(".hops").waitFor();
      assert.deepEqual((await table(page, "Callers")).map((r) => [r[0], r[1], r[5]]), [["shop", String(20 * CALLS), "slower"]]);
      assert.deepEqual((await table(page, "Callees")).map((r) => [r[0], r[1], r[5]]), [["ledger", String(20 * CALLS), ""]]);
      assert.match(await page.getByRole("link", { name: "Compare traces" }).getAttribute("href"), /compare\/\?a=q%3A.*&b=q%3A/);
      await page.getByLabel("compare with").selectOption("");
      await page.locator(".line-before").first().waitFor({ state: "detached" });
      // The table of steps has in numbers what the dashed lines draw.
      await page.goto(at({ from: iso(20), vs: "prev", view: "table" }));
      await page.getByRole("region", { name: "Steps", exact: true }).waitFor();
      assert.ok((await table(page, "Steps")).every((r) => r[1] === String(CALLS) && /^×10 150 ms$/.test(r[7])), (await table(page, "Steps"))[0].join("; "));
    });
    // A range of another length: lines begin at the left, counts are those of as much time.
    await withPage(site.browser, at({ from: iso(20), vs: `${iso(0)}..${iso(10)}` }), async (page) => {
      await page.locator(".operations tbody tr", { hasText: "Charge" }).waitFor();
      const rows = await table(page, "Operations");
      assert.equal(rows.find((r) => r[0] === "Charge")[2], String(20 * CALLS));
      const ends = await page.locator(".chart .line-before").first().evaluate((path) => path.getBBox().width / path.ownerSVGElement.getBoundingClientRect().width);
      assert.ok(ends > 0.2 && ends < 0.5, `${ends}`);
      const here = `${iso(20)}..${iso(40)}`;
      await page.getByLabel("compare with").selectOption(here);
      await page.waitForURL((url) => url.searchParams.get("vs") === here);
    });
    await withPage(site.browser, at({ vs: "yesterday" }), async (page) => {
      await page.getByText("“yesterday” is no range to compare with").waitFor();
    });
    await withPage(site.browser, at({ kind: "foo" }), async (page) => {
      await page.getByText("“foo” is no kind of its spans: these are of server").waitFor();
    });
  });

  test("errors are grouped by exception and message, instances have their numbers, versions their time", async () => {
    await withPage(site.browser, at({ tab: "errors" }), async (page) => {
      await page.locator(".errors-table tbody tr").first().waitFor();
      const groups = await table(page, "Errors in groups");
      const [lost, refused] = [calls.filter((c) => c.message?.startsWith("order")).length, calls.filter((c) => c.message?.startsWith("refused")).length];
      assert.deepEqual(groups.map((g) => [g[0], g[1]]), [[`NotFound order … not found ${lost} variants`, count(lost)], ["refused by the bank", count(refused)]]);
      // The slowest "refused" is call 2 of minute 21, the first of those.
      const slowest = new URL(await page.locator(".errors-table tbody tr").nth(1).getByRole("link").first().getAttribute("href")).searchParams;
      assert.deepEqual([slowest.get("id"), slowest.get("span")], [hex(21 * CALLS + 2, 32), hex(16 * (21 * CALLS + 2) + 2, 16)]);
      await page.getByRole("link", { name: "Explore" }).last().click();
      await page.locator(".summary", { hasText: `${refused} traces` }).waitFor();
      await page.goBack();
      await page.getByLabel("numbers and ids in messages as one").uncheck();
      await page.locator("nav", { hasText: `1 – 25 of ${lost + 1} groups` }).waitFor();
      await page.keyboard.press("]");
      await page.waitForURL(/tab=instances/);
      await page.locator(".instances tbody tr").first().waitFor();
      const shown = (await table(page, "Instances")).map((r) => [r[0], r[1], number(r[3])]);
      const expected = new Map();
      for (const c of calls) expected.set(`${c.instance} ${c.version}`, (expected.get(`${c.instance} ${c.version}`) ?? 0) + 1);
      assert.equal(await page.locator(".instances .ways-on a", { hasText: "failed" }).count(), new Set(calls.filter((c) => c.failed).map((c) => `${c.instance} ${c.version}`)).size);
      assert.deepEqual(shown.map(([i, v, n]) => `${i} ${v} ${n}`).sort(), [...expected].map(([key, n]) => `${key} ${n}`).sort());
      assert.deepEqual(await texts(page, ".versions li"), ["1.0", "2.0"]);
      assert.equal(await page.locator(".chart-flag").count(), 3); // one in each chart
      await page.getByRole("combobox", { name: "by" }).selectOption("version");
      await page.locator(".instances thead th", { hasText: "Host" }).waitFor({ state: "detached" });
      assert.deepEqual((await table(page, "Instances")).map((r) => [r[0], r[1]]), [["1.0", String(30 * CALLS)], ["2.0", String(10 * CALLS)]]);
      await page.keyboard.press("Escape");
      await page.getByRole("tab", { name: "Attributes" }).click();
      await page.locator(".attribute-card", { hasText: "resource.service.version" }).waitFor();
    });
  });

  test("a drag zooms, a click holds a step, and the keyboard does both; the distribution counts every call", async () => {
    await withPage(site.browser, at({}), async (page) => {
      const chart = page.locator(".chart", { has: page.locator("h2", { hasText: "Rate" }) }).getByRole("slider");
      await chart.waitFor();
      const box = await chart.boundingBox();
      const x = (minute) => box.x + 64 + ((minute + 0.5) / MINUTES) * (box.width - 72);
      await page.mouse.click(x(25), box.y + 40);
      await page.locator(".held", { hasText: `${CALLS} calls, 2 with errors` }).waitFor();
      const of = (name) => page.locator(".held").getByRole("link", { name, exact: true }).getAttribute("href").then((a) => new URL(a).searchParams.get("id"));
      assert.deepEqual([await of("slowest"), await of("failed")], [hex(25 * CALLS + 6, 32), hex(25 * CALLS + 2, 32)]);
      // What hangs over the charts goes at Escape, while the pointer is still there.
      await page.mouse.move(x(26), box.y + 40);
      await page.locator(".chart-tip").first().waitFor();
      await page.keyboard.press("Escape");
      await page.locator(".chart-tip").first().waitFor({ state: "detached" });
      await page.locator(".held").waitFor({ state: "detached" });
      await page.mouse.move(x(10), box.y + 40);
      await page.mouse.down();
      await page.mouse.move(x(14), box.y + 40, { steps: 3 });
      await page.mouse.up();
      await page.locator(".summary", { hasText: `${5 * CALLS} server calls` }).waitFor();
      assert.deepEqual(["from", "to"].map((name) => new URL(page.url()).searchParams.get(name)), [iso(10), iso(15)]);
      await page.goBack();
      await page.locator(".summary", { hasText: `${calls.length} server calls` }).waitFor();
      await chart.focus();
      for (const key of ["ArrowRight", "ArrowRight", "Enter"]) await page.keyboard.press(key);
      const told = await page.getByRole("slider").evaluateAll((list) => list.slice(0, 3).map((s) => `${s.ariaLabel}: ${s.ariaValueText}`));
      for (const [i, text] of [/^Rate: .*: calls [\d.]+\/s/, /^Errors: .*: errors 33 %/, /^Duration: .*: p50 12\.\d ms, p90 /].entries()) assert.match(told[i], text);
      assert.equal(await page.locator(".chart-tip").count(), 3);
      await page.locator(".held", { hasText: `${CALLS} calls, 2 with errors` }).waitFor();
      for (const key of ["Shift+ArrowRight", "Shift+ArrowRight", "z"]) await page.keyboard.press(key);
      await page.waitForURL((url) => url.searchParams.get("from") === iso(1) && url.searchParams.get("to") === iso(4));
      await page.goBack();
      await page.locator(".summary", { hasText: `${calls.length} server calls` }).waitFor();
      const slider = page.getByRole("slider", { name: "Share of calls" });
      await slider.focus();
      await page.keyboard.press("End");
      assert.match(await slider.getAttribute("aria-valuetext"), /^100 % took at most/);
      for (let i = 0; i < 100 && !/^50\.0 %/.test((await slider.getAttribute("aria-valuetext")) ?? ""); i++) await page.keyboard.press("ArrowLeft");
      assert.match(await slider.getAttribute("aria-valuetext"), /^50\.0 % took at most/); // half of the calls before payment became slow
      await page.keyboard.press("v");
      await page.waitForURL(/view=table/);
      const rows = await table(page, "Distribution of durations");
      assert.equal(rows.reduce((n, r) => n + number(r[1]), 0), calls.length);
      assert.equal(rows.at(-1)[3], "100 %");
      await page.keyboard.press("v");
      await page.keyboard.press("h");
      await page.locator(".heat-canvas").waitFor();
      await page.keyboard.press("h");
      await page.locator(".heat-canvas").waitFor({ state: "detached" });
      await page.getByTitle("Percentiles that are drawn").click();
      await page.getByRole("checkbox", { name: "p90", exact: true }).uncheck();
      await page.waitForURL(/pct=50%2C95%2C99/);
      await page.keyboard.press("Escape");
      await until(() => page.evaluate(() => document.activeElement?.textContent), "p50 p95 p99", "the focus");
    });
  });

  test("the heatmap of an earlier range stands beside this one, with its rows and colours; a box of it leads to its traces", async () => {
    await withPage(site.browser, at({ from: iso(20), vs: "prev", dur: "heat" }), async (page) => {
      await page.locator(".heat-canvas").nth(1).waitFor();
      const figures = await texts(page, ".heat-chart h2");
      assert.deepEqual(figures, ["Duration", `before: ${iso(0).slice(5, 16).replace("T", " ")}:00`]);
      const boxes = await page.locator(".heat-chart").evaluateAll((list) => list.map((e) => e.getBoundingClientRect()).map(({ top, width }) => [top, Math.round(width)]));
      assert.deepEqual(boxes[0], boxes[1]);
      // Calls of 10 to 15 ms before, of 100 to 150 ms now: the same cell is full on one side only.
      const told = async (i, key) => {
        await page.locator(".heat-canvas").nth(i).focus();
        await page.keyboard.press("ArrowRight");
        for (let n = 0; n < 40; n++) await page.keyboard.press(key);
        return page.locator(".heat-chart").nth(i).innerText();
      };
      const [now, before] = [await told(0, "ArrowUp"), await told(1, "ArrowUp")];
      assert.notEqual(now, before);
      await assertAccessible(page, "two heatmaps");
      await page.locator(".heat-canvas").nth(1).focus();
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("Enter");
      await page.waitForURL((url) => url.pathname === "/" && url.searchParams.get("from") === iso(0) && url.searchParams.has("sel"));
    });
  });

  test("charts keep their lines in forced colours, and their times apart on a narrow screen", async () => {
    await withPage(site.browser, at({}), async (page) => {
      await page.locator(".distribution .dist-bar").first().waitFor();
      const system = await page.evaluate(() => {
        const probe = document.body.appendChild(document.createElement("i"));
        const colour = (name) => {
          probe.style.color = name;
          return getComputedStyle(probe).color;
        };
        return [colour("CanvasText"), colour("Highlight"), colour("GrayText")];
      });
      const drawn = await page.locator(".chart-line, .chart-grid, .chart-mark, .chart-cursor").evaluateAll((list) => list.map((e) => getComputedStyle(e).stroke));
      assert.ok(drawn.length > 8 && drawn.every((c) => system.includes(c)), JSON.stringify([...new Set(drawn)]));
      const filled = await page.locator(".chart-label, .dist-bar").evaluateAll((list) => list.map((e) => getComputedStyle(e).fill));
      assert.ok(filled.every((c) => system.includes(c)), JSON.stringify([...new Set(filled)]));
    }, { forcedColors: "active" });
    // Over midnight both ends have their day.
    const day = iso(0).slice(0, 10);
    const [from, to] = [`${new Date(Date.parse(`${day}T00:00:00Z`) - 1800000).toISOString().slice(0, 19)}Z`, iso(MINUTES)];
    for (const width of [1440, 900, 390, 320]) {
      await withPage(site.browser, at({ from, to }), async (page) => {
        await page.locator(".chart-ends").first().waitFor();
        const gaps = await page.locator(".chart-ends").evaluateAll((list) => list.map((e) => {
          const [a, b] = [...e.children].map((c) => c.getBoundingClientRect());
          return { gap: b.width === 0 ? 99 : b.left - a.right, over: e.scrollWidth - e.clientWidth };
        }));
        assert.ok(gaps.every((g) => g.gap >= 8 && g.over <= 0), JSON.stringify(gaps));
      }, { width, height: 844 });
    }
  });

  test("every part is accessible in both themes, fits a narrow screen, and fails alone", async () => {
    const parts = [".operations tbody tr", ".neighbour-tables tbody tr", ".errors-table tbody tr", ".instances tbody tr", ".attribute-card"];
    await withPage(site.browser, at({ vs: "-20m", from: iso(20) }), async (page) => {
      for (const [i, ready] of parts.entries()) {
        await page.locator(ready).first().waitFor();
        await page.locator(".versions li").first().waitFor();
        await assertAccessible(page, `${ready}, ${i === 1 ? "light" : "dark"}`);
        await assertNoSidewaysScroll(page, ready);
        await page.keyboard.press("]");
        if (i < 2) await page.keyboard.press("D"); // from dark, as the system is, to light and to dark
      }
    }, { dark: true, width: 390, height: 844 });
    const problem = { status: 413, contentType: "application/problem+json", body: JSON.stringify({ title: "Too large", status: 413, detail: "more than 1000 series" }) };
    await withPage(site.browser, at({ tab: "errors", vs: "prev" }), async (page) => {
      await page.getByText("There are too many different errors to list").waitFor();
      await page.locator(".chart").first().waitFor();
      await page.unroute("**/v1/metrics/query_range*");
      await page.getByRole("button", { name: "Try again" }).click();
      await page.locator(".errors-table tbody tr").first().waitFor();
    }, { expectErrors: true, prepare: (page) => page.route("**/v1/metrics/query_range*", (r) => r.fulfill(problem)) });
  });
});
