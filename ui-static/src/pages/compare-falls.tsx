// SPDX-License-Identifier: Apache-2.0
// Two waterfalls side by side on one scale: they scroll and zoom together, and a span chosen in one is found in the other.
import { useEffect, useRef, useState } from "preact/hooks";
import { spanIdAt } from "../model/skeleton";
import { plural } from "../model/text";
import { formatDuration } from "../model/time";
import { href, param, patched, replace } from "../route";
import { type Pair, type PairSide, rowOfAddress, sameRow } from "../state/compare";
import { useActions } from "../state/keys";
import { dark, rowPx } from "../state/prefs";
import { Waterfall } from "../views/waterfall";
import { waterfallActions } from "../views/waterfall-keys";

type Name = "a" | "b";
const OTHER: Record<Name, Name> = { a: "b", b: "a" };
export function CompareFalls({ pair }: { pair: Pair }) {
  const hosts = { a: useRef<HTMLDivElement>(null), b: useRef<HTMLDivElement>(null) };
  const falls = useRef<Record<Name, Waterfall> | null>(null);
  const active = useRef<Name>("a");
  const [chosen, setChosen] = useState<Record<Name, number>>({ a: -1, b: -1 });
  const [aligned, setAligned] = useState(true);
  const follow = useRef(true);
  follow.current = aligned;

  useEffect(() => {
    const { a, b } = hosts;
    if (!a.current || !b.current) return;
    const extent = Math.max(1, pair.a.skeleton.duration, pair.b.skeleton.duration);
    let leading = false;
    // What one does the other follows; what it does then is not followed back.
    const lead = (act: () => void) => {
      if (leading) return;
      leading = true;
      act();
      leading = false;
    };
    // How many pixels further b is scrolled than a: choosing a span puts both spans on one line, and they stay there.
    let apart = 0;
    const align = (name: Name, row: number, same: number) => {
      const [own, other] = [falls.current?.[name], falls.current?.[OTHER[name]]];
      if (!own || !other) return;
      other.goTo(same);
      const by = other.above(same) - own.above(row);
      apart = name === "a" ? by : -by;
      if (follow.current) other.setTop(own.scrolled + by);
    };
    const make = (name: Name, host: HTMLElement): Waterfall => {
      const other = () => falls.current?.[OTHER[name]];
      const fall: Waterfall = new Waterfall(host, pair[name].skeleton, dark.peek(), {
        select: (row) => {
          active.current = leading ? active.current : name;
          setChosen((old) => ({ ...old, [name]: row }));
          lead(() => {
            const same = sameRow(pair[name], pair[OTHER[name]], row);
            if (same >= 0) align(name, row, same);
            else setChosen((old) => ({ ...old, [OTHER[name]]: -1 }));
            replace(patched({ [`s${name}`]: spanIdAt(pair[name].skeleton, row), [`s${OTHER[name]}`]: same >= 0 ? spanIdAt(pair[OTHER[name]].skeleton, same) : null }));
          });
        },
        zoom: (from, to) => lead(() => other()?.zoom(from, to)),
        // Only the one under the hand leads: what the other does then is not followed back.
        scroll: (top) => {
          if (active.current === name && follow.current) other()?.setTop(top + (name === "a" ? apart : -apart));
        },
      });
      fall.setExtent(extent);
      return fall;
    };
    const made = { a: make("a", a.current), b: make("b", b.current) };
    falls.current = made;
    for (const name of ["a", "b"] as Name[]) {
      const row = rowOfAddress(name, pair[name]);
      if (row < 0) continue;
      made[name].goTo(row);
      break;
    }
    return () => {
      made.a.stop();
      made.b.stop();
      falls.current = null;
    };
  }, [pair]);
  useEffect(() => {
    falls.current?.a.setDark(dark.value);
    falls.current?.b.setDark(dark.value);
  }, [dark.value]);
  useEffect(() => {
    falls.current?.a.setRow(rowPx.value);
    falls.current?.b.setRow(rowPx.value);
  }, [pair, rowPx.value]);
  useActions(waterfallActions("compare", (name) => falls.current?.[active.current].command(name)));
  const leads = (name: Name) => {
    const take = () => {
      active.current = name;
    };
    return { onFocusCapture: take, onPointerDownCapture: take, onPointerEnter: take, onWheelCapture: take };
  };
  const side = (name: Name, s: PairSide) => (
    <section class="cmp-fall" aria-label={`Waterfall of ${name.toUpperCase()}`} {...leads(name)}>
      <p class="cmp-fall-head">
        <b class={`slot-letter small-letter ${name}`}>{name.toUpperCase()}</b>
        <a class="clip" href={href("trace", { id: s.trace.traceId, span: param(`s${name}`) })}>
          {s.trace.service} {s.trace.operation}
        </a>
        <span class="num dim">
          {formatDuration(s.skeleton.duration)} · {plural(s.skeleton.count, "span")}
        </span>
      </p>
      <div class="waterfall">
        <div class="wf-host" ref={hosts[name]} />
      </div>
    </section>
  );
  const both = chosen.a >= 0 && chosen.b >= 0;
  return (
    <>
      <div class="cmp-falls">
        {side("a", pair.a)}
        {side("b", pair.b)}
      </div>
      <div class="cmp-foot row">
        <label class="row tight">
          <input type="checkbox" checked={aligned} onChange={(e) => setAligned(e.currentTarget.checked)} /> scroll together
        </label>
        <span class="dim">{chosen.a < 0 && chosen.b < 0 ? "Choose a span: it is found in the other trace." : both ? "The same call in both." : "The other trace has no such call."}</span>
        {both ? (
          <button type="button" class="button" onClick={() => replace(patched({ tab: "spans" }))}>
            Compare these spans
          </button>
        ) : null}
      </div>
    </>
  );
}
