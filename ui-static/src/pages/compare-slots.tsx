// SPDX-License-Identifier: Apache-2.0
// The two slots of the Compare page, and what stands below them while one is empty.
import { useState } from "preact/hooks";
import { parseSide, type Side, typedRef } from "../model/compare";
import { formatPercent, plural } from "../model/text";
import { formatDuration, formatMilli } from "../model/time";
import { go, href, param, patched } from "../route";
import { basket, type BasketItem, clearBasket, removeFromBasket } from "../state/basket";
import { type Answer, swap } from "../state/compare";
import { hint } from "../state/keys";
import { zone } from "../state/prefs";
import { currentRange, endsText } from "../state/range";
import { Marked, Popover } from "../ui/controls";
import { Icon } from "../ui/icons";

/** On narrow screens one line says what is compared; a button shows all of it, and the ways to change it. */
export function Slots({ a, b, value }: { a: Side | null; b: Side | null; value: Answer | null }) {
  const [open, setOpen] = useState(false);
  return (
    <div class={a && b && !open ? "slots short" : "slots"}>
      <Slot name="a" side={a} value={value} />
      <button type="button" class="button square slot-swap" title={`Swap A and B${hint("compare.swap")}`} aria-label="Swap A and B" disabled={!param("a") && !param("b")} onClick={swap}>
        <span aria-hidden="true">⇄</span>
      </button>
      <Slot name="b" side={b} value={value} />
      {a && b ? (
        <button type="button" class="button quiet square slots-more" aria-expanded={open} title="All about A and B" onClick={() => setOpen(!open)}>
          <Icon name={open ? "up" : "down"} />
        </button>
      ) : null}
    </div>
  );
}

/** As times stand everywhere on the page; what it links to has them as they were written. */
const rangeText = (side: Side) => (side.kind === "set" && (side.from || side.to) ? endsText(side.from, side.to || "now", zone.value) : "all time");

function Slot({ name, side, value }: { name: "a" | "b"; side: Side | null; value: Answer | null }) {
  const title = name.toUpperCase();
  const wrong = param(name) !== "" && !side;
  const range = currentRange();
  const label = basket.value.find((i) => i.ref === param(name))?.label;
  const root = value?.of === "traces" ? `${value.value[name].service} ${value.value[name].operation}` : "";
  return (
    <section class={`slot slot-${name}`} aria-label={`Side ${title}`}>
      <span class="slot-letter" aria-hidden="true">
        {title}
      </span>
      <div class="slot-what">
        {side ? (
          <p class="clip slot-name">
            {side.kind === "trace" ? (
              <a href={href("trace", { id: side.id })} title={`Trace ${side.id}`}>
                {root || label || "Trace"}
              </a>
            ) : (
              <a href={href("explore", { q: side.query, from: side.from, to: side.to })} class="mono" title={side.query || "every trace"}>
                {side.query || "{}"}
              </a>
            )}{" "}
            {side.kind === "trace" ? <code class="dim">{side.id}</code> : <span class="dim">{rangeText(side)}</span>}
          </p>
        ) : (
          <p class="dim">{wrong ? "Neither a trace id nor a set" : "Empty"}</p>
        )}
        {value && side ? <SideFacts side={name} value={value} /> : null}
      </div>
      <Popover label={side ? "Change" : "Choose"} title={`Choose ${title}`} class="right">
        {(close) => (
          <SlotPanel
            choose={(ref) => {
              close();
              go(patched({ [name]: ref, [`s${name}`]: null }));
            }}
            title={title}
            range={range}
          />
        )}
      </Popover>
    </section>
  );
}

function SlotPanel({ choose, title, range }: { choose: (ref: string) => void; title: string; range: { from?: string | undefined; to?: string | undefined } }) {
  const [text, setText] = useState("");
  const ref = typedRef(text, range.from ?? "", range.to ?? "");
  return (
    <form
      class="slot-panel"
      onSubmit={(event) => {
        event.preventDefault();
        if (ref) choose(ref);
      }}
    >
      <label>
        Trace id, or a query
        <input class="mono" value={text} onInput={(e) => setText(e.currentTarget.value)} placeholder='{ status = error }' autocomplete="off" spellcheck={false} />
      </label>
      <p class="row">
        <button type="submit" class="button primary" disabled={!ref}>
          As {title}
        </button>
        <span class="hint">A query takes the time range of the page.</span>
      </p>
      {basket.value.length > 0 ? <h3>From the basket</h3> : null}
      {basket.value.map((item) => (
        <button key={item.ref} type="button" class="option" onClick={() => choose(item.ref)}>
          <span class="clip">{item.label}</span>
        </button>
      ))}
    </form>
  );
}

/** A line about one side, for its slot. */
function SideFacts({ side, value }: { side: "a" | "b"; value: Answer }) {
  if (value.of === "traces") {
    const t = value.value[side];
    return (
      <p class="slot-facts num">
        <b>{formatDuration(Number(t.durationNano))}</b>
        {t.errorCount > 0 ? <Marked>{plural(t.errorCount, "error")}</Marked> : null}
        <span>{plural(t.spanCount, "span")}</span>
        <span class="dim slot-least">{formatMilli(BigInt(t.startTimeUnixNano), zone.value)}</span>
      </p>
    );
  }
  const s = value.value[side];
  return (
    <p class="slot-facts num">
      <b>{plural(s.matchedTraces, "trace")}</b>
      <span class="dim slot-least">{s.complete ? "all that match" : s.incompleteReason === "traces" ? "the newest that match" : "as many as the time allowed"}</span>
      {s.traceDuration ? (
        <span title={`± ${formatPercent(value.value.relativeError, 1)}`}>
          p50 {formatDuration(Number(s.traceDuration.p50))} · p95 {formatDuration(Number(s.traceDuration.p95))}
        </span>
      ) : null}
    </p>
  );
}

/** Nothing to compare yet: what the basket holds, or how things come into it. */
export function CompareHelp({ a, b }: { a: Side | null; b: Side | null }) {
  const items = basket.value;
  const missing = !a && !b ? "two things" : a ? "something as B" : "something as A";
  return (
    <section class="empty compare-help">
      <h1>Choose {missing} to compare</h1>
      <p>Two traces, or two sets of traces: what a query finds, slow against normal, failed against passed, today against yesterday.</p>
      {items.length > 0 ? <Basket items={items} /> : null}
      <h2>{items.length > 0 ? "More" : "How things come into the basket"}</h2>
      <ul class="ways">
        <li>
          On <a href={href("explore", { ...currentRange() })}>Explore</a>, choose a trace and press <kbd>b</kbd>; or drag a box over the heatmap and take both sides of it.
        </li>
        <li>
          On a trace, press <b>Compare</b>; then open another, and do the same.
        </li>
        <li>Or paste a trace id or write a query with the buttons above.</li>
      </ul>
    </section>
  );
}

function Basket({ items }: { items: BasketItem[] }) {
  const chosen = (ref: string) => (param("a") === ref ? "A" : param("b") === ref ? "B" : "");
  return (
    <>
      <h2>In the basket</h2>
      <ul class="basket">
        {items.map((item) => (
          <li key={item.ref}>
            <span class="clip" title={item.ref}>
              {parseSide(item.ref)?.kind === "set" ? <span class="tag">set</span> : null} {item.label}
            </span>
            {chosen(item.ref) ? <span class="dim">is {chosen(item.ref)}</span> : null}
            {["A", "B"].map((side) => (
              <a key={side} class="button" href={patched({ [side.toLowerCase()]: item.ref, [`s${side.toLowerCase()}`]: null })} aria-label={`${item.label} as ${side}`}>
                As {side}
              </a>
            ))}
            <button type="button" class="button quiet square" aria-label={`Take ${item.label} out`} title="Take out" onClick={() => removeFromBasket(item.ref)}>
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      <p class="row">
        <button type="button" class="button" onClick={clearBasket}>
          Empty the basket
        </button>
      </p>
    </>
  );
}
