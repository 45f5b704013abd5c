// SPDX-License-Identifier: Apache-2.0
// What the services share: JSON over HTTP through node:http, which the instrumentation sees.
"use strict";
const http = require("node:http");

/** Sends JSON, resolves to {status, body}. Rejects only when the connection fails. */
function callJson(method, url, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers: { "content-type": "application/json" } }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode, body: text ? JSON.parse(text) : null }));
    });
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Listens on a free port of the loopback interface and resolves to HOST:PORT. */
function listen(handler) {
  return new Promise((resolve) => {
    const server = http.createServer(handler).listen(0, "127.0.0.1", () => resolve(`127.0.0.1:${server.address().port}`));
  });
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

module.exports = { callJson, listen, pause };
