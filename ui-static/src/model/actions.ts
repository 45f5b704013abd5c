// SPDX-License-Identifier: Apache-2.0
// Every action that has a key: the one table that the keyboard, help, settings and the palette read. What each is called stands in
// ui/action-names.ts, since only those need it who look at a list of them. No DOM.
//
// An id is SCOPE.NAME. Keys are as in KeyboardEvent.key, with | between those that do the same; "Space" for the blank; "g e" is two keys, one
// after the other; "Ctrl+k" stands for ⌘ too.
export const ACTIONS = {
  "all.palette": "Ctrl+k",
  "all.find": "/",
  "all.explore": "g e",
  "all.map": "g m",
  "all.services": "g s",
  "all.compare": "g c",
  "all.status": "g t",
  "all.settings": "g ,",
  "all.range": "t",
  "all.earlier": ",",
  "all.later": ".",
  "all.run": "r",
  "all.live": "l",
  "all.utc": "U",
  "all.theme": "D",
  "all.link": "y",
  "all.escape": "Escape",
  "all.help": "?",
  "rows.next": "ArrowDown|j",
  "rows.previous": "ArrowUp|k",
  "rows.open": "Enter",
  "rows.in": "ArrowRight",
  "rows.out": "ArrowLeft",
  "rows.first": "Home",
  "rows.last": "End",
  "rows.pageDown": "PageDown",
  "rows.pageUp": "PageUp",
  "explore.openTab": "Ctrl+Enter",
  "explore.preview": "Space",
  "explore.basket": "b",
  "explore.panels": "h",
  "explore.facets": "f",
  "explore.mode": "m",
  "explore.view1": "1",
  "explore.view2": "2",
  "explore.view3": "3",
  "explore.view4": "4",
  "trace.find": "Ctrl+f",
  "trace.nextError": "e",
  "trace.previousError": "E",
  "trace.nextMatch": "n",
  "trace.previousMatch": "N",
  "trace.nextCritical": "p",
  "trace.previousCritical": "P",
  "trace.zoomIn": "w",
  "trace.zoomOut": "s",
  "trace.panLeft": "a",
  "trace.panRight": "d",
  "trace.fit": "f",
  "trace.reset": "0",
  "trace.isolate": "o",
  "trace.up": "Backspace",
  "trace.critical": "c",
  "trace.folds": "x",
  "trace.foldAll": "[",
  "trace.unfoldAll": "]",
  "trace.foldLevel": "{",
  "trace.unfoldLevel": "}",
  "trace.mark": "m",
  "trace.basket": "b",
  "trace.view1": "1",
  "trace.view2": "2",
  "trace.view3": "3",
  "trace.view4": "4",
  "trace.view5": "5",
  "trace.view6": "6",
  "trace.view7": "7",
  "compare.swap": "s",
  "compare.tab1": "1",
  "compare.tab2": "2",
  "compare.tab3": "3",
  "compare.tab4": "4",
  "compare.tab5": "5",
  "compare.foldAll": "[",
  "compare.unfoldAll": "]",
  "compare.nextError": "e",
  "compare.zoomIn": "w|+",
  "compare.zoomOut": "-",
  "compare.panLeft": "a",
  "compare.panRight": "d",
  "compare.fit": "f",
  "compare.reset": "0",
  "map.zoomIn": "+|=",
  "map.zoomOut": "-",
  "map.fit": "0",
  "map.hops": "h",
  "map.view": "v",
  "map.export": "X",
  "service.view": "v",
  "service.heat": "h",
  "service.before": "p",
  "service.nextTab": "]",
  "service.previousTab": "[",
  "status.pause": "p",
  "status.tab1": "1",
  "status.tab2": "2",
  "status.tab3": "3",
  "status.tab4": "4",
  "status.tab5": "5",
  "status.tab6": "6",
} as const;

export type ActionId = keyof typeof ACTIONS;
/** Keys that a person has chosen instead of the usual ones; "" for none. */
export type KeyMap = Partial<Record<ActionId, string>>;

export const actionIds = Object.keys(ACTIONS) as ActionId[];
export const scopeOf = (id: ActionId): string => id.slice(0, id.indexOf("."));

export function keysOf(id: ActionId, map: KeyMap): string[] {
  const keys = map[id] ?? ACTIONS[id];
  return keys === "" ? [] : keys === "|" ? ["|"] : keys.split("|");
}

/** Everywhere, and where rows are, is on every page. */
const shared = (scope: string): boolean => scope === "all" || scope === "rows";

/** Two keys that the same press would mean: one and the same, or one that begins the other. */
const meet = (a: string, b: string): boolean => a === b || a.startsWith(`${b} `) || b.startsWith(`${a} `);

/** Actions that have one of these keys already, on a page where this one works, too. */
export function conflictsOf(id: ActionId, keys: string[], map: KeyMap): ActionId[] {
  const scope = scopeOf(id);
  return actionIds.filter((other) => {
    const where = scopeOf(other);
    if (other === id || !(where === scope || shared(where) || shared(scope))) return false;
    return keysOf(other, map).some((k) => keys.some((own) => meet(k, own)));
  });
}

/** The keys that an action keeps when others have taken these. */
export const without = (id: ActionId, taken: string[], map: KeyMap): string =>
  keysOf(id, map)
    .filter((k) => !taken.some((t) => meet(k, t)))
    .join("|");

/** What localStorage holds; what is no action or no text is left out, as another version may have written it. */
export function parseKeyMap(text: string): KeyMap {
  try {
    const found: unknown = JSON.parse(text || "{}");
    if (typeof found !== "object" || found === null) return {};
    return Object.fromEntries(Object.entries(found).filter(([id, keys]) => id in ACTIONS && typeof keys === "string")) as KeyMap;
  } catch {
    return {};
  }
}

interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
}

/** The name of a key press as the table has it. */
export function pressName({ key, ctrlKey, metaKey }: Press, altGraph = false): string {
  const name = key === " " ? "Space" : key;
  return (ctrlKey || metaKey) && !altGraph ? `Ctrl+${name.length === 1 ? name.toLowerCase() : name}` : name;
}

/** Letters, digits, signs: keys that somebody who dictates may say by accident (WCAG 2.1.4). */
export const isSingle = (keys: string): boolean => keys.split(" ").some((k) => k === "Space" || [...k].length === 1);
