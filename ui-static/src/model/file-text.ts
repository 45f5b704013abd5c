// SPDX-License-Identifier: Apache-2.0
// The text of a file, unpacked if it is packed by gzip. No DOM.

/** Letters that Chromium can hold as one text. */
const LETTERS_MAX = 2 ** 29 - 24;

export async function textOf(file: Blob, max = LETTERS_MAX): Promise<string> {
  const tooLong = new Error(`it has more than ${max.toLocaleString("en-US")} characters, which is more than a browser reads at once: split it`);
  const [a, b] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (a === 0x50 && b === 0x4b) throw new Error("this is a .zip archive: unpack it, and open the files that were in it");
  if (a !== 0x1f || b !== 0x8b) {
    if (file.size > max) throw tooLong;
    return file.text();
  }
  const reader = file.stream().pipeThrough(new DecompressionStream("gzip")).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read().catch((): never => {
      throw new Error("its gzip is damaged, or ends too early");
    });
    if (done) return text;
    text += value;
    if (text.length > max) {
      void reader.cancel();
      throw tooLong;
    }
  }
}
