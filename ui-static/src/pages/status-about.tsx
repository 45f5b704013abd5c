// SPDX-License-Identifier: Apache-2.0
// Status, what is in force and what runs: limits, settings (secrets masked), libraries, and the page's look at itself.
import type { SystemAnswer } from "../api/types";
import { limitText } from "../model/system";
import { formatBytes } from "../model/text";
import { formatAge, formatDuration, formatMilli } from "../model/time";
import { zone } from "../state/prefs";
import { Figures, Part, Table } from "./status-parts";

export function Limits({ value }: { value: SystemAnswer }) {
  return (
    <>
      {[...new Set(value.limits.map((l) => l.part))].map((part) => (
        <Part key={part} title={part}>
          <Table
            label={part}
            columns={["Limit", ">Value", "Set by"]}
            rows={value.limits.filter((l) => l.part === part).map((l) => [l.name, limitText(l.value, l.unit), <code key="c">{l.from}</code>])}
           
          />
        </Part>
      ))}
      <Part title="Settings" note="As the process was started; they are changed by starting it anew. What looks like a secret is masked.">
        <Table
          label="Settings"
          columns={["Option", "Value", "From"]}
          rows={value.settings.map((s) => [<code key={s.name}>--{s.name}</code>, s.masked ? "••••••" : s.value === "" ? <span class="dim">(not set)</span> : <code>{s.value}</code>, s.origin])}
          none="This process was started without options."
        />
      </Part>
    </>
  );
}

function storageWorks(which: "localStorage" | "sessionStorage"): boolean {
  try {
    window[which].setItem("spoor.test", "1");
    window[which].removeItem("spoor.test");
    return true;
  } catch {
    return false;
  }
}

/** What this page is made of, and how long it took to come. */
function selfCheck(): string[][] {
  const script = document.querySelector<HTMLScriptElement>("script[type=module]")?.src ?? "";
  const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  const loaded = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
  const bytes = loaded.filter((r) => /\/assets\//.test(r.name)).reduce((sum, r) => sum + r.encodedBodySize, navigation?.encodedBodySize ?? 0);
  const ms = (n: number | undefined) => (n === undefined ? "not measured" : formatDuration(n * 1e6));
  return [
    ["Script", script.split("/").slice(-2).join("/"), "its folder has a part of the hash of all files"],
    ["First paint", ms(paint?.startTime), "after the address was opened"],
    ["Document ready", ms(navigation?.domContentLoadedEventEnd), ""],
    ["Page and scripts", formatBytes(bytes), "compressed; from the network or the browser's cache"],
    ["Preferences are kept", storageWorks("localStorage") ? "yes" : "no: the browser forbids it", "theme, zone, keys"],
    ["The basket is kept", storageWorks("sessionStorage") ? "yes" : "no: the browser forbids it", "as long as this tab"],
  ];
}

export function About({ value }: { value: SystemAnswer }) {
  const started = BigInt(value.startedAtUnixNano);
  return (
    <>
      <Figures
        list={[
          { name: "Spoor", value: value.version, note: "Apache-2.0" },
          { name: "Started", value: formatAge(started, BigInt(value.nowUnixNano)), note: formatMilli(started, zone.value) },
          { name: "Role", value: value.store.follows ? "query" : "store", note: value.store.follows ? "reads what another process keeps" : "takes in, keeps and answers" },
        ]}
      />
      <Part title="Libraries" note="As they were when this was built: those of the process, then those of its pages.">
        <Table
          label="Libraries"
          columns={["Library", "Version", "Licence"]}
          rows={[...value.libraries.map((l) => [l.name, l.version, l.license]), ...LIBRARIES.split(";").map((l) => l.split(" "))]}
          none="The build does not say."
        />
      </Part>
      <Part title="This page">
        <Table label="This page" columns={["What", "Value", "Remark"]} rows={selfCheck()} />
      </Part>
    </>
  );
}
