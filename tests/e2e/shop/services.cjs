// SPDX-License-Identifier: Apache-2.0
// The eight services of the shop. Each is a function (addresses of the others) -> its own address, so that a process is one of them.
// What they do depends only on the request, never on chance: the driver knows what each request must cause.
"use strict";
const { trace, context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode } = require("@opentelemetry/api");
const { suppressTracing } = require("@opentelemetry/core");
const { callJson, listen, pause } = require("./http.cjs");

const PRODUCTS = { kettle: 2900, teapot: 3500, cup: 700, strainer: 450, tea: 1250 };
const tracer = () => trace.getTracer("shop", "1.4.2");

/** frontend (express): the only service that the driver talks to. */
async function frontend(at) {
  const express = require("express");
  const checkout = require("./rpc.cjs").client("Checkout", at.checkout);
  const app = express();
  app.use(express.json());
  app.get("/products", async (request, response) => {
    const products = await callJson("GET", `http://${at.catalog}/products`);
    const advice = await callJson("GET", `http://${at.recommendation}/advice/tea`);
    response.json({ products: products.body, advice: advice.body });
  });
  app.get("/products/:id", async (request, response) => {
    const product = await callJson("GET", `http://${at.catalog}/products/${request.params.id}`);
    response.status(product.status).json(product.body);
  });
  app.post("/cart/:user", async (request, response) => {
    const cart = await callJson("POST", `http://${at.cart}/carts/${request.params.user}`, request.body);
    response.status(cart.status).json(cart.body);
  });
  app.post("/checkout/:user", async (request, response) => {
    try {
      response.json(await checkout("Place", { user: request.params.user, number: request.body.number }));
    } catch (error) {
      response.status(error.code === require("./rpc.cjs").status.FAILED_PRECONDITION ? 402 : 500).json({ error: error.details });
    }
  });
  return listen(app);
}

/** catalog (fastify): products, from a database that is only a span. */
async function catalog() {
  const app = require("fastify")();
  const select = (what) =>
    tracer().startActiveSpan(
      `SELECT ${what}`,
      {
        kind: SpanKind.CLIENT,
        attributes: {
          "db.system.name": "postgresql",
          "db.namespace": "products",
          "db.query.text": `SELECT * FROM ${what} WHERE price < 99.5 -- Käse & <b>Brot</b>`,
          "db.response.returned_rows": Object.keys(PRODUCTS).length,
          "db.cost": 12.25,
          "db.cached": false,
          "db.tables": [what, "prices"],
        },
      },
      async (span) => {
        await pause(3);
        span.addEvent("rows read", { "rows": 5 });
        span.end();
      },
    );
  app.get("/products", async () => {
    await select("products");
    return PRODUCTS;
  });
  app.get("/products/:id", async (request, reply) => {
    await select("product");
    const cents = PRODUCTS[request.params.id];
    if (cents === undefined) {
      const error = new Error(`no product ${request.params.id}`);
      trace.getActiveSpan()?.recordException(error);
      trace.getActiveSpan()?.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      return reply.code(404).send({ error: error.message });
    }
    return { id: request.params.id, cents };
  });
  return app.listen({ host: "127.0.0.1", port: 0 }).then((address) => new URL(address).host);
}

/** cart (koa). */
async function cart(at) {
  const Koa = require("koa");
  const Router = require("@koa/router");
  const app = new Koa();
  const router = new Router();
  const carts = new Map();
  router.post("/carts/:user", async (ctx) => {
    const chunks = [];
    for await (const chunk of ctx.req) chunks.push(chunk);
    const item = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    const product = await callJson("GET", `http://${at.catalog}/products/${item.product}`);
    if (product.status === 200) carts.set(ctx.params.user, [...(carts.get(ctx.params.user) ?? []), item]);
    ctx.status = product.status;
    ctx.body = carts.get(ctx.params.user) ?? [];
  });
  router.get("/carts/:user", (ctx) => {
    ctx.body = carts.get(ctx.params.user) ?? [];
  });
  app.use(router.routes());
  return listen(app.callback());
}

/** checkout (gRPC): the heart; calls five others and leaves a message for the sixth. */
async function checkout(at) {
  const rpc = require("./rpc.cjs");
  const payment = rpc.client("Payment", at.payment);
  return rpc.serve("Checkout", {
    Place: async (order) => {
      const items = (await callJson("GET", `http://${at.cart}/carts/${order.user}`)).body;
      let cents = 0;
      for (const item of items) {
        cents += (await callJson("GET", `http://${at.catalog}/products/${item.product}`)).body.cents * item.count;
      }
      await payment("Charge", { user: order.user, cents, declined: order.number % 7 === 3 });
      let tracking;
      for (let attempt = 1; tracking === undefined; attempt++) {
        const shipped = await callJson("POST", `http://${at.shipping}/shipments`, { number: order.number, attempt });
        if (shipped.status === 201) tracking = shipped.body.tracking;
      }
      await publish(at.email, { user: order.user, tracking });
      return { tracking, cents };
    },
  });
}

/** Hands a message to the email service. The queue between them is not instrumented; the two ends are. */
function publish(email, message) {
  return tracer().startActiveSpan(
    "orders publish",
    {
      kind: SpanKind.PRODUCER,
      attributes: { "messaging.system": "rabbitmq", "messaging.destination.name": "orders", "messaging.operation.type": "send" },
    },
    async (span) => {
      const headers = {};
      propagation.inject(context.active(), headers);
      await context.with(suppressTracing(context.active()), () => callJson("POST", `http://${email}/queue`, { headers, message }));
      span.end();
    },
  );
}

/** payment (gRPC): some cards are declined. */
async function payment() {
  const rpc = require("./rpc.cjs");
  return rpc.serve("Payment", {
    Charge: async (charge) => {
      trace.getActiveSpan()?.setAttributes({ "payment.cents": charge.cents, "payment.card": "4•••" });
      await pause(2);
      if (charge.declined) throw Object.assign(new Error("card declined"), { code: rpc.status.FAILED_PRECONDITION });
      return { transaction: `t-${charge.user}` };
    },
  });
}

/** shipping (fastify): busy at the first attempt of every fifth order. */
async function shipping() {
  const app = require("fastify")();
  app.post("/shipments", async (request, reply) => {
    const { number, attempt } = request.body;
    if (number % 5 === 0 && attempt === 1) return reply.code(503).send({ error: "no driver" });
    await pause(4);
    return reply.code(201).send({ tracking: `s-${number}` });
  });
  return app.listen({ host: "127.0.0.1", port: 0 }).then((address) => new URL(address).host);
}

/** recommendation (express). */
async function recommendation(at) {
  const app = require("express")();
  app.get("/advice/:id", async (request, response) => {
    const names = Object.keys((await callJson("GET", `http://${at.catalog}/products`)).body);
    response.json(
      tracer().startActiveSpan("rank", { attributes: { "rank.candidates": names } }, (span) => {
        span.end();
        return names.filter((name) => name !== request.params.id);
      }),
    );
  });
  return listen(app);
}

/** email (koa): takes messages from the queue, each in a consumer span that hangs from the producer and links to it. */
async function email() {
  const Koa = require("koa");
  const app = new Koa();
  app.use(async (ctx) => {
    const chunks = [];
    for await (const chunk of ctx.req) chunks.push(chunk);
    const { headers, message } = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    const parent = propagation.extract(ROOT_CONTEXT, headers);
    tracer()
      .startSpan(
        "orders process",
        {
          kind: SpanKind.CONSUMER,
          links: [{ context: trace.getSpanContext(parent), attributes: { "link.reason": "same message" } }],
          attributes: { "messaging.system": "rabbitmq", "messaging.destination.name": "orders", "email.user": message.user },
        },
        parent,
      )
      .end();
    ctx.status = 202;
    ctx.body = {};
  });
  return listen(app.callback());
}

module.exports = { frontend, catalog, cart, checkout, payment, shipping, recommendation, email };
