// SPDX-License-Identifier: Apache-2.0
// The instrumentation of one service, loaded before it (node --require): the OpenTelemetry JS SDK with its usual
// instrumentations, exporting as SHOP_EXPORTER says to SHOP_ENDPOINT, and a record of every span that the exporter was told is stored.
//
// That record (SHOP_RECORD, one JSON object a line) is what the tests compare Spoor's answers with. It is written from the
// SDK's own objects, not from the bytes sent.
"use strict";
const fs = require("node:fs");
const { NodeTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-node");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { GrpcInstrumentation } = require("@opentelemetry/instrumentation-grpc");
const { ExpressInstrumentation } = require("@opentelemetry/instrumentation-express");
const { KoaInstrumentation } = require("@opentelemetry/instrumentation-koa");
const { FastifyInstrumentation } = require("@opentelemetry/instrumentation-fastify");

const EXPORTERS = {
  "grpc": { module: "@opentelemetry/exporter-trace-otlp-grpc", path: "" },
  "http/protobuf": { module: "@opentelemetry/exporter-trace-otlp-proto", path: "/v1/traces" },
  "http/json": { module: "@opentelemetry/exporter-trace-otlp-http", path: "/v1/traces" },
};

function createExporter() {
  const kind = EXPORTERS[process.env.SHOP_EXPORTER];
  const { OTLPTraceExporter } = require(kind.module);
  return new OTLPTraceExporter({
    url: process.env.SHOP_ENDPOINT + kind.path,
    compression: process.env.SHOP_COMPRESSION || "none",
  });
}

const nanos = ([seconds, rest]) => String(BigInt(seconds) * 1000000000n + BigInt(rest));

function recordOf(span) {
  const { traceId, spanId, traceState } = span.spanContext();
  return {
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId ?? "",
    traceState: traceState ? traceState.serialize() : "",
    service: span.resource.attributes["service.name"],
    resource: span.resource.attributes,
    scope: { name: span.instrumentationScope.name, version: span.instrumentationScope.version ?? "" },
    name: span.name,
    kind: span.kind + 1, // the SDK counts from INTERNAL = 0, OTLP from UNSPECIFIED = 0
    start: nanos(span.startTime),
    end: nanos(span.endTime),
    status: span.status,
    attributes: span.attributes,
    events: span.events.map((event) => ({ name: event.name, time: nanos(event.time), attributes: event.attributes ?? {} })),
    links: span.links.map((link) => ({
      traceId: link.context.traceId,
      spanId: link.context.spanId,
      attributes: link.attributes ?? {},
    })),
  };
}

/** Writes down what the wrapped exporter was told is stored; anything else goes to standard error and fails the test. */
class RecordingExporter {
  constructor(exporter, file) {
    this.exporter = exporter;
    this.file = file;
  }
  export(spans, done) {
    this.exporter.export(spans, (result) => {
      if (result.code === 0) fs.appendFileSync(this.file, spans.map((span) => JSON.stringify(recordOf(span)) + "\n").join(""));
      else console.error(`${process.env.SHOP_SERVICE}: ${spans.length} spans were not exported: ${result.error}`);
      done(result);
    });
  }
  forceFlush() {
    return this.exporter.forceFlush?.() ?? Promise.resolve();
  }
  shutdown() {
    return this.exporter.shutdown();
  }
}

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({
    "service.name": process.env.SHOP_SERVICE,
    "service.version": "1.4.2",
    "service.instance.id": `${process.env.SHOP_SERVICE}-${process.pid}`,
    "deployment.environment.name": "test",
    "process.pid": process.pid,
    "process.runtime.name": "nodejs",
    "process.runtime.version": process.versions.node,
  }),
  spanProcessors: [
    new BatchSpanProcessor(new RecordingExporter(createExporter(), process.env.SHOP_RECORD), {
      scheduledDelayMillis: 200,
      maxExportBatchSize: 64,
    }),
  ],
});
provider.register();
registerInstrumentations({
  instrumentations: [
    new HttpInstrumentation({ ignoreIncomingRequestHook: (request) => request.url === "/queue" }),
    new GrpcInstrumentation(),
    new ExpressInstrumentation(),
    new KoaInstrumentation(),
    new FastifyInstrumentation(),
  ],
});
module.exports.shutdown = () => provider.shutdown();
