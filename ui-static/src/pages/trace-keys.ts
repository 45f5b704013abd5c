// SPDX-License-Identifier: Apache-2.0
// The keys of the Trace page. Those that walk and look are the waterfall's, and are free for the other views.
import type { ActionId } from "../model/actions";
import { type Actions as Bound, useActions } from "../state/keys";
import { VIEWS, type ViewName } from "../state/traceview";

export interface Actions {
  escape: () => void;
  reload: () => void;
  find: () => void;
  isolate: () => void;
  up: () => void;
  folds: () => void;
  critical: () => void;
  mark: () => void;
  compare: () => void;
  show: (view: ViewName) => void;
}

/** What the waterfall calls them. */
const COMMANDS: [ActionId, string][] = [
  ["rows.next", "down"],
  ["rows.previous", "up"],
  ["rows.in", "right"],
  ["rows.out", "left"],
  ["rows.open", "open"],
  ["rows.first", "home"],
  ["rows.last", "end"],
  ["rows.pageDown", "page-down"],
  ["rows.pageUp", "page-up"],
  ["trace.nextError", "next-error"],
  ["trace.previousError", "previous-error"],
  ["trace.nextMatch", "next-match"],
  ["trace.previousMatch", "previous-match"],
  ["trace.nextCritical", "next-critical"],
  ["trace.previousCritical", "previous-critical"],
  ["trace.zoomIn", "zoom-in"],
  ["trace.zoomOut", "zoom-out"],
  ["trace.panLeft", "pan-left"],
  ["trace.panRight", "pan-right"],
  ["trace.fit", "fit"],
  ["trace.reset", "reset"],
  ["trace.foldAll", "fold-all"],
  ["trace.unfoldAll", "unfold-all"],
  ["trace.foldLevel", "fold-level"],
  ["trace.unfoldLevel", "unfold-level"],
];

export function useTraceKeys(command: (name: string) => void, view: ViewName, actions: Actions): void {
  const walk = COMMANDS.map(([id, name]) => [id, () => view === "waterfall" && command(name)]);
  const views = VIEWS.map((name, i) => [`trace.view${i + 1}`, () => actions.show(name)]);
  // Pressed in the box, Ctrl F is the browser's own search.
  const find = () => document.activeElement?.id !== "trace-find" && actions.find();
  useActions({
    ...(Object.fromEntries([...walk, ...views]) as Bound),
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
