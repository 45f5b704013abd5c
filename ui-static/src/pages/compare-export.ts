// SPDX-License-Identifier: Apache-2.0
// The comparison as a file.
import { compareCsv, type CompareNode } from "../model/compare";
import { param } from "../route";
import type { Answer } from "../state/compare";
import { saveFile } from "../state/say";

/** With the question inside, so that the file says what it is of. */
export function exportJson(value: Answer): void {
  saveFile("comparison.json", "application/json", `${JSON.stringify({ a: param("a"), b: param("b"), answer: value.value }, null, 1)}\n`);
}

export function exportCsv(nodes: CompareNode[]): void {
  saveFile("comparison.csv", "text/csv", compareCsv(nodes));
}
