// SPDX-License-Identifier: Apache-2.0
// Draws the service graph as SVG: real elements, so that it can be walked with the keyboard, read aloud and saved as it is.
// Colours are presentation attributes, which a strict content security policy allows and a saved file keeps.
import { type Edge, edgeWidth, isFailing, type Line, linesOf, LINK, type Node, type Place, type Shown, walk } from "../model/graph";
import { colourOf, textureOf } from "../model/palette";
import { cutMiddle, formatPercent, plural } from "../model/text";
import { waitsIn } from "../state/waited";
import { iconPath } from "../ui/icons";
import type { LayoutAnswer } from "../worker/layers";
import { arrow, before, curve, freeRow, type Label, LABEL_HEIGHT, loopAt, middleOf, NODE_HEIGHT, NODE_WIDTH, routeLines, smooth, straightLines } from "./graph-paths";
import { type Ink, inkOf } from "./ink";

export { NODE_HEIGHT, NODE_WIDTH } from "./graph-paths";
/** A fitted drawing is at most so much larger than life. */
const LARGEST = 1.15;
/** Smaller than this nothing can be read: the rest is a drag away. On a narrow screen nothing would be left without that. */
const SMALLEST = 0.5;
const SMALLEST_NARROW = 0.6;
const SMALLEST_RINGS = 0.4;
/** With more edges than this, labels only show on hover and selection. */
const LABELS_MAX = 28;
/** A card that is moved by a key goes so far. */
const PUSH = 20;
/** What a name may take of a card. */
const NAME_WIDTH = NODE_WIDTH - 46;
/** And any line of its text, from behind the icon on. */
const TEXT_WIDTH = NODE_WIDTH - 44;
/** Of a card's corners. */
const RADIUS = 7;
/** Of the line below a drawing in a file. */
const NOTE_HEIGHT = 20;
const SVG = "http://www.w3.org/2000/svg";

export interface GraphEvents {
  select: (selection: Selection | null) => void;
  focus: (service: string) => void;
  /** Enter with Shift. */
  open?: (service: string) => void;
  /** A card was put somewhere; without it cards stay where the layout puts them. */
  pin?: (service: string, place: Place) => void;
  /** So many lines are drawn without their label, which shows when they are pointed at. */
  unlabelled?: (count: number) => void;
}

/** What a drawing may have besides services and calls. */
export interface Extras {
  /** Where cards stand instead of where the layout puts them. */
  pins?: Map<string, Place>;
  /** All of an edge in one line, shown when it is pointed at. */
  detail?: (edge: Edge) => string;
}

export interface Selection {
  kind: "node" | "edge";
  id: string;
}

type Attributes = Record<string, string | number>;

function make(tag: string, attributes: Attributes, parent?: Element): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  parent?.append(element);
  return element;
}

function text(content: string, attributes: Attributes, parent: Element): SVGElement {
  const element = make("text", attributes, parent);
  element.textContent = content;
  return element;
}

export class GraphView {
  readonly #svg = make("svg", { role: "group", "aria-label": "Service graph" }) as SVGSVGElement;
  readonly #scene = make("g", {}, this.#svg);
  readonly #nodes = new Map<string, SVGElement>();
  readonly #edges = new Map<string, SVGElement>();
  /** Of what is shown, in the order in which they are drawn. */
  #drawn: Line[] = [];
  readonly #places = new Map<string, Place>();
  readonly #observer: ResizeObserver;
  readonly #lines = make("g", {});
  readonly #labelLayer = make("g", {});
  #shown: Shown | null = null;
  #layout: LayoutAnswer | null = null;
  #label: (edge: Edge) => string = () => "";
  #extras: Extras = {};
  /** What is drawn, with what stands outside of where the layout ends. */
  #area = { x: 0, y: 0, width: 1, height: 1 };
  #view = { x: 0, y: 0, scale: 1 };
  #labels: Label[] = [];
  /** Lines whose label has no room. */
  readonly #crowded = new Set<string>();
  #vertical = false;
  #touched = false;
  /** Where each finger is, or the mouse with its button down, and whether any of them has moved since the first came. */
  readonly #fingers = new Map<number, PointerEvent>();
  #moved = false;
  #selection: Selection | null = null;
  #current = "";
  /** The edge whose label says everything. */
  #whole = "";
  #ink: Ink;

  constructor(
    private readonly host: HTMLElement,
    dark: boolean,
    private readonly events: GraphEvents,
  ) {
    this.#ink = inkOf(dark);
    this.#svg.classList.add("graph");
    // Text that somebody wants wider makes this wider, too, whenever they say so.
    const probe = document.createElement("span");
    probe.className = "probe";
    probe.textContent = "a a";
    host.replaceChildren(this.#svg, probe);
    waitsIn(this.#svg);
    this.#svg.addEventListener("pointerdown", this.#onDown);
    this.#svg.addEventListener("wheel", this.#onWheel, { passive: false });
    this.#svg.addEventListener("keydown", this.#onKey);
    this.#svg.addEventListener("focusin", (event) => {
      const target = this.#targetOf(event);
      if (target?.kind !== "node") return;
      this.#current = target.id;
      this.#markCurrent();
      // Tab comes to a card that may be out of view; a press of the mouse, to one that is in it.
      if (this.#nodes.get(target.id)?.matches(":focus-visible")) this.#bringIntoView(target.id);
    });
    if (window.matchMedia("(hover: hover)").matches) {
      this.#svg.addEventListener("pointerover", this.#onOver);
      this.#svg.addEventListener("pointerleave", () => this.#highlight(this.#selection));
    }
    this.#observer = new ResizeObserver(() => {
      this.#squeeze();
      if (this.#touched) this.#place();
      else this.fit();
      // A panel has opened, and took room.
      if (this.#selection) this.#bringIntoView(this.#selection.kind === "node" ? this.#selection.id : (this.#lineOf(this.#selection.id)?.server ?? ""));
    });
    this.#observer.observe(host);
    this.#observer.observe(probe);
  }

  stop(): void {
    this.#observer.disconnect();
    this.host.replaceChildren();
  }

  draw(shown: Shown, layout: LayoutAnswer, label: (edge: Edge) => string, line: (node: Node) => string, dark: boolean, extras: Extras = {}): void {
    const focused = this.#svg.contains(document.activeElement);
    this.#ink = inkOf(dark);
    this.#shown = shown;
    this.#drawn = linesOf(shown.edges);
    this.#layout = layout;
    this.#label = label;
    this.#extras = extras;
    this.#vertical = layout.vertical;
    this.#svg.classList.add("drawn");
    this.#scene.replaceChildren();
    for (const map of [this.#nodes, this.#places]) map.clear();
    for (const n of layout.nodes) this.#places.set(n.id, extras.pins?.get(n.id) ?? n);
    this.#measure();
    this.#drawRings(layout);
    this.#drawBoxes(layout);
    this.#scene.append(this.#lines, this.#labelLayer);
    this.#drawLines();
    for (const n of shown.nodes) this.#drawNode(n, line(n));
    if (!this.#nodes.has(this.#current)) this.#current = shown.nodes[0]?.service ?? "";
    this.#markCurrent();
    if (focused) this.#nodes.get(this.#current)?.focus({ preventScroll: true });
    this.setSelection(this.#selection);
    this.#squeeze();
    if (this.#touched) this.#place();
    else this.fit();
  }

  /** Texts that are wider than their room, with the spacing that somebody has set for texts, are made as wide. */
  #squeeze(): void {
    const texts = [...this.#scene.querySelectorAll<SVGTextContentElement>(".node text, .label tspan")];
    for (const t of texts) t.removeAttribute("textLength");
    const rooms = texts.map((t) => {
      const room = t.tagName === "text" ? TEXT_WIDTH : Number(t.parentElement?.previousElementSibling?.getAttribute("width")) - 4;
      return t.getComputedTextLength() > room ? room : 0;
    });
    texts.forEach((t, i) => {
      if (rooms[i] === 0) return;
      t.setAttribute("textLength", String(rooms[i]));
      t.setAttribute("lengthAdjust", "spacingAndGlyphs");
    });
  }

  #measure(): void {
    const { width, height } = this.#layout ?? { width: 1, height: 1 };
    const all = [...this.#places.values()];
    const margin = 24;
    const x = Math.min(0, ...all.map((p) => p.x - NODE_WIDTH / 2 - margin));
    const y = Math.min(0, ...all.map((p) => p.y - NODE_HEIGHT / 2 - margin));
    this.#area = { x, y, width: Math.max(width, ...all.map((p) => p.x + NODE_WIDTH / 2 + margin)) - x, height: Math.max(height, ...all.map((p) => p.y + NODE_HEIGHT / 2 + margin)) - y };
  }

  #drawRings({ rings }: LayoutAnswer): void {
    for (const { rx, ry, hops } of rings?.rings ?? []) {
      const { x, y } = rings?.centre ?? { x: 0, y: 0 };
      make("ellipse", { cx: x, cy: y, rx, ry, fill: "none", stroke: this.#ink.line }, this.#scene);
      const name = hops < 0 ? "not connected" : hops === 1 ? "1 hop" : `${hops} hops`;
      // From the lower right on, wherever no card is.
      const at = Array.from({ length: 40 }, (_, i) => 0.75 + i / 20).map((turn) => ({ x: x + rx * Math.sin(Math.PI * turn), y: y - ry * Math.cos(Math.PI * turn) }));
      const hit = (p: Place) => [...this.#places.values()].some((c) => Math.abs(c.x - p.x) < NODE_WIDTH / 2 + 44 && Math.abs(c.y - p.y) < NODE_HEIGHT / 2 + 12);
      const free = at.find((p) => !hit(p)) ?? at[0];
      text(name, { x: free.x, y: free.y + 4, "text-anchor": "middle", "font-size": 11, fill: this.#ink.text2, stroke: this.#ink.bg, "stroke-width": 4, "paint-order": "stroke" }, this.#scene);
    }
  }

  /** Groups of services. A card that was moved away stands outside of its box: then the box says nothing, and is left out. */
  #drawBoxes({ boxes }: LayoutAnswer): void {
    if ((this.#extras.pins?.size ?? 0) > 0 && [...(this.#extras.pins?.keys() ?? [])].some((id) => this.#places.has(id))) return;
    for (const { title, x, y, width, height } of boxes ?? []) {
      make("rect", { x, y: y - 6, width, height: height + 12, rx: 10, fill: this.#ink.panel, "fill-opacity": 0.6, stroke: this.#ink.line }, this.#scene);
      text(title, { x: x + 10, y: y + 9, "font-size": 11, "font-weight": 600, fill: this.#ink.text2 }, this.#scene);
    }
  }

  #drawLines(): void {
    const layout = this.#layout;
    if (!layout) return;
    this.#labels = [];
    this.#crowded.clear();
    this.#whole = "";
    this.#edges.clear();
    this.#lines.replaceChildren();
    this.#labelLayer.replaceChildren();
    this.#scene.querySelector(":scope > .label")?.remove();
    const moved = new Set(layout.nodes.filter((n) => this.#places.get(n.id) !== n).map((n) => n.id));
    const points = layout.rings ? straightLines(this.#drawn, this.#places) : routeLines(this.#drawn, layout, this.#places, moved);
    const most = this.#drawn.reduce((m, l) => Math.max(m, l.callCount), 1);
    for (const line of this.#drawn) this.#drawLine(line, points.get(line.id) ?? loopAt(this.#places.get(line.client) ?? { x: 0, y: 0 }), most);
    this.events.unlabelled?.(this.#drawn.filter((l) => !this.#labelled(l)).length);
  }

  #drawLine(line: Line, points: Place[], most: number): void {
    const failing = line.edges.some(isFailing);
    const quiet = line.callCount === 0;
    const all = (type: string) => line.edges.every((e) => e.connectionType === type);
    const colour = failing ? this.#ink.error : quiet ? this.#ink.line : this.#ink.text2;
    const opacity = failing || this.#ink.forced ? 1 : 0.72;
    const width = edgeWidth(line.callCount, most);
    const group = make("g", { class: failing ? "edge failing" : "edge", "data-edge": line.edges[0].id }, this.#lines);
    const round = line.client === line.server || this.#layout?.rings;
    const path = round ? curve(points) : smooth(points, this.#vertical);
    make("path", { d: path, fill: "none", stroke: "transparent", "stroke-width": Math.max(14, width + 8) }, group);
    const stroke = make("path", { d: path, fill: "none", stroke: colour, "stroke-width": width.toFixed(2), "stroke-opacity": opacity, class: "line" }, group);
    if (all("virtual_node") || quiet) stroke.setAttribute("stroke-dasharray", "2 5");
    else if (failing) stroke.setAttribute("stroke-dasharray", `${4 + 2 * width} ${2 + width}`);
    else if (all(LINK)) stroke.setAttribute("stroke-dasharray", "10 3");
    const heading = round ? points : [...points.slice(0, -1), before(points, this.#vertical), points[points.length - 1]];
    make("path", { d: arrow(heading, width), fill: colour, "fill-opacity": opacity, class: "head" }, group);
    const rows = this.#short(line);
    const title = make("title", {}, group);
    title.textContent = `${line.client} → ${line.server}: ${(this.#extras.detail ? line.edges.map(this.#extras.detail) : rows).join("\n")}`;
    const at = middleOf(points);
    // Above a loop, which it would cover.
    if (line.client === line.server) at.y -= LABEL_HEIGHT;
    const middle = this.#freePlace(line, at, rows);
    const box = make("g", { class: this.#labelled(line) ? "label" : "label hidden", "data-label": line.id, "pointer-events": "none" }, this.#labelLayer);
    make("rect", { height: LABEL_HEIGHT, y: middle.y - 9, rx: 4, fill: this.#ink.bg, "fill-opacity": 0.92 }, box);
    const words = make("text", { x: middle.x, y: middle.y + 3.5, "text-anchor": "middle", "font-size": 11 }, box);
    this.#write(words, line, rows);
    this.#edges.set(line.id, group);
  }

  /** What a line is labelled by, a row for each of its edges. */
  #short(line: Line): string[] {
    return line.edges.map((e) => (isFailing(e) ? "▲ " : "") + this.#label(e));
  }

  #labelOf(id: string): Element | null {
    return this.#scene.querySelector(`[data-label="${CSS.escape(id)}"]`);
  }

  /** Writes a row for each edge of the line, and makes the ground that they stand on as large. */
  #write(words: Element, line: Line, rows: string[]): void {
    const x = Number(words.getAttribute("x"));
    const parts = rows.map((row, i) => {
      const part = make("tspan", { x, dy: i === 0 ? 0 : LABEL_HEIGHT, fill: isFailing(line.edges[i]) ? this.#ink.error : this.#ink.text2 });
      part.textContent = row;
      return part;
    });
    words.replaceChildren(...parts);
    const half = halfOf(rows);
    for (const [name, value] of Object.entries({ x: x - half, width: 2 * half, height: LABEL_HEIGHT * rows.length })) words.previousElementSibling?.setAttribute(name, String(value));
  }

  /** That the edge is part of. */
  #lineOf(edge: string): Line | undefined {
    return this.#drawn.find((l) => l.edges.some((e) => e.id === edge));
  }

  /** The label of the line that is pointed at says everything, an edge a row; of the others what they are labelled by. */
  #relabel(id: string, whole: boolean): void {
    const line = this.#drawn.find((l) => l.id === id);
    const box = this.#labelOf(id);
    const shown = box?.querySelector("text");
    if (!line || !box || !shown || !this.#extras.detail) return;
    const rows = whole ? line.edges.map(this.#extras.detail) : this.#short(line);
    this.#write(shown, line, rows);
    // All of it is long: it stands above other cards, and below the two that it is of.
    (whole ? this.#scene : this.#labelLayer).append(box);
    const [x, y] = [Number(shown.getAttribute("x")), Number(shown.getAttribute("y"))];
    const half = halfOf(rows);
    const ends = [line.client, line.server].map((id) => this.#places.get(id)).filter((p): p is Place => p !== undefined);
    const hit = ends.filter((p) => whole && Math.abs(p.x - x) < NODE_WIDTH / 2 + half && p.y - y < NODE_HEIGHT / 2 + (rows.length - 0.5) * LABEL_HEIGHT && y - p.y < (NODE_HEIGHT + LABEL_HEIGHT) / 2);
    const down = Math.max(0, ...hit.map((p) => p.y + NODE_HEIGHT / 2 + LABEL_HEIGHT - y));
    // And within what is seen.
    const [left, right] = [x - half, x + half].map((at) => at * this.#view.scale + this.#view.x);
    const across = Math.max(4 - left, Math.min(0, this.host.clientWidth - 4 - right)) / this.#view.scale;
    box.setAttribute("transform", whole ? `translate(${across} ${down})` : "");
  }

  /** Labels of edges side by side would lie on one another: a later one moves, or is not seen until its line is pointed at. */
  #freePlace({ id }: Line, { x, y }: Place, rows: string[]): Place {
    const below = (rows.length - 1) * LABEL_HEIGHT;
    const label = { x, y: y - below / 2, half: halfOf(rows), below };
    const row = freeRow(label, this.#labels, this.#places.values());
    if (row === null) this.#crowded.add(id);
    else this.#labels.push({ ...label, y: row });
    return { x, y: row ?? label.y };
  }

  #labelled({ id }: { id: string }): boolean {
    return this.#drawn.length <= LABELS_MAX && !this.#crowded.has(id);
  }

  #drawNode(n: Node, line: string): void {
    const at = this.#places.get(n.service) ?? { x: 0, y: 0 };
    const inferred = n.type !== "service";
    const name = clip(n.service || "(no service name)", NAME_WIDTH);
    const failed = n.errorCount > 0 ? ` ▲ ${formatPercent(n.errorCount, n.callCount)} failed` : "";
    const group = make(
      "g",
      {
        class: "node",
        "data-node": n.service,
        transform: `translate(${at.x - NODE_WIDTH / 2} ${at.y - NODE_HEIGHT / 2})`,
        role: "button",
        tabindex: -1,
        "aria-label": `${name} ${line}${failed}, ${n.type}${name === n.service ? "" : ` ${n.service}`}`.replace("▲ ", ""),
        // The title says the same to the pointer.
        "aria-description": "",
      },
      this.#scene,
    );
    const card = make(
      "rect",
      { class: "card", width: NODE_WIDTH, height: NODE_HEIGHT, rx: RADIUS, fill: this.#ink.panel, stroke: this.#ink.line, "stroke-width": 1 },
      group,
    );
    if (inferred) card.setAttribute("stroke-dasharray", "4 3");
    const colour = inferred || this.#ink.forced ? this.#ink.text2 : colourOf(n.slot, this.#ink.dark);
    make("path", { d: `M7 0.5h-1a5.5 5.5 0 0 0 -5.5 5.5v${NODE_HEIGHT - 12}a5.5 5.5 0 0 0 5.5 5.5h1z`, fill: colour }, group);
    if (!inferred && textureOf(n.slot) !== "solid") make("path", { d: `M4 6v${NODE_HEIGHT - 12}`, stroke: this.#ink.panel, "stroke-width": 2, "stroke-dasharray": textureOf(n.slot) === "dots" ? "2 4" : "5 3" }, group);
    const icon = make("g", { transform: `translate(14 ${(NODE_HEIGHT - 16) / 2})` }, group);
    make("path", { d: iconPath(n.type), fill: "none", stroke: this.#ink.text2, "stroke-width": 1.3, "stroke-linecap": "round", "stroke-linejoin": "round" }, icon);
    text(name, { x: 37, y: 17, "font-size": 13, "font-weight": 600, fill: this.#ink.text }, group);
    group.append(" ");
    const second = text(line, { x: 37, y: 32, "font-size": 11, fill: this.#ink.text2 }, group);
    if (n.errorCount > 0) {
      const errors = make("tspan", { fill: this.#ink.error, dx: 2 }, second);
      errors.textContent = ` ▲ ${formatPercent(n.errorCount, n.callCount)}`;
      this.#errorRing(group, n.errorCount / Math.max(1, n.callCount));
    }
    make("title", { "aria-hidden": "true" }, group).textContent = `${n.service} (${n.type}): ${line}${failed}`;
    this.#nodes.set(n.service, group);
  }

  /** The part of failed calls, as a part of the card's border: clockwise from its upper left corner. */
  #errorRing(group: Element, share: number): void {
    const around = 2 * (NODE_WIDTH + NODE_HEIGHT) - (8 - 2 * Math.PI) * RADIUS;
    const dash = Math.max(4, Math.min(1, share) * around);
    make("rect", { class: "failed", width: NODE_WIDTH, height: NODE_HEIGHT, rx: RADIUS, fill: "none", stroke: this.#ink.error, "stroke-width": 2, "stroke-dasharray": `${dash.toFixed(1)} ${around.toFixed(1)}` }, group);
  }

  setSelection(selection: Selection | null): void {
    this.#selection = selection;
    this.#highlight(selection);
  }

  /** Dims whatever does not touch the node or edge. */
  #highlight(target: Selection | null): void {
    const chosenLine = target?.kind === "edge" ? this.#lineOf(target.id) : undefined;
    const touches = (l: Line) => !target || (target.kind === "edge" ? l === chosenLine : l.client === target.id || l.server === target.id);
    const near = new Set<string>();
    for (const line of this.#drawn) {
      const on = touches(line);
      if (target && on) near.add(line.client).add(line.server);
      const group = this.#edges.get(line.id);
      group?.classList.toggle("dim", !on);
      group?.classList.toggle("chosen", this.#selection !== null && target === this.#selection && on);
      this.#labelOf(line.id)?.classList.toggle("hidden", target ? !on || (target.kind === "node" && this.#crowded.has(line.id)) : !this.#labelled(line));
    }
    for (const [id, group] of this.#nodes) {
      const chosen = this.#selection?.kind === "node" && this.#selection.id === id;
      group.classList.toggle("dim", target !== null && !near.has(id) && target.id !== id);
      group.classList.toggle("chosen", chosen);
      group.setAttribute("aria-pressed", String(chosen));
    }
    const whole = chosenLine?.id ?? "";
    if (whole === this.#whole) return;
    if (this.#whole) this.#relabel(this.#whole, false);
    this.#whole = whole;
    if (whole) this.#relabel(whole, true);
    this.#squeeze();
  }

  /** Only a mouse passes over things; a finger would leave them dimmed. */
  readonly #onOver = (event: PointerEvent) => {
    if (event.pointerType !== "mouse" || event.buttons !== 0) return;
    this.#highlight(this.#targetOf(event) ?? this.#selection);
  };

  #targetOf(event: Event): Selection | null {
    const element = event.target instanceof Element ? event.target.closest("[data-node],[data-edge]") : null;
    const node = element?.getAttribute("data-node");
    if (node !== null && node !== undefined) return { kind: "node", id: node };
    const edge = element?.getAttribute("data-edge");
    return edge ? { kind: "edge", id: edge } : null;
  }

  /** One finger, or the mouse, moves a card or the drawing; two fingers zoom it. What does not move chooses. */
  readonly #onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const target = this.#targetOf(event);
    let card = target?.kind === "node" && this.events.pin ? target.id : null;
    this.#fingers.set(event.pointerId, event);
    this.#moved = this.#fingers.size > 1;
    let dragged = false;
    const move = (to: PointerEvent) => {
      const before = this.#fingers.get(to.pointerId);
      if (!before || to.pointerId !== event.pointerId) return;
      const [dx, dy] = [to.clientX - before.clientX, to.clientY - before.clientY];
      if (!this.#moved && Math.abs(dx) + Math.abs(dy) < 4) return;
      this.#moved = this.#touched = true;
      this.#fingers.set(to.pointerId, to);
      const other = [...this.#fingers.values()].find((f) => f !== to);
      // What began as a zoom moves no card when one finger is lifted before the other.
      if (other) card = null;
      const at = card === null ? undefined : this.#places.get(card);
      if (card !== null && at) {
        dragged = true;
        return this.#moveCard(card, { x: at.x + dx / this.#view.scale, y: at.y + dy / this.#view.scale });
      }
      const part = other ? 2 : 1;
      this.#view = { ...this.#view, x: this.#view.x + dx / part, y: this.#view.y + dy / part };
      if (other) this.#pinch(other, before, to);
      else this.#place();
    };
    const up = (to: PointerEvent) => {
      if (to.pointerId !== event.pointerId) return;
      this.#fingers.delete(to.pointerId);
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      window.removeEventListener("pointercancel", up);
      const place = card === null ? undefined : this.#places.get(card);
      if (dragged && card !== null && place) this.events.pin?.(card, place);
      if (this.#moved) return;
      if (target?.kind === "node") this.#setCurrent(target.id);
      this.events.select(target);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
    window.addEventListener("pointercancel", up);
  };

  /** By as much as two fingers have moved apart, around what is between them. */
  #pinch(still: PointerEvent, before: PointerEvent, now: PointerEvent): void {
    const apart = (f: PointerEvent) => Math.max(1, Math.hypot(f.clientX - still.clientX, f.clientY - still.clientY));
    const box = this.#svg.getBoundingClientRect();
    this.#zoomAt(apart(now) / apart(before), (now.clientX + still.clientX) / 2 - box.left, (now.clientY + still.clientY) / 2 - box.top);
  }

  /** The card, and the lines that end at it. */
  #moveCard(service: string, place: Place): void {
    this.#places.set(service, { x: place.x, y: place.y });
    this.#nodes.get(service)?.setAttribute("transform", `translate(${place.x - NODE_WIDTH / 2} ${place.y - NODE_HEIGHT / 2})`);
    this.#measure();
    this.#drawLines();
    this.setSelection(this.#selection);
  }

  readonly #onWheel = (event: WheelEvent) => {
    event.preventDefault();
    const box = this.#svg.getBoundingClientRect();
    this.#zoomAt(Math.exp(-event.deltaY / 500), event.clientX - box.left, event.clientY - box.top);
  };

  zoomBy(factor: number): void {
    this.#zoomAt(factor, this.host.clientWidth / 2, this.host.clientHeight / 2);
  }

  #zoomAt(factor: number, x: number, y: number): void {
    const scale = Math.max(0.1, Math.min(3, this.#view.scale * factor));
    const by = scale / this.#view.scale;
    this.#view = { scale, x: x - (x - this.#view.x) * by, y: y - (y - this.#view.y) * by };
    this.#touched = true;
    this.#place();
  }

  /** The whole graph in view; a small one is not blown up. */
  fit(): void {
    this.#touched = false;
    const [w, h] = [this.host.clientWidth, this.host.clientHeight];
    const { x, y, width, height } = this.#area;
    const least = this.#layout?.rings ? SMALLEST_RINGS : this.#vertical ? SMALLEST_NARROW : SMALLEST;
    const scale = Math.max(least, Math.min(LARGEST, w / width, h / height));
    const [left, top] = [(w - width * scale) / 2, (h - height * scale) / 2];
    // What does not fit begins at its beginning; in rings, at their centre.
    const around = this.#layout?.rings?.centre;
    const at = { x: this.#vertical ? Math.min(left, 0) : Math.max(0, left), y: Math.max(0, top) };
    const first = this.#firstOf();
    if (top < 0 && !this.#vertical) at.y = Math.min(0, Math.max(2 * top, h / 2 - (first.y - y) * scale));
    if (left < 0 && this.#vertical) at.x = Math.min(0, Math.max(2 * left, w / 2 - (first.x - x) * scale));
    if (around && (left < 0 || top < 0)) Object.assign(at, { x: w / 2 - (around.x - x) * scale, y: h / 2 - (around.y - y) * scale });
    this.#view = { scale, x: at.x - x * scale, y: at.y - y * scale };
    this.#place();
  }

  /** Where the service stands that the drawing begins with: of the first layer the one with most edges. */
  #firstOf(): Place {
    const edges = new Map<string, number>();
    for (const e of this.#shown?.edges ?? []) edges.set(e.client, (edges.get(e.client) ?? 0) + 1);
    const along = (p: Place) => (this.#vertical ? p.y : p.x);
    const least = Math.min(...[...this.#places.values()].map(along));
    const first = [...this.#places].filter(([, p]) => along(p) <= least + (this.#vertical ? NODE_HEIGHT : NODE_WIDTH) / 2).sort(([a], [b]) => (edges.get(b) ?? 0) - (edges.get(a) ?? 0))[0];
    return first?.[1] ?? { x: 0, y: 0 };
  }

  #place(): void {
    this.#scene.setAttribute("transform", `translate(${this.#view.x} ${this.#view.y}) scale(${this.#view.scale})`);
  }

  #setCurrent(service: string): void {
    this.#current = service;
    this.#markCurrent();
    const element = this.#nodes.get(service);
    element?.focus({ preventScroll: true });
    this.#bringIntoView(service);
  }

  /** One stop of the Tab key for the whole graph. */
  #markCurrent(): void {
    for (const [id, group] of this.#nodes) group.setAttribute("tabindex", id === this.#current ? "0" : "-1");
  }

  #bringIntoView(service: string): void {
    const at = this.#places.get(service);
    if (!at) return;
    const x = at.x * this.#view.scale + this.#view.x;
    const y = at.y * this.#view.scale + this.#view.y;
    const [w, h] = [this.host.clientWidth, this.host.clientHeight];
    const inside = x > 40 && x < w - 40 && y > 20 && y < h - 20;
    if (inside) return;
    this.#view = { ...this.#view, x: this.#view.x + w / 2 - x, y: this.#view.y + h / 2 - y };
    this.#place();
  }

  readonly #onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.#places.has(this.#current)) return;
    const directions = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" } as const;
    const direction = directions[event.key as keyof typeof directions];
    if (direction && event.shiftKey && this.events.pin) this.#pushCard(direction);
    else if (direction) {
      const next = walk(this.#current, this.#places, this.#shown?.edges ?? [], direction);
      if (next !== null) this.#setCurrent(next);
    } else if (event.key === " ") this.events.select({ kind: "node", id: this.#current });
    else if (event.key === "Enter" && event.shiftKey && this.events.open) this.events.open(this.#current);
    else if (event.key === "Enter") this.events.focus(this.#current);
    else return;
    event.preventDefault();
  };

  /** What a drag does, by keys. */
  #pushCard(direction: "left" | "right" | "up" | "down"): void {
    const at = this.#places.get(this.#current) ?? { x: 0, y: 0 };
    const [dx, dy] = { left: [-PUSH, 0], right: [PUSH, 0], up: [0, -PUSH], down: [0, PUSH] }[direction];
    const place = { x: at.x + dx, y: at.y + dy };
    this.#touched = true;
    this.#moveCard(this.#current, place);
    this.events.pin?.(this.#current, place);
  }

  /** The drawing as a file of its own, and what is said in it: about, and what it leaves out. */
  toFile(title: string, about: string[]): { svg: string; width: number; height: number; about: string } {
    const copy = this.#svg.cloneNode(true) as SVGSVGElement;
    let without = 0;
    for (const label of copy.querySelectorAll(".label.hidden")) {
      // What is chosen hides the others for the while only.
      if (this.#labelled({ id: label.getAttribute("data-label") ?? "" })) label.classList.remove("hidden");
      else {
        label.remove();
        without++;
      }
    }
    const left = without > 0 ? `${plural(without, "label")} without room left out; the JSON and CSV exports have all numbers` : "";
    const [x, y, w, drawn] = [Math.floor(this.#area.x), Math.floor(this.#area.y), Math.ceil(this.#area.width), Math.ceil(this.#area.height)];
    const h = drawn + (left ? NOTE_HEIGHT : 0);
    if (left) text(left, { x: x + 8, y: y + drawn + 8, "font-size": 11, fill: this.#ink.text2 }, copy);
    for (const [name, value] of Object.entries({ xmlns: SVG, width: w, height: h, viewBox: `${x} ${y} ${w} ${h}`, "font-family": "system-ui, sans-serif" })) {
      copy.setAttribute(name, String(value));
    }
    for (const name of ["class", "style"]) copy.removeAttribute(name);
    copy.firstElementChild?.removeAttribute("transform");
    for (const dimmed of copy.querySelectorAll(".dim")) dimmed.classList.remove("dim");
    const background = make("rect", { x, y, width: w, height: h, fill: this.#ink.bg });
    const name = make("title", {});
    name.textContent = title;
    const more = make("desc", {});
    more.textContent = (left ? [...about, left] : about).join("\n");
    copy.prepend(name, more, background);
    return { svg: new XMLSerializer().serializeToString(copy), width: w, height: h, about: more.textContent };
  }
}

/** Half of the width of a label with these rows. */
const halfOf = (rows: string[]) => Math.max(...rows.map((r) => r.length)) * 3.1 + 5;

let ruler: CanvasRenderingContext2D | null = null;

/** No card has room for so many letters, and a name may be a megabyte. */
const LETTERS_MAX = 100;

/** As much of a name as has room on a card: its beginning and its end. */
function clip(name: string, most: number): string {
  ruler ??= document.createElement("canvas").getContext("2d");
  if (!ruler) return name;
  ruler.font = `600 13px ${getComputedStyle(document.body).fontFamily}`;
  let shown = cutMiddle(name, LETTERS_MAX);
  for (let letters = Math.min(LETTERS_MAX, shown.length); ruler.measureText(shown).width > most && letters > 2; shown = cutMiddle(name, --letters));
  return shown;
}
