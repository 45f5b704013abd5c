// SPDX-License-Identifier: Apache-2.0
// What is looked for in a trace: the find box, the pills for errors and slow spans, services that are hidden. Words are found here, at
// once; conditions are evaluated by the server, those on a file by its worker; slow is what few spans of the same operation were.
import { useEffect, useMemo, useState } from "preact/hooks";
import { type ApiError, getRanks, isStopped } from "../api/client";
import type { Rank } from "../api/trace-types";
import { allOf, asQuery, eitherOf, type Found, findSpans } from "../model/find";
import { ERROR, type Skeleton } from "../model/skeleton";
import { param } from "../route";
import { asApiError } from "../state/load";
import { enough, rankWindow, type TraceSource } from "../state/source";
import { SLOW } from "../views/waterfall-row";

export interface Matches {
  /** Null: nothing is looked for. */
  found: Found | null;
  /** Nothing but these is shown; null: everything is. */
  keep: Uint8Array | null;
  hiddenServices: string[];
  waiting: boolean;
  /** Words are looked for, no condition. */
  words: boolean;
  /** They were looked for in names only. */
  namesOnly: boolean;
  problem: ApiError | null;
}

interface Asked {
  key: string;
  mask: Uint8Array | null;
  problem: ApiError | null;
}

/** A mask that the server computes; an older question is forgotten. */
function useAsked(key: string, question: ((stop: AbortSignal) => Promise<Uint8Array>) | null): Asked {
  const [asked, setAsked] = useState<Asked>({ key: "", mask: null, problem: null });
  useEffect(() => {
    if (!question) return;
    const stopper = new AbortController();
    const timer = window.setTimeout(() => {
      question(stopper.signal).then(
        (mask) => setAsked({ key, mask, problem: null }),
        (error) => isStopped(error) || setAsked({ key, mask: null, problem: asApiError(error) }),
      );
    }, TYPING_MS);
    return () => {
      window.clearTimeout(timer);
      stopper.abort();
    };
  }, [key]);
  return question && asked.key === key ? asked : { key, mask: null, problem: null };
}

const TYPING_MS = 120;

export const hiddenServices = (): string[] =>
  param("svc")
    .split(",")
    .filter((part) => part.startsWith("-"))
    .map((part) => part.slice(1));

export function useMatches(s: Skeleton, source: TraceSource, adjusted: boolean, learnt: (ranks: Rank[]) => void): Matches {
  const text = param("find");
  const query = asQuery(text);
  const errors = param("err") === "1";
  const slow = param("slow") === "1" && source.served;
  const only = param("only") === "1";
  const hidden = param("svc");
  const words = useMemo(() => (query === null ? findSpans(s, text) : null), [s, text]);
  const conditions = useAsked(query === null ? "" : `${source.id} ${query}`, query !== null ? (stop) => source.match(query, s.count, adjusted, stop) : null);
  const inValues = words !== null && param("values") === "1";
  const valued = useAsked(inValues ? `${source.id} values ${text}` : "", inValues ? (stop) => source.values(text.trim().replace(/^"|"$/g, ""), s.count, adjusted, stop) : null);
  const named = useMemo(() => (words && valued.mask ? eitherOf(words.mask, valued.mask) : words), [words, valued.mask]);
  const ranked = useAsked(slow ? `${source.id} slow` : "", slow
    ? async (stop) => {
        const ranks = (await getRanks(source.id, "", adjusted, rankWindow(s), stop)).rows.filter(enough);
        learnt(ranks);
        const mask = new Uint8Array(s.count);
        for (const rank of ranks) if (rank.row < s.count && rank.shorter >= SLOW) mask[rank.row] = 1;
        return mask;
      }
    : null);
  const failed = useMemo(() => (errors ? Uint8Array.from(s.flags, (f) => f & ERROR) : null), [s, errors]);
  // Words alone are counted already, and rows are many.
  const more = conditions.mask ?? ranked.mask ?? failed;
  const found = useMemo(() => (more ? allOf([named?.mask ?? null, conditions.mask, ranked.mask, failed], s.count) : named), [named, conditions.mask, ranked.mask, failed]);
  const keep = useMemo(() => keepOf(s, only ? (found?.mask ?? null) : null, hiddenServices()), [s, found, only, hidden]);
  return {
    found,
    keep,
    hiddenServices: hiddenServices(),
    waiting: (query !== null && !conditions.mask && !conditions.problem) || (inValues && !valued.mask && !valued.problem) || (slow && !ranked.mask && !ranked.problem),
    words: words !== null,
    namesOnly: words !== null && !valued.mask,
    problem: conditions.problem ?? valued.problem ?? ranked.problem,
  };
}

function keepOf(s: Skeleton, only: Uint8Array | null, hidden: string[]): Uint8Array | null {
  if (hidden.length === 0) return only;
  const gone = s.services.map((x) => hidden.includes(x.name));
  return Uint8Array.from({ length: s.count }, (_, row) => ((only === null || only[row]) && !gone[s.service[row]] ? 1 : 0));
}
