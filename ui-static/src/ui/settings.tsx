// SPDX-License-Identifier: Apache-2.0
// Settings: how pages look, what links and logs are, and the keys. All of it is kept in this browser and nowhere else.
import { useState } from "preact/hooks";
import { param } from "../route";
import { density, type Density, linkTimes, logsAddress, theme, type Theme, zone } from "../state/prefs";
import type { Zone } from "../model/time";
import { DialogFrame } from "./dialog-frame";
import { KeySettings } from "./settings-keys";

type Choice = [value: string, name: string];

export function Settings() {
  return (
    <DialogFrame label="Settings" class="settings" head={<span class="dim small-text">kept in this browser</span>}>
      <div class="settings-body">
        <section>
          <h3>Looks</h3>
          <Choose label="Theme" value={theme.value} of={[["auto", "as the system"], ["light", "light"], ["dark", "dark"]]} set={(v) => (theme.value = v as Theme)} />
          <Choose label="Rows" value={density.value} of={[["comfortable", "comfortable, 28 px"], ["normal", "normal, 24 px"], ["compact", "compact, 20 px"]]} set={(v) => (density.value = v as Density)} />
          <Choose label="Times" value={zone.value} of={[["local", "local"], ["utc", "UTC"]]} set={(v) => (zone.value = v as Zone)} />
        </section>
        <section>
          <h3>Links</h3>
          <Choose
            label="Copy link writes"
            value={linkTimes.value}
            of={[["absolute", "times as they are now"], ["relative", "“the last hour” as such"]]}
            set={(v) => (linkTimes.value = v as "absolute" | "relative")}
          />
          <Logs />
        </section>
        <KeySettings first={param("settings") === "keys"} />
      </div>
    </DialogFrame>
  );
}

function Choose({ label, value, of, set }: { label: string; value: string; of: Choice[]; set: (value: string) => void }) {
  return (
    <label class="setting">
      <span>{label}</span>
      <select value={value} onChange={(e) => set(e.currentTarget.value)}>
        {of.map(([v, name]) => (
          <option key={v} value={v}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

const SAMPLE = "https://logs.example/?q=${trace_id}";

function Logs() {
  const [text, setText] = useState(logsAddress.value);
  const fault =
    text.trim() === "" ? "" : !/^https?:\/\//i.test(text) || !URL.canParse(text) ? "Not an address: it begins with https:// or http://" : !/\$\{(trace|span)_id\}/.test(text) ? "Without ${trace_id} it is the same for every trace" : "";
  return (
    <>
      <label class="setting">
        <span>Logs of a trace</span>
        <input
          class="mono"
          value={text}
          placeholder={SAMPLE}
          aria-invalid={fault !== ""}
          aria-describedby="logs-hint"
          onInput={(event) => {
            const now = event.currentTarget.value;
            setText(now);
            if (now.trim() === "" || (/^https?:\/\//i.test(now) && URL.canParse(now))) logsAddress.value = now.trim();
          }}
        />
      </label>
      <p class={fault ? "hint error" : "hint"} id="logs-hint">
        {fault || "An address with ${trace_id} and ${span_id}: details of a span lead there."}
      </p>
    </>
  );
}

