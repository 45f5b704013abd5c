// SPDX-License-Identifier: Apache-2.0
// Where the pages start: the frame, the route, the keys that work everywhere.
import { signal } from "@preact/signals";
import { type ComponentType, render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { go, type Page, route, startRouting } from "./route";
import { close, open, openDialog } from "./state/dialog";
import { startKeys, takeHeld, useActions } from "./state/keys";
import { startDrops } from "./state/opening";
import { nextTheme, zone } from "./state/prefs";
import { copyLink, shiftRange } from "./state/range";
import { heard, message, say, sayBroken } from "./state/say";
import { queryWanted } from "./state/searching";
import { loadStyle } from "./state/style";
import { startTelling } from "./ui/cut";
import { compareAddress, pageAddress, rangeOpened, TopBar } from "./ui/topbar";

const later = signal<Partial<Record<Page, ComponentType>>>({});

const LOADERS: Record<Page, () => Promise<ComponentType>> = {
  explore: async () => (await import("./pages/explore")).Explore,
  trace: async () => (await import("./pages/trace")).TracePage,
  compare: async () => (await Promise.all([import("./pages/compare"), loadStyle(COMPARE_STYLE)]))[0].ComparePage,
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
    sayBroken();
  }
}

function CurrentPage({ page }: { page: Page }) {
  const Found = later.value[page];
  useEffect(() => {
    if (!Found) void loadPage(page);
  }, [page]);
  return Found ? <Found /> : null;
}

/** Help, settings and the palette are one file, loaded when one of them is opened first; what looks through addresses is in it, too: for any address that says more than which page. */
const dialogs = signal<typeof import("./ui/dialogs") | null>(null);

async function loadDialogs(): Promise<void> {
  try {
    const [found] = await Promise.all([import("./ui/dialogs"), loadStyle(DIALOG_STYLE)]);
    dialogs.value = found;
  } catch {
    takeHeld();
    close();
    sayBroken();
  }
}

function useEverywhere(): void {
  useActions({
    "all.palette": () => open("palette"),
    // Where a page has neither, the list of traces has both.
    "all.find": () => {
      queryWanted.value = true;
      go(pageAddress("explore"));
    },
    "all.live": () => go(pageAddress("explore", { live: "1", to: "" })),
    "all.explore": () => go(pageAddress("explore")),
    "all.map": () => go(pageAddress("map")),
    "all.status": () => go(pageAddress("status")),
    "all.compare": () => go(compareAddress()),
    "all.services": () => go(pageAddress("service")),
    "all.settings": () => open("settings"),
    "all.range": () => {
      rangeOpened.value++;
    },
    "all.earlier": () => shiftRange(-1),
    "all.later": () => shiftRange(1),
    "all.utc": () => {
      zone.value = zone.value === "utc" ? "local" : "utc";
      say(zone.value === "utc" ? "Times in UTC" : "Times as here");
    },
    "all.theme": nextTheme,
    "all.link": copyLink,
    "all.help": () => open("help"),
  });
}

function App() {
  const page = route.value.page;
  useEverywhere();
  useEffect(() => {
    rangeOpened.value = 0;
  }, [page]);
  const to = route.value;
  const first = useRef(true);
  useEffect(() => {
    // What had the focus went with what the address showed before.
    if (!first.current && document.activeElement === document.body) document.getElementById("main")?.focus({ preventScroll: true });
    first.current = false;
  }, [to.page, to.params.get("tab")]);
  const opened = openDialog();
  const asks = String(to.params) !== "";
  useEffect(() => {
    if ((opened || asks) && !dialogs.peek()) void loadDialogs();
  }, [opened, asks]);
  const { Dialogs, Unread } = dialogs.value ?? {};
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
        {Unread ? <Unread /> : null}
        <CurrentPage page={page} />
      </main>
      {Dialogs ? <Dialogs /> : null}
      <div class={message.value ? "toast shown" : "toast"} role="status" aria-live="polite">
        {message.value}
      </div>
      <p class="offscreen" role="status">
        {heard.value}
      </p>
    </>
  );
}

startKeys();
startDrops();
startTelling();
// Who walks with the Tab key is told what titles tell the pointer.
document.addEventListener("keydown", function walk({ key }) {
  if (key !== "Tab") return;
  document.removeEventListener("keydown", walk);
  void import("./ui/dialogs").then((m) => m.startTips(), () => undefined);
});
void startRouting().then(() => {
  const root = document.getElementById("app");
  if (!root) return;
  // The page came with a bar to look at until now.
  root.replaceChildren();
  render(<App />, root);
});
