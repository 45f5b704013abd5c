// SPDX-License-Identifier: Apache-2.0
// Searches that take long, against a mock that speaks as slowly as the test likes: progress, first results, Stop, and answers that end badly.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertAccessible, assertNoSidewaysScroll, startBrowser, withPage } from "./browser.mjs";
import { Mock } from "./mock.mjs";

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

const T0 = 1795350535000000000n;
const hex = (n, digits) => n.toString(16).padStart(digits, "0");
const COUNT = 6;

function request() {
  const spans = Array.from({ length: COUNT }, (_, i) => ({
    traceId: hex(i + 1, 32), spanId: hex(i + 1, 16), name: `call ${i}`, kind: 2,
    startTimeUnixNano: String(T0 - BigInt(i) * 1000000000n), endTimeUnixNano: String(T0 - BigInt(i) * 1000000000n + 5000000n),
  }));
  const attributes = [{ key: "service.name", value: { stringValue: "cart" } }];
  return { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope: { name: "test" }, spans }] }] };
}

const progress = (passed, elapsedMs) => ({
  progress: {
    scanned: { segments: 1, rows: String(passed), bytes: "900", traces: "50" }, passedRows: String(passed), totalRows: "1500018",
    totalSegments: 13, knownTraces: "50", matchedTraces: 4, elapsedMs,
  },
});

/** A mock whose searches are held by the test: answer.send(line), answer.end(), answer.gone. */
async function withSlowSearch(run) {
  const mock = new Mock();
  mock.add(request());
  const asked = [];
  const wake = [];
  mock.speak = (response, url) => {
    const { traces, ...done } = mock.answer(url);
    const answer = {
      traces, done, url, gone: false,
      send: (...lines) => response.write(lines.map((line) => `${JSON.stringify(line)}\n`).join("")),
      end: (...lines) => response.end(lines.map((line) => `${JSON.stringify(line)}\n`).join("")),
      cut: () => response.destroy(),
    };
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.flushHeaders();
    response.on("close", () => {
      answer.gone = !response.writableEnded;
      for (const f of wake.splice(0)) f();
    });
    asked.push(answer);
    for (const f of wake.splice(0)) f();
  };
  const until = async (condition) => {
    while (!condition()) await new Promise((resolve) => wake.push(resolve));
  };
  const next = async () => {
    await until(() => asked.length > 0);
    return asked.shift();
  };
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await run(url, next, until);
  } finally {
    await stop();
  }
}

test("a long search shows what it finds and how far it is, then all of it", async () => {
  await withSlowSearch(async (url, next) => {
    await withPage(browser, url, async (page) => {
      const answer = await next();
      answer.send(...answer.traces.slice(0, 2).map((trace) => ({ trace })), progress(300000, 400));
      await page.locator(".rows .result").nth(1).waitFor();
      assert.equal(await page.getByRole("button", { name: "Stop" }).count(), 0, "nobody waits yet");
      answer.send(progress(750009, 1200));
      await page.getByText("Scanned 750,009 of 1,500,018 spans · 4 traces · 1.2 s").waitFor();
      const width = () => page.locator(".progress").evaluate((line) => Number(getComputedStyle(line, "::after").width.replace("px", "")) / line.clientWidth);
      assert.ok(Math.abs((await width()) - 0.5) < 0.01);
      await assertAccessible(page);
      answer.send(progress(600000, 1300)); // a new part was found to be read: the line does not go back
      await page.getByText("1.3 s").waitFor();
      assert.ok(Math.abs((await width()) - 0.5) < 0.01);
      answer.end(...answer.traces.slice(2).map((trace) => ({ trace })), { done: answer.done });
      await page.getByText(`${COUNT} traces`, { exact: true }).waitFor();
      assert.equal(await page.locator(".rows .result").count(), COUNT);
      assert.equal(await page.getByRole("button", { name: "Stop" }).count(), 0);
      assert.equal(await page.locator(".progress.busy").count(), 0);
    });
  });
});

test("Stop ends the search in the server and keeps what was found", async () => {
  await withSlowSearch(async (url, next, until) => {
    await withPage(browser, url, async (page) => {
      const answer = await next();
      answer.send(...answer.traces.slice(0, 3).map((trace) => ({ trace })), progress(750009, 1800));
      await page.getByRole("button", { name: "Stop" }).click();
      await until(() => answer.gone);
      await page.getByText("You stopped this search after 750,009 of 1,500,018 spans.").waitFor();
      assert.equal(await page.getByText("at least 4 traces").count(), 1);
      assert.equal(await page.locator(".rows .result").count(), 3);
      await assertAccessible(page);
      await page.getByRole("button", { name: "Search again" }).click();
      const again = await next();
      again.end(...again.traces.map((trace) => ({ trace })), { done: again.done });
      await page.getByText(`${COUNT} traces`, { exact: true }).waitFor();
      assert.equal(await page.getByText("You stopped this search").count(), 0);
    });
  });
});

test("progress and what is said of Stop fit into a narrow window, light and dark", async () => {
  for (const dark of [false, true]) {
    await withSlowSearch(async (url, next) => {
      await withPage(
        browser,
        url,
        async (page) => {
          const answer = await next();
          answer.send(...answer.traces.slice(0, 3).map((trace) => ({ trace })), progress(750009, 1800));
          await page.getByRole("button", { name: "Stop" }).waitFor();
          await assertNoSidewaysScroll(page, "progress");
          await assertAccessible(page);
          await page.getByRole("button", { name: "Stop" }).click();
          await page.getByRole("button", { name: "Search again" }).waitFor();
          await assertNoSidewaysScroll(page, "what was kept");
          await assertAccessible(page);
        },
        { width: 390, height: 844, dark },
      );
    });
  }
});

test("a search in another order that was stopped offers the newest first", async () => {
  await withSlowSearch(async (url, next) => {
    await withPage(browser, `${url}/?sort=-duration`, async (page) => {
      const answer = await next();
      answer.send(progress(750009, 1800));
      await page.getByRole("button", { name: "Stop" }).waitFor();
      await page.keyboard.press("Escape");
      await page.getByText("In this order nothing is certain before all is read").waitFor();
      assert.equal(await page.getByText("No trace matches").count(), 0);
      await page.getByRole("link", { name: "Newest first" }).click();
      const newest = await next();
      assert.equal(newest.url.searchParams.get("order"), "-start");
      newest.end(...newest.traces.map((trace) => ({ trace })), { done: newest.done });
      await page.getByText(`${COUNT} traces`, { exact: true }).waitFor();
    });
  });
});

test("a search that fails behind its first line is a problem, and so is one that is cut off", async () => {
  for (const [finish, said] of [
    [(a) => a.end({ problem: { type: "about:blank", title: "a limit was reached", status: 413, detail: "the results are too large" } }), "the results are too large"],
    [(a) => a.end(), "the answer was cut off"],
  ]) {
    await withSlowSearch(async (url, next) => {
      await withPage(browser, url, async (page) => {
        const answer = await next();
        answer.send(...answer.traces.slice(0, 1).map((trace) => ({ trace })), progress(9, 1100));
        await page.getByRole("button", { name: "Stop" }).waitFor();
        finish(answer);
        await page.getByText(said).waitFor();
        await page.getByRole("button", { name: "Try again" }).click();
        const again = await next();
        again.end(...again.traces.map((trace) => ({ trace })), { done: again.done });
        await page.getByText(`${COUNT} traces`, { exact: true }).waitFor();
      });
    });
  }
});
