// SPDX-License-Identifier: Apache-2.0
// The traces that were open in this tab, the newest first: for the palette. sessionStorage "spoor.recent" holds [{"id","title"}].
import { signal } from "@preact/signals";

export interface RecentTrace {
  id: string;
  title: string;
}

const KEY = "spoor.recent";
const RECENT_MAX = 20;

function read(): RecentTrace[] {
  try {
    const found = JSON.parse(window.sessionStorage.getItem(KEY) ?? "[]") as RecentTrace[];
    return Array.isArray(found) ? found.filter((t) => typeof t?.id === "string" && typeof t.title === "string").slice(0, RECENT_MAX) : [];
  } catch {
    // Storage is forbidden, or holds what another version wrote.
    return [];
  }
}

export const recent = signal(read());

export function rememberTrace(id: string, title: string): void {
  recent.value = [{ id, title }, ...recent.peek().filter((t) => t.id !== id)].slice(0, RECENT_MAX);
  try {
    window.sessionStorage.setItem(KEY, JSON.stringify(recent.peek()));
  } catch {
    // As above: they last as long as the page.
  }
}
