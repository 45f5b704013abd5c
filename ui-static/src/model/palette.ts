// SPDX-License-Identifier: Apache-2.0
// Colours of services. The server gives every service a persistent slot, so all viewers see the same colour. The ten
// colours keep a distance from each other and from the error red in every kind of colour vision (tested). No DOM.

export const LIGHT = [
  "#1b6ad4",
  "#88851c",
  "#9a4c95",
  "#376c37",
  "#8685e5",
  "#3c2b02",
  "#bd7e8b",
  "#4f26b0",
  "#60415d",
  "#1b275f",
];
export const DARK = [
  "#98aef1",
  "#c9e84c",
  "#bb6ab4",
  "#3b7472",
  "#717df7",
  "#9f5021",
  "#f0b597",
  "#7652ac",
  "#3df4ef",
  "#8c9510",
];

/** Ten colours times three textures. */
export const SLOTS = 30;
export type Texture = "solid" | "stripe" | "dots";
const TEXTURES: Texture[] = ["solid", "stripe", "dots"];

export const textureOf = (slot: number): Texture => TEXTURES[Math.floor(slot / LIGHT.length) % TEXTURES.length];

export function colourOf(slot: number, dark: boolean): string {
  return (dark ? DARK : LIGHT)[slot % LIGHT.length];
}

/** WCAG relative luminance of #rrggbb. */
export function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

export function contrast(a: string, b: string): number {
  const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (hi + 0.05) / (lo + 0.05);
}

/** Black or white, whichever reads better; one of the two always has 4.5:1. */
export function textOn(hex: string): string {
  return contrast(hex, "#000000") >= contrast(hex, "#ffffff") ? "#000000" : "#ffffff";
}

/** Slots for the services of one trace: the persistent ones, except that of two with the same slot the one with less
 * weight (self time) moves to the next free slot. Deterministic; with more than 30 services slots repeat. */
export function assignSlots(services: { name: string; slot: number }[], weight: ArrayLike<number>): number[] {
  const order = services
    .map((_, i) => i)
    .sort((a, b) => weight[b] - weight[a] || (services[a].name < services[b].name ? -1 : 1));
  const taken = new Set<number>();
  const slots = new Array<number>(services.length).fill(0);
  for (const i of order) {
    let slot = ((services[i].slot % SLOTS) + SLOTS) % SLOTS;
    for (let tries = 0; taken.has(slot) && tries < SLOTS; tries++) slot = (slot + 1) % SLOTS;
    taken.add(slot);
    slots[i] = slot;
  }
  return slots;
}
