// SPDX-License-Identifier: Apache-2.0
// The page of an empty store: where to send spans, and a light that changes when the first one comes.
import { useMemo } from "preact/hooks";
import type { Status } from "../api/types";
import { firstSpanCurl } from "../model/curl";
import { demoTrace } from "../model/demo";
import { go, href } from "../route";
import { bringFile } from "../state/opening";
import { nowNs } from "../state/range";
import { say } from "../state/say";
import { readFile } from "../state/source";
import { CopyButton } from "../ui/controls";

const hex = (bytes: number) =>
  [...crypto.getRandomValues(new Uint8Array(bytes))].map((b) => b.toString(16).padStart(2, "0")).join("");

export function FirstRun({ status }: { status: Status }) {
  const grpc = `http://${status.listen.otlpGrpc}`;
  const http = `http://${status.listen.otlpHttp}`;
  const env = [
    `export OTEL_EXPORTER_OTLP_ENDPOINT=${http}`,
    "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
    "export OTEL_SERVICE_NAME=my-service",
  ].join("\n");
  const curl = useMemo(() => firstSpanCurl(http, hex(16), hex(8), nowNs()), [http]);
  return (
    <section class="first-run">
      <h1>Waiting for the first span</h1>
      <p class="listening" role="status">
        <span class="pulse" aria-hidden="true" />
        No span received yet. Listening on {status.listen.otlpGrpc} and {status.listen.otlpHttp}; this page opens the search by itself.
      </p>
      <h2>Where to send</h2>
      <dl class="endpoints">
        <dt>OTLP/HTTP</dt>
        <dd>
          <code>{http}</code>
          <CopyButton text={http} what="OTLP/HTTP endpoint" />
        </dd>
        <dt>OTLP/gRPC</dt>
        <dd>
          <code>{grpc}</code>
          <CopyButton text={grpc} what="OTLP/gRPC endpoint" />
        </dd>
      </dl>
      <Snippet title="Any OpenTelemetry SDK" text={env} what="environment" />
      <Snippet title="One span from the shell" text={curl} what="curl command" />
      <h2>Or look around first</h2>
      <p>
        <button type="button" class="button" onClick={() => void openDemo()}>
          Open a demo trace
        </button>{" "}
        <span class="dim">made in this browser, nothing is stored</span>
      </p>
      <p>
        <button type="button" class="button" onClick={() => bringFile()}>
          Open a file of traces
        </button>{" "}
        <span class="dim">OTLP, Jaeger or Zipkin JSON, read in this browser and sent nowhere; dropped on any page it opens, too</span>
      </p>
    </section>
  );
}

async function openDemo(): Promise<void> {
  try {
    const { traces } = await readFile(new File([demoTrace(nowNs() - 60000000000n)], "demo.json", { type: "application/json" }));
    go(href("trace", { src: "file", id: traces[0].id }));
  } catch {
    say("The demo trace could not be opened");
  }
}

function Snippet({ title, text, what }: { title: string; text: string; what: string }) {
  return (
    <>
      <h2>{title}</h2>
      <div class="snippet">
        <pre class="mono" tabIndex={0}>
          {text}
        </pre>
        <CopyButton text={text} what={what} label="Copy" />
      </div>
    </>
  );
}
