// SPDX-License-Identifier: Apache-2.0
// The keys: which action has which, changed by pressing another one. A key that is taken on the same page is not taken silently.
import { useEffect, useRef, useState } from "preact/hooks";
import { type ActionId, ACTIONS, actionIds, conflictsOf, isSingle, type KeyMap, keysOf, pressName, scopeOf, without } from "../model/actions";
import { SEQUENCE_MS } from "../state/keys";
import { keyMap, setKeyMap, singleKeys } from "../state/prefs";
import { say } from "../state/say";
import { keyText, NAMES, SCOPES } from "./action-names";
import { Icon } from "./icons";

const write = (changes: KeyMap) => {
  const next = Object.entries({ ...keyMap.peek(), ...changes }) as [ActionId, string][];
  // What is as usual is not kept: it follows when the usual key changes.
  setKeyMap(Object.fromEntries(next.filter(([id, keys]) => keys !== ACTIONS[id])));
};

export function KeySettings({ first }: { first: boolean }) {
  const [wanted, setWanted] = useState("");
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    if (first) box.current?.scrollIntoView();
  }, []);
  const changed = Object.keys(keyMap.value).length;
  const text = wanted.toLowerCase();
  const shown = actionIds.filter((id) => `${SCOPES[scopeOf(id)]} ${NAMES[id]} ${keysOf(id, keyMap.value).join(" ")}`.toLowerCase().includes(text));
  return (
    <section ref={box}>
      <h3>Keys</h3>
      <label class="setting">
        <input
          type="checkbox"
          checked={singleKeys.value === "on"}
          onChange={(e) => {
            singleKeys.value = e.currentTarget.checked ? "on" : "off";
          }}
        />
        <span>Single-key shortcuts</span>
      </label>
      <p class="hint">Off: letters, digits and signs do nothing outside of boxes; arrows, Enter, Esc and keys with Ctrl stay.</p>
      <div class="row">
        <input class="grow" value={wanted} aria-label="Find an action" placeholder="Find an action or a key" onInput={(e) => setWanted(e.currentTarget.value)} />
        <button type="button" class="button" disabled={changed === 0} onClick={() => (setKeyMap({}), say("All keys are the usual ones"))}>
          Reset {changed > 0 ? changed : ""}
        </button>
      </div>
      {Object.keys(SCOPES).map((scope) => {
        const ids = shown.filter((id) => scopeOf(id) === scope);
        return ids.length === 0 ? null : (
          <div key={scope} class="key-group" role="group" aria-label={SCOPES[scope]}>
            <h4>{SCOPES[scope]}</h4>
            {ids.map((id) => (
              <KeyRow key={id} id={id} />
            ))}
          </div>
        );
      })}
      {shown.length === 0 ? <p class="dim">No action is called that.</p> : null}
    </section>
  );
}

function KeyRow({ id }: { id: ActionId }) {
  const [taking, setTaking] = useState(false);
  const [clash, setClash] = useState<{ key: string; ids: ActionId[] } | null>(null);
  const last = useRef({ name: "", at: 0 });
  const timer = useRef(0);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const keys = keysOf(id, keyMap.value);
  const name = NAMES[id];
  const put = (key: string) => {
    const ids = conflictsOf(id, [key], keyMap.peek());
    setClash(ids.length > 0 ? { key, ids } : null);
    if (ids.length === 0) write({ [id]: key });
  };
  const stop = () => {
    window.clearTimeout(timer.current);
    setTaking(false);
    last.current.name = "";
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!taking || /^(Tab|Shift|Control|Alt|Meta|AltGraph|CapsLock)$/.test(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const pressed = pressName(event, event.getModifierState("AltGraph"));
    if (pressed === "Escape") return stop();
    const { name: before, at } = last.current;
    const second = before !== "" && event.timeStamp - at < SEQUENCE_MS;
    put(second ? `${before} ${pressed}` : pressed);
    window.clearTimeout(timer.current);
    if (second || !isSingle(pressed)) return stop();
    last.current = { name: pressed, at: event.timeStamp };
    timer.current = window.setTimeout(stop, SEQUENCE_MS);
  };
  return (
    <>
      <div class="key-row">
        <span>{name}</span>
        <button
          type="button"
          class={taking ? "button small taking" : "button small"}
          aria-label={`${name}: ${keys.map(keyText).join(" or ") || "no key"}. Press to change`}
          onClick={() => setTaking(true)}
          onKeyDown={onKeyDown}
          onBlur={stop}
        >
          {taking && last.current.name === "" ? (
            <span role="status">press a key, Esc: leave it</span>
          ) : keys.length === 0 ? (
            <span class="dim">none</span>
          ) : (
            keys.map((k) => <kbd key={k}>{keyText(k)}</kbd>)
          )}
        </button>
        {id in keyMap.value ? (
          <button
            type="button"
            class="button quiet small"
            aria-label={`${name}: the usual key again`}
            title={`As usual: ${ACTIONS[id].split("|").map(keyText).join(", ")}`}
            onClick={() => {
              setClash(null);
              const usual = keysOf(id, {});
              const ids = conflictsOf(id, usual, keyMap.peek());
              if (ids.length > 0) setClash({ key: ACTIONS[id], ids });
              else write({ [id]: ACTIONS[id] });
            }}
          >
            reset
          </button>
        ) : (
          <button type="button" class="button quiet square" disabled={keys.length === 0} aria-label={`${name}: no key`} title="No key" onClick={() => write({ [id]: "" })}>
            <Icon name="close" />
          </button>
        )}
      </div>
      {clash ? (
        <p class="key-clash" role="alert">
          <span>
            {clash.key.split("|").map((k) => (
              <kbd key={k}>{keyText(k)}</kbd>
            ))}{" "}
            is {clash.ids.map((other) => `“${NAMES[other]}” (${SCOPES[scopeOf(other)]})`).join(", ")}.
          </span>
          <button
            type="button"
            class="button small"
            onClick={() => {
              const own = clash.key.split("|");
              const freed = clash.ids.map((other) => [other, without(other, own, keyMap.peek())]);
              write({ ...Object.fromEntries(freed), [id]: clash.key });
              setClash(null);
            }}
          >
            Take it away there
          </button>
          <button type="button" class="button small" onClick={() => setClash(null)}>
            Leave it
          </button>
        </p>
      ) : null}
    </>
  );
}
