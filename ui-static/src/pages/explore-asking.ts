// SPDX-License-Identifier: Apache-2.0
// What the parts of Explore that are loaded on demand have in common: they ask for themselves.
import { useEffect } from "preact/hooks";
import type { ApiError } from "../api/client";
import { isPassing, type Loader } from "../state/load";
import { askedAnew, isAway, isLive, isNew } from "./explore-state";

interface Asked<T> {
  value: T | null;
  /** Another answer is on its way. Live changes in place instead. */
  busy: boolean;
  /** Null also when the server is away: the page says so once, above all of them. */
  error: ApiError | null;
  run: () => void;
}

/** Asks when the question is another one, or when everything is asked anew; not when somebody comes back to the same question. */
export function useAsked<T>(loader: Loader<T>, question: unknown, ask: (stop: AbortSignal) => Promise<T>): Asked<T> {
  const run = () => void loader.run(ask);
  const key = [question, askedAnew.value];
  useEffect(() => {
    if (isNew(loader, key, false)) run();
  }, [JSON.stringify(key)]);
  const { value, error, loading } = loader.state.value;
  return { value, busy: loading && value !== null && !isLive(), error: error && isPassing(error) && (value || isAway()) ? null : error, run };
}
