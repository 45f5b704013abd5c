// SPDX-License-Identifier: Apache-2.0
// What addresses may say: parameters of which a page knows all values. (Queries, times and names of fields are the server's, which says what it cannot read; a service, a span or a
// range that is not there is said where it would be.) No DOM.
import { parseSelection } from "./heat";

/** NAME,NAME=PATTERN for each page; without a pattern: a part of time, for sel a box in time and duration. A new choice of a page stands here, too. */
const READ: Record<string, string> = {
  explore:
    "sel mode=traces|spans view=table|heatmap|histogram|timeseries as=table panels,live=[01] limit=[1-9]\\d* y=linear heat=errors counts=log top=3|5|10 by=call|traces|spans gsort=-?(value|count|errors|p50|p95|p99|impact)",
  trace:
    "z,fz view=waterfall|flame|graph|stats|spans|events|json src=file skew=raw|adj cp,err,slow,only,peers,values,fold,details,embed,all=[01] svc=-.* nodes=service|operation as=table chosen=(node|edge):.* flame=time|heavy|sandwich json=otlp|jaeger sort=-?(trace|start|duration|spans|errors|id|service|name|kind|status|self|depth|below|value|count|sum|p50|p95|max)",
  compare: "by=duration|self|count|attrs align=path|name order=delta|calls tab=graph|falls|attrs|spans traces=1000|10000|100000 rows=all node=\\d+ sa,sb=[\\da-fA-F]{16}",
  map: "view=layered|radial|matrix|table edge=rate|calls|err|errors|p50|p95|p99 dir=both|up|down hops=[1-5] top,at=\\d+ min=\\d*\\.?\\d+ only=errors all,links=[01] pins=\\{.*\\} sort=-?(client|server|calls|errors|p50|p95|p99|change|kind) nsort=-?(service|type|group|calls|errors|p95)",
  service:
    "tab=ops|deps|errors|instances|attributes view=table dur=heat raw=[01] off,eoff,ioff=\\d+ inst=instance|version|host|pod pct=((50|75|90|95|99|99\\.9)(,|$))+ sort=-?(name|spans|operation|calls|errors|p50|p95|p99|impact|change) isort=-?(calls|errors|p50|p95|p99)",
  status: "tab=ingest|storage|query|quality|limits|about traces=1000|10000|100000",
};

function isPart(name: string, text: string): boolean {
  const [, from, to] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  return name === "sel" ? parseSelection(text) !== null : Number(from) < Number(to);
}

/** What of an address the page leaves out, since it cannot be read: names and values. */
export function unread(page: string, params: URLSearchParams): [name: string, value: string][] {
  return READ[page].split(" ").flatMap((rule) => {
    const [names, pattern] = rule.split("=");
    return names
      .split(",")
      .map((name): [string, string] => [name, params.get(name) ?? ""])
      .filter(([name, value]) => value !== "" && !(pattern ? new RegExp(`^(${pattern})$`, "s").test(value) : isPart(name, value)));
  });
}
