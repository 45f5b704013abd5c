// SPDX-License-Identifier: Apache-2.0
// Files of traces from any page: dropped there, or chosen. What reads them comes with the Trace page, which shows them.
import { sayBroken } from "./say";

/** Without a file the browser's own dialog asks for one. */
export const bringFile = (file?: File): void =>
  void import("../pages/trace").then(
    (m) => (file ? m.take(file) : m.chooseFile()),
    sayBroken,
  );

/** A browser would leave the page for a file that is dropped on it. */
export function startDrops(): void {
  for (const name of ["dragover", "dragleave", "drop"] as const)
    document.addEventListener(name, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      document.documentElement.classList.toggle("dropping", name === "dragover");
      const [file] = event.dataTransfer.files;
      if (name === "drop" && file) bringFile(file);
    });
}
