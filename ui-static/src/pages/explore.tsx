// SPDX-License-Identifier: Apache-2.0
// Explore: a query, and the traces that match it. The answer outlives the page, so that coming back from a trace is
// instant and at the same place.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { apiUrl, getServices, getStatus, type Params, search } from "../api/client";
import type { SearchAnswer, Service, Status } from "../api/types";
import { curlOf } from "../model/curl";
import { formatBytes, formatCount, plural } from "../model/text";
import { quote, withCondition } from "../model/traceql";
import { go, href, param, patched, route } from "../route";
import { useCommands } from "../state/keys";
import { Loader } from "../state/load";
import { currentRange } from "../state/range";
import { CopyButton, ProblemPanel, Swatch } from "../ui/controls";
import { Icon } from "../ui/icons";
import { QueryBox } from "../ui/querybox";
import { FirstRun } from "./firstrun";
import { NoMatch } from "./nomatch";
import { PAGE_SIZE, Results } from "./results";

const POLL_MS = 1500;
/** More services than this are found through the query box, not as buttons. */
const QUICK_SERVICES = 12;

const answer = new Loader<SearchAnswer>();
const status = new Loader<Status>();
const services = new Loader<{ services: Service[] }>();
/** What `answer` answers; a different question means a new request. */
let asked = "";
const queryFocused = signal(0);
const cursor = signal(-1);
const scrollTop = { current: 0 };

function question(): Params {
  return { q: param("q"), ...currentRange(), order: param("order") || "-start", limit: PAGE_SIZE };
}

function run(force: boolean): void {
  const params = question();
  const key = JSON.stringify(params);
  if (!force && key === asked) return;
  if (key !== asked) {
    cursor.value = -1;
    scrollTop.current = 0;
  }
  asked = key;
  void answer.run((stop) => search(params, null, stop));
  void services.run((stop) => getServices(currentRange(), stop));
  void status.run(getStatus);
}

async function loadMore(): Promise<void> {
  const before = answer.state.peek().value;
  if (!before?.cursor || answer.state.peek().loading) return;
  const params = question();
  await answer.run(async (stop) => {
    const more = await search(params, before.cursor, stop);
    return { ...more, traces: [...before.traces, ...more.traces] };
  });
}

export function Explore() {
  const key = JSON.stringify(question());
  useEffect(() => run(false), [key]);
  const { value, loading, error } = answer.state.value;
  const empty = status.state.value.value?.spanCount === "0";
  useEffect(() => {
    document.title = "Explore · Spoor";
    if (!empty) return;
    const timer = window.setInterval(() => {
      if (!document.hidden) void status.run(getStatus);
    }, POLL_MS);
    return () => {
      window.clearInterval(timer);
      run(true);
    };
  }, [empty]);
  useExploreKeys(value);
  const query = param("q");
  const fault = useFault(error, query);
  if (empty && status.state.value.value) return <FirstRun status={status.state.value.value} />;
  return (
    <>
      <h1 class="offscreen">Explore traces</h1>
      <QueryBox
        value={query}
        range={currentRange()}
        fault={fault}
        focused={queryFocused.value}
        onRun={(q) => {
          if (q === query) run(true);
          else go(patched({ q }));
        }}
      >
        <button type="submit" class="button primary" title="Run the query (r)">
          Run
        </button>
        <CopyButton text={() => curlOf(apiUrl("v1/search", question()))} what="curl command" icon="terminal" />
      </QueryBox>
      <QuickServices query={query} />
      {error ? (
        <ProblemPanel error={error} retry={() => run(true)} title={fault && error.problem.expected ? "This query cannot be read" : undefined}>
          {fault ? <FaultLine fault={fault} said={error.problem.expected ? `expected ${error.problem.expected}` : (error.problem.detail ?? "")} /> : null}
        </ProblemPanel>
      ) : null}
      {value ? <Summary value={value} loading={loading} /> : error ? null : <Waiting />}
      {value && value.traces.length === 0 ? <NoMatch query={query} run={() => run(true)} /> : null}
      {value && value.traces.length > 0 ? (
        <Results value={value} query={query} cursor={cursor} scrollTop={scrollTop} loading={loading} loadMore={() => void loadMore()} />
      ) : null}
    </>
  );
}

function useFault(error: { problem: { parameter?: string; offset?: number } } | null, query: string) {
  const sent = useRef("");
  useEffect(() => {
    sent.current = query;
  }, [query]);
  if (error?.problem.parameter !== "q" || error.problem.offset === undefined) return null;
  return { offset: error.problem.offset, text: query };
}

/** The query with a caret under the byte that the parser stopped at. */
function FaultLine({ fault, said }: { fault: { offset: number; text: string }; said: string }) {
  const bytes = new TextEncoder().encode(fault.text);
  const before = new TextDecoder().decode(bytes.slice(0, fault.offset));
  return (
    <>
      <pre class="fault-line mono">
        {fault.text}
        {"\n"}
        {" ".repeat([...before].length)}
        <b>^</b>
      </pre>
      <p>{said.charAt(0).toUpperCase() + said.slice(1)}</p>
    </>
  );
}

function Summary({ value, loading }: { value: SearchAnswer; loading: boolean }) {
  const shown = value.traces.length;
  const total = value.matchedTraces;
  const { rows, bytes } = value.scanned;
  return (
    <div class="summary" role="status" aria-live="polite">
      <span>
        <b>
          {value.complete ? "" : "more than "}
          {plural(total, "trace")}
        </b>
        {shown < total || !value.complete ? `, ${formatCount(shown)} shown` : ""}
      </span>
      <span class="dim" title={`${plural(value.scanned.traces, "trace")} considered, ${plural(value.scanned.segments, "segment")}, ${formatBytes(bytes)}`}>
        {loading ? "searching …" : `${plural(rows, "row")} read in ${formatCount(value.tookMs)} ms`}
      </span>
      {value.incompleteReason === "timeBudget" ? (
        <span class="warn">The search stopped when its time was over: narrow the time range to see all.</span>
      ) : null}
    </div>
  );
}

/** Rows of nothing: the page keeps its shape while the first answer is on its way. */
function Waiting() {
  return (
    <div class="waiting" aria-hidden="true">
      {Array.from({ length: 8 }, (_, i) => (
        <div key={i} />
      ))}
    </div>
  );
}

function QuickServices({ query }: { query: string }) {
  const list = services.state.value.value?.services ?? [];
  if (list.length === 0 || list.length > QUICK_SERVICES) return <div class="quick" />;
  return (
    <div class="quick" role="group" aria-label="Only traces with this service">
      {list.map((s) => {
        const condition = `resource.service.name = ${quote(s.name)}`;
        const chosen = query.includes(condition);
        return (
          <a
            key={s.name}
            class="chip"
            aria-current={chosen ? "true" : undefined}
            title={`${plural(s.spanCount, "span")}, ${plural(s.errorCount, "error")}`}
            href={href("explore", withParam({ q: chosen ? "" : withCondition(query, condition) }))}
          >
            <Swatch slot={s.slot} />
            {s.name || "(no service name)"}
          </a>
        );
      })}
      <a class="chip errors" aria-current={query.includes("status = error") ? "true" : undefined} href={href("explore", withParam({ q: query.includes("status = error") ? "" : withCondition(query, "status = error") }))}>
        <span aria-hidden="true">▲</span> errors
      </a>
      {query ? (
        <a class="chip quiet" href={href("explore", withParam({ q: "" }))}>
          <Icon name="close" /> clear
        </a>
      ) : null}
    </div>
  );
}

function withParam(patch: { q: string }): URLSearchParams {
  const params = new URLSearchParams(route.value.params);
  if (patch.q) params.set("q", patch.q);
  else params.delete("q");
  return params;
}

function useExploreKeys(value: SearchAnswer | null): void {
  const move = (step: number) => {
    const count = answer.state.peek().value?.traces.length ?? 0;
    if (count > 0) cursor.value = Math.max(0, Math.min(count - 1, cursor.peek() + step));
  };
  const address = () => {
    const trace = answer.state.peek().value?.traces[cursor.peek()];
    return trace ? href("trace", { id: trace.traceId }) : null;
  };
  const group = "Explore";
  useCommands(
    [
      {
        keys: ["/"],
        text: "Query",
        group,
        run: () => {
          queryFocused.value++;
        },
      },
      { keys: ["r"], text: "Run again", group, run: () => run(true) },
      { keys: ["ArrowDown", "j"], text: "Next trace", group, run: () => move(1) },
      { keys: ["ArrowUp", "k"], text: "Previous trace", group, run: () => move(-1) },
      {
        keys: ["Enter"],
        text: "Open the trace",
        group,
        run: () => {
          const target = address();
          if (target) go(target);
        },
      },
      {
        keys: ["Ctrl+Enter"],
        text: "Open it in a new tab",
        group,
        run: () => {
          const target = address();
          if (target) window.open(target, "_blank", "noopener");
        },
      },
    ],
    [value === null],
  );
}
