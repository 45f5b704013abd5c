// SPDX-License-Identifier: Apache-2.0
// Hashed names of files beside the main script, and what it is made of; put in by build.mjs.
/** "name version licence" of each package in the scripts, with ";" between them. */
declare const LIBRARIES: string;
/** The worker that lays out graphs. */
declare const LAYOUT_WORKER: string;
/** The worker that reads files. */
declare const FILE_WORKER: string;
/** Styles of parts that are loaded on demand. */
declare const COMPARE_STYLE: string;
declare const DIALOG_STYLE: string;
declare const MAP_STYLE: string;
declare const VIEWS_STYLE: string;
declare const TRACE_STYLE: string;
