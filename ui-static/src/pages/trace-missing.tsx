// SPDX-License-Identifier: Apache-2.0
// When there is no trace to show: what was looked for and where, what is kept, and ids that are near the one that was asked for.
import { useEffect, useState } from "preact/hooks";
import { type ApiError, getSystem, search } from "../api/client";
import type { SystemAnswer } from "../api/types";
import { formatBytes, plural } from "../model/text";
import { formatAge, formatDuration, formatMilli, parseTime } from "../model/time";
import { href, param, patched } from "../route";
import { zone } from "../state/prefs";
import { bringFile } from "../state/opening";
import { nowNs } from "../state/range";
import { ProblemPanel } from "../ui/controls";

export interface MissingProps {
  error: ApiError;
  id: string;
  retry: () => void;
  served: boolean;
}

export function Missing({ error, id, retry, served }: MissingProps) {
  const notStored = error.problem.status === 404;
  return (
    <section class="empty">
      <h1>{notStored ? "No such trace" : "The trace cannot be shown"}</h1>
      <ProblemPanel error={error} retry={retry} title={notStored ? "" : undefined}>
        {notStored && served ? <Sought id={id} /> : null}
      </ProblemPanel>
      {notStored && served ? <NotStored id={id} /> : null}
      <p>
        <button type="button" class="link" onClick={() => bringFile()}>
          Open a file of traces
        </button>{" "}
        instead, or drop one here.
      </p>
    </section>
  );
}

function Sought({ id }: { id: string }) {
  const short = shortOf(id);
  return (
    <p>
      No span of trace <code>{id}</code> is stored.
      {short ? (
        <>
          {" "}
          That is the same trace as <code>{short}</code>: older systems leave out the first half, which is zero.
        </>
      ) : null}
    </p>
  );
}

/** A 16-digit id is a 128-bit one whose upper half is zero: the store has one of the two, and finds it by both. "": this is none. */
const shortOf = (id: string) => (/^0{16}/.test(id) ? id.slice(16) : "");

function NotStored({ id }: { id: string }) {
  const short = shortOf(id);
  const [store, setStore] = useState<SystemAnswer["store"] | null>(null);
  useEffect(() => {
    const stopper = new AbortController();
    getSystem(stopper.signal).then((system) => setStore(system.store), () => undefined);
    return () => stopper.abort();
  }, [id]);
  const hint = parseTime(param("at"), nowNs());
  return (
    <>
      {store ? <Kept store={store} hint={hint} /> : null}
      {short ? <Found q={`{ span:id = "${short}" }`} at={{}} some={`Traces with a span that has the id ${short}:`} none={`No stored span has the id ${short}.`} span={short} /> : null}
      <Near id={id} short={short} hint={hint} />
    </>
  );
}

/** What is kept, and what that says of a trace of the time that the link names. */
function Kept({ store, hint }: { store: SystemAnswer["store"]; hint: bigint | null }) {
  const { spanCount, traceCount, oldestUnixNano, newestUnixNano, retentionAgeNano, retentionBytes } = store;
  if (oldestUnixNano === null || newestUnixNano === null) return <p>Nothing is stored yet.</p>;
  const time = (ns: bigint) => <span class="num">{formatMilli(ns, zone.value)}</span>;
  const [oldest, newest] = [BigInt(oldestUnixNano), BigInt(newestUnixNano)];
  const rules = [retentionAgeNano === "0" ? "" : `for ${formatDuration(Number(retentionAgeNano))}`, retentionBytes === "0" ? "" : `up to ${formatBytes(retentionBytes)} on disk, the oldest go first`].filter((r) => r !== "");
  return (
    <>
      <p>
        {plural(spanCount, "span")} of {plural(traceCount, "trace")} are stored, that started from {time(oldest)} to {time(newest)}. They are kept {rules.length > 0 ? rules.join(", ") : "without a limit of age or size"}.
      </p>
      {hint !== null ? (
        <p>
          The link says that the trace is of {time(hint)} ({formatAge(hint, nowNs())}).{" "}
          {hint < oldest
            ? "That is before the oldest span that is stored: its time to be kept is over."
            : hint > newest
              ? "That is after the newest span that is stored: it may still come, or goes to another server."
              : "Spans of that time are stored, so this trace was not received, or its spans were removed since."}{" "}
          The time is a hint: all that is stored was searched. <a href={patched({ at: null })}>Try without the time hint</a>
        </p>
      ) : null}
    </>
  );
}

const PREFIX = 8;
/** Around the time of the link, in nanoseconds. */
const AROUND_NS = 3600n * 1000000000n;
const SHOWN = 10;

interface FoundProps {
  q: string;
  /** Where it is looked for at once; null: when the button is pressed. */
  at: { from?: string; to?: string } | null;
  some: string;
  none: string;
  /** Looks at any time. */
  button?: string;
  /** The span that a link leads to. */
  span?: string;
}

function Found({ q, at, some, none, button, span }: FoundProps) {
  const [found, setFound] = useState<{ id: string; name: string }[] | "failed" | null>(null);
  const look = (within: { from?: string; to?: string }, stop?: AbortSignal) =>
    search({ q, limit: SHOWN, ...within }, null, stop).then(
      (answer) => setFound(answer.traces.map((t) => ({ id: t.traceId, name: `${t.rootServiceName} ${t.rootTraceName}` }))),
      () => stop?.aborted || setFound("failed"),
    );
  useEffect(() => {
    const stopper = new AbortController();
    if (at) void look(at, stopper.signal);
    return () => stopper.abort();
  }, [q, at?.from]);
  return (
    <>
      {found === null ? null : <p role="status">{found === "failed" ? "What is near could not be looked for." : found.length === 0 ? none : some}</p>}
      {Array.isArray(found) && found.length > 0 ? (
        <ul class="ways">
          {found.map((t) => (
            <li key={t.id}>
              <a class="mono" href={href("trace", { id: t.id, span })}>
                {t.id}
              </a>{" "}
              {t.name}
            </li>
          ))}
        </ul>
      ) : null}
      {button && (found === null || (at && found !== "failed")) ? (
        <p class="row">
          <button type="button" class="button" onClick={() => void look({})}>
            {button}
          </button>
        </p>
      ) : null}
    </>
  );
}

/** Ids that begin alike: a copy that lost its end, or a digit. With a time they are looked for around it, at once; without, on demand, since that
 * looks at every trace. */
function Near({ id, short, hint }: { id: string; short: string; hint: bigint | null }) {
  if (!/^[0-9a-f]{32}$/.test(id)) return null;
  const range = hint === null ? null : { from: String(hint > AROUND_NS ? hint - AROUND_NS : 1n), to: String(hint + AROUND_NS) };
  const around = range ? " an hour before and after that time" : "";
  // Of a short id the first half says nothing.
  const begin = (short || id).slice(0, PREFIX);
  return (
    <>
      <Found q={`{ trace:id =~ "${short ? "0{16}" : ""}${begin}.*" }`} at={range} some={`Ids that begin with ${begin}${around}:`} none={`No stored trace id begins with ${begin}${around}.`} button={`Look for ids that begin with ${begin}${range ? "" : " at any time"}`} />
      {range ? (
        <p class="row">
          <a href={href("explore", range)}>Traces around that time</a>
        </p>
      ) : null}
    </>
  );
}
