// SPDX-License-Identifier: Apache-2.0
// What comes behind the first picture of a trace, and what stands in the place of one: that is not there, or that is to come first of all. One file, since small
// files compress badly.
export { Details } from "./details";
export { FirstRun } from "./firstrun";
export { Missing } from "./trace-missing";
