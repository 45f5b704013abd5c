// SPDX-License-Identifier: Apache-2.0
// The tools of the map: find, focus and hops, what is shown of it and how, and its files.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { BEFORE } from "../model/change";
import { type Graph, HOPS_MAX, MEASURES, TOP, type View } from "../model/graph";
import { curlOf } from "../model/curl";
import { go, param, patched, replace } from "../route";
import { hint } from "../state/keys";
import { CopyButton, Popover, Select } from "../ui/controls";
import { Icon } from "../ui/icons";
import { apiOf, GROUPS, look, LOOKS, type MapParts, measure, withLinks } from "./map-state";

/** Counts up when a key opens the menu. */
export const exportOpened = signal(0);

interface Props extends MapParts {
  setFocus: (service: string) => void;
}

export function MapTools(props: Props) {
  const { graph, wanted, setFocus } = props;
  const [open, setOpen] = useState(false);
  const own = look();
  return (
    <>
      <div class="map-tools">
        <FindService graph={graph} setFocus={setFocus} />
        {wanted.name ? <Chip text={`name contains: ${wanted.name}`} close={patched({ q: null })} label="All names" /> : null}
        {wanted.focus ? <Focus wanted={wanted} /> : null}
        <span class="spring" />
        <span class="narrow-only">
          <button type="button" class="button" aria-expanded={open} aria-controls="map-filters" onClick={() => setOpen(!open)}>
            <Icon name="filter" />
            Show
          </button>
        </span>
        <span class="button-group" role="group" aria-label="View">
          {LOOKS.map(([id, name]) => (
            <button key={id} type="button" class="button toggle" aria-pressed={own === id} title={`${name}; the next view${hint("map.view")}`} onClick={() => go(patched({ view: id === "layered" ? null : id }))}>
              {name}
            </button>
          ))}
        </span>
        <Popover
          label={
            <>
              <Icon name="export" />
              <span class="wide-only">Export</span>
            </>
          }
          title={`Export the graph${hint("map.export")}`}
          class="right"
          opened={exportOpened.value}
        >
          {(close) => <LazyExport {...props} close={close} />}
        </Popover>
        <CopyButton text={() => curlOf(apiOf())} what="curl command" icon="terminal" />
      </div>
      <div class={open ? "map-tools map-filters open" : "map-tools map-filters"} id="map-filters">
        <Filters wanted={wanted} />
      </div>
    </>
  );
}

/** What is in the menu is loaded with it. */
const menu = signal<typeof import("./map-more") | null>(null);

function LazyExport(props: Props & { close: () => void }) {
  if (!menu.value) {
    void import("./map-more").then((m) => {
      menu.value = m;
    });
    return <p class="dim pad">…</p>;
  }
  const { ExportMenu } = menu.value;
  return <ExportMenu {...props} />;
}

function Chip({ text, close, label }: { text: string; close: string; label: string }) {
  return (
    <span class="chip" aria-current="true">
      <span class="clip">{text}</span>
      <a class="chip-close" href={close} aria-label={label}>
        <Icon name="close" />
      </a>
    </span>
  );
}

const DIRECTIONS = [
  ["both", "callers and callees"],
  ["up", "↑ callers"],
  ["down", "↓ callees"],
] as const;

function Focus({ wanted }: { wanted: View }) {
  const hops = Array.from({ length: HOPS_MAX }, (_, i): [string, string] => [String(i + 1), String(i + 1)]);
  return (
    <>
      <Chip text={`focus: ${wanted.focus}`} close={patched({ focus: null, hops: null, dir: null })} label="Remove the focus" />
      <Select label="hops" value={String(wanted.hops)} options={hops} choose={(v) => go(patched({ hops: v === "1" ? null : v }))} />
      <Select label={<span class="offscreen">direction</span>} value={wanted.dir} options={DIRECTIONS} choose={(v) => go(patched({ dir: v === "both" ? null : v }))} />
    </>
  );
}

const MEASURE_NAMES: Record<string, string> = { rate: "rate", err: "errors", p50: "p50", p95: "p95", p99: "p99" };

/** A choice of the address that is none of those that are offered is offered, too. */
const withOwn = (list: [string, string][], value: string, text: string): [string, string][] => (list.some(([id]) => id === value) ? list : [...list, [value, text]]);

function Filters({ wanted }: { wanted: View }) {
  const [vs, group, top, min] = [param("vs"), param("group"), String(wanted.top), param("min")];
  const set = (name: string, none: string) => (value: string) => go(patched({ [name]: value === none ? null : value, all: null }));
  return (
    <>
      {look() === "table" ? null : (
        <Select label="edges by" value={measure()} options={MEASURES.map((m) => [m, MEASURE_NAMES[m]] as const)} choose={(v) => replace(patched({ edge: v === "rate" ? null : v }))} />
      )}
      <Select label="compare with" value={vs} options={withOwn(BEFORE, vs, vs)} choose={set("vs", "")} />
      <Select label="top" value={top} options={withOwn([["0", look() === "matrix" || look() === "table" ? "all" : `readable (${TOP})`], ["25", "25"], ["50", "50"], ["100", "100"], ["500", "500"]], top, top)} choose={set("top", "0")} />
      <Select label="edges from" value={min} options={withOwn([["", "any share"], ["0.01", "≥ 0.01 % of calls"], ["0.1", "≥ 0.1 % of calls"], ["1", "≥ 1 % of calls"], ["5", "≥ 5 % of calls"]], min, `≥ ${min} %`)} choose={set("min", "")} />
      <Select label="group by" value={group} options={withOwn([["", "nothing"], ...GROUPS.map((g): [string, string] => [g, g])], group, group)} choose={set("group", "")} />
      <button type="button" class="button toggle" aria-pressed={wanted.onlyErrors} onClick={() => go(patched({ only: wanted.onlyErrors ? null : "errors" }))}>
        Only errors
      </button>
      <button type="button" class="button toggle" aria-pressed={param("at") !== ""} title="The graph step by step over the range" onClick={() => replace(patched({ at: param("at") === "" ? "0" : null }))}>
        <Icon name="clock" />
        Replay
      </button>
      <button type="button" class="button toggle" aria-pressed={withLinks()} aria-label="Links across traces" title="Links across traces: also from producers to consumers that have a trace of their own and link to them: reads their traces" onClick={() => go(patched({ links: withLinks() ? null : "1" }))}>
        Links
      </button>
    </>
  );
}

function FindService({ graph, setFocus }: { graph: Graph; setFocus: (service: string) => void }) {
  const find = (input: HTMLInputElement, entered: boolean) => {
    const name = input.value.trim();
    const known = graph.nodes.has(name);
    if (!known && !(entered && name)) return;
    input.value = "";
    if (known) setFocus(name);
    else go(patched({ q: name }));
  };
  return (
    <span class="find">
      <Icon name="search" />
      <input
        id="map-find"
        list="map-services"
        placeholder="Find service"
        aria-label="Find a service and put it in focus; Enter on a part of a name shows all that have it"
        autocomplete="off"
        onChange={(event) => find(event.currentTarget, false)}
        onKeyDown={(event) => event.key === "Enter" && find(event.currentTarget, true)}
      />
      <datalist id="map-services">
        {[...graph.nodes.keys()].sort().map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </span>
  );
}
