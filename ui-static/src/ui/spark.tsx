// SPDX-License-Identifier: Apache-2.0
// A line without axes, beside its numbers.
import { linePath } from "../model/service";

const WIDTH = 88;
const HEIGHT = 20;

/** A line without axes; the numbers stand beside it, so it is none to screen readers. */
export function Spark({ values, look = "line-1" }: { values: (number | null)[] | undefined; look?: string }) {
  if (!values) return <span class="spark" />;
  const most = Math.max(...values.map((v) => v ?? 0)) || 1;
  const x = (i: number) => 1 + ((i + 0.5) * (WIDTH - 2)) / values.length;
  return (
    <svg class="spark" width={WIDTH} height={HEIGHT} aria-hidden="true">
      <path class={`chart-line ${look}`} d={linePath(values, x, (v) => HEIGHT - 2 - (v / most) * (HEIGHT - 4))} />
    </svg>
  );
}
