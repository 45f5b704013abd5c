// SPDX-License-Identifier: Apache-2.0
// A real system sends to the real binary; what the read API says must be what the SDK recorded. Exit code 77: cannot run here.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import * as expected from "./expected.mjs";
import { ensureModules, Missing, startShop, startSpoor } from "./shop.mjs";

const REQUESTS = 120;
const dataDir = mkdtempSync(join(tmpdir(), "spoor-live-"));
let spoor;
let routes;
let services;
let spans;

async function get(path, parameters = {}) {
  const answer = await fetch(`http://${spoor.http}${path}?${new URLSearchParams(parameters)}`);
  const text = await answer.text();
  assert.equal(answer.status, 200, `GET ${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

/** All pages of a search. */
async function search(q) {
  const traces = [];
  let cursor = null;
  do {
    const page = await get("/v1/search", { q, limit: 50, ...(cursor ? { cursor } : {}) });
    assert.ok(page.complete || page.cursor, "a page is complete or says where to go on");
    traces.push(...page.traces);
    cursor = page.cursor;
  } while (cursor);
  return traces;
}

const traceIds = (list) => [...new Set(list.map(({ traceId }) => traceId))].sort();

try {
  const modules = await ensureModules();
  spoor = await startSpoor({ dataDir });
  const shop = await startShop({ spoor, modules });
  services = shop.services;
  try {
    routes = await shop.drive(REQUESTS);
  } finally {
    spans = await shop.stop();
  }
} catch (error) {
  await spoor?.stop("SIGKILL");
  rmSync(dataDir, { recursive: true, force: true });
  if (!(error instanceof Missing)) throw error;
  console.log(error.message);
  process.exit(77);
}
console.log(`${REQUESTS} requests made ${spans.length} spans in ${traceIds(spans).length} traces`);

after(async () => {
  await spoor.stop("SIGKILL");
  rmSync(dataDir, { recursive: true, force: true });
});

function checks(when) {
  test(`${when}: every request is one trace, and every service is there`, async () => {
    const traces = await search("{}");
    assert.equal(traces.length, REQUESTS);
    const roots = Object.fromEntries([...expected.groupBy(traces, (trace) => trace.rootTraceName)].map(([name, own]) => [name, own.length]));
    assert.deepEqual(roots, routes, "roots are named after the routes that the driver called");
    assert.ok(traces.every((trace) => trace.rootServiceName === "frontend"));
    const found = (await get("/v1/services")).services.map(({ name, spanCount, errorCount }) => ({ name, spanCount, errorCount }));
    assert.deepEqual(found, expected.services(spans));
    assert.deepEqual(found.map(({ name }) => name), services);
  });

  test(`${when}: every span comes back field for field`, async () => {
    for (const [traceId, sent] of expected.groupBy(spans, (span) => span.traceId)) {
      const stored = expected.fromOtlpJson(await get(`/v1/traces/${traceId}`));
      const order = (a, b) => (a.spanId < b.spanId ? -1 : 1);
      assert.deepEqual(stored.sort(order), sent.map(expected.fromRecord).sort(order));
    }
  });

  test(`${when}: a search result says how long, how many and how many failed`, async () => {
    const bySpan = expected.groupBy(spans, (span) => span.traceId);
    for (const trace of await search("{}")) {
      const own = bySpan.get(trace.traceId);
      assert.equal(Number(trace.spanCount), own.length);
      assert.equal(Number(trace.errorCount), own.filter(expected.isError).length);
      const start = own.map((span) => BigInt(span.start)).reduce((a, b) => (a < b ? a : b));
      const end = own.map((span) => BigInt(span.end)).reduce((a, b) => (a > b ? a : b));
      assert.equal(trace.startTimeUnixNano, String(start));
      assert.equal(trace.durationNano, String(end - start));
    }
  });

  test(`${when}: searches find the traces that a pass over all spans finds`, async () => {
    const cases = [
      ["{ resource.service.name = \"payment\" }", (span) => span.service === "payment"],
      ["{ status = error }", expected.isError],
      ["{ kind = client && span.db.system.name = \"postgresql\" }", (span) => span.attributes["db.system.name"] === "postgresql"],
      ["{ name =~ \"POST /cart.*\" }", (span) => /^(?:POST \/cart.*)$/.test(span.name)],
      ["{ duration > 5ms && kind = server }", (span) => expected.duration(span) > 5_000_000n && span.kind === 2],
      ["{ span.http.response.status_code >= 500 || span.http.status_code >= 500 }",
        (span) => span.attributes["http.response.status_code"] >= 500 || span.attributes["http.status_code"] >= 500],
      ["{ resource.service.name = \"nobody\" }", () => false],
    ];
    for (const [q, matches] of cases) {
      assert.deepEqual(traceIds(await search(q)), traceIds(spans.filter(matches)), q);
    }
  });

  test(`${when}: the graph has the edges, calls and errors of all spans`, async () => {
    const graph = await get("/v1/graph", { format: "json" });
    const found = {};
    for (const edge of graph.edges) {
      found[`${edge.client} -> ${edge.server} (${edge.connectionType})`] = { calls: Number(edge.calls), errors: Number(edge.errors) };
    }
    const wanted = expected.edges(spans);
    const counts = Object.fromEntries([...wanted].map(([name, { calls, errors }]) => [name, { calls, errors }]));
    assert.deepEqual(found, counts);
    for (const edge of graph.edges) {
      const { client, server } = wanted.get(`${edge.client} -> ${edge.server} (${edge.connectionType})`);
      for (const [quantiles, durations] of [[edge.clientLatency, client], [edge.serverLatency, server]]) {
        if (durations.length === 0) continue;
        for (const [name, q] of [["p50", 0.5], ["p90", 0.9], ["p95", 0.95], ["p99", 0.99]]) {
          assertWithin(quantiles[name], expected.quantile(durations, q), graph.relativeError, `${edge.client} -> ${edge.server} ${name}`);
        }
      }
    }
  });

  test(`${when}: latency series count every span and keep their stated error`, async () => {
    const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];
    const latency = await get("/v1/latency", { q: "0,0.5,0.95,1" });
    const wanted = expected.groupBy(spans, (span) => `${span.service} ${span.name} ${KINDS[span.kind]}`);
    assert.equal(latency.series.length, wanted.size);
    for (const series of latency.series) {
      const name = `${series.service} ${series.operation} ${series.kind}`;
      const own = wanted.get(name);
      assert.ok(own, `a series of no span: ${name}`);
      assert.equal(Number(series.calls), own.length, name);
      assert.equal(Number(series.errors), own.filter(expected.isError).length, name);
      for (const [q, value] of Object.entries(series.quantiles)) {
        assertWithin(value, expected.quantile(own.map(expected.duration), Number(q)), latency.relativeError, `${name} ${q}`);
      }
    }
  });
}

function assertWithin(value, exact, relativeError, what) {
  const error = Math.abs(Number(BigInt(value) - exact));
  assert.ok(error <= Number(exact) * relativeError + 1, `${what}: ${value} is not within ${relativeError} of ${exact}`);
}

checks("live");

test("SIGTERM drains and ends with 0, and a new process has all of it", async () => {
  const ended = await spoor.stop("SIGTERM");
  assert.deepEqual(ended, { code: 0, signal: null });
  spoor = await startSpoor({ dataDir });
});

checks("after a restart");
