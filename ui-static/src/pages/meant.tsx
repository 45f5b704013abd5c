// SPDX-License-Identifier: Apache-2.0
// What somebody may have meant whose query cannot be read.
import { parseTraceRef } from "../model/ids";
import { meantQuery } from "../model/meant";
import { quote } from "../model/traceql";
import { href, patched } from "../route";

export function Meant({ text }: { text: string }) {
  const way = (address: string, name: string) => (
    <a class="button small" href={address}>
      {name}
    </a>
  );
  const query = (q: string, name: string) => way(patched({ q }), name);
  const trace = parseTraceRef(text);
  if (trace) return way(href("trace", { id: trace.traceId, span: trace.spanId }), "Open this trace");
  const meant = meantQuery(text);
  if (meant) return <p class="row">Search {query(meant, meant)}</p>;
  if (!/^[^{}|=<>"`]+$/.test(text)) return null;
  return (
    <p class="row">
      Search {query(`{ resource.service.name = ${quote(text)} }`, "the service")} {query(`{ name =~ ${quote(`.*${text.replace(/[.*+?^$()[\]\\]/g, "\\$&")}.*`)} }`, "spans with such a name")}
    </p>
  );
}
