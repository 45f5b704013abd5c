// SPDX-License-Identifier: Apache-2.0
// What stands around the list of Explore: one file, which comes behind the first picture. Together, since small files compress badly.
export { FacetRail } from "./explore-facets";
export { EndedEarly, extend, goOn, LongSearch, NoMatch } from "./explore-going-on";
export { ListTools } from "./explore-tools";
