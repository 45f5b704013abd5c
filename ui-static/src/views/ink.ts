// SPDX-License-Identifier: Apache-2.0
// What a canvas needs to draw like the rest of the page: the tokens of main.css, service colours, textures. With forced
// colours (high contrast) the system's own are used and every bar gets a border.
import { colourOf, type Texture, textOn, textureOf } from "../model/palette";

export interface Ink {
  dark: boolean;
  forced: boolean;
  text: string;
  text2: string;
  line: string;
  panel: string;
  bg: string;
  accent: string;
  error: string;
  warn: string;
  font: string;
}

export function inkOf(dark: boolean): Ink {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(name).trim();
  const forced = window.matchMedia("(forced-colors: active)").matches;
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  if (forced) {
    const [canvas, ink] = ["Canvas", "CanvasText"];
    return { dark, forced, text: ink, text2: ink, line: "GrayText", panel: canvas, bg: canvas, accent: "Highlight", error: ink, warn: ink, font };
  }
  return {
    dark,
    forced,
    text: token("--text"),
    text2: token("--text-2"),
    line: token("--line"),
    panel: token("--panel"),
    bg: token("--bg"),
    accent: token("--accent"),
    error: token("--error"),
    warn: token("--warn"),
    font,
  };
}

export const barColour = (ink: Ink, slot: number) => (ink.forced ? ink.text2 : colourOf(slot, ink.dark));
export const labelColour = (ink: Ink, slot: number) => (ink.forced ? ink.bg : textOn(colourOf(slot, ink.dark)));

const patterns = new Map<string, CanvasPattern | string>();

/** A fill for bars of a slot: its colour, with stripes or dots for the second and third ten. */
export function fillOf(context: CanvasRenderingContext2D, ink: Ink, slot: number): CanvasPattern | string {
  const colour = barColour(ink, slot);
  const texture = textureOf(slot);
  if (texture === "solid") return colour;
  const key = `${colour} ${texture}`;
  let fill = patterns.get(key);
  if (!fill) {
    fill = context.createPattern(tile(colour, texture), "repeat") ?? colour;
    patterns.set(key, fill);
  }
  return fill;
}

function tile(colour: string, texture: Texture): HTMLCanvasElement {
  const size = 6;
  const canvas = document.createElement("canvas");
  canvas.width = size;
  canvas.height = size;
  const c = canvas.getContext("2d") as CanvasRenderingContext2D;
  c.fillStyle = colour;
  c.fillRect(0, 0, size, size);
  c.fillStyle = c.strokeStyle = textOn(colour) === "#000000" ? "rgba(0,0,0,.45)" : "rgba(255,255,255,.55)";
  if (texture === "dots") c.fillRect(2, 2, 2, 2);
  else {
    c.lineWidth = 1.5;
    c.beginPath();
    for (const at of [-size, 0, size]) {
      c.moveTo(at, size);
      c.lineTo(at + size, 0);
    }
    c.stroke();
  }
  return canvas;
}

/** Sizes a canvas for the screen's pixels; drawing goes on in CSS pixels. */
export function fitCanvas(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
