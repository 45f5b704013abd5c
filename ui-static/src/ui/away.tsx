// SPDX-License-Identifier: Apache-2.0
// Above what is still on the screen while the server does not answer: that it does not, and how old it is.
import { formatClock } from "../model/time";
import type { Loaded } from "../state/load";
import { zone } from "../state/prefs";
import { ProblemPanel } from "./controls";

/** When what a loader has was answered. */
export const clockOf = ({ at = 0 }: Loaded<unknown>): string => formatClock(BigInt(at) * 1000000n, zone.value, 0);

export function Away({ state, retry }: { state: Loaded<unknown>; retry: () => void }) {
  return state.error ? <ProblemPanel error={state.error} retry={retry} title={`The server does not answer: what is below was read at ${clockOf(state)}`} /> : null;
}
