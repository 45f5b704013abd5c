// SPDX-License-Identifier: Apache-2.0
// Compare: two traces, or two sets of traces. Two slots, and five ways to look at what differs between them.
import { useEffect } from "preact/hooks";
import { type ApiError, apiUrl } from "../api/client";
import { parseSide, queryOf, rootsDiffer, type Side } from "../model/compare";
import { curlOf } from "../model/curl";
import { formatCount, plural } from "../model/text";
import { param, patched, replace } from "../route";
import { answer, type Answer, askedKey, compare, limitOf, loadPair, measureOf, narrow, pair, sampleOf, SAMPLES, setParams, swap, TABS, tabOf } from "../state/compare";
import { useActions } from "../state/keys";
import { useRetry } from "../state/load";
import { copy } from "../state/say";
import { Away } from "../ui/away";
import { CopyButton, FaultLine, Popover, ProblemPanel, Select, Tabs, useTitle, Waiting } from "../ui/controls";
import { Icon } from "../ui/icons";
import { CompareAttributes, CompareFindings } from "./compare-attributes";
import { CompareFalls } from "./compare-falls";
import { CompareGraph } from "./compare-graph";
import { CompareHelp, Slots } from "./compare-slots";
import { loadSlots } from "./compare-name";
import { CompareSpans } from "./compare-spans";
import { CompareTree } from "./compare-tree";
import { exportCsv, exportJson } from "./compare-export";

const shortOf = (side: Side): string => (side.kind === "trace" ? side.id.slice(0, 8) : side.query || "{}");

const chooseTab = (id: string) => replace(patched({ tab: id || null, by: param("by") === "attrs" ? null : param("by") }));

export function ComparePage() {
  const [left, right] = [param("a"), param("b")];
  const [a, b] = [parseSide(left), parseSide(right)];
  const [traces, limit, key] = [sampleOf(), limitOf(), askedKey()];
  const load = () => {
    if (a && b) void answer.run((stop) => compare(key, a, b, traces, limit, stop));
  };
  useTitle(a && b ? `${shortOf(a)} and ${shortOf(b)} · Compare` : "Compare");
  useEffect(() => {
    loadSlots();
    load();
    return () => answer.stop();
  }, [key]);
  useActions({
    "compare.swap": swap,
    "all.run": load,
    ...Object.fromEntries(
      TABS.map(([id], i) => [`compare.tab${i + 1}`, () => chooseTab(id)]),
    ),
  });
  const { value: last, error, loading } = answer.state.value;
  // A server that does not answer takes nothing away, but nothing else is shown in its place.
  const value = error && last?.key !== key ? null : last;
  useRetry(error, load);
  return (
    <div class={loading ? "compare busy" : "compare"}>
      {a && b ? <h1 class="offscreen">A compared with B</h1> : null}
      <Slots a={a} b={b} value={a && b ? value : null} />
      {!a || !b ? (
        <CompareHelp a={a} b={b} />
      ) : error && !value ? (
        <section class="pad">
          <Failed error={error} retry={load} a={a} b={b} />
        </section>
      ) : value ? (
        <>
          <Away state={answer.state.value} retry={load} />
          <Compared a={a} b={b} value={value} />
        </>
      ) : (
        <Waiting>Comparing …</Waiting>
      )}
    </div>
  );
}

/** Which of the two it is about. */
function Failed({ error, retry, a, b }: { error: ApiError; retry: () => void; a: Side; b: Side }) {
  const { status, parameter, offset } = error.problem;
  const [name, side] = parameter === "b" ? ["B", b] : ["A", a];
  const title = status === 404 ? `Trace ${name} is not stored` : offset === undefined ? undefined : `The query of ${name} cannot be read`;
  return (
    <ProblemPanel error={error} retry={retry} title={title}>
      {offset === undefined ? null : <FaultLine offset={offset} text={queryOf(side)} problem={error.problem} />}
    </ProblemPanel>
  );
}

function Compared({ a, b, value }: { a: Side; b: Side; value: Answer }) {
  const tab = tabOf();
  const wantsPair = tab === "falls" || tab === "spans" || (tab === "attrs" && value.of === "traces");
  const load = () => void pair.run((stop) => loadPair(a, b, value.of === "traces" ? value.value : null, stop));
  useEffect(() => {
    if (wantsPair) load();
  }, [value, wantsPair]);
  const { value: two, error } = pair.state.value;
  const current = two && (a.kind !== "trace" || two.a.trace.traceId === a.id) && (b.kind !== "trace" || two.b.trace.traceId === b.id) ? two : null;
  return (
    <>
      <Warnings value={value} />
      <Bar a={a} b={b} value={value} tab={tab} />
      {tab === "graph" ? <CompareGraph nodes={value.nodes} /> : null}
      {tab === "" ? <CompareTree value={value} /> : null}
      {tab === "attrs" && value.of === "sets" ? <CompareFindings value={value.value} /> : null}
      {wantsPair && error ? (
        <section class="pad">
          <ProblemPanel error={error} retry={load} title="The two traces cannot be read" />
        </section>
      ) : wantsPair && !current ? (
        <Waiting>Reading both traces …</Waiting>
      ) : current && wantsPair ? (
        <>
          {value.of === "sets" ? <OfSets /> : null}
          {tab === "falls" ? <CompareFalls key={`${current.a.trace.traceId} ${current.b.trace.traceId}`} pair={current} /> : tab === "attrs" ? <CompareAttributes pair={current} /> : <CompareSpans pair={current} />}
        </>
      ) : null}
    </>
  );
}

/** Two traces stand for their sets: which, and that they do. */
function OfSets() {
  const two = pair.state.value.value;
  if (!two) return null;
  return (
    <div class="banner">
      <div>
        One trace of each set, the newest: <code>{two.a.trace.traceId.slice(0, 8)}…</code> and <code>{two.b.trace.traceId.slice(0, 8)}…</code>
      </div>
      <a href={patched({ a: two.a.trace.traceId, b: two.b.trace.traceId })}>Compare these two</a>
    </div>
  );
}

function Warnings({ value }: { value: Answer }) {
  const list: string[] = [];
  if (value.of === "traces") {
    const { a, b } = value.value;
    if (a.traceId === b.traceId) list.push("A and B are the same trace.");
    else if (!value.value.sameRoot) list.push(`The roots differ: ${a.service} ${a.operation} and ${b.service} ${b.operation}. Most calls will be in one of the two only.`);
    for (const [name, t] of [["A", a], ["B", b]] as const) {
      if (t.orphanCount > 0) list.push(`${name} has ${plural(t.orphanCount, "span")} whose parent is not stored: calls below are at the top of the tree.`);
    }
    if (value.value.duplicates > 0) list.push(`${plural(value.value.duplicates, "span")} came twice and ${value.value.duplicates === 1 ? "counts" : "count"} once.`);
  } else {
    const { a, b, sharedTraces, tree } = value.value;
    for (const [name, s] of [["A", a], ["B", b]] as const) if (s.matchedTraces === 0) list.push(`No trace matches ${name}.`);
    if (rootsDiffer(value.nodes)) list.push("The two sets have no operation at the top in common: most calls will be in one of the two only.");
    if (sharedTraces > 0) list.push(`${plural(sharedTraces, "trace")} ${sharedTraces === 1 ? "is" : "are"} in both sets, and make differences look smaller.`);
    if (value.value.calls.leftOutCalls !== "0") list.push(`${formatCount(value.value.calls.leftOutCalls)} calls of paths beyond 100,000 are not compared.`);
    if (tree && tree.leftOutNodes > 0) list.push(`${plural(tree.leftOutNodes, "path")} with smaller differences are not shown; the export of the API has up to 10,000.`);
  }
  return (
    <>
      {list.map((text) => (
        <div key={text} class="banner" role="note">
          <span aria-hidden="true">▲</span>
          <span>{text}</span>
        </div>
      ))}
    </>
  );
}

/** Names that leave room for all tabs in one line of a narrow screen. */
const SHORT_NAMES: Record<string, string> = { spans: "Spans" };

function Bar({ a, b, value, tab }: { a: Side; b: Side; value: Answer; tab: string }) {
  const [by, align] = [measureOf(), param("align") === "name" ? "name" : "path"];
  const url = value.of === "traces" ? apiUrl("v1/compare/traces", { a: param("a"), b: param("b") }) : apiUrl("v1/compare", setParams(a, b, sampleOf(), limitOf()));
  const pick = (name: string, label: string, chosen: string, options: [string, string][]) => (
    <Select label={label} value={chosen} options={options} choose={(v) => replace(patched({ [name]: v === options[0][0] ? null : v }))} />
  );
  const fields = (
    <>
      {tab === "" || tab === "graph" ? pick("by", "by", by, [["duration", "duration"], ["self", "self time"], ["count", "calls"]]) : null}
      {tab === "" || tab === "graph" ? pick("order", "order", param("order") === "calls" ? "calls" : "delta", [["delta", "greatest difference"], ["calls", "as called"]]) : null}
      {tab === "" ? pick("align", "align", align, [["path", "by path"], ["name", "by name"]]) : null}
      {value.of === "sets" ? pick("traces", "newest", String(sampleOf()), SAMPLES.map((n) => [String(n), `${formatCount(n)} traces`])) : null}
    </>
  );
  const files = (close: () => void) => {
    const option = (text: string, act: () => void) => (
      <button type="button" class="option" onClick={() => { close(); act(); }}>
        {text}
      </button>
    );
    return (
      <div class="chooser">
        {option("JSON, as the API answers", () => exportJson(value))}
        {option("CSV, a line for each call", () => exportCsv(value.nodes))}
        {narrow.value ? option("Copy the curl command", () => void copy(curlOf(url), "curl command")) : null}
      </div>
    );
  };
  return (
    <div class="compare-bar">
      <Tabs
        label="Views of the comparison"
        tabs={narrow.value ? TABS.map(([id, name]) => [id, SHORT_NAMES[id] ?? name] as const) : TABS}
        chosen={tab}
        choose={chooseTab}
      />
      {narrow.value ? (
        <Popover
          label={
            <>
              <span aria-hidden="true">⋯</span>
              <span class="offscreen">How it is shown, and export</span>
            </>
          }
          title="How it is shown, and export"
          class="cmp-more"
        >
          {(close) => (
            <>
              <div class="cmp-fields">{fields}</div>
              {files(close)}
            </>
          )}
        </Popover>
      ) : (
        <>
          <span class="spring" />
          {fields}
          <Popover label={<Icon name="export" />} title="Export" class="right">
            {files}
          </Popover>
          <CopyButton text={() => curlOf(url)} what="curl command" icon="terminal" />
        </>
      )}
    </div>
  );
}
