// SPDX-License-Identifier: Apache-2.0
// What is done with a trace as a whole: a place in the comparison, and the menu of what can be taken away from it.
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { operationName, serviceName, type Skeleton } from "../model/skeleton";
import { formatDuration } from "../model/time";
import { inBasket, toggleBasket } from "../state/basket";
import { hint } from "../state/keys";
import { say, sayBroken } from "../state/say";
import type { TraceSource } from "../state/source";
import { Popover } from "../ui/controls";
import type { MenuProps } from "./trace-export";

const refLabel = (s: Skeleton): string => `${serviceName(s, 0)} ${operationName(s, 0)} · ${formatDuration(s.duration)}`;

/** Into the basket of traces to compare, or out of it. A file's trace is in no server, so there is nothing to compare it with. */
export function toggleCompared(s: Skeleton, source: TraceSource): void {
  if (!source.served) return say("A trace of a file cannot be compared: the server does not have it");
  say(toggleBasket({ ref: s.traceId, label: refLabel(s) }) ? "Added to compare" : "Taken out of compare");
}

/** What is in the menu is loaded with it. */
const parts = signal<typeof import("./trace-views") | null>(null);

function LazyMenu(props: MenuProps) {
  const box = useRef<HTMLDivElement>(null);
  const Menu = parts.value?.TraceMenu;
  useLayoutEffect(() => {
    if (Menu) box.current?.querySelector("button")?.focus();
    else
      void import("./trace-views").then(
        (m) => {
          parts.value = m;
        },
        sayBroken,
      );
  }, [Menu]);
  return <div ref={box}>{Menu ? <Menu {...props} /> : <p class="dim pad">…</p>}</div>;
}

export function TraceActions({ skeleton: s, source }: { skeleton: Skeleton; source: TraceSource }) {
  const compared = inBasket(s.traceId);
  return (
    <>
      {source.served ? (
        <button type="button" class="button toggle" aria-pressed={compared} title={(compared ? "Take out of compare" : "Add to compare") + hint("trace.basket")} onClick={() => toggleCompared(s, source)}>
          {compared ? "Compared" : "Compare"}
        </button>
      ) : null}
      <Popover label="Export" title="Download and copy" class="right">
        {(close) => <LazyMenu skeleton={s} source={source} close={close} />}
      </Popover>
    </>
  );
}
