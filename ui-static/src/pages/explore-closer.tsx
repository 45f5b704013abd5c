// SPDX-License-Identifier: Apache-2.0
// What somebody opens on Explore to look closer: one file, which is loaded with the first of them.
export { Difference } from "./explore-difference";
export { Groups } from "./explore-groups";
export { LiveLine } from "./explore-live";
export { LargeView, StepTable } from "./explore-views";
export { Meant } from "./meant";
export { Preview } from "./preview";
