// SPDX-License-Identifier: Apache-2.0
// The pages against the mock: every state that is hard to bring about with a real system.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, assertNoSidewaysScroll, comes, goes, texts, until, withPage } from "./browser.mjs";
import { withMock } from "./mock.mjs";
import { hex, useBrowser } from "./site.mjs";

const site = useBrowser();

const T0 = 1795350535000000000n;
const HOSTILE = [
  "<script>window.__pwned = 1</script>",
  '"><img src=x onerror="window.__pwned = 2">',
  "‮right to left‬ العربية 🎉 \u0000\u0007 tail",
  "{{constructor.constructor('window.__pwned = 3')()}}",
  "javascript:window.__pwned=4",
];

let ids = 0;
function span(traceId, name, more = {}) {
  const { start = 0, length = 1000000, ...rest } = more;
  return {
    traceId,
    spanId: hex(++ids, 16),
    name,
    kind: 1,
    startTimeUnixNano: String(T0 + BigInt(start)),
    endTimeUnixNano: String(T0 + BigInt(start + length)),
    ...rest,
  };
}

function request(service, spans) {
  const attributes = [{ key: "service.name", value: { stringValue: service } }];
  return { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope: { name: "test" }, spans }] }] };
}

const string = (key, value) => ({ key, value: { stringValue: value } });

test("an empty store shows where to send, and the search when the first span comes", async () => {
  await withMock([], async (url, mock) => {
    await withPage(site.browser, url, async (page) => {
      await page.getByRole("heading", { name: "Waiting for the first span" }).waitFor();
      const text = await page.locator(".first-run").innerText();
      for (const part of ["http://127.0.0.1:4318", "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_ENDPOINT", "curl -s"]) assert.ok(text.includes(part), part);
      await assertAccessible(page, "first run");
      mock.add(request("hello", [span(hex(1, 32), "first span")]));
      await page.locator(".result:not(.head)").waitFor();
      assert.deepEqual(await texts(page, ".result .root"), ["hello first span"]);
    });
  });
});

test("an empty store has a demo trace to look at, made in the browser", async () => {
  await withMock([], async (url, mock) => {
    await withPage(site.browser, url, async (page) => {
      await page.getByRole("button", { name: "Open a demo trace" }).click();
      await page.locator(".wf-row").first().waitFor();
      assert.match(await page.locator(".trace-head h1").innerText(), /web\s+POST \/checkout/);
      // Nine questions alike are one row, and the error is there.
      await page.locator(".wf-row", { hasText: "×9" }).waitFor();
      assert.ok((await page.locator(".wf-row").allInnerTexts()).some((t) => t.includes("bank.example")));
      assert.equal(mock.spans.length, 0);
      await assertAccessible(page, "the demo trace");
    });
  });
});

test("the curl command of the empty page sends a span that the store takes", async () => {
  await withMock([], async (url, mock) => {
    await withPage(site.browser, url, async (page) => {
      const command = await page.locator(".snippet pre").nth(1).innerText();
      mock.add(JSON.parse(/-d '(.*)'$/s.exec(command)[1]));
      assert.equal(mock.spans[0].name, "first span");
      assert.equal(mock.spans[0].duration, 42000000n);
    });
  });
});

test("hostile names and values are text everywhere", async () => {
  const trace = hex(7, 32);
  const root = span(trace, HOSTILE[0], { length: 9000000, status: { code: 2, message: HOSTILE[1] } });
  const rest = HOSTILE.map((text, i) =>
    span(trace, text, {
      parentSpanId: root.spanId,
      start: i * 1000,
      kind: 3,
      attributes: [string(HOSTILE[i], HOSTILE[1]), string("url", HOSTILE[4]), string("db.system", HOSTILE[1])],
      events: [{ name: HOSTILE[1], timeUnixNano: String(T0), attributes: [string("exception.stacktrace", HOSTILE[0])] }],
      links: [{ traceId: hex(8, 32), spanId: hex(9, 16), attributes: [string(HOSTILE[1], HOSTILE[0])] }],
    }),
  );
  await withMock([request(HOSTILE[1], [root, ...rest])], async (url) => {
    const clean = async (page) => assert.equal(await page.evaluate(() => window.__pwned ?? 0), 0);
    await withPage(site.browser, `${url}/?q=${encodeURIComponent("{ status = error }")}`, async (page) => {
      await page.locator(".result:not(.head)").waitFor();
      assert.ok((await page.locator(".result .root").innerText()).includes(HOSTILE[0]));
      await page.locator(".query-box input").fill("{ resource.service.name = ");
      await page.locator(".suggestions li").first().waitFor();
      assert.ok((await page.locator(".suggestions").innerText()).includes(HOSTILE[1]));
      await clean(page);
    });
    await withPage(site.browser, `${url}/trace/?id=${trace}&span=${rest[1].spanId}`, async (page) => {
      await page.locator(".attributes dd").first().waitFor();
      const text = await page.locator(".details").innerText();
      for (const part of [HOSTILE[1], HOSTILE[4]]) assert.ok(text.includes(part), part);
      assert.equal(await page.locator(".details img, .details script, .wf-host img, a[href^='javascript']").count(), 0);
      await assertAccessible(page, "hostile trace");
      await clean(page);
    });
    await withPage(site.browser, `${url}/map/?view=table`, async (page) => {
      await page.locator(".edges tbody tr").first().waitFor();
      await clean(page);
    });
    await withPage(site.browser, `${url}/map/`, async (page) => {
      await page.locator(".graph .node").first().waitFor();
      assert.equal(await page.locator(".graph image, .graph foreignObject").count(), 0);
      await clean(page);
    });
  });
});

test("a broken query shows a caret at its byte, and keeps what was typed", async () => {
  await withMock([request("shop", [span(hex(1, 32), "a")])], async (url) => {
    await withPage(
      site.browser,
      `${url}/?q=${encodeURIComponent('{ name = "é" && }')}`,
      async (page) => {
        await page.locator(".fault-line").waitFor();
        const [query, caret] = (await page.locator(".fault-line").innerText()).split("\n");
        assert.equal(query, '{ name = "é" && }');
        assert.equal(caret.indexOf("^"), query.indexOf("}"));
        assert.equal(await page.locator(".query-box input").inputValue(), query);
        assert.equal(await page.locator(".query-box input").getAttribute("aria-invalid"), "true");
        await assertAccessible(page, "query error");
      },
      { expectErrors: true },
    );
  });
});

test("a query without matches says which condition is to blame", async () => {
  await withMock([request("shop", [span(hex(1, 32), "a"), span(hex(2, 32), "a")])], async (url) => {
    const q = encodeURIComponent('{ name = "a" && status = error }');
    await withPage(site.browser, `${url}/?q=${q}`, async (page) => {
      await page.getByRole("heading", { name: "No trace matches" }).waitFor();
      await page.getByRole("link", { name: "2 traces" }).click();
      await page.locator(".result:not(.head)").first().waitFor();
      assert.equal(await page.locator(".query-box input").inputValue(), '{ name = "a" }');
    });
  });
});

test("orphans, duplicates, cycles and ends before starts are shown and said", async () => {
  const trace = hex(5, 32);
  const root = span(trace, "root", { length: 5000000 });
  const orphan = span(trace, "orphan", { parentSpanId: hex(0xdead, 16), start: 1000 });
  const twice = span(trace, "twice", { parentSpanId: root.spanId });
  const a = span(trace, "cycle a", { start: 50 });
  const b = span(trace, "cycle b", { start: 60, parentSpanId: a.spanId });
  a.parentSpanId = b.spanId;
  const backwards = span(trace, "backwards", { parentSpanId: root.spanId, start: 4000, length: -3000 });
  await withMock([request("shop", [root, orphan, twice, { ...twice, name: "twice again" }, a, b, backwards])], async (url) => {
    await withPage(site.browser, `${url}/trace/?id=${trace}`, async (page) => {
      await page.locator(".wf-row").first().waitFor();
      const banner = await page.locator(".banner").innerText();
      for (const part of ["1 span whose parent is not stored", "id that is used twice", "cycle", "end before they start"]) assert.ok(banner.includes(part), part);
      assert.equal(await page.locator(".wf-row:visible").count(), 8);
      // What names a parent that is not stored hangs from a row of its own: walked, folded and opened as any other, without details.
      const missing = page.locator(".wf-row.missing");
      assert.match(await missing.getAttribute("aria-label"), /^missing parent 000000000000dead, not stored, 1 child of it stored, 1 span below/);
      assert.deepEqual([await missing.getAttribute("aria-level"), await missing.getAttribute("aria-expanded")], ["1", "true"]);
      await page.locator(".wf-scroll").focus();
      await page.keyboard.press("End");
      await page.locator('.wf-row.current[aria-level="2"][aria-label^="shop orphan"]').waitFor();
      await page.keyboard.press("ArrowLeft");
      await page.locator(".wf-row.missing.current").waitFor();
      await page.keyboard.press("Enter");
      await page.locator('.wf-row.missing.current[aria-expanded="false"]').waitFor();
      assert.equal(await page.locator(".details").count(), 0);
      await page.waitForFunction(() => document.querySelectorAll(".wf-row:not([hidden])").length === 7);
      await page.getByRole("button", { name: "Next one" }).click();
      await page.locator('.wf-row.current[aria-label^="shop orphan, "][aria-label*="parent is not stored"]').waitFor();
      await page.locator(".wf-row.current").click();
      await page.locator(".details").getByText(hex(0xdead, 16)).waitFor();
      await assertAccessible(page, "broken trace");
    });
  });
});

test("a trace of 100,000 spans scrolls and is searched with a small document", async () => {
  const trace = hex(6, 32);
  const root = span(trace, "root", { length: 1e9 });
  const spans = [root];
  for (let i = 1; i < 100000; i++) {
    const parent = i % 10 === 1 ? root : spans[i - ((i - 1) % 10 || 10)];
    spans.push(span(trace, `operation ${i % 50}`, { parentSpanId: parent.spanId, start: i * 9000, length: 8000 }));
  }
  await withMock([request("big", spans)], async (url) => {
    await withPage(site.browser, `${url}/trace/?id=${trace}`, async (page) => {
      await page.locator(".wf-row").first().waitFor({ timeout: 30000 });
      const count = () => page.evaluate(() => document.querySelectorAll("*").length);
      assert.ok((await count()) < 2000, `${await count()} elements`);
      assert.equal(await page.locator(".wf-scroll").getAttribute("aria-rowcount"), "100000");
      const seen = new Set();
      for (const part of [0.25, 0.5, 0.75, 1]) {
        await page.locator(".wf-scroll").evaluate((e, at) => {
          e.scrollTop = at * e.scrollHeight;
        }, part);
        const top = () => page.locator(".wf-row:visible").first().getAttribute("aria-rowindex");
        await until(async () => seen.has(await top()), false, `other rows at ${part}`);
        seen.add(await top());
        assert.ok((await count()) < 2000);
      }
      assert.equal(seen.size, 4);
      await page.keyboard.press("End");
      await page.locator('.wf-row.current[aria-rowindex="100000"]').waitFor();
      await page.keyboard.press("/");
      await page.keyboard.type("operation 7");
      await page.locator(".find-count").waitFor();
      const named = spans.filter((s) => s.name.includes("operation") && s.name.includes("7")).length;
      assert.equal(await page.locator(".find-count").innerText(), `${named.toLocaleString("en-US")} of 100,000`);
    });
  });
});

test("more results are loaded on request, in the same order", async () => {
  const requests = Array.from({ length: 130 }, (_, i) => request("shop", [span(hex(1000 + i, 32), `trace ${i}`, { start: i * 1e6, length: 1000 + i })]));
  await withMock(requests, async (url, mock) => {
    await withPage(site.browser, `${url}/?order=duration`, async (page) => {
      await page.locator(".summary", { hasText: "130 traces, 100 shown" }).waitFor();
      assert.ok((await page.locator(".result:not(.head)").count()) < 100);
      await page.getByRole("button", { name: "Load 30 more" }).click();
      await page.locator(".summary", { hasText: /^130 traces(?!,)/ }).waitFor();
      await page.locator(".virtual").evaluate((e) => {
        e.scrollTop = e.scrollHeight;
      });
      await page.locator(".result .root", { hasText: "trace 129" }).waitFor();
      assert.equal(mock.log.filter((l) => l.startsWith("/v1/search") && l.includes("cursor=")).length, 1);
      // Back from a trace the list is still there, without asking again.
      const asked = mock.log.filter((l) => l.startsWith("/v1/search")).length;
      await page.locator(".result .root a", { hasText: "trace 129" }).click();
      await page.locator(".wf-row").first().waitFor();
      await page.goBack();
      await page.locator(".result .root", { hasText: "trace 129" }).waitFor();
      assert.equal(mock.log.filter((l) => l.startsWith("/v1/search")).length, asked);
    });
  });
});

test("a trace that is not stored says so, and a server that goes away is not a blank page", async () => {
  await withMock([request("shop", [span(hex(1, 32), "a")])], async (url, mock) => {
    await withPage(
      site.browser,
      `${url}/trace/?id=${hex(0xabc, 32)}`,
      async (page) => {
        await page.getByRole("heading", { name: "No such trace", level: 1 }).waitFor();
        await page.locator(".trace-box input").fill(`00-${hex(1, 32)}-${hex(2, 16)}-01`);
        await page.keyboard.press("Enter");
        await page.locator(".wf-row").first().waitFor();
        await page.locator(".trace-box input").fill("not an id");
        await page.keyboard.press("Enter");
        await page.getByRole("alert").filter({ hasText: "Not a trace id" }).waitFor();
        goes(page);
        await page.getByRole("link", { name: "Explore", exact: true }).click();
        await page.getByRole("heading", { name: "Spoor does not answer" }).waitFor();
      },
      { expectErrors: true, breaks: "**/v1/**" },
    );
    assert.ok(mock.log.length > 0);
  });
});

test("a server that goes away takes nothing from the screen, and comes back by itself", async () => {
  await withMock([request("shop", [span(hex(1, 32), "a")])], async (url) => {
    await withPage(
      site.browser,
      url,
      async (page) => {
        await page.locator(".result:not(.head)").waitFor();
        await page.locator(".heat-canvas").waitFor();
        goes(page);
        await page.keyboard.press("r");
        await page.locator(".banner", { hasText: /Spoor does not answer \(.*\)\. What is below was read at \d\d:\d\d:\d\d\. / }).waitFor();
        assert.equal(await page.locator(".problem").count(), 0, "said once");
        assert.equal(await page.locator(".result:not(.head)").count(), 1);
        assert.equal(await page.locator(".heat-canvas").count(), 1);
        await assertAccessible(page, "a page without its server");
        comes(page);
        await page.locator(".banner").waitFor({ state: "detached" });
        // The list of services, too.
        await page.keyboard.press("g");
        await page.keyboard.press("s");
        const service = page.getByRole("link", { name: "shop" });
        await service.waitFor();
        goes(page);
        await page.keyboard.press("r");
        const problem = page.locator(".banner", { hasText: /What is below was read at \d\d:/ });
        await problem.waitFor();
        assert.equal(await service.count(), 1);
        comes(page);
        await problem.waitFor({ state: "detached" });
      },
      { expectErrors: true, breaks: "**/v1/**" },
    );
  });
});

test("a search that ran out of time says so, and a range without spans leads to some", async () => {
  await withMock([request("shop", [span(hex(1, 32), "a")])], async (url, mock) => {
    await withPage(site.browser, url, async (page) => {
      await page.locator(".result:not(.head)").waitFor();
      const whole = mock.search.bind(mock);
      mock.search = (url) => ({ ...whole(url), complete: false, incompleteReason: "timeBudget", cursor: "1" });
      await page.keyboard.press("r");
      await page.locator(".banner", { hasText: "stopped when its time was over" }).waitFor();
      assert.match(await page.locator(".summary").innerText(), /^at least 1 trace/);
      await assertAccessible(page, "a part of the answer");
      mock.search = whole;
    });
    await withPage(site.browser, `${url}/?from=now-5m&to=now-3m`, async (page) => {
      await page.getByRole("link", { name: "the nearest time with spans" }).click();
      await page.locator(".result:not(.head)").waitFor();
      assert.match(page.url(), /from=2026.*to=2026/);
    });
  });
});

test("300 services are not one drawing: a choice, a count, and the way to see all", async () => {
  const requests = Array.from({ length: 299 }, (_, i) => {
    const trace = hex(5000 + i, 32);
    const client = span(trace, "call", { kind: 3, length: 2000 });
    const server = span(trace, "serve", { kind: 2, parentSpanId: client.spanId });
    const one = request(`service-${i}`, [client]).resourceSpans;
    return { resourceSpans: [...one, ...request(`service-${i + 1}`, [server]).resourceSpans] };
  });
  await withMock(requests, async (url) => {
    await withPage(site.browser, `${url}/map/`, async (page) => {
      await page.locator(".too-many").waitFor();
      assert.match(await page.locator(".summary").innerText(), /0 of 300 services.*0 of 299 edges/s);
      await page.getByRole("link", { name: "service-10", exact: true }).first().click();
      await page.locator(".graph .node").first().waitFor();
      assert.equal(await page.locator(".graph .node").count(), 3);
      await page.keyboard.press("h");
      await page.waitForFunction(() => document.querySelectorAll(".graph .node").length === 5);
      await assertAccessible(page, "focused map");
    });
  });
});

test("a service that is not there, an empty range, and callers that cannot be read are said where they are", async () => {
  const spans = [span(hex(1, 32), "GET /", { kind: 2 }), span(hex(2, 32), HOSTILE[0], { kind: 2, start: 65e9, status: { code: 2 } })];
  await withMock([request("shop", spans)], async (url) => {
    await withPage(site.browser, `${url}/service/?s=sho&from=now-1h`, async (page) => {
      await page.getByRole("heading", { name: "No stored span is of a service sho" }).waitFor();
      await assertAccessible(page, "no such service");
      assert.deepEqual(await texts(page, ".ways li"), ["shop", "All services"]);
      await page.getByRole("link", { name: "shop" }).click();
      await page.getByRole("heading", { name: "No span of shop in this range" }).waitFor();
      await page.getByRole("link", { name: "Show all time" }).click();
      await page.locator(".chart").first().waitFor();
      await page.locator(".operations tbody td").first().waitFor();
      assert.ok((await texts(page, ".operations tbody td:first-child")).includes(HOSTILE[0]));
      assert.equal(await page.evaluate(() => window.__pwned), undefined);
    });
    await withPage(
      site.browser,
      `${url}/service/`,
      async (page) => {
        await page.getByRole("link", { name: "shop" }).waitFor();
        goes(page, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", body: '{"title":"Broken","status":500}' }));
        await page.getByRole("link", { name: "shop" }).click();
        await page.getByRole("tab", { name: "Callers and callees" }).click();
        await page.getByRole("heading", { name: "Callers and callees cannot be shown" }).waitFor();
        assert.equal(await page.locator(".chart").count(), 4);
        comes(page);
        await page.getByRole("button", { name: "Try again" }).click();
        await page.locator(".neighbour-tables").waitFor();
      },
      { expectErrors: true, breaks: "**/v1/graph**" },
    );
  });
});

test("a long address becomes a short one that opens the same page, on this server or another", async () => {
  const long = `{ ${Array.from({ length: 230 }, (_, i) => `span.item != "é-${i}"`).join(" && ")} }`;
  await withMock([request("shop", [span(hex(1, 32), "GET /")])], async (url, mock) => {
    let packed;
    const shownQuery = (page) => page.getByRole("combobox", { name: "Query, in TraceQL" }).inputValue();
    await withPage(site.browser, `${url}/?q=${encodeURIComponent(long)}&from=now-1h`, async (page) => {
      await page.waitForURL(/#z=/);
      packed = page.url();
      assert.ok(packed.length < 2000 && !packed.includes("q="), packed);
      assert.equal(await shownQuery(page), long);
      // Back and forward, and a reload, which sends no parameter.
      await page.getByRole("link", { name: "Services" }).click();
      await page.waitForURL(/service/);
      await page.goBack();
      await page.waitForURL(/#z=/);
      assert.equal(await shownQuery(page), long);
      await page.reload();
      await page.locator(".query-box input").waitFor();
      assert.equal(await shownQuery(page), long);
      await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => (window.__copied = text) } }));
      await page.getByRole("button", { name: "Copy link" }).click();
      await page.waitForFunction(() => window.__copied);
      assert.match(await page.evaluate(() => window.__copied), /^http:[^?]*#z=/);
      assert.ok(mock.log.some((path) => path.startsWith("/v1/search?") && path.length > 8000));
      // The way past the top bar leaves the address as it is.
      await page.locator(".skip").focus();
      await page.keyboard.press("Enter");
      await until(() => page.evaluate(() => document.activeElement?.id), "main", "the focus");
      assert.match(page.url(), /#z=/);
    }, { expectErrors: true });
    await withPage(site.browser, packed.slice(0, -9), async (page) => {
      await page.getByText("This link is damaged: what it asks for cannot be read").waitFor();
      await page.locator(".query-box input").waitFor();
      assert.equal(await shownQuery(page), "");
    });
  });
});

test("no page scrolls sideways at 390 and 320 pixels", async () => {
  const trace = hex(1, 32);
  const root = span(trace, "a very long operation name that goes on and on and on /with/a/path/{and}/parameters", { length: 5000000 });
  const kids = Array.from({ length: 30 }, (_, i) => span(trace, `child ${i}`, { parentSpanId: i ? "" : root.spanId, start: i * 1000 }));
  await withMock([request("a-service-with-a-rather-long-name", [root, ...kids])], async (url) => {
    for (const [path, ready] of [["/", ".result:not(.head)"], ["/?settings=keys", "dialog.settings[open]"], [`/trace/?id=${trace}&cp=1`, ".wf-row"], ["/?as=table", ".result:not(.head)"], ["/trace/", ".empty"], ["/compare/", "main h1"], ["/map/", ".graph .node"], ["/map/?view=table", ".edges"], ["/service/", ".edges"], ["/service/?s=a-service-with-a-rather-long-name", ".chart"], ["/service/?s=a-service-with-a-rather-long-name&view=table", ".steps"]]) {
      await withPage(
        site.browser,
        url + path,
        async (page) => {
          await page.locator(ready).first().waitFor();
          await assertNoSidewaysScroll(page, `${path} at 390`);
          await page.setViewportSize({ width: 320, height: 800 });
          await page.waitForTimeout(100);
          await assertNoSidewaysScroll(page, `${path} at 320`);
        },
        { width: 390, height: 800 },
      );
    }
  });
});

test("single keys can be switched off, and the choice is kept", async () => {
  await withMock([request("shop", [span(hex(1, 32), "a")])], async (url) => {
    await withPage(site.browser, url, async (page) => {
      await page.locator(".result:not(.head)").waitFor();
      await page.keyboard.press("?");
      await page.locator("dialog.help[open]").waitFor();
      await assertAccessible(page, "help");
      await page.getByRole("button", { name: "Settings and keys" }).click();
      await page.locator("dialog.settings[open]").waitFor();
      await assertAccessible(page, "settings");
      await page.getByLabel("Single-key shortcuts").uncheck();
      await page.keyboard.press("Escape");
      await page.locator("dialog[open]").waitFor({ state: "detached" });
      await page.keyboard.press("/");
      assert.equal(await page.locator(".query-box input:focus").count(), 0);
      await page.reload();
      await page.locator(".result:not(.head)").waitFor();
      await page.keyboard.press("/");
      assert.equal(await page.locator(".query-box input:focus").count(), 0);
    });
  });
});

test("settings have an address, keys are changed there, and a key that is taken is not taken silently", async () => {
  await withMock([request("shop", [span(hex(1, 32), "a"), span(hex(2, 32), "b")])], async (url) => {
    await withPage(site.browser, `${url}/?settings=keys`, async (page) => {
      const row = (name) => page.locator(".key-row").filter({ hasText: name });
      const key = async (name, press) => {
        await row(name).getByRole("button").first().click();
        await page.keyboard.press(press);
      };
      await page.locator("dialog.settings[open]").waitFor();
      await key("Theme", "j");
      const clash = page.locator(".key-clash");
      assert.match(await clash.innerText(), /j is “Next row” \(Rows and trees\)/);
      await assertAccessible(page, "settings with a key that is taken");
      await clash.getByRole("button", { name: "Leave it" }).click();
      assert.equal(await row("Theme").locator("kbd").innerText(), "D");
      await key("Theme", "q");
      assert.equal(await row("Theme").locator("kbd").innerText(), "q");
      // Two keys, one after the other; then one that is taken is taken away.
      await row("Facets on or off").getByRole("button").first().click();
      await page.keyboard.press("g");
      await page.keyboard.press("f");
      assert.equal(await row("Facets on or off").locator("kbd").innerText(), "g f");
      await key("To the compare basket", "m");
      await clash.getByRole("button", { name: "Take it away there" }).click();
      assert.match(await row("Traces or spans").innerText(), /none/);
      // Escape while a key is waited for leaves it; the dialog stays.
      await key("Time range", "Escape");
      assert.equal(await page.locator("dialog.settings[open]").count(), 1);
      await page.keyboard.press("Escape");
      await page.locator("dialog[open]").waitFor({ state: "detached" });
      assert.doesNotMatch(page.url(), /settings/);
      const theme = () => page.evaluate(() => localStorage.getItem("spoor.theme"));
      await page.keyboard.press("D");
      assert.equal(await theme(), "auto");
      await page.keyboard.press("q");
      assert.equal(await theme(), "light");
      await page.keyboard.press("j");
      await page.keyboard.press("m");
      await page.getByText("In the compare basket").waitFor();
      // What changed is there after the page is loaded anew, and help and titles say it.
      await page.reload();
      await page.locator(".result:not(.head)").first().waitFor();
      assert.match(await page.getByRole("button", { name: /^Theme/ }).getAttribute("title"), /\(q\)/);
      await page.keyboard.press("?");
      assert.match(await page.locator("dialog.help").innerText(), /q\s+Theme/);
      await page.getByRole("button", { name: "Settings and keys" }).click();
      await page.getByRole("button", { name: /^Reset/ }).click();
      assert.equal(await row("Theme").locator("kbd").innerText(), "D");
      assert.equal(await page.evaluate(() => localStorage.getItem("spoor.keymap")), "");
    });
  });
});

test("the palette goes to pages, services, operations and traces, does what the page can do, and changes settings", async () => {
  const trace = hex(7, 32);
  await withMock([request("shop", [span(trace, "POST /pay", { kind: 2 }), span(hex(2, 32), "GET /cart", { kind: 2 })])], async (url) => {
    await withPage(site.browser, url, async (page) => {
      const box = page.getByRole("combobox", { name: "Go to, or do, anything" });
      const chosen = page.locator(".palette [role=option][aria-selected=true]");
      const run = async (text, wanted) => {
        await page.keyboard.press("Control+k");
        await box.waitFor();
        await page.keyboard.type(text);
        // Services and operations come a moment later.
        await page.waitForFunction((text) => document.querySelector(".palette [aria-selected=true]")?.innerText.replace(/\s+/g, " ").includes(text), wanted);
        const [listed, foot] = await page.locator("dialog.palette").evaluate((d) => [d.querySelectorAll("[role=option]").length, d.querySelector(".palette-foot").innerText]);
        assert.match(foot, new RegExp(`^${listed} fits?\\b`));
        await page.keyboard.press("Enter");
        await page.locator("dialog.palette").waitFor({ state: "detached" });
      };
      await page.locator(".result:not(.head)").first().waitFor();
      // From a box, too: the focus goes back there.
      await page.locator(".query-box input").focus();
      await page.keyboard.press("Control+k");
      await box.waitFor();
      await until(() => box.evaluate((e) => e === document.activeElement), true, "the focus");
      await page.locator(".palette [role=option]").filter({ hasText: "Go to Map" }).waitFor();
      await assertAccessible(page, "palette");
      const before = await chosen.innerText();
      await page.keyboard.press("ArrowDown");
      assert.notEqual(await chosen.innerText(), before);
      assert.equal(await box.getAttribute("aria-activedescendant"), await chosen.getAttribute("id"));
      await page.keyboard.press("Escape");
      await page.locator("dialog[open]").waitFor({ state: "detached" });
      await until(() => page.locator(".query-box input").evaluate((e) => e === document.activeElement), true, "the focus");
      await run("pay", "shop POST /pay");
      await page.waitForURL(/service\/\?s=shop&op=POST/);
      await run("map", "Go to Map");
      await page.waitForURL(/\/map\//);
      await run(trace, `Open trace ${trace}`);
      await page.locator(".wf-row").first().waitFor();
      await run("gexpl", "Go to Explore");
      await page.locator(".result:not(.head)").first().waitFor();
      // The trace that was open is there again; actions are those of the page.
      await run("shop pay ms", "trace shop POST /pay");
      await page.locator(".wf-row").first().waitFor();
      await run("flame", "action Flame graph");
      await page.waitForURL(/view=flame/);
      await run("rows comp", "setting Rows: compact");
      await page.waitForFunction(() => document.documentElement.style.getPropertyValue("--row") === "20px");
      await run("chkeys", "setting Change keys");
      await page.locator("dialog.settings[open]").waitFor();
      await page.keyboard.press("Escape");
      await page.locator("dialog[open]").waitFor({ state: "detached" });
      await run('{ name = "GET /cart" }', "query Run");
      await page.waitForURL((u) => u.searchParams.get("q") === '{ name = "GET /cart" }');
      // Hostile text is text.
      await page.keyboard.press("Control+k");
      await page.keyboard.type('<script>"(');
      assert.match(await chosen.innerText(), /<script>"\(/);
      await page.keyboard.press("Enter");
      await page.waitForURL((u) => u.searchParams.get("q")?.includes("<script>"));
    });
  });
});

test("keys that a page has not, Explore has: / is the query from anywhere, and takes the focus once", async () => {
  const trace = hex(1, 32);
  await withMock([request("shop", [span(trace, "a")])], async (url) => {
    await withPage(site.browser, `${url}/compare/`, async (page) => {
      const query = page.locator(".query-box input");
      const focused = () => query.evaluate((e) => e === document.activeElement);
      await page.locator(".compare").waitFor();
      await page.keyboard.press("/");
      await query.waitFor();
      await page.waitForFunction(() => document.activeElement?.closest(".query-box"));
      await page.keyboard.press("Escape");
      assert.equal(await focused(), false);
      await page.keyboard.press("g");
      await page.keyboard.press("c");
      await page.locator(".compare").waitFor();
      await page.keyboard.press("g");
      await page.keyboard.press("e");
      await page.locator(".result:not(.head)").waitFor();
      assert.equal(await focused(), false, "the box takes the focus when it is asked to, not whenever the page opens");
      await page.goto(`${url}/map/`);
      await page.locator(".graph .node").first().waitFor();
      await page.keyboard.press("/");
      await until(() => page.evaluate(() => document.activeElement?.id), "map-find", "the focus");
      await page.keyboard.press("Escape");
      await page.goto(`${url}/service/`);
      await page.getByRole("link", { name: "shop" }).waitFor();
      await page.keyboard.press("/");
      await until(() => page.evaluate(() => document.activeElement?.ariaLabel), "Services whose name contains", "the focus");
      await page.keyboard.press("Escape");
      // There is no earlier than all time, which is said.
      await page.goto(`${url}/service/`);
      await page.getByRole("link", { name: "shop" }).waitFor();
      await page.keyboard.press(",");
      await page.locator(".toast", { hasText: "All time has nothing before or after it" }).waitFor();
      await page.goto(`${url}/trace/?id=${trace}`);
      await page.locator(".wf-row").first().waitFor();
      await page.keyboard.press("l");
      await page.waitForURL(/live=1/);
    });
  });
});

test("texts may be spaced as wide as WCAG 1.4.12 says, and nothing is cut or sideways", async () => {
  await withMock([request("shop", [span(hex(1, 32), "a")])], async (url) => {
    for (const [path, ready] of [["/", ".result:not(.head)"], ["/?settings=view", "dialog.settings[open]"], [`/trace/?id=${hex(1, 32)}`, ".wf-row"], ["/map/", ".graph .node"], ["/service/?s=shop", ".chart"]]) {
      await withPage(
        site.browser,
        url + path,
        async (page) => {
          await page.locator(ready).first().waitFor();
          await page.evaluate(() => {
            const sheet = new CSSStyleSheet();
            sheet.replaceSync("* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }");
            document.adoptedStyleSheets = [sheet];
          });
          await page.waitForTimeout(100);
          await assertNoSidewaysScroll(page, `${path} with wide texts`);
          const cut = await page.evaluate(() =>
            [...document.querySelectorAll(".button, select, .chip, h1, h2")].filter((e) => e.offsetParent && !e.closest(".clip, .offscreen") && getComputedStyle(e).overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1 && !e.querySelector(".clip") && e.tagName !== "SELECT").map((e) => e.textContent),
          );
          assert.deepEqual(cut, [], path);
        },
        { width: 390, height: 800 },
      );
    }
  });
});

test("forced colours keep every page readable", async () => {
  const trace = hex(1, 32);
  await withMock([request("shop", [span(trace, "a", { status: { code: 2 } })])], async (url) => {
    for (const [path, ready] of [["/", ".result:not(.head)"], [`/trace/?id=${trace}`, ".wf-row"], ["/map/", ".graph .node"], ["/service/?s=shop", ".chart"]]) {
      await withPage(site.browser, url + path, (page) => page.locator(ready).first().waitFor(), { forcedColors: "active" });
    }
  });
});
