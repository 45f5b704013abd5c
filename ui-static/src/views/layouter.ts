// SPDX-License-Identifier: Apache-2.0
// Asks the worker for a layout. It is started with the first request, so only the map pays for it.
import type { LayoutAnswer, LayoutRequest } from "../worker/layers";

let worker: Worker | null = null;
let tickets = 0;
const waiting = new Map<number, { done: (answer: LayoutAnswer) => void; failed: (error: Error) => void }>();

export function askLayout(request: LayoutRequest): Promise<LayoutAnswer> {
  worker ??= startWorker();
  const ticket = ++tickets;
  return new Promise((done, failed) => {
    waiting.set(ticket, { done, failed });
    worker?.postMessage({ ...request, ticket });
  });
}

function startWorker(): Worker {
  const started = new Worker(new URL(LAYOUT_WORKER, import.meta.url), { type: "module" });
  started.addEventListener("message", (event: MessageEvent<{ ticket: number; answer?: LayoutAnswer; problem?: string }>) => {
    const { ticket, answer, problem } = event.data;
    const asker = waiting.get(ticket);
    waiting.delete(ticket);
    if (answer) asker?.done(answer);
    else asker?.failed(new Error(problem ?? "no layout"));
  });
  started.addEventListener("error", () => {
    for (const asker of waiting.values()) asker.failed(new Error("the layout worker could not be started"));
    waiting.clear();
    worker = null;
  });
  return started;
}
