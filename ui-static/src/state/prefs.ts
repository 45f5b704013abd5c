// SPDX-License-Identifier: Apache-2.0
// What a person prefers, kept in this browser: theme, zone of times, single-key shortcuts.
import { computed, effect, signal } from "@preact/signals";
import { type KeyMap, parseKeyMap } from "../model/actions";
import type { Zone } from "../model/time";

export type Theme = "auto" | "light" | "dark";

function stored<T extends string>(key: string, allowed: readonly T[], fallback: T) {
  let initial = fallback;
  try {
    const found = window.localStorage.getItem(`spoor.${key}`) as T | null;
    if (found && allowed.includes(found)) initial = found;
  } catch {
    // Storage is forbidden in this browser: preferences last as long as the page.
  }
  const value = signal<T>(initial);
  effect(() => {
    try {
      window.localStorage.setItem(`spoor.${key}`, value.value);
    } catch {
      // As above.
    }
  });
  return value;
}

export const theme = stored<Theme>("theme", ["auto", "light", "dark"], "auto");
export const zone = stored<Zone>("zone", ["local", "utc"], "local");
/** The facet rail of Explore; auto: where there is room. */
export const facetsShown = stored<"auto" | "open" | "closed">("facets", ["auto", "open", "closed"], "auto");
export const singleKeys = stored<"on" | "off">("keys", ["on", "off"], "on");
const keyMapText = kept("keymap");
/** Keys that are not the usual ones. */
export const keyMap = computed((): KeyMap => parseKeyMap(keyMapText.value));
export const setKeyMap = (map: KeyMap): void => {
  keyMapText.value = Object.keys(map).length > 0 ? JSON.stringify(map) : "";
};

export type Density = "comfortable" | "normal" | "compact";
export const density = stored<Density>("density", ["comfortable", "normal", "compact"], "normal");
/** How tall a row is; --row in styles. */
export const rowPx = computed((): number => ({ comfortable: 28, normal: 24, compact: 20 })[density.value]);
/** What "Copy link" writes for a range like "the last hour". */
export const linkTimes = stored<"absolute" | "relative">("links", ["absolute", "relative"], "absolute");

/** Columns that a person wants without saying so in each address. */
export const savedColumns = { traces: kept("columns.traces"), spans: kept("columns.spans") };

/** Where the details of a span stand. */
export type PanelPlace = "right" | "bottom" | "inline";
export const panelPlace = stored<PanelPlace>("panel", ["right", "bottom", "inline"], "right");
const drawerText = kept("drawer");
/** How wide the panel at the right is; --drawer in styles. */
export const drawerPx = computed((): number => Number(drawerText.value) || 420);
export const setDrawer = (pixels: number): void => {
  drawerText.value = String(pixels);
};
const highText = kept("drawer.high");
/** How high it is where it is docked below; --drawer-high in styles. 0: as high as is usual there. */
export const drawerHigh = computed((): number => Number(highText.value) || 0);
export const setDrawerHigh = (pixels: number): void => {
  highText.value = String(pixels);
};
/** Columns of the waterfall besides the names. */
export const showsSelf = stored<"on" | "off">("column.self", ["on", "off"], "on");
export const showsRank = stored<"on" | "off">("column.rank", ["on", "off"], "on");
export const showsStatus = stored<"on" | "off">("column.status", ["on", "off"], "off");
/** Where the logs of a trace are: an address with ${trace_id} and ${span_id}; "" for nowhere. */
export const logsAddress = kept("logs");
/** Attribute keys that stand first, one a line. */
export const pinnedKeys = kept("pins");

/** Any text, kept like the preferences. */
function kept(key: string) {
  let initial = "";
  try {
    initial = window.localStorage.getItem(`spoor.${key}`) ?? "";
  } catch {
    // As above.
  }
  const value = signal(initial);
  effect(() => {
    try {
      window.localStorage.setItem(`spoor.${key}`, value.value);
    } catch {
      // As above.
    }
  });
  return value;
}

const darkWanted = window.matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(darkWanted.matches);
darkWanted.addEventListener("change", () => {
  systemDark.value = darkWanted.matches;
});

/** What is on the screen now, for everything that is drawn and not styled. */
export const dark = computed(() => theme.value === "dark" || (theme.value === "auto" && systemDark.value));

effect(() => {
  document.documentElement.dataset.theme = dark.value ? "dark" : "light";
});

effect(() => {
  document.documentElement.style.setProperty("--row", `${rowPx.value}px`);
  document.documentElement.style.setProperty("--drawer", `${drawerPx.value}px`);
  document.documentElement.style.setProperty("--drawer-high", drawerHigh.value ? `clamp(180px, ${drawerHigh.value}px, 60vh)` : null);
});

export function nextTheme(): void {
  theme.value = theme.value === "auto" ? "light" : theme.value === "light" ? "dark" : "auto";
}
