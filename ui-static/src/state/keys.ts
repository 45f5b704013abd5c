// SPDX-License-Identifier: Apache-2.0
// Keyboard commands: one table feeds the listener and the help page. Single keys can be switched off (WCAG 2.1.4).
import { signal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";
import { singleKeys } from "./prefs";

export interface Command {
  /** As in KeyboardEvent.key; "g e" is two keys, one after the other; "Ctrl+f" stands for ⌘ too. */
  keys: string[];
  text: string;
  group: string;
  run: (event: KeyboardEvent) => void;
  /** False: the key is the browser's this time. */
  when?: () => boolean;
}

export const commands = signal<Command[]>([]);
let first = "";
let firstAt = 0;
/** Two keys of one command may be this far apart. */
const SEQUENCE_MS = 1200;

export function useCommands(list: Command[], deps: unknown[] = []): void {
  useLayoutEffect(() => {
    commands.value = [...commands.peek(), ...list];
    return () => {
      commands.value = commands.peek().filter((c) => !list.includes(c));
    };
  }, deps);
}

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement && target.type === "checkbox") return false;
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

const onButton = (target: EventTarget | null) =>
  target instanceof HTMLElement && /^(BUTTON|A|SUMMARY|INPUT)$/.test(target.tagName);

export function startKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey) return;
    const name = event.ctrlKey || event.metaKey ? `Ctrl+${event.key}` : event.key;
    const chord = name.startsWith("Ctrl+");
    if (isTyping(event.target) && event.key !== "Escape" && !chord) return;
    if (onButton(event.target) && (event.key === "Enter" || event.key === " ")) return;
    if (document.querySelector("dialog[open]")) return; // the browser's: Escape closes it
    const single = event.key.length === 1 && !chord;
    if (single && singleKeys.value === "off") return;
    const sequence = event.timeStamp - firstAt < SEQUENCE_MS ? `${first} ${name}` : "";
    const list = commands.value;
    const found = list.findLast((c) => sequence !== "" && c.keys.includes(sequence)) ?? list.findLast((c) => c.keys.includes(name));
    first = name;
    firstAt = event.timeStamp;
    if (!found || found.when?.() === false) return;
    event.preventDefault();
    found.run(event);
  });
}
