// SPDX-License-Identifier: Apache-2.0
// Help: the actions of the page that is open with their keys, from the table that the keyboard uses.
import { actionIds, keysOf, scopeOf } from "../model/actions";
import { route } from "../route";
import { open } from "../state/dialog";
import { boundActions } from "../state/keys";
import { keyMap, singleKeys } from "../state/prefs";
import { FIXED, keyText, NAMES, SCOPES } from "./action-names";
import { DialogFrame } from "./dialog-frame";

export function Help() {
  const bound = boundActions();
  const page = route.value.page;
  const scopes = Object.keys(SCOPES).filter((s) => actionIds.some((id) => scopeOf(id) === s && bound.has(id)));
  return (
    <DialogFrame
      label="Help"
      class="help"
      head={
        <button type="button" class="button" onClick={() => open("settings")}>
          Settings and keys
        </button>
      }
    >
      {singleKeys.value === "off" ? <p class="banner">Keys of one letter are off: the settings turn them on.</p> : null}
      <div class="help-keys">
        {scopes.map((scope) => (
          <section key={scope}>
            <h3>{SCOPES[scope]}</h3>
            <dl>
              {actionIds
                .filter((id) => scopeOf(id) === scope && bound.has(id))
                .map((id) => (
                  <Key key={id} keys={keysOf(id, keyMap.value).map(keyText)} text={NAMES[id]} />
                ))}
              {FIXED.filter(([where]) => where === scope && where === page).map(([, keys, text]) => (
                <Key key={text} keys={keys} text={text} />
              ))}
            </dl>
          </section>
        ))}
      </div>
    </DialogFrame>
  );
}

function Key({ keys, text }: { keys: string[]; text: string }) {
  return (
    <div>
      <dt>
        {keys.map((k) => (
          <kbd key={k}>{k}</kbd>
        ))}
      </dt>
      <dd>{text}</dd>
    </div>
  );
}
