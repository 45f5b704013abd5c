// SPDX-License-Identifier: Apache-2.0
// Asks the worker that reads files. It is started with the first question, and lives on with the file it holds.
import type { FileQuestions } from "../worker/file";

let worker: Worker | null = null;
let tickets = 0;
const waiting = new Map<number, { done: (answer: never) => void; failed: (error: Error) => void }>();

export function askFile<K extends keyof FileQuestions>(question: K, ask: FileQuestions[K]["ask"]): Promise<FileQuestions[K]["answer"]> {
  worker ??= startWorker();
  const ticket = ++tickets;
  return new Promise((done, failed) => {
    waiting.set(ticket, { done: done as (answer: never) => void, failed });
    worker?.postMessage({ ticket, question, ask });
  });
}

function startWorker(): Worker {
  const started = new Worker(new URL(FILE_WORKER, import.meta.url), { type: "module" });
  started.addEventListener("message", (event: MessageEvent<{ ticket: number; answer?: unknown; problem?: string }>) => {
    const { ticket, answer, problem } = event.data;
    const asker = waiting.get(ticket);
    waiting.delete(ticket);
    if (problem === undefined) asker?.done(answer as never);
    else asker?.failed(new Error(problem));
  });
  started.addEventListener("error", () => {
    for (const asker of waiting.values()) asker.failed(new Error("the worker that reads files stopped: the file may be larger than the browser's memory"));
    waiting.clear();
    worker = null;
  });
  return started;
}
