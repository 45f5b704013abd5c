// SPDX-License-Identifier: Apache-2.0
// How far a search is, and a button that ends it. Short searches show nothing.
import { progressText } from "../model/lines";
import { hint } from "../state/keys";
import { running, share } from "../state/searching";

/** Before that a person has not begun to wait. */
const SHOWN_MS = 1000;

export const isSlow = (): boolean => (running.value?.progress?.elapsedMs ?? 0) >= SHOWN_MS;

/** The line under the top bar: filled as far as the search is, or moving when nobody knows. */
export function ProgressLine({ busy }: { busy: boolean }) {
  const known = busy && share.value !== null && isSlow();
  const style = { "--share": String(share.value ?? 0) };
  return <div class={known ? "progress busy known" : busy ? "progress busy" : "progress"} style={style} aria-hidden="true" />;
}

export function SearchProgress({ stop }: { stop: () => void }) {
  const progress = running.value?.progress;
  if (!progress || !isSlow()) return <>searching …</>;
  // Read out ten times at most.
  const tenths = Math.floor(10 * (share.value ?? 0));
  return (
    <span class="row tight">
      <span aria-hidden="true">{progressText(progress)}</span>
      <span class="offscreen" role="status">
        Searching, {10 * tenths} % done
      </span>
      <button type="button" class="button small" title={`End the search and keep what it has found${hint("all.escape")}`} onClick={stop}>
        Stop
      </button>
    </span>
  );
}
