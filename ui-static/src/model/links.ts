// SPDX-License-Identifier: Apache-2.0
// Addresses that are too long for chats, tickets and proxies: their parameters, compressed, as a fragment, which browsers keep for themselves. No DOM.

/** Of a query string: beyond, people and programs cut links. */
export const ADDRESS_BYTES_MAX = 8000;
/** Of what a fragment may hold: a link that was made to be large opens no page. */
export const STATE_BYTES_MAX = 256 * 1024;

const MARK = "#z=";

export const isLong = (search: string): boolean => search.length > ADDRESS_BYTES_MAX;
export const isPacked = (hash: string): boolean => hash.startsWith(MARK);

async function pipe(bytes: Uint8Array<ArrayBuffer>, through: GenericTransformStream, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new Blob([bytes]).stream().pipeThrough(through as ReadableWritablePair<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>).getReader();
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    length += piece.value.length;
    if (length > most) {
      await reader.cancel();
      throw new RangeError("too large");
    }
    pieces.push(piece.value);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

/** "?q=..." as "#z=...": deflate, in the letters that addresses may have. */
export async function pack(search: string): Promise<string> {
  const bytes = await pipe(new TextEncoder().encode(search), new CompressionStream("deflate"), STATE_BYTES_MAX);
  let text = "";
  for (const b of bytes) text += String.fromCharCode(b);
  return MARK + btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The other way round. Throws when it is damaged or holds too much. */
export async function unpack(hash: string): Promise<string> {
  const text = atob(hash.slice(MARK.length).replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = await pipe(Uint8Array.from(text, (c) => c.charCodeAt(0)), new DecompressionStream("deflate"), STATE_BYTES_MAX);
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
