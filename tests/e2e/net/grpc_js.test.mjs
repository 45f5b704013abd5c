// SPDX-License-Identifier: Apache-2.0
// lib/net and @grpc/grpc-js, the client library of the OpenTelemetry JS SDK. Exit code 77: cannot run here.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { ensureModules, Missing } from "../shop.mjs";

let grpc;
try {
  const modules = await ensureModules();
  grpc = createRequire(join(modules, "x.js"))("@grpc/grpc-js");
} catch (error) {
  if (!(error instanceof Missing)) throw error;
  console.log(error.message);
  process.exit(77);
}

const MANY = 1000;
const children = new Set();
after(() => children.forEach((child) => child.kill("SIGKILL")));

/** An echo server: {port, ask(line), stop()}. */
async function serve(...settings) {
  const child = spawn(process.env.ECHO_SERVER, ["h2", ...settings], { stdio: ["pipe", "pipe", "inherit"] });
  children.add(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async () => (await lines.next()).value;
  const port = (await read()).split(" ")[1];
  return {
    port,
    ask: (line) => (child.stdin.write(`${line}\n`), read()),
    stop: async () => {
      const exit = once(child, "exit");
      child.stdin.end();
      assert.equal(await read(), "budget 0");
      assert.equal((await exit)[0], 0);
      children.delete(child);
    },
  };
}

const same = (bytes) => bytes;

function connect(port, options = {}) {
  return new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1, ...options,
  });
}

/** A unary call: {status, message, body}; status 0 is success. */
function call(client, method, body, { timeoutMs = 20000, headers = {} } = {}) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return new Promise((done) => {
    client.makeUnaryRequest(`/t.T/${method}`, same, same, body, metadata, { deadline: Date.now() + timeoutMs }, (error, reply) =>
      done(error ? { status: error.code, message: error.details, metadata: error.metadata } : { status: 0, body: reply }));
  });
}

test("echoes small, empty and large messages", async () => {
  const server = await serve();
  const client = connect(server.port);
  for (const size of [0, 5, 70000, 9 << 20]) {
    const body = Buffer.alloc(size, "abcdefg");
    const reply = await call(client, size % 2 ? "Echo" : "Later", body);
    assert.equal(reply.status, 0, reply.message);
    assert.ok(body.equals(reply.body));
  }
  client.close();
  await server.stop();
});

test("many calls at once on one connection", async () => {
  const server = await serve("streams_max=100");
  const client = connect(server.port);
  const replies = await Promise.all(Array.from({ length: MANY }, (_, i) => call(client, "Echo", Buffer.from(`call ${i}`))));
  replies.forEach((reply, i) => assert.equal(reply.body?.toString(), `call ${i}`, reply.message));
  client.close();
  await server.stop();
});

test("keepalive pings are answered and are no flood", async () => {
  const server = await serve();
  const client = connect(server.port, { "grpc.keepalive_time_ms": 10, "grpc.keepalive_permit_without_calls": 1 });
  for (let i = 0; i < 20; i++) {
    assert.equal((await call(client, "Echo", Buffer.from("x"))).status, 0);
    await new Promise((done) => setTimeout(done, 15));
  }
  assert.match(await server.ask("stats"), /accepted=1 .* protocol_errors=0 /);
  client.close();
  await server.stop();
});

test("a refusal before the body carries status, message and details", async () => {
  const server = await serve();
  const client = connect(server.port);
  for (const size of [3, 5 << 20]) {
    const reply = await call(client, "Head", Buffer.alloc(size));
    assert.equal(reply.status, grpc.status.UNIMPLEMENTED);
    assert.equal(reply.message, "no such method: 100% ä");
    assert.deepEqual([...reply.metadata.get("grpc-status-details-bin")[0]], [8, 12]);
  }
  client.close();
  await server.stop();
});

test("a message over the limit is RESOURCE_EXHAUSTED, and the connection goes on", async () => {
  const server = await serve("body_bytes_max=1000");
  const client = connect(server.port);
  const reply = await call(client, "Echo", Buffer.alloc(3 << 20));
  assert.equal(reply.status, grpc.status.RESOURCE_EXHAUSTED);
  assert.match(reply.message, /larger than 1000 bytes/);
  assert.equal((await call(client, "Echo", Buffer.alloc(1000))).status, 0);
  assert.match(await server.ask("stats"), /accepted=1 /);
  client.close();
  await server.stop();
});

test("a head over the limit is refused", async () => {
  const server = await serve();
  const client = connect(server.port);
  const reply = await call(client, "Echo", Buffer.alloc(1), { headers: { "x-long": "v".repeat(40000) } });
  assert.notEqual(reply.status, 0);
  client.close();
  await server.stop();
});

test("an exhausted budget is UNAVAILABLE, which may be tried again", async () => {
  const server = await serve("budget=1000000", "budget_wait_ms=20");
  const client = connect(server.port);
  const replies = await Promise.all(Array.from({ length: 30 }, () => call(client, "Later", Buffer.alloc(200000))));
  const statuses = new Set(replies.map(({ status }) => status));
  assert.ok(statuses.has(0) || statuses.has(grpc.status.UNAVAILABLE));
  assert.ok([...statuses].every((status) => status === 0 || status === grpc.status.UNAVAILABLE), [...statuses].join());
  assert.equal((await call(client, "Later", Buffer.alloc(200000))).status, 0);
  client.close();
  await server.stop();
});

test("a client that gives up cancels its call, and the server lets go", async () => {
  const server = await serve();
  const client = connect(server.port);
  const reply = await call(client, "Hold", Buffer.from("x"), { timeoutMs: 100 });
  assert.equal(reply.status, grpc.status.DEADLINE_EXCEEDED);
  assert.equal((await call(client, "Echo", Buffer.from("x"))).status, 0);
  client.close();
  await server.stop();
});

test("draining finishes calls under way and refuses new ones", async () => {
  const server = await serve();
  const client = connect(server.port);
  assert.equal((await call(client, "Echo", Buffer.from("x"))).status, 0);
  const held = call(client, "Hold", Buffer.from("held"));
  while (!/requests=2 /.test(await server.ask("stats")));
  const drained = server.ask("drain");
  assert.equal((await held).body?.toString(), "held");
  assert.equal(await drained, "drained 1");
  assert.equal((await call(client, "Echo", Buffer.from("x"), { timeoutMs: 2000 })).status, grpc.status.UNAVAILABLE);
  client.close();
  await server.stop();
});
