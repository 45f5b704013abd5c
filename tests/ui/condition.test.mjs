// SPDX-License-Identifier: Apache-2.0
// Conditions on a trace from a file are evaluated in the browser: they must find what the server finds on the same trace, refuse what it refuses,
// and say by name what they leave to it. Fixed conditions for each rule, and random ones from the fields and values of recorded traces.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { useSite } from "./site.mjs";
import { groupBy, recordedRequests, spansOf } from "./spans.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const requests = recordedRequests(join(here, "../data/otel-js-shop/json.tar.gz")).map((r) => JSON.parse(r.body));
const T0 = 1795350535000000000n;
const ODD = "dd".repeat(16);
const hex = (n) => n.toString(16).padStart(16, "0");
const value = (kind, v) => ({ [`${kind}Value`]: v });

/** Values of each type and shape, beside each other. */
function oddRequest() {
  const values = {
    text: value("string", "plain"), empty: value("string", ""), upper: value("string", "PLAIN"), emoji: value("string", "\u{1f600} ok"), high: value("string", "\uffee"), lines: value("string", "a\nb"),
    braces: value("string", "GET /users/{id}"), int: value("int", "42"), big: value("int", "9007199254740993"), least: value("int", "-9223372036854775808"), double: value("double", 42.5), whole: value("double", 42),
    near: value("double", 9007199254740992), nan: value("double", "NaN"), inf: value("double", "Infinity"), yes: value("bool", true), no: value("bool", false), bytes: value("bytes", "AAEC"),
    list: value("kvlist", { values: [{ key: "a", value: value("int", "1") }] }), none: {}, texts: value("array", { values: [value("string", "a"), value("string", "plain")] }),
    numbers: value("array", { values: [value("int", "1"), value("double", 42), value("string", "x")] }), nothing: value("array", { values: [] }), bools: value("array", { values: [value("bool", true)] }),
  };
  const names = Object.keys(values);
  const span = (i) => ({
    traceId: ODD, spanId: hex(i + 1), parentSpanId: i === 0 ? "" : i === 7 ? hex(0xdead) : hex(1 + Math.floor((i - 1) / 3)), name: names[i], kind: i % 6,
    startTimeUnixNano: String(T0 + BigInt(i * 1000)), endTimeUnixNano: String(T0 + BigInt(i === 5 ? 0 : i * 1000 + (i % 4) * 1_500_000)),
    attributes: [{ key: names[i], value: values[names[i]] }, { key: "v", value: values[names[i]] }, ...(i % 2 ? [{ key: "half", value: value("int", String(i)) }] : []), { key: "with space", value: value("bool", i % 3 === 0) }],
    status: i % 4 === 0 ? { code: 2, message: "boom" } : i % 4 === 1 ? { code: 1 } : {},
    events: i % 3 === 0 ? [{ name: "exception", timeUnixNano: String(T0 + BigInt(i * 1000 + 500)), attributes: [{ key: "n", value: value("int", String(i)) }] }, { name: "log", timeUnixNano: String(T0), attributes: [{ key: "n", value: value("int", "100") }, { key: "flag", value: value("bool", false) }] }] : [],
    links: i % 5 === 0 ? [{ traceId: "0".repeat(31) + "7", spanId: hex(0xabc), attributes: [{ key: "why", value: value("string", "retry") }] }] : [],
  });
  const half = (service, spans) => ({ resource: { attributes: [...(service ? [{ key: "service.name", value: value("string", service) }] : []), { key: "half", value: value("string", "resource") }] }, scopeSpans: [{ scope: { name: "lib", version: "1.2", attributes: [{ key: "s", value: value("int", "1") }] }, spans }] });
  const all = names.map((_, i) => span(i));
  return { resourceSpans: [half("web", all.filter((_, i) => i % 2 === 0)), half("", all.filter((_, i) => i % 2 === 1))] };
}

const FIXED = [
  "{ }", "", "{ status = error }", "{ status != ok }", "{ kind = server || kind = client }", "{ duration > 1ms }", "{ duration >= 1.5ms && duration < 1h30m }", "{ 1ms < duration }", "{ .v = 42 }", "{ .v = 42.0 }", "{ .v != 42 }",
  "{ .v > 41 }", "{ .v <= 42ns }", "{ .v = 9007199254740993 }", "{ .v = 9007199254740992 }", "{ .v = minInt }", "{ .v < maxInt }", "{ .v = \"plain\" }", "{ .v != \"plain\" }", "{ .v < \"b\" }", "{ .v > \"\\uffe0\" }", "{ .v >= \"\\U0001F600\" }",
  "{ .v =~ \"p.*n\" }", "{ .v !~ \"p.*n\" }", "{ .v =~ \"(?i)plain\" }", "{ .v =~ \"a.b\" }", "{ .v =~ \"(?s)a.b\" }", "{ .v =~ `GET /users/{id}` }", "{ .v =~ `\\S+` }", "{ .v =~ `[[:alpha:]]+` }", "{ .v =~ `[\\w\\s/{}]+` }", "{ .v =~ `(?P<n>a)\\n(b)` }", "{ .v =~ `\\pL+` }",
  "{ .v =~ `(?=a)` }", "{ .v =~ `(a)\\1` }", "{ .v =~ `a{2` }", "{ .v =~ `a]` }", "{ .v =~ `[]a]` }", "{ .v =~ `(` }", "{ .v =~ `\\A.*\\z` }", "{ .v = true }", "{ .v != true }", "{ .v }", "{ !.v }", "{ !.v && status = error }", "{ !(.v = true) }", "{ .\"with space\" }", "{ span.\"with space\" = false }",
  "{ .v = nil }", "{ .half = nil }", "{ .half != nil }", "{ nil = .half }", "{ .half = \"resource\" }", "{ span.half > 3 }", "{ resource.half = \"resource\" }", "{ parent.half > 2 }", "{ parent.v = \"plain\" }", "{ parent.resource.half = \"resource\" }", "{ parent = nil }", "{ parent != nil }",
  "{ event:name = \"exception\" }", "{ event:name != \"exception\" }", "{ event.n > 50 }", "{ event.n != 100 }", "{ event.flag }", "{ !event.flag }", "{ event.n = nil }", "{ event:timeSinceStart > 100ns }", "{ event:timeSinceStart < 0 }", "{ link:traceID = \"7\" }", "{ link:spanID = \"ABC\" }", "{ link.why =~ \"re.*\" }", "{ link.why = nil }",
  "{ span:id = \"A\" }", "{ span:id =~ \"0+a\" }", "{ span:parentID = nil }", "{ span:parentID = \"1\" }", "{ trace:id != nil }", "{ span:childCount > 2 }", "{ childCount = 0 }", "{ trace:duration > 1ms }", "{ rootName = \"text\" }", "{ rootServiceName = \"web\" }", "{ trace:rootService != nil }",
  "{ service = \"unknown_service\" }", "{ service =~ \"w.*\" }", "{ statusMessage = \"boom\" }", "{ statusMessage = nil }", "{ instrumentation:name = \"lib\" }", "{ instrumentation:version > \"1.1\" }", "{ instrumentation.s = 1 }", "{ name > \"n\" }", "{ true }", "{ false || status = error }", "{ status = error || kind = server && duration > 1ms }",
  "{ (status = error || kind = server) && duration > 1ms }", "{ .a-b = 1 }", "{ span.v = .v }", "{ .v = span.half }", "{ event.n = span.half }", "{ .v > -1 && .v < 1e3 }", "{ .v = .5 }", "{ .v = 42. }", "{ name = `text` } // comment", "{ /* c */ name != \"text\" }", "{ .v = \"a\\nb\" }", "{ .v = \"\\x70lain\" }", "{ 42 = .v }", "{ 43 > .v }", "{ \"plain\" = .v }", "{ nil = nil }", "{ nil != nil }",
  "{ status = .v }", "{ .v = error }", "{ kind != nil }", "{ .v = .v = true }",
  // What is no query.
  "{ name > 3 }", "{ status > ok }", "{ duration = \"1\" }", "{ name }", "{ duration }", "{ status = server }", "{ name = nil }", "{ duration =~ \"a\" }", "{ .a =~ .b }", "{ 1 = nil }", "{ parent = 1 }", "{ !name }", "{ name && status = error }", "{", "{ name = }", "{ name = \"a }", "{ nosuch = 1 }", "{ .a = 5x }", "{ name = \"\\q\" }", "status = error", "{ span:nosuch = 1 }", "{ .a < nil }", "{ .a = 99999999999999999999 }", "{ .v < true }", "{ (((.v = 1) }", "{ .v = 1 && }", "{ .v = 1h2 }", "{ trace.a = 1 }",
  // What is the server's alone.
  "{ .v + 1 = 43 }", "{ status = error } >> { }", "{ } | count() > 1", "{ nestedSetLeft > 3 }", "{ -.v = -42 }", "{ } | by(service)", "({ status = error })", "{ .v =~ `\\Qa.b\\E` }", "{ .v = \"\\xff\" }", "{ .v =~ `(?i:plain)` }", "{ } && { }",
];
const SERVERS = /server only/;

let model;
let folder;

async function buildModel() {
  const esbuild = createRequire(join(process.env.UI_MODULES, "x.js"))("esbuild");
  folder = mkdtempSync(join(tmpdir(), "spoor-condition-"));
  const source = join(here, "../../ui-static/src/model");
  const contents = ["condition", "assemble", "otlp", "find", "condition-value"].map((name) => `export * from ${JSON.stringify(join(source, name))};`).join("\n");
  await esbuild.build({ stdin: { contents, resolveDir: source, loader: "ts" }, bundle: true, format: "esm", platform: "node", target: "node18", outfile: join(folder, "model.mjs") });
  model = await import(pathToFileURL(join(folder, "model.mjs")).href);
}
const site = useSite({ browser: false, requests: () => [...requests, oddRequest()], prepare: buildModel });
after(async () => {
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const get = (path) => fetch(`${site.url}/v1/traces/${path}`);

/** The trace as a file would have it: what the server gives out. */
async function fileOf(id) {
  const trace = model.assemble(model.readSpans(await (await get(id)).text()));
  const columns = await (await get(`${id}?view=columns`)).json();
  assert.equal(trace.columns.spanIds, columns.spanIds, "rows are the same");
  return trace;
}

/** Compares one condition on one trace; says what came of it. */
async function compare(id, trace, q) {
  const answer = await get(`${id}/match?${new URLSearchParams({ q })}`);
  const body = await answer.json();
  let own;
  try {
    const matches = model.compileCondition(q, trace);
    own = trace.spans.map((_, row) => (matches(row) ? 1 : 0));
  } catch (error) {
    assert.ok(error instanceof model.ConditionProblem, `${q}: ${error.stack}`);
    if (answer.status === 400) return "refused";
    assert.match(error.message, SERVERS, q);
    return "server";
  }
  assert.equal(answer.status, 200, `${q}: the server says ${body.detail}`);
  const mask = [...model.maskOfBitmap(body.bitmap, trace.spans.length)];
  const differ = own.findIndex((m, row) => m !== mask[row]);
  assert.ok(differ < 0, `${q}: row ${differ} ${JSON.stringify(trace.spans[differ]?.span)} is ${own[differ]} here, ${mask[differ]} there`);
  return own.includes(1) && own.includes(0) ? "some" : "all or none";
}

test("each rule of the language, on values of each type", async () => {
  const trace = await fileOf(ODD);
  const counts = {};
  for (const q of FIXED) {
    const came = await compare(ODD, trace, q);
    counts[came] = (counts[came] ?? 0) + 1;
  }
  // The list is worth something: most find some spans and not others, and each way out is taken.
  assert.ok(counts.some > 60 && counts.refused >= 20 && counts.server >= 8, JSON.stringify(counts));
});

/** The same numbers each time. */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("random conditions from the fields and values of recorded traces", async () => {
  const all = [...groupBy(requests.flatMap(spansOf), (s) => s.traceId).values()].sort((a, b) => b.length - a.length);
  const counts = {};
  const random = numbers(7);
  const pick = (list) => list[random(list.length)];
  for (const own of [all[0], all[1], all[40], all[200]]) {
    const id = own[0].traceId;
    const trace = await fileOf(id);
    const fields = () => {
      const { span, resource, scope } = pick(trace.spans);
      const text = (s) => JSON.stringify(s);
      const literal = (v) => (v?.stringValue !== undefined ? text(v.stringValue) : v?.intValue !== undefined ? String(v.intValue) : v?.doubleValue !== undefined ? String(v.doubleValue) : v?.boolValue !== undefined ? String(v.boolValue) : '"none"');
      const of = (scope, list) => (list?.length ? [((a) => [`${scope}"${a.key}"`, literal(a.value)])(pick(list))] : []);
      return pick([
        ["name", text(span.name)], ["service", '"checkout"'], ["duration", `${random(5000)}us`], ["status", pick(["ok", "error", "unset"])], ["kind", pick(["server", "client", "internal"])], ["childCount", String(random(4))],
        ["span:id", text(span.spanId)], ["span:parentID", text(span.parentSpanId ?? "1")], ["rootName", text(span.name)], ["instrumentation:name", text(scope.name ?? "")], ["statusMessage", text(span.status?.message ?? "")],
        ...of("span.", span.attributes), ...of("span.", span.attributes), ...of(".", span.attributes), ...of("resource.", resource.attributes), ...of("parent.", span.attributes), ...of("event.", span.events?.[0]?.attributes),
        ...(span.events?.length ? [["event:name", text(span.events[0].name)], ["event:timeSinceStart", `${random(3000)}us`]] : []), ...(span.links?.length ? [["link:traceID", text(span.links[0].traceId)]] : []),
      ]);
    };
    const condition = (depth) => {
      const shape = random(depth > 2 ? 6 : 9);
      if (shape >= 6) return `(${condition(depth + 1)} ${pick(["&&", "||"])} ${condition(depth + 1)})`;
      const [field, literal] = fields();
      if (shape === 5) return `${field} ${pick(["=", "!="])} nil`;
      if (shape === 4) return `!(${condition(depth + 2)})`;
      if (shape === 3 && literal.startsWith('"')) return `${field} ${pick(["=~", "!~"])} ${JSON.stringify(`${JSON.parse(literal).slice(0, 4).replace(/[^\w ]/g, ".")}.*`)}`;
      return `${field} ${pick(["=", "!=", "=", "<", ">=", ">"])} ${literal}`;
    };
    for (let i = 0; i < 150; i++) {
      const came = await compare(id, trace, `{ ${condition(0)} ${pick(["&&", "||"])} ${condition(1)} }`);
      counts[came] = (counts[came] ?? 0) + 1;
    }
  }
  assert.ok(counts.some > 150 && !counts.server, JSON.stringify(counts));
});
