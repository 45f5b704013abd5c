// SPDX-License-Identifier: Apache-2.0
// A file that the page made, offered for download.

const REVOKE_MS = 10000;

export function saveFile(name: string, type: string, content: string | Uint8Array<ArrayBuffer>): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  window.setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_MS);
}
