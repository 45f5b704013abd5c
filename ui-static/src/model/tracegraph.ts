// SPDX-License-Identifier: Apache-2.0
// Who calls whom in one trace, by service or by operation, in the shape of the service graph. No DOM.
import type { GraphAnswer, GraphNode } from "../api/types";
import { ERROR, operationName, serviceName, type Skeleton } from "./skeleton";

export type GraphBy = "service" | "operation";

interface Calls {
  client: string;
  server: string;
  type: string;
  lengths: number[];
  errors: number;
}

/** keep: of which rows; null: of all. */
export function graphOfTrace(s: Skeleton, by: GraphBy, keep: Uint8Array | null = null): GraphAnswer {
  const nodes = new Map<string, GraphNode & { self: number; n: number; failed: number }>();
  const edges = new Map<string, Calls>();
  const nameOf = (row: number) => (by === "service" ? serviceName(s, row) : `${serviceName(s, row)} ${operationName(s, row)}`);
  const node = (service: string, type: GraphNode["type"], slot: number) => {
    let found = nodes.get(service);
    if (!found) nodes.set(service, (found = { service, type, slot, calls: "0", errors: "0", self: 0, n: 0, failed: 0 }));
    return found;
  };
  const call = (client: string, server: string, type: string, length: number, failed: number) => {
    const key = JSON.stringify([client, server, type]);
    let found = edges.get(key);
    if (!found) edges.set(key, (found = { client, server, type, lengths: [], errors: 0 }));
    found.lengths.push(length);
    found.errors += failed;
  };
  const kept = (row: number) => row >= 0 && (!keep || keep[row] === 1);
  const own = new Set<string>();
  for (const row of s.start.keys()) if (kept(row)) own.add(nameOf(row));
  for (let row = 0; row < s.count; row++) {
    if (!kept(row)) continue;
    const here = node(nameOf(row), "service", s.services[s.service[row]].slot);
    const failed = s.flags[row] & ERROR;
    here.n++;
    here.failed += failed;
    here.self += s.self[row];
    const parent = s.parent[row];
    if (kept(parent) && nameOf(parent) !== here.service) call(nameOf(parent), here.service, "", s.length[row], failed);
    const peer = s.peers.get(row);
    if (peer) {
      // One that sends spans is counted by these.
      if (!own.has(peer.name)) {
        const other = node(peer.name, (peer.type === "service" ? "external" : peer.type) as GraphNode["type"], 0);
        other.n++;
        other.failed += failed;
      }
      if (peer.name !== here.service) call(here.service, peer.name, peer.type === "database" ? "database" : "virtual_node", s.length[row], failed);
    }
  }
  return {
    nodes: [...nodes.values()].map(({ service, type, slot, n, failed }) => ({ service, type, slot, calls: String(n), errors: String(failed) })),
    edges: [...edges.values()].map((e) => ({
      client: e.client,
      server: e.server,
      connectionType: e.type,
      calls: String(e.lengths.length),
      errors: String(e.errors),
      clientLatency: null,
      serverLatency: quantiles(e.lengths),
      exemplarTraceId: null,
    })),
    from: null,
    to: null,
    service: null,
    hops: null,
    relativeError: 0,
  };
}

function quantiles(values: number[]) {
  const sorted = Float64Array.from(values).sort();
  const at = (q: number) => String(sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]);
  return { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
}
