// SPDX-License-Identifier: Apache-2.0
// A value that comes from the API: loading, there, or a problem; a newer request stops the older one.
import { type Signal, signal } from "@preact/signals";
import { ApiError, isStopped } from "../api/client";

export interface Loaded<T> {
  value: T | null;
  loading: boolean;
  error: ApiError | null;
}

export class Loader<T> {
  readonly state: Signal<Loaded<T>> = signal({ value: null, loading: false, error: null });
  private stopper: AbortController | null = null;

  /** Keeps the old value on the screen until the new one is there. */
  async run(ask: (stop: AbortSignal) => Promise<T>): Promise<void> {
    this.stopper?.abort();
    const stopper = new AbortController();
    this.stopper = stopper;
    this.state.value = { ...this.state.peek(), loading: true };
    try {
      const value = await ask(stopper.signal);
      if (this.stopper === stopper) this.state.value = { value, loading: false, error: null };
    } catch (error) {
      if (isStopped(error) || this.stopper !== stopper) return;
      this.state.value = { value: null, loading: false, error: asApiError(error) };
    }
  }

  /** Shows what there is of an answer that is still coming. */
  partly(value: T): void {
    this.state.value = { value, loading: true, error: null };
  }

  set(value: T): void {
    this.state.value = { value, loading: false, error: null };
  }

  stop(): void {
    this.stopper?.abort();
    this.stopper = null;
    this.state.value = { ...this.state.peek(), loading: false };
  }
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ApiError({ title: "The answer could not be read", status: 0, detail }, "");
}
