// SPDX-License-Identifier: Apache-2.0
// Small parts that the pictures of Explore share.
import { param, patched, replace } from "../route";
import { isTwin, selection } from "./explore-state";

export function Toggle({ name, on, title, set }: { name: string; on: boolean; title: string; set: () => void }) {
  return (
    <button type="button" class="button toggle small" aria-pressed={on} title={title} onClick={set}>
      {name}
    </button>
  );
}

export const TwinToggle = () => <Toggle name="table" on={isTwin()} title="The same numbers as a table" set={() => replace(patched({ as: isTwin() ? null : "table" }))} />;

/** Time series that have not come: as much room as they take, so that what is below stays where it is. */
export const SeriesRoom = () => (
  <div class={`series-room${isTwin() ? " twin" : ""}${param("group") ? " grouped" : ""}`} aria-hidden="true">
    {Array.from({ length: param("group") ? 6 : 3 }, (_, i) => (
      <div key={i} />
    ))}
  </div>
);

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
