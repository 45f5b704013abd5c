// SPDX-License-Identifier: Apache-2.0
// The time range of the address: from and to as written there, and what they mean.
import { signal } from "@preact/signals";
import type { Range } from "../api/client";
import { formatClock, parseTime, shortDay, toRfc3339, type Zone } from "../model/time";
import { linkTimes, zone } from "./prefs";
import { copy, say } from "./say";
import { changed, go, keptAddress, param, type ParamPatch, patched, route, shortAddress } from "../route";

export const nowNs = (): bigint => BigInt(Date.now()) * 1000000n;

/** As the API takes it, which wants whole dates with a zone; one that says none is of the zone that times are shown in. */
export function asTime(text: string): string {
  const ns = /^\d{4}-/.test(text) ? parseTime(text, 0n, zone.peek()) : null;
  return ns === null ? text : toRfc3339(ns);
}

export function currentRange(): Range {
  return { from: asTime(param("from")) || undefined, to: asTime(param("to")) || undefined };
}

/** An open end means now, in charts and rates, too: the API's own would be the newest span, and nothing would show that none came since. */
export const untilNow = (range: Range): Range => (range.from && !range.to ? { ...range, to: "now" } : range);

export const PRESETS: [string, string][] = [
  ["now-5m", "Last 5 minutes"],
  ["now-15m", "Last 15 minutes"],
  ["now-1h", "Last hour"],
  ["now-6h", "Last 6 hours"],
  ["now-24h", "Last 24 hours"],
  ["now-7d", "Last 7 days"],
];

/** What the button says: the preset's name, or the two ends. */
export function rangeLabel(zone: Zone): string {
  const { from, to } = currentRange();
  if (!from && !to) return "All time";
  const preset = PRESETS.find(([value]) => value === from && (!to || to === "now"));
  if (preset) return preset[1];
  const back = /^now-(\d+[smhd])$/.exec(from ?? "");
  if (back && (!to || to === "now")) return `Last ${back[1].replace(/(\D)/, " $1")}`;
  return endsText(from, to, zone);
}

/** 11-30 16:45:00 */
export const shortTime = (ns: bigint, zone: Zone, now = nowNs()): string => `${shortDay(ns, now, zone)} ${formatClock(ns, zone, 0)}`;

/** Two ends as the API takes them: a year that one of them has, the other has, too. */
export function endsText(from: string | undefined, to: string | undefined, zone: Zone): string {
  const text = (now?: bigint) =>
    [from, to]
      .map((end) => {
        const ns = end && end !== "now" ? parseTime(end, nowNs()) : null;
        return ns === null ? end || "…" : shortTime(ns, zone, now);
      })
      .join(" – ");
  // Seen from 1970 every day has its year.
  return /\d{4}-/.test(text()) ? text(0n) : text();
}

export function setRange(from: string | null, to: string | null): void {
  go(patched({ from, to }));
}

/** When the trace of the page began: a link that outlives its trace can say so. */
export const traceTime = signal<bigint | null>(null);

/** For the clipboard. */
export const copiedLink = (patch: ParamPatch = {}): Promise<string> => keptAddress(changed(othersAddress(), patch));
/** What a file holds has no address: it is in this browser only. */
export const copyLink = (): void => (param("src") === "file" ? say("No link can open this: the trace is in a file on this machine. Give the file, or an export") : void copy(copiedLink(), "link"));
/** For a file, which needs no server to keep it. */
export const linkAddress = (): Promise<string> => shortAddress(othersAddress());

/** The address for others: times as they are now, so that it means the same tomorrow, unless somebody wants "the last hour" to stay one. */
function othersAddress(): string {
  const params = new URLSearchParams(route.peek().params);
  const at = traceTime.peek();
  if (at !== null) params.set("at", String(at));
  const now = nowNs();
  // What has no end goes on until now, unless it is live.
  if (params.has("from") && !params.has("to") && !params.has("live")) params.set("to", "now");
  for (const name of linkTimes.peek() === "absolute" ? ["from", "to"] : []) {
    const ns = parseTime(params.get(name) ?? "", now, zone.peek());
    if (ns !== null) params.set(name, toRfc3339(ns));
  }
  const url = new URL(window.location.href);
  url.search = params.toString();
  url.hash = "";
  return url.href;
}

/** Moves the range by its own length: -1 back, 1 forward. An open end means now. */
export function shiftRange(step: -1 | 1): void {
  const { from, to } = currentRange();
  if (!from) return say("All time has nothing before or after it: choose a range first");
  const a = parseTime(from, nowNs());
  const b = to ? parseTime(to, nowNs()) : nowNs();
  if (a === null || b === null || b <= a) return;
  const by = BigInt(step) * (b - a);
  setRange(toRfc3339(a + by), toRfc3339(b + by));
}
