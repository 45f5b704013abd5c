// SPDX-License-Identifier: Apache-2.0
// Parts of the map that are loaded when somebody wants them: files to save, the matrix, the graph step by step, an edge over time, calls to look
// at.
export { CallList } from "./map-calls";
export { ExportMenu } from "./map-export";
export { Matrix } from "./map-matrix";
export { EdgeOverTime, Replay } from "./map-time";
