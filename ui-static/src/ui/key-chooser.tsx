// SPDX-License-Identifier: Apache-2.0
// A box to choose an attribute with.
import { useEffect, useState } from "preact/hooks";
import { isStopped } from "../api/client";
import { formatCount } from "../model/text";
import { type FoundField, fieldsLike } from "../state/fields";
import { currentRange } from "../state/range";

const SEARCHED_SHOWN = 50;
const DEBOUNCE_MS = 150;
/** What spans and traces have besides attributes, and no facet shows at first. */
const OWN = ["statusMessage", "event:name", "rootName", "rootServiceName"];

/** Attribute keys, looked up by the server as one types. */
export function KeyChooser({ choose }: { choose: (key: string) => void }) {
  const [text, setText] = useState("");
  const [keys, setKeys] = useState<FoundField[]>([]);
  const range = currentRange();
  useEffect(() => {
    const stop = new AbortController();
    const timer = window.setTimeout(() => {
      fieldsLike(text, range, stop.signal).then(
        (found) => setKeys([...OWN.filter((name) => name.startsWith(text) && !found.some((f) => f.name === name)).map((name) => ({ name, type: "", spans: "" })), ...found]),
        (error) => {
          // Names can be typed in full without the list.
          if (!isStopped(error)) setKeys([]);
        },
      );
    }, DEBOUNCE_MS);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  }, [text, range.from, range.to]);
  return (
    <form
      class="key-chooser"
      onSubmit={(event) => {
        event.preventDefault();
        const key = text.trim();
        if (/^(span|resource|event|link|instrumentation)\.\S|^(name|service|status|kind)$/.test(key) || OWN.includes(key)) choose(key);
        else if (keys[0]) choose(keys[0].name);
      }}
    >
      <input value={text} aria-label="Attribute" placeholder="begins with …" onInput={(e) => setText(e.currentTarget.value)} />
      <ul>
        {keys.slice(0, SEARCHED_SHOWN).map((k) => (
          <li key={k.name}>
            <button type="button" class="option" onClick={() => choose(k.name)}>
              <span class="mono clip">{k.name}</span> <span class="dim num">{k.spans && formatCount(k.spans)}</span>
            </button>
          </li>
        ))}
      </ul>
    </form>
  );
}
