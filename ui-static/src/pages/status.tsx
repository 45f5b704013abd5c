// SPDX-License-Identifier: Apache-2.0
// Status: what the process takes in, keeps, answers and refuses; how good the data is; what is in force. Read every five seconds.
import { useEffect } from "preact/hooks";
import { apiUrl, getSystem, getSystemHistory } from "../api/client";
import type { SystemAnswer } from "../api/types";
import { curlOf } from "../model/curl";
import { joined, type Sample, sampleOf, samplesOf, unreadSince } from "../model/system";
import { formatClock } from "../model/time";
import { param, patched, replace } from "../route";
import { signal } from "@preact/signals";
import { hint, useActions } from "../state/keys";
import { Loader } from "../state/load";
import { zone } from "../state/prefs";
import { Away } from "../ui/away";
import { CopyButton, ProblemPanel, Tabs, useTitle, Waiting } from "../ui/controls";
import { About, Limits } from "./status-about";
import { Ingest } from "./status-ingest";
import { loadQuality, Quality, quality, qualityParams } from "./status-quality";
import { Queries } from "./status-queries";
import { Storage } from "./status-storage";

const REFRESH_MS = 5000;
const TABS: [string, string][] = [
  ["ingest", "Ingest"],
  ["storage", "Storage"],
  ["query", "Queries"],
  ["quality", "Data quality"],
  ["limits", "Limits"],
  ["about", "About"],
];

const system = new Loader<SystemAnswer>();
/** What the server remembers and what was read since, the oldest first: rates are differences of two. */
const samples = signal<Sample[]>([]);
const paused = signal(false);

async function read(): Promise<void> {
  await system.run((stop) => getSystem(stop));
  const value = system.state.peek().value;
  if (!value || samples.peek().at(-1)?.at === BigInt(value.nowUnixNano)) return;
  const now = sampleOf(value);
  const since = unreadSince(samples.peek(), now);
  samples.value = joined(now, ...samples.peek());
  if (since === null) return;
  // Without it the chart goes on with what this page reads.
  const past = await getSystemHistory(since).then(samplesOf, () => []);
  samples.value = joined(samples.peek().at(-1) ?? now, ...samples.peek(), ...past);
}

export function StatusPage() {
  const [tab, name] = TABS.find(([id]) => id === param("tab")) ?? TABS[0];
  /** Read when somebody asks for it, not every five seconds. */
  const own = tab === "quality";
  useTitle(`${name} · Status`);
  useEffect(() => {
    void read();
    return () => system.stop();
  }, []);
  useEffect(() => {
    if (paused.value) return;
    const timer = window.setInterval(() => {
      if (document.visibilityState === "visible") void read();
    }, REFRESH_MS);
    return () => window.clearInterval(timer);
  }, [paused.value]);
  const toggle = () => {
    paused.value = !paused.peek();
  };
  useActions({
    "status.pause": toggle,
    "all.run": () => (own ? loadQuality() : void read()),
    ...Object.fromEntries(TABS.map(([id], i) => [`status.tab${i + 1}`, () => replace(patched({ tab: id }))])),
  });
  const { value, error } = system.state.value;
  const last = samples.value.at(-1);
  const at = own ? quality.state.value.at : last && Number(last.at / 1_000_000n);
  return (
    <div class="status-page">
      <h1 class="offscreen">Status</h1>
      <div class="status-bar">
        <Tabs label="Parts of the status" tabs={TABS} chosen={tab} choose={(id) => replace(patched({ tab: id }))} />
        <span class="spring" />
        <span class="num dim">{at ? `as of ${formatClock(BigInt(at) * 1_000_000n, zone.value, 0)}` : ""}</span>
        {own ? null : (
          <button type="button" class="button" aria-pressed={paused.value} title={(paused.value ? "Go on" : "Pause") + hint("status.pause")} onClick={toggle}>
            {paused.value ? "Go on" : "Pause"}
          </button>
        )}
        <CopyButton text={() => curlOf(own ? apiUrl("v1/quality", qualityParams()) : apiUrl("v1/system"))} what="curl command" icon="terminal" />
      </div>
      {own ? null : <Away state={system.state.value} retry={() => void read()} />}
      {error && !value ? <ProblemPanel error={error} retry={() => void read()} /> : null}
      <div class={error ? "status-body stale" : "status-body"}>
        {own ? (
          <Quality />
        ) : !value ? (
          error ? null : (
            <Waiting>Reading …</Waiting>
          )
        ) : tab === "ingest" ? (
          <Ingest value={value} samples={samples.value} />
        ) : tab === "storage" ? (
          <Storage value={value} />
        ) : tab === "query" ? (
          <Queries value={value} refresh={() => void read()} />
        ) : tab === "limits" ? (
          <Limits value={value} />
        ) : (
          <About value={value} />
        )}
      </div>
    </div>
  );
}
