// SPDX-License-Identifier: Apache-2.0
// A search that is answered line by line: what has come so far, and how far it is. No DOM, no fetch.
import type { Problem, SearchAnswer, SearchProgress, TraceSummary } from "../api/types";

/** One line of the answer: an object of one member. */
interface Line {
  trace?: TraceSummary;
  progress?: SearchProgress;
  done?: Omit<SearchAnswer, "traces">;
  problem?: Problem;
}

/** Whole lines of a text that comes in pieces. */
export class LineSplitter {
  #rest = "";

  take(text: string): string[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.filter((line) => line !== "");
  }
}

export class SearchLines {
  readonly traces: TraceSummary[] = [];
  progress: SearchProgress | null = null;
  problem: Problem | null = null;
  #end: Omit<SearchAnswer, "traces"> | null = null;
  readonly #splitter = new LineSplitter();

  /** Takes the next piece of text, wherever it was cut. */
  take(text: string): void {
    for (const line of this.#splitter.take(text)) this.#takeLine(JSON.parse(line) as Line);
  }

  #takeLine(line: Line): void {
    if (line.trace) this.traces.push(line.trace);
    else if (line.progress) this.progress = line.progress;
    else if (line.problem) this.problem = line.problem;
    else if (line.done) this.#end = line.done;
  }

  /** The whole answer; null when its last line has not come. */
  answer(): SearchAnswer | null {
    return this.#end ? { ...this.#end, traces: this.traces } : null;
  }

  /** What there is when somebody does not wait for the rest. */
  partial(order: string): SearchAnswer {
    const p = this.progress;
    return {
      traces: [...this.traces], complete: false, cursor: null, order, stopped: { passedRows: p?.passedRows ?? "0", totalRows: p?.totalRows ?? "0" },
      scanned: p?.scanned ?? { segments: 0, rows: "0", bytes: "0", traces: "0" },
      matchedTraces: Math.max(p?.matchedTraces ?? 0, this.traces.length), tookMs: p?.elapsedMs ?? 0,
    };
  }
}

/** How much is behind the search, 0 to 1: of the spans in range, and of the candidates that were found in them. */
export function shareOf(p: Pick<SearchProgress, "scanned" | "passedRows" | "totalRows" | "knownTraces">): number {
  const [total, known] = [Number(p.totalRows), Number(p.knownTraces)];
  const looked = known > 0 ? Math.min(1, Number(p.scanned.traces) / known) : 1;
  return total > 0 ? (Number(p.passedRows) / total) * looked : 0;
}

/** Its time was over before everything was looked at, and it can go on. */
export const goesOn = (a: SearchAnswer): boolean => a.cursor !== null && /^(timeBudget|part)$/.test(a.incompleteReason ?? "");
