// SPDX-License-Identifier: Apache-2.0
// Asks the worker that reads files and looks at large traces. It is started with the first question, and lives on with the file it holds.
import type { FileQuestions } from "../worker/file";

let worker: Worker | null = null;
let tickets = 0;
/** What the worker holds: it is read again when the worker had to be ended. */
let opened: Blob | null = null;
/** A pattern may make the browser's engine try for ever; nothing else that is asked is stopped. */
const CONDITION_MS = 5000;

function end(problem: string): void {
  worker?.terminate();
  worker = null;
  const all = [...waiting.values()];
  waiting.clear();
  for (const asker of all) asker.failed(new Error(problem));
}
const waiting = new Map<number, { done: (answer: never) => void; failed: (error: Error) => void }>();

export function askFile<K extends keyof FileQuestions>(question: K, ask: FileQuestions[K]["ask"]): Promise<FileQuestions[K]["answer"]> {
  worker ??= startWorker();
  const ticket = ++tickets;
  if (question === "open") opened = (ask as FileQuestions["open"]["ask"]).file;
  const asked = new Promise<FileQuestions[K]["answer"]>((done, failed) => {
    waiting.set(ticket, { done: done as (answer: never) => void, failed });
    worker?.postMessage({ ticket, question, ask });
  });
  if (question !== "match") return asked;
  const timer = window.setTimeout(() => end(`the condition took longer than ${CONDITION_MS / 1000} s and was stopped: use a simpler pattern`), CONDITION_MS);
  return asked.finally(() => window.clearTimeout(timer));
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
    opened = null;
    end("the worker that reads files stopped: the file may be larger than the browser's memory");
  });
  if (opened) started.postMessage({ ticket: 0, question: "open", ask: { file: opened } });
  return started;
}
