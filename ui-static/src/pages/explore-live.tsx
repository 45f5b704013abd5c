// SPDX-License-Identifier: Apache-2.0
// Live: what comes in joins the top of the list, unless somebody reads there; then it waits and is counted.
import { useEffect } from "preact/hooks";
import { pending } from "../api/client";
import { isDue, leftOutText, LIVE_ROWS_MAX, mergeLive, type Refresh } from "../model/live";
import type { TraceSummary } from "../api/types";
import { formatCount, plural } from "../model/text";
import { live, startLive } from "../state/live";
import { answer, askedAnew, cursor, liveQuestion, panelsShown, railOpen, runFacets, runHeat, runList, scrollTop } from "./explore-state";

const LOOK_MS = 1000;

/** Somebody reads the list: it must not move. */
const isRead = (): boolean => scrollTop.current > 0 || cursor.peek() >= 0 || document.querySelector(".results .rows:hover") !== null;

function show(news: TraceSummary[]): boolean {
  const { value, loading, error } = answer.state.peek();
  if (loading) return false;
  if (error) runList(true); // the list has not seen that the server is back
  if (!value) return false;
  const { traces, added } = mergeLive(value.traces, news);
  const now = live.peek();
  const complete = value.complete && !(now && leftOutText(now));
  answer.set({ ...value, traces, complete, matchedTraces: value.matchedTraces + added });
  return true;
}

/** What stands above and beside the list follows it, unless nobody looks or the server is away. */
function refresh(last: Refresh): Refresh {
  const now = live.peek();
  if (document.hidden || !now?.connected || pending.peek() > 0 || !isDue(last, performance.now(), now.came, now.more)) return last;
  askedAnew.value++;
  if (panelsShown()) runHeat(true);
  if (railOpen()) runFacets(true);
  return { beganMs: performance.now(), endedMs: null, came: now.came };
}

export function LiveLine() {
  const params = liveQuestion();
  useEffect(() => startLive(params, (news) => !isRead() && show(news)), [JSON.stringify(params)]);
  useEffect(() => {
    let last: Refresh = { beganMs: performance.now(), endedMs: performance.now(), came: 0 };
    const timer = window.setInterval(() => {
      last = refresh(last);
    }, LOOK_MS);
    const end = pending.subscribe((requests) => {
      if (requests === 0) last.endedMs ??= performance.now();
    });
    return () => {
      window.clearInterval(timer);
      end();
    };
  }, []);
  const now = live.value;
  if (!now) return null;
  const count = now.waiting.length;
  const leftOut = leftOutText(now);
  return (
    <div class="live-line">
      <span role="status">
        <span class={now.connected ? "live-dot" : "live-dot lost"} aria-hidden="true" />
        {now.connected ? "Live" : "Live is interrupted: trying again"}
        {now.connected && leftOut ? <span class="dim"> · {leftOut}</span> : null}
      </span>
      {count > 0 ? (
        <button
          type="button"
          class="button small"
          onClick={() => {
            cursor.value = -1;
            document.querySelector(".results .virtual")?.scrollTo({ top: 0 });
            if (show(now.waiting)) now.shown();
          }}
        >
          Show {count >= LIVE_ROWS_MAX ? `the newest ${formatCount(count)}` : plural(count, "new trace")}
        </button>
      ) : null}
    </div>
  );
}
