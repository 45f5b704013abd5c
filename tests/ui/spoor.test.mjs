// SPDX-License-Identifier: Apache-2.0
// The pages against the real server. First the recorded shop, replayed; what the pages show must be what spans.mjs computes
// from the recording. Then the live shop: eight services that send while the browser looks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureModules, Missing, startShop, startSpoor } from "../e2e/shop.mjs";
import { assertAccessible, assertNoSidewaysScroll, texts, until, withPage } from "./browser.mjs";
import { Mock } from "./mock.mjs";
import { count, useSite } from "./site.mjs";
import { attribute, groupBy, recordedRequests, spansOf, summaryOf } from "./spans.mjs";

const archive = join(dirname(fileURLToPath(import.meta.url)), "../data/otel-js-shop/json.tar.gz");
const requests = recordedRequests(archive).map((r) => JSON.parse(r.body));
const spans = requests.flatMap(spansOf);
const traces = [...groupBy(spans, (s) => s.traceId).values()];

/** UI_SYSTEM=mock runs these tests against the mock, to work on them without a server. */
async function startMock() {
  const { url, stop } = await new Mock().listen(process.env.UI_DIST);
  const address = new URL(url).host;
  return { http: address, otlpHttp: address, stop };
}
const isMock = process.env.UI_SYSTEM === "mock";
const site = useSite({ requests: () => requests, ...(isMock ? { start: startMock } : {}) });

const at = (path, params = {}) => `${site.url}${path}?${new URLSearchParams(params)}`;

/** As the pages write durations below a minute. */
function duration(ns) {
  for (const [unit, name] of [[1e3, "ns"], [1e6, "µs"], [1e9, "ms"], [60e9, "s"]]) {
    const value = Number(ns) / (unit / (name === "s" ? 60 : 1000));
    if (name === "ns" && value < 999.5) return `${Math.round(value)} ns`;
    if (name !== "ns" && value < (name === "s" ? 59.95 : 999.5)) return `${value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0)} ${name}`;
  }
  return "a minute or more";
}

/** The spans of a trace as a tree's lines, children by start and id; orphans are roots. */
function treeOf(trace) {
  const order = (a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : a.spanId < b.spanId ? -1 : 1);
  const ids = new Set(trace.map((s) => s.spanId));
  const children = groupBy(trace, (s) => (ids.has(s.parentSpanId) ? s.parentSpanId : ""));
  const lines = [];
  const walk = (list, level) => {
    for (const s of [...list].sort(order)) {
      lines.push({ span: s, level });
      walk(children.get(s.spanId) ?? [], level + 1);
    }
  };
  walk(children.get("") ?? [], 1);
  return lines;
}

const errors = (trace) => trace.filter((s) => s.status === 2).length;
const rooted = (trace) => trace.filter((s) => !s.parentSpanId).length === 1 && orphans(trace) === 0;
const orphans = (trace) => {
  const ids = new Set(trace.map((s) => s.spanId));
  return trace.filter((s) => s.parentSpanId && !ids.has(s.parentSpanId)).length;
};
/** A whole trace with errors in several services. */
const chosen = traces.filter((t) => errors(t) > 1 && rooted(t)).sort((a, b) => summaryOf(b).services.length - summaryOf(a).services.length || b.length - a.length)[0];

test("the search counts every trace and span, and sorts by what it is asked", async () => {
  await withPage(site.browser, at("/", { order: "-spans" }), async (page) => {
    // Rows come before the search has ended.
    await page.locator(".summary", { hasText: "stopped at a full page" }).waitFor();
    const summary = await page.locator(".summary").innerText();
    // The most spans come first, so the search ends with a full page: what it counts until then is told as a part.
    const [, found] = /^at least ([\d,]+) traces, 100 shown/.exec(summary) ?? [];
    assert.ok(Number(found?.replaceAll(",", "")) >= 100 && Number(found.replaceAll(",", "")) <= traces.length, summary);
    await page.locator('.facet[data-key="name"]').waitFor();
    for (const [key, of] of [["resource.service.name", (s) => s.service], ["name", (s) => s.name], ["status", (s) => ["unset", "ok", "error"][s.status]]]) {
      const shown = await page.locator(`.facet[data-key="${key}"] .facet-value`).evaluateAll((list) => list.map((e) => e.title.replace(/,[^,]*$/, "").split(": ")).map(([name, n]) => `${name} ${n.split(" ")[0]}`));
      const groups = [...groupBy(spans, of)].map(([name, own]) => [name, own.length]).sort((a, b) => b[1] - a[1]);
      const possible = groups.map(([name, n]) => `${name} ${count(n)}`);
      assert.ok(shown.length > 0 && shown.every((t) => possible.includes(t)), `${key}: ${shown}`);
      assert.deepEqual(shown.map((t) => Number(t.split(" ").at(-1).replace(",", ""))), groups.slice(0, shown.length).map((g) => g[1]), key);
    }
    const most = traces.map((t) => t.length).sort((a, b) => b - a);
    assert.deepEqual((await texts(page, ".result:not(.head) .spans")).slice(0, 10).map(Number), most.slice(0, 10));
    await page.getByRole("button", { name: "Duration" }).click();
    await page.waitForURL(/sort=-duration/);
    const longest = traces.map(summaryOf).sort((a, b) => (a.duration < b.duration ? 1 : -1))[0];
    await page.locator(".result:not(.head)", { hasText: duration(longest.duration) }).first().waitFor();
    const first = await texts(page, ".result:not(.head) .duration");
    assert.equal(first[0], duration(longest.duration));
    await assertAccessible(page, "Explore");
  });
});

test("a query finds the traces it should, and says why each matched", async () => {
  const matches = (s) => s.service === "checkout" && s.status === 2;
  const expected = traces.filter((t) => t.some(matches));
  await withPage(site.browser, at("/", { q: '{ resource.service.name = "checkout" && status = error }', order: "-errors" }), async (page) => {
    await page.locator(".summary", { hasText: new RegExp(`^${count(expected.length)} traces`) }).waitFor();
    const why = page.locator(".result:not(.head) .why a").first();
    assert.match((await why.innerText()).trim(), /^▲ checkout /);
    await why.click();
    await page.locator(".wf-row.current").waitFor();
    const span = new URL(page.url()).searchParams.get("span");
    const found = spans.find((s) => s.spanId === span);
    assert.ok(matches(found));
    await page.locator(".details h2", { hasText: found.name }).waitFor();
  });
});

test("a long address that is copied is kept by the server, under sixteen letters", { skip: isMock }, async () => {
  const long = `{ ${Array.from({ length: 230 }, (_, i) => `span.item != "é-${i}"`).join(" && ")} }`;
  let link;
  await withPage(site.browser, at("/", { q: long, sort: "-duration" }), async (page) => {
    await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => (window.__copied = text) } }));
    await page.getByRole("button", { name: "Copy link" }).click();
    await page.waitForFunction(() => window.__copied);
    link = await page.evaluate(() => window.__copied);
    assert.match(link.replace(site.url, ""), /^\/\?l=[0-9a-f]{16}$/);
  });
  await withPage(site.browser, link, async (page) => {
    await page.locator(".query-box input").waitFor();
    assert.equal(await page.getByRole("combobox", { name: "Query, in TraceQL" }).inputValue(), long);
    await page.waitForURL(/#z=/);
  });
  const id = link.slice(-16);
  assert.equal((await fetch(`${site.url}/v1/links/${id}`, { method: "DELETE" })).status, 204);
  await withPage(site.browser, link, async (page) => {
    await page.getByText(`Link ${id}: no such link is kept here`).waitFor();
    assert.equal(await page.getByRole("combobox", { name: "Query, in TraceQL" }).inputValue(), "");
  }, { expectErrors: true });
});

test("what can be completed, grouped by and shown: also what is said of errors, with its scope or without", { skip: isMock }, async () => {
  await withPage(site.browser, at("/"), async (page) => {
    const box = page.locator(".query-box input");
    const typed = async (text, first) => {
      await box.fill(text);
      const found = page.locator(".suggestions li", { hasText: first }).first();
      await found.waitFor();
      return found;
    };
    await typed("{ event.", "event.exception.message");
    await typed("{ status = error && exc", "event.exception.type");
    await typed("{ .rpc.grpc", "span.rpc.grpc.status_code");
    await typed("{ li", "link.messaging.message.id");
    await typed("{ event:", "event:name");
    await (await typed("{ statusM", "statusMessage")).click();
    assert.equal(await box.inputValue(), "{ statusMessage ");
    await box.fill("");
    await page.locator(".list-tools").getByRole("button", { name: "Columns" }).click();
    await page.locator(".key-chooser .option", { hasText: "statusMessage" }).click();
    await page.waitForURL(/cols=.*statusMessage/);
    await page.goto(at("/", { mode: "spans", cols: "span,statusMessage", q: '{ statusMessage != "" }' }));
    const said = new Set(spans.map((s) => s.span.status?.message));
    await page.locator(".result:not(.head) .attribute").first().waitFor();
    const shown = await texts(page, ".result:not(.head) .attribute");
    assert.ok(shown.length > 5 && shown.every((text) => said.has(text)), shown.join("; "));
    await page.locator(".list-tools").getByRole("button", { name: "Group by" }).click();
    await page.getByLabel("Attribute", { exact: true }).fill("event.exc");
    await page.locator(".key-chooser .option", { hasText: "event.exception.type" }).click();
    await page.waitForURL(/group=event.exception.type/);
    await page.locator(".groups tbody tr").first().waitFor();
  });
});

test("a trace shows the right tree, names, durations and counts", async () => {
  const summary = summaryOf(chosen);
  await withPage(site.browser, at("/trace/", { id: summary.traceId, fold: "0" }), async (page) => {
    await page.locator(".wf-row").first().waitFor();
    assert.equal((await texts(page, ".trace-head h1"))[0], `${summary.rootServiceName} ${summary.rootTraceName}`);
    const facts = Object.fromEntries((await texts(page, ".trace-head .facts > div")).map((t) => [t.split(" ")[0], t.slice(t.indexOf(" ") + 1)]));
    assert.equal(facts.Duration, duration(summary.duration));
    assert.equal(facts.Spans, String(chosen.length));
    assert.equal(facts.Services, String(summary.services.length));
    assert.match(facts.Errors, new RegExp(`^▲ ?${summary.errorCount} errors?$`));
    const rows = await page.locator(".wf-row:visible").evaluateAll((list) =>
      list.map((e) => ({ at: Number(e.ariaRowIndex), level: Number(e.getAttribute("aria-level")), label: e.getAttribute("aria-label") })).sort((a, b) => a.at - b.at),
    );
    const tree = treeOf(chosen);
    assert.ok(rows.length > 15);
    rows.forEach((row, i) => {
      const { span, level } = tree[i];
      assert.equal(row.level, level, row.label);
      assert.ok(row.label.startsWith(`${span.service} ${span.name}, ${duration(span.duration)}, starts at ${duration(span.start - summary.start)}`), `${row.label}\n${span.service} ${span.name} ${duration(span.duration)}`);
    });
    await assertAccessible(page, "Trace");
  });
});

test("the details of a span are the recorded ones, exceptions first", async () => {
  const span = chosen.find((s) => s.span.events?.some((e) => e.name === "exception")) ?? spans.find((s) => s.span.events?.some((e) => e.name === "exception"));
  await withPage(site.browser, at("/trace/", { id: span.traceId, span: span.spanId }), async (page) => {
    await page.locator(".event.exception").first().waitFor();
    const exception = span.span.events.find((e) => e.name === "exception");
    const shown = await page.locator(".details-body").innerText();
    assert.ok(shown.includes(attribute(exception.attributes, "exception.message")));
    for (const { key } of [...(span.span.attributes ?? []), ...(span.resource.attributes ?? [])]) assert.ok(shown.includes(key), key);
    const link = page.locator('.details a[title^="Search { resource.service.name = "]');
    assert.match(new URL(await link.getAttribute("href")).searchParams.get("q"), /^\{ resource\.service\.name = /);
    await assertAccessible(page, "Details");
  });
});

test("spans whose parent never came are shown as what they are", async () => {
  const broken = traces.filter((t) => orphans(t) > 0 && t.length > 3).sort((a, b) => b.length - a.length)[0];
  const n = orphans(broken);
  await withPage(site.browser, at("/trace/", { id: broken[0].traceId }), async (page) => {
    await page.locator(".banner").first().waitFor();
    const banner = await page.locator(".banner").first().innerText();
    assert.ok(banner.includes(n === 1 ? "1 span whose parent is not stored" : `${n} spans whose parent is not stored`), banner);
  });
});

test("the keyboard alone goes from the list to an error and back", async () => {
  await withPage(site.browser, at("/", { q: `{ trace:id = "${chosen[0].traceId}" }` }), async (page) => {
    await page.locator(".query-box input").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.press("Control+A");
    await page.keyboard.type('{ resource.service.name = "payment" && status = error }');
    await page.keyboard.press("Enter");
    await page.waitForURL(/payment/);
    await page.locator(".result .why a", { hasText: "payment" }).first().waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await page.keyboard.press("j");
    await page.locator(".result.chosen").waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".wf-row").first().waitFor();
    await page.keyboard.press("e");
    const current = page.locator(".wf-row.current");
    await current.waitFor();
    assert.match(await current.getAttribute("aria-label"), /, error/);
    await page.keyboard.press("Enter");
    await page.locator(".details").waitFor();
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowDown");
    await page.locator('.wf-row.current[aria-rowindex="2"]').waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".details").waitFor({ state: "detached" });
    await until(() => page.evaluate(() => document.activeElement?.getAttribute("role")), "row", "the focus");
    for (const key of ["w", "w", "d", "s", "0", "f", "[", "]", "{", "}", "x", "c", "End", "Home", "ArrowRight", "ArrowLeft", "o", "Backspace", "p", "n"]) await page.keyboard.press(key);
    await page.keyboard.press("g");
    await page.keyboard.press("e");
    await page.locator(".result:not(.head)").first().waitFor();
  });
});

test("the map has the recorded calls, and its panel leads on", async () => {
  const byId = new Map(spans.map((s) => [`${s.traceId}${s.spanId}`, s]));
  const calls = new Map();
  for (const s of spans) {
    const parent = byId.get(`${s.traceId}${s.parentSpanId}`);
    if (s.kind !== 2 || parent?.kind !== 3) continue;
    const key = `${parent.service} ${s.service}`;
    calls.set(key, (calls.get(key) ?? 0) + 1);
  }
  await withPage(site.browser, at("/map/", { view: "table" }), async (page) => {
    await page.locator(".edges tbody tr").first().waitFor();
    // The cell of calls shows a rate; its title has the count.
    const rows = await page.locator(".edges tbody tr").evaluateAll((list) => list.map((tr) => [...tr.cells].map((td) => td.querySelector("[title]")?.title || td.innerText.trim())));
    for (const [key, n] of calls) {
      const [client, server] = key.split(" ");
      const row = rows.find((r) => r[0] === client && r[1] === server);
      assert.equal(row?.[2], count(n), `${key}: ${row}`);
    }
    await assertAccessible(page, "Map, table");
  });
  await withPage(site.browser, at("/map/"), async (page) => {
    await page.locator('.graph [data-node="checkout"]').click();
    await page.locator(".details h2", { hasText: "checkout" }).waitFor();
    await page.locator(".neighbours .link", { hasText: "payment" }).click();
    await page.locator(".latency").waitFor();
    assert.match(await page.locator(".details .facts").innerText(), new RegExp(`Calls\\s+${calls.get("checkout payment")}`));
    await assertAccessible(page, "Map");
    // What the export menu copies as curl: the server's own files.
    for (const format of process.env.UI_SYSTEM === "mock" ? [] : ["json", "dot", "graphml", "csv", "mermaid"]) {
      const answer = await fetch(`${site.url}/v1/graph?format=${format}`);
      assert.equal(answer.status, 200);
      assert.ok((await answer.text()).includes("checkout"), format);
    }
    await page.keyboard.press("Escape");
    await page.locator('.graph .node[tabindex="0"]').focus();
    const walked = new Set();
    for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"]) {
      await page.keyboard.press(key);
      walked.add(await page.evaluate(() => document.activeElement?.getAttribute("data-node")));
    }
    assert.ok(walked.size > 1 && !walked.has(null));
  });
});

test("the Services page has the recorded services, steps, operations, callers and callees", async () => {
  const own = spans.filter((s) => s.service === "checkout");
  const minute = (s) => s.start / 60000000000n;
  await withPage(site.browser, at("/service/"), async (page) => {
    await page.locator(".edges tbody tr").first().waitFor();
    const rows = await page.locator(".edges tbody tr").evaluateAll((list) => list.map((tr) => [tr.cells[0].innerText.trim(), tr.cells[1].innerText.trim()]));
    assert.deepEqual(rows, [...groupBy(spans, (s) => s.service)].sort().map(([name, list]) => [name, count(list.length)]));
    await assertAccessible(page, "Services");
    await page.getByRole("link", { name: "checkout" }).click();
    await page.locator(".chart").first().waitFor();
    const server = own.filter((s) => s.kind === 2);
    assert.match(await page.locator(".summary").innerText(), new RegExp(`^${count(server.length)} server calls, ${count(errors(server))} with errors`));
    const operations = [...groupBy(own, (s) => `${s.name}\t${s.kind}`).values()];
    await page.locator(".operations tbody tr").first().waitFor();
    const shown = await page.locator(".operations tbody tr").evaluateAll((list) => list.map((tr) => [tr.cells[0].innerText.trim(), tr.cells[2].innerText.trim()]));
    assert.deepEqual(shown.map((r) => r.join(" ")).sort(), operations.map((list) => `${list[0].name} ${count(list.length)}`).sort());
    await page.getByRole("button", { name: "p95", exact: true }).click();
    await page.waitForURL(/sort=-p95/);
    await assertAccessible(page, "Service");
    await page.keyboard.press("v");
    await page.waitForURL(/view=table/);
    await page.locator(".steps tbody tr").first().waitFor();
    const steps = await page.getByRole("region", { name: "Steps" }).locator("tbody tr").evaluateAll((list) => list.map((tr) => tr.cells[1].innerText.trim()));
    assert.deepEqual(steps.filter((n) => n !== "0"), [...groupBy(server, minute)].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([, list]) => count(list.length)));
    await page.locator(".operations a", { hasText: "grpc.shop.v1.Payment/Charge" }).click();
    await page.waitForURL(/op=grpc/);
    const charge = own.filter((s) => s.name === "grpc.shop.v1.Payment/Charge");
    await page.locator(".summary", { hasText: `${count(charge.length)} client calls` }).waitFor();
    await page.getByRole("tab", { name: "Callers and callees" }).click();
    await page.locator(".neighbour-tables a", { hasText: "payment" }).click();
    await page.locator(".service-head h1", { hasText: "payment" }).waitFor();
    const sent = spans.filter((s) => s.service === "payment" && s.kind === 2);
    await page.locator(".summary", { hasText: `${count(sent.length)} server calls` }).waitFor(); // which kind is shown is known then
    await page.getByRole("link", { name: "Traces", exact: true }).click();
    await page.locator(".summary", { hasText: new RegExp(`^\\s*${count(groupBy(sent, (s) => s.traceId).size)} traces`) }).waitFor();
  });
});

test("every page is accessible in the dark and fits a narrow screen", async () => {
  const pages = [
    ["/", { q: "{ status = error }" }, ".result:not(.head)"],
    ["/trace/", { id: chosen[0].traceId, cp: "1", find: "checkout" }, ".wf-row"],
    ["/map/", {}, ".graph .node"],
    ["/service/", {}, ".edges tbody tr"],
    ["/service/", { s: "checkout" }, ".chart"],
    ["/service/", { s: "checkout", view: "table" }, ".steps tbody tr"],
  ];
  for (const [path, params, ready] of pages) {
    await withPage(
      site.browser,
      at(path, params),
      async (page) => {
        await page.locator(ready).first().waitFor();
        assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(20, 22, 26)");
        await assertAccessible(page, `${path} dark`);
        await page.setViewportSize({ width: 390, height: 844 });
        await page.waitForTimeout(100);
        await assertNoSidewaysScroll(page, path);
        await assertAccessible(page, `${path} dark and narrow`);
      },
      { dark: true },
    );
  }
});

test("the server sends the pages with the policy and the caching that they need", { skip: process.env.UI_SYSTEM === "mock" }, async () => {
  for (const path of ["/", "/trace/", "/map/", "/service/"]) {
    const answer = await fetch(site.url + path, { headers: { "accept-encoding": "identity" } });
    assert.equal(answer.status, 200);
    const policy = answer.headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'self'/);
    assert.doesNotMatch(policy, /unsafe/);
    const html = await answer.text();
    assert.doesNotMatch(html, /<script>|style=| on\w+=/);
    const script = /src="([^"]+)"/.exec(html)[1];
    const file = await fetch(new URL(script, site.url + path));
    assert.equal(file.status, 200);
    assert.match(file.headers.get("cache-control") ?? "", /immutable/);
    const again = await fetch(site.url + path, { headers: { "if-none-match": answer.headers.get("etag") ?? "" } });
    assert.equal(again.status, 304);
  }
  const jaeger = await fetch(`${site.url}/trace/${chosen[0].traceId}`, { redirect: "manual" });
  assert.equal(jaeger.status, 302);
});

test("a trace that is not there: what was looked for, what is kept, and what the time of the link says of it", { skip: process.env.UI_SYSTEM === "mock" }, async () => {
  const { traceId } = chosen[0];
  const near = traceId.slice(0, -1) + (traceId.endsWith("0") ? "1" : "0");
  const starts = spans.map((s) => s.start);
  const oldest = starts.reduce((a, b) => (a < b ? a : b));
  const newest = starts.reduce((a, b) => (a > b ? a : b));
  const opened = (at, use) =>
    withPage(site.browser, `${site.url}/trace/?${new URLSearchParams({ id: near, ...(at ? { at: String(at) } : {}) })}`, async (page) => {
      await page.getByRole("heading", { name: "No such trace" }).waitFor();
      await page.locator(".empty p", { hasText: "without a limit of age or size" }).waitFor();
      await use(page, (await page.locator(".empty").innerText()).replace(/\s+/g, " "));
    }, { expectErrors: true });
  await opened(null, async (page, text) => {
    assert.ok(text.includes(`No span of trace ${near} is stored.`), text);
    assert.ok(text.includes(`${count(spans.length)} spans of ${count(traces.length)} traces are stored`), text);
    assert.ok(!text.includes("The link says"));
    assert.deepEqual([text.split("No such trace").length, text.split("No span of trace").length], [2, 2], "each is said once");
    await page.setViewportSize({ width: 320, height: 844 });
    assert.deepEqual(await page.locator(".empty, .empty .button").evaluateAll((list) => list.filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.className)), [], "nothing is cut off");
    await page.getByRole("button", { name: `Look for ids that begin with ${near.slice(0, 8)}` }).click();
    await page.locator(".ways a", { hasText: traceId }).waitFor();
    await assertAccessible(page, "no such trace");
  });
  await opened(oldest - 86400000000000n, async (_, text) => assert.ok(text.includes("before the oldest span that is stored"), text));
  await opened(newest + 60000000000n, async (page, text) => {
    assert.ok(text.includes("after the newest span that is stored"), text);
    // Around the time of the link ids that are near are looked for at once.
    await page.locator(".ways a", { hasText: traceId }).click();
    await page.locator(".wf-row").first().waitFor();
  });
  await opened(chosen[0].start, async (page, text) => {
    assert.ok(text.includes("Spans of that time are stored"), text);
    await page.getByRole("link", { name: "Try without the time hint" }).click();
    await page.waitForURL((url) => !url.searchParams.has("at"));
    await page.getByRole("heading", { name: "No such trace" }).waitFor();
  });
  // A copied link carries the time of the trace, and opens it.
  await withPage(site.browser, `${site.url}/trace/?id=${traceId}`, async (page) => {
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.locator(".wf-row").first().waitFor();
    await page.keyboard.press("y");
    await page.locator(".toast.shown").waitFor();
    const link = new URL(await page.evaluate(() => navigator.clipboard.readText()));
    const first = chosen.map((s) => s.start).reduce((a, b) => (a < b ? a : b));
    assert.equal(link.searchParams.get("at"), String(first));
    await page.goto(link.href);
    await page.locator(".wf-row").first().waitFor();
  });
});

test("the live shop: what the services send is what the pages show", { skip: process.env.UI_SYSTEM === "mock" }, async (t) => {
  let modules;
  try {
    modules = await ensureModules();
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    return t.skip(error.message);
  }
  const spoor = await startSpoor();
  try {
    const shop = await startShop({ spoor, modules });
    let routes;
    let sent;
    try {
      routes = await shop.drive(42);
    } finally {
      sent = await shop.stop();
    }
    await withPage(site.browser, `http://${spoor.http}/`, async (page) => {
      await page.locator(".result:not(.head)").first().waitFor();
      const ids = new Set(sent.map((s) => s.traceId));
      await page.locator(".summary", { hasText: new RegExp(`^${ids.size} traces`) }).waitFor();
      await page.locator(".facets-head", { hasText: `${count(sent.length)} spans` }).waitFor();
      const [route, calls] = Object.entries(routes).find(([name]) => name.startsWith("POST /checkout"));
      await page.locator(".query-box input").fill(`{ resource.service.name = "frontend" && kind = server && name = "${route}" }`);
      await page.keyboard.press("Enter");
      await page.waitForURL(/checkout/);
      await page.locator(".summary", { hasText: calls === 1 ? "1 trace" : `${calls} traces` }).waitFor();
      await page.locator(".result .root a").first().click();
      await page.locator(".wf-row").first().waitFor();
      const id = new URL(page.url()).searchParams.get("id");
      const own = sent.filter((s) => s.traceId === id);
      assert.match(await page.locator(".trace-head .facts").innerText(), new RegExp(`Spans\\s+${own.length}\\b`));
      await page.getByRole("link", { name: "Map" }).click();
      await page.locator(".graph .node").first().waitFor();
      const shown = await page.locator(".graph .node").evaluateAll((list) => list.map((e) => e.getAttribute("data-node")));
      for (const service of shop.services) assert.ok(shown.includes(service), service);
    });
  } finally {
    await spoor.stop();
  }
});
