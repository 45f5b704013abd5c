// SPDX-License-Identifier: Apache-2.0
// From alarm to cause in five clicks, on the shop with a fault that the pages do not know of: one instance of payment is slow for one
// currency. And the parts of Explore that need a real server: what they show must be what is counted here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { assertAccessible, assertNoSidewaysScroll, assertTargets, comes, goes, texts, until, withPage } from "./browser.mjs";
import { FAULT, faultyShop, sendAll } from "./fault.mjs";
import { count, useSite } from "./site.mjs";
import { attribute, groupBy, spansOf } from "./spans.mjs";

const archive = join(dirname(fileURLToPath(import.meta.url)), "../data/otel-js-shop/json.tar.gz");
const shop = faultyShop(archive, { rounds: 3, endNs: BigInt(Date.now() - 60000) * 1000000n });
const spans = shop.requests.flatMap(spansOf);

const site = useSite({ prepare: ({ spoor }) => sendAll(shop.requests, `http://${spoor.otlpHttp}`) });
const at = (params = {}) => `${site.url}/?${new URLSearchParams(params)}`;

/** As the pages write durations up to some seconds. */
const durationText = (ns) => (ns < 999.5e3 ? `${(ns / 1e3).toPrecision(3)} µs` : ns < 999.5e6 ? `${(ns / 1e6).toPrecision(3)} ms` : `${(ns / 1e9).toFixed(2)} s`);

/** Drags over the heatmap, from durations `slow` up, over its whole width. */
async function dragOver(page, slowNs) {
  const canvas = page.locator(".heat-canvas");
  await canvas.waitFor();
  const box = await canvas.boundingBox();
  // The highest row down to the one of the duration: the person sees it on the axis, the test asks for the bounds.
  const { bounds } = await page.evaluate(async () => (await fetch("v1/heatmap?steps=160&rows=48")).json());
  const [least, most] = [Number(bounds[0]) || Number(bounds[1]) ** 2 / Number(bounds[2]), Number(bounds.at(-1))];
  const [top, bottom] = [box.y + 4, box.y + box.height - 18];
  const y = bottom - ((bottom - top) * Math.log(slowNs / least)) / Math.log(most / least);
  await page.mouse.move(box.x + 58, top + 1);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2, (top + y) / 2, { steps: 4 });
  await page.mouse.move(box.x + box.width - 8, y - 2, { steps: 4 });
  await page.mouse.up();
}

test("from alarm to cause in five clicks", async () => {
  await withPage(site.browser, at(), async (page) => {
    // Nothing is clicked yet: rate, errors and durations of all spans are there.
    await page.locator(".heat-figure h2", { hasText: `${count(spans.length)} spans` }).waitFor();
    assert.equal(await page.locator(".panels .chart").count(), 3);

    // 1: a box over what is slow. The differences name the call, the instance and the kind of request.
    await dragOver(page, 1.5e9);
    await page.locator(".cards .card").first().waitFor();
    const suspect = page.locator(".suspect").first();
    assert.match((await suspect.innerText()).replace(/\s+/g, " "), new RegExp(`^${FAULT.service} ${FAULT.operation} \\+1\\.\\d+ s`));
    const cards = await page.locator(".cards .card").evaluateAll((list) => list.map((c) => [c.querySelector("h3").textContent, c.querySelector(".card-value .mono").textContent]));
    assert.deepEqual(new Map(cards).get("payment.currency"), FAULT.currency, JSON.stringify(cards));
    assert.deepEqual(new Map(cards).get("service.instance.id"), FAULT.instance, JSON.stringify(cards));
    assert.ok(cards.slice(0, 2).every(([key]) => /payment\.currency|service\.instance\.id/.test(key)), `not the first: ${JSON.stringify(cards)}`);
    await assertAccessible(page, "Explore with a selection");

    // 2: only traces with that currency are listed.
    await page.getByRole("button", { name: `Include payment.currency ${FAULT.currency}` }).click();
    await page.waitForURL((u) => (u.searchParams.get("q") ?? "").includes(FAULT.currency));
    // The list of before stays until the new one is there: a row of it that is clicked may be gone before the button is up. (Not by the response's finished(), which
    // has no time limit, and now and then no end.)
    const [t0, t1, d0, d1] = new URL(page.url()).searchParams.get("sel").split(",").map(BigInt);
    const slowInYen = spans.filter((s) => attribute(s.span.attributes, "payment.currency") === FAULT.currency && s.start >= t0 && s.start < t1 && s.duration >= d0 && s.duration < d1);
    await page.locator(".summary", { hasText: new RegExp(`^${count(groupBy(slowInYen, (s) => s.traceId).size)} traces? with spans in the selection .*rows? read`) }).waitFor();
    // The recording has slow charges of its own, which fail; the fault does not fail.
    const why = page.locator(".result:not(.head) .why a", { hasText: `${FAULT.service} ` }).filter({ hasNotText: "▲" }).first();
    await why.waitFor();

    // 3: a trace, at the span that matched.
    await why.click();
    const current = page.locator(".wf-row.current");
    await current.waitFor();
    assert.match(await current.getAttribute("aria-label"), new RegExp(`^${FAULT.service} ${FAULT.operation.replaceAll(".", "\\.")}`));
    const url = new URL(page.url());
    assert.ok(shop.faulty.has(url.searchParams.get("id")), "the trace is one with the fault");
    assert.ok(url.searchParams.get("find").includes(FAULT.operation));

    // 4: the critical path goes through it, and it is where the trace spends its time.
    await page.getByRole("button", { name: /critical path/i }).first().click();
    await page.waitForURL(/cp=1/);
    await page.locator('.wf-row.current[aria-label*="critical path"]').waitFor();
    // Its chip says that hardly any call of its kind took longer; of the calls on the path with such a chip, it is the innermost.
    const slow = page.locator(".wf-row:visible:has(.wf-rank.slow)");
    await page.locator(".wf-row.current .wf-rank.slow").waitFor();
    assert.match(await page.locator(".wf-row.current .wf-rank").innerText(), /^p9[5-9]$/);
    assert.match(await page.locator(".wf-row.current").getAttribute("aria-label"), /slower than 9\d(\.\d)? % of [\d,]+ spans of this operation/);
    const deepest = await slow.evaluateAll((list) => list.filter((e) => e.ariaLabel.includes("critical path")).sort((a, b) => b.ariaLevel - a.ariaLevel)[0]?.ariaLabel ?? "");
    assert.ok(deepest.startsWith(`${FAULT.service} ${FAULT.operation}`), deepest);
    const shown = await page.locator(".details").innerText();
    assert.ok(shown.includes(FAULT.instance) && shown.includes(FAULT.currency), "the span says which instance and which currency");

    // 5: back at the list, the trace beside a usual one: the call of payment is what differs.
    await page.goBack();
    await page.locator(".result:not(.head) .why").first().waitFor();
    const index = await page.locator(".result:not(.head)").evaluateAll((rows, id) => rows.findIndex((r) => r.querySelector(".why a")?.href.includes(id)), url.searchParams.get("id"));
    assert.ok(index >= 0, "the list is as it was");
    // Whoever comes back is at the row that was opened.
    assert.equal(await page.locator(".result.chosen").getAttribute("aria-rowindex"), String(index + 2));
    await page.keyboard.press("Space");
    await page.getByRole("button", { name: "With a usual one" }).click();
    await page.waitForURL(/compare\/\?a=/);
    const sides = new URL(page.url()).searchParams;
    assert.equal(sides.get("b"), url.searchParams.get("id"));
    assert.ok(!shop.faulty.has(sides.get("a")), "the usual trace has no fault");
    await page.locator("main", { hasText: FAULT.operation }).waitFor();
  });
});

test("a box is the same by mouse, by keyboard and by address, and the list is what it holds", async () => {
  await withPage(site.browser, at({ q: `{ resource.service.name = "${FAULT.service}" }` }), async (page) => {
    await dragOver(page, 1.5e9);
    await page.waitForURL(/sel=/);
    const byMouse = new URL(page.url()).searchParams.get("sel");
    const [t0, t1, d0, d1] = byMouse.split(",").map(BigInt);
    const inside = spans.filter((s) => s.service === FAULT.service && s.start >= t0 && s.start < t1 && s.duration >= d0 && s.duration < d1);
    const traces = new Set(inside.map((s) => s.traceId)).size;
    await page.locator(".summary", { hasText: `${count(traces)} traces with spans in the selection` }).waitFor();
    await page.getByRole("button", { name: "spans", exact: true }).click();
    await page.locator(".difference-head", { hasText: `${count(inside.length)} of` }).waitFor();
    await page.keyboard.press("Escape");
    await page.waitForURL((u) => !u.searchParams.has("sel"));
    // The same box with the keyboard: to a corner, to the other end of that row, and down to the row where the box ends.
    const { bounds } = await page.evaluate(async (q) => (await fetch(`v1/heatmap?${q}&steps=160&rows=48`)).json(), new URLSearchParams({ q: new URL(page.url()).searchParams.get("q") }).toString());
    const rowsBelow = bounds.length - 2 - bounds.findIndex((bound) => BigInt(bound) === d0);
    await page.locator(".heat-canvas").focus();
    for (const [key, times] of [["ArrowLeft", 162], ["ArrowUp", 50], ["Shift+ArrowRight", 162], ["Shift+ArrowDown", rowsBelow]])
      for (let i = 0; i < times; i++) await page.keyboard.press(key);
    await page.keyboard.press("Enter");
    await page.waitForURL(/sel=/);
    assert.equal(new URL(page.url()).searchParams.get("sel"), byMouse);
    await page.reload();
    await page.locator(".summary", { hasText: `${count(traces)} traces with spans in the selection` }).waitFor();
  });
});

test("Shift and a drag zoom in time; the table has the numbers of the picture", async () => {
  await withPage(site.browser, at(), async (page) => {
    const canvas = page.locator(".heat-canvas");
    await canvas.waitFor();
    const box = await canvas.boundingBox();
    await page.keyboard.down("Shift");
    await page.mouse.move(box.x + box.width * 0.4, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 4 });
    await page.mouse.up();
    await page.keyboard.up("Shift");
    await page.waitForURL(/from=.*to=/);
    const params = new URL(page.url()).searchParams;
    const answer = await page.evaluate(async (q) => (await fetch(`v1/heatmap?${q}&steps=160&rows=48`)).json(), new URLSearchParams({ from: params.get("from"), to: params.get("to") }).toString());
    const inside = spans.filter((s) => s.start >= BigInt(answer.from) && s.start < BigInt(answer.to));
    await page.locator(".heat-figure h2", { hasText: `${count(inside.length)} spans` }).waitFor();
    await page.getByRole("button", { name: "table", exact: true }).click();
    await page.locator(".panels .steps tbody tr").first().waitFor();
    const rows = await page.locator(".panels .steps tbody tr").evaluateAll((list) => list.map((tr) => Number(tr.cells[1].textContent.replace(",", ""))));
    assert.equal(rows.reduce((a, b) => a + b, 0), inside.length);
    await assertAccessible(page, "the table of the panels");
  });
});

test("facets include and exclude, chips follow the text and the text the chips", async () => {
  await withPage(site.browser, at(), async (page) => {
    const facet = (key) => page.locator(`.facet[data-key="${key}"]`);
    await facet("resource.service.name").locator("button.facet-value", { hasText: "payment" }).click();
    await page.waitForURL(/payment/);
    await facet("name").locator(".facet-value", { hasText: FAULT.operation }).waitFor();
    assert.deepEqual(await texts(page, ".chips .chip.mono"), ['resource.service.name = "payment"']);
    assert.equal(await page.locator(".query-box input").inputValue(), '{ resource.service.name = "payment" }');
    await facet("name").locator("button.facet-value", { hasText: FAULT.operation }).click({ modifiers: ["Alt"] });
    await page.waitForURL(/Charge/);
    const rest = spans.filter((s) => s.service === "payment" && s.name !== FAULT.operation);
    await page.locator(".facets-head", { hasText: `${count(rest.length)} spans` }).waitFor();
    await page.getByRole("link", { name: /^Remove name != / }).click();
    const own = spans.filter((s) => s.service === "payment");
    await page.locator(".facets-head", { hasText: `${count(own.length)} spans` }).waitFor();
    // Any attribute can be a facet; values that some spans lack can be excluded without losing those.
    await page.getByRole("button", { name: "Add a facet" }).click();
    await page.getByLabel("Attribute", { exact: true }).fill("payment.cur");
    await page.locator(".key-chooser .option", { hasText: "payment.currency" }).click();
    await page.waitForURL(/facets=/);
    await facet("span.payment.currency").getByRole("button", { name: "Exclude payment.currency JPY" }).click();
    const kept = own.filter((s) => attribute(s.span.attributes, "payment.currency") !== "JPY");
    await page.locator(".facets-head", { hasText: `${count(kept.length)} spans` }).waitFor();
    await page.goto(at({ q: '{ resource.service.name = "payment" } >> { status = error }' }));
    await page.locator(".chips .chip.mono", { hasText: /^advanced / }).waitFor();
    await assertAccessible(page, "facets");
  });
});

test("groups count every span, and a list of spans has columns of attributes", async () => {
  const own = spans.filter((s) => s.service === FAULT.service && s.name === FAULT.operation && s.kind === 2);
  const query = `{ resource.service.name = "${FAULT.service}" && name = "${FAULT.operation}" && kind = server }`;
  await withPage(site.browser, at({ q: query, group: "span.payment.currency" }), async (page) => {
    await page.locator(".groups tbody tr").first().waitFor();
    const rows = await page.locator(".groups tbody tr").evaluateAll((list) => list.map((tr) => `${tr.cells[0].innerText.trim()} ${tr.cells[1].innerText.trim()}`));
    const expected = [...groupBy(own, (s) => attribute(s.span.attributes, "payment.currency"))].map(([v, list]) => `${v} ${list.length}`);
    assert.deepEqual([...rows].sort(), expected.sort());
    assert.ok(rows[0].startsWith(FAULT.currency), `impact: ${rows}`);
    assert.equal(await page.locator(".groups .swatch").count(), 0);
    await page.goto(at({ group: "resource.service.name" }));
    await page.locator(".groups .swatch").first().waitFor();
    assert.equal(await page.locator(".groups .swatch").count(), await page.locator(".groups tbody tr").count());
    await assertAccessible(page, "groups");
    await page.goto(at({ q: query, mode: "spans", cols: "start,span,duration,resource.service.instance.id", sort: "-max(duration)" }));
    await page.locator(".result:not(.head) .attribute").first().waitFor();
    const slowest = await texts(page, ".result:not(.head) .attribute");
    assert.ok(slowest.length > 10 && slowest.every((t) => /^payment-[123]$/.test(t)), slowest.join());
    assert.equal(await page.locator(".result.head [role=columnheader]").count(), 4);
    await assertAccessible(page, "spans");
    // Columns are offered under the names that stand above them.
    for (const mode of ["traces", "spans"]) {
      await page.goto(at({ q: query, mode }));
      await page.locator(".result:not(.head)").first().waitFor();
      const heads = (await texts(page, ".result.head [role=columnheader]")).map((t) => t.replace(/[↑↓]/, "").trim().toLowerCase());
      await page.getByTitle("Columns of the list").click();
      assert.deepEqual((await texts(page, ".popover label.option")).map((t) => t.trim()), heads, mode);
    }
  });
});

test("a histogram counts every span once, and a drag over it selects durations", async () => {
  await withPage(site.browser, at({ view: "histogram" }), async (page) => {
    await page.locator(".hist-bar").first().waitFor();
    assert.match(await page.locator(".heat-figure h2").innerText(), new RegExp(`${count(spans.length)} spans`));
    await assertAccessible(page, "histogram");
    // The keyboard begins at the most frequent durations; what it says is what is counted here.
    await page.locator(".hist-box").focus();
    for (const key of ["End", "Shift+ArrowLeft", "Shift+ArrowLeft"]) await page.keyboard.press(key);
    const told = await page.getByRole("slider", { name: "Spans by duration" }).getAttribute("aria-valuetext");
    assert.match(told, /^[\d.]+ m?s – [\d.]+ s · .* took less than/);
    await page.keyboard.press("Enter");
    await page.waitForURL(/sel=/);
    const [, , d0, d1] = new URL(page.url()).searchParams.get("sel").split(",").map(Number);
    const inside = spans.filter((s) => s.end - s.start >= BigInt(d0) && s.end - s.start < BigInt(d1));
    assert.match(told, new RegExp(`· ${count(inside.length)} spans?,`));
    await page.locator(".difference .cards, .difference .dim").first().waitFor();
    await page.keyboard.press("Escape");
    // By mouse: from the middle to the right edge.
    const box = await page.locator(".hist-box").boundingBox();
    await page.mouse.move(box.x + box.width * 0.7, box.y + 100);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width - 20, box.y + 120, { steps: 3 });
    await page.mouse.up();
    await page.waitForFunction(() => /sel=/.test(location.search));
    await page.getByRole("button", { name: "Clear the selection" }).click();
    await page.getByRole("button", { name: "table", exact: true }).click();
    const rows = await page.locator(".steps tbody tr").evaluateAll((list) => list.map((tr) => [1, 4].map((i) => Number(/^▲? ?([\d,]+)/.exec(tr.cells[i].textContent)[1].replace(",", "")))));
    assert.equal(rows.reduce((sum, [n]) => sum + n, 0), spans.length);
    assert.equal(rows.reduce((sum, [, n]) => sum + n, 0), spans.filter((s) => s.span.status?.code === 2).length);
    await assertAccessible(page, "histogram as a table");
  });
});

test("time series by group add up to every span, the rest is one of them, and a drag takes the time", async () => {
  await withPage(site.browser, at({ view: "timeseries", group: "resource.service.name", top: "3" }), async (page) => {
    await page.locator(".series-charts .chart").nth(4).waitFor();
    const bySize = [...groupBy(spans, (s) => s.service)].map(([name, list]) => [name, list.length]).sort((a, b) => b[1] - a[1]);
    const rest = bySize.slice(3).reduce((sum, [, n]) => sum + n, 0);
    const legend = (await texts(page, ".series-legend li")).map((t) => t.replace(/ ▲.*/, ""));
    assert.deepEqual(legend, [...bySize.slice(0, 3).map(([name, n]) => `${name} ${count(n)}`), `the rest ${count(rest)}`]);
    assert.deepEqual(await texts(page, ".series-charts .chart h2"), ["Rate", "Errors", "p50", "p95", "p99"]);
    await assertAccessible(page, "time series");
    await page.getByRole("button", { name: "table", exact: true }).click();
    const rows = await page.locator(".steps tbody tr").evaluateAll((list) => list.map((tr) => [tr.cells[1].textContent, Number(tr.cells[2].textContent.replace(",", ""))]));
    assert.equal(rows.reduce((sum, [, n]) => sum + n, 0), spans.length);
    assert.equal(rows.filter(([name]) => name === "the rest").reduce((sum, [, n]) => sum + n, 0), rest);
    await assertAccessible(page, "time series as a table");
    // Percentiles of the rest are of the spans in it, as another query finds them.
    const others = `{ ${bySize.slice(0, 3).map(([name]) => `resource.service.name != ${JSON.stringify(name)}`).join(" && ")} } | quantile_over_time(duration, .5, .99)`;
    const answer = await page.evaluate(async (q) => (await fetch(`v1/metrics/query_range?${new URLSearchParams({ q })}`)).json(), others);
    const points = (p) => answer.series.find((s) => Number(s.labels[0].value) === p).points.map(([, seconds]) => seconds * 1e9);
    const ofRest = await page.locator(".steps tbody tr").evaluateAll((list) => list.filter((tr) => tr.cells[1].textContent === "the rest").map((tr) => [tr.cells[5].textContent, tr.cells[7].textContent]));
    assert.deepEqual(ofRest, points(0.5).map((ns, i) => [durationText(ns), durationText(points(0.99)[i])]));
    await page.getByRole("button", { name: "table", exact: true }).click();
    // A drag selects the time, over all durations; with Shift it becomes the range.
    const chart = page.locator(".series-charts .chart-box").first();
    const drag = async () => {
      const box = await chart.boundingBox();
      await page.mouse.move(box.x + box.width * 0.4, box.y + 50);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 3 });
      await page.mouse.up();
    };
    await drag();
    await page.waitForURL(/sel=/);
    await page.locator(".difference").waitFor();
    // While the list is searched, Escape would end that.
    await page.waitForFunction(() => !document.querySelector(".progress.busy"));
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !/sel=/.test(location.search));
    await page.keyboard.down("Shift");
    await drag();
    await page.keyboard.up("Shift");
    await page.waitForURL(/from=/);
    // One group becomes the query.
    await page.locator(".series-legend a").first().click();
    await page.waitForURL((u) => (u.searchParams.get("q") ?? "").includes(bySize[0][0]) && !u.searchParams.has("group"));
    await page.locator(".series-legend").waitFor({ state: "detached" });
    assert.deepEqual(await texts(page, ".series-charts .chart h2"), ["Rate", "▲ Errors", "Duration"]);
  });
});

test("rate and errors take a drag as the heatmap beside them does, and the views have keys", async () => {
  await withPage(site.browser, at(), async (page) => {
    const chart = page.locator(".panels .chart-box").first();
    await chart.waitFor();
    await page.locator(".views").waitFor();
    await chart.focus();
    for (const key of ["ArrowRight", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"]) await page.keyboard.press(key);
    assert.match(await chart.getAttribute("aria-valuetext"), /: spans [\d.,]+\/(s|min|h)/);
    await page.keyboard.press("Enter");
    await page.waitForURL(/sel=/);
    const [t0, t1] = new URL(page.url()).searchParams.get("sel").split(",").map(BigInt);
    const answer = await page.evaluate(async () => (await fetch("v1/heatmap?steps=160&rows=48")).json());
    assert.equal(t0, BigInt(answer.steps[1].timeUnixNano));
    assert.equal(t1, BigInt(answer.steps[4].timeUnixNano));
    assert.equal(await page.locator(".panels .sel-band").count(), 2);
    await page.keyboard.press("Escape");
    for (const [key, view, there] of [["2", "heatmap", ".heat-canvas"], ["3", "histogram", ".hist-bar"], ["4", "timeseries", ".series-charts .chart"], ["1", null, ".panels .chart"]]) {
      await page.locator("main").focus();
      await page.keyboard.press(key);
      await page.waitForFunction((v) => new URL(location.href).searchParams.get("view") === v, view);
      await page.locator(there).first().waitFor();
    }
    // What is not shown is not asked for.
    await page.keyboard.press("h");
    await page.locator(".panels").waitFor({ state: "detached" });
    const asked = [];
    page.on("request", (r) => asked.push(new URL(r.url()).pathname));
    await page.keyboard.press("r");
    await page.waitForFunction(() => !document.querySelector(".progress.busy"));
    assert.ok(asked.includes("/v1/search") && !asked.includes("/v1/heatmap"), `asked: ${asked}`);
    await page.keyboard.press("h");
    await page.locator(".panels").waitFor();
    // Groups stay as well when the server goes away.
    await page.goto(at({ group: "name" }));
    await page.locator(".groups tbody tr").first().waitFor();
    const groups = await page.locator(".groups tbody tr").count();
    goes(page);
    await page.keyboard.press("r");
    await page.locator(".banner", { hasText: "was read at" }).waitFor();
    assert.equal(await page.locator(".groups tbody tr").count(), groups);
    comes(page);
    await page.locator(".banner").waitFor({ state: "detached" });
  }, { expectErrors: true, breaks: "**/v1/**" });
});

test("spans are listed in an order of their own", async () => {
  const query = "{ kind = server }";
  const own = spans.filter((s) => s.kind === 2).map((s) => Number(s.end - s.start)).sort((a, b) => b - a);
  await withPage(site.browser, at({ q: query, mode: "spans", sort: "-duration" }), async (page) => {
    await page.locator(".result:not(.head)").first().waitFor();
    const shown = async () => {
      const answer = page.locator(".results");
      return Number(await answer.getAttribute("aria-rowcount")) - 1;
    };
    const durations = await texts(page, ".result:not(.head) .duration .num");
    assert.deepEqual(durations.slice(0, 15), own.slice(0, 15).map(durationText));
    const before = await shown();
    assert.match(await page.locator(".summary").first().innerText(), /more are loaded and wait until all before them are/);
    await page.getByRole("button", { name: /^Load \d+ more/ }).click();
    await page.waitForFunction((n) => Number(document.querySelector(".results").getAttribute("aria-rowcount")) > n + 1, before);
  });
});

/** The row that has the focus: its number among all, from 0, and its words. */
const focusedRow = (page) =>
  page.evaluate(() => {
    const at = document.activeElement;
    return at?.classList.contains("result") ? [Number(at.ariaRowIndex) - 2, at.ariaLabel] : at?.className;
  });
/** Until row i has the focus, and is seen. */
const focusOn = (page, i) =>
  page.waitForFunction((index) => {
    const at = document.activeElement;
    const [box, row] = [document.querySelector(".results .virtual").getBoundingClientRect(), at?.getBoundingClientRect()];
    return at?.ariaRowIndex === String(index + 2) && at.classList.contains("chosen") && row.top >= box.top - 1 && row.bottom <= box.bottom + 1;
  }, i);

test("as many traces come at once as the address says, and rows take the focus that the keyboard moves", async () => {
  await withPage(site.browser, at(), async (page) => {
    for (const [limit, shown] of [["20", "20"], ["-3", "100"], ["many", "100"], ["5000", "1,000"]]) {
      await page.goto(at({ limit }));
      await page.locator(".summary", { hasText: `, ${shown} shown` }).waitFor();
    }
    for (const key of ["j", "j", "k", "ArrowDown"]) await page.keyboard.press(key);
    await focusOn(page, 1);
    assert.match((await focusedRow(page))[1], /^\w+ .*, [\d.]+ m?s(, \d+ errors?)?$/);
    for (const [key, row] of [["End", 999], ["k", 998], ["Home", 0], ["k", 0]]) {
      await page.keyboard.press(key);
      await focusOn(page, row);
    }
    await page.keyboard.press("PageDown");
    await page.waitForFunction(() => Number(document.activeElement?.ariaRowIndex) > 6);
    // The list is one stop of the Tab key; the links of its row are the next.
    assert.equal(await page.locator('.rows [role=row][tabindex="0"]').count(), 1);
    await page.keyboard.press("Tab");
    await until(() => page.evaluate(() => document.activeElement.tagName), "A", "the focus");
    const [row] = await page.evaluate(() => [document.activeElement.closest(".result").ariaRowIndex]);
    await page.keyboard.press("Space");
    await page.getByRole("complementary", { name: "Preview" }).waitFor();
    await page.keyboard.press("Escape");
    // A row that is scrolled away leaves the focus to the list, and the keyboard goes on from there.
    await page.locator(".results .virtual").evaluate((e) => e.scrollTo(0, 12000));
    await page.waitForFunction(() => document.activeElement?.classList.contains("virtual"));
    await page.keyboard.press("j");
    await focusOn(page, Number(row) - 1);
    // A button that was pressed before does not take the keys of the list.
    await page.getByRole("button", { name: "Run" }).click();
    await page.waitForFunction(() => !document.querySelector(".progress.busy"));
    await page.keyboard.press("j");
    await page.waitForFunction(() => document.activeElement?.classList.contains("result"));
    const [chosen] = await focusedRow(page);
    await page.keyboard.press("Enter");
    await page.locator(".wf-row").first().waitFor();
    await page.goBack();
    await focusOn(page, chosen);
  });
});

test("a server that is not there is said once, and everything comes when it does", async () => {
  for (const [more, there] of [[{}, ".heat-canvas"], [{ view: "histogram" }, ".hist-bar"], [{ view: "timeseries", group: "name" }, ".series-charts .chart"], [{ group: "name" }, ".groups tbody tr"]]) {
    await withPage(
      site.browser,
      at(more),
      async (page) => {
        await page.getByRole("heading", { name: "Spoor does not answer" }).waitFor();
        await page.locator(".problem", { hasText: "The page asks again by itself." }).waitFor();
        await page.locator(".facets-list").waitFor();
        await page.waitForFunction(() => !document.querySelector(".progress.busy"));
        assert.deepEqual(await texts(page, ".problem h2"), ["▲ Spoor does not answer"], JSON.stringify(more));
        assert.equal(await page.locator(".banner").count(), 0, "said once");
        assert.match(await page.locator(".problem").innerText(), /127\.0\.0\.1:\d+ cannot be reached/);
        // Between two tries nothing seems to be on its way.
        await page.waitForFunction(() => document.querySelectorAll(".waiting, .room").length === 0);
        comes(page);
        await page.locator(there).first().waitFor();
        await page.locator(".facet").first().waitFor();
        // Each part asks again by itself, so the last of them may take longer.
        await page.waitForFunction(() => !document.querySelector(".problem, .banner"));
      },
      { expectErrors: true, breaks: "**/v1/**", prepare: (page) => goes(page) },
    );
  }
});

test("dates may be as short as people write them, in the zone that times are shown in", async () => {
  await withPage(site.browser, at({ from: "2026-01-01" }), async (page) => {
    await page.locator(".result:not(.head)").first().waitFor();
    await page.keyboard.press("U");
    await page.keyboard.press("t");
    await page.getByLabel("From", { exact: true }).fill("2026-01-02 12:30");
    await page.getByLabel("To", { exact: true }).fill("2099-01-01");
    await page.keyboard.press("Enter");
    await page.waitForURL((u) => u.searchParams.get("from") === "2026-01-02T12:30:00Z" && u.searchParams.get("to") === "2099-01-01T00:00:00Z");
    await page.locator(".result:not(.head)").first().waitFor();
    assert.match(await page.locator(".time-range").innerText(), /^\s*2026-01-02 12:30:00 – 2099-01-01 00:00:00\s+UTC/);
    assert.equal(await page.locator(".problem").count(), 0);
  });
});

test("keys of the list do not open what is not shown, and leave arrows to what scrolls", async () => {
  await withPage(site.browser, at({ group: "name" }), async (page) => {
    const table = page.locator(".groups .table-box");
    await table.locator("tbody tr").nth(20).waitFor();
    for (const key of ["j", "Space", "Enter"]) await page.keyboard.press(key);
    assert.equal(new URL(page.url()).searchParams.get("group"), "name");
    await table.focus();
    await page.keyboard.press("ArrowDown");
    await page.waitForFunction(() => document.querySelector(".groups .table-box").scrollTop > 0);
  });
});

test("on a narrow screen facets are a sheet that nobody finds open, elsewhere a rail that stays as it is left", async () => {
  await withPage(site.browser, at(), async (page) => {
    const toggle = page.locator(".query-tools").getByRole("button", { name: "Facets" });
    for (const [width, open, left] of [[390, "false", "false"], [1440, "true", "false"]]) {
      await page.setViewportSize({ width, height: 844 });
      await page.reload();
      await page.locator(".result:not(.head)").first().waitFor();
      await until(() => toggle.getAttribute("aria-pressed"), open);
      await toggle.click();
      await page.locator(".facets").waitFor({ state: open === "true" ? "detached" : "visible" });
      await page.reload();
      await page.locator(".result:not(.head)").first().waitFor();
      await until(() => toggle.getAttribute("aria-pressed"), left);
    }
  });
});

test("what opens, and what a selection differs by, is large enough for a finger", async () => {
  const narrow = { width: 390, height: 844 };
  for (const title of ["Time range", "Group by a field", "Columns of the list", "Export the list"]) {
    await withPage(site.browser, at(), async (page) => {
      await page.locator(".facet, .result:not(.head)").first().waitFor();
      await page.getByTitle(title).first().click();
      await page.locator(".popover").waitFor();
      await assertTargets(page, title);
    }, narrow);
  }
  await withPage(site.browser, at({ sel: `0,${10n ** 18n * 3n},1500000000,${10n ** 11n}` }), async (page) => {
    await page.locator(".suspect").first().waitFor();
    await assertTargets(page, "a selection");
  }, narrow);
});

test("titles are told to the keyboard as well; what a pointer shows goes with Escape", async () => {
  await withPage(site.browser, at(), async (page) => {
    await page.locator(".panels .chart-box").first().waitFor();
    await page.locator(".trace-box input").focus();
    await page.keyboard.press("Tab");
    await page.locator(".tip", { hasText: /^Time range$/ }).waitFor();
    await assertAccessible(page, "a tip");
    await page.keyboard.press("Control");
    await page.locator(".tip").waitFor({ state: "detached" });
    await page.locator(".panels .chart-box").first().hover();
    await page.locator(".chart-tip").first().waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".chart-tip").first().waitFor({ state: "detached" });
  });
});

test("preview, basket and export work from the keyboard, and nothing is wider than the screen", async () => {
  const params = { q: "{ status = error }" };
  await withPage(site.browser, at(params), async (page) => {
    await page.locator(".result:not(.head)").first().waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Space");
    await page.locator(".details .where").first().waitFor();
    assert.equal(await page.locator(".results").evaluate((list) => Math.max(0, list.scrollWidth - list.clientWidth)), 0, "all columns are seen beside the preview");
    await assertAccessible(page, "preview");
    await page.keyboard.press("b");
    await page.locator(".result .tag", { hasText: "compare" }).waitFor();
    const kept = await page.evaluate(() => JSON.parse(sessionStorage.getItem("spoor.basket")));
    assert.match(kept[0].ref, /^[0-9a-f]{32}$/);
    await page.keyboard.press("Escape");
    await page.locator(".details").waitFor({ state: "detached" });
    await page.getByTitle("Export the list").click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
    const { readFileSync } = await import("node:fs");
    const lines = readFileSync(await download.path(), "utf8").trim().split("\r\n");
    assert.equal(lines.length, 101);
    assert.match(lines[0], /^traceId,start,duration_ns,/);
  });
  // On a narrow screen names are whole, what opens uses the width there is, and conditions stand in the lines of the other chips.
  await withPage(site.browser, at({ q: '{ resource.service.name = "payment" && duration > 10ms && kind = server }' }), async (page) => {
    await page.locator(".result:not(.head)").first().waitFor();
    const tops = await page.locator(".query-tools > .chip, .chips > *").evaluateAll((list) => new Set(list.map((e) => Math.round(e.getBoundingClientRect().top / 8))).size);
    assert.ok(tops <= 4, `${tops} lines of chips`);
    await page.locator(".query-box input").fill("{ span.http");
    await page.locator(".suggestions li", { hasText: "span.http.response.status_code" }).waitFor();
    assert.deepEqual(await page.locator(".suggestions .clip").evaluateAll((list) => list.filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent)), []);
    await page.keyboard.press("Escape");
    await page.locator(".time-range > button").click();
    assert.ok((await page.getByLabel("From", { exact: true }).boundingBox()).width > 330);
    await page.keyboard.press("Escape");
    await page.locator(".list-tools").getByRole("button", { name: "Group by" }).click();
    assert.ok((await page.getByLabel("Attribute", { exact: true }).boundingBox()).width > 330);
    await page.keyboard.press("Escape");
    // Half a screen has room for whole conditions, and for all tools.
    for (const width of [740, 820, 1024, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      await page.waitForTimeout(200);
      await until(() => page.locator(".chips .clip").evaluateAll((list) => list.filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent)), [], `at ${width}`);
      const tools = await page.locator(".list-tools").boundingBox();
      assert.ok(tools.x >= 0 && tools.x + tools.width <= width, `at ${width} the tools end at ${tools.x + tools.width}`);
    }
  }, { width: 390, height: 844 });
  for (const more of [{}, { group: "name" }, { mode: "spans" }, { as: "table" }, { view: "heatmap" }, { view: "histogram" }, { view: "timeseries", group: "resource.service.name" }]) {
    await withPage(site.browser, at({ ...params, ...more }), async (page) => {
      await page.locator(".panels .chart, .series-charts .chart").first().waitFor();
      await assertTargets(page, `${JSON.stringify(more)} at 390`);
      for (const [width, colorScheme] of [[390, "light"], [320, "dark"]]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        await page.waitForTimeout(200);
        await assertNoSidewaysScroll(page, `${JSON.stringify(more)} at ${width}`);
        await assertAccessible(page, `${JSON.stringify(more)} at ${width}`);
      }
    }, { width: 390, height: 800 });
  }
});
