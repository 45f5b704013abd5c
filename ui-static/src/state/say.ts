// SPDX-License-Identifier: Apache-2.0
// What a page hands to a person: short messages, on the screen for a moment and to screen readers; text as a copy; files.
import { signal } from "@preact/signals";

export const message = signal("");
let timer = 0;
const SHOWN_MS = 2500;

export function say(text: string): void {
  message.value = text;
  window.clearTimeout(timer);
  timer = window.setTimeout(() => {
    message.value = "";
  }, SHOWN_MS);
}

/** Of a file that was to come on demand. */
export const sayBroken = (): void => say("A part of this page could not be loaded: reload it");

/** What readers are told and the screen shows anyway: a page that was gone to, a panel that opened. */
export const heard = signal("");

export function tell(text: string): void {
  // The same text again is told again.
  heard.value = heard.peek() === text ? `${text}\u00a0` : text;
}

/** Copies text; browsers allow it on secure pages and localhost only, so there is an older way behind it. */
export async function copy(wanted: string | Promise<string>, what: string): Promise<void> {
  const text = await wanted;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "offscreen";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`${what} copied`);
}

const REVOKE_MS = 10000;

/** Letters of a file that are waited with: what came before is the browser's, which keeps it where it has room. */
const PIECE = 1 << 22;

function blobOf(pieces: Iterable<string>, type: string): Blob {
  const done: Blob[] = [];
  let waiting: string[] = [];
  let letters = 0;
  for (const piece of pieces) {
    waiting.push(piece);
    letters += piece.length;
    if (letters < PIECE) continue;
    done.push(new Blob(waiting));
    waiting = [];
    letters = 0;
  }
  return new Blob([...done, ...waiting], { type });
}

/** A file that the page made, or the pieces of one, offered for download. */
export function saveFile(name: string, type: string, content: string | Uint8Array<ArrayBuffer> | Iterable<string>): void {
  const link = document.createElement("a");
  const whole = typeof content === "string" || content instanceof Uint8Array;
  link.href = URL.createObjectURL(whole ? new Blob([content], { type }) : blobOf(content, type));
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  window.setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_MS);
}
