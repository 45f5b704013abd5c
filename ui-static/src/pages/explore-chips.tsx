// SPDX-License-Identifier: Apache-2.0
// What the query says, as chips: each condition by itself, or the whole as one where it is more than that.
import { conditions, isEverything, valueCondition, withCondition, withoutCondition } from "../model/traceql";
import { patched } from "../route";
import { Icon } from "../ui/icons";

const SHORT: Record<string, string> = { "resource.service.name": "service", name: "operation" };
export const shortName = (key: string) => SHORT[key] ?? key.replace(/^(span|resource)\./, "");

/** Changes the query so that a value is included or excluded; what says so already is taken back. */
export function filtered(query: string, key: string, v: { value: string | null; type: string }, not: boolean, lacking: boolean): string | null {
  const condition = valueCondition(key, v.value, v.type, not, lacking);
  if (condition === null) return null;
  return conditions(query).includes(condition) ? withoutCondition(query, condition) : withCondition(query, condition);
}

export function Chips({ query, focusQuery }: { query: string; focusQuery: () => void }) {
  const parts = conditions(query);
  const advanced = parts.length === 0 && !isEverything(query);
  const errors = parts.includes("status = error");
  return (
    <div class="chips" role="group" aria-label="Conditions of the query">
      {parts.map((p) => (
        <span key={p} class="chip mono" title={p}>
          <span class="clip">{p}</span>
          <a class="chip-close" href={patched({ q: withoutCondition(query, p) })} aria-label={`Remove ${p}`}>
            <Icon name="close" />
          </a>
        </span>
      ))}
      {advanced ? (
        <span class="chip mono" title={query}>
          <span class="dim">advanced</span> <span class="clip">{query}</span>
          <a class="chip-close" href={patched({ q: "" })} aria-label="Remove the whole query">
            <Icon name="close" />
          </a>
        </span>
      ) : null}
      {errors ? null : (
        <a class="chip errors quiet" href={patched({ q: withCondition(query, "status = error") })}>
          <span aria-hidden="true">▲</span> errors only
        </a>
      )}
      <button type="button" class="chip quiet" onClick={focusQuery}>
        + filter
      </button>
    </div>
  );
}
