// SPDX-License-Identifier: Apache-2.0
// Where the pages start: the frame, the route, the keys that work everywhere.
import { signal } from "@preact/signals";
import { type ComponentType, render } from "preact";
import { useEffect } from "preact/hooks";
import { go, href, type Page, route, startRouting } from "./route";
import { type Command, startKeys, useCommands } from "./state/keys";
import { nextTheme, zone } from "./state/prefs";
import { absoluteAddress, shiftRange } from "./state/range";
import { copy, message, say } from "./state/say";
import { Help, helpOpen } from "./ui/help";
import { compareAddress, rangeOpened, TopBar } from "./ui/topbar";

const later = signal<Partial<Record<Page, ComponentType>>>({});

const LOADERS: Record<Page, () => Promise<ComponentType>> = {
  explore: async () => (await import("./pages/explore")).Explore,
  trace: async () => (await import("./pages/trace")).TracePage,
  compare: async () => (await import("./pages/compare")).ComparePage,
  map: async () => (await import("./pages/map")).MapPage,
  status: async () => (await import("./pages/status")).StatusPage,
  service: async () => (await import("./pages/service")).ServicePage,
};

/** Each page is a file of its own; what pages share is in the file of this one. */
async function loadPage(page: Page): Promise<void> {
  try {
    const found = await LOADERS[page]();
    later.value = { ...later.peek(), [page]: found };
  } catch {
    say("A part of this page could not be loaded: reload it");
  }
}

function CurrentPage({ page }: { page: Page }) {
  const Found = later.value[page];
  useEffect(() => {
    if (!Found) void loadPage(page);
  }, [page]);
  return Found ? <Found /> : null;
}

const everywhere: Command[] = [
  { keys: ["g e"], text: "Go to Explore", group: "Everywhere", run: () => go(href("explore")) },
  { keys: ["g m"], text: "Go to Map", group: "Everywhere", run: () => go(href("map")) },
  { keys: ["g t"], text: "Go to Status", group: "Everywhere", run: () => go(href("status")) },
  { keys: ["g c"], text: "Go to Compare", group: "Everywhere", run: () => go(compareAddress()) },
  { keys: ["g s"], text: "Go to Services", group: "Everywhere", run: () => go(href("service")) },
  {
    keys: ["t"],
    text: "Time range",
    group: "Everywhere",
    run: () => {
      rangeOpened.value++;
    },
  },
  { keys: [","], text: "Earlier range", group: "Everywhere", run: () => shiftRange(-1) },
  { keys: ["."], text: "Later range", group: "Everywhere", run: () => shiftRange(1) },
  {
    keys: ["U"],
    text: "Local time or UTC",
    group: "Everywhere",
    run: () => {
      zone.value = zone.value === "utc" ? "local" : "utc";
      say(zone.value === "utc" ? "Times in UTC" : "Times as here");
    },
  },
  { keys: ["D"], text: "Theme", group: "Everywhere", run: nextTheme },
  { keys: ["y"], text: "Copy link", group: "Everywhere", run: () => void copy(absoluteAddress(), "link") },
  {
    keys: ["?"],
    text: "This help",
    group: "Everywhere",
    run: () => {
      helpOpen.value = true;
    },
  },
];

function App() {
  const page = route.value.page;
  useCommands(everywhere);
  useEffect(() => {
    rangeOpened.value = 0;
  }, [page]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          // Its fragment would take the place of what a long address has there.
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        Skip to the content
      </a>
      <TopBar />
      <main id="main" tabIndex={-1} class={`page-${page}`}>
        <CurrentPage page={page} />
      </main>
      <Help />
      <div class={message.value ? "toast shown" : "toast"} role="status" aria-live="polite">
        {message.value}
      </div>
    </>
  );
}

startKeys();
void startRouting().then(() => {
  const root = document.getElementById("app");
  if (root) render(<App />, root);
});
