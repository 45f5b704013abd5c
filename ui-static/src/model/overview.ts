// SPDX-License-Identifier: Apache-2.0
// The trace at a glance: for each lane (depth) and each pixel of width, the service of the span there. However many
// spans there are, there is nothing to draw beyond lanes times pixels. No DOM.
import { ERROR, type Skeleton } from "./skeleton";

export interface Overview {
  width: number;
  lanes: number;
  lanesMax: number;
  /** Service index + 1, or 0 for nothing: `lanes` rows of `width` cells. */
  cells: Int16Array;
  /** Errors that start in each pixel. */
  errors: Uint32Array;
}

/** What of a trace is looked at. */
export type Looked = Pick<Skeleton, "count" | "depth" | "depthMax" | "duration" | "flags" | "length" | "service" | "start">;

export function overviewOf(s: Looked, width: number, lanesMax: number): Overview {
  const lanes = Math.min(lanesMax, s.depthMax + 1);
  const cells = new Int16Array(lanes * width);
  const errors = new Uint32Array(width);
  const scale = s.duration > 0 ? width / s.duration : 0;
  for (let row = 0; row < s.count; row++) {
    const from = Math.min(width - 1, Math.floor(s.start[row] * scale));
    if (s.flags[row] & ERROR) errors[from]++;
    const lane = s.depth[row];
    if (lane >= lanes) continue;
    const to = Math.min(width, Math.max(from + 1, Math.ceil((s.start[row] + s.length[row]) * scale)));
    cells.fill(s.service[row] + 1, lane * width + from, lane * width + to);
  }
  return { width, lanes, lanesMax, cells, errors };
}
