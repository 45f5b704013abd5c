// SPDX-License-Identifier: Apache-2.0
// Draws the service graph as SVG: real elements, so that it can be walked with the keyboard, read aloud and saved as it is.
// Colours are presentation attributes, which a strict content security policy allows and a saved file keeps.
import { type Edge, edgeWidth, type Node, type Shown, towards } from "../model/graph";
import { colourOf, textureOf } from "../model/palette";
import { formatPercent } from "../model/text";
import { iconPath } from "../ui/icons";
import type { LayoutAnswer } from "../worker/layout";
import { type Ink, inkOf } from "./ink";

export const NODE_WIDTH = 172;
export const NODE_HEIGHT = 40;
/** An edge with at least this part of failed calls is drawn as failing. */
export const FAILING = 0.05;
/** A fitted drawing is at most so much larger than life. */
const LARGEST = 1.15;
/** Smaller than this nothing can be read: the rest is a drag away. On a narrow screen nothing would be left without that. */
const SMALLEST = 0.35;
const SMALLEST_NARROW = 0.6;
/** With more edges than this, labels only show on hover and selection. */
const LABELS_MAX = 28;
/** Height of a label with the space around it. */
const LABEL_HEIGHT = 17;
/** Characters of a name that fit on a card. */
const NAME_MAX = 18;
const SVG = "http://www.w3.org/2000/svg";

export interface GraphEvents {
  select: (selection: Selection | null) => void;
  focus: (service: string) => void;
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

interface Placed {
  x: number;
  y: number;
}

export class GraphView {
  private readonly svg = make("svg", { role: "group", "aria-label": "Service graph" }) as SVGSVGElement;
  private readonly scene = make("g", {}, this.svg);
  private readonly nodes = new Map<string, SVGElement>();
  private readonly edges = new Map<string, SVGElement>();
  private readonly places = new Map<string, Placed>();
  private readonly observer: ResizeObserver;
  private shown: Shown | null = null;
  private size = { width: 1, height: 1 };
  private view = { x: 0, y: 0, scale: 1 };
  private labels: { x: number; y: number; half: number }[] = [];
  private vertical = false;
  private touched = false;
  private selection: Selection | null = null;
  private current = "";
  private ink: Ink;

  constructor(
    private readonly host: HTMLElement,
    dark: boolean,
    private readonly events: GraphEvents,
  ) {
    this.ink = inkOf(dark);
    this.svg.classList.add("graph");
    host.replaceChildren(this.svg);
    this.svg.addEventListener("pointerdown", this.onDown);
    this.svg.addEventListener("wheel", this.onWheel, { passive: false });
    this.svg.addEventListener("keydown", this.onKey);
    this.observer = new ResizeObserver(() => {
      if (this.touched) this.place();
      else this.fit();
    });
    this.observer.observe(host);
  }

  stop(): void {
    this.observer.disconnect();
    this.host.replaceChildren();
  }

  draw(shown: Shown, layout: LayoutAnswer, label: (edge: Edge) => string, line: (node: Node) => string, dark: boolean): void {
    this.ink = inkOf(dark);
    this.shown = shown;
    this.size = { width: layout.width, height: layout.height };
    this.vertical = layout.vertical;
    this.labels = [];
    this.scene.replaceChildren();
    for (const map of [this.nodes, this.edges, this.places]) map.clear();
    for (const n of layout.nodes) this.places.set(n.id, n);
    const points = this.route(shown.edges, layout);
    const most = shown.edges.reduce((m, e) => Math.max(m, e.callCount), 1);
    const lines = make("g", {}, this.scene);
    const labels = make("g", { "pointer-events": "none" }, this.scene);
    for (const e of shown.edges) this.drawEdge(e, points.get(e.id) ?? this.loop(e), most, label(e), lines, labels);
    for (const n of shown.nodes) this.drawNode(n, line(n));
    if (!this.nodes.has(this.current)) this.current = shown.nodes[0]?.service ?? "";
    this.markCurrent();
    this.setSelection(this.selection);
    if (this.touched) this.place();
    else this.fit();
  }

  /** Edges leave and enter cards on the sides that face each other, spread so that they do not lie on one another; in
   * between they go where the layout sends them. */
  private route(edges: Edge[], layout: LayoutAnswer): Map<string, Placed[]> {
    // A single point in between is the place of a label, not a way around something.
    const inner = new Map(layout.edges.map((e) => [e.id, e.points.length > 3 ? e.points.slice(1, -1) : []]));
    const across = layout.vertical ? "x" : "y";
    const ports = new Map<string, { edge: string; at: number }[]>();
    const sideOf = (e: Edge, end: "client" | "server") => {
      const [a, b] = [this.places.get(e.client), this.places.get(e.server)];
      const forward = !a || !b || (layout.vertical ? b.y >= a.y : b.x >= a.x);
      return { service: e[end], side: (end === "client") === forward ? 1 : -1 };
    };
    const key = ({ service, side }: { service: string; side: number }) => `${side} ${service}`;
    for (const e of edges) {
      for (const end of ["client", "server"] as const) {
        const way = [...(inner.get(e.id) ?? [])];
        const other = end === "client" ? (way[0] ?? this.places.get(e.server)) : (way.at(-1) ?? this.places.get(e.client));
        const list = ports.get(key(sideOf(e, end))) ?? [];
        list.push({ edge: `${end} ${e.id}`, at: other?.[across] ?? 0 });
        ports.set(key(sideOf(e, end)), list);
      }
    }
    const offset = new Map<string, number>();
    const room = (layout.vertical ? NODE_WIDTH : NODE_HEIGHT) - 16;
    for (const list of ports.values()) {
      list.sort((a, b) => a.at - b.at);
      const step = Math.min(layout.vertical ? 24 : 9, room / Math.max(1, list.length - 1));
      list.forEach((port, i) => offset.set(port.edge, (i - (list.length - 1) / 2) * step));
    }
    const port = (e: Edge, end: "client" | "server"): Placed => {
      const { service, side } = sideOf(e, end);
      const at = this.places.get(service) ?? { x: 0, y: 0 };
      const by = offset.get(`${end} ${e.id}`) ?? 0;
      return layout.vertical ? { x: at.x + by, y: at.y + (side * NODE_HEIGHT) / 2 } : { x: at.x + (side * NODE_WIDTH) / 2, y: at.y + by };
    };
    const routed = edges.filter((e) => e.client !== e.server).map((e): [string, Placed[]] => [e.id, [port(e, "client"), ...(inner.get(e.id) ?? []), port(e, "server")]]);
    return new Map(routed);
  }

  /** A call of a service to itself: a loop over its right upper corner. */
  private loop(e: Edge): Placed[] {
    const at = this.places.get(e.client) ?? { x: 0, y: 0 };
    const [right, top] = [at.x + NODE_WIDTH / 2, at.y - NODE_HEIGHT / 2];
    return [
      { x: right - 50, y: top },
      { x: right - 46, y: top - 18 },
      { x: right - 22, y: top - 18 },
      { x: right - 18, y: top },
    ];
  }

  private drawEdge(e: Edge, points: Placed[], most: number, label: string, lines: Element, labels: Element): void {
    const failing = e.errorCount > 0 && e.errorCount >= FAILING * e.callCount;
    const colour = failing ? this.ink.error : this.ink.text2;
    const opacity = failing || this.ink.forced ? 1 : 0.72;
    const width = edgeWidth(e.callCount, most);
    const group = make("g", { class: failing ? "edge failing" : "edge", "data-edge": e.id }, lines);
    const path = e.client === e.server ? curve(points) : smooth(points, this.vertical);
    make("path", { d: path, fill: "none", stroke: "transparent", "stroke-width": Math.max(14, width + 8) }, group);
    const stroke = make("path", { d: path, fill: "none", stroke: colour, "stroke-width": width.toFixed(2), "stroke-opacity": opacity, class: "line" }, group);
    if (e.connectionType === "virtual_node") stroke.setAttribute("stroke-dasharray", "2 5");
    else if (failing) stroke.setAttribute("stroke-dasharray", `${4 + 2 * width} ${2 + width}`);
    const heading = e.client === e.server ? points : [...points.slice(0, -1), before(points, this.vertical), points[points.length - 1]];
    make("path", { d: arrow(heading, width), fill: colour, "fill-opacity": opacity, class: "head" }, group);
    const title = make("title", {}, group);
    title.textContent = `${e.client} → ${e.server}: ${label}`;
    const half = ((failing ? 2 : 0) + label.length) * 3.1 + 5;
    const middle = this.freePlace(middleOf(points), half);
    const shown = (failing ? "▲ " : "") + label;
    const box = make("g", { class: this.shownLabels() ? "label" : "label hidden", "data-label": e.id }, labels);
    make("rect", { x: middle.x - half, y: middle.y - 9, width: 2 * half, height: 17, rx: 4, fill: this.ink.bg, "fill-opacity": 0.92 }, box);
    text(shown, { x: middle.x, y: middle.y + 3.5, "text-anchor": "middle", "font-size": 11, fill: failing ? this.ink.error : this.ink.text2 }, box);
    this.edges.set(e.id, group);
  }

  /** Labels of edges side by side would lie on one another: the later one moves down. */
  private freePlace(at: Placed, half: number): Placed {
    let y = at.y;
    const near = (l: { x: number; y: number; half: number }) => Math.abs(l.x - at.x) < l.half + half && Math.abs(l.y - y) < LABEL_HEIGHT;
    for (let tries = 0; tries < 8 && this.labels.some(near); tries++) y += LABEL_HEIGHT;
    this.labels.push({ x: at.x, y, half });
    return { x: at.x, y };
  }

  private shownLabels(): boolean {
    return (this.shown?.edges.length ?? 0) <= LABELS_MAX;
  }

  private drawNode(n: Node, line: string): void {
    const at = this.places.get(n.service) ?? { x: 0, y: 0 };
    const inferred = n.type !== "service";
    const failed = n.errorCount > 0 ? ` ▲ ${formatPercent(n.errorCount, n.callCount)} failed` : "";
    const group = make(
      "g",
      {
        class: "node",
        "data-node": n.service,
        transform: `translate(${at.x - NODE_WIDTH / 2} ${at.y - NODE_HEIGHT / 2})`,
        role: "button",
        tabindex: -1,
        "aria-label": `${clip(n.service || "(no service name)", NAME_MAX)} ${line}${failed}, ${n.service} is a ${n.type}`,
      },
      this.scene,
    );
    const card = make(
      "rect",
      { class: "card", width: NODE_WIDTH, height: NODE_HEIGHT, rx: 7, fill: this.ink.panel, stroke: this.ink.line, "stroke-width": 1 },
      group,
    );
    if (inferred) card.setAttribute("stroke-dasharray", "4 3");
    const colour = inferred || this.ink.forced ? this.ink.text2 : colourOf(n.slot, this.ink.dark);
    make("path", { d: `M7 0.5h-1a5.5 5.5 0 0 0 -5.5 5.5v${NODE_HEIGHT - 12}a5.5 5.5 0 0 0 5.5 5.5h1z`, fill: colour }, group);
    if (!inferred && textureOf(n.slot) !== "solid") make("path", { d: `M4 6v${NODE_HEIGHT - 12}`, stroke: this.ink.panel, "stroke-width": 2, "stroke-dasharray": textureOf(n.slot) === "dots" ? "2 4" : "5 3" }, group);
    const icon = make("g", { transform: `translate(14 ${(NODE_HEIGHT - 16) / 2})` }, group);
    make("path", { d: iconPath(n.type), fill: "none", stroke: this.ink.text2, "stroke-width": 1.3, "stroke-linecap": "round", "stroke-linejoin": "round" }, icon);
    text(clip(n.service || "(no service name)", NAME_MAX), { x: 37, y: 17, "font-size": 13, "font-weight": 600, fill: this.ink.text }, group);
    group.append(" ");
    const second = text(line, { x: 37, y: 32, "font-size": 11, fill: this.ink.text2 }, group);
    if (n.errorCount > 0) {
      const errors = make("tspan", { fill: this.ink.error, dx: 2 }, second);
      errors.textContent = ` ▲ ${formatPercent(n.errorCount, n.callCount)}`;
      this.errorBar(group, n.errorCount / Math.max(1, n.callCount));
    }
    make("title", { "aria-hidden": "true" }, group).textContent = `${n.service} (${n.type}): ${line}${failed}`;
    this.nodes.set(n.service, group);
  }

  /** The part of failed calls, as a part of the card's lower edge. */
  private errorBar(group: Element, share: number): void {
    const width = Math.max(3, Math.min(1, share) * (NODE_WIDTH - 16));
    make("path", { d: `M8 ${NODE_HEIGHT - 1}h${width}`, stroke: this.ink.error, "stroke-width": 2 }, group);
  }

  setSelection(selection: Selection | null): void {
    this.selection = selection;
    this.highlight(selection, false);
  }

  /** Dims whatever does not touch the node or edge. */
  private highlight(target: Selection | null, passing: boolean): void {
    const touches = (e: Edge) => !target || (target.kind === "edge" ? e.id === target.id : e.client === target.id || e.server === target.id);
    const near = new Set<string>();
    for (const e of this.shown?.edges ?? []) {
      const on = touches(e);
      if (target && on) near.add(e.client).add(e.server);
      const group = this.edges.get(e.id);
      group?.classList.toggle("dim", !on);
      group?.classList.toggle("chosen", Boolean(target) && on && !passing);
      const label = this.scene.querySelector(`[data-label="${CSS.escape(e.id)}"]`);
      label?.classList.toggle("hidden", target ? !on : !this.shownLabels());
    }
    for (const [id, group] of this.nodes) {
      group.classList.toggle("dim", target !== null && !near.has(id) && target.id !== id);
      group.classList.toggle("chosen", target?.kind === "node" && target.id === id && !passing);
      group.setAttribute("aria-pressed", String(this.selection?.kind === "node" && this.selection.id === id));
    }
  }

  private targetOf(event: Event): Selection | null {
    const element = event.target instanceof Element ? event.target.closest("[data-node],[data-edge]") : null;
    const node = element?.getAttribute("data-node");
    if (node !== null && node !== undefined) return { kind: "node", id: node };
    const edge = element?.getAttribute("data-edge");
    return edge ? { kind: "edge", id: edge } : null;
  }

  private readonly onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const target = this.targetOf(event);
    const start = { x: event.clientX, y: event.clientY, view: { ...this.view } };
    let moved = false;
    const move = (to: PointerEvent) => {
      const [dx, dy] = [to.clientX - start.x, to.clientY - start.y];
      if (!moved && Math.abs(dx) + Math.abs(dy) < 4) return;
      moved = true;
      this.touched = true;
      this.view = { ...this.view, x: start.view.x + dx, y: start.view.y + dy };
      this.place();
    };
    const up = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      if (moved) return;
      if (target?.kind === "node") this.setCurrent(target.id);
      this.events.select(target);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
  };

  private readonly onWheel = (event: WheelEvent) => {
    event.preventDefault();
    const box = this.svg.getBoundingClientRect();
    this.zoomAt(Math.exp(-event.deltaY / 500), event.clientX - box.left, event.clientY - box.top);
  };

  zoomBy(factor: number): void {
    this.zoomAt(factor, this.host.clientWidth / 2, this.host.clientHeight / 2);
  }

  private zoomAt(factor: number, x: number, y: number): void {
    const scale = Math.max(0.1, Math.min(3, this.view.scale * factor));
    const by = scale / this.view.scale;
    this.view = { scale, x: x - (x - this.view.x) * by, y: y - (y - this.view.y) * by };
    this.touched = true;
    this.place();
  }

  /** The whole graph in view; a small one is not blown up. */
  fit(): void {
    this.touched = false;
    const [w, h] = [this.host.clientWidth, this.host.clientHeight];
    const scale = Math.max(this.vertical ? SMALLEST_NARROW : SMALLEST, Math.min(LARGEST, w / this.size.width, h / this.size.height));
    this.view = { scale, x: this.vertical ? Math.min((w - this.size.width * scale) / 2, 0) : Math.max(0, (w - this.size.width * scale) / 2), y: Math.max(0, (h - this.size.height * scale) / 2) };
    this.place();
  }

  private place(): void {
    this.scene.setAttribute("transform", `translate(${this.view.x} ${this.view.y}) scale(${this.view.scale})`);
  }

  private setCurrent(service: string): void {
    this.current = service;
    this.markCurrent();
    const element = this.nodes.get(service);
    element?.focus({ preventScroll: true });
    this.bringIntoView(service);
  }

  /** One stop of the Tab key for the whole graph. */
  private markCurrent(): void {
    for (const [id, group] of this.nodes) group.setAttribute("tabindex", id === this.current ? "0" : "-1");
  }

  private bringIntoView(service: string): void {
    const at = this.places.get(service);
    if (!at) return;
    const x = at.x * this.view.scale + this.view.x;
    const y = at.y * this.view.scale + this.view.y;
    const [w, h] = [this.host.clientWidth, this.host.clientHeight];
    const inside = x > 40 && x < w - 40 && y > 20 && y < h - 20;
    if (inside) return;
    this.view = { ...this.view, x: this.view.x + w / 2 - x, y: this.view.y + h / 2 - y };
    this.place();
  }

  private readonly onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const directions = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" } as const;
    const direction = directions[event.key as keyof typeof directions];
    const from = this.places.get(this.current);
    if (direction && from) {
      event.preventDefault();
      const others = [...this.places].filter(([id]) => id !== this.current).map(([id, p]) => ({ id, ...p }));
      const next = towards(from, others, direction);
      if (next !== null) this.setCurrent(next);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.events.select({ kind: "node", id: this.current });
    } else if (event.key === "o") {
      event.preventDefault();
      this.events.focus(this.current);
    }
  };

  /** The drawing as a file of its own. */
  toFile(title: string): string {
    const copy = this.svg.cloneNode(true) as SVGSVGElement;
    const [w, h] = [Math.ceil(this.size.width), Math.ceil(this.size.height)];
    for (const [name, value] of Object.entries({ xmlns: SVG, width: w, height: h, viewBox: `0 0 ${w} ${h}`, "font-family": "system-ui, sans-serif" })) {
      copy.setAttribute(name, String(value));
    }
    copy.removeAttribute("class");
    copy.firstElementChild?.removeAttribute("transform");
    for (const hidden of copy.querySelectorAll(".hidden")) hidden.remove();
    const background = make("rect", { width: w, height: h, fill: this.ink.bg });
    const name = make("title", {});
    name.textContent = title;
    copy.prepend(name, background);
    return new XMLSerializer().serializeToString(copy);
  }
}

/** A line through the points that leaves and enters them along the direction of the layers. */
function smooth(points: Placed[], vertical: boolean): string {
  let d = `M${points[0].x} ${points[0].y}`;
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    const [mx, my] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
    d += vertical ? `C${a.x} ${my} ${b.x} ${my} ${b.x} ${b.y}` : `C${mx} ${a.y} ${mx} ${b.y} ${b.x} ${b.y}`;
  }
  return d;
}

/** A point just before the end, in the direction in which the line comes in. */
function before(points: Placed[], vertical: boolean): Placed {
  const [from, end] = [points[points.length - 2], points[points.length - 1]];
  return vertical ? { x: end.x, y: end.y - Math.sign(end.y - from.y) } : { x: end.x - Math.sign(end.x - from.x), y: end.y };
}

function middleOf(points: Placed[]): Placed {
  const at = Math.floor(points.length / 2);
  if (points.length % 2 === 1) return points[at];
  const [a, b] = [points[at - 1], points[at]];
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

/** A smooth line through the points, straight at both ends. */
function curve(points: Placed[]): string {
  const [first, ...rest] = points;
  if (rest.length < 2) return `M${first.x} ${first.y}${rest.map((p) => `L${p.x} ${p.y}`).join("")}`;
  let d = `M${first.x} ${first.y}`;
  for (let i = 0; i < rest.length - 1; i++) {
    const [a, b] = [rest[i], rest[i + 1]];
    const last = i === rest.length - 2;
    const end = last ? b : { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    d += `Q${a.x} ${a.y} ${end.x} ${end.y}`;
  }
  return d;
}

function arrow(points: Placed[], width: number): string {
  const end = points[points.length - 1];
  const before = points[points.length - 2] ?? end;
  const angle = Math.atan2(end.y - before.y, end.x - before.x);
  const length = 6 + width * 1.2;
  const wing = (turn: number) => `${(end.x - length * Math.cos(angle + turn)).toFixed(1)} ${(end.y - length * Math.sin(angle + turn)).toFixed(1)}`;
  return `M${end.x} ${end.y}L${wing(0.45)}L${wing(-0.45)}z`;
}

const clip = (name: string, most: number) => (name.length <= most ? name : `${name.slice(0, most - 1)}…`);
