// SPDX-License-Identifier: Apache-2.0
// Hands a trace to Perfetto: a window of its own that answers PONG to PING when it can take one, and is then given the file. Nothing is sent
// before that, nor to any other page.
import { chromeOf } from "../model/exports";
import type { Skeleton } from "../model/skeleton";
import { say } from "./say";

const PING_MS = 100;
/** Until nobody waits for it any more. */
const PINGS_MAX = 600;

/** In a click, or browsers open no window. */
export function openInPerfetto(address: string, s: Skeleton): void {
  const { origin, host } = new URL(address);
  const tab = window.open(address, "_blank");
  if (!tab) return say("The browser let no window be opened");
  let pings = 0;
  const stop = (text: string) => {
    window.clearInterval(timer);
    window.removeEventListener("message", answer);
    say(text);
  };
  const timer = window.setInterval(() => {
    if (tab.closed || pings++ === PINGS_MAX) stop(`${host} did not ask for the trace`);
    // Also while the window has no page yet; the word says nothing.
    else tab.postMessage("PING", "*");
  }, PING_MS);
  const answer = async (event: MessageEvent) => {
    if (event.source !== tab || event.origin !== origin || event.data !== "PONG") return;
    stop(`The trace is with ${host}`);
    const buffer = await new Blob([...chromeOf(s)]).arrayBuffer();
    const name = `trace-${s.traceId}`;
    tab.postMessage({ perfetto: { buffer, title: `Trace ${s.traceId}`, fileName: `${name}.json` } }, origin, [buffer]);
  };
  window.addEventListener("message", answer);
}
