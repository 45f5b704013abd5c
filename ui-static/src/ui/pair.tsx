// SPDX-License-Identifier: Apache-2.0
// A name and what stands beside it, in a list of such.
import type { ComponentChildren } from "preact";

export function Pair({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
