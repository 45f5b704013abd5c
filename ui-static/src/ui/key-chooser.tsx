// SPDX-License-Identifier: Apache-2.0
// A box to choose an attribute with.
import { useEffect, useState } from "preact/hooks";
import { getKeys, isStopped } from "../api/client";
import { formatCount } from "../model/text";
import { fieldText } from "../model/traceql";
import { currentRange } from "../state/range";

const SEARCHED_SHOWN = 50;
const DEBOUNCE_MS = 150;

/** Attribute keys, looked up by the server as one types. */
export function KeyChooser({ choose }: { choose: (key: string) => void }) {
  const [text, setText] = useState("");
  const [keys, setKeys] = useState<{ name: string; spans: string }[]>([]);
  const range = currentRange();
  useEffect(() => {
    const stop = new AbortController();
    const m = /^(span|resource)\.(.*)$/s.exec(text);
    const timer = window.setTimeout(() => {
      Promise.all((m ? [m[1]] : ["span", "resource"]).map((scope) => getKeys(scope, m ? m[2] : text, range, stop.signal))).then(
        (answers) => {
          const found = answers.flatMap((a) => a.attributes).sort((a, b) => Number(b.spanCount) - Number(a.spanCount));
          setKeys(found.map((k) => ({ name: fieldText(k.scope, k.key), spans: k.spanCount })));
        },
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
        if (/^(span|resource|event|link|instrumentation)\.\S|^(name|status|kind|rootName|rootServiceName|statusMessage)$/.test(key)) choose(key);
        else if (keys[0]) choose(keys[0].name);
      }}
    >
      <input value={text} aria-label="Attribute" placeholder="begins with …" onInput={(e) => setText(e.currentTarget.value)} />
      <ul>
        {keys.slice(0, SEARCHED_SHOWN).map((k) => (
          <li key={k.name}>
            <button type="button" class="option" onClick={() => choose(k.name)}>
              <span class="mono clip">{k.name}</span> <span class="dim num">{formatCount(k.spans)}</span>
            </button>
          </li>
        ))}
      </ul>
    </form>
  );
}
