// SPDX-License-Identifier: Apache-2.0
// The bar above every page: home, pages, a box for trace ids, the time range, theme and help.
import { signal } from "@preact/signals";
import { useRef, useState } from "preact/hooks";
import { pending } from "../api/client";
import { parseTraceRef } from "../model/ids";
import { changed, go, href, type Page, type ParamPatch, param, route, searchBefore } from "../route";
import { basket } from "../state/basket";
import { open } from "../state/dialog";
import { hint } from "../state/keys";
import { nextTheme, theme } from "../state/prefs";
import { copyLink } from "../state/range";
import { Icon } from "./icons";
import { ProgressLine } from "./progress";
import { TimeRange } from "./timerange";

/** Counts up to open the time range from the keyboard. */
export const rangeOpened = signal(0);

let time: ParamPatch = {};

/** The same time on another page; a trace has its own, and from there it is that of the page before. From a trace, Explore is the search that
 * it was opened from. */
export function pageAddress(target: Page, params: ParamPatch = {}): string {
  const before = target === "explore" && route.value.page === "trace" ? searchBefore() : "";
  if (before) return changed(before, params);
  if (route.value.page !== "trace") time = { from: param("from"), to: param("to") };
  return href(target, { ...time, ...params });
}

/** With two things in the basket there is one thing to compare: they fill the slots. */
export function compareAddress(): string {
  const items = basket.value;
  return pageAddress("compare", items.length === 2 && route.value.page !== "compare" ? { a: items[0].ref, b: items[1].ref } : {});
}

export function TopBar() {
  const page = route.value.page;
  const tab = (target: Page, name: string) => (
    <a href={pageAddress(target)} aria-current={page === target ? "page" : undefined}>
      {name}
    </a>
  );
  const themeName = { auto: "follows the system", light: "light", dark: "dark" }[theme.value];
  return (
    <header class="topbar">
      <a class="logo" href={href("explore")} aria-label="Spoor, home">
        <Logo />
        <span>Spoor</span>
      </a>
      <nav aria-label="Pages">
        {tab("explore", "Explore")}
        {tab("map", "Map")}
        {tab("service", "Services")}
        <a href={compareAddress()} aria-current={page === "compare" ? "page" : undefined}>
          Compare
          {basket.value.length > 0 ? (
            <span class="nav-count">
              <span class="offscreen">, in the basket: </span>
              {basket.value.length}
            </span>
          ) : null}
        </a>
        {tab("status", "Status")}
      </nav>
      <TraceBox />
      <span class="spring" />
      {page === "trace" || (page === "status" && param("tab") !== "quality") ? null : <TimeRange opened={rangeOpened.value} />}
      <button type="button" class="button quiet square" title={`Go to, or do, anything${hint("all.palette")}`} aria-label="Command palette" onClick={() => open("palette")}>
        <Icon name="search" />
      </button>
      <button type="button" class="button quiet square" title={`Copy link${hint("all.link")}`} aria-label="Copy link" onClick={copyLink}>
        <Icon name="link" />
      </button>
      <button type="button" class="button quiet square" title={`Theme: ${themeName}${hint("all.theme")}`} onClick={nextTheme}>
        <Icon name={theme.value === "auto" ? "auto" : theme.value === "light" ? "sun" : "moon"} />
      </button>
      <button
        type="button"
        class="button quiet square"
        title={`Help and keyboard${hint("all.help")}`}
        onClick={() => open("help")}
      >
        <Icon name="help" />
      </button>
      <ProgressLine busy={pending.value > 0} />
    </header>
  );
}

function Logo() {
  return (
    <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
      <rect x="1" y="3" width="18" height="3.5" rx="1.2" fill="var(--accent)" />
      <rect x="4" y="8.25" width="10" height="3.5" rx="1.2" fill="var(--accent)" opacity=".8" />
      <rect x="9" y="13.5" width="7" height="3.5" rx="1.2" fill="var(--accent)" opacity=".6" />
    </svg>
  );
}

function TraceBox() {
  const [bad, setBad] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const openTrace = (text: string): boolean => {
    const ref = parseTraceRef(text);
    if (!ref) return false;
    if (input.current) {
      input.current.value = "";
      input.current.blur();
    }
    setBad(false);
    go(href("trace", { id: ref.traceId, span: ref.spanId }));
    return true;
  };
  return (
    <form
      class="trace-box"
      role="search"
      aria-label="Open a trace"
      onSubmit={(event) => {
        event.preventDefault();
        const text = input.current?.value.trim() ?? "";
        if (text !== "" && !openTrace(text)) setBad(true);
      }}
    >
      <input
        ref={input}
        class="mono"
        placeholder="Trace id or traceparent"
        aria-label="Trace id, traceparent, or an address with a trace id"
        aria-invalid={bad}
        aria-describedby={bad ? "trace-box-problem" : undefined}
        autocomplete="off"
        spellcheck={false}
        onInput={() => setBad(false)}
        onPaste={(event) => {
          if (openTrace(event.clipboardData?.getData("text") ?? "")) event.preventDefault();
        }}
      />
      {bad ? (
        <span class="box-problem" id="trace-box-problem" role="alert">
          Not a trace id: 32 or 16 hex digits, a traceparent, or an address that holds one
        </span>
      ) : null}
    </form>
  );
}
