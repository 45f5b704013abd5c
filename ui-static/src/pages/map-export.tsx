// SPDX-License-Identifier: Apache-2.0
// The graph as files: as it is shown, or the whole of it; pictures of the drawing. Each file says what it is of. Loaded when the menu is opened.
import { useEffect, useRef, useState } from "preact/hooks";
import { getStatus } from "../api/client";
import { curlOf } from "../model/curl";
import { type About, aboutLines, FORMATS, type Format, pngWithText, writeGraph } from "../model/graph-export";
import { FAILING, type View } from "../model/graph";
import { formatPercent } from "../model/text";
import { toRfc3339 } from "../model/time";
import { param } from "../route";
import { copiedLink, linkAddress, nowNs } from "../state/range";
import { copy, say } from "../state/say";
import { CopyButton } from "../ui/controls";
import { pinsKey } from "./map-drawing";
import { apiOf, found, look, type MapParts, pinsOf, pinsText } from "./map-state";
import { saveFile } from "../state/say";

interface Props extends MapParts {
  close: () => void;
}

/** Of what the server writes itself, too. */
const SERVER_FORMATS: Record<string, string> = { json: "json", dot: "dot", graphml: "graphml", mermaid: "mermaid", "edges.csv": "csv" };
const ENDINGS: Record<string, string> = { mermaid: "mmd", "nodes.csv": "nodes.csv", "edges.csv": "edges.csv" };
/** Browsers draw no larger canvas. */
const PIXELS_MAX = 16384;

export function ExportMenu(props: Props) {
  const { graph, shown, wanted, seconds, groups, view, close } = props;
  const [whole, setWhole] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  // The first time it comes after the menu was opened.
  useEffect(() => box.current?.querySelector("input")?.focus(), []);
  const drawn = wanted.drawn && !shown.tooMany;
  const hidden = shown.hiddenEdges + shown.hiddenNodes > 0;
  const save = async (format: Format, type: string) => {
    close();
    const about = await aboutOf(wanted, whole);
    const nodes = whole ? [...graph.nodes.values()] : shown.nodes;
    saveFile(`service-map.${ENDINGS[format] ?? format}`, type, writeGraph(format, { nodes, edges: whole ? graph.edges : shown.edges, seconds, about, groups }));
  };
  const picture = async (scale: number) => {
    close();
    const about = await aboutOf(wanted, false);
    const file = view.current?.toFile("Service map", aboutLines(about));
    if (!file) return;
    if (scale === 0) saveFile("service-map.svg", "image/svg+xml", file.svg);
    else await savePng(file, scale);
  };
  return (
    <div class="export" ref={box}>
      <fieldset class="checks">
        <legend>What is in the file</legend>
        <label>
          <input type="radio" name="scope" checked={!whole} onChange={() => setWhole(false)} />
          what is shown{hidden ? "" : " (all of it)"}
        </label>
        <label>
          <input type="radio" name="scope" checked={whole} onChange={() => setWhole(true)} />
          the whole graph of the range
        </label>
      </fieldset>
      {FORMATS.map(([format, name, type]) => (
        <span class="export-row" key={format}>
          <button type="button" class="option" onClick={() => void save(format, type)}>
            {name}
          </button>
          {SERVER_FORMATS[format] ? <CopyButton text={() => curlOf(apiOf(SERVER_FORMATS[format]))} what={`curl command for ${name}, the whole graph`} icon="terminal" /> : null}
        </span>
      ))}
      {drawn ? (
        <>
          <p class="dim">The drawing as it is shown</p>
          <button type="button" class="option" onClick={() => void picture(0)}>
            SVG
          </button>
          <span class="export-row" role="group" aria-label="PNG">
            {[1, 2, 4].map((scale) => (
              <button key={scale} type="button" class="option" onClick={() => void picture(scale)}>
                PNG {scale}×
              </button>
            ))}
          </span>
          <PinsLink close={close} />
        </>
      ) : (
        <p class="dim">Pictures are of drawings: layered or radial.</p>
      )}
    </div>
  );
}

function PinsLink({ close }: { close: () => void }) {
  const key = pinsKey(window.innerWidth < 720);
  const pins = pinsOf(key);
  if (pins.size === 0) return null;
  return (
    <button
      type="button"
      class="option"
      onClick={() => {
        close();
        void copy(copiedLink({ pins: pinsText(key, pins) }), "link");
      }}
    >
      Link with the {pins.size} pinned places
    </button>
  );
}

async function aboutOf(wanted: View, whole: boolean): Promise<About> {
  const [page, status] = await Promise.all([linkAddress(), getStatus().catch(() => null)]);
  const limits: Record<string, string> = whole
    ? {}
    : Object.fromEntries(
        Object.entries({
          view: look(), focus: wanted.focus, hops: wanted.focus ? String(wanted.hops) : "", direction: wanted.focus ? wanted.dir : "", name: wanted.name, top: wanted.top ? String(wanted.top) : "",
          min: wanted.min ? formatPercent(wanted.min, 1) : "", only: wanted.onlyErrors ? "errors" : "", step: param("at") ? toRfc3339(BigInt(param("at")) * 1000000000n) : "", compareWith: param("vs"),
        }).filter(([, v]) => v !== ""),
      );
  const graph = found.state.peek().value?.graph;
  const end = (ns: string | null | undefined) => (ns ? toRfc3339(BigInt(ns)) : "");
  return {
    page,
    query: apiOf(),
    from: end(graph?.from),
    to: end(graph?.to),
    generatedAt: toRfc3339(nowNs()),
    version: `Spoor ${status?.version ?? "(not known)"}`,
    thresholds: { scope: whole ? "full" : "visible", ...limits, failingFrom: formatPercent(FAILING, 1), quantileError: `${(100 * (graph?.relativeError ?? 0)).toFixed(1)} %` },
  };
}

async function savePng(file: { svg: string; width: number; height: number; about: string }, scale: number): Promise<void> {
  const [width, height] = [file.width * scale, file.height * scale];
  if (Math.max(width, height) > PIXELS_MAX) {
    say(`${width} × ${height} pixels are more than a browser draws: save the SVG`);
    return;
  }
  const address = URL.createObjectURL(new Blob([file.svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d")?.drawImage(image, 0, 0, width, height);
    const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
    if (!blob) throw new Error("no picture");
    saveFile(`service-map-${scale}x.png`, "image/png", pngWithText(new Uint8Array(await blob.arrayBuffer()), "Description", file.about));
  } catch {
    say("The picture could not be made: save the SVG");
  } finally {
    URL.revokeObjectURL(address);
  }
}
