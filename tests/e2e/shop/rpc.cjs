// SPDX-License-Identifier: Apache-2.0
// What the gRPC services share: shop.proto as clients and servers.
"use strict";
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const shop = grpc.loadPackageDefinition(loader.loadSync(path.join(__dirname, "shop.proto"), { longs: Number })).shop;

/** A client whose calls resolve to the reply. */
function client(service, address) {
  const stub = new shop[service](address, grpc.credentials.createInsecure());
  return (method, request) =>
    new Promise((resolve, reject) => stub[method](request, (error, reply) => (error ? reject(error) : resolve(reply))));
}

/** Serves async handlers {Method: request -> reply} on a free port; resolves to HOST:PORT. */
function serve(service, handlers) {
  const server = new grpc.Server();
  const wrapped = {};
  for (const [method, handler] of Object.entries(handlers)) {
    wrapped[method] = (call, reply) => handler(call.request).then((answer) => reply(null, answer), (error) => reply(error));
  }
  server.addService(shop[service].service, wrapped);
  return new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(`127.0.0.1:${port}`),
    ),
  );
}

module.exports = { client, serve, status: grpc.status };
