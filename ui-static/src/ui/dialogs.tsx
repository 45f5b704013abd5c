// SPDX-License-Identifier: Apache-2.0
// What opens over a page, in one file that is loaded when one of them is opened first: help and settings.
import { openDialog } from "../state/dialog";
import { Help } from "./help";
import { Settings } from "./settings";

const DIALOGS = { help: Help, settings: Settings, palette: () => null, "": () => null };

export function Dialogs() {
  const Open = DIALOGS[openDialog()];
  return <Open key={openDialog()} />;
}
