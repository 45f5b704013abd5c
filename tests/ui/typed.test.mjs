// SPDX-License-Identifier: Apache-2.0
// What somebody types that is not what a page expects: keys before there is what takes them, and addresses with parts that cannot be read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, assertNoSidewaysScroll, until, withPage } from "./browser.mjs";
import { withMock } from "./mock.mjs";
import { hex, requestOf, useBrowser } from "./site.mjs";

const site = useBrowser();
const span = (traceId, name, more = {}) => ({ traceId, spanId: hex(1, 16), name, kind: 1, startTimeUnixNano: "1795350535000000000", endTimeUnixNano: "1795350535001000000", ...more });
const request = (service, spans) => requestOf({ "service.name": service }, spans);

test("what is typed before the palette has come is its own, wherever the focus is; Escape takes it back, and a part that does not come gives it back", async () => {
  const slow = async (page, held = {}) => {
    await page.route("**/dialogs.js", async (route) => {
      await new Promise((done) => {
        held.release = done;
      });
      await (held.broken ? route.abort() : route.continue());
    });
  };
  const type = async (page, ...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await withMock([request("shop", [span(hex(1, 32), "a")])], async (url) => {
    /** Opens Explore, whose dialogs come when release() is called. */
    const late = async (look, options = {}) => {
      const held = { broken: options.broken };
      await withPage(site.browser, url, async (page) => {
        await page.locator(".result:not(.head)").first().waitFor();
        const box = page.getByRole("combobox", { name: "Go to, or do, anything" });
        await look(page, box, async () => {
          await until(async () => held.release !== undefined, true, "the part is asked for");
          held.release();
        });
      }, { prepare: (page) => slow(page, held), expectErrors: options.broken });
    };
    await late(async (page, box, release) => {
      const query = page.locator(".query-box input");
      await query.focus();
      await type(page, "Control+k", ..."Theme: darrr", "Backspace", "Backspace");
      assert.equal(await query.inputValue(), "");
      await release();
      await box.waitFor();
      assert.equal(await box.inputValue(), "Theme: dar");
      // And it goes on from there.
      await type(page, "k", "Enter");
      await page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
    });
    await late(async (page, box, release) => {
      // Outside of a box these would go to the services.
      await type(page, "Control+k", "g", "s", "ArrowDown", "ArrowDown", "ArrowUp");
      await release();
      await box.waitFor();
      assert.deepEqual([await box.inputValue(), await box.getAttribute("aria-activedescendant"), new URL(page.url()).pathname], ["gs", "palette-1", "/"]);
    });
    await late(async (page, _, release) => {
      await type(page, "Control+k", ..."go to map", "Enter");
      await release();
      await page.waitForURL(/\/map\//);
      assert.equal(await page.locator("dialog").count(), 0);
    });
    await late(async (page, box, release) => {
      await type(page, "Control+k", "x", "Escape", "g", "s");
      await page.waitForURL(/\/service\//);
      await release();
      await type(page, "Control+k");
      await box.waitFor();
      assert.equal(await box.inputValue(), "");
    });
    await late(async (page, _, release) => {
      await type(page, "?", "g", "s");
      await release();
      await page.locator("dialog.help[open]").waitFor();
      assert.equal(new URL(page.url()).pathname, "/");
    });
    await late(async (page, _, release) => {
      await type(page, "Control+k", "x");
      await release();
      await page.locator(".toast", { hasText: "A part of this page could not be loaded" }).waitFor();
      await type(page, "g", "s");
      await page.waitForURL(/\/service\//);
    }, { broken: true });
  });
});

test("what of an address cannot be read is said on every page, and can be removed", async () => {
  const trace = hex(1, 32);
  await withMock([request("shop", [span(trace, "a", { kind: 2 })])], async (url) => {
    const said = (page) => page.locator(".banner").evaluateAll((list) => list.map((e) => e.textContent).filter((t) => /cannot be read/.test(t)));
    const line = (name, value) => `The ${name} of this address cannot be read: ${value} Remove`;
    for (const [path, ready, expected] of [
      ["/?sel=garbage&mode=cats&y=linear", ".result:not(.head)", [`${line("selection", "garbage")} sel`, `${line("“mode”", "cats")} mode`]],
      ["/?sel=2,1,3,4", ".result:not(.head)", [`${line("selection", "2,1,3,4")} sel`]],
      [`/trace/?id=${trace}&z=9-7&view=waterfal&cp=1`, ".wf-row", [`${line("“z”", "9-7")} z`, `${line("“view”", "waterfal")} view`]],
      ["/compare/?tab=x", "main h1", [`${line("“tab”", "x")} tab`]],
      ["/map/?hops=9&dir=down", ".graph .node", [`${line("“hops”", "9")} hops`]],
      ["/service/?s=shop&pct=50,98", ".chart", [`${line("“pct”", "50,98")} pct`]],
      ["/status/?tab=x&sel=garbage", "[role=tablist]", [`${line("“tab”", "x")} tab`]],
    ]) {
      await withPage(site.browser, url + path, async (page) => {
        await page.locator(ready).first().waitFor();
        await until(() => said(page), expected, path);
        await assertAccessible(page, path);
        await page.setViewportSize({ width: 390, height: 844 });
        await assertNoSidewaysScroll(page, `${path} at 390`);
        await page.setViewportSize({ width: 1440, height: 900 });
        const rest = new URL(page.url()).searchParams;
        for (const [i, text] of expected.entries()) {
          const name = text.split(" ").at(-1);
          await page.getByRole("link", { name: `Remove ${name}`, exact: true }).click();
          rest.delete(name);
          await until(() => said(page), expected.slice(i + 1), `${path} without ${name}`);
        }
        assert.equal(new URL(page.url()).search, rest.size ? `?${rest}` : "");
      });
    }
    // However long it is.
    await withPage(site.browser, `${url}/?sel=${"x".repeat(3000)}`, async (page) => {
      await until(() => said(page), [`${line("selection", `${"x".repeat(31)}…${"x".repeat(8)}`)} sel`]);
      await page.setViewportSize({ width: 320, height: 640 });
      await assertNoSidewaysScroll(page, "a long value at 320");
    });
    // A range that cannot be read is no empty one.
    await withPage(site.browser, `${url}/service/?s=shop&from=garbage`, async (page) => {
      const panel = page.locator(".problem", { hasText: '"garbage" is not a time' });
      await panel.waitFor();
      assert.equal(await page.getByRole("heading", { name: "shop cannot be shown" }).count(), 1);
    }, { expectErrors: true });
    await withPage(site.browser, `${url}/trace/?id=${trace}&marks=nope`, async (page) => {
      await page.locator(".banner-line", { hasText: "Span nope is not in this trace." }).waitFor();
    });
  });
});
