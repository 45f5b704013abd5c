// SPDX-License-Identifier: Apache-2.0
// The map as a drawing: asks for a layout when services or edges change, and only draws anew when their numbers do.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { changeText } from "../model/change";
import { type Before, type Edge, edgeLine, formatShort, linesOf, type Measure, measureBefore, measureOf, measureText, type Node, type Shown } from "../model/graph";
import { formatRate, plural } from "../model/text";
import { formatDuration } from "../model/time";
import { hint } from "../state/keys";
import { dark } from "../state/prefs";
import { Unlabelled } from "../ui/graph-parts";
import { GraphView, NODE_HEIGHT, NODE_WIDTH, type Selection } from "../views/graph";
import { askLayout } from "../views/layouter";
import type { LayoutAnswer } from "../worker/layers";
import { keepPins, look, measure, pinsOf } from "./map-state";

const NARROW = 720;

/** What the last drawing took here: the next estimate knows this machine. */
export const lastLayout = signal<{ nodes: number; edges: number; ms: number } | undefined>(undefined);

/** What an edge is labelled by; beside another range how that changed, and no more: between two cards is room for one of the two. */
export function edgeLabel(e: Edge, by: Measure, seconds: number): string {
  if (e.change === "gone") return "gone";
  const value = measureOf(e, by);
  const text = measureText(value, by, seconds);
  if (e.change === undefined) return text;
  if (e.change === "new") return `${text} new`;
  const change = changeText(value ?? Number.NaN, measureBefore(e, by) ?? 0);
  const word = e.change === "same" ? "" : e.change;
  return [change || text, word].filter((t) => t).join(", ");
}

export const beforeCalls = ({ callCount, perSecond }: Before): string => `${plural(callCount, "call")}, ${formatRate(perSecond, 1)}`;

/** Beside another range: how it changed, and what it was. */
const beforeText = ({ before, change }: Edge): string => (change ? ` · ${change}` : "") + (before ? ` · before: ${beforeCalls(before)}` : "");

/** Where pins of this kind of drawing are kept. */
export const pinsKey = (vertical: boolean): string => `${look()}${vertical ? " narrow" : ""}`;

interface Props {
  /** What is laid out: of the whole range. */
  layers: Shown;
  /** What is written on it: of one step of it, perhaps. */
  shown: Shown;
  view: { current: GraphView | null };
  selection: Selection | null;
  setSelection: (selection: Selection | null) => void;
  setFocus: (service: string) => void;
  open: (service: string) => void;
  seconds: number;
  groups: Map<string, string>;
  focus: string;
}

export function Drawing(props: Props) {
  const { layers, shown, view, selection, seconds, groups, focus } = props;
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const [laid, setLaid] = useState<{ of: Shown; layout: LayoutAnswer } | null>(null);
  const [problem, setProblem] = useState("");
  const [unlabelled, setUnlabelled] = useState(0);
  const [radial, by] = [look() === "radial", measure()];
  const vertical = window.innerWidth < NARROW;
  const key = pinsKey(vertical);
  useEffect(() => {
    if (!host.current) return;
    const drawn = new GraphView(host.current, dark.peek(), {
      select: (s) => latest.current.setSelection(s),
      focus: (s) => latest.current.setFocus(s),
      open: (s) => latest.current.open(s),
      unlabelled: setUnlabelled,
      pin: (service, place) => {
        const own = pinsKey(window.innerWidth < NARROW);
        keepPins(own, new Map([...pinsOf(own), [service, place]]));
      },
    });
    view.current = drawn;
    return () => {
      drawn.stop();
      view.current = null;
    };
  }, []);
  useEffect(() => {
    let current = true;
    const begun = performance.now();
    askLayout({
      nodes: inOrder(layers.nodes, laid?.layout).map((n) => ({ id: n.service, width: NODE_WIDTH, height: NODE_HEIGHT, group: groups.get(n.service) })),
      edges: linesOf(layers.edges).map((l) => ({ id: l.id, from: l.client, to: l.server, weight: l.callCount })),
      vertical: vertical && !radial,
      around: radial ? focus : undefined,
    }).then(
      (layout) => {
        if (!current) return;
        setProblem("");
        setLaid({ of: layers, layout });
        if (!radial) lastLayout.value = { nodes: layers.nodes.length, edges: layers.edges.length, ms: performance.now() - begun };
      },
      (error: Error) => current && setProblem(error.message),
    );
    return () => {
      current = false;
    };
  }, [layers, radial, focus, groups, vertical]);
  const pins = pinsOf(key);
  const pinned = JSON.stringify([...pins]);
  useEffect(() => {
    if (!laid || laid.of !== layers) return;
    const label = (e: Edge) => edgeLabel(e, by, seconds);
    view.current?.draw(shown, laid.layout, label, (n) => nodeLine(n, shown.edges, seconds), dark.value, { pins, detail: (e) => edgeLine(e, seconds) + beforeText(e) });
  }, [laid, shown, by, seconds, dark.value, pinned]);
  useEffect(() => view.current?.setSelection(selection), [selection]);
  return (
    <div class="drawing">
      {problem ? <p class="banner">The graph could not be laid out ({problem}). The table has the same data.</p> : null}
      <div class="graph-host" ref={host} aria-busy={laid?.of !== layers} />
      <Unlabelled count={unlabelled} />
      <span class="zoom-buttons button-group" role="group" aria-label="Zoom">
        <button type="button" class="button square" aria-label="Zoom out" title={`Zoom out${hint("map.zoomOut")}`} onClick={() => view.current?.zoomBy(0.8)}>
          −
        </button>
        <button type="button" class="button square" aria-label="Zoom in" title={`Zoom in${hint("map.zoomIn")}`} onClick={() => view.current?.zoomBy(1.25)}>
          +
        </button>
        <button type="button" class="button" title={`Fit${hint("map.fit")}`} onClick={() => view.current?.fit()}>
          Fit
        </button>
        {pins.size > 0 ? (
          <button type="button" class="button" title="Cards go back to where the layout puts them" onClick={() => keepPins(key, new Map())}>
            Unpin {pins.size}
          </button>
        ) : null}
      </span>
    </div>
  );
}

/** What a card says; without calls it has no rate, and a duration would be that of spans which nobody called. Who answers nothing, like a user or a generator of load, has the calls that it makes. */
function nodeLine(n: Node, edges: Edge[], seconds: number): string {
  const answered = n.callCount || n.answered || 0;
  const made = answered > 0 ? 0 : edges.reduce((sum, e) => sum + (e.client === n.service ? e.callCount : 0), 0);
  const calls = made || answered;
  if (calls === 0) return "no calls seen";
  const verb = made === 0 ? "" : n.type === "messaging" ? "delivers " : "calls ";
  return [`${verb}${seconds > 0 ? formatRate(calls, seconds) : formatShort(calls)}`, ...(n.p95 === null ? [] : [formatDuration(n.p95)])].join(" · ");
}

/** Services as they stood before, so that the next layout begins with their order. */
function inOrder(nodes: Node[], before: LayoutAnswer | undefined): Node[] {
  if (!before) return nodes;
  const place = new Map(before.nodes.map((n, i) => [n.id, before.vertical ? n.x : n.y + i * 1e-6]));
  return [...nodes].sort((a, b) => (place.get(a.service) ?? 1e9) - (place.get(b.service) ?? 1e9) || (a.service < b.service ? -1 : 1));
}
