// SPDX-License-Identifier: Apache-2.0
// The keyboard: finds the action of a key press in the table (model/actions.ts, as a person may have changed it) and runs what the page has
// bound to it. A page says `useActions({ "explore.preview": run })`; to add an action, add it to the table and its name to ui/action-names.ts.
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type ActionId, isSingle, keysOf, pressName } from "../model/actions";
import { close, openDialog } from "./dialog";
import { keyMap, singleKeys } from "./prefs";

/** Returning false leaves the key to the browser. */
export type Run = (event?: KeyboardEvent) => unknown;
export type Actions = Partial<Record<ActionId, Run>>;

/** What is bound now; of two of the same name the later counts: a page's own before that of the frame. */
const bound = signal<{ current: Actions }[]>([]);
let first = "";
let firstAt = 0;
/** Two keys of one action may be this far apart. */
export const SEQUENCE_MS = 1200;

export function useActions(actions: Actions): void {
  const latest = useRef(actions);
  latest.current = actions;
  useLayoutEffect(() => {
    bound.value = [...bound.peek(), latest];
    return () => {
      bound.value = bound.peek().filter((b) => b !== latest);
    };
  }, []);
}

/** Actions that the page that is open has. */
export const boundActions = (): Set<ActionId> => new Set(bound.value.flatMap((b) => Object.keys(b.current) as ActionId[]));

const runOf = (id: ActionId): Run | undefined => bound.peek().findLast((b) => b.current[id])?.current[id];

export const runAction = (id: ActionId): unknown => runOf(id)?.();

/** " (r)" for the title of a button whose action has a key; "" when it has none now. */
export function hint(id: ActionId): string {
  const key = keysOf(id, keyMap.value)[0];
  return key === undefined || (isSingle(key) && singleKeys.value === "off") ? "" : ` (${key.replace("Escape", "Esc")})`;
}

function actionOf(keys: string): ActionId | undefined {
  for (const { current } of [...bound.peek()].reverse()) {
    for (const id of Object.keys(current) as ActionId[]) if (keysOf(id, keyMap.peek()).includes(keys)) return id;
  }
  return undefined;
}

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement && /^(checkbox|radio)$/.test(target.type)) return false;
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Enter, and but for links the blank, are the control's own. */
const isControls = ({ key, target }: KeyboardEvent) => target instanceof HTMLElement && ((key === "Enter" && target.tagName === "A") || (/^(Enter| )$/.test(key) && /^(BUTTON|SUMMARY|INPUT)$/.test(target.tagName)));

/** What was pressed for a dialog that was asked for and whose code is on its way. */
const held: string[] = [];
export const takeHeld = (): string[] => held.splice(0);

/** From the moment that a dialog is asked for the keyboard is its own, wherever the focus is until it has come. */
function hold(event: KeyboardEvent): void {
  if (openDialog() === "" || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey) return;
  event.stopPropagation();
  if (event.key === "Escape") {
    takeHeld();
    close();
  } else if (/^(.|Enter|Backspace|Arrow(Up|Down))$/u.test(event.key)) held.push(event.key);
  else return;
  event.preventDefault();
}

export function startKeys(): void {
  document.addEventListener("keydown", hold, true);
  document.addEventListener("keydown", (event) => {
    // On some keyboards signs like [ need AltGr, which is Alt to the browser.
    const altGraph = event.getModifierState("AltGraph");
    if (event.defaultPrevented || (event.altKey && !altGraph) || event.isComposing) return;
    const name = pressName(event, altGraph);
    if (isTyping(event.target) && name !== "Escape" && !name.startsWith("Ctrl+")) return;
    if (isControls(event)) return;
    if (document.querySelector("dialog[open]")) return; // the browser's: Escape closes it
    if (isSingle(name) && singleKeys.value === "off") return;
    const id = (event.timeStamp - firstAt < SEQUENCE_MS ? actionOf(`${first} ${name}`) : undefined) ?? actionOf(name);
    if (!/^(Shift|Control|Alt|Meta|AltGraph)$/.test(event.key)) {
      first = name;
      firstAt = event.timeStamp;
    }
    if (id && runOf(id)?.(event) !== false) event.preventDefault();
  });
}
