// SPDX-License-Identifier: Apache-2.0
// Every key of the Trace and the Map page does what the table of keys says, one after the other, on a trace and a graph that are known.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until, withPage } from "./browser.mjs";
import { Mock } from "./mock.mjs";
import { hex, requestOf, useBrowser } from "./site.mjs";

const site = useBrowser();
const T0 = 1795350535000000000n;
const TRACE = hex(0x99, 32);

/** Name, parent, start and end in milliseconds, failed. In the order of the rows. */
const SPANS = [
  ["root", "", 0, 100],
  ["alpha", "root", 0, 30],
  ["alpha one", "alpha", 5, 25, true],
  ["beta", "root", 30, 90],
  ["beta one", "beta", 35, 85],
  ["beta two", "beta one", 40, 80, true],
  ["gamma", "root", 90, 95],
];
const idOf = (name) => hex(1 + SPANS.findIndex(([n]) => n === name), 16);
const ns = (ms) => String(T0 + BigInt(ms) * 1000000n);
const spans = SPANS.map(([name, parent, from, to, failed]) => ({
  traceId: TRACE, spanId: idOf(name), parentSpanId: parent && idOf(parent), name, kind: 1, startTimeUnixNano: ns(from), endTimeUnixNano: ns(to), status: failed ? { code: 2 } : {},
  events: name.startsWith("beta") && name !== "beta one" ? [{ name: "tick", timeUnixNano: ns(from + 1) }, { name: "tock", timeUnixNano: ns(to - 1) }] : [],
}));

async function withMock(requests, path, look) {
  const mock = new Mock();
  for (const r of requests) mock.add(r);
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await withPage(site.browser, url + path, look);
  } finally {
    await stop();
  }
}

const withTrace = (look, more = {}) => withMock([requestOf({ "service.name": "shop" }, spans)], `/trace/?${new URLSearchParams({ id: TRACE, ...more })}`, async (page) => {
  await page.locator(".wf-row").first().waitFor({ state: "attached" });
  await look(page);
});
const current = (page) => page.evaluate(() => document.querySelector(".wf-row.current .wf-operation")?.textContent ?? "");
const rows = (page) => page.locator(".wf-scroll").getAttribute("aria-rowcount").then(Number);
const param = (page, name) => new URL(page.url()).searchParams.get(name);

/** Presses keys in turn; after each the row under the cursor, or the number of rows, is that. */
async function walk(page, look, steps) {
  for (const [key, expected] of steps) {
    await page.keyboard.press(key);
    await until(() => look(page), expected, key);
  }
}

test("rows are walked, opened and closed by keys", async () => {
  await withTrace(async (page) => {
    await walk(page, current, [
      ["j", "root"], ["j", "alpha"], ["k", "root"], ["ArrowDown", "alpha"], ["ArrowUp", "root"],
      ["ArrowRight", "alpha"], ["ArrowRight", "alpha one"], ["ArrowLeft", "alpha"],
      ["End", "gamma"], ["Home", "root"], ["PageDown", "gamma"], ["PageUp", "root"],
    ]);
    await walk(page, rows, [["ArrowLeft", 1], ["ArrowRight", 7], ["[", 1], ["]", 7], ["{", 6], ["{", 4], ["{", 1], ["}", 4], ["}", 6], ["}", 7]]);
    await page.keyboard.press("Enter");
    await page.locator(".details h2", { hasText: "root" }).waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".details").waitFor({ state: "detached" });
  });
});

test("errors, matches and the critical path are walked in both directions", async () => {
  await withTrace(
    async (page) => {
      await page.locator(".find-count", { hasText: "3 of 7" }).waitFor();
      await walk(page, current, [
        ["Home", "root"], ["e", "alpha one"], ["e", "beta two"], ["e", "alpha one"], ["E", "beta two"], ["E", "alpha one"],
        ["n", "beta"], ["n", "beta one"], ["n", "beta two"], ["N", "beta one"], ["N", "beta"],
        ["Home", "root"], ["p", "alpha"], ["p", "alpha one"], ["P", "alpha"], ["P", "root"],
      ]);
    },
    { find: "beta" },
  );
});

test("the critical path is walked part by part, in the order of time, and each part is told and in sight", async () => {
  await withTrace(
    async (page) => {
      const path = ["alpha", "alpha one", "alpha", "beta", "beta one", "beta two", "beta one", "beta", "gamma", "root"];
      await page.keyboard.press("Home");
      await walk(page, current, path.map((name) => ["p", name]));
      await page.locator(".toast", { hasText: "Critical path: 10 of 10, 5.00 ms" }).waitFor();
      await until(() => param(page, "z"), "90000000-100000000", "the window moved along");
      await walk(page, current, [...path.slice(0, -1).reverse().map((name) => ["P", name]), ["P", "root"]]);
    },
    { z: "0-10000000" },
  );
});

test("matches, errors and the critical path are walked in the other views, too, and help says where", async () => {
  const chosen = { flame: ".flame-scroll", heavy: ".flame-scroll", sandwich: ".sandwich tr.chosen td:first-child", graph: ".graph .node.chosen", stats: ".stats tr.chosen td:first-child", spans: ".span-line.chosen", events: ".event-line.chosen" };
  const said = {
    // By name as the waterfall has them: e e n n n p p, from the root.
    flame: ["alpha one", "beta two", "beta", "beta one", "beta two", "beta one", "beta"],
    heavy: ["alpha one", "beta two", "beta", "beta one", "beta two", "beta one", "beta"],
    sandwich: ["alpha one", "beta two", "beta", "beta one", "beta two", "beta one", "beta"],
    stats: ["alpha one", "beta two", "beta", "beta one", "beta two", "beta one", "beta"],
    graph: ["alpha one", "beta two", "beta", "beta one", "beta two", "beta one", "beta"],
    // Those that were found, the longest first.
    spans: ["beta two", "beta two", "beta", "beta one", "beta two", "beta one", "beta"],
    // Of those that were found, with events.
    events: ["beta two", "beta two", "beta", "beta two", "beta", "", "beta two"],
  };
  for (const [view, names] of Object.entries(said)) {
    const look = async (page) => {
      const show = async () => {
        const at = page.locator(chosen[view]).first();
        if ((await at.count()) === 0) return "";
        const text = chosen[view] === chosen.flame ? await at.getAttribute("aria-valuetext") : await at.textContent();
        return SPANS.map(([name]) => name).filter((name) => text.includes(name)).sort((a, b) => b.length - a.length)[0] ?? "";
      };
      await page.locator(chosen[view] === chosen.flame ? ".flame canvas" : chosen[view].replace(".chosen", "")).first().waitFor();
      await page.locator(".find-count", { hasText: "3 of 7" }).waitFor();
      for (const [i, key] of ["e", "e", "n", "n", "n", "p", "p"].entries()) {
        await page.keyboard.press(key);
        await until(show, names[i], `${view}: ${key} number ${i}`);
      }
      assert.equal(await page.getByRole("button", { name: "Next match" }).isVisible(), true);
    };
    const more = { heavy: { view: "flame", flame: "heavy" }, sandwich: { view: "flame", flame: "sandwich" }, stats: { by: "operation" }, graph: { nodes: "operation" }, spans: { sort: "-duration" } };
    await withTrace(look, { view, find: "beta", span: idOf("root"), ...more[view] });
  }
  await withTrace(async (page) => {
    const help = async () => {
      await page.keyboard.press("?");
      const text = await page.locator(".help-keys").innerText();
      await page.keyboard.press("Escape");
      return text;
    };
    assert.match(await help(), /Next error \(not in JSON\)[^]*Zoom in\n/);
    await page.keyboard.press("2");
    await page.locator(".flame canvas").waitFor();
    assert.match(await help(), /Next part of the critical path \(not in JSON\)/);
    assert.doesNotMatch(await help(), /Zoom in\n/);
    await page.keyboard.press("7");
    await page.locator(".json-line").first().waitFor();
    assert.doesNotMatch(await help(), /critical path \(/);
  });
});

test("help that was closed opens again at once, though the browser says late that it is closed", async () => {
  await withTrace(async (page) => {
    await page.evaluate(() =>
      addEventListener("close", (event) => {
        if (!event.isTrusted) return;
        event.stopImmediatePropagation();
        setTimeout(() => event.target.dispatchEvent(new Event("close")), 200);
      }, true),
    );
    const help = page.locator("dialog.help .help-keys");
    for (let i = 0; i < 2; i++) {
      await page.keyboard.press("?");
      await help.waitFor();
      await page.keyboard.press("Escape");
      await help.waitFor({ state: "hidden" });
    }
    await page.keyboard.press("?");
    await page.waitForTimeout(500);
    assert.equal(await help.isVisible(), true);
  });
});

test("time is zoomed, moved and fitted by keys", async () => {
  await withTrace(async (page) => {
    const shown = async () => (param(page, "z") ?? "0-100000000").split("-").map((n) => Math.round(Number(n) / 1e4) / 100);
    const step = async (key, expected) => {
      await page.keyboard.press(key);
      await until(shown, expected, key);
    };
    await page.keyboard.press("Home");
    await step("w", [25, 75]);
    await step("w", [37.5, 62.5]);
    await step("a", [31.25, 56.25]);
    await step("d", [37.5, 62.5]);
    await step("s", [25, 75]);
    await step("0", [0, 100]);
    await page.keyboard.press("End");
    await step("f", [89.8, 95.5]);
    await step("f", [90, 95]);
    await step("0", [0, 100]);
  });
});

test("rows of the table of spans are walked by the same keys, take the focus, and open their details", async () => {
  await withTrace(
    async (page) => {
      const focused = () => page.evaluate(() => document.activeElement?.closest(".span-line:not(.head)")?.children[2].textContent ?? "");
      await page.locator(".span-line:not(.head)").first().waitFor();
      await walk(page, focused, [["j", "root"], ["j", "beta"], ["k", "root"], ["ArrowDown", "beta"], ["ArrowUp", "root"], ["End", "gamma"], ["Home", "root"], ["PageDown", "gamma"], ["PageUp", "root"]]);
      await page.keyboard.press("Enter");
      await page.locator(".details h2", { hasText: "root" }).waitFor();
      await page.keyboard.press("j");
      await page.locator(".details h2", { hasText: "beta" }).waitFor();
      await page.keyboard.press("Escape");
      await until(focused, "beta", "Escape");
      assert.equal(await page.getByRole("row", { selected: true }).count(), 1);
      await page.getByRole("button", { name: "Duration" }).focus();
      await page.keyboard.press("j");
      await until(focused, "beta one", "j from the head");
    },
    { view: "spans", sort: "-duration" },
  );
});

test("what is shown of a trace is chosen by keys, and stands in the address", async () => {
  await withTrace(async (page) => {
    const step = async (key, name, expected) => {
      await page.keyboard.press(key);
      await until(async () => param(page, name), expected, key);
    };
    await page.keyboard.press("e");
    await step("x", "fold", "0");
    await step("x", "fold", null);
    await step("c", "cp", "1");
    await step("c", "cp", null);
    await step("m", "marks", idOf("alpha one"));
    await page.keyboard.press("e");
    await step("m", "marks", `${idOf("alpha one")},${idOf("beta two")}`);
    await step("m", "marks", null);
    await step("o", "root", idOf("beta two"));
    await step("Backspace", "root", idOf("beta one"));
    await step("Backspace", "root", idOf("beta"));
    for (const [i, view] of ["flame", "graph", "stats", "spans", "events", "json"].entries()) await step(String(i + 2), "view", view);
    await step("1", "view", null);
    await page.keyboard.press("b");
    await page.locator(".topbar nav", { hasText: "in the basket: 1" }).waitFor();
    await page.keyboard.press("Control+f");
    await until(() => page.evaluate(() => document.activeElement?.id), "trace-find", "Ctrl F");
  });
});

test("the map is zoomed, widened and looked at otherwise by keys", async () => {
  const calls = [];
  for (const [i, [client, server]] of [["web", "cart"], ["cart", "stock"], ["stock", "audit"]].entries()) {
    const trace = hex(0x500 + i, 32);
    const span = (id, more) => ({ traceId: trace, spanId: hex(id, 16), startTimeUnixNano: ns(0), endTimeUnixNano: ns(10), ...more });
    calls.push(requestOf({ "service.name": client }, [span(1, { name: "call", kind: 3 })]), requestOf({ "service.name": server }, [span(2, { name: "serve", kind: 2, parentSpanId: hex(1, 16) })]));
  }
  await withMock(calls, "/map/?focus=web", async (page) => {
    await page.locator(".graph .node").first().waitFor();
    const scale = () => page.locator(".graph > g").evaluate((g) => Number(/scale\(([\d.]+)/.exec(g.getAttribute("transform"))[1]));
    const fitted = await scale();
    for (const [key, by] of [["+", 1.25], ["-", 1], ["-", 0.8], ["0", 1]]) {
      await page.keyboard.press(key);
      await until(async () => (await scale()).toFixed(3), (fitted * by).toFixed(3), key);
    }
    await page.keyboard.press("h");
    await until(() => page.locator(".graph .node").count(), 3, "h");
    for (const view of ["radial", "matrix", "table", null]) {
      await page.keyboard.press("v");
      await until(async () => param(page, "view"), view, "v");
    }
    await page.keyboard.press("X");
    await page.getByText("What is in the file").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("/");
    await until(() => page.evaluate(() => document.activeElement?.id), "map-find", "/");
  });
});
