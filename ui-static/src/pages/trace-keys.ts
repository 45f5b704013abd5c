// SPDX-License-Identifier: Apache-2.0
// The keys of the Trace page. Those that walk and look are the waterfall's, and are free for the other views.
import { useMemo, useRef } from "preact/hooks";
import { type Command, useCommands } from "../state/keys";
import { VIEWS, type ViewName } from "../state/traceview";

export interface Actions {
  escape: () => void;
  find: () => void;
  isolate: () => void;
  up: () => void;
  folds: () => void;
  critical: () => void;
  mark: () => void;
  compare: () => void;
  show: (view: ViewName) => void;
}

const NAMES: Record<ViewName, string> = { waterfall: "Waterfall", flame: "Flame graph", graph: "Graph of services", stats: "Statistics", spans: "Table of spans", events: "Events", json: "JSON" };

export function useTraceKeys(command: (name: string) => void, view: ViewName, actions: Actions): void {
  const latest = useRef({ actions, view, command });
  latest.current = { actions, view, command };
  const walk = "Walk";
  const look = "Look";
  const here = () => latest.current.view === "waterfall";
  const to = (keys: string[], name: string, text: string, group: string): Command => ({ keys, text, group, when: here, run: () => latest.current.command(name) });
  const act = (keys: string[], name: Exclude<keyof Actions, "show">, text: string, group: string): Command => ({ keys, text, group, run: () => latest.current.actions[name]() });
  const list = useMemo(
    () => [
      to(["ArrowDown", "j"], "down", "Next span", walk),
      to(["ArrowUp", "k"], "up", "Previous span", walk),
      to(["ArrowRight"], "right", "Open, or first child", walk),
      to(["ArrowLeft"], "left", "Close, or parent", walk),
      to(["Enter"], "open", "Details", walk),
      to(["Home"], "home", "First span", walk),
      to(["End"], "end", "Last span", walk),
      to(["PageDown"], "page-down", "One screen down", walk),
      to(["PageUp"], "page-up", "One screen up", walk),
      to(["e"], "next-error", "Next error", walk),
      to(["E"], "previous-error", "Previous error", walk),
      to(["n"], "next-match", "Next match", walk),
      to(["N"], "previous-match", "Previous match", walk),
      to(["p"], "next-critical", "Next on the critical path", walk),
      to(["P"], "previous-critical", "Previous on the critical path", walk),
      // Pressed in the box, Ctrl F is the browser's own search.
      { ...act(["/", "Ctrl+f"], "find", "Find in the trace", look), when: () => document.activeElement?.id !== "trace-find" },
      act(["Escape"], "escape", "Close details, clear find", look),
      to(["w"], "zoom-in", "Zoom in", look),
      to(["s"], "zoom-out", "Zoom out", look),
      to(["a"], "pan-left", "Earlier", look),
      to(["d"], "pan-right", "Later", look),
      to(["f"], "fit", "Fit the span; again: zoom to it", look),
      to(["0"], "reset", "All of the time", look),
      act(["o"], "isolate", "Only this subtree", look),
      act(["Backspace"], "up", "One level up from there", look),
      act(["c"], "critical", "Critical path", look),
      act(["x"], "folds", "Fold repeats", look),
      to(["["], "fold-all", "Close all", look),
      to(["]"], "unfold-all", "Open all", look),
      to(["{"], "fold-level", "Close one level", look),
      to(["}"], "unfold-level", "Open one level", look),
      act(["m"], "mark", "Mark a span: A, B, none", look),
      act(["b"], "compare", "Add to compare, or take away", look),
      ...VIEWS.map((name, i): Command => ({ keys: [String(i + 1)], text: NAMES[name], group: "Views", run: () => latest.current.actions.show(name) })),
    ],
    [],
  );
  useCommands(list);
}
