// SPDX-License-Identifier: Apache-2.0
// The one script that the first paint waits for: which theme this browser's user has chosen. The rest of state/prefs.ts comes with the pages.
let chosen = null;
try {
  chosen = localStorage.getItem("spoor.theme");
} catch {
  // Storage is forbidden in this browser: the system's theme.
}
const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
document.documentElement.dataset.theme = dark ? "dark" : "light";
