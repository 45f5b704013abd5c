// SPDX-License-Identifier: Apache-2.0
// Makes the goldens of visual.test.mjs anew. No test: `ninja -C build goldens`.
process.env.GOLDENS = "write";
await import("./visual.test.mjs");
