// SPDX-License-Identifier: Apache-2.0
// What opens over a page, in one file that is loaded when one of them is opened first: help, settings and the command palette; and what is said of addresses.
import { openDialog } from "../state/dialog";
import { Help } from "./help";
import { Palette } from "./palette";
import { Settings } from "./settings";

export { startTips } from "./tips";
export { Unread } from "./unread";

const DIALOGS = { help: Help, settings: Settings, palette: Palette, "": () => null };

export function Dialogs() {
  const Open = DIALOGS[openDialog()];
  return <Open key={openDialog()} />;
}
