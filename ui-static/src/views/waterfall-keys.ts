// SPDX-License-Identifier: Apache-2.0
// The keys of a waterfall: its commands are named as the actions that ask for them, on Trace and on Compare.
import { type ActionId, actionIds, scopeOf } from "../model/actions";

const COMMANDS = ["nextError", "previousError", "nextMatch", "previousMatch", "zoomIn", "zoomOut", "panLeft", "panRight", "fit", "reset", "foldAll", "unfoldAll", "foldLevel", "unfoldLevel"];

/** All of those of rows, and what else the page has keys for. */
export function waterfallActions(page: "trace" | "compare", run: (command: string) => unknown): Partial<Record<ActionId, () => unknown>> {
  const name = (id: ActionId) => id.slice(id.indexOf(".") + 1);
  const own = actionIds.filter((id) => scopeOf(id) === "rows" || (scopeOf(id) === page && COMMANDS.includes(name(id))));
  return Object.fromEntries(own.map((id) => [id, () => run(name(id))]));
}
