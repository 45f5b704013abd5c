// SPDX-License-Identifier: Apache-2.0
// Help: the commands of the page that is open, from the same table that the keyboard uses, and three preferences.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { commands } from "../state/keys";
import { singleKeys, type Theme, theme, zone } from "../state/prefs";
import { Icon } from "./icons";

export const helpOpen = signal(false);

const NAMES: Record<string, string> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
  Backspace: "⌫",
  " ": "Space",
};

const keyName = (key: string) => (NAMES[key] ?? key).replace("Ctrl+", "Ctrl ").replace("Ctrl Enter", "Ctrl ↵");

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (helpOpen.value) dialog.current?.showModal();
    else dialog.current?.close();
  }, [helpOpen.value]);
  const close = () => {
    helpOpen.value = false;
  };
  const groups = [...new Set(commands.value.map((c) => c.group))];
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-label="Help"
      onClose={close}
      onClick={(event) => {
        if (event.target === dialog.current) close();
      }}
    >
      <div class="help-head">
        <h2>Keyboard and preferences</h2>
        <button type="button" class="button quiet square" aria-label="Close help" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      <div class="help-keys">
        {groups.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {commands.value
                .filter((c) => c.group === group)
                .map((c) => (
                  <div key={c.text}>
                    <dt>
                      {c.keys.map((k) => (
                        <kbd key={k}>{keyName(k)}</kbd>
                      ))}
                    </dt>
                    <dd>{c.text}</dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
      </div>
      <div class="help-prefs">
        <label>
          Theme
          <select
            value={theme.value}
            onChange={(e) => {
              theme.value = e.currentTarget.value as Theme;
            }}
          >
            <option value="auto">as the system</option>
            <option value="light">light</option>
            <option value="dark">dark</option>
          </select>
        </label>
        <label>
          Times
          <select
            value={zone.value}
            onChange={(e) => {
              zone.value = e.currentTarget.value === "utc" ? "utc" : "local";
            }}
          >
            <option value="local">local</option>
            <option value="utc">UTC</option>
          </select>
        </label>
        <label>
          <input
            type="checkbox"
            checked={singleKeys.value === "on"}
            onChange={(e) => {
              singleKeys.value = e.currentTarget.checked ? "on" : "off";
            }}
          />
          Single-key shortcuts
        </label>
      </div>
    </dialog>
  );
}
