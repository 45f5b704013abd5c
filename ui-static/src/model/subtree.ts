// SPDX-License-Identifier: Apache-2.0
// A subtree as a trace of its own, for the views that show all rows of what they get. Times stay those of the whole trace. No DOM.
import { eventsOf, type Skeleton, spanIdAt } from "./skeleton";

export function subtreeOf(s: Skeleton, first: number): Skeleton {
  const count = s.subtree[first];
  const part = <T extends Float64Array | Int32Array | Uint8Array | Uint16Array>(column: T): T => column.subarray(first, first + count) as T;
  const moved = (row: number) => row - first;
  const rows = <T>(map: Map<number, T>) => new Map([...map].map(([row, x]): [number, T] => [moved(row), x]).filter(([row]) => row >= 0 && row < count));
  const { events } = s;
  const [from, to] = [eventsOf(events, first)[0], eventsOf(events, first + count - 1)[1]];
  const parent = s.parent[first];
  return {
    ...s,
    count,
    start: part(s.start),
    length: part(s.length),
    self: part(s.self),
    depth: part(s.depth),
    subtree: part(s.subtree),
    parent: part(s.parent).map((p) => Math.max(-1, moved(p))),
    service: part(s.service),
    operation: part(s.operation),
    kind: part(s.kind),
    status: part(s.status),
    flags: part(s.flags),
    spanIds: s.spanIds.slice(first * 16, (first + count) * 16),
    // The parent of the first is not in these rows either; files name it.
    missingParent: parent >= 0 ? new Map([[0, spanIdAt(s, parent)]]) : rows(s.missingParent),
    events: { ...events, count: events.count - events.row.length + to - from, row: events.row.slice(from, to).map(moved), time: events.time.subarray(from, to), name: events.name.subarray(from, to) },
    peers: rows(s.peers),
  };
}
