// SPDX-License-Identifier: Apache-2.0
// The address is the state: which page, and its parameters. Pages read `route` and change it through here only.
import { signal } from "@preact/signals";
import { ApiError, base, getLink, makeLink } from "./api/client";
import { isLong, isPacked, pack, STATE_BYTES_MAX, unpack } from "./model/links";
import { say } from "./state/say";

export type Page = "explore" | "trace" | "compare" | "map" | "service" | "status";

const FOLDERS: Record<Page, string> = { explore: "", trace: "trace/", compare: "compare/", map: "map/", service: "service/", status: "status/" };

export interface Route {
  page: Page;
  params: URLSearchParams;
}

export type ParamPatch = Record<string, string | number | null | undefined>;

function read(address: string): Route {
  const url = new URL(address);
  const folder = url.pathname.slice(base.pathname.length).replace(/index\.html$/, "");
  const page = (Object.keys(FOLDERS) as Page[]).find((p) => FOLDERS[p] === folder) ?? "explore";
  return { page, params: url.searchParams };
}

export const route = signal<Route>(read(window.location.href));
/** The whole address of the route; the browser shows a long one packed. */
let shown = window.location.href;

export const param = (name: string): string => route.value.params.get(name) ?? "";

/** The address of a page; empty parameters are left out. */
export function href(page: Page, params: ParamPatch | URLSearchParams = {}): string {
  const url = new URL(FOLDERS[page], base);
  if (params instanceof URLSearchParams) url.search = params.toString();
  else setAll(url.searchParams, params);
  return url.href;
}

function setAll(search: URLSearchParams, patch: ParamPatch): void {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined || value === "") search.delete(key);
    else search.set(key, String(value));
  }
}

/** An address with some parameters changed. */
export function changed(address: string, patch: ParamPatch): string {
  const url = new URL(address);
  setAll(url.searchParams, patch);
  return url.href;
}

/** The address of the same page with some parameters changed. */
export const patched = (patch: ParamPatch): string => changed(href(route.peek().page, route.peek().params), patch);

/** Somebody has gone on without the browser loading a page, which would have told so. */
export let moved = false;

export function go(address: string): void {
  if (address === shown) return;
  moved = true;
  if (writing) write();
  const before = read(address).page !== "trace" ? "" : route.peek().page === "explore" ? shown : searchBefore();
  window.history.pushState(before ? { before } : null, "", address);
  show(address);
}

/** For state that changes all the time (zoom, selection): no entry in the history. */
export function replace(address: string): void {
  if (address === shown) return;
  window.clearTimeout(writing);
  writing = 0;
  window.history.replaceState(window.history.state, "", address);
  show(address);
}

/** For what changes with each letter: the page follows at once, the browser's address, which costs more than a find in 100,000 spans, after a pause. */
export function replaceSoon(address: string): void {
  if (address === shown) return;
  show(address);
  window.clearTimeout(writing);
  writing = window.setTimeout(write, WRITE_MS);
}

const WRITE_MS = 250;
let writing = 0;

function write(): void {
  window.clearTimeout(writing);
  writing = 0;
  window.history.replaceState(window.history.state, "", shown);
  if (isLong(new URL(shown).search)) void shorten(shown);
}

function show(address: string): void {
  shown = address;
  route.value = read(address);
  if (isLong(new URL(address).search)) void shorten(address);
}

async function shorten(address: string): Promise<void> {
  const packed = await shortAddress(address);
  if (shown === address) window.history.replaceState(window.history.state, "", packed);
}

/** With its parameters in a fragment when it is long. */
export async function shortAddress(address: string): Promise<string> {
  const url = new URL(address);
  if (!isLong(url.search) || url.search.length > STATE_BYTES_MAX || !("CompressionStream" in window)) return address;
  const hash = await pack(url.search);
  url.search = "";
  url.hash = hash;
  return url.href;
}

/** The same as the server keeps it, for who copies a link. One that only reads keeps none, and neither does one that has no room. */
export async function keptAddress(address: string): Promise<string> {
  const url = new URL(address);
  if (!isLong(url.search)) return address;
  try {
    return changed(url.origin + url.pathname, { l: await makeLink(url.search.slice(1)) });
  } catch {
    return shortAddress(address);
  }
}

/** What the browser shows, unpacked. */
async function follow(): Promise<void> {
  const url = new URL(window.location.href);
  const kept = url.searchParams.get("l");
  try {
    if (isPacked(url.hash)) url.search = await unpack(url.hash);
    else if (kept) url.search = await getLink(kept);
  } catch (error) {
    say(error instanceof ApiError ? `Link ${kept}: ${error.problem.detail ?? error.problem.title}` : "This link is damaged: what it asks for cannot be read");
    url.search = "";
  }
  if (isPacked(url.hash)) url.hash = "";
  show(url.href);
}

/* ---- the search that a trace was opened from ----
 *
 * It is no part of the trace's address, which is given to others: the entry of the history has it, as { before: ADDRESS }. So it outlives a
 * reload, and each "back" finds its own. A new tab has no history: there the address waits in localStorage "spoor.opened" until the tab
 * starts, [[TRACE, ADDRESS, MILLISECONDS]], the newest first. (No page learns of another by a referrer: the server forbids them.) */

const OPENED = "spoor.opened";
const OPENED_MAX = 20;
/** What nobody has opened by then (a menu that was closed again) is no longer meant. */
const OPENED_MS = 60_000;
type Opened = [trace: string, address: string, at: number][];

/** The address of the search; "" if there was none. */
export function searchBefore(): string {
  const before: unknown = route.value && window.history.state?.before;
  return typeof before === "string" && isPage(before) ? before : "";
}

function opened(): Opened {
  try {
    return (JSON.parse(window.localStorage.getItem(OPENED) ?? "[]") as Opened).filter(([, , at]) => Date.now() - at < OPENED_MS);
  } catch {
    // Storage is forbidden, or holds what another version wrote.
    return [];
  }
}

function keepOpened(list: Opened): void {
  try {
    window.localStorage.setItem(OPENED, JSON.stringify(list.slice(0, OPENED_MAX)));
  } catch {
    // As above: the new tab knows of no search.
  }
}

/** Before an address is opened in another tab. */
function handOver(address: string): void {
  const { page, params } = read(address);
  if (page === "trace" && route.peek().page === "explore") keepOpened([[params.get("id") ?? "", shown, Date.now()], ...opened()]);
}

export function openTab(address: string): void {
  handOver(address);
  window.open(address, "_blank", "noopener");
}

function takeOver(): void {
  if (window.history.state || route.peek().page !== "trace") return;
  const list = opened();
  const at = list.findIndex(([trace]) => trace === param("id"));
  if (at < 0) return;
  window.history.replaceState({ before: list[at][1] }, "", window.location.href);
  keepOpened(list.filter((_, i) => i !== at));
}

const linkOf = ({ target }: Event) => (target instanceof Element ? target.closest("a") : null);

/** Resolves when it is known what to show. */
export async function startRouting(): Promise<void> {
  // Browsers resolve the icon's relative address anew when the page's address changes: pin it.
  const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  if (icon) icon.href = new URL(icon.href).href;
  window.addEventListener("popstate", () => {
    window.clearTimeout(writing);
    writing = 0;
    void follow();
  });
  window.addEventListener("pagehide", () => writing && write());
  document.addEventListener("click", (event) => {
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    const link = linkOf(event);
    if (link && !plain) handOver(link.href);
    if (!plain || !link || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
    if (!isPage(link.href)) return;
    event.preventDefault();
    go(link.href);
  });
  // The middle button, and the menu of the other one.
  for (const way of ["auxclick", "contextmenu"]) document.addEventListener(way, (event) => handOver(linkOf(event)?.href ?? window.location.href));
  await follow();
  takeOver();
}

function isPage(address: string): boolean {
  const url = new URL(address, base);
  if (url.origin !== base.origin || !url.pathname.startsWith(base.pathname)) return false;
  return Object.values(FOLDERS).includes(url.pathname.slice(base.pathname.length));
}
