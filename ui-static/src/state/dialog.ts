// SPDX-License-Identifier: Apache-2.0
// Which dialog is open over the page. Settings have an address: the page's own, with a parameter more.
import { signal } from "@preact/signals";
import { go, param, patched, replace } from "../route";

export type Dialog = "" | "help" | "palette" | "settings";

export const dialog = signal<Dialog>("");

export const openDialog = (): Dialog => (param("settings") ? "settings" : dialog.value);

export function open(name: Dialog): void {
  dialog.value = name === "settings" ? "" : name;
  if (name === "settings") go(patched({ settings: "view" }));
  else if (param("settings")) replace(patched({ settings: null }));
}

export const close = (): void => open("");
