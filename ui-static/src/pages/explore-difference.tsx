// SPDX-License-Identifier: Apache-2.0
// What the selected box has that the rest has not. First the calls that the time of the selected traces went to; then, ranked, the attributes by which
// the traces (seen at one call, or whole) or all spans differ.
import { type ApiError, apiUrl, getComparison, getFacets, getPaths, type Params } from "../api/client";
import type { Comparison, FacetsAnswer } from "../api/types";
import { curlOf } from "../model/curl";
import { type Card, cardsOfComparison, cardsOfFacets, type CardValue, populations, type Suspect, suspectQuery, suspectsOf, withFinding } from "../model/difference";
import { durationCondition, type Selection } from "../model/heat";
import { formatCount, formatPercent, plural } from "../model/text";
import { formatClock, formatDuration, formatFull, toRfc3339 } from "../model/time";
import { withCondition } from "../model/traceql";
import { go, href, param, patched } from "../route";
import { setRef } from "../state/basket";
import { hint } from "../state/keys";
import { Loader } from "../state/load";
import { zone } from "../state/prefs";
import { currentRange } from "../state/range";
import { CopyButton, ProblemPanel } from "../ui/controls";
import { Icon } from "../ui/icons";
import { useAsked } from "./explore-asking";
import { shortName } from "./explore-chips";

/** Rows of the comparison: enough for twelve keys. */
const ROWS = 200;
const SUSPECTS = 3;
/** Calls of each population: those that are not listed have hardly any time. */
const PATH_NODES = 200;

type By = "call" | "traces" | "spans";
interface Found {
  by: By;
  suspects: Suspect[];
  /** The call whose attributes are compared. */
  call: Suspect | null;
  cards: Card[];
  traces: Comparison | null;
  spans: FacetsAnswer | null;
  curl: string;
}

const found = new Loader<Found>();

async function find(q: string, s: Selection, by: By | "", call: string, stop: AbortSignal): Promise<Found> {
  const range = currentRange();
  if (by === "spans") {
    const params: Params = { q, ...range, limit: 10, selection: `{ ${durationCondition(s).join(" && ")} }`, selectionFrom: String(s.t0), selectionTo: String(s.t1) };
    const spans = await getFacets(params, stop);
    return { by, suspects: [], call: null, cards: cardsOfFacets(spans), traces: null, spans, curl: apiUrl("v1/facets", params) };
  }
  const { a, b } = populations(q, s, "");
  const box = { from: String(s.t0), to: String(s.t1) };
  const nodes = { limit: PATH_NODES };
  const [rest, inside] = await Promise.all([getPaths({ ...nodes, q: a, ...range }, stop), getPaths({ ...nodes, q: b, ...box }, stop)]);
  const suspects = suspectsOf(rest, inside, SUSPECTS);
  const chosen = by === "traces" ? null : (suspects.find((x) => suspectQuery(x) === call) ?? suspects[0] ?? null);
  const params: Params = { ...populations(q, s, chosen ? suspectQuery(chosen) : ""), ...range, bFrom: box.from, bTo: box.to, limit: ROWS };
  const traces = await getComparison(params, stop);
  return { by: chosen ? "call" : "traces", suspects, call: chosen, cards: cardsOfComparison(traces), traces, spans: null, curl: apiUrl("v1/compare", params) };
}

export function Difference({ selected }: { selected: Selection }) {
  const query = param("q");
  const [by, call] = [param("by") as By | "", param("call")];
  const { value, error, busy, run } = useAsked(found, [query, param("sel"), by, call, currentRange()], (stop) => find(query, selected, by, call, stop));
  const clear = () => go(patched({ sel: null, by: null, call: null }));
  return (
    <section class={busy ? "difference busy" : "difference"} aria-label="Selection against the rest">
      <div class="difference-head">
        <h2>
          <span class="sel-key" aria-hidden="true" /> Selection
        </h2>
        <span class="num" title={`${formatFull(selected.t0, zone.value)} to ${formatFull(selected.t1, zone.value)}`}>
          {formatDuration(Number(selected.d0))} – {formatDuration(Number(selected.d1))}, {formatClock(selected.t0, zone.value, 0)} – {formatClock(selected.t1, zone.value, 0)}
        </span>
        {value ? <span class="dim">{counted(value)}</span> : null}
        <span class="spring" />
        <span class="button-group" role="group" aria-label="Compare by">
          {(["call", "traces", "spans"] as By[]).map((b) => (
            <button key={b} type="button" class="button toggle small" aria-pressed={(value?.by ?? "call") === b} title={TITLES[b]} onClick={() => go(patched({ by: b }))}>
              {b}
            </button>
          ))}
        </span>
        <button type="button" class="button small" onClick={() => go(patched({ q: durationCondition(selected).reduce(withCondition, query), from: toRfc3339(selected.t0), to: toRfc3339(selected.t1), sel: null, by: null, call: null }))}>
          Make it the query
        </button>
        <a class="button small" title="Both populations on the Compare page" href={compareAddress(query, selected)}>
          Compare
        </a>
        {value ? <CopyButton text={() => curlOf(value.curl)} what="curl command of the differences" icon="terminal" /> : null}
        <button type="button" class="button quiet square" title={`Clear the selection${hint("all.escape")}`} aria-label="Clear the selection" onClick={clear}>
          <Icon name="close" />
        </button>
      </div>
      {error ? <Failed error={error} run={run} /> : value ? <Findings found={value} query={query} /> : <p class="dim pad">Comparing the selection with the rest …</p>}
    </section>
  );
}

const TITLES: Record<By, string> = {
  call: "Traces, seen at the call that their time went to",
  traces: "Traces, with all their spans",
  spans: "Spans in the box against all other spans that match",
};

function Failed({ error, run }: { error: ApiError; run: () => void }) {
  return <ProblemPanel error={error} retry={run} title="The selection cannot be compared" />;
}

/** How much of it was looked at. */
function counted(f: Found): string {
  if (f.spans) return `${formatCount(f.spans.selected ?? 0)} of ${plural(f.spans.spans, "span")}, all counted`;
  if (!f.traces) return "";
  const { a, b } = f.traces;
  const side = (x: typeof a, what: string) => `${x.complete ? "all" : "the newest"} ${formatCount(x.matchedTraces)} ${what}`;
  const of = f.call ? ", of those with this call" : "";
  return `${side(b, b.matchedTraces === 1 ? "trace with such a span" : "traces with such spans")} against ${side(a, "others")}${of}`;
}

/** The rest as A, the selection as B. */
function compareAddress(query: string, s: Selection): string {
  const { a, b } = populations(query, s, "");
  const { from = "", to = "" } = currentRange();
  return href("compare", { a: setRef(a, from, to), b: setRef(b, String(s.t0), String(s.t1)) });
}

function Findings({ found: f, query }: { found: Found; query: string }) {
  if (f.traces && f.traces.b.matchedTraces === 0) return <p class="dim pad">No trace has a matching span in this box.</p>;
  if (f.spans && f.spans.selected === "0") return <p class="dim pad">No matching span is in this box.</p>;
  const rate = f.traces ? 100 * f.traces.falseDiscoveryRate : 0;
  return (
    <>
      {f.suspects.length > 0 ? (
        <p class="suspects">
          <b>The time went to</b>
          {f.suspects.map((s) => (
            <span
              key={suspectQuery(s)}
              class={s === f.call ? "suspect chosen" : "suspect"}
              title={`Itself on the critical path, in the mean of the traces: ${formatDuration(s.selected)} with the selection, ${formatDuration(s.rest)} without`}
            >
              <button type="button" class="link" title="Differences of the traces as seen at this call" onClick={() => go(patched({ by: null, call: suspectQuery(s) }))}>
                <b>{s.service}</b> {s.operation}
              </button>{" "}
              <span class="num">
                +{formatDuration(s.selected - s.rest)} <span class="dim">a trace</span>
              </span>{" "}
              <a href={patched({ q: suspectQuery(s) })} title="Only these spans: makes this the query">
                only these
              </a>
            </span>
          ))}
        </p>
      ) : null}
      {f.cards.length === 0 ? (
        <p class="dim pad">
          {f.traces
            ? `No attribute differs by more than chance${f.by === "call" ? " at this call" : ""} (${formatCount(f.traces.attributes.tested)} values tested). Try whole traces, or spans.`
            : "No attribute differs: each value is as frequent inside the box as outside."}
        </p>
      ) : (
        <ol class="cards" aria-label={`Ranked differences${f.call ? ` of ${f.call.service} ${f.call.operation}` : ""}`}>
          {f.cards.map((card) => (
            <DifferenceCard key={card.key} card={card} found={f} query={query} />
          ))}
        </ol>
      )}
      <p class="hint pad">
        <span class="sel-key" aria-hidden="true" /> share of the selection · <span class="rest-key" aria-hidden="true" /> share of the rest ·{" "}
        {f.traces
          ? `a trace is one observation; of all that is shown at most ${rate.toFixed(0)} % may be chance`
          : "shares of spans, exact; which keys tell most is judged by up to 100,000 spans; keys whose values hardly repeat are left out"}
      </p>
    </>
  );
}

function DifferenceCard({ card, found: f, query }: { card: Card; found: Found; query: string }) {
  return (
    <li class="card">
      <h3 class="clip" title={card.key}>
        {shortName(card.key)}
        {card.alike.length > 0 ? (
          <span class="dim count" title={card.alike.join("\n")}>
            and {plural(card.alike.length, "key")} alike
          </span>
        ) : null}
      </h3>
      {card.values.map((v) => (
        <ValueRow key={`${v.type} ${v.value}`} card={card} v={v} found={f} query={query} />
      ))}
    </li>
  );
}

function ValueRow({ card, v, found: f, query }: { card: Card; v: CardValue; found: Found; query: string }) {
  const name = v.value === null ? "(none)" : v.value || '""';
  const at = { call: f.call, spans: f.by === "spans", lacking: card.lacking };
  const [plus, minus] = [withFinding(query, card.key, v, false, at), withFinding(query, card.key, v, true, at)];
  const percent = (x: number) => formatPercent(x, 1);
  return (
    <div class="card-value" title={`${card.key} = ${name}: ${percent(v.selected)} of the selection, ${percent(v.rest)} of the rest`}>
      <span class="clip mono">{name}</span>
      <span class="pair" aria-hidden="true">
        <span class="sel-bar" style={{ width: `${100 * v.selected}%` }} />
        <span class="rest-bar" style={{ width: `${100 * v.rest}%` }} />
      </span>
      <span class="num">
        {percent(v.selected)} <span class="dim">| {percent(v.rest)}</span>
      </span>
      {plus === null ? (
        <span />
      ) : (
        <span class="row tight">
          <button type="button" class="facet-not" title={`Only ${name}`} aria-label={`Include ${shortName(card.key)} ${name}`} onClick={() => go(patched({ q: plus }))}>
            +
          </button>
          <button type="button" class="facet-not" title={`Without ${name}`} aria-label={`Exclude ${shortName(card.key)} ${name}`} onClick={() => go(patched({ q: minus }))}>
            −
          </button>
        </span>
      )}
    </div>
  );
}
