// SPDX-License-Identifier: Apache-2.0
// Searches that take long, against a mock that speaks as slowly as the test likes: progress, first results, Stop, and answers that end badly.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, assertNoSidewaysScroll, goes, withPage } from "./browser.mjs";
import { Mock } from "./mock.mjs";
import { hex, useBrowser } from "./site.mjs";

const site = useBrowser();

const T0 = 1795350535000000000n;
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

/** A mock whose answers to one path are held by the test: answer.send(line), answer.end(), answer.gone. */
async function withSlow(which, run) {
  const mock = new Mock();
  mock.add(request());
  const asked = [];
  const wake = [];
  mock[which] = (response, url) => {
    const { traces, ...done } = mock.answer(new URL(`${which === "speakGraph" ? "/v1/graph" : "/v1/search"}${url.search.replace(/spss=\d+/, "")}`, url));
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
    await run(url, next, until, mock);
  } finally {
    await stop();
  }
}

const withSlowSearch = (run) => withSlow("speak", run);
const withLive = (run) => withSlow("speakLive", run);

test("a long search shows what it finds and how far it is, then all of it", async () => {
  await withSlowSearch(async (url, next) => {
    await withPage(site.browser, url, async (page) => {
      const answer = await next();
      answer.send(...answer.traces.slice(0, 2).map((trace) => ({ trace })), progress(300000, 400));
      await page.locator(".rows .result").nth(1).waitFor();
      assert.equal(await page.getByRole("button", { name: "Stop" }).count(), 0, "nobody waits yet");
      answer.send(progress(750009, 1200));
      await page.getByText("Scanned 750,009 of 1,500,018 spans, 900 B · 4 traces · 1.2 s").waitFor();
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
    await withPage(site.browser, url, async (page) => {
      const answer = await next();
      answer.send(...answer.traces.slice(0, 3).map((trace) => ({ trace })), progress(750009, 1800));
      await page.getByRole("button", { name: "Stop" }).click();
      await until(() => answer.gone);
      await page.getByText("You stopped this search after 750,009 of 1,500,018 spans.").waitFor();
      assert.equal(await page.getByText("at least 4 traces", { exact: true }).count(), 1);
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
        site.browser,
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
    await withPage(site.browser, `${url}/?sort=-duration`, async (page) => {
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

/** How an answer ends whose time was over; the mock's own is whole. */
const timeOver = (done, cursor, matchedTraces, reason = "timeBudget") => ({ done: { ...done, complete: false, incompleteReason: reason, cursor, matchedTraces, tookMs: 30000 } });
const lines = (traces) => traces.map((trace) => ({ trace }));
const namesShown = (page) => page.locator(".rows .result .root-name").allInnerTexts();

test("a search whose time is over goes on with Extend: what it finds comes into its place, and at the end the count is exact", async () => {
  await withSlowSearch(async (url, next) => {
    await withPage(site.browser, url, async (page) => {
      const first = await next();
      first.end(...lines([first.traces[1], first.traces[3]]), timeOver(first.done, "c1", 2));
      await page.getByText("The search stopped when its time was over: there may be more.").waitFor();
      await page.getByText("at least 2 traces", { exact: true }).waitFor();
      assert.equal(await page.getByText("stopped at a full page").count(), 0, "the page is not full");
      await assertAccessible(page);
      await page.getByRole("button", { name: "Extend" }).click();
      const second = await next();
      assert.equal(second.url.searchParams.get("cursor"), "c1");
      // The time of the next query is over, too: it goes on by itself, as long as nobody stops it.
      second.end(...lines([first.traces[0], first.traces[5]]), timeOver(first.done, "c2", 2));
      const third = await next();
      assert.equal(third.url.searchParams.get("cursor"), "c2");
      await page.getByText("at least 4 traces", { exact: true }).waitFor();
      assert.deepEqual(await namesShown(page), ["call 0", "call 1", "call 3", "call 5"], "one order, not page by page");
      third.send(progress(750009, 200));
      await page.getByText("· 8 traces · 60.2 s").waitFor();
      assert.equal(await page.getByRole("button", { name: "Extend" }).getAttribute("aria-pressed"), "true");
      third.end(...lines([first.traces[2], first.traces[4]]), timeOver(first.done, null, 2, "part"));
      await page.getByText(`${COUNT} traces`, { exact: true }).waitFor();
      await page.getByText("(exact)").waitFor();
      assert.deepEqual(await namesShown(page), ["call 0", "call 1", "call 2", "call 3", "call 4", "call 5"]);
      assert.equal(await page.locator(".banner").count(), 0);
      assert.equal(await page.getByRole("button", { name: "Extend" }).count(), 0);
    });
  });
});

test("a running search that is extended goes on when its time is over, and Stop keeps all of it", async () => {
  await withSlowSearch(async (url, next, until) => {
    await withPage(site.browser, `${url}/?sort=-duration`, async (page) => {
      const first = await next();
      first.send(...lines(first.traces.slice(0, 2)), progress(300000, 1500));
      await page.getByRole("button", { name: "Extend" }).click();
      first.end(timeOver(first.done, "c1", 2));
      const second = await next();
      assert.equal(second.url.searchParams.get("cursor"), "c1");
      second.send(...lines(first.traces.slice(2, 4)), progress(300000, 300));
      await page.getByText("· 6 traces · 30.3 s").waitFor();
      await page.keyboard.press("Escape");
      await until(() => second.gone);
      await page.getByText("You stopped this search after 300,000 of 1,500,018 spans.").waitFor();
      assert.equal(await page.locator(".rows .result").count(), 4);
      await page.getByText("at least 6 traces", { exact: true }).waitFor();
      // And on again, from where the last whole page ended: what is known is not there twice.
      await page.getByRole("button", { name: "Extend" }).click();
      const third = await next();
      assert.equal(third.url.searchParams.get("cursor"), "c1");
      third.end(...lines(first.traces.slice(2)), timeOver(first.done, null, 4, "part"));
      await page.getByText(`${COUNT} traces`, { exact: true }).waitFor();
      assert.equal(await page.locator(".rows .result").count(), COUNT);
    });
  });
});

test("a search that cannot go on says why, and keeps what it had found", async () => {
  await withSlowSearch(async (url, next) => {
    await withPage(site.browser, url, async (page) => {
      const first = await next();
      first.end(...lines(first.traces.slice(0, 3)), timeOver(first.done, "c1", 3));
      await page.getByRole("button", { name: "Load" }).click();
      const second = await next();
      second.end({ problem: { type: "about:blank", title: "too slow", status: 504, detail: "the time is too short for a single trace" } });
      await page.getByText("The search could not go on: the time is too short for a single trace.").waitFor();
      assert.equal(await page.locator(".rows .result").count(), 3);
      await page.getByRole("button", { name: "Search again" }).click();
      const again = await next();
      again.end(...lines(again.traces), { done: again.done });
      await page.getByText(`${COUNT} traces`, { exact: true }).waitFor();
      assert.equal(await page.locator(".banner").count(), 0);
    });
  });
});

test("a search whose time was over before anything was looked at cannot go on, and can be asked again", async () => {
  await withSlowSearch(async (url, next) => {
    await withPage(site.browser, url, async (page) => {
      const first = await next();
      first.end(timeOver(first.done, null, 0));
      await page.getByText("A narrower time range sees all.").waitFor();
      assert.equal(await page.getByRole("button", { name: "Extend" }).count(), 0);
      assert.equal(await page.getByText("No trace matches").count(), 0, "nobody knows that");
      await page.getByRole("button", { name: "Search again" }).click();
      const again = await next();
      again.end(...lines(again.traces), { done: again.done });
      await page.getByText(`${COUNT} traces`, { exact: true }).waitFor();
    });
  });
});

test("a search that fails behind its first line is a problem, and so is one that is cut off", async () => {
  for (const [finish, said] of [
    [(a) => a.end({ problem: { type: "about:blank", title: "a limit was reached", status: 413, detail: "the results are too large" } }), "the results are too large"],
    [(a) => a.end(), /\(the answer was cut off\)\. What is below was read at (?!00:00:00)\d\d:/],
  ]) {
    await withSlowSearch(async (url, next) => {
      await withPage(site.browser, url, async (page) => {
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

// ---- live ----

const beat = { live: { atUnixNano: String(T0), complete: true, waiting: 0, skipped: 0, unseenRequests: 0 } };
/** A trace like another one, that starts later. */
const later = (trace, id, seconds) => ({ trace: { ...trace, traceId: hex(id, 32), rootTraceName: `late ${id}`, startTimeUnixNano: String(T0 + BigInt(seconds) * 1000000000n) } });
const names = (page) => page.locator(".rows .result").allInnerTexts();

test("a trace that is loading has its head, shades of rows, and a bar that says how much of it has come", async () => {
  const mock = new Mock();
  mock.add(request());
  const trace = hex(1, 32);
  let answer;
  mock.speakColumns = (response, url) => {
    const body = JSON.stringify(mock.answer(url));
    const half = body.length >> 1;
    answer = { all: body.length, half, begin: () => response.write(body.slice(0, half)), end: () => response.end(body.slice(half)) };
    // Packed on the way: the length that counts is that of what is read.
    response.writeHead(200, { "content-type": "application/json", "spoor-body-bytes": String(body.length) });
    response.flushHeaders();
  };
  const { url, stop } = await mock.listen(process.env.UI_DIST);
  try {
    await withPage(site.browser, `${url}/trace/?id=${trace}`, async (page) => {
      const waiting = page.locator(".trace-loading");
      await waiting.getByText("cart call 0").waitFor();
      assert.match(await waiting.innerText(), /5\.00 ms, 1 span/);
      const bar = page.getByRole("progressbar", { name: "Read of the trace" });
      assert.equal(await bar.getAttribute("value"), null, "nothing has come");
      answer.begin();
      await page.waitForFunction(() => document.querySelector(".trace-loading progress")?.value > 0);
      assert.deepEqual(await bar.evaluate((e) => [e.value, e.max]), [answer.half, answer.all]);
      await waiting.getByText(`${answer.half} B of ${answer.all} B read`).waitFor();
      await assertAccessible(page, "a trace that is loading");
      // Nothing before somebody waits, then the rows, then the bar; also for those who want no movement.
      const delays = () => ["", " progress"].map((part) => getComputedStyle(document.querySelector(`.trace-loading${part}`)).animationDelay);
      assert.deepEqual(await page.evaluate(delays), ["0.15s", "1s"]);
      assert.equal(await page.locator(".progress").evaluate((e) => getComputedStyle(e).transitionDelay), "1s");
      answer.end();
      await page.locator(".wf-row").first().waitFor();
      assert.equal(await waiting.count(), 0);
    });
  } finally {
    await stop();
  }
});

test("live: what comes in joins the top of the list, and Live off closes the connection", async () => {
  await withLive(async (url, next, until) => {
    await withPage(site.browser, `${url}/?sort=-duration`, async (page) => {
      await page.locator(".rows .result").nth(COUNT - 1).waitFor();
      await page.keyboard.press("l");
      const answer = await next();
      await page.waitForURL(/live=1/);
      assert.equal(new URL(page.url()).searchParams.get("sort"), null, "live is the newest first");
      await page.locator(".rows .result").nth(COUNT - 1).waitFor();
      answer.send(later(answer.traces[0], 100, 1), later(answer.traces[0], 101, 2), beat);
      await page.getByText("late 101").waitFor();
      assert.match((await names(page))[0], /late 101/);
      assert.match((await names(page))[1], /late 100/);
      assert.equal(await page.locator(".rows .result").count(), COUNT + 2);
      await page.getByText(`${COUNT + 2} traces`, { exact: true }).waitFor();
      answer.send({ trace: { ...later(answer.traces[0], 101, 2).trace, spanCount: 77 } }, { live: { ...beat.live, complete: false } });
      await page.locator(".rows .result .spans").filter({ hasText: "77" }).waitFor();
      await page.getByText("more come in than are listed").waitFor();
      // What a look gives up is added up, and stays said.
      answer.send({ live: { ...beat.live, complete: false, waiting: 250, skipped: 1200 } }, { live: { ...beat.live, complete: false, skipped: 34 } }, beat);
      await page.getByText("1,234 more came in than are listed").waitFor();
      assert.equal(await page.locator(".rows .result").count(), COUNT + 2, "a trace that has changed is one trace");
      await assertAccessible(page);
      await page.getByRole("button", { name: "Live" }).click();
      await until(() => answer.gone);
      assert.equal(await page.locator(".live-line").count(), 0);
    });
  });
});

test("live: a list that is being read does not move; what waits is counted", async () => {
  await withLive(async (url, next) => {
    await withPage(site.browser, `${url}/?live=1`, async (page) => {
      const answer = await next();
      await page.locator(".rows .result").nth(COUNT - 1).waitFor();
      await page.locator(".rows .result").nth(2).hover();
      answer.send(later(answer.traces[0], 100, 1), later(answer.traces[0], 101, 2), beat);
      const button = page.getByRole("button", { name: "Show 2 new traces" });
      await button.waitFor();
      assert.equal(await page.locator(".rows .result").count(), COUNT);
      await assertAccessible(page);
      await button.click();
      await page.getByText("late 101").waitFor();
      assert.equal(await page.locator(".rows .result").count(), COUNT + 2);
      assert.equal(await button.count(), 0);
    });
  });
});

test("live: what stands above and beside the list is asked again while it goes on, and not after", async () => {
  await withLive(async (url, next) => {
    await withPage(site.browser, `${url}/?live=1`, async (page) => {
      const answer = await next();
      const asked = [];
      page.on("request", (r) => asked.push(new URL(r.url()).pathname));
      const times = (path) => asked.filter((p) => p === path).length;
      await page.locator(".facets .facet").first().waitFor();
      answer.send(beat);
      // Nothing came in: what is counted is what it was.
      await page.waitForTimeout(6500);
      assert.equal(times("/v1/heatmap"), 0, `asked: ${asked}`);
      let seconds = 0;
      for (let i = 0; i < 150 && (times("/v1/heatmap") < 2 || times("/v1/facets") < 4); i++) {
        if (i % 10 === 0) answer.send(later(answer.traces[0], 200 + seconds, ++seconds), beat);
        await page.waitForTimeout(100);
      }
      assert.ok(times("/v1/heatmap") >= 2 && times("/v1/facets") >= 4, `asked: ${asked}`);
      // They change in place: nothing is shaded meanwhile.
      assert.equal(await page.locator(".panels.busy, .facets-list.busy").count(), 0);
      await page.getByRole("button", { name: "Live" }).click();
      await page.locator(".live-line").waitFor({ state: "detached" });
      await page.waitForTimeout(300);
      const before = times("/v1/heatmap");
      await page.waitForTimeout(5500);
      assert.equal(times("/v1/heatmap"), before);
    });
  });
});

test("live: a server that goes away is asked again", async () => {
  await withLive(async (url, next) => {
    await withPage(site.browser, `${url}/?live=1`, async (page) => {
      const answer = await next();
      await page.locator(".rows .result").nth(COUNT - 1).waitFor();
      answer.send(beat);
      answer.end({ done: { reason: "draining" } });
      await page.getByText("Live is interrupted: trying again").waitFor();
      const again = await next();
      again.send(later(again.traces[0], 100, 1), beat);
      await page.getByText("late 100").waitFor();
      await page.getByText("Live", { exact: true }).first().waitFor();
    });
  });
});

test("links of the map are looked up while it is said how far that is; who leaves ends it", async () => {
  await withSlow("speakGraph", async (url, next, until, mock) => {
    await withPage(site.browser, `${url}/map/`, async (page) => {
      await page.locator(".graph .node").first().waitFor();
      assert.deepEqual(mock.log.filter((path) => /^\/v1\/graph/.test(path)).length, 1);
      await page.getByRole("button", { name: "Links across traces" }).click();
      const answer = await next();
      answer.send(progress(375005, 400));
      const said = page.getByRole("status").getByText("of the links looked up");
      await said.waitFor();
      assert.equal(await said.textContent(), "25 % of the links looked up, 50 traces read");
      assert.equal(await page.locator(".progress.known").count(), 0, "nobody waits yet");
      answer.send(progress(750009, 1200));
      await page.locator(".progress.busy.known").waitFor();
      answer.send(progress(600000, 1300)); // it does not go back
      await assertAccessible(page, "links are looked up");
      await assertNoSidewaysScroll(page, "links are looked up");
      assert.equal(await said.textContent(), "50 % of the links looked up, 50 traces read");
      answer.end({ graph: { ...answer.done, links: { seen: "7", resolved: "7", sameTrace: "0", notFound: "0", otherKind: "0", notLookedUp: "0", complete: true } } });
      await page.getByText("7 links of consumers").waitFor();
      assert.equal(await said.count(), 0);
      await page.locator(".progress.busy").waitFor({ state: "detached" });
      // The first answer of a page: it has nothing else to show.
      await page.reload();
      const second = await next();
      second.send(progress(1500018, 1100));
      await page.locator(".trace-loading").getByText("100 % of the links looked up").waitFor();
      second.end({ problem: { title: "The server is stopping", status: 503 } });
      await page.getByRole("heading", { name: "The map cannot be shown" }).waitFor();
      const third = await next();
      await page.getByRole("link", { name: "Status" }).first().click();
      await until(() => third.gone);
    });
  });
});

test("the map stays while the server does not answer, and says when it was read", async () => {
  await withSlow("speakGraph", async (url) => {
    await withPage(site.browser, `${url}/map/`, async (page) => {
      await page.locator(".graph .node").first().waitFor();
      goes(page);
      await page.keyboard.press("r");
      await page.locator(".banner", { hasText: /Spoor does not answer \(.*\)\. What is below was read at \d\d:\d\d:\d\d/ }).waitFor();
      assert.equal(await page.locator(".graph .node").count(), 1);
    }, { expectErrors: true, breaks: "**/v1/graph*" });
  });
});
