// SPDX-License-Identifier: Apache-2.0
// Recomputes what the palette was chosen for, so that an edit of a colour cannot lose it unseen.
import assert from "node:assert/strict";
import test from "node:test";
import { readFileSync } from "node:fs";
import { assignSlots, contrast, DARK, LIGHT, SLOTS, textOn } from "../src/model/palette";

type Rgb = [number, number, number];
const linear = (hex: string): Rgb =>
  [1, 3, 5].map((i) => {
    const c = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as Rgb;

/** Machado, Oliveira and Fernandes 2009, severity 1. */
const VISION: Record<string, number[][]> = {
  normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};

const apply = (m: number[][], v: Rgb) => m.map((row) => Math.min(1, Math.max(0, row[0] * v[0] + row[1] * v[1] + row[2] * v[2]))) as Rgb;

function oklab([r, g, b]: Rgb): Rgb {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function closest(colours: string[], vision: string): number {
  const labs = colours.map((c) => oklab(apply(VISION[vision], linear(c))));
  let least = Number.POSITIVE_INFINITY;
  labs.forEach((a, i) => {
    for (const b of labs.slice(i + 1)) least = Math.min(least, 100 * Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
  });
  return least;
}

test("service colours stay apart in every kind of colour vision", () => {
  for (const colours of [LIGHT, DARK]) {
    assert.ok(closest(colours, "normal") >= 13);
    for (const vision of ["protan", "deutan", "tritan"]) assert.ok(closest(colours, vision) >= 9, vision);
  }
});

test("service colours stand out from their background, and text from them", () => {
  for (const c of LIGHT) assert.ok(contrast(c, "#ffffff") >= 3, c);
  for (const c of DARK) assert.ok(contrast(c, "#14161a") >= 3, c);
  for (const c of [...LIGHT, ...DARK]) assert.ok(contrast(textOn(c), c) >= 4.5, c);
});

/** The tokens of main.css, light and dark. */
function tokens(block: string): Record<string, string> {
  return Object.fromEntries([...block.matchAll(/--([a-z0-9-]+): (#[0-9a-f]{6});/g)].map((m) => [m[1], m[2]]));
}

test("text tokens have the contrast that WCAG AA asks for", () => {
  const css = readFileSync(`${process.env.UI_SOURCE}/src/main.css`, "utf8");
  const [light, dark] = css.split(/:root\[data-theme="dark"\]/).map((part) => tokens(part.slice(0, part.indexOf("}"))));
  for (const t of [light, dark]) {
    for (const ink of ["text", "text-2", "accent", "error", "warn", "q-field", "q-string", "q-number"]) {
      for (const ground of ["bg", "panel", "hover"]) assert.ok(contrast(t[ink], t[ground]) >= 4.5, `${ink} on ${ground}: ${contrast(t[ink], t[ground])}`);
    }
    for (const ink of ["text", "text-2", "error"]) assert.ok(contrast(t[ink], t.chosen) >= 4.5, `${ink} on chosen`);
    assert.ok(contrast(t["on-accent"], t.accent) >= 4.5);
  }
});

test("services of one trace get different slots, the heavier one keeps its own", () => {
  const services = [
    { name: "a", slot: 3 },
    { name: "b", slot: 3 },
    { name: "c", slot: 4 },
  ];
  assert.deepEqual(assignSlots(services, [1, 9, 5]), [5, 3, 4]);
  const many = Array.from({ length: SLOTS }, (_, i) => ({ name: String(i), slot: 0 }));
  assert.equal(new Set(assignSlots(many, new Array(SLOTS).fill(1))).size, SLOTS);
});
