// SPDX-License-Identifier: Apache-2.0
/** The hashed file name of the layout worker, beside the main script; put in by build.mjs. */
declare const MAP_STYLE: string;
declare const LAYOUT_WORKER: string;
/** The same of the worker that reads files. */
declare const FILE_WORKER: string;
/** The same of the style of the dialogs. */
declare const DIALOG_STYLE: string;
