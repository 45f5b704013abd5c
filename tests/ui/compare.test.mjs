// SPDX-License-Identifier: Apache-2.0
// The Compare page against the real server with the recorded shop: what it says of two traces, and of two sets, is what counting
// over the recording says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { assertAccessible, assertNoSidewaysScroll, comes, goes, texts, until, withPage } from "./browser.mjs";
import { useSite } from "./site.mjs";
import { groupBy, recordedRequests, spansOf } from "./spans.mjs";

const archive = join(dirname(fileURLToPath(import.meta.url)), "../data/otel-js-shop/json.tar.gz");
const requests = recordedRequests(archive).map((r) => JSON.parse(r.body));
const spans = requests.flatMap(spansOf);
const traces = [...groupBy(spans, (s) => s.traceId).values()];
const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];

const site = useSite({ requests: () => requests });

const at = (params = {}) => `${site.url}/compare/?${new URLSearchParams(params)}`;
const whole = (t) => t.filter((s) => !s.parentSpanId).length === 1 && t.every((s) => !s.parentSpanId || t.some((p) => p.spanId === s.parentSpanId));
const rootOf = (t) => t.find((s) => !s.parentSpanId);

/** Calls by path, as "service name kind/...": counted here without any tree. */
function paths(trace) {
  const byId = new Map(trace.map((s) => [s.spanId, s]));
  const counts = new Map();
  for (const s of trace) {
    const steps = [];
    for (let up = s; up; up = byId.get(up.parentSpanId)) steps.unshift(`${up.service}\t${up.name}\t${KINDS[up.kind]}`);
    const key = steps.join("\n");
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

const checkouts = traces.filter((t) => whole(t) && /^POST \/checkout/.test(rootOf(t).name)).sort((a, b) => b.length - a.length);
const [left, right] = [checkouts[0], checkouts.at(-1)];
const other = traces.find((t) => whole(t) && !/checkout/.test(rootOf(t).name));
const pair = { a: left[0].traceId, b: right[0].traceId };

test("two traces: every call of either, what only one has, and the numbers of a chosen call", async () => {
  const [inA, inB] = [paths(left), paths(right)];
  const all = new Set([...inA.keys(), ...inB.keys()]);
  await withPage(site.browser, at(pair), async (page) => {
    await page.locator(".cmp-row:not(.head)").first().waitFor();
    assert.equal(await page.locator(".cmp-tree").getAttribute("aria-rowcount"), String(all.size + 1));
    const heads = await texts(page, ".slot-facts");
    assert.match(heads[0], new RegExp(`${left.length} spans`));
    assert.match(heads[1], new RegExp(`${right.length} spans`));
    await page.getByRole("link", { name: "Compare" }).waitFor();
    await assertAccessible(page, "Compare, calls");
    // The export has every row, whatever is in view.
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export" }).click();
    await page.getByRole("button", { name: "CSV" }).click();
    const lines = readFileSync(await (await download).path(), "utf8").trimEnd().split("\r\n").slice(1).map((l) => l.split(","));
    assert.equal(lines.length, all.size);
    assert.equal(lines.reduce((n, l) => n + Number(l[5]), 0), left.length);
    assert.equal(lines.reduce((n, l) => n + Number(l[6]), 0), right.length);
    const only = (name, mine, yours) => assert.equal(lines.filter((l) => l[4] === name).length, [...mine.keys()].filter((k) => !yours.has(k)).length);
    only("gone", inA, inB);
    only("new", inB, inA);
    // Rows are walked, folded, and told about.
    await page.keyboard.press("ArrowDown");
    const root = rootOf(left);
    await page.locator(".cmp-foot .cmp-path", { hasText: `${root.service} ${root.name}` }).waitFor();
    // In words, since not everybody sees the columns.
    const said = await page.locator(".cmp-row.chosen").getAttribute("aria-label");
    assert.ok(said.startsWith(`${root.service} ${root.name}, A `), said);
    assert.match(said, /, A [\d.]+ m?s.*, B [\d.]+ m?s.*, difference [+−][\d.]+ /);
    // The tab that opens takes the focus of the row that is gone.
    await page.getByRole("treegrid").focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/tab=spans/);
    await page.waitForFunction(() => document.activeElement?.id === "main");
    await page.keyboard.press("1");
    await page.locator(".cmp-row:not(.head)").first().waitFor();
    for (const key of ["ArrowDown", "ArrowLeft"]) await page.keyboard.press(key);
    assert.equal(await page.locator(".cmp-tree").getAttribute("aria-rowcount"), "2");
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.locator(".cmp-tree").getAttribute("aria-rowcount"), String(all.size + 1));
    // Swapped, what was only in A is only in B.
    const onlyA = await page.locator(".only-a").count();
    await page.keyboard.press("s");
    await page.waitForURL((u) => u.searchParams.get("a") === pair.b);
    await page.locator(".slot-facts", { hasText: `${right.length} spans` }).first().waitFor();
    assert.ok(onlyA === 0 || (await page.locator(".only-b").count()) > 0);
    await page.locator("select").nth(2).selectOption("name");
    await page.waitForURL(/align=name/);
    const names = new Set([...left, ...right].map((s) => `${s.service}\t${s.name}\t${s.kind}`));
    assert.equal(await page.locator(".cmp-tree").getAttribute("aria-rowcount"), String(names.size + 1));
    await assertAccessible(page, "Compare, by name");
  });
});

test("other roots are warned of; a trace that is not stored is said to be", async () => {
  await withPage(site.browser, at({ a: pair.a, b: other[0].traceId }), async (page) => {
    await page.locator(".banner", { hasText: "The roots differ" }).waitFor();
  });
  await withPage(
    site.browser,
    at({ a: pair.a, b: "ab".repeat(16) }),
    async (page) => {
      await page.getByRole("heading", { name: "Trace B is not stored" }).waitFor();
      await assertAccessible(page, "Compare, not stored");
    },
    { expectErrors: true },
  );
});

test("a query that cannot be read is said to be that of A or of B, with a caret below where it ends to be one", async () => {
  for (const [side, params, query] of [["A", { a: 'q:{ name = "ä" && }', b: "q:{ }" }, '{ name = "ä" && }'], ["B", { a: "q:{ }", b: "q:{ status = }" }, "{ status = }"]]) {
    await withPage(
      site.browser,
      at(params),
      async (page) => {
        await page.getByRole("heading", { name: `The query of ${side} cannot be read` }).waitFor();
        assert.equal(await page.locator(".problem .fault-line").textContent(), `${query}\n${" ".repeat(query.indexOf("}"))}^`);
        await page.locator(".problem", { hasText: `(at character ${query.indexOf("}") + 1})` }).waitFor();
      },
      { expectErrors: true },
    );
  }
});

test("a server that goes away takes nothing from the comparison; it is asked again, and nothing else stands for what it was not asked", async () => {
  await withPage(
    site.browser,
    at(pair),
    async (page) => {
      await page.locator(".cmp-row:not(.head)").first().waitFor();
      const calls = () => page.locator(".cmp-tree").getAttribute("aria-rowcount");
      const before = await calls();
      goes(page);
      await page.keyboard.press("r");
      const away = page.locator(".banner", { hasText: /^▲ ?Spoor does not answer \(.*\)\. What is below was read at \d\d:/ });
      await away.waitFor();
      assert.equal(await calls(), before);
      assert.equal(await page.locator(".problem").count(), 0, "said once");
      await assertAccessible(page, "a comparison without its server");
      await page.keyboard.press("s");
      await page.getByRole("heading", { name: "Spoor does not answer" }).waitFor();
      assert.equal(await page.locator(".cmp-row").count(), 0);
      comes(page);
      await page.locator(".cmp-row:not(.head)").first().waitFor();
      assert.equal(await page.locator(".problem").count(), 0);
    },
    { expectErrors: true, breaks: "**/v1/**" },
  );
});

test("the drawing has a card for each call and is walked with the arrows", async () => {
  const all = new Set([...paths(left).keys(), ...paths(right).keys()]);
  await withPage(site.browser, at({ ...pair, tab: "graph" }), async (page) => {
    await page.locator(".cmp-card").first().waitFor();
    assert.equal(await page.locator(".cmp-card").count(), all.size);
    await assertAccessible(page, "Compare, structure");
    await page.locator('.cmp-card[tabindex="0"]').focus();
    const walked = new Set();
    for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"]) {
      await page.keyboard.press(key);
      walked.add(await page.evaluate(() => document.activeElement?.getAttribute("data-node")));
    }
    assert.ok(walked.size > 1 && !walked.has(null));
    await page.keyboard.press("Enter");
    await page.waitForURL(/tab=spans/);
    await page.locator(".cmp-picker").first().waitFor();
  });
});

test("the drawing opens with the root and what is next to it, at a size that can be read", async () => {
  for (const width of [390, 1440]) {
    await withPage(
      site.browser,
      at({ ...pair, tab: "graph" }),
      async (page) => {
        await page.locator(".cmp-card").first().waitFor();
        const box = await page.locator(".cmp-drawing").boundingBox();
        const cards = await page.locator(".cmp-card-box").evaluateAll((list) => list.map((e) => e.getBoundingClientRect().toJSON()));
        const whole = cards.filter((c) => c.x >= box.x && c.y >= box.y && c.right <= box.x + box.width && c.bottom <= box.y + box.height);
        assert.ok(whole.length >= 5, `${whole.length} cards in sight at ${width}`);
        assert.ok(whole.some((c) => c.x - box.x < 40 && c.y - box.y < 40), "the root stands at the top left");
        assert.ok(cards[0].height >= 33, "cards can be read");
      },
      { width, height: 844 },
    );
  }
});

test("two waterfalls share a scale, zoom together, and find the same call in the other", async () => {
  await withPage(site.browser, at({ ...pair, tab: "falls" }), async (page) => {
    await page.locator(".cmp-fall:nth-child(2) .wf-row").first().waitFor();
    const widths = await page.locator(".cmp-fall .wf-host").evaluateAll((hosts) => hosts.map((h) => h.clientWidth));
    assert.equal(widths[0], widths[1], "both change to rows of two lines at the same width");
    const scales = () => page.locator(".wf-axis").evaluateAll((list) => list.map((e) => [...e.children].map((c) => c.textContent).join(" ")));
    const before = await scales();
    assert.equal(before[0], before[1]);
    await page.locator(".cmp-fall:first-child .wf-row").first().click();
    await page.locator(".cmp-fall:nth-child(2) .wf-row.current").waitFor();
    const labels = await page.locator(".wf-row.current").evaluateAll((list) => list.map((e) => e.getAttribute("aria-label").split(",")[0]));
    assert.equal(labels[0], labels[1]);
    await page.keyboard.press("w");
    await page.keyboard.press("w");
    await page.waitForFunction((old) => document.querySelector(".wf-axis").textContent.replaceAll(/\s/g, "") !== old, before[0].replaceAll(/\s/g, ""));
    const zoomed = await scales();
    assert.equal(zoomed[0], zoomed[1]);
    await assertAccessible(page, "Compare, waterfalls");
    await page.getByRole("button", { name: "Compare these spans" }).click();
    await page.locator(".cmp-keys tbody tr").first().waitFor();
    const url = new URL(page.url());
    assert.deepEqual([url.searchParams.get("sa"), url.searchParams.get("sb")], [rootOf(left).spanId, rootOf(right).spanId]);
  });
});

test("attributes of the roots and resources, and two spans key by key, differ where the recording does", async () => {
  const text = (v) => v?.stringValue ?? v?.intValue ?? v?.doubleValue ?? v?.boolValue;
  const attributes = (s) => new Map((s.span.attributes ?? []).map((kv) => [kv.key, JSON.stringify(kv.value)]));
  const [a, b] = [attributes(rootOf(left)), attributes(rootOf(right))];
  const differing = [...new Set([...a.keys(), ...b.keys()])].filter((k) => a.get(k) !== b.get(k)).sort();
  await withPage(site.browser, at({ ...pair, by: "attrs" }), async (page) => {
    await page.locator(".cmp-keys tbody tr").first().waitFor();
    const group = page.locator(".cmp-keys tbody", { has: page.locator("th", { hasText: "Root span" }) });
    const keys = differing.length > 0 ? await group.locator("td:first-child").allInnerTexts() : [];
    assert.deepEqual(keys, differing);
    await assertAccessible(page, "Compare, attributes");
    await page.getByRole("checkbox", { name: "also what is the same" }).check();
    await page.locator(".cmp-keys tr.same").first().waitFor();
  });
  await withPage(site.browser, at({ ...pair, tab: "spans", sa: rootOf(left).spanId, sb: rootOf(right).spanId }), async (page) => {
    await page.locator(".cmp-keys tbody tr").first().waitFor();
    const shown = await page.locator(".cmp-keys").innerText();
    for (const key of differing) {
      const value = (rootOf(left).span.attributes ?? []).find((kv) => kv.key === key)?.value;
      assert.ok(shown.includes(key), key);
      if (value) assert.ok(shown.includes(String(text(value))), key);
    }
    await assertAccessible(page, "Compare, spans");
  });
});

test("two sets: traces counted, values ranked, a mean tree, and two traces to look at", async () => {
  const failed = traces.filter((t) => t.some((s) => s.status === 2));
  const passed = traces.filter((t) => t.some((s) => s.service === "cart" && s.kind === 2));
  const sets = { a: 'q:{ resource.service.name = "cart" && kind = server }@..', b: "q:{ status = error }@2020-01-01T00:00:00Z.." };
  await withPage(site.browser, at(sets), async (page) => {
    await page.locator(".cmp-row:not(.head)").first().waitFor();
    const facts = await texts(page, ".slot-facts");
    const count = (n) => n.toLocaleString("en-US");
    assert.ok(facts[0].startsWith(`${count(passed.length)} traces all that match`), facts[0]);
    assert.ok(facts[1].startsWith(`${count(failed.length)} traces all that match`), facts[1]);
    const shared = failed.filter((t) => passed.includes(t)).length;
    if (shared > 0) await page.locator(".banner", { hasText: `${count(shared)} trace` }).waitFor();
    // Times as they stand everywhere on the page: these are of another year.
    assert.match((await texts(page, ".slot-b .slot-name"))[0], /2020-01-01 00:00:00 – now$/);
    await assertAccessible(page, "Compare, sets");
    await page.keyboard.press("4");
    await page.locator(".cmp-values tbody tr").first().waitFor();
    // The values that the sets are made of are found, and where one has none of it, 0 is said.
    const rows = await page.locator(".cmp-values").first().locator("tbody tr").evaluateAll((list) => list.map((tr) => [...tr.cells].map((c) => c.innerText.trim())));
    const error = rows.find((r) => r[0] === "status" && r[1] === "error");
    assert.equal(error?.[3], "100 %");
    assert.equal(error?.[5], "✓ found");
    // It leads to the time of the set that has more of it.
    const way = await page.locator(".cmp-values").first().getByRole("link", { name: "error", exact: true }).getAttribute("href");
    assert.equal(new URL(way, page.url()).searchParams.get("from"), "2020-01-01T00:00:00Z");
    // Two examples of a value are two targets, and a call is told from another of the same name by the one above it.
    const [a, b] = await page.locator(".cmp-values td:last-child", { has: page.locator("a + a") }).first().locator("a").evaluateAll((list) => list.map((e) => e.getBoundingClientRect()).map((r) => r.x + r.width / 2));
    assert.ok(b - a >= 16, `${a} ${b}`);
    const under = (await page.locator(".cmp-values").nth(1).locator("tbody td:first-child").allInnerTexts()).filter((t) => t.includes(" · under "));
    assert.ok(under.length > 0 && under.every((t) => traces.flat().some((s) => t.endsWith(`under ${s.service} ${s.name}`))), under.join("; "));
    await assertAccessible(page, "Compare, findings");
    await page.keyboard.press("3");
    await page.locator(".cmp-fall:nth-child(2) .wf-row").first().waitFor();
    await page.getByRole("link", { name: "Compare these two" }).click();
    await page.waitForURL((u) => /^[0-9a-f]{32}$/.test(u.searchParams.get("a")));
  });
});

test("the basket is help when there is nothing to compare, and fills both sides", async () => {
  await withPage(site.browser, at(), async (page) => {
    await page.getByRole("heading", { name: "Choose two things to compare" }).waitFor();
    await assertAccessible(page, "Compare, empty");
    const items = [{ ref: pair.a, label: "the long one" }, { ref: "q:{ status = error }@..", label: "what failed" }];
    await page.evaluate((list) => sessionStorage.setItem("spoor.basket", JSON.stringify(list)), items);
    await page.reload();
    await page.locator("nav .nav-count", { hasText: "2" }).waitFor();
    await page.getByRole("link", { name: "what failed as B" }).click();
    await page.getByRole("link", { name: "the long one as A" }).click();
    await page.locator(".cmp-row:not(.head)").first().waitFor();
    await page.locator(".slot-b .popover-root > button").click();
    await page.locator(".slot-panel input").fill(`00-${pair.b}-00f067aa0ba902b7-01`);
    await page.keyboard.press("Enter");
    await page.waitForURL((u) => u.searchParams.get("b") === pair.b);
    await page.locator(".slot-facts", { hasText: `${right.length} spans` }).waitFor();
    // From elsewhere, two things in the basket are what there is to compare.
    await page.getByRole("link", { name: "Map" }).click();
    await page.locator(".graph .node").first().waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("c");
    await page.waitForURL((u) => u.searchParams.get("a") === pair.a && u.searchParams.get("b") === items[1].ref);
  });
});

test("on a narrow screen the first row stands in the upper half, values stand below each other, and one line says what is compared", async () => {
  const narrow = { width: 390, height: 844 };
  const first = { "": ".cmp-row:not(.head)", falls: ".wf-row", attrs: ".cmp-keys td", spans: ".cmp-keys td" };
  for (const [tab, row] of Object.entries(first)) {
    await withPage(
      site.browser,
      at({ ...pair, ...(tab ? { tab } : {}) }),
      async (page) => {
        const top = (await page.locator(row).first().boundingBox()).y;
        assert.ok(top < 400, `${tab}: the first row is ${top} pixels below the top`);
        const tabs = await page.locator(".compare-bar [role=tab]").evaluateAll((list) => new Set(list.map((e) => e.getBoundingClientRect().top)).size);
        assert.equal(tabs, 1, "tabs stand in one line");
        const inside = await page.locator(".cmp-keys td:not(.cmp-sign)").evaluateAll((list) => list.filter((e) => e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > innerWidth).map((e) => e.textContent));
        assert.deepEqual(inside, []);
        for (const tr of await page.locator(".cmp-keys tbody tr:not(.cmp-group)").all()) {
          const [key, , a, b] = await tr.locator("td").evaluateAll((list) => list.map((e) => e.getBoundingClientRect().top));
          assert.ok(key < a && a < b);
        }
      },
      narrow,
    );
  }
  await withPage(
    site.browser,
    at(pair),
    async (page) => {
      await page.locator(".cmp-row:not(.head)").first().waitFor();
      assert.ok((await page.locator(".slots").boundingBox()).height < 64);
      await page.getByRole("button", { name: "All about A and B" }).click();
      await page.getByRole("button", { name: "Swap A and B" }).click();
      await page.waitForURL((u) => u.searchParams.get("a") === pair.b);
      await page.getByRole("button", { name: "All about A and B" }).click();
      await page.getByRole("button", { name: "How it is shown, and export" }).click();
      await assertAccessible(page, "Compare, how it is shown");
      await page.getByLabel("align").selectOption("name");
      await page.waitForURL(/align=name/);
    },
    narrow,
  );
});

test("on half a screen the button of a side stands beside what is said of it", async () => {
  await withPage(
    site.browser,
    at(pair),
    async (page) => {
      await page.locator(".cmp-row:not(.head)").first().waitFor();
      for (const width of [740, 820, 1024]) {
        await page.setViewportSize({ width, height: 800 });
        await page.waitForTimeout(100);
        const apart = () => page.locator(".slot").evaluateAll((slots) => slots.map((slot) => {
          const ends = [...slot.querySelectorAll(".slot-facts > *")].map((e) => e.getBoundingClientRect().right);
          return Math.max(...ends) <= slot.querySelector(".popover-root").getBoundingClientRect().left;
        }));
        await until(apart, [true, true], `at ${width}`);
      }
    },
    { width: 820, height: 800 },
  );
});

test("every view is accessible in the dark, fits a narrow screen, and survives forced colours", async () => {
  const views = { "": ".cmp-row:not(.head)", graph: ".cmp-card", falls: ".wf-row", attrs: ".cmp-keys", spans: ".cmp-picker" };
  for (const [tab, ready] of Object.entries(views)) {
    await withPage(
      site.browser,
      at({ ...pair, ...(tab ? { tab } : {}) }),
      async (page) => {
        await page.locator(ready).first().waitFor();
        await assertAccessible(page, `Compare ${tab}, dark`);
        await page.setViewportSize({ width: 390, height: 844 });
        await page.waitForTimeout(100);
        await assertNoSidewaysScroll(page, `Compare ${tab}`);
        await assertAccessible(page, `Compare ${tab}, dark and narrow`);
        await page.setViewportSize({ width: 320, height: 800 });
        await page.waitForTimeout(100);
        await assertNoSidewaysScroll(page, `Compare ${tab} at 320`);
      },
      { dark: true },
    );
  }
  await withPage(
    site.browser,
    at(pair),
    async (page) => {
      await page.locator(".delta-bar > span").first().waitFor();
      const colours = await page.locator(".delta-bar > span").first().evaluate((e) => [getComputedStyle(e).backgroundColor, getComputedStyle(document.body).backgroundColor]);
      assert.notEqual(colours[0], colours[1]);
      await assertAccessible(page, "Compare, forced colours");
    },
    { forcedColors: "active" },
  );
});
