// SPDX-License-Identifier: Apache-2.0
// Goldens of pages: pictures as small PNG files, which hold for one Chromium and its fonts only, and texts of what a screen reader is told, which hold for all.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { deflateSync } from "node:zlib";

const require = createRequire(join(process.env.UI_MODULES, "x.js"));
const { PNG } = require("pngjs");
const { default: pixelmatch } = await import(require.resolve("pixelmatch"));

const FOLDER = new URL("golden/", import.meta.url).pathname;
const MADE_WITH = join(FOLDER, "made-with.json");
/** Goldens are made anew, not compared: `ninja -C build goldens`. */
export const writes = process.env.GOLDENS === "write";
/** Of the pixels of a picture. */
const TOLERANCE = 0.001;

// ---- which machine ----

/** What pictures depend on: the browser's version, and how letters of each kind look that pages use. */
export async function machineOf(browser, page) {
  const letters = await page.evaluate(async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [700, 200];
    const pen = canvas.getContext("2d");
    ["13px system-ui", "600 18px system-ui", "12px ui-monospace", "13px sans-serif"].forEach((font, i) => {
      pen.font = font;
      pen.fillText("Spoor 0123456789 Größe ▲ → ‹ › … ⌘ ± µs", 4, 30 + 40 * i);
    });
    return canvas.toDataURL();
  });
  return { chromium: browser.version(), fonts: createHash("sha256").update(letters).digest("hex").slice(0, 16) };
}

/** Null when the pictures were made by such a machine, else a sentence. */
export function strangerTo(machine) {
  if (writes) return null;
  const made = existsSync(MADE_WITH) ? JSON.parse(readFileSync(MADE_WITH, "utf8")) : {};
  if (made.chromium === machine.chromium && made.fonts === machine.fonts) return null;
  return `goldens are of Chromium ${made.chromium} with the fonts ${made.fonts}, this is ${machine.chromium} with ${machine.fonts}: no picture is compared with its file`;
}

export function noteMachine(machine) {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(MADE_WITH, `${JSON.stringify(machine)}\n`);
}

// ---- pictures ----

/** CRCs of PNG chunks. */
const CRCS = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function chunk(type, data) {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length);
  out.write(type, 4, "latin1");
  data.copy(out, 8);
  let crc = 0xffffffff;
  for (const byte of out.subarray(4, 8 + data.length)) crc = CRCS[(crc ^ byte) & 255] ^ (crc >>> 8);
  out.writeUInt32BE((crc ^ 0xffffffff) >>> 0, 8 + data.length);
  return out;
}

/** The 256 colours that are used most, and for each colour the number of the nearest of them. */
function paletteOf({ data }) {
  const counts = new Map();
  for (let at = 0; at < data.length; at += 4) {
    const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const colours = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([colour]) => colour);
  const palette = colours.slice(0, 256);
  const apart = (a, b) => ((a >> 16) - (b >> 16)) ** 2 + (((a >> 8) & 255) - ((b >> 8) & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2;
  const numbers = new Map(colours.map((colour, i) => [colour, i < 256 ? i : palette.reduce((best, other, n) => (apart(colour, other) < apart(colour, palette[best]) ? n : best), 0)]));
  return { palette, numbers };
}

/** A PNG with a palette: a third of the bytes. */
export function smallPng(picture) {
  const { width, height, data } = picture;
  const { palette, numbers } = paletteOf(picture);
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 1; x <= width; x++, at += 4) rows[y * (width + 1) + x] = numbers.get((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  return Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), chunk("IHDR", head), chunk("PLTE", colours), chunk("IDAT", deflateSync(rows, { level: 9 })), chunk("IEND", Buffer.alloc(0))]);
}

/** Which part of its pixels differs, 0 to 1; 1 for pictures of different sizes. */
export function differing(one, other, into = null) {
  if (one.width !== other.width || one.height !== other.height) return 1;
  return pixelmatch(one.data, other.data, into, one.width, one.height) / (one.width * one.height);
}

/** Compares a shot with its golden, or writes that. Returns what is wrong, "" for nothing; then the shot, and where it differs, are in `results`. */
export function comparePicture(name, shot, results) {
  const file = join(FOLDER, `${name}.png`);
  const now = PNG.sync.read(shot);
  if (writes) {
    mkdirSync(FOLDER, { recursive: true });
    // One that is as good stays as it is: its bytes would change for nothing.
    if (!existsSync(file) || differing(PNG.sync.read(readFileSync(file)), now) > TOLERANCE / 10) writeFileSync(file, smallPng(now));
    return "";
  }
  if (!existsSync(file)) return `${name}: there is no golden`;
  const golden = PNG.sync.read(readFileSync(file));
  const seen = new PNG({ width: now.width, height: now.height });
  const part = differing(golden, now, golden.width === now.width && golden.height === now.height ? seen.data : null);
  if (part <= TOLERANCE) return "";
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${name}.png`), shot);
  writeFileSync(join(results, `${name}-differs.png`), PNG.sync.write(seen));
  return `${name}: ${(100 * part).toFixed(2)} % of the pixels differ`;
}

export const readPng = (bytes) => PNG.sync.read(bytes);

// ---- texts ----

/** Compares what a screen reader is told, line by line, or writes it. */
export function compareText(name, text) {
  const file = join(FOLDER, `${name}.aria.txt`);
  if (writes) {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(file, `${text}\n`);
    return "";
  }
  const [golden, now] = [existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [], text.split("\n")];
  const at = now.findIndex((line, i) => line !== golden[i]);
  if (at < 0 && now.length === golden.length) return "";
  const line = at < 0 ? now.length : at;
  return `${name}: line ${line + 1} is\n  ${now[line]}\nand was\n  ${golden[line]}`;
}
