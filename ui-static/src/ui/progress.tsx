// SPDX-License-Identifier: Apache-2.0
// How far a search, or another long question, is, as the line under the top bar. Short searches show nothing.
import { extended, running, share } from "../state/searching";

/** Before that a person has not begun to wait. */
const SHOWN_MS = 1000;

export const isSlow = (): boolean => running.value !== null && (extended.value || (running.value.progress?.elapsedMs ?? 0) >= SHOWN_MS);

/** The line under the top bar: filled as far as the search is, or moving when nobody knows. */
export function ProgressLine({ busy }: { busy: boolean }) {
  const known = busy && share.value !== null && (!running.value || isSlow());
  const style = { "--share": String(share.value ?? 0) };
  return <div class={known ? "progress busy known" : busy ? "progress busy" : "progress"} style={style} aria-hidden="true" />;
}
