// SPDX-License-Identifier: Apache-2.0
// A search that takes long, or ended before everything was looked at: how far it is, Stop, and Extend, which goes on whenever its time is over, until all
// is looked at. Loaded when there is one, and so is what is said when nothing matches.
import { isStopped, searchLines } from "../api/client";
import type { SearchAnswer } from "../api/types";
import { joined, progressText } from "../model/going-on";
import { goesOn, SearchLines, shareOf } from "../model/lines";
import { formatCount, plural } from "../model/text";
import { patched } from "../route";
import { hint } from "../state/keys";
import { asApiError } from "../state/load";
import { clear, extended, running, share, stopSearch } from "../state/searching";
import { answer, order, question, runList } from "./explore-state";
export { NoMatch } from "./nomatch";

/** Traces that one Extend adds at most: a query that matches everything would fill the browser. */
const TRACES_MAX = 1000;

/** The next page of a search whose time was over, told as it comes. */
async function nextPage(found: SearchAnswer, stop: AbortSignal): Promise<SearchAnswer> {
  const lines = new SearchLines();
  const by = found.order || order();
  share.value = null;
  running.value = { progress: null, kept: () => found };
  const tell = () => {
    const p = lines.progress;
    if (!p) return;
    share.value = Math.max(share.peek() ?? 0, shareOf(p));
    running.value = {
      progress: { ...p, scanned: { ...p.scanned, bytes: String(BigInt(found.scanned.bytes) + BigInt(p.scanned.bytes)) }, matchedTraces: found.traces.length + p.matchedTraces, elapsedMs: found.tookMs + p.elapsedMs },
      kept: () => joined(found, lines.partial(by), by),
    };
  };
  return joined(found, await searchLines({ ...question(), cursor: found.cursor }, lines, stop, tell), by);
}

/** Follows the cursor until everything is looked at; what fails on the way takes nothing of what was found. */
export async function goOn(found: SearchAnswer, stop: AbortSignal, pages = Number.POSITIVE_INFINITY): Promise<SearchAnswer> {
  let all: SearchAnswer = { ...found, failed: undefined };
  const most = found.traces.length + TRACES_MAX;
  for (let page = 0; page < pages && goesOn(all) && all.traces.length < most; page++) {
    try {
      if (page > 0) answer.partly(all);
      all = await nextPage(all, stop);
    } catch (error) {
      if (isStopped(error)) throw error;
      return { ...all, failed: asApiError(error).problem };
    }
  }
  return all;
}

/** Goes on from the list that is shown. pages: 1 for one more time of a query. */
export async function extend(pages?: number): Promise<void> {
  const found = answer.state.peek().value;
  if (!found) return;
  await answer.run(async (stop) => {
    extended.value = true;
    try {
      return await goOn({ ...found, stopped: undefined }, stop, pages);
    } finally {
      if (!stop.aborted) clear();
    }
  });
}

export function LongSearch() {
  const progress = running.value?.progress;
  // Read out ten times at most.
  const tenths = Math.floor(10 * (share.value ?? 0));
  return (
    <span class="row tight">
      <span aria-hidden="true">{progress ? progressText(progress) : "searching …"}</span>
      <span class="offscreen" role="status">
        Searching, {10 * tenths} % done
      </span>
      <button type="button" class="button small" title={`End the search and keep what it has found${hint("all.escape")}`} onClick={() => stopSearch(answer)}>
        Stop
      </button>
      <button
        type="button"
        class="button toggle small"
        aria-pressed={extended.value}
        title="Go on when the time of a query is over, until everything is looked at"
        onClick={() => {
          extended.value = !extended.peek();
        }}
      >
        Extend
      </button>
    </span>
  );
}

export function EndedEarly({ value }: { value: SearchAnswer }) {
  const { stopped, failed, cursor } = value;
  const sorted = value.order !== "-start";
  return (
    <p class="banner" role="status">
      <span aria-hidden="true">▲</span>{" "}
      {failed ? `The search could not go on: ${failed.detail ?? failed.title}. What it had found is below. ` : ""}
      {stopped ? <Stopped stopped={stopped} sorted={sorted} /> : failed ? "" : `The search stopped when its time was over: there may be more${sorted ? ", and better ones" : ""}. `}
      {cursor ? (
        <button type="button" class="button small" title="Go on where it stopped, until everything is looked at" onClick={() => void extend()}>
          Extend
        </button>
      ) : stopped ? null : (
        "A narrower time range sees all. "
      )}
      {stopped || failed || !cursor ? (
        <button type="button" class="button small" onClick={() => runList(true)}>
          Search again
        </button>
      ) : null}
      {stopped && sorted ? (
        <a class="button small" href={patched({ sort: null, order: null })}>
          Newest first
        </a>
      ) : null}
    </p>
  );
}

function Stopped({ stopped, sorted }: { stopped: { passedRows: string; totalRows: string }; sorted: boolean }) {
  const { passedRows, totalRows } = stopped;
  return (
    <>
      You stopped this search{totalRows === "0" ? "" : ` after ${formatCount(passedRows)} of ${plural(totalRows, "span")}`}.{" "}
      {sorted ? "In this order nothing is certain before all is read; newest first shows what it finds at once." : "These are the newest of what it found."}{" "}
    </>
  );
}
