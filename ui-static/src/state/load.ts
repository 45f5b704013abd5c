// SPDX-License-Identifier: Apache-2.0
// A value that comes from the API: loading, there, or a problem; a newer request stops the older one.
import { type Signal, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ApiError, isStopped } from "../api/client";
import { say } from "./say";

export interface Loaded<T> {
  value: T | null;
  loading: boolean;
  error: ApiError | null;
  /** When the value came: milliseconds. */
  at?: number;
}

export class Loader<T> {
  readonly state: Signal<Loaded<T>> = signal({ value: null, loading: false, error: null });
  #stopper: AbortController | null = null;

  /** Keeps the old value on the screen until the new one is there. */
  async run(ask: (stop: AbortSignal) => Promise<T>): Promise<void> {
    this.#stopper?.abort();
    const stopper = new AbortController();
    this.#stopper = stopper;
    this.state.value = { ...this.state.peek(), loading: true };
    try {
      const value = await ask(stopper.signal);
      if (this.#stopper === stopper) this.set(value);
    } catch (error) {
      if (isStopped(error) || this.#stopper !== stopper) return;
      const problem = asApiError(error);
      // A server that does not answer takes nothing away: what it said before stays on the screen.
      this.state.value = { ...this.state.peek(), ...(isPassing(problem) ? {} : { value: null }), loading: false, error: problem };
    }
  }

  /** Shows what there is of an answer that is still coming. */
  partly(value: T): void {
    this.state.value = { value, loading: true, error: null, at: Date.now() };
  }

  set(value: T): void {
    this.state.value = { value, loading: false, error: null, at: Date.now() };
  }

  stop(): void {
    this.#stopper?.abort();
    this.#stopper = null;
    this.state.value = { ...this.state.peek(), loading: false };
  }
}

/** No answer, or "try again later": it may be well in a moment. */
export const isPassing = (error: ApiError): boolean => error.problem.status === 0 || error.problem.status === 503;

const RETRY_FIRST_MS = 2000;
const RETRY_MOST_MS = 30000;

/** Asks again by itself after an error that may pass, each time later. */
export function useRetry(error: ApiError | null, run: () => void): void {
  const delay = useRef(RETRY_FIRST_MS);
  useEffect(() => {
    if (!error || !isPassing(error)) {
      delay.current = RETRY_FIRST_MS;
      return;
    }
    const timer = window.setTimeout(() => {
      delay.current = Math.min(RETRY_MOST_MS, delay.current * 2);
      run();
    }, delay.current);
    return () => window.clearTimeout(timer);
  }, [error]);
}

/** For a moment: of what was asked for by a press of a button. */
export function tellProblem(error: unknown): void {
  const { title, detail } = asApiError(error).problem;
  say(detail ?? title);
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ApiError({ title: "The answer could not be read", status: 0, detail }, "");
}
