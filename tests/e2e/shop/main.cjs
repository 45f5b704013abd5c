// SPDX-License-Identifier: Apache-2.0
// One service as a process: says its address to the parent, runs until the parent says stop, then flushes and ends.
"use strict";
const telemetry = require("./telemetry.cjs");
const services = require("./services.cjs");

process.on("message", async (message) => {
  if (message !== "stop") return;
  try {
    await telemetry.shutdown();
    process.exit(0);
  } catch (error) {
    console.error(`${process.env.SHOP_SERVICE}: the last spans were not exported: ${error}`);
    process.exit(1);
  }
});
// The parent is gone: nobody will say stop.
process.on("disconnect", () => process.exit(2));

services[process.env.SHOP_SERVICE](JSON.parse(process.env.SHOP_ADDRESSES)).then(
  (address) => process.send({ address }),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
