// SPDX-License-Identifier: Apache-2.0
// Lays the service graph out, off the main thread.
import { layout, type LayoutRequest } from "./layers";

self.addEventListener("message", (event: MessageEvent<LayoutRequest & { ticket: number }>) => {
  const { ticket, ...request } = event.data;
  try {
    self.postMessage({ ticket, answer: layout(request) });
  } catch (error) {
    self.postMessage({ ticket, problem: error instanceof Error ? error.message : String(error) });
  }
});
