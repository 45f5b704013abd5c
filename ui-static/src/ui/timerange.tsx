// SPDX-License-Identifier: Apache-2.0
// The time range control: presets, and two ends in any form the API takes.
import { useState } from "preact/hooks";
import { parseTime } from "../model/time";
import { zone } from "../state/prefs";
import { asTime, currentRange, nowNs, PRESETS, rangeLabel, setRange } from "../state/range";
import { Popover } from "./controls";
import { Icon } from "./icons";

export function TimeRange({ opened }: { opened: number }) {
  const label = (
    <>
      <Icon name="clock" />
      <span class="clip">{rangeLabel(zone.value)}</span>
      {zone.value === "utc" ? <span class="dim">UTC</span> : null}
    </>
  );
  return (
    <Popover label={label} title="Time range" opened={opened} class="time-range">
      {(close) => <RangePanel close={close} />}
    </Popover>
  );
}

function RangePanel({ close }: { close: () => void }) {
  const range = currentRange();
  const [from, setFrom] = useState(range.from ?? "");
  const [to, setTo] = useState(range.to ?? "");
  const isTime = (text: string) => text.trim() === "" || parseTime(text, nowNs(), zone.value) !== null;
  const [a, b] = [from, to].map((text) => parseTime(text, nowNs(), zone.value));
  const turned = a !== null && b !== null && a > b;
  const valid = isTime(from) && isTime(to) && !turned;
  const choose = (a: string | null, b: string | null) => {
    close();
    setRange(a, b);
  };
  const preset = (value: string | null, name: string) => (
    <button type="button" class="option" aria-pressed={(range.from ?? null) === value && !range.to} onClick={() => choose(value, null)}>
      {name}
    </button>
  );
  return (
    <div class="range-panel">
      <div class="presets">
        {preset(null, "All time")}
        {PRESETS.map(([value, name]) => preset(value, name))}
      </div>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (valid) choose(asTime(from.trim()) || null, asTime(to.trim()) || null);
        }}
      >
        <label>
          From
          <input value={from} placeholder="the beginning" aria-invalid={!isTime(from)} onInput={(e) => setFrom(e.currentTarget.value)} />
        </label>
        <label>
          To
          <input value={to} placeholder="now" aria-invalid={!isTime(to)} onInput={(e) => setTo(e.currentTarget.value)} />
        </label>
        <p class={valid ? "hint" : "hint error"}>
          {valid ? "" : turned ? "It ends before it begins. " : "Not a time: "}now-15m, 2026-03-01 12:00 ({zone.value === "utc" ? "UTC" : "local time"}), or Unix s, ms, µs, ns
        </p>
        <button type="submit" class="button primary" disabled={!valid}>
          Apply
        </button>
      </form>
    </div>
  );
}
