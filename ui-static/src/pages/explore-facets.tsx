// SPDX-License-Identifier: Apache-2.0
// The facet rail: which values the spans that match have, and how often. A click includes a value, Alt and a click (or −) excludes it;
// the text of
// the query is changed, nothing else.
import { useEffect, useState } from "preact/hooks";
import { apiUrl, getFacets, getValues, isStopped } from "../api/client";
import type { Facet, FacetValue } from "../api/types";
import { curlOf } from "../model/curl";
import { formatCount, formatPercent, plural } from "../model/text";
import { conditions, fieldRef, valueCondition } from "../model/traceql";
import { go, param, patched, replace } from "../route";
import { hint } from "../state/keys";
import { currentRange } from "../state/range";
import { asApiError, type Loader } from "../state/load";
import { CopyButton, Name, ProblemPanel, Swatch } from "../ui/controls";
import { Icon } from "../ui/icons";
import { KeyChooser } from "../ui/key-chooser";
import { filtered, shortName } from "./explore-chips";
import { addedKeys, FIXED_KEYS, fixedFacets, fixedQuestion, isAway, isLive, runFacets, tellingFacets } from "./explore-state";

/** Values that the search inside a facet asks for. */
const SEARCHED_MAX = 1000;
const SEARCHED_SHOWN = 50;
const DEBOUNCE_MS = 150;

export function FacetRail({ slots, close }: { slots: Map<string, number>; close: () => void }) {
  const [fixed, telling] = [fixedFacets.state.value, tellingFacets.state.value];
  const query = param("q");
  const [adding, setAdding] = useState(false);
  useEffect(() => runFacets(false));
  const error = isAway() ? null : (fixed.error ?? telling.error);
  const first = [...FIXED_KEYS, ...addedKeys()].flatMap((key) => fixed.value?.facets.filter((f) => f.key === key && (f.distinct > 0 || addedKeys().includes(key))) ?? []);
  // The service has two names: one is enough. Keys with one value of all spans say nothing.
  // They stand below the first ones, so they wait for them.
  const rest = (fixed.value || fixed.error ? telling.value : null)?.facets.filter((f) => f.key !== "service" && !first.some((x) => x.key === f.key) && f.distinct > 1) ?? [];
  const spans = Number(fixed.value?.spans ?? 0);
  const list = (facets: Facet[]) =>
    facets.map((f) => <FacetPart key={f.key} facet={f} spans={spans} query={query} slots={f.key === "resource.service.name" ? slots : null} />);
  return (
    <aside class="facets" aria-label="Facets">
      <div class="facets-head">
        <h2>Facets</h2>
        <span class="dim num clip">{fixed.value ? plural(spans, "span") : ""}</span>
        <span class="spring" />
        <button type="button" class="button quiet square" aria-expanded={adding} aria-label="Add a facet" title="Add a facet" onClick={() => setAdding(!adding)}>
          +
        </button>
        <CopyButton text={() => curlOf(apiUrl("v1/facets", fixedQuestion()))} what="curl command of the facets" icon="terminal" />
        <button type="button" class="button quiet square" title={`Hide the facets${hint("explore.facets")}`} aria-label="Hide the facets" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      {error && error.problem.parameter !== "q" ? <ProblemPanel error={error} title="Facets cannot be shown" retry={() => runFacets(true)} /> : null}
      {adding ? (
        <KeyChooser
          choose={(key) => {
            setAdding(false);
            replace(patched({ facets: [...new Set([...addedKeys(), key])].join(",") }));
          }}
        />
      ) : null}
      <div class={`facets-list${waits(fixedFacets) ? " busy" : fixed.value || fixed.error ? "" : " waiting"}`}>
        {list(first)}
        {rest.length > 0 ? <h3 class="facets-more">Tell most of these spans</h3> : null}
        {list(rest)}
      </div>
    </aside>
  );
}

const waits = (loader: Loader<unknown>) => !isLive() && loader.state.value.loading && loader.state.value.value !== null;

interface PartProps {
  facet: Facet;
  spans: number;
  query: string;
  slots: Map<string, number> | null;
}

function FacetPart({ facet, spans, query, slots }: PartProps) {
  const [searching, setSearching] = useState(false);
  const { key } = facet;
  const removable = addedKeys().includes(key);
  const lacking = facet.values.some((v) => v.value === null);
  const more = facet.distinct - facet.values.length;
  return (
    <details class="facet" open data-key={key}>
      <summary title={key}>
        <Name name={shortName(key)} />
        <span class="count num">{facet.complete ? formatCount(facet.distinct) : `${formatCount(facet.distinct)}+`}</span>
      </summary>
      {searching || !facet.complete ? <FacetSearch facet={facet} spans={spans} query={query} slots={slots} /> : null}
      {searching || !facet.complete ? null : (
        <ul>
          {facet.values.map((v) => (
            <Value key={`${v.type} ${v.value}`} of={key} v={v} spans={spans} query={query} lacking={lacking} slots={slots} />
          ))}
        </ul>
      )}
      <p class="facet-tools">
        {facet.complete && (more > 0 || searching) ? (
          <button type="button" class="link" onClick={() => setSearching(!searching)}>
            {searching ? "most frequent" : `${formatCount(more)} more, search`}
            <span class="offscreen"> {shortName(key)}</span>
          </button>
        ) : null}
        {removable ? (
          <button type="button" class="link" onClick={() => replace(patched({ facets: addedKeys().filter((k) => k !== key).join(",") }))}>
            remove facet<span class="offscreen"> {shortName(key)}</span>
          </button>
        ) : null}
        <button type="button" class="link" title={key} onClick={() => go(patched({ group: key }))}>
          group by<span class="offscreen"> {shortName(key)}</span>
        </button>
      </p>
    </details>
  );
}

interface ValueProps {
  of: string;
  v: FacetValue;
  spans: number;
  query: string;
  lacking: boolean;
  slots: Map<string, number> | null;
}

function Value({ of, v, spans, query, lacking, slots }: ValueProps) {
  const name = v.value === null ? "(none)" : v.value === "" ? '""' : v.value;
  const included = filtered(query, of, v, false, lacking);
  const excluded = filtered(query, of, v, true, lacking);
  const condition = valueCondition(of, v.value, v.type);
  const pressed = condition !== null && conditions(query).includes(condition);
  const count = Number(v.count);
  const slot = slots?.get(v.value ?? "");
  const content = (
    <>
      <span class="facet-bar" style={{ width: `${Math.max(0.5, (100 * count) / Math.max(1, spans))}%` }} aria-hidden="true" />
      <span class="service">
        {slot === undefined ? null : <Swatch slot={slot} />}
        <Name name={name} dim={v.value === null ? name.length : 0} />
      </span>
      <span class="num dim">{formatCount(count)}</span>
    </>
  );
  const title = `${name}: ${plural(count, "span")}, ${formatPercent(count, spans)}`;
  if (included === null) {
    return (
      <li>
        <span class="facet-value" title={`${title}. No filter can name this value.`}>
          {content}
        </span>
      </li>
    );
  }
  return (
    <li>
      <button
        type="button"
        class="facet-value"
        aria-pressed={pressed}
        title={`${title}. Click: only these; Alt and click: without these`}
        onClick={(event) => go(patched({ q: event.altKey ? excluded : included }))}
      >
        {content}
      </button>
      <button type="button" class="facet-not" title={`Exclude ${name}`} aria-label={`Exclude ${shortName(of)} ${name}`} onClick={() => go(patched({ q: excluded }))}>
        −
      </button>
    </li>
  );
}

/** All values of a facet, or for keys with too many of them those that begin with what is typed. */
function FacetSearch({ facet, spans, query, slots }: PartProps) {
  const [text, setText] = useState("");
  const [found, setFound] = useState<FacetValue[] | null>(null);
  const [problem, setProblem] = useState("");
  const range = currentRange();
  const { key, complete } = facet;
  // Values that are all known are filtered here; of too many, the server looks up beginnings.
  const asked = complete ? "" : text;
  useEffect(() => {
    const stop = new AbortController();
    const ask = async () => {
      if (complete) return (await getFacets({ q: query, ...range, keys: key, limit: SEARCHED_MAX }, stop.signal)).facets[0]?.values ?? [];
      const { scope, key: name } = fieldRef(key);
      const answer = await getValues(scope, name, asked, range, stop.signal);
      return answer.values.map((v) => ({ value: v.value, type: v.type === "double" ? "float" : v.type, count: v.count }) as FacetValue);
    };
    const timer = window.setTimeout(() => {
      ask().then(
        (values) => {
          setFound(values);
          setProblem("");
        },
        (e) => {
          if (!isStopped(e)) setProblem(asApiError(e).problem.title);
        },
      );
    }, DEBOUNCE_MS);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  }, [key, query, range.from, range.to, asked, complete]);
  const wanted = text.toLowerCase();
  const all = (found ?? []).filter((v) => !complete || (v.value ?? "(none)").toLowerCase().includes(wanted));
  const shown = all.slice(0, SEARCHED_SHOWN);
  const hint = complete
    ? all.length > shown.length || facet.distinct > SEARCHED_MAX
      ? `${formatCount(shown.length)} of ${formatCount(facet.distinct)} values: type to narrow`
      : ""
    : "Too many values to count: type a beginning. Counts are of all spans in the range.";
  return (
    <>
      <input
        class="facet-search"
        value={text}
        aria-label={`Search values of ${shortName(key)}`}
        placeholder={complete ? "contains …" : "begins with …"}
        onInput={(e) => setText(e.currentTarget.value)}
      />
      {problem ? <p class="hint error">{problem}</p> : null}
      {hint ? <p class="hint">{hint}</p> : null}
      <ul>
        {shown.map((v) => (
          <Value key={`${v.type} ${v.value}`} of={key} v={v} spans={spans} query={query} lacking={facet.values.some((x) => x.value === null)} slots={slots} />
        ))}
      </ul>
    </>
  );
}
