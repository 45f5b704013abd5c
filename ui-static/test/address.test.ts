// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { unread } from "../src/model/address";

const left = (page: string, query: string) => unread(page, new URLSearchParams(query)).map(([name, value]) => `${name}=${value}`);

test("what pages write into their addresses can be read", () => {
  const written: [string, string][] = [
    ["explore", "q={ }&from=now-1h&sel=1,2,3,4&mode=spans&view=heatmap&as=table&panels=0&live=1&limit=1000&y=linear&heat=errors&counts=log&top=10&by=call&call=x&gsort=-impact&sort=-duration&cols=a,b"],
    ["trace", `id=x&z=0-100&fz=5-7&view=flame&skew=adj&cp=1&fold=0&details=0&svc=-redis,-a=b\nc&nodes=operation&as=table&chosen=${encodeURIComponent('edge:["a","b",""]')}&flame=sandwich&json=jaeger&sort=-p95&marks=1,2`],
    ["compare", "a=garbage&by=attrs&align=name&order=calls&tab=falls&traces=10000&rows=all&node=12&sa=00f067aa0ba902b7"],
    ["map", `view=matrix&edge=p95&dir=up&hops=5&top=500&min=0.01&at=0&only=errors&all=1&links=1&pins=${encodeURIComponent('{"layered":{"a":[1,2]}}')}&sort=server&nsort=-errors&vs=prev&sel=node:a`],
    ["service", "s=web&tab=deps&view=table&dur=heat&raw=1&off=50&inst=pod&pct=50,99.9&sort=-p95&isort=calls&kind=server"],
    ["status", "tab=quality&traces=100000"],
    // The name of what is seen without one.
    ["explore", "view=table"],
    // Nothing at all, what is empty, and names that are nobody's.
    ...["explore", "trace", "compare", "map", "service", "status"].flatMap((page): [string, string][] => [[page, ""], [page, "view=&tab=&sel=&z="], [page, "utm_source=mail"]]),
  ];
  for (const [page, query] of written) assert.deepEqual(left(page, query), [], `${page} ${query}`);
});

test("what cannot be read of an address is named, and nothing else", () => {
  for (const sel of ["garbage", "1,2,3", "1,2,3,4,5", "2,1,3,4", "1,2,4,3", "1,1,3,4", "1,2,3,x", " 1,2,3,4", "5-9"]) assert.deepEqual(left("explore", `sel=${sel}&view=heatmap`), [`sel=${sel}`]);
  assert.deepEqual(left("explore", "mode=cats&limit=0&view=list&top=4&by=x&gsort=x"), ["mode=cats", "view=list", "limit=0", "top=4", "by=x", "gsort=x"]);
  for (const z of ["7", "9-7", "7-7", "a-b", "1.5-2", "1,2,3,4"]) assert.deepEqual(left("trace", `z=${z}&fz=${z}&cp=1`), [`z=${z}`, `fz=${z}`]);
  assert.deepEqual(left("trace", "view=waterfal&cp=yes&svc=redis&chosen=x&sort=--self&skew=adjust"), ["view=waterfal", "skew=adjust", "cp=yes", "svc=redis", "chosen=x", "sort=--self"]);
  assert.deepEqual(left("compare", "by=x&tab=tree&traces=7&rows=1&node=-1&sa=12"), ["by=x", "tab=tree", "traces=7", "rows=1", "node=-1", "sa=12"]);
  assert.deepEqual(left("map", "hops=9&top=-1&min=a&min=1&at=now&dir=left&pins=x&only=1&sel=garbage"), ["dir=left", "hops=9", "top=-1", "at=now", "min=a", "only=1", "pins=x"]);
  assert.deepEqual(left("service", "tab=x&view=chart&off=-1&pct=50,98&sort=x&inst=__proto__"), ["tab=x", "view=chart", "off=-1", "inst=__proto__", "pct=50,98", "sort=x"]);
  assert.deepEqual(left("status", "tab=x&traces=5"), ["tab=x", "traces=5"]);
});
