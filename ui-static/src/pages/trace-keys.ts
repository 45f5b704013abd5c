// SPDX-License-Identifier: Apache-2.0
// The keys of the Trace page. Those that walk and look are the waterfall's, and are free for the other views.
import { type Actions as Bound, useActions } from "../state/keys";
import { VIEWS, type ViewName } from "../state/traceview";
import { waterfallActions } from "../views/waterfall-keys";

export interface Actions {
  escape: () => void;
  reload: () => void;
  find: () => void;
  isolate: () => void;
  up: () => void;
  folds: () => void;
  critical: () => void;
  /** To the next part of the critical path. */
  segment: (step: 1 | -1) => void;
  mark: () => void;
  compare: () => void;
  show: (view: ViewName) => void;
}

export function useTraceKeys(command: (name: string) => void, view: ViewName, actions: Actions): void {
  const views = VIEWS.map((name, i) => [`trace.view${i + 1}`, () => actions.show(name)]);
  // Pressed in the box, Ctrl F is the browser's own search.
  const find = () => document.activeElement?.id !== "trace-find" && actions.find();
  useActions({
    ...(view === "waterfall" ? waterfallActions("trace", command) : {}),
    ...(view === "json" ? {} : { "trace.nextCritical": () => actions.segment(1), "trace.previousCritical": () => actions.segment(-1) }),
    ...(Object.fromEntries(views) as Bound),
    "all.find": find,
    "trace.find": find,
    "all.escape": actions.escape,
    "all.run": actions.reload,
    "trace.isolate": actions.isolate,
    "trace.up": actions.up,
    "trace.critical": actions.critical,
    "trace.folds": actions.folds,
    "trace.mark": actions.mark,
    "trace.basket": actions.compare,
  });
}
