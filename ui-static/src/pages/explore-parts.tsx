// SPDX-License-Identifier: Apache-2.0
// Small parts that the pictures of Explore share.
import { param, patched, replace } from "../route";
import { Room } from "../ui/controls";
import { isTwin, selection } from "./explore-state";

export function Toggle({ name, on, title, set }: { name: string; on: boolean; title: string; set: () => void }) {
  return (
    <button type="button" class="button toggle small" aria-pressed={on} title={title} onClick={set}>
      {name}
    </button>
  );
}

export const TwinToggle = () => <Toggle name="table" on={isTwin()} title="The same numbers as a table" set={() => replace(patched({ as: isTwin() ? null : "table" }))} />;

/** For time series: below their head the legend and a chart for each number. */
export const SeriesRoom = () => <Room look={`series-room${isTwin() ? " twin" : ""}${param("group") ? " grouped" : ""}`} count={isTwin() ? 1 : param("group") ? 6 : 3} />;

/** For one picture as wide as the page. */
export const LargeRoom = () => <Room look={`panels ${isTwin() ? "twin" : "tall"}`} />;

/** Behind lines over time: what is selected, and what is being taken. x gives the middle of a step, in pixels. */
export function timeBand(x: (i: number) => number, height: number, axis: { from: bigint; step: bigint; steps: number }, taken: [number, number] | null) {
  const half = (x(1) - x(0)) / 2;
  const [left, right] = [x(0) - half, x(axis.steps - 1) + half];
  const at = (t: bigint) => Math.max(left, Math.min(right, x(0) - half + (Number(t - axis.from) / Number(axis.step)) * 2 * half));
  const s = selection();
  const [from, to] = s ? [at(s.t0), at(s.t1)] : [0, 0];
  return (
    <>
      {/* All of the time (the last step may end behind it) is no part of it. */}
      {to > from && to - from < right - left - 2 * half ? <rect class="sel-band" x={from} width={Math.max(2, to - from)} y={0} height={height} /> : null}
      {taken ? <rect class="sel-band taking" x={x(taken[0]) - half} width={x(taken[1]) - x(taken[0]) + 2 * half} y={0} height={height} /> : null}
    </>
  );
}
