// SPDX-License-Identifier: Apache-2.0
// Styles of parts that are loaded on demand.

/** Resolves when the stylesheet holds, so that a part is never shown without it. Its name is that of a file beside the scripts. */
export function loadStyle(name: string): Promise<void> {
  const address = new URL(name, import.meta.url).href;
  if ([...document.querySelectorAll<HTMLLinkElement>("link[rel=stylesheet]")].some((l) => l.href === address)) return Promise.resolve();
  return new Promise((done, failed) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = address;
    link.addEventListener("load", () => done());
    link.addEventListener("error", () => {
      link.remove();
      failed(new Error(`${name} could not be loaded`));
    });
    document.head.append(link);
  });
}
