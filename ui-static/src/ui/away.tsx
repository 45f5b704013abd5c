// SPDX-License-Identifier: Apache-2.0
// Above what is still on the screen while the server does not answer: that it does not, and how old it is.
import { formatClock } from "../model/time";
import type { Loaded } from "../state/load";
import { zone } from "../state/prefs";
import { sentence } from "./controls";

/** Nothing where nothing is left to look at: then a panel says it in its place. */
export function Away({ state: { error, value, at = 0 }, retry }: { state: Loaded<unknown>; retry: () => void }) {
  if (!error || !value) return null;
  const { title, detail } = error.problem;
  return (
    <p class="banner" role="alert">
      <span aria-hidden="true">▲</span>
      <span>
        {sentence(title)}
        {detail ? ` (${detail})` : ""}.{" "}
        What is below was read at <span class="dim num">{formatClock(BigInt(at) * 1000000n, zone.value, 0)}</span>. The page asks again by itself.
      </span>
      <button type="button" class="link" onClick={retry}>
        Try again
      </button>
    </p>
  );
}
