// SPDX-License-Identifier: Apache-2.0
// The seven views of a trace, and what each of them gets.
import type { Skeleton } from "../model/skeleton";
import { param } from "../route";
import type { TraceSource } from "./source";

export const VIEWS = ["waterfall", "flame", "graph", "stats", "spans", "events", "json"] as const;
export type ViewName = (typeof VIEWS)[number];

export interface ViewProps {
  skeleton: Skeleton;
  source: TraceSource;
  adjusted: boolean;
  /** 1 for rows that were looked for; null: nothing was. */
  matches: Uint8Array | null;
  /** 1 for rows that are shown at all; null: all are. What was looked for is among them. */
  keep: Uint8Array | null;
  row: number;
  select: (row: number, open: boolean) => void;
}

export const currentView = (): ViewName => VIEWS.find((v) => v === param("view")) ?? "waterfall";
