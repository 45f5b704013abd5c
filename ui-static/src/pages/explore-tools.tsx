// SPDX-License-Identifier: Apache-2.0
// What the list is of and how it is shown: traces or spans, grouped or not, which columns; and ways to take it along.
import { apiUrl } from "../api/client";
import type { SearchAnswer } from "../api/types";
import type { ActionId } from "../model/actions";
import { curlOf, shellQuote } from "../model/curl";
import { attributeOf, type ColumnId, columnIds, columnsOf, type ListRow, toCsv } from "../model/list";
import { plural } from "../model/text";
import { toRfc3339 } from "../model/time";
import { go, param, patched, replace } from "../route";
import { hint } from "../state/keys";
import { savedColumns } from "../state/prefs";
import { copy, saveFile, say } from "../state/say";
import { Popover } from "../ui/controls";
import { Icon } from "../ui/icons";
import { KeyChooser } from "../ui/key-chooser";
import { shortName } from "./explore-chips";
import { columnFields, columnsText, FIXED_KEYS, fixedFacets, inSpans, listQuery, panelsShown, question, rowsOf, tellingFacets, viewOf, VIEWS } from "./explore-state";

export function ListTools({ value }: { value: SearchAnswer | null }) {
  const spans = inSpans();
  const group = param("group");
  const mode = (name: string, on: boolean, patch: Record<string, string | null>) => (
    <button type="button" class="button toggle small" aria-pressed={on} title={`List ${name.toLowerCase()}${hint("explore.mode")}`} onClick={() => go(patched(patch))}>
      {name}
    </button>
  );
  return (
    <div class="list-tools">
      <span class="button-group views" role="group" aria-label="View">
        {VIEWS.map(([id, name], i) => (
          <button
            key={id}
            type="button"
            class="button toggle small"
            aria-pressed={panelsShown() && viewOf() === id}
            title={`${name}${hint(`explore.view${i + 1}` as ActionId)}`}
            onClick={() => go(patched({ view: id, panels: null }))}
          >
            {name}
          </button>
        ))}
      </span>
      <span class="button-group" role="group" aria-label="List of">
        {mode("Traces", !spans && !group, { mode: null, group: null, gsort: null })}
        {mode("Spans", spans && !group, { mode: "spans", group: null, gsort: null })}
      </span>
      <Popover label={<>Group{group ? `: ${shortName(group)}` : " by"}</>} title="Group by a field" class={group ? "right small chosen" : "right small"}>
        {(close) => <GroupPanel group={group} close={close} />}
      </Popover>
      {group ? null : (
        <Popover label="Columns" title="Columns of the list" class="right small">
          {() => <ColumnPanel spans={spans} />}
        </Popover>
      )}
      <Popover label={<Icon name="export" />} title="Export the list" class="right small">
        {(close) => <ExportPanel value={value} close={close} />}
      </Popover>
    </div>
  );
}

function GroupPanel({ group, close }: { group: string; close: () => void }) {
  const choose = (key: string | null) => {
    close();
    go(patched({ group: key, gsort: null }));
  };
  const telling = tellingFacets.state.value.value?.facets.map((f) => f.key) ?? [];
  const keys = [...new Set([...FIXED_KEYS, ...(fixedFacets.state.value.value?.facets.map((f) => f.key) ?? []), ...telling])].filter((k) => k !== "service");
  return (
    <div class="chooser">
      {group ? (
        <button type="button" class="option" onClick={() => choose(null)}>
          No groups
        </button>
      ) : null}
      {keys.map((k) => (
        <button key={k} type="button" class="option" aria-pressed={k === group} onClick={() => choose(k)}>
          {shortName(k)}
        </button>
      ))}
      <p class="chooser-head">Another attribute</p>
      <KeyChooser choose={choose} />
    </div>
  );
}

/** Of columns whose heads say more than their names. */
const LONG_NAMES: Partial<Record<ColumnId, string>> = { trace: "root service / operation", span: "service / operation", root: "in trace", why: "why matched" };

function ColumnPanel({ spans }: { spans: boolean }) {
  const shown = columnsOf(columnsText(), spans, true);
  const fields = columnFields();
  const put = (columns: ColumnId[], attributes: string[]) => {
    const usual = columns.length === columnIds(spans).length && attributes.length === 0;
    replace(patched({ cols: usual ? null : [...columns, ...attributes].join(",") }));
  };
  const saved = spans ? savedColumns.spans : savedColumns.traces;
  return (
    <div class="chooser">
      {columnIds(spans).map((c) => (
        <label key={c} class="option">
          <input
            type="checkbox"
            checked={shown.includes(c)}
            disabled={shown.length === 1 && shown[0] === c}
            onChange={() => put(columnIds(spans).filter((x) => (x === c ? !shown.includes(c) : shown.includes(x))), fields)}
          />{" "}
          {LONG_NAMES[c] ?? c}
        </label>
      ))}
      {fields.map((f) => (
        <label key={f} class="option">
          <input type="checkbox" checked onChange={() => put(shown, fields.filter((x) => x !== f))} /> <span class="mono">{f}</span>
        </label>
      ))}
      <p class="chooser-head">Add an attribute</p>
      <KeyChooser choose={(key) => put(shown, [...new Set([...fields, key])])} />
      <p class="row">
        <button
          type="button"
          class="button small"
          onClick={() => {
            saved.value = columnsText();
            say("These columns are now the usual ones in this browser");
          }}
        >
          Keep for me
        </button>
        <button
          type="button"
          class="button small"
          onClick={() => {
            saved.value = "";
            replace(patched({ cols: null }));
          }}
        >
          Reset
        </button>
      </p>
    </div>
  );
}

function ExportPanel({ value, close }: { value: SearchAnswer | null; close: () => void }) {
  const { q, from, to } = listQuery();
  const cli = ["spoor search", shellQuote(q || "{ }"), ...(from ? [`--from ${shellQuote(from)}`] : []), ...(to ? [`--to ${shellQuote(to)}`] : [])].join(" ");
  const curl = curlOf(apiUrl("v1/search", { ...question(), limit: 1000 }));
  const { rows } = rowsOf(value);
  const item = (name: string, run: () => void) => (
    <button
      type="button"
      class="option"
      disabled={rows.length === 0}
      onClick={() => {
        close();
        run();
      }}
    >
      {name}
    </button>
  );
  return (
    <div class="chooser">
      <p class="chooser-head">Loaded: {plural(rows.length, "row")}</p>
      {item("CSV", () => saveFile("spoor-search.csv", "text/csv", csvOf(rows)))}
      {item("JSON", () => saveFile("spoor-search.json", "application/json", JSON.stringify({ query: q, from, to, complete: value?.complete, traces: value?.traces }, null, 1)))}
      <p class="chooser-head">All of them</p>
      {item("Copy curl, 1,000 a page", () => void copy(curl, "curl command"))}
      {item("Copy spoor search", () => void copy(cli, "command"))}
    </div>
  );
}

function csvOf(rows: ListRow[]): string {
  const fields = columnFields();
  const spans = inSpans();
  const head = spans ? ["traceId", "spanId", "start", "duration_ns", "service", "name", "kind", "status"] : ["traceId", "start", "duration_ns", "rootService", "rootName", "spans", "errors", "matchedSpans"];
  return toCsv([
    [...head, ...fields],
    ...rows.map((r) => {
      const { trace, span } = r;
      const attributes = fields.map((f) => attributeOf(r, f) ?? "");
      if (spans && span) return [trace.traceId, span.spanId, toRfc3339(r.start), r.duration, span.serviceName, span.name, span.kind, span.status, ...attributes];
      return [trace.traceId, toRfc3339(r.start), r.duration, trace.rootServiceName, trace.rootTraceName, trace.spanCount, trace.errorCount, trace.matchedSpanCount, ...attributes];
    }),
  ]);
}
